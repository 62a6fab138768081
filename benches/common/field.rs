//! The field: a Modbus/TCP server for each bus, with a thread for each connection that does nothing but answer, so
//! that both sides meet the same quick devices. The stopwatch for trips runs in it.
#![expect(clippy::disallowed_methods, reason = "a stopwatch reads a clock")]

use super::Outcome;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Unit number of the detector whose first register trips.
pub(crate) const DETECTOR: u8 = 1;
/// Unit number of each bus's valve.
pub(crate) const VALVE: u8 = 200;
/// What the tripping register holds otherwise.
const CALM: u16 = 10;
/// What it holds to trip.
const HIGH: u16 = 95;
/// Other values stay under this, which is under every set-point.
const WAVE: u16 = 70;

/// One bus of devices.
#[derive(Clone)]
pub(crate) struct Bus {
    port: u16,
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    /// Whether every read of a device brings values other than the last.
    moving: bool,
    high: bool,
    shut: bool,
    requests: u64,
    first_request: Option<Instant>,
    raised: Option<Instant>,
    read: Option<Instant>,
    written: Option<Instant>,
}

/// One trip as the field saw it.
#[derive(Clone, Copy)]
pub(crate) struct Trip {
    /// From the change of the register to the arrival of the next request for it.
    pub(crate) to_poll: Duration,
    /// From there to the arrival of the write.
    pub(crate) to_write: Duration,
}

impl Bus {
    /// Opens a free loopback port. With `moving`, every read brings new values.
    pub(crate) fn open(moving: bool) -> Outcome<Bus> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let shared = Arc::new((Mutex::new(State { moving, ..State::default() }), Condvar::new()));
        let bus = Bus { port: listener.local_addr()?.port(), shared };
        let answering = bus.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let bus = answering.clone();
                std::thread::spawn(move || bus.serve(stream));
            }
        });
        Ok(bus)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many requests have come.
    pub(crate) fn requests(&self) -> u64 {
        self.state().requests
    }

    /// Raises the detector and waits for the write that shuts the valve.
    pub(crate) fn trip(&self, limit: Duration) -> Outcome<Trip> {
        let mut state = self.state();
        (state.read, state.written, state.high) = (None, None, true);
        state.raised = Some(Instant::now());
        let state = self.wait(state, limit, |s| s.written.is_some());
        match (state.raised, state.read, state.written) {
            (Some(raised), Some(read), Some(written)) => {
                Ok(Trip { to_poll: read - raised, to_write: written - read })
            }
            _ => Err("no trip was written".into()),
        }
    }

    /// Lets the detector read what is no danger.
    pub(crate) fn calm(&self) {
        self.state().high = false;
    }

    /// Waits until the valve's output was taken back.
    pub(crate) fn wait_open(&self, limit: Duration) -> bool {
        !self.wait(self.state(), limit, |s| !s.shut).shut
    }

    /// When the first request came, at most `limit` from now; what came before is forgotten.
    pub(crate) fn first_request(&self, limit: Duration) -> Option<Instant> {
        self.wait(self.state(), limit, |s| s.first_request.is_some()).first_request
    }

    /// Forgets the first request.
    pub(crate) fn forget(&self) {
        self.state().first_request = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        limit: Duration,
        done: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = self.shared.1.wait_timeout_while(state, limit, |s| !done(s));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Answers one connection. Both sides send only requests of twelve bytes.
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut request = [0; 12];
        let mut turn: u16 = 0;
        loop {
            stream.read_exact(&mut request)?;
            let arrived = Instant::now();
            turn = turn.wrapping_add(1);
            let [t1, t2, _, _, _, _, unit, function, a1, a2, v1, v2] = request;
            let (at, value) = (u16::from_be_bytes([a1, a2]), u16::from_be_bytes([v1, v2]));
            let mut pdu = vec![function];
            let mut state = self.state();
            state.requests += 1;
            if state.first_request.is_none() {
                state.first_request = Some(arrived);
                self.shared.1.notify_all();
            }
            match function {
                1 => pdu.extend([1, u8::from(state.shut)]),
                2 => pdu.extend([1, if state.shut { 0b01 } else { 0b10 }]),
                3 => {
                    if unit == DETECTOR && state.raised.is_some() && state.read.is_none() {
                        state.read = Some(arrived);
                    }
                    pdu.push(u8::try_from(value * 2).unwrap_or(0));
                    for n in at..at + value {
                        let word = match (unit, n) {
                            (DETECTOR, 0) if state.high => HIGH,
                            (DETECTOR, 0) => CALM,
                            _ if state.moving => turn.wrapping_add(n) % WAVE,
                            _ => n,
                        };
                        pdu.extend(word.to_be_bytes());
                    }
                }
                5 => {
                    state.shut = value != 0;
                    if state.shut {
                        state.written.get_or_insert(arrived);
                    }
                    pdu.extend([a1, a2, v1, v2]);
                    self.shared.1.notify_all();
                }
                _ => pdu = vec![function | 0x80, 1],
            }
            drop(state);
            let length = u8::try_from(pdu.len() + 1).unwrap_or(u8::MAX);
            let mut answer = vec![t1, t2, 0, 0, 0, length, unit];
            answer.append(&mut pdu);
            stream.write_all(&answer)?;
        }
    }
}
