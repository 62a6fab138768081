//! The hash chain of the journal: each line holds the SHA-256 of the line before it, so that whoever alters, drops or
//! swaps a line breaks every line after it. What a line looks like is in `entry`.

use super::entry::{self, Entry, SEQ_MAX};
use super::seal::{CHECKPOINT, KEY, PublicKey, SecretKey};
use super::tally::{KeyStep, Tally, key_body};
use crate::model::record::{Record, Seq, Standing, Who};
use crate::model::time::Now;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A SHA-256, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// What stands in for a line before the first entry of `gateway`'s journal.
    #[must_use]
    pub fn genesis(gateway: &str) -> Digest {
        Digest::of(format!("davy journal v1 {gateway}").as_bytes())
    }

    /// The digest written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Digest> {
        let mut bytes = [0u8; 32];
        // The standard library reads a leading plus as well.
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The writing end of the chain: numbers records and links them.
#[derive(Clone, Debug)]
pub struct Chain {
    gateway: String,
    boot: u64,
    last: Seq,
    prev: Digest,
    /// What no checkpoint has sealed yet.
    tally: Tally,
}

impl Chain {
    /// A chain without entries, written by `gateway` in its run `boot`.
    #[must_use]
    pub fn start(gateway: &str, boot: u64) -> Chain {
        Chain {
            gateway: gateway.to_owned(),
            boot,
            last: Seq(0),
            prev: Digest::genesis(gateway),
            tally: Tally::default(),
        }
    }

    /// The chain that goes on after the entry `last`, whose line has the digest `prev`.
    #[must_use]
    pub fn resume(gateway: &str, boot: u64, last: Seq, prev: Digest) -> Chain {
        Chain { gateway: gateway.to_owned(), boot, last, prev, tally: Tally::default() }
    }

    /// The number of the last entry; zero where there is none.
    #[must_use]
    pub const fn last(&self) -> Seq {
        self.last
    }

    /// The line of `record`, which becomes the last entry.
    pub fn next(&mut self, record: &Record) -> String {
        self.link(record.at, record.body.kind(), entry::body(record))
    }

    /// What the line of `record` would say, for whoever must know what does not become an entry. Its number is none.
    #[must_use]
    pub fn loose(&self, record: &Record) -> Entry {
        Entry {
            seq: SEQ_MAX,
            boot: self.boot,
            gateway: self.gateway.clone(),
            at: record.at,
            kind: record.body.kind().to_owned(),
            body: entry::body(record),
            prev: self.prev,
        }
    }

    /// The lines that say where everything stands, each short enough for a message; they become the last entries.
    pub fn snapshot(&mut self, at: Now, standing: &Standing) -> Vec<String> {
        let bodies = entry::standing_bodies(standing);
        bodies.into_iter().map(|body| self.link(at, entry::STANDING, body)).collect()
    }

    /// The chain with what the runs before have left unsealed.
    #[must_use]
    pub fn with_tally(self, tally: Tally) -> Chain {
        Chain { tally, ..self }
    }

    /// Whether there are entries that no checkpoint has sealed.
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        self.tally.is_empty()
    }

    /// The line of a checkpoint that seals every entry before it, which becomes the last entry.
    pub fn seal(&mut self, at: Now, key: &SecretKey) -> String {
        let body = self.tally.checkpoint(self.last, self.prev, key.public());
        let line = key.sign(&self.draft(at, CHECKPOINT, body));
        self.tally = Tally::default();
        self.take(line)
    }

    /// The line that says that `key` signs from now on, signed by `signer`; it becomes the last entry.
    pub fn announce(
        &mut self,
        at: Now,
        step: KeyStep,
        key: PublicKey,
        signer: &SecretKey,
        by: Option<&Who>,
    ) -> String {
        let body = key_body(step, key, signer.public(), by);
        let line = signer.sign(&self.draft(at, KEY, body));
        self.tally.count(self.last.next(), KEY);
        self.take(line)
    }

    fn link(&mut self, at: Now, kind: &str, body: Value) -> String {
        let line = self.draft(at, kind, body);
        self.tally.count(self.last.next(), kind);
        self.take(line)
    }

    fn draft(&self, at: Now, kind: &str, body: Value) -> String {
        Entry {
            seq: self.last.next(),
            boot: self.boot,
            gateway: self.gateway.clone(),
            at,
            kind: kind.to_owned(),
            body,
            prev: self.prev,
        }
        .line()
    }

    fn take(&mut self, line: String) -> String {
        self.last = self.last.next();
        self.prev = Digest::of(line.as_bytes());
        line
    }
}

/// Why a line is not the next one of its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// Its number is not the next one.
    Seq {
        /// The number that was due.
        expected: Seq,
        /// The number that it has.
        found: Seq,
    },
    /// It was not written behind the line before it.
    Prev(Seq),
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChainFault::Seq { expected, found } => {
                write!(f, "entry {found} stands where entry {expected} is due")
            }
            ChainFault::Prev(seq) => write!(f, "entry {seq} does not hold the hash of the line before it"),
        }
    }
}

/// The reading end of the chain: says of each line whether it belongs behind the one before it. A fault is told
/// once; what follows is judged by the line it follows.
#[derive(Clone, Debug, Default)]
pub struct Check {
    last: Option<(Seq, Digest)>,
}

impl Check {
    /// A check that takes the first line for what it says, unless that is entry 1.
    #[must_use]
    pub fn new() -> Check {
        Check::default()
    }

    /// The last line that was an entry: its number and its digest.
    #[must_use]
    pub const fn last(&self) -> Option<(Seq, Digest)> {
        self.last
    }

    /// Whether `entry`, read from `line`, is the next one.
    ///
    /// # Errors
    /// [`ChainFault`] where it is not.
    pub fn follows(&mut self, entry: &Entry, line: &[u8]) -> Result<(), ChainFault> {
        let before = self.last.replace((entry.seq, Digest::of(line)));
        let (expected, prev) = match before {
            Some((last, digest)) => (last.next(), digest),
            None if entry.seq == Seq(1) => (Seq(1), Digest::genesis(&entry.gateway)),
            None => return Ok(()),
        };
        if entry.seq != expected {
            return Err(ChainFault::Seq { expected, found: entry.seq });
        }
        if entry.prev == prev { Ok(()) } else { Err(ChainFault::Prev(entry.seq)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Body;

    fn ended(reason: &str) -> Record {
        Record { at: Now::default(), body: Body::Ended { reason: reason.to_owned() } }
    }

    fn judge(check: &mut Check, line: &str) -> Result<(), ChainFault> {
        check.follows(&Entry::parse(line.as_bytes()).unwrap(), line.as_bytes())
    }

    #[test]
    fn what_the_chain_writes_the_check_takes_across_a_restart() {
        let mut chain = Chain::start("mine-1", 7);
        let mut lines = chain.snapshot(Now::default(), &Standing::default());
        lines.push(chain.next(&ended("a")));
        let last = lines.last().unwrap();
        let mut chain = Chain::resume("mine-1", 8, chain.last(), Digest::of(last.as_bytes()));
        lines.push(chain.next(&ended("b")));
        let mut check = Check::new();
        assert!(lines.iter().all(|line| judge(&mut check, line).is_ok()));
        assert_eq!(check.last().map(|(seq, _)| seq), Some(Seq(3)));
    }

    #[test]
    fn a_line_altered_dropped_or_swapped_is_noticed() {
        let mut chain = Chain::start("mine-1", 7);
        let lines: Vec<String> = ["a", "b", "c"].map(|r| chain.next(&ended(r))).into();
        let altered = lines[1].replace("\"b\"", "\"x\"");
        let faults = |lines: &[&str]| {
            let mut check = Check::new();
            lines.iter().filter_map(|line| judge(&mut check, line).err()).collect::<Vec<_>>()
        };
        assert_eq!(faults(&[&lines[0], &altered, &lines[2]]), [ChainFault::Prev(Seq(3))]);
        let dropped = ChainFault::Seq { expected: Seq(2), found: Seq(3) };
        assert_eq!(faults(&[&lines[0], &lines[2]]), [dropped]);
        assert_eq!(faults(&[&lines[1], &lines[0]]).len(), 1);
    }

    #[test]
    fn the_first_entry_is_tied_to_its_gateway() {
        let line = Chain::start("mine-1", 7).next(&ended("a"));
        assert_eq!(judge(&mut Check::new(), &line), Ok(()));
        let moved = line.replace("mine-1", "mine-2");
        assert_eq!(judge(&mut Check::new(), &moved), Err(ChainFault::Prev(Seq(1))));
    }

    #[test]
    fn a_digest_reads_back_as_itself_and_nothing_else_does() {
        let digest = Digest::of(b"davy");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        for bad in ["", "ab", &"g".repeat(64), &"é".repeat(32), &"a".repeat(65), &"+f".repeat(32)] {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
    }
}
