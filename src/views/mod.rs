//! Floor 2: records and snapshots to what people read. Pure.

pub mod explain;
pub mod loads;
pub mod matrix;
pub mod overview;
pub mod registers;
mod sheet;
pub mod survey;
