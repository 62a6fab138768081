//! Floor 1: what is kept and told, and how: bytes, chains, cursors, payloads. Pure.

mod bodies;
pub mod chain;
pub mod entry;
pub mod outbox;
pub mod payload;
pub mod schema;
pub mod seal;
pub mod tally;
pub mod telemetry;
pub mod unrecorded;
pub mod verify;
