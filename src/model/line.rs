//! What can go wrong on a line, in four classes: which one it is decides what is done about it.

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
            LineFault::Garbled(what) => write!(f, "answer does not fit the request: {what}"),
            LineFault::Link(what) => write!(f, "link down: {what}"),
        }
    }
}
