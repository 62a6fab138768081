//! The verifier of a journal: a fold over its lines that keeps little, and says what was altered, taken away,
//! re-ordered, cut or smuggled in. Which lines there are is for `io/journal/audit` to find out.
//!
//! ```text
//!  line ──▶ entry? ──▶ number and hash due here? ──▶ run and clocks plausible? ──▶ signed by the key in force?
//!                              │ its hash is not the one that was due
//!                              └──▶ the next line tells which of the two was altered: what it holds the hash of was not
//! ```

mod finding;
mod head;
mod seals;

pub use finding::{Clocks, Damage, Finding, Verdict};

use super::chain::Digest;
use super::entry::{SEQ_MAX, VERSION};
use super::seal::{CHECKPOINT, KEY, PublicKey};
use super::tally::Tally;
use crate::model::record::Seq;
use crate::model::time::{Mono, Span, Wall};
use finding::Spot;
use head::Head;
use std::collections::{BTreeMap, BTreeSet};

/// Runs that are told apart; a gateway that starts every hour has so many in ten years.
const BOOTS_MAX: usize = 100_000;

/// Stretches of missing entries that are remembered, to say of one that comes later that it was moved.
const STRETCHES_MAX: usize = 64;

/// How far the wall clock may run away from the monotonic one before that is a step.
const STEP_MS: i64 = 2_000;

/// No entry is older: what says so was written before the clock was set (2020-01-01).
const CLOCK_SET_MS: i64 = 1_577_836_800_000;

/// How far an entry may go back in its run: what waits in the queue of a slow disk is older than what is made there.
const BACK_MAX: Span = Span::from_secs(600);

/// A checkpoint is made every minute; after so long one is missing.
const UNSEALED_MAX: Span = Span::from_secs(300);

/// What is known from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The gateway's public keys; empty where the journal is believed which they are.
    pub keys: Vec<PublicKey>,
    /// Digests of entries' lines, as somebody else has them.
    pub anchors: BTreeMap<Seq, Digest>,
}

/// Judges the lines of a journal in the order of its files.
#[derive(Debug)]
pub struct Verifier {
    trust: Trust,
    spot: Spot,
    /// The number in the file's name, until its first entry has come.
    named: Option<Seq>,
    last: Option<Last>,
    doubt: Option<Doubt>,
    boot: Option<Boot>,
    boots: BTreeSet<u64>,
    missing: Vec<(Seq, Seq)>,
    key: Option<PublicKey>,
    tally: Tally,
    /// Whether everything since the last checkpoint was seen.
    whole: bool,
    verdict: Verdict,
}

/// The entry before.
#[derive(Clone, Debug)]
struct Last {
    seq: Seq,
    digest: Digest,
    spot: Spot,
    /// It was found to be altered: what follows holds another hash.
    suspect: bool,
}

/// An entry does not hold the hash of the one before it: one of the two was altered.
#[derive(Debug)]
struct Doubt {
    before: (Seq, Spot),
    this: (Seq, Spot),
}

/// The run that wrote the last entry.
#[derive(Debug)]
struct Boot {
    id: u64,
    mono: Mono,
    wall_minus_mono_ms: i64,
    /// Its first entry that no checkpoint seals.
    unsealed: Option<Mono>,
}

impl Verifier {
    /// A verifier that has seen nothing.
    #[must_use]
    pub fn new(trust: Trust) -> Verifier {
        Verifier {
            trust,
            spot: Spot::default(),
            named: None,
            last: None,
            doubt: None,
            boot: None,
            boots: BTreeSet::new(),
            missing: Vec::new(),
            key: None,
            tally: Tally::default(),
            whole: false,
            verdict: Verdict::default(),
        }
    }

    /// A file of this name begins; by it its first entry has the number `first`.
    pub fn file(&mut self, name: &str, first: Seq) {
        self.close_file();
        self.verdict.files = self.verdict.files.saturating_add(1);
        self.spot = Spot { file: name.into(), line: 0 };
        self.named = Some(first);
    }

    fn close_file(&mut self) {
        if self.named.take().is_some() && self.spot.line == 0 {
            self.find(Damage::Truncated, None, "the file holds no entry".to_owned());
        }
    }

    /// The file ends within a line.
    pub fn torn(&mut self, bytes: u64) {
        self.spot.line = self.spot.line.saturating_add(1);
        let due = self.last.as_ref().map(|last| last.seq.next());
        self.find(
            Damage::Truncated,
            due,
            format!(
                "the file ends within an entry, {bytes} bytes into it: it was cut, or the power went (a start of davy cuts \
                 such an end off and puts that on record)"
            ),
        );
    }

    /// What lies here can't be read.
    pub fn unreadable(&mut self, why: &str) {
        self.spot.line = self.spot.line.saturating_add(1);
        self.find(Damage::Altered, None, format!("it can't be read: {why}"));
        self.suspect();
    }

    /// The next line of the file, without its line end.
    pub fn line(&mut self, line: &[u8]) {
        self.spot.line = self.spot.line.saturating_add(1);
        self.verdict.bytes = self.verdict.bytes.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        let digest = Digest::of(line);
        let read = serde_json::from_slice::<Head<'_>>(line).map_err(|e| e.to_string());
        match read.and_then(|head| head.check().map(|checked| (head, checked))) {
            Ok((head, checked)) => {
                self.verdict.entries = self.verdict.entries.saturating_add(1);
                self.entry(line, digest, &head, &checked);
            }
            Err(why) => {
                let due = self.last.as_ref().map(|last| last.seq.next());
                self.find(Damage::Altered, due, format!("no entry of this version ({VERSION}): {why}"));
                self.move_on(due.unwrap_or(Seq(1)), digest, true);
                self.whole = false;
            }
        }
    }

    fn entry(&mut self, line: &[u8], digest: Digest, head: &Head<'_>, checked: &head::Checked) {
        let seq = Seq(head.seq);
        if let Some(named) = self.named.take().filter(|named| *named != seq) {
            self.find(
                Damage::Altered,
                Some(seq),
                format!("the file's name says that it begins with entry {named}"),
            );
        }
        let follows = match &self.last {
            Some(last) => last.digest == checked.prev,
            None => checked.prev == Digest::genesis(&head.gateway) && seq == Seq(1),
        };
        let gateway = self.verdict.gateway.get_or_insert_with(|| head.gateway.to_string());
        if *gateway != head.gateway {
            let ours = gateway.clone();
            if !follows {
                let what = format!("it is an entry of gateway {}, in the journal of {ours}", head.gateway);
                return self.find(Damage::Foreign, Some(seq), what);
            }
            self.find(Damage::Altered, Some(seq), format!("its gateway was {ours}"));
        }
        let mut sound = true;
        match self.last.clone() {
            None => self.begins(seq, checked.prev, follows),
            Some(last) if seq == last.seq.next() => self.links(&last, seq, checked.prev),
            // It follows by its hash, and so its number is what was altered.
            Some(last) if follows => {
                self.find(Damage::Altered, Some(last.seq.next()), format!("its number was changed to {seq}"));
                self.move_on(last.seq.next(), digest, true);
                sound = false;
            }
            Some(last) if seq > last.seq => self.jumps(&last, seq),
            Some(_) => return self.comes_again(seq),
        }
        if sound {
            self.move_on(seq, digest, false);
        }
        self.anchor(seq, digest);
        self.run(seq, head, checked);
        match &*head.kind {
            CHECKPOINT => self.checkpoint(line, seq, checked.prev),
            KEY => {
                self.key_entry(line, seq);
                self.tally.count(seq, KEY);
            }
            kind => self.tally.count(seq, kind),
        }
    }

    fn move_on(&mut self, seq: Seq, digest: Digest, suspect: bool) {
        self.last = Some(Last { seq, digest, spot: self.spot.clone(), suspect });
        self.verdict.first = self.verdict.first.or(Some(seq));
        self.verdict.last = Some((seq, digest));
    }

    fn suspect(&mut self) {
        self.whole = false;
        if let Some(last) = &mut self.last {
            last.suspect = true;
        }
    }

    /// The first entry of all.
    fn begins(&mut self, seq: Seq, prev: Digest, follows: bool) {
        let before = Seq(seq.0.saturating_sub(1));
        if follows {
            self.whole = true;
        } else if seq == Seq(1) {
            self.find(Damage::Altered, Some(seq), "it is not the first entry of this gateway".to_owned());
        } else if self.trust.anchors.remove(&before) != Some(prev) {
            let what = format!(
                "entries 1 to {before} are not here: bring them, or prove where this journal begins with --anchor {before}:HASH"
            );
            self.find(Damage::Missing, Some(Seq(1)), what);
            self.missing(Seq(1), before);
        }
    }

    /// The entry with the number that is due.
    fn links(&mut self, last: &Last, seq: Seq, prev: Digest) {
        let holds = last.digest == prev;
        if let Some(Doubt { before, this }) = self.doubt.take() {
            // It attests to the one that it was written behind.
            let (seq, spot) = if holds { before } else { this };
            self.find_at(
                spot,
                Damage::Altered,
                Some(seq),
                "its hash is not the one in the next entry".to_owned(),
            );
            self.whole = false;
        } else if !holds && !last.suspect {
            self.doubt =
                Some(Doubt { before: (last.seq, last.spot.clone()), this: (seq, self.spot.clone()) });
        }
    }

    /// Numbers are left out.
    fn jumps(&mut self, last: &Last, seq: Seq) {
        self.settle();
        let (first, until) = (last.seq.next(), Seq(seq.0.saturating_sub(1)));
        self.find(
            Damage::Missing,
            Some(first),
            format!("entries {first} to {until} are not where they belong"),
        );
        self.missing(first, until);
        self.whole = false;
    }

    fn missing(&mut self, first: Seq, until: Seq) {
        if self.missing.len() < STRETCHES_MAX {
            self.missing.push((first, until));
        }
    }

    /// A number that has been already, or was missed.
    fn comes_again(&mut self, seq: Seq) {
        match self.missing.iter().find(|(first, until)| (*first..=*until).contains(&seq)) {
            Some((first, _)) => {
                let first = *first;
                self.verdict.moved(first, seq);
                self.find(Damage::Reordered, Some(seq), format!("entry {seq} stands behind later ones"));
            }
            None => self.find(Damage::Foreign, Some(seq), format!("there is another entry {seq} before it")),
        }
    }

    /// What is known of the entry from elsewhere.
    fn anchor(&mut self, seq: Seq, digest: Digest) {
        match self.trust.anchors.remove(&seq) {
            Some(known) if known == digest => self.verdict.anchored = Some(seq),
            Some(_) => {
                let what = "it is another entry than the anchor proves: the journal was written anew, or is an older one that went on";
                self.find(Damage::Altered, Some(seq), what.to_owned());
            }
            None => {}
        }
    }

    /// Whether the run and its clocks are plausible.
    fn run(&mut self, seq: Seq, head: &Head<'_>, checked: &head::Checked) {
        let mono = Mono::from_us(head.up_us);
        let offset = checked.wall.ms().saturating_sub(i64::try_from(head.up_us / 1000).unwrap_or(i64::MAX));
        let clocks = &mut self.verdict.clocks;
        if checked.wall < Wall::from_ms(CLOCK_SET_MS) {
            clocks.unset = clocks.unset.saturating_add(1);
        }
        match &mut self.boot {
            Some(boot) if boot.id == checked.boot => {
                if offset.saturating_sub(boot.wall_minus_mono_ms).abs() > STEP_MS {
                    clocks.steps = clocks.steps.saturating_add(1);
                    clocks.first_step.get_or_insert(seq);
                }
                boot.wall_minus_mono_ms = offset;
                let back = boot.mono.since(mono);
                boot.mono = boot.mono.max(mono);
                if back > BACK_MAX {
                    self.find(
                        Damage::Reordered,
                        Some(seq),
                        format!("it happened {back} before an earlier entry of its run"),
                    );
                }
            }
            Some(_) | None => {
                self.verdict.runs = self.verdict.runs.saturating_add(1);
                self.boot = Some(Boot { id: checked.boot, mono, wall_minus_mono_ms: offset, unsealed: None });
                if self.boots.contains(&checked.boot) {
                    self.find(
                        Damage::Reordered,
                        Some(seq),
                        format!("run {:016x} has ended before", checked.boot),
                    );
                } else if self.boots.len() < BOOTS_MAX {
                    self.boots.insert(checked.boot);
                }
            }
        }
        self.is_overdue(seq, head, mono);
    }

    /// Whether a checkpoint is missing: whoever rewrites the end of a journal can't sign it.
    fn is_overdue(&mut self, seq: Seq, head: &Head<'_>, mono: Mono) {
        let Some(boot) = self.boot.as_mut().filter(|_| self.key.is_some()) else { return };
        if head.kind == CHECKPOINT {
            boot.unsealed = None;
        } else if mono.since(*boot.unsealed.get_or_insert(mono)) > UNSEALED_MAX {
            boot.unsealed = Some(mono);
            let what =
                format!("no checkpoint seals the {UNSEALED_MAX} before it, and one is due every minute");
            self.find(Damage::Missing, Some(seq), what);
        }
    }

    /// A doubt that nothing will resolve.
    fn settle(&mut self) {
        if let Some(Doubt { before: (seq, spot), this: (next, _) }) = self.doubt.take() {
            self.whole = false;
            self.find_at(
                spot,
                Damage::Altered,
                Some(seq),
                format!("it or entry {next}: the one does not hold the hash of the other"),
            );
        }
    }

    fn find(&mut self, damage: Damage, seq: Option<Seq>, what: String) {
        self.find_at(self.spot.clone(), damage, seq, what);
    }

    fn find_at(&mut self, spot: Spot, damage: Damage, seq: Option<Seq>, what: String) {
        self.verdict.add(Finding { damage, file: spot.file.to_string(), line: spot.line, seq, what });
    }

    /// What has been judged so far, for showing progress.
    #[must_use]
    pub const fn so_far(&self) -> &Verdict {
        &self.verdict
    }

    /// All lines have been seen.
    #[must_use]
    pub fn end(mut self) -> Verdict {
        self.close_file();
        self.settle();
        let last = self.last.as_ref().map_or(Seq(0), |last| last.seq);
        let beyond = self.trust.anchors.range(last.next()..=SEQ_MAX).next_back().map(|(seq, _)| *seq);
        if let Some(seq) = beyond {
            let what = format!(
                "the journal ends with entry {last}, and an anchor proves that there was an entry {seq}"
            );
            self.find(Damage::Truncated, Some(last.next()), what);
        } else if let Some((seq, _)) = self.trust.anchors.first_key_value() {
            self.verdict.unchecked_anchor = Some(*seq);
        }
        self.verdict.key = self.key;
        self.verdict.unsealed = match (self.key, self.tally.since(), self.verdict.last) {
            (Some(_), Some(since), Some((last, _))) => last.next().0.saturating_sub(since.0),
            _ => 0,
        };
        self.verdict
    }
}

#[cfg(test)]
mod tests;
