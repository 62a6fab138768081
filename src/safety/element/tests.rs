//! One element against sentences and random histories.

use super::*;
use crate::model::plan::Supervision;
use crate::model::point::Tag;
use crate::model::register::{Command, Location, Space};
use crate::model::table::{AlarmId, AreaId, DeviceId, ElementId, Row};
use proptest::prelude::*;

fn element() -> Element {
    let at = Location { space: Space::Coil, address: 0 };
    let contact = |n| Some(Contact { point: PointId::from_usize(n), yes: true });
    Element {
        tag: Tag::new("valve").unwrap(),
        kind: ElementKind::Valve,
        name: Text::new("阀", "valve"),
        area: AreaId::from_usize(0),
        device: DeviceId::from_usize(0),
        command: Command::plain(at, 1, Some(0)),
        mode: Mode::Act,
        safe_contact: contact(0),
        unsafe_contact: contact(1),
        readback: PointId::from_usize(2),
        travel_limit: Span::from_secs(10),
        not_confirmed: AlarmId::from_usize(0),
        supervision: Supervision::default(),
    }
}

fn with(supervision: Supervision) -> Element {
    Element { supervision, ..element() }
}

fn ms(ms: u64) -> Mono {
    Mono::from_us(ms * 1_000)
}

/// A life that was seen open at the start.
fn open(element: &Element) -> ElementLife {
    let mut life = ElementLife::default();
    life.watch(ms(0), element, Position::Unsafe, true);
    life
}

/// A demand at 1 s, written and read back at 1.1 s, and then positions at their times.
fn stroke(element: &Element, seen: &[(u64, Position)]) -> ElementLife {
    let mut life = open(element);
    life.demand(ms(1_000), Demand::Trip);
    life.written(ms(1_100), element, Demand::Trip);
    for (at, position) in seen {
        life.watch(ms(*at), element, *position, true);
    }
    life
}

#[test]
fn a_stroke_goes_from_open_by_way_of_closing_to_closed_and_is_measured() {
    let e = element();
    let mut life = stroke(&e, &[(1_400, Position::Travelling)]);
    assert_eq!((life.position, life.phase), (Position::Closing, Phase::Commanded));
    life.watch(ms(3_600), &e, Position::Safe, true);
    assert_eq!((life.position, life.phase), (Position::Safe, Phase::Confirmed));
    assert_eq!(life.stroke.dead, Some(Span::from_ms(300)), "from the command that was read back");
    assert_eq!(life.stroke.travel, Some(Span::from_ms(2_500)));
    assert!(words(&e, &life).en.contains("confirmed closed in 2500 ms"));
    life.demand(ms(9_000), Demand::None);
    life.watch(ms(9_500), &e, Position::Travelling, true);
    assert_eq!(life.position, Position::Opening);
    life.watch(ms(9_900), &e, Position::Unsafe, true);
    assert_eq!(
        (life.position, life.verdict(Condition::MovedUncommanded, &e)),
        (Position::Unsafe, Verdict::Clear)
    );
}

#[test]
fn one_that_does_not_leave_its_open_limit_in_its_dead_time_has_failed_at_once() {
    let e = with(Supervision { dead_limit: Some(Span::from_secs(1)), ..Supervision::default() });
    let life = stroke(&e, &[(2_000, Position::Unsafe)]);
    assert_eq!(life.phase, Phase::Commanded);
    let mut life = stroke(&e, &[(2_100, Position::Unsafe)]);
    assert_eq!(life.phase, Phase::Failed);
    assert!(words(&e, &life).en.contains("has not moved"));
    life.watch(ms(2_500), &e, Position::Safe, true);
    assert_eq!(life.phase, Phase::Confirmed, "late, and closed after all");
    let left = stroke(&e, &[(1_900, Position::Travelling), (5_000, Position::Travelling)]);
    assert_eq!(left.phase, Phase::Commanded, "on its way it has its travel time");
}

#[test]
fn against_its_commissioned_time_it_is_slow_from_1_2_and_has_failed_from_1_5() {
    let e = with(Supervision { commissioned: Some(Span::from_secs(2)), ..Supervision::default() });
    let verdict = |took: u64| {
        let life = stroke(&e, &[(1_200, Position::Travelling), (1_100 + took, Position::Safe)]);
        (life.verdict(Condition::SlowTravel, &e), life.phase)
    };
    assert_eq!(verdict(2_399), (Verdict::Clear, Phase::Confirmed));
    assert_eq!(verdict(2_400), (Verdict::Breach, Phase::Confirmed));
    let failed = stroke(&e, &[(1_200, Position::Travelling), (4_100, Position::Travelling)]);
    assert_eq!(failed.phase, Phase::Failed);
    assert_eq!(open(&e).verdict(Condition::SlowTravel, &e), Verdict::Unknown, "nothing was measured");
}

#[test]
fn what_was_closed_before_the_demand_is_confirmed_and_measures_nothing() {
    let e = element();
    let mut life = ElementLife::default();
    life.watch(ms(0), &e, Position::Safe, true);
    life.demand(ms(1_000), Demand::Trip);
    life.watch(ms(1_000), &e, Position::Safe, true);
    assert_eq!((life.phase, life.stroke.travel), (Phase::Confirmed, None));
}

#[test]
fn one_without_feedback_is_confirmed_by_its_read_back_and_stays_so() {
    let e = Element { safe_contact: None, unsafe_contact: None, ..element() };
    let mut life = ElementLife::default();
    life.demand(ms(1_000), Demand::Trip);
    life.watch(ms(1_050), &e, Position::Unknown, true);
    assert_eq!(life.phase, Phase::Demanded);
    life.written(ms(1_100), &e, Demand::Trip);
    for at in [1_100, 20_000, 40_000] {
        life.watch(ms(at), &e, Position::Unknown, true);
        assert_eq!(life.phase, Phase::Confirmed);
    }
}

#[test]
fn writes_that_fail_are_counted_until_the_next_demand() {
    let e = element();
    let mut life = open(&e);
    life.not_written(Demand::Trip);
    assert_eq!(life.stroke.attempts, 0, "nothing was demanded");
    life.demand(ms(1_000), Demand::Trip);
    life.not_written(Demand::Trip);
    life.not_written(Demand::Trip);
    assert_eq!(life.stroke.attempts, 2);
    life.demand(ms(2_000), Demand::None);
    life.demand(ms(3_000), Demand::Trip);
    assert_eq!(life.stroke.attempts, 0);
}

#[test]
fn a_valve_that_closes_without_a_command_has_moved_by_itself_until_it_is_open_again() {
    let e = element();
    let moved = |life: &ElementLife| life.verdict(Condition::MovedUncommanded, &e);
    let mut life = open(&e);
    assert_eq!(moved(&life), Verdict::Clear);
    life.watch(ms(100), &e, Position::Unknown, true);
    assert_ne!(moved(&life), Verdict::Breach, "a silent limit switch moves nothing");
    life.watch(ms(200), &e, Position::Safe, true);
    assert_eq!(moved(&life), Verdict::Breach, "it moved while nobody looked");
    life.watch(ms(300), &e, Position::Unknown, true);
    assert_eq!(moved(&life), Verdict::Breach);
    life.watch(ms(400), &e, Position::Unsafe, true);
    assert_eq!(moved(&life), Verdict::Clear);
}

#[test]
fn what_is_only_observed_is_moved_by_others() {
    let e = Element { mode: Mode::Observe, ..element() };
    let mut life = open(&e);
    life.watch(ms(200), &e, Position::Safe, true);
    assert_ne!(life.verdict(Condition::MovedUncommanded, &e), Verdict::Breach);
}

#[test]
fn a_valve_that_is_opened_against_its_demand_has_failed_and_moved() {
    let e = element();
    let mut life = stroke(&e, &[(2_000, Position::Safe)]);
    life.watch(ms(3_000), &e, Position::Travelling, true);
    assert_eq!((life.position, life.phase), (Position::Opening, Phase::Confirmed));
    assert_eq!(life.verdict(Condition::MovedUncommanded, &e), Verdict::Breach);
    life.watch(ms(3_500), &e, Position::Unsafe, true);
    assert_eq!(life.phase, Phase::Failed);
    life.watch(ms(4_000), &e, Position::Safe, true);
    assert_eq!(
        (life.phase, life.verdict(Condition::MovedUncommanded, &e)),
        (Phase::Confirmed, Verdict::Clear)
    );
}

#[test]
fn limits_that_contradict_and_a_stand_between_them_are_told() {
    let e = element();
    let told = |life: &ElementLife| life.verdict(Condition::FeedbackConflict, &e);
    let mut life = open(&e);
    assert_eq!(told(&life), Verdict::Clear);
    life.watch(ms(100), &e, Position::Conflict, true);
    assert_eq!(told(&life), Verdict::Breach);
    life.watch(ms(200), &e, Position::Travelling, true);
    assert_eq!(told(&life), Verdict::Clear);
    life.watch(ms(10_200), &e, Position::Travelling, true);
    assert_eq!(told(&life), Verdict::Breach, "no travel takes that long");
}

#[test]
fn a_feed_that_is_live_though_cut_is_told_apart_from_one_that_says_nothing() {
    let e = Element { kind: ElementKind::Load, ..element() };
    let live = stroke(&e, &[(11_000, Position::Unsafe)]);
    assert_eq!(live.verdict(Condition::FeedLive, &e), Verdict::Breach);
    assert_eq!(live.verdict(Condition::NotConfirmed, &e), Verdict::Breach);
    let silent = stroke(&e, &[(11_000, Position::Unknown)]);
    assert_eq!(silent.verdict(Condition::FeedLive, &e), Verdict::Unknown);
    assert_eq!(silent.verdict(Condition::NotConfirmed, &e), Verdict::Breach);
}

#[test]
fn what_is_let_go_is_expected_back_when_the_site_says_so() {
    let e = with(Supervision { reopens: Some(Span::from_secs(60)), ..Supervision::default() });
    let mut life = stroke(&e, &[(2_000, Position::Safe)]);
    life.demand(ms(5_000), Demand::None);
    life.watch(ms(64_999), &e, Position::Safe, true);
    assert_ne!(life.verdict(Condition::FailedToOpen, &e), Verdict::Breach);
    life.watch(ms(65_000), &e, Position::Safe, true);
    assert_eq!(life.verdict(Condition::FailedToOpen, &e), Verdict::Breach);
    life.watch(ms(66_000), &e, Position::Travelling, true);
    assert_eq!(life.verdict(Condition::FailedToOpen, &e), Verdict::Clear);
}

#[test]
fn gas_that_rises_behind_a_closed_valve_is_a_leak_and_gas_that_falls_is_none() {
    let check = LeakCheck {
        from: Span::from_secs(60),
        to: Span::from_secs(120),
        points: vec![(PointId::from_usize(9), 1.0)],
    };
    let e = element();
    let leaks = |values: &[(u64, f64, Quality)]| {
        let mut life = stroke(&e, &[(2_000, Position::Safe)]);
        for (s, value, quality) in values {
            let at = ms(2_000 + s * 1_000);
            let reading = Reading { value: Some(*value), quality: *quality, at };
            life.check_leak(at, &check, |_| reading);
        }
        life.verdict(Condition::LeakThrough, &e)
    };
    let good = Quality::Good;
    assert_eq!(leaks(&[(0, 10.0, good), (59, 90.0, good)]), Verdict::Unknown, "it spreads for a while");
    assert_eq!(
        leaks(&[(0, 1.0, good), (60, 20.0, good), (90, 20.9, good), (120, 19.0, good)]),
        Verdict::Clear
    );
    assert_eq!(leaks(&[(0, 1.0, good), (60, 20.0, good), (90, 21.0, good)]), Verdict::Breach);
    assert_eq!(
        leaks(&[(0, 1.0, good), (60, 20.0, good), (120, 19.0, good), (200, 50.0, good)]),
        Verdict::Clear
    );
    let over = Quality::Uncertain(Doubt::OverRange);
    assert_eq!(leaks(&[(0, 1.0, good), (60, 20.0, good), (90, 20.0, over)]), Verdict::Breach);
}

/// What can happen to an element.
#[derive(Clone, Copy, Debug)]
enum Act {
    Demand(Demand),
    Written,
    NotWritten,
    See(Position),
}

fn any_act() -> impl Strategy<Value = (u64, Act)> {
    let seen =
        [Position::Unknown, Position::Safe, Position::Unsafe, Position::Travelling, Position::Conflict];
    let act = prop_oneof![
        2 => prop::sample::select(vec![Demand::None, Demand::Trip]).prop_map(Act::Demand),
        1 => Just(Act::Written),
        1 => Just(Act::NotWritten),
        6 => prop::sample::select(seen.to_vec()).prop_map(Act::See),
    ];
    (0..4_000_u64, act)
}

fn any_element() -> impl Strategy<Value = Element> {
    let time = || prop::option::of((100..12_000_u64).prop_map(Span::from_ms));
    (time(), time(), time(), any::<bool>(), any::<bool>()).prop_map(
        |(dead_limit, commissioned, reopens, act, two)| {
            let backup = Some(ElementId::from_usize(1));
            let supervision =
                Supervision { dead_limit, commissioned, reopens, backup, ..Supervision::default() };
            let mode = if act { Mode::Act } else { Mode::Observe };
            let whole = element();
            Element { supervision, mode, unsafe_contact: whole.unsafe_contact.filter(|_| two), ..whole }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// By an account of its own: confirmed is only what was seen safe since the demand, what is not seen safe within its
    /// limit has failed, an idle one confirms nothing, and a backup once called is called until the demand is lifted.
    #[test]
    fn nothing_is_confirmed_unseen_and_nothing_late_goes_untold(
        e in any_element(), acts in prop::collection::vec(any_act(), 1..60),
    ) {
        let mut life = ElementLife::default();
        let (mut now, mut demanded, mut seen_safe, mut called) = (0, None::<u64>, false, false);
        for (wait, act) in acts {
            now += wait;
            match act {
                Act::Demand(demand) => {
                    if life.demand(ms(now), demand) {
                        demanded = (demand == Demand::Trip).then_some(now);
                        (seen_safe, called) = (false, false);
                    }
                }
                // Nothing is written where it only observes.
                Act::Written | Act::NotWritten if e.mode == Mode::Observe => {}
                Act::Written => life.written(ms(now), &e, life.demand),
                Act::NotWritten => life.not_written(Demand::Trip),
                Act::See(position) => {
                    life.watch(ms(now), &e, position, true);
                    seen_safe |= position == Position::Safe;
                    let late = demanded.is_some_and(|at| now - at >= e.travel_limit.ms());
                    if demanded.is_some() && position == Position::Safe {
                        prop_assert_eq!(life.phase, Phase::Confirmed);
                    } else if late && !seen_safe && e.mode == Mode::Act {
                        prop_assert_eq!(life.phase, Phase::Failed);
                    }
                }
            }
            prop_assert_eq!(life.demand == Demand::None, life.phase == Phase::Idle);
            prop_assert!(life.phase != Phase::Confirmed || seen_safe);
            prop_assert!(life.phase != Phase::Failed || e.mode == Mode::Act || seen_safe);
            prop_assert!(!called || life.calls_backup, "a backup is not sent home before its time");
            called = life.calls_backup;
            prop_assert!(!called || life.demand == Demand::Trip);
            if let (Some(dead), Some(travel)) = (life.stroke.dead, life.stroke.travel) {
                prop_assert!(dead <= travel);
            }
            let live = life.verdict(Condition::NotConfirmed, &e) == Verdict::Clear;
            prop_assert!(!live || life.phase != Phase::Failed);
        }
    }
}
