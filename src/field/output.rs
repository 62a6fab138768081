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
//! A pulse is ended after its time, whatever came of it: from the moment it is sent it may stand, until its end was taken
//! or a poll reads it ended ([`Standing`]). One that was not taken is begun anew after that; so is one after which a
//! contact says that nothing came of it.

use super::codec::{Cells, Question, as_written, is_taken};
use crate::model::element::Demand;
use crate::model::line::LineFault;
use crate::model::plan::{Contact, Plan};
use crate::model::register::{Command, Encoding, Pulse, ReadBlock, Scan, Write};
use crate::model::table::{DeviceId, ElementId, PointId};
use crate::model::time::{Mono, Span};

/// Pause before the first repetition of a write.
const RETRY_MIN: Span = Span::from_ms(200);

/// Longest pause between two writes of one output: a trip that does not get through is tried for ever.
const RETRY_MAX: Span = Span::from_secs(5);

/// Longest pause between two pulses of which nothing came: a valve that sticks is tried for ever as well.
const PULSE_MAX: Span = Span::from_secs(60);

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
    mirror: Mirror,
    stage: Stage,
    /// Not tried yet since the demand came, or since it was undone.
    fresh: bool,
    /// A trip may have reached the device, so that lifting it has to be written.
    touched: bool,
    retry_at: Mono,
    backoff: Span,
    /// A pulse that may stand.
    standing: Option<Standing>,
    /// Of a pulse: the contact that says whether anything came of it, and how long after it that is looked at.
    proof: Option<Proof>,
}

/// A pulse that may stand: a coil that burns out if nobody ends it.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// When its end is to be written.
    end_at: Mono,
    /// Its end was sent at least once.
    ending: bool,
    /// Its end is on the wire.
    on_wire: bool,
    /// Pause before the end is tried again; a device that is dead costs its line no more than with any other write.
    backoff: Span,
}

impl Standing {
    fn from(now: Mono, pulse: Pulse) -> Standing {
        Standing { end_at: now + pulse.width, ending: false, on_wire: false, backoff: RETRY_MIN }
    }
}

/// How it is seen that a pulse was to no avail.
#[derive(Clone, Copy, Debug)]
struct Proof {
    safe: Contact,
    /// When the last pulse was begun.
    begun: Mono,
    /// How long it may take; doubled with each pulse in vain.
    patience: Span,
    usual: Span,
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
        let patience = element.travel_limit.max(RETRY_MIN);
        let proof = element.safe_contact.filter(|_| element.command.pulse.is_some());
        let proof = proof.map(|safe| Proof { safe, begun: Mono::START, patience, usual: patience });
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
            standing: None,
            proof,
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
            Stage::Idle | Stage::Write | Stage::ReadBack | Stage::Held => Stage::Idle,
        };
        self.fresh = owed;
        self.retry_at = Mono::START;
        self.backoff = RETRY_MIN;
    }

    /// Whether it is a trip that was not tried yet: it overtakes everything.
    pub(crate) fn is_urgent(&self) -> bool {
        self.stage == Stage::Write && self.fresh && self.demand == Demand::Trip && self.standing.is_none()
    }

    /// Whether it was written and is to be read back.
    pub(crate) fn wants_reading(&self) -> bool {
        self.stage == Stage::ReadBack
    }

    /// When it is to be written, if it is. A pulse that may stand is ended before another one begins.
    pub(crate) fn write_at(&self) -> Option<Mono> {
        match (self.standing, self.stage) {
            (Some(standing), _) => Some(standing.end_at),
            (None, Stage::Write) => Some(self.retry_at),
            (None, Stage::Idle | Stage::ReadBack | Stage::Held) => None,
        }
    }

    /// Whether a pulse of it may stand.
    pub(crate) fn may_stand(&self) -> bool {
        self.standing.is_some()
    }

    /// The write, which from here on counts as having reached the device.
    pub(crate) fn write(&mut self, now: Mono) -> Question {
        let Command { at, how, pulse, .. } = self.command;
        if let (Some(standing), Some(pulse)) = (&mut self.standing, pulse) {
            (standing.ending, standing.on_wire) = (true, true);
            return Question::Write { at, value: pulse.rest, how };
        }
        self.fresh = false;
        self.touched |= self.demand == Demand::Trip;
        self.standing = pulse.map(|pulse| Standing::from(now, pulse));
        if let Some(proof) = &mut self.proof {
            proof.begun = now;
        }
        Question::Write { at, value: self.wanted(), how }
    }

    /// Takes in what came of the end of a pulse, where that was on the wire: what was taken is over, what was not is
    /// tried again.
    pub(crate) fn ended(&mut self, now: Mono, taken: bool) -> bool {
        let Some(standing) = self.standing.as_mut().filter(|standing| standing.on_wire) else { return false };
        (standing.end_at, standing.on_wire) = (now + standing.backoff, false);
        standing.backoff = standing.backoff.times(2).min(RETRY_MAX);
        if taken {
            self.standing = None;
        }
        true
    }

    /// The link was down: what was to be written was never sent.
    pub(crate) fn unsent(&mut self) {
        self.standing = self.standing.filter(|standing| standing.ending);
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
                self.stage = self.settled();
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
        // Of a pulse whose answer was lost it can still be seen whether it stands.
        let look = self.stage == Stage::Write && self.standing.is_some();
        self.stage = if look { Stage::ReadBack } else { Stage::Write };
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

    /// A poll reads `value` at `point`; says whether that shows that a held trip was undone, or came to nothing, and is
    /// to be written again.
    pub(crate) fn is_undone_by(&mut self, now: Mono, point: PointId, value: f64) -> bool {
        let Some(pulse) = self.command.pulse else {
            let stands = self.stage == Stage::Held && self.demand == Demand::Trip;
            let undone = stands && point == self.mirror.point && !self.mirror.shows_tripped(value);
            if undone {
                (self.stage, self.fresh, self.retry_at) = (Stage::Write, true, Mono::START);
            }
            return undone;
        };
        if point == self.mirror.point {
            self.sees_pulse(now, pulse, self.mirror.shows_tripped(value));
        }
        let waits = self.demand == Demand::Trip && self.stage == Stage::Held && self.standing.is_none();
        let Some(proof) = self.proof.as_mut().filter(|proof| waits && proof.safe.point == point) else {
            return false;
        };
        if (value > 0.5) == proof.safe.yes {
            proof.patience = proof.usual;
            return false;
        }
        let in_vain = now.since(proof.begun) >= proof.patience;
        if in_vain {
            proof.patience = proof.patience.times(2).min(PULSE_MAX.max(proof.usual));
            (self.stage, self.retry_at) = (Stage::Write, Mono::START);
        }
        in_vain
    }

    /// A pulse is read where it is written: one that stands has to be ended, and one that was ended is over even if the
    /// answer to that was lost.
    fn sees_pulse(&mut self, now: Mono, pulse: Pulse, stands: bool) {
        match self.standing {
            // Somebody else's, or one of an earlier run.
            None if stands && self.touched => {
                self.standing = Some(Standing::from(now, pulse));
            }
            Some(standing) if !stands && standing.ending && !standing.on_wire => self.standing = None,
            Some(_) | None => {}
        }
    }
}
