//! The keeper's lane of events: the journal is read into the store, and what the store does not have is told straight
//! out of the journal.

use super::{ANSWER_MAX, Keeper};
use crate::io::buffer::StoredEvent;
use crate::io::journal::Hole;
use crate::model::point::Text;
use crate::model::record::{Gap, Lane, Seq};
use crate::record::chain::Digest;
use crate::record::entry::Entry;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Entries read from the journal between two questions, so that a long refill holds up nobody.
const PAGE: usize = 500;

/// Events forgotten at once, so that trimming never takes long.
const TRIM_MAX: usize = 2_000;

/// Holes in the journal that are told in one run: a disk that fails all over is said often enough.
const HOLES_MAX: usize = 64;

impl Keeper {
    /// Reads a page of the journal; says whether there is more.
    pub(super) fn catch_up(&mut self) -> bool {
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
            if let Some((entry, line)) = page.entries.last() {
                self.ledger.last = Some((entry.seq, Digest::of(line)));
            }
            self.index(page.entries);
            self.unreadable(&page.holes);
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

    /// Tells of entries that can't be read, of each hole once: every reader comes upon it.
    fn unreadable(&mut self, holes: &[Hole]) {
        for hole in holes {
            if self.holes.len() >= HOLES_MAX || !self.holes.insert(hole.after) {
                continue;
            }
            let now = self.setup.clock.now().wall;
            let reason = format!(
                "the journal can't be read after entry {}; what is missing there was passed over",
                hole.after
            );
            self.gaps.add(Gap {
                lane: Lane::Event,
                from: now,
                to: now,
                count: hole.count,
                at_least: false,
                reason,
            });
            self.trouble(
                "journal-unreadable",
                true,
                Text::new(
                    "日志中有无法读取的内容，已跳过。请保留日志文件备查并检查磁盘。",
                    "Parts of the journal can't be read; they were passed over. Keep its files as evidence and check \
                     the disk.",
                ),
            );
        }
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

    pub(super) fn stands(&mut self, key: String, seq: Seq, line: Bytes) {
        let known = self.standing.get(&key);
        if known.is_none_or(|(before, _)| *before < seq) {
            self.standing.insert(key, (seq, line));
        }
    }

    fn stand(&self) -> Vec<StoredEvent> {
        self.standing.values().filter_map(|(_, line)| stored(line)).collect()
    }

    pub(super) fn events(&mut self, after: Seq, max: usize) -> Vec<StoredEvent> {
        let max = max.min(ANSWER_MAX);
        let held = self.with_store(|store| store.events(after, max)).unwrap_or_default();
        let told: Vec<StoredEvent> = held.iter().map_while(|(_, line)| stored(line)).collect();
        if !told.is_empty() {
            return told;
        }
        match self.setup.journal.read(after, max) {
            Ok(page) => {
                self.unreadable(&page.holes);
                page.entries.into_iter().map(|(entry, line)| event(&entry, line)).collect()
            }
            Err(e) => {
                tracing::warn!(error = %e, "buffer: the journal can't be read");
                Vec::new()
            }
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
