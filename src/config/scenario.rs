//! What befalls a pretended plant and when, out of a file or out of a live order. The same words mean the same in both.

mod wiring;

use super::faults::{Fault, Faults, Place, Source, nearest, one_of, quoted};
use super::read::{self, Row};
use super::shape::{HUGE, Key, Kind, Preset, Shape};
use crate::model::deed::{Deed, Mischief};
use crate::model::element::Position;
use crate::model::plan::Plan;
use crate::model::point::{Quality, Tag};
use crate::model::table::{AreaId, DeviceId, ElementId, PointId};
use crate::model::time::Span;
use std::sync::Arc;

/// Most events of a scenario.
const EVENTS_MAX: usize = 1_000;

/// Most rooms and heads that a scenario says something of.
const ROOMS_MAX: usize = 1_000;
const HEADS_MAX: usize = 4_096;

/// Longest scenario: a week, in seconds.
const LONGEST_S: f64 = 604_800.0;

/// Everything that can be done to the plant.
const VERBS: [&str; 21] = [
    "set",
    "ramp",
    "say",
    "drift",
    "noise",
    "t90",
    "leak",
    "seam",
    "air",
    "volume",
    "fan",
    "jam",
    "loose",
    "hand",
    "local",
    "travel",
    "lie",
    "heartbeat",
    "power",
    "mischief",
    "well",
];

static EVENT: Shape = Shape {
    what: "an event",
    keys: &[
        Key::preset(
            "at_s",
            Kind::Number(0.0, LONGEST_S),
            Preset::Number(0.0),
            "when, in seconds from the start",
        ),
        Key::must("do", Kind::OneOf(&VERBS), "what happens"),
        Key::must("what", Kind::Ref("a point, area, element, device or bus"), "to what it happens"),
        Key::may("value", Kind::Number(-HUGE, HUGE), "a value in the point's unit, or a flow in m³/min"),
        Key::may("over_s", Kind::Number(0.0, LONGEST_S), "how long a ramp takes"),
        Key::may("gas", Kind::Ref("a gas"), "which gas; needed where an area has heads for several"),
        Key::may("is", Kind::Str, "a state: on, off, safe, unsafe, true, a quality or a kind of mischief"),
        Key::preset(
            "percent",
            Kind::Integer(0, 100),
            Preset::Integer(100),
            "how many answers of a hundred it befalls",
        ),
        Key::preset("code", Kind::Integer(1, 255), Preset::Integer(4), "which exception a device answers"),
        Key::preset(
            "ms",
            Kind::Integer(0, 600_000),
            Preset::Integer(1_000),
            "how late, how long deaf, how long a travel is",
        ),
    ],
};

static SCENARIO: Shape = Shape {
    what: "the scenario",
    keys: &[
        Key::must("what", Kind::Str, "what it shows, in a sentence"),
        Key::must("length_s", Kind::Number(1.0, LONGEST_S), "how long it is worth looking at"),
        Key::may("room", Kind::Tables(&wiring::ROOM, ROOMS_MAX), "what rooms are like, from the start"),
        Key::may("head", Kind::Tables(&wiring::HEAD, HEADS_MAX), "what heads are like, from the start"),
        Key::may("event", Kind::Tables(&EVENT, EVENTS_MAX), "what happens"),
    ],
};

/// What befalls a plant, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// In a sentence.
    pub what: String,
    /// How long it is worth looking at.
    pub length: Span,
    /// When, counted from its start.
    pub events: Vec<(Span, Deed)>,
}

/// Reads a scenario for the plant of `plan`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn scenario(source: &Source, plan: &Plan) -> Result<Scenario, Faults> {
    let mut faults = Faults::default();
    let text = Arc::new(source.clone());
    let root = read::read(&text, &SCENARIO, &mut faults);
    let Some(root) = root else { return Err(faults) };
    let mut events = Vec::new();
    let wired = root.tables("room").flat_map(|row| Reader { plan, row, faults: &mut faults }.room());
    events.extend(wired.map(|deed| (Span::ZERO, deed)));
    let wired = root.tables("head").flat_map(|row| Reader { plan, row, faults: &mut faults }.of_head());
    events.extend(wired.map(|deed| (Span::ZERO, deed)));
    for row in root.tables("event") {
        let at = seconds(row.number("at_s").unwrap_or(0.0));
        let mut reader = Reader { plan, row, faults: &mut faults };
        reader.within(root.number("length_s"));
        events.extend(reader.deeds().into_iter().flatten().map(|deed| (at, deed)));
    }
    faults.sort(&source.name);
    if faults.errors() > 0 {
        return Err(faults);
    }
    events.sort_by_key(|(at, _)| *at);
    let what = root.str("what").unwrap_or_default().to_owned();
    Ok(Scenario { what, length: seconds(root.number("length_s").unwrap_or(0.0)), events })
}

/// Reads a live order: `verb what=… value=…`, in the words of an event.
///
/// # Errors
/// Everything that is wrong with it.
pub fn order<'a>(words: impl Iterator<Item = &'a str>, plan: &Plan) -> Result<Vec<Deed>, Faults> {
    let mut text = "what = \"an order\"\nlength_s = 1\n[[event]]\n".to_owned();
    for (n, word) in words.enumerate() {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, value),
            None if n == 0 => ("do", word),
            None => ("what", word),
        };
        let bare = value.parse::<f64>().is_ok_and(f64::is_finite);
        let value = if bare { value.to_owned() } else { serde_json::Value::from(value).to_string() };
        text.push_str(&format!("{key} = {value}\n"));
    }
    let source = Source { name: "the order".to_owned(), text };
    scenario(&source, plan).map(|read| read.events.into_iter().map(|(_, deed)| deed).collect())
}

fn seconds(s: f64) -> Span {
    let us = (s * 1e6).round().clamp(0.0, LONGEST_S * 1e6);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the line before")]
    Span::from_us(us as u64)
}

struct Reader<'a> {
    plan: &'a Plan,
    row: &'a Row,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    /// What one event does; `None` where that is wrong and has been told.
    fn deeds(&mut self) -> Option<Vec<Deed>> {
        let verb = self.row.str("do")?;
        let element = |this: &mut Self| this.element(this.row.str("what")?, this.row.at("what"));
        let point = |this: &mut Self| this.point("what");
        let one = |deed| Some(vec![deed]);
        match verb {
            "set" => one(Deed::Set(point(self)?, self.value()?)),
            "ramp" => {
                let over = self.row.number("over_s").map(seconds);
                let (point, value) = (point(self)?, self.value()?);
                one(Deed::Ramp(point, value, over.or_else(|| self.lacks("over_s"))?))
            }
            "say" => {
                let point = point(self)?;
                let names = Quality::IN_PROFILES.map(Quality::as_str);
                let name = self.is(&names)?;
                let quality = Quality::IN_PROFILES.into_iter().find(|q| q.as_str() == name)?;
                one(Deed::Say(point, quality))
            }
            "drift" => one(Deed::Drift(point(self)?, self.value()?)),
            "noise" => one(Deed::Noise(point(self)?, self.flow()?)),
            "t90" => one(Deed::T90(point(self)?, self.t90()?)),
            "leak" => {
                let (area, gas) = self.gas()?;
                one(Deed::Leak(area, gas, self.flow()?))
            }
            "seam" => {
                let (area, gas) = self.gas()?;
                one(Deed::Seam(area, gas, self.flow()?))
            }
            "air" => one(Deed::Air(self.area("what")?, self.flow()?)),
            "volume" => one(Deed::Volume(self.area("what")?, self.flow()?.max(1.0))),
            "fan" => {
                let area = self.area("what")?;
                one(Deed::Fan(area, self.is(&["on", "off"])? == "on"))
            }
            "jam" => one(Deed::Jam(element(self)?, true)),
            "loose" => one(Deed::Jam(element(self)?, false)),
            "hand" => {
                let element = element(self)?;
                one(Deed::Hand(element, self.is(&["safe", "unsafe"])? == "safe"))
            }
            "local" => {
                let element = element(self)?;
                one(Deed::Local(element, self.is(&["on", "off"])? == "on"))
            }
            "travel" => one(Deed::Travel(element(self)?, self.ms())),
            "lie" => {
                let element = element(self)?;
                let lie = match self.is(&["safe", "unsafe", "travelling", "true"])?.as_str() {
                    "safe" => Some(Position::Safe),
                    "unsafe" => Some(Position::Unsafe),
                    "travelling" => Some(Position::Travelling),
                    _ => None,
                };
                one(Deed::Lie(element, lie))
            }
            "heartbeat" => {
                let on = self.is(&["on", "off"])? == "on";
                self.each(|device| Deed::Heartbeat(device, on))
            }
            "power" => {
                let on = self.is(&["on", "off"])? == "on";
                self.each(|device| Deed::Power(device, on))
            }
            "mischief" => {
                let name = self.is(&Mischief::NAMES)?;
                let code = self.row.small("code").unwrap_or(4);
                let percent = self.row.small("percent").unwrap_or(100);
                let mischief = Mischief::named(&name, code, self.ms())?;
                self.each(|device| Deed::Mischief(device, mischief, percent))
            }
            _ => self.each(Deed::Well),
        }
    }

    /// An event after the end of the scenario never happens.
    fn within(&mut self, length: Option<f64>) {
        if let (Some(at), Some(length)) = (self.row.number("at_s"), length)
            && at > length
        {
            let message = format!("at {at} s, and the scenario ends after {length} s");
            self.faults.push(
                Fault::error("after-the-end", self.row.at("at_s"), message)
                    .label("too late")
                    .help(format!("let it happen sooner, or write length_s = {at} or more")),
            );
        }
    }

    fn ms(&self) -> Span {
        Span::from_ms(self.row.small("ms").unwrap_or(0))
    }

    fn value(&mut self) -> Option<f64> {
        self.row.number("value").or_else(|| self.lacks("value"))
    }

    /// A flow, a size or a deviation, which is never less than nothing.
    fn flow(&mut self) -> Option<f64> {
        let value = self.value()?;
        if value < 0.0 {
            let fault = Fault::error("out-of-bounds", self.row.at("value"), "less than nothing");
            self.faults.push(fault.help("write 0 or more"));
            return None;
        }
        Some(value)
    }

    fn area(&mut self, key: &str) -> Option<AreaId> {
        let (plan, said) = (self.plan, self.row.str(key)?);
        let found = plan.areas.find(|a| a.tag.as_str() == said);
        found.or_else(|| self.unknown("area", said, self.row.at(key), plan.areas.values().map(|a| &a.tag)))
    }

    fn point(&mut self, key: &str) -> Option<PointId> {
        let (plan, said) = (self.plan, self.row.str(key)?);
        let found = plan.points.find(|p| p.tag.as_str() == said);
        found.or_else(|| self.unknown("point", said, self.row.at(key), plan.points.values().map(|p| &p.tag)))
    }

    fn element(&mut self, said: &str, place: Place) -> Option<ElementId> {
        let plan = self.plan;
        let found = plan.elements.find(|e| e.tag.as_str() == said);
        found.or_else(|| self.unknown("element", said, place, plan.elements.values().map(|e| &e.tag)))
    }

    /// The room, and which gas: the one that it has heads for, unless the event says it.
    fn gas(&mut self) -> Option<(AreaId, Tag)> {
        let area = self.area("what")?;
        let here = self.plan.points.values().filter(|p| p.area == area);
        let mut gases: Vec<Tag> = here.filter_map(|p| Some(p.gas.as_ref()?.tag.clone())).collect();
        gases.sort();
        gases.dedup();
        match (self.row.str("gas"), gases.as_slice()) {
            (None, [only]) => Some((area, only.clone())),
            (Some(named), _) if gases.iter().any(|gas| gas.as_str() == named) => {
                Some((area, Tag::new(named)?))
            }
            (Some(_) | None, _) => {
                let at = self.row.at(if self.row.has("gas") { "gas" } else { "what" });
                let message = "which gas? No head, or several, measure it in this area".to_owned();
                let names = one_of(gases.iter().map(Tag::as_str));
                self.faults.push(Fault::error("which-gas", at, message).help(format!("gas = {names}")));
                None
            }
        }
    }

    /// The state that is said, which must be one of these.
    fn is(&mut self, names: &[&str]) -> Option<String> {
        let Some(said) = self.row.str("is") else { return self.lacks("is") };
        if names.contains(&said) {
            return Some(said.to_owned());
        }
        let help = match nearest(said, names.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("one of {}", names.join(", ")),
        };
        let message = format!("`is` can't be {} here", quoted(said));
        self.faults.push(Fault::error("not-one-of", self.row.at("is"), message).help(help));
        None
    }

    /// The same for one device, or for all of a line.
    fn each(&mut self, deed: impl Fn(DeviceId) -> Deed) -> Option<Vec<Deed>> {
        let plan = self.plan;
        let said = self.row.str("what")?;
        if let Some(device) = plan.devices.find(|d| d.tag.as_str() == said) {
            return Some(vec![deed(device)]);
        }
        if let Some(bus) = plan.buses.find(|b| b.tag.as_str() == said) {
            return Some(plan.devices_on(bus).map(|(id, _)| deed(id)).collect());
        }
        let tags = plan.devices.values().map(|d| &d.tag).chain(plan.buses.values().map(|b| &b.tag));
        self.unknown("device or bus", said, self.row.at("what"), tags)
    }

    fn lacks<T>(&mut self, key: &str) -> Option<T> {
        // What is written badly has been told.
        if !self.row.has(key) {
            let verb = self.row.str("do").unwrap_or_default();
            let place: Place = self.row.at("do");
            self.faults.push(
                Fault::error("missing-key", place, format!("`{verb}` lacks `{key}`"))
                    .help(format!("add {key} = …")),
            );
        }
        None
    }

    fn unknown<'t, T>(
        &mut self,
        kind: &str,
        said: &str,
        place: Place,
        tags: impl Iterator<Item = &'t Tag>,
    ) -> Option<T> {
        let names: Vec<&str> = tags.map(Tag::as_str).collect();
        let help = match nearest(said, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the site has {}", one_of(names.iter().copied())),
        };
        let message = format!("there is no {kind} {}", quoted(said));
        self.faults.push(Fault::error("unknown-name", place, message).label("unknown").help(help));
        None
    }
}
