//! Looking: what takes more than one point to see, and what takes time.

use super::calibration::Calibration;
use super::pairs::{self, Pair};
use super::step::Next;
use super::track::Track;
use super::window::{count, seconds};
use super::{Finding, Of, Out, Signs, offset, words};
use crate::model::plan::Plan;
use crate::model::point::{Doubt, Fault, Quality, Reading, Text, Unit};
use crate::model::record::{Body, CalibrationStanding, Standing, Who};
use crate::model::sign::{Anomaly, CalibrationChange, Knob, Side, Sign};
use crate::model::table::{BusId, PointId};
use crate::model::time::{Mono, Now, Span, Wall};
use crate::safety::bypass::SLACK;
use std::collections::{BTreeMap, BTreeSet};

impl Signs {
    pub(super) fn look_at_point(&mut self, id: PointId, out: &Out<'_>, found: &mut Vec<Finding>) {
        let Some(track) = &mut self.tracks[id] else { return };
        track.minute(out.now, found);
        let Some(track) = &self.tracks[id] else { return };
        if track.calibration.is_none() && track.is_good() {
            self.look_for_frozen(track, out.now.mono, found);
            self.look_for_collapse(track, out.now.mono, found);
        }
    }

    fn others(&self, track: &Track, lives: impl Fn(&Track) -> bool) -> Vec<PointId> {
        let live = |id: &PointId| self.tracks[*id].as_ref().is_some_and(|t| t.is_good() && lives(t));
        track.neighbours().filter(live).take(Anomaly::MAX_NEIGHBOURS).collect()
    }

    /// A point at zero may stand still for days; it is frozen there only if a neighbour lives.
    fn look_for_frozen(&self, track: &Track, now: Mono, found: &mut Vec<Finding>) {
        let Some(score) = track.frozen.score(now, &track.of.settings) else { return };
        let others = self.others(track, |t| !t.is_at_zero() && t.frozen.score(now, &t.of.settings).is_none());
        if track.is_at_zero() && others.is_empty() {
            return;
        }
        let stands = track.frozen.stands(now);
        let seen = words::frozen(stands, track.frozen.usual());
        found.push(Finding { others, ..track.finding(Sign::Frozen, score, now - stands, seen) });
    }

    fn look_for_collapse(&self, track: &Track, now: Mono, found: &mut Vec<Finding>) {
        let Some((score, since)) = track.spread.collapsed(now, &track.of.settings) else { return };
        let others = self.others(track, |t| t.spread.lives(now, &t.of.settings));
        if !others.is_empty() {
            let seen = words::noise(track.spread.both());
            found.push(Finding { others, ..track.finding(Sign::NoiseCollapse, score, since, seen) });
        }
    }

    pub(super) fn look_at_pair(&mut self, n: usize, out: &Out<'_>, found: &mut Vec<Finding>) {
        let Some(pair) = self.pairs.get_mut(n) else { return };
        for id in [pair.first, pair.second] {
            if let Some(window) = self.tracks[id].as_mut().and_then(|t| t.window.as_mut()) {
                window.roll(out.now.mono);
            }
        }
        let (Some(first), Some(second)) = (&self.tracks[pair.first], &self.tracks[pair.second]) else {
            return;
        };
        let now = out.now.mono;
        let mut seen = Vec::new();
        pair.minute(now, first, second, &mut seen);
        let other = out.plan.points[pair.first].tag.as_str();
        for what in seen {
            let (sign, score, since, seen) = match what {
                pairs::Seen::Airflow(score, since, more) => {
                    (Sign::Airflow, score, since, words::airflow(other, more, now.since(since)))
                }
                pairs::Seen::Ratio(score, since, factor) => {
                    (Sign::Ratio, score, since, words::ratio(other, factor, now.since(since)))
                }
                pairs::Seen::Alike(score, since, correlation) => {
                    (Sign::Identical, score, since, words::alike(other, correlation, now.since(since)))
                }
            };
            found.push(Finding { others: vec![pair.first], ..second.finding(sign, score, since, seen) });
        }
    }

    // Sudden drops.

    /// A point begins to fall: what do its neighbours read?
    pub(super) fn falls(&mut self, id: PointId) {
        let Some(track) = &self.tracks[id] else { return };
        let floor = track.of.scale.unwrap_or(0.0) * track.of.settings.get(Knob::StepMinOfAlarm);
        let ask = |side: Side| side != Side::Upstream;
        let others = track.of.neighbours.iter().filter(|n| ask(n.side)).filter_map(|n| {
            let other = self.tracks[n.point].as_ref().filter(|t| t.is_good())?;
            other.window().lately().filter(|v| *v >= floor).map(|v| (n.point, v))
        });
        let others = others.collect();
        if let Some(suspect) = self.tracks[id].as_mut().and_then(|t| t.fall.suspect.as_mut()) {
            suspect.others = others;
            self.falling.insert(id);
        }
    }

    pub(super) fn look_at_falls(&mut self, out: &Out<'_>, found: &mut Vec<Finding>) {
        for id in std::mem::take(&mut self.falling) {
            let Some(track) = &self.tracks[id] else { continue };
            let Some(suspect) = &track.fall.suspect else { continue };
            let settings = &track.of.settings;
            let mut next = suspect.next(out.now.mono, track.lag(), false, settings);
            let stayed = |(other, then): &&(PointId, f64)| {
                let now =
                    self.tracks[*other].as_ref().filter(|t| t.is_good()).and_then(|t| t.window().lately());
                let most = (then * settings.get(Knob::StepNeighbour)).max(track.step * 2.0);
                now.is_some_and(|now| (now - then).abs() <= most)
            };
            let mut finding = None;
            if next == Next::Ask {
                let others: Vec<PointId> = suspect.others.iter().filter(stayed).map(|(id, _)| *id).collect();
                let alone = suspect.others.is_empty();
                let zero = suspect.after.abs() <= track.step;
                next = match (alone, zero) {
                    (true, false) if track.frozen.moves(settings) => {
                        suspect.next(out.now.mono, track.lag(), true, settings)
                    }
                    (true, _) | (false, _) => Next::Drop,
                };
                let usual = track.frozen.usual() < settings.span(Knob::StepConstant);
                if !others.is_empty() || alone && zero || next == Next::Constant && usual {
                    let seen = words::step(suspect.before, suspect.after, !others.is_empty());
                    let score = (suspect.before - suspect.after)
                        / (track.of.scale.unwrap_or(1.0) * settings.get(Knob::StepOfAlarm));
                    let from = suspect.at - Span::from_secs(60);
                    finding =
                        Some(Finding { others, ..track.finding(Sign::Step, score.max(1.0), from, seen) });
                }
            }
            found.extend(finding);
            if next == Next::Wait {
                self.falling.insert(id);
            } else if let Some(track) = &mut self.tracks[id] {
                track.fall.suspect = None;
            }
        }
    }

    /// Many at once, and not with their line.
    pub(super) fn look_at_drops(&mut self, out: &Out<'_>, found: &mut Vec<Finding>) {
        let settings = &out.plan.watched.settings;
        let within = settings.span(Knob::TogetherWindow);
        while let Some((first, _)) = self.drops.front().copied() {
            // The second window is for the loss of a whole line to be known as such.
            if out.now.mono.since(first) < within.times(2) {
                return;
            }
            let (mut group, mut known) = (Vec::new(), BTreeSet::new());
            while let Some((_, point)) =
                self.drops.front().copied().filter(|(at, _)| at.since(first) <= within)
            {
                self.drops.pop_front();
                if known.insert(point) {
                    group.push(point);
                }
            }
            let lines = lines(out);
            let group = without_lost_lines(group, &lines, out);
            let most = share(&group, &lines, out);
            let many = count(group.len()) >= settings.get(Knob::TogetherPoints);
            if (many || group.len() >= 2 && most >= settings.get(Knob::TogetherShare))
                && let Some(track) = group.first().and_then(|id| self.tracks[*id].as_ref())
            {
                let score = (count(group.len()) / settings.get(Knob::TogetherPoints)).max(1.0);
                let seen = words::together(group.len(), within);
                let others = group.iter().skip(1).copied().collect();
                let from = first - Span::from_secs(60);
                found.push(Finding { others, ..track.finding(Sign::Together, score, from, seen) });
            }
        }
    }

    pub(super) fn look_at_clock(&mut self, out: &Out<'_>, found: &mut Vec<Finding>) {
        let (is, settings) = (offset(out.now), &out.plan.watched.settings);
        let jump = is.saturating_sub(std::mem::replace(&mut self.clock, is));
        let most = settings.span(Knob::ClockStep);
        if jump.unsigned_abs() > most.ms() {
            let score = seconds(Span::from_ms(jump.unsigned_abs())) / seconds(most);
            let (of, from, seen) = (Of::Gateway, out.now.mono, words::clock(jump));
            found.push(Finding { of, sign: Sign::Clock, score, from, others: Vec::new(), seen });
        }
    }

    // Calibrations.

    pub(super) fn restore(&mut self, plan: &Plan, standing: &Standing, now: Now) {
        for (of, sign) in self.standing.keys() {
            if let (Of::Point(id), Sign::FoldBack) = (*of, *sign)
                && let Some(track) = &mut self.tracks[id]
            {
                track.beyond = true;
            }
        }
        for (tag, value) in &standing.identities {
            let track = plan.points.find(|p| p.tag.as_str() == tag).and_then(|id| self.tracks[id].as_mut());
            if let Some(track) = track.filter(|track| track.of.lasting) {
                track.identity = Some(*value);
            }
        }
        for (tag, was) in &standing.calibrations {
            let Some(id) = plan.points.find(|p| p.tag.as_str() == tag) else { continue };
            let Some(track) = &mut self.tracks[id] else { continue };
            self.calibrated.insert(id, was.begun.clone());
            if let (Some(planned), Some(begun)) = (was.planned, was.begun.last()) {
                // A clock that stands before its begin says nothing: it is no excuse any more.
                let gone = u64::try_from(now.wall.ms().saturating_sub(begun.ms())).unwrap_or(u64::MAX);
                let left = Span::from_ms(planned.ms().saturating_sub(gone));
                let ordered = (planned > Span::ZERO).then_some(left);
                let mut going_on = Calibration::new(now.mono, ordered, Vec::new());
                going_on.told = planned;
                track.calibration = Some(Box::new(going_on));
                self.calibrating.insert(id);
                self.keep_ordered(id, now.mono);
            }
        }
    }

    pub(super) fn calibrations(&self, plan: &Plan, standing: &mut Standing) {
        for (id, begun) in &self.calibrated {
            let going = self.tracks[*id].as_ref().and_then(|t| t.calibration.as_ref());
            let planned = going.map(|c| c.told);
            let tag = plan.points[*id].tag.to_string();
            standing.calibrations.insert(tag, CalibrationStanding { planned, begun: begun.clone() });
        }
    }

    /// A calibration begins: ordered, or because the device says so.
    pub(super) fn begin_calibration(
        &mut self,
        id: PointId,
        planned: Option<Span>,
        by: Option<String>,
        out: &mut Out<'_>,
    ) {
        let mut found = Vec::new();
        let Some(track) = &self.tracks[id] else { return };
        let goes_on =
            planned.is_none() && track.timed_out.as_ref().is_some_and(|it| it.was_just_heard(out.now.mono));
        if let Some((score, seen)) = track.is_high_or_rising().filter(|_| !goes_on) {
            let seen = words::calibration_on_rise(&seen);
            let from = out.now.mono - Span::from_secs(60);
            found.push(track.finding(Sign::CalibrationOnRise, score, from, seen));
        }
        let value = |other: PointId| {
            self.tracks[other].as_ref().filter(|t| t.is_good())?.window().lately().map(|v| (other, v))
        };
        let others = track.neighbours().filter_map(value).collect();
        let settings = std::sync::Arc::clone(&track.of.settings);
        let again = self.calibrating.contains(&id);
        let begun = self.calibrated.entry(id).or_default();
        CalibrationStanding::begin(begun, out.now.wall, again);
        let days = settings.span(Knob::CalibrationDays);
        let recent = |at: &&Wall| {
            out.now.wall.ms().saturating_sub(at.ms()) <= i64::try_from(days.ms()).unwrap_or(i64::MAX)
        };
        let times = begun.iter().filter(recent).count();
        if count(times) > settings.get(Knob::CalibrationCount) {
            let seen = words::calibration_often(times, settings.get(Knob::CalibrationDays));
            let score = count(times) / settings.get(Knob::CalibrationCount);
            found.push(track.finding(Sign::CalibrationOften, score, out.now.mono, seen));
        }
        let calibration = Calibration::new(out.now.mono, planned, others);
        if let Some(track) = &mut self.tracks[id] {
            track.interrupt();
            let calibration = match track.timed_out.take().filter(|_| goes_on) {
                Some(over) => calibration.gone_on(&over),
                None => calibration,
            };
            track.calibration = Some(Box::new(calibration));
            self.calibrating.insert(id);
        }
        let (text, planned) = (words::calibration_begins(planned), planned.unwrap_or(Span::ZERO));
        tell_calibration(id, true, (planned, planned), by, text, out);
        self.note_all(found, out);
    }

    /// Once a second: those that last too long, or with whom a neighbour rises.
    pub(super) fn look_at_calibrations(&mut self, out: &mut Out<'_>, found: &mut Vec<Finding>) {
        for id in self.calibrating.clone() {
            let Some(track) = &self.tracks[id] else { continue };
            let Some(calibration) = &track.calibration else { continue };
            let settings = &track.of.settings;
            let lasted = out.now.mono.since(calibration.since);
            if lasted > settings.span(Knob::CalibrationMax) {
                let score = seconds(lasted) / settings.get(Knob::CalibrationMax);
                let seen = words::calibration_long(lasted);
                found.push(track.finding(Sign::CalibrationLong, score, calibration.since, seen));
            }
            let most = track.of.scale.unwrap_or(f64::INFINITY) * settings.get(Knob::CalibrationRise);
            for (other, then) in &calibration.others {
                let now = self.tracks[*other].as_ref().filter(|t| t.is_good()).and_then(|t| t.last);
                if let Some(rise) = now.map(|now| now.value - then).filter(|rise| *rise >= most) {
                    let seen = words::neighbour_rises(out.plan.points[*other].tag.as_str(), rise);
                    let from = calibration.since;
                    let finding = track.finding(Sign::CalibrationOnRise, rise / most, from, seen);
                    found.push(Finding { others: vec![*other], ..finding });
                }
            }
        }
    }

    /// On every tick: those that are over, and those that the wall clock would prolong because it was set back.
    pub(super) fn time_calibrations(&mut self, out: &mut Out<'_>, found: &mut Vec<Finding>) {
        for id in self.calibrating.clone() {
            let Some(calibration) = self.tracks[id].as_mut().and_then(|t| t.calibration.as_mut()) else {
                continue;
            };
            if calibration.is_over(out.now.mono) {
                found.extend(self.end_calibration(id, None, out));
                continue;
            }
            let (Some(planned), Some(begun)) = (calibration.planned, self.calibrated.get_mut(&id)) else {
                continue;
            };
            let told = begun.last().copied().unwrap_or_default().after(calibration.told);
            let left = calibration.left(out.now.mono);
            if told.since(out.now.wall) > left + SLACK {
                calibration.told = left;
                CalibrationStanding::begin(begun, out.now.wall, true);
                tell_calibration(id, true, (planned, left), None, words::calibration_goes_on(left), out);
            }
        }
    }

    fn keep_ordered(&mut self, id: PointId, now: Mono) {
        let going = self.tracks[id].as_ref().and_then(|t| t.calibration.as_ref());
        if going.is_some_and(|c| c.is_ordered(now)) {
            self.ordered.insert(id);
        } else {
            self.ordered.remove(&id);
        }
    }

    /// A person begins a calibration.
    pub(crate) fn order_calibration(&mut self, id: PointId, planned: Span, who: &Who, out: &mut Out<'_>) {
        self.begin_calibration(id, Some(planned), Some(who.name.clone()), out);
        self.keep_ordered(id, out.now.mono);
    }

    /// A person ends a calibration.
    pub(crate) fn finish_calibration(&mut self, id: PointId, who: &Who, out: &mut Out<'_>) {
        let found = self.end_calibration(id, Some(who.name.clone()), out);
        self.note_all(found.into_iter().collect(), out);
    }

    /// Since when a point is being calibrated by order, where it is.
    pub(crate) fn out_since(&self, id: PointId) -> Option<Wall> {
        let begun = self.calibrated.get(&id).filter(|_| self.is_excused(id))?;
        begun.last().copied()
    }

    /// A calibration may not go on, for the reason that `text` gives, and through no fault of who does it.
    pub(crate) fn call_off(&mut self, id: PointId, text: Text, out: &mut Out<'_>) {
        self.calibrating.remove(&id);
        self.ordered.remove(&id);
        if let Some(over) = self.tracks[id].as_mut().and_then(|track| track.calibration.take()) {
            let planned = over.planned.unwrap_or(Span::ZERO);
            tell_calibration(id, false, (planned, over.left(out.now.mono)), None, text, out);
        }
    }

    /// Whether a point is being calibrated by order, within the planned time.
    pub(crate) fn is_excused(&self, id: PointId) -> bool {
        self.ordered.contains(&id)
    }

    /// The most that a point has read in the calibration that goes on.
    pub(crate) fn calibration_gas(&self, id: PointId) -> Option<f64> {
        Some(self.tracks[id].as_ref()?.calibration.as_ref()?.highest)
    }

    /// Whether a point has had more gas than its sensor can bear, and was not calibrated since: it proves nothing.
    pub(crate) fn is_overloaded(&self, id: PointId) -> bool {
        self.tracks[id].as_ref().is_some_and(|track| track.beyond)
    }

    /// Marks the readings of points that are being calibrated by order. What is beyond the range stays so, and what is
    /// bad stays bad.
    pub(crate) fn mark(&self, readings: &mut [(PointId, Reading)]) {
        if self.ordered.is_empty() {
            return;
        }
        for (_, reading) in readings.iter_mut().filter(|(id, _)| self.ordered.contains(id)) {
            reading.quality = match reading.quality {
                Quality::Uncertain(Doubt::OverRange) | Quality::Bad(_) => reading.quality,
                Quality::Good
                | Quality::Uncertain(
                    Doubt::WarmUp
                    | Doubt::Calibrating
                    | Doubt::UnderRange
                    | Doubt::Inhibited
                    | Doubt::Unconfirmed,
                ) => Quality::Uncertain(Doubt::Calibrating),
            };
        }
    }

    /// A calibration is over; what was wrong with it.
    pub(super) fn end_calibration(
        &mut self,
        id: PointId,
        by: Option<String>,
        out: &mut Out<'_>,
    ) -> Option<Finding> {
        self.calibrating.remove(&id);
        self.ordered.remove(&id);
        let track = self.tracks[id].as_mut()?;
        let calibration = track.calibration.take()?;
        let lacks = calibration.lacks(&track.of.settings);
        if lacks <= 0.0 && std::mem::replace(&mut track.beyond, false) {
            self.standing.entry((Of::Point(id), Sign::FoldBack)).and_modify(|s| s.until = out.now.mono);
            self.expiry = self.expiry.min(out.now.mono);
        }
        let seen = calibration.seen();
        let text = words::calibration_ends(out.now.mono.since(calibration.since), seen);
        let (planned, left) = (calibration.planned.unwrap_or(Span::ZERO), calibration.left(out.now.mono));
        tell_calibration(id, false, (planned, left), by.clone(), text, out);
        let track = self.tracks[id].as_mut()?;
        let since = calibration.since;
        track.timed_out = Some(calibration).filter(|it| it.planned.is_some() && by.is_none());
        let bad = lacks > 0.0 && track.of.scale.is_some();
        bad.then(|| {
            let seen = words::calibration_shape(seen);
            track.finding(Sign::CalibrationShape, 1.0 + lacks, since, seen)
        })
    }

    /// Takes over what is not kept by point.
    pub(super) fn take_over_rest(&mut self, plan: &Plan, old: &Signs, old_plan: &Plan) {
        let same = |id: PointId, was: PointId| plan.points[id].tag == old_plan.points[was].tag;
        for pair in &mut self.pairs {
            let known = |p: &&Pair| same(pair.first, p.first) && same(pair.second, p.second);
            if let Some(was) = old.pairs.iter().find(known) {
                pair.take_over(was);
            }
        }
        for (id, element) in plan.elements.iter() {
            if let Some(was) = old_plan.elements.find(|e| e.tag == element.tag)
                && element.is_wired_as(plan, &old_plan.elements[was], old_plan)
            {
                self.outputs[id] = old.outputs[was];
            }
        }
        let going = |id: &PointId| self.tracks[*id].as_ref().is_some_and(|t| t.calibration.is_some());
        self.calibrating = plan.points.ids().filter(going).collect();
        let kept = |id: &PointId| old_plan.points.find(|p| p.tag == plan.points[*id].tag);
        let ordered = |id: &PointId| kept(id).is_some_and(|was| old.ordered.contains(&was));
        self.ordered = self.calibrating.iter().copied().filter(ordered).collect();
        let falls = |id: &PointId| self.tracks[*id].as_ref().is_some_and(|t| t.fall.suspect.is_some());
        self.falling = plan.points.ids().filter(falls).collect();
        self.clock = old.clock;
    }
}

/// How many measured points each line has, and how many of them are bad.
fn lines(out: &Out<'_>) -> BTreeMap<BusId, (usize, usize)> {
    let mut lines: BTreeMap<BusId, (usize, usize)> = BTreeMap::new();
    let measured = |id: &&PointId| out.plan.points[**id].unit != Unit::State;
    for id in out.plan.watched.points.keys().filter(measured) {
        let (all, bad) = lines.entry(bus(out.plan, *id)).or_default();
        *all = all.saturating_add(1);
        *bad = bad.saturating_add(usize::from(matches!(out.readings[*id].quality, Quality::Bad(_))));
    }
    lines
}

fn bus(plan: &Plan, id: PointId) -> BusId {
    plan.devices[plan.points[id].device].bus
}

/// Takes away points whose whole line is lost, and all but one of a device that is silent.
fn without_lost_lines(
    group: Vec<PointId>,
    lines: &BTreeMap<BusId, (usize, usize)>,
    out: &Out<'_>,
) -> Vec<PointId> {
    let silent = |id: PointId| {
        matches!(out.readings[id].quality, Quality::Bad(Fault::CommLost | Fault::Stale | Fault::NotHeard))
    };
    let mut devices = BTreeSet::new();
    let keep = |id: &PointId| {
        let first = devices.insert(out.plan.points[*id].device);
        let is_lost = lines.get(&bus(out.plan, *id)).is_some_and(|(all, bad)| all == bad);
        !is_lost && (first || !silent(*id))
    };
    group.into_iter().filter(keep).collect()
}

/// The largest share that `group` is of the measured points of a line; one point alone is no share.
fn share(group: &[PointId], lines: &BTreeMap<BusId, (usize, usize)>, out: &Out<'_>) -> f64 {
    let mut fell: BTreeMap<BusId, usize> = BTreeMap::new();
    for id in group {
        let here = fell.entry(bus(out.plan, *id)).or_default();
        *here = here.saturating_add(1);
    }
    let share = |(bus, fell): (&BusId, &usize)| {
        let all = lines.get(bus).map_or(1, |(all, _)| *all);
        if *fell >= 2 { count(*fell) / count(all.max(1)) } else { 0.0 }
    };
    fell.iter().map(share).fold(0.0, f64::max)
}

fn tell_calibration(
    id: PointId,
    begun: bool,
    (planned, remaining): (Span, Span),
    by: Option<String>,
    text: Text,
    out: &mut Out<'_>,
) {
    let point = &out.plan.points[id];
    let change = CalibrationChange {
        point: point.tag.to_string(),
        area: out.plan.areas[point.area].tag.to_string(),
        begun,
        planned,
        remaining,
        by,
        text,
    };
    out.effects.record(out.now, Body::Calibration(change));
}
