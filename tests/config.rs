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

use davy::config::{Extras, Fault, Faults, Severity, Source, compile, json_schema, own_folders};
use davy::model::alarm::{Colour, Condition, Level};
use davy::model::element::{ElementKind, Mode};
use davy::model::grade::Grading;
use davy::model::plan::{Limit, Plan, Subject};
use davy::model::point::Unit;
use davy::model::register::Space;
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

// --- What is built in ------------------------------------------------------------------------------------------------

#[test]
fn the_demo_compiles_and_only_its_unconfirmed_numbers_are_remarked_on() {
    let compiled = compile(&demo(), &Extras::default()).unwrap();
    let warnings = codes(&compiled.warnings, Severity::Warning);
    assert!(warnings.iter().all(|code| *code == "unconfirmed"), "{}", compiled.warnings.render(false));
    assert!(!warnings.is_empty());
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
        match alarm.subject {
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
                assert_eq!((plan.elements[e].tag.as_str(), plan.elements[e].not_confirmed), (tag, id))
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
        assert!(holds(point.field.at, point.field.encoding.cells()), "{}", point.tag);
        if let Some(status) = &point.field.status {
            assert!(holds(status.at, status.encoding.cells()), "{}", point.tag);
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
fn a_siren_is_switched_on_and_its_contact_tells_so() {
    let siren = "[[siren]]\nid = \"siren\"\ndevice = \"heading-switch\"\noutput = \"cut\"\non = \"!live\"\n\n[[load]]";
    let text = demo().text.replacen("[[load]]", siren, 1);
    let text = text.replace("effects = [\"heading.supply\"]", "effects = [\"siren\"]");
    let (start, end) =
        (text.find("[[load]]\nid = \"heading.supply\"").unwrap(), text.find("# --- Cause and").unwrap());
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
    let text = text
        .replace("place = \"T0\"\n", "")
        .replace("place = \"T1\"\noff", "off")
        .replace("place = \"T2\"\n", "");
    let text =
        text.replace("name = { zh = \"掘进面甲烷T1\", en = \"methane T1, heading\" }", "place = \"T1\"");
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
    warned("link = \"tcp://127.0.0.1:15022\"", "link = \"tcp://127.0.0.1:15021\"", "same-link");
    warned("link = \"tcp://127.0.0.1:15023\"", "link = \"tcp://127.0.0.1:15023\"\ngap_ms = 200", "busy-bus");
    warned("travel_s = 3", "travel_s = 3\nmode = \"observe\"", "observes");
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
