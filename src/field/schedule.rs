//! What a line does next: one request at a time, trips before everything, every device at its own fixed moments, and
//! a device that does not answer at the cost of one time-out per back-off. Sends nothing: `io/line.rs` does.
//!
//! Order of service:
//! 1. trips that were not tried yet: a trip waits for the request on the wire, at worst the time-out of the device that
//!    was asked, and for the silence that the line needs after it. Other trips go before it only if they are as new;
//! 2. read-backs of what was just written;
//! 3. after a request that failed, one read of a device that answers;
//! 4. repeated and withdrawn writes, ends of pulses, watchdogs;
//! 5. polls, earliest deadline first; devices that are lost take at most a quarter of the line's time.

use super::codec::{Cells, Question, decode};
use super::output::Output;
use super::unit::{Turn, Unit};
use super::watchdog::Dog;
use crate::model::element::{Demand, Mode};
use crate::model::line::LineFault;
use crate::model::plan::{Device, Plan, Point};
use crate::model::point::{Doubt, Fault, Quality, Reading};
use crate::model::table::{BusId, DeviceId, ElementId, PointId};
use crate::model::time::{Mono, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// After a lost device has cost the line a time-out, no lost device is asked for this many times as long, unless
/// nobody else is there to be asked.
const RESPITE: u64 = 3;

/// The first poll of every device begins at a multiple of this, and where its period is one too so do all others: on all
/// lines alike, so that the computer wakes ten times a second however many devices there are. The judge's tick falls on
/// the same moments. A device with another period is asked at moments of its own.
pub const GRID: Span = Span::from_ms(100);

/// Longest wait that is asked for: a line with nothing to do looks up once a minute.
const IDLE: Span = Span::from_secs(60);

/// What to do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Send this, and hand the outcome to [`Schedule::done`].
    Ask(Ask),
    /// Nothing until then, unless a demand changes.
    Wait(Mono),
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    /// Whom.
    pub device: DeviceId,
    /// Its unit number.
    pub unit: u8,
    /// How long the answer may take.
    pub timeout: Span,
    /// What.
    pub question: Question,
    /// What for.
    pub purpose: Purpose,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A block of a poll.
    Poll {
        /// Its number among the device's blocks.
        block: usize,
    },
    /// To bring an output where it is wanted.
    Write {
        /// Which element.
        element: ElementId,
        /// What is wanted.
        demand: Demand,
    },
    /// To show a device that somebody watches.
    Watchdog,
    /// To see whether that was taken.
    ReadBack {
        /// Which element.
        element: ElementId,
        /// What is wanted.
        demand: Demand,
    },
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A device answered to a request of a poll.
    Read {
        /// Who.
        device: DeviceId,
        /// Which of its blocks.
        block: usize,
        /// What it measures.
        readings: Vec<(PointId, Reading)>,
    },
    /// A device refused a request of a poll; it was heard, but these points have no values.
    Refused {
        /// Who.
        device: DeviceId,
        /// Which of its blocks.
        block: usize,
        /// The exception code.
        code: u8,
        /// The points in that block, as bad.
        readings: Vec<(PointId, Reading)>,
    },
    /// A poll brought no usable answer.
    NoAnswer {
        /// Who did not answer.
        device: DeviceId,
        /// How it failed.
        fault: LineFault,
    },
    /// A write was read back as written, or failed and will be repeated.
    Wrote {
        /// Which element.
        element: ElementId,
        /// What was written.
        demand: Demand,
        /// How it went.
        outcome: Result<(), LineFault>,
    },
    /// A device did not take what shows it that somebody watches.
    Unwatched {
        /// Whose.
        device: DeviceId,
        /// How it failed.
        fault: LineFault,
    },
    /// A device took it again.
    Watched {
        /// Whose.
        device: DeviceId,
    },
    /// A poll showed that a trip that had been read back is no longer there; it is written again.
    Undone {
        /// Which element.
        element: ElementId,
    },
    /// The line had no time for polls of a device; they are left out.
    Skipped {
        /// Whose.
        device: DeviceId,
        /// How many.
        polls: u64,
    },
}

/// A request on the wire.
#[derive(Debug)]
struct Pending {
    at: Mono,
    until: Mono,
}

/// What one line has to do.
#[derive(Debug)]
pub struct Schedule {
    plan: Arc<Plan>,
    /// The points that each device of the line feeds.
    points: BTreeMap<DeviceId, Vec<PointId>>,
    gap: Span,
    units: Vec<Unit>,
    outputs: Vec<Output>,
    dogs: Vec<Dog>,
    pending: Option<Pending>,
    /// The silence after an answer lasts until then.
    quiet_until: Mono,
    /// Until then an answer to an earlier question can still come: nothing is asked whose answer it could be taken for.
    late_until: Mono,
    /// Whether answers carry no number that tells which question they answer.
    numberless: bool,
    /// Lost devices are left alone until then.
    respite_until: Mono,
    /// Who did not answer the last request.
    silent: Option<DeviceId>,
    /// The last values over connections that were new.
    doubted: BTreeMap<PointId, f64>,
}

/// How far apart two values may be that confirm one another, as a part of the larger one.
const AGREE: f64 = 0.05;

impl Schedule {
    /// The schedule of a line. On a serial line whoever asked before may still be answered: it begins when that is
    /// over, but for trips. Every device is asked once at once, then at moments that are spread over its period as
    /// evenly as the grid allows.
    #[must_use]
    pub fn new(plan: Arc<Plan>, bus: BusId, now: Mono) -> Schedule {
        let numberless = plan.buses[bus].link.is_rtu();
        let count = u64::try_from(plan.devices_on(bus).count()).unwrap_or(u64::MAX);
        let share = |n: u64, poll: Span| poll.us().saturating_mul(n).checked_div(count).unwrap_or(0);
        let units = (0..)
            .zip(plan.devices_on(bus))
            .map(|(n, (id, device))| {
                let origin = now + Span::from_us(share(n, device.poll));
                // A serial line has a thread of its own, which wakes for each request anyway.
                let origin = if numberless { origin } else { on_grid(origin) };
                Unit::new(id, device, now, origin)
            })
            .filter(Unit::is_polled)
            .collect();
        let late = plan.devices_on(bus).map(|(_, device)| device.late).max().unwrap_or_default();
        let may_write = plan.elements_on(bus).filter(|(_, element)| element.mode == Mode::Act);
        let outputs = may_write.map(|(id, _)| Output::new(&plan, id)).collect();
        let points_of = |id| plan.points_of(id).map(|(point, _)| point).collect();
        Schedule {
            points: plan.devices_on(bus).map(|(id, _)| (id, points_of(id))).collect(),
            gap: plan.buses[bus].gap,
            units,
            outputs,
            dogs: Dog::all(&plan, bus, now),
            pending: None,
            quiet_until: now,
            late_until: if numberless { now + late } else { now },
            numberless,
            respite_until: now,
            silent: None,
            doubted: BTreeMap::new(),
            plan,
        }
    }

    /// Takes in what is demanded of an element. A level: repeating it changes nothing. Elements of other lines and
    /// those that are only observed are ignored.
    pub fn demand(&mut self, element: ElementId, demand: Demand) {
        if let Some(output) = self.outputs.iter_mut().find(|o| o.element == element) {
            output.demand(demand);
        }
    }

    /// Takes in where there is gas: devices there are asked more often. A level, like demands.
    pub fn hurry(&mut self, now: Mono, device: DeviceId, hurried: bool) {
        if let Some(unit) = self.units.iter_mut().find(|unit| unit.id == device) {
            unit.hurry(now, hurried);
        }
    }

    /// What to do now. While a request is on the wire there is nothing to do.
    pub fn next(&mut self, now: Mono) -> Step {
        let busy = self.pending.as_ref().map_or(self.quiet_until, |pending| pending.until);
        if self.pending.is_some() || now < busy {
            return Step::Wait(busy.max(now));
        }
        match self.choose(now) {
            Some(ask) => {
                self.pending = Some(Pending { at: now, until: now + ask.timeout });
                Step::Ask(ask)
            }
            None => Step::Wait(self.wake(now)),
        }
    }

    fn choose(&mut self, now: Mono) -> Option<Ask> {
        // Its answer repeats what was asked, and it is read back: no late answer passes for it.
        if let Some(n) = self.outputs.iter().position(Output::is_urgent) {
            return self.write(now, n);
        }
        if now < self.late_until {
            return None;
        }
        if let Some(output) = self.outputs.iter().find(|o| o.wants_reading()) {
            let purpose = Purpose::ReadBack { element: output.element, demand: output.demand };
            return Some(self.ask(output.device, output.read_back(), purpose));
        }
        let due_write = |o: &Output| o.write_at().is_some_and(|at| at <= now);
        let after_silence = self.silent.and_then(|_| self.poll(now, Unit::is_trusted));
        if let Some(ask) = after_silence {
            return Some(ask);
        }
        if let Some(n) = self.outputs.iter().position(due_write) {
            return self.write(now, n);
        }
        if let Some(dog) = self.dogs.iter().find(|dog| dog.due <= now && !self.is_lost(dog.device)) {
            return Some(self.ask(dog.device, dog.question(), Purpose::Watchdog));
        }
        let other = self.poll(now, |unit| Some(unit.id) != self.silent);
        other.or_else(|| self.poll(now, |_| true))
    }

    /// The connection is another one than before: what comes first over it may have been said to somebody else.
    pub fn reconnected(&mut self) {
        self.units.iter_mut().for_each(Unit::doubt);
    }

    /// Whether a pulse may stand that this line has still to end.
    #[must_use]
    pub fn owes_an_end(&self) -> bool {
        self.outputs.iter().any(Output::may_stand)
    }

    fn is_lost(&self, device: DeviceId) -> bool {
        self.units.iter().any(|unit| unit.id == device && unit.is_lost())
    }

    /// The due poll with the earliest deadline among those that `suits`.
    fn poll(&self, now: Mono, suits: impl Fn(&Unit) -> bool) -> Option<Ask> {
        // All units of the line, for each of its requests: what is quickly seen goes first.
        let mut first: Option<(&Unit, Turn)> = None;
        for unit in &self.units {
            for turn in unit.turns() {
                let is_first = first.is_none_or(|(_, other)| turn.deadline < other.deadline);
                if is_first && turn.due <= now && suits(unit) && self.poll_at(unit, &turn) <= now {
                    first = Some((unit, turn));
                }
            }
        }
        let (unit, Turn { block, .. }) = first?;
        let question = Question::Read(*self.plan.devices[unit.id].blocks.get(block)?);
        Some(self.ask(unit.id, question, Purpose::Poll { block }))
    }

    /// When a device may be asked.
    fn poll_at(&self, unit: &Unit, turn: &Turn) -> Mono {
        let spared = unit.is_lost() && self.units.iter().any(Unit::is_trusted);
        if spared { turn.due.max(self.respite_until) } else { turn.due }
    }

    fn write(&mut self, now: Mono, n: usize) -> Option<Ask> {
        let output = self.outputs.get_mut(n)?;
        let purpose = Purpose::Write { element: output.element, demand: output.demand };
        let (device, question) = (output.device, output.write(now));
        Some(self.ask(device, question, purpose))
    }

    fn ask(&self, device: DeviceId, question: Question, purpose: Purpose) -> Ask {
        let Device { unit, timeout, .. } = self.plan.devices[device];
        Ask { device, unit, timeout, question, purpose }
    }

    /// The next moment at which there can be something to do.
    fn wake(&self, now: Mono) -> Mono {
        let polls = self.units.iter().flat_map(|unit| unit.turns().map(|turn| self.poll_at(unit, &turn)));
        let writes = self.outputs.iter().filter_map(Output::write_at);
        let dogs = self.dogs.iter().filter(|dog| !self.is_lost(dog.device)).map(|dog| dog.due);
        let next = polls.chain(writes).chain(dogs).min().unwrap_or(now + IDLE).max(self.late_until);
        next.clamp(now, now + IDLE)
    }

    /// Takes in what came of a request: the cells as [`check_answer`](super::codec::check_answer) gives them, or how
    /// it failed.
    pub fn done(&mut self, now: Mono, ask: &Ask, outcome: Result<Cells, LineFault>) -> Vec<Event> {
        let spent = self.pending.take().map_or(Span::ZERO, |pending| now.since(pending.at));
        self.quiet_until = now + self.gap;
        if self.numberless
            && matches!(&outcome, Err(LineFault::NoReply | LineFault::Damaged(_) | LineFault::Garbled(_)))
        {
            let late = self.plan.devices[ask.device].late;
            self.late_until = self.late_until.max((now - spent) + late);
        }
        self.silent = match &outcome {
            Ok(_) | Err(LineFault::Exception(_)) => None,
            Err(LineFault::NoReply | LineFault::Damaged(_) | LineFault::Garbled(_) | LineFault::Link(_)) => {
                Some(ask.device)
            }
        };
        match ask.purpose {
            Purpose::Poll { block } => self.polled(now, ask.device, block, spent, outcome),
            Purpose::Watchdog => {
                let dog = self.dogs.iter_mut().find(|dog| dog.device == ask.device);
                let again = dog.is_some_and(|dog| dog.written(now, outcome.is_ok()));
                let device = ask.device;
                let event = match outcome {
                    Ok(_) => again.then_some(Event::Watched { device }),
                    Err(fault) => Some(Event::Unwatched { device, fault }),
                };
                event.into_iter().collect()
            }
            Purpose::Write { element, demand } => {
                let outcome = outcome.map(|_| None);
                self.wrote(now, element, demand, outcome).into_iter().collect()
            }
            Purpose::ReadBack { element, demand } => {
                self.wrote(now, element, demand, outcome.map(Some)).into_iter().collect()
            }
        }
    }

    fn polled(
        &mut self,
        now: Mono,
        device: DeviceId,
        block: usize,
        spent: Span,
        outcome: Result<Cells, LineFault>,
    ) -> Vec<Event> {
        let Some(unit) = self.units.iter_mut().find(|unit| unit.id == device) else { return Vec::new() };
        let refusal = match outcome {
            Ok(cells) => Ok(cells),
            // It answers, only not to this; its other blocks may well be readable.
            Err(LineFault::Exception(code @ 1..=3)) => Err(code),
            Err(fault) => {
                unit.failed(now, block, &fault);
                if unit.is_lost() {
                    self.respite_until = now + spent.times(RESPITE);
                }
                return vec![Event::NoAnswer { device, fault }];
            }
        };
        let (unconfirmed, skipped) = unit.answered(now, block);
        let mut events = vec![match refusal {
            Ok(cells) => {
                let readings = self.decode(now, device, block, &cells, unconfirmed);
                Event::Read { device, block, readings }
            }
            Err(code) => Event::Refused { device, block, code, readings: self.refused(now, device, block) },
        }];
        if let Some(Event::Read { readings, .. }) = events.first() {
            let undone = undone(now, &mut self.outputs, readings);
            events.extend(undone);
        }
        if skipped > 0 {
            events.push(Event::Skipped { device, polls: skipped });
        }
        events
    }

    fn decode(
        &mut self,
        now: Mono,
        device: DeviceId,
        block: usize,
        cells: &Cells,
        unconfirmed: bool,
    ) -> Vec<(PointId, Reading)> {
        let mut readings = decode(&self.plan.devices[device], block, cells, self.points_of(device), now);
        for (point, reading) in &mut readings {
            let before = self.doubted.remove(point);
            // Where each answer comes over a connection of its own, two that agree confirm one another.
            if !unconfirmed {
                continue;
            }
            self.doubted.extend(reading.value.map(|value| (*point, value)));
            if !before.zip(reading.value).is_some_and(|(one, other)| agree(one, other)) {
                reading.quality = reading.quality.worse(Quality::Uncertain(Doubt::Unconfirmed));
            }
        }
        readings
    }

    fn points_of(&self, device: DeviceId) -> impl Iterator<Item = (PointId, &Point)> {
        self.points.get(&device).into_iter().flatten().map(|id| (*id, &self.plan.points[*id]))
    }

    fn refused(&self, now: Mono, device: DeviceId, block: usize) -> Vec<(PointId, Reading)> {
        let points = self.points_of(device).filter(|(_, point)| point.block == block);
        points.map(|(id, _)| (id, Reading::bad(Fault::Refused, now))).collect()
    }

    /// A write was echoed (no cells), or read back, or failed.
    fn wrote(
        &mut self,
        now: Mono,
        element: ElementId,
        demand: Demand,
        outcome: Result<Option<Cells>, LineFault>,
    ) -> Option<Event> {
        let output = self.outputs.iter_mut().find(|o| o.element == element)?;
        let device = output.device;
        if output.ended(now, outcome.is_ok()) {
            let outcome = outcome.map(|_| ());
            return Some(Event::Wrote { element, demand: Demand::None, outcome });
        }
        // Demanded otherwise since then: that it was written no longer matters.
        if output.demand != demand {
            return None;
        }
        let outcome = match outcome {
            Ok(None) => {
                output.echoed();
                return None;
            }
            Ok(Some(cells)) => output.check(now, &cells),
            Err(fault) => {
                if matches!(fault, LineFault::Link(_)) {
                    output.unsent();
                }
                let pause = output.retry(now);
                if !matches!(fault, LineFault::Exception(_)) {
                    let same = self.outputs.iter_mut().filter(|o| o.device == device);
                    same.for_each(|o| o.postpone(now, pause));
                }
                Err(fault)
            }
        };
        if outcome.is_ok()
            && let Some(unit) = self.units.iter_mut().find(|unit| unit.id == device)
        {
            unit.lives(now);
        }
        Some(Event::Wrote { element, demand, outcome })
    }
}

/// The first moment of the grid that is not before `at`.
#[must_use]
pub fn on_grid(at: Mono) -> Mono {
    Mono::from_us(at.us().div_ceil(GRID.us()).saturating_mul(GRID.us()))
}

/// Whether two values are as good as the same: within a twentieth of the larger one.
fn agree(one: f64, other: f64) -> bool {
    (one - other).abs() <= one.abs().max(other.abs()) * AGREE
}

/// The held trips that these readings show to be undone.
fn undone(now: Mono, outputs: &mut [Output], readings: &[(PointId, Reading)]) -> Vec<Event> {
    let good = readings.iter().filter(|(_, reading)| reading.quality == Quality::Good);
    let values = good.filter_map(|(point, reading)| Some((*point, reading.value?)));
    let mut events = Vec::new();
    for (point, value) in values {
        let lost = outputs.iter_mut();
        let lost = lost.filter_map(|o| o.is_undone_by(now, point, value).then_some(o.element));
        events.extend(lost.map(|element| Event::Undone { element }));
    }
    events
}
