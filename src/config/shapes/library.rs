//! The shapes of profiles and standards.

use super::*;

const SPACES: Kind = Kind::OneOf(&["coil", "discrete", "input", "holding"]);
const ADDRESS: Kind = Kind::Integer(0, 65_535);
const ENCODINGS: Kind = Kind::OneOf(&["u16", "i16", "u32", "i32", "f32", "bits", "bit"]);
const ORDERS: Kind = Kind::OneOf(&["abcd", "cdab", "badc", "dcba"]);
const SCANS: Kind = Kind::OneOf(&["fast", "slow"]);
const BIT_RANGE: Kind = Kind::List(&Kind::Integer(0, 15), 2, 2);

/// A profile.
pub(in crate::config) static PROFILE_FILE: Shape = Shape {
    what: "a profile",
    keys: &[
        Key::must("id", Kind::Id, "names the profile"),
        Key::may("name", Kind::Words, "the device model, as people say it"),
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
        Key::may("signal", Kind::Tables(&SIGNAL, 1_000), "what the device measures"),
        Key::may("status", Kind::Tables(&STATUS, 1_000), "what it says of its own health"),
        Key::may("output", Kind::Tables(&OUTPUT, 256), "what can be written to it"),
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
        Key::may("status", Kind::Ref("a status of this profile"), "what qualifies this value"),
        Key::preset(
            "scan",
            SCANS,
            Preset::Str("fast"),
            "how often it is read: at each poll, or (slow) at start, after a reconnect and every few minutes",
        ),
    ],
};

static SENTINEL: Shape = Shape {
    what: "a raw value that is no value",
    keys: &[
        Key::must(
            "raw",
            Kind::Integer(-2_147_483_648, 4_294_967_295),
            "the raw value, as the encoding reads it: -1, not 0xFFFF, for an i16",
        ),
        Key::must("quality", AMISS, "what it means"),
    ],
};

static STATUS: Shape = Shape {
    what: "a status",
    keys: &[
        Key::must("id", Kind::Id, "names the status within the profile"),
        Key::must("space", SPACES, "which of the four Modbus tables"),
        Key::must("address", ADDRESS, "the address on the wire, from 0"),
        Key::must("encoding", Kind::OneOf(&["u16", "i16", "bits", "bit"]), "how to read it"),
        Key::may("bits", BIT_RANGE, "lowest and highest bit of a bit field"),
        Key::may("codes", Kind::List(&Kind::Table(&CODE), 1, 64), "a number out of a list; any other is bad"),
        Key::may("flags", Kind::List(&Kind::Table(&FLAG), 1, 16), "each bit that is set says something"),
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
        Key::must("quality", AMISS, "what it says of the value when it is set"),
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
    ],
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
    use crate::model::point::{Quality, Unit};
    use crate::model::register::{Scan, Space};

    #[test]
    fn what_can_be_written_is_what_the_model_knows() {
        let names = |kind: Kind| if let Kind::OneOf(names) = kind { names.to_vec() } else { Vec::new() };
        assert_eq!(names(UNITS), Unit::ALL.map(Unit::as_str));
        assert_eq!(names(QUALITIES), Quality::IN_PROFILES.map(Quality::as_str));
        assert_eq!(names(SPACES), Space::ALL.map(Space::as_str));
        assert_eq!(names(SCANS), Scan::ALL.map(Scan::as_str));
        let amiss: Vec<_> = Quality::IN_PROFILES.into_iter().filter(|q| *q != Quality::Good).collect();
        assert_eq!(names(AMISS), amiss.into_iter().map(Quality::as_str).collect::<Vec<_>>());
    }
}
