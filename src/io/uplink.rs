//! Tells one destination, a broker, what the buffer holds: events first and in order, each until it is acknowledged,
//! over any number of lost connections. What may be sent next is decided by `record/outbox.rs`; packets are
//! `mqtt.rs`'s business.
//!
//! ```text
//!   dial ──▶ CONNECT ──▶ CONNACK ──▶ birth ──▶ { fetch, send, PUBACK, note the cursor }* ──▶ end, DISCONNECT
//!    ▲                                               │ anything that goes wrong
//!    └────────────── back-off ◀──────────────────────┘ (nothing of the connection is kept but the cursors)
//! ```

mod complaints;
mod dial;
mod session;

use self::complaints::Complaints;
use self::dial::{PasswordFile, Tcp};
use self::session::{FETCH_PAUSE, Session};
use super::buffer::{Buffer, BufferGone, Cursors, StoredBlock, StoredEvent};
use super::clock::{Clock, duration};
use super::mqtt::{self, Connect, LastWill, Login, MqttFault, Packet, QoS, Wire};
use crate::model::plan::Destination;
use crate::model::record::{Lane, Seq, Trouble};
use crate::model::time::{Mono, Span};
use crate::record::outbox::{BackOff, EVENTS_WINDOW, TELEMETRY_WINDOW, Turn};
use crate::record::payload::{self, Identity, Status, Topics};
use crate::record::unrecorded::{Loose, Unrecorded};
use bytes::Bytes;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::pin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

/// How long the broker may take to answer CONNECT.
const CONNACK_LIMIT: Span = Span::from_secs(10);

/// How long the buffer may take to answer; a flush of worn flash takes seconds at worst.
const FETCH_LIMIT: Span = Span::from_secs(2);

/// Events fetched at once: a few windows, so that the buffer is not asked for each one.
const EVENTS_BATCH: usize = 3 * EVENTS_WINDOW;

/// Telemetry blocks fetched at once.
const TELEMETRY_BATCH: usize = 2 * TELEMETRY_WINDOW;

/// A connection that has stood this long without a fault has proved to work, even if there was nothing to tell.
const STEADY_AFTER: Span = Span::from_secs(10);

/// How long an orderly end waits for acknowledgements; the whole agent has two seconds.
const CLEAN_END: Span = Span::from_ms(500);

/// How long DISCONNECT may take to leave.
const GOODBYE: Span = Span::from_ms(100);

/// Opens connections to one destination.
pub trait Dial {
    /// What a connection is.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;

    /// Opens one.
    fn dial(&mut self) -> impl Future<Output = Result<Self::Stream, UplinkFault>> + Send;
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UplinkFault {
    /// The name or address leads nowhere.
    Unreachable(String),
    /// The password can't be read from its file.
    Password(String),
    /// The broker or the connection failed.
    Mqtt(MqttFault),
}

impl fmt::Display for UplinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UplinkFault::Unreachable(why) => write!(f, "can't be reached: {why}"),
            UplinkFault::Password(why) => write!(f, "the password can't be read: {why}"),
            UplinkFault::Mqtt(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for UplinkFault {}

impl From<MqttFault> for UplinkFault {
    fn from(fault: MqttFault) -> UplinkFault {
        UplinkFault::Mqtt(fault)
    }
}

/// What is told, and by whom.
#[derive(Clone, Debug)]
pub struct Source {
    /// Who tells: the hash of the configuration changes while a connection stands.
    pub identity: watch::Receiver<Identity>,
    /// Events and telemetry.
    pub buffer: Buffer,
    /// What the journal can't take.
    pub unrecorded: watch::Receiver<Unrecorded>,
}

/// Tells `destination` over TCP until `stop` is true (or its sender is gone). A changed identity is announced on the
/// connection that stands.
pub async fn run(
    destination: Destination,
    source: Source,
    clock: Clock,
    troubles: impl Fn(Trouble) + Send,
    stop: watch::Receiver<bool>,
) {
    let dial = Tcp { host: destination.host.clone(), port: destination.port };
    run_over(dial, destination, source, clock, troubles, stop).await;
}

/// The same over connections opened by `dial`.
pub async fn run_over(
    mut dial: impl Dial,
    destination: Destination,
    source: Source,
    clock: Clock,
    troubles: impl Fn(Trouble) + Send,
    mut stop: watch::Receiver<bool>,
) {
    let Source { identity, buffer, unrecorded } = source;
    let topics = Topics::new(&destination.prefix, &identity.borrow().gateway);
    let complaints = Complaints::new(&destination, troubles);
    let password = destination.password_file.clone().map(PasswordFile::new);
    let (own_stop, cursors) = (stop.clone(), None);
    let mut uplink = Uplink {
        destination,
        password,
        identity,
        topics,
        buffer,
        unrecorded,
        clock,
        complaints,
        stop: own_stop,
        cursors,
    };
    let mut back_off = BackOff::default();
    let mut overstayed = pin!(overstayed(stop.clone()));
    loop {
        let is_last = is_stopped(&stop);
        let outcome = tokio::select! {
            outcome = uplink.connect_and_tell(&mut dial, &mut back_off) => outcome,
            () = &mut overstayed => return,
        };
        let Err(fault) = outcome else { return };
        if is_last {
            return;
        }
        let now = clock.mono();
        uplink.complaints.failed(&fault, now);
        let again = now + back_off.after_failure(random());
        tokio::select! {
            () = uplink.pause(again) => {}
            // The last events and the end are told now, where that is possible again.
            () = stopped(&mut stop) => {}
        }
    }
}

fn is_stopped(stop: &watch::Receiver<bool>) -> bool {
    // A sender that is gone can't say stop any more: that is a stop too.
    *stop.borrow() || stop.has_changed().is_err()
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Err where the sender is gone.
    drop(stop.wait_for(|stop| *stop).await);
}

/// Ready when an orderly end should have come about after a stop, and has not.
async fn overstayed(mut stop: watch::Receiver<bool>) {
    stopped(&mut stop).await;
    tokio::time::sleep(duration(CLEAN_END + GOODBYE + GOODBYE)).await;
}

/// Spreads reconnections; nothing secret depends on it.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What lives as long as the destination is told.
struct Uplink<F: Fn(Trouble)> {
    destination: Destination,
    password: Option<PasswordFile>,
    identity: watch::Receiver<Identity>,
    topics: Topics,
    buffer: Buffer,
    unrecorded: watch::Receiver<Unrecorded>,
    clock: Clock,
    complaints: Complaints<F>,
    stop: watch::Receiver<bool>,
    /// Known once the buffer has answered. Kept here, because a note to the buffer may get lost.
    cursors: Option<Cursors>,
}

impl<F: Fn(Trouble) + Send> Uplink<F> {
    /// One connection from dialling to its end. `Ok` is an orderly end because of a stop.
    async fn connect_and_tell<D: Dial>(
        &mut self,
        dial: &mut D,
        back_off: &mut BackOff,
    ) -> Result<(), UplinkFault> {
        let mut cursors = self.cursors().await;
        // Before the broker is called: it would not wait for a file that hangs.
        let login = self.login().await?;
        let mut wire = Wire::new(dial.dial().await?);
        self.shake_hands(&mut wire, login).await?;
        let connected = self.clock.mono();
        self.complaints.connected();
        let mut session = Session::new(wire, cursors, self.buffer.marks(), connected);
        let outcome = self.tell(&mut session, &mut cursors).await;
        self.note(&session, &mut cursors);
        let moved = self.cursors != Some(cursors);
        self.cursors = Some(cursors);
        if moved || self.clock.mono().since(connected) >= STEADY_AFTER {
            back_off.reset();
            self.complaints.worked();
        }
        if outcome.is_err() && !moved && session.outbox.open() > 0 {
            self.complaints.fruitless(cursors.events);
        }
        outcome
    }

    /// Where the destination stands. Asked until the buffer answers: to start anywhere else would lose or repeat.
    async fn cursors(&mut self) -> Cursors {
        let tag = self.destination.tag.to_string();
        loop {
            if let Some(cursors) = self.cursors {
                return cursors;
            }
            match timeout(duration(FETCH_LIMIT), self.buffer.cursors(&tag)).await {
                Ok(Ok(cursors)) => self.cursors = Some(cursors),
                Ok(Err(BufferGone)) | Err(_) => tokio::time::sleep(duration(FETCH_PAUSE)).await,
            }
        }
    }

    async fn shake_hands<S>(&self, wire: &mut Wire<S>, login: Option<Login>) -> Result<(), UplinkFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let connect = Packet::Connect(self.connect(login));
        let shake = async {
            wire.write(&[connect]).await?;
            mqtt::granted(&wire.read().await?)
        };
        let late = |_| Err(MqttFault::Late("the broker's answer to CONNECT"));
        Ok(timeout(duration(CONNACK_LIMIT), shake).await.unwrap_or_else(late)?)
    }

    async fn login(&mut self) -> Result<Option<Login>, UplinkFault> {
        let Some(user) = self.destination.user.clone() else { return Ok(None) };
        let password = match &mut self.password {
            Some(file) => file.read().await?,
            None => String::new(),
        };
        Ok(Some(Login::new(user, password)))
    }

    fn connect(&self, login: Option<Login>) -> Connect {
        let id = format!("davy-{}-{}", self.identity.borrow().gateway, self.destination.tag);
        let mut connect = Connect::new(id);
        connect.keep_alive = keep_alive_s(self.destination.keep_alive);
        let will = self.status(Status::Lost);
        connect.last_will = Some(LastWill::new(self.topics.status(), will, QoS::AtLeastOnce, true));
        connect.login = login;
        connect
    }

    fn status(&self, status: Status) -> Vec<u8> {
        let last = self.buffer.marks().borrow().events;
        let only = self.destination.escalated_only;
        let ails = self.unrecorded.borrow().ails();
        status.payload(&self.identity.borrow(), self.clock.now().wall, last, only, ails)
    }

    async fn tell<S>(&mut self, session: &mut Session<S>, cursors: &mut Cursors) -> Result<(), UplinkFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.identity.mark_unchanged();
        session.announces = Some(Status::Online);
        self.recall_states(session, cursors.events).await;
        let keep_alive = Span::from_secs(u64::from(keep_alive_s(self.destination.keep_alive)));
        loop {
            self.fill(session).await?;
            if is_stopped(&self.stop) {
                self.end(session).await;
                return Ok(());
            }
            let wake = session.wake_at(self.clock.mono(), keep_alive);
            tokio::select! {
                packet = session.wire.read() => session.take(packet?, self.clock.mono())?,
                changed = session.marks.changed(), if !session.marks_gone => session.marks_gone = changed.is_err(),
                Ok(()) = self.unrecorded.changed() => {}
                Ok(()) = self.identity.changed() => session.announces = Some(Status::Online),
                () = sleep_until(self.clock.instant(wake)) => session.check_time(self.clock.mono(), keep_alive)?,
                () = stopped(&mut self.stop) => {}
            }
            while let Some(packet) = session.wire.take()? {
                session.take(packet, self.clock.mono())?;
            }
            self.note(session, cursors);
        }
    }

    /// Says whether the gateway is there, where that is to be said and there is room for it.
    fn announce<S>(&self, session: &mut Session<S>) -> Result<(), UplinkFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if let Some(status) = session.announces
            && session.send_extra(
                self.topics.status(),
                self.status(status).into(),
                true,
                self.clock.mono(),
            )?
        {
            session.announces = None;
        }
        Ok(())
    }

    /// Collects the retained states that the destination has been told; later ones come with their events, in order.
    async fn recall_states<S>(&self, session: &mut Session<S>, told: Seq) {
        let Ok(Ok(standing)) = timeout(duration(FETCH_LIMIT), self.buffer.standing()).await else {
            tracing::warn!(destination = %self.destination.tag, "the buffer did not say which alarms stand");
            return;
        };
        session.states = standing
            .into_iter()
            .filter(|event| event.seq <= told && self.is_for_it(&event.kind, &event.line))
            .filter_map(|event| Some((self.topics.state(&event.kind, event.key.as_deref())?, event.line)))
            .chain(self.unrecorded_states())
            .filter(|(topic, line)| sendable(topic, line))
            .collect();
    }

    /// What is retained where the journal lags behind.
    fn unrecorded_states(&self) -> Vec<(String, Bytes)> {
        let held = self.unrecorded.borrow();
        let state = |copy: &Loose| {
            let line = Bytes::copy_from_slice(&copy.json);
            Some((self.topics.state(&copy.kind, copy.key.as_deref())?, line))
        };
        held.latest().filter(|copy| self.is_for_it(&copy.kind, &copy.json)).filter_map(state).collect()
    }

    /// Sends what there is and the windows allow.
    async fn fill<S>(&mut self, session: &mut Session<S>) -> Result<(), UplinkFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let ails = self.unrecorded.borrow_and_update().ails();
        if std::mem::replace(&mut session.ails, ails) != ails && !is_stopped(&self.stop) {
            session.announces = Some(Status::Online);
        }
        self.announce(session)?;
        let marks = *session.marks.borrow_and_update();
        loop {
            let now = self.clock.mono();
            let copy = self.unrecorded.borrow().after(session.unrecorded);
            match session.outbox.turn(session.waiting(marks, copy.is_some(), now)) {
                None => return Ok(()),
                Some(Turn::Unrecorded) => {
                    if let Some(copy) = copy {
                        self.send_copy(session, &copy, now)?;
                    }
                }
                Some(Turn::Event) => match session.events.pop() {
                    Some(event) => self.send_event(session, event, now)?,
                    None => {
                        let after = Seq(session.outbox.sent(Lane::Event));
                        let fetched = self.fetch(self.buffer.events(after, EVENTS_BATCH)).await;
                        let new = fetched.into_iter().filter(|event| event.seq > after);
                        session.events.refill(new, self.clock.mono());
                    }
                },
                Some(Turn::State) => {
                    if let Some((topic, line)) = session.states.pop_first() {
                        session.send_extra(topic, line, true, now)?;
                    }
                }
                Some(Turn::Telemetry) => match session.blocks.pop() {
                    Some(block) => self.send_block(session, block, now)?,
                    None => {
                        let after = session.outbox.sent(Lane::Telemetry);
                        let fetched = self.fetch(self.buffer.telemetry(after, TELEMETRY_BATCH)).await;
                        let new = fetched.into_iter().filter(|block| block.seq > after);
                        session.blocks.refill(new, self.clock.mono());
                    }
                },
            }
        }
    }

    async fn fetch<T>(&self, ask: impl Future<Output = Result<Vec<T>, BufferGone>>) -> Vec<T> {
        match timeout(duration(FETCH_LIMIT), ask).await {
            Ok(Ok(items)) => items,
            Ok(Err(BufferGone)) | Err(_) => {
                tracing::debug!(destination = %self.destination.tag, "the buffer does not answer");
                Vec::new()
            }
        }
    }

    fn send_event<S>(
        &mut self,
        session: &mut Session<S>,
        event: StoredEvent,
        now: Mono,
    ) -> Result<(), UplinkFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if !self.is_for_it(&event.kind, &event.line) {
            // Counts as taken: the cursor moves over what it is not told.
            return session.send(Lane::Event, event.seq.0, Vec::new(), now);
        }
        let topic = self.topics.event(event.area.as_deref(), &event.kind);
        if !sendable(&topic, &event.line) {
            self.complaints.set_aside(Lane::Event, event.seq.0, event.line.len());
            session.send(Lane::Event, event.seq.0, Vec::new(), now)?;
            return Ok(());
        }
        let mut messages = vec![(topic, event.line.clone(), false)];
        if let Some(topic) = self.topics.state(&event.kind, event.key.as_deref())
            && !self.unrecorded.borrow().knows_of(&event.kind, event.key.as_deref())
        {
            session.states.remove(&topic);
            if sendable(&topic, &event.line) {
                messages.push((topic, event.line, true));
            }
        }
        session.send(Lane::Event, event.seq.0, messages, now)
    }

    /// Sends a copy of what the journal can't take. A lost connection begins anew with all that are left.
    fn send_copy<S>(&self, session: &mut Session<S>, copy: &Loose, now: Mono) -> Result<(), UplinkFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        session.unrecorded = copy.nth;
        if !self.is_for_it(&copy.kind, &copy.json) {
            return Ok(());
        }
        let line = Bytes::copy_from_slice(&copy.json);
        let topic = self.topics.unrecorded(copy.area.as_deref(), &copy.kind);
        if sendable(&topic, &line) {
            session.send_extra(topic, line.clone(), false, now)?;
        }
        if let Some(topic) = self.topics.state(&copy.kind, copy.key.as_deref()) {
            session.states.remove(&topic);
            if sendable(&topic, &line) {
                session.send_extra(topic, line, true, now)?;
            }
        }
        Ok(())
    }

    fn is_for_it(&self, kind: &str, line: &[u8]) -> bool {
        !self.destination.escalated_only || payload::is_of_escalation(kind, line)
    }

    fn send_block<S>(
        &mut self,
        session: &mut Session<S>,
        block: StoredBlock,
        now: Mono,
    ) -> Result<(), UplinkFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let topic = self.topics.telemetry();
        let mut messages = Vec::new();
        if self.destination.escalated_only {
            // No values either.
        } else if sendable(&topic, &block.json) {
            messages.push((topic, block.json, false));
        } else {
            self.complaints.set_aside(Lane::Telemetry, block.seq, block.json.len());
        }
        session.send(Lane::Telemetry, block.seq, messages, now)
    }

    /// Tells the buffer how far the destination has come.
    fn note<S>(&mut self, session: &Session<S>, cursors: &mut Cursors) {
        let before = *cursors;
        let tag = self.destination.tag.as_str();
        cursors.events = Seq(session.outbox.cursor(Lane::Event));
        cursors.telemetry = session.outbox.cursor(Lane::Telemetry);
        if cursors.events > before.events {
            self.buffer.acked(tag, Lane::Event, cursors.events.0);
        }
        if cursors.telemetry > before.telemetry {
            self.buffer.acked(tag, Lane::Telemetry, cursors.telemetry);
        }
        if *cursors != before {
            self.complaints.progress();
        }
    }

    /// Ends in order: what is new, the end, the acknowledgements, DISCONNECT. What does not get through in time is
    /// told after the next start, and the broker publishes the last will.
    async fn end<S>(&mut self, session: &mut Session<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let politely = async {
            self.fill(session).await?;
            session.announces = Some(Status::Ended);
            self.announce(session)?;
            while session.outbox.open() > 0 {
                let packet = session.wire.read().await?;
                session.take(packet, self.clock.mono())?;
                self.fill(session).await?;
            }
            Ok::<(), UplinkFault>(())
        };
        let in_time = timeout(duration(CLEAN_END), politely).await;
        let goodbye = session.wire.write(&[Packet::Disconnect]);
        let said = timeout(duration(GOODBYE), goodbye).await;
        let tag = &self.destination.tag;
        match (in_time, said) {
            (Ok(Ok(())), Ok(Ok(()))) => tracing::info!(destination = %tag, "disconnected"),
            _ => {
                tracing::warn!(destination = %tag, open = session.outbox.open(), "disconnected with messages open")
            }
        }
    }

    /// Waits for the next attempt, and raises the trouble when it is due meanwhile.
    async fn pause(&mut self, until: Mono) {
        if let Some(due) = self.complaints.trouble_due().filter(|due| *due < until) {
            sleep_until(self.clock.instant(due)).await;
            self.complaints.still_away(self.clock.mono());
        }
        sleep_until(self.clock.instant(until)).await;
    }
}

fn sendable(topic: &str, payload: &Bytes) -> bool {
    mqtt::is_topic(topic) && mqtt::fits(topic, payload.len())
}

/// A keep-alive as CONNECT carries it: whole seconds, never 0, which would switch it off.
fn keep_alive_s(span: Span) -> u16 {
    u16::try_from(span.us().div_ceil(1_000_000)).unwrap_or(u16::MAX).max(1)
}
