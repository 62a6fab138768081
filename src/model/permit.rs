//! Permits: set-points that are tighter for a while, for work that makes less gas dangerous.

use super::alarm::{Condition, Level};
use super::point::Text;
use super::record::Who;
use super::time::Wall;

/// A permit that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Permit {
    /// The id of the area or point.
    pub place: String,
    /// For what work.
    pub kind: PermitKind,
    /// Who gave it.
    pub by: String,
    /// The second person, where one is named.
    pub second: Option<String>,
    /// For how many minutes: a clock that is set back does not prolong it.
    pub minutes: u32,
    /// When it ends by itself.
    pub until: Wall,
    /// By how much.
    pub tighten: Tightening,
}

impl Permit {
    /// Longest permit, in minutes: a shift.
    pub const MINUTES_MAX: u32 = 480;

    /// Names it among those that run: there is one of a kind at a place.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}:{}", self.place, self.kind.as_str())
    }
}

/// A permit that the site file gives for a day to come.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// When it begins.
    pub from: Wall,
    /// What begins then.
    pub permit: Permit,
}

impl Planned {
    /// Whether its time is now.
    #[must_use]
    pub fn is_due(&self, now: Wall) -> bool {
        self.from <= now && now < self.permit.until
    }
}

/// What a permit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PermitKind {
    /// 动火: flames and sparks.
    HotWork,
    /// 受限空间: people in a vessel, pit or blind heading.
    ConfinedSpace,
}

impl PermitKind {
    /// Both.
    pub const ALL: [PermitKind; 2] = [PermitKind::HotWork, PermitKind::ConfinedSpace];

    /// As written on command lines, in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PermitKind::HotWork => "hot-work",
            PermitKind::ConfinedSpace => "confined-space",
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            PermitKind::HotWork => ("动火作业", "hot work"),
            PermitKind::ConfinedSpace => ("受限空间作业", "confined space work"),
        }
    }

    /// The kind written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<PermitKind> {
        PermitKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What becomes of the set-points of gas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tightening {
    /// So many percent of what the site file says, for gas that is dangerous when there is much of it. What is dangerous
    /// when there is little, as oxygen, stays as it is: a percentage of that says nothing.
    Percent(u8),
    /// These.
    SetPoints(SetPoints),
}

/// Set-points that go for a while, where they are given, in the unit of the point.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct SetPoints {
    /// At or above: early warning.
    pub warning: Option<f64>,
    /// At or above: alarm.
    pub alarm: Option<f64>,
    /// At or above: trip.
    pub trip: Option<f64>,
    /// At or below: early warning.
    pub low_warning: Option<f64>,
    /// At or below: alarm.
    pub low_alarm: Option<f64>,
    /// At or below: trip.
    pub low_trip: Option<f64>,
}

impl SetPoints {
    /// Out of what `number` says for each key, as `low_alarm`.
    pub fn read(number: impl Fn(&'static str) -> Option<f64>) -> SetPoints {
        SetPoints {
            warning: number("warning"),
            alarm: number("alarm"),
            trip: number("trip"),
            low_warning: number("low_warning"),
            low_alarm: number("low_alarm"),
            low_trip: number("low_trip"),
        }
    }

    /// Each by its key, with the condition that it is a set-point of; the low ones last.
    #[must_use]
    pub const fn entries(&self) -> [(&'static str, Condition, Option<f64>); 6] {
        [
            ("warning", Condition::High(Level::Warning), self.warning),
            ("alarm", Condition::High(Level::Alarm), self.alarm),
            ("trip", Condition::High(Level::Trip), self.trip),
            ("low_warning", Condition::Low(Level::Warning), self.low_warning),
            ("low_alarm", Condition::Low(Level::Alarm), self.low_alarm),
            ("low_trip", Condition::Low(Level::Trip), self.low_trip),
        ]
    }

    /// What is given for a condition.
    #[must_use]
    pub fn of(&self, condition: Condition) -> Option<f64> {
        self.entries().into_iter().find(|(_, of, _)| *of == condition).and_then(|(_, _, given)| given)
    }
}

impl Tightening {
    /// As a person would type it.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Tightening::Percent(percent) => format!("--percent {percent}"),
            Tightening::SetPoints(set_points) => {
                let option = |(key, _, value): (&str, _, Option<f64>)| {
                    Some(format!("--{} {}", key.replace('_', "-"), value?))
                };
                set_points.entries().into_iter().filter_map(option).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// A permit began or ended.
#[derive(Clone, Debug, PartialEq)]
pub struct PermitChange {
    /// Which.
    pub permit: Permit,
    /// The id of the area that it is in; empty where the site file no longer has the place.
    pub area: String,
    /// Whether it began, or how it ended.
    pub step: PermitStep,
    /// The set-points from now on of the alarms that it is about, by key.
    pub set_points: Vec<(String, f64)>,
    /// Who began or ended it; `None` where it ended by itself.
    pub who: Option<Who>,
    /// What this means.
    pub text: Text,
}

/// What a permit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermitStep {
    /// It began.
    Started,
    /// A person ended it.
    Ended,
    /// Its time is over.
    Expired,
}

impl PermitStep {
    /// Every step.
    pub const ALL: [PermitStep; 3] = [PermitStep::Started, PermitStep::Ended, PermitStep::Expired];

    /// The step written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<PermitStep> {
        PermitStep::ALL.into_iter().find(|step| step.as_str() == text)
    }

    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PermitStep::Started => "started",
            PermitStep::Ended => "ended",
            PermitStep::Expired => "expired",
        }
    }
}
