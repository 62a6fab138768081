//! MQTT packets over any stream of bytes: the only file that names rumqttc, of which only the codec is used. Sessions
//! live in `uplink.rs`, `subscriber.rs` and `broker.rs`; what MQTT 5 would add to the packets is added here.
//!
//! The other end is taken for hostile: a packet is bounded before it is held, a topic is checked before it is
//! believed, and whatever does not read as MQTT is a fault that ends the connection.

use bytes::BytesMut;
use rumqttc::mqttbytes::{Error, v4};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Login, Packet, PubAck, PubComp, PubRec, Publish, SubAck,
    Subscribe, SubscribeFilter, SubscribeReasonCode, UnsubAck,
};
pub use rumqttc::mqttbytes::{Protocol, QoS};

/// Largest packet sent or taken, in bytes. An event is a line of about a kilobyte and a telemetry block a few; brokers
/// take 256 MiB by default, but a cloud's limit is commonly 128 KiB to 256 KiB.
pub const PACKET_MAX: usize = 256 * 1024;

/// Longest topic or other string of MQTT, in bytes: its length is written in 16 bits.
pub const STRING_MAX: usize = 65_535;

/// Bytes asked for at each read. Together with [`PACKET_MAX`] it bounds what a connection holds.
const READ_STEP: usize = 8 * 1024;

/// Longest fixed header, in bytes: the codec's limit on what comes is without it.
const HEADER_MAX: usize = 5;

/// Room for everything in front of a publish's payload but its topic: fixed header, lengths, packet id.
const PUBLISH_OVERHEAD: usize = 9;

/// Why a connection can't go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MqttFault {
    /// The other end closed the connection.
    Closed,
    /// The connection broke.
    Broken(io::ErrorKind),
    /// What came is not MQTT 3.1.1.
    Malformed(String),
    /// A packet is larger than [`PACKET_MAX`].
    TooLarge(usize),
    /// A packet that can't be written: a string is too long or an id is missing.
    Unwritable(String),
    /// A packet that has no place here.
    Unexpected(&'static str),
    /// The broker refused the connection.
    Refused(ConnectReturnCode),
    /// The other end did not do this in time.
    Late(&'static str),
}

impl fmt::Display for MqttFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MqttFault::Closed => f.write_str("the other end closed the connection"),
            MqttFault::Broken(kind) => write!(f, "the connection broke: {kind}"),
            MqttFault::Malformed(what) => write!(f, "what came is not MQTT 3.1.1: {what}"),
            MqttFault::TooLarge(size) => {
                write!(f, "a packet of {size} bytes is over the limit of {PACKET_MAX}")
            }
            MqttFault::Unwritable(what) => write!(f, "a packet can't be written: {what}"),
            MqttFault::Unexpected(what) => write!(f, "{what} has no place here"),
            MqttFault::Refused(code) => write!(f, "the broker refused the connection: {}", refusal(*code)),
            MqttFault::Late(what) => write!(f, "{what} did not come in time"),
        }
    }
}

impl std::error::Error for MqttFault {}

impl From<io::Error> for MqttFault {
    fn from(e: io::Error) -> MqttFault {
        MqttFault::Broken(e.kind())
    }
}

/// A broker's refusal in words.
#[must_use]
pub const fn refusal(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::Success => "accepted",
        ConnectReturnCode::RefusedProtocolVersion => "it does not speak MQTT 3.1.1",
        ConnectReturnCode::BadClientId => "it does not take the client id",
        ConnectReturnCode::ServiceUnavailable => "it is not available",
        ConnectReturnCode::BadUserNamePassword => "user name or password is wrong",
        ConnectReturnCode::NotAuthorized => "this user is not allowed to connect",
    }
}

/// A packet's name, for messages.
#[must_use]
pub const fn name(packet: &Packet) -> &'static str {
    match packet {
        Packet::Connect(_) => "CONNECT",
        Packet::ConnAck(_) => "CONNACK",
        Packet::Publish(_) => "PUBLISH",
        Packet::PubAck(_) => "PUBACK",
        Packet::PubRec(_) => "PUBREC",
        Packet::PubRel(_) => "PUBREL",
        Packet::PubComp(_) => "PUBCOMP",
        Packet::Subscribe(_) => "SUBSCRIBE",
        Packet::SubAck(_) => "SUBACK",
        Packet::Unsubscribe(_) => "UNSUBSCRIBE",
        Packet::UnsubAck(_) => "UNSUBACK",
        Packet::PingReq => "PINGREQ",
        Packet::PingResp => "PINGRESP",
        Packet::Disconnect => "DISCONNECT",
    }
}

/// The fault that `packet` is where it has no place.
#[must_use]
pub const fn unexpected(packet: &Packet) -> MqttFault {
    MqttFault::Unexpected(name(packet))
}

/// The fault that a connection is not granted, or `Ok` where it is.
///
/// # Errors
/// What came instead of a CONNACK that grants it.
pub fn granted(answer: &Packet) -> Result<(), MqttFault> {
    let Packet::ConnAck(ack) = answer else { return Err(unexpected(answer)) };
    if ack.code == ConnectReturnCode::Success { Ok(()) } else { Err(MqttFault::Refused(ack.code)) }
}

/// A stream that carries packets. Reading and flushing can be cancelled at any point without losing a byte.
#[derive(Debug)]
pub struct Wire<S> {
    stream: S,
    came: BytesMut,
    goes: BytesMut,
    /// Nothing more can be written; what had come before may still be read.
    deaf: Option<io::ErrorKind>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Packets over `stream`.
    #[must_use]
    pub fn new(stream: S) -> Wire<S> {
        Wire { stream, came: BytesMut::new(), goes: BytesMut::new(), deaf: None }
    }

    /// The next packet. Meanwhile it writes what waits, so that two ends that both write don't wait for each other,
    /// and what the other end said before it closed is heard.
    ///
    /// # Errors
    /// The stream has ended, or what came is not MQTT; the connection must be given up.
    pub async fn read(&mut self) -> Result<Packet, MqttFault> {
        loop {
            if let Some(packet) = self.take()? {
                return Ok(packet);
            }
            self.came.reserve(READ_STEP);
            if poll_fn(|cx| self.poll_exchange(cx)).await? == 0 {
                return Err(self.deaf.map_or(MqttFault::Closed, MqttFault::Broken));
            }
        }
    }

    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.deaf.is_none()
            && let Poll::Ready(Err(e)) = self.poll_flush(cx)
        {
            self.deaf = Some(e.kind());
        }
        pin!(self.stream.read_buf(&mut self.came)).poll(cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.goes.is_empty() {
            if ready!(pin!(self.stream.write_buf(&mut self.goes)).poll(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        pin!(self.stream.flush()).poll(cx)
    }

    /// The next packet, where it has come already.
    ///
    /// # Errors
    /// As [`Wire::read`].
    pub fn take(&mut self) -> Result<Option<Packet>, MqttFault> {
        match Packet::read(&mut self.came, PACKET_MAX - HEADER_MAX) {
            Ok(packet) => check(packet).map(Some),
            Err(Error::InsufficientBytes(_)) => Ok(None),
            Err(Error::PayloadSizeLimitExceeded(size)) => Err(MqttFault::TooLarge(size)),
            Err(other) => Err(MqttFault::Malformed(other.to_string())),
        }
    }

    /// Puts `packet` behind what waits to be flushed.
    ///
    /// # Errors
    /// It can't be written; nothing of it was queued.
    pub fn push(&mut self, packet: &Packet) -> Result<(), MqttFault> {
        if !strings_fit(packet) {
            return Err(MqttFault::Unwritable(format!("a string is longer than {STRING_MAX} bytes")));
        }
        // A buffer of its own: the codec sets a CONNECT's flags at a fixed offset of the buffer, and leaves half a
        // packet behind where it fails.
        let mut tail = self.goes.split_off(self.goes.len());
        match packet.write(&mut tail, PACKET_MAX) {
            Ok(_) => {
                self.goes.unsplit(tail);
                Ok(())
            }
            Err(Error::OutgoingPacketTooLarge { pkt_size, .. }) => Err(MqttFault::TooLarge(pkt_size)),
            Err(other) => Err(MqttFault::Unwritable(other.to_string())),
        }
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// The stream is broken.
    pub async fn flush(&mut self) -> Result<(), MqttFault> {
        if let Some(kind) = self.deaf {
            return Err(MqttFault::Broken(kind));
        }
        Ok(poll_fn(|cx| self.poll_flush(cx)).await?)
    }

    /// Writes `packets` in one go.
    ///
    /// # Errors
    /// One of them can't be written, or the stream is broken.
    pub async fn write(&mut self, packets: &[Packet]) -> Result<(), MqttFault> {
        for packet in packets {
            self.push(packet)?;
        }
        self.flush().await
    }

    /// Ends the stream in order.
    ///
    /// # Errors
    /// The stream is broken.
    pub async fn close(mut self) -> Result<(), MqttFault> {
        self.flush().await?;
        Ok(self.stream.shutdown().await?)
    }
}

/// What the codec lets through and MQTT forbids.
fn check(packet: Packet) -> Result<Packet, MqttFault> {
    let well_formed = if let Packet::Publish(publish) = &packet {
        is_topic(&publish.topic)
    } else if let Packet::Connect(connect) = &packet {
        connect.last_will.as_ref().is_none_or(|will| is_topic(&will.topic))
    } else if let Packet::Subscribe(subscribe) = &packet {
        subscribe.filters.iter().all(|filter| is_filter(&filter.path))
    } else if let Packet::Unsubscribe(unsubscribe) = &packet {
        unsubscribe.topics.iter().all(|filter| is_filter(filter))
    } else {
        true
    };
    if well_formed {
        Ok(packet)
    } else {
        Err(MqttFault::Malformed(format!("a topic or filter of {} is not one", name(&packet))))
    }
}

/// Whether every string of `packet` fits into its 16 bits of length: the codec would cut the length off.
fn strings_fit(packet: &Packet) -> bool {
    let fits = |text: &str| text.len() <= STRING_MAX;
    if let Packet::Publish(publish) = packet {
        fits(&publish.topic)
    } else if let Packet::Connect(connect) = packet {
        let will = connect.last_will.as_ref();
        let login = connect.login.as_ref();
        fits(&connect.client_id)
            && will.is_none_or(|will| fits(&will.topic) && will.message.len() <= STRING_MAX)
            && login.is_none_or(|login| fits(&login.username) && fits(&login.password))
    } else if let Packet::Subscribe(subscribe) = packet {
        subscribe.filters.iter().all(|filter| fits(&filter.path))
    } else if let Packet::Unsubscribe(unsubscribe) = packet {
        unsubscribe.topics.iter().all(|filter| fits(filter))
    } else {
        true
    }
}

/// Whether a publish of `payload` bytes on `topic` can be sent.
#[must_use]
pub fn fits(topic: &str, payload: usize) -> bool {
    let whole = topic.len().saturating_add(payload).saturating_add(PUBLISH_OVERHEAD);
    topic.len() <= STRING_MAX && whole <= PACKET_MAX
}

/// Whether `text` can be published on.
#[must_use]
pub fn is_topic(text: &str) -> bool {
    !text.is_empty() && text.len() <= STRING_MAX && !text.contains(['+', '#', '\0'])
}

/// Whether `text` can be subscribed to: `+` stands for a whole level, `#` for all levels from here on, at the end.
#[must_use]
pub fn is_filter(text: &str) -> bool {
    let whole_levels = text.split('/').all(|level| level.len() == 1 || !level.contains(['+', '#']));
    let hash_last = text.find('#').is_none_or(|at| at.saturating_add(1) == text.len());
    !text.is_empty() && text.len() <= STRING_MAX && !text.contains('\0') && whole_levels && hash_last
}

/// Whether `filter` takes in `topic`. `a/#` takes in `a` too; a wildcard at the start takes in no `$` topic.
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            Some(_) | None => return false,
        }
    }
    levels.next().is_none()
}

/// The acknowledgement of a connection.
#[must_use]
pub fn connack(code: ConnectReturnCode) -> Packet {
    Packet::ConnAck(ConnAck::new(code, false))
}

/// The acknowledgement of a QoS 1 message.
#[must_use]
pub fn puback(id: u16) -> Packet {
    Packet::PubAck(PubAck::new(id))
}

/// A QoS 1 message.
#[must_use]
pub fn publish(topic: String, payload: bytes::Bytes, retain: bool, id: u16) -> Packet {
    let mut publish = v4::Publish::from_bytes(topic, QoS::AtLeastOnce, payload);
    publish.retain = retain;
    publish.pkid = id;
    Packet::Publish(publish)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::duplex;

    /// Packets of every kind that a session sends or gets.
    fn samples() -> Vec<Packet> {
        let mut connect = Connect::new("id");
        connect.last_will = Some(LastWill::new("a/b", "gone", QoS::AtLeastOnce, true));
        connect.login = Some(Login::new("user", "secret"));
        let mut subscribe = Subscribe::new("a/+", QoS::AtLeastOnce);
        subscribe.pkid = 7;
        let mut unsubscribe = v4::Unsubscribe::new("a/+");
        unsubscribe.pkid = 8;
        vec![
            Packet::Connect(connect),
            connack(ConnectReturnCode::NotAuthorized),
            publish("a/b".to_owned(), "payload".into(), true, 9),
            puback(9),
            Packet::PubRec(PubRec::new(1)),
            Packet::PubRel(v4::PubRel::new(1)),
            Packet::PubComp(PubComp::new(1)),
            Packet::Subscribe(subscribe),
            Packet::SubAck(SubAck::new(7, vec![SubscribeReasonCode::Failure])),
            Packet::Unsubscribe(unsubscribe),
            Packet::UnsubAck(UnsubAck::new(8)),
            Packet::PingReq,
            Packet::PingResp,
            Packet::Disconnect,
        ]
    }

    fn bytes_of(packets: &[Packet]) -> Vec<u8> {
        let mut wire = Wire::new(tokio::io::empty());
        for packet in packets {
            wire.push(packet).unwrap();
        }
        wire.goes.to_vec()
    }

    /// Reads until nothing whole is left; the number of packets, and the fault if there was one.
    fn read_all(bytes: &[u8]) -> (usize, Option<MqttFault>) {
        let mut wire = Wire::new(tokio::io::empty());
        wire.came.extend_from_slice(bytes);
        let mut count = 0;
        loop {
            match wire.take() {
                Ok(Some(_)) => count += 1,
                Ok(None) => return (count, None),
                Err(fault) => return (count, Some(fault)),
            }
        }
    }

    #[tokio::test]
    async fn packets_come_out_as_they_went_in_however_they_are_cut() {
        let (ours, theirs) = duplex(3);
        let (mut ours, mut theirs) = (Wire::new(ours), Wire::new(theirs));
        let sending = tokio::spawn(async move { ours.write(&samples()).await });
        for sample in samples() {
            assert_eq!(theirs.read().await, Ok(sample));
        }
        sending.await.unwrap().unwrap();
        assert_eq!(theirs.read().await, Err(MqttFault::Closed));
    }

    #[tokio::test]
    async fn a_flush_that_is_cancelled_goes_on_where_it_stopped() {
        let (ours, theirs) = duplex(4);
        let (mut ours, mut theirs) = (Wire::new(ours), Wire::new(theirs));
        for packet in samples() {
            ours.push(&packet).unwrap();
        }
        let mut came = Vec::new();
        while came.len() < samples().len() {
            tokio::select! {
                biased;
                packet = theirs.read() => came.push(packet.unwrap()),
                flushed = ours.flush() => flushed.unwrap(),
                () = tokio::task::yield_now() => {}
            }
        }
        assert_eq!(came, samples());
    }

    #[test]
    fn a_packet_over_the_limit_is_refused_before_it_is_held() {
        let header = [0x30, 0xFF, 0xFF, 0xFF, 0x7F];
        assert_eq!(read_all(&header), (0, Some(MqttFault::TooLarge(268_435_455))));
        let mut wire = Wire::new(tokio::io::empty());
        let large = publish("a".to_owned(), vec![0; PACKET_MAX].into(), false, 1);
        assert!(matches!(wire.push(&large), Err(MqttFault::TooLarge(_))));
        let long = publish("a".repeat(STRING_MAX + 1), "".into(), false, 1);
        assert!(matches!(wire.push(&long), Err(MqttFault::Unwritable(_))));
        let nameless = publish("a".to_owned(), "".into(), false, 0);
        assert!(matches!(wire.push(&nameless), Err(MqttFault::Unwritable(_))));
        assert!(wire.goes.is_empty(), "nothing of a refused packet stays behind");
    }

    #[test]
    fn what_fits_can_be_sent_to_the_last_byte() {
        let most = PACKET_MAX - "topic".len() - PUBLISH_OVERHEAD;
        assert!(fits("topic", most) && !fits("topic", most + 1));
        let mut wire = Wire::new(tokio::io::empty());
        wire.push(&publish("topic".to_owned(), vec![0; most].into(), false, u16::MAX)).unwrap();
    }

    #[test]
    fn whatever_is_taken_can_be_passed_on() {
        let mut wire = Wire::new(tokio::io::empty());
        // The largest remaining length that is taken: topic `a`, an id, zeros.
        wire.came.extend_from_slice(&[0x32, 0xFB, 0xFF, 0x0F, 0, 1, b'a', 0, 1]);
        wire.came.resize(4 + PACKET_MAX - HEADER_MAX, 0);
        let largest = wire.take().unwrap().unwrap();
        assert_eq!(wire.push(&largest), Ok(()));
    }

    #[test]
    fn topics_and_filters_are_told_from_what_is_neither() {
        for good in ["a", "/", "a//b", "$SYS/x", "厨房/一", "a:trip"] {
            assert!(is_topic(good) && is_filter(good), "{good}");
        }
        for filter in ["#", "+", "a/#", "+/+/#", "a/+/b", "/#"] {
            assert!(is_filter(filter) && !is_topic(filter), "{filter}");
        }
        for bad in ["", "a#", "#/a", "a/#/b", "a+/b", "++", "a\0b"] {
            assert!(!is_filter(bad) && !is_topic(bad), "{bad}");
        }
    }

    #[test]
    fn filters_take_in_what_the_standard_says() {
        for (filter, topic) in [
            ("#", "a"),
            ("#", "/a/b"),
            ("a/#", "a"),
            ("a/#", "a/b/c"),
            ("+", "a"),
            ("+/+", "/a"),
            ("/+", "/a"),
            ("a/+/c", "a//c"),
            ("$SYS/#", "$SYS/x"),
            ("é/+", "é/x"),
        ] {
            assert!(matches(filter, topic), "{filter} takes in {topic}");
        }
        for (filter, topic) in [
            ("a", "b"),
            ("a", "a/b"),
            ("a/b", "a"),
            ("+", "a/b"),
            ("+", "/a"),
            ("a/+", "a"),
            ("#", "$SYS/x"),
            ("+/x", "$SYS/x"),
            ("a/#", "ab"),
        ] {
            assert!(!matches(filter, topic), "{filter} does not take in {topic}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            read_all(&bytes);
        }

        #[test]
        fn no_damage_to_good_packets_makes_the_reader_panic(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            for sample in samples() {
                let mut bytes = bytes_of(&[sample]);
                for (at, byte) in &damage {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                read_all(&bytes);
                // The same with a length that is true, so that the damage is not stopped at the frame.
                bytes.truncate(cut.index(bytes.len()).max(2));
                bytes[1] = u8::try_from(bytes.len() - 2).unwrap() & 0x7F;
                read_all(&bytes);
            }
        }

        #[test]
        fn no_text_makes_the_matching_panic(filter in ".{0,8}", topic in ".{0,8}") {
            let taken = matches(&filter, &topic);
            prop_assert!(!taken || filter == "#" || filter.contains(['+', '#', '/']) || filter == topic);
        }
    }
}
