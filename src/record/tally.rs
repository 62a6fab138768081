//! What a checkpoint says, and how entries are counted for it. Who signs it is `seal`'s business.

use super::chain::Digest;
use super::seal::PublicKey;
use crate::model::record::{Seq, Who};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Kinds that are counted apart. There are some twenty; a journal that somebody has filled with others is not ours.
const KINDS_MAX: usize = 64;

/// The entries since the last checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    since: Option<Seq>,
    counts: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts the entry `seq` of this kind.
    pub fn count(&mut self, seq: Seq, kind: &str) {
        self.since.get_or_insert(seq);
        if let Some(n) = self.counts.get_mut(kind) {
            *n = n.saturating_add(1);
        } else if self.counts.len() < KINDS_MAX {
            self.counts.insert(kind.to_owned(), 1);
        }
    }

    /// Whether there is nothing to seal.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.since.is_none()
    }

    /// The first entry that it counts.
    #[must_use]
    pub const fn since(&self) -> Option<Seq> {
        self.since
    }

    /// Whether a checkpoint's body tells what was counted here.
    #[must_use]
    pub fn agrees(&self, body: &Value) -> bool {
        body.get("counts") == Some(&json!(self.counts))
    }

    /// The body of the checkpoint that seals everything up to the entry `through`, whose line has the digest `head`.
    #[must_use]
    pub fn checkpoint(&self, through: Seq, head: Digest, signer: PublicKey) -> Value {
        json!({
            "counts": self.counts,
            "head": head.to_string(),
            "signature": "",
            "signer": signer.to_string(),
            "since": self.since.unwrap_or(through).0,
            // Of blocks of telemetry, once the buffer offers them.
            "telemetry": [],
            "through": through.0,
        })
    }
}

/// Why an entry says which key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStep {
    /// The gateway's first.
    Announced,
    /// The one in force, at the beginning of a file.
    Current,
    /// A new one, which the one before has signed.
    Rotated,
    /// Another one, though the one before has signed none: it was lost, or somebody has taken it away.
    Replaced,
}

impl KeyStep {
    /// Every step.
    pub const ALL: [KeyStep; 4] = [KeyStep::Announced, KeyStep::Current, KeyStep::Rotated, KeyStep::Replaced];

    /// As written in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyStep::Announced => "announced",
            KeyStep::Current => "current",
            KeyStep::Rotated => "rotated",
            KeyStep::Replaced => "replaced",
        }
    }
}

/// The body of an entry that says that `key` signs from now on; `signer` is the key that signs the entry.
#[must_use]
pub fn key_body(step: KeyStep, key: PublicKey, signer: PublicKey, by: Option<&Who>) -> Value {
    json!({
        "algorithm": "ed25519",
        "key": key.to_string(),
        "signature": "",
        "signer": signer.to_string(),
        "step": step.as_str(),
        "who": super::entry::who(by),
    })
}

/// The key that signs from the entry with this body on.
#[must_use]
pub fn announced(body: &Value) -> Option<PublicKey> {
    PublicKey::parse(body.get("key")?.as_str()?)
}
