//! One alarm's life (ISA-18.2); the diagram stands at [`AlarmState`].

use super::rule::Verdict;
use crate::model::alarm::{AlarmCause, AlarmState};
use crate::model::plan::Alarm;
use crate::model::record::AlarmStanding;
use crate::model::time::{Mono, Now, Wall};

/// Where one alarm stands.
#[derive(Clone, Debug)]
pub(crate) struct AlarmLife {
    pub(crate) state: AlarmState,
    pub(crate) occurrence: u32,
    pub(crate) since: Wall,
    /// When it last occurred, for first-out.
    pub(crate) occurred: Mono,
    pub(crate) verdict: Verdict,
    /// Worst value of this occurrence.
    pub(crate) peak: Option<f64>,
    breach_since: Option<Mono>,
    clear_since: Option<Mono>,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transition {
    pub(crate) from: AlarmState,
    pub(crate) cause: AlarmCause,
}

impl AlarmLife {
    /// Goes on where the journal says it stopped.
    pub(crate) fn restored(standing: Option<&AlarmStanding>) -> AlarmLife {
        let AlarmStanding { occurrence, state, since } = standing.copied().unwrap_or_default();
        AlarmLife {
            state,
            occurrence,
            since,
            occurred: Mono::START,
            verdict: Verdict::Unknown,
            peak: None,
            breach_since: None,
            clear_since: None,
        }
    }

    /// Whether the condition counts as true so far, delays left aside.
    pub(crate) fn held(&self) -> bool {
        self.state.is_active() || self.breach_since.is_some()
    }

    /// Whether a delay is running, so that time alone can move it.
    pub(crate) fn is_timed(&self) -> bool {
        self.breach_since.is_some() && !self.state.is_active() || self.clear_since.is_some()
    }

    /// Takes in a verdict.
    pub(crate) fn step(&mut self, now: Now, alarm: &Alarm, verdict: Verdict) -> Option<Transition> {
        self.verdict = verdict;
        match verdict {
            Verdict::Breach => {
                self.clear_since = None;
                self.breach_since.get_or_insert(now.mono);
            }
            Verdict::Clear => {
                self.breach_since = None;
                if self.state.is_active() {
                    self.clear_since.get_or_insert(now.mono);
                }
            }
            // A breach that is no longer seen is not refuted; a return that is no longer seen is not proven.
            Verdict::Unknown => self.clear_since = None,
        }
        if let Some(since) = self.breach_since
            && !self.state.is_active()
            && now.mono.since(since) >= alarm.on_delay
        {
            return Some(self.occur_due_to_breach(now));
        }
        if let Some(since) = self.clear_since
            && now.mono.since(since) >= alarm.off_delay
        {
            return self.return_due_to_clear(now, alarm.latching);
        }
        None
    }

    fn occur_due_to_breach(&mut self, now: Now) -> Transition {
        self.occurrence = self.occurrence.saturating_add(1);
        self.occurred = now.mono;
        self.peak = None;
        self.enter(now, AlarmState::Unacknowledged, AlarmCause::Occurred)
    }

    fn return_due_to_clear(&mut self, now: Now, latching: bool) -> Option<Transition> {
        self.clear_since = None;
        let to = match (self.state, latching) {
            (AlarmState::Unacknowledged, true) => AlarmState::LatchedUnacknowledged,
            (AlarmState::Unacknowledged, false) => AlarmState::ReturnedUnacknowledged,
            (AlarmState::Acknowledged, true) => AlarmState::LatchedAcknowledged,
            (AlarmState::Acknowledged, false) => AlarmState::Normal,
            (
                AlarmState::Normal
                | AlarmState::ReturnedUnacknowledged
                | AlarmState::LatchedUnacknowledged
                | AlarmState::LatchedAcknowledged,
                _,
            ) => return None,
        };
        Some(self.enter(now, to, AlarmCause::Cleared))
    }

    /// A person acknowledges; `None` where there is nothing to acknowledge.
    pub(crate) fn acknowledge(&mut self, now: Now) -> Option<Transition> {
        let to = match self.state {
            AlarmState::Unacknowledged => AlarmState::Acknowledged,
            AlarmState::ReturnedUnacknowledged => AlarmState::Normal,
            AlarmState::LatchedUnacknowledged => AlarmState::LatchedAcknowledged,
            AlarmState::Normal | AlarmState::Acknowledged | AlarmState::LatchedAcknowledged => return None,
        };
        Some(self.enter(now, to, AlarmCause::Acknowledged))
    }

    /// A person resets; `None` unless it is held, acknowledged, with its condition seen to be gone.
    pub(crate) fn reset(&mut self, now: Now) -> Option<Transition> {
        (self.state == AlarmState::LatchedAcknowledged && self.verdict == Verdict::Clear)
            .then(|| self.enter(now, AlarmState::Normal, AlarmCause::Reset))
    }

    fn enter(&mut self, now: Now, to: AlarmState, cause: AlarmCause) -> Transition {
        let from = std::mem::replace(&mut self.state, to);
        self.since = now.wall;
        Transition { from, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alarm::{Colour, Condition, Level};
    use crate::model::plan::Subject;
    use crate::model::point::Text;
    use crate::model::table::{AreaId, PointId, Row};
    use crate::model::time::Span;

    fn alarm(latching: bool) -> Alarm {
        Alarm {
            key: "p:alarm".into(),
            subject: Subject::Point(PointId::from_usize(0)),
            area: AreaId::from_usize(0),
            condition: Condition::High(Level::Alarm),
            limit: None,
            on_delay: Span::from_ms(200),
            off_delay: Span::from_ms(1000),
            latching,
            colour: Colour::Yellow,
            text: Text::default(),
            action: Text::default(),
        }
    }

    fn at(ms: u64) -> Now {
        Now { mono: Mono::from_us(ms * 1000), wall: Wall::from_ms(0) }
    }

    /// Drives an alarm by a script of (ms, verdict) and gives the states it went through.
    fn walk(latching: bool, script: &[(u64, Verdict)]) -> Vec<AlarmState> {
        let mut life = AlarmLife::restored(None);
        let alarm = alarm(latching);
        script.iter().filter_map(|(ms, v)| life.step(at(*ms), &alarm, *v).map(|_| life.state)).collect()
    }

    #[test]
    fn it_occurs_after_its_on_delay_and_returns_after_its_off_delay() {
        use Verdict::{Breach, Clear};
        let script = [(0, Breach), (199, Breach), (200, Breach), (300, Clear), (1299, Clear), (1300, Clear)];
        assert_eq!(walk(false, &script), [AlarmState::Unacknowledged, AlarmState::ReturnedUnacknowledged]);
        assert_eq!(walk(true, &script), [AlarmState::Unacknowledged, AlarmState::LatchedUnacknowledged]);
        assert_eq!(walk(true, &[(0, Breach), (199, Breach), (200, Clear), (900, Clear)]), []);
    }

    #[test]
    fn unknown_neither_clears_nor_refutes() {
        use Verdict::{Breach, Clear, Unknown};
        let seen = walk(true, &[(0, Breach), (250, Unknown), (300, Clear), (900, Unknown), (9000, Unknown)]);
        assert_eq!(seen, [AlarmState::Unacknowledged]);
        let back = walk(
            true,
            &[(0, Breach), (250, Breach), (300, Clear), (900, Unknown), (1000, Clear), (1900, Clear)],
        );
        assert_eq!(back, [AlarmState::Unacknowledged], "a return must be seen without a break");
    }

    #[test]
    fn acknowledging_never_resets_and_a_reset_needs_a_cleared_condition() {
        let mut life = AlarmLife::restored(None);
        let alarm = alarm(true);
        life.step(at(0), &alarm, Verdict::Breach);
        life.step(at(200), &alarm, Verdict::Breach);
        assert_eq!(life.reset(at(210)), None);
        assert!(life.acknowledge(at(220)).is_some());
        assert_eq!(life.state, AlarmState::Acknowledged);
        assert_eq!(life.reset(at(230)), None);
        life.step(at(300), &alarm, Verdict::Clear);
        life.step(at(1300), &alarm, Verdict::Clear);
        assert_eq!(life.state, AlarmState::LatchedAcknowledged);
        life.step(at(1400), &alarm, Verdict::Unknown);
        assert_eq!(life.reset(at(1410)), None, "unknown is not clear");
        life.step(at(1500), &alarm, Verdict::Clear);
        assert!(life.reset(at(1510)).is_some());
        assert_eq!(life.state, AlarmState::Normal);
    }

    #[test]
    fn a_held_alarm_that_occurs_again_is_a_new_occurrence() {
        let mut life = AlarmLife::restored(Some(&AlarmStanding {
            occurrence: 7,
            state: AlarmState::LatchedAcknowledged,
            since: Wall::from_ms(5),
        }));
        let alarm = alarm(true);
        life.step(at(0), &alarm, Verdict::Breach);
        let change = life.step(at(200), &alarm, Verdict::Breach).unwrap();
        assert_eq!(change.from, AlarmState::LatchedAcknowledged);
        assert_eq!((life.state, life.occurrence), (AlarmState::Unacknowledged, 8));
    }

    #[test]
    fn a_restored_active_alarm_stays_until_its_condition_is_seen_gone() {
        let standing =
            AlarmStanding { occurrence: 1, state: AlarmState::Acknowledged, since: Wall::from_ms(5) };
        let mut life = AlarmLife::restored(Some(&standing));
        let alarm = alarm(false);
        for ms in [0, 60_000] {
            assert_eq!(life.step(at(ms), &alarm, Verdict::Unknown), None);
        }
        life.step(at(60_001), &alarm, Verdict::Clear);
        assert!(life.step(at(61_001), &alarm, Verdict::Clear).is_some());
        assert_eq!(life.state, AlarmState::Normal);
    }
}
