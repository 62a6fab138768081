//! Signs that data may be false or a sensor may fail. They are looked for beside the judging and never change it: what
//! is found raises one alarm per point or element and goes on record with its evidence, for somebody to check on site.
//!
//! Each reading costs a handful of additions; whatever looks back over an hour is done once a minute per point, spread
//! over the minute's ticks. A point with its pairs takes at most 0.5 KiB, and 2 KiB of evidence, made as it is read
//! (`signs/window.rs`, `signs/replay.rs`, and what `signs/spread.rs` keeps of two weeks).

mod calibration;
mod clamp;
mod frozen;
mod look;
mod outputs;
mod pairs;
mod replay;
mod spread;
mod step;
mod track;
mod window;
mod words;

use super::element::ElementLife;
use super::rule::Verdict;
use super::site::Effects;
use crate::model::plan::{Plan, Subject};
use crate::model::point::{Quality, Reading, Text, Unit};
use crate::model::record::{Body, IdentitySeen, Standing, Trouble};
use crate::model::sign::{Anomaly, Knob, Sign};
use crate::model::table::{AlarmId, ElementId, PointId, Row, Table};
use crate::model::time::{Mono, Now, Span, Wall};
use outputs::Output;
use pairs::Pair;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use track::Track;
use window::Seen;

/// Points take turns over a minute of these, so that no tick looks at all of them.
const fn slot(at: Mono) -> u64 {
    at.us() / 100_000
}

/// Slots in a minute.
const SLOTS: u64 = 600;

/// Drops that are remembered while it is seen whether they are many at once.
const DROPS_MAX: usize = 512;

/// What a sign is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Point(PointId),
    Element(ElementId),
    Gateway,
}

/// Something that was seen.
#[derive(Debug)]
struct Finding {
    of: Of,
    sign: Sign,
    /// How far beyond its limit.
    score: f64,
    /// Begin of the evidence.
    from: Mono,
    /// Points that have to do with it.
    others: Vec<PointId>,
    seen: Text,
}

/// A sign that stands.
#[derive(Clone, Copy, Debug)]
struct Stand {
    since: Wall,
    /// Over at this moment, unless it is seen again before.
    until: Mono,
}

/// Where findings go: records and alarms to be judged.
pub(crate) struct Out<'a> {
    pub(crate) now: Now,
    pub(crate) plan: &'a Plan,
    pub(crate) readings: &'a Table<PointId, Reading>,
    pub(crate) effects: &'a mut Effects,
    pub(crate) touched: &'a mut BTreeSet<AlarmId>,
}

/// All that looks for signs, and those that stand.
#[derive(Debug)]
pub(crate) struct Signs {
    tracks: Table<PointId, Option<Box<Track>>>,
    pairs: Vec<Pair>,
    outputs: Table<ElementId, Output>,
    /// Points with a drop that is looked at; points that are being calibrated.
    falling: BTreeSet<PointId>,
    calibrating: BTreeSet<PointId>,
    /// Points with a calibration that was ordered and whose time is not over.
    ordered: BTreeSet<PointId>,
    /// When the last calibrations of each point began.
    calibrated: BTreeMap<PointId, Vec<Wall>>,
    /// What fell or went away lately.
    drops: VecDeque<(Mono, PointId)>,
    /// The wall clock less the steady clock, in milliseconds, when last looked at.
    clock: i64,
    /// Elements and calibrations are looked at once a second.
    second: Mono,
    standing: BTreeMap<(Of, Sign), Stand>,
    /// Signs of the journal on what is no longer there: told as over.
    orphans: Vec<(String, Sign)>,
    /// Nothing can be over before this.
    expiry: Mono,
    /// The last slot that was looked at.
    slot: u64,
    /// Whether the alarms were judged since the start.
    fresh: bool,
}

impl Signs {
    /// Goes on where the journal says the last run stopped.
    pub(crate) fn new(plan: &Plan, standing: &Standing, now: Now) -> Signs {
        let track = |id: PointId| {
            let of = Arc::clone(plan.watched.points.get(&id)?);
            Some(Box::new(Track::new(id, of, &plan.points[id])))
        };
        let mut signs = Signs {
            tracks: plan.points.map(|id, _| track(id)),
            pairs: pairs::of(plan),
            outputs: plan.elements.map(|_, _| Output::new(now.mono)),
            falling: BTreeSet::new(),
            calibrating: BTreeSet::new(),
            ordered: BTreeSet::new(),
            calibrated: BTreeMap::new(),
            drops: VecDeque::new(),
            clock: offset(now),
            second: now.mono,
            standing: BTreeMap::new(),
            orphans: Vec::new(),
            expiry: Mono::START,
            slot: slot(now.mono),
            fresh: true,
        };
        for ((key, sign), since) in &standing.signs {
            match find(plan, key) {
                Some(of) => {
                    let until = now.mono + hold(plan, of);
                    signs.standing.insert((of, *sign), Stand { since: *since, until });
                }
                None => signs.orphans.push((key.clone(), *sign)),
            }
        }
        signs.restore(plan, standing, now);
        signs
    }

    /// Takes in what a point is taken to read now.
    pub(crate) fn heard(&mut self, point: PointId, out: &mut Out<'_>) {
        let Some(track) = &mut self.tracks[point] else { return };
        let mut found = Vec::new();
        let events = track.heard(out.now, &out.readings[point], &mut found);
        if events.dropped {
            self.falls(point);
        }
        if (events.dropped || events.lost) && self.drops.len() < DROPS_MAX {
            self.drops.push_back((out.now.mono, point));
        }
        if let Some((value, before)) = events.is_another {
            let (tag, area, _) = about(out.plan, Of::Point(point));
            let text = words::identity(value, before);
            out.effects
                .record(out.now, Body::Identity(IdentitySeen { point: tag, area, value, before, text }));
        }
        if events.calibrates {
            self.begin_calibration(point, None, None, out);
        }
        self.note_all(found, out);
    }

    /// Lets time go by. What it gives is trouble of the gateway itself.
    pub(crate) fn tick(
        &mut self,
        elements: &Table<ElementId, ElementLife>,
        out: &mut Out<'_>,
    ) -> Option<Trouble> {
        if std::mem::take(&mut self.fresh) {
            out.touched.extend(out.plan.watched.alarms());
            for (key, sign) in std::mem::take(&mut self.orphans) {
                let over = blank(out, key, String::new(), sign, out.now.wall, Unit::State);
                out.effects.record(out.now, Body::Anomaly(over));
            }
        }
        let mut found = Vec::new();
        self.take_turns(out, &mut found);
        self.look_at_falls(out, &mut found);
        self.look_at_drops(out, &mut found);
        if out.now.mono >= self.second {
            self.second = out.now.mono + Span::from_secs(1);
            for (id, life) in elements.iter() {
                self.outputs[id].watch(out.now, out.plan, id, life, out.readings, &mut found);
            }
            self.look_at_calibrations(out, &mut found);
        }
        self.time_calibrations(out, &mut found);
        self.look_at_clock(out, &mut found);
        let was = self.stands(Of::Gateway);
        self.note_all(found, out);
        self.expire(out);
        let is = self.stands(Of::Gateway);
        (was != is).then(|| Trouble {
            code: "clock-jumped",
            detail: String::new(),
            raised: is,
            text: words::clock_trouble(),
        })
    }

    /// Every point and every pair once a minute.
    fn take_turns(&mut self, out: &Out<'_>, found: &mut Vec<Finding>) {
        let slot = slot(out.now.mono);
        let first = self.slot.saturating_add(1).max(slot.saturating_sub(SLOTS.saturating_sub(1)));
        for turn in first..=slot {
            let begin = usize::try_from(turn % SLOTS).unwrap_or(0);
            let every = usize::try_from(SLOTS).unwrap_or(usize::MAX);
            for n in (begin..self.tracks.len()).step_by(every) {
                self.look_at_point(PointId::from_usize(n), out, found);
            }
            for n in (begin..self.pairs.len()).step_by(every) {
                self.look_at_pair(n, out, found);
            }
        }
        self.slot = self.slot.max(slot);
    }

    fn note_all(&mut self, found: Vec<Finding>, out: &mut Out<'_>) {
        for finding in found {
            self.note(finding, out);
        }
    }

    /// A sign begins, or goes on.
    fn note(&mut self, finding: Finding, out: &mut Out<'_>) {
        let Finding { of, sign, .. } = finding;
        if let Of::Point(id) = of
            && out.plan.watched.points.get(&id).is_none_or(|p| p.off.contains(&sign))
        {
            return;
        }
        let until = out.now.mono + hold(out.plan, of);
        if let Some(stand) = self.standing.get_mut(&(of, sign)) {
            stand.until = stand.until.max(until);
            return;
        }
        self.expiry = if self.standing.is_empty() { until } else { self.expiry.min(until) };
        self.standing.insert((of, sign), Stand { since: out.now.wall, until });
        let told = self.told(&finding, out);
        out.effects.record(out.now, Body::Anomaly(told));
        out.touched.extend(alarm(out.plan, of));
    }

    fn expire(&mut self, out: &mut Out<'_>) {
        if self.standing.is_empty() || out.now.mono < self.expiry {
            return;
        }
        let over = self.standing.extract_if(.., |_, stand| stand.until <= out.now.mono);
        for ((of, sign), stand) in over.collect::<Vec<_>>() {
            let (key, area, unit) = about(out.plan, of);
            let told = blank(out, key, area, sign, stand.since, unit);
            out.effects.record(out.now, Body::Anomaly(told));
            out.touched.extend(alarm(out.plan, of));
        }
        self.expiry = self.standing.values().map(|s| s.until).min().unwrap_or(Mono::START);
    }

    fn told(&self, finding: &Finding, out: &Out<'_>) -> Anomaly {
        let (key, area, unit) = about(out.plan, finding.of);
        let evidence = match finding.of {
            Of::Point(id) => {
                self.tracks[id].as_ref().map(|t| t.window().evidence(finding.from)).unwrap_or_default()
            }
            Of::Element(_) | Of::Gateway => Vec::new(),
        };
        let settings = match finding.of {
            Of::Point(id) => out.plan.watched.points.get(&id).map(|p| &p.settings),
            Of::Element(_) | Of::Gateway => None,
        };
        let settings = settings.unwrap_or(&out.plan.watched.settings);
        let other = |id: &PointId| {
            let reading = out.readings[*id];
            (out.plan.points[*id].tag.to_string(), reading.value, reading.quality)
        };
        Anomaly {
            raised: true,
            score: if finding.score.is_finite() { finding.score.clamp(0.0, 1e6) } else { 1.0 },
            from: wall(out.now, finding.from),
            to: out.now.wall,
            values: thinned(&evidence).map(|s| (wall(out.now, s.at), s.value)).collect(),
            neighbours: finding.others.iter().take(Anomaly::MAX_NEIGHBOURS).map(other).collect(),
            parameters: finding.sign.knobs().iter().map(|k| (k.key(), settings.get(*k))).collect(),
            text: words::check(&finding.seen),
            ..blank(out, key, area, finding.sign, out.now.wall, unit)
        }
    }

    /// What the alarm of a sign is to be judged as: any sign that stands on its subject.
    pub(crate) fn verdict(&self, subject: Subject) -> Verdict {
        let of = match subject {
            Subject::Point(id) => Of::Point(id),
            Subject::Element(id) => Of::Element(id),
            Subject::Device(_) => return Verdict::Clear,
        };
        if self.stands(of) { Verdict::Breach } else { Verdict::Clear }
    }

    fn stands(&self, of: Of) -> bool {
        let [first, ..] = Sign::ALL;
        self.standing.range((of, first)..).next().is_some_and(|((on, _), _)| *on == of)
    }

    /// What a later run has to go on from.
    pub(crate) fn standing(&self, plan: &Plan, standing: &mut Standing) {
        for ((of, sign), stand) in &self.standing {
            standing.signs.insert((about(plan, *of).0, *sign), stand.since);
        }
        let orphans = self.orphans.iter().map(|(key, sign)| ((key.clone(), *sign), Wall::default()));
        standing.signs.extend(orphans);
        for (id, track) in self.tracks.iter() {
            let identity = track.as_ref().and_then(|track| track.identity);
            standing.identities.extend(identity.map(|value| (plan.points[id].tag.to_string(), value)));
        }
        self.calibrations(plan, standing);
    }

    /// Goes on with what `old` has seen of the same points of the same devices.
    pub(crate) fn take_over(&mut self, plan: &Plan, old: &mut Signs, old_plan: &Plan) {
        for (id, point) in plan.points.iter() {
            let same = |p: &crate::model::plan::Point| {
                p.tag == point.tag
                    && p.field == point.field
                    && old_plan.address(p.device) == plan.address(point.device)
            };
            let Some(of) = plan.watched.points.get(&id) else { continue };
            if let Some(was) = old_plan.points.find(same)
                && let Some(mut track) = old.tracks[was].take()
            {
                track.id = id;
                track.of = Arc::clone(of);
                self.tracks[id] = Some(track);
            }
        }
        self.take_over_rest(plan, old, old_plan);
        for ((of, sign), stand) in &mut self.standing {
            let key = about(plan, *of).0;
            if let Some(was) = find(old_plan, &key).and_then(|of| old.standing.get(&(of, *sign))) {
                stand.until = was.until;
            }
        }
    }
}

/// A record of a sign that is over; what is seen is filled in for one that begins.
fn blank(out: &Out<'_>, key: String, area: String, sign: Sign, since: Wall, unit: Unit) -> Anomaly {
    Anomaly {
        sign,
        key,
        area,
        raised: false,
        score: 0.0,
        from: since,
        to: out.now.wall,
        unit,
        values: Vec::new(),
        neighbours: Vec::<(String, Option<f64>, Quality)>::new(),
        parameters: Vec::new(),
        text: words::over(),
    }
}

fn hold(plan: &Plan, of: Of) -> Span {
    let own = match of {
        Of::Point(id) => plan.watched.points.get(&id).map(|p| &p.settings),
        Of::Element(_) | Of::Gateway => None,
    };
    own.unwrap_or(&plan.watched.settings).span(Knob::Hold)
}

/// Key, area and unit of what a sign is on.
fn about(plan: &Plan, of: Of) -> (String, String, Unit) {
    match of {
        Of::Point(id) => {
            let point = &plan.points[id];
            (point.tag.to_string(), plan.areas[point.area].tag.to_string(), point.unit)
        }
        Of::Element(id) => {
            let element = &plan.elements[id];
            (element.tag.to_string(), plan.areas[element.area].tag.to_string(), Unit::State)
        }
        Of::Gateway => (plan.gateway.clone(), String::new(), Unit::State),
    }
}

fn find(plan: &Plan, key: &str) -> Option<Of> {
    let point = plan.points.find(|p| p.tag.as_str() == key).filter(|p| plan.watched.points.contains_key(p));
    let element = || plan.elements.find(|e| e.tag.as_str() == key);
    let gateway = || (plan.gateway == key).then_some(Of::Gateway);
    point.map(Of::Point).or_else(|| element().map(Of::Element)).or_else(gateway)
}

fn alarm(plan: &Plan, of: Of) -> Option<AlarmId> {
    match of {
        Of::Point(id) => plan.watched.points.get(&id).map(|p| p.alarm),
        Of::Element(id) => plan.watched.elements.get(&id).copied(),
        Of::Gateway => None,
    }
}

/// The wall clock less the steady one, in milliseconds.
fn offset(now: Now) -> i64 {
    now.wall.ms().saturating_sub(i64::try_from(now.mono.us() / 1_000).unwrap_or(i64::MAX))
}

/// The moment `at` on the wall clock as it goes now.
fn wall(now: Now, at: Mono) -> Wall {
    let ago = i64::try_from(now.mono.since(at).ms()).unwrap_or(i64::MAX);
    Wall::from_ms(now.wall.ms().saturating_sub(ago))
}

/// At most [`Anomaly::MAX_VALUES`] of `seen`, spread evenly, the last one among them.
fn thinned(seen: &[Seen]) -> impl Iterator<Item = &Seen> {
    let every = seen.len().div_ceil(Anomaly::MAX_VALUES).max(1);
    let mut few: Vec<&Seen> = seen.iter().rev().step_by(every).collect();
    few.reverse();
    few.into_iter()
}

#[cfg(test)]
mod bench;
#[cfg(test)]
mod tests;
