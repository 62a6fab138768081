//! `davy sim`: the pretended plant of a site, served on lines until a signal ends it, and changed while it runs.

use super::args::{Live, LogFormat, Poke, Sim};
use super::demo::Interrupts;
use super::load::{self, LoadError};
use super::{BAD_CONFIG, FAILED, err, log, out};
use crate::config::{self, Scenario};
use crate::io::clock::Clock;
use crate::io::slave::{Manner, Slave};
use crate::model::link::Link;
use crate::model::plan::Plan;
use crate::model::table::BusId;
use crate::model::time::Mono;
use crate::simulator::plant::Plant;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream as Blocking;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep_until, timeout};
use tracing::level_filters::LevelFilter;

/// Longest order, in bytes.
const ORDER_MAX: u64 = 4096;

/// How long who pokes may take to say what, and the plant to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why it ends badly: what to say, and the exit code.
struct Refusal(String, u8);

impl Refusal {
    fn of(why: String) -> Refusal {
        Refusal(format!("error: {why}\n"), FAILED)
    }

    fn bad(why: &str) -> Refusal {
        Refusal(format!("error: {why}\n"), BAD_CONFIG)
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Refusal {
        match error {
            LoadError::Faulty(faults) => Refusal(faults.render(false), BAD_CONFIG),
            LoadError::Unreadable(why) => Refusal::bad(&why),
        }
    }
}

/// `davy sim`.
pub(super) fn sim(args: &Sim) -> ExitCode {
    let done = match (&args.live, &args.config) {
        (Some(Live::Poke(poke)), _) => send(poke),
        (None, Some(config)) => {
            log::start(&args.log, LevelFilter::WARN);
            serve(args, config)
        }
        (None, None) => Err(Refusal::bad("--config FILE is missing: which site is to be pretended?")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Refusal(why, code)) => {
            err(&why);
            ExitCode::from(code)
        }
    }
}

fn serve(args: &Sim, config: &Path) -> Result<(), Refusal> {
    let plan = load::load(config)?.plan;
    let scenario = args.scenario.as_deref().map(|path| {
        let source = load::read(path)?;
        config::scenario(&source, &plan).map_err(|faults| Refusal::from(LoadError::Faulty(faults)))
    });
    let scenario = scenario.transpose()?;
    let links = elsewhere(args, &plan)?;
    let clock = Clock::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Refusal::of(format!("the system gives no runtime: {e}")))?;
    let mut interrupts = runtime.block_on(async { Interrupts::listen() }).map_err(Refusal::of)?;
    let plant = Arc::new(Mutex::new(Plant::with_seed(&plan, args.seed)));
    let manner = Manner { links, own_addresses: true, paced: !args.unpaced };
    let slave = Slave::start_as(&plan, Arc::clone(&plant), clock, &manner)
        .map_err(|e| Refusal::of(format!("the pretended plant can't be served: {e}")))?;
    if let Some(copy) = &args.write_config {
        write_copy(args, &plan, &slave, &manner, copy)?;
    }
    let mut socket = Socket::new(args.socket.as_deref())?;
    let listener = runtime.block_on(async { socket.listen() })?;
    greet(args, &plan, &slave, &manner, &socket.path, scenario.as_ref());
    runtime.block_on(async {
        tokio::select! {
            () = interrupts.next() => {}
            () = play(scenario, &plant, clock) => {}
            () = attend(&listener, &plan, &plant, clock) => {}
        }
    });
    slave.stop();
    Ok(())
}

/// Where `--link` wants lines, and that no line is of a kind that can't be pretended.
fn elsewhere(args: &Sim, plan: &Plan) -> Result<BTreeMap<BusId, Link>, Refusal> {
    let mut links = BTreeMap::new();
    for text in &args.link {
        let wrong = |why: &str| Refusal::bad(&format!("--link {text}: {why}"));
        let (name, link) = text.split_once('=').ok_or_else(|| wrong("write BUS=LINK"))?;
        let bus = plan.buses.find(|b| b.tag.as_str() == name).ok_or_else(|| {
            let all: Vec<&str> = plan.buses.values().map(|b| b.tag.as_str()).collect();
            wrong(&format!("the site has no bus `{name}`; it has {}", all.join(", ")))
        })?;
        let site = &plan.buses[bus].link;
        let link =
            config::parse_link(link).map_err(|bad| wrong(&format!("{}; {}", bad.message, bad.help)))?;
        let is_wire = |link: &Link| matches!(link, Link::Serial { .. });
        if args.write_config.is_some() && is_wire(&link) && !is_wire(site) {
            // The copy would lead the agent to where the site has the line: to the real devices.
            let why = format!("the other end of that wire is not where the site has the line ({site})");
            return Err(wrong(&format!(
                "{why}: leave --write-config out, or write BUS=tcp://127.0.0.1:PORT"
            )));
        }
        links.insert(bus, link);
    }
    // Where real modems dial in nothing is pretended: they could not be told from pretended ones.
    for (bus, row) in plan.buses.iter().filter(|_| args.write_config.is_some()) {
        if let Link::Listen { id, pace, .. } = &row.link {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
            let free = free.map_err(|e| Refusal::of(format!("no port for bus {}: {e}", row.tag)))?;
            let host = free.ip().to_string();
            let own = Link::Listen { host, port: free.port(), id: id.clone(), pace: *pace };
            links.entry(bus).or_insert(own);
        }
    }
    for (bus, row) in plan.buses.iter() {
        if matches!(links.get(&bus).unwrap_or(&row.link), Link::Tls { .. }) {
            return Err(Refusal::bad(&format!(
                "bus {} is reached over TLS, which is not pretended: serve it without, with --link {}=tcp://127.0.0.1:PORT",
                row.tag, row.tag
            )));
        }
    }
    Ok(links)
}

/// The link that an agent is to use for a line. The plant's own end of a wire is not it.
fn near<'a>(plan: &'a Plan, slave: &'a Slave, manner: &Manner, bus: BusId) -> &'a Link {
    let own_wire = matches!(manner.links.get(&bus), Some(Link::Serial { .. }));
    let site = &plan.buses[bus].link;
    // What listens here for the plant to dial is left as it is.
    let is_called = matches!(site, Link::Listen { .. }) && !manner.links.contains_key(&bus);
    if own_wire || is_called { site } else { slave.link(bus) }
}

/// Writes the copy that an agent is run with, and reads it again: what would tell the site's own brokers, or mix with
/// its records, is not left lying about.
fn write_copy(args: &Sim, plan: &Plan, slave: &Slave, manner: &Manner, copy: &Path) -> Result<(), Refusal> {
    let Some(config) = args.config.as_deref() else { return Ok(()) };
    let same = || Some(fs::canonicalize(config).ok()? == fs::canonicalize(copy).ok()?);
    if same() == Some(true) {
        let why = format!("--write-config {} would overwrite the site file: name another", copy.display());
        return Err(Refusal::bad(&why));
    }
    let full = |path: &Path| match std::path::absolute(path) {
        Ok(full) => full.display().to_string(),
        Err(_) => path.display().to_string(),
    };
    let links = plan.buses.iter();
    let links =
        links.map(|(bus, row)| (row.tag.to_string(), near(plan, slave, manner, bus).clone())).collect();
    let state = full(&copy.with_extension("state"));
    let other = config::Pretended { links: &links, state: &state, destinations: args.keep_destinations };
    let text =
        config::pretended(&load::read(config)?.text, &other, |named| full(&load::beside(config, named)));
    fs::write(copy, text).map_err(|e| Refusal::of(format!("cannot write {}: {e}", copy.display())))?;
    let kept = load::load(copy).map(|copied| copied.plan);
    let is_apart = kept.as_ref().is_ok_and(|kept| {
        kept.gateway != plan.gateway
            && kept.state_dir == state
            && (args.keep_destinations || kept.destinations.is_empty())
            && kept.buses.values().all(|bus| links.get(bus.tag.as_str()) == Some(&bus.link))
    });
    if is_apart {
        return Ok(());
    }
    drop(fs::remove_file(copy));
    let why = format!(
        "no copy can be made of {}: write [gateway], [[bus]] and [[destination]] as tables of their own",
        config.display()
    );
    match kept {
        Ok(_) => Err(Refusal::bad(&why)),
        Err(error) => Err(Refusal::bad(&format!("{why} ({})", error.in_a_line()))),
    }
}

fn greet(
    args: &Sim,
    plan: &Plan,
    slave: &Slave,
    manner: &Manner,
    socket: &Path,
    scenario: Option<&Scenario>,
) {
    let rows = || plan.buses.iter().map(|(bus, row)| (row, near(plan, slave, manner, bus)));
    if args.format == LogFormat::Json {
        let links: BTreeMap<String, String> =
            rows().map(|(row, link)| (row.tag.to_string(), config::written_link(link))).collect();
        return out(&format!("{}\n", json!({ "links": links, "socket": socket, "seed": args.seed })));
    }
    let mut text = format!("the plant of {} is pretended, seed {}\n", plan.name.en, args.seed);
    for (row, link) in rows() {
        let elsewhere = if row.link == *link { "" } else { "   instead of " };
        let site = if elsewhere.is_empty() { String::new() } else { config::written_link(&row.link) };
        let line = format!("  {:<16} {}{elsewhere}{site}\n", row.tag.as_str(), config::written_link(link));
        text.push_str(&line);
    }
    if let Some(scenario) = scenario {
        text.push_str(&format!("scenario: {} ({})\n", scenario.what, scenario.length));
    }
    if let Some(copy) = &args.write_config {
        text.push_str(&format!(
            "run the agent against it:  davy run --config {}   ({})\n",
            copy.display(),
            if args.keep_destinations {
                "it tells the site's own destinations"
            } else {
                "it tells no destination"
            }
        ));
    }
    text.push_str(&format!(
        "change it:  davy sim poke --socket {} show        end with Ctrl-C\n",
        socket.display()
    ));
    out(&text);
}

/// Lets a scenario happen, and then nothing, for ever.
async fn play(scenario: Option<Scenario>, plant: &Mutex<Plant>, clock: Clock) {
    let mut events: VecDeque<_> = scenario.map(|s| s.events).unwrap_or_default().into();
    while let Some((after, deed)) = events.pop_front() {
        sleep_until(clock.instant(Mono::START + after)).await;
        if let Err(why) = locked(plant).befall(clock.mono(), &deed) {
            tracing::warn!(why, "an event of the scenario did not happen");
        }
    }
    std::future::pending::<()>().await;
}

/// Takes orders, one after the other.
async fn attend(listener: &UnixListener, plan: &Plan, plant: &Mutex<Plant>, clock: Clock) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if timeout(PATIENCE, obey(stream, plan, plant, clock)).await.is_err() {
                    tracing::debug!("who poked did not say what");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "an order can't be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn obey(mut stream: UnixStream, plan: &Plan, plant: &Mutex<Plant>, clock: Clock) {
    let mut text = String::new();
    if (&mut stream).take(ORDER_MAX).read_to_string(&mut text).await.is_err() {
        return;
    }
    let answer = ordered(&text, plan, plant, clock);
    let (head, body) = match &answer {
        Ok(body) => ("ok\n", body),
        Err(body) => ("refused\n", body),
    };
    if let Err(error) = stream.write_all(format!("{head}{body}").as_bytes()).await {
        tracing::debug!(%error, "who poked did not wait");
    }
}

fn ordered(text: &str, plan: &Plan, plant: &Mutex<Plant>, clock: Clock) -> Result<String, String> {
    if text.trim() == "show" {
        let mut plant = locked(plant);
        plant.step(clock.mono());
        return Ok(shown(plan, &plant));
    }
    let deeds = config::order(text.lines(), plan).map_err(|faults| faults.render(false))?;
    let mut plant = locked(plant);
    for deed in &deeds {
        plant.befall(clock.mono(), deed).map_err(|why| format!("error: {why}\n"))?;
    }
    Ok(String::new())
}

fn shown(plan: &Plan, plant: &Plant) -> String {
    let mut text = String::new();
    for (id, point) in plan.points.iter() {
        text.push_str(&format!("{:<32} {:>10.3} {}\n", point.tag.as_str(), plant.measured(id), point.unit));
    }
    for (id, element) in plan.elements.iter() {
        text.push_str(&format!("{:<32} {:>10}\n", element.tag.as_str(), plant.position(id).as_str()));
    }
    for (id, area) in plan.areas.iter() {
        for (gas, share) in plant.in_the_air(id) {
            text.push_str(&format!("{:<32} {share:>10.3} %vol of {gas} in the air\n", area.tag.as_str()));
        }
    }
    text
}

fn send(poke: &Poke) -> Result<(), Refusal> {
    let fail = |e: std::io::Error| {
        Refusal::of(format!("no plant answers at {}: {e}; is `davy sim` running?", poke.socket.display()))
    };
    let mut stream = Blocking::connect(&poke.socket).map_err(fail)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(fail)?;
    stream.write_all(poke.words.join("\n").as_bytes()).map_err(fail)?;
    stream.shutdown(Shutdown::Write).map_err(fail)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(fail)?;
    match answer.split_once('\n') {
        Some(("ok", body)) => {
            out(body);
            Ok(())
        }
        Some((_, why)) => Err(Refusal(why.to_owned(), BAD_CONFIG)),
        None => Err(Refusal::of("the plant said nothing".to_owned())),
    }
}

fn locked(plant: &Mutex<Plant>) -> MutexGuard<'_, Plant> {
    plant.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The socket on which orders are taken; gone when the plant ends.
struct Socket {
    path: PathBuf,
    folder: Option<PathBuf>,
    /// Another's is not taken away.
    ours: bool,
}

impl Socket {
    fn new(own: Option<&Path>) -> Result<Socket, Refusal> {
        if let Some(path) = own {
            return Ok(Socket { path: path.to_owned(), folder: None, ours: false });
        }
        let folder = std::env::temp_dir().join(format!("davy-sim-{}", std::process::id()));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(|e| Refusal::of(format!("cannot make the folder {}: {e}", folder.display())))?;
        Ok(Socket { path: folder.join("poke.sock"), folder: Some(folder), ours: false })
    }

    fn listen(&mut self) -> Result<UnixListener, Refusal> {
        let path = self.path.clone();
        let fail = |e: std::io::Error| {
            let path = path.display();
            Refusal::of(format!(
                "cannot listen at {path}: {e}; is another plant there? If not, remove the file"
            ))
        };
        let listener = UnixListener::bind(&self.path).map_err(fail)?;
        self.ours = true;
        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o600)).map_err(fail)?;
        Ok(listener)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.ours {
            drop(fs::remove_file(&self.path));
        }
        if let Some(folder) = &self.folder {
            drop(fs::remove_dir(folder));
        }
    }
}
