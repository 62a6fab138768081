//! Floor 2: records and snapshots to what people read. Pure.

pub mod overview;
