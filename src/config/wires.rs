//! Where lines lead, however their addresses are written: a serial port is held by one bus alone, and two addresses of
//! one server reach the same devices.

use super::faults::{Fault, Faults, Place};
use super::read::Row;
use super::site::Compiler;
use crate::model::link::Link;
use crate::model::plan::Plan;
use crate::model::table::{BusId, DeviceId, Table};
use core::net::IpAddr;
use std::collections::BTreeMap;

/// What two links to the same place have in common. Names of hosts are written in any case, the own machine has several,
/// and a path may go round about.
pub(super) fn destination(link: &Link) -> String {
    match link {
        Link::Tcp { host, port } | Link::Tls { host, port, .. } | Link::RtuTcp { host, port, .. } => {
            format!("{}:{port}", host_name(host))
        }
        Link::Serial { path, .. } => straight(path),
        // Two modems dial in at one port, and are told apart by what they say first.
        Link::Listen { .. } => link.to_string(),
    }
}

fn host_name(host: &str) -> String {
    let name = host.to_ascii_lowercase();
    let name = name.trim_end_matches('.');
    match name.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(address)
            if address == IpAddr::from([127, 0, 0, 1]) || address.is_ipv6() && address.is_loopback() =>
        {
            "localhost".to_owned()
        }
        Ok(address) => address.to_string(),
        Err(_) => name.to_owned(),
    }
}

/// A path without its detours. Behind a symbolic link `..` may lead elsewhere; who can look at the file system does.
fn straight(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Two buses on one serial port, `own` and `first`.
fn one_port(own: &Place, first: &Place, link: &Link) -> Fault {
    Fault::error("same-port", own.clone(), format!("two buses on one serial port, {link}"))
        .label("taken: one bus holds the port, and the other is never heard")
        .help("put all devices of the port on one bus, or name the other port: `ls -l /dev/serial/by-id` shows which there are")
        .other(first, "first used here")
}

/// Buses on one serial port, by what `real` says that a path is: two names may lead to one file.
pub(super) fn shared_ports(
    plan: &Plan,
    places: &Table<BusId, Place>,
    real: impl Fn(&str) -> Option<String>,
    faults: &mut Faults,
) {
    let mut held: BTreeMap<String, BusId> = BTreeMap::new();
    for (id, bus) in plan.buses.iter() {
        let Link::Serial { path, .. } = &bus.link else { continue };
        let Some(file) = real(path) else { continue };
        match held.get(&file) {
            None => drop(held.insert(file, id)),
            Some(first) => faults.push(one_port(&places[id], &places[*first], &bus.link)),
        }
    }
}

impl Compiler<'_> {
    /// Says where another bus leads to the same place.
    pub(super) fn same_link(&mut self, row: &Row, link: &Link) {
        let reached = destination(link);
        let Some(first) = self.links.get(&reached) else {
            self.links.insert(reached, row.at("link"));
            return;
        };
        self.faults.push(match link {
            Link::Serial { .. } => one_port(&row.at("link"), first, link),
            Link::Tcp { .. } | Link::Tls { .. } | Link::RtuTcp { .. } | Link::Listen { .. } => {
                Fault::warning("same-link", row.at("link"), format!("two buses go to {link}"))
                    .label("the same address")
                    .help("put the devices on one bus: many serial servers and controllers take one connection only")
                    .other(first, "first used here")
            }
        });
    }

    /// Outputs of unit 0: a gateway hands a write to it on to everybody behind it. On serial lines nobody is unit 0, and
    /// that has been told.
    pub(super) fn broadcasts(&mut self) {
        let rows: Vec<&Row> = self.root.tables("device").collect();
        for row in rows {
            let Some(id) = row.str("id").and_then(|id| self.devices.get(id)).copied() else { continue };
            let device = &self.plan.devices[id];
            if device.unit != 0 || self.plan.buses[device.bus].link.is_rtu() {
                continue;
            }
            let Some(written) = self.written_there(id) else { continue };
            let message =
                format!("{written} would be written to unit 0, which is everybody behind a gateway");
            self.faults.push(
                Fault::error("broadcast", row.at("unit"), message).label("may be read, never written").help(
                    "give the device a unit number of its own, 1 to 247, or 255 where it is reached directly",
                ),
            );
        }
    }

    /// What is written to the device, in words.
    fn written_there(&self, id: DeviceId) -> Option<String> {
        let element = self.plan.elements.values().find(|element| element.device == id);
        let watchdog = self.plan.devices[id].watchdog;
        element
            .map(|element| format!("`{}`", element.tag))
            .or_else(|| watchdog.map(|_| format!("the watchdog of `{}`", self.plan.devices[id].tag)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::links::parse;
    use super::*;

    fn to(link: &str) -> String {
        destination(&parse(link).unwrap())
    }

    #[test]
    fn one_place_is_written_in_many_ways() {
        for (one, other) in [
            ("tcp://127.0.0.1:1502", "tcp://LocalHost:1502"),
            ("tcp://[::1]:1502", "rtu+tcp://localhost:1502"),
            ("tcp://[0:0::1]:1502", "tcp://127.0.0.1:1502"),
            ("tcp://PLC-7.mine.", "tcp://plc-7.mine:502"),
            ("tcp://[::ffff:10.0.0.5]", "tcp://10.0.0.5"),
            ("rtu:///dev/ttyS1?baud=9600", "rtu:///dev//./x/../ttyS1?baud=19200&parity=even"),
        ] {
            assert_eq!(to(one), to(other), "{one} {other}");
        }
        for (one, other) in [
            ("tcp://127.0.0.1:1502", "tcp://127.0.0.2:1502"),
            ("tcp://h:1502", "tcp://h:1503"),
            ("rtu:///dev/ttyS1?baud=9600", "rtu:///dev/ttys1?baud=9600"),
            ("rtu+listen://0.0.0.0:4002?id=A", "rtu+listen://0.0.0.0:4002?id=a"),
        ] {
            assert_ne!(to(one), to(other), "{one} {other}");
        }
    }
}
