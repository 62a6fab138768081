//! The profiles and standards that a site can name: those built in, compiled from the files in `config/`, and those
//! of the site's own folders. To add one, write the file and add its line here.

use super::faults::{Fault, Faults, Source};
use super::names::Names;
use super::profile::{Profile, profile};
use super::read::read;
use super::shapes::{PROFILE_FILE, STANDARD_FILE};
use super::standard::{AreaKind, standard};
use std::collections::BTreeSet;
use std::sync::Arc;

macro_rules! built_in {
    ($folder:literal: $($file:literal),* $(,)?) => {
        &[$((
            concat!("built-in ", $folder, "/", $file),
            include_str!(concat!("../../config/", $folder, "/", $file)),
        )),*]
    };
}

/// Every profile that is built in.
pub(super) const PROFILES: &[(&str, &str)] = built_in!("profiles":
    "ai-4-20ma-8.toml",
    "auma.toml",
    "ch4-catalytic.toml",
    "ch4-infrared.toml",
    "co-sensor.toml",
    "duct-sensor.toml",
    "fan-duct.toml",
    "fan-sensor.toml",
    "feed-breaker.toml",
    "feed-sensor.toml",
    "gas-2reg.toml",
    "gas-controller-8.toml",
    "gas-float.toml",
    "gds-gasmax-2.toml",
    "honeywell-midas.toml",
    "lel-2reg.toml",
    "msa-ultima.toml",
    "oldham-itrans-2.toml",
    "rotork-iq.toml",
    "solenoid-relay.toml",
    "ten-registers.toml",
    "valve-2limit.toml",
);

/// Every standard that is built in.
pub(super) const STANDARDS: &[(&str, &str)] = built_in!("standards":
    "au.toml",
    "cn-coal.toml",
    "cn-gas.toml",
    "iec-practice.toml",
    "us-30cfr.toml",
);

/// A site's own profile and standard files, read by whoever may read files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Its profiles.
    pub profiles: Vec<Source>,
    /// Its standards.
    pub standards: Vec<Source>,
}

/// Everything that a site file can name.
pub(super) struct Library {
    pub(super) profiles: Names<Arc<Profile>>,
    pub(super) kinds: Names<Arc<AreaKind>>,
    /// Every gas that a row of a standard names.
    pub(super) gases: BTreeSet<String>,
}

impl Extras {
    /// Most files in one of a site's own folders: more than any site has models of devices.
    pub const MAX_FILES: usize = 256;
}

impl Library {
    /// `None` where a file could not be read to its end: what it defines is not known then.
    pub(super) fn read(extras: &Extras, faults: &mut Faults) -> Option<Library> {
        let mut library = Library {
            profiles: Names::new("profile"),
            kinds: Names::new("area kind"),
            gases: BTreeSet::new(),
        };
        let mut whole = true;
        for source in sources(PROFILES, &extras.profiles, faults) {
            let Some(row) = read(&source, &PROFILE_FILE, faults) else {
                whole = false;
                continue;
            };
            let before = faults.errors();
            let profile = profile(&row, faults);
            let sound = faults.errors() == before;
            library.profiles.declare(&row, "id", sound.then(|| Arc::new(profile)), faults);
        }
        let mut standards = Names::new("standard");
        for source in sources(STANDARDS, &extras.standards, faults) {
            let Some(row) = read(&source, &STANDARD_FILE, faults) else {
                whole = false;
                continue;
            };
            standards.declare(&row, "id", Some(()), faults);
            standard(&row, &mut library.kinds, faults);
            let rows = row.tables("kind").flat_map(|kind| kind.tables("set_points"));
            library.gases.extend(rows.filter_map(|r| r.str("gas").map(str::to_owned)));
        }
        whole.then_some(library)
    }
}

fn sources(built_in: &[(&str, &str)], own: &[Source], faults: &mut Faults) -> Vec<Arc<Source>> {
    if let Some(first) = own.get(Extras::MAX_FILES) {
        let place = super::faults::Place::new(&Arc::new(first.clone()), 0..0);
        let message = format!("{} files in one folder; at most {} are read", own.len(), Extras::MAX_FILES);
        faults.push(Fault::error("too-many", place, message).help("keep only the files that the site uses"));
    }
    let built_in =
        built_in.iter().map(|(name, text)| Source { name: (*name).to_owned(), text: (*text).to_owned() });
    built_in.chain(own.iter().take(Extras::MAX_FILES).cloned()).map(Arc::new).collect()
}
