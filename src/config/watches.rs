//! Points that Davy adds of itself: what profiles say is to be looked at on every device, whether or not the site file
//! names it. Identity, set-points and heartbeat of a device, and contacts that tell of its state.

use super::alarms::About;
use super::faults::Fault;
use super::points::colour;
use super::profile::{Signal, Watch};
use super::read::Row;
use super::site::Compiler;
use super::texts;
use crate::model::alarm::{Condition, Level};
use crate::model::plan::{Alarm, Limit, Point, Shown, Subject};
use crate::model::point::{Doubt, Tag, Text, Unit};
use crate::model::sign::Tells;
use crate::model::table::{DeviceId, PointId};
use crate::model::time::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of points by the profiles of their devices.
#[derive(Debug, Default)]
pub(super) struct ByProfile {
    /// What they must read.
    pub(super) expects: BTreeMap<PointId, f64>,
    /// What must stay as it was first read.
    pub(super) lasting: Vec<PointId>,
    /// What contacts tell of their device.
    pub(super) tells: BTreeMap<PointId, Tells>,
}

impl Compiler<'_> {
    /// After all points and elements, which may have named the same signals already.
    pub(super) fn watches(&mut self) {
        let mut used: BTreeMap<DeviceId, Vec<PointId>> = BTreeMap::new();
        for (id, point) in self.plan.points.iter() {
            used.entry(point.device).or_default().push(id);
        }
        let root = self.root;
        for row in root.tables("device") {
            let Some(device) = row.str("id").and_then(|id| self.devices.get(id)).copied() else { continue };
            // Of a device that nobody reads nothing is looked at: that it is not read is told.
            let Some(points) = used.get(&device) else { continue };
            let profile = Arc::clone(&self.profiles[device]);
            let signals = profile.signals.all().filter_map(|id| profile.signals.get(id));
            let shown = signals.filter_map(|signal| Some((signal.shows?, signal.field.clone())));
            self.plan.shown.extend(shown.map(|(what, field)| Shown { device, field, what }));
            for id in profile.signals.all() {
                if let Some(signal) = profile.signals.get(id)
                    && let Some(watch) = &signal.watch
                {
                    self.watch(row, device, points, (id, signal), watch);
                }
            }
        }
    }

    fn watch(
        &mut self,
        row: &Row,
        device: DeviceId,
        points: &[PointId],
        signal: (&str, &Signal),
        watch: &Watch,
    ) {
        let own = points.iter().copied().find(|id| {
            let field = &self.plan.points[*id].field;
            (field.at, field.encoding) == (signal.1.field.at, signal.1.field.encoding)
        });
        let set_point = match watch {
            Watch::SetPoint { of, level } => {
                match self.set_point(row, device, points, signal.1, of, *level) {
                    Some(found) => Some(found),
                    None => return,
                }
            }
            Watch::Heartbeat { changes: Some(changes), .. } if self.plan.devices[device].poll >= *changes => {
                let poll = self.plan.devices[device].poll;
                let message = format!("its heartbeat changes every {changes}, and it is asked every {poll}");
                self.faults.push(
                    Fault::warning("heartbeat-unseen", row.at("poll_ms"), message)
                        .label("may always see the same")
                        .help("ask it more often, so that a device that hangs is noticed; its heartbeat is not judged now"),
                );
                return;
            }
            Watch::Identity(_) | Watch::Tells(..) | Watch::Trouble { .. } | Watch::Heartbeat { .. } => None,
        };
        let Some(point) = own.or_else(|| self.add(row, device, signal, set_point)) else { return };
        let expects = match watch {
            Watch::Identity(expect) => *expect,
            Watch::SetPoint { .. } => set_point.map(|(_, set)| set),
            Watch::Tells(..) | Watch::Trouble { .. } | Watch::Heartbeat { .. } => None,
        };
        if let Some(value) = expects {
            self.expected(point, value);
        }
        match watch {
            Watch::Identity(_) => self.by_profile.lasting.push(point),
            Watch::SetPoint { .. } => {}
            Watch::Tells(tells, of) => {
                self.by_profile.tells.insert(point, *tells);
                if let (Some(of), Some(doubt)) = (of, tells.doubt()) {
                    self.doubted(device, points, of, (point, doubt));
                }
            }
            Watch::Trouble { when, level, text } => self.trouble(point, *when, *level, text.as_ref()),
            Watch::Heartbeat { still, .. } => self.plan.devices[device].heartbeat = Some((point, *still)),
        }
    }

    /// The points that read the signal `of`, which can't be relied on while the contact is set.
    fn doubted(&mut self, device: DeviceId, points: &[PointId], of: &str, contact: (PointId, Doubt)) {
        let profile = Arc::clone(&self.profiles[device]);
        let Some(Signal { field: about, .. }) = profile.signals.get(of) else { return };
        for id in points {
            let field = &self.plan.points[*id].field;
            if (field.at, field.encoding) == (about.at, about.encoding) {
                self.plan.doubts.entry(*id).or_default().push(contact);
            }
        }
    }

    /// The point that a set-point of the device is compared with, and the set-point that it should be.
    fn set_point(
        &mut self,
        row: &Row,
        device: DeviceId,
        points: &[PointId],
        signal: &Signal,
        of: &str,
        level: Level,
    ) -> Option<(PointId, f64)> {
        let profile = Arc::clone(&self.profiles[device]);
        let compared = &profile.signals.get(of)?.field;
        let measured = points.iter().copied().find(|id| {
            let field = &self.plan.points[*id].field;
            (field.at, field.encoding) == (compared.at, compared.encoding)
        })?;
        let point = &self.plan.points[measured];
        let wanted = [Condition::High(level), Condition::Low(level)];
        let mut alarms = point.alarms.iter().map(|id| &self.plan.alarms[*id]);
        let limit = alarms.find(|alarm| wanted.contains(&alarm.condition))?.limit?;
        if point.unit != signal.unit {
            let message = format!(
                "`{}` measures in {}, and the device tells its set-points in {}",
                point.tag, point.unit, signal.unit
            );
            self.faults.push(
                Fault::warning("not-compared", row.at("profile"), message)
                    .label("its set-points are not held against the site's")
                    .help("compare them by hand when commissioning, or add a point for them with `expect`"),
            );
            return None;
        }
        Some((measured, limit.set))
    }

    /// A point for a signal that the site file does not name.
    fn add(
        &mut self,
        row: &Row,
        device: DeviceId,
        (id, signal): (&str, &Signal),
        set_point: Option<(PointId, f64)>,
    ) -> Option<PointId> {
        let of = &self.plan.devices[device];
        let (area, text) = (of.area, format!("{}.{id}", of.tag));
        let what = signal.name.clone().unwrap_or_else(|| Text::new(id, id));
        let name = super::site::name(row, &of.tag);
        let Some(tag) = Tag::new(&text) else {
            let message = format!("the device's id is too long: Davy adds a point \"{text}\" for it");
            self.faults.push(
                Fault::error("bad-id", row.at("id"), message)
                    .help(format!("shorten it: at most {} characters with what is added", Tag::MAX)),
            );
            return None;
        };
        let point = crate::model::table::Row::from_usize(self.plan.points.len());
        self.points.declare_as(&text, row.at("id"), Some(point), self.faults).then_some(())?;
        let decimals = set_point.map_or(0, |(of, _)| self.plan.points[of].decimals);
        let step = 10f64.powi(i32::from(decimals).saturating_neg());
        Some(self.plan.points.push(Point {
            tag,
            name: Text::new(format!("{} {}", name.zh, what.zh), format!("{}, {}", name.en, what.en)),
            area,
            device,
            block: 0,
            field: signal.field.clone(),
            unit: signal.unit,
            gas: None,
            decimals,
            deadband: step,
            alarms: Vec::new(),
            trend: None,
            twin: None,
        }))
    }

    /// What it must read, unless the site file has said so itself.
    fn expected(&mut self, id: PointId, value: f64) {
        let point = &self.plan.points[id];
        let is_said =
            |alarm: &crate::model::table::AlarmId| self.plan.alarms[*alarm].condition == Condition::Differs;
        if point.alarms.iter().any(is_said) {
            return;
        }
        let (tag, name) = (point.tag.clone(), point.name.clone());
        let about = About {
            tag: &tag,
            name: &name,
            area: point.area,
            subject: Subject::Point(id),
            off_delay: Span::ZERO,
        };
        let alarm = self.further(&about, Condition::Differs, Some(Limit { set: value, reset: value }));
        self.plan.points[id].alarms.push(alarm);
        self.by_profile.expects.insert(id, value);
    }

    /// The alarm of a contact, unless the site file gives it one itself.
    fn trouble(&mut self, id: PointId, when: bool, level: Level, text: Option<&Text>) {
        let point = &self.plan.points[id];
        let is_contact = |alarm: &Alarm| matches!(alarm.condition, Condition::Contact(_));
        if point.unit != Unit::State || point.alarms.iter().any(|alarm| is_contact(&self.plan.alarms[*alarm]))
        {
            return;
        }
        let (set, condition) = (f64::from(u8::from(when)), Condition::Contact(level));
        let wrong = text.cloned().unwrap_or_else(|| texts::contact(level));
        let alarm = Alarm {
            key: format!("{}:{condition}", point.tag),
            subject: Subject::Point(id),
            area: point.area,
            condition,
            limit: Some(Limit { set, reset: 1.0 - set }),
            on_delay: Span::ZERO,
            off_delay: Span::ZERO,
            latching: level > Level::Warning,
            colour: colour(level),
            text: texts::line(&self.plan.areas[point.area].name, &point.name, &wrong),
            action: texts::level_action(level),
        };
        let alarm = self.alarm(alarm);
        self.plan.points[id].alarms.push(alarm);
    }
}
