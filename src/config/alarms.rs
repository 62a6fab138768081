//! Alarms beyond set-points and contacts: how fast a value rises, whether twins agree, whether a device still is what
//! it was commissioned as, when it has to be calibrated; and how alarms are announced, escalated and suppressed.

use super::faults::{Fault, quoted};
use super::read::Row;
use super::site::{Compiler, seconds};
use super::texts;
use crate::model::alarm::{Colour, Condition};
use crate::model::plan::{Alarm, Announcing, Limit, Subject};
use crate::model::point::{Tag, Text, Unit};
use crate::model::table::{AlarmId, AreaId, DeviceId, PointId};
use crate::model::time::{Span, Wall};

/// What is taken for `escalate_s` where there is no `[alarms]`.
const ESCALATE_S: f64 = 300.0;

/// A rise or a difference counts as over at so much of its set-point, so that it does not flicker at it.
const RETURN: f64 = 0.8;

/// What the further alarms of a point or device need to know of it.
pub(super) struct About<'a> {
    pub(super) tag: &'a Tag,
    pub(super) name: &'a Text,
    pub(super) area: AreaId,
    pub(super) subject: Subject,
    pub(super) off_delay: Span,
}

impl Compiler<'_> {
    /// The alarms on how a point's value moves and what it must be.
    pub(super) fn further_alarms(&mut self, row: &Row, unit: Unit, about: &About<'_>) -> Vec<AlarmId> {
        let mut alarms = Vec::new();
        let value_only = ["rise_per_min", "forecast_min", "deviation", "twin"];
        if unit == Unit::State
            && let Some(key) = value_only.into_iter().find(|key| row.has(key))
        {
            self.faults.push(
                Fault::error("value-only", row.at(key), format!("`{key}` on a contact, which is 0 or 1"))
                    .label("for measured values only")
                    .help("take it away"),
            );
            return alarms;
        }
        if let Some(rise) = row.number("rise_per_min") {
            let limit = Limit { set: rise, reset: rise * RETURN };
            alarms.push(self.further(about, Condition::Rising, Some(limit)));
        }
        if let Some(minutes) = row.number("forecast_min") {
            // Over when the set-point is a quarter further away.
            let limit = Limit { set: minutes, reset: minutes / RETURN };
            alarms.push(self.further(about, Condition::Forecast, Some(limit)));
        }
        if let Some(apart) = row.number("deviation") {
            let limit = Limit { set: apart, reset: apart * RETURN };
            alarms.push(self.further(about, Condition::Deviation, Some(limit)));
        }
        if let Some(value) = row.number("expect") {
            let limit = Limit { set: value, reset: value };
            alarms.push(self.further(about, Condition::Differs, Some(limit)));
        }
        if row.has("deviation") != row.has("twin") {
            let (has, lacks) = if row.has("twin") { ("twin", "deviation") } else { ("deviation", "twin") };
            self.faults.push(
                Fault::error("half-deviation", row.at(has), format!("`{has}` without `{lacks}`")).help(
                    "twin = \"the other point\" and deviation = how far they may be apart belong together",
                ),
            );
        }
        alarms
    }

    /// The alarms of a device beside "no communication", and when it has to be calibrated.
    pub(super) fn device_alarms(
        &mut self,
        row: &Row,
        about: &About<'_>,
    ) -> (AlarmId, Option<(Wall, AlarmId)>) {
        let stale = self.further(about, Condition::Stale, None);
        let Some(day) = self.day(row, "calibrated") else { return (stale, None) };
        let days = row.small::<u64>("calibrate_days").unwrap_or(CALIBRATE_DAYS);
        let due = day.after(Span::from_secs(days.saturating_mul(24 * 3_600)));
        (stale, Some((due, self.further(about, Condition::CalibrationDue, None))))
    }

    /// The day written at `key`, from its beginning in UTC.
    pub(super) fn day(&mut self, row: &Row, key: &str) -> Option<Wall> {
        let date = row.str(key)?;
        let day = (date.len() == 10).then(|| Wall::parse(&format!("{date}T00:00:00Z"))).flatten();
        if day.is_none() {
            self.faults.push(
                Fault::error("no-date", row.at(key), format!("{} is no date", quoted(date)))
                    .label("expected a day")
                    .help(format!("write it as {key} = \"2026-11-24\"")),
            );
        }
        day
    }

    pub(super) fn further(
        &mut self,
        about: &About<'_>,
        condition: Condition,
        limit: Option<Limit>,
    ) -> AlarmId {
        let (wrong, action) = texts::of(condition);
        let colour = if matches!(condition, Condition::Rising | Condition::Forecast) {
            Colour::Blue
        } else if condition == Condition::Differs {
            Colour::Orange
        } else {
            Colour::Yellow
        };
        self.alarm(Alarm {
            key: format!("{}:{condition}", about.tag),
            subject: about.subject,
            area: about.area,
            condition,
            limit,
            on_delay: Span::ZERO,
            off_delay: about.off_delay,
            latching: false,
            colour,
            text: texts::line(&self.plan.areas[about.area].name, about.name, &wrong),
            action,
        })
    }

    /// What points say of other points and of alarms: known only when all of them are.
    pub(super) fn relations(&mut self, row: &Row) {
        let Some(id) = row.str("id").and_then(|id| self.points.get(id)).copied() else { return };
        if row.has("twin")
            && let Some(twin) = self.points.find(row, "twin", self.faults).copied()
        {
            self.twins(row, id, twin);
        }
        if row.has("forecast_min") {
            self.goal(row, id);
        }
        let by: Vec<AlarmId> = row.list("suppressed_by").iter().filter_map(|cell| self.cause(cell)).collect();
        if by.is_empty() {
            return;
        }
        for alarm in self.plan.points[id].alarms.clone() {
            if by.contains(&alarm) {
                let key = quoted(&self.plan.alarms[alarm].key);
                self.faults.push(
                    Fault::error(
                        "self-suppressed",
                        row.at("suppressed_by"),
                        format!("{key} would silence itself"),
                    )
                    .help("name an alarm of another point"),
                );
                continue;
            }
            self.plan.suppressed.insert(alarm, by.clone());
        }
    }

    fn twins(&mut self, row: &Row, id: PointId, twin: PointId) {
        let (one, other) = (&self.plan.points[id], &self.plan.points[twin]);
        let wrong = if id == twin {
            Some("a point is no twin of itself".to_owned())
        } else if one.unit != other.unit {
            Some(format!("a point in {} and its twin in {}", one.unit, other.unit))
        } else {
            None
        };
        match wrong {
            Some(message) => self.faults.push(
                Fault::error("no-twin", row.at("twin"), message).help("name another point of the same unit"),
            ),
            None => self.plan.points[id].twin = Some(twin),
        }
    }

    fn goal(&mut self, row: &Row, id: PointId) {
        let has_goal = self.plan.points[id].alarms.iter().any(|alarm| {
            let condition = self.plan.alarms[*alarm].condition;
            matches!(condition, Condition::High(level) if level > crate::model::alarm::Level::Warning)
        });
        if !has_goal {
            self.faults.push(
                Fault::error("no-goal", row.at("forecast_min"), "a forecast of what?")
                    .label("the point has no alarm or trip set-point above it")
                    .help("give it set_points with an alarm or a trip"),
            );
        }
    }

    /// How alarms are announced.
    pub(super) fn announcing(&mut self) {
        let row = self.root.table("alarms");
        if let Some(row) = row {
            self.lax_announcing(row);
        }
        let time = |key| row.and_then(|row| row.number(key));
        let span = |value: Option<f64>, unit: f64| value.filter(|v| *v > 0.0).map(|v| seconds(v * unit));
        let siren = match row.filter(|row| row.has("siren")) {
            Some(row) => self.elements.find(row, "siren", self.faults).copied(),
            None => None,
        };
        self.plan.announcing = Announcing {
            escalate: span(time("escalate_s").or(Some(ESCALATE_S)), 1.0),
            siren,
            again: span(time("again_min"), 60.0),
        };
    }
}

/// What is taken for `calibrate_days`: catalytic methane heads (AQ 1029-2019).
const CALIBRATE_DAYS: u64 = 15;

impl<'a> About<'a> {
    /// A device.
    pub(super) fn device(tag: &'a Tag, name: &'a Text, area: AreaId, id: DeviceId) -> About<'a> {
        About { tag, name, area, subject: Subject::Device(id), off_delay: Span::ZERO }
    }
}
