//! The air of the plant: rooms that fill and empty, fans, and what heads show of it.

use super::{NOISE_EVERY, Plant, RUNS_DOWN};
use crate::model::deed::Wiring;
use crate::model::plan::Plan;
use crate::model::point::{Tag, Unit};
use crate::model::table::{AreaId, PointId};
use crate::model::time::Mono;
use crate::simulator::head::{self, Head};
use crate::simulator::room::{Gas, Room};

impl Plant {
    /// What is in the air of a room, in percent by volume.
    #[must_use]
    pub fn in_the_air(&self, area: AreaId) -> Vec<(String, f64)> {
        let gases = self.rooms.get(&area).map(|room| room.gases.iter());
        gases.into_iter().flatten().map(|(gas, of)| (gas.to_string(), of.share)).collect()
    }

    pub(super) fn head(&mut self, point: PointId) -> &mut Head {
        self.heads.entry(point).or_insert_with(Head::new)
    }

    pub(super) fn room(&mut self, area: AreaId) -> &mut Room {
        self.rooms.entry(area).or_insert_with(|| Room::of(&self.plan, area))
    }

    /// A gas of a room; from now on the heads there see it.
    pub(super) fn gas(&mut self, area: AreaId, gas: &Tag) -> &mut Gas {
        let there = self.plan.points.iter();
        let there = there.filter(|(_, p)| p.area == area && p.gas.as_ref().is_some_and(|g| g.tag == *gas));
        let there: Vec<PointId> = there.map(|(id, _)| id).collect();
        for point in there {
            self.head(point);
        }
        self.room(area).gases.entry(gas.clone()).or_default()
    }

    pub(super) fn wire(&mut self, now: Mono, area: AreaId, wiring: &Wiring) {
        let plan: &Plan = &self.plan;
        self.rooms.entry(area).or_insert_with(|| Room::of(plan, area)).wire(plan, wiring);
        self.blow(now);
    }

    pub(super) fn set_fan(&mut self, now: Mono, area: AreaId, runs: bool) {
        self.room(area).fan = runs;
        self.blow(now);
    }

    /// What moves with a fan follows it.
    pub(super) fn blow(&mut self, now: Mono) {
        let positions = &self.positions;
        let turned = self.rooms.values_mut().filter_map(|room| {
            let runs = room.turns(|element| positions[element])?;
            Some((room.moved.clone(), runs))
        });
        let turned: Vec<(Vec<PointId>, bool)> = turned.collect();
        for (moved, runs) in turned {
            for point in moved {
                let to = if runs { head::at_rest(&self.plan, point) } else { 0.0 };
                if self.plan.points[point].unit == Unit::State {
                    self.set(now, point, to);
                } else {
                    self.ramp(now, point, to, RUNS_DOWN);
                }
            }
        }
    }

    /// Rooms fill and empty, and heads follow.
    pub(super) fn breathe(&mut self, now: Mono) {
        let over = now.since(self.moved_at);
        let beat = |at: Mono| at.us().checked_div(NOISE_EVERY.us()).unwrap_or(0);
        let hisses = beat(now) != beat(self.moved_at);
        self.moved_at = self.moved_at.max(now);
        let positions = &self.positions;
        for room in self.rooms.values_mut().filter(|room| !room.gases.is_empty()) {
            room.step(over, |element| positions[element]);
        }
        let heads: Vec<PointId> = self.heads.keys().copied().collect();
        for id in heads {
            let point = &self.plan.points[id];
            let share = point.gas.as_ref().and_then(|gas| {
                self.rooms.get(&point.area)?.gases.get(&gas.tag).map(|of| head::in_its_unit(of.share, point))
            });
            let hiss = hisses.then(|| self.hiss.noise());
            if let Some(head) = self.heads.get_mut(&id) {
                head.step(over, share.unwrap_or(0.0), hiss);
            }
            self.change(now, id, self.values[id]);
        }
    }

    /// What a point's head shows.
    #[must_use]
    pub fn measured(&self, point: PointId) -> f64 {
        let catalytic = self.plan.watched.points.get(&point).is_some_and(|w| w.catalytic);
        let range = self.plan.points[point].field.range;
        let value = self.values[point];
        self.heads.get(&point).map_or(value, |head| head.shows(value, range, catalytic))
    }
}
