//! What stands in the way of a new site file. What stands tripped is let go by a person, on the terms on which it
//! tripped: a file that takes one of them away, or makes it laxer, has to wait until that is done. Stricter is welcome.

use super::site::Site;
use crate::model::alarm::Basis;
use crate::model::plan::{Alarm, Group, Member, OnBad, Plan, Subject, Trip};
use crate::model::table::{AlarmId, ElementId, PointId};
use std::collections::BTreeSet;

impl Site {
    /// What stands in the way of going on under `plan`: a trip that stands, or an element under demand, may neither
    /// vanish from the file nor be let go on easier terms. It must be reset first.
    #[must_use]
    pub fn objections(&self, plan: &Plan) -> Vec<String> {
        // Without what permits tighten: they go on under the new file.
        let old = self.permits.file();
        let mut objections = Vec::new();
        for (id, trip) in old.trips.iter() {
            let holds_found = trip.effects.iter().any(|e| self.elements[*e].found_tripped);
            if self.trips[id].tripped || holds_found {
                let tag = &trip.tag;
                let words = |why| format!("trip `{tag}` {why}; reset it first");
                objections.extend(easier(old, trip, plan).into_iter().map(words));
            }
        }
        let held = self.elements.iter().filter(|(_, life)| life.found_tripped);
        for tag in held.map(|(id, _)| &old.elements[id].tag) {
            if !plan.elements.values().any(|e| e.tag == *tag) {
                objections.push(format!(
                    "`{tag}` was found tripped and is held so, and it is not in the new file; reset it first"
                ));
            }
        }
        objections.extend(self.backups_taken_away(plan));
        objections
    }
}

/// In what a trip that stands would be let go more easily under `new`.
fn easier(old: &Plan, was: &Trip, new: &Plan) -> Vec<String> {
    let Some(id) = new.trip(was.tag.as_str()) else {
        return vec!["stands tripped and is not in the new file".to_owned()];
    };
    let is = &new.trips[id];
    let mut easier = Vec::new();
    let tag = |plan: &Plan, id: ElementId| plan.elements[id].tag.clone();
    let kept: BTreeSet<_> = is.effects.iter().map(|e| tag(new, *e)).collect();
    for effect in was.effects.iter().map(|e| tag(old, *e)).filter(|e| !kept.contains(e)) {
        easier.push(format!("holds `{effect}` in its safe state and the new file takes it away"));
    }
    let inputs: BTreeSet<&str> = is.inputs().map(|a| new.alarms[a].key.as_str()).collect();
    let asked = needs(new, is);
    for (n, input) in was.inputs().enumerate() {
        let key = old.alarms[input].key.as_str();
        if !inputs.contains(key) {
            easier.push(format!("stands tripped, and the new file takes `{key}` out of it"));
        } else if was.reset_needs.contains(&n) && !asked.contains(key) {
            easier.push(format!("stands tripped, and the new file lets it be reset without `{key}`"));
        }
        if let Some(laxer) = new.alarm(key).and_then(|now| laxer(old, input, new, now)) {
            easier.push(format!("stands tripped, and `{key}` {laxer} in the new file"));
        }
    }
    for group in &was.groups {
        let same = is.groups.iter().find(|g| g.tag == group.tag);
        if same.is_none_or(|now| votes_less(old, was, group, new, is, now)) {
            let tag = &group.tag;
            easier.push(format!("stands tripped, and the vote of `{tag}` is laxer in the new file"));
        }
    }
    for (key, is_longer) in [("delay_s", is.delay > was.delay), ("bad_delay_s", is.bad_delay > was.bad_delay)]
    {
        if is_longer {
            easier.push(format!("stands tripped, and its {key} is longer in the new file"));
        }
    }
    if is.reset_hold < was.reset_hold {
        easier.push("stands tripped, and its reset_hold_s is shorter in the new file".to_owned());
    }
    easier
}

/// The keys of what a reset must see proven safe.
fn needs<'a>(plan: &'a Plan, trip: &Trip) -> BTreeSet<&'a str> {
    let inputs = trip.inputs().enumerate().filter(|(n, _)| trip.reset_needs.contains(n));
    inputs.map(|(_, alarm)| plan.alarms[alarm].key.as_str()).collect()
}

/// Whether a vote takes more than it did: more of its members, or fewer members, or less of what can't be judged.
fn votes_less(old: &Plan, was: &Trip, before: &Group, new: &Plan, is: &Trip, now: &Group) -> bool {
    let strict = |on_bad: OnBad| match on_bad {
        OnBad::Vote => 2_u8,
        OnBad::Alarm => 1,
        OnBad::Ignore => 0,
    };
    now.votes > before.votes
        || strict(now.on_bad) < strict(before.on_bad)
        || !members(new, is, now).is_superset(&members(old, was, before))
}

/// The members of a vote, by name.
fn members<'a>(plan: &'a Plan, trip: &'a Trip, group: &Group) -> BTreeSet<&'a str> {
    let name = |member: &Member| match member {
        Member::Cause(n) => Some(plan.alarms[*trip.causes.get(*n)?].key.as_str()),
        Member::Group(n) => Some(trip.groups.get(*n)?.tag.as_str()),
    };
    group.members.iter().filter_map(name).collect()
}

/// What an alarm is or has that makes it laxer than it was.
fn laxer(old: &Plan, was: AlarmId, new: &Plan, now: AlarmId) -> Option<&'static str> {
    let (before, after) = (&old.alarms[was], &new.alarms[now]);
    if let (Subject::Point(was), Subject::Point(now)) = (before.subject, after.subject)
        && is_other(old, was, new, now)
    {
        return Some("is read from elsewhere, or otherwise,");
    }
    if set_laxer(before, after) {
        return Some("has a laxer set-point");
    }
    if after.on_delay > before.on_delay || after.off_delay < before.off_delay {
        return Some("has laxer delays");
    }
    (before.latching && !after.latching).then_some("is not latched")
}

fn set_laxer(before: &Alarm, after: &Alarm) -> bool {
    let (Some(was), Some(is)) = (before.limit, after.limit) else { return before.limit != after.limit };
    match before.condition.basis() {
        Basis::Above => is.set > was.set || is.reset > was.reset,
        Basis::Below => is.set < was.set || is.reset < was.reset,
        Basis::Contact | Basis::Expected | Basis::Sensor | Basis::Range | Basis::More => is != was,
    }
}

/// Whether a point is read from elsewhere, or reads otherwise, than it did.
fn is_other(old: &Plan, was: PointId, new: &Plan, now: PointId) -> bool {
    let (before, after) = (&old.points[was], &new.points[now]);
    let catalytic = |plan: &Plan, id| plan.watched.points.get(&id).is_some_and(|p| p.catalytic);
    before.field != after.field
        || before.unit != after.unit
        || before.decimals != after.decimals
        || before.gas != after.gas
        || old.address(before.device) != new.address(after.device)
        || (catalytic(old, was) && !catalytic(new, now))
}
