//! The journal: order, rotation, damage, refusing disks.

use crate::helpers::*;
use davy::io::clock::Clock;
use davy::io::journal::{Journal, Known, Opened};
use davy::model::alarm::AlarmState;
use davy::model::point::Text;
use davy::model::record::{Body, Gap, Lane, PreviousEnd, Record, Seq, Standing, Trouble};
use davy::record::chain::Digest;
use davy::record::entry::Entry;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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
    let opened = Journal::open(dir.path(), GATEWAY, 7, Clock::start(), Seq(0), move |_| {
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
fn a_snapshot_that_is_too_large_for_a_message_comes_in_parts_and_counts_once_they_are_whole() {
    let dir = TempDir::new();
    let opened = open(&dir);
    let many = (0..3000).map(|n| at_day(1, alarm(&format!("district-7.heading-{n}.methane-1:trip"), 1)));
    record(&opened.journal, many.collect());
    record(&opened.journal, vec![at_day(1, trip("valve", true)), at_day(2, ended())]);
    let last = opened.journal.recorded().0;
    assert_eq!(seqs(&mut opened.journal.reader()), (1..=last).collect::<Vec<_>>());
    opened.journal.close(Duration::from_secs(10)).unwrap();
    assert_chain(&dir);
    let [older, newest] = &journal_files(&dir)[..] else { panic!("two files") };
    let text = fs::read_to_string(newest).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let entries: Vec<Entry> =
        lines.iter().map(|line| Entry::parse(line.trim().as_bytes()).unwrap()).collect();
    let parts = entries.iter().filter(|entry| entry.kind == "standing").count();
    assert!(parts > 1 && entries.len() == parts + 1, "{parts} of {} entries", entries.len());
    assert!(lines.iter().all(|line| line.len() < 64 * 1024), "a message holds it with ease");

    // Power went while the parts were written: what stood lies in the file before.
    for kept in 1..parts {
        fs::write(newest, lines[..kept].concat() + &lines[kept][..500]).unwrap();
        let opened = open(&dir);
        assert_eq!(
            (opened.standing.alarms.len(), opened.standing.trips.len()),
            (3000, 1),
            "{kept} parts left"
        );
        opened.journal.close(Duration::from_secs(10)).unwrap();
    }
    fs::write(newest, &text).unwrap();
    fs::remove_file(older).unwrap();
    let opened = open(&dir);
    assert_eq!((opened.standing.alarms.len(), opened.standing.trips.len()), (3000, 1));
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
    for at in (0..end).step_by(13) {
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
    for lap in 0..11 {
        let mut batch: Vec<Record> = (0..1000).map(|n| alarm("a:trip", n)).collect();
        if lap == 10 {
            batch.push(trip("valve", true));
        }
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
        11_004,
        "11,001 records, a snapshot at the start, one behind the loss and the gap"
    );
    assert_chain(&dir);
    opened.journal.close(Duration::from_secs(10)).unwrap();
    assert!(open(&dir).standing.trips["valve"].tripped, "a trip that did not fit stands nevertheless");
}

#[test]
fn a_file_taken_from_under_a_running_journal_is_told_and_what_stands_is_written_anew() {
    type Meddling = fn(&Path);
    let removed: Meddling = |file| fs::remove_file(file).unwrap();
    let moved: Meddling = |file| fs::rename(file, file.with_extension("old")).unwrap();
    let replaced: Meddling = |file| {
        fs::copy(file, file.with_extension("copy")).unwrap();
        fs::rename(file.with_extension("copy"), file).unwrap();
    };
    let emptied: Meddling = |file| drop(fs::File::create(file).unwrap());
    for (how, meddle) in
        [("removed", removed), ("moved", moved), ("replaced", replaced), ("emptied", emptied)]
    {
        let dir = TempDir::new();
        let opened = open(&dir);
        record(&opened.journal, vec![trip("valve", true)]);
        let file = journal_files(&dir).pop().unwrap();
        meddle(&file);
        record(&opened.journal, vec![alarm("a:trip", 1)]);
        let lost = how != "replaced";
        let last = if lost { 6 } else { 5 };
        wait("the trouble", || opened.journal.recorded() == Seq(last));
        record(&opened.journal, vec![alarm("b:trip", 1)]);
        assert_eq!(opened.journal.recorded(), Seq(last + 1), "{how}: told once");
        let mut reader = opened.journal.reader();
        let page = reader.read(Seq(2), 10).unwrap();
        let kinds: Vec<_> = page.entries.iter().map(|(e, _)| (e.seq.0, e.kind.as_str())).collect();
        let mut expected = vec![(3, "alarm"), (4, "standing"), (5, "trouble"), (6, "gap"), (7, "alarm")];
        if lost {
            assert_eq!(
                page.entries[3].0.body["reason"], "entries 1 to 2 are in the journal no more",
                "{how}"
            );
        } else {
            expected.splice(3.., [(6, "alarm")]);
        }
        assert_eq!(kinds, expected, "{how}");
        let told = &page.entries[2].0.body;
        assert_eq!(
            (&told["code"], &told["detail"]),
            (&"journal-removed".into(), &"000000000001.jsonl".into())
        );
        opened.journal.close(Duration::from_secs(10)).unwrap();
        let Opened { standing, notes, .. } = open(&dir);
        assert!(standing.trips["valve"].tripped && standing.alarms.len() == 2, "{how}: {standing:?}");
        assert_eq!((is_removed(&notes), notes.len()), (lost, usize::from(lost)), "{how}: stands, told once");
        if how == "moved" {
            fs::rename(file.with_extension("old"), &file).unwrap();
            assert_eq!(open(&dir).notes, [], "it is back");
        }
    }
}

fn is_removed(notes: &[Body]) -> bool {
    notes
        .iter()
        .any(|note| matches!(note, Body::Trouble(Trouble { code: "journal-removed", raised: true, .. })))
}

#[test]
fn files_between_others_that_are_gone_are_told_by_the_next_start() {
    for shorten in [false, true] {
        let dir = TempDir::new();
        let opened = open(&dir);
        for day in 1..=3 {
            record(&opened.journal, vec![at_day(day, alarm("a:trip", 1)), at_day(day, alarm("b:trip", 1))]);
        }
        opened.journal.close(Duration::from_secs(10)).unwrap();
        let file = &journal_files(&dir)[1];
        if shorten {
            let lines = fs::read_to_string(file).unwrap();
            let kept: Vec<_> = lines.split_inclusive('\n').take(2).collect();
            fs::write(file, kept.concat()).unwrap();
        } else {
            fs::remove_file(file).unwrap();
        }
        let opened = open(&dir);
        assert!(is_removed(&opened.notes), "{:?}", opened.notes);
        assert_eq!(gaps(&opened.notes), [(if shorten { 1 } else { 3 }, false)]);
        let notes = opened.notes.into_iter().map(|body| Record { at: now(), body }).collect();
        record(&opened.journal, notes);
        opened.journal.close(Duration::from_secs(10)).unwrap();
        let notes = open(&dir).notes;
        assert_eq!((is_removed(&notes), gaps(&notes)), (true, vec![]), "it stands, and is counted once");
    }
}

#[test]
fn a_last_line_that_was_altered_is_told_and_neither_it_nor_its_number_is_told_again() {
    let dir = TempDir::new();
    let opened = open(&dir);
    record(&opened.journal, vec![alarm("a:trip", 1), ended()]);
    opened.journal.close(Duration::from_secs(10)).unwrap();
    let file = journal_files(&dir).pop().unwrap();
    let lines = fs::read_to_string(&file).unwrap();
    let last = lines.lines().last().unwrap();
    let known = Known { told: Seq(2), last: Some((Seq(3), Digest::of(last.as_bytes()))) };
    let opened_with = |known| Journal::open(dir.path(), GATEWAY, 8, Clock::start(), known, |_| {}).unwrap();
    assert_eq!(opened_with(known).notes, [], "nothing was altered");
    fs::write(&file, lines.replace("SIGTERM", "SIGKILL")).unwrap();
    let opened = opened_with(known);
    let is_altered =
        |note: &Body| matches!(note, Body::Trouble(Trouble { code: "journal-altered", raised: true, .. }));
    assert!(opened.notes.iter().any(is_altered), "{:?}", opened.notes);
    assert_eq!(gaps(&opened.notes), [(1, false)]);
    record(&opened.journal, vec![ended()]);
    assert_eq!(seqs(&mut opened.journal.reader()), [1, 2, 4, 5]);
    let page = opened.journal.reader().read(Seq(3), 1).unwrap();
    assert_eq!(page.entries[0].0.prev, Digest::of(last.as_bytes()), "the chain follows what was recorded");
    opened.journal.close(Duration::from_secs(10)).unwrap();
    assert_eq!(open(&dir).notes, [], "told once");
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

/// The gaps of events among `notes`: how many are missing, and whether more may be.
fn gaps(notes: &[Body]) -> Vec<(u64, bool)> {
    let gap = |note: &Body| {
        let Body::Gap(gap) = note else { return None };
        (gap.lane == Lane::Event).then_some((gap.count, gap.at_least))
    };
    notes.iter().filter_map(gap).collect()
}

#[test]
fn what_waited_in_memory_at_the_end_is_a_gap_of_the_next_start_until_that_is_on_record() {
    for (killed, elsewhere) in [(true, false), (false, false), (true, true), (false, true)] {
        let dir = TempDir::new();
        let opened = open(&dir);
        record(&opened.journal, vec![trip("valve", true)]);
        opened.journal.close(Duration::from_secs(10)).unwrap();
        // A file in the way of a folder stands for a disk that refuses, a folder in the way of a file likewise.
        let (folder, aside) = (dir.path().join("journal"), dir.path().join("aside"));
        let note = dir.path().join("recording");
        let opened = open(&dir);
        assert_eq!(opened.notes, [], "a plain kill claims nothing");
        fs::rename(&folder, &aside).unwrap();
        fs::write(&folder, "in the way").unwrap();
        if elsewhere {
            fs::remove_file(&note).unwrap();
            fs::create_dir(&note).unwrap();
        }
        opened.journal.offer(vec![alarm("a:trip", 1), ended()]).unwrap();
        wait("the trouble", || opened.journal.trouble().is_some());
        if killed {
            let gone = opened.journal.unrecorded();
            drop(opened);
            wait("the end of the thread", || gone.has_changed().is_err());
        } else {
            assert_eq!(opened.journal.close(Duration::from_secs(10)).unwrap_err().0, 2);
        }
        fs::remove_file(&folder).unwrap();
        fs::rename(&aside, &folder).unwrap();
        for start in 0..2 {
            let opened = open(&dir);
            assert_eq!(gaps(&opened.notes), [(2, killed)], "killed {killed}, elsewhere {elsewhere}, {start}");
            if start == 1 {
                record(&opened.journal, vec![ended()]);
            }
            opened.journal.close(Duration::from_secs(10)).unwrap();
        }
        assert_eq!(gaps(&open(&dir).notes), [], "once");
    }
}

#[test]
fn a_journal_whose_thread_broke_down_is_seen_to_have_ended_and_does_not_close_well() {
    let dir = TempDir::new();
    let opened =
        Journal::open(dir.path(), GATEWAY, 7, Clock::start(), Seq(0), |_| panic!("as if by a fault"))
            .unwrap();
    assert!(!opened.journal.is_finished());
    opened.journal.offer(vec![ended()]).unwrap();
    wait("the end of the thread", || opened.journal.is_finished());
    assert!(opened.journal.trouble().unwrap().contains("ended"), "{:?}", opened.journal.trouble());
    opened.journal.close(Duration::from_secs(10)).unwrap_err();
}

#[test]
fn a_journal_may_be_closed_twice() {
    let dir = TempDir::new();
    let opened = open(&dir);
    record(&opened.journal, vec![ended()]);
    opened.journal.close(Duration::from_secs(10)).unwrap();
    wait("the end of the thread", || opened.journal.is_finished());
    opened.journal.close(Duration::from_secs(10)).unwrap();
}

#[test]
fn a_newest_file_that_can_not_be_read_is_set_aside_and_told() {
    let dir = TempDir::new();
    // A folder of that name stands for a dead sector: it opens, and reading it is an error.
    fs::create_dir_all(dir.path().join("journal/000000000005.jsonl")).unwrap();
    let opened = open(&dir);
    assert!(opened.notes.iter().any(is_damage), "{:?}", opened.notes);
    assert!(opened.last_seq >= Seq(5), "its numbers are not given again");
    record(&opened.journal, vec![ended()]);
    opened.journal.close(Duration::from_secs(10)).unwrap();
    assert_eq!(open(&dir).notes, [], "told once");
}

#[test]
fn a_journal_that_can_not_be_opened_says_where_and_what_to_do() {
    let dir = TempDir::new();
    fs::write(dir.path().join("journal"), "in the way").unwrap();
    let error =
        Journal::open(dir.path(), GATEWAY, 7, Clock::start(), Seq(0), |_| {}).unwrap_err().to_string();
    assert!(error.contains("/journal") && error.contains("--state"), "{error}");
}

#[test]
fn a_line_or_a_file_that_claims_the_last_number_there_is_leaves_numbers_for_what_comes() {
    let dir = TempDir::new();
    let opened = open(&dir);
    record(&opened.journal, vec![trip("valve", true), ended()]);
    opened.journal.close(Duration::from_secs(10)).unwrap();
    let file = journal_files(&dir).pop().unwrap();
    let lines = fs::read_to_string(&file).unwrap();
    fs::write(&file, lines.replace("\"seq\":3", "\"seq\":18446744073709551615")).unwrap();
    fs::write(dir.path().join("journal/18446744073709551615.jsonl"), "x\n").unwrap();
    let opened = open(&dir);
    assert!(opened.notes.iter().any(is_damage), "{:?}", opened.notes);
    record(&opened.journal, vec![ended(), ended()]);
    assert_eq!(seqs(&mut opened.journal.reader()), [1, 2, 4, 5, 6]);
}

#[test]
fn entries_that_the_disk_gives_back_as_zeros_are_kept_as_evidence_and_their_numbers_are_not_given_again() {
    for from in [0, 700] {
        let dir = TempDir::new();
        let opened = open(&dir);
        record(&opened.journal, (1..=20).map(|n| alarm("a:trip", n)).collect());
        opened.journal.close(Duration::from_secs(10)).unwrap();
        let file = journal_files(&dir).pop().unwrap();
        let mut bytes = fs::read(&file).unwrap();
        bytes[from..].fill(0);
        fs::write(&file, &bytes).unwrap();
        let opened = open(&dir);
        assert!(opened.last_seq >= Seq(21), "{:?}", opened.last_seq);
        assert!(opened.notes.iter().any(is_damage), "{:?}", opened.notes);
        assert_eq!(fs::read(dir.path().join("journal/000000000001.jsonl.damaged-1")).unwrap(), bytes);
    }
}
