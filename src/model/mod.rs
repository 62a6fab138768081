//! Floor 0: the nouns. Plain values without behaviour worth the name; every other floor speaks in them.
//! Nothing here is serialisable by design: what leaves the process is mapped by hand and frozen by tests.

pub mod alarm;
pub mod command;
pub mod deed;
pub mod element;
pub mod grade;
pub mod incident;
pub mod line;
pub mod link;
pub mod permit;
pub mod plan;
pub mod point;
pub mod record;
pub mod register;
pub mod sign;
pub mod table;
pub mod time;
pub mod view;
