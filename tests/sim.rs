//! The pretended plant of `davy sim`: every scenario in `config/scenarios` to its end in virtual time, and what it does
//! again with the same seed.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

use davy::config::{Extras, Scenario, Source, compile, order, scenario};
use davy::model::deed::{Deed, Mischief};
use davy::model::plan::Plan;
use davy::model::table::BusId;
use davy::model::time::{Mono, Span};
use davy::simulator::mischief::{Carrier, Then};
use davy::simulator::plant::Plant;

fn source(path: &str) -> Source {
    Source { name: path.to_owned(), text: std::fs::read_to_string(path).unwrap() }
}

fn demo() -> Plan {
    compile(&source("config/demo.toml"), &Extras::default()).unwrap().plan
}

fn scenarios(plan: &Plan) -> Vec<(String, Scenario)> {
    let paths = std::fs::read_dir("config/scenarios").unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<String> = paths.map(|path| path.to_str().unwrap().to_owned()).collect();
    paths.sort();
    let read = |path: String| {
        let read = scenario(&source(&path), plan).unwrap_or_else(|faults| panic!("{}", faults.render(false)));
        (path, read)
    };
    paths.into_iter().map(read).collect()
}

/// Every block of every device, twice a second, as bytes on the line.
fn played(plan: &Plan, scenario: &Scenario, seed: u64) -> Vec<u8> {
    let mut plant = Plant::with_seed(plan, seed);
    let (mut events, mut said) = (scenario.events.iter().peekable(), Vec::new());
    for tick in 0..scenario.length.us() / 500_000 {
        let now = Mono::START + Span::from_ms(500 * tick);
        while let Some((_, deed)) = events.next_if(|(at, _)| Mono::START + *at <= now) {
            plant.befall(now, deed).unwrap();
        }
        for device in plan.devices.values() {
            for block in &device.blocks {
                let function = match block.at.space {
                    davy::model::register::Space::Coil => 1,
                    davy::model::register::Space::Discrete => 2,
                    davy::model::register::Space::Holding => 3,
                    davy::model::register::Space::Input => 4,
                };
                let ([a1, a2], [n1, n2]) = (block.at.address.to_be_bytes(), block.count.to_be_bytes());
                let pdu = [function, a1, a2, n1, n2];
                let answer = plant.exchange(now, device.bus, Carrier::Rtu, device.unit, &pdu);
                said.extend(answer.parts.into_iter().flat_map(|(_, bytes)| bytes));
            }
        }
    }
    assert_eq!(events.next(), None, "an event after the end");
    said
}

#[test]
fn every_scenario_runs_to_its_end_and_says_the_same_again_with_the_same_seed() {
    let plan = demo();
    let all = scenarios(&plan);
    assert!(all.len() >= 6, "{}", all.len());
    for (path, scenario) in &all {
        let (one, same, other) =
            (played(&plan, scenario, 7), played(&plan, scenario, 7), played(&plan, scenario, 8));
        assert!(!one.is_empty() && one == same, "{path}");
        let by_chance = |deed: &Deed| {
            matches!(deed, Deed::Noise(..)) || matches!(deed, Deed::Mischief(_, _, percent) if *percent < 100)
        };
        let by_chance = scenario.events.iter().any(|(_, deed)| by_chance(deed));
        assert_eq!(one != other, by_chance, "{path}");
    }
}

struct Bench {
    plan: Plan,
    plant: Plant,
    now: Mono,
}

impl Bench {
    fn new() -> Bench {
        let plan = demo();
        Bench { plant: Plant::new(&plan), plan, now: Mono::START }
    }

    fn order(&mut self, words: &str) {
        for deed in order(words.split(' '), &self.plan).unwrap_or_else(|f| panic!("{}", f.render(false))) {
            self.plant.befall(self.now, &deed).unwrap();
        }
    }

    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds * 2 {
            self.now = self.now + Span::from_ms(500);
            self.plant.step(self.now);
        }
    }

    fn shows(&self, tag: &str) -> f64 {
        self.plant.measured(self.plan.points.find(|p| p.tag.as_str() == tag).unwrap())
    }

    fn ask(&mut self, device: &str, pdu: &[u8]) -> (Vec<u8>, Then) {
        let device = self.plan.devices.values().find(|d| d.tag.as_str() == device).unwrap();
        let (bus, unit): (BusId, u8) = (device.bus, device.unit);
        let said = self.plant.exchange(self.now, bus, Carrier::Rtu, unit, pdu);
        (said.parts.into_iter().flat_map(|(_, bytes)| bytes).collect(), said.then)
    }
}

#[test]
fn gas_rises_while_it_leaks_and_falls_once_the_valve_is_shut() {
    let mut bench = Bench::new();
    bench.order("air bottle-room value=60");
    bench.order("leak bottle-room value=1");
    bench.wait(60);
    let high = bench.shows("bottle-room.lpg-1");
    assert!(high > 30.0, "{high}");
    bench.order("hand bottle-room.valve is=safe");
    bench.wait(300);
    assert!(bench.shows("bottle-room.lpg-1") < high / 10.0);
}

#[test]
fn a_seam_gives_less_once_power_is_cut_and_more_stays_while_the_fan_stands() {
    let mut bench = Bench::new();
    bench.order("seam heading value=0.1");
    bench.wait(1_800);
    let aired = bench.shows("heading.t1");
    bench.order("hand heading.supply is=safe");
    bench.wait(1_800);
    let idle = bench.shows("heading.t1");
    assert!(idle < aired * 0.5, "{idle} {aired}");
    bench.order("fan heading is=off");
    bench.wait(1_800);
    assert!(bench.shows("heading.t1") > aired);
    assert!(bench.shows("heading.duct") < 0.1 && bench.shows("heading.fan") < 0.5);
    bench.order("fan heading is=on");
    bench.wait(10);
    assert!(bench.shows("heading.duct") > 3.0 && bench.shows("heading.fan") > 0.5);
}

#[test]
fn a_head_is_late_and_a_catalytic_one_shows_little_of_much() {
    let mut bench = Bench::new();
    bench.order("volume face value=1");
    bench.order("air face value=0");
    bench.order("seam face value=0.02");
    bench.wait(5);
    let early = bench.shows("face.t1");
    bench.wait(175);
    let top = bench.shows("face.t1");
    assert!(early < 0.2 && top > 2.0, "{early} {top}");
    bench.order("set face.t1 value=9");
    assert!(bench.shows("face.t1") < 2.0, "{}", bench.shows("face.t1"));
}

#[test]
fn every_kind_of_mischief_can_be_named_and_spoils_a_read_or_a_write() {
    for name in Mischief::NAMES {
        let mut bench = Bench::new();
        let (read, write) = ([3, 0, 0, 0, 2], [5, 0, 0, 0xFF, 0]);
        let well = (bench.ask("face-t0", &read), bench.ask("bottle-room-valve", &write));
        let mut bench = Bench::new();
        for device in ["face-t0", "bottle-room-valve"] {
            bench.order(&format!("mischief {device} is={name} ms=10"));
        }
        let ill = (bench.ask("face-t0", &read), bench.ask("bottle-room-valve", &write));
        bench.wait(5);
        let moved = bench.shows("bottle-room.valve.closed") > 0.5;
        match name {
            // The bytes are right: they come late, in two parts, or of a write that was not done.
            "late" | "split" => assert_eq!(ill, well, "{name}"),
            "unheeded" => assert!(ill == well && !moved, "{name}"),
            _ => assert_ne!(ill, well, "{name}"),
        }
    }
}

#[test]
fn what_can_not_be_is_refused_with_what_was_probably_meant() {
    let plan = demo();
    for (words, remedy) in [
        ("set face.t9 value=1", "face.t"),
        ("sett face.t1 value=1", "did you mean \"set\"?"),
        ("leak boiler-house value=1", "gas = `carbon-monoxide` or `methane`"),
        ("fan heading is=of", "did you mean \"off\"?"),
        ("ramp face.t1 value=1", "lacks `over_s`"),
        ("mischief face is=exception code=0", "expected a whole number from 1 to 255"),
    ] {
        let refused = order(words.split(' '), &plan).unwrap_err().render(false);
        assert!(refused.contains(remedy), "{words}: {refused}");
    }
}
