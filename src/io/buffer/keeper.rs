//! The buffer's thread: reads the journal into the store, gathers telemetry into blocks, answers questions, and
//! outlives its store. While there is none, events come straight out of the journal, cursors are in the ledger, and
//! fresh telemetry is held in memory.
//!
//! ```text
//!            opened, read up                I/O error: dropped, tried again with back-off
//!  opening ──────────────────▶ with store ───────────────────────────────────────────────▶ without store
//!     ▲                            │ damage or panic: folder set aside, a fresh store             │
//!     └────────────────────────────┴──────────────────────────────────────────────────────────────┘
//! ```

mod events;
mod telemetry;

use super::gaps::Gaps;
use super::ledger::{self, Ledger};
use super::{Ask, BlockHead, Desk, Marks, Setup, Store, StoreFault, StoredEvent};
use crate::io::clock::duration;
use crate::io::files::set_aside;
use crate::io::retry::Retry;
use crate::model::point::Text;
use crate::model::record::{Body, Gap, Lane, Seq, Trouble};
use crate::model::time::{Mono, Span};
use crate::record::telemetry::{Block, Gathering};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use tokio::sync::{oneshot, watch};

/// How often what is new is brought to disk: each second costs one write and one sync while values change, and a
/// power cut takes that much telemetry.
const SAVE_EVERY: Span = Span::from_secs(1);

/// How long the thread sleeps when it has nothing to save.
const IDLE: Span = Span::from_secs(60);

/// First pause before a refusing disk is tried again, and the longest.
const BACK_OFF: Span = Span::from_secs(1);
const BACK_OFF_MAX: Span = Span::from_secs(60);

/// Most events or blocks handed out at once, whatever is asked for: some MB.
const ANSWER_MAX: usize = 1_000;

/// Damaged stores that are kept for whoever wants to know why.
const DAMAGED_MAX: u32 = 3;

/// Stores that may fail for good in one run and are replaced at once; after that only with back-off.
const DAMAGES_AT_ONCE: u32 = 1;

/// Questions for what stands that wait until the journal has been read: one for each destination and screen.
const ASKERS_MAX: usize = 64;

/// Gaps are told together, at most this often, so that they do not crowd the journal.
const GAP_EVERY: Span = Span::from_secs(10);

/// The thread's state.
pub(super) struct Keeper {
    asks: Receiver<Ask>,
    marks: watch::Sender<Marks>,
    setup: Setup,
    store: Option<Store>,
    retry: Retry,
    /// Whether anything in the store is not yet on disk.
    dirty: bool,
    save_at: Mono,
    /// The journal has been read up to here.
    read: Seq,
    /// Whether it has been read to its end once, so that `standing` is whole.
    complete: bool,
    standing: BTreeMap<String, (Seq, Bytes)>,
    askers: Vec<oneshot::Sender<Vec<StoredEvent>>>,
    ledger: Ledger,
    /// The ledger as it is on disk.
    kept: Option<Ledger>,
    /// Whether it is known which numbers blocks have had; without that, none is given.
    numbering: bool,
    gathering: Gathering,
    /// Blocks that are in no store.
    blocks: VecDeque<Block>,
    /// The last block that the store holds, reachable or not.
    stored_block: u64,
    /// Whether there was a store before: one that is fresh has lost something.
    had_store: bool,
    /// Whether a store was adopted in this run, so that what it says may be this run's.
    adopted: bool,
    gaps: Gaps,
    gaps_at: Mono,
    /// Stores that failed for good in this run.
    damages: u32,
    /// Whether a fresh store has yet to be filled in place of a damaged one.
    rebuilding: bool,
    /// Holes in the journal that were told, by the entry before them.
    holes: BTreeSet<Seq>,
}

impl Keeper {
    pub(super) fn new(desk: Desk, setup: Setup) -> Keeper {
        Keeper {
            asks: desk.asks,
            marks: desk.marks,
            numbering: setup.journal.found() == Seq(0),
            had_store: setup.journal.found() > Seq(0),
            adopted: false,
            setup,
            store: None,
            retry: Retry::new(BACK_OFF, BACK_OFF_MAX),
            dirty: false,
            save_at: Mono::START,
            read: Seq(0),
            complete: false,
            standing: BTreeMap::new(),
            askers: Vec::new(),
            ledger: Ledger::default(),
            kept: None,
            gathering: Gathering::default(),
            blocks: VecDeque::new(),
            stored_block: 0,
            gaps: Gaps::default(),
            gaps_at: Mono::START,
            damages: 0,
            rebuilding: false,
            holes: BTreeSet::new(),
        }
    }

    pub(super) fn run(mut self) {
        self.recall();
        self.open();
        loop {
            let more = self.catch_up();
            let wait = if more { Span::ZERO } else { self.pause(self.setup.clock.mono()) };
            match self.asks.recv_timeout(duration(wait)) {
                Ok(ask) => {
                    if let Some(done) = self.answer(ask) {
                        self.end();
                        // Whoever asked may have run out of patience.
                        return done.send(()).unwrap_or_default();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
            if self.setup.clock.mono() >= self.save_at {
                self.save();
                self.tell_gaps(false);
            }
        }
    }

    fn end(&mut self) {
        self.save();
        self.tell_gaps(true);
        if let Some(store) = self.store.take() {
            store.close();
        }
        // Once more: what came to the store is known only now. Otherwise the next start does without it.
        self.keep_ledger().unwrap_or_default();
    }

    /// How long there is nothing to do but to wait for questions.
    fn pause(&self, now: Mono) -> Span {
        let busy =
            self.dirty || !self.blocks.is_empty() || !self.gathering.is_empty() || !self.gaps.is_empty();
        let until = if busy { self.save_at } else { now + IDLE };
        // The store is only tried again where something is saved.
        let until = self.retry.until().map_or(until, |again| until.min(again.max(self.save_at)));
        until.since(now)
    }

    /// Answers a question; gives back who wants the end of the thread.
    fn answer(&mut self, ask: Ask) -> Option<oneshot::Sender<()>> {
        // Whoever asked may be gone: nobody is left to be told.
        match ask {
            Ask::Journal => {} // Every question makes it look.
            Ask::Events(after, max, reply) => reply.send(self.events(after, max)).unwrap_or_default(),
            Ask::Telemetry(after, max, reply) => reply.send(self.telemetry(after, max)).unwrap_or_default(),
            Ask::Cursors(name, reply) => {
                reply.send(self.ledger.cursors.get(&name).copied().unwrap_or_default()).unwrap_or_default();
            }
            Ask::Acked(name, lane, seq) => self.acked(name, lane, seq),
            Ask::Standing(reply) => {
                if self.askers.len() < ASKERS_MAX {
                    self.askers.push(reply); // Answered when the journal has been read to its end.
                }
            }
            Ask::Keep(samples) => {
                for sample in &samples {
                    self.gathering.add(sample);
                    if self.gathering.is_full() {
                        self.finish_block();
                    }
                }
            }
            Ask::Replan(destinations, telemetry_max_bytes, done) => {
                (self.setup.destinations, self.setup.telemetry_max_bytes) =
                    (destinations, telemetry_max_bytes);
                done.send(()).unwrap_or_default();
            }
            Ask::Settle(done) => {
                self.save();
                self.tell_gaps(true);
                done.send(()).unwrap_or_default();
            }
            Ask::Close(done) => return Some(done),
        }
        None
    }

    fn acked(&mut self, name: String, lane: Lane, seq: u64) {
        let known = self.ledger.cursors.entry(name).or_default();
        match lane {
            Lane::Event => known.events = known.events.max(Seq(seq)),
            Lane::Telemetry => known.telemetry = known.telemetry.max(seq),
        }
        self.dirty = true;
    }

    // --- The store ---------------------------------------------------------------------------------------------

    fn ledger_path(&self) -> PathBuf {
        self.setup.dir.with_file_name(ledger::NAME)
    }

    /// Takes over what the ledger says of the runs before.
    fn recall(&mut self) {
        let mut ledger = match Ledger::read(&self.ledger_path()) {
            Ok(Some(ledger)) => ledger,
            Ok(None) if self.setup.journal.found() > Seq(0) => return,
            Ok(None) => {
                // At once: whoever finds a journal without a ledger then knows that one was lost. Where the disk refuses,
                // it is tried again with each save.
                return self.keep_ledger().unwrap_or_default();
            }
            Err(e) => {
                return tracing::warn!(error = %e, "buffer: the ledger can't be read, the store may know");
            }
        };
        if self.is_ahead(ledger.last_event()) {
            ledger.cursors.values_mut().for_each(|at| at.events = Seq(0));
        }
        self.had_store = ledger.blocks > 0 || ledger.last_event() > Seq(0);
        self.stored_block = ledger.blocks;
        self.ledger = ledger;
        self.numbering = true;
    }

    /// Brings the ledger to disk, where that has another one.
    fn keep_ledger(&mut self) -> io::Result<()> {
        let forgotten = self.acked_by_all().unwrap_or(0);
        self.ledger.forgotten = self.ledger.forgotten.max(forgotten);
        self.ledger.stored = if self.store.is_some() { self.stored_block } else { self.ledger.blocks };
        if self.kept.as_ref() != Some(&self.ledger) {
            self.ledger.write(&self.ledger_path())?;
            self.kept = Some(self.ledger.clone());
        }
        Ok(())
    }

    /// Whether an event `known` from elsewhere is one that the journal has lost; tells of it. What is known from earlier
    /// runs is held against what they left: this one has added entries since.
    fn is_ahead(&self, known: Seq) -> bool {
        let journal = &self.setup.journal;
        let recorded = if self.adopted { journal.recorded() } else { journal.found() };
        if known > recorded {
            self.trouble("journal-shortened", true, shortened(recorded, known));
        }
        known > recorded
    }

    fn open(&mut self) {
        // Twice: a store that had to be set aside is followed by a fresh one.
        for _ in 0..2 {
            let outcome = Store::open(&self.setup.dir).and_then(|store| match self.adopt(&store) {
                Ok(()) => Ok(store),
                Err(fault) => {
                    store.abandon();
                    Err(fault)
                }
            });
            match outcome {
                Ok(store) => return self.opened(store),
                Err(StoreFault::Refused(why)) => return self.refused(&why),
                Err(StoreFault::Damaged(why)) if self.set_aside(&why) => {}
                Err(StoreFault::Damaged(_)) => return,
            }
        }
        self.refused("a fresh store was damaged too");
    }

    fn opened(&mut self, store: Store) {
        self.store = Some(store);
        self.dirty = true;
        self.save_at = self.setup.clock.mono();
        self.mark_telemetry();
    }

    /// Takes over what `store` holds; memory, which is newer, wins.
    fn adopt(&mut self, store: &Store) -> Result<(), StoreFault> {
        let (last, cursors) = (store.last_event()?, store.cursors()?);
        let known = cursors.values().map(|c| c.events).fold(last, Seq::max);
        if self.is_ahead(known) {
            return Err(StoreFault::Damaged(format!(
                "it is ahead of the journal, which ends at entry {}",
                self.setup.journal.recorded()
            )));
        }
        let (standing, ends) = (store.standing()?, store.block_ends()?);
        let last_block = ends.map_or(0, |(_, last)| last.seq);
        self.ledger.merge(cursors);
        for (key, (seq, line)) in standing {
            self.stands(key, seq, line);
        }
        self.compare(store.fresh, last_block);
        self.ledger.blocks = self.ledger.blocks.max(last_block);
        self.stored_block = last_block;
        (self.numbering, self.had_store, self.adopted) = (true, true, true);
        self.read = if self.complete { self.read.min(last) } else { last };
        Ok(())
    }

    /// Tells what a store has lost that holds blocks up to `last_block`.
    fn compare(&mut self, fresh: bool, last_block: u64) {
        if self.rebuilding {
            return; // Told when the store before it was set aside.
        }
        let now = self.setup.clock.now().wall;
        let lost =
            |reason| Gap { lane: Lane::Telemetry, from: now, to: now, count: 0, at_least: true, reason };
        let fresh = fresh && self.had_store;
        let there = self.ledger.forgotten.max(last_block);
        // Those that wait in memory are not lost.
        let waiting = self.blocks.front().map_or(u64::MAX, |block| block.seq.saturating_sub(1));
        let stored = self.ledger.stored.min(waiting);
        if there < stored && self.is_owed(stored) {
            self.gaps.add(lost(format!(
                "telemetry blocks {} to {}, not yet sent, are in the buffer no more; how many values is not known",
                there.saturating_add(1),
                stored
            )));
            self.ledger.forgotten = stored;
        } else if fresh && !self.numbering {
            self.gaps.add(lost(
                "telemetry not yet sent is lost with the buffer; how much is not known".to_owned(),
            ));
        }
        if fresh {
            tracing::error!("buffer: the store is gone, a fresh one is filled from the journal");
            self.rebuilding = true;
            self.trouble(
                "buffer-damaged",
                true,
                Text::new(
                    "缓冲数据库丢失，正在由日志重建。事件不会丢失。",
                    "The buffer was gone; a fresh one is filled from the journal. No event is lost.",
                ),
            );
        }
    }

    /// The store failed: on with a fresh one, or without.
    fn failed(&mut self, fault: StoreFault) {
        if let Some(store) = self.store.take() {
            store.abandon();
        }
        match fault {
            StoreFault::Refused(why) => self.refused(&why),
            StoreFault::Damaged(why) if self.set_aside(&why) => {
                self.damages = self.damages.saturating_add(1);
                if self.damages > DAMAGES_AT_ONCE {
                    self.refused("it was damaged again and again; a fresh store is made later");
                } else {
                    self.open();
                }
            }
            StoreFault::Damaged(_) => {}
        }
    }

    /// Sets the store aside; says whether there is room for a fresh one.
    fn set_aside(&mut self, why: &str) -> bool {
        match set_aside(&self.setup.dir, DAMAGED_MAX) {
            Ok(aside) => self.damaged(&aside.display().to_string(), why),
            Err(e) => {
                self.refused(&format!("{why}; and it can't be set aside: {e}"));
                return false;
            }
        }
        true
    }

    fn damaged(&mut self, aside: &str, why: &str) {
        tracing::error!(
            aside,
            reason = why,
            "buffer: the store was set aside, a fresh one is filled from the journal"
        );
        self.ledger.forgotten = self.ledger.forgotten.max(std::mem::take(&mut self.stored_block));
        self.rebuilding = true;
        self.trouble(
            "buffer-damaged",
            true,
            Text::new(
                format!("缓冲数据库损坏（{why}），已另存为 {aside}，正在由日志重建。事件不会丢失。"),
                format!(
                    "The buffer was damaged ({why}) and set aside as {aside}; a fresh one is filled from the \
                     journal. No event is lost."
                ),
            ),
        );
        let now = self.setup.clock.now().wall;
        let reason = format!("telemetry not yet sent stayed in {aside}; how much is not known");
        self.gaps.add(Gap { lane: Lane::Telemetry, from: now, to: now, count: 0, at_least: true, reason });
    }

    /// The journal has been read to its end: a store that followed a damaged one is whole again.
    fn rebuilt(&mut self) {
        if self.store.is_some() && std::mem::take(&mut self.rebuilding) {
            self.trouble(
                "buffer-damaged",
                false,
                Text::new("缓冲数据库已由日志重建。", "The buffer has been filled again from the journal."),
            );
        }
    }

    fn trouble(&self, code: &'static str, raised: bool, text: Text) {
        (self.setup.tell)(Body::Trouble(Trouble { code, detail: String::new(), raised, text }));
    }

    fn refused(&mut self, why: &str) {
        if !self.retry.refused(self.setup.clock.mono()) {
            return; // Said already.
        }
        tracing::error!(reason = why, "buffer: runs from memory until the disk takes the store again");
        self.trouble(
            "buffer-write",
            true,
            Text::new(
                format!("缓冲数据库无法写入（{why}）。事件照常由日志发送；遥测暂存内存。请检查磁盘。"),
                format!(
                    "The buffer can't be written ({why}). Events are told out of the journal, telemetry is held in \
                     memory. Check the disk."
                ),
            ),
        );
    }

    /// The store has been written.
    fn works(&mut self) {
        if self.retry.worked() {
            tracing::info!("buffer: the disk takes the store again");
            let text = Text::new("缓冲数据库恢复写入。", "The buffer can be written again.");
            self.trouble("buffer-write", false, text);
        }
    }

    /// Asks the store, if there is one; a failure ends it.
    fn with_store<T>(&mut self, ask: impl FnOnce(&Store) -> Result<T, StoreFault>) -> Option<T> {
        match ask(self.store.as_ref()?) {
            Ok(answer) => Some(answer),
            Err(fault) => {
                self.failed(fault);
                None
            }
        }
    }

    /// Brings everything new to disk.
    fn save(&mut self) {
        let now = self.setup.clock.mono();
        self.save_at = now + SAVE_EVERY;
        self.finish_block();
        if self.store.is_none() && self.retry.is_due(now) {
            self.open();
        }
        // First the ledger: the store must hold no block of which that does not know.
        let kept = self.keep_ledger();
        if let (Err(e), true) = (kept, self.store.is_some()) {
            self.failed(StoreFault::Refused(format!("{}: {e}", self.ledger_path().display())));
        }
        if self.dirty || !self.blocks.is_empty() {
            self.save_in_store();
        }
        self.bound_waiting_blocks();
        self.mark_telemetry();
    }

    fn save_in_store(&mut self) {
        let Some(store) = &self.store else { return };
        let mut evicted = Vec::new();
        match self.write(store, &mut evicted) {
            Ok(()) => {
                self.stored_block = self.blocks.back().map_or(self.stored_block, |b| b.seq);
                self.blocks.clear();
                self.dirty = false;
                self.works();
            }
            Err(fault) => self.failed(fault),
        }
        evicted.iter().for_each(|block| self.evicted(block));
    }

    fn write(&self, store: &Store, evicted: &mut Vec<BlockHead>) -> Result<(), StoreFault> {
        // Cursors first: a block may be forgotten only where it is known that it was acknowledged.
        store.put_cursors(&self.ledger.cursors)?;
        store.put_blocks(self.blocks.iter())?;
        let acked = self.acked_by_all();
        while let Some((first, last)) = store.block_ends()? {
            let held = last.total.saturating_sub(first.total).saturating_add(first.len);
            let is_acked = acked.is_some_and(|acked| first.seq <= acked);
            let fits = held <= self.setup.telemetry_max_bytes || first.seq == last.seq;
            if fits && !is_acked {
                break;
            }
            store.remove_block(first.seq)?;
            if !is_acked {
                evicted.push(first);
            }
        }
        store.sync()
    }

    fn tell_gaps(&mut self, last: bool) {
        let now = self.setup.clock.mono();
        if last || now >= self.gaps_at {
            let gaps = self.gaps.take();
            if !gaps.is_empty() {
                self.gaps_at = now + GAP_EVERY;
            }
            gaps.into_iter().for_each(|gap| (self.setup.tell)(Body::Gap(gap)));
        }
    }
}

/// The buffer proves what the journal can't tell of itself.
fn shortened(recorded: Seq, known: Seq) -> Text {
    Text::new(
        format!(
            "日志止于第 {recorded} 条, 但曾有第 {known} 条: 日志文件被删除或截短。请恢复文件备查, 此后编号会重复。"
        ),
        format!(
            "The journal ends at entry {recorded}, and there was an entry {known}: files of it were removed or cut. \
             Look for them and keep them as evidence; the numbers in between are given a second time."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::buffer::channel;
    use crate::io::clock::Clock;
    use crate::io::journal::Journal;

    #[test]
    fn a_store_that_refuses_is_no_reason_to_spin() {
        let dir = std::env::temp_dir().join(format!("davy-keeper-spin-{}", std::process::id()));
        let journal = Journal::open(&dir, "mine-1", 7, Clock::start(), Seq(0), |_| {}).unwrap().journal;
        let setup = Setup {
            dir: dir.join("buffer"),
            gateway: "mine-1".to_owned(),
            boot: 7,
            destinations: Vec::new(),
            telemetry_max_bytes: 1,
            events_max: 1,
            journal: journal.reader(),
            clock: Clock::start(),
            tell: Box::new(|_| {}),
        };
        let mut keeper = Keeper::new(channel().1, setup);
        keeper.retry.refused(Mono::START);
        let now = keeper.setup.clock.mono() + BACK_OFF;
        keeper.save_at = now + SAVE_EVERY;
        for dirty in [true, false] {
            keeper.dirty = dirty;
            assert!(
                keeper.pause(now) >= SAVE_EVERY,
                "nothing happens before the next save, so nothing wakes it"
            );
        }
        std::fs::remove_dir_all(dir).unwrap();
    }
}
