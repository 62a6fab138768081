//! The journal's files as they lie in their folder: their names, and their lines read one by one within a bound.

use crate::model::record::Seq;
use crate::record::entry::SEQ_MAX;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Longest line read: a journal may hold snapshots in one piece, of some 8 MB where every table was full. What is
/// longer is damage.
const LINE_MAX_BYTES: u64 = 16 * 1024 * 1024;

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
pub(super) struct Lines {
    reader: BufReader<File>,
    /// Bytes up to the end of the last whole line.
    pub(super) offset: u64,
}

impl Lines {
    /// Reads `path` from `offset`, which is where a line begins.
    pub(super) fn open(path: &Path, offset: u64) -> io::Result<Lines> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Lines { reader: BufReader::with_capacity(64 * 1024, file), offset })
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
