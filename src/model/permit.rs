//! Permits: set-points that are tighter for a while, for work that makes less gas dangerous.

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

/// What becomes of the set-points of gas that is dangerous when there is much of it. Those of gas that is dangerous when
/// there is little, as oxygen, stay as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tightening {
    /// So many percent of what the site file says.
    Percent(u8),
    /// These, where they are given, in the unit of the point.
    SetPoints {
        /// At or above: early warning.
        warning: Option<f64>,
        /// At or above: alarm.
        alarm: Option<f64>,
        /// At or above: trip.
        trip: Option<f64>,
    },
}

impl Tightening {
    /// As a person would type it.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Tightening::Percent(percent) => format!("--percent {percent}"),
            Tightening::SetPoints { warning, alarm, trip } => {
                let given = [("--warning", warning), ("--alarm", alarm), ("--trip", trip)];
                let given = given.into_iter().filter_map(|(key, value)| Some(format!("{key} {}", value?)));
                given.collect::<Vec<_>>().join(" ")
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
