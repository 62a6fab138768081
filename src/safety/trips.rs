//! The trips of a site: what their inputs say, and what is told when one trips or is reset. How votes are counted is in
//! `cause_effect`.

use super::cause_effect::{Cause, Vote};
use super::rule::Verdict;
use super::site::{Effects, Site};
use crate::model::plan::Subject;
use crate::model::record::{Body, TripChange, Who};
use crate::model::table::{AlarmId, TripId};
use crate::model::time::Now;

impl Site {
    /// What every input of a trip says now, causes before permissives.
    pub(super) fn inputs(&self, id: TripId) -> Vec<Cause> {
        let cause = |alarm_id: AlarmId| {
            let (alarm, life) = (&self.plan.alarms[alarm_id], &self.alarms[alarm_id]);
            let safe = match alarm.subject {
                Subject::Point(p) => self.proves_safe(alarm, p),
                Subject::Device(_) | Subject::Element(_) => self.verdict(alarm_id) == Verdict::Clear,
            };
            Cause {
                active: life.active().then_some(life.past().occurred),
                known: self.verdict(alarm_id) != Verdict::Unknown,
                safe,
                unacknowledged: life.unacknowledged(),
                excused: matches!(alarm.subject, Subject::Point(p) if self.signs.is_excused(p)),
                bypassed: self.bypasses.is_bypassed(alarm_id),
            }
        };
        self.plan.trips[id].inputs().map(cause).collect()
    }

    pub(super) fn trip_due_to(
        &mut self,
        now: Now,
        id: TripId,
        inputs: &[Cause],
        votes: &[Vote],
        effects: &mut Effects,
    ) {
        let trip = &self.plan.trips[id];
        let voting = || {
            let causes = trip.causes.iter().zip(inputs).zip(votes);
            causes.filter(|(_, vote)| matches!(vote, Vote::True | Vote::Bad))
        };
        let key = |alarm: &AlarmId| self.plan.alarms[*alarm].key.clone();
        // Causes that are true come before those that are merely not known; among the true, the earliest.
        let first = voting().min_by_key(|((_, cause), _)| (cause.active.is_none(), cause.active));
        self.trips[id].first_out = first.map(|((alarm, _), _)| key(alarm));
        let told = voting().map(|((alarm, _), vote)| match vote {
            Vote::True | Vote::No | Vote::Out | Vote::Spared => key(alarm),
            Vote::Bad => format!("{} (bad)", key(alarm)),
        });
        let causes = told.collect();
        self.tell_trip(now, id, causes, None, effects);
    }

    pub(super) fn tell_trip(
        &self,
        now: Now,
        id: TripId,
        causes: Vec<String>,
        who: Option<Who>,
        effects: &mut Effects,
    ) {
        let (trip, life) = (&self.plan.trips[id], &self.trips[id]);
        let change = TripChange {
            tag: trip.tag.to_string(),
            area: self.plan.areas[trip.area].tag.to_string(),
            occurrence: life.occurrence,
            tripped: life.tripped,
            first_out: life.first_out.clone(),
            causes,
            effects: trip.effects.iter().map(|e| self.plan.elements[*e].tag.to_string()).collect(),
            text: trip.name.clone(),
            who,
        };
        effects.record(now, Body::Trip(change));
    }
}
