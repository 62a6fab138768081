//! Writes that a device refuses, or that do not read back: told when they begin, when the reason is another one, each
//! hour that it lasts, and when the device took it after all; of a device that changes its mind all the time once a
//! minute, with what came meanwhile counted. The line goes on trying all the while, and an output that
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

/// How often a target is told of at most, whatever it does.
const TOLD_AT_MOST: Span = Span::from_secs(60);

/// What was to be written, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A demand, to an element.
    Element(ElementId, Demand),
    /// What shows a device that somebody watches.
    Watchdog(DeviceId),
}

/// A write that was refused.
#[derive(Debug)]
struct Refused {
    failures: u32,
    kind: Kind,
    told: Mono,
    /// It was told, and not yet that it is over.
    stands: bool,
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
            let was = self.0.get_mut(&target).filter(|was| was.stands)?;
            was.stands = false;
            return Some(std::mem::take(&mut was.failures));
        };
        let kind = Kind::of(fault);
        let fresh = Refused { failures: 0, kind, told: now, stands: false };
        let is_new = !self.0.contains_key(&target);
        let was = self.0.entry(target).or_insert(fresh);
        was.failures = was.failures.saturating_add(1);
        let since = now.since(was.told);
        let is_news =
            is_new || since >= TOLD_AGAIN || (since >= TOLD_AT_MOST && (was.kind != kind || !was.stands));
        let failures = was.failures;
        if is_news {
            (was.kind, was.told, was.stands) = (kind, now, true);
        }
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

    fn trip() -> Target {
        Target::Element(first(), Demand::Trip)
    }

    #[test]
    fn a_refusal_is_told_once_then_by_the_hour_and_when_it_is_over() {
        let mut refusals = Refusals::default();
        let refused = LineFault::Exception(3);
        assert_eq!(refusals.note(s(0), trip(), Some(&refused)), Some(1));
        for n in 1..720 {
            assert_eq!(refusals.note(s(n * 5), trip(), Some(&refused)), None);
        }
        assert_eq!(refusals.note(s(3_600), trip(), Some(&refused)), Some(721), "each is counted");
        assert_eq!(
            refusals.note(s(3_660), trip(), Some(&LineFault::NoReply)),
            Some(722),
            "for another reason"
        );
        assert_eq!(refusals.note(s(3_665), trip(), None), Some(722));
        assert_eq!(refusals.note(s(3_670), trip(), None), None, "nothing was refused since");
    }

    #[test]
    fn a_device_that_changes_its_mind_all_the_time_is_told_of_once_a_minute_and_each_refusal_counts() {
        let mut refusals = Refusals::default();
        let (mut told, mut counted) = (0, 0);
        for n in 0..3_600 {
            let fault = match n % 3 {
                0 => Some(LineFault::Exception(3)),
                1 => Some(LineFault::NoReply),
                _ => None,
            };
            let is_over = fault.is_none();
            if let Some(failures) = refusals.note(s(n), trip(), fault.as_ref()) {
                told += 1;
                counted += if is_over { failures } else { 0 };
            }
        }
        assert!((100..=122).contains(&told), "begin and end of each: {told}");
        assert!(
            (2_300..=2_400).contains(&counted),
            "of 2,400 refusals {counted} are in what was told to be over"
        );
    }

    #[test]
    fn what_is_no_longer_demanded_is_forgotten() {
        let mut refusals = Refusals::default();
        assert_eq!(refusals.note(s(0), trip(), Some(&LineFault::NoReply)), Some(1));
        let release = Target::Element(first(), Demand::None);
        assert_eq!(refusals.note(s(1), release, None), None);
        assert_eq!(
            refusals.note(s(2), trip(), Some(&LineFault::NoReply)),
            Some(1),
            "a new demand, a new count"
        );
    }
}
