//! The vote and the reset against sentences and random histories.

use super::*;
use crate::model::plan::Trip;
use crate::model::point::{Tag, Text};
use crate::model::table::{AlarmId, AreaId, Row};
use proptest::prelude::*;

const SAFE: Cause = Cause {
    active: None,
    known: true,
    faulty: false,
    safe: true,
    unacknowledged: false,
    spared: false,
    bypassed: false,
};
const HIGH: Cause = Cause { active: Some(Mono::START), safe: false, unacknowledged: true, ..SAFE };
const BAD: Cause = Cause { known: false, safe: false, ..SAFE };
const FAULTY: Cause = Cause { faulty: true, ..BAD };
const BYPASSED: Cause = Cause { bypassed: true, ..SAFE };
const CALIBRATED: Cause = Cause { spared: true, ..BAD };

/// A start excuses for a minute that nothing was heard.
const FRESH: Start = Start { excused_until: Mono::from_us(60_000_000), bad_for: None };

fn fresh(trip: &Trip) -> TripLife {
    TripLife::restored(trip, None, |_| FRESH)
}

fn group(votes: usize, members: Vec<Member>, on_bad: OnBad) -> Group {
    Group { tag: Tag::new("g").unwrap(), votes, members, on_bad, alike: true }
}

fn trip_of(causes: usize, groups: Vec<Group>) -> Trip {
    Trip {
        tag: Tag::new("t").unwrap(),
        name: Text::default(),
        area: AreaId::from_usize(0),
        causes: (0..causes).map(AlarmId::from_usize).collect(),
        groups,
        bad_delay: Span::from_secs(10),
        delay: Span::ZERO,
        effects: vec![],
        permissives: vec![],
        reset_needs: (0..causes).collect(),
        reset_hold: Span::from_secs(60),
        unguarded: false,
    }
}

fn trip(votes: usize, of: usize, on_bad: OnBad) -> Trip {
    trip_of(of, vec![group(votes, (0..of).map(Member::Cause).collect(), on_bad)])
}

const TRIPPED: TripStanding = TripStanding { occurrence: 0, tripped: true, first_out: None };

/// Fan stopped and one of two heads high: the lock-out of a heading.
fn fan_lock() -> Trip {
    let heads = group(1, vec![Member::Cause(1), Member::Cause(2)], OnBad::Ignore);
    let own = Group { alike: false, ..group(2, vec![Member::Cause(0), Member::Group(0)], OnBad::Ignore) };
    Trip { reset_needs: vec![1, 2], ..trip_of(3, vec![heads, own]) }
}

fn secs(s: u64) -> Mono {
    Mono::from_us(s * 1_000_000)
}

/// Whether `causes` trip a trip that has heard all its inputs and waited out every delay.
fn trips(trip: &Trip, causes: &[Cause]) -> bool {
    let mut life = fresh(trip);
    let safe: Vec<Cause> = causes.iter().map(|c| Cause { bypassed: c.bypassed, ..SAFE }).collect();
    assert_eq!(life.step(secs(0), trip, &safe), None);
    [1, 12, 30].into_iter().any(|s| life.step(secs(s), trip, causes).is_some())
}

#[test]
fn two_out_of_three_degrades_to_one_out_of_two_and_then_trips() {
    let t = trip(2, 3, OnBad::Vote);
    assert!(!trips(&t, &[HIGH, SAFE, SAFE]));
    assert!(trips(&t, &[HIGH, HIGH, SAFE]));
    assert!(!trips(&t, &[BAD, SAFE, SAFE]));
    assert!(trips(&t, &[BAD, HIGH, SAFE]));
    assert!(trips(&t, &[BAD, BAD, SAFE]));
}

#[test]
fn bad_as_alarm_only_degrades_two_out_of_three_to_two_out_of_two_and_then_trips() {
    let t = trip(2, 3, OnBad::Alarm);
    assert!(!trips(&t, &[BAD, HIGH, SAFE]));
    assert!(!trips(&t, &[BAD, BAD, SAFE]));
    assert!(trips(&t, &[HIGH, HIGH, BAD]));
    assert!(trips(&t, &[HIGH, BAD, BAD]), "nothing is known to be safe any more");
    assert!(trips(&t, &[BAD, BAD, BAD]));
    assert!(trips(&trip(1, 2, OnBad::Alarm), &[BAD, HIGH]));
}

#[test]
fn a_lock_never_locks_for_a_bad_input() {
    let t = fan_lock();
    assert!(trips(&t, &[HIGH, HIGH, SAFE]));
    assert!(trips(&t, &[HIGH, SAFE, HIGH]));
    assert!(!trips(&t, &[HIGH, SAFE, SAFE]), "a fan that stands in clean air is started again");
    assert!(!trips(&t, &[SAFE, HIGH, HIGH]), "a fan that runs is not locked");
    assert!(!trips(&t, &[BAD, HIGH, HIGH]));
    assert!(!trips(&t, &[HIGH, BAD, BAD]));
    assert!(!trips(&t, &[BAD, BAD, BAD]));
    assert!(!trips(&t, &[BYPASSED, HIGH, HIGH]), "a fan that nobody knows to stand is not locked");
    assert!(!trips(&t, &[HIGH, BYPASSED, SAFE]));
    assert!(!trips(&t, &[HIGH, CALIBRATED, SAFE]));
    assert!(!trips(&t, &[HIGH, BYPASSED, BYPASSED]), "a fan that stands in unknown air is not locked");
    assert!(trips(&t, &[HIGH, BYPASSED, HIGH]));
}

#[test]
fn what_is_out_of_an_and_of_unlike_things_is_a_no() {
    let both = Group { alike: false, ..group(2, vec![Member::Cause(0), Member::Cause(1)], OnBad::Vote) };
    let t = trip_of(2, vec![both]);
    assert!(!trips(&t, &[BYPASSED, HIGH]));
    assert!(!trips(&t, &[CALIBRATED, HIGH]));
    assert!(trips(&t, &[HIGH, BAD]));
    assert!(!could_trip(&t, &[Vote::Out, Vote::True]));
    assert!(could_trip(&t, &[Vote::True, Vote::True]));
}

#[test]
fn a_lock_is_lifted_by_the_gas_alone_while_the_fan_still_stands() {
    let t = fan_lock();
    let mut life = fresh(&t);
    life.step(secs(0), &t, &[HIGH, HIGH, SAFE]);
    assert!(life.tripped);
    let acknowledged = Cause { unacknowledged: false, ..HIGH };
    let gone = [acknowledged, SAFE, SAFE];
    assert_eq!(life.missing(secs(1), &t, &[acknowledged, acknowledged, SAFE]), [Missing::NotSafe(1)]);
    life.step(secs(2), &t, &gone);
    assert_eq!(life.missing(secs(62), &t, &gone), []);
}

#[test]
fn a_group_is_a_member_like_any_other() {
    // One out of (two out of two, or a third).
    let pair = group(2, vec![Member::Cause(0), Member::Cause(1)], OnBad::Vote);
    let own = group(1, vec![Member::Group(0), Member::Cause(2)], OnBad::Vote);
    let t = trip_of(3, vec![pair, own]);
    assert!(!trips(&t, &[HIGH, SAFE, SAFE]));
    assert!(trips(&t, &[HIGH, HIGH, SAFE]));
    assert!(trips(&t, &[SAFE, SAFE, HIGH]));
    assert!(trips(&t, &[HIGH, BAD, SAFE]), "in the pair a bad input is a vote");
    assert!(!trips(&t, &[SAFE, BAD, SAFE]));
}

#[test]
fn a_bypassed_cause_is_out_of_the_vote_and_leaves_the_others_to_guard() {
    let two_of_three = trip(2, 3, OnBad::Vote);
    assert!(!trips(&two_of_three, &[BYPASSED, SAFE, SAFE]));
    assert!(trips(&two_of_three, &[BYPASSED, HIGH, SAFE]), "2oo3 without one is 1oo2");
    assert!(trips(&trip(2, 2, OnBad::Vote), &[BYPASSED, HIGH]), "2oo2 without one is 1oo1");
    assert!(!trips(&trip(1, 1, OnBad::Vote), &[Cause { bypassed: true, ..HIGH }]));
    let mut life = fresh(&trip(1, 2, OnBad::Vote));
    let t = trip(1, 2, OnBad::Vote);
    life.step(secs(0), &t, &[HIGH, SAFE]);
    life.step(secs(1), &t, &[BYPASSED, SAFE]);
    assert_eq!(life.missing(secs(100), &t, &[BYPASSED, SAFE]), [Missing::Bypassed(0)], "it proves nothing");
}

#[test]
fn a_vote_must_stand_for_the_whole_delay() {
    let t = Trip { delay: Span::from_secs(2), ..trip(1, 1, OnBad::Vote) };
    let mut life = fresh(&t);
    for (s, cause, trips) in [
        (0, SAFE, false),
        (1, HIGH, false),
        (2, SAFE, false),
        (3, HIGH, false),
        (4, HIGH, false),
        (5, HIGH, true),
    ] {
        assert_eq!(life.step(secs(s), &t, &[cause]).is_some(), trips, "after {s} s");
    }
}

#[test]
fn a_permissive_does_not_vote_and_must_be_safe_for_a_reset() {
    let t = Trip {
        permissives: vec![AlarmId::from_usize(9)],
        reset_needs: vec![0, 1],
        ..trip(1, 1, OnBad::Vote)
    };
    let mut life = fresh(&t);
    assert_eq!(life.step(secs(0), &t, &[SAFE, HIGH]), None);
    assert!(life.step(secs(1), &t, &[HIGH, SAFE]).is_some());
    life.step(secs(2), &t, &[SAFE, BAD]);
    assert_eq!(life.missing(secs(100), &t, &[SAFE, BAD]), [Missing::NotSafe(1)]);
    life.step(secs(100), &t, &[SAFE, SAFE]);
    assert_eq!(life.missing(secs(159), &t, &[SAFE, SAFE]), [Missing::Hold(Span::from_secs(1))]);
}

#[test]
fn an_input_never_good_since_the_start_is_excused_for_a_while_and_then_bad() {
    let t = trip(1, 2, OnBad::Vote);
    let mut life = fresh(&t);
    for s in [0, 59, 60, 69] {
        assert_eq!(life.step(secs(s), &t, &[BAD, BAD]), None, "after {s} s");
    }
    assert!(life.is_holding());
    assert_eq!(life.step(secs(70), &t, &[BAD, SAFE]), Some(vec![Vote::Bad, Vote::No]));
}

#[test]
fn the_start_excuses_no_breach_and_no_fault_that_a_device_tells() {
    let t = trip(1, 2, OnBad::Vote);
    let mut life = fresh(&t);
    assert_eq!(life.step(secs(0), &t, &[BAD, BAD]), None);
    assert_eq!(life.step(secs(1), &t, &[HIGH, BAD]), Some(vec![Vote::True, Vote::No]));
    let mut life = fresh(&t);
    assert_eq!(life.step(secs(0), &t, &[FAULTY, BAD]), None);
    assert_eq!(life.step(secs(9), &t, &[FAULTY, BAD]), None);
    assert_eq!(life.step(secs(10), &t, &[FAULTY, BAD]), Some(vec![Vote::Bad, Vote::No]));
}

#[test]
fn what_was_bad_when_the_last_run_ended_is_bad_from_the_start() {
    let t = trip(1, 1, OnBad::Vote);
    let start = |_| Start { bad_for: Some(Span::from_secs(6)), ..FRESH };
    let mut life = TripLife::restored(&t, None, start);
    assert_eq!(life.step(secs(0), &t, &[BAD]), None);
    assert_eq!(life.step(secs(3), &t, &[BAD]), None);
    assert_eq!(life.step(secs(4), &t, &[BAD]), Some(vec![Vote::Bad]));
}

#[test]
fn one_good_answer_between_silences_is_not_stable() {
    let t = trip(1, 1, OnBad::Vote);
    let mut life = fresh(&t);
    let flaps = [(0, SAFE), (1, BAD), (7, SAFE), (8, BAD), (11, BAD)];
    assert!(flaps.into_iter().all(|(s, cause)| life.step(secs(s), &t, &[cause]).is_none()));
    assert!(life.step(secs(12), &t, &[BAD]).is_some(), "six seconds and four");
    let mut life = fresh(&t);
    let apart = [(0, SAFE), (1, BAD), (7, SAFE), (17, BAD), (26, BAD)];
    assert!(apart.into_iter().all(|(s, cause)| life.step(secs(s), &t, &[cause]).is_none()));
    assert!(life.step(secs(27), &t, &[BAD]).is_some(), "ten seconds in one");
}

#[test]
fn one_that_is_calibrated_is_no_vote_and_one_vote_fewer_is_needed() {
    let any = trip(1, 2, OnBad::Vote);
    assert!(!trips(&any, &[CALIBRATED, SAFE]));
    assert!(trips(&any, &[CALIBRATED, HIGH]));
    assert!(trips(&any, &[CALIBRATED, BAD]));
    let two = trip(2, 3, OnBad::Vote);
    assert!(!trips(&two, &[CALIBRATED, SAFE, SAFE]));
    assert!(trips(&two, &[CALIBRATED, HIGH, SAFE]), "2oo3 without one is 1oo2");
}

#[test]
fn what_comes_after_the_planned_time_has_the_whole_delay() {
    let t = trip(1, 2, OnBad::Vote);
    let mut life = fresh(&t);
    life.step(secs(0), &t, &[SAFE, SAFE]);
    for s in 1..600 {
        assert_eq!(life.step(secs(s), &t, &[CALIBRATED, SAFE]), None);
    }
    assert_eq!(life.step(secs(605), &t, &[BAD, SAFE]), None);
    assert!(life.step(secs(609), &t, &[BAD, SAFE]).is_some());
}

#[test]
fn a_restored_trip_stays_tripped() {
    let t = trip(1, 1, OnBad::Vote);
    let standing = TripStanding { occurrence: 3, tripped: true, first_out: Some("x:trip".into()) };
    let mut life = TripLife::restored(&t, Some(&standing), |_| FRESH);
    assert_eq!(life.step(secs(0), &t, &[SAFE]), None);
    assert!(life.tripped);
    assert_eq!(life.missing(secs(0), &t, &[SAFE]), [Missing::Hold(Span::from_secs(60))]);
    assert_eq!(life.missing(secs(60), &t, &[SAFE]), []);
}

#[test]
fn what_is_told_as_a_cause_is_what_counted() {
    let first = |t: &Trip, causes: &[Cause]| {
        let mut life = fresh(t);
        life.step(secs(0), t, &[SAFE, SAFE]);
        life.step(secs(1), t, &causes.iter().map(|c| if *c == HIGH { SAFE } else { *c }).collect::<Vec<_>>());
        life.step(secs(20), t, causes)
    };
    assert_eq!(first(&trip(1, 2, OnBad::Ignore), &[HIGH, BAD]), Some(vec![Vote::True, Vote::No]));
    assert_eq!(first(&trip(2, 2, OnBad::Vote), &[HIGH, BAD]), Some(vec![Vote::True, Vote::Bad]));
    assert_eq!(first(&trip(1, 2, OnBad::Vote), &[CALIBRATED, HIGH]), Some(vec![Vote::Spared, Vote::True]));
    assert_eq!(first(&trip(2, 2, OnBad::Vote), &[BYPASSED, HIGH]), Some(vec![Vote::Out, Vote::True]));
}

#[test]
fn the_hold_of_a_reset_begins_after_the_trip_and_a_reset_forgets_what_came_first() {
    let t = Trip { reset_needs: vec![0], ..trip(1, 2, OnBad::Ignore) };
    let mut life = fresh(&t);
    let gone = [SAFE, Cause { unacknowledged: false, ..HIGH }];
    life.step(secs(0), &t, &[SAFE, SAFE]);
    assert!(life.step(secs(100), &t, &gone).is_some());
    assert_eq!(life.missing(secs(100), &t, &gone), [Missing::Hold(Span::from_secs(60))]);
    life.first_out = Some("x:trip".into());
    life.reset();
    assert!(!life.tripped && life.first_out.is_none());
}

#[test]
fn a_vote_that_still_stands_at_a_reset_has_its_whole_delay_again() {
    let t = Trip { reset_needs: vec![0], delay: Span::from_secs(5), ..trip(1, 2, OnBad::Ignore) };
    let mut life = fresh(&t);
    life.step(secs(0), &t, &[SAFE, HIGH]);
    assert!(life.step(secs(5), &t, &[SAFE, HIGH]).is_some());
    life.reset();
    for s in 100..105 {
        assert_eq!(life.step(secs(s), &t, &[SAFE, HIGH]), None, "{s}");
    }
    assert!(life.step(secs(105), &t, &[SAFE, HIGH]).is_some());
}

#[test]
fn a_permissive_need_not_be_acknowledged() {
    let t = Trip { permissives: vec![AlarmId::from_usize(9)], ..trip(1, 1, OnBad::Vote) };
    let mut life = TripLife::restored(&t, Some(&TRIPPED), |_| FRESH);
    let unacknowledged = Cause { unacknowledged: true, ..SAFE };
    life.step(secs(0), &t, &[SAFE, unacknowledged]);
    assert_eq!(life.missing(secs(60), &t, &[SAFE, unacknowledged]), []);
    assert_eq!(life.missing(secs(60), &t, &[unacknowledged, SAFE]), [Missing::NotAcknowledged(0)]);
}

fn any_cause() -> impl Strategy<Value = Cause> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), prop::bool::weighted(0.1)).prop_map(
        |(active, known, safe, unacknowledged, bypassed)| Cause {
            active: active.then_some(Mono::START),
            known,
            faulty: false,
            safe: safe && known && !active,
            unacknowledged,
            spared: false,
            bypassed,
        },
    )
}

fn any_on_bad() -> impl Strategy<Value = OnBad> {
    prop::sample::select(vec![OnBad::Vote, OnBad::Alarm, OnBad::Ignore])
}

/// Six causes in one or two groups under the trip's own vote.
fn any_trip() -> impl Strategy<Value = Trip> {
    let inner = || (1..=3_usize, any_on_bad());
    (inner(), inner(), 1..=3_usize, any_on_bad()).prop_map(|((m1, b1), (m2, b2), m, bad)| {
        trip_of(
            6,
            vec![
                group(m1, (0..3).map(Member::Cause).collect(), b1),
                group(m2, vec![Member::Cause(2), Member::Cause(3), Member::Group(0)], b2),
                group(m, vec![Member::Group(1), Member::Cause(4), Member::Cause(5)], bad),
            ],
        )
    })
}

fn any_causes() -> impl Strategy<Value = Vec<Cause>> {
    prop::collection::vec(prop::sample::select(vec![SAFE, HIGH, BAD, BYPASSED]), 6)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_missing_only_when_every_cause_was_safe_and_acknowledged_for_the_whole_hold(
        steps in prop::collection::vec((prop::collection::vec(any_cause(), 2), 0u64..100), 1..40)
    ) {
        let t = trip(1, 2, OnBad::Vote);
        let mut life = TripLife::restored(&t, Some(&TRIPPED), |_| FRESH);
        let (mut now, mut safe_for) = (0, None::<u64>);
        for (causes, wait) in steps {
            now += wait;
            life.step(secs(now), &t, &causes);
            prop_assert!(life.tripped, "only a reset ends a trip");
            let safe = causes.iter().all(|c| c.safe && !c.bypassed);
            safe_for = if safe { safe_for.or(Some(now)) } else { None };
            let may = safe_for.is_some_and(|s| now - s >= 60) && causes.iter().all(|c| !c.unacknowledged);
            prop_assert_eq!(life.missing(secs(now), &t, &causes).is_empty(), may);
        }
    }

    #[test]
    fn more_danger_never_trips_less(t in any_trip(), causes in any_causes(), n in 0usize..6, worse in prop::sample::select(vec![HIGH, BAD])) {
        prop_assume!(causes[n] == SAFE || causes[n] == BAD && worse == HIGH);
        let mut more = causes.clone();
        more[n] = worse;
        prop_assert!(!trips(&t, &causes) || trips(&t, &more));
    }

    #[test]
    fn a_bypass_of_a_safe_cause_never_takes_a_trip_from_the_others(m in 1usize..=3, others in prop::collection::vec(prop::sample::select(vec![SAFE, HIGH, BAD]), 2)) {
        let t = trip(m, 3, OnBad::Vote);
        let with = |first| vec![first, others[0], others[1]];
        prop_assert!(!trips(&t, &with(SAFE)) || trips(&t, &with(BYPASSED)));
    }

    #[test]
    fn in_a_lock_what_is_out_never_locks(mut t in any_trip(), causes in any_causes(), n in 0usize..6) {
        t.groups.iter_mut().for_each(|g| g.on_bad = OnBad::Ignore);
        let with = |cause| causes.iter().enumerate().map(|(m, c)| if m == n { cause } else { *c }).collect::<Vec<_>>();
        prop_assert_eq!(trips(&t, &with(BYPASSED)), trips(&t, &with(SAFE)));
        prop_assert_eq!(trips(&t, &with(CALIBRATED)), trips(&t, &with(SAFE)));
    }

    #[test]
    fn where_bad_is_ignored_nothing_but_true_causes_trips(mut t in any_trip(), causes in any_causes()) {
        t.groups.iter_mut().for_each(|g| g.on_bad = OnBad::Ignore);
        let hushed: Vec<Cause> = causes.iter().map(|c| if *c == BAD { SAFE } else { *c }).collect();
        prop_assert_eq!(trips(&t, &causes), trips(&t, &hushed));
    }

    #[test]
    fn a_trip_waits_for_its_delay_and_no_longer(delay in 0u64..5, t in any_trip(), causes in any_causes()) {
        let at_once = trips(&t, &causes);
        let late = Trip { delay: Span::from_secs(delay), ..t };
        prop_assert_eq!(trips(&late, &causes), at_once);
    }
}
