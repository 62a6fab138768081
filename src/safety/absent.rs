//! What stood before a start and finds no place in the site file now: it goes on record, with what becomes of it, and no
//! output that it held is let go. What a file takes away while the judge works is told where that file is taken.

use super::bypass;
use super::site::{Effects, Site};
use crate::model::alarm::{AlarmCause, AlarmState, Colour};
use crate::model::element::{Demand, Mode};
use crate::model::incident::{IncidentChange, IncidentStep};
use crate::model::plan::Plan;
use crate::model::point::{Fault, Quality, Text, Unit};
use crate::model::record::{
    AlarmChange, AlarmStanding, Body, BypassChange, BypassStep, Record, Standing, TripChange, TripStanding,
};
use crate::model::sign::CalibrationChange;
use crate::model::time::{Mono, Now, Span};
use std::collections::BTreeMap;

/// What is in no plan now, by key. How often it has occurred goes on if it comes back, because no two occurrences may
/// ever have the same number; an element that was demanded is found so.
#[derive(Clone, Debug, Default)]
pub(super) struct Absent {
    pub(super) alarms: BTreeMap<String, AlarmStanding>,
    pub(super) trips: BTreeMap<String, TripStanding>,
    pub(super) demanded: BTreeMap<String, Vec<String>>,
    /// What is to be told of it, until that is told.
    news: Vec<Body>,
}

impl Absent {
    pub(super) fn from(plan: &Plan, standing: &Standing) -> Absent {
        let alarms = standing.alarms.iter().filter(|(key, _)| plan.alarm(key).is_none());
        let trips = standing.trips.iter().filter(|(tag, _)| plan.trip(tag).is_none());
        let has_element = |tag: &str| plan.elements.values().any(|e| e.tag.as_str() == tag);
        let demanded = standing.demanded.iter().filter(|(tag, _)| !has_element(tag));
        Absent {
            alarms: alarms.map(|(key, was)| (key.clone(), was.clone())).collect(),
            trips: trips.map(|(tag, was)| (tag.clone(), was.clone())).collect(),
            demanded: demanded.map(|(tag, trips)| (tag.clone(), trips.clone())).collect(),
            news: news(plan, standing),
        }
    }

    /// Of a reload all but calibrations is told with more than their keys.
    pub(super) fn keep_news_of_calibrations(&mut self) {
        self.news.retain(|body| matches!(body, Body::Calibration(_)));
    }

    /// Takes in what was told of what the file does not have.
    pub(super) fn note<'a>(&mut self, told: impl Iterator<Item = &'a Record>) {
        let mut standing = Standing { alarms: std::mem::take(&mut self.alarms), ..Standing::default() };
        standing.trips = std::mem::take(&mut self.trips);
        told.for_each(|record| standing.apply(record));
        (self.alarms, self.trips) = (standing.alarms, standing.trips);
    }
}

impl Site {
    /// An element that a trip demanded before the start, and that nothing demands under this plan, is held as if it had
    /// been found so: only a person's reset lets it go.
    pub(super) fn hold_what_stood(&mut self, standing: &Standing, now: Mono) {
        for (id, element) in self.plan.elements.iter() {
            let life = &mut self.elements[id];
            let stood = standing.demanded.contains_key(element.tag.as_str());
            life.found_tripped |= stood && life.demand == Demand::None && element.mode == Mode::Act;
        }
        self.demand_what_stands(now);
    }

    /// The first thing that a judge does: it tells what of the last one it does not go on with.
    pub(super) fn tell_absent(&mut self, now: Now, effects: &mut Effects) {
        let first = effects.records.len();
        for body in std::mem::take(&mut self.absent.news) {
            if let Body::Bypass(change) = &body {
                self.bypasses.note_over(now, change);
            }
            effects.record(now, body);
        }
        self.absent.note(effects.records.iter().skip(first));
    }
}

fn news(plan: &Plan, standing: &Standing) -> Vec<Body> {
    let mut news = Vec::new();
    for (tag, was) in standing.trips.iter().filter(|(tag, was)| was.tripped && plan.trip(tag).is_none()) {
        news.push(Body::Trip(trip(plan, standing, tag, was)));
    }
    let stands = |was: &AlarmStanding| was.state != AlarmState::Normal || was.aside.is_some();
    for (key, was) in standing.alarms.iter().filter(|(key, was)| stands(was) && plan.alarm(key).is_none()) {
        news.push(Body::Alarm(alarm(key, was)));
    }
    for (key, told) in &standing.bypasses {
        let cause = plan.alarm(key);
        if cause.is_some_and(|cause| plan.bypassable.contains_key(&cause)) {
            continue;
        }
        let area = cause.map(|cause| plan.areas[plan.alarms[cause].area].tag.to_string());
        news.push(Body::Bypass(BypassChange {
            cause: key.clone(),
            area: area.unwrap_or_default(),
            step: BypassStep::Removed,
            trips: Vec::new(),
            since: told.since,
            until: told.until,
            remaining: told.remaining,
            reason: told.reason.clone(),
            by: told.by.clone(),
            second: told.second.clone(),
            who: None,
            text: bypass::removed(key, cause.is_some()),
        }));
    }
    let is_watched = |tag: &str| plan.watched.points.keys().any(|id| plan.points[*id].tag.as_str() == tag);
    for (tag, was) in standing.calibrations.iter().filter(|(tag, _)| !is_watched(tag)) {
        let Some(left) = was.planned else { continue };
        news.push(Body::Calibration(CalibrationChange {
            point: tag.clone(),
            area: String::new(),
            begun: false,
            planned: left,
            remaining: Span::ZERO,
            by: None,
            text: Text::new(
                "标校结束: 新配置中已无此测点",
                "calibration ends: the new site file no longer has this point",
            ),
        }));
    }
    let has_area = |tag: &str| plan.areas.values().any(|area| area.tag.as_str() == tag);
    for (_, was) in standing.incidents.iter().filter(|(area, _)| !has_area(area)) {
        let Some(incident) = was.open.clone() else { continue };
        let (step, peaks) = (IncidentStep::Closed, Vec::new());
        let text = Text::new(
            "超限结束: 新配置中已无此区域",
            "the incident is closed: the new site file no longer has this area",
        );
        news.push(Body::Incident(IncidentChange { step, incident, peaks, text }));
    }
    news
}

fn alarm(key: &str, was: &AlarmStanding) -> AlarmChange {
    let from = was.aside.as_ref().map_or(was.state, |aside| aside.how.state());
    let mut text = Text::new(
        format!("新配置中已无此报警; 此前为 {}", from.as_str()),
        format!("the new site file no longer has this alarm; it was {}", from.as_str()),
    );
    if let Some(aside) = &was.aside {
        let (by, reason, under) = (&aside.by, &aside.reason, was.state.as_str());
        text = Text::new(
            format!("{} ({by}: {reason}; 其下为 {under})", text.zh),
            format!("{} ({by}: {reason}; underneath {under})", text.en),
        );
    }
    AlarmChange {
        key: key.to_owned(),
        area: String::new(),
        occurrence: was.occurrence,
        from,
        to: AlarmState::Normal,
        cause: AlarmCause::Removed,
        // Its own is in the file that had it.
        colour: Colour::Blue,
        value: None,
        peak: was.peak,
        unit: Unit::State,
        quality: Quality::Bad(Fault::NotHeard),
        set_point: None,
        text,
        action: Text::default(),
        who: None,
        aside: None,
        escalated: was.escalated,
    }
}

fn trip(plan: &Plan, standing: &Standing, tag: &str, was: &TripStanding) -> TripChange {
    let held = standing.demanded.iter().filter(|(_, trips)| trips.iter().any(|trip| trip == tag));
    let in_file =
        |element: &str| plan.elements.values().any(|e| e.tag.as_str() == element && e.mode == Mode::Act);
    let (kept, lost): (Vec<&str>, Vec<&str>) =
        held.map(|(element, _)| element.as_str()).partition(|element| in_file(element));
    let (mut zh, mut en) = ("新配置中已无此联锁, 此前处于动作状态".to_owned(), String::new());
    en.push_str("the new site file no longer has this trip, and it stood tripped");
    if !kept.is_empty() {
        let kept = kept.join(", ");
        zh.push_str(&format!("; {kept} 保持至人工复位"));
        en.push_str(&format!("; {kept} is held until a person resets it"));
    }
    if !lost.is_empty() {
        let lost = lost.join(", ");
        zh.push_str(&format!("; {lost} 不再由本机控制, 输出保持原状"));
        en.push_str(&format!("; {lost} is no longer Davy's to write, and is left as it is"));
    }
    TripChange {
        tag: tag.to_owned(),
        area: String::new(),
        occurrence: was.occurrence,
        tripped: false,
        first_out: was.first_out.clone(),
        causes: Vec::new(),
        effects: kept.into_iter().map(str::to_owned).collect(),
        text: Text::new(zh, en),
        who: None,
    }
}
