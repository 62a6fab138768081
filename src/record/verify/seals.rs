//! The signed entries as the verifier judges them: keys and checkpoints.

use super::{Damage, Verifier};
use crate::model::record::Seq;
use crate::record::chain::Digest;
use crate::record::seal::{PublicKey, is_signed, signer};
use crate::record::tally::{KeyStep, announced};
use serde_json::Value;

impl Verifier {
    /// A checkpoint; `prev` is the hash that it holds of the line before.
    pub(super) fn checkpoint(&mut self, line: &[u8], seq: Seq, prev: Digest) {
        let tally = std::mem::take(&mut self.tally);
        let whole = std::mem::replace(&mut self.whole, true);
        let Some((body, signer)) = signed_body(line) else {
            return self.find(Damage::Altered, Some(seq), "it is no checkpoint".to_owned());
        };
        self.is_in_force(seq, signer);
        if !is_signed(line, signer) {
            return self.find(
                Damage::Altered,
                Some(seq),
                "the checkpoint's signature does not fit it".to_owned(),
            );
        }
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        let head = body.get("head").and_then(Value::as_str).and_then(Digest::parse);
        if head != Some(prev) || number("through").is_none_or(|n| n.saturating_add(1) != seq.0) {
            return self.find(
                Damage::Altered,
                Some(seq),
                "the checkpoint's head is not the entry before it".to_owned(),
            );
        }
        // A run that follows a crash may know less than all since the last one; the hash covers it all the same.
        let same = whole && number("since").map(Seq) == tally.since();
        if same && !tally.agrees(&body) {
            return self.find(
                Damage::Missing,
                Some(seq),
                "the checkpoint counts other entries than are here".to_owned(),
            );
        }
        self.verdict.checkpoints = self.verdict.checkpoints.saturating_add(1);
        self.verdict.sealed = Some(Seq(seq.0.saturating_sub(1)));
    }

    /// An entry that says which key signs.
    pub(super) fn key_entry(&mut self, line: &[u8], seq: Seq) {
        let known = signed_body(line).and_then(|(body, signer)| {
            let step = body.get("step").and_then(Value::as_str);
            let step = KeyStep::ALL.into_iter().find(|known| Some(known.as_str()) == step)?;
            Some((step, announced(&body)?, signer))
        });
        let Some((step, key, signer)) = known else {
            return self.find(Damage::Altered, Some(seq), "it names no key".to_owned());
        };
        if !is_signed(line, signer) {
            self.find(Damage::Altered, Some(seq), "the signature under the key does not fit it".to_owned());
        }
        match step {
            KeyStep::Announced | KeyStep::Current => {
                if key != signer {
                    self.find(Damage::Foreign, Some(seq), "the key was not signed with itself".to_owned());
                }
                self.is_in_force(seq, key);
            }
            KeyStep::Rotated => {
                self.is_in_force(seq, signer);
                self.verdict.rotations = self.verdict.rotations.saturating_add(1);
            }
            KeyStep::Replaced => {
                if !self.trust.keys.contains(&key) {
                    let what = format!(
                        "from here on key {key} signs, and the one before has not signed that: it was lost, or taken away; \
                         where you know the new key to be the gateway's, name both with --key"
                    );
                    self.find(Damage::Foreign, Some(seq), what);
                }
            }
        }
        self.key = Some(key);
    }

    /// Whether `key` may sign here.
    fn is_in_force(&mut self, seq: Seq, key: PublicKey) {
        let what = match self.key {
            Some(known) if known == key => return,
            Some(known) => format!("key {key} signs it, and {known} is in force"),
            None if self.trust.keys.is_empty() || self.trust.keys.contains(&key) => {
                self.key = Some(key);
                return;
            }
            None => format!("key {key} signs it, which is none of those you named"),
        };
        self.key.get_or_insert(key);
        self.find(Damage::Foreign, Some(seq), what);
    }
}

fn signed_body(line: &[u8]) -> Option<(Value, PublicKey)> {
    let mut entry: Value = serde_json::from_slice(line).ok()?;
    let body = entry.get_mut("body")?.take();
    let signer = signer(&body)?;
    Some((body, signer))
}
