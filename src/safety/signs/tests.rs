//! Each sign against the falsification that it is for, and all of them against honest days.

use super::bench::{
    Bench, DAY, Dice, FEED, HOUR, MUTE, POLL, READBACK, SET, T1, T2, T3, bad, calibrating, good, plan,
};
use super::*;
use crate::model::element::{Demand, Phase, Position};
use crate::model::point::{Doubt, Fault};
use crate::model::sign::Settings;
use proptest::prelude::*;

// Honest days.

#[test]
fn honest_days_with_shifts_surges_and_sundays_raise_nothing() {
    for seed in 1..4 {
        let mut bench = Bench::new(seed);
        for hour in 0..8 * 24 {
            // Gas that is really over the limit, for twenty minutes, now and then.
            bench.air.surge = if hour % 31 == 12 { 1.2 } else { 0.0 };
            bench.honest(20 * 60);
            bench.air.surge = 0.0;
            bench.honest(40 * 60);
        }
        assert_eq!(bench.signs(), [], "{seed}");
    }
}

#[test]
fn an_honest_calibration_is_on_record_and_is_no_sign() {
    let mut bench = Bench::new(1);
    bench.honest(4 * HOUR);
    let begin = 4 * HOUR;
    bench.run(10 * 60, &mut |second, n, value| match (n, second - begin) {
        (T1, 0..=100) => calibrating(0.0),
        (T1, 101..=130) => calibrating(1.1),
        (T1, 131..=300) => calibrating(2.01),
        (T1, 301..=400) => calibrating(0.3),
        (_, _) => good(value),
    });
    bench.honest(2 * HOUR);
    assert_eq!(bench.signs(), []);
    let begun: Vec<bool> = bench
        .records
        .iter()
        .filter_map(|r| if let Body::Calibration(c) = &r.body { Some(c.begun) } else { None })
        .collect();
    assert_eq!(begun, [true, false]);
}

#[test]
fn an_outage_of_the_whole_line_while_the_gas_is_low_is_no_sign() {
    let mut bench = Bench::new(1);
    bench.honest(20 * HOUR);
    bench.run(HOUR, &mut |_, _, _| bad(Fault::CommLost));
    bench.honest(HOUR);
    assert_eq!(bench.signs(), []);
}

#[test]
fn better_ventilation_that_all_see_is_no_step() {
    let mut bench = Bench::new(1);
    bench.air.surge = 0.5;
    bench.honest(2 * HOUR);
    let since = 2 * HOUR;
    bench.run(HOUR, &mut |second, n, value| {
        let arrives = since + 60 * u64::try_from(n).unwrap();
        good(if second > arrives { (value * 25.0).round() / 100.0 } else { value })
    });
    assert!(!bench.signs().iter().any(|(sign, _)| *sign == Sign::Step), "{:?}", bench.signs());
}

// Falsifications.

#[test]
fn a_value_frozen_in_software_is_seen_with_its_neighbour_alive() {
    let mut bench = Bench::new(1);
    bench.honest(6 * HOUR);
    bench.run(2 * HOUR, &mut |_, n, value| good(if n == T2 { 0.37 } else { value }));
    assert_eq!(bench.signs()[0], (Sign::Frozen, "t2"));
    let seen = bench.first(Sign::Frozen);
    assert!(seen.score > 1.0 && seen.values.len() >= 10, "{seen:?}");
    assert!(seen.neighbours.iter().any(|(key, ..)| key == "t1"));
}

#[test]
fn a_bag_over_the_inlet_is_seen_by_the_noise_that_is_gone() {
    let mut bench = Bench::new(2);
    bench.honest(4 * DAY);
    let (begin, mut dice) = (4 * DAY, Dice(9));
    // What is in the bag decays slowly; the electronics still flicker by one step.
    bench.run(3 * HOUR, &mut |second, n, value| {
        let hours = f64::from(u32::try_from(second - begin).unwrap()) / 3_600.0;
        let bagged = 0.42 - 0.02 * hours + if dice.unit() < 0.02 { 0.01 } else { 0.0 };
        good(if n == T2 { (bagged * 100.0).round() / 100.0 } else { value })
    });
    assert!(bench.signs().contains(&(Sign::NoiseCollapse, "t2")), "{:?}", bench.signs());
    assert!(bench.signs().iter().all(|(_, key)| *key == "t2"), "{:?}", bench.signs());
}

#[test]
fn a_drop_that_the_return_does_not_see_is_seen() {
    let mut bench = Bench::new(3);
    bench.honest(2 * HOUR);
    bench.run(10 * 60, &mut |_, n, value| good(if n == T2 { 0.05 + value / 10.0 } else { value }));
    assert_eq!(bench.signs()[0], (Sign::Step, "t2"));
    assert_eq!(bench.first(Sign::Step).neighbours[0].0, "t3");
}

#[test]
fn a_step_to_zero_or_to_a_constant_is_seen_without_any_neighbour() {
    for (to, within) in [(0.0, 60), (0.1, 600)] {
        let mut alone = plan(&Settings::default());
        alone.watched.points.values_mut().for_each(|p| Arc::make_mut(p).neighbours.clear());
        let mut bench = Bench::with(3, alone);
        bench.honest(2 * HOUR);
        bench.run(within, &mut |_, n, value| good(if n == T1 { to } else { value }));
        assert_eq!(bench.signs(), [(Sign::Step, "t1")], "to {to}");
    }
}

#[test]
fn a_gap_that_begins_on_a_rise_or_high_up_is_seen_and_one_at_rest_is_not() {
    let mut bench = Bench::new(4);
    bench.honest(20 * HOUR);
    bench.run(10 * 60, &mut |_, n, value| if n == T1 { bad(Fault::OutOfService) } else { good(value) });
    assert_eq!(bench.signs(), []);
    bench.honest(HOUR);
    bench.air.surge = 2.0;
    bench.honest(60);
    bench.run(10 * 60, &mut |_, n, value| if n == T1 { bad(Fault::CommLost) } else { good(value) });
    assert_eq!(bench.signs()[0], (Sign::GapOnRise, "t1"), "rising");

    let mut bench = Bench::new(4);
    bench.air.surge = 0.45;
    bench.honest(2 * HOUR);
    bench.run(10 * 60, &mut |_, n, value| if n == T3 { bad(Fault::SensorFault) } else { good(value) });
    assert_eq!(bench.signs()[0], (Sign::GapOnRise, "t3"), "high");
}

#[test]
fn a_gap_that_begins_beyond_the_range_is_seen() {
    let mut bench = Bench::new(4);
    bench.honest(HOUR);
    bench.give(T2, Reading { quality: Quality::Uncertain(Doubt::OverRange), ..good(4.0) });
    bench.run(60, &mut |_, n, value| if n == T2 { bad(Fault::OutOfService) } else { good(value) });
    assert_eq!(bench.signs(), [(Sign::GapOnRise, "t2")]);
}

#[test]
fn a_gap_on_a_rise_stands_for_as_long_as_it_lasts() {
    let mut bench = Bench::new(4);
    bench.air.surge = 0.6;
    bench.honest(2 * HOUR);
    bench.run(5 * HOUR, &mut |_, n, value| if n == T3 { bad(Fault::SensorFault) } else { good(value) });
    let told = bench.told().into_iter().filter(|a| a.sign == Sign::GapOnRise).count();
    assert_eq!(told, 1);
    bench.air.surge = 0.0;
    bench.honest(2 * HOUR);
    let told: Vec<bool> =
        bench.told().into_iter().filter(|a| a.sign == Sign::GapOnRise).map(|a| a.raised).collect();
    assert_eq!(told, [true, false]);
}

#[test]
fn many_that_go_away_at_once_are_one_sign_while_another_of_their_line_stays() {
    let mut bench = Bench::new(5);
    bench.honest(20 * HOUR);
    bench.give(SET, good(1.0));
    bench.run(60, &mut |_, n, value| if n == T3 { good(value) } else { bad(Fault::SensorFault) });
    let together: Vec<_> = bench.signs().into_iter().filter(|(s, _)| *s == Sign::Together).collect();
    assert_eq!(together, [(Sign::Together, "t1")]);
    assert_eq!(bench.first(Sign::Together).neighbours.len(), 1);
}

#[test]
fn half_of_a_line_that_falls_at_once_is_seen_and_one_alone_is_not() {
    for (last, wanted) in [(T1, 0), (T2, 1)] {
        let mut bench = Bench::new(5);
        bench.air.surge = 0.3;
        bench.give(SET, good(1.0));
        bench.give(MUTE, good(0.0));
        bench.honest(2 * HOUR);
        bench.run(60, &mut |_, n, value| good(if n <= last { 0.02 } else { value }));
        let together = bench.signs().into_iter().filter(|(s, _)| *s == Sign::Together).count();
        assert_eq!(together, wanted, "up to {last}");
    }
}

#[test]
fn more_gas_upstream_than_downstream_for_long_is_seen() {
    let mut bench = Bench::new(6);
    bench.honest(2 * HOUR);
    bench.run(HOUR, &mut |_, n, value| {
        // Hung where fresh air passes; its neighbours measure what they did.
        good(if n == T3 { (value * 20.0).round() / 100.0 } else { value })
    });
    let airflow: Vec<_> = bench.signs().into_iter().filter(|(s, _)| *s == Sign::Airflow).collect();
    assert_eq!(airflow, [(Sign::Airflow, "t3")]);
}

#[test]
fn a_ratio_that_has_shifted_for_a_shift_is_seen() {
    let mut bench = Bench::new(7);
    bench.honest(2 * DAY);
    bench.run(DAY, &mut |_, n, value| good(if n == T3 { (value * 60.0).round() / 100.0 } else { value }));
    assert!(bench.signs().contains(&(Sign::Ratio, "t3")), "{:?}", bench.signs());
}

#[test]
fn one_sensor_on_two_channels_is_seen_after_a_day() {
    let mut bench = Bench::new(8);
    let mut first = 0.0;
    bench.run(DAY + HOUR, &mut |_, n, value| {
        first = if n == T1 { value } else { first };
        good(if n == T3 { first } else { value })
    });
    assert!(bench.signs().contains(&(Sign::Identical, "t3")), "{:?}", bench.signs());
}

#[test]
fn a_calibration_without_gas_is_seen() {
    let mut bench = Bench::new(9);
    bench.honest(2 * HOUR);
    bench.run(10 * 60, &mut |_, n, value| if n == T1 { calibrating(0.3) } else { good(value) });
    bench.honest(5 * 60);
    assert_eq!(bench.signs(), [(Sign::CalibrationShape, "t1")]);
}

#[test]
fn a_calibration_that_is_too_long_begins_on_a_rise_or_hides_one_is_seen() {
    let mut bench = Bench::new(10);
    bench.honest(20 * HOUR);
    bench.run(20 * 60, &mut |_, n, value| if n == T1 { calibrating(0.0) } else { good(value) });
    assert_eq!(bench.signs(), [(Sign::CalibrationLong, "t1")]);

    let mut bench = Bench::new(10);
    bench.air.surge = 0.6;
    bench.honest(2 * HOUR);
    bench.run(60, &mut |_, n, value| if n == T1 { calibrating(0.0) } else { good(value) });
    assert_eq!(bench.signs(), [(Sign::CalibrationOnRise, "t1")]);

    let mut bench = Bench::new(10);
    bench.honest(20 * HOUR);
    bench.run(60, &mut |_, n, value| if n == T1 { calibrating(0.0) } else { good(value) });
    bench.air.surge = 1.0;
    bench.run(5 * 60, &mut |_, n, value| if n == T1 { calibrating(0.0) } else { good(value) });
    assert_eq!(bench.signs(), [(Sign::CalibrationOnRise, "t1")]);
    assert_eq!(bench.first(Sign::CalibrationOnRise).neighbours[0].0, "t2");
}

#[test]
fn the_third_calibration_in_a_fortnight_is_seen() {
    let mut bench = Bench::new(11);
    for n in 0..3 {
        bench.honest(20 * HOUR);
        assert_eq!(bench.signs(), [], "{n}");
        let begin = n * (20 * HOUR + 600) + 20 * HOUR;
        bench.run(600, &mut |second, n, value| match (n, second - begin) {
            (T1, 0..=100) => calibrating(0.0),
            (T1, 101..=300) => calibrating(2.0),
            (_, _) => good(value),
        });
    }
    assert_eq!(bench.signs(), [(Sign::CalibrationOften, "t1")]);
}

#[test]
fn a_catalytic_sensor_that_was_beyond_its_range_is_not_trusted_until_it_is_calibrated() {
    let mut bench = Bench::new(12);
    bench.honest(HOUR);
    bench.give(T1, Reading { quality: Quality::Uncertain(Doubt::OverRange), ..good(4.0) });
    bench.honest(3 * HOUR);
    assert_eq!(bench.signs(), [(Sign::FoldBack, "t1")]);
    let begin = 4 * HOUR;
    bench.run(600, &mut |second, n, value| match (n, second - begin) {
        (T1, 0..=100) => calibrating(0.0),
        (T1, 101..=300) => calibrating(2.0),
        (_, _) => good(value),
    });
    bench.honest(2 * HOUR);
    let told: Vec<_> = bench.told().into_iter().map(|a| (a.sign, a.raised)).collect();
    assert_eq!(told, [(Sign::FoldBack, true), (Sign::FoldBack, false)]);
}

#[test]
fn what_is_set_in_the_device_is_held_against_the_file() {
    let mut bench = Bench::new(13);
    let hold = |bench: &mut Bench, value: f64| {
        for _ in 0..600 / POLL {
            bench.pass(POLL);
            bench.give(SET, good(value));
            bench.tick();
        }
    };
    hold(&mut bench, 1.0);
    assert_eq!(bench.signs(), []);
    hold(&mut bench, 1.5);
    assert_eq!(bench.signs(), [(Sign::Changed, "set")]);
}

#[test]
fn a_mute_and_a_switching_off_are_seen_when_they_last() {
    let mut bench = Bench::new(14);
    bench.honest(20 * HOUR);
    for minutes in [20, 40] {
        for _ in 0..minutes {
            bench.pass(60);
            bench.give(MUTE, good(1.0));
            bench.give(T2, bad(Fault::OutOfService));
            bench.tick();
        }
        let seen = bench.signs();
        let wanted = [(Sign::Inhibited, "t2"), (Sign::Inhibited, "mute")];
        assert!(
            if minutes == 20 { seen.is_empty() } else { wanted.iter().all(|w| seen.contains(w)) },
            "{seen:?}"
        );
        bench.give(MUTE, good(0.0));
        bench.give(T2, good(0.15));
    }
}

#[test]
fn an_earlier_day_that_is_played_again_is_seen() {
    let mut bench = Bench::new(15);
    let mut recorded = Vec::new();
    bench.run(8 * HOUR, &mut |_, n, value| {
        if n == T2 {
            recorded.push(value);
        }
        good(value)
    });
    assert_eq!(bench.signs(), []);
    let mut tape = recorded.into_iter().skip(321);
    bench.run(7 * HOUR, &mut |_, n, value| good(if n == T2 { tape.next().unwrap_or(value) } else { value }));
    assert!(bench.signs().contains(&(Sign::Replayed, "t2")), "{:?}", bench.signs());
}

#[test]
fn a_clock_that_is_set_is_seen_and_one_that_is_slewed_is_not() {
    let mut bench = Bench::new(16);
    for _ in 0..10_000 {
        bench.pass(1);
        bench.now.wall = Wall::from_ms(bench.now.wall.ms() + 4);
        bench.tick();
    }
    assert_eq!(bench.signs(), []);
    bench.now.wall = Wall::from_ms(bench.now.wall.ms() - 3_600_000);
    bench.tick();
    assert_eq!(bench.signs(), [(Sign::Clock, "gw")]);
}

// Outputs and feeds.

/// A load with its demand, where its contacts say it is, and what its output and feed read, for so many seconds.
fn load(bench: &mut Bench, demand: Demand, phase: Phase, readback: f64, live: f64, seconds: u64) {
    let id = ElementId::from_usize(0);
    if bench.elements[id].demand != demand {
        bench.elements[id].demand = demand;
        bench.elements[id].demanded = bench.now.mono;
    }
    bench.elements[id].phase = phase;
    bench.elements[id].position = if live > 0.5 { Position::Unsafe } else { Position::Safe };
    for _ in 0..seconds {
        bench.pass(1);
        bench.give(READBACK, good(readback));
        bench.give(FEED, good(live));
        bench.tick();
    }
}

#[test]
fn a_cut_and_its_return_as_they_should_be_are_no_sign() {
    let mut bench = Bench::new(20);
    for _ in 0..5 {
        load(&mut bench, Demand::None, Phase::Idle, 0.0, 1.0, 60);
        load(&mut bench, Demand::Trip, Phase::Demanded, 0.0, 1.0, 2);
        load(&mut bench, Demand::Trip, Phase::Commanded, 1.0, 1.0, 2);
        load(&mut bench, Demand::Trip, Phase::Confirmed, 1.0, 0.0, 600);
        // The release takes its time; then the breaker is closed by hand.
        load(&mut bench, Demand::None, Phase::Idle, 1.0, 0.0, 60);
        load(&mut bench, Demand::None, Phase::Idle, 0.0, 0.0, 60);
    }
    assert_eq!(bench.signs(), []);
}

#[test]
fn an_output_that_another_hand_moves_is_seen_either_way() {
    let mut bench = Bench::new(21);
    load(&mut bench, Demand::None, Phase::Idle, 0.0, 1.0, 60);
    load(&mut bench, Demand::None, Phase::Idle, 1.0, 1.0, 10);
    assert_eq!(bench.signs(), [(Sign::OutputLocal, "load")]);

    let mut bench = Bench::new(21);
    load(&mut bench, Demand::Trip, Phase::Confirmed, 1.0, 0.0, 60);
    load(&mut bench, Demand::Trip, Phase::Confirmed, 0.0, 0.0, 10);
    assert_eq!(bench.signs(), [(Sign::OutputLocal, "load")]);
    let tag = bench.plan.alarms[bench.plan.watched.elements[&ElementId::from_usize(0)]].key.clone();
    assert!(bench.touched.iter().any(|id| bench.plan.alarms[*id].key == tag));
}

#[test]
fn a_feed_that_stays_live_while_its_cut_is_demanded_is_seen() {
    let mut bench = Bench::new(22);
    load(&mut bench, Demand::None, Phase::Idle, 0.0, 1.0, 60);
    load(&mut bench, Demand::Trip, Phase::Commanded, 1.0, 1.0, 10);
    assert_eq!(bench.signs(), [(Sign::FeedLive, "load")]);
}

#[test]
fn a_feed_contact_that_never_moves_is_seen_after_a_month() {
    let mut bench = Bench::new(23);
    for day in 0..30 {
        load(&mut bench, Demand::None, Phase::Idle, 0.0, 1.0, 1);
        assert_eq!(bench.signs(), [], "{day}");
        bench.pass(DAY);
    }
    load(&mut bench, Demand::None, Phase::Idle, 0.0, 1.0, 1);
    assert_eq!(bench.signs(), [(Sign::FeedStill, "load")]);
}

// What holds of all of them.

#[test]
fn a_sign_that_is_turned_off_at_a_point_is_not_told_there() {
    let mut deaf = plan(&Settings::default());
    deaf.watched.points.values_mut().for_each(|p| Arc::make_mut(p).off = vec![Sign::Frozen]);
    let mut bench = Bench::with(1, deaf);
    bench.honest(6 * HOUR);
    bench.run(2 * HOUR, &mut |_, n, value| good(if n == T2 { 0.37 } else { value }));
    assert!(bench.signs().iter().all(|(sign, _)| *sign != Sign::Frozen), "{:?}", bench.signs());
}

#[test]
fn what_is_learnt_and_what_stands_outlive_a_reload() {
    let mut bench = Bench::new(2);
    bench.honest(6 * HOUR);
    bench.run(HOUR, &mut |_, n, value| good(if n == T2 { 0.37 } else { value }));
    let reload = |bench: &mut Bench| {
        let mut standing = Standing::default();
        bench.signs.standing(&bench.plan, &mut standing);
        let mut next = Signs::new(&bench.plan, &standing, bench.now);
        next.take_over(&bench.plan, &mut bench.signs, &bench.plan);
        bench.signs = next;
    };
    reload(&mut bench);
    bench.run(HOUR, &mut |_, n, value| good(if n == T2 { 0.37 } else { value }));
    reload(&mut bench);
    let frozen: Vec<bool> =
        bench.told().into_iter().filter(|a| a.sign == Sign::Frozen).map(|a| a.raised).collect();
    assert_eq!(frozen, [true], "seen though reloaded, and told once");
}

#[test]
fn a_sensor_beyond_its_range_stays_untrusted_over_a_restart() {
    let mut bench = Bench::new(12);
    bench.honest(HOUR);
    bench.give(T1, Reading { quality: Quality::Uncertain(Doubt::OverRange), ..good(4.0) });
    bench.honest(HOUR);
    let mut standing = Standing::default();
    bench.records.iter().for_each(|r| standing.apply(r));
    bench.signs = Signs::new(&bench.plan, &standing, bench.now);
    bench.honest(3 * HOUR);
    assert_eq!(bench.told().len(), 1, "{:?}", bench.told());
}

#[test]
fn a_device_that_is_another_one_is_told_also_when_it_was_changed_while_davy_was_off() {
    let mut bench = Bench::new(12);
    let who = PointId::from_usize(SET);
    let watched = Arc::make_mut(Arc::make_mut(&mut bench.plan).watched.points.get_mut(&who).unwrap());
    (watched.lasting, watched.expects) = (true, None);
    bench.signs = Signs::new(&bench.plan, &Standing::default(), bench.now);
    let restart = |bench: &mut Bench| {
        let mut standing = Standing::default();
        bench.records.iter().for_each(|r| standing.apply(r));
        let mut held = Standing::default();
        bench.signs.standing(&bench.plan, &mut held);
        assert_eq!(standing.identities, held.identities, "the records fold to what is held");
        bench.signs = Signs::new(&bench.plan, &standing, bench.now);
    };
    let told = |bench: &Bench| -> Vec<(f64, Option<f64>)> {
        let mut told = Vec::new();
        for record in &bench.records {
            if let Body::Identity(seen) = &record.body {
                told.push((seen.value, seen.before));
            }
        }
        told
    };
    bench.give(SET, good(4_711.0));
    bench.give(SET, good(4_711.0));
    restart(&mut bench);
    bench.give(SET, good(4_711.0));
    assert_eq!(
        (told(&bench), bench.signs()),
        (vec![(4_711.0, None)], vec![]),
        "once, and the same one again"
    );
    restart(&mut bench);
    bench.give(SET, good(4_712.0));
    assert_eq!(told(&bench), [(4_711.0, None), (4_712.0, Some(4_711.0))]);
    assert_eq!(bench.signs(), [(Sign::Changed, "set")]);
    bench.give(SET, good(4_712.0));
    assert_eq!(told(&bench).len(), 2, "from then on it is the one that is known");
    for n in 0..600 {
        bench.give(SET, good(f64::from(n)));
        bench.now.mono = bench.now.mono + Span::from_secs(1);
    }
    assert!(
        (11..=13).contains(&told(&bench).len()),
        "once a minute, whatever it says: {}",
        told(&bench).len()
    );
}

#[test]
fn no_text_accuses_anybody() {
    let mut bench = Bench::new(4);
    bench.air.surge = 0.6;
    bench.honest(2 * HOUR);
    bench.run(HOUR, &mut |_, n, value| if n == T3 { calibrating(0.0) } else { good(value) });
    bench.honest(2 * HOUR);
    assert!(bench.told().len() >= 4);
    for anomaly in bench.told().into_iter().filter(|a| a.raised) {
        assert!(anomaly.text.en.starts_with("data quality anomaly, check on site: "), "{}", anomaly.text.en);
        assert!(anomaly.text.zh.starts_with("数据质量异常, 请现场核查: "), "{}", anomaly.text.zh);
        assert!(anomaly.from <= anomaly.to && anomaly.score >= 1.0, "{anomaly:?}");
        assert!(!anomaly.parameters.is_empty());
    }
}

#[test]
fn a_value_beyond_any_instrument_is_not_looked_at() {
    let mut bench = Bench::new(1);
    bench.honest(6 * HOUR);
    bench.run(10 * 60, &mut |_, n, value| good(if n == T2 { 1e300 } else { value }));
    bench.run(HOUR, &mut |_, n, value| good(if n == T2 { 0.37 } else { value }));
    let frozen = bench.first(Sign::Frozen);
    assert!(frozen.values.iter().all(|(_, v)| *v < 2.0), "{frozen:?}");
}

fn any_reading() -> impl Strategy<Value = Reading> {
    let value = prop_oneof![
        3 => (0.0f64..2.0).prop_map(Some),
        1 => any::<f64>().prop_map(Some),
        1 => prop::sample::select(vec![Some(f64::NAN), Some(f64::INFINITY), Some(f64::MAX), Some(-0.0), None]),
    ];
    let quality = prop::sample::select(vec![
        Quality::Good,
        Quality::Good,
        Quality::Good,
        Quality::Uncertain(Doubt::Calibrating),
        Quality::Uncertain(Doubt::OverRange),
        Quality::Uncertain(Doubt::WarmUp),
        Quality::Bad(Fault::CommLost),
        Quality::Bad(Fault::OutOfService),
    ]);
    (value, quality).prop_map(|(value, quality)| Reading { value, quality, at: Mono::START })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn nothing_that_a_line_or_a_clock_may_say_makes_it_panic_or_grow(
        steps in prop::collection::vec((0..7usize, any_reading(), any::<u64>(), 0..64u32, any::<i64>()), 1..300)
    ) {
        let mut bench = Bench::new(1);
        for (n, reading, us, shift, ms) in steps {
            bench.now.mono = bench.now.mono + Span::from_us(us >> shift);
            if ms % 5 == 0 {
                bench.now.wall = Wall::from_ms(ms);
            }
            bench.give(n, reading);
            bench.tick();
            prop_assert!(bench.signs.drops.len() <= DROPS_MAX);
            prop_assert!(bench.signs.standing.len() <= Sign::ALL.len() * 8);
            for told in bench.told() {
                prop_assert!(told.score.is_finite() && told.values.len() <= Anomaly::MAX_VALUES);
                prop_assert!(told.values.iter().all(|(_, v)| v.is_finite()));
                prop_assert!(told.neighbours.len() <= Anomaly::MAX_NEIGHBOURS);
            }
            let mut standing = Standing::default();
            bench.records.iter().for_each(|r| standing.apply(r));
            let mut held = Standing::default();
            bench.signs.standing(&bench.plan, &mut held);
            prop_assert_eq!(standing, held, "the records fold to what is held");
        }
    }
}
