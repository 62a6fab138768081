//! What one reading says of one alarm's condition. Three-valued: what is not known is neither clear nor a breach.

use crate::model::alarm::{Basis, Condition, Level};
use crate::model::plan::Limit;
use crate::model::point::{Displayed, Doubt, Fault, Quality, Reading};

/// What is known of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Verdict {
    /// It does not hold.
    Clear,
    /// It holds.
    Breach,
    /// Nobody can say. Never counts as clear.
    #[default]
    Unknown,
}

/// Judges a point's condition. `held` says whether its alarm is raised: between set-point and reset value that stays what
/// it was. While an alarm's delay runs only the set-point itself counts.
pub(crate) fn judge_point(
    condition: Condition,
    limit: Option<Limit>,
    decimals: u8,
    reading: &Reading,
    held: bool,
) -> Verdict {
    match condition.basis() {
        Basis::Above => high(limit, decimals, reading, held),
        Basis::Below => low(limit, decimals, reading, held),
        Basis::Contact => contact(limit, reading),
        Basis::Sensor => sensor_fault(reading.quality),
        Basis::Range => over_range(reading.quality),
        Basis::Expected => differs(limit, decimals, reading),
        // Judged where what it is about is known.
        Basis::More => Verdict::Unknown,
    }
}

fn high(limit: Option<Limit>, decimals: u8, reading: &Reading, held: bool) -> Verdict {
    match reading.quality {
        Quality::Good => match sides(limit, decimals, reading) {
            None => Verdict::Unknown,
            Some((value, set, _)) if value >= set => Verdict::Breach,
            Some((value, _, reset)) => returned(value < reset, held),
        },
        // At least as high as the sensor can say, whatever it shows.
        Quality::Uncertain(Doubt::OverRange) => Verdict::Breach,
        // Not yet believed when it says safe, believed when it says danger.
        Quality::Uncertain(Doubt::Unconfirmed) => match sides(limit, decimals, reading) {
            Some((value, set, _)) if value >= set => Verdict::Breach,
            Some(_) | None => Verdict::Unknown,
        },
        Quality::Uncertain(Doubt::WarmUp | Doubt::Calibrating | Doubt::Inhibited | Doubt::UnderRange)
        | Quality::Bad(_) => Verdict::Unknown,
    }
}

fn low(limit: Option<Limit>, decimals: u8, reading: &Reading, held: bool) -> Verdict {
    match reading.quality {
        Quality::Good => match sides(limit, decimals, reading) {
            None => Verdict::Unknown,
            Some((value, set, _)) if value <= set => Verdict::Breach,
            Some((value, _, reset)) => returned(value > reset, held),
        },
        Quality::Uncertain(Doubt::UnderRange) => Verdict::Breach,
        Quality::Uncertain(Doubt::Unconfirmed) => match sides(limit, decimals, reading) {
            Some((value, set, _)) if value <= set => Verdict::Breach,
            Some(_) | None => Verdict::Unknown,
        },
        Quality::Uncertain(Doubt::WarmUp | Doubt::Calibrating | Doubt::Inhibited | Doubt::OverRange)
        | Quality::Bad(_) => Verdict::Unknown,
    }
}

fn returned(beyond_reset: bool, held: bool) -> Verdict {
    if beyond_reset || !held { Verdict::Clear } else { Verdict::Breach }
}

/// Value, set-point and reset value as the instrument displays them.
fn sides(limit: Option<Limit>, decimals: u8, reading: &Reading) -> Option<(Displayed, Displayed, Displayed)> {
    let limit = limit?;
    Some((
        Displayed::new(reading.value?, decimals)?,
        Displayed::new(limit.set, decimals)?,
        Displayed::new(limit.reset, decimals)?,
    ))
}

fn contact(limit: Option<Limit>, reading: &Reading) -> Verdict {
    match (reading.quality, reading.value, limit) {
        (Quality::Good, Some(value), Some(limit)) => {
            if (value > 0.5) == (limit.set > 0.5) {
                Verdict::Breach
            } else {
                Verdict::Clear
            }
        }
        (_, _, _) => Verdict::Unknown,
    }
}

fn sensor_fault(quality: Quality) -> Verdict {
    match quality {
        Quality::Good | Quality::Uncertain(_) => Verdict::Clear,
        // The device is silent; of its sensor nothing is known.
        Quality::Bad(Fault::NotHeard | Fault::CommLost | Fault::Stale) => Verdict::Unknown,
        Quality::Bad(
            Fault::SensorFault
            | Fault::OutOfService
            | Fault::Implausible
            | Fault::UnknownStatus
            | Fault::Refused
            | Fault::WrongUnit
            | Fault::WireBroken
            | Fault::NoHeartbeat,
        ) => Verdict::Breach,
    }
}

fn over_range(quality: Quality) -> Verdict {
    match quality {
        Quality::Uncertain(Doubt::OverRange) => Verdict::Breach,
        Quality::Good | Quality::Uncertain(Doubt::UnderRange) => Verdict::Clear,
        Quality::Uncertain(Doubt::WarmUp | Doubt::Calibrating | Doubt::Inhibited | Doubt::Unconfirmed)
        | Quality::Bad(_) => Verdict::Unknown,
    }
}

/// Judges how fast a value rises. A forecast asks when it reaches `goal`, its alarm set-point, in minutes; once it is
/// there the alarm itself speaks.
pub(crate) fn judge_trend(
    condition: Condition,
    limit: Option<Limit>,
    slope: Option<f64>,
    goal: Option<f64>,
    reading: &Reading,
    held: bool,
) -> Verdict {
    let (Quality::Good, Some(value), Some(slope), Some(limit)) =
        (reading.quality, reading.value, slope, limit)
    else {
        return Verdict::Unknown;
    };
    if condition == Condition::Rising {
        return if slope >= limit.set { Verdict::Breach } else { returned(slope < limit.reset, held) };
    }
    let Some(goal) = goal else { return Verdict::Unknown };
    let ahead = |minutes: f64| slope > 0.0 && value + slope * minutes >= goal;
    if ahead(limit.set) { Verdict::Breach } else { returned(!ahead(limit.reset), held) }
}

/// Whether an alarm of this condition is what a forecast looks ahead to.
pub(crate) fn is_forecast_of(condition: Condition) -> bool {
    matches!(condition, Condition::High(Level::Alarm | Level::Trip))
}

/// Judges whether two points that measure the same agree.
pub(crate) fn judge_deviation(limit: Option<Limit>, one: &Reading, other: &Reading, held: bool) -> Verdict {
    let good = |r: &Reading| (r.quality == Quality::Good).then_some(r.value).flatten();
    let (Some(one), Some(other), Some(limit)) = (good(one), good(other), limit) else {
        return Verdict::Unknown;
    };
    let apart = (one - other).abs();
    if apart >= limit.set { Verdict::Breach } else { returned(apart < limit.reset, held) }
}

/// A value that must be what the site file says: a set-point or an identity read back from the device.
fn differs(limit: Option<Limit>, decimals: u8, reading: &Reading) -> Verdict {
    match (reading.quality, sides(limit, decimals, reading)) {
        (Quality::Good, Some((value, set, _))) if value != set => Verdict::Breach,
        (Quality::Good, Some(_)) => Verdict::Clear,
        (_, _) => Verdict::Unknown,
    }
}

/// Whether a reading proves that a cause is on the safe side of its reset value: what a reset asks for.
pub(crate) fn proves_safe(
    condition: Condition,
    limit: Option<Limit>,
    decimals: u8,
    reading: &Reading,
) -> bool {
    reading.quality == Quality::Good
        && match condition.basis() {
            Basis::Above => sides(limit, decimals, reading).is_some_and(|(value, _, reset)| value < reset),
            Basis::Below => sides(limit, decimals, reading).is_some_and(|(value, _, reset)| value > reset),
            Basis::Contact => contact(limit, reading) == Verdict::Clear,
            Basis::Expected => differs(limit, decimals, reading) == Verdict::Clear,
            Basis::Sensor | Basis::Range | Basis::More => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alarm::Level;
    use crate::model::time::Mono;
    use proptest::prelude::*;

    const LIMIT: Option<Limit> = Some(Limit { set: 1.0, reset: 0.8 });

    fn reading(value: f64, quality: Quality) -> Reading {
        Reading { value: Some(value), quality, at: Mono::START }
    }

    fn judge(value: f64, quality: Quality, held: bool) -> Verdict {
        judge_point(Condition::High(Level::Alarm), LIMIT, 2, &reading(value, quality), held)
    }

    #[test]
    fn a_displayed_1_00_alarms_at_1_00() {
        assert_eq!(judge(1.0, Quality::Good, false), Verdict::Breach);
        assert_eq!(judge(0.999_999_94, Quality::Good, false), Verdict::Breach);
        assert_eq!(judge(0.99, Quality::Good, false), Verdict::Clear);
    }

    #[test]
    fn between_set_point_and_reset_value_it_stays_what_it_was() {
        assert_eq!(judge(0.9, Quality::Good, true), Verdict::Breach);
        assert_eq!(judge(0.9, Quality::Good, false), Verdict::Clear);
        assert_eq!(judge(0.8, Quality::Good, true), Verdict::Breach, "clear strictly below the reset value");
        assert_eq!(judge(0.79, Quality::Good, true), Verdict::Clear);
    }

    #[test]
    fn over_range_counts_as_high_even_where_the_value_folds_back() {
        assert_eq!(judge(0.1, Quality::Uncertain(Doubt::OverRange), false), Verdict::Breach);
    }

    #[test]
    fn an_unconfirmed_value_is_believed_when_it_says_danger_only() {
        assert_eq!(judge(1.2, Quality::Uncertain(Doubt::Unconfirmed), false), Verdict::Breach);
        assert_eq!(judge(0.1, Quality::Uncertain(Doubt::Unconfirmed), true), Verdict::Unknown);
    }

    #[test]
    fn low_alarms_mirror_high_ones() {
        let limit = Some(Limit { set: 19.5, reset: 20.0 });
        let low =
            |v, held| judge_point(Condition::Low(Level::Alarm), limit, 1, &reading(v, Quality::Good), held);
        assert_eq!(low(19.5, false), Verdict::Breach);
        assert_eq!(low(19.8, true), Verdict::Breach);
        assert_eq!(low(19.8, false), Verdict::Clear);
        assert_eq!(low(20.1, true), Verdict::Clear);
    }

    fn any_quality() -> impl Strategy<Value = Quality> {
        prop::sample::select(&Quality::ALL[..])
    }

    proptest! {
        #[test]
        fn only_a_good_reading_ever_clears_a_gas_alarm_or_proves_safety(
            value in prop::option::of(-10.0f64..200.0), quality in any_quality(), held: bool,
        ) {
            let reading = Reading { value, quality, at: Mono::START };
            for condition in [Condition::High(Level::Trip), Condition::Low(Level::Trip), Condition::Contact(Level::Trip)] {
                let verdict = judge_point(condition, LIMIT, 2, &reading, held);
                prop_assert!(verdict != Verdict::Clear || quality == Quality::Good);
                prop_assert!(!proves_safe(condition, LIMIT, 2, &reading) || quality == Quality::Good);
                prop_assert!(!proves_safe(condition, LIMIT, 2, &reading) || verdict == Verdict::Clear);
            }
        }
    }
}
