//! What can go wrong on a line, in five classes: which one it is decides what is done about it.

use std::fmt;

/// Failures in a row before a device counts as lost. One lost frame is daily life on a line.
pub const FAILURES_TO_LOSE: u32 = 2;

/// A request that brought no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// No answer within the device's time-out.
    NoReply,
    /// The device answered with a Modbus exception code.
    Exception(u8),
    /// The answer came with a wrong checksum; what came.
    Damaged(String),
    /// The answer does not fit the question; what does not fit.
    Garbled(String),
    /// The link itself is down; what the system says.
    Link(String),
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineFault::NoReply => write!(f, "no answer within the time-out"),
            LineFault::Exception(code) => {
                let meaning = match code {
                    1 => "illegal function",
                    2 => "illegal data address",
                    3 => "illegal data value",
                    4 => "device failure",
                    5 => "acknowledge, busy with a long request",
                    6 => "device busy",
                    8 => "memory parity error",
                    10 => "gateway path unavailable",
                    11 => "gateway target does not answer",
                    _ => "not a code of the Modbus standard",
                };
                write!(f, "exception {code}: {meaning}")
            }
            LineFault::Damaged(what) => write!(f, "answer damaged on its way: {what}"),
            LineFault::Garbled(what) => write!(f, "answer does not fit the request: {what}"),
            LineFault::Link(what) => write!(f, "link down: {what}"),
        }
    }
}

/// What was on a line beside answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stray {
    /// Bytes that belong to no frame.
    pub bytes: u64,
    /// Answers with a wrong checksum.
    pub damaged: u64,
    /// Whole frames of other units or to them: another master, or an answer that came too late.
    pub foreign: u64,
    /// Our own frames, heard back.
    pub echoes: u64,
    /// Characters whose parity or frame was wrong, as far as the port tells.
    pub misshapen: u64,
}

impl Stray {
    /// Adds what lay beside another exchange.
    pub const fn add(&mut self, other: Stray) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.damaged = self.damaged.saturating_add(other.damaged);
        self.foreign = self.foreign.saturating_add(other.foreign);
        self.echoes = self.echoes.saturating_add(other.echoes);
        self.misshapen = self.misshapen.saturating_add(other.misshapen);
    }

    /// Whether there was nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Stray::default()
    }
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stray { bytes, damaged, foreign, echoes, misshapen } = self;
        write!(
            f,
            "{damaged} with a wrong checksum, {misshapen} characters with a wrong parity or frame, {bytes} stray bytes, \
             {foreign} foreign frames, {echoes} echoes"
        )
    }
}
