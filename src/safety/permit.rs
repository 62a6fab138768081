//! Permits: for a while, for hot work or work in a confined space, the set-points of an area or a point are tighter than
//! the site file's. The judge then works from a plan in which those numbers are others; nothing else differs. The
//! tighter of two numbers is taken, always: no permit can loosen anything.

use super::bypass::lacks_second;
use super::orders::refuse;
use super::site::{Effects, Site};
use crate::model::alarm::{Basis, Condition};
use crate::model::command::Reply;
use crate::model::permit::{Permit, PermitChange, PermitKind, PermitStep, SetPoints, Tightening};
use crate::model::plan::{Limit, Plan, Point};
use crate::model::point::{Displayed, Text};
use crate::model::record::{Body, Standing, Who};
use crate::model::table::{AlarmId, AreaId, PointId};
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

    /// A permit in force in an area, or at a point of it.
    pub(super) fn touching(&self, plan: &Plan, area: AreaId) -> Option<&str> {
        let touches = |place: &str| {
            plan.areas[area].tag.as_str() == place
                || plan.points.values().any(|point| point.area == area && point.tag.as_str() == place)
        };
        let mut running = self.running.iter();
        running.find(|(_, running)| touches(&running.permit.place)).map(|(key, _)| key.as_str())
    }

    /// Permits end when they would have ended: no clock and no reload prolongs them.
    pub(crate) fn take_over(&mut self, old: &Permits) {
        self.running.clone_from(&old.running);
    }

    /// The plan as the site file says, without what permits tighten for a while.
    pub(super) fn file(&self) -> &Plan {
        &self.file
    }

    /// The plan to judge by.
    fn plan(&self) -> Arc<Plan> {
        if self.running.is_empty() {
            return Arc::clone(&self.file);
        }
        let mut plan = Plan::clone(&self.file);
        for running in self.running.values() {
            for (id, limit) in tightened(&self.file, &running.permit) {
                let alarm = &mut plan.alarms[id];
                alarm.limit = alarm.limit.map(|now| tighter(alarm.condition, now, limit));
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

fn tighter(condition: Condition, one: Limit, other: Limit) -> Limit {
    match Side::of(condition) {
        Some(Side::Low) => Limit { set: one.set.max(other.set), reset: one.reset.max(other.reset) },
        Some(Side::High) | None => Limit { set: one.set.min(other.set), reset: one.reset.min(other.reset) },
    }
}

/// On which side of its set-points a gas is dangerous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    High,
    Low,
}

impl Side {
    fn of(condition: Condition) -> Option<Side> {
        match condition.basis() {
            Basis::Above => condition.level().map(|_| Side::High),
            Basis::Below => Some(Side::Low),
            Basis::Contact | Basis::Expected | Basis::Sensor | Basis::Range | Basis::More => None,
        }
    }
}

/// The gas points that a place means: the point itself, or all of the area.
fn gas_points<'a>(plan: &'a Plan, place: &'a str) -> impl Iterator<Item = (PointId, &'a Point)> {
    plan.points.iter().filter(move |(_, point)| {
        point.gas.is_some() && (point.tag.as_str() == place || plan.areas[point.area].tag.as_str() == place)
    })
}

/// The set-points of a point on one side, least severe first.
fn levels(plan: &Plan, point: &Point, side: Side) -> Vec<(AlarmId, Condition, Limit)> {
    let level = |id: &AlarmId| {
        let alarm = &plan.alarms[*id];
        Some((*id, alarm.condition, alarm.limit?)).filter(|_| Side::of(alarm.condition) == Some(side))
    };
    let mut levels: Vec<_> = point.alarms.iter().filter_map(level).collect();
    levels.sort_by_key(|(_, condition, _)| condition.level());
    levels
}

/// What a permit is about: points with the side of their set-points. Of gas that is dangerous when there is little, as
/// oxygen, it is the low side, and the high one only where that very point is named: what is meant for methane would
/// have its clean air in alarm.
fn about<'a>(plan: &'a Plan, permit: &'a Permit) -> impl Iterator<Item = (&'a Point, Side)> {
    let (high, low) = match permit.tighten {
        Tightening::Percent(_) => (true, false),
        Tightening::SetPoints(set_points) => {
            let given = |side: Side| {
                let of_side = |(_, condition, given): (_, Condition, Option<f64>)| {
                    given.is_some() && Side::of(condition) == Some(side)
                };
                set_points.entries().into_iter().any(of_side)
            };
            (given(Side::High), given(Side::Low))
        }
    };
    gas_points(plan, &permit.place).flat_map(move |(_, point)| {
        let has_low = !levels(plan, point, Side::Low).is_empty();
        let named = point.tag.as_str() == permit.place;
        let high = (high && (named || !has_low)).then_some((point, Side::High));
        let low = (low && has_low).then_some((point, Side::Low));
        high.into_iter().chain(low)
    })
}

/// What a permit makes of set-points: none laxer than the file's, none laxer than that of the next level.
fn tightened(plan: &Plan, permit: &Permit) -> Vec<(AlarmId, Limit)> {
    let mut limits = Vec::new();
    for (point, side) in about(plan, permit) {
        // Low set-points are high ones in a mirror.
        let sign = if side == Side::Low { -1.0 } else { 1.0 };
        let floor = point.field.range.map(|(bottom, top)| if side == Side::Low { -top } else { bottom });
        let floor = floor.unwrap_or(if side == Side::Low { f64::NEG_INFINITY } else { 0.0 });
        let mut next = f64::INFINITY;
        for (id, condition, limit) in levels(plan, point, side).into_iter().rev() {
            let file = Limit { set: sign * limit.set, reset: sign * limit.reset };
            let (set, reset) = match permit.tighten {
                Tightening::Percent(percent) => (part(file.set, percent), part(file.reset, percent)),
                Tightening::SetPoints(given) => {
                    (given.of(condition).map_or(file.set, |set| sign * set), file.reset)
                }
            };
            let set = down(set.min(file.set).min(next), point.decimals);
            let reset = match permit.tighten {
                Tightening::Percent(_) => down(reset, point.decimals),
                Tightening::SetPoints(_) => reset,
            };
            next = set;
            // A value that is never below its reset value could never be reset.
            let reset = if reset > floor { reset.min(set).min(file.reset) } else { set.min(file.reset) };
            limits.push((id, Limit { set: sign * set, reset: sign * reset }));
        }
    }
    limits
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
        let affected: BTreeSet<AlarmId> =
            tightened(&self.permits.file, &permit).into_iter().map(|(id, _)| id).collect();
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
    let given = match permit.tighten {
        Tightening::Percent(_) => true,
        Tightening::SetPoints(given) => given.entries().iter().any(|(_, _, given)| given.is_some()),
    };
    if !given {
        against.push(Text::new("须给出限值或百分比", "say by how much: set-points or a percentage"));
        return against;
    }
    if about(plan, permit).all(|(point, side)| levels(plan, point, side).is_empty()) {
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
        Tightening::SetPoints(given) => looser(plan, permit, given),
    });
    if against.is_empty() {
        against.extend(always(plan, permit));
    }
    against
}

/// What speaks against set-points that were given: looser ones, and those for what is not there.
fn looser(plan: &Plan, permit: &Permit, given: SetPoints) -> Vec<Text> {
    let mut against = Vec::new();
    let given = given.entries().into_iter().filter_map(|(_, condition, set)| Some((condition, set?)));
    let given: Vec<(Condition, f64)> = given.collect();
    if given.iter().any(|(_, set)| !set.is_finite()) {
        against.push(Text::new("限值须为数值", "a set-point has to be a number"));
        return against;
    }
    let units: BTreeSet<_> = about(plan, permit).map(|(point, _)| point.unit).collect();
    if units.len() > 1 {
        against.push(Text::new(
            format!("{} 的测点单位不同, 请按测点或百分比", permit.place),
            format!("the points of {} are in different units: name a point, or a percentage", permit.place),
        ));
        return against;
    }
    for (condition, given) in given {
        let own: Vec<(AlarmId, Limit)> = about(plan, permit)
            .filter(|(_, side)| Side::of(condition) == Some(*side))
            .flat_map(|(point, side)| levels(plan, point, side))
            .filter(|(_, c, _)| *c == condition)
            .map(|(id, _, limit)| (id, limit))
            .collect();
        if own.is_empty() {
            let place = &permit.place;
            against.push(Text::new(
                format!("{place} 没有 {condition} 限值"),
                format!("{place} has no {condition} set-point"),
            ));
        }
        let is_looser = |limit: Limit| match condition.basis() {
            Basis::Below => given < limit.set,
            Basis::Above | Basis::Contact | Basis::Expected | Basis::Sensor | Basis::Range | Basis::More => {
                given > limit.set
            }
        };
        for (id, limit) in own.into_iter().filter(|(_, limit)| is_looser(*limit)) {
            let (key, set) = (&plan.alarms[id].key, limit.set);
            against.push(Text::new(
                format!("{key}: {given} 比现用限值 {set} 宽松"),
                format!("{key}: {given} is looser than the set-point {set} of the site file"),
            ));
        }
    }
    against
}

/// Set-points that would be reached by clean air: beyond the sensor's range, or beyond one of the other side.
fn always(plan: &Plan, permit: &Permit) -> Vec<Text> {
    let tight: BTreeMap<AlarmId, Limit> = tightened(plan, permit).into_iter().collect();
    let mut against = Vec::new();
    for (point, side) in about(plan, permit) {
        let other = if side == Side::Low { Side::High } else { Side::Low };
        let set = |(id, _, limit): (AlarmId, Condition, Limit)| tight.get(&id).map_or(limit.set, |l| l.set);
        let others = || levels(plan, point, other).into_iter().map(set);
        for (id, _, limit) in levels(plan, point, side) {
            let set = set((id, Condition::Lock, limit));
            let is_always = match side {
                Side::High => {
                    let bottom = point.field.range.map_or(0.0, |(bottom, _)| bottom.max(0.0));
                    set <= others().fold(bottom, f64::max)
                }
                Side::Low => {
                    let top = point.field.range.map_or(f64::INFINITY, |(_, top)| top);
                    set >= others().fold(top, f64::min)
                }
            };
            if is_always {
                let key = &plan.alarms[id].key;
                against.push(Text::new(
                    format!("{key}: 限值 {set} 总是达到"),
                    format!("{key}: a set-point of {set} is always reached"),
                ));
            }
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
        // With an oxygen point in the face.
        let oxygen = "[[gas]]\nid = \"oxygen\"\n\n[[device]]\nid = \"face-o2\"\nbus = \"face\"\nunit = 77\n\
                      profile = \"gas-float\"\narea = \"face\"\n\n[[point]]\nid = \"face.o2\"\ndevice = \"face-o2\"\nsignal = \"value\"\n\
                      gas = \"oxygen\"\nset_points = { unit = \"%vol\", low_warning = 20.0, low_alarm = 19.5, \
                      low_trip = 18.0, alarm = 23.5 }\n\n[[gas]]";
        let text = include_str!("../../config/demo.toml").replacen("[[gas]]", oxygen, 1);
        let source = Source { name: "demo.toml".to_owned(), text };
        config::compile(&source, &Extras::default()).unwrap().plan
    }

    fn any_tightening() -> impl Strategy<Value = Tightening> {
        let set = || prop::option::of(prop_oneof![0.0f64..3.0, 0.0f64..300.0, any::<f64>()]);
        prop_oneof![
            any::<u8>().prop_map(Tightening::Percent),
            ((set(), set(), set()), (set(), set(), set())).prop_map(
                |((warning, alarm, trip), (low_warning, low_alarm, low_trip))| {
                    let given = SetPoints { warning, alarm, trip, low_warning, low_alarm, low_trip };
                    Tightening::SetPoints(given)
                }
            ),
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
                    (Condition::Low(_), Some(was), Some(is)) => {
                        prop_assert!(is.set >= was.set && is.reset >= was.reset, "{} {:?}", alarm.key, is);
                        prop_assert!(is.reset >= is.set, "{} {:?}", alarm.key, is);
                    }
                    (_, was, is) => prop_assert_eq!(was, is, "{}", &alarm.key),
                }
            }
            for (_, point) in plan.points.iter() {
                let highs = levels(&plan, point, Side::High);
                prop_assert!(highs.is_sorted_by(|(_, _, a), (_, _, b)| a.set <= b.set));
                let lows = levels(&plan, point, Side::Low);
                prop_assert!(lows.is_sorted_by(|(_, _, a), (_, _, b)| a.set >= b.set));
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
