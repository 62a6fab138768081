//! What a line says in the log: each fault once, then counted, until it is over.

use crate::field::schedule::Event;
use crate::model::line::LineFault;
use crate::model::plan::Plan;
use crate::model::table::{BusId, DeviceId, ElementId};
use crate::model::time::{Mono, Span};
use std::collections::{BTreeMap, BTreeSet};

/// Says a fault once, then counts it, and says once that it is over; again after a while at the earliest, so that a
/// fault that comes and goes with every poll does not fill the log.
pub(super) struct Voice<'a> {
    plan: &'a Plan,
    bus: BusId,
    said: BTreeMap<Topic, Said>,
    /// Elements whose undone trip was counted only; nor is it said that it was written again.
    unsaid: BTreeSet<ElementId>,
}

/// How long after a fault was said the same one is not said again.
const SAY_AGAIN: Span = Span::from_secs(60);

/// What can be wrong, at most once at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Silent(DeviceId),
    Refused(DeviceId, usize),
    Busy(DeviceId),
    Unwatched(DeviceId),
    Write(ElementId),
    Undone(ElementId),
}

/// What was said of a topic.
#[derive(Default)]
struct Said {
    /// How often it was met since it was last said to be over.
    count: u64,
    /// It was said, and not yet that it is over.
    stands: bool,
    last: Option<Mono>,
}

impl Voice<'_> {
    pub(super) fn new(plan: &Plan, bus: BusId) -> Voice<'_> {
        Voice { plan, bus, said: BTreeMap::new(), unsaid: BTreeSet::new() }
    }

    pub(super) fn tell(&mut self, event: &Event, now: Mono) {
        let bus = &self.plan.buses[self.bus].tag;
        match event {
            Event::Read { device, block, .. } => {
                self.heard(*device);
                if let Some(failures) = self.over(Topic::Refused(*device, *block)) {
                    let tag = &self.plan.devices[*device].tag;
                    tracing::info!(%bus, device = %tag, block, failures, "registers no longer refused");
                }
            }
            Event::Refused { device, block, code, .. } => {
                self.heard(*device);
                if self.is_news(Topic::Refused(*device, *block), now) {
                    let (tag, fault) = (&self.plan.devices[*device].tag, LineFault::Exception(*code));
                    tracing::warn!(%bus, device = %tag, block, %fault, "registers refused; see the device's profile");
                }
            }
            Event::NoAnswer { device, fault } => {
                if self.is_news(Topic::Silent(*device), now) {
                    let tag = &self.plan.devices[*device].tag;
                    tracing::warn!(%bus, device = %tag, %fault, "no usable answer");
                }
            }
            Event::Wrote { element, demand, outcome: Ok(()) } => {
                let tag = &self.plan.elements[*element].tag;
                let failures = self.over(Topic::Write(*element));
                if !self.unsaid.remove(element) || failures.is_some() {
                    let failures = failures.unwrap_or(0);
                    tracing::info!(%bus, element = %tag, ?demand, failures, "written and read back");
                }
            }
            Event::Wrote { element, demand, outcome: Err(fault) } => {
                if self.is_news(Topic::Write(*element), now) {
                    let tag = &self.plan.elements[*element].tag;
                    tracing::error!(%bus, element = %tag, ?demand, %fault, "write failed, will be repeated");
                }
            }
            Event::Undone { element } => {
                if self.is_news(Topic::Undone(*element), now) {
                    let tag = &self.plan.elements[*element].tag;
                    let times = self.over(Topic::Undone(*element)).unwrap_or(0);
                    tracing::error!(%bus, element = %tag, times, "a trip was undone at the device, writing it again");
                } else {
                    self.unsaid.insert(*element);
                }
            }
            Event::Watched { device } => {
                if let Some(failures) = self.over(Topic::Unwatched(*device)) {
                    let tag = &self.plan.devices[*device].tag;
                    tracing::info!(%bus, device = %tag, failures, "the watchdog is taken again");
                }
            }
            Event::Unwatched { device, fault } => {
                if self.is_news(Topic::Unwatched(*device), now) {
                    let tag = &self.plan.devices[*device].tag;
                    tracing::warn!(%bus, device = %tag, %fault, "a device does not take its watchdog; see its profile");
                }
            }
            Event::Skipped { device, polls } => {
                if self.is_news(Topic::Busy(*device), now) {
                    let tag = &self.plan.devices[*device].tag;
                    tracing::warn!(%bus, device = %tag, polls, "line too busy for the poll period, polls left out");
                }
            }
        }
    }

    fn heard(&mut self, device: DeviceId) {
        if let Some(failures) = self.over(Topic::Silent(device)) {
            let (bus, tag) = (&self.plan.buses[self.bus].tag, &self.plan.devices[device].tag);
            tracing::info!(%bus, device = %tag, failures, "answers again");
        }
    }

    /// Counts a fault; whether it is to be said.
    fn is_news(&mut self, topic: Topic, now: Mono) -> bool {
        let said = self.said.entry(topic).or_default();
        said.count = said.count.saturating_add(1);
        if said.stands || said.last.is_some_and(|last| now.since(last) < SAY_AGAIN) {
            return false;
        }
        (said.stands, said.last) = (true, Some(now));
        true
    }

    /// How often a fault was met, where it was said and is over now.
    fn over(&mut self, topic: Topic) -> Option<u64> {
        let said = self.said.get_mut(&topic).filter(|said| said.stands)?;
        said.stands = false;
        Some(std::mem::take(&mut said.count))
    }
}
