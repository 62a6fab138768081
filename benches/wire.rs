//! How well a serial line is used: 32 detectors of two registers each on a pretended wire that is as slow as a real
//! one, against what the wire allows: the bits of question and answer and the two silences between them. Then the same
//! with one dead device of 32, and trips on a busy line. Line and wire are in this process, on threads of their own, as
//! they are in the agent.
//!
//! `DAVY_BENCH_WINDOW_S` sets how long each is measured (default 20).

mod common;

use common::{Aim, Outcome, is_wanted, median, percentile, setting};
use davy::config::{self, Extras, Source};
use davy::field::figures::Figures;
use davy::field::timing::exchange;
use davy::io::clock::Clock;
use davy::io::line::{Dialler, Line, Modems, Tap};
use davy::io::slave::Slave;
use davy::model::element::Demand;
use davy::model::link::{Link, Pace, Parity};
use davy::model::plan::Plan;
use davy::model::register::{Location, ReadBlock, Scan, Space};
use davy::model::table::{BusId, DeviceId, Row};
use davy::model::time::{Mono, Span};
use davy::safety::Input;
use davy::simulator::mischief::Mischief;
use davy::simulator::plant::Plant;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

const DEVICES: u8 = 32;

/// More often than the wire allows: the line is always busy.
const ALWAYS: Span = Span::from_ms(1);

const TIMEOUT: Span = Span::from_ms(300);

fn main() -> Outcome {
    common::main(bench)
}

fn bench() -> Outcome {
    let window = Duration::from_secs(setting("DAVY_BENCH_WINDOW_S", 20));
    println_head("A serial line against its wire", "wire");
    for (baud, most) in [(9_600, 1.03), (19_200, 1.10), (115_200, 1.10)] {
        if is_wanted("cycle") {
            let rig = Rig::start(baud, ALWAYS, false)?;
            let cycles = rig.cycles(window);
            let limit = ms(rig.limit);
            common::row(
                &format!("{baud} baud: cycle of {DEVICES} devices"),
                "ms",
                limit,
                median(&cycles),
                Some(Aim::Ratio(most)),
            );
        }
    }
    if is_wanted("dead") {
        let window = window.max(Duration::from_secs(60));
        let period = Span::from_ms(1_000);
        let rig = Rig::start(9_600, period, false)?;
        // All are asked at once at first, and it takes some seconds until each has come to its own moment.
        rig.cycles(Duration::from_secs(10));
        let before = rig.cycles(Duration::from_secs(10));
        rig.kill();
        let after = rig.cycles(window);
        let mean = |values: &[f64]| {
            values.iter().sum::<f64>() / f64::from(u32::try_from(values.len().max(1)).unwrap_or(1))
        };
        common::row(
            "1 of 32 dead: mean period of the others",
            "ms",
            mean(&before),
            mean(&after),
            Some(Aim::Ratio(1.03)),
        );
        let most = ms(period + TIMEOUT);
        common::row(
            "  p99 of their period",
            "ms",
            ms(period),
            percentile(&after, 99),
            Some(Aim::Value(most)),
        );
    }
    if is_wanted("trip") {
        let rig = Rig::start(9_600, ALWAYS, true)?;
        let pace = pace(9_600);
        let one = |count| exchange(pace, &block(count), Span::ZERO, Span::ZERO);
        // The write and its echo are as long as a question, the read-back is of one bit.
        let write = pace.chars(16) + pace.silence().times(2);
        let limit = ms(one(2) + write + one(1));
        let trips = rig.trips(40)?;
        common::row("trip on a busy line, read back, p50", "ms", limit, median(&trips), None);
        common::row(
            "  p99; at most one request before it",
            "ms",
            limit,
            percentile(&trips, 99),
            Some(Aim::Ratio(1.05)),
        );
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a bench prints its table")]
fn println_head(title: &str, yardstick: &str) {
    println!("\n{title}\n{:<44} {yardstick:>9} {:>9} {:<4} {:>9}  aim", "", "davy", "", "ratio");
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds")]
fn ms(span: Span) -> f64 {
    span.us() as f64 / 1_000.0
}

const fn pace(baud: u32) -> Pace {
    Pace { baud, parity: Parity::None, stop: 1 }
}

const fn block(count: u16) -> ReadBlock {
    ReadBlock { at: Location { space: Space::Input, address: 0 }, count, scan: Scan::Fast }
}

/// A line with its wire and devices.
struct Rig {
    clock: Clock,
    plant: Arc<Mutex<Plant>>,
    demands: watch::Sender<Vec<Demand>>,
    heard: Receiver<(Mono, Input)>,
    /// What the wire allows for a cycle.
    limit: Span,
    _slave: Slave,
}

impl Rig {
    fn start(baud: u32, poll: Span, with_valve: bool) -> Outcome<Rig> {
        let source =
            Source::from_bytes("bench.toml", site(with_valve).as_bytes()).map_err(|f| f.render(false))?;
        let mut plan = config::compile(&source, &Extras::default()).map_err(|f| f.render(false))?.plan;
        let bus = BusId::from_usize(0);
        let pace = pace(baud);
        plan.buses[bus].link = Link::Serial { path: String::new(), pace, rs485: false };
        for (_, device) in plan.devices.iter_mut() {
            (device.poll, device.hurried_poll) = (poll, poll);
            (device.timeout, device.late) = (TIMEOUT, TIMEOUT);
        }
        let clock = Clock::start();
        let plant = Arc::new(Mutex::new(Plant::new(&plan)));
        let slave = Slave::start(&plan, Arc::clone(&plant), clock)?;
        plan.buses[bus].link = slave.link(bus).clone();
        let one = exchange(pace, &block(2), Span::ZERO, Span::ZERO);
        let (demands, watched) = watch::channel(vec![Demand::None; plan.elements.len()]);
        let heard = run(plan, bus, clock, watched);
        Ok(Rig { clock, plant, demands, heard, limit: one.times(u64::from(DEVICES)), _slave: slave })
    }

    /// How long it took, in milliseconds, from one reading of a device to its next one.
    fn cycles(&self, window: Duration) -> Vec<f64> {
        let mut last: BTreeMap<DeviceId, Mono> = BTreeMap::new();
        let mut cycles = Vec::new();
        let end = self.clock.mono() + Span::from_us(u64::try_from(window.as_micros()).unwrap_or(u64::MAX));
        self.heard.try_iter().for_each(drop);
        while self.clock.mono() < end {
            let Ok((at, input)) = self.heard.recv_timeout(Duration::from_secs(1)) else { continue };
            if let Input::Readings { device, .. } = input
                && let Some(before) = last.insert(device, at)
            {
                cycles.push(ms(at.since(before)));
            }
        }
        cycles
    }

    /// Switches one device off.
    fn kill(&self) {
        self.plant().set_mischief(DeviceId::from_usize(7), Some(Mischief::Silence));
    }

    fn plant(&self) -> std::sync::MutexGuard<'_, Plant> {
        self.plant.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// How long it takes, in milliseconds, from a demand until it has been read back.
    fn trips(&self, count: usize) -> Outcome<Vec<f64>> {
        let mut dice = common::Dice::new();
        let mut taken = Vec::new();
        for _ in 0..count {
            for demand in [Demand::Trip, Demand::None] {
                std::thread::sleep(Duration::from_millis(100) + dice.up_to(Duration::from_millis(200)));
                self.heard.try_iter().for_each(drop);
                let demanded = self.clock.mono();
                self.demands.send_modify(|demands| demands.iter_mut().for_each(|d| *d = demand));
                let at = loop {
                    if let (at, Input::Wrote { outcome: Ok(()), .. }) =
                        self.heard.recv_timeout(Duration::from_secs(5))?
                    {
                        break at;
                    }
                };
                if demand == Demand::Trip {
                    taken.push(ms(at.since(demanded)));
                }
            }
        }
        Ok(taken)
    }
}

fn run(
    plan: Plan,
    bus: BusId,
    clock: Clock,
    demands: watch::Receiver<Vec<Demand>>,
) -> Receiver<(Mono, Input)> {
    let (tell, told) = channel();
    let plan = Arc::new(plan);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let dialler = Dialler::new(&plan.buses[bus].link, &Modems::default());
        let line = Line {
            bus,
            clock,
            demands,
            hurried: watch::channel(Vec::new()).1,
            tap: Tap::new(plan.buses[bus].tag.clone()),
            owes: Arc::default(),
            figures: Arc::new(Mutex::new(Figures::new(clock.mono()))),
            plan,
        };
        // Nobody listens any more: the rig has gone, and the line goes with its demands.
        runtime.block_on(line.run(dialler, move |input| drop(tell.send((clock.mono(), input)))));
        Ok::<(), std::io::Error>(())
    });
    told
}

/// Detectors of two registers, and a valve that one of them shuts.
fn site(with_valve: bool) -> String {
    let mut text =
        "[gateway]\nid = \"bench\"\noutputs = \"act\"\n[site]\nname = { zh = \"测\", en = \"Bench\" }\n\
        [[gas]]\nid = \"methane\"\nlel_pct_vol = 5.0\n\
        [[area]]\nid = \"face\"\nkind = \"cn-coal-face\"\nname = { zh = \"面\", en = \"Face\" }\n\
        [[bus]]\nid = \"line\"\nlink = \"tcp://127.0.0.1:1\"\npoll_ms = 60000\n"
            .to_owned();
    for n in 1..=DEVICES {
        text.push_str(&format!(
            "[[device]]\nid = \"d{n}\"\nbus = \"line\"\nunit = {n}\nprofile = \"gas-2reg\"\narea = \"face\"\n\
             [[point]]\nid = \"p{n}\"\nname = {{ zh = \"{n}\", en = \"{n}\" }}\ndevice = \"d{n}\"\nsignal = \"value\"\n\
             gas = \"methane\"\nplace = \"T1\"\n"
        ));
    }
    if with_valve {
        text.push_str(
            "[[device]]\nid = \"v\"\nbus = \"line\"\nunit = 200\nprofile = \"valve-2limit\"\narea = \"face\"\n\
             [[valve]]\nid = \"valve\"\nname = { zh = \"阀\", en = \"valve\" }\ndevice = \"v\"\noutput = \"close\"\n\
             closed = \"closed\"\nopen = \"open\"\ntravel_s = 2\n\
             [[trip]]\nid = \"t\"\nwhen = [\"p1:trip\"]\neffects = [\"valve\"]\n",
        );
    }
    text
}
