//! The journal's files as they lie in their folder: their names, and their lines read one by one within a bound.

use crate::io::files::open_plain;
use crate::model::record::Seq;
use crate::record::entry::{Entry, SEQ_MAX};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Longest line read: a journal may hold snapshots in one piece, of some 8 MB where every table was full. What is
/// longer is damage.
const LINE_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Where the last line of a file is looked for first.
const TAIL_BYTES: u64 = 64 * 1024;

/// What a disk loses at once.
const SECTOR_BYTES: u64 = 4096;

/// A file of the journal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Number of its first entry, by its name.
    pub(super) first: Seq,
    /// Whether it was set aside because something in it does not verify.
    pub(super) damaged: bool,
    /// Where it lies.
    pub(super) path: PathBuf,
}

/// The name of the file that begins with entry `first`.
pub(super) fn file_name(first: Seq) -> String {
    format!("{:012}.jsonl", first.0)
}

/// The journal's files in the order of their entries. Files with other names are not the journal's.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Place>> {
    let mut places = Vec::new();
    for found in fs::read_dir(folder)? {
        let path = found?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
        let Some((number, rest)) = name.split_once(".jsonl") else { continue };
        let damaged = rest.starts_with(".damaged-");
        if let (Ok(first), true) = (number.parse(), rest.is_empty() || damaged)
            && Seq(first) <= SEQ_MAX
        {
            places.push(Place { first: Seq(first), damaged, path });
        }
    }
    places.sort();
    Ok(places)
}

/// The last entry that can be read in the file `path`.
pub(super) fn last_entry(path: &Path) -> io::Result<Option<Seq>> {
    let mut file = open_plain(path)?;
    let len = file.metadata()?.len();
    // Nearly every line is short.
    for tail in [TAIL_BYTES, LINE_MAX_BYTES.saturating_mul(2)] {
        let from = len.saturating_sub(tail);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        (&mut file).take(tail).read_to_end(&mut bytes)?;
        let whole = bytes.split_inclusive(|b| *b == b'\n').rev().filter_map(|line| line.strip_suffix(b"\n"));
        let last = whole.filter_map(|line| Entry::parse(line).ok()).next();
        if last.is_some() || from == 0 {
            return Ok(last.map(|entry| entry.seq));
        }
    }
    Ok(None)
}

/// Says that entries are gone, in the same words wherever that is found.
pub(super) fn gone(first: Seq, last: Seq) -> String {
    format!("entries {first} {}", gone_up_to(last))
}

/// The end of those words.
pub(super) fn gone_up_to(last: Seq) -> String {
    format!("to {last} are in the journal no more")
}

/// What comes next in a file.
pub(super) enum Line {
    /// A line; its bytes, without the line end, are in the buffer.
    Whole,
    /// The file ends within a line, this many bytes into it.
    Torn(u64),
    /// The file ends.
    End,
    /// More bytes than any line has.
    TooLong,
}

/// Reads a file line by line.
pub(super) struct Lines<F> {
    reader: BufReader<F>,
    /// Bytes up to the end of the last whole line, or to where it went on behind what can't be read.
    pub(super) offset: u64,
    /// The length of the file when it was opened.
    len: u64,
    /// How much is skipped where reading fails the next time.
    step: u64,
}

impl Lines<File> {
    /// Reads `path` from `offset`, which is where a line begins.
    pub(super) fn open(path: &Path, offset: u64) -> io::Result<Lines<File>> {
        let mut file = open_plain(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let len = file.metadata()?.len();
        Ok(Lines::new(file, offset, len))
    }
}

impl<F: Read + Seek> Lines<F> {
    fn new(file: F, offset: u64, len: u64) -> Lines<F> {
        Lines { reader: BufReader::with_capacity(64 * 1024, file), offset, len, step: SECTOR_BYTES }
    }

    /// After an error of [`Lines::next`]: goes on behind what can't be read, most likely within a line. Gives the
    /// bytes passed over; `None` where nothing follows. The steps double: each attempt on a dead disk may take seconds.
    pub(super) fn skip(&mut self) -> io::Result<Option<u64>> {
        // The reader has nothing left in hand, or it would not have asked the disk.
        let at = self.reader.stream_position()?;
        let next = at.saturating_add(self.step) / SECTOR_BYTES * SECTOR_BYTES;
        if next >= self.len {
            return Ok(None);
        }
        self.reader.seek(SeekFrom::Start(next))?;
        self.step = self.step.saturating_mul(2);
        let from = std::mem::replace(&mut self.offset, next);
        Ok(Some(next.saturating_sub(from)))
    }

    /// Reads the next line into `line`.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Line> {
        line.clear();
        let read = (&mut self.reader).take(LINE_MAX_BYTES).read_until(b'\n', line)?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        if line.last() == Some(&b'\n') {
            line.pop();
            self.offset = self.offset.saturating_add(read);
            Ok(Line::Whole)
        } else if read >= LINE_MAX_BYTES {
            Ok(Line::TooLong)
        } else if read > 0 {
            Ok(Line::Torn(read))
        } else {
            Ok(Line::End)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use std::ops::Range;

    /// A file on a disk with a dead stretch.
    struct Dying {
        file: Cursor<Vec<u8>>,
        dead: Range<u64>,
    }

    impl Read for Dying {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let at = self.file.position();
            if self.dead.contains(&at) {
                return Err(io::Error::other("dead"));
            }
            let left = if at < self.dead.start { self.dead.start - at } else { u64::MAX };
            self.file.by_ref().take(left).read(buffer)
        }
    }

    impl Seek for Dying {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.file.seek(to)
        }
    }

    /// Numbers of the lines that can be read, and how often the disk was asked in vain.
    fn read(dead: Range<u64>) -> (Vec<u64>, usize) {
        let text: String = (0..2000).map(|n| format!("{n:099}\n")).collect();
        let len = text.len() as u64;
        let mut lines = Lines::new(Dying { file: Cursor::new(text.into_bytes()), dead }, 0, len);
        let (mut line, mut numbers, mut errors) = (Vec::new(), Vec::new(), 0);
        loop {
            match lines.next(&mut line) {
                Ok(Line::Whole) if line.len() == 99 => {
                    let number: u64 = std::str::from_utf8(&line).unwrap().parse().unwrap();
                    assert_eq!(lines.offset, (number + 1) * 100);
                    numbers.push(number);
                }
                Ok(Line::Whole) => {}
                Ok(_) => return (numbers, errors),
                Err(_) => {
                    errors += 1;
                    if lines.skip().unwrap().is_none() {
                        return (numbers, errors);
                    }
                }
            }
        }
    }

    #[test]
    fn what_lies_behind_a_dead_sector_is_read() {
        let (numbers, errors) = read(8192..12288);
        assert_eq!((numbers.len(), errors), (2000 - 42, 1));
        assert_eq!((numbers[80], numbers[81]), (80, 123), "two more are cut by its edges");
        assert_eq!(numbers.last(), Some(&1999));
    }

    #[test]
    fn a_dead_disk_is_asked_a_few_times_only() {
        let (numbers, errors) = read(4096..u64::MAX);
        assert_eq!(numbers.len(), 40);
        assert!(errors <= 7, "{errors}");
    }
}
