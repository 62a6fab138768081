//! Places, encodings and units as people write them on a command line, with the words that profiles use:
//! `holding:100`, `f32:cdab`, `bits:3-5`, `1-5,9`. Profiles themselves are read in `config/`.

use super::codec::{Cells, reading};
use crate::model::point::Unit;
use crate::model::register::{Encoding, Field, Location, ReadBlock, Scan, Space, WordOrder};
use crate::model::time::Mono;
use std::collections::BTreeSet;

/// `holding:100`.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn location(text: &str) -> Result<Location, String> {
    let help = "write the table and the address on the wire, from 0, as holding:100 (coil, discrete, input, holding)";
    let (space, address) = text.split_once(':').ok_or_else(|| format!("`{text}` is no place: {help}"))?;
    let space = Space::ALL
        .into_iter()
        .find(|s| s.as_str() == space)
        .ok_or_else(|| format!("there is no table `{space}`: {help}"))?;
    match number(address).and_then(|n| u16::try_from(n).ok()) {
        Some(address) => Ok(Location { space, address }),
        None => Err(format!(
            "`{address}` is no address: 0 to 65535 (or 0x0000 to 0xffff); a manual's 40001 is holding:0, its 30001 input:0"
        )),
    }
}

/// A whole number, decimal or as `0x…`.
#[must_use]
pub fn number(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1_i64, text), |rest| (-1, rest));
    let plain = digits.bytes().all(|b| b.is_ascii_hexdigit() || b == b'x');
    let magnitude = match digits.strip_prefix("0x") {
        _ if !plain => None,
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    };
    magnitude.and_then(|n| n.checked_mul(sign))
}

/// Every order of bytes, as written.
pub const ORDERS: [(WordOrder, &str); 4] = [
    (WordOrder::Abcd, "abcd"),
    (WordOrder::Cdab, "cdab"),
    (WordOrder::Badc, "badc"),
    (WordOrder::Dcba, "dcba"),
];

/// `u16`, `i16`, `u32:cdab`, `i32:…`, `f32:…`, `bits:3-5`, `bit`, `packed`.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn encoding(text: &str) -> Result<Encoding, String> {
    let help = "write u16, i16, packed, bit, bits:LOW-HIGH, or u32, i32, f32 with the order of the bytes, as f32:cdab (abcd, cdab, badc, dcba)";
    let (name, rest) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
    let wrong = || format!("`{text}` is no encoding: {help}");
    let order = || {
        let found = ORDERS.into_iter().find(|(_, name)| Some(*name) == rest).map(|(order, _)| order);
        found.ok_or_else(wrong)
    };
    match (name, rest) {
        ("u16", None) => Ok(Encoding::U16),
        ("i16", None) => Ok(Encoding::I16),
        ("packed", None) => Ok(Encoding::Packed),
        ("bit", None) => Ok(Encoding::Bit),
        ("u32", _) => Ok(Encoding::U32(order()?)),
        ("i32", _) => Ok(Encoding::I32(order()?)),
        ("f32", _) => Ok(Encoding::F32(order()?)),
        ("bits", Some(ends)) => bits(ends).ok_or_else(wrong),
        (_, _) => Err(wrong()),
    }
}

fn bits(ends: &str) -> Option<Encoding> {
    let (low, high) = ends.split_once('-').unwrap_or((ends, ends));
    let (low, high): (u8, u8) = (low.parse().ok()?, high.parse().ok()?);
    if low > high || high > 15 {
        return None;
    }
    let width = u32::from(high.saturating_sub(low)).saturating_add(1);
    let mask = u16::try_from(1_u32.checked_shl(width)?.saturating_sub(1)).ok()?;
    Some(Encoding::Bits { shift: low, mask })
}

/// An encoding as [`encoding`] reads it.
#[must_use]
pub fn encoded(encoding: Encoding) -> String {
    let order = |order: WordOrder| {
        ORDERS.into_iter().find(|(one, _)| *one == order).map(|(_, name)| name).unwrap_or_default()
    };
    match encoding {
        Encoding::U16 => "u16".to_owned(),
        Encoding::I16 => "i16".to_owned(),
        Encoding::U32(o) => format!("u32:{}", order(o)),
        Encoding::I32(o) => format!("i32:{}", order(o)),
        Encoding::F32(o) => format!("f32:{}", order(o)),
        Encoding::Bits { shift, mask } => {
            let width = u32::from(mask).checked_ilog2().unwrap_or(0);
            format!("bits:{shift}-{}", u32::from(shift).saturating_add(width))
        }
        Encoding::Bit => "bit".to_owned(),
        Encoding::Packed => "packed".to_owned(),
    }
}

/// A place as manuals number it: 00001, 10001, 30001, 40001 for address 0 of each table, with six digits from where five
/// end.
#[must_use]
pub fn manual(at: Location) -> String {
    let table = match at.space {
        Space::Coil => 0,
        Space::Discrete => 1,
        Space::Input => 3,
        Space::Holding => 4,
    };
    let number = u32::from(at.address).saturating_add(1);
    if number > 9_999 { format!("{table}{number:05}") } else { format!("{table}{number:04}") }
}

/// Units as `1-5,9,247`, each once, in order.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn units(text: &str) -> Result<Vec<u8>, String> {
    let mut found = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<u8>(), last.trim().parse::<u8>()) {
            (Ok(first), Ok(last)) if first <= last && first >= 1 => found.extend(first..=last),
            (_, _) => {
                return Err(format!(
                    "`{part}` names no units: write numbers and ranges from 1 to 247 (255 over Modbus/TCP), as 1-5,9,247"
                ));
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// The number that lies at the beginning of `cells`, read as `encoding`; `None` where it is no number.
#[must_use]
pub fn value(encoding: Encoding, space: Space, cells: &Cells) -> Option<f64> {
    let at = Location { space, address: 0 };
    let block = ReadBlock { at, count: encoding.cells(), scan: Scan::Fast };
    reading(&Field::plain(at, encoding), Unit::Number, block, cells, Mono::START).value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_profiles_say_can_be_written_in_one_word() {
        assert_eq!(location("holding:100"), Ok(Location { space: Space::Holding, address: 100 }));
        assert_eq!(location("input:0x10"), Ok(Location { space: Space::Input, address: 16 }));
        for wrong in ["holding", "holding:", "register:1", "holding:65536", "holding:-1", "holding:+1", ":"] {
            assert!(location(wrong).is_err(), "{wrong}");
        }
        for text in [
            "u16",
            "i16",
            "u32:abcd",
            "i32:cdab",
            "f32:badc",
            "f32:dcba",
            "bits:3-5",
            "bits:0-15",
            "bit",
            "packed",
        ] {
            assert_eq!(encoding(text).map(encoded).as_deref(), Ok(text));
        }
        assert_eq!(encoding("bits:3"), encoding("bits:3-3"));
        for wrong in ["", "f32", "f32:bacd", "u16:abcd", "bits", "bits:5-3", "bits:0-16", "f64:abcd"] {
            assert!(encoding(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn units_are_numbers_and_ranges() {
        assert_eq!(units("9,1-3,2"), Ok(vec![1, 2, 3, 9]));
        assert_eq!(units("1-255").map(|u| u.len()), Ok(255));
        for wrong in ["", "0", "0-3", "3-1", "256", "a", "1,,2", "1-2-3"] {
            assert!(units(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_manual_counts_from_one() {
        let at = |space, address| manual(Location { space, address });
        assert_eq!(at(Space::Coil, 0), "00001");
        assert_eq!(at(Space::Discrete, 4), "10005");
        assert_eq!(at(Space::Input, 9_998), "39999");
        assert_eq!(at(Space::Holding, 9_999), "410000");
        assert_eq!(at(Space::Holding, 65_535), "465536");
    }

    proptest! {
        #[test]
        fn any_text_is_something_or_refused(text in "\\PC{0,20}") {
            drop((location(&text), encoding(&text), units(&text), number(&text)));
        }
    }
}
