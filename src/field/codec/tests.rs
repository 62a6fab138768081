//! What words become which readings, and which answers fit.

use super::value::reading;
use super::*;
use crate::model::point::{Doubt, Fault, Quality, Unit};
use crate::model::register::{
    Current, Encoding, Field, Flag, Scan, StatusField, StatusMeaning, UnitField, WordOrder,
};
use proptest::prelude::*;

const ORDERS: [WordOrder; 4] = [WordOrder::Abcd, WordOrder::Cdab, WordOrder::Badc, WordOrder::Dcba];
const AT: Location = Location { space: Space::Input, address: 100 };
const BLOCK: ReadBlock = ReadBlock { at: AT, count: 4, scan: Scan::Fast };

fn field(encoding: Encoding) -> Field {
    Field::plain(AT, encoding)
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
        assert_eq!(read(&field(Encoding::F32(order)), &words), good(f64::from(123_456.78_f32)), "{order:?}");
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
        [(0xFFFF, Quality::Bad(Fault::SensorFault)), (0xFFFE, Quality::Uncertain(Doubt::OverRange))].into();
    let marked = Field { sentinels, range: Some((0.0, 100.0)), ..field(Encoding::U16) };
    assert_eq!(read(&marked, &[0xFFFF]), (None, Quality::Bad(Fault::SensorFault)));
    assert_eq!(read(&marked, &[0xFFFE]), (None, Quality::Uncertain(Doubt::OverRange)));
    let sentinels = [(-999, Quality::Bad(Fault::SensorFault))].into();
    let float = Field { sentinels, ..field(Encoding::F32(WordOrder::Abcd)) };
    assert_eq!(read(&float, &float_words(-999.0)), (None, Quality::Bad(Fault::SensorFault)));
}

fn with_status(meaning: StatusMeaning) -> Field {
    let at = Location { address: 101, ..AT };
    let statuses = [StatusField { at, encoding: Encoding::U16, meaning }].into();
    Field { statuses, ..field(Encoding::U16) }
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
    let flag = |bit, quality| Flag { bit, when: true, quality };
    let flags =
        vec![flag(0, Quality::Uncertain(Doubt::Calibrating)), flag(3, Quality::Bad(Fault::SensorFault))];
    let flagged = with_status(StatusMeaning::Bits { flags, zero: 0 });
    assert_eq!(read(&flagged, &[7, 0b0000]), good(7.0));
    assert_eq!(read(&flagged, &[7, 0b0110]), good(7.0));
    assert_eq!(read(&flagged, &[7, 0b0001]), (Some(7.0), Quality::Uncertain(Doubt::Calibrating)));
    assert_eq!(read(&flagged, &[7, 0b1001]), (None, Quality::Bad(Fault::SensorFault)));
}

#[test]
fn contacts_read_as_0_and_1() {
    let at = Location { space: Space::Discrete, address: 7 };
    let contact = Field { at, ..field(Encoding::Bit) };
    let block = ReadBlock { at: Location { address: 6, ..at }, ..BLOCK };
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

    let coils = Question::Read(ReadBlock {
        at: Location { space: Space::Coil, address: 0 },
        count: 10,
        scan: Scan::Fast,
    });
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
    let asked = Question::Write { at: coil(3), value: 0xFF00, how: Write::Single };
    let echo = |at, value| check_answer(&asked, Answer::Echo { at, value });
    assert!(echo(coil(3), 1).is_ok());
    for (at, value) in [(coil(3), 0), (coil(2), 1), (Location { space: Space::Holding, address: 3 }, 0xFF00)]
    {
        assert!(matches!(echo(at, value), Err(LineFault::Garbled(_))), "{at:?} {value}");
    }
}

#[test]
fn each_function_that_writes_is_answered_in_its_own_way() {
    let at = Location { space: Space::Holding, address: 7 };
    let fits = |how, answer| check_answer(&Question::Write { at, value: 5, how }, answer).is_ok();
    let many = |at, count| Answer::EchoMany { at, count };
    let masked = |at, and, or| Answer::EchoMasked { at, and, or };
    assert!(fits(Write::Multiple, many(at, 1)));
    assert!(fits(Write::Mask(0x0F), masked(at, 0xFFF0, 5)));
    let elsewhere = Location { address: 8, ..at };
    for (how, answer) in [
        (Write::Multiple, many(at, 2)),
        (Write::Multiple, many(at, 0)),
        (Write::Multiple, many(elsewhere, 1)),
        (Write::Multiple, Answer::Echo { at, value: 5 }),
        (Write::Single, many(at, 1)),
        (Write::Single, masked(at, 0xFFF0, 5)),
        (Write::Mask(0x0F), masked(at, 0xFFF0, 4)),
        (Write::Mask(0x0F), masked(at, 0x000F, 5)),
        (Write::Mask(0x0F), masked(elsewhere, 0xFFF0, 5)),
        (Write::Mask(0x0F), Answer::Echo { at, value: 5 }),
        (Write::Mask(0x0F), Answer::Cells { space: Space::Holding, cells: Cells::Words(vec![5]) }),
    ] {
        assert!(!fits(how, answer.clone()), "{how:?} {answer:?}");
    }
}

#[test]
fn a_write_under_a_mask_is_taken_when_its_own_bits_are() {
    let at = Location { space: Space::Holding, address: 7 };
    let masked = Command { how: Write::Mask(0x0002), ..Command::plain(at, 2, Some(0)) };
    assert!(is_taken(&masked, 2, 0xFFFF));
    assert!(!is_taken(&masked, 2, 0xFFFD));
    assert!(is_taken(&masked, 0, 0xFFFD));
    assert!(is_taken(&Command::plain(at, 2, None), 2, 2));
    assert!(!is_taken(&Command::plain(at, 2, None), 2, 3));
}

#[test]
fn value_and_decimals_are_one_number() {
    let decimals = Some((Location { address: 101, ..AT }, Encoding::U16));
    let shown = Field { decimals, ..field(Encoding::I16) };
    for (words, value) in
        [([2_093, 0], 2_093.0), ([2_093, 1], 209.3), ([2_093, 2], 20.93), ([2_093, 3], 2.093)]
    {
        assert_eq!(read(&shown, &words), good(value));
    }
    let bad = (None, Quality::Bad(Fault::Implausible));
    assert_eq!(read(&shown, &[2_093, 7]), bad);
    assert_eq!(read(&shown, &[2_093, 0xFFFF]), bad);
    assert_eq!(read(&shown, &[2_093]), bad, "torn: never the value without its point");
}

#[test]
fn packed_bytes_are_read_as_a_display_shows_them() {
    let packed = field(Encoding::Packed);
    assert_eq!(read(&packed, &[0x1409]), good(20.9));
    assert_eq!(read(&packed, &[0x0000]), good(0.0));
    assert_eq!(read(&packed, &[0x140A]), (None, Quality::Bad(Fault::Implausible)), "no digit");
}

#[test]
fn another_unit_than_the_points_is_never_converted() {
    let said = UnitField {
        at: Location { address: 101, ..AT },
        encoding: Encoding::U16,
        codes: vec![(2, Unit::PctLel), (3, Unit::PctVol)],
    };
    let field = Field { unit: Some(said.into()), ..field(Encoding::U16) };
    assert_eq!(read(&field, &[7, 3]), good(7.0));
    for code in [2, 4, 0xFFFF] {
        assert_eq!(read(&field, &[7, code]), (None, Quality::Bad(Fault::WrongUnit)), "{code}");
    }
}

#[test]
fn a_current_loop_keeps_to_namur_ne_43() {
    let steps = vec![(2.0, Quality::Uncertain(Doubt::Calibrating)), (3.0, Quality::Uncertain(Doubt::WarmUp))];
    let current = Some(Current { steps }.into());
    let ma = Field { scale: 0.001, current, range: Some((0.0, 100.0)), ..field(Encoding::U16) };
    let is = |raw: u16, value, quality| assert_eq!(read(&ma, &[raw]), (value, quality), "{raw}");
    is(0, None, Quality::Bad(Fault::WireBroken));
    is(2_000, None, Quality::Uncertain(Doubt::Calibrating));
    is(2_500, None, Quality::Bad(Fault::WireBroken));
    is(3_000, None, Quality::Uncertain(Doubt::WarmUp));
    is(3_599, None, Quality::Bad(Fault::WireBroken));
    is(3_600, None, Quality::Bad(Fault::SensorFault));
    is(3_799, None, Quality::Bad(Fault::SensorFault));
    assert_eq!(read(&ma, &[3_850]).1, Quality::Uncertain(Doubt::UnderRange));
    assert_eq!(read(&ma, &[3_950]).1, Quality::Good, "the noise of a loop at zero");
    is(4_000, Some(0.0), Quality::Good);
    is(12_000, Some(50.0), Quality::Good);
    is(20_000, Some(100.0), Quality::Good);
    assert_eq!(read(&ma, &[20_500]).1, Quality::Uncertain(Doubt::OverRange));
    assert_eq!(read(&ma, &[21_000]).1, Quality::Uncertain(Doubt::OverRange));
    is(21_001, None, Quality::Bad(Fault::SensorFault));
    is(0xFFFF, None, Quality::Bad(Fault::SensorFault));
}

#[test]
fn a_bit_that_must_be_0_says_what_nobody_knows() {
    let flags = vec![
        Flag { bit: 0, when: true, quality: Quality::Bad(Fault::SensorFault) },
        Flag { bit: 1, when: false, quality: Quality::Uncertain(Doubt::WarmUp) },
        Flag { bit: 2, when: true, quality: Quality::Good },
    ];
    let flagged = with_status(StatusMeaning::Bits { flags, zero: 0xFFF8 });
    assert_eq!(read(&flagged, &[7, 0b010]), good(7.0));
    assert_eq!(read(&flagged, &[7, 0b110]), good(7.0), "known, and nothing amiss");
    assert_eq!(read(&flagged, &[7, 0b000]).1, Quality::Uncertain(Doubt::WarmUp));
    assert_eq!(read(&flagged, &[7, 0b011]).1, Quality::Bad(Fault::SensorFault));
    assert_eq!(read(&flagged, &[7, 0b1010]).1, Quality::Bad(Fault::UnknownStatus));
}

fn encodings() -> impl Strategy<Value = Encoding> {
    let order = prop::sample::select(&ORDERS[..]);
    prop_oneof![
        Just(Encoding::U16),
        Just(Encoding::I16),
        Just(Encoding::Packed),
        order.clone().prop_map(Encoding::U32),
        order.clone().prop_map(Encoding::I32),
        order.prop_map(Encoding::F32),
        (0..8_u8).prop_map(|shift| Encoding::Bits { shift, mask: 0xFF }),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_reads_back(encoding in encodings(), words in any::<(u16, u16)>(), scale in 0.001..100.0) {
        let block = ReadBlock { at: AT, count: 2, scan: Scan::Fast };
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
