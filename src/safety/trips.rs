//! The trips of a site: what their inputs say, and what is told when one trips or is reset. How votes are counted is in
//! `cause_effect`.

use super::cause_effect::{Cause, Start, Vote, could_trip};
use super::rule::Verdict;
use super::site::{Effects, Site};
use super::watch::stale_after;
use crate::model::alarm::Condition;
use crate::model::plan::{Member, Plan, Subject, Trip};
use crate::model::point::{Doubt, Fault, Quality};
use crate::model::record::{Body, Standing, TripChange, Who};
use crate::model::table::{AlarmId, PointId, TripId};
use crate::model::time::{Now, Span};

/// What a start leaves of an input. One whose device was silent, or at fault, when the last run ended goes on being bad
/// from there, but for the time of one look: whoever has mended it meanwhile is not tripped before it can answer.
pub(super) fn start(plan: &Plan, standing: &Standing, trip: &Trip, input: AlarmId, now: Now) -> Start {
    let excused_until = now.mono + plan.start_hold;
    let Subject::Point(point) = plan.alarms[input].subject else {
        return Start { excused_until, bad_for: None };
    };
    let device = &plan.devices[plan.points[point].device];
    let faults = plan.points[point].alarms.iter().copied();
    let faults = faults.filter(|id| plan.alarms[*id].condition == Condition::SensorFault);
    let standing = faults.chain([device.comm_alarm, device.stale_alarm]).filter_map(|id| {
        let was = standing.alarms.get(&plan.alarms[id].key)?;
        was.state.is_active().then(|| now.wall.since(was.occurred))
    });
    let look = stale_after(device, plan.points[point].field.scan).us();
    let most = Span::from_us(trip.bad_delay.us().saturating_sub(look));
    Start { excused_until, bad_for: standing.max().map(|lasted| lasted.min(most)) }
}

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
                faulty: matches!(alarm.subject, Subject::Point(p) if is_faulty(self.watch.readings[p].quality)),
                spared: false,
                bypassed: self.bypasses.is_bypassed(alarm_id),
            }
        };
        let trip = &self.plan.trips[id];
        let mut causes: Vec<Cause> = trip.inputs().map(cause).collect();
        let spared = |(n, alarm): (usize, &AlarmId)| {
            self.is_calibrating(*alarm) && (trip.unguarded || self.is_guarded(trip, n))
        };
        let spared: Vec<bool> = trip.causes.iter().enumerate().map(spared).collect();
        for (cause, spared) in causes.iter_mut().zip(spared) {
            cause.spared = spared;
        }
        causes
    }

    /// Whether it can't be judged because its point is calibrated by order, and for no other reason: a head that falls
    /// silent or reports a fault meanwhile is bad as ever.
    fn is_calibrating(&self, alarm: AlarmId) -> bool {
        point_of(&self.plan, alarm).is_some_and(|point| {
            let is_marked = matches!(
                self.watch.readings[point].quality,
                Quality::Uncertain(Doubt::Calibrating | Doubt::Inhibited)
            );
            is_marked && self.signs.is_excused(point)
        })
    }

    /// Whether another good head of the same gas votes wherever this cause does.
    fn is_guarded(&self, trip: &Trip, n: usize) -> bool {
        let plan = &self.plan;
        let Some(own) = trip.causes.get(n).and_then(|cause| point_of(plan, *cause)) else { return false };
        let Some(gas) = &plan.points[own].gas else { return false };
        let guards = |member: &Member| {
            let Member::Cause(m) = member else { return false };
            let Some(other) = trip.causes.get(*m) else { return false };
            let same_gas = point_of(plan, *other).is_some_and(|point| {
                point != own
                    && !self.signs.is_excused(point)
                    && plan.points[point].gas.as_ref().is_some_and(|other| other.tag == gas.tag)
            });
            same_gas && !self.bypasses.is_bypassed(*other) && self.verdict(*other) != Verdict::Unknown
        };
        let mut own_groups = trip.groups.iter().filter(|group| group.members.contains(&Member::Cause(n)));
        own_groups.all(|group| group.members.iter().any(guards))
    }

    /// The trips that would be left without a guard while `out` do not vote: none other of its gas would be good, or
    /// nothing that is left could trip. Where the trip stands already, or the site file says that somebody measures by
    /// hand, nothing is asked.
    pub(super) fn unguarded_without(&self, out: impl Fn(AlarmId) -> bool) -> Vec<TripId> {
        let is_unguarded = |(id, trip): &(TripId, &Trip)| {
            let has_gas = |alarm: AlarmId| {
                point_of(&self.plan, alarm).is_some_and(|point| self.plan.points[point].gas.is_some())
            };
            let leaves = || (0..trip.causes.len()).zip(&trip.causes).filter(|(_, alarm)| out(**alarm));
            if trip.unguarded || self.trips[*id].tripped || leaves().next().is_none() {
                return false;
            }
            let vote = |alarm: &AlarmId| {
                let is_out = out(*alarm) || self.bypasses.is_bypassed(*alarm);
                match (is_out, self.verdict(*alarm)) {
                    (true, _) => Vote::Out,
                    (false, Verdict::Unknown) => Vote::No,
                    (false, Verdict::Clear | Verdict::Breach) => Vote::True,
                }
            };
            let votes: Vec<Vote> = trip.causes.iter().map(vote).collect();
            leaves().any(|(n, alarm)| has_gas(*alarm) && !self.is_guarded(trip, n))
                || !could_trip(trip, &votes)
        };
        self.plan.trips.iter().filter(is_unguarded).map(|(id, _)| id).collect()
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

pub(super) fn point_of(plan: &Plan, alarm: AlarmId) -> Option<PointId> {
    match plan.alarms[alarm].subject {
        Subject::Point(point) => Some(point),
        Subject::Device(_) | Subject::Element(_) => None,
    }
}

/// Whether a device answered, and what it answered is no reading.
fn is_faulty(quality: Quality) -> bool {
    match quality {
        Quality::Good
        | Quality::Uncertain(_)
        | Quality::Bad(Fault::NotHeard | Fault::CommLost | Fault::Stale) => false,
        Quality::Bad(
            Fault::SensorFault
            | Fault::OutOfService
            | Fault::Implausible
            | Fault::UnknownStatus
            | Fault::Refused
            | Fault::WrongUnit
            | Fault::WireBroken
            | Fault::NoHeartbeat,
        ) => true,
    }
}
