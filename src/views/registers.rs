//! Every cell that a site reads and writes: where it lies, how it is read, and what it held last.

use super::explain::lasting;
use super::sheet::Sheet;
use crate::field::codec::{Cells, reading};
use crate::field::written::{encoded, manual};
use crate::model::element::Mode;
use crate::model::plan::{Plan, Point};
use crate::model::point::Displayed;
use crate::model::register::{Encoding, Location, ReadBlock, Scan, Space, Write};
use crate::model::table::{DeviceId, PointId};
use crate::model::time::{Mono, Span};
use serde_json::{Value, json};

/// What a block of a device held when it was read last.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Its device's id.
    pub device: String,
    /// The block.
    pub block: ReadBlock,
    /// Its cells.
    pub cells: Cells,
    /// How long ago that was.
    pub age: Span,
}

impl Heard {
    /// As it goes over the command socket.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let cells: Vec<u16> = (0..usize::from(self.block.count)).filter_map(|n| self.cells.get(n)).collect();
        let space = self.block.at.space.as_str();
        json!({ "device": self.device, "space": space, "address": self.block.at.address, "age_ms": self.age.ms(),
            "cells": cells })
    }

    /// From what came over the command socket; `None` where that is nothing of the kind.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Heard> {
        let text = |key: &str| value.get(key)?.as_str();
        let number = |key: &str| value.get(key)?.as_u64();
        let space = Space::ALL.into_iter().find(|s| text("space") == Some(s.as_str()))?;
        let cells = value.get("cells")?.as_array()?;
        let words: Option<Vec<u16>> = cells.iter().map(|c| u16::try_from(c.as_u64()?).ok()).collect();
        let words = words?;
        let at = Location { space, address: number("address")?.try_into().ok()? };
        let block = ReadBlock { at, count: words.len().try_into().ok()?, scan: Scan::Fast };
        let cells = match space.is_bits() {
            true => Cells::Bits(words.iter().map(|word| *word != 0).collect()),
            false => Cells::Words(words),
        };
        Some(Heard {
            device: text("device")?.to_owned(),
            block,
            cells,
            age: Span::from_ms(number("age_ms")?),
        })
    }

    fn holds(&self, at: Location, encoding: Encoding) -> bool {
        let (from, own) = (u32::from(at.address), u32::from(self.block.at.address));
        let end = from.saturating_add(u32::from(encoding.cells()));
        at.space == self.block.at.space
            && own <= from
            && end <= own.saturating_add(u32::from(self.block.count))
    }
}

/// The list. `heard` is what a running agent heard last; `None` where none runs.
#[must_use]
pub fn to_text(plan: &Plan, heard: Option<&[Heard]>) -> String {
    let mut text = format!("Registers of {} ({})\n", plan.gateway, plan.name.en);
    text.push_str(match heard {
        Some(_) => "The last values are those of the running agent.\n",
        None => "The last values are not known: no agent runs on the state folder of this file.\n",
    });
    for (bus, line) in plan.buses.iter() {
        text.push_str(&format!("\nline {}: {}\n", line.tag, line.link));
        let mut sheet = Sheet::new([
            "unit", "device", "what", "", "place", "manual", "type", "reckoned", "scan", "raw", "reads",
        ]);
        for (id, device) in plan.devices_on(bus) {
            let known: Vec<&Heard> =
                heard.into_iter().flatten().filter(|h| h.device == device.tag.as_str()).collect();
            for (_, point) in plan.points_of(id) {
                point_rows(plan, id, point, heard.is_some(), &known, &mut sheet);
            }
            command_rows(plan, id, &mut sheet);
        }
        if sheet.is_empty() {
            text.push_str("  nothing is read or written\n");
        } else {
            text.push_str(&sheet.text());
        }
    }
    text
}

fn point_rows(plan: &Plan, id: DeviceId, point: &Point, runs: bool, known: &[&Heard], sheet: &mut Sheet) {
    let field = &point.field;
    let device = &plan.devices[id];
    let mut add =
        |what: &str, role: &str, (at, encoding): (Location, Encoding), reckoned: String, reads: String| {
            let raw = raw(known, at, encoding).unwrap_or_else(|| "not known".to_owned());
            sheet.row(vec![
                device.unit.to_string(),
                device.tag.to_string(),
                what.to_owned(),
                role.to_owned(),
                format!("{}:{}", at.space.as_str(), at.address),
                manual(at),
                encoded(encoding),
                reckoned,
                field.scan.as_str().to_owned(),
                raw,
                reads,
            ]);
        };
    let reads = match known.iter().find(|h| field.places().all(|(at, encoding)| h.holds(at, encoding))) {
        Some(heard) => {
            let reading = reading(field, point.unit, heard.block, &heard.cells, Mono::START);
            let value = reading.value.map_or_else(
                || "--".to_owned(),
                |value| format!("{} {}", Displayed::text(value, point.decimals), point.unit),
            );
            format!("{value} {}, {} ago", reading.quality, lasting(heard.age))
        }
        None if runs => "not read yet".to_owned(),
        None => "not known".to_owned(),
    };
    let scale =
        if field.scale.total_cmp(&1.0).is_eq() { String::new() } else { format!(" x {}", field.scale) };
    let offset = if field.offset == 0.0 { String::new() } else { format!(" + {}", field.offset) };
    let value = (field.at, field.encoding);
    add(point.tag.as_str(), "value", value, format!("{}{scale}{offset}", point.unit), reads);
    if let Some(place) = field.decimals {
        add(point.tag.as_str(), "decimals", place, String::new(), String::new());
    }
    if let Some(unit) = &field.unit {
        add(point.tag.as_str(), "unit", (unit.at, unit.encoding), String::new(), String::new());
    }
    for status in field.statuses.iter() {
        add(point.tag.as_str(), "status", (status.at, status.encoding), String::new(), String::new());
    }
}

fn command_rows(plan: &Plan, id: DeviceId, sheet: &mut Sheet) {
    let device = &plan.devices[id];
    for (_, element) in plan.elements.iter().filter(|(_, e)| e.device == id) {
        let command = &element.command;
        let (how, mask) = match command.how {
            Write::Single if command.at.space.is_bits() => ("function 5", String::new()),
            Write::Single => ("function 6", String::new()),
            Write::Multiple if command.at.space.is_bits() => ("function 15", String::new()),
            Write::Multiple => ("function 16", String::new()),
            Write::Mask(mask) => ("function 22", format!(", mask {mask:#06x}")),
        };
        let release = command.release.map_or_else(|| "never released".to_owned(), |v| format!("release {v}"));
        let scan = match element.mode {
            Mode::Act => "written",
            Mode::Observe => "observed",
        };
        sheet.row(vec![
            device.unit.to_string(),
            device.tag.to_string(),
            element.tag.to_string(),
            "command".to_owned(),
            format!("{}:{}", command.at.space.as_str(), command.at.address),
            manual(command.at),
            how.to_owned(),
            format!("trip {}, {release}{mask}", command.trip),
            scan.to_owned(),
            String::new(),
            format!("read back at {}", place_of(plan, element.readback)),
        ]);
    }
    if let Some(watchdog) = &device.watchdog {
        sheet.row(vec![
            device.unit.to_string(),
            device.tag.to_string(),
            "watchdog".to_owned(),
            "written".to_owned(),
            format!("{}:{}", watchdog.at.space.as_str(), watchdog.at.address),
            manual(watchdog.at),
            String::new(),
            format!("counts to {}", watchdog.top),
            format!("every {}", lasting(watchdog.every)),
        ]);
    }
}

fn place_of(plan: &Plan, point: PointId) -> String {
    let at = plan.points[point].field.at;
    format!("{}:{}", at.space.as_str(), at.address)
}

/// The cells of a value as they lie on the wire.
fn raw(known: &[&Heard], at: Location, encoding: Encoding) -> Option<String> {
    let heard = known.iter().find(|h| h.holds(at, encoding))?;
    let first = usize::from(at.address.checked_sub(heard.block.at.address)?);
    let cells: Option<Vec<String>> = (0..usize::from(encoding.cells()))
        .map(|n| {
            let cell = heard.cells.get(first.checked_add(n)?)?;
            Some(if at.space.is_bits() { cell.to_string() } else { format!("{cell:04x}") })
        })
        .collect();
    cells.map(|cells| cells.join(" "))
}
