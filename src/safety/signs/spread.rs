//! The collapse of noise: a sensor in living air is never quiet, unless something covers it.

use crate::model::sign::{Knob, Settings};
use crate::model::time::{Mono, Now};

/// Days of each shift that are remembered.
const DAYS: usize = 14;

/// Shifts of a day: eight hours each. They begin at midnight UTC, which is at eight, four and midnight in China.
const SHIFTS: usize = 3;

/// Milliseconds of a shift.
const SHIFT_MS: i64 = 8 * 3_600_000;

/// Minutes of a shift that must have been seen for it to count: half of it.
const SEEN_MIN: u32 = 240;

/// The spread of one point, hour by hour, and as it usually is at these hours of the day. 80 bytes, and 180 from the
/// first shift on.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    shifts: Option<Box<[Past; SHIFTS]>>,
    /// Which shift goes on.
    shift: Option<i64>,
    sum: f64,
    minutes: u32,
    now: Option<f64>,
    usual: Option<f32>,
    collapsed: Option<Mono>,
    lives: Option<Mono>,
}

/// The mean spread of one shift, day by day.
#[derive(Clone, Copy, Debug, Default)]
struct Past {
    days: [f32; DAYS],
    next: u8,
    len: u8,
}

impl Past {
    fn push(&mut self, spread: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
        if let Some(place) = self.days.get_mut(usize::from(self.next)) {
            *place = spread as f32;
        }
        self.next = (self.next.saturating_add(1)) % 14;
        self.len = self.len.saturating_add(1).min(14);
    }

    fn median(&self) -> f32 {
        let mut days: Vec<f32> = self.days.iter().copied().take(usize::from(self.len)).collect();
        days.sort_by(f32::total_cmp);
        days.get(days.len() / 2).copied().unwrap_or_default()
    }
}

impl Spread {
    /// Once a minute: the spread of the last hour, where there was one.
    pub(super) fn minute(&mut self, now: Now, spread: Option<f64>, step: f64, settings: &Settings) {
        let shift = now.wall.ms().div_euclid(SHIFT_MS);
        if self.shift != Some(shift) {
            self.change_shift(shift, settings);
        }
        // Below half a step of the display there is no noise that could collapse.
        let usual = self.usual().filter(|u| *u >= step / 2.0);
        let is_low = spread.zip(usual).is_some_and(|(s, u)| s < u * settings.get(Knob::NoiseFraction));
        if is_low {
            self.collapsed.get_or_insert(now.mono);
        } else if spread.is_some() {
            self.collapsed = None;
        }
        // What is a sign teaches nothing.
        if let Some(spread) = spread.filter(|_| !is_low) {
            self.sum += spread;
            self.minutes = self.minutes.saturating_add(1);
        }
        let lives = spread
            .zip(self.usual())
            .is_some_and(|(s, u)| u > 0.0 && s >= u * settings.get(Knob::NoiseNeighbour));
        self.lives = lives.then(|| self.lives.unwrap_or(now.mono));
        self.now = spread;
    }

    fn change_shift(&mut self, shift: i64, settings: &Settings) {
        let of = |shift: i64| usize::try_from(shift.rem_euclid(3)).unwrap_or(0);
        if let Some(old) = self.shift.filter(|_| self.minutes >= SEEN_MIN)
            && let Some(past) = self.shifts.get_or_insert_default().get_mut(of(old))
        {
            past.push(self.sum / f64::from(self.minutes));
        }
        (self.sum, self.minutes, self.shift) = (0.0, 0, Some(shift));
        let known = |past: &&Past| f64::from(past.len) >= settings.get(Knob::NoiseShifts);
        self.usual = self.shifts.as_ref().and_then(|s| s.get(of(shift))).filter(known).map(Past::median);
    }

    fn usual(&self) -> Option<f64> {
        self.usual.map(f64::from)
    }

    /// Whether its air has lived for as long as a neighbour's must for a collapse to be a sign: a surge that has come
    /// here first is none.
    pub(super) fn lives(&self, now: Mono, settings: &Settings) -> bool {
        self.lives.is_some_and(|since| now.since(since) >= settings.span(Knob::NoiseFor))
    }

    /// How far below its limit the spread is, where it was so for long enough; since when.
    pub(super) fn collapsed(&self, now: Mono, settings: &Settings) -> Option<(f64, Mono)> {
        let since = self.collapsed.filter(|since| now.since(*since) >= settings.span(Knob::NoiseFor))?;
        let limit = self.usual()? * settings.get(Knob::NoiseFraction);
        Some((limit / self.now?.max(limit / 100.0), since))
    }

    /// Spread of the last hour and as usual.
    pub(super) fn both(&self) -> (f64, f64) {
        (self.now.unwrap_or(0.0), self.usual().unwrap_or(0.0))
    }

    /// A break: what follows is compared anew.
    pub(super) fn interrupt(&mut self) {
        self.collapsed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{Span, Wall};

    fn at(minute: u64) -> Now {
        let mono = Mono::START + Span::from_secs(60).times(minute);
        Now { mono, wall: Wall::from_ms(6 * SHIFT_MS + i64::try_from(minute).unwrap() * 60_000) }
    }

    #[test]
    fn each_shift_has_a_usual_spread_of_its_own() {
        let (mut spread, settings) = (Spread::default(), Settings::default());
        for minute in 0..4 * 1_440 {
            let quiet = minute / 480 % 3 == 2;
            spread.minute(at(minute), Some(if quiet { 0.004 } else { 0.03 }), 0.001, &settings);
            assert_eq!(spread.collapsed(at(minute).mono, &settings), None, "{minute}");
        }
        spread.minute(at(4 * 1_440), Some(0.03), 0.001, &settings);
        assert!((spread.usual().unwrap() - 0.03).abs() < 1e-6);
        assert!(spread.lives(at(4 * 1_440).mono, &settings));
        spread.minute(at(4 * 1_440 + 1), Some(0.01), 0.001, &settings);
        for minute in 4 * 1_440 + 2..4 * 1_440 + 32 {
            assert!(!spread.lives(at(minute).mono, &settings), "half an hour anew");
            spread.minute(at(minute), Some(0.03), 0.001, &settings);
        }
        assert!(spread.lives(at(4 * 1_440 + 32).mono, &settings));
    }

    #[test]
    fn a_collapse_counts_after_half_an_hour_and_does_not_become_usual() {
        let (mut spread, settings) = (Spread::default(), Settings::default());
        for minute in 0..4 * 1_440 {
            spread.minute(at(minute), Some(0.03), 0.001, &settings);
        }
        for minute in 4 * 1_440..8 * 1_440 {
            spread.minute(at(minute), Some(0.001), 0.001, &settings);
            let lasted = minute - 4 * 1_440;
            assert_eq!(spread.collapsed(at(minute).mono, &settings).is_some(), lasted >= 30, "{lasted}");
        }
    }

    #[test]
    fn a_display_without_noise_can_not_lose_it() {
        let (mut spread, settings) = (Spread::default(), Settings::default());
        for minute in 0..6 * 1_440 {
            let s = if minute < 5 * 1_440 { 0.003 } else { 0.0 };
            spread.minute(at(minute), Some(s), 0.01, &settings);
            assert_eq!(spread.collapsed(at(minute).mono, &settings), None);
        }
    }
}
