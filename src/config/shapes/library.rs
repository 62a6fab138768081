//! The shapes of profiles and standards.

use super::*;
use crate::model::point::Quality;

const SPACES: Kind = Kind::OneOf(&["coil", "discrete", "input", "holding"]);
const ADDRESS: Kind = Kind::Integer(0, 65_535);
const ENCODINGS: Kind = Kind::OneOf(&["u16", "i16", "u32", "i32", "f32", "bits", "bit", "packed"]);
/// Of numbers that are looked up rather than measured.
const PLAIN_ENCODINGS: Kind = Kind::OneOf(&["u16", "i16", "bits", "bit"]);
const WRITES: Kind = Kind::OneOf(&["single", "multiple", "mask"]);
const RAW: Kind = Kind::Integer(-2_147_483_648, 4_294_967_295);
const NEVER: Kind = Kind::List(&Kind::List(&ADDRESS, 2, 2), 1, 64);
const ORDERS: Kind = Kind::OneOf(&["abcd", "cdab", "badc", "dcba"]);
const SCANS: Kind = Kind::OneOf(&["fast", "slow"]);
const SHOWS: Kind = Kind::OneOf(&["moving", "closing", "position", "jammed", "by-hand", "local", "remote"]);
const BIT_RANGE: Kind = Kind::List(&Kind::Integer(0, 15), 2, 2);

/// A profile.
pub(in crate::config) static PROFILE_FILE: Shape = Shape {
    what: "a profile",
    keys: &[
        Key::must("id", Kind::Id, "names the profile"),
        Key::may("name", Kind::Words, "the device model, as people say it"),
        Key::may("source", Kind::Str, "where the register map is from"),
        Key::may("confirmed", Kind::Flag, "whether somebody checked it against that source and a device"),
        Key::preset(
            "max_registers",
            Kind::Integer(1, 125),
            Preset::Integer(100),
            "most registers in one request",
        ),
        Key::preset(
            "max_gap",
            Kind::Integer(0, 64),
            Preset::Integer(0),
            "registers that nobody needs and that may be read along",
        ),
        Key::may(
            "never",
            Kind::Table(&FORBIDDEN),
            "cells that nobody may read or write, not even along the way",
        ),
        Key::preset(
            "inhibit_max_s",
            Kind::Number(1.0, 86_400.0),
            Preset::Number(1_800.0),
            "for so long it may be inhibited; from then on that counts as out of service",
        ),
        Key::may("signal", Kind::Tables(&SIGNAL, 1_000), "what the device measures"),
        Key::may("status", Kind::Tables(&STATUS, 1_000), "what it says of its own health"),
        Key::may("output", Kind::Tables(&OUTPUT, 256), "what can be written to it"),
        Key::may(
            "watchdog",
            Kind::Table(&WATCHDOG),
            "what must be written each so often, so that it knows that its master lives; only where outputs act",
        ),
        Key::may(
            "image",
            Kind::Tables(&IMAGE, 1_000),
            "registers as the device sends them, and what they must read as; checked whenever the profile is read",
        ),
    ],
};

static FORBIDDEN: Shape = Shape {
    what: "cells that must never be touched",
    keys: &[
        Key::may("coil", NEVER, "ranges [first, last] of coils"),
        Key::may("discrete", NEVER, "ranges [first, last] of discrete inputs"),
        Key::may("input", NEVER, "ranges [first, last] of input registers"),
        Key::may("holding", NEVER, "ranges [first, last] of holding registers"),
    ],
};

static REPEAT: Shape = Shape {
    what: "alike channels",
    keys: &[
        Key::must("count", Kind::Integer(1, 256), "how many; they are called id-1, id-2, …"),
        Key::must("step", Kind::Integer(1, 1_000), "how many cells each lies after the one before"),
    ],
};

static SIGNAL: Shape = Shape {
    what: "a signal",
    keys: &[
        Key::must("id", Kind::Id, "names the signal within the profile"),
        Key::may("name", Kind::Words, "its name, as people say it (default: its id)"),
        Key::must("space", SPACES, "which of the four Modbus tables"),
        Key::must("address", ADDRESS, "the address on the wire, from 0 (a manual's 40001 is holding 0)"),
        Key::must("encoding", ENCODINGS, "how the bits are to be read"),
        Key::may("order", ORDERS, "byte order of a 32-bit value; a test value on site proves it"),
        Key::may("bits", BIT_RANGE, "lowest and highest bit of a bit field"),
        Key::preset("scale", ANY, Preset::Number(1.0), "value = raw x scale + offset"),
        Key::preset("offset", ANY, Preset::Number(0.0), "see scale"),
        Key::must("unit", UNITS, "the unit of the value"),
        Key::may("range", Kind::List(&ANY, 2, 2), "lowest and highest value that the sensor can measure"),
        Key::may("sentinels", Kind::List(&Kind::Table(&SENTINEL), 0, 16), "raw values that are no values"),
        Key::may(
            "status",
            Kind::Refs(&Kind::Ref("a status of this profile"), 8),
            "what qualifies this value; of several the worst counts",
        ),
        Key::may("decimals", Kind::Table(&PLACE), "the register that says how many decimals the value has"),
        Key::may("units", Kind::Table(&UNIT_FIELD), "the register that says in which unit the value is"),
        Key::may(
            "steps",
            Kind::List(&Kind::Table(&STEP), 1, 8),
            "currents by which the transmitter of a current loop says something",
        ),
        Key::may("watch", Kind::Table(&WATCH), "what Davy looks at it for, whether or not a site names it"),
        Key::may(
            "shows",
            SHOWS,
            "what it says of the drive of the device's output, which a pretended plant keeps up; a position is 0 or the \
             range's lower end where that is safe",
        ),
        Key::may("repeat", Kind::Table(&REPEAT), "alike channels, each with its own copy"),
        Key::preset(
            "scan",
            SCANS,
            Preset::Str("fast"),
            "how often it is read: at each poll, or (slow) at start, after a reconnect and every few minutes",
        ),
    ],
};

static PLACE: Shape = Shape {
    what: "a register beside the value",
    keys: &[
        Key::must("space", SPACES, "which of the four Modbus tables"),
        Key::must("address", ADDRESS, "the address on the wire, from 0"),
        Key::preset("encoding", PLAIN_ENCODINGS, Preset::Str("u16"), "how to read it"),
        Key::may("bits", BIT_RANGE, "lowest and highest bit of a bit field"),
    ],
};

static UNIT_FIELD: Shape = Shape {
    what: "where a device says its unit",
    keys: &[
        Key::must("space", SPACES, "which of the four Modbus tables"),
        Key::must("address", ADDRESS, "the address on the wire, from 0"),
        Key::preset("encoding", PLAIN_ENCODINGS, Preset::Str("u16"), "how to read it"),
        Key::may("bits", BIT_RANGE, "lowest and highest bit of a bit field"),
        Key::must(
            "codes",
            Kind::List(&Kind::Table(&UNIT_CODE), 1, 32),
            "the units that Davy knows; any other makes the reading bad, never a converted guess",
        ),
    ],
};

static UNIT_CODE: Shape = Shape {
    what: "a code of a unit",
    keys: &[
        Key::must("code", ADDRESS, "the number"),
        Key::must("unit", UNITS, "the unit that it stands for"),
    ],
};

static STEP: Shape = Shape {
    what: "a current that says something",
    keys: &[
        Key::must("ma", Kind::Number(0.5, 24.0), "the current in mA: below 3.6 or above 21"),
        Key::must("quality", AMISS, "what it says"),
    ],
};

static WATCH: Shape = Shape {
    what: "what a signal is watched for",
    keys: &[
        Key::must(
            "as",
            Kind::OneOf(&[
                "identity",
                "set-point",
                "trouble",
                "heartbeat",
                "inhibit",
                "calibration",
                "mute",
                "power-off",
                "local",
            ]),
            "what it is",
        ),
        Key::may("expect", ANY, "identity: the value that every such device has"),
        Key::may(
            "of",
            Kind::Ref("a signal of this profile"),
            "set-point: the signal that it is compared with; inhibit, calibration: the signal that can't be relied on meanwhile",
        ),
        Key::may(
            "level",
            Kind::OneOf(&["warning", "alarm", "trip"]),
            "which alarm (set-point), how severe (trouble)",
        ),
        Key::may("alarm_when", Kind::Flag, "trouble: the position that is one (default: true)"),
        Key::may("text", Kind::Words, "trouble: what the alarm says"),
        Key::may(
            "changes_s",
            Kind::Number(0.1, 600.0),
            "heartbeat: how often it changes; a must for a single bit",
        ),
        Key::may("still_s", Kind::Number(0.5, 3_600.0), "heartbeat: how long it may stay as it is"),
    ],
};

static SENTINEL: Shape = Shape {
    what: "a raw value that is no value",
    keys: &[
        Key::must("raw", RAW, "the raw value, as the encoding reads it: -1, not 0xFFFF, for an i16"),
        Key::must("quality", AMISS, "what it means"),
    ],
};

static STATUS: Shape = Shape {
    what: "a status",
    keys: &[
        Key::must("id", Kind::Id, "names the status within the profile"),
        Key::must("space", SPACES, "which of the four Modbus tables"),
        Key::must("address", ADDRESS, "the address on the wire, from 0"),
        Key::must("encoding", PLAIN_ENCODINGS, "how to read it"),
        Key::may("bits", BIT_RANGE, "lowest and highest bit of a bit field"),
        Key::may("codes", Kind::List(&Kind::Table(&CODE), 1, 64), "a number out of a list; any other is bad"),
        Key::may(
            "flags",
            Kind::List(&Kind::Table(&FLAG), 1, 16),
            "each bit says something; the worst counts",
        ),
        Key::preset(
            "unnamed",
            Kind::OneOf(&["ignored", "bad"]),
            Preset::Str("ignored"),
            "what a set bit means that no flag names; bad where the manual calls the others reserved",
        ),
        Key::may("repeat", Kind::Table(&REPEAT), "alike channels, each with its own copy"),
    ],
};

static CODE: Shape = Shape {
    what: "a status code",
    keys: &[
        Key::must("code", Kind::Integer(0, 65_535), "the number"),
        Key::must("quality", QUALITIES, "what it says of the value"),
    ],
};

static FLAG: Shape = Shape {
    what: "a status bit",
    keys: &[
        Key::must("bit", Kind::Integer(0, 15), "which bit; 0 is the lowest of the field"),
        Key::must("quality", QUALITIES, "what it says of the value; good where it is known and says nothing"),
        Key::preset("when", Kind::Integer(0, 1), Preset::Integer(1), "what the bit is when it says so"),
    ],
};

static OUTPUT: Shape = Shape {
    what: "an output",
    keys: &[
        Key::must("id", Kind::Id, "names the output within the profile"),
        Key::must("space", Kind::OneOf(&["coil", "holding"]), "a coil or a holding register"),
        Key::must("address", ADDRESS, "the address on the wire, from 0"),
        Key::preset("trip", ADDRESS, Preset::Integer(1), "what is written to demand the safe state"),
        Key::may("release", ADDRESS, "what is written to withdraw the demand, where the device needs that"),
        Key::may(
            "readback",
            Kind::Table(&READBACK),
            "where the written value can be read back (default: where it is written)",
        ),
        Key::preset(
            "write",
            WRITES,
            Preset::Str("single"),
            "by function 5 or 6 (single), 15 or 16 (multiple), 22 (mask: some bits of a register)",
        ),
        Key::may("mask", ADDRESS, "which bits of the register are written, where write = \"mask\""),
        Key::may("pulse", Kind::Table(&PULSE), "where `trip` must not stand: a latching coil, an edge"),
    ],
};

static PULSE: Shape = Shape {
    what: "a pulse",
    keys: &[
        Key::must("ms", Kind::Integer(50, 60_000), "how long `trip` stands, in milliseconds"),
        Key::preset("rest", ADDRESS, Preset::Integer(0), "what is written to end it"),
    ],
};

static WATCHDOG: Shape = Shape {
    what: "a cell that must be written each so often",
    keys: &[
        Key::must("space", Kind::OneOf(&["coil", "holding"]), "a coil or a holding register"),
        Key::must("address", ADDRESS, "the address on the wire, from 0"),
        Key::preset(
            "write",
            Kind::OneOf(&["single", "multiple"]),
            Preset::Str("single"),
            "by which function",
        ),
        Key::preset("top", ADDRESS, Preset::Integer(1), "counts from 0 to this and begins anew; 1 toggles"),
        Key::must("every_ms", Kind::Integer(100, 60_000), "how often, in milliseconds"),
    ],
};

static IMAGE: Shape = Shape {
    what: "a register image",
    keys: &[
        Key::must("what", Kind::Words, "what the device shows"),
        Key::must("cells", Kind::List(&Kind::Table(&IMAGE_CELLS), 1, 16), "what its cells hold"),
        Key::must("reads", Kind::List(&Kind::Table(&IMAGE_READ), 1, 64), "what that must read as"),
    ],
};

static IMAGE_CELLS: Shape = Shape {
    what: "cells in a row",
    keys: &[
        Key::must("space", SPACES, "which of the four Modbus tables"),
        Key::must("address", ADDRESS, "the first, on the wire, from 0"),
        Key::must("words", Kind::List(&ADDRESS, 1, 125), "what they hold, as numbers or as 0x…"),
    ],
};

static IMAGE_READ: Shape = Shape {
    what: "what a signal must read as",
    keys: &[
        Key::must("signal", Kind::Ref("a signal of this profile"), "which signal"),
        Key::may("value", ANY, "its value; left out where it must have none"),
        Key::preset("quality", Kind::OneOf(&READ_QUALITIES), Preset::Str("good"), "how far it is trusted"),
        Key::may("unit", UNITS, "the unit that a site gives it"),
        Key::may("range", Kind::List(&ANY, 2, 2), "the range that a site gives it"),
    ],
};

#[expect(clippy::indexing_slicing, reason = "at compile time")]
const READ_QUALITIES: [&str; Quality::ALL.len()] = {
    let mut names = [""; Quality::ALL.len()];
    let mut n = 0;
    while n < names.len() {
        names[n] = Quality::ALL[n].as_str();
        n += 1;
    }
    names
};

static READBACK: Shape = Shape {
    what: "where a written value is read back",
    keys: &[
        Key::must("space", SPACES, "which of the four Modbus tables"),
        Key::must("address", ADDRESS, "the address on the wire, from 0"),
    ],
};

/// A standard.
pub(in crate::config) static STANDARD_FILE: Shape = Shape {
    what: "a standard",
    keys: &[
        Key::must("id", Kind::Id, "names the standard"),
        Key::must("name", Kind::Words, "its name, as people say it"),
        Key::may("labels", Kind::Table(&BY_LEVEL), "what its levels are called"),
        Key::may(
            "actions",
            Kind::Table(&BY_LEVEL),
            "what to do at each level, unless a kind or a row says so",
        ),
        Key::must("kind", Kind::Tables(&AREA_KIND, 1_000), "the kinds of area that it knows"),
    ],
};

static BY_LEVEL: Shape = Shape {
    what: "a text for each level",
    keys: &[
        Key::may("warning", Kind::Words, "for the early warning"),
        Key::may("alarm", Kind::Words, "for the alarm, or level 1"),
        Key::may("trip", Kind::Words, "for the trip, or level 2"),
    ],
};

static AREA_KIND: Shape = Shape {
    what: "an area kind",
    keys: &[
        Key::must("id", Kind::Id, "what areas name as their kind"),
        Key::must("name", Kind::Words, "the kind, as people say it"),
        Key::may("actions", Kind::Table(&BY_LEVEL), "what to do at each level"),
        Key::may(
            "requires",
            Kind::List(&Kind::OneOf(&["gas-detector", "shut-off-valve", "power-cut"]), 0, 3),
            "what such an area must have",
        ),
        Key::may("risk", COLOURS, "its inherent risk, unless the area says so (default: blue)"),
        Key::may("set_points", Kind::Tables(&STANDARD_ROW, 256), "its set-points"),
    ],
};

static STANDARD_ROW: Shape = set_points!(
    "a row of set-points",
    [
        Key::may("place", Kind::Str, "the place in the area, as \"T1\" (none: any place)"),
        Key::may("gas", Kind::Str, "the gas (none: any gas)"),
        Key::must("unit", UNITS, "the unit of these numbers"),
    ],
    [
        Key::preset("max_on_delay_s", DELAY_S, Preset::Number(2.0), "longest on-delay that is not laxer"),
        Key::may("actions", Kind::Table(&BY_LEVEL), "what to do at each level"),
        Key::must("source", Kind::Str, "where the numbers are from"),
        Key::must("confirmed", Kind::Flag, "whether somebody checked them against that source"),
    ],
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::element::Shows;
    use crate::model::point::Unit;
    use crate::model::register::{Scan, Space};

    #[test]
    fn what_can_be_written_is_what_the_model_knows() {
        let names = |kind: Kind| if let Kind::OneOf(names) = kind { names.to_vec() } else { Vec::new() };
        assert_eq!(names(UNITS), Unit::ALL.map(Unit::as_str));
        assert_eq!(names(QUALITIES), Quality::IN_PROFILES.map(Quality::as_str));
        assert_eq!(names(SHOWS), Shows::ALL.map(Shows::as_str));
        assert_eq!(names(SPACES), Space::ALL.map(Space::as_str));
        assert_eq!(names(SCANS), Scan::ALL.map(Scan::as_str));
        let amiss: Vec<_> = Quality::IN_PROFILES.into_iter().filter(|q| *q != Quality::Good).collect();
        assert_eq!(names(AMISS), amiss.into_iter().map(Quality::as_str).collect::<Vec<_>>());
    }
}
