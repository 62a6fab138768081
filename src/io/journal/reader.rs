//! Reads the journal while it is being written: entries after a number, in order, up to what is recorded. What can't
//! be read is passed over and counted; the journal's own start tells of it.

use super::JournalState;
use super::lines::{Line, Lines, list};
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

/// Reads entries out of the journal's files.
#[derive(Debug)]
pub struct JournalReader {
    folder: PathBuf,
    state: watch::Receiver<JournalState>,
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
    /// Lines that could not be read and were passed over.
    pub unreadable: u64,
    /// Everything up to here has been read: the next page begins after it.
    pub through: Seq,
}

impl JournalReader {
    pub(super) fn new(folder: &Path, state: watch::Receiver<JournalState>) -> JournalReader {
        JournalReader { folder: folder.to_owned(), state, places: VecDeque::new() }
    }

    /// The last entry that is recorded, and so can be read.
    #[must_use]
    pub fn recorded(&self) -> Seq {
        self.state.borrow().recorded
    }

    /// Up to `max` entries after `after`. Where there are no more, `through` is [`JournalReader::recorded`].
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&mut self, after: Seq, max: usize) -> io::Result<Page> {
        let until = self.recorded();
        let mut page = Page { through: after, ..Page::default() };
        if after >= until || max == 0 {
            return Ok(page);
        }
        let mut files = list(&self.folder)?;
        let known = self.places.iter().position(|p| p.after == after).and_then(|n| self.places.remove(n));
        let known = known.and_then(|k| Some((files.iter().position(|f| f.path == k.path)?, k.offset)));
        let begin = || (files.iter().rposition(|f| f.first <= after.next()).unwrap_or(0), 0);
        let (first, mut offset) = known.unwrap_or_else(begin);
        files.drain(..first);
        let mut bytes = 0usize;
        for file in files {
            let mut lines = Lines::open(&file.path, offset)?;
            offset = 0;
            if read_file(&mut lines, until, max, &mut bytes, &mut page)? {
                self.remember(Position { after: page.through, path: file.path, offset: lines.offset });
                return Ok(page);
            }
        }
        page.through = page.through.max(until);
        Ok(page)
    }

    fn remember(&mut self, position: Position) {
        self.places.push_front(position);
        self.places.truncate(PLACES_MAX);
    }
}

/// Reads on in one file; says whether the page is done.
fn read_file(
    lines: &mut Lines,
    until: Seq,
    max: usize,
    bytes: &mut usize,
    page: &mut Page,
) -> io::Result<bool> {
    let mut line = Vec::new();
    loop {
        match lines.next(&mut line)? {
            Line::Whole => {}
            Line::Torn(_) | Line::End => return Ok(false),
            Line::TooLong => {
                page.unreadable = page.unreadable.saturating_add(1);
                return Ok(false);
            }
        }
        let Ok(entry) = Entry::parse(&line) else {
            page.unreadable = page.unreadable.saturating_add(1);
            continue;
        };
        if entry.seq > until {
            return Ok(false);
        }
        if entry.seq <= page.through {
            continue;
        }
        page.through = entry.seq;
        *bytes = bytes.saturating_add(line.len());
        page.entries.push((entry, Bytes::copy_from_slice(&line)));
        if page.entries.len() >= max || *bytes >= PAGE_MAX_BYTES || page.through >= until {
            return Ok(true);
        }
    }
}
