//! Registers to readings and back, and whether an answer fits its question. Knows nothing of frames or of time-outs.

use crate::model::line::LineFault;
use crate::model::plan::{Device, Point};
use crate::model::point::{Doubt, Fault, Quality, Reading, Unit};
use crate::model::register::{
    Encoding, Field, Location, ReadBlock, Space, StatusField, StatusMeaning, WordOrder,
};
use crate::model::table::PointId;
use crate::model::time::Mono;

/// Part of the measuring range that a zero may drift below its lower end before the reading is doubted.
const ZERO_DRIFT: f64 = 0.05;

/// Most that it may drift in parts of a hundred by volume, however wide the range: a head for 0 to 100 % CH4 that shows
/// -5 is out of order, though that is a twentieth of its range.
const ZERO_DRIFT_VOL: f64 = 0.5;

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
        .map(|(id, p)| (id, reading(&p.field, p.unit, *asked, cells, at)))
        .collect()
}

/// One reading. The status decides first; then the value may make it worse, never better.
fn reading(field: &Field, unit: Unit, block: ReadBlock, cells: &Cells, at: Mono) -> Reading {
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
    let (value, measured) = measured(field, unit, raw);
    let quality = stated.worse(measured);
    let value = match quality {
        Quality::Good | Quality::Uncertain(_) => value,
        Quality::Bad(_) => None,
    };
    Reading { value, quality, at }
}

fn measured(field: &Field, unit: Unit, raw: Raw) -> (Option<f64>, Quality) {
    if let Some((_, quality)) = field.sentinels.iter().find(|(sentinel, _)| raw.is(*sentinel)) {
        return (None, *quality);
    }
    let value = scaled(raw.as_f64(), field.scale) + field.offset;
    if !value.is_finite() {
        return (None, Quality::Bad(Fault::Implausible));
    }
    let quality = match field.range {
        Some((lo, hi)) if value > hi + (hi - lo) * ROUNDING => Quality::Uncertain(Doubt::OverRange),
        Some((lo, hi)) if value < lo - zero_drift(unit, hi - lo) => Quality::Uncertain(Doubt::UnderRange),
        Some(_) | None => Quality::Good,
    };
    (Some(value), quality)
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
    #[expect(clippy::cast_possible_truncation, reason = "saturates, NaN becomes 0; f32 holds no more digits")]
    match field.encoding.whole() {
        Some((lo, hi)) => Raw::Int((raw.round() as i64).clamp(lo, hi)),
        None => Raw::Float(raw as f32),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORDERS: [WordOrder; 4] = [WordOrder::Abcd, WordOrder::Cdab, WordOrder::Badc, WordOrder::Dcba];
    const AT: Location = Location { space: Space::Input, address: 100 };
    const BLOCK: ReadBlock = ReadBlock { at: AT, count: 4 };

    fn field(encoding: Encoding) -> Field {
        Field { at: AT, encoding, scale: 1.0, offset: 0.0, range: None, sentinels: Vec::new(), status: None }
    }

    fn read(field: &Field, words: &[u16]) -> (Option<f64>, Quality) {
        let r = reading(field, Unit::PctVol, BLOCK, &Cells::Words(words.to_vec()), Mono::START);
        (r.value, r.quality)
    }

    fn float_words(x: f32) -> [u16; 2] {
        let [a, b, c, d] = x.to_be_bytes();
        [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
    }

    fn good(value: f64) -> (Option<f64>, Quality) {
        (Some(value), Quality::Good)
    }

    #[test]
    fn every_order_of_words_and_bytes_is_read() {
        // 123456.78 as IEEE 754 is 47 F1 20 64.
        for (order, words) in
            ORDERS.into_iter().zip([[0x47F1, 0x2064], [0x2064, 0x47F1], [0xF147, 0x6420], [0x6420, 0xF147]])
        {
            assert_eq!(
                read(&field(Encoding::F32(order)), &words),
                good(f64::from(123_456.78_f32)),
                "{order:?}"
            );
        }
        for (order, words) in
            ORDERS.into_iter().zip([[0xFFFF, 0xFFFE], [0xFFFE, 0xFFFF], [0xFFFF, 0xFEFF], [0xFEFF, 0xFFFF]])
        {
            assert_eq!(read(&field(Encoding::I32(order)), &words), good(-2.0), "{order:?}");
            assert_eq!(read(&field(Encoding::U32(order)), &words), good(4_294_967_294.0), "{order:?}");
        }
    }

    #[test]
    fn a_decimal_scale_gives_the_decimal_number() {
        let hundredths = Field { scale: 0.01, ..field(Encoding::U16) };
        for raw in 0..=u16::MAX {
            let text = format!("{}.{:02}", raw / 100, raw % 100);
            assert_eq!(read(&hundredths, &[raw]), good(text.parse().unwrap()));
        }
    }

    #[test]
    fn one_register_is_read_as_number_or_bit_field() {
        assert_eq!(read(&field(Encoding::U16), &[0xFFFF]), good(65_535.0));
        assert_eq!(read(&field(Encoding::I16), &[0xFFFF]), good(-1.0));
        assert_eq!(read(&field(Encoding::Bits { shift: 4, mask: 0x7 }), &[0x0059]), good(5.0));
        let scaled = Field { scale: 0.1, offset: -20.0, ..field(Encoding::I16) };
        assert_eq!(read(&scaled, &[305]), good(10.5));
    }

    #[test]
    fn a_value_outside_its_block_is_implausible_never_zero() {
        let bad = (None, Quality::Bad(Fault::Implausible));
        assert_eq!(read(&field(Encoding::U32(WordOrder::Abcd)), &[1]), bad);
        let below = Field { at: Location { address: 99, ..AT }, ..field(Encoding::U16) };
        assert_eq!(read(&below, &[1, 2]), bad);
        let other = Field { at: Location { space: Space::Holding, ..AT }, ..field(Encoding::U16) };
        assert_eq!(read(&other, &[1, 2]), bad);
    }

    #[test]
    fn what_is_no_number_is_implausible() {
        let float = field(Encoding::F32(WordOrder::Abcd));
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(read(&float, &float_words(x)), (None, Quality::Bad(Fault::Implausible)));
        }
    }

    #[test]
    fn beyond_its_range_a_reading_is_doubted_and_keeps_its_value() {
        let ranged = Field { scale: 0.01, range: Some((0.0, 4.0)), ..field(Encoding::I16) };
        assert_eq!(read(&ranged, &[400]), good(4.0));
        assert_eq!(read(&ranged, &[401]), (Some(4.01), Quality::Uncertain(Doubt::OverRange)));
        let drift = |n: i16| n.cast_unsigned();
        assert_eq!(read(&ranged, &[drift(-20)]), good(-0.2));
        assert_eq!(read(&ranged, &[drift(-21)]), (Some(-0.21), Quality::Uncertain(Doubt::UnderRange)));
        let wide = Field { range: Some((0.0, 100.0)), ..ranged };
        assert_eq!(read(&wide, &[drift(-50)]), good(-0.5));
        assert_eq!(read(&wide, &[drift(-51)]), (Some(-0.51), Quality::Uncertain(Doubt::UnderRange)));
    }

    #[test]
    fn the_upper_end_of_a_range_is_in_range_whatever_the_binary_fraction() {
        let f32 = Field { range: Some((0.0, 0.1)), ..field(Encoding::F32(WordOrder::Abcd)) };
        assert_eq!(read(&f32, &float_words(0.1)).1, Quality::Good);
        let tenths = Field { scale: 0.1, range: Some((0.0, 0.3)), ..field(Encoding::U16) };
        assert_eq!(read(&tenths, &[3]).1, Quality::Good);
    }

    #[test]
    fn a_sentinel_is_no_value() {
        let sentinels =
            vec![(0xFFFF, Quality::Bad(Fault::SensorFault)), (0xFFFE, Quality::Uncertain(Doubt::OverRange))];
        let marked = Field { sentinels, range: Some((0.0, 100.0)), ..field(Encoding::U16) };
        assert_eq!(read(&marked, &[0xFFFF]), (None, Quality::Bad(Fault::SensorFault)));
        assert_eq!(read(&marked, &[0xFFFE]), (None, Quality::Uncertain(Doubt::OverRange)));
        let sentinels = vec![(-999, Quality::Bad(Fault::SensorFault))];
        let float = Field { sentinels, ..field(Encoding::F32(WordOrder::Abcd)) };
        assert_eq!(read(&float, &float_words(-999.0)), (None, Quality::Bad(Fault::SensorFault)));
    }

    fn with_status(meaning: StatusMeaning) -> Field {
        let at = Location { address: 101, ..AT };
        let status = Some(StatusField { at, encoding: Encoding::U16, meaning });
        Field { status, ..field(Encoding::U16) }
    }

    #[test]
    fn an_unknown_status_code_is_never_taken_for_normal() {
        let codes = vec![(0, Quality::Good), (1, Quality::Uncertain(Doubt::WarmUp))];
        let coded = with_status(StatusMeaning::Codes(codes));
        assert_eq!(read(&coded, &[7, 0]), good(7.0));
        assert_eq!(read(&coded, &[7, 1]), (Some(7.0), Quality::Uncertain(Doubt::WarmUp)));
        assert_eq!(read(&coded, &[7, 2]), (None, Quality::Bad(Fault::UnknownStatus)));
        assert_eq!(read(&coded, &[7]), (None, Quality::Bad(Fault::UnknownStatus)));
    }

    #[test]
    fn of_several_status_bits_the_worst_counts() {
        let bits = vec![(0, Quality::Uncertain(Doubt::Calibrating)), (3, Quality::Bad(Fault::SensorFault))];
        let flagged = with_status(StatusMeaning::Bits(bits));
        assert_eq!(read(&flagged, &[7, 0b0000]), good(7.0));
        assert_eq!(read(&flagged, &[7, 0b0110]), good(7.0));
        assert_eq!(read(&flagged, &[7, 0b0001]), (Some(7.0), Quality::Uncertain(Doubt::Calibrating)));
        assert_eq!(read(&flagged, &[7, 0b1001]), (None, Quality::Bad(Fault::SensorFault)));
    }

    #[test]
    fn contacts_read_as_0_and_1() {
        let at = Location { space: Space::Discrete, address: 7 };
        let contact = Field { at, ..field(Encoding::Bit) };
        let block = ReadBlock { at: Location { address: 6, ..at }, count: 2 };
        let r = reading(&contact, Unit::State, block, &Cells::Bits(vec![false, true]), Mono::START);
        assert_eq!((r.value, r.quality), good(1.0));
    }

    #[test]
    fn an_answer_must_fit_its_question() {
        let words = |n| Cells::Words(vec![0; n]);
        let from = |space, cells| check_answer(&Question::Read(BLOCK), Answer::Cells { space, cells });
        assert_eq!(from(Space::Input, words(4)), Ok(words(4)));
        assert!(matches!(from(Space::Input, words(3)), Err(LineFault::Garbled(_))));
        assert!(matches!(from(Space::Input, words(5)), Err(LineFault::Garbled(_))));
        assert!(matches!(from(Space::Holding, words(4)), Err(LineFault::Garbled(_))));

        let coils = Question::Read(ReadBlock { at: Location { space: Space::Coil, address: 0 }, count: 10 });
        let bits =
            |n| check_answer(&coils, Answer::Cells { space: Space::Coil, cells: Cells::Bits(vec![true; n]) });
        assert_eq!(bits(10), Ok(Cells::Bits(vec![true; 10])));
        assert_eq!(bits(16), Ok(Cells::Bits(vec![true; 10])));
        for wrong in [0, 8, 9, 11, 24] {
            assert!(matches!(bits(wrong), Err(LineFault::Garbled(_))), "{wrong}");
        }
    }

    #[test]
    fn an_echo_must_name_the_cell_and_the_value_that_were_written() {
        let coil = |address| Location { space: Space::Coil, address };
        let asked = Question::Write { at: coil(3), value: 0xFF00 };
        let echo = |at, value| check_answer(&asked, Answer::Echo { at, value });
        assert!(echo(coil(3), 1).is_ok());
        for (at, value) in
            [(coil(3), 0), (coil(2), 1), (Location { space: Space::Holding, address: 3 }, 0xFF00)]
        {
            assert!(matches!(echo(at, value), Err(LineFault::Garbled(_))), "{at:?} {value}");
        }
    }

    fn encodings() -> impl Strategy<Value = Encoding> {
        let order = prop::sample::select(&ORDERS[..]);
        prop_oneof![
            Just(Encoding::U16),
            Just(Encoding::I16),
            order.clone().prop_map(Encoding::U32),
            order.clone().prop_map(Encoding::I32),
            order.prop_map(Encoding::F32),
            (0..8_u8).prop_map(|shift| Encoding::Bits { shift, mask: 0xFF }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_reads_back(encoding in encodings(), words in any::<(u16, u16)>(), scale in 0.001..100.0) {
            let block = ReadBlock { at: AT, count: 2 };
            let field = Field { scale, ..field(encoding) };
            let cells = Cells::Words(vec![words.0, words.1]);
            let first = reading(&field, Unit::PctVol, block, &cells, Mono::START);
            let Some(value) = first.value else { return Ok(()) };
            let mut packed = pack(encoding, encode(&field, value), words.0);
            packed.resize(2, words.1);
            let again = reading(&field, Unit::PctVol, block, &Cells::Words(packed.clone()), Mono::START);
            let near = |a: f64, b: f64| (a - b).abs() <= a.abs() * 1e-6;
            prop_assert!(again.value.is_some_and(|again| near(value, again)), "{first:?} {again:?}");
            if matches!(encoding, Encoding::Bits { .. }) {
                prop_assert_eq!(packed[0], words.0, "the other bits were touched");
            }
        }

        #[test]
        fn no_register_content_gives_a_value_that_is_no_number(
            encoding in encodings(),
            words in prop::collection::vec(any::<u16>(), 0..5),
            scale in any::<f64>(),
            offset in any::<f64>(),
        ) {
            let field = Field { scale, offset, ..field(encoding) };
            let r = reading(&field, Unit::PctVol, BLOCK, &Cells::Words(words), Mono::START);
            prop_assert!(r.value.is_none_or(f64::is_finite));
            prop_assert_eq!(r.value.is_none(), matches!(r.quality, Quality::Bad(_)));
        }
    }
}
