//! Floor 2: records and snapshots to what people read. Pure.

pub mod explain;
pub mod overview;
