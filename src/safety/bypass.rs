//! Bypasses: a named person takes one cause out of the votes, for a reason and for a bounded time. The cause goes on
//! being judged, recorded and annunciated; it only votes no more, and proves nothing for a reset. It comes back by
//! itself: nothing that a person forgets and no clock that is set back leaves a detector out for longer than was said.

use super::orders::refuse;
use super::site::{Effects, Site};
use crate::model::command::Reply;
use crate::model::plan::{Plan, Subject};
use crate::model::point::{Tag, Text};
use crate::model::record::{Body, BypassChange, BypassStanding, BypassStep, BypassedStanding, Standing, Who};
use crate::model::table::{AlarmId, PointId, TripId};
use crate::model::time::{Mono, Now, Span, Wall};
use crate::model::view::BypassView;
use std::collections::{BTreeMap, BTreeSet};

/// How long a bypass lasts where nobody says.
pub const DEFAULT_MINUTES: u32 = 30;

/// Longest bypass: one shift.
pub const MAX_MINUTES: u32 = 480;

/// So long before its end it is announced, that somebody may finish or ask anew.
const WARNING: Span = Span::from_secs(300);

/// A bypass that begins so soon after the last one ended goes on with it: that takes a second person.
const RENEWAL: Span = Span::from_secs(600);

/// The wall clock may fall behind by this much before that counts as set back: an NTP daemon slews and steps.
pub(super) const SLACK: Span = Span::from_secs(2);

/// What a person asks for.
pub(super) struct Asked<'a> {
    pub(super) target: &'a str,
    pub(super) minutes: Option<u32>,
    pub(super) reason: &'a str,
    pub(super) second: Option<&'a str>,
}

/// The bypasses that stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bypasses {
    standing: BTreeMap<AlarmId, Bypass>,
    /// Those of the last day that are over, by key.
    over: BTreeMap<String, BypassedStanding>,
}

#[derive(Clone, Debug)]
struct Bypass {
    /// As the journal has it.
    told: BypassStanding,
    /// When it ends, on the clock that nobody sets.
    ends: Mono,
}

impl Bypasses {
    /// Goes on where the journal says they stood: for what the wall clock says is left, and never for longer than was
    /// left when that was last told. A clock that stands before their beginning says nothing; they end then.
    pub(crate) fn restored(plan: &Plan, standing: &Standing, now: Now) -> Bypasses {
        let restore = |(key, told): (&String, &BypassStanding)| {
            let cause = plan.alarm(key).filter(|cause| plan.bypassable.contains_key(cause))?;
            let by_wall = if now.wall < told.since { Span::ZERO } else { between(now.wall, told.until) };
            let ends = now.mono + by_wall.min(told.remaining);
            Some((cause, Bypass { told: told.clone(), ends }))
        };
        Bypasses {
            standing: standing.bypasses.iter().filter_map(restore).collect(),
            over: standing.bypassed.clone(),
        }
    }

    pub(crate) fn is_bypassed(&self, cause: AlarmId) -> bool {
        self.standing.contains_key(&cause)
    }

    /// When a cause was bypassed, where it is.
    pub(crate) fn since(&self, cause: AlarmId) -> Option<Wall> {
        self.standing.get(&cause).map(|bypass| bypass.told.since)
    }

    /// Whether `alarm`, a "bypass active", has a reason to stand.
    pub(crate) fn alarms(&self, plan: &Plan, alarm: AlarmId) -> bool {
        self.standing.keys().any(|cause| plan.bypassable.get(cause).is_some_and(|b| b.alarm == alarm))
    }

    pub(crate) fn standing(&self, plan: &Plan) -> BTreeMap<String, BypassStanding> {
        let told =
            |(cause, bypass): (&AlarmId, &Bypass)| (plan.alarms[*cause].key.clone(), bypass.told.clone());
        self.standing.iter().map(told).collect()
    }

    /// The bypasses of the last day that are over, by cause.
    pub(crate) fn over(&self) -> &BTreeMap<String, BypassedStanding> {
        &self.over
    }

    /// Takes in what was told of a bypass that is over.
    pub(super) fn note_over(&mut self, now: Now, change: &BypassChange) {
        if !change.step.goes_on() {
            BypassedStanding::note(&mut self.over, &change.cause, change.since, now.wall, change.lasted());
        }
    }

    pub(crate) fn view(&self, now: Mono) -> Vec<BypassView> {
        let view = |(cause, bypass): (&AlarmId, &Bypass)| BypassView {
            cause: *cause,
            left: bypass.ends.since(now),
            reason: bypass.told.reason.clone(),
            by: bypass.told.by.clone(),
            second: bypass.told.second.clone(),
        };
        self.standing.iter().map(view).collect()
    }

    /// What time brings about.
    fn step(&mut self, now: Now) -> Vec<(AlarmId, BypassStep, Bypass)> {
        let mut news = Vec::new();
        for (cause, bypass) in &mut self.standing {
            let left = bypass.ends.since(now.mono);
            if left == Span::ZERO {
                news.push((*cause, BypassStep::Expired, bypass.clone()));
                continue;
            }
            if between(now.wall, bypass.told.until) > left + SLACK {
                bypass.told.since = bypass.told.since.min(now.wall);
                bypass.told.until = later(now.wall, left);
                bypass.told.remaining = left;
                news.push((*cause, BypassStep::Reckoned, bypass.clone()));
            }
            if left <= WARNING && !bypass.told.warned {
                bypass.told.warned = true;
                bypass.told.remaining = left;
                news.push((*cause, BypassStep::Warned, bypass.clone()));
            }
        }
        self.standing.retain(|_, bypass| bypass.ends > now.mono);
        news
    }
}

/// From `from` to `to`; nothing where `to` is past.
fn between(from: Wall, to: Wall) -> Span {
    Span::from_ms(u64::try_from(to.ms().saturating_sub(from.ms())).unwrap_or(0))
}

fn later(from: Wall, span: Span) -> Wall {
    Wall::from_ms(from.ms().saturating_add(i64::try_from(span.ms()).unwrap_or(i64::MAX)))
}

impl Site {
    pub(super) fn bypass(&mut self, now: Now, asked: &Asked<'_>, who: &Who, effects: &mut Effects) -> Reply {
        let key = asked.target;
        let Some(cause) = self.plan.alarm(key) else {
            return refuse(
                format!("没有报警 {key}"),
                format!("there is no alarm {key}; `davy status` lists the alarms"),
            );
        };
        let minutes = asked.minutes.unwrap_or(DEFAULT_MINUTES);
        let missing = self.bypass_lacks(now, cause, minutes, asked, who);
        if !missing.is_empty() {
            return Reply::Refused(missing);
        }
        let span = Span::from_secs(60).times(u64::from(minutes));
        let told = BypassStanding {
            since: now.wall,
            until: later(now.wall, span),
            remaining: span,
            warned: false,
            reason: asked.reason.trim().to_owned(),
            by: who.clone(),
            second: asked.second.map(|s| s.trim().to_owned()),
        };
        let bypass = Bypass { told, ends: now.mono + span };
        self.bypasses.standing.insert(cause, bypass.clone());
        self.tell_bypass(now, cause, BypassStep::Started, &bypass, None, effects);
        Reply::Done(Text::new(
            format!("已旁路 {key}, {minutes} 分钟后自动恢复; 仍请现场监测"),
            format!("bypassed {key}; it votes again by itself in {minutes} min; go on measuring on site"),
        ))
    }

    /// Everything that stands against a bypass.
    fn bypass_lacks(
        &self,
        now: Now,
        cause: AlarmId,
        minutes: u32,
        asked: &Asked<'_>,
        who: &Who,
    ) -> Vec<Text> {
        let mut lacks = Vec::new();
        let key = &self.plan.alarms[cause].key;
        let voting = self.votes_in(cause);
        let rule = self.plan.bypassable.get(&cause);
        if voting.is_empty() {
            lacks.push(Text::new(format!("{key} 不参与任何表决"), format!("{key} votes in no trip")));
        } else if rule.is_none() {
            lacks.push(Text::new(
                format!("{key}: 配置文件规定不得旁路"),
                format!("{key}: the site file says that it is never bypassed"),
            ));
        }
        if !(1..=MAX_MINUTES).contains(&minutes) {
            lacks.push(Text::new(
                format!("{minutes} 分钟: 须为 1 至 {MAX_MINUTES} 分钟"),
                format!("{minutes} min: a bypass lasts 1 to {MAX_MINUTES} min"),
            ));
        }
        if asked.reason.trim().is_empty() {
            lacks.push(Text::new("须写明原因", "a reason is missing: --reason \"…\""));
        }
        let over = self.bypasses.over.get(key).filter(|over| over.counts(now.wall));
        let renews = over.is_some_and(|over| now.wall.since(over.ended) < RENEWAL);
        if rule.is_some_and(|r| r.two_persons || renews) {
            lacks.extend(lacks_second(asked.second, who));
        }
        // A shift in a day, in however many parts: nobody strings bypasses together into none at all.
        let spent = over.map_or(0, |over| over.spent.us().div_ceil(60_000_000));
        let left = u64::from(MAX_MINUTES).saturating_sub(spent);
        if spent > 0 && u64::from(minutes) > left {
            lacks.push(Text::new(
                format!("{key} 一天内最多旁路 {MAX_MINUTES} 分钟, 还剩 {left} 分钟"),
                format!("{key}: within a day it is bypassed for {MAX_MINUTES} min at most, and {left} min are left"),
            ));
        }
        if self.alarms[cause].active() {
            lacks.push(Text::new(
                format!("{key} 正在报警, 不得旁路"),
                format!("{key} is in alarm now: what says that there is danger is not bypassed"),
            ));
        }
        for trip in self.unguarded_without(|alarm| alarm == cause) {
            let tag = &self.plan.trips[trip].tag;
            lacks.push(Text::new(
                format!("{tag} 无其他有效测点监护, 不得旁路"),
                format!("{tag} would be left without a guard: the last one is not bypassed"),
            ));
        }
        if let Some(permit) = self.permits.touching(&self.plan, self.plan.alarms[cause].area) {
            lacks.push(Text::new(
                format!("作业票 {permit} 执行中, 不得旁路"),
                format!("the permit {permit} is in force there: nothing that guards it is bypassed"),
            ));
        }
        lacks.extend(self.bypassed_beside(cause, &voting));
        lacks.extend(self.calibrated_beside(cause, &voting));
        lacks
    }

    /// The trips that a cause votes in.
    fn votes_in(&self, cause: AlarmId) -> Vec<TripId> {
        self.plan.trips.iter().filter(|(_, t)| t.causes.contains(&cause)).map(|(id, _)| id).collect()
    }

    /// One voter at a time: a second one beside it, in whatever group of the same trip, is refused.
    fn bypassed_beside(&self, cause: AlarmId, voting: &[TripId]) -> Option<Text> {
        let causes = voting.iter().flat_map(|trip| self.plan.trips[*trip].causes.iter());
        let other = causes.copied().find(|c| self.bypasses.is_bypassed(*c))?;
        let other_key = &self.plan.alarms[other].key;
        Some(if other == cause {
            Text::new(
                format!("{other_key} 已旁路"),
                format!("{other_key} is bypassed already: end that first, `davy unbypass {other_key}`"),
            )
        } else {
            Text::new(
                format!("同组的 {other_key} 已旁路, 一次只许旁路一个"),
                format!("{other_key} of the same trip is bypassed: one at a time"),
            )
        })
    }

    /// One voter at a time: while a calibration has one out, no other is bypassed.
    fn calibrated_beside(&self, cause: AlarmId, voting: &[TripId]) -> Option<Text> {
        let point_of = |alarm: AlarmId| match self.plan.alarms[alarm].subject {
            Subject::Point(point) => Some(point),
            Subject::Device(_) | Subject::Element(_) => None,
        };
        let others = voting.iter().flat_map(|trip| self.plan.trips[*trip].causes.iter());
        let points = others.filter_map(|other| point_of(*other)).filter(|p| Some(*p) != point_of(cause));
        let point = points.into_iter().find(|point| self.signs.is_excused(*point))?;
        Some(one_calibrated(&self.plan.points[point].tag))
    }

    /// The bypassed causes of the trips that a point votes in, its own left aside.
    pub(super) fn bypassed_beside_point(&self, id: PointId) -> Option<AlarmId> {
        let of_point = |a: &AlarmId| self.plan.alarms[*a].subject == Subject::Point(id);
        let voting = self.plan.trips.values().filter(|trip| trip.causes.iter().any(of_point));
        let others = voting.flat_map(|trip| trip.causes.iter()).filter(|alarm| !of_point(alarm));
        others.copied().find(|alarm| self.bypasses.is_bypassed(*alarm))
    }

    pub(super) fn unbypass(&mut self, now: Now, key: &str, who: &Who, effects: &mut Effects) -> Reply {
        let found =
            self.plan.alarm(key).and_then(|cause| Some((cause, self.bypasses.standing.remove(&cause)?)));
        let Some((cause, bypass)) = found else {
            return refuse(format!("{key} 未旁路"), format!("{key} is not bypassed"));
        };
        self.tell_bypass(now, cause, BypassStep::Lifted, &bypass, Some(who.clone()), effects);
        Reply::Done(Text::new(format!("{key} 已恢复表决"), format!("{key} votes again")))
    }

    /// On the tick: what is over, what is over soon, and clocks that were set back.
    pub(super) fn step_bypasses(&mut self, now: Now, touched: &mut BTreeSet<AlarmId>, effects: &mut Effects) {
        for (cause, step, bypass) in self.bypasses.step(now) {
            touched.extend(self.plan.bypassable.get(&cause).map(|b| b.alarm));
            let change = self.bypass_change(now, cause, step, &bypass);
            self.bypasses.note_over(now, &change);
            effects.record(now, Body::Bypass(change));
        }
    }

    /// A reload ends no bypass and gives it no more time; where the new file no longer allows it, it ends.
    pub(super) fn hand_on_bypasses(&self, now: Now, next: &mut Site, effects: &mut Effects) {
        next.bypasses = Bypasses { over: self.bypasses.over.clone(), ..Bypasses::default() };
        for (cause, bypass) in &self.bypasses.standing {
            let kept = next.plan.alarm(&self.plan.alarms[*cause].key);
            match kept.filter(|kept| next.plan.bypassable.contains_key(kept)) {
                Some(kept) => drop(next.bypasses.standing.insert(kept, bypass.clone())),
                None => {
                    let change = self.bypass_change(now, *cause, BypassStep::Removed, bypass);
                    next.bypasses.note_over(now, &change);
                    let text = removed(&change.cause, kept.is_some());
                    effects.record(now, Body::Bypass(BypassChange { text, ..change }));
                }
            }
        }
    }

    fn tell_bypass(
        &mut self,
        now: Now,
        cause: AlarmId,
        step: BypassStep,
        bypass: &Bypass,
        who: Option<Who>,
        effects: &mut Effects,
    ) {
        let change = self.bypass_change(now, cause, step, bypass);
        self.bypasses.note_over(now, &change);
        effects.record(now, Body::Bypass(BypassChange { who, ..change }));
        let alarm = self.plan.bypassable.get(&cause).map(|b| b.alarm);
        self.judge(now, alarm.into_iter().collect(), effects);
    }

    /// Ends a bypass that may not stand any longer, for the reason that `text` gives.
    pub(super) fn end_bypass(
        &mut self,
        now: Now,
        cause: AlarmId,
        step: BypassStep,
        text: Text,
        effects: &mut Effects,
    ) {
        let Some(bypass) = self.bypasses.standing.remove(&cause) else { return };
        let change = self.bypass_change(now, cause, step, &bypass);
        self.bypasses.note_over(now, &change);
        effects.record(now, Body::Bypass(BypassChange { text, ..change }));
        let alarm = self.plan.bypassable.get(&cause).map(|b| b.alarm);
        self.judge(now, alarm.into_iter().collect(), effects);
    }

    fn bypass_change(&self, now: Now, cause: AlarmId, step: BypassStep, bypass: &Bypass) -> BypassChange {
        let alarm = &self.plan.alarms[cause];
        let Bypass { told, ends } = bypass;
        BypassChange {
            cause: alarm.key.clone(),
            area: self.plan.areas[alarm.area].tag.to_string(),
            step,
            trips: self.votes_in(cause).iter().map(|t| self.plan.trips[*t].tag.to_string()).collect(),
            since: told.since,
            until: told.until,
            remaining: ends.since(now.mono),
            reason: told.reason.clone(),
            by: told.by.clone(),
            second: told.second.clone(),
            who: None,
            text: words(&alarm.key, step, ends.since(now.mono)),
        }
    }
}

/// Says that `tag` is out of a vote already.
pub(super) fn one_calibrated(tag: &Tag) -> Text {
    Text::new(
        format!("同组的 {tag} 正在标校, 一次只许退出一个"),
        format!("{tag} of the same trip is being calibrated: one at a time"),
    )
}

/// What is wrong with the second person who has to stand for something.
pub(super) fn lacks_second(second: Option<&str>, who: &Who) -> Option<Text> {
    let second = second.map(str::trim).filter(|s| !s.is_empty());
    let Some(second) = second else {
        return Some(Text::new(
            "须有第二人: --second 姓名",
            "a second person must stand for it: --second NAME",
        ));
    };
    // A name as `Li (root)`: the person, and the account that they used.
    let person = who.name.split(" (").next().unwrap_or_default();
    let same = [person, &who.name].iter().any(|name| name.trim().to_lowercase() == second.to_lowercase());
    same.then(|| {
        Text::new(
            format!("{second} 是同一人"),
            format!("{second} is the person who asks: a second person must stand for it"),
        )
    })
}

/// A new site file does not let it be bypassed, or does not have it any more.
pub(super) fn removed(key: &str, is_there: bool) -> Text {
    if is_there {
        Text::new(
            format!("{key} 旁路解除: 新配置不允许"),
            format!("{key} votes again: the new site file does not let it be bypassed"),
        )
    } else {
        Text::new(
            format!("{key} 旁路结束: 新配置中已无此报警"),
            format!("the bypass of {key} is over: the new site file no longer has that alarm"),
        )
    }
}

fn words(key: &str, step: BypassStep, left: Span) -> Text {
    match step {
        BypassStep::Started => Text::new(format!("{key} 已旁路"), format!("{key} is bypassed")),
        BypassStep::Warned => {
            Text::new(format!("{key} 旁路还剩 {left}"), format!("{key}: {left} left of its bypass"))
        }
        BypassStep::Reckoned => Text::new(
            format!("时钟被回拨, {key} 旁路还剩 {left}, 不因此延长"),
            format!("the clock was set back; {left} are left of the bypass of {key} all the same"),
        ),
        BypassStep::Lifted => Text::new(format!("{key} 旁路已解除"), format!("{key} votes again")),
        BypassStep::Expired => {
            Text::new(format!("{key} 旁路到时自动解除"), format!("{key} votes again: its bypass is over"))
        }
        BypassStep::Removed => removed(key, true),
    }
}
