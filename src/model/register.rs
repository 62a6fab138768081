//! The nouns of a Modbus register map: where a signal lies and how its bits are to be read.

use super::point::Quality;

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
}

impl Encoding {
    /// How many registers (or bits) it takes.
    #[must_use]
    pub const fn cells(self) -> u16 {
        match self {
            Encoding::U32(_) | Encoding::I32(_) | Encoding::F32(_) => 2,
            Encoding::U16 | Encoding::I16 | Encoding::Bits { .. } | Encoding::Bit => 1,
        }
    }

    /// The lowest and the highest whole number that it can say; `None` for a floating-point number.
    #[must_use]
    pub fn whole(self) -> Option<(i64, i64)> {
        match self {
            Encoding::U16 => Some((0, u16::MAX.into())),
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
    pub sentinels: Vec<(i64, Quality)>,
    /// What qualifies this value; read in the same request, so that value and status are of one moment.
    pub status: Option<StatusField>,
    /// How often it is read.
    pub scan: Scan,
}

impl Field {
    /// The bare number at `at`, read at each poll.
    #[must_use]
    pub const fn plain(at: Location, encoding: Encoding) -> Field {
        Field {
            at,
            encoding,
            scale: 1.0,
            offset: 0.0,
            range: None,
            sentinels: Vec::new(),
            status: None,
            scan: Scan::Fast,
        }
    }
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
    /// Each bit that is set says something; the worst counts. Bits not named are ignored.
    Bits(Vec<(u8, Quality)>),
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
}
