//! The schema of identities and refused writes.

use super::{describe, maybe, object, one_of, reference, string, whole};
use crate::model::record::Written;
use serde_json::{Value, json};

pub(super) fn identity() -> Value {
    let mut body = object(json!({
        "point": string(),
        "area": string(),
        "value": { "type": "number" },
        "before": maybe("number"),
        "text": reference("text"),
    }));
    describe(
        &mut body,
        "Who a device says that it is (serial number, version): when it was heard first, and whenever it is another one \
         than it was, also over a restart.",
    );
    body
}

pub(super) fn write() -> Value {
    let mut body = object(json!({
        "target": string(),
        "area": string(),
        "what": one_of(Written::ALL.map(Written::as_str)),
        "failures": whole("Attempts that failed so far."),
        "fault": maybe("string"),
        "text": reference("text"),
    }));
    describe(
        &mut body,
        "A device refused what was written to it, or did not read back as written; null as fault: it was taken after \
         all. One for each kind of refusal in turn, once a minute at most, and one for each hour that it lasts; failures counts \
         them all. target \
         is an element, or a device where it is what shows it that somebody watches.",
    );
    body
}

pub(super) fn identities() -> Value {
    json!({
        "type": "object",
        "description": "By point: who its device said last that it is.",
        "additionalProperties": { "type": "number" },
    })
}
