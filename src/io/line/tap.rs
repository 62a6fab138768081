//! What goes over a line, in the log, for the engineer who wants to see it: bytes, frames or values, while it runs.

use crate::field::codec::{Cells, Question};
use crate::field::schedule::Ask;
use crate::model::line::LineFault;
use crate::model::plan::Plan;
use crate::model::point::{Displayed, Reading, Tag};
use crate::model::table::PointId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How much of a line's traffic is written into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Decode {
    /// Nothing.
    #[default]
    Off,
    /// What points read.
    Values,
    /// Questions and answers as well.
    Frames,
    /// Every byte as well.
    Bytes,
}

impl Decode {
    /// Every degree.
    pub const ALL: [Decode; 4] = [Decode::Off, Decode::Values, Decode::Frames, Decode::Bytes];

    /// As people write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Decode::Off => "off",
            Decode::Values => "values",
            Decode::Frames => "frames",
            Decode::Bytes => "bytes",
        }
    }

    /// From what people write.
    #[must_use]
    pub fn parse(text: &str) -> Option<Decode> {
        Decode::ALL.into_iter().find(|d| d.as_str() == text)
    }

    const fn degree(self) -> u8 {
        match self {
            Decode::Off => 0,
            Decode::Values => 1,
            Decode::Frames => 2,
            Decode::Bytes => 3,
        }
    }
}

/// A line's tap, opened and closed from outside while it runs.
#[derive(Clone, Debug)]
pub struct Tap {
    bus: Tag,
    degree: Arc<AtomicU8>,
}

impl Tap {
    /// A closed one.
    #[must_use]
    pub fn new(bus: Tag) -> Tap {
        Tap { bus, degree: Arc::default() }
    }

    /// Opens or closes it.
    pub fn set(&self, decode: Decode) {
        self.degree.store(decode.degree(), Ordering::Relaxed);
    }

    fn shows(&self, decode: Decode) -> bool {
        self.degree.load(Ordering::Relaxed) >= decode.degree()
    }

    pub(super) fn sent(&self, bytes: &[u8]) {
        if self.shows(Decode::Bytes) {
            tracing::info!(bus = %self.bus, bytes = hex(bytes), "sent");
        }
    }

    pub(super) fn heard(&self, bytes: &[u8]) {
        if self.shows(Decode::Bytes) {
            tracing::info!(bus = %self.bus, bytes = hex(bytes), "heard");
        }
    }

    pub(super) fn thrown_away(&self, bytes: &[u8]) {
        if self.shows(Decode::Bytes) {
            tracing::info!(bus = %self.bus, bytes = hex(bytes), "thrown away: it came before the next question");
        }
    }

    pub(super) fn asked(&self, plan: &Plan, ask: &Ask, outcome: &Result<Cells, LineFault>) {
        if !self.shows(Decode::Frames) {
            return;
        }
        let device = &plan.devices[ask.device].tag;
        let question = match ask.question {
            Question::Read(block) => {
                format!("read {} {} ×{}", block.at.space.as_str(), block.at.address, block.count)
            }
            Question::Write { at, value, .. } => {
                format!("write {} {} = {value}", at.space.as_str(), at.address)
            }
        };
        let answer = match outcome {
            Ok(Cells::Words(words)) => format!("{words:04x?}"),
            Ok(Cells::Bits(bits)) => bits.iter().map(|bit| if *bit { '1' } else { '0' }).collect(),
            Err(fault) => fault.to_string(),
        };
        tracing::info!(bus = %self.bus, %device, unit = ask.unit, question, answer, "asked");
    }

    pub(super) fn read(&self, plan: &Plan, readings: &[(PointId, Reading)]) {
        if !self.shows(Decode::Values) {
            return;
        }
        for (id, reading) in readings {
            let point = &plan.points[*id];
            let value = reading.value.map_or_else(|| "--".to_owned(), |v| Displayed::text(v, point.decimals));
            let (tag, unit) = (&point.tag, point.unit.as_str());
            tracing::info!(bus = %self.bus, point = %tag, value, unit, quality = %reading.quality, "read");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let byte = |byte: &u8| format!("{byte:02x}");
    bytes.iter().map(byte).collect::<Vec<_>>().join(" ")
}
