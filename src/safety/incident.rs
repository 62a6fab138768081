//! Overlimit incidents: one at a time in an area, from the first crossing of an alarm or trip set-point of a gas point
//! there until every such alarm is back to normal, reset where it is held.
//!
//! Every step first counts the time since the last one under what was seen then, and then looks anew: between two
//! readings a value counts as what was read last. What is not known counts neither as over nor as under, and so does the
//! time without power.

use super::rule::{self, Verdict};
use super::site::{Effects, Site};
use crate::model::alarm::{AlarmCause, AlarmState, Condition, Level};
use crate::model::element::{Demand, ElementKind, Phase, Position};
use crate::model::incident::{
    Acknowledgement, Action, ActionWhat, Incident, IncidentChange, IncidentStanding, IncidentStep, OverPoint,
};
use crate::model::plan::{Plan, Subject};
use crate::model::point::{Doubt, Quality, Reading, Text};
use crate::model::record::{Body, Record, Standing, Who};
use crate::model::table::{AlarmId, AreaId, ElementId, Table};
use crate::model::time::{Mono, Now, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a power cut may take from the record. What was done and by whom is told at once: each is a record of its own
/// anyway, and no more are kept than [`Incident::ACTIONS_MAX`]. A new peak, a crossing and a point that is no longer seen
/// are told at most this often: a peak only ever gets worse, by what a display shows, so that its range is the bound.
const TOLD_SOON: Span = Span::from_secs(1);

/// How long it is over grows with every tick: it is told whenever it has grown by so much of itself, in percent, and at
/// least once a minute.
const TOLD_GROWN_PCT: u64 = 10;
const TOLD_EVERY: Span = Span::from_secs(60);

/// What is told while nothing changes, so that a restart knows until when the points were watched.
const TOLD_ANYWAY: Span = Span::from_secs(600);

/// The incidents of a site.
#[derive(Clone, Debug)]
pub(crate) struct Incidents {
    /// Alarms that make an incident: those at an alarm or trip set-point of a gas point.
    makes: Table<AlarmId, bool>,
    areas: Table<AreaId, Life>,
    /// Areas with an incident, open or about to be.
    going_on: BTreeSet<AreaId>,
}

/// The incidents of one area.
#[derive(Clone, Debug, Default)]
struct Life {
    number: u32,
    /// From the first crossing on. It is open once its number is that of the area: until then no alarm has come of it.
    incident: Option<Incident>,
    /// What the journal knows of it.
    told: Option<Incident>,
    meters: BTreeMap<AlarmId, Meter>,
    /// The alarms that make incidents and are not normal.
    standing: BTreeSet<AlarmId>,
    /// Until when time was counted.
    counted: Mono,
    /// A load was seen live that the area lives on.
    live: bool,
    news: News,
    /// When the journal was told last.
    told_at: Mono,
    /// See [`production_loads`].
    loads: BTreeSet<ElementId>,
}

/// What there is to tell, and how long it can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
enum News {
    /// Nothing but that it goes on.
    #[default]
    None,
    /// Sums have grown.
    Grown,
    /// A new peak, a crossing, or a point that is no longer seen.
    Soon,
    /// Something was done.
    Now,
}

/// What is counted of one limit.
#[derive(Clone, Debug)]
struct Meter {
    seen: Seen,
    /// Where its figures are in the incident, if they still found room.
    row: Option<usize>,
}

/// What was seen last.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Over { value: f64, limit: f64 },
    Under,
    Nothing,
}

impl Incidents {
    pub(crate) fn new(plan: &Plan, standing: &Standing, now: Now) -> Incidents {
        let mut incidents = Incidents {
            makes: plan.alarms.map(|id, _| is_of_gas(plan, id)),
            areas: plan.areas.map(|_, _| Life::default()),
            going_on: BTreeSet::new(),
        };
        for (id, area) in plan.areas.iter() {
            incidents.areas[id].loads = production_loads(plan, id);
            if let Some(was) = standing.incidents.get(area.tag.as_str()) {
                incidents.areas[id].restore(plan, was, now);
                if was.open.is_some() {
                    incidents.going_on.insert(id);
                }
            }
        }
        incidents
    }

    /// Goes on with what `old` counted, under the row numbers of another plan.
    pub(crate) fn take_over(&mut self, plan: &Plan, old: &Incidents, old_plan: &Plan) {
        for (id, area) in plan.areas.iter() {
            let Some(was) = old_plan.areas.find(|a| a.tag == area.tag) else { continue };
            let life = &mut self.areas[id];
            let loads = std::mem::take(&mut life.loads);
            *life = Life { loads, standing: BTreeSet::new(), ..old.areas[was].clone() };
            // What is no longer the limit of a point here would never be looked at again.
            let is_kept = |alarm: &AlarmId| plan.alarms[*alarm].area == id && is_limit(plan, *alarm);
            let renumbered = |(alarm, meter): (&AlarmId, &Meter)| {
                let alarm = plan.alarm(&old_plan.alarms[*alarm].key).filter(is_kept)?;
                Some((alarm, meter.clone()))
            };
            life.meters = old.areas[was].meters.iter().filter_map(renumbered).collect();
            if old.going_on.contains(&was) {
                self.going_on.insert(id);
            }
        }
    }

    /// An alarm is, or is no longer, back to normal.
    pub(crate) fn note(&mut self, id: AlarmId, area: AreaId, under: AlarmState) {
        if !self.makes[id] {
            return;
        }
        let standing = &mut self.areas[area].standing;
        if under == AlarmState::Normal {
            standing.remove(&id);
        } else {
            standing.insert(id);
        }
    }

    /// What has to survive: what the journal knows.
    pub(crate) fn standing(&self, plan: &Plan) -> BTreeMap<String, IncidentStanding> {
        let known = self.areas.iter().filter(|(_, life)| life.number > 0);
        known
            .map(|(id, life)| {
                let standing = IncidentStanding { number: life.number, open: life.told.clone() };
                (plan.areas[id].tag.to_string(), standing)
            })
            .collect()
    }

    /// The incidents that are open.
    pub(crate) fn open(&self, now: Now) -> Vec<Incident> {
        let open = self.going_on.iter().filter_map(|area| self.areas[*area].opened());
        open.map(|incident| Incident { at: now.wall, ..incident.clone() }).collect()
    }
}

/// Whether an alarm is at an alarm or trip set-point of a gas point.
pub(crate) fn is_of_gas(plan: &Plan, id: AlarmId) -> bool {
    let alarm = &plan.alarms[id];
    let over = Level::Alarm..=Level::Trip;
    let at_limit =
        matches!(alarm.condition, Condition::High(level) | Condition::Low(level) if over.contains(&level));
    at_limit && matches!(alarm.subject, Subject::Point(point) if plan.points[point].gas.is_some())
}

/// Whether an alarm is the limit of its point, that an incident begins at: the alarm, or the trip where there is none.
#[must_use]
pub fn is_limit(plan: &Plan, id: AlarmId) -> bool {
    let first = |point| {
        let own: &Vec<AlarmId> = &plan.points[point].alarms;
        let is_low = |id: AlarmId| matches!(plan.alarms[id].condition, Condition::Low(_));
        let same = own.iter().filter(|a| is_of_gas(plan, **a) && is_low(**a) == is_low(id));
        same.min_by_key(|a| plan.alarms[**a].condition)
    };
    matches!(plan.alarms[id].subject, Subject::Point(point) if first(point) == Some(&id))
}

/// The loads that production in an area lives on: its own, and those elsewhere that its alarms cut.
#[must_use]
pub fn production_loads(plan: &Plan, area: AreaId) -> BTreeSet<ElementId> {
    let is_load = |id: &ElementId| plan.elements[*id].kind == ElementKind::Load;
    let own = plan.elements.iter().filter(|(_, element)| element.area == area).map(|(id, _)| id);
    let trips = plan.trips.values().filter(|t| t.causes.iter().any(|c| plan.alarms[*c].area == area));
    own.chain(trips.flat_map(|trip| trip.effects.iter().copied())).filter(is_load).collect()
}

impl Life {
    fn restore(&mut self, plan: &Plan, was: &IncidentStanding, now: Now) {
        self.number = was.number;
        self.told = was.open.clone();
        self.incident = was.open.clone();
        self.counted = now.mono;
        self.told_at = now.mono;
        let Some(incident) = &mut self.incident else { return };
        // Nobody can say what was between the last that was told and this start.
        let gap = now.wall.since(incident.at);
        (incident.lasted, incident.at) = (incident.lasted + gap, now.wall);
        for (row, point) in incident.points.iter_mut().enumerate() {
            let Some(id) = plan.points.find(|p| p.tag.as_str() == point.point) else { continue };
            let is_low = |id: &AlarmId| matches!(plan.alarms[*id].condition, Condition::Low(_)) == point.low;
            let limit = plan.points[id].alarms.iter().find(|a| is_low(a) && is_limit(plan, **a));
            if let Some(limit) = limit {
                point.unseen = point.unseen + gap;
                self.meters.insert(*limit, Meter { seen: Seen::Nothing, row: Some(row) });
            }
        }
        // The next restart counts from here.
        self.tell(News::Soon);
    }

    fn tell(&mut self, news: News) {
        self.news = self.news.max(news);
    }

    fn is_due(&self, now: Mono) -> bool {
        let over = self.incident.as_ref().map_or(Span::ZERO, |incident| incident.over);
        let grown = Span::from_us(over.us().saturating_mul(TOLD_GROWN_PCT) / 100);
        let wait = match self.news {
            News::Now => Span::ZERO,
            News::Soon => TOLD_SOON,
            News::Grown => grown.clamp(TOLD_SOON, TOLD_EVERY),
            News::None => TOLD_ANYWAY,
        };
        now.since(self.told_at) >= wait
    }

    /// The incident, once an alarm has come of it.
    fn opened(&self) -> Option<&Incident> {
        self.incident.as_ref().filter(|incident| incident.number == self.number && self.number > 0)
    }

    fn is_over(&self) -> bool {
        self.meters.values().any(|meter| matches!(meter.seen, Seen::Over { .. }))
    }

    /// Counts the time until `now` under what was seen last.
    fn count(&mut self, now: Mono) {
        let gone = now.since(self.counted);
        self.counted = self.counted.max(now);
        let (is_over, live) = (self.is_over(), self.live);
        let Some(incident) = &mut self.incident else { return };
        incident.lasted = incident.lasted + gone;
        if is_over && gone > Span::ZERO {
            incident.over = incident.over + gone;
            incident.live = incident.live + if live { gone } else { Span::ZERO };
            self.news = self.news.max(News::Grown);
        }
        for meter in self.meters.values() {
            let Some(point) = meter.row.and_then(|row| incident.points.get_mut(row)) else { continue };
            match meter.seen {
                Seen::Over { value, limit } => {
                    point.over = point.over + gone;
                    point.sum += value * gone.minutes();
                    point.beyond += (value - limit).abs() * gone.minutes();
                }
                Seen::Under => {}
                Seen::Nothing => point.unseen = point.unseen + gone,
            }
        }
    }

    /// A limit was looked at.
    fn see(&mut self, now: Now, id: AlarmId, seen: Seen, crossing: impl FnOnce() -> OverPoint) {
        if let Seen::Over { value, .. } = seen {
            let incident = self.incident.get_or_insert_with(|| Incident {
                began: now.wall,
                at: now.wall,
                ..Incident::default()
            });
            let row = match self.meters.get(&id) {
                Some(meter) => meter.row,
                None => {
                    self.news = self.news.max(News::Soon);
                    let room = incident.points.len() < Incident::POINTS_MAX;
                    let row = room.then_some(incident.points.len());
                    if room {
                        incident.points.push(OverPoint { after: incident.lasted, ..crossing() });
                    } else {
                        incident.more_points = incident.more_points.saturating_add(1);
                    }
                    self.meters.insert(id, Meter { seen, row });
                    row
                }
            };
            if let Some(point) = row.and_then(|row| incident.points.get_mut(row))
                && if point.low { value < point.peak } else { value > point.peak }
            {
                (point.peak, point.peak_at) = (value, now.wall);
                self.news = self.news.max(News::Soon);
            }
        }
        if let Some(meter) = self.meters.get_mut(&id) {
            if std::mem::discriminant(&meter.seen) != std::mem::discriminant(&seen) {
                self.news = self.news.max(News::Soon);
            }
            meter.seen = seen;
        }
    }

    fn acknowledged(&mut self, now: Now, key: &str, occurrence: u32, who: &Who) {
        let Some(incident) = &mut self.incident else { return };
        if incident.acknowledgements.len() >= Incident::ACTIONS_MAX {
            incident.more_acknowledgements = incident.more_acknowledgements.saturating_add(1);
            self.tell(News::Grown);
            return;
        }
        let (after, who) = (incident.lasted, who.clone());
        let key = key.to_owned();
        incident.acknowledgements.push(Acknowledgement { key, occurrence, who, after, at: now.wall });
        self.tell(News::Now);
    }

    /// Takes in what Davy did, if it belongs to this incident.
    fn take(&mut self, area: &str, keys: &[&str], record: &Record) {
        let Some(incident) = &self.incident else { return };
        let acted_on = |tag: &str| incident.actions.iter().any(|a| a.tag == tag);
        let (tag, what, is_ours) = match &record.body {
            Body::Trip(t) if t.tripped => {
                let ours = t.area == area || t.causes.iter().any(|cause| keys.contains(&cause.as_str()));
                (&t.tag, ActionWhat::Tripped, ours)
            }
            Body::Trip(t) => (&t.tag, ActionWhat::Reset, acted_on(&t.tag)),
            Body::Element(e) if e.demand == Demand::Trip => {
                let what = match e.phase {
                    Phase::Confirmed => ActionWhat::Confirmed,
                    Phase::Failed => ActionWhat::Failed,
                    Phase::Idle | Phase::Demanded | Phase::Commanded => ActionWhat::Demanded,
                };
                let last = incident.actions.iter().rev().find(|a| a.tag == e.tag);
                let is_new = last.is_none_or(|a| a.what != what);
                (&e.tag, what, is_new && e.trips.iter().any(|trip| acted_on(trip)))
            }
            Body::Element(_)
            | Body::Started(_)
            | Body::Ended { .. }
            | Body::Config(_)
            | Body::Alarm(_)
            | Body::Command(_)
            | Body::Trouble(_)
            | Body::Gap(_)
            | Body::Nuisance(_)
            | Body::AlarmRates(_)
            | Body::Incident(_)
            | Body::Grade(_)
            | Body::Permit(_)
            | Body::Bypass(_)
            | Body::Anomaly(_)
            | Body::Calibration(_)
            | Body::ProofTest(_)
            | Body::ProofTestBegun(_)
            | Body::Identity(_)
            | Body::Write(_) => return,
        };
        if is_ours {
            let action = Action { tag: tag.clone(), what, after: incident.lasted, at: record.at.wall };
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        let Some(incident) = &mut self.incident else { return };
        if incident.actions.len() < Incident::ACTIONS_MAX {
            incident.actions.push(action);
            self.tell(News::Now);
        } else {
            incident.more_actions = incident.more_actions.saturating_add(1);
            self.tell(News::Grown);
        }
    }
}

impl Site {
    /// Looks at an alarm's point, if the alarm is a limit of one.
    pub(super) fn observe(&mut self, now: Now, id: AlarmId) {
        let alarm = &self.plan.alarms[id];
        let going_on = self.incidents.going_on.contains(&alarm.area);
        if !self.incidents.makes[id] || !going_on && !self.alarms[id].held() {
            return;
        }
        let (Subject::Point(point), Some(limit)) = (alarm.subject, alarm.limit) else { return };
        if !is_limit(&self.plan, id) {
            return;
        }
        let (row, reading, low) = (
            &self.plan.points[point],
            self.watch.readings[point],
            matches!(alarm.condition, Condition::Low(_)),
        );
        let value = worst_value(&reading, row.field.range).unwrap_or(limit.set);
        // As if nothing stood: between set-point and reset value it is not over.
        let seen = match rule::judge_point(alarm.condition, alarm.limit, row.decimals, &reading, false) {
            Verdict::Breach => Seen::Over { value, limit: limit.set },
            Verdict::Clear => Seen::Under,
            Verdict::Unknown => Seen::Nothing,
        };
        let life = &mut self.incidents.areas[alarm.area];
        life.count(now.mono);
        life.see(now, id, seen, || OverPoint {
            point: row.tag.to_string(),
            unit: row.unit,
            set_point: limit.set,
            low,
            after: Span::ZERO,
            peak: value,
            peak_at: now.wall,
            over: Span::ZERO,
            sum: 0.0,
            beyond: 0.0,
            unseen: Span::ZERO,
        });
        if life.incident.is_some() {
            self.incidents.going_on.insert(alarm.area);
        }
    }

    /// Incidents and grades learn of every alarm where it stands.
    pub(super) fn note_alarms(&mut self) {
        for (id, alarm) in self.plan.alarms.iter() {
            let under = self.alarms[id].under();
            self.grades.note(id, alarm.area, under);
            self.incidents.note(id, alarm.area, under);
        }
    }

    /// An alarm has moved: what incidents and grades have to know of it.
    pub(super) fn alarm_moved(&mut self, now: Now, id: AlarmId, cause: AlarmCause, who: Option<&Who>) {
        let (alarm, life) = (&self.plan.alarms[id], &self.alarms[id]);
        self.grades.note(id, alarm.area, life.under());
        self.incidents.note(id, alarm.area, life.under());
        if let (AlarmCause::Acknowledged, Some(who), true) = (cause, who, self.incidents.makes[id]) {
            let area = &mut self.incidents.areas[alarm.area];
            area.count(now.mono);
            area.acknowledged(now, &alarm.key, life.occurrence, who);
        }
    }

    /// After everything else: incidents count on, open, close and are told. `first` is the first record of this step.
    pub(super) fn incidents(&mut self, now: Now, first: usize, effects: &mut Effects) {
        let plan = Arc::clone(&self.plan);
        for area in self.incidents.going_on.clone() {
            let life = &mut self.incidents.areas[area];
            life.count(now.mono);
            life.live = life.loads.iter().any(|id| self.elements[*id].position == Position::Unsafe);
            let keys: Vec<&str> = life.standing.iter().map(|id| plan.alarms[*id].key.as_str()).collect();
            for record in effects.records.get(first..).unwrap_or_default() {
                life.take(plan.areas[area].tag.as_str(), &keys, record);
            }
            let alarms = life.standing.iter().any(|id| self.alarms[*id].active());
            let step = match (life.opened().is_some(), life.standing.is_empty()) {
                (true, true) => IncidentStep::Closed,
                (true, false) if life.is_due(now.mono) => IncidentStep::Updated,
                (true, false) => continue,
                (false, _) if alarms => IncidentStep::Opened,
                (false, _) => {
                    if !life.is_over() {
                        self.forget(now, area);
                    }
                    continue;
                }
            };
            self.tell_incident(now, area, step, effects);
            if step == IncidentStep::Closed {
                self.forget(now, area);
            }
        }
    }

    /// Nothing goes on any more, or something new does.
    fn forget(&mut self, now: Now, area: AreaId) {
        let life = &mut self.incidents.areas[area];
        (life.incident, life.news) = (None, News::None);
        let limits = std::mem::take(&mut life.meters);
        self.incidents.going_on.remove(&area);
        for limit in limits.into_keys() {
            self.observe(now, limit);
        }
    }

    fn tell_incident(&mut self, now: Now, area: AreaId, step: IncidentStep, effects: &mut Effects) {
        let plan = Arc::clone(&self.plan);
        let life = &mut self.incidents.areas[area];
        let Some(incident) = &mut life.incident else { return };
        if step == IncidentStep::Opened {
            life.number = life.number.saturating_add(1);
            incident.number = life.number;
            incident.area = plan.areas[area].tag.to_string();
        }
        incident.at = now.wall;
        (life.news, life.told_at) = (News::None, now.mono);
        let told = incident.clone();
        life.told = (step != IncidentStep::Closed).then(|| told.clone());
        let mut peaks = Vec::new();
        let kept = life.meters.iter().filter(|(_, meter)| meter.row.is_some());
        for point in kept.filter_map(|(id, _)| match plan.alarms[*id].subject {
            Subject::Point(point) => Some(point),
            Subject::Device(_) | Subject::Element(_) => None,
        }) {
            for id in &plan.points[point].alarms {
                let alarm = &mut self.alarms[*id];
                if let Some(peak) = alarm.past().peak.filter(|_| alarm.active()) {
                    alarm.past_mut().told_peak = Some(peak);
                    peaks.push((plan.alarms[*id].key.clone(), peak));
                }
            }
        }
        let text = words(&plan, area, step, &told);
        effects.record(now, Body::Incident(IncidentChange { step, incident: told, peaks, text }));
    }

    /// The incidents of areas that a new plan no longer has are over.
    pub(super) fn close_removed(&mut self, now: Now, plan: &Plan, effects: &mut Effects) {
        for area in self.incidents.going_on.clone() {
            let tag = &self.plan.areas[area].tag;
            if plan.areas.find(|a| a.tag == *tag).is_none() && self.incidents.areas[area].opened().is_some() {
                self.incidents.areas[area].count(now.mono);
                self.tell_incident(now, area, IncidentStep::Closed, effects);
            }
        }
    }
}

/// The value to go by. A reading beyond the sensor's range is at least at its end, whatever it shows.
pub(super) fn worst_value(reading: &Reading, range: Option<(f64, f64)>) -> Option<f64> {
    match (reading.quality, range) {
        (Quality::Uncertain(Doubt::OverRange), Some((_, top))) => {
            Some(reading.value.map_or(top, |value| value.max(top)))
        }
        (Quality::Uncertain(Doubt::UnderRange), Some((bottom, _))) => {
            Some(reading.value.map_or(bottom, |value| value.min(bottom)))
        }
        (_, _) => reading.value,
    }
}

fn words(plan: &Plan, area: AreaId, step: IncidentStep, incident: &Incident) -> Text {
    let name = &plan.areas[area].name;
    let (zh, en) = match step {
        IncidentStep::Opened => ("超限开始", "over the limit"),
        IncidentStep::Updated => ("超限持续", "still over the limit, or not yet reset"),
        IncidentStep::Closed => ("超限结束", "all alarms of the incident are back to normal"),
    };
    let Some(worst) = incident.worst() else {
        return Text::new(format!("{}: {zh}", name.zh), format!("{}: {en}", name.en));
    };
    let decimals = plan.points.find(|p| p.tag.as_str() == worst.point).map_or(2, |p| plan.points[p].decimals);
    let (point, unit, places) = (&worst.point, worst.unit, usize::from(decimals));
    let (peak, limit, over) = (worst.peak, worst.set_point, incident.over);
    Text::new(
        format!(
            "{}: {zh}; {point} 峰值 {peak:.places$} {unit} (限值 {limit:.places$}), 超限 {over}",
            name.zh
        ),
        format!(
            "{}: {en}; {point} peaked at {peak:.places$} {unit} (limit {limit:.places$}), over for {over}",
            name.en
        ),
    )
}
