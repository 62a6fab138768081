//! Profiles: from a register-map file to fields, statuses and outputs, with the checks that need no site.

use super::faults::{Fault, Faults, Place, Source, quoted};
use super::names::Names;
use super::read::{Row, Value};
use crate::model::point::{Quality, Text, Unit};
use crate::model::register::{
    Command, Encoding, Field, Location, Scan, Space, StatusField, StatusMeaning, WordOrder,
};
use std::sync::Arc;

/// A register map.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) id: String,
    /// The file that it is from.
    pub(super) source: Arc<Source>,
    pub(super) reach: Reach,
    pub(super) signals: Arc<Names<Signal>>,
    pub(super) outputs: Arc<Names<Command>>,
}

/// What one request to the device may span.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// Most registers.
    pub(super) max_registers: u16,
    /// Cells nobody needs that may be read along.
    pub(super) max_gap: u16,
}

impl Reach {
    fn of(file: &Row) -> Reach {
        // Both have presets: they are missing only where they are written badly, which has been told.
        let (max_registers, max_gap) = (file.small("max_registers"), file.small("max_gap"));
        Reach { max_registers: max_registers.unwrap_or(u16::MAX), max_gap: max_gap.unwrap_or(u16::MAX) }
    }

    /// Most cells of this table.
    pub(super) fn max(self, space: Space) -> u32 {
        u32::from(if space.is_bits() { MAX_BITS } else { self.max_registers })
    }
}

/// A value that a device of this profile measures.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub(super) name: Option<Text>,
    pub(super) field: Field,
    pub(super) unit: Unit,
}

impl Signal {
    /// Whether the device itself can say "above my range".
    pub(super) fn can_be_over_range(&self) -> bool {
        let over = Quality::Uncertain(crate::model::point::Doubt::OverRange);
        let by_status = self.field.status.as_ref().is_some_and(|s| match &s.meaning {
            StatusMeaning::Codes(codes) => codes.iter().any(|(_, q)| *q == over),
            StatusMeaning::Bits(bits) => bits.iter().any(|(_, q)| *q == over),
        });
        self.field.range.is_some() || by_status || self.field.sentinels.iter().any(|(_, q)| *q == over)
    }
}

/// Most bits in one request of coils or discrete inputs (Modbus allows 2,000).
const MAX_BITS: u16 = 2_000;

/// The profile in `file`. Faults are told; what is broken is left out.
pub(super) fn profile(file: &Row, faults: &mut Faults) -> Profile {
    let mut map = Vec::new();
    let mut statuses = Names::new("status");
    for row in file.tables("status") {
        let status = status(row, faults);
        map.extend(status.as_ref().map(|s| Cells::of(s.at, s.encoding, row)));
        statuses.declare(row, "id", status, faults);
    }
    let reach = Reach::of(file);
    let mut signals = Names::new("signal");
    for row in file.tables("signal") {
        let signal = signal(row, &statuses, reach, faults);
        map.extend(signal.as_ref().map(|s| Cells::of(s.field.at, s.field.encoding, row)));
        signals.declare(row, "id", signal, faults);
    }
    overlaps(map, faults);
    let mut outputs = Names::new("output");
    for row in file.tables("output") {
        let output = output(row, faults);
        outputs.declare(row, "id", output, faults);
    }
    if signals.all().next().is_none() && outputs.all().next().is_none() {
        let message = "a profile without signals and outputs";
        faults.push(Fault::error("empty-profile", file.at("id"), message).help("add a [[signal]]"));
    }
    Profile {
        id: file.str("id").unwrap_or_default().to_owned(),
        source: Arc::clone(&file.place.source),
        reach,
        signals: Arc::new(signals),
        outputs: Arc::new(outputs),
    }
}

fn signal(row: &Row, statuses: &Names<StatusField>, reach: Reach, faults: &mut Faults) -> Option<Signal> {
    let before = faults.errors();
    let at = location(row);
    let encoding = encoding(row, faults);
    let range = range(row, faults);
    let scale = row.number("scale")?;
    if scale == 0.0 {
        faults.push(
            Fault::error("zero-scale", row.at("scale"), "a scale of 0 makes every value the offset")
                .help("write the factor of the manual, as 0.01"),
        );
    }
    let unit = Unit::parse(row.str("unit")?)?;
    let (at, encoding) = (at?, encoding?);
    if unit == Unit::State && !one_bit(encoding) {
        faults.push(
            Fault::error("not-a-contact", row.at("unit"), "a contact is one bit, 0 or 1")
                .label("a contact")
                .help("use encoding = \"bit\", or \"bits\" with one bit, as bits = [3, 3]"),
        );
    }
    let sentinels = row.tables("sentinels").filter_map(|r| {
        sayable(r, "raw", encoding, row, faults);
        Some((r.integer("raw")?, quality(r)?))
    });
    let sentinels = sentinels.collect();
    let status = match row.has("status") {
        true => Some(statuses.find(row, "status", faults)?.clone()),
        false => None,
    };
    let field = Field {
        at,
        encoding,
        scale,
        offset: row.number("offset")?,
        range,
        sentinels,
        status,
        scan: scan(row),
    };
    torn(&field, row, reach, faults);
    (faults.errors() == before).then(|| Signal { name: row.words("name"), field, unit })
}

fn status(row: &Row, faults: &mut Faults) -> Option<StatusField> {
    let encoding = encoding(row, faults)?;
    row.tables("codes").for_each(|r| sayable(r, "code", encoding, row, faults));
    row.tables("flags").for_each(|r| has_bit(r, encoding, faults));
    let codes: Vec<_> = row.tables("codes").filter_map(|r| Some((r.small("code")?, quality(r)?))).collect();
    let flags: Vec<_> = row.tables("flags").filter_map(|r| Some((r.small("bit")?, quality(r)?))).collect();
    let meaning = match (row.has("codes"), row.has("flags")) {
        (true, false) => StatusMeaning::Codes(codes),
        (false, true) => StatusMeaning::Bits(flags),
        (both, _) => {
            let message =
                if both { "a status has both codes and flags" } else { "a status that means nothing" };
            let help = "write either codes = [{ code = 0, quality = \"good\" }, …] or flags = [{ bit = 0, quality = … }, …]";
            faults.push(Fault::error("status-meaning", row.place.clone(), message).help(help));
            return None;
        }
    };
    Some(StatusField { at: location(row)?, encoding, meaning })
}

/// A number that the encoding never reads would never be recognized, and what it warns of would pass for a value.
fn sayable(row: &Row, key: &str, encoding: Encoding, of: &Row, faults: &mut Faults) {
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
fn has_bit(row: &Row, encoding: Encoding, faults: &mut Faults) {
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

fn output(row: &Row, faults: &mut Faults) -> Option<Command> {
    let at = location(row)?;
    let trip = row.small("trip")?;
    let release = row.small("release");
    let readback = match row.table("readback") {
        Some(readback) => location(readback)?,
        None => at,
    };
    let bit = [at, readback].into_iter().find(|at| at.space.is_bits());
    if let Some(bit) = bit
        && (trip > 1 || release.is_some_and(|r: u16| r > 1))
    {
        let key = if trip > 1 { "trip" } else { "release" };
        let message = if bit == at {
            "a coil holds 0 or 1".to_owned()
        } else {
            format!("it is read back from a {} cell, which holds 0 or 1", bit.space.as_str())
        };
        faults.push(
            Fault::error("coil-value", row.at(key), message)
                .help("write 0 or 1, or use space = \"holding\", for the readback too"),
        );
        return None;
    }
    if release == Some(trip) {
        let message = "what demands the safe state and what withdraws the demand are the same value";
        faults.push(
            Fault::error("same-values", row.at("release"), message)
                .help("leave `release` out where the device needs no write to withdraw a demand"),
        );
        return None;
    }
    Some(Command { at, trip, release, readback })
}

fn quality(row: &Row) -> Option<Quality> {
    let name = row.str("quality")?;
    Quality::IN_PROFILES.into_iter().find(|q| q.as_str() == name)
}

fn scan(row: &Row) -> Scan {
    Scan::ALL.into_iter().find(|s| row.str("scan") == Some(s.as_str())).unwrap_or_default()
}

fn location(row: &Row) -> Option<Location> {
    let name = row.str("space")?;
    let space = Space::ALL.into_iter().find(|s| s.as_str() == name)?;
    Some(Location { space, address: row.small("address")? })
}

fn encoding(row: &Row, faults: &mut Faults) -> Option<Encoding> {
    let (at, name) = (location(row)?, row.str("encoding")?);
    let encoding = match name {
        "u16" => Encoding::U16,
        "i16" => Encoding::I16,
        "u32" => Encoding::U32(order(row, faults)?),
        "i32" => Encoding::I32(order(row, faults)?),
        "f32" => Encoding::F32(order(row, faults)?),
        "bits" => bits(row, faults)?,
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

fn one_bit(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::Bit | Encoding::Bits { mask: 1, .. })
}

fn range(row: &Row, faults: &mut Faults) -> Option<(f64, f64)> {
    let (Value::Number(lo), Value::Number(hi)) = row.pair("range")? else { return None };
    if lo >= hi {
        faults.push(
            Fault::error("empty-range", row.at("range"), format!("nothing lies between {lo} and {hi}"))
                .help("write range = [lowest, highest]"),
        );
    }
    Some((*lo, *hi))
}

/// Value and status must come in one answer, each whole: of two answers, one could be from before a change and one from
/// after it.
fn torn(field: &Field, row: &Row, reach: Reach, faults: &mut Faults) {
    let key = if field.status.is_some() { "status" } else { "encoding" };
    let fault = |message: String, help: &str| {
        Fault::error("torn-read", row.at(key), message).label(format!("this {key}")).help(help)
    };
    if let Some(status) = field.status.as_ref().filter(|s| s.at.space != field.at.space) {
        let (a, b) = (field.at.space.as_str(), status.at.space.as_str());
        faults.push(fault(
            format!("the value lies in {a} and its status in {b}: no single request reads both"),
            "use the copy of the status that lies beside the value; most devices have one",
        ));
        return;
    }
    let (from, to) = hull(field);
    let (span, max) = (to.saturating_sub(from), reach.max(field.at.space));
    if span > max {
        let (what, nearer) = match key {
            "status" => ("value and status take", ", or use a status that lies nearer"),
            _ => ("the value takes", ""),
        };
        faults.push(fault(
            format!("{what} {span} registers, and one request reads at most {max}"),
            &format!("raise max_registers (up to 125){nearer}"),
        ));
        return;
    }
    let Some(status) = &field.status else { return };
    let needed = field.encoding.cells().saturating_add(status.encoding.cells());
    let gap = span.saturating_sub(u32::from(needed));
    if gap > u32::from(reach.max_gap) {
        let message =
            format!("between value and status, {gap} cells are read along; max_gap is {}", reach.max_gap);
        faults.push(
            Fault::warning("gap-read", row.at("status"), message)
                .label("read in one request with the value")
                .help("raise max_gap if the manual says that they can be read; otherwise use a status that lies nearer"),
        );
    }
}

/// The cells from the first to one beyond the last of value and status.
pub(super) fn hull(field: &Field) -> (u32, u32) {
    let end = |at: Location, cells: u16| u32::from(at.address).saturating_add(u32::from(cells));
    let value = (u32::from(field.at.address), end(field.at, field.encoding.cells()));
    match &field.status {
        Some(s) => (value.0.min(u32::from(s.at.address)), value.1.max(end(s.at, s.encoding.cells()))),
        None => value,
    }
}

/// The registers of one signal or status, for the search for overlaps.
struct Cells<'a> {
    at: Location,
    end: u32,
    encoding: Encoding,
    name: &'a str,
    place: Place,
}

impl Cells<'_> {
    fn of(at: Location, encoding: Encoding, row: &Row) -> Cells<'_> {
        let end = u32::from(at.address).saturating_add(u32::from(encoding.cells()));
        Cells { at, end, encoding, name: row.str("id").unwrap_or_default(), place: row.at("address") }
    }

    /// One register may be read as a number and as its bits, and by the same encoding twice.
    fn agrees_with(&self, other: &Cells<'_>) -> bool {
        let bits = |e: Encoding| matches!(e, Encoding::Bits { .. });
        let single = |e: Encoding| e.cells() == 1;
        let same = self.at.address == other.at.address && self.encoding == other.encoding;
        let parts =
            (bits(self.encoding) || bits(other.encoding)) && single(self.encoding) && single(other.encoding);
        same || parts
    }
}

fn overlaps(mut map: Vec<Cells<'_>>, faults: &mut Faults) {
    map.sort_by_key(|c| (c.at.space, c.at.address));
    for (n, one) in map.iter().enumerate() {
        let later = map.iter().skip(n.saturating_add(1));
        let overlapping = |c: &&Cells<'_>| c.at.space == one.at.space && u32::from(c.at.address) < one.end;
        for other in later.take_while(overlapping).filter(|c| !c.agrees_with(one)) {
            let message = format!("{} and {} overlap", quoted(one.name), quoted(other.name));
            let what = |c: &Cells<'_>| {
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
