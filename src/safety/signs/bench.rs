//! A heading in virtual time for the tests of signs: three sensors along the air, one beside, seeded noise by shift,
//! surges that are real; and a record of every sign that was seen.

use super::{Out, Signs};
use crate::model::alarm::{Colour, Condition};
use crate::model::element::{ElementKind, Mode};
use crate::model::link::Link;
use crate::model::plan::{Alarm, Area, Bus, Contact, Device, Element, Plan, Point, Subject, Supervision};
use crate::model::point::{Doubt, Fault, Quality, Reading, Tag, Text, Unit};
use crate::model::record::{Body, Record, Standing};
use crate::model::register::{Command, Encoding, Field, Location, Space};
use crate::model::sign::{Anomaly, Neighbour, Settings, Side, Sign, Tells, WatchedPoint};
use crate::model::table::{AlarmId, DeviceId, ElementId, PointId, Row, Table};
use crate::model::time::{Mono, Now, Span, Wall};
use crate::safety::element::ElementLife;
use crate::safety::site::Effects;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Readings come at this pace.
pub(super) const POLL: u64 = 5;
pub(super) const HOUR: u64 = 3_600;
pub(super) const DAY: u64 = 24 * HOUR;
/// The air takes this long from one sensor to the next.
const LAG: u64 = 60;

pub(super) const T1: usize = 0;
pub(super) const T2: usize = 1;
pub(super) const T3: usize = 2;
pub(super) const MUTE: usize = 3;
pub(super) const SET: usize = 4;
pub(super) const READBACK: usize = 5;
pub(super) const FEED: usize = 6;

/// A generator of our own, so that a seed means the same for ever.
#[derive(Clone)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.roll() >> 32).unwrap()) / f64::from(u32::MAX)
    }

    /// Near enough to a bell: mean 0, spread 1.
    pub(super) fn bell(&mut self) -> f64 {
        (0..6).map(|_| self.unit()).sum::<f64>() * 1.414 - 4.242
    }
}

/// The air of a heading: what its first sensor would read, and the others with their lag.
pub(super) struct Air {
    dice: Dice,
    level: f64,
    past: VecDeque<f64>,
    /// What gas comes in beside that of the shift.
    pub(super) surge: f64,
}

impl Air {
    fn target(second: u64) -> (f64, f64) {
        // The first day is a Monday; on Sundays nobody works.
        match (second / DAY % 7, second / (8 * HOUR) % 3) {
            (6, _) => (0.06, 0.1),
            (_, 0 | 1) => (0.35, 1.0),
            (_, _) => (0.15, 0.5),
        }
    }

    /// The true values of the three places, and how lively they are.
    fn at(&mut self, second: u64) -> ([f64; 3], f64) {
        let (target, lively) = Air::target(second);
        self.level += (target + self.surge - self.level) / 120.0 + self.dice.bell() * 0.004 * lively;
        self.level = self.level.max(0.0);
        self.past.push_front(self.level);
        self.past.truncate(30);
        let behind = |s: u64| {
            let n = usize::try_from(s / POLL).unwrap().min(self.past.len() - 1);
            self.past[n]
        };
        ([self.level, behind(LAG) * 1.10, behind(2 * LAG) * 1.25], lively)
    }
}

/// Signs in virtual time.
pub(super) struct Bench {
    pub(super) plan: Arc<Plan>,
    pub(super) signs: Signs,
    pub(super) now: Now,
    pub(super) air: Air,
    pub(super) elements: Table<ElementId, ElementLife>,
    pub(super) readings: Table<PointId, Reading>,
    pub(super) records: Vec<Record>,
    pub(super) touched: BTreeSet<AlarmId>,
    second: u64,
}

/// What a test makes of an honest reading: the second since the start, which point, the honest value.
pub(super) type Meddle<'a> = &'a mut dyn FnMut(u64, usize, f64) -> Reading;

pub(super) fn good(value: f64) -> Reading {
    Reading { value: Some(value), quality: Quality::Good, at: Mono::START }
}

pub(super) fn calibrating(value: f64) -> Reading {
    Reading { quality: Quality::Uncertain(Doubt::Calibrating), ..good(value) }
}

pub(super) fn bad(fault: Fault) -> Reading {
    Reading::bad(fault, Mono::START)
}

impl Bench {
    pub(super) fn new(seed: u64) -> Bench {
        Bench::with(seed, plan(&Settings::default()))
    }

    pub(super) fn with(seed: u64, plan: Plan) -> Bench {
        // A Monday, at the begin of a shift.
        let now = Now { mono: Mono::from_us(10_000_000), wall: Wall::from_ms(1_795_392_000_000) };
        let plan = Arc::new(plan);
        Bench {
            signs: Signs::new(&plan, &Standing::default(), now),
            now,
            air: Air { dice: Dice(seed), level: 0.3, past: VecDeque::new(), surge: 0.0 },
            elements: plan.elements.map(|_, _| ElementLife::default()),
            readings: plan.points.map(|_, _| Reading::bad(Fault::NotHeard, Mono::START)),
            records: Vec::new(),
            touched: BTreeSet::new(),
            second: 0,
            plan,
        }
    }

    pub(super) fn give(&mut self, n: usize, mut reading: Reading) {
        let id = PointId::from_usize(n);
        reading.at = self.now.mono;
        self.readings[id] = reading;
        let mut effects = Effects::default();
        self.signs.heard(
            id,
            &mut Out {
                now: self.now,
                plan: &self.plan,
                readings: &self.readings,
                effects: &mut effects,
                touched: &mut self.touched,
            },
        );
        self.records.append(&mut effects.records);
    }

    pub(super) fn tick(&mut self) {
        let mut effects = Effects::default();
        let mut out = Out {
            now: self.now,
            plan: &self.plan,
            readings: &self.readings,
            effects: &mut effects,
            touched: &mut self.touched,
        };
        drop(self.signs.tick(&self.elements, &mut out));
        self.records.append(&mut effects.records);
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.second += seconds;
        self.now.mono = self.now.mono + Span::from_secs(seconds);
        self.now.wall = Wall::from_ms(self.now.wall.ms() + i64::try_from(seconds).unwrap() * 1_000);
    }

    /// Lets `seconds` go by, with readings that `meddle` may change.
    pub(super) fn run(&mut self, seconds: u64, meddle: Meddle<'_>) {
        for _ in 0..seconds / POLL {
            self.pass(POLL);
            let (values, lively) = self.air.at(self.second);
            for (n, value) in values.into_iter().enumerate() {
                let noisy = (value + self.air.dice.bell() * 0.02 * lively).max(0.0);
                let shown = (noisy * 100.0).round() / 100.0;
                let reading = meddle(self.second, n, shown);
                self.give(n, reading);
            }
            self.tick();
        }
    }

    pub(super) fn honest(&mut self, seconds: u64) {
        self.run(seconds, &mut |_, _, value| good(value));
    }

    pub(super) fn told(&self) -> Vec<&Anomaly> {
        let anomaly = |r: &'_ Record| matches!(r.body, Body::Anomaly(_));
        self.records.iter().filter(|r| anomaly(r)).filter_map(|r| as_anomaly(&r.body)).collect()
    }

    /// The signs that began, each once, in order, with what they are on.
    pub(super) fn signs(&self) -> Vec<(Sign, &str)> {
        self.told().into_iter().filter(|a| a.raised).map(|a| (a.sign, a.key.as_str())).collect()
    }

    pub(super) fn first(&self, sign: Sign) -> &Anomaly {
        self.told().into_iter().find(|a| a.sign == sign).unwrap()
    }
}

fn as_anomaly(body: &Body) -> Option<&Anomaly> {
    if let Body::Anomaly(a) = body { Some(a) } else { None }
}

fn tag(text: &str) -> Tag {
    Tag::new(text).unwrap()
}

/// Three methane sensors t1, t2, t3 along the air, a mute contact, a mirrored set-point, and a load with its read-back
/// and feed; all on one line.
pub(super) fn plan(settings: &Settings) -> Plan {
    let settings = Arc::new(settings.clone());
    let mut plan = Plan { gateway: "gw".to_owned(), ..Plan::default() };
    plan.watched.settings = Arc::clone(&settings);
    let area = plan.areas.push(Area {
        tag: tag("heading"),
        name: Text::new("掘进", "heading"),
        kind: "cn-coal-heading".to_owned(),
        risk: Colour::Blue,
    });
    let link = Link::Tcp { host: "127.0.0.1".to_owned(), port: 0 };
    let bus = plan.buses.push(Bus { tag: tag("line"), link, gap: Span::ZERO });
    let names = [
        ("t1", Unit::PctVol),
        ("t2", Unit::PctVol),
        ("t3", Unit::PctVol),
        ("mute", Unit::State),
        ("set", Unit::PctVol),
        ("load.readback", Unit::State),
        ("load.live", Unit::State),
    ];
    for (n, (name, unit)) in names.into_iter().enumerate() {
        let id = PointId::from_usize(n);
        let alarm = |subject, key: String| Alarm {
            key,
            subject,
            area,
            condition: Condition::Anomaly,
            limit: None,
            on_delay: Span::ZERO,
            off_delay: Span::ZERO,
            latching: false,
            colour: Colour::Yellow,
            text: Text::default(),
            action: Text::default(),
        };
        let comm_alarm =
            plan.alarms.push(alarm(Subject::Device(DeviceId::from_usize(n)), format!("d{n}:comm-lost")));
        let device = plan.devices.push(Device {
            tag: tag(&format!("d{n}")),
            bus,
            unit: u8::try_from(n + 1).unwrap(),
            area,
            profile: "test".to_owned(),
            poll: Span::from_secs(POLL),
            slow_poll: Span::from_secs(600),
            hurried_poll: Span::from_secs(1),
            timeout: Span::from_secs(1),
            late: Span::from_secs(1),
            blocks: Vec::new(),
            comm_alarm,
            stale_alarm: comm_alarm,
            calibration: None,
            heartbeat: None,
            watchdog: None,
        });
        let at = Location { space: Space::Input, address: u16::try_from(n).unwrap() };
        plan.points.push(Point {
            tag: tag(name),
            name: Text::new(name, name),
            area,
            device,
            block: 0,
            field: Field { scale: 0.01, ..Field::plain(at, Encoding::U16) },
            unit,
            gas: None,
            decimals: if unit == Unit::State { 0 } else { 2 },
            deadband: 0.0,
            alarms: Vec::new(),
            trend: None,
            twin: None,
        });
        if n > SET {
            continue;
        }
        let alarm = plan.alarms.push(alarm(Subject::Point(id), format!("{name}:anomaly")));
        plan.watched.points.insert(
            id,
            Arc::new(WatchedPoint {
                alarm,
                settings: Arc::clone(&settings),
                off: Vec::new(),
                scale: (n <= T3).then_some(1.0),
                catalytic: n == T1,
                expects: (n == SET).then_some(1.0),
                lasting: false,
                tells: (n == MUTE).then_some(Tells::Mute),
                neighbours: neighbours(n),
            }),
        );
    }
    let at = Location { space: Space::Coil, address: 0 };
    let not_confirmed = plan.watched.points.values().next().unwrap().alarm;
    let element = plan.elements.push(Element {
        tag: tag("load"),
        kind: ElementKind::Load,
        name: Text::new("load", "load"),
        area,
        device: DeviceId::from_usize(READBACK),
        command: Command::plain(at, 1, Some(0)),
        mode: Mode::Act,
        safe_contact: None,
        unsafe_contact: Some(Contact { point: PointId::from_usize(FEED), yes: true }),
        readback: PointId::from_usize(READBACK),
        travel_limit: Span::from_secs(5),
        not_confirmed,
        supervision: Supervision::default(),
    });
    plan.watched.elements = BTreeMap::from([(element, not_confirmed)]);
    plan
}

fn neighbours(n: usize) -> Vec<Neighbour> {
    let lag = Span::from_secs(LAG);
    let one = |n: usize, side| Neighbour { point: PointId::from_usize(n), side, lag };
    match n {
        T1 => vec![one(T2, Side::Downstream)],
        T2 => vec![one(T1, Side::Upstream), one(T3, Side::Downstream)],
        T3 => vec![one(T2, Side::Upstream)],
        _ => Vec::new(),
    }
}
