//! A line, from its schedule in virtual time to real sockets with devices that misbehave.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that panics has failed, as it should"
)]

mod links;
mod mischief;
#[path = "../common/plan.rs"]
mod plan;
mod plant;
mod pymodbus;
mod schedule;
mod wire;
