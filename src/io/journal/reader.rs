//! Reads the journal while it is being written: entries after a number, in order, up to what is recorded. What can't
//! be read, a line or a stretch of a file, is a hole in the page and is passed over: it must not hold up what follows.
//! Whoever reads tells of it; the journal's own start does so only for the newest files, which it sets aside.

use super::JournalState;
use super::lines::{Line, Lines, Place, list};
use crate::model::record::Seq;
use crate::record::entry::Entry;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// Most bytes of lines handed out at once.
const PAGE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Positions remembered, so that each of several readers goes on without searching: a few destinations each with a
/// cursor of its own, and the buffer.
const PLACES_MAX: usize = 8;

/// Error numbers (ENOMEM, ENFILE, EMFILE) that say nothing about a file but that we lack memory or handles.
const OUR_LACKS: [i32; 3] = [12, 23, 24];

/// Reads entries out of the journal's files.
#[derive(Debug)]
pub struct JournalReader {
    folder: PathBuf,
    state: watch::Receiver<JournalState>,
    found: Seq,
    /// An entry that is not what it was, and is passed over.
    altered: Option<Seq>,
    places: VecDeque<Position>,
}

/// Where the entries after a number begin.
#[derive(Clone, Debug)]
struct Position {
    after: Seq,
    path: PathBuf,
    offset: u64,
}

/// Some entries of the journal.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The entries with their lines, in order.
    pub entries: Vec<(Entry, Bytes)>,
    /// What could not be read in between and was passed over.
    pub holes: Vec<Hole>,
    /// Everything up to here has been read: the next page begins after it.
    pub through: Seq,
}

/// Entries that are in the journal's files and can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The last entry before them.
    pub after: Seq,
    /// How many there are, or at least one where nothing that can be read follows.
    pub count: u64,
}

impl JournalReader {
    pub(super) fn new(
        folder: &Path,
        state: watch::Receiver<JournalState>,
        found: Seq,
        altered: Option<Seq>,
    ) -> JournalReader {
        JournalReader { folder: folder.to_owned(), state, found, altered, places: VecDeque::new() }
    }

    /// The last entry of the runs before this one.
    #[must_use]
    pub const fn found(&self) -> Seq {
        self.found
    }

    /// The last entry that is recorded, and so can be read.
    #[must_use]
    pub fn recorded(&self) -> Seq {
        self.state.borrow().recorded
    }

    /// Up to `max` entries after `after`. Where there are no more, `through` is [`JournalReader::recorded`].
    ///
    /// # Errors
    /// What the system says, where it is not a file that is at fault: the same page may be had later.
    pub fn read(&mut self, after: Seq, max: usize) -> io::Result<Page> {
        let until = self.recorded();
        let page = Page { through: after, ..Page::default() };
        if after >= until || max == 0 {
            return Ok(page);
        }
        let mut files = list(&self.folder)?;
        let known = self.places.iter().position(|p| p.after == after).and_then(|n| self.places.remove(n));
        let known = known.and_then(|k| Some((files.iter().position(|f| f.path == k.path)?, k.offset)));
        let begin = || (files.iter().rposition(|f| f.first <= after.next()).unwrap_or(0), 0);
        let (first, mut offset) = known.unwrap_or_else(begin);
        files.drain(..first);
        let seen = if offset > 0 { after } else { Seq(0) };
        let mut reading = Reading { page, seen, until, altered: self.altered, max, bytes: 0 };
        for file in files {
            match reading.file(&file, offset) {
                Ok(Some(offset)) => {
                    self.remember(Position { after: reading.page.through, path: file.path, offset });
                    return Ok(reading.page);
                }
                Ok(None) => {}
                Err(e) => reading.pass_over_error(&file, e)?,
            }
            offset = 0;
        }
        reading.page.through = reading.page.through.max(until);
        Ok(reading.page)
    }

    fn remember(&mut self, position: Position) {
        self.places.push_front(position);
        self.places.truncate(PLACES_MAX);
    }
}

/// A page that is being read.
struct Reading {
    page: Page,
    /// The last entry met, wanted or not.
    seen: Seq,
    until: Seq,
    altered: Option<Seq>,
    max: usize,
    bytes: usize,
}

impl Reading {
    /// Reads on in one file; says where it was when the page was done.
    fn file(&mut self, file: &Place, offset: u64) -> io::Result<Option<u64>> {
        self.comes(file.first);
        let mut lines = Lines::open(&file.path, offset)?;
        let mut line = Vec::new();
        loop {
            match lines.next(&mut line) {
                Ok(Line::Whole) => {}
                Ok(Line::Torn(_) | Line::End) => return Ok(None),
                Ok(Line::TooLong) => {
                    self.pass_over(file);
                    return Ok(None);
                }
                Err(e) => {
                    self.pass_over_error(file, e)?;
                    match lines.skip()? {
                        Some(_) => continue,
                        None => return Ok(None),
                    }
                }
            }
            match Entry::parse(&line) {
                Ok(entry) if entry.seq > self.until => return Ok(None),
                Ok(entry) => self.take(entry, &line),
                Err(_) => self.pass_over(file),
            }
            let full = self.page.entries.len() >= self.max || self.bytes >= PAGE_MAX_BYTES;
            if full || self.page.through >= self.until {
                return Ok(Some(lines.offset));
            }
        }
    }

    fn take(&mut self, entry: Entry, line: &[u8]) {
        self.comes(entry.seq);
        self.seen = self.seen.max(entry.seq);
        if entry.seq > self.page.through && self.altered != Some(entry.seq) {
            self.page.through = entry.seq;
            self.bytes = self.bytes.saturating_add(line.len());
            self.page.entries.push((entry, Bytes::copy_from_slice(line)));
        }
    }

    /// Entry `seq` comes next: what is missing before it is how large the hole is.
    fn comes(&mut self, seq: Seq) {
        let before = Seq(seq.0.saturating_sub(1));
        if let Some(hole) = self.page.holes.last_mut().filter(|hole| hole.after == self.seen) {
            hole.count = hole.count.max(before.0.saturating_sub(self.seen.0));
        }
        self.seen = self.seen.max(before);
    }

    /// A file that can't be read is passed over, unless the error says nothing about the file.
    fn pass_over_error(&mut self, file: &Place, error: io::Error) -> io::Result<()> {
        if error.raw_os_error().is_some_and(|code| OUR_LACKS.contains(&code)) {
            return Err(error);
        }
        tracing::warn!(file = %file.path.display(), error = %error, "journal: a file can't be read");
        self.pass_over(file);
        Ok(())
    }

    /// What can't be read of a file that was set aside was told then.
    fn pass_over(&mut self, file: &Place) {
        let known = self.page.holes.last().is_some_and(|hole| hole.after == self.seen);
        if !file.damaged && !known && self.seen >= self.page.through {
            self.page.holes.push(Hole { after: self.seen, count: 1 });
        }
    }
}
