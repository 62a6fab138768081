//! Commands of people and the answers to them.

use super::element::TestKind;
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
    /// Demand the safe state for as long as it takes to see it reached, and let go again.
    ProofTest {
        /// An element's id; for an interlock test a trip's.
        target: String,
        /// What to do.
        kind: TestKind,
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
            Verb::Bypass { target, minutes, reason, second } => {
                let minutes = minutes.map(|m| format!(" --minutes {m}")).unwrap_or_default();
                let second = second.as_ref().map(|s| format!(" --second \"{s}\"")).unwrap_or_default();
                format!("bypass {target}{minutes} --reason \"{reason}\"{second}")
            }
            Verb::Unbypass { target } => format!("unbypass {target}"),
            Verb::ProofTest { target, kind } => format!("prooftest {target} --kind {}", kind.as_str()),
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
