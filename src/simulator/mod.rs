//! Floor 2: a pretended plant, made from the same plan. Pure, and never names `safety`: a plant that knew the rules
//! would agree with their bugs.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod dice;
mod drive;
mod head;
pub mod mischief;
pub mod plant;
mod room;
pub mod slave;
