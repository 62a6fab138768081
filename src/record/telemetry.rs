//! Blocks of telemetry: values gathered by point into one JSON payload. Where blocks lie and how long is in `io`.
//!
//! ```text
//! {"boot":"<16 hex>","from":"2026-11-24T03:42:05.000Z","gateway":"mine-1","points":{"face.t0":[[1795491725000,0.42,"good"]]},"seq":7,"to":"2026-11-24T03:42:06.000Z","v":1}
//! ```
//! A point's rows are `[UTC in ms, value or null, quality]`, in the order in which they came.

use crate::model::point::Tag;
use crate::model::record::Sample;
use crate::model::time::Wall;
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the block's shape.
pub const VERSION: u64 = 1;

/// Most samples in a block: some 8 KiB of JSON, which one message and one write of the buffer hold with ease.
pub const SAMPLES_MAX: usize = 200;

/// One row of a point.
#[derive(Clone, Copy, Debug, Serialize)]
struct Told(i64, Option<f64>, &'static str);

/// The payload; its keys are in the order of the alphabet, as in every payload.
#[derive(Serialize)]
struct Payload<'a> {
    boot: String,
    from: String,
    gateway: &'a str,
    points: BTreeMap<&'a str, &'a [Told]>,
    seq: u64,
    to: String,
    v: u64,
}

/// Values that are being gathered.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    points: BTreeMap<Tag, Vec<Told>>,
    count: usize,
    span: Option<(Wall, Wall)>,
}

/// A block of telemetry, written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number.
    pub seq: u64,
    /// Time of its earliest value.
    pub from: Wall,
    /// Time of its latest value.
    pub to: Wall,
    /// How many values it holds.
    pub count: u64,
    /// The payload.
    pub json: String,
}

impl Gathering {
    /// Takes in one value.
    pub fn add(&mut self, sample: &Sample) {
        let row = Told(sample.wall.ms(), sample.reading.value, sample.reading.quality.as_str());
        self.points.entry(sample.point.clone()).or_default().push(row);
        self.count = self.count.saturating_add(1);
        let (from, to) = self.span.unwrap_or((sample.wall, sample.wall));
        self.span = Some((from.min(sample.wall), to.max(sample.wall)));
    }

    /// Whether it holds nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether no further value belongs into the same block.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.count >= SAMPLES_MAX
    }

    /// The block `seq` of what was gathered, or `None` where that is nothing.
    pub fn finish(&mut self, gateway: &str, boot: u64, seq: u64) -> Option<Block> {
        let gathered = std::mem::take(self);
        let (from, to) = gathered.span?;
        let payload = Payload {
            boot: format!("{boot:016x}"),
            from: from.to_string(),
            gateway,
            points: gathered.points.iter().map(|(tag, rows)| (tag.as_str(), rows.as_slice())).collect(),
            seq,
            to: to.to_string(),
            v: VERSION,
        };
        let json =
            serde_json::to_string(&payload).expect("numbers and texts under text keys are always JSON");
        let count = u64::try_from(gathered.count).unwrap_or(u64::MAX);
        Some(Block { seq, from, to, count, json })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::point::{Fault, Quality, Reading};
    use crate::model::time::Mono;

    fn sample(point: &str, ms: i64, value: Option<f64>) -> Sample {
        let quality = if value.is_some() { Quality::Good } else { Quality::Bad(Fault::CommLost) };
        let reading = Reading { value, quality, at: Mono::START };
        Sample { point: Tag::new(point).unwrap(), reading, wall: Wall::from_ms(ms) }
    }

    /// Frozen: control rooms read this. If this fails, don't change the test.
    #[test]
    fn a_block_has_these_bytes() {
        let mut gathering = Gathering::default();
        gathering.add(&sample("face.t1", 1_795_491_726_500, Some(1.0)));
        gathering.add(&sample("face.t0", 1_795_491_725_000, None));
        gathering.add(&sample("face.t1", 1_795_491_727_000, Some(0.42)));
        let block = gathering.finish("mine-1", 0xbeef, 7).unwrap();
        assert_eq!(
            block.json,
            r#"{"boot":"000000000000beef","from":"2026-11-24T03:42:05.000Z","gateway":"mine-1","points":{"face.t0":[[1795491725000,null,"comm-lost"]],"face.t1":[[1795491726500,1.0,"good"],[1795491727000,0.42,"good"]]},"seq":7,"to":"2026-11-24T03:42:07.000Z","v":1}"#
        );
        assert_eq!((block.seq, block.count), (7, 3));
        assert_eq!(gathering.finish("mine-1", 0xbeef, 8), None);
    }

    #[test]
    fn a_gathering_is_full_at_its_bound() {
        let mut gathering = Gathering::default();
        for n in 0..SAMPLES_MAX {
            assert!(!gathering.is_full());
            gathering.add(&sample(&n.to_string(), 0, Some(0.0)));
        }
        assert!(gathering.is_full());
    }
}
