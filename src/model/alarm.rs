//! The nouns of alarm management (ISA-18.2 / IEC 62682).

use super::time::Wall;
use std::fmt;

/// The three levels of a set-point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Under the legal alarm: look at it.
    Warning,
    /// The legal alarm; at gas-using sites level 1.
    Alarm,
    /// The limit at which power is cut or a valve shut; at gas-using sites level 2.
    Trip,
}

/// What an alarm watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// At or above a set-point.
    High(Level),
    /// At or below a set-point.
    Low(Level),
    /// A contact in its alarm position.
    Contact(Level),
    /// The reading is bad for a reason other than lost communication.
    SensorFault,
    /// The reading is above the sensor's range.
    OverRange,
    /// A device does not answer.
    CommLost,
    /// An element was commanded and is not in its safe state within its time limit.
    NotConfirmed,
    /// The value rises faster than so much a minute.
    Rising,
    /// The value rises so that it reaches its alarm set-point within so many minutes.
    Forecast,
    /// Two points that measure the same differ by more than so much.
    Deviation,
    /// A value that must be what the site file says is another: a set-point or an identity was changed at the device.
    Differs,
    /// A device that was answering is no longer asked in time: the line is starved.
    Stale,
    /// A device is past its calibration date.
    CalibrationDue,
    /// At or above the value at which something is locked, as a fan in gas that it must not stir.
    Lock,
    /// A cause is bypassed: it does not vote.
    BypassActive,
    /// A sign that its data may be false or that it may fail.
    Anomaly,
    /// An element moved, and nobody here commanded it.
    MovedUncommanded,
    /// An element's limit switches contradict one another, or it stands between them.
    FeedbackConflict,
    /// A load was cut and its feed sensor says that it is live. The cut did not work.
    FeedLive,
    /// An element took longer than its commissioned time allows.
    SlowTravel,
    /// An element was let go and has not left its safe state in the time that the site expects.
    FailedToOpen,
    /// Gas rises behind a valve that is confirmed closed: it leaks, or it is the wrong valve.
    LeakThrough,
    /// An element failed its last proof test.
    ProofTestFailed,
    /// An element's proof test is overdue, or nobody knows of one.
    ProofTestDue,
}

impl Condition {
    /// Every condition.
    pub const ALL: [Condition; 30] = [
        Condition::High(Level::Warning),
        Condition::High(Level::Alarm),
        Condition::High(Level::Trip),
        Condition::Low(Level::Warning),
        Condition::Low(Level::Alarm),
        Condition::Low(Level::Trip),
        Condition::Contact(Level::Warning),
        Condition::Contact(Level::Alarm),
        Condition::Contact(Level::Trip),
        Condition::SensorFault,
        Condition::OverRange,
        Condition::CommLost,
        Condition::NotConfirmed,
        Condition::Rising,
        Condition::Forecast,
        Condition::Deviation,
        Condition::Differs,
        Condition::Stale,
        Condition::CalibrationDue,
        Condition::Lock,
        Condition::BypassActive,
        Condition::Anomaly,
        Condition::MovedUncommanded,
        Condition::FeedbackConflict,
        Condition::FeedLive,
        Condition::SlowTravel,
        Condition::FailedToOpen,
        Condition::LeakThrough,
        Condition::ProofTestFailed,
        Condition::ProofTestDue,
    ];

    /// The second half of an alarm's key, behind the tag and a colon.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Condition::High(Level::Warning) => "warning",
            Condition::High(Level::Alarm) => "alarm",
            Condition::High(Level::Trip) => "trip",
            Condition::Low(Level::Warning) => "low-warning",
            Condition::Low(Level::Alarm) => "low-alarm",
            Condition::Low(Level::Trip) => "low-trip",
            Condition::Contact(Level::Warning) => "contact-warning",
            Condition::Contact(Level::Alarm) => "contact-alarm",
            Condition::Contact(Level::Trip) => "contact-trip",
            Condition::SensorFault => "sensor-fault",
            Condition::OverRange => "over-range",
            Condition::CommLost => "comm-lost",
            Condition::NotConfirmed => "not-confirmed",
            Condition::Rising => "rising",
            Condition::Forecast => "forecast",
            Condition::Deviation => "deviation",
            Condition::Differs => "differs",
            Condition::Stale => "stale",
            Condition::CalibrationDue => "calibration-due",
            Condition::Lock => "lock",
            Condition::BypassActive => "bypass-active",
            Condition::Anomaly => "anomaly",
            Condition::MovedUncommanded => "moved-uncommanded",
            Condition::FeedbackConflict => "feedback-conflict",
            Condition::FeedLive => "feed-live",
            Condition::SlowTravel => "slow-travel",
            Condition::FailedToOpen => "failed-to-open",
            Condition::LeakThrough => "leak-through",
            Condition::ProofTestFailed => "proof-test-failed",
            Condition::ProofTestDue => "proof-test-due",
        }
    }

    /// The condition written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Condition> {
        Condition::ALL.into_iter().find(|c| c.as_str() == text)
    }
}

/// What tells whether a condition of a point holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Its value: danger is at or above the set-point.
    Above,
    /// Its value: danger is at or below the set-point.
    Below,
    /// The position of its contact.
    Contact,
    /// Its value: it must be what the site file says.
    Expected,
    /// Whether its sensor works.
    Sensor,
    /// Whether its value is within the sensor's range.
    Range,
    /// More than one reading of it.
    More,
}

impl Condition {
    /// What tells whether it holds.
    #[must_use]
    pub const fn basis(self) -> Basis {
        match self {
            Condition::High(_) | Condition::Lock => Basis::Above,
            Condition::Low(_) => Basis::Below,
            Condition::Contact(_) => Basis::Contact,
            Condition::Differs => Basis::Expected,
            Condition::SensorFault => Basis::Sensor,
            Condition::OverRange => Basis::Range,
            Condition::CommLost
            | Condition::NotConfirmed
            | Condition::Rising
            | Condition::Forecast
            | Condition::Deviation
            | Condition::Stale
            | Condition::CalibrationDue
            | Condition::BypassActive
            | Condition::Anomaly
            | Condition::MovedUncommanded
            | Condition::FeedbackConflict
            | Condition::FeedLive
            | Condition::SlowTravel
            | Condition::FailedToOpen
            | Condition::LeakThrough
            | Condition::ProofTestFailed
            | Condition::ProofTestDue => Basis::More,
        }
    }

    /// The level of its set-point or contact, where it has one.
    #[must_use]
    pub const fn level(self) -> Option<Level> {
        if let Condition::High(level) | Condition::Low(level) | Condition::Contact(level) = self {
            Some(level)
        } else {
            None
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The four colours of the risk map, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colour {
    /// 红: major.
    Red,
    /// 橙: serious.
    Orange,
    /// 黄: general.
    Yellow,
    /// 蓝: low.
    Blue,
}

impl Colour {
    /// All four, worst first.
    pub const ALL: [Colour; 4] = [Colour::Red, Colour::Orange, Colour::Yellow, Colour::Blue];

    /// The next worse one; red stays red.
    #[must_use]
    pub const fn worse(self) -> Colour {
        match self {
            Colour::Red | Colour::Orange => Colour::Red,
            Colour::Yellow => Colour::Orange,
            Colour::Blue => Colour::Yellow,
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Colour::Red => ("红", "red"),
            Colour::Orange => ("橙", "orange"),
            Colour::Yellow => ("黄", "yellow"),
            Colour::Blue => ("蓝", "blue"),
        }
    }

    /// The colour written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Colour> {
        Colour::ALL.into_iter().find(|colour| colour.as_str() == text)
    }

    /// As written in site files, payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Colour::Red => "red",
            Colour::Orange => "orange",
            Colour::Yellow => "yellow",
            Colour::Blue => "blue",
        }
    }
}

/// The state of an alarm.
///
/// ```text
///                 occur                     acknowledge
///  Normal ────────────────▶ Unacknowledged ─────────────▶ Acknowledged
///    ▲  ▲                      │        ▲                   │      │
///    │  │ acknowledge    clear │        │ occur       clear │      │ clear (latching)
///    │  └── ReturnedUnack. ◀───┤        │    Normal ◀───────┘      ▼
///    │       (not latching)    └▶ LatchedUnacknowledged ──ack──▶ LatchedAcknowledged
///    └───────────────────────────────────── reset ──────────────────────┘
/// ```
///
/// What nobody acknowledges is escalated after a while, held or not; that is no other state.
///
/// Acknowledging never resets; a reset is refused while the condition holds. Any alarm may be set aside (shelved,
/// suppressed by design, out of service): its life goes on underneath and its occurrences are recorded, but it is not
/// announced. When that ends, a condition that holds is announced as if it were new, acknowledged before or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AlarmState {
    /// A: no condition, nothing to acknowledge.
    #[default]
    Normal,
    /// B: condition true, not acknowledged.
    Unacknowledged,
    /// C: condition true, acknowledged.
    Acknowledged,
    /// D: condition gone, not acknowledged.
    ReturnedUnacknowledged,
    /// E: condition gone, held, not acknowledged.
    LatchedUnacknowledged,
    /// F: condition gone, held until a person resets it.
    LatchedAcknowledged,
    /// G: set aside by an operator for a while.
    Shelved,
    /// H: set aside by design, while another alarm says it already.
    Suppressed,
    /// I: set aside for maintenance.
    OutOfService,
}

impl AlarmState {
    /// Every state.
    pub const ALL: [AlarmState; 9] = [
        AlarmState::Normal,
        AlarmState::Unacknowledged,
        AlarmState::Acknowledged,
        AlarmState::ReturnedUnacknowledged,
        AlarmState::LatchedUnacknowledged,
        AlarmState::LatchedAcknowledged,
        AlarmState::Shelved,
        AlarmState::Suppressed,
        AlarmState::OutOfService,
    ];

    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            AlarmState::Normal => "normal",
            AlarmState::Unacknowledged => "unacknowledged",
            AlarmState::Acknowledged => "acknowledged",
            AlarmState::ReturnedUnacknowledged => "returned-unacknowledged",
            AlarmState::LatchedUnacknowledged => "latched-unacknowledged",
            AlarmState::LatchedAcknowledged => "latched-acknowledged",
            AlarmState::Shelved => "shelved",
            AlarmState::Suppressed => "suppressed",
            AlarmState::OutOfService => "out-of-service",
        }
    }

    /// The state written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<AlarmState> {
        AlarmState::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Whether the condition holds. Of an alarm that is set aside its state does not tell.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, AlarmState::Unacknowledged | AlarmState::Acknowledged)
    }

    /// Whether somebody still has to acknowledge.
    #[must_use]
    pub const fn wants_acknowledgement(self) -> bool {
        matches!(
            self,
            AlarmState::Unacknowledged
                | AlarmState::ReturnedUnacknowledged
                | AlarmState::LatchedUnacknowledged
        )
    }
}

/// How and why an alarm is set aside. Votes and trips do not heed it: it silences people, never the protection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// How.
    pub how: AsideHow,
    /// When it ends by itself; `None` for what a person or the logic ends.
    pub until: Option<Wall>,
    /// For how many minutes at most: a clock that is set back does not prolong it.
    pub minutes: Option<u32>,
    /// Who did it; for suppression the key of the alarm that says it already.
    pub by: String,
    /// The second person, where two were needed.
    pub second: Option<String>,
    /// Why.
    pub reason: String,
    /// How often this alarm was set aside by people so far.
    pub count: u32,
}

/// The three ways in which an alarm is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsideHow {
    /// By an operator, for a bounded time.
    Shelved,
    /// By design.
    Suppressed,
    /// For maintenance.
    OutOfService,
}

impl AsideHow {
    /// All three.
    pub const ALL: [AsideHow; 3] = [AsideHow::Shelved, AsideHow::Suppressed, AsideHow::OutOfService];

    /// The state that an alarm so set aside shows.
    #[must_use]
    pub const fn state(self) -> AlarmState {
        match self {
            AsideHow::Shelved => AlarmState::Shelved,
            AsideHow::Suppressed => AlarmState::Suppressed,
            AsideHow::OutOfService => AlarmState::OutOfService,
        }
    }

    /// The way written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<AsideHow> {
        AsideHow::ALL.into_iter().find(|how| how.state().as_str() == text)
    }
}

/// What moved an alarm to another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmCause {
    /// The condition became true.
    Occurred,
    /// The condition went away.
    Cleared,
    /// A person acknowledged.
    Acknowledged,
    /// A person reset.
    Reset,
    /// The site file no longer has this alarm.
    Removed,
    /// A person, or the design, set it aside.
    SetAside,
    /// A person, or the design, took that back.
    TakenBack,
    /// The time for which it was set aside is over.
    Expired,
    /// Nobody acknowledged in time: it counts as one colour worse until somebody does.
    Escalated,
    /// Acknowledged long ago, and its condition still holds: it is announced anew.
    Reannounced,
}

impl AlarmCause {
    /// Every cause.
    pub const ALL: [AlarmCause; 10] = [
        AlarmCause::Occurred,
        AlarmCause::Cleared,
        AlarmCause::Acknowledged,
        AlarmCause::Reset,
        AlarmCause::Removed,
        AlarmCause::SetAside,
        AlarmCause::TakenBack,
        AlarmCause::Expired,
        AlarmCause::Escalated,
        AlarmCause::Reannounced,
    ];

    /// Whether an alarm that comes to `state` by this is announced as something new. One that is held unacknowledged goes
    /// on as it was: that its gas has gone says to nobody that somebody has heard it.
    #[must_use]
    pub fn is_announced_anew(self, state: AlarmState) -> bool {
        self != AlarmCause::Escalated
            && (self, state) != (AlarmCause::Cleared, AlarmState::LatchedUnacknowledged)
    }

    /// Whether an alarm is escalated after this has brought it to `state`.
    #[must_use]
    pub fn leaves_escalated(self, state: AlarmState, was: bool) -> bool {
        self == AlarmCause::Escalated || was && !self.is_announced_anew(state)
    }

    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            AlarmCause::Occurred => "occurred",
            AlarmCause::Cleared => "cleared",
            AlarmCause::Acknowledged => "acknowledged",
            AlarmCause::Reset => "reset",
            AlarmCause::Removed => "removed",
            AlarmCause::SetAside => "set-aside",
            AlarmCause::TakenBack => "taken-back",
            AlarmCause::Expired => "expired",
            AlarmCause::Escalated => "escalated",
            AlarmCause::Reannounced => "reannounced",
        }
    }

    /// The cause written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<AlarmCause> {
        AlarmCause::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}
