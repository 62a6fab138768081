//! From readings to registers: what a device would hold. For whoever pretends to be one.

use super::value::{LOOP, Raw, wired};
use crate::model::point::{Fault, Quality, Unit};
use crate::model::register::{Encoding, Field, Location, StatusField, StatusMeaning};

/// The decimals that a pretended device says where a device says them, and ten to the power of it.
const DECIMALS: (u16, f64) = (2, 100.0);

/// A current that no transmitter sends, and one by which it says that it has failed, in mA.
const BROKEN: f64 = 0.0;

/// See `BROKEN`.
const FAILED: f64 = 21.5;

/// The raw value that reads as `value`, as near as the encoding can say it: what a device would hold, if beside it lies
/// what [`encode_beside`] says.
#[must_use]
pub fn encode(field: &Field, value: f64) -> Raw {
    let value = match (&field.current, field.range) {
        (Some(_), Some((lo, hi))) => LOOP.0 + (value - lo) / (hi - lo) * LOOP.1,
        (Some(_), None) | (None, _) => value,
    };
    encode_number(field, value)
}

fn encode_number(field: &Field, value: f64) -> Raw {
    let divisor = if field.decimals.is_some() { DECIMALS.1 } else { 1.0 };
    let raw = (value - field.offset) / (field.scale / divisor);
    #[expect(clippy::cast_possible_truncation, reason = "saturates, NaN becomes 0; f32 holds no more digits")]
    match (field.encoding, field.encoding.whole()) {
        (Encoding::Packed, _) => {
            let tenths = ((raw * 10.0).round() as i64).clamp(0, 2_559);
            Raw::Int((tenths / 10) << 8 | (tenths % 10))
        }
        (_, Some((lo, hi))) => Raw::Int((raw.round() as i64).clamp(lo, hi)),
        (_, None) => Raw::Float(raw as f32),
    }
}

/// The raw value that is no value and says `quality`, where the field has one.
#[must_use]
pub fn encode_amiss(field: &Field, quality: Quality) -> Option<Raw> {
    if let Some((raw, _)) = field.sentinels.iter().find(|(_, q)| *q == quality) {
        return Some(match field.encoding {
            #[expect(clippy::cast_precision_loss, reason = "a profile's sentinel, as near as it can be said")]
            Encoding::F32(_) => Raw::Float(*raw as f32),
            Encoding::U16
            | Encoding::I16
            | Encoding::U32(_)
            | Encoding::I32(_)
            | Encoding::Bits { .. }
            | Encoding::Packed
            | Encoding::Bit => Raw::Int(*raw),
        });
    }
    let current = field.current.as_ref()?;
    let step = current.steps.iter().find(|(_, q)| *q == quality).map(|(ma, _)| *ma);
    let ma = step.or(match quality {
        Quality::Bad(Fault::WireBroken) => Some(BROKEN),
        Quality::Bad(Fault::SensorFault) => Some(FAILED),
        Quality::Good | Quality::Uncertain(_) | Quality::Bad(_) => None,
    })?;
    Some(encode_number(field, ma))
}

/// What lies beside a value in `unit` whose device says `quality` of it: statuses, decimals, unit. `None` where no status
/// can say so.
#[must_use]
pub fn encode_beside(field: &Field, unit: Unit, quality: Quality) -> Option<Vec<(Location, Encoding, Raw)>> {
    let decimals = field.decimals.map(|(at, encoding)| (at, encoding, Raw::Int(DECIMALS.0.into())));
    let said = field.unit.as_ref().and_then(|said| {
        let (code, _) = said.codes.iter().find(|(_, of)| *of == unit)?;
        Some((said.at, said.encoding, Raw::Int(i64::from(*code))))
    });
    let mut cells: Vec<_> = decimals.into_iter().chain(said).collect();
    let speaker = field.statuses.iter().position(|status| encode_status(status, quality).is_some());
    if quality != Quality::Good {
        speaker?;
    }
    for (n, status) in field.statuses.iter().enumerate() {
        let says = if Some(n) == speaker { quality } else { Quality::Good };
        cells.push((status.at, status.encoding, encode_status(status, says)?));
    }
    Some(cells)
}

/// The status word that states `quality`, where there is one.
#[must_use]
pub fn encode_status(status: &StatusField, quality: Quality) -> Option<Raw> {
    match &status.meaning {
        StatusMeaning::Codes(codes) => {
            codes.iter().find(|(_, q)| *q == quality).map(|(code, _)| Raw::Int(i64::from(*code)))
        }
        StatusMeaning::Bits { flags, .. } => {
            let bit = |n: u8| 1_i64.checked_shl(u32::from(n)).unwrap_or(0);
            // Every bit as it is when it has nothing to say.
            let well = flags.iter().filter(|f| !f.when && f.quality != Quality::Good);
            let well = well.fold(0, |word, flag| word | bit(flag.bit));
            if quality == Quality::Good {
                return Some(Raw::Int(well));
            }
            let says = flags.iter().find(|f| f.quality == quality)?;
            Some(Raw::Int(well ^ bit(says.bit)))
        }
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
        Encoding::U16 | Encoding::I16 | Encoding::Packed => vec![low],
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
