//! Floor 4: programs: wire rooms, arguments, exit codes.

pub mod agent;
pub mod args;
mod check;
mod demo;
mod journal;
mod keys;
pub mod load;
mod log;
mod narrator;
mod orders;
mod probe;
mod run;
mod sim;
mod story;

use args::{Cli, Command};
use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// Exit code of a failure while running.
pub const FAILED: u8 = 1;
/// Exit code of bad configuration or arguments.
pub const BAD_CONFIG: u8 = 2;

/// The `davy` program.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => demo::demo(&args),
        Command::Run(args) => run::run(&args),
        Command::Sim(args) => sim::sim(&args),
        Command::Check(args) => check::check(&args),
        Command::Schema(args) => check::print_schema(&args),
        Command::Status(args) => orders::status(&args),
        Command::Ack(args) => orders::ack(&args),
        Command::Reset(args) => orders::reset(&args),
        Command::Shelve(args) => orders::shelve(&args),
        Command::Unshelve(args) => orders::unshelve(&args),
        Command::Bypass(args) => orders::bypass(&args),
        Command::Unbypass(args) => orders::unbypass(&args),
        Command::Calibrate(args) => orders::calibrate(&args),
        Command::Prooftest(args) => orders::proof_test(&args),
        Command::Permit(args) => orders::permit(&args),
        Command::Unpermit(args) => orders::unpermit(&args),
        Command::Decode(args) => orders::decode(&args),
        Command::Keys(args) => keys::keys(&args),
        Command::Journal(args) => journal::journal(&args),
        Command::Probe(args) => probe::probe(&args),
    }
}

/// Writes to standard output. A reader that has gone away is no fault of ours.
fn out(text: &str) {
    let mut to = std::io::stdout().lock();
    drop(to.write_all(text.as_bytes()));
    drop(to.flush());
}

/// Writes to standard error.
fn err(text: &str) {
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
}
