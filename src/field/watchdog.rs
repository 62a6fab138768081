//! What a device wants to be written each so often, by which it knows that somebody watches. When it may use the line is
//! decided in `schedule`.

use super::codec::Question;
use crate::model::plan::Plan;
use crate::model::register::Watchdog;
use crate::model::table::{BusId, DeviceId};
use crate::model::time::Mono;

/// The watchdog of one device.
#[derive(Debug)]
pub(crate) struct Dog {
    pub(crate) device: DeviceId,
    pub(crate) due: Mono,
    watchdog: Watchdog,
    value: u16,
    /// The last one was not taken.
    failed: bool,
}

impl Dog {
    /// Those of the devices on a line.
    pub(crate) fn all(plan: &Plan, bus: BusId, now: Mono) -> Vec<Dog> {
        let dog = |device, watchdog| Dog { device, due: now, watchdog, value: 0, failed: false };
        plan.devices_on(bus).filter_map(|(id, device)| Some(dog(id, device.watchdog?))).collect()
    }

    /// The next write.
    pub(crate) fn question(&self) -> Question {
        let Watchdog { at, how, .. } = self.watchdog;
        Question::Write { at, value: self.value, how }
    }

    /// It was written, or should have been: the next one is due. Only a value that was taken is followed by another.
    /// Says whether it was taken after one that was not.
    pub(crate) fn written(&mut self, now: Mono, taken: bool) -> bool {
        self.due = now + self.watchdog.every;
        if taken {
            self.value = if self.value >= self.watchdog.top { 0 } else { self.value.saturating_add(1) };
        }
        std::mem::replace(&mut self.failed, !taken) && taken
    }
}
