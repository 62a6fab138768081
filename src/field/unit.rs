//! When one device is to be asked: its phase, its back-off, and how far its poll has come. Which device goes first is
//! decided in `schedule`.
//!
//! ```text
//!           whole poll                     no answer                   no answer
//!   ┌──────────────────────▶ heard ─────────────────▶ doubted ─────────────────▶ lost ──┐ no answer:
//!   │                          ▲     asked at its next poll  after its back-off  ▲  │   │ twice the back-off
//!   │                          │                                                 └──┼───┘
//!   └──────────────────────────┴─── first values unconfirmed ◀──────── whole poll ──┘
//! ```
//!
//! A poll that breaks off has failed, however many of its blocks were answered: a device that never answers its second
//! block would otherwise cost the line a time-out in every period.

use crate::model::line::{FAILURES_TO_LOSE, LineFault};
use crate::model::plan::Device;
use crate::model::table::DeviceId;
use crate::model::time::{Mono, Span};

/// Shortest back-off.
const BACKOFF_MIN: Span = Span::from_secs(1);

/// Longest back-off: a detector that was repaired is seen again within a minute.
const BACKOFF_MAX: Span = Span::from_secs(60);

/// One device as its line sees it.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) id: DeviceId,
    /// When it is to be asked next.
    pub(crate) due: Mono,
    /// Which of its blocks is asked next.
    pub(crate) block: usize,
    blocks: usize,
    period: Span,
    /// The first of its fixed moments: `origin + n * period`.
    origin: Mono,
    /// It has answered a whole poll since the start.
    heard: bool,
    /// Polls in a row that broke off.
    failures: u32,
    backoff: Span,
    /// Its values are the first ones after a loss.
    unconfirmed: bool,
}

impl Unit {
    /// Asked at once, then at its moments, the first of which is `origin`.
    pub(crate) fn new(id: DeviceId, device: &Device, now: Mono, origin: Mono) -> Unit {
        let period = device.poll.max(Span::from_ms(1));
        Unit {
            id,
            due: now,
            block: 0,
            blocks: device.blocks.len(),
            period,
            origin,
            heard: false,
            failures: 0,
            backoff: Unit::first_backoff(period),
            unconfirmed: false,
        }
    }

    fn first_backoff(period: Span) -> Span {
        period.times(2).max(BACKOFF_MIN).min(BACKOFF_MAX)
    }

    /// Whether there is anything to ask it.
    pub(crate) fn is_polled(&self) -> bool {
        self.blocks > 0
    }

    /// Whether it answered the whole of its last poll.
    pub(crate) fn is_trusted(&self) -> bool {
        self.heard && self.failures == 0
    }

    /// Whether it is asked by its back-off only.
    pub(crate) fn is_lost(&self) -> bool {
        self.failures >= FAILURES_TO_LOSE
    }

    /// When its poll is overtaken by the next one.
    pub(crate) fn deadline(&self) -> Mono {
        self.due + self.period
    }

    /// Its first moment after `at`.
    fn moment_after(&self, at: Mono) -> Mono {
        if at < self.origin {
            return self.origin;
        }
        let whole = at.since(self.origin).us().checked_div(self.period.us()).unwrap_or(0);
        self.origin + self.period.times(whole.saturating_add(1))
    }

    /// A block was answered, if only by a refusal. Says whether its values are unconfirmed, and how many polls had
    /// to be left out because the line had no time for them.
    pub(crate) fn answered(&mut self, now: Mono) -> (bool, u64) {
        if self.is_lost() {
            self.unconfirmed = true;
        }
        let unconfirmed = self.unconfirmed;
        self.block = self.block.saturating_add(1);
        if self.block < self.blocks {
            return (unconfirmed, 0);
        }
        self.block = 0;
        self.heard = true;
        self.failures = 0;
        self.backoff = Unit::first_backoff(self.period);
        self.unconfirmed = false;
        let next = self.moment_after(self.due);
        // Late by more than a period: the missed polls are left out, never made up for.
        self.due = next.max(self.moment_after(now - self.period));
        (unconfirmed, self.due.since(next).us().checked_div(self.period.us()).unwrap_or(0))
    }

    /// A block was not answered: the poll ends.
    pub(crate) fn failed(&mut self, now: Mono, fault: &LineFault) {
        self.block = 0;
        self.failures = self.failures.saturating_add(1);
        // A link that is down costs no time and says nothing of the device: no back-off beyond the link's own.
        let down = matches!(fault, LineFault::Link(_));
        if self.is_lost() && !down {
            self.due = self.moment_after(now + self.backoff);
            self.backoff = self.backoff.times(2).min(BACKOFF_MAX);
        } else {
            self.due = self.moment_after(now);
        }
    }

    /// It answered something else than a poll: if it was lost it is worth asking.
    pub(crate) fn lives(&mut self, now: Mono) {
        if self.is_lost() {
            self.due = now;
            self.backoff = Unit::first_backoff(self.period);
        }
    }
}
