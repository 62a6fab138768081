//! Valves, loads, sirens and locks: what is written, what tells that it has worked, and the points that go with both.

use super::faults::{Fault, Place, quoted};
use super::read::Row;
use super::site::{Compiler, mode, name, seconds, tag};
use super::supervision::Watched;
use crate::model::alarm::Condition;
use crate::model::element::ElementKind;
use crate::model::plan::{Contact, Element, Point};
use crate::model::point::{Tag, Text, Unit};
use crate::model::register::{Command, Encoding, Field, Space};
use crate::model::table::{AreaId, DeviceId, ElementId, PointId, Row as _};
use crate::model::time::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// From demand to confirmation, where the file does not say: a motor valve; the feed state after a local cut.
const TRAVEL_VALVE: Span = Span::from_secs(10);
const TRAVEL_OTHERS: Span = Span::from_secs(5);

/// What the point that mirrors the written cell is called, after its element.
const READBACK: &str = "readback";

/// The tables of elements, in the order in which their rows are numbered.
pub(super) const TABLES: [(&str, ElementKind); 4] = [
    ("valve", ElementKind::Valve),
    ("load", ElementKind::Load),
    ("siren", ElementKind::Siren),
    ("lock", ElementKind::Lock),
];

/// The cells that elements write, each with where that was said.
type Written = BTreeMap<(DeviceId, Space, u16), Place>;

/// An element before it has its contacts.
pub(super) struct Draft<'a> {
    pub(super) row: &'a Row,
    pub(super) kind: ElementKind,
    tag: Tag,
    name: Text,
    area: AreaId,
    device: DeviceId,
    command: Command,
    /// The contacts made so far, by device and signal.
    pub(super) contacts: BTreeMap<(DeviceId, String), PointId>,
}

impl Draft<'_> {
    /// What its alarms are about.
    pub(super) fn subject(&self) -> Watched {
        Watched { kind: self.kind, tag: self.tag.clone(), name: self.name.clone(), area: self.area }
    }
}

impl Compiler<'_> {
    pub(super) fn all_elements(&mut self) {
        let mut written = Written::new();
        let root = self.root;
        for (table, kind) in TABLES {
            for row in root.tables(table) {
                let element =
                    self.element_draft(row, kind, &mut written).and_then(|draft| self.element(draft));
                self.elements.declare(row, "id", element, self.faults);
            }
        }
        self.backups();
    }

    fn element_draft<'r>(
        &mut self,
        row: &'r Row,
        kind: ElementKind,
        written: &mut Written,
    ) -> Option<Draft<'r>> {
        let device = self.devices.find(row, "device", self.faults).copied();
        let area = match row.has("area") {
            true => Some(self.areas.find(row, "area", self.faults).copied()?),
            false => None,
        };
        let device = device?;
        let command = *Arc::clone(&self.profiles[device].outputs).find(row, "output", self.faults)?;
        let tag = tag(row)?;
        let cell = (device, command.at.space, command.at.address);
        match written.get(&cell) {
            None => {
                written.insert(cell, row.at("output"));
            }
            Some(first) => self.faults.push(
                Fault::error("same-output", row.at("output"), "two elements write the same cell")
                    .label("taken")
                    .help("each element needs an output of its own; join the loads of one switch in one [[load]]")
                    .other(first, "first used here"),
            ),
        }
        Some(Draft {
            row,
            kind,
            name: name(row, &tag),
            tag,
            area: area.unwrap_or(self.plan.devices[device].area),
            device,
            command,
            contacts: BTreeMap::new(),
        })
    }

    fn element(&mut self, mut draft: Draft<'_>) -> Option<ElementId> {
        let (row, kind) = (draft.row, draft.kind);
        let (safe_key, unsafe_key) = match kind {
            ElementKind::Valve => ("closed", Some("open")),
            ElementKind::Load => ("dead", Some("live")),
            ElementKind::Siren => ("on", None),
            ElementKind::Lock => ("locked", Some("free")),
        };
        let safe_contact = self.feedback(&mut draft, safe_key);
        let unsafe_contact = unsafe_key.and_then(|key| self.feedback(&mut draft, key));
        let travel = row.number("travel_s").map(seconds);
        let travel_limit =
            travel.unwrap_or(if kind == ElementKind::Valve { TRAVEL_VALVE } else { TRAVEL_OTHERS });
        if let (Some(contact), Some(key)) = (safe_contact, unsafe_key)
            && unsafe_contact == Some(contact)
        {
            self.same_contact(row, safe_key, key);
        }
        self.check_feedback(&draft, safe_key, unsafe_key, travel_limit);
        let readback = self.readback(&draft);
        let not_confirmed = self.element_alarm(&draft.subject(), Condition::NotConfirmed);
        let supervision = self.supervision(&draft, safe_contact, unsafe_contact, travel_limit);
        Some(self.plan.elements.push(Element {
            kind,
            area: draft.area,
            device: draft.device,
            command: draft.command,
            mode: mode(row, "mode").unwrap_or(self.mode),
            safe_contact,
            unsafe_contact,
            readback: readback?,
            travel_limit,
            not_confirmed,
            supervision,
            tag: draft.tag,
            name: draft.name,
        }))
    }

    /// The contact at `key`: `signal`, `device:signal`, inverted by a `!`.
    fn feedback(&mut self, draft: &mut Draft<'_>, key: &str) -> Option<Contact> {
        let (written, at) = (draft.row.str(key)?, draft.row.at(key));
        let (yes, wanted) = match written.strip_prefix('!') {
            Some(rest) => (false, rest.trim()),
            None => (true, written),
        };
        let (device, signal) = match wanted.split_once(':') {
            Some((device, signal)) => (*self.devices.find_as(device, at.clone(), self.faults)?, signal),
            None => (draft.device, wanted),
        };
        if let Some(point) = draft.contacts.get(&(device, signal.to_owned())) {
            return Some(Contact { point: *point, yes });
        }
        let signals = Arc::clone(&self.profiles[device].signals);
        let found = signals.find_as(signal, at.clone(), self.faults)?;
        if found.unit != Unit::State {
            let message =
                format!("{} is measured in {}, and a feedback is a contact", quoted(signal), found.unit);
            self.faults.push(
                Fault::error("not-a-contact", at, message)
                    .label("no contact")
                    .help("name a signal whose unit is \"state\""),
            );
            return None;
        }
        let what = found.name.clone().unwrap_or_else(|| Text::new(signal, signal));
        // By its signal; the read-back, and contacts of other devices, must not be taken for it.
        let suffix = match device == draft.device && signal != READBACK {
            true => signal.to_owned(),
            false => format!("{}.{signal}", self.plan.devices[device].tag),
        };
        let point = self.extra_point(draft, &suffix, &what, device, found.field.clone(), at)?;
        draft.contacts.insert((device, signal.to_owned()), point);
        Some(Contact { point, yes })
    }

    /// Both contacts would say yes at once, which is never believed.
    fn same_contact(&mut self, row: &Row, one: &str, other: &str) {
        let message =
            format!("`{one}` and `{other}` are the same contact in the same sense: it could never confirm");
        self.faults.push(
            Fault::error("same-contact", row.at(other), message)
                .label("the same contact")
                .help(format!("name another signal, or leave `{other}` out; one contact that tells both is {other} = \"!…\""))
                .other(&row.at(one), "first used here"),
        );
    }

    /// The point that mirrors the written cell.
    fn readback(&mut self, draft: &Draft<'_>) -> Option<PointId> {
        let at = draft.command.readback;
        let encoding = if at.space.is_bits() { Encoding::Bit } else { Encoding::U16 };
        let field = Field::plain(at, encoding);
        let what = Text::new("命令回读", "command read back");
        self.extra_point(draft, READBACK, &what, draft.device, field, draft.row.at("id"))
    }

    /// A point that an element brings along.
    fn extra_point(
        &mut self,
        draft: &Draft<'_>,
        suffix: &str,
        what: &Text,
        device: DeviceId,
        field: Field,
        at: Place,
    ) -> Option<PointId> {
        let text = format!("{}.{suffix}", draft.tag);
        let Some(tag) = Tag::new(&text) else {
            let message = format!(
                "{} is too long: Davy adds a point {} for it",
                quoted(draft.tag.as_str()),
                quoted(&text)
            );
            self.faults.push(
                Fault::error("bad-id", draft.row.at("id"), message)
                    .help(format!("shorten the id: at most {} characters with what is added", Tag::MAX)),
            );
            return None;
        };
        let id = PointId::from_usize(self.plan.points.len());
        self.points.declare_as(&text, at, Some(id), self.faults).then_some(())?;
        Some(self.plan.points.push(Point {
            tag,
            name: Text::new(
                format!("{} {}", draft.name.zh, what.zh),
                format!("{}, {}", draft.name.en, what.en),
            ),
            area: draft.area,
            device,
            block: 0,
            field,
            unit: Unit::State,
            gas: None,
            decimals: 0,
            deadband: 1.0,
            alarms: Vec::new(),
            trend: None,
            twin: None,
        }))
    }

    fn check_feedback(&mut self, draft: &Draft<'_>, safe_key: &str, unsafe_key: Option<&str>, travel: Span) {
        let row = draft.row;
        if !row.has(safe_key) && !unsafe_key.is_some_and(|key| row.has(key)) {
            let message = format!("nothing tells whether {} has obeyed", quoted(draft.tag.as_str()));
            let keys = unsafe_key.map_or_else(
                || format!("{safe_key} = \"…\""),
                |u| format!("{safe_key} = \"…\" or {u} = \"…\""),
            );
            self.faults.push(Fault::warning("no-feedback", row.at("id"), message).label("no feedback").help(
                format!("add {keys}, a contact; without it a write that was read back counts as done"),
            ));
        }
        let slowest = draft.contacts.keys().map(|(device, _)| self.plan.devices[*device].poll).max();
        if let Some(poll) = slowest.filter(|poll| *poll > travel) {
            let message = format!("confirmation within {travel}, by a contact that is read every {poll}");
            self.faults.push(
                Fault::warning("travel-below-poll", row.at("travel_s"), message)
                    .label("comes too late")
                    .help("lower poll_ms of the device, or raise travel_s"),
            );
        }
    }
}
