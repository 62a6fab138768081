//! One calibration: who ordered it and for how long, and whether gas was seen in it as a calibration shows it: zero gas,
//! calibration gas, each for a while.

use super::window::seconds;
use crate::model::sign::{Knob, Settings};
use crate::model::table::PointId;
use crate::model::time::{Mono, Span};

/// A calibration that nobody ordered is over when the device has not spoken of it for so long.
const QUIET: Span = Span::from_secs(60);

/// A reading stands for the time since the last one, and for no more than this: nobody knows what was in a gap.
const READING_MAX: Span = Span::from_secs(5);

/// Up to this share of the alarm set-point is zero gas.
const ZERO_SHARE: f64 = 0.1;

/// From this share of the alarm set-point on is calibration gas, where the site does not say which it has.
const GAS_SHARE: f64 = 0.5;

/// A calibration that goes on. Some 150 bytes, while it lasts.
#[derive(Clone, Debug)]
pub(super) struct Calibration {
    pub(super) since: Mono,
    /// How long it may take, where a person ordered it.
    pub(super) planned: Option<Span>,
    /// What was left of that when it was last told.
    pub(super) told: Span,
    /// When the point was last heard to be calibrated.
    pub(super) heard: Mono,
    last: Option<Mono>,
    zero: Span,
    level: f64,
    plateau: Span,
    best: Span,
    /// The most that was read in it.
    pub(super) highest: f64,
    /// What neighbours read when it began.
    pub(super) others: Vec<(PointId, f64)>,
}

impl Calibration {
    pub(super) fn new(now: Mono, planned: Option<Span>, others: Vec<(PointId, f64)>) -> Calibration {
        Calibration {
            since: now,
            planned,
            told: planned.unwrap_or(Span::ZERO),
            heard: now,
            last: None,
            zero: Span::ZERO,
            level: 0.0,
            plateau: Span::ZERO,
            best: Span::ZERO,
            highest: f64::NEG_INFINITY,
            others,
        }
    }

    /// The device goes on by itself where the time that a person has planned was over just before: gas that was seen has
    /// been seen.
    pub(super) fn gone_on(self, over: &Calibration) -> Calibration {
        let Calibration { last, zero, level, plateau, best, .. } = *over;
        Calibration { last, zero, level, plateau, best, ..self }
    }

    /// Whether it was ordered, and its time is not over.
    pub(super) fn is_ordered(&self, now: Mono) -> bool {
        self.left(now) > Span::ZERO
    }

    /// What is left of its time, where it was ordered.
    pub(super) fn left(&self, now: Mono) -> Span {
        let planned = self.planned.unwrap_or(Span::ZERO);
        Span::from_us(planned.us().saturating_sub(now.since(self.since).us()))
    }

    /// Whether it is over by itself: its time, where it was ordered; else the device speaks of it no more.
    pub(super) fn is_over(&self, now: Mono) -> bool {
        match self.planned {
            Some(_) => !self.is_ordered(now),
            None => !self.was_just_heard(now),
        }
    }

    /// Whether the device has spoken of it lately.
    pub(super) fn was_just_heard(&self, now: Mono) -> bool {
        now.since(self.heard) < QUIET
    }

    /// Takes in a reading of the time of calibration.
    pub(super) fn heard(&mut self, now: Mono, value: Option<f64>, scale: f64, settings: &Settings) {
        self.heard = now;
        let lasted = self.last.map_or(Span::ZERO, |last| now.since(last).min(READING_MAX));
        self.last = Some(now);
        let Some(value) = value else { return };
        self.highest = self.highest.max(value);
        if value.abs() <= scale * ZERO_SHARE {
            self.zero = self.zero + lasted;
        }
        let (gas, tolerance) = (settings.get(Knob::CalibrationGas), settings.get(Knob::CalibrationTolerance));
        let near = |level: f64| (value - level).abs() <= level * tolerance;
        if gas > 0.0 {
            self.plateau = if near(gas) { self.plateau + lasted } else { Span::ZERO };
        } else if value < scale * GAS_SHARE {
            self.plateau = Span::ZERO;
        } else if near(self.level) {
            self.plateau = self.plateau + lasted;
        } else {
            (self.level, self.plateau) = (value, Span::ZERO);
        }
        self.best = self.best.max(self.plateau);
    }

    /// Seconds of zero gas and of calibration gas.
    pub(super) fn seen(&self) -> (f64, f64) {
        (seconds(self.zero), seconds(self.best))
    }

    /// How much of what makes a calibration was not seen: 0 where all was.
    pub(super) fn lacks(&self, settings: &Settings) -> f64 {
        let lacks = |seen: Span, wanted: Knob| {
            let wanted = settings.get(wanted);
            if wanted > 0.0 { (1.0 - seconds(seen) / wanted).max(0.0) } else { 0.0 }
        };
        lacks(self.zero, Knob::CalibrationZero).max(lacks(self.best, Knob::CalibrationPlateau))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacks(course: &[(u64, f64)]) -> f64 {
        let (settings, mut second) = (Settings::default(), 0);
        let mut calibration = Calibration::new(Mono::START, None, Vec::new());
        for (lasts, value) in course {
            for _ in 0..*lasts {
                second += 1;
                calibration.heard(Mono::from_us(second * 1_000_000), Some(*value), 1.0, &settings);
            }
        }
        calibration.lacks(&settings)
    }

    #[test]
    fn zero_gas_then_calibration_gas_is_a_calibration() {
        assert_eq!(lacks(&[(70, 0.02), (10, 1.1), (95, 2.0), (30, 0.0)]), 0.0);
        assert!(lacks(&[(70, 0.02), (60, 2.0)]) > 0.3, "too short a plateau");
        assert!(lacks(&[(20, 0.0), (100, 2.0)]) > 0.6, "too short a zero");
        assert_eq!(lacks(&[(600, 0.4)]), 1.0, "no gas at all");
        assert!(lacks(&[(70, 0.0), (40, 1.0), (40, 1.5), (40, 2.0)]) > 0.5, "no plateau");
    }

    #[test]
    fn a_device_that_goes_on_beyond_the_planned_time_has_seen_the_gas_that_it_has_seen() {
        let (settings, at) = (Settings::default(), |s: u64| Mono::from_us(s * 1_000_000));
        let mut ordered = Calibration::new(at(0), Some(Span::from_secs(240)), Vec::new());
        for second in 0..240 {
            ordered.heard(at(second), Some(if second < 100 { 0.0 } else { 2.0 }), 1.0, &settings);
        }
        assert_eq!(ordered.lacks(&settings), 0.0);
        let begins = |second: u64| Calibration::new(at(second), None, Vec::new()).gone_on(&ordered);
        assert_eq!(begins(241).lacks(&settings), 0.0);
        assert_eq!((begins(241).since, begins(241).planned), (at(241), None));
        assert!(ordered.was_just_heard(at(241)) && !ordered.was_just_heard(at(299)));
    }

    #[test]
    fn it_is_over_when_nobody_speaks_of_it_or_its_time_has_passed() {
        let at = |s: u64| Mono::from_us(s * 1_000_000);
        let mut ordered = Calibration::new(at(0), Some(Span::from_secs(600)), Vec::new());
        ordered.heard(at(599), Some(0.0), 1.0, &Settings::default());
        assert!(ordered.is_ordered(at(599)) && !ordered.is_over(at(599)));
        assert!(!ordered.is_ordered(at(600)) && ordered.is_over(at(600)));
        let device = Calibration::new(at(0), None, Vec::new());
        assert!(!device.is_over(at(59)) && device.is_over(at(60)));
    }
}
