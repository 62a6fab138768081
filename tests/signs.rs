//! Signs of false data end to end: from a site file over the judge to the line in the journal, and over a restart.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops where it is wrong"
)]

use davy::config::{self, Extras, Source};
use davy::model::alarm::AlarmState;
use davy::model::command::{Order, Reply, Verb};
use davy::model::plan::Plan;
use davy::model::point::{Doubt, Quality, Reading};
use davy::model::record::{Body, Record, Standing, Who};
use davy::model::sign::Sign;
use davy::model::time::{Mono, Now, Span, Wall};
use davy::record::chain::Chain;
use davy::record::entry::{Entry, standing_apply};
use davy::safety::{Effects, Input, Site};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The demo's site with other numbers for its signs.
fn plan(knobs: &str) -> Arc<Plan> {
    let (demo, own) = (include_str!("../config/demo.toml"), "[signs]\nfrozen_min_s = 86400\n");
    assert!(demo.contains(own));
    let text = demo.replace(own, &format!("[signs]\n{knobs}\n"));
    let site = Source { name: "config/demo.toml".to_owned(), text };
    let compiled = config::compile(&site, &Extras::default());
    Arc::new(compiled.unwrap_or_else(|faults| panic!("{}", faults.render(false))).plan)
}

/// A site in virtual time, with one value for each point.
struct World {
    plan: Arc<Plan>,
    site: Site,
    now: Now,
    values: BTreeMap<String, f64>,
    records: Vec<Record>,
}

impl World {
    fn new(plan: Arc<Plan>) -> World {
        let now = Now { mono: Mono::from_us(5_000_000), wall: Wall::from_ms(1_795_491_725_000) };
        let site = Site::new(Arc::clone(&plan), &Standing::default(), now);
        World { plan, site, now, values: BTreeMap::new(), records: Vec::new() }
    }

    fn give(&mut self, input: Input) {
        let mut effects = Effects::default();
        self.site.handle(self.now, input, &mut effects);
        self.records.append(&mut effects.records);
    }

    /// One second: every device answers, then a tick.
    fn second(&mut self) {
        let plan = Arc::clone(&self.plan);
        self.now.mono = self.now.mono + Span::from_secs(1);
        self.now.wall = Wall::from_ms(self.now.wall.ms() + 1_000);
        for device in plan.devices.ids() {
            let reading = |tag: &str| {
                let value = self.values.get(tag).copied().or(Some(0.0));
                Reading { value, quality: Quality::Good, at: self.now.mono }
            };
            let readings = plan.points_of(device).map(|(id, p)| (id, reading(p.tag.as_str()))).collect();
            self.give(Input::Readings { device, readings });
        }
        self.give(Input::Tick);
    }

    fn signs(&self) -> Vec<(Sign, String, bool)> {
        let sign = |r: &Record| match &r.body {
            Body::Anomaly(a) => Some((a.sign, a.key.clone(), a.raised)),
            _ => None,
        };
        self.records.iter().filter_map(sign).collect()
    }

    fn state(&self, key: &str) -> AlarmState {
        self.site.view(self.now).alarms[self.plan.alarm(key).unwrap()].state
    }

    /// The records as the journal holds them.
    fn lines(&self) -> Vec<String> {
        let mut chain = Chain::start("gw", 1);
        self.records.iter().map(|r| chain.next(r)).collect()
    }
}

fn noisy(second: u32) -> f64 {
    0.30 + f64::from(second * 7 % 5) / 100.0
}

#[test]
fn a_frozen_value_is_an_alarm_and_a_record_with_its_evidence_and_over_once_it_moves() {
    let mut world = World::new(plan("hold_s = 120\nfrozen_min_s = 600"));
    for second in 0..120 {
        world.values.insert("face.t1".to_owned(), noisy(second));
        world.second();
    }
    world.values.insert("face.t1".to_owned(), 0.33);
    for _ in 0..800 {
        world.second();
    }
    assert_eq!(world.signs(), [(Sign::Frozen, "face.t1".to_owned(), true)]);
    assert_eq!(world.state("face.t1:anomaly"), AlarmState::Unacknowledged);
    let line = world.lines().into_iter().find(|l| l.contains("\"kind\":\"anomaly\"")).unwrap();
    let body = Entry::parse(line.as_bytes()).unwrap().body;
    assert_eq!(
        (&body["sign"], &body["key"], &body["unit"]),
        (&"frozen".into(), &"face.t1".into(), &"%vol".into())
    );
    assert_eq!(body["parameters"]["frozen_min_s"], 600.0);
    let values = body["values"].as_array().unwrap();
    assert!((5..=32).contains(&values.len()), "{values:?}");
    assert!(body["text"]["en"].as_str().unwrap().starts_with("data quality anomaly, check on site"));
    assert!(body["text"]["zh"].as_str().unwrap().starts_with("数据质量异常, 请现场核查"));

    for second in 0..400 {
        world.values.insert("face.t1".to_owned(), noisy(second));
        world.second();
    }
    assert_eq!(world.signs()[1..], [(Sign::Frozen, "face.t1".to_owned(), false)]);
    assert_eq!(world.state("face.t1:anomaly"), AlarmState::ReturnedUnacknowledged);
}

#[test]
fn a_sign_that_stands_stands_over_a_restart_and_ends_once() {
    let mut world = World::new(plan("hold_s = 120\nfrozen_min_s = 600"));
    for second in 0..900 {
        world.values.insert("face.t1".to_owned(), if second < 120 { noisy(second) } else { 0.33 });
        world.second();
    }
    let mut standing = Standing::default();
    for line in world.lines() {
        standing_apply(&mut standing, &Entry::parse(line.as_bytes()).unwrap());
    }
    assert_eq!(standing, world.site.standing());
    assert_eq!(standing.signs.len(), 1);

    world.site = Site::new(Arc::clone(&world.plan), &standing, world.now);
    world.second();
    assert_eq!(world.state("face.t1:anomaly"), AlarmState::Unacknowledged);
    for second in 0..300 {
        world.values.insert("face.t1".to_owned(), noisy(second));
        world.second();
    }
    let told: Vec<bool> = world.signs().into_iter().map(|(.., raised)| raised).collect();
    assert_eq!(told, [true, false]);
    assert!(world.site.standing().signs.is_empty());
}

#[test]
fn a_sign_on_a_point_that_a_new_file_no_longer_has_is_told_as_over() {
    let mut standing = Standing::default();
    standing.signs.insert(("gone".to_owned(), Sign::Frozen), Wall::from_ms(1));
    let mut world = World::new(plan(""));
    world.site = Site::new(Arc::clone(&world.plan), &standing, world.now);
    world.second();
    assert_eq!(world.signs(), [(Sign::Frozen, "gone".to_owned(), false)]);
}

fn order(world: &mut World, verb: Verb) -> Reply {
    let who = Who { name: "li".to_owned(), via: "test".to_owned() };
    let mut effects = Effects::default();
    world.site.handle(world.now, Input::Order(Order { who, verb }), &mut effects);
    world.records.append(&mut effects.records);
    effects.reply.unwrap()
}

fn calibrate(point: &str, minutes: Option<u32>) -> Verb {
    Verb::Calibrate { point: point.to_owned(), minutes }
}

fn quality(world: &World, tag: &str) -> Quality {
    let id = world.plan.points.find(|p| p.tag.as_str() == tag).unwrap();
    world.site.view(world.now).points[id].quality
}

fn healthy(world: &mut World) {
    world.values.insert("heading.fan".to_owned(), 1.0);
    world.values.insert("heading.duct".to_owned(), 6.0);
    for _ in 0..30 {
        world.second();
    }
}

#[test]
fn a_calibration_by_order_marks_data_trips_nothing_and_lets_neighbours_guard() {
    let mut world = World::new(plan(""));
    healthy(&mut world);
    assert!(matches!(order(&mut world, calibrate("bottle-room.lpg-1", Some(10))), Reply::Done(_)));
    // Calibration gas far above the trip.
    world.values.insert("bottle-room.lpg-1".to_owned(), 45.0);
    for _ in 0..300 {
        world.second();
    }
    assert_eq!(quality(&world, "bottle-room.lpg-1"), Quality::Uncertain(Doubt::Calibrating));
    let tripped = |world: &World| {
        world.records.iter().any(|r| matches!(&r.body, Body::Trip(t) if t.tripped && t.area == "bottle-room"))
    };
    assert!(!tripped(&world), "calibration gas is no gas");
    assert_eq!(world.state("bottle-room.lpg-1:trip"), AlarmState::Normal);

    world.values.insert("bottle-room.lpg-2".to_owned(), 45.0);
    for _ in 0..10 {
        world.second();
    }
    assert!(tripped(&world), "its neighbour guards");
}

#[test]
fn a_calibration_ends_by_order_or_with_its_time_and_is_on_record_with_its_person() {
    let mut world = World::new(plan(""));
    healthy(&mut world);
    order(&mut world, calibrate("bottle-room.lpg-1", Some(2)));
    world.second();
    order(&mut world, calibrate("bottle-room.lpg-1", None));
    world.second();
    assert_eq!(quality(&world, "bottle-room.lpg-1"), Quality::Good);
    order(&mut world, calibrate("bottle-room.lpg-1", Some(2)));
    for _ in 0..122 {
        world.second();
    }
    assert_eq!(quality(&world, "bottle-room.lpg-1"), Quality::Good, "its time is over");
    for _ in 0..70 {
        world.second();
    }
    let told: Vec<(bool, Option<String>)> = world
        .records
        .iter()
        .filter_map(|r| match &r.body {
            Body::Calibration(c) => Some((c.begun, c.by.clone())),
            _ => None,
        })
        .collect();
    let li = || Some("li".to_owned());
    assert_eq!(told, [(true, li()), (false, li()), (true, li()), (false, None)]);
    let shapes = world.signs().into_iter().filter(|(s, _, raised)| *s == Sign::CalibrationShape && *raised);
    assert_eq!(shapes.count(), 1, "no gas was seen in either, which is one sign that goes on");
}

#[test]
fn a_calibration_goes_on_over_a_restart_for_what_is_left_of_its_time() {
    let mut world = World::new(plan(""));
    healthy(&mut world);
    order(&mut world, calibrate("bottle-room.lpg-1", Some(10)));
    for _ in 0..300 {
        world.second();
    }
    let mut standing = Standing::default();
    for line in world.lines() {
        standing_apply(&mut standing, &Entry::parse(line.as_bytes()).unwrap());
    }
    assert_eq!(standing, world.site.standing());
    world.site = Site::new(Arc::clone(&world.plan), &standing, world.now);
    for _ in 0..290 {
        world.second();
    }
    assert_eq!(quality(&world, "bottle-room.lpg-1"), Quality::Uncertain(Doubt::Calibrating));
    for _ in 0..20 {
        world.second();
    }
    assert_eq!(quality(&world, "bottle-room.lpg-1"), Quality::Good);
}

#[test]
fn a_calibration_is_refused_with_every_reason() {
    let mut world = World::new(plan(""));
    healthy(&mut world);
    let refused = |world: &mut World, verb| match order(world, verb) {
        Reply::Refused(why) => why.iter().map(|t| t.en.to_string()).collect::<Vec<_>>().join("; "),
        Reply::Done(text) => panic!("{text:?}"),
    };
    assert!(refused(&mut world, calibrate("nowhere", Some(5))).contains("no measured point"));
    assert!(
        refused(&mut world, calibrate("heading.fan", Some(5))).contains("no measured point"),
        "a contact"
    );
    assert!(refused(&mut world, calibrate("face.t1", None)).contains("no calibration"));
    assert!(refused(&mut world, calibrate("face.t1", Some(0))).contains("1 to 60"));
    assert!(refused(&mut world, calibrate("face.t1", Some(61))).contains("1 to 60"));
    world.values.insert("face.t1".to_owned(), 1.2);
    for _ in 0..10 {
        world.second();
    }
    let why = refused(&mut world, calibrate("face.t1", Some(100)));
    assert!(why.contains("1 to 60") && why.contains("while its limit is passed"), "{why}");
}

#[test]
fn a_clock_that_is_set_back_is_trouble_of_the_gateway_and_over_in_time() {
    let mut world = World::new(plan("hold_s = 60"));
    healthy(&mut world);
    world.now.wall = Wall::from_ms(world.now.wall.ms() - 7_200_000);
    world.second();
    assert_eq!(world.site.view(world.now).troubles.len(), 1);
    for _ in 0..90 {
        world.second();
    }
    assert_eq!(world.site.view(world.now).troubles, []);
    let gateway = world.plan.gateway.clone();
    assert_eq!(world.signs(), [(Sign::Clock, gateway.clone(), true), (Sign::Clock, gateway, false)]);
}
