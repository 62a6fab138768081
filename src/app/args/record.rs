//! What can be typed about the record: `davy journal`, `davy keys`.

use super::Which;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `davy journal`.
#[derive(Debug, Args)]
pub struct Journal {
    /// What to do with it.
    #[command(subcommand)]
    pub what: JournalWhat,
}

/// What can be done with a journal.
#[derive(Debug, Subcommand)]
pub enum JournalWhat {
    /// Prove a journal: nothing altered, missing, moved, cut off or added. Reads only; exit 0 sound, 1 damaged.
    Verify(Verify),
}

/// `davy journal verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// A state folder, its journal/ folder, or a copy of either.
    #[arg(default_value = "/var/lib/davy")]
    pub dir: PathBuf,
    /// What somebody else holds of it: SEQ:HASH, or a file with messages as MQTT told them, one a line.
    #[arg(long, value_name = "SEQ:HASH|FILE")]
    pub anchor: Vec<String>,
    /// The gateway's public key, in hexadecimal or as a PEM file; without it the journal is believed which its key is.
    #[arg(long, value_name = "HEX|FILE")]
    pub key: Vec<String>,
}
/// `davy keys`.
#[derive(Debug, Args)]
pub struct Keys {
    /// What to do with the gateway's key.
    #[command(subcommand)]
    pub what: KeysWhat,
}

/// What can be done with the gateway's key.
#[derive(Debug, Subcommand)]
pub enum KeysWhat {
    /// Make the key where there is none yet; the agent does so at its first start.
    New(Folder),
    /// Show the public key: what an inspector needs to verify the journal.
    Show(Folder),
    /// Sign with a new key from now on; the old one signs that.
    Rotate(Folder),
}

/// Whose key.
#[derive(Debug, Args)]
pub struct Folder {
    /// Which agent, running or not.
    #[command(flatten)]
    pub which: Which,
}
