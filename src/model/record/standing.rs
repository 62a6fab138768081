//! What must survive a restart, and how records fold to it.

use super::{Body, BypassStep, Record, Who};
use crate::model::alarm::{AlarmCause, AlarmState, Aside, Colour};
use crate::model::element::{Demand, TestKind};
use crate::model::incident::{IncidentChange, IncidentStanding, IncidentStep};
use crate::model::permit::{Permit, PermitStep};
use crate::model::sign::{CalibrationChange, Sign};
use crate::model::time::{Span, Wall};
use std::collections::{BTreeMap, BTreeSet};

/// What must survive a restart: the state of every alarm and trip, folded out of the journal.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Standing {
    /// By alarm key.
    pub alarms: BTreeMap<String, AlarmStanding>,
    /// By trip id.
    pub trips: BTreeMap<String, TripStanding>,
    /// Bypasses that stand, by the cause's key.
    pub bypasses: BTreeMap<String, BypassStanding>,
    /// By the cause's key: the bypasses of the last day that are over.
    pub bypassed: BTreeMap<String, BypassedStanding>,
    /// Signs that stand, by the id of what they are on and by sign: since when.
    pub signs: BTreeMap<(String, Sign), Wall>,
    /// Calibrations by point's id.
    pub calibrations: BTreeMap<String, CalibrationStanding>,
    /// Elements under demand that failed, so that their backup is demanded too.
    pub failed: BTreeSet<String>,
    /// Elements that trips have demanded, each with these trips, until nothing is demanded of it any more.
    pub demanded: BTreeMap<String, Vec<String>>,
    /// By area id: its incidents.
    pub incidents: BTreeMap<String, IncidentStanding>,
    /// By area id: the colour that was told last.
    pub grades: BTreeMap<String, Colour>,
    /// By key: the permits that run.
    pub permits: BTreeMap<String, Permit>,
    /// By element id: when it was last proven to reach its safe state.
    pub proven: BTreeMap<String, Wall>,
    /// The proof test that goes on.
    pub test: Option<TestStanding>,
    /// By point id: who its device said last that it is.
    pub identities: BTreeMap<String, f64>,
}

/// A proof test that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestStanding {
    /// The element's or trip's id.
    pub target: String,
    /// The area's id.
    pub area: String,
    /// What is done.
    pub kind: TestKind,
    /// When it began.
    pub since: Wall,
    /// Who ordered it.
    pub who: Who,
}

/// A bypass that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BypassStanding {
    /// When it began.
    pub since: Wall,
    /// When it ends by the wall clock.
    pub until: Wall,
    /// What was left of it when it was last told: it never gets longer than that.
    pub remaining: Span,
    /// Whether its end was announced.
    pub warned: bool,
    /// Why it was bypassed.
    pub reason: String,
    /// Who bypassed it.
    pub by: Who,
    /// The second person who stood for it.
    pub second: Option<String>,
}

/// The bypasses of a cause that are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BypassedStanding {
    /// When the first of them began.
    pub since: Wall,
    /// When the last of them ended.
    pub ended: Wall,
    /// How long they lasted together.
    pub spent: Span,
}

impl BypassedStanding {
    /// They are counted for so long from the first one on.
    pub const DAY: Span = Span::from_secs(86_400);

    /// Takes in one that ended now, after it lasted for `spent`; those of other days are forgotten.
    pub fn note(
        all: &mut BTreeMap<String, BypassedStanding>,
        cause: &str,
        since: Wall,
        ended: Wall,
        spent: Span,
    ) {
        all.retain(|_, was| was.counts(ended));
        let was = all.entry(cause.to_owned()).or_insert(BypassedStanding { since, ended, spent: Span::ZERO });
        (was.ended, was.spent) = (ended, was.spent + spent);
    }

    /// Whether they still count.
    #[must_use]
    pub fn counts(&self, now: Wall) -> bool {
        now.since(self.since) < BypassedStanding::DAY
    }
}

/// The calibrations of a point.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CalibrationStanding {
    /// The planned time of the one that goes on: what was left of it when that was last told, at the last of `begun`. Zero
    /// where nobody ordered it.
    pub planned: Option<Span>,
    /// When the last ones began, oldest first.
    pub begun: Vec<Wall>,
}

impl CalibrationStanding {
    /// Most begins that are remembered.
    pub const MAX_BEGUN: usize = 5;

    /// Takes in a begin or an end.
    pub fn apply(&mut self, at: Wall, change: &CalibrationChange) {
        let again = self.planned.is_some();
        self.planned = change.begun.then_some(change.remaining);
        if change.begun {
            CalibrationStanding::begin(&mut self.begun, at, again);
        }
    }

    /// One more begins. `again` where one went on: a person says what the device has said before, and it is one.
    pub fn begin(begun: &mut Vec<Wall>, at: Wall, again: bool) {
        if again {
            begun.pop();
        }
        begun.push(at);
        let spare = begun.len().saturating_sub(CalibrationStanding::MAX_BEGUN);
        begun.drain(..spare);
    }
}

/// Where an alarm stood.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlarmStanding {
    /// Its last occurrence.
    pub occurrence: u32,
    /// Its last state, under what sets it aside.
    pub state: AlarmState,
    /// When it came into this state.
    pub since: Wall,
    /// How and why it was set aside.
    pub aside: Option<Aside>,
    /// When it last occurred.
    pub occurred: Wall,
    /// Since when it has been announced as it is: its escalation counts from here.
    pub announced: Wall,
    /// Nobody acknowledged it in time.
    pub escalated: bool,
    /// The worst value of that occurrence, as far as it was told.
    pub peak: Option<f64>,
}

/// Where a trip stood.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TripStanding {
    /// Its last occurrence.
    pub occurrence: u32,
    /// Whether it is tripped.
    pub tripped: bool,
    /// The cause that was true first.
    pub first_out: Option<String>,
}

impl Standing {
    /// Takes in what `record` changes.
    pub fn apply(&mut self, record: &Record) {
        match &record.body {
            Body::Alarm(a) => {
                let (state, aside) = match &a.aside {
                    Some((aside, under)) => (*under, Some(aside.clone())),
                    None => (a.to, None),
                };
                let (at, is_new) = (record.at.wall, a.cause == AlarmCause::Occurred);
                let standing = self.alarms.entry(a.key.clone()).or_default();
                let occurred = if is_new { at } else { standing.occurred };
                // Louder is no other state.
                let since = if a.cause == AlarmCause::Escalated { standing.since } else { at };
                let announced = if a.cause.is_announced_anew(state) { at } else { standing.announced };
                let escalated = a.cause.leaves_escalated(state, standing.escalated);
                let peak = a.peak.filter(|peak| peak.is_finite());
                *standing = AlarmStanding {
                    occurrence: a.occurrence,
                    state,
                    since,
                    aside,
                    occurred,
                    announced,
                    escalated,
                    peak,
                };
            }
            Body::Trip(t) => {
                let standing = TripStanding {
                    occurrence: t.occurrence,
                    tripped: t.tripped,
                    first_out: t.first_out.clone(),
                };
                self.trips.insert(t.tag.clone(), standing);
            }
            Body::Bypass(b) if b.step.goes_on() => {
                let warned = b.step == BypassStep::Warned
                    || self.bypasses.get(&b.cause).is_some_and(|was| was.warned)
                        && b.step != BypassStep::Started;
                let standing = BypassStanding {
                    since: b.since,
                    until: b.until,
                    remaining: b.remaining,
                    warned,
                    reason: b.reason.clone(),
                    by: b.by.clone(),
                    second: b.second.clone(),
                };
                self.bypasses.insert(b.cause.clone(), standing);
            }
            Body::Bypass(b) => {
                self.bypasses.remove(&b.cause);
                BypassedStanding::note(&mut self.bypassed, &b.cause, b.since, record.at.wall, b.lasted());
            }
            Body::Anomaly(a) if a.raised => {
                self.signs.insert((a.key.clone(), a.sign), record.at.wall);
            }
            Body::Anomaly(a) => drop(self.signs.remove(&(a.key.clone(), a.sign))),
            Body::Calibration(c) => {
                self.calibrations.entry(c.point.clone()).or_default().apply(record.at.wall, c);
            }
            Body::Element(e) => self.apply_element(&e.tag, e.demand, &e.trips, e.backup.is_some()),
            Body::Incident(change) => self.apply_incident(change),
            Body::Grade(change) => {
                self.grades.insert(change.area.clone(), change.grade.colour);
            }
            Body::Permit(change) => match change.step {
                PermitStep::Started => {
                    self.permits.insert(change.permit.key(), change.permit.clone());
                }
                PermitStep::Ended | PermitStep::Expired => {
                    self.permits.remove(&change.permit.key());
                }
            },
            Body::Started(_)
            | Body::Ended { .. }
            | Body::Config(_)
            | Body::Command(_)
            | Body::Trouble(_)
            | Body::Gap(_)
            | Body::Nuisance(_)
            | Body::AlarmRates(_)
            | Body::Write(_) => {}
            Body::Identity(seen) => drop(self.identities.insert(seen.point.clone(), seen.value)),
            Body::ProofTestBegun(b) => {
                let (target, area, who) = (b.target.clone(), b.area.clone(), b.who.clone());
                self.test = Some(TestStanding { target, area, kind: b.kind, since: record.at.wall, who });
            }
            Body::ProofTest(done) => {
                if done.kind != TestKind::Demand {
                    self.test = None;
                }
                let proven = done.proven().map(|tag| (tag.to_owned(), record.at.wall));
                self.proven.extend(proven);
            }
        }
    }

    /// Takes in what is demanded of an element, by which trips, and whether its backup stands in for it. A demand that no
    /// trip knows of any more goes on until nothing is demanded.
    pub fn apply_element(&mut self, tag: &str, demand: Demand, trips: &[String], backed_up: bool) {
        if demand == Demand::Trip && backed_up {
            self.failed.insert(tag.to_owned());
        } else {
            self.failed.remove(tag);
        }
        if demand == Demand::None {
            self.demanded.remove(tag);
        } else if !trips.is_empty() {
            self.demanded.insert(tag.to_owned(), trips.to_vec());
        }
    }

    fn apply_incident(&mut self, change: &IncidentChange) {
        let open = match change.step {
            IncidentStep::Opened | IncidentStep::Updated => Some(change.incident.clone()),
            IncidentStep::Closed => None,
        };
        let standing = IncidentStanding { number: change.incident.number, open };
        self.incidents.insert(change.incident.area.clone(), standing);
        for (key, peak) in &change.peaks {
            if let Some(alarm) = self.alarms.get_mut(key) {
                alarm.peak = Some(*peak);
            }
        }
    }
}
