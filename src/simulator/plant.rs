//! The pretended plant: what its devices hold, what moves when a cell is written, and what an onlooker sees. It is
//! made from the plan's registers and wiring. Of alarms it only knows what a point reads when all is well; of trips
//! nothing.

mod air;
mod feedback;

use super::dice::Dice;
use super::drive::Drive;
use super::head::{self, Head};
use super::mischief::{Carried, Carrier, Mischief, Reply, carried};
use super::room::Room;
use super::slave::{self, Memory};
use crate::field::codec::{Raw, as_written, encode, encode_amiss, encode_beside, pack};
use crate::model::deed::Deed;
use crate::model::element::Position;
use crate::model::plan::Plan;
use crate::model::point::Quality;
use crate::model::register::{Command, Encoding, Location};
use crate::model::table::{AreaId, BusId, DeviceId, ElementId, PointId, Table};
use crate::model::time::{Mono, Span};
use feedback::Told;
use std::collections::{BTreeMap, VecDeque};

/// Most observations kept for whoever looks on; the oldest go first. An hour of ramps on a small site.
const OBSERVATIONS_MAX: usize = 100_000;

/// Noise is thrown anew so often.
const NOISE_EVERY: Span = Span::from_ms(500);

/// A fan runs down, or up, in this time.
const RUNS_DOWN: Span = Span::from_secs(5);

/// A heartbeat beats so many times within the time that it may stand still.
const BEATS: u64 = 4;

/// A counting heartbeat begins anew after this.
const BEAT_TOP: u64 = 255;

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
    mischief: BTreeMap<DeviceId, Vec<(Mischief, u8)>>,
    /// What heads add to what their points measure. What is not in it adds nothing.
    heads: BTreeMap<PointId, Head>,
    rooms: BTreeMap<AreaId, Room>,
    /// What contacts of an element say whatever is true.
    lies: BTreeMap<ElementId, Position>,
    /// Sensors that say something of themselves other than that they are well.
    amiss: BTreeMap<PointId, Quality>,
    /// Devices whose heartbeat stands still.
    stopped: Vec<DeviceId>,
    /// What devices say of drives.
    told: Vec<Told>,
    /// Devices without power.
    dark: Vec<DeviceId>,
    moved_at: Mono,
    /// For what befalls answers.
    dice: Dice,
    /// For noise.
    hiss: Dice,
    seen: VecDeque<Observation>,
}

impl Plant {
    /// A plant in normal operation: nothing measured, every sensor healthy, valves open, loads live, sirens off.
    #[must_use]
    pub fn new(plan: &Plan) -> Plant {
        Plant::with_seed(plan, 0)
    }

    /// The same, with this seed for what happens by chance.
    #[must_use]
    pub fn with_seed(plan: &Plan, seed: u64) -> Plant {
        let mut plant = Plant {
            memory: plan.devices.map(|_, device| {
                let cells = device.blocks.iter().flat_map(|block| {
                    let last = block.at.address.saturating_add(block.count.saturating_sub(1));
                    (block.at.address..=last).map(|address| (Location { address, ..block.at }, 0))
                });
                let watchdog = device.watchdog.map(|watchdog| (watchdog.at, 0));
                cells.chain(watchdog).collect()
            }),
            values: plan.points.map(|_, _| 0.0),
            ramps: BTreeMap::new(),
            drives: plan.elements.map(|_, element| Drive::new(element.kind)),
            positions: plan.elements.map(|_, _| Position::Unsafe),
            mischief: BTreeMap::new(),
            heads: BTreeMap::new(),
            rooms: plan.areas.ids().map(|area| (area, Room::of(plan, area))).collect(),
            lies: BTreeMap::new(),
            amiss: BTreeMap::new(),
            stopped: Vec::new(),
            told: Told::of(plan),
            dark: Vec::new(),
            moved_at: Mono::START,
            dice: Dice::new(seed),
            hiss: Dice::new(!seed),
            seen: VecDeque::new(),
            plan: plan.clone(),
        };
        for id in plan.points.ids() {
            plant.show(id, head::at_rest(plan, id));
            plant.set_quality(id, Quality::Good);
        }
        for (id, element) in plan.elements.iter() {
            plant.put(element.device, &element.command, at_rest(&element.command));
            plant.show_contacts(id, Position::Unsafe);
        }
        plant.tell(Mono::START);
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
        self.breathe(now);
        self.beat(now);
        for id in self.plan.elements.ids() {
            let position = self.drives[id].position(now);
            if position != self.positions[id] {
                self.positions[id] = position;
                self.show_contacts(id, position);
                self.see(now, Seen::Moved { element: id, position });
            }
        }
        self.tell(now);
        self.blow(now);
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
        let value = self.measured(point);
        let (field, unit) = (self.plan.points[point].field.clone(), self.plan.points[point].unit);
        let device = self.plan.points[point].device;
        let raw = encode_amiss(&field, quality);
        let (beside, raw) = match (encode_beside(&field, unit, quality), raw) {
            (Some(beside), _) if quality == Quality::Good => (beside, Some(encode(&field, value))),
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
        match quality {
            Quality::Good => self.amiss.remove(&point),
            Quality::Uncertain(_) | Quality::Bad(_) => self.amiss.insert(point, quality),
        };
        true
    }

    /// Lets something befall the plant.
    ///
    /// # Errors
    /// What stands against it, in words.
    pub fn befall(&mut self, now: Mono, deed: &Deed) -> Result<(), String> {
        self.step(now);
        match deed {
            Deed::Set(point, value) => self.set(now, *point, *value),
            Deed::Ramp(point, to, over) => self.ramp(now, *point, *to, *over),
            Deed::Say(point, quality) => {
                if !self.set_quality(*point, *quality) {
                    let tag = &self.plan.points[*point].tag;
                    return Err(format!("the registers of {tag} have no way to say {quality}"));
                }
            }
            Deed::Drift(point, per_hour) => self.head(*point).drift = *per_hour,
            Deed::Noise(point, deviation) => self.head(*point).noise = *deviation,
            Deed::Leak(area, gas, flow) => self.gas(*area, gas).leak = *flow,
            Deed::Seam(area, gas, flow) => self.gas(*area, gas).seam = *flow,
            Deed::Air(area, flow) => self.room(*area).air = *flow,
            Deed::Volume(area, volume) => self.room(*area).volume = *volume,
            Deed::Wire(area, wiring) => self.wire(now, *area, wiring),
            Deed::T90(point, t90) => self.head(*point).t90 = *t90,
            Deed::Fan(area, runs) => self.set_fan(now, *area, *runs),
            Deed::Jam(element, jammed) => self.set_jammed(now, *element, *jammed),
            Deed::Hand(element, safe) => self.hand(now, *element, *safe)?,
            Deed::Local(element, local) => self.set_local(now, *element, *local),
            Deed::Travel(element, travel) => self.set_travel(*element, *travel),
            Deed::Lie(element, lie) => {
                match lie {
                    Some(position) => self.lies.insert(*element, *position),
                    None => self.lies.remove(element),
                };
                self.show_contacts(*element, self.positions[*element]);
            }
            Deed::Heartbeat(device, beats) => {
                self.stopped.retain(|stopped| stopped != device);
                self.stopped.extend((!beats).then_some(*device));
            }
            Deed::Power(device, on) => self.set_power(now, *device, *on),
            Deed::Mischief(device, mischief, percent) => {
                let all = self.mischief.entry(*device).or_default();
                all.retain(|(kind, _)| std::mem::discriminant(kind) != std::mem::discriminant(mischief));
                all.push((*mischief, *percent));
            }
            Deed::Well(device) => self.set_mischief(*device, None),
        }
        Ok(())
    }

    fn set_power(&mut self, now: Mono, device: DeviceId, on: bool) {
        self.dark.retain(|dark| *dark != device);
        if !on {
            self.dark.push(device);
            return;
        }
        let here = self.plan.elements.iter().filter(|(_, e)| e.device == device);
        let here: Vec<(ElementId, Command)> = here.map(|(id, e)| (id, e.command)).collect();
        for (element, command) in here {
            self.put(device, &command, at_rest(&command));
            self.follow(now, element);
        }
    }

    fn beat(&mut self, now: Mono) {
        let beats: Vec<(DeviceId, PointId, Span)> = self
            .plan
            .devices
            .iter()
            .filter_map(|(id, device)| device.heartbeat.map(|(point, still)| (id, point, still)))
            .filter(|(id, ..)| !self.stopped.contains(id))
            .collect();
        for (_, point, still) in beats {
            let every = still.us().checked_div(BEATS).unwrap_or(0).max(1);
            let top = self.plan.points[point].field.encoding.whole().map_or(1, |(_, hi)| hi);
            let count = u64::try_from(top).unwrap_or(1).clamp(1, BEAT_TOP).saturating_add(1);
            let number = now.us().checked_div(every).and_then(|n| n.checked_rem(count)).unwrap_or(0);
            self.show(point, f64::from(u16::try_from(number).unwrap_or(0)));
        }
    }

    /// Lets a device misbehave, or behave again.
    pub fn set_mischief(&mut self, device: DeviceId, mischief: Option<Mischief>) {
        match mischief {
            Some(mischief) => self.mischief.insert(device, vec![(mischief, 100)]),
            None => self.mischief.remove(&device),
        };
    }

    /// Sets how long an element takes from end to end.
    pub fn set_travel(&mut self, element: ElementId, travel: Span) {
        self.drives[element].travel = travel;
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
        let struck = self.struck(bus, unit);
        self.answer_with(now, bus, unit, pdu, struck)
    }

    /// The same down to the bytes that go onto the line.
    pub fn exchange(&mut self, now: Mono, bus: BusId, carrier: Carrier, unit: u8, pdu: &[u8]) -> Carried {
        let struck = self.struck(bus, unit);
        let reply = self.answer_with(now, bus, unit, pdu, struck);
        carried(struck, carrier, (unit, pdu), reply, &mut self.dice)
    }

    /// What befalls the next answer of a unit.
    fn struck(&mut self, bus: BusId, unit: u8) -> Option<Mischief> {
        let (device, _) = self.plan.devices_on(bus).find(|(_, device)| device.unit == unit)?;
        let dice = &mut self.dice;
        let all = self.mischief.get(&device).into_iter().flatten();
        let mut striking = all.filter(|(_, percent)| dice.below(100) < usize::from(*percent));
        striking.next().map(|(mischief, _)| *mischief)
    }

    fn answer_with(
        &mut self,
        now: Mono,
        bus: BusId,
        unit: u8,
        pdu: &[u8],
        mischief: Option<Mischief>,
    ) -> Reply {
        let Some((device, _)) = self.plan.devices_on(bus).find(|(_, device)| device.unit == unit) else {
            return Reply::Silence;
        };
        if self.dark.contains(&device) {
            return Reply::Silence;
        }
        self.step(now);
        if mischief.is_some_and(|mischief| !mischief.obeys()) {
            return mischief.map_or(Reply::Silence, |mischief| mischief.spoil(pdu, unit, Vec::new()));
        }
        let (answer, writes) = slave::answer(&self.memory[device], pdu);
        let heeded = mischief != Some(Mischief::Unheeded);
        for (location, value) in writes.into_iter().filter(|_| heeded) {
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

    fn change(&mut self, now: Mono, point: PointId, value: f64) {
        if self.show(point, value) {
            self.see(now, Seen::Changed { point, value });
        }
    }

    /// Puts a point's value into its registers; says whether they changed by that.
    fn show(&mut self, point: PointId, value: f64) -> bool {
        self.values[point] = value;
        let value = self.measured(point);
        let field = &self.plan.points[point].field;
        let sentinel = self.amiss.get(&point).is_some_and(|quality| encode_amiss(field, *quality).is_some());
        if sentinel {
            return false;
        }
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
