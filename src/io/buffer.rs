//! The store-and-forward buffer and index in sled: the only file that speaks to sled, and the handle that other rooms
//! hold. It is a cursor over the journal, never the only copy of an event. When and why the store is asked is the
//! business of its thread, in `buffer/keeper`.
//!
//! What sled 0.34 does and what is done about it here: its `flush` makes nothing durable on its own, so the file is
//! synced after it; damage makes it silently shorter, so it is compared with the journal; it panics on some damage,
//! so every call is caught; after an I/O error it stays broken until it is opened again, so the thread drops it and
//! opens it again; values over a segment go to files that a sync of the main file misses, so they are kept small.

mod gaps;
mod keeper;
mod ledger;

use super::clock::Clock;
use super::files::{make_folder, sync_folder};
use super::journal::{JournalReader, Known};
use crate::model::record::{Body, Lane, Sample, Seq};
use crate::model::time::Wall;
use crate::record::entry::SEQ_MAX;
use crate::record::telemetry::Block;
use bytes::Bytes;
use keeper::Keeper;
use ledger::Ledger;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{
    self,
    ErrorKind::{InvalidData, UnexpectedEof},
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
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
    /// These are the destinations and the most bytes of telemetry from now on.
    Replan(Vec<String>, u64, oneshot::Sender<()>),
    /// Write everything down, and tell at once what was lost.
    Settle(oneshot::Sender<()>),
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

    /// Whether its thread has ended: nothing is told or kept any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.marks.has_changed().is_err()
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

    /// Up to `max` events after `after`, in order. Numbers that can't be read any more are left out; with nothing
    /// left to read the answer is empty, and a reader waits for the next mark.
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

    /// The last event of every alarm, trip and element, by kind and key: what a control room sees at first. The
    /// answer waits until everything recorded has been read.
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

    /// Goes on with these destinations, for all of which telemetry waits, and this bound on it.
    ///
    /// # Errors
    /// [`BufferGone`].
    pub async fn replan(&self, destinations: &[String], telemetry_max_bytes: u64) -> Result<(), BufferGone> {
        self.ask(|reply| Ask::Replan(destinations.to_vec(), telemetry_max_bytes, reply)).await
    }

    /// Writes everything down and tells of every gap that waits to be told.
    ///
    /// # Errors
    /// [`BufferGone`].
    pub async fn settle(&self) -> Result<(), BufferGone> {
        self.ask(Ask::Settle).await
    }

    /// Writes everything down and ends the thread. A disk that hangs holds up the answer: bound the wait.
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

/// What the thread needs to know.
pub struct Setup {
    /// The store's folder.
    pub dir: PathBuf,
    /// The gateway's id.
    pub gateway: String,
    /// This run.
    pub boot: u64,
    /// Ids of the destinations: telemetry that all of them have acknowledged is forgotten, and telemetry that is
    /// evicted before is a gap.
    pub destinations: Vec<String>,
    /// Most bytes of telemetry payload kept.
    pub telemetry_max_bytes: u64,
    /// Events kept in the store; older ones come out of the journal.
    pub events_max: u64,
    /// Reads the journal.
    pub journal: JournalReader,
    /// The clock.
    pub clock: Clock,
    /// Takes gaps and troubles, to be recorded. Called on the buffer's thread; must not wait.
    pub tell: Box<dyn Fn(Body) + Send>,
}

/// The thread's end of a buffer that has not been started.
#[derive(Debug)]
pub struct Desk {
    asks: Receiver<Ask>,
    marks: watch::Sender<Marks>,
}

/// What the ledger in `state_dir` says of the journal: the last event that was told to anybody, whose number is never
/// given again, and the last one that was read. A number that no journal comes to is damage.
#[must_use]
pub fn last_told(state_dir: &Path) -> Known {
    let ledger = Ledger::read(&state_dir.join(ledger::NAME)).ok().flatten();
    let ledger = ledger.unwrap_or_default();
    let told = Some(ledger.last_event()).filter(|told| *told < SEQ_MAX).unwrap_or_default();
    Known { told, last: ledger.last }
}

/// A buffer and the desk that will answer for it. The handle works at once; its questions wait for the start.
#[must_use]
pub fn channel() -> (Buffer, Desk) {
    let (asks, questions) = mpsc::sync_channel(ASKS_MAX);
    let (marks, news) = watch::channel(Marks::default());
    (Buffer::new(asks, news), Desk { asks: questions, marks })
}

impl Desk {
    /// Starts the thread. It opens the store itself, because that may take seconds.
    ///
    /// # Errors
    /// What the system says where it gives no thread.
    pub fn start(self, setup: Setup) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("davy-buffer".to_owned()).spawn(move || Keeper::new(self, setup).run())
    }
}

/// Memory that sled may use for pages.
const CACHE_BYTES: u64 = 4 * 1024 * 1024;

/// Unit in which sled writes and frees its file: small enough that a quiet site's file stays small.
const SEGMENT_BYTES: usize = 512 * 1024;

/// Longer lines are not copied out of the journal: far under a segment, so that sled never makes a file of one.
const VALUE_MAX_BYTES: usize = 32 * 1024;

/// What is kept under `format`: a store that says otherwise was written by another version.
const FORMAT: &[u8] = b"davy buffer 1";

/// Bytes before a block's payload: running total, earliest time, latest time, count.
const HEADER_BYTES: usize = 32;

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum StoreFault {
    /// The disk or the system refuses: the same store may work again later.
    Refused(String),
    /// What lies there is no store, or sled fell over it: it will not get better.
    Damaged(String),
}

impl StoreFault {
    fn of(error: &sled::Error) -> StoreFault {
        match error {
            sled::Error::Io(e) if !matches!(e.kind(), InvalidData | UnexpectedEof) => {
                StoreFault::Refused(e.to_string())
            }
            sled::Error::Io(_)
            | sled::Error::CollectionNotFound(_)
            | sled::Error::Unsupported(_)
            | sled::Error::ReportableBug(_)
            | sled::Error::Corruption { .. } => StoreFault::Damaged(error.to_string()),
        }
    }
}

/// A block of telemetry without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BlockHead {
    seq: u64,
    /// Payload bytes of this and every block before it since the store was last empty.
    total: u64,
    from: Wall,
    to: Wall,
    count: u64,
    /// Payload bytes.
    len: u64,
}

/// The database.
struct Store {
    db: sled::Db,
    events: sled::Tree,
    telemetry: sled::Tree,
    cursors: sled::Tree,
    standing: sled::Tree,
    /// The database's file, to be synced.
    file: File,
    /// Whether there was nothing in it.
    fresh: bool,
}

impl Store {
    /// Opens the database in `dir`, or makes one.
    fn open(dir: &Path) -> Result<Store, StoreFault> {
        make_folder(dir).map_err(|e| StoreFault::Refused(e.to_string()))?;
        let mut store = caught(|| {
            let db = sled::Config::new()
                .path(dir)
                .cache_capacity(CACHE_BYTES)
                .segment_size(SEGMENT_BYTES)
                .flush_every_ms(None)
                .open()?;
            let (events, telemetry) = (db.open_tree("events")?, db.open_tree("telemetry")?);
            let (cursors, standing) = (db.open_tree("cursors")?, db.open_tree("standing")?);
            let file = File::open(dir.join("db"))?;
            Ok(Store { db, events, telemetry, cursors, standing, file, fresh: false })
        })?;
        match store.check_format(dir) {
            Ok(fresh) => {
                store.fresh = fresh;
                Ok(store)
            }
            Err(fault) => {
                store.abandon();
                Err(fault)
            }
        }
    }

    /// Whether the store is fresh, and then marks it as ours.
    fn check_format(&self, dir: &Path) -> Result<bool, StoreFault> {
        let found = caught(|| self.db.get("format"))?;
        match found {
            Some(format) if format == FORMAT => Ok(false),
            None if self.is_empty()? => caught(|| {
                self.db.insert("format", FORMAT)?;
                self.db.flush()?;
                // Once, at birth: sled never syncs these itself.
                File::open(dir.join("conf"))?.sync_all()?;
                self.file.sync_all()?;
                sync_folder(dir)?;
                if let Some(above) = dir.parent() {
                    sync_folder(above)?;
                }
                Ok(true)
            }),
            Some(_) | None => {
                Err(StoreFault::Damaged("its format mark is missing or of another version".to_owned()))
            }
        }
    }

    fn is_empty(&self) -> Result<bool, StoreFault> {
        let trees = [&self.events, &self.telemetry, &self.cursors, &self.standing];
        caught(|| trees.into_iter().try_fold(true, |empty, tree| Ok(empty && tree.first()?.is_none())))
    }

    /// Closes the database.
    fn close(self) {
        if catch_unwind(AssertUnwindSafe(|| drop(self))).is_err() {
            tracing::warn!("buffer: the database panicked while it was closed");
        }
    }

    /// Gives the database up without waiting: closing may hang on a disk that does.
    fn abandon(self) {
        let closing = std::thread::Builder::new().name("davy-buffer-end".to_owned());
        if let Err(e) = closing.spawn(move || self.close()) {
            tracing::warn!(error = %e, "buffer: no thread to close the old store on");
        }
    }

    /// Brings everything to disk.
    fn sync(&self) -> Result<(), StoreFault> {
        caught(|| {
            self.db.flush()?;
            Ok(self.file.sync_data()?)
        })
    }

    /// The last event, zero where there is none.
    fn last_event(&self) -> Result<Seq, StoreFault> {
        let last = caught(|| self.events.last())?;
        Ok(Seq(last.map_or(0, |(key, _)| number(&key))))
    }

    /// Keeps `standing` and `events`. In this order, and standing first: what is cut off by a crash is told by the
    /// last event, and is written again.
    fn put_events(
        &self,
        events: &[(Seq, Bytes)],
        standing: &BTreeMap<String, (Seq, Bytes)>,
    ) -> Result<(), StoreFault> {
        let mut batch = sled::Batch::default();
        for (key, (seq, line)) in standing.iter().filter(|(_, (_, line))| line.len() <= VALUE_MAX_BYTES) {
            let value: Vec<u8> = [seq.0.to_be_bytes().as_slice(), line].concat();
            batch.insert(key.as_bytes(), value);
        }
        caught(|| self.standing.apply_batch(batch))?;
        let mut batch = sled::Batch::default();
        for (seq, line) in events.iter().filter(|(_, line)| line.len() <= VALUE_MAX_BYTES) {
            batch.insert(&seq.0.to_be_bytes(), line.as_ref());
        }
        caught(|| self.events.apply_batch(batch))
    }

    /// Forgets events up to `through`, at most `max` of them.
    fn trim_events(&self, through: Seq, max: usize) -> Result<(), StoreFault> {
        caught(|| {
            for item in self.events.range(..=through.0.to_be_bytes()).keys().take(max) {
                self.events.remove(item?)?;
            }
            Ok(())
        })
    }

    /// Events after `after` for as long as no number is missing.
    fn events(&self, after: Seq, max: usize) -> Result<Vec<(Seq, Bytes)>, StoreFault> {
        caught(|| {
            let mut out = Vec::new();
            let mut due = after.next();
            for item in self.events.range(due.0.to_be_bytes()..).take(max) {
                let (key, line) = item?;
                if number(&key) != due.0 {
                    break;
                }
                out.push((due, Bytes::copy_from_slice(&line)));
                due = due.next();
            }
            Ok(out)
        })
    }

    /// The last event of everything that stands, by key.
    fn standing(&self) -> Result<BTreeMap<String, (Seq, Bytes)>, StoreFault> {
        caught(|| {
            let mut out = BTreeMap::new();
            for item in &self.standing {
                let (key, value) = item?;
                if let Some((seq, line)) = value.split_first_chunk::<8>() {
                    let key = String::from_utf8_lossy(&key).into_owned();
                    out.insert(key, (Seq(u64::from_be_bytes(*seq)), Bytes::copy_from_slice(line)));
                }
            }
            Ok(out)
        })
    }

    /// Keeps `blocks`.
    fn put_blocks<'a>(&self, blocks: impl Iterator<Item = &'a Block>) -> Result<(), StoreFault> {
        let mut total = self.block_ends()?.map_or(0, |(_, last)| last.total);
        let mut batch = sled::Batch::default();
        for block in blocks {
            total = total.saturating_add(length(block.json.len()));
            let mut value = Vec::with_capacity(HEADER_BYTES.saturating_add(block.json.len()));
            value.extend_from_slice(&total.to_be_bytes());
            value.extend_from_slice(&block.from.ms().to_be_bytes());
            value.extend_from_slice(&block.to.ms().to_be_bytes());
            value.extend_from_slice(&block.count.to_be_bytes());
            value.extend_from_slice(block.json.as_bytes());
            batch.insert(&block.seq.to_be_bytes(), value);
        }
        caught(|| self.telemetry.apply_batch(batch))
    }

    /// The first and the last block.
    fn block_ends(&self) -> Result<Option<(BlockHead, BlockHead)>, StoreFault> {
        let ends = caught(|| Ok(self.telemetry.first()?.zip(self.telemetry.last()?)))?;
        let Some(((first_key, first), (last_key, last))) = ends else { return Ok(None) };
        let ends = head(&first_key, &first).zip(head(&last_key, &last));
        ends.map(Some).ok_or_else(|| StoreFault::Damaged("a telemetry block has no header".to_owned()))
    }

    /// Forgets one block.
    fn remove_block(&self, seq: u64) -> Result<(), StoreFault> {
        caught(|| self.telemetry.remove(seq.to_be_bytes()).map(drop))
    }

    /// Up to `max` blocks after `after` and up to `through`.
    fn blocks(&self, after: u64, through: u64, max: usize) -> Result<Vec<StoredBlock>, StoreFault> {
        if after >= through {
            return Ok(Vec::new());
        }
        caught(|| {
            let range = after.saturating_add(1).to_be_bytes()..=through.to_be_bytes();
            let mut out = Vec::new();
            for item in self.telemetry.range(range).take(max) {
                let (key, value) = item?;
                let json = value.get(HEADER_BYTES..).unwrap_or_default();
                out.push(StoredBlock { seq: number(&key), json: Bytes::copy_from_slice(json) });
            }
            Ok(out)
        })
    }

    /// Every destination's cursors.
    fn cursors(&self) -> Result<BTreeMap<String, Cursors>, StoreFault> {
        caught(|| {
            let mut out = BTreeMap::new();
            for item in &self.cursors {
                let (name, value) = item?;
                let (events, telemetry) = value.split_at_checked(8).unwrap_or((&[], &[]));
                let cursors = Cursors { events: Seq(number(events)), telemetry: number(telemetry) };
                out.insert(String::from_utf8_lossy(&name).into_owned(), cursors);
            }
            Ok(out)
        })
    }

    /// Keeps every destination's cursors.
    fn put_cursors(&self, cursors: &BTreeMap<String, Cursors>) -> Result<(), StoreFault> {
        let mut batch = sled::Batch::default();
        for (name, at) in cursors {
            let value = [at.events.0.to_be_bytes(), at.telemetry.to_be_bytes()].concat();
            batch.insert(name.as_bytes(), value);
        }
        caught(|| self.cursors.apply_batch(batch))
    }
}

/// Runs `call` into sled, which panics on some of what it should call an error.
fn caught<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreFault> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(outcome) => outcome.map_err(|e| StoreFault::of(&e)),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(StoreFault::Damaged(format!(
                "the database panicked: {}",
                said.unwrap_or("it did not say why")
            )))
        }
    }
}

/// A key or number as kept; zero where it is none, which no entry has.
fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk::<8>().map_or(0, |b| u64::from_be_bytes(*b))
}

fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn head(key: &[u8], value: &[u8]) -> Option<BlockHead> {
    let (header, json) = value.split_at_checked(HEADER_BYTES)?;
    let mut fields = header.as_chunks::<8>().0.iter();
    let mut field = || fields.next().copied();
    Some(BlockHead {
        seq: number(key),
        total: u64::from_be_bytes(field()?),
        from: Wall::from_ms(i64::from_be_bytes(field()?)),
        to: Wall::from_ms(i64::from_be_bytes(field()?)),
        count: u64::from_be_bytes(field()?),
        len: length(json.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            Folder(std::env::temp_dir().join(format!("davy-buffer-{name}-{}", std::process::id())))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap_or_default();
        }
    }

    #[test]
    fn a_panic_in_the_database_is_damage_and_goes_no_further() {
        let fault = caught::<()>(|| panic!("page 7 is odd")).unwrap_err();
        assert_eq!(fault, StoreFault::Damaged("the database panicked: page 7 is odd".to_owned()));
    }

    #[test]
    fn a_store_of_another_version_is_not_written_to() {
        let folder = Folder::new("version");
        let store = Store::open(&folder.0).unwrap();
        store.db.insert("format", "davy buffer 2").unwrap();
        store.sync().unwrap();
        store.close();
        // A process that another test is just starting holds what this one has open until it becomes its program.
        let refusals = std::iter::repeat_with(|| Store::open(&folder.0).err()).take(100_000);
        let fault = refusals.into_iter().find(|fault| !matches!(fault, Some(StoreFault::Refused(_))));
        assert!(matches!(fault, Some(Some(StoreFault::Damaged(_)))), "{fault:?}");
    }

    #[test]
    fn a_store_in_use_is_refused_and_not_called_damaged() {
        let folder = Folder::new("in-use");
        let _held = Store::open(&folder.0).unwrap();
        assert!(matches!(Store::open(&folder.0), Err(StoreFault::Refused(_))));
    }

    #[test]
    fn a_hole_in_the_events_ends_the_answer() {
        let folder = Folder::new("hole");
        let store = Store::open(&folder.0).unwrap();
        let events: Vec<_> = [1, 2, 4].map(|n| (Seq(n), Bytes::from_static(b"{}"))).into();
        store.put_events(&events, &BTreeMap::new()).unwrap();
        let told = |after| store.events(Seq(after), 10).unwrap().iter().map(|(s, _)| s.0).collect::<Vec<_>>();
        assert_eq!((told(0), told(2), told(3)), (vec![1, 2], vec![], vec![4]));
    }
}
