//! A small subscriber: what `demo` and the tests see of a broker from outside the agent. It acknowledges what it
//! hands out and asks for nothing twice.

use super::clock::duration;
use super::mqtt::{
    self, Connect, MqttFault, Packet, QoS, Subscribe, SubscribeFilter, SubscribeReasonCode, Wire,
};
use crate::model::time::Span;
use bytes::Bytes;
use std::collections::VecDeque;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Keep-alive told to the broker.
const KEEP_ALIVE_S: u16 = 30;

/// Pause after which a waiting subscriber shows that it is there.
const PING_EVERY: Span = Span::from_secs(20);

/// How long connecting and subscribing may take, each.
const ANSWER_LIMIT: Span = Span::from_secs(10);

/// A message received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// Whether the broker had kept it from before the subscription.
    pub retain: bool,
}

/// A connection that receives what some filters take in.
#[derive(Debug)]
pub struct Subscriber {
    wire: Wire<TcpStream>,
    /// Came while the subscription was being made.
    early: VecDeque<Message>,
}

impl Subscriber {
    /// Connects to the broker at `address` (`host:port`) and subscribes to `filters` with QoS 1.
    ///
    /// # Errors
    /// The broker is not there, or refuses the connection or a filter.
    pub async fn connect(address: &str, client_id: &str, filters: &[&str]) -> Result<Subscriber, MqttFault> {
        let late = |_| Err(MqttFault::Late("the broker's answer"));
        let connect = Subscriber::connect_unhurried(address, client_id, filters);
        timeout(duration(ANSWER_LIMIT), connect).await.unwrap_or_else(late)
    }

    async fn connect_unhurried(
        address: &str,
        client_id: &str,
        filters: &[&str],
    ) -> Result<Subscriber, MqttFault> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut subscriber = Subscriber { wire: Wire::new(stream), early: VecDeque::new() };
        let mut connect = Connect::new(client_id);
        connect.keep_alive = KEEP_ALIVE_S;
        subscriber.wire.write(&[Packet::Connect(connect)]).await?;
        mqtt::granted(&subscriber.wire.read().await?)?;
        subscriber.subscribe(filters).await?;
        Ok(subscriber)
    }

    async fn subscribe(&mut self, filters: &[&str]) -> Result<(), MqttFault> {
        let filters = filters.iter().map(|f| SubscribeFilter::new((*f).to_owned(), QoS::AtLeastOnce));
        let mut subscribe = Subscribe::new_many(filters);
        subscribe.pkid = 1;
        self.wire.write(&[Packet::Subscribe(subscribe)]).await?;
        let refused = loop {
            let packet = self.wire.read().await?;
            if let Packet::SubAck(ack) = packet {
                break ack.return_codes.contains(&SubscribeReasonCode::Failure);
            }
            let message = self.receive(packet)?;
            self.early.extend(message);
        };
        if refused { Err(MqttFault::Unexpected("a filter that the broker does not allow")) } else { Ok(()) }
    }

    /// The next message. Can be cancelled without losing one.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn next(&mut self) -> Result<Message, MqttFault> {
        loop {
            // Acknowledgements of what was handed out before; nothing is taken off the wire until they are gone.
            self.wire.flush().await?;
            if let Some(message) = self.early.pop_front() {
                return Ok(message);
            }
            tokio::select! {
                packet = self.wire.read() => if let Some(message) = self.receive(packet?)? {
                    return Ok(message);
                },
                () = sleep(duration(PING_EVERY)) => self.wire.push(&Packet::PingReq)?,
            }
        }
    }

    /// The message that `packet` brings, if it does. Its acknowledgement is queued.
    fn receive(&mut self, packet: Packet) -> Result<Option<Message>, MqttFault> {
        if packet == Packet::PingResp {
            return Ok(None);
        }
        let Packet::Publish(publish) = packet else { return Err(mqtt::unexpected(&packet)) };
        if publish.qos != QoS::AtMostOnce {
            self.wire.push(&mqtt::puback(publish.pkid))?;
        }
        Ok(Some(Message { topic: publish.topic, payload: publish.payload, retain: publish.retain }))
    }
}
