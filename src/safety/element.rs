//! One supervised element: commanded, watched until its feedback confirms, and never believed without. How far a demand
//! has come is drawn at [`Phase`]; where the element is:
//!
//! ```text
//!               leaves its open limit            reaches its closed limit
//!  open ────────────────────────────▶ closing ──────────────────────────▶ closed
//!   ▲  └ still there when the dead time is over: failed                      │
//!   └──────────────────────────────── opening ◀──────────────────────────────┘ by hand, on site
//! ```
//!
//! Both limits at once contradict one another; neither of them for longer than a travel takes means that it stands
//! between them. Either end reached without a command is "moved uncommanded".

use super::rule::Verdict;
use crate::model::alarm::Condition;
use crate::model::element::{Demand, ElementKind, Mode, Phase, Position};
use crate::model::plan::{Contact, Element, LeakCheck};
use crate::model::point::{Doubt, Quality, Reading, Text};
use crate::model::record::Standing;
use crate::model::table::PointId;
use crate::model::time::{Mono, Span, Wall};

/// Where one element stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct ElementLife {
    pub(crate) demand: Demand,
    pub(crate) phase: Phase,
    pub(crate) position: Position,
    /// When the demand came.
    pub(crate) demanded: Mono,
    /// It was found tripped at the start or after a reload, and no trip knows why: it stays so until a person resets it.
    pub(crate) found_tripped: bool,
    /// The trips that demand it, or did when that was last told, until nothing is demanded.
    pub(crate) trips: Vec<String>,
    /// It has failed under the demand that stands, so that its backup is demanded too.
    pub(crate) calls_backup: bool,
    /// How its last proof test went.
    pub(crate) test_failed: Option<bool>,
    /// When it was last proven to reach its safe state, and whether that is too long ago, once somebody has looked.
    pub(crate) proven: Option<Wall>,
    pub(crate) test_due: Option<bool>,
    pub(crate) stroke: Stroke,
    watched: Watched,
    leak: Leak,
    /// Whether its read-back was heard since the start, or since the last reload.
    heard: bool,
    /// The last position that was told.
    told: Position,
    /// Since when a confirmed position is not seen.
    unseen_since: Option<Mono>,
    /// When the last demand was lifted from an element in its safe state.
    released: Option<Mono>,
}

/// What was measured of the demand that stands, or stood last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stroke {
    /// The demand came while it stood at its unsafe end: only then there is something to measure.
    whole: bool,
    /// The write was read back.
    commanded: Option<Mono>,
    /// From the command to leaving the unsafe end.
    pub(crate) dead: Option<Span>,
    /// From the command to the safe end.
    pub(crate) travel: Option<Span>,
    /// Writes that failed.
    pub(crate) attempts: u32,
}

/// What is wrong with it besides an obedience that is late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Watched {
    /// The last position that said something.
    last: Position,
    /// Since when it stands between its limits.
    between_since: Option<Mono>,
    moved: bool,
    stuck: bool,
    stays_shut: bool,
    slow: Option<bool>,
}

/// Gas behind a closed valve.
#[derive(Clone, Debug, Default)]
struct Leak {
    confirmed: Option<Mono>,
    /// What the points read when the check began.
    at_first: Vec<Option<f64>>,
    found: bool,
    over: bool,
}

impl ElementLife {
    /// Goes on where the journal says it stopped: whether it had failed under the demand that stands, and when it was
    /// last proven.
    pub(crate) fn restored(tag: &str, standing: &Standing) -> ElementLife {
        let (calls_backup, proven) = (standing.failed.contains(tag), standing.proven.get(tag).copied());
        let trips = standing.demanded.get(tag).cloned().unwrap_or_default();
        ElementLife { calls_backup, proven, trips, ..ElementLife::default() }
    }

    /// Takes in what is demanded; says whether that is news.
    pub(crate) fn demand(&mut self, now: Mono, demand: Demand) -> bool {
        if self.demand == demand {
            return false;
        }
        self.demand = demand;
        self.unseen_since = None;
        self.leak = Leak::default();
        match demand {
            Demand::Trip => {
                self.demanded = now;
                self.phase = Phase::Demanded;
                self.released = None;
                self.stroke = Stroke { whole: self.position == Position::Unsafe, ..Stroke::default() };
            }
            Demand::None => {
                self.phase = Phase::Idle;
                self.calls_backup = false;
                self.released = (self.position == Position::Safe).then_some(now);
            }
        }
        true
    }

    /// The demand was written and read back.
    pub(crate) fn written(&mut self, now: Mono, element: &Element, demand: Demand) {
        if demand == Demand::Trip && self.demand == Demand::Trip && self.phase == Phase::Demanded {
            self.phase = if element.is_blind() { Phase::Confirmed } else { Phase::Commanded };
            self.stroke.commanded.get_or_insert(now);
        }
    }

    /// A write of the demand failed; the line tries again.
    pub(crate) fn not_written(&mut self, demand: Demand) {
        if demand == Demand::Trip && self.demand == Demand::Trip {
            self.stroke.attempts = self.stroke.attempts.saturating_add(1);
        }
    }

    /// Looks at the read-back once after the start: an output found tripped stays tripped. Only a person's reset takes
    /// that back.
    pub(crate) fn find(&mut self, element: &Element, readback: &Reading) {
        if !self.heard && readback.quality == Quality::Good {
            self.heard = true;
            let is_trip = readback.value.is_some_and(|v| (v - f64::from(element.command.trip)).abs() < 0.5);
            self.found_tripped |= is_trip && self.demand == Demand::None && element.mode == Mode::Act;
        }
    }

    /// A new line will write: whatever the old one had still to release has to be found again.
    pub(crate) fn look_again(&mut self) {
        self.heard = false;
    }

    /// Takes in where its contacts say it is, and the time; says whether anything is worth a record. A demand that is
    /// not real, but a test's, calls no backup.
    pub(crate) fn watch(&mut self, now: Mono, element: &Element, seen: Position, real: bool) -> bool {
        let before = (self.phase, self.told, self.watched, self.calls_backup);
        self.position = self.on_its_way(seen);
        if self.position != Position::Unknown || self.demand == Demand::Trip {
            self.told = self.position;
        }
        if self.demand == Demand::Trip {
            self.measure(now);
            self.phase = self.supervised(now, element);
            self.judge_travel(element);
            self.calls_backup |= real && self.phase == Phase::Failed && element.supervision.backup.is_some();
        }
        self.look_around(now, element);
        // Since when it stands between its limits is for reckoning, not for telling.
        let still = Watched { between_since: before.2.between_since, ..self.watched };
        before != (self.phase, self.told, still, self.calls_backup)
    }

    /// Between the limits the way is known from the end that was left.
    fn on_its_way(&self, seen: Position) -> Position {
        if seen != Position::Travelling {
            return seen;
        }
        match self.watched.last {
            Position::Safe | Position::Opening => Position::Opening,
            Position::Unsafe | Position::Closing => Position::Closing,
            Position::Unknown | Position::Travelling | Position::Conflict => Position::Travelling,
        }
    }

    fn measure(&mut self, now: Mono) {
        if !self.stroke.whole || !(self.position.is_between() || self.position == Position::Safe) {
            return;
        }
        // Seen to move before the write was read back: the command came with the demand.
        let since = now.since(*self.stroke.commanded.get_or_insert(self.demanded));
        self.stroke.dead.get_or_insert(since);
        if self.position == Position::Safe {
            self.stroke.travel.get_or_insert(since);
        }
    }

    fn judge_travel(&mut self, element: &Element) {
        if let (Some(travel), Some(slow_from)) = (self.stroke.travel, element.slow_from()) {
            self.watched.slow = Some(travel >= slow_from);
        }
    }

    fn supervised(&mut self, now: Mono, element: &Element) -> Phase {
        if self.position == Position::Safe {
            self.unseen_since = None;
            // Safe without our write read back yet: somebody was faster, and that is as good.
            return Phase::Confirmed;
        }
        match self.phase {
            Phase::Idle => Phase::Idle,
            // Nothing is written in observe mode, so nothing can be late.
            Phase::Demanded if element.mode == Mode::Observe => Phase::Demanded,
            Phase::Demanded | Phase::Commanded if self.is_late(now, element) => Phase::Failed,
            Phase::Demanded => Phase::Demanded,
            Phase::Commanded => Phase::Commanded,
            Phase::Confirmed if element.is_blind() => Phase::Confirmed,
            Phase::Confirmed => self.confirmed_but_not_seen(now, element),
            Phase::Failed => Phase::Failed,
        }
    }

    /// Too long since the demand; or since the command, for what it was when commissioned; or it has not moved at all.
    fn is_late(&self, now: Mono, element: &Element) -> bool {
        let since_command = self.stroke.commanded.map(|commanded| now.since(commanded));
        let worn = self.stroke.whole && since_command.is_some_and(|span| span >= element.fails_from());
        now.since(self.demanded) >= element.travel_limit || worn || self.has_not_moved(now, element)
    }

    fn has_not_moved(&self, now: Mono, element: &Element) -> bool {
        self.position == Position::Unsafe
            && self
                .stroke
                .commanded
                .zip(element.supervision.dead_limit)
                .is_some_and(|(commanded, limit)| now.since(commanded) >= limit)
    }

    /// Feedback that says "not safe" fails it at once; feedback that says nothing, after the travel limit.
    fn confirmed_but_not_seen(&mut self, now: Mono, element: &Element) -> Phase {
        match self.position {
            Position::Unsafe | Position::Conflict if element.mode == Mode::Act => Phase::Failed,
            Position::Unsafe | Position::Conflict => Phase::Demanded,
            Position::Safe => Phase::Confirmed,
            Position::Unknown | Position::Travelling | Position::Closing | Position::Opening => {
                let since = *self.unseen_since.get_or_insert(now);
                if now.since(since) >= element.travel_limit { Phase::Failed } else { Phase::Confirmed }
            }
        }
    }

    /// What is wrong besides.
    fn look_around(&mut self, now: Mono, element: &Element) {
        let seen = self.position;
        let was = self.watched.last;
        // Where it is only observed somebody else commands it.
        let left_open = was == Position::Unsafe
            && (seen.is_between() || seen == Position::Safe)
            && self.demand == Demand::None
            && element.mode == Mode::Act;
        let left_safe = was == Position::Safe
            && (seen.is_between() || seen == Position::Unsafe)
            && self.demand == Demand::Trip
            && element.mode == Mode::Act;
        self.watched.moved = match (self.demand, seen) {
            (Demand::None, Position::Unsafe) | (Demand::Trip, Position::Safe) => false,
            // A demand has overtaken what moved before it.
            (Demand::Trip, _) if self.phase == Phase::Demanded => false,
            (_, _) => self.watched.moved || left_open || left_safe,
        };
        if seen.is_between() {
            let since = *self.watched.between_since.get_or_insert(now);
            // Under a demand the time limit of that says so.
            self.watched.stuck = self.demand == Demand::None && now.since(since) >= element.travel_limit;
        } else if seen != Position::Unknown {
            self.watched.between_since = None;
            self.watched.stuck = false;
        }
        if !matches!(seen, Position::Safe | Position::Unknown) {
            self.released = None;
        }
        self.watched.stays_shut = self
            .released
            .zip(element.supervision.reopens)
            .is_some_and(|(released, expected)| now.since(released) >= expected);
        if !matches!(seen, Position::Unknown | Position::Conflict) {
            self.watched.last = seen;
        }
    }

    /// Whether gas goes on rising behind it, once it is confirmed closed; says whether that is news.
    pub(crate) fn check_leak(
        &mut self,
        now: Mono,
        check: &LeakCheck,
        reading: impl Fn(PointId) -> Reading,
    ) -> bool {
        if self.demand == Demand::None || self.phase != Phase::Confirmed {
            let was = std::mem::take(&mut self.leak);
            return was.found || was.over;
        }
        let since = now.since(*self.leak.confirmed.get_or_insert(now));
        if since < check.from || self.leak.over {
            return false;
        }
        self.leak.at_first.resize(check.points.len(), None);
        let mut rises = false;
        for ((point, rise), at_first) in check.points.iter().zip(&mut self.leak.at_first) {
            let reading = reading(*point);
            rises |= match (reading.quality, reading.value, *at_first) {
                (Quality::Good, Some(value), Some(first)) => value - first >= *rise,
                (Quality::Good, Some(value), None) => {
                    *at_first = Some(value);
                    false
                }
                // It was in range when the check began: beyond it is higher.
                (Quality::Uncertain(Doubt::OverRange), _, Some(_)) => true,
                (_, _, _) => false,
            };
        }
        let before = (self.leak.found, self.leak.over);
        self.leak.found |= rises;
        self.leak.over = since >= check.to;
        before != (self.leak.found, self.leak.over)
    }

    /// What is known of one of its alarms.
    pub(crate) fn verdict(&self, condition: Condition, element: &Element) -> Verdict {
        let says = |known: bool, breach: bool| match (breach, known) {
            (true, _) => Verdict::Breach,
            (false, true) => Verdict::Clear,
            (false, false) => Verdict::Unknown,
        };
        let settled = matches!(self.phase, Phase::Idle | Phase::Confirmed);
        let seen = self.position;
        if condition == Condition::NotConfirmed {
            says(settled, self.phase == Phase::Failed)
        } else if condition == Condition::FeedLive {
            let live = element.kind == ElementKind::Load && seen == Position::Unsafe;
            says(settled || seen == Position::Safe, self.phase == Phase::Failed && live)
        } else if condition == Condition::MovedUncommanded {
            let in_place = seen == Position::Unsafe || self.demand == Demand::Trip && seen == Position::Safe;
            says(in_place || self.phase == Phase::Demanded, self.watched.moved)
        } else if condition == Condition::FeedbackConflict {
            let sound = matches!(seen, Position::Safe | Position::Unsafe);
            says(sound || seen.is_between(), seen == Position::Conflict || self.watched.stuck)
        } else if condition == Condition::SlowTravel {
            says(self.watched.slow.is_some(), self.watched.slow == Some(true))
        } else if condition == Condition::FailedToOpen {
            let open = !matches!(seen, Position::Safe | Position::Unknown);
            says(open || self.demand == Demand::Trip, self.watched.stays_shut)
        } else if condition == Condition::LeakThrough {
            says(self.demand == Demand::None || self.leak.over, self.leak.found)
        } else if condition == Condition::ProofTestFailed {
            says(self.test_failed.is_some(), self.test_failed == Some(true))
        } else if condition == Condition::ProofTestDue {
            says(self.test_due.is_some(), self.test_due == Some(true))
        } else {
            Verdict::Unknown
        }
    }

    /// Whether the stroke that has just ended shows all that a full test would: seen from end to end, in its time.
    pub(crate) fn proves_itself(&self, element: &Element) -> bool {
        self.phase == Phase::Confirmed
            && self.stroke.dead.is_some()
            && self.stroke.travel.is_some_and(|travel| travel < element.fails_from())
    }

    /// Whether something is running out, so that time alone can move it.
    pub(crate) fn is_timed(&self) -> bool {
        self.demand == Demand::Trip || self.watched.between_since.is_some() || self.released.is_some()
    }

    /// Time since the demand, while one stands.
    pub(crate) fn elapsed(&self, now: Mono) -> Option<Span> {
        (self.demand == Demand::Trip).then(|| now.since(self.demanded))
    }

    /// Whether its unsafe end was never left since the command.
    pub(crate) fn never_moved(&self) -> bool {
        self.stroke.whole && self.stroke.dead.is_none() && self.position == Position::Unsafe
    }
}

/// Where the contacts say an element is. A contact that is not good says nothing.
pub(crate) fn position(element: &Element, reading: impl Fn(PointId) -> Reading) -> Position {
    let says = |contact: Option<Contact>| {
        contact.map(|c| {
            let r = reading(c.point);
            (r.quality == Quality::Good).then_some(r.value).flatten().map(|v| (v > 0.5) == c.yes)
        })
    };
    match (says(element.safe_contact), says(element.unsafe_contact)) {
        (None, None) | (Some(None), _) | (_, Some(None)) => Position::Unknown,
        (Some(Some(true)), Some(Some(true))) => Position::Conflict,
        (Some(Some(true)), Some(Some(false)) | None) | (None, Some(Some(false))) => Position::Safe,
        (Some(Some(false)), Some(Some(false))) => Position::Travelling,
        (Some(Some(false)) | None, Some(Some(true))) | (Some(Some(false)), None) => Position::Unsafe,
    }
}

/// What an element's state means, for people.
pub(crate) fn words(element: &Element, life: &ElementLife) -> Text {
    let (safe_zh, safe_en, verb_zh, verb_en) = match element.kind {
        ElementKind::Valve => ("关闭", "closed", "关阀", "close"),
        ElementKind::Load => ("断电", "dead", "断电", "cut power"),
        ElementKind::Siren => ("启动", "on", "启动", "switch on"),
        ElementKind::Lock => ("闭锁", "locked", "闭锁", "lock"),
    };
    let (unsafe_zh, unsafe_en) = match element.kind {
        ElementKind::Valve => ("开启", "open"),
        ElementKind::Load => ("带电", "live"),
        ElementKind::Siren => ("停止", "off"),
        ElementKind::Lock => ("未闭锁", "free"),
    };
    let (zh, en) = match (life.demand, life.phase, element.mode) {
        (Demand::None, _, _) if life.found_tripped => (
            "启动时已处于动作状态, 保持".to_owned(),
            "found tripped at the start, left so until a reset".to_owned(),
        ),
        (Demand::None, _, _) => match life.position {
            Position::Safe => (format!("已{safe_zh}, 无指令"), format!("{safe_en}, nothing demanded")),
            Position::Unsafe => (format!("{unsafe_zh}, 无指令"), format!("{unsafe_en}, nothing demanded")),
            Position::Travelling => ("行程中, 无指令".to_owned(), "travelling, nothing demanded".to_owned()),
            Position::Closing => {
                ("动作中, 无指令".to_owned(), format!("on its way to {safe_en}, nothing demanded"))
            }
            Position::Opening => {
                ("复位中, 无指令".to_owned(), format!("on its way to {unsafe_en}, nothing demanded"))
            }
            Position::Conflict => ("两限位同时到位".to_owned(), "both limits at once".to_owned()),
            Position::Unknown => ("无指令".to_owned(), "nothing demanded".to_owned()),
        },
        (Demand::Trip, Phase::Confirmed, _) => match life.stroke.travel {
            Some(travel) => {
                (format!("已确认{safe_zh}, 用时 {travel}"), format!("confirmed {safe_en} in {travel}"))
            }
            None => (format!("已确认{safe_zh}"), format!("confirmed {safe_en}")),
        },
        (Demand::Trip, Phase::Failed, _) if life.never_moved() => {
            (format!("已指令{verb_zh}, 未动作"), format!("commanded to {verb_en}, has not moved"))
        }
        (Demand::Trip, Phase::Failed, _) => (
            format!("已指令{verb_zh}, 未确认{safe_zh}"),
            format!("commanded to {verb_en}, not confirmed {safe_en}"),
        ),
        (Demand::Trip, Phase::Idle | Phase::Demanded | Phase::Commanded, Mode::Observe) => (
            format!("观察模式: 本应{verb_zh}, 未写"),
            format!("observe mode: would {verb_en}, nothing written"),
        ),
        (Demand::Trip, Phase::Idle | Phase::Demanded, Mode::Act) => {
            (format!("要求{verb_zh}"), format!("demanded to {verb_en}"))
        }
        (Demand::Trip, Phase::Commanded, Mode::Act) => match life.position {
            Position::Travelling | Position::Closing | Position::Opening => {
                ("行程中".to_owned(), "travelling".to_owned())
            }
            Position::Unknown | Position::Safe | Position::Unsafe | Position::Conflict => {
                (format!("已指令{verb_zh}"), format!("commanded to {verb_en}"))
            }
        },
    };
    Text::new(format!("{}: {zh}", element.name.zh), format!("{}: {en}", element.name.en))
}

#[cfg(test)]
mod tests;
