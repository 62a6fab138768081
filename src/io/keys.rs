//! The gateway's signing key in the state folder: made at the first start, read at every other one, changed so that no
//! power cut can take both the old and the new one. What is signed with it is `record/seal`'s business.
//!
//! ```text
//! new key ──▶ journal.key.next, on disk ──▶ entry signed by the old key, on disk ──▶ renamed to journal.key
//! ```
//! A start that finds `journal.key.next` looks whether the journal announces it: then the name was all that was missing,
//! otherwise the old key is still in force.

use super::files::{open_plain, set_aside, sync_folder};
use crate::record::seal::{PublicKey, SECRET_BYTES, SecretKey};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Its name in the state folder.
const NAME: &str = "journal.key";

/// The name of one that is not in force yet.
const NEXT: &str = "journal.key.next";

/// Damaged keys that are kept.
const DAMAGED_MAX: u32 = 9;

/// Nobody but the owner reads or writes a key.
const SECRET_MODE: u32 = 0o600;

/// Opening does not wait (`fcntl.h` of Linux).
const O_NONBLOCK: i32 = 0o4000;

/// The key in force, where the journal announces `announced`. Makes one where there is none that can be used: the
/// journal then says so.
///
/// # Errors
/// What the system says, or that it has no random numbers yet.
pub fn open(dir: &Path, announced: Option<PublicKey>) -> io::Result<SecretKey> {
    let (path, next) = (dir.join(NAME), dir.join(NEXT));
    match read(&next)? {
        Some(key) if Some(key.public()) == announced => {
            promote(dir)?;
            return Ok(key);
        }
        Some(_) => fs::remove_file(&next)?,
        None => {}
    }
    match read(&path)? {
        Some(key) => Ok(key),
        None => make(&path),
    }
}

/// The key in force as far as its file tells; `None` where there is none.
///
/// # Errors
/// What the system says.
pub fn peek(dir: &Path) -> io::Result<Option<SecretKey>> {
    match bytes(&dir.join(NAME)) {
        Ok(bytes) => Ok(SecretKey::from_pkcs8(&bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Makes a key that is not in force yet.
///
/// # Errors
/// What the system says.
pub fn make_next(dir: &Path) -> io::Result<SecretKey> {
    make(&dir.join(NEXT))
}

/// The key made last is in force from now on.
///
/// # Errors
/// What the system says.
pub fn promote(dir: &Path) -> io::Result<()> {
    fs::rename(dir.join(NEXT), dir.join(NAME))?;
    sync_folder(dir)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One more, so that what is longer is not taken for a key.
    open_plain(path)?.take(SECRET_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The key in a file. What is none is set aside, and none is there.
fn read(path: &Path) -> io::Result<Option<SecretKey>> {
    let bytes = match bytes(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let Some(key) = SecretKey::from_pkcs8(&bytes) else {
        let aside = set_aside(path, DAMAGED_MAX)?;
        tracing::error!(aside = %aside.display(), "the signing key's file holds no key and was set aside");
        return Ok(None);
    };
    if fs::metadata(path)?.mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others could read the signing key: its permissions are put right");
        fs::set_permissions(path, Permissions::from_mode(SECRET_MODE))?;
    }
    Ok(Some(key))
}

/// Makes a key: whole under its name, or not at all.
fn make(path: &Path) -> io::Result<SecretKey> {
    let mut seed = [0u8; 32];
    // Says so where there are no random numbers yet, and does not wait for them.
    OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open("/dev/random")?.read_exact(&mut seed)?;
    let key = SecretKey::from_seed(seed).ok_or_else(|| io::Error::other("no key grows from this seed"))?;
    let fresh = path.with_added_extension("new");
    match fs::remove_file(&fresh) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(SECRET_MODE).open(&fresh)?;
    file.write_all(key.pkcs8())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    path.parent().map_or(Ok(()), sync_folder)?;
    Ok(key)
}

/// Where the key lies, for messages.
#[must_use]
pub fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("davy-keys-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&dir));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_key_is_made_once_and_is_its_owners_only() {
        let dir = folder("made");
        assert!(peek(&dir).unwrap().is_none());
        let key = open(&dir, None).unwrap();
        assert_eq!(fs::metadata(path(&dir)).unwrap().mode() & 0o777, 0o600);
        assert_eq!(open(&dir, None).unwrap().public(), key.public());
        assert_eq!(peek(&dir).unwrap().unwrap().public(), key.public());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_power_cut_at_any_point_of_a_rotation_leaves_the_key_that_the_journal_announces() {
        let dir = folder("rotated");
        let old = open(&dir, None).unwrap().public();
        // Cut before the entry was on disk.
        make_next(&dir).unwrap();
        assert_eq!(open(&dir, Some(old)).unwrap().public(), old);
        assert!(!dir.join(NEXT).exists());
        // Cut behind that.
        let new = make_next(&dir).unwrap().public();
        assert_eq!(open(&dir, Some(new)).unwrap().public(), new);
        assert_eq!(open(&dir, Some(new)).unwrap().public(), new);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_is_no_key_is_kept_aside_and_a_link_is_not_followed() {
        let dir = folder("damaged");
        fs::write(path(&dir), "x").unwrap();
        open(&dir, None).unwrap();
        assert_eq!(fs::read(dir.join("journal.key.damaged-1")).unwrap(), b"x");
        fs::rename(path(&dir), dir.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(dir.join("elsewhere"), path(&dir)).unwrap();
        assert!(open(&dir, None).is_err());
        fs::remove_dir_all(dir).unwrap();
    }
}
