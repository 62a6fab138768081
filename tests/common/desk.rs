//! A judge at a desk: one site, virtual time, orders typed by hand, and everything that was recorded.

#![allow(dead_code, reason = "no test uses all of it")]

use davy::config::{self, Extras, Source};
use davy::model::alarm::{AlarmCause, AlarmState};
use davy::model::command::{Order, Reply, Verb};
use davy::model::plan::Plan;
use davy::model::point::{Quality, Reading};
use davy::model::record::{AlarmChange, Body, NuisanceKind, Record, Standing, Who};
use davy::model::table::{AlarmId, PointId};
use davy::model::time::{Mono, Now, Span, Wall};
use davy::safety::{Effects, Input, Site};
use std::sync::Arc;

/// The wall clock at the start: 2026-11-24, noon.
pub(crate) const NOON: i64 = 1_795_521_600_000;

/// A judge with its plan, its time and everything that it has recorded.
pub(crate) struct Desk {
    pub(crate) plan: Arc<Plan>,
    pub(crate) site: Site,
    pub(crate) now: Now,
    pub(crate) records: Vec<Record>,
}

impl Desk {
    /// The demo's site with `changes` made to its file, heard once and calm.
    pub(crate) fn new(changes: &[(&str, &str)]) -> Desk {
        let mut text = include_str!("../../config/demo.toml").to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let source = Source { name: "site.toml".to_owned(), text };
        let plan = match config::compile(&source, &Extras::default()) {
            Ok(compiled) => Arc::new(compiled.plan),
            Err(faults) => panic!("{}", faults.render(false)),
        };
        let now = Now { mono: Mono::START, wall: Wall::from_ms(NOON) };
        let site = Site::new(Arc::clone(&plan), &Default::default(), now);
        let mut desk = Desk { plan, site, now, records: Vec::new() };
        desk.calm();
        desk
    }

    /// Every point of every device reads what is no danger.
    pub(crate) fn calm(&mut self) {
        for device in self.plan.devices.ids().collect::<Vec<_>>() {
            let points: Vec<_> = self.plan.points_of(device).map(|(id, p)| (id, p.tag.to_string())).collect();
            let calm = |tag: &str| match tag {
                "heading.fan" => 1.0,
                "heading.duct" => 8.0,
                _ if tag.ends_with(".live") || tag.ends_with(".open") => 1.0,
                _ => 0.0,
            };
            let readings = points.iter().map(|(id, tag)| (*id, self.good(calm(tag)))).collect();
            self.input(Input::Readings { device, readings });
        }
    }

    pub(crate) fn good(&self, value: f64) -> Reading {
        Reading { value: Some(value), quality: Quality::Good, at: self.now.mono }
    }

    pub(crate) fn point(&self, tag: &str) -> PointId {
        self.plan.points.find(|p| p.tag.as_str() == tag).unwrap()
    }

    pub(crate) fn reads(&mut self, tag: &str, value: f64) {
        let id = self.point(tag);
        let (device, readings) = (self.plan.points[id].device, vec![(id, self.good(value))]);
        self.input(Input::Readings { device, readings });
    }

    pub(crate) fn input(&mut self, input: Input) -> Option<Reply> {
        let mut effects = Effects::default();
        self.site.handle(self.now, input, &mut effects);
        self.records.extend(effects.records);
        effects.reply
    }

    /// Lets time pass, with the tick, while every value stays as it is and is read again each second.
    pub(crate) fn pass(&mut self, span: Span) {
        let end = self.now.mono + span;
        while self.now.mono < end {
            let step = Span::from_ms(100);
            self.now = Now { mono: self.now.mono + step, wall: self.now.wall.after(step) };
            if self.now.mono.us().is_multiple_of(1_000_000) {
                self.read_again();
            }
            self.input(Input::Tick);
        }
    }

    pub(crate) fn read_again(&mut self) {
        let view = self.site.view(self.now);
        for device in self.plan.devices.ids().collect::<Vec<_>>() {
            let points = self.plan.points_of(device).map(|(id, _)| id);
            let readings = points.map(|id| (id, Reading { at: self.now.mono, ..view.points[id] })).collect();
            self.input(Input::Readings { device, readings });
        }
    }

    pub(crate) fn order(&mut self, name: &str, verb: Verb) -> Reply {
        let who = Who { name: name.to_owned(), via: "local".to_owned() };
        self.input(Input::Order(Order { who, verb })).unwrap()
    }

    pub(crate) fn shelve(&mut self, key: &str, minutes: u32, second: Option<&str>) -> Reply {
        let (reason, second) = ("work at the sensor".to_owned(), second.map(str::to_owned));
        self.order("li", Verb::Shelve { key: key.to_owned(), minutes, reason, second })
    }

    pub(crate) fn ack(&mut self, key: &str) -> Reply {
        let occurrence = self.site.view(self.now).alarms[self.alarm(key)].occurrence;
        self.order("li", Verb::Acknowledge { key: key.to_owned(), occurrence })
    }

    pub(crate) fn ack_all(&mut self) -> Reply {
        let seen = self.site.view(self.now).waiting(&self.plan);
        self.order("li", Verb::AcknowledgeAll { seen })
    }

    pub(crate) fn alarm(&self, key: &str) -> AlarmId {
        self.plan.alarm(key).unwrap_or_else(|| panic!("no alarm {key}"))
    }

    pub(crate) fn state(&self, key: &str) -> AlarmState {
        self.site.view(self.now).alarms[self.alarm(key)].state
    }

    /// Every change of one alarm so far.
    pub(crate) fn changes(&self, key: &str) -> Vec<&AlarmChange> {
        let changes = self.records.iter().filter_map(|r| match &r.body {
            Body::Alarm(change) => Some(change),
            _ => None,
        });
        changes.filter(|change| change.key == key).collect()
    }

    pub(crate) fn causes(&self, key: &str) -> Vec<AlarmCause> {
        self.changes(key).iter().map(|a| a.cause).collect()
    }

    pub(crate) fn nuisances(&self, kind: NuisanceKind) -> Vec<bool> {
        let of_kind = |r: &Record| match &r.body {
            Body::Nuisance(n) if n.kind == kind => Some(n.raised),
            _ => None,
        };
        self.records.iter().filter_map(of_kind).collect()
    }

    /// Power fails: what stands comes back out of the records, as the journal would give it, after `dark`.
    pub(crate) fn restart(&mut self, dark: Span) {
        let mut standing = Standing::default();
        self.records.iter().for_each(|record| standing.apply(record));
        assert_eq!(standing, self.site.standing(), "the records fold to what the judge holds");
        self.now = Now { mono: Mono::START, wall: self.now.wall.after(dark) };
        self.site = Site::new(Arc::clone(&self.plan), &standing, self.now);
    }

    /// The same site file is taken again.
    pub(crate) fn reload(&mut self) {
        let mut effects = Effects::default();
        self.site.replan(self.now, Arc::clone(&self.plan), &mut effects);
        self.records.extend(effects.records);
    }
}
