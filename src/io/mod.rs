//! Floor 3: the only async code, the only clocks, wires, disks and sockets. It decides nothing.

pub mod buffer;
pub mod clock;
pub mod line;
pub mod slave;
