//! What the verifier finds, and what it says in the end.

use crate::model::record::Seq;
use crate::record::chain::Digest;
use crate::record::seal::PublicKey;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Findings that are kept; more are only counted.
const FINDINGS_MAX: usize = 20;

/// Kinds of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// It is not what was written.
    Altered,
    /// It was taken away.
    Missing,
    /// It stands elsewhere than it was written.
    Reordered,
    /// The end was cut off.
    Truncated,
    /// It does not belong here.
    Foreign,
}

impl Damage {
    /// As people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Damage::Altered => "altered",
            Damage::Missing => "missing",
            Damage::Reordered => "re-ordered",
            Damage::Truncated => "truncated",
            Damage::Foreign => "foreign",
        }
    }
}

/// A line in a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Spot {
    pub(super) file: Arc<str>,
    pub(super) line: u64,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of damage.
    pub damage: Damage,
    /// In which file.
    pub file: String,
    /// In which line of it, from 1; 0 where it is not about one.
    pub line: u64,
    /// Which entry, as far as that is known.
    pub seq: Option<Seq>,
    /// In words.
    pub what: String,
}

/// What the entries' clocks were worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// Steps of the wall clock within runs.
    pub steps: u64,
    /// The first entry behind one.
    pub first_step: Option<Seq>,
    /// Entries written before the clock was set.
    pub unset: u64,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Whose journal it is.
    pub gateway: Option<String>,
    /// Files, entries and bytes that were read.
    pub files: u64,
    /// Entries.
    pub entries: u64,
    /// Bytes of their lines.
    pub bytes: u64,
    /// Runs that wrote them.
    pub runs: u64,
    /// The first entry.
    pub first: Option<Seq>,
    /// The last one with its line's digest.
    pub last: Option<(Seq, Digest)>,
    /// Checkpoints whose signature holds.
    pub checkpoints: u64,
    /// The last entry that one of them seals.
    pub sealed: Option<Seq>,
    /// Entries behind that.
    pub unsealed: u64,
    /// The key that signs in the end.
    pub key: Option<PublicKey>,
    /// How often it changed in order.
    pub rotations: u64,
    /// The last entry that an anchor proves.
    pub anchored: Option<Seq>,
    /// An anchor that lies before this journal.
    pub unchecked_anchor: Option<Seq>,
    /// The clocks.
    pub clocks: Clocks,
    /// What is wrong, the first of it.
    pub findings: Vec<Finding>,
    /// How much is wrong, of each kind.
    pub damages: BTreeMap<Damage, u64>,
}

impl Verdict {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damages.is_empty()
    }

    pub(super) fn add(&mut self, finding: Finding) {
        let count = self.damages.entry(finding.damage).or_default();
        *count = count.saturating_add(1);
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// The entries that were missed from `first` on are not missing but elsewhere: `seq` of them has come.
    pub(super) fn moved(&mut self, first: Seq, seq: Seq) {
        let missed = |f: &&mut Finding| f.damage == Damage::Missing && f.seq == Some(first);
        if let Some(finding) = self.findings.iter_mut().find(missed) {
            finding.damage = Damage::Reordered;
            finding.what = format!("{}: entry {seq} stands further on", finding.what);
            let left = self.damages.get(&Damage::Missing).map_or(0, |n| n.saturating_sub(1));
            if left == 0 {
                self.damages.remove(&Damage::Missing);
            } else {
                self.damages.insert(Damage::Missing, left);
            }
            let moved = self.damages.entry(Damage::Reordered).or_default();
            *moved = moved.saturating_add(1);
        }
    }
}
