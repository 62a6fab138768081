//! What can be typed.

mod probe;
mod record;

pub use self::probe::{Guess, Line, Probe, Read, Scan, Unit, Units, Watch, What, Write, Written};
pub use self::record::{Export, Folder, Journal, JournalWhat, Keys, KeysWhat, Salvage, Show, Verify};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Davy, an edge safety agent for mines and gas-using sites.
///
/// Polls gas detectors over Modbus, shuts valves and cuts power by cause and effect, keeps what happened so that it
/// can be proven, and tells control rooms over MQTT. It is not a certified safety function: the interlock that the
/// law asks for stays in the field devices.
#[derive(Debug, Parser)]
#[command(name = "davy", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole of it in a minute: a simulated plant, a broker and the agent in one process.
    Demo(Demo),
    /// Run the agent of a site.
    Run(Run),
    /// Pretend the plant of a site: every device with its registers, on lines of the kind that the site has.
    Sim(Sim),
    /// Check a site file and answer as a compiler does: every fault with file, line and remedy.
    Check(Check),
    /// Print the JSON Schema of the site file, for editors; or of the MQTT messages.
    Schema(Schema),
    /// Show what the running agent sees: areas, values, alarms, outputs.
    Status(Status),
    /// Acknowledge an alarm of the running agent. Acknowledging never resets.
    Ack(Ack),
    /// Reset a trip or a latched alarm of the running agent, once all its conditions are met.
    Reset(Reset),
    /// Set an alarm of the running agent aside for a while, or for maintenance. No trip heeds that.
    Shelve(Shelve),
    /// End that an alarm is set aside.
    Unshelve(Unshelve),
    /// Take a cause out of the votes for a while, as for calibration. Alarmed while it lasts; ends by itself.
    Bypass(Bypass),
    /// Let a bypassed cause vote again before its time.
    Unbypass(Unbypass),
    /// Begin or end the calibration of a point: its data are marked, and its neighbours go on guarding.
    Calibrate(Calibrate),
    /// Test that an element reaches its safe state, and in what time. It really moves: a valve is opened again by hand.
    Prooftest(Prooftest),
    /// Tighten the set-points of an area or a point for a while: hot work, work in a confined space.
    Permit(Permit),
    /// End a permit before its time.
    Unpermit(Unpermit),
    /// Write the traffic of a line into the running agent's log: bytes, frames or values.
    Decode(Decode),
    /// Prove a journal, offline.
    Journal(Journal),
    /// The key that signs the journal: show it to an inspector, change it.
    Keys(Keys),
    /// Tools for who commissions: find units on a line, read and write registers, watch a device, guess a type.
    Probe(Probe),
}

/// `davy decode`.
#[derive(Debug, Args)]
pub struct Decode {
    /// The line's id.
    pub bus: String,
    /// How much of it: values, frames with them, every byte as well; `off` ends it.
    #[arg(value_parser = ["off", "values", "frames", "bytes"])]
    pub what: String,
    /// Which agent.
    #[command(flatten)]
    pub which: Which,
}

/// `davy demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Play the story once, quickly; exit 0 only if every step was observed from outside the agent.
    #[arg(long)]
    pub once: bool,
    /// Keep journal and buffer in this folder; without it nothing is left behind.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Tell this broker instead of the embedded one.
    #[arg(long, value_name = "mqtt://HOST:PORT")]
    pub broker: Option<String>,
    /// How logs are written.
    #[command(flatten)]
    pub log: Log,
}

/// `davy run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The site file.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// How logs are written.
    #[command(flatten)]
    pub log: Log,
}

/// `davy sim`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Sim {
    /// Change a running plant.
    #[command(subcommand)]
    pub live: Option<Live>,
    /// The site file. Its rules are not looked at.
    #[arg(short, long, value_name = "FILE", required = true)]
    pub config: Option<PathBuf>,
    /// What happens and when; without it nothing does.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// For noise and faults by chance: the same number, the same plant.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write a copy of the site file whose lines lead to the pretended plant. It has a state folder of its own beside
    /// it, `-sim` at the end of the gateway's id, and no destinations.
    #[arg(long, value_name = "FILE")]
    pub write_config: Option<PathBuf>,
    /// Leave the destinations in the copy: whoever listens there is told what is only pretended.
    #[arg(long, requires = "write_config")]
    pub keep_destinations: bool,
    /// Serve a line elsewhere, as `face=tcp://127.0.0.1:1502`; a device file is the plant's own end of a wire.
    #[arg(long, value_name = "BUS=LINK")]
    pub link: Vec<String>,
    /// Let characters come as fast as they can, instead of at the speed of their line.
    #[arg(long)]
    pub unpaced: bool,
    /// Where `davy sim poke` finds it; without it in a folder of its own under the temporary ones.
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// How the first answer is printed: `human`, or `json` on one line.
    #[arg(long, value_enum, default_value = "human")]
    pub format: LogFormat,
    /// How logs are written.
    #[command(flatten)]
    pub log: Log,
}

/// What can be done to a running plant.
#[derive(Debug, Subcommand)]
pub enum Live {
    /// Let something befall it, in the words of a scenario: `davy sim poke leak bottle-room value=2`; or `show`.
    Poke(Poke),
}

/// `davy sim poke`.
#[derive(Debug, Args)]
pub struct Poke {
    /// The socket that the plant printed.
    #[arg(long, value_name = "PATH")]
    pub socket: PathBuf,
    /// A verb, what it befalls, and `key=value`.
    #[arg(required = true, value_name = "WORD")]
    pub words: Vec<String>,
}

/// Logging.
#[derive(Debug, Args)]
pub struct Log {
    /// `human` for people, `json` for log collectors: one object a line.
    #[arg(long, value_enum, default_value = "human")]
    pub log_format: LogFormat,
    /// Say more: -v for what is done, -vv for every request on a line.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// For log collectors.
    Json,
}

/// `davy check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The site file.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// `human` (or `text`) with the words underlined, or `json` for tools; `html` is for --matrix.
    #[arg(long, value_enum, default_value = "human")]
    pub format: CheckFormat,
    /// Print cause and effect as a table, to be signed: causes with their set-points, delays and votes, and what they act on.
    #[arg(long, conflicts_with_all = ["explain", "registers"])]
    pub matrix: bool,
    /// Print every register that is read or written, and what it held last where the agent runs.
    #[arg(long, conflicts_with = "explain")]
    pub registers: bool,
    /// Explain in words every rule about an area, point, device, valve, load, siren, lock, trip, group or alarm; `all`
    /// explains the site.
    #[arg(long, value_name = "NAME", conflicts_with = "format")]
    pub explain: Option<String>,
}

/// How the answer of `davy check` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people.
    #[value(alias = "text")]
    Human,
    /// For tools.
    Json,
    /// A page by itself.
    Html,
}

/// `davy schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// The schema of the MQTT messages instead.
    #[arg(long)]
    pub messages: bool,
    /// The schema of a profile (a register map) instead.
    #[arg(long, conflicts_with = "messages")]
    pub profile: bool,
}

/// Which running agent.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// The agent that runs with this site file.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The agent with this state folder.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// `davy status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Which agent.
    #[command(flatten)]
    pub which: Which,
    /// For tools.
    #[arg(long)]
    pub json: bool,
}

/// `davy ack`.
#[derive(Debug, Args)]
pub struct Ack {
    /// The alarm's key, as `davy status` shows it.
    #[arg(required_unless_present = "all")]
    pub alarm: Option<String>,
    /// Every alarm that waits for it.
    #[arg(long, conflicts_with = "alarm")]
    pub all: bool,
    /// The occurrence that you saw (#N); without it the one that stands now and is shown. What comes meanwhile is not
    /// acknowledged by mistake.
    #[arg(long, value_name = "N", requires = "alarm")]
    pub occurrence: Option<u32>,
    /// Your name, where the account is shared; the account goes on record beside it.
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Which agent.
    #[command(flatten)]
    pub which: Which,
}

/// `davy reset`.
#[derive(Debug, Args)]
pub struct Reset {
    /// The trip's id, the alarm's key or the element's id, as `davy status` shows it.
    pub target: String,
    /// Your name, where the account is shared; the account goes on record beside it.
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Which agent.
    #[command(flatten)]
    pub which: Which,
}

/// `davy shelve`.
#[derive(Debug, Args)]
pub struct Shelve {
    /// The alarm's key, as `davy status` shows it.
    pub alarm: String,
    /// For how long: at most 60 minutes, and 15 for the alarms of a trip.
    #[arg(long, value_name = "N", required_unless_present = "out_of_service")]
    pub minutes: Option<u32>,
    /// For maintenance: until `davy unshelve`, or until its hours are over.
    #[arg(long, conflicts_with = "minutes")]
    pub out_of_service: bool,
    /// For how long it is out of service: 8 hours unless you say, which is the most for the alarms of a trip; for others a week.
    #[arg(long, value_name = "N", requires = "out_of_service")]
    pub hours: Option<u32>,
    /// Why; goes on record.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The second person, who has to agree where the alarm belongs to a trip.
    #[arg(long, value_name = "NAME")]
    pub second: Option<String>,
    /// Your name, where the account is shared; the account goes on record beside it.
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Which agent.
    #[command(flatten)]
    pub which: Which,
}

/// `davy unshelve`.
#[derive(Debug, Args)]
pub struct Unshelve {
    /// The alarm's key, as `davy status` shows it.
    pub alarm: String,
    /// Your name, where the account is shared; the account goes on record beside it.
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Which agent.
    #[command(flatten)]
    pub which: Which,
}

/// `davy bypass`.
#[derive(Debug, Args)]
pub struct Bypass {
    /// The cause: the alarm's key, as `bottle-room.lpg-1:trip`.
    pub cause: String,
    /// For how long: 1 to 480.
    #[arg(long, value_name = "MINUTES", default_value_t = 30)]
    pub minutes: u32,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The second person who stands for it, where the site file asks for one.
    #[arg(long, value_name = "NAME")]
    pub second: Option<String>,
    /// Your name, where the account is shared; the account goes on record beside it.
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Which agent.
    #[command(flatten)]
    pub which: Which,
}

/// `davy unbypass`.
#[derive(Debug, Args)]
pub struct Unbypass {
    /// The cause: the alarm's key.
    pub cause: String,
    /// Your name, where the account is shared; the account goes on record beside it.
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Which agent.
    #[command(flatten)]
    pub which: Which,
}

/// `davy calibrate`.
#[derive(Debug, Args)]
pub struct Calibrate {
    /// The point's id, as `davy status` shows it.
    pub point: String,
    /// How long it may take: 1 to 60; a calibration takes a quarter of an hour.
    #[arg(long, value_name = "N", required_unless_present = "end")]
    pub minutes: Option<u32>,
    /// It is done.
    #[arg(long, conflicts_with = "minutes")]
    pub end: bool,
    /// The person who calibrates; the account goes on record beside it.
    #[arg(long = "by", alias = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Which agent.
    #[command(flatten)]
    pub which: Which,
}

/// `davy prooftest`.
#[derive(Debug, Args)]
pub struct Prooftest {
    /// The element's id; for an interlock test the trip's.
    pub target: String,
    /// `full`: all the way; `partial`: a valve off its open limit and back; `interlock`: everything a trip acts on.
    #[arg(long, value_name = "KIND", default_value = "full", value_parser = ["full", "partial", "interlock"])]
    pub kind: String,
    /// Your name, where the account is shared; the account goes on record beside it.
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Which agent.
    #[command(flatten)]
    pub which: Which,
}

/// `davy permit`.
#[derive(Debug, Args)]
pub struct Permit {
    /// The area's or point's id, as `davy status` shows it.
    pub place: String,
    /// For what work.
    #[arg(long, value_enum)]
    pub kind: Work,
    /// For how long: at most 480 minutes.
    #[arg(long, value_name = "N")]
    pub minutes: u32,
    /// Tighten to so many percent of the site file's set-points, 10 to 99.
    #[arg(long, value_name = "N", required_unless_present_any = ["warning", "alarm", "trip", "low_warning", "low_alarm", "low_trip"])]
    pub percent: Option<u8>,
    /// The early warning from now on, in the point's unit.
    #[arg(long, value_name = "VALUE", conflicts_with = "percent")]
    pub warning: Option<f64>,
    /// The alarm from now on.
    #[arg(long, value_name = "VALUE", conflicts_with = "percent")]
    pub alarm: Option<f64>,
    /// The trip from now on.
    #[arg(long, value_name = "VALUE", conflicts_with = "percent")]
    pub trip: Option<f64>,
    /// The early warning of what is dangerous when there is little, as oxygen.
    #[arg(long, value_name = "VALUE", conflicts_with = "percent")]
    pub low_warning: Option<f64>,
    /// Its alarm.
    #[arg(long, value_name = "VALUE", conflicts_with = "percent")]
    pub low_alarm: Option<f64>,
    /// Its trip.
    #[arg(long, value_name = "VALUE", conflicts_with = "percent")]
    pub low_trip: Option<f64>,
    /// The second person, where one is named.
    #[arg(long, value_name = "NAME")]
    pub second: Option<String>,
    /// Your name, where the account is shared; the account goes on record beside it.
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Which agent.
    #[command(flatten)]
    pub which: Which,
}

/// Kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// Flames and sparks.
    HotWork,
    /// People in a vessel, pit or blind heading.
    ConfinedSpace,
}

/// `davy unpermit`.
#[derive(Debug, Args)]
pub struct Unpermit {
    /// The permit, as `davy status` shows it: place, colon, kind.
    pub permit: String,
    /// Your name, where the account is shared; the account goes on record beside it.
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Which agent.
    #[command(flatten)]
    pub which: Which,
}
