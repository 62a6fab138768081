//! Setting alarms aside: by an operator for a while, for maintenance, by design. It silences people and never a trip;
//! what may be silenced, for how long and by how many, stands here.

use super::bypass::lacks_second;
use super::orders::refuse;
use super::site::{Effects, Site};
use crate::model::alarm::{AlarmCause, Aside, AsideHow, Condition, Level};
use crate::model::command::Reply;
use crate::model::plan::{Point, Subject};
use crate::model::point::Text;
use crate::model::record::Who;
use crate::model::table::AlarmId;
use crate::model::time::{Now, Span};

/// Longest time for which an alarm is shelved, in minutes; and for the alarms of a trip.
const SHELVE_MAX: u32 = 60;
/// See [`SHELVE_MAX`].
const SHELVE_MAX_TRIP: u32 = 15;

/// For how many hours an alarm is out of service where nobody says: to the end of the shift.
pub(crate) const OUT_OF_SERVICE_HOURS: u32 = 8;

/// Longest time out of service, in hours: a week; and for the alarms of a trip a shift, as for a bypass. After it the
/// alarm says what it has to say.
const OUT_OF_SERVICE_MAX: u32 = 7 * 24;
/// See [`OUT_OF_SERVICE_MAX`].
const OUT_OF_SERVICE_MAX_TRIP: u32 = 8;

impl Site {
    /// Sets an alarm aside for a person, or says everything that stands against it.
    pub(super) fn set_aside(
        &mut self,
        now: Now,
        key: &str,
        wanted: (AsideHow, u32),
        why: (&str, Option<&str>),
        who: &Who,
        effects: &mut Effects,
    ) -> Reply {
        let Some(id) = self.plan.alarm(key) else { return no_alarm(key) };
        let ((how, minutes), (reason, second)) = (wanted, why);
        let against = self.against(id, wanted, reason, second, who);
        if !against.is_empty() {
            return Reply::Refused(against);
        }
        let span = Span::from_secs(60).times(u64::from(minutes));
        let aside = Aside {
            how,
            until: Some(now.wall.after(span)),
            minutes: Some(minutes),
            by: who.name.clone(),
            second: second.map(str::to_owned),
            reason: reason.to_owned(),
            count: 0,
        };
        let moved = self.alarms[id].set_aside(now, aside, Some(span));
        self.set_timer(id);
        self.tell_alarm(now, id, moved, Some(who.clone()), effects);
        Reply::Done(match how {
            AsideHow::OutOfService => {
                Text::new(format!("已停用 {key}, {span}"), format!("took {key} out of service for {span}"))
            }
            AsideHow::Shelved | AsideHow::Suppressed => Text::new(
                format!("已搁置 {key}, {minutes} 分钟"),
                format!("shelved {key} for {minutes} minutes"),
            ),
        })
    }

    fn against(
        &self,
        id: AlarmId,
        (how, minutes): (AsideHow, u32),
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
        let of_trip = self.is_of_trip(id);
        let (max, words) = match how {
            AsideHow::OutOfService => {
                let hours = if of_trip { OUT_OF_SERVICE_MAX_TRIP } else { OUT_OF_SERVICE_MAX };
                let words = Text::new(
                    format!("{key} 只能停用 1 至 {hours} 小时"),
                    format!("{key} may be out of service for 1 to {hours} hours"),
                );
                (hours.saturating_mul(60), words)
            }
            AsideHow::Shelved | AsideHow::Suppressed => {
                let max = if of_trip { SHELVE_MAX_TRIP } else { SHELVE_MAX };
                let words = Text::new(
                    format!("{key} 只能搁置 1 至 {max} 分钟"),
                    format!("{key} may be shelved for 1 to {max} minutes"),
                );
                (max, words)
            }
        };
        if minutes == 0 || minutes > max {
            against.push(words);
        }
        if of_trip {
            against.extend(lacks_second(second, who));
        }
        against
    }

    /// Whether an alarm has to do with a trip: a cause of one, or of that level, or one that says of a voter that there
    /// is gas, or that it can't be believed.
    fn is_of_trip(&self, id: AlarmId) -> bool {
        let alarm = &self.plan.alarms[id];
        let votes = |point: &Point| point.alarms.iter().any(|a| self.causes_any(*a));
        let of_voter = match (alarm.condition, alarm.subject) {
            (Condition::OverRange | Condition::SensorFault, Subject::Point(point)) => {
                votes(&self.plan.points[point])
            }
            (Condition::CommLost | Condition::Stale, Subject::Device(device)) => {
                self.plan.points_of(device).any(|(_, point)| votes(point))
            }
            (condition, Subject::Point(point)) if condition.level() == Some(Level::Alarm) => {
                votes(&self.plan.points[point])
            }
            (_, _) => false,
        };
        of_voter || alarm.condition.level() == Some(Level::Trip) || self.causes_any(id)
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
