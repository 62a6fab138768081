//! Records: what happened, as it will be kept and told. A record names things by their keys, never by row number,
//! because it outlives the site file that it was made under. How it is written down is `record/`'s business.

mod standing;

pub use standing::{
    AlarmStanding, BypassStanding, BypassedStanding, CalibrationStanding, Standing, TestStanding,
    TripStanding,
};

use super::alarm::{AlarmCause, AlarmState, Aside, Colour};
use super::element::{Demand, ElementKind, Mode, Phase, Position, TestKind, TestResult};
use super::grade::GradeChange;
use super::incident::IncidentChange;
use super::permit::PermitChange;
use super::point::{Quality, Reading, Tag, Text, Unit};
use super::sign::{Anomaly, CalibrationChange};
use super::time::{Now, Span, Wall};
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
    /// A cause was taken out of the votes, or put back.
    Bypass(BypassChange),
    /// A sign that data may be false was seen, or is over.
    Anomaly(Anomaly),
    /// A calibration began or ended.
    Calibration(CalibrationChange),
    /// A proof test is over.
    ProofTest(ProofTestDone),
    /// An overlimit incident opened, went on or closed.
    Incident(IncidentChange),
    /// An area changed its colour.
    Grade(GradeChange),
    /// A permit began or ended.
    Permit(PermitChange),
    /// A proof test began.
    ProofTestBegun(ProofTestBegun),
    /// A device said for the first time who it is, or is another one.
    Identity(IdentitySeen),
    /// A device refused a write, or took it after all.
    Write(WriteChange),
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
            Body::Bypass(_) => "bypass",
            Body::Anomaly(_) => "anomaly",
            Body::Calibration(_) => "calibration",
            Body::ProofTest(_) => "proof-test",
            Body::Incident(_) => "incident",
            Body::Grade(_) => "grade",
            Body::Permit(_) => "permit",
            Body::ProofTestBegun(_) => "proof-test-begun",
            Body::Identity(_) => "identity",
            Body::Write(_) => "write",
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
    /// The area's id; empty where the site file no longer has the alarm.
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
    /// It is escalated, or was until this change.
    pub escalated: bool,
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
    /// The area's id; empty where the site file no longer has the trip.
    pub area: String,
    /// Which occurrence.
    pub occurrence: u32,
    /// Tripped (true), or reset or no longer in the site file (false).
    pub tripped: bool,
    /// The cause that was true first.
    pub first_out: Option<String>,
    /// Every cause that counts now: alarm keys, with `(bad)` behind those that count because they are not known.
    pub causes: Vec<String>,
    /// Ids of the elements it acts on; of one that has gone those that are held until a person resets them.
    pub effects: Vec<String>,
    /// Its name.
    pub text: Text,
    /// Who reset it; `None` where it has gone with the site file that had it.
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
    /// From the command to leaving its unsafe end, as far as that was seen.
    pub dead: Option<Span>,
    /// From the command to its safe end.
    pub travel: Option<Span>,
    /// Writes of this demand that failed so far.
    pub attempts: u32,
    /// The element that is demanded because this one failed.
    pub backup: Option<String>,
}

/// A device said for the first time who it is, or is another one than before.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentitySeen {
    /// The point that tells it.
    pub point: String,
    /// The area's id.
    pub area: String,
    /// What it says.
    pub value: f64,
    /// What it said before; `None` where it was never heard.
    pub before: Option<f64>,
    /// What happened, in words.
    pub text: Text,
}

/// A device refused a write, or took it after all. One record for each kind of refusal, and each hour that it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteChange {
    /// The element's id; the device's, where it is what shows it that somebody watches.
    pub target: String,
    /// The area's id; empty where it has none.
    pub area: String,
    /// What was to be written.
    pub what: Written,
    /// Attempts that failed so far.
    pub failures: u32,
    /// How the last one failed; `None` where it was taken after all.
    pub fault: Option<String>,
    /// What happened, in words.
    pub text: Text,
}

/// What is written to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// A trip.
    Trip,
    /// The end of a trip.
    Release,
    /// What shows that somebody watches.
    Watchdog,
}

impl Written {
    /// Everything that is written.
    pub const ALL: [Written; 3] = [Written::Trip, Written::Release, Written::Watchdog];

    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Written::Trip => "trip",
            Written::Release => "release",
            Written::Watchdog => "watchdog",
        }
    }
}

/// A proof test began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofTestBegun {
    /// The element's or trip's id.
    pub target: String,
    /// The area's id.
    pub area: String,
    /// What is done.
    pub kind: TestKind,
    /// Who ordered it.
    pub who: Who,
    /// What this means.
    pub text: Text,
}

/// A proof test is over, or a real demand has proven as much: as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct ProofTestDone {
    /// The element's or trip's id.
    pub target: String,
    /// The area's id.
    pub area: String,
    /// What was done.
    pub kind: TestKind,
    /// How it ended.
    pub result: TestResult,
    /// When it began.
    pub since: Wall,
    /// What was measured of each element.
    pub strokes: Vec<StrokeFound>,
    /// Who ordered it; of a real demand the trip that made it.
    pub who: Who,
    /// What this means.
    pub text: Text,
}

impl ProofTestDone {
    /// The elements that it has proven to reach their safe state.
    pub fn proven(&self) -> impl Iterator<Item = &str> {
        let counts = self.kind.proves() && self.result != TestResult::Aborted;
        self.strokes.iter().filter(move |s| counts && s.passed == Some(true)).map(|s| s.tag.as_str())
    }
}

/// What a proof test measured of one element.
#[derive(Clone, Debug, PartialEq)]
pub struct StrokeFound {
    /// The element's id.
    pub tag: String,
    /// Whether it moved as it should; `None` where the test did not come so far.
    pub passed: Option<bool>,
    /// Where it stood at the end of the test.
    pub position: Position,
    /// From the command to leaving its unsafe end.
    pub dead: Option<Span>,
    /// From the command to its safe end.
    pub travel: Option<Span>,
    /// Writes that failed.
    pub attempts: u32,
}

/// A cause was taken out of the votes, or put back.
#[derive(Clone, Debug, PartialEq)]
pub struct BypassChange {
    /// The alarm's key.
    pub cause: String,
    /// The area's id.
    pub area: String,
    /// What happened to it.
    pub step: BypassStep,
    /// Ids of the trips that it does not vote in meanwhile.
    pub trips: Vec<String>,
    /// When it began.
    pub since: Wall,
    /// When it ends by itself.
    pub until: Wall,
    /// What is left of it.
    pub remaining: Span,
    /// Why it was bypassed.
    pub reason: String,
    /// Who bypassed it.
    pub by: Who,
    /// The second person who stood for it.
    pub second: Option<String>,
    /// Who put it back, where a person did.
    pub who: Option<Who>,
    /// What this means.
    pub text: Text,
}

impl BypassChange {
    /// For how long it has lasted.
    #[must_use]
    pub fn lasted(&self) -> Span {
        Span::from_us(self.until.since(self.since).us().saturating_sub(self.remaining.us()))
    }
}

/// What can happen to a bypass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BypassStep {
    /// A person began it.
    Started,
    /// It ends soon.
    Warned,
    /// The wall clock was set back, and its end with it: it gets no longer by that.
    Reckoned,
    /// A person ended it.
    Lifted,
    /// Its time is over.
    Expired,
    /// The site file no longer allows it.
    Removed,
}

impl BypassStep {
    /// Every step.
    pub const ALL: [BypassStep; 6] = [
        BypassStep::Started,
        BypassStep::Warned,
        BypassStep::Reckoned,
        BypassStep::Lifted,
        BypassStep::Expired,
        BypassStep::Removed,
    ];

    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            BypassStep::Started => "started",
            BypassStep::Warned => "warned",
            BypassStep::Reckoned => "reckoned",
            BypassStep::Lifted => "lifted",
            BypassStep::Expired => "expired",
            BypassStep::Removed => "removed",
        }
    }

    /// Whether the cause is bypassed after it.
    #[must_use]
    pub const fn goes_on(self) -> bool {
        matches!(self, BypassStep::Started | BypassStep::Warned | BypassStep::Reckoned)
    }
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
    /// There may be more than that: how many is not known.
    pub at_least: bool,
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
