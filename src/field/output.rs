//! One output: written, read back, written again until it reads back as written. When it may use the line is decided
//! in `schedule`.
//!
//! ```text
//!            trip             on the wire            read back as written
//!   Idle ───────────▶ Write ──────────────▶ ReadBack ────────────────────▶ Held
//!    ▲                 ▲ ▲                      │ otherwise                  │
//!    │                 │ └──────────────────────┴────────────────────────────┘ a poll reads it otherwise
//!    └── no trip ──────┘ (release is written and read back in the same way, then Idle)
//! ```

use super::codec::{Cells, Question, as_written};
use crate::model::element::Demand;
use crate::model::line::LineFault;
use crate::model::plan::Plan;
use crate::model::register::{Command, Encoding, ReadBlock, Scan};
use crate::model::table::{DeviceId, ElementId, PointId};
use crate::model::time::{Mono, Span};

/// Pause before the first repetition of a write.
const RETRY_MIN: Span = Span::from_ms(200);

/// Longest pause between two writes of one output: a trip that does not get through is tried for ever.
const RETRY_MAX: Span = Span::from_secs(5);

/// What has to be done for an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing.
    Idle,
    /// Its demand is to be written.
    Write,
    /// It was written; it is to be read back.
    ReadBack,
    /// It read back as written, and must stay so.
    Held,
}

/// One element's output.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) element: ElementId,
    pub(crate) device: DeviceId,
    pub(crate) demand: Demand,
    command: Command,
    /// The point that mirrors it, and what that reads while the output is tripped.
    mirror: (PointId, f64),
    stage: Stage,
    /// Not tried yet since the demand came, or since it was undone.
    fresh: bool,
    /// A trip may have reached the device, so that lifting it has to be written.
    touched: bool,
    retry_at: Mono,
    backoff: Span,
}

impl Output {
    /// The output of an element that may be written.
    pub(crate) fn new(plan: &Plan, id: ElementId) -> Output {
        let element = &plan.elements[id];
        let mirrored = match plan.points[element.readback].field.encoding {
            Encoding::Bit => u16::from(element.command.trip != 0),
            Encoding::U16
            | Encoding::I16
            | Encoding::U32(_)
            | Encoding::I32(_)
            | Encoding::F32(_)
            | Encoding::Bits { .. }
            | Encoding::Packed => as_written(element.command.at.space, element.command.trip),
        };
        Output {
            element: id,
            device: element.device,
            demand: Demand::None,
            command: element.command,
            mirror: (element.readback, f64::from(mirrored)),
            stage: Stage::Idle,
            fresh: false,
            touched: false,
            retry_at: Mono::START,
            backoff: RETRY_MIN,
        }
    }

    /// Takes in what is demanded.
    pub(crate) fn demand(&mut self, demand: Demand) {
        if self.demand == demand {
            return;
        }
        self.demand = demand;
        let owed = demand == Demand::Trip || (self.touched && self.command.release.is_some());
        self.stage = if owed { Stage::Write } else { Stage::Idle };
        self.fresh = owed;
        self.retry_at = Mono::START;
        self.backoff = RETRY_MIN;
    }

    /// Whether it is a trip that was not tried yet: it overtakes everything.
    pub(crate) fn is_urgent(&self) -> bool {
        self.stage == Stage::Write && self.fresh && self.demand == Demand::Trip
    }

    /// Whether it was written and is to be read back.
    pub(crate) fn wants_reading(&self) -> bool {
        self.stage == Stage::ReadBack
    }

    /// When it is to be written, if it is.
    pub(crate) fn write_at(&self) -> Option<Mono> {
        (self.stage == Stage::Write).then_some(self.retry_at)
    }

    /// The write, which from here on counts as having reached the device.
    pub(crate) fn write(&mut self) -> Question {
        self.fresh = false;
        self.touched |= self.demand == Demand::Trip;
        Question::Write { at: self.command.at, value: self.wanted(), how: self.command.how }
    }

    /// The read-back.
    pub(crate) fn read_back(&self) -> Question {
        Question::Read(ReadBlock { at: self.command.readback, count: 1, scan: Scan::Fast })
    }

    fn wanted(&self) -> u16 {
        match (self.demand, self.command.release) {
            (Demand::Trip, _) | (Demand::None, None) => self.command.trip,
            (Demand::None, Some(release)) => release,
        }
    }

    /// The device echoed the write.
    pub(crate) fn echoed(&mut self) {
        self.stage = Stage::ReadBack;
    }

    /// The read-back was answered; right only if it is what was written.
    pub(crate) fn check(&mut self, now: Mono, cells: &Cells) -> Result<(), LineFault> {
        let wanted = as_written(self.command.readback.space, self.wanted());
        match cells.get(0) {
            Some(read) if read == wanted => {
                self.touched = self.demand == Demand::Trip;
                self.stage = if self.touched { Stage::Held } else { Stage::Idle };
                self.backoff = RETRY_MIN;
                Ok(())
            }
            read => {
                self.retry(now);
                let read = read.map_or_else(|| "nothing".to_owned(), |word| word.to_string());
                Err(LineFault::Garbled(format!("wrote {wanted}, reads back {read}")))
            }
        }
    }

    /// Writes again, after a pause; gives the pause.
    pub(crate) fn retry(&mut self, now: Mono) -> Span {
        let pause = self.backoff;
        self.stage = Stage::Write;
        self.retry_at = now + pause;
        self.backoff = pause.times(2).min(RETRY_MAX);
        pause
    }

    /// Its device did not answer another output: asking before `pause` has gone by would only cost the line.
    pub(crate) fn postpone(&mut self, now: Mono, pause: Span) {
        if self.stage == Stage::Write {
            self.fresh = false;
            self.retry_at = self.retry_at.max(now + pause);
            self.backoff = self.backoff.max(pause);
        }
    }

    /// A poll reads `value` at `point`; says whether that shows that a held trip was undone, to be written again.
    pub(crate) fn is_undone_by(&mut self, point: PointId, value: f64) -> bool {
        let undone =
            self.stage == Stage::Held && point == self.mirror.0 && (value - self.mirror.1).abs() > 0.5;
        if undone {
            self.stage = Stage::Write;
            self.fresh = true;
            self.retry_at = Mono::START;
        }
        undone
    }
}
