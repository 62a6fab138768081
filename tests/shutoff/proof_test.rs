//! Proof tests: measured, on record, let go again, and never in the way of a real demand.

use crate::bench::{Bench, plan, refusal};
use davy::model::command::{Reply, Verb};
use davy::model::element::{Demand, Phase, Position, TestKind, TestResult};
use davy::model::record::{Body, ProofTestDone};
use davy::model::table::Row;
use davy::model::time::Span;
use proptest::prelude::*;

const VALVE: &str = "bottle-room.valve";
const GAS: &str = "bottle-room.lpg-1";

fn test(target: &str, kind: TestKind) -> Verb {
    Verb::ProofTest { target: target.to_owned(), kind }
}

fn results(bench: &Bench) -> Vec<ProofTestDone> {
    bench.told(|body| if let Body::ProofTest(done) = body { Some(done.clone()) } else { None })
}

fn begins(bench: &mut Bench, target: &str, kind: TestKind) {
    let reply = bench.order(test(target, kind));
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
}

#[test]
fn a_full_test_closes_the_valve_measures_it_and_lets_it_go() {
    let mut bench = Bench::calm(&[]);
    begins(&mut bench, VALVE, TestKind::Full);
    assert_eq!(bench.demand(VALVE), Demand::Trip);
    bench.run(3);
    let done = results(&bench).pop().unwrap();
    let stroke = &done.strokes[0];
    assert_eq!(
        (done.result, stroke.passed, stroke.position),
        (TestResult::Passed, Some(true), Position::Safe)
    );
    assert!(stroke.travel.unwrap() <= Span::from_ms(1_600));
    assert_eq!((bench.demand(VALVE), done.who.name.as_str()), (Demand::None, "li"));
    assert_eq!(bench.active(), Vec::<String>::new(), "a test that is passed alarms nobody");
}

#[test]
fn a_valve_that_fails_its_test_alarms_until_it_passes_one_and_calls_no_backup() {
    let backup =
        ("open = \"open\"\ntravel_s = 3", "open = \"open\"\ntravel_s = 3\nbackup = \"boiler-house.valve\"");
    let mut bench = Bench::calm(&[backup]);
    bench.drive(VALVE).jammed = true;
    begins(&mut bench, VALVE, TestKind::Full);
    bench.run(5);
    let done = results(&bench).pop().unwrap();
    assert_eq!((done.result, done.strokes[0].dead), (TestResult::Failed, None));
    assert!(bench.is_active("bottle-room.valve:proof-test-failed"));
    assert_eq!(bench.demand(VALVE), Demand::None);
    let called =
        |body: &Body| matches!(body, Body::Element(e) if e.tag == "boiler-house.valve").then_some(());
    assert_eq!(bench.told(called).len(), 1, "all that is ever told of the other valve is that it is open");

    bench.drive(VALVE).jammed = false;
    begins(&mut bench, VALVE, TestKind::Partial);
    bench.run(5);
    assert!(
        bench.is_active("bottle-room.valve:proof-test-failed"),
        "that it moves does not say that it closes"
    );
    bench.drive(VALVE).at = 0.0;
    bench.run(1);
    begins(&mut bench, VALVE, TestKind::Full);
    bench.run(5);
    assert!(!bench.is_active("bottle-room.valve:proof-test-failed"));
}

#[test]
fn a_valve_that_is_seen_closed_only_after_its_time_has_not_passed() {
    let mut bench = Bench::calm(&[]);
    bench.drive(VALVE).jammed = true;
    begins(&mut bench, VALVE, TestKind::Full);
    bench.step();
    // Nobody looked for a while, and then it was closed.
    bench.now.mono = bench.now.mono + Span::from_ms(3_500);
    bench.drive(VALVE).at = 1.0;
    bench.poll();
    let done = results(&bench).pop().unwrap();
    assert_eq!((done.result, done.strokes[0].passed), (TestResult::Failed, Some(false)));
    assert!(done.strokes[0].travel.unwrap() >= Span::from_ms(3_500));
}

#[test]
fn a_partial_stroke_lets_go_as_soon_as_the_open_limit_is_left() {
    let mut bench = Bench::calm(&[]);
    bench.drive(VALVE).travel = Span::from_ms(2_500);
    begins(&mut bench, VALVE, TestKind::Partial);
    bench.run(2);
    let done = results(&bench).pop().unwrap();
    assert_eq!((done.result, done.strokes[0].position), (TestResult::Passed, Position::Closing));
    assert!(done.strokes[0].dead.is_some() && done.strokes[0].travel.is_none());
    assert_eq!(bench.demand(VALVE), Demand::None);
}

#[test]
fn a_partial_stroke_pushes_a_stuck_valve_no_further_than_its_dead_time() {
    let dead = ("open = \"open\"\ntravel_s = 3", "open = \"open\"\ntravel_s = 3\ndead_s = 1");
    let mut bench = Bench::calm(&[dead]);
    bench.drive(VALVE).jammed = true;
    begins(&mut bench, VALVE, TestKind::Partial);
    bench.run(2);
    assert_eq!(results(&bench).pop().unwrap().result, TestResult::Failed);
    assert_eq!(bench.demand(VALVE), Demand::None);
}

#[test]
fn an_interlock_test_measures_everything_that_the_trip_acts_on() {
    let mut bench = Bench::calm(&[]);
    bench.drive("face.return").jammed = true;
    begins(&mut bench, "face-cut", TestKind::Interlock);
    bench.run(7);
    let done = results(&bench).pop().unwrap();
    let found: Vec<_> = done.strokes.iter().map(|s| (s.tag.as_str(), s.passed)).collect();
    assert_eq!(found, [("face.section", Some(true)), ("face.return", Some(false))]);
    assert_eq!(done.result, TestResult::Failed);
    assert!(bench.is_active("face.return:proof-test-failed"));
    assert!(!bench.is_active("face.section:proof-test-failed"));
    assert_eq!(bench.demand("face.section"), Demand::None);
}

#[test]
fn a_real_demand_aborts_the_test_and_takes_over_what_it_began() {
    let mut bench = Bench::calm(&[]);
    bench.drive(VALVE).travel = Span::from_secs(2);
    begins(&mut bench, VALVE, TestKind::Full);
    bench.run(1);
    bench.set(GAS, 60.0);
    bench.run(1);
    let done = results(&bench).pop().unwrap();
    assert_eq!((done.result, done.strokes[0].passed), (TestResult::Aborted, None));
    bench.run(3);
    assert_eq!(bench.demand(VALVE), Demand::Trip);
    assert_eq!(bench.site.view(bench.now).elements[bench.element(VALVE)].phase, Phase::Confirmed);
    assert_eq!(results(&bench).len(), 1);
}

#[test]
fn a_test_of_what_can_not_be_tested_now_is_refused_with_every_reason() {
    let mut bench = Bench::calm(&[]);
    assert!(refusal(&bench.order(test("no-such", TestKind::Full))).contains("there is no valve"));
    assert!(refusal(&bench.order(test("no-such", TestKind::Interlock))).contains("there is no trip"));
    let why = refusal(&bench.order(test("face.section", TestKind::Partial)));
    assert!(why.contains("no valve with two limits"), "{why}");
    begins(&mut bench, VALVE, TestKind::Full);
    let why = refusal(&bench.order(test("boiler-house.valve", TestKind::Full)));
    assert!(why.contains("one at a time"), "{why}");
    bench.run(5);
    let why = refusal(&bench.order(test(VALVE, TestKind::Full)));
    assert!(why.contains("not in its normal position"), "{why}");
    bench.set(GAS, 60.0);
    bench.run(1);
    assert!(refusal(&bench.order(test(VALVE, TestKind::Full))).contains("is under demand now"));

    let mut observing = Bench::calm(&[("outputs = \"act\"", "outputs = \"observe\"")]);
    assert!(refusal(&observing.order(test(VALVE, TestKind::Full))).contains("nothing would be written"));
    let mut blind = Bench::calm(&[("closed = \"closed\"\nopen = \"open\"\n", "")]);
    assert!(refusal(&blind.order(test(VALVE, TestKind::Full))).contains("has no feedback"));
}

#[test]
fn a_reload_aborts_a_test() {
    let mut bench = Bench::calm(&[]);
    bench.drive(VALVE).travel = Span::from_secs(2);
    begins(&mut bench, VALVE, TestKind::Full);
    bench.run(1);
    bench.reload(plan(&[]));
    let done = results(&bench).pop().unwrap();
    assert_eq!(done.result, TestResult::Aborted);
    assert!(bench.site.view(bench.now).testing.is_none());
}

#[test]
fn what_a_test_had_begun_when_the_power_failed_is_found_and_held() {
    let mut bench = Bench::calm(&[]);
    bench.drive(VALVE).travel = Span::from_secs(2);
    begins(&mut bench, VALVE, TestKind::Full);
    bench.run(1);
    bench.restart();
    bench.poll();
    assert_eq!(bench.demand(VALVE), Demand::Trip, "nobody knows why it is written");
    bench.run(62);
    bench.acknowledge_and_reset(VALVE);
    bench.run(1);
    assert_eq!(bench.demand(VALVE), Demand::None);
}

#[derive(Clone, Debug)]
enum Act {
    Test(&'static str, TestKind),
    Gas(&'static str, f64),
    Jam(usize, bool),
    ByHand(usize),
    Reset(&'static str),
    Wait(u64),
}

fn any_act() -> impl Strategy<Value = Act> {
    let elements = vec![VALVE, "face.section", "face.return", "boiler-house.valve"];
    let kinds = prop::sample::select(vec![TestKind::Full, TestKind::Partial]);
    let gas = prop::sample::select(vec![(GAS, 60.0), (GAS, 0.0), ("face.t1", 1.6), ("face.t1", 0.0)]);
    prop_oneof![
        3 => (prop::sample::select(elements), kinds).prop_map(|(id, kind)| Act::Test(id, kind)),
        1 => prop::sample::select(vec!["face-cut", "bottle-room-shutoff"]).prop_map(|id| Act::Test(id, TestKind::Interlock)),
        2 => gas.prop_map(|(tag, value)| Act::Gas(tag, value)),
        1 => (0..4_usize, any::<bool>()).prop_map(|(n, jammed)| Act::Jam(n, jammed)),
        3 => (0..4_usize).prop_map(Act::ByHand),
        2 => prop::sample::select(vec!["face-cut", "bottle-room-shutoff"]).prop_map(Act::Reset),
        5 => (1..60_u64).prop_map(Act::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Every test that begins ends once, and in its time; while a trip stands, what it acts on is demanded, whatever a
    /// test does; and with no trip and no test nothing is demanded.
    #[test]
    fn tests_end_and_never_let_go_what_a_trip_holds(acts in prop::collection::vec(any_act(), 1..40)) {
        let mut bench = Bench::calm(&[]);
        let mut begun = 0;
        for act in acts {
            match act {
                Act::Test(target, kind) => {
                    begun += usize::from(matches!(bench.order(test(target, kind)), Reply::Done(_)));
                }
                Act::Gas(tag, value) => bench.set(tag, value),
                Act::Jam(n, jammed) => bench.drives[n].jammed = jammed,
                Act::ByHand(n) => {
                    if bench.site.demands()[n] == Demand::None && !bench.drives[n].jammed {
                        bench.drives[n].at = 0.0;
                    }
                }
                Act::Reset(trip) => {
                    bench.ack_all();
                    bench.reset(trip);
                }
                Act::Wait(steps) => {
                    for _ in 0..steps {
                        bench.step();
                        let view = bench.site.view(bench.now);
                        let mut held = vec![false; bench.plan.elements.len()];
                        for (id, trip) in bench.plan.trips.iter().filter(|(id, _)| view.trips[*id].tripped) {
                            prop_assert!(view.trips[id].tripped);
                            trip.effects.iter().for_each(|e| held[e.to_usize()] = true);
                        }
                        for (demand, held) in bench.site.demands().iter().zip(&held) {
                            prop_assert!(!held || *demand == Demand::Trip);
                            prop_assert!(*held || view.testing.is_some() || *demand == Demand::None);
                        }
                    }
                }
            }
            let open = usize::from(bench.site.view(bench.now).testing.is_some());
            prop_assert_eq!(results(&bench).len() + open, begun);
        }
        bench.run(7);
        prop_assert!(bench.site.view(bench.now).testing.is_none(), "no test lasts longer than its elements may");
        prop_assert_eq!(results(&bench).len(), begun);
    }
}

const YEARLY: (&str, &str) = (
    "open = \"open\"\ntravel_s = 3",
    "open = \"open\"\ntravel_s = 3\ncommissioned_s = 1\nproof_test_days = 365\nproof_tested = \"2025-12-01\"",
);
const DUE: &str = "bottle-room.valve:proof-test-due";

#[test]
fn a_real_trip_that_was_measured_counts_as_a_proof_test_and_one_that_was_slow_does_not() {
    let mut bench = Bench::calm(&[YEARLY]);
    assert!(!bench.is_active(DUE), "tested in December");
    bench.now.wall = bench.now.wall.after(Span::from_secs(30 * 24 * 3_600));
    bench.run(61);
    assert!(bench.is_active(DUE));
    bench.set(GAS, 60.0);
    bench.run(3);
    let done = results(&bench).pop().unwrap();
    assert_eq!((done.kind, done.result, done.target.as_str()), (TestKind::Demand, TestResult::Passed, VALVE));
    assert!(done.strokes[0].dead.is_some() && done.strokes[0].travel.unwrap() <= Span::from_secs(1));
    assert_eq!(done.who.name, "bottle-room-shutoff");
    assert!(!bench.is_active(DUE), "that is known at once");
    assert_eq!(results(&bench).len(), 1);
    bench.restart();
    bench.run(122);
    assert!(!bench.is_active(DUE), "and over a restart");
    assert_eq!(results(&bench).len(), 1, "a valve found closed has moved for nobody");

    let mut slow = Bench::calm(&[YEARLY]);
    slow.drive(VALVE).travel = Span::from_secs(2);
    slow.set(GAS, 60.0);
    slow.run(5);
    assert_eq!(results(&slow), [], "half as long again as when it was commissioned: failed");
    let mut unasked = Bench::calm(&[]);
    unasked.set(GAS, 60.0);
    unasked.run(5);
    assert_eq!(results(&unasked), [], "the file asks for no proof");
}

#[test]
fn a_test_that_a_restart_cuts_off_is_told_to_be_aborted_once_and_seen_until_the_next() {
    let mut bench = Bench::calm(&[]);
    bench.drive(VALVE).travel = Span::from_secs(2);
    begins(&mut bench, VALVE, TestKind::Full);
    bench.run(1);
    bench.restart();
    assert_eq!(results(&bench), []);
    bench.poll();
    let done = results(&bench).pop().unwrap();
    assert_eq!(
        (done.result, done.target.as_str(), done.who.name.as_str()),
        (TestResult::Aborted, VALVE, "li")
    );
    assert!(done.text.en.contains("a restart"));
    assert_eq!(bench.site.view(bench.now).cut_off.as_deref(), Some(VALVE));
    let seen = davy::views::overview::to_text(&bench.plan, &bench.site.view(bench.now), false);
    assert!(seen.contains("TEST ABORTED bottle-room.valve"), "{seen}");
    bench.restart();
    bench.poll();
    bench.run(62);
    assert_eq!(results(&bench).len(), 1, "told once");
    bench.acknowledge_and_reset(VALVE);
    bench.drive(VALVE).at = 0.0;
    bench.run(2);
    begins(&mut bench, VALVE, TestKind::Full);
    assert_eq!(bench.site.view(bench.now).cut_off, None);
}

#[test]
fn nobody_orders_a_real_demand() {
    let mut bench = Bench::calm(&[]);
    assert!(refusal(&bench.order(test(VALVE, TestKind::Demand))).contains("not for a person to order"));
}
