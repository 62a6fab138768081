//! The evidence window of a point: its last readings, thinned, and an hour of minutes. All that is told with a sign
//! and all that long tests look back on comes from here; nothing older is kept.

use crate::model::time::{Mono, Span};
use std::collections::VecDeque;

/// Readings kept: a minute of them at [`RECENT_EVERY`], 512 bytes.
pub(super) const RECENT: usize = 32;

/// Readings closer together than this are not kept one by one.
const RECENT_EVERY: Span = Span::from_secs(2);

/// Minutes kept: an hour, 720 bytes.
pub(super) const MINUTES: usize = 60;

/// A minute is this long.
pub(super) const MINUTE: Span = Span::from_secs(60);

/// A slope is taken over this much.
const SLOPE_OVER: Span = Span::from_secs(90);

/// Readings that make up what is read lately: a quarter of a minute.
const LATELY: usize = 8;

/// And from at least so many readings.
const SLOPE_OF: usize = 5;

/// A reading that was kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) at: Mono,
    pub(super) value: f64,
}

/// What a minute's good readings were like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Minute {
    pub(super) mean: f32,
    var: f32,
    /// Readings in it; none where it was not good.
    pub(super) count: u16,
}

/// Mean and variance as they come in (Welford).
#[derive(Clone, Copy, Debug, Default)]
struct Welford {
    count: u16,
    mean: f64,
    squares: f64,
}

/// The last minute of a point, and its last hour.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    recent: VecDeque<Seen>,
    minutes: VecDeque<Minute>,
    /// The number of the minute that goes on, from the start of the program.
    number: u64,
    open: Welford,
}

/// The window of a point of which nothing was read.
pub(super) static EMPTY: Window = Window {
    recent: VecDeque::new(),
    minutes: VecDeque::new(),
    number: 0,
    open: Welford { count: 0, mean: 0.0, squares: 0.0 },
};

impl Window {
    /// Bytes of the evidence of one point, at most.
    #[cfg(test)]
    pub(super) const BYTES: usize = RECENT * size_of::<Seen>() + MINUTES * size_of::<Minute>();

    pub(super) fn new(now: Mono) -> Window {
        Window { number: number(now), ..Window::default() }
    }

    /// Takes in a good reading.
    pub(super) fn push(&mut self, at: Mono, value: f64) {
        self.roll(at);
        let open = &mut self.open;
        open.count = open.count.saturating_add(1);
        let off = value - open.mean;
        open.mean += off / f64::from(open.count);
        open.squares += off * (value - open.mean);
        if self.recent.back().is_none_or(|last| at.since(last.at) >= RECENT_EVERY) {
            bounded(&mut self.recent, Seen { at, value }, RECENT);
        }
    }

    /// Closes the minutes that are over.
    pub(super) fn roll(&mut self, now: Mono) {
        let number = number(now);
        let gone = number.saturating_sub(self.number);
        for n in 0..gone.min(60) {
            let open = if n == 0 { std::mem::take(&mut self.open) } else { Welford::default() };
            bounded(&mut self.minutes, open.close(), MINUTES);
        }
        self.number = self.number.max(number);
    }

    /// The mean of the minute that ended `back` minutes ago: 0 is the last one that is over.
    pub(super) fn mean(&self, back: usize) -> Option<f64> {
        let minute = self.minutes.iter().rev().nth(back)?;
        (minute.count > 0).then(|| f64::from(minute.mean))
    }

    /// The spread of the hour about its trend, with how many minutes of it were good: a slow rise or decay is no
    /// noise, and must not hide that there is none.
    pub(super) fn spread(&self) -> Option<f64> {
        let good = || {
            let rows = self.minutes.iter().enumerate().filter(|(_, m)| m.count > 0);
            rows.map(|(n, m)| (count(n), f64::from(m.mean), f64::from(m.var)))
        };
        let n = good().count();
        if n < MINUTES * 3 / 4 {
            return None;
        }
        let within = good().map(|(_, _, var)| var).sum::<f64>() / count(n);
        let (slope, mean_x, mean_y) = trend(good().map(|(x, y, _)| (x, y)))?;
        let off = |x: f64, y: f64| y - mean_y - slope * (x - mean_x);
        let about = good().map(|(x, y, _)| off(x, y).powi(2)).sum::<f64>() / count(n);
        Some((within + about).max(0.0).sqrt()).filter(|s| s.is_finite())
    }

    /// The rise per minute over the last readings.
    pub(super) fn slope(&self) -> Option<f64> {
        let last = self.recent.back()?.at;
        let near = || self.recent.iter().filter(|s| last.since(s.at) <= SLOPE_OVER);
        if near().count() < SLOPE_OF {
            return None;
        }
        let minutes = |s: &Seen| -(count_us(last.since(s.at).us()) / 60e6);
        Some(trend(near().map(|s| (minutes(s), s.value)))?.0).filter(|s| s.is_finite())
    }

    /// The mean of the last few readings.
    pub(super) fn lately(&self) -> Option<f64> {
        let last = || self.recent.iter().rev().take(LATELY);
        (last().count() > 0).then(|| last().map(|s| s.value).sum::<f64>() / count(last().count()))
    }

    /// The evidence between `from` and now: the readings where they reach back so far, else the minutes.
    pub(super) fn evidence(&self, from: Mono) -> Vec<Seen> {
        let reaches = self.recent.front().is_some_and(|s| s.at <= from + RECENT_EVERY);
        let newer = |s: &Seen| s.at + Span::from_secs(30) >= from;
        if reaches || self.minutes.is_empty() {
            return self.recent.iter().copied().filter(newer).collect();
        }
        let closed = Mono::from_us(self.number.saturating_mul(MINUTE.us()));
        let row = |(back, m): (usize, &Minute)| {
            let back = u64::try_from(back).unwrap_or(u64::MAX);
            let at = closed - MINUTE.times(back) - Span::from_secs(30);
            (m.count > 0).then(|| Seen { at, value: f64::from(m.mean) })
        };
        let mut rows: Vec<Seen> =
            self.minutes.iter().rev().enumerate().filter_map(row).filter(newer).collect();
        rows.reverse();
        rows.extend(self.recent.back());
        rows
    }
}

impl Welford {
    fn close(self) -> Minute {
        if self.count == 0 {
            return Minute::default();
        }
        let var = self.squares / f64::from(self.count);
        Minute { mean: narrow(self.mean), var: narrow(var), count: self.count }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "evidence is kept to seven digits")]
fn narrow(x: f64) -> f32 {
    x as f32
}

/// The number of the minute that `at` is in.
fn number(at: Mono) -> u64 {
    minutes(at.since(Mono::START))
}

/// Whole minutes.
pub(super) const fn minutes(span: Span) -> u64 {
    span.us() / 60_000_000
}

/// A small whole number as what is calculated with.
pub(super) fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::from(u32::MAX), f64::from)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds within minutes")]
pub(super) fn count_us(us: u64) -> f64 {
    us as f64
}

/// Seconds of a span.
pub(super) fn seconds(span: Span) -> f64 {
    count_us(span.us()) / 1e6
}

/// Slope, mean x and mean y of the line through `points`.
fn trend(points: impl Iterator<Item = (f64, f64)> + Clone) -> Option<(f64, f64, f64)> {
    let n = count(points.clone().count());
    if n < 2.0 {
        return None;
    }
    let (sum_x, sum_y) = points.clone().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (xy, xx) = points
        .fold((0.0, 0.0), |(xy, xx), (x, y)| (xy + (x - mean_x) * (y - mean_y), xx + (x - mean_x).powi(2)));
    (xx > 0.0).then(|| (xy / xx, mean_x, mean_y))
}

/// Appends, and lets the oldest go.
pub(super) fn bounded<T>(ring: &mut VecDeque<T>, item: T, most: usize) {
    if ring.len() >= most {
        ring.pop_front();
    }
    ring.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Mono {
        Mono::from_us(s * 1_000_000)
    }

    #[test]
    fn the_spread_is_that_of_the_noise_and_not_of_a_slow_decay() {
        let mut window = Window::new(at(0));
        for s in 0..3_700u64 {
            let noise = if s % 2 == 0 { 0.02 } else { -0.02 };
            window.push(at(s), 0.5 - count_us(s) * 1e-4 + noise);
        }
        let spread = window.spread().unwrap();
        assert!((0.018..0.023).contains(&spread), "{spread}");
    }

    #[test]
    fn the_slope_is_per_minute() {
        let mut window = Window::new(at(0));
        for s in 0..100u64 {
            window.push(at(s), 0.2 * count_us(s) / 60.0);
        }
        assert!((window.slope().unwrap() - 0.2).abs() < 1e-6);
    }

    #[test]
    fn evidence_reaches_back_an_hour_and_stays_in_its_bounds() {
        let mut window = Window::new(at(0));
        for s in 0..20_000u64 {
            window.push(at(s), 1.0);
        }
        let rows = window.evidence(at(10_000));
        assert!(rows.len() <= MINUTES + 1);
        let back = at(20_000).since(rows.first().unwrap().at);
        assert!(back >= Span::from_secs(3_500), "{back}");
        assert!(rows.windows(2).all(|w| w[0].at <= w[1].at));
        assert!(window.evidence(at(19_970)).len() <= RECENT);
    }

    #[test]
    fn a_minute_without_a_good_reading_is_missing_and_not_zero() {
        let mut window = Window::new(at(0));
        window.push(at(10), 0.4);
        window.roll(at(200));
        assert_eq!((window.mean(0), window.mean(1)), (None, None));
        assert!((window.mean(2).unwrap() - 0.4).abs() < 1e-6);
        window.roll(Mono::from_us(u64::MAX));
        assert_eq!(window.spread(), None);
    }
}
