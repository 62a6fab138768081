//! Records: what happened, as it will be kept and told. A record names things by their keys, never by row number,
//! because it outlives the site file that it was made under. How it is written down is `record/`'s business.

use super::alarm::{AlarmCause, AlarmState, Aside, Colour};
use super::element::{Demand, ElementKind, Mode, Phase, Position};
use super::grade::GradeChange;
use super::incident::{IncidentChange, IncidentStanding, IncidentStep};
use super::permit::{Permit, PermitChange, PermitStep};
use super::point::{Quality, Reading, Tag, Text, Unit};
use super::time::{Now, Span, Wall};
use std::collections::BTreeMap;
use std::fmt;

/// Number of an entry in the journal, from 1, without gaps. With the gateway's id it names an event for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Seq {
        Seq(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something that happened, not yet written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When.
    pub at: Now,
    /// What.
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// The agent started.
    Started(Started),
    /// The agent ended in order.
    Ended {
        /// Why, in words.
        reason: String,
    },
    /// A site file was taken or refused while running.
    Config(ConfigChange),
    /// An alarm changed its state.
    Alarm(AlarmChange),
    /// A trip tripped or was reset.
    Trip(TripChange),
    /// An element's demand, obedience or position changed.
    Element(ElementChange),
    /// Somebody gave a command.
    Command(CommandDone),
    /// Something is wrong with Davy itself, or no longer is.
    Trouble(Trouble),
    /// Data that could not be kept.
    Gap(Gap),
    /// Alarms come so often, or stand so long, that they are a nuisance; or no longer.
    Nuisance(Nuisance),
    /// How many alarms there were.
    AlarmRates(AlarmRates),
    /// An overlimit incident opened, went on or closed.
    Incident(IncidentChange),
    /// An area changed its colour.
    Grade(GradeChange),
    /// A permit began or ended.
    Permit(PermitChange),
}

impl Body {
    /// The entry's kind, as written in the journal and in topics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Body::Started(_) => "started",
            Body::Ended { .. } => "ended",
            Body::Config(_) => "config",
            Body::Alarm(_) => "alarm",
            Body::Trip(_) => "trip",
            Body::Element(_) => "element",
            Body::Command(_) => "command",
            Body::Trouble(_) => "trouble",
            Body::Gap(_) => "gap",
            Body::Nuisance(_) => "nuisance",
            Body::AlarmRates(_) => "alarm-rates",
            Body::Incident(_) => "incident",
            Body::Grade(_) => "grade",
            Body::Permit(_) => "permit",
        }
    }
}

/// The agent started.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// Program version.
    pub version: String,
    /// Hash of the site file and all it draws in.
    pub config_hash: String,
    /// How the previous run ended, as far as the journal tells.
    pub previous_end: PreviousEnd,
}

/// How the previous run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreviousEnd {
    /// There was none.
    FirstStart,
    /// In order.
    Clean,
    /// Killed, crashed or without power: the journal has no end entry.
    Unclean,
}

impl PreviousEnd {
    /// As written in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PreviousEnd::FirstStart => "first-start",
            PreviousEnd::Clean => "clean",
            PreviousEnd::Unclean => "unclean",
        }
    }
}

/// A site file was taken or refused while running.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigChange {
    /// Hash in force before.
    pub old_hash: String,
    /// Hash in force now; the same as before where the file was refused.
    pub new_hash: String,
    /// Whether the file was taken.
    pub taken: bool,
    /// The differences, or the first fault, in words.
    pub detail: String,
}

/// An alarm changed its state.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmChange {
    /// The alarm's key, `tag:condition`.
    pub key: String,
    /// The area's id.
    pub area: String,
    /// Which occurrence of this alarm: 1 is the first ever.
    pub occurrence: u32,
    /// State before.
    pub from: AlarmState,
    /// State after.
    pub to: AlarmState,
    /// What moved it.
    pub cause: AlarmCause,
    /// Its colour.
    pub colour: Colour,
    /// Value that it was judged on, if there is one.
    pub value: Option<f64>,
    /// Highest (for low alarms lowest) value of this occurrence.
    pub peak: Option<f64>,
    /// Unit of value, peak and set-point.
    pub unit: Unit,
    /// Quality of the value.
    pub quality: Quality,
    /// The set-point.
    pub set_point: Option<f64>,
    /// What is wrong.
    pub text: Text,
    /// What to do.
    pub action: Text,
    /// Who moved it, where a person did.
    pub who: Option<Who>,
    /// How and why it is set aside, with the state that lies under that.
    pub aside: Option<(Aside, AlarmState)>,
}

/// Alarms that are a nuisance (`ISA-18.2` / `EEMUA 191`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nuisance {
    /// What kind.
    pub kind: NuisanceKind,
    /// The alarm's key; empty for a flood.
    pub key: String,
    /// It began (true) or is over (false).
    pub raised: bool,
    /// How many announcements, or for a stale alarm how many hours.
    pub count: u64,
    /// What this means.
    pub text: Text,
}

/// The kinds of nuisance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NuisanceKind {
    /// Ten and more in ten minutes, until there are fewer than five.
    Flood,
    /// One alarm three times in a minute.
    Chattering,
    /// One alarm active for more than a day.
    Stale,
}

impl NuisanceKind {
    /// All three.
    pub const ALL: [NuisanceKind; 3] = [NuisanceKind::Flood, NuisanceKind::Chattering, NuisanceKind::Stale];

    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            NuisanceKind::Flood => "flood",
            NuisanceKind::Chattering => "chattering",
            NuisanceKind::Stale => "stale",
        }
    }
}

/// How many alarms were announced: the figures of `EEMUA 191`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AlarmRates {
    /// In the last ten minutes.
    pub ten_minutes: u64,
    /// In the last hour.
    pub hour: u64,
    /// In the last day.
    pub day: u64,
    /// The most in any ten minutes of the last day, counted from the start of each.
    pub worst_ten_minutes: u64,
}

/// A trip tripped or was reset.
#[derive(Clone, Debug, PartialEq)]
pub struct TripChange {
    /// The trip's id.
    pub tag: String,
    /// The area's id.
    pub area: String,
    /// Which occurrence.
    pub occurrence: u32,
    /// Tripped (true) or reset (false).
    pub tripped: bool,
    /// The cause that was true first.
    pub first_out: Option<String>,
    /// Every cause that counts now: alarm keys, with `(bad)` behind those that count because they are not known.
    pub causes: Vec<String>,
    /// Ids of the elements it acts on.
    pub effects: Vec<String>,
    /// Its name.
    pub text: Text,
    /// Who reset it.
    pub who: Option<Who>,
}

/// An element's demand, obedience or position changed.
#[derive(Clone, Debug, PartialEq)]
pub struct ElementChange {
    /// The element's id.
    pub tag: String,
    /// The area's id.
    pub area: String,
    /// What it is.
    pub kind: ElementKind,
    /// Whether Davy may write. In `observe` a demand is what Davy would have written.
    pub mode: Mode,
    /// What is demanded.
    pub demand: Demand,
    /// How far the demand has come.
    pub phase: Phase,
    /// Where its feedback says it is.
    pub position: Position,
    /// Time since the demand.
    pub elapsed: Option<Span>,
    /// Ids of the trips that demand it.
    pub trips: Vec<String>,
    /// What this means.
    pub text: Text,
}

/// Somebody gave a command.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandDone {
    /// Who and how.
    pub who: Who,
    /// What was asked, as `ack bottle-room.lpg-1:trip`.
    pub command: String,
    /// `None` where it was done; the reasons where it was refused.
    pub refused: Option<Vec<Text>>,
}

/// A person and the way they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Name as given or as the system knows it.
    pub name: String,
    /// How the command came in: `local` for the socket on the gateway.
    pub via: String,
}

/// Something is wrong with Davy itself, or no longer is.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// What kind, as `journal-write`; with `detail` empty it is unique among standing troubles.
    pub code: &'static str,
    /// Which one, as a destination's id; empty where there is only one.
    pub detail: String,
    /// Raised (true) or over (false).
    pub raised: bool,
    /// What happened and what to do.
    pub text: Text,
}

/// Data that could not be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// What is missing: `telemetry` or `events`.
    pub lane: Lane,
    /// From when.
    pub from: Wall,
    /// Until when.
    pub to: Wall,
    /// How many items.
    pub count: u64,
    /// Why.
    pub reason: String,
}

/// The two kinds of things told. Events never wait behind telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Entries of the journal.
    Event,
    /// Values.
    Telemetry,
}

impl Lane {
    /// As written in topics and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Lane::Event => "event",
            Lane::Telemetry => "telemetry",
        }
    }
}

/// One value to be told as telemetry.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Whose value: by name, because row numbers change under a new site file while samples wait.
    pub point: Tag,
    /// The value with its quality.
    pub reading: Reading,
    /// When it was read.
    pub wall: Wall,
}

/// What must survive a restart: the state of every alarm and trip, folded out of the journal.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Standing {
    /// By alarm key.
    pub alarms: BTreeMap<String, AlarmStanding>,
    /// By trip id.
    pub trips: BTreeMap<String, TripStanding>,
    /// By area id: its incidents.
    pub incidents: BTreeMap<String, IncidentStanding>,
    /// By area id: the colour that was told last.
    pub grades: BTreeMap<String, Colour>,
    /// By key: the permits that run.
    pub permits: BTreeMap<String, Permit>,
}

/// Where an alarm stood.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlarmStanding {
    /// Its last occurrence.
    pub occurrence: u32,
    /// Its last state, under what sets it aside.
    pub state: AlarmState,
    /// When it came into this state.
    pub since: Wall,
    /// How and why it was set aside.
    pub aside: Option<Aside>,
    /// When it last occurred.
    pub occurred: Wall,
    /// The worst value of that occurrence, as far as it was told.
    pub peak: Option<f64>,
}

/// Where a trip stood.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TripStanding {
    /// Its last occurrence.
    pub occurrence: u32,
    /// Whether it is tripped.
    pub tripped: bool,
    /// The cause that was true first.
    pub first_out: Option<String>,
}

impl Standing {
    /// Takes in what `record` changes.
    pub fn apply(&mut self, record: &Record) {
        match &record.body {
            Body::Alarm(a) => {
                let (state, aside) = match &a.aside {
                    Some((aside, under)) => (*under, Some(aside.clone())),
                    None => (a.to, None),
                };
                let (since, is_new) = (record.at.wall, a.cause == AlarmCause::Occurred);
                let standing = self.alarms.entry(a.key.clone()).or_default();
                let occurred = if is_new { since } else { standing.occurred };
                let peak = a.peak.filter(|peak| peak.is_finite());
                *standing = AlarmStanding { occurrence: a.occurrence, state, since, aside, occurred, peak };
            }
            Body::Trip(t) => {
                let standing = TripStanding {
                    occurrence: t.occurrence,
                    tripped: t.tripped,
                    first_out: t.first_out.clone(),
                };
                self.trips.insert(t.tag.clone(), standing);
            }
            Body::Incident(change) => self.apply_incident(change),
            Body::Grade(change) => {
                self.grades.insert(change.area.clone(), change.grade.colour);
            }
            Body::Permit(change) => match change.step {
                PermitStep::Started => {
                    self.permits.insert(change.permit.key(), change.permit.clone());
                }
                PermitStep::Ended | PermitStep::Expired => {
                    self.permits.remove(&change.permit.key());
                }
            },
            Body::Started(_)
            | Body::Ended { .. }
            | Body::Config(_)
            | Body::Element(_)
            | Body::Command(_)
            | Body::Trouble(_)
            | Body::Gap(_)
            | Body::Nuisance(_)
            | Body::AlarmRates(_) => {}
        }
    }

    fn apply_incident(&mut self, change: &IncidentChange) {
        let open = match change.step {
            IncidentStep::Opened | IncidentStep::Updated => Some(change.incident.clone()),
            IncidentStep::Closed => None,
        };
        let standing = IncidentStanding { number: change.incident.number, open };
        self.incidents.insert(change.incident.area.clone(), standing);
        for (key, peak) in &change.peaks {
            if let Some(alarm) = self.alarms.get_mut(key) {
                alarm.peak = Some(*peak);
            }
        }
    }
}
