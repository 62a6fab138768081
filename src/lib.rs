//! Davy: an edge safety agent for mines and gas-using sites. `ARCHITECTURE.md` has the map.

pub mod app;
pub mod config;
pub mod field;
pub mod io;
pub mod model;
pub mod record;
pub mod safety;
pub mod simulator;
pub mod views;
