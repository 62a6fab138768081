//! Gaps that wait to be told: what was lost for one reason is one gap, so that they do not crowd the journal.

use crate::model::record::Gap;

/// Gaps, each of another reason.
#[derive(Debug, Default)]
pub(super) struct Gaps(Vec<Gap>);

impl Gaps {
    /// Takes in what was lost.
    pub(super) fn add(&mut self, lost: Gap) {
        match self.0.iter_mut().find(|gap| (gap.lane, &gap.reason) == (lost.lane, &lost.reason)) {
            Some(gap) => {
                gap.from = gap.from.min(lost.from);
                gap.to = gap.to.max(lost.to);
                gap.at_least |= lost.at_least;
                gap.count = gap.count.saturating_add(lost.count);
            }
            None => self.0.push(lost),
        }
    }

    /// Whether there is nothing to tell.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that is to be told.
    pub(super) fn take(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Lane;
    use crate::model::time::Wall;

    #[test]
    fn what_was_lost_for_one_reason_is_one_gap_and_no_other_reason_takes_its_blame() {
        let lost = |reason: &str, lane, ms, count| {
            let at = Wall::from_ms(ms);
            Gap { lane, from: at, to: at, count, at_least: false, reason: reason.to_owned() }
        };
        let mut gaps = Gaps::default();
        gaps.add(lost("no room", Lane::Telemetry, 5, 1));
        gaps.add(lost("no room", Lane::Event, 5, 1));
        gaps.add(lost("no disk", Lane::Telemetry, 6, 10));
        gaps.add(lost("no room", Lane::Telemetry, 2, 2));
        let told = gaps.take();
        assert!(gaps.is_empty());
        assert_eq!(told.iter().map(|gap| gap.count).collect::<Vec<_>>(), [3, 1, 10]);
        assert_eq!((told[0].from, told[0].to), (Wall::from_ms(2), Wall::from_ms(5)));
    }
}
