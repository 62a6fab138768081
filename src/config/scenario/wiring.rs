//! What rooms and heads of a pretended plant are like, where that differs from what stands in the site file: nobody writes
//! there how large a room is or what feeds what.

use super::{Reader, seconds};
use crate::config::faults::{Fault, quoted};
use crate::config::shape::{HUGE, Key, Kind, Shape};
use crate::model::deed::{Deed, Wiring};
use crate::model::element::ElementKind;
use crate::model::table::ElementId;
use crate::model::time::Span;

/// Most elements that one room is wired to, of a kind.
const WIRED_MAX: usize = 64;

/// Smallest room, in m³: less is none.
const SMALLEST: f64 = 1.0;

/// Times between which heads show nine tenths of a step, in seconds.
const T90_S: (f64, f64) = (0.1, 600.0);

pub(super) static ROOM: Shape = Shape {
    what: "a room",
    keys: &[
        Key::must("area", Kind::Ref("an area"), "which area this room is"),
        Key::may("volume_m3", Kind::Number(SMALLEST, HUGE), "how large it is (default: 100)"),
        Key::may(
            "air_m3_min",
            Kind::Number(0.0, HUGE),
            "fresh air in m³ a minute while its fan runs (default: 20)",
        ),
        Key::may(
            "feeds",
            Kind::List(&Kind::Ref("a valve or a load"), 0, WIRED_MAX),
            "what a leak here is fed through: it ends when one of them is in its safe state (default: the area's valves)",
        ),
        Key::may(
            "works",
            Kind::List(&Kind::Ref("a load"), 0, WIRED_MAX),
            "what works the seam: it gives a quarter when one of them is dead (default: the area's loads)",
        ),
        Key::may(
            "fan",
            Kind::Ref("a load or a siren"),
            "what drives its fan: a load that is live, or what is switched on (default: it runs by itself)",
        ),
    ],
};

pub(super) static HEAD: Shape = Shape {
    what: "a head",
    keys: &[
        Key::must("point", Kind::Ref("a point"), "which point it measures"),
        Key::may(
            "t90_s",
            Kind::Number(T90_S.0, T90_S.1),
            "when it shows nine tenths of a step (default: 10)",
        ),
        Key::may("noise", Kind::Number(0.0, HUGE), "standard deviation of its noise, in the point's unit"),
        Key::may(
            "drift",
            Kind::Number(-HUGE, HUGE),
            "how far its zero moves in an hour, in the point's unit",
        ),
    ],
};

impl Reader<'_> {
    /// What a `[[room]]` says.
    pub(super) fn room(&mut self) -> Vec<Deed> {
        use ElementKind::{Load, Siren, Valve};
        let feeds = self.wired("feeds", &[Valve, Load]);
        let works = self.wired("works", &[Load]);
        let fan = self.wired("fan", &[Load, Siren]).and_then(|fans| fans.first().copied());
        let Some(area) = self.area("area") else { return Vec::new() };
        let wiring = Wiring { feeds, works, fan };
        let volume = self.row.number("volume_m3").map(|volume| Deed::Volume(area, volume));
        let air = self.row.number("air_m3_min").map(|air| Deed::Air(area, air));
        let wire = (wiring != Wiring::default()).then_some(Deed::Wire(area, wiring));
        [volume, air, wire].into_iter().flatten().collect()
    }

    /// What a `[[head]]` says.
    pub(super) fn of_head(&mut self) -> Vec<Deed> {
        let Some(point) = self.point("point") else { return Vec::new() };
        let t90 = self.row.number("t90_s").map(|s| Deed::T90(point, seconds(s)));
        let noise = self.row.number("noise").map(|noise| Deed::Noise(point, noise));
        let drift = self.row.number("drift").map(|drift| Deed::Drift(point, drift));
        [t90, noise, drift].into_iter().flatten().collect()
    }

    /// A T90 of an event, in seconds.
    pub(super) fn t90(&mut self) -> Option<Span> {
        let value = self.value()?;
        let (lo, hi) = T90_S;
        if !(lo..=hi).contains(&value) {
            let message = format!("a T90 of {value} s");
            let fault = Fault::error("out-of-bounds", self.row.at("value"), message);
            self.faults.push(fault.help(format!("write {lo} to {hi}")));
            return None;
        }
        Some(seconds(value))
    }

    /// The elements that `key` names, which must be of one of these kinds; `None` where it says nothing.
    fn wired(&mut self, key: &str, kinds: &[ElementKind]) -> Option<Vec<ElementId>> {
        if !self.row.has(key) {
            return None;
        }
        let list = self.row.list(key).iter();
        let list = list.filter_map(|cell| Some((cell.str()?.to_owned(), cell.place.clone())));
        let mut named: Vec<_> = list.collect();
        if let Some(one) = self.row.str(key) {
            named.push((one.to_owned(), self.row.at(key)));
        }
        let mut found = Vec::new();
        for (said, place) in named {
            let Some(id) = self.element(&said, place.clone()) else { continue };
            let kind = self.plan.elements[id].kind;
            if kinds.contains(&kind) {
                found.push(id);
                continue;
            }
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            let message = format!("{} is a {}", quoted(&said), kind.as_str());
            let help = format!("`{key}` names a {}", kinds.join(" or a "));
            self.faults.push(Fault::error("wrong-kind", place, message).help(help));
        }
        Some(found)
    }
}
