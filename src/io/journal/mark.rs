//! A note beside the journal that it can't be written: what waits in memory is lost with the process, and only such a
//! note can tell the next start. It is a file of fixed length that is made at the first start and written over in place,
//! which a full disk takes. Where that fails too, the note is left in the folder where Davy records when it can't use
//! its own, which is emptied when the machine starts.
//!
//! ```text
//! {"dir":"<SHA-256 of the state folder's path>","pending":true,"ended":false,"waiting":11}
//! ```

use crate::io::files::{make_own_folder, open_plain, overwrite};
use crate::record::chain::Digest;
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Its name in both places.
const NAME: &str = "recording";

/// Its length: longer than any note, and within a sector.
const LEN: usize = 256;

/// What was not recorded when the run before came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Left {
    /// Entries that were counted.
    pub(super) waiting: u64,
    /// It ended in order, and these are all.
    pub(super) ended: bool,
}

/// The note.
pub(super) struct Mark {
    dir: Digest,
    /// In the state folder, and where that can't be written.
    places: [PathBuf; 2],
    before: Option<Left>,
    said: Option<Left>,
}

impl Mark {
    /// Reads what the run before has left, and makes the file where there is none.
    pub(super) fn open(state_dir: &Path, gateway: &str) -> Mark {
        let path = fs::canonicalize(state_dir).unwrap_or_else(|_| state_dir.to_owned());
        let spare = std::env::temp_dir().join(format!("davy-{gateway}"));
        let places = [state_dir.join(NAME), spare.join(NAME)];
        let mut mark =
            Mark { dir: Digest::of(path.as_os_str().as_bytes()), places, before: None, said: None };
        let found = [mark.read(&mark.places[0]), mark.read(&mark.places[1])];
        let made = found[0].is_some();
        let mut left = found.into_iter().flatten().flatten();
        mark.before = left.next().map(|one| left.fold(one, Left::or));
        mark.said = mark.before;
        if !made {
            // Now, while there is room. Where there is none already, that is found out when it is needed.
            overwrite(&mark.places[0], &mark.text(mark.said)).unwrap_or_default();
        }
        mark
    }

    /// What the run before has left.
    pub(super) const fn before(&self) -> Option<Left> {
        self.before
    }

    /// Notes that so many entries wait, or at the end that they are lost. What the run before has left unsaid is still
    /// among what is.
    pub(super) fn note(&mut self, waiting: usize, ended: bool) {
        let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
        let before = self.before.unwrap_or(Left { waiting: 0, ended: true });
        let left = Left { waiting: waiting.saturating_add(before.waiting), ended: ended && before.ended };
        if self.said != Some(left) {
            self.write(Some(left));
        }
    }

    /// Notes that everything is recorded.
    pub(super) fn clear(&mut self) {
        self.before = None;
        if self.said.is_some() {
            self.write(None);
        }
    }

    fn write(&mut self, left: Option<Left>) {
        let text = self.text(left);
        let [place, spare] = &self.places;
        let outcome = match overwrite(place, &text) {
            Ok(()) => remove(spare),
            Err(_) if left.is_none() => remove(spare),
            Err(_) => spare.parent().map_or(Ok(()), make_own_folder).and_then(|()| overwrite(spare, &text)),
        };
        match outcome {
            Ok(()) => self.said = left,
            Err(e) => tracing::warn!(error = %e, "journal: can't note anywhere that entries wait in memory"),
        }
    }

    fn text(&self, left: Option<Left>) -> Vec<u8> {
        let Left { waiting, ended } = left.unwrap_or_default();
        let (dir, pending) = (self.dir.to_string(), left.is_some());
        let line = json!({ "dir": dir, "ended": ended, "pending": pending, "waiting": waiting }).to_string();
        format!("{line:<width$}\n", width = LEN - 1).into_bytes()
    }

    /// `None` where there is no note; a note that can't be read says that something was the matter.
    fn read(&self, path: &Path) -> Option<Option<Left>> {
        let mut text = String::new();
        let in_place = path == self.places[0];
        let own = fs::metadata("/proc/self").ok()?.uid();
        let mut file = open_plain(path).ok()?;
        let found = file.metadata().ok()?;
        // Anybody may leave notes in the temporary folder.
        if !found.is_file() || !in_place && found.uid() != own {
            return None;
        }
        let read = file.by_ref().take(LEN as u64).read_to_string(&mut text).is_ok();
        let note: Option<Value> = if read { serde_json::from_str(&text).ok() } else { None };
        let Some(note) = note else { return in_place.then_some(Some(Left::default())) };
        if !in_place && note.get("dir")?.as_str() != Some(&self.dir.to_string()) {
            return None;
        }
        let flag = |name| note.get(name).and_then(Value::as_bool) == Some(true);
        let waiting = note.get("waiting").and_then(Value::as_u64).unwrap_or(0);
        Some(flag("pending").then(|| Left { waiting, ended: flag("ended") }))
    }
}

impl Left {
    fn or(self, other: Left) -> Left {
        Left { waiting: self.waiting.max(other.waiting), ended: self.ended && other.ended }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => {
            // Where nothing else lies in it.
            path.parent().map_or(Ok(()), fs::remove_dir).or(Ok(()))
        }
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
        Err(e) => Err(e),
    }
}
