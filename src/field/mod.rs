//! Floor 1: Modbus knowledge without a wire. What registers mean (`codec`) and what a line asks next (`schedule`);
//! sending and waiting live in `io/line.rs`.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod codec;
pub mod figures;
pub mod guess;
mod output;
pub mod rtu;
pub mod schedule;
pub mod timing;
mod unit;
mod watchdog;
pub mod written;
