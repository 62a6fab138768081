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
    /// Show entries, a line each; reads only, and may be asked while the agent runs.
    Show(Show),
    /// Copy a journal for an inspector: its files, the public key, a list of hashes, and a page that says how to verify it.
    Export(Export),
    /// Save what can be read of a damaged journal, with a list of what can't.
    Salvage(Salvage),
}

/// `davy journal show`.
#[derive(Debug, Args)]
pub struct Show {
    /// A state folder, its journal/ folder, or a copy of either.
    #[arg(default_value = "/var/lib/davy")]
    pub dir: PathBuf,
    /// From this time on: 2026-11-24T03:42:05Z, or a day.
    #[arg(long, value_name = "UTC")]
    pub since: Option<String>,
    /// Until this time.
    #[arg(long, value_name = "UTC")]
    pub until: Option<String>,
    /// About this area only.
    #[arg(long, value_name = "ID")]
    pub area: Option<String>,
    /// About this point, trip or element only.
    #[arg(long, value_name = "ID")]
    pub point: Option<String>,
    /// Of this kind only, as `alarm`.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// By this person only.
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// The last so many of them.
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,
    /// Go on with what comes.
    #[arg(short, long)]
    pub follow: bool,
    /// The lines as they are in the journal.
    #[arg(long)]
    pub json: bool,
}

/// `davy journal export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The state folder.
    #[arg(default_value = "/var/lib/davy")]
    pub dir: PathBuf,
    /// Where to: a folder that is made, or is empty.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// The site file, to be copied too.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `davy journal salvage`.
#[derive(Debug, Args)]
pub struct Salvage {
    /// The damaged folder.
    pub dir: PathBuf,
    /// Where to: a folder that is made, or is empty.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
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
