//! Golden timelines: each file in `tests/scenarios` holds a script, a line of dashes and what must come of it. Both are
//! for a gas engineer to read and to check against the standard. `DAVY_BLESS=1` writes down what comes of the scripts
//! now; read every changed line before you keep it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a scenario that can't be read fails"
)]

mod world;

use davy::config::{self, Extras, Source};
use davy::model::command::{Order, Verb};
use davy::model::element::TestKind;
use davy::model::line::LineFault;
use davy::model::permit::{PermitKind, SetPoints, Tightening};
use davy::model::plan::Plan;
use davy::model::point::Quality;
use davy::model::record::{Standing, Who};
use davy::model::sign::Watched;
use davy::model::table::{DeviceId, ElementId, PointId};
use davy::model::time::{Mono, Now, Span, Wall};
use davy::safety::{Effects, Input, Site};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use world::kept::Journal;
use world::plant::{Line, Plant, is_polled, quality};
use world::site::SiteText;
use world::told::{self, Show};

/// The wall clock at the start: 2026-11-24, noon.
const NOON: i64 = 1_795_521_600_000;

/// The line between script and timeline.
const RULE: &str = "----";

/// One scenario, read.
struct Script {
    site: String,
    events: Vec<(Mono, String)>,
    until: Mono,
    show: Show,
}

type Wrong = String;

impl Script {
    fn read(text: &str) -> Result<Script, Wrong> {
        let (mut words, mut demo, mut changes) = (SiteText::default(), false, Vec::new());
        let (mut events, mut until, mut show) = (Vec::new(), None, Show::default());
        for line in text.lines().map(str::trim) {
            let bad = || format!("not understood: {line}");
            if line.is_empty() || line.starts_with('#') || line == "site" {
                continue;
            } else if line == "site demo" {
                demo = true;
            } else if let Some(rest) = line.strip_prefix("change ") {
                let (from, to) = rest.split_once(" => ").ok_or_else(bad)?;
                changes.push((from.to_owned(), to.to_owned()));
            } else if let Some(words) = line.strip_prefix("show ") {
                words.split_whitespace().try_for_each(|word| show.word(word)).ok_or_else(bad)?;
            } else if let Some(rest) = line.strip_prefix("at ") {
                let (at, what) = rest.split_once(' ').ok_or_else(bad)?;
                events.push((time(at).ok_or_else(bad)?, what.trim().to_owned()));
            } else if let Some(at) = line.strip_prefix("until ") {
                until = Some(time(at).ok_or_else(bad)?);
            } else {
                words.line(line).ok_or_else(bad)?;
            }
        }
        let mut site = if demo { include_str!("../config/demo.toml").to_owned() } else { words.text() };
        for (from, to) in changes {
            site = changed(&site, &from, &to)?;
        }
        let until = until.ok_or("there is no `until`")?;
        events.sort_by_key(|(at, _)| *at);
        Ok(Script { site, events, until, show })
    }
}

fn changed(site: &str, from: &str, to: &str) -> Result<String, Wrong> {
    let to = to.replace("; ", "\n");
    if site.contains(from) {
        Ok(site.replacen(from, &to, 1))
    } else {
        Err(format!("the site has no `{from}`"))
    }
}

/// `1:05`, `1:05.3`, `2:01:05`.
fn time(text: &str) -> Option<Mono> {
    let (whole, tenths) = text.split_once('.').unwrap_or((text, "0"));
    let mut seconds = 0;
    for part in whole.split(':') {
        seconds = seconds * 60 + part.parse::<u64>().ok()?;
    }
    Some(Mono::from_us(seconds * 1_000_000 + tenths.parse::<u64>().ok()? * 100_000))
}

/// Compiles a site for the stage. A scenario that is not about the minute after a start, or about signs of false data,
/// is spared both: its file says `start_hold_s` or `[signs]` where it is.
fn compile(text: &str) -> Result<Arc<Plan>, Wrong> {
    let source = Source { name: "site.toml".to_owned(), text: text.to_owned() };
    match config::compile(&source, &Extras::default()) {
        Ok(compiled) => {
            let mut plan = compiled.plan;
            if !text.contains("start_hold_s") {
                plan.start_hold = Span::ZERO;
            }
            if !text.contains("[signs]") {
                plan.watched = Watched::default();
            }
            Ok(Arc::new(plan))
        }
        Err(faults) => Err(faults.render(false)),
    }
}

/// A site at work.
struct Stage {
    text: String,
    plan: Arc<Plan>,
    site: Site,
    plant: Plant,
    journal: Journal,
    now: Now,
    started: Mono,
    timeline: String,
    show: Show,
    /// What waited to be acknowledged when somebody looked, by the time of it.
    seen: BTreeMap<String, Vec<(String, u32)>>,
    /// The gateway is without power until then.
    off_until: Option<Mono>,
}

impl Stage {
    fn play(script: &Script) -> Result<String, Wrong> {
        let plan = compile(&script.site)?;
        let now = Now { mono: Mono::START, wall: Wall::from_ms(NOON) };
        let mut stage = Stage {
            text: script.site.clone(),
            site: Site::new(Arc::clone(&plan), &Standing::default(), now),
            plant: Plant::new(&plan),
            seen: BTreeMap::new(),
            journal: Journal::new("scenario"),
            plan,
            now,
            started: now.mono,
            timeline: String::new(),
            show: script.show,
            off_until: None,
        };
        let mut events = script.events.iter().peekable();
        loop {
            while let Some((_, what)) = events.next_if(|(at, _)| *at <= stage.now.mono) {
                stage.happens(what).ok_or_else(|| format!("can't happen: {what}"))?;
            }
            stage.step();
            if stage.now.mono >= script.until {
                return Ok(stage.timeline);
            }
            let tick = Span::from_ms(100);
            stage.now = Now { mono: stage.now.mono + tick, wall: stage.now.wall.after(tick) };
        }
    }

    fn step(&mut self) {
        self.plant.step(self.now.mono);
        match self.off_until {
            Some(until) if self.now.mono < until => return,
            Some(_) => self.starts_again(),
            None => {}
        }
        let (plan, now) = (Arc::clone(&self.plan), self.now.mono);
        for (element, demand) in plan.elements.ids().zip(self.site.demands()) {
            let wrote = self.plant.write(now, element, demand);
            wrote.into_iter().for_each(|input| self.input(input));
        }
        for device in plan.devices.ids().filter(|d| is_polled(&plan, *d, now)) {
            let answer = self.plant.poll(now, device);
            answer.into_iter().for_each(|input| self.input(input));
        }
        self.input(Input::Tick);
    }

    fn input(&mut self, input: Input) {
        let mut effects = Effects::default();
        self.site.handle(self.now, input, &mut effects);
        self.keep(effects);
    }

    fn keep(&mut self, effects: Effects) {
        for record in &effects.records {
            self.journal.write(record);
            // That everything is where it belongs on an ordinary day is no news when it is first seen.
            if told::is_ordinary(record) && self.now.mono.since(self.started) < Span::from_secs(1) {
                continue;
            }
            for line in told::lines(record, self.show) {
                writeln!(self.timeline, "{}", line.trim_end()).unwrap();
            }
        }
    }

    /// Everything on disk comes back, through the journal's own lines; the power takes the rest.
    fn starts_again(&mut self) {
        (self.off_until, self.started) = (None, self.now.mono);
        self.journal.flush();
        let standing = self.journal.crash();
        self.site = Site::new(Arc::clone(&self.plan), &standing, self.now);
        self.plant.gateway_started();
        writeln!(self.timeline, "{:>9}  the gateway starts", told::clock(self.now.mono)).unwrap();
    }

    /// Something happens; `None` where nobody understands what.
    fn happens(&mut self, what: &str) -> Option<()> {
        let words: Vec<&str> = what.split_whitespace().collect();
        match words.as_slice() {
            ["the", "gateway", "restarts"] => {
                self.starts_again();
                Some(())
            }
            ["the", "gateway", "loses", "its", "journal"] => {
                self.journal = Journal::new("scenario");
                self.starts_again();
                Some(())
            }
            ["the", "feed", "contact", "of", element, "sticks"]
            | ["the", "open", "limit", "of", element, "sticks"] => {
                self.drive(element, |plant, id| plant.drive[id].lies = true)
            }
            ["the", "gateway", "is", "off", "for", n, unit] => {
                self.off_until = Some(self.now.mono + span(n, unit)?);
                Some(())
            }
            ["the", "clock", "jumps", way, n, unit] => {
                let ms = i64::try_from(span(n, unit)?.ms()).ok()?;
                let ms = if *way == "back" { -ms } else { ms };
                self.now.wall = Wall::from_ms(self.now.wall.ms() + ms);
                Some(())
            }
            ["the", "file", "changes:", ..] => {
                let (from, to) = what.strip_prefix("the file changes: ")?.split_once(" => ")?;
                self.reload(from, to)
            }
            ["device", names @ .., "is" | "are", "silent"] => {
                self.line(names, &Line::Fails(LineFault::NoReply))
            }
            ["device", names @ .., "answers", "garbage"] => {
                self.line(names, &Line::Fails(LineFault::Garbled("a wrong length".to_owned())))
            }
            ["device", names @ .., "refuses"] => self.line(names, &Line::Fails(LineFault::Exception(4))),
            ["device", names @ .., "is" | "are", "not", "asked"] => self.line(names, &Line::Starved),
            ["device", names @ .., "answers", "late"] => self.line(names, &Line::Late),
            ["device", names @ .., "answers"] => self.line(names, &Line::Answers),
            [names @ .., "read" | "reads", value] => {
                let value = value.parse().ok()?;
                self.points(names, |plant, _, point| plant.set(point, value))
            }
            [names @ .., "goes" | "rises" | "falls", "to", value, "over", n, unit] => {
                let (value, over) = (value.parse().ok()?, span(n, unit)?);
                self.points(names, |plant, now, point| plant.ramp(now, point, value, over))
            }
            ["the", "output", "of", element, "is", "switched", how @ ("on" | "off"), "on", "site"] => {
                let on = *how == "on";
                self.drive(element, |plant, id| plant.switch_on_site(id, Some(on)))
            }
            ["the", "output", "of", element, "is", "left", "to", "Davy"] => {
                self.drive(element, |plant, id| plant.switch_on_site(id, None))
            }
            [element, "sticks"] => self.drive(element, |plant, id| plant.drive[id].stuck = true),
            [element, "opens", "again", "when", "let", "go"] => {
                self.drive(element, |plant, id| plant.drive[id].springs_back = true)
            }
            [element, "comes", "loose"] => self.drive(element, |plant, id| plant.drive[id].stuck = false),
            [element, "is", "opened" | "re-powered", "by", "hand"] => self.by_hand(element),
            [names @ .., "is" | "are", word] if quality(word).is_some() => {
                let quality = quality(word)?;
                self.points(names, |plant, _, point| plant.quality[point] = quality)
            }
            [who, rest @ ..] => self.order(who, rest, what),
            [] => None,
        }
    }

    fn points(&mut self, names: &[&str], act: impl Fn(&mut Plant, Mono, PointId)) -> Option<()> {
        for name in names.iter().filter(|name| **name != "and") {
            let point = self.plan.points.find(|p| p.tag.as_str() == *name)?;
            act(&mut self.plant, self.now.mono, point);
        }
        Some(())
    }

    fn line(&mut self, names: &[&str], line: &Line) -> Option<()> {
        for name in names.iter().filter(|name| **name != "and") {
            let device: DeviceId = self.plan.devices.find(|d| d.tag.as_str() == *name)?;
            self.plant.line[device] = line.clone();
        }
        Some(())
    }

    fn element(&self, name: &str) -> Option<ElementId> {
        self.plan.elements.find(|e| e.tag.as_str() == name)
    }

    fn drive(&mut self, name: &str, act: impl Fn(&mut Plant, ElementId)) -> Option<()> {
        let id = self.element(name)?;
        act(&mut self.plant, id);
        Some(())
    }

    fn by_hand(&mut self, name: &str) -> Option<()> {
        let id = self.element(name)?;
        if !self.plant.by_hand(self.now.mono, id) {
            let at = told::clock(self.now.mono);
            writeln!(self.timeline, "{at:>9}  {name} can't be moved by hand: it is commanded off").ok()?;
        }
        Some(())
    }

    fn reload(&mut self, from: &str, to: &str) -> Option<()> {
        self.text = changed(&self.text, from, to).ok()?;
        let plan = compile(&self.text).ok()?;
        let at = told::clock(self.now.mono);
        let objections = self.site.objections(&plan);
        for objection in &objections {
            writeln!(self.timeline, "{at:>9}  the new file is REFUSED: {objection}").ok()?;
        }
        if objections.is_empty() {
            writeln!(self.timeline, "{at:>9}  the new file is taken").ok()?;
            let mut effects = Effects::default();
            self.site.replan(self.now, Arc::clone(&plan), &mut effects);
            self.keep(effects);
            self.plant = self.plant.replanned(&plan);
            self.plan = plan;
        }
        Some(())
    }

    fn order(&mut self, who: &str, rest: &[&str], what: &str) -> Option<()> {
        let reason = what.split_once(" because ").map_or("", |(_, why)| why);
        let (reason, second) = match reason.split_once(", with ") {
            Some((reason, second)) => (reason.to_owned(), Some(second.to_owned())),
            None => (reason.to_owned(), None),
        };
        let verb = match rest {
            ["acknowledges", "everything"] => {
                Verb::AcknowledgeAll { seen: self.site.view(self.now).waiting(&self.plan) }
            }
            ["acknowledges", "what", "was", "seen", "at", at] => {
                Verb::AcknowledgeAll { seen: self.seen.get(*at)?.clone() }
            }
            ["looks"] => {
                let seen = self.site.view(self.now).waiting(&self.plan);
                self.seen.insert(told::clock(self.now.mono), seen);
                return Some(());
            }
            ["acknowledges", key] => {
                let occurrence = self.site.view(self.now).alarms[self.plan.alarm(key)?].occurrence;
                Verb::Acknowledge { key: (*key).to_owned(), occurrence }
            }
            ["acknowledges", key, n] => {
                Verb::Acknowledge { key: (*key).to_owned(), occurrence: n.strip_prefix('#')?.parse().ok()? }
            }
            ["resets", target] => Verb::Reset { target: (*target).to_owned() },
            ["shelves", key, "for", minutes, "min", ..] => {
                Verb::Shelve { key: (*key).to_owned(), minutes: minutes.parse().ok()?, reason, second }
            }
            ["takes", key, "out", "of", "service", "for", hours, "h", ..] => {
                Verb::TakeOut { key: (*key).to_owned(), hours: Some(hours.parse().ok()?), reason, second }
            }
            ["takes", key, "out", "of", "service", ..] => {
                Verb::TakeOut { key: (*key).to_owned(), hours: None, reason, second }
            }
            ["bypasses", target, "for", minutes, "min", ..] => Verb::Bypass {
                target: (*target).to_owned(),
                minutes: Some(minutes.parse().ok()?),
                reason,
                second,
            },
            ["bypasses", target, ..] => {
                Verb::Bypass { target: (*target).to_owned(), minutes: None, reason, second }
            }
            ["ends", "the", "bypass", "of", key] => Verb::Unbypass { target: (*key).to_owned() },
            ["calibrates", point, "for", minutes, "min"] => {
                Verb::Calibrate { point: (*point).to_owned(), minutes: Some(minutes.parse().ok()?) }
            }
            ["ends", "the", "calibration", "of", point] => {
                Verb::Calibrate { point: (*point).to_owned(), minutes: None }
            }
            ["tests", target, kind] => {
                Verb::ProofTest { target: (*target).to_owned(), kind: TestKind::parse(kind)? }
            }
            ["permits", kind, "at", place, "for", minutes, "min", "with", tighten @ ..] => {
                let (tighten, second) = match tighten {
                    [tighten @ .., "and", second] => (tighten, Some((*second).to_owned())),
                    _ => (tighten, None),
                };
                Verb::Permit {
                    place: (*place).to_owned(),
                    kind: PermitKind::parse(kind)?,
                    minutes: minutes.parse().ok()?,
                    tighten: tightening(tighten)?,
                    second,
                }
            }
            ["ends", "the", "permit", key] => Verb::EndPermit { key: (*key).to_owned() },
            ["takes", key, "back"] => Verb::TakeBack { key: (*key).to_owned() },
            _ => return None,
        };
        let who = Who { name: who.to_owned(), via: "local".to_owned() };
        self.input(Input::Order(Order { who, verb }));
        Some(())
    }
}

/// `50 percent`, or `alarm 0.5 trip 0.75`.
fn tightening(words: &[&str]) -> Option<Tightening> {
    if let [percent, "percent"] = words {
        return Some(Tightening::Percent(percent.parse().ok()?));
    }
    let (mut warning, mut alarm, mut trip) = (None, None, None);
    for pair in words.chunks(2) {
        let [level, value] = pair else { return None };
        let place = match *level {
            "warning" => &mut warning,
            "alarm" => &mut alarm,
            "trip" => &mut trip,
            _ => return None,
        };
        *place = Some(value.parse().ok()?);
    }
    Some(Tightening::SetPoints(SetPoints { warning, alarm, trip, ..SetPoints::default() }))
}

fn span(n: &str, unit: &str) -> Option<Span> {
    let second = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        _ => return None,
    };
    Some(Span::from_secs(n.parse::<u64>().ok()? * second))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What differs, line by line: `-` is written in the file, `+` is what came of it.
fn difference(wanted: &str, got: &str) -> String {
    let (wanted, got): (Vec<&str>, Vec<&str>) = (wanted.lines().collect(), got.lines().collect());
    // Longest common subsequence; a timeline is a few hundred lines.
    let mut common = vec![vec![0usize; got.len() + 1]; wanted.len() + 1];
    for i in (0..wanted.len()).rev() {
        for j in (0..got.len()).rev() {
            common[i][j] = if wanted[i] == got[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < wanted.len() || j < got.len() {
        let (sign, line) = if i < wanted.len() && j < got.len() && wanted[i] == got[j] {
            (i, j) = (i + 1, j + 1);
            (' ', wanted[i - 1])
        } else if j == got.len() || (i < wanted.len() && common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            ('-', wanted[i - 1])
        } else {
            j += 1;
            ('+', got[j - 1])
        };
        writeln!(text, "  {sign} {line}").unwrap();
    }
    text
}

#[test]
fn every_scenario_comes_out_as_its_timeline_says() {
    let bless = std::env::var_os("DAVY_BLESS").is_some();
    let mut failures = String::new();
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (script, wanted) = text.split_once(RULE).unwrap_or((&text, ""));
        let wanted = wanted.trim_start_matches(['-', '\n']).trim_end();
        let got = match Script::read(script).and_then(|script| Stage::play(&script)) {
            Ok(got) => got,
            Err(wrong) => {
                writeln!(failures, "\n{name}: {wrong}").unwrap();
                continue;
            }
        };
        let got = got.trim_end();
        if got == wanted {
            continue;
        }
        if bless {
            let rule = "-".repeat(100);
            std::fs::write(&path, format!("{}\n\n{rule}\n{got}\n", script.trim_end())).unwrap();
        } else {
            writeln!(failures, "\n{name}\n{}", difference(wanted, got)).unwrap();
        }
    }
    assert!(
        failures.is_empty(),
        "{failures}\n(- the file, + what came of it; DAVY_BLESS=1 cargo test --test scenarios writes it down)"
    );
}

#[test]
fn each_file_is_one_promise_named_as_a_sentence() {
    let files = files();
    assert!(files.len() >= 25, "only {} scenarios", files.len());
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(path.extension().is_some_and(|e| e == "txt"), "{name} is no .txt");
        let words = name.split('-').count();
        assert!(words >= 4, "{name} is no sentence");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with('#'), "{name} does not open with what it promises and by which rule");
    }
}

#[test]
fn each_row_of_a_standard_that_a_site_can_choose_has_a_timeline() {
    let scripts: Vec<String> = files().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let shown: BTreeSet<[String; 3]> = scripts.iter().flat_map(|script| places_of(script)).collect();
    let standards = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/standards");
    let (mut rows, mut missing) = (0, Vec::new());
    for file in std::fs::read_dir(standards).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for kind in text.split("\n[[kind]]\n").skip(1) {
            let quoted = |text: &str, key: &str| {
                let line =
                    text.lines().find_map(|l| l.strip_prefix(&format!("{key} = \""))?.split('"').next());
                line.unwrap_or_default().to_owned()
            };
            let id = quoted(kind, "id");
            for row in kind.split("[[kind.set_points]]").skip(1) {
                let wanted = [id.clone(), quoted(row, "place"), quoted(row, "gas")];
                rows += 1;
                if !shown.contains(&wanted) {
                    missing.push(wanted);
                }
            }
        }
    }
    assert!(rows > 35, "only {rows} rows were found");
    assert!(missing.is_empty(), "no scenario has a head for {missing:?} (kind, place, gas)");
}

/// The heads of a script: in what kind of area, at which place, for which gas; and the same for any gas.
fn places_of(script: &str) -> Vec<[String; 3]> {
    let mut kinds = BTreeMap::new();
    let mut places = Vec::new();
    let mut head = |kind: &String, place: &str, gas: &str| {
        places.extend([gas, ""].map(|gas| [kind.clone(), place.to_owned(), gas.to_owned()]));
    };
    for line in script.split(RULE).next().unwrap().lines() {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["area", id, "is", "a" | "an", kind, ..] => {
                drop(kinds.insert((*id).to_owned(), (*kind).to_owned()))
            }
            ["head", _, "in", area, "at", place, "measures", gas, ..] => head(&kinds[*area], place, gas),
            ["head", _, "in", area, "measures", gas, ..] => head(&kinds[*area], "", gas),
            _ => {}
        }
    }
    places
}

#[test]
fn a_timeline_that_differs_is_shown_line_by_line() {
    assert_eq!(difference("a\nb\nc", "a\nx\nc"), "    a\n  - b\n  + x\n    c\n");
    assert_eq!(difference("", "x"), "  + x\n");
}

#[test]
fn a_script_with_a_line_that_nobody_understands_is_refused() {
    assert!(Script::read("site demo\nat 0:05 face.t1 reads 1.55\nuntil 0:10").is_ok());
    assert!(Script::read("site demo\nface.t1 reads 1.55\nuntil 0:10").is_err());
    assert!(Script::read("site demo").is_err());
    let nobody = Script::read("site demo\nat 0:05 face.t9 reads 1.55\nuntil 0:10").unwrap();
    assert!(Stage::play(&nobody).is_err());
    let script = Script::read("site demo\nat 0:05 face.t1 reads 1.55\nuntil 0:10").unwrap();
    assert!(Stage::play(&script).unwrap().contains("face-cut"), "and the rest is played");
    assert_eq!(quality("good"), Some(Quality::Good));
}
