//! The sudden drop: gas goes away over minutes, never within two polls, unless all the air of a place is another's.

use super::window::Seen;
use crate::model::sign::{Knob, Settings};
use crate::model::table::PointId;
use crate::model::time::{Mono, Span};

/// A reading older than this says nothing of how fast the value fell.
const SUDDEN: Span = Span::from_secs(30);

/// Polls within which a drop is one drop.
const POLLS: u8 = 2;

/// Share of the drop by which the value may come back and still count as having stayed down.
const COMES_BACK: f64 = 0.25;

/// The last two readings, and a drop that is looked at. 56 bytes, and some 100 while one is looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    last: [Option<Seen>; 2],
    pub(super) suspect: Option<Box<Suspect>>,
}

/// A drop that may be a sign.
#[derive(Clone, Debug)]
pub(super) struct Suspect {
    pub(super) at: Mono,
    pub(super) before: f64,
    pub(super) after: f64,
    highest: f64,
    lowest: f64,
    polls: u8,
    /// What neighbours read then.
    pub(super) others: Vec<(PointId, f64)>,
}

/// What is to be done about a suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Look again later.
    Wait,
    /// It was none.
    Drop,
    /// It stayed down: neighbours can tell.
    Ask,
    /// It stayed at one value: nobody else can tell.
    Constant,
}

impl Step {
    /// Takes in a good reading; says whether it begins a drop.
    pub(super) fn heard(&mut self, seen: Seen, scale: f64, settings: &Settings) -> bool {
        let near = self.last.iter().flatten().filter(|s| seen.at.since(s.at) <= SUDDEN);
        let before = near.map(|s| s.value).fold(f64::NEG_INFINITY, f64::max);
        self.last = [Some(seen), self.last[0]];
        if let Some(suspect) = &mut self.suspect {
            suspect.go_on(seen.value);
            return false;
        }
        let drop = before - seen.value;
        let deep = drop >= scale * settings.get(Knob::StepOfAlarm);
        let sharp = drop >= before * settings.get(Knob::StepFraction)
            && drop >= scale * settings.get(Knob::StepMinOfAlarm);
        if !(deep || sharp) {
            return false;
        }
        self.suspect = Some(Box::new(Suspect {
            at: seen.at,
            before,
            after: seen.value,
            highest: seen.value,
            lowest: seen.value,
            polls: 1,
            others: Vec::new(),
        }));
        true
    }

    /// A gap or a calibration: readings on both sides of it are not compared.
    pub(super) fn interrupt(&mut self) {
        *self = Step::default();
    }
}

impl Suspect {
    fn go_on(&mut self, value: f64) {
        self.polls = self.polls.saturating_add(1);
        if self.polls <= POLLS && value < self.after {
            (self.after, self.highest, self.lowest) = (value, value, value);
        }
        self.highest = self.highest.max(value);
        self.lowest = self.lowest.min(value);
    }

    /// What is to be done at `now`; `lag` is the longest that the air takes to a neighbour.
    pub(super) fn next(&self, now: Mono, lag: Span, asked: bool, settings: &Settings) -> Next {
        let gone = now.since(self.at);
        if gone < settings.span(Knob::StepHold) + lag {
            return Next::Wait;
        }
        if self.highest > self.after + (self.before - self.after) * COMES_BACK {
            return Next::Drop;
        }
        if !asked {
            return Next::Ask;
        }
        let stands = self.highest.total_cmp(&self.lowest).is_eq();
        match (stands, gone >= settings.span(Knob::StepConstant)) {
            (false, _) => Next::Drop,
            (true, false) => Next::Wait,
            (true, true) => Next::Constant,
        }
    }
}
