//! The second account: what was read, and what follows from it by the promises, kept without a look at the judge. It
//! says less than the judge may know, and never more.
//!
//! It knows of bypasses, calibrations, permits and tests what was ordered and answered with "done", and what the
//! records say of their end.

use crate::permits;
use davy::model::alarm::{AlarmCause, AlarmState, AsideHow, Colour, Condition};
use davy::model::command::Verb;
use davy::model::grade::GradeChange;
use davy::model::incident::{IncidentChange, IncidentStep};
use davy::model::permit::{Permit, PermitChange, PermitStep};
use davy::model::plan::{Group, Member, OnBad, Plan, Subject, Trip};
use davy::model::point::{Displayed, Doubt, Quality, Reading};
use davy::model::record::{AlarmChange, BypassChange, BypassStep, Standing, TripChange};
use davy::model::sign::{Anomaly, CalibrationChange, Sign};
use davy::model::table::{AlarmId, DeviceId, ElementId, PointId, Table, TripId};
use davy::model::time::{Mono, Now, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The judge may take a tick to act on time.
pub(crate) const TICK: Span = Span::from_ms(100);

/// That a calibration is over its planned time is looked at once a second.
const CALIBRATION_SLACK: Span = Span::from_ms(1_200);

/// So many silences of a point are remembered.
const SILENCES_MAX: usize = 64;

/// Longest time for which a trip bears a bad input in any of the sites.
const LONGEST_BORNE: Span = Span::from_secs(600);

/// What one reading says of one alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// At or beyond the set-point.
    Breach,
    /// Good, and strictly on the safe side of the reset value.
    Safe,
    /// Good, and in between.
    Between,
    /// Nothing that can be relied on.
    Nothing,
}

/// What was read, and since when it says what it says.
#[derive(Debug)]
pub(crate) struct Account {
    /// The file's plan, and the same with the set-points that permits make of it.
    file: Arc<Plan>,
    plan: Arc<Plan>,
    /// The last reading of every point since the start.
    pub(crate) told: Table<PointId, Option<Reading>>,
    /// Since when each alarm's point says breach, with nothing in between that says otherwise.
    breach: Table<AlarmId, Option<Mono>>,
    /// The same, where only what proves that all is well says otherwise: hysteresis holds while a delay runs, too.
    held: Table<AlarmId, Option<Mono>>,
    /// Since when each alarm's point proves that all is well, in every single reading.
    safe: Table<AlarmId, Option<Mono>>,
    /// Since when an alarm's point says nothing, and whether it ever said something.
    nothing: Table<AlarmId, Option<Mono>>,
    heard: Table<AlarmId, bool>,
    /// When an alarm's point said nothing before, the last times, from and to.
    silences: Table<AlarmId, Vec<(Mono, Mono)>>,
    /// Its device was silent or at fault when the last run ended: the judge may count that, too.
    stood_bad: Table<AlarmId, bool>,
    /// When the gateway started, or took the last file.
    fresh: Mono,
    failures: Table<DeviceId, u32>,
    /// Since when all causes of a trip prove that all is well.
    all_safe: Table<TripId, Option<Mono>>,
    /// By the records: where every alarm stands, what is tripped, until when what is shelved.
    pub(crate) states: BTreeMap<String, (AlarmState, u32)>,
    pub(crate) under: BTreeMap<String, AlarmState>,
    pub(crate) tripped: BTreeSet<String>,
    pub(crate) shelved: BTreeMap<String, Mono>,
    pub(crate) escalated: BTreeSet<String>,
    /// Elements whose output was found demanding when it was read first; until a person resets them.
    pub(crate) found: BTreeSet<ElementId>,
    read_back: BTreeSet<ElementId>,
    /// Another file was taken since the start: what was heard under the old one may count or not.
    changed: bool,
    /// When the gateway started.
    pub(crate) started: Mono,
    /// By alarm key, until when a cause is out of the votes at most.
    pub(crate) bypassed: BTreeMap<String, Mono>,
    /// By point, until when its calibration excuses it at most.
    pub(crate) calibrating: BTreeMap<String, Mono>,
    /// By point, when its last calibration ended.
    pub(crate) calibrated: BTreeMap<String, Mono>,
    /// Bypasses and calibrations that nobody begins now: those that were over, and by a wall clock that was set back are
    /// not, since nobody has another clock over a power failure; and those that another file has put into one trip.
    pub(crate) revived: BTreeSet<String>,
    /// Alarms whose silence began while their point was calibrated: when it counts is the judge's business.
    excused: Table<AlarmId, bool>,
    /// Permits in force, by key, and until when at most.
    pub(crate) permits: BTreeMap<String, (Permit, Mono)>,
    /// What is under test, and until when at most.
    pub(crate) testing: Option<(Vec<ElementId>, Mono)>,
    /// By area: the number of its last incident, and whether that is open.
    incidents: BTreeMap<String, (u32, bool)>,
    /// By area: the colour that was told last.
    grades: BTreeMap<String, Colour>,
    /// Signs that stand.
    signs: BTreeSet<(String, Sign)>,
    /// When what was never heard before said first that it is at fault.
    told_bad: Table<AlarmId, Option<Mono>>,
}

impl Account {
    fn new(plan: &Arc<Plan>) -> Account {
        Account {
            told: plan.points.map(|_, _| None),
            breach: plan.alarms.map(|_, _| None),
            held: plan.alarms.map(|_, _| None),
            safe: plan.alarms.map(|_, _| None),
            nothing: plan.alarms.map(|_, _| None),
            heard: plan.alarms.map(|_, _| false),
            silences: plan.alarms.map(|_, _| Vec::new()),
            stood_bad: plan.alarms.map(|_, _| false),
            fresh: Mono::START,
            failures: plan.devices.map(|_, _| 0),
            all_safe: plan.trips.map(|_, _| None),
            states: BTreeMap::new(),
            under: BTreeMap::new(),
            tripped: BTreeSet::new(),
            shelved: BTreeMap::new(),
            escalated: BTreeSet::new(),
            found: BTreeSet::new(),
            read_back: BTreeSet::new(),
            changed: false,
            started: Mono::START,
            bypassed: BTreeMap::new(),
            calibrating: BTreeMap::new(),
            calibrated: BTreeMap::new(),
            revived: BTreeSet::new(),
            excused: plan.alarms.map(|_, _| false),
            permits: BTreeMap::new(),
            testing: None,
            incidents: BTreeMap::new(),
            grades: BTreeMap::new(),
            signs: BTreeSet::new(),
            told_bad: plan.alarms.map(|_, _| None),
            file: Arc::clone(plan),
            plan: Arc::clone(plan),
        }
    }

    /// The gateway starts: nothing has been read, and what stands is what the journal says.
    pub(crate) fn restarted(plan: &Arc<Plan>, standing: &Standing, now: Now) -> Account {
        let mut account = Account::new(plan);
        for (key, alarm) in &standing.alarms {
            let shown = alarm.aside.as_ref().map_or(alarm.state, |aside| aside.how.state());
            account.states.insert(key.clone(), (shown, alarm.occurrence));
            account.under.insert(key.clone(), alarm.state);
            if alarm.escalated {
                account.escalated.insert(key.clone());
            }
            if let Some((until, minutes)) = alarm.aside.as_ref().and_then(|a| a.until.zip(a.minutes)) {
                let left = until.since(now.wall).min(Span::from_secs(u64::from(minutes) * 60));
                account.shelved.insert(key.clone(), now.mono + left);
            }
        }
        account.tripped =
            standing.trips.iter().filter(|(_, t)| t.tripped).map(|(tag, _)| tag.clone()).collect();
        (account.started, account.fresh) = (now.mono, now.mono);
        for tag in standing.demanded.keys() {
            account.found.extend(plan.elements.find(|e| e.tag.as_str() == tag));
        }
        account.nothing = plan.alarms.map(|_, _| Some(now.mono));
        let stood = |alarm: AlarmId| standing.alarms.get(&plan.alarms[alarm].key);
        for point in plan.points.values() {
            let device = &plan.devices[point.device];
            let faults =
                point.alarms.iter().filter(|id| plan.alarms[**id].condition == Condition::SensorFault);
            let mut all = faults.copied().chain([device.comm_alarm, device.stale_alarm]);
            if all.any(|alarm| stood(alarm).is_some_and(|was| was.state.is_active())) {
                for alarm in &point.alarms {
                    (account.heard[*alarm], account.stood_bad[*alarm]) = (true, true);
                }
            }
        }
        // A test that the restart cut off tests nothing any more, and is told to have ended.
        account.testing = standing.test.as_ref().map(|_| (Vec::new(), now.mono + Span::from_secs(1)));
        account.goes_on_with(standing, now);
        account
    }

    /// What people have begun goes on for what the wall clock says is left, and never for longer than was said.
    fn goes_on_with(&mut self, standing: &Standing, now: Now) {
        let minutes = |n: u32| Span::from_secs(u64::from(n) * 60);
        for (key, bypass) in &standing.bypasses {
            let may = self.file.alarm(key).is_some_and(|id| self.file.bypassable.contains_key(&id));
            let left = bypass.until.since(now.wall).min(bypass.remaining);
            if may {
                self.bypassed.insert(key.clone(), now.mono + left);
            }
        }
        for (tag, calibrations) in &standing.calibrations {
            let ordered = calibrations.planned.filter(|planned| *planned > Span::ZERO);
            if let Some((planned, begun)) = ordered.zip(calibrations.begun.last()) {
                let is_before = now.wall < *begun;
                let left =
                    if is_before { Span::ZERO } else { begun.after(planned).since(now.wall).min(planned) };
                self.calibrating.insert(tag.clone(), now.mono + left);
            }
        }
        for (key, permit) in &standing.permits {
            let left = permit.until.since(now.wall).min(minutes(permit.minutes));
            self.permits.insert(key.clone(), (permit.clone(), now.mono + left));
        }
        for (area, incident) in &standing.incidents {
            self.incidents.insert(area.clone(), (incident.number, incident.open.is_some()));
        }
        self.grades.clone_from(&standing.grades);
        self.signs = standing.signs.keys().cloned().collect();
        self.plan = permits::tightened(&self.file, self.permits.values().map(|(permit, _)| permit));
    }

    /// The site goes on under another file. What is about things that kept their name and meaning goes on; of the
    /// rest nothing is held against the judge.
    pub(crate) fn replanned(&self, plan: &Arc<Plan>, now: Now) -> Account {
        let mut next = Account::new(plan);
        let same_file = *plan == self.file;
        next.changed = self.changed || !same_file;
        next.plan = permits::tightened(&next.file, self.permits.values().map(|(permit, _)| permit));
        let plan = &Arc::clone(&next.plan);
        for (id, alarm) in plan.alarms.iter() {
            let Some(was) = self.plan.alarm(&alarm.key) else { continue };
            if same_file {
                (next.breach[id], next.nothing[id]) = (self.breach[was], self.nothing[was]);
                next.held[id] = self.held[was];
                next.heard[id] = self.heard[was];
                next.stood_bad[id] = self.stood_bad[was];
                next.silences[id].clone_from(&self.silences[was]);
            }
            next.excused[id] = self.excused[was];
            if self.plan.alarms[was].limit == alarm.limit {
                next.safe[id] = self.safe[was];
            }
        }
        for (id, point) in plan.points.iter() {
            if let Some(was) = self.plan.points.find(|p| p.tag == point.tag) {
                next.told[id] = self.told[was];
            }
        }
        if same_file {
            next.failures = self.failures.map(|_, n| *n);
            next.all_safe = self.all_safe.map(|_, since| *since);
        }
        for id in &self.found {
            next.found.extend(plan.elements.find(|e| e.tag == self.plan.elements[*id].tag));
        }
        next.started = self.started;
        next.fresh = if same_file { self.fresh } else { now.mono };
        next.bypassed.clone_from(&self.bypassed);
        next.calibrating.clone_from(&self.calibrating);
        next.calibrated.clone_from(&self.calibrated);
        next.revived.clone_from(&self.revived);
        if !same_file {
            next.revived.extend(self.bypassed.keys().chain(self.calibrating.keys()).cloned());
        }
        // It is told to be aborted at once.
        next.testing.clone_from(&self.testing);
        next.permits.clone_from(&self.permits);
        next.incidents.clone_from(&self.incidents);
        next.grades.clone_from(&self.grades);
        next.signs.clone_from(&self.signs);
        let has = |key: &str| plan.alarm(key).is_some();
        next.states.clone_from(&self.states);
        next.under.clone_from(&self.under);
        next.tripped.clone_from(&self.tripped);
        next.shelved = self.shelved.clone().into_iter().filter(|(key, _)| has(key)).collect();
        next.escalated = self.escalated.iter().filter(|key| has(key)).cloned().collect();
        next.note_safety(now.mono);
        next
    }

    /// A device has answered.
    pub(crate) fn answered(&mut self, device: DeviceId, readings: &[(PointId, Reading)], now: Mono) {
        let plan = Arc::clone(&self.plan);
        self.failures[device] = 0;
        for (point, reading) in readings {
            self.told[*point] = Some(self.taken(*point, *reading, now));
            self.read(*point, now);
        }
        for (id, element) in plan.elements.iter() {
            let read = readings.iter().find(|(point, _)| *point == element.readback);
            if let Some((_, reading)) = read
                && self.read_back.insert(id)
                && reading.value == Some(f64::from(element.command.trip))
            {
                self.found.insert(id);
            }
        }
        self.note_safety(now);
    }

    /// A device has not answered: after the second time in a row nothing is known of its points.
    pub(crate) fn silent(&mut self, device: DeviceId, now: Mono) {
        let plan = Arc::clone(&self.plan);
        self.failures[device] += 1;
        if self.failures[device] < 2 {
            return;
        }
        for (_, point) in plan.points_of(device) {
            for alarm in &point.alarms {
                // A calibration excuses no silence.
                if self.failures[device] == 2 && std::mem::take(&mut self.excused[*alarm]) {
                    self.nothing[*alarm] = Some(now);
                }
                self.note(*alarm, Says::Nothing, now);
            }
        }
        self.note_safety(now);
    }

    /// What was not refreshed in time is no longer known.
    pub(crate) fn sweep(&mut self, now: Mono) {
        let plan = Arc::clone(&self.plan);
        for (id, point) in plan.points.iter() {
            let device = &plan.devices[point.device];
            let after = device.poll.times(2) + device.timeout.times(2);
            if self.told[id].is_some_and(|reading| now > reading.at + after) {
                self.told[id] = None;
                point.alarms.iter().for_each(|alarm| self.note(*alarm, Says::Nothing, now));
            }
        }
        self.note_safety(now);
    }

    /// Looks at what a point read last.
    /// What comes while a point is calibrated is marked when it comes.
    fn taken(&self, point: PointId, mut reading: Reading, now: Mono) -> Reading {
        let until = self.calibrating.get(self.plan.points[point].tag.as_str());
        if until.is_some_and(|until| now < *until) && is_taken_for_calibration(reading.quality) {
            reading.quality = Quality::Uncertain(Doubt::Calibrating);
        }
        reading
    }

    fn read(&mut self, point: PointId, now: Mono) {
        let plan = Arc::clone(&self.plan);
        let Some(reading) = self.told[point] else { return };
        let until = self.calibrating.get(plan.points[point].tag.as_str()).copied();
        let just_over = until.filter(|until| now >= *until && now < *until + CALIBRATION_SLACK);
        for alarm in &plan.points[point].alarms {
            let says = says(&plan, *alarm, &reading);
            match just_over.filter(|_| is_taken_for_calibration(reading.quality)) {
                Some(since) => self.note_perhaps(*alarm, says, since),
                None => self.note(*alarm, says, now),
            }
            if matches!(reading.quality, Quality::Bad(_)) && !self.heard[*alarm] {
                (self.heard[*alarm], self.told_bad[*alarm]) = (true, Some(now));
            }
            let is_calibrated = is_taken_for_calibration(reading.quality);
            if is_calibrated && until.is_some_and(|until| now < until + CALIBRATION_SLACK) {
                self.excused[*alarm] = true;
            } else if says != Says::Nothing {
                self.excused[*alarm] = false;
            }
        }
    }

    /// The judge may count this reading since `since`, or not at all.
    fn note_perhaps(&mut self, alarm: AlarmId, says: Says, since: Mono) {
        match says {
            Says::Breach => {
                self.held[alarm].get_or_insert(since);
                self.safe[alarm] = None;
            }
            Says::Safe => drop(self.safe[alarm].get_or_insert(since)),
            Says::Between | Says::Nothing => self.safe[alarm] = None,
        }
        (self.breach[alarm], self.nothing[alarm]) = (None, None);
    }

    fn note(&mut self, alarm: AlarmId, says: Says, now: Mono) {
        self.heard[alarm] |= says != Says::Nothing;
        if let Some(since) = self.nothing[alarm].filter(|_| says != Says::Nothing) {
            self.stood_bad[alarm] &= now.since(self.started) < LONGEST_BORNE;
            let silences = &mut self.silences[alarm];
            silences.push((since, now));
            let spare = silences.len().saturating_sub(SILENCES_MAX);
            silences.drain(..spare);
        }
        match says {
            Says::Breach => {
                self.breach[alarm].get_or_insert(now);
                self.held[alarm].get_or_insert(now);
                (self.safe[alarm], self.nothing[alarm]) = (None, None);
            }
            Says::Safe => {
                self.safe[alarm].get_or_insert(now);
                (self.breach[alarm], self.held[alarm], self.nothing[alarm]) = (None, None, None);
            }
            Says::Between => {
                (self.breach[alarm], self.safe[alarm], self.nothing[alarm]) = (None, None, None);
            }
            Says::Nothing => {
                self.nothing[alarm].get_or_insert(now);
                self.safe[alarm] = None;
            }
        }
    }

    fn note_safety(&mut self, now: Mono) {
        for (id, trip) in Arc::clone(&self.plan).trips.iter() {
            let safe = needs(trip).all(|alarm| self.safe[alarm].is_some());
            self.all_safe[id] = if safe { self.all_safe[id].or(Some(now)) } else { None };
        }
    }

    /// Whether so many causes of a trip must count by now that it has tripped. A vote that has to stand for a while is
    /// left to the judge's own tests.
    pub(crate) fn must_trip(&self, id: TripId, now: Mono) -> bool {
        let trip = &self.plan.trips[id];
        let lasts = |since: Option<Mono>, span: Span| since.is_some_and(|s| now.since(s) >= span);
        // `None`: a bypassed cause is out of every vote.
        let counts = |cause: AlarmId, on_bad: OnBad| {
            if self.is_bypassed(cause) {
                return None;
            }
            let delay = self.plan.alarms[cause].on_delay;
            let slack = if delay == Span::ZERO { Span::ZERO } else { TICK };
            let bad = on_bad == OnBad::Vote && self.must_be_bad(cause, trip.bad_delay, now);
            Some(is_of_a_value(&self.plan, cause) && (lasts(self.breach[cause], delay + slack) || bad))
        };
        let mut outcomes: Vec<Option<bool>> = Vec::new();
        for group in &trip.groups {
            let votes = group.members.iter().map(|member| match member {
                Member::Cause(n) => counts(trip.causes[*n], group.on_bad),
                Member::Group(n) => outcomes[*n],
            });
            let votes: Vec<Option<bool>> = votes.collect();
            let yes = votes.iter().filter(|vote| **vote == Some(true)).count();
            let out = votes.iter().filter(|vote| vote.is_none()).count();
            let all_out = stand_in(group) && out == votes.len();
            outcomes.push((!all_out).then(|| yes >= needed(group, out)));
        }
        trip.delay == Span::ZERO && outcomes.last() == Some(&Some(true))
    }

    /// Whether a cause must count as bad by now: for longer than is borne it said nothing, in one silence or in some with
    /// no stable time between them; where nothing was ever heard of it, after what a start excuses.
    fn must_be_bad(&self, cause: AlarmId, borne: Span, now: Mono) -> bool {
        if self.excused[cause] {
            return false;
        }
        // A silence from the start, of what was not heard before, is excused and counts for no later one.
        let (lasts, silences) = self.bad_for(cause, borne, self.fresh, now);
        let slack = TICK.times(1 + silences);
        if self.told_bad[cause].is_some_and(|at| now.since(at) < borne + slack) {
            return false;
        }
        lasts >= borne + slack
            && (self.heard[cause] || now.since(self.fresh) >= self.plan.start_hold + borne + slack)
    }

    /// For how long a cause has said nothing without a stable time between, and in how many silences before this one,
    /// of those that began after `after`.
    fn bad_for(&self, cause: AlarmId, stable: Span, after: Mono, now: Mono) -> (Span, u64) {
        let Some(mut since) = self.nothing[cause] else { return (Span::ZERO, 0) };
        let (mut lasts, mut count) = (now.since(since), 0);
        for (from, to) in
            self.silences[cause].iter().rev().filter(|(from, _)| *from > after || after == Mono::START)
        {
            if since.since(*to) >= stable {
                break;
            }
            lasts = lasts + to.since(*from);
            (since, count) = (*from, count + 1);
        }
        (lasts, count)
    }

    /// Whether its point is being calibrated by order, or was until a moment ago: one vote fewer may be needed then.
    fn is_calibrated(&self, cause: AlarmId, now: Mono) -> bool {
        let Subject::Point(point) = self.plan.alarms[cause].subject else { return false };
        let until = self.calibrating.get(self.plan.points[point].tag.as_str());
        until.is_some_and(|until| now < *until + CALIBRATION_SLACK)
    }

    fn is_bypassed(&self, cause: AlarmId) -> bool {
        self.bypassed.contains_key(&self.plan.alarms[cause].key)
    }

    /// An alarm of a value that must stand by now, and does not by the records.
    pub(crate) fn not_in_alarm(&self, now: Mono) -> Option<&str> {
        let late = |(id, alarm): &(AlarmId, &davy::model::plan::Alarm)| {
            let since = self.breach[*id].filter(|_| is_of_a_value(&self.plan, *id));
            let under = self.under.get(&alarm.key).copied().unwrap_or_default();
            since.is_some_and(|since| now.since(since) >= alarm.on_delay + TICK) && !under.is_active()
        };
        self.plan.alarms.iter().find(late).map(|(_, alarm)| alarm.key.as_str())
    }

    /// For how long an alarm's value has said breach; `None` where this account can't tell.
    pub(crate) fn breach_for(&self, id: AlarmId, now: Mono) -> Option<Option<Span>> {
        let can_tell = !self.changed && is_of_a_value(&self.plan, id);
        can_tell.then(|| self.held[id].map(|since| now.since(since)))
    }

    /// How many causes of a trip with a single vote may count by now at most, and how many must; `None` where this
    /// account can't tell.
    pub(crate) fn votes_at_most(&self, id: TripId, now: Mono) -> Option<(usize, usize)> {
        let trip = &self.plan.trips[id];
        let is_bad = |cause: &AlarmId| {
            let lasts = self.bad_for(*cause, trip.bad_delay + TICK, Mono::START, now).0 >= trip.bad_delay;
            let excused =
                !self.heard[*cause] && now.since(self.fresh) < self.plan.start_hold + trip.bad_delay;
            self.nothing[*cause].is_some() && (self.stood_bad[*cause] || lasts && !excused)
        };
        let is_active = |cause: &AlarmId| {
            self.under.get(&self.plan.alarms[*cause].key).is_some_and(|under| under.is_active())
        };
        let is_safe = |cause: &AlarmId| self.nothing[*cause].is_none() && !is_active(cause);
        let [vote] = trip.groups.as_slice() else { return None };
        let voting: Vec<&AlarmId> = trip.causes.iter().filter(|cause| !self.is_bypassed(**cause)).collect();
        let none_safe = !voting.iter().any(|cause| is_safe(cause));
        let may = |cause: &&&AlarmId| {
            is_active(cause) || (is_bad(cause) && (vote.on_bad == OnBad::Vote || none_safe))
        };
        let tells = |cause: &AlarmId| {
            is_of_a_value(&self.plan, *cause) && !self.excused[*cause] && !self.is_calibrated(*cause, now)
        };
        let can_tell = !self.changed && trip.causes.iter().all(tells);
        can_tell.then(|| (voting.iter().filter(may).count(), needed(vote, trip.causes.len() - voting.len())))
    }

    /// What stands against a reset of a trip by this account; `None` where nothing does.
    pub(crate) fn against_reset(&self, id: TripId, now: Mono) -> Option<String> {
        let trip = &self.plan.trips[id];
        let under =
            |alarm: AlarmId| self.under.get(&self.plan.alarms[alarm].key).copied().unwrap_or_default();
        for alarm in needs(trip) {
            let key = &self.plan.alarms[alarm].key;
            if self.is_bypassed(alarm) {
                return Some(format!("{key} is bypassed"));
            }
            if self.safe[alarm].is_none() || under(alarm).is_active() {
                return Some(format!("{key} is not proven safe: {:?}", self.last_of(alarm)));
            }
        }
        if let Some(cause) = trip.causes.iter().find(|cause| under(**cause).wants_acknowledgement()) {
            return Some(format!("{} is not acknowledged", self.plan.alarms[*cause].key));
        }
        match self.all_safe[id] {
            Some(since) if now.since(since) >= trip.reset_hold => None,
            since => Some(format!("safe since {since:?}, and the hold is {}", trip.reset_hold)),
        }
    }

    fn last_of(&self, alarm: AlarmId) -> Option<Reading> {
        match self.plan.alarms[alarm].subject {
            Subject::Point(point) => self.told[point],
            Subject::Device(_) | Subject::Element(_) => None,
        }
    }

    /// How long an alarm's point has proven in every reading that all is well; `None` where that is not its business.
    pub(crate) fn safe_for(&self, alarm: AlarmId, now: Mono) -> Option<Option<Span>> {
        is_of_a_value(&self.plan, alarm).then(|| self.safe[alarm].map(|since| now.since(since)))
    }

    /// Takes in that an alarm moved; says what is wrong with the record.
    pub(crate) fn alarm_moved(&mut self, change: &AlarmChange, now: Mono) -> Option<String> {
        let under = change.aside.as_ref().map_or(change.to, |(_, under)| *under);
        let (was, occurrence) =
            self.states.insert(change.key.clone(), (change.to, change.occurrence)).unwrap_or_default();
        self.under.insert(change.key.clone(), under);
        match (&change.aside, change.cause) {
            (Some((aside, _)), AlarmCause::SetAside) if aside.how == AsideHow::Shelved => {
                let minutes = u64::from(aside.minutes.unwrap_or(0));
                self.shelved.insert(change.key.clone(), now + Span::from_secs(minutes * 60));
            }
            (None, _) => drop(self.shelved.remove(&change.key)),
            (Some(_), AlarmCause::SetAside) => drop(self.shelved.remove(&change.key)),
            (Some(_), _) => {}
        }
        // That gas has gone is no sign that somebody heard of it: what is held unacknowledged stays as loud.
        let as_loud = change.cause == AlarmCause::Cleared && under == AlarmState::LatchedUnacknowledged;
        if change.cause == AlarmCause::Escalated {
            self.escalated.insert(change.key.clone());
        } else if !as_loud {
            self.escalated.remove(&change.key);
        }
        let next = if change.cause == AlarmCause::Occurred { occurrence + 1 } else { occurrence };
        if was != change.from {
            return Some(format!(
                "{}: from {} and it was {}",
                change.key,
                change.from.as_str(),
                was.as_str()
            ));
        }
        (change.occurrence != next)
            .then(|| format!("{}: occurrence {} follows upon {occurrence}", change.key, change.occurrence))
    }

    /// Somebody's order was done; says what is wrong with that.
    pub(crate) fn ordered(&mut self, verb: &Verb, now: Mono) -> Option<String> {
        let minutes = |n: u32| Span::from_secs(u64::from(n) * 60);
        match verb {
            Verb::Bypass { target, minutes: asked, .. } => {
                self.bypassed.insert(target.clone(), now + minutes(asked.unwrap_or(30)));
                return self.blinded(&|alarm| self.plan.alarms[alarm].key == *target);
            }
            Verb::Calibrate { point, minutes: Some(asked) } => {
                self.calibrating.insert(point.clone(), now + minutes(*asked));
                let of_point = |alarm| match self.plan.alarms[alarm].subject {
                    Subject::Point(id) => self.plan.points[id].tag.as_str() == point,
                    Subject::Device(_) | Subject::Element(_) => false,
                };
                return self.blinded(&of_point);
            }
            Verb::Permit { place, kind, minutes: asked, .. } => {
                let until = now + minutes(*asked);
                let permit = self.permits.get_mut(&format!("{place}:{}", kind.as_str()));
                let Some((_, ends)) = permit else {
                    return Some(format!("no record of a permit at {place}"));
                };
                *ends = until;
            }
            Verb::ProofTest { target, .. } => {
                let element = self.plan.elements.find(|e| e.tag.as_str() == target);
                let trip = self.plan.trip(target).map(|id| self.plan.trips[id].effects.clone());
                let subjects = element.map(|id| vec![id]).or(trip).unwrap_or_default();
                let longest = subjects.iter().map(|id| self.plan.elements[*id].travel_limit).max();
                let until = now + longest.unwrap_or_default() + Span::from_secs(1);
                self.testing = Some((subjects, until));
            }
            _ => {}
        }
        None
    }

    /// A trip of `gone`, causes that a person has just taken out, in which no other head of the same gas is well; unless it
    /// stands, or the file lets it be unguarded.
    fn blinded(&self, gone: &dyn Fn(AlarmId) -> bool) -> Option<String> {
        let gas = |alarm: AlarmId| match self.plan.alarms[alarm].subject {
            Subject::Point(id) => self.plan.points[id].gas.as_ref().map(|gas| (id, &gas.tag)),
            Subject::Device(_) | Subject::Element(_) => None,
        };
        let is_well = |alarm: AlarmId, (point, tag): (PointId, &_)| {
            let same = gas(alarm).is_some_and(|(other, gas)| other != point && gas == tag);
            same && self.nothing[alarm].is_none() && !self.is_bypassed(alarm)
        };
        let bare = |trip: &&Trip| {
            let mut out = trip.causes.iter().filter(|cause| gone(**cause)).filter_map(|cause| gas(*cause));
            let spared = trip.unguarded || self.tripped.contains(trip.tag.as_str());
            // What has had more gas than it can bear guards nothing until it is calibrated.
            let proves = |point: PointId| {
                !self.signs.contains(&(self.plan.points[point].tag.to_string(), Sign::FoldBack))
            };
            !spared && out.any(|own| proves(own.0) && !trip.causes.iter().any(|other| is_well(*other, own)))
        };
        let trip = self.plan.trips.values().find(bare)?;
        Some(format!("{} is left without a guard by what a person was let do", trip.tag))
    }

    /// Takes in that a bypass moved; says what is wrong with the record.
    pub(crate) fn bypass_moved(&mut self, change: &BypassChange, now: Mono) -> Option<String> {
        let key = &change.cause;
        let was = self.bypassed.get(key).copied();
        match change.step {
            BypassStep::Started => {
                self.revived.remove(key);
                self.bypassed.insert(key.clone(), now + change.remaining);
                was.is_some().then(|| format!("{key} is bypassed a second time"))
            }
            BypassStep::Warned | BypassStep::Reckoned => {
                let longer = was.is_none_or(|until| now + change.remaining > until);
                longer.then(|| format!("{key}: its bypass got longer"))
            }
            BypassStep::Lifted | BypassStep::Expired | BypassStep::Removed => {
                self.bypassed.remove(key);
                was.is_none().then(|| format!("{key}: a bypass that nobody knows of has ended"))
            }
        }
    }

    /// Takes in that a permit began or ended; says what is wrong with the record.
    pub(crate) fn permit_moved(&mut self, change: &PermitChange, now: Mono) -> Option<String> {
        let key = change.permit.key();
        let was = match change.step {
            PermitStep::Started => {
                let minutes = Span::from_secs(u64::from(change.permit.minutes) * 60);
                self.permits.insert(key.clone(), (change.permit.clone(), now + minutes)).is_some()
            }
            PermitStep::Ended | PermitStep::Expired => self.permits.remove(&key).is_none(),
        };
        self.plan = permits::tightened(&self.file, self.permits.values().map(|(permit, _)| permit));
        let told = |(key, set): &&(String, f64)| {
            let limit = self.plan.alarm(key).and_then(|id| self.plan.alarms[id].limit);
            limit.is_none_or(|limit| (limit.set - set).abs() > 1e-9)
        };
        let wrong = change.set_points.iter().find(told);
        for point in self.plan.points.ids() {
            self.read_under_other_limits(point, now);
        }
        self.note_safety(now);
        if let Some((alarm, set)) = wrong {
            return Some(format!("{key}: {alarm} is told to be {set}"));
        }
        was.then(|| format!("{key}: the permit {:?} twice", change.step))
    }

    fn read_under_other_limits(&mut self, point: PointId, now: Mono) {
        if self.failures[self.plan.points[point].device] < 2 {
            self.read(point, now);
        }
    }

    /// Takes in that a calibration began or ended.
    pub(crate) fn calibration_moved(&mut self, change: &CalibrationChange, now: Mono) {
        if change.begun && change.planned > Span::ZERO {
            self.calibrating.insert(change.point.clone(), now + change.planned);
            self.revived.remove(&change.point);
        } else if !change.begun {
            self.calibrating.remove(&change.point);
            self.calibrated.insert(change.point.clone(), now);
        }
    }

    /// The causes of a trip that are out of its vote, by a bypass or a calibration; one point counts once.
    pub(crate) fn out_of(&self, trip: &Trip, now: Mono) -> Vec<Subject> {
        let out = |cause: &&AlarmId| {
            let alarm = &self.plan.alarms[**cause];
            let calibrated = match alarm.subject {
                Subject::Point(point) => {
                    let tag = self.plan.points[point].tag.as_str();
                    let until = self.calibrating.get(tag).filter(|_| !self.revived.contains(tag));
                    until.is_some_and(|until| now < *until)
                }
                Subject::Device(_) | Subject::Element(_) => false,
            };
            calibrated || self.is_bypassed(**cause) && !self.revived.contains(&alarm.key)
        };
        let mut subjects = Vec::new();
        for subject in trip.causes.iter().filter(out).map(|cause| self.plan.alarms[*cause].subject) {
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
        subjects
    }

    /// Takes in what became of an incident; says what is wrong with the record.
    pub(crate) fn incident_moved(&mut self, change: &IncidentChange) -> Option<String> {
        let (area, number) = (&change.incident.area, change.incident.number);
        let (last, open) = self.incidents.get(area).copied().unwrap_or_default();
        let opens = change.step == IncidentStep::Opened;
        self.incidents.insert(area.clone(), (number, change.step != IncidentStep::Closed));
        let follows = if opens { !open && number == last + 1 } else { open && number == last };
        (!follows).then(|| {
            format!("incident #{number} of {area} is {:?} after #{last} (open: {open})", change.step)
        })
    }

    /// Takes in that an area has another colour; says what is wrong with the record.
    pub(crate) fn grade_moved(&mut self, change: &GradeChange) -> Option<String> {
        let risk = self.plan.areas.find(|a| a.tag.as_str() == change.area).map(|id| self.plan.areas[id].risk);
        let was =
            self.grades.insert(change.area.clone(), change.grade.colour).or(risk).unwrap_or(Colour::Blue);
        // The worst colour is the least.
        let better = risk.is_some_and(|risk| change.grade.colour > risk);
        let wrong = was != change.from || change.grade.colour == change.from || better;
        wrong.then(|| {
            format!(
                "{} goes from {:?} (was {was:?}, floor {risk:?}): {:?}",
                change.area, change.from, change.grade
            )
        })
    }

    /// Takes in that a sign was seen or is over; says what is wrong with the record.
    pub(crate) fn sign_moved(&mut self, anomaly: &Anomaly) -> Option<String> {
        let of = (anomaly.key.clone(), anomaly.sign);
        let news = if anomaly.raised { self.signs.insert(of) } else { self.signs.remove(&of) };
        (!news)
            .then(|| format!("sign {} of {} is told to be what it was", anomaly.sign.as_str(), anomaly.key))
    }

    /// Takes in that a trip moved; says what is wrong with the record.
    pub(crate) fn trip_moved(&mut self, change: &TripChange) -> Option<String> {
        let news = if change.tripped {
            self.tripped.insert(change.tag.clone())
        } else {
            self.tripped.remove(&change.tag)
        };
        (!news).then(|| format!("{} is told to be what it was", change.tag))
    }
}

/// Whether a reading is taken for one of a calibration while one goes on by order.
fn is_taken_for_calibration(quality: Quality) -> bool {
    !matches!(quality, Quality::Uncertain(Doubt::OverRange) | Quality::Bad(_))
}

/// Whether what is out of a vote is stood in for: among heads of one gas, and in no lock.
fn stand_in(group: &Group) -> bool {
    group.alike && group.on_bad != OnBad::Ignore
}

/// How many votes a group needs with so many of its members out.
fn needed(group: &Group, out: usize) -> usize {
    if stand_in(group) { group.votes.saturating_sub(out).max(1) } else { group.votes }
}

/// What a reset of a trip must see proven safe.
fn needs(trip: &Trip) -> impl Iterator<Item = AlarmId> {
    let inputs: Vec<AlarmId> = trip.inputs().collect();
    trip.reset_needs.iter().map(move |n| inputs[*n])
}

/// Whether an alarm is about a value or contact held against a set-point.
pub(crate) fn is_of_a_value(plan: &Plan, alarm: AlarmId) -> bool {
    matches!(
        plan.alarms[alarm].condition,
        Condition::High(_) | Condition::Low(_) | Condition::Contact(_) | Condition::Lock
    )
}

fn says(plan: &Plan, alarm: AlarmId, reading: &Reading) -> Says {
    let alarm = &plan.alarms[alarm];
    let (Subject::Point(point), Some(limit)) = (alarm.subject, alarm.limit) else { return Says::Nothing };
    let decimals = plan.points[point].decimals;
    let shown = |x: f64| Displayed::new(x, decimals).unwrap();
    let (set, reset) = (shown(limit.set), shown(limit.reset));
    let Some(value) = reading.value.and_then(|v| Displayed::new(v, decimals)) else { return Says::Nothing };
    let (beyond, back) = match alarm.condition {
        Condition::High(_) | Condition::Lock => (value >= set, value < reset),
        Condition::Low(_) => (value <= set, value > reset),
        Condition::Contact(_) => (value == set, value != set),
        _ => return Says::Nothing,
    };
    match (reading.quality, alarm.condition) {
        (Quality::Good, _) if beyond => Says::Breach,
        (Quality::Good, _) if back => Says::Safe,
        (Quality::Good, _) => Says::Between,
        (Quality::Uncertain(Doubt::OverRange), Condition::High(_) | Condition::Lock)
        | (Quality::Uncertain(Doubt::UnderRange), Condition::Low(_)) => Says::Breach,
        (
            Quality::Uncertain(Doubt::Unconfirmed),
            Condition::High(_) | Condition::Low(_) | Condition::Lock,
        ) if beyond => Says::Breach,
        _ => Says::Nothing,
    }
}
