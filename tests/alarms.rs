//! The life of alarms as people meet it (ISA-18.2): shelved, suppressed, out of service, escalated, announced again;
//! and the conditions beyond set-points. One site, one judge, virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds no site fails"
)]

#[path = "common/desk.rs"]
mod desk;

use davy::model::alarm::{AlarmCause, AlarmState, Colour};
use davy::model::command::{Reply, Verb};
use davy::model::element::Demand;
use davy::model::line::LineFault;
use davy::model::point::{Doubt, Quality, Reading};
use davy::model::record::NuisanceKind;
use davy::model::time::{Mono, Now, Span, Wall};
use davy::safety::{Input, Site};
use desk::{Desk, NOON};
use std::sync::Arc;

const CO: &str = "boiler-house.co:alarm";
const TRIP: &str = "face.t1:trip";

/// A horn in the place of the boiler house's valve; it sounds for what nobody has acknowledged for two minutes.
const HORN: [(&str, &str); 3] = [
    (
        "\n[[trip]]\nid = \"bottle-room-shutoff\"",
        "\n[[siren]]\nid = \"horn\"\ndevice = \"boiler-house-valve\"\noutput = \"close\"\n\n[alarms]\nescalate_s = 120\n\
         siren = \"horn\"\nagain_min = 30\n\n[[trip]]\nid = \"bottle-room-shutoff\"",
    ),
    (
        "[[valve]]\nid = \"boiler-house.valve\"\nname = { zh = \"天然气紧急切断阀\", en = \"gas shut-off valve\" }\ndevice = \"boiler-house-valve\"\noutput = \"close\"\nclosed = \"closed\"\nopen = \"open\"\ntravel_s = 3\n",
        "",
    ),
    ("effects = [\"boiler-house.valve\"]", "effects = [\"bottle-room.valve\"]"),
];

#[test]
fn shelving_silences_an_alarm_for_a_bounded_time_and_its_end_tells_what_still_holds() {
    let mut desk = Desk::new(&[]);
    desk.reads("boiler-house.co", 120.0);
    assert_eq!(desk.state(CO), AlarmState::Unacknowledged);
    desk.ack(CO);
    assert!(matches!(desk.shelve(CO, 10, Some("wang")), Reply::Done(_)));
    assert_eq!(desk.state(CO), AlarmState::Shelved);
    desk.pass(Span::from_secs(599));
    assert_eq!(desk.state(CO), AlarmState::Shelved);
    desk.pass(Span::from_secs(2));
    assert_eq!(desk.state(CO), AlarmState::Unacknowledged, "never silently acknowledged");
    let expected =
        [AlarmCause::Occurred, AlarmCause::Acknowledged, AlarmCause::SetAside, AlarmCause::Expired];
    assert_eq!(desk.causes(CO), expected);
    let (aside, under) = desk.changes(CO)[2].aside.clone().unwrap();
    assert_eq!((under, aside.count, aside.by.as_str()), (AlarmState::Acknowledged, 1, "li"));
    assert_eq!(aside.until, Some(Wall::from_ms(NOON + 600_000)));
}

#[test]
fn what_happens_to_a_shelved_alarm_is_recorded_with_one_begin_and_one_end() {
    let mut desk = Desk::new(&[]);
    desk.shelve(CO, 15, Some("wang"));
    desk.reads("boiler-house.co", 120.0);
    desk.reads("boiler-house.co", 0.0);
    desk.pass(Span::from_secs(5));
    assert_eq!(desk.state(CO), AlarmState::Shelved);
    assert_eq!(desk.causes(CO), [AlarmCause::SetAside, AlarmCause::Occurred, AlarmCause::Cleared]);
    desk.order("li", Verb::TakeBack { key: CO.to_owned() });
    assert_eq!(desk.state(CO), AlarmState::LatchedUnacknowledged, "gas that came and went is not forgotten");
}

#[test]
fn the_alarms_of_a_trip_are_shelved_by_two_for_a_quarter_of_an_hour_and_trip_all_the_same() {
    let mut desk = Desk::new(&[]);
    let key = "face.t1:trip";
    let Reply::Refused(why) = desk.shelve(key, 16, None) else { panic!("one person, too long") };
    assert_eq!(why.len(), 2, "everything that stands against it: {why:?}");
    for same in ["li", "LI", " li "] {
        assert!(matches!(desk.shelve(key, 15, Some(same)), Reply::Refused(_)), "the same person twice");
    }
    assert!(matches!(desk.shelve(key, 15, Some("wang")), Reply::Done(_)));
    desk.reads("face.t1", 1.6);
    let view = desk.site.view(desk.now);
    assert!(view.trips[desk.plan.trip("face-cut").unwrap()].tripped);
    assert!(view.elements.values().any(|e| e.demand == Demand::Trip));
}

#[test]
fn that_a_cut_is_not_confirmed_can_not_be_set_aside() {
    let mut desk = Desk::new(&[]);
    for key in ["face.section:not-confirmed", "face.section:feed-live"] {
        assert!(matches!(desk.shelve(key, 5, Some("wang")), Reply::Refused(_)), "{key}");
    }
}

#[test]
fn what_is_shelved_stays_so_over_a_restart_for_the_time_that_was_left_however_the_clock_was_set() {
    for (clock_off_ms, left_s) in [(0, 540), (-3_600_000, 600), (600_000, 0)] {
        let mut desk = Desk::new(&[]);
        desk.shelve(CO, 10, Some("wang"));
        desk.pass(Span::from_secs(60));
        let standing = desk.site.standing();
        let wall = Wall::from_ms(desk.now.wall.ms() + clock_off_ms);
        desk.now = Now { mono: Mono::START, wall };
        desk.site = Site::new(Arc::clone(&desk.plan), &standing, desk.now);
        if left_s > 0 {
            desk.input(Input::Tick);
            assert_eq!(desk.state(CO), AlarmState::Shelved, "{clock_off_ms}");
        }
        desk.pass(Span::from_secs(left_s + 1));
        assert_ne!(desk.state(CO), AlarmState::Shelved, "{clock_off_ms}");
    }
}

#[test]
fn an_alarm_suppressed_by_design_is_silent_only_while_the_other_speaks() {
    let mut desk = Desk::new(&[(
        "id = \"heading.duct\"",
        "id = \"heading.duct\"\nsuppressed_by = [\"heading.fan:contact-trip\"]",
    )]);
    let key = "heading.duct:low-alarm";
    desk.reads("heading.fan", 0.0);
    desk.reads("heading.duct", 2.5);
    desk.input(Input::Tick);
    assert_eq!(desk.state(key), AlarmState::Suppressed);
    assert!(matches!(desk.order("li", Verb::TakeBack { key: key.to_owned() }), Reply::Refused(_)));
    desk.reads("heading.fan", 1.0);
    desk.pass(Span::from_secs(2));
    assert_eq!(desk.state(key), AlarmState::Unacknowledged, "the fan runs and the duct is still low");
}

#[test]
fn nobody_who_acknowledges_makes_it_one_colour_worse_and_sounds_the_siren() {
    let mut desk = Desk::new(&HORN);
    let horn = desk.plan.elements.find(|e| e.tag.as_str() == "horn").unwrap();
    desk.reads("boiler-house.co", 120.0);
    desk.pass(Span::from_secs(119));
    assert_eq!(desk.site.demands()[davy::model::table::Row::to_usize(horn)], Demand::None);
    desk.pass(Span::from_secs(2));
    let last = *desk.changes(CO).last().unwrap();
    assert_eq!((last.cause, last.colour), (AlarmCause::Escalated, Colour::Orange));
    assert_eq!(desk.site.demands()[davy::model::table::Row::to_usize(horn)], Demand::Trip);
    desk.ack_all();
    desk.input(Input::Tick);
    assert_eq!(desk.site.demands()[davy::model::table::Row::to_usize(horn)], Demand::None);
    desk.pass(Span::from_secs(30 * 60 + 1));
    assert_eq!(desk.changes(CO).last().unwrap().cause, AlarmCause::Reannounced);
    assert_eq!(desk.state(CO), AlarmState::Unacknowledged);
}

#[test]
fn a_late_acknowledgement_does_not_acknowledge_a_newer_occurrence() {
    let mut desk = Desk::new(&[]);
    for _ in 0..2 {
        desk.reads("boiler-house.co", 120.0);
        desk.reads("boiler-house.co", 0.0);
        desk.pass(Span::from_secs(3));
    }
    let late = Verb::Acknowledge { key: CO.to_owned(), occurrence: 1 };
    assert!(matches!(desk.order("li", late), Reply::Refused(_)));
    assert_eq!(desk.state(CO), AlarmState::LatchedUnacknowledged);
}

#[test]
fn an_alarm_three_times_in_a_minute_chatters_and_ten_alarms_in_ten_minutes_are_a_flood() {
    let mut desk = Desk::new(&[]);
    desk.pass(Span::from_secs(1));
    for _ in 0..3 {
        desk.reads("boiler-house.co", 120.0);
        desk.reads("boiler-house.co", 0.0);
        desk.pass(Span::from_secs(3));
    }
    assert_eq!(desk.nuisances(NuisanceKind::Chattering), [true, true], "its warning and its alarm");
    desk.pass(Span::from_secs(61));
    assert_eq!(desk.nuisances(NuisanceKind::Chattering), [true, true, false, false]);
    for tag in ["face.t0", "face.t1", "face.t2", "heading.t1"] {
        desk.reads(tag, 1.6);
    }
    desk.input(Input::Tick);
    assert_eq!(desk.nuisances(NuisanceKind::Flood), [true]);
    desk.pass(Span::from_secs(1_500));
    assert_eq!(desk.nuisances(NuisanceKind::Flood), [true, false]);
    assert!(desk.site.view(desk.now).rates.day >= 10);
}

#[test]
fn a_fast_rise_alarms_before_the_set_point_and_a_forecast_says_that_it_will_be_reached() {
    let keys = "id = \"face.t1\"\nrise_per_min = 0.1\nforecast_min = 10";
    let mut desk = Desk::new(&[("id = \"face.t1\"", keys)]);
    desk.pass(Span::from_secs(60));
    assert_eq!(desk.state("face.t1:rising"), AlarmState::Normal);
    for s in 0..60 {
        desk.pass(Span::from_secs(1));
        desk.reads("face.t1", 0.2 + f64::from(s) * 0.15 / 60.0);
    }
    assert_eq!(desk.state("face.t1:rising"), AlarmState::Unacknowledged);
    assert_eq!(desk.state("face.t1:forecast"), AlarmState::Unacknowledged);
    assert_eq!(desk.state("face.t1:warning"), AlarmState::Normal);
    desk.pass(Span::from_secs(120));
    assert_eq!(desk.state("face.t1:rising"), AlarmState::ReturnedUnacknowledged);
}

#[test]
fn twins_that_disagree_and_a_set_point_that_was_changed_at_the_device_alarm() {
    let mut desk = Desk::new(&[
        ("id = \"face.t1\"", "id = \"face.t1\"\ntwin = \"face.t0\"\ndeviation = 0.3"),
        ("id = \"face.t2\"", "id = \"face.t2\"\nexpect = 0.25"),
    ]);
    desk.reads("face.t0", 0.2);
    desk.reads("face.t1", 0.5);
    assert_eq!(desk.state("face.t1:deviation"), AlarmState::Unacknowledged);
    desk.reads("face.t2", 0.25);
    desk.pass(Span::from_secs(2));
    desk.ack("face.t2:differs");
    assert_eq!(desk.state("face.t2:differs"), AlarmState::Normal);
    desk.reads("face.t2", 0.26);
    assert_eq!(desk.state("face.t2:differs"), AlarmState::Unacknowledged);
}

#[test]
fn a_calibration_date_that_has_passed_alarms_on_its_day() {
    let change = ("id = \"face-t1\"", "id = \"face-t1\"\ncalibrated = \"2026-11-10\"\ncalibrate_days = 15");
    let mut desk = Desk::new(&[change]);
    let key = "face-t1:calibration-due";
    desk.pass(Span::from_secs(61));
    assert_eq!(desk.state(key), AlarmState::Normal);
    desk.now.wall = desk.now.wall.after(Span::from_secs(12 * 3_600));
    desk.pass(Span::from_secs(61));
    assert_eq!(desk.state(key), AlarmState::Unacknowledged);
}

#[test]
fn an_on_delay_counts_only_while_the_set_point_itself_is_reached() {
    // Cut at 1.50, back below 1.00: the delay asks for 1.50 all the while.
    let mut desk = Desk::new(&[("id = \"face.t1\"", "id = \"face.t1\"\non_delay_s = 2")]);
    let trip = desk.plan.trip("face-cut").unwrap();
    desk.reads("face.t1", 1.5);
    desk.pass(Span::from_ms(500));
    desk.reads("face.t1", 1.2);
    desk.pass(Span::from_secs(5));
    assert_eq!(desk.state(TRIP), AlarmState::Normal, "it was at its set-point for half a second of two");
    assert!(!desk.site.view(desk.now).trips[trip].tripped);
    desk.reads("face.t1", 1.5);
    desk.pass(Span::from_ms(1_900));
    assert_eq!(desk.state(TRIP), AlarmState::Normal, "the delay began anew");
    desk.pass(Span::from_ms(200));
    assert_eq!(desk.state(TRIP), AlarmState::Unacknowledged);
    desk.reads("face.t1", 1.2);
    desk.pass(Span::from_secs(60));
    assert_eq!(desk.state(TRIP), AlarmState::Unacknowledged, "once raised, the reset value holds it");
}

#[test]
fn an_alarm_that_was_below_its_reset_value_once_is_not_reset_between_the_two() {
    let mut desk = Desk::new(&[]);
    desk.reads("face.t1", 1.5);
    desk.reads("face.t1", 0.0);
    desk.pass(Span::from_secs(60));
    desk.ack(TRIP);
    desk.reads("face.t1", 1.2);
    assert_eq!(desk.state(TRIP), AlarmState::LatchedAcknowledged);
    let reset = Verb::Reset { target: TRIP.to_owned() };
    let Reply::Refused(why) = desk.order("li", reset.clone()) else { panic!("reset above its reset value") };
    assert!(why[0].en.contains("must be below 1.00 %vol"), "{why:?}");
    desk.reads("face.t1", 0.0);
    assert!(matches!(desk.order("li", reset), Reply::Done(_)));
}

#[test]
fn what_had_escalated_before_a_restart_is_escalated_after_it_and_what_had_not_counts_on() {
    let horn = |desk: &Desk| {
        let horn = desk.plan.elements.find(|e| e.tag.as_str() == "horn").unwrap();
        desk.site.demands()[davy::model::table::Row::to_usize(horn)]
    };
    let mut desk = Desk::new(&HORN);
    desk.reads("boiler-house.co", 120.0);
    desk.pass(Span::from_secs(60));
    desk.restart(Span::from_secs(50));
    assert_eq!(horn(&desk), Demand::None);
    desk.reads("boiler-house.co", 120.0);
    desk.pass(Span::from_secs(9));
    assert_eq!(desk.changes(CO).last().unwrap().cause, AlarmCause::Occurred);
    desk.pass(Span::from_secs(2));
    assert_eq!(desk.changes(CO).last().unwrap().cause, AlarmCause::Escalated, "60 + 50 + 10 seconds");
    desk.restart(Span::from_secs(5));
    assert!(desk.site.view(desk.now).alarms[desk.alarm(CO)].escalated);
    assert_eq!(horn(&desk), Demand::Trip, "before anything is read");
    desk.ack_all();
    desk.input(Input::Tick);
    assert_eq!(horn(&desk), Demand::None);
    let told: Vec<_> = desk.changes(CO).iter().map(|a| (a.cause, a.escalated)).collect();
    let expected = [
        (AlarmCause::Occurred, false),
        (AlarmCause::Escalated, true),
        // Whoever is told of escalations only has to hear that this one is over.
        (AlarmCause::Acknowledged, true),
    ];
    assert_eq!(told, expected);
}

#[test]
fn gas_that_came_and_went_and_was_acknowledged_by_nobody_escalates_all_the_same() {
    let mut desk = Desk::new(&HORN);
    desk.reads("boiler-house.co", 120.0);
    desk.pass(Span::from_secs(30));
    desk.reads("boiler-house.co", 0.0);
    desk.pass(Span::from_secs(60));
    assert_eq!(desk.state(CO), AlarmState::LatchedUnacknowledged);
    desk.pass(Span::from_secs(31));
    assert_eq!(desk.causes(CO), [AlarmCause::Occurred, AlarmCause::Cleared, AlarmCause::Escalated]);
    assert_eq!(desk.state(CO), AlarmState::LatchedUnacknowledged);
    desk.ack(CO);
    assert!(!desk.site.view(desk.now).alarms[desk.alarm(CO)].escalated);
}

#[test]
fn a_device_that_does_not_answer_has_one_alarm_and_never_none() {
    let mut desk = Desk::new(&[]);
    let device = desk.plan.devices.find(|d| d.tag.as_str() == "face-t1").unwrap();
    let (lost, stale) = ("face-t1:comm-lost", "face-t1:stale");
    let standing = |desk: &Desk| (desk.state(lost).is_active(), desk.state(stale).is_active());
    // Nobody asks it: stale, after two polls and two time-outs.
    for _ in 0..100 {
        desk.now.mono = desk.now.mono + Span::from_ms(100);
        desk.input(Input::Tick);
    }
    assert_eq!(standing(&desk), (false, true), "it is not asked; whether it would answer nobody knows");
    let no_answer = || Input::NoAnswer { device, fault: LineFault::NoReply };
    desk.input(no_answer());
    assert_eq!(standing(&desk), (false, true));
    desk.input(no_answer());
    assert_eq!(standing(&desk), (true, false), "now it is known, and the better reason is told");
    desk.reads("face.t1", 0.1);
    let back = standing(&desk);
    assert!(back == (false, false), "all its points are back: {back:?}");
}

#[test]
fn acknowledging_all_leaves_what_nobody_is_shown() {
    let mut desk = Desk::new(&[]);
    desk.shelve(CO, 10, Some("wang"));
    desk.reads("boiler-house.co", 120.0);
    desk.ack_all();
    assert_eq!(desk.causes(CO), [AlarmCause::SetAside, AlarmCause::Occurred]);
    desk.ack(CO);
    assert_eq!(desk.causes(CO).last(), Some(&AlarmCause::Acknowledged), "by its name it is");
}

#[test]
fn a_trip_is_not_reset_while_a_sensor_of_it_has_been_over_its_range_and_nobody_has_seen_to_that() {
    let mut desk = Desk::new(&[]);
    let over = "face.t2:over-range";
    let reads = |desk: &mut Desk, value: f64, quality: Quality| {
        let id = desk.point("face.t2");
        let (device, at) = (desk.plan.points[id].device, desk.now.mono);
        let readings = vec![(id, Reading { value: Some(value), quality, at })];
        desk.input(Input::Readings { device, readings });
    };
    let refused = |desk: &mut Desk| match desk.order("li", Verb::Reset { target: "face-cut".to_owned() }) {
        Reply::Refused(why) => why.iter().map(|w| w.en.to_string()).collect::<Vec<_>>().join("; "),
        Reply::Done(_) => String::new(),
    };
    reads(&mut desk, 4.0, Quality::Uncertain(Doubt::OverRange));
    assert!(desk.site.view(desk.now).trips[desk.plan.trip("face-cut").unwrap()].tripped);
    desk.reads("face.section.live", 0.0);
    desk.reads("face.return.live", 0.0);
    desk.pass(Span::from_secs(5));
    // It folds back: the device says less, and still that it is over its range.
    reads(&mut desk, 0.1, Quality::Uncertain(Doubt::OverRange));
    desk.ack_all();
    desk.pass(Span::from_secs(90));
    assert!(refused(&mut desk).contains("face.t2:over-range: now 0.10 %vol (over-range)"));
    // Back in range, and over its range once more for a moment that nobody has acknowledged.
    reads(&mut desk, 4.0, Quality::Uncertain(Doubt::OverRange));
    reads(&mut desk, 0.1, Quality::Good);
    desk.pass(Span::from_secs(5));
    reads(&mut desk, 4.0, Quality::Uncertain(Doubt::OverRange));
    reads(&mut desk, 0.1, Quality::Good);
    desk.pass(Span::from_secs(90));
    for key in ["face.t2:alarm", "face.t2:trip", "face.t2:warning"] {
        desk.ack(key);
    }
    assert_eq!(desk.state(over), AlarmState::LatchedUnacknowledged);
    assert_eq!(refused(&mut desk), format!("{over} is not acknowledged: `davy ack {over}`"));
    desk.ack(over);
    assert_eq!(refused(&mut desk), "");
    assert_eq!(desk.state(over), AlarmState::Normal, "the reset of the trip lifts it too");
}
