//! Who moves the elements of the plant, and what their devices say of it: contacts of both ends, and what profiles have
//! besides.

use super::Plant;
use crate::field::codec::{as_written, encode};
use crate::model::element::{ElementKind, Position, Shows};
use crate::model::plan::{Element, Plan, Point, Shown};
use crate::model::register::{Field, Write};
use crate::model::table::{DeviceId, ElementId, PointId};
use crate::model::time::Mono;

/// A place where a device says something of its drives.
#[derive(Debug)]
pub(super) struct Told {
    what: Shows,
    elements: Vec<ElementId>,
    device: DeviceId,
    field: Field,
    /// The point that measures it, where there is one.
    point: Option<PointId>,
    /// What it said last.
    last: Option<f64>,
}

impl Told {
    pub(super) fn of(plan: &Plan) -> Vec<Told> {
        let told = |shown: &Shown| {
            let Shown { device, field, what } = shown.clone();
            let here = plan.elements.iter().filter(|(_, element)| element.device == device);
            let same = |p: &Point| {
                p.device == device && (p.field.at, p.field.encoding) == (field.at, field.encoding)
            };
            let point = plan.points.find(same);
            Told { what, elements: here.map(|(id, _)| id).collect(), device, field, point, last: None }
        };
        plan.shown.iter().map(told).collect()
    }
}

impl Plant {
    /// Lets an element stick where it is, or come loose.
    pub fn set_jammed(&mut self, now: Mono, element: ElementId, jammed: bool) {
        self.drives[element].set_jammed(now, jammed);
        self.follow(now, element);
    }

    /// Somebody opens a valve on site. Refused while it is commanded shut and has no hand wheel.
    pub fn open_by_hand(&mut self, now: Mono, element: ElementId) -> bool {
        self.hand(now, element, false).is_ok()
    }

    /// Somebody switches a load on again. Refused while it is commanded off.
    pub fn repower_by_hand(&mut self, now: Mono, element: ElementId) -> bool {
        self.hand(now, element, false).is_ok()
    }

    /// Somebody beside an element moves it. Nobody moves what is jammed. Into the safe state everything else goes; out of
    /// it, while that is commanded, only a valve that has a hand wheel or is in local: it stays where it was brought until
    /// it is commanded anew. A spring holds other valves, and a breaker does not close on a standing trip.
    ///
    /// # Errors
    /// What stands against it, in words.
    pub(super) fn hand(&mut self, now: Mono, element: ElementId, safe: bool) -> Result<(), String> {
        let Element { tag, kind, .. } = &self.plan.elements[element];
        if self.drives[element].is_jammed() {
            return Err(format!("{tag} is jammed: no hand moves it"));
        }
        let by_wheel = *kind == ElementKind::Valve && (self.drives[element].local || self.has_wheel(element));
        if !safe && self.is_tripped(element) && !by_wheel {
            return Err(format!("{tag} is commanded into its safe state: nobody moves it out of that"));
        }
        self.drives[element].go_by_hand(now, safe);
        Ok(())
    }

    /// Lets an element obey only who stands beside it; or everybody again, and then what is commanded.
    pub(super) fn set_local(&mut self, now: Mono, element: ElementId, local: bool) {
        self.drives[element].local = local;
        self.follow(now, element);
    }

    fn has_wheel(&self, element: ElementId) -> bool {
        self.told.iter().any(|told| told.what == Shows::ByHand && told.elements.contains(&element))
    }

    /// Brings up to date what devices say of drives; of several on one device, of that of which it is most true.
    pub(super) fn tell(&mut self, now: Mono) {
        for n in 0..self.told.len() {
            let Some(told) = self.told.get_mut(n) else { continue };
            let says = told.elements.iter().map(|id| self.drives[*id].shows(now, told.what));
            let Some(says) = says.reduce(f64::max) else { continue };
            if told.last.replace(says) == Some(says) {
                continue;
            }
            let (lo, hi) = told.field.range.filter(|_| told.what == Shows::Position).unwrap_or((0.0, 1.0));
            let value = lo + says * (hi - lo);
            let raw = encode(&told.field, value);
            let (device, at, encoding) = (told.device, told.field.at, told.field.encoding);
            match told.point {
                Some(point) => self.change(now, point, value),
                None => drop(self.store(device, at, encoding, raw)),
            }
        }
    }

    fn is_tripped(&self, element: ElementId) -> bool {
        let Element { device, command, .. } = &self.plan.elements[element];
        let mask = if let Write::Mask(mask) = command.how { mask } else { u16::MAX };
        let trip = as_written(command.at.space, command.trip);
        self.memory[*device].get(&command.at).is_some_and(|cell| cell & mask == trip & mask)
    }

    /// Lets a drive follow its command, unless it is in local. What is lifted comes back by hand only, but for a siren
    /// and a lock.
    pub(super) fn follow(&mut self, now: Mono, element: ElementId) {
        let tripped = self.is_tripped(element);
        let drive = &mut self.drives[element];
        if drive.local {
            return;
        }
        if tripped || matches!(drive.kind, ElementKind::Siren | ElementKind::Lock) {
            drive.go(now, tripped);
        }
    }

    pub(super) fn show_contacts(&mut self, element: ElementId, position: Position) {
        let position = self.lies.get(&element).copied().unwrap_or(position);
        let Element { safe_contact, unsafe_contact, .. } = self.plan.elements[element];
        for (contact, end) in [(safe_contact, Position::Safe), (unsafe_contact, Position::Unsafe)] {
            if let Some(contact) = contact {
                let closed = (position == end) == contact.yes;
                self.show(contact.point, f64::from(u8::from(closed)));
            }
        }
    }
}
