//! Two registers in every way that a maker may have meant them, so that the right one can be seen.

use super::codec::Cells;
use super::written::{ORDERS, encoded, value};
use crate::model::register::{Encoding, Space};

/// One way to read them.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// As a profile or `--as` says it; what Davy can't read has a name of its own.
    pub way: String,
    /// Of which registers: 1, the first one, or 2, both.
    pub registers: u16,
    /// Decimals that the number is taken to have.
    pub decimals: u8,
    /// What it would be.
    pub value: f64,
    /// Whether an instrument could show that.
    pub plausible: bool,
    /// Whether it is what is expected.
    pub fits: bool,
}

/// What instruments show lies between these magnitudes, if it is not zero.
const MAGNITUDES: std::ops::RangeInclusive<f64> = 1e-3..=1e5;

/// How near to what is expected: half a percent, or the last digit of it.
const NEAR: f64 = 0.005;

/// Decimals that a whole number may have.
const DECIMALS_MAX: u8 = 3;

/// Every way to read `first` and `second`. Where something is expected, what fits comes first; then what is plausible.
#[must_use]
pub fn guesses(first: u16, second: u16, expected: Option<f64>) -> Vec<Guess> {
    let cells = Cells::Words(vec![first, second]);
    let mut found = Vec::new();
    let mut add = |way: String, registers, whole: bool, number: Option<f64>| {
        let Some(number) = number else { return };
        let last = if whole { DECIMALS_MAX } else { 0 };
        let mut step = 1.0;
        for decimals in 0..=last {
            let value = number / step;
            // A zero is the same with any decimals.
            if decimals == 0 || value.abs() > 0.0 {
                let plausible = value.abs() <= 0.0 || MAGNITUDES.contains(&value.abs());
                let fits = expected.is_some_and(|expected| is_near(value, expected, step));
                found.push(Guess { way: way.clone(), registers, decimals, value, plausible, fits });
            }
            step *= 10.0;
        }
    };
    for encoding in [Encoding::U16, Encoding::I16] {
        add(encoded(encoding), 1, true, value(encoding, Space::Holding, &cells));
    }
    add("packed".to_owned(), 1, false, value(Encoding::Packed, Space::Holding, &cells));
    let [high, low] = first.to_be_bytes();
    add("high byte".to_owned(), 1, true, Some(f64::from(high)));
    add("low byte".to_owned(), 1, true, Some(f64::from(low)));
    add("bcd".to_owned(), 1, true, bcd(u32::from(first), 4));
    for (order, name) in ORDERS {
        for encoding in [Encoding::U32(order), Encoding::I32(order)] {
            add(encoded(encoding), 2, true, value(encoding, Space::Holding, &cells));
        }
        add(encoded(Encoding::F32(order)), 2, false, value(Encoding::F32(order), Space::Holding, &cells));
        let ([a, b], [c, d]) = (first.to_be_bytes(), second.to_be_bytes());
        let bytes = match name {
            "abcd" => Some([a, b, c, d]),
            "cdab" => Some([c, d, a, b]),
            // Nobody swaps the digits of a register.
            _ => None,
        };
        add(format!("bcd:{name}"), 2, true, bytes.and_then(|bytes| bcd(u32::from_be_bytes(bytes), 8)));
    }
    found.sort_by_key(|guess| (!guess.fits, !guess.plausible));
    found
}

/// The decimal number whose digits are the half bytes; `None` where one of them is no digit.
fn bcd(word: u32, digits: u32) -> Option<f64> {
    let digit = |n: u32| word.checked_shr(n.saturating_mul(4)).map(|rest| rest & 0xF).filter(|d| *d <= 9);
    (0..digits).rev().try_fold(0.0, |number, n| Some(number * 10.0 + f64::from(digit(n)?)))
}

/// `step` is ten to the power of the decimals: a number with one decimal is no nearer than half a tenth.
fn is_near(value: f64, expected: f64, step: f64) -> bool {
    let off = (value - expected).abs();
    // The last digit only counts where it is a small part of the number.
    let rounding = (0.5 / step).min(expected.abs() * 0.05);
    off <= (expected.abs() * NEAR).max(rounding) || (off <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn way(guesses: &[Guess], way: &str, decimals: u8) -> Option<f64> {
        guesses.iter().find(|g| g.way == way && g.decimals == decimals).map(|g| g.value)
    }

    #[test]
    fn a_float_with_swapped_words_is_seen_at_once() {
        let bits = 1.25_f32.to_bits();
        let (high, low) = ((bits >> 16) as u16, (bits & 0xFFFF) as u16);
        let all = guesses(low, high, Some(1.25));
        assert_eq!((all[0].way.as_str(), all[0].value, all[0].fits), ("f32:cdab", 1.25, true));
        let all = guesses(high, low, Some(1.25));
        assert_eq!(all[0].way, "f32:abcd");
    }

    #[test]
    fn hundredths_packed_bytes_and_decimal_digits_are_among_the_ways() {
        let all = guesses(125, 0, Some(1.25));
        assert_eq!((all[0].way.as_str(), all[0].decimals), ("u16", 2));
        assert_eq!(way(&guesses(0x1409, 0, None), "packed", 0), Some(20.9));
        assert_eq!(way(&guesses(0x1234, 0x5678, None), "bcd", 2), Some(12.34));
        assert_eq!(way(&guesses(0x1234, 0x5678, None), "bcd:abcd", 0), Some(12_345_678.0));
        assert_eq!(way(&guesses(0x1234, 0x5678, None), "bcd:cdab", 0), Some(56_781_234.0));
        assert_eq!(way(&guesses(0x12AF, 0, None), "bcd", 0), None, "no digit");
        assert_eq!(way(&guesses(0xFFFF, 0, None), "i16", 1), Some(-0.1));
    }

    #[test]
    fn what_no_instrument_shows_comes_last() {
        let all = guesses(0x3FA0, 0, None);
        let first = all.iter().position(|g| !g.plausible).unwrap();
        assert!(all[first..].iter().all(|g| !g.plausible));
        assert!(all.iter().take(first).any(|g| g.way == "f32:abcd" && g.value == 1.25));
    }

    proptest! {
        #[test]
        fn whatever_the_registers_hold_every_number_is_finite(first: u16, second: u16, expected: Option<f64>) {
            let all = guesses(first, second, expected);
            prop_assert!(all.iter().all(|g| g.value.is_finite()));
            prop_assert!(all.len() <= 80);
            prop_assert_eq!(way(&all, "u16", 0), Some(f64::from(first)));
        }

        #[test]
        fn a_number_written_in_any_way_is_found_again_by_what_it_is(value in 1_i32..9_999, order in 0_usize..4) {
            let (_, name) = ORDERS[order];
            let float = value as f32 / 100.0;
            let [a, b, c, d] = float.to_bits().to_be_bytes();
            let pair = |a, b| u16::from_be_bytes([a, b]);
            let (first, second) = match name {
                "abcd" => (pair(a, b), pair(c, d)),
                "cdab" => (pair(c, d), pair(a, b)),
                "badc" => (pair(b, a), pair(d, c)),
                _ => (pair(d, c), pair(b, a)),
            };
            let all = guesses(first, second, Some(f64::from(float)));
            let wanted = format!("f32:{name}");
            prop_assert!(all.iter().any(|g| g.way == wanted && g.fits && g.value == f64::from(float)));
        }
    }
}
