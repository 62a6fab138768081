//! The two sides as child processes, and what they cost by the kernel's count.

use super::bare::Line;
use super::{BARE, Outcome, site};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// One side at work. Dropping it kills it.
pub(crate) struct Side(Child);

/// Starts the bare loop.
pub(crate) fn bare(lines: &[Line]) -> Outcome<Side> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(BARE).args(lines.iter().map(|l| l.words()));
    Ok(Side(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?))
}

/// A Davy that is ready to be started, with a clean state folder under `folder`.
pub(crate) struct Davy {
    config: PathBuf,
    state: PathBuf,
    log: PathBuf,
}

impl Davy {
    pub(crate) fn new(folder: &Path, broker: SocketAddr, lines: &[Line]) -> Outcome<Davy> {
        let (config, state) = (folder.join("site.toml"), folder.join("state"));
        drop(fs::remove_dir_all(&state));
        fs::create_dir_all(&state)?;
        fs::write(&config, site::file(&state, broker, lines))?;
        Ok(Davy { config, state, log: folder.join("log") })
    }

    pub(crate) fn start(&self) -> Outcome<Side> {
        let log = File::create(&self.log)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_davy"));
        command.arg("run").arg("--config").arg(&self.config);
        Ok(Side(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?))
    }

    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// What it logged, to be shown where a bench fails.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Side {
    /// The processor time of all its threads so far.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let mut total = Duration::ZERO;
        for task in fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            // A thread may end between the listing and the reading.
            let stat = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let ns = stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
            total += Duration::from_nanos(ns);
        }
        Ok(total)
    }

    /// The most memory that it had at any moment, in MiB.
    pub(crate) fn peak_mib(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
