//! What can befall the pretended plant. Scenarios and live orders are made of the same deeds.

use super::mischief::Mischief;
use crate::model::element::Position;
use crate::model::point::{Quality, Tag};
use crate::model::table::{AreaId, DeviceId, ElementId, PointId};
use crate::model::time::Span;

/// Something that befalls the plant.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// A point measures this from now on, beside what its room adds.
    Set(PointId, f64),
    /// A point goes to this value evenly.
    Ramp(PointId, f64, Span),
    /// A sensor says this of itself.
    Say(PointId, Quality),
    /// The zero of a sensor moves by so much an hour.
    Drift(PointId, f64),
    /// Standard deviation of a sensor's noise.
    Noise(PointId, f64),
    /// Gas flows into a room from something that its valves feed, in m³/min.
    Leak(AreaId, Tag, f64),
    /// Gas flows into a room from the seam, less once its loads are cut, in m³/min.
    Seam(AreaId, Tag, f64),
    /// Fresh air for a room while its fan runs, in m³/min.
    Air(AreaId, f64),
    /// The size of a room in m³.
    Volume(AreaId, f64),
    /// The fan of a room runs, or does not.
    Fan(AreaId, bool),
    /// An element sticks, or comes loose.
    Jam(ElementId, bool),
    /// Somebody brings an element into its safe state (true), or out of it, by hand.
    Hand(ElementId, bool),
    /// How long an element takes from end to end.
    Travel(ElementId, Span),
    /// The contacts of an element say this whatever is true; `None` ends it.
    Lie(ElementId, Option<Position>),
    /// What shows that a device lives stands still, or goes on.
    Heartbeat(DeviceId, bool),
    /// A device has power, or has not. With it back its outputs are at rest.
    Power(DeviceId, bool),
    /// So many of a hundred answers of a device are spoilt like this.
    Mischief(DeviceId, Mischief, u8),
    /// A device behaves again.
    Well(DeviceId),
}
