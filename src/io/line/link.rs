//! Opening links: sockets, serial ports, modems that dial in. The only file that speaks to tokio-serial.

use super::holder::holders;
use super::marks::{Marked, Marks};
use super::quiet::Stream;
use super::{marks, tls};
use crate::io::clock::duration;
use crate::model::link::{Link, Pace, Parity};
use crate::model::time::Span;
use serial2::rs4xx::Rs485Config;
use serial2::{KeepSettings, SerialPort};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_serial::{SerialPort as _, SerialPortBuilderExt, SerialStream};

/// How long a connection may take to come up: a mine ring or a 4G link answers within a second or not at all.
const CONNECT_TIMEOUT: Span = Span::from_secs(3);

/// How long a modem may take to say who it is.
const REGISTRATION_PATIENCE: Span = Span::from_secs(10);

/// After such a pause a modem has said who it is: a name in two packets of a mobile network is one.
const REGISTRATION_PAUSE: Span = Span::from_ms(500);

/// Most that a modem may say before it has said who it is, in bytes.
const REGISTRATION_MAX: usize = 256;

/// Modems of one address that have not said yet who they are. One more, and the one that has waited longest is turned
/// away: whoever only holds connections open keeps nobody out.
const STRANGERS_MAX: usize = 64;

/// A link that is open.
pub enum Opened {
    /// Frames with transaction numbers.
    Numbered(Box<dyn Stream>),
    /// Frames of a serial line; with the pace whose silences have to be kept here, and what the port says of
    /// characters.
    Serial(Box<dyn Stream>, Option<Pace>, Marks),
}

/// Opens a link, again and again.
pub trait Dial {
    /// Opens it.
    ///
    /// # Errors
    /// Why not, in words.
    fn open(&self) -> impl Future<Output = Result<Opened, String>>;

    /// Whether the other side has called again, so that the connection that there was is no more.
    fn is_called_anew(&self) -> bool;

    /// Whether a connection that is dropped can be made again from here.
    fn can_redial(&self) -> bool;
}

/// Opens the links of a site.
#[derive(Debug)]
pub struct Dialler {
    link: Link,
    slot: Slot,
}

impl Dial for Dialler {
    fn is_called_anew(&self) -> bool {
        self.slot.open().is_some()
    }

    fn can_redial(&self) -> bool {
        match self.link {
            Link::Tcp { .. } | Link::Tls { .. } | Link::RtuTcp { .. } => true,
            // It is there or it is not: one that was unplugged says so.
            Link::Serial { .. } | Link::Listen { .. } => false,
        }
    }

    async fn open(&self) -> Result<Opened, String> {
        match timeout(duration(CONNECT_TIMEOUT), self.dial()).await {
            Ok(opened) => opened,
            Err(_elapsed) => Err(format!("no connection within {CONNECT_TIMEOUT}")),
        }
    }
}

impl Dialler {
    /// Opens `link`; where it is a modem's, what that has dialled.
    #[must_use]
    pub fn new(link: &Link, modems: &Modems) -> Dialler {
        Dialler { link: link.clone(), slot: modems.slot(link) }
    }

    async fn dial(&self) -> Result<Opened, String> {
        match &self.link {
            Link::Tcp { host, port } => Ok(Opened::Numbered(Box::new(connect(host, *port).await?))),
            Link::RtuTcp { host, port, .. } => {
                Ok(Opened::Serial(Box::new(connect(host, *port).await?), None, Marks::default()))
            }
            Link::Tls { host, port, files } => {
                let connector = tls::connector(files.clone()).await?;
                let stream = tls::shake_hands(&connector, host, connect(host, *port).await?).await?;
                Ok(Opened::Numbered(Box::new(stream)))
            }
            Link::Serial { path, pace, rs485 } => {
                let (port, marks) = serial(path, *pace, *rs485)?;
                Ok(Opened::Serial(port, Some(*pace), marks))
            }
            Link::Listen { .. } => match self.slot.open().take() {
                Some(stream) => Ok(Opened::Serial(Box::new(stream), None, Marks::default())),
                None => Err("no modem has dialled in yet that says so".to_owned()),
            },
        }
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let stream = TcpStream::connect((host, port)).await.map_err(|e| e.to_string())?;
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    Ok(stream)
}

/// Opens a serial port for ourselves alone.
fn serial(path: &str, pace: Pace, rs485: bool) -> Result<(Box<dyn Stream>, Marks), String> {
    if rs485 {
        direction(path)?;
    }
    let parity = match pace.parity {
        Parity::None => tokio_serial::Parity::None,
        Parity::Even => tokio_serial::Parity::Even,
        Parity::Odd => tokio_serial::Parity::Odd,
    };
    let stop = if pace.stop == 2 { tokio_serial::StopBits::Two } else { tokio_serial::StopBits::One };
    // Once it is locked nobody opens it a second time.
    let second = SerialPort::open(path, KeepSettings);
    let port = tokio_serial::new(path, pace.baud).parity(parity).stop_bits(stop).exclusive(true);
    match port.open_native_async() {
        Ok(port) => {
            let marks = second.is_ok_and(|second| marks::ask_for(&second));
            let (port, marks) = Marked::new(port, marks);
            Ok((Box::new(port), marks))
        }
        Err(e) => Err(match holders(path)[..] {
            [] => format!("{e}; is it plugged in, may the user that runs davy use it, and does nobody else?"),
            ref held => format!(
                "{e}; it is in use by {}: end that first (an agent with `systemctl stop davy`), then try again",
                held.join(", ")
            ),
        }),
    }
}

/// Does not make a terminal the one that controls the process (`fcntl.h` of Linux).
const O_NOCTTY: i32 = 0o400;

/// A pseudo-terminal: a serial port without a wire, to pretend devices on.
#[derive(Debug)]
pub struct Terminal {
    /// The device file that a line opens.
    pub path: String,
    /// The other end.
    pub far: Box<dyn Stream>,
    /// Kept open, so that the far end is not hung up on while no line has it open.
    _near: Option<File>,
}

impl Terminal {
    /// Makes one. Must be called within the runtime that is to use it.
    ///
    /// # Errors
    /// What the system says.
    pub fn open() -> io::Result<Terminal> {
        let (far, near) = SerialStream::pair()?;
        let path = near.name().ok_or_else(|| io::Error::other("a terminal without a name"))?;
        // Not `near` itself: it has locked the port.
        let kept = File::options().read(true).write(true).custom_flags(O_NOCTTY).open(&path)?;
        Ok(Terminal { path, far: Box::new(far), _near: Some(kept) })
    }

    /// A real port, to pretend devices at the other end of its wire. Must be called within a runtime.
    ///
    /// # Errors
    /// What the system says; and where the link is no serial port.
    pub fn at(link: &Link) -> io::Result<Terminal> {
        let Link::Serial { path, pace, rs485 } = link else {
            return Err(io::Error::other("no serial port"));
        };
        let (far, _) = serial(path, *pace, *rs485).map_err(io::Error::other)?;
        Ok(Terminal { path: path.clone(), far, _near: None })
    }
}

/// Asks the driver to switch the direction of an RS-485 line. It keeps that when the port is opened anew.
fn direction(path: &str) -> Result<(), String> {
    let set = SerialPort::open(path, KeepSettings).and_then(|port| port.set_rs4xx_mode(Rs485Config::new()));
    set.map_err(|e| {
        format!("the driver does not switch the direction of an RS-485 line: {e}; take rs485=on out where the adapter does")
    })
}

/// The newest connection of a modem, until its line takes it.
#[derive(Clone, Debug, Default)]
struct Slot(Arc<Mutex<Option<TcpStream>>>);

impl Slot {
    fn open(&self) -> MutexGuard<'_, Option<TcpStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everybody who may dial in: by what they say first, in what order they are compared.
type Guests = BTreeMap<Vec<u8>, Slot>;

/// The modems that dial in: one listener for each address, however many lines there are behind it. Dropping it closes
/// them.
#[derive(Debug, Default)]
pub struct Modems {
    slots: BTreeMap<(String, u16), Guests>,
    listeners: Vec<JoinHandle<()>>,
}

impl Modems {
    /// Listens for the modems of these links. Must be called within a runtime.
    #[must_use]
    pub fn listen<'a>(links: impl Iterator<Item = &'a Link>) -> Modems {
        let mut slots: BTreeMap<(String, u16), Guests> = BTreeMap::new();
        for link in links {
            if let Link::Listen { host, port, id, .. } = link {
                slots.entry((host.clone(), *port)).or_default().entry(id.clone()).or_default();
            }
        }
        let listen = |((host, port), guests): (&(String, u16), &Guests)| {
            tokio::spawn(answer_calls(host.clone(), *port, Arc::new(guests.clone())))
        };
        Modems { listeners: slots.iter().map(listen).collect(), slots }
    }

    /// Where the connection of this link appears; nowhere, for other links.
    fn slot(&self, link: &Link) -> Slot {
        let found = match link {
            Link::Listen { host, port, id, .. } => {
                self.slots.get(&(host.clone(), *port)).and_then(|guests| guests.get(id))
            }
            Link::Tcp { .. } | Link::Tls { .. } | Link::RtuTcp { .. } | Link::Serial { .. } => None,
        };
        found.cloned().unwrap_or_default()
    }
}

impl Drop for Modems {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}

/// Opens a port to dial in at, however long that takes: one that is taken is tried again.
async fn port_to_dial(host: &str, port: u16) -> TcpListener {
    let mut said = false;
    loop {
        match TcpListener::bind((host, port)).await {
            Ok(listener) => return listener,
            Err(error) => {
                if !std::mem::replace(&mut said, true) {
                    tracing::error!(place = format!("{host}:{port}"), %error, "no modem can dial in; trying again");
                }
                sleep(duration(CONNECT_TIMEOUT)).await;
            }
        }
    }
}

/// Listens at one address for ever.
async fn answer_calls(host: String, port: u16, guests: Arc<Guests>) {
    let place = format!("{host}:{port}");
    let mut strangers: VecDeque<JoinHandle<()>> = VecDeque::new();
    let listener = port_to_dial(&host, port).await;
    tracing::info!(%place, modems = guests.len(), "modems may dial in");
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(call) => call,
            Err(error) => {
                tracing::warn!(%place, %error, "a modem could not be let in");
                sleep(duration(Span::from_secs(1))).await;
                continue;
            }
        };
        strangers.retain(|stranger| !stranger.is_finished());
        if strangers.len() >= STRANGERS_MAX
            && let Some(oldest) = strangers.pop_front()
        {
            oldest.abort();
            tracing::warn!(%place, strangers = STRANGERS_MAX, "too many modems do not say who they are; the oldest is turned away");
        }
        let (guests, place) = (Arc::clone(&guests), place.clone());
        strangers.push_back(tokio::spawn(async move {
            match timeout(duration(REGISTRATION_PATIENCE), introduce(stream, &guests)).await {
                Ok(Ok(id)) => {
                    tracing::info!(%place, %from, id = %id.escape_ascii(), "a modem has dialled in")
                }
                Ok(Err(said)) => {
                    tracing::warn!(%place, %from, said, "a modem that nobody knows was turned away")
                }
                Err(_elapsed) => {
                    tracing::warn!(%place, %from, "a modem that did not say who it is was turned away")
                }
            }
        }));
    }
}

/// Hears who a modem is, and puts its connection where its line finds it. All that it says until it pauses is its name,
/// but for white space around it: DTU-10 is not DTU-1.
///
/// # Errors
/// What it said, where that is nobody's name.
async fn introduce(mut stream: TcpStream, guests: &Guests) -> Result<Vec<u8>, String> {
    let mut said = Vec::new();
    loop {
        let room = REGISTRATION_MAX.saturating_sub(said.len());
        let mut part = (&mut stream).take(u64::try_from(room).unwrap_or(0));
        // Before it has said anything it may take its time.
        let pause = if said.is_empty() { REGISTRATION_PATIENCE } else { REGISTRATION_PAUSE };
        match timeout(duration(pause), part.read_buf(&mut said)).await {
            Ok(Ok(1..)) => continue,
            Ok(Ok(_) | Err(_)) => return Err(said.escape_ascii().to_string()),
            Err(_elapsed) => {}
        }
        let name = said.trim_ascii();
        let known = guests.iter().find(|(id, _)| id.trim_ascii() == name && !name.is_empty());
        if let Some((id, slot)) = known {
            stream.set_nodelay(true).map_err(|e| e.to_string())?;
            *slot.open() = Some(stream);
            return Ok(id.clone());
        }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Opened::Numbered(_) => "Numbered",
            Opened::Serial(..) => "Serial",
        })
    }
}
