//! The judge: gathers what was read, judges it, acts. One per gateway, because interlocks cross areas.

use crate::model::command::{Order, Reply};
use crate::model::element::Demand;
use crate::model::line::LineFault;
use crate::model::plan::Plan;
use crate::model::point::Reading;
use crate::model::record::{Record, Sample, Standing, Trouble};
use crate::model::table::{DeviceId, ElementId, PointId};
use crate::model::time::Now;
use crate::model::view::View;
use std::sync::Arc;

/// Everything that can reach the judge.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// What a device answered to one request of a poll.
    Readings {
        /// Who answered.
        device: DeviceId,
        /// The readings of every point in that answer.
        readings: Vec<(PointId, Reading)>,
    },
    /// A request to a device brought no usable answer.
    NoAnswer {
        /// Who did not answer.
        device: DeviceId,
        /// How it failed.
        fault: LineFault,
    },
    /// A write to an element was read back as written, or failed.
    Wrote {
        /// Which element.
        element: ElementId,
        /// What was written.
        demand: Demand,
        /// How it went.
        outcome: Result<(), LineFault>,
    },
    /// A person asks for something; answered in [`Effects::reply`].
    Order(Order),
    /// Another room is in trouble, or no longer is.
    Trouble(Trouble),
    /// Every 100 ms: carries all timers.
    Tick,
}

/// What the judge wants done. Appended to, never cleared, by the judge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Demands that changed. A demand is a level: losing or repeating one is harmless.
    pub demands: Vec<(ElementId, Demand)>,
    /// What happened, in order.
    pub records: Vec<Record>,
    /// Values to be told.
    pub samples: Vec<Sample>,
    /// The answer to an order.
    pub reply: Option<Reply>,
}

/// The judge.
#[derive(Debug)]
pub struct Site {
    plan: Arc<Plan>,
}

impl Site {
    /// A judge of `plan` that goes on where the journal says the last one stopped.
    #[must_use]
    pub fn new(plan: Arc<Plan>, _standing: &Standing, _now: Now) -> Site {
        Site { plan }
    }

    /// Takes in one input. Total: a bad world is data, not an error.
    pub fn handle(&mut self, _now: Now, _input: Input, _effects: &mut Effects) {
        let _ = &self.plan;
    }

    /// The latest state of everything.
    #[must_use]
    pub fn view(&self, _now: Now) -> Option<View> {
        None
    }
}
