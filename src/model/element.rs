//! Elements: what Davy can bring into its safe state.

/// What is wanted of an element. There is no `Open` and no `Close`: the worst wrong act that can be expressed is a
/// false trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Demand {
    /// Nothing is asked for.
    #[default]
    None,
    /// The safe state is asked for: valve closed, power cut, siren on.
    Trip,
}

/// What kind of element it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementKind {
    /// An emergency shut-off valve; safe is closed. Opened by hand on site only.
    Valve,
    /// A load's breaker or feed switch; safe is dead. Lifting the demand permits re-powering by hand.
    Load,
    /// A siren, beacon or fan that is switched on; safe is on.
    Siren,
    /// A lock against starting, as of a local fan; safe is locked. Never locks for a device's fault.
    Lock,
}

impl ElementKind {
    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ElementKind::Valve => "valve",
            ElementKind::Load => "load",
            ElementKind::Siren => "siren",
            ElementKind::Lock => "lock",
        }
    }
}

/// What a device says of the drive of its output, apart from the contacts of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shows {
    /// It moves.
    Moving,
    /// It moves toward its safe end.
    Closing,
    /// How far it is from its safe end, of its whole travel.
    Position,
    /// It was to move and did not.
    Jammed,
    /// Somebody moves it by its hand wheel.
    ByHand,
    /// It obeys only who stands beside it.
    Local,
    /// It obeys from afar.
    Remote,
}

impl Shows {
    /// All of them.
    pub const ALL: [Shows; 7] = [
        Shows::Moving,
        Shows::Closing,
        Shows::Position,
        Shows::Jammed,
        Shows::ByHand,
        Shows::Local,
        Shows::Remote,
    ];

    /// As written in profiles.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Shows::Moving => "moving",
            Shows::Closing => "closing",
            Shows::Position => "position",
            Shows::Jammed => "jammed",
            Shows::ByHand => "by-hand",
            Shows::Local => "local",
            Shows::Remote => "remote",
        }
    }

    /// The one written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Shows> {
        Shows::ALL.into_iter().find(|shows| shows.as_str() == text)
    }
}

/// Whether Davy may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Says what it would write, writes nothing.
    #[default]
    Observe,
    /// Writes.
    Act,
}

impl Mode {
    /// As written in site files and payloads.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Observe => "observe",
            Mode::Act => "act",
        }
    }
}

/// Where an element is, by its feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Position {
    /// No feedback, or none that can be trusted.
    #[default]
    Unknown,
    /// In the safe state: closed, dead.
    Safe,
    /// Not in the safe state: open, live.
    Unsafe,
    /// Between its limits, and nobody saw which one it left.
    Travelling,
    /// Both limits at once: a limit switch lies.
    Conflict,
    /// Between its limits, on its way to the safe state.
    Closing,
    /// Between its limits, on its way out of the safe state.
    Opening,
}

impl Position {
    /// Every position.
    pub const ALL: [Position; 7] = [
        Position::Unknown,
        Position::Safe,
        Position::Unsafe,
        Position::Travelling,
        Position::Conflict,
        Position::Closing,
        Position::Opening,
    ];

    /// Whether neither limit is reached.
    #[must_use]
    pub const fn is_between(self) -> bool {
        matches!(self, Position::Travelling | Position::Closing | Position::Opening)
    }

    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Position::Unknown => "unknown",
            Position::Safe => "safe",
            Position::Unsafe => "unsafe",
            Position::Travelling => "travelling",
            Position::Conflict => "conflict",
            Position::Closing => "closing",
            Position::Opening => "opening",
        }
    }
}

/// How far a demand has come.
///
/// ```text
///            demand                write read back         feedback safe
///  Idle ───────────────▶ Demanded ─────────────▶ Commanded ─────────────▶ Confirmed
///   ▲                        │ nothing within the time limit │                │ feedback leaves safe
///   │                        └──────────▶ Failed ◀───────────┴────────────────┘
///   └────── demand lifted (from any) ────────┘      Failed ─▶ Confirmed when the feedback says so after all
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Phase {
    /// No demand stands.
    #[default]
    Idle,
    /// A demand stands, and no write has been read back yet.
    Demanded,
    /// The write was read back; the feedback has not confirmed yet.
    Commanded,
    /// The feedback says safe (or, for an element without feedback, the write was read back).
    Confirmed,
    /// Not confirmed within the element's time limit. Davy goes on trying.
    Failed,
}

impl Phase {
    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::Demanded => "demanded",
            Phase::Commanded => "commanded",
            Phase::Confirmed => "confirmed",
            Phase::Failed => "failed",
        }
    }

    /// The phase written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Phase> {
        [Phase::Idle, Phase::Demanded, Phase::Commanded, Phase::Confirmed, Phase::Failed]
            .into_iter()
            .find(|p| p.as_str() == text)
    }
}

/// What a proof test does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestKind {
    /// One element all the way into its safe state.
    Full,
    /// A valve off its open limit, and let go at once.
    Partial,
    /// Everything that a trip acts on, all the way.
    Interlock,
    /// Nobody's test: a real demand that moved one element all the way in its time, and was measured as a test would be.
    Demand,
}

impl TestKind {
    /// Every kind.
    pub const ALL: [TestKind; 4] = [TestKind::Full, TestKind::Partial, TestKind::Interlock, TestKind::Demand];

    /// Those that a person can order.
    pub const ORDERED: [TestKind; 3] = [TestKind::Full, TestKind::Partial, TestKind::Interlock];

    /// As typed, and as written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TestKind::Full => "full",
            TestKind::Partial => "partial",
            TestKind::Interlock => "interlock",
            TestKind::Demand => "demand",
        }
    }

    /// Whether an element that passes one is proven to reach its safe state. A partial stroke proves that it moves.
    #[must_use]
    pub const fn proves(self) -> bool {
        match self {
            TestKind::Full | TestKind::Interlock | TestKind::Demand => true,
            TestKind::Partial => false,
        }
    }

    /// The kind written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<TestKind> {
        TestKind::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// How a proof test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestResult {
    /// Everything moved as it should, in its time.
    Passed,
    /// Something did not.
    Failed,
    /// Something came in between: a real demand, a new site file, a restart.
    Aborted,
}

impl TestResult {
    /// Every result.
    pub const ALL: [TestResult; 3] = [TestResult::Passed, TestResult::Failed, TestResult::Aborted];

    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TestResult::Passed => "passed",
            TestResult::Failed => "failed",
            TestResult::Aborted => "aborted",
        }
    }
}
