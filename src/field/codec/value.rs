//! From registers to a reading: never a number that nobody stands for.

use super::Cells;
use crate::model::point::{Doubt, Fault, Quality, Reading, Unit};
use crate::model::register::{
    Current, Encoding, Field, Location, ReadBlock, StatusField, StatusMeaning, WordOrder,
};
use crate::model::time::Mono;

/// Part of the measuring range that a zero may drift below its lower end before the reading is doubted.
const ZERO_DRIFT: f64 = 0.05;

/// Most that it may drift in parts of a hundred by volume, however wide the range: a head for 0 to 100 % CH4 that shows
/// -5 is out of order, though that is a twentieth of its range.
const ZERO_DRIFT_VOL: f64 = 0.5;

/// Part of the measuring range that a scaled value may lie above its upper end by rounding alone: one digit in the
/// seven of a 32-bit float.
const ROUNDING: f64 = 1e-6;

/// Limits of a current loop in mA, after NAMUR NE 43: below this nobody sends anything.
const LOOP_BROKEN: f64 = 3.6;

/// Below this, and above the measuring range, a transmitter says that it has failed.
const LOOP_FAILED: f64 = 3.8;

/// Down to here the noise of a loop at zero reaches; below, the reading is under its range.
const LOOP_ZERO: f64 = 3.9;

/// Above this a transmitter says that it has failed. From 20 mA to here it is over its range.
const LOOP_TOO_HIGH: f64 = 21.0;

/// The current of the measuring range's lower end, and the difference to that of its upper end.
pub(super) const LOOP: (f64, f64) = (4.0, 16.0);

/// How near a current must be to one that says something: these lie half a milliampere apart.
const LOOP_STEP: f64 = 0.2;

/// One reading. The statuses decide first; then the value may make it worse, never better.
#[must_use]
pub fn reading(field: &Field, unit: Unit, block: ReadBlock, cells: &Cells, at: Mono) -> Reading {
    let Some(raw) = unpack(field.at, field.encoding, block, cells) else {
        return Reading::bad(Fault::Implausible, at);
    };
    let statuses = field.statuses.iter().map(|status| stated(status, block, cells));
    let stated = statuses.fold(unit_said(field, unit, block, cells), Quality::worse);
    let (value, measured) = measured(field, unit, raw, block, cells);
    let quality = stated.worse(measured);
    let value = match quality {
        Quality::Good | Quality::Uncertain(_) => value,
        Quality::Bad(_) => None,
    };
    Reading { value, quality, at }
}

/// Whether the device measures in the unit that the site takes it for.
fn unit_said(field: &Field, unit: Unit, block: ReadBlock, cells: &Cells) -> Quality {
    let Some(said) = &field.unit else { return Quality::Good };
    let word = unpack(said.at, said.encoding, block, cells);
    let code = said.codes.iter().find(|(code, _)| word.is_some_and(|w| w.is(i64::from(*code))));
    if code.is_some_and(|(_, of)| *of == unit) { Quality::Good } else { Quality::Bad(Fault::WrongUnit) }
}

fn measured(field: &Field, unit: Unit, raw: Raw, block: ReadBlock, cells: &Cells) -> (Option<f64>, Quality) {
    if let Some((_, quality)) = field.sentinels.iter().find(|(sentinel, _)| raw.is(*sentinel)) {
        return (None, *quality);
    }
    let implausible = (None, Quality::Bad(Fault::Implausible));
    let Some(divisor) = divisor(field, block, cells) else { return implausible };
    let Some(number) = number(field.encoding, raw) else { return implausible };
    let value = scaled(number, field.scale / divisor) + field.offset;
    if !value.is_finite() {
        return implausible;
    }
    if let Some(current) = &field.current {
        return in_loop(current, field.range, value);
    }
    let quality = match field.range {
        Some((lo, hi)) if value > hi + (hi - lo) * ROUNDING => Quality::Uncertain(Doubt::OverRange),
        Some((lo, hi)) if value < lo - zero_drift(unit, hi - lo) => Quality::Uncertain(Doubt::UnderRange),
        Some(_) | None => Quality::Good,
    };
    (Some(value), quality)
}

/// What a current of `ma` milliamperes says of a value within `range`, or of itself where that is not known.
fn in_loop(current: &Current, range: Option<(f64, f64)>, ma: f64) -> (Option<f64>, Quality) {
    if let Some((_, quality)) = current.steps.iter().find(|(step, _)| (ma - step).abs() <= LOOP_STEP) {
        return (None, *quality);
    }
    if ma < LOOP_BROKEN {
        return (None, Quality::Bad(Fault::WireBroken));
    }
    if !(LOOP_FAILED..=LOOP_TOO_HIGH).contains(&ma) {
        return (None, Quality::Bad(Fault::SensorFault));
    }
    let (zero, span) = LOOP;
    let part = (ma - zero) / span;
    let quality = if part > 1.0 + ROUNDING {
        Quality::Uncertain(Doubt::OverRange)
    } else if ma < LOOP_ZERO {
        Quality::Uncertain(Doubt::UnderRange)
    } else {
        Quality::Good
    };
    (Some(range.map_or(ma, |(lo, hi)| lo + part * (hi - lo))), quality)
}

/// `10^0` to `10^6`.
const POWERS: [f64; Field::MAX_DECIMALS as usize + 1] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];

/// Ten to the power of the decimals that the device says its value has; `None` where it says more than any has.
fn divisor(field: &Field, block: ReadBlock, cells: &Cells) -> Option<f64> {
    let Some((at, encoding)) = field.decimals else { return Some(1.0) };
    let word = unpack(at, encoding, block, cells)?;
    (0..).zip(POWERS).find(|(n, _)| word.is(*n)).map(|(_, power)| power)
}

/// The number that the bits are; `None` where they are none.
fn number(encoding: Encoding, raw: Raw) -> Option<f64> {
    match (encoding, raw) {
        (Encoding::Packed, Raw::Int(word)) => {
            let (whole, tenths) = (word >> 8, word & 0xFF);
            (tenths <= 9).then(|| Raw::Int(whole.saturating_mul(10).saturating_add(tenths)).as_f64() / 10.0)
        }
        (_, raw) => Some(raw.as_f64()),
    }
}

fn zero_drift(unit: Unit, span: f64) -> f64 {
    let part = span * ZERO_DRIFT;
    if unit == Unit::PctVol { part.min(ZERO_DRIFT_VOL) } else { part }
}

/// `raw * scale`, the way people mean it: a scale of 0.01 divides by 100, so that 57 is 0.57 and not 0.5700000000000001.
fn scaled(raw: f64, scale: f64) -> f64 {
    let divisor = (1.0 / scale).round();
    let is_fraction = divisor.abs() > 1.0 && (divisor * scale - 1.0).abs() < 1e-12;
    if is_fraction { raw / divisor } else { raw * scale }
}

/// What a status says; what can't be read says nothing good.
fn stated(status: &StatusField, block: ReadBlock, cells: &Cells) -> Quality {
    let unknown = Quality::Bad(Fault::UnknownStatus);
    let Some(word) = unpack(status.at, status.encoding, block, cells) else { return unknown };
    match &status.meaning {
        StatusMeaning::Codes(codes) => {
            codes.iter().find(|(code, _)| word.is(i64::from(*code))).map_or(unknown, |(_, quality)| *quality)
        }
        StatusMeaning::Bits { zero, .. } if word.has_any(*zero) => unknown,
        StatusMeaning::Bits { flags, .. } => flags
            .iter()
            .filter(|flag| word.has_bit(flag.bit) == flag.when)
            .fold(Quality::Good, |worst, flag| worst.worse(flag.quality)),
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

    fn has_any(self, bits: u16) -> bool {
        match self {
            Raw::Int(n) => n & i64::from(bits) != 0,
            Raw::Float(_) => true,
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
        Encoding::U16 | Encoding::Bit | Encoding::Packed => Raw::Int(i64::from(word)),
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
pub(super) fn wired(order: WordOrder, first: u16, second: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (first.to_be_bytes(), second.to_be_bytes());
    match order {
        WordOrder::Abcd => [a, b, c, d],
        WordOrder::Cdab => [c, d, a, b],
        WordOrder::Badc => [b, a, d, c],
        WordOrder::Dcba => [d, c, b, a],
    }
}
