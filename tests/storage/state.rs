//! The state folder: lock and format.

use crate::helpers::*;
use davy::io::files::{self, State, StateError};
use std::fs;

#[test]
fn a_state_folder_in_use_names_the_process_that_has_it() {
    let dir = TempDir::new();
    let folder = dir.path().join("a/b");
    let held = State::lock(&folder).unwrap();
    let error = State::lock(&folder).unwrap_err().to_string();
    assert!(error.contains(&format!("in use by another davy, process {}", std::process::id())), "{error}");
    assert!(error.contains("--state"), "{error}");
    drop(held);
    // A process that another test is just starting holds what this one has open until it becomes its program.
    wait("the folder to be free", || State::lock(&folder).is_ok());
}

#[test]
fn a_lock_that_leads_elsewhere_is_not_followed() {
    let dir = TempDir::new();
    let (folder, precious) = (dir.path().join("state"), dir.path().join("precious"));
    fs::create_dir(&folder).unwrap();
    fs::write(&precious, "not yours").unwrap();
    std::os::unix::fs::symlink(&precious, folder.join("lock")).unwrap();
    let error = State::lock(&folder).unwrap_err().to_string();
    assert!(error.contains("symbolic link"), "{error}");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "not yours");
}

#[test]
fn a_state_folder_that_can_not_be_written_says_which_and_what_to_do() {
    let dir = TempDir::new();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = State::lock(&file.join("state")).unwrap_err();
    assert!(matches!(error, StateError::Unwritable { .. }));
    let error = error.to_string();
    assert!(error.contains("/file/state") && error.contains("--state"), "{error}");
}

#[test]
fn a_state_folder_of_a_newer_davy_is_refused_and_a_half_made_one_is_not() {
    let dir = TempDir::new();
    fs::write(dir.path().join("FORMAT"), "").unwrap();
    drop(State::lock(dir.path()).unwrap());
    assert_eq!(fs::read_to_string(dir.path().join("FORMAT")).unwrap(), "davy state 1\n");
    fs::write(dir.path().join("FORMAT"), "davy state 2\n").unwrap();
    let error = State::lock(dir.path()).unwrap_err().to_string();
    assert!(error.contains("davy state 2") && error.contains("newer davy"), "{error}");
}

#[test]
fn a_marker_that_a_power_cut_left_unfinished_keeps_no_agent_from_its_work() {
    for torn in [&b"davy st"[..], b"davy state 1", &[0; 13], b"davy\0\0\0\0\0\0\0\0\0"] {
        let dir = TempDir::new();
        let marker = dir.path().join("FORMAT");
        fs::write(&marker, torn).unwrap();
        drop(State::lock(dir.path()).unwrap());
        assert_eq!(fs::read_to_string(&marker).unwrap().trim(), "davy state 1");
    }
}

#[test]
fn a_folder_whose_lock_file_was_removed_is_in_use_all_the_same() {
    let dir = TempDir::new();
    let held = State::lock(dir.path()).unwrap();
    std::fs::remove_file(dir.path().join("lock")).unwrap();
    assert!(matches!(State::lock(dir.path()), Err(StateError::InUse { .. })));
    assert!(!files::is_free(dir.path()));
    drop(held);
    // A process that another test is just starting holds what this one has open until it becomes its program.
    wait("the folder to be free", || files::is_free(dir.path()));
}

#[test]
fn what_is_written_does_not_land_where_a_link_leads() {
    let dir = TempDir::new();
    let victim = dir.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, dir.path().join("ledger.new")).unwrap();
    files::replace(&dir.path().join("ledger"), b"{}").unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(std::fs::read_to_string(dir.path().join("ledger")).unwrap(), "{}");
    assert!(files::create(&dir.path().join("victim")).is_ok());
    std::os::unix::fs::symlink(&victim, dir.path().join("led")).unwrap();
    assert!(files::create(&dir.path().join("led")).is_err());
}

#[test]
fn a_pipe_in_the_place_of_a_file_keeps_nobody_waiting() {
    let dir = TempDir::new();
    drop(State::lock(dir.path()).unwrap());
    for name in ["FORMAT", "lock"] {
        let path = dir.path().join(name);
        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
    }
    assert!(State::lock(dir.path()).is_err(), "an error, and not for ever");
}
