//! What is kept of one point between its readings, and the signs that its readings alone can show.

use super::calibration::Calibration;
use super::clamp::Clamp;
use super::frozen::Frozen;
use super::replay::Replay;
use super::spread::Spread;
use super::step::Step;
use super::window::{self, Seen, Window, seconds};
use super::{Finding, Of, words};
use crate::model::plan::Point;
use crate::model::point::{Doubt, Fault, Quality, Reading, Text, Unit};
use crate::model::sign::{Knob, Sign, Tells, WatchedPoint};
use crate::model::table::PointId;
use crate::model::time::{Mono, Now, Span};
use std::sync::Arc;

/// Beyond this no instrument reads, and sums of squares lose their sense. What is beyond it is not looked at.
const VALUE_MAX: f64 = 1e9;

/// How often a device is told to be another one at most.
const IDENTITY_PAUSE: Span = Span::from_secs(60);

/// One point. What was read of it is its evidence, made with its first good reading and kept apart.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) id: PointId,
    pub(super) of: Arc<WatchedPoint>,
    unit: Unit,
    /// One step of its display.
    pub(super) step: f64,
    pub(super) window: Option<Box<Window>>,
    replay: Option<Box<Replay>>,
    pub(super) frozen: Frozen,
    pub(super) spread: Spread,
    pub(super) fall: Step,
    clamp: Clamp,
    pub(super) calibration: Option<Box<Calibration>>,
    /// The last one that was ordered and whose time was over.
    pub(super) timed_out: Option<Box<Calibration>>,
    /// Its last good reading.
    pub(super) last: Option<Seen>,
    quality: Quality,
    /// Since when it is away, where it went while it was high or rising.
    gap: Option<Mono>,
    /// It was beyond what its sensor can bear, and not calibrated since.
    pub(super) beyond: bool,
    differs: Option<Mono>,
    /// Who its device said last that it is, where that is what it tells.
    pub(super) identity: Option<f64>,
    /// When that was last told in this run.
    identified: Option<Mono>,
    held_off: Option<Mono>,
}

/// What others have to know of a reading.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Events {
    /// It begins a sudden drop.
    pub(super) dropped: bool,
    /// The value went away.
    pub(super) lost: bool,
    /// The device begins a calibration.
    pub(super) calibrates: bool,
    /// The device says that it is this one, and before, where it was heard then, another one.
    pub(super) is_another: Option<(f64, Option<f64>)>,
}

impl Track {
    pub(super) fn new(id: PointId, of: Arc<WatchedPoint>, point: &Point) -> Track {
        Track {
            id,
            of,
            unit: point.unit,
            step: 10f64.powi(i32::from(point.decimals).saturating_neg()),
            window: None,
            replay: None,
            frozen: Frozen::default(),
            spread: Spread::default(),
            fall: Step::default(),
            clamp: Clamp::default(),
            calibration: None,
            timed_out: None,
            last: None,
            quality: Quality::Bad(Fault::NotHeard),
            gap: None,
            beyond: false,
            differs: None,
            identity: None,
            identified: None,
            held_off: None,
        }
    }

    pub(super) fn heard(&mut self, now: Now, reading: &Reading, found: &mut Vec<Finding>) -> Events {
        let was = std::mem::replace(&mut self.quality, reading.quality);
        let mut events = Events::default();
        match (reading.quality, reading.value.filter(|v| v.abs() <= VALUE_MAX)) {
            (Quality::Good, Some(value)) => {
                events.is_another = self.identified(now.mono, value, found);
                events.dropped = self.good(now.mono, value, found);
            }
            (Quality::Uncertain(Doubt::Calibrating), value) => {
                events.calibrates = self.calibration.is_none();
                self.interrupt();
                self.calibrating(now.mono, value);
            }
            (Quality::Uncertain(Doubt::OverRange), _) => {
                self.fall.interrupt();
                if self.of.catalytic {
                    self.overloaded(now.mono, found);
                }
            }
            (Quality::Good, None) | (Quality::Uncertain(Doubt::UnderRange | Doubt::Unconfirmed), _) => {}
            (Quality::Bad(_) | Quality::Uncertain(Doubt::WarmUp | Doubt::Inhibited), _) => {
                self.fall.interrupt();
                events.lost = was == Quality::Good;
                self.lost(now.mono, was, found);
            }
        }
        let off = match (reading.quality, self.of.tells, reading.value) {
            (Quality::Good, Some(_), Some(value)) => value > 0.5,
            (Quality::Bad(Fault::OutOfService) | Quality::Uncertain(Doubt::Inhibited), _, _) => true,
            (_, Some(_), _) => self.held_off.is_some(),
            (_, None, _) => false,
        };
        self.held_off = if off { Some(self.held_off.unwrap_or(now.mono)) } else { None };
        events
    }

    /// The device says who it is. Another one than before is a sign at once, also where the other one spoke in an earlier
    /// run; from then on it is the one that is known.
    fn identified(&mut self, now: Mono, value: f64, found: &mut Vec<Finding>) -> Option<(f64, Option<f64>)> {
        let before = self.identity;
        let same = before.is_some_and(|before| (value - before).abs() <= self.step / 2.0);
        // One that says another name at each question is told of once a minute.
        let soon = self.identified.is_some_and(|told| now.since(told) < IDENTITY_PAUSE);
        if !self.of.lasting || same || soon {
            return None;
        }
        (self.identity, self.identified) = (Some(value), Some(now));
        if let Some(before) = before.filter(|_| self.of.expects.is_none()) {
            found.push(self.finding(Sign::Changed, 1.0, now, words::another(value, before)));
        }
        Some((value, before))
    }

    /// A good reading; says whether it begins a sudden drop.
    fn good(&mut self, now: Mono, value: f64, found: &mut Vec<Finding>) -> bool {
        let seen = Seen { at: now, value };
        self.last = Some(seen);
        self.gap = None;
        if self.of.tells.is_some() {
            return false;
        }
        if self.of.lasting && self.of.expects.is_none() {
            return false;
        }
        if let Some(expects) = self.of.expects {
            let differs = (value - expects).abs() > self.step / 2.0;
            self.differs = if differs { Some(self.differs.unwrap_or(now)) } else { None };
            return false;
        }
        let settings = Arc::clone(&self.of.settings);
        self.window.get_or_insert_with(|| Box::new(Window::new(now))).push(now, value);
        if self.frozen.heard(now, value, &settings)
            && let Some(again) = self.replay.get_or_insert_default().changed(value, self.step, &settings)
        {
            let score = f64::from(again) / settings.get(Knob::ReplayChunks);
            found.push(self.finding(Sign::Replayed, score, now, words::replayed(again)));
        }
        if self.of.catalytic && self.unit == Unit::PctVol && value >= settings.get(Knob::FoldBackAt) {
            self.overloaded(now, found);
        }
        if let Some(scale) = self.of.scale
            && let Some(times) = self.clamp.heard(now, value, scale, self.step, &settings)
        {
            let score = f64::from(times) / settings.get(Knob::ClampTimes);
            let seen = words::clamped(times, self.clamp.top(), self.unit);
            found.push(self.finding(Sign::Clamped, score, now - Span::from_secs(3_600), seen));
        }
        match self.of.scale {
            Some(scale) if self.calibration.is_none() => self.fall.heard(seen, scale, &settings),
            Some(_) | None => false,
        }
    }

    /// More gas than a catalytic sensor can bear: from now on it may read little in much. Told at once, because it has to
    /// outlive a restart, and again each minute.
    fn overloaded(&mut self, now: Mono, found: &mut Vec<Finding>) {
        if !std::mem::replace(&mut self.beyond, true) {
            found.push(self.fold_back(now));
        }
    }

    fn fold_back(&self, now: Mono) -> Finding {
        self.finding(Sign::FoldBack, 1.0, now - Span::from_secs(3_600), words::fold_back())
    }

    /// The value went away: was it high, or rising?
    fn lost(&mut self, now: Mono, was: Quality, found: &mut Vec<Finding>) {
        let seen = match was {
            Quality::Good => self.is_high_or_rising(),
            // Nothing is higher than what is beyond the range.
            Quality::Uncertain(Doubt::OverRange) => Some((1.0, words::over_range())),
            Quality::Uncertain(
                Doubt::WarmUp
                | Doubt::Calibrating
                | Doubt::UnderRange
                | Doubt::Inhibited
                | Doubt::Unconfirmed,
            )
            | Quality::Bad(_) => None,
        };
        if let Some((score, seen)) = seen {
            self.gap = Some(now);
            found.push(self.finding(Sign::GapOnRise, score, now - Span::from_secs(60), seen));
        }
    }

    /// How far it is above what is high, or rises faster than what is a rise.
    pub(super) fn is_high_or_rising(&self) -> Option<(f64, Text)> {
        let (scale, last) = (self.of.scale?, self.last?);
        let settings = &self.of.settings;
        let high = last.value / (scale * settings.get(Knob::GapOfAlarm));
        let slope = self.window().slope().unwrap_or(0.0);
        let rises = slope / (scale * settings.get(Knob::GapSlope));
        let score = high.max(rises);
        (score >= 1.0).then(|| (score, words::high_or_rising(last.value, slope, self.unit)))
    }

    fn calibrating(&mut self, now: Mono, value: Option<f64>) {
        let (scale, settings) = (self.of.scale.unwrap_or(0.0), &self.of.settings);
        if let Some(calibration) = &mut self.calibration {
            calibration.heard(now, value, scale, settings);
        }
    }

    /// A break: what is on its two sides is not compared.
    pub(super) fn interrupt(&mut self) {
        self.frozen.interrupt();
        self.fall.interrupt();
        self.spread.interrupt();
    }

    /// Once a minute: what lasts.
    pub(super) fn minute(&mut self, now: Now, found: &mut Vec<Finding>) {
        if let Some(window) = &mut self.window {
            window.roll(now.mono);
        }
        let settings = Arc::clone(&self.of.settings);
        let spread = self.window().spread();
        self.spread.minute(now, spread, self.step, &settings);
        if let Some(since) = self.gap {
            let seen = words::still_away(now.mono.since(since));
            found.push(self.finding(Sign::GapOnRise, 1.0, since, seen));
        }
        if self.beyond {
            found.push(self.fold_back(now.mono));
        }
        if let Some((since, last)) = self.differs.zip(self.last)
            && now.mono.since(since) >= settings.span(Knob::ChangedFor)
        {
            let seen = words::changed(last.value, self.of.expects.unwrap_or_default());
            found.push(self.finding(Sign::Changed, 1.0, since, seen));
        }
        if let Some(since) = self.held_off {
            let most = if self.of.tells == Some(Tells::Local) { Knob::LocalMax } else { Knob::InhibitMax };
            let lasted = now.mono.since(since);
            if lasted >= settings.span(most) {
                let score = seconds(lasted) / settings.get(most);
                found.push(self.finding(
                    Sign::Inhibited,
                    score,
                    since,
                    words::inhibited(self.of.tells, lasted),
                ));
            }
        }
    }

    /// What was read of it lately.
    pub(super) fn window(&self) -> &Window {
        self.window.as_deref().unwrap_or(&window::EMPTY)
    }

    pub(super) fn finding(&self, sign: Sign, score: f64, from: Mono, seen: Text) -> Finding {
        Finding { of: Of::Point(self.id), sign, score, from, others: Vec::new(), seen }
    }

    /// Whether its last reading was good.
    pub(super) fn is_good(&self) -> bool {
        self.quality == Quality::Good
    }

    /// Whether it reads nothing: less than one step of its display.
    pub(super) fn is_at_zero(&self) -> bool {
        self.last.is_some_and(|s| s.value.abs() <= self.step)
    }

    pub(super) fn neighbours(&self) -> impl Iterator<Item = PointId> {
        self.of.neighbours.iter().map(|n| n.point)
    }

    /// The longest that the air takes to a neighbour.
    pub(super) fn lag(&self) -> Span {
        self.of.neighbours.iter().map(|n| n.lag).max().unwrap_or(Span::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::signs::pairs::{ALIKE_MOST, Link, Pair};
    use crate::safety::signs::replay::PRINTS;

    #[test]
    fn a_point_takes_less_than_a_kibibyte_beside_its_evidence() {
        let evidence = Window::BYTES + PRINTS * size_of::<u32>();
        let pairs = ALIKE_MOST * size_of::<Pair>() + size_of::<Link>();
        assert!(size_of::<Track>() + pairs <= 1_024, "{} and {pairs}", size_of::<Track>());
        assert!(evidence <= 2_048, "{evidence}");
    }
}
