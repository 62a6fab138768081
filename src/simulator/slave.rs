//! Frames of a Modbus/TCP server, and requests answered out of a memory of cells. No sockets: `io/slave.rs` has them.

use super::mischief::exception;
use crate::field::rtu;
use crate::model::register::{Location, Space};
use std::collections::BTreeMap;

/// Bytes of the MBAP header: transaction, protocol, length, unit.
const HEADER: usize = 7;

/// Longest PDU that the Modbus standard allows.
const PDU_MAX: usize = 253;

/// Most registers that one request may read, by the standard.
const READ_WORDS_MAX: u16 = 125;

/// Most bits that one request may read, by the standard.
const READ_BITS_MAX: u16 = 2_000;

/// Most registers that one request may write, by the standard.
const WRITE_WORDS_MAX: u16 = 123;

/// Most coils that one request may write, by the standard.
const WRITE_BITS_MAX: u16 = 1_968;

/// The cells that a device has; bits are 0 or 1. What is not in it does not exist.
pub type Memory = BTreeMap<Location, u16>;

/// One request of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Repeated in the answer.
    pub transaction: u16,
    /// Whom it is for.
    pub unit: u8,
    /// Function code and data; never empty.
    pub pdu: Vec<u8>,
}

/// What the bytes received so far are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A whole request, and how many bytes of the stream it took.
    Frame(Frame, usize),
    /// The beginning of one.
    Incomplete,
    /// No Modbus/TCP: the connection has to be closed, for nobody knows where the next request begins.
    Nonsense,
}

/// Takes the first frame off `bytes`.
#[must_use]
pub fn receive(bytes: &[u8]) -> Received {
    let Some(&[t1, t2, p1, p2, l1, l2, unit]) = bytes.first_chunk::<HEADER>() else {
        return Received::Incomplete;
    };
    let pdu = usize::from(u16::from_be_bytes([l1, l2])).saturating_sub(1);
    if [p1, p2] != [0, 0] || pdu == 0 || pdu > PDU_MAX {
        return Received::Nonsense;
    }
    let end = HEADER.saturating_add(pdu);
    match bytes.get(HEADER..end) {
        None => Received::Incomplete,
        Some(pdu) => {
            let frame = Frame { transaction: u16::from_be_bytes([t1, t2]), unit, pdu: pdu.to_vec() };
            Received::Frame(frame, end)
        }
    }
}

/// Takes the first request off what was heard on a serial line, and what lies before it. Nothing there says where a
/// frame begins: the first bytes that are a sound one are it.
#[must_use]
pub fn receive_serial(bytes: &[u8]) -> Received {
    let request = |at: usize| {
        let rest = bytes.get(at..)?;
        let length = match *rest.get(1)? {
            1..=6 => 8,
            15 | 16 => usize::from(*rest.get(6)?).saturating_add(9),
            22 => 10,
            // Not known here, and refused: the shortest that can be one.
            _ => 4,
        };
        let frame = rest.get(..length).filter(|frame| rtu::is_sound(frame))?;
        let [unit, pdu @ .., _, _] = frame else { return None };
        Some(Received::Frame(
            Frame { transaction: 0, unit: *unit, pdu: pdu.to_vec() },
            at.saturating_add(length),
        ))
    };
    (0..bytes.len()).find_map(request).unwrap_or(Received::Incomplete)
}

/// The bytes of a frame.
#[must_use]
pub fn send(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let length = u16::try_from(pdu.len().saturating_add(1)).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(HEADER.saturating_add(pdu.len()));
    bytes.extend(transaction.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(length.to_be_bytes());
    bytes.push(unit);
    bytes.extend(pdu);
    bytes
}

/// Answers a request out of `memory`, and gives the cells that it writes. The memory itself is left to the caller.
#[must_use]
pub fn answer(memory: &Memory, pdu: &[u8]) -> (Vec<u8>, Vec<(Location, u16)>) {
    match try_answer(memory, pdu) {
        Ok(answer) => answer,
        Err(code) => (exception(pdu, code), Vec::new()),
    }
}

const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_ADDRESS: u8 = 2;
const ILLEGAL_VALUE: u8 = 3;

type Answered = Result<(Vec<u8>, Vec<(Location, u16)>), u8>;

fn try_answer(memory: &Memory, pdu: &[u8]) -> Answered {
    let (&function, data) = pdu.split_first().ok_or(ILLEGAL_FUNCTION)?;
    match function {
        1 => read(memory, function, Space::Coil, data),
        2 => read(memory, function, Space::Discrete, data),
        3 => read(memory, function, Space::Holding, data),
        4 => read(memory, function, Space::Input, data),
        5 | 6 => write_one(memory, function, data),
        15 | 16 => write_many(memory, function, data),
        22 => write_masked(memory, data),
        _ => Err(ILLEGAL_FUNCTION),
    }
}

fn read(memory: &Memory, function: u8, space: Space, data: &[u8]) -> Answered {
    let &[a1, a2, n1, n2] = data else { return Err(ILLEGAL_VALUE) };
    let count = u16::from_be_bytes([n1, n2]);
    let most = if space.is_bits() { READ_BITS_MAX } else { READ_WORDS_MAX };
    if count == 0 || count > most {
        return Err(ILLEGAL_VALUE);
    }
    let cells = range(space, u16::from_be_bytes([a1, a2]), count)?;
    let words: Vec<u16> =
        cells.iter().map(|at| memory.get(at).copied().ok_or(ILLEGAL_ADDRESS)).collect::<Result<_, _>>()?;
    let bytes = if space.is_bits() {
        words
            .chunks(8)
            .map(|bits| bits.iter().rev().fold(0, |byte, bit| (byte << 1) | u8::from(*bit != 0)))
            .collect()
    } else {
        words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>()
    };
    let mut answer = vec![function, u8::try_from(bytes.len()).unwrap_or(u8::MAX)];
    answer.extend(bytes);
    Ok((answer, Vec::new()))
}

fn write_one(memory: &Memory, function: u8, data: &[u8]) -> Answered {
    let &[a1, a2, v1, v2] = data else { return Err(ILLEGAL_VALUE) };
    let (space, value) = match (function, u16::from_be_bytes([v1, v2])) {
        (5, 0) => (Space::Coil, 0),
        (5, 0xFF00) => (Space::Coil, 1),
        (5, _) => return Err(ILLEGAL_VALUE),
        (_, word) => (Space::Holding, word),
    };
    let at = Location { space, address: u16::from_be_bytes([a1, a2]) };
    if !memory.contains_key(&at) {
        return Err(ILLEGAL_ADDRESS);
    }
    Ok((vec![function, a1, a2, v1, v2], vec![(at, value)]))
}

fn write_many(memory: &Memory, function: u8, data: &[u8]) -> Answered {
    let (&[a1, a2, n1, n2, length], values) = data.split_first_chunk::<5>().ok_or(ILLEGAL_VALUE)?;
    let count = u16::from_be_bytes([n1, n2]);
    let (space, most, bytes) = if function == 15 {
        (Space::Coil, WRITE_BITS_MAX, usize::from(count).div_ceil(8))
    } else {
        (Space::Holding, WRITE_WORDS_MAX, usize::from(count).saturating_mul(2))
    };
    if count == 0 || count > most || usize::from(length) != bytes || values.len() != bytes {
        return Err(ILLEGAL_VALUE);
    }
    let cells = range(space, u16::from_be_bytes([a1, a2]), count)?;
    if !cells.iter().all(|at| memory.contains_key(at)) {
        return Err(ILLEGAL_ADDRESS);
    }
    let words: Vec<u16> = if space.is_bits() {
        values.iter().flat_map(|byte| (0..8).map(move |bit| u16::from(byte >> bit & 1))).collect()
    } else {
        values.chunks_exact(2).filter_map(|pair| Some(u16::from_be_bytes(*pair.first_chunk()?))).collect()
    };
    Ok((vec![function, a1, a2, n1, n2], cells.into_iter().zip(words).collect()))
}

fn write_masked(memory: &Memory, data: &[u8]) -> Answered {
    let &[a1, a2, m1, m2, o1, o2] = data else { return Err(ILLEGAL_VALUE) };
    let at = Location { space: Space::Holding, address: u16::from_be_bytes([a1, a2]) };
    let (and, or) = (u16::from_be_bytes([m1, m2]), u16::from_be_bytes([o1, o2]));
    let held = memory.get(&at).ok_or(ILLEGAL_ADDRESS)?;
    Ok((vec![22, a1, a2, m1, m2, o1, o2], vec![(at, (held & and) | (or & !and))]))
}

fn range(space: Space, first: u16, count: u16) -> Result<Vec<Location>, u8> {
    let last = first.checked_add(count.saturating_sub(1)).ok_or(ILLEGAL_ADDRESS)?;
    Ok((first..=last).map(|address| Location { space, address }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn memory() -> Memory {
        let at = |space, address| Location { space, address };
        let coils = (0..10).map(|n| (at(Space::Coil, n), u16::from(n == 0 || n == 9)));
        let words = (100..104).map(|n| (at(Space::Holding, n), n));
        coils.chain(words).collect()
    }

    #[test]
    fn coils_are_packed_from_the_lowest_bit() {
        assert_eq!(answer(&memory(), &[1, 0, 0, 0, 10]), (vec![1, 2, 0b1, 0b10], vec![]));
    }

    #[test]
    fn registers_are_read_high_byte_first() {
        assert_eq!(answer(&memory(), &[3, 0, 101, 0, 2]).0, [3, 4, 0, 101, 0, 102]);
    }

    #[test]
    fn a_write_names_its_cells_and_is_echoed() {
        let coil = Location { space: Space::Coil, address: 3 };
        assert_eq!(answer(&memory(), &[5, 0, 3, 0xFF, 0]), (vec![5, 0, 3, 0xFF, 0], vec![(coil, 1)]));
        let word = |address| Location { space: Space::Holding, address };
        let asked = [16, 0, 100, 0, 2, 4, 0, 7, 1, 0];
        assert_eq!(
            answer(&memory(), &asked),
            (vec![16, 0, 100, 0, 2], vec![(word(100), 7), (word(101), 256)])
        );
    }

    #[test]
    fn a_masked_write_leaves_the_other_bits_alone() {
        let word = Location { space: Space::Holding, address: 103 };
        let asked = [22, 0, 103, 0xFF, 0xF0, 0, 0x04];
        assert_eq!(answer(&memory(), &asked), (asked.to_vec(), vec![(word, 103 & 0xFFF0 | 4)]));
        assert_eq!(answer(&memory(), &[22, 0, 0, 0, 0, 0, 0]).0, [0x96, 2]);
    }

    #[test]
    fn what_does_not_exist_is_refused_by_its_code() {
        for (asked, code) in [
            (vec![7_u8], 1),
            (vec![4, 0, 0, 0, 1], 2),
            (vec![3, 0, 103, 0, 2], 2),
            (vec![3, 0xFF, 0xFF, 0, 2], 2),
            (vec![3, 0, 100, 0, 0], 3),
            (vec![3, 0, 100, 0, 126], 3),
            (vec![3, 0, 100], 3),
            (vec![5, 0, 3, 0, 1], 3),
            (vec![15, 0, 0, 0, 2, 2, 1], 3),
        ] {
            assert_eq!(answer(&memory(), &asked), (vec![asked[0] | 0x80, code], vec![]), "{asked:?}");
        }
    }

    #[test]
    fn a_frame_is_taken_off_the_stream_only_when_whole() {
        let bytes = send(0x1234, 17, &[3, 0, 100, 0, 2]);
        for cut in 0..bytes.len() {
            assert_eq!(receive(&bytes[..cut]), Received::Incomplete, "{cut}");
        }
        let frame = Frame { transaction: 0x1234, unit: 17, pdu: vec![3, 0, 100, 0, 2] };
        assert_eq!(receive(&[bytes.as_slice(), &[9]].concat()), Received::Frame(frame, bytes.len()));
        assert_eq!(receive(&[0, 1, 0, 0, 0, 1, 5]), Received::Nonsense);
        assert_eq!(receive(b"GET / HTTP/1.1"), Received::Nonsense);
    }

    proptest! {
        #[test]
        fn any_bytes_get_an_answer_that_fits_a_frame(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (pdu, _) = answer(&memory(), &bytes);
            prop_assert!((2..=PDU_MAX).contains(&pdu.len()));
            if let Received::Frame(frame, taken) = receive(&bytes) {
                prop_assert!(taken <= bytes.len() && !frame.pdu.is_empty());
            }
        }
    }
}
