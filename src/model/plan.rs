//! The compiled site: what `config/` makes of a site file, its profiles and standards, and what all other rooms
//! work from. Everything in it has been checked; ids are row numbers, and names are looked up nowhere.

use super::alarm::{Colour, Condition};
use super::element::{ElementKind, Mode, Shows};
use super::grade::Grading;
use super::link::Link;
use super::permit::Planned;
use super::point::{Doubt, Tag, Text, Unit};
use super::register::{Command, Field, ReadBlock, Watchdog};
use super::sign::Watched;
use super::table::{AlarmId, AreaId, BusId, DestinationId, DeviceId, ElementId, PointId, Table, TripId};
use super::time::{Span, Wall};
use std::collections::BTreeMap;

/// A whole site, ready to run.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Plan {
    /// The gateway's id: first part of every event id and topic.
    pub gateway: String,
    /// The site's name.
    pub name: Text,
    /// SHA-256 of the site file and everything it drew in, hexadecimal.
    pub config_hash: String,
    /// Folder of journal, buffer and command socket.
    pub state_dir: String,
    /// For so long after a start no reset is taken.
    pub start_hold: Span,
    /// Areas of the site.
    pub areas: Table<AreaId, Area>,
    /// Lines and links.
    pub buses: Table<BusId, Bus>,
    /// Modbus units.
    pub devices: Table<DeviceId, Device>,
    /// Measured and sensed values.
    pub points: Table<PointId, Point>,
    /// Everything that can be in alarm.
    pub alarms: Table<AlarmId, Alarm>,
    /// Valves, loads, sirens.
    pub elements: Table<ElementId, Element>,
    /// Cause and effect.
    pub trips: Table<TripId, Trip>,
    /// Where to tell.
    pub destinations: Table<DestinationId, Destination>,
    /// How telemetry is kept.
    pub telemetry: Telemetry,
    /// How alarms are announced.
    pub announcing: Announcing,
    /// Alarms that are suppressed by design, with the alarms that say it already while they are active.
    pub suppressed: BTreeMap<AlarmId, Vec<AlarmId>>,
    /// Points that can't be relied on while a contact of their device is set, and what they are no better than then.
    pub doubts: BTreeMap<PointId, Vec<(PointId, Doubt)>>,
    /// The causes that a person may take out of the vote, and how.
    pub bypassable: BTreeMap<AlarmId, Bypassable>,
    /// What signs of false data and failing sensors are looked for on.
    pub watched: Watched,
    /// How areas are graded.
    pub grading: Grading,
    /// Permits for days to come.
    pub permits: Vec<Planned>,
    /// What devices say of the drives of their outputs. Nothing is decided by it: it is what a pretended plant keeps up.
    pub shown: Vec<Shown>,
}

/// A place where a device says something of the drive of its output.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Which device.
    pub device: DeviceId,
    /// Where, and how it is written.
    pub field: Field,
    /// What.
    pub what: Shows,
}

/// How alarms are announced.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Announcing {
    /// An alarm that nobody has acknowledged for so long counts as one colour worse.
    pub escalate: Option<Span>,
    /// What sounds while an alarm is escalated.
    pub siren: Option<ElementId>,
    /// An acknowledged alarm whose condition holds for so long is announced anew.
    pub again: Option<Span>,
}

/// How a cause may be bypassed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bypassable {
    /// Whether a second person must stand for it.
    pub two_persons: bool,
    /// The alarm that stands meanwhile.
    pub alarm: AlarmId,
}

/// A part of the site.
#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    /// Its id.
    pub tag: Tag,
    /// Its name.
    pub name: Text,
    /// Its kind: an entry of a standard, as `cn-coal-face`.
    pub kind: String,
    /// Its inherent risk: it is never graded better.
    pub risk: Colour,
}

/// A line with the devices on it: one connection, one request at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Bus {
    /// Its id.
    pub tag: Tag,
    /// How to reach it.
    pub link: Link,
    /// Silence kept between an answer and the next request.
    pub gap: Span,
}

/// A Modbus unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its id.
    pub tag: Tag,
    /// Its line.
    pub bus: BusId,
    /// Its unit number, 1 to 247 (0 to 255 behind Modbus/TCP).
    pub unit: u8,
    /// Where it stands.
    pub area: AreaId,
    /// The id of its profile.
    pub profile: String,
    /// How often it is asked.
    pub poll: Span,
    /// How often what seldom changes is asked: health, identity, the device's own set-points.
    pub slow_poll: Span,
    /// How often it is asked while there is gas where it stands.
    pub hurried_poll: Span,
    /// How long an answer may take.
    pub timeout: Span,
    /// How long after the question an answer that comes too late can still come. On a serial line it can't be told from
    /// the answer to the next question, so that nobody is asked before.
    pub late: Span,
    /// What is asked at each poll, in order.
    pub blocks: Vec<ReadBlock>,
    /// The alarm raised when it does not answer.
    pub comm_alarm: AlarmId,
    /// The alarm raised when it is not asked in time.
    pub stale_alarm: AlarmId,
    /// When it has to be calibrated again at the latest, and the alarm that says so.
    pub calibration: Option<(Wall, AlarmId)>,
    /// The point by which it shows that it is alive, and how long that may stay as it is.
    pub heartbeat: Option<(PointId, Span)>,
    /// What must be written to it each so often; only where outputs act.
    pub watchdog: Option<Watchdog>,
}

/// A measured or sensed value.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its id.
    pub tag: Tag,
    /// Its name.
    pub name: Text,
    /// Where it measures.
    pub area: AreaId,
    /// The device that measures it.
    pub device: DeviceId,
    /// Which of the device's blocks holds it.
    pub block: usize,
    /// How it is read out of the block.
    pub field: Field,
    /// Unit of its value.
    pub unit: Unit,
    /// The gas it measures, with that gas's lower explosive limit in percent by volume.
    pub gas: Option<Gas>,
    /// Decimals as displayed; set-points are compared at this resolution.
    pub decimals: u8,
    /// A change smaller than this is not told as telemetry.
    pub deadband: f64,
    /// The alarms on it, most severe last.
    pub alarms: Vec<AlarmId>,
    /// Over how long its slope is taken, where an alarm asks for one.
    pub trend: Option<Span>,
    /// Another point that measures the same.
    pub twin: Option<PointId>,
}

/// A gas, as the site file states it.
#[derive(Clone, Debug, PartialEq)]
pub struct Gas {
    /// Its id, as `methane`.
    pub tag: Tag,
    /// Lower explosive limit, percent by volume: a statement of the site, never a constant in code.
    pub lel_pct_vol: Option<f64>,
}

/// Something that can be in alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// `tag:condition`, unique in the site, as `bottle-room.lpg-1:trip`.
    pub key: String,
    /// What it is about.
    pub subject: Subject,
    /// Where.
    pub area: AreaId,
    /// What it watches.
    pub condition: Condition,
    /// The set-point, for the conditions that have one.
    pub limit: Option<Limit>,
    /// How long the condition must hold before it counts.
    pub on_delay: Span,
    /// How long it must be gone before it counts as gone.
    pub off_delay: Span,
    /// Whether it is held after the condition has gone, until a person resets it.
    pub latching: bool,
    /// Its colour while it stands.
    pub colour: Colour,
    /// What is wrong, without the value.
    pub text: Text,
    /// What to do.
    pub action: Text,
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A reading.
    Point(PointId),
    /// A device's answers.
    Device(DeviceId),
    /// An element's obedience.
    Element(ElementId),
}

/// A set-point with its return.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Breached at or beyond this value.
    pub set: f64,
    /// Clear when strictly beyond this value on the safe side. For a trip of power this is the re-power value.
    pub reset: f64,
}

/// Where a set-point comes from. Nothing is decided by it: it is what people are told who ask.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Origin {
    /// The site file states it, rather than the standard.
    pub own: bool,
    /// What the standard is taken from, where there is one for the place.
    pub source: Option<String>,
    /// Whether somebody checked the standard's numbers against that.
    pub confirmed: bool,
    /// Who let it be laxer than the standard, and why.
    pub approved: Option<String>,
}

/// A valve, load or siren.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// Its id.
    pub tag: Tag,
    /// What it is.
    pub kind: ElementKind,
    /// Its name.
    pub name: Text,
    /// Where it stands.
    pub area: AreaId,
    /// The device that is written to.
    pub device: DeviceId,
    /// What is written.
    pub command: Command,
    /// Whether it may be written.
    pub mode: Mode,
    /// A contact that is 1 in the safe state (closed limit, feed dead), or 0 where inverted.
    pub safe_contact: Option<Contact>,
    /// A contact that is 1 outside the safe state (open limit, feed live), or 0 where inverted.
    pub unsafe_contact: Option<Contact>,
    /// The contact that mirrors the written cell, polled with the device.
    pub readback: PointId,
    /// From demand to confirmation at most.
    pub travel_limit: Span,
    /// The alarm raised when it is not confirmed.
    pub not_confirmed: AlarmId,
    /// What else is watched of it.
    pub supervision: Supervision,
}

/// What is watched of an element beyond its confirmation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Supervision {
    /// From the write that was read back to leaving its unsafe end at most.
    pub dead_limit: Option<Span>,
    /// How long its travel took when it was commissioned.
    pub commissioned: Option<Span>,
    /// Let go, it is expected to be brought out of its safe state within this, by hand.
    pub reopens: Option<Span>,
    /// What is demanded when it fails.
    pub backup: Option<ElementId>,
    /// Whether gas falls behind it.
    pub leak: Option<LeakCheck>,
    /// How often it has to be proven to reach its safe state.
    pub proof: Option<Proof>,
    /// Its alarms besides "not confirmed".
    pub alarms: Vec<AlarmId>,
}

/// How often an element has to be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// At the latest so long after the last time.
    pub every: Span,
    /// The last time before Davy kept the record.
    pub last: Option<Wall>,
    /// The alarm that says that it is due.
    pub alarm: AlarmId,
}

/// After a valve is confirmed closed the gas behind it must not go on rising.
#[derive(Clone, Debug, PartialEq)]
pub struct LeakCheck {
    /// From so long after the confirmation: what is in the room spreads for a while.
    pub from: Span,
    /// Until so long after it.
    pub to: Span,
    /// The points that measure it, each with the rise that tells.
    pub points: Vec<(PointId, f64)>,
}

impl Element {
    /// Whether nothing tells where it is.
    #[must_use]
    pub const fn is_blind(&self) -> bool {
        self.safe_contact.is_none() && self.unsafe_contact.is_none()
    }

    /// A travel from which on it is called slow: 1.2 times what it was when commissioned.
    #[must_use]
    pub fn slow_from(&self) -> Option<Span> {
        self.supervision.commissioned.map(|c| Span::from_us(c.times(6).us() / 5))
    }

    /// A travel from which on it has failed: 1.5 times what it was when commissioned, at most its limit.
    #[must_use]
    pub fn fails_from(&self) -> Span {
        let worn = self.supervision.commissioned.map(|c| Span::from_us(c.times(3).us() / 2));
        worn.map_or(self.travel_limit, |worn| worn.min(self.travel_limit))
    }

    /// Whether what was seen of `other`, an element of the plan `others`, holds of this one of `plan` too: the same
    /// output on the same device, told of by the same contacts, in the same mode.
    #[must_use]
    pub fn is_wired_as(&self, plan: &Plan, other: &Element, others: &Plan) -> bool {
        let same = |one: Option<Contact>, two: Option<Contact>| match (one, two) {
            (Some(one), Some(two)) => {
                let (point, was) = (&plan.points[one.point], &others.points[two.point]);
                one.yes == two.yes
                    && point.field == was.field
                    && plan.address(point.device) == others.address(was.device)
            }
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.command == other.command
            && self.mode == other.mode
            && plan.address(self.device) == others.address(other.device)
            && same(self.safe_contact, other.safe_contact)
            && same(self.unsafe_contact, other.unsafe_contact)
    }
}

/// A contact that tells something of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its point.
    pub point: PointId,
    /// What it reads when it says yes.
    pub yes: bool,
}

/// A row of the cause-and-effect table.
#[derive(Clone, Debug, PartialEq)]
pub struct Trip {
    /// Its id.
    pub tag: Tag,
    /// Its name.
    pub name: Text,
    /// Where its causes are.
    pub area: AreaId,
    /// The alarms that are its causes, directly or in a group.
    pub causes: Vec<AlarmId>,
    /// Its votes, inner before outer, the last one its own. Each names only votes before it, so there are no cycles.
    pub groups: Vec<Group>,
    /// How long a bad input is borne before it counts.
    pub bad_delay: Span,
    /// How long the vote must stand before it trips.
    pub delay: Span,
    /// What it brings into the safe state.
    pub effects: Vec<ElementId>,
    /// Alarms that do not vote and must be proven safe before a reset all the same.
    pub permissives: Vec<AlarmId>,
    /// The inputs that a reset must see proven safe, as numbers in `causes` and, counted on, in `permissives`: all,
    /// unless it locks something, and the site file says which.
    pub reset_needs: Vec<usize>,
    /// How long they must have been so before a reset is taken.
    pub reset_hold: Span,
    /// Its last guard may be bypassed or calibrated too: the site has somebody measure by hand meanwhile.
    pub unguarded: bool,
}

impl Trip {
    /// Causes, then permissives: everything that it looks at.
    pub fn inputs(&self) -> impl Iterator<Item = AlarmId> {
        self.causes.iter().chain(&self.permissives).copied()
    }
}

/// A vote over causes and over other votes.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its id; of a trip's own vote, the trip's.
    pub tag: Tag,
    /// How many members must be true: the M of MooN.
    pub votes: usize,
    /// Who votes.
    pub members: Vec<Member>,
    /// What a member that is not good counts as.
    pub on_bad: OnBad,
    /// All that vote in it, and in the groups below it, are heads of one gas held against the same kind of limit: one may
    /// stand in for another.
    pub alike: bool,
}

/// Who votes in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// A cause, by its number in the trip.
    Cause(usize),
    /// The outcome of an earlier vote, by its number in the trip.
    Group(usize),
}

/// What an input that is not good counts as in a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBad {
    /// As a vote to trip (2oo3 becomes 1oo2 and then a trip): what is not known to be safe is not safe.
    Vote,
    /// As an alarm only (2oo3 becomes 2oo2), for as long as another input is known to be safe; with none left it trips.
    Alarm,
    /// As no vote at all: for locks, which must never lock for a device's fault.
    Ignore,
}

/// A broker and what goes there.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Its id.
    pub tag: Tag,
    /// Host name or address of the broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// First part of every topic.
    pub prefix: String,
    /// User name.
    pub user: Option<String>,
    /// File that holds the password, so that it is in no command line and no site file.
    pub password_file: Option<String>,
    /// Keep-alive.
    pub keep_alive: Span,
    /// It is told only of alarms that nobody acknowledged in time, and of what it must know to trust the silence.
    pub escalated_only: bool,
}

/// How telemetry is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// A full snapshot at least this often.
    pub snapshot: Span,
    /// Most bytes of telemetry that wait for a destination.
    pub max_bytes: u64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry { snapshot: Span::from_secs(60), max_bytes: 64 * 1024 * 1024 }
    }
}

impl Plan {
    /// Where a device is reached: a device that keeps its id and is reached elsewhere is another device.
    #[must_use]
    pub fn address(&self, device: DeviceId) -> (&Link, u8) {
        let device = &self.devices[device];
        (&self.buses[device.bus].link, device.unit)
    }

    /// The alarm with this key.
    #[must_use]
    pub fn alarm(&self, key: &str) -> Option<AlarmId> {
        self.alarms.find(|a| a.key == key)
    }

    /// The trip with this id.
    #[must_use]
    pub fn trip(&self, tag: &str) -> Option<TripId> {
        self.trips.find(|t| t.tag.as_str() == tag)
    }

    /// The devices of a line.
    pub fn devices_on(&self, bus: BusId) -> impl Iterator<Item = (DeviceId, &Device)> {
        self.devices.iter().filter(move |(_, d)| d.bus == bus)
    }

    /// The elements that are written through a line.
    pub fn elements_on(&self, bus: BusId) -> impl Iterator<Item = (ElementId, &Element)> {
        self.elements.iter().filter(move |(_, e)| self.devices[e.device].bus == bus)
    }

    /// The points that a device feeds.
    pub fn points_of(&self, device: DeviceId) -> impl Iterator<Item = (PointId, &Point)> {
        self.points.iter().filter(move |(_, p)| p.device == device)
    }
}
