//! The judge: gathers what was read, judges it, acts; in this order. One per gateway, because interlocks cross areas.

use super::alarm::{AlarmLife, Transition};
use super::cause_effect::{Cause, TripLife, Vote};
use super::element::{self, ElementLife};
use super::grade::Grades;
use super::incident::Incidents;
use super::permit::Permits;
use super::rates::Rates;
use super::rule::{self, Verdict};
use super::trend::Trend;
use super::watch::Watch;
use crate::model::alarm::{AlarmCause, AlarmState, Condition};
use crate::model::command::{Order, Reply};
use crate::model::element::{Demand, Phase};
use crate::model::line::LineFault;
use crate::model::plan::{Plan, Subject, Trip};
use crate::model::point::Reading;
use crate::model::record::{
    AlarmStanding, Body, ElementChange, Record, Sample, Standing, TripChange, TripStanding, Trouble, Who,
};
use crate::model::table::{AlarmId, DeviceId, ElementId, PointId, Row, Table, TripId};
use crate::model::time::{Mono, Now, Span};
use crate::model::view::{AlarmView, ElementView, TripView, View};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How often what moves by the hour is looked at.
const MINUTE: Span = Span::from_secs(60);

/// Everything that can reach the judge.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// What a device answered to one request of a poll.
    Readings {
        /// Who answered.
        device: DeviceId,
        /// The readings of every point in that answer.
        readings: Vec<(PointId, Reading)>,
    },
    /// A request to a device brought no usable answer.
    NoAnswer {
        /// Who did not answer.
        device: DeviceId,
        /// How it failed.
        fault: LineFault,
    },
    /// A write to an element was read back as written, or failed.
    Wrote {
        /// Which element.
        element: ElementId,
        /// What was written.
        demand: Demand,
        /// How it went.
        outcome: Result<(), LineFault>,
    },
    /// A person asks for something; answered in [`Effects::reply`].
    Order(Order),
    /// Another room is in trouble, or no longer is.
    Trouble(Trouble),
    /// Every 100 ms: carries all timers.
    Tick,
}

/// What the judge wants done. Appended to, never cleared, by the judge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Demands that changed. A demand is a level: losing or repeating one is harmless.
    pub demands: Vec<(ElementId, Demand)>,
    /// What happened, in order.
    pub records: Vec<Record>,
    /// Values to be told.
    pub samples: Vec<Sample>,
    /// The answer to an order.
    pub reply: Option<Reply>,
}

impl Effects {
    pub(super) fn record(&mut self, at: Now, body: Body) {
        self.records.push(Record { at, body });
    }
}

/// The judge.
#[derive(Debug)]
pub struct Site {
    pub(super) plan: Arc<Plan>,
    pub(super) watch: Watch,
    pub(super) alarms: Table<AlarmId, AlarmLife>,
    pub(super) trips: Table<TripId, TripLife>,
    pub(super) elements: Table<ElementId, ElementLife>,
    troubles: Vec<Trouble>,
    /// The trips that each alarm is a cause of.
    caused_by: Table<AlarmId, Vec<TripId>>,
    /// The trips that act on each element.
    acting_on: Table<ElementId, Vec<TripId>>,
    /// Trips with a cause that was judged since they last took a step.
    stirred: BTreeSet<TripId>,
    /// Alarms with something running out: the only ones that time alone can move.
    timed: BTreeSet<AlarmId>,
    /// Alarms that nobody has acknowledged in time.
    pub(super) escalated: BTreeSet<AlarmId>,
    pub(super) rates: Rates,
    pub(super) incidents: Incidents,
    pub(super) grades: Grades,
    pub(super) permits: Permits,
    trends: BTreeMap<PointId, Trend>,
    /// When calibration dates and stale alarms are looked at next.
    pub(super) minute_due: Mono,
    /// What was last told of each point.
    pub(super) told: Table<PointId, Option<Reading>>,
    pub(super) snapshot_due: Mono,
}

impl Site {
    /// A judge of `plan` that goes on where the journal says the last one stopped.
    #[must_use]
    pub fn new(plan: Arc<Plan>, standing: &Standing, now: Now) -> Site {
        let (permits, plan) = Permits::restored(plan, standing, now);
        let mut site = Site {
            watch: Watch::new(&plan),
            alarms: plan.alarms.map(|_, a| AlarmLife::restored(standing.alarms.get(&a.key), now)),
            trips: plan.trips.map(|_, t| TripLife::restored(t, standing.trips.get(t.tag.as_str()))),
            elements: plan.elements.map(|_, _| ElementLife::default()),
            troubles: Vec::new(),
            caused_by: trips_by(&plan, &plan.alarms, |trip| &trip.causes),
            acting_on: trips_by(&plan, &plan.elements, |trip| &trip.effects),
            stirred: plan.trips.ids().collect(),
            // Every alarm may have something to run out from before the start; those that haven't drop out at once.
            timed: plan.alarms.ids().collect(),
            escalated: BTreeSet::new(),
            rates: Rates::new(now.mono),
            incidents: Incidents::new(&plan, standing, now),
            grades: Grades::new(&plan, standing),
            permits,
            trends: plan.points.iter().filter_map(|(id, p)| Some((id, Trend::new(p.trend?)))).collect(),
            minute_due: now.mono,
            told: plan.points.map(|_, _| None),
            snapshot_due: now.mono + plan.telemetry.snapshot,
            plan,
        };
        // Trips that stood before the start are demanded before anything is read; they are no news to the journal.
        for id in site.plan.elements.ids() {
            let demand = site.demanded(id);
            site.elements[id].demand(now.mono, demand);
        }
        site.note_alarms();
        site
    }

    /// The demands that stand now, by row number of the element.
    #[must_use]
    pub fn demands(&self) -> Vec<Demand> {
        self.elements.values().map(|e| e.demand).collect()
    }

    /// Takes in one input. Total: a bad world is data, not an error.
    pub fn handle(&mut self, now: Now, input: Input, effects: &mut Effects) {
        let (first, is_tick) = (effects.records.len(), matches!(input, Input::Tick));
        let touched = self.gather(now, input, effects);
        self.judge(now, touched, effects);
        self.act(now, effects);
        self.incidents(now, first, effects);
        // With the tick only: in a flood, areas must not be graded anew for every alarm of it.
        if is_tick {
            self.grade(now, effects);
        }
    }

    // Gather: what is known now, and which alarms that concerns.

    fn gather(&mut self, now: Now, input: Input, effects: &mut Effects) -> BTreeSet<AlarmId> {
        let plan = Arc::clone(&self.plan);
        let mut touched = BTreeSet::new();
        match input {
            Input::Readings { device, readings } => {
                let was_lost = self.watch.devices[device].fault.is_some();
                self.watch.heard(device, &readings);
                for (point, reading) in &readings {
                    if let Some(trend) = self.trends.get_mut(point) {
                        trend.add(reading);
                    }
                    self.touch(*point, &mut touched);
                    self.sample(now, *point, effects);
                }
                touched.insert(plan.devices[device].stale_alarm);
                if was_lost || self.alarms[plan.devices[device].comm_alarm].held() {
                    touched.insert(plan.devices[device].comm_alarm);
                }
                for (id, element) in plan.elements.iter() {
                    if plan.points[element.readback].device != device {
                        continue;
                    }
                    if let Some((_, reading)) = readings.iter().find(|(p, _)| *p == element.readback) {
                        self.elements[id].find(element, reading);
                    }
                }
            }
            Input::NoAnswer { device, fault } => {
                for point in self.watch.not_heard(device, fault, now.mono) {
                    self.touch(point, &mut touched);
                    self.sample(now, point, effects);
                }
                touched.insert(plan.devices[device].comm_alarm);
            }
            Input::Wrote { element, demand, outcome: Ok(()) } => {
                self.elements[element].written(&plan.elements[element], demand);
                self.stir(plan.elements[element].not_confirmed);
            }
            // The line goes on trying; if it takes too long the element's own alarm says so.
            Input::Wrote { outcome: Err(_), .. } => {}
            Input::Order(order) => {
                self.order(now, &order, effects);
                self.stirred.extend(plan.trips.ids());
            }
            Input::Trouble(trouble) => self.trouble(now, trouble, effects),
            Input::Tick => {
                for point in self.watch.sweep(&plan, now.mono) {
                    self.touch(point, &mut touched);
                    self.sample(now, point, effects);
                    let device = &plan.devices[plan.points[point].device];
                    touched.extend([device.comm_alarm, device.stale_alarm]);
                }
                touched.extend(self.timed.iter().copied());
                touched.extend(plan.suppressed.keys());
                self.stirred.extend(plan.trips.ids());
                self.snapshot(now, effects);
                self.nuisances(now, effects);
                self.time_permits(now, effects);
                if now.mono >= self.minute_due {
                    self.minute_due = now.mono + MINUTE;
                    touched
                        .extend(plan.devices.values().filter_map(|d| d.calibration).map(|(_, alarm)| alarm));
                }
            }
        }
        touched
    }

    fn touch(&self, point: PointId, touched: &mut BTreeSet<AlarmId>) {
        touched.extend(self.plan.points[point].alarms.iter().copied());
    }

    /// The trips that `alarm` is a cause of take their next step.
    fn stir(&mut self, alarm: AlarmId) {
        self.stirred.extend(self.caused_by[alarm].iter().copied());
    }

    fn trouble(&mut self, now: Now, trouble: Trouble, effects: &mut Effects) {
        let same = |t: &Trouble| t.code == trouble.code && t.detail == trouble.detail;
        let standing = self.troubles.iter().position(same);
        match (trouble.raised, standing) {
            (true, Some(_)) | (false, None) => return,
            (true, None) => self.troubles.push(trouble.clone()),
            (false, Some(n)) => drop(self.troubles.remove(n)),
        }
        effects.record(now, Body::Trouble(trouble));
    }

    // Judge: every alarm concerned takes a step.

    pub(super) fn judge(&mut self, now: Now, touched: BTreeSet<AlarmId>, effects: &mut Effects) {
        for id in touched {
            self.stir(id);
            self.suppress(now, id, effects);
            let verdict = self.verdict(now, id);
            self.note_peak(id);
            let (alarm, announcing) = (&self.plan.alarms[id], &self.plan.announcing);
            let transition = self.alarms[id].step(now, alarm, announcing, verdict);
            if let Some(transition) = transition {
                self.note_peak(id);
                self.tell_alarm(now, id, transition, None, effects);
                self.count(now, id, transition.cause, effects);
            }
            self.set_timer(id);
            self.observe(now, id);
        }
    }

    /// Whether time alone can move it.
    pub(super) fn set_timer(&mut self, id: AlarmId) {
        if self.alarms[id].is_timed(&self.plan.announcing) {
            self.timed.insert(id);
        } else {
            self.timed.remove(&id);
        }
    }

    fn verdict(&self, now: Now, id: AlarmId) -> Verdict {
        let alarm = &self.plan.alarms[id];
        match alarm.subject {
            Subject::Point(point) => self.verdict_of_point(id, point),
            Subject::Device(device) if alarm.condition == Condition::Stale => self.watch.staleness(device),
            Subject::Device(device) if alarm.condition == Condition::CalibrationDue => {
                let due = self.plan.devices[device].calibration;
                if due.is_some_and(|(due, _)| now.wall >= due) { Verdict::Breach } else { Verdict::Clear }
            }
            Subject::Device(device) => self.watch.silence(device),
            Subject::Element(element) => match self.elements[element].phase {
                Phase::Failed => Verdict::Breach,
                Phase::Idle | Phase::Confirmed => Verdict::Clear,
                Phase::Demanded | Phase::Commanded => Verdict::Unknown,
            },
        }
    }

    fn verdict_of_point(&self, id: AlarmId, point: PointId) -> Verdict {
        let (alarm, row) = (&self.plan.alarms[id], &self.plan.points[point]);
        let (reading, held) = (&self.watch.readings[point], self.alarms[id].held());
        if matches!(alarm.condition, Condition::Rising | Condition::Forecast) {
            let slope = self.trends.get(&point).and_then(Trend::per_minute);
            let ahead = |a: &AlarmId| {
                Some(&self.plan.alarms[*a]).filter(|a| rule::is_forecast_of(a.condition))?.limit
            };
            let goal = row.alarms.iter().filter_map(ahead).map(|limit| limit.set).reduce(f64::min);
            return rule::judge_trend(alarm.condition, alarm.limit, slope, goal, reading, held);
        }
        if alarm.condition == Condition::Deviation {
            let judge = |twin| rule::judge_deviation(alarm.limit, reading, &self.watch.readings[twin], held);
            return row.twin.map_or(Verdict::Unknown, judge);
        }
        rule::judge_point(alarm.condition, alarm.limit, row.decimals, reading, held)
    }

    fn note_peak(&mut self, id: AlarmId) {
        let alarm = &self.plan.alarms[id];
        let Subject::Point(point) = alarm.subject else { return };
        let Some(value) = self.watch.readings[point].value else { return };
        let life = &mut self.alarms[id];
        if life.active() {
            let is_low = matches!(alarm.condition, Condition::Low(_));
            let worse = |peak: f64| if is_low { value.min(peak) } else { value.max(peak) };
            life.peak = Some(life.peak.map_or(value, worse));
        }
    }

    // Act: trips, then the demands that follow from them.

    pub(super) fn act(&mut self, now: Now, effects: &mut Effects) {
        let plan = Arc::clone(&self.plan);
        // A trip moves with its causes, and with time on the tick: a site of hundreds must not count every vote anew
        // for every device that answers.
        for id in std::mem::take(&mut self.stirred) {
            let causes = self.causes(now, id);
            if let Some(votes) = self.trips[id].step(now.mono, &plan.trips[id], &causes) {
                self.trip_due_to(now, id, &causes, &votes, effects);
            }
        }
        for id in plan.elements.ids() {
            self.drive(now, id, effects);
        }
    }

    /// Whether an alarm is a cause of any trip.
    pub(super) fn causes_any(&self, id: AlarmId) -> bool {
        !self.caused_by[id].is_empty()
    }

    pub(super) fn causes(&self, now: Now, id: TripId) -> Vec<Cause> {
        let cause = |alarm_id: &AlarmId| {
            let (alarm, life) = (&self.plan.alarms[*alarm_id], &self.alarms[*alarm_id]);
            let safe = match alarm.subject {
                Subject::Point(p) => {
                    let decimals = self.plan.points[p].decimals;
                    rule::proves_safe(alarm.condition, alarm.limit, decimals, &self.watch.readings[p])
                }
                Subject::Device(_) | Subject::Element(_) => self.verdict(now, *alarm_id) == Verdict::Clear,
            };
            Cause {
                active: life.active().then_some(life.occurred),
                known: self.verdict(now, *alarm_id) != Verdict::Unknown,
                safe,
                unacknowledged: life.unacknowledged(),
            }
        };
        self.plan.trips[id].causes.iter().map(cause).collect()
    }

    fn trip_due_to(&mut self, now: Now, id: TripId, causes: &[Cause], votes: &[Vote], effects: &mut Effects) {
        let trip = &self.plan.trips[id];
        let voting = || trip.causes.iter().zip(causes).zip(votes).filter(|(_, vote)| **vote != Vote::No);
        let key = |alarm: &AlarmId| self.plan.alarms[*alarm].key.clone();
        // Causes that are true come before those that are merely not known; among the true, the earliest.
        let first = voting().min_by_key(|((_, cause), _)| (cause.active.is_none(), cause.active));
        self.trips[id].first_out = first.map(|((alarm, _), _)| key(alarm));
        let told = voting().map(|((alarm, _), vote)| match vote {
            Vote::True | Vote::No => key(alarm),
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

    /// The trips that demand an element now.
    fn demanding(&self, id: ElementId) -> impl Iterator<Item = TripId> {
        self.acting_on[id].iter().copied().filter(|trip| self.trips[*trip].tripped)
    }

    fn demanded(&self, id: ElementId) -> Demand {
        let sounds = self.plan.announcing.siren == Some(id) && !self.escalated.is_empty();
        let stands = self.elements[id].found_tripped || sounds || self.demanding(id).next().is_some();
        if stands { Demand::Trip } else { Demand::None }
    }

    fn drive(&mut self, now: Now, id: ElementId, effects: &mut Effects) {
        let demand = self.demanded(id);
        let plan = Arc::clone(&self.plan);
        let element = &plan.elements[id];
        let position = element::position(element, |p| self.watch.readings[p]);
        let mut news = self.elements[id].demand(now.mono, demand);
        if news {
            effects.demands.push((id, demand));
        }
        news |= self.elements[id].watch(now.mono, element, position);
        if news {
            self.tell_element(now, id, effects);
        }
        // The alarm follows the phase at once: "commanded, not confirmed" must not wait for a tick.
        if news || self.timed.contains(&element.not_confirmed) {
            self.judge(now, BTreeSet::from([element.not_confirmed]), effects);
        }
    }

    fn tell_element(&self, now: Now, id: ElementId, effects: &mut Effects) {
        let (element, life) = (&self.plan.elements[id], &self.elements[id]);
        let change = ElementChange {
            tag: element.tag.to_string(),
            area: self.plan.areas[element.area].tag.to_string(),
            kind: element.kind,
            mode: element.mode,
            demand: life.demand,
            phase: life.phase,
            position: life.position,
            elapsed: life.elapsed(now.mono),
            trips: self.demanding(id).map(|t| self.plan.trips[t].tag.to_string()).collect(),
            text: element::words(element, life),
        };
        effects.record(now, Body::Element(change));
    }

    // What outlives this judge, and what people see of it.

    /// What a later judge of the same or a changed plan has to go on from.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let mut standing = Standing {
            incidents: self.incidents.standing(&self.plan),
            grades: self.grades.standing(&self.plan),
            permits: self.permits.standing(),
            ..Standing::default()
        };
        for (id, life) in self.alarms.iter().filter(|(_, life)| life.occurrence > 0 || life.aside().is_some())
        {
            let alarm = AlarmStanding {
                occurrence: life.occurrence,
                state: life.under(),
                since: life.since,
                aside: life.aside().cloned(),
                occurred: life.occurred_at,
                peak: life.told_peak,
            };
            standing.alarms.insert(self.plan.alarms[id].key.clone(), alarm);
        }
        for (id, life) in self.trips.iter().filter(|(_, life)| life.occurrence > 0) {
            let trip = TripStanding {
                occurrence: life.occurrence,
                tripped: life.tripped,
                first_out: life.first_out.clone(),
            };
            standing.trips.insert(self.plan.trips[id].tag.to_string(), trip);
        }
        standing
    }

    /// What stands in the way of going on under `plan`: a trip that stands, or an element under demand, may not
    /// vanish from the file. It must be reset first.
    #[must_use]
    pub fn objections(&self, plan: &Plan) -> Vec<String> {
        let mut objections = Vec::new();
        for (id, _) in self.trips.iter().filter(|(_, life)| life.tripped) {
            let tag = &self.plan.trips[id].tag;
            if plan.trip(tag.as_str()).is_none() {
                objections
                    .push(format!("trip `{tag}` stands tripped and is not in the new file; reset it first"));
            } else {
                let missing = |e: &ElementId| {
                    let tag = &self.plan.elements[*e].tag;
                    let kept = plan.trips.values().any(|t| {
                        t.tag == self.plan.trips[id].tag
                            && t.effects.iter().any(|n| plan.elements[*n].tag == *tag)
                    });
                    (!kept).then(|| tag.clone())
                };
                for element in self.plan.trips[id].effects.iter().filter_map(missing) {
                    objections.push(format!(
                        "trip `{tag}` holds `{element}` in its safe state and the new file takes it away; reset the trip first"
                    ));
                }
            }
        }
        let held = self.elements.iter().filter(|(_, life)| life.found_tripped);
        for tag in held.map(|(id, _)| &self.plan.elements[id].tag) {
            if !plan.elements.values().any(|e| e.tag == *tag) {
                objections.push(format!(
                    "`{tag}` was found tripped and is held so, and it is not in the new file; reset it first"
                ));
            }
        }
        objections
    }

    /// Goes on under a new plan: states, latches, readings and positions of what has kept its name are kept.
    pub fn replan(&mut self, now: Now, plan: Arc<Plan>, effects: &mut Effects) {
        let mut next = Site::new(Arc::clone(&plan), &self.standing(), now);
        next.watch.take_over(&plan, &self.watch, &self.plan);
        next.troubles = std::mem::take(&mut self.troubles);
        next.rates = self.rates.taken_over(|id| plan.alarm(&self.plan.alarms[id].key));
        for (id, trend) in &mut next.trends {
            let was =
                self.plan.points.find(|p| p.tag == plan.points[*id].tag && p.trend == plan.points[*id].trend);
            if let Some(old) = was.and_then(|was| self.trends.get(&was)) {
                *trend = old.clone();
            }
        }
        self.hand_on_alarms_and_votes(&mut next);
        next.incidents.take_over(&plan, &self.incidents, &self.plan);
        next.permits.take_over(&self.permits);
        next.note_alarms();
        for (id, element) in plan.elements.iter() {
            let Some(was) = self.plan.elements.find(|e| e.tag == element.tag) else { continue };
            if element.is_wired_as(&plan, &self.plan.elements[was], &self.plan) {
                let demand = next.elements[id].demand;
                next.elements[id] = self.elements[was].clone();
                next.elements[id].demand(now.mono, demand);
                next.elements[id].look_again();
            } else {
                // What was confirmed elsewhere is not confirmed here; what a person has not reset still stands.
                next.elements[id].found_tripped = self.elements[was].found_tripped;
            }
        }
        for id in self.plan.alarms.ids().collect::<Vec<_>>() {
            let (from, gone) = (self.alarms[id].state(), plan.alarm(&self.plan.alarms[id].key).is_none());
            if gone && from != AlarmState::Normal {
                self.tell_removed(now, id, Transition { from, cause: AlarmCause::Removed }, effects);
            }
        }
        self.close_removed(now, &plan, effects);
        *self = next;
        let (all, first) = (self.plan.alarms.ids().collect(), effects.records.len());
        self.judge(now, all, effects);
        self.act(now, effects);
        self.incidents(now, first, effects);
        self.grade(now, effects);
    }

    /// Delays that run, peaks, and how long an input has been bad go on: a reload excuses nothing.
    fn hand_on_alarms_and_votes(&self, next: &mut Site) {
        let plan = Arc::clone(&next.plan);
        for (id, alarm) in plan.alarms.iter() {
            if let Some(was) = self.plan.alarm(&alarm.key) {
                next.alarms[id] = self.alarms[was].clone();
            }
        }
        for (id, trip) in plan.trips.iter() {
            let Some(was) = self.plan.trip(trip.tag.as_str()) else { continue };
            let old_causes = self.plan.trips[was].causes.iter();
            let old_keys: Vec<&str> = old_causes.map(|a| self.plan.alarms[*a].key.as_str()).collect();
            let keys = trip.causes.iter().map(|a| plan.alarms[*a].key.as_str());
            next.trips[id].take_over(keys, &self.trips[was], &old_keys);
        }
    }

    /// The latest state of everything.
    #[must_use]
    pub fn view(&self, now: Now) -> View {
        View {
            at: now,
            points: self.watch.readings.clone(),
            alarms: self.alarms.map(|_, life| AlarmView {
                state: life.state(),
                occurrence: life.occurrence,
                since: life.since,
                peak: life.peak,
                aside: life.aside().cloned(),
                escalated: life.escalated,
            }),
            trips: self.trips.map(|_, life| TripView {
                tripped: life.tripped,
                occurrence: life.occurrence,
                first_out: life.first_out.clone(),
                holding: life.is_holding(),
            }),
            elements: self.elements.map(|_, life| ElementView {
                demand: life.demand,
                phase: life.phase,
                position: life.position,
            }),
            devices: self.watch.devices.clone(),
            troubles: self.troubles.clone(),
            rates: self.rates.figures(),
            grades: self.grades.view(),
            incidents: self.incidents.open(now),
            permits: self.permits.standing().into_values().collect(),
        }
    }
}

/// For each row of `table`, the trips that have it in their `list`.
fn trips_by<I: Row, T>(
    plan: &Plan,
    table: &Table<I, T>,
    list: impl Fn(&Trip) -> &Vec<I>,
) -> Table<I, Vec<TripId>> {
    let mut trips = table.map(|_, _| Vec::new());
    for (id, trip) in plan.trips.iter() {
        list(trip).iter().for_each(|row| trips[*row].push(id));
    }
    trips
}
