//! The bytes of every entry, frozen, and what hostile lines read as.

use super::signs::tests::{anomaly_record, calibration_record};
use super::*;
use crate::model::alarm::{AlarmCause, Colour};
use crate::model::element::{ElementKind, Mode, Phase, Position};
use crate::model::point::{Quality, Unit};
use crate::model::record::{Lane, PreviousEnd};
use crate::model::sign::{Anomaly, CalibrationChange, Sign};
use crate::model::time::Span;
use crate::record::chain::Chain;
use proptest::prelude::*;

const PREV: &str = "b38131f5cbc3302f9ae60cd85d7ed95e1eac0f8e9aeb7ea15f5d9a5f3e7f5f4b";

fn record(body: Body) -> Record {
    let at = Now { mono: Mono::from_us(123), wall: Wall::from_ms(1_795_491_725_123) };
    Record { at, body }
}

/// The line of `body`'s record as entry 12, and whether it reads back as the entry it was made from.
fn line(kind: &str, body: Value) -> String {
    let entry = Entry {
        seq: Seq(12),
        boot: 0xbeef,
        gateway: "mine-1".to_owned(),
        at: record(Body::Ended { reason: String::new() }).at,
        kind: kind.to_owned(),
        body,
        prev: Digest::parse(PREV).unwrap(),
    };
    let line = entry.line();
    assert_eq!(Entry::parse(line.as_bytes()), Ok(entry));
    line
}

fn assert_frozen(record_body: Body, body: &str) {
    let record = record(record_body);
    let kind = record.body.kind();
    let expected = format!(
        r#"{{"body":{body},"boot":"000000000000beef","gateway":"mine-1","kind":"{kind}","prev":"{PREV}","seq":12,"up_us":123,"utc":"2026-11-24T03:42:05.123Z","v":1}}"#
    );
    assert_eq!(line(kind, super::body(&record)), expected);
}

fn alarm_change() -> AlarmChange {
    AlarmChange {
        escalated: false,
        key: "face.t0:trip".to_owned(),
        area: "face".to_owned(),
        occurrence: 3,
        from: AlarmState::Normal,
        to: AlarmState::Unacknowledged,
        cause: AlarmCause::Occurred,
        colour: Colour::Red,
        value: Some(1.5),
        peak: Some(f64::NAN),
        unit: Unit::PctVol,
        quality: Quality::Good,
        set_point: Some(1.5),
        text: Text::new("甲烷超限", "methane \"high\"\n"),
        action: Text::new("撤人", "withdraw"),
        who: None,
        aside: None,
    }
}

fn trip_change() -> TripChange {
    TripChange {
        tag: "cut".to_owned(),
        area: "face".to_owned(),
        occurrence: 2,
        tripped: true,
        first_out: Some("face.t0:trip".to_owned()),
        causes: vec!["face.t0:trip".to_owned(), "face.t1:trip (bad)".to_owned()],
        effects: vec!["feeder".to_owned()],
        text: Text::new("断电", "power cut"),
        who: Some(Who { name: "li".to_owned(), via: "local".to_owned() }),
    }
}

// Frozen: journals are kept for years and control rooms read these bytes. If one of these tests fails, don't
// change the test: change the code back, or raise the version and go on reading the old one.

#[test]
fn started_has_these_bytes() {
    assert_frozen(
        Body::Started(Started {
            version: "0.1.0".to_owned(),
            config_hash: "ab12".to_owned(),
            previous_end: PreviousEnd::Unclean,
        }),
        r#"{"config_hash":"ab12","previous_end":"unclean","version":"0.1.0"}"#,
    );
}

#[test]
fn ended_has_these_bytes() {
    assert_frozen(Body::Ended { reason: "SIGTERM".to_owned() }, r#"{"reason":"SIGTERM"}"#);
}

#[test]
fn config_has_these_bytes() {
    assert_frozen(
        Body::Config(ConfigChange {
            old_hash: "ab12".to_owned(),
            new_hash: "cd34".to_owned(),
            taken: true,
            detail: "one point more".to_owned(),
        }),
        r#"{"detail":"one point more","new_hash":"cd34","old_hash":"ab12","taken":true}"#,
    );
}

#[test]
fn alarm_has_these_bytes() {
    assert_frozen(
        Body::Alarm(alarm_change()),
        r#"{"action":{"en":"withdraw","zh":"撤人"},"area":"face","aside":null,"cause":"occurred","colour":"red","from":"normal","key":"face.t0:trip","occurrence":3,"peak":null,"quality":"good","set_point":1.5,"text":{"en":"methane \"high\"\n","zh":"甲烷超限"},"to":"unacknowledged","under":"unacknowledged","unit":"%vol","value":1.5,"who":null}"#,
    );
}

#[test]
fn trip_has_these_bytes() {
    assert_frozen(
        Body::Trip(trip_change()),
        r#"{"area":"face","causes":["face.t0:trip","face.t1:trip (bad)"],"effects":["feeder"],"first_out":"face.t0:trip","occurrence":2,"tag":"cut","text":{"en":"power cut","zh":"断电"},"tripped":true,"who":{"name":"li","via":"local"}}"#,
    );
}

#[test]
fn element_has_these_bytes() {
    assert_frozen(
        Body::Element(ElementChange {
            tag: "valve".to_owned(),
            area: "bottle-room".to_owned(),
            kind: ElementKind::Valve,
            mode: Mode::Act,
            demand: Demand::Trip,
            phase: Phase::Confirmed,
            position: Position::Safe,
            elapsed: Some(Span::from_ms(1_234)),
            trips: vec!["leak".to_owned()],
            text: Text::new("阀门已关闭", "valve closed"),
            dead: None,
            travel: None,
            attempts: 0,
            backup: None,
        }),
        r#"{"area":"bottle-room","demand":"trip","elapsed_us":1234000,"kind":"valve","mode":"act","phase":"confirmed","position":"safe","tag":"valve","text":{"en":"valve closed","zh":"阀门已关闭"},"trips":["leak"]}"#,
    );
}

#[test]
fn command_has_these_bytes() {
    let who = Who { name: "li".to_owned(), via: "local".to_owned() };
    assert_frozen(
        Body::Command(CommandDone {
            who: who.clone(),
            command: "reset cut".to_owned(),
            refused: Some(vec![Text::new("瓦斯未降", "gas is still high")]),
        }),
        r#"{"command":"reset cut","refused":[{"en":"gas is still high","zh":"瓦斯未降"}],"who":{"name":"li","via":"local"}}"#,
    );
    assert_frozen(
        Body::Command(CommandDone { who, command: "ack --all".to_owned(), refused: None }),
        r#"{"command":"ack --all","refused":null,"who":{"name":"li","via":"local"}}"#,
    );
}

#[test]
fn trouble_has_these_bytes() {
    assert_frozen(
        Body::Trouble(Trouble {
            code: "journal-write",
            detail: String::new(),
            raised: true,
            text: Text::new("磁盘已满", "disk full"),
        }),
        r#"{"code":"journal-write","detail":"","raised":true,"text":{"en":"disk full","zh":"磁盘已满"}}"#,
    );
}

#[test]
fn gap_has_these_bytes() {
    assert_frozen(
        Body::Gap(Gap {
            lane: Lane::Telemetry,
            from: Wall::from_ms(0),
            to: Wall::from_ms(1_000),
            count: 17,
            at_least: false,
            reason: "no room".to_owned(),
        }),
        r#"{"count":17,"from":"1970-01-01T00:00:00.000Z","lane":"telemetry","reason":"no room","to":"1970-01-01T00:00:01.000Z"}"#,
    );
    assert_frozen(
        Body::Gap(Gap {
            lane: Lane::Event,
            from: Wall::from_ms(0),
            to: Wall::from_ms(1_000),
            count: 1,
            at_least: true,
            reason: "killed".to_owned(),
        }),
        r#"{"at_least":true,"count":1,"from":"1970-01-01T00:00:00.000Z","lane":"event","reason":"killed","to":"1970-01-01T00:00:01.000Z"}"#,
    );
}

#[test]
fn standing_has_these_bytes() {
    let mut standing = Standing::default();
    standing.apply(&record(Body::Alarm(alarm_change())));
    standing.apply(&record(Body::Trip(trip_change())));
    standing.apply(&record(Body::Anomaly(anomaly_record())));
    standing.apply(&record(Body::Calibration(calibration_record())));
    standing.apply(&record(Body::Grade(graded::tests::grade_record())));
    standing.apply(&record(Body::Permit(graded::tests::permit_record())));
    assert_eq!(
        json!(standing_bodies(&standing)).to_string(),
        r#"[{"alarms":{"face.t0:trip":{"announced":"2026-11-24T03:42:05.123Z","aside":null,"escalated":false,"occurred":"2026-11-24T03:42:05.123Z","occurrence":3,"peak":null,"since":"2026-11-24T03:42:05.123Z","state":"unacknowledged"}},"calibrations":{"face.t0":{"begun":["2026-11-24T03:42:05.123Z"],"planned_ms":600000}},"grades":{"face":"orange"},"permits":{"face:hot-work":{"by":"li","kind":"hot-work","minutes":120,"place":"face","second":null,"tighten":{"alarm":0.5,"trip":null,"warning":null},"until":"2026-11-24T14:00:00.000Z"}},"signs":{"face.t0":{"frozen":"2026-11-24T03:42:05.123Z"}},"trips":{"cut":{"first_out":"face.t0:trip","occurrence":2,"tripped":true}}}]"#
    );
    let empty = standing_bodies(&Standing::default());
    assert_eq!(json!(empty).to_string(), r#"[{"alarms":{},"trips":{}}]"#);
}

#[test]
fn a_row_that_does_not_say_since_when_it_is_announced_has_been_so_since_it_came_to_its_state() {
    let row = json!({
        "occurrence": 3, "state": "unacknowledged", "since": "2026-11-24T03:42:05.123Z", "aside": null, "peak": null,
    });
    let read = read_standing(&json!({ "alarms": { "face.t0:trip": row }, "trips": {} }));
    let alarm = &read.alarms["face.t0:trip"];
    assert_eq!((alarm.announced, alarm.escalated), (alarm.since, false));
}

#[test]
fn a_part_of_a_snapshot_has_these_bytes() {
    let long = "长".repeat(PART_MAX_BYTES);
    let mut standing = Standing::default();
    standing.apply(&record(Body::Alarm(AlarmChange { key: long.clone(), ..alarm_change() })));
    standing.apply(&record(Body::Trip(trip_change())));
    assert_eq!(
        json!(standing_bodies(&standing)).to_string().replace(&long, "long"),
        r#"[{"alarms":{"long":{"announced":"2026-11-24T03:42:05.123Z","aside":null,"escalated":false,"occurred":"2026-11-24T03:42:05.123Z","occurrence":3,"peak":null,"since":"2026-11-24T03:42:05.123Z","state":"unacknowledged"}},"part":1,"parts":2,"trips":{}},{"alarms":{},"part":2,"parts":2,"trips":{"cut":{"first_out":"face.t0:trip","occurrence":2,"tripped":true}}}]"#
    );
}

#[test]
fn an_entry_knows_what_it_is_about() {
    let about = |body: Body| {
        let entry = Entry::parse(Chain::start("mine-1", 1).next(&record(body)).as_bytes()).unwrap();
        (entry.area().map(str::to_owned), entry.key().map(str::to_owned))
    };
    let both = |area: &str, key: &str| (Some(area.to_owned()), Some(key.to_owned()));
    assert_eq!(about(Body::Alarm(alarm_change())), both("face", "face.t0:trip"));
    assert_eq!(about(Body::Trip(trip_change())), both("face", "cut"));
    assert_eq!(about(Body::Ended { reason: String::new() }), (None, None));
}

#[test]
fn a_line_that_is_no_entry_says_why() {
    let good = line("ended", json!({}));
    let fault = |from: &str, to: &str| Entry::parse(good.replace(from, to).as_bytes()).unwrap_err();
    assert_eq!(fault("\"v\":1", "\"v\":2"), EntryFault::Newer(2));
    assert_eq!(fault("\"seq\":12", "\"seq\":-12"), EntryFault::Field("seq"));
    assert_eq!(fault("\"seq\":12", "\"seq\":1000000000000001"), EntryFault::Field("seq"));
    assert_eq!(fault("2026", "year"), EntryFault::Field("utc"));
    assert_eq!(fault("\"body\"", "\"bodi\""), EntryFault::Field("body"));
    assert_eq!(fault("b381", "x381"), EntryFault::Field("prev"));
    assert_eq!(fault("b381", "+381"), EntryFault::Field("prev"));
    assert_eq!(fault("000000000000beef", "+00000000000beef"), EntryFault::Field("boot"));
    assert!(matches!(fault("{", ""), EntryFault::NotJson(_)));
}

fn any_standing_record() -> impl Strategy<Value = Record> {
    let states = prop::sample::select(AlarmState::ALL.as_slice());
    let causes = prop::sample::select(AlarmCause::ALL.as_slice());
    let alarm = (0..4u8, any::<u32>(), states, causes, prop::option::of(any::<f64>())).prop_map(
        |(n, occurrence, to, cause, peak)| {
            let key = format!("p{n}:trip");
            Body::Alarm(AlarmChange { key, occurrence, to, cause, peak, ..alarm_change() })
        },
    );
    let trip = (0..4u8, any::<u32>(), any::<bool>(), prop::option::of(".*")).prop_map(
        |(n, occurrence, tripped, first_out)| {
            Body::Trip(TripChange { tag: format!("t{n}"), occurrence, tripped, first_out, ..trip_change() })
        },
    );
    let sign =
        (0..2u8, prop::sample::select(Sign::ALL.as_slice()), any::<bool>()).prop_map(|(n, sign, raised)| {
            Body::Anomaly(Anomaly { key: format!("p{n}"), sign, raised, ..anomaly_record() })
        });
    let calibration =
        (0..2u8, any::<bool>(), 0..u64::MAX / 1000, 0..=2u64).prop_map(|(n, begun, ms, share)| {
            let (point, planned) = (format!("p{n}"), Span::from_ms(ms));
            let remaining = Span::from_ms(ms / 2 * share);
            Body::Calibration(CalibrationChange { point, begun, planned, remaining, ..calibration_record() })
        });
    let other = ".*".prop_map(|reason| Body::Ended { reason });
    (any::<i64>(), prop_oneof![alarm, trip, sign, calibration, other, graded::tests::any_body()])
        .prop_map(|(ms, body)| Record { at: Now { mono: Mono::from_us(1), wall: Wall::from_ms(ms) }, body })
}

proptest! {
    #[test]
    fn folding_lines_gives_what_folding_records_gives(
        records in prop::collection::vec(any_standing_record(), 0..30),
        snapshot_at in 0..30usize,
    ) {
        let mut chain = Chain::start("mine-1", 1);
        let (mut by_record, mut by_line) = (Standing::default(), Standing::default());
        for (n, record) in records.iter().enumerate() {
            if n == snapshot_at {
                by_line = Standing::default();
                for line in chain.snapshot(record.at, &by_record) {
                    standing_apply(&mut by_line, &Entry::parse(line.as_bytes()).unwrap());
                }
            }
            by_record.apply(record);
            let line = chain.next(record);
            prop_assert!(!line.contains('\n'));
            standing_apply(&mut by_line, &Entry::parse(line.as_bytes()).unwrap());
        }
        prop_assert_eq!(by_record, by_line);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Entry::parse(&bytes).is_err());
    }
}
