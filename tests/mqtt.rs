//! Telling over MQTT: the uplink against mosquitto with mosquitto's own subscriber, the built-in broker against
//! mosquitto's clients.

use bytes::Bytes;
use davy::io::broker::Broker;
use davy::io::buffer::{Ask, Buffer, Cursors, Marks, StoredBlock, StoredEvent};
use davy::io::clock::Clock;
use davy::io::subscriber::{Message, Subscriber};
use davy::io::uplink;
use davy::model::plan::Destination;
use davy::model::point::Tag;
use davy::model::record::{Lane, Seq, Trouble};
use davy::model::time::Span;
use davy::record::payload::Identity;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn events_and_telemetry_reach_a_subscriber_of_the_built_in_broker() {
    let broker = Broker::start().await.unwrap();
    let mut subscriber = subscribe(&broker).await;
    let store = Store::new();
    store.add_events(25);
    store.add_blocks(5);
    let uplink = Running::start(broker.addr(), &store);

    let mut seen = Vec::new();
    while seen.len() < 25 {
        let message = next(&mut subscriber).await;
        if message.topic.starts_with("davy/v1/gw/event/") {
            seen.push(message.payload);
        }
    }
    assert_eq!(seen, (1..=25).map(line).collect::<Vec<_>>());
    until(|| store.cursors() == Cursors { events: Seq(25), telemetry: 5 }).await;
    uplink.stop().await;
    let last = loop {
        let message = next(&mut subscriber).await;
        if message.topic == "davy/v1/gw/status" && !text(&message).contains(r#""reason":"online""#) {
            break message;
        }
    };
    assert!(text(&last).contains(r#""reason":"ended""#), "{}", text(&last));
    broker.stop().await;
}

async fn subscribe(broker: &Broker) -> Subscriber {
    Subscriber::connect(&broker.addr().to_string(), "test", &["#"]).await.unwrap()
}

async fn next(subscriber: &mut Subscriber) -> Message {
    tokio::time::timeout(PATIENCE, subscriber.next()).await.expect("a message in time").unwrap()
}

fn text(message: &Message) -> String {
    String::from_utf8(message.payload.to_vec()).unwrap()
}

async fn until(mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the condition comes true in time");
}

/// The journal line of event `seq`, as far as these tests need one.
fn line(seq: u64) -> Bytes {
    Bytes::from(format!(r#"{{"seq":{seq},"kind":"alarm"}}"#))
}

/// An uplink at work.
struct Running {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
    troubles: Arc<Mutex<Vec<Trouble>>>,
}

impl Running {
    fn start(broker: SocketAddr, store: &Store) -> Running {
        let destination = Destination {
            tag: Tag::new("control-room").unwrap(),
            host: broker.ip().to_string(),
            port: broker.port(),
            prefix: "davy".to_owned(),
            user: None,
            password_file: None,
            keep_alive: Span::from_secs(10),
        };
        Running::start_to(destination, store)
    }

    fn start_to(destination: Destination, store: &Store) -> Running {
        let identity = Identity {
            gateway: "gw".to_owned(),
            version: "0.1.0".to_owned(),
            config_hash: "ab".repeat(32),
            boot: "0123456789abcdef".to_owned(),
        };
        let (stop, stopped) = watch::channel(false);
        let troubles = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&troubles);
        let report = move |trouble| heard.lock().unwrap().push(trouble);
        let buffer = store.buffer.clone();
        let task = tokio::spawn(uplink::run(destination, identity, buffer, Clock::start(), report, stopped));
        Running { stop, task, troubles }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(Duration::from_secs(2), self.task).await.expect("an end in time").unwrap();
    }
}

/// A buffer's thread that keeps everything in memory.
struct Store {
    buffer: Buffer,
    kept: Arc<Mutex<Kept>>,
    marks: watch::Sender<Marks>,
}

#[derive(Default)]
struct Kept {
    events: Vec<StoredEvent>,
    blocks: Vec<StoredBlock>,
    cursors: Cursors,
}

impl Store {
    fn new() -> Store {
        let (asks, asked) = sync_channel(1024);
        let (marks, news) = watch::channel(Marks::default());
        let kept = Arc::new(Mutex::new(Kept::default()));
        let answering = Arc::clone(&kept);
        std::thread::spawn(move || answer(&asked, &answering));
        Store { buffer: Buffer::new(asks, news), kept, marks }
    }

    fn add_events(&self, count: u64) {
        let mut kept = self.kept.lock().unwrap();
        let first = kept.events.len() as u64 + 1;
        for seq in first..first + count {
            kept.events.push(StoredEvent {
                seq: Seq(seq),
                kind: "alarm".to_owned(),
                area: Some("face".to_owned()),
                key: Some(format!("t{}:trip", seq % 3)),
                line: line(seq),
            });
        }
        self.marks.send_modify(|marks| marks.events = Seq(first + count - 1));
    }

    fn add_blocks(&self, count: u64) {
        let mut kept = self.kept.lock().unwrap();
        let first = kept.blocks.len() as u64 + 1;
        for seq in first..first + count {
            kept.blocks.push(StoredBlock { seq, json: Bytes::from(format!(r#"{{"seq":{seq}}}"#)) });
        }
        self.marks.send_modify(|marks| marks.telemetry = first + count - 1);
    }

    fn cursors(&self) -> Cursors {
        self.kept.lock().unwrap().cursors
    }
}

fn answer(asked: &Receiver<Ask>, kept: &Mutex<Kept>) {
    for ask in asked.iter() {
        let mut kept = kept.lock().unwrap();
        match ask {
            Ask::Events(after, max, reply) => {
                let events = kept.events.iter().filter(|e| e.seq > after).take(max).cloned().collect();
                drop(reply.send(events));
            }
            Ask::Telemetry(after, max, reply) => {
                let blocks = kept.blocks.iter().filter(|b| b.seq > after).take(max).cloned().collect();
                drop(reply.send(blocks));
            }
            Ask::Cursors(_, reply) => drop(reply.send(kept.cursors)),
            Ask::Acked(_, Lane::Event, seq) => kept.cursors.events = Seq(seq),
            Ask::Acked(_, Lane::Telemetry, seq) => kept.cursors.telemetry = seq,
            Ask::Standing(reply) => {
                let mut last = std::collections::BTreeMap::new();
                for event in &kept.events {
                    last.insert(event.key.clone(), event.clone());
                }
                drop(reply.send(last.into_values().collect()));
            }
            Ask::Journal | Ask::Keep(_) => {}
            Ask::Close(reply) => {
                drop(reply.send(()));
                return;
            }
        }
    }
}
