//! The pretended plant, as its devices answer and as an onlooker sees it.

use crate::plan::{Builder, Valve, at, plain};
use davy::model::element::{ElementKind, Mode, Position};
use davy::model::point::{Doubt, Fault, Quality, Unit};
use davy::model::register::{Encoding, Space};
use davy::model::table::{BusId, PointId};
use davy::model::time::{Mono, Span};
use davy::simulator::mischief::{Mischief, Reply};
use davy::simulator::plant::{Observation, Plant, Seen};

struct Bench {
    plant: Plant,
    bus: BusId,
    gas: PointId,
    valve: Valve,
}

/// A detector is unit 1, a valve unit 2.
fn bench(kind: ElementKind) -> Bench {
    let mut builder = Builder::new();
    let (_, gas) = builder.detector(Span::from_secs(1));
    let valve = builder.valve(Span::from_secs(1), Mode::Act, Some(0));
    builder.plan.elements[valve.element].kind = kind;
    Bench { plant: Plant::new(&builder.plan), bus: builder.bus, gas, valve }
}

fn ms(ms: u64) -> Mono {
    Mono::from_us(ms * 1_000)
}

impl Bench {
    fn ask(&mut self, now: Mono, unit: u8, pdu: &[u8]) -> Vec<u8> {
        match self.plant.answer(now, self.bus, unit, pdu) {
            Reply::Answer { pdu, .. } => pdu,
            other => panic!("{other:?}"),
        }
    }

    fn gas(&mut self, now: Mono) -> Vec<u8> {
        self.ask(now, 1, &[4, 0, 0, 0, 2])
    }

    /// The closed and the open limit.
    fn limits(&mut self, now: Mono) -> (bool, bool) {
        let byte = self.ask(now, 2, &[2, 0, 0, 0, 2])[2];
        (byte & 1 != 0, byte & 2 != 0)
    }

    fn write_coil(&mut self, now: Mono, on: bool) {
        let value = if on { 0xFF } else { 0 };
        let asked = [5, 0, 0, value, 0];
        assert_eq!(self.ask(now, 2, &asked), asked);
    }
}

#[test]
fn a_value_lies_in_its_register_as_the_profile_says() {
    let mut bench = bench(ElementKind::Valve);
    assert_eq!(bench.gas(ms(1)), [4, 4, 0, 0, 0, 0]);
    bench.plant.set(ms(1), bench.gas, 1.23);
    assert_eq!(bench.gas(ms(1)), [4, 4, 0, 123, 0, 0]);
}

#[test]
fn a_ramp_goes_evenly_and_ends_where_it_should() {
    let mut bench = bench(ElementKind::Valve);
    bench.plant.ramp(ms(0), bench.gas, 2.0, Span::from_secs(10));
    assert_eq!(bench.gas(ms(5_000))[3], 100);
    assert_eq!(bench.gas(ms(60_000))[3], 200);
    let changed = |value| Seen::Changed { point: bench.gas, value };
    let seen = bench.plant.observations();
    assert_eq!(seen.first(), Some(&Observation { at: ms(5_000), what: changed(1.0) }));
    assert_eq!(seen.last(), Some(&Observation { at: ms(60_000), what: changed(2.0) }));
}

#[test]
fn a_sensor_reports_of_itself_what_its_profile_can_say() {
    let mut bench = bench(ElementKind::Valve);
    assert!(bench.plant.set_quality(bench.gas, Quality::Bad(Fault::SensorFault)));
    assert_eq!(bench.gas(ms(1))[5], 2);
    assert!(bench.plant.set_quality(bench.gas, Quality::Good));
    assert_eq!(bench.gas(ms(1))[5], 0);
    assert!(!bench.plant.set_quality(bench.gas, Quality::Uncertain(Doubt::Calibrating)));
}

#[test]
fn a_sensor_without_a_status_says_it_by_a_sentinel() {
    let mut builder = Builder::new();
    let device = builder.device(Span::from_secs(1), vec![crate::plan::block(Space::Holding, 9, 1)]);
    let mut field = plain(at(Space::Holding, 9), Encoding::I16);
    field.sentinels = [(-1, Quality::Bad(Fault::SensorFault))].into();
    let point = builder.point(device, 0, field, Unit::Ppm);
    let mut plant = Plant::new(&builder.plan);
    assert!(plant.set_quality(point, Quality::Bad(Fault::SensorFault)));
    let Reply::Answer { pdu, .. } = plant.answer(ms(0), builder.bus, 1, &[3, 0, 9, 0, 1]) else {
        panic!("no answer")
    };
    assert_eq!(pdu, [3, 2, 0xFF, 0xFF]);
}

#[test]
fn a_valve_leaves_its_open_limit_first_and_reaches_the_closed_one_after_its_travel() {
    let mut bench = bench(ElementKind::Valve);
    assert_eq!(bench.limits(ms(0)), (false, true));
    bench.write_coil(ms(1_000), true);
    assert_eq!(bench.limits(ms(1_039)), (false, true));
    assert_eq!(bench.limits(ms(1_040)), (false, false));
    assert_eq!(bench.limits(ms(1_399)), (false, false));
    assert_eq!(bench.limits(ms(1_400)), (true, false));
    let moved: Vec<(Mono, Position)> = bench
        .plant
        .observations()
        .into_iter()
        .filter_map(|seen| match seen.what {
            Seen::Moved { position, .. } => Some((seen.at, position)),
            _ => None,
        })
        .collect();
    assert_eq!(moved, [(ms(1_040), Position::Travelling), (ms(1_400), Position::Safe)]);
}

#[test]
fn a_released_valve_stays_closed_until_somebody_opens_it_on_site() {
    let mut bench = bench(ElementKind::Valve);
    let valve = bench.valve.element;
    bench.write_coil(ms(0), true);
    assert!(!bench.plant.open_by_hand(ms(500), valve), "opened against a standing trip");
    bench.write_coil(ms(1_000), false);
    assert_eq!(bench.limits(ms(9_000)), (true, false));
    assert!(bench.plant.open_by_hand(ms(9_000), valve));
    assert_eq!(bench.limits(ms(9_399)), (false, false));
    assert_eq!(bench.limits(ms(9_400)), (false, true));
}

#[test]
fn a_load_is_dead_in_80_ms_and_live_again_by_hand_only() {
    let mut bench = bench(ElementKind::Load);
    let load = bench.valve.element;
    bench.write_coil(ms(0), true);
    assert_eq!(bench.limits(ms(79)), (false, false));
    assert_eq!(bench.limits(ms(80)), (true, false));
    assert!(!bench.plant.repower_by_hand(ms(100), load));
    bench.write_coil(ms(200), false);
    assert_eq!(bench.limits(ms(5_000)), (true, false));
    assert!(bench.plant.repower_by_hand(ms(5_000), load));
    assert_eq!(bench.limits(ms(5_100)), (false, true));
}

#[test]
fn a_siren_follows_its_coil() {
    let mut bench = bench(ElementKind::Siren);
    bench.write_coil(ms(0), true);
    assert_eq!(bench.limits(ms(100)), (true, false));
    bench.write_coil(ms(200), false);
    assert_eq!(bench.limits(ms(300)), (false, true));
}

#[test]
fn a_jammed_valve_takes_the_write_and_does_not_move() {
    let mut bench = bench(ElementKind::Valve);
    bench.plant.set_jammed(ms(0), bench.valve.element, true);
    bench.write_coil(ms(0), true);
    assert_eq!(bench.ask(ms(1), 2, &[1, 0, 0, 0, 1]), [1, 1, 1]);
    assert_eq!(bench.limits(ms(10_000)), (false, true));
    bench.plant.set_jammed(ms(10_000), bench.valve.element, false);
    assert_eq!(bench.limits(ms(10_400)), (true, false));
}

#[test]
fn a_reversed_valve_turns_where_it_is() {
    let mut bench = bench(ElementKind::Valve);
    bench.write_coil(ms(1_000), true);
    bench.limits(ms(1_100));
    bench.write_coil(ms(1_100), false);
    assert!(bench.plant.open_by_hand(ms(1_100), bench.valve.element));
    assert_eq!(bench.limits(ms(1_199)), (false, false));
    assert_eq!(bench.limits(ms(1_200)), (false, true));
}

#[test]
fn mischief_spoils_answers_in_its_own_way() {
    let mut bench = bench(ElementKind::Valve);
    let device = bench.plan_device();
    let asked = [4, 0, 0, 0, 2];
    let whole = vec![4, 4, 0, 0, 0, 0];
    let answer = |unit, pdu, after| Reply::Answer { unit, pdu, after };
    for (mischief, reply) in [
        (Mischief::Silence, Reply::Silence),
        (Mischief::Close, Reply::Close),
        (Mischief::Exception(6), answer(1, vec![0x84, 6], Span::ZERO)),
        (Mischief::WrongUnit, answer(2, whole.clone(), Span::ZERO)),
        (Mischief::ShortAnswer, answer(1, whole[..5].to_vec(), Span::ZERO)),
        (Mischief::Late(Span::from_secs(1)), answer(1, whole.clone(), Span::from_secs(1))),
        (Mischief::WrongCount, answer(1, vec![4, 2, 0, 0], Span::ZERO)),
    ] {
        bench.plant.set_mischief(device, Some(mischief));
        assert_eq!(bench.plant.answer(ms(0), bench.bus, 1, &asked), reply, "{mischief:?}");
    }
    bench.plant.set_mischief(device, None);
    assert_eq!(bench.gas(ms(1)), whole);
}

#[test]
fn nobody_answers_for_a_unit_that_is_not_there() {
    let mut bench = bench(ElementKind::Valve);
    assert_eq!(bench.plant.answer(ms(0), bench.bus, 99, &[4, 0, 0, 0, 2]), Reply::Silence);
}

impl Bench {
    fn plan_device(&self) -> davy::model::table::DeviceId {
        <davy::model::table::DeviceId as davy::model::table::Row>::from_usize(0)
    }
}
