//! The schema against what the journal, telemetry and payloads really write.

use super::*;
use crate::model::alarm::Aside;
use crate::model::element::Demand;
use crate::model::grade::{Grade, GradeChange, GradeRule, Reason};
use crate::model::incident::{
    Acknowledgement, Action, ActionWhat, Incident, IncidentChange, IncidentStep, OverPoint,
};
use crate::model::permit::{Permit, PermitChange, PermitKind, PermitStep, SetPoints, Tightening};
use crate::model::point::Fault;
use crate::model::point::{Reading, Tag, Text};
use crate::model::record::{
    AlarmChange, AlarmRates, AlarmStanding, Body, BypassChange, BypassStanding, BypassStep,
    CalibrationStanding, CommandDone, ConfigChange, ElementChange, Gap, IdentitySeen, Nuisance, NuisanceKind,
    ProofTestBegun, ProofTestDone, Record, Sample, Seq, Standing, Started, StrokeFound, TestStanding,
    TripChange, TripStanding, Trouble, Who, WriteChange, Written,
};
use crate::model::sign::{Anomaly, CalibrationChange};
use crate::model::time::{Mono, Now, Span, Wall};
use crate::record::chain::Chain;
use crate::record::payload::Identity;
use crate::record::seal::SecretKey;
use crate::record::tally::KeyStep;
use crate::record::telemetry::Gathering;
use crate::record::unrecorded::Unrecorded;
use std::collections::BTreeMap;

/// Fields of bodies that are left out where there is nothing to say.
const OPTIONAL: [&str; 20] = [
    "at_least",
    "attempts",
    "backup",
    "bypasses",
    "calibrations",
    "dead_us",
    "demanded",
    "escalated",
    "escalated_only",
    "failed",
    "grades",
    "incidents",
    "permits",
    "proven",
    "identities",
    "recording",
    "remaining_ms",
    "tests",
    "signs",
    "travel_us",
];

/// One event of each kind, and of each kind with something left out, as the journal writes them.
fn events() -> Vec<Value> {
    let mut chain = Chain::start("gw-1", 0xFF);
    let mut lines = chain.snapshot(Now::default(), &standing());
    lines.extend(records().iter().map(|record| chain.next(record)));
    let (old, new) = ([1, 2].map(|n| SecretKey::from_seed([n; 32]).unwrap())).into();
    let who = Who { name: "li".to_owned(), via: "local".to_owned() };
    lines.push(chain.announce(Now::default(), KeyStep::Announced, old.public(), &old, None));
    lines.push(chain.announce(Now::default(), KeyStep::Rotated, new.public(), &old, Some(&who)));
    lines.push(chain.seal(Now::default(), &new));
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn records() -> Vec<Record> {
    let text = Text::new("气体", "gas");
    let who = Who { name: "li".to_owned(), via: "local".to_owned() };
    let alarm = AlarmChange {
        escalated: true,
        key: "bottle-room.lpg-1:trip".to_owned(),
        area: "bottle-room".to_owned(),
        occurrence: 1,
        from: AlarmState::Normal,
        to: AlarmState::Unacknowledged,
        cause: AlarmCause::Occurred,
        colour: Colour::Red,
        value: Some(25.0),
        peak: None,
        unit: Unit::PctLel,
        quality: Quality::Good,
        set_point: Some(20.0),
        text: text.clone(),
        action: text.clone(),
        who: None,
        aside: None,
    };
    let aside = Aside {
        how: AsideHow::Shelved,
        until: Some(Wall::from_ms(7)),
        minutes: Some(10),
        by: "li".to_owned(),
        second: None,
        reason: "calibration".to_owned(),
        count: 1,
    };
    let nuisance = Nuisance {
        kind: NuisanceKind::Chattering,
        key: alarm.key.clone(),
        raised: true,
        count: 3,
        text: text.clone(),
    };
    let trip = TripChange {
        tag: "gas-off".to_owned(),
        area: "bottle-room".to_owned(),
        occurrence: 1,
        tripped: true,
        first_out: Some(alarm.key.clone()),
        causes: vec![alarm.key.clone()],
        effects: vec!["valve".to_owned()],
        text: text.clone(),
        who: None,
    };
    let element = ElementChange {
        tag: "valve".to_owned(),
        area: "bottle-room".to_owned(),
        kind: ElementKind::Valve,
        mode: Mode::Act,
        demand: Demand::Trip,
        phase: Phase::Confirmed,
        position: Position::Safe,
        elapsed: Some(Span::from_ms(3)),
        trips: vec!["gas-off".to_owned()],
        text: text.clone(),
        dead: Some(Span::from_ms(1)),
        travel: Some(Span::from_ms(2)),
        attempts: 1,
        backup: Some("main-valve".to_owned()),
    };
    let started = Started {
        version: "0.1.0".to_owned(),
        config_hash: "ab".to_owned(),
        previous_end: PreviousEnd::Unclean,
    };
    let config = ConfigChange {
        old_hash: "a".to_owned(),
        new_hash: "b".to_owned(),
        taken: true,
        detail: String::new(),
    };
    let command = CommandDone { who: who.clone(), command: "reset gas-off".to_owned(), refused: None };
    let trouble = Trouble { code: "journal-write", detail: String::new(), raised: true, text: text.clone() };
    let gap = Gap {
        lane: Lane::Telemetry,
        from: Wall::from_ms(0),
        to: Wall::from_ms(1),
        count: 3,
        at_least: true,
        reason: "disk".to_owned(),
    };
    let bypass = BypassChange {
        cause: "bottle-room.lpg-1:trip".to_owned(),
        area: "bottle-room".to_owned(),
        step: BypassStep::Lifted,
        trips: vec!["gas-off".to_owned()],
        since: Wall::from_ms(0),
        until: Wall::from_ms(1),
        remaining: Span::from_ms(1),
        reason: "calibration".to_owned(),
        by: who.clone(),
        second: Some("wang".to_owned()),
        who: Some(who.clone()),
        text: text.clone(),
    };
    let anomaly = Anomaly {
        sign: Sign::Frozen,
        key: "face.t0".to_owned(),
        area: "face".to_owned(),
        raised: true,
        score: 2.0,
        from: Wall::from_ms(0),
        to: Wall::from_ms(1),
        unit: Unit::PctVol,
        values: vec![(Wall::from_ms(0), 0.4)],
        neighbours: vec![("face.t1".to_owned(), None, Quality::Good)],
        parameters: vec![("frozen_min_s", 1800.0)],
        text: text.clone(),
    };
    let calibration = CalibrationChange {
        point: "face.t0".to_owned(),
        area: "face".to_owned(),
        begun: true,
        planned: Span::from_secs(600),
        remaining: Span::from_secs(600),
        by: Some("li".to_owned()),
        text: text.clone(),
    };
    let stroke = StrokeFound {
        tag: "valve".to_owned(),
        passed: Some(true),
        position: Position::Safe,
        dead: Some(Span::from_ms(1)),
        travel: None,
        attempts: 0,
    };
    let proof_test = ProofTestDone {
        target: "valve".to_owned(),
        area: "bottle-room".to_owned(),
        kind: TestKind::Full,
        result: TestResult::Passed,
        since: Wall::from_ms(0),
        strokes: vec![StrokeFound { passed: None, ..stroke.clone() }, stroke],
        who: who.clone(),
        text: text.clone(),
    };
    let begun = ProofTestBegun {
        target: "valve".to_owned(),
        area: "bottle-room".to_owned(),
        kind: TestKind::Partial,
        who: who.clone(),
        text: text.clone(),
    };
    let identity = IdentitySeen {
        point: "d1.serial".to_owned(),
        area: "face".to_owned(),
        value: 4_712.0,
        before: Some(4_711.0),
        text: text.clone(),
    };
    let write = WriteChange {
        target: "valve".to_owned(),
        area: "bottle-room".to_owned(),
        what: Written::Trip,
        failures: 1,
        fault: Some("exception 3: illegal data value".to_owned()),
        text: text.clone(),
    };
    let mut bodies = graded();
    bodies.extend([
        Body::ProofTestBegun(begun),
        Body::Identity(identity.clone()),
        Body::Identity(IdentitySeen { before: None, ..identity }),
        Body::Write(write.clone()),
        Body::Write(WriteChange { fault: None, ..write }),
        Body::ProofTest(proof_test),
        Body::Started(started),
        Body::Ended { reason: "SIGTERM".to_owned() },
        Body::Config(config),
        Body::Alarm(AlarmChange { value: None, set_point: None, who: Some(who.clone()), ..alarm.clone() }),
        Body::Alarm(AlarmChange { aside: Some((aside, AlarmState::Acknowledged)), ..alarm.clone() }),
        Body::Alarm(alarm),
        Body::Nuisance(nuisance),
        Body::AlarmRates(AlarmRates { ten_minutes: 1, hour: 2, day: 3, worst_ten_minutes: 2 }),
        Body::Trip(TripChange { first_out: None, who: Some(who), ..trip.clone() }),
        Body::Trip(trip),
        Body::Element(ElementChange { elapsed: None, demand: Demand::None, ..element.clone() }),
        Body::Element(element),
        Body::Command(CommandDone { refused: Some(vec![text]), ..command.clone() }),
        Body::Command(command),
        Body::Trouble(trouble),
        Body::Gap(gap),
        Body::Bypass(BypassChange { second: None, who: None, ..bypass.clone() }),
        Body::Bypass(bypass),
        Body::Anomaly(anomaly),
        Body::Calibration(CalibrationChange { by: None, ..calibration.clone() }),
        Body::Calibration(calibration),
    ]);
    bodies.into_iter().map(|body| Record { at: Now::default(), body }).collect()
}

/// Of incidents, colours and permits.
fn graded() -> Vec<Body> {
    let (text, at) = (Text::new("超限", "over"), Wall::from_ms(5));
    let who = Who { name: "li".to_owned(), via: "local".to_owned() };
    let over = Span::from_secs(3);
    let point = OverPoint {
        point: "face.t1".to_owned(),
        unit: Unit::PctVol,
        set_point: 1.0,
        low: false,
        after: Span::ZERO,
        peak: 1.6,
        peak_at: at,
        over,
        sum: 0.08,
        beyond: 0.03,
        unseen: Span::ZERO,
    };
    let acknowledgement =
        Acknowledgement { key: "face.t1:trip".to_owned(), occurrence: 1, who: who.clone(), after: over, at };
    let incident = Incident {
        area: "face".to_owned(),
        number: 1,
        points: vec![point],
        actions: vec![Action { tag: "face-cut".to_owned(), what: ActionWhat::Tripped, after: over, at }],
        acknowledgements: vec![acknowledgement],
        ..Incident::default()
    };
    let peaks = vec![("face.t1:trip".to_owned(), 1.6)];
    let opened = IncidentChange { step: IncidentStep::Opened, incident, peaks, text: text.clone() };
    let bare = Incident { area: "heading".to_owned(), number: 2, ..Incident::default() };
    let why = vec![Reason { rule: GradeRule::Risk, key: String::new(), value: None, limit: None }];
    let grade = GradeChange {
        area: "face".to_owned(),
        from: Colour::Blue,
        grade: Grade { colour: Colour::Red, why },
        text: text.clone(),
    };
    let permit = Permit {
        place: "face".to_owned(),
        kind: PermitKind::HotWork,
        by: "li".to_owned(),
        second: None,
        minutes: 60,
        until: at,
        tighten: Tightening::SetPoints(SetPoints { alarm: Some(0.5), ..SetPoints::default() }),
    };
    let started = PermitChange {
        permit: permit.clone(),
        area: "face".to_owned(),
        step: PermitStep::Started,
        set_points: vec![("face.t1:alarm".to_owned(), 0.5)],
        who: Some(who),
        text,
    };
    let percent = Permit { tighten: Tightening::Percent(50), place: "gone".to_owned(), ..permit };
    vec![
        Body::Incident(IncidentChange { step: IncidentStep::Closed, incident: bare, ..opened.clone() }),
        Body::Incident(opened),
        Body::Grade(grade),
        Body::Permit(PermitChange { permit: percent, area: String::new(), who: None, ..started.clone() }),
        Body::Permit(started),
    ]
}

fn standing() -> Standing {
    let alarm = AlarmStanding { occurrence: 1, ..AlarmStanding::default() };
    let trip = TripStanding { occurrence: 1, tripped: false, first_out: None };
    let bypass = BypassStanding {
        since: Wall::from_ms(0),
        until: Wall::from_ms(1),
        remaining: Span::from_ms(1),
        warned: false,
        reason: "calibration".to_owned(),
        by: Who { name: "li".to_owned(), via: "local".to_owned() },
        second: None,
    };
    let mut standing = Standing {
        alarms: BTreeMap::from([("a:trip".to_owned(), alarm)]),
        trips: BTreeMap::from([("gas-off".to_owned(), trip)]),
        failed: ["valve".to_owned()].into(),
        demanded: BTreeMap::from([("valve".to_owned(), vec!["gas-off".to_owned()])]),
        bypasses: BTreeMap::from([("a:trip".to_owned(), bypass)]),
        signs: BTreeMap::from([(("face.t0".to_owned(), Sign::Frozen), Wall::from_ms(0))]),
        calibrations: BTreeMap::from([(
            "face.t0".to_owned(),
            CalibrationStanding { planned: None, begun: vec![Wall::from_ms(0)] },
        )]),
        proven: BTreeMap::from([("valve".to_owned(), Wall::from_ms(0))]),
        identities: [("d1.serial".to_owned(), 4_711.0)].into(),
        test: Some(TestStanding {
            target: "valve".to_owned(),
            area: "bottle-room".to_owned(),
            kind: TestKind::Full,
            since: Wall::from_ms(0),
            who: Who { name: "li".to_owned(), via: "local".to_owned() },
        }),
        ..Standing::default()
    };
    for body in graded() {
        standing.apply(&Record { at: Now::default(), body });
    }
    standing
}

fn status_sample(status: Status) -> Value {
    let identity = Identity {
        gateway: "gw-1".to_owned(),
        version: "0.1.0".to_owned(),
        config_hash: "ab".repeat(32),
        boot: "00ff00ff00ff00ff".to_owned(),
    };
    serde_json::from_slice(&status.payload(&identity, Wall::from_ms(0), Seq(7), true, true)).unwrap()
}

/// Every kind of copy.
fn unrecorded_samples() -> Vec<Value> {
    let chain = Chain::start("gw-1", 0xFF);
    let entries: Vec<_> = records().iter().map(|record| chain.loose(record)).collect();
    let mut held = Unrecorded::default();
    held.refused(Seq(0), &entries);
    let nth = 0..u64::try_from(entries.len()).unwrap();
    nth.map(|nth| serde_json::from_slice(&held.after(nth).unwrap().json).unwrap()).collect()
}

fn telemetry_sample() -> Value {
    let mut gathering = Gathering::default();
    for reading in [
        Reading::bad(Fault::Stale, Mono::START),
        Reading { value: Some(0.42), quality: Quality::Good, at: Mono::START },
    ] {
        gathering.add(&Sample { point: Tag::new("face.t0").unwrap(), reading, wall: Wall::from_ms(5) });
    }
    serde_json::from_str(&gathering.finish("gw-1", 0xFF, 1).unwrap().json).unwrap()
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
    for any in events()
        .into_iter()
        .chain(unrecorded_samples())
        .chain([status_sample(Status::Lost), telemetry_sample()])
    {
        assert_eq!(faults(&root, &root, &any), [""; 0], "exactly one of the three");
    }
}

#[test]
fn a_snapshot_in_parts_is_described_too() {
    let alarm = standing().alarms.into_values().next().expect("one alarm");
    let alarms = (0..1000).map(|n| (format!("a{n}:trip"), alarm.clone())).collect();
    let lines = Chain::start("gw-1", 0xFF).snapshot(Now::default(), &Standing { alarms, ..standing() });
    let events: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.last().unwrap()["body"]["part"], events.len());
    for event in events {
        assert_eq!(faults(&messages(), &reference("event"), &event), [""; 0], "{event}");
    }
}

#[test]
fn a_payload_that_lacks_or_distorts_a_field_is_refused() {
    let root = messages();
    for event in events() {
        for name in event["body"].as_object().unwrap().keys() {
            let mut lacking = event.clone();
            lacking["body"].as_object_mut().unwrap().remove(name);
            let may_lack = OPTIONAL.contains(&name.as_str());
            assert_eq!(
                faults(&root, &reference("event"), &lacking).is_empty(),
                may_lack,
                "{name} of {event}"
            );
            let mut distorted = event.clone();
            distorted["body"][name] = json!({ "no": [["such"]] });
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
        let digits: usize = pattern.trim_start_matches("^[0-9a-f]{").trim_end_matches("}$").parse().unwrap();
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
            None if schema.get("prefixItems").is_some() => found.push(format!("item {n} is not described")),
            None => {}
        }
    }
    found
}
