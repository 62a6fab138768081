//! A trip: how it votes, what it acts on, and what a reset asks for.

use super::words::{ballot, lasting, own_on_bad, title, verb};
use super::{Book, Page};
use crate::model::alarm::Basis;
use crate::model::element::Mode;
use crate::model::plan::{Alarm, Subject, Trip};
use crate::model::point::Unit;
use crate::model::table::{AlarmId, TripId};
use crate::model::time::Span;

impl Book<'_> {
    pub(super) fn trip(&self, id: TripId) -> Page {
        let trip = &self.plan.trips[id];
        let mut page = Page { title: title(trip.tag.as_str(), &trip.name), ..Page::default() };
        let vote = ballot(self.plan, trip);
        let (bad_zh, bad_en) = own_on_bad(self.plan, trip);
        page.say(format!("{vote} 成立即动作; {bad_zh}"), format!("Trips on {vote}; {bad_en}"));
        for cause in &trip.causes {
            let alarm = &self.plan.alarms[*cause];
            let (zh, en) = self.when(alarm);
            page.say(format!("原因 {}: {zh}", alarm.key), format!("Cause {}: {en}", alarm.key));
        }
        if trip.delay > Span::ZERO {
            let delay = lasting(trip.delay);
            page.say(format!("表决须持续 {delay}"), format!("The vote must stand for {delay}"));
        }
        for alarm in trip.permissives.iter().map(|id| &self.plan.alarms[*id]) {
            let (zh, en) = self.when(alarm);
            page.say(
                format!("许可条件 {}: {zh}; 不致动作, 复位前须证明安全", alarm.key),
                format!("Permissive {}: {en}; it trips nothing, and must be safe before a reset", alarm.key),
            );
        }
        let (zh, en) = self.acts_on(trip);
        page.say(format!("动作: {zh}"), format!("Acts on {en}"));
        let (zh, en) = self.reset_of(trip);
        page.say(format!("复位: {zh}"), format!("Reset {en}"));
        if trip.reset_needs.iter().any(|n| trip.inputs().nth(*n).is_some_and(|a| self.can_be_over_range(a))) {
            page.say(
                "其测点的超量程报警未消失或未确认时不得复位",
                "No reset while a point of it is over its range, or has been and nobody has acknowledged that",
            );
        }
        if trip.effects.iter().any(|id| self.can_be_live(*id)) {
            page.say(
                "已令断电而馈电仍有电时不得复位",
                "No reset while something that it cuts is seen live all the same",
            );
        }
        self.bypass_of(trip, &mut page);
        for group in &trip.groups {
            self.when_out(trip, group, &mut page);
        }
        self.guards_of(trip, &trip.groups, &mut page);
        self.start_hold(&mut page);
        page.say(
            "以上时限来自场所文件, 未写的为 Davy 的默认值; 无标准规定",
            "Its times are those of the site file, or Davy's own where it says none; no standard gives them",
        );
        page.say(
            "搁置报警不影响表决; 断电重启后仍保持动作",
            "Shelving its alarms changes no vote; it outlives a restart and a loss of power",
        );
        page
    }

    /// What a cause counts for in a trip.
    pub(super) fn vote(&self, id: TripId, cause: AlarmId, page: &mut Page) {
        let trip = &self.plan.trips[id];
        let (vote, key) = (ballot(self.plan, trip), &self.plan.alarms[cause].key);
        let (bad_zh, bad_en) = own_on_bad(self.plan, trip);
        let (acts_zh, acts_en) = self.acts_on(trip);
        let (reset_zh, reset_en) = self.reset_of(trip);
        page.say(
            format!(
                "{key} 参与 {} ({}): {vote} 表决; {bad_zh}\n动作: {acts_zh}\n复位: {reset_zh}",
                trip.tag, trip.name.zh
            ),
            format!(
                "{key} votes in {} ({}): {vote} trips it; {bad_en}\nActs on: {acts_en}\nReset: {reset_en}",
                trip.tag, trip.name.en
            ),
        );
    }

    pub(super) fn acts_on(&self, trip: &Trip) -> (String, String) {
        let (mut zh, mut en) = (Vec::new(), Vec::new());
        for element in trip.effects.iter().map(|id| &self.plan.elements[*id]) {
            let (verb_zh, verb_en) = verb(element.kind);
            let (mode_zh, mode_en) = match element.mode {
                Mode::Act => ("", ""),
                Mode::Observe => (", 仅观察不写", ", observed only: nothing is written"),
            };
            let limit = lasting(element.travel_limit);
            zh.push(format!("{} {verb_zh} ({limit} 内确认{mode_zh})", element.tag));
            en.push(format!("{} {verb_en} (confirmed within {limit}{mode_en})", element.tag));
        }
        (zh.join(", "), en.join(", "))
    }

    pub(super) fn reset_of(&self, trip: &Trip) -> (String, String) {
        let (mut zh, mut en) = (Vec::new(), Vec::new());
        let inputs: Vec<AlarmId> = trip.inputs().collect();
        for alarm in trip.reset_needs.iter().filter_map(|n| inputs.get(*n)).map(|id| &self.plan.alarms[*id]) {
            let (one_zh, one_en) = self.safe_side(alarm);
            // An alarm and a trip of one point may go below the same value.
            if !en.contains(&one_en) {
                zh.push(one_zh);
                en.push(one_en);
            }
        }
        let hold = lasting(trip.reset_hold);
        (
            format!("由人进行; 全部原因报警已确认, 且连续 {hold} 读数有效并处于安全侧: {}", zh.join(", ")),
            format!(
                "by a person, once the alarms of all causes are acknowledged and every reading has been good and on the safe side for {hold}: {}",
                en.join(", ")
            ),
        )
    }

    /// What a cause must read for a reset.
    pub(super) fn safe_side(&self, alarm: &Alarm) -> (String, String) {
        let (unit, decimals) = match alarm.subject {
            Subject::Point(id) => (self.plan.points[id].unit, usize::from(self.plan.points[id].decimals)),
            Subject::Device(_) | Subject::Element(_) => (Unit::State, 0),
        };
        let tag = alarm.key.split(':').next().unwrap_or_default();
        match (alarm.condition.basis(), alarm.limit) {
            (Basis::Above, Some(limit)) => (
                format!("{tag} 低于 {:.decimals$} {unit}", limit.reset),
                format!("{tag} below {:.decimals$} {unit}", limit.reset),
            ),
            (Basis::Below, Some(limit)) => (
                format!("{tag} 高于 {:.decimals$} {unit}", limit.reset),
                format!("{tag} above {:.decimals$} {unit}", limit.reset),
            ),
            (Basis::Contact, Some(limit)) => {
                (format!("{tag} 为 {}", limit.reset), format!("{tag} reads {}", limit.reset))
            }
            (_, _) => (format!("{} 恢复正常", alarm.key), format!("{} normal again", alarm.key)),
        }
    }
}
