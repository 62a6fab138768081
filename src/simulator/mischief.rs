//! What a device can do wrong. Mischief changes what is answered, never what the plant is.

use crate::model::time::Span;

/// How a device misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// It is off: nothing is answered, nothing is done.
    Silence,
    /// It refuses everything with this exception code; nothing is done.
    Exception(u8),
    /// It answers under another unit number.
    WrongUnit,
    /// The last byte of its answers is missing.
    ShortAnswer,
    /// Its answers are complete and right, and this late.
    Late(Span),
    /// Its answers are well formed but hold one cell less than asked for, or confirm another write.
    WrongCount,
    /// It hangs up instead of answering; nothing is done.
    Close,
}

impl Mischief {
    /// Whether the device still does what it is asked.
    #[must_use]
    pub fn obeys(self) -> bool {
        match self {
            Mischief::Silence | Mischief::Exception(_) | Mischief::Close => false,
            Mischief::WrongUnit | Mischief::ShortAnswer | Mischief::Late(_) | Mischief::WrongCount => true,
        }
    }

    /// What becomes of the right `answer` of `unit` to the request `asked`.
    #[must_use]
    pub fn spoil(self, asked: &[u8], unit: u8, mut answer: Vec<u8>) -> Reply {
        let reply = |unit, pdu| Reply::Answer { unit, pdu, after: Span::ZERO };
        match self {
            Mischief::Silence => Reply::Silence,
            Mischief::Close => Reply::Close,
            Mischief::Exception(code) => reply(unit, exception(asked, code)),
            Mischief::WrongUnit => reply(unit.wrapping_add(1), answer),
            Mischief::ShortAnswer => {
                answer.pop();
                reply(unit, answer)
            }
            Mischief::Late(after) => Reply::Answer { unit, pdu: answer, after },
            Mischief::WrongCount => reply(unit, one_less(answer)),
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
