//! A profile by itself, for whoever wants to see a device through it before there is a site.

use super::blocks::{block_of, pack};
use super::faults::{Faults, nearest, one_of};
use super::library::{Extras, Library};
use crate::model::point::Unit;
use crate::model::register::{Field, ReadBlock};

/// What a profile reads of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Solo {
    /// What is asked, in order.
    pub blocks: Vec<ReadBlock>,
    /// Its signals, in the order of their names.
    pub signals: Vec<SoloSignal>,
}

/// One signal of a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct SoloSignal {
    /// Its id.
    pub id: String,
    /// The unit of its value.
    pub unit: Unit,
    /// How it is read.
    pub field: Field,
    /// Out of which block.
    pub block: usize,
}

/// The profile with this id, of those built in and those given.
///
/// # Errors
/// That there is none, or what is wrong with the files.
pub fn solo(id: &str, extras: &Extras) -> Result<Solo, String> {
    let mut faults = Faults::default();
    let library = Library::read(extras, &mut faults);
    let profile = library.as_ref().and_then(|library| library.profiles.get(id));
    let Some(profile) = profile else {
        if faults.errors() > 0 {
            return Err(faults.render(false));
        }
        let known = library.iter().flat_map(|library| library.profiles.all());
        let near = library.iter().find_map(|library| nearest(id, library.profiles.all()));
        return Err(match near {
            Some(near) => format!("there is no profile `{id}`; did you mean `{near}`?"),
            None => format!("there is no profile `{id}`; known: {}", one_of(known)),
        });
    };
    let named = || profile.signals.all().filter_map(|id| Some((id, profile.signals.get(id)?)));
    let blocks = pack(named().map(|(_, signal)| &signal.field), &profile.reach);
    let signal = |(id, signal): (&str, &super::profile::Signal)| {
        let block = block_of(&signal.field, &blocks)?;
        Some(SoloSignal { id: id.to_owned(), unit: signal.unit, field: signal.field.clone(), block })
    };
    let signals = named().filter_map(signal).collect();
    Ok(Solo { blocks, signals })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::library::PROFILES;

    #[test]
    fn every_built_in_profile_can_be_looked_through_alone() {
        for (name, _) in PROFILES {
            let id = name.trim_start_matches("built-in profiles/").trim_end_matches(".toml");
            let solo = solo(id, &Extras::default()).unwrap();
            assert!(!solo.signals.is_empty() || solo.blocks.is_empty(), "{id}");
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_answered_with_the_right_one() {
        let why = solo("gas-2regs", &Extras::default()).unwrap_err();
        assert!(why.contains("`gas-2reg`"), "{why}");
    }
}
