//! One simulated day: the world with its mischief, the judge, the journal and the way out, and after every step the
//! promises.

use crate::account::Account;
use crate::dice::Dice;
use crate::promises::{self, Broken};
use crate::sites;
use crate::uplink::Uplink;
use crate::world::kept::Journal;
use crate::world::plant::{Line, Plant, is_polled};
use crate::world::told;
use davy::model::alarm::Condition;
use davy::model::command::{Order, Reply, Verb};
use davy::model::element::{TestKind, TestResult};
use davy::model::incident::IncidentStep;
use davy::model::line::LineFault;
use davy::model::permit::{PermitKind, PermitStep, SetPoints, Tightening};
use davy::model::plan::{Plan, Subject};
use davy::model::point::{Doubt, Fault, Quality, Tag, Text};
use davy::model::record::{Body, BypassStep, Record, Standing, Trouble, Who};
use davy::model::table::{PointId, Row};
use davy::model::time::{Mono, Now, Span, Wall};
use davy::safety::{Effects, Input, Site};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

/// One step of the world.
const STEP: Span = Span::from_ms(100);

/// How long it takes at most until calm is back after the mischief: delays, holds, escalations, people's rounds.
const CALM_STEPS: u64 = 1_500;

/// Lines of the story that are kept for whoever has to read a failure.
const STORY: usize = 60;

/// What a day brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) steps: u64,
    pub(crate) inputs: u64,
    pub(crate) records: u64,
    pub(crate) trips: u64,
    pub(crate) resets: u64,
    pub(crate) refused: u64,
    pub(crate) crashes: u64,
    pub(crate) lost: u64,
    pub(crate) reloads: u64,
    pub(crate) shelved: u64,
    pub(crate) bypasses: u64,
    pub(crate) calibrations: u64,
    pub(crate) permits: u64,
    pub(crate) tests: u64,
    pub(crate) aborted: u64,
    pub(crate) incidents: u64,
    pub(crate) signs: u64,
    pub(crate) digest: String,
}

/// A day at work.
pub(crate) struct Day {
    files: Vec<Arc<Plan>>,
    plan: Arc<Plan>,
    site: Site,
    plant: Plant,
    journal: Journal,
    uplink: Uplink,
    account: Account,
    /// What all records so far fold to, flushed or not.
    folded: Standing,
    unflushed: u64,
    dice: Dice,
    now: Now,
    mischief: bool,
    pub(crate) story: VecDeque<String>,
    pub(crate) summary: Summary,
}

impl Day {
    pub(crate) fn new(seed: u64) -> Day {
        let mut dice = Dice::new(seed);
        let files = sites::files(&mut dice);
        let plan = Arc::clone(&files[0]);
        let now = Now { mono: Mono::from_us(1_000_000), wall: Wall::from_ms(1_795_491_725_000) };
        Day {
            site: Site::new(Arc::clone(&plan), &Standing::default(), now),
            plant: Plant::new(&plan),
            journal: Journal::new(&plan.gateway),
            uplink: Uplink::new(),
            account: Account::restarted(&plan, &Standing::default(), now),
            folded: Standing::default(),
            unflushed: 0,
            dice,
            now,
            mischief: true,
            story: VecDeque::new(),
            summary: Summary::default(),
            files,
            plan,
        }
    }

    /// Mischief for a while, then calm.
    pub(crate) fn run(&mut self) -> Broken {
        // Most days are short, so that many kinds of site have one; a few are long.
        let minutes = if self.dice.one_in(20) { 10 } else { 1 + self.dice.below(3) };
        let steps = u64::try_from(minutes).unwrap_or(1) * 600;
        for _ in 0..steps {
            self.step()?;
        }
        self.calm_down();
        let mut calm = Err(String::new());
        for _ in 0..CALM_STEPS {
            self.step()?;
            if self.summary.steps.is_multiple_of(50) {
                let view = self.site.view(self.now);
                calm = promises::s9_calm_returns(&view, &self.plan, &self.uplink, self.journal.recorded());
            }
            if calm.is_ok() {
                break;
            }
        }
        calm?;
        promises::each_occurrence_begins_and_ends_once(&self.journal, self.journal.standing())?;
        self.summary.records = self.journal.recorded();
        self.summary.digest = self.journal.digest();
        Ok(())
    }

    fn step(&mut self) -> Broken {
        self.summary.steps += 1;
        self.time_goes_by();
        if self.mischief {
            self.things_go_wrong();
        }
        self.plant.step(self.now.mono);
        let (plan, now) = (Arc::clone(&self.plan), self.now.mono);
        for (element, demand) in plan.elements.ids().zip(self.site.demands()) {
            if let Some(wrote) = self.plant.write(now, element, demand) {
                self.give(wrote)?;
            }
        }
        for device in plan.devices.ids().filter(|d| is_polled(&plan, *d, now)) {
            // A starved line does not ask.
            if let Some(answer) = self.plant.poll(now, device) {
                self.give(answer)?;
            }
        }
        self.give(Input::Tick)?;
        promises::s1_what_is_in_breach_is_under_demand(&self.site, &self.plan, &self.account, self.now)?;
        promises::s1_what_is_in_breach_is_in_alarm(&self.account, self.now)?;
        promises::s5_every_shelf_ends_by_its_expiry(&self.account, self.now)?;
        promises::s5_every_bypass_is_alarmed_and_ends_by_its_expiry(&self.account, &self.plan, self.now)?;
        promises::s5_every_permit_ends_by_its_expiry(&self.account, self.now)?;
        promises::never_two_voters_of_a_trip_are_out(&self.account, &self.plan, self.now)?;
        self.people()?;
        if self.mischief {
            self.gateway_troubles()?;
        }
        if !self.mischief || !self.dice.one_in(4) {
            self.flush();
        }
        self.uplink.step(&mut self.dice, self.mischief, self.journal.recorded(), self.now.mono);
        promises::s7_what_the_cursor_passed_has_arrived(&self.uplink)?;
        if self.summary.steps.is_multiple_of(50) {
            if self.unflushed == 0 && *self.journal.standing() != self.folded {
                return Err("the journal's lines fold to something else than the records".to_owned());
            }
            let view = self.site.view(self.now);
            promises::s5_every_calibration_ends_by_its_expiry(&self.account, &view, &self.plan)?;
            promises::s6_the_records_say_what_the_judge_holds(&self.folded, &self.site, &view, &self.plan)?;
        }
        Ok(())
    }

    fn time_goes_by(&mut self) {
        self.now = Now { mono: self.now.mono + STEP, wall: self.now.wall.after(STEP) };
        // The wall clock jumps now and then; nothing may be timed by it.
        if self.mischief && self.dice.one_in(1_500) {
            let ms = i64::try_from(self.dice.below(7_200_000)).unwrap_or(0) - 3_600_000;
            self.now.wall = Wall::from_ms(self.now.wall.ms() + ms);
            self.tell(|| format!("the clock jumps by {} s", ms / 1_000));
        }
    }

    fn things_go_wrong(&mut self) {
        let plan = Arc::clone(&self.plan);
        for (id, point) in plan.points.iter().filter(|(_, p)| !p.alarms.is_empty()) {
            if self.dice.one_in(120) {
                self.moves(id);
            }
            if self.dice.one_in(1_200) {
                let any = [
                    Quality::Uncertain(Doubt::OverRange),
                    Quality::Uncertain(Doubt::UnderRange),
                    Quality::Uncertain(Doubt::Calibrating),
                    Quality::Uncertain(Doubt::Unconfirmed),
                    Quality::Bad(Fault::SensorFault),
                    Quality::Bad(Fault::UnknownStatus),
                ];
                self.plant.quality[id] = *self.dice.pick(&any);
                let quality = self.plant.quality[id];
                self.tell(|| format!("{} is {quality}", point.tag));
            } else if self.plant.quality[id] != Quality::Good && self.dice.one_in(100) {
                self.plant.quality[id] = Quality::Good;
                self.tell(|| format!("{} is good", point.tag));
            }
        }
        for (id, device) in plan.devices.iter() {
            let is_well = self.plant.line[id] == Line::Answers;
            if self.dice.one_in(if is_well { 3_000 } else { 60 }) {
                self.plant.line[id] = if is_well { self.some_fault() } else { Line::Answers };
                let line = self.plant.line[id].clone();
                self.tell(|| format!("device {}: {line:?}", device.tag));
            }
        }
        for (id, element) in plan.elements.iter() {
            let drive = &mut self.plant.drive[id];
            if self.dice.one_in(if drive.stuck { 200 } else { 5_000 }) {
                drive.stuck = !drive.stuck;
                let stuck = drive.stuck;
                self.tell(|| format!("{} sticks: {stuck}", element.tag));
            }
        }
    }

    fn some_fault(&mut self) -> Line {
        match self.dice.below(6) {
            0 | 1 => Line::Fails(LineFault::NoReply),
            2 => Line::Fails(LineFault::Garbled("a wrong length".to_owned())),
            3 => Line::Fails(LineFault::Exception(4)),
            4 => Line::Starved,
            _ => Line::Late,
        }
    }

    /// Gas comes, stays or goes: at a set-point, around it, slowly, or back to what is ordinary.
    fn moves(&mut self, id: PointId) {
        let plan = Arc::clone(&self.plan);
        let point = &plan.points[id];
        let limits: Vec<f64> = point
            .alarms
            .iter()
            .filter_map(|a| plan.alarms[*a].limit.filter(|_| crate::account::is_of_a_value(&plan, *a)))
            .flat_map(|l| [l.set, l.reset])
            .collect();
        let step = 10f64.powi(-i32::from(point.decimals));
        let near =
            |x: f64, dice: &mut Dice| x + step * f64::from(u8::try_from(dice.below(3)).unwrap_or(0)) - step;
        let value = match self.dice.below(5) {
            0 | 1 if !limits.is_empty() => {
                let limit = *self.dice.pick(&limits);
                near(limit, &mut self.dice)
            }
            2 if !limits.is_empty() => *self.dice.pick(&limits) * 2.0 * self.dice.unit(),
            _ => self.plant.ordinary(id),
        };
        let is_contact = point.unit.as_str() == "state";
        let value = if is_contact { f64::from(u8::from(self.dice.one_in(2))) } else { value };
        if !is_contact && self.dice.one_in(3) {
            let over = Span::from_secs(1 + u64::try_from(self.dice.below(20)).unwrap_or(0));
            self.plant.ramp(self.now.mono, id, value, over);
            self.tell(|| format!("{} goes to {value:.3} over {over}", point.tag));
        } else {
            self.plant.set(id, value);
            self.tell(|| format!("{} reads {value:.3}", point.tag));
        }
    }

    fn calm_down(&mut self) {
        self.mischief = false;
        for id in self.plan.points.ids() {
            let ordinary = self.plant.ordinary(id);
            self.plant.set(id, ordinary);
            self.plant.quality[id] = Quality::Good;
        }
        for id in self.plan.devices.ids() {
            self.plant.line[id] = Line::Answers;
        }
        for id in self.plan.elements.ids() {
            self.plant.drive[id].stuck = false;
        }
        self.tell(|| "calm".to_owned());
    }

    // People: at bad moments while there is mischief, and on their rounds when it is calm.

    fn people(&mut self) -> Broken {
        if !self.mischief {
            return if self.summary.steps.is_multiple_of(50) { self.a_round() } else { Ok(()) };
        }
        if self.dice.one_in(60) {
            self.acknowledge_all()?;
        }
        if !self.plan.trips.is_empty() && self.dice.one_in(20) {
            let trip = self.dice.below(self.plan.trips.len());
            let target = self.plan.trips.values().nth(trip).map(|t| t.tag.to_string());
            self.order(Verb::Reset { target: target.unwrap_or_default() })?;
        }
        if self.dice.one_in(80) {
            let verb = self.some_verb();
            self.order(verb)?;
        }
        if self.dice.one_in(100) {
            let verb = self.some_work();
            self.order(verb)?;
        }
        for id in self.plan.elements.ids() {
            if self.dice.one_in(100) && self.plant.by_hand(self.now.mono, id) {
                let tag = self.plan.elements[id].tag.clone();
                self.tell(|| format!("{tag} is set back by hand"));
            }
        }
        Ok(())
    }

    fn acknowledge_all(&mut self) -> Broken {
        let seen = self.site.view(self.now).waiting(&self.plan);
        self.order(Verb::AcknowledgeAll { seen })
    }

    fn some_verb(&mut self) -> Verb {
        let n = self.dice.below(self.plan.alarms.len());
        let key = self.plan.alarms.values().nth(n).map(|a| a.key.clone()).unwrap_or_default();
        let second = (!self.dice.one_in(3)).then(|| "wang".to_owned());
        let reason = if self.dice.one_in(6) { String::new() } else { "work".to_owned() };
        match self.dice.below(8) {
            0 => {
                let occurrence = u32::try_from(self.dice.below(4)).unwrap_or(0);
                Verb::Acknowledge { key, occurrence }
            }
            1 => {
                let id = self.plan.alarm(&key);
                let occurrence = id.map_or(0, |id| self.site.view(self.now).alarms[id].occurrence);
                Verb::Acknowledge { key, occurrence }
            }
            2 | 3 => {
                let minutes = u32::try_from(self.dice.below(4)).unwrap_or(0);
                Verb::Shelve { key, minutes, reason, second }
            }
            4 => Verb::TakeOut { key, hours: None, reason, second },
            5 => Verb::TakeBack { key },
            6 => {
                let n = self.dice.below(self.plan.elements.len());
                let tag = self.plan.elements.values().nth(n).map(|e| e.tag.to_string());
                Verb::Reset { target: tag.unwrap_or_default() }
            }
            _ => Verb::Reset { target: key },
        }
    }

    /// Work at detectors, valves and places: what takes a voter out, tightens, or tests.
    fn some_work(&mut self) -> Verb {
        let plan = Arc::clone(&self.plan);
        let minutes = u32::try_from(self.dice.below(4)).unwrap_or(0);
        let second = (!self.dice.one_in(4)).then(|| "wang".to_owned());
        let reason = if self.dice.one_in(8) { String::new() } else { "work".to_owned() };
        let causes: Vec<&String> =
            plan.trips.values().flat_map(|t| t.causes.iter()).map(|a| &plan.alarms[*a].key).collect();
        let cause = causes.get(self.dice.below(causes.len())).map(|key| (*key).clone()).unwrap_or_default();
        let points: Vec<String> =
            plan.points.values().filter(|p| p.gas.is_some()).map(|p| p.tag.to_string()).collect();
        let point = points.get(self.dice.below(points.len())).cloned().unwrap_or_default();
        match self.dice.below(10) {
            0..=2 => Verb::Bypass { target: cause, minutes: Some(minutes), reason, second },
            3 => Verb::Unbypass { target: cause },
            4 => Verb::Calibrate { point, minutes: Some(minutes) },
            5 => Verb::Calibrate { point, minutes: None },
            6 => {
                let areas: Vec<String> = plan.areas.values().map(|a| a.tag.to_string()).collect();
                let place = if self.dice.one_in(2) { point } else { self.dice.pick(&areas).clone() };
                let kind = *self.dice.pick(&PermitKind::ALL);
                let tighten = if self.dice.one_in(3) {
                    Tightening::SetPoints(SetPoints { alarm: Some(self.dice.unit()), ..SetPoints::default() })
                } else {
                    Tightening::Percent(*self.dice.pick(&[50, 75, 99]))
                };
                Verb::Permit { place, kind, minutes, tighten, second }
            }
            7 => {
                let kind = *self.dice.pick(&PermitKind::ALL);
                Verb::EndPermit { key: format!("{point}:{}", kind.as_str()) }
            }
            _ => {
                let kind = *self.dice.pick(&[TestKind::Full, TestKind::Partial, TestKind::Interlock]);
                let trips = plan.trips.values().map(|t| t.tag.to_string());
                let elements = plan.elements.values().map(|e| e.tag.to_string());
                let of: Vec<String> =
                    if kind == TestKind::Interlock { trips.collect() } else { elements.collect() };
                let target = of.get(self.dice.below(of.len())).cloned().unwrap_or_default();
                Verb::ProofTest { target, kind }
            }
        }
    }

    /// Somebody goes through the list and does what each line asks for.
    fn a_round(&mut self) -> Broken {
        let plan = Arc::clone(&self.plan);
        self.acknowledge_all()?;
        let view = self.site.view(self.now);
        for bypass in &view.bypasses {
            self.order(Verb::Unbypass { target: plan.alarms[bypass.cause].key.clone() })?;
        }
        for permit in &view.permits {
            self.order(Verb::EndPermit { key: permit.key() })?;
        }
        let calibrated: Vec<String> = self.account.calibrating.keys().cloned().collect();
        for point in calibrated {
            self.order(Verb::Calibrate { point, minutes: None })?;
        }
        for (id, alarm) in view.alarms.iter().filter(|(_, a)| a.aside.is_some()) {
            if alarm.aside.as_ref().is_some_and(|a| a.how != davy::model::alarm::AsideHow::Suppressed) {
                self.order(Verb::TakeBack { key: plan.alarms[id].key.clone() })?;
            }
        }
        // What has failed its test is well again when it has passed one.
        let failed = |id: &davy::model::table::AlarmId| {
            plan.alarms[*id].condition == Condition::ProofTestFailed
                && view.alarms[*id].state != davy::model::alarm::AlarmState::Normal
        };
        for alarm in plan.alarms.ids().filter(failed) {
            if let Subject::Element(id) = plan.alarms[alarm].subject {
                let target = plan.elements[id].tag.to_string();
                self.order(Verb::ProofTest { target, kind: TestKind::Full })?;
            }
        }
        for (id, _) in view.trips.iter().filter(|(_, t)| t.tripped) {
            self.order(Verb::Reset { target: plan.trips[id].tag.to_string() })?;
        }
        for (id, element) in view.elements.iter() {
            let reset =
                element.demand == davy::model::element::Demand::Trip && !promises::is_siren(&plan, id);
            if reset {
                self.order(Verb::Reset { target: plan.elements[id].tag.to_string() })?;
            }
            self.plant.by_hand(self.now.mono, id);
        }
        for (id, alarm) in view.alarms.iter() {
            if alarm.state == davy::model::alarm::AlarmState::LatchedAcknowledged {
                self.order(Verb::Reset { target: plan.alarms[id].key.clone() })?;
            }
        }
        // Sirens that were found on after a crash are reset like anything else.
        for (id, element) in self.site.view(self.now).elements.iter() {
            if element.demand == davy::model::element::Demand::Trip && promises::is_siren(&plan, id) {
                self.order(Verb::Reset { target: plan.elements[id].tag.to_string() })?;
            }
        }
        for (code, detail) in [("disk", ""), ("uplink", "north")] {
            self.give(Input::Trouble(trouble(code, detail, false)))?;
        }
        Ok(())
    }

    fn order(&mut self, verb: Verb) -> Broken {
        let name = if self.dice.one_in(2) { "li" } else { "zhao" };
        let who = Who { name: name.to_owned(), via: "local".to_owned() };
        self.give(Input::Order(Order { who, verb }))
    }

    // The gateway: power that fails, files that change, other rooms in trouble.

    fn gateway_troubles(&mut self) -> Broken {
        if self.dice.one_in(900) {
            // Somebody has just begun something, and perhaps it is not on disk.
            if self.dice.one_in(2) {
                let verb = self.some_work();
                self.order(verb)?;
            }
            self.crash()?;
            if self.dice.one_in(3) {
                let verb = self.some_work();
                self.order(verb)?;
            }
        }
        if self.dice.one_in(400) {
            self.reload()?;
        }
        if self.dice.one_in(300) {
            let (code, detail) = *self.dice.pick(&[("disk", ""), ("uplink", "north")]);
            let raised = self.dice.one_in(2);
            self.give(Input::Trouble(trouble(code, detail, raised)))?;
        }
        Ok(())
    }

    /// The power fails: what stands comes back out of what was flushed, and nothing else.
    fn crash(&mut self) -> Broken {
        (self.summary.crashes, self.summary.lost) =
            (self.summary.crashes + 1, self.summary.lost + self.unflushed);
        let standing = self.journal.crash();
        let lost = std::mem::take(&mut self.unflushed);
        self.tell(|| format!("the power fails, and {lost} records with it"));
        self.now.mono = self.now.mono + Span::from_ms(500);
        self.site = Site::new(Arc::clone(&self.plan), &standing, self.now);
        let was = std::mem::replace(&mut self.account, Account::restarted(&self.plan, &standing, self.now));
        let over = was.calibrating.into_iter().filter(|(_, until)| *until <= self.now.mono);
        self.account.revived = over.map(|(point, _)| point).chain(was.revived).collect();
        self.uplink.breaks(&mut self.dice);
        self.plant.gateway_started();
        let view = self.site.view(self.now);
        promises::no_latched_trip_vanishes_over_a_restart(&self.site, &view, &self.plan, &standing)?;
        self.folded = standing;
        Ok(())
    }

    /// A site file is taken: the same, or a changed one.
    fn reload(&mut self) -> Broken {
        let plan = Arc::clone(self.dice.pick(&self.files));
        let objections = self.site.objections(&plan);
        if !objections.is_empty() {
            self.tell(|| format!("a new file is refused: {objections:?}"));
            return Ok(());
        }
        self.summary.reloads += 1;
        let same = *plan == *self.plan;
        self.tell(|| format!("a new file is taken (the same: {same})"));
        // A test ends with the file that it was begun under.
        let tested = self.account.testing.as_ref().map(|(subjects, _)| subjects.clone()).unwrap_or_default();
        let of_test = |tag: &Tag| tested.iter().any(|id| self.plan.elements[*id].tag == *tag);
        let before: Vec<_> = self.demanded().into_iter().filter(|tag| !of_test(tag)).collect();
        let mut effects = Effects::default();
        self.site.replan(self.now, Arc::clone(&plan), &mut effects);
        self.plant = self.plant.replanned(&plan);
        self.account = self.account.replanned(&plan, self.now);
        self.plan = plan;
        self.take(&effects, false)?;
        for tag in before {
            let kept = self.plan.elements.find(|e| e.tag == tag).is_none() || self.demanded().contains(&tag);
            let siren =
                self.plan.elements.iter().any(|(id, e)| e.tag == tag && promises::is_siren(&self.plan, id));
            if !kept && !siren {
                return Err(format!("a reload lifted the demand on {tag}"));
            }
        }
        Ok(())
    }

    fn demanded(&self) -> Vec<Tag> {
        let demands = self.site.demands();
        let all = self.plan.elements.iter();
        all.filter(|(id, _)| demands.get(id.to_usize()) == Some(&davy::model::element::Demand::Trip))
            .map(|(_, e)| e.tag.clone())
            .collect()
    }

    fn flush(&mut self) {
        self.journal.flush();
        self.unflushed = 0;
    }

    // The judge.

    fn give(&mut self, input: Input) -> Broken {
        self.summary.inputs += 1;
        match &input {
            Input::Readings { device, readings } => self.account.answered(*device, readings, self.now.mono),
            Input::NoAnswer { device, .. } => self.account.silent(*device, self.now.mono),
            Input::Tick => self.account.sweep(self.now.mono),
            _ => {}
        }
        let verb = match &input {
            Input::Order(order) => Some(order.verb.clone()),
            _ => None,
        };
        let reset = match &input {
            Input::Order(Order { verb: Verb::Reset { target }, .. }) => Some(target.clone()),
            _ => None,
        };
        let ordered = matches!(input, Input::Order(_));
        let mut effects = Effects::default();
        self.site.handle(self.now, input, &mut effects);
        if ordered != effects.reply.is_some() {
            return Err("an order has exactly one answer".to_owned());
        }
        if let (Some(target), Some(Reply::Done(_))) = (&reset, &effects.reply) {
            let element = self.plan.elements.find(|e| e.tag.as_str() == target);
            if let Some(id) = element {
                self.account.found.remove(&id);
            }
            if element.is_some() || self.plan.trip(target).is_some() {
                promises::nothing_is_reset_in_the_start_hold(&self.account, &self.plan, self.now)?;
            }
        }
        match &effects.reply {
            Some(Reply::Refused(why)) if why.is_empty() => return Err("refused without a reason".to_owned()),
            Some(Reply::Refused(_)) => self.summary.refused += 1,
            Some(Reply::Done(_)) | None => {}
        }
        promises::s8_every_queue_is_bounded(&effects, &self.plan, &self.uplink)?;
        // A test has no record of its begin, and may end with the order that began it.
        if let (Some(verb @ Verb::ProofTest { .. }), Some(Reply::Done(_))) = (&verb, &effects.reply) {
            self.account.ordered(verb, self.now.mono);
        }
        self.take(&effects, reset.is_some())?;
        if let (Some(verb), Some(Reply::Done(_))) = (&verb, &effects.reply) {
            self.summary.tests += u64::from(matches!(verb, Verb::ProofTest { .. }));
            let wrong = match verb {
                Verb::ProofTest { .. } => None,
                _ => self.account.ordered(verb, self.now.mono),
            };
            wrong.map_or(Ok(()), Err)?;
        }
        promises::a_test_gives_way_to_a_real_demand(&self.account, &self.plan, self.now)?;
        promises::s2_a_demand_has_a_reason_and_a_reason_has_its_demand(&self.site, &self.plan, &self.account)
    }

    fn take(&mut self, effects: &Effects, is_reset: bool) -> Broken {
        for record in &effects.records {
            for line in told::lines(record, told::Show::default()) {
                self.tell(|| line);
            }
            self.keep(record);
            match &record.body {
                Body::Alarm(change) => {
                    promises::an_alarm_has_a_breach(&self.plan, &self.account, change, self.now)?;
                    promises::s4_what_is_not_known_is_not_clear(&self.plan, &self.account, change, self.now)?;
                    self.summary.shelved += u64::from(self.account.shelved.contains_key(&change.key));
                    if let Some(wrong) = self.account.alarm_moved(change, self.now.mono) {
                        return Err(wrong);
                    }
                }
                Body::Trip(change) => {
                    let against = self
                        .plan
                        .trip(&change.tag)
                        .and_then(|id| self.account.against_reset(id, self.now.mono));
                    promises::s3_a_trip_ends_by_a_reset_with_all_conditions_met(change, against, is_reset)?;
                    promises::a_trip_has_causes_enough(change, &self.plan, &self.account, self.now)?;
                    let count =
                        if change.tripped { &mut self.summary.trips } else { &mut self.summary.resets };
                    *count += 1;
                    if let Some(wrong) = self.account.trip_moved(change) {
                        return Err(wrong);
                    }
                }
                _ => self.take_rest(record)?,
            }
        }
        let view = if effects.records.is_empty() { None } else { Some(self.site.view(self.now)) };
        view.map_or(Ok(()), |view| {
            promises::s6_the_records_say_what_the_judge_holds(&self.folded, &self.site, &view, &self.plan)
        })
    }

    fn take_rest(&mut self, record: &Record) -> Broken {
        let (account, sum, now) = (&mut self.account, &mut self.summary, self.now.mono);
        let wrong = match &record.body {
            Body::Bypass(change) => {
                sum.bypasses += u64::from(change.step == BypassStep::Started);
                account.bypass_moved(change, now)
            }
            Body::Permit(change) => {
                sum.permits += u64::from(change.step == PermitStep::Started);
                account.permit_moved(change, now)
            }
            Body::Calibration(change) => {
                sum.calibrations += u64::from(change.begun);
                account.calibration_moved(change, now);
                None
            }
            Body::ProofTest(done) => {
                sum.aborted += u64::from(done.result == TestResult::Aborted);
                account
                    .testing
                    .take()
                    .is_none()
                    .then(|| format!("a test of {} that nobody began", done.target))
            }
            Body::Incident(change) => {
                sum.incidents += u64::from(change.step == IncidentStep::Opened);
                account.incident_moved(change)
            }
            Body::Grade(change) => account.grade_moved(change),
            Body::Anomaly(anomaly) => {
                sum.signs += u64::from(anomaly.raised);
                account.sign_moved(anomaly)
            }
            _ => None,
        };
        wrong.map_or(Ok(()), Err)
    }

    fn keep(&mut self, record: &Record) {
        self.journal.write(record);
        self.folded.apply(record);
        self.unflushed += 1;
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.story.len() >= STORY {
            self.story.pop_front();
        }
        let (at, mut text) = (told::clock(self.now.mono), line());
        if !text.starts_with(' ') {
            text = format!("{at:>9}  {text}");
        }
        self.story.push_back(text);
    }

    /// The last lines of the story, and the site that it happened on.
    pub(crate) fn told(&self) -> String {
        let mut text = String::new();
        for line in &self.story {
            writeln!(text, "  {line}").unwrap();
        }
        text
    }
}

fn trouble(code: &'static str, detail: &str, raised: bool) -> Trouble {
    Trouble { code, detail: detail.to_owned(), raised, text: Text::new("故障", "trouble") }
}
