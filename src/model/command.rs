//! Commands of people and the answers to them.

use super::element::TestKind;
use super::permit::{PermitKind, Tightening};
use super::point::Text;
use super::record::Who;

/// What a person asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Who asks.
    pub who: Who,
    /// What.
    pub verb: Verb,
}

/// What can be asked for. There is no verb that opens a valve or closes a breaker.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// Acknowledge an alarm. Never resets it.
    Acknowledge {
        /// The alarm's key.
        key: String,
        /// The occurrence that the person saw; a newer one is not acknowledged by it.
        occurrence: u32,
    },
    /// Acknowledge every alarm that a person saw waiting.
    AcknowledgeAll {
        /// Key and occurrence of each.
        seen: Vec<(String, u32)>,
    },
    /// Set an alarm aside for a while: it is not announced. Trips do not heed it.
    Shelve {
        /// The alarm's key.
        key: String,
        /// For how long, in minutes.
        minutes: u32,
        /// Why.
        reason: String,
        /// The second person, who is needed for the alarms of a trip.
        second: Option<String>,
    },
    /// Set an alarm aside for maintenance, until it is taken back or its time is over.
    TakeOut {
        /// The alarm's key.
        key: String,
        /// For how many hours; without it a shift.
        hours: Option<u32>,
        /// Why.
        reason: String,
        /// The second person, who is needed for the alarms of a trip.
        second: Option<String>,
    },
    /// End that an alarm is set aside.
    TakeBack {
        /// The alarm's key.
        key: String,
    },
    /// Reset a trip (its id) or a latched alarm (its key).
    Reset {
        /// A trip's id or an alarm's key.
        target: String,
    },
    /// Take a cause out of the votes for a while; whoever orders it answers for it.
    Bypass {
        /// The alarm's key.
        target: String,
        /// For how long; without it half an hour.
        minutes: Option<u32>,
        /// Why.
        reason: String,
        /// The second person who stands for it.
        second: Option<String>,
    },
    /// Put it back before its time.
    Unbypass {
        /// The alarm's key.
        target: String,
    },
    /// Begin or end the calibration of a point: its data are marked, and its neighbours guard.
    Calibrate {
        /// The point's id.
        point: String,
        /// How long it may take; none ends it.
        minutes: Option<u32>,
    },
    /// Demand the safe state for as long as it takes to see it reached, and let go again.
    ProofTest {
        /// An element's id; for an interlock test a trip's.
        target: String,
        /// What to do.
        kind: TestKind,
    },
    /// Tighten the set-points of an area or a point for a while, for work that makes less gas dangerous.
    Permit {
        /// The id of the area or point.
        place: String,
        /// For what work.
        kind: PermitKind,
        /// For how long, in minutes.
        minutes: u32,
        /// By how much.
        tighten: Tightening,
        /// The second person, where one is named.
        second: Option<String>,
    },
    /// End a permit before its time.
    EndPermit {
        /// The permit's key: place, colon, kind.
        key: String,
    },
}

impl Verb {
    /// As a person would type it; goes into the journal.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Verb::Acknowledge { key, occurrence } => format!("ack {key} --occurrence {occurrence}"),
            // Which ones is told of each.
            Verb::AcknowledgeAll { .. } => "ack --all".to_owned(),
            Verb::Shelve { key, minutes, reason, second } => {
                format!("shelve {key} --minutes {minutes}{} --reason {reason}", with_second(second))
            }
            Verb::TakeOut { key, hours, reason, second } => {
                let hours = hours.map(|h| format!(" --hours {h}")).unwrap_or_default();
                format!("out-of-service {key}{hours}{} --reason {reason}", with_second(second))
            }
            Verb::TakeBack { key } => format!("unshelve {key}"),
            Verb::Reset { target } => format!("reset {target}"),
            Verb::Bypass { target, minutes, reason, second } => {
                let minutes = minutes.map(|m| format!(" --minutes {m}")).unwrap_or_default();
                let second = second.as_ref().map(|s| format!(" --second \"{s}\"")).unwrap_or_default();
                format!("bypass {target}{minutes} --reason \"{reason}\"{second}")
            }
            Verb::Unbypass { target } => format!("unbypass {target}"),
            Verb::Calibrate { point, minutes: Some(n) } => format!("calibrate {point} --minutes {n}"),
            Verb::Calibrate { point, minutes: None } => format!("calibrate {point} --end"),
            Verb::ProofTest { target, kind } => format!("prooftest {target} --kind {}", kind.as_str()),
            Verb::Permit { place, kind, minutes, tighten, second } => {
                let (kind, tighten) = (kind.as_str(), tighten.words());
                format!("permit {place} --kind {kind} --minutes {minutes} {tighten}{}", with_second(second))
            }
            Verb::EndPermit { key } => format!("unpermit {key}"),
        }
    }
}

fn with_second(second: &Option<String>) -> String {
    second.as_ref().map(|name| format!(" --second {name}")).unwrap_or_default()
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done; what was done.
    Done(Text),
    /// Not done; every condition that is missing.
    Refused(Vec<Text>),
}
