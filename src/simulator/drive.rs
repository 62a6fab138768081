//! What moves: one element between its unsafe and its safe end, as its limit switches and its own electronics see it.

use crate::model::element::{ElementKind, Position, Shows};
use crate::model::time::{Mono, Span};

/// Travel of a shut-off valve.
const VALVE_TRAVEL: Span = Span::from_ms(400);

/// Time in which a contactor drops out or a siren comes on.
const SWITCH_TRAVEL: Span = Span::from_ms(80);

/// Part of the travel after which the limit switch of the end that is left lets go: a tenth.
const LETS_GO: u64 = 10;

/// One moving thing.
#[derive(Clone, Debug)]
pub(crate) struct Drive {
    pub(crate) kind: ElementKind,
    pub(crate) travel: Span,
    /// Obeys nobody but who stands beside it.
    pub(crate) local: bool,
    toward_safe: bool,
    /// Since when it moves; `None`: it has arrived long ago.
    since: Option<Mono>,
    jammed: bool,
    /// Jammed on its way, so far from where it came.
    stuck: Option<Span>,
    /// Jammed, and asked to move since: only then does it know.
    strained: bool,
    /// Who set it out was a person.
    by_hand: bool,
}

impl Drive {
    /// A drive as a site in normal operation has it: valve open, load live, siren off.
    pub(crate) fn new(kind: ElementKind) -> Drive {
        let travel = match kind {
            ElementKind::Valve => VALVE_TRAVEL,
            ElementKind::Load | ElementKind::Siren | ElementKind::Lock => SWITCH_TRAVEL,
        };
        Drive {
            kind,
            travel,
            local: false,
            toward_safe: false,
            since: None,
            jammed: false,
            stuck: None,
            strained: false,
            by_hand: false,
        }
    }

    /// Sets out for one of its ends, from where it is.
    pub(crate) fn go(&mut self, now: Mono, toward_safe: bool) {
        self.set_out(now, toward_safe, false);
    }

    /// The same by somebody's hand.
    pub(crate) fn go_by_hand(&mut self, now: Mono, toward_safe: bool) {
        self.set_out(now, toward_safe, true);
    }

    fn set_out(&mut self, now: Mono, toward_safe: bool, by_hand: bool) {
        if self.toward_safe == toward_safe {
            return;
        }
        if self.jammed {
            self.strained = true;
            return;
        }
        let still_to_go = Span::from_us(self.travel.us().saturating_sub(self.gone(now).us()));
        self.since = Some(now - still_to_go);
        self.toward_safe = toward_safe;
        self.by_hand = by_hand;
    }

    pub(crate) fn is_jammed(&self) -> bool {
        self.jammed
    }

    /// Sticks where it is, on its way too; or comes loose, and goes on.
    pub(crate) fn set_jammed(&mut self, now: Mono, jammed: bool) {
        if jammed && !self.jammed {
            self.stuck = Some(self.gone(now)).filter(|gone| *gone < self.travel);
            self.strained = self.stuck.is_some();
        }
        if !jammed {
            self.since = self.stuck.take().map(|gone| now - gone).or(self.since);
            self.strained = false;
        }
        self.jammed = jammed;
    }

    fn gone(&self, now: Mono) -> Span {
        let moved = || self.since.map_or(self.travel, |since| now.since(since));
        self.stuck.unwrap_or_else(moved).min(self.travel)
    }

    /// Where its limit switches say it is.
    pub(crate) fn position(&self, now: Mono) -> Position {
        let gone = self.gone(now);
        if gone >= self.travel {
            if self.toward_safe { Position::Safe } else { Position::Unsafe }
        } else if gone.times(LETS_GO) >= self.travel {
            Position::Travelling
        } else if self.toward_safe {
            Position::Unsafe
        } else {
            Position::Safe
        }
    }

    /// What its electronics say of it, between 0 and 1.
    pub(crate) fn shows(&self, now: Mono, what: Shows) -> f64 {
        let gone = self.gone(now);
        let moves = !self.jammed && gone < self.travel;
        let yes = match what {
            Shows::Moving => moves,
            Shows::Closing => moves && self.toward_safe,
            Shows::Jammed => self.strained,
            Shows::ByHand => moves && self.by_hand,
            Shows::Local => self.local,
            Shows::Remote => !self.local,
            Shows::Position => {
                #[expect(clippy::cast_precision_loss, reason = "a share of a travel")]
                let share = gone.us() as f64 / self.travel.us().max(1) as f64;
                return if self.toward_safe { 1.0 - share } else { share };
            }
        };
        f64::from(u8::from(yes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::START + Span::from_ms(ms)
    }

    #[test]
    fn what_jams_on_its_way_stands_there_and_goes_on_when_it_comes_loose() {
        let mut drive = Drive::new(ElementKind::Valve);
        drive.go(at(1_000), true);
        drive.set_jammed(at(1_100), true);
        assert_eq!(drive.position(at(9_000)), Position::Travelling);
        let shown = |drive: &Drive, ms, what| drive.shows(at(ms), what);
        assert_eq!(shown(&drive, 9_000, Shows::Position), 0.75);
        assert_eq!((shown(&drive, 9_000, Shows::Jammed), shown(&drive, 9_000, Shows::Moving)), (1.0, 0.0));
        drive.set_jammed(at(10_000), false);
        assert_eq!((shown(&drive, 10_100, Shows::Jammed), shown(&drive, 10_100, Shows::Closing)), (0.0, 1.0));
        assert_eq!(drive.position(at(10_300)), Position::Safe);
    }

    #[test]
    fn what_jams_at_its_end_does_not_know_before_it_is_asked_to_move() {
        let mut drive = Drive::new(ElementKind::Valve);
        drive.set_jammed(at(0), true);
        assert_eq!(drive.shows(at(1), Shows::Jammed), 0.0);
        drive.go(at(2), true);
        assert_eq!((drive.shows(at(3), Shows::Jammed), drive.position(at(9_000))), (1.0, Position::Unsafe));
        drive.set_jammed(at(9_000), false);
        assert_eq!(
            (drive.shows(at(9_001), Shows::Jammed), drive.position(at(9_900))),
            (0.0, Position::Unsafe)
        );
    }
}
