//! How much goes over Modbus/TCP when nothing waits: as many reads of ten registers as one connection, and sixteen,
//! carry, against a bare tokio-modbus loop that reads the same and throws it away. The devices are threads of this
//! process that do nothing but answer; the lines are those of the agent without its judge, on one thread as there.
//!
//! `DAVY_BENCH_WINDOW_S` sets how long each is measured (default 3), `DAVY_BENCH_ROUNDS` how often (default 5); the sides
//! take turns.

mod common;

use common::bare::{self, Line as Bare};
use common::field::Bus;
use common::{Aim, Outcome, head, median, row, setting, site};
use davy::config::{self, Extras, Source};
use davy::field::figures::Figures;
use davy::io::clock::Clock;
use davy::io::line::{Dialler, Line, Modems, Tap};
use davy::model::element::Demand;
use davy::model::plan::Plan;
use davy::model::time::Span;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::LocalSet;

/// Behind each connection: enough that none of them is due before its turn.
const DEVICES: u8 = 60;

/// As often as can be.
const ALWAYS: Span = Span::from_ms(1);

fn main() -> Outcome {
    common::main(bench)
}

fn bench() -> Outcome {
    let window = Duration::from_secs(setting("DAVY_BENCH_WINDOW_S", 3));
    let rounds = setting("DAVY_BENCH_ROUNDS", 5);
    head(&format!("Reads of ten registers a second; {rounds} rounds of {} s a side", window.as_secs()));
    for connections in [1, 16] {
        let (mut davy, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            bare.push(rate(connections, window, bare_loop)?);
            davy.push(rate(connections, window, lines)?);
        }
        let what = format!("{connections} connections");
        row(&what, "/s", median(&bare), median(&davy), Some(Aim::AtLeast(0.9)));
    }
    Ok(())
}

type Side = fn(&[Bare], watch::Receiver<()>) -> Outcome<JoinHandle<()>>;

/// Requests a second that reach devices of its own.
fn rate(connections: usize, window: Duration, side: Side) -> Outcome<f64> {
    let field: Vec<Bus> = (0..connections).map(|_| Bus::open(false)).collect::<Outcome<_>>()?;
    let line = |bus: &Bus| Bare { port: bus.port(), devices: DEVICES, period_ms: 0, spread: false };
    let lines: Vec<Bare> = field.iter().map(line).collect();
    let (stop, stopped) = watch::channel(());
    let thread = side(&lines, stopped)?;
    sleep(Duration::from_millis(500));
    let asked = || field.iter().map(Bus::requests).sum::<u64>();
    let before = asked();
    sleep(window);
    let requests = u32::try_from(asked() - before)?;
    drop(stop);
    thread.join().map_err(|_| "a side has panicked")?;
    Ok(f64::from(requests) / window.as_secs_f64())
}

fn bare_loop(lines: &[Bare], mut stopped: watch::Receiver<()>) -> Outcome<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lines = lines.to_vec();
    Ok(std::thread::Builder::new().name("bare".to_owned()).spawn(move || {
        runtime.block_on(async {
            for line in lines {
                tokio::spawn(bare::poll(line));
            }
            // Its error is that the other end is gone.
            drop(stopped.changed().await);
        });
    })?)
}

fn lines(lines: &[Bare], mut stopped: watch::Receiver<()>) -> Outcome<JoinHandle<()>> {
    let plan = Arc::new(plan(lines)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(std::thread::Builder::new().name("lines".to_owned()).spawn(move || {
        let clock = Clock::start();
        let demands = watch::channel(vec![Demand::None; plan.elements.len()]);
        let hurried = watch::channel(Vec::new());
        let local = LocalSet::new();
        for bus in plan.buses.ids() {
            let dialler = Dialler::new(&plan.buses[bus].link, &Modems::default());
            let line = Line {
                bus,
                clock,
                demands: demands.1.clone(),
                hurried: hurried.1.clone(),
                tap: Tap::new(plan.buses[bus].tag.clone()),
                owes: Arc::default(),
                figures: Arc::new(Mutex::new(Figures::new(clock.mono()))),
                plan: Arc::clone(&plan),
            };
            local.spawn_local(line.run(dialler, drop));
        }
        runtime.block_on(local.run_until(async { drop(stopped.changed().await) }));
    })?)
}

fn plan(lines: &[Bare]) -> Outcome<Plan> {
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let valid: Vec<Bare> = lines.iter().map(|line| Bare { period_ms: 1_000, ..*line }).collect();
    let text = site::file(Path::new("nowhere"), nobody, &valid);
    let source = Source::from_bytes("bench.toml", text.as_bytes()).map_err(|f| f.render(false))?;
    let mut plan = config::compile(&source, &Extras::default()).map_err(|f| f.render(false))?.plan;
    for (_, device) in plan.devices.iter_mut() {
        (device.poll, device.hurried_poll) = (ALWAYS, ALWAYS);
    }
    Ok(plan)
}
