//! One row of cause and effect: votes, the latched trip, and what a reset asks for.
//!
//! A vote is a list of groups, inner before outer. A member is safe, true, bad, or out of the vote because a person has
//! bypassed it or calibrates it; each group makes of its members one outcome of the same kind:
//!
//! ```text
//!   true members >= M                                      ─▶ True
//!   true + bad members >= M, where bad counts in the group ─▶ Bad
//!   all members out, among like heads                      ─▶ out of the outer vote too
//! ```
//!
//! Heads of one gas stand in for each other. Where one of them is out, one vote fewer is needed, and at least one: 2oo3
//! becomes 1oo2 and 2oo2 becomes 1oo1, by a bypass and by a calibration alike, so that the others trip on no more gas
//! than before. Unlike things stand in for nothing: where "fan stopped" is out of "fan stopped and gas high", gas alone
//! is not both. There, and in every lock, what is out is no vote and M stays.

use crate::model::plan::{Group, Member, OnBad, Trip};
use crate::model::record::TripStanding;
use crate::model::table::AlarmId;
use crate::model::time::{Mono, Span};

/// What one input of a trip says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Its alarm is active, and since when.
    pub(crate) active: Option<Mono>,
    /// Its condition can be judged now.
    pub(crate) known: bool,
    /// It answers, and says itself that it is not to be relied on.
    pub(crate) faulty: bool,
    /// It is proven to be on the safe side of its reset value.
    pub(crate) safe: bool,
    /// It is not known because it is being calibrated by order, within the planned time, and another one guards.
    pub(crate) spared: bool,
    /// Its alarm still waits for an acknowledgement.
    pub(crate) unacknowledged: bool,
    /// A person has taken it out of the vote. It proves nothing either.
    pub(crate) bypassed: bool,
}

impl Cause {
    fn is_proven_safe(&self) -> bool {
        self.safe && self.active.is_none() && !self.bypassed
    }
}

/// Where one trip stands.
#[derive(Clone, Debug)]
pub(crate) struct TripLife {
    pub(crate) tripped: bool,
    pub(crate) occurrence: u32,
    pub(crate) first_out: Option<String>,
    /// Since when everything that a reset needs is proven safe.
    safe_since: Option<Mono>,
    /// Since when the vote stands.
    voted_since: Option<Mono>,
    /// What was heard of each input.
    heard: Vec<Heard>,
}

/// What was heard of one input: for how long it could not be judged.
///
/// A single good reading does not wipe that out. Bad time adds up until the input was good for as long as is borne bad:
/// normal, and stable. Otherwise one answer in nine seconds would keep a blind head from ever counting.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// Whether it has said since the start how it is.
    ever: bool,
    /// Until then a start excuses that it has not: a gateway may start before its devices.
    excused_until: Mono,
    /// Since when it is bad, where it is.
    bad_since: Option<Mono>,
    /// For how long it was bad before, with no stable time since.
    bad_before: Span,
    /// Since when it is good, where it is.
    good_since: Option<Mono>,
}

impl Heard {
    fn good(&mut self, now: Mono) {
        self.ever = true;
        self.good_since.get_or_insert(now);
        if let Some(since) = self.bad_since.take() {
            self.bad_before = self.bad_before + now.since(since);
        }
    }

    fn bad(&mut self, now: Mono, borne: Span) {
        self.bad_since.get_or_insert(now);
        if self.good_since.take().is_some_and(|since| now.since(since) >= borne) {
            self.bad_before = Span::ZERO;
        }
    }

    /// What comes after has the whole time before it counts.
    fn spare(&mut self, now: Mono) {
        (self.bad_since, self.bad_before, self.good_since) = (Some(now), Span::ZERO, None);
    }

    fn is_bad_for(&self, now: Mono, borne: Span) -> bool {
        self.bad_since.is_some_and(|since| self.bad_before + now.since(since) >= borne)
    }
}

/// What a start leaves of an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Until then it is excused that nothing good was heard of it.
    pub(crate) excused_until: Mono,
    /// It was bad when the last run ended, and for so long it counts as having been.
    pub(crate) bad_for: Option<Span>,
}

/// How one member counts at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    /// Not a vote to trip.
    No,
    /// True.
    True,
    /// Counts because it is not known.
    Bad,
    /// Bypassed, or made of nothing but members that are out.
    Out,
    /// Left out while it is calibrated and another one guards.
    Spared,
}

/// What is missing for a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Input number: its alarm is active, or it is not proven to be on the safe side.
    NotSafe(usize),
    /// Input number: its alarm is not acknowledged.
    NotAcknowledged(usize),
    /// Input number: it is bypassed, and so proves nothing.
    Bypassed(usize),
    /// All are safe, but not for long enough: this is left.
    Hold(Span),
}

impl TripLife {
    /// Goes on where the journal says it stopped; `start` says what that leaves of an input.
    pub(crate) fn restored(
        trip: &Trip,
        standing: Option<&TripStanding>,
        start: impl Fn(AlarmId) -> Start,
    ) -> TripLife {
        let TripStanding { occurrence, tripped, first_out } = standing.cloned().unwrap_or_default();
        let heard = |input: AlarmId| {
            let Start { excused_until, bad_for } = start(input);
            let (ever, bad_before) = (bad_for.is_some(), bad_for.unwrap_or_default());
            Heard { ever, excused_until, bad_since: None, bad_before, good_since: None }
        };
        TripLife {
            tripped,
            occurrence,
            first_out,
            safe_since: None,
            voted_since: None,
            heard: trip.inputs().map(heard).collect(),
        }
    }

    /// Takes over what `old` knew of the inputs that both have, told by their keys: a detector that is silent is not
    /// excused by a new site file, and neither is a vote that stands.
    pub(crate) fn take_over<'a>(
        &mut self,
        keys: impl Iterator<Item = &'a str>,
        old: &TripLife,
        old_keys: &[&str],
    ) {
        self.voted_since = old.voted_since;
        for (key, heard) in keys.zip(&mut self.heard) {
            if let Some((_, was)) = old_keys.iter().zip(&old.heard).find(|(k, _)| **k == key) {
                *heard = *was;
            }
        }
    }

    /// Counts the votes; says how each cause counts when that trips it now.
    pub(crate) fn step(&mut self, now: Mono, trip: &Trip, inputs: &[Cause]) -> Option<Vec<Vote>> {
        self.note(now, trip, inputs);
        let said = self.said(now, trip, inputs);
        let tallies = tallies(trip, &said);
        if !matches!(tallies.last().map(|own| own.outcome), Some(Vote::True | Vote::Bad)) {
            self.voted_since = None;
            return None;
        }
        let since = *self.voted_since.get_or_insert(now);
        if self.tripped || now.since(since) < trip.delay {
            return None;
        }
        self.tripped = true;
        self.occurrence = self.occurrence.saturating_add(1);
        self.safe_since = None;
        Some(counted(trip, said, &tallies))
    }

    fn note(&mut self, now: Mono, trip: &Trip, inputs: &[Cause]) {
        for (cause, heard) in inputs.iter().zip(&mut self.heard) {
            heard.ever |= cause.faulty;
            if cause.known {
                heard.good(now);
            } else if cause.spared {
                heard.spare(now);
            } else if heard.ever || now >= heard.excused_until {
                heard.bad(now, trip.bad_delay);
            }
        }
        let proven = |n: &usize| inputs.get(*n).is_some_and(Cause::is_proven_safe);
        if trip.reset_needs.iter().all(proven) {
            self.safe_since.get_or_insert(now);
        } else {
            self.safe_since = None;
        }
    }

    /// What each cause says.
    ///
    /// After a start an input that was never good has a while before it is bad: a gateway that starts before its devices,
    /// or with them while they warm up, trips nothing by that. One that says itself that it is at fault has not, and
    /// neither has one that was bad when the last run ended.
    fn said(&self, now: Mono, trip: &Trip, inputs: &[Cause]) -> Vec<Vote> {
        let causes = inputs.iter().zip(&self.heard).take(trip.causes.len());
        let said = causes.map(|(cause, heard)| match (cause.bypassed, cause.active.is_some()) {
            (true, _) => Vote::Out,
            (false, true) => Vote::True,
            (false, false) if cause.spared => Vote::Spared,
            (false, false) if heard.is_bad_for(now, trip.bad_delay) => Vote::Bad,
            (false, false) => Vote::No,
        });
        said.collect()
    }

    /// Whether an input was not heard yet since the start.
    pub(crate) fn is_holding(&self) -> bool {
        self.heard.iter().any(|heard| !heard.ever)
    }

    /// Everything that a reset still lacks.
    pub(crate) fn missing(&self, now: Mono, trip: &Trip, inputs: &[Cause]) -> Vec<Missing> {
        let mut missing = Vec::new();
        for (n, cause) in inputs.iter().enumerate() {
            if trip.reset_needs.contains(&n) && !cause.is_proven_safe() {
                missing.push(if cause.bypassed { Missing::Bypassed(n) } else { Missing::NotSafe(n) });
            }
            if cause.unacknowledged && n < trip.causes.len() {
                missing.push(Missing::NotAcknowledged(n));
            }
        }
        if missing.iter().any(|m| matches!(m, Missing::NotSafe(_) | Missing::Bypassed(_))) {
            return missing;
        }
        let held = self.safe_since.map_or(Span::ZERO, |since| now.since(since));
        if held < trip.reset_hold {
            missing.push(Missing::Hold(Span::from_us(trip.reset_hold.us().saturating_sub(held.us()))));
        }
        missing
    }

    /// A person resets; the caller has seen that nothing is missing.
    pub(crate) fn reset(&mut self) {
        self.tripped = false;
        self.first_out = None;
        // Where the vote still stands, as with a lock that its gas has left, its delay begins anew.
        self.voted_since = None;
    }
}

/// What came of one group.
#[derive(Clone, Copy, Debug)]
struct Tally {
    outcome: Vote,
    /// Whether its members that are bad were counted.
    bad_counts: bool,
}

/// Every group of a trip, inner before outer.
fn tallies(trip: &Trip, said: &[Vote]) -> Vec<Tally> {
    let mut tallies: Vec<Tally> = Vec::with_capacity(trip.groups.len());
    for group in &trip.groups {
        let of = |member: &Member| match member {
            Member::Cause(n) => said.get(*n).copied(),
            Member::Group(n) => tallies.get(*n).map(|inner| inner.outcome),
        };
        tallies.push(tally(group, group.members.iter().filter_map(of)));
    }
    tallies
}

/// What comes of the votes of a group's members.
fn tally(group: &Group, votes: impl Iterator<Item = Vote>) -> Tally {
    let (mut no, mut yes, mut bad, mut out) = (0_usize, 0_usize, 0_usize, 0_usize);
    for vote in votes {
        let count = match vote {
            Vote::No => &mut no,
            Vote::True => &mut yes,
            Vote::Bad => &mut bad,
            Vote::Out | Vote::Spared => &mut out,
        };
        *count = count.saturating_add(1);
    }
    let bad_counts = match group.on_bad {
        OnBad::Vote => true,
        OnBad::Alarm => no == 0,
        OnBad::Ignore => false,
    };
    let stand_in = group.alike && group.on_bad != OnBad::Ignore;
    let needed = if stand_in { group.votes.saturating_sub(out).max(1) } else { group.votes };
    let outcome = match no.saturating_add(yes).saturating_add(bad) {
        0 if stand_in => Vote::Out,
        _ if yes >= needed => Vote::True,
        _ if bad_counts && yes.saturating_add(bad) >= needed => Vote::Bad,
        _ => Vote::No,
    };
    Tally { outcome, bad_counts }
}

/// How each cause counted: one that is bad only where a group that it is in counts it.
fn counted(trip: &Trip, mut said: Vec<Vote>, tallies: &[Tally]) -> Vec<Vote> {
    for (n, vote) in said.iter_mut().enumerate().filter(|(_, vote)| **vote == Vote::Bad) {
        let counts =
            |(group, tally): (&Group, &Tally)| tally.bad_counts && group.members.contains(&Member::Cause(n));
        if !trip.groups.iter().zip(tallies).any(counts) {
            *vote = Vote::No;
        }
    }
    said
}

/// Whether a trip could still come of the causes that `votes`, one for each, says can vote.
pub(crate) fn could_trip(trip: &Trip, votes: &[Vote]) -> bool {
    tallies(trip, votes).last().is_some_and(|own| own.outcome == Vote::True)
}

#[cfg(test)]
mod tests;
