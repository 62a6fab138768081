//! The promise of the field side: whatever a line does, no wrong value is ever read as good, no write is believed that
//! did not happen, and no healthy device stops being asked. Mixes of all line faults, in virtual time, each from a seed.

use crate::plan::{Builder, Valve, at, block, plain};
use davy::field::figures::Figures;
use davy::field::rtu::{checksum, frame, is_sound};
use davy::io::clock::Clock;
use davy::io::line::{Dial, Line, Marks, Opened, Tap};
use davy::model::deed::Mischief;
use davy::model::element::{Demand, Mode};
use davy::model::link::Link;
use davy::model::point::{Quality, Unit};
use davy::model::register::{Encoding, Space};
use davy::model::table::{PointId, Row};
use davy::model::time::{Mono, Span};
use davy::safety::Input;
use davy::simulator::slave::{Frame, Received, receive, send};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, WriteHalf, duplex, split};
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::sleep;

/// How long each mix of faults lasts.
const MISCHIEF: Span = Span::from_secs(8);

/// Within so long after it every device is read well again: its longest back-off by then, and some polls.
const RECOVERY: Span = Span::from_secs(40);

const POLL: Span = Span::from_ms(500);
const TIMEOUT: Span = Span::from_ms(100);

/// Answers come so late at most, and the plan says so.
const LATE: Span = Span::from_ms(350);

/// Seeds run, unless `DAVY_SEEDS` says how many or `DAVY_SEED` which one.
const SEEDS: u64 = 400;

/// A small generator of numbers that look random (xorshift64*).
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..=self.throw(most)).map(|_| u8::try_from(self.throw(256)).unwrap()).collect()
    }
}

/// What can go wrong with one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Silence,
    Late,
    WrongUnit,
    WrongFunction,
    WrongLength,
    /// The last byte is missing.
    Short,
    /// One register less than asked for, all else as it should be.
    OneLess,
    WrongEcho,
    /// The write is answered as it should be, and not carried out.
    Unheeded,
    Damaged,
    NoiseOnly,
    NoiseBefore,
    NoiseAfter,
    Partial,
    Split,
    OtherMaster,
    Exception,
    Closed,
    HalfOpen,
    Twice,
    Echo,
}

impl Fault {
    const ALL: [Fault; 21] = [
        Fault::Silence,
        Fault::Late,
        Fault::WrongUnit,
        Fault::WrongFunction,
        Fault::WrongLength,
        Fault::Short,
        Fault::OneLess,
        Fault::WrongEcho,
        Fault::Unheeded,
        Fault::Damaged,
        Fault::NoiseOnly,
        Fault::NoiseBefore,
        Fault::NoiseAfter,
        Fault::Partial,
        Fault::Split,
        Fault::OtherMaster,
        Fault::Exception,
        Fault::Closed,
        Fault::HalfOpen,
        Fault::Twice,
        Fault::Echo,
    ];

    /// What is played here for a mischief of the pretended plant.
    fn of(mischief: Mischief) -> Fault {
        match mischief {
            Mischief::Silence => Fault::Silence,
            Mischief::Exception(_) => Fault::Exception,
            Mischief::WrongUnit => Fault::WrongUnit,
            Mischief::WrongFunction => Fault::WrongFunction,
            Mischief::ShortAnswer => Fault::Short,
            Mischief::Late(_) => Fault::Late,
            Mischief::WrongCount => Fault::OneLess,
            Mischief::WrongEcho => Fault::WrongEcho,
            Mischief::Unheeded => Fault::Unheeded,
            Mischief::Close => Fault::Closed,
            Mischief::Damaged => Fault::Damaged,
            Mischief::NoiseOnly => Fault::NoiseOnly,
            Mischief::NoiseBefore => Fault::NoiseBefore,
            Mischief::NoiseAfter => Fault::NoiseAfter,
            Mischief::Partial => Fault::Partial,
            Mischief::Split => Fault::Split,
            Mischief::OtherMaster => Fault::OtherMaster,
            Mischief::HalfOpen(_) => Fault::HalfOpen,
            Mischief::Twice => Fault::Twice,
            Mischief::Echo => Fault::Echo,
        }
    }
}

#[test]
fn every_mischief_of_the_pretended_plant_is_in_the_mixes() {
    for name in Mischief::NAMES {
        let fault = Fault::of(Mischief::named(name, 4, Span::from_ms(100)).unwrap());
        assert!(Fault::ALL.contains(&fault), "{name}: {fault:?}");
    }
}

/// The devices of a line, and what befalls it.
struct World {
    clock: Clock,
    dice: Dice,
    /// Which faults happen, and how many of a hundred exchanges they befall.
    faults: Vec<Fault>,
    percent: u64,
    until: Mono,
    rtu: bool,
    coil: bool,
    /// Every value that a point had, and since when.
    wrong: Vec<String>,
}

/// What the register of a unit reads: another one for every unit, address and second.
fn value(unit: u8, address: u16, now: Mono) -> u16 {
    u16::from(unit) * 8_000 + address * 30 + u16::try_from(now.us() / 1_000_000 % 1_000).unwrap()
}

impl World {
    fn fault(&mut self) -> Option<Fault> {
        let strikes = self.clock.mono() < self.until && self.dice.throw(100) < self.percent;
        let which = self.dice.throw(u64::try_from(self.faults.len()).unwrap());
        strikes.then(|| self.faults[usize::try_from(which).unwrap()])
    }

    /// The right answer to a request; a write is carried out.
    fn answer(&mut self, unit: u8, pdu: &[u8], heeded: bool) -> Vec<u8> {
        let now = self.clock.mono();
        let [function, a1, a2, c1, c2, ..] = *pdu else { return vec![0x80, 3] };
        let (address, count) = (u16::from_be_bytes([a1, a2]), u16::from_be_bytes([c1, c2]));
        match function {
            1 | 2 => {
                let bits = u8::from(if function == 1 { self.coil } else { !self.coil });
                vec![function, 1, bits]
            }
            3 | 4 => {
                let words = (address..address + count).flat_map(|a| value(unit, a, now).to_be_bytes());
                let words: Vec<u8> = words.collect();
                [vec![function, u8::try_from(words.len()).unwrap()], words].concat()
            }
            5 => {
                if heeded {
                    self.coil = c1 == 0xFF;
                }
                pdu.to_vec()
            }
            _ => vec![function | 0x80, 1],
        }
    }
}

type Shared = Rc<RefCell<World>>;

/// Opens the pretended line.
struct Door(Shared);

impl Dial for Door {
    async fn open(&self) -> Result<Opened, String> {
        let rtu = {
            let mut world = self.0.borrow_mut();
            if world.fault() == Some(Fault::Closed) {
                return Err("nobody there".to_owned());
            }
            world.rtu
        };
        let (near, far) = duplex(4_096);
        tokio::task::spawn_local(serve(Rc::clone(&self.0), far));
        Ok(if rtu {
            Opened::Serial(Box::new(near), None, Marks::default())
        } else {
            Opened::Numbered(Box::new(near))
        })
    }

    fn is_called_anew(&self) -> bool {
        false
    }

    fn can_redial(&self) -> bool {
        true
    }
}

type Out = Rc<tokio::sync::Mutex<WriteHalf<DuplexStream>>>;

async fn serve(world: Shared, far: DuplexStream) {
    let (mut read, write) = split(far);
    let write: Out = Rc::new(tokio::sync::Mutex::new(write));
    let mut heard = Vec::new();
    loop {
        let mut part = [0; 300];
        let Ok(count @ 1..) = read.read(&mut part).await else { return };
        heard.extend_from_slice(&part[..count]);
        let rtu = world.borrow().rtu;
        let (transaction, unit, pdu) = if rtu {
            // Every question here has eight characters; what was said to somebody who did not listen is past.
            let bytes = heard.split_off(heard.len() - 8);
            heard.clear();
            assert!(is_sound(&bytes), "what is sent is a frame: {bytes:x?}");
            (0, bytes[0], bytes[1..6].to_vec())
        } else {
            match receive(&heard) {
                Received::Frame(Frame { transaction, unit, pdu }, taken) => {
                    heard.drain(..taken);
                    (transaction, unit, pdu)
                }
                Received::Incomplete | Received::Nonsense => continue,
            }
        };
        let fault = world.borrow_mut().fault();
        let closes = fault == Some(Fault::Closed);
        let half_open = fault == Some(Fault::HalfOpen);
        if half_open {
            // Takes everything and says nothing, until the other side gives it up or that is over.
            while world.borrow().clock.mono() < world.borrow().until {
                sleep(Duration::from_millis(50)).await;
            }
            continue;
        }
        if closes {
            return;
        }
        tokio::task::spawn_local(reply(Rc::clone(&world), Rc::clone(&write), fault, transaction, unit, pdu));
    }
}

/// The bytes that carry an answer.
fn carried(rtu: bool, transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    if rtu { frame(unit, pdu) } else { send(transaction, unit, pdu) }
}

async fn say(write: &Out, bytes: &[u8]) {
    // Whoever hung up does not want it.
    drop(write.lock().await.write_all(bytes).await);
}

async fn reply(world: Shared, write: Out, fault: Option<Fault>, transaction: u16, unit: u8, pdu: Vec<u8>) {
    let pause = |world: &Shared, most: u64| Duration::from_millis(1 + world.borrow_mut().dice.throw(most));
    sleep(pause(&world, 15)).await;
    let (rtu, right) = {
        let mut world = world.borrow_mut();
        let heeded = !matches!(fault, Some(Fault::Unheeded | Fault::Silence | Fault::Exception));
        (world.rtu, world.answer(unit, &pdu, heeded))
    };
    let mut bytes = carried(rtu, transaction, unit, &right);
    let noise = world.borrow_mut().dice.bytes(20);
    let Some(fault) = fault else { return say(&write, &bytes).await };
    match fault {
        Fault::Silence | Fault::Closed | Fault::HalfOpen => return,
        Fault::Unheeded => {}
        Fault::Late => {
            let late = 50 + world.borrow_mut().dice.throw(LATE.ms() - 70);
            sleep(Duration::from_millis(late)).await;
        }
        Fault::WrongUnit => bytes = carried(rtu, transaction, unit % 5 + 1, &right),
        Fault::WrongFunction => {
            let mut other = right.clone();
            other[0] = if other[0] == 4 { 3 } else { 4 };
            bytes = carried(rtu, transaction, unit, &other);
        }
        Fault::WrongLength => {
            let mut other = right.clone();
            if other[0] < 5 {
                other[1] = other[1].wrapping_add(2);
                other.extend([0x12, 0x34]);
            } else {
                other.push(0);
            }
            bytes = carried(rtu, transaction, unit, &other);
        }
        Fault::Short | Fault::OneLess => {
            let mut other = right.clone();
            if fault == Fault::OneLess && matches!(other[0], 3 | 4) {
                other[1] -= 2;
                other.pop();
            }
            other.pop();
            bytes = carried(rtu, transaction, unit, &other);
        }
        Fault::WrongEcho => {
            let mut other = right.clone();
            if other[0] == 5 {
                other[3] = !other[3];
            } else {
                other[1] = other[1].wrapping_add(1);
            }
            bytes = carried(rtu, transaction, unit, &other);
        }
        Fault::Damaged => {
            let bit = usize::try_from(world.borrow_mut().dice.throw(64)).unwrap() % (bytes.len() * 8);
            // Over TCP the network's own checksum sees to the data; what can be wrong is the head.
            let bit = if rtu { bit } else { bit % 48 };
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        Fault::NoiseOnly => bytes = noise,
        Fault::NoiseBefore if rtu => bytes = [noise, bytes].concat(),
        Fault::NoiseAfter if rtu => bytes.extend(noise),
        // A stream that is out of step is a closed one.
        Fault::NoiseBefore | Fault::NoiseAfter => {}
        Fault::Partial => bytes.truncate(bytes.len() / 2),
        Fault::Split => {
            let cut = bytes.len() / 2;
            say(&write, &bytes[..cut]).await;
            sleep(pause(&world, 20)).await;
            bytes.drain(..cut);
        }
        Fault::OtherMaster if rtu => {
            let others = [frame(99, &[3, 0, 0, 0, 2]), frame(99, &[3, 4, 0xDE, 0xAD, 0xBE, 0xEF])].concat();
            bytes = [others, bytes].concat();
        }
        Fault::Echo if rtu => bytes = [frame(unit, &pdu), bytes].concat(),
        Fault::OtherMaster | Fault::Echo => {}
        Fault::Exception => {
            let code =
                [1, 2, 3, 4, 5, 6, 8, 10, 11][usize::try_from(world.borrow_mut().dice.throw(9)).unwrap()];
            bytes = carried(rtu, transaction, unit, &[pdu[0] | 0x80, code]);
        }
        Fault::Twice => bytes = [bytes.clone(), bytes].concat(),
    }
    say(&write, &bytes).await;
}

/// A line with three detectors of two blocks each, which look alike on the wire, and a valve.
struct Bench {
    builder: Builder,
    points: BTreeMap<PointId, (u8, u16)>,
    valve: Valve,
}

fn bench(rtu: bool) -> Bench {
    let mut builder = Builder::new();
    builder.timeout = TIMEOUT;
    let mut points = BTreeMap::new();
    for unit in 1..=3 {
        let device = builder.device(POLL, vec![block(Space::Input, 0, 2), block(Space::Input, 100, 2)]);
        builder.plan.devices[device].late = LATE;
        for (number, address) in [(0, 0), (0, 1), (1, 100), (1, 101)] {
            let point =
                builder.point(device, number, plain(at(Space::Input, address), Encoding::U16), Unit::Ppm);
            points.insert(point, (unit, address));
        }
    }
    let valve = builder.valve(POLL, Mode::Act, Some(0));
    builder.plan.devices[valve.device].late = LATE;
    let host = "test".to_owned();
    builder.plan.buses[builder.bus].link =
        if rtu { Link::RtuTcp { host, port: 1, pace: None } } else { Link::Tcp { host, port: 1 } };
    Bench { builder, points, valve }
}

/// Runs one mix; gives what was wrong.
fn run(seed: u64, faults: &[Fault]) -> Vec<String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let mut dice = Dice::new(seed);
    let rtu = dice.throw(3) > 0;
    let percent = [3, 10, 30, 60, 100][usize::try_from(dice.throw(5)).unwrap()];
    let trips_at = Duration::from_millis(dice.throw(MISCHIEF.ms()));
    let Bench { builder, points, valve } = bench(rtu);
    let bus = builder.bus;
    let plan = Arc::new(builder.plan);
    LocalSet::new().block_on(&runtime, async move {
        let clock = Clock::start();
        let until = Mono::START + MISCHIEF;
        let world = World {
            clock,
            dice,
            faults: faults.to_vec(),
            percent,
            until,
            rtu,
            coil: false,
            wrong: Vec::new(),
        };
        let world = Rc::new(RefCell::new(world));
        let good: Rc<RefCell<BTreeMap<PointId, Mono>>> = Rc::default();
        let wrote = Rc::new(RefCell::new(None));
        let (demands, watched) = watch::channel(vec![Demand::None; plan.elements.len()]);
        let figures = Arc::new(Mutex::new(Figures::new(clock.mono())));
        let tap = Tap::new(plan.buses[bus].tag.clone());
        let line = Line {
            plan: Arc::clone(&plan),
            bus,
            clock,
            demands: watched,
            hurried: watch::channel(Vec::new()).1,
            tap,
            figures,
            owes: Arc::default(),
        };
        let hand_in = {
            let (world, good, wrote) = (Rc::clone(&world), Rc::clone(&good), Rc::clone(&wrote));
            move |input: Input| {
                let now = clock.mono();
                match input {
                    Input::Readings { readings, .. } => {
                        for (point, reading) in readings.iter().filter(|(_, r)| r.quality == Quality::Good) {
                            good.borrow_mut().insert(*point, now);
                            let Some((unit, address)) = points.get(point) else { continue };
                            let since = Mono::from_us(now.us().saturating_sub(TIMEOUT.us()));
                            let true_ones = [value(*unit, *address, since), value(*unit, *address, now)];
                            let read = reading.value.unwrap();
                            if !true_ones.iter().any(|v| (f64::from(*v) - read).abs() < 0.5) {
                                let told = format!(
                                    "{now:?}: unit {unit}, {address} reads {read}, not {true_ones:?}"
                                );
                                world.borrow_mut().wrong.push(told);
                            }
                        }
                    }
                    Input::Wrote { demand, outcome: Ok(()), .. } => {
                        *wrote.borrow_mut() = Some(demand);
                        let coil = world.borrow().coil;
                        if coil != (demand == Demand::Trip) {
                            let told = format!("{now:?}: {demand:?} is believed, the coil is {coil}");
                            world.borrow_mut().wrong.push(told);
                        }
                    }
                    _ => {}
                }
            }
        };
        let running = tokio::task::spawn_local(line.run(Door(Rc::clone(&world)), hand_in));
        sleep(trips_at).await;
        demands.send_modify(|demands| demands[valve.element.to_usize()] = Demand::Trip);
        sleep(Duration::from_millis((MISCHIEF + RECOVERY).ms()).saturating_sub(trips_at)).await;
        let now = clock.mono();
        for point in plan.points.ids() {
            let last = good.borrow().get(&point).copied();
            if last.is_none_or(|last| now.since(last) > POLL.times(3)) {
                let told = format!("{}: last read well at {last:?}", plan.points[point].tag);
                world.borrow_mut().wrong.push(told);
            }
        }
        if *wrote.borrow() != Some(Demand::Trip) || !world.borrow().coil {
            world.borrow_mut().wrong.push("the trip did not get through".to_owned());
        }
        running.abort();
        drop(running.await);
        std::mem::take(&mut world.borrow_mut().wrong)
    })
}

#[test]
fn no_line_fault_alone_makes_a_wrong_value_good_or_a_write_believed_or_a_device_forgotten() {
    for fault in Fault::ALL {
        for seed in 0..20 {
            let wrong = run(seed, &[fault]);
            assert!(wrong.is_empty(), "{fault:?}, seed {seed}: {wrong:#?}");
        }
    }
}

#[test]
fn no_mix_of_line_faults_does() {
    let number = |name: &str| std::env::var(name).ok().map(|n| n.parse::<u64>().expect("a number"));
    let seeds = match (number("DAVY_SEED"), number("DAVY_SEEDS")) {
        (Some(one), _) => one..one + 1,
        (None, count) => 0..count.unwrap_or(SEEDS),
    };
    for seed in seeds {
        let mut dice = Dice::new(seed ^ 0xFA17);
        let count = 1 + dice.throw(6);
        let any = |_| Fault::ALL[usize::try_from(dice.throw(19)).unwrap()];
        let faults: Vec<Fault> = (0..count).map(any).collect();
        let wrong = run(seed, &faults);
        assert!(
            wrong.is_empty(),
            "{faults:?}: {wrong:#?}\nreplay it with: DAVY_SEED={seed} cargo test --test line no_mix"
        );
    }
}

#[test]
fn a_frame_that_the_pretended_devices_send_is_one_of_the_standard() {
    let bytes = frame(17, &[4, 2, 0, 7]);
    let (body, sum) = bytes.split_at(bytes.len() - 2);
    assert_eq!(checksum(body), [sum[0], sum[1]]);
}
