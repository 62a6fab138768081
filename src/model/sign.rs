//! Signs that data may be false or a sensor may fail: what is looked for, by which numbers, and on what. A sign is
//! never an accusation: it sends somebody to look.

use super::point::{Doubt, Quality, Text, Unit};
use super::table::{AlarmId, ElementId, PointId};
use super::time::{Span, Wall};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sign {
    /// The same raw value for far longer than this point ever stands still.
    Frozen,
    /// The noise is gone, and a neighbour's is not: something covers the inlet.
    NoiseCollapse,
    /// A sudden drop that no neighbour saw, or one to zero or to a constant.
    Step,
    /// The value went away while it was high or rising.
    GapOnRise,
    /// Many points fell or went away at once, and not with their line.
    Together,
    /// More gas upstream than downstream.
    Airflow,
    /// The ratio to a neighbour has shifted for hours.
    Ratio,
    /// Two channels tell the same to the last digit: one sensor for two.
    Identical,
    /// A calibration in which no calibration gas was seen.
    CalibrationShape,
    /// A calibration that lasts too long.
    CalibrationLong,
    /// Too many calibrations.
    CalibrationOften,
    /// A calibration that began while the gas rose, or during which a neighbour rises.
    CalibrationOnRise,
    /// A catalytic sensor reads little after it was beyond its range.
    FoldBack,
    /// What is set in the device is not what the site file says.
    Changed,
    /// Muted, inhibited, switched off or in local operation for too long.
    Inhibited,
    /// The values of an earlier time come again.
    Replayed,
    /// The wall clock jumped.
    Clock,
    /// An output changed that Davy did not write.
    OutputLocal,
    /// The feed stays live while its cut is demanded.
    FeedLive,
    /// A feed contact never moves, or did not move when its cut was demanded.
    FeedStill,
    /// The value stands at one top just below the alarm, again and again, and is never above it.
    Clamped,
}

impl Sign {
    /// Every sign.
    pub const ALL: [Sign; 21] = [
        Sign::Frozen,
        Sign::NoiseCollapse,
        Sign::Step,
        Sign::GapOnRise,
        Sign::Together,
        Sign::Airflow,
        Sign::Ratio,
        Sign::Identical,
        Sign::CalibrationShape,
        Sign::CalibrationLong,
        Sign::CalibrationOften,
        Sign::CalibrationOnRise,
        Sign::FoldBack,
        Sign::Changed,
        Sign::Inhibited,
        Sign::Replayed,
        Sign::Clock,
        Sign::OutputLocal,
        Sign::FeedLive,
        Sign::FeedStill,
        Sign::Clamped,
    ];

    /// As written in site files, payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Sign::Frozen => "frozen",
            Sign::NoiseCollapse => "noise-collapse",
            Sign::Step => "step",
            Sign::GapOnRise => "gap-on-rise",
            Sign::Together => "together",
            Sign::Airflow => "airflow",
            Sign::Ratio => "ratio",
            Sign::Identical => "identical",
            Sign::CalibrationShape => "calibration-shape",
            Sign::CalibrationLong => "calibration-long",
            Sign::CalibrationOften => "calibration-often",
            Sign::CalibrationOnRise => "calibration-on-rise",
            Sign::FoldBack => "fold-back",
            Sign::Changed => "changed",
            Sign::Inhibited => "inhibited",
            Sign::Replayed => "replayed",
            Sign::Clock => "clock",
            Sign::OutputLocal => "output-local",
            Sign::FeedLive => "feed-live",
            Sign::FeedStill => "feed-still",
            Sign::Clamped => "clamped",
        }
    }

    /// The sign written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Sign> {
        Sign::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// The settings that it goes by, as told with it.
    #[must_use]
    pub const fn knobs(self) -> &'static [Knob] {
        match self {
            Sign::Frozen => &[Knob::FrozenMin, Knob::FrozenFactor, Knob::FrozenChanges],
            Sign::NoiseCollapse => {
                &[Knob::NoiseFraction, Knob::NoiseNeighbour, Knob::NoiseFor, Knob::NoiseShifts]
            }
            Sign::Step => &[
                Knob::StepFraction,
                Knob::StepOfAlarm,
                Knob::StepMinOfAlarm,
                Knob::StepNeighbour,
                Knob::StepHold,
                Knob::StepConstant,
            ],
            Sign::GapOnRise => &[Knob::GapOfAlarm, Knob::GapSlope],
            Sign::Together => &[Knob::TogetherPoints, Knob::TogetherShare, Knob::TogetherWindow],
            Sign::Airflow => &[Knob::AirflowOfAlarm, Knob::AirflowFor],
            Sign::Ratio => &[Knob::RatioShift, Knob::RatioFor, Knob::RatioOfAlarm],
            Sign::Identical => &[Knob::IdenticalCorrelation, Knob::IdenticalDifference, Knob::IdenticalFor],
            Sign::CalibrationShape => &[
                Knob::CalibrationGas,
                Knob::CalibrationTolerance,
                Knob::CalibrationZero,
                Knob::CalibrationPlateau,
            ],
            Sign::CalibrationLong => &[Knob::CalibrationMax],
            Sign::CalibrationOften => &[Knob::CalibrationCount, Knob::CalibrationDays],
            Sign::CalibrationOnRise => &[Knob::GapOfAlarm, Knob::GapSlope, Knob::CalibrationRise],
            Sign::FoldBack => &[Knob::FoldBackAt],
            Sign::Changed => &[Knob::ChangedFor],
            Sign::Inhibited => &[Knob::InhibitMax, Knob::LocalMax],
            Sign::Replayed => &[Knob::ReplayChunks],
            Sign::Clock => &[Knob::ClockStep],
            Sign::OutputLocal => &[Knob::OutputSettle],
            Sign::FeedLive => &[Knob::FeedDelay],
            Sign::FeedStill => &[Knob::FeedStillFor],
            Sign::Clamped => &[Knob::ClampBand, Knob::ClampTimes],
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! knobs {
    ($(#[doc = $doc:literal] $name:ident = $key:literal, $default:literal, $lo:literal ..= $hi:literal;)*) => {
        /// A number that signs go by. Times end in `_s` (seconds) or `_days`; `_of_alarm` is a share of the point's
        /// alarm set-point, so that one number serves every gas and unit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Knob { $(#[doc = $doc] $name,)* }

        impl Knob {
            /// Every knob.
            pub const ALL: &'static [Knob] = &[$(Knob::$name,)*];

            /// Its key in the site file.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Knob::$name => $key,)* }
            }

            /// What it is set to where no file says otherwise.
            #[must_use]
            pub const fn default(self) -> f64 {
                match self { $(Knob::$name => $default,)* }
            }

            /// What it is, in one sentence.
            #[must_use]
            pub const fn doc(self) -> &'static str {
                match self { $(Knob::$name => $doc.trim_ascii_start(),)* }
            }

            /// Lowest and highest value that a file may give it.
            #[must_use]
            pub const fn bounds(self) -> (f64, f64) {
                match self { $(Knob::$name => ($lo, $hi),)* }
            }
        }
    };
}

knobs! {
    /// How long a sign stands after it was last seen.
    Hold = "hold_s", 1800.0, 60.0..=86_400.0;
    /// No run of one value is frozen before this.
    FrozenMin = "frozen_min_s", 1800.0, 60.0..=604_800.0;
    /// A run this many times the longest usual one (99.9 %) is frozen.
    FrozenFactor = "frozen_factor", 3.0, 1.0..=100.0;
    /// Changes that must have been seen before a point is known to move.
    FrozenChanges = "frozen_changes", 20.0, 1.0..=10_000.0;
    /// Below this share of the usual spread of the shift the noise has collapsed.
    NoiseFraction = "noise_fraction", 0.2, 0.01..=0.9;
    /// A neighbour is live above this share of its usual spread.
    NoiseNeighbour = "noise_neighbour", 0.5, 0.01..=1.0;
    /// How long that must last.
    NoiseFor = "noise_for_s", 1800.0, 60.0..=86_400.0;
    /// Shifts of the same hours that must have been seen before their spread is known.
    NoiseShifts = "noise_shifts", 3.0, 1.0..=14.0;
    /// A drop of this share of the value within two polls is sudden.
    StepFraction = "step_fraction", 0.5, 0.05..=1.0;
    /// So is one of this share of the alarm set-point.
    StepOfAlarm = "step_of_alarm", 0.2, 0.01..=10.0;
    /// Smaller drops than this share of the alarm set-point are noise.
    StepMinOfAlarm = "step_min_of_alarm", 0.1, 0.001..=10.0;
    /// A neighbour within this share of its value has not moved.
    StepNeighbour = "step_neighbour", 0.1, 0.001..=1.0;
    /// How long the value must stay down.
    StepHold = "step_hold_s", 30.0, 1.0..=3_600.0;
    /// How long a point that moves must then stand still, where no neighbour can tell.
    StepConstant = "step_constant_s", 300.0, 10.0..=86_400.0;
    /// A gap that begins above this share of the alarm set-point began high.
    GapOfAlarm = "gap_of_alarm", 0.7, 0.01..=10.0;
    /// A rise of this share of the alarm set-point per minute is a rising flank.
    GapSlope = "gap_slope_of_alarm", 0.1, 0.001..=10.0;
    /// So many points that fall or go away at once are many.
    TogetherPoints = "together_points", 3.0, 2.0..=1_000.0;
    /// So is this share of the points of a line.
    TogetherShare = "together_share", 0.5, 0.01..=1.0;
    /// At once means within this.
    TogetherWindow = "together_window_s", 3.0, 0.1..=60.0;
    /// Upstream above downstream by this share of the alarm set-point.
    AirflowOfAlarm = "airflow_of_alarm", 0.2, 0.01..=10.0;
    /// How long that must last.
    AirflowFor = "airflow_for_s", 600.0, 60.0..=86_400.0;
    /// A shift of the usual ratio by this share.
    RatioShift = "ratio_shift", 0.3, 0.01..=10.0;
    /// How long that must last.
    RatioFor = "ratio_for_s", 28_800.0, 600.0..=604_800.0;
    /// Ratios are formed above this share of the alarm set-point only.
    RatioOfAlarm = "ratio_of_alarm", 0.1, 0.001..=10.0;
    /// Two channels above this correlation are alike.
    IdenticalCorrelation = "identical_correlation", 0.999, 0.5..=1.0;
    /// And below this mean difference, in the points' unit.
    IdenticalDifference = "identical_difference", 0.01, 0.0..=1_000.0;
    /// Over this time.
    IdenticalFor = "identical_for_s", 86_400.0, 600.0..=604_800.0;
    /// The calibration gas, in the point's unit; 0 takes any gas above half the alarm set-point.
    CalibrationGas = "calibration_gas", 0.0, 0.0..=1_000_000.0;
    /// How near to it a plateau must be.
    CalibrationTolerance = "calibration_tolerance", 0.1, 0.001..=1.0;
    /// How long zero gas must be seen.
    CalibrationZero = "calibration_zero_s", 60.0, 0.0..=3_600.0;
    /// How long calibration gas must be seen.
    CalibrationPlateau = "calibration_plateau_s", 90.0, 0.0..=3_600.0;
    /// A neighbour that has risen by this share of the alarm set-point since it began rises too.
    CalibrationRise = "calibration_rise_of_alarm", 0.2, 0.01..=10.0;
    /// Longest calibration.
    CalibrationMax = "calibration_max_s", 900.0, 60.0..=14_400.0;
    /// Most calibrations within the days below.
    CalibrationCount = "calibration_count", 2.0, 1.0..=4.0;
    /// The days in which calibrations are counted.
    CalibrationDays = "calibration_days", 15.0, 1.0..=365.0;
    /// A catalytic sensor that was at or above this is trusted after a calibration only; in %vol.
    FoldBackAt = "fold_back_at", 3.5, 0.1..=100.0;
    /// How long a setting read back must differ.
    ChangedFor = "changed_for_s", 10.0, 0.0..=3_600.0;
    /// Longest mute, inhibit or switching off.
    InhibitMax = "inhibit_max_s", 1_800.0, 1.0..=604_800.0;
    /// Longest local operation.
    LocalMax = "local_max_s", 28_800.0, 1.0..=604_800.0;
    /// So many stretches of values in a row that were seen before are a replay.
    ReplayChunks = "replay_chunks", 2.0, 1.0..=16.0;
    /// The wall clock jumped when it leaves the steady clock by more than this.
    ClockStep = "clock_step_s", 5.0, 0.5..=3_600.0;
    /// How long an output may differ from what was written.
    OutputSettle = "output_settle_s", 5.0, 0.1..=600.0;
    /// A feed must be dead this long after its cut is demanded.
    FeedDelay = "feed_delay_s", 5.0, 0.1..=600.0;
    /// A feed contact that has not moved for so long is still.
    FeedStillFor = "feed_still_days", 30.0, 1.0..=365.0;
    /// Within this share of the alarm set-point below it, a top is just below the alarm.
    ClampBand = "clamp_band_of_alarm", 0.02, 0.001..=0.5;
    /// So many times within a week at the same top are too many.
    ClampTimes = "clamp_times", 5.0, 2.0..=200.0;
}

/// A value for each knob.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings(Vec<f64>);

impl Default for Settings {
    fn default() -> Self {
        Settings(Knob::ALL.iter().map(|k| k.default()).collect())
    }
}

impl Settings {
    /// What `knob` is set to.
    #[must_use]
    pub fn get(&self, knob: Knob) -> f64 {
        self.0.get(knob as usize).copied().unwrap_or_else(|| knob.default())
    }

    /// A number of seconds (or, for `_days`, days) as a span.
    #[must_use]
    pub fn span(&self, knob: Knob) -> Span {
        let unit = if knob.key().ends_with("_days") { 86_400_000.0 } else { 1_000.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded, saturates")]
        Span::from_ms((self.get(knob) * unit) as u64)
    }

    /// Sets `knob`.
    pub fn set(&mut self, knob: Knob, value: f64) {
        if let Some(place) = self.0.get_mut(knob as usize) {
            *place = value;
        }
    }
}

/// What the signs are looked for on. Only what is named here is watched.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Watched {
    /// What goes for the whole site.
    pub settings: Arc<Settings>,
    /// Points. Shared with the judge, which keeps each beside what it sees of that point.
    pub points: BTreeMap<PointId, Arc<WatchedPoint>>,
    /// Elements, each with its alarm.
    pub elements: BTreeMap<ElementId, AlarmId>,
}

/// A point that is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchedPoint {
    /// The alarm that any sign on it raises: one for all.
    pub alarm: AlarmId,
    /// The numbers that go for it.
    pub settings: Arc<Settings>,
    /// Signs that the site does not look for here.
    pub off: Vec<Sign>,
    /// Its alarm set-point; `None` turns off what is measured by it.
    pub scale: Option<f64>,
    /// Whether its sensor is catalytic: folds back when there is too much gas.
    pub catalytic: bool,
    /// What it is to read always: it mirrors something that is set in the device.
    pub expects: Option<f64>,
    /// Whether it is to read always what it read first: it tells which device this is.
    pub lasting: bool,
    /// What it tells of its device, where it is a contact.
    pub tells: Option<Tells>,
    /// Who measures the same air.
    pub neighbours: Vec<Neighbour>,
}

impl WatchedPoint {
    /// Most neighbours of one point; a sign asks each of them.
    pub const MAX_NEIGHBOURS: usize = 8;
}

/// Another point that measures the same air.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Which point.
    pub point: PointId,
    /// Where it is.
    pub side: Side,
    /// How long the air takes between the two.
    pub lag: Span,
}

/// Where a neighbour is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// In the same room; the air comes from nowhere in particular.
    Beside,
    /// The air comes from there.
    Upstream,
    /// The air goes there.
    Downstream,
    /// The air goes there, and fresh air joins on the way: it may hold less.
    Diluted,
}

/// What a contact tells of its device when it is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// The alarm or output is inhibited.
    Inhibit,
    /// It is being calibrated.
    Calibration,
    /// The sounder is muted.
    Mute,
    /// The supply is off.
    PowerOff,
    /// Operated by hand on the spot.
    Local,
}

impl Tells {
    /// All of them.
    pub const ALL: [Tells; 5] =
        [Tells::Inhibit, Tells::Calibration, Tells::Mute, Tells::PowerOff, Tells::Local];

    /// As written in site files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Tells::Inhibit => "inhibit",
            Tells::Calibration => "calibration",
            Tells::Mute => "mute",
            Tells::PowerOff => "power-off",
            Tells::Local => "local",
        }
    }

    /// What a value that the contact is about is no better than meanwhile; `None` where it says nothing of values.
    #[must_use]
    pub const fn doubt(self) -> Option<Doubt> {
        match self {
            Tells::Inhibit => Some(Doubt::Inhibited),
            Tells::Calibration => Some(Doubt::Calibrating),
            Tells::Mute | Tells::PowerOff | Tells::Local => None,
        }
    }

    /// The one written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Tells> {
        Tells::ALL.into_iter().find(|t| t.as_str() == text)
    }
}

impl Watched {
    /// The alarms that signs raise.
    pub fn alarms(&self) -> impl Iterator<Item = AlarmId> {
        self.points.values().map(|p| p.alarm).chain(self.elements.values().copied())
    }
}

/// A sign was seen, or is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Anomaly {
    /// Which sign.
    pub sign: Sign,
    /// The id of the point or element, or the gateway's.
    pub key: String,
    /// The area's id; empty for the gateway.
    pub area: String,
    /// Seen (true) or over (false).
    pub raised: bool,
    /// How far beyond its limit: 1 is just there. Where nothing is measured it is 1.
    pub score: f64,
    /// Begin of the evidence.
    pub from: Wall,
    /// End of the evidence.
    pub to: Wall,
    /// Unit of the values.
    pub unit: Unit,
    /// Values of the evidence, thinned to at most [`Anomaly::MAX_VALUES`].
    pub values: Vec<(Wall, f64)>,
    /// What neighbours read at its end: id, value, quality.
    pub neighbours: Vec<(String, Option<f64>, Quality)>,
    /// The settings that it was judged by.
    pub parameters: Vec<(&'static str, f64)>,
    /// What was seen.
    pub text: Text,
}

impl Anomaly {
    /// Most values told with a sign.
    pub const MAX_VALUES: usize = 32;

    /// Most neighbours told with a sign.
    pub const MAX_NEIGHBOURS: usize = 8;
}

/// A calibration by order began or ended.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationChange {
    /// The point's id.
    pub point: String,
    /// The area's id.
    pub area: String,
    /// Begun (true) or ended (false).
    pub begun: bool,
    /// How long it may take.
    pub planned: Span,
    /// What is left of that. It is told anew where the wall clock is set back: it gets no longer by that.
    pub remaining: Span,
    /// The person; `None` where its time ran out, or is told anew.
    pub by: Option<String>,
    /// What happened.
    pub text: Text,
}
