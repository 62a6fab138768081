//! `davy run`: the agent of a site, until a signal ends it.

use super::agent::Agent;
use super::args::Run;
use super::load::{LoadError, load};
use super::{BAD_CONFIG, FAILED, log};
use crate::config::Compiled;
use crate::io::clock::Clock;
use crate::io::room;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::Interval;
use tracing::level_filters::LevelFilter;

/// How often the rooms are looked after.
const ROUNDS: Duration = Duration::from_secs(1);

/// `davy run`: 0 after a clean end, 1 after a failure while running, 2 where the site file is bad.
pub(super) fn run(args: &Run) -> ExitCode {
    log::start(&args.log, LevelFilter::INFO);
    let format = args.log.log_format;
    let clock = Clock::start();
    let plan = match load(&args.config) {
        Ok(compiled) => {
            log::say_faults(format, &compiled.warnings);
            Arc::new(compiled.plan)
        }
        Err(refused) => {
            log::say_refusal(format, &refused);
            return ExitCode::from(BAD_CONFIG);
        }
    };
    end_on_panic();
    // Before anything is started: from here on a signal waits for its turn and ends nothing by itself.
    let calls = match Calls::listen() {
        Ok(calls) => calls,
        Err(e) => {
            log::say_error(format, &format!("the system lets us hear no signals: {e}"));
            return ExitCode::from(FAILED);
        }
    };
    let agent = match Agent::start(&plan, clock) {
        Ok(agent) => agent,
        Err(e) => {
            log::say_error(format, &e.to_string());
            return ExitCode::from(FAILED);
        }
    };
    tracing::info!(gateway = plan.gateway, config = %args.config.display(), hash = plan.config_hash, "davy runs");
    let reason = attend(calls, &agent, args);
    let failed = reason.is_err();
    let reason = reason.unwrap_or_else(|e| e);
    tracing::info!(reason, "davy ends");
    if let Err(lacks) = agent.stop(reason) {
        tracing::error!(lacks, "the end was not clean");
        return ExitCode::from(FAILED);
    }
    if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
}

/// What wakes the program up.
enum Call {
    End(&'static str),
    Reload,
    Loaded(Loaded),
    Broken,
}

/// What came of reading the site file again.
type Loaded = Box<Result<Compiled, LoadError>>;

/// The same, with the number of the reading.
type Numbered = (u64, Loaded);

/// Signals, and the rounds on which the rooms are looked after.
struct Calls {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    rounds: Interval,
    loaded: (Sender<Numbered>, Receiver<Numbered>),
    /// How often the site file was read: only what the last reading brings counts.
    readings: u64,
}

impl Calls {
    fn listen() -> std::io::Result<Calls> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let inside = runtime.enter();
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (hang_up, rounds) = (signal(SignalKind::hangup())?, tokio::time::interval(ROUNDS));
        drop(inside);
        let (loaded, readings) = (mpsc::channel(1), 0);
        Ok(Calls { runtime, terminate, interrupt, hang_up, rounds, loaded, readings })
    }

    fn next(&mut self, agent: &Agent) -> Call {
        let Calls { runtime, terminate, interrupt, hang_up, rounds, loaded: (_, loaded), readings } = self;
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => return Call::End("SIGTERM"),
                    _ = interrupt.recv() => return Call::End("SIGINT"),
                    _ = hang_up.recv() => return Call::Reload,
                    Some((n, loaded)) = loaded.recv() => if n == *readings {
                        return Call::Loaded(loaded);
                    },
                    _ = rounds.tick() => if agent.is_broken() {
                        return Call::Broken;
                    },
                }
            }
        })
    }

    /// Reads the site file on a thread of its own: one on a share that hangs must not keep a SIGTERM waiting.
    fn read(&mut self, config: &Path) {
        self.readings = self.readings.saturating_add(1);
        let (n, loaded, path) = (self.readings, self.loaded.0.clone(), config.to_owned());
        let read = move || drop(loaded.blocking_send((n, Box::new(load(&path)))));
        if let Err(error) = std::thread::Builder::new().name("davy-reload".to_owned()).spawn(read) {
            tracing::error!(%error, "the system gives no thread to read the site file; the old one stays in force");
        }
    }
}

/// Answers signals until the end; gives its reason.
fn attend(mut calls: Calls, agent: &Agent, args: &Run) -> Result<&'static str, &'static str> {
    loop {
        match calls.next(agent) {
            Call::End(signal) => return Ok(signal),
            Call::Broken => return Err("a room that must not end has ended"),
            Call::Reload => calls.read(&args.config),
            Call::Loaded(loaded) => reload(agent, args, *loaded),
        }
    }
}

/// Takes a changed site file, or says why not; a bad file leaves the old one in force.
fn reload(agent: &Agent, args: &Run, loaded: Result<Compiled, LoadError>) {
    let (config, format) = (args.config.display(), args.log.log_format);
    let refused = match loaded {
        Ok(compiled) => {
            log::say_faults(format, &compiled.warnings);
            match agent.replan(&Arc::new(compiled.plan)) {
                Ok(()) => return tracing::info!(%config, "the new site file is in force"),
                Err(why) => why.join("; "),
            }
        }
        Err(refused) => {
            log::say_refusal(format, &refused);
            let why = refused.in_a_line();
            agent.refused_config(why.clone());
            why
        }
    };
    tracing::error!(%config, refused, "the new site file is refused, the old one stays in force");
}

/// A panic in the safety room ends the process at once: the service manager starts a sound one, and the field
/// devices hold what they hold meanwhile.
pub(super) fn end_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if std::thread::current().name() == Some(room::THREAD) {
            std::process::abort();
        }
    }));
}
