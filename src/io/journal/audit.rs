//! Walks over a journal's files for the verifier, as they lie in a state folder, in their own folder, or in a copy of
//! either. It reads only, so that it may be done while the agent writes.

use super::lines::{Line, Lines, Place, list};
use crate::record::entry::Entry;
use crate::record::verify::{Trust, Verdict, Verifier};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An agent at work finishes a line within this, where its disk is not asleep.
const UNFINISHED: Duration = Duration::from_millis(500);

/// Lines between two looks at the progress.
const LOOK_EVERY: u64 = 20_000;

/// Why nothing can be verified.
#[derive(Debug)]
pub enum AuditError {
    /// There is no journal.
    NoJournal(PathBuf),
    /// The system does not let us read.
    Unreadable(PathBuf, io::Error),
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuditError::NoJournal(dir) => write!(
                f,
                "{} holds no journal: name a state folder, its journal/ folder, or a copy of one",
                dir.display()
            ),
            AuditError::Unreadable(path, e) => write!(f, "cannot read {}: {e}", path.display()),
        }
    }
}

impl std::error::Error for AuditError {}

/// The folder with the journal's files that `dir` names.
///
/// # Errors
/// [`AuditError::NoJournal`] where there are none.
pub fn folder(dir: &Path) -> Result<PathBuf, AuditError> {
    let inner = dir.join("journal");
    let folder = if inner.is_dir() { inner } else { dir.to_owned() };
    match list(&folder) {
        Ok(places) if !places.is_empty() => Ok(folder),
        Ok(_) => Err(AuditError::NoJournal(dir.to_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(AuditError::NoJournal(dir.to_owned())),
        Err(e) => Err(AuditError::Unreadable(folder, e)),
    }
}

/// Verifies the journal in `dir`; `progress` hears now and then how far it is, and how many bytes there are.
///
/// # Errors
/// [`AuditError`] where there is nothing to verify.
pub fn verify(
    dir: &Path,
    trust: Trust,
    mut progress: impl FnMut(&Verdict, u64),
) -> Result<Verdict, AuditError> {
    let folder = folder(dir)?;
    let listed = || list(&folder).map_err(|e| AuditError::Unreadable(folder.clone(), e));
    let mut places = listed()?;
    let size = |place: &Place| std::fs::metadata(&place.path).map_or(0, |found| found.len());
    let total = places.iter().map(size).fold(0, u64::saturating_add);
    let mut verifier = Verifier::new(trust);
    let mut next = 0;
    while let Some(place) = places.get(next) {
        next += 1;
        file(&mut verifier, place, next == places.len(), |verdict| progress(verdict, total));
        if next == places.len() {
            // An agent at work may have begun another.
            places = listed()?;
        }
    }
    Ok(verifier.end())
}

fn file(verifier: &mut Verifier, place: &Place, newest: bool, mut progress: impl FnMut(&Verdict)) {
    let name = place.path.file_name().unwrap_or_default().to_string_lossy();
    verifier.file(&name, place.first);
    let mut lines = match Lines::open(&place.path, 0) {
        Ok(lines) => lines,
        Err(e) => return verifier.unreadable(&e.to_string()),
    };
    let (mut line, mut count, mut waited) = (Vec::new(), 0u64, false);
    loop {
        match lines.next(&mut line) {
            Ok(Line::Whole) => verifier.line(&line),
            Ok(Line::End) => return,
            Ok(Line::Torn(bytes)) => {
                if newest && !std::mem::replace(&mut waited, true) {
                    std::thread::sleep(UNFINISHED);
                    match Lines::open(&place.path, lines.offset) {
                        Ok(again) => lines = again,
                        Err(e) => return verifier.unreadable(&e.to_string()),
                    }
                    continue;
                }
                return verifier.torn(bytes);
            }
            Ok(Line::TooLong) => return verifier.unreadable("longer than any entry is"),
            Err(e) => {
                verifier.unreadable(&e.to_string());
                match lines.skip() {
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return,
                }
            }
        }
        count = count.saturating_add(1);
        if count.is_multiple_of(LOOK_EVERY) {
            progress(verifier.so_far());
        }
    }
}

/// The names of the journal's files, in order.
///
/// # Errors
/// [`AuditError`] where there are none.
pub fn names(dir: &Path) -> Result<Vec<String>, AuditError> {
    let folder = folder(dir)?;
    let places = list(&folder).map_err(|e| AuditError::Unreadable(folder, e))?;
    let name = |place: &Place| Some(place.path.file_name()?.to_str()?.to_owned());
    Ok(places.iter().filter_map(name).collect())
}

/// Which gateway wrote the journal in `dir`, by the last entry that can be read.
#[must_use]
pub fn gateway(dir: &Path) -> Option<String> {
    let places = list(&folder(dir).ok()?).ok()?;
    let newest = places.last()?;
    let (mut lines, mut line, mut gateway) = (Lines::open(&newest.path, 0).ok()?, Vec::new(), None);
    while let Ok(Line::Whole) = lines.next(&mut line) {
        gateway = Entry::parse(&line).ok().map(|entry| entry.gateway).or(gateway);
    }
    gateway
}

/// What a reader comes upon.
pub enum Met<'a> {
    /// A line, with the entry that it holds.
    Entry(&'a Entry, &'a [u8]),
    /// What is none; the file's name, where in it, and why.
    Lost(&'a str, u64, String),
}

/// Reads a journal from its first entry, and then what has come since.
#[derive(Debug)]
pub struct Follower {
    folder: PathBuf,
    /// The file that was read last, how far, and how many lines.
    at: Option<(Place, u64, u64)>,
}

impl Follower {
    /// A reader of the journal in `dir`.
    ///
    /// # Errors
    /// [`AuditError`] where there is none.
    pub fn open(dir: &Path) -> Result<Follower, AuditError> {
        Ok(Follower { folder: folder(dir)?, at: None })
    }

    /// Reads what there is now. What is unfinished at the end of the newest file may be had the next time.
    ///
    /// # Errors
    /// [`AuditError`] where the folder can't be read.
    pub fn read(&mut self, mut meet: impl FnMut(Met<'_>)) -> Result<(), AuditError> {
        let places = list(&self.folder).map_err(|e| AuditError::Unreadable(self.folder.clone(), e))?;
        for place in &places {
            let (offset, count) = match &self.at {
                Some((at, ..)) if place < at => continue,
                Some((at, offset, count)) if place == at => (*offset, *count),
                Some(_) | None => (0, 0),
            };
            let newest = Some(place) == places.last();
            let (offset, count) = read_on(place, offset, count, newest, &mut meet);
            self.at = Some((place.clone(), offset, count));
        }
        Ok(())
    }
}

/// Reads on in one file; says how far it came.
fn read_on(
    place: &Place,
    offset: u64,
    mut count: u64,
    newest: bool,
    meet: &mut impl FnMut(Met<'_>),
) -> (u64, u64) {
    let name = place.path.file_name().unwrap_or_default().to_string_lossy();
    let mut lines = match Lines::open(&place.path, offset) {
        Ok(lines) => lines,
        Err(e) => {
            meet(Met::Lost(&name, count, e.to_string()));
            return (offset, count);
        }
    };
    let mut line = Vec::new();
    loop {
        let why = match lines.next(&mut line) {
            Ok(Line::Whole) => match Entry::parse(&line) {
                Ok(entry) => {
                    count = count.saturating_add(1);
                    meet(Met::Entry(&entry, &line));
                    continue;
                }
                Err(fault) => fault.to_string(),
            },
            Ok(Line::End) => return (lines.offset, count),
            Ok(Line::Torn(_)) if newest => return (lines.offset, count),
            Ok(Line::Torn(bytes)) => {
                meet(Met::Lost(
                    &name,
                    count.saturating_add(1),
                    format!("the file ends {bytes} bytes into an entry"),
                ));
                return (lines.offset, count);
            }
            Ok(Line::TooLong) => {
                meet(Met::Lost(&name, count.saturating_add(1), "longer than any entry is".to_owned()));
                return (lines.offset, count);
            }
            Err(e) => {
                if !matches!(lines.skip(), Ok(Some(_))) {
                    meet(Met::Lost(
                        &name,
                        count.saturating_add(1),
                        format!("nothing can be read from here on: {e}"),
                    ));
                    return (lines.offset, count);
                }
                e.to_string()
            }
        };
        count = count.saturating_add(1);
        meet(Met::Lost(&name, count, why));
    }
}
