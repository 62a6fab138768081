//! The shapes of the site file, of a profile and of a standard: every key that can be written, in one place.
//! What a key means beyond its own value is checked where it is used.

use super::shape::{HUGE, Key, Kind, Preset, Shape};
use crate::model::sign::{Knob, Sign};
use crate::model::table::MAX_ROWS;

const ANY: Kind = Kind::Number(-HUGE, HUGE);
const NOT_NEGATIVE: Kind = Kind::Number(0.0, HUGE);
const UNITS: Kind = Kind::OneOf(&["%vol", "%LEL", "ppm", "m/s", "kPa", "degC", "%", "mA", "number", "state"]);
const LEVELS: Kind = Kind::OneOf(&["warning", "alarm", "trip"]);
const COLOURS: Kind = Kind::OneOf(&["red", "orange", "yellow", "blue"]);
const MODES: Kind = Kind::OneOf(&["observe", "act"]);
const QUALITY_NAMES: &[&str; 10] = &[
    "good",
    "warm-up",
    "calibrating",
    "over-range",
    "under-range",
    "inhibited",
    "sensor-fault",
    "out-of-service",
    "implausible",
    "wire-broken",
];
const QUALITIES: Kind = Kind::OneOf(QUALITY_NAMES);
/// Of what only speaks up when something is amiss.
const AMISS: Kind = {
    let [_good, amiss @ ..] = QUALITY_NAMES;
    Kind::OneOf(amiss)
};
/// Poll periods: faster than 50 ms no serial line is, slower than 10 minutes no supervision.
const POLL_MS: Kind = Kind::Integer(50, 600_000);
const TIMEOUT_MS: Kind = Kind::Integer(20, 60_000);
/// Silence after an answer: a trip waits for it too. Slow converters want a tenth of a second, none wants a second.
const GAP_MS: Kind = Kind::Integer(0, 1_000);
/// Delays of an alarm, in seconds: an hour is no longer a delay.
const DELAY_S: Kind = Kind::Number(0.0, 3_600.0);
/// AQ 6201 keeps everything locked for a minute after power-on; a site may ask for more.
const START_HOLD_S: Kind = Kind::Number(60.0, 3_600.0);
/// Votes that others name: each may name all before it, so their number bounds how deep they can be nested.
const MAX_GROUPS: usize = 256;
/// A delay of a vote, in seconds: a minute is no longer a delay.
const VOTE_DELAY_S: Kind = Kind::Number(0.0, 60.0);
/// Times of a stroke, in seconds.
const STROKE_S: Kind = Kind::Number(0.05, 600.0);
const ON_BAD: Kind = Kind::OneOf(&["vote", "alarm", "ignore"]);

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
        Key::may("lock", Kind::Tables(&LOCK, MAX_ROWS), "locks against starting, as of a local fan"),
        Key::may("group", Kind::Tables(&GROUP, MAX_GROUPS), "votes that trips and other votes name"),
        Key::may("signs", Kind::Table(&SIGNS), "the numbers that signs of false data go by"),
        Key::may("airway", Kind::Tables(&AIRWAY, 1_000), "points that the same air passes"),
        Key::may("grades", Kind::Table(&GRADES), "when an area is orange or red"),
        Key::may(
            "permit",
            Kind::Tables(&PERMIT, 64),
            "set-points that are tighter on a day, for work that is planned",
        ),
    ],
};

/// Where journal, buffer and command socket are, unless the site file says so.
pub(super) const STATE_FOLDER: &str = "/var/lib/davy";

static GATEWAY: Shape = Shape {
    what: "the gateway",
    keys: &[
        Key::must("id", Kind::Id, "names the gateway in every event and topic; never change it"),
        Key::preset(
            "state",
            Kind::Str,
            Preset::Str(STATE_FOLDER),
            "the folder of journal, buffer and command socket, from where this file lies",
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
        Key::preset(
            "start_hold_s",
            START_HOLD_S,
            Preset::Number(60.0),
            "for so long after a start no reset is taken; longer than 60 s if you like, never shorter",
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
            "an alarm that nobody acknowledges for so long counts as one colour worse; 0 (approved only): never",
        ),
        Key::may("siren", Kind::Ref("a siren"), "what sounds while an alarm is escalated"),
        Key::may(
            "again_min",
            Kind::Number(1.0, 10_080.0),
            "an acknowledged alarm that still stands after so many minutes is announced anew",
        ),
        Key::may(
            "approved",
            Kind::Table(&APPROVED),
            "who let alarms stay as loud as they are: escalate_s = 0",
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
        Key::may("low_warning", ANY, "at or below: early warning, as of oxygen"),
        Key::may("low_alarm", ANY, "at or below: alarm"),
        Key::may("low_trip", ANY, "at or below: trip"),
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
        Key::may("approved", Kind::Table(&APPROVED), "who let that be higher than any source says"),
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
        Key::must(
            "link",
            Kind::Str,
            "how to reach it: \"tcp://host:port\", \"rtu:///dev/ttyS1?baud=9600\", \"rtu+tcp://host:port\", \"tls://…\" or \"rtu+listen://…\"",
        ),
        Key::preset("gap_ms", GAP_MS, Preset::Integer(0), "silence between an answer and the next request"),
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
        Key::preset(
            "max_use_pct",
            Kind::Integer(10, 100),
            Preset::Integer(80),
            "so much of the time the line may be in use, as reckoned from its speed",
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
        Key::may(
            "accelerated_ms",
            POLL_MS,
            "how often it is asked while there is gas in its area (default: poll_ms)",
        ),
        Key::preset(
            "slow_poll_s",
            Kind::Integer(10, 86_400),
            Preset::Integer(600),
            "how often its signals with scan = \"slow\" are asked: health, identity, its own set-points",
        ),
        Key::may("timeout_ms", TIMEOUT_MS, "how long its answer may take (default: as its bus)"),
        Key::may(
            "latest_answer_ms",
            TIMEOUT_MS,
            "on a serial line: how long after the question an answer may come that is too late (default: timeout_ms)",
        ),
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
        Key::may(
            "unit",
            UNITS,
            "the unit, where the profile leaves it open: a current loop, a device that can measure in several",
        ),
        Key::may(
            "range",
            Kind::List(&ANY, 2, 2),
            "what this sensor can measure, where the profile can't know it",
        ),
        Key::may("place", Kind::Str, "the place in the area by the standard's name for it, as \"T1\""),
        Key::may("area", Kind::Ref("an area"), "where it measures (default: where its device stands)"),
        Key::may("decimals", Kind::Integer(0, 6), "as displayed; set-points are compared so (default 2)"),
        Key::may("deadband", NOT_NEGATIVE, "smallest change that is told (default: one step of the display)"),
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
        Key::may("neighbours", Kind::List(&Kind::Ref("a point"), 1, 8), "points that measure the same air"),
        Key::may("catalytic", Kind::Flag, "whether its sensor is catalytic: folds back in too much gas"),
        Key::may(
            "tells",
            Kind::OneOf(&["inhibit", "mute", "power-off", "local"]),
            "what a contact tells of its device when it is 1",
        ),
        Key::may("signs", Kind::Table(&SIGNS_OF_POINT), "numbers of signs that are others for this point"),
    ],
};

/// The numbers that signs go by; for the whole site.
#[expect(clippy::indexing_slicing, reason = "at compile time")]
static SIGNS: Shape = Shape {
    what: "the numbers that signs go by",
    keys: &{
        let mut keys = [const { Key::may("", Kind::Flag, "") }; Knob::ALL.len()];
        let mut n = 0;
        while n < keys.len() {
            let (knob, (lo, hi)) = (Knob::ALL[n], Knob::ALL[n].bounds());
            let preset = Preset::Number(knob.default());
            keys[n] = Key::preset(knob.key(), Kind::Number(lo, hi), preset, knob.doc());
            n += 1;
        }
        keys
    },
};

/// The same for one point: what is not written there is as for the whole site.
#[expect(clippy::indexing_slicing, reason = "at compile time")]
static SIGNS_OF_POINT: Shape = Shape {
    what: "the numbers that signs go by on one point",
    keys: &{
        let mut keys = [const { Key::may("", Kind::Flag, "") }; Knob::ALL.len() + 1];
        let mut n = 0;
        while n < Knob::ALL.len() {
            let (knob, (lo, hi)) = (Knob::ALL[n], Knob::ALL[n].bounds());
            keys[n] = Key::may(knob.key(), Kind::Number(lo, hi), knob.doc());
            n += 1;
        }
        keys[n] = Key::may(
            "off",
            Kind::List(&Kind::OneOf(&SIGN_NAMES), 0, Sign::ALL.len()),
            "signs that nobody looks for on this point",
        );
        keys
    },
};

#[expect(clippy::indexing_slicing, reason = "at compile time")]
const SIGN_NAMES: [&str; Sign::ALL.len()] = {
    let mut names = [""; Sign::ALL.len()];
    let mut n = 0;
    while n < names.len() {
        names[n] = Sign::ALL[n].as_str();
        n += 1;
    }
    names
};

static AIRWAY: Shape = Shape {
    what: "an airway",
    keys: &[
        Key::must("points", Kind::List(&Kind::Ref("a point"), 2, 64), "the points, in the order of the air"),
        Key::preset(
            "lag_s",
            Kind::Number(0.0, 3_600.0),
            Preset::Number(0.0),
            "how long the air takes from one to the next",
        ),
        Key::may("diluted", Kind::Flag, "whether fresh air joins on the way, so that it may hold less there"),
    ],
};

/// The numbers of a point in a site file and of a row of a standard.
macro_rules! set_points {
    ($what:literal, [$($before:expr),* $(,)?], [$($after:expr),* $(,)?] $(,)?) => {
        Shape {
            what: $what,
            keys: &[
                $($before,)*
                Key::may("warning", ANY, "at or above: early warning"),
                Key::may("alarm", ANY, "at or above: alarm, or level 1"),
                Key::may("trip", ANY, "at or above: power cut or valve shut, or level 2"),
                Key::may("reset", ANY, "below: the highest level may be reset (mines: the re-power value)"),
                Key::may("low_warning", ANY, "at or below: early warning"),
                Key::may("low_alarm", ANY, "at or below: alarm"),
                Key::may("low_trip", ANY, "at or below: trip"),
                Key::may("low_reset", ANY, "above: the lowest level may be reset"),
                $($after,)*
            ],
        }
    };
}

static SET_POINTS: Shape = set_points!(
    "set-points",
    [Key::must("unit", UNITS, "the unit of these numbers; must be the point's")],
    [
        Key::may("lock", ANY, "at or above: what must not start is locked (headings: the fan, above 3.0 %)"),
        Key::may("unlock", ANY, "below: a person may unlock it (headings: 1.5 %)"),
    ],
);

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
                Key::may("dead_s", STROKE_S, "its unsafe end must be left this long after the command (solenoid 1, motor 5)"),
                Key::may("commissioned_s", STROKE_S, "how long it took when commissioned: 1.2 times that is slow, 1.5 times has failed"),
                Key::may("reopens_s", Kind::Number(1.0, 86_400.0), "let go, it should be out of its safe state within this, by hand"),
                Key::may("backup", Kind::Ref("a valve, load, siren or lock"), "what is demanded as well when this one fails"),
                Key::may("proof_test_days", Kind::Integer(1, 3_650), "it is proven to reach its safe state once in so many days; a measured real trip counts"),
                Key::may("proof_tested", Kind::Str, "the day of its last proof test before Davy kept the record, as \"2026-11-24\""),
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
    Key::preset(
        "leak_from_s",
        Kind::Number(0.0, 3_600.0),
        Preset::Number(60.0),
        "confirmed closed for so long, gas must not rise any more",
    ),
    Key::preset("leak_to_s", Kind::Number(1.0, 7_200.0), Preset::Number(120.0), "until so long after that"),
    Key::preset(
        "leak_rise_pct",
        Kind::Number(0.1, 100.0),
        Preset::Number(5.0),
        "a rise by this much of a point's trip value alarms as a leak",
    ),
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

/// A lock.
pub(super) static LOCK: Shape = element!(
    "a lock",
    Key::may("locked", FEEDBACK, "the contact that says locked"),
    Key::may("free", FEEDBACK, "the contact that says that it may be started"),
);

static GROUP: Shape = Shape {
    what: "a group of votes",
    keys: &[
        Key::must("id", Kind::Id, "names the group"),
        Key::may("vote", Kind::Str, "how many members of how many, as \"1oo2\" (default: any one)"),
        Key::must(
            "when",
            Kind::List(&Kind::Ref("an alarm (\"point:trip\") or a group"), 0, 64),
            "its members: alarms and other groups",
        ),
        Key::preset(
            "on_bad",
            ON_BAD,
            Preset::Str("vote"),
            "what a member that can't be judged counts as, as in a trip",
        ),
        Key::may("approved", Kind::Table(&APPROVED), "who let its vote be laxer than common rules"),
    ],
};

static TRIP: Shape = Shape {
    what: "a trip",
    keys: &[
        Key::must("id", Kind::Id, "names the trip"),
        Key::may("name", Kind::Words, "its name, as people say it (default: its id)"),
        Key::may("area", Kind::Ref("an area"), "where its causes are (default: where the first one is)"),
        Key::may("vote", Kind::Str, "how many causes of how many, as \"1oo2\" (default: any one)"),
        Key::must(
            "when",
            Kind::List(&Kind::Ref("an alarm (\"point:trip\") or a group"), 0, 64),
            "what causes it: alarms and groups",
        ),
        Key::must(
            "effects",
            Kind::List(&Kind::Ref("a valve, load, siren or lock"), 0, 256),
            "what it brings into the safe state",
        ),
        Key::preset(
            "on_bad",
            ON_BAD,
            Preset::Str("vote"),
            "what a cause that can't be judged counts as: a vote to trip; an alarm while another is known to be safe; \
             for locks only, nothing",
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
        Key::preset(
            "delay_s",
            VOTE_DELAY_S,
            Preset::Number(0.0),
            "how long the vote must stand before it trips; for gas at most 2 s",
        ),
        Key::preset(
            "bypass",
            Kind::OneOf(&["two-persons", "one-person", "never"]),
            Preset::Str("two-persons"),
            "who may take one of its causes out of the vote for a while; one at a time",
        ),
        Key::may(
            "unguarded",
            Kind::Flag,
            "whether its last guard may be bypassed or calibrated too: somebody measures by hand meanwhile (default: no)",
        ),
        Key::may(
            "permissive",
            Kind::List(&Kind::Ref("an alarm (\"point:alarm\")"), 0, 64),
            "alarms that do not cause it and must be proven safe before a reset all the same",
        ),
        Key::may(
            "reset_when",
            Kind::List(&Kind::Ref("an alarm (\"point:lock\")"), 0, 64),
            "for locks only: the causes that must be proven safe before it is unlocked (default: all)",
        ),
        Key::may(
            "approved",
            Kind::Table(&APPROVED),
            "who let its vote, delays, hold or bypass be laxer than common rules",
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
        Key::may(
            "escalated_only",
            Kind::Flag,
            "it is told of escalated alarms only, as the duty engineer's: no values, and numbers are missing by design",
        ),
    ],
};

mod library;

pub(super) use library::{PROFILE_FILE, STANDARD_FILE};
