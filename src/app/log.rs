//! Logging: what is said, how, and how much of it.

use super::args::{Log, LogFormat};
use super::err;
use super::load::LoadError;
use crate::config::{Faults, Severity};
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

/// Says what the compiler found: as a compiler does where people read, as log lines where log collectors do.
pub(super) fn say_faults(format: LogFormat, faults: &Faults) {
    match format {
        LogFormat::Human if faults.is_empty() => {}
        LogFormat::Human => err(&faults.render(false)),
        LogFormat::Json => faults.iter().for_each(|fault| {
            let (line, column) = fault.place.line_column();
            let (code, file, help) = (fault.code, fault.place.source.name.as_str(), fault.help.as_str());
            match fault.severity {
                Severity::Error => tracing::error!(code, file, line, column, help, "{}", fault.message),
                Severity::Warning => tracing::warn!(code, file, line, column, help, "{}", fault.message),
            }
        }),
    }
}

/// Says why there is no plan.
pub(super) fn say_refusal(format: LogFormat, refused: &LoadError) {
    match refused {
        LoadError::Unreadable(why) => say_error(format, why),
        LoadError::Faulty(faults) => say_faults(format, faults),
    }
}

/// Says why the program does not go on.
pub(super) fn say_error(format: LogFormat, why: &str) {
    match format {
        LogFormat::Human => err(&format!("error: {why}\n")),
        LogFormat::Json => tracing::error!("{why}"),
    }
}
