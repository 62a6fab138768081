//! Brings chained lines to disk: in files, one fsync for all that wait. A line is chained once and keeps its bytes
//! until the disk has taken it; after a refusal the file is cut back to what is known to be durable and the lines are
//! written again.

use super::lines::{file_name, gone, last_entry};
use super::scan::Tail;
use crate::io::clock::Clock;
use crate::io::files::{create, make_folder, sync_folder};
use crate::model::point::Text;
use crate::model::record::{Body, Gap, Lane, Record, Seq, Standing, Trouble, Who};
use crate::model::time::Wall;
use crate::record::chain::Chain;
use crate::record::entry::Entry;
use crate::record::seal::SecretKey;
use crate::record::tally::KeyStep;
use std::collections::VecDeque;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file is closed at this length: small enough that a start reads it in a blink.
pub(super) const FILE_MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Entries that wait in memory for a disk that refuses: at some 600 bytes of a line each 6 MB, hours of a bad day.
pub(super) const WAITING_MAX: usize = 10_000;

/// Milliseconds of a UTC day.
const DAY_MS: i64 = 86_400_000;

/// A line that is not yet on disk.
struct Pending {
    seq: Seq,
    /// With its line end.
    bytes: String,
    /// Whether it is the first of a new file.
    opens: bool,
}

/// The file that the next line will go to.
#[derive(Clone, Copy)]
struct Plan {
    len: u64,
    day: i64,
}

/// The file that lines are written to, as far as it is durable.
struct Current {
    path: PathBuf,
    len: u64,
    /// Device and inode, once they are known: another file of this name is not this file.
    id: Option<(u64, u64)>,
    /// `None` after a refusal: it is opened afresh.
    handle: Option<File>,
}

/// What did not even fit into memory.
struct Lost {
    from: Wall,
    to: Wall,
    count: u64,
}

/// Writes the journal's files.
pub(super) struct Writer {
    folder: PathBuf,
    chain: Chain,
    standing: Standing,
    clock: Clock,
    plan: Option<Plan>,
    current: Option<Current>,
    pending: VecDeque<Pending>,
    recorded: Seq,
    lost: Option<Lost>,
    /// The last entry that [`Writer::not_copied`] has given.
    copied: Seq,
    /// What did not fit and was not given yet.
    loose: Vec<Entry>,
    removed: Option<Trouble>,
    /// What signs.
    key: Option<SecretKey>,
}

impl Writer {
    pub(super) fn new(
        folder: &Path,
        chain: Chain,
        standing: Standing,
        tail: Option<Tail>,
        clock: Clock,
    ) -> Writer {
        let current = tail.map(|t| Current {
            path: folder.join(file_name(t.first)),
            len: t.len,
            id: None,
            handle: None,
        });
        Writer {
            folder: folder.to_owned(),
            recorded: chain.last(),
            chain,
            standing,
            clock,
            plan: tail.map(|t| Plan { len: t.len, day: day(t.begun) }),
            current,
            pending: VecDeque::new(),
            lost: None,
            copied: Seq(0),
            loose: Vec::new(),
            removed: None,
            key: None,
        }
    }

    /// That somebody took a file away, the last time.
    pub(super) fn removed(&self) -> Option<Trouble> {
        self.removed.clone()
    }

    /// The last entry that is durable.
    pub(super) const fn recorded(&self) -> Seq {
        self.recorded
    }

    /// Entries that wait, and such as did not fit.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len().saturating_add(usize::try_from(self.lost()).unwrap_or(usize::MAX))
    }

    /// Records that did not fit into memory.
    pub(super) fn lost(&self) -> u64 {
        self.lost.as_ref().map_or(0, |l| l.count)
    }

    /// Where it writes, for messages.
    pub(super) fn place(&self) -> String {
        self.current.as_ref().map_or(&self.folder, |c| &c.path).display().to_string()
    }

    /// What is not on disk and was not given before.
    pub(super) fn not_copied(&mut self) -> Vec<Entry> {
        let new = self.pending.partition_point(|line| line.seq <= self.copied);
        let new = self.pending.iter().skip(new).filter_map(|line| Entry::parse(line.bytes.as_bytes()).ok());
        let entries = new.chain(self.loose.drain(..)).collect();
        self.copied = self.pending.back().map_or(self.copied, |line| line.seq);
        entries
    }

    /// Chains `record`; [`Writer::commit`] brings it to disk.
    pub(super) fn append(&mut self, record: &Record) {
        if self.pending.len() >= WAITING_MAX {
            let wall = record.at.wall;
            let lost = self.lost.get_or_insert(Lost { from: wall, to: wall, count: 0 });
            lost.to = wall;
            lost.count = lost.count.saturating_add(1);
            self.loose.push(self.chain.loose(record));
            self.standing.apply(record); // What happened has happened: the next snapshot knows of it.
            return;
        }
        self.make_room(record.at.wall);
        self.standing.apply(record);
        let line = self.chain.next(record);
        self.push(self.chain.last(), line, false);
    }

    /// Begins a new file where that is due.
    fn make_room(&mut self, wall: Wall) {
        let today = day(wall);
        // Only forward: a clock that is set back must not start a file for each entry.
        if self.plan.is_none_or(|p| p.len >= FILE_MAX_BYTES || today > p.day) {
            if self.plan.is_some() {
                self.seal(); // The file before ends with it.
            }
            self.plan = Some(Plan { len: 0, day: today });
            let first = self.chain.last().next();
            let at = self.clock.now();
            let parts = self.chain.snapshot(at, &self.standing);
            for (seq, part) in (first.0..).map(Seq).zip(parts) {
                self.push(seq, part, seq == first);
            }
            // Whoever reads no other file finds it here.
            if let Some(key) = &self.key {
                let line = self.chain.announce(at, KeyStep::Current, key.public(), key, None);
                self.push(self.chain.last(), line, false);
            }
        }
    }

    /// Whether it can sign.
    pub(super) const fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Whether there is nothing that a checkpoint could seal.
    pub(super) const fn is_sealed(&self) -> bool {
        self.chain.is_sealed()
    }

    /// Chains a checkpoint over all that is not sealed, where it can sign and there is anything.
    pub(super) fn seal(&mut self) {
        if let Some(key) = self.key.as_ref().filter(|_| !self.chain.is_sealed() && self.plan.is_some()) {
            let line = self.chain.seal(self.clock.now(), key);
            self.push(self.chain.last(), line, false);
        }
    }

    /// Signs with `key` from now on, which the entry of this step says. The key before it signs a rotation.
    pub(super) fn set_key(&mut self, key: SecretKey, step: Option<KeyStep>, who: Option<&Who>) {
        if let Some(step) = step {
            self.make_room(self.clock.now().wall);
            let signer = self.key.as_ref().filter(|_| step == KeyStep::Rotated).unwrap_or(&key);
            let line = self.chain.announce(self.clock.now(), step, key.public(), signer, who);
            self.push(self.chain.last(), line, false);
        }
        self.key = Some(key);
    }

    /// What was lost becomes a gap record; says whether there was any.
    pub(super) fn tell_lost(&mut self) -> bool {
        let Some(lost) = self.lost.take() else { return false };
        self.loose.clear();
        let gap = Gap {
            lane: Lane::Event,
            from: lost.from,
            to: lost.to,
            count: lost.count,
            at_least: false,
            reason: format!(
                "the disk refused the journal, and more than {WAITING_MAX} entries did not fit into memory"
            ),
        };
        self.note_in_new_file(Body::Gap(gap));
        true
    }

    /// The file was taken away or cut while it was written to: what it held may be gone, and what stands is not.
    fn tell_removed(&mut self) {
        let Some(removed) = self.current.take() else { return };
        let name = removed.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        tracing::error!(file = name, "journal: somebody has removed, replaced or shortened the file");
        let text = Text::new(
            format!(
                "日志文件 {name} 在写入期间被删除、替换或截短，其中的记录可能已丢失。请查明原因并找回该文件。"
            ),
            format!(
                "The journal's file {name} was removed, replaced or shortened while it was written to; entries in it \
                 may be lost. Find out by whom, and recover the file."
            ),
        );
        let trouble = Trouble { code: "journal-removed", detail: name, raised: true, text };
        self.removed = Some(trouble.clone());
        self.note_in_new_file(Body::Trouble(trouble));
        self.tell_gone(&removed.path);
    }

    /// What the file at `path` held and holds no more.
    fn tell_gone(&mut self, path: &Path) {
        let name = path.file_stem().and_then(|name| name.to_str());
        let begun = name.and_then(|name| name.parse().ok()).map_or(self.recorded, Seq);
        let first = last_entry(path).ok().flatten().map_or(begun, Seq::next);
        let count = self.recorded.next().0.saturating_sub(first.0);
        if count > 0 {
            let at = self.clock.now();
            let reason = gone(first, self.recorded);
            let gap = Gap { lane: Lane::Event, from: at.wall, to: at.wall, count, at_least: false, reason };
            self.append(&Record { at, body: Body::Gap(gap) });
        }
    }

    /// Puts `body` on record behind a snapshot: what lies before it does not tell all that stands.
    fn note_in_new_file(&mut self, body: Body) {
        self.plan = None;
        self.append(&Record { at: self.clock.now(), body });
    }

    fn push(&mut self, seq: Seq, mut line: String, opens: bool) {
        line.push('\n');
        if let Some(plan) = &mut self.plan {
            plan.len = plan.len.saturating_add(bytes(line.len()));
        }
        self.pending.push_back(Pending { seq, bytes: line, opens });
    }

    /// Brings everything that waits to disk. After an error, what is not durable still waits.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            let outcome = self.commit_one_file();
            if outcome.is_err() {
                if let Some(current) = &mut self.current {
                    current.handle = None;
                }
                return outcome;
            }
        }
        Ok(())
    }

    /// Writes the lines up to the next that opens a file.
    fn commit_one_file(&mut self) -> io::Result<()> {
        let Some(&Pending { seq, opens, .. }) = self.pending.front() else { return Ok(()) };
        match self.current.as_mut().map(Current::ready) {
            Some(Ok(false)) => self.tell_removed(),
            Some(Err(e)) if !opens => return Err(e),
            Some(Ok(true) | Err(_)) | None => {}
        }
        if opens || self.current.is_none() {
            self.current = Some(Current::begin(&self.folder, seq)?);
        }
        let count = 1 + self.pending.iter().skip(1).take_while(|p| !p.opens).count();
        let text: String = self.pending.iter().take(count).map(|p| p.bytes.as_str()).collect();
        if let Some(current) = &mut self.current {
            current.append(text.as_bytes())?;
        }
        for written in self.pending.drain(..count) {
            self.recorded = written.seq;
        }
        Ok(())
    }
}

impl Current {
    /// Makes the file that begins with entry `first`. Its name is new, because numbers only rise.
    fn begin(folder: &Path, first: Seq) -> io::Result<Current> {
        make_folder(folder)?;
        let path = folder.join(file_name(first));
        let handle = create(&path)?;
        sync_folder(folder)?;
        Ok(Current { path, len: 0, id: Some(id(&handle.metadata()?)), handle: Some(handle) })
    }

    /// Opens the file where that is needed and cuts it back to what is durable. `false` where that is no longer
    /// there: somebody has removed, replaced or shortened the file. An open handle does not tell: it goes on writing
    /// to what has no name any more.
    fn ready(&mut self) -> io::Result<bool> {
        let found = match fs::metadata(&self.path) {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
        };
        if *self.id.get_or_insert(id(&found)) != id(&found) || found.len() < self.len {
            return Ok(false);
        }
        if self.handle.is_none() {
            let mut handle = OpenOptions::new().write(true).open(&self.path)?;
            handle.set_len(self.len)?;
            handle.seek(SeekFrom::End(0))?;
            self.handle = Some(handle);
        }
        Ok(true)
    }

    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        let Some(handle) = &mut self.handle else { return Err(io::ErrorKind::NotConnected.into()) };
        if let Err(e) = handle.write_all(text).and_then(|()| handle.sync_data()) {
            // At once, so that a kill leaves no unfinished line; where that fails too it is done before the next attempt.
            handle.set_len(self.len).unwrap_or_default();
            return Err(e);
        }
        self.len = self.len.saturating_add(bytes(text.len()));
        Ok(())
    }
}

fn id(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

fn day(at: Wall) -> i64 {
    at.ms().div_euclid(DAY_MS)
}

fn bytes(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::chain::Check;

    fn ended() -> Record {
        Record { at: Clock::start().now(), body: Body::Ended { reason: "SIGTERM".to_owned() } }
    }

    fn writer(folder: &Path) -> Writer {
        Writer::new(folder, Chain::start("mine-1", 7), Standing::default(), None, Clock::start())
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("davy-writer-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Entries in the file, all of which must hang together.
    fn entries(file: &Path) -> usize {
        let (bytes, mut check) = (fs::read(file).unwrap(), Check::new());
        let lines: Vec<_> = bytes.strip_suffix(b"\n").unwrap().split(|b| *b == b'\n').collect();
        lines.iter().for_each(|l| check.follows(&Entry::parse(l).unwrap(), l).unwrap());
        lines.len()
    }

    #[test]
    fn after_a_refused_write_the_file_is_cut_back_and_the_same_lines_are_written() {
        let folder = folder("refused");
        let file = folder.join("000000000001.jsonl");
        let mut writer = writer(&folder);
        writer.append(&ended());
        writer.commit().unwrap();
        assert_eq!(writer.recorded(), Seq(2));
        // A handle that can't be written through stands for a disk that refuses.
        writer.current.as_mut().unwrap().handle = Some(File::open(&file).unwrap());
        writer.append(&ended());
        writer.commit().unwrap_err();
        assert_eq!((writer.recorded(), writer.waiting()), (Seq(2), 1));
        // What a refused write leaves behind.
        let mut torn = fs::read(&file).unwrap();
        torn.extend_from_slice(b"{\"body\":{\"rea");
        fs::write(&file, torn).unwrap();
        writer.append(&ended());
        writer.commit().unwrap();
        assert_eq!((writer.recorded(), writer.waiting()), (Seq(4), 0));
        assert_eq!(entries(&file), 4);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_was_removed_or_shortened_is_followed_by_a_new_one() {
        for shorten in [false, true] {
            let folder = folder("removed");
            let file = folder.join("000000000001.jsonl");
            let mut writer = writer(&folder);
            writer.append(&ended());
            writer.commit().unwrap();
            writer.current.as_mut().unwrap().handle = None;
            if shorten {
                fs::write(&file, "").unwrap();
            } else {
                fs::remove_file(&file).unwrap();
            }
            writer.append(&ended());
            writer.commit().unwrap();
            assert_eq!(entries(&folder.join("000000000003.jsonl")), 1);
            fs::remove_dir_all(folder).unwrap();
        }
    }
}
