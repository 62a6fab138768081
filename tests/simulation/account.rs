//! The second account: what was read, and what follows from it by the promises, kept without a look at the judge. It
//! says less than the judge may know, and never more.

use davy::model::alarm::{AlarmCause, AlarmState, AsideHow, Condition};
use davy::model::plan::{Member, OnBad, Plan, Subject, Trip};
use davy::model::point::{Displayed, Doubt, Quality, Reading};
use davy::model::record::{AlarmChange, Standing, TripChange};
use davy::model::table::{AlarmId, DeviceId, ElementId, PointId, Table, TripId};
use davy::model::time::{Mono, Now, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The judge may take a tick to act on time.
pub(crate) const TICK: Span = Span::from_ms(100);

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
}

impl Account {
    pub(crate) fn new(plan: &Arc<Plan>) -> Account {
        Account {
            told: plan.points.map(|_, _| None),
            breach: plan.alarms.map(|_, _| None),
            held: plan.alarms.map(|_, _| None),
            safe: plan.alarms.map(|_, _| None),
            nothing: plan.alarms.map(|_, _| None),
            heard: plan.alarms.map(|_, _| false),
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
            plan: Arc::clone(plan),
        }
    }

    /// The gateway starts again: nothing has been read, and what stands is what the journal says.
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
        account
    }

    /// The site goes on under another file. What is about things that kept their name and meaning goes on; of the
    /// rest nothing is held against the judge.
    pub(crate) fn replanned(&self, plan: &Arc<Plan>, now: Now) -> Account {
        let mut next = Account::new(plan);
        let same_file = *plan == self.plan;
        next.changed = self.changed || !same_file;
        for (id, alarm) in plan.alarms.iter() {
            let Some(was) = self.plan.alarm(&alarm.key) else { continue };
            if same_file {
                (next.breach[id], next.nothing[id]) = (self.breach[was], self.nothing[was]);
                next.held[id] = self.held[was];
                next.heard[id] = self.heard[was];
            }
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
            self.told[*point] = Some(*reading);
            for alarm in &plan.points[*point].alarms {
                let says = says(&plan, *alarm, reading);
                self.note(*alarm, says, now);
            }
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

    fn note(&mut self, alarm: AlarmId, says: Says, now: Mono) {
        self.heard[alarm] |= says != Says::Nothing;
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
        let counts = |cause: AlarmId, on_bad: OnBad| {
            let delay = self.plan.alarms[cause].on_delay;
            let slack = if delay == Span::ZERO { Span::ZERO } else { TICK };
            let bad = on_bad == OnBad::Vote
                && self.heard[cause]
                && lasts(self.nothing[cause], trip.bad_delay + TICK);
            is_of_a_value(&self.plan, cause) && (lasts(self.breach[cause], delay + slack) || bad)
        };
        let mut outcomes: Vec<bool> = Vec::new();
        for group in &trip.groups {
            let holds = |member: &&Member| match member {
                Member::Cause(n) => counts(trip.causes[*n], group.on_bad),
                Member::Group(n) => outcomes[*n],
            };
            let yes = group.members.iter().filter(holds).count();
            outcomes.push(yes >= group.votes);
        }
        trip.delay == Span::ZERO && outcomes.last() == Some(&true)
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
            let lasts = self.nothing[*cause].is_some_and(|since| now.since(since) >= trip.bad_delay);
            self.heard[*cause] && lasts
        };
        let is_active = |cause: &AlarmId| {
            self.under.get(&self.plan.alarms[*cause].key).is_some_and(|under| under.is_active())
        };
        let is_safe = |cause: &AlarmId| self.nothing[*cause].is_none() && !is_active(cause);
        let none_safe = !trip.causes.iter().any(is_safe);
        let [vote] = trip.groups.as_slice() else { return None };
        let may = |cause: &&AlarmId| {
            is_active(cause) || (is_bad(cause) && (vote.on_bad == OnBad::Vote || none_safe))
        };
        let can_tell = !self.changed && trip.causes.iter().all(|cause| is_of_a_value(&self.plan, *cause));
        can_tell.then(|| (trip.causes.iter().filter(may).count(), vote.votes))
    }

    /// What stands against a reset of a trip by this account; `None` where nothing does.
    pub(crate) fn against_reset(&self, id: TripId, now: Mono) -> Option<String> {
        let trip = &self.plan.trips[id];
        let under =
            |alarm: AlarmId| self.under.get(&self.plan.alarms[alarm].key).copied().unwrap_or_default();
        for alarm in needs(trip) {
            let key = &self.plan.alarms[alarm].key;
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
