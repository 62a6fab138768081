//! What was called recorded is there after kill -9, cut ends, flipped bytes and lost buffers; and what is not there
//! is said. Disks here are real folders, and the killed process is a real process.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]

mod buffered;
mod helpers;
mod journalled;
mod killed;
mod state;
mod tampered;
