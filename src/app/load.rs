//! Reads a site file and what it draws in, and hands the texts to the compiler in `config/`.

use crate::config::{self, Compiled, Extras, Faults, Source};
use crate::io::files;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Why there is no plan.
#[derive(Debug)]
pub enum LoadError {
    /// A file could not be read; in words.
    Unreadable(String),
    /// The compiler's answer.
    Faulty(Faults),
}

impl From<Faults> for LoadError {
    fn from(faults: Faults) -> LoadError {
        LoadError::Faulty(faults)
    }
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
    let mut compiled = config::compile_with(&site, |own| {
        let profiles = read_folder(path, own.profiles.as_deref())?;
        let standards = read_folder(path, own.standards.as_deref())?;
        Ok::<_, LoadError>(Extras { profiles, standards })
    })?;
    let state = beside(path, &compiled.plan.state_dir).into_os_string().into_string();
    compiled.plan.state_dir = state.map_err(|state| {
        LoadError::Unreadable(format!("the state folder {} is no UTF-8: name it in full", state.display()))
    })?;
    let named = compiled.plan.destinations.iter_mut().filter_map(|(_, d)| d.password_file.as_mut());
    named.for_each(|file| {
        // What is no UTF-8 stays as it was written, and is found missing.
        if let Ok(full) = beside(path, file).into_os_string().into_string() {
            *file = full;
        }
    });
    compiled.check_secrets(|file| files::unfit_secret(Path::new(file)));
    let real = |port: &str| Some(std::fs::canonicalize(port).ok()?.to_string_lossy().into_owned());
    Ok(compiled.check_ports(real)?)
}

/// A folder that the site file at `path` names: it counts from where that file lies.
pub(super) fn beside(path: &Path, folder: &str) -> PathBuf {
    path.parent().unwrap_or(Path::new(".")).join(folder)
}

/// The state folder that a site file names. A file that is broken otherwise names it too: whoever has spoilt the file of
/// a running agent must still be able to ask it, to acknowledge and to reset.
///
/// # Errors
/// [`LoadError`], where it names none.
pub fn state_folder(path: &Path) -> Result<PathBuf, LoadError> {
    match config::own_folders(&read(path)?.text).state {
        Some(folder) => Ok(beside(path, &folder)),
        None => load(path).map(|compiled| PathBuf::from(compiled.plan.state_dir)),
    }
}

pub(super) fn read(path: &Path) -> Result<Source, LoadError> {
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
    file.take(Source::MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() > Source::MAX_BYTES {
        return Err(LoadError::Unreadable(format!(
            "{name} is longer than {} MiB: that is no site file; check the path",
            Source::MAX_BYTES / 1024 / 1024
        )));
    }
    Source::from_bytes(&name, &bytes).map_err(LoadError::Faulty)
}

/// The profiles in a folder that no site file names.
///
/// # Errors
/// [`LoadError`].
pub fn folder(folder: &Path) -> Result<Vec<Source>, LoadError> {
    let name = folder.to_str().ok_or_else(|| {
        LoadError::Unreadable(format!("the folder {} is no UTF-8: name it otherwise", folder.display()))
    })?;
    read_folder(Path::new(""), Some(name))
}

/// The `.toml` files of a site's own folder, in the order of their names.
fn read_folder(site: &Path, folder: Option<&str>) -> Result<Vec<Source>, LoadError> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let folder = beside(site, folder);
    let fail = |e: std::io::Error| {
        LoadError::Unreadable(format!("cannot read the folder {}: {e}", folder.display()))
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            paths.push(path);
        }
        if paths.len() > Extras::MAX_FILES {
            return Err(LoadError::Unreadable(format!(
                "{} holds more than {} files",
                folder.display(),
                Extras::MAX_FILES
            )));
        }
    }
    paths.sort();
    paths.iter().map(|p| read(p)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct File(PathBuf);

    impl File {
        fn new(name: &str, text: &str) -> File {
            let path = std::env::temp_dir().join(format!("davy-{name}-{}.toml", std::process::id()));
            std::fs::write(&path, text).unwrap();
            File(path)
        }

        fn state(&self) -> PathBuf {
            state_folder(&self.0).unwrap()
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            drop(std::fs::remove_file(&self.0));
        }
    }

    #[test]
    fn a_site_file_spoilt_under_a_running_agent_still_names_its_state_folder() {
        let spoilt = "\n[[points]]\nid = \n";
        let file = File::new("spoilt", &format!("[gateway]\nstate = \"/srv/davy\"{spoilt}"));
        assert!(load(&file.0).is_err());
        assert_eq!(file.state(), Path::new("/srv/davy"));
        let file = File::new("unwritten", &format!("[gateway]\nid = \"gw\"{spoilt}"));
        assert_eq!(file.state(), Path::new("/var/lib/davy"));
        let file = File::new("garbage", "garbage[");
        assert!(state_folder(&file.0).is_err());
    }

    #[test]
    fn a_relative_state_folder_counts_from_the_site_file() {
        let text = include_str!("../../config/demo.toml").replace("\"/var/lib/davy\"", "\"state/here\"");
        let file = File::new("relative", &text);
        let expected = std::env::temp_dir().join("state/here");
        assert_eq!(file.state(), expected);
        assert_eq!(load(&file.0).unwrap().plan.state_dir, expected.to_str().unwrap());
    }

    /// Two names of one serial port, of which only a look at the file system tells.
    #[test]
    fn two_buses_on_one_port_by_a_symbolic_link_are_refused() {
        let folder = std::env::temp_dir().join(format!("davy-ports-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (port, other) = (folder.join("ttyS1"), folder.join("by-id"));
        std::fs::write(&port, "").unwrap();
        drop(std::fs::remove_file(&other));
        std::os::unix::fs::symlink(&port, &other).unwrap();
        let link = |path: &Path| format!("\"rtu://{}?baud=115200\"", path.display());
        let text = include_str!("../../config/demo.toml")
            .replace("\"tcp://127.0.0.1:15021\"", &link(&port))
            .replace("\"tcp://127.0.0.1:15022\"", &link(&other));
        let LoadError::Faulty(faults) = load(&File::new("ports", &text).0).unwrap_err() else { panic!() };
        let first = faults.iter().next().unwrap();
        assert_eq!((first.code, faults.errors()), ("same-port", 1), "{}", faults.render(false));
        let apart = text.replace(&link(&other), &link(&folder.join("ttyS2")));
        assert!(load(&File::new("apart", &apart).0).is_ok());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
