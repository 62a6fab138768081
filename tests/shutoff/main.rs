//! Cause and effect from outside the judge: bypasses, votes of groups, supervised elements and proof tests on the demo's
//! site, in virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds no demo site fails"
)]

mod bench;
mod bypass;
mod element;
mod first_out;
mod lockout;
mod proof_test;
mod start;
