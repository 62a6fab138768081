//! What stands behind the lines: values, the health of sensors and devices, and drives that travel and stick.

use davy::model::element::{Demand, ElementKind, Mode, Position};
use davy::model::line::LineFault;
use davy::model::plan::{Element, Plan};
use davy::model::point::{Doubt, Fault, Quality, Reading};
use davy::model::table::{DeviceId, ElementId, PointId, Row, Table};
use davy::model::time::{Mono, Span};
use davy::safety::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Travel of a valve; and of a contactor or siren.
const VALVE_TRAVEL: Span = Span::from_ms(2_000);
/// See [`VALVE_TRAVEL`].
const SWITCH_TRAVEL: Span = Span::from_ms(200);

/// How a device answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    Answers,
    Fails(LineFault),
    /// It is not asked: the line is starved.
    Starved,
    /// It answers, so late that the answer reaches the judge with the next poll.
    Late,
}

/// A valve, a feed switch or a siren.
#[derive(Clone, Debug)]
pub(crate) struct Drive {
    /// What is in the cell that Davy writes.
    pub(crate) commanded: bool,
    pub(crate) stuck: bool,
    /// The contact of its unsafe state says yes, wherever it is.
    pub(crate) lies: bool,
    /// Somebody operates the output on site: nothing that is written counts.
    local: bool,
    /// A valve with a drive of its own: let go before it is closed, it opens again.
    pub(crate) springs_back: bool,
    toward_safe: bool,
    since: Option<Mono>,
}

/// Everything behind the lines.
#[derive(Clone, Debug)]
pub(crate) struct Plant {
    pub(crate) plan: Arc<Plan>,
    pub(crate) value: Table<PointId, f64>,
    pub(crate) quality: Table<PointId, Quality>,
    pub(crate) line: Table<DeviceId, Line>,
    pub(crate) drive: Table<ElementId, Drive>,
    ramps: BTreeMap<PointId, (f64, f64, Mono, Span)>,
    /// What a late device has still to deliver.
    late: BTreeMap<DeviceId, Vec<(PointId, Reading)>>,
    /// Devices whose outputs were read since the gateway started: only then is anything released.
    read_once: BTreeSet<DeviceId>,
}

impl Plant {
    /// An ordinary day: no gas, valves open, loads live, contacts and low set-points where they do not alarm.
    pub(crate) fn new(plan: &Arc<Plan>) -> Plant {
        let still = Drive {
            commanded: false,
            stuck: false,
            lies: false,
            local: false,
            springs_back: false,
            toward_safe: false,
            since: None,
        };
        Plant {
            value: plan.points.map(|_, _| 0.0),
            quality: plan.points.map(|_, _| Quality::Good),
            line: plan.devices.map(|_, _| Line::Answers),
            drive: plan.elements.map(|_, _| still.clone()),
            ramps: BTreeMap::new(),
            late: BTreeMap::new(),
            read_once: BTreeSet::new(),
            plan: Arc::clone(plan),
        }
        .calmed()
    }

    fn calmed(mut self) -> Plant {
        for point in self.plan.points.ids() {
            self.value[point] = self.ordinary(point);
        }
        self
    }

    /// What a point reads on an ordinary day.
    pub(crate) fn ordinary(&self, point: PointId) -> f64 {
        use davy::model::alarm::Condition;
        let limits = self.plan.points[point].alarms.iter().map(|a| &self.plan.alarms[*a]);
        let (mut above, mut below, mut exact) = (None::<f64>, None::<f64>, None);
        for alarm in limits {
            let Some(limit) = alarm.limit else { continue };
            match alarm.condition {
                Condition::High(_) => below = Some(below.map_or(limit.reset, |b| b.min(limit.reset))),
                Condition::Low(_) => above = Some(above.map_or(limit.reset, |a| a.max(limit.reset))),
                Condition::Contact(_) => exact = Some(limit.reset),
                Condition::Differs => exact = Some(limit.set),
                _ => {}
            }
        }
        match (exact, above, below) {
            (Some(exact), _, _) => exact,
            (None, Some(above), Some(below)) => f64::midpoint(above, below),
            (None, Some(above), None) => above * 2.0,
            (None, None, _) => 0.0,
        }
    }

    /// Goes on under another plan: what keeps its name stays as it is.
    pub(crate) fn replanned(&self, plan: &Arc<Plan>) -> Plant {
        let mut next = Plant::new(plan);
        for (id, point) in plan.points.iter() {
            if let Some(was) = self.plan.points.find(|p| p.tag == point.tag) {
                (next.value[id], next.quality[id]) = (self.value[was], self.quality[was]);
                if let Some(ramp) = self.ramps.get(&was) {
                    next.ramps.insert(id, *ramp);
                }
            }
        }
        for (id, device) in plan.devices.iter() {
            if let Some(was) = self.plan.devices.find(|d| d.tag == device.tag) {
                next.line[id] = self.line[was].clone();
                if self.read_once.contains(&was) {
                    next.read_once.insert(id);
                }
            }
        }
        for (id, element) in plan.elements.iter() {
            if let Some(was) = self.plan.elements.find(|e| e.tag == element.tag) {
                next.drive[id] = self.drive[was].clone();
            }
        }
        next
    }

    /// The gateway has started again: nothing has been read yet.
    pub(crate) fn gateway_started(&mut self) {
        self.read_once.clear();
        self.late.clear();
    }

    pub(crate) fn set(&mut self, point: PointId, value: f64) {
        self.ramps.remove(&point);
        self.value[point] = value;
    }

    pub(crate) fn ramp(&mut self, now: Mono, point: PointId, to: f64, over: Span) {
        self.ramps.insert(point, (self.value[point], to, now, over));
    }

    /// Lets time go by.
    pub(crate) fn step(&mut self, now: Mono) {
        let mut arrived = Vec::new();
        for (point, (from, to, since, over)) in &self.ramps {
            let gone = now.since(*since);
            #[expect(clippy::cast_precision_loss, reason = "minutes in microseconds")]
            let share = gone.us() as f64 / over.us().max(1) as f64;
            // As an instrument shows it: whole steps.
            self.value[*point] = ((from + (to - from) * share.min(1.0)) * 1e4).round() / 1e4;
            if gone >= *over {
                arrived.push(*point);
            }
        }
        self.ramps.retain(|point, _| !arrived.contains(point));
        for id in self.plan.elements.ids() {
            // A siren falls silent when nothing is asked of it; valves and loads are set back by hand only.
            let silenced = self.plan.elements[id].kind == ElementKind::Siren && !self.drive[id].commanded;
            let drive = &self.drive[id];
            let springs = drive.springs_back && !drive.commanded && self.position(now, id).is_between();
            if drive.commanded || silenced || springs {
                self.go(now, id, !(silenced || springs));
            }
        }
    }

    fn go(&mut self, now: Mono, id: ElementId, toward_safe: bool) {
        let drive = &mut self.drive[id];
        if !drive.stuck && drive.toward_safe != toward_safe {
            (drive.toward_safe, drive.since) = (toward_safe, Some(now));
        }
    }

    /// Somebody opens a valve or re-powers a load on site; refused while it is commanded off.
    pub(crate) fn by_hand(&mut self, now: Mono, id: ElementId) -> bool {
        let free = !self.drive[id].commanded;
        if free {
            self.go(now, id, false);
        }
        free
    }

    /// Somebody switches the output on site, or (`None`) leaves it to Davy again.
    pub(crate) fn switch_on_site(&mut self, id: ElementId, to: Option<bool>) {
        let drive = &mut self.drive[id];
        drive.local = to.is_some();
        drive.commanded = to.unwrap_or(drive.commanded);
    }

    /// Where an element is.
    pub(crate) fn position(&self, now: Mono, id: ElementId) -> Position {
        let travel =
            if self.plan.elements[id].kind == ElementKind::Valve { VALVE_TRAVEL } else { SWITCH_TRAVEL };
        let drive = &self.drive[id];
        match (drive.since.is_none_or(|since| now.since(since) >= travel), drive.toward_safe) {
            (true, true) => Position::Safe,
            (true, false) => Position::Unsafe,
            (false, _) => Position::Travelling,
        }
    }

    /// Contacts and read-backs of the elements on a device follow the drives.
    fn show(&mut self, now: Mono, device: DeviceId) {
        let plan = Arc::clone(&self.plan);
        for (id, element) in plan.elements.iter() {
            let (position, lies) = (self.position(now, id), self.drive[id].lies);
            let both = element.safe_contact.is_some() && element.unsafe_contact.is_some();
            let is_unsafe =
                lies || position == Position::Unsafe || (!both && position == Position::Travelling);
            let contacts =
                [(element.safe_contact, position == Position::Safe), (element.unsafe_contact, is_unsafe)];
            for (contact, says) in contacts {
                if let Some(contact) = contact.filter(|c| plan.points[c.point].device == device) {
                    self.value[contact.point] = f64::from(u8::from(says == contact.yes));
                }
            }
            if plan.points[element.readback].device == device {
                self.value[element.readback] = f64::from(cell(element, self.drive[id].commanded));
            }
        }
    }

    /// What one poll of a device brings.
    pub(crate) fn poll(&mut self, now: Mono, device: DeviceId) -> Option<Input> {
        let line = self.line[device].clone();
        if let Line::Fails(fault) = line {
            return Some(Input::NoAnswer { device, fault });
        }
        if line == Line::Starved {
            return None;
        }
        self.show(now, device);
        let plan = Arc::clone(&self.plan);
        let read = |plant: &Plant, id: PointId| {
            let quality = plant.quality[id];
            let value = (!matches!(quality, Quality::Bad(_))).then_some(plant.value[id]);
            Reading { value, quality, at: now }
        };
        let mut readings: Vec<_> = plan.points_of(device).map(|(id, _)| (id, read(self, id))).collect();
        if line == Line::Late {
            std::mem::swap(self.late.entry(device).or_default(), &mut readings);
            if readings.is_empty() {
                return None;
            }
        }
        self.read_once.insert(device);
        Some(Input::Readings { device, readings })
    }

    /// What the line does about a demand: writes until it is read back, releases only what it has read before.
    pub(crate) fn write(&mut self, now: Mono, id: ElementId, demand: Demand) -> Option<Input> {
        let (element, wanted) = (&self.plan.elements[id], demand == Demand::Trip);
        let released_blind = !wanted && !self.read_once.contains(&element.device);
        if wanted == self.drive[id].commanded || element.mode == Mode::Observe || released_blind {
            return None;
        }
        if let Line::Fails(fault) = &self.line[element.device] {
            return Some(Input::Wrote { element: id, demand, outcome: Err(fault.clone()) });
        }
        if self.drive[id].local {
            let fault = LineFault::Garbled("read back as something else".to_owned());
            return Some(Input::Wrote { element: id, demand, outcome: Err(fault) });
        }
        self.drive[id].commanded = wanted;
        self.step(now);
        Some(Input::Wrote { element: id, demand, outcome: Ok(()) })
    }
}

/// What stands in the cell that an element's output is.
fn cell(element: &Element, commanded: bool) -> u16 {
    match (commanded, element.command.release) {
        (true, _) => element.command.trip,
        (false, Some(release)) => release,
        (false, None) => u16::from(element.command.trip == 0),
    }
}

/// The quality that a word of the site's language names.
pub(crate) fn quality(word: &str) -> Option<Quality> {
    let all = [
        Quality::Good,
        Quality::Uncertain(Doubt::WarmUp),
        Quality::Uncertain(Doubt::Calibrating),
        Quality::Uncertain(Doubt::OverRange),
        Quality::Uncertain(Doubt::UnderRange),
        Quality::Uncertain(Doubt::Unconfirmed),
        Quality::Bad(Fault::SensorFault),
        Quality::Bad(Fault::OutOfService),
        Quality::Bad(Fault::Implausible),
        Quality::Bad(Fault::UnknownStatus),
        Quality::Bad(Fault::Refused),
    ];
    all.into_iter().find(|q| q.as_str() == word)
}

/// A device's polls are spread: which step of each period is its own.
pub(crate) fn is_polled(plan: &Plan, device: DeviceId, now: Mono) -> bool {
    let poll = plan.devices[device].poll.us().max(1);
    let offset = u64::try_from(device.to_usize()).unwrap_or(0) % 5 * 100_000;
    (now.us() + poll - offset % poll).is_multiple_of(poll)
}
