//! The keeper's lane of telemetry: values become numbered blocks, blocks wait for the store, and what is lost before
//! every destination has it becomes a gap.

use super::{ANSWER_MAX, Keeper};
use crate::io::buffer::{BlockHead, Setup, StoredBlock};
use crate::model::record::{Gap, Lane};
use crate::record::telemetry::Block;
use bytes::Bytes;

/// Blocks held in memory while there is no store: some 4 MB, minutes to hours of telemetry.
const WAITING_BLOCKS_MAX: usize = 500;

impl Keeper {
    pub(super) fn finish_block(&mut self) {
        let Setup { gateway, boot, .. } = &self.setup;
        let next = self.ledger.blocks.saturating_add(1);
        let Some(block) = self.gathering.finish(gateway, *boot, next) else { return };
        if self.numbering {
            self.ledger.blocks = next;
            self.blocks.push_back(block);
        } else {
            let reason = "the buffer can't be opened, and without it the next block has no number".to_owned();
            self.lose(&block, reason);
        }
    }

    fn lose(&mut self, block: &Block, reason: String) {
        let (from, to, count) = (block.from, block.to, block.count);
        self.gaps.add(Gap { lane: Lane::Telemetry, from, to, count, at_least: false, reason });
    }

    /// Blocks can be fetched once they are on disk; where there is no disk, at once.
    pub(super) fn mark_telemetry(&mut self) {
        let waiting = self.blocks.back().filter(|_| self.store.is_none()).map_or(0, |b| b.seq);
        let reach = self.stored_block.max(waiting);
        self.marks.send_if_modified(|marks| {
            let risen = reach > marks.telemetry;
            marks.telemetry = marks.telemetry.max(reach);
            risen
        });
    }

    pub(super) fn telemetry(&mut self, after: u64, max: usize) -> Vec<StoredBlock> {
        let (max, through) = (max.min(ANSWER_MAX), self.marks.borrow().telemetry);
        if self.store.is_none() && after.max(self.ledger.forgotten) < self.stored_block {
            return Vec::new(); // They lie in a store that is out of reach for now: later ones must not overtake.
        }
        let mut told = self.with_store(|store| store.blocks(after, through, max)).unwrap_or_default();
        let waiting = self.blocks.iter().filter(|b| b.seq > after && b.seq <= through);
        let waiting = waiting.map(|b| StoredBlock { seq: b.seq, json: Bytes::from(b.json.clone()) });
        told.extend(waiting.take(max.saturating_sub(told.len())));
        told
    }

    /// The last block that every destination has; nothing where there is no destination.
    pub(super) fn acked_by_all(&self) -> Option<u64> {
        let cursor = |name: &String| self.ledger.cursors.get(name).map_or(0, |c| c.telemetry);
        self.setup.destinations.iter().map(cursor).min()
    }

    pub(super) fn bound_waiting_blocks(&mut self) {
        let over = self.blocks.len().saturating_sub(WAITING_BLOCKS_MAX);
        for block in self.blocks.drain(..over).collect::<Vec<_>>() {
            if self.is_owed(block.seq) {
                let reason = "telemetry that was not yet sent did not fit into memory while the disk refused the \
                              buffer";
                self.lose(&block, reason.to_owned());
            }
        }
    }

    /// Whether a destination has not yet taken block `seq`.
    pub(super) fn is_owed(&self, seq: u64) -> bool {
        self.acked_by_all().is_some_and(|acked| seq > acked)
    }

    pub(super) fn evicted(&mut self, block: &BlockHead) {
        if self.is_owed(block.seq) {
            let reason = format!(
                "telemetry that was not yet sent had to make room: the bound is {} bytes",
                self.setup.telemetry_max_bytes
            );
            let (from, to, count) = (block.from, block.to, block.count);
            self.gaps.add(Gap { lane: Lane::Telemetry, from, to, count, at_least: false, reason });
        }
    }
}
