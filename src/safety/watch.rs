//! What each point is taken to read, and whether its device is heard: silence becomes bad, never the last value.

use super::rule::Verdict;
use crate::model::line::{FAILURES_TO_LOSE, LineFault};
use crate::model::plan::{Device, Plan};
use crate::model::point::{Fault, Quality, Reading};
use crate::model::table::{DeviceId, Lists, PointId, Table};
use crate::model::time::{Mono, Span};
use crate::model::view::DeviceView;

/// The readings of a site as they may be believed now.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// The points that each device feeds.
    points_of: Lists<DeviceId, PointId>,
    pub(crate) readings: Table<PointId, Reading>,
    pub(crate) devices: Table<DeviceId, DeviceView>,
    /// Before this moment no reading can go stale.
    sweep_due: Mono,
}

impl Watch {
    pub(crate) fn new(plan: &Plan) -> Watch {
        Watch {
            points_of: Lists::of(
                plan.devices.map(|id, _| plan.points_of(id).map(|(point, _)| point).collect()),
            ),
            readings: plan.points.map(|_, _| Reading::bad(Fault::NotHeard, Mono::START)),
            devices: plan.devices.map(|_, _| DeviceView::default()),
            sweep_due: Mono::START,
        }
    }

    /// A device has answered: these are its readings.
    pub(crate) fn heard(&mut self, device: DeviceId, readings: &[(PointId, Reading)]) {
        for (point, reading) in readings {
            self.readings[*point] = *reading;
        }
        self.devices[device] = DeviceView::default();
    }

    /// A device has not answered; gives the points that are lost by that.
    pub(crate) fn not_heard(&mut self, device: DeviceId, fault: LineFault, now: Mono) -> Vec<PointId> {
        let state = &mut self.devices[device];
        state.failures = state.failures.saturating_add(1);
        state.fault = Some(fault);
        if state.failures < FAILURES_TO_LOSE {
            return Vec::new();
        }
        self.lose(device, Fault::CommLost, now)
    }

    /// Marks the device's points that are still believed, and gives them.
    fn lose(&mut self, device: DeviceId, fault: Fault, now: Mono) -> Vec<PointId> {
        let believed = |r: &Reading| !matches!(r.quality, Quality::Bad(Fault::CommLost | Fault::Stale));
        let points = self.points_of[device].iter().copied();
        let lost: Vec<PointId> = points.filter(|id| believed(&self.readings[*id])).collect();
        for id in &lost {
            self.readings[*id] = Reading::bad(fault, now);
        }
        lost
    }

    /// The points that were read once and are not refreshed within two polls and a time-out.
    pub(crate) fn sweep(&mut self, plan: &Plan, now: Mono) -> Vec<PointId> {
        let mut stale = Vec::new();
        if now < self.sweep_due {
            return stale;
        }
        // A reading that comes from now on can't be stale before the shortest of these has gone by.
        let first = plan.devices.values().map(stale_after).min().unwrap_or(Span::ZERO);
        self.sweep_due = now + first;
        for (id, point) in plan.points.iter() {
            let reading = &mut self.readings[id];
            let silent = Quality::Bad(Fault::NotHeard) == reading.quality
                || matches!(reading.quality, Quality::Bad(Fault::CommLost | Fault::Stale));
            if silent {
                continue;
            }
            let due = reading.at + stale_after(&plan.devices[point.device]);
            if now > due {
                *reading = Reading::bad(Fault::Stale, now);
                stale.push(id);
            } else {
                self.sweep_due = self.sweep_due.min(due);
            }
        }
        stale
    }

    /// Whether the device is lost: silent for two requests, or not asked in time.
    pub(crate) fn silence(&self, device: DeviceId) -> Verdict {
        match &self.devices[device] {
            _ if self.staleness(device) == Verdict::Breach => Verdict::Breach,
            state if state.failures >= FAILURES_TO_LOSE => Verdict::Breach,
            state if state.fault.is_some() => Verdict::Unknown,
            _ => Verdict::Clear,
        }
    }

    /// Whether one of the device's points went stale although nothing failed: it is not asked in time.
    pub(crate) fn staleness(&self, device: DeviceId) -> Verdict {
        let is_stale = |id: &PointId| self.readings[*id].quality == Quality::Bad(Fault::Stale);
        if self.points_of[device].iter().any(is_stale) { Verdict::Breach } else { Verdict::Clear }
    }

    /// Takes over what an earlier plan's watch knew of the same points of the same devices.
    pub(crate) fn take_over(&mut self, plan: &Plan, old: &Watch, old_plan: &Plan) {
        for (id, point) in plan.points.iter() {
            let same = |p: &crate::model::plan::Point| {
                p.tag == point.tag
                    && p.field == point.field
                    && old_plan.devices[p.device].tag == plan.devices[point.device].tag
                    && old_plan.address(p.device) == plan.address(point.device)
            };
            if let Some(was) = old_plan.points.find(same) {
                self.readings[id] = old.readings[was];
            }
        }
        for (id, device) in plan.devices.iter() {
            if let Some(was) = old_plan.devices.find(|d| d.tag == device.tag)
                && old_plan.address(was) == plan.address(id)
            {
                self.devices[id] = old.devices[was].clone();
            }
        }
    }
}

/// Two polls without a new value, and the old one is no longer believed. The time-outs are added so that a device that
/// is asked and does not answer is lost before it is stale: the better reason is told.
#[must_use]
pub fn stale_after(device: &Device) -> Span {
    device.poll.times(2) + device.timeout.times(2)
}
