//! Floor 1: deciding. `Site::handle(now, input, &mut effects)` is the whole of it: plain, synchronous, total.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

mod absent;
mod alarm;
mod aside;
mod bypass;
mod calibrate;
mod cause_effect;
mod drive;
mod element;
mod grade;
mod incident;
mod objections;
mod one_out;
mod orders;
mod permit;
mod proof_test;
mod rates;
mod refusals;
mod rule;
mod signs;
mod site;
mod tell;
mod trend;
mod trips;
mod watch;

pub use bypass::{DEFAULT_MINUTES as BYPASS_MINUTES, MAX_MINUTES as BYPASS_MINUTES_MAX};
pub use incident::{is_limit as is_incident_limit, production_loads};
pub use permit::against as against_permit;
pub use site::{Effects, Input, Site};
pub use watch::stale_after;
