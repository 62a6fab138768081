//! The frozen value: a point that stands still for far longer than it ever does.

use super::window::{Seen, seconds};
use crate::model::sign::{Knob, Settings};
use crate::model::time::{Mono, Span};

/// Lengths of runs are counted in powers of two of a second; the last is a year.
const BUCKETS: usize = 25;

/// How long one value has stood, and how long such runs usually are. 72 bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Frozen {
    /// The present value, and since when it stands.
    stands: Option<Seen>,
    runs: [u16; BUCKETS],
    changes: u32,
}

impl Frozen {
    /// Takes in a good value; says whether it is another than the last.
    pub(super) fn heard(&mut self, now: Mono, value: f64, settings: &Settings) -> bool {
        if self.stands.map(|seen| seen.value) == Some(value) {
            return false;
        }
        // A run that was a sign teaches nothing: who freezes a value for a day must not have a free day after it.
        if let Some(seen) = self.stands
            && !self.is_frozen(now, settings)
        {
            self.learn(now.since(seen.at));
        }
        self.stands = Some(Seen { at: now, value });
        self.changes = self.changes.saturating_add(1);
        true
    }

    fn learn(&mut self, run: Span) {
        let log = (run.us() / 1_000_000)
            .checked_ilog2()
            .map_or(0, |b| usize::try_from(b).unwrap_or(0).saturating_add(1));
        if let Some(count) = self.runs.get_mut(log.min(BUCKETS - 1)) {
            *count = count.saturating_add(1);
            if *count == u16::MAX {
                self.runs.iter_mut().for_each(|c| *c = c.div_ceil(2));
            }
        }
    }

    /// The length that 99.9 % of all runs do not exceed.
    pub(super) fn usual(&self) -> Span {
        let total: u32 = self.runs.iter().map(|c| u32::from(*c)).sum();
        let mut seen = 0_u32;
        for (bucket, count) in self.runs.iter().enumerate() {
            seen = seen.saturating_add(u32::from(*count));
            if total > 0 && seen.saturating_mul(1_000) >= total.saturating_mul(999) {
                return Span::from_secs(1_u64 << bucket.min(40));
            }
        }
        Span::ZERO
    }

    /// How long the present value has stood.
    pub(super) fn stands(&self, now: Mono) -> Span {
        self.stands.map_or(Span::ZERO, |seen| now.since(seen.at))
    }

    /// Whether the point is known to move.
    pub(super) fn moves(&self, settings: &Settings) -> bool {
        f64::from(self.changes) > settings.get(Knob::FrozenChanges)
    }

    /// How far the present run is beyond its limit, where it is.
    pub(super) fn score(&self, now: Mono, settings: &Settings) -> Option<f64> {
        let usual = seconds(self.usual()) * settings.get(Knob::FrozenFactor);
        let limit = usual.max(settings.get(Knob::FrozenMin)).max(1.0);
        let stands = seconds(self.stands(now));
        (self.moves(settings) && stands > limit).then(|| stands / limit)
    }

    fn is_frozen(&self, now: Mono, settings: &Settings) -> bool {
        self.score(now, settings).is_some()
    }

    /// A break that is no run: a calibration. What was learnt stays.
    pub(super) fn interrupt(&mut self) {
        self.stands = None;
    }
}
