//! What a device or its line can do wrong. Mischief changes what is answered, never what the plant is; and down to the
//! bytes, how an answer goes over a line.

use super::dice::Dice;
use super::slave;
use crate::field::rtu;
pub use crate::model::deed::Mischief;
use crate::model::time::Span;

/// Most bytes of noise at a time.
const NOISE_MAX: usize = 20;

/// Between the parts of an answer that comes in two.
const BETWEEN: Span = Span::from_ms(15);

/// The unit with which another master talks.
const STRANGER: u8 = 99;

impl Mischief {
    /// Whether the device still answers what it is asked, rightly or not.
    #[must_use]
    pub fn obeys(self) -> bool {
        !matches!(self, Mischief::Silence | Mischief::Exception(_) | Mischief::Close | Mischief::HalfOpen(_))
    }

    /// What becomes of the right `answer` of `unit` to the request `asked`, as long as bytes are not looked at.
    #[must_use]
    pub fn spoil(self, asked: &[u8], unit: u8, mut answer: Vec<u8>) -> Reply {
        let reply = |unit, pdu| Reply::Answer { unit, pdu, after: Span::ZERO };
        match self {
            Mischief::Silence | Mischief::HalfOpen(_) => Reply::Silence,
            Mischief::Close => Reply::Close,
            Mischief::Exception(code) => reply(unit, exception(asked, code)),
            Mischief::WrongUnit => reply(unit.wrapping_add(1), answer),
            Mischief::WrongFunction => {
                if let Some(function) = answer.first_mut() {
                    *function = if *function == 4 { 3 } else { 4 };
                }
                reply(unit, answer)
            }
            Mischief::ShortAnswer => {
                answer.pop();
                reply(unit, answer)
            }
            Mischief::Late(after) => Reply::Answer { unit, pdu: answer, after },
            Mischief::WrongCount => reply(unit, one_less(answer)),
            Mischief::WrongEcho => {
                match (answer.first().copied(), answer.len()) {
                    // The value of a coil is all ones or none: the other one.
                    (Some(5), _) => answer.iter_mut().skip(3).take(1).for_each(|byte| *byte = !*byte),
                    _ => answer.iter_mut().skip(1).take(1).for_each(|byte| *byte = byte.wrapping_add(1)),
                }
                reply(unit, answer)
            }
            Mischief::Unheeded
            | Mischief::Damaged
            | Mischief::NoiseOnly
            | Mischief::NoiseBefore
            | Mischief::NoiseAfter
            | Mischief::Partial
            | Mischief::Split
            | Mischief::OtherMaster
            | Mischief::Twice
            | Mischief::Echo => reply(unit, answer),
        }
    }
}

/// What goes back to who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// This answer.
    Answer {
        /// The unit number it comes under.
        unit: u8,
        /// Function code and data.
        pdu: Vec<u8>,
        /// How long it takes.
        after: Span,
    },
    /// Nothing.
    Silence,
    /// The connection is closed.
    Close,
}

/// What frames are like on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Those of Modbus/TCP; the number that the question had.
    Tcp(u16),
    /// Those of a serial line.
    Rtu,
}

impl Carrier {
    /// The bytes that carry `pdu`.
    #[must_use]
    pub fn frame(self, unit: u8, pdu: &[u8]) -> Vec<u8> {
        match self {
            Carrier::Tcp(transaction) => slave::send(transaction, unit, pdu),
            Carrier::Rtu => rtu::frame(unit, pdu),
        }
    }
}

/// What goes onto a line as the answer to a question, and what becomes of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Bytes, each part so long after the one before.
    pub parts: Vec<(Span, Vec<u8>)>,
    /// And then.
    pub then: Then,
}

/// What becomes of a line after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next question is waited for.
    Listen,
    /// It is hung up.
    Close,
    /// For so long nothing is heard.
    Deaf(Span),
}

/// The bytes of a `reply` to the question `asked` of `unit` when `mischief` befell it.
#[must_use]
pub fn carried(
    mischief: Option<Mischief>,
    carrier: Carrier,
    (asked_unit, asked): (u8, &[u8]),
    reply: Reply,
    dice: &mut Dice,
) -> Carried {
    let then = match (mischief, &reply) {
        (Some(Mischief::HalfOpen(lasting)), _) => Then::Deaf(lasting),
        (_, Reply::Close) => Then::Close,
        (_, Reply::Answer { .. } | Reply::Silence) => Then::Listen,
    };
    let Reply::Answer { unit, pdu, after } = reply else { return Carried { parts: Vec::new(), then } };
    let right = carrier.frame(unit, &pdu);
    let serial = carrier == Carrier::Rtu;
    let bytes = match mischief {
        Some(Mischief::Damaged) => damaged(right, serial, dice),
        Some(Mischief::NoiseOnly) => dice.bytes(NOISE_MAX),
        // A stream that is out of step is a closed one: over TCP nothing is added.
        Some(Mischief::NoiseBefore) if serial => [dice.bytes(NOISE_MAX), right].concat(),
        Some(Mischief::NoiseAfter) if serial => [right, dice.bytes(NOISE_MAX)].concat(),
        Some(Mischief::OtherMaster) if serial => [
            rtu::frame(STRANGER, &[3, 0, 0, 0, 2]),
            rtu::frame(STRANGER, &[3, 4, 0xDE, 0xAD, 0xBE, 0xEF]),
            right,
        ]
        .concat(),
        Some(Mischief::Echo) if serial => [carrier.frame(asked_unit, asked), right].concat(),
        Some(Mischief::Partial) => half(&right).0.to_vec(),
        Some(Mischief::Twice) => [right.as_slice(), &right].concat(),
        Some(Mischief::Split) => {
            let (first, second) = half(&right);
            return Carried { parts: vec![(after, first.to_vec()), (BETWEEN, second.to_vec())], then };
        }
        Some(_) | None => right,
    };
    Carried { parts: vec![(after, bytes)], then }
}

/// One wrong bit. Over TCP the network's own checksum sees to the data; what can be wrong is the head.
fn damaged(mut bytes: Vec<u8>, serial: bool, dice: &mut Dice) -> Vec<u8> {
    const HEAD: usize = 6;
    let length = if serial { bytes.len() } else { HEAD.min(bytes.len()) };
    let (at, bit) = (dice.below(length), dice.below(8));
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= [1, 2, 4, 8, 16, 32, 64, 128].get(bit).copied().unwrap_or(1);
    }
    bytes
}

fn half(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.len() / 2)
}

/// The refusal of `asked`, with this code.
#[must_use]
pub fn exception(asked: &[u8], code: u8) -> Vec<u8> {
    vec![asked.first().copied().unwrap_or(0) | 0x80, code]
}

/// An answer to a read shortened by one register, or eight bits; of a write, the confirmation of another value.
fn one_less(mut answer: Vec<u8>) -> Vec<u8> {
    let cut = match answer.first() {
        Some(1 | 2) => 1,
        Some(3 | 4) => 2,
        Some(_) | None => 0,
    };
    if cut == 0 {
        if let Some(address_low) = answer.get_mut(2) {
            *address_low ^= 1;
        }
        return answer;
    }
    answer.truncate(answer.len().saturating_sub(cut));
    if let Some(count) = answer.get_mut(1) {
        *count = count.saturating_sub(u8::try_from(cut).unwrap_or(u8::MAX));
    }
    answer
}
