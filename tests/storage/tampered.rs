//! Tampering by brute force: whatever is done to a journal is found by the verifier, and what only a far side can know by
//! its anchor; and a second verifier, in another language and from the documented format, says the same.
//!
//! `DAVY_TAMPERINGS=2000 cargo test --test storage tampering` is the long form; `DAVY_PYTHON` is a Python with what
//! `tests/requirements.txt` names, without which the second verifier is left out.

#![expect(clippy::indexing_slicing, reason = "a helper that panics fails its test")]

use crate::helpers::*;
use davy::io::clock::Clock;
use davy::io::journal::{Journal, audit};
use davy::model::record::{Body, Record, Seq, Who};
use davy::model::time::{Now, Span};
use davy::record::chain::{Chain, Digest};
use davy::record::entry::Entry;
use davy::record::seal::{PublicKey, SecretKey};
use davy::record::tally::KeyStep;
use davy::record::verify::{Damage, Trust, Verdict};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A journal's files: names and lines.
type Files = BTreeMap<String, Vec<Vec<u8>>>;

struct Dice(u64);

impl Dice {
    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// Writes two runs over four days, with a rotation of the key.
fn write(dir: &Path) {
    for run in 0..2u64 {
        let clock = Clock::start();
        let opened = Journal::open(dir, GATEWAY, 7 + run, clock, Seq(0), |_| {}).unwrap();
        let journal = opened.journal;
        journal.seal().unwrap();
        for day in 0..2 {
            let at = clock.now();
            let wall = at.wall.after(Span::from_secs((2 * run + day) * 86_400));
            let record = |n| Record {
                at: Now { wall, ..at },
                body: Body::Ended { reason: format!("{run}.{day}.{n}") },
            };
            journal.offer((0..5).map(record).collect()).unwrap();
            let last = format!("{run}.{day}.4");
            wait("the entries", || text(dir).contains(&last));
        }
        wait("a checkpoint", || text(dir).matches("\"kind\":\"checkpoint\"").count() as u64 > 3 * run);
        let who = Who { name: "li".to_owned(), via: "local".to_owned() };
        journal.rotate(who).unwrap().blocking_recv().unwrap().unwrap();
        journal.close(std::time::Duration::from_secs(30)).unwrap();
    }
}

fn text(dir: &Path) -> String {
    let lines = read(dir).into_values().flatten().map(|line| String::from_utf8(line).unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

fn read(dir: &Path) -> Files {
    let files = fs::read_dir(dir.join("journal")).unwrap().map(|file| file.unwrap().path());
    let lines = |bytes: Vec<u8>| {
        bytes.split_inclusive(|b| *b == b'\n').map(|l| l.strip_suffix(b"\n").unwrap_or(l).to_vec()).collect()
    };
    files
        .map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), lines(fs::read(&p).unwrap())))
        .collect()
}

fn store(dir: &Path, files: &Files) {
    fs::create_dir_all(dir.join("journal")).unwrap();
    for (name, lines) in files {
        let bytes: Vec<u8> = lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect();
        fs::write(dir.join("journal").join(name), bytes).unwrap();
    }
}

/// What was done, and whether only a far side can know of it.
fn tamper(dir: &Path, files: &Files, dice: &mut Dice) -> (&'static str, bool) {
    let mut files = files.clone();
    let names: Vec<String> = files.keys().cloned().collect();
    let name = names[dice.below(names.len())].clone();
    let newest = names.last() == Some(&name);
    let (n, m) = (dice.below(files[&name].len()), dice.below(files[&name].len()));
    let last = files[&name].len() - 1;
    let done = match dice.below(10) {
        0 | 1 => {
            store(dir, &files);
            let path = dir.join("journal").join(&name);
            let mut bytes = fs::read(&path).unwrap();
            let bit = dice.below(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(path, bytes).unwrap();
            return ("a bit flipped", false);
        }
        2 => {
            files.get_mut(&name).unwrap().remove(n);
            ("an entry deleted", newest && n == last)
        }
        3 => {
            let m = if n == m { (n + 1) % (last + 1) } else { m };
            files.get_mut(&name).unwrap().swap(n, m);
            ("two entries swapped", false)
        }
        4 => {
            let line = files[&names[dice.below(names.len())]][0].clone();
            files.get_mut(&name).unwrap().insert(n + 1, line);
            ("an entry of elsewhere inserted", false)
        }
        5 => {
            let mut entry = Entry::parse(&files[&name][n]).unwrap();
            (entry.prev, entry.seq) = (Digest::of(&files[&name][n]), entry.seq.next());
            entry.kind = "ended".to_owned();
            entry.body = serde_json::json!({ "reason": "forged" });
            files.get_mut(&name).unwrap().insert(n + 1, entry.line().into_bytes());
            // Behind the last one it hangs on the chain, and no checkpoint is due yet.
            ("a forged entry inserted", newest && n == last)
        }
        6 => {
            store(dir, &files);
            let path = dir.join("journal").join(&name);
            let bytes = fs::read(&path).unwrap();
            let cut = dice.below(bytes.len());
            fs::write(path, &bytes[..cut]).unwrap();
            return ("a file cut", newest && cut > 0 && bytes[cut - 1] == b'\n');
        }
        7 => {
            files.remove(&name);
            ("a file deleted", newest)
        }
        8 => {
            // From some entry on with a key of one's own.
            let mut lines: Vec<_> = files.values().flatten().cloned().collect();
            let from = dice.below(lines.len());
            lines.truncate(from);
            let prev = lines.last().map_or(Digest::genesis(GATEWAY), |line| Digest::of(line));
            let mut chain = Chain::resume(GATEWAY, 99, Seq(from as u64), prev);
            let (key, at) = (SecretKey::from_seed([3; 32]).unwrap(), Clock::start().now());
            let forged = Record { at, body: Body::Ended { reason: "forged".to_owned() } };
            lines.push(chain.next(&forged).into_bytes());
            lines.push(chain.announce(at, KeyStep::Announced, key.public(), &key, None).into_bytes());
            lines.push(chain.seal(at, &key).into_bytes());
            let keyed = text_of(&lines[..from]).contains("\"kind\":\"key\"");
            files = BTreeMap::from([(names[0].clone(), lines)]);
            ("the key replaced", !keyed)
        }
        _ => {
            let lines: Vec<_> = files.values().flatten().cloned().collect();
            let kept = 1 + dice.below(lines.len() - 1);
            files = BTreeMap::from([(names[0].clone(), lines[..kept].to_vec())]);
            ("an older folder restored", true)
        }
    };
    store(dir, &files);
    done
}

fn text_of(lines: &[Vec<u8>]) -> String {
    lines.iter().map(|line| String::from_utf8_lossy(line)).collect()
}

fn judge(dir: &Path, trust: Trust) -> Verdict {
    audit::verify(dir, trust, |_, _| {}).unwrap()
}

/// What the second verifier says of these folders.
fn second(dirs: &[&Path]) -> Option<Vec<bool>> {
    let python = std::env::var_os("DAVY_PYTHON")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verifier/verify.py");
    let said = Command::new(python).arg(script).args(dirs).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    Some(said.lines().map(|line| line == "sound").collect())
}

#[test]
fn tampering_of_every_kind_is_found_and_a_second_verifier_agrees() {
    let rounds = std::env::var("DAVY_TAMPERINGS").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let dir = TempDir::new();
    write(dir.path());
    let files = read(dir.path());
    assert!(files.len() >= 4, "{:?}", files.keys());
    let verdict = judge(dir.path(), Trust::default());
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
    assert_eq!((verdict.unsealed, verdict.rotations), (0, 2));
    let mut dice = Dice(2026);
    let (mut kinds, mut first) = (BTreeMap::<_, u32>::new(), Vec::new());
    let folders: Vec<TempDir> = (0..rounds).map(|_| TempDir::new()).collect();
    for folder in &folders {
        let (what, far) = tamper(folder.path(), &files, &mut dice);
        // Where the only file is gone, there is nothing that could be called sound.
        let Ok(verdict) = audit::verify(folder.path(), Trust::default(), |_, _| {}) else { continue };
        let anchors = BTreeMap::from([verdict_of(&files)]);
        let anchored = judge(folder.path(), Trust { anchors, ..Trust::default() });
        let forged_behind = what == "a forged entry inserted" && far;
        assert!(verdict.is_sound() == far, "{what}, far side {far}: {:?}", verdict.findings);
        assert!(!anchored.is_sound() || forged_behind, "{what}: no anchor finds it");
        *kinds.entry(what).or_default() += 1;
        first.push((folder.path(), what, verdict.is_sound()));
    }
    assert!(kinds.len() >= 9, "{kinds:?}");
    let dirs: Vec<&Path> = first.iter().map(|(dir, ..)| *dir).collect();
    if let Some(second) = second(&dirs) {
        assert_eq!(second.len(), first.len());
        for ((dir, what, sound), second) in first.iter().zip(second) {
            assert_eq!(*sound, second, "{what}: the verifiers disagree on {}", dir.display());
        }
    }
}

/// The anchor that a far side holds: the last entry.
fn verdict_of(files: &Files) -> (Seq, Digest) {
    let last = files.values().flatten().next_back().unwrap();
    (Entry::parse(last).unwrap().seq, Digest::of(last))
}

#[test]
fn a_lost_key_is_a_trouble_and_an_entry_and_keeps_nothing_from_being_recorded() {
    let dir = TempDir::new();
    write(dir.path());
    fs::remove_file(dir.path().join("journal.key")).unwrap();
    let clock = Clock::start();
    let journal = Journal::open(dir.path(), GATEWAY, 99, clock, Seq(0), |_| {}).unwrap().journal;
    journal.seal().unwrap();
    let record = Record { at: clock.now(), body: Body::Ended { reason: "on record".to_owned() } };
    journal.offer(vec![record]).unwrap();
    wait("the trouble", || {
        journal.key_trouble().is_some_and(|trouble| trouble.code == "journal-key" && trouble.raised)
    });
    journal.close(std::time::Duration::from_secs(30)).unwrap();
    assert!(text(dir.path()).contains("on record"));
    let verdict = judge(dir.path(), Trust::default());
    assert_eq!(verdict.findings.len(), 1, "{:?}", verdict.findings);
    assert_eq!(verdict.findings[0].damage, Damage::Foreign);
    // Whoever knows both keys to be the gateway's names them.
    let entries = read(dir.path()).into_values().flatten().map(|line| Entry::parse(&line).unwrap());
    let keys = entries
        .filter(|entry| entry.kind == "key")
        .map(|entry| entry.body["key"].as_str().unwrap().to_owned());
    let keys = keys.map(|key| PublicKey::parse(&key).unwrap()).collect();
    assert!(judge(dir.path(), Trust { keys, ..Trust::default() }).is_sound());
}
