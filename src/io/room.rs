//! The safety room: one thread with the judge and the lines on it. Nothing here waits for a disk, a network beyond
//! the lines, or another room: what does not fit into the next channel waits here or is counted as lost.

mod lines;
mod mail;

pub use self::lines::PULSES_PATIENCE;
use self::lines::{Inbox, Lines};
use self::mail::Mailbox;
use super::buffer::Buffer;
use super::clock::{Clock, duration};
use super::journal::Journal;
use super::line::Decode;
use crate::field::schedule::{GRID, on_grid};
use crate::model::command::{Order, Reply};
use crate::model::element::Demand;
use crate::model::plan::Plan;
use crate::model::point::Text;
use crate::model::record::{Body, Gap, Lane, Record, Sample, Standing, Trouble};
use crate::model::table::Row;
use crate::model::time::Wall;
use crate::model::view::View;
use crate::safety::{Effects, Input, Site};
use crate::views::registers::Heard;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::LocalSet;

/// Carries every timer of the judge. On the grid of the polls, so that one waking serves both.
const TICK: Duration = duration(GRID);

/// Records that wait for a journal that does not take them: a flood of an hour. Beyond it the oldest stay, the
/// newest are counted as a gap, because how it began is what an inspector needs.
const WAITING_MAX: usize = 50_000;

/// Values that wait for the tick at most: a hundred devices of a dozen points that all changed within 100 ms.
const SAMPLES_MAX: usize = 2_000;

/// Requests that may wait at the door, with whoever made them: people are slow.
const DOOR_MAX: usize = 64;

/// The name of the thread; a panic on it ends the process, so that the service manager starts a sound one.
pub const THREAD: &str = "davy-safety";

/// What other rooms may ask of the safety room.
enum Knock {
    Order(Order, oneshot::Sender<Reply>),
    View(oneshot::Sender<(Arc<Plan>, View)>),
    Decode(String, Decode, oneshot::Sender<bool>),
    Cells(oneshot::Sender<Vec<Heard>>),
    Replan(Arc<Plan>, oneshot::Sender<Result<(), Vec<String>>>),
    Stop(oneshot::Sender<Vec<Record>>),
}

/// The door of the safety room.
#[derive(Clone, Debug)]
pub struct Door {
    knocks: mpsc::Sender<Knock>,
    mail: Mailbox,
}

/// The safety room does not answer: it has ended or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomGone;

impl Door {
    /// Hands in an order and waits for the answer.
    ///
    /// # Errors
    /// [`RoomGone`].
    pub async fn order(&self, order: Order) -> Result<Reply, RoomGone> {
        self.knock(|reply| Knock::Order(order, reply)).await
    }

    /// The latest state of everything, with the plan that it belongs to.
    ///
    /// # Errors
    /// [`RoomGone`].
    pub async fn view(&self) -> Result<(Arc<Plan>, View), RoomGone> {
        self.knock(Knock::View).await
    }

    /// Writes so much of a line's traffic into the log. Gives whether there is such a line.
    ///
    /// # Errors
    /// [`RoomGone`].
    pub async fn decode(&self, bus: String, decode: Decode) -> Result<bool, RoomGone> {
        self.knock(|reply| Knock::Decode(bus, decode, reply)).await
    }

    /// What every block of every device held when it was read last.
    ///
    /// # Errors
    /// [`RoomGone`].
    pub async fn cells(&self) -> Result<Vec<Heard>, RoomGone> {
        self.knock(Knock::Cells).await
    }

    /// Goes on under a new plan, or says what stands against it.
    ///
    /// # Errors
    /// [`RoomGone`]; inside, the objections.
    pub async fn replan(&self, plan: Arc<Plan>) -> Result<Result<(), Vec<String>>, RoomGone> {
        self.knock(|reply| Knock::Replan(plan, reply)).await
    }

    /// Ends the lines and the room. Gives the records that the journal has not taken yet.
    ///
    /// # Errors
    /// [`RoomGone`] where it has ended already.
    pub async fn stop(&self) -> Result<Vec<Record>, RoomGone> {
        self.knock(Knock::Stop).await
    }

    /// What was told and the room did not live to hear.
    #[must_use]
    pub fn left(&self) -> Vec<Body> {
        self.mail.take()
    }

    /// Tells what is to be put on record, in order; a trouble goes to the judge, who knows whether it is news. Never
    /// waits.
    pub fn tell(&self, body: Body) {
        self.mail.put(body);
    }

    async fn knock<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Knock) -> Result<T, RoomGone> {
        let (reply, answer) = oneshot::channel();
        self.knocks.send(make(reply)).await.map_err(|_| RoomGone)?;
        answer.await.map_err(|_| RoomGone)
    }
}

/// What the room starts with.
#[derive(Debug)]
pub struct Start {
    /// The compiled site.
    pub plan: Arc<Plan>,
    /// What the journal says stood at the end of the last run.
    pub standing: Standing,
    /// Records that come before the judge's first.
    pub first: Vec<Body>,
    /// Where records go.
    pub journal: Journal,
    /// Where telemetry goes.
    pub buffer: Buffer,
    /// The clock.
    pub clock: Clock,
}

/// Starts the room on its own thread.
///
/// # Errors
/// What the system says where it gives no thread or no runtime.
pub fn start(start: Start) -> std::io::Result<(Door, std::thread::JoinHandle<()>)> {
    let (knocks, at_door) = mpsc::channel(DOOR_MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // The judge is made here, out of memory that reading the site file has just left free on this thread.
    let now = start.clock.now();
    let mut site = Site::new(Arc::clone(&start.plan), &start.standing, now);
    for body in &start.first {
        if let Body::Trouble(trouble) = body {
            site.note_standing(trouble.clone());
        }
    }
    let desk = Desk {
        site,
        waiting: start.first.into_iter().map(|body| Record { at: now, body }).collect(),
        samples: Vec::new(),
        records_lost: Lost::default(),
        samples_lost: Lost::default(),
        journal_ails: false,
        key_trouble: None,
    };
    let Start { plan, journal, buffer, clock, .. } = start;
    let mail = Mailbox::new(clock);
    let at_room = mail.clone();
    let thread = std::thread::Builder::new().name(THREAD.to_owned()).spawn(move || {
        let demands = watch::channel(desk.site.demands()).0;
        let hurried = watch::channel(desk.site.hurried()).0;
        let desk = RefCell::new(desk);
        let (inbox, news) = (Inbox::default(), Notify::new());
        let room = Room { desk, mail: at_room, clock, journal, buffer, demands, hurried, inbox, news };
        room.news.notify_one(); // What waits already.
        LocalSet::new().block_on(&runtime, Rc::new(room).run(plan, at_door));
    })?;
    Ok((Door { knocks, mail }, thread))
}

/// The judge's desk: everything on this thread, so a plain cell is all the locking there is.
struct Room {
    desk: RefCell<Desk>,
    mail: Mailbox,
    clock: Clock,
    journal: Journal,
    buffer: Buffer,
    demands: watch::Sender<Vec<Demand>>,
    /// Which devices are to be asked more often.
    hurried: watch::Sender<Vec<bool>>,
    inbox: Inbox,
    /// There are records to be handed over.
    news: Notify,
}

struct Desk {
    site: Site,
    /// Records that the journal has not taken yet.
    waiting: Vec<Record>,
    /// Values that the buffer has not been given yet.
    samples: Vec<Sample>,
    records_lost: Lost,
    samples_lost: Lost,
    /// Whether the journal was last seen in trouble.
    journal_ails: bool,
    /// What was told last of the journal's key.
    key_trouble: Option<Trouble>,
}

/// What could not be kept since it was last told.
#[derive(Debug, Default)]
struct Lost {
    count: u64,
    from: Wall,
}

impl Lost {
    fn add(&mut self, count: usize, now: Wall) {
        if self.count == 0 {
            self.from = now;
        }
        self.count = self.count.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn gap(&mut self, lane: Lane, now: Wall, reason: &str) -> Option<Gap> {
        let count = std::mem::take(&mut self.count);
        (count > 0).then(|| Gap {
            lane,
            from: self.from,
            to: now,
            count,
            at_least: false,
            reason: reason.to_owned(),
        })
    }
}

impl Room {
    async fn run(self: Rc<Self>, mut plan: Arc<Plan>, mut at_door: mpsc::Receiver<Knock>) {
        let room = self;
        let mut lines = room.lines(&plan);
        let mut tick = tokio::time::interval_at(room.clock.instant(on_grid(room.clock.mono())), TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = room.inbox.news() => room.collect(),
                () = room.news.notified() => room.hand_over(),
                _ = tick.tick() => room.tick(),
                knock = at_door.recv() => match knock {
                    Some(Knock::Order(order, reply)) => {
                        let answer = room.input(Input::Order(order));
                        room.hand_over();
                        if let Some(answer) = answer {
                            drop(reply.send(answer));
                        }
                    }
                    Some(Knock::View(reply)) => {
                        let mut view = room.desk.borrow().site.view(room.clock.now());
                        view.lines = lines.view(room.clock.mono());
                        drop(reply.send((Arc::clone(&plan), view)));
                    }
                    Some(Knock::Decode(bus, decode, reply)) => {
                        let found = lines.decode(&plan, &bus, decode);
                        if reply.send(found).is_err() {
                            tracing::debug!("who asked for a line's traffic has gone");
                        }
                    }
                    Some(Knock::Cells(reply)) => {
                        // Who asked may have gone.
                        drop(reply.send(lines.heard(&plan, room.clock.mono())));
                    }
                    Some(Knock::Replan(new, reply)) => {
                        let objections = room.desk.borrow().site.objections(&new);
                        if objections.is_empty() {
                            lines.end().await;
                            room.collect();
                            plan = new;
                            room.replan(&plan);
                            lines = room.lines(&plan);
                            drop(reply.send(Ok(())));
                        } else {
                            drop(reply.send(Err(objections)));
                        }
                    }
                    Some(Knock::Stop(reply)) => {
                        lines.end_pulses(room.clock).await;
                        lines.end().await;
                        room.collect();
                        if let Err(left) = reply.send(room.finish()) {
                            tracing::error!(left = left.len(), "nobody waits for the last records of the safety room");
                        }
                        return;
                    }
                    None => return lines.end().await,
                },
            }
        }
    }

    fn lines(self: &Rc<Self>, plan: &Arc<Plan>) -> Lines {
        let room = Rc::clone(self);
        let hand_in = move |input| drop(room.input(input));
        Lines::start(plan, self.clock, &self.demands, &self.hurried, &self.inbox, &hand_in)
    }

    /// Takes in what lines on other threads have handed in.
    fn collect(&self) {
        while let Some(input) = self.inbox.take() {
            drop(self.input(input));
        }
    }

    /// Takes in one input and sees to its effects: demands first, records second, telemetry third. A demand is on the
    /// wire before the other rooms are woken for the rest: records go out when the line that handed in the input has
    /// gone on to its next request, telemetry with the tick.
    fn input(&self, input: Input) -> Option<Reply> {
        let now = self.clock.now();
        let mut effects = Effects::default();
        self.desk.borrow_mut().site.handle(now, input, &mut effects);
        self.see_to(effects)
    }

    fn see_to(&self, effects: Effects) -> Option<Reply> {
        if !effects.demands.is_empty() {
            self.demands.send_modify(|demands| {
                for (element, demand) in effects.demands {
                    if let Some(slot) = demands.get_mut(element.to_usize()) {
                        *slot = demand;
                    }
                }
            });
        }
        let mut desk = self.desk.borrow_mut();
        desk.samples.extend(effects.samples);
        if !effects.records.is_empty() {
            desk.waiting.extend(effects.records);
            self.news.notify_one();
        }
        let full = desk.samples.len() >= SAMPLES_MAX;
        drop(desk);
        if full {
            self.tell();
        }
        effects.reply
    }

    /// Hands what waits to the journal; what it does not take goes on waiting.
    fn hand_over(&self) {
        let mut desk = self.desk.borrow_mut();
        if desk.waiting.is_empty() {
            return;
        }
        // Only what is worth a record can have changed where there is gas.
        let over = desk.site.hurried();
        self.hurried.send_if_modified(|hurried| {
            let changed = *hurried != over;
            *hurried = over;
            changed
        });
        if let Err(back) = self.journal.offer(std::mem::take(&mut desk.waiting)) {
            desk.waiting = back;
            let over = desk.waiting.len().saturating_sub(WAITING_MAX);
            if over > 0 {
                desk.waiting.truncate(WAITING_MAX);
                desk.records_lost.add(over, self.clock.now().wall);
            }
        }
    }

    /// Gives the values that wait to the buffer.
    fn tell(&self) {
        let mut desk = self.desk.borrow_mut();
        if desk.samples.is_empty() {
            return;
        }
        if let Err(back) = self.buffer.keep(std::mem::take(&mut desk.samples)) {
            desk.samples_lost.add(back.len(), self.clock.now().wall);
        }
    }

    /// Takes in what other rooms have told.
    fn hear(&self, bodies: Vec<Body>) {
        for body in bodies {
            if let Body::Trouble(trouble) = body {
                drop(self.input(Input::Trouble(trouble)));
            } else {
                self.note(body);
            }
        }
    }

    fn note(&self, body: Body) {
        let at = self.clock.now();
        self.desk.borrow_mut().waiting.push(Record { at, body });
        self.hand_over();
    }

    fn tick(&self) {
        self.hear(self.mail.try_take());
        drop(self.input(Input::Tick));
        self.hand_over();
        self.tell();
        let ailing = self.journal.trouble();
        let mut desk = self.desk.borrow_mut();
        let changed = ailing.is_some() != desk.journal_ails;
        desk.journal_ails = ailing.is_some();
        let takes = desk.waiting.is_empty();
        if let Some(removed) = self.journal.removed() {
            desk.site.note_standing(removed);
        }
        let key = self.journal.key_trouble().filter(|key| desk.key_trouble.as_ref() != Some(key));
        if key.is_some() {
            desk.key_trouble.clone_from(&key);
        }
        drop(desk);
        if let Some(key) = key {
            drop(self.input(Input::Trouble(key)));
        }
        if takes {
            self.note_gaps();
        }
        if changed {
            drop(self.input(Input::Trouble(journal_trouble(ailing))));
        }
    }

    /// Puts on record what was lost here.
    fn note_gaps(&self) {
        let wall = self.clock.now().wall;
        let mut desk = self.desk.borrow_mut();
        let records = desk.records_lost.gap(Lane::Event, wall, "the journal took no records");
        let samples = desk.samples_lost.gap(Lane::Telemetry, wall, "the buffer took no values");
        drop(desk);
        for gap in [records, samples].into_iter().flatten() {
            self.note(Body::Gap(gap));
        }
    }

    /// Gives away what is here at the end; the lines have ended. What is left are records that found no place in the
    /// journal's queue.
    fn finish(&self) -> Vec<Record> {
        self.hear(self.mail.take());
        self.tell();
        self.note_gaps();
        self.hand_over();
        std::mem::take(&mut self.desk.borrow_mut().waiting)
    }

    fn replan(&self, plan: &Arc<Plan>) {
        let now = self.clock.now();
        let mut effects = Effects::default();
        let mut desk = self.desk.borrow_mut();
        desk.site.replan(now, Arc::clone(plan), &mut effects);
        // Row numbers have changed: the whole level is sent, not its differences.
        effects.demands.clear();
        self.demands.send_replace(desk.site.demands());
        self.hurried.send_replace(desk.site.hurried());
        drop(desk);
        drop(self.see_to(effects));
    }
}

fn journal_trouble(ailing: Option<String>) -> Trouble {
    let raised = ailing.is_some();
    let what = ailing.unwrap_or_else(|| "the journal records again".to_owned());
    Trouble {
        code: "journal-write",
        detail: String::new(),
        raised,
        text: if raised {
            Text::new(
                format!("日志写不进去, 事件暂存内存: {what}. 请检查磁盘空间和权限"),
                format!(
                    "events are not recorded, they wait in memory: {what}. Check disk space and permissions"
                ),
            )
        } else {
            Text::new("日志恢复记录", what)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::buffer;
    use std::sync::mpsc as blocking;

    #[test]
    fn records_that_a_hanging_journal_does_not_take_are_given_back_at_the_end() {
        let dir = std::env::temp_dir().join(format!("davy-room-{}", std::process::id()));
        let clock = Clock::start();
        // A disk that hangs holds up the journal's thread; so does this, until it is dropped.
        let (disk, hangs) = blocking::channel::<()>();
        let grown = move |_| hangs.recv().unwrap_or_default();
        let opened = Journal::open(&dir, "gw", 1, clock, crate::model::record::Seq(0), grown).unwrap();
        let journal = opened.journal;
        let note = |n: u32| Body::Ended { reason: n.to_string() };
        let fill = || vec![Record { at: clock.now(), body: note(0) }];
        journal.offer(fill()).unwrap();
        while journal.recorded().0 == 0 {
            std::thread::yield_now();
        }
        while journal.offer(fill()).is_ok() {}
        let (buffer, _desk) = buffer::channel();
        let (plan, standing) = (Arc::new(Plan::default()), Standing::default());
        let first = vec![note(1)];
        let start = Start { plan, standing, first, journal: journal.clone(), buffer, clock };
        let (door, thread) = super::start(start).unwrap();
        (2..=300).for_each(|n| door.tell(note(n)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let left: Vec<Body> = runtime.block_on(door.stop()).unwrap().into_iter().map(|r| r.body).collect();
        assert_eq!(left, (1..=300).map(note).collect::<Vec<_>>());
        thread.join().unwrap();
        door.tell(note(301));
        assert_eq!(door.left(), [note(301)], "and what comes too late is not lost either");
        drop(disk);
        journal.close(Duration::from_secs(30)).unwrap();
        std::fs::remove_dir_all(dir).unwrap();
    }
}
