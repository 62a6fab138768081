//! What an uplink holds of one connection: packets, what is on its way, what is fetched and not yet sent, deadlines.

use super::UplinkFault;
use crate::io::buffer::{Cursors, Marks, StoredBlock, StoredEvent};
use crate::io::mqtt::{self, MqttFault, Packet, Wire};
use crate::model::record::Lane;
use crate::model::time::{Mono, Span};
use crate::record::outbox::{Outbox, Waiting};
use crate::record::payload::Status;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// How long the broker may take to answer a ping.
const PING_LIMIT: Span = Span::from_secs(10);

/// Pause after a question that the buffer did not answer, or answered with nothing against its own marks.
pub(super) const FETCH_PAUSE: Span = Span::from_secs(1);

/// What lives as long as one connection.
pub(super) struct Session<S> {
    pub(super) wire: Wire<S>,
    pub(super) outbox: Outbox,
    pub(super) marks: watch::Receiver<Marks>,
    pub(super) marks_gone: bool,
    pub(super) events: Queue<StoredEvent>,
    pub(super) blocks: Queue<StoredBlock>,
    /// Retained states to be told again, by topic.
    pub(super) states: BTreeMap<String, Bytes>,
    /// What is to be said of the gateway itself.
    pub(super) announces: Option<Status>,
    /// The last copy sent of what the journal can't take.
    pub(super) unrecorded: u64,
    /// Whether it was last seen to take nothing.
    pub(super) ails: bool,
    pub(super) last_write: Mono,
    /// Nothing has come since this ping.
    pub(super) ping_sent: Option<Mono>,
}

/// Items fetched and not yet sent.
pub(super) struct Queue<T> {
    items: VecDeque<T>,
    /// Not asked for more before this: the last question brought nothing.
    not_before: Option<Mono>,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Queue<T> {
        Queue { items: VecDeque::new(), not_before: None }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    pub(super) fn refill(&mut self, items: impl Iterator<Item = T>, now: Mono) {
        self.items.extend(items);
        self.not_before = self.items.is_empty().then_some(now + FETCH_PAUSE);
    }

    /// Whether there is something, or it is worth asking because there is `news`.
    pub(super) fn waits(&self, news: bool, now: Mono) -> bool {
        !self.items.is_empty() || (news && self.not_before.is_none_or(|at| now >= at))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub(super) fn new(
        wire: Wire<S>,
        cursors: Cursors,
        marks: watch::Receiver<Marks>,
        now: Mono,
    ) -> Session<S> {
        Session {
            wire,
            outbox: Outbox::new(cursors.events.0, cursors.telemetry),
            marks,
            marks_gone: false,
            events: Queue::new(),
            blocks: Queue::new(),
            states: BTreeMap::new(),
            announces: None,
            unrecorded: 0,
            ails: false,
            last_write: now,
            ping_sent: None,
        }
    }

    pub(super) fn waiting(&self, marks: Marks, unrecorded: bool, now: Mono) -> Waiting {
        Waiting {
            unrecorded,
            events: self.events.waits(marks.events.0 > self.outbox.sent(Lane::Event), now),
            states: !self.states.is_empty(),
            telemetry: self.blocks.waits(marks.telemetry > self.outbox.sent(Lane::Telemetry), now),
        }
    }

    /// Queues one item's messages: topic, payload, retain. An item without any is set aside.
    pub(super) fn send(
        &mut self,
        lane: Lane,
        seq: u64,
        messages: Vec<(String, Bytes, bool)>,
        now: Mono,
    ) -> Result<(), UplinkFault> {
        let ids = self.outbox.send(lane, seq, messages.len(), now).unwrap_or_default();
        for (id, (topic, payload, retain)) in ids.into_iter().zip(messages) {
            self.push(&mqtt::publish(topic, payload, retain, id), now)?;
        }
        Ok(())
    }

    /// Queues a message of no lane; false where there is no room for it on the way.
    pub(super) fn send_extra(
        &mut self,
        topic: String,
        payload: Bytes,
        retain: bool,
        now: Mono,
    ) -> Result<bool, UplinkFault> {
        let Some(id) = self.outbox.send_extra(now) else { return Ok(false) };
        self.push(&mqtt::publish(topic, payload, retain, id), now)?;
        Ok(true)
    }

    /// Queues a packet; it is written while the next one is awaited. Each one sent wants an answer, so a peer that
    /// reads nothing is found by the answer that does not come.
    fn push(&mut self, packet: &Packet, now: Mono) -> Result<(), UplinkFault> {
        self.last_write = now;
        Ok(self.wire.push(packet)?)
    }

    pub(super) fn take(&mut self, packet: Packet, now: Mono) -> Result<(), UplinkFault> {
        // Whatever comes shows that the other end is there; on a slow link the answer stands behind other packets.
        self.ping_sent = None;
        if let Packet::PubAck(ack) = packet {
            if !self.outbox.acknowledged(ack.pkid, now) {
                tracing::debug!(id = ack.pkid, "an acknowledgement of nothing");
            }
            Ok(())
        } else if packet == Packet::PingResp {
            Ok(())
        } else {
            Err(mqtt::unexpected(&packet).into())
        }
    }

    /// When time itself must be looked at.
    pub(super) fn wake_at(&self, now: Mono, keep_alive: Span) -> Mono {
        let ping = self.ping_sent.map_or(self.ping_due(keep_alive), |sent| sent + PING_LIMIT);
        // A question that could be asked again by now waits for room in its window, not for time.
        let retries =
            [self.events.not_before, self.blocks.not_before].into_iter().flatten().filter(|at| *at > now);
        retries.chain(self.outbox.ack_due()).fold(ping, Mono::min)
    }

    /// A quarter before the broker's patience of a keep-alive ends.
    pub(super) fn ping_due(&self, keep_alive: Span) -> Mono {
        self.last_write + Span::from_us(keep_alive.us().saturating_sub(keep_alive.us() / 4))
    }

    pub(super) fn check_time(&mut self, now: Mono, keep_alive: Span) -> Result<(), UplinkFault> {
        if self.outbox.ack_due().is_some_and(|due| now >= due) {
            return Err(MqttFault::Late("the acknowledgement of a message").into());
        }
        match self.ping_sent {
            Some(sent) if now >= sent + PING_LIMIT => Err(MqttFault::Late("the answer to a ping").into()),
            Some(_) => Ok(()),
            None if now >= self.ping_due(keep_alive) => {
                self.ping_sent = Some(now);
                self.push(&Packet::PingReq, now)
            }
            None => Ok(()),
        }
    }
}
