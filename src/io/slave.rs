//! The far ends of a pretended plant's lines: sockets on one thread, each pseudo-terminal on a thread of its own. What
//! is answered is decided in `simulator/`.

use super::clock::{Clock, duration};
use super::line::Terminal;
use crate::field::rtu;
use crate::model::link::{Link, Pace};
use crate::model::plan::Plan;
use crate::model::table::{BusId, Table};
use crate::model::time::{Mono, Span};
use crate::simulator::mischief::{Carried, Carrier, Then};
use crate::simulator::plant::Plant;
use crate::simulator::slave::{Frame, Received, receive, receive_serial};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener as Bound};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// How often the plant moves on.
const STEP: Span = Span::from_ms(10);

/// A modem that was hung up on dials again after so long.
const REDIAL: Span = Span::from_ms(500);

/// Connections of one bus at a time; more wait until one ends.
const CONNECTIONS_MAX: usize = 16;

/// Bytes read at once; requests that fill it without a whole frame are nonsense.
const BUFFER: usize = 1024;

/// A plant that answers on the lines of its plan. Dropping it stops it.
#[derive(Debug)]
pub struct Slave {
    links: Table<BusId, Link>,
    stop: Option<oneshot::Sender<()>>,
    /// Set, it ends the serial lines.
    halt: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// A line over TCP, at its far end.
enum Far {
    /// A socket that listens, and whether frames are those of a serial line.
    Socket(Bound, bool),
    /// A modem, which dials in where its line listens.
    Modem { host: String, port: u16, id: Vec<u8> },
}

impl Slave {
    /// Opens every line of `plan` at its far end and answers there out of `plant`: a free loopback port for what goes
    /// over TCP, a pseudo-terminal for a serial port; what listens for a modem is dialled. A line over TLS is answered
    /// without it.
    ///
    /// # Errors
    /// What the system says, where it gives no port, no terminal, no thread or no timer.
    pub fn start(plan: &Plan, plant: Arc<Mutex<Plant>>, clock: Clock) -> io::Result<Slave> {
        Slave::start_as(plan, plant, clock, &Manner::default())
    }

    /// The same in the manner that is asked for.
    ///
    /// # Errors
    /// As [`Slave::start`]; and where an address that was asked for can't be had.
    pub fn start_as(
        plan: &Plan,
        plant: Arc<Mutex<Plant>>,
        clock: Clock,
        manner: &Manner,
    ) -> io::Result<Slave> {
        let (stop, stopped) = oneshot::channel();
        let halt = Arc::new(AtomicBool::new(false));
        let mut slave = Slave { links: Table::default(), stop: Some(stop), halt, threads: Vec::new() };
        let mut sockets = Vec::new();
        for (bus, row) in plan.buses.iter() {
            let asked = manner.links.get(&bus).unwrap_or(&row.link);
            let must = manner.links.contains_key(&bus);
            let link = match asked {
                Link::Serial { pace, .. } => {
                    let own = must.then_some(asked);
                    slave.wire(bus, *pace, own, manner.paced, Arc::clone(&plant), clock)?
                }
                Link::Tcp { .. } | Link::Tls { .. } | Link::RtuTcp { .. } | Link::Listen { .. } => {
                    let bound = if must || manner.own_addresses { bind(asked) } else { None };
                    let socket = match bound {
                        Some(Err(e)) if must => return Err(e),
                        Some(Ok(socket)) => Some(socket),
                        Some(Err(_)) | None => None,
                    };
                    let (link, far) = open(asked, socket)?;
                    let pace = if manner.paced { asked.pace() } else { None };
                    sockets.push((bus, far, pace));
                    link
                }
            };
            slave.links.push(link);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || {
            runtime.block_on(async move {
                for (bus, far, pace) in sockets {
                    let end = End { bus, pace, plant: Arc::clone(&plant), clock };
                    match far {
                        Far::Socket(socket, serial) => drop(tokio::spawn(accept(socket, serial, end))),
                        Far::Modem { host, port, id } => drop(tokio::spawn(dial(host, port, id, end))),
                    }
                }
                tokio::select! {
                    () = keep_moving(&plant, clock) => {}
                    // Stopped, or its owner is gone: both end it.
                    _ = stopped => {}
                }
            });
        };
        slave.threads.push(std::thread::Builder::new().name("plant".to_owned()).spawn(serve)?);
        Ok(slave)
    }

    /// Answers on a pseudo-terminal, or on the port that is asked for, and gives the link that leads there.
    fn wire(
        &mut self,
        bus: BusId,
        pace: Pace,
        own: Option<&Link>,
        paced: bool,
        plant: Arc<Mutex<Plant>>,
        clock: Clock,
    ) -> io::Result<Link> {
        let own = own.cloned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (tell, told) = std::sync::mpsc::channel();
        let halt = Arc::clone(&self.halt);
        let serve = move || {
            runtime.block_on(async {
                let terminal = match &own {
                    Some(link) => Terminal::at(link),
                    None => Terminal::open(),
                };
                match terminal {
                    Ok(terminal) => {
                        drop(tell.send(Ok(terminal.path.clone())));
                        let paced = paced.then_some(pace);
                        let end = End { bus, pace: paced, plant, clock };
                        let end = on_a_wire(terminal, pace, &end, &halt).await;
                        tracing::debug!(?end, "a pretended serial line ended");
                    }
                    Err(error) => drop(tell.send(Err(error))),
                }
            });
        };
        self.threads.push(std::thread::Builder::new().name("plant-wire".to_owned()).spawn(serve)?);
        let path = told.recv().map_err(io::Error::other)??;
        Ok(Link::Serial { path, pace, rs485: false })
    }

    /// How a line is reached.
    #[must_use]
    pub fn link(&self, bus: BusId) -> &Link {
        &self.links[bus]
    }

    /// The port on which a line over TCP answers, at 127.0.0.1; 0 for others.
    #[must_use]
    pub fn port(&self, bus: BusId) -> u16 {
        match &self.links[bus] {
            Link::Tcp { port, .. }
            | Link::RtuTcp { port, .. }
            | Link::Tls { port, .. }
            | Link::Listen { port, .. } => *port,
            Link::Serial { .. } => 0,
        }
    }

    /// Closes every line, and waits until that is done.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        self.halt.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("the pretended plant ended by a panic");
            }
        }
    }
}

impl Drop for Slave {
    fn drop(&mut self) {
        self.end();
    }
}

/// How the lines of a plant are opened.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Lines that are to be served elsewhere than where the plan has them. A device file is the plant's own end of a
    /// wire.
    pub links: BTreeMap<BusId, Link>,
    /// Whether TCP lines are served where the plan has them, as far as that is here.
    pub own_addresses: bool,
    /// Whether characters take as long as on a real wire.
    pub paced: bool,
}

impl Default for Manner {
    fn default() -> Manner {
        Manner { links: BTreeMap::new(), own_addresses: false, paced: true }
    }
}

/// The far end of a line.
#[derive(Clone)]
struct End {
    bus: BusId,
    /// How fast characters are, where that is to be kept.
    pace: Option<Pace>,
    plant: Arc<Mutex<Plant>>,
    clock: Clock,
}

impl End {
    fn exchange(&self, carrier: Carrier, unit: u8, pdu: &[u8]) -> Carried {
        locked(&self.plant).exchange(self.clock.mono(), self.bus, carrier, unit, pdu)
    }
}

/// The socket at a link's own address; `None` for what has none.
fn bind(link: &Link) -> Option<io::Result<Bound>> {
    let (Link::Tcp { host, port } | Link::RtuTcp { host, port, .. }) = link else { return None };
    let socket = Bound::bind((host.as_str(), *port));
    Some(socket.and_then(|socket| socket.set_nonblocking(true).map(|()| socket)))
}

fn open(link: &Link, socket: Option<Bound>) -> io::Result<(Link, Far)> {
    let host = Ipv4Addr::LOCALHOST.to_string();
    let serial = matches!(link, Link::RtuTcp { .. });
    if let Some(socket) = socket {
        return Ok((link.clone(), Far::Socket(socket, serial)));
    }
    match link {
        Link::Tcp { .. } | Link::Tls { .. } | Link::Serial { .. } => {
            let socket = listen()?;
            let port = socket.local_addr()?.port();
            Ok((Link::Tcp { host, port }, Far::Socket(socket, false)))
        }
        Link::RtuTcp { pace, .. } => {
            let socket = listen()?;
            let port = socket.local_addr()?.port();
            Ok((Link::RtuTcp { host, port, pace: *pace }, Far::Socket(socket, true)))
        }
        Link::Listen { host: at, port, id, pace } => {
            // Who listens everywhere is called here.
            let everywhere = matches!(at.as_str(), "0.0.0.0" | "::");
            let called = if everywhere { host } else { at.clone() };
            let link = Link::Listen { host: called.clone(), port: *port, id: id.clone(), pace: *pace };
            Ok((link, Far::Modem { host: called, port: *port, id: id.clone() }))
        }
    }
}

fn listen() -> io::Result<Bound> {
    let socket = Bound::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Answers on a serial wire: no byte is there before it could have gone over a real one.
async fn on_a_wire(terminal: Terminal, line: Pace, end: &End, halt: &AtomicBool) -> io::Result<()> {
    let mut terminal = terminal;
    let wire = &mut terminal.far;
    let mut heard = Vec::new();
    let mut deaf_until = Mono::START;
    while !halt.load(Ordering::Relaxed) {
        let mut part = [0; BUFFER];
        let Ok(read) = timeout(duration(STEP), wire.read(&mut part)).await else { continue };
        let count = read?;
        if count == 0 {
            return Ok(());
        }
        let now = end.clock.mono();
        if now < deaf_until {
            heard.clear();
            continue;
        }
        // Read at once, but sent bit by bit.
        let mut at = now + end.pace.map_or(Span::ZERO, |pace| pace.chars(count));
        heard.extend_from_slice(part.get(..count).unwrap_or_default());
        while let Received::Frame(Frame { unit, pdu, .. }, taken) = receive_serial(&heard) {
            heard.drain(..taken);
            let Carried { parts, then } = end.exchange(Carrier::Rtu, unit, &pdu);
            for (after, bytes) in parts {
                let gone = end.pace.map_or(Span::ZERO, |pace| pace.chars(bytes.len()));
                let silence = if end.pace.is_some() { line.silence() } else { Span::ZERO };
                at = at + silence.max(after) + gone;
                // The thread is this wire's own, and the runtime's timer too coarse for characters.
                std::thread::sleep(duration(at.since(end.clock.mono())));
                wire.write_all(&bytes).await?;
            }
            match then {
                // A wire can't be hung up.
                Then::Listen | Then::Close => {}
                Then::Deaf(lasting) => deaf_until = end.clock.mono() + lasting,
            }
        }
        let surplus = heard.len().saturating_sub(rtu::FRAME_MAX);
        heard.drain(..surplus);
    }
    Ok(())
}

/// Dials in like a modem, again and again.
async fn dial(host: String, port: u16, id: Vec<u8>, end: End) {
    loop {
        if let Ok(mut stream) = TcpStream::connect((host.as_str(), port)).await
            && stream.write_all(&id).await.is_ok()
        {
            let end = serve_serial(stream, &end).await;
            tracing::debug!(?end, "a pretended modem was hung up on");
        }
        sleep(duration(REDIAL)).await;
    }
}

/// Puts an answer onto a connection; whether the connection goes on.
async fn say(stream: &mut TcpStream, said: Carried, end: &End, mut at: Mono) -> io::Result<bool> {
    for (after, bytes) in said.parts {
        let pause = end.pace.map_or(after, |pace| after.max(pace.silence()) + pace.chars(bytes.len()));
        at = at + pause;
        let left = at.since(end.clock.mono());
        if left > Span::ZERO {
            sleep(duration(left)).await;
        }
        stream.write_all(&bytes).await?;
    }
    match said.then {
        Then::Listen => Ok(true),
        Then::Close => Ok(false),
        Then::Deaf(lasting) => {
            sleep(duration(lasting)).await;
            // What was asked meanwhile is heard by nobody.
            let mut unheard = [0; BUFFER];
            while stream.try_read(&mut unheard).is_ok_and(|count| count > 0) {}
            Ok(true)
        }
    }
}

async fn serve_serial(mut stream: TcpStream, end: &End) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut heard = Vec::with_capacity(BUFFER);
    loop {
        let count = (&mut stream).take(u64::try_from(BUFFER).unwrap_or(0)).read_buf(&mut heard).await?;
        if count == 0 {
            return Ok(());
        }
        // Read at once, but sent bit by bit.
        let at = end.clock.mono() + end.pace.map_or(Span::ZERO, |pace| pace.chars(count));
        while let Received::Frame(Frame { unit, pdu, .. }, taken) = receive_serial(&heard) {
            heard.drain(..taken);
            let said = end.exchange(Carrier::Rtu, unit, &pdu);
            if !say(&mut stream, said, end, at).await? {
                return Ok(());
            }
        }
        let surplus = heard.len().saturating_sub(rtu::FRAME_MAX);
        heard.drain(..surplus);
    }
}

fn locked(plant: &Mutex<Plant>) -> MutexGuard<'_, Plant> {
    // A plant is as good after a panic as before: its every change is complete in itself.
    plant.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn keep_moving(plant: &Mutex<Plant>, clock: Clock) {
    let mut ticks = interval(duration(STEP));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        locked(plant).step(clock.mono());
    }
}

async fn accept(socket: Bound, serial: bool, end: End) {
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the pretended plant can't listen"),
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let end = end.clone();
                tokio::spawn(async move {
                    let end = match serial {
                        true => serve_serial(stream, &end).await,
                        false => serve(stream, &end).await,
                    };
                    tracing::debug!(?end, "a connection to the pretended plant ended");
                    drop(place);
                });
            }
            Err(error) => {
                // Out of descriptors: others have to end first.
                tracing::warn!(%error, "the pretended plant can't take a connection");
                sleep(duration(STEP)).await;
            }
        }
    }
}

async fn serve(mut stream: TcpStream, end: &End) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = Vec::with_capacity(BUFFER);
    loop {
        match receive(&bytes) {
            Received::Frame(Frame { transaction, unit, pdu }, taken) => {
                bytes.drain(..taken);
                let said = end.exchange(Carrier::Tcp(transaction), unit, &pdu);
                if !say(&mut stream, said, end, end.clock.mono()).await? {
                    return Ok(());
                }
            }
            Received::Incomplete if bytes.len() < BUFFER => {
                let mut part = (&mut stream).take(u64::try_from(BUFFER - bytes.len()).unwrap_or(0));
                if part.read_buf(&mut bytes).await? == 0 {
                    return Ok(());
                }
            }
            Received::Incomplete | Received::Nonsense => return Ok(()),
        }
    }
}
