//! Frames of a serial line: unit, function, data, checksum; nothing says where one begins. What answers a question is
//! picked out of whatever else is on the line: noise, our own echo, another master's traffic, answers to others. How
//! bytes get here, and how long to wait for them, lives in `io/line`.

use crate::model::line::{LineFault, Stray};

/// Longest frame: unit, 253 bytes of function and data, checksum.
pub const FRAME_MAX: usize = 256;

/// Most bytes that are looked at for one answer: the longest frame, our echo, and what fits into a second of noise at
/// 115,200 baud. Beyond it the oldest go.
const HEARD_MAX: usize = 16 * 1024;

/// Added to the function code of an answer that is an exception.
const EXCEPTION: u8 = 0x80;

/// The checksum of a frame, as it lies on the wire: low byte first (Modbus over serial line 1.02, 6.2.2).
#[must_use]
pub fn checksum(bytes: &[u8]) -> [u8; 2] {
    bytes.iter().fold(u16::MAX, |crc, byte| rolled(crc, *byte)).to_le_bytes()
}

fn rolled(crc: u16, byte: u8) -> u16 {
    (0..8).fold(crc ^ u16::from(byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 })
}

/// The frame that carries `pdu` (function and data) to or from a unit.
#[must_use]
pub fn frame(unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pdu.len().saturating_add(3));
    bytes.push(unit);
    bytes.extend_from_slice(pdu);
    bytes.extend(checksum(&bytes));
    bytes
}

/// Whether the last two bytes are the checksum of those before them.
#[must_use]
pub fn is_sound(frame: &[u8]) -> bool {
    matches!(frame.split_last_chunk::<2>(), Some((bytes, sum)) if bytes.len() >= 2 && checksum(bytes) == *sum)
}

/// Picks the answer to the last question out of what is heard.
#[derive(Clone, Debug, Default)]
pub struct Sieve {
    question: Vec<u8>,
    heard: Vec<u8>,
    /// Our own echo was heard after a read, so that it is to be expected after a write, whose answer looks the same.
    echoes: bool,
    /// The echo of this question is behind us.
    echoed: bool,
    /// Beside the answer to this question.
    stray: Stray,
    /// In earlier exchanges.
    total: Stray,
}

impl Sieve {
    /// A question was sent: `frame` is what went onto the wire. What was heard before answers none of it.
    pub fn asked(&mut self, frame: &[u8]) {
        self.finish();
        frame.clone_into(&mut self.question);
        self.echoed = false;
    }

    /// Bytes came while nothing was asked.
    pub fn stray(&mut self, count: usize) {
        self.total.bytes = self.total.bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// So many of the characters that came had a wrong parity or frame.
    pub const fn misshapen(&mut self, count: u64) {
        self.stray.misshapen = self.stray.misshapen.saturating_add(count);
    }

    /// The exchange is over; gives what lay beside its answer.
    pub fn finish(&mut self) -> Stray {
        self.skip(self.heard.len());
        let beside = std::mem::take(&mut self.stray);
        self.total.add(beside);
        beside
    }

    /// Bytes came; gives the whole frame that answers the question, if it is there now. It is sound, and of the unit
    /// and the function that were asked, with as many bytes as the question wants, or an exception.
    pub fn heard(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.heard.extend_from_slice(bytes);
        let surplus = self.heard.len().saturating_sub(HEARD_MAX);
        self.skip(surplus);
        self.skip_echo();
        let mut at = 0;
        let found = loop {
            let rest = self.heard.get(at..)?;
            match self.answer_in(rest) {
                Some(Ok(length)) => break rest.get(..length)?.to_vec(),
                // It begins like the answer; it may only be late. What looks like a beginning by accident must not
                // hide the answer behind it: it is looked for from here on as well.
                Some(Err(())) | None if rest.is_empty() => return None,
                Some(Err(())) | None => at = at.saturating_add(1),
            }
        };
        // Whether the line echoes is known from reads only: after the answer to one there is no doubt.
        self.echoes = if self.looks_alike() { self.echoes } else { self.echoed };
        self.weigh(at);
        self.heard.drain(..at.saturating_add(found.len()).min(self.heard.len()));
        Some(found)
    }

    /// What came instead of an answer; nothing at all is `None`.
    #[must_use]
    pub fn instead(&self) -> Option<LineFault> {
        let mut begins = 0..self.heard.len();
        let damaged = begins.any(|at| self.heard.get(at..).and_then(|rest| self.damaged(rest)).is_some());
        let mut starts = 0..self.heard.len();
        let foreign = starts.any(|at| self.heard.get(at..).is_some_and(|rest| foreign(rest).is_some()));
        match self.heard.len() {
            0 => None,
            length if damaged => {
                Some(LineFault::Damaged(format!("{length} bytes came whose checksum is wrong")))
            }
            length if foreign => Some(LineFault::Garbled(format!(
                "{length} bytes came, a frame that answers another question among them"
            ))),
            length => Some(LineFault::Garbled(format!("{length} bytes came that are no answer"))),
        }
    }

    /// The length of an answer that begins here and whose checksum is wrong.
    fn damaged(&self, bytes: &[u8]) -> Option<usize> {
        let length = self.length(bytes)?;
        bytes.get(..length).filter(|frame| !is_sound(frame)).map(|_| length)
    }

    /// What lay on the line beside answers so far.
    #[must_use]
    pub fn strays(&self) -> Stray {
        let mut all = self.total;
        all.add(self.stray);
        all
    }

    /// An adapter that hears itself gives the question back first.
    fn skip_echo(&mut self) {
        if self.question.is_empty() || self.echoed || (self.looks_alike() && !self.echoes) {
            return;
        }
        if self.heard.starts_with(&self.question) {
            self.heard.drain(..self.question.len());
            self.stray.echoes = self.stray.echoes.saturating_add(1);
            self.echoed = true;
        }
    }

    /// The answer to a write is the question once more: it is an echo only where reads are echoed too.
    fn looks_alike(&self) -> bool {
        matches!(self.question.get(1), Some(5 | 6 | 22))
    }

    /// The length of the sound answer that begins here, or that it may still become one.
    fn answer_in(&self, bytes: &[u8]) -> Option<Result<usize, ()>> {
        let length = self.length(bytes)?;
        match bytes.get(..length) {
            Some(frame) if is_sound(frame) => Some(Ok(length)),
            Some(_) => None,
            None => Some(Err(())),
        }
    }

    /// How long an answer that begins with these bytes must be; `None` where it is none.
    fn length(&self, bytes: &[u8]) -> Option<usize> {
        let &[unit, function, _, _, c1, c2, ..] = &self.question[..] else { return None };
        let &[heard_unit, heard_function, third, ..] = bytes else { return None };
        if heard_unit != unit || heard_function & !EXCEPTION != function {
            return None;
        }
        if heard_function == function | EXCEPTION {
            return Some(5);
        }
        let count = usize::from(u16::from_be_bytes([c1, c2]));
        match function {
            1..=4 => {
                let wanted = if function <= 2 { count.div_ceil(8) } else { count.saturating_mul(2) };
                (usize::from(third) == wanted).then(|| wanted.saturating_add(5))
            }
            // Whether it says the same address and value is checked by whoever asked.
            5 | 6 | 15 | 16 => Some(8),
            22 => Some(10),
            _ => None,
        }
    }

    /// Counts what lies before `end`.
    fn weigh(&mut self, end: usize) {
        let mut at = 0;
        while at < end {
            let rest = self.heard.get(at..end).unwrap_or_default();
            let (counter, length) = match (foreign(rest), self.damaged(rest)) {
                (Some(length), _) => (&mut self.stray.foreign, length),
                (None, Some(length)) => (&mut self.stray.damaged, length),
                (None, None) => (&mut self.stray.bytes, 1),
            };
            *counter = counter.saturating_add(1);
            at = at.saturating_add(length);
        }
    }

    fn skip(&mut self, count: usize) {
        self.weigh(count);
        self.heard.drain(..count.min(self.heard.len()));
    }
}

/// The length of a whole frame that begins here, whoever it is from or to.
fn foreign(bytes: &[u8]) -> Option<usize> {
    let mut crc = u16::MAX;
    for (length, byte) in (1..=FRAME_MAX).zip(bytes) {
        crc = rolled(crc, *byte);
        // The checksum of a frame and its checksum is nothing.
        if crc == 0 && length >= 4 {
            return Some(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Unit 17: two holding registers from 107.
    fn question() -> Vec<u8> {
        frame(17, &[3, 0, 107, 0, 2])
    }

    fn answer() -> Vec<u8> {
        frame(17, &[3, 4, 0x02, 0x2B, 0x00, 0x64])
    }

    fn asked(question: &[u8]) -> Sieve {
        let mut sieve = Sieve::default();
        sieve.asked(question);
        sieve
    }

    #[test]
    fn a_checksum_is_that_of_the_standard() {
        // The example of the specification's appendix: 02 07 has 41 12.
        assert_eq!(checksum(&[0x02, 0x07]), [0x41, 0x12]);
        assert!(is_sound(&[0x02, 0x07, 0x41, 0x12]));
        assert!(!is_sound(&[0x02, 0x07, 0x41, 0x13]));
    }

    #[test]
    fn an_answer_may_come_in_pieces() {
        for cut in 0..answer().len() {
            let mut sieve = asked(&question());
            let bytes = answer();
            let (first, second) = bytes.split_at(cut);
            assert_eq!(sieve.heard(first), None);
            assert_eq!(sieve.heard(second), Some(answer()));
        }
    }

    #[test]
    fn an_exception_is_an_answer() {
        let refused = frame(17, &[0x83, 2]);
        assert_eq!(asked(&question()).heard(&refused), Some(refused));
    }

    #[test]
    fn what_answers_another_question_is_passed_over() {
        for other in [
            frame(18, &[3, 4, 0, 1, 0, 2]),
            frame(17, &[4, 4, 0, 1, 0, 2]),
            frame(17, &[3, 2, 0, 1]),
            frame(17, &[3, 6, 0, 1, 0, 2, 0, 3]),
            frame(18, &[3, 0, 107, 0, 2]),
            frame(18, &[0x83, 2]),
        ] {
            let mut sieve = asked(&question());
            assert_eq!(sieve.heard(&other), None, "{other:x?}");
            assert!(sieve.instead().is_some());
            assert_eq!(sieve.heard(&answer()), Some(answer()), "{other:x?}");
            assert_eq!(sieve.strays(), Stray { foreign: 1, ..Stray::default() }, "{other:x?}");
        }
    }

    #[test]
    fn a_damaged_answer_is_none() {
        for bit in 0..answer().len() * 8 {
            let mut bytes = answer();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut sieve = asked(&question());
            assert_eq!(sieve.heard(&bytes), None, "bit {bit}");
            // Where the bit is one of those by which an answer is known at all, it is just bytes; the one that makes an
            // exception of it is not.
            let known = bit >= 3 * 8 || bit == 15;
            assert_eq!(matches!(sieve.instead(), Some(LineFault::Damaged(_))), known, "bit {bit}");
            assert_eq!(sieve.finish().damaged, u64::from(known), "bit {bit}");
            assert_eq!(sieve.finish(), Stray::default(), "each is counted once");
            assert_eq!(sieve.strays().damaged, u64::from(known));
        }
    }

    #[test]
    fn our_own_echo_is_no_answer_to_a_write_once_it_was_heard_after_a_read() {
        let mut sieve = asked(&question());
        assert_eq!(sieve.heard(&[question(), answer()].concat()), Some(answer()));
        let write = frame(17, &[5, 0, 3, 0xFF, 0]);
        sieve.asked(&write);
        assert_eq!(sieve.heard(&write), None, "the echo");
        assert_eq!(sieve.heard(&write), Some(write.clone()), "the answer");
        assert_eq!(sieve.strays().echoes, 2);
        assert_eq!(asked(&write).heard(&write), Some(write), "where nothing echoes it is the answer");
    }

    #[test]
    fn a_line_that_talks_without_end_costs_no_more_than_a_bound() {
        let mut sieve = asked(&question());
        for _ in 0..100 {
            assert_eq!(sieve.heard(&[0x55; 1_000]), None);
        }
        assert!(sieve.heard.len() <= HEARD_MAX);
        assert_eq!(sieve.heard(&answer()), Some(answer()));
    }

    proptest! {
        #[test]
        fn an_answer_is_found_in_any_noise(
            before in proptest::collection::vec(any::<u8>(), 0..60),
            after in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut sieve = asked(&question());
            let found = sieve.heard(&[before, answer(), after].concat());
            // Noise that is itself a sound answer can't be told apart by anybody.
            let found = found.expect("there is an answer in it");
            prop_assert!(is_sound(&found) && found.len() == answer().len() || found.len() == 5);
        }

        #[test]
        fn nothing_but_a_sound_answer_is_ever_given(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(found) = asked(&question()).heard(&bytes) {
                prop_assert!(is_sound(&found) && found.starts_with(&[17]));
            }
        }
    }
}
