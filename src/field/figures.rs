//! What a line measures of itself: how busy it is, how long its units take to answer, and what goes wrong how often.

use super::codec::Cells;
use super::schedule::Ask;
use crate::model::line::{LineFault, Stray};
use crate::model::table::DeviceId;
use crate::model::time::{Mono, Span};
use std::collections::BTreeMap;

/// How long a line's use is averaged over.
const WINDOW: Span = Span::from_secs(60);

/// The figures of one line since it was started.
#[derive(Clone, Debug)]
pub struct Figures {
    /// By device.
    pub units: BTreeMap<DeviceId, UnitFigures>,
    /// What was heard beside answers, on a serial line.
    pub stray: Stray,
    /// What each block of a device held when it was read last, and when that was.
    pub last: BTreeMap<(DeviceId, usize), (Mono, Cells)>,
    begun: Mono,
    /// In use since then.
    busy: Span,
    /// Part of the time that the line was in use in the last whole window.
    last_use: Option<f64>,
}

/// The figures of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct UnitFigures {
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
    /// What lay beside its answers, or instead of them, on a serial line.
    pub stray: Stray,
    times: Times,
}

impl UnitFigures {
    /// How long half of its answers took at most.
    #[must_use]
    pub fn median(&self) -> Option<Span> {
        self.times.at_most(0.5)
    }

    /// How long 99 of a hundred took at most.
    #[must_use]
    pub fn p99(&self) -> Option<Span> {
        self.times.at_most(0.99)
    }
}

impl Figures {
    /// Nothing measured yet.
    #[must_use]
    pub fn new(now: Mono) -> Figures {
        Figures {
            units: BTreeMap::new(),
            stray: Stray::default(),
            last: BTreeMap::new(),
            begun: now,
            busy: Span::ZERO,
            last_use: None,
        }
    }

    /// Takes in one exchange that ended at `now` after `spent`, and what was heard beside its answer.
    pub fn take(&mut self, now: Mono, ask: &Ask, spent: Span, fault: Option<&LineFault>, beside: Stray) {
        let unit = self.units.entry(ask.device).or_default();
        let counter = match fault {
            Some(LineFault::Link(_)) => &mut unit.down,
            Some(LineFault::NoReply) => &mut unit.no_reply,
            Some(LineFault::Damaged(_)) => &mut unit.damaged,
            Some(LineFault::Garbled(_)) => &mut unit.garbled,
            Some(LineFault::Exception(_)) => &mut unit.exceptions,
            None => &mut 0,
        };
        *counter = counter.saturating_add(1);
        unit.asked = unit.asked.saturating_add(1);
        unit.stray.add(beside);
        if matches!(fault, None | Some(LineFault::Exception(_))) {
            unit.times.add(spent);
        }
        self.busy = self.busy + spent;
        let window = now.since(self.begun);
        if window >= WINDOW {
            self.last_use = Some(share(self.busy, window));
            (self.begun, self.busy) = (now, Span::ZERO);
        }
    }

    /// Keeps what a block of a device held.
    pub fn heard(&mut self, now: Mono, device: DeviceId, block: usize, cells: Cells) {
        self.last.insert((device, block), (now, cells));
    }

    /// Part of the time that the line is in use, 0 to 1.
    #[must_use]
    pub fn use_of_time(&self, now: Mono) -> f64 {
        self.last_use.unwrap_or_else(|| share(self.busy, now.since(self.begun)))
    }
}

fn share(part: Span, whole: Span) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a minute")]
    let (part, whole) = (part.us() as f64, whole.us().max(1) as f64);
    (part / whole).min(1.0)
}

/// Bounds between classes of answer times: each a quarter more than the one before, from 0.1 ms to over 10 s.
const CLASSES: usize = 56;

/// So many answers, and older ones count half: the figures tell of now.
const MANY: u32 = 4_096;

/// How long answers took, in classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    count: u32,
    classes: [u16; CLASSES],
}

impl Default for Times {
    fn default() -> Times {
        Times { count: 0, classes: [0; CLASSES] }
    }
}

impl Times {
    fn add(&mut self, spent: Span) {
        let mut bounds = bounds();
        let class = bounds.position(|bound| spent <= bound).unwrap_or(CLASSES.saturating_sub(1));
        if self.count >= MANY {
            self.classes.iter_mut().for_each(|count| *count /= 2);
            self.count = self.classes.iter().map(|count| u32::from(*count)).sum();
        }
        if let Some(count) = self.classes.get_mut(class) {
            *count = count.saturating_add(1);
            self.count = self.count.saturating_add(1);
        }
    }

    /// The bound that this part of the answers kept.
    fn at_most(&self, part: f64) -> Option<Span> {
        let wanted = f64::from(self.count) * part;
        let mut seen = 0.0;
        let reached = |(bound, count): (Span, &u16)| {
            seen += f64::from(*count);
            (seen >= wanted).then_some(bound)
        };
        (self.count > 0).then(|| bounds().zip(&self.classes).find_map(reached)).flatten()
    }
}

fn bounds() -> impl Iterator<Item = Span> {
    let larger = |bound: &u64| Some(bound.saturating_mul(5).div_ceil(4));
    std::iter::successors(Some(100_u64), larger).take(CLASSES).map(Span::from_us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::codec::Question;
    use crate::field::schedule::Purpose;
    use crate::model::register::{Location, ReadBlock, Scan, Space};
    use crate::model::table::Row;

    fn ask(device: usize) -> Ask {
        let at = Location { space: Space::Input, address: 0 };
        Ask {
            device: DeviceId::from_usize(device),
            unit: 1,
            timeout: Span::from_ms(500),
            question: Question::Read(ReadBlock { at, count: 1, scan: Scan::Fast }),
            purpose: Purpose::Poll { block: 0 },
        }
    }

    #[test]
    fn half_and_nearly_all_answers_are_told_to_within_a_quarter() {
        let mut figures = Figures::new(Mono::START);
        for n in 0..1_000 {
            let spent = Span::from_ms(if n % 50 == 0 { 300 } else { 20 });
            figures.take(Mono::START, &ask(0), spent, None, Stray::default());
        }
        let unit = figures.units[&DeviceId::from_usize(0)];
        let near = |told: Span, wanted: u64| (wanted..=wanted * 5 / 4).contains(&told.us());
        assert!(near(unit.median().unwrap(), 20_000), "{:?}", unit.median());
        assert!(near(unit.p99().unwrap(), 300_000), "{:?}", unit.p99());
    }

    #[test]
    fn each_fault_is_counted_for_what_it_is() {
        let mut figures = Figures::new(Mono::START);
        let (damaged, garbled) = (LineFault::Damaged(String::new()), LineFault::Garbled(String::new()));
        for fault in
            [LineFault::NoReply, damaged, garbled, LineFault::Exception(2), LineFault::Link(String::new())]
        {
            figures.take(
                Mono::START,
                &ask(3),
                Span::ZERO,
                Some(&fault),
                Stray { bytes: 2, ..Stray::default() },
            );
        }
        let unit = figures.units[&DeviceId::from_usize(3)];
        let counted = [
            unit.no_reply,
            unit.damaged,
            unit.garbled,
            unit.exceptions,
            unit.down,
            unit.asked,
            unit.stray.bytes,
        ];
        assert_eq!(counted, [1, 1, 1, 1, 1, 5, 10]);
    }

    #[test]
    fn a_line_tells_what_part_of_the_last_minute_it_was_in_use() {
        let mut figures = Figures::new(Mono::START);
        for second in 1..=90 {
            let now = Mono::START + Span::from_secs(second);
            let spent = Span::from_ms(if second <= 60 { 250 } else { 0 });
            figures.take(now, &ask(0), spent, None, Stray::default());
        }
        let now = Mono::START + Span::from_secs(90);
        assert!((figures.use_of_time(now) - 0.25).abs() < 1e-9);
    }
}
