//! One line: sends what its schedule asks, and hands in what comes back. It decides nothing. How a link is opened
//! lives in `link`, what is sent over it in `wire`, what is kept from it in `quiet`, what is said of it in `voice`
//! and `tap`; `bench` asks without a site.

mod bench;
mod holder;
mod link;
mod marks;
mod quiet;
mod tap;
mod tls;
mod voice;
mod wire;

pub use self::bench::{Bench, Tried};
pub use self::link::{Dial, Dialler, Modems, Opened, Terminal};
pub use self::marks::Marks;
pub use self::quiet::Stream;
pub use self::tap::{Decode, Tap};

use self::voice::Voice;
use self::wire::Wire;
use super::clock::Clock;
use crate::field::figures::Figures;
use crate::field::schedule::{Event, Purpose, Schedule, Step};
use crate::model::element::Demand;
use crate::model::plan::Plan;
use crate::model::table::{BusId, DeviceId, ElementId, Row};
use crate::safety::Input;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio::time::sleep_until;

/// What a line measures of itself, for whoever wants to look at it.
pub type SharedFigures = Arc<Mutex<Figures>>;

/// One line of a plan.
#[derive(Debug)]
pub struct Line {
    /// The site.
    pub plan: Arc<Plan>,
    /// Which of its lines.
    pub bus: BusId,
    /// The time.
    pub clock: Clock,
    /// One demand per element, by row number.
    pub demands: watch::Receiver<Vec<Demand>>,
    /// Which devices are to be asked more often, by row number.
    pub hurried: watch::Receiver<Vec<bool>>,
    /// What of its traffic is written into the log.
    pub tap: Tap,
    /// Where it writes down what it measures of itself.
    pub figures: SharedFigures,
    /// Whether a pulse may stand that it has still to end.
    pub owes: Arc<AtomicBool>,
}

impl Line {
    /// Runs until the sender of the demands is gone. Every outcome goes to `hand_in`, which must not block.
    pub async fn run(self, dial: impl Dial, hand_in: impl Fn(Input)) {
        let Line { plan, bus, clock, mut demands, mut hurried, tap, figures, owes } = self;
        let mut schedule = Schedule::new(Arc::clone(&plan), bus, clock.mono());
        let mut wire = Wire::new(plan.buses[bus].link.clone(), tap.clone(), dial, clock);
        let mut voice = Voice::new(&plan, bus);
        while demands.has_changed().is_ok() {
            for (n, demand) in demands.borrow_and_update().iter().enumerate() {
                schedule.demand(ElementId::from_usize(n), *demand);
            }
            if hurried.has_changed().unwrap_or(false) {
                for (n, hurried) in hurried.borrow_and_update().iter().enumerate() {
                    schedule.hurry(clock.mono(), DeviceId::from_usize(n), *hurried);
                }
            }
            match schedule.next(clock.mono()) {
                Step::Wait(at) => tokio::select! {
                    // Its error, that the sender is gone, ends the loop above.
                    _ = demands.changed() => {}
                    () = sleep_until(clock.instant(at)) => {}
                },
                // Never cancelled: a device answers all the same, and its answer would meet the next question.
                Step::Ask(ask) => {
                    // Before it is sent: whoever ends the line has to know of it.
                    owes.store(schedule.owes_an_end(), Ordering::Relaxed);
                    let outcome = wire.ask(&ask).await;
                    let beside = wire.finish();
                    if wire.is_renewed() {
                        schedule.reconnected();
                    }
                    let (now, fault) = (clock.mono(), outcome.as_ref().err().cloned());
                    let heard = outcome.as_ref().ok().cloned();
                    tap.asked(&plan, &ask, &outcome);
                    for event in schedule.done(now, &ask, outcome) {
                        if let Event::Read { readings, .. } = &event {
                            tap.read(&plan, readings);
                        }
                        voice.tell(&event, now);
                        if let Some(input) = input(event) {
                            hand_in(input);
                        }
                    }
                    owes.store(schedule.owes_an_end(), Ordering::Relaxed);
                    let mut figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
                    figures.take(now, &ask, wire.took(), fault.as_ref(), beside);
                    if let (Purpose::Poll { block }, Some(cells)) = (ask.purpose, heard) {
                        figures.heard(now, ask.device, block, cells);
                    }
                    figures.stray = wire.strays();
                }
            }
        }
    }
}

fn input(event: Event) -> Option<Input> {
    match event {
        Event::Read { device, readings, .. } | Event::Refused { device, readings, .. } => {
            Some(Input::Readings { device, readings })
        }
        Event::NoAnswer { device, fault } => Some(Input::NoAnswer { device, fault }),
        Event::Wrote { element, demand, outcome } => Some(Input::Wrote { element, demand, outcome }),
        Event::Unwatched { device, fault } => Some(Input::Watchdog { device, outcome: Err(fault) }),
        Event::Watched { device } => Some(Input::Watchdog { device, outcome: Ok(()) }),
        Event::Undone { .. } | Event::Skipped { .. } => None,
    }
}
