//! What can befall a pretended plant. Scenarios and live orders are made of the same deeds; what comes of them lives in
//! `simulator/`.

use super::element::Position;
use super::point::{Quality, Tag};
use super::table::{AreaId, DeviceId, ElementId, PointId};
use super::time::Span;

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
    /// How a room is wired, as far as it is said.
    Wire(AreaId, Wiring),
    /// A head has shown nine tenths of a step after this.
    T90(PointId, Span),
    /// The fan of a room runs, or does not.
    Fan(AreaId, bool),
    /// An element sticks, or comes loose.
    Jam(ElementId, bool),
    /// Somebody brings an element into its safe state (true), or out of it, by hand.
    Hand(ElementId, bool),
    /// How long an element takes from end to end.
    Travel(ElementId, Span),
    /// An element obeys only who stands beside it, or everybody again.
    Local(ElementId, bool),
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

/// How a room is wired; what is `None` is as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wiring {
    /// What a leak is fed through: it ends when one of them is shut.
    pub feeds: Option<Vec<ElementId>>,
    /// What works the seam: it gives less when one of them is dead.
    pub works: Option<Vec<ElementId>>,
    /// What drives the fan: it stands while that is dead, or not switched on.
    pub fan: Option<ElementId>,
}

/// How a device misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// It is off: nothing is answered, nothing is done.
    Silence,
    /// It refuses everything with this exception code; nothing is done.
    Exception(u8),
    /// It answers under another unit number.
    WrongUnit,
    /// It answers another function than it was asked.
    WrongFunction,
    /// The last byte of its answers is missing.
    ShortAnswer,
    /// Its answers are complete and right, and this late.
    Late(Span),
    /// Its answers are well formed but hold one cell less than asked for, or confirm another write.
    WrongCount,
    /// It confirms another write than it was asked for; reads are answered as if they were writes to the next address.
    WrongEcho,
    /// A write is answered as it should be, and not carried out.
    Unheeded,
    /// It hangs up instead of answering; nothing is done.
    Close,
    /// A bit is wrong: of anything on a serial line, over TCP of the head.
    Damaged,
    /// Noise instead of an answer.
    NoiseOnly,
    /// Noise, then the answer. On a serial line only, as the others that add bytes.
    NoiseBefore,
    /// The answer, then noise.
    NoiseAfter,
    /// Half an answer.
    Partial,
    /// An answer in two parts.
    Split,
    /// Another master asks its unit, and is answered, before the answer.
    OtherMaster,
    /// The connection stays, and for so long whatever is asked is not answered.
    HalfOpen(Span),
    /// The answer comes twice.
    Twice,
    /// The question comes back before the answer.
    Echo,
}

impl Mischief {
    /// What can be named, in the order in which it is told.
    pub const NAMES: [&str; 20] = [
        "silence",
        "exception",
        "wrong-unit",
        "wrong-function",
        "short",
        "late",
        "wrong-length",
        "wrong-echo",
        "unheeded",
        "close",
        "crc",
        "noise",
        "noise-before",
        "noise-after",
        "partial",
        "split",
        "other-master",
        "half-open",
        "twice",
        "echo",
    ];

    /// The mischief of that name. `code` is that of an exception, `lasting` how late an answer or how long a connection
    /// deaf is.
    #[must_use]
    pub fn named(name: &str, code: u8, lasting: Span) -> Option<Mischief> {
        Some(match name {
            "silence" => Mischief::Silence,
            "exception" => Mischief::Exception(code),
            "wrong-unit" => Mischief::WrongUnit,
            "wrong-function" => Mischief::WrongFunction,
            "short" => Mischief::ShortAnswer,
            "late" => Mischief::Late(lasting),
            "wrong-length" => Mischief::WrongCount,
            "wrong-echo" => Mischief::WrongEcho,
            "unheeded" => Mischief::Unheeded,
            "close" => Mischief::Close,
            "crc" => Mischief::Damaged,
            "noise" => Mischief::NoiseOnly,
            "noise-before" => Mischief::NoiseBefore,
            "noise-after" => Mischief::NoiseAfter,
            "partial" => Mischief::Partial,
            "split" => Mischief::Split,
            "other-master" => Mischief::OtherMaster,
            "half-open" => Mischief::HalfOpen(lasting),
            "twice" => Mischief::Twice,
            "echo" => Mischief::Echo,
            _ => return None,
        })
    }
}
