//! The demo's site under a judge, with a small plant behind it and a clock that the test turns.

use davy::config::{self, Extras, Source};
use davy::model::command::{Order, Reply, Verb};
use davy::model::element::{Demand, ElementKind, Mode};
use davy::model::line::LineFault;
use davy::model::plan::Plan;
use davy::model::point::{Fault, Quality, Reading};
use davy::model::record::{Body, Record, Standing, Who};
use davy::model::table::{AlarmId, ElementId, PointId, Row};
use davy::model::time::{Mono, Now, Span, Wall};
use davy::safety::{Effects, Input, Site};
use std::collections::BTreeMap;
use std::sync::Arc;

const STEP: Span = Span::from_ms(100);

/// One drive of the pretended plant.
#[derive(Clone, Copy)]
pub(crate) struct Drive {
    /// Share of the way to the safe end.
    pub(crate) at: f64,
    pub(crate) travel: Span,
    pub(crate) jammed: bool,
    /// Its limit switches say nothing of where it is.
    pub(crate) both_limits: bool,
    written: bool,
}

pub(crate) struct Bench {
    pub(crate) plan: Arc<Plan>,
    pub(crate) site: Site,
    pub(crate) now: Now,
    pub(crate) values: BTreeMap<PointId, f64>,
    pub(crate) bad: BTreeMap<PointId, Fault>,
    pub(crate) drives: Vec<Drive>,
    pub(crate) records: Vec<Record>,
    /// Writes that the devices refuse, by element.
    pub(crate) deaf: Vec<bool>,
    steps: u64,
}

/// The demo's site file with `edits`, each a text and what stands in its place.
pub(crate) fn plan(edits: &[(&str, &str)]) -> Plan {
    let mut text = include_str!("../../config/demo.toml").to_owned();
    for (old, new) in edits {
        assert!(text.contains(old), "{old}");
        text = text.replacen(old, new, 1);
    }
    let site = Source { name: "config/demo.toml".to_owned(), text };
    config::compile(&site, &Extras::default()).unwrap_or_else(|f| panic!("{}", f.render(false))).plan
}

impl Bench {
    pub(crate) fn new(edits: &[(&str, &str)]) -> Bench {
        let plan = Arc::new(plan(edits));
        let now = Now { mono: Mono::from_us(1_000_000), wall: Wall::from_ms(1_795_491_725_000) };
        let mut bench = Bench {
            site: Site::new(Arc::clone(&plan), &Standing::default(), now),
            now,
            values: BTreeMap::new(),
            bad: BTreeMap::new(),
            drives: plan
                .elements
                .values()
                .map(|_| Drive {
                    at: 0.0,
                    travel: Span::from_ms(800),
                    jammed: false,
                    both_limits: false,
                    written: false,
                })
                .collect(),
            records: Vec::new(),
            deaf: vec![false; plan.elements.len()],
            steps: 0,
            plan,
        };
        bench.set("heading.fan", 1.0);
        bench.set("heading.duct", 6.0);
        bench
    }

    /// A bench that has run calmly until resets are taken.
    pub(crate) fn calm(edits: &[(&str, &str)]) -> Bench {
        let mut bench = Bench::new(edits);
        bench.run(61);
        bench
    }

    pub(crate) fn point(&self, tag: &str) -> PointId {
        self.plan.points.find(|p| p.tag.as_str() == tag).unwrap_or_else(|| panic!("no point {tag}"))
    }

    pub(crate) fn element(&self, tag: &str) -> ElementId {
        self.plan.elements.find(|e| e.tag.as_str() == tag).unwrap_or_else(|| panic!("no element {tag}"))
    }

    pub(crate) fn alarm(&self, key: &str) -> AlarmId {
        self.plan.alarm(key).unwrap_or_else(|| panic!("no alarm {key}"))
    }

    pub(crate) fn set(&mut self, tag: &str, value: f64) {
        self.values.insert(self.point(tag), value);
    }

    pub(crate) fn break_point(&mut self, tag: &str, fault: Option<Fault>) {
        let point = self.point(tag);
        match fault {
            Some(fault) => drop(self.bad.insert(point, fault)),
            None => drop(self.bad.remove(&point)),
        }
    }

    pub(crate) fn drive(&mut self, tag: &str) -> &mut Drive {
        let n = self.element(tag).to_usize();
        self.drives.get_mut(n).unwrap()
    }

    pub(crate) fn give(&mut self, input: Input) -> Option<Reply> {
        let mut effects = Effects::default();
        self.site.handle(self.now, input, &mut effects);
        self.records.append(&mut effects.records);
        effects.reply
    }

    /// Seconds of the plant's and the judge's time.
    pub(crate) fn run(&mut self, secs: u64) {
        for _ in 0..secs * 10 {
            self.step();
        }
    }

    pub(crate) fn step(&mut self) {
        self.now.mono = self.now.mono + STEP;
        self.now.wall = Wall::from_ms(self.now.wall.ms() + 100);
        self.steps += 1;
        self.move_plant();
        if self.steps.is_multiple_of(5) {
            self.poll();
        }
        self.give(Input::Tick);
    }

    fn move_plant(&mut self) {
        let demands = self.site.demands();
        let plan = Arc::clone(&self.plan);
        for (id, element) in plan.elements.iter() {
            let n = id.to_usize();
            let (demand, drive) = (demands[n], &mut self.drives[n]);
            let wanted = demand == Demand::Trip;
            #[expect(clippy::cast_precision_loss, reason = "a share of a travel")]
            let share = STEP.us() as f64 / drive.travel.us().max(1) as f64;
            if drive.written && !drive.jammed {
                drive.at = (drive.at + share).min(1.0);
            }
            let follows = matches!(element.kind, ElementKind::Siren | ElementKind::Lock);
            if follows && !drive.written && !drive.jammed {
                drive.at = (drive.at - share).max(0.0);
            }
            if wanted != drive.written && element.mode == Mode::Act {
                let outcome = if self.deaf[n] { Err(LineFault::NoReply) } else { Ok(()) };
                drive.written = if self.deaf[n] { drive.written } else { wanted };
                self.give(Input::Wrote { element: id, demand, outcome });
            }
        }
    }

    pub(crate) fn poll(&mut self) {
        let plan = Arc::clone(&self.plan);
        for (id, element) in plan.elements.iter() {
            let drive = self.drives[id.to_usize()];
            let says = [
                (element.safe_contact, drive.at >= 1.0 || drive.both_limits),
                (element.unsafe_contact, drive.at < 0.1 || drive.both_limits),
            ];
            for (contact, yes) in says {
                if let Some(contact) = contact {
                    self.values.insert(contact.point, f64::from(u8::from(yes == contact.yes)));
                }
            }
            let cell =
                if drive.written { element.command.trip } else { element.command.release.unwrap_or(0) };
            self.values.insert(element.readback, f64::from(cell));
        }
        for device in plan.devices.ids() {
            let reading = |id: PointId| match self.bad.get(&id) {
                Some(fault) => Reading::bad(*fault, self.now.mono),
                None => {
                    let value = self.values.get(&id).copied().unwrap_or(0.0);
                    Reading { value: Some(value), quality: Quality::Good, at: self.now.mono }
                }
            };
            let readings = plan.points_of(device).map(|(id, _)| (id, reading(id))).collect();
            self.give(Input::Readings { device, readings });
        }
    }

    pub(crate) fn demand(&self, tag: &str) -> Demand {
        self.site.demands()[self.element(tag).to_usize()]
    }

    pub(crate) fn is_active(&self, key: &str) -> bool {
        self.site.view(self.now).alarms[self.alarm(key)].state.is_active()
    }

    /// The keys of all alarms whose condition stands.
    pub(crate) fn active(&self) -> Vec<String> {
        let view = self.site.view(self.now);
        let active = self.plan.alarms.iter().filter(|(id, _)| view.alarms[*id].state.is_active());
        active.map(|(_, alarm)| alarm.key.clone()).collect()
    }

    pub(crate) fn order_by(&mut self, name: &str, verb: Verb) -> Reply {
        let who = Who { name: name.to_owned(), via: "test".to_owned() };
        self.give(Input::Order(Order { who, verb })).unwrap()
    }

    pub(crate) fn order(&mut self, verb: Verb) -> Reply {
        self.order_by("li", verb)
    }

    pub(crate) fn reset(&mut self, target: &str) -> Reply {
        self.order(Verb::Reset { target: target.to_owned() })
    }

    pub(crate) fn ack_all(&mut self) -> Reply {
        let seen = self.site.view(self.now).waiting(&self.plan);
        self.order(Verb::AcknowledgeAll { seen })
    }

    /// Acknowledges everything and resets.
    pub(crate) fn acknowledge_and_reset(&mut self, target: &str) {
        self.ack_all();
        let reply = self.reset(target);
        assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
    }

    /// What stands, as the journal would give it back.
    pub(crate) fn folded(&self) -> Standing {
        let mut standing = Standing::default();
        self.records.iter().for_each(|record| standing.apply(record));
        standing
    }

    /// The gateway loses power and comes back; the monotonic clock begins anew.
    pub(crate) fn restart(&mut self) {
        let standing = self.folded();
        assert_eq!(standing, self.site.standing(), "the records fold to what the judge holds");
        self.now.mono = Mono::from_us(1_000_000);
        self.site = Site::new(Arc::clone(&self.plan), &standing, self.now);
    }

    pub(crate) fn reload(&mut self, plan: Plan) {
        let mut effects = Effects::default();
        self.plan = Arc::new(plan);
        self.site.replan(self.now, Arc::clone(&self.plan), &mut effects);
        self.records.append(&mut effects.records);
    }

    /// What was recorded, as far as `pick` wants it.
    pub(crate) fn told<T>(&self, pick: impl Fn(&Body) -> Option<T>) -> Vec<T> {
        self.records.iter().filter_map(|record| pick(&record.body)).collect()
    }
}

/// The English words of a refusal.
pub(crate) fn refusal(reply: &Reply) -> String {
    match reply {
        Reply::Refused(why) => why.iter().map(|w| w.en.to_string()).collect::<Vec<_>>().join("; "),
        Reply::Done(done) => panic!("done: {}", done.en),
    }
}
