//! `davy journal export` and `salvage`: a journal in another folder, whole for an inspector, or what can be read of a
//! damaged one.

use super::refused;
use crate::app::args::{Export, Salvage};
use crate::app::{FAILED, out};
use crate::io::journal::audit::{self, Follower, Met};
use crate::io::{files, keys};
use crate::record::chain::Digest;
use crate::record::verify::Trust;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The page that says how to verify.
const PAGE: &str = include_str!("../../../docs/journal.md");

/// Largest file that is copied in one piece: the journal's are of 8 MiB and what came last.
const COPY_MAX: u64 = 64 * 1024 * 1024;

/// `davy journal export`.
pub(super) fn export(args: &Export) -> ExitCode {
    let folder = match audit::folder(&args.dir) {
        Ok(folder) => folder,
        Err(why) => return refused(why),
    };
    match fill(args, &folder) {
        Ok(count) => {
            out(&format!(
                "{count} files in {}; verify them with `davy journal verify {}`, or as VERIFY.md says\n",
                args.to.display(),
                args.to.display()
            ));
            ExitCode::SUCCESS
        }
        Err(why) => {
            crate::app::err(&format!("error: {why}\n"));
            ExitCode::from(FAILED)
        }
    }
}

fn fill(args: &Export, folder: &Path) -> Result<usize, String> {
    let to = &args.to;
    make_empty(to)?;
    let inner = to.join("journal");
    fs::create_dir(&inner).map_err(|e| format!("cannot make {}: {e}", inner.display()))?;
    let mut list = Vec::new();
    for name in audit::names(&args.dir).map_err(|e| e.to_string())? {
        copy(&folder.join(&name), to, &format!("journal/{name}"), &mut list)?;
    }
    if let Some(config) = &args.config {
        copy(config, to, "site.toml", &mut list)?;
    }
    let mut put = |name: &str, text: &str| write(to, name, text.as_bytes(), &mut list);
    if let Ok(Some(key)) = keys::peek(&args.dir) {
        put("key.pem", &key.public().pem())?;
    }
    put("VERIFY.md", PAGE)?;
    let count = list.len();
    let manifest: String = list.iter().map(|(name, digest)| format!("{digest}  {name}\n")).collect();
    write(to, "MANIFEST.sha256", manifest.as_bytes(), &mut list)?;
    Ok(count.saturating_add(1))
}

/// A folder that holds nothing yet: what lies there is not overwritten.
fn make_empty(dir: &Path) -> Result<(), String> {
    files::make_folder(dir).map_err(|e| format!("cannot make {}: {e}", dir.display()))?;
    let mut found = fs::read_dir(dir).map_err(|e| format!("cannot read {}: {e}", dir.display()))?;
    match found.next() {
        None => Ok(()),
        Some(_) => Err(format!("{} is not empty: name a folder that is not there yet", dir.display())),
    }
}

fn copy(from: &Path, to: &Path, name: &str, list: &mut Vec<(String, Digest)>) -> Result<(), String> {
    let mut bytes = Vec::new();
    let mut read = || files::open_plain(from)?.take(COPY_MAX.saturating_add(1)).read_to_end(&mut bytes);
    read().map_err(|e| format!("cannot read {}: {e}", from.display()))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > COPY_MAX) {
        return Err(format!(
            "{} is longer than {COPY_MAX} bytes: nothing that Davy writes is",
            from.display()
        ));
    }
    // An entry that the agent is writing just now is for the next export.
    if name.ends_with(".jsonl") {
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at.saturating_add(1));
        bytes.truncate(whole);
    }
    write(to, name, &bytes, list)
}

fn write(to: &Path, name: &str, bytes: &[u8], list: &mut Vec<(String, Digest)>) -> Result<(), String> {
    let path = to.join(name);
    let put = || {
        let mut file = files::create(&path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    put().map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    list.push((name.to_owned(), Digest::of(bytes)));
    Ok(())
}

/// `davy journal salvage`: 0 where everything could be read, 1 where something is lost.
pub(super) fn salvage(args: &Salvage) -> ExitCode {
    let mut follower = match Follower::open(&args.dir) {
        Ok(follower) => follower,
        Err(why) => return refused(why),
    };
    if let Err(why) = make_empty(&args.to) {
        return refused(why);
    }
    let fail = |path: &Path, e: io::Error| {
        crate::app::err(&format!("error: cannot write {}: {e}\n", path.display()));
        ExitCode::from(FAILED)
    };
    let (entries, lost) = (args.to.join("entries.jsonl"), args.to.join("LOST.txt"));
    match save(&mut follower, &args.dir, &entries, &lost) {
        Ok((kept, 0)) => {
            out(&format!("{kept} entries, all that there are, in {}\n", entries.display()));
            ExitCode::SUCCESS
        }
        Ok((kept, gone)) => {
            out(&format!(
                "{kept} entries in {}; {gone} places damaged, see {}\n",
                entries.display(),
                lost.display()
            ));
            ExitCode::from(FAILED)
        }
        Err((path, e)) => fail(&path, e),
    }
}

fn save(
    follower: &mut Follower,
    dir: &Path,
    entries: &Path,
    lost: &Path,
) -> Result<(u64, u64), (PathBuf, io::Error)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |e| (path, e)
    };
    let mut to = BufWriter::new(files::create(entries).map_err(at(entries))?);
    let mut list = BufWriter::new(files::create(lost).map_err(at(lost))?);
    let (mut kept, mut outcome) = (0u64, Ok(()));
    let read = follower.read(|met| {
        let wrote = match met {
            Met::Entry(_, line) => {
                kept = kept.saturating_add(1);
                to.write_all(line).and_then(|()| to.write_all(b"\n"))
            }
            Met::Lost(file, line, why) => writeln!(list, "{file}:{line}: unreadable: {why}"),
        };
        if outcome.is_ok() {
            outcome = wrote;
        }
    });
    outcome.map_err(at(entries))?;
    read.map_err(|e| (dir.to_owned(), io::Error::other(e.to_string())))?;
    // What hangs together no more, though each line can be read, is the verifier's to say.
    let verdict = audit::verify(dir, Trust::default(), |_, _| {})
        .map_err(|e| (dir.to_owned(), io::Error::other(e.to_string())))?;
    for finding in &verdict.findings {
        let seq = finding.seq.map_or_else(String::new, |seq| format!(" entry {seq}"));
        writeln!(
            list,
            "{}:{}:{seq} {}: {}",
            finding.file,
            finding.line,
            finding.damage.as_str(),
            finding.what
        )
        .map_err(at(lost))?;
    }
    to.flush().map_err(at(entries))?;
    list.flush().map_err(at(lost))?;
    Ok((kept, verdict.damages.values().copied().fold(0, u64::saturating_add)))
}
