//! The agent as a whole: what its rooms owe each other at a reload and at the end. Nothing answers on any line.

use super::*;
use crate::config::{self, Extras, Source};
use crate::io::broker::Broker;
use crate::io::subscriber::{Message, Subscriber};
use crate::model::link::Link;
use crate::model::plan::Destination;
use crate::model::point::{Quality, Reading, Tag};
use crate::model::record::{Lane, Sample, Seq, Trouble};
use crate::model::table::Table;
use crate::model::time::{Mono, Wall};
use crate::record::unrecorded::Unrecorded;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};

/// The demo's site with a state folder of this test's own, where nothing answers on any line or at any broker.
fn site(name: &str) -> Plan {
    let text = include_str!("../../../config/demo.toml").to_owned();
    let source = Source { name: "demo.toml".to_owned(), text };
    let mut plan = config::compile(&source, &Extras::default()).unwrap().plan;
    let dir = std::env::temp_dir().join(format!("davy-agent-{name}-{}", std::process::id()));
    plan.state_dir = dir.display().to_string();
    for (_, bus) in plan.buses.iter_mut() {
        bus.link = Link::Tcp { host: "127.0.0.1".to_owned(), port: 1 };
    }
    for (_, destination) in plan.destinations.iter_mut() {
        "127.0.0.1".clone_into(&mut destination.host);
        destination.port = 1;
    }
    plan
}

fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let clock = Clock::start();
    while !condition() {
        assert!(clock.mono() < Mono::from_us(30_000_000), "waited in vain for {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Kind and body of everything in the journal.
fn journal(plan: &Plan) -> Vec<(String, serde_json::Value)> {
    let mut entries = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(Path::new(&plan.state_dir).join("journal")).unwrap().collect();
    files.sort_by_key(|f| f.as_ref().unwrap().path());
    for file in files {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        entries.extend(text.lines().map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            (entry["kind"].as_str().unwrap().to_owned(), entry["body"].clone())
        }));
    }
    entries
}

/// Values for some ten blocks of telemetry.
fn samples(from_ms: i64) -> Vec<Sample> {
    let reading = Reading { value: Some(0.5), quality: Quality::Good, at: Mono::START };
    let sample = |ms| Sample { point: Tag::new("face.t0").unwrap(), reading, wall: Wall::from_ms(ms) };
    (from_ms..from_ms + 2_000).map(sample).collect()
}

#[test]
fn telemetry_that_was_lost_just_before_the_end_is_put_on_record() {
    let mut plan = site("gap");
    plan.telemetry.max_bytes = 1;
    let plan = Arc::new(plan);
    let agent = Agent::start(&plan, Clock::start()).unwrap();
    let telemetry = || agent.buffer.marks().borrow().telemetry;
    agent.buffer.keep(samples(0)).unwrap();
    let gaps = || journal(&plan).into_iter().filter(|(kind, _)| kind == "gap").count();
    let recorded = agent.journal.clone();
    wait("the first gap", || recorded.recorded() > Seq(1) && gaps() == 1);
    let before = telemetry();
    // Gaps are told together at most every ten seconds: this one waits.
    agent.buffer.keep(samples(10_000)).unwrap();
    wait("more blocks", || telemetry() > before + 1);
    agent.stop("the test ends").unwrap();
    let entries = journal(&plan);
    let told =
        entries.iter().filter(|(kind, body)| kind == "gap" && body["lane"] == Lane::Telemetry.as_str());
    assert!(told.count() >= 2, "{entries:?}");
    let last: Vec<&str> = entries.iter().rev().take(2).map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(last, ["checkpoint", "ended"], "the end is sealed");
    std::fs::remove_dir_all(&plan.state_dir).unwrap();
}

/// A broker, and what it was told of the gateway.
struct ControlRoom {
    port: u16,
    told: Arc<Mutex<Vec<Message>>>,
}

impl ControlRoom {
    /// Works until the test has ended.
    fn open() -> ControlRoom {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (keep, (started, start)) = (Arc::clone(&told), mpsc::channel());
        let work = async move {
            let broker = Broker::start().await.unwrap();
            let address = broker.addr().to_string();
            let mut subscriber = Subscriber::connect(&address, "test", &["davy/v1/#"]).await.unwrap();
            started.send(broker.addr().port()).unwrap();
            loop {
                let message = subscriber.next().await.unwrap();
                keep.lock().unwrap().push(message);
            }
        };
        std::thread::spawn(|| Builder::new_current_thread().enable_all().build().unwrap().block_on(work));
        ControlRoom { port: start.recv().unwrap(), told }
    }

    /// `reason` of each status.
    fn statuses(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        let statuses = told.iter().filter(|message| message.topic.ends_with("/status"));
        let parsed = statuses.map(|m| serde_json::from_slice::<serde_json::Value>(&m.payload).unwrap());
        parsed.map(|status| status["reason"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_reload_tells_an_end_to_nobody_but_a_destination_that_is_gone() {
    let (stays, goes) = (ControlRoom::open(), ControlRoom::open());
    let mut plan = site("reload");
    let (_, destination) = plan.destinations.iter_mut().next().unwrap();
    destination.port = stays.port;
    let second = Destination { tag: Tag::new("second").unwrap(), port: goes.port, ..destination.clone() };
    let without = plan.clone();
    plan.destinations.push(second);
    let agent = Agent::start(&Arc::new(plan.clone()), Clock::start()).unwrap();
    wait("the births", || [&stays, &goes].iter().all(|room| room.statuses() == ["online"]));
    plan.config_hash = "cd".repeat(32);
    agent.replan(&Arc::new(plan)).unwrap();
    wait("the new births", || [&stays, &goes].iter().all(|room| room.statuses() == ["online", "online"]));
    agent.replan(&Arc::new(without.clone())).unwrap();
    wait("the end", || goes.statuses() == ["online", "online", "ended"]);
    wait("the third birth", || stays.statuses() == ["online", "online", "online"]);
    agent.stop("the test ends").unwrap();
    assert_eq!(stays.statuses().last().unwrap(), "ended");
    std::fs::remove_dir_all(&without.state_dir).unwrap();
}

#[test]
fn the_trouble_of_a_destination_ends_with_it() {
    let plan = site("trouble");
    let mut elsewhere = plan.clone();
    elsewhere.destinations.iter_mut().for_each(|(_, d)| d.port = 2);
    let agent = Agent::start(&Arc::new(plan), Clock::start()).unwrap();
    let unreachable = || {
        let (_, view) = agent.runtime.block_on(agent.door.view()).unwrap();
        view.troubles.iter().filter(|t| t.code == "destination-unreachable").count()
    };
    wait("the trouble", || unreachable() == 1);
    agent.replan(&Arc::new(elsewhere.clone())).unwrap();
    wait("the end of the trouble", || unreachable() == 0);
    agent.stop("the test ends").unwrap();
    std::fs::remove_dir_all(&elsewhere.state_dir).unwrap();
}

#[test]
fn an_office_that_was_opened_again_and_holds_is_no_trouble_any_more() {
    let mut plan = site("office");
    plan.destinations = Table::default();
    let plan = Arc::new(plan);
    let agent = Agent::start(&plan, Clock::start()).unwrap();
    let (door, buffer, journal) = (agent.door.clone(), agent.buffer.clone(), agent.journal.clone());
    // What the door is told from here on stays there to be looked at.
    agent.stop("the test looks at another office").unwrap();
    let socket_dir = PathBuf::from(&plan.state_dir);
    let ((_plan, plan_rx), (_stop, stop)) = (watch::channel(Arc::clone(&plan)), watch::channel(false));
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let office = Office {
            door: door.clone(),
            buffer,
            journal,
            unrecorded: watch::channel(Unrecorded::default()).1,
            plan: plan_rx,
            stop,
            clock: Clock::start(),
            boot: 1,
            socket_dir,
        };
        let day = office.day(None);
        assert!(tokio::time::timeout(Duration::from_secs(200), day).await.is_err(), "it stays open");
    });
    let told = door.left();
    let office = |body: &&Body| matches!(body, Body::Trouble(Trouble { code: "office", raised: false, .. }));
    assert_eq!(told.iter().filter(office).count(), 1, "{told:?}");
    std::fs::remove_dir_all(&plan.state_dir).unwrap();
}

#[test]
fn a_journal_or_a_buffer_that_has_ended_ends_the_agent() {
    for dead in ["journal", "buffer"] {
        let plan = site(dead);
        let agent = Agent::start(&Arc::new(plan.clone()), Clock::start()).unwrap();
        assert!(!agent.is_broken());
        if dead == "journal" {
            agent.journal.close(Duration::from_secs(30)).unwrap();
        } else {
            agent.runtime.block_on(agent.buffer.close()).unwrap();
        }
        wait(dead, || agent.is_broken());
        let lacks = agent.stop("broken");
        assert_eq!(lacks.is_err(), dead == "journal", "what can't be recorded is said: {lacks:?}");
        std::fs::remove_dir_all(&plan.state_dir).unwrap();
    }
}

#[test]
fn a_reload_changes_the_bound_on_telemetry() {
    let mut plan = site("bound");
    let agent = Agent::start(&Arc::new(plan.clone()), Clock::start()).unwrap();
    let gaps = |plan: &Plan| journal(plan).into_iter().filter(|(kind, _)| kind == "gap").count();
    let fill = |from: i64| {
        let before = agent.buffer.marks().borrow().telemetry;
        agent.buffer.keep(samples(from)).unwrap();
        wait("the blocks", || agent.buffer.marks().borrow().telemetry > before + 1);
    };
    fill(0);
    assert_eq!(gaps(&plan), 0);
    plan.telemetry.max_bytes = 1;
    agent.replan(&Arc::new(plan.clone())).unwrap();
    fill(10_000);
    wait("the gap", || gaps(&plan) > 0);
    agent.stop("the test ends").unwrap();
    std::fs::remove_dir_all(&plan.state_dir).unwrap();
}

#[test]
fn without_a_place_for_its_journal_an_agent_still_protects_and_says_so() {
    for journal_only in [false, true] {
        let mut plan = site("homeless");
        let dir = PathBuf::from(&plan.state_dir);
        plan.gateway = format!("test-{journal_only}-{}", std::process::id());
        let spare = std::env::temp_dir().join(format!("davy-{}-1", plan.gateway));
        std::fs::create_dir_all(&dir).unwrap();
        // A file in the way of a folder stands for a disk that can't be used.
        std::fs::write(dir.join("journal"), "in the way").unwrap();
        if !journal_only {
            plan.state_dir = dir.join("journal").display().to_string();
        }
        let plan = Arc::new(plan);
        // So does one in the way of the place that is tried first.
        let taken = std::env::temp_dir().join(format!("davy-{}", plan.gateway));
        std::fs::write(&taken, "in the way").unwrap();
        let agent = Agent::start(&plan, Clock::start()).unwrap();
        wait("the trouble", || {
            let (_, view) = agent.runtime.block_on(agent.door.view()).unwrap();
            view.troubles.iter().any(|t| t.code == "state-folder" && t.text.en.contains(&plan.state_dir))
        });
        assert!(!agent.is_broken());
        assert!(Agent::start(&plan, Clock::start()).is_err(), "a second agent is refused here too");
        agent.stop("the test ends").unwrap();
        let spare_plan = Plan { state_dir: spare.display().to_string(), ..Plan::default() };
        let kinds: Vec<_> = journal(&spare_plan).into_iter().map(|(kind, _)| kind).collect();
        assert!(kinds.iter().any(|kind| kind == "trouble"), "{kinds:?}");
        std::fs::remove_dir_all(&dir).unwrap();
        std::fs::remove_dir_all(&spare).unwrap();
        std::fs::remove_file(&taken).unwrap();
    }
}

#[test]
fn a_command_socket_that_can_not_be_opened_is_a_trouble_until_it_can() {
    let plan = site("socket");
    let in_the_way = PathBuf::from(&plan.state_dir).join(local::NAME);
    std::fs::create_dir_all(&in_the_way).unwrap();
    let agent = Agent::start(&Arc::new(plan.clone()), Clock::start()).unwrap();
    let troubles = || {
        let (_, view) = agent.runtime.block_on(agent.door.view()).unwrap();
        view.troubles.iter().filter(|t| t.code == "command-socket").count()
    };
    wait("the trouble", || troubles() == 1);
    std::fs::remove_dir(&in_the_way).unwrap();
    wait("the end of the trouble", || troubles() == 0);
    agent.stop("the test ends").unwrap();
    std::fs::remove_dir_all(&plan.state_dir).unwrap();
}

#[test]
fn a_journal_that_is_taken_away_stands_as_trouble_now_and_after_the_next_start() {
    let plan = Arc::new(site("taken"));
    let state = PathBuf::from(&plan.state_dir);
    let stands = |agent: &Agent, code: &str| {
        let (_, view) = agent.runtime.block_on(agent.door.view()).unwrap();
        view.troubles.iter().filter(|t| t.code == code).count()
    };
    let agent = Agent::start(&plan, Clock::start()).unwrap();
    wait("entries", || agent.journal.recorded() > Seq(0));
    std::fs::remove_dir_all(state.join("journal")).unwrap();
    agent.door.tell(Body::Ended { reason: "something to record".to_owned() });
    wait("the trouble", || stands(&agent, "journal-removed") == 1);
    let told = agent.journal.recorded().0;
    agent.buffer.acked("control-room", Lane::Event, told);
    agent.stop("the test ends").unwrap();

    std::fs::remove_dir_all(state.join("journal")).unwrap();
    let agent = Agent::start(&plan, Clock::start()).unwrap();
    wait("the trouble", || stands(&agent, "journal-shortened") == 1);
    wait("entries", || agent.journal.recorded() > Seq(told));
    agent.stop("the test ends").unwrap();
    let kinds: Vec<_> = journal(&plan).into_iter().map(|(kind, _)| kind).collect();
    assert!(kinds.iter().any(|kind| kind == "gap"), "what is missing is counted: {kinds:?}");
    std::fs::remove_dir_all(&state).unwrap();
}

#[test]
fn a_state_folder_that_was_used_and_is_empty_is_no_first_start() {
    let plan = Arc::new(site("emptied"));
    let state = PathBuf::from(&plan.state_dir);
    Agent::start(&plan, Clock::start()).unwrap().stop("the test ends").unwrap();
    for name in ["journal", "buffer"] {
        std::fs::remove_dir_all(state.join(name)).unwrap();
    }
    std::fs::remove_file(state.join("ledger")).unwrap();
    let agent = Agent::start(&plan, Clock::start()).unwrap();
    let (_, view) = agent.runtime.block_on(agent.door.view()).unwrap();
    assert!(view.troubles.iter().any(|t| t.code == "journal-shortened"), "{:?}", view.troubles);
    agent.stop("the test ends").unwrap();
    std::fs::remove_dir_all(&state).unwrap();
}

#[test]
fn a_last_line_that_was_altered_while_the_agent_was_stopped_stands_as_trouble() {
    let plan = Arc::new(site("altered"));
    let state = PathBuf::from(&plan.state_dir);
    Agent::start(&plan, Clock::start()).unwrap().stop("the test ends").unwrap();
    let file = state.join("journal/000000000001.jsonl");
    let lines = std::fs::read_to_string(&file).unwrap();
    // The last entry is the checkpoint that seals the end.
    let at = lines.rfind("\"telemetry\":[]").unwrap();
    let altered = format!("{}{}", &lines[..at], lines[at..].replace("[]", "[0]"));
    std::fs::write(&file, altered).unwrap();
    let agent = Agent::start(&plan, Clock::start()).unwrap();
    let (_, view) = agent.runtime.block_on(agent.door.view()).unwrap();
    assert!(view.troubles.iter().any(|t| t.code == "journal-altered"), "{:?}", view.troubles);
    agent.stop("the test ends").unwrap();
    std::fs::remove_dir_all(&state).unwrap();
}

#[test]
fn what_can_not_be_recorded_is_told_at_once_and_once_more_when_it_is_recorded() {
    let room = ControlRoom::open();
    let mut plan = site("unrecorded");
    plan.destinations.iter_mut().next().unwrap().1.port = room.port;
    let plan = Arc::new(plan);
    let folder = PathBuf::from(&plan.state_dir).join("journal");
    let agent = Agent::start(&plan, Clock::start()).unwrap();
    wait("the birth", || room.statuses() == ["online"] && agent.journal.recorded() > Seq(0));
    // A file in the way of a folder stands for a disk that refuses.
    std::fs::rename(&folder, folder.with_extension("old")).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    agent.door.tell(Body::Ended { reason: "while the disk is full".to_owned() });
    let told = |topic: &str, part: &str| {
        let told = room.told.lock().unwrap();
        told.iter().any(|m| m.topic.contains(topic) && String::from_utf8_lossy(&m.payload).contains(part))
    };
    wait("the copy", || told("/unrecorded/-/ended", "while the disk is full"));
    wait("the trouble", || told("/unrecorded/-/trouble", "journal-write"));
    wait("the status", || told("/status", r#""recording":false"#));
    assert!(!told("/event/-/ended", "while"), "an event is what is recorded");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(folder.with_extension("old"), &folder).unwrap();
    wait("the event", || told("/event/-/ended", "while the disk is full"));
    wait("the end of the trouble", || told("/event/-/trouble", "records again"));
    agent.stop("the test ends").unwrap();
    std::fs::remove_dir_all(&plan.state_dir).unwrap();
}

#[test]
fn a_command_socket_that_is_taken_away_is_opened_again() {
    let plan = Arc::new(site("taken-socket"));
    let socket = PathBuf::from(&plan.state_dir).join(local::NAME);
    let agent = Agent::start(&plan, Clock::start()).unwrap();
    std::fs::remove_file(&socket).unwrap();
    wait("another socket", || socket.exists());
    agent.stop("the test ends").unwrap();
    std::fs::remove_dir_all(&plan.state_dir).unwrap();
}
