//! The running agent: its rooms wired together, in the order in which they must start and end.

mod home;
mod office;

use self::home::Home;
use self::office::Office;
use crate::io::buffer::{self, Buffer};
use crate::io::clock::{Clock, duration};
use crate::io::files::{State, StateError};
use crate::io::journal::{Journal, JournalError};
use crate::io::local;
use crate::io::room::{self, Door, PULSES_PATIENCE, RoomGone};
use crate::model::plan::Plan;
use crate::model::record::{Body, ConfigChange, Record, Started};
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// An agent must be gone two seconds after SIGTERM; these are the shares of its rooms, 1.9 s together. Where a pulse
/// stands that has to be ended first, that comes before.
const ROOM_END: Duration = Duration::from_millis(300);
const SETTLING: Duration = Duration::from_millis(150);
const HAND_IN: Duration = Duration::from_millis(100);
const JOURNAL_END: Duration = Duration::from_millis(300);
const CATCH_UP: Duration = Duration::from_millis(150);
const OFFICE_END: Duration = Duration::from_millis(700);
const BUFFER_END: Duration = Duration::from_millis(200);

/// How long the buffer may take to hear of a new plan; a flush of worn flash takes a second at worst.
const BUFFER_REPLAN: Duration = Duration::from_secs(1);

/// How often it is looked whether somebody is ready.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Events that the buffer keeps at hand, about 120 MiB on the disk at 600 bytes each; older ones are read out of the
/// journal.
const EVENTS_INDEXED: u64 = 200_000;

/// Why an agent did not start.
#[derive(Debug)]
pub enum StartError {
    /// The state folder.
    State(StateError),
    /// The journal.
    Journal(JournalError),
    /// Anything else that the system refused, in words.
    System(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::State(e) => e.fmt(f),
            StartError::Journal(e) => e.fmt(f),
            StartError::System(e) => f.write_str(e),
        }
    }
}

impl std::error::Error for StartError {}

/// An agent at work.
#[derive(Debug)]
pub struct Agent {
    plan: watch::Sender<Arc<Plan>>,
    door: Door,
    safety: JoinHandle<()>,
    journal: Journal,
    buffer: Buffer,
    /// The buffer's thread.
    keeper: JoinHandle<()>,
    office: JoinHandle<()>,
    stop: watch::Sender<bool>,
    clock: Clock,
    /// For waiting on the rooms from outside.
    runtime: Runtime,
    /// Held to the end: so long the folders belong to this agent.
    _held: Vec<State>,
}

impl Agent {
    /// Starts every room: journal, buffer, safety room, office.
    ///
    /// # Errors
    /// [`StartError`], in words for whoever started it.
    pub fn start(plan: &Arc<Plan>, clock: Clock) -> Result<Agent, StartError> {
        let boot = boot_id(clock);
        let (buffer, desk) = buffer::channel();
        let grown = buffer.clone();
        let Home { dir, held, opened, trouble } =
            Home::open(plan, boot, clock, move |_| grown.journal_grew())?;
        let journal = opened.journal;
        let system = |what: &'static str| {
            move |e: std::io::Error| {
                StartError::System(format!("the system does not let us start {what}: {e}"))
            }
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(system("a runtime"))?;

        let mut first = vec![Body::Started(Started {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config_hash: plan.config_hash.clone(),
            previous_end: opened.previous_end,
        })];
        first.extend(opened.notes);
        let start = room::Start {
            plan: Arc::clone(plan),
            standing: opened.standing,
            first,
            journal: journal.clone(),
            buffer: buffer.clone(),
            clock,
        };
        if let Err(why) = journal.seal() {
            tracing::error!(why, "nothing will be recorded");
        }
        let (door, safety) = room::start(start).map_err(system("the safety room"))?;
        if let Some(trouble) = trouble {
            door.tell(trouble);
        }

        let tell = door.clone();
        let setup = buffer::Setup {
            dir: dir.join("buffer"),
            gateway: plan.gateway.clone(),
            boot,
            destinations: destination_ids(plan),
            telemetry_max_bytes: plan.telemetry.max_bytes,
            events_max: EVENTS_INDEXED,
            journal: journal.reader(),
            clock,
            tell: Box::new(move |body| tell.tell(body)),
        };
        let keeper = desk.start(setup).map_err(system("the buffer"))?;

        let (plan_tx, plan_rx) = watch::channel(Arc::clone(plan));
        let (stop, stopped) = watch::channel(false);
        let socket_dir = held.first().map_or(dir, |state| state.dir().to_owned());
        // Now, so that it is there once the agent runs.
        let socket = local::open(&socket_dir);
        let office = Office {
            door: door.clone(),
            buffer: buffer.clone(),
            journal: journal.clone(),
            unrecorded: journal.unrecorded(),
            plan: plan_rx,
            stop: stopped,
            clock,
            boot,
            socket_dir,
        };
        let office = std::thread::Builder::new()
            .name("davy-office".to_owned())
            .spawn(move || office.stay_open(socket))
            .map_err(system("the office"))?;
        Ok(Agent {
            plan: plan_tx,
            door,
            safety,
            journal,
            buffer,
            keeper,
            office,
            stop,
            clock,
            runtime,
            _held: held,
        })
    }

    /// The safety room's door.
    #[must_use]
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Goes on under a new plan.
    ///
    /// # Errors
    /// Why it does not; the old plan stays in force.
    pub fn replan(&self, plan: &Arc<Plan>) -> Result<(), Vec<String>> {
        let old = Arc::clone(&self.plan.borrow());
        let mut fixed = Vec::new();
        if old.gateway != plan.gateway {
            fixed.push(format!(
                "gateway id `{}` can't become `{}` while running: restart",
                old.gateway, plan.gateway
            ));
        }
        if old.state_dir != plan.state_dir {
            fixed.push(format!("the state folder {} can't change while running: restart", old.state_dir));
        }
        let outcome = if fixed.is_empty() {
            let work = self.door.replan(Arc::clone(plan));
            self.runtime.block_on(work).unwrap_or_else(|_| Err(vec!["the safety room has ended".to_owned()]))
        } else {
            Err(fixed)
        };
        let taken = outcome.is_ok();
        let new_hash = if taken { &plan.config_hash } else { &old.config_hash };
        let detail = match &outcome {
            Ok(()) if self.replan_buffer(plan) => "taken".to_owned(),
            Ok(()) => {
                "taken; but the buffer does not answer: it may go on with the old destinations and max_bytes until the \
                 next reload or start"
                    .to_owned()
            }
            Err(why) => why.join("; "),
        };
        self.note_config(&old.config_hash, new_hash, taken, detail);
        if taken {
            self.plan.send_replace(Arc::clone(plan));
        }
        outcome
    }

    /// Whether the buffer has taken its part of `plan`: before a new destination's uplink asks it for anything.
    fn replan_buffer(&self, plan: &Plan) -> bool {
        let (destinations, max_bytes) = (destination_ids(plan), plan.telemetry.max_bytes);
        let takes = async {
            // Its queue may be full for the moment.
            while self.buffer.replan(&destinations, max_bytes).await.is_err() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        self.wait_for(BUFFER_REPLAN, takes).is_some()
    }

    /// Puts on record that a site file was refused before it became a plan.
    pub fn refused_config(&self, why: String) {
        let hash = self.plan.borrow().config_hash.clone();
        self.note_config(&hash, &hash, false, why);
    }

    fn note_config(&self, old: &str, new: &str, taken: bool, detail: String) {
        let change = ConfigChange { old_hash: old.to_owned(), new_hash: new.to_owned(), taken, detail };
        self.door.tell(Body::Config(change));
    }

    /// Whether a room that must not end has ended.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        let rooms = [&self.safety, &self.keeper, &self.office];
        self.journal.is_finished() || rooms.into_iter().any(JoinHandle::is_finished)
    }

    /// Ends every room with everything recorded.
    ///
    /// # Errors
    /// What could not be kept, in words.
    pub fn stop(self, reason: &str) -> Result<(), String> {
        let mut lacks = Vec::new();
        let room = self.wait_for(ROOM_END.saturating_add(duration(PULSES_PATIENCE)), self.door.stop());
        // What the buffer had to throw away is put on record while there still is one.
        if !matches!(self.wait_for(SETTLING, self.buffer.settle()), Some(Ok(()))) {
            tracing::warn!("the buffer did not say in time whether telemetry was lost");
        }
        let mut last = self.door.left();
        let mut records = match room {
            Some(Ok(records)) => {
                last.push(Body::Ended { reason: reason.to_owned() });
                records
            }
            // This is no end in order, and the next start says so where the last record does not say otherwise.
            Some(Err(RoomGone)) | None => {
                lacks.push("the safety room did not end in time".to_owned());
                Vec::new()
            }
        };
        records.extend(last.into_iter().map(|body| Record { at: self.clock.now(), body }));
        let left = hand_in(&self.journal, records, HAND_IN);
        if left > 0 {
            lacks.push(format!("the journal did not take the last {left} records"));
        }
        if let Err(left) = self.journal.close(JOURNAL_END) {
            lacks.push(format!("{} records could not be written down", left.0));
        }
        self.buffer.journal_grew();
        // The end itself is told too, so the buffer must know of it before the uplinks tell the rest.
        let mut marks = self.buffer.marks();
        let last = self.journal.recorded();
        let catches_up = marks.wait_for(|marks| marks.events >= last);
        // Where it does not, the rest is told after the next start.
        drop(self.wait_for(CATCH_UP, catches_up));
        self.stop.send_replace(true);
        within(OFFICE_END, || self.office.is_finished());
        if self.wait_for(BUFFER_END, self.buffer.close()).is_none() {
            lacks.push("the buffer did not end in time; it is rebuilt from the journal".to_owned());
        }
        if lacks.is_empty() { Ok(()) } else { Err(lacks.join("; ")) }
    }

    /// Waits for `work`, at most so long.
    fn wait_for<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async { tokio::time::timeout(limit, work).await }).ok()
    }
}

/// Hands `records` in where the journal's queue has room for them within `limit`; says how many are left.
fn hand_in(journal: &Journal, mut records: Vec<Record>, limit: Duration) -> usize {
    within(limit, || match journal.offer(std::mem::take(&mut records)) {
        Ok(()) => true,
        Err(back) => {
            records = back;
            false
        }
    });
    records.len()
}

/// Looks whether it is `done`, again and again until the time is up.
fn within(limit: Duration, mut done: impl FnMut() -> bool) {
    let mut left = limit;
    while !done() && !left.is_zero() {
        std::thread::sleep(LOOK_AGAIN);
        left = left.saturating_sub(LOOK_AGAIN);
    }
}

fn destination_ids(plan: &Plan) -> Vec<String> {
    plan.destinations.values().map(|d| d.tag.to_string()).collect()
}

/// A number that this run is told apart by from all others. The random keys of `RandomState`, which the system gives,
/// do the work; time and process id are stirred in for a system that has no random numbers yet.
pub(super) fn boot_id(clock: Clock) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut stir = std::hash::RandomState::new().build_hasher();
    stir.write_i64(clock.now().wall.ms());
    stir.write_u32(std::process::id());
    stir.finish()
}

#[cfg(test)]
mod tests;
