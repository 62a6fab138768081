//! What was called recorded is there after kill -9, cut ends, flipped bytes and lost buffers; and what is not there
//! is said. Disks here are real folders, and the killed process is a real process.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]

use davy::io::buffer::{self, Buffer, Cursors, Setup};
use davy::io::clock::Clock;
use davy::io::files::{State, StateError};
use davy::io::journal::{Journal, JournalReader, Opened};
use davy::model::alarm::{AlarmCause, AlarmState, Colour};
use davy::model::point::{Quality, Reading, Text, Unit};
use davy::model::record::{
    AlarmChange, Body, Gap, Lane, PreviousEnd, Record, Sample, Seq, Standing, TripChange, Trouble,
};
use davy::model::table::{PointId, Row};
use davy::model::time::{Mono, Now, Span, Wall};
use davy::record::chain::{Check, Digest};
use davy::record::entry::Entry;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const GATEWAY: &str = "mine-1";

/// Longest wait for anything that another thread does.
const PATIENCE: Span = Span::from_secs(60);

// --- The journal ---------------------------------------------------------------------------------------------------

#[test]
fn the_first_start_begins_at_entry_one_and_the_next_goes_on_where_it_ended() {
    let dir = TempDir::new();
    let opened = open(&dir);
    assert_eq!((opened.previous_end, opened.last_seq), (PreviousEnd::FirstStart, Seq(0)));
    assert_eq!((opened.standing, opened.notes), (Standing::default(), vec![]));
    record(&opened.journal, vec![alarm("a:trip", 1), trip("valve", true)]);
    record(&opened.journal, vec![ended()]);
    opened.journal.close(Duration::from_secs(10)).unwrap();

    let opened = open(&dir);
    assert_eq!((opened.previous_end, opened.last_seq), (PreviousEnd::Clean, Seq(4)));
    assert_eq!(opened.standing.alarms["a:trip"].state, AlarmState::Unacknowledged);
    assert!(opened.standing.trips["valve"].tripped);
    record(&opened.journal, vec![alarm("a:trip", 2)]);
    opened.journal.close(Duration::from_secs(10)).unwrap();

    let opened = open(&dir);
    assert_eq!((opened.previous_end, opened.last_seq), (PreviousEnd::Unclean, Seq(5)));
    assert_eq!(seqs(&mut opened.journal.reader()), (1..=5).collect::<Vec<_>>());
    assert_chain(&dir);
}

#[test]
fn records_of_one_moment_keep_their_order_and_share_an_fsync() {
    let dir = TempDir::new();
    let fsyncs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&fsyncs);
    let opened = Journal::open(dir.path(), GATEWAY, 7, Clock::start(), move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    record(&opened.journal, (0..500).map(|n| alarm("a:trip", n)).collect());
    assert_eq!(opened.journal.recorded(), Seq(501));
    assert_eq!(fsyncs.load(Ordering::Relaxed), 1);
    let page = opened.journal.reader().read(Seq(1), 1000).unwrap();
    let occurrences: Vec<_> =
        page.entries.iter().map(|(e, _)| e.body["occurrence"].as_u64().unwrap()).collect();
    assert_eq!(occurrences, (0..500).collect::<Vec<_>>());
}

#[test]
fn a_new_day_and_a_full_file_begin_new_files_with_what_stands() {
    let dir = TempDir::new();
    let opened = open(&dir);
    record(&opened.journal, vec![at_day(1, alarm("a:trip", 1)), at_day(1, trip("valve", true))]);
    record(&opened.journal, vec![at_day(2, alarm("b:trip", 1))]);
    // A clock that is set back begins none.
    record(&opened.journal, vec![at_day(1, alarm("c:trip", 1))]);
    assert_eq!(journal_files(&dir).len(), 2);
    let long = "x".repeat(1_000_000);
    for n in 0..10 {
        let mut big = at_day(2, alarm("big:trip", n));
        if let Body::Alarm(a) = &mut big.body {
            a.text = Text::new(long.as_str(), "");
        }
        record(&opened.journal, vec![big]);
    }
    let files = journal_files(&dir);
    assert_eq!(files.len(), 3);
    for file in &files {
        let bytes = fs::read(file).unwrap();
        let first = Entry::parse(bytes.split(|b| *b == b'\n').next().unwrap()).unwrap();
        assert_eq!(first.kind, "standing");
        assert_eq!(file.file_name().unwrap().to_str().unwrap(), format!("{:012}.jsonl", first.seq.0));
    }
    assert_chain(&dir);
    let last = opened.journal.recorded().0;
    assert_eq!(seqs(&mut opened.journal.reader()), (1..=last).collect::<Vec<_>>());
    opened.journal.close(Duration::from_secs(10)).unwrap();

    // A start needs the newest file only.
    for old in &files[..2] {
        fs::remove_file(old).unwrap();
    }
    let opened = open(&dir);
    assert_eq!(opened.standing.alarms.keys().collect::<Vec<_>>(), ["a:trip", "b:trip", "big:trip", "c:trip"]);
    assert!(opened.standing.trips["valve"].tripped);
    assert_eq!(opened.notes, []);
}

#[test]
fn an_end_cut_off_anywhere_costs_the_torn_line_at_most() {
    let dir = TempDir::new();
    let opened = open(&dir);
    record(&opened.journal, (1..=20).map(|n| alarm("a:trip", n)).collect());
    opened.journal.close(Duration::from_secs(10)).unwrap();
    let file = journal_files(&dir).pop().unwrap();
    let whole = fs::read(&file).unwrap();
    for cut in 1..=whole.len().min(300) {
        let kept = &whole[..whole.len() - cut];
        fs::write(&file, kept).unwrap();
        let lines = kept.iter().filter(|b| **b == b'\n').count();
        let torn = kept.last() != Some(&b'\n');
        let opened = open(&dir);
        assert_eq!(opened.last_seq, Seq(lines as u64), "cut {cut}");
        assert_eq!(opened.standing.alarms["a:trip"].occurrence, lines as u32 - 1, "cut {cut}");
        let gaps =
            opened.notes.iter().filter(|n| matches!(n, Body::Gap(Gap { lane: Lane::Event, count: 1, .. })));
        assert_eq!((gaps.count(), opened.notes.len()), (usize::from(torn), usize::from(torn)), "cut {cut}");
        record(&opened.journal, vec![ended()]);
        opened.journal.close(Duration::from_secs(10)).unwrap();
        assert_chain(&dir);
    }
}

#[test]
fn a_journal_cut_down_to_nothing_begins_anew() {
    let dir = TempDir::new();
    for left in [0, 1, 100] {
        let opened = open(&dir);
        record(&opened.journal, vec![ended()]);
        opened.journal.close(Duration::from_secs(10)).unwrap();
        let file = journal_files(&dir).pop().unwrap();
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..left]).unwrap();
        let opened = open(&dir);
        assert_eq!(opened.last_seq, Seq(0), "{left} bytes left");
        record(&opened.journal, vec![ended()]);
        opened.journal.close(Duration::from_secs(10)).unwrap();
        assert_chain(&dir);
        fs::remove_file(journal_files(&dir).pop().unwrap()).unwrap();
    }
}

#[test]
fn a_flipped_byte_sets_the_file_aside_is_told_and_forgets_no_trip() {
    let dir = TempDir::new();
    let opened = open(&dir);
    record(
        &opened.journal,
        vec![trip("valve", true), alarm("a:trip", 1), alarm("a:trip", 2), alarm("a:trip", 3)],
    );
    record(&opened.journal, vec![alarm("b:trip", 1), ended()]);
    opened.journal.close(Duration::from_secs(10)).unwrap();
    let file = journal_files(&dir).pop().unwrap();
    let whole = fs::read(&file).unwrap();
    // Not in the last line: that one is only held by the line that will follow it.
    let end = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap();
    for at in (0..end).step_by(7) {
        let dir = TempDir::new();
        let folder = dir.path().join("journal");
        fs::create_dir(&folder).unwrap();
        let mut bytes = whole.clone();
        bytes[at] ^= 0x04;
        fs::write(folder.join("000000000001.jsonl"), &bytes).unwrap();
        let opened = open(&dir);
        assert!(opened.notes.iter().any(is_damage), "byte {at}: {:?}", opened.notes);
        assert_eq!(fs::read(folder.join("000000000001.jsonl.damaged-1")).unwrap(), bytes, "kept as found");
        assert!(opened.last_seq >= Seq(7), "byte {at}: numbers are not given twice");
        record(&opened.journal, vec![ended()]);
        let told = seqs(&mut opened.journal.reader());
        assert!(told.len() >= 7, "byte {at}: what can be read is told, {told:?}");
        assert!(told.is_sorted(), "byte {at}");
        opened.journal.close(Duration::from_secs(10)).unwrap();
        let again = open(&dir);
        assert_eq!(again.notes, [], "byte {at}: told once");
        let line = whole[..at].iter().filter(|b| **b == b'\n').count();
        assert!(line == 1 || again.standing.trips["valve"].tripped, "byte {at}");
        assert!(line == 5 || again.standing.alarms["b:trip"].occurrence == 1, "byte {at}");
    }
}

#[test]
fn garbage_in_place_of_a_file_is_set_aside_and_never_a_panic() {
    let garbage: [Vec<u8>; 5] = [
        vec![0; 5000],
        b"\n\n\n".to_vec(),
        b"{}\nnull\n[1]\n\"x\"\n".to_vec(),
        (0..=255u8).cycle().take(10_000).collect(),
        format!("{}\n", "[".repeat(100_000)).into_bytes(),
    ];
    for (n, bytes) in garbage.iter().enumerate() {
        let dir = TempDir::new();
        let folder = dir.path().join("journal");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("000000000005.jsonl"), bytes).unwrap();
        fs::write(folder.join("notes.txt"), "not the journal's").unwrap();
        let opened = open(&dir);
        assert_eq!(opened.previous_end, PreviousEnd::Unclean, "garbage {n}");
        assert!(opened.last_seq >= Seq(4), "garbage {n}: {:?}", opened.last_seq);
        record(&opened.journal, vec![ended()]);
        assert_eq!(seqs(&mut opened.journal.reader()).len(), 2, "garbage {n}");
    }
}

#[test]
fn while_the_disk_refuses_records_wait_and_then_all_are_there() {
    let dir = TempDir::new();
    let opened = open(&dir);
    let journal = &opened.journal;
    record(journal, vec![at_day(1, alarm("a:trip", 1))]);
    let (folder, away) = (dir.path().join("journal"), dir.path().join("away"));
    fs::rename(&folder, &away).unwrap();
    fs::write(&folder, "in the way").unwrap();
    journal.offer(vec![at_day(2, alarm("a:trip", 2))]).unwrap();
    wait("the trouble", || journal.trouble().is_some());
    assert!(journal.trouble().unwrap().contains("journal"), "{:?}", journal.trouble());
    journal.offer(vec![at_day(2, alarm("a:trip", 3))]).unwrap();
    assert_eq!(journal.recorded(), Seq(2));
    fs::remove_file(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    wait("the records", || journal.recorded() == Seq(5));
    assert_eq!(journal.trouble(), None);
    assert_eq!(seqs(&mut journal.reader()), [1, 2, 3, 4, 5]);
    assert_chain(&dir);
}

#[test]
fn what_does_not_fit_into_memory_becomes_a_gap_record() {
    let dir = TempDir::new();
    let opened = open(&dir);
    let journal = &opened.journal;
    let folder = dir.path().join("journal");
    fs::remove_dir(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    for _ in 0..11 {
        let mut batch: Vec<Record> = (0..1000).map(|n| alarm("a:trip", n)).collect();
        wait("room in the queue", || match journal.offer(std::mem::take(&mut batch)) {
            Ok(()) => true,
            Err(back) => {
                batch = back;
                false
            }
        });
    }
    wait("the trouble", || journal.trouble().is_some());
    fs::remove_file(&folder).unwrap();
    wait("the records", || journal.recorded().0 > 10_000 && journal.trouble().is_none());
    let mut reader = journal.reader();
    let last = reader.read(Seq(journal.recorded().0 - 1), 1).unwrap().entries.pop().unwrap().0;
    assert_eq!((last.kind.as_str(), last.body["lane"].as_str()), ("gap", Some("event")));
    assert_eq!(
        last.body["count"].as_u64().unwrap() + last.seq.0,
        11_002,
        "11,000 records, a snapshot and the gap"
    );
    assert_chain(&dir);
}

#[test]
fn closing_a_journal_that_can_not_write_says_how_much_is_not_recorded() {
    let dir = TempDir::new();
    let opened = open(&dir);
    let folder = dir.path().join("journal");
    fs::remove_dir(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    opened.journal.offer(vec![ended()]).unwrap();
    assert_eq!(opened.journal.close(Duration::from_secs(10)).unwrap_err().0, 2);
}

#[test]
fn a_journal_that_can_not_be_opened_says_where_and_what_to_do() {
    let dir = TempDir::new();
    fs::write(dir.path().join("journal"), "in the way").unwrap();
    let error = Journal::open(dir.path(), GATEWAY, 7, Clock::start(), |_| {}).unwrap_err().to_string();
    assert!(error.contains("/journal") && error.contains("--state"), "{error}");
}

// --- kill -9 -------------------------------------------------------------------------------------------------------

/// In the environment of the process that is to be killed: the state folder it writes to.
const VICTIM: &str = "DAVY_TEST_VICTIM";

/// The process that is killed: writes as fast as the disk takes it, and says what it calls recorded.
fn victim(dir: &Path) {
    let _state = State::lock(dir).unwrap();
    let (buffer, desk) = buffer::channel();
    let grown = buffer.clone();
    let opened = Journal::open(dir, GATEWAY, 7, Clock::start(), move |seq| {
        // One write call, so that a line is whole or not there.
        std::io::stdout().write_all(format!("recorded {seq}\n").as_bytes()).unwrap();
        grown.journal_grew();
    })
    .unwrap();
    desk.start(setup(dir, opened.journal.reader(), Told::default())).unwrap();
    for n in 0.. {
        // A little ahead of the disk, so that there is something to lose.
        wait("the disk", || opened.journal.recorded().0 + 20 > opened.last_seq.0 + 2 * u64::from(n));
        let mut records = vec![alarm("a:trip", n), trip("valve", n % 2 == 0)];
        while let Err(back) = opened.journal.offer(records) {
            records = back;
            std::thread::yield_now();
        }
        buffer.keep(vec![sample(0, n as i64)]).unwrap_or_default();
    }
}

#[test]
fn killed_at_any_moment_nothing_that_was_called_recorded_is_lost() {
    if let Some(dir) = std::env::var_os(VICTIM) {
        return victim(Path::new(&dir));
    }
    let dir = TempDir::new();
    let mut announced = 0;
    for round in 0..20u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed_at_any_moment_nothing_that_was_called_recorded_is_lost", "--nocapture"])
            .env(VICTIM, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A different number of announcements each round, and a spread of microseconds on top.
        let after = 1 + (round * 7) % 23;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        for line in lines.by_ref() {
            seen += u64::from(note(&line.unwrap(), &mut announced));
            if seen == after {
                std::thread::sleep(Duration::from_micros(round * 137));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= after, "round {round}: the victim ended by itself after {seen} announcements");

        assert_chain(&dir);
        let opened = open(&dir);
        assert!(opened.last_seq >= Seq(announced), "round {round}: {announced} was recorded");
        let journalled = seqs(&mut opened.journal.reader());
        assert_eq!(journalled, (1..=opened.last_seq.0).collect::<Vec<_>>(), "round {round}");
        let (buffer, keeper) = start(&dir, &opened.journal, &Told::default());
        assert_eq!(buffered(&buffer, Seq(0)), journalled, "round {round}");
        ask(buffer.close()).unwrap();
        keeper.join().unwrap();
        opened.journal.close(Duration::from_secs(10)).unwrap();
    }
}

/// Takes in a line of the victim; says whether it was an announcement.
fn note(line: &str, announced: &mut u64) -> bool {
    // The test harness writes to the same line.
    let number = line.rsplit_once("recorded ").and_then(|(_, n)| n.parse::<u64>().ok());
    *announced = number.unwrap_or(0).max(*announced);
    number.is_some()
}

// --- The buffer ----------------------------------------------------------------------------------------------------

#[test]
fn the_buffer_tells_events_in_order_and_remembers_what_was_acknowledged() {
    let dir = TempDir::new();
    let site = site(&dir);
    record(&site.journal, vec![alarm("a:trip", 1), trip("valve", true), alarm("a:trip", 2)]);
    let marks = site.buffer.marks();
    wait("the mark", || marks.borrow().events == Seq(4));
    let events = ask(site.buffer.events(Seq(1), 2)).unwrap();
    assert_eq!(events.iter().map(|e| e.seq.0).collect::<Vec<_>>(), [2, 3]);
    assert_eq!((events[0].kind.as_str(), events[0].area.as_deref()), ("alarm", Some("face")));
    assert_eq!((events[0].key.as_deref(), events[1].key.as_deref()), (Some("a:trip"), Some("valve")));
    assert_eq!(Entry::parse(&events[0].line).unwrap().body["occurrence"], 1);
    let standing = ask(site.buffer.standing()).unwrap();
    assert_eq!(standing.iter().map(|e| e.seq.0).collect::<Vec<_>>(), [4, 3]);
    assert_eq!(ask(site.buffer.cursors("room")).unwrap(), Cursors::default());
    site.buffer.acked("room", Lane::Event, 3);
    site.buffer.acked("room", Lane::Event, 2);
    let site = site.restarted(&dir);
    assert_eq!(ask(site.buffer.cursors("room")).unwrap().events, Seq(3));
    assert_eq!(ask(site.buffer.standing()).unwrap(), standing);
}

#[test]
fn a_buffer_that_is_gone_is_filled_again_from_the_journal() {
    let dir = TempDir::new();
    let site = site(&dir);
    record(&site.journal, (0..1200).map(|n| alarm(&format!("p{}:trip", n % 7), n)).collect());
    let standing = ask(site.buffer.standing()).unwrap();
    assert_eq!(standing.len(), 7);
    let site = site.stopped();
    fs::remove_dir_all(dir.path().join("buffer")).unwrap();
    let site = site.started(&dir);
    assert_eq!(buffered(&site.buffer, Seq(0)), (1..=1201).collect::<Vec<_>>());
    assert_eq!(ask(site.buffer.standing()).unwrap(), standing);
    assert_eq!(ask(site.buffer.cursors("room")).unwrap(), Cursors::default());
    assert_eq!(site.told.all(), []);
}

#[test]
fn events_older_than_the_buffer_keeps_come_out_of_the_journal() {
    let dir = TempDir::new();
    let site = site(&dir).stopped().started_with(&dir, |setup| setup.events_max = 50);
    record(&site.journal, (0..700).map(|n| alarm("a:trip", n)).collect());
    record(&site.journal, (0..700).map(|n| alarm("a:trip", n)).collect());
    assert_eq!(buffered(&site.buffer, Seq(0)), (1..=1401).collect::<Vec<_>>());
    assert_eq!(buffered(&site.buffer, Seq(1380)), (1381..=1401).collect::<Vec<_>>());
}

#[test]
fn a_long_entry_is_told_too() {
    let dir = TempDir::new();
    let site = site(&dir);
    let mut long = alarm("a:trip", 1);
    if let Body::Alarm(a) = &mut long.body {
        a.text = Text::new("长".repeat(100_000), "");
    }
    record(&site.journal, vec![alarm("a:trip", 0), long, alarm("a:trip", 2)]);
    assert_eq!(buffered(&site.buffer, Seq(0)), [1, 2, 3, 4]);
    let site = site.restarted(&dir);
    assert_eq!(buffered(&site.buffer, Seq(0)), [1, 2, 3, 4]);
}

#[test]
fn a_damaged_buffer_is_set_aside_told_and_filled_again() {
    for damage in [Damage::Conf, Damage::Zeroed, Damage::Truncated, Damage::File] {
        let dir = TempDir::new();
        let site = site(&dir);
        record(&site.journal, (0..100).map(|n| alarm("a:trip", n)).collect());
        assert_eq!(buffered(&site.buffer, Seq(0)).len(), 101);
        site.buffer.acked("room", Lane::Event, 50);
        let site = site.stopped();
        let folder = dir.path().join("buffer");
        let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
        match damage {
            Damage::Conf => write("conf", b"not a configuration"),
            Damage::Zeroed => write("db", &vec![0; fs::read(folder.join("db")).unwrap().len()]),
            Damage::Truncated => write("db", &fs::read(folder.join("db")).unwrap()[..5000]),
            Damage::File => {
                fs::remove_dir_all(&folder).unwrap();
                fs::write(&folder, "no folder").unwrap();
            }
        }
        let site = site.started(&dir);
        assert_eq!(buffered(&site.buffer, Seq(0)), (1..=101).collect::<Vec<_>>(), "{damage:?}");
        assert!(ask(site.buffer.cursors("room")).unwrap().events <= Seq(50), "{damage:?}");
        assert_eq!(ask(site.buffer.standing()).unwrap().len(), 1, "{damage:?}");
        match damage {
            Damage::Conf => {
                assert!(site.told.trouble("buffer-damaged", true), "{:?}", site.told.all());
                assert!(dir.path().join("buffer.damaged-1").is_dir());
            }
            // Indistinguishable from a shorter store, which is filled up; what counts is said above.
            Damage::Zeroed | Damage::Truncated => {}
            Damage::File => assert!(site.told.trouble("buffer-write", true), "{:?}", site.told.all()),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Conf,
    Zeroed,
    Truncated,
    File,
}

#[test]
fn a_buffer_without_a_disk_runs_from_memory_until_there_is_one() {
    let dir = TempDir::new();
    let folder = dir.path().join("buffer");
    fs::write(&folder, "in the way").unwrap();
    let site = site(&dir);
    record(&site.journal, vec![alarm("a:trip", 1)]);
    assert_eq!(buffered(&site.buffer, Seq(0)), [1, 2]);
    site.buffer.acked("room", Lane::Event, 2);
    site.buffer.keep(vec![sample(0, 1000)]).unwrap();
    let marks = site.buffer.marks();
    wait("the block", || marks.borrow().telemetry == 1);
    assert_eq!(ask(site.buffer.telemetry(0, 10)).unwrap().len(), 1);
    fs::remove_file(&folder).unwrap();
    wait("the end of the trouble", || site.told.trouble("buffer-write", false));
    let site = site.restarted(&dir);
    assert_eq!(ask(site.buffer.cursors("room")).unwrap().events, Seq(2));
    assert_eq!(ask(site.buffer.telemetry(0, 10)).unwrap().len(), 1);
}

#[test]
fn a_buffer_ahead_of_its_journal_is_set_aside() {
    let dir = TempDir::new();
    let site = site(&dir);
    record(&site.journal, (0..10).map(|n| alarm("a:trip", n)).collect());
    assert_eq!(buffered(&site.buffer, Seq(0)).len(), 11);
    site.buffer.acked("room", Lane::Event, 11);
    let site = site.stopped();
    fs::remove_dir_all(dir.path().join("journal")).unwrap();
    let site = site.started(&dir);
    record(&site.journal, vec![alarm("b:trip", 1)]);
    assert_eq!(ask(site.buffer.cursors("room")).unwrap(), Cursors::default());
    assert_eq!(buffered(&site.buffer, Seq(0)), [1, 2]);
    assert!(site.told.trouble("buffer-damaged", true));
}

#[test]
fn telemetry_is_kept_in_numbered_blocks_over_a_restart_until_all_have_it() {
    let dir = TempDir::new();
    let site = site(&dir);
    site.buffer.keep((0..450).map(|n| sample(n % 2, 1000 + n as i64)).collect()).unwrap();
    let marks = site.buffer.marks();
    wait("three blocks", || marks.borrow().telemetry == 3);
    let site = site.restarted(&dir);
    wait("three blocks", || site.buffer.marks().borrow().telemetry == 3);
    let blocks = ask(site.buffer.telemetry(1, 10)).unwrap();
    assert_eq!(blocks.iter().map(|b| b.seq).collect::<Vec<_>>(), [2, 3]);
    let block: serde_json::Value = serde_json::from_slice(&blocks[0].json).unwrap();
    assert_eq!((block["seq"].as_u64(), block["gateway"].as_str()), (Some(2), Some(GATEWAY)));
    assert_eq!(block["points"]["face.t0"][0], serde_json::json!([1200, 0.5, "good"]));
    site.buffer.acked("room", Lane::Telemetry, 3);
    wait("forgetting", || ask(site.buffer.telemetry(0, 10)).unwrap().is_empty());
    let site = site.restarted(&dir);
    site.buffer.keep(vec![sample(0, 5000)]).unwrap();
    wait("the next block", || site.buffer.marks().borrow().telemetry == 4);
}

#[test]
fn telemetry_beyond_its_bound_makes_room_and_leaves_a_gap_record() {
    let dir = TempDir::new();
    let site = site(&dir).stopped().started_with(&dir, |setup| setup.telemetry_max_bytes = 20_000);
    site.buffer.keep((0..2000).map(|n| sample(0, n)).collect()).unwrap();
    wait("the gap", || !site.told.all().is_empty());
    let blocks = ask(site.buffer.telemetry(0, 100)).unwrap();
    let held: usize = blocks.iter().map(|b| b.json.len()).sum();
    assert!(held <= 20_000 && blocks.last().unwrap().seq == 10, "{held} bytes in {} blocks", blocks.len());
    let [Body::Gap(gap)] = &site.told.all()[..] else { panic!("{:?}", site.told.all()) };
    let first = blocks[0].seq as i64;
    assert_eq!((gap.lane, gap.count), (Lane::Telemetry, (first as u64 - 1) * 200));
    assert_eq!((gap.from, gap.to), (Wall::from_ms(0), Wall::from_ms((first - 1) * 200 - 1)));
}

// --- The state folder ----------------------------------------------------------------------------------------------

#[test]
fn a_state_folder_in_use_names_the_process_that_has_it() {
    let dir = TempDir::new();
    let folder = dir.path().join("a/b");
    let held = State::lock(&folder).unwrap();
    let error = State::lock(&folder).unwrap_err().to_string();
    assert!(error.contains(&format!("in use by another davy, process {}", std::process::id())), "{error}");
    assert!(error.contains("--state"), "{error}");
    drop(held);
    State::lock(&folder).unwrap();
}

#[test]
fn a_state_folder_that_can_not_be_written_says_which_and_what_to_do() {
    let dir = TempDir::new();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = State::lock(&file.join("state")).unwrap_err();
    assert!(matches!(error, StateError::Unwritable { .. }));
    let error = error.to_string();
    assert!(error.contains("/file/state") && error.contains("--state"), "{error}");
}

#[test]
fn a_state_folder_of_a_newer_davy_is_refused_and_a_half_made_one_is_not() {
    let dir = TempDir::new();
    fs::write(dir.path().join("FORMAT"), "").unwrap();
    drop(State::lock(dir.path()).unwrap());
    assert_eq!(fs::read_to_string(dir.path().join("FORMAT")).unwrap(), "davy state 1\n");
    fs::write(dir.path().join("FORMAT"), "davy state 2\n").unwrap();
    let error = State::lock(dir.path()).unwrap_err().to_string();
    assert!(error.contains("davy state 2") && error.contains("newer davy"), "{error}");
}

// --- Helpers -------------------------------------------------------------------------------------------------------

/// A folder that goes when it is dropped.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> TempDir {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("davy-storage-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }

    fn path(&self) -> &Path {
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
struct Told(Arc<Mutex<Vec<Body>>>);

impl Told {
    fn all(&self) -> Vec<Body> {
        self.0.lock().unwrap().clone()
    }

    fn trouble(&self, code: &str, raised: bool) -> bool {
        self.all().iter().any(|b| matches!(b, Body::Trouble(t) if t.code == code && t.raised == raised))
    }
}

/// A journal with its buffer.
struct Site {
    journal: Journal,
    buffer: Buffer,
    keeper: std::thread::JoinHandle<()>,
    told: Told,
}

struct Stopped;

fn site(dir: &TempDir) -> Site {
    Stopped.started(dir)
}

impl Site {
    fn stopped(self) -> Stopped {
        ask(self.buffer.close()).unwrap();
        self.keeper.join().unwrap();
        self.journal.close(Duration::from_secs(10)).unwrap();
        Stopped
    }

    fn restarted(self, dir: &TempDir) -> Site {
        self.stopped().started(dir)
    }
}

impl Stopped {
    fn started(self, dir: &TempDir) -> Site {
        self.started_with(dir, |_| {})
    }

    fn started_with(self, dir: &TempDir, change: impl FnOnce(&mut Setup)) -> Site {
        let (buffer, desk) = buffer::channel();
        let grown = buffer.clone();
        let opened =
            Journal::open(dir.path(), GATEWAY, 7, Clock::start(), move |_| grown.journal_grew()).unwrap();
        let told = Told::default();
        let mut setup = setup(dir.path(), opened.journal.reader(), told.clone());
        change(&mut setup);
        let keeper = desk.start(setup).unwrap();
        Site { journal: opened.journal, buffer, keeper, told }
    }
}

fn setup(dir: &Path, journal: JournalReader, told: Told) -> Setup {
    Setup {
        dir: dir.join("buffer"),
        gateway: GATEWAY.to_owned(),
        boot: 7,
        tags: vec!["face.t0".to_owned(), "face.t1".to_owned()],
        destinations: vec!["room".to_owned()],
        telemetry_max_bytes: 64 * 1024 * 1024,
        events_max: 200_000,
        journal,
        clock: Clock::start(),
        tell: Box::new(move |body| told.0.lock().unwrap().push(body)),
    }
}

fn start(dir: &TempDir, journal: &Journal, told: &Told) -> (Buffer, std::thread::JoinHandle<()>) {
    let (buffer, desk) = buffer::channel();
    let keeper = desk.start(setup(dir.path(), journal.reader(), told.clone())).unwrap();
    (buffer, keeper)
}

fn open(dir: &TempDir) -> Opened {
    Journal::open(dir.path(), GATEWAY, 7, Clock::start(), |_| {}).unwrap()
}

/// Offers `records` and waits until they are recorded.
fn record(journal: &Journal, records: Vec<Record>) {
    let before = journal.recorded();
    let count = records.len() as u64;
    journal.offer(records).unwrap();
    wait("the records", || journal.recorded().0 >= before.0 + count);
}

/// Waits until `condition` holds.
fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let clock = Clock::start();
    while !condition() {
        assert!(clock.mono().since(Mono::START) < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn ask<T>(question: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(question)
}

fn seqs(reader: &mut JournalReader) -> Vec<u64> {
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
fn buffered(buffer: &Buffer, after: Seq) -> Vec<u64> {
    let (mut seqs, mut after) = (Vec::new(), after);
    let _all_read = ask(buffer.standing()).unwrap();
    loop {
        let events = ask(buffer.events(after, 300)).unwrap();
        let Some(last) = events.last() else { return seqs };
        after = last.seq;
        seqs.extend(events.iter().map(|e| e.seq.0));
    }
}

fn journal_files(dir: &TempDir) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(dir.path().join("journal")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files
}

/// Verifies the chain over all files, as an inspector would. An unfinished end, as kill -9 leaves it, is no fault.
fn assert_chain(dir: &TempDir) {
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

fn is_damage(note: &Body) -> bool {
    matches!(note, Body::Trouble(Trouble { code: "journal-damaged", raised: true, .. }))
}

fn now() -> Now {
    Clock::start().now()
}

fn at_day(day: i64, mut record: Record) -> Record {
    let today = now().wall.ms().div_euclid(86_400_000);
    record.at.wall = Wall::from_ms((today + day) * 86_400_000 + 1);
    record
}

fn ended() -> Record {
    Record { at: now(), body: Body::Ended { reason: "SIGTERM".to_owned() } }
}

fn alarm(key: &str, occurrence: u32) -> Record {
    let change = AlarmChange {
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
    };
    Record { at: now(), body: Body::Alarm(change) }
}

fn trip(tag: &str, tripped: bool) -> Record {
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

fn sample(point: usize, ms: i64) -> Sample {
    let reading = Reading { value: Some(0.5), quality: Quality::Good, at: Mono::START };
    Sample { point: PointId::from_usize(point), reading, wall: Wall::from_ms(ms) }
}
