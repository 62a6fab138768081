//! What a device says of its own health, and in which unit it measures.

use super::cells::{has_bit, place, quality, sayable};
use crate::config::faults::{Fault, Faults};
use crate::config::read::Row;
use crate::model::point::Unit;
use crate::model::register::{Current, Encoding, Flag, StatusField, StatusMeaning, UnitField};

/// A status, `shift` cells further on for a later channel.
pub(super) fn status(row: &Row, shift: u32, faults: &mut Faults) -> Option<StatusField> {
    let (at, encoding) = place(row, shift, faults)?;
    row.tables("codes").for_each(|r| sayable(r, "code", encoding, row, faults));
    row.tables("flags").for_each(|r| has_bit(r, encoding, faults));
    let codes: Vec<_> = row.tables("codes").filter_map(|r| Some((r.small("code")?, quality(r)?))).collect();
    twice(row, "codes", "code", faults);
    let flags: Vec<_> = row.tables("flags").filter_map(flag).collect();
    let meaning = match (row.has("codes"), row.has("flags")) {
        (true, false) => StatusMeaning::Codes(codes),
        (false, true) => StatusMeaning::Bits { zero: zero(row, encoding, &flags), flags },
        (both, _) => {
            let message =
                if both { "a status has both codes and flags" } else { "a status that means nothing" };
            let help = "write either codes = [{ code = 0, quality = \"good\" }, …] or flags = [{ bit = 0, quality = … }, …]";
            faults.push(Fault::error("status-meaning", row.place.clone(), message).help(help));
            return None;
        }
    };
    if row.has("codes") && row.str("unnamed") == Some("bad") {
        let message = "a code that is not named is bad anyway";
        faults.push(
            Fault::error("status-meaning", row.at("unnamed"), message)
                .help("take `unnamed` away: it is for flags"),
        );
        return None;
    }
    Some(StatusField { at, encoding, meaning })
}

fn flag(row: &Row) -> Option<Flag> {
    let when = row.small::<u8>("when")? == 1;
    Some(Flag { bit: row.small("bit")?, when, quality: quality(row)? })
}

/// The bits that must be 0: where what is not named is bad, all that no flag names.
fn zero(row: &Row, encoding: Encoding, flags: &[Flag]) -> u16 {
    if row.str("unnamed") != Some("bad") {
        return 0;
    }
    let all = match encoding {
        Encoding::Bits { mask, .. } => mask,
        Encoding::Bit => 1,
        Encoding::U16
        | Encoding::I16
        | Encoding::U32(_)
        | Encoding::I32(_)
        | Encoding::F32(_)
        | Encoding::Packed => u16::MAX,
    };
    let named = flags.iter().filter_map(|flag| 1_u16.checked_shl(u32::from(flag.bit)));
    named.fold(all, |rest, bit| rest & !bit)
}

/// A number that stands for two things stands for neither.
fn twice(row: &Row, list: &str, key: &str, faults: &mut Faults) {
    let mut seen = std::collections::BTreeMap::new();
    for entry in row.tables(list) {
        let Some(n) = entry.integer(key) else { continue };
        if let Some(first) = seen.insert(n, entry.at(key)) {
            let message = format!("{key} {n} is listed twice");
            faults.push(
                Fault::error("listed-twice", entry.at(key), message)
                    .label("again")
                    .help("keep the one that the manual gives")
                    .other(&first, "first listed here"),
            );
        }
    }
}

/// Where the device says in which unit it measures.
pub(super) fn unit_field(row: &Row, shift: u32, faults: &mut Faults) -> Option<UnitField> {
    let (at, encoding) = place(row, shift, faults)?;
    row.tables("codes").for_each(|r| sayable(r, "code", encoding, row, faults));
    twice(row, "codes", "code", faults);
    let codes = row.tables("codes").filter_map(|r| Some((r.small("code")?, Unit::parse(r.str("unit")?)?)));
    Some(UnitField { at, encoding, codes: codes.collect() })
}

/// What a current loop says beside the value.
pub(super) fn current(row: &Row) -> Current {
    let steps = row.tables("steps").filter_map(|r| Some((r.number("ma")?, quality(r)?)));
    Current { steps: steps.collect() }
}
