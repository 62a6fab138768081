//! Reaching a broker: its address, its connection, the password that it wants.

use super::{Dial, UplinkFault};
use crate::io::clock::duration;
use crate::model::time::Span;
use std::io::{self, Read};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

/// How long one address may take to accept a connection: a radio link needs a second or two to wake up.
const DIAL_LIMIT: Span = Span::from_secs(5);

/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Longest password file, in bytes; MQTT allows a password of 65,535.
const PASSWORD_MAX: u64 = 65_535;

/// How long reading it may take: it lies on this machine, or on a share that answers by then or is dead.
const PASSWORD_LIMIT: Span = Span::from_secs(2);

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

/// A file with a password: one line, whose line end is not part of the password.
pub(super) struct PasswordFile {
    path: String,
    reading: Option<JoinHandle<io::Result<String>>>,
}

impl PasswordFile {
    pub(super) fn new(path: String) -> PasswordFile {
        PasswordFile { path, reading: None }
    }

    /// Reads it, on a thread that may block. One that hangs is waited for again at the next call, so that a share that
    /// is dead costs one thread and not one an attempt.
    pub(super) async fn read(&mut self) -> Result<String, UplinkFault> {
        let path = self.path.clone();
        let reading = self.reading.get_or_insert_with(|| spawn_blocking(move || read_password(&path)));
        let read = timeout(duration(PASSWORD_LIMIT), reading).await;
        if read.is_ok() {
            self.reading = None;
        }
        let why = match read {
            Ok(Ok(Ok(password))) => return Ok(password),
            Ok(Ok(Err(e))) => e.to_string(),
            Ok(Err(e)) => e.to_string(),
            Err(_) => format!("it does not come within {PASSWORD_LIMIT}"),
        };
        Err(UplinkFault::Password(format!("{}: {why}", self.path)))
    }
}

fn read_password(path: &str) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(PASSWORD_MAX).read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
