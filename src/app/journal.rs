//! `davy journal`: what an inspector does with a journal, without an agent and without a network.

mod copy;
mod show;

use super::args::{Journal, JournalWhat, Verify};
use super::{BAD_CONFIG, FAILED, err, out};
use crate::io::journal::audit;
use crate::model::point::is_plain;
use crate::model::record::Seq;
use crate::record::chain::Digest;
use crate::record::entry::Entry;
use crate::record::seal::PublicKey;
use crate::record::verify::{Trust, Verdict};
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

/// Longest file with anchors or a key that is read.
const SMALL_BYTES: u64 = 16 * 1024 * 1024;

/// `davy journal`.
pub(super) fn journal(args: &Journal) -> ExitCode {
    match &args.what {
        JournalWhat::Verify(args) => verify(args),
        JournalWhat::Show(args) => show::show(args),
        JournalWhat::Export(args) => copy::export(args),
        JournalWhat::Salvage(args) => copy::salvage(args),
    }
}

/// 0 where the journal is sound, 1 where it is damaged, 2 where there is none or the arguments are wrong.
fn verify(args: &Verify) -> ExitCode {
    let trust = match trust(args) {
        Ok(trust) => trust,
        Err(why) => {
            err(&format!("error: {why}\n"));
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let terminal = std::io::stderr().is_terminal();
    let progress = |verdict: &Verdict, total: u64| {
        if terminal {
            let percent = verdict.bytes.saturating_mul(100).checked_div(total).unwrap_or(100).min(100);
            err(&format!("\r{percent:3} % {} entries", verdict.entries));
        }
    };
    let outcome = audit::verify(&args.dir, trust, progress);
    if terminal {
        err("\r\u{1b}[K");
    }
    match outcome {
        Ok(verdict) => {
            out(&said(&verdict));
            if verdict.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
        }
        Err(why) => {
            err(&format!("error: {why}\n"));
            ExitCode::from(BAD_CONFIG)
        }
    }
}

fn trust(args: &Verify) -> Result<Trust, String> {
    let mut trust = Trust::default();
    for text in &args.anchor {
        let before = trust.anchors.len();
        if let Some(anchor) = anchor(text) {
            trust.anchors.insert(anchor.0, anchor.1);
        } else {
            for line in small_text(text, "an anchor is SEQ:HASH, or a file")?.lines() {
                if let Ok(entry) = Entry::parse(line.trim_end().as_bytes()) {
                    trust.anchors.insert(entry.seq, Digest::of(line.trim_end().as_bytes()));
                } else if let Some(anchor) = self::anchor(line.trim()) {
                    trust.anchors.insert(anchor.0, anchor.1);
                }
            }
        }
        if trust.anchors.len() == before {
            return Err(format!(
                "{text} holds no anchor: neither SEQ:HASH nor an event as it was told over MQTT"
            ));
        }
    }
    for text in &args.key {
        let key = match PublicKey::parse(text) {
            Some(key) => Some(key),
            None => {
                let text = small_text(text, "a public key is 64 hexadecimal digits, or a PEM file")?;
                PublicKey::from_pem(&text).or_else(|| PublicKey::parse(text.trim()))
            }
        };
        trust.keys.push(key.ok_or_else(|| format!("{text} holds no Ed25519 public key"))?);
    }
    Ok(trust)
}

fn anchor(text: &str) -> Option<(Seq, Digest)> {
    let (seq, digest) = text.split_once(':')?;
    Some((Seq(seq.parse().ok()?), Digest::parse(&digest.to_ascii_lowercase())?))
}

fn small_text(path: &str, what: &str) -> Result<String, String> {
    let found = std::fs::metadata(path).map_err(|e| format!("{path}: {e}; {what}"))?;
    if !found.is_file() || found.len() > SMALL_BYTES {
        return Err(format!("{path} is no file, or too long; {what}"));
    }
    std::fs::read_to_string(Path::new(path)).map_err(|e| format!("{path}: {e}; {what}"))
}

/// What goes wrong for want of a journal, or of a right, is the arguments' fault.
fn refused(why: impl std::fmt::Display) -> ExitCode {
    err(&format!("error: {why}\n"));
    ExitCode::from(BAD_CONFIG)
}

/// A line for a terminal. What a journal holds may have been written by anybody, to hide a line or to pretend one.
fn plain(line: &str) -> String {
    line.chars().map(|c| if is_plain(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// What came out, for people.
fn said(verdict: &Verdict) -> String {
    let mut text = String::new();
    let mut say = |line: std::fmt::Arguments<'_>| text.push_str(&format!("{}\n", plain(&line.to_string())));
    let (first, last) = (verdict.first.unwrap_or_default(), verdict.last);
    let gateway = verdict.gateway.as_deref().unwrap_or("unknown");
    say(format_args!(
        "journal of {gateway}: {} entries in {} files of {} runs",
        verdict.entries, verdict.files, verdict.runs
    ));
    if let Some((seq, digest)) = last {
        say(format_args!("  entries    {first} to {seq}, whose hash is {digest}"));
    }
    match (verdict.key, verdict.sealed) {
        (Some(key), Some(sealed)) => {
            say(format_args!(
                "  signed     {} checkpoints seal all up to entry {sealed}",
                verdict.checkpoints
            ));
            say(format_args!("  key        {key}, rotated {} times", verdict.rotations));
        }
        (Some(key), None) => say(format_args!("  signed     not yet; key {key}")),
        (None, _) => say(format_args!(
            "  signed     no: the journal of a davy that had no key yet; the chain alone speaks for it"
        )),
    }
    if verdict.unsealed > 0 {
        say(format_args!(
            "  unsealed   the last {} entries: chained, and not signed yet (a checkpoint comes every minute)",
            verdict.unsealed
        ));
    }
    if let Some(seq) = verdict.anchored {
        say(format_args!("  anchored   entry {seq} is the one that the far side holds"));
    }
    if let Some(seq) = verdict.unchecked_anchor {
        say(format_args!("  anchor     of entry {seq} not checked: the journal begins behind it"));
    }
    let clocks = verdict.clocks;
    if let Some(seq) = clocks.first_step {
        say(format_args!(
            "  clock      stepped {} times, first before entry {seq}; the order is by number",
            clocks.steps
        ));
    }
    if clocks.unset > 0 {
        say(format_args!("  clock      not set yet for {} entries; the order is by number", clocks.unset));
    }
    if verdict.is_sound() {
        say(format_args!("SOUND"));
        return text;
    }
    for finding in &verdict.findings {
        let seq = finding.seq.map_or_else(String::new, |seq| format!(" entry {seq}"));
        say(format_args!(
            "{}:{}:{seq} {}: {}",
            finding.file,
            finding.line,
            finding.damage.as_str(),
            finding.what
        ));
    }
    let counts: Vec<String> = verdict.damages.iter().map(|(d, n)| format!("{n} {}", d.as_str())).collect();
    say(format_args!("DAMAGED: {}; the first one is where to look", counts.join(", ")));
    text
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_a_foreign_journal_holds_moves_no_cursor() {
        assert_eq!(
            plain("li\u{1b}[2K\r\nSOUND\u{202e}x 张"),
            "li\u{fffd}[2K\u{fffd}\u{fffd}SOUND\u{fffd}x 张"
        );
    }
}
