//! The profiles in `config/profiles`: every one has register images of all that its device can say, and whatever else a
//! line may bring is never taken for a good reading. What profiles ask Davy to look at of itself is looked at.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::arithmetic_side_effects,
    reason = "a test stops where it is wrong"
)]

use davy::config::{Extras, Severity, Source, compile};
use davy::field::codec::{Cells, decode, encode, encode_amiss, encode_beside, pack};
use davy::model::alarm::Condition;
use davy::model::plan::Plan;
use davy::model::point::{Doubt, Fault, Quality, Reading, Unit};
use davy::model::record::{Body, Record, Standing};
use davy::model::register::{Encoding, Location, ReadBlock, Scan, Space, StatusField, StatusMeaning};
use davy::model::sign::{Sign, Tells};
use davy::model::table::DeviceId;
use davy::model::time::{Mono, Now, Span, Wall};
use davy::safety::{Effects, Input, Site};
use davy::simulator::mischief::Reply;
use davy::simulator::plant::Plant;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use toml::Value;

const FOLDER: &str = "config/profiles";

/// What the demo is made of, and what load tests are.
const DEMO: [&str; 8] = [
    "co-sensor",
    "fan-duct",
    "feed-breaker",
    "gas-2reg",
    "gas-float",
    "lel-2reg",
    "ten-registers",
    "valve-2limit",
];

struct File {
    name: String,
    text: String,
    toml: Value,
}

fn files() -> Vec<File> {
    let paths = std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<File> = paths
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let toml = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            File { name: path.file_stem().unwrap().to_str().unwrap().to_owned(), text, toml }
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

fn tables<'a>(of: &'a Value, key: &str) -> Vec<&'a Value> {
    of.get(key).and_then(Value::as_array).map(|list| list.iter().collect()).unwrap_or_default()
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn int(of: &Value, key: &str) -> Option<i64> {
    of.get(key).and_then(Value::as_integer)
}

// --- Images ----------------------------------------------------------------------------------------------------------

/// A read of a signal, with the image that it is of, and how many cells its channel lies further on.
struct Read<'a> {
    image: &'a Value,
    read: &'a Value,
    shift: i64,
}

impl Read<'_> {
    /// The word at the place that `row` names.
    fn word(&self, row: &Value) -> Option<i64> {
        let wanted = int(row, "address").unwrap() + self.shift;
        tables(self.image, "cells").iter().find_map(|part| {
            let n = usize::try_from(wanted - int(part, "address").unwrap()).ok()?;
            let words = part.get("words").and_then(Value::as_array).unwrap();
            (text(part, "space") == text(row, "space")).then(|| words.get(n)?.as_integer()).flatten()
        })
    }

    /// The number at the place that `row` names, its bits taken out.
    fn number(&self, row: &Value) -> Option<i64> {
        let word = self.word(row)?;
        match row.get("bits").and_then(Value::as_array).filter(|_| text(row, "encoding") == "bits") {
            Some(bits) => {
                let (lo, hi) = (bits[0].as_integer().unwrap(), bits[1].as_integer().unwrap());
                Some((word >> lo) & ((1 << (hi - lo + 1)) - 1))
            }
            None => Some(word),
        }
    }

    fn quality(&self) -> &str {
        self.read.get("quality").and_then(Value::as_str).unwrap_or("good")
    }

    fn value(&self) -> Option<f64> {
        let value = self.read.get("value")?;
        value.as_float().or_else(|| value.as_integer().map(|n| i32::try_from(n).unwrap().into()))
    }
}

/// Every read of `signal`, of whichever of its channels.
fn reads<'a>(profile: &'a Value, signal: &Value) -> Vec<Read<'a>> {
    let step = signal.get("repeat").and_then(|r| int(r, "step"));
    let mut found = Vec::new();
    for image in tables(profile, "image") {
        for read in tables(image, "reads") {
            let (named, id) = (text(read, "signal"), text(signal, "id"));
            let shift = match step {
                None => (named == id).then_some(0),
                Some(step) => {
                    let number = named.strip_prefix(id).and_then(|rest| rest.strip_prefix('-'));
                    number.and_then(|n| n.parse::<i64>().ok()).map(|n| (n - 1) * step)
                }
            };
            found.extend(shift.map(|shift| Read { image, read, shift }));
        }
    }
    found
}

fn statuses<'a>(profile: &'a Value, signal: &Value) -> Vec<&'a Value> {
    let named: Vec<&str> = match signal.get("status") {
        None => vec![],
        Some(Value::String(one)) => vec![one],
        Some(list) => list.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect(),
    };
    tables(profile, "status").into_iter().filter(|s| named.contains(&text(s, "id"))).collect()
}

/// What the images of `profile` leave out.
fn uncovered(profile: &Value) -> Vec<String> {
    let mut lacking = Vec::new();
    for signal in tables(profile, "signal") {
        let reads = reads(profile, signal);
        let mut need = |what: String, covers: &dyn Fn(&Read<'_>) -> bool| {
            if !reads.iter().any(covers) {
                lacking.push(format!("{}: {what}", text(signal, "id")));
            }
        };
        let is = |wanted: &'static str| move |r: &Read<'_>| r.quality() == wanted;
        let positions: &[f64] = if text(signal, "unit") == "state" { &[0.0, 1.0] } else { &[] };
        need("a good reading".to_owned(), &|r| r.quality() == "good" && r.value().is_some());
        for position in positions {
            need(format!("position {position}"), &|r| r.value() == Some(*position));
        }
        for sentinel in tables(signal, "sentinels") {
            let raw = int(sentinel, "raw").unwrap();
            let quality = text(sentinel, "quality");
            need(format!("the raw value {raw}"), &|r| {
                r.word(signal) == Some(raw & 0xFFFF) && r.quality() == quality && r.value().is_none()
            });
        }
        if let Some(range) = signal.get("range").and_then(Value::as_array) {
            let top = range[1].as_float().unwrap();
            need(format!("a value above {top}"), &|r| {
                r.quality() == "over-range" && r.value().is_some_and(|value| value > top)
            });
        }
        for status in statuses(profile, signal) {
            let id = text(status, "id");
            let codes: BTreeSet<i64> =
                tables(status, "codes").iter().map(|c| int(c, "code").unwrap()).collect();
            for code in &codes {
                need(format!("code {code} of {id}"), &|r| r.number(status) == Some(*code));
            }
            for flag in tables(status, "flags") {
                let (bit, when) = (int(flag, "bit").unwrap(), int(flag, "when").unwrap_or(1));
                need(format!("flag {bit} of {id}"), &|r| {
                    r.number(status).is_some_and(|word| (word >> bit) & 1 == when)
                });
            }
            if !codes.is_empty() || text(status, "unnamed") == "bad" {
                need(format!("what {id} does not know"), &|r| {
                    r.quality() == "unknown-status"
                        && (codes.is_empty() || r.number(status).is_some_and(|n| !codes.contains(&n)))
                });
            }
        }
        if let Some(units) = signal.get("units") {
            need("another unit".to_owned(), &is("wrong-unit"));
            for code in tables(units, "codes") {
                let code = int(code, "code").unwrap();
                need(format!("unit {code}"), &|r| r.number(units) == Some(code));
            }
        }
        if let Some(decimals) = signal.get("decimals") {
            let shown: BTreeSet<_> =
                reads.iter().filter(|r| r.quality() == "good").filter_map(|r| r.word(decimals)).collect();
            need("several numbers of decimals".to_owned(), &|_| shown.len() > 1);
            need("more decimals than anybody has".to_owned(), &is("implausible"));
        } else if text(signal, "unit") == "mA" {
            for quality in ["wire-broken", "sensor-fault", "over-range"] {
                need(format!("a current that is {quality}"), &is(quality));
            }
        }
    }
    lacking
}

#[test]
fn every_profile_has_images_of_all_that_its_device_can_say() {
    let files = files();
    assert!(files.len() >= 22, "{}", files.len());
    for file in files {
        assert!(!tables(&file.toml, "image").is_empty(), "{}", file.name);
        let lacking = uncovered(&file.toml);
        assert!(lacking.is_empty(), "{} has no image of\n{}", file.name, lacking.join("\n"));
    }
}

#[test]
fn an_image_that_is_left_out_is_missed() {
    for file in files() {
        let images = file.toml["image"].as_array().unwrap().len();
        let missed = (0..images).filter(|n| {
            let mut less = file.toml.clone();
            less["image"].as_array_mut().unwrap().remove(*n);
            !uncovered(&less).is_empty()
        });
        assert!(missed.count() > 0, "{}", file.name);
    }
}

#[test]
fn every_profile_says_where_it_is_from_and_teaches() {
    for File { name, text: source, toml } in files() {
        assert_eq!(text(&toml, "id"), name, "the file is named after its profile");
        let comments = source.lines().take_while(|l| l.starts_with('#')).count();
        assert!(comments >= 1, "{name} begins with what the device is");
        // Those of the demo stand for no device that is sold.
        let is_example = DEMO.contains(&name.as_str());
        assert!(is_example || (toml.get("source").is_some() && toml.get("confirmed").is_some()), "{name}");
    }
}

/// The errors that a profile of a site's own gets.
fn errors_of(text: String) -> Vec<(&'static str, String)> {
    let demo = Source { name: "demo".to_owned(), text: include_str!("../config/demo.toml").to_owned() };
    let profiles = vec![Source { name: "own.toml".to_owned(), text }];
    match compile(&demo, &Extras { profiles, standards: vec![] }) {
        Ok(_) => Vec::new(),
        Err(faults) => {
            let errors = faults.iter().filter(|f| f.severity == Severity::Error);
            errors.map(|f| (f.code, f.message.clone())).collect()
        }
    }
}

#[test]
fn a_profile_that_reads_its_images_otherwise_is_not_believed() {
    let text = std::fs::read_to_string(format!("{FOLDER}/gas-2reg.toml")).unwrap();
    let own = text.replace("id = \"gas-2reg\"", "id = \"own\"");
    assert_eq!(errors_of(own.clone()), []);
    for (as_it_was, changed) in [
        ("scale = 0.01", "scale = 0.1"),
        ("encoding = \"u16\"\nscale", "encoding = \"i16\"\nscale"),
        ("{ code = 3, quality = \"sensor-fault\" }", "{ code = 3, quality = \"good\" }"),
        ("{ code = 7, quality = \"calibrating\" }", "{ code = 99, quality = \"good\" }"),
        ("range = [0.0, 4.0]", "range = [0.0, 40.0]"),
    ] {
        assert!(own.contains(as_it_was), "{as_it_was}");
        let errors = errors_of(own.replacen(as_it_was, changed, 1));
        assert!(!errors.is_empty(), "{changed}");
        assert!(errors.iter().any(|(code, _)| ["image-differs", "never-read"].contains(code)), "{errors:?}");
    }
}

// --- Whatever a line may bring ------------------------------------------------------------------------------------------

/// A site with one device of `profile` and a point for each of its signals.
fn site(profile: &str, more: &str, signals: &[(String, Unit)]) -> String {
    let mut text = format!(
        "[gateway]\nid = \"gw\"\noutputs = \"act\"\n[site]\nname = \"x\"\n[[gas]]\nid = \"methane\"\nlel_pct_vol = 5.0\n\
         [[area]]\nid = \"a\"\nkind = \"cn-gas-user\"\n[[bus]]\nid = \"b\"\nlink = \"tcp://127.0.0.1\"\n\
         [[device]]\nid = \"d\"\nbus = \"b\"\narea = \"a\"\nunit = 1\nprofile = \"{profile}\"\npoll_ms = 1000\n"
    );
    for (signal, unit) in signals {
        text += &format!("[[point]]\nid = \"p.{signal}\"\ndevice = \"d\"\nsignal = \"{signal}\"\n");
        if matches!(unit, Unit::PctVol | Unit::PctLel | Unit::Ppm) {
            let (alarm, trip) = if *unit == Unit::PctLel { (20.0, 40.0) } else { (1.0, 1.5) };
            text += &format!(
                "gas = \"methane\"\nset_points = {{ unit = \"{unit}\", alarm = {alarm}, trip = {trip} }}\n\
                 approved = {{ by = \"test\", reason = \"test\" }}\n"
            );
        }
    }
    text + more
}

fn compiled(text: &str) -> (Plan, Vec<(&'static str, String)>) {
    match compile(&Source { name: "x".to_owned(), text: text.to_owned() }, &Extras::default()) {
        Ok(site) => {
            let warnings = site.warnings.iter().map(|f| (f.code, f.message.clone())).collect();
            (site.plan, warnings)
        }
        Err(faults) => panic!("{}\n{text}", faults.render(false)),
    }
}

fn signals_of(profile: &Value) -> Vec<(String, Unit)> {
    let mut found = Vec::new();
    for signal in tables(profile, "signal") {
        let (id, unit) = (text(signal, "id"), Unit::parse(text(signal, "unit")).unwrap());
        match signal.get("repeat").and_then(|r| int(r, "count")) {
            None => found.push((id.to_owned(), unit)),
            Some(count) => found.extend((1..=count).map(|n| (format!("{id}-{n}"), unit))),
        }
    }
    found
}

static PLANS: LazyLock<Vec<(String, Plan)>> = LazyLock::new(|| {
    let plan = |file: File| (compiled(&site(&file.name, "", &signals_of(&file.toml))).0, file.name);
    files().into_iter().map(plan).map(|(plan, name)| (name, plan)).collect()
});

/// Whether a status says that all is well: worked out here again, by the words alone.
fn is_well(status: &StatusField, block: ReadBlock, words: &[u16]) -> bool {
    let word = words[usize::from(status.at.address - block.at.address)];
    let field = match status.encoding {
        Encoding::Bits { shift, mask } => (word >> shift) & mask,
        Encoding::U16
        | Encoding::I16
        | Encoding::U32(_)
        | Encoding::I32(_)
        | Encoding::F32(_)
        | Encoding::Bit
        | Encoding::Packed => word,
    };
    match &status.meaning {
        StatusMeaning::Codes(codes) => codes.contains(&(field, Quality::Good)),
        StatusMeaning::Bits { flags, zero } => {
            let speaks = |bit: u8, when: bool| ((field >> bit) & 1 == 1) == when;
            field & zero == 0 && flags.iter().all(|f| f.quality == Quality::Good || !speaks(f.bit, f.when))
        }
    }
}

/// Words as devices send them: small numbers mostly, single bits, and anything at all.
fn word() -> impl Strategy<Value = u16> {
    prop_oneof![3 => 0..12_u16, 1 => (0..16_u32).prop_map(|bit| 1 << bit), 2 => any::<u16>()]
}

proptest! {
    #[test]
    fn no_words_ever_panic_and_none_is_good_that_its_device_does_not_call_good(
        words in prop::collection::vec(word(), 125),
    ) {
        for (name, plan) in PLANS.iter() {
            for (id, device) in plan.devices.iter() {
                for (n, block) in device.blocks.iter().enumerate() {
                    let words = &words[..usize::from(block.count)];
                    let cells = match block.at.space.is_bits() {
                        true => Cells::Bits(words.iter().map(|w| w & 1 == 1).collect()),
                        false => Cells::Words(words.to_vec()),
                    };
                    for (point, Reading { value, quality, .. }) in
                        decode(device, n, &cells, plan.points_of(id), Mono::START)
                    {
                        let point = &plan.points[point];
                        prop_assert!(value.is_none_or(f64::is_finite), "{name} {}: {value:?}", point.tag);
                        if quality != Quality::Good {
                            continue;
                        }
                        prop_assert!(value.is_some(), "{name} {}", point.tag);
                        for status in point.field.statuses.iter() {
                            prop_assert!(is_well(status, *block, words), "{name} {}: {words:?}", point.tag);
                        }
                        if let (Some((lo, hi)), Some(value)) = (point.field.range, value) {
                            prop_assert!(value <= hi + 1e-6 * (hi - lo), "{name} {}: {value}", point.tag);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn an_answer_that_was_cut_short_gives_no_good_reading_of_what_it_lacks() {
    for (name, plan) in PLANS.iter() {
        for (id, device) in plan.devices.iter() {
            for (n, block) in device.blocks.iter().enumerate().filter(|(_, b)| !b.at.space.is_bits()) {
                let cells = Cells::Words(vec![0; usize::from(block.count) - 1]);
                let end = block.at.address + block.count - 1;
                for (point, reading) in decode(device, n, &cells, plan.points_of(id), Mono::START) {
                    let needs_it = |(at, encoding): (Location, Encoding)| at.address + encoding.cells() > end;
                    let cut = plan.points[point].field.places().any(needs_it);
                    assert!(!cut || reading.quality != Quality::Good, "{name} {}", plan.points[point].tag);
                }
            }
        }
    }
}

/// What a pretended device puts into its registers reads as what it pretends: the plant and the agent are two readers of
/// one profile.
#[test]
fn what_a_pretended_device_holds_reads_as_what_it_pretends() {
    let mut said = BTreeSet::new();
    for (name, plan) in PLANS.iter() {
        for (id, point) in plan.points.iter() {
            let (device, field) = (&plan.devices[point.device], &point.field);
            let block = device.blocks[point.block];
            let middle = field.range.map_or(12.0, |(lo, hi)| (lo + (hi - lo) / 4.0).round());
            let value = if point.unit == Unit::State { 1.0 } else { middle };
            for quality in Quality::ALL {
                let beside = encode_beside(field, point.unit, quality);
                let raw = match (&beside, encode_amiss(field, quality)) {
                    (Some(_), _) => encode(field, value),
                    (None, Some(raw)) => raw,
                    (None, None) => continue,
                };
                let well = || encode_beside(field, point.unit, Quality::Good).unwrap();
                let mut words = vec![0; usize::from(block.count)];
                let mut store = |at: Location, encoding: Encoding, raw| {
                    let first = usize::from(at.address - block.at.address);
                    let packed = pack(encoding, raw, words[first]);
                    words[first..first + packed.len()].copy_from_slice(&packed);
                };
                for (at, encoding, raw) in beside.unwrap_or_else(well) {
                    store(at, encoding, raw);
                }
                // A contact within its own status word is part of what that says.
                if point.unit != Unit::State || field.statuses.is_empty() {
                    store(field.at, field.encoding, raw);
                }
                let cells = match block.at.space.is_bits() {
                    true => Cells::Bits(words.iter().map(|w| *w != 0).collect()),
                    false => Cells::Words(words),
                };
                let readings = decode(device, point.block, &cells, plan.points_of(point.device), Mono::START);
                let read = readings.iter().find(|(of, _)| *of == id).unwrap().1;
                assert_eq!(read.quality, quality, "{name} {}", point.tag);
                if quality == Quality::Good && point.unit != Unit::State {
                    assert!((read.value.unwrap() - value).abs() < 0.01, "{name} {}: {read:?}", point.tag);
                }
                said.insert(quality);
            }
        }
    }
    assert!(said.len() >= 9, "{said:?}");
}

// --- What Davy looks at of itself -----------------------------------------------------------------------------------------

fn point<'p>(plan: &'p Plan, tag: &str) -> &'p davy::model::plan::Point {
    plan.points.values().find(|p| p.tag.as_str() == tag).unwrap_or_else(|| panic!("no point {tag}"))
}

fn expected(plan: &Plan, tag: &str) -> Option<f64> {
    let mut alarms = point(plan, tag).alarms.iter().map(|id| &plan.alarms[*id]);
    alarms.find(|a| a.condition == Condition::Differs).and_then(|a| a.limit).map(|limit| limit.set)
}

fn value_only(unit: Unit) -> Vec<(String, Unit)> {
    vec![("value".to_owned(), unit)]
}

#[test]
fn set_points_of_a_device_are_held_against_those_of_its_point() {
    let (plan, _) = compiled(&site("ch4-catalytic", "", &value_only(Unit::PctVol)));
    assert_eq!(expected(&plan, "d.alarm-set"), Some(1.0));
    assert_eq!(expected(&plan, "d.trip-set"), Some(1.5));
    assert_eq!(point(&plan, "d.alarm-set").field.scan, Scan::Slow);
    assert_eq!(point(&plan, "d.alarm-set").decimals, 2);
    let slow = plan.devices.values().next().unwrap().blocks.iter().filter(|b| b.scan == Scan::Slow);
    assert!(slow.count() >= 1);

    let own = "[[point]]\nid = \"mine\"\ndevice = \"d\"\nsignal = \"alarm-set\"\nexpect = 0.8\ngas = \"methane\"\n\
               set_points = { unit = \"%vol\", alarm = 1.0, trip = 1.5 }\napproved = { by = \"t\", reason = \"t\" }\n";
    let (plan, _) = compiled(&site("ch4-catalytic", own, &value_only(Unit::PctVol)));
    assert_eq!(expected(&plan, "mine"), Some(0.8), "what the site says goes");
    assert!(plan.points.values().all(|p| p.tag.as_str() != "d.alarm-set"), "and it is read once");
}

#[test]
fn identity_states_and_troubles_are_looked_at_whether_or_not_a_site_names_them() {
    let (plan, _) = compiled(&site("ch4-catalytic", "", &value_only(Unit::PctVol)));
    let watched = |tag: &str| {
        let id = plan.points.find(|p| p.tag.as_str() == tag).unwrap();
        plan.watched.points.get(&id)
    };
    assert!(watched("d.serial").unwrap().lasting);
    assert_eq!(point(&plan, "d.opened").alarms.len(), 1);
    let controller = compiled(&site("gas-controller-8", "", &[("value-1".to_owned(), Unit::PctLel)])).0;
    let tells = |tag: &str| {
        let id = controller.points.find(|p| p.tag.as_str() == tag).unwrap();
        controller.watched.points[&id].tells
    };
    assert_eq!((tells("d.muted"), tells("d.mains-off")), (Some(Tells::Mute), Some(Tells::PowerOff)));
    let nothing =
        compile(&Source { name: "x".to_owned(), text: site("ch4-catalytic", "", &[]) }, &Extras::default());
    assert!(nothing.is_err(), "a site without points is none, whatever its profiles would look at");
}

#[test]
fn a_heartbeat_is_judged_where_the_polls_can_see_it() {
    let midas = site("honeywell-midas", "", &value_only(Unit::Ppm));
    let (plan, warnings) = compiled(&midas);
    let device = plan.devices.values().next().unwrap();
    let (heart, still) = device.heartbeat.unwrap();
    assert_eq!((plan.points[heart].tag.as_str(), still), ("d.heartbeat", Span::from_secs(8)));
    assert!(warnings.iter().all(|(code, _)| *code != "heartbeat-unseen"));
    let (plan, warnings) = compiled(&midas.replace("poll_ms = 1000", "poll_ms = 2000"));
    assert_eq!(plan.devices.values().next().unwrap().heartbeat, None);
    assert!(warnings.iter().any(|(code, _)| *code == "heartbeat-unseen"), "{warnings:?}");
}

#[test]
fn a_watchdog_is_written_only_where_outputs_act() {
    let text = site("solenoid-relay", "", &[("closed".to_owned(), Unit::State)]);
    let watchdog = |text: &str| compiled(text).0.devices.values().next().unwrap().watchdog;
    assert_eq!(watchdog(&text).unwrap().every, Span::from_secs(1));
    assert_eq!(watchdog(&text.replace("outputs = \"act\"", "outputs = \"observe\"")), None);
}

#[test]
fn a_current_loop_stands_for_what_the_point_says() {
    let lel = "[[point]]\nid = \"p\"\ndevice = \"d\"\nsignal = \"loop-3\"\nunit = \"%LEL\"\nrange = [0, 100]\ngas = \"methane\"\n\
               set_points = { unit = \"%LEL\", alarm = 20, trip = 40 }\napproved = { by = \"t\", reason = \"t\" }\n";
    let (plan, _) = compiled(&site("ai-4-20ma-8", lel, &[]));
    let device = plan.devices.values().next().unwrap();
    let id = plan.devices.find(|_| true).unwrap();
    let reads = |raw: u16| decode(device, 0, &Cells::Words(vec![raw]), plan.points_of(id), Mono::START)[0].1;
    assert_eq!(reads(12_000).value, Some(50.0));
    assert_eq!(reads(1_000).quality, Quality::Bad(Fault::WireBroken));

    for (change, to, code) in [
        ("range = [0, 100]\n", "", "no-range"),
        ("unit = \"%LEL\"\nrange", "range", "no-unit"),
        ("range = [0, 100]", "range = [100, 0]", "empty-range"),
    ] {
        let text = site("ai-4-20ma-8", &lel.replacen(change, to, 1), &[]);
        let faults = compile(&Source { name: "x".to_owned(), text }, &Extras::default()).expect_err(code);
        assert!(faults.iter().any(|f| f.code == code), "{code}: {}", faults.render(false));
    }
    let fixed = site("gas-2reg", "", &value_only(Unit::PctVol))
        .replace("signal = \"value\"", "signal = \"value\"\nunit = \"ppm\"");
    let faults = compile(&Source { name: "x".to_owned(), text: fixed }, &Extras::default()).expect_err("ppm");
    assert!(faults.iter().any(|f| f.code == "unit-fixed"), "{}", faults.render(false));
}

#[test]
fn whoever_uses_a_map_that_nobody_has_checked_is_told_once() {
    let told = |profile: &str, unit| {
        let (_, warnings) = compiled(&site(profile, "", &value_only(unit)));
        warnings.iter().filter(|(code, _)| *code == "unconfirmed-profile").count()
    };
    assert_eq!(told("honeywell-midas", Unit::Ppm), 1);
    assert_eq!(told("gas-2reg", Unit::PctVol), 0);
}

// --- What only time shows -----------------------------------------------------------------------------------------------

/// A device of a profile whose answers are given to a judge, second by second.
struct Bench {
    plan: Arc<Plan>,
    site: Site,
    second: u64,
    device: DeviceId,
    records: Vec<Record>,
}

impl Bench {
    fn new(profile: &str, unit: Unit) -> Bench {
        let plan = Arc::new(compiled(&site(profile, "", &value_only(unit))).0);
        let device = plan.devices.find(|_| true).unwrap();
        let site = Site::new(Arc::clone(&plan), &Standing::default(), now(0));
        Bench { plan, site, second: 0, device, records: Vec::new() }
    }

    /// A second later the device answers with these words to every request for them; what the judge then takes its value
    /// to be.
    fn hears(&mut self, cells: &[(Space, &[u16])]) -> Quality {
        self.second += 1;
        let at = now(self.second);
        let device = &self.plan.devices[self.device];
        for (n, block) in device.blocks.iter().enumerate() {
            let Some((_, words)) = cells.iter().find(|(space, _)| *space == block.at.space) else { continue };
            let (first, count) = (usize::from(block.at.address), usize::from(block.count));
            let Some(words) = words.get(first..first + count) else { continue };
            let readings =
                decode(device, n, &Cells::Words(words.to_vec()), self.plan.points_of(self.device), at.mono);
            let mut effects = Effects::default();
            self.site.handle(at, Input::Readings { device: self.device, readings }, &mut effects);
            self.records.append(&mut effects.records);
        }
        let mut effects = Effects::default();
        self.site.handle(at, Input::Tick, &mut effects);
        self.records.append(&mut effects.records);
        self.quality_of("p.value")
    }

    fn quality_of(&self, tag: &str) -> Quality {
        let id = self.plan.points.find(|p| p.tag.as_str() == tag).unwrap();
        self.site.view(now(self.second)).points[id].quality
    }

    /// The signs that were seen, and where.
    fn signs(&self) -> Vec<(Sign, String)> {
        let raised = self.records.iter().filter_map(|record| match &record.body {
            Body::Anomaly(found) if found.raised => Some((found.sign, found.key.clone())),
            _ => None,
        });
        raised.collect()
    }

    fn alarmed(&self, key: &str) -> bool {
        self.records.iter().any(|record| matches!(&record.body, Body::Alarm(alarm) if alarm.key == key))
    }
}

fn now(second: u64) -> Now {
    Now {
        mono: Mono::from_us(1_000_000 * second),
        wall: Wall::from_ms(1_795_491_725_000 + 1_000 * i64::try_from(second).unwrap()),
    }
}

#[test]
fn a_device_whose_heartbeat_stands_still_is_not_believed_and_is_when_it_beats_again() {
    let mut bench = Bench::new("honeywell-midas", Unit::Ppm);
    let answer = |beat: bool| [if beat { 0x0801 } else { 0x0001 }, 17, 0, 0];
    for second in 0..60 {
        assert_eq!(bench.hears(&[(Space::Holding, &answer(second % 4 < 2))]), Quality::Good, "{second}");
    }
    let still: Vec<Quality> = (0..12).map(|_| bench.hears(&[(Space::Holding, &answer(true))])).collect();
    let lost = still.iter().position(|q| *q == Quality::Bad(Fault::NoHeartbeat)).expect("it is noticed");
    assert!((7..=9).contains(&lost), "{still:?}");
    assert!(still[lost..].iter().all(|q| *q == Quality::Bad(Fault::NoHeartbeat)), "{still:?}");
    assert_eq!(bench.hears(&[(Space::Holding, &answer(false))]), Quality::Good);
}

#[test]
fn an_inhibit_that_is_not_ended_counts_as_out_of_service_after_its_time() {
    let mut bench = Bench::new("ch4-catalytic", Unit::PctVol);
    let (inhibited, well) = ([50, 4, 0, 0], [50, 0, 0, 0]);
    let mut heard = Vec::new();
    for _ in 0..1_900 {
        heard.push(bench.hears(&[(Space::Input, &inhibited)]));
    }
    let ended = heard.iter().position(|q| *q == Quality::Bad(Fault::OutOfService)).unwrap();
    assert_eq!(ended, 1_801, "borne for half an hour");
    assert!(heard[..ended].iter().all(|q| *q == Quality::Uncertain(Doubt::Inhibited)));
    assert!(heard[ended..].iter().all(|q| *q == Quality::Bad(Fault::OutOfService)));
    assert_eq!(bench.hears(&[(Space::Input, &well)]), Quality::Good);
    assert_eq!(bench.hears(&[(Space::Input, &inhibited)]), Quality::Uncertain(Doubt::Inhibited), "anew");
    assert!(bench.signs().contains(&(Sign::Inhibited, "p.value".to_owned())), "{:?}", bench.signs());
}

/// GASMAX says in a bit of another table that a channel is being calibrated: what it reads meanwhile is calibration gas.
#[test]
fn a_calibration_contact_makes_its_channel_calibrating_and_no_other() {
    let point = "[[point]]\nid = \"p.value\"\ndevice = \"d\"\nsignal = \"loop-1\"\nunit = \"%LEL\"\nrange = [0, 100]\n\
                 gas = \"methane\"\nset_points = { unit = \"%LEL\", alarm = 20, trip = 40 }\n\
                 approved = { by = \"t\", reason = \"t\" }\n";
    let plan = Arc::new(compiled(&site("gds-gasmax-2", point, &[])).0);
    let device = plan.devices.find(|_| true).unwrap();
    let site = Site::new(Arc::clone(&plan), &Standing::default(), now(0));
    let mut bench = Bench { plan, site, second: 0, device, records: Vec::new() };
    let mut input = vec![0; 1005];
    input[1000] = 600;
    let contacts = |one: u16, two: u16| {
        let mut bits = vec![0; 2011];
        (bits[2009], bits[2010]) = (one, two);
        bits
    };
    let unheard = bench.hears(&[(Space::Input, &input)]);
    assert_eq!(unheard, Quality::Bad(Fault::UnknownStatus), "nobody knows yet whether it is calibrated");
    for ((one, two), quality) in [
        ((0, 0), Quality::Good),
        ((1, 0), Quality::Uncertain(Doubt::Calibrating)),
        ((0, 1), Quality::Good),
        ((1, 1), Quality::Uncertain(Doubt::Calibrating)),
        ((0, 0), Quality::Good),
    ] {
        let heard = bench.hears(&[(Space::Discrete, &contacts(one, two)), (Space::Input, &input)]);
        assert_eq!(heard, quality, "{one} {two}");
    }
    let mut broken = input.clone();
    broken[1000] = 0;
    let heard = bench.hears(&[(Space::Discrete, &contacts(1, 0)), (Space::Input, &broken)]);
    assert_eq!(heard, Quality::Bad(Fault::WireBroken), "a calibration makes nothing better");
    for _ in 0..4_000 {
        bench.hears(&[(Space::Discrete, &contacts(0, 1)), (Space::Input, &input)]);
    }
    assert!(bench.signs().contains(&(Sign::Inhibited, "d.calibrating-2".to_owned())), "{:?}", bench.signs());
}

#[test]
fn another_device_in_its_place_and_a_changed_set_point_are_told() {
    let mut bench = Bench::new("ch4-catalytic", Unit::PctVol);
    let input = [50, 0, 0, 0];
    let with = |alarm: u16, serial: u16| [87, alarm, 150, 0, 0, serial];
    for _ in 0..600 {
        bench.hears(&[(Space::Input, &input), (Space::Holding, &with(100, 4711))]);
    }
    assert_eq!(bench.signs(), []);
    assert!(!bench.alarmed("d.alarm-set:differs"));
    for _ in 0..600 {
        bench.hears(&[(Space::Input, &input), (Space::Holding, &with(200, 4712))]);
    }
    let signs = bench.signs();
    assert!(signs.contains(&(Sign::Changed, "d.serial".to_owned())), "{signs:?}");
    assert!(bench.alarmed("d.alarm-set:differs"));
    assert!(!bench.alarmed("d.trip-set:differs"));
}

#[test]
fn a_pretended_device_of_every_profile_reads_well_all_the_time_and_as_it_should() {
    for (name, plan) in PLANS.iter() {
        let mut plant = Plant::new(plan);
        let mut beats: BTreeSet<u64> = BTreeSet::new();
        for second in 0..120 {
            let now = Mono::START + Span::from_secs(second);
            for (id, device) in plan.devices.iter() {
                for (number, block) in device.blocks.iter().enumerate() {
                    let cells = pretended(&mut plant, now, device, *block);
                    for (point, reading) in decode(device, number, &cells, plan.points_of(id), now) {
                        let row = &plan.points[point];
                        assert_eq!(reading.quality, Quality::Good, "{name}: {}", row.tag);
                        let value = reading.value.unwrap();
                        let mut alarms: Vec<_> = row.alarms.iter().map(|id| &plan.alarms[*id]).collect();
                        // A set-point that mirrors the site's is at it, whatever else the site above says of it.
                        if alarms.iter().any(|alarm| alarm.condition == Condition::Differs) {
                            alarms.retain(|alarm| alarm.condition == Condition::Differs);
                        }
                        for alarm in alarms {
                            let Some(limit) = alarm.limit else { continue };
                            let stands = match alarm.condition {
                                Condition::High(_) => value >= limit.set,
                                Condition::Low(_) => value <= limit.set,
                                Condition::Contact(_) => (value - limit.set).abs() < 0.5,
                                Condition::Differs => (value - limit.set).abs() > 0.011,
                                _ => false,
                            };
                            assert!(!stands, "{name}: {} reads {value}", alarm.key);
                        }
                        if device.heartbeat.is_some_and(|(beat, _)| beat == point) {
                            beats.insert(value.to_bits());
                        }
                    }
                }
            }
        }
        let lives = plan.devices.values().any(|d| d.heartbeat.is_some());
        assert_eq!(beats.len() > 1, lives, "{name}");
    }
}

/// What a pretended device answers, over its line.
fn pretended(plant: &mut Plant, now: Mono, device: &davy::model::plan::Device, block: ReadBlock) -> Cells {
    let function = match block.at.space {
        Space::Coil => 1,
        Space::Discrete => 2,
        Space::Holding => 3,
        Space::Input => 4,
    };
    let ([a1, a2], [n1, n2]) = (block.at.address.to_be_bytes(), block.count.to_be_bytes());
    let asked = [function, a1, a2, n1, n2];
    let Reply::Answer { pdu, .. } = plant.answer(now, device.bus, device.unit, &asked) else {
        panic!("no answer")
    };
    assert_eq!(pdu[0], function, "{pdu:?}");
    let data = &pdu[2..];
    if block.at.space.is_bits() {
        let bit = |n: u16| data[usize::from(n / 8)] >> (n % 8) & 1 == 1;
        return Cells::Bits((0..block.count).map(bit).collect());
    }
    Cells::Words(data.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect())
}
