//! The yardstick: the least that polls, compares and writes over tokio-modbus. No rules, no quality, no record, nobody
//! told. It runs in a process of its own, as Davy does.

use super::{Outcome, field};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_modbus::client::{Context, Reader, Writer, tcp};
use tokio_modbus::slave::{Slave, SlaveContext};

/// At or above this a register trips, and below it it doesn't.
const TRIP: u16 = 90;

/// A bus of the bare loop.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) port: u16,
    pub(crate) devices: u8,
    pub(crate) period_ms: u64,
    /// Whether the bare loop spreads its requests evenly over the period, instead of sending one after the other.
    pub(crate) spread: bool,
}

impl Line {
    pub(crate) fn words(self) -> String {
        format!("{},{},{},{}", self.port, self.devices, self.period_ms, self.spread)
    }

    fn read(words: &str) -> Option<Line> {
        let mut parts = words.split(',');
        Some(Line {
            port: parts.next()?.parse().ok()?,
            devices: parts.next()?.parse().ok()?,
            period_ms: parts.next()?.parse().ok()?,
            spread: parts.next()?.parse().ok()?,
        })
    }
}

/// Polls until it is killed.
pub(crate) fn run(args: &[String]) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let lines: Vec<_> =
            args.iter().filter_map(|a| Line::read(a)).map(|l| tokio::spawn(poll(l))).collect();
        for line in lines {
            line.await?.map_err(|e| e.to_string())?;
        }
        Ok(())
    })
}

/// Reads each device of a line and its valve once a period and writes the valve when a value is too high.
pub(crate) async fn poll(line: Line) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut bus = tcp::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, line.port))).await?;
    let mut ticks = interval(Duration::from_millis(line.period_ms.max(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shut = false;
    loop {
        // Without a period it reads as fast as it can.
        let began = if line.period_ms > 0 { Some(ticks.tick().await) } else { None };
        for unit in 1..=line.devices {
            if let Some(began) = began.filter(|_| line.spread) {
                let share = line.period_ms * 1_000 * u64::from(unit - 1) / u64::from(line.devices);
                sleep_until(began + Duration::from_micros(share)).await;
            }
            bus.set_slave(Slave(unit));
            let words = bus.read_holding_registers(0, 10).await??;
            let high = words.iter().any(|word| *word >= TRIP);
            if unit == field::DETECTOR && high != shut {
                shut = high;
                write(&mut bus, shut).await?;
            }
        }
        bus.set_slave(Slave(field::VALVE));
        bus.read_coils(0, 1).await??;
        bus.read_discrete_inputs(0, 2).await??;
    }
}

async fn write(bus: &mut Context, shut: bool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bus.set_slave(Slave(field::VALVE));
    Ok(bus.write_single_coil(0, shut).await??)
}
