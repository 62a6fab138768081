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
//!
//! A pulse is ended after its time, before it counts as held; whether it still stands is not looked at then.

use super::codec::{Cells, Question, as_written, is_taken};
use crate::model::element::Demand;
use crate::model::line::LineFault;
use crate::model::plan::Plan;
use crate::model::register::{Command, Encoding, ReadBlock, Scan, Write};
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
    /// It read back as written, and is a pulse that is to be ended.
    Pulsing,
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
    mirror: Mirror,
    stage: Stage,
    /// Not tried yet since the demand came, or since it was undone.
    fresh: bool,
    /// A trip may have reached the device, so that lifting it has to be written.
    touched: bool,
    retry_at: Mono,
    backoff: Span,
    /// When what was written last was echoed.
    echoed_at: Mono,
}

/// The point that mirrors an output, and what that reads while the output is tripped.
#[derive(Clone, Copy, Debug)]
struct Mirror {
    point: PointId,
    tripped: f64,
    /// The bits of it that are the output's.
    mask: Option<u16>,
}

impl Mirror {
    fn of(plan: &Plan, point: PointId, command: &Command) -> Mirror {
        let Command { at, trip, how, .. } = *command;
        let (tripped, mask) = match (plan.points[point].field.encoding, how) {
            (Encoding::Bit, _) => (u16::from(trip != 0), None),
            (Encoding::Bits { shift, mask }, _) => {
                (trip.checked_shr(u32::from(shift)).unwrap_or(0) & mask, None)
            }
            (Encoding::U16, Write::Mask(mask)) => (trip & mask, Some(mask)),
            (
                Encoding::U16
                | Encoding::I16
                | Encoding::U32(_)
                | Encoding::I32(_)
                | Encoding::F32(_)
                | Encoding::Packed,
                _,
            ) => (as_written(at.space, trip), None),
        };
        Mirror { point, tripped: f64::from(tripped), mask }
    }

    fn shows_tripped(&self, value: f64) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates; a register holds no more"
        )]
        let own = self.mask.map_or(value, |mask| f64::from(value as u16 & mask));
        (own - self.tripped).abs() <= 0.5
    }
}

impl Output {
    /// The output of an element that may be written.
    pub(crate) fn new(plan: &Plan, id: ElementId) -> Output {
        let element = &plan.elements[id];
        Output {
            element: id,
            device: element.device,
            demand: Demand::None,
            command: element.command,
            mirror: Mirror::of(plan, element.readback, &element.command),
            stage: Stage::Idle,
            fresh: false,
            touched: false,
            retry_at: Mono::START,
            backoff: RETRY_MIN,
            echoed_at: Mono::START,
        }
    }

    /// Takes in what is demanded.
    pub(crate) fn demand(&mut self, demand: Demand) {
        if self.demand == demand {
            return;
        }
        self.demand = demand;
        let owed = demand == Demand::Trip || (self.touched && self.command.release.is_some());
        self.stage = match self.stage {
            _ if owed => Stage::Write,
            // What was begun has to be ended.
            Stage::Pulsing => Stage::Pulsing,
            Stage::Idle | Stage::Write | Stage::ReadBack | Stage::Held => Stage::Idle,
        };
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
        match self.stage {
            Stage::Write | Stage::Pulsing => Some(self.retry_at),
            Stage::Idle | Stage::ReadBack | Stage::Held => None,
        }
    }

    /// The write, which from here on counts as having reached the device.
    pub(crate) fn write(&mut self) -> Question {
        let Command { at, how, pulse, .. } = self.command;
        if let (Stage::Pulsing, Some(pulse)) = (self.stage, pulse) {
            return Question::Write { at, value: pulse.rest, how };
        }
        self.fresh = false;
        self.touched |= self.demand == Demand::Trip;
        Question::Write { at, value: self.wanted(), how }
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
    pub(crate) fn echoed(&mut self, now: Mono) {
        self.echoed_at = now;
        self.stage = match self.stage {
            Stage::Pulsing => self.settled(),
            Stage::Idle | Stage::Write | Stage::ReadBack | Stage::Held => Stage::ReadBack,
        };
    }

    fn settled(&self) -> Stage {
        if self.demand == Demand::Trip { Stage::Held } else { Stage::Idle }
    }

    /// The read-back was answered; right only if it is what was written.
    pub(crate) fn check(&mut self, now: Mono, cells: &Cells) -> Result<(), LineFault> {
        let wanted = self.wanted();
        match cells.get(0) {
            Some(read) if is_taken(&self.command, wanted, read) => {
                self.touched = self.demand == Demand::Trip;
                self.backoff = RETRY_MIN;
                self.stage = match self.command.pulse {
                    Some(pulse) => {
                        self.retry_at = self.echoed_at + pulse.width;
                        Stage::Pulsing
                    }
                    None => self.settled(),
                };
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
        if self.stage != Stage::Pulsing {
            self.stage = Stage::Write;
        }
        self.retry_at = now + pause;
        self.backoff = pause.times(2).min(RETRY_MAX);
        pause
    }

    /// Its device did not answer another output: asking before `pause` has gone by would only cost the line.
    pub(crate) fn postpone(&mut self, now: Mono, pause: Span) {
        if matches!(self.stage, Stage::Write | Stage::Pulsing) {
            self.fresh = false;
            self.retry_at = self.retry_at.max(now + pause);
            self.backoff = self.backoff.max(pause);
        }
    }

    /// A poll reads `value` at `point`; says whether that shows that a held trip was undone, to be written again.
    pub(crate) fn is_undone_by(&mut self, point: PointId, value: f64) -> bool {
        let stands = self.stage == Stage::Held && self.command.pulse.is_none();
        let undone = stands && point == self.mirror.point && !self.mirror.shows_tripped(value);
        if undone {
            self.stage = Stage::Write;
            self.fresh = true;
            self.retry_at = Mono::START;
        }
        undone
    }
}
