//! What signs of false data and failing sensors are looked for on: numbers, neighbours, airways.

use super::faults::{Fault, quoted};
use super::read::{Cell, Row};
use super::site::{Compiler, seconds};
use super::texts;
use super::watches::ByProfile;
use crate::model::alarm::{Colour, Condition, Level};
use crate::model::plan::{Alarm, Subject};
use crate::model::point::{Text, Unit};
use crate::model::sign::{Knob, Neighbour, Settings, Side, Sign, Tells, WatchedPoint};
use crate::model::table::{AlarmId, AreaId, PointId};
use crate::model::time::Span;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Compiler<'_> {
    /// After all points and elements: neighbours may be named before they are defined.
    pub(super) fn all_signs(&mut self) {
        let root = self.root;
        let mut settings = Settings::default();
        if let Some(row) = root.table("signs") {
            tune(&mut settings, row);
        }
        self.plan.watched.settings = Arc::new(settings);
        for row in root.tables("point") {
            self.watched_point(row);
        }
        self.added_points();
        for row in root.tables("point") {
            self.beside(row);
        }
        for row in root.tables("airway") {
            self.airway(row);
        }
        let elements = self.plan.elements.map(|_, e| (e.tag.to_string(), e.name.clone(), e.area));
        for (id, (tag, name, area)) in elements.iter() {
            let alarm = self.anomaly(tag, name, *area, Subject::Element(id));
            self.plan.watched.elements.insert(id, alarm);
        }
    }

    /// The one alarm of all signs on a point or element.
    fn anomaly(&mut self, tag: &str, name: &Text, area: AreaId, subject: Subject) -> AlarmId {
        let condition = Condition::Anomaly;
        let (wrong, action) = texts::of(Condition::Anomaly);
        self.alarm(Alarm {
            key: format!("{tag}:{condition}"),
            subject,
            area,
            condition,
            limit: None,
            on_delay: Span::ZERO,
            off_delay: Span::ZERO,
            latching: false,
            colour: Colour::Yellow,
            text: texts::line(&self.plan.areas[area].name, name, &wrong),
            action,
        })
    }

    fn watched_point(&mut self, row: &Row) {
        let Some(id) = row.str("id").and_then(|id| self.points.get(id)).copied() else { return };
        let point = &self.plan.points[id];
        let contact = point.unit == Unit::State;
        self.misplaced(row, contact);
        let by_profile = &self.by_profile;
        let tells = row.str("tells").and_then(Tells::parse).or(by_profile.tells.get(&id).copied());
        let expects = row.number("expect").or(by_profile.expects.get(&id).copied());
        let lasting = by_profile.lasting.contains(&id);
        if contact && tells.is_none() && expects.is_none() {
            return;
        }
        let mut settings = Arc::clone(&self.plan.watched.settings);
        let mut off = Vec::new();
        if let Some(own) = row.table("signs") {
            tune(Arc::make_mut(&mut settings), own);
            off = own.list("off").iter().filter_map(Cell::str).filter_map(Sign::parse).collect();
            self.note_off(own, &off);
        }
        let point = &self.plan.points[id];
        let (tag, name, area) = (point.tag.to_string(), point.name.clone(), point.area);
        let scale = self.alarm_set_point(id);
        let alarm = self.anomaly(&tag, &name, area, Subject::Point(id));
        let burns = self.plan.points[id].gas.as_ref().is_some_and(|gas| gas.lel_pct_vol.is_some());
        if row.flag("catalytic") == Some(true) && !burns {
            self.faults.push(
                Fault::error("misplaced-sign", row.at("catalytic"), "`catalytic` on what does not burn")
                    .label("has no meaning here")
                    .help("take it away, or give the [[gas]] its lel_pct_vol"),
            );
        }
        let watched = WatchedPoint {
            alarm,
            settings,
            off,
            scale,
            catalytic: row.flag("catalytic").unwrap_or_default(),
            expects,
            lasting,
            tells,
            neighbours: Vec::new(),
        };
        self.plan.watched.points.insert(id, Arc::new(watched));
    }

    /// The points that Davy has added by the profiles of devices.
    fn added_points(&mut self) {
        let ByProfile { expects, lasting, tells } = &self.by_profile;
        let ids = expects.keys().chain(lasting).chain(tells.keys()).copied();
        let ids: BTreeSet<PointId> = ids.filter(|id| !self.plan.watched.points.contains_key(id)).collect();
        for id in ids {
            let point = &self.plan.points[id];
            let (tag, name, area) = (point.tag.to_string(), point.name.clone(), point.area);
            let alarm = self.anomaly(&tag, &name, area, Subject::Point(id));
            let by_profile = &self.by_profile;
            let watched = WatchedPoint {
                alarm,
                settings: Arc::clone(&self.plan.watched.settings),
                off: Vec::new(),
                scale: None,
                catalytic: false,
                expects: by_profile.expects.get(&id).copied(),
                lasting: by_profile.lasting.contains(&id),
                tells: by_profile.tells.get(&id).copied(),
                neighbours: Vec::new(),
            };
            self.plan.watched.points.insert(id, Arc::new(watched));
        }
    }

    /// The set-point that shares of it are taken of: that of the alarm, or the next best.
    fn alarm_set_point(&self, id: PointId) -> Option<f64> {
        let at = |level: Level| {
            let mut alarms = self.plan.points[id].alarms.iter().map(|a| &self.plan.alarms[*a]);
            let limit = alarms.find(|a| a.condition == Condition::High(level))?.limit?;
            (limit.set > 0.0).then_some(limit.set)
        };
        at(Level::Alarm).or_else(|| at(Level::Trip)).or_else(|| at(Level::Warning))
    }

    /// Keys for measured values on a contact, and the other way round.
    fn misplaced(&mut self, row: &Row, contact: bool) {
        let wrong: &[&str] = if contact { &["catalytic", "neighbours"] } else { &["tells"] };
        for key in wrong.iter().filter(|key| row.has(key)) {
            let (is, help) = match contact {
                true => ("a contact", "take it away: it is for measured values"),
                false => {
                    ("a measured value", "take it away: it is for a contact that tells of its device's state")
                }
            };
            self.faults.push(
                Fault::error("misplaced-sign", row.at(key), format!("`{key}` on {is}"))
                    .label("has no meaning here")
                    .help(help),
            );
        }
    }

    /// What is not looked for is worth a remark: somebody may ask.
    fn note_off(&mut self, own: &Row, off: &[Sign]) {
        if !off.is_empty() {
            let names: Vec<&str> = off.iter().map(|s| s.as_str()).collect();
            let message = format!("nobody looks for {} here", names.join(", "));
            self.faults.push(
                Fault::warning("sign-off", own.at("off"), message)
                    .label("not looked for")
                    .help("tune the numbers of a sign rather than turn it off"),
            );
        }
    }

    /// Points in the same air without a direction.
    fn beside(&mut self, row: &Row) {
        let Some(id) = row.str("id").and_then(|id| self.points.get(id)).copied() else { return };
        for cell in row.list("neighbours") {
            if let Some(other) = self.measured(cell, Some(id)) {
                self.join(id, other, Side::Beside, Span::ZERO);
                self.join(other, id, Side::Beside, Span::ZERO);
            }
        }
    }

    fn airway(&mut self, row: &Row) {
        let lag = row.number("lag_s").map_or(Span::ZERO, seconds);
        let downstream = if row.flag("diluted") == Some(true) { Side::Diluted } else { Side::Downstream };
        let mut before: Option<PointId> = None;
        for cell in row.list("points") {
            let Some(here) = self.measured(cell, before) else { continue };
            if let Some(there) = before {
                self.join(there, here, downstream, lag);
                self.join(here, there, Side::Upstream, lag);
            }
            before = Some(here);
        }
    }

    fn join(&mut self, id: PointId, point: PointId, side: Side, lag: Span) {
        if let Some(watched) = self.plan.watched.points.get_mut(&id).map(Arc::make_mut) {
            let neighbours = &mut watched.neighbours;
            if neighbours.iter().all(|n| n.point != point) && neighbours.len() < WatchedPoint::MAX_NEIGHBOURS
            {
                neighbours.push(Neighbour { point, side, lag });
            }
        }
    }

    /// The measured point that `cell` names; it measures what `like` does.
    fn measured(&mut self, cell: &Cell, like: Option<PointId>) -> Option<PointId> {
        let name = cell.str()?;
        let id = *self.points.find_as(name, cell.place.clone(), self.faults)?;
        let unit = self.plan.points[id].unit;
        let fault = |message: String, help: &str| {
            Fault::error("no-neighbour", cell.place.clone(), message).label("not comparable").help(help)
        };
        let fault = match like.map(|like| (like, self.plan.points[like].unit)) {
            _ if unit == Unit::State => {
                fault(format!("{} is a contact", quoted(name)), "name points that measure gas")
            }
            Some((like, _)) if like == id => {
                fault(format!("{} is named beside itself", quoted(name)), "name another point")
            }
            Some((_, other)) if other != unit => fault(
                format!("{} measures in {unit}, the other in {other}", quoted(name)),
                "name points in one unit",
            ),
            Some(_) | None => return Some(id),
        };
        self.faults.push(fault);
        None
    }
}

/// Takes the numbers that are written in `row`.
fn tune(settings: &mut Settings, row: &Row) {
    for knob in Knob::ALL {
        if let Some(value) = row.number(knob.key()) {
            settings.set(*knob, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_lies_in_its_bounds_and_every_key_is_its_own() {
        let mut keys = std::collections::BTreeSet::new();
        for knob in Knob::ALL {
            let (lo, hi) = knob.bounds();
            assert!((lo..=hi).contains(&knob.default()), "{}", knob.key());
            assert!(keys.insert(knob.key()), "{}", knob.key());
        }
    }

    #[test]
    fn a_table_of_every_knob_sets_each_to_its_own_number() {
        let mut settings = Settings::default();
        for knob in Knob::ALL {
            assert_eq!(settings.get(*knob), knob.default());
        }
        settings.set(Knob::Hold, 77.0);
        assert_eq!(settings.get(Knob::Hold), 77.0);
        assert_eq!(settings.span(Knob::FeedStillFor), Span::from_secs(30 * 86_400));
    }
}
