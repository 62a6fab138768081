//! Outputs that change without Davy, and feeds that stay live.

use super::window::seconds;
use super::{Finding, Of, words};
use crate::model::element::{Demand, ElementKind, Mode, Phase, Position};
use crate::model::plan::{Element, Plan};
use crate::model::point::{Quality, Reading};
use crate::model::sign::{Knob, Sign};
use crate::model::table::{ElementId, PointId, Table};
use crate::model::time::{Mono, Now};
use crate::safety::element::ElementLife;

/// What is known of one element's output and feed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    demand: Demand,
    /// Whether the output was once read as it was written, since the demand last changed.
    matched: bool,
    differs: Option<Mono>,
    contact: Option<bool>,
    /// When the feed contact last moved.
    moved: Mono,
}

impl Output {
    pub(super) fn new(now: Mono) -> Output {
        Output { demand: Demand::None, matched: false, differs: None, contact: None, moved: now }
    }

    /// Takes in where the element stands.
    pub(super) fn watch(
        &mut self,
        now: Now,
        plan: &Plan,
        id: ElementId,
        life: &ElementLife,
        readings: &Table<PointId, Reading>,
        found: &mut Vec<Finding>,
    ) {
        let element = &plan.elements[id];
        let settings = &plan.watched.settings;
        let finding = |sign, score, from, seen, others: Vec<PointId>| Finding {
            of: Of::Element(id),
            sign,
            score,
            from,
            others,
            seen,
        };
        if element.mode == Mode::Act
            && let Some(since) = self.differs_since(now.mono, element, life, readings)
        {
            let lasted = now.mono.since(since);
            if lasted >= settings.span(Knob::OutputSettle) {
                let score = seconds(lasted) / settings.get(Knob::OutputSettle);
                let seen = words::output_local(life.demand == Demand::Trip);
                found.push(finding(Sign::OutputLocal, score, since, seen, vec![element.readback]));
            }
        }
        if element.kind != ElementKind::Load {
            return;
        }
        let contacts: Vec<PointId> =
            [element.safe_contact, element.unsafe_contact].into_iter().flatten().map(|c| c.point).collect();
        let lasted = now.mono.since(life.demanded);
        if element.mode == Mode::Act
            && life.demand == Demand::Trip
            && life.position == Position::Unsafe
            && lasted >= settings.span(Knob::FeedDelay)
        {
            let score = seconds(lasted) / settings.get(Knob::FeedDelay);
            let seen = words::feed_live(lasted);
            found.push(finding(Sign::FeedLive, score, life.demanded, seen, contacts.clone()));
        }
        self.feed(now.mono, &contacts, readings);
        let still = now.mono.since(self.moved);
        if self.contact.is_some() && still >= settings.span(Knob::FeedStillFor) {
            let score = seconds(still) / seconds(settings.span(Knob::FeedStillFor));
            let seen = words::feed_still(still);
            found.push(finding(Sign::FeedStill, score, self.moved, seen, contacts));
        }
    }

    /// Since when the output reads something else than was written, after it was once read so.
    fn differs_since(
        &mut self,
        now: Mono,
        element: &Element,
        life: &ElementLife,
        readings: &Table<PointId, Reading>,
    ) -> Option<Mono> {
        if self.demand != life.demand {
            (self.demand, self.matched, self.differs) = (life.demand, false, None);
        }
        let reading = readings[element.readback];
        let value = reading.value.filter(|_| reading.quality == Quality::Good)?;
        let is_trip = (value - f64::from(element.command.trip)).abs() < 0.5;
        let wanted = match (life.demand, life.phase) {
            (Demand::Trip, Phase::Demanded) => return None,
            (Demand::Trip, Phase::Idle | Phase::Commanded | Phase::Confirmed | Phase::Failed) => true,
            (Demand::None, _) => false,
        };
        if is_trip == wanted {
            (self.matched, self.differs) = (true, None);
            return None;
        }
        self.matched.then(|| *self.differs.get_or_insert(now))
    }

    fn feed(&mut self, now: Mono, contacts: &[PointId], readings: &Table<PointId, Reading>) {
        let Some(point) = contacts.last() else { return };
        let reading = readings[*point];
        let says = reading.value.filter(|_| reading.quality == Quality::Good).map(|v| v > 0.5);
        if let Some(says) = says
            && self.contact != Some(says)
        {
            (self.contact, self.moved) = (Some(says), now);
        }
    }
}
