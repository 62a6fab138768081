//! From trips to elements: what is demanded of each, and what is told of it. How one element is supervised is in
//! `element`.

use super::element;
use super::site::{Effects, Site};
use crate::model::element::Demand;
use crate::model::plan::Plan;
use crate::model::record::{Body, ElementChange};
use crate::model::table::{DeviceId, ElementId, Lists, TripId};
use crate::model::time::{Mono, Now};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// For each element those that it is the backup of.
pub(super) fn backs_up(plan: &Plan) -> Lists<ElementId, ElementId> {
    let mut table = plan.elements.map(|_, _| Vec::new());
    for (id, element) in plan.elements.iter() {
        if let Some(backup) = element.supervision.backup {
            table[backup].push(id);
        }
    }
    Lists::of(table)
}

/// For each device the elements whose read-back or contacts it reads.
pub(super) fn elements_at(plan: &Plan) -> Lists<DeviceId, ElementId> {
    let mut table = plan.devices.map(|_, _| Vec::new());
    for (id, element) in plan.elements.iter() {
        let contacts = element.safe_contact.into_iter().chain(element.unsafe_contact);
        let points = contacts.map(|contact| contact.point).chain([element.readback]);
        let devices: BTreeSet<DeviceId> = points.map(|point| plan.points[point].device).collect();
        devices.into_iter().for_each(|device| table[device].push(id));
    }
    Lists::of(table)
}

impl Site {
    /// The trips that demand an element now.
    pub(super) fn demanding(&self, id: ElementId) -> impl Iterator<Item = TripId> {
        self.acting_on[id].iter().copied().filter(|trip| self.trips[*trip].tripped)
    }

    /// The elements under demand that failed and have this one for a backup.
    fn calling(&self, id: ElementId) -> impl Iterator<Item = ElementId> {
        let calls =
            |e: &ElementId| self.elements[*e].calls_backup && self.elements[*e].demand == Demand::Trip;
        self.backs_up[id].iter().copied().filter(calls)
    }

    /// Whether something other than a test demands it: a trip, what it was found in, an element that failed, or, of the
    /// siren, an alarm that nobody acknowledges.
    pub(super) fn is_really_demanded(&self, id: ElementId) -> bool {
        let sounds = self.plan.announcing.siren == Some(id) && !self.escalated.is_empty();
        sounds
            || self.elements[id].found_tripped
            || self.demanding(id).next().is_some()
            || self.calling(id).next().is_some()
    }

    pub(super) fn demanded(&self, id: ElementId) -> Demand {
        let tested = self.test.as_ref().is_some_and(|test| test.demands(id));
        if tested || self.is_really_demanded(id) { Demand::Trip } else { Demand::None }
    }

    /// Before anything is read: what stood before the start is demanded again. As often as a backup can have a backup.
    pub(super) fn demand_what_stands(&mut self, now: Mono) {
        let mut news = true;
        while std::mem::take(&mut news) {
            for id in Arc::clone(&self.plan).elements.ids() {
                let demand = self.demanded(id);
                news |= demand == Demand::Trip && self.elements[id].demand(now, demand);
            }
        }
        // Where nothing is demanded any more nobody calls for a backup either.
        for (_, life) in self.elements.iter_mut() {
            life.calls_backup &= life.demand == Demand::Trip;
        }
    }

    /// One element takes its next step, and with it the one that backs it up.
    pub(super) fn drive(&mut self, now: Now, id: ElementId, effects: &mut Effects) {
        let demand = self.demanded(id);
        let plan = Arc::clone(&self.plan);
        let element = &plan.elements[id];
        let position = element::position(element, |p| self.watch.readings[p]);
        let called = self.elements[id].calls_backup;
        let moved = self.elements[id].demand(now.mono, demand);
        if moved {
            effects.demands.push((id, demand));
        }
        let real = self.is_really_demanded(id);
        let unmeasured = self.elements[id].stroke.travel.is_none();
        let mut news = moved | self.elements[id].watch(now.mono, element, position, real);
        if let Some(check) = &element.supervision.leak {
            let readings = &self.watch.readings;
            news |= self.elements[id].check_leak(now.mono, check, |p| readings[p]);
        }
        if self.elements[id].is_timed() {
            self.waiting.insert(id);
        } else {
            self.waiting.remove(&id);
        }
        if news {
            self.tell_element(now, id, effects);
        }
        if real && unmeasured && self.elements[id].proves_itself(element) {
            self.proven_by_demand(now, id, effects);
        }
        // The alarms follow at once: "commanded, not confirmed" must not wait for a tick.
        let own = || element.supervision.alarms.iter().copied().chain([element.not_confirmed]);
        if news || own().any(|alarm| self.alarms[alarm].is_timed(&self.plan.announcing)) {
            self.judge(now, own().collect(), effects);
        }
        if let Some(backup) = element.supervision.backup.filter(|_| called != self.elements[id].calls_backup)
        {
            self.drive(now, backup, effects);
        }
    }

    pub(super) fn tell_element(&mut self, now: Now, id: ElementId, effects: &mut Effects) {
        let plan = Arc::clone(&self.plan);
        let tag = |id: ElementId| plan.elements[id].tag.to_string();
        let called_for = self.calling(id).flat_map(|first| self.demanding(first));
        let trips: BTreeSet<TripId> = self.demanding(id).chain(called_for).collect();
        let trips: Vec<String> = trips.into_iter().map(|t| self.plan.trips[t].tag.to_string()).collect();
        let (element, life) = (&plan.elements[id], &mut self.elements[id]);
        if life.demand == Demand::None || !trips.is_empty() {
            life.trips.clone_from(&trips);
        }
        let change = ElementChange {
            tag: tag(id),
            area: plan.areas[element.area].tag.to_string(),
            kind: element.kind,
            mode: element.mode,
            demand: life.demand,
            phase: life.phase,
            position: life.position,
            elapsed: life.elapsed(now.mono),
            trips,
            text: element::words(element, life),
            dead: life.stroke.dead.filter(|_| life.demand == Demand::Trip),
            travel: life.stroke.travel.filter(|_| life.demand == Demand::Trip),
            attempts: life.stroke.attempts,
            backup: element.supervision.backup.filter(|_| life.calls_backup).map(tag),
        };
        effects.record(now, Body::Element(change));
    }

    /// The elements under demand whose backup is demanded too.
    pub(super) fn failed(&self) -> BTreeSet<String> {
        let calls = |(id, element): (ElementId, &crate::model::plan::Element)| {
            let life = &self.elements[id];
            let calls =
                life.calls_backup && life.demand == Demand::Trip && element.supervision.backup.is_some();
            calls.then(|| element.tag.to_string())
        };
        self.plan.elements.iter().filter_map(calls).collect()
    }

    /// A backup that stands in for an element that failed may not be taken away from it.
    pub(super) fn backups_taken_away(&self, plan: &Plan) -> Vec<String> {
        let backup_in = |plan: &Plan| -> BTreeMap<String, String> {
            let tag = |id: ElementId| plan.elements[id].tag.to_string();
            let pairs = plan.elements.iter().map(|(id, e)| Some((tag(id), tag(e.supervision.backup?))));
            pairs.flatten().collect()
        };
        let (old, new) = (backup_in(&self.plan), backup_in(plan));
        let taken = self.failed().into_iter().filter(|first| old.get(first) != new.get(first));
        let words = |first: String| {
            format!(
                "`{first}` has failed and its backup stands in for it; reset its trip before the file changes that"
            )
        };
        taken.map(words).collect()
    }
}
