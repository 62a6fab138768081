//! Permits: tighter for a while, never looser, and over by themselves.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds no permit fails"
)]

#[path = "common/desk.rs"]
mod desk;

use davy::model::alarm::AlarmState;
use davy::model::command::{Reply, Verb};
use davy::model::element::Demand;
use davy::model::permit::{PermitChange, PermitKind, PermitStep, SetPoints, Tightening};
use davy::model::record::Body;
use davy::model::time::{Span, Wall};
use davy::views::overview;
use desk::{Desk, NOON};

const ALARM: &str = "face.t1:alarm";

fn ask(desk: &mut Desk, place: &str, minutes: u32, tighten: Tightening) -> Reply {
    let (place, kind) = (place.to_owned(), PermitKind::HotWork);
    desk.order("li", Verb::Permit { place, kind, minutes, tighten, second: None })
}

fn alarm_at(value: f64) -> Tightening {
    Tightening::SetPoints(SetPoints { alarm: Some(value), ..SetPoints::default() })
}

fn given(desk: &mut Desk, place: &str, minutes: u32, tighten: Tightening) {
    let reply = ask(desk, place, minutes, tighten);
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
}

fn refusals(reply: Reply) -> Vec<String> {
    let Reply::Refused(why) = reply else { panic!("not refused: {reply:?}") };
    why.iter().map(|text| text.en.to_string()).collect()
}

fn changes(desk: &Desk) -> Vec<&PermitChange> {
    let changes = desk.records.iter().filter_map(|record| match &record.body {
        Body::Permit(change) => Some(change),
        _ => None,
    });
    changes.collect()
}

#[test]
fn hot_work_alarms_earlier_until_its_time_is_over() {
    let mut desk = Desk::new(&[]);
    desk.reads("face.t1", 0.6);
    assert_eq!(desk.state(ALARM), AlarmState::Normal);
    given(&mut desk, "face", 60, alarm_at(0.5));
    assert_eq!(desk.state(ALARM), AlarmState::Unacknowledged, "judged at once, by what was read");
    assert_eq!(desk.changes(ALARM).last().unwrap().set_point, Some(0.5));
    let started = changes(&desk)[0];
    assert_eq!((started.step, started.area.as_str()), (PermitStep::Started, "face"));
    assert_eq!(started.permit.until, Wall::from_ms(NOON + 3_600_000));
    assert!(started.set_points.contains(&(ALARM.to_owned(), 0.5)));
    assert!(started.set_points.contains(&("face.t1:warning".to_owned(), 0.5)), "no warning after the alarm");
    assert!(started.set_points.contains(&("face.t1:trip".to_owned(), 1.5)));
    let text = overview::to_text(&desk.plan, &desk.site.view(desk.now), false);
    assert!(text.contains("face:hot-work  --alarm 0.5 until 2026-11-24T13:00:00.000Z (li)"), "{text}");
    desk.pass(Span::from_secs(3_599));
    assert_eq!(desk.state(ALARM), AlarmState::Unacknowledged);
    desk.pass(Span::from_secs(3));
    assert_eq!(desk.state(ALARM), AlarmState::LatchedUnacknowledged);
    let expired = changes(&desk)[1];
    assert_eq!((expired.step, expired.who.as_ref()), (PermitStep::Expired, None));
    assert!(expired.set_points.contains(&(ALARM.to_owned(), 1.0)), "the site file's go again");
}

#[test]
fn a_tightened_trip_trips() {
    let mut desk = Desk::new(&[]);
    given(&mut desk, "face.t1", 60, Tightening::Percent(50));
    desk.reads("face.t1", 0.74);
    let trip = desk.plan.trip("face-cut").unwrap();
    assert!(!desk.site.view(desk.now).trips[trip].tripped);
    desk.reads("face.t1", 0.75);
    assert!(desk.site.view(desk.now).trips[trip].tripped);
    assert!(desk.site.demands().contains(&Demand::Trip));
    assert_eq!(desk.state("face.t0:warning"), AlarmState::Normal, "a permit at a point is for that point");
}

#[test]
fn what_would_loosen_or_last_too_long_is_refused_with_everything_that_stands_against_it() {
    let mut desk = Desk::new(&[]);
    let why = refusals(ask(&mut desk, "face.t1", 481, alarm_at(1.01)));
    assert!(why.len() == 2 && why[0].contains("480") && why[1].contains("looser"), "{why:?}");
    assert_eq!(refusals(ask(&mut desk, "face", 0, Tightening::Percent(100))).len(), 2);
    assert_eq!(refusals(ask(&mut desk, "face", 60, Tightening::Percent(9))).len(), 1);
    assert_eq!(refusals(ask(&mut desk, "face.t1", 60, alarm_at(f64::NAN))).len(), 1);
    assert_eq!(
        refusals(ask(&mut desk, "face.t1", 60, alarm_at(0.0))).len(),
        2,
        "always reached: alarm and warning"
    );
    assert_eq!(refusals(ask(&mut desk, "nowhere", 60, Tightening::Percent(50))).len(), 1);
    assert_eq!(refusals(ask(&mut desk, "boiler-house", 60, alarm_at(15.0))).len(), 1, "ppm and %LEL");
    let nothing = Tightening::SetPoints(SetPoints::default());
    assert_eq!(refusals(ask(&mut desk, "face", 60, nothing)).len(), 1);
    // One of the three points of the face is cut at 1.0 already.
    let trip = Tightening::SetPoints(SetPoints { trip: Some(1.2), ..SetPoints::default() });
    let why = refusals(ask(&mut desk, "face", 60, trip));
    assert!(why.len() == 1 && why[0].contains("face.t2:trip"), "{why:?}");
    assert_eq!(changes(&desk), Vec::<&PermitChange>::new());
}

#[test]
fn the_second_person_is_another_one_and_one_permit_of_a_kind_runs_at_a_place() {
    let mut desk = Desk::new(&[]);
    let verb = |second: &str| Verb::Permit {
        place: "face".to_owned(),
        kind: PermitKind::ConfinedSpace,
        minutes: 10,
        tighten: Tightening::Percent(50),
        second: Some(second.to_owned()),
    };
    assert_eq!(refusals(desk.order("li", verb("li"))).len(), 1);
    assert_eq!(refusals(desk.order("li (root)", verb(" LI "))).len(), 1, "the person behind the account");
    assert!(matches!(desk.order("li", verb("wang")), Reply::Done(_)));
    assert_eq!(refusals(desk.order("li", verb("wang"))).len(), 1);
    given(&mut desk, "face", 10, alarm_at(0.6));
    desk.reads("face.t1", 0.5);
    assert_eq!(desk.state(ALARM), AlarmState::Unacknowledged, "the tighter of two goes");
}

#[test]
fn a_person_ends_it_before_its_time() {
    let mut desk = Desk::new(&[]);
    given(&mut desk, "face", 60, alarm_at(0.5));
    let end = |key: &str| Verb::EndPermit { key: key.to_owned() };
    assert!(matches!(desk.order("wang", end("face")), Reply::Refused(_)));
    assert!(matches!(desk.order("wang", end("face:hot-work")), Reply::Done(_)));
    let ended = changes(&desk)[1];
    assert_eq!((ended.step, ended.who.as_ref().map(|w| w.name.as_str())), (PermitStep::Ended, Some("wang")));
    desk.reads("face.t1", 0.6);
    assert_eq!(desk.state(ALARM), AlarmState::Normal);
}

#[test]
fn it_goes_on_over_a_restart_and_a_reload_for_the_time_that_was_left() {
    let mut desk = Desk::new(&[]);
    given(&mut desk, "face", 10, alarm_at(0.5));
    desk.pass(Span::from_secs(60));
    desk.restart(Span::from_secs(60));
    desk.reads("face.t1", 0.6);
    assert_eq!(desk.state(ALARM), AlarmState::Unacknowledged);
    for _ in 0..3 {
        desk.reload();
        desk.pass(Span::from_secs(100));
    }
    assert_eq!(desk.site.view(desk.now).permits.len(), 1);
    desk.pass(Span::from_secs(179));
    assert_eq!(changes(&desk).len(), 1);
    desk.pass(Span::from_secs(2));
    assert_eq!(changes(&desk)[1].step, PermitStep::Expired);
    assert_eq!(desk.site.view(desk.now).permits, []);
}

#[test]
fn a_clock_that_is_set_back_over_a_restart_prolongs_no_permit_beyond_its_minutes() {
    let mut desk = Desk::new(&[]);
    given(&mut desk, "face", 10, alarm_at(0.5));
    desk.now.wall = Wall::from_ms(NOON - 3_600_000);
    desk.restart(Span::ZERO);
    desk.pass(Span::from_ms(599_900));
    assert_eq!(changes(&desk).len(), 1);
    desk.pass(Span::from_ms(100));
    assert_eq!(changes(&desk)[1].step, PermitStep::Expired);
}

#[test]
fn a_permit_of_the_site_file_begins_and_ends_on_its_day_and_only_the_file_takes_it_back() {
    let planned = "[[permit]]\nplace = \"face\"\nkind = \"hot-work\"\nfrom = \"2026-11-24T20:05:00+08:00\"\n\
        until = \"2026-11-24T20:15:00+08:00\"\nby = \"wang\"\npercent = 50\n\n[[gas]]\nid = \"methane\"";
    let mut desk = Desk::new(&[("[[gas]]\nid = \"methane\"", planned)]);
    desk.reads("face.t1", 0.6);
    desk.pass(Span::from_secs(299));
    assert_eq!(desk.state(ALARM), AlarmState::Normal);
    desk.pass(Span::from_secs(2));
    assert_eq!(desk.state(ALARM), AlarmState::Unacknowledged);
    let refused = desk.order("li", Verb::EndPermit { key: "face:hot-work".to_owned() });
    assert!(refusals(refused)[0].contains("site file"));
    desk.restart(Span::from_secs(60));
    desk.reload();
    desk.pass(Span::from_secs(600));
    let steps: Vec<PermitStep> = changes(&desk).iter().map(|c| c.step).collect();
    assert_eq!(steps, [PermitStep::Started, PermitStep::Expired]);
}

#[test]
fn a_set_point_is_rounded_to_the_safe_side_of_what_is_displayed() {
    let mut desk = Desk::new(&[]);
    given(&mut desk, "boiler-house.co", 10, Tightening::Percent(33));
    let set: Vec<f64> = changes(&desk)[0].set_points.iter().map(|(_, set)| *set).collect();
    assert_eq!(set, [7.0, 33.0, 66.0], "of 24, 100 and 200 ppm");
}

/// An oxygen point in the face, on a head that measures it.
const OXYGEN: (&str, &str) = (
    "[[gas]]\nid = \"methane\"",
    "[[gas]]\nid = \"oxygen\"\n\n[[device]]\nid = \"face-o2\"\nbus = \"face\"\nunit = 77\nprofile = \"gas-float\"\narea = \"face\"\n\n\
     [[point]]\nid = \"face.o2\"\ndevice = \"face-o2\"\nsignal = \"value\"\ngas = \"oxygen\"\n\
     set_points = { unit = \"%vol\", low_alarm = 19.5, alarm = 23.5 }\n\n[[gas]]\nid = \"methane\"",
);

#[test]
fn a_permit_tightens_low_set_points_too_where_it_says_so_and_means_oxygen_only_then() {
    let mut desk = Desk::new(&[OXYGEN]);
    let low =
        |value: f64| Tightening::SetPoints(SetPoints { low_alarm: Some(value), ..SetPoints::default() });
    desk.reads("face.o2", 20.9);
    given(&mut desk, "face", 10, Tightening::Percent(50));
    assert_eq!(desk.state("face.o2:alarm"), AlarmState::Normal, "half of 23.5 would be a constant alarm");
    desk.order("li", Verb::EndPermit { key: "face:hot-work".to_owned() });
    let why = refusals(ask(&mut desk, "face", 10, low(19.0)));
    assert!(why[0].contains("19 is looser than the set-point 19.5"), "{why:?}");
    let why = refusals(ask(&mut desk, "face", 10, low(23.5)));
    assert!(why[0].contains("always reached"), "{why:?}");
    let why = refusals(ask(&mut desk, "face.o2", 10, alarm_at(19.5)));
    assert!(why[0].contains("always reached"), "{why:?}");
    assert!(refusals(ask(&mut desk, "boiler-house.co", 10, low(20.0)))[0].contains("no area or point"));
    given(&mut desk, "face", 10, low(20.5));
    let started = changes(&desk).last().copied().unwrap();
    assert_eq!(started.set_points, [("face.o2:low-alarm".to_owned(), 20.5)], "and no other");
    desk.reads("face.o2", 20.4);
    assert_eq!(desk.state("face.o2:low-alarm"), AlarmState::Unacknowledged);
    desk.restart(Span::from_secs(10));
    desk.reads("face.o2", 20.5);
    desk.pass(Span::from_secs(60));
    assert_eq!(desk.state("face.o2:low-alarm"), AlarmState::Unacknowledged, "over a restart");
    desk.pass(Span::from_secs(600));
    assert_eq!(
        desk.state("face.o2:low-alarm"),
        AlarmState::LatchedUnacknowledged,
        "the site file's goes again"
    );
}
