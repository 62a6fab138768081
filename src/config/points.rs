//! Points and their alarms: which signal, which set-points, how they stand to the standard's.

use super::alarms::About;
use super::faults::{Fault, Faults, nearest, one_of, quoted};
use super::limits::{Levels, check_order};
use super::profile::{Signal, level_of, range};
use super::read::Row;
use super::site::{Compiler, delay, name, tag};
use super::standard::{AreaKind, Requirement};
use super::texts;
use crate::model::alarm::{Colour, Condition, Level};
use crate::model::plan::{Alarm, Gas, Limit, Origin, Point, Subject};
use crate::model::point::{Tag, Text, Unit};
use crate::model::table::{AlarmId, AreaId, DeviceId, PointId, Row as _};
use crate::model::time::Span;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A point before it has its alarms.
struct Draft<'a> {
    row: &'a Row,
    tag: Tag,
    name: Text,
    area: AreaId,
    device: DeviceId,
    signal: Signal,
    gas: Option<Gas>,
    decimals: u8,
    kind: Arc<AreaKind>,
}

impl Compiler<'_> {
    pub(super) fn point_row(&mut self, row: &Row) {
        let before = self.faults.errors();
        let point = self.draft(row).map(|draft| self.point(draft));
        // A point with a fault may lack the alarms that trips ask for: it counts as broken.
        let sound = self.faults.errors() == before;
        self.points.declare(row, "id", point.filter(|_| sound), self.faults);
    }

    fn draft<'r>(&mut self, row: &'r Row) -> Option<Draft<'r>> {
        let device = self.devices.find(row, "device", self.faults).copied();
        let gas = match row.has("gas") {
            true => Some(self.gases.find(row, "gas", self.faults).cloned()),
            false => None,
        };
        let area = match row.has("area") {
            true => Some(self.areas.find(row, "area", self.faults).copied()?),
            false => None,
        };
        let device = device?;
        let mut signal = Arc::clone(&self.profiles[device].signals).find(row, "signal", self.faults)?.clone();
        measure(row, &mut signal, self.faults)?;
        let gas = match gas {
            Some(known) => Some(known?),
            None => None,
        };
        let tag = tag(row)?;
        let area = area.unwrap_or(self.plan.devices[device].area);
        let default_decimals = if matches!(signal.unit, Unit::State | Unit::Number) { 0 } else { 2 };
        Some(Draft {
            row,
            name: name(row, &tag),
            tag,
            area,
            device,
            gas,
            decimals: row.small("decimals").unwrap_or(default_decimals),
            kind: Arc::clone(&self.kinds[area]),
            signal,
        })
    }

    fn point(&mut self, draft: Draft<'_>) -> PointId {
        check_gas(&draft, self.faults);
        let row = draft.row;
        let step = 10f64.powi(i32::from(draft.decimals).saturating_neg());
        let id = PointId::from_usize(self.plan.points.len());
        let mut alarms = vec![self.fault_alarm(id, &draft, Condition::SensorFault)];
        if draft.signal.unit == Unit::State {
            alarms.extend(self.contact(id, &draft));
        } else {
            alarms.extend(self.levels(id, &draft));
            alarms.extend(self.lock(id, &draft));
            if draft.signal.can_be_over_range() {
                alarms.push(self.fault_alarm(id, &draft, Condition::OverRange));
            }
        }
        let about = About {
            tag: &draft.tag,
            name: &draft.name,
            area: draft.area,
            subject: Subject::Point(id),
            off_delay: delay(row, "off_delay_s"),
        };
        alarms.extend(self.further_alarms(row, draft.signal.unit, &about));
        let asks_for_trend = row.has("rise_per_min") || row.has("forecast_min");
        self.plan.points.push(Point {
            tag: draft.tag,
            name: draft.name,
            area: draft.area,
            device: draft.device,
            block: 0,
            field: draft.signal.field,
            unit: draft.signal.unit,
            gas: draft.gas,
            decimals: draft.decimals,
            deadband: row.number("deadband").unwrap_or(step),
            alarms,
            trend: asks_for_trend.then(|| delay(row, "trend_s")),
            twin: None,
        })
    }

    /// The alarm of a sensor that fails or is beyond its range.
    fn fault_alarm(&mut self, point: PointId, draft: &Draft<'_>, condition: Condition) -> AlarmId {
        let over = condition == Condition::OverRange;
        let (wrong, action) = texts::of(condition);
        self.alarm(Alarm {
            key: format!("{}:{condition}", draft.tag),
            subject: Subject::Point(point),
            area: draft.area,
            condition,
            limit: None,
            on_delay: Span::ZERO,
            off_delay: delay(draft.row, "off_delay_s"),
            latching: over,
            colour: if over { Colour::Orange } else { Colour::Yellow },
            text: texts::line(&self.plan.areas[draft.area].name, &draft.name, &wrong),
            action,
        })
    }

    /// The alarm of a contact.
    fn contact(&mut self, point: PointId, draft: &Draft<'_>) -> Option<AlarmId> {
        let row = draft.row;
        for key in ["set_points", "place", "approved"] {
            if row.has(key) {
                let message = format!(
                    "`{key}` on a contact: {} is 0 or 1",
                    quoted(row.str("signal").unwrap_or_default())
                );
                self.faults.push(
                    Fault::error("contact-set-points", row.at(key), message)
                        .label("for measured values only")
                        .help("write alarm_when = true (or false) and level = \"alarm\" instead"),
                );
            }
        }
        let (alarm_when, level) = match (row.flag("alarm_when"), row.str("level")) {
            (Some(yes), Some(level)) => (yes, level_of(level)),
            (None, None) => {
                self.silent_contact(row);
                return None;
            }
            (yes, _) => {
                let (has, lacks) =
                    if yes.is_some() { ("alarm_when", "level") } else { ("level", "alarm_when") };
                self.faults.push(
                    Fault::error("half-contact", row.at(has), format!("`{has}` without `{lacks}`"))
                        .help("a contact that alarms has both: alarm_when = true, level = \"alarm\""),
                );
                return None;
            }
        };
        let set = if alarm_when { 1.0 } else { 0.0 };
        let condition = Condition::Contact(level);
        let wrong = row.words("text").unwrap_or_else(|| texts::contact(level));
        Some(self.alarm(Alarm {
            key: format!("{}:{condition}", draft.tag),
            subject: Subject::Point(point),
            area: draft.area,
            condition,
            limit: Some(Limit { set, reset: 1.0 - set }),
            on_delay: delay(row, "on_delay_s"),
            off_delay: delay(row, "off_delay_s"),
            latching: level > Level::Warning,
            colour: colour(level),
            text: texts::line(&self.plan.areas[draft.area].name, &draft.name, &wrong),
            action: self.action(draft, None, level),
        }))
    }

    /// What an alarm would say, of a contact that has none.
    fn silent_contact(&mut self, row: &Row) {
        let delayed = row.number("on_delay_s").is_some_and(|s| s > 0.0);
        let written = [("text", row.has("text")), ("action", row.has("action")), ("on_delay_s", delayed)];
        for (key, _) in written.into_iter().filter(|(_, written)| *written) {
            self.faults.push(
                Fault::error("half-contact", row.at(key), format!("`{key}` on a contact that never alarms"))
                    .help("a contact that alarms has both: alarm_when = true, level = \"alarm\""),
            );
        }
    }

    /// The alarms of a measured value, least severe first.
    fn levels(&mut self, point: PointId, draft: &Draft<'_>) -> Vec<AlarmId> {
        let row = draft.row;
        for key in ["alarm_when", "level", "text"] {
            if row.has(key) {
                let message = format!("`{key}` on a measured value in {}", draft.signal.unit);
                self.faults.push(
                    Fault::error("value-contact", row.at(key), message)
                        .label("for contacts only")
                        .help("write set_points = { unit = …, alarm = … } instead"),
                );
            }
        }
        let kind = Arc::clone(&draft.kind);
        let Ok(standard) = requirement(&kind, draft, self.faults) else { return Vec::new() };
        let own = row.table("set_points");
        let levels = match own {
            Some(own) if !unit_fits(own, draft, self.faults) => return Vec::new(),
            Some(own) => Levels::read(own).or(&standard.map(|s| s.levels.clone()).unwrap_or_default()),
            None => standard.map(|s| s.levels.clone()).unwrap_or_default(),
        };
        if let Some(own) = own {
            check_order(&levels, draft.decimals, own, self.faults);
        }
        check_values(&levels, draft, self.faults);
        match standard {
            Some(standard) => {
                check_laxer(&levels, standard, draft, self.faults);
                self.note_unconfirmed(standard, draft);
            }
            None => self.no_standard(&levels, draft),
        }
        let on_delay = delay(row, "on_delay_s");
        let mut alarms = Vec::new();
        for at in levels.all() {
            let label = texts::level(&kind, at.level, at.high);
            let alarm = Alarm {
                key: format!("{}:{}", draft.tag, at.condition),
                subject: Subject::Point(point),
                area: draft.area,
                condition: at.condition,
                limit: Some(Limit { set: at.set, reset: at.reset }),
                on_delay,
                off_delay: delay(row, "off_delay_s"),
                latching: at.level > Level::Warning,
                colour: colour(at.level),
                text: texts::line(&self.plan.areas[draft.area].name, &draft.name, &label),
                action: self.action(draft, standard, at.level),
            };
            let id = self.alarm(alarm);
            self.origins.insert(id, origin(at.key, standard, draft));
            alarms.push(id);
        }
        alarms
    }

    /// No row of the standard fits this point: either it never alarms, or what it alarms at is held against nothing.
    fn no_standard(&mut self, levels: &Levels, draft: &Draft<'_>) {
        let (Some(gas), row, unit) = (&draft.gas, draft.row, draft.signal.unit) else { return };
        let remedy = remedy(draft);
        if !row.has("set_points") || levels.is_empty() {
            let message = format!("a point that measures {} in {unit} and never alarms", gas.tag);
            self.faults.push(
                Fault::error("no-set-points", row.at("id"), message).label("no set-points").help(remedy),
            );
            return;
        }
        let is_known = self.library.gases.contains(gas.tag.as_str());
        let comparable = |other: Unit| {
            let parts = |unit| matches!(unit, Unit::PctVol | Unit::PctLel);
            other == unit || (gas.lel_pct_vol.is_some() && parts(unit) && parts(other))
        };
        // A gas that no standard knows may be one of theirs under another name.
        let meant = |r: &Requirement| match r.gas.as_deref() {
            Some(one) if one == gas.tag.as_str() => true,
            Some(_) => !is_known && comparable(r.unit),
            None => comparable(r.unit),
        };
        let (at, message) = (
            row.at("set_points"),
            format!("these set-points for {} in {unit} are held against no standard", gas.tag),
        );
        let unknown =
            if is_known { String::new() } else { format!("no standard names a gas `{}`; ", gas.tag) };
        let fault = match (approved(row), draft.kind.rows.iter().any(meant)) {
            (Some(by), _) => Fault::warning("no-standard", at, message).help(by),
            (None, false) => Fault::warning("no-standard", at, message).help(unknown + &remedy),
            (None, true) => Fault::error("no-standard", at, message)
                .help(format!("{unknown}{remedy}; or {HOW_TO_APPROVE}")),
        };
        self.faults.push(fault.label("no row of the standard fits"));
    }

    /// The alarm of the value at which something is locked.
    fn lock(&mut self, point: PointId, draft: &Draft<'_>) -> Option<AlarmId> {
        let own = draft.row.table("set_points")?;
        let (set, reset) = match (own.number("lock"), own.number("unlock")) {
            (Some(set), Some(reset)) if reset <= set => (set, reset),
            (Some(set), Some(reset)) => {
                let message = format!("unlock {reset} lies above lock {set}");
                self.faults.push(
                    Fault::error("reset-order", own.at("unlock"), message)
                        .label("above lock")
                        .help("a reset value lies on the safe side of its set-point, or is equal to it"),
                );
                return None;
            }
            (None, None) => return None,
            (lock, _) => {
                let (has, lacks) = if lock.is_some() { ("lock", "unlock") } else { ("unlock", "lock") };
                self.faults.push(
                    Fault::error("half-lock", own.at(has), format!("`{has}` without `{lacks}`"))
                        .help("a lock has both values: lock = 3.01, unlock = 1.50"),
                );
                return None;
            }
        };
        self.lax_lock(draft.row, own, draft.gas.as_ref(), draft.signal.unit);
        let condition = Condition::Lock;
        let (wrong, action) = texts::of(Condition::Lock);
        Some(self.alarm(Alarm {
            key: format!("{}:{condition}", draft.tag),
            subject: Subject::Point(point),
            area: draft.area,
            condition,
            limit: Some(Limit { set, reset }),
            on_delay: delay(draft.row, "on_delay_s"),
            off_delay: delay(draft.row, "off_delay_s"),
            latching: true,
            colour: Colour::Red,
            text: texts::line(&self.plan.areas[draft.area].name, &draft.name, &wrong),
            action,
        }))
    }

    /// What to do: as the point says, else the standard's row, else its area kind, else a plain word.
    fn action(&self, draft: &Draft<'_>, standard: Option<&Requirement>, level: Level) -> Text {
        let own = draft.row.words("action");
        let row = || standard.and_then(|s| s.actions.get(level)).cloned();
        let kind = || draft.kind.actions.get(level).cloned();
        own.or_else(row).or_else(kind).unwrap_or_else(|| texts::level_action(level))
    }

    fn note_unconfirmed(&mut self, standard: &Requirement, draft: &Draft<'_>) {
        if standard.confirmed {
            return;
        }
        let own = draft.row.table("set_points").map(Levels::read).unwrap_or_default();
        let taken = own.or(&standard.levels) != own;
        let source = &standard.at.source.name;
        if !taken || !self.unconfirmed.insert((source.clone(), standard.at.span.start)) {
            return;
        }
        let (line, _) = standard.at.line_column();
        let kind = quoted(&self.plan.areas[draft.area].kind);
        let place = standard.place.as_deref().map(|p| format!(" at {p}")).unwrap_or_default();
        let message = format!("nobody has checked the set-points of {kind}{place} against their source");
        self.faults.push(
            Fault::warning("unconfirmed", draft.row.at("id"), message)
                .label("takes its set-points from there")
                .help(format!(
                    "look them up ({}), then give the point set_points of its own ({source}:{line})",
                    standard.source
                )),
        );
    }
}

fn origin(key: &str, standard: Option<&Requirement>, draft: &Draft<'_>) -> Origin {
    let approved = draft.row.table("approved").and_then(|a| Some((a.str("by")?, a.str("reason")?)));
    Origin {
        own: draft.row.table("set_points").is_some_and(|own| own.has(key)),
        source: standard.map(|s| s.source.clone()),
        confirmed: standard.is_some_and(|s| s.confirmed),
        approved: approved.map(|(by, reason)| format!("{by}: {reason}")),
    }
}

pub(super) fn colour(level: Level) -> Colour {
    match level {
        Level::Warning => Colour::Blue,
        Level::Alarm => Colour::Yellow,
        Level::Trip => Colour::Orange,
    }
}

/// Takes the unit and the range that the site gives a signal, where its profile leaves them open.
fn measure(row: &Row, signal: &mut Signal, faults: &mut Faults) -> Option<()> {
    let fault =
        |code, key: &str, message: String, help: &str| Fault::error(code, row.at(key), message).help(help);
    let own_range = range(row, faults);
    if own_range.is_some() && signal.unit == Unit::State {
        faults.push(fault("contact-range", "range", "a contact is 0 or 1".to_owned(), "take `range` away"));
        return None;
    }
    let unit = row.str("unit").and_then(Unit::parse).unwrap_or(signal.unit);
    if !signal.can_be_in(unit) {
        let message = format!("the device measures this signal in {}, not in {unit}", signal.unit);
        faults.push(fault("unit-fixed", "unit", message, "take `unit` away; Davy never converts on a guess"));
        return None;
    }
    let known = signal.field.range.is_some() || signal.field.current.is_some();
    if unit != signal.unit && known && own_range.is_none() {
        let message = format!("in {unit}, and from where to where?");
        let help = "add range = [lowest, highest], as the sensor's label says";
        faults.push(fault("no-range", "unit", message, help));
        return None;
    }
    if unit == Unit::MilliAmpere && own_range.is_some() {
        let message = "a range of what?".to_owned();
        let help = "add unit = \"%LEL\", or what else 4 to 20 mA stand for";
        faults.push(fault("no-unit", "range", message, help));
        return None;
    }
    signal.unit = unit;
    signal.field.range = own_range.or(signal.field.range);
    Some(())
}

fn check_gas(draft: &Draft<'_>, faults: &mut Faults) {
    let (row, unit) = (draft.row, draft.signal.unit);
    let concentration = match unit {
        Unit::PctVol | Unit::PctLel | Unit::Ppm => true,
        Unit::MetrePerSecond
        | Unit::Kilopascal
        | Unit::Celsius
        | Unit::Percent
        | Unit::MilliAmpere
        | Unit::Number
        | Unit::State => false,
    };
    match &draft.gas {
        None if concentration => faults.push(
            Fault::error("no-gas", row.at("signal"), format!("a concentration in {unit}, and of which gas?"))
                .label(format!("measures {unit}"))
                .help("add gas = \"…\", the id of a [[gas]]; it picks the set-points"),
        ),
        Some(gas) if !concentration => faults.push(
            Fault::error(
                "gas-unit",
                row.at("gas"),
                format!("`{}` is measured in {unit}, which is no concentration", gas.tag),
            )
            .label(format!("the signal is in {unit}"))
            .help("take `gas` away, or name another signal"),
        ),
        Some(gas) if unit == Unit::PctLel && gas.lel_pct_vol.is_none() => faults.push(
            Fault::warning(
                "no-lel",
                row.at("gas"),
                format!("a point in %LEL of `{}`, whose LEL is not given", gas.tag),
            )
            .label("100 %LEL is how much?")
            .help(format!(
                "add lel_pct_vol = … to the [[gas]] `{}`: the one that the detector is calibrated for",
                gas.tag
            )),
        ),
        Some(_) | None => {}
    }
}

/// The row of the standard that goes for this point, the most particular one; an error where it asks for a place that is
/// not there.
fn requirement<'k>(
    kind: &'k AreaKind,
    draft: &Draft<'_>,
    faults: &mut Faults,
) -> Result<Option<&'k Requirement>, ()> {
    let row = draft.row;
    let (place, gas) = (row.str("place"), draft.gas.as_ref().map(|g| g.tag.as_str()));
    if let Some(place) = place {
        known_place(place, kind, row, faults)?;
    }
    let suits = |asked: &Option<String>, given| asked.is_none() || asked.as_deref() == given;
    let fits = |r: &&Requirement| r.unit == draft.signal.unit && suits(&r.gas, gas) && suits(&r.place, place);
    Ok(kind.rows.iter().filter(fits).max_by_key(|r| (r.gas.is_some(), r.place.is_some())))
}

fn known_place(place: &str, kind: &AreaKind, row: &Row, faults: &mut Faults) -> Result<(), ()> {
    let known = || kind.rows.iter().filter_map(|r| r.place.as_deref());
    if known().any(|one| one == place) {
        return Ok(());
    }
    let help = match nearest(place, known()) {
        Some(near) => format!("did you mean \"{near}\"? It knows {}", one_of(known())),
        None if known().next().is_none() => "take `place` away: this kind of area knows no places".to_owned(),
        None => format!("it knows {}", one_of(known())),
    };
    let message = format!("{} has no place {}", quoted(&kind.name.en), quoted(place));
    faults.push(
        Fault::error("unknown-place", row.at("place"), message).label("not in the standard").help(help),
    );
    Err(())
}

/// Whether the set-points are in the point's unit.
fn unit_fits(own: &Row, draft: &Draft<'_>, faults: &mut Faults) -> bool {
    let (Some(written), unit) = (own.str("unit"), draft.signal.unit) else { return false };
    if written == unit.as_str() {
        return true;
    }
    let lel = draft.gas.as_ref().and_then(|g| g.lel_pct_vol);
    let first = Levels::read(own).all().first().map(|s| s.set);
    let converted = match (Unit::parse(written), unit, lel, first) {
        (Some(Unit::PctLel), Unit::PctVol, Some(lel), Some(x)) => Some((x, x * lel / 100.0, lel)),
        (Some(Unit::PctVol), Unit::PctLel, Some(lel), Some(x)) => Some((x, x * 100.0 / lel, lel)),
        _ => None,
    };
    let help = match converted {
        Some((x, y, lel)) => {
            format!("write them in {unit}: with an LEL of {lel} %vol, {x} {written} are {y:.2} {unit}")
        }
        None => format!("write the set-points in {unit}, or name a signal in {written}"),
    };
    let message = format!("set-points in {written} on a point in {unit}");
    faults.push(
        Fault::error("unit-mismatch", own.at("unit"), message)
            .label(format!("the signal is in {unit}"))
            .help(help)
            .other(&draft.row.at("signal"), format!("measures {unit}")),
    );
    false
}

/// Set-points that can never be reached, are always reached, or can't be displayed.
fn check_values(levels: &Levels, draft: &Draft<'_>, faults: &mut Faults) {
    let at = |key: &str| match draft.row.table("set_points") {
        Some(own) if own.has(key) => own.at(key),
        _ => draft.row.at("id"),
    };
    for point in levels.all() {
        let steps = point.set * 10f64.powi(i32::from(draft.decimals));
        if (steps - steps.round()).abs() > 1e-6 * steps.abs().max(1.0) {
            let message =
                format!("{} {} is finer than the {} decimals shown", point.key, point.set, draft.decimals);
            faults.push(
                Fault::error("too-fine", at(point.key), message)
                    .label("would be rounded")
                    .help("raise `decimals` of the point, or round the set-point to the safe side"),
            );
        }
        let Some((lo, hi)) = draft.signal.field.range else { continue };
        let never = if point.high { point.set > hi } else { point.set < lo };
        let always = if point.high { point.set <= lo } else { point.set >= hi };
        if never || always {
            let why = if never { "can never be reached" } else { "is always reached" };
            let message = format!(
                "{} {} {why}: the sensor measures {lo} to {hi} {}",
                point.key, point.set, draft.signal.unit
            );
            faults.push(
                Fault::error("beyond-range", at(point.key), message)
                    .label(why)
                    .help("check the unit and the decimal point, or take a sensor with a wider range"),
            );
        }
    }
}

pub(super) const HOW_TO_APPROVE: &str =
    "add approved = { by = \"…\", reason = \"…\" }: the person who answers for it";

/// Who answers for the set-points of this point, in words.
pub(super) fn approved(row: &Row) -> Option<String> {
    let approval = row.table("approved")?;
    Some(format!("approved by {}: {}", quoted(approval.str("by")?), quoted(approval.str("reason")?)))
}

/// Set-points laxer than the standard's need a person who answers for them.
fn check_laxer(levels: &Levels, standard: &Requirement, draft: &Draft<'_>, faults: &mut Faults) {
    let row = draft.row;
    let unit = standard.unit;
    let mut laxer: Vec<_> = levels
        .laxer_than(&standard.levels)
        .into_iter()
        .map(|(key, mine, theirs)| {
            let place = row.table("set_points").map_or_else(|| row.at("id"), |own| own.at(key));
            (place, format!("{key} {mine} {unit} is laxer than the standard's {theirs} {unit}"))
        })
        .collect();
    let delay = row.number("on_delay_s").unwrap_or_default();
    if delay > standard.max_on_delay_s {
        let max = standard.max_on_delay_s;
        laxer.push((
            row.at("on_delay_s"),
            format!("an on-delay of {delay} s is laxer than the standard's {max} s"),
        ));
    }
    for (place, message) in laxer {
        let fault = match approved(row) {
            Some(by) => Fault::warning("laxer-approved", place, message).label("laxer").help(by),
            None => Fault::error("laxer-than-standard", place, message)
                .label("laxer")
                .help(format!("keep to the standard, or {HOW_TO_APPROVE}")),
        };
        faults.push(fault.other(&standard.at, format!("the standard ({})", standard.source)));
    }
}

/// What would make a row of the standard fit, or what it has instead.
fn remedy(draft: &Draft<'_>) -> String {
    let (row, unit, kind) = (draft.row, draft.signal.unit, &draft.kind);
    let name = quoted(&kind.name.en);
    let places = || kind.rows.iter().filter(|r| r.unit == unit).filter_map(|r| r.place.as_deref());
    if !row.has("place") && places().next().is_some() {
        return format!("add place = …: {name} picks its set-points by place: {}", one_of(places()));
    }
    let knows = |r: &Requirement| format!("{} in {}", r.gas.as_deref().unwrap_or("any gas"), r.unit);
    let known: BTreeSet<String> = kind.rows.iter().map(knows).collect();
    let known = match known.is_empty() {
        true => "no set-points at all".to_owned(),
        false => known.into_iter().collect::<Vec<_>>().join(", "),
    };
    match row.has("set_points") {
        true => format!("{name} has {known}"),
        false => format!("add set_points = {{ unit = \"{unit}\", alarm = … }}; {name} has {known}"),
    }
}
