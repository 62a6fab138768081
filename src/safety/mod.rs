//! Floor 1: deciding. `Site::handle(now, input, &mut effects)` is the whole of it: plain, synchronous, total.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod site;

pub use site::{Effects, Input, Site};
