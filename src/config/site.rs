//! The compiler of a site: walks the tables of a site file in the order in which they refer to one another, and
//! fills a plan. Rows that are broken are told and left out; their names stay known.

use super::alarms::About;
use super::blocks;
use super::faults::{Fault, Faults, Place, Source};
use super::grades;
use super::groups::Ballot;
use super::library::Library;
use super::links;
use super::names::Names;
use super::profile::Profile;
use super::read::Row;
use super::standard::AreaKind;
use super::texts;
use super::trips::BypassRule;
use super::watches::ByProfile;
use super::wires;
use crate::model::alarm::{Colour, Condition};
use crate::model::element::Mode;
use crate::model::plan::{Alarm, Area, Bus, Device, Gas, Origin, Plan, Subject, Telemetry};
use crate::model::point::{Tag, Text};
use crate::model::table::{AlarmId, AreaId, BusId, DeviceId, ElementId, MAX_ROWS, PointId, Row as _, Table};
use crate::model::time::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the compiler makes of a site file.
pub(super) struct Made {
    pub(super) plan: Plan,
    /// The built-in files that it draws on.
    pub(super) used: Vec<Arc<Source>>,
    pub(super) origins: BTreeMap<AlarmId, Origin>,
    pub(super) secrets: Vec<Place>,
    pub(super) links: Table<BusId, Place>,
}

/// What is known while a site is compiled.
pub(super) struct Compiler<'a> {
    pub(super) root: &'a Row,
    pub(super) library: &'a Library,
    pub(super) faults: &'a mut Faults,
    pub(super) plan: Plan,
    /// What outputs may do unless an element says otherwise.
    pub(super) mode: Mode,
    pub(super) gases: Names<Gas>,
    pub(super) areas: Names<AreaId>,
    pub(super) kinds: Table<AreaId, Arc<AreaKind>>,
    pub(super) area_places: Table<AreaId, Place>,
    pub(super) buses: Names<BusId>,
    /// Default poll period and time-out of a bus, in milliseconds.
    bus_timing: Table<BusId, (Option<u64>, Option<u64>)>,
    /// Where each bus leads to, and where that was said.
    pub(super) links: BTreeMap<String, Place>,
    link_places: Table<BusId, Place>,
    /// Units by link, not by bus: two buses to one address reach the same devices.
    units: BTreeMap<(String, u8), Place>,
    pub(super) devices: Names<DeviceId>,
    pub(super) profiles: Table<DeviceId, Arc<Profile>>,
    pub(super) device_places: Table<DeviceId, Place>,
    pub(super) points: Names<PointId>,
    pub(super) alarms: BTreeMap<String, AlarmId>,
    /// What alarms say to do, each text once: thousands of alarms share a dozen of them.
    actions: BTreeSet<Arc<str>>,
    pub(super) elements: Names<ElementId>,
    pub(super) trips: Names<()>,
    /// Votes that others name, and what they are made of.
    pub(super) group_names: Names<usize>,
    pub(super) groups: Vec<Option<Ballot>>,
    /// Who may bypass each cause.
    pub(super) bypass_rules: BTreeMap<AlarmId, BypassRule>,
    /// Groups whose votes were held against the rules: a group can be counted by several trips.
    pub(super) lax_groups: BTreeSet<Tag>,
    /// Rows of standards that the site uses and that nobody has confirmed: file, and where in it.
    pub(super) unconfirmed: BTreeSet<(String, usize)>,
    /// Where the set-points of alarms come from.
    pub(super) origins: BTreeMap<AlarmId, Origin>,
    /// Where password files are named.
    pub(super) secrets: Vec<Place>,
    pub(super) by_profile: ByProfile,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(root: &'a Row, library: &'a Library, faults: &'a mut Faults) -> Compiler<'a> {
        Compiler {
            root,
            library,
            faults,
            plan: Plan::default(),
            mode: Mode::Observe,
            gases: Names::new("gas"),
            areas: Names::new("area"),
            kinds: Table::default(),
            area_places: Table::default(),
            buses: Names::new("bus"),
            bus_timing: Table::default(),
            links: BTreeMap::new(),
            link_places: Table::default(),
            units: BTreeMap::new(),
            devices: Names::new("device"),
            profiles: Table::default(),
            device_places: Table::default(),
            points: Names::new("point"),
            alarms: BTreeMap::new(),
            actions: BTreeSet::new(),
            elements: Names::new("valve, load, siren or lock"),
            trips: Names::new("trip"),
            group_names: Names::new("group"),
            groups: Vec::new(),
            bypass_rules: BTreeMap::new(),
            lax_groups: BTreeSet::new(),
            unconfirmed: BTreeSet::new(),
            origins: BTreeMap::new(),
            secrets: Vec::new(),
            by_profile: ByProfile::default(),
        }
    }

    /// The plan, as far as the file allows, the profiles and standards that it was made with, and where its set-points
    /// come from.
    pub(super) fn compile(mut self) -> Made {
        self.gateway();
        self.each("gas", Self::gas);
        self.each("area", Self::area);
        self.each("bus", Self::bus);
        self.each("device", Self::device);
        self.each("point", Self::point_row);
        self.all_elements();
        self.broadcasts();
        self.each("point", Self::relations);
        self.watches();
        self.announcing();
        self.all_signs();
        self.grading();
        self.each("permit", Self::permit);
        self.blocks();
        self.all_groups();
        self.each("trip", Self::trip_row);
        self.idle_groups();
        self.bypass_alarms();
        self.leak_checks();
        self.all_destinations();
        self.emptiness();
        self.sizes();
        self.advice();
        let profiles = self.profiles.values().map(|profile| &profile.source);
        let mut used: Vec<_> =
            profiles.chain(self.kinds.values().map(|kind| &kind.source)).cloned().collect();
        used.sort_by_key(Arc::as_ptr);
        used.dedup_by(|a, b| Arc::ptr_eq(a, b));
        Made { plan: self.plan, used, origins: self.origins, secrets: self.secrets, links: self.link_places }
    }

    fn each(&mut self, table: &str, mut compile: impl FnMut(&mut Self, &Row)) {
        let root = self.root;
        for row in root.tables(table) {
            compile(self, row);
        }
    }

    fn gateway(&mut self) {
        if let Some(row) = self.root.table("gateway") {
            self.plan.gateway = row.str("id").unwrap_or_default().to_owned();
            self.plan.state_dir = row.str("state").unwrap_or_default().to_owned();
            self.mode = mode(row, "outputs").unwrap_or_default();
            self.plan.start_hold = row.number("start_hold_s").map_or(Span::ZERO, seconds);
        }
        if let Some(name) = self.root.table("site").and_then(|row| row.words("name")) {
            self.plan.name = name;
        }
        if let Some(row) = self.root.table("telemetry") {
            let default = Telemetry::default();
            self.plan.telemetry = Telemetry {
                snapshot: row.small("snapshot_s").map_or(default.snapshot, Span::from_secs),
                max_bytes: row
                    .small::<u64>("max_mib")
                    .map_or(default.max_bytes, |n| n.saturating_mul(1024 * 1024)),
            };
        }
    }

    fn gas(&mut self, row: &Row) {
        let gas =
            row.str("id").and_then(Tag::new).map(|tag| Gas { tag, lel_pct_vol: row.number("lel_pct_vol") });
        if let Some(gas) = &gas {
            self.lax_gas(row, gas);
        }
        self.gases.declare(row, "id", gas, self.faults);
    }

    fn area(&mut self, row: &Row) {
        let kind = self.library.kinds.find(row, "kind", self.faults).cloned();
        let area = match (tag(row), kind) {
            (Some(tag), Some(kind)) => {
                let named = row.str("kind").unwrap_or_default().to_owned();
                let risk = grades::risk(row, &kind);
                self.kinds.push(kind);
                self.area_places.push(row.at("id"));
                Some(self.plan.areas.push(Area { name: name(row, &tag), tag, kind: named, risk }))
            }
            _ => None,
        };
        self.areas.declare(row, "id", area, self.faults);
    }

    fn bus(&mut self, row: &Row) {
        let link = links::link_at(row, "link", self.faults);
        let bus = match (tag(row), link) {
            (Some(tag), Some(link)) => {
                self.same_link(row, &link);
                self.link_places.push(row.at("link"));
                self.bus_timing.push((row.small("poll_ms"), row.small("timeout_ms")));
                Some(self.plan.buses.push(Bus {
                    tag,
                    link,
                    gap: row.small("gap_ms").map(Span::from_ms).unwrap_or_default(),
                }))
            }
            _ => None,
        };
        self.buses.declare(row, "id", bus, self.faults);
    }

    fn device(&mut self, row: &Row) {
        let device = self.device_row(row);
        self.devices.declare(row, "id", device, self.faults);
    }

    fn device_row(&mut self, row: &Row) -> Option<DeviceId> {
        let bus = self.buses.find(row, "bus", self.faults).copied();
        let area = self.areas.find(row, "area", self.faults).copied();
        let profile = self.library.profiles.find(row, "profile", self.faults).cloned();
        let (tag, unit, bus, area, profile) = (tag(row)?, row.small("unit")?, bus?, area?, profile?);
        let (bus_poll, bus_timeout) = self.bus_timing[bus];
        let poll = row.small("poll_ms").or(bus_poll)?;
        let timeout = row.small("timeout_ms").or(bus_timeout)?;
        self.timing(row, poll, timeout);
        self.unit(row, bus, unit);
        let (poll, timeout) = (Span::from_ms(poll), Span::from_ms(timeout));
        let hurried_poll = row.small("accelerated_ms").map_or(poll, Span::from_ms);
        let late = row.small("latest_answer_ms").map_or(timeout, Span::from_ms);
        self.later(row, poll, hurried_poll, timeout, late);
        let condition = Condition::CommLost;
        let (wrong, action) = texts::of(Condition::CommLost);
        let subject = Subject::Device(DeviceId::from_usize(self.plan.devices.len()));
        let comm_alarm = self.alarm(Alarm {
            key: format!("{tag}:{condition}"),
            subject,
            area,
            condition,
            limit: None,
            on_delay: Span::ZERO,
            off_delay: Span::ZERO,
            latching: false,
            colour: Colour::Yellow,
            text: texts::line(&self.plan.areas[area].name, &name(row, &tag), &wrong),
            action,
        });
        let (id, named) = (DeviceId::from_usize(self.plan.devices.len()), name(row, &tag));
        let (stale_alarm, calibration) = self.device_alarms(row, &About::device(&tag, &named, area, id));
        self.note_unconfirmed_profile(row, &profile);
        self.device_places.push(row.at("id"));
        self.profiles.push(Arc::clone(&profile));
        Some(self.plan.devices.push(Device {
            tag,
            bus,
            unit,
            area,
            profile: profile.id.clone(),
            poll,
            slow_poll: row.small("slow_poll_s").map(Span::from_secs)?,
            hurried_poll,
            timeout,
            late,
            blocks: Vec::new(),
            comm_alarm,
            stale_alarm,
            calibration,
            heartbeat: None,
            // A site that only observes writes nothing at all.
            watchdog: profile.watchdog.filter(|_| self.mode == Mode::Act),
        }))
    }

    /// A map from memory is a start, and nothing to trust a trip to.
    fn note_unconfirmed_profile(&mut self, row: &Row, profile: &Profile) {
        let Some(source) = &profile.unconfirmed else { return };
        if !self.unconfirmed.insert((profile.source.name.clone(), usize::MAX)) {
            return;
        }
        let message = format!("nobody has checked profile `{}` against its source: {source}", profile.id);
        self.faults.push(
            Fault::warning("unconfirmed-profile", row.at("profile"), message)
                .label("not confirmed")
                .help("check it against the manual and a device, then keep a copy of your own with confirmed = true"),
        );
    }

    fn unit(&mut self, row: &Row, bus: BusId, unit: u8) {
        let link = &self.plan.buses[bus].link;
        let message = format!("two devices are unit {unit} at {link}");
        if link.is_rtu() && !SERIAL_UNITS.contains(&unit) {
            let message = format!("unit {unit} can't be asked on a serial line");
            self.faults.push(
                Fault::error("no-unit", row.at("unit"), message)
                    .label("0 is everybody, and nobody answers; 248 to 255 are reserved")
                    .help("give the device a unit number of 1 to 247"),
            );
        }
        let reached = (wires::destination(link), unit);
        let Some(first) = self.units.get(&reached) else {
            self.units.insert(reached, row.at("unit"));
            return;
        };
        self.faults.push(
            Fault::error("same-unit", row.at("unit"), message)
                .label("taken")
                .help("give each device of a bus a unit number of its own, here and at the device")
                .other(first, "first used here"),
        );
    }

    /// Times that only make sense beside others.
    fn later(&mut self, row: &Row, poll: Span, hurried: Span, timeout: Span, late: Span) {
        if hurried > poll {
            let message = format!("accelerated to every {hurried}, slower than every {poll}");
            self.faults.push(
                Fault::error("accelerated-slower", row.at("accelerated_ms"), message)
                    .label("slower")
                    .help("make accelerated_ms at most poll_ms"),
            );
        }
        if late < timeout {
            let message = format!("an answer may come until {timeout}, and not after {late}");
            self.faults.push(
                Fault::error("late-before-timeout", row.at("latest_answer_ms"), message)
                    .label("before the time-out")
                    .help("latest_answer_ms is how long after the question an answer that is too late may still come"),
            );
        }
    }

    fn timing(&mut self, row: &Row, poll_ms: u64, timeout_ms: u64) {
        if poll_ms < timeout_ms {
            let key = if row.has("timeout_ms") { "timeout_ms" } else { "poll_ms" };
            let message = format!("asked every {poll_ms} ms, with {timeout_ms} ms to answer");
            self.faults.push(
                Fault::error("timeout-beyond-poll", row.at(key), message)
                    .label("an answer may take longer than the poll period")
                    .help("make timeout_ms at most poll_ms; many devices answer within 300 ms"),
            );
        }
    }

    /// Adds an alarm to the plan and makes its key known.
    pub(super) fn alarm(&mut self, mut alarm: Alarm) -> AlarmId {
        for text in [&mut alarm.action.zh, &mut alarm.action.en] {
            match self.actions.get(text) {
                Some(known) => *text = Arc::clone(known),
                None => drop(self.actions.insert(Arc::clone(text))),
            }
        }
        let key = alarm.key.clone();
        let id = self.plan.alarms.push(alarm);
        self.alarms.insert(key, id);
        id
    }

    fn blocks(&mut self) {
        let mut points: Table<DeviceId, Vec<PointId>> = self.plan.devices.map(|_, _| Vec::new());
        for (id, point) in self.plan.points.iter() {
            points[point.device].push(id);
        }
        for (device, ids) in points.iter() {
            let fields = ids.iter().map(|id| &self.plan.points[*id].field);
            let found = blocks::pack(fields, &self.profiles[device].reach);
            for id in ids {
                let point = &mut self.plan.points[*id];
                point.block = blocks::block_of(&point.field, &found).unwrap_or_default();
            }
            self.plan.devices[device].blocks = found;
        }
    }

    fn emptiness(&mut self) {
        for (table, why) in [
            ("area", "the parts of the site; it picks the set-points"),
            ("bus", "a line to poll"),
            ("device", "something to ask"),
            ("point", "something to watch"),
        ] {
            let broken = self.root.has(table) && self.root.cell(table).is_none();
            if self.root.list(table).is_empty() && !broken {
                let message = format!("a site without a [[{table}]]");
                self.faults.push(
                    Fault::error("empty-site", self.root.place.clone(), message)
                        .label("nothing to do")
                        .help(format!("add a [[{table}]]: {why}. `config/demo.toml` shows a whole site")),
                );
            }
        }
    }

    fn sizes(&mut self) {
        let sizes = [
            (self.plan.points.len(), "points"),
            (self.plan.alarms.len(), "alarms"),
            (self.plan.elements.len(), "elements"),
        ];
        for (count, what) in sizes.into_iter().filter(|(count, _)| *count > MAX_ROWS) {
            let message = format!("{count} {what}, those that Davy adds included; at most {MAX_ROWS}");
            self.faults.push(
                Fault::error("too-many", self.root.place.clone(), message)
                    .help("split the site over two gateways"),
            );
        }
    }
}

/// The unit numbers of a serial line (Modbus over serial line 1.02, 2.2).
const SERIAL_UNITS: std::ops::RangeInclusive<u8> = 1..=247;

/// The id of a row.
pub(super) fn tag(row: &Row) -> Option<Tag> {
    row.str("id").and_then(Tag::new)
}

/// The name of a row, or its id where it has none.
pub(super) fn name(row: &Row, tag: &Tag) -> Text {
    row.words("name").unwrap_or_else(|| Text::new(tag.as_str(), tag.as_str()))
}

pub(super) fn mode(row: &Row, key: &str) -> Option<Mode> {
    match row.str(key)? {
        "act" => Some(Mode::Act),
        _ => Some(Mode::Observe),
    }
}

/// The delay at `key`, which has a preset: it is missing only where it is written badly, and that has been told.
pub(super) fn delay(row: &Row, key: &str) -> Span {
    row.number(key).map(seconds).unwrap_or_default()
}

/// A number of seconds out of a file, to the millisecond.
pub(super) fn seconds(s: f64) -> Span {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates; bounded by the file's shape"
    )]
    Span::from_ms((s * 1_000.0).round() as u64)
}
