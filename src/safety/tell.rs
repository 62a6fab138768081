//! What the judge tells of alarms and values: an alarm's change as a record; of values what changed beyond its deadband,
//! and everything once in a while.

use super::alarm::Transition;
use super::site::{Effects, Site};
use crate::model::alarm::AlarmState;
use crate::model::plan::{Alarm, Subject};
use crate::model::point::{Quality, Unit};
use crate::model::record::{AlarmChange, Body, Sample, Who};
use crate::model::table::{AlarmId, AreaId, PointId};
use crate::model::time::Now;
use std::collections::BTreeSet;

impl Site {
    pub(super) fn sample(&mut self, now: Now, point: PointId, effects: &mut Effects) {
        let reading = self.watch.readings[point];
        let deadband = self.plan.points[point].deadband;
        let is_news = self.told[point].is_none_or(|told| {
            told.quality != reading.quality
                || match (told.value, reading.value) {
                    (Some(a), Some(b)) => (a - b).abs() >= deadband && a != b,
                    (a, b) => a.is_some() != b.is_some(),
                }
        });
        if is_news {
            self.told[point] = Some(reading);
            let point = self.plan.points[point].tag.clone();
            effects.samples.push(Sample { point, reading, wall: now.wall });
        }
    }

    pub(super) fn snapshot(&mut self, now: Now, effects: &mut Effects) {
        if now.mono < self.snapshot_due {
            return;
        }
        self.snapshot_due = now.mono + self.plan.telemetry.snapshot;
        for (point, reading) in self.watch.readings.iter() {
            self.told[point] = Some(*reading);
            let point = self.plan.points[point].tag.clone();
            effects.samples.push(Sample { point, reading: *reading, wall: now.wall });
        }
    }

    pub(super) fn tell_alarm(
        &mut self,
        now: Now,
        id: AlarmId,
        moved: Transition,
        who: Option<Who>,
        effects: &mut Effects,
    ) {
        self.alarm_moved(now, id, moved.cause, who.as_ref());
        let alarm = &self.plan.alarms[id];
        let life = &mut self.alarms[id];
        let past = life.past_mut();
        past.told_peak = past.peak;
        // The siren is silent for what is set aside.
        let sounds = life.escalated && life.aside().is_none();
        let escalated = life.escalated || self.escalated.contains(&id);
        let news = if sounds { self.escalated.insert(id) } else { self.escalated.remove(&id) };
        if news {
            self.moved.extend(self.plan.announcing.siren);
        }
        let (reading, unit) = match alarm.subject {
            Subject::Point(p) => (Some(self.watch.readings[p]), self.plan.points[p].unit),
            Subject::Device(_) | Subject::Element(_) => (None, Unit::State),
        };
        let change = AlarmChange {
            key: alarm.key.clone(),
            area: self.plan.areas[alarm.area].tag.to_string(),
            occurrence: life.occurrence,
            from: moved.from,
            to: life.state(),
            cause: moved.cause,
            colour: if life.escalated { alarm.colour.worse() } else { alarm.colour },
            value: reading.and_then(|r| r.value),
            peak: life.past().peak,
            unit,
            quality: reading.map_or(Quality::Good, |r| r.quality),
            set_point: alarm.limit.map(|l| l.set),
            text: alarm.text.clone(),
            action: alarm.action.clone(),
            who,
            aside: life.aside().map(|aside| (aside.clone(), life.under())),
            escalated,
        };
        effects.record(now, Body::Alarm(change));
    }

    /// Which alarms are escalated, where all of them are new to this judge.
    pub(super) fn note_escalated(&mut self) {
        let sounds = self.alarms.iter().filter(|(_, life)| life.escalated && life.aside().is_none());
        self.escalated = sounds.map(|(id, _)| id).collect();
    }

    pub(super) fn tell_removed(&mut self, now: Now, id: AlarmId, moved: Transition, effects: &mut Effects) {
        let mut told = Effects::default();
        self.tell_alarm(now, id, moved, None, &mut told);
        for mut record in told.records {
            if let Body::Alarm(change) = &mut record.body {
                change.to = AlarmState::Normal;
                change.aside = None;
            }
            effects.records.push(record);
        }
    }
}

impl Site {
    /// Which devices stand where there is gas, by row number: they are asked more often, where the site file says so.
    #[must_use]
    pub fn hurried(&self) -> Vec<bool> {
        let over = |(id, alarm): &(AlarmId, &Alarm)| alarm.limit.is_some() && self.alarms[*id].active();
        let areas: BTreeSet<AreaId> =
            self.plan.alarms.iter().filter(over).map(|(_, alarm)| alarm.area).collect();
        self.plan.devices.values().map(|device| areas.contains(&device.area)).collect()
    }
}
