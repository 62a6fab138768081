//! The schema of overlimit incidents, colours and permits.

use super::{describe, maybe, maybe_reference, object, one_of, optional, reference, string, whole};
use crate::model::alarm::Colour;
use crate::model::grade::GradeRule;
use crate::model::incident::{ActionWhat, IncidentStep};
use crate::model::permit::{PermitKind, PermitStep};
use crate::model::point::Unit;
use serde_json::{Map, Value, json};

/// What the bodies below, and the standing, are made of.
pub(super) fn parts() -> [(String, Value); 7] {
    [
        ("incident_figures", figures()),
        ("incident_point", point()),
        ("incident_action", action()),
        ("incident_acknowledgement", acknowledgement()),
        ("standing_incident", standing_incident()),
        ("reason", reason()),
        ("permit_figures", object(permit_fields())),
    ]
    .map(|(name, part)| (name.to_owned(), part))
}

fn list(name: &str) -> Value {
    json!({ "type": "array", "items": reference(name) })
}

fn numbers() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "number" } })
}

fn number(description: &str) -> Value {
    json!({ "type": "number", "description": description })
}

fn unit() -> Value {
    one_of(Unit::ALL.map(Unit::as_str))
}

fn figure_fields() -> Value {
    json!({
        "area": string(),
        "number": whole("Which incident of this area: 1 is the first ever. Area and number name it."),
        "began": reference("utc"),
        "at": reference("utc"),
        "lasted_us": whole("Microseconds since it began."),
        "over_us": whole("How long at least one point was over its limit."),
        "live_us": whole("How long, of that, a load of the area, or one that its alarms cut, was seen live: production went on."),
        "points": list("incident_point"),
        "more_points": whole("Points beyond those listed."),
        "actions": list("incident_action"),
        "more_actions": whole("Actions beyond those listed."),
        "acknowledgements": list("incident_acknowledgement"),
        "more_acknowledgements": whole("Acknowledgements beyond those listed."),
    })
}

fn figures() -> Value {
    object(figure_fields())
}

fn extended(mut fields: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), more) {
        fields.extend(more);
    }
    object(fields)
}

pub(super) fn incident() -> Value {
    let worst = object(json!({
        "point": string(),
        "value": { "type": "number" },
        "unit": unit(),
        "at": reference("utc"),
    }));
    let mut body = extended(
        figure_fields(),
        json!({
            "step": one_of(IncidentStep::ALL.map(IncidentStep::as_str)),
            "peak": { "oneOf": [worst, { "type": "null" }] },
            "peaks": numbers(),
            "text": reference("text"),
        }),
    );
    describe(
        &mut body,
        "An overlimit incident: one at a time in an area, from the first crossing of an alarm or trip set-point of a gas \
         point to the reset of every alarm. While it is open it is told at most once a minute, and at each trip. `peak` is \
         the point that went furthest beyond its limit, `peaks` the worst values of the alarms that stand.",
    );
    body
}

fn point() -> Value {
    object(json!({
        "point": string(),
        "unit": unit(),
        "set_point": number("The limit when it crossed."),
        "low": { "type": "boolean", "description": "Over when low, as oxygen." },
        "after_us": whole("How long after the incident's begin it crossed."),
        "peak": number("The worst value."),
        "peak_at": reference("utc"),
        "over_us": whole("How long it was over the limit."),
        "mean": maybe("number"),
        "sum": number("Value by time while over the limit, unit-minutes."),
        "beyond": number("The area between curve and limit, unit-minutes."),
        "unseen_us": whole("How long nobody could say; counts neither as over nor as under. The time without power is in it."),
    }))
}

fn action() -> Value {
    object(json!({
        "tag": string(),
        "what": one_of(ActionWhat::ALL.map(ActionWhat::as_str)),
        "after_us": whole("How long after the incident's begin."),
        "at": reference("utc"),
    }))
}

fn acknowledgement() -> Value {
    object(json!({
        "key": string(),
        "occurrence": whole("Which occurrence of the alarm."),
        "who": reference("who"),
        "after_us": whole("How long after the incident's begin."),
        "at": reference("utc"),
    }))
}

fn standing_incident() -> Value {
    object(json!({
        "number": whole("The number of the area's last incident."),
        "open": maybe_reference("incident_figures"),
    }))
}

pub(super) fn grade() -> Value {
    let colours = Colour::ALL.map(Colour::as_str);
    object(json!({
        "area": string(),
        "from": one_of(colours),
        "to": one_of(colours),
        "why": list("reason"),
        "text": reference("text"),
    }))
}

fn reason() -> Value {
    object(json!({
        "rule": one_of(GradeRule::ALL.map(GradeRule::as_str)),
        "key": string(),
        "value": maybe("number"),
        "limit": maybe("number"),
    }))
}

fn permit_fields() -> Value {
    let percent = object(json!({ "percent": whole("So many percent of the site file's set-points.") }));
    let set_points = object(json!({
        "warning": maybe("number"),
        "alarm": maybe("number"),
        "trip": maybe("number"),
    }));
    let number = || json!({ "type": "number" });
    let low = json!({ "low_warning": number(), "low_alarm": number(), "low_trip": number() });
    let set_points = optional(set_points, low);
    json!({
        "place": string(),
        "kind": one_of(PermitKind::ALL.map(PermitKind::as_str)),
        "by": string(),
        "second": maybe("string"),
        "minutes": whole("For how long."),
        "until": reference("utc"),
        "tighten": { "oneOf": [percent, set_points] },
    })
}

pub(super) fn permit() -> Value {
    extended(
        permit_fields(),
        Value::Object(Map::from_iter([
            ("area".to_owned(), maybe("string")),
            ("step".to_owned(), one_of(PermitStep::ALL.map(PermitStep::as_str))),
            ("set_points".to_owned(), numbers()),
            ("who".to_owned(), maybe_reference("who")),
            ("text".to_owned(), reference("text")),
        ])),
    )
}
