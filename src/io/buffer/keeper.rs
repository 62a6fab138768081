//! The buffer's thread: reads the journal into the store, gathers telemetry into blocks, answers questions, and
//! outlives its store. While there is none, events come straight out of the journal, and cursors and fresh telemetry
//! are held in memory.
//!
//! ```text
//!            opened, read up                I/O error: dropped, tried again with back-off
//!  opening ──────────────────▶ with store ───────────────────────────────────────────────▶ without store
//!     ▲                            │ damage or panic: folder set aside, a fresh store             │
//!     └────────────────────────────┴──────────────────────────────────────────────────────────────┘
//! ```

use super::{
    Ask, BlockHead, Cursors, Desk, Marks, Setup, Store, StoreFault, StoredBlock, StoredEvent, length,
};
use crate::io::clock::duration;
use crate::io::files::set_aside;
use crate::model::point::Text;
use crate::model::record::{Body, Gap, Lane, Seq, Trouble};
use crate::model::time::{Mono, Span};
use crate::record::entry::Entry;
use crate::record::telemetry::{Block, Gathering};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
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

/// Entries read from the journal between two questions, so that a long refill holds up nobody.
const PAGE: usize = 500;

/// Most events or blocks handed out at once, whatever is asked for: some MB.
const ANSWER_MAX: usize = 1_000;

/// Blocks held in memory while there is no store: some 4 MB, minutes to hours of telemetry.
const WAITING_BLOCKS_MAX: usize = 500;

/// Events forgotten at once, so that trimming never takes long.
const TRIM_MAX: usize = 2_000;

/// Damaged stores that are kept for whoever wants to know why.
const DAMAGED_MAX: u32 = 3;

/// Stores that may fail for good in one run and are replaced at once; after that only with back-off.
const DAMAGES_AT_ONCE: u32 = 1;

/// Questions for what stands that wait until the journal has been read: one for each destination and screen.
const ASKERS_MAX: usize = 64;

/// Gaps are told together, at most this often, so that they do not crowd the journal.
const GAP_EVERY: Span = Span::from_secs(10);

/// A pause before the store is tried again.
struct Refusal {
    pause: Span,
    until: Mono,
}

/// The thread's state.
pub(super) struct Keeper {
    asks: Receiver<Ask>,
    marks: watch::Sender<Marks>,
    setup: Setup,
    store: Option<Store>,
    refusal: Option<Refusal>,
    /// Whether anything in the store is not yet on disk.
    dirty: bool,
    save_at: Mono,
    /// The journal has been read up to here.
    read: Seq,
    /// Whether it has been read to its end once, so that `standing` is whole.
    complete: bool,
    standing: BTreeMap<String, (Seq, Bytes)>,
    askers: Vec<oneshot::Sender<Vec<StoredEvent>>>,
    cursors: BTreeMap<String, Cursors>,
    gathering: Gathering,
    /// Blocks that are in no store.
    blocks: VecDeque<Block>,
    next_block: u64,
    /// The last block that the store holds, reachable or not.
    stored_block: u64,
    gap: Option<Gap>,
    gap_at: Mono,
    /// Stores that failed for good in this run.
    damages: u32,
    /// Whether a fresh store has yet to be filled in place of a damaged one.
    rebuilding: bool,
    told_unreadable: bool,
}

impl Keeper {
    pub(super) fn new(desk: Desk, setup: Setup) -> Keeper {
        Keeper {
            asks: desk.asks,
            marks: desk.marks,
            setup,
            store: None,
            refusal: None,
            dirty: false,
            save_at: Mono::START,
            read: Seq(0),
            complete: false,
            standing: BTreeMap::new(),
            askers: Vec::new(),
            cursors: BTreeMap::new(),
            gathering: Gathering::default(),
            blocks: VecDeque::new(),
            next_block: 1,
            stored_block: 0,
            gap: None,
            gap_at: Mono::START,
            damages: 0,
            rebuilding: false,
            told_unreadable: false,
        }
    }

    pub(super) fn run(mut self) {
        self.open();
        loop {
            let more = self.catch_up();
            let wait = if more { Span::ZERO } else { self.pause() };
            match self.asks.recv_timeout(duration(wait)) {
                Ok(Ask::Close(done)) => {
                    self.save();
                    self.tell_gap(true);
                    self.store = None;
                    return done.send(()).unwrap_or_default();
                }
                Ok(ask) => self.answer(ask),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.save(),
            }
            if self.setup.clock.mono() >= self.save_at {
                self.save();
                self.tell_gap(false);
            }
        }
    }

    /// How long there is nothing to do but to wait for questions.
    fn pause(&self) -> Span {
        let now = self.setup.clock.mono();
        let busy = self.dirty || !self.blocks.is_empty() || !self.gathering.is_empty() || self.gap.is_some();
        let until = if busy { self.save_at } else { now + IDLE };
        let until = self.refusal.as_ref().map_or(until, |r| until.min(r.until));
        until.since(now)
    }

    fn answer(&mut self, ask: Ask) {
        // Whoever asked may be gone: nobody is left to be told.
        match ask {
            Ask::Journal => {} // Every question makes it look.
            Ask::Events(after, max, reply) => reply.send(self.events(after, max)).unwrap_or_default(),
            Ask::Telemetry(after, max, reply) => reply.send(self.telemetry(after, max)).unwrap_or_default(),
            Ask::Cursors(name, reply) => {
                reply.send(self.cursors.get(&name).copied().unwrap_or_default()).unwrap_or_default();
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
                self.tell_gap(true);
                done.send(()).unwrap_or_default();
            }
            Ask::Close(done) => done.send(()).unwrap_or_default(), // Taken by `run`.
        }
    }

    // --- The store ---------------------------------------------------------------------------------------------

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
        if self.refusal.take().is_some() {
            tracing::info!("buffer: the disk takes the store again");
            let text = Text::new("缓冲数据库恢复写入。", "The buffer can be written again.");
            self.trouble("buffer-write", false, text);
        }
    }

    /// Takes over what `store` holds; memory, which is newer, wins.
    fn adopt(&mut self, store: &Store) -> Result<(), StoreFault> {
        let recorded = self.setup.journal.recorded();
        let (last, cursors) = (store.last_event()?, store.cursors()?);
        let known = cursors.values().map(|c| c.events).fold(last, Seq::max);
        if known > recorded {
            self.trouble("journal-shortened", true, shortened(recorded, known));
            return Err(StoreFault::Damaged(format!(
                "it is ahead of the journal, which ends at entry {recorded}"
            )));
        }
        let (standing, ends) = (store.standing()?, store.block_ends()?);
        for (name, stored) in cursors {
            let known = self.cursors.entry(name).or_default();
            known.events = known.events.max(stored.events);
            known.telemetry = known.telemetry.max(stored.telemetry);
        }
        for (key, (seq, line)) in standing {
            self.stands(key, seq, line);
        }
        self.stored_block = ends.map_or(0, |(_, last)| last.seq);
        let acked = self.cursors.values().map(|c| c.telemetry).max().unwrap_or(0);
        self.next_block = self.next_block.max(self.stored_block.max(acked).saturating_add(1));
        self.read = if self.complete { self.read.min(last) } else { last };
        Ok(())
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
        self.stored_block = 0;
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
        self.lose(Gap { lane: Lane::Telemetry, from: now, to: now, count: 0, reason });
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
        let before = self.refusal.take();
        let pause = before.as_ref().map_or(BACK_OFF, |r| BACK_OFF_MAX.min(r.pause.times(2)));
        self.refusal = Some(Refusal { pause, until: self.setup.clock.mono() + pause });
        if before.is_some() {
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
        if self.store.is_none() && self.refusal.as_ref().is_none_or(|r| now >= r.until) {
            self.open();
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
            }
            Err(fault) => self.failed(fault),
        }
        evicted.iter().for_each(|block| self.evicted(block));
    }

    fn write(&self, store: &Store, evicted: &mut Vec<BlockHead>) -> Result<(), StoreFault> {
        // Cursors first: a block may be forgotten only where it is known that it was acknowledged.
        store.put_cursors(&self.cursors)?;
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

    // --- Events ------------------------------------------------------------------------------------------------

    /// Reads a page of the journal; says whether there is more.
    fn catch_up(&mut self) -> bool {
        let recorded = self.setup.journal.recorded();
        if self.read < recorded {
            let page = match self.setup.journal.read(self.read, PAGE) {
                Ok(page) => page,
                Err(e) => {
                    tracing::warn!(error = %e, "buffer: the journal can't be read");
                    return false;
                }
            };
            // Before the store is asked: where it fails, everything is read again into a fresh one.
            self.read = page.through;
            self.index(page.entries);
            self.unreadable(page.unreadable);
        }
        self.marks.send_if_modified(|marks| {
            let risen = recorded > marks.events;
            marks.events = marks.events.max(recorded);
            risen
        });
        let more = self.read < recorded;
        if !more {
            self.complete = true;
            self.rebuilt();
            for asker in std::mem::take(&mut self.askers) {
                asker.send(self.stand()).unwrap_or_default();
            }
        }
        more
    }

    /// Lines of the journal that can't be read are told once.
    fn unreadable(&mut self, lines: u64) {
        if lines == 0 || self.told_unreadable {
            return;
        }
        self.told_unreadable = true;
        self.trouble(
            "journal-unreadable",
            true,
            Text::new(
                "日志中有无法读取的行，已跳过。请保留日志文件备查并检查磁盘。",
                "The journal has lines that can't be read; they were passed over. Keep its files as evidence and \
                 check the disk.",
            ),
        );
    }

    fn index(&mut self, entries: Vec<(Entry, Bytes)>) {
        let oldest = self.setup.journal.recorded().0.saturating_sub(self.setup.events_max);
        let (mut events, mut standing) = (Vec::new(), BTreeMap::new());
        for (entry, line) in entries {
            if let Some(key) = entry.key() {
                let key = format!("{}/{key}", entry.kind);
                standing.insert(key.clone(), (entry.seq, line.clone()));
                self.stands(key, entry.seq, line.clone());
            }
            if entry.seq.0 > oldest {
                events.push((entry.seq, line));
            }
        }
        self.with_store(|store| {
            store.put_events(&events, &standing)?;
            store.trim_events(Seq(oldest), TRIM_MAX)
        });
        self.dirty = true;
    }

    fn stands(&mut self, key: String, seq: Seq, line: Bytes) {
        let known = self.standing.get(&key);
        if known.is_none_or(|(before, _)| *before < seq) {
            self.standing.insert(key, (seq, line));
        }
    }

    fn stand(&self) -> Vec<StoredEvent> {
        self.standing.values().filter_map(|(_, line)| stored(line)).collect()
    }

    fn events(&mut self, after: Seq, max: usize) -> Vec<StoredEvent> {
        let max = max.min(ANSWER_MAX);
        let held = self.with_store(|store| store.events(after, max)).unwrap_or_default();
        let told: Vec<StoredEvent> = held.iter().map_while(|(_, line)| stored(line)).collect();
        if !told.is_empty() {
            return told;
        }
        match self.setup.journal.read(after, max) {
            Ok(page) => page.entries.into_iter().map(|(entry, line)| event(&entry, line)).collect(),
            Err(e) => {
                tracing::warn!(error = %e, "buffer: the journal can't be read");
                Vec::new()
            }
        }
    }

    fn acked(&mut self, name: String, lane: Lane, seq: u64) {
        let known = self.cursors.entry(name).or_default();
        match lane {
            Lane::Event => known.events = known.events.max(Seq(seq)),
            Lane::Telemetry => known.telemetry = known.telemetry.max(seq),
        }
        self.dirty = true;
    }

    // --- Telemetry ---------------------------------------------------------------------------------------------

    fn finish_block(&mut self) {
        let Setup { gateway, boot, .. } = &self.setup;
        if let Some(block) = self.gathering.finish(gateway, *boot, self.next_block) {
            self.blocks.push_back(block);
            self.next_block = self.next_block.saturating_add(1);
        }
    }

    /// Blocks can be fetched once they are on disk; where there is no disk, at once.
    fn mark_telemetry(&mut self) {
        let waiting = self.blocks.back().filter(|_| self.store.is_none()).map_or(0, |b| b.seq);
        let reach = self.stored_block.max(waiting);
        self.marks.send_if_modified(|marks| {
            let risen = reach > marks.telemetry;
            marks.telemetry = marks.telemetry.max(reach);
            risen
        });
    }

    fn telemetry(&mut self, after: u64, max: usize) -> Vec<StoredBlock> {
        let (max, through) = (max.min(ANSWER_MAX), self.marks.borrow().telemetry);
        if self.store.is_none() && after < self.stored_block {
            return Vec::new(); // They lie in a store that is out of reach for now: later ones must not overtake.
        }
        let mut told = self.with_store(|store| store.blocks(after, through, max)).unwrap_or_default();
        let waiting = self.blocks.iter().filter(|b| b.seq > after && b.seq <= through);
        let waiting = waiting.map(|b| StoredBlock { seq: b.seq, json: Bytes::from(b.json.clone()) });
        told.extend(waiting.take(max.saturating_sub(told.len())));
        told
    }

    /// The last block that every destination has; nothing where there is no destination.
    fn acked_by_all(&self) -> Option<u64> {
        let cursor = |name: &String| self.cursors.get(name).map_or(0, |c| c.telemetry);
        self.setup.destinations.iter().map(cursor).min()
    }

    fn bound_waiting_blocks(&mut self) {
        while self.blocks.len() > WAITING_BLOCKS_MAX {
            if let Some(b) = self.blocks.pop_front() {
                let len = length(b.json.len());
                self.evicted(&BlockHead {
                    seq: b.seq,
                    total: 0,
                    from: b.from,
                    to: b.to,
                    count: b.count,
                    len,
                });
            }
        }
    }

    fn evicted(&mut self, block: &BlockHead) {
        if self.acked_by_all().is_some_and(|acked| block.seq > acked) {
            let reason = format!(
                "telemetry that was not yet sent had to make room: the bound is {} bytes",
                self.setup.telemetry_max_bytes
            );
            let (from, to, count) = (block.from, block.to, block.count);
            self.lose(Gap { lane: Lane::Telemetry, from, to, count, reason });
        }
    }

    fn lose(&mut self, lost: Gap) {
        match &mut self.gap {
            Some(gap) => {
                gap.from = gap.from.min(lost.from);
                gap.to = gap.to.max(lost.to);
                gap.count = gap.count.saturating_add(lost.count);
            }
            None => self.gap = Some(lost),
        }
    }

    fn tell_gap(&mut self, last: bool) {
        let now = self.setup.clock.mono();
        if let Some(gap) = self.gap.take_if(|_| last || now >= self.gap_at) {
            self.gap_at = now + GAP_EVERY;
            (self.setup.tell)(Body::Gap(gap));
        }
    }
}

fn stored(line: &Bytes) -> Option<StoredEvent> {
    Entry::parse(line).ok().map(|entry| event(&entry, line.clone()))
}

fn event(entry: &Entry, line: Bytes) -> StoredEvent {
    StoredEvent {
        seq: entry.seq,
        kind: entry.kind.clone(),
        area: entry.area().map(str::to_owned),
        key: entry.key().map(str::to_owned),
        line,
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
