//! What can be typed after `davy probe`.

use crate::app::load;
use crate::config;
use crate::field::written;
use crate::model::link::Link;
use crate::model::register::{Encoding, Location};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `davy probe`.
#[derive(Debug, Args)]
pub struct Probe {
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

/// What a line can be asked by hand.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Find the units that answer, measure them, and write the lines for the site file.
    ///
    /// Nothing is written to any device. A unit that answers with an exception is there; a gateway's exceptions 10 and 11
    /// mean that nobody is. Exit code 0 where somebody answered, 1 where nobody did.
    Scan(Scan),
    /// Read registers or coils in any type.
    Read(Read),
    /// Write one register or coil, after it was confirmed.
    ///
    /// Shows what stands there now and what will be written, and writes it only after the value was typed once more.
    /// There is no switch that leaves the question out: a wrong register may open a valve or spoil a detector's
    /// calibration, and a command out of the shell's history must not do that by itself.
    Write(Write),
    /// Show what a device says, raw and decoded by its profile, again and again. Writes nothing.
    Watch(Watch),
    /// Show two registers in all types and byte orders side by side, so that the right one can be seen.
    Guess(Guess),
}

/// A link as it was written, and what that means.
#[derive(Clone, Debug)]
pub struct Written {
    /// As it was written.
    pub text: String,
    /// What that means.
    pub link: Link,
}

fn link(text: &str) -> Result<Written, String> {
    let parsed = config::parse_link(text).map_err(|bad| format!("{}; {}", bad.message, bad.help))?;
    Ok(Written { text: text.to_owned(), link: parsed })
}

fn units(text: &str) -> Result<Units, String> {
    written::units(text).map(Units)
}

/// Unit numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units(pub Vec<u8>);

/// Which line.
#[derive(Debug, Args)]
pub struct Line {
    /// The line, as in a site file: tcp://host:port, rtu:///dev/…?baud=9600&parity=even, rtu+tcp://host:port,
    /// tls://host:port?ca=…&cert=…&key=…, rtu+listen://addr:port?id=TEXT.
    #[arg(long, value_name = "LINK", value_parser = link)]
    pub link: Written,
    /// How long an answer may take; without it as long as the wire takes and 300 ms.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub timeout_ms: Option<u64>,
}

/// `davy probe scan`.
#[derive(Debug, Args)]
pub struct Scan {
    /// Which line.
    #[command(flatten)]
    pub line: Line,
    /// Which units, as 1-5,9,247; 1-247 unless you say.
    #[arg(long, value_name = "LIST", value_parser = units)]
    pub units: Option<Units>,
    /// What is asked, one after the other, until a unit answers.
    #[arg(long, value_name = "PLACE", value_delimiter = ',', default_value = "holding:0,input:0", value_parser = written::location)]
    pub ask: Vec<Location>,
    /// On a serial port: try the usual baud rates and parities until somebody answers. Asks units 1 to 10 while it
    /// tries, unless --units says otherwise.
    #[arg(long)]
    pub try_baud: bool,
}

/// One device.
#[derive(Debug, Args)]
pub struct Unit {
    /// Which line.
    #[command(flatten)]
    pub line: Line,
    /// The unit number: 1 to 247, over Modbus/TCP 0 to 255.
    #[arg(long, value_name = "N")]
    pub unit: u8,
}

/// `davy probe read`.
#[derive(Debug, Args)]
pub struct Read {
    /// Which device.
    #[command(flatten)]
    pub unit: Unit,
    /// Where: coil, discrete, input or holding, and the address on the wire from 0. A manual's 40001 is holding:0.
    #[arg(long, value_name = "PLACE", value_parser = written::location)]
    pub at: Location,
    /// How many values.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2_000))]
    pub count: u16,
    /// The type: u16, i16, packed, bits:LOW-HIGH, or u32, i32, f32 with the order of the bytes, as f32:cdab.
    #[arg(long = "as", value_name = "TYPE", value_parser = written::encoding)]
    pub encoding: Option<Encoding>,
}

/// `davy probe write`.
#[derive(Debug, Args)]
pub struct Write {
    /// Which device; unit 0, which is everybody, is refused.
    #[command(flatten)]
    pub unit: Unit,
    /// Where: coil:ADDRESS or holding:ADDRESS.
    #[arg(long, value_name = "PLACE", value_parser = written::location)]
    pub at: Location,
    /// What: 0 or 1 for a coil, -32768 to 65535 or 0x0000 to 0xffff for a register.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub value: String,
    /// By function 16 (15 for a coil) instead of 6 (5): some devices know no other.
    #[arg(long)]
    pub multiple: bool,
    /// Where it can be read back, if not where it is written.
    #[arg(long, value_name = "PLACE", value_parser = written::location)]
    pub readback: Option<Location>,
}

/// `davy probe watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// The site file that has the device.
    #[arg(short, long, value_name = "FILE", requires = "device", required_unless_present = "link")]
    pub config: Option<PathBuf>,
    /// The device's id in it.
    #[arg(long, value_name = "ID", requires = "config")]
    pub device: Option<String>,
    /// Without a site file: the line.
    #[arg(long, value_name = "LINK", value_parser = link, conflicts_with = "config", requires_all = ["unit", "profile"])]
    pub link: Option<Written>,
    /// The unit number.
    #[arg(long, value_name = "N", requires = "link")]
    pub unit: Option<u8>,
    /// The profile.
    #[arg(long, value_name = "NAME", requires = "link")]
    pub profile: Option<String>,
    /// A folder of profiles of your own.
    #[arg(long, value_name = "DIR", requires = "profile")]
    pub profiles: Option<PathBuf>,
    /// How long an answer may take; as the site file says, else as long as the wire takes and 300 ms.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub timeout_ms: Option<u64>,
    /// How often; as the site file says, else each second.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(50..=600_000))]
    pub every_ms: Option<u64>,
    /// Once only.
    #[arg(long)]
    pub once: bool,
    /// For so long.
    #[arg(long = "for", value_name = "SECONDS", conflicts_with = "once", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: Option<u64>,
}

impl Watch {
    /// The site's own profiles that were named.
    ///
    /// # Errors
    /// Which file can't be read.
    pub fn extras(&self) -> Result<config::Extras, load::LoadError> {
        let profiles = match &self.profiles {
            Some(folder) => load::folder(folder)?,
            None => Vec::new(),
        };
        Ok(config::Extras { profiles, ..config::Extras::default() })
    }
}

/// `davy probe guess`.
#[derive(Debug, Args)]
pub struct Guess {
    /// Which device.
    #[command(flatten)]
    pub unit: Unit,
    /// The first of the two registers: input:ADDRESS or holding:ADDRESS.
    #[arg(long, value_name = "PLACE", value_parser = written::location)]
    pub at: Location,
    /// What the device shows: what fits comes first.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub expect: Option<f64>,
}
