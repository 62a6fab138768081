//! An alarm: when it occurs, by whose numbers, how it ends, and what to do.

use super::Book;
use super::Page;
use super::words::{colour_zh, delay, lasting, watched_for};
use crate::model::alarm::Condition;
use crate::model::line::FAILURES_TO_LOSE;
use crate::model::plan::{Alarm, Subject};
use crate::model::point::Unit;
use crate::model::table::AlarmId;
use crate::model::time::Span;

impl Book<'_> {
    pub(super) fn alarm(&self, id: AlarmId, page: &mut Page) {
        let alarm = &self.plan.alarms[id];
        let (when_zh, when_en) = self.when(alarm);
        let (delay_zh, delay_en) = delay(alarm.on_delay);
        let (held_zh, held_en) = if alarm.latching {
            ("; 保持, 须确认并复位", "; held until a person acknowledges and resets it")
        } else {
            ("; 不保持, 须确认", "; not held, but a person has to acknowledge it")
        };
        let (source_zh, source_en) = self.source(id);
        let colour = colour_zh(alarm.colour);
        let mut zh = format!("{} [{colour}] {delay_zh}: {when_zh}{held_zh}{source_zh}", alarm.key);
        let mut en =
            format!("{} [{}] {delay_en}: {when_en}{held_en}{source_en}", alarm.key, alarm.colour.as_str());
        if alarm.off_delay > Span::ZERO {
            let off = lasting(alarm.off_delay);
            zh = format!("{zh}\n条件消失须持续 {off} 才算恢复");
            en = format!("{en}\nGone only when its condition has been seen to be gone for {off}");
        }
        if !alarm.action.en.is_empty() {
            zh = format!("{zh}\n处置: {}", alarm.action.zh);
            en = format!("{en}\nTo do: {}", alarm.action.en);
        }
        if let Some(by) = self.plan.suppressed.get(&id) {
            let by: Vec<&str> = by.iter().map(|by| self.plan.alarms[*by].key.as_str()).collect();
            zh = format!("{zh}\n{} 报警期间不再提示 (联锁不受影响)", by.join(", "));
            en = format!("{en}\nNot announced while {} speaks; votes heed it all the same", by.join(" or "));
        }
        page.say(zh, en);
    }

    /// Where the set-point of an alarm comes from.
    pub(super) fn source(&self, id: AlarmId) -> (String, String) {
        let Some(origin) = self.origins.get(&id) else { return (String::new(), String::new()) };
        let (mut zh, mut en) = match (origin.own, &origin.source) {
            (true, Some(source)) => (
                format!("\n定值: 场所文件 (标准: {source})"),
                format!("\nSet-point: the site file's own (the standard: {source})"),
            ),
            (true, None) => (
                "\n定值: 场所文件 (无标准)".to_owned(),
                "\nSet-point: the site file's own; no standard says one here".to_owned(),
            ),
            (false, source) => {
                let source = source.as_deref().unwrap_or_default();
                (format!("\n定值: {source}"), format!("\nSet-point: {source}"))
            }
        };
        if origin.source.is_some() && !origin.confirmed {
            zh.push_str(" (未经核对)");
            en.push_str(" (nobody has checked it)");
        }
        if let Some(approved) = &origin.approved {
            zh = format!("{zh}\n放宽由此人负责: {approved}");
            en = format!("{en}\nLaxer, approved by {approved}");
        }
        (zh, en)
    }

    /// The condition of an alarm.
    pub(super) fn when(&self, alarm: &Alarm) -> (String, String) {
        let (unit, decimals, trend, twin) = match alarm.subject {
            Subject::Point(id) => {
                let point = &self.plan.points[id];
                let twin = point.twin.map(|twin| self.plan.points[twin].tag.to_string());
                (point.unit, usize::from(point.decimals), point.trend, twin.unwrap_or_default())
            }
            Subject::Device(_) | Subject::Element(_) => (Unit::State, 0, None, String::new()),
        };
        let (set, reset) = alarm.limit.map_or((0.0, 0.0), |limit| (limit.set, limit.reset));
        let over = lasting(trend.unwrap_or(Span::ZERO));
        let say = |zh: String, en: String| (zh, en);
        match alarm.condition {
            Condition::High(_) | Condition::Lock => say(
                format!("达到或高于 {set:.decimals$} {unit}; 低于 {reset:.decimals$} {unit} 才恢复"),
                format!("at or above {set:.decimals$} {unit}; gone below {reset:.decimals$} {unit}"),
            ),
            Condition::Low(_) => say(
                format!("达到或低于 {set:.decimals$} {unit}; 高于 {reset:.decimals$} {unit} 才恢复"),
                format!("at or below {set:.decimals$} {unit}; gone above {reset:.decimals$} {unit}"),
            ),
            Condition::Contact(_) => say(
                format!("触点为 {set} ({})", alarm.text.zh),
                format!("the contact reads {set} ({})", alarm.text.en),
            ),
            Condition::SensorFault => say(
                "传感器报故障、停用、数值不可能或状态未知".to_owned(),
                "the sensor reports a fault, is out of service, or says what can't be or is not known"
                    .to_owned(),
            ),
            Condition::OverRange => {
                say("读数超量程".to_owned(), "the reading is above the sensor's range".to_owned())
            }
            Condition::CommLost => say(
                format!("连续 {FAILURES_TO_LOSE} 次无有效应答"),
                format!("{FAILURES_TO_LOSE} requests in a row without a usable answer"),
            ),
            Condition::NotConfirmed => say(
                "已指令而在时限内未到安全位".to_owned(),
                "commanded, and not in its safe state in time".to_owned(),
            ),
            Condition::Rising => say(
                format!("上升速率达到 {set} {unit}/min (取 {over}); 低于 {reset} {unit}/min 才恢复"),
                format!(
                    "rises by {set} {unit} a minute or more, taken over {over}; gone below {reset} {unit} a minute"
                ),
            ),
            Condition::Forecast => say(
                format!("按当前趋势 (取 {over}) {set} min 内将达报警值"),
                format!("rising as it does over {over}, it reaches its alarm within {set} min"),
            ),
            Condition::Deviation => say(
                format!("与 {twin} 相差达到 {set} {unit}; 低于 {reset} {unit} 才恢复"),
                format!("differs from {twin} by {set} {unit} or more; gone below {reset} {unit}"),
            ),
            Condition::Differs => say(
                format!("读数不是场所文件规定的 {set:.decimals$} {unit}"),
                format!("is not {set:.decimals$} {unit}, as the site file says it must be"),
            ),
            Condition::BypassActive
            | Condition::Anomaly
            | Condition::MovedUncommanded
            | Condition::FeedbackConflict
            | Condition::FeedLive
            | Condition::SlowTravel
            | Condition::FailedToOpen
            | Condition::LeakThrough
            | Condition::ProofTestFailed
            | Condition::ProofTestDue => {
                let (zh, en) = watched_for(alarm.condition);
                say(zh.to_owned(), en.to_owned())
            }
            Condition::Stale => say("未按时轮询".to_owned(), "it is not asked in time".to_owned()),
            Condition::CalibrationDue => {
                let due = match alarm.subject {
                    Subject::Device(id) => self.plan.devices[id].calibration.map(|(due, _)| due.day()),
                    Subject::Point(_) | Subject::Element(_) => None,
                };
                let due = due.unwrap_or_default();
                say(format!("标校于 {due} 到期"), format!("its calibration is due on {due}"))
            }
        }
    }
}
