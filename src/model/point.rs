//! Points, their readings and how far a reading can be trusted.

use super::time::Mono;
use std::fmt;
use std::sync::Arc;

/// The name of a thing in the site file: 1 to 64 characters of `a-z 0-9 . _ -`, starting with a letter or digit.
/// Safe in an MQTT topic, a file name and a shell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// Longest tag, in characters.
    pub const MAX: usize = 64;

    /// The tag `text`, or `None` where it is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Tag> {
        let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let goes_on = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        (starts_well && text.len() <= Tag::MAX && text.chars().all(goes_on)).then(|| Tag(text.into()))
    }

    /// The tag's characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What an operator reads, in both languages. Shared, because many alarms say the same, and because what is copied
/// between a reading and the write that follows from it must cost nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Text {
    /// Chinese.
    pub zh: Arc<str>,
    /// English.
    pub en: Arc<str>,
}

impl Text {
    /// The pair of both texts.
    #[must_use]
    pub fn new(zh: impl Into<Arc<str>>, en: impl Into<Arc<str>>) -> Text {
        Text { zh: zh.into(), en: en.into() }
    }
}

/// The unit of a point's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Percent by volume; in mines `% CH4`.
    PctVol,
    /// Percent of the lower explosive limit of the point's gas.
    PctLel,
    /// Parts per million by volume.
    Ppm,
    /// Metres per second (air speed).
    MetrePerSecond,
    /// Kilopascals.
    Kilopascal,
    /// Degrees Celsius.
    Celsius,
    /// Percent of full travel or scale.
    Percent,
    /// Milliamperes: a current loop of which nobody has said what it stands for.
    MilliAmpere,
    /// A number without a unit: a serial number, a type, a counter.
    Number,
    /// No unit: a contact, 0 or 1.
    State,
}

impl Unit {
    /// Every unit, in the order in which messages list them.
    pub const ALL: [Unit; 10] = [
        Unit::PctVol,
        Unit::PctLel,
        Unit::Ppm,
        Unit::MetrePerSecond,
        Unit::Kilopascal,
        Unit::Celsius,
        Unit::Percent,
        Unit::MilliAmpere,
        Unit::Number,
        Unit::State,
    ];

    /// As written in site files, profiles and payloads.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Unit::PctVol => "%vol",
            Unit::PctLel => "%LEL",
            Unit::Ppm => "ppm",
            Unit::MetrePerSecond => "m/s",
            Unit::Kilopascal => "kPa",
            Unit::Celsius => "degC",
            Unit::Percent => "%",
            Unit::MilliAmpere => "mA",
            Unit::Number => "number",
            Unit::State => "state",
        }
    }

    /// The unit written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Unit> {
        Unit::ALL.into_iter().find(|u| u.as_str() == text)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far a reading can be trusted. Only `Good` ever counts as safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// Measured, in range, fresh.
    Good,
    /// There is a value, but it does not prove that the air is safe.
    Uncertain(Doubt),
    /// There is no value to go by.
    Bad(Fault),
}

/// Why a reading is uncertain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// The sensor warms up.
    WarmUp,
    /// The sensor is being calibrated or tested.
    Calibrating,
    /// Above the sensor's range: the gas is at least this high. Counts as high.
    OverRange,
    /// Below the sensor's range (zero drift).
    UnderRange,
    /// Inhibited at the device: somebody may be at work on it, and it alarms nobody by itself.
    Inhibited,
    /// The first value after a reconnect, not yet confirmed by a second.
    Unconfirmed,
}

/// Why a reading is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Never heard since start.
    NotHeard,
    /// The device does not answer, or its link is down.
    CommLost,
    /// No new value within the time that the poll period allows.
    Stale,
    /// The device reports a fault of the sensor.
    SensorFault,
    /// Switched off, shielded or inhibited at the device.
    OutOfService,
    /// Not a number, or a value that this sensor can't have.
    Implausible,
    /// A status code that the profile does not know: unknown is never taken for normal.
    UnknownStatus,
    /// The device refuses the register (Modbus exception).
    Refused,
    /// It measures in another unit than the site says: never converted on a guess.
    WrongUnit,
    /// A current loop below what any transmitter sends: broken, or without supply.
    WireBroken,
    /// The device answers, and its heartbeat stands still: what it answers may be of any age.
    NoHeartbeat,
}

impl Quality {
    /// As written in profiles, payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Quality::Good => "good",
            Quality::Uncertain(Doubt::WarmUp) => "warm-up",
            Quality::Uncertain(Doubt::Calibrating) => "calibrating",
            Quality::Uncertain(Doubt::OverRange) => "over-range",
            Quality::Uncertain(Doubt::UnderRange) => "under-range",
            Quality::Uncertain(Doubt::Inhibited) => "inhibited",
            Quality::Uncertain(Doubt::Unconfirmed) => "unconfirmed",
            Quality::Bad(Fault::NotHeard) => "not-heard",
            Quality::Bad(Fault::CommLost) => "comm-lost",
            Quality::Bad(Fault::Stale) => "stale",
            Quality::Bad(Fault::SensorFault) => "sensor-fault",
            Quality::Bad(Fault::OutOfService) => "out-of-service",
            Quality::Bad(Fault::Implausible) => "implausible",
            Quality::Bad(Fault::UnknownStatus) => "unknown-status",
            Quality::Bad(Fault::Refused) => "refused",
            Quality::Bad(Fault::WrongUnit) => "wrong-unit",
            Quality::Bad(Fault::WireBroken) => "wire-broken",
            Quality::Bad(Fault::NoHeartbeat) => "no-heartbeat",
        }
    }

    /// All of them.
    pub const ALL: [Quality; 18] = [
        Quality::Good,
        Quality::Uncertain(Doubt::WarmUp),
        Quality::Uncertain(Doubt::Calibrating),
        Quality::Uncertain(Doubt::OverRange),
        Quality::Uncertain(Doubt::UnderRange),
        Quality::Uncertain(Doubt::Inhibited),
        Quality::Uncertain(Doubt::Unconfirmed),
        Quality::Bad(Fault::NotHeard),
        Quality::Bad(Fault::CommLost),
        Quality::Bad(Fault::Stale),
        Quality::Bad(Fault::SensorFault),
        Quality::Bad(Fault::OutOfService),
        Quality::Bad(Fault::Implausible),
        Quality::Bad(Fault::UnknownStatus),
        Quality::Bad(Fault::Refused),
        Quality::Bad(Fault::WrongUnit),
        Quality::Bad(Fault::WireBroken),
        Quality::Bad(Fault::NoHeartbeat),
    ];

    /// The qualities that a profile may give to a status code, a status bit or a sentinel value.
    pub const IN_PROFILES: [Quality; 10] = [
        Quality::Good,
        Quality::Uncertain(Doubt::WarmUp),
        Quality::Uncertain(Doubt::Calibrating),
        Quality::Uncertain(Doubt::OverRange),
        Quality::Uncertain(Doubt::UnderRange),
        Quality::Uncertain(Doubt::Inhibited),
        Quality::Bad(Fault::SensorFault),
        Quality::Bad(Fault::OutOfService),
        Quality::Bad(Fault::Implausible),
        Quality::Bad(Fault::WireBroken),
    ];

    /// The worse of two: bad before uncertain before good. Among the uncertain, over-range wins: it counts as high.
    #[must_use]
    pub fn worse(self, other: Quality) -> Quality {
        let rank = |q: Quality| match q {
            Quality::Good => 0,
            Quality::Uncertain(Doubt::OverRange) => 2,
            Quality::Uncertain(_) => 1,
            Quality::Bad(_) => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One value of one point at one moment: never a bare number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// In the point's unit; contacts are 0 or 1. `None` where nothing was measured; always finite.
    pub value: Option<f64>,
    /// How far to trust it.
    pub quality: Quality,
    /// When the answer that holds it arrived.
    pub at: Mono,
}

impl Reading {
    /// A reading without a value.
    #[must_use]
    pub const fn bad(fault: Fault, at: Mono) -> Reading {
        Reading { value: None, quality: Quality::Bad(fault), at }
    }
}

/// A value as an instrument displays it: a whole number of `10^-decimals`. Set-points are compared with this, so
/// that a displayed 1.00 alarms at 1.00 whatever the binary fraction behind it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Displayed(i64);

/// `10^0` to `10^6`.
const POWERS: [f64; 7] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];

impl Displayed {
    /// Most decimals a point may have.
    pub const MAX_DECIMALS: u8 = 6;

    /// `value` as the instrument writes it: 0.995 with two decimals is 1.00.
    #[must_use]
    pub fn text(value: f64, decimals: u8) -> String {
        let places = usize::from(decimals.min(Displayed::MAX_DECIMALS));
        let step = POWERS.get(places).copied().unwrap_or(1e6);
        #[expect(clippy::cast_precision_loss, reason = "below 9e15, and written with at most six decimals")]
        match Displayed::new(value, decimals).map(|shown| shown.0 as f64 / step) {
            Some(shown) => format!("{shown:.places$}"),
            // No instrument shows as many digits.
            None => format!("{value:e}"),
        }
    }

    /// `value` rounded half away from zero to `decimals`; `None` for what is not finite or beyond any instrument.
    #[must_use]
    pub fn new(value: f64, decimals: u8) -> Option<Displayed> {
        let scaled = value * POWERS.get(usize::from(decimals)).copied().unwrap_or(1e6);
        // Text first: 0.285 * 100 is 28.499999999999996, and an instrument shows what the decimal number says.
        let nudged = scaled + scaled.signum() * scaled.abs().max(1.0) * 1e-12;
        // Not `round`: that is a call into the library, and every judgement of a value comes by here three times.
        let magnitude = nudged.abs() + 0.5;
        if magnitude.is_nan() || magnitude >= 9.0e15 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the comparison before it")]
        let whole = magnitude as i64;
        Some(Displayed(if nudged < 0.0 { whole.saturating_neg() } else { whole }))
    }
}

/// Whether a character shows as itself, where others see what somebody has written: it moves no cursor and turns no
/// direction.
#[must_use]
pub fn is_plain(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_safe_in_topics_and_file_names() {
        for good in ["t0", "bottle-room.lpg-1", "0", &"a".repeat(64)] {
            assert!(Tag::new(good).is_some(), "{good}");
        }
        for bad in ["", "A", "a/b", "a b", ".a", "-a", "a+", "#", "甲", &"a".repeat(65)] {
            assert!(Tag::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_displayed_limit_is_reached_whatever_the_binary_fraction() {
        let limit = Displayed::new(1.0, 2).unwrap();
        assert!(Displayed::new(0.999_999_94, 2).unwrap() >= limit);
        assert!(Displayed::new(0.995, 2).unwrap() >= limit);
        assert!(Displayed::new(0.994_9, 2).unwrap() < limit);
        assert_eq!(Displayed::text(0.995, 2), "1.00");
        assert_eq!(Displayed::text(-1.5, 0), "-2");
        assert_eq!(Displayed::text(f64::NAN, 2), "NaN");
        assert!(Displayed::new(-0.005, 2).unwrap() < Displayed::new(0.0, 2).unwrap());
        assert_eq!(Displayed::new(f64::NAN, 2), None);
        assert_eq!(Displayed::new(f64::INFINITY, 2), None);
        assert_eq!(Displayed::new(1e300, 2), None);
    }

    #[test]
    fn bad_hides_nothing_behind_good() {
        let bad = Quality::Bad(Fault::Stale);
        assert_eq!(Quality::Good.worse(bad), bad);
        assert_eq!(bad.worse(Quality::Good), bad);
        let over = Quality::Uncertain(Doubt::OverRange);
        assert_eq!(Quality::Uncertain(Doubt::WarmUp).worse(over), over);
    }
}
