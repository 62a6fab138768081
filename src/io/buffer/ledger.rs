//! The ledger: a small file beside the store that says what each destination has taken and which numbers blocks were
//! given. It is read before the store and kept before the store is written, so that it holds where the store can't be
//! opened, is gone, or has silently become shorter: nothing is told again, no number is given twice, and what is
//! missing is noticed.
//!
//! ```text
//! {"blocks":5000,"cursors":{"room":{"events":4990,"telemetry":4800}},"forgotten":4800,"last":[4995,"<64 hex>"],"stored":4999}
//! <SHA-256 of the line above>
//! ```

use super::Cursors;
use crate::io::files::{open_plain, replace};
use crate::model::record::Seq;
use crate::record::chain::Digest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Its name in the state folder.
pub(super) const NAME: &str = "ledger";

/// Longest ledger read: thousands of destinations. Anything longer was not written by Davy.
const BYTES_MAX: u64 = 1024 * 1024;

/// What must be known even where there is no store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    /// The last number that was given to a block.
    pub(super) blocks: u64,
    /// The last block that must be there later: it came to the store, or waits in memory for one that refuses. Others
    /// were on their way, and a kill takes the telemetry of a second in any case.
    pub(super) stored: u64,
    /// Blocks up to this one are not missed where they are in no store: all had them, or their loss was told.
    pub(super) forgotten: u64,
    /// The last entry of the journal that was read, with its digest: nothing follows it that would show that it was
    /// altered.
    pub(super) last: Option<(Seq, Digest)>,
    /// What each destination has taken.
    pub(super) cursors: BTreeMap<String, Cursors>,
}

impl Ledger {
    /// The ledger in the file `path`; `None` where there is no such file.
    ///
    /// # Errors
    /// What the system says, or that the file holds no ledger.
    pub(super) fn read(path: &Path) -> io::Result<Option<Ledger>> {
        let mut text = String::new();
        match open_plain(path).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text)) {
            Ok(_) => parse(&text).map(Some).ok_or_else(|| ErrorKind::InvalidData.into()),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Puts the ledger into the file `path`, whole or not at all.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let cursor = |at: &Cursors| json!({ "events": at.events.0, "telemetry": at.telemetry });
        let cursors: BTreeMap<_, _> = self.cursors.iter().map(|(name, at)| (name, cursor(at))).collect();
        let Ledger { blocks, stored, forgotten, .. } = self;
        let last = self.last.map(|(seq, digest)| json!([seq.0, digest.to_string()]));
        let line = json!({
            "blocks": blocks, "cursors": cursors, "forgotten": forgotten, "last": last, "stored": stored,
        })
        .to_string();
        replace(path, format!("{line}\n{}\n", Digest::of(line.as_bytes())).as_bytes())
    }

    /// The last event that any destination has taken.
    pub(super) fn last_event(&self) -> Seq {
        self.cursors.values().map(|at| at.events).max().unwrap_or_default()
    }

    /// Takes in cursors known from elsewhere; the further one wins.
    pub(super) fn merge(&mut self, cursors: BTreeMap<String, Cursors>) {
        for (name, other) in cursors {
            let at = self.cursors.entry(name).or_default();
            at.events = at.events.max(other.events);
            at.telemetry = at.telemetry.max(other.telemetry);
            self.blocks = self.blocks.max(at.telemetry);
        }
    }
}

fn parse(text: &str) -> Option<Ledger> {
    let (line, digest) = text.split_once('\n')?;
    if Digest::parse(digest.trim_end())? != Digest::of(line.as_bytes()) {
        return None;
    }
    let value: Value = serde_json::from_str(line).ok()?;
    let cursor = |at: &Value| {
        Some(Cursors { events: Seq(at.get("events")?.as_u64()?), telemetry: at.get("telemetry")?.as_u64()? })
    };
    let rows = value.get("cursors")?.as_object()?;
    let cursors: Option<_> = rows.iter().map(|(name, at)| Some((name.clone(), cursor(at)?))).collect();
    let number = |name| value.get(name)?.as_u64();
    Some(Ledger {
        blocks: number("blocks")?,
        stored: number("stored")?,
        forgotten: number("forgotten")?,
        last: value.get("last").and_then(last),
        cursors: cursors?,
    })
}

fn last(value: &Value) -> Option<(Seq, Digest)> {
    Some((Seq(value.get(0)?.as_u64()?), Digest::parse(value.get(1)?.as_str()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_ledger_reads_back_as_itself_and_whatever_byte_is_flipped_as_nothing() {
        let path = std::env::temp_dir().join(format!("davy-ledger-{}", std::process::id()));
        assert_eq!(Ledger::read(&path).unwrap(), None);
        let at = Cursors { events: Seq(4990), telemetry: 4800 };
        let ledger = Ledger {
            blocks: 5000,
            stored: 4999,
            forgotten: 4800,
            last: Some((Seq(4995), Digest::of(b"x"))),
            cursors: BTreeMap::from([("room \"1\"".to_owned(), at)]),
        };
        ledger.write(&path).unwrap();
        ledger.write(&path).unwrap();
        assert_eq!(Ledger::read(&path).unwrap(), Some(ledger));
        let whole = fs::read(&path).unwrap();
        for n in 0..whole.len() - 1 {
            let mut bytes = whole.clone();
            bytes[n] ^= 0x02;
            fs::write(&path, &bytes).unwrap();
            assert!(Ledger::read(&path).is_err(), "byte {n}");
            fs::write(&path, &whole[..n]).unwrap();
            assert!(Ledger::read(&path).is_err(), "cut at byte {n}");
        }
        fs::remove_file(path).unwrap();
    }
}
