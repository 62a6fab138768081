//! Signals to the program itself: a bad day for the site file must not keep it from ending.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that can't start the program, or waits in vain, fails"
)]

use davy::io::clock::Clock;
use davy::model::time::Span;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

/// An agent of the demo's site that observes; it is killed and its folder goes when this is dropped.
struct Agent {
    folder: PathBuf,
    child: Child,
    says: BufReader<ChildStderr>,
}

impl Agent {
    fn start() -> Agent {
        let folder = std::env::temp_dir().join(format!("davy-signals-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let site = include_str!("../config/demo.toml")
            .replace("/var/lib/davy", folder.join("state").to_str().unwrap())
            .replace("outputs = \"act\"", "outputs = \"observe\"");
        fs::write(folder.join("site.toml"), site).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_davy"))
            .args(["run", "--config"])
            .arg(folder.join("site.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stderr.take().unwrap());
        let mut agent = Agent { folder, child, says };
        agent.wait_for("davy runs");
        agent
    }

    fn wait_for(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(self.says.read_line(&mut line).unwrap(), 0, "it ended before it said `{words}`");
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

#[test]
fn a_site_file_that_can_not_be_read_to_its_end_keeps_no_sigterm_waiting() {
    let mut agent = Agent::start();
    let file = agent.folder.join("site.toml");
    fs::write(&file, "broken[").unwrap();
    agent.signal("-HUP");
    agent.wait_for("the old one stays in force");
    // A pipe that nobody writes to stands for a share that hangs.
    fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    agent.signal("-HUP");
    // Once somebody can open it for writing the agent is reading it.
    let writer = fs::OpenOptions::new().write(true).open(&file).unwrap();
    let (clock, limit) = (Clock::start(), Span::from_secs(10));
    let asked = clock.mono();
    agent.signal("-TERM");
    while agent.child.try_wait().unwrap().is_none() {
        assert!(clock.mono().since(asked) < limit, "it does not end");
        std::thread::yield_now();
    }
    assert_eq!(agent.child.wait().unwrap().code(), Some(0));
    drop(writer);
}
