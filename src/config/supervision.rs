//! What is watched of an element: its times, its alarms, its backup, and whether gas falls behind a closed valve.

use super::elements::{Draft, TABLES};
use super::faults::{Fault, quoted};
use super::read::Row;
use super::site::{Compiler, seconds};
use super::texts;
use crate::model::alarm::{Colour, Condition};
use crate::model::element::ElementKind;
use crate::model::plan::{Alarm, Contact, LeakCheck, Proof, Subject, Supervision};
use crate::model::point::{Tag, Text};
use crate::model::table::{AlarmId, AreaId, ElementId, PointId, Row as _};
use crate::model::time::Span;
use std::collections::{BTreeMap, BTreeSet};

/// What an element's alarm is about.
pub(super) struct Watched {
    pub(super) kind: ElementKind,
    pub(super) tag: Tag,
    pub(super) name: Text,
    pub(super) area: AreaId,
}

/// Two limit switches that are read in two requests may contradict one another for as long as that takes.
const CONFLICT_DELAY: Span = Span::from_secs(2);

impl Compiler<'_> {
    /// The alarm of the element that is made next, or of one that is there.
    pub(super) fn element_alarm(&mut self, watched: &Watched, condition: Condition) -> AlarmId {
        let next = ElementId::from_usize(self.plan.elements.len());
        let id = self.plan.elements.find(|e| e.tag == watched.tag).unwrap_or(next);
        let (wrong, action) = texts::element(watched.kind, condition);
        let grave = [Condition::NotConfirmed, Condition::FeedLive, Condition::LeakThrough];
        let held = grave.contains(&condition) || condition == Condition::ProofTestFailed;
        let colour = if grave.contains(&condition) {
            Colour::Red
        } else if condition == Condition::SlowTravel || condition == Condition::FailedToOpen {
            Colour::Blue
        } else if condition == Condition::ProofTestFailed {
            Colour::Orange
        } else {
            Colour::Yellow
        };
        let patient = condition == Condition::FeedbackConflict;
        self.alarm(Alarm {
            key: format!("{}:{condition}", watched.tag),
            subject: Subject::Element(id),
            area: watched.area,
            condition,
            limit: None,
            on_delay: if patient { CONFLICT_DELAY } else { Span::ZERO },
            off_delay: Span::ZERO,
            latching: held,
            colour,
            text: texts::line(&self.plan.areas[watched.area].name, &watched.name, &wrong),
            action,
        })
    }

    pub(super) fn supervision(
        &mut self,
        draft: &Draft<'_>,
        safe: Option<Contact>,
        not_safe: Option<Contact>,
        travel_limit: Span,
    ) -> Supervision {
        let row = draft.row;
        let time = |key: &str| row.number(key).map(seconds);
        let (dead_limit, commissioned, reopens) = (time("dead_s"), time("commissioned_s"), time("reopens_s"));
        self.check_times(draft, not_safe, travel_limit, dead_limit, commissioned);
        self.check_proof(row, safe.is_some() || not_safe.is_some());
        if safe.is_none() && not_safe.is_none() {
            return Supervision { dead_limit, commissioned, reopens, ..Supervision::default() };
        }
        let wanted = [
            (Condition::MovedUncommanded, true),
            (Condition::FeedbackConflict, safe.is_some() && not_safe.is_some()),
            (Condition::FeedLive, draft.kind == ElementKind::Load),
            (Condition::SlowTravel, commissioned.is_some()),
            (Condition::FailedToOpen, reopens.is_some()),
            (Condition::ProofTestFailed, true),
        ];
        let watched = draft.subject();
        let wanted = wanted.into_iter().filter(|(_, wanted)| *wanted);
        let mut alarms: Vec<AlarmId> =
            wanted.map(|(condition, _)| self.element_alarm(&watched, condition)).collect();
        let proof = self.proof(row, &watched);
        alarms.extend(proof.map(|proof| proof.alarm));
        Supervision { dead_limit, commissioned, reopens, proof, alarms, ..Supervision::default() }
    }

    /// How often it has to be proven, where the file says so.
    fn proof(&mut self, row: &Row, watched: &Watched) -> Option<Proof> {
        let last = self.day(row, "proof_tested");
        let days: u64 = row.small("proof_test_days")?;
        let every = Span::from_secs(days.saturating_mul(24 * 3_600));
        Some(Proof { every, last, alarm: self.element_alarm(watched, Condition::ProofTestDue) })
    }

    fn check_proof(&mut self, row: &Row, has_feedback: bool) {
        if row.has("proof_test_days") && !has_feedback {
            self.faults.push(
                Fault::error(
                    "proof-without-feedback",
                    row.at("proof_test_days"),
                    "nothing tells whether it moves",
                )
                .label("can't be proven")
                .help("give it a contact that tells where it is, or take proof_test_days away"),
            );
        } else if row.has("proof_tested") && !row.has("proof_test_days") {
            self.faults.push(
                Fault::error(
                    "half-proof",
                    row.at("proof_tested"),
                    "a last proof test, and no word when the next is due",
                )
                .help("add proof_test_days = 365, or take proof_tested away"),
            );
        }
    }

    fn check_times(
        &mut self,
        draft: &Draft<'_>,
        not_safe: Option<Contact>,
        travel_limit: Span,
        dead_limit: Option<Span>,
        commissioned: Option<Span>,
    ) {
        let row = draft.row;
        if dead_limit.is_some()
            && not_safe.is_none()
            && !row.has("open")
            && !row.has("live")
            && !row.has("free")
        {
            self.faults.push(
                Fault::error("dead-without-limit", row.at("dead_s"), "nothing tells when it starts to move")
                    .label("needs the contact of the unsafe end")
                    .help("add open = \"…\" (a load: live = \"…\"), or take dead_s away"),
            );
        }
        if let Some(commissioned) = commissioned.filter(|c| *c > travel_limit) {
            let message =
                format!("it took {commissioned} when commissioned, and has failed after {travel_limit}");
            self.faults.push(
                Fault::error("commissioned-beyond-travel", row.at("commissioned_s"), message)
                    .label("longer than travel_s")
                    .help("raise travel_s: it is the limit of this type of drive"),
            );
        }
        let poll = draft.contacts.keys().map(|(device, _)| self.plan.devices[*device].poll).max();
        let Some(poll) = poll else { return };
        // A stroke is seen to within one poll; what is told from it must be longer than that.
        let margin = commissioned.map(|c| Span::from_us(c.us() / 5));
        for (key, time) in [("commissioned_s", margin), ("dead_s", dead_limit)] {
            if let Some(time) = time.filter(|time| *time < poll) {
                let message = format!("told apart to within {time}, by a contact that is read every {poll}");
                self.faults.push(
                    Fault::warning("coarse-stroke", row.at(key), message)
                        .label("seen too coarsely")
                        .help("lower poll_ms of the device: healthy strokes would be called slow or stuck"),
                );
            }
        }
    }

    /// Which element stands in for which; known when all are.
    pub(super) fn backups(&mut self) {
        let root = self.root;
        let rows: Vec<_> = TABLES.iter().flat_map(|(table, _)| root.tables(table)).collect();
        let mut next: BTreeMap<ElementId, ElementId> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.has("backup")) {
            let backup = self.elements.find(row, "backup", self.faults).copied();
            let own = row.str("id").and_then(|id| self.elements.get(id)).copied();
            if let (Some(own), Some(backup)) = (own, backup) {
                next.insert(own, backup);
                self.plan.elements[own].supervision.backup = Some(backup);
            }
        }
        for row in rows.iter().filter(|row| row.has("backup")) {
            let Some(own) = row.str("id").and_then(|id| self.elements.get(id)).copied() else { continue };
            let (mut seen, mut at) = (BTreeSet::new(), own);
            while let Some(backup) = next.get(&at).filter(|backup| seen.insert(**backup)) {
                at = *backup;
            }
            if seen.contains(&own) {
                let message = format!("{} backs itself up", quoted(row.str("id").unwrap_or_default()));
                self.faults.push(
                    Fault::error("backup-cycle", row.at("backup"), message)
                        .label("comes back to where it started")
                        .help("the last one in the row has no backup"),
                );
            }
        }
    }

    /// Which gas must not rise behind which valve; known when the trips are.
    pub(super) fn leak_checks(&mut self) {
        let root = self.root;
        for row in root.tables("valve") {
            let Some(id) = row.str("id").and_then(|id| self.elements.get(id)).copied() else { continue };
            let (from, to) = (row.number("leak_from_s"), row.number("leak_to_s"));
            let (Some(from), Some(to)) = (from.map(seconds), to.map(seconds)) else { continue };
            if to <= from {
                let message = format!("a check from {from} to {to}");
                self.faults.push(
                    Fault::error("empty-leak-check", row.at("leak_to_s"), message)
                        .label("ends before it begins")
                        .help("make leak_to_s larger than leak_from_s: 60 and 120 are usual"),
                );
                continue;
            }
            let share = row.number("leak_rise_pct").unwrap_or_default() / 100.0;
            let points = self.gas_before(id, share);
            let element = &self.plan.elements[id];
            if points.is_empty() || element.is_blind() {
                continue;
            }
            let watched = Watched {
                kind: element.kind,
                tag: element.tag.clone(),
                name: element.name.clone(),
                area: element.area,
            };
            let alarm = self.element_alarm(&watched, Condition::LeakThrough);
            let supervision = &mut self.plan.elements[id].supervision;
            supervision.alarms.push(alarm);
            supervision.leak = Some(LeakCheck { from, to, points });
        }
    }

    /// The gas that closes a valve, each point with the share of its trip value.
    fn gas_before(&self, valve: ElementId, share: f64) -> Vec<(PointId, f64)> {
        let mut points: BTreeMap<PointId, f64> = BTreeMap::new();
        let trips = self.plan.trips.values().filter(|trip| trip.effects.contains(&valve));
        for alarm in trips.flat_map(|trip| &trip.causes).map(|cause| &self.plan.alarms[*cause]) {
            if let (Subject::Point(point), Condition::High(_), Some(limit)) =
                (alarm.subject, alarm.condition, alarm.limit)
                && self.plan.points[point].gas.is_some()
            {
                points.insert(point, limit.set.abs() * share);
            }
        }
        points.into_iter().collect()
    }
}
