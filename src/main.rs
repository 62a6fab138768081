//! The davy program.
fn main() {}
