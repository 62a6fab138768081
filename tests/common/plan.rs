//! Plans built by hand: a line of detectors and valves, without a site file.

use davy::model::alarm::{Colour, Condition};
use davy::model::element::{ElementKind, Mode};
use davy::model::link::Link;
use davy::model::plan::{Alarm, Area, Bus, Contact, Device, Element, Plan, Point, Subject, Supervision};
use davy::model::point::{Doubt, Fault, Quality, Tag, Text, Unit};
use davy::model::register::{
    Command, Encoding, Field, Location, ReadBlock, Scan, Space, StatusField, StatusMeaning,
};
use davy::model::table::{AlarmId, AreaId, BusId, DeviceId, ElementId, PointId, Row};
use davy::model::time::Span;

/// A plan under construction: one area, one bus, devices as they are added.
pub(crate) struct Builder {
    pub(crate) plan: Plan,
    pub(crate) bus: BusId,
    area: AreaId,
    pub(crate) timeout: Span,
}

/// A valve with its device and its read-back.
#[derive(Clone, Copy)]
pub(crate) struct Valve {
    pub(crate) device: DeviceId,
    pub(crate) element: ElementId,
    pub(crate) readback: PointId,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        let mut plan = Plan { gateway: "gw".to_owned(), ..Plan::default() };
        let area = plan.areas.push(Area {
            tag: tag("face"),
            name: text("face"),
            kind: "cn-coal-face".to_owned(),
            risk: Colour::Blue,
        });
        let link = Link::Tcp { host: "127.0.0.1".to_owned(), port: 0 };
        let bus = plan.buses.push(Bus { tag: tag("line"), link, gap: Span::ZERO });
        Builder { plan, bus, area, timeout: Span::from_ms(300) }
    }

    pub(crate) fn device(&mut self, poll: Span, blocks: Vec<ReadBlock>) -> DeviceId {
        let n = self.plan.devices.len();
        let comm_alarm = self.alarm(Subject::Device(DeviceId::from_usize(n)), Condition::CommLost);
        self.plan.devices.push(Device {
            tag: tag(&format!("d{n}")),
            bus: self.bus,
            unit: u8::try_from(n + 1).unwrap(),
            area: self.area,
            profile: "test".to_owned(),
            poll,
            slow_poll: Span::from_secs(600),
            hurried_poll: poll,
            timeout: self.timeout,
            late: self.timeout,
            blocks,
            comm_alarm,
            stale_alarm: comm_alarm,
            calibration: None,
            heartbeat: None,
            watchdog: None,
        })
    }

    /// Input registers 0 (hundredths of a percent, 0 to 4) and 1 (status).
    pub(crate) fn detector(&mut self, poll: Span) -> (DeviceId, PointId) {
        let device = self.device(poll, vec![block(Space::Input, 0, 2)]);
        let codes = vec![
            (0, Quality::Good),
            (1, Quality::Uncertain(Doubt::WarmUp)),
            (2, Quality::Bad(Fault::SensorFault)),
        ];
        let status = StatusField {
            at: at(Space::Input, 1),
            encoding: Encoding::U16,
            meaning: StatusMeaning::Codes(codes),
        };
        let field = Field {
            scale: 0.01,
            range: Some((0.0, 4.0)),
            statuses: [status].into(),
            ..plain(at(Space::Input, 0), Encoding::U16)
        };
        (device, self.point(device, 0, field, Unit::PctVol))
    }

    /// Coil 0 shuts, discrete inputs 0 and 1 are the closed and the open limit.
    pub(crate) fn valve(&mut self, poll: Span, mode: Mode, release: Option<u16>) -> Valve {
        let device = self.device(poll, vec![block(Space::Coil, 0, 1), block(Space::Discrete, 0, 2)]);
        let readback = self.point(device, 0, plain(at(Space::Coil, 0), Encoding::Bit), Unit::State);
        let closed = self.point(device, 1, plain(at(Space::Discrete, 0), Encoding::Bit), Unit::State);
        let open = self.point(device, 1, plain(at(Space::Discrete, 1), Encoding::Bit), Unit::State);
        let n = self.plan.elements.len();
        let not_confirmed = self.alarm(Subject::Element(ElementId::from_usize(n)), Condition::NotConfirmed);
        let element = self.plan.elements.push(Element {
            tag: tag(&format!("v{n}")),
            kind: ElementKind::Valve,
            name: text("valve"),
            area: self.area,
            device,
            command: Command::plain(at(Space::Coil, 0), 1, release),
            mode,
            safe_contact: Some(Contact { point: closed, yes: true }),
            unsafe_contact: Some(Contact { point: open, yes: true }),
            readback,
            travel_limit: Span::from_secs(5),
            not_confirmed,
            supervision: Supervision::default(),
        });
        Valve { device, element, readback }
    }

    pub(crate) fn point(&mut self, device: DeviceId, block: usize, field: Field, unit: Unit) -> PointId {
        let n = self.plan.points.len();
        self.plan.points.push(Point {
            tag: tag(&format!("p{n}")),
            name: text("point"),
            area: self.area,
            device,
            block,
            field,
            unit,
            gas: None,
            decimals: 2,
            deadband: 0.0,
            alarms: Vec::new(),
            trend: None,
            twin: None,
        })
    }

    fn alarm(&mut self, subject: Subject, condition: Condition) -> AlarmId {
        self.plan.alarms.push(Alarm {
            key: format!("a{}", self.plan.alarms.len()),
            subject,
            area: self.area,
            condition,
            limit: None,
            on_delay: Span::ZERO,
            off_delay: Span::ZERO,
            latching: false,
            colour: Colour::Yellow,
            text: Text::default(),
            action: Text::default(),
        })
    }
}

pub(crate) fn at(space: Space, address: u16) -> Location {
    Location { space, address }
}

pub(crate) fn block(space: Space, address: u16, count: u16) -> ReadBlock {
    ReadBlock { at: at(space, address), count, scan: Scan::Fast }
}

pub(crate) fn plain(at: Location, encoding: Encoding) -> Field {
    Field::plain(at, encoding)
}

fn tag(text: &str) -> Tag {
    Tag::new(text).unwrap()
}

fn text(en: &str) -> Text {
    Text::new(en, en)
}
