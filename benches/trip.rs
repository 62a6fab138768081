//! Trip latency: from the arrival at the device of the first request for a register that has changed, to the arrival
//! of the write that shuts the valve. The time from the change to that request depends on the poll period and on the
//! moment only; it is shown beside.
//!
//! Davy runs whole, as `davy run`: judge, line, journal with fsync on the disk under `target/`, sled, and an uplink to
//! a broker in this process. The yardstick is a bare loop of tokio-modbus. Both poll the same kind of plant, a bus with
//! the detector and the valve each 50 ms, and a bus of 32 devices with new values each second; trips alternate.
//!
//! `DAVY_BENCH_TRIPS` sets how many trips each side has (default 200).

mod common;

use common::bare::Line;
use common::child::{self, Davy};
use common::field::{Bus, Trip};
use common::{Aim, Dice, Folder, Outcome, head, percentile, row, setting, site};
use davy::io::local;
use serde_json::{Value, json};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use tokio::runtime::Runtime;

const PERIOD: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(5);
const BACKGROUND_DEVICES: u8 = 32;

fn main() -> Outcome {
    common::main(bench)
}

struct Plant {
    bus: Bus,
    background: Bus,
}

impl Plant {
    fn open() -> Outcome<Plant> {
        Ok(Plant { bus: Bus::open(true)?, background: Bus::open(true)? })
    }

    fn lines(&self) -> [Line; 2] {
        [
            Line { port: self.bus.port(), devices: 1, period_ms: 50, spread: false },
            Line {
                port: self.background.port(),
                devices: BACKGROUND_DEVICES,
                period_ms: 1_000,
                spread: false,
            },
        ]
    }
}

fn bench() -> Outcome {
    let (folder, broker) = (Folder::new("trip")?, common::broker()?);
    let (ours, theirs) = (Plant::open()?, Plant::open()?);
    let agent = Davy::new(folder.path(), broker, &ours.lines())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _sides = (agent.start()?, child::bare(&theirs.lines())?);
    for plant in [&ours, &theirs] {
        plant.bus.first_request(LIMIT).ok_or_else(|| agent.log())?;
    }
    sleep(Duration::from_secs(62)); // Connected, everything read once, and no longer in the first minute, in which no reset is taken.

    let (mut davy, mut bare, mut dice) = (Vec::new(), Vec::new(), Dice::new());
    for _ in 0..setting("DAVY_BENCH_TRIPS", 200) {
        sleep(PERIOD + dice.up_to(PERIOD));
        bare.push(theirs.bus.trip(LIMIT)?);
        theirs.bus.calm();
        if !theirs.bus.wait_open(LIMIT) {
            return Err("the bare loop does not open the valve again".into());
        }
        sleep(PERIOD + dice.up_to(PERIOD));
        davy.push(ours.bus.trip(LIMIT).map_err(|e| format!("{e}\n{}", agent.log()))?);
        ours.bus.calm();
        reset(&runtime, agent.state())?;
        if !ours.bus.wait_open(LIMIT) {
            return Err(agent.log().into());
        }
    }

    head(&format!("Trip latency, {} trips of each side", davy.len()));
    let write = |t: &Trip| t.to_write.as_secs_f64() * 1e3;
    let poll = |t: &Trip| t.to_poll.as_secs_f64() * 1e3;
    for (what, percent, aim) in [("p50", 50, None), ("p99", 99, Some(Aim::Ratio(1.3)))] {
        let of = |trips: &[Trip]| percentile(&trips.iter().map(write).collect::<Vec<_>>(), percent);
        row(&format!("request of the changed register to write, {what}"), "ms", of(&bare), of(&davy), aim);
    }
    let wait = |trips: &[Trip]| percentile(&trips.iter().map(poll).collect::<Vec<_>>(), 50);
    row("change to that request (period 50 ms), p50", "ms", wait(&bare), wait(&davy), None);
    Ok(())
}

/// Acknowledges and resets, as a person at the terminal does, until the agent takes it.
fn reset(runtime: &Runtime, state: &Path) -> Outcome {
    let ask = |question: Value| runtime.block_on(local::put(state, &question));
    for _ in 0..200 {
        ask(json!({ "do": "ack-all" }))?;
        if ask(json!({ "do": "reset", "target": site::TRIP }))?.get("ok") == Some(&Value::Bool(true)) {
            return Ok(());
        }
        sleep(Duration::from_millis(10));
    }
    Err("the trip is not reset".into())
}
