//! The clamped value: it climbs to one value just below the alarm, stands there, and is never above it.

use crate::model::sign::{Knob, Settings};
use crate::model::time::{Mono, Span};

/// Times are counted over this.
const WEEK: Span = Span::from_secs(7 * 86_400);

/// So long the value must stand at its top for that to count: a peak of gas does not stand.
const STANDS: Span = Span::from_secs(30);

/// The highest value below the alarm, and how often the value stood there. 40 bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Clamp {
    top: f64,
    /// Since when it stands at the top.
    at_top: Option<Mono>,
    counted: bool,
    times: u8,
    since: Mono,
}

impl Clamp {
    /// Takes in a good value; says how often it has stood at its top, where that is too often.
    pub(super) fn heard(
        &mut self,
        now: Mono,
        value: f64,
        scale: f64,
        step: f64,
        settings: &Settings,
    ) -> Option<u8> {
        if value >= scale || now.since(self.since) >= WEEK {
            *self = Clamp { since: now, ..Clamp::default() };
        }
        let band = scale * settings.get(Knob::ClampBand);
        if value >= scale || value < scale - band {
            (self.at_top, self.counted) = (None, false);
            return None;
        }
        if value > self.top + step / 2.0 {
            *self = Clamp { top: value, at_top: Some(now), since: now, ..Clamp::default() };
            return None;
        }
        if value < self.top - step / 2.0 {
            self.at_top = None;
            return None;
        }
        let since = *self.at_top.get_or_insert(now);
        if self.counted || now.since(since) < STANDS {
            return None;
        }
        self.counted = true;
        self.times = self.times.saturating_add(1);
        (f64::from(self.times) >= settings.get(Knob::ClampTimes)).then_some(self.times)
    }

    /// The value at which it stands.
    pub(super) fn top(&self) -> f64 {
        self.top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Peaks of gas, each a minute and a half long, and how often a top was found too often.
    fn peaks(heights: &[f64], shown: impl Fn(f64) -> f64) -> Option<u8> {
        let (mut clamp, settings, mut second) = (Clamp::default(), Settings::default(), 0);
        let mut found = None;
        for height in heights {
            for s in 0..600 {
                second += 1;
                let rise = 1.0 - (f64::from(s) - 300.0).abs() / 300.0;
                let value = (shown(0.5 + (height - 0.5) * rise) * 100.0).round() / 100.0;
                let now = Mono::from_us(second * 1_000_000);
                found = found.max(clamp.heard(now, value, 1.0, 0.01, &settings));
            }
        }
        found
    }

    #[test]
    fn a_value_that_stands_at_099_and_never_passes_it_is_clamped() {
        assert_eq!(peaks(&[1.3; 5], |v| v.min(0.99)), Some(5));
        assert_eq!(peaks(&[1.3; 4], |v| v.min(0.99)), None, "not often enough");
    }

    #[test]
    fn peaks_of_their_own_heights_and_peaks_beyond_the_alarm_are_not() {
        let heights: Vec<f64> = (0..40).map(|n| 0.9 + f64::from(n * 7 % 20) / 100.0).collect();
        assert_eq!(peaks(&heights, |v| v), None);
        assert_eq!(peaks(&[1.3; 10], |v| v), None);
        assert_eq!(peaks(&[1.3, 1.3, 1.3, 1.3], |v| v.min(0.99)).max(peaks(&[1.3], |v| v)), None);
    }
}
