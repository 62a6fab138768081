//! The judge: gathers what was read, judges it, acts; in this order. One per gateway, because interlocks cross areas.

use super::absent::Absent;
use super::alarm::{AlarmLife, Transition};
use super::bypass::Bypasses;
use super::cause_effect::TripLife;
use super::drive;
use super::element::ElementLife;
use super::grade::Grades;
use super::incident::{Incidents, worst_value};
use super::permit::Permits;
use super::proof_test::{CutOff, Test};
use super::rates::Rates;
use super::refusals::{Refusals, Target};
use super::rule::{self, Verdict};
use super::signs::{Out, Signs};
use super::trend::Trend;
use super::trips;
use super::watch::Watch;
use crate::model::alarm::{AlarmCause, AlarmState, Condition};
use crate::model::command::{Order, Reply};
use crate::model::element::Demand;
use crate::model::line::LineFault;
use crate::model::plan::{Plan, Subject, Trip};
use crate::model::point::Reading;
use crate::model::record::{AlarmStanding, Body, Record, Sample, Standing, TripStanding, Trouble};
use crate::model::table::{AlarmId, DeviceId, ElementId, Lists, PointId, Row, Table, TripId};
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
    /// A device did not take what shows it that somebody watches, or took it again.
    Watchdog {
        /// Whose.
        device: DeviceId,
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
    pub(super) bypasses: Bypasses,
    pub(super) signs: Signs,
    pub(super) refusals: Refusals,
    pub(super) test: Option<Test>,
    pub(super) cut_off: Option<CutOff>,
    troubles: Vec<Trouble>,
    /// The trips that look at each alarm.
    caused_by: Lists<AlarmId, TripId>,
    /// The trips that act on each element.
    pub(super) acting_on: Lists<ElementId, TripId>,
    /// The elements that each element is the backup of.
    pub(super) backs_up: Lists<ElementId, ElementId>,
    /// Trips with a cause that was judged since they last took a step.
    stirred: BTreeSet<TripId>,
    /// Elements that a device says something of.
    elements_at: Lists<DeviceId, ElementId>,
    /// Elements of which something was heard, or of which something else is demanded, since they last took a step.
    pub(super) moved: BTreeSet<ElementId>,
    /// Elements with something running out: the only ones that time alone can move.
    pub(super) waiting: BTreeSet<ElementId>,
    /// Trips with a cause that is active or not known: the only ones that time alone can move.
    restless: BTreeSet<TripId>,
    /// Alarms with something running out: the only ones that time alone can move.
    timed: BTreeSet<AlarmId>,
    /// Alarms that nobody has acknowledged in time.
    pub(super) escalated: BTreeSet<AlarmId>,
    pub(super) rates: Rates,
    /// Devices past their calibration date.
    overdue: BTreeSet<DeviceId>,
    pub(super) incidents: Incidents,
    pub(super) grades: Grades,
    pub(super) permits: Permits,
    trends: BTreeMap<PointId, Trend>,
    /// When calibration dates and stale alarms are looked at next.
    pub(super) minute_due: Mono,
    /// What was last told of each point.
    pub(super) told: Table<PointId, Option<Reading>>,
    pub(super) snapshot_due: Mono,
    /// When the first judge of this run began; a reload is no start.
    pub(super) started: Mono,
    /// What this plan does not have.
    pub(super) absent: Absent,
    /// Nothing has come in yet.
    fresh: bool,
}

impl Site {
    /// A judge of `plan` that goes on where the journal says the last one stopped.
    #[must_use]
    pub fn new(plan: Arc<Plan>, standing: &Standing, now: Now) -> Site {
        let (permits, plan) = Permits::restored(plan, standing, now);
        let mut site = Site {
            watch: Watch::new(&plan),
            alarms: plan.alarms.map(|_, a| AlarmLife::restored(standing.alarms.get(&a.key), now)),
            trips: plan.trips.map(|_, t| {
                let start = |input| trips::start(&plan, standing, t, input, now);
                TripLife::restored(t, standing.trips.get(t.tag.as_str()), start)
            }),
            elements: plan.elements.map(|_, e| ElementLife::restored(e.tag.as_str(), standing)),
            bypasses: Bypasses::restored(&plan, standing, now),
            signs: Signs::new(&plan, standing, now),
            refusals: Refusals::default(),
            test: None,
            cut_off: standing.test.clone().map(CutOff::new),
            troubles: Vec::new(),
            caused_by: trips_by(&plan, &plan.alarms, |trip| trip.inputs().collect()),
            acting_on: trips_by(&plan, &plan.elements, |trip| trip.effects.clone()),
            backs_up: drive::backs_up(&plan),
            stirred: plan.trips.ids().collect(),
            elements_at: drive::elements_at(&plan),
            moved: plan.elements.ids().collect(),
            waiting: BTreeSet::new(),
            restless: BTreeSet::new(),
            // Every alarm may have something to run out from before the start; those that haven't drop out at once.
            timed: plan.alarms.ids().collect(),
            escalated: BTreeSet::new(),
            rates: Rates::new(now.mono),
            overdue: BTreeSet::new(),
            incidents: Incidents::new(&plan, standing, now),
            grades: Grades::new(&plan, standing),
            permits,
            trends: plan.points.iter().filter_map(|(id, p)| Some((id, Trend::new(p.trend?)))).collect(),
            minute_due: now.mono,
            told: plan.points.map(|_, _| None),
            snapshot_due: now.mono + plan.telemetry.snapshot,
            started: now.mono,
            absent: Absent::from(&plan, standing),
            fresh: true,
            plan,
        };
        site.note_escalated();
        // Trips that stood before the start are demanded before anything is read; they are no news to the journal.
        site.demand_what_stands(now.mono);
        site.hold_what_stood(standing, now.mono);
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
        self.begin(now, effects);
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

    /// Before anything else: what of the last judge's this one does not go on with.
    fn begin(&mut self, now: Now, effects: &mut Effects) {
        if std::mem::take(&mut self.fresh) {
            self.tell_absent(now, effects);
            self.keep_one_out(now, effects);
        }
    }

    // Gather: what is known now, and which alarms that concerns.

    fn gather(&mut self, now: Now, input: Input, effects: &mut Effects) -> BTreeSet<AlarmId> {
        let plan = Arc::clone(&self.plan);
        let mut touched = BTreeSet::new();
        match input {
            Input::Readings { device, mut readings } => {
                self.signs.mark(&mut readings);
                let was_lost = self.watch.devices[device].fault.is_some();
                self.watch.heard(&plan, device, &mut readings, |point| self.signs.is_excused(point));
                for (point, reading) in &readings {
                    if let Some(trend) = self.trends.get_mut(point) {
                        trend.add(reading);
                    }
                    self.read(now, *point, &mut touched, effects);
                }
                touched.insert(plan.devices[device].stale_alarm);
                if was_lost || self.alarms[plan.devices[device].comm_alarm].held() {
                    touched.insert(plan.devices[device].comm_alarm);
                }
                for id in &self.elements_at[device] {
                    let element = &plan.elements[*id];
                    if let Some((_, reading)) = readings.iter().find(|(p, _)| *p == element.readback) {
                        self.elements[*id].find(element, reading);
                    }
                    self.moved.insert(*id);
                }
            }
            Input::NoAnswer { device, fault } => {
                for point in self.watch.not_heard(device, fault, now.mono) {
                    self.read(now, point, &mut touched, effects);
                }
                touched.extend([plan.devices[device].comm_alarm, plan.devices[device].stale_alarm]);
                self.moved.extend(self.elements_at[device].iter().copied());
            }
            Input::Wrote { element, demand, outcome: Ok(()) } => {
                self.elements[element].written(now.mono, &plan.elements[element], demand);
                self.stir(plan.elements[element].not_confirmed);
                self.moved.insert(element);
                self.wrote(now, Target::Element(element, demand), Ok(()), effects);
            }
            // The line goes on trying; if it takes too long the element's own alarm says so.
            Input::Wrote { element, demand, outcome: Err(fault) } => {
                self.elements[element].not_written(demand);
                self.wrote(now, Target::Element(element, demand), Err(fault), effects);
            }
            Input::Watchdog { device, outcome } => {
                self.wrote(now, Target::Watchdog(device), outcome, effects);
            }
            Input::Order(order) => {
                self.order(now, &order, effects);
                self.stirred.extend(plan.trips.ids());
                self.moved.extend(plan.elements.ids());
            }
            Input::Trouble(trouble) => self.trouble(now, trouble, effects),
            Input::Tick => {
                for point in self.watch.sweep(&plan, now.mono) {
                    self.read(now, point, &mut touched, effects);
                    let id = plan.points[point].device;
                    let device = &plan.devices[id];
                    touched.extend([device.comm_alarm, device.stale_alarm]);
                    self.moved.extend(self.elements_at[id].iter().copied());
                }
                touched.extend(self.timed.iter().copied());
                touched.extend(plan.suppressed.keys());
                self.step_bypasses(now, &mut touched, effects);
                self.stirred.extend(self.restless.iter().copied());
                self.moved.extend(self.waiting.iter().copied());
                self.snapshot(now, effects);
                let readings = &self.watch.readings;
                let mut out = Out { now, plan: &plan, readings, effects, touched: &mut touched };
                if let Some(trouble) = self.signs.tick(&self.elements, &mut out) {
                    self.trouble(now, trouble, effects);
                }
                self.nuisances(now, effects);
                self.time_permits(now, effects);
                if now.mono >= self.minute_due {
                    self.minute_due = now.mono + MINUTE;
                    self.calibrations(now, &mut touched);
                    self.proofs(now, &mut touched);
                }
            }
        }
        touched
    }

    /// Looks at the calibration dates: they move by the day, on the wall clock.
    fn calibrations(&mut self, now: Now, touched: &mut BTreeSet<AlarmId>) {
        let plan = Arc::clone(&self.plan);
        for (device, row) in plan.devices.iter() {
            let Some((due, alarm)) = row.calibration else { continue };
            touched.insert(alarm);
            if now.wall >= due {
                self.overdue.insert(device);
            } else {
                self.overdue.remove(&device);
            }
        }
    }

    /// A point reads something else, or the same again: alarms, telemetry and signs look at it.
    fn read(&mut self, now: Now, point: PointId, touched: &mut BTreeSet<AlarmId>, effects: &mut Effects) {
        touched.extend(self.plan.points[point].alarms.iter().copied());
        self.sample(now, point, effects);
        let readings = &self.watch.readings;
        self.signs.heard(point, &mut Out { now, plan: &self.plan, readings, effects, touched });
    }

    /// The trips that look at `alarm` take their next step.
    fn stir(&mut self, alarm: AlarmId) {
        self.stirred.extend(self.caused_by[alarm].iter().copied());
    }

    /// A trouble stands that is on record already: until the next start, or until it is told to be over.
    pub fn note_standing(&mut self, trouble: Trouble) {
        let same = |t: &Trouble| t.code == trouble.code && t.detail == trouble.detail;
        if trouble.raised && !self.troubles.iter().any(same) {
            self.troubles.push(trouble);
        }
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
            let verdict = self.verdict(id);
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

    pub(super) fn verdict(&self, id: AlarmId) -> Verdict {
        let alarm = &self.plan.alarms[id];
        if alarm.condition == Condition::BypassActive {
            return if self.bypasses.alarms(&self.plan, id) { Verdict::Breach } else { Verdict::Clear };
        }
        match alarm.subject {
            subject if alarm.condition == Condition::Anomaly => self.signs.verdict(subject),
            Subject::Point(point) => self.verdict_of_point(id, point),
            Subject::Device(device) if alarm.condition == Condition::Stale => self.watch.staleness(device),
            Subject::Device(device) if alarm.condition == Condition::CalibrationDue => {
                if self.overdue.contains(&device) { Verdict::Breach } else { Verdict::Clear }
            }
            Subject::Device(device) => self.watch.silence(device),
            Subject::Element(element) => {
                self.elements[element].verdict(alarm.condition, &self.plan.elements[element])
            }
        }
    }

    fn verdict_of_point(&self, id: AlarmId, point: PointId) -> Verdict {
        let (alarm, row) = (&self.plan.alarms[id], &self.plan.points[point]);
        let (reading, held) = (&self.watch.readings[point], self.alarms[id].active());
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
        if alarm.condition == Condition::SensorFault && self.watch.is_never_ready(point) {
            return Verdict::Breach;
        }
        rule::judge_point(alarm.condition, alarm.limit, row.decimals, reading, held)
    }

    fn note_peak(&mut self, id: AlarmId) {
        let alarm = &self.plan.alarms[id];
        let Subject::Point(point) = alarm.subject else { return };
        if alarm.condition == Condition::BypassActive {
            return;
        }
        let range = self.plan.points[point].field.range;
        let Some(value) = worst_value(&self.watch.readings[point], range) else { return };
        let life = &mut self.alarms[id];
        if life.active() {
            let is_low = matches!(alarm.condition, Condition::Low(_));
            let worse = |peak: f64| if is_low { value.min(peak) } else { value.max(peak) };
            let peak = &mut life.past_mut().peak;
            *peak = Some(peak.map_or(value, worse));
        }
    }

    // Act: trips, then the demands that follow from them.

    pub(super) fn act(&mut self, now: Now, effects: &mut Effects) {
        let plan = Arc::clone(&self.plan);
        // A trip moves with its causes, an element with its trips and its contacts, and both with time on the tick: a
        // site of hundreds must not count every vote anew for every device that answers.
        for id in std::mem::take(&mut self.stirred) {
            let inputs = self.inputs(id);
            self.restless.insert(id);
            if inputs.iter().all(|input| input.known && input.active.is_none()) {
                self.restless.remove(&id);
            }
            if let Some(votes) = self.trips[id].step(now.mono, &plan.trips[id], &inputs) {
                self.trip_due_to(now, id, &inputs, &votes, effects);
                self.moved.extend(plan.trips[id].effects.iter().copied());
            }
        }
        // An element's own alarm may escalate on the way, and the siren with it.
        while let Some(id) = self.moved.pop_first() {
            self.drive(now, id, effects);
        }
        self.step_test(now, effects);
    }

    /// Whether an alarm is a cause of any trip.
    pub(super) fn causes_any(&self, id: AlarmId) -> bool {
        !self.caused_by[id].is_empty()
    }

    // What outlives this judge, and what people see of it.

    /// What a later judge of the same or a changed plan has to go on from.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let mut standing = Standing {
            incidents: self.incidents.standing(&self.plan),
            grades: self.grades.standing(&self.plan),
            permits: self.permits.standing(),
            alarms: self.absent.alarms.clone(),
            trips: self.absent.trips.clone(),
            demanded: self.absent.demanded.clone(),
            ..Standing::default()
        };
        for (id, life) in self.alarms.iter().filter(|(_, life)| life.occurrence > 0 || life.aside().is_some())
        {
            let alarm = AlarmStanding {
                occurrence: life.occurrence,
                state: life.under(),
                since: life.past().since,
                aside: life.aside().cloned(),
                occurred: life.past().occurred_at,
                announced: life.past().announced_at,
                escalated: life.escalated,
                peak: life.past().told_peak,
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
        let demanded = self.elements.iter().filter(|(_, life)| !life.trips.is_empty());
        let demanded =
            demanded.map(|(id, life)| (self.plan.elements[id].tag.to_string(), life.trips.clone()));
        standing.demanded.extend(demanded);
        standing.bypasses = self.bypasses.standing(&self.plan);
        standing.bypassed.clone_from(self.bypasses.over());
        self.signs.standing(&self.plan, &mut standing);
        standing.failed = self.failed();
        self.standing_proofs(&mut standing);
        standing
    }

    /// Goes on under a new plan: states, latches, readings and positions of what has kept its name are kept.
    pub fn replan(&mut self, now: Now, plan: Arc<Plan>, effects: &mut Effects) {
        self.begin(now, effects);
        self.abort_test(now, effects);
        let mut next = Site::new(Arc::clone(&plan), &self.standing(), now);
        next.watch.take_over(&plan, &self.watch, &self.plan);
        next.signs.take_over(&plan, &mut self.signs, &self.plan);
        next.troubles = std::mem::take(&mut self.troubles);
        next.rates = self.rates.taken_over(|id| plan.alarm(&self.plan.alarms[id].key));
        for (id, trend) in &mut next.trends {
            let was =
                self.plan.points.find(|p| p.tag == plan.points[*id].tag && p.trend == plan.points[*id].trend);
            if let Some(old) = was.and_then(|was| self.trends.get(&was)) {
                *trend = old.clone();
            }
        }
        next.started = self.started;
        self.hand_on_alarms_and_votes(&mut next);
        self.hand_on_bypasses(now, &mut next, effects);
        next.incidents.take_over(&plan, &self.incidents, &self.plan);
        next.permits.take_over(&self.permits);
        next.note_alarms();
        for (id, element) in plan.elements.iter() {
            let Some(was) = self.plan.elements.find(|e| e.tag == element.tag) else { continue };
            if element.is_wired_as(&plan, &self.plan.elements[was], &self.plan) {
                let demand = next.demanded(id);
                next.elements[id] = self.elements[was].clone();
                next.elements[id].demand(now.mono, demand);
                next.elements[id].look_again();
            } else {
                // What was confirmed elsewhere is not confirmed here; what a person has not reset still stands.
                next.elements[id].found_tripped = self.elements[was].found_tripped;
            }
        }
        let first = effects.records.len();
        for id in self.plan.alarms.ids().collect::<Vec<_>>() {
            let (from, gone) = (self.alarms[id].state(), plan.alarm(&self.plan.alarms[id].key).is_none());
            if gone && from != AlarmState::Normal {
                self.tell_removed(now, id, Transition { from, cause: AlarmCause::Removed }, effects);
            }
        }
        next.absent.note(effects.records.iter().skip(first));
        next.absent.keep_news_of_calibrations();
        self.close_removed(now, &plan, effects);
        *self = next;
        self.begin(now, effects);
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
        next.note_escalated();
        for (id, trip) in plan.trips.iter() {
            let Some(was) = self.plan.trip(trip.tag.as_str()) else { continue };
            let old_inputs = self.plan.trips[was].inputs();
            let old_keys: Vec<&str> = old_inputs.map(|a| self.plan.alarms[a].key.as_str()).collect();
            let keys = trip.inputs().map(|a| plan.alarms[a].key.as_str());
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
                since: life.past().since,
                peak: life.past().peak,
                aside: life.aside().cloned().map(Box::new),
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
            bypasses: self.bypasses.view(now.mono),
            testing: self.test.as_ref().map(|test| test.target.clone()),
            cut_off: self.cut_off.as_ref().map(|cut| cut.test.target.clone()),
            grades: self.grades.view(),
            incidents: self.incidents.open(now),
            permits: self.permits.standing().into_values().collect(),
            lines: Vec::new(),
        }
    }
}

/// For each row of `table`, the trips that have it in their `list`.
fn trips_by<I: Row, T>(plan: &Plan, table: &Table<I, T>, list: impl Fn(&Trip) -> Vec<I>) -> Lists<I, TripId> {
    let mut trips = table.map(|_, _| Vec::new());
    for (id, trip) in plan.trips.iter() {
        list(trip).into_iter().for_each(|row| trips[row].push(id));
    }
    Lists::of(trips)
}
