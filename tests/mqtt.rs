//! Telling over MQTT in real time: the uplink against mosquitto with mosquitto's own subscriber, and the built-in
//! broker against mosquitto's clients. Needs mosquitto and its clients: `apt-get install mosquitto mosquitto-clients`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where something is missing")]

mod fake_buffer;

use davy::io::broker::Broker;
use davy::io::buffer::Cursors;
use davy::io::clock::Clock;
use davy::io::mqtt::{self, Connect, Packet, QoS, Subscribe, Wire};
use davy::io::subscriber::{Message, Subscriber};
use davy::io::uplink::{self, Source};
use davy::model::plan::Destination;
use davy::model::point::Tag;
use davy::model::record::{Seq, Trouble};
use davy::model::time::Span;
use davy::record::payload::Identity;
use davy::record::unrecorded::Unrecorded;
use fake_buffer::{Store, line, seq_of};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn events_reach_mosquittos_subscriber_in_order_over_five_restarts_of_the_broker() {
    let folder = Folder::new("restarts");
    let port = free_port();
    let mut broker = Mosquitto::start(&folder, port, "").await;
    // A session that outlives the broker: what it has taken it must still deliver.
    let subscriber =
        Listener::start(port, &["-c", "-i", "control-room", "-q", "1", "-t", "davy/v1/gw/event/#"]);
    subscriber.wait_until_subscribed(port, "davy/v1/gw/event/probe").await;
    let store = Store::new();
    let uplink = Running::start(local(port), &store);
    for restart in 1..=5 {
        let before = store.cursors().events.0;
        store.add_events(400);
        until(|| store.cursors().events.0 > before + 20).await;
        broker.terminate().await;
        broker = Mosquitto::start(&folder, port, "").await;
        assert!(store.cursors().events.0 <= restart * 400);
    }
    until(|| store.cursors().events == Seq(2_000)).await;
    until(|| subscriber.first_events().len() == 2_000).await;
    assert_eq!(subscriber.first_events(), (1..=2_000).collect::<Vec<_>>());
    uplink.stop().await;
    broker.terminate().await;
}

#[tokio::test]
async fn a_gateway_that_vanishes_is_reported_by_its_will_and_its_state_stays() {
    let folder = Folder::new("will");
    let port = free_port();
    let _broker = Mosquitto::start(&folder, port, "").await;
    let store = Store::new();
    store.add_events(7);
    let uplink = Running::start(local(port), &store);
    until(|| store.cursors().events == Seq(7)).await;
    let subscriber = Listener::start(port, &["-q", "1", "-t", "davy/#"]);
    until(|| subscriber.lines().len() == 4).await;
    let mut kept = subscriber.lines();
    kept.sort();
    for (line, (topic, seq)) in kept.iter().zip([("t0:trip", 6), ("t1:trip", 7), ("t2:trip", 5)]) {
        let expected = format!(r#"1 davy/v1/gw/state/alarm/{topic} {{"kind":"alarm","seq":{seq}}}"#);
        assert_eq!(line, &expected);
    }
    assert!(kept[3].starts_with("1 davy/v1/gw/status ") && kept[3].contains(r#""online":true"#), "{kept:?}");

    uplink.vanish();
    until(|| subscriber.lines().len() == 5).await;
    let will = subscriber.lines().pop().unwrap();
    assert!(will.starts_with("0 davy/v1/gw/status ") && will.contains(r#""reason":"lost""#), "{will}");
    let late = Listener::start(port, &["-q", "1", "-t", "davy/v1/gw/status"]);
    until(|| late.lines().len() == 1).await;
    assert!(late.lines()[0].contains(r#""online":false"#));
}

#[tokio::test]
async fn a_wrong_password_is_a_trouble_until_its_file_is_mended() {
    let folder = Folder::new("password");
    let port = free_port();
    let users = folder.path("users");
    let made = Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&users).args(["gw", "right"]).output();
    assert!(made.expect("mosquitto_passwd runs").status.success());
    let secured = format!("allow_anonymous false\npassword_file {}\n", users.display());
    let _broker = Mosquitto::start(&folder, port, &secured).await;
    let password = folder.path("password");
    std::fs::write(&password, "wrong\n").unwrap();
    let store = Store::new();
    store.add_events(3);
    let mut destination = destination(local(port));
    destination.user = Some("gw".to_owned());
    destination.password_file = Some(password.display().to_string());
    let uplink = Running::start_to(destination, &store);
    until(|| uplink.troubles() == [("destination-refused", true)]).await;
    assert_eq!(store.cursors().events, Seq(0));
    std::fs::write(&password, "right\n").unwrap();
    until(|| store.cursors().events == Seq(3)).await;
    assert_eq!(uplink.troubles(), [("destination-refused", true), ("destination-refused", false)]);
    uplink.stop().await;
}

#[tokio::test]
async fn a_password_file_that_hangs_is_a_trouble_until_it_answers() {
    let folder = Folder::new("hanging-password");
    let broker = Broker::start().await.unwrap();
    // A pipe that nobody writes to stands for a share that is dead.
    let password = folder.path("password");
    assert!(Command::new("mkfifo").arg(&password).status().unwrap().success());
    let store = Store::new();
    store.add_events(3);
    let mut destination = destination(broker.addr());
    destination.user = Some("gw".to_owned());
    destination.password_file = Some(password.display().to_string());
    let uplink = Running::start_to(destination, &store);
    until(|| uplink.troubles() == [("destination-refused", true)]).await;
    assert!(uplink.troubles.lock().unwrap()[0].text.en.contains("password"));
    std::fs::write(&password, "right\n").unwrap();
    until(|| store.cursors().events == Seq(3)).await;
    uplink.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn events_and_telemetry_reach_a_subscriber_of_the_built_in_broker() {
    let broker = Broker::start().await.unwrap();
    let mut subscriber = Subscriber::connect(&broker.addr().to_string(), "test", &["#"]).await.unwrap();
    let store = Store::new();
    store.add_events(25);
    store.add_blocks(5);
    let uplink = Running::start(broker.addr(), &store);

    let mut seen = Vec::new();
    while seen.len() < 25 {
        let message = next(&mut subscriber).await;
        if message.topic == "davy/v1/gw/event/face/alarm" {
            seen.push(message.payload);
        }
    }
    assert_eq!(seen, (1..=25).map(line).collect::<Vec<_>>());
    until(|| store.cursors() == Cursors { events: Seq(25), telemetry: 5 }).await;
    uplink.stop().await;
    let end = loop {
        let message = next(&mut subscriber).await;
        let text = String::from_utf8(message.payload.to_vec()).unwrap();
        if message.topic == "davy/v1/gw/status" && !text.contains(r#""reason":"online""#) {
            break text;
        }
    };
    assert!(end.contains(r#""reason":"ended""#), "{end}");
    broker.stop().await;
}

#[tokio::test]
async fn a_restart_of_the_built_in_broker_loses_nothing_that_it_had_not_taken() {
    let broker = Broker::start().await.unwrap();
    let addr = broker.addr();
    let store = Store::new();
    let uplink = Running::start(addr, &store);
    store.add_events(5);
    until(|| store.cursors().events == Seq(5)).await;
    broker.stop().await;
    store.add_events(5);
    let broker = Broker::start_at(addr).await.unwrap();
    until(|| store.cursors().events == Seq(10)).await;
    let mut late = Subscriber::connect(&addr.to_string(), "late", &["davy/+/+/state/#"]).await.unwrap();
    let mut states: Vec<_> = Vec::new();
    for _ in 0..3 {
        let message = next(&mut late).await;
        assert!(message.retain);
        states.push(seq_of(&message.payload));
    }
    states.sort_unstable();
    assert_eq!(states, [8, 9, 10], "a broker that has forgotten the states is told them again");
    uplink.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn mosquittos_clients_work_with_the_built_in_broker() {
    let broker = Broker::start().await.unwrap();
    let port = broker.addr().port();
    publish(port, &["-r", "-q", "1", "-t", "a/kept", "-m", "1"]).await;
    publish(port, &["-r", "-t", "a/cleared", "-m", "2"]).await;
    publish(port, &["-r", "-n", "-t", "a/cleared"]).await;
    let all = Listener::start(port, &["-q", "2", "-t", "a/#", "-t", "+/kept"]);
    until(|| all.lines() == ["1 a/kept 1"; 2]).await;
    publish(port, &["-t", "a/kept", "-m", "now"]).await;
    let one = Listener::start(port, &["-t", "a/+/c"]);
    one.wait_until_subscribed(port, "a/probe/c").await;
    publish(port, &["-q", "1", "-t", "a/b/c", "-m", "3"]).await;
    publish(port, &["-q", "0", "-t", "b/b/c", "-m", "4"]).await;
    publish(port, &["-t", "$SYS/b/c", "-m", "5"]).await;
    publish(port, &["-t", "a/last/c", "-m", "6"]).await;
    until(|| one.lines().last().is_some_and(|line| line == "0 a/last/c 6")).await;
    let of_one: Vec<_> = one.lines().into_iter().filter(|line| !line.contains("probe")).collect();
    assert_eq!(of_one, ["0 a/b/c 3", "0 a/last/c 6"]);
    assert!(all.lines().contains(&"0 a/b/c 3".to_owned()));
    let now = all.lines().iter().filter(|line| *line == "0 a/kept now").count();
    assert_eq!(now, 1, "one copy, however many filters take it in; of what is retained, one for each filter");

    let dying = Listener::start(port, &["-t", "x", "--will-topic", "a/will", "--will-payload", "gone"]);
    dying.wait_until_subscribed(port, "x").await;
    drop(dying);
    until(|| all.lines().contains(&"0 a/will gone".to_owned())).await;
    broker.stop().await;
}

#[tokio::test]
async fn a_bad_client_of_the_built_in_broker_harms_nobody_else() {
    let broker = Broker::start().await.unwrap();
    let address = broker.addr().to_string();
    let mut good = Subscriber::connect(&address, "good", &["#"]).await.unwrap();

    // Subscribes and never reads.
    let mut lazy = Wire::new(TcpStream::connect(&address).await.unwrap());
    let mut subscribe = Subscribe::new("#", QoS::AtLeastOnce);
    subscribe.pkid = 1;
    lazy.write(&[Packet::Connect(Connect::new("lazy")), Packet::Subscribe(subscribe)]).await.unwrap();
    // Speaks no MQTT at all.
    let mut raving = TcpStream::connect(&address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut raving, &[0xFF; 64]).await.unwrap();

    let mut sender = Wire::new(TcpStream::connect(&address).await.unwrap());
    sender.write(&[Packet::Connect(Connect::new("sender"))]).await.unwrap();
    assert!(mqtt::granted(&sender.read().await.unwrap()).is_ok());
    for id in 1..=6_000 {
        let message = mqtt::publish("flood".to_owned(), vec![0; 100].into(), false, id);
        sender.write(&[message]).await.unwrap();
        assert_eq!(sender.read().await.unwrap(), mqtt::puback(id));
        assert_eq!(next(&mut good).await.topic, "flood");
    }
    // The lazy one was put out: what it had not read in time is followed by the end.
    let put_out = async { while lazy.read().await.is_ok() {} };
    timeout(PATIENCE, put_out).await.expect("the slow client is disconnected");
    broker.stop().await;
}

#[tokio::test]
async fn the_built_in_broker_puts_out_a_silent_client_and_an_older_one_of_the_same_name() {
    let broker = Broker::start().await.unwrap();
    let address = broker.addr().to_string();
    let mut observer = Subscriber::connect(&address, "observer", &["wills/#"]).await.unwrap();
    let join = async |will: &str| {
        let mut wire = Wire::new(TcpStream::connect(&address).await.unwrap());
        let mut connect = Connect::new("twin");
        connect.keep_alive = 1;
        connect.last_will = Some(mqtt::LastWill::new(will, "gone", QoS::AtLeastOnce, false));
        wire.write(&[Packet::Connect(connect)]).await.unwrap();
        assert!(mqtt::granted(&wire.read().await.unwrap()).is_ok());
        wire
    };
    let _older = join("wills/older").await;
    let _newer = join("wills/newer").await;
    assert_eq!(next(&mut observer).await.topic, "wills/older");
    assert_eq!(next(&mut observer).await.topic, "wills/newer", "after one and a half keep-alives");
    broker.stop().await;
}

async fn next(subscriber: &mut Subscriber) -> Message {
    timeout(PATIENCE, subscriber.next()).await.expect("a message in time").unwrap()
}

async fn until(mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("the condition comes true in time");
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn free_port() -> u16 {
    TcpListener::bind(local(0)).unwrap().local_addr().unwrap().port()
}

fn destination(broker: SocketAddr) -> Destination {
    Destination {
        escalated_only: false,
        tag: Tag::new("control-room").unwrap(),
        host: broker.ip().to_string(),
        port: broker.port(),
        prefix: "davy".to_owned(),
        user: None,
        password_file: None,
        keep_alive: Span::from_secs(10),
    }
}

/// An uplink at work.
struct Running {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
    troubles: Arc<Mutex<Vec<Trouble>>>,
}

impl Running {
    fn start(broker: SocketAddr, store: &Store) -> Running {
        Running::start_to(destination(broker), store)
    }

    fn start_to(destination: Destination, store: &Store) -> Running {
        let identity = Identity {
            gateway: "gw".to_owned(),
            version: "0.1.0".to_owned(),
            config_hash: "ab".repeat(32),
            boot: "0123456789abcdef".to_owned(),
        };
        let identity = watch::channel(identity).1;
        let (stop, stopped) = watch::channel(false);
        let troubles = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&troubles);
        let report = move |trouble| heard.lock().unwrap().push(trouble);
        let unrecorded = watch::channel(Unrecorded::default()).1;
        let source = Source { identity, buffer: store.buffer.clone(), unrecorded };
        let task = tokio::spawn(uplink::run(destination, source, Clock::start(), report, stopped));
        Running { stop, task, troubles }
    }

    fn troubles(&self) -> Vec<(&'static str, bool)> {
        self.troubles.lock().unwrap().iter().map(|t| (t.code, t.raised)).collect()
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        timeout(Duration::from_secs(2), self.task).await.expect("an end in time").unwrap();
    }

    /// Ends as by a power cut: the connection closes without a word.
    fn vanish(self) {
        self.task.abort();
    }
}

/// A folder of one test, removed behind it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("davy-mqtt-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A process that ends with the test.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Process {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn();
        Process(child.unwrap_or_else(|e| {
            panic!("{program} does not start ({e}); install it: apt-get install mosquitto mosquitto-clients")
        }))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Debian keeps the broker where a user's path may not look.
fn mosquitto_program() -> &'static str {
    if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" }
}

/// A mosquitto with persistence.
struct Mosquitto {
    process: Process,
}

impl Mosquitto {
    async fn start(folder: &Folder, port: u16, settings: &str) -> Mosquitto {
        let anybody = if settings.is_empty() { "allow_anonymous true\n" } else { settings };
        let file = folder.path("mosquitto.conf");
        let data = folder.0.display();
        let text = format!(
            "listener {port} 127.0.0.1\n{anybody}persistence true\npersistence_location {data}/\nuser root\n\
             max_queued_messages 0\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(mosquitto_program());
        command.arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::start(&mut command);
        let listening = async {
            while TcpStream::connect(local(port)).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, listening).await.expect("mosquitto listens");
        Mosquitto { process }
    }

    /// SIGTERM: it writes down what it holds and ends.
    async fn terminate(mut self) {
        let pid = self.process.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        until(|| self.process.0.try_wait().unwrap().is_some()).await;
    }
}

/// A `mosquitto_sub` that prints `retained topic payload`.
struct Listener {
    _process: Process,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    fn start(port: u16, arguments: &[&str]) -> Listener {
        let mut command = Command::new("mosquitto_sub");
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-F", "%r %t %p"]).args(arguments);
        let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
        let output = BufReader::new(process.0.stdout.take().unwrap());
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                heard.lock().unwrap().push(line);
            }
        });
        Listener { _process: process, lines }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    async fn wait_until_subscribed(&self, port: u16, probe: &str) {
        while self.lines().is_empty() {
            publish(port, &["-t", probe, "-m", "probe"]).await;
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The events' numbers in the order of their first copies.
    fn first_events(&self) -> Vec<u64> {
        let mut known = std::collections::BTreeSet::new();
        let lines = self.lines();
        let events = lines.iter().filter_map(|line| line.split_once("event/face/alarm "));
        events.map(|(_, line)| seq_of(line.as_bytes())).filter(|seq| known.insert(*seq)).collect()
    }
}

/// Runs `mosquitto_pub` to its end.
async fn publish(port: u16, arguments: &[&str]) {
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]).args(arguments);
    let mut process = Process::start(&mut command);
    let mut ended = None;
    until(|| {
        ended = process.0.try_wait().unwrap();
        ended.is_some()
    })
    .await;
    assert!(ended.is_some_and(|status| status.success()), "mosquitto_pub {arguments:?}");
}
