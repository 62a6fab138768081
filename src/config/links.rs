//! Addresses of lines and brokers: `tcp://host:port`, `mqtt://host:port`.

use super::faults::{Fault, Faults, Place, quoted};
use super::read::Row;

/// What an address must look like.
pub(super) struct Scheme {
    pub(super) scheme: &'static str,
    /// The port where none is written.
    pub(super) port: u16,
    /// What is reached, for messages.
    pub(super) what: &'static str,
}

/// Host and port at `key` of `row`.
pub(super) fn address(row: &Row, key: &str, wanted: &Scheme, faults: &mut Faults) -> Option<(String, u16)> {
    match parse(row.str(key)?, wanted, &row.at(key)) {
        Ok(address) => Some(address),
        Err(fault) => {
            faults.push(*fault);
            None
        }
    }
}

fn parse(text: &str, wanted: &Scheme, place: &Place) -> Result<(String, u16), Box<Fault>> {
    let Scheme { scheme, port, what } = wanted;
    let fault = |code, message: String, label: &str| {
        let help = format!("write \"{scheme}://host:port\", as \"{scheme}://10.0.0.5:{port}\"");
        Box::new(Fault::error(code, place.clone(), message).label(label).help(help))
    };
    let Some((given, rest)) = text.split_once("://") else {
        return Err(fault(
            "bad-address",
            format!("{} is no address of a {what}", quoted(text)),
            "no `://` in it",
        ));
    };
    if given != *scheme {
        let begin = quoted(&format!("{given}://"));
        let message = format!("{what} addresses that begin with {begin} are not yet supported");
        return Err(fault("unsupported-address", message, &format!("use {scheme}://")));
    }
    if rest.contains('@') {
        let message = format!("user and password do not belong into the address of a {what}");
        let mut fault = fault("bad-address", message, "before the @");
        fault.help = "take them out; a [[destination]] has user = \"…\" and password_file = \"…\"".to_owned();
        return Err(fault);
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, digits) = split(rest);
    let host_fits = !host.is_empty()
        && host.len() <= MAX_HOST
        && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'))
        && (!host.contains(':') || rest.starts_with('['));
    if !host_fits {
        return Err(fault(
            "bad-address",
            format!("{} is no host name or address", quoted(host)),
            "which host?",
        ));
    }
    match digits.map(str::parse::<u16>) {
        None => Ok((host.to_owned(), *port)),
        Some(Ok(port)) if port > 0 => Ok((host.to_owned(), port)),
        Some(Ok(_) | Err(_)) => {
            let message = format!("{} is no TCP port", quoted(digits.unwrap_or_default()));
            Err(fault("bad-address", message, "a port is 1 to 65535"))
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
    use crate::config::faults::Source;
    use std::sync::Arc;

    fn parsed(text: &str) -> Result<(String, u16), &'static str> {
        let source = Arc::new(Source { name: "x".to_owned(), text: text.to_owned() });
        let wanted = Scheme { scheme: "tcp", port: 502, what: "bus" };
        parse(text, &wanted, &Place::new(&source, 0..text.len())).map_err(|fault| fault.code)
    }

    #[test]
    fn hosts_and_ports_are_told_apart() {
        assert_eq!(parsed("tcp://10.0.0.5:1502"), Ok(("10.0.0.5".to_owned(), 1502)));
        assert_eq!(parsed("tcp://plc-7.mine.local"), Ok(("plc-7.mine.local".to_owned(), 502)));
        assert_eq!(parsed("tcp://[fe80::1]:502/"), Ok(("fe80::1".to_owned(), 502)));
        assert_eq!(parsed("tcp://[::1]"), Ok(("::1".to_owned(), 502)));
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
        ] {
            assert_eq!(parsed(text), Err("bad-address"), "{text}");
        }
        for text in ["rtu:///dev/ttyS0", "tls://h", "TCP://h"] {
            assert_eq!(parsed(text), Err("unsupported-address"), "{text}");
        }
    }
}
