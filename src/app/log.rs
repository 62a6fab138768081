//! Logging: what is said, how, and how much of it.

use super::args::{Log, LogFormat};
use std::io::IsTerminal;
use tracing::level_filters::LevelFilter;

/// Starts logging to standard error.
pub(super) fn start(log: &Log, quiet: LevelFilter) {
    let level = match log.verbose {
        0 => quiet,
        1 => LevelFilter::DEBUG,
        2.. => LevelFilter::TRACE,
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder =
        tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(colour);
    // A second start in one process (tests) keeps the first.
    let started = match log.log_format {
        LogFormat::Human => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_target(false).try_init(),
    };
    drop(started);
}
