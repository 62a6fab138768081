//! `davy journal show`: entries for people, chosen by time, place, kind and person.

use super::{plain, refused};
use crate::app::args::Show;
use crate::app::out;
use crate::io::journal::audit::{Follower, Met};
use crate::model::time::Wall;
use crate::record::entry::Entry;
use serde_json::Value;
use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;

/// How often it is looked for what has come.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Most lines of which the last are shown.
const LAST_MAX: usize = 100_000;

/// `davy journal show`.
pub(super) fn show(args: &Show) -> ExitCode {
    let (since, until) = match (time(args.since.as_ref()), time(args.until.as_ref())) {
        (Ok(since), Ok(until)) => (since, until),
        (Err(why), _) | (_, Err(why)) => return refused(why),
    };
    let mut follower = match Follower::open(&args.dir) {
        Ok(follower) => follower,
        Err(why) => return refused(why),
    };
    let is_wanted = |entry: &Entry| {
        since.is_none_or(|since| entry.at.wall >= since)
            && until.is_none_or(|until| entry.at.wall <= until)
            && args.kind.as_ref().is_none_or(|kind| *kind == entry.kind)
            && args.area.as_ref().is_none_or(|area| entry.area() == Some(area))
            && args.point.as_ref().is_none_or(|point| is_about(entry, point))
            && args.actor.as_ref().is_none_or(|actor| is_by(entry, actor))
    };
    let last = args.last.map(|n| n.min(LAST_MAX));
    let mut kept = VecDeque::new();
    let mut meet = |met: Met<'_>| {
        let text = match met {
            Met::Entry(entry, line) if is_wanted(entry) => {
                if args.json {
                    String::from_utf8_lossy(line).into_owned()
                } else {
                    said(entry)
                }
            }
            Met::Entry(..) => return,
            Met::Lost(file, line, why) => plain(&format!("{file}:{line}: can't be read: {why}")),
        };
        match last {
            Some(n) => {
                kept.push_back(text);
                if kept.len() > n {
                    kept.pop_front();
                }
            }
            None => out(&format!("{text}\n")),
        }
    };
    if let Err(why) = follower.read(&mut meet) {
        return refused(why);
    }
    kept.iter().for_each(|text| out(&format!("{text}\n")));
    if !args.follow {
        return ExitCode::SUCCESS;
    }
    loop {
        std::thread::sleep(LOOK_AGAIN);
        let read = follower.read(|met| match met {
            Met::Entry(entry, line) if is_wanted(entry) => {
                let text = if args.json { String::from_utf8_lossy(line).into_owned() } else { said(entry) };
                out(&format!("{text}\n"));
            }
            Met::Entry(..) => {}
            Met::Lost(file, line, why) => {
                out(&format!("{}\n", plain(&format!("{file}:{line}: can't be read: {why}"))));
            }
        });
        if let Err(why) = read {
            return refused(why);
        }
    }
}

fn time(text: Option<&String>) -> Result<Option<Wall>, String> {
    let Some(text) = text else { return Ok(None) };
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.clone() };
    let read = Wall::parse(&whole).map(Some);
    read.ok_or_else(|| format!("{text} is no time: write 2026-11-24T03:42:05Z, or 2026-11-24"))
}

fn is_about(entry: &Entry, point: &str) -> bool {
    let is_it =
        |name: &str| name == point || name.strip_prefix(point).is_some_and(|rest| rest.starts_with(':'));
    let fields = ["key", "tag", "point", "target", "cause", "place"];
    fields.into_iter().filter_map(|name| entry.body.get(name)?.as_str()).any(is_it)
}

fn is_by(entry: &Entry, actor: &str) -> bool {
    let people = ["who", "by"].into_iter().filter_map(|name| entry.body.get(name));
    people.filter_map(|who| who.get("name")?.as_str()).any(|name| name.contains(actor))
}

/// An entry in a line.
fn said(entry: &Entry) -> String {
    let text = |name: &str| entry.body.get(name).and_then(Value::as_str);
    let what = entry.key().or_else(|| text("command")).or_else(|| text("target")).unwrap_or_default();
    let how = match entry.kind.as_str() {
        "alarm" => text("to").map(str::to_owned),
        "trip" => {
            let tripped = entry.body.get("tripped").and_then(Value::as_bool);
            tripped.map(|tripped| if tripped { "tripped" } else { "reset" }.to_owned())
        }
        "element" => text("phase").map(str::to_owned),
        _ => text("step").or_else(|| text("reason")).or_else(|| text("detail")).map(str::to_owned),
    };
    let words = entry.body.pointer("/text/en").and_then(Value::as_str).unwrap_or_default();
    let who = entry.body.pointer("/who/name").and_then(Value::as_str);
    let who = who.map_or_else(String::new, |who| format!(" by {who}"));
    let parts = [what, how.as_deref().unwrap_or_default(), words];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    plain(&format!("{:>8} {} {:<10} {}{who}", entry.seq.0, entry.at.wall, entry.kind, parts.join(" · ")))
}
