//! A small broker of our own for `demo` and for tests: MQTT 3.1.1 with QoS 0 and 1, retained messages, last will and
//! wildcards. It lives in memory, listens on loopback and lets everybody in; it is no broker for a site.
//!
//! Not in it: persistent sessions (every session is clean, and CONNACK says so), QoS 2 (a subscription is granted
//! QoS 1, a QoS 2 publish ends the connection), redelivery, passwords.
//!
//! One task for each client moves packets; what they share is `Core`, behind a lock that is held for one message.

use super::clock::duration;
use super::mqtt::{
    self, ConnectReturnCode, LastWill, MqttFault, Packet, Protocol, Publish, QoS, SubAck, Subscribe,
    SubscribeReasonCode, UnsubAck, Wire,
};
use crate::model::time::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Most connections at once; a demo has a handful.
const CLIENTS_MAX: usize = 64;

/// Messages that wait for one client. A client that is further behind is disconnected: the others don't wait for it.
const QUEUE_MAX: usize = 4_096;

/// Messages sent to one client and not yet acknowledged.
const IN_FLIGHT_MAX: usize = 64;

/// Retained messages kept; of further topics nothing is retained.
const RETAINED_MAX: usize = 1_024;

const _: () = assert!(RETAINED_MAX < QUEUE_MAX, "a new subscriber gets all that is retained");

/// Filters of one client.
const FILTERS_MAX: usize = 64;

/// How long a new connection may take to say CONNECT.
const CONNECT_LIMIT: Span = Span::from_secs(5);

/// How long a client may take to read what is written to it.
const WRITE_LIMIT: Span = Span::from_secs(5);

/// Pause after a connection that could not be accepted (no file handles left).
const ACCEPT_PAUSE: Span = Span::from_ms(100);

/// A running broker. Dropping it ends it.
#[derive(Debug)]
pub struct Broker {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    listening: tokio::task::JoinHandle<()>,
}

impl Broker {
    /// Starts a broker on a free port of 127.0.0.1, on the current tokio runtime.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start() -> io::Result<Broker> {
        Broker::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts a broker at `addr`.
    ///
    /// # Errors
    /// The port could not be opened.
    pub async fn start_at(addr: SocketAddr) -> io::Result<Broker> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let listening = tokio::spawn(listen(listener, stopped));
        Ok(Broker { addr, stop, listening })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes every connection and the port; ready when all of it is done.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        drop(self.listening.await);
    }
}

async fn listen(listener: TcpListener, mut stop: watch::Receiver<bool>) {
    let core = Shared::default();
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if clients.len() < CLIENTS_MAX => {
                    clients.spawn(serve(core.clone(), stream));
                }
                Ok((_, peer)) => tracing::warn!(%peer, "the built-in broker has no room for another client"),
                Err(e) => {
                    tracing::warn!("the built-in broker could not accept a connection: {e}");
                    tokio::time::sleep(duration(ACCEPT_PAUSE)).await;
                }
            },
            Some(_) = clients.join_next() => {}
            _ = stop.changed() => break,
        }
    }
    clients.shutdown().await;
}

/// One client from its first byte to its last.
async fn serve(core: Shared, stream: TcpStream) {
    let Ok(()) = stream.set_nodelay(true) else { return };
    let mut wire = Wire::new(stream);
    let Ok(Ok(Packet::Connect(connect))) = timeout(duration(CONNECT_LIMIT), wire.read()).await else {
        return;
    };
    let refused = match (connect.protocol, connect.client_id.is_empty() && !connect.clean_session) {
        (Protocol::V5, _) => Some(ConnectReturnCode::RefusedProtocolVersion),
        (Protocol::V4, true) => Some(ConnectReturnCode::BadClientId),
        (Protocol::V4, false) => None,
    };
    let answer = mqtt::connack(refused.unwrap_or(ConnectReturnCode::Success));
    if !matches!(timeout(duration(WRITE_LIMIT), wire.write(&[answer])).await, Ok(Ok(()))) || refused.is_some()
    {
        return;
    }
    let Joined { number, queue, kicked } = core.lock().join(connect.client_id);
    let patience = Span::from_ms(u64::from(connect.keep_alive).saturating_mul(1_500));
    // Its will is published whichever way this task ends, but for an orderly DISCONNECT.
    let mut leaving = Leaving { core: core.clone(), number, will: connect.last_will };
    let mut client = Client { core, number, wire, queue, kicked, in_flight: BTreeSet::new(), last_id: 0 };
    match client.serve(patience).await {
        Ok(()) => leaving.will = None,
        Err(fault) => tracing::debug!(client = number, "the built-in broker lost a client: {fault}"),
    }
}

/// Takes a client out of the core when it is dropped.
struct Leaving {
    core: Shared,
    number: u64,
    will: Option<LastWill>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut core = self.core.lock();
        core.clients.remove(&self.number);
        if let Some(will) = self.will.take() {
            let mut publish = Publish::from_bytes(will.topic, will.qos, will.message);
            publish.retain = will.retain;
            core.publish(publish);
        }
    }
}

/// One client's packets.
struct Client {
    core: Shared,
    number: u64,
    wire: Wire<TcpStream>,
    queue: mpsc::Receiver<Publish>,
    kicked: oneshot::Receiver<()>,
    in_flight: BTreeSet<u16>,
    last_id: u16,
}

/// Whether a client stays.
enum Next {
    Stay,
    Leave,
}

impl Client {
    /// Serves until DISCONNECT, which is `Ok`.
    async fn serve(&mut self, patience: Span) -> Result<(), MqttFault> {
        let late = |_| Err(MqttFault::Late("the end of a write"));
        let mut silence = std::pin::pin!(sleep(duration(patience)));
        loop {
            timeout(duration(WRITE_LIMIT), self.wire.flush()).await.unwrap_or_else(late)?;
            tokio::select! {
                packet = self.wire.read() => {
                    silence.set(sleep(duration(patience)));
                    let mut next = Some(packet?);
                    while let Some(packet) = next {
                        match self.take(packet)? {
                            Next::Stay => next = self.wire.take()?,
                            Next::Leave => return Ok(()),
                        }
                    }
                }
                Some(message) = self.queue.recv(), if self.may_deliver() => {
                    self.deliver(message)?;
                    while let Some(message) = self.next_queued() {
                        self.deliver(message)?;
                    }
                }
                _ = &mut self.kicked => return Err(MqttFault::Late("room in a slow client's queue")),
                // A keep-alive of 0 asks for no limit.
                () = silence.as_mut(), if patience > Span::ZERO => return Err(MqttFault::Late("a sign of life")),
            }
        }
    }

    fn take(&mut self, packet: Packet) -> Result<Next, MqttFault> {
        match packet {
            Packet::Publish(publish) if publish.qos == QoS::ExactlyOnce => {
                return Err(MqttFault::Unexpected("a QoS 2 message"));
            }
            Packet::Publish(publish) => {
                let (qos, id) = (publish.qos, publish.pkid);
                self.core.lock().publish(publish);
                if qos == QoS::AtLeastOnce {
                    self.wire.push(&mqtt::puback(id))?;
                }
            }
            Packet::Subscribe(subscribe) => {
                let (id, codes) = (subscribe.pkid, self.core.lock().subscribe(self.number, subscribe));
                self.wire.push(&Packet::SubAck(SubAck::new(id, codes)))?;
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.core.lock().unsubscribe(self.number, &unsubscribe.topics);
                self.wire.push(&Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)))?;
            }
            Packet::PubAck(ack) => {
                self.in_flight.remove(&ack.pkid);
            }
            Packet::PingReq => self.wire.push(&Packet::PingResp)?,
            Packet::Disconnect => return Ok(Next::Leave),
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp => return Err(mqtt::unexpected(&packet)),
        }
        Ok(Next::Stay)
    }

    fn may_deliver(&self) -> bool {
        self.in_flight.len() < IN_FLIGHT_MAX
    }

    fn next_queued(&mut self) -> Option<Publish> {
        if self.may_deliver() { self.queue.try_recv().ok() } else { None }
    }

    fn deliver(&mut self, mut message: Publish) -> Result<(), MqttFault> {
        if message.qos != QoS::AtMostOnce {
            message.pkid = self.free_id();
            self.in_flight.insert(message.pkid);
        }
        self.wire.push(&Packet::Publish(message))
    }

    /// An id that is not in flight; there is one, because few are.
    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.in_flight.contains(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

/// [`Core`] behind its lock.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Core>>);

impl Shared {
    /// A task that panicked under the lock leaves nothing half done that matters to a demo.
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is here, and what is retained.
#[derive(Default)]
struct Core {
    clients: BTreeMap<u64, Seat>,
    retained: BTreeMap<String, Publish>,
    last: u64,
}

/// A client as the others see it.
struct Seat {
    client_id: String,
    filters: BTreeMap<String, QoS>,
    queue: mpsc::Sender<Publish>,
    /// Dropped with the seat, which ends the client's task.
    _kick: oneshot::Sender<()>,
}

/// What a client's task gets when it joins.
struct Joined {
    number: u64,
    queue: mpsc::Receiver<Publish>,
    kicked: oneshot::Receiver<()>,
}

impl Core {
    /// Takes a client in; one with the same id has to leave.
    fn join(&mut self, client_id: String) -> Joined {
        self.clients.retain(|_, seat| client_id.is_empty() || seat.client_id != client_id);
        self.last = self.last.saturating_add(1);
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let (kick, kicked) = oneshot::channel();
        let seat = Seat { client_id, filters: BTreeMap::new(), queue: sender, _kick: kick };
        self.clients.insert(self.last, seat);
        Joined { number: self.last, queue, kicked }
    }

    fn publish(&mut self, mut message: Publish) {
        if message.retain {
            self.keep(&message);
        }
        message.retain = false;
        message.dup = false;
        self.clients.retain(|_, seat| match seat.wants(&message.topic) {
            Some(qos) => seat.give(&message, qos),
            None => true,
        });
    }

    fn keep(&mut self, message: &Publish) {
        if message.payload.is_empty() {
            self.retained.remove(&message.topic);
        } else if self.retained.len() < RETAINED_MAX || self.retained.contains_key(&message.topic) {
            self.retained.insert(message.topic.clone(), message.clone());
        } else {
            tracing::warn!(topic = message.topic, "the built-in broker retains no further topics");
        }
    }

    fn subscribe(&mut self, number: u64, subscribe: Subscribe) -> Vec<SubscribeReasonCode> {
        let Some(seat) = self.clients.get_mut(&number) else { return Vec::new() };
        let mut codes = Vec::new();
        for filter in subscribe.filters {
            let qos = at_most(filter.qos, QoS::AtLeastOnce);
            if seat.filters.len() >= FILTERS_MAX && !seat.filters.contains_key(&filter.path) {
                codes.push(SubscribeReasonCode::Failure);
                continue;
            }
            codes.push(SubscribeReasonCode::Success(qos));
            for message in self.retained.values().filter(|m| mqtt::matches(&filter.path, &m.topic)) {
                seat.give(message, qos);
            }
            seat.filters.insert(filter.path, qos);
        }
        codes
    }

    fn unsubscribe(&mut self, number: u64, filters: &[String]) {
        if let Some(seat) = self.clients.get_mut(&number) {
            seat.filters.retain(|filter, _| !filters.contains(filter));
        }
    }
}

impl Seat {
    /// The QoS of the best filter that takes in `topic`: one copy, however many filters do.
    fn wants(&self, topic: &str) -> Option<QoS> {
        let taken = self.filters.iter().filter(|(filter, _)| mqtt::matches(filter, topic));
        taken.map(|(_, qos)| *qos).reduce(|a, b| if a == QoS::AtMostOnce { b } else { a })
    }

    /// Queues a copy; false where the client is too far behind.
    fn give(&self, message: &Publish, qos: QoS) -> bool {
        let mut copy = message.clone();
        copy.qos = at_most(message.qos, qos);
        self.queue.try_send(copy).is_ok()
    }
}

fn at_most(qos: QoS, limit: QoS) -> QoS {
    if qos < limit { qos } else { limit }
}
