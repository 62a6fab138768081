//! From the start of the process to the arrival of its first request at a device, with a clean state folder and 32
//! devices; against a bare loop that starts and asks. Starts alternate. `DAVY_BENCH_STARTS` sets how many each side has
//! (default 20).
#![expect(clippy::disallowed_methods, reason = "a stopwatch reads a clock")]

mod common;

use common::bare::Line;
use common::child::{self, Davy, Side};
use common::field::Bus;
use common::{Aim, Folder, Outcome, head, median, percentile, row, setting};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Outcome {
    common::main(bench)
}

fn bench() -> Outcome {
    let (folder, broker, bus) = (Folder::new("start")?, common::broker()?, Bus::open(false)?);
    let lines = [Line { port: bus.port(), devices: 32, period_ms: 1_000, spread: false }];
    let (mut davy, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..setting("DAVY_BENCH_STARTS", 20) {
        bare.push(time(&bus, || child::bare(&lines))?);
        let agent = Davy::new(folder.path(), broker, &lines)?;
        davy.push(time(&bus, || agent.start()).map_err(|e| format!("{e}\n{}", agent.log()))?);
    }
    head(&format!("Start of the process to its first poll, clean store, {} starts of each side", davy.len()));
    row("median", "ms", median(&bare), median(&davy), Some(Aim::Value(150.0)));
    row("p90", "ms", percentile(&bare, 90), percentile(&davy, 90), None);
    Ok(())
}

/// How long the side that `start` starts takes to its first request, in milliseconds.
fn time(bus: &Bus, start: impl Fn() -> Outcome<Side>) -> Outcome<f64> {
    // The side before may have had a request on the way when it was killed.
    std::thread::sleep(Duration::from_millis(20));
    bus.forget();
    let began = Instant::now();
    let side = start()?;
    let first = bus.first_request(LIMIT).ok_or("no request came")?;
    drop(side);
    Ok(first.duration_since(began).as_secs_f64() * 1e3)
}
