//! One alarm's life (ISA-18.2); the diagram stands at [`AlarmState`]. Being set aside lies over it like a cloth: the
//! life goes on underneath, because what was silenced must not be forgotten, and a trip must never be silenced.

use super::bypass::SLACK;
use super::rule::Verdict;
use crate::model::alarm::{AlarmCause, AlarmState, Aside, AsideHow};
use crate::model::plan::{Alarm, Announcing};
use crate::model::record::AlarmStanding;
use crate::model::time::{Mono, Now, Span, Wall};

/// Occurrences within [`CHATTER_SPAN`] that make an alarm chatter (`ISA-18.2`: three in a minute).
const CHATTER_COUNT: usize = 3;

/// See [`CHATTER_COUNT`].
const CHATTER_SPAN: Span = Span::from_secs(60);

/// Where one alarm stands. 24 bytes: a site has thousands of them, and most are never heard of.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlarmLife {
    /// The state that it has, or would have if it were not set aside.
    under: AlarmState,
    pub(crate) verdict: Verdict,
    /// Nobody acknowledged this occurrence in time.
    pub(crate) escalated: bool,
    pub(crate) occurrence: u32,
    /// Since when its condition is seen to hold and not refuted; where the verdict is clear, since when an active one
    /// is seen to be gone.
    runs: Option<Mono>,
    /// Kept apart, because it is big and most alarms have none.
    past: Option<Box<Past>>,
}

/// What happened to an alarm: kept from its first occurrence, or from when it was first set aside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// Since when it is in its state.
    pub(crate) since: Wall,
    /// When it last occurred, for first-out.
    pub(crate) occurred: Mono,
    /// Worst value of this occurrence.
    pub(crate) peak: Option<f64>,
    /// As the journal knows it.
    pub(crate) told_peak: Option<f64>,
    /// When it last occurred, for people and over a restart.
    pub(crate) occurred_at: Wall,
    /// From when on this judge has seen it, and how long it had been active before.
    seen: (Mono, Span),
    /// Since when it is announced as it is, and on this judge's clock, with how long it had been so before.
    pub(crate) announced_at: Wall,
    announced: (Mono, Span),
    /// The occurrences before the last, latest first.
    earlier: [Option<Mono>; CHATTER_COUNT - 1],
    /// Boxed, because it is big and few alarms have one.
    aside: Option<Box<Aside>>,
    /// When it stops being set aside.
    aside_ends: Option<Mono>,
    /// How often people set it aside.
    set_aside: u32,
}

/// What happened to an alarm of which nothing was heard.
static NOTHING: Past = Past {
    since: Wall::from_ms(0),
    occurred: Mono::START,
    peak: None,
    told_peak: None,
    occurred_at: Wall::from_ms(0),
    seen: (Mono::START, Span::ZERO),
    announced_at: Wall::from_ms(0),
    announced: (Mono::START, Span::ZERO),
    earlier: [None; CHATTER_COUNT - 1],
    aside: None,
    aside_ends: None,
    set_aside: 0,
};

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transition {
    pub(crate) from: AlarmState,
    pub(crate) cause: AlarmCause,
}

impl AlarmLife {
    /// Goes on where the journal says it stopped.
    pub(crate) fn restored(standing: Option<&AlarmStanding>, now: Now) -> AlarmLife {
        let Some(standing) = standing.cloned() else { return AlarmLife::default() };
        let AlarmStanding {
            occurrence,
            state,
            since,
            aside,
            occurred: occurred_at,
            announced: announced_at,
            escalated,
            peak,
        } = standing;
        let left = |aside: &Aside| {
            let most = Span::from_secs(u64::from(aside.minutes.unwrap_or_default()).saturating_mul(60));
            aside.until.map(|until| until.since(now.wall).min(most))
        };
        let past = Past {
            since,
            peak,
            told_peak: peak,
            occurred_at,
            seen: (now.mono, now.wall.since(occurred_at)),
            announced_at,
            announced: (now.mono, now.wall.since(announced_at)),
            aside_ends: aside.as_ref().and_then(left).map(|left| now.mono + left),
            set_aside: aside.as_ref().map_or(0, |a| a.count),
            aside: aside.map(Box::new),
            ..Past::default()
        };
        AlarmLife { under: state, occurrence, escalated, past: Some(Box::new(past)), ..AlarmLife::default() }
    }

    /// What happened to it.
    pub(crate) fn past(&self) -> &Past {
        self.past.as_deref().unwrap_or(&NOTHING)
    }

    pub(crate) fn past_mut(&mut self) -> &mut Past {
        self.past.get_or_insert_default()
    }

    /// The state that people see.
    pub(crate) fn state(&self) -> AlarmState {
        self.aside().map_or(self.under, |aside| aside.how.state())
    }

    /// The state that it would have if it were not set aside.
    pub(crate) fn under(&self) -> AlarmState {
        self.under
    }

    /// How and why it is set aside.
    pub(crate) fn aside(&self) -> Option<&Aside> {
        self.past().aside.as_deref()
    }

    /// Whether its condition holds, delays counted: what votes look at.
    pub(crate) fn active(&self) -> bool {
        self.under.is_active()
    }

    /// For how long it has been active, if it is.
    pub(crate) fn active_for(&self, now: Mono) -> Span {
        let (from, before) = self.past().seen;
        now.since(from) + before
    }

    /// Whether somebody still has to acknowledge it, set aside or not.
    pub(crate) fn unacknowledged(&self) -> bool {
        self.under.wants_acknowledgement()
    }

    /// Whether the condition counts as true so far, delays left aside.
    pub(crate) fn held(&self) -> bool {
        self.active() || self.breach_since().is_some()
    }

    /// Whether something is running out, so that time alone can move it.
    pub(crate) fn is_timed(&self, announcing: &Announcing) -> bool {
        self.breach_since().is_some() && !self.active()
            || self.clear_since().is_some()
            || self.past().aside_ends.is_some()
            || self.next_announcement(announcing).is_some()
    }

    /// Since when its condition is seen to hold, and not refuted.
    fn breach_since(&self) -> Option<Mono> {
        self.runs.filter(|_| self.verdict != Verdict::Clear)
    }

    /// Since when it is seen to be gone.
    fn clear_since(&self) -> Option<Mono> {
        self.runs.filter(|_| self.verdict == Verdict::Clear)
    }

    /// Whether it has come so often of late that it is a nuisance.
    pub(crate) fn chatters(&self, now: Mono) -> bool {
        let Past { earlier, occurred, .. } = self.past();
        earlier[CHATTER_COUNT - 2].is_some_and(|first| {
            occurred.since(first) <= CHATTER_SPAN && now.since(*occurred) <= CHATTER_SPAN
        })
    }

    /// Takes in a verdict, and the time.
    pub(crate) fn step(
        &mut self,
        now: Now,
        alarm: &Alarm,
        announcing: &Announcing,
        verdict: Verdict,
    ) -> Option<Transition> {
        // A breach that is no longer seen is not refuted; a return that is no longer seen is not proven.
        if (self.verdict == Verdict::Clear) != (verdict == Verdict::Clear) {
            self.runs = None;
        }
        self.verdict = verdict;
        if verdict == Verdict::Breach || verdict == Verdict::Clear && self.active() {
            self.runs.get_or_insert(now.mono);
        }
        if let Some(since) = self.breach_since()
            && !self.active()
            && now.mono.since(since) >= alarm.on_delay
        {
            return Some(self.occur_due_to_breach(now));
        }
        if let Some(since) = self.clear_since()
            && now.mono.since(since) >= alarm.off_delay
        {
            return self.return_due_to_clear(now, alarm.latching);
        }
        if self.past().aside_ends.is_some_and(|ends| now.mono >= ends) {
            return self.take_back(now, AlarmCause::Expired);
        }
        if let Some(moved) = self.reckon_shelf(now) {
            return Some(moved);
        }
        self.announce(now, announcing)
    }

    fn occur_due_to_breach(&mut self, now: Now) -> Transition {
        self.occurrence = self.occurrence.saturating_add(1);
        let past = self.past_mut();
        past.earlier.rotate_right(1);
        past.earlier[0] = (past.occurred > Mono::START).then_some(past.occurred);
        past.occurred = now.mono;
        past.peak = None;
        (past.occurred_at, past.seen) = (now.wall, (now.mono, Span::ZERO));
        self.enter(now, AlarmState::Unacknowledged, AlarmCause::Occurred)
    }

    fn return_due_to_clear(&mut self, now: Now, latching: bool) -> Option<Transition> {
        self.runs = None;
        let to = match (self.under, latching) {
            (AlarmState::Unacknowledged, true) => AlarmState::LatchedUnacknowledged,
            (AlarmState::Unacknowledged, false) => AlarmState::ReturnedUnacknowledged,
            (AlarmState::Acknowledged, true) => AlarmState::LatchedAcknowledged,
            (AlarmState::Acknowledged, false) => AlarmState::Normal,
            (
                AlarmState::Normal
                | AlarmState::ReturnedUnacknowledged
                | AlarmState::LatchedUnacknowledged
                | AlarmState::LatchedAcknowledged
                | AlarmState::Shelved
                | AlarmState::Suppressed
                | AlarmState::OutOfService,
                _,
            ) => return None,
        };
        Some(self.enter(now, to, AlarmCause::Cleared))
    }

    /// When it is to be announced louder or anew, and by which cause.
    fn next_announcement(&self, announcing: &Announcing) -> Option<(Mono, AlarmCause)> {
        let (from, before) = self.past().announced;
        let left = |span: Span| Span::from_us(span.us().saturating_sub(before.us()));
        let after = |span: Option<Span>| span.map(|span| from + left(span));
        match self.state() {
            AlarmState::Unacknowledged | AlarmState::LatchedUnacknowledged if !self.escalated => {
                after(announcing.escalate).map(|at| (at, AlarmCause::Escalated))
            }
            AlarmState::Acknowledged => after(announcing.again).map(|at| (at, AlarmCause::Reannounced)),
            AlarmState::Normal
            | AlarmState::Unacknowledged
            | AlarmState::ReturnedUnacknowledged
            | AlarmState::LatchedUnacknowledged
            | AlarmState::LatchedAcknowledged
            | AlarmState::Shelved
            | AlarmState::Suppressed
            | AlarmState::OutOfService => None,
        }
    }

    fn announce(&mut self, now: Now, announcing: &Announcing) -> Option<Transition> {
        let (_, cause) = self.next_announcement(announcing).filter(|(at, _)| now.mono >= *at)?;
        if cause == AlarmCause::Escalated {
            self.escalated = true;
            return Some(Transition { from: self.under, cause });
        }
        Some(self.enter(now, AlarmState::Unacknowledged, cause))
    }

    /// A person acknowledges; `None` where there is nothing to acknowledge.
    pub(crate) fn acknowledge(&mut self, now: Now) -> Option<Transition> {
        let to = match self.under {
            AlarmState::Unacknowledged => AlarmState::Acknowledged,
            AlarmState::ReturnedUnacknowledged => AlarmState::Normal,
            AlarmState::LatchedUnacknowledged => AlarmState::LatchedAcknowledged,
            AlarmState::Normal
            | AlarmState::Acknowledged
            | AlarmState::LatchedAcknowledged
            | AlarmState::Shelved
            | AlarmState::Suppressed
            | AlarmState::OutOfService => return None,
        };
        Some(self.enter(now, to, AlarmCause::Acknowledged))
    }

    /// A person resets; `None` unless it is held, acknowledged, with its condition seen to be gone.
    pub(crate) fn reset(&mut self, now: Now) -> Option<Transition> {
        (self.under == AlarmState::LatchedAcknowledged && self.verdict == Verdict::Clear)
            .then(|| self.enter(now, AlarmState::Normal, AlarmCause::Reset))
    }

    /// Sets it aside, for `span` if it ends by itself. Setting aside what is set aside replaces how and why.
    pub(crate) fn set_aside(&mut self, now: Now, mut aside: Aside, span: Option<Span>) -> Transition {
        let from = self.state();
        // What is not announced is not announced louder either.
        self.announce_anew(now);
        let past = self.past_mut();
        if aside.how != AsideHow::Suppressed {
            past.set_aside = past.set_aside.saturating_add(1);
        }
        aside.count = past.set_aside;
        past.aside_ends = span.map(|span| now.mono + span);
        past.aside = Some(Box::new(aside));
        past.since = now.wall;
        Transition { from, cause: AlarmCause::SetAside }
    }

    /// The wall clock was set back, and what is left of being set aside is told anew: it gets no longer by that.
    fn reckon_shelf(&mut self, now: Now) -> Option<Transition> {
        let past = self.past.as_mut()?;
        let (left, aside) = (past.aside_ends?.since(now.mono), past.aside.as_mut()?);
        if aside.until?.since(now.wall) <= left + SLACK {
            return None;
        }
        aside.until = Some(now.wall.after(left));
        aside.minutes = Some(u32::try_from(left.ms().div_ceil(60_000)).unwrap_or(u32::MAX));
        past.since = now.wall;
        self.announce_anew(now);
        Some(Transition { from: self.state(), cause: AlarmCause::SetAside })
    }

    /// Ends being set aside. A condition that holds is announced as if it were new.
    pub(crate) fn take_back(&mut self, now: Now, cause: AlarmCause) -> Option<Transition> {
        let past = self.past.as_mut()?;
        let from = past.aside.take()?.how.state();
        past.aside_ends = None;
        past.since = now.wall;
        if self.active() {
            self.under = AlarmState::Unacknowledged;
        }
        self.announce_anew(now);
        Some(Transition { from, cause })
    }

    fn announce_anew(&mut self, now: Now) {
        self.escalated = false;
        let past = self.past_mut();
        (past.announced_at, past.announced) = (now.wall, (now.mono, Span::ZERO));
    }

    fn enter(&mut self, now: Now, to: AlarmState, cause: AlarmCause) -> Transition {
        let from = self.state();
        self.under = to;
        self.past_mut().since = now.wall;
        if cause.is_announced_anew(to) {
            self.announce_anew(now);
        }
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
    use proptest::prelude::*;

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

    /// Nothing is escalated, nothing is announced again.
    const QUIET: Announcing = Announcing { escalate: None, siren: None, again: None };

    fn at(ms: u64) -> Now {
        Now { mono: Mono::from_us(ms * 1000), wall: Wall::from_ms(0) }
    }

    /// Drives an alarm by a script of (ms, verdict) and gives the states it went through.
    fn walk(latching: bool, script: &[(u64, Verdict)]) -> Vec<AlarmState> {
        let mut life = AlarmLife::restored(None, at(0));
        let alarm = alarm(latching);
        script
            .iter()
            .filter_map(|(ms, v)| life.step(at(*ms), &alarm, &QUIET, *v).map(|_| life.state()))
            .collect()
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
        let mut life = AlarmLife::restored(None, at(0));
        let alarm = alarm(true);
        life.step(at(0), &alarm, &QUIET, Verdict::Breach);
        life.step(at(200), &alarm, &QUIET, Verdict::Breach);
        assert_eq!(life.reset(at(210)), None);
        assert!(life.acknowledge(at(220)).is_some());
        assert_eq!(life.state(), AlarmState::Acknowledged);
        assert_eq!(life.reset(at(230)), None);
        life.step(at(300), &alarm, &QUIET, Verdict::Clear);
        life.step(at(1300), &alarm, &QUIET, Verdict::Clear);
        assert_eq!(life.state(), AlarmState::LatchedAcknowledged);
        life.step(at(1400), &alarm, &QUIET, Verdict::Unknown);
        assert_eq!(life.reset(at(1410)), None, "unknown is not clear");
        life.step(at(1500), &alarm, &QUIET, Verdict::Clear);
        assert!(life.reset(at(1510)).is_some());
        assert_eq!(life.state(), AlarmState::Normal);
    }

    #[test]
    fn a_held_alarm_that_occurs_again_is_a_new_occurrence() {
        let mut life = AlarmLife::restored(
            Some(&AlarmStanding {
                occurrence: 7,
                state: AlarmState::LatchedAcknowledged,
                since: Wall::from_ms(5),
                aside: None,
                ..AlarmStanding::default()
            }),
            at(0),
        );
        let alarm = alarm(true);
        life.step(at(0), &alarm, &QUIET, Verdict::Breach);
        let change = life.step(at(200), &alarm, &QUIET, Verdict::Breach).unwrap();
        assert_eq!(change.from, AlarmState::LatchedAcknowledged);
        assert_eq!((life.state(), life.occurrence), (AlarmState::Unacknowledged, 8));
    }

    #[test]
    fn a_restored_active_alarm_stays_until_its_condition_is_seen_gone() {
        let standing = AlarmStanding {
            occurrence: 1,
            state: AlarmState::Acknowledged,
            since: Wall::from_ms(5),
            aside: None,
            ..AlarmStanding::default()
        };
        let mut life = AlarmLife::restored(Some(&standing), at(0));
        let alarm = alarm(false);
        for ms in [0, 60_000] {
            assert_eq!(life.step(at(ms), &alarm, &QUIET, Verdict::Unknown), None);
        }
        life.step(at(60_001), &alarm, &QUIET, Verdict::Clear);
        assert!(life.step(at(61_001), &alarm, &QUIET, Verdict::Clear).is_some());
        assert_eq!(life.state(), AlarmState::Normal);
    }

    #[test]
    fn a_condition_counts_as_held_while_its_delay_runs_and_while_its_alarm_is_active() {
        let (mut life, alarm) = (AlarmLife::restored(None, at(0)), alarm(true));
        assert!(!life.held());
        life.step(at(0), &alarm, &QUIET, Verdict::Breach);
        assert!(life.held() && !life.active(), "its delay runs");
        life.step(at(200), &alarm, &QUIET, Verdict::Breach);
        life.step(at(300), &alarm, &QUIET, Verdict::Clear);
        assert!(life.held() && life.active(), "its return is not proven yet");
        life.step(at(1300), &alarm, &QUIET, Verdict::Clear);
        assert!(!life.held());
    }

    #[test]
    fn three_occurrences_within_exactly_a_minute_chatter_and_for_exactly_a_minute() {
        let third_at = |ms: u64| {
            let (mut life, alarm) = (AlarmLife::restored(None, at(0)), alarm(false));
            for occurs in [1_000, 30_000, ms] {
                life.step(at(occurs - 200), &alarm, &QUIET, Verdict::Breach);
                assert!(life.step(at(occurs), &alarm, &QUIET, Verdict::Breach).is_some());
                life.step(at(occurs + 1), &alarm, &QUIET, Verdict::Clear);
                life.step(at(occurs + 1_001), &alarm, &QUIET, Verdict::Clear);
            }
            life
        };
        let mono = |ms: u64| at(ms).mono;
        assert!(third_at(61_000).chatters(mono(61_000)), "a minute");
        assert!(!third_at(61_001).chatters(mono(61_001)), "a minute and a millisecond");
        assert!(third_at(61_000).chatters(mono(121_000)));
        assert!(!third_at(61_000).chatters(mono(121_001)));
    }

    #[test]
    fn the_peak_of_an_occurrence_is_not_that_of_the_one_before() {
        let standing = AlarmStanding {
            occurrence: 7,
            state: AlarmState::LatchedAcknowledged,
            peak: Some(66.0),
            ..AlarmStanding::default()
        };
        let (mut life, alarm) = (AlarmLife::restored(Some(&standing), at(0)), alarm(true));
        life.step(at(0), &alarm, &QUIET, Verdict::Breach);
        assert_eq!(life.past().peak, Some(66.0));
        life.step(at(200), &alarm, &QUIET, Verdict::Breach);
        assert_eq!(life.past().peak, None);
    }

    #[test]
    fn after_a_return_nothing_runs_and_a_shelf_ends_in_time() {
        let (mut life, alarm) = (AlarmLife::restored(None, at(0)), alarm(true));
        life.step(at(0), &alarm, &QUIET, Verdict::Breach);
        life.step(at(200), &alarm, &QUIET, Verdict::Breach);
        life.step(at(300), &alarm, &QUIET, Verdict::Clear);
        life.step(at(1300), &alarm, &QUIET, Verdict::Clear);
        assert!(!life.is_timed(&QUIET));
        life.set_aside(at(1400), aside(AsideHow::Shelved), Some(Span::from_ms(5_000)));
        assert_eq!(life.step(at(6_399), &alarm, &QUIET, Verdict::Clear), None);
        let ended = life.step(at(6_400), &alarm, &QUIET, Verdict::Clear);
        assert_eq!(ended.map(|moved| moved.cause), Some(AlarmCause::Expired));
    }

    #[test]
    fn an_alarm_of_which_nothing_was_heard_takes_24_bytes() {
        assert_eq!(size_of::<AlarmLife>(), 24);
        assert!(AlarmLife::restored(None, at(5)).past.is_none());
    }

    /// Something that happens to an alarm.
    #[derive(Clone, Debug)]
    enum Event {
        Step(u64, Verdict),
        Acknowledge,
        Reset,
        Shelve(u64),
        TakeOut,
        TakeBack,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let verdict = prop::sample::select(vec![Verdict::Clear, Verdict::Breach, Verdict::Unknown]);
        let event = prop_oneof![
            6 => (0u64..1_500, verdict).prop_map(|(ms, v)| Event::Step(ms, v)),
            2 => Just(Event::Acknowledge),
            2 => Just(Event::Reset),
            1 => (1u64..3_000).prop_map(Event::Shelve),
            1 => Just(Event::TakeOut),
            1 => Just(Event::TakeBack),
        ];
        prop::collection::vec(event, 1..60)
    }

    /// The table of ISA-18.2 for what lies under being set aside: from, by what, to.
    fn is_in_the_table(from: AlarmState, cause: AlarmCause, to: AlarmState, latching: bool) -> bool {
        use AlarmState::{
            Acknowledged, LatchedAcknowledged, LatchedUnacknowledged, Normal, ReturnedUnacknowledged,
            Unacknowledged,
        };
        match cause {
            AlarmCause::Occurred => !from.is_active() && to == Unacknowledged,
            AlarmCause::Cleared => match (from, latching) {
                (Unacknowledged, true) => to == LatchedUnacknowledged,
                (Unacknowledged, false) => to == ReturnedUnacknowledged,
                (Acknowledged, true) => to == LatchedAcknowledged,
                (Acknowledged, false) => to == Normal,
                _ => false,
            },
            AlarmCause::Acknowledged => matches!(
                (from, to),
                (Unacknowledged, Acknowledged)
                    | (ReturnedUnacknowledged, Normal)
                    | (LatchedUnacknowledged, LatchedAcknowledged)
            ),
            AlarmCause::Reset => (from, to) == (LatchedAcknowledged, Normal),
            AlarmCause::Reannounced => (from, to) == (Acknowledged, Unacknowledged),
            AlarmCause::TakenBack | AlarmCause::Expired if from.is_active() => to == Unacknowledged,
            AlarmCause::TakenBack | AlarmCause::Expired | AlarmCause::SetAside | AlarmCause::Escalated => {
                from == to
            }
            AlarmCause::Removed => false,
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_an_alarm_lives_by_the_table(latching: bool, events in events()) {
            let alarm = alarm(latching);
            let announcing =
                Announcing { escalate: Some(Span::from_ms(2_000)), siren: None, again: Some(Span::from_ms(4_000)) };
            let mut life = AlarmLife::restored(None, at(0));
            let (mut ms, mut shelf) = (0, None::<u64>);
            for event in events {
                let (from, occurrence, before) = (life.under(), life.occurrence, life.state());
                let moved = match event {
                    Event::Step(wait, verdict) => {
                        ms += wait;
                        let moved = life.step(at(ms), &alarm, &announcing, verdict);
                        let cleared = moved.is_some_and(|m| m.cause == AlarmCause::Cleared);
                        prop_assert!(!cleared || verdict == Verdict::Clear, "what is not known is not clear");
                        moved
                    }
                    Event::Acknowledge => life.acknowledge(at(ms)),
                    Event::Reset => life.reset(at(ms)),
                    Event::Shelve(span) => {
                        shelf = Some(ms + span);
                        Some(life.set_aside(at(ms), aside(AsideHow::Shelved), Some(Span::from_ms(span))))
                    }
                    Event::TakeOut => {
                        shelf = None;
                        Some(life.set_aside(at(ms), aside(AsideHow::OutOfService), None))
                    }
                    Event::TakeBack => life.take_back(at(ms), AlarmCause::TakenBack),
                };
                let Some(moved) = moved else {
                    prop_assert_eq!((life.under(), life.state()), (from, before), "nothing moves without a word");
                    continue;
                };
                prop_assert_eq!(moved.from, before);
                prop_assert!(is_in_the_table(from, moved.cause, life.under(), latching), "{from:?} {moved:?} {:?}", life.under());
                prop_assert_eq!(life.occurrence, occurrence + u32::from(moved.cause == AlarmCause::Occurred));
                let sounds = matches!(life.state(), AlarmState::Unacknowledged | AlarmState::LatchedUnacknowledged);
                prop_assert!(!life.escalated || sounds, "only what is announced");
            }
            // One transition a step: in a few steps everything that is due has come.
            for _ in 0..5 {
                life.step(at(ms), &alarm, &announcing, Verdict::Unknown);
            }
            let over = life.aside().is_some_and(|a| a.how == AsideHow::Shelved) && shelf.is_some_and(|end| ms >= end);
            prop_assert!(!over, "shelved beyond its time");
        }
    }

    fn aside(how: AsideHow) -> Aside {
        let (by, reason) = ("li".to_owned(), "work".to_owned());
        Aside { how, until: None, minutes: None, by, second: None, reason, count: 0 }
    }
}
