//! One supervised element: commanded, watched until its feedback confirms, and never believed without. The diagram
//! stands at [`Phase`].

use crate::model::element::{Demand, ElementKind, Mode, Phase, Position};
use crate::model::plan::{Contact, Element};
use crate::model::point::{Quality, Reading, Text};
use crate::model::table::PointId;
use crate::model::time::{Mono, Span};

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
    /// Whether its read-back was heard since the start, or since the last reload.
    heard: bool,
    /// The last position that was told.
    told: Position,
    /// Since when a confirmed position is not seen.
    unseen_since: Option<Mono>,
}

impl ElementLife {
    /// Takes in what is demanded; says whether that is news.
    pub(crate) fn demand(&mut self, now: Mono, demand: Demand) -> bool {
        if self.demand == demand {
            return false;
        }
        self.demand = demand;
        self.demanded = now;
        self.unseen_since = None;
        self.phase = match demand {
            Demand::Trip => Phase::Demanded,
            Demand::None => Phase::Idle,
        };
        true
    }

    /// The demand was written and read back.
    pub(crate) fn written(&mut self, element: &Element, demand: Demand) {
        if demand == Demand::Trip && self.demand == Demand::Trip && self.phase == Phase::Demanded {
            let blind = element.safe_contact.is_none() && element.unsafe_contact.is_none();
            self.phase = if blind { Phase::Confirmed } else { Phase::Commanded };
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

    /// Takes in where its contacts say it is, and the time; says whether anything is worth a record.
    pub(crate) fn watch(&mut self, now: Mono, element: &Element, position: Position) -> bool {
        let before = (self.phase, self.told);
        self.position = position;
        if position != Position::Unknown || self.demand == Demand::Trip {
            self.told = position;
        }
        if self.demand == Demand::Trip {
            self.phase = self.supervised(now, element);
        }
        before != (self.phase, self.told)
    }

    fn supervised(&mut self, now: Mono, element: &Element) -> Phase {
        if self.position == Position::Safe {
            self.unseen_since = None;
            // Safe without our write read back yet: somebody was faster, and that is as good.
            return Phase::Confirmed;
        }
        let late = now.since(self.demanded) >= element.travel_limit;
        let blind = element.safe_contact.is_none() && element.unsafe_contact.is_none();
        match self.phase {
            Phase::Idle => Phase::Idle,
            // Nothing is written in observe mode, so nothing can be late.
            Phase::Demanded if element.mode == Mode::Observe => Phase::Demanded,
            Phase::Demanded | Phase::Commanded if late => Phase::Failed,
            Phase::Demanded => Phase::Demanded,
            Phase::Commanded => Phase::Commanded,
            Phase::Confirmed if blind => Phase::Confirmed,
            Phase::Confirmed => self.confirmed_but_not_seen(now, element),
            Phase::Failed => Phase::Failed,
        }
    }

    /// Feedback that says "not safe" fails it at once; feedback that says nothing, after the travel limit.
    fn confirmed_but_not_seen(&mut self, now: Mono, element: &Element) -> Phase {
        match self.position {
            Position::Unsafe | Position::Conflict if element.mode == Mode::Act => Phase::Failed,
            Position::Unsafe | Position::Conflict => Phase::Demanded,
            Position::Safe => Phase::Confirmed,
            Position::Unknown | Position::Travelling => {
                let since = *self.unseen_since.get_or_insert(now);
                if now.since(since) >= element.travel_limit { Phase::Failed } else { Phase::Confirmed }
            }
        }
    }

    /// Time since the demand, while one stands.
    pub(crate) fn elapsed(&self, now: Mono) -> Option<Span> {
        (self.demand == Demand::Trip).then(|| now.since(self.demanded))
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
            Position::Conflict => ("两限位同时到位".to_owned(), "both limits at once".to_owned()),
            Position::Unknown => ("无指令".to_owned(), "nothing demanded".to_owned()),
        },
        (Demand::Trip, Phase::Confirmed, _) => (format!("已确认{safe_zh}"), format!("confirmed {safe_en}")),
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
            Position::Travelling => ("行程中".to_owned(), "travelling".to_owned()),
            Position::Unknown | Position::Safe | Position::Unsafe | Position::Conflict => {
                (format!("已指令{verb_zh}"), format!("commanded to {verb_en}"))
            }
        },
    };
    Text::new(format!("{}: {zh}", element.name.zh), format!("{}: {en}", element.name.en))
}
