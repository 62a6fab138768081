//! Floor 3: the only async code, the only clocks, wires, disks and sockets. It decides nothing.

pub mod broker;
pub mod buffer;
pub mod clock;
pub mod files;
pub mod journal;
pub mod keys;
pub mod line;
pub mod local;
pub mod mqtt;
mod retry;
pub mod room;
pub mod slave;
pub mod subscriber;
pub mod uplink;
