//! Profiles: from a register-map file to fields, statuses and outputs, with the checks that need no site.

mod cells;
mod image;
mod output;
mod status;
mod watch;

pub(super) use cells::{hull, range};
pub(super) use watch::{Watch, level_of};

use super::faults::{Fault, Faults, Source};
use super::names::Names;
use super::read::{Row, Value};
use super::site::seconds;
use crate::model::element::Shows;
use crate::model::point::{Doubt, Quality, Text, Unit};
use crate::model::register::{Command, Current, Field, Space, StatusField, StatusMeaning, Watchdog};
use cells::{Cells, one_bit, overlaps, place, quality, sayable, scan, torn};
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
    pub(super) watchdog: Option<Watchdog>,
    /// Its source, where nobody has checked it against that.
    pub(super) unconfirmed: Option<String>,
}

/// What one request to the device may span.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    /// Most registers.
    pub(super) max_registers: u16,
    /// Cells nobody needs that may be read along.
    pub(super) max_gap: u16,
    /// Cells that nobody may touch, from the first to the last.
    pub(super) never: Vec<(Space, u32, u32)>,
}

impl Reach {
    fn of(file: &Row, faults: &mut Faults) -> Reach {
        // Both have presets: they are missing only where they are written badly, which has been told.
        let (max_registers, max_gap) = (file.small("max_registers"), file.small("max_gap"));
        Reach {
            max_registers: max_registers.unwrap_or(u16::MAX),
            max_gap: max_gap.unwrap_or(u16::MAX),
            never: file.table("never").map(|table| never(table, faults)).unwrap_or_default(),
        }
    }

    /// Most cells of this table.
    pub(super) fn max(&self, space: Space) -> u32 {
        u32::from(if space.is_bits() { MAX_BITS } else { self.max_registers })
    }

    /// Which cells that nobody may touch lie between `from` and before `to`.
    pub(super) fn forbidden(&self, space: Space, from: u32, to: u32) -> Option<(u32, u32)> {
        let mut hit = self.never.iter().filter(|(of, a, b)| *of == space && *a < to && from <= *b);
        hit.next().map(|(_, a, b)| (*a, *b))
    }
}

fn never(table: &Row, faults: &mut Faults) -> Vec<(Space, u32, u32)> {
    let mut never = Vec::new();
    for space in Space::ALL {
        for cell in table.list(space.as_str()) {
            let Value::List(ends) = &cell.value else { continue };
            let ends: Vec<u32> = ends.iter().filter_map(|end| end.integer()?.try_into().ok()).collect();
            match ends[..] {
                [a, b] if a <= b => never.push((space, a, b)),
                _ => faults.push(
                    Fault::error("empty-range", cell.place.clone(), "a range that ends before it begins")
                        .help("write [first, last], both included"),
                ),
            }
        }
    }
    never
}

/// A value that a device of this profile measures.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub(super) name: Option<Text>,
    pub(super) field: Field,
    pub(super) unit: Unit,
    /// What it is looked at for, whether or not the site file names it.
    pub(super) watch: Option<Watch>,
    /// What it says of the drive of the device's output.
    pub(super) shows: Option<Shows>,
}

impl Signal {
    /// Whether the device itself can say "above my range".
    pub(super) fn can_be_over_range(&self) -> bool {
        let over = Quality::Uncertain(Doubt::OverRange);
        let by_status = self.field.statuses.iter().any(|s| match &s.meaning {
            StatusMeaning::Codes(codes) => codes.iter().any(|(_, q)| *q == over),
            StatusMeaning::Bits { flags, .. } => flags.iter().any(|flag| flag.quality == over),
        });
        self.field.range.is_some()
            || self.field.current.is_some()
            || by_status
            || self.field.sentinels.iter().any(|(_, q)| *q == over)
    }

    /// Whether a point may say that it measures in `unit`.
    pub(super) fn can_be_in(&self, unit: Unit) -> bool {
        let said = |codes: &[(u16, Unit)]| codes.iter().any(|(_, of)| *of == unit);
        let by_device = self.field.unit.as_ref().is_some_and(|of| said(&of.codes));
        let by_loop = self.field.current.is_some() && !matches!(unit, Unit::State | Unit::MilliAmpere);
        unit == self.unit || by_device || by_loop
    }
}

/// Most bits in one request of coils or discrete inputs (Modbus allows 2,000).
const MAX_BITS: u16 = 2_000;

/// The profile in `file`. Faults are told; what is broken is left out.
pub(super) fn profile(file: &Row, faults: &mut Faults) -> Profile {
    let before = faults.errors();
    let mut map = Vec::new();
    let mut statuses = Names::new("status");
    for row in file.tables("status") {
        let mut broken = false;
        for channel in channels(row) {
            // All channels of a row have the same faults: they are told once.
            let status = if broken { None } else { status::status(row, channel.shift, faults) };
            let id = channel.id(row);
            map.extend(status.as_ref().map(|s| Cells::of(s.at, s.encoding, &id, row)));
            broken |= status.is_none();
            statuses.declare_as(&id, row.at("id"), status, faults);
        }
    }
    let reach = Reach::of(file, faults);
    let mut reader = Signals { file, statuses: &statuses, reach: &reach, faults };
    let mut signals = Names::new("signal");
    let mut rows = Vec::new();
    for row in file.tables("signal") {
        let mut broken = false;
        for channel in channels(row) {
            let signal = if broken { None } else { reader.signal(row, &channel) };
            let id = channel.id(row);
            map.extend(signal.as_ref().map(|s| Cells::of(s.field.at, s.field.encoding, &id, row)));
            broken |= signal.is_none();
            signals.declare_as(&id, row.at("id"), signal, reader.faults);
            rows.push((row, id));
        }
    }
    watch::check_signals(&rows, &signals, faults);
    overlaps(map, faults);
    let mut outputs = Names::new("output");
    for row in file.tables("output") {
        let output = output::output(row, &reach, faults);
        outputs.declare(row, "id", output, faults);
    }
    if signals.all().next().is_none() && outputs.all().next().is_none() {
        let message = "a profile without signals and outputs";
        faults.push(Fault::error("empty-profile", file.at("id"), message).help("add a [[signal]]"));
    }
    let watchdog = file.table("watchdog").and_then(|row| output::watchdog(row, &reach, faults));
    // What is broken already reads no image as it should.
    if faults.errors() == before {
        file.tables("image").for_each(|row| image::check(row, &signals, faults));
    }
    Profile {
        id: file.str("id").unwrap_or_default().to_owned(),
        source: Arc::clone(&file.place.source),
        reach,
        signals: Arc::new(signals),
        outputs: Arc::new(outputs),
        watchdog,
        unconfirmed: (file.flag("confirmed") == Some(false))
            .then(|| file.str("source").unwrap_or("no source").to_owned()),
    }
}

/// One of the alike channels of a device.
struct Channel {
    /// Its number from 1; `None` where there is only one.
    number: Option<u32>,
    /// How many cells it lies further on than the first.
    shift: u32,
}

impl Channel {
    fn named(&self, id: &str) -> String {
        self.number.map_or_else(|| id.to_owned(), |n| format!("{id}-{n}"))
    }

    fn id(&self, row: &Row) -> String {
        self.named(row.str("id").unwrap_or_default())
    }
}

fn channels(row: &Row) -> impl Iterator<Item = Channel> + use<> {
    let repeat = row.table("repeat").and_then(|r| Some((r.small::<u32>("count")?, r.small::<u32>("step")?)));
    let (count, step) = repeat.unwrap_or((1, 0));
    (0..count).map(move |n| Channel {
        number: repeat.is_some().then_some(n.saturating_add(1)),
        shift: n.saturating_mul(step),
    })
}

/// What signals are read with.
struct Signals<'a> {
    file: &'a Row,
    statuses: &'a Names<StatusField>,
    reach: &'a Reach,
    faults: &'a mut Faults,
}

impl Signals<'_> {
    fn signal(&mut self, row: &Row, channel: &Channel) -> Option<Signal> {
        let before = self.faults.errors();
        let found = place(row, channel.shift, self.faults);
        let range = range(row, self.faults);
        let scale = row.number("scale")?;
        if scale == 0.0 {
            self.faults.push(
                Fault::error("zero-scale", row.at("scale"), "a scale of 0 makes every value the offset")
                    .help("write the factor of the manual, as 0.01"),
            );
        }
        let unit = Unit::parse(row.str("unit")?)?;
        let (at, encoding) = found?;
        if unit == Unit::State && !one_bit(encoding) {
            self.faults.push(
                Fault::error("not-a-contact", row.at("unit"), "a contact is one bit, 0 or 1")
                    .label("a contact")
                    .help("use encoding = \"bit\", or \"bits\" with one bit, as bits = [3, 3]"),
            );
        }
        let sentinels = row.tables("sentinels").filter_map(|r| {
            sayable(r, "raw", encoding, row, self.faults);
            Some((r.integer("raw")?, quality(r)?))
        });
        let sentinels = sentinels.collect();
        let current = self.current(row, unit);
        let statuses = self.statuses_of(row, channel)?;
        let decimals = match row.table("decimals") {
            Some(table) => Some(place(table, channel.shift, self.faults)?),
            None => None,
        };
        let said = match row.table("units") {
            Some(table) => Some(status::unit_field(table, channel.shift, self.faults)?),
            None => None,
        };
        let watch = match row.table("watch") {
            Some(table) => Some(watch::watch(table, unit, self.faults)?),
            None => None,
        };
        let shows = row.str("shows").and_then(Shows::parse);
        if shows.is_some_and(|shows| (shows == Shows::Position) == (unit == Unit::State)) {
            self.faults.push(
                Fault::error(
                    "misplaced-shows",
                    row.at("shows"),
                    "a position is a number, all else a contact",
                )
                .help("use unit = \"state\" and a single bit, or for a position another unit"),
            );
        }
        let field = Field {
            scale,
            offset: row.number("offset")?,
            range,
            sentinels,
            decimals,
            unit: said.map(Arc::new),
            current: current.map(Arc::new),
            statuses,
            inhibit_max: self.file.number("inhibit_max_s").map_or(Field::INHIBIT_MAX, seconds),
            scan: scan(row),
            ..Field::plain(at, encoding)
        };
        torn(&field, row, self.reach, self.faults);
        let name = row.words("name").map(|name| match channel.number {
            Some(n) => Text::new(format!("{} {n}", name.zh), format!("{} {n}", name.en)),
            None => name,
        });
        (self.faults.errors() == before).then_some(Signal { name, field, unit, watch, shows })
    }

    /// What is said by currents outside the measuring range, of a signal that is a current.
    fn current(&mut self, row: &Row, unit: Unit) -> Option<Current> {
        let is_loop = unit == Unit::MilliAmpere;
        let wrong = match is_loop {
            true => row.has("range").then_some((
                "range",
                "a current loop stands for what the site says",
                "take `range` away: a point gives unit and range, as unit = \"%LEL\", range = [0, 100]",
            )),
            false => row.has("steps").then_some((
                "steps",
                "only a current loop has steps",
                "take `steps` away, or use unit = \"mA\"",
            )),
        };
        if let Some((key, message, help)) = wrong {
            self.faults.push(Fault::error("misplaced-loop", row.at(key), message).help(help));
        }
        for step in row.tables("steps") {
            if let Some(ma) = step.number("ma").filter(|ma| Current::MEASURES.contains(ma)) {
                let message = format!("a current of {ma} mA measures something, or is a failure after NE 43");
                self.faults.push(
                    Fault::error("misplaced-loop", step.at("ma"), message)
                        .help("steps lie below 3.6 mA or above 21 mA"),
                );
            }
        }
        is_loop.then(|| status::current(row))
    }

    /// The statuses that `row` names; where they are repeated as it is, those of its channel.
    fn statuses_of(&mut self, row: &Row, channel: &Channel) -> Option<Arc<[StatusField]>> {
        let mut found = Vec::new();
        for cell in row.list("status") {
            let name = cell.str()?;
            let own = channel.named(name);
            let name = if self.statuses.is_known(&own) { own.as_str() } else { name };
            found.push(self.statuses.find_as(name, cell.place.clone(), self.faults)?.clone());
        }
        Some(found.into())
    }
}
