//! The shapes of the site file, of a profile and of a standard: every key that can be written, in one place.
//! What a key means beyond its own value is checked where it is used.

use super::shape::{HUGE, Key, Kind, Preset, Shape};
use crate::model::table::MAX_ROWS;

const ANY: Kind = Kind::Number(-HUGE, HUGE);
const POSITIVE: Kind = Kind::Number(0.0, HUGE);
const UNITS: Kind = Kind::OneOf(&["%vol", "%LEL", "ppm", "m/s", "kPa", "degC", "%", "state"]);
const LEVELS: Kind = Kind::OneOf(&["warning", "alarm", "trip"]);
const COLOURS: Kind = Kind::OneOf(&["red", "orange", "yellow", "blue"]);
const MODES: Kind = Kind::OneOf(&["observe", "act"]);
const QUALITIES: Kind = Kind::OneOf(&[
    "good",
    "warm-up",
    "calibrating",
    "over-range",
    "under-range",
    "sensor-fault",
    "out-of-service",
    "implausible",
]);
/// Poll periods: faster than 50 ms no serial line is, slower than 10 minutes no supervision.
const POLL_MS: Kind = Kind::Integer(50, 600_000);
const TIMEOUT_MS: Kind = Kind::Integer(20, 60_000);
/// Delays of an alarm, in seconds: an hour is no longer a delay.
const DELAY_S: Kind = Kind::Number(0.0, 3_600.0);

/// A text in both languages.
pub(super) static WORDS: Shape = Shape {
    what: "a text in both languages",
    keys: &[
        Key::must("zh", Kind::Str, "the text in Chinese"),
        Key::must("en", Kind::Str, "the text in English"),
    ],
};

/// The site file.
pub(super) static SITE_FILE: Shape = Shape {
    what: "a site file",
    keys: &[
        Key::must("gateway", Kind::Table(&GATEWAY), "the computer that runs Davy"),
        Key::must("site", Kind::Table(&SITE), "the site that it watches"),
        Key::may("telemetry", Kind::Table(&TELEMETRY), "how measured values are kept and told"),
        Key::may("gas", Kind::Tables(&GAS, 256), "the gases that the site has to do with"),
        Key::may("area", Kind::Tables(&AREA, MAX_ROWS), "the parts of the site"),
        Key::may("bus", Kind::Tables(&BUS, MAX_ROWS), "the lines that devices are on"),
        Key::may("device", Kind::Tables(&DEVICE, MAX_ROWS), "the Modbus units"),
        Key::may("point", Kind::Tables(&POINT, MAX_ROWS), "what is measured and sensed"),
        Key::may("valve", Kind::Tables(&VALVE, MAX_ROWS), "emergency shut-off valves"),
        Key::may("load", Kind::Tables(&LOAD, MAX_ROWS), "what power is cut from"),
        Key::may("siren", Kind::Tables(&SIREN, MAX_ROWS), "sirens, beacons and fans that are switched on"),
        Key::may("trip", Kind::Tables(&TRIP, MAX_ROWS), "cause and effect"),
        Key::may("destination", Kind::Tables(&DESTINATION, 16), "the brokers to tell"),
        Key::may("alarms", Kind::Table(&ALARMS), "how alarms are announced"),
        Key::may("grades", Kind::Table(&GRADES), "when an area is orange or red"),
        Key::may(
            "permit",
            Kind::Tables(&PERMIT, 64),
            "set-points that are tighter on a day, for work that is planned",
        ),
    ],
};

static GATEWAY: Shape = Shape {
    what: "the gateway",
    keys: &[
        Key::must("id", Kind::Id, "names the gateway in every event and topic; never change it"),
        Key::preset(
            "state",
            Kind::Str,
            Preset::Str("/var/lib/davy"),
            "the folder of journal, buffer and command socket",
        ),
        Key::preset(
            "outputs",
            MODES,
            Preset::Str("observe"),
            "\"observe\" says what would be written, \"act\" writes it",
        ),
        Key::may(
            "profiles",
            Kind::Str,
            "a folder with profiles of the site's own, from where this file lies",
        ),
        Key::may(
            "standards",
            Kind::Str,
            "a folder with standards of the site's own, from where this file lies",
        ),
    ],
};

static SITE: Shape =
    Shape { what: "the site", keys: &[Key::must("name", Kind::Words, "the site's name, as people say it")] };

static TELEMETRY: Shape = Shape {
    what: "how measured values are kept",
    keys: &[
        Key::preset(
            "snapshot_s",
            Kind::Integer(1, 3_600),
            Preset::Integer(60),
            "a full snapshot at least this often",
        ),
        Key::preset(
            "max_mib",
            Kind::Integer(1, 65_536),
            Preset::Integer(64),
            "most telemetry that waits for a broker",
        ),
    ],
};

static ALARMS: Shape = Shape {
    what: "how alarms are announced",
    keys: &[
        Key::preset(
            "escalate_s",
            Kind::Number(0.0, 86_400.0),
            Preset::Number(300.0),
            "an alarm that nobody acknowledges for so long counts as one colour worse; 0: never",
        ),
        Key::may("siren", Kind::Ref("a siren"), "what sounds while an alarm is escalated"),
        Key::may(
            "again_min",
            Kind::Number(1.0, 10_080.0),
            "an acknowledged alarm that still stands after so many minutes is announced anew",
        ),
    ],
};

static GRADES: Shape = Shape {
    what: "how areas are graded, beyond the colours of their alarms",
    keys: &[
        Key::preset(
            "orange_after_min",
            Kind::Number(0.0, 1_440.0),
            Preset::Number(10.0),
            "orange: a gas point at or above its alarm for longer; 0: never",
        ),
        Key::preset(
            "orange_points",
            Kind::Integer(0, 1_000),
            Preset::Integer(2),
            "orange: so many gas points of the area at or above their alarm; 0: never",
        ),
        Key::preset(
            "red_pct_vol",
            Kind::Number(0.0, 100.0),
            Preset::Number(3.0),
            "red: so much of a combustible gas, percent by volume; 0: never",
        ),
        Key::preset(
            "red_areas",
            Kind::Integer(0, 1_000),
            Preset::Integer(2),
            "red: so many areas with a gas point at or above its alarm; 0: never",
        ),
        Key::preset(
            "red_after_min",
            Kind::Number(0.0, 1_440.0),
            Preset::Number(30.0),
            "red: a gas point at or above its trip for longer; 0: never",
        ),
    ],
};

static PERMIT: Shape = Shape {
    what: "a permit",
    keys: &[
        Key::must("place", Kind::Ref("an area or a point"), "where the work is"),
        Key::must("kind", Kind::OneOf(&["hot-work", "confined-space"]), "what work it is"),
        Key::must("from", Kind::Str, "when it begins, as \"2026-11-24T08:00:00+08:00\""),
        Key::must("until", Kind::Str, "when it ends, at most 8 hours later"),
        Key::must("by", Kind::Str, "who gives it"),
        Key::may("second", Kind::Str, "the second person, where one is named"),
        Key::may("percent", Kind::Integer(10, 99), "set-points are so many percent of what they are"),
        Key::may("set_points", Kind::Table(&PERMIT_SET_POINTS), "or are these, where they are given"),
    ],
};

static PERMIT_SET_POINTS: Shape = Shape {
    what: "set-points of a permit",
    keys: &[
        Key::must("unit", UNITS, "the unit of these numbers; must be the points'"),
        Key::may("warning", ANY, "at or above: early warning"),
        Key::may("alarm", ANY, "at or above: alarm, or level 1"),
        Key::may("trip", ANY, "at or above: power cut or valve shut, or level 2"),
    ],
};

static GAS: Shape = Shape {
    what: "a gas",
    keys: &[
        Key::must(
            "id",
            Kind::Id,
            "the gas's name, as the standards know it: methane, lpg, carbon-monoxide, oxygen",
        ),
        Key::may("lel_pct_vol", Kind::Number(0.01, 100.0), "its lower explosive limit in percent by volume"),
    ],
};

static AREA: Shape = Shape {
    what: "an area",
    keys: &[
        Key::must("id", Kind::Id, "names the area"),
        Key::must(
            "kind",
            Kind::Ref("an area kind of a standard"),
            "picks the set-points, as \"cn-coal-face\"",
        ),
        Key::may("name", Kind::Words, "the area's name, as people say it (default: its id)"),
        Key::may(
            "risk",
            COLOURS,
            "its inherent risk: it is never graded better (default: as its kind, or blue)",
        ),
    ],
};

static BUS: Shape = Shape {
    what: "a bus",
    keys: &[
        Key::must("id", Kind::Id, "names the line"),
        Key::must("link", Kind::Str, "how to reach it: \"tcp://host:port\""),
        Key::preset(
            "gap_ms",
            Kind::Integer(0, 10_000),
            Preset::Integer(0),
            "silence between an answer and the next request",
        ),
        Key::preset(
            "timeout_ms",
            TIMEOUT_MS,
            Preset::Integer(500),
            "how long an answer may take, unless the device says so",
        ),
        Key::preset(
            "poll_ms",
            POLL_MS,
            Preset::Integer(1_000),
            "how often its devices are asked, unless they say so",
        ),
    ],
};

static DEVICE: Shape = Shape {
    what: "a device",
    keys: &[
        Key::must("id", Kind::Id, "names the device"),
        Key::may("name", Kind::Words, "the device's name, as people say it (default: its id)"),
        Key::must("bus", Kind::Ref("a bus"), "the line it is on"),
        Key::must("unit", Kind::Integer(0, 255), "its Modbus unit number"),
        Key::must("profile", Kind::Ref("a profile"), "its register map"),
        Key::must("area", Kind::Ref("an area"), "where it stands"),
        Key::may("poll_ms", POLL_MS, "how often it is asked (default: as its bus)"),
        Key::may("timeout_ms", TIMEOUT_MS, "how long its answer may take (default: as its bus)"),
        Key::may("calibrated", Kind::Str, "the day of its last calibration, as \"2026-11-24\""),
        Key::preset(
            "calibrate_days",
            Kind::Integer(1, 3_650),
            Preset::Integer(15),
            "after so many days it has to be calibrated again",
        ),
    ],
};

static POINT: Shape = Shape {
    what: "a point",
    keys: &[
        Key::must("id", Kind::Id, "names the point"),
        Key::may("name", Kind::Words, "the point's name, as people say it (default: its id)"),
        Key::must("device", Kind::Ref("a device"), "what measures it"),
        Key::must(
            "signal",
            Kind::Ref("a signal of the device's profile"),
            "which of the device's values it is",
        ),
        Key::may("gas", Kind::Ref("a gas"), "the gas that it measures"),
        Key::may("place", Kind::Str, "the place in the area by the standard's name for it, as \"T1\""),
        Key::may("area", Kind::Ref("an area"), "where it measures (default: where its device stands)"),
        Key::may("decimals", Kind::Integer(0, 6), "as displayed; set-points are compared so (default 2)"),
        Key::may("deadband", POSITIVE, "smallest change that is told (default: one step of the display)"),
        Key::may(
            "set_points",
            Kind::Table(&SET_POINTS),
            "set-points; what is not given is taken from the standard",
        ),
        Key::may("approved", Kind::Table(&APPROVED), "who let the set-points be laxer than the standard"),
        Key::may("alarm_when", Kind::Flag, "the position of a contact that is an alarm"),
        Key::may("level", LEVELS, "how severe the alarm of a contact is"),
        Key::may("text", Kind::Words, "what the alarm of a contact says"),
        Key::may("action", Kind::Words, "what to do when it alarms"),
        Key::preset(
            "on_delay_s",
            DELAY_S,
            Preset::Number(0.0),
            "how long a set-point must be reached before it alarms",
        ),
        Key::preset(
            "off_delay_s",
            DELAY_S,
            Preset::Number(5.0),
            "how long an alarm must be gone before it counts as gone",
        ),
        Key::may("rise_per_min", Kind::Number(1e-6, HUGE), "alarms when the value rises by so much a minute"),
        Key::may(
            "forecast_min",
            Kind::Number(0.1, 1_440.0),
            "alarms when the value, rising as it does, reaches its alarm within so many minutes",
        ),
        Key::preset(
            "trend_s",
            Kind::Number(5.0, 3_600.0),
            Preset::Number(60.0),
            "over how long the rise is taken",
        ),
        Key::may("twin", Kind::Ref("a point"), "another point that measures the same"),
        Key::may("deviation", Kind::Number(1e-6, HUGE), "alarms when the twins differ by so much"),
        Key::may(
            "expect",
            ANY,
            "the value that it must have, as a set-point or an identity read back from the device",
        ),
        Key::may(
            "suppressed_by",
            Kind::List(&Kind::Str, 1, 16),
            "alarms that say it already: while one of them stands, those of this point are not announced",
        ),
    ],
};

static SET_POINTS: Shape = Shape {
    what: "set-points",
    keys: &[
        Key::must("unit", UNITS, "the unit of these numbers; must be the point's"),
        Key::may("warning", ANY, "at or above: early warning"),
        Key::may("alarm", ANY, "at or above: alarm, or level 1"),
        Key::may("trip", ANY, "at or above: power cut or valve shut, or level 2"),
        Key::may("reset", ANY, "below: the highest level may be reset (mines: the re-power value)"),
        Key::may("low_warning", ANY, "at or below: early warning"),
        Key::may("low_alarm", ANY, "at or below: alarm"),
        Key::may("low_trip", ANY, "at or below: trip"),
        Key::may("low_reset", ANY, "above: the lowest level may be reset"),
    ],
};

static APPROVED: Shape = Shape {
    what: "an approval",
    keys: &[
        Key::must("by", Kind::Str, "the person who answers for it"),
        Key::must("reason", Kind::Str, "why, and by which document"),
    ],
};

/// Keys that every element has.
macro_rules! element {
    ($what:literal, $($own:expr),* $(,)?) => {
        Shape {
            what: $what,
            keys: &[
                Key::must("id", Kind::Id, "names the element"),
                Key::may("name", Kind::Words, "its name, as people say it (default: its id)"),
                Key::may("area", Kind::Ref("an area"), "where it stands (default: where its device stands)"),
                Key::must("device", Kind::Ref("a device"), "the device that is written to"),
                Key::must("output", Kind::Ref("an output of the device's profile"), "what is written"),
                $($own,)*
                Key::may("travel_s", Kind::Number(0.1, 600.0), "from demand to confirmation at most (default: valve 10, others 5)"),
                Key::may("mode", MODES, "\"observe\" or \"act\" (default: as [gateway] outputs)"),
            ],
        }
    };
}

const FEEDBACK: Kind =
    Kind::Ref("a signal: \"signal\", \"device:signal\", with \"!\" before it where 0 means yes");

/// A valve.
pub(super) static VALVE: Shape = element!(
    "a valve",
    Key::may("closed", FEEDBACK, "the contact that says closed"),
    Key::may("open", FEEDBACK, "the contact that says open"),
);

/// A load.
pub(super) static LOAD: Shape = element!(
    "a load",
    Key::may("dead", FEEDBACK, "the contact that says that there is no voltage"),
    Key::may("live", FEEDBACK, "the feed sensor: says that there is voltage"),
);

/// A siren.
pub(super) static SIREN: Shape =
    element!("a siren", Key::may("on", FEEDBACK, "the contact that says that it runs"),);

static TRIP: Shape = Shape {
    what: "a trip",
    keys: &[
        Key::must("id", Kind::Id, "names the trip"),
        Key::may("name", Kind::Words, "its name, as people say it (default: its id)"),
        Key::may("area", Kind::Ref("an area"), "where its causes are (default: where the first one is)"),
        Key::may("vote", Kind::Str, "how many causes of how many, as \"1oo2\" (default: any one)"),
        Key::must(
            "when",
            Kind::List(&Kind::Ref("an alarm (\"point:trip\")"), 0, 64),
            "the alarms that cause it",
        ),
        Key::must(
            "effects",
            Kind::List(&Kind::Ref("a valve, load or siren"), 0, 256),
            "what it brings into the safe state",
        ),
        Key::preset(
            "on_bad",
            Kind::OneOf(&["vote", "alarm"]),
            Preset::Str("vote"),
            "what a cause that can't be judged counts as: a vote to trip, or an alarm while another is good",
        ),
        Key::preset(
            "bad_delay_s",
            Kind::Number(0.0, 600.0),
            Preset::Number(10.0),
            "how long that is borne before it counts",
        ),
        Key::preset(
            "reset_hold_s",
            Kind::Number(0.0, 86_400.0),
            Preset::Number(60.0),
            "how long every cause must have been good and below its reset value",
        ),
    ],
};

static DESTINATION: Shape = Shape {
    what: "a destination",
    keys: &[
        Key::must("id", Kind::Id, "names the destination"),
        Key::must("broker", Kind::Str, "the broker: \"mqtt://host:port\""),
        Key::preset("prefix", Kind::Str, Preset::Str("davy"), "first part of every topic"),
        Key::may("user", Kind::Str, "user name at the broker"),
        Key::may("password_file", Kind::Str, "a file that holds the password and nothing else"),
        Key::preset(
            "keep_alive_s",
            Kind::Integer(5, 3_600),
            Preset::Integer(15),
            "how soon a dead link is noticed",
        ),
    ],
};

const SPACES: Kind = Kind::OneOf(&["coil", "discrete", "input", "holding"]);
const ADDRESS: Kind = Kind::Integer(0, 65_535);
const ENCODINGS: Kind = Kind::OneOf(&["u16", "i16", "u32", "i32", "f32", "bits", "bit"]);
const ORDERS: Kind = Kind::OneOf(&["abcd", "cdab", "badc", "dcba"]);
const BIT_RANGE: Kind = Kind::List(&Kind::Integer(0, 15), 2, 2);

/// A profile.
pub(super) static PROFILE_FILE: Shape = Shape {
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
    ],
};

static SENTINEL: Shape = Shape {
    what: "a raw value that is no value",
    keys: &[
        Key::must("raw", Kind::Integer(-2_147_483_648, 4_294_967_295), "the raw value"),
        Key::must("quality", QUALITIES, "what it means"),
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
        Key::must("bit", Kind::Integer(0, 15), "which bit, 0 is the lowest"),
        Key::must("quality", QUALITIES, "what it says of the value when it is set"),
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
pub(super) static STANDARD_FILE: Shape = Shape {
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

static STANDARD_ROW: Shape = Shape {
    what: "a row of set-points",
    keys: &[
        Key::may("place", Kind::Str, "the place in the area, as \"T1\" (none: any place)"),
        Key::may("gas", Kind::Str, "the gas (none: any gas)"),
        Key::must("unit", UNITS, "the unit of these numbers"),
        Key::may("warning", ANY, "at or above: early warning"),
        Key::may("alarm", ANY, "at or above: alarm, or level 1"),
        Key::may("trip", ANY, "at or above: power cut or valve shut, or level 2"),
        Key::may("reset", ANY, "below: the highest level may be reset (mines: the re-power value)"),
        Key::may("low_warning", ANY, "at or below: early warning"),
        Key::may("low_alarm", ANY, "at or below: alarm"),
        Key::may("low_trip", ANY, "at or below: trip"),
        Key::may("low_reset", ANY, "above: the lowest level may be reset"),
        Key::preset("max_on_delay_s", DELAY_S, Preset::Number(2.0), "longest on-delay that is not laxer"),
        Key::may("actions", Kind::Table(&BY_LEVEL), "what to do at each level"),
        Key::must("source", Kind::Str, "where the numbers are from"),
        Key::must("confirmed", Kind::Flag, "whether somebody checked them against that source"),
    ],
};
