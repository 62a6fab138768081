//! How bad an area is: the worst of its inherent risk, its alarms' own colours, and the rules on duration, extent and
//! concentration. Nothing is held here and nothing flickers here: an area is as its alarms are.

use super::incident::is_of_gas;
use super::site::{Effects, Site};
use crate::model::alarm::{AlarmState, Colour, Condition, Level};
use crate::model::element::Phase;
use crate::model::grade::{Grade, GradeChange, GradeRule, Grading, Reason};
use crate::model::plan::{Plan, Subject};
use crate::model::point::{Displayed, Text, Unit};
use crate::model::record::{Body, Standing};
use crate::model::table::{AlarmId, AreaId, PointId, Table};
use crate::model::time::{Mono, Now, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The colours of a site's areas.
#[derive(Clone, Debug)]
pub(crate) struct Grades {
    areas: Table<AreaId, Graded>,
    /// Every area has to be looked at: nothing is known yet.
    all: bool,
}

/// One area.
#[derive(Clone, Debug)]
struct Graded {
    /// Its alarms that are not normal.
    standing: BTreeSet<AlarmId>,
    grade: Grade,
    /// The colour that the journal knows.
    told: Option<Colour>,
}

/// An alarm that stands, as the rules look at it.
struct Stands<'a> {
    key: &'a str,
    condition: Condition,
    colour: Colour,
    /// For how long its condition has held, while it holds.
    active: Option<Span>,
    /// The point, where it is an alarm or trip set-point of a gas.
    gas: Option<PointId>,
    /// Worst value; and in percent by volume, where it is a combustible gas.
    peak: Option<f64>,
    pct_vol: Option<f64>,
    limit: Option<f64>,
}

/// A reason that may turn out not to be the worst, and so is not written out yet.
struct Found<'a> {
    rule: GradeRule,
    key: &'a str,
    value: Option<f64>,
    limit: Option<f64>,
}

impl Found<'_> {
    fn reason(&self) -> Reason {
        Reason { rule: self.rule, key: self.key.to_owned(), value: self.value, limit: self.limit }
    }
}

impl Grades {
    pub(crate) fn new(plan: &Plan, standing: &Standing) -> Grades {
        // Until the first tick it is as it was told last.
        let graded = |area: &crate::model::plan::Area| {
            let told = standing.grades.get(area.tag.as_str()).copied();
            let colour = told.map_or(area.risk, |told| told.min(area.risk));
            Graded { standing: BTreeSet::new(), grade: Grade { colour, why: Vec::new() }, told }
        };
        Grades { areas: plan.areas.map(|_, area| graded(area)), all: true }
    }

    /// An alarm is, or is no longer, back to normal.
    pub(crate) fn note(&mut self, id: AlarmId, area: AreaId, under: AlarmState) {
        let standing = &mut self.areas[area].standing;
        if under == AlarmState::Normal {
            standing.remove(&id);
        } else {
            standing.insert(id);
        }
    }

    /// What has to survive.
    pub(crate) fn standing(&self, plan: &Plan) -> BTreeMap<String, Colour> {
        let told = |(id, graded): (AreaId, &Graded)| Some((plan.areas[id].tag.to_string(), graded.told?));
        self.areas.iter().filter_map(told).collect()
    }

    /// Every area's grade.
    pub(crate) fn view(&self) -> Table<AreaId, Grade> {
        self.areas.map(|_, graded| graded.grade.clone())
    }
}

impl Site {
    /// Areas are graded anew and every change of colour is told. Costs nothing where nothing stands.
    pub(super) fn grade(&mut self, now: Now, effects: &mut Effects) {
        let plan = Arc::clone(&self.plan);
        let in_alarm = self.areas_in_alarm();
        let all = std::mem::take(&mut self.grades.all);
        for (id, area) in plan.areas.iter() {
            let graded = &self.grades.areas[id];
            let was = graded.told.unwrap_or(area.risk);
            if graded.standing.is_empty() && graded.grade.colour == area.risk && was == area.risk && !all {
                continue;
            }
            let in_alarm = if in_alarm.contains(&id) { in_alarm.len() } else { 0 };
            let grade = self.grade_of(now.mono, id, in_alarm);
            let colour = grade.colour;
            if colour != was {
                let text = words(&plan, id, was, &grade);
                let (area, from) = (area.tag.to_string(), was);
                let change = GradeChange { area, from, grade: grade.clone(), text };
                effects.record(now, Body::Grade(change));
                self.grades.areas[id].told = Some(colour);
            }
            self.grades.areas[id].grade = grade;
        }
    }

    /// The areas with a gas point at or above its alarm now.
    fn areas_in_alarm(&self) -> BTreeSet<AreaId> {
        let in_alarm = |(_, graded): &(AreaId, &Graded)| {
            graded.standing.iter().any(|id| self.alarms[*id].active() && is_of_gas(&self.plan, *id))
        };
        self.grades.areas.iter().filter(in_alarm).map(|(id, _)| id).collect()
    }

    fn grade_of(&self, now: Mono, area: AreaId, areas_in_alarm: usize) -> Grade {
        let stands: Vec<Stands<'_>> =
            self.grades.areas[area].standing.iter().map(|id| self.stands(now, *id)).collect();
        let not_confirmed = match stands.iter().any(|s| is_trip(s.condition)) {
            true => self.not_confirmed(area),
            false => None,
        };
        let mut found = rules(&self.plan.grading, &stands, areas_in_alarm, not_confirmed);
        let inherent = self.plan.areas[area].risk;
        found.push((inherent, Found { rule: GradeRule::Risk, key: "", value: None, limit: None }));
        let colour = found.iter().map(|(colour, _)| *colour).min().unwrap_or(inherent);
        let of_colour = found.into_iter().filter(|(c, _)| *c == colour).map(|(_, found)| found.reason());
        Grade { colour, why: of_colour.take(Grade::REASONS_MAX).collect() }
    }

    fn stands(&self, now: Mono, id: AlarmId) -> Stands<'_> {
        let (alarm, life) = (&self.plan.alarms[id], &self.alarms[id]);
        let gas = match alarm.subject {
            Subject::Point(point) if is_of_gas(&self.plan, id) => Some(point),
            Subject::Point(_) | Subject::Device(_) | Subject::Element(_) => None,
        };
        let limit = alarm.limit.map(|limit| limit.set);
        Stands {
            key: &alarm.key,
            condition: alarm.condition,
            colour: if life.escalated { alarm.colour.worse() } else { alarm.colour },
            active: life.active().then(|| life.active_for(now)),
            gas,
            peak: life.past().peak,
            pct_vol: gas.and_then(|point| self.pct_vol(point, alarm.condition, life.past().peak, limit)),
            limit,
        }
    }

    /// The peak in percent by volume, where it is one that may come near the explosive range: a gas that is alarmed well
    /// below that. (Oxygen is not.)
    fn pct_vol(
        &self,
        point: PointId,
        condition: Condition,
        peak: Option<f64>,
        limit: Option<f64>,
    ) -> Option<f64> {
        let row = &self.plan.points[point];
        let lel = || row.gas.as_ref().and_then(|gas| gas.lel_pct_vol);
        let in_pct_vol = |value: f64| match row.unit {
            Unit::PctVol => Some(value),
            Unit::PctLel => Some(value * lel()? / 100.0),
            Unit::Ppm
            | Unit::MetrePerSecond
            | Unit::Kilopascal
            | Unit::Celsius
            | Unit::Percent
            | Unit::MilliAmpere
            | Unit::Number
            | Unit::State => None,
        };
        let red = self.plan.grading.red_pct_vol?;
        let is_near = matches!(condition, Condition::High(_)) && in_pct_vol(limit?)? < red;
        is_near.then_some(peak).flatten().and_then(in_pct_vol)
    }

    /// An element of the area, or one that a trip of the area demands, that was not seen in its safe state in time.
    fn not_confirmed(&self, area: AreaId) -> Option<&str> {
        let failed = |(id, element): &(_, &crate::model::plan::Element)| {
            let demanded = |trip: &crate::model::plan::Trip| trip.area == area && trip.effects.contains(id);
            self.elements[*id].phase == Phase::Failed
                && (element.area == area || self.plan.trips.values().any(demanded))
        };
        self.plan.elements.iter().find(failed).map(|(_, element)| element.tag.as_str())
    }
}

/// The rules, beside the inherent risk: each colour that is reached, with its reason.
fn rules<'a>(
    grading: &Grading,
    stands: &[Stands<'a>],
    areas_in_alarm: usize,
    not_confirmed: Option<&'a str>,
) -> Vec<(Colour, Found<'a>)> {
    let reason = |rule, key: &'a str, value, limit| Found { rule, key, value, limit };
    let mut found = Vec::new();
    let mut points = BTreeSet::new();
    for s in stands {
        found.push((s.colour, reason(GradeRule::Alarm, s.key, s.peak, s.limit)));
        let (Some(point), Some(active)) = (s.gas, s.active) else { continue };
        points.insert(point);
        let minutes = |span: Span| Some(span.minutes());
        if let Some(after) = grading.orange_after.filter(|after| active > *after) {
            let lasting = reason(GradeRule::Lasting, s.key, minutes(active), minutes(after));
            found.push((Colour::Orange, lasting));
        }
        if let Some(after) = grading.red_after.filter(|after| active > *after && is_trip(s.condition)) {
            let lasting = reason(GradeRule::TripLasting, s.key, minutes(active), minutes(after));
            found.push((Colour::Red, lasting));
        }
        // As displayed, as every other set-point is.
        let shown = |value| Displayed::new(value, DECIMALS);
        if let (Some(value), Some(red)) = (s.pct_vol, grading.red_pct_vol)
            && shown(value) >= shown(red)
        {
            found.push((Colour::Red, reason(GradeRule::Concentration, s.key, Some(value), Some(red))));
        }
    }
    if let Some(n) = grading.orange_points.filter(|n| points.len() >= *n) {
        found.push((Colour::Orange, reason(GradeRule::Points, "", count(points.len()), count(n))));
    }
    if let Some(n) = grading.red_areas.filter(|n| areas_in_alarm >= *n) {
        found.push((Colour::Red, reason(GradeRule::Areas, "", count(areas_in_alarm), count(n))));
    }
    if let Some(element) = not_confirmed {
        found.push((Colour::Red, reason(GradeRule::NotConfirmed, element, None, None)));
    }
    found
}

/// Decimals at which percent by volume is compared.
const DECIMALS: u8 = 2;

fn count(n: usize) -> Option<f64> {
    u32::try_from(n).ok().map(f64::from)
}

fn is_trip(condition: Condition) -> bool {
    condition.level() == Some(Level::Trip)
}

fn words(plan: &Plan, area: AreaId, from: Colour, grade: &Grade) -> Text {
    let name = &plan.areas[area].name;
    let because = grade.why.iter().map(because);
    let (zh, en): (Vec<String>, Vec<String>) = because.unzip();
    let (was, is) = (from.words(), grade.colour.words());
    Text::new(
        format!("{}: {} → {}: {}", name.zh, was.0, is.0, zh.join("; ")),
        format!("{}: {} → {}: {}", name.en, was.1, is.1, en.join("; ")),
    )
}

/// A reason in words.
fn because(reason: &Reason) -> (String, String) {
    let key = &reason.key;
    let (value, limit) = (reason.value.unwrap_or_default(), reason.limit.unwrap_or_default());
    match reason.rule {
        GradeRule::Risk => ("固有风险".to_owned(), "its inherent risk".to_owned()),
        GradeRule::Alarm => (format!("报警 {key}"), format!("alarm {key}")),
        GradeRule::Lasting => {
            (format!("{key} 已超过 {limit:.0} 分钟"), format!("{key} for more than {limit:.0} minutes"))
        }
        GradeRule::TripLasting => {
            (format!("{key} 已超过 {limit:.0} 分钟"), format!("{key} for more than {limit:.0} minutes"))
        }
        GradeRule::Points => {
            (format!("{value:.0} 个测点超限"), format!("{value:.0} points over their limits"))
        }
        GradeRule::Areas => (format!("{value:.0} 个区域超限"), format!("{value:.0} areas over their limits")),
        GradeRule::Concentration => (
            format!("{key} 达 {value:.2} %vol (限 {limit:.2})"),
            format!("{key} reached {value:.2} %vol (limit {limit:.2})"),
        ),
        GradeRule::NotConfirmed => {
            (format!("{key} 未确认断开/关闭"), format!("{key} is not confirmed in its safe state"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::table::Row;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    struct Case {
        condition: Condition,
        colour: Colour,
        active_s: Option<u64>,
        point: Option<usize>,
        pct_vol: Option<f64>,
    }

    fn any_case() -> impl Strategy<Value = Case> {
        let conditions = [
            Condition::High(Level::Warning),
            Condition::High(Level::Alarm),
            Condition::High(Level::Trip),
            Condition::Low(Level::Trip),
            Condition::Contact(Level::Trip),
            Condition::CommLost,
        ];
        (
            prop::sample::select(conditions.to_vec()),
            prop::sample::select(Colour::ALL.as_slice()),
            prop::option::of(0..3_000u64),
            prop::option::of(0..4usize),
            prop::option::of(0.0f64..5.0),
        )
            .prop_map(|(condition, colour, active_s, point, pct_vol)| Case {
                condition,
                colour,
                active_s,
                point,
                pct_vol,
            })
    }

    /// The worst colour that is reached, or blue.
    fn worst(grading: &Grading, cases: &[Case], areas: usize, not_confirmed: bool) -> Colour {
        let stands = |case: &Case| Stands {
            key: "p:alarm",
            condition: case.condition,
            colour: case.colour,
            active: case.active_s.map(Span::from_secs),
            gas: case.point.map(PointId::from_usize),
            peak: None,
            pct_vol: case.pct_vol,
            limit: None,
        };
        let stands: Vec<Stands<'static>> = cases.iter().map(stands).collect();
        let found = rules(grading, &stands, areas, not_confirmed.then_some("valve"));
        found.into_iter().map(|(colour, _)| colour).min().unwrap_or(Colour::Blue)
    }

    proptest! {
        #[test]
        fn no_area_is_better_than_its_worst_alarm_and_more_longer_or_wider_is_never_better(
            cases in prop::collection::vec(any_case(), 0..6), more in any_case(), n in 0..6usize,
            areas in 0..4usize, not_confirmed: bool,
        ) {
            let grading = Grading::default();
            let colour = worst(&grading, &cases, areas, not_confirmed);
            prop_assert!(cases.iter().all(|case| colour <= case.colour));
            let with = |change: &dyn Fn(&mut Vec<Case>)| {
                let mut cases = cases.clone();
                change(&mut cases);
                worst(&grading, &cases, areas, not_confirmed)
            };
            prop_assert!(with(&|cases| cases.push(more.clone())) <= colour);
            let longer = |cases: &mut Vec<Case>| {
                if let Some(seconds) = cases.get_mut(n).and_then(|case| case.active_s.as_mut()) {
                    *seconds += 700;
                }
            };
            prop_assert!(with(&longer) <= colour);
            prop_assert!(worst(&grading, &cases, areas + 1, not_confirmed) <= colour);
            prop_assert!(worst(&grading, &cases, areas, true) == Colour::Red);
        }
    }
}
