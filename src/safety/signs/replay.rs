//! Values of an earlier time that come again. Noise does not repeat: the course of a value is cut into stretches where
//! its own shape says so, each stretch becomes a number, and two stretches in a row that were there before are a replay,
//! whenever it begins and however it is timed.

use super::window::bounded;
use crate::model::sign::{Knob, Settings};
use std::collections::VecDeque;

/// Stretches that are remembered, 512 bytes: about a day of a value that changes every two or three seconds. They are
/// evidence, and counted with the evidence window.
pub(super) const PRINTS: usize = 128;

/// Changes that a stretch holds at least.
const CHANGES_MIN: u16 = 64;

/// A stretch that does not find its end by then is cut, and not remembered: where it ends is chance.
const CHANGES_MAX: u16 = 4_096;

/// A stretch ends at one of so many shapes of its last changes.
const ONE_IN: u64 = 256;

/// Changes that make such a shape.
const SHAPE: usize = 8;

/// Changes that are no mere return to the value before: so many make chance repetition impossible.
const TURNS_MIN: u16 = 24;

/// The stretches of one point. 80 bytes without them.
#[derive(Clone, Debug, Default)]
pub(super) struct Replay {
    prints: VecDeque<u32>,
    /// The last changes, newest first.
    shape: [i32; SHAPE],
    hash: u64,
    changes: u16,
    turns: u16,
    /// Stretches in a row that were there before.
    again: u16,
    /// How many stretches back the one is that must come next.
    back: Option<u8>,
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn mix(hash: u64, value: i32) -> u64 {
    let z = (hash ^ u64::from(value.cast_unsigned())).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (z ^ (z >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

impl Replay {
    /// Takes in a value that is another than the last, in steps of the display; says how many stretches in a row came
    /// again, where a stretch ends.
    pub(super) fn changed(&mut self, value: f64, step: f64, settings: &Settings) -> Option<u16> {
        let steps = (value / step).round();
        if !steps.is_finite() || steps.abs() > 1e9 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the line before")]
        let steps = steps as i32;
        let [newest, before, ..] = self.shape;
        if steps == newest {
            return None;
        }
        self.turns = self.turns.saturating_add(u16::from(steps != before));
        self.changes = self.changes.saturating_add(1);
        self.hash = mix(if self.changes == 1 { SEED } else { self.hash }, steps);
        self.shape.rotate_right(1);
        self.shape[0] = steps;
        let anchor = self.shape.iter().fold(SEED, |hash, v| mix(hash, *v));
        let ends = self.changes >= CHANGES_MIN && (anchor >> 32).is_multiple_of(ONE_IN);
        if !ends && self.changes < CHANGES_MAX {
            return None;
        }
        let usable = ends && self.turns >= TURNS_MIN;
        (self.changes, self.turns) = (0, 0);
        if !usable {
            (self.again, self.back) = (0, None);
            return None;
        }
        self.ended(settings)
    }

    fn ended(&mut self, settings: &Settings) -> Option<u16> {
        let print = (self.hash >> 32) as u32;
        let from_end = |back: u8| self.prints.iter().rev().nth(usize::from(back)).copied();
        // With each stretch that is remembered, the old ones lie one further back: the next is just as far back.
        if self.back.is_some_and(|back| from_end(back) == Some(print)) {
            self.again = self.again.saturating_add(1);
        } else {
            self.back = (0..).zip(self.prints.iter().rev()).find(|(_, p)| **p == print).map(|(back, _)| back);
            self.again = u16::from(self.back.is_some());
        }
        bounded(&mut self.prints, print, PRINTS);
        (f64::from(self.again) >= settings.get(Knob::ReplayChunks)).then_some(self.again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A walk of noise with a seed of its own.
    fn walk(seed: u64, n: usize) -> Vec<f64> {
        let mut state = seed;
        let mut roll = || {
            state = mix(state, 77);
            f64::from(u32::try_from(state >> 40).unwrap()) / f64::from(1 << 24)
        };
        (0..n).map(|_| ((0.3 + (roll() + roll() - 1.0) * 0.05) * 100.0).round() / 100.0).collect()
    }

    fn feed(replay: &mut Replay, values: &[f64]) -> u16 {
        let settings = Settings::default();
        values.iter().filter_map(|v| replay.changed(*v, 0.01, &settings)).max().unwrap_or(0)
    }

    #[test]
    fn values_that_come_again_are_found_wherever_the_replay_begins() {
        let mut replay = Replay::default();
        let day = walk(1, 20_000);
        assert_eq!(feed(&mut replay, &day), 0);
        assert_eq!(feed(&mut replay, &walk(2, 777)), 0);
        assert!(feed(&mut replay, &day[5_123..12_000]) >= 2);
    }

    #[test]
    fn noise_does_not_repeat() {
        for seed in 0..20 {
            assert_eq!(feed(&mut Replay::default(), &walk(seed, 60_000)), 0, "{seed}");
        }
    }

    #[test]
    fn a_value_that_only_goes_to_and_fro_is_no_replay() {
        let toggles: Vec<f64> = (0..50_000).map(|n| if n % 2 == 0 { 0.1 } else { 0.11 }).collect();
        assert_eq!(feed(&mut Replay::default(), &toggles), 0);
    }
}
