//! Setting alarms aside: by an operator for a while, for maintenance, by design. It silences people and never a trip;
//! what may be silenced, for how long and by how many, stands here.

use super::bypass::lacks_second;
use super::orders::refuse;
use super::site::{Effects, Site};
use crate::model::alarm::{AlarmCause, Aside, AsideHow, Condition, Level};
use crate::model::command::Reply;
use crate::model::point::Text;
use crate::model::record::Who;
use crate::model::table::AlarmId;
use crate::model::time::{Now, Span};

/// Longest time for which an alarm is shelved, in minutes; and for the alarms of a trip.
const SHELVE_MAX: u32 = 60;
/// See [`SHELVE_MAX`].
const SHELVE_MAX_TRIP: u32 = 15;

impl Site {
    /// Sets an alarm aside for a person, or says everything that stands against it.
    pub(super) fn set_aside(
        &mut self,
        now: Now,
        key: &str,
        wanted: (AsideHow, Option<u32>),
        why: (&str, Option<&str>),
        who: &Who,
        effects: &mut Effects,
    ) -> Reply {
        let Some(id) = self.plan.alarm(key) else { return no_alarm(key) };
        let ((how, minutes), (reason, second)) = (wanted, why);
        let against = self.against(id, minutes, reason, second, who);
        if !against.is_empty() {
            return Reply::Refused(against);
        }
        let span = minutes.map(|minutes| Span::from_secs(u64::from(minutes) * 60));
        let aside = Aside {
            how,
            until: span.map(|span| now.wall.after(span)),
            minutes,
            by: who.name.clone(),
            second: second.map(str::to_owned),
            reason: reason.to_owned(),
            count: 0,
        };
        let moved = self.alarms[id].set_aside(now, aside, span);
        self.set_timer(id);
        self.tell_alarm(now, id, moved, Some(who.clone()), effects);
        match minutes {
            Some(m) => Reply::Done(Text::new(
                format!("已搁置 {key}, {m} 分钟"),
                format!("shelved {key} for {m} minutes"),
            )),
            None => Reply::Done(Text::new(format!("已停用 {key}"), format!("took {key} out of service"))),
        }
    }

    fn against(
        &self,
        id: AlarmId,
        minutes: Option<u32>,
        reason: &str,
        second: Option<&str>,
        who: &Who,
    ) -> Vec<Text> {
        let key = &self.plan.alarms[id].key;
        let mut against = Vec::new();
        let condition = self.plan.alarms[id].condition;
        if matches!(condition, Condition::NotConfirmed | Condition::FeedLive) {
            against.push(Text::new(
                format!("{key} 不允许搁置"),
                format!("{key} may not be set aside: what was cut is perhaps still live"),
            ));
        }
        if condition == Condition::BypassActive {
            against.push(Text::new(
                format!("{key} 不允许搁置"),
                format!(
                    "{key} may not be set aside: it says that a detector is out of the vote; end the bypass"
                ),
            ));
        }
        if reason.trim().is_empty() {
            against.push(Text::new("须写明原因", "a reason is needed"));
        }
        let (max, of_trip) = if self.is_of_trip(id) { (SHELVE_MAX_TRIP, true) } else { (SHELVE_MAX, false) };
        if minutes.is_some_and(|minutes| minutes == 0 || minutes > max) {
            against.push(Text::new(
                format!("{key} 只能搁置 1 至 {max} 分钟"),
                format!("{key} may be shelved for 1 to {max} minutes"),
            ));
        }
        if of_trip {
            against.extend(lacks_second(second, who));
        }
        against
    }

    /// Whether an alarm has to do with a trip: a cause of one, or of that level.
    fn is_of_trip(&self, id: AlarmId) -> bool {
        self.plan.alarms[id].condition.level() == Some(Level::Trip) || self.causes_any(id)
    }

    /// Takes back what a person set aside. What is suppressed by design is not a person's to take back.
    pub(super) fn take_back(&mut self, now: Now, key: &str, who: &Who, effects: &mut Effects) -> Reply {
        let Some(id) = self.plan.alarm(key) else { return no_alarm(key) };
        match self.alarms[id].aside().map(|aside| aside.how) {
            None => refuse(format!("{key} 未搁置"), format!("{key} is not set aside")),
            Some(AsideHow::Suppressed) => refuse(
                format!("{key} 由逻辑抑制"),
                format!("{key} is suppressed by design while another alarm says it"),
            ),
            Some(AsideHow::Shelved | AsideHow::OutOfService) => {
                if let Some(moved) = self.alarms[id].take_back(now, AlarmCause::TakenBack) {
                    self.set_timer(id);
                    self.tell_alarm(now, id, moved, Some(who.clone()), effects);
                }
                Reply::Done(Text::new(format!("已恢复 {key}"), format!("{key} is announced again")))
            }
        }
    }

    /// Suppression by design: follows the alarms that say it already. What a person set aside stays so.
    pub(super) fn suppress(&mut self, now: Now, id: AlarmId, effects: &mut Effects) {
        let Some(by) = self.plan.suppressed.get(&id) else { return };
        let speaking = by.iter().find(|by| self.alarms[**by].active() && self.alarms[**by].aside().is_none());
        let moved = match (speaking, self.alarms[id].aside().map(|aside| aside.how)) {
            (Some(by), None) => {
                let by = self.plan.alarms[*by].key.clone();
                let reason = String::new();
                let aside = Aside {
                    how: AsideHow::Suppressed,
                    until: None,
                    minutes: None,
                    by,
                    second: None,
                    reason,
                    count: 0,
                };
                Some(self.alarms[id].set_aside(now, aside, None))
            }
            (None, Some(AsideHow::Suppressed)) => self.alarms[id].take_back(now, AlarmCause::TakenBack),
            (Some(_), Some(_)) | (None, None | Some(AsideHow::Shelved | AsideHow::OutOfService)) => None,
        };
        if let Some(moved) = moved {
            self.tell_alarm(now, id, moved, None, effects);
        }
    }
}

fn no_alarm(key: &str) -> Reply {
    refuse(format!("没有报警 {key}"), format!("there is no alarm {key}; `davy status` lists the alarms"))
}
