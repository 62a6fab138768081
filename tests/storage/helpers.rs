//! Sites, records and patience for the tests of storage.

use davy::io::buffer::{self, Buffer, Setup};
use davy::io::clock::Clock;
use davy::io::journal::{Journal, JournalReader, Opened};
use davy::model::alarm::{AlarmCause, AlarmState, Colour};
use davy::model::point::{Quality, Reading, Tag, Text, Unit};
use davy::model::record::{AlarmChange, Body, Gap, Lane, Record, Sample, Seq, TripChange, Trouble};
use davy::model::time::{Mono, Now, Span, Wall};
use davy::record::chain::{Check, Digest};
use davy::record::entry::Entry;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const GATEWAY: &str = "mine-1";

/// Longest wait for anything that another thread does.
pub(crate) const PATIENCE: Span = Span::from_secs(60);

/// A folder that goes when it is dropped.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> TempDir {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("davy-storage-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// What the buffer wanted recorded.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<Body>>>);

impl Told {
    pub(crate) fn all(&self) -> Vec<Body> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn gaps(&self, lane: Lane) -> Vec<Gap> {
        let gap = |body| if let Body::Gap(gap) = body { Some(gap) } else { None };
        self.all().into_iter().filter_map(gap).filter(|gap| gap.lane == lane).collect()
    }

    pub(crate) fn trouble(&self, code: &str, raised: bool) -> bool {
        self.all().iter().any(|b| matches!(b, Body::Trouble(t) if t.code == code && t.raised == raised))
    }
}

/// A journal with its buffer.
pub(crate) struct Site {
    pub(crate) journal: Journal,
    pub(crate) buffer: Buffer,
    pub(crate) keeper: std::thread::JoinHandle<()>,
    pub(crate) told: Told,
}

pub(crate) struct Stopped;

pub(crate) fn site(dir: &TempDir) -> Site {
    Stopped.started(dir)
}

impl Site {
    pub(crate) fn stopped(self) -> Stopped {
        ask(self.buffer.close()).unwrap();
        self.keeper.join().unwrap();
        self.journal.close(Duration::from_secs(10)).unwrap();
        Stopped
    }

    pub(crate) fn restarted(self, dir: &TempDir) -> Site {
        self.stopped().started(dir)
    }
}

impl Stopped {
    pub(crate) fn started(self, dir: &TempDir) -> Site {
        self.started_with(dir, |_| {})
    }

    pub(crate) fn started_with(self, dir: &TempDir, change: impl FnOnce(&mut Setup)) -> Site {
        let (buffer, desk) = buffer::channel();
        let grown = buffer.clone();
        let opened =
            Journal::open(dir.path(), GATEWAY, 7, Clock::start(), buffer::last_told(dir.path()), move |_| {
                grown.journal_grew()
            })
            .unwrap();
        let told = Told::default();
        let mut setup = setup(dir.path(), opened.journal.reader(), told.clone());
        change(&mut setup);
        let keeper = desk.start(setup).unwrap();
        Site { journal: opened.journal, buffer, keeper, told }
    }
}

pub(crate) fn setup(dir: &Path, journal: JournalReader, told: Told) -> Setup {
    Setup {
        dir: dir.join("buffer"),
        gateway: GATEWAY.to_owned(),
        boot: 7,
        destinations: vec!["room".to_owned()],
        telemetry_max_bytes: 64 * 1024 * 1024,
        events_max: 200_000,
        journal,
        clock: Clock::start(),
        tell: Box::new(move |body| told.0.lock().unwrap().push(body)),
    }
}

pub(crate) fn start(dir: &TempDir, journal: &Journal, told: &Told) -> (Buffer, std::thread::JoinHandle<()>) {
    let (buffer, desk) = buffer::channel();
    let keeper = desk.start(setup(dir.path(), journal.reader(), told.clone())).unwrap();
    (buffer, keeper)
}

pub(crate) fn open(dir: &TempDir) -> Opened {
    Journal::open(dir.path(), GATEWAY, 7, Clock::start(), buffer::last_told(dir.path()), |_| {}).unwrap()
}

/// Offers `records` and waits until they are recorded.
pub(crate) fn record(journal: &Journal, records: Vec<Record>) {
    let before = journal.recorded();
    let count = records.len() as u64;
    journal.offer(records).unwrap();
    wait("the records", || journal.recorded().0 >= before.0 + count);
}

/// Waits until `condition` holds.
pub(crate) fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let clock = Clock::start();
    while !condition() {
        assert!(clock.mono().since(Mono::START) < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn ask<T>(question: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(question)
}

pub(crate) fn seqs(reader: &mut JournalReader) -> Vec<u64> {
    let (mut seqs, mut after) = (Vec::new(), Seq(0));
    while after < reader.recorded() {
        let page = reader.read(after, 100).unwrap();
        seqs.extend(page.entries.iter().map(|(entry, _)| entry.seq.0));
        assert!(page.through > after, "the reader makes headway");
        after = page.through;
    }
    seqs
}

/// Every event that the buffer has after `after`.
pub(crate) fn buffered(buffer: &Buffer, after: Seq) -> Vec<u64> {
    let (mut seqs, mut after) = (Vec::new(), after);
    let _all_read = ask(buffer.standing()).unwrap();
    loop {
        let events = ask(buffer.events(after, 300)).unwrap();
        let Some(last) = events.last() else { return seqs };
        after = last.seq;
        seqs.extend(events.iter().map(|e| e.seq.0));
    }
}

/// Numbers of the blocks that the buffer has after `after`.
pub(crate) fn blocks(buffer: &Buffer, after: u64) -> Vec<u64> {
    ask(buffer.telemetry(after, 100)).unwrap().iter().map(|block| block.seq).collect()
}

pub(crate) fn journal_files(dir: &TempDir) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(dir.path().join("journal")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files
}

/// Verifies the chain over all files, as an inspector would. An unfinished end, as kill -9 leaves it, is no fault.
pub(crate) fn assert_chain(dir: &TempDir) {
    let (mut check, mut prev) = (Check::new(), Digest::genesis(GATEWAY));
    for file in journal_files(dir) {
        let bytes = fs::read(&file).unwrap();
        for line in bytes.split_inclusive(|b| *b == b'\n').filter_map(|l| l.strip_suffix(b"\n")) {
            let entry = Entry::parse(line).unwrap();
            assert_eq!(check.follows(&entry, line), Ok(()), "{}", file.display());
            assert_eq!(entry.prev, prev);
            prev = Digest::of(line);
        }
    }
}

pub(crate) fn is_damage(note: &Body) -> bool {
    matches!(note, Body::Trouble(Trouble { code: "journal-damaged", raised: true, .. }))
}

pub(crate) fn now() -> Now {
    Clock::start().now()
}

pub(crate) fn at_day(day: i64, mut record: Record) -> Record {
    let today = now().wall.ms().div_euclid(86_400_000);
    record.at.wall = Wall::from_ms((today + day) * 86_400_000 + 1);
    record
}

pub(crate) fn ended() -> Record {
    Record { at: now(), body: Body::Ended { reason: "SIGTERM".to_owned() } }
}

pub(crate) fn alarm(key: &str, occurrence: u32) -> Record {
    let change = AlarmChange {
        escalated: false,
        key: key.to_owned(),
        area: "face".to_owned(),
        occurrence,
        from: AlarmState::Normal,
        to: AlarmState::Unacknowledged,
        cause: AlarmCause::Occurred,
        colour: Colour::Red,
        value: Some(1.5),
        peak: Some(1.5),
        unit: Unit::PctVol,
        quality: Quality::Good,
        set_point: Some(1.0),
        text: Text::new("甲烷超限", "methane high"),
        action: Text::new("撤人", "withdraw"),
        who: None,
        aside: None,
    };
    Record { at: now(), body: Body::Alarm(change) }
}

pub(crate) fn trip(tag: &str, tripped: bool) -> Record {
    let change = TripChange {
        tag: tag.to_owned(),
        area: "face".to_owned(),
        occurrence: 1,
        tripped,
        first_out: Some("a:trip".to_owned()),
        causes: vec!["a:trip".to_owned()],
        effects: vec!["valve".to_owned()],
        text: Text::new("切断", "cut"),
        who: None,
    };
    Record { at: now(), body: Body::Trip(change) }
}

pub(crate) fn sample(point: usize, ms: i64) -> Sample {
    let reading = Reading { value: Some(0.5), quality: Quality::Good, at: Mono::START };
    Sample { point: Tag::new(&format!("face.t{point}")).unwrap(), reading, wall: Wall::from_ms(ms) }
}
