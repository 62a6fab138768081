//! A buffer that keeps everything in memory and answers in the test's own runtime, so that it works in virtual time.

use bytes::Bytes;
use davy::io::buffer::{Ask, Buffer, Cursors, Marks, StoredBlock, StoredEvent};
use davy::model::record::{Lane, Seq};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// The fake, with both of its ends.
pub(crate) struct Store {
    /// What the uplink is given.
    pub(crate) buffer: Buffer,
    kept: Arc<Mutex<Kept>>,
    marks: watch::Sender<Marks>,
    alarms: u64,
}

#[derive(Default)]
struct Kept {
    events: Vec<StoredEvent>,
    blocks: Vec<StoredBlock>,
    cursors: Cursors,
}

impl Store {
    /// An empty one of three alarms, at work on the current runtime.
    pub(crate) fn new() -> Store {
        Store::with_alarms(3)
    }

    /// An empty one of so many alarms.
    pub(crate) fn with_alarms(alarms: u64) -> Store {
        let (asks, asked) = sync_channel(1024);
        let (marks, news) = watch::channel(Marks::default());
        let kept = Arc::new(Mutex::new(Kept::default()));
        tokio::spawn(work(asked, Arc::clone(&kept)));
        Store { buffer: Buffer::new(asks, news), kept, marks, alarms }
    }

    /// Adds `count` events of the alarms in turn.
    pub(crate) fn add_events(&self, count: u64) {
        for _ in 0..count {
            self.add_event(None);
        }
    }

    /// Adds an event with this line, or its usual one.
    pub(crate) fn add_event(&self, unusual: Option<Bytes>) {
        let mut kept = self.kept.lock().unwrap();
        let seq = kept.events.len() as u64 + 1;
        kept.events.push(StoredEvent {
            seq: Seq(seq),
            kind: "alarm".to_owned(),
            area: Some("face".to_owned()),
            key: Some(format!("t{}:trip", seq % self.alarms)),
            line: unusual.unwrap_or_else(|| line(seq)),
        });
        self.marks.send_modify(|marks| marks.events = Seq(seq));
    }

    /// Adds `count` telemetry blocks.
    pub(crate) fn add_blocks(&self, count: u64) {
        let mut kept = self.kept.lock().unwrap();
        for _ in 0..count {
            let seq = kept.blocks.len() as u64 + 1;
            kept.blocks.push(StoredBlock { seq, json: Bytes::from(format!(r#"{{"seq":{seq}}}"#)) });
            self.marks.send_modify(|marks| marks.telemetry = seq);
        }
    }

    /// How far the destination has come, as the uplink noted it.
    pub(crate) fn cursors(&self) -> Cursors {
        self.kept.lock().unwrap().cursors
    }
}

/// The journal line of event `seq`, as far as these tests need one.
pub(crate) fn line(seq: u64) -> Bytes {
    Bytes::from(format!(r#"{{"kind":"alarm","seq":{seq}}}"#))
}

/// The number in a [`line`].
pub(crate) fn seq_of(line: &[u8]) -> u64 {
    let line: serde_json::Value = serde_json::from_slice(line).unwrap();
    line["seq"].as_u64().unwrap()
}

async fn work(asked: Receiver<Ask>, kept: Arc<Mutex<Kept>>) {
    loop {
        match asked.try_recv() {
            Ok(ask) => kept.lock().unwrap().answer(ask),
            Err(TryRecvError::Empty) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(TryRecvError::Disconnected) => return,
        }
    }
}

impl Kept {
    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Events(after, max, reply) => {
                let events = self.events.iter().filter(|e| e.seq > after).take(max).cloned();
                reply.send(events.collect()).ok();
            }
            Ask::Telemetry(after, max, reply) => {
                let blocks = self.blocks.iter().filter(|b| b.seq > after).take(max).cloned();
                reply.send(blocks.collect()).ok();
            }
            Ask::Cursors(_, reply) => {
                reply.send(self.cursors).ok();
            }
            Ask::Acked(_, Lane::Event, seq) => self.cursors.events = Seq(seq),
            Ask::Acked(_, Lane::Telemetry, seq) => self.cursors.telemetry = seq,
            Ask::Standing(reply) => {
                let last: BTreeMap<_, _> =
                    self.events.iter().map(|event| (event.key.clone(), event.clone())).collect();
                reply.send(last.into_values().collect()).ok();
            }
            Ask::Settle(reply) | Ask::Close(reply) | Ask::Replan(_, _, reply) => {
                reply.send(()).ok();
            }
            Ask::Journal | Ask::Keep(_) => {}
        }
    }
}
