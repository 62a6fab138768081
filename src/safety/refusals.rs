//! Writes that a device refuses, or that do not read back: told when they begin, when the reason is another one, each
//! hour that it lasts, and when the device took it after all. The line goes on trying all the while, and an output that
//! takes too long has its own alarm.

use super::site::{Effects, Site};
use crate::model::element::Demand;
use crate::model::line::LineFault;
use crate::model::plan::Plan;
use crate::model::point::Text;
use crate::model::record::{Body, WriteChange, Written};
use crate::model::table::{DeviceId, ElementId};
use crate::model::time::{Mono, Now, Span};
use std::collections::BTreeMap;

/// How often a refusal that lasts is told again.
const TOLD_AGAIN: Span = Span::from_secs(3_600);

/// What was to be written, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A demand, to an element.
    Element(ElementId, Demand),
    /// What shows a device that somebody watches.
    Watchdog(DeviceId),
}

/// A write that was refused so far.
#[derive(Debug)]
struct Refused {
    failures: u32,
    kind: Kind,
    told: Mono,
}

/// Refusals that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NoReply,
    Exception(u8),
    Damaged,
    Garbled,
    Link,
}

impl Kind {
    fn of(fault: &LineFault) -> Kind {
        match fault {
            LineFault::NoReply => Kind::NoReply,
            LineFault::Exception(code) => Kind::Exception(*code),
            LineFault::Damaged(_) => Kind::Damaged,
            LineFault::Garbled(_) => Kind::Garbled,
            LineFault::Link(_) => Kind::Link,
        }
    }
}

/// The writes that are refused; at most one for each output and each watchdog.
#[derive(Debug, Default)]
pub(crate) struct Refusals(BTreeMap<Target, Refused>);

impl Refusals {
    /// Takes in how a write went; gives the failed attempts where that is to be told.
    fn note(&mut self, now: Mono, target: Target, fault: Option<&LineFault>) -> Option<u32> {
        if let Target::Element(id, demand) = target {
            // What is demanded otherwise by now is not tried any more.
            let other = if demand == Demand::Trip { Demand::None } else { Demand::Trip };
            self.0.remove(&Target::Element(id, other));
        }
        let Some(fault) = fault else {
            return self.0.remove(&target).map(|was| was.failures);
        };
        let kind = Kind::of(fault);
        let was = self.0.get(&target);
        let failures = was.map_or(0, |was| was.failures).saturating_add(1);
        let is_news = was.is_none_or(|was| was.kind != kind || now.since(was.told) >= TOLD_AGAIN);
        let told = was.filter(|_| !is_news).map_or(now, |was| was.told);
        self.0.insert(target, Refused { failures, kind, told });
        is_news.then_some(failures)
    }
}

impl Site {
    /// A write was taken or refused.
    pub(crate) fn wrote(
        &mut self,
        now: Now,
        target: Target,
        outcome: Result<(), LineFault>,
        effects: &mut Effects,
    ) {
        if let Some(failures) = self.refusals.note(now.mono, target, outcome.as_ref().err()) {
            let fault = outcome.err();
            let change = told(&self.plan, target, failures, fault.as_ref());
            effects.record(now, Body::Write(change));
        }
    }
}

fn told(plan: &Plan, target: Target, failures: u32, fault: Option<&LineFault>) -> WriteChange {
    let (target, area, what, (zh, en)) = match target {
        Target::Element(id, demand) => {
            let element = &plan.elements[id];
            let (what, words) = match demand {
                Demand::Trip => (Written::Trip, ("动作命令", "the trip")),
                Demand::None => (Written::Release, ("复位命令", "the end of the trip")),
            };
            (element.tag.to_string(), plan.areas[element.area].tag.to_string(), what, words)
        }
        Target::Watchdog(id) => {
            let words = ("看门狗写入", "the watchdog's write");
            (plan.devices[id].tag.to_string(), String::new(), Written::Watchdog, words)
        }
    };
    let text = match fault {
        Some(fault) => Text::new(
            format!("{target} 未接受{zh}(第 {failures} 次): {fault}; 继续重试"),
            format!("{target} did not take {en} (attempt {failures}): {fault}; it is tried again"),
        ),
        None => Text::new(
            format!("{target} 在 {failures} 次失败后接受了{zh}"),
            format!("{target} took {en} after {failures} failed attempts"),
        ),
    };
    WriteChange { target, area, what, failures, fault: fault.map(ToString::to_string), text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::table::Row;

    fn first() -> ElementId {
        ElementId::from_usize(0)
    }

    fn s(seconds: u64) -> Mono {
        Mono::START + Span::from_secs(seconds)
    }

    #[test]
    fn a_refusal_is_told_once_then_by_the_hour_and_when_it_is_over() {
        let mut refusals = Refusals::default();
        let refused = LineFault::Exception(3);
        assert_eq!(refusals.note(s(0), Target::Element(first(), Demand::Trip), Some(&refused)), Some(1));
        for n in 1..720 {
            assert_eq!(refusals.note(s(n * 5), Target::Element(first(), Demand::Trip), Some(&refused)), None);
        }
        assert_eq!(
            refusals.note(s(3_600), Target::Element(first(), Demand::Trip), Some(&refused)),
            Some(721),
            "each is counted"
        );
        assert_eq!(
            refusals.note(s(3_605), Target::Element(first(), Demand::Trip), Some(&LineFault::NoReply)),
            Some(722),
            "for another reason"
        );
        assert_eq!(refusals.note(s(3_610), Target::Element(first(), Demand::Trip), None), Some(722));
        assert_eq!(
            refusals.note(s(3_615), Target::Element(first(), Demand::Trip), None),
            None,
            "nothing was refused since"
        );
    }

    #[test]
    fn what_is_no_longer_demanded_is_forgotten() {
        let mut refusals = Refusals::default();
        assert_eq!(
            refusals.note(s(0), Target::Element(first(), Demand::Trip), Some(&LineFault::NoReply)),
            Some(1)
        );
        let release = Target::Element(first(), Demand::None);
        assert_eq!(refusals.note(s(1), release, None), None);
        assert_eq!(
            refusals.note(s(2), Target::Element(first(), Demand::Trip), Some(&LineFault::NoReply)),
            Some(1),
            "a new demand, a new count"
        );
    }
}
