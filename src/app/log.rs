//! Logging: what is said, how, and how much of it.

use super::args::{Log, LogFormat};
use std::io::IsTerminal;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging to standard error.
pub(super) fn start(log: &Log, quiet: LevelFilter) {
    let level = match log.verbose {
        0 => quiet,
        1 => LevelFilter::DEBUG,
        2.. => LevelFilter::TRACE,
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // Davy says itself what it makes of a library's trouble, once; the library would say it at each attempt.
    let libraries = if log.verbose >= 2 { LevelFilter::INFO } else { LevelFilter::OFF };
    let ours = Targets::new().with_default(libraries).with_target(env!("CARGO_CRATE_NAME"), level);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let registry = tracing_subscriber::registry().with(ours);
    // A second start in one process (tests) keeps the first.
    let started = match log.log_format {
        LogFormat::Human => registry.with(lines.with_ansi(colour)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    drop(started);
}
