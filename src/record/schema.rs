//! The JSON Schema of everything told over MQTT: what a control room's programmer reads first. The bytes are made in
//! `payload` and with the journal; this page only describes them, and its tests hold the two together.
//!
//! Objects are open: a receiver ignores what it does not know, so that a field can be added within a version.

use super::payload::{Status, VERSION};
use crate::model::alarm::{AlarmCause, AlarmState, Colour};
use crate::model::element::{ElementKind, Mode, Phase, Position};
use crate::model::point::{Doubt, Fault, Quality, Unit};
use crate::model::record::{Lane, PreviousEnd};
use serde_json::{Map, Value, json};

/// JSON Schema 2020-12 of all payloads. `$defs/event`, `$defs/status` and `$defs/telemetry` say by topic which one
/// applies.
#[must_use]
pub fn messages() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:davy:messages:v{VERSION}"),
        "title": "What Davy tells over MQTT",
        "description": "Every payload is JSON in UTF-8. An event is named for ever by gateway and seq; it may come more \
                        than once, and its first copies come in the order of seq, so a missing number is seen at once.",
        "oneOf": [reference("event"), reference("status"), reference("telemetry")],
        "$defs": definitions(),
    })
}

fn definitions() -> Value {
    let mut all = Map::from_iter([
        ("event".to_owned(), event()),
        ("status".to_owned(), status()),
        ("telemetry".to_owned(), telemetry()),
        ("text".to_owned(), object(json!({ "zh": string(), "en": string() }))),
        ("who".to_owned(), object(json!({ "name": string(), "via": string() }))),
        ("utc".to_owned(), utc()),
        ("quality".to_owned(), quality()),
        ("standing_alarm".to_owned(), standing_alarm()),
        ("standing_trip".to_owned(), standing_trip()),
    ]);
    all.extend(bodies().into_iter().map(|(kind, body)| (body_name(kind), body)));
    Value::Object(all)
}

fn body_name(kind: &str) -> String {
    format!("{kind}_body")
}

/// What an event of each kind holds.
fn bodies() -> [(&'static str, Value); 10] {
    [
        ("started", started()),
        ("ended", object(json!({ "reason": string() }))),
        ("config", config()),
        ("alarm", alarm()),
        ("trip", trip()),
        ("element", element()),
        ("command", command()),
        ("trouble", trouble()),
        ("gap", gap()),
        ("standing", standing()),
    ]
}

fn event() -> Value {
    let kinds = bodies().map(|(kind, _)| kind);
    let mut event = object(json!({
        "v": version(),
        "seq": whole("Number of the entry in the gateway's journal, from 1, without gaps."),
        "boot": boot(),
        "gateway": string(),
        "utc": reference("utc"),
        "up_us": whole("Microseconds since that run started, on a clock that never jumps."),
        "kind": one_of(kinds),
        "body": { "type": "object" },
        "prev": hex(64, "SHA-256 of the line before this one: the chain that shows what is missing or altered."),
    }));
    let by_kind = kinds.map(
        |kind| json!({ "properties": { "kind": { "const": kind }, "body": reference(&body_name(kind)) } }),
    );
    describe(
        &mut event,
        "An entry of the journal, as its line there. On {prefix}/v1/{gateway}/event/{area or -}/{kind}, QoS 1. The last \
         one of each alarm, trip and element is also retained on {prefix}/v1/{gateway}/state/{alarm|trip|element}/{key}.",
    );
    with(event, "oneOf", json!(by_kind))
}

fn status() -> Value {
    let mut status = object(json!({
        "v": version(),
        "online": { "type": "boolean" },
        "reason": one_of([Status::Online, Status::Ended, Status::Lost].map(Status::as_str)),
        "gateway": string(),
        "version": string(),
        "config_hash": string(),
        "boot": boot(),
        "utc": reference("utc"),
        "seq": whole("The last number of the journal when this was written."),
    }));
    describe(
        &mut status,
        "Whether the gateway is there. On {prefix}/v1/{gateway}/status, retained. `lost` is the last will: the broker \
         publishes it, but it was written when the gateway connected, and so were its utc and seq.",
    );
    status
}

fn telemetry() -> Value {
    let row = json!({
        "type": "array",
        "description": "UTC in milliseconds since 1970, value, quality.",
        "prefixItems": [{ "type": "integer" }, maybe("number"), reference("quality")],
        "minItems": 3,
        "maxItems": 3,
    });
    let mut block = object(json!({
        "v": version(),
        "seq": whole("Number of the block, from 1. A number is missing where a block had to be dropped: see gap."),
        "boot": boot(),
        "gateway": string(),
        "from": reference("utc"),
        "to": reference("utc"),
        "points": {
            "type": "object",
            "description": "Rows by point, in the order in which they were read.",
            "additionalProperties": { "type": "array", "items": row },
        },
    }));
    describe(&mut block, "A block of values. On {prefix}/v1/{gateway}/telemetry, QoS 1.");
    block
}

fn started() -> Value {
    let ends = [PreviousEnd::FirstStart, PreviousEnd::Clean, PreviousEnd::Unclean];
    object(json!({
        "version": string(),
        "config_hash": string(),
        "previous_end": one_of(ends.map(PreviousEnd::as_str)),
    }))
}

fn config() -> Value {
    object(json!({
        "old_hash": string(),
        "new_hash": string(),
        "taken": { "type": "boolean" },
        "detail": string(),
    }))
}

fn alarm() -> Value {
    let causes = [
        AlarmCause::Occurred,
        AlarmCause::Cleared,
        AlarmCause::Acknowledged,
        AlarmCause::Reset,
        AlarmCause::Removed,
    ];
    let states = AlarmState::ALL.map(AlarmState::as_str);
    object(json!({
        "key": string(),
        "area": string(),
        "occurrence": whole("Which occurrence of this alarm: 1 is the first ever."),
        "from": one_of(states),
        "to": one_of(states),
        "cause": one_of(causes.map(AlarmCause::as_str)),
        "colour": one_of(Colour::ALL.map(Colour::as_str)),
        "value": maybe("number"),
        "peak": maybe("number"),
        "unit": one_of(Unit::ALL.map(Unit::as_str)),
        "quality": reference("quality"),
        "set_point": maybe("number"),
        "text": reference("text"),
        "action": reference("text"),
        "who": maybe_reference("who"),
    }))
}

fn trip() -> Value {
    object(json!({
        "tag": string(),
        "area": string(),
        "occurrence": whole("Which occurrence of this trip."),
        "tripped": { "type": "boolean" },
        "first_out": maybe("string"),
        "causes": strings(),
        "effects": strings(),
        "text": reference("text"),
        "who": maybe_reference("who"),
    }))
}

fn element() -> Value {
    let kinds = [ElementKind::Valve, ElementKind::Load, ElementKind::Siren];
    let phases = [Phase::Idle, Phase::Demanded, Phase::Commanded, Phase::Confirmed, Phase::Failed];
    let positions =
        [Position::Unknown, Position::Safe, Position::Unsafe, Position::Travelling, Position::Conflict];
    object(json!({
        "tag": string(),
        "area": string(),
        "kind": one_of(kinds.map(ElementKind::as_str)),
        "mode": one_of([Mode::Observe, Mode::Act].map(Mode::as_str)),
        "demand": one_of(["none", "trip"]),
        "phase": one_of(phases.map(Phase::as_str)),
        "position": one_of(positions.map(Position::as_str)),
        "elapsed_us": maybe("integer"),
        "trips": strings(),
        "text": reference("text"),
    }))
}

fn command() -> Value {
    object(json!({
        "who": reference("who"),
        "command": string(),
        "refused": {
            "description": "null where it was done, the reasons where it was refused.",
            "type": ["array", "null"],
            "items": reference("text"),
        },
    }))
}

fn trouble() -> Value {
    object(json!({
        "code": string(),
        "detail": string(),
        "raised": { "type": "boolean" },
        "text": reference("text"),
    }))
}

fn gap() -> Value {
    object(json!({
        "lane": one_of([Lane::Event, Lane::Telemetry].map(Lane::as_str)),
        "from": reference("utc"),
        "to": reference("utc"),
        "count": whole("How many items are missing."),
        "reason": string(),
    }))
}

/// The entry that opens a file of the journal.
fn standing() -> Value {
    object(json!({
        "alarms": { "type": "object", "additionalProperties": reference("standing_alarm") },
        "trips": { "type": "object", "additionalProperties": reference("standing_trip") },
    }))
}

fn standing_alarm() -> Value {
    object(json!({
        "occurrence": whole("Its last occurrence."),
        "since": reference("utc"),
        "state": one_of(AlarmState::ALL.map(AlarmState::as_str)),
    }))
}

fn standing_trip() -> Value {
    object(json!({
        "first_out": maybe("string"),
        "occurrence": whole("Its last occurrence."),
        "tripped": { "type": "boolean" },
    }))
}

fn quality() -> Value {
    let all = [
        Quality::Good,
        Quality::Uncertain(Doubt::WarmUp),
        Quality::Uncertain(Doubt::Calibrating),
        Quality::Uncertain(Doubt::OverRange),
        Quality::Uncertain(Doubt::UnderRange),
        Quality::Uncertain(Doubt::Unconfirmed),
        Quality::Bad(Fault::NotHeard),
        Quality::Bad(Fault::CommLost),
        Quality::Bad(Fault::Stale),
        Quality::Bad(Fault::SensorFault),
        Quality::Bad(Fault::OutOfService),
        Quality::Bad(Fault::Implausible),
        Quality::Bad(Fault::UnknownStatus),
        Quality::Bad(Fault::Refused),
    ];
    let mut quality = one_of(all.map(Quality::as_str));
    describe(&mut quality, "Only `good` may be taken for safe.");
    quality
}

fn utc() -> Value {
    json!({
        "type": "string",
        "description": "RFC 3339, UTC, to the millisecond; `unix-ms:` and a number from a clock beyond the calendar.",
        "examples": ["2026-11-24T03:42:05.123Z"],
    })
}

fn version() -> Value {
    json!({ "const": VERSION })
}

fn boot() -> Value {
    hex(16, "Id of the run of the program that wrote this.")
}

fn hex(digits: usize, description: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$"), "description": description })
}

fn whole(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn string() -> Value {
    json!({ "type": "string" })
}

fn strings() -> Value {
    json!({ "type": "array", "items": string() })
}

fn one_of(texts: impl AsRef<[&'static str]>) -> Value {
    json!({ "enum": texts.as_ref() })
}

fn maybe(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn maybe_reference(name: &str) -> Value {
    json!({ "oneOf": [reference(name), { "type": "null" }] })
}

/// An object that has all of `properties`.
fn object(properties: Value) -> Value {
    let names: Vec<String> = properties.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    json!({ "type": "object", "required": names, "properties": properties })
}

fn with(mut schema: Value, name: &str, value: Value) -> Value {
    if let Some(fields) = schema.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
    schema
}

fn describe(schema: &mut Value, description: &str) {
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("description".to_owned(), json!(description));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Seq;
    use crate::model::time::Wall;
    use crate::record::payload::Identity;

    /// One event of each kind, as the journal writes them.
    fn events() -> Vec<Value> {
        let text = json!({ "en": "gas", "zh": "气体" });
        let who = json!({ "name": "li", "via": "local" });
        let utc = "2026-11-24T03:42:05.123Z";
        let event = |kind: &str, body: Value| {
            json!({
                "v": 1, "seq": 7, "boot": "00ff00ff00ff00ff", "gateway": "gw-1", "utc": utc, "up_us": 12,
                "kind": kind, "body": body, "prev": "ab".repeat(32),
            })
        };
        vec![
            event("started", json!({ "version": "0.1.0", "config_hash": "ab", "previous_end": "unclean" })),
            event("ended", json!({ "reason": "SIGTERM" })),
            event("config", json!({ "old_hash": "a", "new_hash": "b", "taken": true, "detail": "" })),
            event(
                "alarm",
                json!({
                    "key": "bottle-room.lpg-1:trip", "area": "bottle-room", "occurrence": 1, "from": "normal",
                    "to": "unacknowledged", "cause": "occurred", "colour": "red", "value": 25.0, "peak": null,
                    "unit": "%LEL", "quality": "good", "set_point": 20, "text": text, "action": text, "who": null,
                }),
            ),
            event(
                "trip",
                json!({
                    "tag": "gas-off", "area": "bottle-room", "occurrence": 1, "tripped": false,
                    "first_out": "bottle-room.lpg-1:trip", "causes": ["a:trip (bad)"], "effects": ["valve"],
                    "text": text, "who": who,
                }),
            ),
            event(
                "element",
                json!({
                    "tag": "valve", "area": "bottle-room", "kind": "valve", "mode": "act", "demand": "trip",
                    "phase": "confirmed", "position": "safe", "elapsed_us": 1200, "trips": ["gas-off"],
                    "text": text,
                }),
            ),
            event("command", json!({ "who": who, "command": "reset gas-off", "refused": [text] })),
            event("trouble", json!({ "code": "journal-write", "detail": "", "raised": true, "text": text })),
            event(
                "gap",
                json!({ "lane": "telemetry", "from": utc, "to": utc, "count": 3, "reason": "disk" }),
            ),
            event(
                "standing",
                json!({
                    "alarms": { "a:trip": { "occurrence": 1, "since": utc, "state": "normal" } },
                    "trips": { "gas-off": { "first_out": null, "occurrence": 0, "tripped": false } },
                }),
            ),
        ]
    }

    fn status_sample(status: Status) -> Value {
        let identity = Identity {
            gateway: "gw-1".to_owned(),
            version: "0.1.0".to_owned(),
            config_hash: "ab".repeat(32),
            boot: "00ff00ff00ff00ff".to_owned(),
        };
        serde_json::from_slice(&status.payload(&identity, Wall::from_ms(0), Seq(7))).unwrap()
    }

    fn telemetry_sample() -> Value {
        json!({
            "v": 1, "seq": 1, "boot": "00ff00ff00ff00ff", "gateway": "gw-1", "from": "2026-11-24T03:42:05.123Z",
            "to": "2026-11-24T03:42:06.123Z",
            "points": { "face.t0": [[1_795_491_725_123_i64, 0.42, "good"], [1_795_491_726_123_i64, null, "stale"]] },
        })
    }

    #[test]
    fn every_payload_is_described_by_the_schema() {
        let root = messages();
        for event in events() {
            assert_eq!(faults(&root, &reference("event"), &event), [""; 0], "{event}");
        }
        for status in [Status::Online, Status::Ended, Status::Lost] {
            assert_eq!(faults(&root, &reference("status"), &status_sample(status)), [""; 0]);
        }
        assert_eq!(faults(&root, &reference("telemetry"), &telemetry_sample()), [""; 0]);
        for any in events().into_iter().chain([status_sample(Status::Lost), telemetry_sample()]) {
            assert_eq!(faults(&root, &root, &any), [""; 0], "exactly one of the three");
        }
    }

    #[test]
    fn a_payload_that_lacks_or_distorts_a_field_is_refused() {
        let root = messages();
        for event in events() {
            for name in event["body"].as_object().unwrap().keys() {
                let mut lacking = event.clone();
                lacking["body"].as_object_mut().unwrap().remove(name);
                assert_ne!(faults(&root, &reference("event"), &lacking), [""; 0], "{name} of {event}");
                let mut distorted = event.clone();
                distorted["body"][name] = json!({ "no": "such" });
                assert_ne!(faults(&root, &reference("event"), &distorted), [""; 0], "{name} of {event}");
            }
        }
    }

    /// What is wrong with `value` by `schema`: as much of JSON Schema as this file uses. Stricter in one thing: it
    /// refuses a field that is not described.
    fn faults(root: &Value, schema: &Value, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(path) = schema["$ref"].as_str() {
            found.extend(faults(root, root.pointer(path.trim_start_matches('#')).unwrap(), value));
        }
        if let Some(kind) = schema.get("type") {
            let kinds: Vec<&str> = kind
                .as_array()
                .map_or(vec![kind], |a| a.iter().collect())
                .iter()
                .filter_map(|k| k.as_str())
                .collect();
            if !kinds.iter().any(|kind| is_a(kind, value)) {
                found.push(format!("{value} is not {kinds:?}"));
            }
        }
        if schema.get("const").is_some_and(|wanted| wanted != value)
            || schema["enum"].as_array().is_some_and(|all| !all.contains(value))
        {
            found.push(format!("{value} is none of {schema}"));
        }
        if let Some(pattern) = schema["pattern"].as_str() {
            let digits: usize =
                pattern.trim_start_matches("^[0-9a-f]{").trim_end_matches("}$").parse().unwrap();
            let text = value.as_str().unwrap_or_default();
            if text.len() != digits || !text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
                found.push(format!("{value} does not match {pattern}"));
            }
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fitting = choices.iter().filter(|choice| faults(root, choice, value).is_empty()).count();
            if fitting != 1 {
                found.push(format!("{value} fits {fitting} of {}", choices.len()));
            }
        }
        found.extend(inner_faults(root, schema, value));
        found
    }

    fn is_a(kind: &str, value: &Value) -> bool {
        match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            "null" => value.is_null(),
            other => panic!("{other} is no type of JSON"),
        }
    }

    fn inner_faults(root: &Value, schema: &Value, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        for name in schema["required"].as_array().into_iter().flatten() {
            if value.get(name.as_str().unwrap()).is_none() {
                found.push(format!("{name} is missing"));
            }
        }
        for (name, inner) in value.as_object().into_iter().flatten() {
            if let Some(described) = schema["properties"].get(name).or(schema.get("additionalProperties")) {
                found.extend(faults(root, described, inner));
            } else if schema.get("required").is_some() {
                found.push(format!("{name} is not described"));
            }
        }
        for (n, inner) in value.as_array().into_iter().flatten().enumerate() {
            match schema["prefixItems"].get(n).or(schema.get("items")) {
                Some(described) => found.extend(faults(root, described, inner)),
                None if schema.get("prefixItems").is_some() => {
                    found.push(format!("item {n} is not described"))
                }
                None => {}
            }
        }
        found
    }
}
