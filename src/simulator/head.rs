//! What a gas head shows of the air before it: late, with noise, from a zero that moves, and, where it is catalytic, less
//! of what is more than it can bear.

use crate::model::alarm::Condition;
use crate::model::plan::{Plan, Point};
use crate::model::point::Unit;
use crate::model::table::PointId;
use crate::model::time::Span;

/// What data sheets call T90, of a head of which nobody has said it.
const T90: Span = Span::from_secs(10);

/// The logarithm of ten: T90 is so many time constants.
const PER_TENTH: f64 = std::f64::consts::LN_10;

/// A catalytic head loses so much for each part that there is above its range.
const FOLDS: f64 = 0.6;

/// A low set-point is passed by this much in a plant that is well.
const ABOVE_LOW: f64 = 1.3;

/// The current of a loop that measures nothing, in mA.
const LOOP_AT_REST: f64 = 4.0;

/// A head.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// What it sees of its room, in its unit.
    seen: f64,
    /// How far its zero has moved.
    zero: f64,
    /// How far that goes in an hour.
    pub(super) drift: f64,
    /// Standard deviation of its noise.
    pub(super) noise: f64,
    hiss: f64,
    /// After this it has shown nine tenths of a step.
    pub(super) t90: Span,
}

impl Head {
    pub(super) const fn new() -> Head {
        Head { seen: 0.0, zero: 0.0, drift: 0.0, noise: 0.0, hiss: 0.0, t90: T90 }
    }

    /// Lets time go by before `share` of gas in its unit.
    pub(super) fn step(&mut self, over: Span, share: f64, hiss: Option<f64>) {
        let left = (-PER_TENTH * over.minutes() / self.t90.minutes()).exp();
        self.seen = share + (self.seen - share) * left;
        self.zero += self.drift * over.minutes() / 60.0;
        self.hiss = hiss.unwrap_or(self.hiss);
    }

    /// What it shows, where `beside` is what its point measures apart from its room.
    pub(super) fn shows(&self, beside: f64, range: Option<(f64, f64)>, catalytic: bool) -> f64 {
        let there = beside + self.seen;
        let folded = match range {
            Some((lo, hi)) if catalytic && there > hi => (hi - (there - hi) * FOLDS).max(lo),
            Some(_) | None => there,
        };
        folded + self.zero + self.noise * self.hiss
    }
}

/// A share of the air in percent by volume, in the unit of `point`.
pub(super) fn in_its_unit(share: f64, point: &Point) -> f64 {
    match (point.unit, point.gas.as_ref().and_then(|gas| gas.lel_pct_vol)) {
        (Unit::Ppm, _) => share * 1e4,
        (Unit::PctLel, Some(lel)) if lel > 0.0 => share / lel * 100.0,
        _ => share,
    }
}

/// What a point reads when all is well: what it must be where that is stated, a contact out of its alarm position, more
/// than its low set-points, and otherwise nothing.
pub(super) fn at_rest(plan: &Plan, id: PointId) -> f64 {
    let point = &plan.points[id];
    let within = |value: f64| point.field.range.map_or(value, |(lo, hi)| value.max(lo).min(hi));
    // A loop of which nobody has said what it stands for is at its lower end.
    let nothing = if point.unit == Unit::MilliAmpere { LOOP_AT_REST } else { 0.0 };
    let mut value = within(nothing);
    for alarm in point.alarms.iter().map(|id| &plan.alarms[*id]) {
        let Some(limit) = alarm.limit else { continue };
        if alarm.condition == Condition::Differs {
            return limit.set;
        }
        if matches!(alarm.condition, Condition::Contact(_)) {
            return limit.reset;
        }
        if matches!(alarm.condition, Condition::Low(_)) {
            value = within(value.max(limit.set.max(limit.reset) * ABOVE_LOW));
        }
    }
    value
}
