//! The state folder: made, marked with its format and locked, so that two agents never write one journal. What lies
//! in it belongs to `journal` and `buffer`.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The format of the state folder that this program writes.
const FORMAT: u32 = 1;

/// Permissions of the folder: its owner writes, its group reads, nobody else looks.
const FOLDER_MODE: u32 = 0o750;

/// Permissions of files in the folder.
pub const FILE_MODE: u32 = 0o640;

/// Longest text read out of the small files here; anything longer was not written by Davy.
const SMALL_FILE_MAX_BYTES: u64 = 64;

/// A state folder that is ours for as long as this lives.
#[derive(Debug)]
pub struct State {
    dir: PathBuf,
    used_before: bool,
    /// Locked: the folder itself, which nobody can take away and leave its name to another agent unseen; and a file in
    /// it, which says who has it.
    _locked: [File; 2],
}

/// Why a state folder can't be used.
#[derive(Debug)]
pub enum StateError {
    /// It cannot be made or written.
    Unwritable {
        /// What was tried on.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Another process has it.
    InUse {
        /// The folder.
        dir: PathBuf,
        /// The process that says it has it.
        holder: Option<u32>,
    },
    /// It was written by a newer Davy, or is not Davy's at all.
    Format {
        /// The marker.
        path: PathBuf,
        /// What stands in it.
        found: String,
    },
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::Unwritable { path, cause } => write!(
                f,
                "state folder: cannot write {}: {cause}; give the folder to davy's user (chown), or name another \
                 with --state DIR",
                path.display()
            ),
            StateError::InUse { dir, holder: Some(pid) } => write!(
                f,
                "state folder {} is in use by another davy, process {pid}; stop that one, or name another folder \
                 with --state DIR",
                dir.display()
            ),
            StateError::InUse { dir, holder: None } => write!(
                f,
                "state folder {} is in use by another davy; stop that one, or name another folder with --state DIR",
                dir.display()
            ),
            StateError::Format { path, found } => write!(
                f,
                "state folder: {} says `{found}`, and this davy knows `{}`; use a newer davy, or another folder \
                 with --state DIR",
                path.display(),
                marker()
            ),
        }
    }
}

impl std::error::Error for StateError {}

impl State {
    /// Makes the folder `dir` where there is none, locks it and checks its format.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn lock(dir: &Path) -> Result<State, StateError> {
        make_folder(dir).map_err(unwritable(dir))?;
        let path = dir.join("lock");
        let in_use = || {
            let holder = small_text(&path).ok().and_then(|text| text.parse().ok());
            StateError::InUse { dir: dir.to_owned(), holder }
        };
        let folder = File::open(dir).map_err(unwritable(dir))?;
        match folder.try_lock() {
            // Where folders can't be locked, the file is.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use()),
        }
        // What is written here must not land in a file of somebody else's choice.
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            return Err(unwritable(&path)(io::Error::other("it is a symbolic link; remove it")));
        }
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .custom_flags(O_NONBLOCK)
            .open(&path)
            .map_err(unwritable(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use()),
            Err(TryLockError::Error(cause)) => return Err(unwritable(&path)(cause)),
        }
        let used_before = check_format(dir)?;
        // The number is for the message of whoever comes second: a full disk must not keep the first one from its work.
        drop(lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())));
        Ok(State { dir: dir.to_owned(), used_before, _locked: [folder, lock] })
    }

    /// Whether an agent has had it before.
    #[must_use]
    pub const fn used_before(&self) -> bool {
        self.used_before
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Whether it is certain that no agent has the state folder `dir`, which could not be locked because it can't be
/// written: nothing is locked there, or the lock is free. Where that can't even be looked at it is not.
#[must_use]
pub fn is_free(dir: &Path) -> bool {
    [File::open(dir), open_plain(&dir.join("lock"))].into_iter().all(|opened| match opened {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(e) => matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    })
}

/// Which folder `dir` is: another answer than before means that it was taken away, or has given way to another.
#[must_use]
pub fn identity(dir: &Path) -> Option<(u64, u64)> {
    fs::metadata(dir).ok().map(|found| (found.dev(), found.ino()))
}

/// Makes the folder `dir` in a place where everybody may make some; refuses one that somebody else has made.
///
/// # Errors
/// What the system says, or that it belongs to another.
pub fn make_own_folder(dir: &Path) -> io::Result<()> {
    make_folder(dir)?;
    let (found, own) = (fs::symlink_metadata(dir)?, fs::metadata("/proc/self")?);
    if found.is_dir() && found.uid() == own.uid() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{} is not ours", dir.display())))
    }
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |cause| StateError::Unwritable { path, cause }
}

fn marker() -> String {
    format!("davy state {FORMAT}")
}

/// Checks the folder's format, or marks it; says whether it was marked before.
fn check_format(dir: &Path) -> Result<bool, StateError> {
    let path = dir.join("FORMAT");
    match small_text(&path) {
        Ok(text) if text == marker() => Ok(true),
        // Power went while it was written: what came to the disk is its beginning, or nothing, or zeros.
        Ok(text) if marker().starts_with(text.trim_end_matches('\0')) => {
            write_marker(dir, &path).map(|()| false)
        }
        Ok(found) => Err(StateError::Format { path, found }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => write_marker(dir, &path).map(|()| false),
        Err(cause) => Err(unwritable(&path)(cause)),
    }
}

fn write_marker(dir: &Path, path: &Path) -> Result<(), StateError> {
    let write = || {
        let mut file = create(path)?;
        writeln!(file, "{}", marker())?;
        file.sync_all()?;
        sync_folder(dir)?;
        // The folder above may be one that davy can't open, and then it was not made just now.
        dir.parent().map_or(Ok(()), |above| sync_folder(above).or(Ok(())))
    };
    write().map_err(unwritable(path))
}

fn small_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    open_plain(path)?.take(SMALL_FILE_MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// What stands against a file that holds a password and nothing else, in words.
#[must_use]
pub fn unfit_secret(path: &Path) -> Option<String> {
    let shown = path.display();
    let found = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(e) => return Some(format!("the password file {shown} can't be read: {e}")),
    };
    if !found.is_file() {
        return Some(format!("{shown} is no file, and can hold no password"));
    }
    if found.mode() & 0o007 != 0 {
        return Some(format!("everybody on this machine may use the password file {shown}"));
    }
    File::open(path).err().map(|e| format!("the password file {shown} can't be read: {e}"))
}

/// Makes the folder `dir` and those above it, where they are missing.
///
/// # Errors
/// What the system says.
pub fn make_folder(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(dir)
}

/// Opening does not wait for somebody at the other end, and takes no symbolic link (`fcntl.h` of Linux).
const O_NONBLOCK: i32 = 0o4000;
#[cfg(not(any(target_arch = "arm", target_arch = "aarch64")))]
const O_NOFOLLOW: i32 = 0o400_000;
#[cfg(any(target_arch = "arm", target_arch = "aarch64"))]
const O_NOFOLLOW: i32 = 0o100_000;

/// Opens a file or folder to read it. A pipe or a device in its place would keep us waiting for ever, and a symbolic
/// link would lead elsewhere: both are errors.
///
/// # Errors
/// What the system says, or what it is.
pub fn open_plain(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK | O_NOFOLLOW).open(path)?;
    let found = file.metadata()?.file_type();
    if found.is_file() || found.is_dir() {
        Ok(file)
    } else {
        Err(io::Error::other("it is neither file nor folder"))
    }
}

/// Makes the file `path`, or empties it. What is written there does not land where a symbolic link leads.
///
/// # Errors
/// What the system says.
pub fn create(path: &Path) -> io::Result<File> {
    let flags = O_NOFOLLOW | O_NONBLOCK;
    OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).custom_flags(flags).open(path)
}

/// Gives the file `path` these bytes: whoever reads it, after a power cut too, finds the old ones or the new ones.
///
/// # Errors
/// What the system says.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_added_extension("new");
    // Whatever lies there is a leftover, or led elsewhere.
    match fs::symlink_metadata(&fresh) {
        Ok(found) if !found.is_file() => fs::remove_file(&fresh)?,
        Ok(_) | Err(_) => {}
    }
    let mut file = create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Writes these bytes over the beginning of the file `path`, which is made where there is none: where it is as long
/// already even a full disk takes them.
///
/// # Errors
/// What the system says.
pub fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let flags = O_NOFOLLOW | O_NONBLOCK;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags(flags)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in the folder `dir` outlive a power cut.
///
/// # Errors
/// What the system says.
pub fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Renames `path` to `path.damaged-N` with a free N up to `keep`, and says the new name. Where none is free the last
/// one gives way: damage that comes back again and again must not fill the disk.
///
/// # Errors
/// What the system says.
pub fn set_aside(path: &Path, keep: u32) -> io::Result<PathBuf> {
    let named = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{n}"));
        PathBuf::from(name)
    };
    let aside = (1..=keep).map(named).find(|p| !p.exists()).unwrap_or_else(|| named(keep));
    if aside.is_dir() {
        fs::remove_dir_all(&aside)?;
    }
    fs::rename(path, &aside)?;
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_folder_is_free_only_where_that_is_certain() {
        let dir = std::env::temp_dir().join(format!("davy-files-{}", std::process::id()));
        assert!(is_free(&dir), "there is none");
        let state = State::lock(&dir).unwrap();
        assert!(!is_free(&dir), "an agent has it");
        assert!(is_free(&dir.join("lock").join("below")), "there can be none below a file");
        drop(state);
        assert!(is_free(&dir), "the agent has gone");
        fs::remove_dir_all(dir).unwrap();
    }
}
