//! What people ask of the judge: acknowledge and reset. Every order, a refused one too, is a record with its actor.

use super::aside::OUT_OF_SERVICE_HOURS;
use super::bypass::Asked;
use super::cause_effect::Missing;
use super::rule::{self, Verdict};
use super::site::{Effects, Site};
use crate::model::alarm::{AlarmState, AsideHow, Basis, Condition};
use crate::model::command::{Order, Reply, Verb};
use crate::model::element::{Demand, ElementKind, Mode, Position};
use crate::model::plan::{Alarm, Limit, Subject};
use crate::model::point::{Displayed, Text};
use crate::model::record::{Body, CommandDone, Who};
use crate::model::table::{AlarmId, ElementId, PointId, TripId};
use crate::model::time::{Now, Span};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Site {
    pub(super) fn order(&mut self, now: Now, order: &Order, effects: &mut Effects) {
        // The command stands in the journal before what it brings about.
        let mut done = Effects::default();
        let reply = match &order.verb {
            Verb::Acknowledge { key, occurrence } => {
                self.acknowledge(now, key, *occurrence, &order.who, &mut done)
            }
            Verb::AcknowledgeAll { seen } => self.acknowledge_all(now, seen, &order.who, &mut done),
            Verb::Shelve { key, minutes, reason, second } => {
                let wanted = (AsideHow::Shelved, *minutes);
                self.set_aside(now, key, wanted, (reason, second.as_deref()), &order.who, &mut done)
            }
            Verb::TakeOut { key, hours, reason, second } => {
                let wanted =
                    (AsideHow::OutOfService, hours.unwrap_or(OUT_OF_SERVICE_HOURS).saturating_mul(60));
                self.set_aside(now, key, wanted, (reason, second.as_deref()), &order.who, &mut done)
            }
            Verb::TakeBack { key } => self.take_back(now, key, &order.who, &mut done),
            Verb::Reset { target } => self.reset(now, target, &order.who, &mut done),
            Verb::Bypass { target, minutes, reason, second } => {
                let asked = Asked { target, minutes: *minutes, reason, second: second.as_deref() };
                self.bypass(now, &asked, &order.who, &mut done)
            }
            Verb::ProofTest { target, kind } => self.proof_test(now, target, *kind, &order.who, &mut done),
            Verb::Unbypass { target } => self.unbypass(now, target, &order.who, &mut done),
            Verb::Calibrate { point, minutes } => self.calibrate(now, point, *minutes, &order.who, &mut done),
            Verb::Permit { place, kind, minutes, tighten, second } => {
                let wanted = (place.as_str(), *kind, *minutes, *tighten, second.as_deref());
                self.permit(now, wanted, &order.who, &mut done)
            }
            Verb::EndPermit { key } => self.end_permit(now, key, &order.who, &mut done),
        };
        let refused = match &reply {
            Reply::Done(_) => None,
            Reply::Refused(why) => Some(why.clone()),
        };
        effects.record(
            now,
            Body::Command(CommandDone { who: order.who.clone(), command: order.verb.words(), refused }),
        );
        effects.records.append(&mut done.records);
        effects.reply = Some(reply);
    }

    fn acknowledge(&mut self, now: Now, key: &str, seen: u32, who: &Who, effects: &mut Effects) -> Reply {
        let Some(id) = self.plan.alarm(key) else {
            return refuse(
                format!("没有报警 {key}"),
                format!("there is no alarm {key}; `davy status` lists the alarms"),
            );
        };
        let current = self.alarms[id].occurrence;
        if self.alarms[id].unacknowledged() && seen != current {
            return refuse(
                format!("{key}: 确认的是第 {seen} 次, 当前是第 {current} 次"),
                format!(
                    "{key}: you saw occurrence {seen}, it is now occurrence {current}; look at it and acknowledge that"
                ),
            );
        }
        match self.alarms[id].acknowledge(now) {
            None => refuse(
                format!("{key}: 无需确认"),
                format!("{key}: nothing to acknowledge, it is {}", self.alarms[id].state().as_str()),
            ),
            Some(moved) => {
                self.tell_alarm(now, id, moved, Some(who.clone()), effects);
                Reply::Done(Text::new(format!("已确认 {key}"), format!("acknowledged {key}")))
            }
        }
    }

    /// Acknowledges what was seen, and nothing that has come since.
    fn acknowledge_all(
        &mut self,
        now: Now,
        seen: &[(String, u32)],
        who: &Who,
        effects: &mut Effects,
    ) -> Reply {
        let (mut count, mut anew): (usize, usize) = (0, 0);
        for (key, occurrence) in seen {
            // What is set aside nobody is shown: it is acknowledged by its name only.
            let shown =
                |id: &AlarmId| self.alarms[*id].aside().is_none() && self.alarms[*id].unacknowledged();
            let Some(id) = self.plan.alarm(key).filter(shown) else { continue };
            if self.alarms[id].occurrence != *occurrence {
                anew = anew.saturating_add(1);
            } else if let Some(moved) = self.alarms[id].acknowledge(now) {
                self.tell_alarm(now, id, moved, Some(who.clone()), effects);
                count = count.saturating_add(1);
            }
        }
        match anew {
            0 => Reply::Done(Text::new(format!("已确认 {count} 条"), format!("acknowledged {count}"))),
            _ => Reply::Done(Text::new(
                format!("已确认 {count} 条; {anew} 条又发生, 未确认"),
                format!("acknowledged {count}; {anew} came anew meanwhile and wait to be looked at"),
            )),
        }
    }

    fn reset(&mut self, now: Now, target: &str, who: &Who, effects: &mut Effects) -> Reply {
        if let Some(id) = self.plan.trip(target) {
            return self.reset_trip(now, id, who, effects);
        }
        if let Some(id) = self.plan.elements.find(|e| e.tag.as_str() == target) {
            return self.reset_element(now, id);
        }
        match self.plan.alarm(target) {
            Some(id) => self.reset_alarm(now, id, who, effects),
            None => refuse(
                format!("没有 {target}"),
                format!("there is no trip, element or alarm {target}; `davy status` lists them"),
            ),
        }
    }

    fn reset_trip(&mut self, now: Now, id: TripId, who: &Who, effects: &mut Effects) -> Reply {
        let plan = Arc::clone(&self.plan);
        let trip = &plan.trips[id];
        if !self.trips[id].tripped {
            return refuse(format!("{} 未动作", trip.tag), format!("{} is not tripped", trip.tag));
        }
        let missing = self.start_hold(now).into_iter().chain(self.missing(now, id));
        let missing: Vec<Text> = missing.collect();
        if !missing.is_empty() {
            return Reply::Refused(missing);
        }
        self.trips[id].reset();
        self.tell_trip(now, id, Vec::new(), Some(who.clone()), effects);
        for alarm in self.held_with(id) {
            if self.is_beyond_reset(alarm)
                && let Some(moved) = self.alarms[alarm].reset(now)
            {
                self.tell_alarm(now, alarm, moved, Some(who.clone()), effects);
            }
        }
        Reply::Done(Text::new(format!("已复位 {}", trip.tag), format!("reset {}", trip.tag)))
    }

    /// Everything that a reset of this trip still lacks, in words.
    fn missing(&self, now: Now, id: TripId) -> Vec<Text> {
        let missing = self.trips[id].missing(now.mono, &self.plan.trips[id], &self.inputs(id));
        let missing = missing.into_iter().map(|m| self.words_for(id, m));
        missing.chain(self.over_range(id)).chain(self.still_live(id)).collect()
    }

    /// A cut that was commanded and is seen not to have worked must not be let go: it would be told as if it were over.
    fn still_live(&self, id: TripId) -> impl Iterator<Item = Text> {
        let effects = self.plan.trips[id].effects.iter();
        let live = effects.filter(|id| {
            let (element, life) = (&self.plan.elements[**id], &self.elements[**id]);
            let is_cut = life.demand == Demand::Trip && element.mode == Mode::Act;
            is_cut && element.kind == ElementKind::Load && life.position == Position::Unsafe
        });
        live.map(|id| {
            let tag = &self.plan.elements[*id].tag;
            Text::new(
                format!("{tag}: 已发断电命令, 馈电仍有电; 须就地断电"),
                format!("{tag}: cut, and its feed is seen live; cut it on site"),
            )
        })
    }

    /// A sensor that has been over its range says nothing of use until a person has looked at it: what still stands of
    /// that on the points that a reset needs. Where it is gone and acknowledged, the trip's reset lifts it too.
    fn over_range(&self, id: TripId) -> Vec<Text> {
        let trip = &self.plan.trips[id];
        let inputs: Vec<AlarmId> = trip.inputs().collect();
        let needed = trip.reset_needs.iter().filter_map(|n| inputs.get(*n));
        let of_point = |input: &AlarmId| match self.plan.alarms[*input].subject {
            Subject::Point(point) => self.plan.points[point].alarms.as_slice(),
            Subject::Device(_) | Subject::Element(_) => &[],
        };
        let held: BTreeSet<AlarmId> = needed.flat_map(of_point).copied().collect();
        let held = held.into_iter().filter(|alarm| {
            self.plan.alarms[*alarm].condition == Condition::OverRange && !inputs.contains(alarm)
        });
        held.filter_map(|alarm| match self.alarms[alarm].under() {
            AlarmState::LatchedUnacknowledged => Some(not_acknowledged(&self.plan.alarms[alarm].key)),
            AlarmState::Unacknowledged | AlarmState::Acknowledged => Some(self.words_for_unsafe(alarm)),
            AlarmState::LatchedAcknowledged if self.verdict(alarm) != Verdict::Clear => {
                Some(self.words_for_unsafe(alarm))
            }
            AlarmState::Normal
            | AlarmState::ReturnedUnacknowledged
            | AlarmState::LatchedAcknowledged
            | AlarmState::Shelved
            | AlarmState::Suppressed
            | AlarmState::OutOfService => None,
        })
        .collect()
    }

    /// Whether a value is beyond the reset value of its alarm's set-point: once it was, it may have come back between the
    /// two, and then nothing is reset.
    fn is_beyond_reset(&self, id: AlarmId) -> bool {
        let alarm = &self.plan.alarms[id];
        match (alarm.condition.basis(), alarm.subject) {
            (Basis::Above | Basis::Below, Subject::Point(point)) => self.proves_safe(alarm, point),
            (Basis::Range, Subject::Point(point)) => !self.signs.is_overloaded(point),
            (_, _) => true,
        }
    }

    /// Whether what is read of a point now proves that a condition on it is safe.
    pub(super) fn proves_safe(&self, alarm: &Alarm, point: PointId) -> bool {
        let (decimals, reading) = (self.plan.points[point].decimals, &self.watch.readings[point]);
        !self.is_distrusted(alarm, point)
            && rule::proves_safe(alarm.condition, alarm.limit, decimals, reading)
    }

    /// A catalytic sensor that has had too much gas may read little in much: after that no value of it is a proof, until
    /// it is calibrated with gas. What it says of danger is believed all the same.
    fn is_distrusted(&self, alarm: &Alarm, point: PointId) -> bool {
        let by_value = matches!(alarm.condition.basis(), Basis::Above | Basis::Below | Basis::Range);
        by_value && self.signs.is_overloaded(point)
    }

    /// A gateway that has just started knows too little of the world to let anything go.
    fn start_hold(&self, now: Now) -> Option<Text> {
        let left = (self.started + self.plan.start_hold).since(now.mono);
        (left > Span::ZERO).then(|| {
            Text::new(
                format!("启动闭锁, 还须 {left}"),
                format!("no reset is taken so soon after the start; another {left}"),
            )
        })
    }

    /// The alarms that a reset of this trip resets with it: every one on the points of its causes, lower levels too,
    /// and "not confirmed" of what it acts on. Whoever has seen that the place is safe does not do that six times.
    fn held_with(&self, id: TripId) -> BTreeSet<AlarmId> {
        let trip = &self.plan.trips[id];
        let on_the_same = |cause: &AlarmId| match self.plan.alarms[*cause].subject {
            Subject::Point(point) => self.plan.points[point].alarms.clone(),
            Subject::Device(_) | Subject::Element(_) => vec![*cause],
        };
        let causes = trip.causes.iter().flat_map(on_the_same);
        let of_effects = trip.effects.iter().flat_map(|effect| {
            let element = &self.plan.elements[*effect];
            element.supervision.alarms.iter().copied().chain([element.not_confirmed])
        });
        causes.chain(of_effects).collect()
    }

    fn words_for(&self, id: TripId, missing: Missing) -> Text {
        let input = |n: usize| self.plan.trips[id].inputs().nth(n);
        let key = |n: usize| input(n).map_or("", |id| self.plan.alarms[id].key.as_str());
        match missing {
            Missing::Hold(left) => Text::new(
                format!("条件已满足, 还须保持 {left}"),
                format!("all conditions are met; they must hold for another {left}"),
            ),
            Missing::NotAcknowledged(n) => not_acknowledged(key(n)),
            Missing::NotSafe(n) => input(n).map(|id| self.words_for_unsafe(id)).unwrap_or_default(),
            Missing::Bypassed(n) => {
                let key = key(n);
                Text::new(
                    format!("{key} 已旁路, 不能证明安全"),
                    format!("{key} is bypassed, and what is bypassed proves nothing: `davy unbypass {key}`"),
                )
            }
        }
    }

    fn words_for_unsafe(&self, id: AlarmId) -> Text {
        let alarm = &self.plan.alarms[id];
        let Subject::Point(point) = alarm.subject else {
            return Text::new(format!("{} 未恢复", alarm.key), format!("{} still stands", alarm.key));
        };
        let (reading, unit) = (self.watch.readings[point], self.plan.points[point].unit);
        let decimals = self.plan.points[point].decimals;
        let value = reading.value.map_or("--".to_owned(), |v| Displayed::text(v, decimals));
        if self.is_distrusted(alarm, point) {
            let (key, tag) = (&alarm.key, &self.plan.points[point].tag);
            return Text::new(
                format!("{key}: 当前 {value} {unit}, 但曾超量程, 须先用标气标校: davy calibrate {tag}"),
                format!(
                    "{key}: now {value} {unit}, but there was more gas than its sensor can bear, so that it proves \
                     nothing until it is calibrated with gas: `davy calibrate {tag}`"
                ),
            );
        }
        if rule::proves_safe(alarm.condition, alarm.limit, decimals, &reading) {
            let (key, delay) = (&alarm.key, alarm.off_delay);
            return Text::new(
                format!("{key}: 当前 {value} {unit}, 已在安全侧, 还须保持 {delay} 报警才消失"),
                format!(
                    "{key}: now {value} {unit}, which is safe; its alarm goes when that has lasted for {delay}"
                ),
            );
        }
        let limit = |l: Limit| format!("{} {unit}", Displayed::text(l.reset, decimals));
        let limit = alarm.limit.map(limit).unwrap_or_default();
        let (wanted_zh, wanted_en) = match alarm.condition.basis() {
            Basis::Above => (format!("须低于 {limit}"), format!("must be below {limit}")),
            Basis::Below => (format!("须高于 {limit}"), format!("must be above {limit}")),
            Basis::Contact | Basis::Expected | Basis::Sensor | Basis::Range | Basis::More => {
                ("须恢复正常".to_owned(), "must be normal again".to_owned())
            }
        };
        let quality = reading.quality;
        Text::new(
            format!("{}: 当前 {value} {unit} ({quality}), {wanted_zh}且读数有效", alarm.key),
            format!("{}: now {value} {unit} ({quality}), {wanted_en} with a good reading", alarm.key),
        )
    }

    /// Lifts what was found tripped at the start, under the same conditions as a trip of the journal.
    fn reset_element(&mut self, now: Now, id: ElementId) -> Reply {
        let plan = Arc::clone(&self.plan);
        let tag = &plan.elements[id].tag;
        let acting: Vec<TripId> =
            plan.trips.iter().filter(|(_, t)| t.effects.contains(&id)).map(|(t, _)| t).collect();
        if let Some(trip) = acting.iter().find(|t| self.trips[**t].tripped) {
            let trip = &plan.trips[*trip].tag;
            return refuse(
                format!("{tag} 由 {trip} 动作"),
                format!("{tag} is held by trip {trip}: reset that"),
            );
        }
        if !self.elements[id].found_tripped {
            return refuse(format!("{tag} 未动作"), format!("{tag} is not tripped"));
        }
        let missing = acting.iter().flat_map(|t| self.missing(now, *t));
        let missing: Vec<Text> = self.start_hold(now).into_iter().chain(missing).collect();
        if !missing.is_empty() {
            return Reply::Refused(missing);
        }
        self.elements[id].found_tripped = false;
        Reply::Done(Text::new(format!("已复位 {tag}"), format!("reset {tag}")))
    }

    fn reset_alarm(&mut self, now: Now, id: AlarmId, who: &Who, effects: &mut Effects) -> Reply {
        let key = self.plan.alarms[id].key.clone();
        if self.alarms[id].under() == AlarmState::LatchedAcknowledged && !self.is_beyond_reset(id) {
            return Reply::Refused(vec![self.words_for_unsafe(id)]);
        }
        match self.alarms[id].reset(now) {
            Some(moved) => {
                self.tell_alarm(now, id, moved, Some(who.clone()), effects);
                Reply::Done(Text::new(format!("已复位 {key}"), format!("reset {key}")))
            }
            None => match self.alarms[id].under() {
                AlarmState::Unacknowledged | AlarmState::Acknowledged => {
                    Reply::Refused(vec![self.words_for_unsafe(id)])
                }
                AlarmState::ReturnedUnacknowledged | AlarmState::LatchedUnacknowledged => {
                    Reply::Refused(vec![not_acknowledged(&key)])
                }
                AlarmState::LatchedAcknowledged => refuse(
                    format!("{key}: 当前状态未知"),
                    format!("{key}: its condition can't be judged now (the reading is not good)"),
                ),
                AlarmState::Normal
                | AlarmState::Shelved
                | AlarmState::Suppressed
                | AlarmState::OutOfService => refuse(format!("{key} 正常"), format!("{key} is normal")),
            },
        }
    }
}

fn not_acknowledged(key: &str) -> Text {
    Text::new(format!("{key} 未确认"), format!("{key} is not acknowledged: `davy ack {key}`"))
}

pub(super) fn refuse(zh: String, en: String) -> Reply {
    Reply::Refused(vec![Text::new(zh, en)])
}
