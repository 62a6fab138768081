//! Addresses of lines and brokers: `tcp://host:port`, `rtu:///dev/ttyUSB0?baud=9600`, `mqtt://host:port`.

use super::faults::{Fault, Faults, quoted};
use super::read::Row;
use crate::model::link::{Link, Pace, Parity, TlsFiles};
use std::collections::BTreeMap;

/// The port of Modbus/TCP.
const MODBUS: u16 = 502;

/// The port of Modbus/TCP Security.
const MODBUS_TLS: u16 = 802;

/// The port of MQTT.
const MQTT: u16 = 1883;

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLink {
    code: &'static str,
    /// What is wrong.
    pub message: String,
    label: String,
    /// What to write instead.
    pub help: String,
}

/// The forms in which a line may be written.
const FORMS: &str = "a line is written \"tcp://10.0.0.5:502\", \"rtu:///dev/serial/by-id/NAME?baud=9600&parity=none&stop=1\", \
     \"rtu+tcp://10.0.0.5:4001\", \"tls://host:802?ca=FILE&cert=FILE&key=FILE\" or \"rtu+listen://0.0.0.0:4002?id=TEXT\"";

fn bad(message: String, label: &str) -> BadLink {
    BadLink { code: "bad-address", message, label: label.to_owned(), help: FORMS.to_owned() }
}

/// The line at `key` of `row`.
pub(super) fn link_at(row: &Row, key: &str, faults: &mut Faults) -> Option<Link> {
    told(row, key, parse(row.str(key)?), faults)
}

/// Host and port of the broker at `key` of `row`.
pub(super) fn broker_at(row: &Row, key: &str, faults: &mut Faults) -> Option<(String, u16)> {
    told(row, key, broker(row.str(key)?), faults)
}

fn told<T>(row: &Row, key: &str, parsed: Result<T, BadLink>, faults: &mut Faults) -> Option<T> {
    parsed
        .map_err(|BadLink { code, message, label, help }| {
            faults.push(Fault::error(code, row.at(key), message).label(&label).help(help));
        })
        .ok()
}

fn broker(text: &str) -> Result<(String, u16), BadLink> {
    let help = |bad: BadLink| BadLink {
        help: format!("write \"mqtt://host:port\", as \"mqtt://10.0.0.5:{MQTT}\""),
        ..bad
    };
    let (scheme, rest) = scheme(text, "broker").map_err(help)?;
    if scheme != "mqtt" {
        return Err(help(unsupported(scheme, "broker", "use mqtt://")));
    }
    if rest.contains('@') {
        let message = "user and password do not belong into the address of a broker".to_owned();
        let help = "take them out; a [[destination]] has user = \"…\" and password_file = \"…\"".to_owned();
        return Err(BadLink { help, ..bad(message, "before the @") });
    }
    host_and_port(rest, Some(MQTT)).map_err(help)
}

/// A line as people write it, in a site file and on a command line alike.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn parse(text: &str) -> Result<Link, BadLink> {
    let (scheme, rest) = scheme(text, "bus")?;
    link(scheme, rest).map_err(|bad| match scheme {
        "tcp" => BadLink { help: "write \"tcp://host:port\", as \"tcp://10.0.0.5:502\"".to_owned(), ..bad },
        _ => bad,
    })
}

fn link(scheme: &str, rest: &str) -> Result<Link, BadLink> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut query = Query::of(query)?;
    let link = match scheme {
        "tcp" => {
            let (host, port) = host_and_port(place, Some(MODBUS))?;
            Link::Tcp { host, port }
        }
        "tls" => {
            let (host, port) = host_and_port(place, Some(MODBUS_TLS))?;
            let files =
                TlsFiles { ca: query.must("ca")?, cert: query.must("cert")?, key: query.must("key")? };
            Link::Tls { host, port, files }
        }
        "rtu+tcp" => {
            let (host, port) = host_and_port(place, None)?;
            Link::RtuTcp { host, port, pace: query.pace()? }
        }
        "rtu+listen" => {
            let (host, port) = host_and_port(place, None)?;
            let id = id(&query.must("id")?)?;
            Link::Listen { host, port, id, pace: query.pace()? }
        }
        "rtu" => {
            if !place.starts_with('/') || place.len() < 2 {
                let label = "three strokes: rtu:///dev/…";
                return Err(bad(format!("{} is no device file", quoted(place)), label));
            }
            let Some(pace) = query.pace()? else {
                return Err(bad(
                    "a serial line without a speed".to_owned(),
                    "add ?baud=9600 (and parity, stop)",
                ));
            };
            let rs485 = match query.take("rs485").as_deref() {
                None | Some("off") => false,
                Some("on") => true,
                Some(other) => {
                    return Err(bad(format!("rs485 = {} is neither on nor off", quoted(other)), "on or off"));
                }
            };
            Link::Serial { path: place.to_owned(), pace, rs485 }
        }
        other => return Err(unsupported(other, "bus", "use tcp, rtu, rtu+tcp, tls or rtu+listen")),
    };
    query.all_taken()?;
    Ok(link)
}

/// A line as [`parse`] reads it, with all that it is.
#[must_use]
pub fn written(link: &Link) -> String {
    let pace = |pace: &Option<Pace>| pace.map(|pace| pace.to_string());
    match link {
        Link::Tcp { .. } => link.to_string(),
        Link::Tls { files, .. } => format!("{link}?ca={}&cert={}&key={}", files.ca, files.cert, files.key),
        Link::RtuTcp { pace: known, .. } => match pace(known) {
            Some(pace) => format!("{link}?{pace}"),
            None => link.to_string(),
        },
        Link::Serial { pace, rs485, .. } => {
            format!("{link}?{pace}{}", if *rs485 { "&rs485=on" } else { "" })
        }
        Link::Listen { host, port, id, pace: known } => {
            let place = Link::Tcp { host: host.clone(), port: *port }.to_string();
            let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            let pace = pace(known).map(|pace| format!("&{pace}")).unwrap_or_default();
            format!("rtu+listen{}?id=0x{id}{pace}", place.trim_start_matches("tcp"))
        }
    }
}

fn scheme<'a>(text: &'a str, what: &str) -> Result<(&'a str, &'a str), BadLink> {
    text.split_once("://")
        .ok_or_else(|| bad(format!("{} is no address of a {what}", quoted(text)), "no `://` in it"))
}

fn unsupported(scheme: &str, what: &str, label: &str) -> BadLink {
    let begin = quoted(&format!("{scheme}://"));
    let message = format!("{what} addresses that begin with {begin} are not supported");
    BadLink { code: "unsupported-address", ..bad(message, label) }
}

/// What a modem says first: text, or bytes written as `0x…`.
fn id(text: &str) -> Result<Vec<u8>, BadLink> {
    let wrong = |label: &str| bad(format!("{} can't be what a modem says first", quoted(text)), label);
    let bytes = match text.strip_prefix("0x") {
        None => text.as_bytes().to_vec(),
        Some(digits) if digits.is_ascii() && digits.len() % 2 == 0 => {
            let byte = |n: usize| u8::from_str_radix(digits.get(n..n + 2)?, 16).ok();
            let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
            bytes.ok_or_else(|| wrong("0x and pairs of 0-9 a-f"))?
        }
        Some(_) => return Err(wrong("0x and pairs of 0-9 a-f")),
    };
    if bytes.is_empty() || bytes.len() > MAX_ID {
        return Err(wrong("1 to 64 bytes"));
    }
    Ok(bytes)
}

/// Longest registration of a modem, in bytes.
const MAX_ID: usize = 64;

/// What follows the question mark of a link.
struct Query<'a> {
    parts: BTreeMap<&'a str, &'a str>,
}

impl<'a> Query<'a> {
    fn of(text: &'a str) -> Result<Query<'a>, BadLink> {
        let mut parts = BTreeMap::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let Some((key, value)) = part.split_once('=') else {
                return Err(bad(format!("{} says nothing", quoted(part)), "key=value"));
            };
            if parts.insert(key, value).is_some() {
                return Err(bad(format!("{} stands there twice", quoted(key)), "which one?"));
            }
        }
        Ok(Query { parts })
    }

    fn take(&mut self, key: &str) -> Option<String> {
        self.parts.remove(key).map(str::to_owned)
    }

    fn must(&mut self, key: &str) -> Result<String, BadLink> {
        match self.take(key) {
            Some(value) if !value.is_empty() => Ok(value),
            Some(_) | None => {
                Err(bad(format!("`{key}` is missing"), &format!("add {key}=… after the question mark")))
            }
        }
    }

    /// Speed and form of the characters, where a speed is given.
    fn pace(&mut self) -> Result<Option<Pace>, BadLink> {
        let (baud, parity, stop) = (self.take("baud"), self.take("parity"), self.take("stop"));
        let Some(baud) = baud else {
            return match (parity, stop) {
                (None, None) => Ok(None),
                _ => Err(bad("parity or stop without a speed".to_owned(), "add baud=…")),
            };
        };
        let (slowest, fastest) = Pace::BAUD;
        let baud = match baud.parse() {
            Ok(baud) if (slowest..=fastest).contains(&baud) => baud,
            _ => {
                return Err(bad(
                    format!("baud = {} is no speed", quoted(&baud)),
                    &format!("{slowest} to {fastest}"),
                ));
            }
        };
        let parity = match parity {
            None => Parity::None,
            Some(text) => *Parity::ALL
                .iter()
                .find(|p| p.as_str() == text)
                .ok_or_else(|| bad(format!("parity = {} is none", quoted(&text)), "none, even or odd"))?,
        };
        let stop = match stop.as_deref() {
            None | Some("1") => 1,
            Some("2") => 2,
            Some(text) => {
                return Err(bad(format!("stop = {} is no number of stop bits", quoted(text)), "1 or 2"));
            }
        };
        Ok(Some(Pace { baud, parity, stop }))
    }

    fn all_taken(&self) -> Result<(), BadLink> {
        match self.parts.keys().next() {
            None => Ok(()),
            Some(key) => Err(bad(format!("{} means nothing in this address", quoted(key)), "take it out")),
        }
    }
}

fn host_and_port(rest: &str, default: Option<u16>) -> Result<(String, u16), BadLink> {
    if rest.contains('@') {
        return Err(bad("a line has neither user nor password".to_owned(), "before the @"));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, digits) = split(rest);
    let host_fits = !host.is_empty()
        && host.len() <= MAX_HOST
        && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'))
        && (!host.contains(':') || rest.starts_with('['));
    if !host_fits {
        return Err(bad(format!("{} is no host name or address", quoted(host)), "which host?"));
    }
    match (digits.map(str::parse::<u16>), default) {
        (Some(Ok(port @ 1..)), _) => Ok((host.to_owned(), port)),
        (None, Some(port)) => Ok((host.to_owned(), port)),
        (None, None) => Err(bad("the port is missing".to_owned(), "add :port")),
        (Some(_), _) => {
            let message = format!("{} is no TCP port", quoted(digits.unwrap_or_default()));
            Err(bad(message, "a port is 1 to 65535"))
        }
    }
}

/// Longest host name of the DNS, in bytes.
const MAX_HOST: usize = 253;

/// `host` and `port` of `host`, `host:port`, `[v6]` and `[v6]:port`.
fn split(rest: &str) -> (&str, Option<&str>) {
    if let Some((host, tail)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        return (host, if tail.is_empty() { None } else { Some(tail.strip_prefix(':').unwrap_or("")) });
    }
    match rest.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tcp(text: &str) -> Result<(String, u16), &'static str> {
        match parse(text) {
            Ok(Link::Tcp { host, port }) => Ok((host, port)),
            Ok(other) => panic!("{other}"),
            Err(bad) => Err(bad.code),
        }
    }

    #[test]
    fn hosts_and_ports_are_told_apart() {
        assert_eq!(tcp("tcp://10.0.0.5:1502"), Ok(("10.0.0.5".to_owned(), 1502)));
        assert_eq!(tcp("tcp://plc-7.mine.local"), Ok(("plc-7.mine.local".to_owned(), 502)));
        assert_eq!(tcp("tcp://[fe80::1]:502/"), Ok(("fe80::1".to_owned(), 502)));
        assert_eq!(tcp("tcp://[::1]"), Ok(("::1".to_owned(), 502)));
    }

    #[test]
    fn every_kind_of_line_can_be_written() {
        let slow = Pace { baud: 9_600, parity: Parity::Even, stop: 1 };
        for (text, link) in [
            (
                "rtu:///dev/serial/by-id/usb-1?baud=9600&parity=even&stop=1&rs485=on",
                Link::Serial { path: "/dev/serial/by-id/usb-1".to_owned(), pace: slow, rs485: true },
            ),
            ("rtu+tcp://h:4001", Link::RtuTcp { host: "h".to_owned(), port: 4001, pace: None }),
            (
                "rtu+tcp://h:4001?baud=9600&parity=even",
                Link::RtuTcp { host: "h".to_owned(), port: 4001, pace: Some(slow) },
            ),
            (
                "rtu+listen://0.0.0.0:4002?id=0x41e5",
                Link::Listen { host: "0.0.0.0".to_owned(), port: 4002, id: vec![0x41, 0xe5], pace: None },
            ),
            (
                "tls://h?ca=ca.pem&cert=us.pem&key=us.key",
                Link::Tls {
                    host: "h".to_owned(),
                    port: 802,
                    files: TlsFiles {
                        ca: "ca.pem".to_owned(),
                        cert: "us.pem".to_owned(),
                        key: "us.key".to_owned(),
                    },
                },
            ),
        ] {
            assert_eq!(parse(text), Ok(link), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "10.0.0.5",
            "tcp://",
            "tcp://:502",
            "tcp://h:0",
            "tcp://h:65536",
            "tcp://h:",
            "tcp://a b",
            "tcp://fe80::1",
            "tcp://u:p@h",
            "tcp://[::1]x",
            "tcp://h?baud=9600",
            "rtu:///dev/ttyS0",
            "rtu://dev/ttyS0?baud=9600",
            "rtu:///dev/ttyS0?baud=1",
            "rtu:///dev/ttyS0?baud=9600&parity=mark",
            "rtu:///dev/ttyS0?baud=9600&stop=3",
            "rtu:///dev/ttyS0?baud=9600&baud=9600",
            "rtu:///dev/ttyS0?baud=9600&rs485=maybe",
            "rtu:///dev/ttyS0?baud",
            "rtu+tcp://h",
            "rtu+tcp://h:1?parity=even",
            "tls://h",
            "rtu+listen://h:1",
            "rtu+listen://h:1?id=0x4",
            "rtu+listen://h:1?id=0xé",
        ] {
            assert_eq!(parse(text).map_err(|bad| bad.code), Err("bad-address"), "{text}");
        }
        for text in ["TCP://h", "modbus://h"] {
            assert_eq!(parse(text).map_err(|bad| bad.code), Err("unsupported-address"), "{text}");
        }
    }

    #[test]
    fn a_broker_has_no_password_in_its_address() {
        assert_eq!(broker("mqtt://h"), Ok(("h".to_owned(), 1883)));
        assert_eq!(broker("mqtts://h").map_err(|bad| bad.code), Err("unsupported-address"));
        assert!(broker("mqtt://u:p@h").is_err_and(|bad| bad.help.contains("password_file")));
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_none(text in "(tcp|rtu|rtu\\+tcp|rtu\\+listen|tls)://\\PC{0,40}") {
            drop(parse(&text));
        }
    }
}
