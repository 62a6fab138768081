//! Permits: for a while, for hot work or work in a confined space, the set-points of an area or a point are tighter than
//! the site file's. The judge then works from a plan in which those numbers are others; nothing else differs. The
//! lower of two numbers is taken, always: no permit can loosen anything.

use super::bypass::lacks_second;
use super::orders::refuse;
use super::site::{Effects, Site};
use crate::model::alarm::{Condition, Level};
use crate::model::command::Reply;
use crate::model::permit::{Permit, PermitChange, PermitKind, PermitStep, Tightening};
use crate::model::plan::{Limit, Plan, Point};
use crate::model::point::{Displayed, Text};
use crate::model::record::{Body, Standing, Who};
use crate::model::table::{AlarmId, PointId};
use crate::model::time::{Mono, Now, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most permits that run at a time.
const RUNNING_MAX: usize = 64;

/// The least percentage that is taken for meant: a tenth of the file's set-point.
const PERCENT_MIN: u8 = 10;

/// A planned permit of which less is left does not begin: one that has ended must not begin again because the wall clock
/// went a little slower than the other.
const LEFT_MIN: Span = Span::from_secs(60);

/// The permits of a site.
#[derive(Clone, Debug)]
pub(crate) struct Permits {
    /// The plan as the site file says.
    file: Arc<Plan>,
    running: BTreeMap<String, Running>,
}

#[derive(Clone, Debug)]
struct Running {
    permit: Permit,
    ends: Mono,
}

impl Permits {
    /// Goes on where the journal says it stopped; gives the plan to judge by, too.
    pub(crate) fn restored(file: Arc<Plan>, standing: &Standing, now: Now) -> (Permits, Arc<Plan>) {
        let running = |permit: &Permit| {
            let left = permit.until.since(now.wall).min(minutes(permit.minutes));
            Running { permit: permit.clone(), ends: now.mono + left }
        };
        let running = standing.permits.iter().map(|(key, permit)| (key.clone(), running(permit)));
        let permits = Permits { file, running: running.collect() };
        let plan = permits.plan();
        (permits, plan)
    }

    /// Permits end when they would have ended: no clock and no reload prolongs them.
    pub(crate) fn take_over(&mut self, old: &Permits) {
        self.running.clone_from(&old.running);
    }

    /// The plan to judge by.
    fn plan(&self) -> Arc<Plan> {
        if self.running.is_empty() {
            return Arc::clone(&self.file);
        }
        let mut plan = Plan::clone(&self.file);
        for running in self.running.values() {
            for (id, limit) in tightened(&self.file, &running.permit) {
                plan.alarms[id].limit = plan.alarms[id].limit.map(|now| lower(now, limit));
            }
        }
        Arc::new(plan)
    }

    /// What has to survive.
    pub(crate) fn standing(&self) -> BTreeMap<String, Permit> {
        self.running.iter().map(|(key, running)| (key.clone(), running.permit.clone())).collect()
    }
}

fn minutes(n: u32) -> Span {
    Span::from_secs(u64::from(n).saturating_mul(60))
}

fn lower(one: Limit, other: Limit) -> Limit {
    Limit { set: one.set.min(other.set), reset: one.reset.min(other.reset) }
}

/// The gas points that a place means: the point itself, or all of the area.
fn gas_points<'a>(plan: &'a Plan, place: &'a str) -> impl Iterator<Item = (PointId, &'a Point)> {
    plan.points.iter().filter(move |(_, point)| {
        point.gas.is_some() && (point.tag.as_str() == place || plan.areas[point.area].tag.as_str() == place)
    })
}

/// The high set-points of a point, least severe first.
fn highs(plan: &Plan, point: &Point) -> Vec<(AlarmId, Level, Limit)> {
    let high = |id: &AlarmId| match (plan.alarms[*id].condition, plan.alarms[*id].limit) {
        (Condition::High(level), Some(limit)) => Some((*id, level, limit)),
        (_, _) => None,
    };
    let mut highs: Vec<_> = point.alarms.iter().filter_map(high).collect();
    highs.sort_by_key(|(_, level, _)| *level);
    highs
}

/// What a permit makes of set-points: none above the file's, none above that of the next level.
fn tightened(plan: &Plan, permit: &Permit) -> Vec<(AlarmId, Limit)> {
    let mut limits = Vec::new();
    for (_, point) in gas_points(plan, &permit.place) {
        let mut next = f64::INFINITY;
        for (id, level, limit) in highs(plan, point).into_iter().rev() {
            let set = wanted(permit.tighten, level, limit.set).unwrap_or(limit.set).min(limit.set).min(next);
            let set = down(set, point.decimals);
            let reset = match permit.tighten {
                Tightening::Percent(percent) => down(part(limit.reset, percent), point.decimals),
                Tightening::SetPoints { .. } => limit.reset,
            };
            next = set;
            let floor = point.field.range.map_or(0.0, |(bottom, _)| bottom);
            // A value that is never below its reset value could never be reset.
            let reset = if reset > floor { reset.min(set).min(limit.reset) } else { set.min(limit.reset) };
            limits.push((id, Limit { set, reset }));
        }
    }
    limits
}

fn wanted(tighten: Tightening, level: Level, set: f64) -> Option<f64> {
    match tighten {
        Tightening::Percent(percent) => Some(part(set, percent)),
        Tightening::SetPoints { warning, alarm, trip } => match level {
            Level::Warning => warning,
            Level::Alarm => alarm,
            Level::Trip => trip,
        },
    }
}

fn part(value: f64, percent: u8) -> f64 {
    value * f64::from(percent) / 100.0
}

/// Rounded to what the instrument displays, to the safe side.
fn down(value: f64, decimals: u8) -> f64 {
    let steps = 10f64.powi(i32::from(decimals));
    let nearest = (value * steps).round() / steps;
    let is_as_shown =
        Displayed::new(value, decimals) == Displayed::new(nearest, decimals) && nearest <= value;
    if is_as_shown { nearest } else { ((value * steps).floor() / steps).min(value) }
}

impl Site {
    /// A person asks for a permit.
    pub(super) fn permit(
        &mut self,
        now: Now,
        permit: (&str, PermitKind, u32, Tightening, Option<&str>),
        who: &Who,
        effects: &mut Effects,
    ) -> Reply {
        let (place, kind, length, tighten, second) = permit;
        let permit = Permit {
            place: place.to_owned(),
            kind,
            by: who.name.clone(),
            second: second.map(str::to_owned),
            minutes: length,
            until: now.wall.after(minutes(length)),
            tighten,
        };
        let mut against = against(&self.permits.file, &permit);
        if against.is_empty() && second.is_some() {
            against.extend(lacks_second(second, who));
        }
        against.extend(self.against_running(&permit));
        if !against.is_empty() {
            return Reply::Refused(against);
        }
        let key = permit.key();
        let ends = now.mono + minutes(length);
        self.permits.running.insert(key.clone(), Running { permit: permit.clone(), ends });
        self.apply_permits(now, permit, PermitStep::Started, Some(who.clone()), effects);
        Reply::Done(Text::new(
            format!("{key} 已生效, {length} 分钟"),
            format!("{key} is in force for {length} minutes"),
        ))
    }

    fn against_running(&self, permit: &Permit) -> Option<Text> {
        let key = permit.key();
        if self.permits.running.contains_key(&key) {
            return Some(Text::new(
                format!("{key} 已在执行"),
                format!("{key} is in force already: end it first with `davy unpermit {key}`"),
            ));
        }
        (self.permits.running.len() >= RUNNING_MAX).then(|| {
            Text::new(
                format!("同时最多 {RUNNING_MAX} 个作业票"),
                format!("{RUNNING_MAX} permits run already: end one first"),
            )
        })
    }

    /// A person ends a permit before its time.
    pub(super) fn end_permit(&mut self, now: Now, key: &str, who: &Who, effects: &mut Effects) -> Reply {
        if self.permits.file.permits.iter().any(|p| p.permit.key() == key && p.is_due(now.wall)) {
            return refuse(
                format!("{key} 由配置文件规定"),
                format!("{key} is given by the site file: take it out there"),
            );
        }
        let Some(running) = self.permits.running.remove(key) else {
            return refuse(
                format!("没有作业票 {key}"),
                format!("no permit {key} is in force; `davy status` lists them"),
            );
        };
        self.apply_permits(now, running.permit, PermitStep::Ended, Some(who.clone()), effects);
        Reply::Done(Text::new(format!("{key} 已结束"), format!("{key} is ended")))
    }

    /// With the tick: permits whose time has come, and those whose time is over.
    pub(super) fn time_permits(&mut self, now: Now, effects: &mut Effects) {
        let file = Arc::clone(&self.permits.file);
        for planned in file.permits.iter().filter(|planned| planned.is_due(now.wall)) {
            let permit = &planned.permit;
            let left = permit.until.since(now.wall).min(minutes(permit.minutes));
            if left >= LEFT_MIN && self.against_running(permit).is_none() {
                let (ends, permit) = (now.mono + left, permit.clone());
                self.permits.running.insert(permit.key(), Running { permit: permit.clone(), ends });
                self.apply_permits(now, permit, PermitStep::Started, None, effects);
            }
        }
        if self.permits.running.is_empty() {
            return;
        }
        let over = self.permits.running.values().filter(|running| now.mono >= running.ends);
        for key in over.map(|running| running.permit.key()).collect::<Vec<_>>() {
            if let Some(running) = self.permits.running.remove(&key) {
                self.apply_permits(now, running.permit, PermitStep::Expired, None, effects);
            }
        }
    }

    /// Judges by the numbers that go from now on.
    fn apply_permits(
        &mut self,
        now: Now,
        permit: Permit,
        step: PermitStep,
        who: Option<Who>,
        effects: &mut Effects,
    ) {
        self.plan = self.permits.plan();
        let plan = &self.plan;
        let touched: BTreeSet<AlarmId> =
            gas_points(plan, &permit.place).flat_map(|(_, point)| point.alarms.iter().copied()).collect();
        let areas = gas_points(plan, &permit.place).map(|(_, point)| plan.areas[point.area].tag.to_string());
        let area = areas.min().unwrap_or_default();
        let set_point = |id: &AlarmId| Some((plan.alarms[*id].key.clone(), plan.alarms[*id].limit?.set));
        let affected: Vec<AlarmId> = gas_points(plan, &permit.place)
            .flat_map(|(_, point)| highs(plan, point))
            .map(|(id, _, _)| id)
            .collect();
        let set_points = affected.iter().filter_map(set_point).collect();
        let text = words(&permit, step);
        effects.record(now, Body::Permit(PermitChange { permit, area, step, set_points, who, text }));
        self.judge(now, touched, effects);
    }
}

/// Everything that speaks against a permit under a plan, whoever gives it.
#[must_use]
pub fn against(plan: &Plan, permit: &Permit) -> Vec<Text> {
    let mut against = Vec::new();
    if permit.minutes == 0 || permit.minutes > Permit::MINUTES_MAX {
        let max = Permit::MINUTES_MAX;
        against.push(Text::new(
            format!("时长须为 1 至 {max} 分钟"),
            format!("a permit runs for 1 to {max} minutes"),
        ));
    }
    if permit.second.as_ref().is_some_and(|second| second.trim() == permit.by.trim()) {
        against.push(Text::new("第二人须为另一人", "the second person has to be another one"));
    }
    if gas_points(plan, &permit.place).all(|(_, point)| highs(plan, point).is_empty()) {
        let place = &permit.place;
        against.push(Text::new(
            format!("{place} 没有可收紧的气体测点"),
            format!("there is no area or point {place} with a set-point that a permit could tighten"),
        ));
        return against;
    }
    against.extend(match permit.tighten {
        Tightening::Percent(percent) if (PERCENT_MIN..100).contains(&percent) => Vec::new(),
        Tightening::Percent(_) => vec![Text::new(
            format!("须为 {PERCENT_MIN} 至 99 %"),
            format!("a permit tightens to {PERCENT_MIN} to 99 percent of the site file's set-points"),
        )],
        Tightening::SetPoints { .. } => looser(plan, permit),
    });
    if against.is_empty() {
        against.extend(always(plan, permit));
    }
    against
}

/// What speaks against set-points that were given: looser ones, and those for what is not there.
fn looser(plan: &Plan, permit: &Permit) -> Vec<Text> {
    let mut against = Vec::new();
    let Tightening::SetPoints { warning, alarm, trip } = permit.tighten else { return against };
    if [warning, alarm, trip].iter().flatten().count() == 0 {
        against.push(Text::new("须给出限值或百分比", "say by how much: set-points or a percentage"));
    }
    if [warning, alarm, trip].iter().flatten().any(|set| !set.is_finite()) {
        against.push(Text::new("限值须为数值", "a set-point has to be a number"));
        return against;
    }
    let units: BTreeSet<_> = gas_points(plan, &permit.place).map(|(_, point)| point.unit).collect();
    if units.len() > 1 {
        against.push(Text::new(
            format!("{} 的测点单位不同, 请按测点或百分比", permit.place),
            format!("the points of {} are in different units: name a point, or a percentage", permit.place),
        ));
        return against;
    }
    for (level, given) in [(Level::Warning, warning), (Level::Alarm, alarm), (Level::Trip, trip)] {
        let Some(given) = given else { continue };
        let own: Vec<(AlarmId, Limit)> = gas_points(plan, &permit.place)
            .flat_map(|(_, point)| highs(plan, point))
            .filter(|(_, l, _)| *l == level)
            .map(|(id, _, limit)| (id, limit))
            .collect();
        if own.is_empty() {
            let (place, word) = (&permit.place, Condition::High(level));
            against.push(Text::new(
                format!("{place} 没有 {word} 限值"),
                format!("{place} has no {word} set-point"),
            ));
        }
        for (id, limit) in own.into_iter().filter(|(_, limit)| given > limit.set) {
            let (key, set) = (&plan.alarms[id].key, limit.set);
            against.push(Text::new(
                format!("{key}: {given} 比现用限值 {set} 宽松"),
                format!("{key}: {given} is looser than the set-point {set} of the site file"),
            ));
        }
    }
    against
}

/// Set-points that would be reached by clean air.
fn always(plan: &Plan, permit: &Permit) -> Vec<Text> {
    let mut against = Vec::new();
    for (id, limit) in tightened(plan, permit) {
        let range = match plan.alarms[id].subject {
            crate::model::plan::Subject::Point(point) => plan.points[point].field.range,
            crate::model::plan::Subject::Device(_) | crate::model::plan::Subject::Element(_) => None,
        };
        if limit.set <= range.map_or(0.0, |(bottom, _)| bottom.max(0.0)) {
            let key = &plan.alarms[id].key;
            against.push(Text::new(
                format!("{key}: 限值 {} 总是达到", limit.set),
                format!("{key}: a set-point of {} is always reached", limit.set),
            ));
        }
    }
    against
}

fn words(permit: &Permit, step: PermitStep) -> Text {
    let (zh, en) = permit.kind.words();
    let (place, until, by) = (&permit.place, permit.until, &permit.by);
    match step {
        PermitStep::Started => Text::new(
            format!("{place}: {zh}, 限值收紧至 {until} ({by})"),
            format!("{place}: {en}, set-points tightened until {until} ({by})"),
        ),
        PermitStep::Ended => Text::new(
            format!("{place}: {zh}结束, 恢复原限值"),
            format!("{place}: {en} ended, the site file's set-points go again"),
        ),
        PermitStep::Expired => Text::new(
            format!("{place}: {zh}到期, 恢复原限值"),
            format!("{place}: {en} is over its time, the site file's set-points go again"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Extras, Source};
    use crate::model::time::Wall;
    use proptest::prelude::*;

    fn demo() -> Plan {
        let text = include_str!("../../config/demo.toml").to_owned();
        let source = Source { name: "demo.toml".to_owned(), text };
        config::compile(&source, &Extras::default()).unwrap().plan
    }

    fn any_tightening() -> impl Strategy<Value = Tightening> {
        let set = || prop::option::of(prop_oneof![0.0f64..3.0, 0.0f64..300.0, any::<f64>()]);
        prop_oneof![
            any::<u8>().prop_map(Tightening::Percent),
            (set(), set(), set()).prop_map(|(warning, alarm, trip)| Tightening::SetPoints {
                warning,
                alarm,
                trip
            }),
        ]
    }

    proptest! {
        #[test]
        fn no_permit_whatever_it_says_loosens_anything_or_turns_the_order_of_levels(
            permits in prop::collection::vec((0..3usize, any_tightening()), 0..4)
        ) {
            let file = Arc::new(demo());
            let mut running = BTreeMap::new();
            for (n, (place, tighten)) in permits.into_iter().enumerate() {
                let place = ["face", "boiler-house.co", "bottle-room"][place].to_owned();
                let (kind, until) = (PermitKind::HotWork, Wall::from_ms(0));
                let by = String::new();
                let permit = Permit { place, kind, by, second: None, minutes: 1, until, tighten };
                running.insert(n.to_string(), Running { permit, ends: Mono::START });
            }
            let plan = Permits { file: Arc::clone(&file), running }.plan();
            for (id, alarm) in file.alarms.iter() {
                match (alarm.condition, alarm.limit, plan.alarms[id].limit) {
                    (Condition::High(_), Some(was), Some(is)) => {
                        prop_assert!(is.set <= was.set && is.reset <= was.reset, "{} {:?}", alarm.key, is);
                        prop_assert!(is.reset <= is.set, "{} {:?}", alarm.key, is);
                    }
                    (_, was, is) => prop_assert_eq!(was, is, "{}", &alarm.key),
                }
            }
            for (_, point) in plan.points.iter() {
                let highs = highs(&plan, point);
                prop_assert!(highs.is_sorted_by(|(_, _, a), (_, _, b)| a.set <= b.set));
            }
        }

        #[test]
        fn rounding_goes_down_by_less_than_a_step_and_keeps_what_is_displayed_already(
            steps in 0i32..100_000, decimals in 0u8..4, value in 0.0f64..300.0,
        ) {
            let shown = f64::from(steps) / 10f64.powi(i32::from(decimals));
            prop_assert_eq!(down(shown, decimals), shown);
            let rounded = down(value, decimals);
            prop_assert!(rounded <= value && value - rounded < 10f64.powi(-i32::from(decimals)));
        }
    }
}
