//! Time as a value. The pure floors own no clock: `Now` is an argument, so a test, a simulation and the plant
//! run the same code. Reading a clock is the job of `io/clock.rs`.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, Sub};

/// A length of time in whole microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// `us` microseconds.
    #[must_use]
    pub const fn from_us(us: u64) -> Span {
        Span(us)
    }

    /// `ms` milliseconds.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Span {
        Span(ms.saturating_mul(1_000))
    }

    /// `s` seconds.
    #[must_use]
    pub const fn from_secs(s: u64) -> Span {
        Span(s.saturating_mul(1_000_000))
    }

    /// Whole microseconds.
    #[must_use]
    pub const fn us(self) -> u64 {
        self.0
    }

    /// Whole milliseconds, rounded down.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.0 / 1_000
    }

    /// Minutes, for what is given by the minute.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
    pub const fn minutes(self) -> f64 {
        self.0 as f64 / 60e6
    }

    /// `self` taken `n` times, saturating.
    #[must_use]
    pub const fn times(self, n: u64) -> Span {
        Span(self.0.saturating_mul(n))
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Span {
    /// `250 ms` below ten seconds, `12.5 s` from there on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 10_000_000 {
            write!(f, "{} ms", self.ms())
        } else {
            write!(f, "{}.{} s", self.0 / 1_000_000, self.0 / 100_000 % 10)
        }
    }
}

/// A moment on the monotonic clock: microseconds since the program started. Never goes back.
///
/// It is kept as one more than that, so that a moment that may not have come takes no more room than one that has: the
/// judge keeps dozens of those for every point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(NonZeroU64);

impl Mono {
    /// The moment the program started.
    pub const START: Mono = Mono(NonZeroU64::MIN);

    /// `us` microseconds after the start.
    #[must_use]
    pub const fn from_us(us: u64) -> Mono {
        Mono(NonZeroU64::MIN.saturating_add(us))
    }

    /// Microseconds after the start.
    #[must_use]
    pub const fn us(self) -> u64 {
        self.0.get().saturating_sub(1)
    }

    /// The time gone by since `earlier`; zero where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Mono) -> Span {
        Span(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Mono {
    fn default() -> Mono {
        Mono::START
    }
}

impl Add<Span> for Mono {
    type Output = Mono;
    fn add(self, span: Span) -> Mono {
        Mono(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Mono {
    type Output = Mono;
    fn sub(self, span: Span) -> Mono {
        Mono::from_us(self.us().saturating_sub(span.0))
    }
}

/// A moment on the wall clock: milliseconds since 1970-01-01T00:00:00Z. It may jump; nothing is timed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(i64);

impl Wall {
    /// `ms` milliseconds after the Unix epoch, UTC.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Wall {
        Wall(ms)
    }

    /// Milliseconds after the Unix epoch, UTC.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// The moment written as `text` by [`Wall`]'s `Display`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Wall> {
        match text.strip_prefix("unix-ms:") {
            Some(ms) => ms.parse().ok().map(Wall),
            None => text.parse::<jiff::Timestamp>().ok().map(|t| Wall(t.as_millisecond())),
        }
    }

    /// The time gone by since `earlier`; zero where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Wall) -> Span {
        match self.0.checked_sub(earlier.0) {
            Some(ms) if ms > 0 => Span::from_ms(ms.unsigned_abs()),
            Some(_) | None => Span::ZERO,
        }
    }

    /// `span` later, to the millisecond.
    #[must_use]
    pub fn after(self, span: Span) -> Wall {
        Wall(self.0.saturating_add(i64::try_from(span.ms()).unwrap_or(i64::MAX)))
    }

    /// The UTC day, as `2026-11-24`.
    #[must_use]
    pub fn day(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

impl fmt::Display for Wall {
    /// RFC 3339, UTC, to the millisecond: `2026-11-24T03:42:05.123Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            // Out of the calendar (year 9999 and beyond): a broken clock still has to be told.
            Err(_) => write!(f, "unix-ms:{}", self.0),
        }
    }
}

/// This moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// For every span and time-out.
    pub mono: Mono,
    /// For what people read.
    pub wall: Wall,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_reads_as_rfc_3339_to_the_millisecond() {
        assert_eq!(Wall::from_ms(1_795_491_725_123).to_string(), "2026-11-24T03:42:05.123Z");
        assert_eq!(Wall::from_ms(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Wall::from_ms(1_795_491_725_123).day(), "2026-11-24");
        assert_eq!(Wall::from_ms(i64::MAX).to_string(), format!("unix-ms:{}", i64::MAX));
    }

    #[test]
    fn written_wall_time_reads_back_as_itself() {
        for ms in [0, 1, -1, 1_795_491_725_123, -62_135_596_800_001, 253_402_207_200_000, i64::MAX, i64::MIN]
        {
            assert_eq!(Wall::parse(&Wall(ms).to_string()), Some(Wall(ms)), "{ms}");
        }
        assert_eq!(Wall::parse("yesterday"), None);
    }

    #[test]
    fn a_moment_that_may_not_have_come_takes_no_more_room_than_one_that_has() {
        assert_eq!(size_of::<Option<Mono>>(), size_of::<Mono>());
        assert_eq!((Mono::START.us(), Mono::default().us(), Mono::from_us(7).us()), (0, 0, 7));
        assert_eq!(Mono::from_us(7) - Span::from_us(9), Mono::START);
        assert_eq!(Mono::from_us(u64::MAX) + Span::from_us(1), Mono::from_us(u64::MAX));
    }

    #[test]
    fn spans_saturate_instead_of_wrapping() {
        assert_eq!(Span::from_secs(u64::MAX).us(), u64::MAX);
        assert_eq!(Mono::START.since(Mono::from_us(5)), Span::ZERO);
    }
}
