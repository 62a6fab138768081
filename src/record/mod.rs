//! Floor 1: what is kept and told, and how: bytes, chains, cursors, payloads. Pure.

pub mod outbox;
pub mod payload;
pub mod schema;
