//! The bytes of these bodies, and that folding them gives what folding their records gives.

use super::*;
use crate::model::element::{Demand, ElementKind, Mode, Phase, Position, TestKind, TestResult};
use crate::model::point::Text;
use crate::model::record::{Body, Record};
use crate::model::time::{Mono, Now};
use crate::record::chain::Chain;
use crate::record::entry::{self, Entry, standing_apply, standing_bodies};
use proptest::prelude::*;

fn record(body: Body) -> Record {
    Record { at: Now { mono: Mono::from_us(1), wall: Wall::from_ms(5_000) }, body }
}

fn change(step: BypassStep) -> BypassChange {
    BypassChange {
        cause: "face.t0:trip".to_owned(),
        area: "face".to_owned(),
        step,
        trips: vec!["cut".to_owned()],
        since: Wall::from_ms(0),
        until: Wall::from_ms(1_800_000),
        remaining: Span::from_secs(1_800),
        reason: "calibration".to_owned(),
        by: Who { name: "li".to_owned(), via: "local".to_owned() },
        second: Some("wang".to_owned()),
        who: None,
        text: Text::new("旁路", "bypassed"),
    }
}

// Frozen, as those in `entry`.

#[test]
fn bypass_has_these_bytes() {
    assert_eq!(
        entry::body(&record(Body::Bypass(change(BypassStep::Started)))).to_string(),
        r#"{"area":"face","by":{"name":"li","via":"local"},"cause":"face.t0:trip","reason":"calibration","remaining_us":1800000000,"second":"wang","since":"1970-01-01T00:00:00.000Z","step":"started","text":{"en":"bypassed","zh":"旁路"},"trips":["cut"],"until":"1970-01-01T00:30:00.000Z","who":null}"#
    );
    let mut standing = Standing::default();
    standing.apply(&record(Body::Bypass(change(BypassStep::Started))));
    assert_eq!(
        json!(standing_bodies(&standing)).to_string(),
        r#"[{"alarms":{},"bypasses":{"face.t0:trip":{"by":{"name":"li","via":"local"},"reason":"calibration","remaining_us":1800000000,"second":"wang","since":"1970-01-01T00:00:00.000Z","until":"1970-01-01T00:30:00.000Z","warned":false}},"trips":{}}]"#
    );
}

fn element(tag: &str, demand: Demand, backup: Option<&str>) -> Record {
    record(Body::Element(ElementChange {
        tag: tag.to_owned(),
        area: "face".to_owned(),
        kind: ElementKind::Valve,
        mode: Mode::Act,
        demand,
        phase: Phase::Failed,
        position: Position::Closing,
        elapsed: None,
        trips: vec![],
        text: Text::default(),
        dead: Some(Span::from_ms(300)),
        travel: Some(Span::from_ms(1_200)),
        attempts: 2,
        backup: backup.map(str::to_owned),
    }))
}

#[test]
fn what_was_measured_of_an_element_has_these_bytes() {
    let body = entry::body(&element("valve", Demand::Trip, Some("main")));
    assert_eq!(
        body.to_string(),
        r#"{"area":"face","attempts":2,"backup":"main","dead_us":300000,"demand":"trip","elapsed_us":null,"kind":"valve","mode":"act","phase":"failed","position":"closing","tag":"valve","text":{"en":"","zh":""},"travel_us":1200000,"trips":[]}"#
    );
}

#[test]
fn what_is_demanded_stands_until_nothing_is_demanded_whichever_trips_are_still_known() {
    let told = |demand, trips: &[&str]| {
        let mut record = element("valve", demand, None);
        if let Body::Element(change) = &mut record.body {
            change.trips = trips.iter().map(|&t| t.to_owned()).collect();
        }
        record
    };
    let steps = [
        (told(Demand::Trip, &[]), None),
        (told(Demand::Trip, &["a", "b"]), Some(vec!["a".to_owned(), "b".to_owned()])),
        (told(Demand::Trip, &[]), Some(vec!["a".to_owned(), "b".to_owned()])),
        (told(Demand::None, &[]), None),
    ];
    let mut chain = Chain::start("mine-1", 1);
    let (mut by_record, mut by_line) = (Standing::default(), Standing::default());
    for (record, expected) in steps {
        by_record.apply(&record);
        let entry = Entry::parse(chain.next(&record).as_bytes()).unwrap();
        entry::standing_apply(&mut by_line, &entry);
        assert_eq!(by_record.demanded.get("valve"), expected.as_ref());
        assert_eq!(by_line, by_record);
        let mut again = Standing::default();
        for line in chain.snapshot(Now::default(), &by_record) {
            entry::standing_apply(&mut again, &Entry::parse(line.as_bytes()).unwrap());
        }
        assert_eq!(again, by_record);
    }
}

#[test]
fn proof_test_has_these_bytes() {
    let stroke = StrokeFound {
        tag: "valve".to_owned(),
        passed: Some(true),
        position: Position::Safe,
        dead: Some(Span::from_ms(300)),
        travel: None,
        attempts: 0,
    };
    let body = entry::body(&record(Body::ProofTest(ProofTestDone {
        target: "valve".to_owned(),
        area: "face".to_owned(),
        kind: TestKind::Full,
        result: TestResult::Passed,
        since: Wall::from_ms(0),
        strokes: vec![stroke],
        who: Who { name: "li".to_owned(), via: "local".to_owned() },
        text: Text::new("合格", "passed"),
    })));
    assert_eq!(
        body.to_string(),
        r#"{"area":"face","kind":"full","result":"passed","since":"1970-01-01T00:00:00.000Z","strokes":[{"attempts":0,"dead_us":300000,"passed":true,"position":"safe","tag":"valve","travel_us":null}],"target":"valve","text":{"en":"passed","zh":"合格"},"who":{"name":"li","via":"local"}}"#
    );
}

fn any_element() -> impl Strategy<Value = Record> {
    (0..3u8, any::<bool>(), any::<bool>()).prop_map(|(n, trip, backup)| {
        let demand = if trip { Demand::Trip } else { Demand::None };
        element(&format!("e{n}"), demand, backup.then_some("main"))
    })
}

fn any_change() -> impl Strategy<Value = Record> {
    let step = prop::sample::select(BypassStep::ALL.as_slice());
    (step, 0..3u8, any::<i64>(), any::<u64>(), ".*", prop::option::of(".*")).prop_map(
        |(step, n, until, left, reason, second)| {
            let until = Wall::from_ms(until);
            let remaining = Span::from_us(left);
            record(Body::Bypass(BypassChange {
                cause: format!("p{n}:trip"),
                until,
                remaining,
                reason,
                second,
                ..change(step)
            }))
        },
    )
}

fn any_proof_test() -> impl Strategy<Value = Record> {
    let kind = || prop::sample::select(TestKind::ALL.as_slice());
    let begun = (kind(), 0..3u8).prop_map(|(kind, n)| {
        let (target, area) = (format!("e{n}"), "face".to_owned());
        let who = Who { name: "li".to_owned(), via: "local".to_owned() };
        record(Body::ProofTestBegun(ProofTestBegun { target, area, kind, who, text: Text::default() }))
    });
    let results = prop::sample::select(TestResult::ALL.as_slice());
    let passed = || prop::option::of(any::<bool>());
    let done = (kind(), results, passed(), passed()).prop_map(|(kind, result, one, other)| {
        let stroke = |(n, passed): (u8, Option<bool>)| StrokeFound {
            tag: format!("e{n}"),
            passed,
            position: Position::Safe,
            dead: None,
            travel: None,
            attempts: 0,
        };
        record(Body::ProofTest(ProofTestDone {
            target: "e0".to_owned(),
            area: "face".to_owned(),
            kind,
            result,
            since: Wall::from_ms(0),
            strokes: [(0, one), (1, other)].map(stroke).into(),
            who: Who { name: "li".to_owned(), via: "local".to_owned() },
            text: Text::default(),
        }))
    });
    prop_oneof![begun, done]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn folding_lines_gives_what_folding_records_gives(
        records in prop::collection::vec(prop_oneof![any_change(), any_element(), any_proof_test()], 0..20), snapshot_at in 0..20usize,
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
            standing_apply(&mut by_line, &Entry::parse(chain.next(record).as_bytes()).unwrap());
        }
        prop_assert_eq!(by_record, by_line);
    }
}
