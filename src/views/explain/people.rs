//! What people may do about rules, and what they are told when they do nothing: bypasses, permits, escalation, incidents.

use super::words::lasting;
use super::{Book, Page};
use crate::model::alarm::Condition;
use crate::model::permit::Permit;
use crate::model::plan::{Subject, Trip};
use crate::model::table::{AlarmId, PointId};
use crate::safety::{BYPASS_MINUTES, BYPASS_MINUTES_MAX, is_incident_limit};

impl Book<'_> {
    /// Who may take the causes of a trip out of its vote.
    pub(super) fn bypass_of(&self, trip: &Trip, page: &mut Page) {
        let never: Vec<AlarmId> =
            trip.causes.iter().copied().filter(|c| !self.plan.bypassable.contains_key(c)).collect();
        if never.len() == trip.causes.len() {
            page.say("原因不得旁路", "None of its causes may be bypassed");
            return;
        }
        let two = trip.causes.iter().any(|c| self.plan.bypassable.get(c).is_some_and(|b| b.two_persons));
        let (who_zh, who_en) = if two { ("须两人", "two persons") } else { ("一人", "one person") };
        let keys: Vec<&str> = never.iter().map(|c| self.plan.alarms[*c].key.as_str()).collect();
        let (but_zh, but_en) = if keys.is_empty() {
            (String::new(), String::new())
        } else {
            let keys = keys.join(", ");
            (format!("; 不得旁路: {keys}"), format!("; never {keys}"))
        };
        let hours = BYPASS_MINUTES_MAX / 60;
        page.say(
            format!(
                "旁路: {who_zh}, 每次一个原因, 默认 {BYPASS_MINUTES} min, 最长 {hours} h, 期间报警, 到时自动解除{but_zh}"
            ),
            format!(
                "Bypass: {who_en}, one cause at a time, {BYPASS_MINUTES} min unless said, {hours} h at most, alarmed \
                 meanwhile, over by itself{but_en}"
            ),
        );
    }

    /// What a start holds back.
    pub(super) fn start_hold(&self, page: &mut Page) {
        let hold = lasting(self.plan.start_hold);
        page.say(
            format!("启动后 {hold} 内不接受复位; 且每个原因须曾读到有效值"),
            format!(
                "After a start no reset is taken for {hold}, and none before every cause was read as good"
            ),
        );
    }

    /// What becomes of an alarm that nobody acknowledges, or that stays.
    pub(super) fn announcing(&self, page: &mut Page) {
        let announcing = &self.plan.announcing;
        let siren = announcing.siren.map(|id| self.plan.elements[id].tag.as_str());
        if let Some(after) = announcing.escalate.map(lasting) {
            let (horn_zh, horn_en) = match siren {
                Some(siren) => (format!(", {siren} 启动"), format!(", and {siren} sounds")),
                None => (String::new(), String::new()),
            };
            page.say(
                format!("{after} 内无人确认: 提高一级{horn_zh}"),
                format!("Not acknowledged for {after}: one colour worse{horn_en}"),
            );
        } else {
            page.say("无人确认也不升级", "Not acknowledged: it is not escalated");
        }
        if let Some(again) = announcing.again.map(lasting) {
            page.say(
                format!("确认后 {again} 仍在: 再次提示"),
                format!("Acknowledged and still there after {again}: announced anew"),
            );
        }
    }

    /// The permits that could tighten, or will tighten, the set-points of a point.
    pub(super) fn permits(&self, id: PointId, page: &mut Page) {
        let point = &self.plan.points[id];
        let limits = |low: bool| {
            let is = move |c: Condition| matches!(c, Condition::Low(_)) == low && c.level().is_some();
            point.alarms.iter().any(move |a| is(self.plan.alarms[*a].condition))
        };
        let (high, low) = (limits(false), limits(true));
        if point.gas.is_none() || !(high || low) {
            return;
        }
        let hours = Permit::MINUTES_MAX / 60;
        let (how_zh, how_en) = if low {
            (
                "仅按所给低限值 (--low-alarm), 或点名的高限值",
                "by low set-points given (--low-alarm), or high ones given for this very point",
            )
        } else {
            ("按百分比或所给限值", "by a percentage or by set-points given")
        };
        page.say(
            format!("动火、受限空间作业票可收紧其定值, 最长 {hours} h: {how_zh}"),
            format!(
                "A permit for hot work or a confined space can tighten it for {hours} h at most: {how_en}"
            ),
        );
        let area = &self.plan.areas[point.area].tag;
        let mine = |place: &str| place == point.tag.as_str() || place == area.as_str();
        for planned in self.plan.permits.iter().filter(|planned| mine(&planned.permit.place)) {
            let permit = &planned.permit;
            let (told, by) = (permit.tighten.words(), &permit.by);
            let (kind_zh, kind_en) = permit.kind.words();
            page.say(
                format!("{kind_zh} ({}): {} 至 {}, {told} ({by})", permit.place, planned.from, permit.until),
                format!(
                    "Planned: {kind_en} at {}, {} to {}, {told} ({by})",
                    permit.place, planned.from, permit.until
                ),
            );
        }
    }

    /// From which value on an overlimit incident is open.
    pub(super) fn incident(&self, id: PointId, page: &mut Page) {
        let point = &self.plan.points[id];
        let area = &self.plan.areas[point.area].tag;
        for alarm in point.alarms.iter().filter(|a| is_incident_limit(self.plan, **a)) {
            let key = &self.plan.alarms[*alarm].key;
            page.say(
                format!("{key} 起计为 {area} 的超限事件, 至其报警全部复位"),
                format!("{key} opens an overlimit incident of {area}; it lasts until all such alarms there are reset"),
            );
        }
    }

    /// Whether an input is a point with an over-range alarm.
    pub(super) fn can_be_over_range(&self, input: AlarmId) -> bool {
        match self.plan.alarms[input].subject {
            Subject::Point(id) => self.plan.points[id]
                .alarms
                .iter()
                .any(|a| self.plan.alarms[*a].condition == Condition::OverRange),
            Subject::Device(_) | Subject::Element(_) => false,
        }
    }
}
