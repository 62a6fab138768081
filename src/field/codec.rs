//! Registers to readings and back, and whether an answer fits its question. Knows nothing of frames or of time-outs.

use crate::model::line::LineFault;
use crate::model::plan::{Device, Point};
use crate::model::point::{Doubt, Fault, Quality, Reading};
use crate::model::register::{
    Encoding, Field, Location, ReadBlock, Space, StatusField, StatusMeaning, WordOrder,
};
use crate::model::table::PointId;
use crate::model::time::Mono;

/// Part of the measuring range that a zero may drift below its lower end before the reading is doubted.
const ZERO_DRIFT: f64 = 0.05;

/// Part of the measuring range that a scaled value may lie above its upper end by rounding alone: one digit in the
/// seven of a 32-bit float.
const ROUNDING: f64 = 1e-6;

/// The cells of a table, as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cells {
    /// Registers.
    Words(Vec<u16>),
    /// Coils or discrete inputs.
    Bits(Vec<bool>),
}

impl Cells {
    /// Cell `n`, a bit as 0 or 1.
    #[must_use]
    pub fn get(&self, n: usize) -> Option<u16> {
        match self {
            Cells::Words(words) => words.get(n).copied(),
            Cells::Bits(bits) => bits.get(n).copied().map(u16::from),
        }
    }

    fn len(&self) -> usize {
        match self {
            Cells::Words(words) => words.len(),
            Cells::Bits(bits) => bits.len(),
        }
    }
}

/// What a device is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// What these cells hold.
    Read(ReadBlock),
    /// To take this value; for a coil, anything but 0 is on.
    Write {
        /// A coil or a holding register.
        at: Location,
        /// The value.
        value: u16,
    },
}

/// What came back, as far as the frame tells; it need not fit the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Cells of a table.
    Cells {
        /// Which table, by the function code.
        space: Space,
        /// Its cells. Bits fill whole bytes, so that up to seven more than asked for may follow.
        cells: Cells,
    },
    /// A write, repeated by the device; a coil's value as 0 or 1.
    Echo {
        /// Where it says it has written.
        at: Location,
        /// What it says it has written.
        value: u16,
    },
}

/// The cells that were asked for, exactly as many, or what does not fit. For a write: the cell as echoed.
///
/// # Errors
/// [`LineFault::Garbled`] where table, count, address or value are not those of the question.
pub fn check_answer(question: &Question, answer: Answer) -> Result<Cells, LineFault> {
    match (*question, answer) {
        (Question::Read(block), Answer::Cells { space, cells }) => check_read(block, space, cells),
        (Question::Write { at, value }, Answer::Echo { at: echoed_at, value: echoed }) => {
            let value = as_written(at.space, value);
            if (at, value) == (echoed_at, echoed) {
                return Ok(Cells::Words(vec![value]));
            }
            Err(garbled(&format!(
                "wrote {value} to {} {}, the device says {echoed} to {} {}",
                at.space.as_str(),
                at.address,
                echoed_at.space.as_str(),
                echoed_at.address
            )))
        }
        (Question::Read(_), Answer::Echo { .. }) => Err(garbled("asked to read, answered as if written")),
        (Question::Write { .. }, Answer::Cells { .. }) => Err(garbled("asked to write, answered as if read")),
    }
}

fn check_read(block: ReadBlock, space: Space, cells: Cells) -> Result<Cells, LineFault> {
    if space != block.at.space {
        let (asked, got) = (block.at.space.as_str(), space.as_str());
        return Err(garbled(&format!("asked for {asked} cells, got {got} cells")));
    }
    let (asked, got) = (usize::from(block.count), cells.len());
    match cells {
        Cells::Words(words) if got == asked => Ok(Cells::Words(words)),
        Cells::Bits(mut bits) if got == asked || got == asked.next_multiple_of(8) => {
            bits.truncate(asked);
            Ok(Cells::Bits(bits))
        }
        Cells::Words(_) => Err(garbled(&format!("asked for {asked} registers, got {got}"))),
        Cells::Bits(_) => Err(garbled(&format!("asked for {asked} bits, got {got}"))),
    }
}

fn garbled(what: &str) -> LineFault {
    LineFault::Garbled(what.to_owned())
}

/// What a cell of this table holds after `value` was written to it: a coil knows 0 and 1 only.
#[must_use]
pub fn as_written(space: Space, value: u16) -> u16 {
    if space.is_bits() { u16::from(value != 0) } else { value }
}

/// The readings of those of a device's `points` that lie in its block number `block`, whose answer is `cells`.
pub fn decode<'a>(
    device: &Device,
    block: usize,
    cells: &Cells,
    points: impl Iterator<Item = (PointId, &'a Point)>,
    at: Mono,
) -> Vec<(PointId, Reading)> {
    let Some(asked) = device.blocks.get(block) else { return Vec::new() };
    points
        .filter(|(_, p)| p.block == block)
        .map(|(id, p)| (id, reading(&p.field, *asked, cells, at)))
        .collect()
}

/// One reading. The status decides first; then the value may make it worse, never better.
fn reading(field: &Field, block: ReadBlock, cells: &Cells, at: Mono) -> Reading {
    let Some(raw) = unpack(field.at, field.encoding, block, cells) else {
        return Reading::bad(Fault::Implausible, at);
    };
    let stated = match &field.status {
        None => Quality::Good,
        Some(status) => match unpack(status.at, status.encoding, block, cells) {
            Some(word) => stated_quality(&status.meaning, word),
            None => Quality::Bad(Fault::UnknownStatus),
        },
    };
    let (value, measured) = measured(field, raw);
    let quality = stated.worse(measured);
    let value = match quality {
        Quality::Good | Quality::Uncertain(_) => value,
        Quality::Bad(_) => None,
    };
    Reading { value, quality, at }
}

fn measured(field: &Field, raw: Raw) -> (Option<f64>, Quality) {
    if let Some((_, quality)) = field.sentinels.iter().find(|(sentinel, _)| raw.is(*sentinel)) {
        return (None, *quality);
    }
    let value = raw.as_f64() * field.scale + field.offset;
    if !value.is_finite() {
        return (None, Quality::Bad(Fault::Implausible));
    }
    let quality = match field.range {
        Some((lo, hi)) if value > hi + (hi - lo) * ROUNDING => Quality::Uncertain(Doubt::OverRange),
        Some((lo, hi)) if value < lo - (hi - lo) * ZERO_DRIFT => Quality::Uncertain(Doubt::UnderRange),
        Some(_) | None => Quality::Good,
    };
    (Some(value), quality)
}

fn stated_quality(meaning: &StatusMeaning, word: Raw) -> Quality {
    match meaning {
        StatusMeaning::Codes(codes) => codes
            .iter()
            .find(|(code, _)| word.is(i64::from(*code)))
            .map_or(Quality::Bad(Fault::UnknownStatus), |(_, quality)| *quality),
        StatusMeaning::Bits(bits) => bits
            .iter()
            .filter(|(bit, _)| word.has_bit(*bit))
            .fold(Quality::Good, |worst, (_, quality)| worst.worse(*quality)),
    }
}

/// A value as it lies in the registers, before scaling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Raw {
    /// A whole number.
    Int(i64),
    /// An IEEE 754 number.
    Float(f32),
}

impl Raw {
    fn as_f64(self) -> f64 {
        match self {
            // Registers hold at most 32 bits.
            #[expect(clippy::cast_precision_loss, reason = "32 bits fit into an f64")]
            Raw::Int(n) => n as f64,
            Raw::Float(x) => f64::from(x),
        }
    }

    /// Whether it is the whole number `n`.
    fn is(self, n: i64) -> bool {
        match self {
            Raw::Int(own) => own == n,
            Raw::Float(_) => self.as_f64().total_cmp(&Raw::Int(n).as_f64()).is_eq(),
        }
    }

    fn has_bit(self, bit: u8) -> bool {
        match self {
            Raw::Int(n) => n.checked_shr(u32::from(bit)).is_some_and(|rest| rest & 1 == 1),
            Raw::Float(_) => false,
        }
    }
}

fn unpack(at: Location, encoding: Encoding, block: ReadBlock, cells: &Cells) -> Option<Raw> {
    if at.space != block.at.space {
        return None;
    }
    let first = usize::from(at.address.checked_sub(block.at.address)?);
    let word = cells.get(first)?;
    let long = |order| Some(u32::from_be_bytes(wired(order, word, cells.get(first.checked_add(1)?)?)));
    Some(match encoding {
        Encoding::U16 | Encoding::Bit => Raw::Int(i64::from(word)),
        Encoding::I16 => Raw::Int(i64::from(word.cast_signed())),
        Encoding::U32(order) => Raw::Int(i64::from(long(order)?)),
        Encoding::I32(order) => Raw::Int(i64::from(long(order)?.cast_signed())),
        Encoding::F32(order) => Raw::Float(f32::from_bits(long(order)?)),
        Encoding::Bits { shift, mask } => {
            Raw::Int(i64::from(word.checked_shr(u32::from(shift)).unwrap_or(0) & mask))
        }
    })
}

/// The four bytes of two registers, put from one order into the other. Each order is its own inverse.
fn wired(order: WordOrder, first: u16, second: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (first.to_be_bytes(), second.to_be_bytes());
    match order {
        WordOrder::Abcd => [a, b, c, d],
        WordOrder::Cdab => [c, d, a, b],
        WordOrder::Badc => [b, a, d, c],
        WordOrder::Dcba => [d, c, b, a],
    }
}

/// The raw value that reads as `value`, as near as the encoding can say it: what a device would hold.
#[must_use]
pub fn encode(field: &Field, value: f64) -> Raw {
    let raw = (value - field.offset) / field.scale;
    let (lo, hi) = match field.encoding {
        Encoding::U16 => (0.0, f64::from(u16::MAX)),
        Encoding::I16 => (f64::from(i16::MIN), f64::from(i16::MAX)),
        Encoding::U32(_) => (0.0, f64::from(u32::MAX)),
        Encoding::I32(_) => (f64::from(i32::MIN), f64::from(i32::MAX)),
        Encoding::Bits { mask, .. } => (0.0, f64::from(mask)),
        Encoding::Bit => (0.0, 1.0),
        #[expect(clippy::cast_possible_truncation, reason = "the encoding holds no more digits")]
        Encoding::F32(_) => return Raw::Float(raw as f32),
    };
    #[expect(clippy::cast_possible_truncation, reason = "clamped to at most 32 bits; NaN becomes 0")]
    Raw::Int(raw.round().clamp(lo, hi) as i64)
}

/// The status word that states `quality`, where there is one.
#[must_use]
pub fn encode_status(status: &StatusField, quality: Quality) -> Option<Raw> {
    match &status.meaning {
        StatusMeaning::Codes(codes) => {
            codes.iter().find(|(_, q)| *q == quality).map(|(code, _)| Raw::Int(i64::from(*code)))
        }
        StatusMeaning::Bits(_) if quality == Quality::Good => Some(Raw::Int(0)),
        StatusMeaning::Bits(bits) => bits
            .iter()
            .find(|(_, q)| *q == quality)
            .and_then(|(bit, _)| 1_i64.checked_shl(u32::from(*bit)))
            .map(Raw::Int),
    }
}

/// The registers that hold `raw`. `old` is what the first of them holds: a bit field leaves its other bits alone.
#[must_use]
pub fn pack(encoding: Encoding, raw: Raw, old: u16) -> Vec<u16> {
    let bits = match raw {
        // The low 32 bits: two's complement is the same at every width.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "cut to the width on purpose"
        )]
        Raw::Int(n) => n as u32,
        Raw::Float(x) => x.to_bits(),
    };
    #[expect(clippy::cast_possible_truncation, reason = "cut to the width on purpose")]
    let (high, low) = ((bits >> 16) as u16, bits as u16);
    match encoding {
        Encoding::U16 | Encoding::I16 => vec![low],
        Encoding::Bit => vec![u16::from(low != 0)],
        Encoding::U32(order) | Encoding::I32(order) | Encoding::F32(order) => {
            let [a, b, c, d] = wired(order, high, low);
            vec![u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
        }
        Encoding::Bits { shift, mask } => {
            let at = |word: u16| word.checked_shl(u32::from(shift)).unwrap_or(0);
            vec![(old & !at(mask)) | at(low & mask)]
        }
    }
}
