//! The schedule in virtual time: who is asked when, whatever the devices do.

use crate::plan::{Builder, Valve, block};
use davy::field::codec::{Cells, Question};
use davy::field::schedule::{Ask, Event, Purpose, Schedule, Step};
use davy::model::element::{Demand, Mode};
use davy::model::line::LineFault;
use davy::model::link::Link;
use davy::model::plan::Plan;
use davy::model::point::{Doubt, Fault, Quality};
use davy::model::register::{
    Command, Encoding, Field, Location, Pulse, ReadBlock, Scan, Space, Watchdog, Write,
};
use davy::model::table::{DeviceId, ElementId};
use davy::model::time::{Mono, Span};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const COIL: Location = Location { space: Space::Coil, address: 0 };
const CLOSED: Location = Location { space: Space::Discrete, address: 0 };

/// One request as it went over the pretended wire.
#[derive(Clone, Debug)]
struct Sent {
    at: Mono,
    until: Mono,
    ask: Ask,
    ok: bool,
}

/// A schedule, a clock that only it moves, and devices that answer in `cost` or not at all.
struct Bench {
    plan: Arc<Plan>,
    schedule: Schedule,
    now: Mono,
    cost: Span,
    dead: BTreeSet<DeviceId>,
    faults: BTreeMap<(DeviceId, Location), LineFault>,
    cells: BTreeMap<(DeviceId, Location), u16>,
    /// Writes are carried out, and their answers are lost.
    mute: bool,
    sent: Vec<Sent>,
    events: Vec<Event>,
}

impl Bench {
    fn new(builder: Builder) -> Bench {
        let plan = Arc::new(builder.plan);
        Bench {
            schedule: Schedule::new(Arc::clone(&plan), builder.bus, Mono::START),
            plan,
            now: Mono::START,
            cost: Span::from_ms(5),
            dead: BTreeSet::new(),
            faults: BTreeMap::new(),
            cells: BTreeMap::new(),
            mute: false,
            sent: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Takes the next request onto the wire, letting time go by until there is one or until `end`.
    fn ask(&mut self, end: Mono) -> Option<Ask> {
        loop {
            match self.schedule.next(self.now) {
                Step::Ask(ask) => return Some(ask),
                Step::Wait(at) => {
                    assert!(at > self.now, "a wait that does not wait, at {:?}", self.now);
                    if at >= end {
                        self.now = self.now.max(end);
                        return None;
                    }
                    self.now = at;
                }
            }
        }
    }

    /// Lets the device answer, or not.
    fn answer(&mut self, ask: Ask) {
        let at = self.now;
        let outcome = self.outcome(&ask);
        let free = matches!(outcome, Err(LineFault::Link(_)));
        self.now = match outcome {
            Err(LineFault::NoReply) => at + ask.timeout,
            _ if free => at,
            _ => at + self.cost,
        };
        self.sent.push(Sent { at, until: self.now, ask, ok: outcome.is_ok() });
        self.events.extend(self.schedule.done(self.now, &ask, outcome));
    }

    fn outcome(&mut self, ask: &Ask) -> Result<Cells, LineFault> {
        if self.dead.contains(&ask.device) {
            return Err(LineFault::NoReply);
        }
        let (Question::Write { at, .. } | Question::Read(davy::model::register::ReadBlock { at, .. })) =
            ask.question;
        if let Some(fault) = self.faults.get(&(ask.device, at)) {
            return Err(fault.clone());
        }
        Ok(match ask.question {
            Question::Write { at, value, .. } => {
                self.cells.insert((ask.device, at), value);
                if self.mute {
                    return Err(LineFault::NoReply);
                }
                Cells::Words(vec![value])
            }
            Question::Read(block) => {
                let cell = |n| Location { address: block.at.address + n, ..block.at };
                let cells =
                    (0..block.count).map(|n| self.cells.get(&(ask.device, cell(n))).copied().unwrap_or(0));
                if block.at.space.is_bits() {
                    Cells::Bits(cells.map(|word| word != 0).collect())
                } else {
                    Cells::Words(cells.collect())
                }
            }
        })
    }

    fn run(&mut self, span: Span) {
        let end = self.now + span;
        while self.now < end
            && let Some(ask) = self.ask(end)
        {
            self.answer(ask);
        }
    }

    /// The next request, answered.
    fn one(&mut self) -> Ask {
        let ask =
            self.ask(self.now + Span::from_secs(120)).expect("a schedule with devices has something to ask");
        self.answer(ask);
        ask
    }

    fn asked(&self, device: DeviceId) -> Vec<Mono> {
        self.sent.iter().filter(|s| s.ask.device == device).map(|s| s.at).collect()
    }

    fn written(&self) -> Vec<(Mono, u16)> {
        let writes = self.sent.iter().filter_map(|s| match s.ask.question {
            Question::Write { value, .. } => Some((s.at, value)),
            Question::Read(_) => None,
        });
        writes.collect()
    }

    fn drain(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

fn gaps(times: &[Mono]) -> Vec<Span> {
    times.windows(2).map(|pair| pair[1].since(pair[0])).collect()
}

fn detectors(count: usize, poll: Span) -> Bench {
    let mut builder = Builder::new();
    for _ in 0..count {
        builder.detector(poll);
    }
    Bench::new(builder)
}

fn ids(bench: &Bench) -> Vec<DeviceId> {
    bench.plan.devices.ids().collect()
}

#[test]
fn polls_keep_their_phase_and_are_spread_over_the_period() {
    let mut bench = detectors(5, Span::from_secs(1));
    bench.run(Span::from_secs(3_600));
    for (n, id) in (0..).zip(ids(&bench)) {
        let times = bench.asked(id);
        // One poll at the start; then at n fifths of each second, after an hour as in the first minute.
        for (k, at) in (1..).zip(times.iter().skip(1).take(3_598)) {
            let first = if n == 0 { 1 } else { 0 };
            assert_eq!(at.us(), (k - 1 + first) * 1_000_000 + n * 200_000, "device {n}, poll {k}");
        }
        assert!(times.len() >= 3_599, "device {n}: {}", times.len());
    }
}

#[test]
fn a_pulse_is_ended_after_its_time_and_not_begun_again_because_it_has_ended() {
    let mut builder = Builder::new();
    let valve = builder.valve(Span::from_ms(200), Mode::Act, None);
    let width = Span::from_ms(500);
    builder.plan.elements[valve.element].command.pulse = Some(Pulse { width, rest: 0 });
    let mut bench = Bench::new(builder);
    bench.run(Span::from_secs(1));
    bench.schedule.demand(valve.element, Demand::Trip);
    bench.run(Span::from_secs(1));
    bench.cells.insert((valve.device, CLOSED), 1);
    bench.run(Span::from_secs(60));
    let [(begun, 1), (ended, 0)] = bench.written()[..] else { panic!("{:?}", bench.written()) };
    assert!((500..600).contains(&ended.since(begun).ms()), "{}", ended.since(begun));
    assert!(!bench.drain().iter().any(|e| matches!(e, Event::Undone { .. })));
}

/// A valve that a pulse of half a second shuts.
fn pulsed() -> (Bench, Valve) {
    let mut builder = Builder::new();
    let valve = builder.valve(Span::from_ms(200), Mode::Act, None);
    let width = Span::from_ms(500);
    builder.plan.elements[valve.element].command.pulse = Some(Pulse { width, rest: 0 });
    (Bench::new(builder), valve)
}

#[test]
fn a_pulse_whose_answers_are_lost_is_ended_believed_when_read_back_and_not_repeated() {
    let (mut bench, valve) = pulsed();
    bench.run(Span::from_secs(1));
    bench.mute = true;
    bench.schedule.demand(valve.element, Demand::Trip);
    bench.run(Span::from_secs(2));
    bench.cells.insert((valve.device, CLOSED), 1);
    bench.run(Span::from_secs(60));
    let written = bench.written();
    let [(begun, 1), (ended, 0), ..] = written[..] else { panic!("{written:?}") };
    // The answer to the write and the one to the read-back may have been waited for.
    assert!((500..1_500).contains(&ended.since(begun).ms()), "{}", ended.since(begun));
    assert!(written[1..].iter().all(|(_, value)| *value == 0), "begun once: {written:?}");
    assert!(written.len() < 5, "the polls show that it has ended: {written:?}");
    let wrote = |e: &Event| matches!(e, Event::Wrote { demand: Demand::Trip, outcome: Ok(()), .. });
    assert!(bench.drain().iter().any(wrote), "it read back as written");
}

#[test]
fn a_pulse_that_can_not_be_read_back_is_ended_as_well_and_begun_anew() {
    let (mut bench, valve) = pulsed();
    bench.run(Span::from_secs(1));
    bench.mute = true;
    bench.faults.insert((valve.device, COIL), LineFault::NoReply);
    bench.schedule.demand(valve.element, Demand::Trip);
    bench.run(Span::from_secs(10));
    bench.faults.clear();
    bench.run(Span::from_secs(10));
    let (mut on, mut last) = (None, Mono::START);
    for (at, value) in bench.written() {
        match (value, on) {
            (1, None) => on = Some(at),
            (0, Some(begun)) => {
                assert!(at.since(begun) < Span::from_secs(2), "it stood for {}", at.since(begun));
                (on, last) = (None, at);
            }
            (_, _) => {}
        }
    }
    assert_eq!(on, None, "the last one has an end: {:?}", bench.written());
    assert!(last > Mono::START);
}

#[test]
fn a_pulse_that_was_never_sent_need_not_be_ended_and_one_to_a_dead_device_costs_the_line_little() {
    let (mut bench, valve) = pulsed();
    bench.run(Span::from_secs(1));
    bench.faults.insert((valve.device, COIL), LineFault::Link("unplugged".to_owned()));
    bench.schedule.demand(valve.element, Demand::Trip);
    bench.run(Span::from_secs(20));
    assert!(bench.written().iter().all(|(_, value)| *value == 1), "{:?}", bench.written());
    assert!(!bench.schedule.owes_an_end(), "nothing stands");
    bench.faults.clear();
    bench.dead.insert(valve.device);
    bench.run(Span::from_secs(30));
    assert!(bench.schedule.owes_an_end(), "it may have been heard");
    let before = bench.written().len();
    bench.run(Span::from_secs(60));
    assert!(bench.written().len() - before <= 13, "{} in a minute", bench.written().len() - before);
}

#[test]
fn a_pulse_of_which_nothing_came_is_begun_again_more_and_more_seldom() {
    let (mut bench, valve) = pulsed();
    bench.run(Span::from_secs(1));
    bench.schedule.demand(valve.element, Demand::Trip);
    bench.run(Span::from_secs(300));
    let begun = |bench: &Bench| -> Vec<Mono> {
        bench.written().into_iter().filter(|(_, value)| *value == 1).map(|(at, _)| at).collect()
    };
    let pulses = begun(&bench);
    let apart: Vec<u64> = gaps(&pulses).iter().map(|gap| gap.ms() / 1_000).collect();
    assert_eq!(apart[..4], [5, 10, 20, 40], "{apart:?}");
    assert!(apart[4..].iter().all(|gap| (60..62).contains(gap)), "{apart:?}");
    bench.cells.insert((valve.device, CLOSED), 1);
    bench.run(Span::from_secs(120));
    let shut = begun(&bench).len();
    bench.cells.insert((valve.device, CLOSED), 0);
    bench.run(Span::from_secs(5));
    assert_eq!(begun(&bench).len(), shut + 1, "opened by hand under the demand: shut again at once");
}

#[test]
fn the_first_value_over_another_connection_is_not_good_until_a_second_one_agrees() {
    let mut bench = detectors(1, Span::from_secs(1));
    bench.run(Span::from_secs(10));
    let qualities = |bench: &mut Bench| -> Vec<bool> {
        let mut good = Vec::new();
        for event in bench.drain() {
            if let Event::Read { readings, .. } = event {
                good.extend(readings.iter().map(|(_, reading)| reading.quality == Quality::Good));
            }
        }
        good
    };
    assert!(qualities(&mut bench).iter().all(|good| *good));
    bench.schedule.reconnected();
    bench.run(Span::from_secs(3));
    assert_eq!(qualities(&mut bench), [false, true, true]);
    // A server that closes after each answer, and a value that goes on changing.
    for round in 0..6 {
        bench.schedule.reconnected();
        if round >= 3 {
            let (device, cell) = (ids(&bench)[0], bench.plan.devices[ids(&bench)[0]].blocks[0].at);
            bench.cells.insert((device, cell), 1_000 * round);
        }
        bench.run(Span::from_secs(1));
    }
    let told = qualities(&mut bench);
    assert_eq!(
        told[..6],
        [false, true, true, false, false, false],
        "one that changes is not confirmed by another"
    );
}

#[test]
fn what_is_asked_seldom_is_asked_again_soon_when_it_was_not_answered() {
    let mut builder = Builder::new();
    let (device, _) = builder.detector(Span::from_secs(1));
    let at = Location { space: Space::Holding, address: 50 };
    builder.plan.devices[device].blocks.push(ReadBlock { at, count: 1, scan: Scan::Slow });
    builder.plan.devices[device].slow_poll = Span::from_secs(600);
    let mut bench = Bench::new(builder);
    bench.faults.insert((device, at), LineFault::NoReply);
    bench.run(Span::from_ms(700));
    bench.faults.clear();
    bench.run(Span::from_secs(5));
    let asked = |s: &&Sent| matches!(s.ask.question, Question::Read(block) if block.at == at);
    assert!(bench.sent.iter().filter(asked).any(|s| s.ok), "not ten minutes later");
}

#[test]
fn a_pulse_whose_demand_is_lifted_meanwhile_is_ended_all_the_same() {
    let mut builder = Builder::new();
    let valve = builder.valve(Span::from_ms(200), Mode::Act, None);
    builder.plan.elements[valve.element].command.pulse = Some(Pulse { width: Span::from_secs(2), rest: 0 });
    let mut bench = Bench::new(builder);
    bench.schedule.demand(valve.element, Demand::Trip);
    bench.run(Span::from_secs(1));
    bench.schedule.demand(valve.element, Demand::None);
    bench.run(Span::from_secs(5));
    let coil = (valve.device, Location { space: Space::Coil, address: 0 });
    assert_eq!(bench.cells.get(&coil), Some(&0));
}

#[test]
fn an_output_that_shares_its_register_is_undone_by_its_own_bits_only() {
    let mut builder = Builder::new();
    let valve = builder.valve(Span::from_ms(200), Mode::Act, None);
    let at = Location { space: Space::Holding, address: 7 };
    let how = Write::Mask(0b0100);
    builder.plan.elements[valve.element].command = Command { how, ..Command::plain(at, 0b0100, None) };
    builder.plan.points[valve.readback].field = Field::plain(at, Encoding::U16);
    builder.plan.devices[valve.device].blocks[0] = ReadBlock { at, count: 1, scan: Scan::Fast };
    let mut bench = Bench::new(builder);
    bench.schedule.demand(valve.element, Demand::Trip);
    bench.run(Span::from_secs(1));
    bench.drain();
    for (word, undone) in [(0b1101, false), (0b0100, false), (0b1001, true)] {
        bench.cells.insert((valve.device, at), word);
        bench.run(Span::from_secs(1));
        let told = bench.drain().iter().any(|e| matches!(e, Event::Undone { .. }));
        assert_eq!(told, undone, "{word:#b}");
    }
}

#[test]
fn a_device_is_shown_that_somebody_watches_unless_it_is_lost() {
    let mut builder = Builder::new();
    let (device, _) = builder.detector(Span::from_secs(1));
    let at = Location { space: Space::Holding, address: 100 };
    let every = Span::from_secs(2);
    builder.plan.devices[device].watchdog = Some(Watchdog { at, how: Write::Multiple, top: 2, every });
    let mut bench = Bench::new(builder);
    bench.run(Span::from_secs(60));
    let values = |bench: &Bench| -> Vec<u16> {
        let writes = bench.sent.iter().filter_map(|s| match s.ask.question {
            Question::Write { value, .. } => Some(value),
            Question::Read(_) => None,
        });
        writes.collect()
    };
    assert_eq!(values(&bench)[..5], [0, 1, 2, 0, 1]);
    assert!((29..=31).contains(&values(&bench).len()), "{}", values(&bench).len());
    bench.dead.insert(device);
    bench.run(Span::from_secs(30));
    bench.sent.clear();
    bench.run(Span::from_secs(60));
    assert!(values(&bench).is_empty(), "each would cost the line a time-out");
}

#[test]
fn where_there_is_gas_devices_are_asked_more_often() {
    let mut builder = Builder::new();
    let (near, _) = builder.detector(Span::from_secs(2));
    let (far, _) = builder.detector(Span::from_secs(2));
    builder.plan.devices[near].hurried_poll = Span::from_ms(500);
    let mut bench = Bench::new(builder);
    bench.run(Span::from_secs(10));
    bench.sent.clear();
    bench.schedule.hurry(bench.now, near, true);
    bench.schedule.hurry(bench.now, far, true);
    bench.run(Span::from_secs(60));
    let polls = [near, far].map(|device| bench.asked(device).len());
    assert!((119..=121).contains(&polls[0]) && (29..=31).contains(&polls[1]), "{polls:?}");
    bench.sent.clear();
    bench.schedule.hurry(bench.now, near, false);
    bench.run(Span::from_secs(60));
    let polls = bench.asked(near).len();
    assert!((29..=31).contains(&polls), "{polls}");
}

#[test]
fn what_seldom_changes_is_read_at_the_start_and_after_a_loss_and_now_and_then_and_never_before_gas() {
    let mut builder = Builder::new();
    let fast = block(Space::Input, 0, 2);
    let slow = ReadBlock { scan: Scan::Slow, ..block(Space::Holding, 40, 2) };
    let device = builder.device(Span::from_secs(1), vec![fast, slow]);
    let mut bench = Bench::new(builder);
    bench.run(Span::from_secs(1_500));
    let slow_reads = |bench: &Bench| -> Vec<Mono> {
        let sent = bench.sent.iter().filter(|s| s.ok && s.ask.question == Question::Read(slow));
        sent.map(|s| s.at).collect()
    };
    assert_eq!(slow_reads(&bench).len(), 3, "at the start, after 600 s, after 1,200 s");
    assert_eq!(bench.sent[0].ask.question, Question::Read(fast));
    bench.dead.insert(device);
    bench.run(Span::from_secs(30));
    bench.dead.clear();
    bench.sent.clear();
    bench.run(Span::from_secs(70));
    assert_eq!(slow_reads(&bench).len(), 1, "whoever comes back may be another one");
}

#[test]
fn after_a_time_out_on_a_serial_line_nobody_is_asked_until_no_late_answer_can_come_but_for_a_trip() {
    let mut builder = Builder::new();
    let host = "h".to_owned();
    builder.plan.buses[builder.bus].link = Link::RtuTcp { host, port: 1, pace: None };
    let (silent, _) = builder.detector(Span::from_secs(1));
    builder.detector(Span::from_secs(1));
    let valve = builder.valve(Span::from_secs(1), Mode::Act, None);
    for (_, device) in builder.plan.devices.iter_mut() {
        device.late = Span::from_ms(900);
    }
    let mut bench = Bench::new(builder);
    bench.dead.insert(silent);
    let asked = loop {
        let ask = bench.one();
        if ask.device == silent {
            break bench.sent.last().unwrap().at;
        }
    };
    assert!(matches!(bench.schedule.next(bench.now), Step::Wait(at) if at == asked + Span::from_ms(900)));
    bench.schedule.demand(valve.element, Demand::Trip);
    assert!(matches!(bench.one().purpose, Purpose::Write { .. }));
    let next = bench.one();
    assert!(matches!(next.purpose, Purpose::ReadBack { .. }), "{next:?}");
    assert!(bench.sent.last().unwrap().at >= asked + Span::from_ms(900), "a late answer could pass for it");
}

#[test]
fn one_silent_device_of_32_leaves_the_others_their_period() {
    let mut bench = detectors(32, Span::from_secs(1));
    bench.run(Span::from_secs(10));
    let dead = ids(&bench)[7];
    bench.dead.insert(dead);
    bench.sent.clear();
    bench.run(Span::from_secs(600));

    // Two failures, then after 2, 4, 8, 16, 32 s and then each 60 s: about 16 in ten minutes, never one per cycle.
    let probes = bench.asked(dead).len();
    assert!((10..=18).contains(&probes), "{probes} probes");
    let timeout = Span::from_ms(300);
    for id in ids(&bench).into_iter().filter(|id| *id != dead) {
        let times = bench.asked(id);
        assert!(times.len() >= 599, "polls lost: {}", times.len());
        let gaps = gaps(&times);
        let late = gaps.iter().filter(|gap| **gap > Span::from_ms(1_100)).count();
        assert!(late <= probes, "{late} late polls for {probes} probes");
        let worst = gaps.iter().max().unwrap();
        assert!(*worst <= Span::from_secs(1) + timeout + Span::from_ms(32 * 5), "{worst}");
    }
    assert!(!bench.events.iter().any(|e| matches!(e, Event::Skipped { .. })));
}

#[test]
fn a_device_that_answers_again_is_asked_at_its_own_moments_and_confirmed_by_a_second_answer() {
    let mut bench = detectors(2, Span::from_secs(1));
    let id = ids(&bench)[1];
    bench.dead.insert(id);
    bench.run(Span::from_secs(30));
    bench.dead.clear();
    bench.drain();
    bench.run(Span::from_secs(70));
    let qualities: Vec<Quality> = bench
        .drain()
        .into_iter()
        .filter_map(|event| match event {
            Event::Read { device, readings, .. } if device == id => Some(readings[0].1.quality),
            _ => None,
        })
        .collect();
    assert_eq!(qualities[0], Quality::Uncertain(Doubt::Unconfirmed));
    assert!(qualities.len() > 2 && qualities[1..].iter().all(|q| *q == Quality::Good), "{qualities:?}");
    let times = bench.asked(id);
    assert_eq!(times.last().unwrap().us() % 1_000_000, 500_000);
}

#[test]
fn after_a_time_out_somebody_else_is_asked_first() {
    let mut bench = detectors(3, Span::from_ms(100));
    bench.dead.insert(ids(&bench)[0]);
    bench.run(Span::from_secs(60));
    let again = bench.sent.windows(2).filter(|pair| {
        !pair[0].ok && pair[0].ask.device == pair[1].ask.device && pair[1].at == pair[0].until
    });
    assert_eq!(again.count(), 0);
}

#[test]
fn a_trip_overtakes_every_queued_read_and_is_read_back_at_once() {
    let mut builder = Builder::new();
    for _ in 0..20 {
        builder.detector(Span::from_secs(1));
    }
    let valve = builder.valve(Span::from_secs(1), Mode::Act, None);
    let mut bench = Bench::new(builder);
    // Everything is due. One read is on the wire when the demand comes.
    let on_wire = bench.ask(Mono::START).unwrap();
    bench.schedule.demand(valve.element, Demand::Trip);
    bench.answer(on_wire);
    let write = bench.one();
    let purpose = Purpose::Write { element: valve.element, demand: Demand::Trip };
    assert_eq!(write.purpose, purpose);
    let read_back = Purpose::ReadBack { element: valve.element, demand: Demand::Trip };
    assert_eq!(bench.one().purpose, read_back);
    let wrote = Event::Wrote { element: valve.element, demand: Demand::Trip, outcome: Ok(()) };
    assert_eq!(bench.drain().last(), Some(&wrote));
    assert!(matches!(bench.one().purpose, Purpose::Poll { .. }));
}

#[test]
fn there_is_never_more_than_one_request_on_the_wire() {
    let mut bench = detectors(3, Span::from_secs(1));
    let ask = bench.ask(Mono::START).unwrap();
    for ms in [0, 1, 100, 299, 400] {
        assert!(matches!(bench.schedule.next(Mono::from_us(ms * 1_000)), Step::Wait(_)), "{ms} ms");
    }
    bench.answer(ask);
    assert!(matches!(bench.schedule.next(bench.now), Step::Ask(_)));
}

#[test]
fn silence_is_kept_between_an_answer_and_the_next_request() {
    let mut builder = Builder::new();
    builder.plan.buses[builder.bus].gap = Span::from_ms(4);
    for _ in 0..10 {
        builder.detector(Span::from_ms(50));
    }
    let mut bench = Bench::new(builder);
    bench.run(Span::from_secs(5));
    assert!(bench.sent.windows(2).all(|pair| pair[1].at.since(pair[0].until) >= Span::from_ms(4)));
}

#[test]
fn nothing_is_written_before_a_demand_comes_nor_ever_in_observe_mode() {
    let mut builder = Builder::new();
    let act = builder.valve(Span::from_secs(1), Mode::Act, Some(0));
    let observe = builder.valve(Span::from_secs(1), Mode::Observe, Some(0));
    let mut bench = Bench::new(builder);
    bench.schedule.demand(act.element, Demand::None);
    bench.schedule.demand(observe.element, Demand::Trip);
    bench.run(Span::from_secs(60));
    assert!(bench.sent.iter().all(|s| matches!(s.ask.purpose, Purpose::Poll { .. })));
    assert!(bench.sent.len() > 200);
}

fn one_valve(release: Option<u16>) -> (Bench, Valve) {
    let mut builder = Builder::new();
    let valve = builder.valve(Span::from_secs(1), Mode::Act, release);
    (Bench::new(builder), valve)
}

fn writes(bench: &Bench) -> Vec<(u64, u16)> {
    let value = |s: &Sent| match s.ask.question {
        Question::Write { value, .. } => Some((s.at.us() / 1_000, value)),
        Question::Read(_) => None,
    };
    bench.sent.iter().filter_map(value).collect()
}

#[test]
fn lifting_a_trip_writes_the_release_once_and_only_where_there_is_one() {
    for (release, expected) in [(Some(0), vec![1, 0]), (None, vec![1])] {
        let (mut bench, valve) = one_valve(release);
        bench.schedule.demand(valve.element, Demand::Trip);
        bench.run(Span::from_secs(10));
        bench.schedule.demand(valve.element, Demand::None);
        bench.run(Span::from_secs(10));
        let values: Vec<u16> = writes(&bench).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, expected);
    }
}

#[test]
fn a_write_that_does_not_read_back_is_repeated_ever_more_slowly_and_never_given_up() {
    let (mut bench, valve) = one_valve(None);
    let coil = Location { space: Space::Coil, address: 0 };
    bench.faults.insert((valve.device, coil), LineFault::Exception(4));
    bench.schedule.demand(valve.element, Demand::Trip);
    bench.run(Span::from_secs(60));
    let times: Vec<Mono> = writes(&bench).iter().map(|(ms, _)| Mono::from_us(ms * 1_000)).collect();
    let pauses: Vec<u64> = gaps(&times).iter().map(|gap| gap.ms() / 100).take(6).collect();
    assert_eq!(pauses, [2, 4, 8, 16, 32, 50]);
    assert!(gaps(&times).iter().all(|gap| *gap <= Span::from_ms(5_100)));
    assert!(bench.drain().contains(&Event::Wrote {
        element: valve.element,
        demand: Demand::Trip,
        outcome: Err(LineFault::Exception(4)),
    }));
    // A demand that comes anew does not wait for the pause of the old one.
    bench.faults.clear();
    bench.schedule.demand(valve.element, Demand::None);
    bench.schedule.demand(valve.element, Demand::Trip);
    assert!(matches!(bench.one().purpose, Purpose::Write { .. }));
}

#[test]
fn a_write_that_reads_back_otherwise_is_no_write() {
    let (mut bench, valve) = one_valve(None);
    bench.schedule.demand(valve.element, Demand::Trip);
    bench.one();
    bench.cells.clear();
    bench.one();
    let outcome = Err(LineFault::Garbled("wrote 1, reads back 0".to_owned()));
    assert_eq!(bench.drain(), [Event::Wrote { element: valve.element, demand: Demand::Trip, outcome }]);
}

#[test]
fn a_trip_that_a_poll_shows_undone_is_written_again() {
    let (mut bench, valve) = one_valve(None);
    bench.schedule.demand(valve.element, Demand::Trip);
    bench.run(Span::from_secs(5));
    assert_eq!(writes(&bench).len(), 1);
    bench.cells.clear();
    bench.drain();
    bench.run(Span::from_secs(2));
    assert!(bench.drain().contains(&Event::Undone { element: valve.element }));
    assert_eq!(writes(&bench).len(), 2);
}

#[test]
fn many_outputs_of_one_dead_device_do_not_starve_the_others() {
    let mut builder = Builder::new();
    let (_, point) = builder.detector(Span::from_secs(1));
    let alive = builder.plan.points[point].device;
    let valve = builder.valve(Span::from_secs(1), Mode::Act, None);
    for _ in 0..9 {
        let again = builder.plan.elements[valve.element].clone();
        builder.plan.elements.push(again);
    }
    let mut bench = Bench::new(builder);
    bench.dead.insert(valve.device);
    bench.run(Span::from_secs(10));
    for element in bench.plan.elements.ids() {
        bench.schedule.demand(element, Demand::Trip);
    }
    // One tries the device at once; from then on they share its pause.
    bench.sent.clear();
    bench.run(Span::from_secs(60));
    assert!(bench.asked(alive).len() >= 59, "{}", bench.asked(alive).len());
    let lost: u64 = bench.sent.iter().filter(|s| !s.ok).map(|s| s.until.since(s.at).ms()).sum();
    assert!(lost < 30_000, "{lost} ms of 60 s spent on a dead device");
}

#[test]
fn a_refused_block_leaves_the_other_blocks_readable() {
    let mut builder = Builder::new();
    let valve = builder.valve(Span::from_secs(1), Mode::Act, None);
    let mut bench = Bench::new(builder);
    let coil = Location { space: Space::Coil, address: 0 };
    bench.faults.insert((valve.device, coil), LineFault::Exception(2));
    bench.one();
    bench.one();
    match bench.drain().as_slice() {
        [
            Event::Refused { block: 0, code: 2, readings, .. },
            Event::Read { block: 1, readings: others, .. },
        ] => {
            assert_eq!(readings[0].1.quality, Quality::Bad(Fault::Refused));
            assert!(others.iter().all(|(_, r)| r.quality == Quality::Good) && others.len() == 2);
        }
        events => panic!("{events:?}"),
    }
}

#[test]
fn a_failing_device_is_asked_its_first_block_only() {
    let mut builder = Builder::new();
    let id = builder.device(Span::from_secs(1), vec![block(Space::Input, 0, 1), block(Space::Holding, 0, 1)]);
    let mut bench = Bench::new(builder);
    bench.dead.insert(id);
    bench.run(Span::from_secs(100));
    assert!(bench.sent.len() > 3);
    assert!(bench.sent.iter().all(|s| s.ask.purpose == Purpose::Poll { block: 0 }));
}

#[test]
fn a_device_that_never_answers_its_second_block_costs_a_time_out_per_back_off() {
    let mut builder = Builder::new();
    let half =
        builder.device(Span::from_secs(1), vec![block(Space::Input, 0, 1), block(Space::Holding, 0, 1)]);
    let (sound, _) = builder.detector(Span::from_secs(1));
    let mut bench = Bench::new(builder);
    let silent = Location { space: Space::Holding, address: 0 };
    bench.faults.insert((half, silent), LineFault::NoReply);
    bench.run(Span::from_secs(600));
    let lost = bench.sent.iter().filter(|s| !s.ok).count();
    assert!((8..=18).contains(&lost), "{lost} time-outs in ten minutes");
    assert!(bench.asked(sound).len() >= 599, "{}", bench.asked(sound).len());

    bench.faults.clear();
    bench.run(Span::from_secs(70));
    bench.sent.clear();
    bench.run(Span::from_secs(10));
    assert_eq!(bench.asked(half).len(), 20, "both blocks at each poll");
}

#[test]
fn a_link_that_is_down_is_told_once_per_due_poll_and_delays_nothing_when_it_is_back() {
    let mut builder = Builder::new();
    let devices: Vec<DeviceId> = (0..3).map(|_| builder.detector(Span::from_secs(1)).0).collect();
    let mut bench = Bench::new(builder);
    for id in &devices {
        let at = Location { space: Space::Input, address: 0 };
        bench.faults.insert((*id, at), LineFault::Link("refused".to_owned()));
    }
    bench.run(Span::from_secs(60));
    for id in &devices {
        let told =
            bench.events.iter().filter(|e| matches!(e, Event::NoAnswer { device, .. } if device == id));
        assert!((59..=62).contains(&told.count()));
    }
    bench.faults.clear();
    bench.drain();
    bench.run(Span::from_ms(1_100));
    for id in &devices {
        assert!(bench.drain_contains_reading(*id), "{id:?}");
    }
}

impl Bench {
    fn drain_contains_reading(&self, id: DeviceId) -> bool {
        self.events.iter().any(|e| matches!(e, Event::Read { device, .. } if *device == id))
    }
}

#[test]
fn a_line_that_is_too_busy_leaves_polls_out_and_says_so() {
    let mut bench = detectors(10, Span::from_ms(100));
    bench.cost = Span::from_ms(30);
    bench.run(Span::from_secs(30));
    let skipped = bench.events.iter().filter(|e| matches!(e, Event::Skipped { .. })).count();
    assert!(skipped > 0);
    // Nobody starves: a full round takes 300 ms.
    for id in ids(&bench) {
        assert!(gaps(&bench.asked(id)).iter().all(|gap| *gap <= Span::from_ms(630)), "{id:?}");
    }
}

#[derive(Clone, Debug)]
struct World {
    polls: Vec<u64>,
    dead: Vec<bool>,
    timeout: u64,
    cost: u64,
    demands: Vec<(u64, bool)>,
}

fn world() -> impl Strategy<Value = World> {
    (2..10_usize).prop_flat_map(|n| {
        let polls = prop::collection::vec(200..3_000_u64, n);
        let dead = prop::collection::vec(any::<bool>(), n);
        let demands = prop::collection::vec((0..60_000_u64, any::<bool>()), 0..6);
        (polls, dead, 20..800_u64, 1..10_u64, demands)
            .prop_map(|(polls, dead, timeout, cost, demands)| World { polls, dead, timeout, cost, demands })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_dead_costs_the_living_one_time_out_at_a_time(world in world()) {
        let mut builder = Builder::new();
        builder.timeout = Span::from_ms(world.timeout);
        let devices: Vec<DeviceId> =
            world.polls.iter().map(|ms| builder.detector(Span::from_ms(*ms)).0).collect();
        let valve = builder.valve(Span::from_secs(1), Mode::Act, Some(0));
        let mut bench = Bench::new(builder);
        bench.cost = Span::from_ms(world.cost);
        bench.dead = devices.iter().zip(&world.dead).filter(|(_, dead)| **dead).map(|(id, _)| *id).collect();

        let mut demands = world.demands.clone();
        demands.sort_unstable();
        let mut standing = Demand::None;
        for (ms, trip) in demands {
            bench.run(Mono::from_us(ms * 1_000).since(bench.now));
            let demand = if trip { Demand::Trip } else { Demand::None };
            let on_wire = bench.ask(bench.now);
            bench.schedule.demand(valve.element, demand);
            if let Some(ask) = on_wire {
                bench.answer(ask);
            }
            if demand == Demand::Trip && standing == Demand::None {
                // Waits at most for the request on the wire.
                prop_assert_eq!(bench.one().purpose, Purpose::Write { element: valve.element, demand });
            }
            standing = demand;
        }
        bench.run(Span::from_secs(60));
        check_turns(&bench, &devices)?;
        check_respite(&bench)?;
    }
}

/// No two requests fail in a row while a device that answers is waiting.
fn check_turns(bench: &Bench, devices: &[DeviceId]) -> Result<(), TestCaseError> {
    let mut asked: BTreeMap<DeviceId, Mono> = BTreeMap::new();
    for pair in bench.sent.windows(2) {
        let [before, this] = pair else { continue };
        if before.ok {
            asked.insert(before.ask.device, before.at);
        }
        if !before.ok && !this.ok {
            for id in devices.iter().filter(|id| !bench.dead.contains(id)) {
                let due = asked.get(id).map(|at| *at + bench.plan.devices[*id].poll);
                prop_assert!(
                    due.is_none_or(|due| due > this.at),
                    "{:?} waits since {:?} at {:?}",
                    id,
                    due,
                    this.at
                );
            }
        }
    }
    Ok(())
}

/// Once lost, dead devices together leave three times as much time to the others as they take.
fn check_respite(bench: &Bench) -> Result<(), TestCaseError> {
    let mut failures: BTreeMap<DeviceId, u32> = BTreeMap::new();
    let mut last: Option<(Mono, Span)> = None;
    for sent in bench.sent.iter().filter(|s| !s.ok) {
        let count = failures.entry(sent.ask.device).or_insert(0);
        *count += 1;
        if *count > 2
            && let Some((until, spent)) = last
        {
            prop_assert!(
                sent.at.since(until) >= spent.times(3),
                "probed at {:?}, {:?} before",
                sent.at,
                until
            );
        }
        if *count >= 2 {
            last = Some((sent.until, sent.until.since(sent.at)));
        }
    }
    Ok(())
}

#[test]
fn elements_of_other_lines_are_ignored() {
    let (mut bench, valve) = one_valve(None);
    let other = <ElementId as davy::model::table::Row>::from_usize(7);
    bench.schedule.demand(other, Demand::Trip);
    bench.run(Span::from_secs(3));
    assert_eq!(writes(&bench), []);
    assert_eq!(bench.plan.elements[valve.element].readback, valve.readback);
}
