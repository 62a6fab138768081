//! What a start finds in the journal: where the chain ends, what stood, and what is damaged. An unfinished line at
//! the very end is cut off (it was never announced); anything else that does not verify is set aside whole, file and
//! all, and told. Every line in it that can still be read counts for what stands: a trip that was latched stays so.

use super::Known;
use super::lines::{Line, Lines, Place, gone, gone_up_to, last_entry, list};
use crate::io::files::{open_plain, set_aside, sync_folder};
use crate::model::point::Text;
use crate::model::record::{Body, Gap, Lane, PreviousEnd, Seq, Standing, Trouble};
use crate::model::time::{Now, Wall};
use crate::record::chain::{Check, Digest};
use crate::record::entry::{self, Entry, STANDING, standing_part};
use crate::record::seal::{CHECKPOINT, KEY, PublicKey};
use crate::record::tally::{Tally, announced};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

/// Names for damaged copies of one file. More than one comes only of a folder that was meddled with.
const DAMAGED_MAX: u32 = 9;

/// Seams between the newest files that are looked at: a season of days, and each costs a few microseconds.
const SEAMS_MAX: usize = 100;

/// Lines behind a hole in which it is told.
const TOLD_WITHIN: usize = 64;

/// No line is shorter: the fields around the body alone are longer.
const LINE_MIN_BYTES: u64 = 200;

/// What a start finds.
pub(super) struct Found {
    /// The file that can be continued.
    pub(super) file: Option<Tail>,
    /// Highest number that can have been given.
    pub(super) highest: Seq,
    /// When the last entry happened that can be read.
    pub(super) last_wall: Option<Wall>,
    /// Digest of the last line that can be read.
    pub(super) prev: Option<Digest>,
    /// An entry that somebody has altered.
    pub(super) altered: Option<Seq>,
    /// Where everything stood.
    pub(super) standing: Standing,
    /// How the run before ended.
    pub(super) previous_end: PreviousEnd,
    /// What is to be told of the journal itself.
    pub(super) notes: Vec<Body>,
    /// The key that it says signs.
    pub(super) key: Option<PublicKey>,
    /// What no checkpoint has sealed.
    pub(super) tally: Tally,
}

/// The end of a sound file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// Number of its first entry.
    pub(super) first: Seq,
    /// Its length in bytes.
    pub(super) len: u64,
    /// When its first entry happened.
    pub(super) begun: Wall,
}

/// Reads the newest file, or as many before it as are needed to know what stood. Entry `told` must not be given again.
pub(super) fn scan(folder: &Path, now: Now, known: Known) -> io::Result<Found> {
    let told = known.told;
    let places = list(folder)?;
    let mut from = places.len();
    for (n, place) in places.iter().enumerate().rev() {
        from = n;
        if begins_with_snapshot(&place.path) {
            break;
        }
    }
    if let Some(newest) = places.last() {
        // What a process wrote that was killed before its fsync can be read, and yet a power cut would take it.
        open_plain(&newest.path)?.sync_all()?;
        sync_folder(folder)?;
    }
    let mut walk = Walk::new(now, known.last);
    for place in places.get(from..).unwrap_or_default() {
        walk.file(folder, place)?;
    }
    walk.holes(&places);
    if told > walk.highest {
        walk.shortened(told);
    }
    Ok(walk.found())
}

/// Whether the file begins with a whole snapshot: power may have gone between its parts.
fn begins_with_snapshot(path: &Path) -> bool {
    let (mut line, mut due) = (Vec::new(), 1);
    let Ok(mut lines) = Lines::open(path, 0) else { return false };
    while let Ok(Line::Whole) = lines.next(&mut line) {
        match Entry::parse(&line).ok().as_ref().and_then(standing_part) {
            Some((part, parts)) if part == due && part < parts => due = part.saturating_add(1),
            Some((part, parts)) => return part == due && part == parts,
            None => return false,
        }
    }
    false
}

/// The reason that `entry` gives where it tells of entries that are gone.
fn told_gone(entry: &Entry) -> Option<String> {
    let reason = entry.body.get("reason").and_then(|reason| reason.as_str())?;
    (entry.kind == "gap" && reason.ends_with("are in the journal no more")).then(|| reason.to_owned())
}

/// Whether the lines at the beginning of these files tell of entries that are gone.
fn is_told(files: &[Place], reason: &str) -> bool {
    let (mut line, mut left) = (Vec::new(), TOLD_WITHIN);
    for file in files {
        let Ok(mut lines) = Lines::open(&file.path, 0) else { return false };
        while let Ok(Line::Whole) = lines.next(&mut line) {
            if Entry::parse(&line).ok().and_then(|entry| told_gone(&entry)).is_some_and(|told| told == reason)
            {
                return true;
            }
            left = left.saturating_sub(1);
            if left == 0 {
                return false;
            }
        }
    }
    false
}

fn altered(seq: Seq, name: &str) -> Body {
    Body::Trouble(Trouble {
        code: "journal-altered",
        detail: String::new(),
        raised: true,
        text: Text::new(
            format!("日志第 {seq} 条在停机期间被改动; 文件已另存为 {name}。请保留备查并查明原因。"),
            format!(
                "Entry {seq} of the journal was altered while Davy was stopped; its file was set aside as {name}. Keep \
                 it as evidence and find out by whom. The altered line is not told."
            ),
        ),
    })
}

/// The state of a walk over files.
struct Walk {
    now: Now,
    check: Check,
    highest: Seq,
    last_wall: Option<Wall>,
    last_kind: Option<String>,
    standing: Standing,
    tail: Option<Tail>,
    notes: Vec<Body>,
    /// An entry with its digest, known from elsewhere.
    known: Option<(Seq, Digest)>,
    /// That it is not what it was.
    altered: bool,
    /// Reasons of the gaps that tell of entries that are gone.
    told_gone: BTreeSet<String>,
    key: Option<PublicKey>,
    tally: Tally,
}

/// What is wrong with one file.
#[derive(Default)]
struct Faults {
    first: Option<String>,
    unreadable: u64,
    /// The entry that is known to have been another.
    altered: Option<Seq>,
}

impl Faults {
    fn add(&mut self, number: u64, what: String) {
        self.first.get_or_insert(format!("line {number}: {what}"));
    }
}

impl Walk {
    fn new(now: Now, known: Option<(Seq, Digest)>) -> Walk {
        Walk {
            now,
            check: Check::new(),
            highest: Seq(0),
            last_wall: None,
            last_kind: None,
            standing: Standing::default(),
            tail: None,
            notes: Vec::new(),
            known,
            altered: false,
            told_gone: BTreeSet::new(),
            key: None,
            tally: Tally::default(),
        }
    }

    fn file(&mut self, folder: &Path, place: &Place) -> io::Result<()> {
        self.tail = None;
        let since = self.last_wall;
        let mut lines = Lines::open(&place.path, 0)?;
        let (mut line, mut number, mut begun) = (Vec::new(), 0u64, None);
        let mut faults = Faults::default();
        let torn = loop {
            number = number.saturating_add(1);
            let what = match lines.next(&mut line) {
                Ok(Line::End) => break 0,
                Ok(Line::Whole) => {
                    if let Some(at) = self.line(&line, number, &mut faults) {
                        begun.get_or_insert(at);
                    }
                    continue;
                }
                // No entry holds a zero: the disk has lost what stood here, and that may have been told already.
                Ok(Line::Torn(_)) if line.contains(&0) => "zeros in place of entries".to_owned(),
                Ok(Line::Torn(bytes)) => break bytes,
                Ok(Line::TooLong) => "longer than any entry is".to_owned(),
                Err(e) => {
                    let what = format!("can't be read: {e}");
                    if let Some(bytes) = lines.skip()? {
                        self.unreadable((bytes / LINE_MIN_BYTES).max(1), &mut faults);
                        faults.add(number, what);
                        continue;
                    }
                    what
                }
            };
            let rest = fs::metadata(&place.path)?.len().saturating_sub(lines.offset);
            self.unreadable((rest / LINE_MIN_BYTES).max(1), &mut faults);
            faults.add(number, what);
            break 0;
        };
        self.highest = self.highest.max(Seq(place.first.0.saturating_sub(1)));
        if place.damaged {
            return Ok(()); // Told when it was set aside.
        }
        if faults.first.is_some() {
            return self.damaged(place, &faults, since);
        }
        if torn > 0 {
            self.cut(folder, place, lines.offset, torn)?;
        }
        self.tail = begun.map(|begun| Tail { first: place.first, len: lines.offset, begun });
        if self.tail.is_none() {
            fs::remove_file(&place.path)?; // Nothing was ever finished in it.
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], number: u64, faults: &mut Faults) -> Option<Wall> {
        let entry = match Entry::parse(line) {
            Ok(entry) => entry,
            Err(fault) => {
                self.unreadable(1, faults);
                faults.add(number, fault.to_string());
                return None;
            }
        };
        if let Err(fault) = self.check.follows(&entry, line) {
            faults.add(number, fault.to_string());
        }
        if self.known.is_some_and(|(seq, digest)| seq == entry.seq && digest != Digest::of(line)) {
            self.altered = true;
            faults.altered = Some(entry.seq);
            faults.add(number, format!("entry {} is not the line that was written there", entry.seq));
        }
        self.told_gone.extend(told_gone(&entry));
        entry::standing_apply(&mut self.standing, &entry);
        self.highest = self.highest.max(entry.seq);
        self.last_wall = Some(entry.at.wall);
        match entry.kind.as_str() {
            CHECKPOINT => self.tally = Tally::default(),
            kind => self.tally.count(entry.seq, kind),
        }
        match entry.kind.as_str() {
            KEY => self.key = announced(&entry.body).or(self.key),
            STANDING | CHECKPOINT => {}
            _ => self.last_kind = Some(entry.kind),
        }
        Some(entry.at.wall)
    }

    /// Lines that can't be read had numbers too: theirs are not given a second time.
    fn unreadable(&mut self, lines: u64, faults: &mut Faults) {
        faults.unreadable = faults.unreadable.saturating_add(lines);
        self.highest = Seq(self.highest.0.saturating_add(lines));
    }

    fn damaged(&mut self, place: &Place, faults: &Faults, since: Option<Wall>) -> io::Result<()> {
        let aside = set_aside(&place.path, DAMAGED_MAX)?;
        let name = aside.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let first = faults.first.clone().unwrap_or_default();
        if let Some(seq) = faults.altered {
            self.notes.push(altered(seq, &name));
            self.gap(
                since,
                1,
                format!("entry {seq} was altered; what stands in {name} is not what was recorded"),
            );
        }
        self.notes.push(Body::Trouble(Trouble {
            code: "journal-damaged",
            detail: name.clone(),
            raised: true,
            text: Text::new(
                format!("日志文件校验未通过，已另存为 {name}（{first}）。请保留该文件备查并检查磁盘。"),
                format!(
                    "A journal file does not verify and was set aside as {name} ({first}). Keep it as evidence \
                     and check the disk."
                ),
            ),
        }));
        if faults.unreadable > 0 {
            self.gap(since, faults.unreadable, format!("lines of {name} that can't be read: {first}"));
        }
        Ok(())
    }

    fn cut(&mut self, folder: &Path, place: &Place, len: u64, torn: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(&place.path)?;
        file.set_len(len)?;
        file.sync_all()?;
        sync_folder(folder)?;
        self.add_gap(
            self.last_wall,
            1,
            true,
            format!(
                "an unfinished entry of {torn} bytes was cut off the journal; it was not yet called recorded, and \
                 others may have waited behind it"
            ),
        );
        Ok(())
    }

    /// Looks for numbers that lie in no file. What somebody has taken away stands as trouble until it is back, and is a
    /// gap once. What lay before the oldest file may have been put away for good reason: only where the newest files
    /// tell of it is that recent.
    fn holes(&mut self, places: &[Place]) {
        if let Some(before) = places.first().and_then(|oldest| oldest.first.0.checked_sub(1)) {
            let end = gone_up_to(Seq(before));
            if let Some(told) = self.told_gone.iter().find(|told| told.ends_with(&end)).cloned() {
                self.removed(&told);
            }
        }
        let newest = places.get(places.len().saturating_sub(SEAMS_MAX)..).unwrap_or_default();
        for (n, place) in newest.iter().enumerate() {
            let behind = newest.get(n.saturating_add(1)..).unwrap_or_default();
            let Some(next) = behind.first().filter(|next| !place.damaged && !next.damaged) else { continue };
            // A file that was set aside just now was told then.
            let Ok(last) = last_entry(&place.path) else { continue };
            let first = last.map_or(place.first, Seq::next);
            if first < next.first {
                let reason = gone(first, Seq(next.first.0.saturating_sub(1)));
                self.removed(&reason);
                if !self.told_gone.contains(&reason) && !is_told(behind, &reason) {
                    self.gap(self.last_wall, next.first.0.saturating_sub(first.0), reason);
                }
            }
        }
    }

    fn removed(&mut self, reason: &str) {
        self.notes.push(Body::Trouble(Trouble {
            code: "journal-removed",
            detail: String::new(),
            raised: true,
            text: Text::new(
                format!("日志文件被删除、移走或截短: {reason}。请查明原因并找回文件。"),
                format!(
                    "Files of the journal were removed, moved away or cut: {reason}. Find out by whom, and put them \
                     back: this stands until a start finds them."
                ),
            ),
        }));
    }

    /// Entries that were told to somebody are here no more. What comes next begins a file of its own, behind them.
    fn shortened(&mut self, told: Seq) {
        let last = self.highest;
        self.notes.push(Body::Trouble(Trouble {
            code: "journal-shortened",
            detail: String::new(),
            raised: true,
            text: Text::new(
                format!("日志止于第 {last} 条, 而第 {told} 条已经送出: 日志文件被删除或截短。请恢复文件备查。"),
                format!(
                    "The journal ends at entry {last}, and entry {told} has been told: files of it were removed or \
                     cut. Look for them, and keep them as evidence."
                ),
            ),
        }));
        let missing = told.0.saturating_sub(last.0);
        self.gap(self.last_wall, missing, gone(last.next(), told));
        self.highest = told;
        self.tail = None;
    }

    fn gap(&mut self, from: Option<Wall>, count: u64, reason: String) {
        self.add_gap(from, count, false, reason);
    }

    fn add_gap(&mut self, from: Option<Wall>, count: u64, at_least: bool, reason: String) {
        let to = self.now.wall;
        let from = from.unwrap_or(to);
        self.notes.push(Body::Gap(Gap { lane: Lane::Event, from, to, count, at_least, reason }));
    }

    fn found(self) -> Found {
        let previous_end = match self.last_kind.as_deref() {
            None if self.highest == Seq(0) => PreviousEnd::FirstStart,
            Some("ended") => PreviousEnd::Clean,
            None | Some(_) => PreviousEnd::Unclean,
        };
        Found {
            file: self.tail,
            highest: self.highest,
            last_wall: self.last_wall,
            // Behind the entry that was: then nobody can take the altered one for it.
            prev: match (self.known.filter(|_| self.altered), self.check.last()) {
                (Some((seq, digest)), Some((last, _))) if seq == last => Some(digest),
                (_, last) => last.map(|(_, digest)| digest),
            },
            altered: self.known.filter(|_| self.altered).map(|(seq, _)| seq),
            standing: self.standing,
            previous_end,
            notes: self.notes,
            key: self.key,
            tally: self.tally,
        }
    }
}
