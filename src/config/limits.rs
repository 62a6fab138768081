//! The eight numbers that a point can be held against, in a standard and in the site file alike: their order, and
//! whether one set is laxer than another.

use super::faults::{Fault, Faults};
use super::read::Row;
use crate::model::alarm::{Condition, Level};
use crate::model::point::Displayed;

/// Set-points of one point or of one row of a standard.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Levels {
    /// At or above: warning, alarm, trip.
    high: [Option<f64>; 3],
    /// At or below: warning, alarm, trip.
    low: [Option<f64>; 3],
    /// Return value of the most severe high level.
    reset: Option<f64>,
    /// Return value of the most severe low level.
    low_reset: Option<f64>,
}

const HIGH: [(&str, Level); 3] =
    [("warning", Level::Warning), ("alarm", Level::Alarm), ("trip", Level::Trip)];
const LOW: [(&str, Level); 3] =
    [("low_warning", Level::Warning), ("low_alarm", Level::Alarm), ("low_trip", Level::Trip)];

impl Levels {
    pub(super) fn read(row: &Row) -> Levels {
        Levels {
            high: HIGH.map(|(key, _)| row.number(key)),
            low: LOW.map(|(key, _)| row.number(key)),
            reset: row.number("reset"),
            low_reset: row.number("low_reset"),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.high.iter().chain(&self.low).all(Option::is_none)
    }

    /// `self`, and where it says nothing, `other`.
    pub(super) fn or(&self, other: &Levels) -> Levels {
        let or = |a: [Option<f64>; 3], b: [Option<f64>; 3]| {
            let mut pairs = a.into_iter().zip(b).map(|(a, b)| a.or(b));
            [pairs.next().flatten(), pairs.next().flatten(), pairs.next().flatten()]
        };
        let (high, low) = (or(self.high, other.high), or(self.low, other.low));
        // A set-point that is stricter than the standard's return value takes that value along.
        let top = high.into_iter().flatten().next_back().unwrap_or(f64::INFINITY);
        let bottom = low.into_iter().flatten().next_back().unwrap_or(f64::NEG_INFINITY);
        Levels {
            high,
            low,
            reset: self.reset.or(other.reset.map(|reset| reset.min(top))),
            low_reset: self.low_reset.or(other.low_reset.map(|reset| reset.max(bottom))),
        }
    }

    /// The keys at which `self` lets more pass than `standard`: reached later, or returning sooner; with both values.
    pub(super) fn laxer_than(&self, standard: &Levels) -> Vec<(&'static str, f64, f64)> {
        let highs = HIGH
            .into_iter()
            .zip(self.high.into_iter().zip(standard.high))
            .map(|((key, _), v)| (key, v, true));
        let lows =
            LOW.into_iter().zip(self.low.into_iter().zip(standard.low)).map(|((key, _), v)| (key, v, false));
        let resets = [
            ("reset", (self.reset, standard.reset), true),
            ("low_reset", (self.low_reset, standard.low_reset), false),
        ];
        let laxer = |(key, (mine, theirs), high): (&'static str, (Option<f64>, Option<f64>), bool)| {
            let (mine, theirs) = (mine?, theirs?);
            let laxer = if high { mine > theirs } else { mine < theirs };
            laxer.then_some((key, mine, theirs))
        };
        highs.chain(lows).chain(resets).filter_map(laxer).collect()
    }

    /// Every set-point with its key, condition and return value, least severe first.
    pub(super) fn all(&self) -> Vec<SetPoint> {
        let side =
            |keys: [(&'static str, Level); 3], values: [Option<f64>; 3], reset: Option<f64>, high: bool| {
                let mut found: Vec<SetPoint> = keys
                    .into_iter()
                    .zip(values)
                    .filter_map(|((key, level), set)| {
                        let condition = if high { Condition::High(level) } else { Condition::Low(level) };
                        set.map(|set| SetPoint { key, condition, level, high, set, reset: set })
                    })
                    .collect();
                if let (Some(last), Some(reset)) = (found.last_mut(), reset) {
                    last.reset = reset;
                }
                found
            };
        let mut all = side(LOW, self.low, self.low_reset, false);
        all.extend(side(HIGH, self.high, self.reset, true));
        all.sort_by_key(|s| s.level);
        all
    }
}

/// One set-point with what belongs to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SetPoint {
    pub(super) key: &'static str,
    pub(super) condition: Condition,
    pub(super) level: Level,
    pub(super) high: bool,
    pub(super) set: f64,
    pub(super) reset: f64,
}

impl SetPoint {
    /// Where its return value is written.
    pub(super) fn reset_key(&self) -> &'static str {
        if self.high { "reset" } else { "low_reset" }
    }
}

/// The order that set-points must have, held at the resolution of the display.
pub(super) fn check_order(levels: &Levels, decimals: u8, row: &Row, faults: &mut Faults) {
    let shown = |x: f64| Displayed::new(x, decimals);
    let all = levels.all();
    for high in [true, false] {
        let side: Vec<&SetPoint> = all.iter().filter(|s| s.high == high).collect();
        for (lesser, greater) in side.iter().zip(side.iter().skip(1)) {
            let (a, b) = (shown(lesser.set), shown(greater.set));
            if if high { b < a } else { b > a } {
                faults.push(out_of_order(lesser, greater, row));
            }
        }
        let Some(last) = side.last() else {
            let key = if high { "reset" } else { "low_reset" };
            if row.has(key) {
                let message = format!("`{key}` without a set-point that it resets");
                let help = format!(
                    "add {}, or leave `{key}` out",
                    if high { "alarm or trip" } else { "low_alarm or low_trip" }
                );
                faults.push(Fault::error("reset-of-nothing", row.at(key), message).help(help));
            }
            continue;
        };
        let (set, reset) = (shown(last.set), shown(last.reset));
        if if high { reset > set } else { reset < set } {
            faults.push(reset_beyond(last, row));
        }
    }
    crossed(&all, row, faults);
}

fn out_of_order(lesser: &SetPoint, greater: &SetPoint, row: &Row) -> Fault {
    let side = if lesser.high { "below" } else { "above" };
    let message = format!("{} {} lies {side} {} {}", greater.key, greater.set, lesser.key, lesser.set);
    let key = if row.has(greater.key) { greater.key } else { lesser.key };
    let rule = if lesser.high { "warning <= alarm <= trip" } else { "low_warning >= low_alarm >= low_trip" };
    let fault = Fault::error("set-point-order", row.at(key), message)
        .label(format!("{side} {}", if key == greater.key { lesser.key } else { greater.key }))
        .help(format!("keep {rule}; values not given here are the standard's"));
    match row.cell(lesser.key) {
        Some(cell) if key != lesser.key => fault.other(&cell.place, "the lesser level"),
        _ => fault,
    }
}

fn reset_beyond(last: &SetPoint, row: &Row) -> Fault {
    let side = if last.high { "above" } else { "below" };
    let message = format!("{} {} lies {side} {} {}", last.reset_key(), last.reset, last.key, last.set);
    let key = if row.has(last.reset_key()) { last.reset_key() } else { last.key };
    Fault::error("reset-order", row.at(key), message)
        .label(format!("{side} {}", last.key))
        .help("a reset value lies on the safe side of its set-point, or is equal to it")
}

fn crossed(all: &[SetPoint], row: &Row, faults: &mut Faults) {
    let lows = all.iter().filter(|s| !s.high).map(|s| s.set).fold(f64::NEG_INFINITY, f64::max);
    let Some(high) = all.iter().find(|s| s.high) else { return };
    if lows >= high.set {
        let message = format!("no value is normal: alarms at or below {lows} and at or above {}", high.set);
        faults.push(
            Fault::error("set-points-cross", row.at(high.key), message)
                .help("leave a gap between the low and the high set-points"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(high: [Option<f64>; 3], reset: Option<f64>) -> Levels {
        Levels { high, reset, ..Levels::default() }
    }

    #[test]
    fn what_a_site_does_not_say_is_the_standards() {
        let standard = levels([Some(0.8), Some(1.0), Some(1.5)], Some(1.0));
        let site = levels([None, Some(0.9), None], None);
        assert_eq!(site.or(&standard), levels([Some(0.8), Some(0.9), Some(1.5)], Some(1.0)));
        // A stricter trip can't return above itself.
        let site = levels([Some(0.3), Some(0.4), Some(0.5)], None);
        assert_eq!(site.or(&standard).reset, Some(0.5));
    }

    #[test]
    fn laxer_is_later_or_returning_sooner() {
        let standard = levels([None, Some(1.0), Some(1.5)], Some(1.0));
        assert_eq!(standard.laxer_than(&standard), []);
        let later = levels([None, Some(1.0), Some(1.6)], Some(1.0));
        assert_eq!(later.laxer_than(&standard), [("trip", 1.6, 1.5)]);
        let sooner = levels([None, Some(1.0), Some(1.5)], Some(1.4));
        assert_eq!(sooner.laxer_than(&standard), [("reset", 1.4, 1.0)]);
        let low = |x| Levels { low: [None, Some(x), None], ..Levels::default() };
        assert_eq!(low(2.0).laxer_than(&low(3.0)), [("low_alarm", 2.0, 3.0)]);
        assert_eq!(low(4.0).laxer_than(&low(3.0)), []);
    }

    #[test]
    fn the_reset_value_belongs_to_the_most_severe_level() {
        let all = levels([Some(0.8), Some(1.0), Some(1.5)], Some(1.0)).all();
        assert_eq!(
            all.iter().map(|s| (s.key, s.reset)).collect::<Vec<_>>(),
            [("warning", 0.8), ("alarm", 1.0), ("trip", 1.0)]
        );
        let all = levels([None, Some(24.0), None], Some(20.0)).all();
        assert_eq!(all.iter().map(|s| (s.key, s.reset)).collect::<Vec<_>>(), [("alarm", 20.0)]);
    }
}
