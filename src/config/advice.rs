//! What a compiler can't know and an engineer should: duties of an area kind that nothing fulfils, devices that
//! nobody reads, trips with effects that only watch, lines that are asked for more than they can carry.

use super::elements::TABLES;
use super::faults::{Fault, quoted};
use super::site::Compiler;
use crate::field::timing::{Forecast, forecast, shortest_answer};
use crate::model::element::{ElementKind, Mode};
use crate::model::plan::Subject;
use crate::model::table::{AreaId, DeviceId};
use crate::model::time::Span;
use std::collections::BTreeSet;

/// How long a trip may wait for a cause to be read, and again for its line to be free: of the 2 s that a local cut may
/// take by common rules for mines, each of the two alone would take all.
const MAX_WAIT: Span = Span::from_secs(2);

impl Compiler<'_> {
    pub(super) fn advice(&mut self) {
        self.duties();
        self.unread_devices();
        self.idle_elements();
        self.idle_cuts();
        self.loads();
        self.slow_lines();
        self.slow_causes();
        if self.plan.destinations.is_empty()
            && !self.root.list("point").is_empty()
            && !self.root.has("destination")
        {
            let message = "nobody is told: there is no [[destination]]";
            self.faults.push(
                Fault::warning("no-destination", self.root.place.clone(), message)
                    .help("add a [[destination]] with broker = \"mqtt://host:port\"; events are kept on this gateway either way"),
            );
        }
    }

    fn duties(&mut self) {
        let detectors: BTreeSet<AreaId> =
            self.plan.points.values().filter(|p| p.gas.is_some()).map(|p| p.area).collect();
        let with = |kind| {
            self.plan
                .elements
                .values()
                .filter(move |e| e.kind == kind)
                .map(|e| e.area)
                .collect::<BTreeSet<_>>()
        };
        let (valves, loads) = (with(ElementKind::Valve), with(ElementKind::Load));
        for (area, kind) in self.kinds.iter() {
            for duty in &kind.requires {
                let (fulfilled, what, table) = match duty.as_str() {
                    "gas-detector" => (detectors.contains(&area), "a gas detector", "point"),
                    "shut-off-valve" => (valves.contains(&area), "an emergency shut-off valve", "valve"),
                    _ => (loads.contains(&area), "a load whose power is cut", "load"),
                };
                if !fulfilled {
                    let id = &self.plan.areas[area].tag;
                    let message = format!("{} must have {what}, and `{id}` has none", quoted(&kind.name.en));
                    self.faults.push(
                        Fault::warning("missing-duty", self.area_places[area].clone(), message)
                            .label(format!("lacks {what}"))
                            .help(format!("add a [[{table}]] in area \"{id}\"")),
                    );
                }
            }
        }
    }

    fn unread_devices(&mut self) {
        for (id, device) in self.plan.devices.iter().filter(|(_, d)| d.blocks.is_empty()) {
            let message = format!("nothing of device `{}` is read", device.tag);
            self.faults.push(
                Fault::warning("unread-device", self.device_places[id].clone(), message)
                    .label("never asked, so its loss is never noticed")
                    .help("add a [[point]] for one of its signals, or take the device away"),
            );
        }
    }

    fn idle_elements(&mut self) {
        let used: BTreeSet<_> = self.plan.trips.values().flat_map(|t| t.effects.iter().copied()).collect();
        let rows: Vec<_> = TABLES.iter().flat_map(|(table, _)| self.root.tables(table)).collect();
        for row in rows {
            let Some(id) = row.str("id").and_then(|id| self.elements.get(id)) else { continue };
            let element = &self.plan.elements[*id];
            if !used.contains(id) {
                let message = format!("no trip has `{}` among its effects", element.tag);
                self.faults.push(
                    Fault::warning("idle-element", row.at("id"), message)
                        .label("never demanded")
                        .help(format!("add it to a [[trip]]: effects = [\"{}\"]", element.tag)),
                );
            } else if element.mode == Mode::Observe && self.mode == Mode::Act {
                let message = format!(
                    "`{}` only observes: a trip will say what it would write, and write nothing",
                    element.tag
                );
                self.faults.push(
                    Fault::warning("observes", row.at("mode"), message)
                        .label("writes nothing")
                        .help("take mode = \"observe\" away once the element has been tested"),
                );
            }
        }
    }

    /// Forecast load of each line, and time-outs that no answer can keep.
    fn loads(&mut self) {
        for row in self.root.tables("bus") {
            let Some(id) = row.str("id").and_then(|id| self.buses.get(id)).copied() else { continue };
            let (bus, Forecast { cycle, in_use }) = (&self.plan.buses[id], forecast(&self.plan, id));
            let percent = in_use * 100.0;
            let Some(allowed) = row.small::<u8>("max_use_pct") else { continue };
            if percent <= f64::from(allowed) {
                continue;
            }
            let message = format!(
                "bus `{}` would be busy for {percent:.0} % of the time, of {allowed} % allowed",
                bus.tag
            );
            let (code, label) = ("busy-bus", format!("asking every device once takes {cycle}"));
            let fault = match bus.link.pace() {
                Some(_) => Fault::error(code, row.at("id"), message),
                // Where nobody knows how fast answers come it is only a guess.
                None => Fault::warning(code, row.at("id"), message),
            };
            let help =
                "raise poll_ms, lower gap_ms, raise the baud rate, or split the devices over two buses";
            self.faults.push(fault.label(label).help(help));
        }
        for row in self.root.tables("device") {
            let Some(id) = row.str("id").and_then(|id| self.devices.get(id)).copied() else { continue };
            let device = &self.plan.devices[id];
            let Some(pace) = self.plan.buses[device.bus].link.pace() else { continue };
            let shortest =
                device.blocks.iter().map(|block| shortest_answer(pace, block)).max().unwrap_or_default();
            if device.timeout < shortest {
                let message = format!(
                    "an answer of `{}` takes {shortest} on this wire, and {} are waited for",
                    device.tag, device.timeout
                );
                let key = if row.has("timeout_ms") { "timeout_ms" } else { "id" };
                self.faults.push(
                    Fault::error("timeout-below-wire", row.at(key), message)
                        .label("no answer comes in time")
                        .help("raise timeout_ms: what the wire takes, and what the device needs to answer"),
                );
            }
        }
    }

    /// Lines on which a trip may have to wait for a device that does not answer.
    fn slow_lines(&mut self) {
        for row in self.root.tables("bus") {
            let Some(id) = row.str("id").and_then(|id| self.buses.get(id)).copied() else { continue };
            let bus = &self.plan.buses[id];
            let longest = self.plan.devices_on(id).max_by_key(|(_, device)| device.timeout);
            let Some((_, slowest)) = longest.filter(|_| self.plan.elements_on(id).next().is_some()) else {
                continue;
            };
            let wait = slowest.timeout + bus.gap;
            if wait > MAX_WAIT {
                let message = format!("a trip may wait {wait} for bus `{}` to be free", bus.tag);
                self.faults.push(
                    Fault::warning("slow-line", row.at("id"), message)
                        .label(format!(
                            "`{}` may take {} to answer, and the gap is {}",
                            slowest.tag, slowest.timeout, bus.gap
                        ))
                        .help("lower timeout_ms or gap_ms, or put what is written on a bus of its own"),
                );
            }
        }
    }

    /// Causes that are read so rarely that the poll alone takes what a trip may take.
    fn slow_causes(&mut self) {
        let causes: BTreeSet<_> = self.plan.trips.values().flat_map(|t| t.causes.iter().copied()).collect();
        let devices: BTreeSet<DeviceId> = causes
            .into_iter()
            .filter_map(|alarm| match self.plan.alarms[alarm].subject {
                Subject::Point(point) => Some(self.plan.points[point].device),
                Subject::Device(device) => Some(device),
                // Its own time limit is far longer than a poll.
                Subject::Element(_) => None,
            })
            .collect();
        for id in devices {
            let device = &self.plan.devices[id];
            if device.poll > MAX_WAIT {
                let message =
                    format!("`{}` causes a trip and is read every {} only", device.tag, device.poll);
                self.faults.push(
                    Fault::warning("slow-cause", self.device_places[id].clone(), message)
                        .label("a cause of a trip")
                        .help(format!("lower its poll_ms to at most {}", MAX_WAIT.ms())),
                );
            }
        }
    }
}
