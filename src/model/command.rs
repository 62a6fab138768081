//! Commands of people and the answers to them.

use super::point::Text;
use super::record::Who;

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who asks.
    pub who: Who,
    /// What.
    pub verb: Verb,
}

/// What can be asked for. There is no verb that opens a valve or closes a breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Acknowledge an alarm. Never resets it.
    Acknowledge {
        /// The alarm's key.
        key: String,
        /// The occurrence that the person saw; a newer one is not acknowledged by it.
        occurrence: Option<u32>,
    },
    /// Acknowledge every alarm that wants it.
    AcknowledgeAll,
    /// Reset a trip (its id) or a latched alarm (its key).
    Reset {
        /// A trip's id or an alarm's key.
        target: String,
    },
    /// Begin or end the calibration of a point: its data are marked, and its neighbours guard.
    Calibrate {
        /// The point's id.
        point: String,
        /// How long it may take; none ends it.
        minutes: Option<u32>,
    },
}

impl Verb {
    /// As a person would type it; goes into the journal.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Verb::Acknowledge { key, occurrence: Some(n) } => format!("ack {key} --occurrence {n}"),
            Verb::Acknowledge { key, occurrence: None } => format!("ack {key}"),
            Verb::AcknowledgeAll => "ack --all".to_owned(),
            Verb::Reset { target } => format!("reset {target}"),
            Verb::Calibrate { point, minutes: Some(n) } => format!("calibrate {point} --minutes {n}"),
            Verb::Calibrate { point, minutes: None } => format!("calibrate {point} --end"),
        }
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done; what was done.
    Done(Text),
    /// Not done; every condition that is missing.
    Refused(Vec<Text>),
}
