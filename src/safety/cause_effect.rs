//! One row of cause and effect: votes, the latched trip, and what a reset asks for.
//!
//! A vote is a list of groups, inner before outer. A member is safe, true, bad, or out of the vote because a person has
//! bypassed it; each group makes of its members one outcome of the same kind:
//!
//! ```text
//!   N = members that are not bypassed, none: the group is out of the outer vote too
//!   M = the group's votes, at most N
//!   true members >= M                                     ─▶ True
//!   true + bad members >= M, where bad counts in the group ─▶ Bad
//! ```

use crate::model::plan::{Group, Member, OnBad, Trip};
use crate::model::record::TripStanding;
use crate::model::time::{Mono, Span};

/// What one input of a trip says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Its alarm is active, and since when.
    pub(crate) active: Option<Mono>,
    /// Its condition can be judged now.
    pub(crate) known: bool,
    /// It is proven to be on the safe side of its reset value.
    pub(crate) safe: bool,
    /// It is being calibrated by order, within the planned time: not known, and no vote while another guard is good.
    pub(crate) excused: bool,
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
    /// Since when each input is bad; and whether it was ever known since the start.
    bad_since: Vec<Option<Mono>>,
    heard: Vec<bool>,
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
    /// Bypassed, or made of nothing but bypassed members.
    Out,
    /// Left out while it is calibrated and another one guards: one vote fewer is needed, 2oo3 becomes 1oo2.
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
    /// Goes on where the journal says it stopped.
    pub(crate) fn restored(trip: &Trip, standing: Option<&TripStanding>) -> TripLife {
        let TripStanding { occurrence, tripped, first_out } = standing.cloned().unwrap_or_default();
        let inputs = trip.inputs().count();
        TripLife {
            tripped,
            occurrence,
            first_out,
            safe_since: None,
            voted_since: None,
            bad_since: vec![None; inputs],
            heard: vec![false; inputs],
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
        for ((key, bad), heard) in keys.zip(&mut self.bad_since).zip(&mut self.heard) {
            let was = old_keys.iter().zip(&old.bad_since).zip(&old.heard).find(|((k, _), _)| **k == key);
            if let Some(((_, bad_since), was_heard)) = was {
                *bad = *bad_since;
                *heard = *was_heard;
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
        let guarded = is_guarded(inputs.get(..trip.causes.len()).unwrap_or_default());
        for ((cause, bad), heard) in inputs.iter().zip(&mut self.bad_since).zip(&mut self.heard) {
            *heard |= cause.known;
            if cause.known {
                *bad = None;
            } else if cause.excused && guarded {
                // What comes after the planned time has the whole delay before it counts.
                *bad = Some(now);
            } else {
                bad.get_or_insert(now);
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
    /// After a start an input counts as bad only once it was heard: a gateway that starts before its devices trips
    /// nothing by that. An input never heard stands as a comm-lost alarm instead.
    fn said(&self, now: Mono, trip: &Trip, inputs: &[Cause]) -> Vec<Vote> {
        let guarded = is_guarded(inputs.get(..trip.causes.len()).unwrap_or_default());
        let causes = inputs.iter().zip(&self.bad_since).zip(&self.heard).take(trip.causes.len());
        let said = causes.map(|((cause, bad_since), heard)| {
            let bad = *heard && bad_since.is_some_and(|since| now.since(since) >= trip.bad_delay);
            let spared = guarded && cause.excused && !cause.known && cause.active.is_none();
            match (cause.bypassed, cause.active.is_some(), bad) {
                (true, _, _) => Vote::Out,
                (false, false, _) if spared => Vote::Spared,
                (false, true, _) => Vote::True,
                (false, false, true) => Vote::Bad,
                (false, false, false) => Vote::No,
            }
        });
        said.collect()
    }

    /// Whether an input was not heard yet since the start.
    pub(crate) fn is_holding(&self) -> bool {
        self.heard.iter().any(|h| !h)
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
    let (mut no, mut yes, mut bad, mut spared) = (0_usize, 0_usize, 0_usize, 0_usize);
    for vote in votes {
        let count = match vote {
            Vote::No => &mut no,
            Vote::True => &mut yes,
            Vote::Bad => &mut bad,
            Vote::Spared => &mut spared,
            Vote::Out => continue,
        };
        *count = count.saturating_add(1);
    }
    let bad_counts = match group.on_bad {
        OnBad::Vote => true,
        OnBad::Alarm => no == 0,
        OnBad::Ignore => false,
    };
    let of = no.saturating_add(yes).saturating_add(bad);
    let needed = group.votes.saturating_sub(spared).max(1).min(of);
    let outcome = match of {
        0 => Vote::Out,
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

/// Whether a cause that is excused, because it is being calibrated, may be left out: another one guards.
fn is_guarded(causes: &[Cause]) -> bool {
    causes.iter().any(|c| c.known && !c.excused && !c.bypassed)
}

#[cfg(test)]
mod tests;
