//! Reads a site file and what it draws in, and hands the texts to the compiler in `config/`.

use crate::config::{self, Compiled, Extras, Faults, Source};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Longest file that is read: a site of 2,048 points takes less than a tenth of it.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// Most profile or standard files of a site's own.
const OWN_FILES_MAX: usize = 500;

/// Why there is no plan.
#[derive(Debug)]
pub enum LoadError {
    /// A file could not be read; in words.
    Unreadable(String),
    /// The compiler's answer.
    Faulty(Faults),
}

impl LoadError {
    /// In one line, for the record: the first fault stands for all.
    #[must_use]
    pub fn in_a_line(&self) -> String {
        let faults = match self {
            LoadError::Unreadable(why) => return why.clone(),
            LoadError::Faulty(faults) => faults,
        };
        let first = faults.iter().next().map_or_else(String::new, |fault| {
            let ((line, column), file) = (fault.place.line_column(), &fault.place.source.name);
            format!("{file}:{line}:{column}: {}", fault.message)
        });
        format!("{first} ({})", faults.summary())
    }
}

/// Reads and compiles a site file.
///
/// # Errors
/// [`LoadError`].
pub fn load(path: &Path) -> Result<Compiled, LoadError> {
    let site = read(path)?;
    let base = path.parent().unwrap_or(Path::new("."));
    let own = config::own_folders(&site.text);
    let profiles = read_folder(base, own.profiles.as_deref())?;
    let standards = read_folder(base, own.standards.as_deref())?;
    config::compile(&site, &Extras { profiles, standards }).map_err(LoadError::Faulty)
}

/// The state folder that a site file names. A file that is broken otherwise names it too: whoever has spoilt the file of
/// a running agent must still be able to ask it, to acknowledge and to reset.
///
/// # Errors
/// [`LoadError`], where it names none.
pub fn state_folder(path: &Path) -> Result<PathBuf, LoadError> {
    match config::own_folders(&read(path)?.text).state {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => load(path).map(|compiled| PathBuf::from(compiled.plan.state_dir)),
    }
}

fn read(path: &Path) -> Result<Source, LoadError> {
    let name = path.display().to_string();
    let fail = |e: std::io::Error| {
        let hint = if e.kind() == ErrorKind::NotFound {
            "; check the path, or copy config/demo.toml and start from that"
        } else if e.kind() == ErrorKind::PermissionDenied {
            "; the user that runs davy must be able to read it"
        } else if e.kind() == ErrorKind::IsADirectory {
            "; name the file itself"
        } else {
            ""
        };
        LoadError::Unreadable(format!("cannot read {name}: {e}{hint}"))
    };
    let file = std::fs::File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(LoadError::Unreadable(format!(
            "{name} is longer than {} MiB: that is no site file; check the path",
            FILE_MAX / 1024 / 1024
        )));
    }
    Source::from_bytes(&name, &bytes).map_err(LoadError::Faulty)
}

/// The `.toml` files of a site's own folder, in the order of their names.
fn read_folder(base: &Path, folder: Option<&str>) -> Result<Vec<Source>, LoadError> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let folder = base.join(folder);
    let fail = |e: std::io::Error| {
        LoadError::Unreadable(format!(
            "cannot read the folder {} that the site file names: {e}",
            folder.display()
        ))
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            paths.push(path);
        }
        if paths.len() > OWN_FILES_MAX {
            return Err(LoadError::Unreadable(format!(
                "{} holds more than {OWN_FILES_MAX} files",
                folder.display()
            )));
        }
    }
    paths.sort();
    paths.iter().map(|p| read(p)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_file_spoilt_under_a_running_agent_still_names_its_state_folder() {
        let file = std::env::temp_dir().join(format!("davy-spoilt-{}.toml", std::process::id()));
        std::fs::write(&file, "[gateway]\nstate = \"/var/lib/davy\"\n[[points]]\nid = \n").unwrap();
        assert!(load(&file).is_err());
        assert_eq!(state_folder(&file).unwrap(), Path::new("/var/lib/davy"));
        std::fs::write(&file, "garbage[").unwrap();
        assert!(state_folder(&file).is_err());
        std::fs::remove_file(file).unwrap();
    }
}
