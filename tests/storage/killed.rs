//! kill -9: what was announced is there.

use crate::helpers::*;
use davy::io::buffer;
use davy::io::clock::Clock;
use davy::io::files::State;
use davy::io::journal::Journal;
use davy::model::record::Seq;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// In the environment of the process that is to be killed: the state folder it writes to.
const VICTIM: &str = "DAVY_TEST_VICTIM";

/// The process that is killed: writes as fast as the disk takes it, and says what it calls recorded.
fn victim(dir: &Path) {
    let _state = State::lock(dir).unwrap();
    let (buffer, desk) = buffer::channel();
    let grown = buffer.clone();
    let opened = Journal::open(dir, GATEWAY, 7, Clock::start(), Seq(0), move |seq| {
        // One write call, so that a line is whole or not there.
        std::io::stdout().write_all(format!("recorded {seq}\n").as_bytes()).unwrap();
        grown.journal_grew();
    })
    .unwrap();
    desk.start(setup(dir, opened.journal.reader(), Told::default())).unwrap();
    for n in 0.. {
        // A little ahead of the disk, so that there is something to lose.
        wait("the disk", || opened.journal.recorded().0 + 8 > opened.last_seq.0 + 2 * u64::from(n));
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
            .args([
                "--exact",
                "killed::killed_at_any_moment_nothing_that_was_called_recorded_is_lost",
                "--nocapture",
            ])
            .env(VICTIM, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A different number of announcements each round, and a spread of microseconds on top.
        let after = 1 + (round * 7) % 13;
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
