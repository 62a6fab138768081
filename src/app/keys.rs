//! `davy keys`: the key that signs the journal. A running agent is asked; where none runs, its state folder is held
//! meanwhile as an agent would hold it.

use super::args::{Folder, Keys, KeysWhat};
use super::orders::{put, state_dir};
use super::{BAD_CONFIG, FAILED, err, out};
use crate::app::agent::boot_id;
use crate::io::clock::Clock;
use crate::io::files::{State, StateError};
use crate::io::journal::{Journal, audit};
use crate::io::{buffer, keys};
use crate::model::record::Who;
use crate::record::seal::PublicKey;
use serde_json::json;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How long the disk may take for a rotation.
const PATIENCE: Duration = Duration::from_secs(10);

/// `davy keys`.
pub(super) fn keys(args: &Keys) -> ExitCode {
    let (KeysWhat::New(folder) | KeysWhat::Show(folder) | KeysWhat::Rotate(folder)) = &args.what;
    let dir = match state_dir(&folder.which) {
        Ok(dir) => dir,
        Err(why) => {
            err(&why);
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let outcome = match &args.what {
        KeysWhat::New(_) => new(&dir),
        KeysWhat::Show(_) => show(&dir),
        KeysWhat::Rotate(folder) => rotate(folder, &dir),
    };
    outcome.unwrap_or_else(|why| {
        err(&format!("error: {why}\n"));
        ExitCode::from(FAILED)
    })
}

fn show(dir: &Path) -> Result<ExitCode, String> {
    match keys::peek(dir).map_err(|e| format!("cannot read {}: {e}", keys::path(dir).display()))? {
        Some(key) => {
            say(key.public());
            Ok(ExitCode::SUCCESS)
        }
        None => Err(format!(
            "there is no key in {}: the agent makes one at its first start, or `davy keys new` does; where there was one, see \
             `davy status`",
            dir.display()
        )),
    }
}

fn say(key: PublicKey) {
    out(&format!("{key}\n{}", key.pem()));
}

fn new(dir: &Path) -> Result<ExitCode, String> {
    if let Ok(Some(key)) = keys::peek(dir) {
        say(key.public());
        return Err("there is a key already; `davy keys rotate` changes it".to_owned());
    }
    if audit::folder(dir).is_ok() {
        return Err(format!(
            "{} holds a journal and no key: the agent makes one at its next start, and puts on record whether one was lost",
            dir.display()
        ));
    }
    let _held = lock(dir)?;
    let key = keys::open(dir, None).map_err(|e| format!("cannot make {}: {e}", keys::path(dir).display()))?;
    say(key.public());
    Ok(ExitCode::SUCCESS)
}

fn lock(dir: &Path) -> Result<State, String> {
    is_ours(dir)?;
    State::lock(dir).map_err(|e| e.to_string())
}

/// What another account makes here the agent could not read.
fn is_ours(dir: &Path) -> Result<(), String> {
    let own = std::fs::metadata("/proc/self").map_err(|e| format!("cannot read /proc: {e}"))?.uid();
    match std::fs::metadata(dir) {
        Ok(found) if found.uid() != own => Err(format!(
            "{} belongs to another account (uid {}), which could not read what you make there: run this as that one (sudo -u)",
            dir.display(),
            found.uid()
        )),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn rotate(folder: &Folder, dir: &Path) -> Result<ExitCode, String> {
    is_ours(dir).or_else(|why| if dir.join(crate::io::local::NAME).exists() { Ok(()) } else { Err(why) })?;
    if audit::folder(dir).is_err() {
        return Err(format!("{} holds no journal, and so no key to rotate", dir.display()));
    }
    let held = match State::lock(dir) {
        Ok(held) => held,
        // It runs: then it does it.
        Err(StateError::InUse { .. }) => return Ok(put(&folder.which, &json!({ "do": "rotate-key" }))),
        Err(e) => return Err(e.to_string()),
    };
    let key = rotate_offline(dir)?;
    drop(held);
    say(key);
    Ok(ExitCode::SUCCESS)
}

/// As the agent would do it, in a run of its own.
fn rotate_offline(dir: &Path) -> Result<PublicKey, String> {
    let Some(gateway) = audit::gateway(dir) else {
        return Err("the journal's last entry can't be read: see `davy journal verify`".to_owned());
    };
    let clock = Clock::start();
    let told = buffer::last_told(dir);
    let opened =
        Journal::open(dir, &gateway, boot_id(clock), clock, told, |_| {}).map_err(|e| e.to_string())?;
    let journal = opened.journal;
    let name =
        std::fs::metadata("/proc/self").map_or_else(|_| "?".to_owned(), |own| format!("uid {}", own.uid()));
    let who = Who { name, via: "local".to_owned() };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("the system gives no runtime: {e}"))?;
    let answer = journal.seal().and_then(|()| journal.rotate(who))?;
    let outcome = runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await });
    let outcome = match outcome {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) | Err(_) => {
            Err("the disk does not take the journal in time; look at it with `davy journal verify`"
                .to_owned())
        }
    };
    journal.close(PATIENCE).map_err(|left| format!("{} entries could not be written down", left.0))?;
    outcome
}
