//! The far ends of a pretended plant's lines: sockets on one thread, each pseudo-terminal on a thread of its own. What
//! is answered is decided in `simulator/`.

use super::clock::{Clock, duration};
use super::line::Terminal;
use crate::field::rtu;
use crate::model::link::{Link, Pace};
use crate::model::plan::Plan;
use crate::model::table::{BusId, Table};
use crate::model::time::Span;
use crate::simulator::mischief::Reply;
use crate::simulator::plant::Plant;
use crate::simulator::slave::{Frame, Received, receive, receive_serial, send};
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
        let (stop, stopped) = oneshot::channel();
        let halt = Arc::new(AtomicBool::new(false));
        let mut slave = Slave { links: Table::default(), stop: Some(stop), halt, threads: Vec::new() };
        let mut sockets = Vec::new();
        for (bus, row) in plan.buses.iter() {
            let link = match &row.link {
                Link::Serial { pace, .. } => slave.wire(bus, *pace, Arc::clone(&plant), clock)?,
                Link::Tcp { .. } | Link::Tls { .. } | Link::RtuTcp { .. } | Link::Listen { .. } => {
                    let (link, far) = open(&row.link)?;
                    sockets.push((bus, far));
                    link
                }
            };
            slave.links.push(link);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || {
            runtime.block_on(async move {
                for (bus, far) in sockets {
                    let plant = Arc::clone(&plant);
                    match far {
                        Far::Socket(socket, serial) => {
                            drop(tokio::spawn(accept(socket, serial, bus, plant, clock)))
                        }
                        Far::Modem { host, port, id } => {
                            drop(tokio::spawn(dial(host, port, id, bus, plant, clock)))
                        }
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

    /// Answers on a pseudo-terminal, and gives the link that leads there.
    fn wire(&mut self, bus: BusId, pace: Pace, plant: Arc<Mutex<Plant>>, clock: Clock) -> io::Result<Link> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (tell, told) = std::sync::mpsc::channel();
        let halt = Arc::clone(&self.halt);
        let serve = move || {
            runtime.block_on(async {
                match Terminal::open() {
                    Ok(terminal) => {
                        drop(tell.send(Ok(terminal.path.clone())));
                        let end = on_a_wire(terminal, bus, pace, &plant, clock, &halt).await;
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

fn open(link: &Link) -> io::Result<(Link, Far)> {
    let host = Ipv4Addr::LOCALHOST.to_string();
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
        Link::Listen { port, id, pace, .. } => {
            let link = Link::Listen { host: host.clone(), port: *port, id: id.clone(), pace: *pace };
            Ok((link, Far::Modem { host, port: *port, id: id.clone() }))
        }
    }
}

fn listen() -> io::Result<Bound> {
    let socket = Bound::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Answers on a serial wire: no byte is there before it could have gone over a real one.
async fn on_a_wire(
    terminal: Terminal,
    bus: BusId,
    pace: Pace,
    plant: &Mutex<Plant>,
    clock: Clock,
    halt: &AtomicBool,
) -> io::Result<()> {
    let mut terminal = terminal;
    let wire = &mut terminal.far;
    let mut heard = Vec::new();
    while !halt.load(Ordering::Relaxed) {
        let mut part = [0; BUFFER];
        let Ok(read) = timeout(duration(STEP), wire.read(&mut part)).await else { continue };
        let count = read?;
        if count == 0 {
            return Ok(());
        }
        // Read at once, but sent bit by bit.
        let mut at = clock.mono() + pace.chars(count);
        heard.extend_from_slice(part.get(..count).unwrap_or_default());
        while let Received::Frame(Frame { unit, pdu, .. }, taken) = receive_serial(&heard) {
            heard.drain(..taken);
            let reply = locked(plant).answer(clock.mono(), bus, unit, &pdu);
            if let Reply::Answer { unit, pdu, after } = reply {
                let bytes = rtu::frame(unit, &pdu);
                at = at + pace.silence().max(after) + pace.chars(bytes.len());
                // The thread is this wire's own, and the runtime's timer too coarse for characters.
                std::thread::sleep(duration(at.since(clock.mono())));
                wire.write_all(&bytes).await?;
            }
        }
        let surplus = heard.len().saturating_sub(rtu::FRAME_MAX);
        heard.drain(..surplus);
    }
    Ok(())
}

/// Dials in like a modem, again and again.
async fn dial(host: String, port: u16, id: Vec<u8>, bus: BusId, plant: Arc<Mutex<Plant>>, clock: Clock) {
    loop {
        if let Ok(mut stream) = TcpStream::connect((host.as_str(), port)).await
            && stream.write_all(&id).await.is_ok()
        {
            let end = serve_serial(stream, bus, &plant, clock).await;
            tracing::debug!(?end, "a pretended modem was hung up on");
        }
        sleep(duration(REDIAL)).await;
    }
}

async fn serve_serial(
    mut stream: TcpStream,
    bus: BusId,
    plant: &Mutex<Plant>,
    clock: Clock,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut heard = Vec::with_capacity(BUFFER);
    loop {
        if (&mut stream).take(u64::try_from(BUFFER).unwrap_or(0)).read_buf(&mut heard).await? == 0 {
            return Ok(());
        }
        while let Received::Frame(Frame { unit, pdu, .. }, taken) = receive_serial(&heard) {
            heard.drain(..taken);
            let reply = locked(plant).answer(clock.mono(), bus, unit, &pdu);
            match reply {
                Reply::Answer { unit, pdu, after } => {
                    if after > Span::ZERO {
                        sleep(duration(after)).await;
                    }
                    stream.write_all(&rtu::frame(unit, &pdu)).await?;
                }
                Reply::Silence => {}
                Reply::Close => return Ok(()),
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

async fn accept(socket: Bound, serial: bool, bus: BusId, plant: Arc<Mutex<Plant>>, clock: Clock) {
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the pretended plant can't listen"),
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let plant = Arc::clone(&plant);
                tokio::spawn(async move {
                    let end = match serial {
                        true => serve_serial(stream, bus, &plant, clock).await,
                        false => serve(stream, bus, &plant, clock).await,
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

async fn serve(mut stream: TcpStream, bus: BusId, plant: &Mutex<Plant>, clock: Clock) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = Vec::with_capacity(BUFFER);
    loop {
        match receive(&bytes) {
            Received::Frame(Frame { transaction, unit, pdu }, taken) => {
                bytes.drain(..taken);
                let reply = locked(plant).answer(clock.mono(), bus, unit, &pdu);
                match reply {
                    Reply::Answer { unit, pdu, after } => {
                        if after > Span::ZERO {
                            sleep(duration(after)).await;
                        }
                        stream.write_all(&send(transaction, unit, &pdu)).await?;
                    }
                    Reply::Silence => {}
                    Reply::Close => return Ok(()),
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
