//! Overlimit incidents: what went over a limit in an area, from the first crossing until every alarm of it is back to
//! normal, as one thing with figures.

use super::point::{Text, Unit};
use super::record::Who;
use super::time::{Span, Wall};

/// An incident so far. There is one at a time in an area: whatever goes over while it is open belongs to it. Figures
/// are kept by point, because a mean of methane and carbon monoxide means nothing.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Incident {
    /// The area's id.
    pub area: String,
    /// Which incident of this area: 1 is the first ever. With the area it names the incident.
    pub number: u32,
    /// When the first point crossed.
    pub began: Wall,
    /// When these figures were taken.
    pub at: Wall,
    /// How long it has lasted.
    pub lasted: Span,
    /// How long at least one point was over its limit.
    pub over: Span,
    /// How long, of that, a load was seen live that lies in the area or is cut by its alarms: production went on.
    pub live: Span,
    /// The points that crossed, in the order in which they did.
    pub points: Vec<OverPoint>,
    /// Points beyond [`Incident::POINTS_MAX`] that crossed too.
    pub more_points: u32,
    /// What Davy did.
    pub actions: Vec<Action>,
    /// Actions beyond [`Incident::ACTIONS_MAX`].
    pub more_actions: u32,
    /// Who acknowledged what.
    pub acknowledgements: Vec<Acknowledgement>,
    /// Acknowledgements beyond [`Incident::ACTIONS_MAX`].
    pub more_acknowledgements: u32,
}

impl Incident {
    /// Most points whose figures are kept: an area of more detectors in alarm at once is in a state where the
    /// thirty-third says nothing new.
    pub const POINTS_MAX: usize = 32;

    /// Most actions, and most acknowledgements, that are kept. The records themselves stand in the journal.
    pub const ACTIONS_MAX: usize = 64;

    /// The point that went furthest beyond its limit, measured by that limit.
    #[must_use]
    pub fn worst(&self) -> Option<&OverPoint> {
        self.points.iter().reduce(|worst, p| if p.severity() > worst.severity() { p } else { worst })
    }
}

/// The figures of one point in an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct OverPoint {
    /// The point's id.
    pub point: String,
    /// Unit of all its values.
    pub unit: Unit,
    /// The limit when it crossed: its alarm set-point, or its trip where it has no alarm.
    pub set_point: f64,
    /// Whether it is over when it is low, as oxygen.
    pub low: bool,
    /// How long after the incident's begin it crossed.
    pub after: Span,
    /// The worst value.
    pub peak: f64,
    /// When that was read first.
    pub peak_at: Wall,
    /// How long it was over the limit.
    pub over: Span,
    /// Value by time while over, in unit-minutes: with `over` it gives the mean.
    pub sum: f64,
    /// The area between curve and limit, in unit-minutes.
    pub beyond: f64,
    /// How long nobody could say, while the incident was open: neither over nor under. The time without power counts here.
    pub unseen: Span,
}

impl OverPoint {
    /// The time-weighted mean while over the limit.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let mean = self.sum / self.over.minutes();
        mean.is_finite().then_some(mean)
    }

    fn severity(&self) -> f64 {
        let ratio = if self.low { self.set_point / self.peak } else { self.peak / self.set_point };
        if ratio.is_nan() { 0.0 } else { ratio }
    }
}

/// Something that Davy did in an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The id of the trip or element.
    pub tag: String,
    /// What happened to it.
    pub what: ActionWhat,
    /// How long after the incident's begin.
    pub after: Span,
    /// When.
    pub at: Wall,
}

/// What happens to a trip or element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionWhat {
    /// A trip tripped.
    Tripped,
    /// A trip was reset.
    Reset,
    /// An element's safe state was demanded.
    Demanded,
    /// An element was seen in its safe state.
    Confirmed,
    /// An element was not seen in its safe state in time.
    Failed,
}

impl ActionWhat {
    /// Every one.
    pub const ALL: [ActionWhat; 5] = [
        ActionWhat::Tripped,
        ActionWhat::Reset,
        ActionWhat::Demanded,
        ActionWhat::Confirmed,
        ActionWhat::Failed,
    ];

    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ActionWhat::Tripped => "tripped",
            ActionWhat::Reset => "reset",
            ActionWhat::Demanded => "demanded",
            ActionWhat::Confirmed => "confirmed",
            ActionWhat::Failed => "failed",
        }
    }

    /// The one written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<ActionWhat> {
        ActionWhat::ALL.into_iter().find(|what| what.as_str() == text)
    }
}

/// Somebody acknowledged an alarm of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The alarm's key.
    pub key: String,
    /// Which occurrence of it.
    pub occurrence: u32,
    /// Who.
    pub who: Who,
    /// How long after the incident's begin.
    pub after: Span,
    /// When.
    pub at: Wall,
}

/// An incident opened, went on or closed.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentChange {
    /// Which.
    pub step: IncidentStep,
    /// The incident so far.
    pub incident: Incident,
    /// The peaks so far of the alarms that stand in it, by key: they must survive as the incident does.
    pub peaks: Vec<(String, f64)>,
    /// What this means.
    pub text: Text,
}

/// How far an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentStep {
    /// A point crossed its limit and alarms.
    Opened,
    /// It goes on, and its figures changed.
    Updated,
    /// Every alarm of it is back to normal.
    Closed,
}

impl IncidentStep {
    /// Every step.
    pub const ALL: [IncidentStep; 3] = [IncidentStep::Opened, IncidentStep::Updated, IncidentStep::Closed];

    /// As written in payloads and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            IncidentStep::Opened => "opened",
            IncidentStep::Updated => "updated",
            IncidentStep::Closed => "closed",
        }
    }

    /// The step written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<IncidentStep> {
        IncidentStep::ALL.into_iter().find(|step| step.as_str() == text)
    }
}

/// Where the incidents of an area stood.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct IncidentStanding {
    /// The number of the last one.
    pub number: u32,
    /// The last one, while it is open.
    pub open: Option<Incident>,
}
