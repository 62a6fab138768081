//! The orders that begin and end a calibration: a named person, a planned time, and neighbours that go on guarding.

use super::bypass::one_calibrated;
use super::orders::refuse;
use super::signs::Out;
use super::site::{Effects, Site};
use crate::model::alarm::Level;
use crate::model::command::Reply;
use crate::model::plan::{Plan, Subject, Trip};
use crate::model::point::{Text, Unit};
use crate::model::record::Who;
use crate::model::table::{AlarmId, PointId};
use crate::model::time::{Now, Span};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Longest calibration that can be planned, minutes. A real one takes a quarter of an hour.
pub(crate) const MINUTES_MAX: u32 = 60;

fn is_measured(plan: &Plan, id: PointId) -> bool {
    plan.points[id].unit != Unit::State && plan.watched.points.contains_key(&id)
}

impl Site {
    /// `minutes` begins a calibration of `point`; none ends it.
    pub(super) fn calibrate(
        &mut self,
        now: Now,
        point: &str,
        minutes: Option<u32>,
        who: &Who,
        effects: &mut Effects,
    ) -> Reply {
        let plan = Arc::clone(&self.plan);
        let found = plan.points.find(|p| p.tag.as_str() == point).filter(|p| is_measured(&plan, *p));
        let Some(id) = found else {
            return refuse(
                format!("没有测点 {point}"),
                format!("there is no measured point {point}; `davy status` lists them"),
            );
        };
        let why_not = self.why_not(id, point, minutes);
        if !why_not.is_empty() {
            return Reply::Refused(why_not);
        }
        let mut touched = BTreeSet::new();
        let readings = &self.watch.readings;
        let mut out = Out { now, plan: &plan, readings, effects, touched: &mut touched };
        let done = match minutes {
            Some(minutes) => {
                let planned = Span::from_secs(60).times(u64::from(minutes));
                self.signs.order_calibration(id, planned, who, &mut out);
                let (zh, en) = self.left_alone(id);
                Text::new(
                    format!("{point} 标校开始, {minutes} 分钟{zh}"),
                    format!("{point} is being calibrated for {minutes} min{en}"),
                )
            }
            None => {
                self.signs.finish_calibration(id, who, &mut out);
                Text::new(format!("{point} 标校结束"), format!("calibration of {point} ended"))
            }
        };
        self.judge(now, touched, effects);
        Reply::Done(done)
    }

    /// Everything that stands in the way.
    fn why_not(&self, id: PointId, point: &str, minutes: Option<u32>) -> Vec<Text> {
        let goes_on = self.signs.is_excused(id);
        let mut missing = Vec::new();
        match minutes {
            None if !goes_on => missing.push(Text::new(
                format!("{point} 未在标校"),
                format!("no calibration of {point} was ordered"),
            )),
            None => {}
            Some(_) if goes_on => missing.push(Text::new(
                format!("{point} 正在标校"),
                format!("{point} is being calibrated; end that first"),
            )),
            Some(n) if n == 0 || n > MINUTES_MAX => missing.push(Text::new(
                format!("时间须为 1 至 {MINUTES_MAX} 分钟"),
                format!("plan 1 to {MINUTES_MAX} minutes"),
            )),
            Some(_) => {}
        }
        if minutes.is_some()
            && let Some(other) = self.bypassed_beside_point(id)
        {
            let key = &self.plan.alarms[other].key;
            missing.push(Text::new(
                format!("同组的 {key} 已旁路, 一次只许退出一个"),
                format!("{key} of the same trip is bypassed: one at a time"),
            ));
        }
        if let Some(other) = self.calibrated_with(id).filter(|_| minutes.is_some()) {
            missing.push(one_calibrated(&self.plan.points[other].tag));
        }
        let of_point = |alarm: AlarmId| self.plan.alarms[alarm].subject == Subject::Point(id);
        // A head that has had more gas than it can bear proves nothing until it is calibrated: it guards nothing to lose.
        if minutes.is_some() && !goes_on && !self.signs.is_overloaded(id) {
            missing.extend(self.unguarded_without(of_point).into_iter().map(|trip| {
                let tag = &self.plan.trips[trip].tag;
                Text::new(
                    format!("{tag} 无其他有效的同类测点监护, 不得标校"),
                    format!(
                        "{tag} has no other good guard of the same gas: its trip would be blind meanwhile"
                    ),
                )
            }));
        }
        let over = |id: &&AlarmId| {
            let condition = self.plan.alarms[**id].condition;
            let at_limit = condition.level().is_some_and(|level| level >= Level::Alarm);
            at_limit && self.alarms[**id].active()
        };
        let standing = self.plan.points[id].alarms.iter().filter(over).filter(|_| minutes.is_some());
        missing.extend(standing.map(|id| {
            let key = &self.plan.alarms[*id].key;
            Text::new(
                format!("{key} 报警中, 不得标校"),
                format!("{key} stands: no calibration while its limit is passed"),
            )
        }));
        missing
    }

    /// Another point that votes in a trip of this one, and is being calibrated by order.
    fn calibrated_with(&self, id: PointId) -> Option<PointId> {
        let point_of = |alarm: &AlarmId| match self.plan.alarms[*alarm].subject {
            Subject::Point(point) => Some(point),
            Subject::Device(_) | Subject::Element(_) => None,
        };
        let points = |trip: &Trip| trip.causes.iter().filter_map(point_of).collect::<Vec<_>>();
        let voting = self.plan.trips.values().map(points).filter(|points| points.contains(&id));
        voting.flatten().find(|other| *other != id && self.signs.is_excused(*other))
    }

    /// What is said where the site file lets the last guard of a trip be calibrated.
    fn left_alone(&self, id: PointId) -> (String, String) {
        let of_point = |a: &AlarmId| self.plan.alarms[*a].subject == Subject::Point(id);
        let alone =
            self.plan.trips.values().filter(|trip| trip.unguarded && trip.causes.iter().any(of_point));
        let tags: Vec<&str> = alone.map(|trip| trip.tag.as_str()).collect();
        match tags.is_empty() {
            true => (String::new(), String::new()),
            false => {
                let tags = tags.join(", ");
                (
                    format!("; {tags} 可能无测点监护, 请现场人工监测"),
                    format!("; {tags} may have no guard meanwhile: measure by hand on site"),
                )
            }
        }
    }
}
