//! The colours of areas: each rule, what lies below all of them, and what they survive.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds no area fails"
)]

#[path = "common/desk.rs"]
mod desk;

use davy::model::alarm::Colour;
use davy::model::command::Verb;
use davy::model::grade::{Grade, GradeChange, GradeRule};
use davy::model::record::Body;
use davy::model::time::Span;
use davy::safety::Input;
use davy::views::overview;
use desk::Desk;

/// An area's grade with the next tick.
fn grade(desk: &mut Desk, area: &str) -> Grade {
    desk.input(Input::Tick);
    let id = desk.plan.areas.find(|a| a.tag.as_str() == area).unwrap();
    desk.site.view(desk.now).grades[id].clone()
}

fn colour(desk: &mut Desk, area: &str) -> Colour {
    grade(desk, area).colour
}

fn because(desk: &mut Desk, area: &str) -> Vec<GradeRule> {
    grade(desk, area).why.iter().map(|reason| reason.rule).collect()
}

fn changes(desk: &Desk) -> Vec<&GradeChange> {
    let changes = desk.records.iter().filter_map(|record| match &record.body {
        Body::Grade(change) => Some(change),
        _ => None,
    });
    changes.collect()
}

fn told(desk: &Desk) -> Vec<(&str, Colour, Colour)> {
    changes(desk).iter().map(|c| (c.area.as_str(), c.from, c.grade.colour)).collect()
}

fn minutes(n: u64) -> Span {
    Span::from_secs(n * 60)
}

/// A face with gas in it, which somebody has seen: nothing is escalated.
fn face(t1: f64) -> Desk {
    let mut desk = Desk::new(&[]);
    desk.reads("face.t1", t1);
    desk.ack_all();
    desk
}

#[test]
fn a_quiet_site_is_as_bad_as_its_inherent_risk_and_tells_nothing() {
    let mut desk = Desk::new(&[]);
    desk.pass(minutes(1));
    assert_eq!(because(&mut desk, "face"), [GradeRule::Risk]);
    assert_eq!((colour(&mut desk, "face"), told(&desk)), (Colour::Blue, vec![]));
}

#[test]
fn the_early_warning_is_blue_the_alarm_yellow_and_the_cut_orange_each_with_its_reason() {
    for (value, expected) in [(0.8, Colour::Blue), (1.0, Colour::Yellow), (1.5, Colour::Orange)] {
        let mut desk = face(value);
        desk.pass(Span::from_secs(1));
        assert_eq!(colour(&mut desk, "face"), expected, "{value}");
        assert!(because(&mut desk, "face").contains(&GradeRule::Alarm), "{value}");
    }
    let mut desk = face(1.5);
    desk.input(Input::Tick);
    let change = *changes(&desk).last().unwrap();
    assert_eq!(
        (change.area.as_str(), change.from, change.grade.colour),
        ("face", Colour::Blue, Colour::Orange)
    );
    let reason = &change.grade.why[0];
    assert_eq!((reason.key.as_str(), reason.value, reason.limit), ("face.t1:trip", Some(1.5), Some(1.5)));
    assert!(change.text.en.contains("face.t1:trip") && change.text.zh.contains("橙"));
}

#[test]
fn an_alarm_for_more_than_ten_minutes_is_orange() {
    let mut desk = face(1.0);
    desk.pass(minutes(10));
    assert_eq!(colour(&mut desk, "face"), Colour::Yellow);
    desk.pass(Span::from_secs(1));
    assert_eq!(
        (colour(&mut desk, "face"), because(&mut desk, "face")),
        (Colour::Orange, vec![GradeRule::Lasting])
    );
    desk.reads("face.t1", 0.0);
    desk.pass(Span::from_secs(2));
    assert_eq!(colour(&mut desk, "face"), Colour::Yellow, "held, but no longer there");
}

#[test]
fn two_points_of_one_area_are_orange_and_two_areas_are_red() {
    let mut desk = face(1.0);
    desk.reads("face.t0", 1.0);
    assert_eq!(because(&mut desk, "face"), [GradeRule::Points]);
    desk.reads("heading.t1", 1.0);
    assert_eq!((colour(&mut desk, "face"), colour(&mut desk, "heading")), (Colour::Red, Colour::Red));
    assert_eq!(because(&mut desk, "heading"), [GradeRule::Areas]);
    assert_eq!(colour(&mut desk, "boiler-house"), Colour::Blue, "where nothing is over nothing is red");
    desk.reads("heading.t1", 0.0);
    desk.pass(Span::from_secs(2));
    assert_eq!((colour(&mut desk, "face"), colour(&mut desk, "heading")), (Colour::Orange, Colour::Yellow));
}

#[test]
fn three_percent_is_red_as_displayed_and_stays_so_while_the_alarm_holds() {
    let mut desk = face(2.99);
    desk.reads("face.section.live", 0.0);
    desk.reads("face.return.live", 0.0);
    desk.pass(Span::from_secs(10));
    assert_eq!(colour(&mut desk, "face"), Colour::Orange);
    desk.reads("face.t1", 2.996);
    desk.pass(Span::from_ms(100));
    assert!(because(&mut desk, "face").iter().all(|rule| *rule == GradeRule::Concentration));
    desk.reads("face.t1", 2.5);
    desk.pass(Span::from_ms(100));
    assert_eq!(colour(&mut desk, "face"), Colour::Red, "no flicker at the limit");
}

#[test]
fn a_percentage_of_the_explosive_limit_is_held_against_percent_by_volume() {
    let mut desk = Desk::new(&[]);
    desk.reads("boiler-house.ch4", 59.0);
    desk.reads("boiler-house.valve.closed", 1.0);
    desk.reads("boiler-house.valve.open", 0.0);
    assert_eq!(colour(&mut desk, "boiler-house"), Colour::Orange);
    desk.reads("boiler-house.ch4", 60.0);
    desk.pass(Span::from_ms(100));
    assert_eq!(colour(&mut desk, "boiler-house"), Colour::Red, "60 %LEL of 5 % are 3 %");
}

#[test]
fn a_cut_that_is_not_confirmed_is_red_until_it_is() {
    let mut desk = face(1.5);
    desk.pass(Span::from_secs(4));
    assert_eq!(colour(&mut desk, "face"), Colour::Orange);
    desk.pass(Span::from_secs(2));
    assert_eq!(colour(&mut desk, "face"), Colour::Red);
    let why = grade(&mut desk, "face").why;
    let reason = why.iter().find(|reason| reason.rule == GradeRule::NotConfirmed).unwrap();
    assert_eq!(reason.key, "face.section");
    desk.reads("face.section.live", 0.0);
    desk.reads("face.return.live", 0.0);
    desk.pass(Span::from_ms(100));
    assert_eq!(because(&mut desk, "face"), [GradeRule::Alarm; 4], "not confirmed and feed live, held");
    desk.ack_all();
    for alarm in ["section:not-confirmed", "return:not-confirmed", "section:feed-live", "return:feed-live"] {
        desk.order("li", Verb::Reset { target: format!("face.{alarm}") });
    }
    assert_eq!(colour(&mut desk, "face"), Colour::Orange);
}

#[test]
fn at_or_above_the_cut_for_more_than_half_an_hour_is_red() {
    let mut desk = face(1.5);
    desk.reads("face.section.live", 0.0);
    desk.reads("face.return.live", 0.0);
    desk.pass(minutes(30));
    assert_eq!(colour(&mut desk, "face"), Colour::Orange);
    desk.pass(Span::from_secs(1));
    assert_eq!(because(&mut desk, "face"), [GradeRule::TripLasting]);
}

#[test]
fn the_inherent_risk_is_the_floor() {
    let risk = "id = \"face\"\nkind = \"cn-coal-face\"\nrisk = \"orange\"";
    let mut desk = Desk::new(&[("id = \"face\"\nkind = \"cn-coal-face\"", risk)]);
    desk.reads("face.t1", 1.0);
    desk.pass(Span::from_secs(1));
    assert_eq!((colour(&mut desk, "face"), told(&desk)), (Colour::Orange, vec![]));
    assert_eq!(because(&mut desk, "face"), [GradeRule::Risk], "a yellow alarm does not make it orange");
}

#[test]
fn the_rules_are_the_files_and_nought_is_never() {
    let never = "[grades]\norange_after_min = 1\norange_points = 0\nred_areas = 0\nred_pct_vol = 0\nred_after_min = 0\n\n[[gas]]\nid = \"methane\"";
    let mut desk = Desk::new(&[("[[gas]]\nid = \"methane\"", never)]);
    desk.reads("face.t1", 1.0);
    desk.reads("face.t0", 1.0);
    desk.reads("heading.t1", 1.0);
    desk.pass(minutes(1));
    assert_eq!(colour(&mut desk, "face"), Colour::Yellow);
    desk.pass(Span::from_secs(1));
    assert_eq!(colour(&mut desk, "face"), Colour::Orange);
}

#[test]
fn over_a_restart_a_colour_is_no_news_and_its_time_goes_on() {
    let mut desk = face(1.0);
    desk.pass(minutes(9));
    let before = told(&desk).len();
    desk.restart(Span::from_secs(30));
    desk.reads("face.t1", 1.0);
    desk.pass(Span::from_secs(20));
    assert_eq!((colour(&mut desk, "face"), told(&desk).len()), (Colour::Yellow, before));
    desk.pass(Span::from_secs(11));
    assert_eq!(colour(&mut desk, "face"), Colour::Orange);
    desk.reload();
    assert_eq!(told(&desk).len(), before + 1);
}

#[test]
fn silencing_an_alarm_makes_no_area_better() {
    let mut desk = Desk::new(&[]);
    desk.reads("boiler-house.co", 120.0);
    desk.shelve("boiler-house.co:alarm", 10, Some("wang"));
    desk.pass(Span::from_secs(1));
    assert_eq!(colour(&mut desk, "boiler-house"), Colour::Yellow);
}

#[test]
fn the_overview_shows_the_colour_and_what_made_it() {
    let mut desk = face(1.0);
    desk.reads("face.t0", 1.0);
    desk.input(Input::Tick);
    let view = desk.site.view(desk.now);
    let json = overview::to_json(&desk.plan, &view);
    assert_eq!(json["areas"][0]["colour"], "orange");
    assert_eq!(json["incidents"][0]["area"], "face");
    let text = overview::to_text(&desk.plan, &view, false);
    assert!(text.contains("■ 橙 ORANGE") && text.contains("points 2.0 (2.0)"), "{text}");
}
