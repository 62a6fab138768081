//! Reaching a broker: its address, its connection, the password that it wants.

use super::{Dial, UplinkFault};
use crate::io::clock::duration;
use crate::model::time::Span;
use std::io::Read;
use std::{fmt, io};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// How long one address may take to accept a connection: a radio link needs a second or two to wake up.
const DIAL_LIMIT: Span = Span::from_secs(5);

/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Longest password file, in bytes; MQTT allows a password of 65,535.
const PASSWORD_MAX: u64 = 65_535;

/// Plain TCP.
pub(super) struct Tcp {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Dial for Tcp {
    type Stream = TcpStream;

    /// Each address of the name gets its own time limit, so that a dead IPv6 route does not hide a working IPv4.
    async fn dial(&mut self) -> Result<TcpStream, UplinkFault> {
        let unreachable = |e: io::Error| UplinkFault::Unreachable(e.to_string());
        let late = |what: &str| UplinkFault::Unreachable(format!("no answer {what} within {DIAL_LIMIT}"));
        let lookup = timeout(duration(DIAL_LIMIT), lookup_host((self.host.as_str(), self.port))).await;
        let addresses = lookup.map_err(|_| late("from the name service"))?.map_err(unreachable)?;
        let mut fault = UplinkFault::Unreachable("the name has no address".to_owned());
        for address in addresses.take(ADDRESSES_MAX) {
            match timeout(duration(DIAL_LIMIT), TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Without this a small alarm waits for the acknowledgement of the packet before it.
                    stream.set_nodelay(true).map_err(unreachable)?;
                    return Ok(stream);
                }
                Ok(Err(e)) => fault = unreachable(e),
                Err(_) => fault = late(&format!("from {address}")),
            }
        }
        Err(fault)
    }
}

/// Reads a password file: one line, whose line end is not part of the password. On a thread that may block.
pub(super) async fn read_password(file: String) -> Result<String, UplinkFault> {
    let read = tokio::task::spawn_blocking(move || {
        let why = |what: &dyn fmt::Display| UplinkFault::Password(format!("{file}: {what}"));
        let mut text = String::new();
        let opened = std::fs::File::open(&file).map_err(|e| why(&e))?;
        opened.take(PASSWORD_MAX).read_to_string(&mut text).map_err(|e| why(&e))?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    });
    read.await.unwrap_or_else(|e| Err(UplinkFault::Password(e.to_string())))
}
