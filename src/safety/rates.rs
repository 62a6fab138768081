//! How many alarms people get: the figures of `EEMUA 191`, and the nuisances of `ISA-18.2` (floods, chattering, stale
//! alarms). An alarm system that nobody can read any more is a fault of its own.

use super::site::{Effects, Site};
use crate::model::alarm::AlarmCause;
use crate::model::point::Text;
use crate::model::record::{AlarmRates, Body, Nuisance, NuisanceKind, Record};
use crate::model::table::AlarmId;
use crate::model::time::{Mono, Now, Span};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// So many announcements within ten minutes begin a flood.
const FLOOD_BEGINS: usize = 10;

/// Fewer than so many end it.
const FLOOD_ENDS: usize = 5;

const TEN_MINUTES: Span = Span::from_secs(600);

/// How often the figures go on record.
const TOLD_EVERY: Span = Span::from_secs(3_600);

/// An alarm that is active for longer is stale.
pub(crate) const STALE_AFTER: Span = Span::from_secs(24 * 3_600);

/// Ten-minute periods that are kept: a day.
const PERIODS: usize = 144;

/// Announcements of the last ten minutes that are kept by their times; a flood of more is a flood all the same.
const RECENT_MAX: usize = 1_000;

/// Counts announcements.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    /// When each of the last ten minutes' was.
    recent: VecDeque<Mono>,
    /// How many there were in each period of ten minutes, the present one last.
    periods: VecDeque<u64>,
    period_ends: Mono,
    flooded: bool,
    told_at: Mono,
    /// Alarms that were told to chatter, and to be stale.
    pub(crate) chattering: BTreeSet<AlarmId>,
    pub(crate) stale: BTreeSet<AlarmId>,
}

impl Rates {
    pub(crate) fn new(now: Mono) -> Rates {
        Rates {
            recent: VecDeque::new(),
            periods: VecDeque::from([0]),
            period_ends: now + TEN_MINUTES,
            flooded: false,
            told_at: now,
            chattering: BTreeSet::new(),
            stale: BTreeSet::new(),
        }
    }

    /// The same, under the row numbers of another plan.
    pub(crate) fn taken_over(&self, renumber: impl Fn(AlarmId) -> Option<AlarmId>) -> Rates {
        let renumbered = |ids: &BTreeSet<AlarmId>| ids.iter().filter_map(|id| renumber(*id)).collect();
        Rates { chattering: renumbered(&self.chattering), stale: renumbered(&self.stale), ..self.clone() }
    }

    /// An alarm was announced.
    pub(crate) fn announced(&mut self, now: Mono) {
        self.go_on(now);
        if self.recent.len() < RECENT_MAX {
            self.recent.push_back(now);
        }
        if let Some(period) = self.periods.back_mut() {
            *period = period.saturating_add(1);
        }
    }

    fn go_on(&mut self, now: Mono) {
        while self.recent.front().is_some_and(|at| now.since(*at) >= TEN_MINUTES) {
            self.recent.pop_front();
        }
        // After a long sleep no more periods are passed than are kept.
        for _ in 0..PERIODS {
            if now < self.period_ends {
                return;
            }
            self.period_ends = self.period_ends + TEN_MINUTES;
            self.periods.push_back(0);
            if self.periods.len() > PERIODS {
                self.periods.pop_front();
            }
        }
        self.period_ends = self.period_ends.max(now + TEN_MINUTES);
    }

    /// The figures.
    pub(crate) fn figures(&self) -> AlarmRates {
        AlarmRates {
            ten_minutes: self.recent.len() as u64,
            hour: self.periods.iter().rev().take(6).sum(),
            day: self.periods.iter().sum(),
            worst_ten_minutes: self.periods.iter().copied().max().unwrap_or(0),
        }
    }

    /// With the tick: the flood that begins or ends.
    pub(crate) fn flood(&mut self, now: Mono) -> Option<Nuisance> {
        self.go_on(now);
        let count = self.recent.len();
        let flooded = if self.flooded { count >= FLOOD_ENDS } else { count >= FLOOD_BEGINS };
        (flooded != std::mem::replace(&mut self.flooded, flooded)).then(|| Nuisance {
            kind: NuisanceKind::Flood,
            key: String::new(),
            raised: flooded,
            count: count as u64,
            text: if flooded {
                Text::new(
                    format!("报警泛滥: 10分钟内 {count} 条; 先处理红色和橙色"),
                    format!("alarm flood: {count} in ten minutes; see to red and orange first"),
                )
            } else {
                Text::new("报警泛滥结束", "the alarm flood is over")
            },
        })
    }

    /// With the tick: the figures, once an hour, if there is anything to tell.
    pub(crate) fn hourly(&mut self, now: Mono) -> Option<AlarmRates> {
        if now.since(self.told_at) < TOLD_EVERY {
            return None;
        }
        self.told_at = now;
        Some(self.figures()).filter(|figures| figures.day > 0)
    }
}

impl Site {
    /// What the numbers and times of alarms say: floods, chattering, alarms that stand for days, the hourly figures.
    pub(super) fn nuisances(&mut self, now: Now, effects: &mut Effects) {
        let plan = Arc::clone(&self.plan);
        let key = |id: AlarmId| plan.alarms[id].key.as_str();
        effects
            .records
            .extend(self.rates.flood(now.mono).map(|n| Record { at: now, body: Body::Nuisance(n) }));
        let quiet: Vec<AlarmId> =
            self.rates.chattering.iter().copied().filter(|id| !self.alarms[*id].chatters(now.mono)).collect();
        for id in quiet {
            self.rates.chattering.remove(&id);
            effects.record(now, Body::Nuisance(chatter(key(id), false)));
        }
        if now.mono >= self.minute_due {
            for (id, life) in self.alarms.iter() {
                let is_stale = life.active() && life.active_for(now.mono) >= STALE_AFTER;
                let news = if is_stale { self.rates.stale.insert(id) } else { self.rates.stale.remove(&id) };
                if news {
                    effects.record(now, Body::Nuisance(stale(key(id), is_stale)));
                }
            }
        }
        effects
            .records
            .extend(self.rates.hourly(now.mono).map(|r| Record { at: now, body: Body::AlarmRates(r) }));
    }

    /// Counts what people are told.
    pub(super) fn count(&mut self, now: Now, id: AlarmId, cause: AlarmCause, effects: &mut Effects) {
        if !matches!(cause, AlarmCause::Occurred | AlarmCause::Reannounced) {
            return;
        }
        if self.alarms[id].aside().is_none() {
            self.rates.announced(now.mono);
        }
        if self.alarms[id].chatters(now.mono) && self.rates.chattering.insert(id) {
            effects.record(now, Body::Nuisance(chatter(&self.plan.alarms[id].key, true)));
        }
    }
}

/// That an alarm chatters, or no longer.
pub(crate) fn chatter(key: &str, raised: bool) -> Nuisance {
    let text = if raised {
        Text::new(
            format!("{key}: 一分钟内三次, 抖动; 检查回差、延时和接线"),
            format!("{key}: three times in a minute; check hysteresis, delay and wiring"),
        )
    } else {
        Text::new(format!("{key}: 不再抖动"), format!("{key} no longer chatters"))
    };
    Nuisance { kind: NuisanceKind::Chattering, key: key.to_owned(), raised, count: 3, text }
}

/// That an alarm is stale, or no longer.
pub(crate) fn stale(key: &str, raised: bool) -> Nuisance {
    let hours = STALE_AFTER.us() / 3_600_000_000;
    let text = if raised {
        Text::new(
            format!("{key}: 已持续 {hours} 小时; 消除原因, 或纳入隐患台账"),
            format!(
                "{key} has stood for {hours} hours; remove its cause or enter it in the ledger of hazards"
            ),
        )
    } else {
        Text::new(format!("{key}: 已恢复"), format!("{key} no longer stands"))
    };
    Nuisance { kind: NuisanceKind::Stale, key: key.to_owned(), raised, count: hours, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minute(m: u64) -> Mono {
        Mono::from_us(m * 60_000_000)
    }

    #[test]
    fn ten_alarms_in_ten_minutes_are_a_flood_until_there_are_fewer_than_five() {
        let mut rates = Rates::new(Mono::START);
        for n in 0..10 {
            assert_eq!(rates.flood(minute(n)), None);
            rates.announced(minute(n));
        }
        assert!(rates.flood(minute(9)).is_some_and(|n| n.raised && n.count == 10));
        assert_eq!(rates.flood(minute(14)), None, "five are left");
        assert!(rates.flood(minute(15)).is_some_and(|n| !n.raised));
    }

    #[test]
    fn figures_are_those_of_ten_minutes_an_hour_and_a_day() {
        let mut rates = Rates::new(Mono::START);
        for m in [1, 2, 3, 55, 56, 119] {
            rates.announced(minute(m));
        }
        let expected = AlarmRates { ten_minutes: 1, hour: 1, day: 6, worst_ten_minutes: 3 };
        assert_eq!(rates.figures(), expected);
        assert_eq!(rates.hourly(minute(119)), Some(expected));
        assert_eq!(rates.hourly(minute(120)), None);
        rates.flood(minute(3_000));
        assert_eq!(rates.figures(), AlarmRates::default());
        assert_eq!(rates.hourly(minute(3_000)), None, "nothing to tell");
    }

    proptest! {
        #[test]
        fn whatever_the_times_what_is_kept_is_bounded(times in prop::collection::vec(any::<u64>(), 0..300)) {
            let mut rates = Rates::new(Mono::START);
            for at in times {
                rates.announced(Mono::from_us(at));
                rates.flood(Mono::from_us(at));
                prop_assert!(rates.periods.len() <= PERIODS && rates.recent.len() <= RECENT_MAX);
                prop_assert!(rates.figures().ten_minutes <= 300);
            }
        }
    }
}
