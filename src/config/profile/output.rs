//! What can be written to a device: outputs, and the cell by which it knows that its master lives.

use super::Reach;
use super::cells::{location, write};
use crate::config::faults::{Fault, Faults};
use crate::config::read::Row;
use crate::model::register::{Command, Location, Pulse, Watchdog, Write};
use crate::model::time::Span;

/// An output of a device.
pub(super) fn output(row: &Row, reach: &Reach, faults: &mut Faults) -> Option<Command> {
    let at = location(row, 0, faults)?;
    let how = write(row, at, faults)?;
    let trip = row.small("trip")?;
    let release = row.small("release");
    let readback = match row.table("readback") {
        Some(readback) => location(readback, 0, faults)?,
        None => at,
    };
    let bit = [at, readback].into_iter().find(|at| at.space.is_bits());
    if let Some(bit) = bit
        && (trip > 1 || release.is_some_and(|r: u16| r > 1))
    {
        let key = if trip > 1 { "trip" } else { "release" };
        let message = if bit == at {
            "a coil holds 0 or 1".to_owned()
        } else {
            format!("it is read back from a {} cell, which holds 0 or 1", bit.space.as_str())
        };
        faults.push(
            Fault::error("coil-value", row.at(key), message)
                .help("write 0 or 1, or use space = \"holding\", for the readback too"),
        );
        return None;
    }
    if release == Some(trip) {
        let message = "what demands the safe state and what withdraws the demand are the same value";
        faults.push(
            Fault::error("same-values", row.at("release"), message)
                .help("leave `release` out where the device needs no write to withdraw a demand"),
        );
        return None;
    }
    untouched(row, at, reach, faults)?;
    let pulse = match row.table("pulse") {
        Some(table) => Some(pulse(table, release, row, faults)?),
        None => None,
    };
    if let Write::Mask(mask) = how
        && (trip & !mask != 0 || release.is_some_and(|r| r & !mask != 0))
    {
        let message = "a value with bits that the mask leaves alone would never read back as written";
        faults.push(
            Fault::error("beyond-mask", row.at("mask"), message)
                .help("the mask has a 1 for every bit that trip and release decide on"),
        );
        return None;
    }
    Some(Command { at, trip, release, readback, how, pulse })
}

/// A write is an intrusion more than a read is.
fn untouched(row: &Row, at: Location, reach: &Reach, faults: &mut Faults) -> Option<()> {
    let first = u32::from(at.address);
    let Some((a, b)) = reach.forbidden(at.space, first, first.saturating_add(1)) else { return Some(()) };
    let message = format!("{} {a} to {b} must never be touched, says `never`", at.space.as_str());
    faults.push(
        Fault::error("never-touched", row.at("address"), message)
            .label("written to")
            .help("check both against the manual"),
    );
    None
}

fn pulse(table: &Row, release: Option<u16>, row: &Row, faults: &mut Faults) -> Option<Pulse> {
    if release.is_some() {
        let message = "a pulse ends by itself, so there is no demand that stands and could be withdrawn";
        faults.push(
            Fault::error("pulse-release", row.at("release"), message)
                .help("leave `release` out; what ends the pulse is its `rest`"),
        );
        return None;
    }
    Some(Pulse { width: table.small("ms").map(Span::from_ms)?, rest: table.small("rest")? })
}

/// The cell that must be written each so often.
pub(super) fn watchdog(row: &Row, reach: &Reach, faults: &mut Faults) -> Option<Watchdog> {
    let at = location(row, 0, faults)?;
    let how = if row.str("write") == Some("multiple") { Write::Multiple } else { Write::Single };
    untouched(row, at, reach, faults)?;
    let top = row.small("top")?;
    if at.space.is_bits() && top != 1 {
        faults.push(
            Fault::error("coil-value", row.at("top"), "a coil holds 0 or 1")
                .help("write top = 1: it toggles"),
        );
        return None;
    }
    Some(Watchdog { at, how, top, every: row.small("every_ms").map(Span::from_ms)? })
}
