//! What a site may only do with a person who answers for it: votes, delays, holds, locks and numbers that let more pass
//! than common rules do. Set-points are held against their standard in `points`.

use super::faults::{Fault, Place, quoted};
use super::points::{HOW_TO_APPROVE, approved};
use super::read::Row;
use super::site::Compiler;
use crate::model::alarm::{Condition, Level};
use crate::model::plan::{Alarm, Gas, Group, Member, OnBad, Subject, Trip};
use crate::model::point::Unit;
use crate::model::table::AlarmId;
use crate::model::time::Span;

/// Longest delay of a trip on gas, and of a contact or a low value in a trip: the software's share of the response time.
const MAX_DELAY: Span = Span::from_secs(2);

/// Most heads that a vote on gas waits for.
const MAX_VOTES: usize = 2;

/// Highest lower explosive limit of methane that any source gives, percent by volume.
const METHANE_LEL_MAX: f64 = 5.0;

/// A local fan is locked above 3.0 % of methane, and unlocked below 1.5 %.
const FAN_LOCK: f64 = 3.01;
/// See [`FAN_LOCK`].
const FAN_UNLOCK: f64 = 1.5;

/// Half a step of a display of hundredths: what is written is not told from what is meant by a binary fraction.
const HALF_STEP: f64 = 0.005;

impl Compiler<'_> {
    /// Laxer than common rules: an error, unless somebody answers for it in `row`.
    fn laxer(&mut self, row: &Row, place: Place, message: String, rule: &str) {
        let fault = match approved(row) {
            Some(by) => Fault::warning("laxer-approved", place, message).help(by),
            None => {
                Fault::error("laxer-than-rules", place, message).help(format!("{rule}; or {HOW_TO_APPROVE}"))
            }
        };
        self.faults.push(fault.label("laxer"));
    }

    pub(super) fn lax_gas(&mut self, row: &Row, gas: &Gas) {
        let lel = gas.lel_pct_vol.unwrap_or_default();
        if gas.tag.as_str() == "methane" && lel > METHANE_LEL_MAX {
            let message = format!("methane is explosive from {METHANE_LEL_MAX} %vol on, not from {lel} only");
            self.laxer(
                row,
                row.at("lel_pct_vol"),
                message,
                "write 4.4 to 5.0, as the detectors are calibrated",
            );
        }
    }

    pub(super) fn lax_lock(&mut self, row: &Row, own: &Row, gas: Option<&Gas>, unit: Unit) {
        let Some(gas) = gas.filter(|gas| gas.tag.as_str() == "methane") else { return };
        let share = match unit {
            Unit::PctLel => gas.lel_pct_vol.unwrap_or(100.0) / 100.0,
            _ => 1.0,
        };
        for (key, most) in [("lock", FAN_LOCK), ("unlock", FAN_UNLOCK)] {
            let value = own.number(key).unwrap_or_default() * share;
            if value > most + HALF_STEP {
                let message = format!("{key} {value:.2} %vol of methane is laxer than the rules' {most:.2}");
                let rule =
                    "a local fan is locked above 3.0 % and unlocked below 1.5 %: lock = 3.01, unlock = 1.50";
                self.laxer(row, own.at(key), message, rule);
            }
        }
    }

    pub(super) fn lax_announcing(&mut self, row: &Row) {
        if row.number("escalate_s") == Some(0.0) {
            let message = "an alarm that nobody acknowledges never gets louder".to_owned();
            self.laxer(
                row,
                row.at("escalate_s"),
                message,
                "write escalate_s = 300, the default, or another time",
            );
        }
    }

    pub(super) fn lax_trip(&mut self, row: &Row, trip: &Trip) {
        if trip.delay > MAX_DELAY && trip.causes.iter().any(|a| self.is_gas(*a)) {
            let message = format!("gas waits {} before it trips, more than {MAX_DELAY}", trip.delay);
            let rule = "lower delay_s; against a noisy detector a vote of two helps more than a delay";
            self.laxer(row, row.at("delay_s"), message, rule);
        }
        for cause in &trip.causes {
            let Alarm { key, condition, on_delay, .. } = &self.plan.alarms[*cause];
            let at_once = matches!(condition, Condition::Contact(_) | Condition::Low(_));
            if at_once && *on_delay > MAX_DELAY {
                let message =
                    format!("{} waits {on_delay} before it counts, more than {MAX_DELAY}", quoted(key));
                self.laxer(
                    row,
                    row.at("when"),
                    message,
                    "a stopped fan or a starved duct cuts at once: lower its on_delay_s",
                );
            }
        }
        if trip.reset_hold == Span::ZERO {
            let message = format!("`{}` is reset the moment that it reads safe", trip.tag);
            self.laxer(
                row,
                row.at("reset_hold_s"),
                message,
                "write reset_hold_s = 60, the default, or another time",
            );
        }
        if row.str("bypass") == Some("one-person") {
            let message = format!("one person alone takes a voter out of `{}`", trip.tag);
            self.laxer(row, row.at("bypass"), message, "leave bypass out (two persons), or write \"never\"");
        }
        let root = self.root;
        let own = trip.groups.len().saturating_sub(1);
        for (n, group) in trip.groups.iter().enumerate() {
            if n == own {
                self.lax_vote(row, trip, group);
            } else if self.lax_groups.insert(group.tag.clone())
                && let Some(row) = root.tables("group").find(|g| g.str("id") == Some(group.tag.as_str()))
            {
                self.lax_vote(row, trip, group);
            }
        }
    }

    fn lax_vote(&mut self, row: &Row, trip: &Trip, group: &Group) {
        let heads = group.members.iter().filter(|m| self.is_gas_member(trip, m)).count();
        let (of, tag) = (group.members.len(), &group.tag);
        // What locks is of another kind: it must not lock without gas.
        if heads == 0 || group.on_bad == OnBad::Ignore {
            return;
        }
        if group.votes > MAX_VOTES || (heads > 1 && group.votes == of) {
            let message = format!("`{tag}` waits for {} of {of} to say that there is gas", group.votes);
            let rule = "let one or two be enough, and fewer than all: \"1oo2\", \"2oo3\"";
            self.laxer(row, row.at("vote"), message, rule);
        }
        if group.on_bad == OnBad::Alarm {
            let message = format!("a head of `{tag}` that can't be judged trips nothing");
            let rule = "what is not known to be safe is not safe: leave on_bad out (\"vote\")";
            self.laxer(row, row.at("on_bad"), message, rule);
        }
    }

    fn is_gas_member(&self, trip: &Trip, member: &Member) -> bool {
        match member {
            Member::Cause(n) => trip.causes.get(*n).is_some_and(|a| self.is_gas(*a)),
            Member::Group(n) => trip
                .groups
                .get(*n)
                .is_some_and(|inner| inner.members.iter().all(|m| self.is_gas_member(trip, m))),
        }
    }

    fn is_gas(&self, alarm: AlarmId) -> bool {
        match self.plan.alarms[alarm].subject {
            Subject::Point(point) => self.plan.points[point].gas.is_some(),
            Subject::Device(_) | Subject::Element(_) => false,
        }
    }

    /// Set-points at which power has to be cut, and nothing that cuts it.
    pub(super) fn idle_cuts(&mut self) {
        let root = self.root;
        for row in root.tables("point") {
            let Some(id) = row.str("id").and_then(|id| self.points.get(id)).copied() else { continue };
            let point = &self.plan.points[id];
            let cuts = |a: &&AlarmId| {
                let condition = self.plan.alarms[**a].condition;
                matches!(condition, Condition::High(Level::Trip) | Condition::Low(Level::Trip))
            };
            let heeded = |a: &AlarmId| self.plan.trips.values().any(|trip| trip.causes.contains(a));
            if point.gas.is_none() {
                continue;
            }
            for alarm in point.alarms.iter().filter(cuts).filter(|a| !heeded(a)) {
                let key = &self.plan.alarms[*alarm].key;
                let message = format!("`{}` has a value at which to trip, and no trip heeds it", point.tag);
                self.faults.push(
                    Fault::warning("idle-cut", row.at("id"), message)
                        .label("cuts nothing")
                        .help(format!("name it in a [[trip]]: when = [\"{key}\"]")),
                );
            }
        }
    }
}
