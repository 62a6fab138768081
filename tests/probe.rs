//! The tools of who commissions: the program itself against pretended plants, and what it prints of a site.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that can't go on fails")]

use davy::config::{Extras, Source, compile};
use davy::field::rtu;
use davy::io::clock::Clock;
use davy::io::slave::Slave;
use davy::model::link::{Link, Pace, Parity};
use davy::model::plan::Plan;
use davy::model::table::{BusId, Row};
use davy::simulator::plant::Plant;
use davy::views::{matrix, registers};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

fn plan(text: &str) -> Plan {
    let source = Source { name: "site.toml".to_owned(), text: text.to_owned() };
    compile(&source, &Extras::default()).map_err(|faults| faults.render(false)).unwrap().plan
}

fn demo() -> String {
    include_str!("../config/demo.toml").to_owned()
}

fn probe(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_davy")).arg("probe").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The units of a scan's table.
fn units(done: &Output) -> Vec<String> {
    let told = text(&done.stdout);
    let rows = told.lines().skip_while(|line| !line.starts_with("unit  ")).skip(1);
    let rows = rows.take_while(|line| !line.is_empty());
    rows.filter_map(|row| row.split_whitespace().next().map(str::to_owned)).collect()
}

/// The face of the demo behind `link`; gives how that is reached, and what keeps it alive.
fn face_behind(link: Link) -> (String, Slave) {
    let clock = Clock::start();
    let mut plan = plan(&demo());
    let face = BusId::from_usize(0);
    plan.buses[face].link = link;
    let plant = Arc::new(Mutex::new(Plant::new(&plan)));
    let slave = Slave::start(&plan, plant, clock).unwrap();
    let reached = match slave.link(face) {
        Link::Serial { path, pace, .. } => format!("rtu://{path}?{pace}"),
        Link::RtuTcp { host, port, .. } => format!("rtu+tcp://{host}:{port}?baud=115200"),
        Link::Listen { host, port, id, .. } => {
            format!("rtu+listen://{host}:{port}?id={}", String::from_utf8_lossy(id))
        }
        other @ (Link::Tcp { .. } | Link::Tls { .. }) => other.to_string(),
    };
    (reached, slave)
}

const PACE: Pace = Pace { baud: 115_200, parity: Parity::Even, stop: 1 };

#[test]
fn the_units_of_a_plant_are_found_over_every_kind_of_link() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = || "127.0.0.1".to_owned();
    for link in [
        Link::Tcp { host: host(), port: 0 },
        Link::RtuTcp { host: host(), port: 0, pace: None },
        Link::Serial { path: String::new(), pace: PACE, rs485: false },
        Link::Listen { host: host(), port, id: b"DTU-7".to_vec(), pace: None },
    ] {
        let (link, _slave) = face_behind(link);
        let done = probe(&["scan", "--link", &link, "--units", "1-4,9-12", "--timeout-ms", "60"]);
        assert_eq!(units(&done), ["1", "2", "3", "10", "11"], "{link}: {}", text(&done.stderr));
        assert!(done.status.success());
        let watched = probe(&["watch", "--link", &link, "--unit", "1", "--profile", "gas-2reg", "--once"]);
        let (told, why) = (text(&watched.stdout), text(&watched.stderr));
        assert!(told.contains("%vol  good"), "{link}: {told}{why}");
    }
}

/// A serial server with units that answer after so long; everybody else is silent.
fn server(answers: fn(u8) -> Option<Duration>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let mut question = [0; 256];
                while let Ok(1..) = stream.read(&mut question) {
                    let (unit, function) = (question[0], question[1]);
                    if let Some(after) = answers(unit) {
                        let mut late = stream.try_clone().unwrap();
                        thread::spawn(move || {
                            thread::sleep(after);
                            drop(late.write_all(&rtu::frame(unit, &[function, 2, 0, unit])));
                        });
                    }
                }
            });
        }
    });
    format!("rtu+tcp://127.0.0.1:{port}")
}

#[test]
fn an_answer_that_comes_too_late_never_counts_for_the_next_unit() {
    let link = server(|unit| match unit {
        5 => Some(Duration::from_millis(130)),
        8 => Some(Duration::from_millis(250)),
        10 => Some(Duration::ZERO),
        _ => None,
    });
    let scan = ["scan", "--link", &link, "--units", "5-10", "--ask", "holding:0", "--timeout-ms", "100"];
    let done = probe(&scan);
    assert_eq!(units(&done), ["10"], "{}{}", text(&done.stdout), text(&done.stderr));
    let patient = ["scan", "--link", &link, "--units", "5-10", "--ask", "holding:0", "--timeout-ms", "500"];
    let done = probe(&patient);
    assert_eq!(units(&done), ["5", "8", "10"], "{}", text(&done.stderr));
    let told = text(&done.stdout);
    let proposed: Vec<u64> =
        told.lines().filter_map(|l| l.strip_prefix("timeout_ms = ")?.parse().ok()).collect();
    assert!(proposed[0] >= 750, "three times the 250 ms of the slowest: {told}");
}

#[test]
fn a_gateway_that_says_that_nobody_is_there_is_believed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let link = format!("tcp://127.0.0.1:{}", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut question = [0; 256];
            while let Ok(12..) = stream.read(&mut question) {
                let (unit, function) = (question[6], question[7]);
                let code = match unit {
                    1 => 2,
                    2 => 10,
                    3 => 11,
                    _ => 4,
                };
                let head = [question[0], question[1], 0, 0, 0, 3, unit, function | 0x80, code];
                drop(stream.write_all(&head));
            }
        }
    });
    let done = probe(&["scan", "--link", &link, "--units", "1-5"]);
    assert_eq!(units(&done), ["1"], "{}", text(&done.stdout));
    assert!(text(&done.stdout).contains("holding (exception 2)"));
    assert!(text(&done.stdout).contains("units 4-5 say \"device failure\""));
    assert_eq!(probe(&["scan", "--link", &link, "--units", "2-3"]).status.code(), Some(1));
}

#[test]
fn bytes_at_a_wrong_speed_are_told_from_silence() {
    let noisy = TcpListener::bind("127.0.0.1:0").unwrap();
    let link = format!("rtu+tcp://127.0.0.1:{}", noisy.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in noisy.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut question = [0; 256];
            while let Ok(1..) = stream.read(&mut question) {
                drop(stream.write_all(&[0xE0, 0x07, 0x1C, 0xFC, 0x80]));
            }
        }
    });
    let done = probe(&["scan", "--link", &link, "--units", "1-2", "--timeout-ms", "50"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("wrong baud rate or parity"), "{}", text(&done.stderr));
    let done = probe(&["scan", "--link", &server(|_| None), "--units", "1-2", "--timeout-ms", "50"]);
    let told = text(&done.stderr);
    assert!(told.contains("nobody answered") && !told.contains("was heard"), "{told}");
}

/// Without the last line, which changes with every character of the file.
fn without_hash(text: &str) -> String {
    text.lines()
        .filter(|l| !l.starts_with("Configuration "))
        .collect::<Vec<_>>()
        .join("\n")
        .trim_end()
        .to_owned()
}

fn is_frozen(name: &str, told: &str) {
    let path = format!("{}/tests/frozen/{name}", env!("CARGO_MANIFEST_DIR"));
    let frozen = std::fs::read_to_string(&path).unwrap_or_default();
    let new = std::env::temp_dir().join(name);
    if frozen.trim_end() != told {
        std::fs::write(&new, format!("{told}\n")).unwrap();
    }
    assert_eq!(frozen.trim_end(), told, "if this is what it should be, copy {} to {path}", new.display());
}

#[test]
fn cause_and_effect_of_the_demo_reads_as_it_was_signed() {
    is_frozen("demo-matrix.txt", &without_hash(&matrix::to_text(&plan(&demo()))));
}

#[test]
fn the_registers_of_the_demo_are_listed_each_with_its_place() {
    is_frozen("demo-registers.txt", registers::to_text(&plan(&demo()), None).trim_end());
}

/// A site of `count` rooms, each with a head and a valve, and one trip that shuts every tenth.
fn rooms(count: usize) -> String {
    let mut site = "[gateway]\nid = \"g\"\noutputs = \"act\"\n[site]\nname = { zh = \"<大>\", en = \"<b>& 'big' \\\"one\\\"\" }\n\
        [[gas]]\nid = \"lpg\"\nlel_pct_vol = 2.0\n\
        [[bus]]\nid = \"b\"\nlink = \"tcp://127.0.0.1:1\"\npoll_ms = 60000\ntimeout_ms = 300\nmax_use_pct = 100\n\
        [[area]]\nid = \"a\"\nkind = \"cn-lpg-bottle-room\"\nname = \"a\"\n"
        .to_owned();
    for n in 0..count {
        let (head, valve) = (n % 120 + 1, n % 120 + 121);
        let bus = if n < 120 { "b" } else { "c" };
        if n == 120 {
            site.push_str("[[bus]]\nid = \"c\"\nlink = \"tcp://127.0.0.1:2\"\npoll_ms = 60000\ntimeout_ms = 300\nmax_use_pct = 100\n");
        }
        site.push_str(&format!(
            "[[device]]\nid = \"h{n}\"\nbus = \"{bus}\"\nunit = {head}\nprofile = \"lel-2reg\"\narea = \"a\"\n\
             [[device]]\nid = \"v{n}\"\nbus = \"{bus}\"\nunit = {valve}\nprofile = \"valve-2limit\"\narea = \"a\"\n\
             [[point]]\nid = \"p{n}\"\nname = \"p\"\ndevice = \"h{n}\"\nsignal = \"value\"\ngas = \"lpg\"\n\
             [[valve]]\nid = \"valve{n}\"\nname = \"v\"\ndevice = \"v{n}\"\noutput = \"close\"\nclosed = \"closed\"\nopen = \"open\"\ntravel_s = 3\n\
             [[trip]]\nid = \"t{n}\"\nname = \"t\"\nvote = \"1oo1\"\nwhen = [\"p{n}:trip\"]\neffects = [\"valve{n}\"]\n"
        ));
    }
    site
}

#[test]
fn a_matrix_of_two_hundred_effects_stays_readable() {
    let plan = plan(&rooms(200));
    let told = matrix::to_text(&plan);
    let widest = told.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 260, "{widest}");
    for n in 0..200 {
        let row = told.lines().find(|line| line.contains(&format!(" p{n}:trip "))).unwrap();
        assert_eq!(row.matches(" X").count(), 1, "{row}");
    }
    // The mark stands under the name of its column.
    let row = told.lines().find(|line| line.contains(" p7:trip ")).unwrap();
    let above = told.lines().find(|line| line.starts_with("trip") && line.contains(" E8 ")).unwrap();
    assert_eq!(row.rfind('X'), above.find("E8 "));
    let listed = registers::to_text(&plan, None);
    assert_eq!(listed.lines().filter(|line| line.contains(" command ")).count(), 200);
}

#[test]
fn a_page_of_html_says_what_names_say_and_does_what_none_of_them_says() {
    let html = matrix::to_html(&plan(&rooms(2)));
    assert!(html.contains("&lt;大&gt; / &lt;b&gt;&amp; &#39;big&#39; &quot;one&quot;"));
    assert!(!html.contains("<b>") && !html.contains("http") && !html.contains("<script"));
    assert_eq!(html.matches("<tr>").count(), html.matches("</tr>").count());
    assert_eq!(html.matches("<td class=\"m\">X</td>").count(), 2);
}

/// Nobody answers before the wire lets them: a silence that was asked for says nothing of the device.
#[test]
fn a_time_out_below_the_wire_is_refused_with_what_the_wire_takes() {
    let link = "rtu+tcp://127.0.0.1:1?baud=1200";
    for what in [
        &["read", "--link", link, "--unit", "1", "--at", "holding:0", "--count", "10", "--timeout-ms", "100"]
            [..],
        &["guess", "--link", link, "--unit", "1", "--at", "holding:0", "--timeout-ms", "100"],
        &["write", "--link", link, "--unit", "1", "--at", "holding:0", "--value", "1", "--timeout-ms", "100"],
        &["scan", "--link", link, "--units", "1", "--timeout-ms", "100"],
        &["watch", "--link", link, "--unit", "1", "--profile", "gas-2reg", "--timeout-ms", "100"],
    ] {
        let done = probe(what);
        let told = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{what:?}: {told}");
        assert!(
            told.contains("shorter than an answer takes at 1200 baud") && told.contains("or more"),
            "{told}"
        );
    }
    // Of eight and seven characters of ten bits and a silence of 3.5: 155 ms.
    let read = ["read", "--link", link, "--unit", "1", "--at", "holding:0", "--timeout-ms"];
    let told = |ms| probe(&[&read[..], &[ms]].concat());
    assert!(text(&told("154").stderr).contains("give 155 or more"), "{}", text(&told("154").stderr));
    assert_eq!(told("155").status.code(), Some(1), "the line is tried, and nobody is there");
}
