//! The store-and-forward buffer and index in sled, on a thread of its own: the only file that speaks to sled.
//! It is a cursor over the journal, never the only copy of an event.

use crate::model::record::{Lane, Sample, Seq};
use bytes::Bytes;
use std::sync::mpsc::{SyncSender, TrySendError};
use tokio::sync::{oneshot, watch};

/// How far each lane reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Marks {
    /// The last event that can be fetched; it is on disk in the journal.
    pub events: Seq,
    /// The number of the last telemetry block that can be fetched.
    pub telemetry: u64,
}

/// Up to where a destination has taken each lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Cursors {
    /// The last event it acknowledged.
    pub events: Seq,
    /// The last telemetry block it acknowledged.
    pub telemetry: u64,
}

/// An entry of the journal as it will be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number.
    pub seq: Seq,
    /// Its kind, as `alarm`.
    pub kind: String,
    /// The area it is about, where there is one.
    pub area: Option<String>,
    /// The key of the alarm, trip or element it is about, where there is one.
    pub key: Option<String>,
    /// The journal's own line, without the line end.
    pub line: Bytes,
}

/// A block of telemetry as it will be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlock {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// The JSON payload.
    pub json: Bytes,
}

/// What the buffer's thread can be asked.
#[derive(Debug)]
pub enum Ask {
    /// Look at the journal: there are new entries.
    Journal,
    /// Events after a number, at most so many.
    Events(Seq, usize, oneshot::Sender<Vec<StoredEvent>>),
    /// Telemetry blocks after a number, at most so many.
    Telemetry(u64, usize, oneshot::Sender<Vec<StoredBlock>>),
    /// A destination's cursors.
    Cursors(String, oneshot::Sender<Cursors>),
    /// A destination has acknowledged a lane up to a number.
    Acked(String, Lane, u64),
    /// The last event of every alarm, trip and element.
    Standing(oneshot::Sender<Vec<StoredEvent>>),
    /// Keep these values.
    Keep(Vec<Sample>),
    /// Write everything down and end.
    Close(oneshot::Sender<()>),
}

/// The buffer's thread has ended or does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferGone;

/// A handle on the buffer. Cheap to clone; nothing here blocks.
#[derive(Clone, Debug)]
pub struct Buffer {
    asks: SyncSender<Ask>,
    marks: watch::Receiver<Marks>,
}

/// Questions that may wait for the buffer's thread: a few a second by each destination, one by each batch of
/// samples. A thread that is this far behind is in trouble, and what does not fit is counted as lost.
pub const ASKS_MAX: usize = 1024;

impl Buffer {
    /// A handle that asks through `asks` and learns of news through `marks`.
    #[must_use]
    pub fn new(asks: SyncSender<Ask>, marks: watch::Receiver<Marks>) -> Buffer {
        Buffer { asks, marks }
    }

    /// How far each lane reaches, and a way to wait for more.
    #[must_use]
    pub fn marks(&self) -> watch::Receiver<Marks> {
        self.marks.clone()
    }

    /// Tells the thread that the journal has grown. A full queue is no loss: whatever comes next makes it look.
    pub fn journal_grew(&self) {
        drop(self.asks.try_send(Ask::Journal));
    }

    /// Keeps `samples`, or gives them back where the thread does not keep up.
    ///
    /// # Errors
    /// The samples, when they could not be handed over.
    pub fn keep(&self, samples: Vec<Sample>) -> Result<(), Vec<Sample>> {
        self.asks.try_send(Ask::Keep(samples)).map_err(|e| match e {
            TrySendError::Full(Ask::Keep(back)) | TrySendError::Disconnected(Ask::Keep(back)) => back,
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Vec::new(),
        })
    }

    /// Up to `max` events after `after`, in order.
    ///
    /// # Errors
    /// [`BufferGone`].
    pub async fn events(&self, after: Seq, max: usize) -> Result<Vec<StoredEvent>, BufferGone> {
        self.ask(|reply| Ask::Events(after, max, reply)).await
    }

    /// Up to `max` telemetry blocks after `after`, in order. Numbers that were evicted are left out.
    ///
    /// # Errors
    /// [`BufferGone`].
    pub async fn telemetry(&self, after: u64, max: usize) -> Result<Vec<StoredBlock>, BufferGone> {
        self.ask(|reply| Ask::Telemetry(after, max, reply)).await
    }

    /// Where `destination` stands; zeros where it is new.
    ///
    /// # Errors
    /// [`BufferGone`].
    pub async fn cursors(&self, destination: &str) -> Result<Cursors, BufferGone> {
        self.ask(|reply| Ask::Cursors(destination.to_owned(), reply)).await
    }

    /// The last event of every alarm, trip and element: what a control room sees at first.
    ///
    /// # Errors
    /// [`BufferGone`].
    pub async fn standing(&self) -> Result<Vec<StoredEvent>, BufferGone> {
        self.ask(Ask::Standing).await
    }

    /// Notes that `destination` has acknowledged `lane` up to `seq`. A note that is lost only repeats messages.
    pub fn acked(&self, destination: &str, lane: Lane, seq: u64) {
        drop(self.asks.try_send(Ask::Acked(destination.to_owned(), lane, seq)));
    }

    /// Writes everything down and ends the thread.
    ///
    /// # Errors
    /// [`BufferGone`] where it has ended already.
    pub async fn close(&self) -> Result<(), BufferGone> {
        self.ask(Ask::Close).await
    }

    async fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, BufferGone> {
        let (reply, answer) = oneshot::channel();
        self.asks.try_send(make(reply)).map_err(|_| BufferGone)?;
        answer.await.map_err(|_| BufferGone)
    }
}
