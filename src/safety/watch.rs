//! What each point is taken to read, and whether its device is heard: silence becomes bad, never the last value.

use super::rule::Verdict;
use super::trips::point_of;
use crate::model::line::{FAILURES_TO_LOSE, LineFault};
use crate::model::plan::{Device, Plan};
use crate::model::point::{Doubt, Fault, Quality, Reading};
use crate::model::register::Scan;
use crate::model::table::{DeviceId, Lists, PointId, Table};
use crate::model::time::{Mono, Span};
use crate::model::view::DeviceView;
use std::collections::BTreeMap;

/// The readings of a site as they may be believed now.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// The points that each device feeds.
    points_of: Lists<DeviceId, PointId>,
    pub(crate) readings: Table<PointId, Reading>,
    pub(crate) devices: Table<DeviceId, DeviceView>,
    /// Devices that did not answer and have not given all their points since.
    lost: Table<DeviceId, bool>,
    /// Before this moment no reading can go stale.
    sweep_due: Mono,
    /// Since when points are inhibited at their device.
    inhibited: BTreeMap<PointId, Mono>,
    /// For how long a point that votes may warm up, or be calibrated at its device, before people are told: by then it
    /// counts as a vote, and they must see why.
    patience: BTreeMap<PointId, Span>,
    /// Since when such points do.
    unready: BTreeMap<PointId, (Mono, Mono)>,
    /// What heartbeats last were, and since when.
    beats: BTreeMap<DeviceId, (f64, Mono)>,
}

impl Watch {
    pub(crate) fn new(plan: &Plan) -> Watch {
        Watch {
            points_of: Lists::of(
                plan.devices.map(|id, _| plan.points_of(id).map(|(point, _)| point).collect()),
            ),
            readings: plan.points.map(|_, _| Reading::bad(Fault::NotHeard, Mono::START)),
            devices: plan.devices.map(|_, _| DeviceView::default()),
            lost: plan.devices.map(|_, _| false),
            sweep_due: Mono::START,
            inhibited: BTreeMap::new(),
            patience: patience(plan),
            unready: BTreeMap::new(),
            beats: BTreeMap::new(),
        }
    }

    /// A device has answered: these are its readings. Those that can't be believed for what was before are made worse,
    /// never better. `is_calibrated` says which are calibrated by order.
    pub(crate) fn heard(
        &mut self,
        plan: &Plan,
        device: DeviceId,
        readings: &mut [(PointId, Reading)],
        is_calibrated: impl Fn(PointId) -> bool,
    ) {
        let dead = self.has_no_heartbeat(plan, device, readings);
        doubt(plan, &self.readings, readings);
        for (point, reading) in readings {
            if dead.is_some_and(|heart| heart != *point) {
                *reading = Reading::bad(Fault::NoHeartbeat, reading.at);
            }
            self.bear_inhibit(*point, reading, plan.points[*point].field.inhibit_max);
            self.note_ready(*point, reading, is_calibrated(*point));
            self.readings[*point] = *reading;
        }
        self.devices[device] = DeviceView::default();
        self.lost[device] &= self.points_of[device].iter().any(|id| !is_believed(&self.readings[*id]));
    }

    /// An inhibit ends by itself: beyond its time it is no longer borne.
    fn bear_inhibit(&mut self, point: PointId, reading: &mut Reading, most: Span) {
        if reading.quality != Quality::Uncertain(Doubt::Inhibited) {
            self.inhibited.remove(&point);
            return;
        }
        let since = *self.inhibited.entry(point).or_insert(reading.at);
        if reading.at.since(since) > most {
            *reading = Reading::bad(Fault::OutOfService, reading.at);
        }
    }

    fn note_ready(&mut self, point: PointId, reading: &Reading, by_order: bool) {
        let unready = matches!(reading.quality, Quality::Uncertain(Doubt::WarmUp | Doubt::Calibrating));
        if unready && !by_order && self.patience.contains_key(&point) {
            self.unready.entry(point).or_insert((reading.at, reading.at)).1 = reading.at;
        } else {
            self.unready.remove(&point);
        }
    }

    /// Whether a point that votes gives nothing but that it is not ready yet, for longer than anybody waits for it.
    pub(crate) fn is_never_ready(&self, point: PointId) -> bool {
        let spans = self.unready.get(&point).zip(self.patience.get(&point));
        spans.is_some_and(|((since, last), patience)| last.since(*since) >= *patience)
    }

    /// The heartbeat of the device, where it has stood still for too long.
    fn has_no_heartbeat(
        &mut self,
        plan: &Plan,
        device: DeviceId,
        readings: &[(PointId, Reading)],
    ) -> Option<PointId> {
        let (heart, still) = plan.devices[device].heartbeat?;
        let heard = readings.iter().find(|(point, _)| *point == heart).map(|(_, reading)| reading);
        let at = readings.first().map(|(_, reading)| reading.at)?;
        let (last, since) = self.beats.get(&device).copied().unwrap_or((f64::NAN, at));
        let value = heard.and_then(|reading| reading.value).unwrap_or(last);
        // A first beat, and after a silence the first one again, counts as a change: nobody saw it stand still.
        let lost = self.devices[device].failures >= FAILURES_TO_LOSE;
        let changed = lost || value.total_cmp(&last).is_ne();
        let since = if changed { at } else { since };
        self.beats.insert(device, (value, since));
        (at.since(since) > still).then_some(heart)
    }

    /// A device has not answered; gives the points that are lost by that.
    pub(crate) fn not_heard(&mut self, device: DeviceId, fault: LineFault, now: Mono) -> Vec<PointId> {
        let state = &mut self.devices[device];
        state.failures = state.failures.saturating_add(1);
        state.fault = Some(fault);
        if state.failures < FAILURES_TO_LOSE {
            return Vec::new();
        }
        self.lost[device] = true;
        self.lose(device, Fault::CommLost, now)
    }

    /// Marks the device's points that are still believed, and gives them.
    fn lose(&mut self, device: DeviceId, fault: Fault, now: Mono) -> Vec<PointId> {
        let points = self.points_of[device].iter().copied();
        let lost: Vec<PointId> = points.filter(|id| is_believed(&self.readings[*id])).collect();
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
        let first =
            plan.devices.values().map(|device| stale_after(device, Scan::Fast)).min().unwrap_or(Span::ZERO);
        self.sweep_due = now + first;
        for (id, point) in plan.points.iter() {
            let reading = &mut self.readings[id];
            let silent = Quality::Bad(Fault::NotHeard) == reading.quality || !is_believed(reading);
            if silent {
                continue;
            }
            let due = reading.at + stale_after(&plan.devices[point.device], point.field.scan);
            if now > due {
                *reading = Reading::bad(Fault::Stale, now);
                stale.push(id);
            } else {
                self.sweep_due = self.sweep_due.min(due);
            }
        }
        stale
    }

    /// Whether the device is lost: it was silent for two requests, and not all of its points are back.
    pub(crate) fn silence(&self, device: DeviceId) -> Verdict {
        if self.lost[device] {
            Verdict::Breach
        } else if self.devices[device].fault.is_some()
            || self.has(device, Fault::Stale)
            || self.is_new(device)
        {
            // Of a device that is not asked, or was not yet, nobody knows whether it would answer.
            Verdict::Unknown
        } else {
            Verdict::Clear
        }
    }

    /// Whether one of the device's points went stale although the device is not lost: it is not asked in time. A device
    /// that is lost has one alarm, and that is the other one.
    pub(crate) fn staleness(&self, device: DeviceId) -> Verdict {
        if self.lost[device] {
            Verdict::Clear
        } else if self.has(device, Fault::Stale) {
            Verdict::Breach
        } else if self.is_new(device) {
            Verdict::Unknown
        } else {
            Verdict::Clear
        }
    }

    fn is_new(&self, device: DeviceId) -> bool {
        let mut points = self.points_of[device].iter().map(|id| self.readings[*id].quality);
        !self.points_of[device].is_empty() && points.all(|quality| quality == Quality::Bad(Fault::NotHeard))
    }

    fn has(&self, device: DeviceId, fault: Fault) -> bool {
        self.points_of[device].iter().any(|id| self.readings[*id].quality == Quality::Bad(fault))
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
                self.inhibited.extend(old.inhibited.get(&was).map(|since| (id, *since)));
                self.unready.extend(old.unready.get(&was).map(|since| (id, *since)));
            }
        }
        for (id, device) in plan.devices.iter() {
            if let Some(was) = old_plan.devices.find(|d| d.tag == device.tag)
                && old_plan.address(was) == plan.address(id)
            {
                self.devices[id] = old.devices[was].clone();
                self.beats.extend(old.beats.get(&was).map(|beat| (id, *beat)));
                self.lost[id] = old.lost[was];
            }
        }
    }
}

/// What the device's own contacts make of its values: those of the same answer where they came along, else the last ones.
/// While such a contact can't be read nobody knows whether it is set.
fn doubt(plan: &Plan, last: &Table<PointId, Reading>, readings: &mut [(PointId, Reading)]) {
    for n in 0..readings.len() {
        let Some((point, _)) = readings.get(n) else { continue };
        let Some(contacts) = plan.doubts.get(point) else { continue };
        let said = contacts.iter().map(|(contact, doubt)| {
            let now =
                readings.iter().find(|(id, _)| id == contact).map_or(&last[*contact], |(_, reading)| reading);
            let is_set = now.value.is_some_and(|value| value > 0.5);
            match now.quality {
                Quality::Bad(_) => Quality::Bad(Fault::UnknownStatus),
                Quality::Good | Quality::Uncertain(_) if is_set => Quality::Uncertain(*doubt),
                Quality::Good | Quality::Uncertain(_) => Quality::Good,
            }
        });
        let worst = said.fold(Quality::Good, Quality::worse);
        if let Some((_, reading)) = readings.get_mut(n) {
            reading.quality = reading.quality.worse(worst);
            if matches!(reading.quality, Quality::Bad(_)) {
                reading.value = None;
            }
        }
    }
}

fn patience(plan: &Plan) -> BTreeMap<PointId, Span> {
    let mut patience = BTreeMap::new();
    for trip in plan.trips.values() {
        let span = trip.bad_delay + plan.start_hold;
        for point in trip.causes.iter().filter_map(|cause| point_of(plan, *cause)) {
            let least = patience.entry(point).or_insert(span);
            *least = span.min(*least);
        }
    }
    patience
}

/// Whether a reading is still what its device said last.
fn is_believed(reading: &Reading) -> bool {
    !matches!(reading.quality, Quality::Bad(Fault::CommLost | Fault::Stale))
}

/// Two polls without a new value, and the old one is no longer believed. The time-outs are added so that a device that
/// is asked and does not answer is lost before it is stale: the better reason is told.
#[must_use]
pub fn stale_after(device: &Device, scan: Scan) -> Span {
    let period = match scan {
        Scan::Fast => device.poll,
        Scan::Slow => device.slow_poll,
    };
    period.times(2) + device.timeout.times(2)
}
