//! The air of rooms: gas flows in, fresh air carries it away. What heads show of it is another matter.

use crate::model::deed::Wiring;
use crate::model::element::{ElementKind, Position};
use crate::model::plan::Plan;
use crate::model::point::{Tag, Unit};
use crate::model::table::{AreaId, ElementId, PointId};
use crate::model::time::Span;
use std::collections::BTreeMap;

/// A room of which nobody has said how large it is, in m³.
const VOLUME: f64 = 100.0;

/// Fresh air of a room of which nobody has said how much it gets, in m³/min.
const AIR: f64 = 20.0;

/// What goes through a room whose fan stands, as part of its air.
const DRAUGHT: f64 = 0.02;

/// What a seam gives while nobody cuts it, as part of what it gives otherwise.
const SEAM_AT_REST: f64 = 0.25;

/// A room, which is an area of the plan.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) volume: f64,
    pub(super) air: f64,
    /// Whether its fan is let run; that of one without a fan is.
    pub(super) fan: bool,
    /// What drives its fan, and whether it does so in its safe state: a siren or a fan that is switched on.
    driver: Option<(ElementId, bool)>,
    /// Whether its fan runs.
    pub(super) runs: bool,
    /// What is in it, by gas.
    pub(super) gases: BTreeMap<Tag, Gas>,
    /// What a leak is fed through: it ends when one of them is shut.
    feeds: Vec<ElementId>,
    /// What works the seam: it gives less when one of them is dead.
    works: Vec<ElementId>,
    /// What moves with the fan: contacts, and air speeds.
    pub(super) moved: Vec<PointId>,
}

/// A gas in a room.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gas {
    /// Share of the air, in percent by volume.
    pub(super) share: f64,
    /// In m³/min.
    pub(super) leak: f64,
    /// In m³/min.
    pub(super) seam: f64,
}

impl Room {
    /// The room `area`: its valves feed what leaks in it, its loads work its seam, and its air speeds and the contacts of
    /// the devices that measure them, or that are fans by their profile, move with its fan.
    pub(super) fn of(plan: &Plan, area: AreaId) -> Room {
        let elements = |kind: ElementKind| {
            let here = plan.elements.iter().filter(move |(_, e)| e.area == area && e.kind == kind);
            here.map(|(id, _)| id).collect::<Vec<_>>()
        };
        let told = plan.elements.values().flat_map(|e| [e.safe_contact, e.unsafe_contact]);
        let told: Vec<PointId> = told.flatten().map(|contact| contact.point).collect();
        let blows = |device| {
            plan.devices[device].profile.contains("fan")
                || plan.points_of(device).any(|(_, p)| p.unit == Unit::MetrePerSecond)
        };
        let moved = plan.points.iter().filter(|(id, p)| {
            let read_back = plan.elements.values().any(|e| e.readback == *id);
            let contact = p.unit == Unit::State && blows(p.device) && !read_back && !told.contains(id);
            p.area == area && (contact || p.unit == Unit::MetrePerSecond)
        });
        Room {
            volume: VOLUME,
            air: AIR,
            fan: true,
            driver: None,
            runs: true,
            gases: BTreeMap::new(),
            feeds: elements(ElementKind::Valve),
            works: elements(ElementKind::Load),
            moved: moved.map(|(id, _)| id).collect(),
        }
    }

    /// Wires it otherwise than by what stands in it.
    pub(super) fn wire(&mut self, plan: &Plan, wiring: &Wiring) {
        self.feeds = wiring.feeds.clone().unwrap_or_else(|| std::mem::take(&mut self.feeds));
        self.works = wiring.works.clone().unwrap_or_else(|| std::mem::take(&mut self.works));
        let driver = wiring.fan.map(|id| (id, plan.elements[id].kind == ElementKind::Siren));
        self.driver = driver.or(self.driver);
    }

    /// Whether its fan began to run, or to stand, since the last time.
    pub(super) fn turns(&mut self, position: impl Fn(ElementId) -> Position) -> Option<bool> {
        let driven = self.driver.is_none_or(|(id, when_safe)| (position(id) == Position::Safe) == when_safe);
        let before = std::mem::replace(&mut self.runs, self.fan && driven);
        (before != self.runs).then_some(self.runs)
    }

    /// Lets time go by. The flows are those of now, so that steps may be as long as nothing moves.
    pub(super) fn step(&mut self, over: Span, position: impl Fn(ElementId) -> Position) {
        let shut = self.feeds.iter().any(|id| position(*id) == Position::Safe);
        let dead = self.works.iter().any(|id| position(*id) == Position::Safe);
        let air = if self.runs { self.air } else { self.air * DRAUGHT };
        for gas in self.gases.values_mut() {
            let leak = if shut { 0.0 } else { gas.leak };
            let flow = leak + if dead { gas.seam * SEAM_AT_REST } else { gas.seam };
            let out = air + flow;
            if out <= 0.0 || self.volume <= 0.0 {
                continue;
            }
            let settles_at = 100.0 * flow / out;
            let left = (-out / self.volume * over.minutes()).exp();
            gas.share = settles_at + (gas.share - settles_at) * left;
        }
    }
}
