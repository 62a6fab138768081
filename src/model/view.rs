//! The latest state of everything, for people to look at. Made by the judge, drawn by `views/`.

use super::alarm::{AlarmState, Aside};
use super::element::{Demand, Phase, Position};
use super::grade::Grade;
use super::incident::Incident;
use super::line::{LineFault, Stray};
use super::permit::Permit;
use super::plan::Plan;
use super::point::Reading;
use super::record::{AlarmRates, Trouble, Who};
use super::table::{AlarmId, AreaId, BusId, DeviceId, ElementId, PointId, Table, TripId};
use super::time::{Now, Span, Wall};

/// The state of a site at one moment. Tables have the row numbers of the plan that it was made under.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// When.
    pub at: Now,
    /// The latest reading of every point.
    pub points: Table<PointId, Reading>,
    /// Every alarm.
    pub alarms: Table<AlarmId, AlarmView>,
    /// Every trip.
    pub trips: Table<TripId, TripView>,
    /// Every element.
    pub elements: Table<ElementId, ElementView>,
    /// Every device.
    pub devices: Table<DeviceId, DeviceView>,
    /// What is wrong with Davy itself.
    pub troubles: Vec<Trouble>,
    /// How many alarms there were.
    pub rates: AlarmRates,
    /// The bypasses that stand.
    pub bypasses: Vec<BypassView>,
    /// What is under test: the element's or trip's id.
    pub testing: Option<String>,
    /// What was under test when the last run ended; until the next test begins.
    pub cut_off: Option<String>,
    /// How bad each area is, and why.
    pub grades: Table<AreaId, Grade>,
    /// The overlimit incidents that are open.
    pub incidents: Vec<Incident>,
    /// The permits that run.
    pub permits: Vec<Permit>,
    /// What each line measures of itself; empty where nobody has asked the lines.
    pub lines: Vec<LineView>,
}

impl View {
    /// The alarms that are shown and wait for an acknowledgement, each with the occurrence that is seen here.
    #[must_use]
    pub fn waiting(&self, plan: &Plan) -> Vec<(String, u32)> {
        let waits = self.alarms.iter().filter(|(_, alarm)| alarm.state.wants_acknowledgement());
        waits.map(|(id, alarm)| (plan.alarms[id].key.clone(), alarm.occurrence)).collect()
    }
}

/// A line as it measures itself.
#[derive(Clone, Debug, PartialEq)]
pub struct LineView {
    /// Which.
    pub bus: BusId,
    /// Part of the time that it is in use, 0 to 1.
    pub in_use: f64,
    /// On a serial line: what was heard beside answers.
    pub stray: Stray,
    /// The devices on it that were asked.
    pub units: Vec<UnitView>,
}

/// How a device answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitView {
    /// Which.
    pub device: DeviceId,
    /// Questions.
    pub asked: u64,
    /// After which nothing came.
    pub no_reply: u64,
    /// After which an answer came with a wrong checksum.
    pub damaged: u64,
    /// After which something else came that was no answer.
    pub garbled: u64,
    /// Answered with an exception.
    pub exceptions: u64,
    /// Not asked because the link was down.
    pub down: u64,
    /// What was heard beside its answers, on a serial line.
    pub stray: Stray,
    /// Half of its answers took no longer.
    pub median: Option<Span>,
    /// 99 of a hundred took no longer.
    pub p99: Option<Span>,
}

/// A bypass that stands.
#[derive(Clone, Debug, PartialEq)]
pub struct BypassView {
    /// The alarm that does not vote.
    pub cause: AlarmId,
    /// What is left of it.
    pub left: Span,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub by: Who,
    /// The second person who stands for it.
    pub second: Option<String>,
}

/// Where an alarm stands.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmView {
    /// State.
    pub state: AlarmState,
    /// Which occurrence.
    pub occurrence: u32,
    /// When it came into this state.
    pub since: Wall,
    /// Worst value of this occurrence.
    pub peak: Option<f64>,
    /// How and why it is set aside; boxed, because it is big and few alarms have one.
    pub aside: Option<Box<Aside>>,
    /// Nobody acknowledged it in time: it counts as one colour worse.
    pub escalated: bool,
}

/// Where a trip stands.
#[derive(Clone, Debug, PartialEq)]
pub struct TripView {
    /// Whether it is tripped.
    pub tripped: bool,
    /// Which occurrence.
    pub occurrence: u32,
    /// The cause that was true first.
    pub first_out: Option<String>,
    /// Whether it still waits for its inputs to be heard once after the start.
    pub holding: bool,
}

/// Where an element stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ElementView {
    /// What is demanded.
    pub demand: Demand,
    /// How far the demand has come.
    pub phase: Phase,
    /// Where it is.
    pub position: Position,
}

/// How a device answers.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DeviceView {
    /// Failed requests in a row.
    pub failures: u32,
    /// The last fault, while it lasts.
    pub fault: Option<LineFault>,
}
