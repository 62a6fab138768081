//! The sockets of a pretended plant: a Modbus/TCP server per bus on a loopback port, on a thread of its own. What is
//! answered is decided in `simulator/`.

use super::clock::{Clock, duration};
use crate::model::plan::Plan;
use crate::model::table::{BusId, Table};
use crate::model::time::Span;
use crate::simulator::mischief::Reply;
use crate::simulator::plant::Plant;
use crate::simulator::slave::{Frame, Received, receive, send};
use std::io;
use std::net::{Ipv4Addr, TcpListener as Bound};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often the plant moves on.
const STEP: Span = Span::from_ms(10);

/// Connections of one bus at a time; more wait until one ends.
const CONNECTIONS_MAX: usize = 16;

/// Bytes read at once; requests that fill it without a whole frame are nonsense.
const BUFFER: usize = 1024;

/// A plant that answers on the network. Dropping it stops it.
#[derive(Debug)]
pub struct Slave {
    ports: Table<BusId, u16>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Slave {
    /// Opens a free loopback port for every bus of `plan` and answers there out of `plant`.
    ///
    /// # Errors
    /// What the system says, where it gives no port, no thread or no timer.
    pub fn start(plan: &Plan, plant: Arc<Mutex<Plant>>, clock: Clock) -> io::Result<Slave> {
        let bound = plan.buses.ids().map(|bus| Ok((bus, listen()?))).collect::<io::Result<Vec<_>>>()?;
        let ports =
            bound.iter().map(|(_, socket)| Ok(socket.local_addr()?.port())).collect::<io::Result<_>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async move {
                for (bus, socket) in bound {
                    tokio::spawn(accept(socket, bus, Arc::clone(&plant), clock));
                }
                tokio::select! {
                    () = keep_moving(&plant, clock) => {}
                    // Stopped, or its owner is gone: both end it.
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("plant".to_owned()).spawn(serve)?;
        Ok(Slave { ports, stop: Some(stop), thread: Some(thread) })
    }

    /// The port on which a bus answers, at 127.0.0.1.
    #[must_use]
    pub fn port(&self, bus: BusId) -> u16 {
        self.ports[bus]
    }

    /// Closes every port and connection, and waits until that is done.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the pretended plant ended by a panic");
        }
    }
}

impl Drop for Slave {
    fn drop(&mut self) {
        self.end();
    }
}

fn listen() -> io::Result<Bound> {
    let socket = Bound::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
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

async fn accept(socket: Bound, bus: BusId, plant: Arc<Mutex<Plant>>, clock: Clock) {
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
                    let end = serve(stream, bus, &plant, clock).await;
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
