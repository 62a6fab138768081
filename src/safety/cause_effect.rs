//! One row of cause and effect: votes, the latched trip, and what a reset asks for.

use crate::model::plan::{OnBad, Trip};
use crate::model::record::TripStanding;
use crate::model::time::{Mono, Span};

/// What one cause of a trip says.
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
}

/// Where one trip stands.
#[derive(Clone, Debug)]
pub(crate) struct TripLife {
    pub(crate) tripped: bool,
    pub(crate) occurrence: u32,
    pub(crate) first_out: Option<String>,
    /// Since when every cause is proven safe.
    safe_since: Option<Mono>,
    /// Since when each cause is bad; and whether it was ever known since the start.
    bad_since: Vec<Option<Mono>>,
    heard: Vec<bool>,
}

/// How one cause counts at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    /// Not a vote to trip.
    No,
    /// True.
    True,
    /// Counts because it is not known.
    Bad,
}

/// What is missing for a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Cause number: its alarm is active, or it is not proven to be on the safe side.
    NotSafe(usize),
    /// Cause number: its alarm is not acknowledged.
    NotAcknowledged(usize),
    /// All are safe, but not for long enough: this is left.
    Hold(Span),
}

impl TripLife {
    /// Goes on where the journal says it stopped.
    pub(crate) fn restored(trip: &Trip, standing: Option<&TripStanding>) -> TripLife {
        let TripStanding { occurrence, tripped, first_out } = standing.cloned().unwrap_or_default();
        TripLife {
            tripped,
            occurrence,
            first_out,
            safe_since: None,
            bad_since: vec![None; trip.causes.len()],
            heard: vec![false; trip.causes.len()],
        }
    }

    /// Takes over what `old` knew of the causes that both have, told by their keys: a detector that is silent is not
    /// excused by a new site file.
    pub(crate) fn take_over<'a>(
        &mut self,
        keys: impl Iterator<Item = &'a str>,
        old: &TripLife,
        old_keys: &[&str],
    ) {
        for ((key, bad), heard) in keys.zip(&mut self.bad_since).zip(&mut self.heard) {
            let was = old_keys.iter().zip(&old.bad_since).zip(&old.heard).find(|((k, _), _)| **k == key);
            if let Some(((_, bad_since), was_heard)) = was {
                *bad = *bad_since;
                *heard = *was_heard;
            }
        }
    }

    /// Counts the votes; says how each cause counts when that trips it now.
    pub(crate) fn step(&mut self, now: Mono, trip: &Trip, causes: &[Cause]) -> Option<Vec<Vote>> {
        let spared = spared(causes);
        self.note(now, causes, spared > 0);
        let votes = self.votes(now, trip, causes);
        let count = votes.iter().filter(|v| **v != Vote::No).count();
        // One that is left out counts for neither number: 2oo3 becomes 1oo2.
        if self.tripped || count < trip.votes.saturating_sub(spared).max(1) {
            return None;
        }
        self.tripped = true;
        self.occurrence = self.occurrence.saturating_add(1);
        self.safe_since = None;
        Some(votes)
    }

    fn note(&mut self, now: Mono, causes: &[Cause], spare: bool) {
        for ((cause, bad), heard) in causes.iter().zip(&mut self.bad_since).zip(&mut self.heard) {
            *heard |= cause.known;
            if cause.known {
                *bad = None;
            } else if cause.excused && spare {
                // What comes after the planned time has the whole delay before it counts.
                *bad = Some(now);
            } else {
                bad.get_or_insert(now);
            }
        }
        if causes.iter().all(|c| c.safe && c.active.is_none()) {
            self.safe_since.get_or_insert(now);
        } else {
            self.safe_since = None;
        }
    }

    /// After a start an input counts as bad only once it was heard: a gateway that starts before its devices trips
    /// nothing by that. An input never heard stands as a comm-lost alarm instead.
    fn votes(&self, now: Mono, trip: &Trip, causes: &[Cause]) -> Vec<Vote> {
        let bad: Vec<bool> = self
            .bad_since
            .iter()
            .zip(&self.heard)
            .map(|(since, heard)| *heard && since.is_some_and(|s| now.since(s) >= trip.bad_delay))
            .collect();
        let none_good = bad.iter().all(|b| *b);
        causes
            .iter()
            .zip(&bad)
            .map(|(cause, bad)| match (cause.active.is_some(), *bad, trip.on_bad) {
                (true, _, _) => Vote::True,
                (false, true, OnBad::Vote) => Vote::Bad,
                (false, true, OnBad::Alarm) if none_good => Vote::Bad,
                (false, true, OnBad::Alarm) | (false, false, _) => Vote::No,
            })
            .collect()
    }

    /// Whether an input was not heard yet since the start.
    pub(crate) fn is_holding(&self) -> bool {
        self.heard.iter().any(|h| !h)
    }

    /// Everything that a reset still lacks.
    pub(crate) fn missing(&self, now: Mono, trip: &Trip, causes: &[Cause]) -> Vec<Missing> {
        let mut missing = Vec::new();
        for (n, cause) in causes.iter().enumerate() {
            if cause.active.is_some() || !cause.safe {
                missing.push(Missing::NotSafe(n));
            }
            if cause.unacknowledged {
                missing.push(Missing::NotAcknowledged(n));
            }
        }
        if missing.iter().any(|m| matches!(m, Missing::NotSafe(_))) {
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
    }
}

/// How many causes are left out of the count: those that are excused, while another guard is good.
fn spared(causes: &[Cause]) -> usize {
    if causes.iter().any(|c| c.known && !c.excused) {
        causes.iter().filter(|c| c.excused && !c.known && c.active.is_none()).count()
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::point::{Tag, Text};
    use crate::model::table::{AlarmId, AreaId, Row};
    use proptest::prelude::*;

    const SAFE: Cause =
        Cause { active: None, known: true, safe: true, excused: false, unacknowledged: false };
    const HIGH: Cause =
        Cause { active: Some(Mono::START), known: true, safe: false, excused: false, unacknowledged: true };
    const BAD: Cause =
        Cause { active: None, known: false, safe: false, excused: false, unacknowledged: false };
    const CALIBRATED: Cause = Cause { excused: true, ..BAD };

    fn trip(votes: usize, of: usize, on_bad: OnBad) -> Trip {
        Trip {
            tag: Tag::new("t").unwrap(),
            name: Text::default(),
            area: AreaId::from_usize(0),
            votes,
            causes: (0..of).map(AlarmId::from_usize).collect(),
            on_bad,
            bad_delay: Span::from_secs(10),
            effects: vec![],
            reset_hold: Span::from_secs(60),
        }
    }

    fn secs(s: u64) -> Mono {
        Mono::from_us(s * 1_000_000)
    }

    /// Whether `causes` trip a trip that has heard all its inputs and waited out every delay.
    fn trips(trip: &Trip, causes: &[Cause]) -> bool {
        let mut life = TripLife::restored(trip, None);
        assert_eq!(life.step(secs(0), trip, &vec![SAFE; causes.len()]), None);
        life.step(secs(1), trip, causes).is_some() || life.step(secs(12), trip, causes).is_some()
    }

    #[test]
    fn two_out_of_three_degrades_to_one_out_of_two_and_then_trips() {
        let t = trip(2, 3, OnBad::Vote);
        assert!(!trips(&t, &[HIGH, SAFE, SAFE]));
        assert!(trips(&t, &[HIGH, HIGH, SAFE]));
        assert!(!trips(&t, &[BAD, SAFE, SAFE]));
        assert!(trips(&t, &[BAD, HIGH, SAFE]));
        assert!(trips(&t, &[BAD, BAD, SAFE]));
    }

    #[test]
    fn bad_as_alarm_only_still_trips_when_nothing_good_is_left() {
        let t = trip(1, 2, OnBad::Alarm);
        assert!(!trips(&t, &[BAD, SAFE]));
        assert!(trips(&t, &[BAD, HIGH]));
        assert!(trips(&t, &[BAD, BAD]));
    }

    #[test]
    fn one_that_is_calibrated_is_no_vote_while_another_guards() {
        let any = trip(1, 2, OnBad::Vote);
        assert!(!trips(&any, &[CALIBRATED, SAFE]));
        assert!(trips(&any, &[CALIBRATED, HIGH]));
        assert!(trips(&any, &[CALIBRATED, BAD]), "nobody guards");
        assert!(trips(&any, &[CALIBRATED, CALIBRATED]), "nobody guards");
        assert!(trips(&trip(1, 1, OnBad::Vote), &[CALIBRATED]), "nobody guards");
        let two = trip(2, 3, OnBad::Vote);
        assert!(!trips(&two, &[CALIBRATED, SAFE, SAFE]));
        assert!(trips(&two, &[CALIBRATED, HIGH, SAFE]), "2oo3 without one is 1oo2");
    }

    #[test]
    fn what_comes_after_the_planned_time_has_the_whole_delay() {
        let t = trip(1, 2, OnBad::Vote);
        let mut life = TripLife::restored(&t, None);
        life.step(secs(0), &t, &[SAFE, SAFE]);
        for s in 1..600 {
            assert_eq!(life.step(secs(s), &t, &[CALIBRATED, SAFE]), None);
        }
        assert_eq!(life.step(secs(605), &t, &[BAD, SAFE]), None);
        assert!(life.step(secs(609), &t, &[BAD, SAFE]).is_some());
    }

    #[test]
    fn an_input_not_heard_since_the_start_does_not_trip_and_a_heard_breach_does() {
        let t = trip(1, 2, OnBad::Vote);
        let mut life = TripLife::restored(&t, None);
        assert_eq!(life.step(secs(0), &t, &[BAD, BAD]), None);
        assert_eq!(life.step(secs(100), &t, &[BAD, BAD]), None);
        assert!(life.is_holding());
        assert_eq!(life.step(secs(101), &t, &[HIGH, BAD]), Some(vec![Vote::True, Vote::No]));
    }

    #[test]
    fn a_restored_trip_stays_tripped() {
        let t = trip(1, 1, OnBad::Vote);
        let standing = TripStanding { occurrence: 3, tripped: true, first_out: Some("x:trip".into()) };
        let mut life = TripLife::restored(&t, Some(&standing));
        assert_eq!(life.step(secs(0), &t, &[SAFE]), None);
        assert!(life.tripped);
        assert_eq!(life.missing(secs(0), &t, &[SAFE]), [Missing::Hold(Span::from_secs(60))]);
        assert_eq!(life.missing(secs(60), &t, &[SAFE]), []);
    }

    fn any_cause() -> impl Strategy<Value = Cause> {
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(active, known, safe, unacknowledged)| Cause {
                active: active.then_some(Mono::START),
                known,
                safe: safe && known && !active,
                excused: false,
                unacknowledged,
            },
        )
    }

    proptest! {
        #[test]
        fn nothing_is_missing_only_when_every_cause_was_safe_and_acknowledged_for_the_whole_hold(
            steps in prop::collection::vec((prop::collection::vec(any_cause(), 2), 0u64..100), 1..40)
        ) {
            let t = trip(1, 2, OnBad::Vote);
            let mut life = TripLife::restored(&t, Some(&TripStanding { tripped: true, ..TripStanding::default() }));
            let (mut now, mut safe_for) = (0, None::<u64>);
            for (causes, wait) in steps {
                now += wait;
                life.step(secs(now), &t, &causes);
                prop_assert!(life.tripped, "only a reset ends a trip");
                safe_for = if causes.iter().all(|c| c.safe) { safe_for.or(Some(now)) } else { None };
                let may = safe_for.is_some_and(|s| now - s >= 60) && causes.iter().all(|c| !c.unacknowledged);
                prop_assert_eq!(life.missing(secs(now), &t, &causes).is_empty(), may);
            }
        }

        #[test]
        fn more_danger_never_trips_less(causes in prop::collection::vec(prop::sample::select(vec![SAFE, HIGH, BAD]), 3), n in 0usize..3, m in 1usize..=3) {
            let t = trip(m, 3, OnBad::Vote);
            let mut worse = causes.clone();
            worse[n] = HIGH;
            prop_assert!(!trips(&t, &causes) || trips(&t, &worse));
        }
    }
}
