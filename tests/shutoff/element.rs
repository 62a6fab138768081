//! Supervised elements: each way in which one can disobey is an alarm of its own, and a backup steps in.

use crate::bench::{Bench, plan, refusal};
use davy::model::command::{Reply, Verb};
use davy::model::element::{Demand, Phase, Position};
use davy::model::plan::Plan;
use davy::model::point::Fault;
use davy::model::record::{Body, ElementChange};
use davy::model::time::Span;

const VALVE: &str = "bottle-room.valve";
const GAS: &str = "bottle-room.lpg-1";
const FEED: &str = "face.section";

/// The valve of the bottle room backed up by that of the boiler house.
const BACKUP: (&str, &str) =
    ("open = \"open\"\ntravel_s = 3", "open = \"open\"\ntravel_s = 3\nbackup = \"boiler-house.valve\"");

fn last(bench: &Bench, tag: &str) -> ElementChange {
    let of = |body: &Body| match body {
        Body::Element(e) if e.tag == tag => Some(e.clone()),
        _ => None,
    };
    bench.told(of).pop().unwrap_or_else(|| panic!("nothing was told of {tag}"))
}

fn view(bench: &Bench, tag: &str) -> (Phase, Position) {
    let view = &bench.site.view(bench.now).elements[bench.element(tag)];
    (view.phase, view.position)
}

#[test]
fn a_trip_closes_the_valve_and_its_times_are_on_record() {
    let mut bench = Bench::calm(&[]);
    bench.set(GAS, 60.0);
    bench.run(3);
    assert_eq!(view(&bench, VALVE), (Phase::Confirmed, Position::Safe));
    let told = last(&bench, VALVE);
    let (dead, travel) = (told.dead.unwrap(), told.travel.unwrap());
    assert!(dead <= travel && travel <= Span::from_ms(1_600), "{dead} {travel}");
    assert_eq!((told.attempts, told.backup), (0, None));
}

#[test]
fn a_jammed_valve_calls_its_backup_which_stays_until_a_person_resets() {
    let mut bench = Bench::calm(&[BACKUP]);
    bench.drive(VALVE).jammed = true;
    bench.set(GAS, 60.0);
    bench.run(2);
    assert_eq!(bench.demand("boiler-house.valve"), Demand::None);
    bench.run(2);
    assert_eq!(bench.demand("boiler-house.valve"), Demand::Trip);
    assert!(bench.is_active("bottle-room.valve:not-confirmed"));
    assert_eq!(last(&bench, VALVE).backup.as_deref(), Some("boiler-house.valve"));
    assert_eq!(last(&bench, "boiler-house.valve").trips, ["bottle-room-shutoff"]);

    bench.drive(VALVE).jammed = false;
    bench.run(3);
    assert_eq!(view(&bench, VALVE).0, Phase::Confirmed);
    assert_eq!(bench.demand("boiler-house.valve"), Demand::Trip, "nobody has looked yet");
    bench.restart();
    assert_eq!(bench.demand("boiler-house.valve"), Demand::Trip, "not even a restart lifts it");
    bench.set(GAS, 0.0);
    bench.run(65);
    bench.acknowledge_and_reset("bottle-room-shutoff");
    bench.run(1);
    assert_eq!((bench.demand(VALVE), bench.demand("boiler-house.valve")), (Demand::None, Demand::None));
    assert_eq!(bench.folded(), bench.site.standing());
}

#[test]
fn a_backup_is_not_called_by_what_failed_under_a_demand_that_is_gone() {
    let mut bench = Bench::calm(&[BACKUP]);
    bench.drive(VALVE).jammed = true;
    bench.set(GAS, 60.0);
    bench.run(5);
    bench.drive(VALVE).jammed = false;
    // A journal in which the element's failure is and what demanded it is not.
    let mut standing = bench.folded();
    standing.trips.clear();
    standing.demanded.clear();
    bench.site = davy::safety::Site::new(std::sync::Arc::clone(&bench.plan), &standing, bench.now);
    assert_eq!(bench.site.standing().failed.len(), 0);
    assert_eq!(bench.site.demands().iter().filter(|d| **d == Demand::Trip).count(), 0);
    bench.run(1);
    assert_eq!(last(&bench, VALVE).backup, None, "a new demand begins anew");
}

#[test]
fn a_trip_is_not_reset_in_the_first_minute_after_the_start() {
    let mut bench = Bench::new(&[]);
    bench.run(1);
    bench.set(GAS, 60.0);
    bench.run(3);
    bench.set(GAS, 0.0);
    bench.run(20);
    bench.ack_all();
    let why = refusal(&bench.reset("bottle-room-shutoff"));
    assert!(why.contains("so soon after the start"), "{why}");
    bench.run(40);
    bench.acknowledge_and_reset("bottle-room-shutoff");
}

#[test]
fn a_new_site_file_may_not_take_away_a_backup_that_stands_in() {
    let mut bench = Bench::calm(&[BACKUP]);
    bench.drive(VALVE).jammed = true;
    bench.set(GAS, 60.0);
    bench.run(5);
    assert_eq!(bench.site.objections(&bench.plan), Vec::<String>::new());
    let objections = bench.site.objections(&plan(&[]));
    assert!(objections.iter().any(|o| o.contains("its backup stands in")), "{objections:?}");
    bench.reload(Plan::clone(&bench.plan));
    assert_eq!(bench.demand("boiler-house.valve"), Demand::Trip);
}

#[test]
fn writes_that_fail_are_counted_on_record() {
    let mut bench = Bench::calm(&[]);
    let valve = bench.element(VALVE);
    let n = davy::model::table::Row::to_usize(valve);
    bench.deaf[n] = true;
    bench.set(GAS, 60.0);
    bench.run(1);
    bench.deaf[n] = false;
    bench.run(2);
    let told = last(&bench, VALVE);
    assert_eq!(told.phase, Phase::Confirmed);
    assert!(told.attempts >= 3, "{}", told.attempts);
}

#[test]
fn a_feed_that_stays_live_is_the_gravest_of_alarms() {
    let mut bench = Bench::calm(&[]);
    bench.drive(FEED).jammed = true;
    bench.set("face.t1", 1.6);
    bench.run(6);
    assert!(bench.is_active("face.section:feed-live"));
    assert!(!bench.is_active("face.return:feed-live"));
}

#[test]
fn a_feed_that_says_nothing_is_not_confirmed_and_not_called_live() {
    let mut bench = Bench::calm(&[]);
    bench.break_point("face.section.live", Some(Fault::SensorFault));
    bench.set("face.t1", 1.6);
    bench.run(6);
    assert!(bench.is_active("face.section:not-confirmed"));
    assert!(!bench.is_active("face.section:feed-live"));
}

#[test]
fn a_valve_shut_by_hand_moved_without_a_command() {
    let mut bench = Bench::calm(&[]);
    bench.drive(VALVE).at = 1.0;
    bench.run(1);
    assert_eq!(bench.active(), ["bottle-room.valve:moved-uncommanded"]);
    bench.drive(VALVE).at = 0.0;
    bench.run(1);
    assert_eq!(bench.active(), Vec::<String>::new());
}

#[test]
fn a_valve_opened_against_a_trip_has_moved_and_is_no_longer_confirmed() {
    let mut bench = Bench::calm(&[]);
    bench.set(GAS, 60.0);
    bench.run(3);
    bench.drive(VALVE).at = 0.0;
    bench.drive(VALVE).jammed = true;
    bench.run(1);
    for key in ["bottle-room.valve:moved-uncommanded", "bottle-room.valve:not-confirmed"] {
        assert!(bench.is_active(key), "{key}");
    }
}

#[test]
fn both_limits_at_once_alarm_after_a_while_and_confirm_nothing() {
    let mut bench = Bench::calm(&[]);
    bench.drive(VALVE).both_limits = true;
    bench.run(1);
    assert_eq!(bench.active(), Vec::<String>::new(), "two requests may see two moments");
    bench.run(3);
    assert_eq!(bench.active(), ["bottle-room.valve:feedback-conflict"]);
    bench.set(GAS, 60.0);
    bench.run(5);
    assert_eq!(view(&bench, VALVE), (Phase::Failed, Position::Conflict));
}

#[test]
fn a_worn_valve_is_told_before_it_fails() {
    let worn = ("open = \"open\"\ntravel_s = 3", "open = \"open\"\ntravel_s = 3\ncommissioned_s = 2");
    let mut bench = Bench::calm(&[worn]);
    bench.drive(VALVE).travel = Span::from_ms(2_600);
    bench.set(GAS, 60.0);
    bench.run(4);
    assert!(bench.is_active("bottle-room.valve:slow-travel"));
    assert!(!bench.is_active("bottle-room.valve:not-confirmed"));
    assert_eq!(view(&bench, VALVE).0, Phase::Confirmed);
}

#[test]
fn a_valve_that_is_let_go_and_stays_shut_is_told_when_the_site_expects_it_back() {
    let expected = ("open = \"open\"\ntravel_s = 3", "open = \"open\"\ntravel_s = 3\nreopens_s = 60");
    let mut bench = Bench::calm(&[expected]);
    bench.set(GAS, 60.0);
    bench.run(3);
    bench.set(GAS, 0.0);
    bench.run(5);
    bench.acknowledge_and_reset("bottle-room-shutoff");
    bench.run(59);
    assert_eq!(bench.active(), Vec::<String>::new());
    bench.run(2);
    assert_eq!(bench.active(), ["bottle-room.valve:failed-to-open"]);
    assert_eq!(bench.demand(VALVE), Demand::None, "and nobody opens it from here");
}

#[test]
fn gas_that_rises_behind_a_closed_valve_is_an_alarm_that_is_held() {
    let mut bench = Bench::calm(&[]);
    bench.set(GAS, 30.0);
    bench.run(62);
    bench.set(GAS, 32.0);
    bench.run(30);
    assert!(bench.is_active("bottle-room.valve:leak-through"));
    bench.set(GAS, 0.0);
    bench.run(5);
    bench.acknowledge_and_reset("bottle-room-shutoff");
    bench.run(1);
    assert!(!bench.is_active("bottle-room.valve:leak-through"));
    assert!(matches!(
        bench.order(Verb::Reset { target: "bottle-room.valve:leak-through".to_owned() }),
        Reply::Done(_)
    ));
}

#[test]
fn gas_that_falls_behind_a_closed_valve_is_none() {
    let mut bench = Bench::calm(&[]);
    bench.set(GAS, 30.0);
    for value in [30.0, 28.0, 20.0, 15.0] {
        bench.set(GAS, value);
        bench.run(40);
    }
    assert!(!bench.is_active("bottle-room.valve:leak-through"));
}

#[test]
fn an_output_found_tripped_is_held_and_nothing_is_lifted_before_it_was_read() {
    let mut bench = Bench::calm(&[]);
    bench.set(GAS, 60.0);
    bench.run(3);
    // A gateway whose journal is gone: the valve is closed, and nobody knows why.
    bench.records.clear();
    bench.site = davy::safety::Site::new(std::sync::Arc::clone(&bench.plan), &bench.folded(), bench.now);
    bench.set(GAS, 0.0);
    bench.poll();
    assert_eq!(bench.demand(VALVE), Demand::Trip);
    bench.run(70);
    assert_eq!((bench.demand(VALVE), view(&bench, VALVE).1), (Demand::Trip, Position::Safe));
}
