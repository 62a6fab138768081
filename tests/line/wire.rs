//! The line over real sockets, against devices that misbehave: a fault is told, a wrong value never, and the others
//! go on.

use crate::plan::{Builder, Valve};
use davy::field::figures::Figures;
use davy::io::clock::Clock;
use davy::io::line::{Dialler, Line, Modems, Tap};
use davy::io::slave::Slave;
use davy::model::element::{Demand, Mode, Position};
use davy::model::line::LineFault;
use davy::model::link::Link;
use davy::model::plan::Plan;
use davy::model::point::{Quality, Reading};
use davy::model::table::{BusId, DeviceId, PointId, Row};
use davy::model::time::Span;
use davy::safety::Input;
use davy::simulator::mischief::{Mischief, Reply};
use davy::simulator::plant::{Plant, Seen};
use davy::simulator::slave::{Received, receive, send};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Longer than anything that is waited for takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A line on a thread of its own, and what it hands in.
pub(crate) struct Running {
    pub(crate) inputs: Receiver<Input>,
    pub(crate) demands: watch::Sender<Vec<Demand>>,
}

impl Running {
    pub(crate) fn start(plan: Plan, bus: BusId, port: u16, clock: Clock) -> Running {
        Running::start_logging(plan, bus, port, clock, Arc::default())
    }

    fn start_logging(
        mut plan: Plan,
        bus: BusId,
        port: u16,
        clock: Clock,
        log: Arc<Mutex<Vec<u8>>>,
    ) -> Running {
        plan.buses[bus].link = Link::Tcp { host: "127.0.0.1".to_owned(), port };
        Running::over_its_link(plan, bus, clock, log)
    }

    /// Over whatever link the plan says.
    pub(crate) fn over_its_link(plan: Plan, bus: BusId, clock: Clock, log: Arc<Mutex<Vec<u8>>>) -> Running {
        let (demands, watched) = watch::channel(vec![Demand::None; plan.elements.len()]);
        let (give, inputs) = channel();
        let plan = Arc::new(plan);
        std::thread::spawn(move || {
            let writer = move || Log(Arc::clone(&log));
            let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
            let _logging = tracing::subscriber::set_default(subscriber);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            // Whoever listens may be gone before the line is.
            let hand_in = move |input| drop(give.send(input));
            let figures = Arc::new(Mutex::new(Figures::new(clock.mono())));
            let tap = Tap::new(plan.buses[bus].tag.clone());
            let line = Line {
                plan,
                bus,
                clock,
                demands: watched,
                hurried: watch::channel(Vec::new()).1,
                tap,
                figures,
                owes: Arc::default(),
            };
            runtime.block_on(async move {
                let modems = Modems::listen(line.plan.buses.iter().map(|(_, bus)| &bus.link));
                let dialler = Dialler::new(&line.plan.buses[line.bus].link, &modems);
                line.run(dialler, hand_in).await;
            });
        });
        Running { inputs, demands }
    }

    /// The first input for which `found` gives something; fails the test where none comes.
    #[track_caller]
    pub(crate) fn wait<T>(&self, mut found: impl FnMut(&Input) -> Option<T>) -> T {
        #[expect(clippy::disallowed_methods, reason = "a deadline for a real line")]
        let (start, mut seen) = (Instant::now(), Vec::new());
        while let Some(left) = PATIENCE.checked_sub(start.elapsed()) {
            let Ok(input) = self.inputs.recv_timeout(left) else { break };
            if let Some(found) = found(&input) {
                return found;
            }
            seen.push(input);
        }
        panic!("it never came; the last that came: {:?}", seen.iter().rev().take(10).collect::<Vec<_>>());
    }

    #[track_caller]
    pub(crate) fn reading(&self, point: PointId, wanted: impl Fn(&Reading) -> bool) -> Reading {
        self.wait(|input| match input {
            Input::Readings { readings, .. } => {
                readings.iter().find(|(id, r)| *id == point && wanted(r)).map(|(_, r)| *r)
            }
            _ => None,
        })
    }

    pub(crate) fn trip(&self, valve: Valve, demand: Demand) {
        self.demands.send_modify(|demands| demands[valve.element.to_usize()] = demand);
    }

    #[track_caller]
    pub(crate) fn wrote(&self, valve: Valve, wanted: Demand) {
        self.wait(|input| match input {
            Input::Wrote { element, demand, outcome: Ok(()) } => {
                (*element == valve.element && *demand == wanted).then_some(())
            }
            _ => None,
        });
    }
}

/// What is logged on one thread.
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Rig {
    plant: Arc<Mutex<Plant>>,
    clock: Clock,
    line: Running,
    first: (DeviceId, PointId),
    second: (DeviceId, PointId),
    valve: Valve,
    _slave: Slave,
}

/// Two detectors, at 1.00 and 2.00, and a valve.
fn site() -> (Builder, [(DeviceId, PointId); 2], Valve) {
    let mut builder = Builder::new();
    builder.timeout = Span::from_ms(200);
    let detectors = [builder.detector(Span::from_ms(50)), builder.detector(Span::from_ms(50))];
    let valve = builder.valve(Span::from_ms(50), Mode::Act, Some(0));
    (builder, detectors, valve)
}

fn rig() -> Rig {
    let (builder, [first, second], valve) = site();
    let clock = Clock::start();
    let plant = Arc::new(Mutex::new(Plant::new(&builder.plan)));
    plant.lock().unwrap().set(clock.mono(), first.1, 1.0);
    plant.lock().unwrap().set(clock.mono(), second.1, 2.0);
    let slave = Slave::start(&builder.plan, Arc::clone(&plant), clock).unwrap();
    let line = Running::start(builder.plan, builder.bus, slave.port(builder.bus), clock);
    Rig { plant, clock, line, first, second, valve, _slave: slave }
}

fn is(value: f64) -> impl Fn(&Reading) -> bool {
    move |r| r.quality == Quality::Good && r.value == Some(value)
}

/// Lets the first detector do `mischief` until its fault is told, then behave; all the while nobody's value may be
/// another's, and the second detector must be heard after the fault.
fn misbehave(mischief: Mischief) -> LineFault {
    let rig = rig();
    rig.line.reading(rig.first.1, is(1.0));
    rig.line.reading(rig.second.1, is(2.0));
    rig.plant.lock().unwrap().set_mischief(rig.first.0, Some(mischief));

    let (mut faults, mut others, mut told) = (0, 0, None);
    rig.line.wait(|input| {
        match input {
            Input::NoAnswer { device, fault } if *device == rig.first.0 => {
                faults += 1;
                told = Some(fault.clone());
            }
            Input::Readings { readings, .. } => {
                for (point, r) in readings {
                    let own = if *point == rig.first.1 { 1.0 } else { 2.0 };
                    if [rig.first.1, rig.second.1].contains(point) {
                        assert!(r.value.is_none_or(|value| value == own), "{point:?} reads {r:?}");
                    }
                    others += u32::from(faults > 1 && *point == rig.second.1);
                }
            }
            _ => {}
        }
        (faults > 1 && others >= 10).then_some(())
    });

    rig.plant.lock().unwrap().set_mischief(rig.first.0, None);
    rig.line.reading(rig.first.1, is(1.0));
    told.unwrap()
}

#[test]
fn silence_is_told_as_no_reply() {
    assert_eq!(misbehave(Mischief::Silence), LineFault::NoReply);
}

#[test]
fn a_late_answer_is_no_answer_and_never_the_next_one() {
    assert_eq!(misbehave(Mischief::Late(Span::from_ms(300))), LineFault::NoReply);
}

#[test]
fn an_answer_of_another_unit_is_garbled() {
    assert!(matches!(misbehave(Mischief::WrongUnit), LineFault::Garbled(_)));
}

#[test]
fn an_answer_that_ends_too_early_is_garbled() {
    assert!(matches!(misbehave(Mischief::ShortAnswer), LineFault::Garbled(_)));
}

#[test]
fn an_answer_of_another_length_is_garbled() {
    let fault = misbehave(Mischief::WrongCount);
    assert_eq!(fault, LineFault::Garbled("asked for 2 registers, got 1".to_owned()));
}

#[test]
fn a_device_that_hangs_up_is_garbled() {
    let fault = misbehave(Mischief::Close);
    assert_eq!(fault, LineFault::Garbled("the connection was closed instead of an answer".to_owned()));
}

#[test]
fn a_busy_device_is_told_with_its_code() {
    assert_eq!(misbehave(Mischief::Exception(6)), LineFault::Exception(6));
}

#[test]
fn a_refusal_makes_the_points_bad_and_the_device_stays_heard() {
    let rig = rig();
    rig.line.reading(rig.first.1, is(1.0));
    rig.plant.lock().unwrap().set_mischief(rig.first.0, Some(Mischief::Exception(2)));
    let refused = rig.line.reading(rig.first.1, |r| r.quality != Quality::Good);
    assert_eq!((refused.value, refused.quality.as_str()), (None, "refused"));
    rig.line.reading(rig.second.1, is(2.0));
}

#[test]
fn a_trip_shuts_the_valve_and_its_release_leaves_it_shut() {
    let rig = rig();
    rig.line.trip(rig.valve, Demand::Trip);
    rig.line.wrote(rig.valve, Demand::Trip);
    let closed = Input::Readings { device: rig.valve.device, readings: Vec::new() };
    rig.line.wait(|input| {
        let same = std::mem::discriminant(input) == std::mem::discriminant(&closed);
        (same && rig.plant.lock().unwrap().position(rig.valve.element) == Position::Safe).then_some(())
    });
    rig.line.reading(rig.valve.readback, is(1.0));
    rig.line.trip(rig.valve, Demand::None);
    rig.line.wrote(rig.valve, Demand::None);
    rig.line.reading(rig.valve.readback, is(0.0));
    assert_eq!(rig.plant.lock().unwrap().position(rig.valve.element), Position::Safe);
    assert_eq!(coil_writes(&rig), [1, 0]);
}

fn coil_writes(rig: &Rig) -> Vec<u16> {
    let seen = rig.plant.lock().unwrap().observations();
    seen.into_iter()
        .filter_map(|o| if let Seen::Written { value, .. } = o.what { Some(value) } else { None })
        .collect()
}

#[test]
fn a_write_that_the_device_confirms_otherwise_is_repeated_until_it_is_right() {
    let rig = rig();
    rig.plant.lock().unwrap().set_mischief(rig.valve.device, Some(Mischief::WrongCount));
    rig.line.trip(rig.valve, Demand::Trip);
    rig.line.wait(|input| {
        matches!(input, Input::Wrote { outcome: Err(LineFault::Garbled(_)), .. }).then_some(())
    });
    rig.plant.lock().unwrap().set_mischief(rig.valve.device, None);
    rig.line.wrote(rig.valve, Demand::Trip);
}

#[test]
fn a_coil_that_somebody_clears_is_written_again() {
    let rig = rig();
    rig.line.trip(rig.valve, Demand::Trip);
    rig.line.wrote(rig.valve, Demand::Trip);
    let bus = BusId::from_usize(0);
    rig.plant.lock().unwrap().answer(rig.clock.mono(), bus, 3, &[5, 0, 0, 0, 0]);
    rig.line.wrote(rig.valve, Demand::Trip);
    assert_eq!(coil_writes(&rig), [1, 0, 1]);
}

#[test]
fn a_fault_is_logged_once_and_its_end_once() {
    let mut builder = Builder::new();
    let (device, point) = builder.detector(Span::from_ms(50));
    let clock = Clock::start();
    let plant = Arc::new(Mutex::new(Plant::new(&builder.plan)));
    plant.lock().unwrap().set_mischief(device, Some(Mischief::Silence));
    let slave = Slave::start(&builder.plan, Arc::clone(&plant), clock).unwrap();
    let log = Arc::new(Mutex::new(Vec::new()));
    let port = slave.port(builder.bus);
    let line = Running::start_logging(builder.plan, builder.bus, port, clock, Arc::clone(&log));
    for _ in 0..3 {
        line.wait(|input| matches!(input, Input::NoAnswer { .. }).then_some(()));
    }
    plant.lock().unwrap().set_mischief(device, None);
    line.reading(point, |r| r.value.is_some());
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].contains("no usable answer bus=line device=d0"), "{log}");
    assert!(lines[1].contains("answers again bus=line device=d0 failures="), "{log}");
}

/// Answers for `plant` on one connection, as often as `answers` says; then hangs up.
fn answer_some(listener: &TcpListener, plant: &mut Plant, clock: Clock, answers: usize) {
    let (mut stream, _) = listener.accept().unwrap();
    let (mut bytes, mut buffer, mut left) = (Vec::new(), [0; 512], answers);
    while left > 0 {
        if let Received::Frame(frame, taken) = receive(&bytes) {
            bytes.drain(..taken);
            if let Reply::Answer { unit, pdu, .. } =
                plant.answer(clock.mono(), BusId::from_usize(0), frame.unit, &frame.pdu)
            {
                stream.write_all(&send(frame.transaction, unit, &pdu)).unwrap();
                left -= 1;
            }
            continue;
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(n) => bytes.extend(&buffer[..n]),
        }
    }
}

#[test]
fn a_connection_that_was_closed_while_idle_costs_no_answer() {
    let mut builder = Builder::new();
    // A slow machine is not what is tested here.
    builder.timeout = Span::from_secs(10);
    // Long enough that the other side has certainly hung up before the next poll.
    let (device, _) = builder.detector(Span::from_ms(500));
    let clock = Clock::start();
    let mut plant = Plant::new(&builder.plan);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        loop {
            answer_some(&listener, &mut plant, clock, 1);
        }
    });
    let line = Running::start(builder.plan, builder.bus, port, clock);
    for _ in 0..4 {
        line.wait(|input| match input {
            Input::Readings { device: heard, .. } => (*heard == device).then_some(()),
            other => panic!("{other:?}"),
        });
    }
}

#[test]
fn a_line_that_is_down_at_the_start_comes_up_by_itself_and_a_trip_does_not_wait_for_it() {
    let (builder, [first, _], valve) = site();
    let clock = Clock::start();
    let mut plant = Plant::new(&builder.plan);
    // A port at which nobody listens until later.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let line = Running::start(builder.plan, builder.bus, address.port(), clock);
    for _ in 0..10 {
        line.wait(|input| matches!(input, Input::NoAnswer { fault: LineFault::Link(_), .. }).then_some(()));
    }
    let listener = TcpListener::bind(address).unwrap();
    std::thread::spawn(move || answer_some(&listener, &mut plant, clock, usize::MAX));
    line.trip(valve, Demand::Trip);
    line.wrote(valve, Demand::Trip);
    line.reading(first.1, |r| r.value == Some(0.0));
}

#[test]
fn hostile_bytes_leave_the_pretended_plant_standing() {
    let (builder, _, _) = site();
    let clock = Clock::start();
    let plant = Arc::new(Mutex::new(Plant::new(&builder.plan)));
    let slave = Slave::start(&builder.plan, plant, clock).unwrap();
    let port = slave.port(builder.bus);
    for bytes in [
        vec![0_u8; 4_000],
        vec![0xFF; 4_000],
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        send(1, 1, &[]),
        send(1, 1, &[0x2B]),
        send(1, 1, &[4]),
        send(1, 1, &[16, 0, 0, 0xFF, 0xFF, 0xFF]),
        send(9, 0, &[5, 0, 0, 0xFF, 0])[..9].to_vec(),
    ] {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        // It may hang up while it is still being talked to.
        drop(stream.write_all(&bytes));
    }
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&send(7, 1, &[4, 0, 0, 0, 1])).unwrap();
    let mut answer = [0; 11];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer.as_slice(), send(7, 1, &[4, 2, 0, 0]));
    slave.stop();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}
