//! `davy run`: the agent of a site, until a signal ends it.

use super::agent::Agent;
use super::args::Run;
use super::load::{LoadError, load};
use super::{BAD_CONFIG, FAILED, err, log};
use crate::io::clock::Clock;
use crate::io::room;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Interval;
use tracing::level_filters::LevelFilter;

/// How often the rooms are looked after.
const ROUNDS: Duration = Duration::from_secs(1);

/// `davy run`: 0 after a clean end, 1 after a failure while running, 2 where the site file is bad.
pub(super) fn run(args: &Run) -> ExitCode {
    log::start(&args.log, LevelFilter::INFO);
    let clock = Clock::start();
    let plan = match load(&args.config) {
        Ok(compiled) => {
            err(&compiled.warnings.render(false));
            Arc::new(compiled.plan)
        }
        Err(refused) => {
            err(&words(&refused));
            return ExitCode::from(BAD_CONFIG);
        }
    };
    end_on_panic();
    let agent = match Agent::start(&plan, clock) {
        Ok(agent) => agent,
        Err(e) => {
            err(&format!("error: {e}\n"));
            return ExitCode::from(FAILED);
        }
    };
    tracing::info!(gateway = plan.gateway, config = %args.config.display(), hash = plan.config_hash, "davy runs");
    let reason = attend(&agent, &args.config);
    let failed = reason.is_err();
    let reason = reason.unwrap_or_else(|e| e);
    tracing::info!(reason, "davy ends");
    if let Err(lacks) = agent.stop(&reason) {
        tracing::error!(lacks, "the end was not clean");
        return ExitCode::from(FAILED);
    }
    if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
}

/// What wakes the program up.
enum Call {
    End(&'static str),
    Reload,
    Broken,
}

/// Signals, and the rounds on which the rooms are looked after.
struct Calls {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    rounds: Interval,
}

impl Calls {
    fn listen() -> std::io::Result<Calls> {
        Ok(Calls {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            rounds: tokio::time::interval(ROUNDS),
        })
    }

    async fn next(&mut self, agent: &Agent) -> Call {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Call::End("SIGTERM"),
                _ = self.interrupt.recv() => return Call::End("SIGINT"),
                _ = self.hang_up.recv() => return Call::Reload,
                _ = self.rounds.tick() => if agent.is_broken() {
                    return Call::Broken;
                },
            }
        }
    }
}

/// Answers signals until the end; gives its reason.
fn attend(agent: &Agent, config: &Path) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("the system gives no runtime: {e}"))?;
    let mut calls = runtime
        .block_on(async { Calls::listen() })
        .map_err(|e| format!("the system lets us hear no signals: {e}"))?;
    loop {
        match runtime.block_on(calls.next(agent)) {
            Call::End(signal) => return Ok(signal.to_owned()),
            Call::Broken => return Err("a room that must not end has ended".to_owned()),
            Call::Reload => reload(agent, config),
        }
    }
}

/// Takes a changed site file, or says why not; a bad file leaves the old one in force.
fn reload(agent: &Agent, config: &Path) {
    match load(config) {
        Ok(compiled) => {
            err(&compiled.warnings.render(false));
            match agent.replan(&Arc::new(compiled.plan)) {
                Ok(()) => tracing::info!(config = %config.display(), "the new site file is in force"),
                Err(why) => {
                    tracing::error!(
                        why = why.join("; "),
                        "the new site file is refused, the old one stays in force"
                    );
                }
            }
        }
        Err(refused) => {
            let words = words(&refused);
            err(&words);
            tracing::error!(config = %config.display(), "the new site file is refused, the old one stays in force");
            agent.refused_config(words.lines().next().unwrap_or_default().to_owned());
        }
    }
}

pub(super) fn words(refused: &LoadError) -> String {
    match refused {
        LoadError::Unreadable(why) => format!("error: {why}\n"),
        LoadError::Faulty(faults) => faults.render(false),
    }
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
