//! Where values lie and how their bits are read: what signals, statuses and outputs of a profile have in common.

use crate::config::faults::{Fault, Faults, Place, quoted};
use crate::config::profile::Reach;
use crate::config::read::{Row, Value};
use crate::model::point::Quality;
use crate::model::register::{Encoding, Field, Location, Scan, Space, WordOrder, Write};

/// The place that `row` names, `shift` cells further on for a later channel.
pub(super) fn location(row: &Row, shift: u32, faults: &mut Faults) -> Option<Location> {
    let name = row.str("space")?;
    let space = Space::ALL.into_iter().find(|s| s.as_str() == name)?;
    let written = row.small::<u32>("address")?;
    let Ok(address) = u16::try_from(written.saturating_add(shift)) else {
        let message = "the last of the repeated channels would lie beyond 65535";
        faults.push(
            Fault::error("out-of-bounds", row.at("address"), message)
                .help("check count and step of `repeat` against the manual"),
        );
        return None;
    };
    Some(Location { space, address })
}

/// Place and encoding of what `row` names.
pub(super) fn place(row: &Row, shift: u32, faults: &mut Faults) -> Option<(Location, Encoding)> {
    let encoding = encoding(row, shift, faults)?;
    Some((location(row, shift, faults)?, encoding))
}

/// The quality that `row` names.
pub(super) fn quality(row: &Row) -> Option<Quality> {
    let name = row.str("quality")?;
    Quality::IN_PROFILES.into_iter().find(|q| q.as_str() == name)
}

/// The same, of what a reading may have, which a device can't say all of itself.
pub(super) fn quality_of(row: &Row) -> Option<Quality> {
    let name = row.str("quality")?;
    Quality::ALL.into_iter().find(|q| q.as_str() == name)
}

/// How often `row` is read.
pub(super) fn scan(row: &Row) -> Scan {
    Scan::ALL.into_iter().find(|s| row.str("scan") == Some(s.as_str())).unwrap_or_default()
}

/// By which function `row` is written.
pub(super) fn write(row: &Row, at: Location, faults: &mut Faults) -> Option<Write> {
    let mask = row.small::<u16>("mask");
    let how = match (row.str("write"), mask) {
        (Some("mask"), Some(mask)) => Write::Mask(mask),
        (Some("mask"), None) | (Some("single" | "multiple") | None, Some(_)) => {
            let key = if mask.is_some() { "mask" } else { "write" };
            faults.push(
                Fault::error("half-mask", row.at(key), "write = \"mask\" and `mask` belong together").help(
                    "single bits of a register: write = \"mask\", mask = 0x0001; otherwise leave both out",
                ),
            );
            return None;
        }
        (Some("multiple"), None) => Write::Multiple,
        (_, None) | (Some(_), Some(_)) => Write::Single,
    };
    if matches!(how, Write::Mask(_)) && at.space != Space::Holding {
        faults.push(
            Fault::error(
                "mask-space",
                row.at("write"),
                "only holding registers have bits that can be masked",
            )
            .help("a coil is a single bit by itself: leave `write` and `mask` out"),
        );
        return None;
    }
    Some(how)
}

/// How the bits that `row` names are to be read.
pub(super) fn encoding(row: &Row, shift: u32, faults: &mut Faults) -> Option<Encoding> {
    let (at, name) = (location(row, shift, faults)?, row.str("encoding")?);
    let encoding = match name {
        "u16" => Encoding::U16,
        "i16" => Encoding::I16,
        "u32" => Encoding::U32(order(row, faults)?),
        "i32" => Encoding::I32(order(row, faults)?),
        "f32" => Encoding::F32(order(row, faults)?),
        "bits" => bits(row, faults)?,
        "packed" => Encoding::Packed,
        _ => Encoding::Bit,
    };
    let fits = at.space.is_bits() == (encoding == Encoding::Bit);
    if !fits {
        let (message, help) = if at.space.is_bits() {
            ("coils and discrete inputs are single bits", "use encoding = \"bit\"")
        } else {
            ("a register is no single bit", "use encoding = \"bits\" with bits = [n, n]")
        };
        faults.push(
            Fault::error("encoding-space", row.at("encoding"), message).label("does not fit").help(help),
        );
        return None;
    }
    if at.address.checked_add(encoding.cells().saturating_sub(1)).is_none() {
        faults.push(
            Fault::error("out-of-bounds", row.at("address"), "the second register would lie beyond 65535")
                .help("addresses on the wire count from 0: a manual's 40001 is holding 0"),
        );
        return None;
    }
    Some(encoding)
}

fn order(row: &Row, faults: &mut Faults) -> Option<WordOrder> {
    match row.str("order") {
        Some("abcd") => Some(WordOrder::Abcd),
        Some("cdab") => Some(WordOrder::Cdab),
        Some("badc") => Some(WordOrder::Badc),
        Some(_) => Some(WordOrder::Dcba),
        None => {
            let message = "a 32-bit value without its byte order";
            faults.push(
                Fault::error("missing-order", row.at("encoding"), message)
                    .label("two registers")
                    .help("add order = \"abcd\", \"cdab\" (words swapped, common), \"badc\" or \"dcba\""),
            );
            None
        }
    }
}

fn bits(row: &Row, faults: &mut Faults) -> Option<Encoding> {
    let bounds = match row.pair("bits") {
        Some((Value::Integer(lo), Value::Integer(hi))) if lo <= hi => Some((*lo, *hi)),
        _ => None,
    };
    let Some((lo, hi)) = bounds else {
        faults.push(
            Fault::error("missing-bits", row.at("bits"), "a bit field without its lowest and highest bit")
                .help("add bits = [lowest, highest], 0 to 15, as bits = [3, 3]"),
        );
        return None;
    };
    let shift = u8::try_from(lo).ok()?;
    let width = u32::try_from(hi.saturating_sub(lo).saturating_add(1)).ok()?;
    let mask = u16::try_from((1_u32.checked_shl(width)?).saturating_sub(1)).ok()?;
    Some(Encoding::Bits { shift, mask })
}

/// Whether it is 0 or 1 only.
pub(super) fn one_bit(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::Bit | Encoding::Bits { mask: 1, .. })
}

/// The measuring range that `row` names.
pub(in crate::config) fn range(row: &Row, faults: &mut Faults) -> Option<(f64, f64)> {
    let (Value::Number(lo), Value::Number(hi)) = row.pair("range")? else { return None };
    if lo >= hi {
        faults.push(
            Fault::error("empty-range", row.at("range"), format!("nothing lies between {lo} and {hi}"))
                .help("write range = [lowest, highest]"),
        );
    }
    Some((*lo, *hi))
}

/// A number that the encoding never reads would never be recognized, and what it warns of would pass for a value.
pub(super) fn sayable(row: &Row, key: &str, encoding: Encoding, of: &Row, faults: &mut Faults) {
    let Some(n) = row.integer(key) else { return };
    let named = of.str("encoding").unwrap_or_default();
    let (message, help) = match encoding.whole() {
        Some((lo, hi)) if (lo..=hi).contains(&n) => return,
        Some((lo, hi)) => {
            // The same bits, read the other way: 0xFFFF is -1, and -1 is 0xFFFF.
            let turn = hi.saturating_sub(lo).saturating_add(1);
            let same =
                [n.saturating_sub(turn), n.saturating_add(turn)].into_iter().find(|n| (lo..=hi).contains(n));
            let help = match (encoding, same) {
                (Encoding::Bits { .. } | Encoding::Bit, _) => {
                    "check it against the manual; the number is that of the field alone, whose lowest bit counts 1".to_owned()
                }
                (_, Some(same)) => format!("{named} reads these bits as {same}: write {key} = {same}"),
                (_, None) => "check the number and the encoding against the manual".to_owned(),
            };
            (format!("{key} = {n} never comes: {named} reads {lo} to {hi}"), help)
        }
        None if float_says(n) => return,
        None => (
            format!("{key} = {n} never comes: no 32-bit floating-point number is exactly that"),
            "write the number as the device's manual gives it; what is no number (NaN) needs no sentinel"
                .to_owned(),
        ),
    };
    faults.push(Fault::error("never-read", row.at(key), message).label("never read").help(help));
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "whether it is lost is the question"
)]
fn float_says(n: i64) -> bool {
    (n as f32) as i64 == n
}

/// A flag beyond the field would never be set.
pub(super) fn has_bit(row: &Row, encoding: Encoding, faults: &mut Faults) {
    let (Some(bit), Some((lo, hi))) = (row.small::<u32>("bit"), encoding.whole()) else { return };
    let width = hi.saturating_sub(lo).checked_ilog2().map_or(0, |top| top.saturating_add(1));
    if bit >= width {
        let message = format!("bit {bit} is never set: the field has bits 0 to {}", width.saturating_sub(1));
        faults.push(
            Fault::error("never-read", row.at("bit"), message).label("beyond the field").help(
                "bits count from the field's lowest: with bits = [8, 15], the register's bit 9 is bit 1",
            ),
        );
    }
}

/// Value and all that qualifies it must come in one answer, each whole: of two answers, one could be from before a
/// change and one from after it.
pub(super) fn torn(field: &Field, row: &Row, reach: &Reach, faults: &mut Faults) {
    let beside = ["status", "decimals", "units"];
    let key = beside.into_iter().find(|key| row.has(key)).unwrap_or("encoding");
    let fault = |key: &str, message: String, help: &str| {
        Fault::error("torn-read", row.at(key), message).label(format!("this {key}")).help(help)
    };
    if let Some((at, _)) = field.places().find(|(at, _)| at.space != field.at.space) {
        let is = |place: Option<Location>| place.is_some_and(|place| place == at);
        let (what, key) = if is(field.decimals.map(|(at, _)| at)) {
            ("decimals", "decimals")
        } else if is(field.unit.as_ref().map(|unit| unit.at)) {
            ("unit", "units")
        } else {
            ("status", "status")
        };
        let (a, b) = (field.at.space.as_str(), at.space.as_str());
        faults.push(fault(
            key,
            format!("the value lies in {a} and its {what} in {b}: no single request reads both"),
            &format!("use the copy of the {what} that lies beside the value; most devices have one"),
        ));
        return;
    }
    let (from, to) = hull(field);
    let (span, max) = (to.saturating_sub(from), reach.max(field.at.space));
    if span > max {
        let (what, nearer) = match key {
            "encoding" => ("the value takes".to_owned(), String::new()),
            _ => (format!("value and {key} take"), format!(", or use a {key} that lies nearer")),
        };
        faults.push(fault(
            key,
            format!("{what} {span} registers, and one request reads at most {max}"),
            &format!("raise max_registers (up to 125){nearer}"),
        ));
        return;
    }
    if let Some((a, b)) = reach.forbidden(field.at.space, from, to) {
        let message = format!("{} {a} to {b} must never be touched, says `never`", field.at.space.as_str());
        let own = field.places().map(|(at, encoding)| (u32::from(at.address), u32::from(encoding.cells())));
        let inside = own.into_iter().any(|(at, cells)| at <= b && a < at.saturating_add(cells));
        let help = if inside {
            "check both against the manual: a value can't lie where nothing may be read"
        } else {
            "between the value and what qualifies it nothing may lie that must not be read: use a status that lies nearer"
        };
        let place = if inside { row.at("address") } else { row.at(key) };
        faults.push(Fault::error("never-touched", place, message).label("read in one request").help(help));
        return;
    }
    let mut cells = std::collections::BTreeSet::new();
    for (at, encoding) in field.places() {
        cells.extend((0..encoding.cells()).map(|n| at.address.saturating_add(n)));
    }
    let gap = span.saturating_sub(u32::try_from(cells.len()).unwrap_or(u32::MAX));
    if gap > u32::from(reach.max_gap) {
        let message =
            format!("between value and {key}, {gap} cells are read along; max_gap is {}", reach.max_gap);
        faults.push(
            Fault::warning("gap-read", row.at(key), message)
                .label("read in one request with the value")
                .help("raise max_gap if the manual says that they can be read; otherwise use a status that lies nearer"),
        );
    }
}

/// The cells from the first to one beyond the last of value and all that qualifies it.
pub(in crate::config) fn hull(field: &Field) -> (u32, u32) {
    let ends = field.places().map(|(at, encoding)| {
        let first = u32::from(at.address);
        (first, first.saturating_add(u32::from(encoding.cells())))
    });
    ends.fold((u32::MAX, 0), |(from, to), (first, end)| (from.min(first), to.max(end)))
}

/// The registers of one signal or status, for the search for overlaps.
pub(super) struct Cells {
    at: Location,
    end: u32,
    encoding: Encoding,
    name: String,
    place: Place,
}

impl Cells {
    pub(super) fn of(at: Location, encoding: Encoding, name: &str, row: &Row) -> Cells {
        let end = u32::from(at.address).saturating_add(u32::from(encoding.cells()));
        Cells { at, end, encoding, name: name.to_owned(), place: row.at("address") }
    }

    /// One register may be read as a number and as its bits, and by the same encoding twice.
    fn agrees_with(&self, other: &Cells) -> bool {
        let bits = |e: Encoding| matches!(e, Encoding::Bits { .. });
        let single = |e: Encoding| e.cells() == 1;
        let same = self.at.address == other.at.address && self.encoding == other.encoding;
        let parts =
            (bits(self.encoding) || bits(other.encoding)) && single(self.encoding) && single(other.encoding);
        same || parts
    }
}

/// Values that share a register and read it in ways that can't both be right.
pub(super) fn overlaps(mut map: Vec<Cells>, faults: &mut Faults) {
    map.sort_by_key(|c| (c.at.space, c.at.address));
    for (n, one) in map.iter().enumerate() {
        let later = map.iter().skip(n.saturating_add(1));
        let overlapping = |c: &&Cells| c.at.space == one.at.space && u32::from(c.at.address) < one.end;
        for other in later.take_while(overlapping).filter(|c| !c.agrees_with(one)) {
            let message = format!("{} and {} overlap", quoted(&one.name), quoted(&other.name));
            let what = |c: &Cells| {
                format!("{} {} to {}", c.at.space.as_str(), c.at.address, c.end.saturating_sub(1))
            };
            faults.push(
                Fault::error("overlapping-registers", other.place.clone(), message)
                    .label(format!("{} takes {}", other.name, what(other)))
                    .help("check the addresses and encodings against the manual: a 32-bit value takes two registers")
                    .other(&one.place, format!("{} takes {}", one.name, what(one))),
            );
        }
    }
}
