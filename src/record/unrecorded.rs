//! Copies of what the disk does not take, for whoever must know at once. They are no entries: an entry is on the disk
//! and has a number. When the disk takes them again they are told once more, as events.
//!
//! The newest are held, because they say what stands now; how it began waits in the journal's own memory and comes with
//! the events. Of each alarm, trip and element the last copy is held besides, so that what is retained of it is true.

use super::entry::{Entry, STANDING, VERSION};
use super::seal::CHECKPOINT;
use crate::model::record::Seq;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Copies held at once: a trip with all that it brings about is some ten of them, so this is a very bad hour, in about
/// 250 kB.
pub const COPIES_MAX: usize = 256;

/// A copy of what is not recorded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loose {
    /// The how-many-eth of this run, from 1.
    pub nth: u64,
    /// Its kind, as `alarm`.
    pub kind: String,
    /// The area it is about, where there is one.
    pub area: Option<String>,
    /// The key of the alarm, trip or element it is about, where there is one.
    pub key: Option<String>,
    /// The payload.
    pub json: Vec<u8>,
    /// The number that it will have.
    seq: Seq,
}

/// What is not recorded, while the journal can't be written.
#[derive(Clone, Debug, Default)]
pub struct Unrecorded {
    ails: bool,
    given: u64,
    copies: VecDeque<Arc<Loose>>,
    latest: BTreeMap<(String, String), Arc<Loose>>,
}

impl Unrecorded {
    /// Whether the journal can't be written.
    #[must_use]
    pub const fn ails(&self) -> bool {
        self.ails
    }

    /// The journal was refused: `entries` wait for the disk as well, and those up to `recorded` no longer do. Says
    /// whether that is news.
    pub fn refused(&mut self, recorded: Seq, entries: &[Entry]) -> bool {
        let before = (self.ails, self.copies.len(), self.given);
        self.copies.retain(|copy| copy.seq > recorded);
        self.latest.retain(|_, copy| copy.seq > recorded);
        self.ails = true;
        // What stood at the start of a file is no event.
        entries.iter().filter(|entry| entry.kind != STANDING).for_each(|entry| self.add(entry));
        before != (self.ails, self.copies.len(), self.given)
    }

    /// Everything is recorded. Says whether that is news.
    pub fn recorded(&mut self) -> bool {
        self.copies.clear();
        self.latest.clear();
        std::mem::replace(&mut self.ails, false)
    }

    /// The first copy behind the `nth`.
    #[must_use]
    pub fn after(&self, nth: u64) -> Option<Arc<Loose>> {
        self.copies.get(self.copies.partition_point(|copy| copy.nth <= nth)).map(Arc::clone)
    }

    /// The last copy about each alarm, trip and element.
    pub fn latest(&self) -> impl Iterator<Item = &Loose> {
        self.latest.values().map(Arc::as_ref)
    }

    /// Whether something newer than anything that is recorded is known of an alarm, trip or element.
    #[must_use]
    pub fn knows_of(&self, kind: &str, key: Option<&str>) -> bool {
        !self.latest.is_empty() && self.latest().any(|copy| copy.kind == kind && copy.key.as_deref() == key)
    }

    fn add(&mut self, entry: &Entry) {
        self.given = self.given.saturating_add(1);
        let copy = Arc::new(Loose {
            nth: self.given,
            kind: entry.kind.clone(),
            area: entry.area().map(str::to_owned),
            // A checkpoint without its number proves nothing to whoever would keep it.
            key: entry.key().filter(|_| entry.kind != CHECKPOINT).map(str::to_owned),
            json: payload(entry, self.given),
            seq: entry.seq,
        });
        if let Some(key) = copy.key.clone() {
            self.latest.insert((copy.kind.clone(), key), Arc::clone(&copy));
        }
        if self.copies.len() >= COPIES_MAX {
            self.copies.pop_front();
        }
        self.copies.push_back(copy);
    }
}

/// As an entry, without what only an entry has.
fn payload(entry: &Entry, nth: u64) -> Vec<u8> {
    json!({
        "body": entry.body,
        "boot": format!("{:016x}", entry.boot),
        "gateway": entry.gateway,
        "kind": entry.kind,
        "nth": nth,
        "recorded": false,
        "up_us": entry.at.mono.us(),
        "utc": entry.at.wall.to_string(),
        "v": VERSION,
    })
    .to_string()
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::chain::Digest;

    fn entry(seq: u64, kind: &str, body: serde_json::Value) -> Entry {
        let at = crate::model::time::Now::default();
        let (gateway, prev) = ("gw-1".to_owned(), Digest::genesis("gw-1"));
        Entry { seq: Seq(seq), boot: 7, gateway, at, kind: kind.to_owned(), body, prev }
    }

    #[test]
    fn a_copy_is_frozen_and_has_no_number_of_an_entry() {
        let mut held = Unrecorded::default();
        assert!(held.refused(Seq(0), &[entry(5, "ended", json!({ "reason": "x" }))]));
        let expected = r#"{"body":{"reason":"x"},"boot":"0000000000000007","gateway":"gw-1","kind":"ended","nth":1,"recorded":false,"up_us":0,"utc":"1970-01-01T00:00:00.000Z","v":1}"#;
        assert_eq!(String::from_utf8(held.after(0).unwrap().json.clone()).unwrap(), expected);
    }

    #[test]
    fn the_newest_are_held_and_the_last_of_each_alarm_until_they_are_recorded() {
        let mut held = Unrecorded::default();
        let first = entry(1, "alarm", json!({ "key": "a:trip" }));
        let others = (2..).take(COPIES_MAX).map(|seq| entry(seq, "gap", json!({})));
        held.refused(Seq(0), &[first].into_iter().chain(others).collect::<Vec<_>>());
        assert_eq!(held.after(0).unwrap().nth, 2, "the oldest gave way");
        assert!(held.knows_of("alarm", Some("a:trip")) && !held.knows_of("trip", Some("a:trip")));
        assert!(!held.refused(Seq(0), &[]), "no news");
        held.refused(Seq(3), &[]);
        assert_eq!(held.after(0).unwrap().nth, 4);
        assert!(!held.knows_of("alarm", Some("a:trip")), "what is recorded is told as an event");
        assert!(held.recorded() && !held.recorded() && held.after(0).is_none());
    }
}
