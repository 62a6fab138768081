//! The site file compiler from outside: the demo, the built-in files, and what broken files are answered.
//!
//! A broken file says itself what it must be answered, in lines `#! code line: words of the remedy`; it must be answered
//! that and nothing else, so that one mistake never buries the reader under its consequences.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops where it is wrong"
)]

use davy::config::{
    Extras, Fault, Faults, Severity, Source, compile, json_schema, own_folders, profile_schema,
};
use davy::model::alarm::{Colour, Condition, Level};
use davy::model::element::{ElementKind, Mode};
use davy::model::grade::Grading;
use davy::model::plan::{Limit, Member, OnBad, Plan, Subject};
use davy::model::point::Unit;
use davy::model::register::Space;
use davy::model::sign::{Knob, Side, Sign, Tells, WatchedPoint};
use davy::model::table::AlarmId;
use davy::model::time::Span;
use proptest::prelude::*;
use serde_json::Value;
use std::path::PathBuf;

fn read(path: &str) -> Source {
    Source::from_bytes(path, &std::fs::read(path).unwrap()).unwrap()
}

fn files(folder: &str) -> Vec<String> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    paths.iter().map(|p| p.to_str().unwrap().to_owned()).collect()
}

fn demo() -> Source {
    read("config/demo.toml")
}

fn demo_with(old: &str, new: &str) -> Source {
    let Source { name, text } = demo();
    assert!(text.contains(old), "{old}");
    Source { name, text: text.replacen(old, new, 1) }
}

fn plan_of(site: &Source) -> Plan {
    match compile(site, &Extras::default()) {
        Ok(compiled) => compiled.plan,
        Err(faults) => panic!("{}", faults.render(false)),
    }
}

fn faults_of(site: &Source) -> Faults {
    compile(site, &Extras::default()).expect_err("a broken file compiles")
}

fn codes(faults: &Faults, severity: Severity) -> Vec<&'static str> {
    faults.iter().filter(|f| f.severity == severity).map(|f| f.code).collect()
}

// --- What only a person who answers for it can allow ----------------------------------------------------------------

#[test]
fn what_lets_more_pass_than_common_rules_do_takes_a_person_who_answers_for_it() {
    const APPROVED: &str = "approved = { by = \"Wang Wei\", reason = \"procedure 7\" }";
    let gas = "lel_pct_vol = 5.0";
    let face = "vote = \"1oo3\"";
    let bottles = "vote = \"1oo2\"              # one of two is enough; \"2oo3\" needs two of three";
    let group = "[[group]]\nid = \"pair\"\nvote = \"2oo2\"\nwhen = [\"face.t0:trip\", \"face.t1:trip\"]\n#\n";
    let paired = format!("{group}[[trip]]\nid = \"face-cut\"");
    let fan = "level = \"trip\"\n";
    let lock = "lock = 3.01, unlock = 1.50 }   # for the lock of the fan, see below";
    // What is written, what for, what it is told, and after which line the approval goes.
    let cases: &[(&str, &str, &str, &str)] = &[
        (face, "vote = \"3oo3\"", "waits for 3 of 3", "vote = \"3oo3\""),
        (bottles, "vote = \"2oo2\"", "waits for 2 of 2", "vote = \"2oo2\""),
        (face, "vote = \"1oo3\"\non_bad = \"alarm\"", "can't be judged trips nothing", "on_bad = \"alarm\""),
        (face, "vote = \"1oo3\"\nbypass = \"one-person\"", "one person alone", "bypass = \"one-person\""),
        (face, "vote = \"1oo3\"\ndelay_s = 60", "gas waits 60", "delay_s = 60"),
        ("reset_hold_s = 2", "reset_hold_s = 0", "the moment that it reads safe", "reset_hold_s = 0"),
        (gas, "lel_pct_vol = 15", "explosive from 5 %vol on", "lel_pct_vol = 15"),
        (lock, "lock = 3.60, unlock = 1.50 }", "lock 3.60 %vol", "lock = 3.60, unlock = 1.50 }"),
        (lock, "lock = 3.01, unlock = 2.00 }", "unlock 2.00 %vol", "lock = 3.01, unlock = 2.00 }"),
        ("[signs]", "[alarms]\nescalate_s = 0\n[signs]", "never gets louder", "escalate_s = 0"),
    ];
    for (old, new, told, line) in cases {
        let faults = faults_of(&demo_with(old, new));
        assert_eq!(codes(&faults, Severity::Error), ["laxer-than-rules"], "{new}: {}", faults.render(false));
        assert!(faults.render(false).contains(told), "{new}: {}", faults.render(false));
        let Source { name, text } = demo_with(old, new);
        let text = text.replacen(line, &format!("{line}\n{APPROVED}"), 1);
        let compiled = compile(&Source { name, text }, &Extras::default())
            .unwrap_or_else(|f| panic!("{new}: {}", f.render(false)));
        let told = codes(&compiled.warnings, Severity::Warning);
        assert!(told.contains(&"laxer-approved"), "{new}: {}", compiled.warnings.render(false));
    }
    // A vote inside a vote, and a contact that is slow, are answered for where they are counted.
    let Source { name, text } = demo_with("[[trip]]\nid = \"face-cut\"", &paired);
    let pair = "when = [\"pair\", \"face.t2:trip\"]";
    let text = text.replace("when = [\"face.t0:trip\", \"face.t1:trip\", \"face.t2:trip\"]", pair);
    let inner = Source { name, text: text.replace(face, "vote = \"1oo2\"") };
    assert!(faults_of(&inner).render(false).contains("`pair` waits for 2 of 2"));
    let slow = faults_of(&demo_with(fan, "level = \"trip\"\non_delay_s = 60\n"));
    assert_eq!(codes(&slow, Severity::Error), ["laxer-than-rules"; 2], "{}", slow.render(false));
    assert!(slow.render(false).contains("`heading.fan:contact-trip` waits 60"), "{}", slow.render(false));
}

// --- What is built in ------------------------------------------------------------------------------------------------

#[test]
fn the_demo_compiles_and_only_its_unconfirmed_numbers_are_remarked_on() {
    let compiled = compile(&demo(), &Extras::default()).unwrap();
    let warnings = codes(&compiled.warnings, Severity::Warning);
    assert!(warnings.iter().all(|code| *code == "unconfirmed"), "{}", compiled.warnings.render(false));
    for place in ["`cn-coal-face` at T0", "`cn-coal-face` at T1", "`cn-coal-heading` at T1", "`cn-gas-user`"]
    {
        assert!(compiled.warnings.iter().any(|f| f.message.contains(place)), "{place}");
    }
}

#[test]
fn every_file_in_the_folders_is_built_in() {
    for (folder, shown) in [("config/profiles", "profile"), ("config/standards", "standard")] {
        for path in files(folder) {
            let source = read(&path);
            let id = source
                .text
                .lines()
                .find_map(|l| l.strip_prefix("id = \""))
                .unwrap()
                .trim_end_matches('"')
                .to_owned();
            let extras = match shown {
                "profile" => Extras { profiles: vec![source], standards: vec![] },
                _ => Extras { profiles: vec![], standards: vec![source] },
            };
            let faults = compile(&demo(), &extras).expect_err("its id is not taken: it is not built in");
            let mut taken = faults.iter().filter(|f| f.message.contains(&format!("{shown} `{id}`")));
            assert!(taken.any(|f| f.code == "duplicate-id"), "{path}: {}", faults.render(false));
        }
    }
}

#[test]
fn the_schema_knows_every_key_of_the_demo_and_no_other() {
    let schema = json_schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let demo: toml::Value = toml::from_str(&demo().text).unwrap();
    let problems = misfits(&schema, &schema, &serde_json::to_value(&demo).unwrap(), "");
    assert!(problems.is_empty(), "{problems:?}");

    let mut broken = serde_json::to_value(&demo).unwrap();
    broken["bus"][0]["poll"] = Value::from(5);
    broken["device"][0]["unit"] = Value::from("one");
    broken["gateway"].as_object_mut().unwrap().remove("id");
    let problems = misfits(&schema, &schema, &broken, "");
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn the_schema_of_profiles_knows_every_key_of_those_that_are_built_in() {
    let schema = profile_schema();
    for path in files("config/profiles") {
        let profile: toml::Value = toml::from_str(&read(&path).text).unwrap();
        let problems = misfits(&schema, &schema, &serde_json::to_value(&profile).unwrap(), "");
        assert!(problems.is_empty(), "{path}: {problems:?}");
    }
}

/// Where `value` does not fit `schema`: the few words of JSON Schema that ours is written in.
fn misfits(root: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return misfits(root, root.pointer(reference.trim_start_matches('#')).unwrap(), value, path);
    }
    if let Some(options) = schema["oneOf"].as_array() {
        let fits = options.iter().any(|o| misfits(root, o, value, path).is_empty());
        return if fits { vec![] } else { vec![format!("{path}: fits none")] };
    }
    if let Some(names) = schema["enum"].as_array() {
        return if names.contains(value) { vec![] } else { vec![format!("{path}: not in the list")] };
    }
    let wrong = |what: &str| vec![format!("{path}: not {what}")];
    let within = |x: f64| {
        schema["minimum"].as_f64().is_none_or(|lo| lo <= x)
            && schema["maximum"].as_f64().is_none_or(|hi| x <= hi)
    };
    match schema["type"].as_str().unwrap() {
        "string" if !value.is_string() => wrong("a text"),
        "boolean" if !value.is_boolean() => wrong("true or false"),
        "integer" if !value.is_i64() || !within(value.as_f64().unwrap()) => wrong("a whole number"),
        "number" if !value.is_number() || !within(value.as_f64().unwrap()) => wrong("a number"),
        "array" => {
            let Some(items) = value.as_array() else { return wrong("a list") };
            items
                .iter()
                .enumerate()
                .flat_map(|(n, v)| misfits(root, &schema["items"], v, &format!("{path}/{n}")))
                .collect()
        }
        "object" => {
            let Some(keys) = value.as_object() else { return wrong("a table") };
            let required = schema["required"].as_array().unwrap().iter().map(|k| k.as_str().unwrap());
            let missing = required.filter(|k| !keys.contains_key(*k)).map(|k| format!("{path}: lacks {k}"));
            let inner = keys.iter().flat_map(|(key, value)| match schema["properties"].get(key) {
                Some(schema) => misfits(root, schema, value, &format!("{path}/{key}")),
                None => vec![format!("{path}: unknown key {key}")],
            });
            missing.chain(inner).collect()
        }
        _ => vec![],
    }
}

// --- What comes out ----------------------------------------------------------------------------------------------------

#[test]
fn the_ids_that_other_rooms_rely_on_are_in_the_demo() {
    let plan = plan_of(&demo());
    assert_eq!(plan.gateway, "north-mine-gw1");
    let tags = |wanted: &[&str], all: Vec<&str>| wanted.iter().for_each(|t| assert!(all.contains(t), "{t}"));
    tags(
        &["face", "heading", "bottle-room", "boiler-house"],
        plan.areas.values().map(|a| a.tag.as_str()).collect(),
    );
    tags(
        &[
            "face.t0",
            "face.t1",
            "face.t2",
            "heading.t1",
            "heading.fan",
            "heading.duct",
            "bottle-room.lpg-1",
            "bottle-room.lpg-2",
            "boiler-house.co",
            "boiler-house.ch4",
            "bottle-room.valve.closed",
            "bottle-room.valve.open",
            "bottle-room.valve.readback",
            "face.section.live",
        ],
        plan.points.values().map(|p| p.tag.as_str()).collect(),
    );
    tags(
        &["bottle-room.valve", "face.section", "face.return", "heading.supply", "boiler-house.valve"],
        plan.elements.values().map(|e| e.tag.as_str()).collect(),
    );
    for trip in ["bottle-room-shutoff", "face-cut", "heading-cut", "boiler-shutoff"] {
        assert!(plan.trip(trip).is_some(), "{trip}");
    }
    assert_eq!(plan.destinations.values().next().unwrap().tag.as_str(), "control-room");
}

#[test]
fn set_points_come_from_the_standard_by_area_kind_and_place() {
    let plan = plan_of(&demo());
    let limit = |key: &str| plan.alarms[plan.alarm(key).unwrap()].limit.unwrap();
    assert_eq!(limit("face.t1:alarm"), Limit { set: 1.0, reset: 1.0 });
    assert_eq!(limit("face.t1:trip"), Limit { set: 1.5, reset: 1.0 });
    assert_eq!(limit("face.t2:trip"), Limit { set: 1.0, reset: 1.0 });
    assert_eq!(limit("face.t1:warning"), Limit { set: 0.8, reset: 0.8 });
    assert_eq!(limit("bottle-room.lpg-1:trip"), Limit { set: 25.0, reset: 20.0 });
    assert_eq!(limit("boiler-house.co:warning"), Limit { set: 24.0, reset: 24.0 });
    assert_eq!(limit("heading.duct:low-trip"), Limit { set: 2.0, reset: 3.0 });
    assert_eq!(limit("heading.fan:contact-trip"), Limit { set: 0.0, reset: 1.0 });
}

#[test]
fn alarms_have_the_colour_the_latch_and_the_words_of_their_level() {
    let plan = plan_of(&demo());
    let alarm = |key: &str| &plan.alarms[plan.alarm(key).unwrap()];
    let level1 = alarm("bottle-room.lpg-1:alarm");
    assert_eq!(&*level1.text.zh, "食堂瓶组间 液化气探测器1 一级报警");
    assert_eq!(&*level1.text.en, "Canteen bottle room, LPG detector 1: level 1");
    assert_eq!(level1.off_delay, Span::from_secs(1));
    for (key, colour, latching) in [
        ("face.t1:warning", Colour::Blue, false),
        ("face.t1:alarm", Colour::Yellow, true),
        ("face.t1:trip", Colour::Orange, true),
        ("face.t1:over-range", Colour::Orange, true),
        ("face.t1:sensor-fault", Colour::Yellow, false),
        ("face-t1:comm-lost", Colour::Yellow, false),
        ("face.section:not-confirmed", Colour::Red, true),
        ("heading.fan:contact-trip", Colour::Orange, true),
    ] {
        assert_eq!((alarm(key).colour, alarm(key).latching), (colour, latching), "{key}");
    }
    assert_eq!(&*alarm("face.t1:trip").text.en, "Coal face 3102, methane T1, face: power cut");
    assert!(alarm("bottle-room.lpg-1:trip").action.en.starts_with("Close the gas supply"));
    assert!(alarm("face.t1:trip").action.zh.contains("切断电源"));
}

#[test]
fn every_alarm_and_its_subject_name_each_other() {
    let plan = plan_of(&demo());
    for (id, alarm) in plan.alarms.iter() {
        let (tag, condition) = alarm.key.split_once(':').unwrap();
        assert_eq!(Condition::parse(condition), Some(alarm.condition), "{}", alarm.key);
        if alarm.condition == Condition::BypassActive {
            assert!(plan.bypassable.values().any(|b| b.alarm == id), "{}", alarm.key);
            continue;
        }
        match alarm.subject {
            Subject::Point(p) if alarm.condition == Condition::Anomaly => {
                assert_eq!((plan.points[p].tag.as_str(), plan.watched.points[&p].alarm), (tag, id));
            }
            Subject::Element(e) if alarm.condition == Condition::Anomaly => {
                assert_eq!((plan.elements[e].tag.as_str(), plan.watched.elements[&e]), (tag, id));
            }
            Subject::Point(p) => {
                assert_eq!(plan.points[p].tag.as_str(), tag);
                assert!(plan.points[p].alarms.contains(&id));
            }
            Subject::Device(d) => {
                let device = &plan.devices[d];
                let named =
                    [Some(device.comm_alarm), Some(device.stale_alarm), device.calibration.map(|(_, a)| a)];
                assert_eq!(device.tag.as_str(), tag);
                assert!(named.contains(&Some(id)), "{}", alarm.key);
            }
            Subject::Element(e) => {
                let element = &plan.elements[e];
                assert_eq!(element.tag.as_str(), tag);
                assert!(
                    element.not_confirmed == id || element.supervision.alarms.contains(&id),
                    "{}",
                    alarm.key
                );
            }
        }
    }
    let levels: Vec<_> =
        plan.points.values().find(|p| p.tag.as_str() == "face.t1").unwrap().alarms.iter().collect();
    assert_eq!(levels.len(), 5, "three levels, sensor fault, over range");
}

#[test]
fn every_point_lies_in_its_block_together_with_its_status() {
    let plan = plan_of(&demo());
    for point in plan.points.values() {
        let block = plan.devices[point.device].blocks[point.block];
        let holds = |at: davy::model::register::Location, cells: u16| {
            at.space == block.at.space
                && at.address >= block.at.address
                && at.address + cells <= block.at.address + block.count
        };
        for (at, encoding) in point.field.places() {
            assert!(holds(at, encoding.cells()), "{}", point.tag);
        }
    }
    let head = plan.devices.values().find(|d| d.tag.as_str() == "face-t1").unwrap();
    assert_eq!(head.blocks.len(), 1, "value and status in one request");
    let valve = plan.devices.values().find(|d| d.tag.as_str() == "bottle-room-valve").unwrap();
    let spaces: Vec<Space> = valve.blocks.iter().map(|b| b.at.space).collect();
    assert_eq!(spaces, [Space::Coil, Space::Discrete], "the read-back, then both limits in one request");
}

#[test]
fn elements_know_what_is_written_and_what_tells_that_it_worked() {
    let plan = plan_of(&demo());
    let valve = plan.elements.values().find(|e| e.tag.as_str() == "bottle-room.valve").unwrap();
    assert_eq!((valve.kind, valve.mode), (ElementKind::Valve, Mode::Act));
    assert_eq!((valve.command.trip, valve.command.release), (1, Some(0)));
    assert!(valve.safe_contact.unwrap().yes && valve.unsafe_contact.unwrap().yes);
    let load = plan.elements.values().find(|e| e.tag.as_str() == "face.section").unwrap();
    assert!(load.safe_contact.is_none() && load.unsafe_contact.is_some());

    let inverted = plan_of(&demo_with("live = \"live\"", "dead = \"!live\""));
    let load = inverted.elements.values().find(|e| e.tag.as_str() == "face.section").unwrap();
    assert!(!load.safe_contact.unwrap().yes);

    let elsewhere = plan_of(&demo_with("live = \"live\"", "live = \"face-return-switch:live\""));
    let load = elsewhere.elements.values().find(|e| e.tag.as_str() == "face.section").unwrap();
    let feed = &elsewhere.points[load.unsafe_contact.unwrap().point];
    assert_eq!(elsewhere.devices[feed.device].tag.as_str(), "face-return-switch");
}

#[test]
fn contacts_are_named_after_their_signal_and_that_of_another_device_after_that_too() {
    let site = demo_with("closed = \"closed\"\n", "closed = \"boiler-house-valve:open\"\n");
    let plan = plan_of(&site);
    let tags: Vec<&str> = plan.points.values().map(|p| p.tag.as_str()).collect();
    assert!(tags.contains(&"bottle-room.valve.boiler-house-valve.open"), "{tags:?}");
    assert!(tags.contains(&"bottle-room.valve.open"), "{tags:?}");

    let profile = read("config/profiles/feed-breaker.toml").text;
    let profile = profile.replace("feed-breaker", "own").replace("\"live\"", "\"readback\"");
    let extras =
        Extras { profiles: vec![Source { name: "own.toml".to_owned(), text: profile }], standards: vec![] };
    let text = demo().text.replace("feed-breaker", "own").replace("live = \"live\"", "live = \"readback\"");
    let site = Source { name: "site.toml".to_owned(), text };
    let plan = compile(&site, &extras).unwrap_or_else(|f| panic!("{}", f.render(false))).plan;
    let load = plan.elements.values().find(|e| e.tag.as_str() == "face.section").unwrap();
    assert_eq!(plan.points[load.readback].tag.as_str(), "face.section.readback");
    let feed = &plan.points[load.unsafe_contact.unwrap().point];
    assert_eq!(feed.tag.as_str(), "face.section.face-section-switch.readback");
}

#[test]
fn a_siren_is_switched_on_and_its_contact_tells_so() {
    let siren = "[[siren]]\nid = \"siren\"\ndevice = \"heading-switch\"\noutput = \"cut\"\non = \"!live\"\n\n[[load]]";
    let text = demo().text.replacen("[[load]]", siren, 1);
    let text = text.replace("effects = [\"heading.supply\"]", "effects = [\"siren\"]");
    let (start, end) =
        (text.find("[[load]]\nid = \"heading.supply\"").unwrap(), text.find("# A lock keeps").unwrap());
    let text = format!("{}{}", &text[..start], &text[end..]);
    let plan = plan_of(&Source { name: "siren.toml".to_owned(), text });
    let siren = plan.elements.values().find(|e| e.tag.as_str() == "siren").unwrap();
    assert_eq!((siren.kind, siren.travel_limit), (ElementKind::Siren, Span::from_secs(5)));
    assert!(!siren.safe_contact.unwrap().yes && siren.unsafe_contact.is_none());
}

#[test]
fn outputs_only_observe_unless_the_site_says_act() {
    let plan = plan_of(&demo_with("outputs = \"act\"", ""));
    assert!(plan.elements.values().all(|e| e.mode == Mode::Observe));
}

#[test]
fn the_hash_follows_the_text_and_the_own_files_and_not_their_names() {
    let hash = |site: &Source, extras: &Extras| compile(site, extras).unwrap().plan.config_hash;
    let none = Extras::default();
    let renamed = Source { name: "elsewhere.toml".to_owned(), ..demo() };
    assert_eq!(hash(&demo(), &none), hash(&renamed, &none));
    assert_eq!(hash(&demo(), &none).len(), 64);
    assert_ne!(hash(&demo(), &none), hash(&demo_with("# The site file", "# A site file"), &none));
    let text = read("config/profiles/gas-2reg.toml").text.replace("id = \"gas-2reg\"", "id = \"own\"");
    let own = Extras { profiles: vec![Source { name: "own.toml".to_owned(), text }], standards: vec![] };
    assert_ne!(hash(&demo(), &none), hash(&demo(), &own));
}

#[test]
fn own_folders_are_found_even_in_a_broken_file() {
    let folders = own_folders("[gateway]\nprofiles = \"profiles\"\nstandards = 5\n[x\n");
    assert_eq!((folders.profiles.as_deref(), folders.standards), (Some("profiles"), None));
    assert_eq!(folders.state.as_deref(), Some("/var/lib/davy"), "the usual one");
    assert_eq!(own_folders("[gateway]\nstate = 5\n").state, None);
    assert_eq!(own_folders("\u{0}[["), own_folders(""));
}

#[test]
fn a_site_can_bring_a_profile_and_a_standard_of_its_own() {
    let profile = read("config/profiles/gas-2reg.toml").text.replace("gas-2reg", "own-head");
    let standard = "id = \"own\"\nname = \"our mine\"\n[[kind]]\nid = \"our-face\"\nname = \"our face\"\n\
        [[kind.set_points]]\ngas = \"methane\"\nunit = \"%vol\"\nalarm = 0.7\ntrip = 0.9\nreset = 0.6\n\
        source = \"procedure 17\"\nconfirmed = true\n";
    let named = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let extras = Extras {
        profiles: vec![named("profiles/own.toml", &profile)],
        standards: vec![named("standards/own.toml", standard)],
    };
    let text = demo().text.replacen("gas-2reg", "own-head", 1).replace("cn-coal-face", "our-face");
    let text =
        ["T0", "T1", "T2"].iter().fold(text, |text, p| text.replacen(&format!("place = \"{p}\"\n"), "", 1));
    let plan = match compile(&named("site.toml", &text), &extras) {
        Ok(compiled) => compiled.plan,
        Err(faults) => panic!("{}", faults.render(false)),
    };
    let trip = &plan.alarms[plan.alarm("face.t0:trip").unwrap()];
    assert_eq!(trip.limit, Some(Limit { set: 0.9, reset: 0.6 }));
    assert_eq!(plan.devices.values().next().unwrap().profile, "own-head");
}

#[test]
fn laxer_set_points_pass_with_an_approval_and_each_is_said_with_who_answers_for_it() {
    let own = "place = \"T1\"\non_delay_s = 4\nset_points = { unit = \"%vol\", warning = 0.5, trip = 2.0 }\n\
        approved = { by = \"Wang Wei\", reason = \"procedure 17\" }\n";
    let compiled = compile(&demo_with("place = \"T1\"\n", own), &Extras::default()).unwrap();
    let laxer: Vec<&Fault> = compiled.warnings.iter().filter(|f| f.code == "laxer-approved").collect();
    let says = |n: usize, words: &str| laxer[n].message.contains(words);
    assert_eq!(laxer.len(), 2, "each of the two loosenings; the tighter warning is nobody's business");
    assert!(says(0, "on-delay of 4 s") && says(1, "trip 2 %vol is laxer than the standard's 1.5 %vol"));
    for warning in laxer {
        assert!(warning.help.contains("Wang Wei") && warning.help.contains("procedure 17"));
    }
    let alarm = &compiled.plan.alarms[compiled.plan.alarm("face.t1:trip").unwrap()];
    assert_eq!((alarm.condition, alarm.limit.unwrap().set), (Condition::High(Level::Trip), 2.0));
}

#[test]
fn a_zero_that_drifts_is_borne_by_the_reader_and_not_by_the_range_as_well() {
    let plan = plan_of(&demo());
    let lows = plan.points.values().filter_map(|p| p.field.range).map(|(lo, _)| lo);
    assert_eq!(lows.fold(0.0, f64::min), 0.0);
}

#[test]
fn a_table_that_only_has_presets_changes_nothing() {
    let written = "[telemetry]\nsnapshot_s = 60            # every value at least once a minute, changed or not\n\
        max_mib = 64               # most telemetry that waits for the broker; alarms have a lane of their own\n";
    let (none, empty) = (plan_of(&demo_with(written, "")), plan_of(&demo_with(written, "[telemetry]\n")));
    assert_eq!(none.telemetry, empty.telemetry);
}

#[test]
fn set_points_that_no_row_of_the_standard_fits_need_an_approval_too() {
    let lax = "set_points = { unit = \"%vol\", alarm = 3.0, trip = 3.9 }\n";
    let approval = "approved = { by = \"Wang Wei\", reason = \"procedure 17\" }\n";
    let placeless = demo_with("place = \"T1\"\n", lax);
    let renamed = demo_with("place = \"T1\"\n", &format!("place = \"T1\"\n{lax}"));
    let renamed = Source { text: renamed.text.replace("\"methane\"", "\"ch4\""), ..renamed };
    let in_lel = demo_with("profile = \"gas-2reg\"", "profile = \"lel-2reg\"");
    let in_lel = Source {
        text: in_lel.text.replacen("place = \"T0\"\n", &lax.replace("%vol", "%LEL").replace('3', "60"), 1),
        ..in_lel
    };
    for (site, words) in [
        (&placeless, "add place = …"),
        (&renamed, "no standard names a gas `ch4`"),
        (&in_lel, "methane in %vol"),
    ] {
        let faults = faults_of(site);
        let fault = faults.iter().find(|f| f.code == "no-standard").unwrap();
        assert_eq!(fault.severity, Severity::Error);
        assert!(fault.help.contains(words) && fault.help.contains("approved ="), "{}", fault.help);
    }
    let approved = demo_with("place = \"T1\"\n", &format!("{lax}{approval}"));
    let warnings = compile(&approved, &Extras::default()).unwrap().warnings;
    assert!(warnings.iter().any(|f| f.code == "no-standard" && f.help.contains("Wang Wei")));
}

#[test]
fn a_gas_that_the_area_kind_does_not_know_at_all_is_remarked_on() {
    let oxygen = "\n[[gas]]\nid = \"oxygen\"\n\n[[gas]]\nid = \"methane\"";
    let site = demo_with("\n[[gas]]\nid = \"methane\"", oxygen);
    let old = "gas = \"methane\"\nplace = \"T2\"\n";
    let new = "gas = \"oxygen\"\nset_points = { unit = \"%vol\", low_alarm = 19.5, low_trip = 18.0 }\n";
    assert!(site.text.contains(old));
    let text = site.text.replacen(old, new, 1).replace("face.t2:trip", "face.t2:low-trip");
    let warnings = compile(&Source { text, ..site }, &Extras::default()).unwrap().warnings;
    assert!(codes(&warnings, Severity::Warning).contains(&"no-standard"), "{}", warnings.render(false));
}

/// A standard with one area kind, `our-face`, and these rows of place, gas and trip.
fn own_standard(rows: &[(&str, &str, f64)]) -> Extras {
    let mut text =
        "id = \"own\"\nname = \"our mine\"\n[[kind]]\nid = \"our-face\"\nname = \"our face\"\n".to_owned();
    for (place, gas, trip) in rows {
        let key = |name: &str, value: &str| match value {
            "" => String::new(),
            _ => format!("{name} = \"{value}\"\n"),
        };
        text += &format!(
            "[[kind.set_points]]\n{}{}unit = \"%vol\"\ntrip = {trip:?}\nsource = \"x\"\nconfirmed = true\n",
            key("place", place),
            key("gas", gas)
        );
    }
    Extras { profiles: vec![], standards: vec![Source { name: "own.toml".to_owned(), text }] }
}

#[test]
fn the_most_particular_row_of_a_standard_counts_wherever_it_stands() {
    let rows = [
        ("", "", 0.9),
        ("T1", "", 0.8),
        ("", "methane", 0.7),
        ("T1", "methane", 0.6),
        ("T2", "oxygen", 20.0),
    ];
    let site = demo_with("cn-coal-face", "our-face");
    let site = Source { text: site.text.replacen("place = \"T0\"\n", "", 1), ..site };
    let trip = |rows: &[_], key| {
        let plan = compile(&site, &own_standard(rows)).unwrap_or_else(|f| panic!("{}", f.render(false))).plan;
        plan.alarms[plan.alarm(key).unwrap()].limit.unwrap().set
    };
    let turned: Vec<_> = rows.into_iter().rev().collect();
    for rows in [rows.as_slice(), turned.as_slice()] {
        assert_eq!((trip(rows, "face.t0:trip"), trip(rows, "face.t1:trip")), (0.7, 0.6));
        assert_eq!(trip(rows, "face.t2:trip"), 0.7, "a row without a place goes for any place");
    }
}

#[test]
fn two_rows_for_the_same_place_gas_and_unit_are_an_error() {
    let twice = own_standard(&[("T1", "methane", 0.9), ("", "methane", 0.9), ("T1", "methane", 0.8)]);
    let faults = compile(&demo(), &twice).expect_err("which of the two counts?");
    assert_eq!(codes(&faults, Severity::Error), ["same-row"]);
}

#[test]
fn the_start_hold_is_a_minute_and_can_only_be_made_longer() {
    assert_eq!(plan_of(&demo()).start_hold, Span::from_secs(60));
    let longer = demo_with("outputs = \"act\"", "outputs = \"act\"\nstart_hold_s = 120");
    assert_eq!(plan_of(&longer).start_hold, Span::from_secs(120));
    let shorter = demo_with("outputs = \"act\"", "outputs = \"act\"\nstart_hold_s = 59");
    assert_eq!(codes(&faults_of(&shorter), Severity::Error), ["out-of-bounds"]);
}

#[test]
fn a_trips_votes_name_backwards_only_and_its_reset_asks_for_causes_and_permissives() {
    let plan = plan_of(&demo());
    let trip = |tag: &str| &plan.trips[plan.trip(tag).unwrap()];
    let key = |id: &AlarmId| plan.alarms[*id].key.as_str();
    let lock = trip("heading-fan-lock");
    let causes: Vec<_> = lock.causes.iter().map(key).collect();
    assert_eq!(causes, ["heading.fan:contact-trip", "heading.t1:lock", "heading.t2:lock"]);
    let [gas, own] = lock.groups.as_slice() else { panic!("{:?}", lock.groups) };
    assert_eq!((gas.votes, gas.members.as_slice()), (1, [Member::Cause(1), Member::Cause(2)].as_slice()));
    assert_eq!((own.votes, own.members.as_slice()), (2, [Member::Cause(0), Member::Group(0)].as_slice()));
    assert_eq!((own.on_bad, lock.reset_needs.as_slice()), (OnBad::Ignore, [1, 2].as_slice()));
    let limit = plan.alarms[lock.causes[1]].limit;
    assert_eq!(limit, Some(Limit { set: 3.01, reset: 1.5 }), "above 3.0 %, unlocked below 1.5 %");

    let cut = trip("heading-cut");
    let permissives: Vec<_> = cut.permissives.iter().map(key).collect();
    assert_eq!(permissives, ["heading.t1:alarm", "heading.t2:alarm"]);
    assert_eq!(cut.reset_needs, (0..6).collect::<Vec<_>>());
    assert_eq!(cut.groups[0].on_bad, OnBad::Vote, "a device at fault cuts the power");
}

#[test]
fn every_cause_may_be_bypassed_by_two_persons_unless_the_file_says_otherwise() {
    let rule = |plan: &Plan, key: &str| plan.bypassable.get(&plan.alarm(key).unwrap()).map(|b| b.two_persons);
    let as_shipped = plan_of(&demo());
    assert_eq!(rule(&as_shipped, "face.t1:trip"), Some(true));
    assert_eq!(rule(&as_shipped, "face.t1:alarm"), None, "it votes nowhere");
    assert!(as_shipped.alarm("face.t1:bypass-active").is_some());
    let never = plan_of(&demo_with("vote = \"2oo2\"", "vote = \"2oo2\"\nbypass = \"never\""));
    assert_eq!(rule(&never, "heading.fan:contact-trip"), None, "the strictest of its trips holds");
    let one = plan_of(&demo_with(
        "vote = \"1oo3\"",
        "vote = \"1oo3\"\nbypass = \"one-person\"\napproved = { by = \"Wang\", reason = \"x\" }",
    ));
    assert_eq!(rule(&one, "face.t1:trip"), Some(false));
}

#[test]
fn what_is_watched_of_an_element_follows_what_it_is_and_what_the_file_says() {
    let plan = plan_of(&demo());
    let element =
        |plan: &Plan, tag: &str| plan.elements.values().find(|e| e.tag.as_str() == tag).unwrap().clone();
    let alarms = |plan: &Plan, tag: &str| -> Vec<&'static str> {
        element(plan, tag).supervision.alarms.iter().map(|a| plan.alarms[*a].condition.as_str()).collect()
    };
    let valve = ["moved-uncommanded", "feedback-conflict", "proof-test-failed", "leak-through"];
    assert_eq!(alarms(&plan, "bottle-room.valve"), valve);
    assert_eq!(alarms(&plan, "face.section"), ["moved-uncommanded", "feed-live", "proof-test-failed"]);
    let leak = element(&plan, "bottle-room.valve").supervision.leak.unwrap();
    let rises: Vec<_> = leak.points.iter().map(|(p, rise)| (plan.points[*p].tag.as_str(), *rise)).collect();
    assert_eq!((leak.from, leak.to), (Span::from_secs(60), Span::from_secs(120)));
    assert_eq!(rises.len(), 2);
    assert!(rises.iter().all(|(_, rise)| (*rise - 1.25).abs() < 1e-9), "5 % of 25 %LEL: {rises:?}");

    let times =
        "travel_s = 3\ndead_s = 1\ncommissioned_s = 2.6\nreopens_s = 600\nbackup = \"boiler-house.valve\"";
    let timed = plan_of(&demo_with("travel_s = 3", times));
    let valve = element(&timed, "bottle-room.valve");
    assert_eq!(valve.supervision.dead_limit, Some(Span::from_secs(1)));
    assert_eq!((valve.slow_from(), valve.fails_from()), (Some(Span::from_ms(3_120)), Span::from_secs(3)));
    assert_eq!(timed.elements[valve.supervision.backup.unwrap()].tag.as_str(), "boiler-house.valve");
    assert!(alarms(&timed, "bottle-room.valve").contains(&"slow-travel"));
    assert!(alarms(&timed, "bottle-room.valve").contains(&"failed-to-open"));
}

#[test]
fn a_group_that_many_name_is_counted_once_in_each_trip() {
    let mut text = demo().text;
    text.push_str("\n[[group]]\nid = \"g0\"\nwhen = [\"face.t0:trip\", \"face.t1:trip\"]\n");
    for n in 1..200 {
        text.push_str(&format!(
            "[[group]]\nid = \"g{n}\"\nwhen = [\"g{}\", \"g0\", \"face.t2:trip\"]\n",
            n - 1
        ));
    }
    let text = text.replace("\"g0\", \"g0\"", "\"g0\"").replacen(
        "vote = \"1oo3\"\nwhen = [\"face.t0:trip\", \"face.t1:trip\", \"face.t2:trip\"]",
        "when = [\"g199\"]",
        1,
    );
    let plan = plan_of(&Source { name: "deep.toml".to_owned(), text });
    let cut = &plan.trips[plan.trip("face-cut").unwrap()];
    assert_eq!((cut.groups.len(), cut.causes.len()), (201, 3));
}

#[test]
fn signs_are_looked_for_on_measured_points_with_the_numbers_of_the_file() {
    let site =
        demo_with("id = \"face.t1\"", "id = \"face.t1\"\nsigns = { frozen_min_s = 600, off = [\"ratio\"] }");
    let compiled = compile(&site, &Extras::default()).unwrap();
    assert!(codes(&compiled.warnings, Severity::Warning).contains(&"sign-off"));
    let plan = compiled.plan;
    let of = |tag: &str| &plan.watched.points[&plan.points.find(|p| p.tag.as_str() == tag).unwrap()];
    let (t1, t2) = (of("face.t1"), of("face.t2"));
    assert_eq!((t1.scale, t1.catalytic, t2.catalytic), (Some(1.0), true, false));
    assert_eq!(t1.off, [Sign::Ratio]);
    let frozen = |p: &WatchedPoint| p.settings.get(Knob::FrozenMin);
    assert_eq!(
        (frozen(t1), frozen(t2), plan.watched.settings.get(Knob::FrozenMin)),
        (600.0, 86_400.0, 86_400.0)
    );
    assert_eq!(t1.settings.get(Knob::StepOfAlarm), 10.0, "what the point does not say is as for the site");
    assert_eq!(t1.settings.get(Knob::FrozenFactor), Knob::FrozenFactor.default());
    let sides = |p: &WatchedPoint| p.neighbours.iter().map(|n| n.side).collect::<Vec<_>>();
    assert_eq!((sides(t1), sides(t2)), (vec![Side::Diluted], vec![Side::Upstream]));
    assert_eq!(sides(of("bottle-room.lpg-2")), [Side::Beside], "neighbours are so of one another");
    assert!(of("heading.duct").scale.is_none(), "air speed has no high alarm");
    let fan = plan.points.find(|p| p.tag.as_str() == "heading.fan").unwrap();
    assert!(!plan.watched.points.contains_key(&fan), "a contact that tells nothing of its device");
    assert_eq!(plan.watched.elements.len(), plan.elements.len());
}

#[test]
fn a_contact_that_tells_of_its_device_and_a_point_that_mirrors_a_setting_are_watched() {
    let plan = plan_of(&demo_with(
        "id = \"heading.fan\"",
        "id = \"heading.fan\"\ntells = \"power-off\"\nexpect = 1",
    ));
    let fan = plan.points.find(|p| p.tag.as_str() == "heading.fan").unwrap();
    let watched = &plan.watched.points[&fan];
    assert_eq!((watched.tells, watched.expects), (Some(Tells::PowerOff), Some(1.0)));
    assert_eq!(plan.alarms[watched.alarm].key, "heading.fan:anomaly");
}

#[test]
fn the_rules_of_grading_are_the_defaults_where_the_file_says_nothing_and_nought_is_never() {
    assert_eq!(plan_of(&demo()).grading, Grading::default());
    let grades = "[grades]\norange_after_min = 5\norange_points = 0\nred_areas = 3\n\n[[gas]]";
    let grading = plan_of(&demo_with("[[gas]]", grades)).grading;
    assert_eq!(grading.orange_after, Some(Span::from_secs(300)));
    assert_eq!((grading.orange_points, grading.red_areas), (None, Some(3)));
    assert_eq!((grading.red_pct_vol, grading.red_after), (Some(3.0), Some(Span::from_secs(1_800))));
    let alone = faults_of(&demo_with("[[gas]]", "[grades]\nred_areas = 1\n\n[[gas]]"));
    assert_eq!(codes(&alone, Severity::Error), ["no-extent"]);
    let negative = faults_of(&demo_with("[[gas]]", "[grades]\nred_after_min = -1\n\n[[gas]]"));
    assert_eq!(codes(&negative, Severity::Error).len(), 1);
}

#[test]
fn permits_of_the_site_file_are_held_to_the_rules_of_those_that_people_ask_for() {
    let site = |keys: &str| {
        let permit =
            format!("[[permit]]\nplace = \"face\"\nkind = \"hot-work\"\nby = \"Wang\"\n{keys}\n\n[[gas]]");
        demo_with("[[gas]]", &permit)
    };
    let day = "from = \"2026-11-24T08:00:00+08:00\"\nuntil = \"2026-11-24T12:00:00+08:00\"";
    let plan = plan_of(&site(&format!("{day}\nset_points = {{ unit = \"%vol\", alarm = 0.5 }}")));
    let planned = &plan.permits[0];
    assert_eq!((planned.permit.minutes, planned.permit.key()), (240, "face:hot-work".to_owned()));
    assert_eq!(planned.from.to_string(), "2026-11-24T00:00:00.000Z");
    let night = "from = \"2026-11-24T08:00:00Z\"\nuntil = \"2026-11-24T16:00:01Z\"";
    let turned = "from = \"2026-11-24T08:00:00Z\"\nuntil = \"2026-11-24T08:00:00Z\"";
    for (keys, code) in [
        (format!("{day}\nset_points = {{ unit = \"%vol\", alarm = 1.1 }}"), "no-permit"),
        (format!("{day}\nset_points = {{ unit = \"%LEL\", alarm = 0.5 }}"), "unit-mismatch"),
        (format!("{day}\npercent = 50\nset_points = {{ unit = \"%vol\" }}"), "half-permit"),
        (day.to_owned(), "half-permit"),
        (format!("{night}\npercent = 50"), "no-permit"),
        (format!("{turned}\npercent = 50"), "ends-before"),
        ("from = \"2026-11-24\"\nuntil = \"noon\"\npercent = 50".to_owned(), "no-time"),
    ] {
        let found = codes(&faults_of(&site(&keys)), Severity::Error);
        assert!(found.iter().all(|found| *found == code), "{keys}: {found:?}");
    }
    let nowhere = demo_with(
        "[[gas]]",
        &format!(
            "[[permit]]\nplace = \"fce\"\nkind = \"hot-work\"\nby = \"Wang\"\n{day}\npercent = 50\n\n[[gas]]"
        ),
    );
    assert_eq!(codes(&faults_of(&nowhere), Severity::Error), ["no-permit"]);
}

#[test]
fn an_areas_risk_is_its_own_else_its_kinds_else_low() {
    let risk = |plan: &Plan, area: &str| {
        plan.areas.values().find(|a| a.tag.as_str() == area).map(|a| a.risk).unwrap()
    };
    assert_eq!(risk(&plan_of(&demo()), "face"), Colour::Blue);
    let own = demo_with("kind = \"cn-coal-face\"", "kind = \"cn-coal-face\"\nrisk = \"red\"");
    assert_eq!(risk(&plan_of(&own), "face"), Colour::Red);
    let wrong = demo_with("kind = \"cn-coal-face\"", "kind = \"cn-coal-face\"\nrisk = \"green\"");
    assert_eq!(codes(&faults_of(&wrong), Severity::Error).len(), 1);
    let kind =
        "id = \"own\"\nname = \"own\"\n\n[[kind]]\nid = \"silo\"\nname = \"silo\"\nrisk = \"orange\"\n";
    let standard = Source { name: "own.toml".to_owned(), text: kind.to_owned() };
    let extras = Extras { standards: vec![standard], ..Extras::default() };
    let silo = demo_with("[[bus]]", "[[area]]\nid = \"silo-1\"\nkind = \"silo\"\n\n[[bus]]");
    let plan = match compile(&silo, &extras) {
        Ok(compiled) => compiled.plan,
        Err(faults) => panic!("{}", faults.render(false)),
    };
    assert_eq!(risk(&plan, "silo-1"), Colour::Orange);
}

#[test]
fn what_a_compiler_can_not_know_is_a_warning() {
    let warned = |old: &str, new: &str, code: &str| {
        let compiled = compile(&demo_with(old, new), &Extras::default());
        let warnings = compiled.unwrap_or_else(|f| panic!("{}", f.render(false))).warnings;
        assert!(codes(&warnings, Severity::Warning).contains(&code), "{code}: {}", warnings.render(false));
    };
    warned("live = \"live\"", "", "no-feedback");
    warned("travel_s = 3", "travel_s = 0.2", "travel-below-poll");
    warned("effects = [\"face.section\", \"face.return\"]", "effects = [\"face.section\"]", "idle-element");
    warned("id = \"lpg\"\nlel_pct_vol = 2.0", "id = \"lpg\"", "no-lel");
    let again = "[[bus]]\nid = \"spare\"\nlink = \"tcp://127.0.0.1:15021\"\n\n[[bus]]\nid = \"heading\"";
    warned("[[bus]]\nid = \"heading\"", again, "same-link");
    warned("link = \"tcp://127.0.0.1:15023\"", "link = \"tcp://127.0.0.1:15023\"\ngap_ms = 200", "busy-bus");
    warned("travel_s = 3", "travel_s = 3\ncommissioned_s = 2", "coarse-stroke");
    warned("travel_s = 3", "travel_s = 3\ndead_s = 0.4", "coarse-stroke");
    warned("\"boiler-house.ch4:trip\"]", "\"heading.fan:contact-trip\"]", "idle-cut");
    let group = "[[group]]\nid = \"nobody\"\nwhen = [\"face.t0:trip\"]\n\n[[group]]";
    warned("[[group]]", group, "idle-group");
    warned("travel_s = 3", "travel_s = 3\nmode = \"observe\"", "observes");
    let slow = "poll_ms = 2000\ntimeout_ms = 1800\ngap_ms = 201";
    warned("poll_ms = 500\ntimeout_ms = 300", slow, "slow-line");
    warned("poll_ms = 500\ntimeout_ms = 300", "poll_ms = 2001\ntimeout_ms = 300", "slow-cause");
    warned(
        "[[destination]]\nid = \"control-room\"\nbroker = \"mqtt://127.0.0.1:1883\"\nprefix = \"davy\"",
        "",
        "no-destination",
    );
    let idle = "[[area]]\nid = \"store\"\nkind = \"cn-lpg-bottle-room\"\n[[area]]\nid = \"face\"";
    warned("[[area]]\nid = \"face\"", idle, "missing-duty");
    let unread = "[[device]]\nid = \"spare\"\nbus = \"face\"\nunit = 99\nprofile = \"gas-2reg\"\narea = \"face\"\n\n[[device]]\nid = \"face-t0\"";
    warned("[[device]]\nid = \"face-t0\"", unread, "unread-device");
}

#[test]
fn cells_between_value_and_status_that_the_profile_does_not_offer_are_remarked_on() {
    let apart = |max_gap: u16, address: u16| {
        let text = format!(
            "id = \"own\"\nmax_gap = {max_gap}\n[[signal]]\nid = \"value\"\nspace = \"input\"\naddress = 0\n\
            encoding = \"u16\"\nunit = \"%vol\"\nstatus = \"health\"\n[[status]]\nid = \"health\"\n\
            space = \"input\"\naddress = {address}\nencoding = \"u16\"\ncodes = [{{ code = 0, quality = \"good\" }}]\n"
        );
        let extras =
            Extras { profiles: vec![Source { name: "own.toml".to_owned(), text }], standards: vec![] };
        let warnings = compile(&demo(), &extras).unwrap_or_else(|f| panic!("{}", f.render(false))).warnings;
        codes(&warnings, Severity::Warning).contains(&"gap-read")
    };
    assert!(apart(0, 4) && apart(2, 4) && !apart(3, 4) && !apart(0, 1) && !apart(0, 0));
}

// --- What broken files are answered --------------------------------------------------------------------------------------

/// `#! code line: words`, as written at the top of a broken file.
fn expected(text: &str) -> Vec<(String, usize, String)> {
    let marks = text.lines().filter_map(|l| l.strip_prefix("#! "));
    let parse = |mark: &str| {
        let (head, words) = mark.split_once(": ").unwrap();
        let (code, line) = head.split_once(' ').unwrap();
        (code.to_owned(), line.parse().unwrap(), words.to_owned())
    };
    marks.map(parse).collect()
}

fn check_answers(path: &str, faults: &Faults) {
    let expected = expected(&read(path).text);
    assert!(!expected.is_empty(), "{path} does not say what it is answered");
    let errors: Vec<&Fault> = faults.iter().filter(|f| f.severity == Severity::Error).collect();
    let found: Vec<_> = errors.iter().map(|f| (f.code.to_owned(), f.place.line_column().0)).collect();
    let wanted: Vec<_> = expected.iter().map(|(code, line, _)| (code.clone(), *line)).collect();
    assert_eq!(found, wanted, "{path}\n{}", faults.render(false));
    for (fault, (_, line, words)) in errors.iter().zip(&expected) {
        assert!(fault.help.contains(words.as_str()), "{path}: {} does not say {words}", fault.help);
        assert_eq!(fault.place.source.name, path);
        let shown = faults.render(false);
        assert!(shown.contains(&format!("{path}:{line}:")), "{path}\n{shown}");
        assert!(shown.contains(&format!("error[{}]", fault.code)));
    }
    assert_eq!(faults.to_json()["errors"], errors.len());
}

#[test]
fn broken_site_files_are_answered_with_code_line_and_remedy_and_nothing_else() {
    let files = files("tests/broken");
    assert!(files.len() >= 40, "{}", files.len());
    for path in files {
        check_answers(&path, &faults_of(&read(&path)));
    }
}

#[test]
fn broken_profiles_are_answered_in_their_own_file() {
    let files = files("tests/broken/profiles");
    assert!(files.len() >= 8, "{}", files.len());
    for path in files {
        let extras = Extras { profiles: vec![read(&path)], standards: vec![] };
        check_answers(&path, &compile(&demo(), &extras).expect_err("a broken profile compiles"));
    }
}

#[test]
fn an_answer_underlines_the_words_and_points_to_the_other_place() {
    let shown = faults_of(&read("tests/broken/same-unit.toml")).render(false);
    for part in ["first used here", "taken", "^", "-", "= help: "] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'));
    assert!(faults_of(&read("tests/broken/same-unit.toml")).render(true).contains('\u{1b}'));
}

#[test]
fn bytes_that_are_no_text_and_files_that_are_too_large_are_told_before_anything_else() {
    let faults = Source::from_bytes("gbk.toml", b"[site]\nname = \"\xb1\xb1\"\n").unwrap_err();
    let fault = faults.iter().next().unwrap();
    assert_eq!((fault.code, fault.place.line_column()), ("not-utf8", (2, 9)));
    assert!(faults.render(false).contains("UTF-8"), "{}", faults.render(false));

    let large = vec![b' '; Source::MAX_BYTES + 1];
    let faults = Source::from_bytes("large.toml", &large).unwrap_err();
    assert_eq!(codes(&faults, Severity::Error), ["too-large"]);
    let handed = Source { name: "large.toml".to_owned(), text: String::from_utf8(large).unwrap() };
    assert_eq!(codes(&faults_of(&handed), Severity::Error), ["too-large"]);
}

#[test]
fn a_flood_of_faults_is_counted_and_cut() {
    let text = demo().text + &"\n[[bus]]\nidd = 5".repeat(5_000);
    let faults = faults_of(&Source { name: "flood.toml".to_owned(), text });
    assert!(faults.errors() >= 10_000);
    assert!(faults.iter().count() <= 1_000);
    assert!(faults.render(false).contains(" more\n"), "{}", faults.summary());
    assert_eq!(faults.to_json()["faults"].as_array().unwrap().len(), 100);
}

#[test]
fn a_value_of_megabytes_on_one_line_is_answered_without_printing_it() {
    let text = demo().text.replace("\"north-mine-gw1\"", &format!("\"{}\"", "x".repeat(3_000_000)));
    let shown = faults_of(&Source { name: "long.toml".to_owned(), text }).render(false);
    assert!(shown.contains("bad-id") && shown.len() < 10_000, "{}", shown.len());
}

#[test]
fn a_unit_is_never_mixed_up_with_another() {
    let plan = plan_of(&demo());
    let unit = |tag: &str| plan.points.values().find(|p| p.tag.as_str() == tag).unwrap().unit;
    assert_eq!(unit("face.t0"), Unit::PctVol);
    assert_eq!(unit("bottle-room.lpg-1"), Unit::PctLel);
    assert_eq!(unit("boiler-house.co"), Unit::Ppm);
    assert_eq!(unit("heading.duct"), Unit::MetrePerSecond);
    assert_eq!(unit("heading.fan"), Unit::State);
}

// --- Whatever is thrown at it --------------------------------------------------------------------------------------------

/// Something that a hand slips to.
fn slip() -> impl Strategy<Value = (usize, usize, String)> {
    let words = prop_oneof![
        Just(String::new()),
        Just("\n".to_owned()),
        Just("[[point]]\n".to_owned()),
        Just("[x".to_owned()),
        Just("\"".to_owned()),
        Just(" = nan\n".to_owned()),
        Just("-99999999999999999999".to_owned()),
        Just("甲\u{0}\u{202e}".to_owned()),
        Just("{ zh = 1".to_owned()),
        Just("id = \"face\"\n".to_owned()),
        "\\PC{0,8}",
        any::<u32>().prop_map(|n| n.to_string()),
    ];
    (any::<prop::sample::Index>(), 0..40_usize, words)
        .prop_map(|(at, cut, word)| (at.index(1 << 20), cut, word))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn no_text_makes_the_compiler_panic_or_stay_silent(slips in prop::collection::vec(slip(), 1..6)) {
        let mut text = demo().text;
        for (at, cut, word) in slips {
            let from = text.floor_char_boundary(at % text.len().max(1));
            let to = text.ceil_char_boundary((from + cut).min(text.len()));
            text.replace_range(from..to, &word);
        }
        let site = Source { name: "mutated.toml".to_owned(), text };
        prop_assert!(own_folders(&site.text).profiles.is_none() || site.text.contains("profiles"));
        if let Err(faults) = compile(&site, &Extras::default()) {
            prop_assert!(faults.errors() > 0);
            prop_assert!(faults.render(true).len() > faults.render(false).len());
            prop_assert!(faults.to_json()["faults"].as_array().is_some_and(|f| !f.is_empty()));
        }
    }

    #[test]
    fn any_text_as_a_profile_or_standard_is_answered(text in "\\PC{0,200}") {
        let source = Source { name: "own.toml".to_owned(), text };
        let extras = Extras { profiles: vec![source.clone()], standards: vec![source] };
        prop_assert!(compile(&demo(), &extras).is_err());
    }
}

#[test]
fn a_proof_test_needs_a_contact_that_tells_and_an_interval() {
    let with = |keys: &str| {
        demo_with("open = \"open\"\ntravel_s = 3", &format!("open = \"open\"\ntravel_s = 3\n{keys}"))
    };
    let plan = plan_of(&with("proof_test_days = 365\nproof_tested = \"2026-01-31\""));
    let proof = plan.elements.values().find_map(|e| e.supervision.proof).unwrap();
    assert_eq!(plan.alarms[proof.alarm].key, "bottle-room.valve:proof-test-due");
    assert_eq!(
        (proof.every, proof.last.unwrap().day()),
        (Span::from_secs(365 * 86_400), "2026-01-31".to_owned())
    );
    let blind = demo_with(
        "closed = \"closed\"\nopen = \"open\"\ntravel_s = 3",
        "travel_s = 3\nproof_test_days = 365",
    );
    for (site, code) in [
        (with("proof_tested = \"2026-01-31\""), "half-proof"),
        (with("proof_test_days = 365\nproof_tested = \"January\""), "no-date"),
        (blind, "proof-without-feedback"),
    ] {
        assert_eq!(codes(&faults_of(&site), Severity::Error), [code]);
    }
}

#[test]
fn a_destination_is_told_everything_unless_it_is_for_escalations() {
    let with = |key: &str| {
        let destination =
            format!("[[destination]]\nid = \"duty\"\nbroker = \"mqtt://127.0.0.1\"\n{key}\n[[gas]]");
        let plan = plan_of(&demo_with("[[gas]]", &destination));
        plan.destinations.values().find(|d| d.tag.as_str() == "duty").unwrap().escalated_only
    };
    assert!(!with(""));
    assert!(with("escalated_only = true"));
}
