//! The journal: append-only files of hash-chained lines, on disk before they are called recorded. A thread of its
//! own writes them, so that a slow disk holds up nobody. What a line looks like is `record/entry`'s business.
//!
//! ```text
//! offer ──▶ queue ──▶ chained lines ──▶ one write and one fsync for all that wait ──▶ recorded rises, on_grown
//!                          ▲                               │ the disk refuses
//!                          └── kept in memory, tried again with back-off, trouble raised, copies told meanwhile; what
//!                              does not fit is counted and becomes a gap record
//! ```

pub mod audit;
mod lines;
mod mark;
mod reader;
mod scan;
mod sealing;
mod writer;

pub use reader::{Hole, JournalReader, Page};

use super::clock::{Clock, duration};
use super::files::{make_folder, sync_folder};
use super::retry::Retry;
use crate::model::record::{Body, Gap, Lane, PreviousEnd, Record, Seq, Standing, Trouble, Who};
use crate::model::time::{Span, Wall};
use crate::record::chain::{Chain, Digest};
use crate::record::seal::PublicKey;
use crate::record::unrecorded::Unrecorded;
use mark::{Left, Mark};
use sealing::Sealing;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use writer::Writer;

/// Batches that may wait for the thread: one is what the judge made of one input, and a busy site makes some tens a
/// second, so this outlasts a flush that takes seconds.
const QUEUE_MAX: usize = 256;

/// First pause before a refusing disk is tried again, and the longest.
const BACK_OFF: Span = Span::from_ms(100);
const BACK_OFF_MAX: Span = Span::from_secs(10);

/// How often a full queue is tried again while closing.
const CLOSE_STEP: Duration = Duration::from_millis(5);

/// How the journal does.
#[derive(Debug, Default)]
struct JournalState {
    /// The last entry that is on disk.
    recorded: Seq,
    /// Why nothing can be written at the moment.
    trouble: Option<String>,
    /// Entries that wait in memory for the disk.
    waiting: usize,
    /// That somebody took a file away under it, the last time; it is on record already.
    removed: Option<Trouble>,
    /// What is, or was, wrong with the key that signs.
    key: Option<Trouble>,
    /// The journal was closed: its thread has not ended for a fault.
    closed: bool,
}

/// A handle on the journal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    work: SyncSender<Work>,
    state: watch::Receiver<JournalState>,
    unrecorded: watch::Receiver<Unrecorded>,
    folder: PathBuf,
    found: Seq,
    altered: Option<Seq>,
}

/// What an opened journal says of the runs before.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// Where every alarm and trip stood.
    pub standing: Standing,
    /// How the run before ended.
    pub previous_end: PreviousEnd,
    /// What is to be recorded about the journal itself: gaps, and damage as a trouble that nothing lowers.
    pub notes: Vec<Body>,
    /// The last entry.
    pub last_seq: Seq,
}

/// What is known of the journal from elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The last entry that somebody was told.
    pub told: Seq,
    /// The last entry that was read, with its digest.
    pub last: Option<(Seq, Digest)>,
}

impl From<Seq> for Known {
    fn from(told: Seq) -> Known {
        Known { told, last: None }
    }
}

/// Why the journal can't be opened.
#[derive(Debug)]
pub struct JournalError {
    /// Its folder.
    pub folder: PathBuf,
    /// What the system says.
    pub cause: io::Error,
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "journal: cannot open {}: {}; davy starts only where it can keep a journal: mend the folder or its \
             disk, or name another with --state DIR",
            self.folder.display(),
            self.cause
        )
    }
}

impl std::error::Error for JournalError {}

/// At least so many entries are not on disk though the journal was closed: the disk refused them, the time was up,
/// or the journal's thread had broken down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRecorded(pub usize);

enum Work {
    Records(Vec<Record>),
    /// Sign from now on.
    Seal,
    Rotate(Who, oneshot::Sender<Result<PublicKey, String>>),
    Close(SyncSender<usize>),
}

impl Journal {
    /// Opens the journal in `state_dir`, which must be locked, and starts its thread. Nothing is written until the
    /// first record comes. `boot` names this run; `on_grown` is called on the journal's thread whenever more is
    /// recorded, and must not wait. Somebody has entry `known.told`: where the journal ends before it, it goes on behind
    /// it, because a number that names two entries hides one of them.
    ///
    /// # Errors
    /// [`JournalError`] where what lies there can't be read, or an unfinished end can't be cut off.
    pub fn open(
        state_dir: &Path,
        gateway: &str,
        boot: u64,
        clock: Clock,
        known: impl Into<Known>,
        on_grown: impl Fn(Seq) + Send + 'static,
    ) -> Result<Opened, JournalError> {
        let folder = state_dir.join("journal");
        let failed = |cause| JournalError { folder: folder.clone(), cause };
        make_folder(&folder).and_then(|()| sync_folder(state_dir)).map_err(failed)?;
        let found = scan::scan(&folder, clock.now(), known.into()).map_err(failed)?;
        let prev = found.prev.unwrap_or_else(|| Digest::genesis(gateway));
        let chain = Chain::resume(gateway, boot, found.highest, prev).with_tally(found.tally);
        let last_seq = found.highest;
        let mark = Mark::open(state_dir, gateway);
        let mut notes = found.notes;
        notes.extend(mark.before().map(|left| lost_at_the_end(left, found.last_wall, clock.now().wall)));
        let writer = Writer::new(&folder, chain, found.standing.clone(), found.file, clock);
        let (work, queue) = mpsc::sync_channel(QUEUE_MAX);
        let (news, state) = watch::channel(JournalState { recorded: last_seq, ..JournalState::default() });
        let (copies, unrecorded) = watch::channel(Unrecorded::default());
        let desk = Desk {
            queue,
            news,
            copies,
            writer,
            on_grown,
            clock,
            retry: Retry::new(BACK_OFF, BACK_OFF_MAX),
            last_lost: 0,
            mark,
            found: last_seq,
            sealing: None,
            to_seal: Some(Sealing::new(state_dir.to_owned(), found.key)),
        };
        thread::Builder::new().name("davy-journal".to_owned()).spawn(move || desk.run()).map_err(failed)?;
        Ok(Opened {
            journal: Journal { work, state, unrecorded, folder, found: last_seq, altered: found.altered },
            standing: found.standing,
            previous_end: found.previous_end,
            notes,
            last_seq,
        })
    }

    /// Hands over records to be written down, in order. Never waits.
    ///
    /// # Errors
    /// The records, where the journal's thread does not keep up or has ended: offer them again.
    pub fn offer(&self, records: Vec<Record>) -> Result<(), Vec<Record>> {
        self.work.try_send(Work::Records(records)).map_err(|e| match e {
            TrySendError::Full(Work::Records(back)) | TrySendError::Disconnected(Work::Records(back)) => back,
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Vec::new(),
        })
    }

    /// The last entry that is on disk.
    #[must_use]
    pub fn recorded(&self) -> Seq {
        self.state.borrow().recorded
    }

    /// Whether its thread has ended: nothing is recorded any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.state.has_changed().is_err()
    }

    /// Why nothing can be written at the moment; `None` while all is well.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        if self.is_finished() {
            return Some("the journal's thread has ended".to_owned());
        }
        self.state.borrow().trouble.clone()
    }

    /// That somebody took a file away under it, the last time. It is on record already.
    #[must_use]
    pub fn removed(&self) -> Option<Trouble> {
        self.state.borrow().removed.clone()
    }

    /// Signs from now on, once something is recorded, with the key in the state folder, which is made where there is none.
    ///
    /// # Errors
    /// That the journal's thread has ended, in words.
    pub fn seal(&self) -> Result<(), String> {
        let ended = |_| "the journal's thread has ended".to_owned();
        self.work.try_send(Work::Seal).map_err(ended)
    }

    /// What is, or was, wrong with the key that signs.
    #[must_use]
    pub fn key_trouble(&self) -> Option<Trouble> {
        self.state.borrow().key.clone()
    }

    /// Signs with a new key from now on, because `who` wants it. The answer comes when it is on record.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn rotate(&self, who: Who) -> Result<oneshot::Receiver<Result<PublicKey, String>>, String> {
        let (reply, answer) = oneshot::channel();
        let busy = |_| "the journal does not keep up; try again".to_owned();
        self.work.try_send(Work::Rotate(who, reply)).map_err(busy)?;
        Ok(answer)
    }

    /// Copies of what the disk does not take, as long as it does not.
    #[must_use]
    pub fn unrecorded(&self) -> watch::Receiver<Unrecorded> {
        self.unrecorded.clone()
    }

    /// A reader of what is recorded.
    #[must_use]
    pub fn reader(&self) -> JournalReader {
        JournalReader::new(&self.folder, self.state.clone(), self.found, self.altered)
    }

    /// Writes down what was offered and ends the thread, waiting at most about `limit`.
    ///
    /// # Errors
    /// [`NotRecorded`] where entries could not be written.
    pub fn close(&self, limit: Duration) -> Result<(), NotRecorded> {
        let (reply, answer) = mpsc::sync_channel(1);
        let mut left = limit;
        let mut work = Work::Close(reply);
        while let Err(TrySendError::Full(back)) = self.work.try_send(work) {
            if left < CLOSE_STEP {
                return Err(NotRecorded(self.state.borrow().waiting));
            }
            thread::sleep(CLOSE_STEP);
            left = left.saturating_sub(CLOSE_STEP);
            work = back;
        }
        match answer.recv_timeout(left) {
            Ok(0) => Ok(()),
            Ok(waiting) => Err(NotRecorded(waiting)),
            Err(RecvTimeoutError::Timeout) => Err(NotRecorded(self.state.borrow().waiting)),
            Err(RecvTimeoutError::Disconnected) => self.closed_before(),
        }
    }

    fn closed_before(&self) -> Result<(), NotRecorded> {
        let state = self.state.borrow();
        match (state.closed, state.waiting) {
            (true, 0) => Ok(()),
            // A thread that broke down had something in its hands.
            (_, waiting) => Err(NotRecorded(waiting.max(1))),
        }
    }
}

/// What the run before had in memory and could not write down.
fn lost_at_the_end(left: Left, last: Option<Wall>, now: Wall) -> Body {
    let reason = if left.ended {
        "the disk refused the journal until the agent ended; what waited in memory is lost"
    } else {
        "the disk refused the journal, and the agent was killed, crashed or lost its power: what waited in memory is \
         lost, and more than was counted may have been"
    };
    Body::Gap(Gap {
        lane: Lane::Event,
        from: last.unwrap_or(now),
        to: now,
        count: left.waiting,
        at_least: !left.ended,
        reason: reason.to_owned(),
    })
}

/// The journal's thread.
struct Desk<F> {
    queue: Receiver<Work>,
    news: watch::Sender<JournalState>,
    copies: watch::Sender<Unrecorded>,
    writer: Writer,
    on_grown: F,
    clock: Clock,
    retry: Retry,
    last_lost: u64,
    mark: Mark,
    /// The last entry of the runs before.
    found: Seq,
    sealing: Option<Sealing>,
    /// It, until it is asked for.
    to_seal: Option<Sealing>,
}

impl<F: Fn(Seq)> Desk<F> {
    fn run(mut self) {
        while let Some(work) = self.wait() {
            let close = self.take(work);
            if close.is_some() {
                self.writer.seal();
            }
            self.bring_to_disk(close.is_some());
            let now = self.clock.mono();
            let begun = self.writer.recorded() > self.found && close.is_none();
            if let Some(sealing) = self.sealing.as_mut().filter(|_| begun)
                && sealing.tend(&mut self.writer, now)
            {
                self.bring_to_disk(false);
            }
            self.tell_key();
            if let Some(reply) = close {
                self.news.send_modify(|state| state.closed = true);
                if self.writer.waiting() > 0 {
                    self.mark.note(self.writer.waiting(), true);
                }
                // Whoever asked may have run out of patience.
                reply.try_send(self.writer.waiting()).unwrap_or_default();
                return;
            }
        }
    }

    /// Everything that waits, if the disk is to be tried now.
    fn bring_to_disk(&mut self, at_once: bool) {
        if !at_once && !self.retry.is_due(self.clock.mono()) {
            return self.tell_unrecorded();
        }
        if self.commit() {
            self.retry.worked();
            if let Some(sealing) = &mut self.sealing {
                sealing.recorded();
            }
        } else {
            self.retry.refused(self.clock.mono());
        }
    }

    fn tell_key(&self) {
        let key = self.sealing.as_ref().and_then(Sealing::trouble);
        let tell = |state: &mut JournalState| {
            let news = state.key != key;
            state.key.clone_from(&key);
            news
        };
        self.news.send_if_modified(tell);
    }

    /// The next work; `Some(None)` when it is time to try the disk again or to sign, `None` when nobody is left to give
    /// any.
    fn wait(&self) -> Option<Option<Work>> {
        // Not before this run has recorded that it began.
        let sealing = self.sealing.as_ref().filter(|_| self.writer.recorded() > self.found);
        let sealing = sealing.and_then(|sealing| sealing.until(&self.writer));
        let Some(until) = self.retry.until().into_iter().chain(sealing).min() else {
            return self.queue.recv().ok().map(Some);
        };
        match self.queue.recv_timeout(duration(until.since(self.clock.mono()))) {
            Ok(work) => Some(Some(work)),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Takes in `work` and all that waits behind it, so that one fsync serves them all.
    fn take(&mut self, work: Option<Work>) -> Option<SyncSender<usize>> {
        let mut next = work.or_else(|| self.queue.try_recv().ok());
        let mut batches = 0;
        while let Some(work) = next {
            match work {
                Work::Records(records) => records.iter().for_each(|r| self.writer.append(r)),
                Work::Seal => self.sealing = self.to_seal.take().or(self.sealing.take()),
                Work::Rotate(who, reply) => {
                    let outcome = match &mut self.sealing {
                        Some(sealing) => sealing.rotate(&mut self.writer, &who, self.clock.mono()),
                        None => Err("this journal is not signed".to_owned()),
                    };
                    self.bring_to_disk(true);
                    let waits = self.writer.waiting() > 0;
                    let outcome = match outcome {
                        Ok(_) if waits => {
                            Err("the new key waits in memory for a disk that refuses the journal; it is in \
                                               force once the disk takes it"
                                .to_owned())
                        }
                        outcome => outcome,
                    };
                    // Whoever asked may have gone.
                    drop(reply.send(outcome));
                }
                Work::Close(reply) => return Some(reply),
            }
            batches += 1;
            next = if batches < QUEUE_MAX { self.queue.try_recv().ok() } else { None };
        }
        None
    }

    /// Brings everything to disk, if the disk takes it.
    fn commit(&mut self) -> bool {
        let mut outcome = self.writer.commit();
        if outcome.is_ok() && self.writer.tell_lost() {
            outcome = self.writer.commit();
        }
        let trouble = outcome.as_ref().err().map(|e| format!("cannot write {}: {e}", self.writer.place()));
        let (recorded, waiting) = (self.writer.recorded(), self.writer.waiting());
        let grown = recorded > self.news.borrow().recorded;
        self.report(trouble.as_deref());
        self.news.send_replace(JournalState {
            recorded,
            trouble,
            waiting,
            removed: self.writer.removed(),
            key: self.sealing.as_ref().and_then(Sealing::trouble),
            closed: false,
        });
        if outcome.is_ok() {
            // Before they are told as events, which are what is retained from now on.
            self.copies.send_if_modified(Unrecorded::recorded);
            if recorded > self.found {
                self.mark.clear(); // What the run before has lost is on record.
            }
        } else {
            self.tell_unrecorded();
            self.mark.note(waiting, false);
        }
        if grown {
            (self.on_grown)(recorded);
        }
        outcome.is_ok()
    }

    /// The disk refuses: whoever must know what waits for it is told now.
    fn tell_unrecorded(&mut self) {
        let (recorded, entries) = (self.writer.recorded(), self.writer.not_copied());
        self.copies.send_if_modified(|copies| copies.refused(recorded, &entries));
    }

    /// Logs a change, not each attempt.
    fn report(&mut self, trouble: Option<&str>) {
        let before = self.news.borrow().trouble.clone();
        match (before, trouble) {
            (None, Some(why)) => {
                tracing::error!(reason = why, "journal: entries wait in memory until the disk takes them");
            }
            (Some(_), None) => tracing::info!("journal: the disk takes entries again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        let lost = self.writer.lost();
        if lost > 0 && self.last_lost == 0 {
            tracing::error!("journal: memory is full too, further entries are counted only");
        }
        self.last_lost = lost;
    }
}
