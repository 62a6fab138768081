//! The judge over seeded days in virtual time, against a world with mischief: gas that comes and goes, detectors that
//! die, lie about their state or answer late, valves that stick, operators at bad moments, restarts and new site files.
//! After every step the promises are checked by a second, independent account of what was read.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds no demo site fails"
)]

use davy::config::{self, Extras, Source};
use davy::model::alarm::{AlarmCause, AlarmState, Condition};
use davy::model::command::{Order, Reply, Verb};
use davy::model::element::{Demand, Mode};
use davy::model::line::LineFault;
use davy::model::permit::{PermitKind, Tightening};
use davy::model::plan::{Plan, Subject};
use davy::model::point::{Displayed, Doubt, Fault, Quality, Reading};
use davy::model::record::{Body, Record, Standing, Who};
use davy::model::table::{DeviceId, PointId, Row};
use davy::model::time::{Mono, Now, Span, Wall};
use davy::safety::{Effects, Input, Site};
use std::collections::BTreeMap;
use std::sync::Arc;

const STEP_MS: u64 = 100;
const STEPS: u64 = 20_000;

/// A small generator of our own, so that a seed means the same for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll().is_multiple_of(n)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(n).unwrap()).unwrap()
    }

    fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.roll() >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

/// The demo's site with the reset hold of a real one shortened to what a simulated day holds many of.
fn plan() -> Arc<Plan> {
    let text = include_str!("../config/demo.toml").to_owned();
    let site = Source { name: "config/demo.toml".to_owned(), text };
    Arc::new(config::compile(&site, &Extras::default()).unwrap().plan)
}

/// What the world is like, and the second account of what the judge was told.
struct World {
    plan: Arc<Plan>,
    site: Site,
    dice: Dice,
    now: Now,
    values: Vec<f64>,
    quality: Vec<Quality>,
    dead: Vec<bool>,
    /// Elements: the written demand, and where the plant is.
    written: Vec<bool>,
    safe: Vec<bool>,
    jammed: Vec<bool>,
    /// The last reading given to the judge, by point, and since when it says breach, by alarm.
    told: BTreeMap<PointId, Reading>,
    breach_since: BTreeMap<usize, Mono>,
    states: BTreeMap<String, (AlarmState, u32)>,
    tripped: BTreeMap<String, bool>,
    records: Vec<Record>,
    /// When the judge was last started.
    started: Mono,
    bypasses_seen: u64,
    resets_done: u64,
    trips_seen: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let plan = plan();
        let now = Now { mono: Mono::from_us(1_000_000), wall: Wall::from_ms(1_795_491_725_000) };
        let site = Site::new(Arc::clone(&plan), &Standing::default(), now);
        let mut world = World {
            site,
            dice: Dice(seed),
            now,
            values: vec![0.0; plan.points.len()],
            quality: vec![Quality::Good; plan.points.len()],
            dead: vec![false; plan.devices.len()],
            written: vec![false; plan.elements.len()],
            safe: vec![false; plan.elements.len()],
            jammed: vec![false; plan.elements.len()],
            told: BTreeMap::new(),
            breach_since: BTreeMap::new(),
            states: BTreeMap::new(),
            tripped: BTreeMap::new(),
            records: Vec::new(),
            started: now.mono,
            bypasses_seen: 0,
            resets_done: 0,
            trips_seen: 0,
            plan,
        };
        for (id, point) in world.plan.points.iter() {
            world.values[id.to_usize()] = match point.tag.as_str() {
                "heading.fan" => 1.0,
                "heading.duct" => 6.0,
                _ => 0.0,
            };
        }
        world
    }

    fn run(&mut self) {
        for step in 0..STEPS {
            self.now.mono = self.now.mono + Span::from_ms(STEP_MS);
            // The wall clock jumps now and then; nothing may be timed by it.
            let jump = if self.dice.one_in(2_000) { 3_600_000 } else { 0 };
            let ahead = self.dice.one_in(2);
            let wall = self.now.wall.ms() + 100 + if ahead { jump } else { -jump };
            self.now.wall = Wall::from_ms(wall);
            self.mischief();
            self.move_elements();
            for device in self.plan.devices.ids() {
                // Devices are polled each 500 ms, at different steps.
                if (step + u64::try_from(device.to_usize()).unwrap()).is_multiple_of(5) {
                    self.poll(device);
                }
            }
            self.gas_over_the_limit_has_tripped();
            self.give(Input::Tick);
            self.people();
            if self.dice.one_in(3_000) {
                self.restart();
            }
            if self.dice.one_in(500) {
                self.reload();
            }
            self.gas_over_the_limit_has_tripped();
        }
    }

    fn mischief(&mut self) {
        let plan = Arc::clone(&self.plan);
        for (id, point) in
            plan.points.iter().filter(|(_, p)| p.gas.is_some() || p.tag.as_str().starts_with("heading"))
        {
            let n = id.to_usize();
            if self.dice.one_in(400) {
                let limits = point.alarms.iter().filter_map(|a| plan.alarms[*a].limit).map(|l| l.set);
                let top = limits.fold(0.5, f64::max);
                self.values[n] = match self.dice.below(4) {
                    // Exactly on a set-point, as displayed.
                    0 => top,
                    1 => (self.dice.unit() * top * 1.5 * 100.0).round() / 100.0,
                    _ if point.tag.as_str() == "heading.fan" => 1.0,
                    _ if point.tag.as_str() == "heading.duct" => 6.0,
                    _ => 0.0,
                };
            }
            if self.dice.one_in(1_500) {
                self.quality[n] = [
                    Quality::Good,
                    Quality::Good,
                    Quality::Good,
                    Quality::Uncertain(Doubt::OverRange),
                    Quality::Uncertain(Doubt::Calibrating),
                    Quality::Uncertain(Doubt::Unconfirmed),
                    Quality::Bad(Fault::SensorFault),
                    Quality::Bad(Fault::UnknownStatus),
                ][self.dice.below(8)];
            } else if self.dice.one_in(150) {
                self.quality[n] = Quality::Good;
            }
        }
        for dead in &mut self.dead {
            if self.dice.one_in(if *dead { 100 } else { 6_000 }) {
                *dead = !*dead;
            }
        }
        for jammed in &mut self.jammed {
            if self.dice.one_in(if *jammed { 300 } else { 9_000 }) {
                *jammed = !*jammed;
            }
        }
    }

    fn move_elements(&mut self) {
        let plan = Arc::clone(&self.plan);
        let demands = self.site.demands();
        for (id, element) in plan.elements.iter() {
            let n = id.to_usize();
            let wanted = demands[n] == Demand::Trip;
            if wanted != self.written[n] && !self.dead[element.device.to_usize()] && element.mode == Mode::Act
            {
                self.written[n] = wanted;
                self.give(Input::Wrote { element: id, demand: demands[n], outcome: Ok(()) });
            } else if wanted && self.dice.one_in(50) {
                self.give(Input::Wrote { element: id, demand: demands[n], outcome: Err(LineFault::NoReply) });
            }
            if self.written[n] && !self.jammed[n] {
                self.safe[n] = true;
            }
            // By hand, on the spot, and only where nothing is commanded.
            if !self.written[n] && self.dice.one_in(100) {
                self.safe[n] = false;
            }
        }
        for (id, element) in plan.elements.iter() {
            let n = id.to_usize();
            for (contact, when) in
                [(element.safe_contact, self.safe[n]), (element.unsafe_contact, !self.safe[n])]
            {
                if let Some(contact) = contact {
                    self.values[contact.point.to_usize()] = f64::from(u8::from(when == contact.yes));
                }
            }
            let cell =
                if self.written[n] { element.command.trip } else { element.command.release.unwrap_or(0) };
            self.values[element.readback.to_usize()] = f64::from(cell);
        }
    }

    fn poll(&mut self, device: DeviceId) {
        if self.dead[device.to_usize()] {
            self.give(Input::NoAnswer { device, fault: LineFault::NoReply });
            return;
        }
        let plan = Arc::clone(&self.plan);
        let readings: Vec<(PointId, Reading)> = plan
            .points_of(device)
            .map(|(id, _)| {
                let quality = self.quality[id.to_usize()];
                let value = (!matches!(quality, Quality::Bad(_))).then_some(self.values[id.to_usize()]);
                (id, Reading { value, quality, at: self.now.mono })
            })
            .collect();
        for (id, reading) in &readings {
            self.told.insert(*id, *reading);
            self.account(*id, reading);
        }
        self.give(Input::Readings { device, readings });
    }

    /// The second account: since when each trip-level alarm's point has said breach, in every reading since.
    fn account(&mut self, point: PointId, reading: &Reading) {
        let plan = Arc::clone(&self.plan);
        let row = &plan.points[point];
        for alarm in &row.alarms {
            let definition = &plan.alarms[*alarm];
            let Some(limit) = definition.limit else { continue };
            let displayed = reading.value.and_then(|v| Displayed::new(v, row.decimals));
            let set = Displayed::new(limit.set, row.decimals).unwrap();
            let breach = reading.quality == Quality::Good
                && displayed.is_some_and(|v| match definition.condition {
                    Condition::High(_) | Condition::Lock => v >= set,
                    Condition::Low(_) => v <= set,
                    Condition::Contact(_) => v == set,
                    _ => false,
                });
            if breach {
                self.breach_since.entry(alarm.to_usize()).or_insert(self.now.mono);
            } else {
                self.breach_since.remove(&alarm.to_usize());
            }
        }
    }

    /// Whether every cause of a trip reads good and beyond its reset value, by the second account.
    fn proven_safe(&self, trip: usize) -> bool {
        let (_, trip) = self.plan.trips.iter().nth(trip).unwrap();
        let inputs: Vec<_> = trip.inputs().collect();
        trip.reset_needs.iter().all(|n| {
            let alarm = &self.plan.alarms[inputs[*n]];
            let Subject::Point(point) = alarm.subject else { return true };
            let row = &self.plan.points[point];
            let (Some(reading), Some(limit)) = (self.told.get(&point), alarm.limit) else { return false };
            let Some(value) = reading.value.and_then(|v| Displayed::new(v, row.decimals)) else {
                return false;
            };
            let reset = Displayed::new(limit.reset, row.decimals).unwrap();
            reading.quality == Quality::Good
                && match alarm.condition {
                    Condition::High(_) | Condition::Lock => value < reset,
                    Condition::Low(_) => value > reset,
                    _ => value != Displayed::new(limit.set, row.decimals).unwrap(),
                }
        })
    }

    fn people(&mut self) {
        let who = Who { name: "operator".to_owned(), via: "test".to_owned() };
        if self.dice.one_in(60) {
            let seen = self.site.view(self.now).waiting(&self.plan);
            self.give(Input::Order(Order { who: who.clone(), verb: Verb::AcknowledgeAll { seen } }));
        }
        self.bypass(&who);
        if self.dice.one_in(300) {
            let place = ["face", "heading.t1", "boiler-house"][self.dice.below(3)].to_owned();
            let (kind, minutes, second) = (PermitKind::HotWork, 2, None);
            let tighten = Tightening::Percent([30, 60, 90][self.dice.below(3)]);
            let verb = Verb::Permit { place, kind, minutes, tighten, second };
            self.give(Input::Order(Order { who: who.clone(), verb }));
        }
        if self.dice.one_in(25) {
            let n = self.dice.below(self.plan.trips.len());
            let trip = self.plan.trips.iter().nth(n).unwrap().1.tag.to_string();
            let was = self.tripped.get(&trip).copied().unwrap_or(false);
            let safe = self.proven_safe(n);
            let reply = self.give(Input::Order(Order { who, verb: Verb::Reset { target: trip.clone() } }));
            match reply {
                Some(Reply::Done(_)) => {
                    assert!(was, "{trip} was reset and did not stand");
                    assert!(safe, "{trip} was reset while a cause was not proven safe");
                    let up = self.now.mono.since(self.started);
                    assert!(up >= Span::from_secs(60), "{trip} was reset {up} after the start");
                    self.resets_done += 1;
                }
                Some(Reply::Refused(why)) => assert!(!why.is_empty(), "a refusal without a reason"),
                None => panic!("an order without an answer"),
            }
        }
    }

    /// Somebody takes a cause out of the votes, or puts one back.
    fn bypass(&mut self, who: &Who) {
        if !self.dice.one_in(200) {
            return;
        }
        let causes: Vec<_> = self.plan.bypassable.keys().copied().collect();
        let cause = causes[self.dice.below(causes.len())];
        let target = self.plan.alarms[cause].key.clone();
        let verb = if self.dice.one_in(3) {
            Verb::Unbypass { target }
        } else {
            let minutes = Some(u32::try_from(self.dice.below(4)).unwrap());
            Verb::Bypass { target, minutes, reason: "test".to_owned(), second: Some("wang".to_owned()) }
        };
        self.give(Input::Order(Order { who: who.clone(), verb }));
        let out: Vec<_> = self.site.view(self.now).bypasses.iter().map(|b| b.cause).collect();
        for (_, trip) in self.plan.trips.iter() {
            assert!(
                trip.causes.iter().filter(|c| out.contains(c)).count() <= 1,
                "{}: two voters out",
                trip.tag
            );
        }
        self.bypasses_seen += u64::from(out.contains(&cause));
    }

    /// The gateway loses power: what stands comes back out of the records, as the journal would give it.
    fn restart(&mut self) {
        let mut standing = Standing::default();
        for record in &self.records {
            standing.apply(record);
        }
        assert_eq!(standing, self.site.standing(), "the records fold to what the judge holds");
        let tripped: Vec<bool> = self.site.demands().iter().map(|d| *d == Demand::Trip).collect();
        self.site = Site::new(Arc::clone(&self.plan), &standing, self.now);
        self.started = self.now.mono;
        for (n, was) in tripped.into_iter().enumerate() {
            assert!(!was || self.site.demands()[n] == Demand::Trip, "a restart lifted a demand");
        }
        self.told.clear();
        self.breach_since.clear();
    }

    /// The same site file is taken again: nothing may move by that but what time has brought about.
    fn reload(&mut self) {
        let before = self.site.demands();
        let mut effects = Effects::default();
        self.site.replan(self.now, Arc::clone(&self.plan), &mut effects);
        for (was, is) in before.iter().zip(self.site.demands()) {
            assert!(*was == Demand::None || is == Demand::Trip, "a reload lifted a demand");
        }
        self.take(effects, false);
    }

    fn give(&mut self, input: Input) -> Option<Reply> {
        let is_reset = matches!(&input, Input::Order(Order { verb: Verb::Reset { .. }, .. }));
        let mut effects = Effects::default();
        self.site.handle(self.now, input, &mut effects);
        self.take(effects, is_reset)
    }

    fn take(&mut self, mut effects: Effects, is_reset: bool) -> Option<Reply> {
        for record in &effects.records {
            match &record.body {
                Body::Alarm(change) => self.alarm_moved(change),
                Body::Trip(change) => {
                    let was = self.tripped.insert(change.tag.clone(), change.tripped).unwrap_or(false);
                    assert_ne!(was, change.tripped, "one record for each change of {}", change.tag);
                    assert!(change.tripped || is_reset, "{} ended without a reset", change.tag);
                    self.trips_seen += u64::from(change.tripped);
                }
                _ => {}
            }
        }
        self.records.append(&mut effects.records);
        effects.reply
    }

    fn alarm_moved(&mut self, change: &davy::model::record::AlarmChange) {
        let (was, occurrence) =
            self.states.insert(change.key.clone(), (change.to, change.occurrence)).unwrap_or_default();
        assert_eq!(was, change.from, "{}: a change is missing between two records", change.key);
        let next = if change.cause == AlarmCause::Occurred { occurrence + 1 } else { occurrence };
        assert_eq!(change.occurrence, next, "{}", change.key);
        let gas = change.key.ends_with(":trip") || change.key.ends_with(":alarm");
        if change.cause == AlarmCause::Cleared && gas {
            let alarm = &self.plan.alarms[self.plan.alarm(&change.key).unwrap()];
            let Subject::Point(point) = alarm.subject else { panic!("{} is about a point", change.key) };
            let last = self.told.get(&point).unwrap();
            assert_eq!(last.quality, Quality::Good, "{} cleared by a reading that is not good", change.key);
        }
    }

    /// S1: what has read over a trip limit, in every reading for longer than its delay, has its elements under demand;
    /// without a delay at once, and not with the next tick.
    fn gas_over_the_limit_has_tripped(&self) {
        let out: Vec<_> = self.site.view(self.now).bypasses.iter().map(|b| b.cause).collect();
        for (_, trip) in self.plan.trips.iter() {
            let over = trip.causes.iter().filter(|cause| !out.contains(cause)).any(|cause| {
                let since = self.breach_since.get(&cause.to_usize());
                let delay = self.plan.alarms[*cause].on_delay;
                let tick = Span::from_ms(STEP_MS);
                since.is_some_and(|s| delay == Span::ZERO || self.now.mono.since(*s) > delay + tick)
            });
            let any_one = trip.groups.len() == 1 && trip.groups[0].votes == 1 && trip.delay == Span::ZERO;
            if over && any_one {
                for effect in &trip.effects {
                    let demand = self.site.demands()[effect.to_usize()];
                    assert_eq!(demand, Demand::Trip, "{}: over the limit and nothing is demanded", trip.tag);
                }
            }
        }
    }
}

#[test]
fn the_promises_hold_over_seeded_days_of_mischief() {
    let (mut trips, mut resets, mut bypasses) = (0, 0, 0);
    for seed in 1..=12 {
        let mut world = World::new(seed);
        world.run();
        trips += world.trips_seen;
        resets += world.resets_done;
        bypasses += world.bypasses_seen;
    }
    // A simulation in which nothing happens proves nothing.
    assert!(trips > 100, "only {trips} trips in all days");
    assert!(resets > 50, "only {resets} resets in all days");
    assert!(bypasses > 50, "only {bypasses} bypasses in all days");
}

#[test]
fn the_same_seed_gives_the_same_records() {
    let day = |seed| {
        let mut world = World::new(seed);
        world.run();
        format!("{:?}", world.records)
    };
    assert_eq!(day(99), day(99));
    assert_ne!(day(99), day(100));
}
