//! How a line is reached, and how fast characters go on it.

use super::time::Span;
use std::fmt;

/// How a line is reached. Frames are those of Modbus/TCP, or those of a serial line (RTU), whatever carries them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Modbus/TCP: `tcp://host:port`.
    Tcp {
        /// Name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// Modbus/TCP Security: `tls://host:port?ca=FILE&cert=FILE&key=FILE`.
    Tls {
        /// Name or address; the server's certificate must be for it.
        host: String,
        /// TCP port.
        port: u16,
        /// Which certificates are trusted, and which one is shown.
        files: TlsFiles,
    },
    /// RTU frames over TCP, to a serial server: `rtu+tcp://host:port?baud=9600`.
    RtuTcp {
        /// Name or address.
        host: String,
        /// TCP port.
        port: u16,
        /// The line behind the server, where it is known: for timing only.
        pace: Option<Pace>,
    },
    /// A serial port: `rtu:///dev/serial/by-id/NAME?baud=9600&parity=even&stop=1&rs485=on`.
    Serial {
        /// The device file.
        path: String,
        /// Speed and form of characters.
        pace: Pace,
        /// Whether the driver is to switch the direction of an RS-485 line.
        rs485: bool,
    },
    /// RTU frames over TCP, from a modem that dials in: `rtu+listen://addr:port?id=TEXT` (or `id=0x…`).
    Listen {
        /// The address to listen at.
        host: String,
        /// TCP port.
        port: u16,
        /// What the modem says first on each connection; by it the line is known.
        id: Vec<u8>,
        /// The line behind the modem, where it is known: for timing only.
        pace: Option<Pace>,
    },
}

/// The PEM files of a TLS connection.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TlsFiles {
    /// The certificates that are trusted.
    pub ca: String,
    /// Our certificate, with those between it and the root.
    pub cert: String,
    /// Its private key.
    pub key: String,
}

impl Link {
    /// Whether frames are those of a serial line, with a checksum and without a transaction number.
    #[must_use]
    pub const fn is_rtu(&self) -> bool {
        match self {
            Link::Tcp { .. } | Link::Tls { .. } => false,
            Link::RtuTcp { .. } | Link::Serial { .. } | Link::Listen { .. } => true,
        }
    }

    /// How fast characters go on the wire, where that is known.
    #[must_use]
    pub const fn pace(&self) -> Option<Pace> {
        match self {
            Link::Tcp { .. } | Link::Tls { .. } => None,
            Link::RtuTcp { pace, .. } | Link::Listen { pace, .. } => *pace,
            Link::Serial { pace, .. } => Some(*pace),
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |host: &str, port: &u16| match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        match self {
            Link::Tcp { host, port } => write!(f, "tcp://{}", place(host, port)),
            Link::Tls { host, port, .. } => write!(f, "tls://{}", place(host, port)),
            Link::RtuTcp { host, port, .. } => write!(f, "rtu+tcp://{}", place(host, port)),
            Link::Serial { path, .. } => write!(f, "rtu://{path}"),
            Link::Listen { host, port, id, .. } => {
                write!(f, "rtu+listen://{}?id={}", place(host, port), id.escape_ascii())
            }
        }
    }
}

/// How characters go over a serial wire: a start bit, eight data bits, perhaps a parity bit, one or two stop bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bits a second.
    pub baud: u32,
    /// The parity bit.
    pub parity: Parity,
    /// Stop bits, 1 or 2.
    pub stop: u8,
}

/// The parity bit of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// There is none.
    None,
    /// It makes the number of ones even.
    Even,
    /// It makes the number of ones odd.
    Odd,
}

impl Parity {
    /// Every parity.
    pub const ALL: [Parity; 3] = [Parity::None, Parity::Even, Parity::Odd];

    /// As written in links.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Parity::None => "none",
            Parity::Even => "even",
            Parity::Odd => "odd",
        }
    }
}

/// Above this speed the silence between frames no longer shrinks (Modbus over serial line 1.02, 2.5.1.1).
const FIXED_SILENCE_FROM: u32 = 19_200;

/// The silence between frames at higher speeds (ibid.).
const FIXED_SILENCE: Span = Span::from_us(1_750);

impl Pace {
    /// The slowest and the fastest speed that a line may have.
    pub const BAUD: (u32, u32) = (300, 1_000_000);

    /// How long so many characters take.
    #[must_use]
    pub fn chars(self, count: usize) -> Span {
        self.half_chars(u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(2))
    }

    fn half_chars(self, count: u64) -> Span {
        let bits = 9 + u64::from(self.parity != Parity::None) + u64::from(self.stop);
        let micros = count.saturating_mul(bits).saturating_mul(500_000);
        Span::from_us(micros.div_ceil(u64::from(self.baud.max(1))))
    }

    /// The silence that separates frames: 3.5 characters, above 19,200 baud 1.75 ms (Modbus over serial line 1.02).
    #[must_use]
    pub fn silence(self) -> Span {
        if self.baud > FIXED_SILENCE_FROM { FIXED_SILENCE } else { self.half_chars(7) }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "baud={}&parity={}&stop={}", self.baud, self.parity.as_str(), self.stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_takes_as_long_as_its_bits() {
        let pace = |baud, parity, stop| Pace { baud, parity, stop };
        assert_eq!(pace(9_600, Parity::None, 1).chars(17), Span::from_us(17_709));
        assert_eq!(pace(9_600, Parity::Even, 1).chars(1), Span::from_us(1_146));
        assert_eq!(pace(9_600, Parity::None, 1).silence(), Span::from_us(3_646));
        assert_eq!(pace(19_200, Parity::Even, 1).silence(), Span::from_us(2_006));
        assert_eq!(pace(115_200, Parity::None, 2).silence(), Span::from_us(1_750));
    }
}
