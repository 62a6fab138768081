//! Proof tests: the demand that a trip would make, for as long as it takes to see it obeyed, measured, and let go again.
//!
//! A test is a demand of its own beside those of trips. So a trip that comes meanwhile takes over what the test has
//! begun, and nothing that a trip holds is let go at a test's end. One test at a time. A restart ends it, and says so:
//! what it had written is then found tripped, and held until a person resets. A real demand that moves an element all the
//! way in its time, and was measured, is as good as a test.

use super::element::ElementLife;
use super::orders::refuse;
use super::site::{Effects, Site};
use crate::model::alarm::{Basis, Condition};
use crate::model::command::Reply;
use crate::model::element::{Demand, ElementKind, Mode, Phase, Position, TestKind, TestResult};
use crate::model::plan::{Element, Subject};
use crate::model::point::{Displayed, Text};
use crate::model::record::{Body, ProofTestBegun, ProofTestDone, Standing, StrokeFound, TestStanding, Who};
use crate::model::table::{AlarmId, AreaId, ElementId};
use crate::model::time::{Mono, Now, Span, Wall};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A supervised element has failed when its travel limit is over; a test that is told nothing ends so much later.
const MARGIN: Span = Span::from_secs(1);

/// A test under way.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) target: String,
    area: AreaId,
    kind: TestKind,
    who: Who,
    since: Wall,
    until: Mono,
    /// What is tested, with whether it passed, once that is known.
    subjects: Vec<(ElementId, Option<bool>)>,
}

/// A test that was under way when the last run ended.
#[derive(Clone, Debug)]
pub(crate) struct CutOff {
    pub(crate) test: TestStanding,
    told: bool,
}

impl CutOff {
    pub(crate) fn new(test: TestStanding) -> CutOff {
        CutOff { test, told: false }
    }
}

impl Test {
    pub(crate) fn demands(&self, id: ElementId) -> bool {
        self.subjects.iter().any(|(subject, _)| *subject == id)
    }
}

impl Site {
    pub(super) fn proof_test(
        &mut self,
        now: Now,
        target: &str,
        kind: TestKind,
        who: &Who,
        effects: &mut Effects,
    ) -> Reply {
        let found = match kind {
            TestKind::Interlock => {
                let trip = self.plan.trip(target).map(|id| &self.plan.trips[id]);
                trip.map(|trip| (trip.area, trip.effects.clone()))
            }
            TestKind::Full | TestKind::Partial | TestKind::Demand => {
                let element = self.plan.elements.find(|e| e.tag.as_str() == target);
                element.map(|id| (self.plan.elements[id].area, vec![id]))
            }
        };
        let Some((area, subjects)) = found else {
            return match kind {
                TestKind::Interlock => {
                    refuse(format!("没有联锁 {target}"), format!("there is no trip {target}"))
                }
                TestKind::Full | TestKind::Partial | TestKind::Demand => refuse(
                    format!("没有执行元件 {target}"),
                    format!("there is no valve, load, siren or lock {target}"),
                ),
            };
        };
        let mut lacks: Vec<Text> = subjects.iter().flat_map(|id| self.test_lacks(*id, kind)).collect();
        if kind == TestKind::Demand {
            lacks.push(Text::new("真实动作不能由人下令", "a real demand is not for a person to order"));
        }
        if let Some(test) = &self.test {
            let other = &test.target;
            lacks.push(Text::new(
                format!("{other} 正在试验"),
                format!("{other} is under test: one at a time"),
            ));
        }
        if !lacks.is_empty() {
            return Reply::Refused(lacks);
        }
        let longest =
            subjects.iter().map(|id| self.plan.elements[*id].travel_limit).max().unwrap_or_default();
        self.test = Some(Test {
            target: target.to_owned(),
            area,
            kind,
            who: who.clone(),
            since: now.wall,
            until: now.mono + longest + MARGIN,
            subjects: subjects.into_iter().map(|id| (id, None)).collect(),
        });
        self.tell_cut_off(now, effects);
        self.cut_off = None;
        let begun = ProofTestBegun {
            target: target.to_owned(),
            area: self.plan.areas[area].tag.to_string(),
            kind,
            who: who.clone(),
            text: Text::new(format!("{target} 试验开始"), format!("the test of {target} has begun")),
        };
        effects.record(now, Body::ProofTestBegun(begun));
        Reply::Done(Text::new(
            format!("{target} 试验开始, 结果见记录"),
            format!("the test of {target} has begun; its result goes on record"),
        ))
    }

    /// What stands against testing one element.
    fn test_lacks(&self, id: ElementId, kind: TestKind) -> Vec<Text> {
        let (element, life) = (&self.plan.elements[id], &self.elements[id]);
        let tag = &element.tag;
        let mut lacks = Vec::new();
        let mut lack =
            |zh: &str, en: &str| lacks.push(Text::new(format!("{tag} {zh}"), format!("{tag} {en}")));
        if element.mode == Mode::Observe {
            lack("仅观察, 不写", "is only observed: nothing would be written");
        }
        if element.is_blind() {
            lack("没有位置反馈, 无法测量", "has no feedback: there is nothing to measure");
        } else if life.demand == Demand::Trip {
            lack("已处于动作指令下", "is under demand now");
        } else if life.position != Position::Unsafe {
            lack("不在正常位置, 无法试验", "is not in its normal position: there is nothing to see move");
        }
        if kind == TestKind::Partial {
            let can_tell = element.kind == ElementKind::Valve && element.unsafe_contact.is_some();
            if !can_tell || element.safe_contact.is_none() {
                lack(
                    "无双限位, 不能部分行程试验",
                    "is no valve with two limits: no partial stroke can be seen",
                );
            }
            if element.command.release.is_none() {
                lack("脉冲阀不能部分行程试验", "can't be let go half way: its command has no release");
            }
        }
        lacks
    }

    /// After the elements have taken their steps: what the test has come to.
    pub(super) fn step_test(&mut self, now: Now, effects: &mut Effects) {
        self.tell_cut_off(now, effects);
        let Some(mut test) = self.test.take() else { return };
        let plan = Arc::clone(&self.plan);
        let real = test.subjects.iter().find(|(id, _)| self.is_really_demanded(*id));
        if let Some((id, _)) = real {
            let tag = &plan.elements[*id].tag;
            let why = Text::new(
                format!("真实动作要求到达 {tag}, 试验让位"),
                format!("a real demand came for {tag} and goes before the test"),
            );
            return self.end_test(now, &test, TestResult::Aborted, &why, effects);
        }
        for (id, passed) in &mut test.subjects {
            *passed =
                passed.or_else(|| self.stroke_passed(now, &plan.elements[*id], *id, &test.kind, test.until));
        }
        // What does not come free in its time is pushed no further: it would slam.
        let failed = test.subjects.iter().any(|(_, passed)| *passed == Some(false));
        let done = test.subjects.iter().all(|(_, passed)| passed.is_some());
        let stuck = failed && test.kind == TestKind::Partial;
        if !done && !stuck {
            self.test = Some(test);
            return;
        }
        let (result, why) = if failed {
            (
                TestResult::Failed,
                Text::new("未在规定时间内动作到位", "not everything moved as it should in its time"),
            )
        } else {
            (TestResult::Passed, Text::new("动作到位", "everything moved as it should in its time"))
        };
        let why = match test.kind {
            TestKind::Interlock => self.with_or_without_gas(&test.target, &why),
            TestKind::Full | TestKind::Partial | TestKind::Demand => why,
        };
        self.end_test(now, &test, result, &why, effects);
    }

    /// Whether an element has passed, once that is known.
    fn stroke_passed(
        &self,
        now: Now,
        element: &Element,
        id: ElementId,
        kind: &TestKind,
        until: Mono,
    ) -> Option<bool> {
        let life = &self.elements[id];
        let moved = life.stroke.dead.is_some();
        match (kind, life.phase) {
            (TestKind::Partial, _) if moved => Some(true),
            (_, Phase::Confirmed) => Some(life.stroke.travel.is_none_or(|t| t < element.fails_from())),
            (_, Phase::Failed) => Some(false),
            (_, Phase::Idle | Phase::Demanded | Phase::Commanded) => (now.mono >= until).then_some(false),
        }
    }

    /// An interlock runs from the gas at the head to the load without power. A test that shows only its end says so: one
    /// with gas is done while a head that causes the trip is calibrated, and has read its cut.
    fn with_or_without_gas(&self, target: &str, why: &Text) -> Text {
        let causes = self.plan.trip(target).map(|id| self.plan.trips[id].causes.as_slice());
        let gassed = causes.unwrap_or_default().iter().find_map(|id| {
            let alarm = &self.plan.alarms[*id];
            let (Basis::Above, Subject::Point(point)) = (alarm.condition.basis(), alarm.subject) else {
                return None;
            };
            let (read, cut, point) =
                (self.signs.calibration_gas(point)?, alarm.limit?.set, &self.plan.points[point]);
            (Displayed::new(read, point.decimals)? >= Displayed::new(cut, point.decimals)?)
                .then(|| (&point.tag, Displayed::text(read, point.decimals), point.unit))
        });
        match gassed {
            Some((tag, read, unit)) => Text::new(
                format!("{}; 通气试验: {tag} 标校中读到 {read} {unit}", why.zh),
                format!("{}; with gas: {tag} read {read} {unit} in its calibration", why.en),
            ),
            None => Text::new(
                format!("{}; 仅试验输出部分, 未通气", why.zh),
                format!("{}; output part only, without gas", why.en),
            ),
        }
    }

    fn end_test(&mut self, now: Now, test: &Test, result: TestResult, why: &Text, effects: &mut Effects) {
        let plan = Arc::clone(&self.plan);
        let stroke = |(id, passed): &(ElementId, Option<bool>)| {
            let life = &self.elements[*id];
            StrokeFound {
                tag: plan.elements[*id].tag.to_string(),
                passed: *passed,
                position: life.position,
                dead: life.stroke.dead,
                travel: life.stroke.travel,
                attempts: life.stroke.attempts,
            }
        };
        let word = match result {
            TestResult::Passed => ("合格", "passed"),
            TestResult::Failed => ("不合格", "failed"),
            TestResult::Aborted => ("中止", "aborted"),
        };
        let done = ProofTestDone {
            target: test.target.clone(),
            area: plan.areas[test.area].tag.to_string(),
            kind: test.kind,
            result,
            since: test.since,
            strokes: test.subjects.iter().map(stroke).collect(),
            who: test.who.clone(),
            text: Text::new(
                format!("{} 试验{}: {}", test.target, word.0, why.zh),
                format!("{}: test {}: {}", test.target, word.1, why.en),
            ),
        };
        effects.record(now, Body::ProofTest(done));
        for (id, passed) in &test.subjects {
            let proves = *passed == Some(false) || test.kind.proves();
            if *passed == Some(true) && proves && result != TestResult::Aborted {
                self.elements[*id].proven = Some(now.wall);
            }
            if let Some(passed) = passed.filter(|_| proves && result != TestResult::Aborted) {
                self.elements[*id].test_failed = Some(!passed);
            }
            // The alarms of what failed are told before the demand that they are about is lifted.
            let alarms = plan.elements[*id].supervision.alarms.iter().copied();
            let of_test = alarms.filter(|a| plan.alarms[*a].condition == Condition::ProofTestFailed);
            let mut touched: BTreeSet<AlarmId> = of_test.collect();
            self.proof(now, *id, &mut touched);
            self.judge(now, touched, effects);
            self.drive(now, *id, effects);
            // The demand goes on, and now it has a reason.
            if self.is_really_demanded(*id) {
                self.tell_element(now, *id, effects);
            }
        }
    }

    /// A real demand has moved an element all the way: where the site file asks for proofs, this is one.
    pub(super) fn proven_by_demand(&mut self, now: Now, id: ElementId, effects: &mut Effects) {
        let plan = Arc::clone(&self.plan);
        let element = &plan.elements[id];
        let tested = self.test.as_ref().is_some_and(|test| test.demands(id));
        if element.supervision.proof.is_none() || tested {
            return;
        }
        let by = self.demanding(id).next().map(|trip| plan.trips[trip].tag.to_string());
        let life = &mut self.elements[id];
        (life.proven, life.test_failed) = (Some(now.wall), life.test_failed.map(|_| false));
        let (tag, travel) = (element.tag.to_string(), life.stroke.travel.unwrap_or_default());
        let stroke = StrokeFound {
            tag: tag.clone(),
            passed: Some(true),
            position: life.position,
            dead: life.stroke.dead,
            travel: life.stroke.travel,
            attempts: life.stroke.attempts,
        };
        let began = now.wall.ms().saturating_sub(i64::try_from(travel.ms()).unwrap_or(i64::MAX));
        let done = ProofTestDone {
            target: tag.clone(),
            area: plan.areas[element.area].tag.to_string(),
            kind: TestKind::Demand,
            result: TestResult::Passed,
            since: Wall::from_ms(began),
            strokes: vec![stroke],
            who: Who { name: by.unwrap_or_else(|| "davy".to_owned()), via: "trip".to_owned() },
            text: Text::new(
                format!("{tag}: 真实动作到位, 用时 {travel}, 计为一次试验"),
                format!("{tag}: a real demand moved it all the way in {travel}; that counts as a proof test"),
            ),
        };
        effects.record(now, Body::ProofTest(done));
        let mut touched: BTreeSet<AlarmId> = element.supervision.alarms.iter().copied().collect();
        self.proof(now, id, &mut touched);
        self.judge(now, touched, effects);
    }

    /// With the minute: whose proof is due. It moves by the day, on the wall clock.
    pub(super) fn proofs(&mut self, now: Now, touched: &mut BTreeSet<AlarmId>) {
        for id in Arc::clone(&self.plan).elements.ids() {
            self.proof(now, id, touched);
        }
    }

    fn proof(&mut self, now: Now, id: ElementId, touched: &mut BTreeSet<AlarmId>) {
        let Some(proof) = self.plan.elements[id].supervision.proof else { return };
        let life = &mut self.elements[id];
        let last = life.proven.max(proof.last);
        life.test_due = Some(last.is_none_or(|last| now.wall >= last.after(proof.every)));
        touched.insert(proof.alarm);
    }

    /// After a start: what the last run had under test is over, and nobody saw how it went.
    fn tell_cut_off(&mut self, now: Now, effects: &mut Effects) {
        let Some(cut) = self.cut_off.as_mut().filter(|cut| !cut.told) else { return };
        cut.told = true;
        let test = cut.test.clone();
        let target = &test.target;
        let done = ProofTestDone {
            area: test.area,
            kind: test.kind,
            result: TestResult::Aborted,
            since: test.since,
            strokes: Vec::new(),
            who: test.who,
            text: Text::new(
                format!("{target} 试验中止: 重启"),
                format!("{target}: test aborted: a restart; see where it stands, and test it again"),
            ),
            target: test.target.clone(),
        };
        effects.record(now, Body::ProofTest(done));
    }

    /// What has to survive of proofs.
    pub(super) fn standing_proofs(&self, standing: &mut Standing) {
        let proven = |(id, life): (ElementId, &ElementLife)| {
            Some((self.plan.elements[id].tag.to_string(), life.proven?))
        };
        standing.proven = self.elements.iter().filter_map(proven).collect();
        let running = self.test.as_ref().map(|test| TestStanding {
            target: test.target.clone(),
            area: self.plan.areas[test.area].tag.to_string(),
            kind: test.kind,
            since: test.since,
            who: test.who.clone(),
        });
        let cut_off = self.cut_off.as_ref().filter(|cut| !cut.told).map(|cut| cut.test.clone());
        standing.test = running.or(cut_off);
    }

    /// A test does not outlive the site file that it was begun under.
    pub(super) fn abort_test(&mut self, now: Now, effects: &mut Effects) {
        if let Some(test) = self.test.take() {
            let why = Text::new("配置文件已更换", "a new site file was taken");
            self.end_test(now, &test, TestResult::Aborted, &why, effects);
        }
    }
}
