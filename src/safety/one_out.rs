//! One guard of a trip may be out at a time: bypassed, or being calibrated by order. The orders see to that; where a new
//! site file puts two that are out into one trip, the one that went out later ends.

use super::signs::Out;
use super::site::{Effects, Site};
use crate::model::plan::{Subject, Trip};
use crate::model::point::Text;
use crate::model::record::BypassStep;
use crate::model::table::{AlarmId, PointId};
use crate::model::time::{Now, Wall};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A guard that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Guard {
    Bypassed(AlarmId),
    Calibrated(PointId),
}

impl Site {
    /// Ends what may not be out beside another one.
    pub(super) fn keep_one_out(&mut self, now: Now, effects: &mut Effects) {
        let plan = Arc::clone(&self.plan);
        for trip in plan.trips.values() {
            let mut kept: Vec<Guard> = Vec::new();
            for (_, guard) in self.guards_out(trip) {
                match kept.iter().find(|other| !self.may_both_be_out(**other, guard)) {
                    Some(other) => self.end_beside(now, guard, *other, trip, effects),
                    None => kept.push(guard),
                }
            }
        }
    }

    /// The guards of a trip that are out, by when they went out.
    fn guards_out(&self, trip: &Trip) -> BTreeSet<(Wall, Guard)> {
        let of = |cause: &AlarmId| {
            let bypassed = self.bypasses.since(*cause).map(|at| (at, Guard::Bypassed(*cause)));
            let calibrated = match self.plan.alarms[*cause].subject {
                Subject::Point(point) => self.signs.out_since(point).map(|at| (at, Guard::Calibrated(point))),
                Subject::Device(_) | Subject::Element(_) => None,
            };
            bypassed.into_iter().chain(calibrated)
        };
        trip.causes.iter().flat_map(of).collect()
    }

    /// A detector that is bypassed may be calibrated meanwhile.
    fn may_both_be_out(&self, one: Guard, other: Guard) -> bool {
        let point_of = |guard: Guard| match guard {
            Guard::Calibrated(point) => Some(point),
            Guard::Bypassed(cause) => match self.plan.alarms[cause].subject {
                Subject::Point(point) => Some(point),
                Subject::Device(_) | Subject::Element(_) => None,
            },
        };
        let both_bypassed = matches!((one, other), (Guard::Bypassed(_), Guard::Bypassed(_)));
        !both_bypassed && point_of(one) == point_of(other)
    }

    fn end_beside(&mut self, now: Now, guard: Guard, other: Guard, trip: &Trip, effects: &mut Effects) {
        let plan = Arc::clone(&self.plan);
        let (trip, other) = (
            &trip.tag,
            match other {
                Guard::Bypassed(cause) => plan.alarms[cause].key.clone(),
                Guard::Calibrated(point) => plan.points[point].tag.to_string(),
            },
        );
        let zh = format!("新配置中与 {other} 同属 {trip}, 一次只许退出一个");
        let en = format!("the new site file has it in {trip} with {other}, which is out too: one at a time");
        match guard {
            Guard::Bypassed(cause) => {
                let key = &plan.alarms[cause].key;
                let text = Text::new(format!("{key} 旁路解除: {zh}"), format!("{key} votes again: {en}"));
                self.end_bypass(now, cause, BypassStep::Removed, text, effects);
            }
            Guard::Calibrated(point) => {
                let text = Text::new(format!("标校结束: {zh}"), format!("calibration ends: {en}"));
                let (readings, mut touched) = (&self.watch.readings, BTreeSet::new());
                let mut out = Out { now, plan: &plan, readings, effects, touched: &mut touched };
                self.signs.call_off(point, text, &mut out);
            }
        }
    }
}
