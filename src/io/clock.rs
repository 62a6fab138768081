//! The only place that reads a clock.
#![expect(clippy::disallowed_methods, reason = "this file is where clocks are read")]

use crate::model::time::{Mono, Now, Span, Wall};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Reads both clocks. Copies share one start, so their times compare. In a test with paused time, monotonic time is
/// that of tokio's timers.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// This moment.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { mono: self.mono(), wall: wall() }
    }

    /// This moment on the monotonic clock.
    #[must_use]
    pub fn mono(&self) -> Mono {
        Mono::from_us(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The moment `at` as tokio's timers want it.
    #[must_use]
    pub fn instant(&self, at: Mono) -> Instant {
        self.start + Duration::from_micros(at.us())
    }
}

fn wall() -> Wall {
    let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    };
    Wall::from_ms(ms)
}

/// `span` as the standard library wants it.
#[must_use]
pub const fn duration(span: Span) -> Duration {
    Duration::from_micros(span.us())
}
