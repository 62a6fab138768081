//! Floor 2: text to `Plan`. Pure: it is given texts, not files.
//!
//! A site file is answered as a compiler answers: every fault at once, each with file, line, the words underlined, what
//! was expected and how to mend it. `shapes.rs` declares every key that can be written; `site.rs` leads through the
//! rest.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod advice;
mod alarms;
mod blocks;
mod elements;
mod faults;
mod grades;
mod library;
mod limits;
mod links;
mod names;
mod permits;
mod points;
mod profile;
mod read;
mod shape;
mod shapes;
mod site;
mod standard;
mod texts;
mod trips;

pub use faults::{Fault, Faults, MAX_SHOWN, Place, Severity, Source};
pub use library::Extras;

use crate::model::plan::Plan;
use library::Library;
use sha2::{Digest, Sha256};
use site::Compiler;
use std::sync::Arc;
use toml::de::DeTable;

/// A site that can be run, and what should be looked at all the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// The site.
    pub plan: Plan,
    /// Warnings only.
    pub warnings: Faults,
}

/// Compiles the site file `site` with the site's own profiles and standards.
///
/// # Errors
/// Everything that is wrong, in reading order, warnings after the errors.
pub fn compile(site: &Source, extras: &Extras) -> Result<Compiled, Faults> {
    let mut faults = Faults::default();
    let library = Library::read(extras, &mut faults);
    let root = read::read(&Arc::new(site.clone()), &shapes::SITE_FILE, &mut faults);
    let plan = match (&root, &library) {
        (Some(root), Some(library)) => Some(Compiler::new(root, library, &mut faults).compile()),
        // What a broken syntax hides can't be told from what is not there.
        _ => None,
    };
    faults.sort(&site.name);
    match plan {
        Some(mut plan) if faults.errors() == 0 => {
            plan.config_hash = hash(site, extras);
            Ok(Compiled { plan, warnings: faults })
        }
        _ => Err(faults),
    }
}

/// The folders of a site's own profiles and standards, as its file names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnFolders {
    /// Folder of profiles.
    pub profiles: Option<String>,
    /// Folder of standards.
    pub standards: Option<String>,
    /// The state folder.
    pub state: Option<String>,
}

/// What folders the site file `text` names. Never fails: a broken file names none, and `compile` says why.
#[must_use]
pub fn own_folders(text: &str) -> OwnFolders {
    if text.len() > Source::MAX_BYTES {
        return OwnFolders::default();
    }
    let (table, _) = DeTable::parse_recoverable(text);
    let gateway = table.get_ref().get("gateway").and_then(|g| g.get_ref().as_table());
    let folder = |key: &str| {
        let path = gateway?.get(key)?.get_ref().as_str()?;
        (!path.is_empty()).then(|| path.to_owned())
    };
    OwnFolders { profiles: folder("profiles"), standards: folder("standards"), state: folder("state") }
}

/// The JSON Schema (2020-12) of the site file, for editors.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    shapes::SITE_FILE.document("Davy site file")
}

/// SHA-256 of the site file and of the site's own files, hexadecimal.
fn hash(site: &Source, extras: &Extras) -> String {
    let mut hash = Sha256::new();
    for (what, sources) in [
        ("site", std::slice::from_ref(site)),
        ("profiles", &extras.profiles),
        ("standards", &extras.standards),
    ] {
        // Names and order are left out: the same site in another folder is the same site. Lengths keep texts apart.
        let mut texts: Vec<&str> = sources.iter().map(|s| s.text.as_str()).collect();
        texts.sort_unstable();
        hash.update(format!("{what} {}\n", texts.len()));
        for text in texts {
            hash.update(format!("{}\n{text}", text.len()));
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
