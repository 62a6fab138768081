//! A journal in memory: the real chain and the real lines, and what was not flushed is lost with the power.

use davy::model::record::{Record, Seq, Standing};
use davy::record::chain::{Chain, Check, Digest};
use davy::record::entry::{self, Entry};

/// The journal of one gateway.
#[derive(Debug)]
pub(crate) struct Journal {
    gateway: String,
    boot: u64,
    chain: Chain,
    /// Written and not flushed.
    pending: Vec<String>,
    /// On disk.
    pub(crate) entries: Vec<Entry>,
    /// What the entries on disk fold to, and with the pending ones.
    durable: Standing,
    check: Check,
}

impl Journal {
    pub(crate) fn new(gateway: &str) -> Journal {
        Journal {
            gateway: gateway.to_owned(),
            boot: 1,
            chain: Chain::start(gateway, 1),
            pending: Vec::new(),
            entries: Vec::new(),
            durable: Standing::default(),
            check: Check::new(),
        }
    }

    /// Takes a record in; it is not on disk yet.
    pub(crate) fn write(&mut self, record: &Record) {
        let line = self.chain.next(record);
        self.pending.push(line);
    }

    /// Everything written is on disk. Each line must read back and follow the one before it.
    pub(crate) fn flush(&mut self) {
        for line in self.pending.drain(..) {
            let entry = Entry::parse(line.as_bytes()).unwrap();
            self.check.follows(&entry, line.as_bytes()).unwrap();
            entry::standing_apply(&mut self.durable, &entry);
            self.entries.push(entry);
        }
    }

    /// The number of the last entry that is on disk.
    pub(crate) fn recorded(&self) -> u64 {
        self.check.last().map_or(0, |(seq, _)| seq.0)
    }

    /// The last digest of the chain: two runs that have it in common are the same to the byte.
    pub(crate) fn digest(&self) -> String {
        self.check.last().map_or_else(String::new, |(_, digest)| digest.to_string())
    }

    /// The power fails: what was not flushed is gone, and the next run goes on from what was.
    pub(crate) fn crash(&mut self) -> Standing {
        self.pending.clear();
        self.boot += 1;
        self.chain = match self.check.last() {
            Some((seq, digest)) => Chain::resume(&self.gateway, self.boot, seq, digest),
            None => Chain::resume(&self.gateway, self.boot, Seq(0), Digest::genesis(&self.gateway)),
        };
        self.durable.clone()
    }

    /// What stands by everything that is on disk.
    pub(crate) fn standing(&self) -> &Standing {
        &self.durable
    }
}
