//! The office: command socket and uplinks, on a thread and a runtime of its own. What breaks here must not stop
//! protection: the room is opened again.

use crate::io::buffer::Buffer;
use crate::io::clock::Clock;
use crate::io::files::{self, State};
use crate::io::journal::Journal;
use crate::io::local;
use crate::io::room::Door;
use crate::io::uplink::{self, Source};
use crate::model::plan::{Destination, Plan};
use crate::model::point::Text;
use crate::model::record::{Body, Trouble};
use crate::record::payload::Identity;
use crate::record::unrecorded::Unrecorded;
use std::collections::BTreeMap;
use std::os::unix::net::UnixListener;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{sync::Arc, thread};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

/// Pause before a room that broke down is opened again.
const REOPEN: Duration = Duration::from_secs(1);

/// Pause before a command socket that could not be opened is tried again.
const REOPEN_SOCKET: Duration = Duration::from_secs(5);

/// A room that has stayed open this long after it broke down works again.
const STEADY_AFTER: Duration = Duration::from_secs(60);

/// What the office works with.
pub(super) struct Office {
    pub(super) door: Door,
    pub(super) buffer: Buffer,
    pub(super) journal: Journal,
    pub(super) unrecorded: watch::Receiver<Unrecorded>,
    pub(super) plan: watch::Receiver<Arc<Plan>>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) clock: Clock,
    pub(super) boot: u64,
    pub(super) socket_dir: PathBuf,
}

impl Office {
    /// Works until it is told to stop, with a command socket that has been opened, or could not be yet.
    pub(super) fn stay_open(self, socket: Result<UnixListener, String>) {
        let mut socket = Some(socket);
        loop {
            let day = std::panic::catch_unwind(AssertUnwindSafe(|| {
                let runtime =
                    Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
                let day = runtime.block_on(self.day(socket.take()));
                // A name look-up that hangs must not hold up the end.
                runtime.shutdown_background();
                day
            }));
            let why = match day {
                Ok(Ok(())) => return,
                Ok(Err(why)) => why,
                Err(_) => "a panic, see the log".to_owned(),
            };
            tracing::error!(why, "the office broke down and is opened again");
            self.trouble(
                true,
                Text::new(
                    format!("通信线程故障, 已重启: {why}"),
                    format!(
                        "the thread of uplinks and command socket broke down and was started again: {why}"
                    ),
                ),
            );
            thread::sleep(REOPEN);
        }
    }

    fn trouble(&self, raised: bool, text: Text) {
        self.door.tell(Body::Trouble(Trouble { code: "office", detail: String::new(), raised, text }));
    }

    /// One working day: until the stop, or until something breaks.
    pub(super) async fn day(&self, socket: Option<Result<UnixListener, String>>) -> Result<(), String> {
        let (mut stop, mut plan) = (self.stop.clone(), self.plan.clone());
        let mut desk = JoinSet::new();
        desk.spawn(take_orders(socket, self.socket_dir.clone(), self.door.clone(), self.journal.clone()));
        let mut steady = std::pin::pin!(tokio::time::sleep(STEADY_AFTER));
        let mut uplinks = Uplinks::new(self.identity(&plan.borrow()));
        let broken = |e: JoinError| format!("an uplink ended: {e}");
        loop {
            let now = Arc::clone(&plan.borrow_and_update());
            uplinks.follow(&now, self).await.map_err(broken)?;
            tokio::select! {
                _ = stop.wait_for(|s| *s) => return uplinks.end().await.map_err(broken),
                changed = plan.changed() => if changed.is_err() {
                    return uplinks.end().await.map_err(broken);
                },
                Some(ended) = desk.join_next() => return Err(format!("the command socket ended: {ended:?}")),
                Some(Err(panic)) = uplinks.tasks.join_next() => return Err(broken(panic)),
                // Where nothing stood this is no news to the judge.
                () = &mut steady, if !steady.is_elapsed() => {
                    self.trouble(false, Text::new("通信线程恢复正常", "the thread of uplinks and command socket works again"));
                }
            }
        }
    }

    fn identity(&self, plan: &Plan) -> Identity {
        Identity {
            gateway: plan.gateway.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config_hash: plan.config_hash.clone(),
            boot: format!("{:016x}", self.boot),
        }
    }
}

/// Serves the command socket; where there can't be one, tries again. Neither protecting nor telling waits for it.
async fn take_orders(
    mut socket: Option<Result<UnixListener, String>>,
    dir: PathBuf,
    door: Door,
    journal: Journal,
) {
    let tell = |raised, text| {
        door.tell(Body::Trouble(Trouble { code: "command-socket", detail: String::new(), raised, text }));
    };
    let mut said = false;
    // The folder that is locked; and the lock of one that has taken its place.
    let (mut ours, mut held) = (files::identity(&dir), None);
    loop {
        let opened = socket.take().unwrap_or_else(|| {
            if files::identity(&dir) != ours {
                held = Some(State::lock(&dir).map_err(|e| e.to_string())?);
                ours = files::identity(&dir);
            }
            local::open(&dir)
        });
        match opened {
            Ok(socket) => {
                said = false;
                tell(false, Text::new("命令套接字恢复正常", "the command socket works again"));
                tokio::select! {
                    () = local::serve(socket, door.clone(), journal.clone()) => {}
                    () = taken_away(&dir) => tracing::error!("the command socket was taken away; it is opened again"),
                }
            }
            Err(why) => {
                // In the log too: without the socket nobody can ask for the status.
                if !std::mem::replace(&mut said, true) {
                    tracing::error!(why, "nobody can ask for the status, acknowledge or reset");
                }
                let zh = format!("无法打开命令套接字, 无法查询、确认或复位: {why}");
                tell(
                    true,
                    Text::new(zh, format!("nobody can ask for the status, acknowledge or reset: {why}")),
                );
            }
        }
        tokio::time::sleep(REOPEN_SOCKET).await;
    }
}

/// Waits until the command socket no longer lies where it was opened.
async fn taken_away(dir: &Path) {
    let ours = local::found(dir);
    while ours.is_some() && local::found(dir) == ours {
        tokio::time::sleep(REOPEN_SOCKET).await;
    }
}

/// The uplinks at work.
struct Uplinks {
    identity: watch::Sender<Identity>,
    tasks: JoinSet<()>,
    /// By tag: where each one goes, and what ends it when it is dropped.
    told: BTreeMap<String, (Destination, watch::Sender<bool>)>,
}

impl Uplinks {
    fn new(identity: Identity) -> Uplinks {
        Uplinks { identity: watch::Sender::new(identity), tasks: JoinSet::new(), told: BTreeMap::new() }
    }

    /// Tells the destinations of `plan`. Where nothing has changed for a destination its uplink goes on: an end would
    /// alarm its control room. Otherwise the old one ends before a new one begins, because both have one name.
    async fn follow(&mut self, plan: &Plan, office: &Office) -> Result<(), JoinError> {
        let goes_on = |d: &Destination| plan.destinations.values().any(|new| new == d);
        self.told.retain(|_, (destination, _)| goes_on(destination));
        while self.tasks.len() > self.told.len() {
            self.tasks.join_next().await.transpose()?;
        }
        // Those that have just gone are told an end and nothing else.
        let identity = office.identity(plan);
        self.identity.send_if_modified(|known| std::mem::replace(known, identity.clone()) != identity);
        for destination in plan.destinations.values() {
            let tag = destination.tag.to_string();
            if self.told.contains_key(&tag) {
                continue;
            }
            let (stop, stopped) = watch::channel(false);
            let door = office.door.clone();
            let troubles = move |trouble| door.tell(Body::Trouble(trouble));
            let source = Source {
                identity: self.identity.subscribe(),
                buffer: office.buffer.clone(),
                unrecorded: office.unrecorded.clone(),
            };
            let uplink = uplink::run(destination.clone(), source, office.clock, troubles, stopped);
            self.tasks.spawn(uplink);
            self.told.insert(tag, (destination.clone(), stop));
        }
        Ok(())
    }

    /// Ends them all in order.
    async fn end(mut self) -> Result<(), JoinError> {
        self.told.clear();
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(())
    }
}
