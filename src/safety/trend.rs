//! How fast a value rises: the slope of a straight line through its last samples.

use crate::model::point::{Quality, Reading};
use crate::model::time::{Mono, Span};
use std::collections::VecDeque;

/// Samples that a slope is taken from: enough that one step of the display does not look like a leak, few enough that
/// a point costs less than 400 bytes.
const SAMPLES: u64 = 16;

/// Fewer samples than this say nothing.
const SAMPLES_MIN: usize = 4;

/// The last samples of one point, thinned to a window.
#[derive(Clone, Debug)]
pub(crate) struct Trend {
    window: Span,
    samples: VecDeque<(Mono, f64)>,
}

impl Trend {
    pub(crate) fn new(window: Span) -> Trend {
        Trend { window, samples: VecDeque::new() }
    }

    /// Takes in a reading. One that is not good begins anew: no line is drawn across what was not seen.
    pub(crate) fn add(&mut self, reading: &Reading) {
        let (Quality::Good, Some(value)) = (reading.quality, reading.value) else {
            self.samples.clear();
            return;
        };
        let step = Span::from_us(self.window.us() / SAMPLES);
        if self.samples.back().is_some_and(|(last, _)| reading.at.since(*last) < step) {
            return;
        }
        while self.samples.front().is_some_and(|(first, _)| reading.at.since(*first) > self.window) {
            self.samples.pop_front();
        }
        self.samples.push_back((reading.at, value));
    }

    /// The slope in units a minute, once at least half the window was seen.
    pub(crate) fn per_minute(&self) -> Option<f64> {
        let ((first, _), (last, _)) = (self.samples.front()?, self.samples.back()?);
        if self.samples.len() < SAMPLES_MIN || last.since(*first).times(2) < self.window {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a window is minutes, and a count is at most 17")]
        let minutes = |at: Mono| at.since(*first).us() as f64 / 60e6;
        #[expect(clippy::cast_precision_loss, reason = "a window is minutes, and a count is at most 17")]
        let n = self.samples.len() as f64;
        let mean_t = self.samples.iter().map(|(at, _)| minutes(*at)).sum::<f64>() / n;
        let mean_v = self.samples.iter().map(|(_, v)| v).sum::<f64>() / n;
        let (mut over, mut under) = (0.0, 0.0);
        for (at, value) in &self.samples {
            let t = minutes(*at) - mean_t;
            over += t * (value - mean_v);
            under += t * t;
        }
        let slope = over / under;
        slope.is_finite().then_some(slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn good(s: u64, value: f64) -> Reading {
        Reading { value: Some(value), quality: Quality::Good, at: Mono::from_us(s * 1_000_000) }
    }

    fn slope_of(values: impl Iterator<Item = (u64, f64)>) -> Option<f64> {
        let mut trend = Trend::new(Span::from_secs(60));
        values.for_each(|(s, v)| trend.add(&good(s, v)));
        trend.per_minute()
    }

    #[test]
    fn a_steady_rise_has_its_slope_and_a_steady_value_none() {
        let rising = slope_of((0..120).map(|s| (s, 0.5 + f64::from(u32::try_from(s).unwrap()) / 600.0)));
        assert!((rising.unwrap() - 0.1).abs() < 1e-9, "{rising:?}");
        assert!(slope_of((0..120).map(|s| (s, 0.5))).unwrap().abs() < 1e-9);
    }

    #[test]
    fn too_little_says_nothing_and_a_gap_begins_anew() {
        assert_eq!(slope_of((0..20).map(|s| (s, 0.5))), None);
        let mut trend = Trend::new(Span::from_secs(60));
        (0..60).for_each(|s| trend.add(&good(s, 0.5)));
        trend.add(&Reading { value: Some(3.0), quality: Quality::Good, at: Mono::from_us(1_000_000_000) });
        assert_eq!(trend.per_minute(), None);
        trend.add(&Reading::bad(crate::model::point::Fault::CommLost, Mono::from_us(1_001_000_000)));
        assert!(trend.samples.is_empty());
    }

    proptest! {
        #[test]
        fn any_values_at_any_times_give_a_finite_slope_or_none_and_few_samples_are_kept(
            values in prop::collection::vec((0u64..4_000_000_000, any::<f64>()), 0..200)
        ) {
            let mut trend = Trend::new(Span::from_secs(60));
            for (us, value) in values {
                trend.add(&Reading { value: Some(value), quality: Quality::Good, at: Mono::from_us(us) });
                prop_assert!(trend.per_minute().is_none_or(f64::is_finite));
                prop_assert!(trend.samples.len() <= 18);
            }
        }
    }
}
