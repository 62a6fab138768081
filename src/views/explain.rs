//! Every rule of a site in words, in both languages: where a value comes from, what it alarms at and by which standard,
//! which trips it votes in, what those act on and what a reset asks for, and what is not covered. It says what the plan
//! says, and knows nothing beside it.

mod alarm;
mod area;
mod device;
mod element;
mod group;
mod people;
mod point;
mod signs;
mod trip;
mod words;

pub(super) use self::words::lasting;

use crate::model::plan::{Origin, Plan, Subject};
use crate::model::table::{AlarmId, AreaId, DeviceId, ElementId, PointId, TripId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What is explained: the word that stands for everything.
pub const ALL: &str = "all";

/// Explains what `target` names: an area, point, device, element, trip or group, an alarm by its key, or everything.
///
/// # Errors
/// The names that there are, where there is no such thing.
pub fn explain(plan: &Plan, origins: &BTreeMap<AlarmId, Origin>, target: &str) -> Result<String, String> {
    let book = Book { plan, origins };
    let subjects = book.subjects(target);
    if subjects.is_empty() {
        return Err(book.no_such(target));
    }
    let mut text = String::new();
    for subject in subjects {
        let page = match subject {
            What::Point(id) => book.point(id),
            What::Device(id) => book.device(id),
            What::Element(id) => book.element(id),
            What::Trip(id) => book.trip(id),
            What::Group(trip, n) => book.group(trip, n),
            What::Area(id) => book.area(id),
        };
        page.print(&mut text);
    }
    Ok(text)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Area(AreaId),
    Device(DeviceId),
    Point(PointId),
    Element(ElementId),
    Trip(TripId),
    /// A named vote, by a trip that counts it and its number there.
    Group(TripId, usize),
}

/// What is said of one thing.
#[derive(Default)]
struct Page {
    title: String,
    lines: Vec<(String, String)>,
}

impl Page {
    fn say(&mut self, zh: impl Into<String>, en: impl Into<String>) {
        self.lines.push((zh.into(), en.into()));
    }

    fn print(&self, text: &mut String) {
        if !text.is_empty() {
            text.push('\n');
        }
        let written = writeln!(text, "{}", self.title);
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
        for (zh, _) in &self.lines {
            line(text, zh);
        }
        text.push('\n');
        for (_, en) in &self.lines {
            line(text, en);
        }
    }
}

/// One statement: its first part begins with a dash, what goes on below it is indented.
fn line(text: &mut String, said: &str) {
    for (n, part) in said.lines().enumerate() {
        text.push_str(if n == 0 { "  - " } else { "      " });
        text.push_str(part);
        text.push('\n');
    }
}

struct Book<'a> {
    plan: &'a Plan,
    origins: &'a BTreeMap<AlarmId, Origin>,
}

impl Book<'_> {
    fn subjects(&self, target: &str) -> BTreeSet<What> {
        let plan = self.plan;
        let is = |tag: &str| target == ALL || tag == target;
        let devices = plan.devices.iter().filter(|(_, d)| is(d.tag.as_str())).map(|(id, _)| What::Device(id));
        let points = plan.points.iter().filter(|(_, p)| is(p.tag.as_str())).map(|(id, _)| What::Point(id));
        let elements =
            plan.elements.iter().filter(|(_, e)| is(e.tag.as_str())).map(|(id, _)| What::Element(id));
        let trips = plan.trips.iter().filter(|(_, t)| is(t.tag.as_str())).map(|(id, _)| What::Trip(id));
        let of_alarm = plan.alarm(target).map(|id| match plan.alarms[id].subject {
            Subject::Point(id) => What::Point(id),
            Subject::Device(id) => What::Device(id),
            Subject::Element(id) => What::Element(id),
        });
        let areas = plan.areas.iter().filter(|(_, a)| is(a.tag.as_str())).map(|(id, _)| What::Area(id));
        let groups = self.groups().into_iter().filter(|(tag, _)| is(tag)).map(|(_, what)| what);
        areas
            .chain(devices)
            .chain(points)
            .chain(elements)
            .chain(trips)
            .chain(groups)
            .chain(of_alarm)
            .collect()
    }

    /// Every named vote once, by its tag.
    fn groups(&self) -> BTreeMap<&str, What> {
        let mut groups = BTreeMap::new();
        for (id, trip) in self.plan.trips.iter() {
            let inner = trip.groups.len().saturating_sub(1);
            for (n, group) in trip.groups.iter().enumerate().take(inner) {
                groups.entry(group.tag.as_str()).or_insert(What::Group(id, n));
            }
        }
        groups
    }

    fn no_such(&self, target: &str) -> String {
        let plan = self.plan;
        let mut known: Vec<&str> = plan.points.values().map(|p| p.tag.as_str()).collect();
        known.extend(plan.devices.values().map(|d| d.tag.as_str()));
        known.extend(plan.elements.values().map(|e| e.tag.as_str()));
        known.extend(plan.trips.values().map(|t| t.tag.as_str()));
        known.extend(plan.areas.values().map(|a| a.tag.as_str()));
        known.extend(self.groups().into_keys());
        known.sort_unstable();
        known.dedup();
        format!(
            "there is no area, point, device, element, trip, group or alarm `{target}`; `{ALL}` explains everything; the site has {}",
            known.join(", ")
        )
    }
}
