//! The JSON Schema of everything told over MQTT: what a control room's programmer reads first. The bytes are made in
//! `payload` and with the journal; this page only describes them, and its tests hold the two together.
//!
//! Objects are open: a receiver ignores what it does not know, so that a field can be added within a version.

mod field;
mod graded;
mod seals;

use super::payload::{Status, VERSION};
use crate::model::alarm::{AlarmCause, AlarmState, AsideHow, Colour};
use crate::model::element::{ElementKind, Mode, Phase, Position, TestKind, TestResult};
use crate::model::point::{Quality, Unit};
use crate::model::record::{BypassStep, Lane, NuisanceKind, PreviousEnd};
use crate::model::sign::Sign;
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
                        than once, and its first copies come in the order of seq, so a missing number is seen at once \
                        (but see escalated_only in the status). What the gateway can't record yet is told at once, as \
                        unrecorded, and once more as events when it is recorded: count events only.",
        "oneOf": [reference("event"), reference("status"), reference("telemetry"), reference("unrecorded")],
        "$defs": definitions(),
    })
}

fn definitions() -> Value {
    let mut all = Map::from_iter([
        ("event".to_owned(), event()),
        ("status".to_owned(), status()),
        ("unrecorded".to_owned(), unrecorded()),
        ("telemetry".to_owned(), telemetry()),
        ("text".to_owned(), object(json!({ "zh": string(), "en": string() }))),
        ("who".to_owned(), object(json!({ "name": string(), "via": string() }))),
        ("utc".to_owned(), utc()),
        ("quality".to_owned(), quality()),
        ("aside".to_owned(), aside()),
        ("standing_alarm".to_owned(), standing_alarm()),
        ("standing_trip".to_owned(), standing_trip()),
        ("standing_bypass".to_owned(), standing_bypass()),
        ("standing_calibration".to_owned(), standing_calibration()),
        ("standing_test".to_owned(), standing_test()),
    ]);
    all.extend(graded::parts());
    all.extend(bodies().into_iter().map(|(kind, body)| (body_name(kind), body)));
    Value::Object(all)
}

fn body_name(kind: &str) -> String {
    format!("{kind}_body")
}

/// What an event of each kind holds.
fn bodies() -> [(&'static str, Value); 24] {
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
        ("nuisance", nuisance()),
        ("alarm-rates", alarm_rates()),
        ("anomaly", anomaly()),
        ("calibration", calibration()),
        ("incident", graded::incident()),
        ("grade", graded::grade()),
        ("permit", graded::permit()),
        ("standing", standing()),
        ("bypass", bypass()),
        ("proof-test", proof_test()),
        ("proof-test-begun", proof_test_begun()),
        ("checkpoint", seals::checkpoint()),
        ("key", seals::key()),
        ("identity", field::identity()),
        ("write", field::write()),
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
    describe(
        &mut event,
        "An entry of the journal, as its line there. On {prefix}/v1/{gateway}/event/{area or -}/{kind}, QoS 1. The last \
         one of each alarm, trip and element is also retained on {prefix}/v1/{gateway}/state/{alarm|trip|element}/{key}.",
    );
    by_kind(event, &kinds)
}

/// The body is that of its kind.
fn by_kind(schema: Value, kinds: &[&str]) -> Value {
    let of_kind = |kind: &&str| json!({ "properties": { "kind": { "const": kind }, "body": reference(&body_name(kind)) } });
    with(schema, "oneOf", kinds.iter().map(of_kind).collect())
}

fn unrecorded() -> Value {
    let kinds = bodies().map(|(kind, _)| kind);
    let nth = "The how-many-eth of this run. One that is missing gave way to newer ones, or is told as an event by now.";
    let mut copy = object(json!({
        "v": version(),
        "nth": whole(nth),
        "recorded": { "const": false },
        "boot": boot(),
        "gateway": string(),
        "utc": reference("utc"),
        "up_us": whole("As of an event: with boot, kind and body it says which event this becomes."),
        "kind": one_of(kinds),
        "body": { "type": "object" },
    }));
    describe(
        &mut copy,
        "What happened while the gateway can't write its journal (recording is false in the status), told at once out \
         of its memory: show it, and do not count it. It has no seq; when the disk takes it, it is told once more as an \
         event with its number, and if the gateway is killed before, a gap says so. All that are held come again with \
         each connection. On {prefix}/v1/{gateway}/unrecorded/{area or -}/{kind}, QoS 1; the retained \
         {prefix}/v1/{gateway}/state/{alarm|trip|element}/{key} is such a copy too as long as nothing newer is recorded.",
    );
    by_kind(copy, &kinds)
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
    let only = "This destination is told of escalated alarms only, with started, ended, gap and trouble: numbers are \
                missing by design, and the chain can't be followed here.";
    let recording = "False while the journal can't be written: see unrecorded. Left out while all is well.";
    status = optional(
        status,
        json!({
            "escalated_only": { "type": "boolean", "description": only },
            "recording": { "const": false, "description": recording },
        }),
    );
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
    let states = AlarmState::ALL.map(AlarmState::as_str);
    let alarm = object(json!({
        "key": string(),
        "area": string(),
        "occurrence": whole("Which occurrence of this alarm: 1 is the first ever."),
        "from": one_of(states),
        "to": one_of(states),
        "cause": one_of(AlarmCause::ALL.map(AlarmCause::as_str)),
        "colour": one_of(Colour::ALL.map(Colour::as_str)),
        "value": maybe("number"),
        "peak": maybe("number"),
        "unit": one_of(Unit::ALL.map(Unit::as_str)),
        "quality": reference("quality"),
        "set_point": maybe("number"),
        "text": reference("text"),
        "action": reference("text"),
        "who": maybe_reference("who"),
        "aside": maybe_reference("aside"),
        "under": one_of(states),
    }));
    let escalated = json!({ "type": "boolean", "description": "It is escalated, or was until this change." });
    optional(alarm, json!({ "escalated": escalated }))
}

/// How and why an alarm is set aside.
fn aside() -> Value {
    object(json!({
        "how": one_of(AsideHow::ALL.map(|how| how.state().as_str())),
        "by": string(),
        "second": maybe("string"),
        "reason": string(),
        "until": maybe("string"),
        "minutes": maybe("integer"),
        "count": whole("How often people set this alarm aside so far."),
    }))
}

fn nuisance() -> Value {
    object(json!({
        "kind": one_of(NuisanceKind::ALL.map(NuisanceKind::as_str)),
        "key": string(),
        "raised": { "type": "boolean" },
        "count": whole("How many announcements; of a stale alarm how many hours."),
        "text": reference("text"),
    }))
}

fn alarm_rates() -> Value {
    object(json!({
        "ten_minutes": whole("Alarms announced in the last ten minutes."),
        "hour": whole("In the last hour."),
        "day": whole("In the last day."),
        "worst_ten_minutes": whole("The most in any period of ten minutes of the last day."),
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
    let kinds = [ElementKind::Valve, ElementKind::Load, ElementKind::Siren, ElementKind::Lock];
    let phases = [Phase::Idle, Phase::Demanded, Phase::Commanded, Phase::Confirmed, Phase::Failed];
    let element = object(json!({
        "tag": string(),
        "area": string(),
        "kind": one_of(kinds.map(ElementKind::as_str)),
        "mode": one_of([Mode::Observe, Mode::Act].map(Mode::as_str)),
        "demand": one_of(["none", "trip"]),
        "phase": one_of(phases.map(Phase::as_str)),
        "position": one_of(Position::ALL.map(Position::as_str)),
        "elapsed_us": maybe("integer"),
        "trips": strings(),
        "text": reference("text"),
    }));
    optional(
        element,
        json!({
            "attempts": whole("Writes of this demand that failed so far."),
            "backup": { "type": "string", "description": "The element that is demanded because this one failed." },
            "dead_us": whole("From the command to leaving its unsafe end, in microseconds."),
            "travel_us": whole("From the command to its safe end, in microseconds."),
        }),
    )
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
    let gap = object(json!({
        "lane": one_of([Lane::Event, Lane::Telemetry].map(Lane::as_str)),
        "from": reference("utc"),
        "to": reference("utc"),
        "count": whole("How many items are missing, as far as that is known."),
        "reason": string(),
    }));
    let more = "There may be more than count; with a count of 0 it is not known at all how many.";
    optional(gap, json!({ "at_least": { "const": true, "description": more } }))
}

/// The entry that opens a file of the journal, or the entries where one would be too long.
fn standing() -> Value {
    let standing = object(json!({
        "alarms": { "type": "object", "additionalProperties": reference("standing_alarm") },
        "trips": { "type": "object", "additionalProperties": reference("standing_trip") },
    }));
    optional(
        standing,
        json!({
        "signs": {
            "type": "object",
            "description": "Signs that stand, by the id of what they are on, each with since when.",
            "additionalProperties": { "type": "object", "additionalProperties": reference("utc") },
        },
        "calibrations": { "type": "object", "additionalProperties": reference("standing_calibration") },
            "bypasses": { "type": "object", "additionalProperties": reference("standing_bypass") },
            "bypassed": {
                "type": "object",
                "description": "The bypasses of the last day that are over, by cause: when the first began, when the \
                                last ended, and how long they lasted together.",
                "additionalProperties": object(json!({
                    "since": reference("utc"), "ended": reference("utc"),
                    "spent_us": whole("How long they lasted together."),
                })),
            },
            "failed": { "type": "object", "additionalProperties": { "const": true } },
            "demanded": {
                "type": "object",
                "description": "Elements that trips have demanded, each with these trips, until nothing is demanded.",
                "additionalProperties": strings(),
            },
            "incidents": { "type": "object", "additionalProperties": reference("standing_incident") },
            "grades": { "type": "object", "additionalProperties": one_of(Colour::ALL.map(Colour::as_str)) },
            "permits": { "type": "object", "additionalProperties": reference("permit_figures") },
            "proven": {
                "type": "object",
                "description": "Elements, each with when it was last proven to reach its safe state.",
                "additionalProperties": reference("utc"),
            },
            "tests": { "type": "object", "additionalProperties": reference("standing_test") },
            "identities": field::identities(),
            "part": whole("Which part of the whole this is, from 1. Only where there are several."),
            "parts": whole("How many parts there are; they follow one another."),
        }),
    )
}

fn bypass() -> Value {
    object(json!({
        "cause": string(),
        "area": string(),
        "step": one_of(BypassStep::ALL.map(BypassStep::as_str)),
        "trips": strings(),
        "since": reference("utc"),
        "until": reference("utc"),
        "remaining_us": whole("What is left of it, in microseconds."),
        "reason": string(),
        "by": reference("who"),
        "second": maybe("string"),
        "who": maybe_reference("who"),
        "text": reference("text"),
    }))
}

fn proof_test() -> Value {
    let stroke = object(json!({
        "tag": string(),
        "passed": maybe("boolean"),
        "position": one_of(Position::ALL.map(Position::as_str)),
        "dead_us": maybe("integer"),
        "travel_us": maybe("integer"),
        "attempts": whole("Writes that failed."),
    }));
    object(json!({
        "target": string(),
        "area": string(),
        "kind": one_of(TestKind::ALL.map(TestKind::as_str)),
        "result": one_of(TestResult::ALL.map(TestResult::as_str)),
        "since": reference("utc"),
        "strokes": { "type": "array", "items": stroke },
        "who": reference("who"),
        "text": reference("text"),
    }))
}

fn proof_test_begun() -> Value {
    object(json!({
        "target": string(),
        "area": string(),
        "kind": one_of(TestKind::ORDERED.map(TestKind::as_str)),
        "who": reference("who"),
        "text": reference("text"),
    }))
}

fn standing_test() -> Value {
    object(json!({
        "target": string(),
        "area": string(),
        "kind": one_of(TestKind::ORDERED.map(TestKind::as_str)),
        "since": reference("utc"),
        "who": reference("who"),
    }))
}

fn standing_bypass() -> Value {
    object(json!({
        "since": reference("utc"),
        "until": reference("utc"),
        "remaining_us": whole("What was left of it when it was last told, in microseconds."),
        "warned": { "type": "boolean" },
        "reason": string(),
        "by": reference("who"),
        "second": maybe("string"),
    }))
}

fn standing_calibration() -> Value {
    object(json!({
        "begun": { "type": "array", "items": reference("utc") },
        "planned_ms": {
            "description": "What was left of its time when it last began or that was told anew.",
            "type": ["integer", "null"],
        },
    }))
}

fn anomaly() -> Value {
    let value = json!({
        "type": "array",
        "description": "UTC in milliseconds since 1970, value.",
        "prefixItems": [{ "type": "integer" }, maybe("number")],
        "minItems": 2,
        "maxItems": 2,
    });
    let neighbour =
        object(json!({ "key": string(), "value": maybe("number"), "quality": reference("quality") }));
    let mut anomaly = object(json!({
        "sign": one_of(Sign::ALL.map(Sign::as_str)),
        "key": string(),
        "area": string(),
        "raised": { "type": "boolean" },
        "score": maybe("number"),
        "from": reference("utc"),
        "to": reference("utc"),
        "unit": one_of(Unit::ALL.map(Unit::as_str)),
        "values": { "type": "array", "items": value },
        "neighbours": { "type": "array", "items": neighbour },
        "parameters": { "type": "object", "additionalProperties": { "type": "number" } },
        "text": reference("text"),
    }));
    describe(
        &mut anomaly,
        "A sign that data may be false or a sensor may fail: check on site. Never an accusation. `score` is how far it \
         is beyond its limit; `values` are the evidence; `parameters` are the settings that it was judged by.",
    );
    anomaly
}

fn calibration() -> Value {
    let calibration = object(json!({
        "point": string(),
        "area": string(),
        "begun": { "type": "boolean" },
        "planned_ms": whole("How long it may take; 0 where the device says so and nobody ordered it."),
        "by": maybe("string"),
        "text": reference("text"),
    }));
    let left = whole("What is left of that. Told anew, with `begun`, where the clock was set back.");
    optional(calibration, json!({ "remaining_ms": left }))
}

fn standing_alarm() -> Value {
    let standing = object(json!({
        "occurrence": whole("Its last occurrence."),
        "since": reference("utc"),
        "state": one_of(AlarmState::ALL.map(AlarmState::as_str)),
        "aside": maybe_reference("aside"),
        "occurred": reference("utc"),
        "announced": reference("utc"),
        "peak": maybe("number"),
    }));
    optional(standing, json!({ "escalated": { "type": "boolean" } }))
}

fn standing_trip() -> Value {
    object(json!({
        "first_out": maybe("string"),
        "occurrence": whole("Its last occurrence."),
        "tripped": { "type": "boolean" },
    }))
}

fn quality() -> Value {
    let mut quality = one_of(Quality::ALL.map(Quality::as_str));
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

/// `schema` with properties that are left out where there is nothing to say.
fn optional(mut schema: Value, properties: Value) -> Value {
    let known = schema.get_mut("properties").and_then(Value::as_object_mut);
    if let (Some(known), Value::Object(more)) = (known, properties) {
        known.extend(more);
    }
    schema
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
mod tests;
