//! The buffer: order, cursors, refilling, telemetry and its bound.

use crate::helpers::*;
use davy::io::buffer::{self, Cursors};
use davy::model::point::Text;
use davy::model::record::{Body, Lane, Seq};
use davy::model::time::Wall;
use davy::record::chain::Digest;
use davy::record::entry::Entry;
use std::fs;
use std::time::Duration;

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
    assert_eq!(site.told.all(), [], "nothing was lost: no telemetry, no cursor");
}

/// A site with three blocks, of which the first is told, and six events, of which five are.
fn halfway(dir: &TempDir) -> Stopped {
    let site = site(dir);
    record(&site.journal, (0..5).map(|n| alarm("a:trip", n)).collect());
    site.buffer.keep((0..600).map(|n| sample(0, n)).collect()).unwrap();
    wait("three blocks", || site.buffer.marks().borrow().telemetry == 3);
    site.buffer.acked("room", Lane::Event, 5);
    site.buffer.acked("room", Lane::Telemetry, 1);
    site.stopped()
}

const HALFWAY: Cursors = Cursors { events: Seq(5), telemetry: 1 };

#[test]
fn a_store_that_can_not_be_opened_at_the_start_costs_no_telemetry_and_nothing_is_told_again() {
    let dir = TempDir::new();
    let stopped = halfway(&dir);
    let (folder, away) = (dir.path().join("buffer"), dir.path().join("away"));
    fs::rename(&folder, &away).unwrap();
    fs::write(&folder, "in the way").unwrap();
    let site = stopped.started(&dir);
    assert_eq!(ask(site.buffer.cursors("room")).unwrap(), HALFWAY);
    assert!(site.told.trouble("buffer-write", true));
    site.buffer.keep((600..900).map(|n| sample(0, n)).collect()).unwrap();
    wait("the blocks", || site.buffer.marks().borrow().telemetry == 5);
    assert_eq!(blocks(&site.buffer, 1), [0; 0], "what lies in the store must not be overtaken");
    fs::remove_file(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    wait("the store", || site.told.trouble("buffer-write", false));
    wait("the blocks", || blocks(&site.buffer, 1) == [2, 3, 4, 5]);
    let told = site.told.clone();
    site.stopped();
    assert_eq!(told.gaps(Lane::Telemetry), []);
}

#[test]
fn without_a_store_telemetry_is_told_out_of_memory_where_the_store_holds_nothing_older() {
    let dir = TempDir::new();
    let site = halfway(&dir).started(&dir);
    site.buffer.acked("room", Lane::Telemetry, 3);
    let stopped = site.stopped();
    let folder = dir.path().join("buffer");
    fs::rename(&folder, dir.path().join("away")).unwrap();
    fs::write(&folder, "in the way").unwrap();
    let site = stopped.started(&dir);
    site.buffer.keep(vec![sample(0, 600)]).unwrap();
    wait("the block", || blocks(&site.buffer, 3) == [4]);
    site.buffer.acked("room", Lane::Telemetry, 4);
    site.buffer.keep(vec![sample(0, 601)]).unwrap();
    wait("the block", || blocks(&site.buffer, 4) == [5]);
    // It never comes to any store: the next start knows that there was one more.
    let stopped = site.stopped();
    fs::remove_file(&folder).unwrap();
    fs::rename(dir.path().join("away"), &folder).unwrap();
    let site = stopped.started(&dir);
    site.buffer.keep(vec![sample(0, 602)]).unwrap();
    wait("the block", || blocks(&site.buffer, 4) == [6]);
    let told = site.told.clone();
    site.stopped();
    let [gap] = &told.gaps(Lane::Telemetry)[..] else { panic!("{:?}", told.all()) };
    assert!(gap.reason.contains("blocks 5 to 5"), "{}", gap.reason);
}

#[test]
fn a_store_that_is_gone_or_shorter_is_told_and_nothing_told_is_told_again() {
    for shorter in [false, true] {
        let dir = TempDir::new();
        let (folder, copy) = (dir.path().join("buffer"), dir.path().join("copy"));
        let site = site(&dir);
        record(&site.journal, vec![alarm("a:trip", 0)]);
        let stopped = site.stopped();
        fs::rename(&folder, &copy).unwrap();
        let Stopped = stopped;
        let stopped = halfway(&dir);
        fs::remove_dir_all(&folder).unwrap();
        if shorter {
            fs::rename(&copy, &folder).unwrap();
        }
        let site = stopped.started(&dir);
        assert_eq!(ask(site.buffer.cursors("room")).unwrap(), HALFWAY);
        let told = site.told.clone();
        let site = site.restarted(&dir);
        site.buffer.keep(vec![sample(0, 600)]).unwrap();
        wait("the next block", || blocks(&site.buffer, 1) == [4]);
        let again = site.told.clone();
        site.stopped();
        assert_eq!(again.all(), [], "told once");
        let [gap] = &told.gaps(Lane::Telemetry)[..] else { panic!("{:?}", told.all()) };
        assert!(gap.reason.contains("blocks 2 to 3"), "{}", gap.reason);
        assert_eq!(
            (told.trouble("buffer-damaged", true), told.trouble("buffer-damaged", false)),
            (!shorter, !shorter)
        );
    }
}

#[test]
fn a_block_that_a_kill_took_on_its_way_to_the_store_is_no_gap_and_its_number_is_not_given_again() {
    let dir = TempDir::new();
    let stopped = halfway(&dir);
    let ledger = fs::read_to_string(dir.path().join("ledger")).unwrap();
    let line = ledger.lines().next().unwrap();
    assert!(line.contains("\"blocks\":3") && line.contains("\"stored\":3"), "{line}");
    let line = line.replace("\"blocks\":3", "\"blocks\":4");
    fs::write(dir.path().join("ledger"), format!("{line}\n{}\n", Digest::of(line.as_bytes()))).unwrap();
    let site = stopped.started(&dir);
    site.buffer.keep(vec![sample(0, 600)]).unwrap();
    wait("the next block", || blocks(&site.buffer, 1) == [2, 3, 5]);
    let told = site.told.clone();
    site.stopped();
    assert_eq!(told.all(), []);
}

#[test]
fn a_first_start_that_was_cut_short_has_lost_nothing() {
    let dir = TempDir::new();
    let opened = open(&dir);
    let (buffer, keeper) = start(&dir, &opened.journal, &Told::default());
    wait("the ledger", || dir.path().join("ledger").exists());
    record(&opened.journal, vec![ended()]);
    opened.journal.close(Duration::from_secs(10)).unwrap();
    ask(buffer.close()).unwrap();
    keeper.join().unwrap();
    fs::remove_dir_all(dir.path().join("buffer")).unwrap();
    let site = site(&dir);
    assert_eq!(buffered(&site.buffer, Seq(0)), [1, 2]);
    assert_eq!(site.told.all(), []);
}

#[test]
fn blocks_that_all_had_are_no_loss_for_a_destination_that_comes_later() {
    let dir = TempDir::new();
    let site = halfway(&dir).started(&dir);
    site.buffer.acked("room", Lane::Telemetry, 3);
    let late = |setup: &mut buffer::Setup| setup.destinations.push("late".to_owned());
    let site = site.stopped().started_with(&dir, late);
    site.buffer.keep(vec![sample(0, 600)]).unwrap();
    wait("the next block", || blocks(&site.buffer, 0) == [4]);
    let told = site.told.clone();
    site.stopped();
    assert_eq!(told.all(), []);
}

#[test]
fn a_store_and_a_ledger_that_are_gone_are_told_and_all_begins_again() {
    let dir = TempDir::new();
    let stopped = halfway(&dir);
    fs::remove_dir_all(dir.path().join("buffer")).unwrap();
    fs::remove_file(dir.path().join("ledger")).unwrap();
    let site = stopped.started(&dir);
    assert_eq!(ask(site.buffer.cursors("room")).unwrap(), Cursors::default());
    assert_eq!(buffered(&site.buffer, Seq(0)), (1..=6).collect::<Vec<_>>());
    let told = site.told.clone();
    site.stopped();
    assert_eq!(told.gaps(Lane::Telemetry).len(), 1);
    assert!(told.trouble("buffer-damaged", true) && told.trouble("buffer-damaged", false));
}

#[test]
fn without_ledger_and_store_no_number_is_given_and_what_is_lost_is_told() {
    let dir = TempDir::new();
    let stopped = halfway(&dir);
    let (folder, away) = (dir.path().join("buffer"), dir.path().join("away"));
    fs::rename(&folder, &away).unwrap();
    fs::write(&folder, "in the way").unwrap();
    fs::write(dir.path().join("ledger"), "{\"blocks\":0,\"cursors\":{}}\n").unwrap();
    let site = stopped.started(&dir);
    site.buffer.keep((600..900).map(|n| sample(0, n)).collect()).unwrap();
    wait("the gap", || site.told.gaps(Lane::Telemetry).iter().map(|gap| gap.count).sum::<u64>() >= 200);
    fs::remove_file(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    wait("the store", || site.told.trouble("buffer-write", false));
    assert_eq!(ask(site.buffer.cursors("room")).unwrap(), HALFWAY, "the store knows it too");
    site.buffer.keep(vec![sample(0, 900)]).unwrap();
    wait("the next block", || blocks(&site.buffer, 1) == [2, 3, 4]);
}

#[test]
fn numbers_that_were_told_are_not_given_again_by_a_journal_that_was_removed() {
    let dir = TempDir::new();
    let stopped = halfway(&dir);
    fs::remove_dir_all(dir.path().join("journal")).unwrap();
    fs::remove_dir_all(dir.path().join("buffer")).unwrap();
    let told = buffer::last_told(dir.path()).told;
    assert!(told > Seq(0));
    let site = stopped.started(&dir);
    assert_eq!(ask(site.buffer.cursors("room")).unwrap().events, told);
    record(&site.journal, vec![alarm("a:trip", 1)]);
    assert_eq!(buffered(&site.buffer, told), [told.0 + 1, told.0 + 2], "a snapshot and the alarm");
}

#[test]
fn what_comes_after_a_journal_that_has_lost_its_end_is_told_however_little_it_lost() {
    for lost in 1..=6 {
        let dir = TempDir::new();
        let site = site(&dir);
        record(&site.journal, (0..20).map(|n| alarm("a:trip", n)).collect());
        let told = site.journal.recorded();
        wait("the events", || buffered(&site.buffer, Seq(0)).last() == Some(&told.0));
        site.buffer.acked("room", Lane::Event, told.0);
        let stopped = site.stopped();
        let newest = journal_files(&dir).pop().unwrap();
        let text = fs::read_to_string(&newest).unwrap();
        let kept: Vec<&str> = text.split_inclusive('\n').collect();
        fs::write(&newest, kept[..kept.len() - lost].concat()).unwrap();

        let notes = open(&dir);
        let shortened = |b: &Body| matches!(b, Body::Trouble(t) if t.code == "journal-shortened" && t.raised);
        assert!(notes.notes.iter().any(shortened), "{lost}");
        let gap = |b: &Body| matches!(b, Body::Gap(g) if g.count == lost as u64 && g.lane == Lane::Event);
        assert!(notes.notes.iter().any(gap), "{lost}: {:?}", notes.notes);
        notes.journal.close(std::time::Duration::from_secs(10)).unwrap();

        let site = stopped.started(&dir);
        record(&site.journal, vec![alarm("b:trip", 1)]);
        let new = buffered(&site.buffer, ask(site.buffer.cursors("room")).unwrap().events);
        assert_eq!(new.last(), Some(&site.journal.recorded().0), "{lost}");
        assert!(new.iter().all(|seq| *seq > told.0), "{lost}: no number is given twice: {new:?}");
        let again = site.restarted(&dir);
        assert_eq!(again.told.all().iter().filter(|b| shortened(b)).count(), 0, "said once");
        assert_eq!(journal_files(&dir).iter().filter(|f| f.to_string_lossy().contains("damaged")).count(), 0);
    }
}

#[test]
fn telemetry_that_fits_into_no_memory_blames_no_bound_of_the_disk() {
    let dir = TempDir::new();
    fs::write(dir.path().join("buffer"), "in the way").unwrap();
    let site = site(&dir);
    for lap in 0..51 {
        site.buffer.keep((0..2000).map(|n| sample(0, lap * 2000 + n)).collect()).unwrap();
    }
    let told = site.told.clone();
    site.stopped();
    let [gap] = &told.gaps(Lane::Telemetry)[..] else { panic!("{:?}", told.all()) };
    assert_eq!(gap.count, 2000);
    assert!(gap.reason.contains("memory"), "{}", gap.reason);
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
fn what_can_not_be_read_of_older_files_is_passed_over_and_told_once() {
    let dir = TempDir::new();
    let few = |setup: &mut buffer::Setup| setup.events_max = 2;
    let site = Stopped.started_with(&dir, few);
    for day in 1..=3 {
        record(&site.journal, (1..=4).map(|n| at_day(day, alarm("a:trip", n))).collect());
    }
    let site = site.stopped();
    let files = journal_files(&dir);
    let rotten = fs::read_to_string(&files[0]).unwrap().replace("\"seq\":3", "\"seq\":x");
    fs::write(&files[0], rotten).unwrap();
    // A folder of that name stands for a dead sector: it opens, and reading it is an error.
    fs::remove_file(&files[1]).unwrap();
    fs::create_dir(&files[1]).unwrap();
    let site = site.started_with(&dir, few);
    for _ in 0..2 {
        assert_eq!(buffered(&site.buffer, Seq(0)), [1, 2, 4, 5, 11, 12, 13, 14, 15]);
    }
    let told = site.told.clone();
    site.stopped();
    let [line, file] = &told.gaps(Lane::Event)[..] else { panic!("{:?}", told.all()) };
    assert_eq!((line.count, file.count), (1, 5));
    assert!(line.reason.contains("after entry 2"), "{}", line.reason);
    assert!(file.reason.contains("after entry 5"), "{}", file.reason);
    assert!(told.trouble("journal-unreadable", true));
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
fn a_buffer_whose_thread_has_ended_is_seen_to() {
    let dir = TempDir::new();
    let site = site(&dir);
    assert!(!site.buffer.is_finished());
    let buffer = site.buffer.clone();
    site.stopped();
    wait("the end of the thread", || buffer.is_finished());
}

#[test]
fn a_buffer_ahead_of_its_journal_is_set_aside() {
    let dir = TempDir::new();
    let site = site(&dir);
    record(&site.journal, (0..10).map(|n| alarm("a:trip", n)).collect());
    assert_eq!(buffered(&site.buffer, Seq(0)).len(), 11);
    site.buffer.acked("room", Lane::Event, 11);
    let site = site.stopped();
    fs::remove_file(dir.path().join("ledger")).unwrap();
    fs::remove_dir_all(dir.path().join("journal")).unwrap();
    let site = site.started(&dir);
    record(&site.journal, vec![alarm("b:trip", 1)]);
    assert_eq!(ask(site.buffer.cursors("room")).unwrap(), Cursors::default());
    assert_eq!(buffered(&site.buffer, Seq(0)), [1, 2]);
    assert!(site.told.trouble("journal-shortened", true), "it is the journal that lost something");
    assert!(site.told.trouble("buffer-damaged", true));
    assert!(site.told.trouble("buffer-damaged", false), "it is over once the buffer is filled");
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

#[test]
fn whatever_byte_of_the_store_is_flipped_every_event_is_told() {
    let dir = TempDir::new();
    let site = site(&dir);
    record(&site.journal, (0..60).map(|n| alarm("a:trip", n)).collect());
    assert_eq!(buffered(&site.buffer, Seq(0)).len(), 61);
    let mut stopped = site.stopped();
    let db = dir.path().join("buffer/db");
    let whole = fs::read(&db).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40 + 1) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&db, bytes).unwrap();
        let site = stopped.started(&dir);
        assert_eq!(buffered(&site.buffer, Seq(0)), (1..=61).collect::<Vec<_>>(), "byte {at}");
        let standing = ask(site.buffer.standing()).unwrap();
        assert_eq!(standing.iter().map(|e| e.seq.0).collect::<Vec<_>>(), [61], "byte {at}");
        stopped = site.stopped();
    }
}
