//! The lines of a plan, under way: sockets on the safety room's own thread, each serial port on a thread of its own,
//! because its driver blocks and the silence between two frames is shorter than the runtime's timer can tell.

use crate::field::figures::{Figures, UnitFigures};
use crate::io::clock::{Clock, duration};
use crate::io::line::{Decode, Dialler, Line, Modems, SharedFigures, Tap};
use crate::model::element::Demand;
use crate::model::link::Link;
use crate::model::plan::Plan;
use crate::model::table::{BusId, DeviceId, Table};
use crate::model::time::{Mono, Span};
use crate::model::view::{LineView, UnitView};
use crate::safety::Input;
use crate::views::registers::Heard;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How long the end of pulses is waited for before the agent ends: the longest pulses of shut-off valves, and an answer.
pub const PULSES_PATIENCE: Span = Span::from_secs(3);

/// What lines on other threads have handed in and the judge has not taken yet: a second of what sixteen lines at
/// 115,200 baud can say. The judge takes it within a millisecond.
const INBOX_MAX: usize = 4_096;

/// Lines under way. Dropped, they go on; see [`Lines::end`].
pub(super) struct Lines {
    tasks: Vec<JoinHandle<()>>,
    threads: Vec<Serial>,
    /// Whether each has still to end a pulse.
    owes: Vec<Arc<AtomicBool>>,
    /// What each measures of itself.
    figures: Table<BusId, SharedFigures>,
    taps: Table<BusId, Tap>,
    /// Modems may dial in for as long as this lives.
    _modems: Modems,
}

/// A line on a thread of its own.
struct Serial {
    /// Dropped, it ends.
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Lines {
    /// Starts every line of `plan`. What lines on this thread say goes to `hand_in`, what others say into `inbox`.
    pub(super) fn start<F: Fn(Input) + Clone + 'static>(
        plan: &Arc<Plan>,
        clock: Clock,
        demands: &watch::Sender<Vec<Demand>>,
        hurried: &watch::Sender<Vec<bool>>,
        inbox: &Inbox,
        hand_in: &F,
    ) -> Lines {
        let modems = Modems::listen(plan.buses.iter().map(|(_, bus)| &bus.link));
        let (mut tasks, mut threads, mut owes) = (Vec::new(), Vec::new(), Vec::new());
        let (mut figures, mut taps) = (Table::default(), Table::default());
        for (bus, row) in plan.buses.iter() {
            let measured: SharedFigures = Arc::new(Mutex::new(Figures::new(clock.mono())));
            figures.push(Arc::clone(&measured));
            let (plan, demands) = (Arc::clone(plan), demands.subscribe());
            let tap = Tap::new(row.tag.clone());
            let mut hurried = hurried.subscribe();
            hurried.mark_changed();
            let owe = Arc::new(AtomicBool::new(false));
            owes.push(Arc::clone(&owe));
            let line =
                Line { plan, bus, clock, demands, hurried, tap: tap.clone(), figures: measured, owes: owe };
            taps.push(tap);
            match &row.link {
                Link::Serial { .. } => threads.extend(serial(line, inbox.clone())),
                Link::Tcp { .. } | Link::Tls { .. } | Link::RtuTcp { .. } | Link::Listen { .. } => {
                    let (dialler, hand_in) = (Dialler::new(&row.link, &modems), hand_in.clone());
                    tasks.push(tokio::task::spawn_local(async move {
                        line.run(dialler, hand_in).await;
                    }));
                }
            }
        }
        Lines { tasks, threads, owes, figures, taps, _modems: modems }
    }

    /// What they measure of themselves.
    pub(super) fn view(&self, now: Mono) -> Vec<LineView> {
        let line = |(bus, figures): (BusId, &SharedFigures)| {
            let figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
            let unit = |(device, unit): (&DeviceId, &UnitFigures)| UnitView {
                device: *device,
                asked: unit.asked,
                no_reply: unit.no_reply,
                damaged: unit.damaged,
                garbled: unit.garbled,
                exceptions: unit.exceptions,
                down: unit.down,
                stray: unit.stray,
                median: unit.median(),
                p99: unit.p99(),
            };
            LineView {
                bus,
                in_use: figures.use_of_time(now),
                stray: figures.stray,
                units: figures.units.iter().map(unit).collect(),
            }
        };
        self.figures.iter().map(line).collect()
    }

    /// What every block of every device held when it was read last.
    pub(super) fn heard(&self, plan: &Plan, now: Mono) -> Vec<Heard> {
        let mut all = Vec::new();
        for (_, figures) in self.figures.iter() {
            let figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
            for ((device, block), (at, cells)) in &figures.last {
                let device = &plan.devices[*device];
                if let Some(block) = device.blocks.get(*block) {
                    let (device, cells) = (device.tag.to_string(), cells.clone());
                    all.push(Heard { device, block: *block, cells, age: now.since(*at) });
                }
            }
        }
        all
    }

    /// Writes so much of a line's traffic into the log; says whether there is such a line.
    pub(super) fn decode(&self, plan: &Plan, bus: &str, decode: Decode) -> bool {
        let found = plan.buses.iter().find(|(_, row)| row.tag.as_str() == bus);
        found.map(|(id, _)| self.taps[id].set(decode)).is_some()
    }

    /// Waits until no pulse stands any more that they have begun: a coil that stays under power burns out.
    pub(super) async fn end_pulses(&self, clock: Clock) {
        let patience = clock.mono() + PULSES_PATIENCE;
        while self.owes.iter().any(|owes| owes.load(Ordering::Relaxed)) {
            if clock.mono() >= patience {
                tracing::error!("a pulse may still stand: its device does not take the end of it");
                break;
            }
            sleep(duration(Span::from_ms(10))).await;
        }
    }

    /// Ends them, and waits until they have. A request under way is dropped with its connection; on a serial line, which
    /// is the same one after that, whoever comes next keeps silent until its answer can't come any more.
    pub(super) async fn end(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        let mut ends = Vec::new();
        for Serial { stop, ended } in self.threads {
            drop(stop);
            ends.push(ended);
        }
        for task in self.tasks {
            drop(task.await);
        }
        for ended in ends {
            // Its error, that the thread is gone without a word, is an end too.
            drop(ended.await);
        }
    }
}

fn serial(line: Line, inbox: Inbox) -> Option<Serial> {
    let (stop, stopped) = oneshot::channel::<()>();
    let (end, ended) = oneshot::channel();
    let tag = line.plan.buses[line.bus].tag.clone();
    let dialler = Dialler::new(&line.plan.buses[line.bus].link, &Modems::default());
    let (name, bus) = (format!("line-{tag}"), tag.clone());
    let run = move || {
        let _end: oneshot::Sender<()> = end;
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%bus, %error, "the line can't be run"),
        };
        runtime.block_on(async move {
            tokio::select! {
                () = line.run(dialler, |input| inbox.put(input)) => {}
                // Its owner has dropped the other end.
                _ = stopped => {}
            }
        });
    };
    match std::thread::Builder::new().name(name).spawn(run) {
        Ok(_) => Some(Serial { stop, ended }),
        Err(error) => {
            tracing::error!(bus = %tag, %error, "the system gives no thread to the line");
            None
        }
    }
}

/// What lines on other threads hand in. Locked only to put in or to take out.
#[derive(Clone, Debug, Default)]
pub(super) struct Inbox(Arc<In>);

#[derive(Debug, Default)]
struct In {
    inputs: Mutex<VecDeque<Input>>,
    news: Notify,
}

impl Inbox {
    /// Puts `input` in. A judge that does not come for it loses old readings first: the newest tell how things are.
    fn put(&self, input: Input) {
        let mut inputs = self.inputs();
        if inputs.len() >= INBOX_MAX {
            let oldest = inputs.iter().position(|input| matches!(input, Input::Readings { .. })).unwrap_or(0);
            drop(inputs.remove(oldest));
        }
        inputs.push_back(input);
        drop(inputs);
        self.0.news.notify_one();
    }

    /// Waits until there is something.
    pub(super) async fn news(&self) {
        self.0.news.notified().await;
    }

    /// Takes out what came first.
    pub(super) fn take(&self) -> Option<Input> {
        self.inputs().pop_front()
    }

    fn inputs(&self) -> MutexGuard<'_, VecDeque<Input>> {
        self.0.inputs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::line::LineFault;
    use crate::model::table::Row;

    #[test]
    fn a_full_inbox_loses_the_oldest_readings_and_nothing_else() {
        let inbox = Inbox::default();
        let device = DeviceId::from_usize;
        inbox.put(Input::NoAnswer { device: device(7), fault: LineFault::NoReply });
        for n in 0..INBOX_MAX {
            inbox.put(Input::Readings { device: device(n), readings: Vec::new() });
        }
        let taken: Vec<Input> = std::iter::from_fn(|| inbox.take()).collect();
        assert_eq!(taken.len(), INBOX_MAX);
        assert!(matches!(taken.first(), Some(Input::NoAnswer { .. })));
        assert!(matches!(taken.get(1), Some(Input::Readings { device: d, .. }) if *d == device(1)));
    }
}
