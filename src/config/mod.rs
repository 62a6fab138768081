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
mod groups;
mod laxer;
mod library;
mod limits;
mod links;
mod names;
mod permits;
mod points;
mod pretended;
mod profile;
mod read;
mod scenario;
mod shape;
mod shapes;
mod signs;
mod site;
mod solo;
mod standard;
mod supervision;
mod texts;
mod trips;
mod watches;
mod wires;

pub use faults::{Fault, Faults, MAX_SHOWN, Place, Severity, Source};
pub use library::Extras;
pub use links::{BadLink, parse as parse_link, written as written_link};
pub use pretended::{Pretended, pretended};
pub use scenario::{Scenario, order, scenario};
pub use solo::{Solo, SoloSignal, solo};

use crate::model::plan::{Origin, Plan};
use crate::model::table::{AlarmId, BusId, Table};
use library::Library;
use sha2::{Digest, Sha256};
use site::{Compiler, Made};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use toml::de::DeTable;

/// A site that can be run, and what should be looked at all the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// The site.
    pub plan: Plan,
    /// Where the set-points of its alarms come from.
    pub origins: BTreeMap<AlarmId, Origin>,
    /// Warnings only.
    pub warnings: Faults,
    /// Where the password files are named, in the order of the destinations that have one.
    secrets: Vec<Place>,
    /// Where the link of each bus stands.
    links: Table<BusId, Place>,
}

impl Compiled {
    /// Looks at the password files, which is nothing that a compiler can do: `judge` is given the path and says what
    /// stands against it.
    pub fn check_secrets(&mut self, judge: impl Fn(&str) -> Option<String>) {
        let files = self.plan.destinations.iter().filter_map(|(_, d)| d.password_file.as_deref());
        for (file, place) in files.zip(&self.secrets) {
            if let Some(why) = judge(file) {
                let help = "give it to the user that runs davy, with chmod 600; until then the broker is not reached";
                self.warnings.push(Fault::warning("password-file", place.clone(), why).help(help));
            }
        }
    }

    /// Looks at the serial ports, as [`Compiled::check_secrets`] does at files: `real` is given a path and says which file
    /// that is, where there is one.
    ///
    /// # Errors
    /// All that is known of the file, where two buses are on one port by two names.
    pub fn check_ports(mut self, real: impl Fn(&str) -> Option<String>) -> Result<Compiled, Faults> {
        wires::shared_ports(&self.plan, &self.links, real, &mut self.warnings);
        if self.warnings.errors() == 0 {
            return Ok(self);
        }
        let name = self.links.values().next().map(|place| place.source.name.clone()).unwrap_or_default();
        self.warnings.sort(&name);
        Err(self.warnings)
    }
}

/// Compiles the site file `site` with the site's own profiles and standards.
///
/// # Errors
/// Everything that is wrong, in reading order, warnings after the errors.
pub fn compile(site: &Source, extras: &Extras) -> Result<Compiled, Faults> {
    compile_with(site, |_| Ok(extras.clone()))
}

/// Compiles the site file `site`, and asks for its own profiles and standards once it is known which folders it names.
/// A site of thousands of points is parsed once, because that is what takes the most memory of all that Davy does.
///
/// # Errors
/// As [`compile`]; and what `extras` fails with.
pub fn compile_with<E: From<Faults>>(
    site: &Source,
    extras: impl FnOnce(&OwnFolders) -> Result<Extras, E>,
) -> Result<Compiled, E> {
    let mut faults = Faults::default();
    let source = Arc::new(site.clone());
    let parsed = read::Parsed::new(&source);
    let extras = extras(&folders(&parsed.table))?;
    let library = Library::read(&extras, &mut faults);
    let root = parsed.held_against(&shapes::SITE_FILE, &mut faults);
    let compiled = match (&root, &library) {
        (Some(root), Some(library)) => Some(Compiler::new(root, library, &mut faults).compile()),
        // What a broken syntax hides can't be told from what is not there.
        _ => None,
    };
    faults.sort(&site.name);
    match compiled {
        Some(Made { mut plan, used, origins, secrets, links }) if faults.errors() == 0 => {
            let own = extras.profiles.iter().chain(&extras.standards);
            plan.config_hash = hash(site, own.chain(used.iter().map(Arc::as_ref)));
            Ok(Compiled { plan, origins, warnings: faults, secrets, links })
        }
        _ => Err(faults.into()),
    }
}

/// The folders of a site's own profiles and standards, as its file names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnFolders {
    /// Folder of profiles.
    pub profiles: Option<String>,
    /// Folder of standards.
    pub standards: Option<String>,
    /// The state folder: the usual one where the file names none.
    pub state: Option<String>,
}

/// What folders the site file `text` names. Never fails: a broken file names those that can still be read out of its
/// `[gateway]`, and `compile` says what is broken.
#[must_use]
pub fn own_folders(text: &str) -> OwnFolders {
    if text.len() > Source::MAX_BYTES {
        return OwnFolders::default();
    }
    folders(DeTable::parse_recoverable(text).0.get_ref())
}

fn folders(table: &DeTable<'_>) -> OwnFolders {
    let gateway = table.get("gateway").and_then(|g| g.get_ref().as_table());
    let folder = |key: &str| {
        let path = gateway?.get(key)?.get_ref().as_str()?;
        (!path.is_empty()).then(|| path.to_owned())
    };
    let state = match gateway.is_some_and(|g| !g.contains_key("state")) {
        true => Some(shapes::STATE_FOLDER.to_owned()),
        false => folder("state"),
    };
    OwnFolders { profiles: folder("profiles"), standards: folder("standards"), state }
}

/// The JSON Schema (2020-12) of the site file, for editors.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    shapes::SITE_FILE.document("Davy site file")
}

/// The JSON Schema (2020-12) of a profile, for editors.
#[must_use]
pub fn profile_schema() -> serde_json::Value {
    shapes::PROFILE_FILE.document("Davy profile")
}

/// SHA-256 of the site file and of all that it draws in, hexadecimal. A built-in limit that an upgrade changes is no longer
/// the same configuration either.
fn hash<'a>(site: &'a Source, drawn_in: impl Iterator<Item = &'a Source>) -> String {
    // Names and order are left out: the same site in another folder is the same site. Lengths keep texts apart.
    let drawn_in: BTreeSet<&str> = drawn_in.map(|source| source.text.as_str()).collect();
    let mut hash = Sha256::new();
    for text in std::iter::once(site.text.as_str()).chain(drawn_in) {
        hash.update(format!("{}\n{text}", text.len()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { name: "x.toml".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn what_a_site_uses_of_the_built_in_files_is_known() {
        let mut faults = Faults::default();
        let library = Library::read(&Extras::default(), &mut faults).unwrap();
        let demo = Arc::new(source(include_str!("../../config/demo.toml")));
        let root = read::read(&demo, &shapes::SITE_FILE, &mut faults).unwrap();
        let Made { used, .. } = Compiler::new(&root, &library, &mut faults).compile();
        let names: BTreeSet<&str> = used.iter().map(|source| source.name.as_str()).collect();
        assert!(names.contains("built-in standards/cn-coal.toml"), "{names:?}");
        assert!(names.contains("built-in profiles/co-sensor.toml"), "{names:?}");
        assert!(!names.contains("built-in standards/au.toml"), "{names:?}");
        assert!(!names.contains("built-in profiles/ten-registers.toml"), "{names:?}");
    }

    #[test]
    fn the_hash_changes_with_any_text_that_is_drawn_in_and_not_with_their_order() {
        let (site, limit, head) = (source("site"), source("trip = 1.5"), source("scale = 0.01"));
        let now = hash(&site, [&limit, &head].into_iter());
        assert_eq!(now, hash(&site, [&head, &limit, &head].into_iter()));
        assert_ne!(now, hash(&site, [&source("trip = 1.0"), &head].into_iter()));
        assert_ne!(now, hash(&limit, [&site, &head].into_iter()));
        assert_ne!(hash(&source("ab"), [].into_iter()), hash(&source("a"), [&source("b")].into_iter()));
    }
}
