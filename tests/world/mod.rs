//! A site in virtual time for the scenarios and the simulation: what stands behind the lines (`plant`), site files made
//! of a few words (`site`), a journal in memory that loses what was not flushed (`kept`), records in words (`told`). Of alarms and trips it
//! knows nothing: a world that knew the rules would agree with their bugs.
#![allow(dead_code, reason = "neither of the two uses all of it")]

pub(crate) mod kept;
pub(crate) mod plant;
pub(crate) mod site;
pub(crate) mod told;
