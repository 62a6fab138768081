//! What polling costs: processor time per minute and peak memory of 32, of 256 and of 1,024 devices of ten registers
//! (the last over 10,000 points), each asked once a second, and of 256 asked four times a second, with alarms on every register, a valve and a trip on every
//! bus of 32, and a broker to tell; against a bare loop that reads the same. The devices are in this process, and so is the broker: neither is counted.
//!
//! Values that rest cost polling and judging only. With values that all change at every read, each is also told: that
//! is 2,560 values a second through sled and MQTT, which the bare loop does nothing about.
//!
//! The sides take turns, each from its start. `DAVY_BENCH_WINDOW_S` sets how long each is measured (default 5, after 2 to
//! warm up), `DAVY_BENCH_ROUNDS` how often (default 2); `cargo bench --bench poll -- "256 devices"` measures only that.

mod common;

use common::bare::Line;
use common::child::{self, Davy, Side};
use common::field::Bus;
use common::{Aim, Folder, Outcome, head, median, row, setting};
use std::thread::sleep;
use std::time::Duration;

const WARM_UP: Duration = Duration::from_secs(2);
const PER_BUS: u8 = 32;

fn main() -> Outcome {
    common::main(bench)
}

#[derive(Default)]
struct Costs {
    cpu_s_per_min: Vec<f64>,
    peak_mib: Vec<f64>,
}

fn bench() -> Outcome {
    let folder = Folder::new("poll")?;
    let broker = common::broker()?;
    let window = Duration::from_secs(setting("DAVY_BENCH_WINDOW_S", 5));
    let rounds = setting("DAVY_BENCH_ROUNDS", 2);
    head(&format!(
        "Polling once a second, ten registers each; {rounds} rounds of {} s a side",
        window.as_secs()
    ));
    for (buses, moving, period_ms, most_mib) in [
        (1, false, 1_000, 25.0),
        (1, true, 1_000, 25.0),
        (8, false, 1_000, 25.0),
        (8, true, 1_000, 25.0),
        (8, false, 250, 30.0),
        (32, false, 1_000, 30.0),
    ] {
        let devices = buses * usize::from(PER_BUS);
        let values = if moving { "all change" } else { "rest" };
        let what = match period_ms {
            1_000 => format!("{devices} devices, values {values}"),
            _ => format!("{devices} devices each {period_ms} ms, values {values}"),
        };
        if !common::is_wanted(&what) {
            continue;
        }
        let (mut davy, mut bare, mut spread) = (Costs::default(), Costs::default(), Costs::default());
        let field: Vec<Bus> = (0..buses).map(|_| Bus::open(moving)).collect::<Outcome<_>>()?;
        let line = |bus: &Bus| Line { port: bus.port(), devices: PER_BUS, period_ms, spread: false };
        let lines: Vec<Line> = field.iter().map(line).collect();
        for _ in 0..rounds {
            bare.measure(&child::bare(&lines)?, &field, period_ms, window)?;
            let lines: Vec<Line> = lines.iter().map(|l| Line { spread: true, ..*l }).collect();
            spread.measure(&child::bare(&lines)?, &field, period_ms, window)?;
            let agent = Davy::new(folder.path(), broker, &lines)?;
            davy.measure(&agent.start()?, &field, period_ms, window)
                .map_err(|e| format!("{e}\n{}", agent.log()))?;
        }
        let told = |costs: &Costs| median(&costs.cpu_s_per_min);
        row(
            &format!("{what}: CPU a minute"),
            "s",
            told(&bare),
            told(&davy),
            (!moving).then_some(Aim::Ratio(2.0)),
        );
        row("  the same against a bare loop that spreads", "s", told(&spread), told(&davy), None);
        let told = |costs: &Costs| costs.peak_mib.iter().copied().fold(0.0, f64::max);
        row(&format!("{what}: peak RSS"), "MiB", told(&bare), told(&davy), Some(Aim::Value(most_mib)));
    }
    Ok(())
}

impl Costs {
    /// Measures one side from its start, and makes sure that it did the work.
    fn measure(&mut self, side: &Side, field: &[Bus], period_ms: u64, window: Duration) -> Outcome {
        sleep(WARM_UP);
        let asked = || field.iter().map(Bus::requests).sum::<u64>();
        let (cpu, before) = (side.cpu()?, asked());
        sleep(window);
        let (cpu, requests) = (side.cpu()?.saturating_sub(cpu), asked() - before);
        // The devices and two blocks of the valve, each period, give or take a second.
        let periods = (window.as_secs() - 1) * 1_000 / period_ms;
        let due = (u64::from(PER_BUS) + 2) * u64::try_from(field.len())? * periods;
        if requests < due {
            return Err(format!("only {requests} requests came where {due} were due").into());
        }
        self.cpu_s_per_min.push(cpu.as_secs_f64() * 60.0 / window.as_secs_f64());
        self.peak_mib.push(side.peak_mib()?);
        Ok(())
    }
}
