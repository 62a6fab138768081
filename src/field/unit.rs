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
use crate::model::register::Scan;
use crate::model::table::DeviceId;
use crate::model::time::{Mono, Span};

/// Shortest back-off.
const BACKOFF_MIN: Span = Span::from_secs(1);

/// Longest back-off: a detector that was repaired is seen again within a minute.
const BACKOFF_MAX: Span = Span::from_secs(60);

/// Blocks that are asked together, one after the other, at fixed moments.
#[derive(Debug)]
struct Round {
    /// Their numbers among the device's blocks.
    blocks: Vec<usize>,
    /// How many of them were asked.
    asked: usize,
    due: Mono,
    period: Span,
    /// The first of its fixed moments: `origin + n * period`.
    origin: Mono,
}

impl Round {
    fn new(device: &Device, scan: Scan, period: Span, now: Mono, origin: Mono) -> Round {
        let numbered = device.blocks.iter().enumerate();
        let blocks = numbered.filter(|(_, block)| block.scan == scan).map(|(n, _)| n).collect();
        Round { blocks, asked: 0, due: now, period: period.max(Span::from_ms(1)), origin }
    }

    fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Its first moment after `at`.
    fn moment_after(&self, at: Mono) -> Mono {
        if at < self.origin {
            return self.origin;
        }
        let whole = at.since(self.origin).us().checked_div(self.period.us()).unwrap_or(0);
        self.origin + self.period.times(whole.saturating_add(1))
    }

    fn turn(&self) -> Option<Turn> {
        let block = *self.blocks.get(self.asked)?;
        Some(Turn { block, due: self.due, deadline: self.due + self.period })
    }

    /// A block was answered. Says, where it was the last one, how many rounds had to be left out.
    fn answered(&mut self, now: Mono) -> Option<u64> {
        self.asked = self.asked.saturating_add(1);
        if self.asked < self.blocks.len() {
            return None;
        }
        self.asked = 0;
        let next = self.moment_after(self.due);
        // Late by more than a period: the missed rounds are left out, never made up for.
        self.due = next.max(self.moment_after(now - self.period));
        Some(self.due.since(next).us().checked_div(self.period.us()).unwrap_or(0))
    }

    /// Begins anew at its first moment after `at`.
    fn put_off(&mut self, at: Mono) {
        self.asked = 0;
        self.due = self.moment_after(at);
    }
}

/// What a device is to be asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Which of its blocks.
    pub(crate) block: usize,
    /// When.
    pub(crate) due: Mono,
    /// When it is overtaken by the next one of its kind.
    pub(crate) deadline: Mono,
}

/// One device as its line sees it.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) id: DeviceId,
    /// What is measured.
    fast: Round,
    /// What seldom changes: health, identity, the device's own set-points. At the start, after a loss, and now and then.
    slow: Round,
    /// The usual period of the fast round, and the one while there is gas where the device stands.
    periods: [Span; 2],
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
        Unit {
            id,
            fast: Round::new(device, Scan::Fast, device.poll, now, origin),
            slow: Round::new(device, Scan::Slow, device.slow_poll, now, origin),
            periods: [device.poll, device.hurried_poll.min(device.poll)].map(|p| p.max(Span::from_ms(1))),
            heard: false,
            failures: 0,
            backoff: Unit::first_backoff(device.poll),
            unconfirmed: false,
        }
    }

    fn first_backoff(period: Span) -> Span {
        period.times(2).max(BACKOFF_MIN).min(BACKOFF_MAX)
    }

    /// Whether there is anything to ask it.
    pub(crate) fn is_polled(&self) -> bool {
        !self.fast.is_empty() || !self.slow.is_empty()
    }

    /// Whether it answered the whole of its last poll.
    pub(crate) fn is_trusted(&self) -> bool {
        self.heard && self.failures == 0
    }

    /// Whether it is asked by its back-off only.
    pub(crate) fn is_lost(&self) -> bool {
        self.failures >= FAILURES_TO_LOSE
    }

    /// What it may be asked: what is measured, and unless it is lost what seldom changes.
    pub(crate) fn turns(&self) -> impl Iterator<Item = Turn> {
        let slow = !self.slow.is_empty() && (!self.is_lost() || self.fast.is_empty());
        [self.fast.turn(), self.slow.turn().filter(|_| slow)].into_iter().flatten()
    }

    /// There is gas where it stands, or no longer: it is asked more often, or as usual.
    pub(crate) fn hurry(&mut self, now: Mono, hurried: bool) {
        let [usual, short] = self.periods;
        let period = if hurried { short } else { usual };
        if self.fast.period != period {
            self.fast.period = period;
            if !self.is_lost() && self.fast.asked == 0 {
                self.fast.due = self.fast.moment_after(now);
            }
        }
    }

    fn round(&mut self, block: usize) -> &mut Round {
        if self.slow.blocks.contains(&block) { &mut self.slow } else { &mut self.fast }
    }

    /// Its next values are the first ones over another connection.
    pub(crate) const fn doubt(&mut self) {
        self.unconfirmed = true;
    }

    /// A block was answered, if only by a refusal. Says whether its values are unconfirmed, and how many polls had
    /// to be left out because the line had no time for them.
    pub(crate) fn answered(&mut self, now: Mono, block: usize) -> (bool, u64) {
        if self.is_lost() {
            self.unconfirmed = true;
            // Whoever comes back may be another one.
            (self.slow.asked, self.slow.due) = (0, now);
        }
        let unconfirmed = self.unconfirmed;
        let Some(skipped) = self.round(block).answered(now) else { return (unconfirmed, 0) };
        self.heard = true;
        self.failures = 0;
        self.backoff = Unit::first_backoff(self.fast.period);
        if self.fast.is_empty() || self.fast.blocks.contains(&block) {
            self.unconfirmed = false;
        }
        (unconfirmed, skipped)
    }

    /// A block was not answered: the poll ends.
    pub(crate) fn failed(&mut self, now: Mono, block: usize, fault: &LineFault) {
        self.failures = self.failures.saturating_add(1);
        // A link that is down costs no time and says nothing of the device: no back-off beyond the link's own.
        let down = matches!(fault, LineFault::Link(_));
        let until = if self.is_lost() && !down { now + self.backoff } else { now };
        if self.is_lost() {
            // Nothing else is asked before that.
            self.fast.put_off(until);
            self.slow.put_off(until);
        } else {
            let usual = self.fast.period;
            let round = self.round(block);
            round.put_off(until);
            // What is asked seldom is not left out until its next turn: nothing would be known of it for so long.
            round.due = round.due.min(now + usual.max(BACKOFF_MIN));
        }
        if until > now {
            self.backoff = self.backoff.times(2).min(BACKOFF_MAX);
        }
    }

    /// It answered something else than a poll: if it was lost it is worth asking.
    pub(crate) fn lives(&mut self, now: Mono) {
        if self.is_lost() {
            (self.fast.due, self.slow.due) = (now, now);
            self.backoff = Unit::first_backoff(self.fast.period);
        }
    }
}
