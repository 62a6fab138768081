//! The nouns of a Modbus register map: where a signal lies and how its bits are to be read.

use super::point::{Quality, Unit};
use super::time::Span;
use std::sync::Arc;

/// Which of the four Modbus tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// Coils: one bit, read and written (function codes 1, 5).
    Coil,
    /// Discrete inputs: one bit, read only (2).
    Discrete,
    /// Input registers: 16 bit, read only (4).
    Input,
    /// Holding registers: 16 bit, read and written (3, 6).
    Holding,
}

impl Space {
    /// Every table.
    pub const ALL: [Space; 4] = [Space::Coil, Space::Discrete, Space::Input, Space::Holding];

    /// As written in profiles.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Space::Coil => "coil",
            Space::Discrete => "discrete",
            Space::Input => "input",
            Space::Holding => "holding",
        }
    }

    /// Whether its cells are single bits.
    #[must_use]
    pub const fn is_bits(self) -> bool {
        match self {
            Space::Coil | Space::Discrete => true,
            Space::Input | Space::Holding => false,
        }
    }
}

/// How the bits of a value are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One register, unsigned.
    U16,
    /// One register, two's complement.
    I16,
    /// Two registers, unsigned.
    U32(WordOrder),
    /// Two registers, two's complement.
    I32(WordOrder),
    /// Two registers, IEEE 754.
    F32(WordOrder),
    /// A bit field in one register: `(register >> shift) & mask`.
    Bits {
        /// Lowest bit, 0 to 15.
        shift: u8,
        /// What is kept after the shift.
        mask: u16,
    },
    /// One coil or discrete input.
    Bit,
    /// One register that shows a number as a display does: the upper byte before the decimal point, the lower byte the
    /// one digit after it. 0x1409 is 20.9.
    Packed,
}

impl Encoding {
    /// How many registers (or bits) it takes.
    #[must_use]
    pub const fn cells(self) -> u16 {
        match self {
            Encoding::U32(_) | Encoding::I32(_) | Encoding::F32(_) => 2,
            Encoding::U16 | Encoding::I16 | Encoding::Bits { .. } | Encoding::Bit | Encoding::Packed => 1,
        }
    }

    /// The lowest and the highest whole number that it can say; `None` for a floating-point number.
    #[must_use]
    pub fn whole(self) -> Option<(i64, i64)> {
        match self {
            Encoding::U16 | Encoding::Packed => Some((0, u16::MAX.into())),
            Encoding::I16 => Some((i16::MIN.into(), i16::MAX.into())),
            Encoding::U32(_) => Some((0, u32::MAX.into())),
            Encoding::I32(_) => Some((i32::MIN.into(), i32::MAX.into())),
            Encoding::F32(_) => None,
            Encoding::Bits { mask, .. } => Some((0, mask.into())),
            Encoding::Bit => Some((0, 1)),
        }
    }
}

/// The order in which the four bytes A (most significant) to D of a 32-bit value lie on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordOrder {
    /// Big-endian.
    Abcd,
    /// Words swapped (very common).
    Cdab,
    /// Bytes swapped in each word.
    Badc,
    /// Little-endian.
    Dcba,
}

/// Where one value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// Which table.
    pub space: Space,
    /// Address on the wire, from 0.
    pub address: u16,
}

/// How often something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Scan {
    /// At each poll: what is measured, and what moves.
    #[default]
    Fast,
    /// At start, after a reconnect and every few minutes: identity, set-points of the device, life counters.
    Slow,
}

impl Scan {
    /// Both.
    pub const ALL: [Scan; 2] = [Scan::Fast, Scan::Slow];

    /// As written in profiles.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Scan::Fast => "fast",
            Scan::Slow => "slow",
        }
    }
}

/// One value of a device, as the point that it feeds wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Where it lies.
    pub at: Location,
    /// How to read it.
    pub encoding: Encoding,
    /// `value = raw * scale + offset`.
    pub scale: f64,
    /// See `scale`.
    pub offset: f64,
    /// Measuring range in the point's unit, lowest and highest value; beyond it a reading is uncertain.
    pub range: Option<(f64, f64)>,
    /// Raw values that are no values.
    pub sentinels: Arc<[(i64, Quality)]>,
    /// Where the device keeps the number of decimals: the value is divided by ten to the power of it.
    pub decimals: Option<(Location, Encoding)>,
    /// Where the device says in which unit its value is.
    pub unit: Option<Arc<UnitField>>,
    /// Set where `raw * scale + offset` is a current in milliamperes that stands for `range`.
    pub current: Option<Arc<Current>>,
    /// What qualifies this value: the worst counts. All of it is read in the same request, so that everything is of
    /// one moment.
    pub statuses: Arc<[StatusField]>,
    /// For so long it may be inhibited at the device; from then on that counts as out of service.
    pub inhibit_max: Span,
    /// How often it is read.
    pub scan: Scan,
}

impl Field {
    /// The bare number at `at`, read at each poll.
    #[must_use]
    pub fn plain(at: Location, encoding: Encoding) -> Field {
        Field {
            at,
            encoding,
            scale: 1.0,
            offset: 0.0,
            range: None,
            sentinels: Arc::from([]),
            decimals: None,
            unit: None,
            current: None,
            statuses: Arc::from([]),
            inhibit_max: Field::INHIBIT_MAX,
            scan: Scan::Fast,
        }
    }

    /// How long an inhibit is borne unless a profile says otherwise: as long as the common heads bear it before they
    /// end it of themselves.
    pub const INHIBIT_MAX: Span = Span::from_secs(1_800);

    /// Most decimals that a device may say: a larger number is not believed.
    pub const MAX_DECIMALS: u16 = 6;

    /// Every place that must be read along with the value, the value first.
    pub fn places(&self) -> impl Iterator<Item = (Location, Encoding)> {
        let unit = self.unit.as_ref().map(|unit| (unit.at, unit.encoding));
        let beside = self.decimals.into_iter().chain(unit);
        let statuses = self.statuses.iter().map(|status| (status.at, status.encoding));
        std::iter::once((self.at, self.encoding)).chain(beside).chain(statuses)
    }
}

/// A register that says in which unit a device measures.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitField {
    /// Where it lies.
    pub at: Location,
    /// How to read it.
    pub encoding: Encoding,
    /// What its numbers mean. One that is not among them is a unit that Davy does not know.
    pub codes: Vec<(u16, Unit)>,
}

/// What a current of 4 to 20 mA says beside the value; the limits are those of NAMUR NE 43.
#[derive(Clone, Debug, PartialEq)]
pub struct Current {
    /// Currents outside the measuring range by which the transmitter says something, in mA.
    pub steps: Vec<(f64, Quality)>,
}

impl Current {
    /// What no step may be: from where a wire counts as broken to where a transmitter has failed, in mA.
    pub const MEASURES: std::ops::RangeInclusive<f64> = 3.6..=21.0;
}

/// A status word and what it says of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusField {
    /// Where it lies.
    pub at: Location,
    /// How to read it (an integer or a bit).
    pub encoding: Encoding,
    /// What it means.
    pub meaning: StatusMeaning,
}

/// How a status word is to be understood.
#[derive(Clone, Debug, PartialEq)]
pub enum StatusMeaning {
    /// A number out of a list; one that is not in it is bad.
    Codes(Vec<(u16, Quality)>),
    /// Each bit says something; the worst counts.
    Bits {
        /// What is said, by which bits.
        flags: Vec<Flag>,
        /// Bits that must be 0. One that is set says something that nobody knows, and that is bad.
        zero: u16,
    },
}

/// One bit of a status word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Which; 0 is the lowest of the field.
    pub bit: u8,
    /// What it is when it says so.
    pub when: bool,
    /// What it says.
    pub quality: Quality,
}

/// One read request of a poll: contiguous, and holding value and status of a device together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBlock {
    /// First cell.
    pub at: Location,
    /// How many cells: at most 125 registers or 2,000 bits.
    pub count: u16,
    /// How often it is asked for.
    pub scan: Scan,
}

/// A cell that Davy writes, and what it writes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Where to write: a coil or a holding register.
    pub at: Location,
    /// What demands the safe state.
    pub trip: u16,
    /// What withdraws the demand, where the device needs that to be written.
    pub release: Option<u16>,
    /// Where the written value can be read back.
    pub readback: Location,
    /// By which function it is written.
    pub how: Write,
    /// Set where the value is a pulse that has to be ended.
    pub pulse: Option<Pulse>,
}

impl Command {
    /// Written by function 5 or 6, and read back where it is written.
    #[must_use]
    pub const fn plain(at: Location, trip: u16, release: Option<u16>) -> Command {
        Command { at, trip, release, readback: at, how: Write::Single, pulse: None }
    }
}

/// By which function a cell is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Write {
    /// A single cell: 5 for a coil, 6 for a register.
    #[default]
    Single,
    /// As many cells, of which there is one: 15 for a coil, 16 for a register. Some devices know no other.
    Multiple,
    /// Only these bits of a register, the others stay as they are: 22.
    Mask(u16),
}

/// A command that must not stand: latching coils burn out, and a motor drive wants an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// How long it stands.
    pub width: Span,
    /// What is written to end it.
    pub rest: u16,
}

/// A cell that must be written each so often, by which a device knows that its master lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchdog {
    /// A coil or a holding register.
    pub at: Location,
    /// By which function.
    pub how: Write,
    /// It counts from 0 to this and begins anew: 1 toggles.
    pub top: u16,
    /// How often.
    pub every: Span,
}
