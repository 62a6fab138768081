//! The schema of the signed entries.

use super::{describe, hex, maybe_reference, object, one_of, string, whole};
use crate::record::tally::KeyStep;
use serde_json::{Value, json};

const SIGNED: &str = "Ed25519 over the bytes of this entry's line without these 128 digits.";

pub(super) fn checkpoint() -> Value {
    let mut body = object(json!({
        "counts": { "type": "object", "additionalProperties": { "type": "integer", "minimum": 1 } },
        "head": hex(64, "The hash of the line of entry `through`: as this entry's `prev`."),
        "signature": hex(128, SIGNED),
        "signer": hex(64, "The public key that signed."),
        "since": whole("The first entry that is counted."),
        "telemetry": { "type": "array", "items": string() },
        "through": whole("The last entry that is sealed: the one before this."),
    }));
    describe(
        &mut body,
        "Seals every entry before it, counted by kind since the last one. Made each minute with new entries, at the end of a \
         file and of a run. Also retained on {prefix}/v1/{gateway}/checkpoint: keep it, for it proves how the journal must \
         go on (davy journal verify --anchor).",
    );
    body
}

pub(super) fn key() -> Value {
    object(json!({
        "algorithm": one_of(["ed25519"]),
        "key": hex(64, "The public key that signs from now on."),
        "signature": hex(128, SIGNED),
        "signer": hex(64, "The key that signed this entry: of a rotation the one before, else the key itself."),
        "step": one_of(KeyStep::ALL.map(KeyStep::as_str)),
        "who": maybe_reference("who"),
    }))
}
