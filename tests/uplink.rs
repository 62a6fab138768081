//! The uplink in virtual time, against a broker that does what real brokers and networks do on bad days.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where something is missing")]

mod fake_buffer;

use bytes::Bytes;
use davy::io::buffer::Cursors;
use davy::io::clock::Clock;
use davy::io::mqtt::{self, ConnectReturnCode, MqttFault, Packet, Publish, Wire};
use davy::io::uplink::{self, Dial, Source, UplinkFault};
use davy::model::plan::Destination;
use davy::model::point::Tag;
use davy::model::record::{Seq, Trouble};
use davy::model::time::Span;
use davy::record::chain::Digest;
use davy::record::entry::Entry;
use davy::record::outbox::{EVENTS_WINDOW, TELEMETRY_WINDOW};
use davy::record::payload::Identity;
use davy::record::unrecorded::Unrecorded;
use fake_buffer::{Store, seq_of};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Bytes that the pretended connection holds in each direction: small, so that a peer that stops reading is felt.
const PIPE: usize = 1024;

/// How the broker treats one connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Day {
    /// Acknowledges everything.
    Good,
    /// Acknowledges everything, one a second.
    Slow,
    /// Acknowledges everything and closes after so many messages.
    ClosesAfter(usize),
    /// Swallows every n-th acknowledgement.
    LosesAcks(usize),
    /// Acknowledges twice, and things that were never sent.
    AcksNonsense,
    /// Takes so many messages and then is silent with the connection open.
    SilentAfter(usize),
    /// Reads nothing after the connection was granted.
    StopsReading,
    /// Says nothing to CONNECT.
    Mute,
    /// Refuses the connection.
    Refuses(ConnectReturnCode),
    /// Is not there.
    Absent,
    /// Sends something that is not MQTT.
    Raves,
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_and_the_order_holds_over_every_kind_of_bad_day() {
    let bad_days = [
        Day::Absent,
        Day::ClosesAfter(7),
        Day::LosesAcks(5),
        Day::Mute,
        Day::SilentAfter(3),
        Day::AcksNonsense,
        Day::Refuses(ConnectReturnCode::ServiceUnavailable),
        Day::StopsReading,
        Day::ClosesAfter(0),
        Day::Raves,
        Day::ClosesAfter(30),
    ];
    for turn in 0..bad_days.len() {
        let mut days = bad_days.to_vec();
        days.rotate_left(turn);
        let world = World::start(&days);
        for _ in 0..50 {
            world.store.add_events(10);
            world.store.add_blocks(2);
            sleep(Duration::from_secs(3)).await;
        }
        world.until(|w| w.store.cursors() == Cursors { events: Seq(500), telemetry: 100 }).await;
        assert_eq!(world.first_events(), (1..=500).collect::<Vec<_>>(), "days from {turn}");
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_was_acknowledged_is_passed() {
    // The tenth acknowledgement is swallowed: birth, then two packets an event, so that event 5 lacks one.
    let world = World::start(&[Day::LosesAcks(10)]);
    world.store.add_events(15);
    world.until(|w| w.received() >= 31).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.store.cursors().events, Seq(4), "everything after the gap waits");
    world.until(|w| w.store.cursors().events == Seq(15)).await;
    assert!(world.connections() >= 2, "the missing acknowledgement ends the connection");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_window_is_on_its_way() {
    let world = World::start(&[Day::SilentAfter(0)]);
    world.store.add_events(1_000);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(world.first_events().len(), EVENTS_WINDOW);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_alarm_overtakes_a_backlog_of_telemetry() {
    let world = World::start(&[Day::SilentAfter(0)]);
    world.store.add_blocks(1_000);
    sleep(Duration::from_secs(5)).await;
    world.store.add_events(1);
    sleep(Duration::from_secs(5)).await;
    let topics = world.topics();
    let blocks = topics.iter().filter(|topic| topic.ends_with("/telemetry")).count();
    assert_eq!(blocks, TELEMETRY_WINDOW, "{topics:?}");
    assert!(topics.contains(&"davy/v1/gw/event/face/alarm".to_owned()), "{topics:?}");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn retained_states_come_again_with_each_connection() {
    let world = World::start(&[Day::Good, Day::Good]);
    world.store.add_events(7);
    world.until(|w| w.store.cursors().events == Seq(7)).await;
    world.forget_and_disconnect().await;
    world.until(|w| w.topics().len() >= 4).await;
    let mut states: Vec<(String, u64)> = world.with_received(|received| {
        let states = received.iter().filter(|p| p.retain && p.topic.contains("/state/"));
        states.map(|p| (p.topic.clone(), seq_of(&p.payload))).collect()
    });
    states.sort();
    let expected = [("t0", 6), ("t1", 7), ("t2", 5)];
    assert_eq!(states, expected.map(|(key, seq)| (format!("davy/v1/gw/state/alarm/{key}:trip"), seq)));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_retained_state_never_goes_back_to_an_older_one() {
    let world = World::start_with(Store::with_alarms(60), &[Day::Good, Day::Slow]);
    world.store.add_events(60);
    world.until(|w| w.store.cursors().events == Seq(60)).await;
    world.forget_and_disconnect().await;
    // All states wait to be told again, and new events overtake those of nine alarms.
    sleep(Duration::from_millis(1_500)).await;
    world.store.add_events(9);
    world.until(|w| w.store.cursors().events == Seq(69)).await;
    let states =
        |w: &World| w.topics().into_iter().filter(|t| t.contains("/state/")).collect::<BTreeSet<_>>();
    world.until(|w| states(w).len() == 60).await;
    world.with_received(|received| {
        let mut told = BTreeMap::new();
        for state in received.iter().filter(|p| p.topic.contains("/state/")) {
            let seq = seq_of(&state.payload);
            let before = told.insert(state.topic.clone(), seq);
            assert!(before.is_none_or(|before| before < seq), "{}: {before:?}, then {seq}", state.topic);
        }
    });
    assert_eq!(world.connections(), 2, "a slow broker is not given up as long as it answers");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_took_something_starts_the_back_off_anew() {
    let world = World::start(&[Day::ClosesAfter(5); 15]);
    world.store.add_events(40);
    let taken = world.until(|w| w.store.cursors().events == Seq(40));
    timeout(Duration::from_secs(30), taken).await.expect("a second a connection, not a minute");
    assert!(world.connections() > 10);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_oversized_event_is_set_aside_with_a_trouble_and_the_lane_goes_on() {
    let world = World::start(&[]);
    world.store.add_events(3);
    world.store.add_event(Some(vec![b'x'; mqtt::PACKET_MAX].into()));
    world.store.add_events(3);
    world.until(|w| w.store.cursors().events == Seq(7)).await;
    assert_eq!(world.first_events(), [1, 2, 3, 5, 6, 7]);
    assert_eq!(world.troubles(), [("message-set-aside", true)]);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_stays_away_is_a_trouble_once_and_until_it_is_back() {
    let world = World::start(&[Day::Absent; 6]);
    sleep(Duration::from_secs(9)).await;
    assert_eq!(world.troubles(), []);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(world.troubles(), [("destination-unreachable", true)]);
    world.until(|w| w.troubles().len() > 1).await;
    assert_eq!(world.troubles(), [("destination-unreachable", true), ("destination-unreachable", false)]);
    assert_eq!(world.connections(), 7);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_its_remedy_at_once() {
    let world = World::start(&[Day::Refuses(ConnectReturnCode::BadUserNamePassword)]);
    world.until(|w| w.troubles().len() == 2).await;
    assert_eq!(world.troubles(), [("destination-refused", true), ("destination-refused", false)]);
    let text = world.troubles.lock().unwrap()[0].text.en.clone();
    assert!(text.contains("password_file"), "{text}");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_takes_connections_and_no_messages_is_a_trouble() {
    let world = World::start(&[Day::ClosesAfter(1); 3]);
    world.store.add_events(1);
    world.until(|w| w.store.cursors().events == Seq(1)).await;
    assert_eq!(world.troubles(), [("destination-stuck", true), ("destination-stuck", false)]);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_given_up_and_a_quiet_one_is_kept() {
    let world = World::start(&[Day::SilentAfter(1)]);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.connections(), 2, "no answer to a ping ends the first");
    sleep(Duration::from_secs(1_200)).await;
    assert_eq!(world.connections(), 2, "pings keep the second");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_is_said_and_comes_in_time_whatever_the_broker_does() {
    for day in [Day::Good, Day::Absent, Day::Mute, Day::SilentAfter(2), Day::StopsReading] {
        let world = World::start(&[day; 50]);
        world.store.add_events(30);
        sleep(Duration::from_secs(5)).await;
        let (received, goodbyes) = (Arc::clone(&world.broker), Arc::clone(&world.goodbyes));
        let task = world.end();
        timeout(Duration::from_secs(1), task).await.unwrap_or_else(|_| panic!("late: {day:?}")).unwrap();
        let said = received.lock().unwrap().iter().any(|p| {
            p.topic == "davy/v1/gw/status" && String::from_utf8_lossy(&p.payload).contains(r#""ended""#)
        });
        let reads = matches!(day, Day::Good | Day::SilentAfter(_));
        assert_eq!(said, reads, "{day:?}");
        // The broker's side sees the DISCONNECT when it next runs.
        sleep(Duration::from_millis(1)).await;
        assert_eq!(*goodbyes.lock().unwrap(), usize::from(reads), "{day:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_configuration_is_announced_on_the_connection_that_stands() {
    let world = World::start(&[]);
    let told = |w: &World| {
        w.with_received(|received| {
            let statuses = received.iter().filter(|p| p.topic == "davy/v1/gw/status");
            let parsed = statuses.map(|p| serde_json::from_slice::<serde_json::Value>(&p.payload).unwrap());
            parsed
                .map(|s| (s["online"] == true, s["config_hash"].as_str().unwrap().to_owned()))
                .collect::<Vec<_>>()
        })
    };
    let (old, new) = ("ab".repeat(32), "cd".repeat(32));
    world.until(|w| told(w) == [(true, old.clone())]).await;
    world.identity.send_modify(|identity| identity.config_hash.clone_from(&new));
    world.until(|w| told(w).len() > 1).await;
    assert_eq!(told(&world), [(true, old), (true, new)]);
    assert_eq!(world.connections(), 1);
    world.stop().await;
}

/// What the journal can't take of alarm `t1`, as its entry `seq` would be.
fn not_taken(seq: u64) -> Entry {
    let body = serde_json::json!({ "area": "face", "key": "t1:trip" });
    let (kind, gateway, prev) = ("alarm".to_owned(), "gw".to_owned(), Digest::genesis("gw"));
    Entry { seq: Seq(seq), boot: 7, gateway, at: Clock::start().now(), kind, body, prev }
}

#[tokio::test(start_paused = true)]
async fn what_the_journal_can_not_take_is_told_at_once_ahead_of_a_backlog_and_what_is_retained_is_true() {
    let world = World::start(&[Day::Good, Day::Slow, Day::Good]);
    world.store.add_events(3);
    world.until(|w| w.store.cursors().events == Seq(3)).await;
    world.forget_and_disconnect().await;
    let last_state = |w: &World| {
        w.with_received(|received| {
            let state = received.iter().rfind(|p| p.topic.ends_with("/state/alarm/t1:trip"));
            state.map(|p| serde_json::from_slice::<serde_json::Value>(&p.payload).unwrap())
        })
    };
    let told = |w: &World, topic: &str| w.topics().iter().filter(|t| **t == topic).count();
    let loose = "davy/v1/gw/unrecorded/face/alarm";
    world.store.add_events(60);
    world.until(|w| w.store.cursors().events > Seq(3)).await;
    let behind = world.store.cursors().events;
    world.unrecorded.send_modify(|held| assert!(held.refused(Seq(63), &[not_taken(64)])));
    world.until(|w| told(w, loose) == 1).await;
    assert!(world.store.cursors().events < Seq(behind.0 + EVENTS_WINDOW as u64 + 10), "ahead of the backlog");
    world.until(|w| w.store.cursors().events == Seq(63)).await;
    let state = last_state(&world).unwrap();
    assert_eq!((&state["recorded"], state.get("seq")), (&false.into(), None), "older events do not hide it");
    let recording = |w: &World| {
        w.with_received(|received| {
            let status = received.iter().rfind(|p| p.topic.ends_with("/status")).unwrap();
            !String::from_utf8_lossy(&status.payload).contains(r#""recording":false"#)
        })
    };
    world.until(|w| !recording(w)).await;
    world.forget_and_disconnect().await;
    world.until(|w| told(w, loose) == 1 && last_state(w).is_some_and(|s| s["recorded"] == false)).await;
    assert!(!recording(&world), "a new connection is told it again");
    world.unrecorded.send_modify(|held| assert!(held.recorded()));
    world.store.add_events(1);
    world.until(|w| w.store.cursors().events == Seq(64) && recording(w)).await;
    world.store.add_events(3);
    world.until(|w| last_state(w).is_some_and(|s| s["seq"] == 67)).await;
    assert_eq!(told(&world, loose), 1, "once");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_stands_against_a_destination_goes_with_it() {
    let world = World::start(&[Day::Absent; 50]);
    world.until(|w| w.troubles() == [("destination-unreachable", true)]).await;
    let troubles = Arc::clone(&world.troubles);
    world.stop().await;
    let said: Vec<_> =
        troubles.lock().unwrap().iter().map(|t| (t.code, t.detail.clone(), t.raised)).collect();
    let control_room = || "control-room".to_owned();
    assert_eq!(
        said,
        [
            ("destination-unreachable", control_room(), true),
            ("destination-unreachable", control_room(), false)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_a_back_off_still_tells_the_end_where_the_broker_is_back() {
    let world = World::start(&[Day::Absent; 5]);
    world.until(|w| w.connections() == 5).await;
    world.store.add_events(3);
    assert_eq!(world.received(), 0);
    let broker = Arc::clone(&world.broker);
    world.stop().await;
    let received = broker.lock().unwrap();
    assert_eq!(received.iter().filter(|p| p.topic.contains("/event/")).count(), 3);
    assert!(String::from_utf8_lossy(&received.last().unwrap().payload).contains(r#""ended""#));
}

#[tokio::test(start_paused = true)]
async fn a_destination_for_escalations_is_told_of_those_only_and_its_cursor_moves_over_the_rest() {
    let only = Destination { escalated_only: true, ..destination() };
    let world = World::start_to(only, Store::new(), &[]);
    world.store.add_events(30);
    let escalated = r#"{"body":{"cause":"escalated","escalated":true},"kind":"alarm","seq":31}"#;
    world.store.add_event(Some(Bytes::from_static(escalated.as_bytes())));
    world.store.add_events(30);
    world.store.add_blocks(3);
    world.until(|w| w.store.cursors().events == Seq(61) && w.store.cursors().telemetry == 3).await;
    assert_eq!(world.first_events(), [31]);
    assert!(world.topics().iter().all(|topic| !topic.ends_with("/telemetry")));
    let states: Vec<String> = world.topics().into_iter().filter(|topic| topic.contains("/state/")).collect();
    assert_eq!(states, ["davy/v1/gw/state/alarm/t1:trip"]);
    let status = world.with_received(|received| received[0].payload.clone());
    assert!(
        String::from_utf8_lossy(&status).contains(r#""escalated_only":true"#),
        "its silence is by design"
    );
    world.forget_and_disconnect().await;
    world.until(|w| w.received() > 0).await;
    assert_eq!(world.first_events(), Vec::<u64>::new(), "nothing again");
    assert_eq!(world.troubles(), []);
    world.stop().await;
}

/// An uplink, what it tells and whom.
struct World {
    store: Store,
    broker: Arc<Mutex<Vec<Publish>>>,
    goodbyes: Arc<Mutex<usize>>,
    connections: Arc<Mutex<usize>>,
    hang_up: watch::Sender<u32>,
    troubles: Arc<Mutex<Vec<Trouble>>>,
    identity: watch::Sender<Identity>,
    unrecorded: watch::Sender<Unrecorded>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl World {
    /// Starts an uplink towards a broker that has these days, one for each connection, and good ones after.
    fn start(days: &[Day]) -> World {
        World::start_with(Store::new(), days)
    }

    fn start_with(store: Store, days: &[Day]) -> World {
        World::start_to(destination(), store, days)
    }

    fn start_to(destination: Destination, store: Store, days: &[Day]) -> World {
        let (stop, stopped) = watch::channel(false);
        let (hang_up, hung_up) = watch::channel(0);
        let (broker, goodbyes, connections) = (Arc::default(), Arc::default(), Arc::default());
        let dial = Dialer {
            days: days.iter().copied().collect(),
            received: Arc::clone(&broker),
            goodbyes: Arc::clone(&goodbyes),
            connections: Arc::clone(&connections),
            hang_up: hung_up,
        };
        let troubles = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&troubles);
        let report = move |trouble| heard.lock().unwrap().push(trouble);
        let buffer = store.buffer.clone();
        let (identity, who) = watch::channel(identity());
        let (unrecorded, loose) = watch::channel(Unrecorded::default());
        let source = Source { identity: who, buffer, unrecorded: loose };
        let uplink = uplink::run_over(dial, destination, source, Clock::start(), report, stopped);
        let task = tokio::spawn(uplink);
        World { store, broker, goodbyes, connections, hang_up, troubles, identity, unrecorded, stop, task }
    }

    /// Waits, within a virtual day.
    async fn until(&self, condition: impl Fn(&World) -> bool) {
        let wait = async {
            while !condition(self) {
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(Duration::from_secs(86_400), wait).await.expect("it comes true within a day");
    }

    fn with_received<T>(&self, look: impl FnOnce(&[Publish]) -> T) -> T {
        look(&self.broker.lock().unwrap())
    }

    fn received(&self) -> usize {
        self.with_received(<[Publish]>::len)
    }

    fn topics(&self) -> Vec<String> {
        self.with_received(|received| received.iter().map(|p| p.topic.clone()).collect())
    }

    /// The events' numbers in the order of their first copies.
    fn first_events(&self) -> Vec<u64> {
        self.with_received(|received| {
            let mut first = Vec::new();
            for event in received.iter().filter(|p| p.topic.contains("/event/")) {
                let seq = seq_of(&event.payload);
                if !first.contains(&seq) {
                    first.push(seq);
                }
            }
            first
        })
    }

    fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    fn troubles(&self) -> Vec<(&'static str, bool)> {
        self.troubles.lock().unwrap().iter().map(|t| (t.code, t.raised)).collect()
    }

    async fn forget_and_disconnect(&self) {
        let before = self.connections();
        self.broker.lock().unwrap().clear();
        self.hang_up.send_modify(|times| *times += 1);
        self.until(|w| w.connections() > before).await;
    }

    fn end(self) -> tokio::task::JoinHandle<()> {
        self.stop.send_replace(true);
        self.task
    }

    async fn stop(self) {
        timeout(Duration::from_secs(1), self.end()).await.expect("an end in time").unwrap();
    }
}

fn destination() -> Destination {
    Destination {
        escalated_only: false,
        tag: Tag::new("control-room").unwrap(),
        host: "broker".to_owned(),
        port: 1883,
        prefix: "davy".to_owned(),
        user: None,
        password_file: None,
        keep_alive: Span::from_secs(20),
    }
}

fn identity() -> Identity {
    Identity {
        gateway: "gw".to_owned(),
        version: "0.1.0".to_owned(),
        config_hash: "ab".repeat(32),
        boot: "0123456789abcdef".to_owned(),
    }
}

/// Leads to the broker.
struct Dialer {
    days: VecDeque<Day>,
    received: Arc<Mutex<Vec<Publish>>>,
    goodbyes: Arc<Mutex<usize>>,
    connections: Arc<Mutex<usize>>,
    hang_up: watch::Receiver<u32>,
}

impl Dial for Dialer {
    type Stream = DuplexStream;

    async fn dial(&mut self) -> Result<DuplexStream, UplinkFault> {
        *self.connections.lock().unwrap() += 1;
        let day = self.days.pop_front().unwrap_or(Day::Good);
        if day == Day::Absent {
            return Err(UplinkFault::Unreachable("connection refused".to_owned()));
        }
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let (received, goodbyes) = (Arc::clone(&self.received), Arc::clone(&self.goodbyes));
        let mut hang_up = self.hang_up.clone();
        hang_up.mark_unchanged();
        tokio::spawn(async move {
            tokio::select! {
                _ = serve(day, Wire::new(theirs), received, goodbyes) => {}
                Ok(()) = hang_up.changed() => {}
            }
        });
        Ok(ours)
    }
}

/// One connection, from the broker's side.
async fn serve(
    day: Day,
    mut wire: Wire<DuplexStream>,
    received: Arc<Mutex<Vec<Publish>>>,
    goodbyes: Arc<Mutex<usize>>,
) -> Result<(), MqttFault> {
    assert!(matches!(wire.read().await?, Packet::Connect(_)));
    if day == Day::Mute {
        return std::future::pending().await;
    }
    let code = if let Day::Refuses(code) = day { code } else { ConnectReturnCode::Success };
    wire.write(&[mqtt::connack(code)]).await?;
    if day == Day::StopsReading {
        return std::future::pending().await;
    }
    if day == Day::Raves {
        return wire.write(&[Packet::Connect(mqtt::Connect::new("you"))]).await;
    }
    let mut taken = 0;
    loop {
        let packet = wire.read().await?;
        if packet == Packet::Disconnect {
            *goodbyes.lock().unwrap() += 1;
            return Ok(());
        }
        let Packet::Publish(publish) = packet else {
            if !matches!(day, Day::SilentAfter(_)) {
                wire.write(&[Packet::PingResp]).await?;
            }
            continue;
        };
        let id = publish.pkid;
        if day == Day::ClosesAfter(taken) {
            return Ok(());
        }
        if day == Day::Slow {
            sleep(Duration::from_secs(1)).await;
        }
        taken += 1;
        received.lock().unwrap().push(publish);
        match day {
            Day::SilentAfter(limit) if taken > limit => {}
            Day::LosesAcks(nth) if taken.is_multiple_of(nth) => {}
            Day::AcksNonsense => {
                wire.write(&[mqtt::puback(id), mqtt::puback(id), mqtt::puback(60_000)]).await?;
            }
            Day::Good
            | Day::Slow
            | Day::ClosesAfter(_)
            | Day::LosesAcks(_)
            | Day::SilentAfter(_)
            | Day::StopsReading
            | Day::Mute
            | Day::Refuses(_)
            | Day::Absent
            | Day::Raves => wire.write(&[mqtt::puback(id)]).await?,
        }
    }
}
