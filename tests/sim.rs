//! The pretended plant of `davy sim`: every scenario in `config/scenarios` to its end in virtual time, and what it does
//! again with the same seed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops where it is wrong"
)]

#[path = "common/judged.rs"]
mod judged;

use davy::config::{Extras, Scenario, Source, compile, order, scenario};
use davy::model::command::{Order, Reply, Verb};
use davy::model::deed::{Deed, Mischief};
use davy::model::element::{Demand, Position};
use davy::model::plan::Plan;
use davy::model::point::Quality;
use davy::model::record::Who;
use davy::model::table::BusId;
use davy::model::time::{Mono, Span};
use davy::safety::Input;
use davy::simulator::mischief::{Carrier, Then};
use davy::simulator::plant::Plant;
use judged::Judged;

fn source(path: &str) -> Source {
    Source { name: path.to_owned(), text: std::fs::read_to_string(path).unwrap() }
}

fn demo() -> Plan {
    plan_of("config/demo.toml")
}

/// The site that a scenario is for: the demo's, unless its first line says another.
fn site_of(scenario: &str) -> String {
    let text = std::fs::read_to_string(scenario).unwrap();
    let named = text.lines().next().and_then(|line| line.strip_prefix("# Site: "));
    named.unwrap_or("config/demo.toml").to_owned()
}

fn plan_of(site: &str) -> Plan {
    compile(&source(site), &Extras::default()).unwrap().plan
}

fn scenarios() -> Vec<(String, Plan, Scenario)> {
    let paths = std::fs::read_dir("config/scenarios").unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<String> = paths.map(|path| path.to_str().unwrap().to_owned()).collect();
    paths.sort();
    let read = |path: String| {
        let plan = plan_of(&site_of(&path));
        let read = scenario(&source(&path), &plan);
        let read = read.unwrap_or_else(|faults| panic!("{}", faults.render(false)));
        (path, plan, read)
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
    let all = scenarios();
    assert!(all.len() >= 12, "{}", all.len());
    for (path, plan, scenario) in &all {
        let (one, same, other) =
            (played(plan, scenario, 7), played(plan, scenario, 7), played(plan, scenario, 8));
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

const EVERY: &str = "tests/sites/every-profile.toml";

#[test]
fn a_site_with_every_profile_is_well_in_its_pretended_plant() {
    let mut all = Judged::new(EVERY);
    let used: std::collections::BTreeSet<&str> =
        all.plan.devices.values().map(|d| d.profile.as_str()).collect();
    let there = std::fs::read_dir("config/profiles").unwrap().count();
    assert_eq!(used.len(), there, "a profile is missing in {EVERY}: {used:?}");
    all.pass(120);
    assert_eq!(all.alarmed(), Vec::<String>::new());
    let view = all.view();
    for (id, point) in all.plan.points.iter() {
        assert_eq!(view.points[id].quality, Quality::Good, "{}", point.tag);
    }
}

#[test]
fn every_output_of_every_profile_is_brought_into_its_safe_state_when_gas_asks_for_it() {
    let mut all = Judged::new(EVERY);
    all.order("travel bottle-room.rotork ms=8000");
    all.pass(5);
    for point in ["face.t0", "heading.t1", "boiler-house.co"] {
        all.order(&format!("set {point} value=300"));
    }
    for point in ["face.t0", "heading.t1"] {
        all.order(&format!("set {point} value=2"));
    }
    all.order("set bottle-room.panel-7 value=60");
    all.order("fan heading is=off");
    all.pass(5);
    assert!((0.2..0.9).contains(&(all.reads("bottle-room.rotork-position") / 100.0)));
    assert_eq!(all.reads("bottle-room.rotork-moving"), 1.0);
    all.pass(60);
    assert_eq!(
        (all.reads("bottle-room.rotork-position"), all.reads("bottle-room.rotork-moving")),
        (0.0, 0.0)
    );
    let view = all.view();
    for (id, element) in all.plan.elements.iter() {
        assert_eq!(view.elements[id].demand, Demand::Trip, "{}", element.tag);
        assert_eq!(all.plant.position(id), Position::Safe, "{}", element.tag);
        assert!(!all.alarmed().contains(&format!("{}:not-confirmed", element.tag)), "{}", element.tag);
    }
}

#[test]
fn an_actuator_in_local_obeys_nobody_and_what_is_jammed_says_so_only_when_asked_to_move() {
    let mut all = Judged::new(EVERY);
    all.pass(5);
    all.order("jam bottle-room.rotork");
    all.order("local boiler-house.auma is=on");
    all.order("jam boiler-house.auma");
    assert!(all.try_order("hand bottle-room.rotork is=safe").unwrap_err().contains("jammed: no hand"));
    all.pass(20);
    assert_eq!(all.alarmed(), Vec::<String>::new(), "nobody has asked it to move");
    all.order("loose boiler-house.auma");
    all.order("set bottle-room.lpg-1 value=60");
    all.order("set boiler-house.co value=300");
    all.pass(40);
    let alarmed = all.alarmed();
    for key in [
        "rotork-io.jammed:contact-alarm",
        "bottle-room.rotork:not-confirmed",
        "boiler-house.auma:not-confirmed",
    ] {
        assert!(alarmed.iter().any(|k| k == key), "{key}: {alarmed:?}");
    }
    let auma = all.plan.elements.find(|e| e.tag.as_str() == "boiler-house.auma").unwrap();
    assert_eq!(all.plant.position(auma), Position::Unsafe);
    all.order("local boiler-house.auma is=off");
    all.order("loose bottle-room.rotork");
    all.pass(10);
    assert!(
        all.plan
            .elements
            .ids()
            .filter(|id| all.view().elements[*id].demand == Demand::Trip)
            .all(|id| { all.plant.position(id) == Position::Safe })
    );
}

#[test]
fn a_hand_wheel_moves_a_valve_against_its_command_and_a_spring_and_a_breaker_let_nobody() {
    let mut all = Judged::new(EVERY);
    all.pass(5);
    all.order("set bottle-room.lpg-1 value=60");
    all.order("set face.t0 value=2");
    all.pass(10);
    for held in ["bottle-room.two-limits", "face.supply"] {
        let refused = all.try_order(&format!("hand {held} is=unsafe")).unwrap_err();
        assert!(refused.contains("commanded into its safe state"), "{refused}");
    }
    all.order("travel bottle-room.rotork ms=8000");
    all.order("hand bottle-room.rotork is=unsafe");
    all.pass(6);
    assert!(
        all.alarmed().iter().any(|key| key == "rotork-io.by-hand:contact-warning"),
        "{:?}",
        all.alarmed()
    );
    all.pass(10);
    let rotork = all.plan.elements.find(|e| e.tag.as_str() == "bottle-room.rotork").unwrap();
    assert_eq!(all.plant.position(rotork), Position::Unsafe);
    assert!(all.alarmed().iter().any(|key| key.starts_with("bottle-room.rotork:")), "{:?}", all.alarmed());
}

/// What the judge must have told when a scenario is over: alarms, and signs of false data. Of what only befalls bytes on a
/// line it is told nothing here.
const TOLD: [(&str, &[&str]); 10] = [
    ("calibration", &["face.t1 calibration-on-rise", "face.t1:sensor-fault", "trip face-cut"]),
    ("dead-unit", &["face-section-switch:comm-lost", "face-t2:comm-lost"]),
    ("fan-off", &["heading.duct:low-trip", "heading.fan:contact-trip", "trip heading-cut"]),
    (
        "fold-back",
        &["face.t0 fold-back", "face.t1 fold-back", "face.t1:trip", "face.t2:trip", "trip face-cut"],
    ),
    ("leak", &["bottle-room.lpg-1:trip", "trip bottle-room-shutoff"]),
    (
        "lying-breaker",
        &[
            "face.section feed-live",
            "face.section:feed-live",
            "face.t1:trip",
            "heading.supply:moved-uncommanded",
        ],
    ),
    ("sensor", &["bottle-room.lpg-1:sensor-fault", "face.t1 fold-back"]),
    ("stuck-valve", &["boiler-house.valve:moved-uncommanded", "bottle-room.valve:not-confirmed"]),
    (
        "tamper",
        &[
            "bottle-room.rotork:moved-uncommanded",
            "t1.opened:contact-alarm",
            "t1.serial changed",
            "t1:comm-lost",
        ],
    ),
    ("other-master", &[]),
];

#[test]
fn the_judge_says_of_each_scenario_what_it_is() {
    for (name, told) in TOLD {
        let path = format!("config/scenarios/{name}.toml");
        let mut all = Judged::new(&site_of(&path));
        let scenario = scenario(&source(&path), &all.plan).unwrap();
        all.play(&scenario);
        let said = all.said();
        for told in told {
            assert!(said.iter().any(|said| said == told), "{name}: {told} is missing in {said:?}");
        }
        assert_eq!(said.is_empty(), told.is_empty(), "{name}: {said:?}");
    }
}

#[test]
fn after_a_fold_back_no_reset_is_taken_though_the_head_reads_nothing() {
    let path = "config/scenarios/fold-back.toml";
    let mut all = Judged::new(&site_of(path));
    let scenario = scenario(&source(path), &all.plan).unwrap();
    all.play(&scenario);
    all.pass(600);
    assert!(all.reads("face.t1") < 0.5, "the gas is gone");
    let who = Who { name: "li".to_owned(), via: "local".to_owned() };
    let order = Order { who, verb: Verb::Reset { target: "face-cut".to_owned() } };
    let Some(Reply::Refused(why)) = all.input(Input::Order(order)) else { panic!("taken") };
    assert!(why.iter().any(|why| why.en.contains("calibrat")), "{why:?}");
}

#[test]
fn a_room_is_wired_as_the_scenario_says_and_a_head_is_as_fast_as_it_says() {
    let mut bench = Bench::new();
    let text = "what = \"a room\"\nlength_s = 1\n\
        [[room]]\narea = \"bottle-room\"\nvolume_m3 = 1\nair_m3_min = 5\nfeeds = [\"boiler-house.valve\"]\n\
        [[room]]\narea = \"heading\"\nfan = \"face.return\"\nworks = []\n\
        [[head]]\npoint = \"bottle-room.lpg-1\"\nt90_s = 1\n";
    let wired = scenario(&Source { name: "a room".to_owned(), text: text.to_owned() }, &bench.plan).unwrap();
    for (_, deed) in &wired.events {
        bench.plant.befall(bench.now, deed).unwrap();
    }
    bench.order("leak bottle-room value=0.1");
    bench.order("t90 bottle-room.lpg-2 value=100");
    bench.wait(30);
    let (fast, slow) = (bench.shows("bottle-room.lpg-1"), bench.shows("bottle-room.lpg-2"));
    assert!(fast > 60.0 && slow < 50.0, "{fast} {slow}");
    bench.order("hand bottle-room.valve is=safe");
    bench.wait(60);
    assert!(bench.shows("bottle-room.lpg-1") > 60.0, "another valve than what feeds it");
    bench.order("hand boiler-house.valve is=safe");
    bench.wait(60);
    assert!(bench.shows("bottle-room.lpg-1") < 5.0);
    bench.order("hand face.return is=safe");
    bench.wait(10);
    assert!(bench.shows("heading.duct") < 0.1 && bench.shows("heading.fan") < 0.5);
    bench.order("hand face.return is=unsafe");
    bench.wait(10);
    assert!(bench.shows("heading.duct") > 3.0 && bench.shows("heading.fan") > 0.5);
}

#[test]
fn what_a_room_can_not_be_is_refused_with_what_was_probably_meant() {
    let plan = demo();
    for (rows, remedy) in [
        ("[[room]]\narea = \"bottle-rom\"", "did you mean `bottle-room`?"),
        (
            "[[room]]\narea = \"bottle-room\"\nfeeds = [\"bottle-room.valv\"]",
            "did you mean `bottle-room.valve`?",
        ),
        ("[[room]]\narea = \"face\"\nworks = [\"boiler-house.valve\"]", "`works` names a load"),
        ("[[room]]\narea = \"heading\"\nfan = \"heading.fan-lock\"", "is a lock"),
        ("[[room]]\narea = \"heading\"\nfan = \"heading.suply\"", "did you mean `heading.supply`?"),
        ("[[room]]\narea = \"face\"\nvolume = 3", "volume_m3"),
        ("[[room]]\narea = \"face\"\nvolume_m3 = 0", "expected a number"),
        ("[[head]]\npoint = \"face.t9\"", "did you mean `face.t"),
        ("[[head]]\npoint = \"face.t1\"\nt90_s = 0", "expected a number from 0.1 to 600"),
    ] {
        let text = format!("what = \"a room\"\nlength_s = 1\n{rows}\n");
        let refused = scenario(&Source { name: "a room".to_owned(), text }, &plan).unwrap_err().render(false);
        assert!(refused.contains(remedy), "{rows}: {refused}");
    }
    let refused = order("t90 face.t1 value=0".split(' '), &plan).unwrap_err().render(false);
    assert!(refused.contains("write 0.1 to 600"), "{refused}");
}

#[test]
fn what_never_happens_and_what_is_less_than_nothing_is_refused_with_a_remedy() {
    let plan = demo();
    let late = |at: &str| {
        let text = format!(
            "what = \"x\"\nlength_s = 60\n[[event]]\nat_s = {at}\ndo = \"set\"\nwhat = \"face.t0\"\nvalue = 1\n"
        );
        scenario(&Source { name: "own.toml".to_owned(), text }, &plan).map_err(|faults| faults.render(false))
    };
    assert!(late("60").is_ok());
    let refused = late("60.5").unwrap_err();
    assert!(
        refused.contains("error[after-the-end]") && refused.contains("length_s = 60.5 or more"),
        "{refused}"
    );
    let noise = |value: &str| {
        order(["noise", "face.t0", value].into_iter(), &plan).map_err(|faults| faults.render(false))
    };
    assert!(noise("value=0").is_ok());
    let refused = noise("value=-1").unwrap_err();
    assert!(refused.contains("less than nothing") && refused.contains("write 0 or more"), "{refused}");
}
