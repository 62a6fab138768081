//! Bypasses: one voter, for a bounded time, for a reason, and never for longer than was said.

use crate::bench::{Bench, plan, refusal};
use davy::model::command::{Reply, Verb};
use davy::model::element::Demand;
use davy::model::record::{Body, BypassStep, Standing};
use davy::model::time::{Span, Wall};
use davy::safety::Site;
use proptest::prelude::*;
use std::sync::Arc;

const ONE: &str = "bottle-room.lpg-1:trip";
const TWO: &str = "bottle-room.lpg-2:trip";
const VALVE: &str = "bottle-room.valve";

fn bypass(target: &str, minutes: u32) -> Verb {
    Verb::Bypass {
        target: target.to_owned(),
        minutes: Some(minutes),
        reason: "calibration".to_owned(),
        second: Some("wang".to_owned()),
    }
}

fn unbypass(target: &str) -> Verb {
    Verb::Unbypass { target: target.to_owned() }
}

fn steps(bench: &Bench) -> Vec<BypassStep> {
    bench.told(|body| if let Body::Bypass(b) = body { Some(b.step) } else { None })
}

#[test]
fn a_bypassed_detector_trips_nothing_and_the_other_one_still_does() {
    let mut bench = Bench::calm(&[]);
    assert!(matches!(bench.order(bypass(ONE, 30)), Reply::Done(_)));
    assert!(bench.is_active("bottle-room.lpg-1:bypass-active"));
    bench.set("bottle-room.lpg-1", 60.0);
    bench.run(20);
    assert_eq!(bench.demand(VALVE), Demand::None);
    assert!(bench.is_active(ONE), "it goes on being judged and annunciated");
    bench.set("bottle-room.lpg-2", 60.0);
    bench.run(1);
    assert_eq!(bench.demand(VALVE), Demand::Trip);
}

#[test]
fn no_bypass_and_no_calibration_together_leave_a_trip_without_a_voter() {
    let calibrate = |tag: &str| Verb::Calibrate { point: tag.to_owned(), minutes: Some(5) };
    let mut bench = Bench::calm(&[]);
    bench.order(bypass(ONE, 30));
    let why = refusal(&bench.order(calibrate("bottle-room.lpg-2")));
    assert!(why.contains("lpg-1:trip of the same trip is bypassed"), "{why}");
    assert!(matches!(bench.order(calibrate("face.t1")), Reply::Done(_)), "of another trip");

    let mut bench = Bench::calm(&[]);
    assert!(matches!(bench.order(calibrate("bottle-room.lpg-2")), Reply::Done(_)));
    let why = refusal(&bench.order(bypass(ONE, 30)));
    assert!(why.contains("lpg-2 of the same trip is being calibrated"), "{why}");
}

#[test]
fn it_is_announced_five_minutes_before_its_end_and_ends_by_itself() {
    let mut bench = Bench::calm(&[]);
    bench.order(bypass(ONE, 10));
    bench.run(299);
    assert_eq!(steps(&bench), [BypassStep::Started]);
    bench.run(1);
    assert_eq!(steps(&bench), [BypassStep::Started, BypassStep::Warned], "five minutes and no less");
    bench.set("bottle-room.lpg-1", 60.0);
    bench.run(298);
    assert_eq!(bench.demand(VALVE), Demand::None);
    bench.run(3);
    assert_eq!(steps(&bench), [BypassStep::Started, BypassStep::Warned, BypassStep::Expired]);
    assert_eq!(bench.demand(VALVE), Demand::Trip, "what it says counts again");
    assert!(!bench.is_active("bottle-room.lpg-1:bypass-active"));
}

#[test]
fn a_bypass_that_is_not_in_order_is_refused_with_everything_that_it_lacks() {
    let mut bench = Bench::calm(&[]);
    let asked = |target: &str, minutes, reason: &str, second: Option<&str>| Verb::Bypass {
        target: target.to_owned(),
        minutes,
        reason: reason.to_owned(),
        second: second.map(str::to_owned),
    };
    let why = refusal(&bench.order(asked(ONE, Some(481), " ", None)));
    for part in ["1 to 480 min", "a reason is missing", "a second person"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let reply = bench.order_by("Li (root)", asked(ONE, None, "test", Some("LI")));
    assert!(refusal(&reply).contains("is the person who asks"));
    let why = refusal(&bench.order(asked("bottle-room.lpg-1:alarm", None, "test", Some("wang"))));
    assert!(why.contains("votes in no trip"), "{why}");
    assert!(refusal(&bench.order(asked("no:such", None, "test", None))).contains("there is no alarm"));
    bench.set("bottle-room.lpg-1", 60.0);
    bench.run(1);
    let why = refusal(&bench.order(asked(ONE, None, "test", Some("wang"))));
    assert!(why.contains("is in alarm now"), "{why}");
    assert!(steps(&bench).is_empty());
}

#[test]
fn one_voter_of_a_trip_at_a_time() {
    let mut bench = Bench::calm(&[]);
    bench.order(bypass(ONE, 30));
    assert!(refusal(&bench.order(bypass(TWO, 30))).contains("of the same trip is bypassed"));
    assert!(refusal(&bench.order(bypass(ONE, 30))).contains("is bypassed already"));
    bench.order(unbypass(ONE));
    assert!(matches!(bench.order(bypass(TWO, 30)), Reply::Done(_)));
    // The members of a group of a trip are voters of that trip.
    assert!(matches!(bench.order(bypass("heading.t1:lock", 30)), Reply::Done(_)));
    assert!(refusal(&bench.order(bypass("heading.fan:contact-trip", 30))).contains("of the same trip"));
}

#[test]
fn within_a_day_a_cause_is_out_for_no_longer_than_one_shift() {
    let mut bench = Bench::calm(&[("vote = \"1oo2\"", "vote = \"1oo2\"\nbypass = \"one-person\"")]);
    let alone = |minutes| Verb::Bypass {
        target: ONE.to_owned(),
        minutes: Some(minutes),
        reason: "calibration".to_owned(),
        second: None,
    };
    assert!(matches!(bench.order(alone(6)), Reply::Done(_)));
    bench.run(361);
    assert!(refusal(&bench.order(alone(6))).contains("a second person"), "one second after its end");
    bench.run(600);
    assert!(refusal(&bench.order(alone(475))).contains("474 min are left"));
    bench.restart();
    bench.run(2);
    assert!(refusal(&bench.order(alone(475))).contains("474 min are left"), "a restart forgets nothing");
    bench.reload(plan(&[]));
    assert!(refusal(&bench.order(bypass(ONE, 475))).contains("474 min are left"), "nor does a reload");
    assert!(matches!(bench.order(bypass(ONE, 474)), Reply::Done(_)));
    assert_eq!(bench.folded(), bench.site.standing());
}

#[test]
fn the_site_file_says_who_may_and_what_never() {
    let edit = |rule: &'static str| Bench::calm(&[("vote = \"1oo2\"", rule)]);
    let alone = || Verb::Bypass {
        target: ONE.to_owned(),
        minutes: None,
        reason: "calibration".to_owned(),
        second: None,
    };
    let mut never = edit("vote = \"1oo2\"\nbypass = \"never\"");
    assert!(refusal(&never.order(bypass(ONE, 30))).contains("never bypassed"));
    let mut one =
        edit("vote = \"1oo2\"\nbypass = \"one-person\"\napproved = { by = \"Wang\", reason = \"the test\" }");
    assert!(matches!(one.order(alone()), Reply::Done(_)));
    assert!(refusal(&Bench::calm(&[]).order(alone())).contains("a second person"));
}

#[test]
fn what_is_bypassed_proves_nothing_for_a_reset() {
    let mut bench = Bench::calm(&[]);
    bench.set("bottle-room.lpg-2", 60.0);
    bench.run(1);
    bench.set("bottle-room.lpg-2", 0.0);
    bench.order(bypass(ONE, 30));
    bench.run(5);
    bench.ack_all();
    let why = refusal(&bench.reset("bottle-room-shutoff"));
    assert!(why.contains("proves nothing"), "{why}");
    bench.order(unbypass(ONE));
    bench.run(5);
    bench.acknowledge_and_reset("bottle-room-shutoff");
}

#[test]
fn it_survives_a_restart_with_what_is_left_of_it() {
    let mut bench = Bench::calm(&[]);
    bench.order(bypass(ONE, 30));
    bench.run(60);
    bench.restart();
    assert_eq!(bench.site.view(bench.now).bypasses[0].left, Span::from_secs(29 * 60));
    assert!(bench.is_active("bottle-room.lpg-1:bypass-active"));
    // An hour without power: nothing is left.
    bench.now.wall = Wall::from_ms(bench.now.wall.ms() + 3_600_000);
    bench.restart();
    bench.run(1);
    assert_eq!(steps(&bench).last(), Some(&BypassStep::Expired));
    assert_eq!(bench.folded().bypasses.len(), 0);
}

#[test]
fn a_clock_set_back_gives_it_no_more_time() {
    let mut bench = Bench::calm(&[]);
    bench.order(bypass(ONE, 30));
    bench.run(20 * 60);
    bench.now.wall = Wall::from_ms(bench.now.wall.ms() - 3_600_000);
    bench.run(60);
    assert_eq!(steps(&bench), [BypassStep::Started, BypassStep::Reckoned]);
    bench.restart();
    let left = bench.site.view(bench.now).bypasses[0].left;
    assert!(left <= Span::from_secs(9 * 60), "{left}");
    // Set back while the power was off: no longer than was left when that was last told, five minutes before its end.
    bench.run(6 * 60);
    bench.now.wall = Wall::from_ms(bench.now.wall.ms() - 15 * 60_000);
    bench.restart();
    let left = bench.site.view(bench.now).bypasses[0].left;
    assert!(left <= Span::from_secs(5 * 60), "{left}");
    // And to before the bypass began.
    bench.now.wall = Wall::from_ms(0);
    bench.restart();
    bench.run(1);
    assert_eq!(steps(&bench).last(), Some(&BypassStep::Expired));
}

#[test]
fn a_reload_neither_ends_nor_prolongs_it_unless_the_new_file_forbids_it() {
    let mut bench = Bench::calm(&[]);
    bench.order(bypass(ONE, 30));
    bench.run(60);
    bench.reload(plan(&[]));
    assert_eq!(bench.site.view(bench.now).bypasses[0].left, Span::from_secs(29 * 60));
    bench.reload(plan(&[("vote = \"1oo2\"", "vote = \"1oo2\"\nbypass = \"never\"")]));
    assert_eq!(steps(&bench), [BypassStep::Started, BypassStep::Removed]);
    assert!(bench.site.view(bench.now).bypasses.is_empty());
    assert!(bench.folded().bypasses.is_empty());
}

/// What can happen while bypasses stand.
#[derive(Clone, Debug)]
enum Act {
    Bypass { one: bool, minutes: u32 },
    Unbypass { one: bool },
    Wait { minutes: u64 },
    ClockBack { minutes: i64 },
    Restart { minutes_off: i64 },
    Reload,
    Gas { one: bool, value: f64 },
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (any::<bool>(), 1..60_u32).prop_map(|(one, minutes)| Act::Bypass { one, minutes }),
        1 => any::<bool>().prop_map(|one| Act::Unbypass { one }),
        6 => (1..20_u64).prop_map(|minutes| Act::Wait { minutes }),
        1 => (1..120_i64).prop_map(|minutes| Act::ClockBack { minutes }),
        1 => (0..20_i64).prop_map(|minutes_off| Act::Restart { minutes_off }),
        1 => Just(Act::Reload),
        1 => (any::<bool>(), prop::sample::select(vec![0.0, 60.0])).prop_map(|(one, value)| Act::Gas { one, value }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    /// By an account of its own, in true time: a bypass never outlives what was granted, at most one voter of a trip is
    /// out, and gas at a detector that is not bypassed always trips.
    #[test]
    fn a_bypass_never_outlives_its_end(acts in prop::collection::vec(any_act(), 1..14)) {
        let mut bench = Bench::new(&[]);
        bench.run(2);
        let keys = |one: bool| if one { ONE } else { TWO };
        let mut true_ms = 0_i64;
        let mut ends_at: Option<i64> = None;
        for act in acts {
            match act {
                Act::Bypass { one, minutes } => {
                    if matches!(bench.order(bypass(keys(one), minutes)), Reply::Done(_)) {
                        prop_assert_eq!(ends_at, None, "a second one");
                        ends_at = Some(true_ms + i64::from(minutes) * 60_000);
                    }
                }
                Act::Unbypass { one } => {
                    if matches!(bench.order(unbypass(keys(one))), Reply::Done(_)) {
                        ends_at = None;
                    }
                }
                Act::Wait { minutes } => {
                    // Time in strides of a tenth of a minute: devices are lost and found, bypasses are not.
                    for _ in 0..minutes * 10 {
                        true_ms += 6_000;
                        bench.now.mono = bench.now.mono + Span::from_secs(6);
                        bench.now.wall = Wall::from_ms(bench.now.wall.ms() + 6_000);
                        bench.poll();
                        bench.give(davy::safety::Input::Tick);
                    }
                }
                Act::ClockBack { minutes } => {
                    bench.now.wall = Wall::from_ms(bench.now.wall.ms() - minutes * 60_000);
                    bench.give(davy::safety::Input::Tick);
                }
                Act::Restart { minutes_off } => {
                    true_ms += minutes_off * 60_000;
                    bench.now.wall = Wall::from_ms(bench.now.wall.ms() + minutes_off * 60_000);
                    bench.restart();
                }
                Act::Reload => bench.reload(plan(&[])),
                Act::Gas { one, value } => {
                    bench.set(if one { "bottle-room.lpg-1" } else { "bottle-room.lpg-2" }, value);
                    bench.poll();
                }
            }
            bench.give(davy::safety::Input::Tick);
            let out: Vec<_> = bench.site.view(bench.now).bypasses.iter().map(|b| b.cause).collect();
            prop_assert!(out.len() <= 1);
            // Two seconds of the clock's slack, and a second for each reckoning in milliseconds.
            prop_assert!(out.is_empty() || ends_at.is_some_and(|end| true_ms <= end + 3_000), "outlived its end");
            ends_at = ends_at.filter(|_| !out.is_empty());
            for (key, tag) in [(ONE, "bottle-room.lpg-1"), (TWO, "bottle-room.lpg-2")] {
                let gas = bench.values.get(&bench.point(tag)).is_some_and(|v| *v >= 25.0);
                if gas && bench.is_active(key) && !out.contains(&bench.alarm(key)) {
                    prop_assert_eq!(bench.demand(VALVE), Demand::Trip);
                }
            }
            prop_assert_eq!(bench.folded(), bench.site.standing());
        }
    }
}

#[test]
fn a_bypass_of_what_the_file_no_longer_has_is_forgotten_at_a_start() {
    let mut bench = Bench::calm(&[]);
    bench.order(bypass(ONE, 30));
    let never = plan(&[("vote = \"1oo2\"", "vote = \"1oo2\"\nbypass = \"never\"")]);
    let site = Site::new(Arc::new(never), &bench.folded(), bench.now);
    assert!(site.view(bench.now).bypasses.is_empty());
    assert_eq!(site.standing().bypasses, Standing::default().bypasses);
}
