//! What moves: one element between its unsafe and its safe end, as its limit switches see it.

use crate::model::element::{ElementKind, Position};
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
    /// Stuck where it is; obeys nothing.
    pub(crate) jammed: bool,
    toward_safe: bool,
    /// Since when it moves; `None`: it has arrived long ago.
    since: Option<Mono>,
}

impl Drive {
    /// A drive as a site in normal operation has it: valve open, load live, siren off.
    pub(crate) fn new(kind: ElementKind) -> Drive {
        let travel = match kind {
            ElementKind::Valve => VALVE_TRAVEL,
            ElementKind::Load | ElementKind::Siren | ElementKind::Lock => SWITCH_TRAVEL,
        };
        Drive { kind, travel, jammed: false, toward_safe: false, since: None }
    }

    /// Sets out for one of its ends, from where it is.
    pub(crate) fn go(&mut self, now: Mono, toward_safe: bool) {
        if self.jammed || self.toward_safe == toward_safe {
            return;
        }
        let still_to_go = Span::from_us(self.travel.us().saturating_sub(self.gone(now).us()));
        self.since = Some(now - still_to_go);
        self.toward_safe = toward_safe;
    }

    fn gone(&self, now: Mono) -> Span {
        self.since.map_or(self.travel, |since| now.since(since).min(self.travel))
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
}
