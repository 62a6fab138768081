//! A new site file while the judge works: what it knew, held and waited for must not be forgotten by it.

#![allow(clippy::unwrap_used, reason = "a test that finds no demo site fails")]

use davy::config::{self, Extras, Source};
use davy::model::command::{Order, Reply, Verb};
use davy::model::element::{Demand, Phase};
use davy::model::line::LineFault;
use davy::model::plan::Plan;
use davy::model::point::{Quality, Reading};
use davy::model::record::{Body, Standing, TripStanding, Who};
use davy::model::table::{PointId, Row};
use davy::model::time::{Mono, Now, Span, Wall};
use davy::safety::{Effects, Input, Site};
use std::sync::Arc;

/// The demo's site under a judge at a time of the test's choosing.
struct Bench {
    plan: Arc<Plan>,
    site: Site,
    now: Now,
    records: Vec<Body>,
}

impl Bench {
    fn new() -> Bench {
        let text = include_str!("../config/demo.toml").to_owned();
        let site = Source { name: "config/demo.toml".to_owned(), text };
        let plan = Arc::new(config::compile(&site, &Extras::default()).unwrap().plan);
        let now = Now { mono: Mono::from_us(1_000_000), wall: Wall::from_ms(1_795_491_725_000) };
        let site = Site::new(Arc::clone(&plan), &Standing::default(), now);
        Bench { plan, site, now, records: Vec::new() }
    }

    fn give(&mut self, input: Input) -> Option<Reply> {
        let mut effects = Effects::default();
        self.site.handle(self.now, input, &mut effects);
        self.records.extend(effects.records.into_iter().map(|r| r.body));
        effects.reply
    }

    fn pass(&mut self, span: Span) {
        self.now.mono = self.now.mono + span;
        self.give(Input::Tick);
    }

    fn point(&self, tag: &str) -> PointId {
        self.plan.points.find(|p| p.tag.as_str() == tag).unwrap()
    }

    fn reads(&mut self, tag: &str, value: f64) {
        let point = self.point(tag);
        let reading = Reading { value: Some(value), quality: Quality::Good, at: self.now.mono };
        self.give(Input::Readings {
            device: self.plan.points[point].device,
            readings: vec![(point, reading)],
        });
    }

    fn is_silent(&mut self, tag: &str) {
        let device = self.plan.points[self.point(tag)].device;
        self.give(Input::NoAnswer { device, fault: LineFault::NoReply });
    }

    fn reload(&mut self, plan: Plan) {
        let mut effects = Effects::default();
        self.plan = Arc::new(plan);
        self.site.replan(self.now, Arc::clone(&self.plan), &mut effects);
        self.records.extend(effects.records.into_iter().map(|r| r.body));
    }

    fn demand(&self, tag: &str) -> Demand {
        let element = self.plan.elements.find(|e| e.tag.as_str() == tag).unwrap();
        *self.site.demands().get(element.to_usize()).unwrap()
    }

    fn order(&mut self, verb: Verb) -> Reply {
        let who = Who { name: "operator".to_owned(), via: "test".to_owned() };
        self.give(Input::Order(Order { who, verb })).unwrap()
    }

    fn ack_all(&mut self) -> Reply {
        let seen = self.site.view(self.now).waiting(&self.plan);
        self.order(Verb::AcknowledgeAll { seen })
    }

    fn reset(&mut self, target: &str) -> Reply {
        self.order(Verb::Reset { target: target.to_owned() })
    }
}

const VALVE: &str = "bottle-room.valve";
const GAS: [&str; 2] = ["bottle-room.lpg-1", "bottle-room.lpg-2"];

#[test]
fn a_detector_that_fell_silent_before_a_reload_still_counts_after_it() {
    let mut bench = Bench::new();
    for gas in GAS {
        bench.reads(gas, 0.0);
    }
    for _ in 0..2 {
        bench.is_silent(GAS[0]);
    }
    bench.pass(Span::from_secs(6));
    bench.reads(GAS[1], 0.0);
    bench.reload(Plan::clone(&bench.plan));
    assert_eq!(bench.demand(VALVE), Demand::None, "ten seconds are borne");
    bench.pass(Span::from_secs(5));
    assert_eq!(bench.demand(VALVE), Demand::Trip, "eleven are not, whatever was reloaded meanwhile");
}

#[test]
fn reloads_again_and_again_put_off_no_alarm() {
    let mut bench = Bench::new();
    let mut plan = Plan::clone(&bench.plan);
    let trip = plan.alarm("bottle-room.lpg-1:trip").unwrap();
    plan.alarms[trip].on_delay = Span::from_secs(2);
    bench.reload(plan);
    for gas in GAS {
        bench.reads(gas, 0.0);
    }
    for _ in 0..5 {
        bench.reads(GAS[0], 40.0);
        bench.pass(Span::from_ms(500));
        bench.reload(Plan::clone(&bench.plan));
    }
    assert_eq!(bench.demand(VALVE), Demand::Trip);
}

#[test]
fn the_peak_of_an_alarm_outlives_a_reload() {
    let mut bench = Bench::new();
    bench.reads(GAS[0], 60.0);
    bench.reads(GAS[0], 30.0);
    bench.reload(Plan::clone(&bench.plan));
    let trip = bench.plan.alarm("bottle-room.lpg-1:trip").unwrap();
    assert_eq!(bench.site.view(bench.now).alarms[trip].peak, Some(60.0));
}

/// A bench whose valve was found tripped, by nothing that the journal knows of.
fn found_tripped() -> Bench {
    let mut bench = Bench::new();
    bench.reads("bottle-room.valve.readback", 1.0);
    assert_eq!(bench.demand(VALVE), Demand::Trip);
    bench
}

#[test]
fn what_was_found_tripped_stays_so_over_a_reload_and_over_being_moved() {
    let mut bench = found_tripped();
    bench.reload(Plan::clone(&bench.plan));
    bench.reads("bottle-room.valve.readback", 1.0);
    assert_eq!(bench.demand(VALVE), Demand::Trip);
    let mut moved = Plan::clone(&bench.plan);
    let valve = moved.elements.find(|e| e.tag.as_str() == VALVE).unwrap();
    let device = moved.elements[valve].device;
    moved.devices[device].unit = 99;
    bench.reload(moved);
    bench.reads("bottle-room.valve.readback", 0.0);
    assert_eq!(bench.demand(VALVE), Demand::Trip, "no reload resets");
}

#[test]
fn what_was_found_tripped_may_not_vanish_from_the_file() {
    let bench = found_tripped();
    assert_eq!(bench.site.objections(&bench.plan), Vec::<String>::new());
    let objections = bench.site.objections(&Plan::default());
    assert!(objections.iter().any(|o| o.contains(VALVE)), "{objections:?}");
}

#[test]
fn a_release_that_a_reload_overtook_is_found_and_held_until_a_person_resets_again() {
    let mut bench = Bench::new();
    for gas in GAS {
        bench.reads(gas, 0.0);
    }
    bench.reads(GAS[0], 40.0);
    bench.reads("bottle-room.valve.readback", 1.0);
    bench.reads(GAS[0], 0.0);
    bench.pass(Span::from_secs(1));
    let calm = |bench: &mut Bench, seconds: u64| {
        for _ in 0..seconds {
            bench.now.mono = bench.now.mono + Span::from_secs(1);
            for gas in GAS {
                bench.reads(gas, 0.0);
            }
            bench.pass(Span::ZERO);
        }
    };
    calm(&mut bench, 60);
    bench.ack_all();
    assert!(matches!(bench.reset("bottle-room-shutoff"), Reply::Done(_)));
    assert_eq!(bench.demand(VALVE), Demand::None);
    // The new line knows nothing of the release that the old one had not written yet.
    bench.reload(Plan::clone(&bench.plan));
    bench.reads("bottle-room.valve.readback", 1.0);
    assert_eq!(bench.demand(VALVE), Demand::Trip, "a coil that is still written is not \"nothing demanded\"");
    calm(&mut bench, 4);
    assert!(matches!(bench.reset(VALVE), Reply::Done(_)));
    assert_eq!(bench.demand(VALVE), Demand::None);
}

#[test]
fn a_minute_after_the_start_no_reset_is_taken_and_a_reload_is_no_start() {
    let mut bench = found_tripped();
    let calm = |bench: &mut Bench| {
        bench.now.mono = bench.now.mono + Span::from_secs(1);
        for gas in GAS {
            bench.reads(gas, 0.0);
        }
        bench.pass(Span::ZERO);
    };
    for _ in 0..50 {
        calm(&mut bench);
    }
    bench.reload(Plan::clone(&bench.plan));
    for _ in 0..9 {
        calm(&mut bench);
    }
    let Reply::Refused(why) = bench.reset(VALVE) else { panic!("59 s are no minute") };
    assert_eq!(why.len(), 1, "{why:?}");
    assert!(why.iter().all(|w| w.en.contains("so soon after the start; another 1000 ms")), "{why:?}");
    calm(&mut bench);
    assert!(matches!(bench.reset(VALVE), Reply::Done(_)));
}

#[test]
fn reloads_again_and_again_put_off_no_vote_that_has_to_stand_for_a_while() {
    let mut bench = Bench::new();
    let mut plan = Plan::clone(&bench.plan);
    for (_, trip) in plan.trips.iter_mut() {
        trip.delay = Span::from_secs(2);
    }
    bench.reload(plan);
    for gas in GAS {
        bench.reads(gas, 0.0);
    }
    for _ in 0..4 {
        assert_eq!(bench.demand(VALVE), Demand::None);
        bench.reads(GAS[0], 40.0);
        bench.pass(Span::from_ms(500));
        bench.reload(Plan::clone(&bench.plan));
    }
    assert_eq!(bench.demand(VALVE), Demand::Trip);
}

#[test]
fn a_valve_that_a_new_site_file_moves_elsewhere_is_not_confirmed_until_it_is_seen_closed_there() {
    let old = Bench::new().plan;
    let valve = old.elements.ids().next().unwrap();
    let element = &old.elements[valve];
    let tag = old.trips.values().find(|t| t.effects.contains(&valve)).unwrap().tag.to_string();
    let mut standing = Standing::default();
    standing.trips.insert(tag, TripStanding { occurrence: 1, tripped: true, first_out: None });
    let now = Now { mono: Mono::START, wall: Wall::from_ms(0) };
    let mut site = Site::new(Arc::clone(&old), &standing, now);
    let good = |value| Reading { value: Some(value), quality: Quality::Good, at: now.mono };
    let contacts = [(element.safe_contact, 1.0), (element.unsafe_contact, 0.0)];
    let readings = contacts.iter().filter_map(|(c, value)| c.map(|c| (c.point, good(*value)))).collect();
    site.handle(now, Input::Readings { device: element.device, readings }, &mut Effects::default());
    assert_eq!(site.view(now).elements[valve].phase, Phase::Confirmed);

    site.replan(now, Arc::clone(&old), &mut Effects::default());
    assert_eq!(site.view(now).elements[valve].phase, Phase::Confirmed, "nothing was moved");
    let mut moved = Plan::clone(&old);
    moved.devices[element.device].unit = 99;
    site.replan(now, Arc::new(moved), &mut Effects::default());
    let seen = &site.view(now).elements[valve];
    assert_eq!((seen.demand, seen.phase), (Demand::Trip, Phase::Demanded));
    let contact = element.safe_contact.unwrap().point;
    assert!(
        site.view(now).points[contact].quality != Quality::Good,
        "what the old device said is not the new one's word"
    );
}
