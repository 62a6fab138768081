//! The pretended plant: what its devices hold, what moves when a cell is written, and what an onlooker sees. It is
//! made from the plan's registers and wiring; of alarms and trips it knows nothing.

use super::drive::Drive;
use super::mischief::{Mischief, Reply};
use super::slave::{self, Memory};
use crate::field::codec::{Raw, as_written, encode, encode_amiss, encode_beside, pack};
use crate::model::element::{ElementKind, Position};
use crate::model::plan::{Element, Plan};
use crate::model::point::Quality;
use crate::model::register::{Command, Encoding, Location};
use crate::model::table::{BusId, DeviceId, ElementId, PointId, Table};
use crate::model::time::{Mono, Span};
use std::collections::{BTreeMap, VecDeque};

/// Most observations kept for whoever looks on; the oldest go first. An hour of ramps on a small site.
const OBSERVATIONS_MAX: usize = 100_000;

/// Something that an onlooker at the plant saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// When.
    pub at: Mono,
    /// What.
    pub what: Seen,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// The registers of a point changed.
    Changed {
        /// Which point.
        point: PointId,
        /// What it measures.
        value: f64,
    },
    /// Somebody wrote a cell.
    Written {
        /// Of which device.
        device: DeviceId,
        /// Which cell.
        location: Location,
        /// What.
        value: u16,
    },
    /// An element left or reached a limit switch.
    Moved {
        /// Which element.
        element: ElementId,
        /// Where it is.
        position: Position,
    },
}

/// A value on its way.
#[derive(Clone, Copy, Debug)]
struct Ramp {
    from: f64,
    to: f64,
    since: Mono,
    over: Span,
}

/// The plant.
#[derive(Debug)]
pub struct Plant {
    plan: Plan,
    memory: Table<DeviceId, Memory>,
    values: Table<PointId, f64>,
    ramps: BTreeMap<PointId, Ramp>,
    drives: Table<ElementId, Drive>,
    positions: Table<ElementId, Position>,
    mischief: BTreeMap<DeviceId, Mischief>,
    seen: VecDeque<Observation>,
}

impl Plant {
    /// A plant in normal operation: nothing measured, every sensor healthy, valves open, loads live, sirens off.
    #[must_use]
    pub fn new(plan: &Plan) -> Plant {
        let mut plant = Plant {
            memory: plan.devices.map(|_, device| {
                let cells = device.blocks.iter().flat_map(|block| {
                    let last = block.at.address.saturating_add(block.count.saturating_sub(1));
                    (block.at.address..=last).map(|address| (Location { address, ..block.at }, 0))
                });
                cells.collect()
            }),
            values: plan.points.map(|_, _| 0.0),
            ramps: BTreeMap::new(),
            drives: plan.elements.map(|_, element| Drive::new(element.kind)),
            positions: plan.elements.map(|_, _| Position::Unsafe),
            mischief: BTreeMap::new(),
            seen: VecDeque::new(),
            plan: plan.clone(),
        };
        for (id, point) in plan.points.iter() {
            plant.show(id, point.field.range.map_or(0.0, |(lo, hi)| 0.0_f64.max(lo).min(hi)));
            plant.set_quality(id, Quality::Good);
        }
        for (id, element) in plan.elements.iter() {
            plant.put(element.device, &element.command, at_rest(&element.command));
            plant.show_contacts(id, Position::Unsafe);
        }
        plant
    }

    /// Lets time go by: ramps and drives move on.
    pub fn step(&mut self, now: Mono) {
        let ramps: Vec<(PointId, Ramp)> = self.ramps.iter().map(|(point, ramp)| (*point, *ramp)).collect();
        for (point, ramp) in ramps {
            let value = ramp.at(now);
            if now.since(ramp.since) >= ramp.over {
                self.ramps.remove(&point);
            }
            self.change(now, point, value);
        }
        for id in self.plan.elements.ids() {
            let position = self.drives[id].position(now);
            if position != self.positions[id] {
                self.positions[id] = position;
                self.show_contacts(id, position);
                self.see(now, Seen::Moved { element: id, position });
            }
        }
    }

    /// The value that a point measures, as it was set.
    #[must_use]
    pub fn value(&self, point: PointId) -> f64 {
        self.values[point]
    }

    /// Sets what a point measures; ends its ramp.
    pub fn set(&mut self, now: Mono, point: PointId, value: f64) {
        self.ramps.remove(&point);
        self.change(now, point, value);
    }

    /// Lets a point go to a value evenly.
    pub fn ramp(&mut self, now: Mono, point: PointId, to: f64, over: Span) {
        self.ramps.insert(point, Ramp { from: self.values[point], to, since: now, over });
    }

    /// Lets a sensor report this of itself. False where its registers have no way to say so.
    pub fn set_quality(&mut self, point: PointId, quality: Quality) -> bool {
        let (field, unit) = (self.plan.points[point].field.clone(), self.plan.points[point].unit);
        let device = self.plan.points[point].device;
        let raw = encode_amiss(&field, quality);
        let (beside, raw) = match (encode_beside(&field, unit, quality), raw) {
            (Some(beside), _) if quality == Quality::Good => {
                (beside, Some(encode(&field, self.values[point])))
            }
            (Some(beside), _) => (beside, None),
            (None, Some(raw)) => (Vec::new(), Some(raw)),
            (None, None) => return false,
        };
        for (at, encoding, raw) in beside {
            self.store(device, at, encoding, raw);
        }
        if let Some(raw) = raw {
            self.store(device, field.at, field.encoding, raw);
        }
        true
    }

    /// Lets a device misbehave, or behave again.
    pub fn set_mischief(&mut self, device: DeviceId, mischief: Option<Mischief>) {
        match mischief {
            Some(mischief) => self.mischief.insert(device, mischief),
            None => self.mischief.remove(&device),
        };
    }

    /// Sets how long an element takes from end to end.
    pub fn set_travel(&mut self, element: ElementId, travel: Span) {
        self.drives[element].travel = travel;
    }

    /// Lets an element stick where it is, or come loose.
    pub fn set_jammed(&mut self, now: Mono, element: ElementId, jammed: bool) {
        self.drives[element].jammed = jammed;
        self.follow(now, element);
    }

    /// Somebody opens a valve on site. Refused while it is commanded shut.
    pub fn open_by_hand(&mut self, now: Mono, element: ElementId) -> bool {
        self.by_hand(now, element)
    }

    /// Somebody switches a load on again. Refused while it is commanded off.
    pub fn repower_by_hand(&mut self, now: Mono, element: ElementId) -> bool {
        self.by_hand(now, element)
    }

    fn by_hand(&mut self, now: Mono, element: ElementId) -> bool {
        let free = !self.is_tripped(element);
        if free {
            self.drives[element].go(now, false);
        }
        free
    }

    /// Where an element is.
    #[must_use]
    pub fn position(&self, element: ElementId) -> Position {
        self.positions[element]
    }

    /// What was seen since the last call.
    pub fn observations(&mut self) -> Vec<Observation> {
        self.seen.drain(..).collect()
    }

    /// Answers a request, and does what it asks for. Nobody answers for a unit that is not there.
    pub fn answer(&mut self, now: Mono, bus: BusId, unit: u8, pdu: &[u8]) -> Reply {
        let Some((device, _)) = self.plan.devices_on(bus).find(|(_, device)| device.unit == unit) else {
            return Reply::Silence;
        };
        self.step(now);
        let mischief = self.mischief.get(&device).copied();
        if mischief.is_some_and(|mischief| !mischief.obeys()) {
            return mischief.map_or(Reply::Silence, |mischief| mischief.spoil(pdu, unit, Vec::new()));
        }
        let (answer, writes) = slave::answer(&self.memory[device], pdu);
        for (location, value) in writes {
            self.written(now, device, location, value);
        }
        match mischief {
            Some(mischief) => mischief.spoil(pdu, unit, answer),
            None => Reply::Answer { unit, pdu: answer, after: Span::ZERO },
        }
    }

    fn written(&mut self, now: Mono, device: DeviceId, location: Location, value: u16) {
        self.memory[device].insert(location, value);
        self.see(now, Seen::Written { device, location, value });
        let moved = self.plan.elements.iter();
        let moved = moved.filter(|(_, e)| e.device == device && e.command.at == location);
        let moved: Vec<(ElementId, Command)> = moved.map(|(id, e)| (id, e.command)).collect();
        for (element, command) in moved {
            self.put(device, &command, value);
            self.follow(now, element);
        }
        self.step(now);
    }

    /// Puts a value into a command's cell and the cell that mirrors it.
    fn put(&mut self, device: DeviceId, command: &Command, value: u16) {
        for at in [command.at, command.readback] {
            self.memory[device].insert(at, as_written(at.space, value));
        }
    }

    fn is_tripped(&self, element: ElementId) -> bool {
        let Element { device, command, .. } = &self.plan.elements[element];
        let trip = as_written(command.at.space, command.trip);
        self.memory[*device].get(&command.at) == Some(&trip)
    }

    /// Lets a drive follow its command. What is lifted comes back by hand only, but for a siren
    /// and a lock.
    fn follow(&mut self, now: Mono, element: ElementId) {
        let tripped = self.is_tripped(element);
        let drive = &mut self.drives[element];
        if tripped || matches!(drive.kind, ElementKind::Siren | ElementKind::Lock) {
            drive.go(now, tripped);
        }
    }

    fn show_contacts(&mut self, element: ElementId, position: Position) {
        let Element { safe_contact, unsafe_contact, .. } = self.plan.elements[element];
        for (contact, end) in [(safe_contact, Position::Safe), (unsafe_contact, Position::Unsafe)] {
            if let Some(contact) = contact {
                let closed = (position == end) == contact.yes;
                self.show(contact.point, f64::from(u8::from(closed)));
            }
        }
    }

    fn change(&mut self, now: Mono, point: PointId, value: f64) {
        if self.show(point, value) {
            self.see(now, Seen::Changed { point, value });
        }
    }

    /// Puts a point's value into its registers; says whether they changed by that.
    fn show(&mut self, point: PointId, value: f64) -> bool {
        self.values[point] = value;
        let field = &self.plan.points[point].field;
        let (at, encoding, raw) = (field.at, field.encoding, encode(field, value));
        self.store(self.plan.points[point].device, at, encoding, raw)
    }

    fn store(&mut self, device: DeviceId, at: Location, encoding: Encoding, raw: Raw) -> bool {
        let memory = &mut self.memory[device];
        let old = memory.get(&at).copied().unwrap_or(0);
        let mut changed = false;
        for (address, word) in (at.address..=u16::MAX).zip(pack(encoding, raw, old)) {
            changed |= memory.insert(Location { address, ..at }, word) != Some(word);
        }
        changed
    }

    fn see(&mut self, at: Mono, what: Seen) {
        if self.seen.len() >= OBSERVATIONS_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(Observation { at, what });
    }
}

impl Ramp {
    fn at(&self, now: Mono) -> f64 {
        let gone = now.since(self.since);
        if gone >= self.over {
            return self.to;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share of a ramp")]
        let share = gone.us() as f64 / self.over.us() as f64;
        self.from + (self.to - self.from) * share
    }
}

/// What a command's cell holds while nothing is demanded.
fn at_rest(command: &Command) -> u16 {
    command.release.unwrap_or_else(|| u16::from(command.trip == 0))
}
