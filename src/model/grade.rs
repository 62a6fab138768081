//! Graded alarms: the colour of an area by concentration, duration and extent.

use super::alarm::Colour;
use super::point::Text;
use super::time::Span;

/// How areas are graded. On top of every alarm's own colour; an area's inherent risk lies below all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Grading {
    /// Orange: a gas point at or above its alarm for longer than this.
    pub orange_after: Option<Span>,
    /// Orange: so many gas points of one area at or above their alarm.
    pub orange_points: Option<usize>,
    /// Red: a combustible gas at or above so much, percent by volume.
    pub red_pct_vol: Option<f64>,
    /// Red: gas points at or above their alarm in so many areas.
    pub red_areas: Option<usize>,
    /// Red: a gas point at or above its trip for longer than this.
    pub red_after: Option<Span>,
}

impl Default for Grading {
    /// No national numbers exist; these are what the field proposes.
    fn default() -> Grading {
        Grading {
            orange_after: Some(Span::from_secs(600)),
            orange_points: Some(2),
            red_pct_vol: Some(3.0),
            red_areas: Some(2),
            red_after: Some(Span::from_secs(1_800)),
        }
    }
}

/// What makes an area as bad as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GradeRule {
    /// Its inherent risk.
    Risk,
    /// An alarm's own colour.
    Alarm,
    /// At or above the alarm for long.
    Lasting,
    /// Several points at or above the alarm.
    Points,
    /// A concentration near the explosive range.
    Concentration,
    /// At or above the trip, and what was cut is not seen cut.
    NotConfirmed,
    /// Several areas at or above the alarm.
    Areas,
    /// At or above the trip for long.
    TripLasting,
}

impl GradeRule {
    /// Every rule.
    pub const ALL: [GradeRule; 8] = [
        GradeRule::Risk,
        GradeRule::Alarm,
        GradeRule::Lasting,
        GradeRule::Points,
        GradeRule::Concentration,
        GradeRule::NotConfirmed,
        GradeRule::Areas,
        GradeRule::TripLasting,
    ];

    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            GradeRule::Risk => "risk",
            GradeRule::Alarm => "alarm",
            GradeRule::Lasting => "lasting",
            GradeRule::Points => "points",
            GradeRule::Concentration => "concentration",
            GradeRule::NotConfirmed => "not-confirmed",
            GradeRule::Areas => "areas",
            GradeRule::TripLasting => "trip-lasting",
        }
    }
}

/// One reason for a colour.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The rule.
    pub rule: GradeRule,
    /// The alarm or element that it looked at; empty for a count.
    pub key: String,
    /// What it found: a concentration, a count, minutes.
    pub value: Option<f64>,
    /// What it was held against.
    pub limit: Option<f64>,
}

/// The colour of an area, with what makes it so.
#[derive(Clone, Debug, PartialEq)]
pub struct Grade {
    /// The colour.
    pub colour: Colour,
    /// The reasons for just this colour, at most [`Grade::REASONS_MAX`].
    pub why: Vec<Reason>,
}

impl Grade {
    /// Most reasons that are given.
    pub const REASONS_MAX: usize = 8;
}

/// An area changed its colour.
#[derive(Clone, Debug, PartialEq)]
pub struct GradeChange {
    /// The area's id.
    pub area: String,
    /// The colour before.
    pub from: Colour,
    /// The colour now, and why.
    pub grade: Grade,
    /// What this means.
    pub text: Text,
}
