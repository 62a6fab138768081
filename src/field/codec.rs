//! Questions to devices and whether an answer fits; from the registers to readings (`value`) and back (`encode`). Knows
//! nothing of frames or of time-outs.

mod encode;
#[cfg(test)]
mod tests;
mod value;

pub use encode::{encode, encode_amiss, encode_beside, encode_status, pack};
pub use value::{Raw, reading};

use crate::model::line::LineFault;
use crate::model::plan::{Device, Point};
use crate::model::point::Reading;
use crate::model::register::{Command, Location, ReadBlock, Space, Write};
use crate::model::table::PointId;
use crate::model::time::Mono;

/// The cells of a table, as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cells {
    /// Registers.
    Words(Vec<u16>),
    /// Coils or discrete inputs.
    Bits(Vec<bool>),
}

impl Cells {
    /// Cell `n`, a bit as 0 or 1.
    #[must_use]
    pub fn get(&self, n: usize) -> Option<u16> {
        match self {
            Cells::Words(words) => words.get(n).copied(),
            Cells::Bits(bits) => bits.get(n).copied().map(u16::from),
        }
    }

    fn len(&self) -> usize {
        match self {
            Cells::Words(words) => words.len(),
            Cells::Bits(bits) => bits.len(),
        }
    }
}

/// What a device is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// What these cells hold.
    Read(ReadBlock),
    /// To take this value; for a coil, anything but 0 is on.
    Write {
        /// A coil or a holding register.
        at: Location,
        /// The value.
        value: u16,
        /// By which function. Under a mask, only its bits of the value count.
        how: Write,
    },
}

/// Whether `read`, which came from where a command is read back, shows that `value` was taken.
#[must_use]
pub fn is_taken(command: &Command, value: u16, read: u16) -> bool {
    match command.how {
        Write::Single | Write::Multiple => read == as_written(command.readback.space, value),
        Write::Mask(mask) if command.readback.space == Space::Holding => read & mask == value & mask,
        // Read back as a number or as a bit of its own.
        Write::Mask(_) => read == as_written(command.readback.space, value),
    }
}

/// What came back, as far as the frame tells; it need not fit the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Cells of a table.
    Cells {
        /// Which table, by the function code.
        space: Space,
        /// Its cells. Bits fill whole bytes, so that up to seven more than asked for may follow.
        cells: Cells,
    },
    /// A write, repeated by the device; a coil's value as 0 or 1.
    Echo {
        /// Where it says it has written.
        at: Location,
        /// What it says it has written.
        value: u16,
    },
    /// A write of several cells: the device says where and how many.
    EchoMany {
        /// Where it says it has written.
        at: Location,
        /// How many cells.
        count: u16,
    },
    /// A write of single bits, repeated by the device.
    EchoMasked {
        /// Where it says it has written.
        at: Location,
        /// The bits that it says it has left alone.
        and: u16,
        /// What it says the others are.
        or: u16,
    },
}

/// The cells that were asked for, exactly as many, or what does not fit. For a write: the cell as echoed.
///
/// # Errors
/// [`LineFault::Garbled`] where table, count, address or value are not those of the question.
pub fn check_answer(question: &Question, answer: Answer) -> Result<Cells, LineFault> {
    match (*question, answer) {
        (Question::Read(block), Answer::Cells { space, cells }) => check_read(block, space, cells),
        (Question::Read(_), Answer::Echo { .. } | Answer::EchoMany { .. } | Answer::EchoMasked { .. }) => {
            Err(garbled("asked to read, answered as if written"))
        }
        (Question::Write { at, value, how }, answer) => check_write(at, value, how, answer),
    }
}

fn check_write(at: Location, value: u16, how: Write, answer: Answer) -> Result<Cells, LineFault> {
    let value = as_written(at.space, value);
    let (said, fits) = match (how, answer) {
        (_, Answer::Cells { .. }) => return Err(garbled("asked to write, answered as if read")),
        (Write::Single, Answer::Echo { at: echoed_at, value: echoed }) => {
            (format!("{echoed} to {}", place(echoed_at)), (at, value) == (echoed_at, echoed))
        }
        (Write::Multiple, Answer::EchoMany { at: echoed_at, count }) => {
            (format!("{count} cells from {}", place(echoed_at)), (at, 1) == (echoed_at, count))
        }
        (Write::Mask(mask), Answer::EchoMasked { at: echoed_at, and, or }) => (
            format!("and {and:#06x}, or {or:#06x} to {}", place(echoed_at)),
            (at, masks(mask, value)) == (echoed_at, (and, or)),
        ),
        (
            Write::Single | Write::Multiple | Write::Mask(_),
            Answer::Echo { .. } | Answer::EchoMany { .. } | Answer::EchoMasked { .. },
        ) => return Err(garbled("asked to write, answered as if asked by another function")),
    };
    if fits {
        return Ok(Cells::Words(vec![value]));
    }
    Err(garbled(&format!("wrote {value} to {}, the device says {said}", place(at))))
}

/// What function 22 sends for these bits: the register is afterwards `(register & and) | (or & !and)`.
#[must_use]
pub const fn masks(mask: u16, value: u16) -> (u16, u16) {
    (!mask, value & mask)
}

fn place(at: Location) -> String {
    format!("{} {}", at.space.as_str(), at.address)
}

fn check_read(block: ReadBlock, space: Space, cells: Cells) -> Result<Cells, LineFault> {
    if space != block.at.space {
        let (asked, got) = (block.at.space.as_str(), space.as_str());
        return Err(garbled(&format!("asked for {asked} cells, got {got} cells")));
    }
    let (asked, got) = (usize::from(block.count), cells.len());
    match cells {
        Cells::Words(words) if got == asked => Ok(Cells::Words(words)),
        Cells::Bits(mut bits) if got == asked || got == asked.next_multiple_of(8) => {
            bits.truncate(asked);
            Ok(Cells::Bits(bits))
        }
        Cells::Words(_) => Err(garbled(&format!("asked for {asked} registers, got {got}"))),
        Cells::Bits(_) => Err(garbled(&format!("asked for {asked} bits, got {got}"))),
    }
}

fn garbled(what: &str) -> LineFault {
    LineFault::Garbled(what.to_owned())
}

/// What a cell of this table holds after `value` was written to it: a coil knows 0 and 1 only.
#[must_use]
pub fn as_written(space: Space, value: u16) -> u16 {
    if space.is_bits() { u16::from(value != 0) } else { value }
}

/// The readings of those of a device's `points` that lie in its block number `block`, whose answer is `cells`.
pub fn decode<'a>(
    device: &Device,
    block: usize,
    cells: &Cells,
    points: impl Iterator<Item = (PointId, &'a Point)>,
    at: Mono,
) -> Vec<(PointId, Reading)> {
    let Some(asked) = device.blocks.get(block) else { return Vec::new() };
    points
        .filter(|(_, p)| p.block == block)
        .map(|(id, p)| (id, reading(&p.field, p.unit, *asked, cells, at)))
        .collect()
}
