//! `davy demo`: a pretended plant, a broker and the agent in one process, and a story that is observed from outside
//! the agent.

use super::agent::Agent;
use super::args::Demo;
use super::narrator::Narrator;
use super::story::{Missing, STEPS, Stage};
use super::{BAD_CONFIG, FAILED, err, log, run};
use crate::config::{self, Extras, Source};
use crate::io::broker::Broker;
use crate::io::clock::Clock;
use crate::io::slave::Slave;
use crate::io::subscriber::Subscriber;
use crate::model::plan::Plan;
use crate::model::time::Span;
use crate::simulator::plant::Plant;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::level_filters::LevelFilter;

/// The site that the demo plays on, the same file that a user starts from.
const SITE: &str = include_str!("../../config/demo.toml");

/// What the plant measures when nothing is wrong; everything not named measures 0.
const AN_ORDINARY_DAY: [(&str, f64); 7] = [
    ("face.t0", 0.42),
    ("face.t1", 0.31),
    ("face.t2", 0.36),
    ("heading.t1", 0.18),
    ("heading.fan", 1.0),
    ("heading.duct", 6.50),
    ("boiler-house.co", 2.0),
];

/// Rest between two rounds of the story.
const REST: Duration = Duration::from_secs(5);

/// `davy demo`.
pub(super) fn demo(args: &Demo) -> ExitCode {
    log::start(&args.log, LevelFilter::ERROR);
    let broker = match args.broker.as_deref().map(broker_address).transpose() {
        Ok(broker) => broker,
        Err(why) => {
            err(&format!("error: {why}\n"));
            return ExitCode::from(BAD_CONFIG);
        }
    };
    run::end_on_panic();
    match play(args, broker) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Start(why)) => {
            err(&format!("error: {why}\n"));
            ExitCode::from(FAILED)
        }
        Err(Failure::Step(Missing(what))) => {
            err(&format!("\nerror: the story ended at a step that was not observed: {what}\n"));
            ExitCode::from(FAILED)
        }
    }
}

enum Failure {
    Start(String),
    Step(Missing),
}

impl From<String> for Failure {
    fn from(why: String) -> Failure {
        Failure::Start(why)
    }
}

fn play(args: &Demo, own_broker: Option<(String, u16)>) -> Result<(), Failure> {
    let clock = Clock::start();
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("the system gives no runtime: {e}"))?;
    // First of all, so that Ctrl-C ends it cleanly from here on.
    let mut interrupts = runtime.block_on(async { Interrupts::listen() })?;
    let folder = Folder::new(args.state.as_deref())?;
    let embedded = if own_broker.is_none() { Some(BrokerThread::start()?) } else { None };
    let (host, port) = match (own_broker, &embedded) {
        (Some(own), _) => own,
        (None, Some(embedded)) => ("127.0.0.1".to_owned(), embedded.port),
        (None, None) => return Err(Failure::Start("there is no broker".to_owned())),
    };
    let (plan, slave, plant) = pretend(&folder.path, &host, port, clock)?;

    let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let prefix = plan.destinations.values().next().map_or("davy", |d| &d.prefix).to_owned();
    let filter = format!("{prefix}/v1/{}/#", plan.gateway);
    let id = format!("davy-demo-{}", std::process::id());
    let subscriber = runtime
        .block_on(Subscriber::connect(&address, &id, &[&filter]))
        .map_err(|e| format!("cannot subscribe at the broker {address}: {e}"))?;

    let mut narrator = Narrator::new(STEPS, clock.mono());
    narrator.print(&format!("Davy's demo: {} / {}", plan.name.zh, plan.name.en));
    narrator.print(&format!(
        "watch with any MQTT client:  mosquitto_sub -h {host} -p {port} -v -t '#'        end with Ctrl-C"
    ));
    let agent = Agent::start(&plan, clock).map_err(|e| e.to_string())?;
    narrator.print(&format!("ask the agent:  davy status --state {}", folder.path.display()));

    let mut stage = Stage::new(plan, plant, subscriber, clock, narrator, args.once);
    let outcome = runtime.block_on(async {
        tokio::select! {
            () = interrupts.next() => Ok(Ended::Interrupted),
            played = rounds(&mut stage, args.once) => played.map(|()| Ended::Played).map_err(Failure::Step),
        }
    });
    let mut narrator = stage.narrator;
    narrator.end();
    let stopped = agent.stop("the demo ends");
    slave.stop();
    drop(embedded);
    let kept = folder.end();
    match outcome? {
        Ended::Interrupted if args.once => {
            return Err(Failure::Start("interrupted before the story was over".to_owned()));
        }
        Ended::Interrupted => narrator.print("\nended cleanly"),
        Ended::Played => narrator.print(&format!("\nall {STEPS} steps were observed from outside the agent")),
    }
    if let Some(kept) = kept {
        narrator.print(&format!("journal and buffer: {}", kept.display()));
    }
    stopped.map_err(|lacks| Failure::Start(format!("the end was not clean: {lacks}")))
}

/// Ctrl-C, SIGTERM and a terminal that is closed.
pub(super) struct Interrupts([Signal; 3]);

impl Interrupts {
    pub(super) fn listen() -> Result<Interrupts, String> {
        let listen = |kind| signal(kind).map_err(|e| format!("the system lets us hear no signals: {e}"));
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hang_up] = kinds.map(listen);
        Ok(Interrupts([interrupt?, terminate?, hang_up?]))
    }

    pub(super) async fn next(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}

enum Ended {
    Interrupted,
    Played,
}

async fn rounds(stage: &mut Stage, once: bool) -> Result<(), Missing> {
    loop {
        stage.play().await?;
        if once {
            return Ok(());
        }
        stage.narrator.heading("The story begins again; Ctrl-C ends it");
        tokio::time::sleep(REST).await;
    }
}

/// A site, what answers on its lines, and what is behind that.
type Pretence = (Arc<Plan>, Slave, Arc<Mutex<Plant>>);

/// The site of the demo with a pretended plant behind every line.
fn pretend(state: &Path, host: &str, port: u16, clock: Clock) -> Result<Pretence, String> {
    let site = Source { name: "config/demo.toml".to_owned(), text: SITE.to_owned() };
    let mut plan = config::compile(&site, &Extras::default()).map_err(|faults| faults.render(false))?.plan;
    plan.state_dir = state.display().to_string();
    // Nobody stands before a pretended plant, and the story resets sooner than a real site may.
    plan.start_hold = Span::ZERO;
    let mut plant = Plant::new(&plan);
    for (tag, value) in AN_ORDINARY_DAY {
        if let Some(point) = plan.points.find(|p| p.tag.as_str() == tag) {
            plant.set(clock.mono(), point, value);
        }
    }
    let plant = Arc::new(Mutex::new(plant));
    let slave = Slave::start(&plan, Arc::clone(&plant), clock)
        .map_err(|e| format!("the pretended plant finds no free port on 127.0.0.1: {e}"))?;
    for (bus, row) in plan.buses.iter_mut() {
        row.link = slave.link(bus).clone();
    }
    for (_, destination) in plan.destinations.iter_mut() {
        host.clone_into(&mut destination.host);
        destination.port = port;
    }
    Ok((Arc::new(plan), slave, plant))
}

/// `mqtt://host:port`, the port optional.
fn broker_address(url: &str) -> Result<(String, u16), String> {
    let wrong = || format!("--broker {url}: expected mqtt://HOST:PORT, as mqtt://192.168.1.10:1883");
    let rest = url.strip_prefix("mqtt://").ok_or_else(wrong)?.trim_end_matches('/');
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().map_err(|_| wrong())?)
        }
        _ => (rest, 1883),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let fits = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:".contains(c));
    if fits && port != 0 { Ok((host.to_owned(), port)) } else { Err(wrong()) }
}

/// The embedded broker on a thread of its own, so that it serves while others end.
struct BrokerThread {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl BrokerThread {
    fn start() -> Result<BrokerThread, String> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, start) = mpsc::channel();
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| format!("the system gives no runtime: {e}"))?;
        let serve = move || {
            runtime.block_on(async {
                match Broker::start().await {
                    Err(e) => drop(started.send(Err(format!("the embedded broker finds no free port: {e}")))),
                    Ok(broker) => {
                        drop(started.send(Ok(broker.addr().port())));
                        drop(stopped.await);
                        broker.stop().await;
                    }
                }
            });
        };
        let thread = std::thread::Builder::new().name("demo-broker".to_owned()).spawn(serve);
        let thread = thread.map_err(|e| format!("the system gives no thread: {e}"))?;
        let port = start.recv().map_err(|_| "the embedded broker did not start".to_owned())??;
        Ok(BrokerThread { port, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for BrokerThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Where journal and buffer go: the user's folder, or one that is gone afterwards.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn new(own: Option<&Path>) -> Result<Folder, String> {
        if let Some(own) = own {
            return Ok(Folder { path: own.to_owned(), keep: true });
        }
        let path = std::env::temp_dir().join(format!("davy-demo-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(|e| format!("cannot make the folder {}: {e}", path.display()))?;
        Ok(Folder { path, keep: false })
    }

    /// Gives the folder where it is kept, and takes it away where it is not.
    fn end(self) -> Option<PathBuf> {
        self.keep.then(|| self.path.clone())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep
            && let Err(e) = std::fs::remove_dir_all(&self.path)
        {
            err(&format!("cannot remove {}: {e}\n", self.path.display()));
        }
    }
}
