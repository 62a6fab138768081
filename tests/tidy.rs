//! The house rules, held by a test: floors, purity, one speaker for each library, files that say what lives in them.

#![allow(clippy::unwrap_used, reason = "a test that can't read the sources fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of `src/` by floor. A folder names itself and folders on lower floors only.
const FLOORS: [&[&str]; 5] =
    [&["model"], &["safety", "field", "record"], &["config", "simulator", "views"], &["io"], &["app"]];

/// What the pure floors 0 to 2 must not name.
const IMPURE: [&str; 13] = [
    "tokio",
    "sled",
    "rumqttc",
    "async fn",
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
    "Instant",
    "SystemTime",
    "HashMap",
    "println!",
    "eprintln!",
];

/// The one file that names a library.
const SPEAKERS: [(&str, &str); 4] = [
    ("sled::", "io/buffer.rs"),
    ("rumqttc::", "io/mqtt.rs"),
    ("tokio_modbus::", "io/line/wire.rs"),
    ("tokio_serial::", "io/line/link.rs"),
];

/// A file longer than this is more than one idea.
const LINES_MAX: usize = 700;

fn sources() -> BTreeMap<String, String> {
    fn walk(dir: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    walk(&root, &root, &mut found);
    found
}

/// The code of a file without comments and without its tests, which may name more.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let uncommented = body.lines().filter(|l| !l.trim_start().starts_with("//"));
    uncommented.collect::<Vec<_>>().join("\n")
}

fn floor(folder: &str) -> Option<usize> {
    FLOORS.iter().position(|names| names.contains(&folder))
}

#[test]
fn a_folder_names_itself_and_lower_floors_only() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let Some((folder, _)) = file.split_once('/') else { continue };
        let Some(own) = floor(folder) else {
            wrong.push(format!("{file}: folder `{folder}` stands on no floor"));
            continue;
        };
        let code = code(&text);
        for other in FLOORS.iter().flat_map(|names| names.iter()).filter(|o| **o != folder) {
            let names_it =
                code.contains(&format!("crate::{other}")) || code.contains(&format!("davy::{other}"));
            let allowed = floor(other).unwrap() < own && !(folder == "simulator" && *other == "safety");
            if names_it && !allowed {
                wrong.push(format!("{file} names `{other}`"));
            }
        }
        // `use crate::{a, b}` would slip through the check above.
        if code.contains("use crate::{") || code.contains("use super::super::") {
            wrong.push(format!("{file}: name each folder in a `use crate::folder` line of its own"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_pure_floors_touch_no_world() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let Some((folder, _)) = file.split_once('/') else { continue };
        if floor(folder).is_some_and(|f| f <= 2) {
            let code = code(&text);
            for word in IMPURE.iter().filter(|w| code.contains(**w)) {
                wrong.push(format!("{file} names `{word}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn one_file_speaks_to_each_library() {
    let mut wrong = Vec::new();
    for (library, speaker) in SPEAKERS {
        let speaks = |text: &str| code(text).contains(library);
        for (file, text) in sources() {
            if speaks(&text) != (file == speaker) {
                wrong.push(format!("`{library}` belongs into {speaker} and nowhere else: {file}"));
            }
        }
    }
    let clocks = ["Instant::now", "SystemTime::now"];
    for (file, text) in sources() {
        if file != "io/clock.rs" && clocks.iter().any(|c| code(&text).contains(c)) {
            wrong.push(format!("{file} reads a clock"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_lives_in_it_and_holds_one_idea() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        if !text.starts_with("//!") {
            wrong.push(format!("{file} does not open with `//!`"));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{file} has {lines} lines, more than {LINES_MAX}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_text_of_ours_claims_what_davy_is_not() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut texts = sources();
    for name in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "config/demo.toml"] {
        texts.insert(name.to_owned(), fs::read_to_string(root.join(name)).unwrap());
    }
    let claims =
        ["SIL 1", "SIL 2", "SIL 3", "SIL1", "SIL2", "SIL3", "fail-safe shutdown system", "is certified"];
    let mut wrong = Vec::new();
    for (file, text) in texts {
        for claim in claims.iter().filter(|c| text.contains(**c)) {
            wrong.push(format!("{file} says `{claim}`"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
