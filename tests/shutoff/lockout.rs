//! The fan-methane-electric lock-out of the demo's heading.

use crate::bench::{Bench, refusal};
use davy::model::element::Demand;
use davy::model::point::Fault;

const SUPPLY: &str = "heading.supply";
const LOCK: &str = "heading.fan-lock";

#[test]
fn a_fan_that_stops_cuts_the_heading_and_is_not_locked_in_clean_air() {
    let mut bench = Bench::calm(&[]);
    bench.set("heading.fan", 0.0);
    bench.run(1);
    assert_eq!((bench.demand(SUPPLY), bench.demand(LOCK)), (Demand::Trip, Demand::None));
}

#[test]
fn a_duct_that_is_starved_cuts_the_heading() {
    let mut bench = Bench::calm(&[]);
    bench.set("heading.duct", 1.9);
    bench.run(1);
    assert_eq!(bench.demand(SUPPLY), Demand::Trip);
}

#[test]
fn a_fan_that_stands_in_gas_is_locked_above_3_and_unlocked_by_a_person_below_1_5() {
    let mut bench = Bench::calm(&[]);
    bench.set("heading.fan", 0.0);
    bench.set("heading.t2", 3.0);
    bench.run(1);
    assert_eq!(bench.demand(LOCK), Demand::None, "3.00 is not above 3.0");
    bench.set("heading.t2", 3.01);
    bench.run(1);
    assert_eq!(bench.demand(LOCK), Demand::Trip);
    bench.set("heading.t2", 1.5);
    bench.run(5);
    bench.ack_all();
    let why = refusal(&bench.reset("heading-fan-lock"));
    assert!(why.contains("heading.t2:lock: now 1.50 %vol (good), must be below 1.50"), "{why}");
    bench.set("heading.t2", 1.49);
    bench.run(5);
    assert_eq!(bench.demand(LOCK), Demand::Trip, "not by itself");
    bench.acknowledge_and_reset("heading-fan-lock");
    bench.run(1);
    assert_eq!((bench.demand(LOCK), bench.demand(SUPPLY)), (Demand::None, Demand::Trip));
}

#[test]
fn a_device_fault_cuts_the_heading_and_never_locks_the_fan() {
    for broken in ["heading.t1", "heading.t2", "heading.fan"] {
        let mut bench = Bench::calm(&[]);
        bench.break_point(broken, Some(Fault::SensorFault));
        bench.run(12);
        assert_eq!((bench.demand(SUPPLY), bench.demand(LOCK)), (Demand::Trip, Demand::None), "{broken}");
    }
    let mut bench = Bench::calm(&[]);
    bench.break_point("heading.t1", Some(Fault::CommLost));
    bench.break_point("heading.t2", Some(Fault::CommLost));
    bench.set("heading.fan", 0.0);
    bench.run(60);
    assert_eq!((bench.demand(SUPPLY), bench.demand(LOCK)), (Demand::Trip, Demand::None));
}

#[test]
fn power_comes_back_only_below_the_alarm_of_methane() {
    let mut bench = Bench::calm(&[]);
    bench.set("heading.fan", 0.0);
    bench.run(1);
    bench.set("heading.fan", 1.0);
    bench.set("heading.t1", 1.0);
    bench.run(5);
    bench.ack_all();
    let why = refusal(&bench.reset("heading-cut"));
    assert!(why.contains("heading.t1:alarm"), "{why}");
    bench.set("heading.t1", 0.9);
    bench.run(5);
    bench.acknowledge_and_reset("heading-cut");
    bench.run(1);
    assert_eq!(bench.demand(SUPPLY), Demand::None);
}
