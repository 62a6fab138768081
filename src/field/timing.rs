//! How long an exchange takes on a serial wire, reckoned from its bytes.

use crate::model::link::Pace;
use crate::model::plan::Plan;
use crate::model::register::{ReadBlock, Scan, Space};
use crate::model::table::BusId;
use crate::model::time::Span;

/// Characters of a question that reads: unit, function, address, count, checksum.
const QUESTION: usize = 8;

/// Characters of an answer beside its data: unit, function, length, checksum.
const ANSWER: usize = 5;

/// Characters of the answer to a question that reads `block`.
#[must_use]
pub fn answer_chars(block: &ReadBlock) -> usize {
    let count = usize::from(block.count);
    let data = match block.at.space {
        Space::Coil | Space::Discrete => count.div_ceil(8),
        Space::Input | Space::Holding => count.saturating_mul(2),
    };
    data.saturating_add(ANSWER)
}

/// From the first bit of a question to the last one of its answer, for a unit that answers at once: it is bound to the
/// silence between two frames all the same. No time-out may be shorter.
#[must_use]
pub fn shortest_answer(pace: Pace, block: &ReadBlock) -> Span {
    pace.chars(QUESTION.saturating_add(answer_chars(block))) + pace.silence()
}

/// What one question takes of the line's time: question, `turnaround` of the unit, answer, silence.
#[must_use]
pub fn exchange(pace: Pace, block: &ReadBlock, turnaround: Span, gap: Span) -> Span {
    let chars = pace.chars(QUESTION.saturating_add(answer_chars(block)));
    chars + pace.silence().max(turnaround) + pace.silence().max(gap)
}

/// What a unit is taken to need before it answers, where nothing was measured: an assumption, as is the next one.
pub const TURNAROUND: Span = Span::from_ms(10);

/// What an exchange is taken to need on a network.
const NETWORK: Span = Span::from_ms(10);

/// What a line will have to carry, as far as that can be reckoned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// How long it takes to ask every device once what is asked often.
    pub cycle: Span,
    /// Part of the time that the line is in use; more than 1 can't be carried.
    pub in_use: f64,
}

/// What the line `bus` will have to carry.
#[must_use]
pub fn forecast(plan: &Plan, bus: BusId) -> Forecast {
    let line = &plan.buses[bus];
    let (mut cycle, mut in_use) = (Span::ZERO, 0.0);
    for (_, device) in plan.devices_on(bus) {
        for block in &device.blocks {
            let one = match line.link.pace() {
                Some(pace) => exchange(pace, block, TURNAROUND, line.gap),
                None => NETWORK + line.gap,
            };
            let period = match block.scan {
                Scan::Fast => {
                    cycle = cycle + one;
                    device.poll
                }
                Scan::Slow => device.slow_poll,
            };
            #[expect(clippy::cast_precision_loss, reason = "microseconds of minutes")]
            let share = one.us() as f64 / period.us().max(1) as f64;
            in_use += share;
        }
    }
    Forecast { cycle, in_use }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::link::Parity;
    use crate::model::register::{Location, Scan};

    #[test]
    fn thirty_two_detectors_of_two_registers_take_as_long_as_their_bits() {
        let block =
            ReadBlock { at: Location { space: Space::Input, address: 0 }, count: 2, scan: Scan::Fast };
        let cycle = |baud| {
            exchange(Pace { baud, parity: Parity::None, stop: 1 }, &block, Span::ZERO, Span::ZERO).times(32)
        };
        assert_eq!(cycle(9_600).ms(), 800);
        assert_eq!(cycle(19_200).ms(), 400);
        assert_eq!(cycle(115_200).ms(), 159);
    }
}
