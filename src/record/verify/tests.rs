//! The verifier against sound journals and every way of tampering with one.

use super::*;
use crate::model::record::{Body, Record, Standing};
use crate::model::time::Now;
use crate::record::chain::Chain;
use crate::record::seal::SecretKey;
use crate::record::tally::KeyStep;

fn at(s: u64) -> Now {
    let up = i64::try_from(s).unwrap() * 1000;
    Now { mono: Mono::START + Span::from_secs(s), wall: Wall::from_ms(CLOCK_SET_MS + up) }
}

fn ended(s: u64) -> Record {
    Record { at: at(s), body: Body::Ended { reason: format!("reason {s}") } }
}

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32]).unwrap()
}

/// A journal of 14 entries: two checkpoints, a rotation of the key, the end sealed.
fn journal() -> Vec<String> {
    let mut chain = Chain::start("mine-1", 7);
    let mut lines = chain.snapshot(at(0), &Standing::default());
    lines.push(chain.announce(at(1), KeyStep::Announced, key(1).public(), &key(1), None));
    lines.extend((2..6).map(|s| chain.next(&ended(s))));
    lines.push(chain.seal(at(6), &key(1)));
    lines.push(chain.announce(at(7), KeyStep::Rotated, key(2).public(), &key(1), None));
    lines.extend((8..13).map(|s| chain.next(&ended(s))));
    lines.push(chain.seal(at(13), &key(2)));
    lines
}

fn judge_with(lines: &[impl AsRef<[u8]>], trust: Trust) -> Verdict {
    let mut verifier = Verifier::new(trust);
    verifier.file("000000000001.jsonl", Seq(1));
    lines.iter().for_each(|line| verifier.line(line.as_ref()));
    verifier.end()
}

fn judge(lines: &[impl AsRef<[u8]>]) -> Verdict {
    judge_with(lines, Trust::default())
}

fn first(verdict: &Verdict) -> (Damage, Option<u64>) {
    let finding = &verdict.findings[0];
    (finding.damage, finding.seq.map(|seq| seq.0))
}

#[test]
fn a_sound_journal_is_sound_and_says_what_it_holds() {
    let verdict = judge(&journal());
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
    assert_eq!((verdict.entries, verdict.checkpoints, verdict.rotations), (14, 2, 1));
    assert_eq!((verdict.sealed, verdict.unsealed, verdict.key), (Some(Seq(13)), 0, Some(key(2).public())));
}

#[test]
fn every_flipped_bit_is_found() {
    let lines = journal();
    for n in 0..lines.len() {
        // Behind the last line there is none that would attest to it: all of its bits, and a sample of the others'.
        let step = if n + 1 == lines.len() { 1 } else { 41 };
        for bit in (0..lines[n].len() * 8).step_by(step) {
            let mut bytes: Vec<Vec<u8>> = lines.iter().map(|l| l.clone().into_bytes()).collect();
            bytes[n][bit / 8] ^= 1 << (bit % 8);
            let verdict = judge(&bytes);
            assert!(!verdict.is_sound(), "line {n} bit {bit}: {}", String::from_utf8_lossy(&bytes[n]));
        }
    }
}

#[test]
fn the_altered_entry_is_named_and_not_its_neighbour() {
    let lines = journal();
    let with = |n: usize, from: &str, to: &str| {
        let mut altered = lines.clone();
        assert!(altered[n].contains(from), "{}", altered[n]);
        altered[n] = altered[n].replacen(from, to, 1);
        first(&judge(&altered))
    };
    assert_eq!(with(3, "reason 3", "reason 9"), (Damage::Altered, Some(4)));
    let prev = Digest::of(lines[2].as_bytes()).to_string();
    assert_eq!(with(3, &prev, &Digest::of(b"x").to_string()), (Damage::Altered, Some(4)));
    assert_eq!(with(3, "\"seq\":4", "\"seq\":9"), (Damage::Altered, Some(4)));
    assert_eq!(with(3, "mine-1", "mine-2"), (Damage::Altered, Some(4)));
    assert_eq!(with(3, "{", "["), (Damage::Altered, Some(4)));
    assert_eq!(with(6, "\"ended\":4", "\"ended\":3"), (Damage::Altered, Some(7)));
}

#[test]
fn what_is_deleted_swapped_or_doubled_is_called_by_its_name() {
    let lines = journal();
    let mut deleted = lines.clone();
    deleted.drain(3..5);
    assert_eq!(first(&judge(&deleted)), (Damage::Missing, Some(4)));
    let mut swapped = lines.clone();
    swapped.swap(3, 4);
    assert_eq!(first(&judge(&swapped)), (Damage::Reordered, Some(4)));
    let mut doubled = lines.clone();
    doubled.insert(8, lines[3].clone());
    assert_eq!(first(&judge(&doubled)), (Damage::Foreign, Some(4)));
    let mut foreign = lines.clone();
    foreign.insert(5, Chain::start("mine-2", 3).next(&ended(3)));
    assert_eq!(first(&judge(&foreign)), (Damage::Foreign, Some(1)));
    let mut verifier = Verifier::new(Trust::default());
    verifier.file("000000000005.jsonl", Seq(5));
    lines[4..].iter().for_each(|line| verifier.line(line.as_bytes()));
    assert_eq!(first(&verifier.end()), (Damage::Missing, Some(1)));
}

#[test]
fn who_has_no_key_can_not_write_the_rest_anew() {
    let (lines, forged) = (journal(), "forged");
    let mut chain = Chain::resume("mine-1", 7, Seq(3), Digest::of(lines[2].as_bytes()));
    let mut anew = lines[..3].to_vec();
    let record = Record { at: at(3), body: Body::Ended { reason: forged.to_owned() } };
    anew.push(chain.next(&record));
    // With a key of one's own.
    let mut signed = anew.clone();
    signed.push(chain.clone().seal(at(6), &key(9)));
    assert_eq!(first(&judge(&signed)).0, Damage::Foreign);
    let mut replaced = anew.clone();
    replaced.push(chain.clone().announce(at(6), KeyStep::Replaced, key(9).public(), &key(9), None));
    assert_eq!(first(&judge(&replaced)).0, Damage::Foreign);
    // Without any.
    anew.extend((4..400).map(|s| chain.next(&ended(s))));
    assert_eq!(first(&judge(&anew)).0, Damage::Missing);
}

#[test]
fn what_only_a_far_side_knows_is_found_by_its_anchor() {
    let lines = journal();
    let anchor = |n: usize| {
        let anchors = BTreeMap::from([(Seq(u64::try_from(n).unwrap() + 1), Digest::of(lines[n].as_bytes()))]);
        Trust { anchors, keys: Vec::new() }
    };
    let restored = &lines[..7];
    assert!(judge(restored).is_sound(), "yesterday's folder hangs together");
    assert_eq!(first(&judge_with(restored, anchor(13))).0, Damage::Truncated);
    assert_eq!(judge_with(&lines, anchor(6)).anchored, Some(Seq(7)));
    assert!(judge_with(&lines, anchor(6)).is_sound());
    // The beginning has been put away, and an anchor proves where it ended.
    assert!(judge_with(&lines[2..], anchor(1)).findings.iter().all(|f| f.damage == Damage::Altered));
    // Another journal under the same name, with a key of its own.
    let mut chain = Chain::start("mine-1", 8);
    let mut other = chain.snapshot(at(0), &Standing::default());
    other.push(chain.announce(at(1), KeyStep::Announced, key(9).public(), &key(9), None));
    other.push(chain.seal(at(2), &key(9)));
    assert!(judge(&other).is_sound());
    let trust = Trust { keys: vec![key(1).public(), key(2).public()], ..Trust::default() };
    assert_eq!(first(&judge_with(&other, trust)).0, Damage::Foreign);
    assert_eq!(first(&judge_with(&other, anchor(1))).0, Damage::Altered);
}

#[test]
fn a_journal_of_before_there_were_keys_is_sound() {
    let mut chain = Chain::start("mine-1", 7);
    let mut lines = chain.snapshot(at(0), &Standing::default());
    lines.extend((2..900).map(|s| chain.next(&ended(s))));
    let verdict = judge(&lines);
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
    assert_eq!((verdict.checkpoints, verdict.key), (0, None));
}

#[test]
fn a_line_of_a_later_version_is_refused_in_words() {
    let line = journal()[0].replace("\"v\":1", "\"v\":2");
    let verdict = judge(&[line]);
    assert!(verdict.findings[0].what.contains("newer davy"), "{:?}", verdict.findings);
}
