//! A start with another site file: what stood before it and finds no place in it is on record, and no output that it
//! held is let go. And what a new file brings together of what is out of a vote.

use crate::bench::{Bench, plan, refusal};
use davy::model::alarm::{AlarmCause, AlarmState};
use davy::model::command::{Reply, Verb};
use davy::model::element::Demand;
use davy::model::plan::Plan;
use davy::model::record::{Body, BypassChange, BypassStep};
use davy::model::sign::CalibrationChange;
use davy::model::time::{Mono, Wall};
use davy::safety::Site;
use std::sync::Arc;

const VALVE: &str = "bottle-room.valve";
const TRIP: &str = "bottle-room-shutoff";
const ONE: &str = "bottle-room.lpg-1:trip";
const TWO: &str = "bottle-room.lpg-2:trip";
const BOTH: &str = "when = [\"bottle-room.lpg-1:trip\", \"bottle-room.lpg-2:trip\"]\n";

/// The power fails, and comes back with another site file.
fn restart_with(bench: &mut Bench, plan: Plan) {
    let standing = bench.folded();
    bench.now.mono = Mono::from_us(1_000_000);
    bench.plan = Arc::new(plan);
    bench.site = Site::new(Arc::clone(&bench.plan), &standing, bench.now);
}

fn order(verb: Verb, bench: &mut Bench) {
    let reply = bench.order(verb);
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
}

fn bypass(target: &str) -> Verb {
    let (target, reason, second) = (target.to_owned(), "head changed".to_owned(), Some("wang".to_owned()));
    Verb::Bypass { target, minutes: Some(30), reason, second }
}

fn calibrate(point: &str, minutes: Option<u32>) -> Verb {
    Verb::Calibrate { point: point.to_owned(), minutes }
}

fn bypasses(bench: &Bench) -> Vec<BypassChange> {
    bench.told(|body| if let Body::Bypass(b) = body { Some(b.clone()) } else { None })
}

fn calibrations(bench: &Bench) -> Vec<CalibrationChange> {
    bench.told(|body| if let Body::Calibration(c) = body { Some(c.clone()) } else { None })
}

/// The demo's site without the trip of the bottle room; its valve is still there.
fn without_the_trip() -> Plan {
    plan(&[("id = \"bottle-room-shutoff\"", "id = \"bottle-room-other\"")])
}

/// The demo's site where the trip of the bottle room looks at its first detector only, and another one at the second.
fn apart() -> Vec<(&'static str, &'static str)> {
    let two = "when = [\"bottle-room.lpg-1:trip\"]\neffects = [\"bottle-room.valve\"]\n\
               [[trip]]\nid = \"second\"\nname = \"second\"\nvote = \"1oo1\"\nunguarded = true\nwhen = [\"bottle-room.lpg-2:trip\"]\n";
    vec![(BOTH, two), ("vote = \"1oo2\"", "vote = \"1oo1\"\nunguarded = true")]
}

#[test]
fn a_trip_that_the_new_file_does_not_have_is_told_and_its_valve_stays_shut_until_a_person_resets_it() {
    let mut bench = Bench::calm(&[]);
    bench.set("bottle-room.lpg-1", 60.0);
    bench.run(3);
    assert_eq!(bench.demand(VALVE), Demand::Trip);
    bench.set("bottle-room.lpg-1", 0.0);
    bench.run(3);
    restart_with(&mut bench, without_the_trip());
    assert_eq!(bench.demand(VALVE), Demand::Trip, "before anything is read");
    // The coil has lost what was written: nothing but what stood says that it is to be shut.
    bench.set("bottle-room.valve.readback", 0.0);
    bench.run(1);
    let told = bench.told(|body| match body {
        Body::Trip(trip) if trip.tag == TRIP && !trip.tripped => Some(trip.clone()),
        _ => None,
    });
    let [told] = told.as_slice() else { panic!("told once, not {told:?}") };
    assert!(told.who.is_none() && told.occurrence == 1 && told.first_out.as_deref() == Some(ONE), "{told:?}");
    assert!(told.text.en.contains("no longer has this trip") && told.text.en.contains(VALVE), "{told:?}");
    // And over the next starts too.
    for _ in 0..2 {
        bench.restart();
        assert_eq!(bench.demand(VALVE), Demand::Trip);
        bench.run(1);
    }
    bench.run(60);
    assert_eq!(bench.demand(VALVE), Demand::Trip);
    bench.ack_all();
    bench.run(5);
    order(Verb::Reset { target: VALVE.to_owned() }, &mut bench);
    assert_eq!(bench.demand(VALVE), Demand::None);
    bench.restart();
    assert_eq!(bench.demand(VALVE), Demand::None, "what a person has reset stays so");
}

#[test]
fn an_effect_that_the_new_file_takes_from_a_standing_trip_is_held_too() {
    let mut bench = Bench::calm(&[]);
    bench.set("bottle-room.lpg-1", 60.0);
    bench.run(3);
    let mut other = plan(&[]);
    let valve = other.elements.find(|e| e.tag.as_str() == VALVE).unwrap();
    let trip = other.trip(TRIP).unwrap();
    other.trips[trip].effects.retain(|e| *e != valve);
    restart_with(&mut bench, other);
    assert_eq!(bench.demand(VALVE), Demand::Trip);
}

#[test]
fn what_stood_of_a_detector_that_the_new_file_does_not_have_is_told_once_with_why_it_is_gone() {
    let mut bench = Bench::calm(&[("id = \"boiler-shutoff\"", "id = \"boiler-shutoff\"\nunguarded = true")]);
    order(bypass(ONE), &mut bench);
    bench.set("bottle-room.lpg-1", 60.0);
    bench.run(2);
    let shelve = Verb::Shelve {
        key: ONE.to_owned(),
        minutes: 10,
        reason: "noise".to_owned(),
        second: Some("wang".to_owned()),
    };
    order(shelve, &mut bench);
    order(calibrate("boiler-house.ch4", Some(10)), &mut bench);
    let text = include_str!("../../config/demo.toml");
    let renamed = text
        .replace("bottle-room.lpg-1", "bottle-room.lpg-9")
        .replace("boiler-house.ch4", "boiler-house.ch9");
    let before = bench.records.len();
    restart_with(&mut bench, plan(&[(text, &renamed)]));
    bench.run(1);
    let gone = |body: &Body| match body {
        Body::Alarm(a) if a.cause == AlarmCause::Removed => {
            Some((a.key.clone(), a.from, a.to, a.occurrence, a.text.en.to_string()))
        }
        _ => None,
    };
    let gone = bench.told(gone);
    let of_trip = gone.iter().find(|(key, ..)| key == ONE).unwrap();
    assert_eq!((of_trip.1, of_trip.2, of_trip.3), (AlarmState::Shelved, AlarmState::Normal, 1));
    assert!(of_trip.4.contains("no longer has this alarm") && of_trip.4.contains("li: noise"), "{of_trip:?}");
    let active = gone.iter().find(|(key, ..)| key == "bottle-room.lpg-1:bypass-active").unwrap();
    assert_eq!(active.1, AlarmState::Unacknowledged);
    let bypasses = bypasses(&bench);
    let last = bypasses.last().unwrap();
    assert_eq!(
        (last.step, last.cause.as_str(), last.reason.as_str()),
        (BypassStep::Removed, ONE, "head changed")
    );
    assert!(last.text.en.contains("no longer has that alarm"), "{}", last.text.en);
    let calibrations = calibrations(&bench);
    let last = calibrations.last().unwrap();
    assert!(
        !last.begun && last.point == "boiler-house.ch4" && last.text.en.contains("no longer has"),
        "{last:?}"
    );
    // Once: the next start has nothing more to say of it.
    assert!(bench.records.len() > before);
    let told = bench.records.len();
    restart_with(&mut bench, plan(&[(text, &renamed)]));
    bench.run(1);
    let again = bench.records.iter().skip(told).filter(|r| match &r.body {
        Body::Alarm(a) => a.cause == AlarmCause::Removed,
        Body::Bypass(_) | Body::Calibration(_) => true,
        _ => false,
    });
    assert_eq!(again.count(), 0);
    assert!(
        bench.site.standing().alarms[ONE].state == AlarmState::Normal,
        "its number goes on, its state does not"
    );
    assert_eq!(bench.site.standing().alarms[ONE].occurrence, 1);
}

#[test]
fn a_bypass_that_the_new_file_forbids_ends_at_the_start_with_a_record() {
    let mut bench = Bench::calm(&[]);
    order(bypass(ONE), &mut bench);
    restart_with(&mut bench, plan(&[("vote = \"1oo2\"", "vote = \"1oo2\"\nbypass = \"never\"")]));
    bench.run(1);
    let steps: Vec<BypassStep> = bypasses(&bench).iter().map(|b| b.step).collect();
    assert_eq!(steps, [BypassStep::Started, BypassStep::Removed]);
    assert!(bench.folded().bypasses.is_empty());
}

#[test]
fn of_two_that_are_out_and_that_a_new_file_puts_into_one_trip_the_later_one_ends() {
    for is_reload in [true, false] {
        let mut bench = Bench::calm(&apart());
        order(bypass(TWO), &mut bench);
        bench.run(1);
        order(bypass(ONE), &mut bench);
        bench.run(1);
        let new = plan(&[]);
        if is_reload {
            bench.reload(new);
        } else {
            restart_with(&mut bench, new);
        }
        bench.run(1);
        let bypasses = bypasses(&bench);
        let ended: Vec<&BypassChange> = bypasses.iter().filter(|b| b.step == BypassStep::Removed).collect();
        let [ended] = ended.as_slice() else { panic!("one of them, not {ended:?}") };
        assert_eq!(ended.cause, ONE);
        assert!(ended.text.en.contains(TWO) && ended.text.en.contains("one at a time"), "{}", ended.text.en);
        assert!(!bench.is_active("bottle-room.lpg-1:bypass-active"));
        assert!(bench.is_active("bottle-room.lpg-2:bypass-active"));
        bench.set("bottle-room.lpg-1", 60.0);
        bench.run(1);
        assert_eq!(bench.demand(VALVE), Demand::Trip);
    }
}

#[test]
fn a_calibration_and_a_bypass_that_a_new_file_puts_into_one_trip_end_in_turn_too() {
    for calibration_first in [true, false] {
        let mut bench = Bench::calm(&apart());
        let mut orders = vec![calibrate("bottle-room.lpg-1", Some(10)), bypass(TWO)];
        if !calibration_first {
            orders.reverse();
        }
        for verb in orders {
            order(verb, &mut bench);
            bench.run(1);
        }
        bench.reload(plan(&[]));
        bench.run(1);
        let ended = calibrations(&bench).into_iter().find(|c| !c.begun);
        let removed = bypasses(&bench).into_iter().find(|b| b.step == BypassStep::Removed);
        assert_eq!((ended.is_some(), removed.is_some()), (!calibration_first, calibration_first));
        let text = ended.map(|c| c.text).or(removed.map(|b| b.text)).unwrap();
        assert!(text.en.contains("one at a time"), "{}", text.en);
        bench.restart();
    }
}

#[test]
fn a_calibration_ends_on_record_at_the_tick_at_which_its_time_is_over() {
    let mut bench = Bench::calm(&[]);
    order(calibrate("bottle-room.lpg-1", Some(1)), &mut bench);
    bench.run(59);
    assert_eq!(calibrations(&bench).len(), 1);
    bench.run(1);
    let told = calibrations(&bench);
    assert_eq!(told.iter().map(|c| c.begun).collect::<Vec<_>>(), [true, false]);
    let why = refusal(&bench.order(calibrate("bottle-room.lpg-1", None)));
    assert!(why.contains("no calibration"), "{why}");
    // No clock revives it.
    bench.now.wall = Wall::from_ms(bench.now.wall.ms() - 30_000);
    bench.restart();
    bench.run(1);
    assert_eq!(calibrations(&bench).len(), 2);
}

#[test]
fn a_clock_that_is_set_back_prolongs_no_calibration_over_a_restart() {
    let mut bench = Bench::calm(&[]);
    order(calibrate("bottle-room.lpg-1", Some(10)), &mut bench);
    bench.run(8 * 60);
    bench.now.wall = Wall::from_ms(bench.now.wall.ms() - 5 * 60_000);
    bench.run(1);
    let told = calibrations(&bench);
    assert_eq!(told.iter().map(|c| c.begun).collect::<Vec<_>>(), [true, true]);
    assert!(told[1].remaining.ms() <= 120_000 && told[1].text.en.contains("set back"), "{:?}", told[1]);
    bench.restart();
    bench.run(118);
    assert_eq!(calibrations(&bench).len(), 2);
    bench.run(2);
    let told = calibrations(&bench);
    assert_eq!(
        told.iter().map(|c| c.begun).collect::<Vec<_>>(),
        [true, true, false],
        "two minutes were left"
    );
}

#[test]
fn a_clock_that_is_set_back_prolongs_no_shelf_over_a_restart() {
    let mut bench = Bench::calm(&[]);
    let shelve = Verb::Shelve {
        key: "bottle-room.lpg-1:alarm".to_owned(),
        minutes: 60,
        reason: "noise".to_owned(),
        second: None,
    };
    order(shelve, &mut bench);
    bench.run(50 * 60);
    bench.now.wall = Wall::from_ms(bench.now.wall.ms() - 45 * 60_000);
    bench.run(1);
    bench.restart();
    let state =
        |bench: &Bench| bench.site.view(bench.now).alarms[bench.alarm("bottle-room.lpg-1:alarm")].state;
    bench.run(598);
    assert_eq!(state(&bench), AlarmState::Shelved);
    bench.run(2);
    assert_eq!(state(&bench), AlarmState::Normal, "ten minutes were left");
}

#[test]
fn the_alarm_that_says_that_a_detector_is_bypassed_may_not_be_set_aside() {
    let mut bench = Bench::calm(&[]);
    order(bypass(ONE), &mut bench);
    let (key, reason) = ("bottle-room.lpg-1:bypass-active".to_owned(), "noise".to_owned());
    let second = Some("wang".to_owned());
    let why = refusal(&bench.order(Verb::Shelve {
        key: key.clone(),
        minutes: 10,
        reason: reason.clone(),
        second: second.clone(),
    }));
    assert!(why.contains("out of the vote"), "{why}");
    assert!(
        refusal(&bench.order(Verb::TakeOut { key: key.clone(), hours: None, reason, second }))
            .contains("out of the vote")
    );
    assert!(bench.is_active(&key));
}

#[test]
fn two_bypassed_causes_of_one_detector_are_one_too_many_in_a_trip_too() {
    let apart = "when = [\"bottle-room.lpg-1:trip\"]\neffects = [\"bottle-room.valve\"]\n[[trip]]\nid = \"second\"\n\
                 name = \"second\"\nvote = \"1oo1\"\nunguarded = true\nwhen = [\"bottle-room.lpg-1:alarm\"]\n";
    let together = "when = [\"bottle-room.lpg-1:trip\", \"bottle-room.lpg-1:alarm\"]\n";
    let mut bench = Bench::calm(&[("vote = \"1oo2\"", "vote = \"1oo1\"\nunguarded = true"), (BOTH, apart)]);
    order(bypass("bottle-room.lpg-1:alarm"), &mut bench);
    bench.run(1);
    order(bypass(ONE), &mut bench);
    bench.reload(plan(&[(BOTH, together)]));
    let ended = bypasses(&bench).into_iter().filter(|b| b.step == BypassStep::Removed);
    assert_eq!(ended.map(|b| b.cause).collect::<Vec<_>>(), [ONE]);
}
