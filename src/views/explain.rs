//! Every rule of a site in words, in both languages: where a value comes from, what it alarms at and by which standard,
//! which trips it votes in, what those act on and what a reset asks for, and what is not covered. It says what the plan
//! says, and knows nothing beside it.

mod words;

use crate::model::alarm::Condition;
use crate::model::element::Mode;
use crate::model::line::FAILURES_TO_LOSE;
use crate::model::plan::{Alarm, Contact, Element, Origin, Plan, Subject, Trip};
use crate::model::point::{Text, Unit};
use crate::model::register::StatusMeaning;
use crate::model::table::{AlarmId, DeviceId, ElementId, PointId, TripId};
use crate::model::time::Span;
use crate::safety::stale_after;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use words::{
    ballot, colour_zh, delay, displayed, lasting, list, location, on_bad, reckoning, state, title, verb,
    watched_for, written,
};

/// What is explained: the word that stands for everything.
pub const ALL: &str = "all";

/// Explains what `target` names: a point, device, element or trip, an alarm by its key, or everything.
///
/// # Errors
/// The names that there are, where there is no such thing.
pub fn explain(plan: &Plan, origins: &BTreeMap<AlarmId, Origin>, target: &str) -> Result<String, String> {
    let book = Book { plan, origins };
    let subjects = book.subjects(target);
    if subjects.is_empty() {
        return Err(book.no_such(target));
    }
    let mut text = String::new();
    for subject in subjects {
        let page = match subject {
            What::Point(id) => book.point(id),
            What::Device(id) => book.device(id),
            What::Element(id) => book.element(id),
            What::Trip(id) => book.trip(id),
        };
        page.print(&mut text);
    }
    Ok(text)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Device(DeviceId),
    Point(PointId),
    Element(ElementId),
    Trip(TripId),
}

/// What is said of one thing.
#[derive(Default)]
struct Page {
    title: String,
    lines: Vec<(String, String)>,
}

impl Page {
    fn say(&mut self, zh: impl Into<String>, en: impl Into<String>) {
        self.lines.push((zh.into(), en.into()));
    }

    fn print(&self, text: &mut String) {
        if !text.is_empty() {
            text.push('\n');
        }
        let written = writeln!(text, "{}", self.title);
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
        for (zh, _) in &self.lines {
            line(text, zh);
        }
        text.push('\n');
        for (_, en) in &self.lines {
            line(text, en);
        }
    }
}

/// One statement: its first part begins with a dash, what goes on below it is indented.
fn line(text: &mut String, said: &str) {
    for (n, part) in said.lines().enumerate() {
        text.push_str(if n == 0 { "  - " } else { "      " });
        text.push_str(part);
        text.push('\n');
    }
}

struct Book<'a> {
    plan: &'a Plan,
    origins: &'a BTreeMap<AlarmId, Origin>,
}

impl Book<'_> {
    fn subjects(&self, target: &str) -> BTreeSet<What> {
        let plan = self.plan;
        let is = |tag: &str| target == ALL || tag == target;
        let devices = plan.devices.iter().filter(|(_, d)| is(d.tag.as_str())).map(|(id, _)| What::Device(id));
        let points = plan.points.iter().filter(|(_, p)| is(p.tag.as_str())).map(|(id, _)| What::Point(id));
        let elements =
            plan.elements.iter().filter(|(_, e)| is(e.tag.as_str())).map(|(id, _)| What::Element(id));
        let trips = plan.trips.iter().filter(|(_, t)| is(t.tag.as_str())).map(|(id, _)| What::Trip(id));
        let of_alarm = plan.alarm(target).map(|id| match plan.alarms[id].subject {
            Subject::Point(id) => What::Point(id),
            Subject::Device(id) => What::Device(id),
            Subject::Element(id) => What::Element(id),
        });
        devices.chain(points).chain(elements).chain(trips).chain(of_alarm).collect()
    }

    fn no_such(&self, target: &str) -> String {
        let plan = self.plan;
        let mut known: Vec<&str> = plan.points.values().map(|p| p.tag.as_str()).collect();
        known.extend(plan.devices.values().map(|d| d.tag.as_str()));
        known.extend(plan.elements.values().map(|e| e.tag.as_str()));
        known.extend(plan.trips.values().map(|t| t.tag.as_str()));
        known.sort_unstable();
        known.dedup();
        format!(
            "there is no point, device, element, trip or alarm `{target}`; `{ALL}` explains everything; the site has {}",
            known.join(", ")
        )
    }

    // A point.

    fn point(&self, id: PointId) -> Page {
        let point = &self.plan.points[id];
        let mut page = Page { title: title(point.tag.as_str(), &point.name), ..Page::default() };
        let area = &self.plan.areas[point.area];
        let (gas_zh, gas_en) = match &point.gas {
            Some(gas) => {
                let lel = gas.lel_pct_vol.map(|lel| format!(", LEL {lel} %vol")).unwrap_or_default();
                (format!(", 测量 {}{lel}", gas.tag), format!(", measures {}{lel}", gas.tag))
            }
            None => (String::new(), String::new()),
        };
        page.say(
            format!("位于 {} ({}){gas_zh}", area.name.zh, area.kind),
            format!("In {} ({}){gas_en}", area.name.en, area.kind),
        );
        self.origin_of_value(id, &mut page);
        self.freshness(point.device, &mut page);
        page.say(
            "读数质量不为 good 时绝不当作安全; 超量程按高值处理",
            "A reading that is not good never counts as safe; one that is over range counts as high",
        );
        if let Some(step) = displayed(point.unit, point.decimals) {
            page.say(
                format!("与定值比较时按显示值, 分辨率 {step}"),
                format!("Held against set-points as displayed, in steps of {step}"),
            );
        }
        for alarm in &point.alarms {
            self.alarm(*alarm, &mut page);
        }
        let mut votes = BTreeSet::new();
        for (trip, row) in self.plan.trips.iter() {
            for cause in row.causes.iter().filter(|cause| point.alarms.contains(cause)) {
                votes.insert(*cause);
                self.vote(trip, *cause, &mut page);
            }
        }
        self.feedback_of(id, &mut page);
        self.not_covered(id, &votes, &mut page);
        page
    }

    fn origin_of_value(&self, id: PointId, page: &mut Page) {
        let point = &self.plan.points[id];
        let (device, field) = (&self.plan.devices[point.device], &point.field);
        let bus = &self.plan.buses[device.bus];
        let (from_zh, from_en) = location(field.at);
        let (how_zh, how_en) = reckoning(field, point.unit);
        page.say(
            format!(
                "每 {} 从设备 {} (型号 {}, 单元 {}) 读取, 总线 {} ({}): {from_zh}, {how_zh}",
                lasting(device.poll),
                device.tag,
                device.profile,
                device.unit,
                bus.tag,
                bus.link
            ),
            format!(
                "Read every {} from device {} (profile {}, unit {}) on line {} ({}): {from_en}, {how_en}",
                lasting(device.poll),
                device.tag,
                device.profile,
                device.unit,
                bus.tag,
                bus.link
            ),
        );
        if let Some((low, high)) = field.range {
            let unit = point.unit;
            page.say(
                format!("量程 {low} 至 {high} {unit}; 超出即不可信"),
                format!("Measures {low} to {high} {unit}; beyond that a reading is in doubt"),
            );
        }
        for (raw, quality) in field.sentinels.iter() {
            page.say(format!("原始值 {raw} 表示 {quality}"), format!("Raw value {raw} means {quality}"));
        }
        for status in field.statuses.iter() {
            let (at_zh, at_en) = location(status.at);
            let (known, other) = match &status.meaning {
                StatusMeaning::Codes(codes) => (list(codes.iter()), "unknown-status"),
                StatusMeaning::Bits { flags, zero } => {
                    let flags: Vec<_> = flags.iter().map(|f| (f.bit, f.quality)).collect();
                    (list(flags.iter()), if *zero == 0 { "" } else { "unknown-status" })
                }
            };
            let (other_zh, other_en) = match other {
                "" => (String::new(), String::new()),
                bad => (format!("; 其它代码按坏值 ({bad})"), format!("; any other code is bad ({bad})")),
            };
            page.say(
                format!("同一请求读取状态 {at_zh}: {known}{other_zh}"),
                format!("Its status is read in the same request, {at_en}: {known}{other_en}"),
            );
        }
    }

    fn freshness(&self, device: DeviceId, page: &mut Page) {
        let device = &self.plan.devices[device];
        let (timeout, stale) = (lasting(device.timeout), lasting(stale_after(device)));
        page.say(
            format!("应答最长 {timeout}; 连续 {FAILURES_TO_LOSE} 次无有效应答即通信中断; 超过 {stale} 未刷新的值不再可信"),
            format!("An answer may take {timeout}; {FAILURES_TO_LOSE} requests in a row without a usable one lose the device; a value older than {stale} is no longer believed"),
        );
    }

    fn alarm(&self, id: AlarmId, page: &mut Page) {
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
    fn source(&self, id: AlarmId) -> (String, String) {
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
    fn when(&self, alarm: &Alarm) -> (String, String) {
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
            Condition::Contact(_) => say(format!("触点为 {set}"), format!("the contact reads {set}")),
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
                format!("上升速率达到 {set} {unit}/min (取 {over}); 低于 {reset} 才恢复"),
                format!("rises by {set} {unit} a minute or more, taken over {over}; gone below {reset}"),
            ),
            Condition::Forecast => say(
                format!("按当前趋势 (取 {over}) {set} min 内将达报警值"),
                format!("rising as it does over {over}, it reaches its alarm within {set} min"),
            ),
            Condition::Deviation => say(
                format!("与 {twin} 相差达到 {set} {unit}; 低于 {reset} 才恢复"),
                format!("differs from {twin} by {set} {unit} or more; gone below {reset}"),
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
            | Condition::ProofTestFailed => {
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

    /// What a cause counts for in a trip.
    fn vote(&self, id: TripId, cause: AlarmId, page: &mut Page) {
        let trip = &self.plan.trips[id];
        let (vote, key) = (ballot(self.plan, trip), &self.plan.alarms[cause].key);
        let (bad_zh, bad_en) = on_bad(trip);
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

    fn acts_on(&self, trip: &Trip) -> (String, String) {
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

    fn reset_of(&self, trip: &Trip) -> (String, String) {
        let (mut zh, mut en) = (Vec::new(), Vec::new());
        for alarm in trip.causes.iter().map(|id| &self.plan.alarms[*id]) {
            let (one_zh, one_en) = self.safe_side(alarm);
            zh.push(one_zh);
            en.push(one_en);
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
    fn safe_side(&self, alarm: &Alarm) -> (String, String) {
        let (unit, decimals) = match alarm.subject {
            Subject::Point(id) => (self.plan.points[id].unit, usize::from(self.plan.points[id].decimals)),
            Subject::Device(_) | Subject::Element(_) => (Unit::State, 0),
        };
        let tag = alarm.key.split(':').next().unwrap_or_default();
        match (alarm.condition, alarm.limit) {
            (Condition::High(_), Some(limit)) => (
                format!("{tag} 低于 {:.decimals$} {unit}", limit.reset),
                format!("{tag} below {:.decimals$} {unit}", limit.reset),
            ),
            (Condition::Low(_), Some(limit)) => (
                format!("{tag} 高于 {:.decimals$} {unit}", limit.reset),
                format!("{tag} above {:.decimals$} {unit}", limit.reset),
            ),
            (Condition::Contact(_), Some(limit)) => {
                (format!("{tag} 为 {}", limit.reset), format!("{tag} reads {}", limit.reset))
            }
            (_, _) => (format!("{} 恢复正常", alarm.key), format!("{} normal again", alarm.key)),
        }
    }

    /// Whose contact or read-back a point is.
    fn feedback_of(&self, id: PointId, page: &mut Page) {
        for element in self.plan.elements.values() {
            let is = |contact: Option<Contact>| contact.filter(|c| c.point == id);
            let (safe_zh, safe_en) = state(element.kind, true);
            let (unsafe_zh, unsafe_en) = state(element.kind, false);
            if let Some(contact) = is(element.safe_contact) {
                let yes = u8::from(contact.yes);
                page.say(
                    format!("{yes} 表示 {} {safe_zh}", element.tag),
                    format!("{yes} says that {} is {safe_en}", element.tag),
                );
            }
            if let Some(contact) = is(element.unsafe_contact) {
                let yes = u8::from(contact.yes);
                page.say(
                    format!("{yes} 表示 {} {unsafe_zh}", element.tag),
                    format!("{yes} says that {} is {unsafe_en}", element.tag),
                );
            }
            if element.readback == id {
                let trip = element.command.trip;
                page.say(
                    format!("{} 的命令回读: {trip} 为已指令", element.tag),
                    format!(
                        "The command to {} read back: {trip} is what demands its safe state",
                        element.tag
                    ),
                );
            }
        }
    }

    fn not_covered(&self, id: PointId, votes: &BTreeSet<AlarmId>, page: &mut Page) {
        let point = &self.plan.points[id];
        if point.alarms.is_empty() {
            page.say("不报警, 仅显示和记录", "Raises no alarm: it is shown and recorded only");
            return;
        }
        let only_told: Vec<&str> = point
            .alarms
            .iter()
            .filter(|alarm| !votes.contains(alarm))
            .map(|alarm| self.plan.alarms[*alarm].key.as_str())
            .collect();
        if !only_told.is_empty() {
            let told = only_told.join(", ");
            page.say(format!("只报警不联锁: {told}"), format!("Only told, no trip counts them: {told}"));
        }
        let has = |condition| point.alarms.iter().any(|a| self.plan.alarms[*a].condition == condition);
        let mut lacks = Vec::new();
        if point.unit != Unit::State {
            for (condition, zh, en) in [
                (Condition::Rising, "上升速率", "how fast it rises"),
                (Condition::Forecast, "趋势预测", "a forecast"),
                (Condition::Deviation, "与另一测点比对", "another point that measures the same"),
            ] {
                if !has(condition) {
                    lacks.push((zh, en));
                }
            }
        }
        if point.gas.is_some() && self.plan.devices[point.device].calibration.is_none() {
            lacks.push(("标校日期", "a calibration date"));
        }
        if !lacks.is_empty() {
            let (zh, en): (Vec<_>, Vec<_>) = lacks.into_iter().unzip();
            page.say(format!("未监视: {}", zh.join(", ")), format!("Not watched: {}", en.join(", ")));
        }
    }

    // A device.

    fn device(&self, id: DeviceId) -> Page {
        let (plan, device) = (self.plan, &self.plan.devices[id]);
        let (area, bus) = (&plan.areas[device.area], &plan.buses[device.bus]);
        let name = Text::new(format!("设备, {}", area.name.zh), format!("device, {}", area.name.en));
        let mut page = Page { title: title(device.tag.as_str(), &name), ..Page::default() };
        let requests: Vec<String> = device
            .blocks
            .iter()
            .map(|block| {
                let last = block.at.address.saturating_add(block.count.saturating_sub(1));
                format!("{} {}..{last}", block.at.space.as_str(), block.at.address)
            })
            .collect();
        let (link, requests) = (format!("{} ({})", bus.tag, bus.link), requests.join(", "));
        page.say(
            format!(
                "总线 {link}, 单元 {}, 型号 {}; 每 {} 读取 {requests}",
                device.unit,
                device.profile,
                lasting(device.poll)
            ),
            format!(
                "On line {link}, unit {}, profile {}; every {} it is asked for {requests}",
                device.unit,
                device.profile,
                lasting(device.poll)
            ),
        );
        self.freshness(id, &mut page);
        let points: Vec<&str> = plan.points_of(id).map(|(_, p)| p.tag.as_str()).collect();
        if !points.is_empty() {
            let points = points.join(", ");
            page.say(format!("测点: {points}"), format!("Feeds {points}"));
        }
        for (_, element) in plan.elements.iter().filter(|(_, e)| e.device == id) {
            let (zh, en) = written(&element.command);
            page.say(format!("写 {}: {zh}", element.tag), format!("Is written for {}: {en}", element.tag));
        }
        for alarm in
            [device.comm_alarm, device.stale_alarm].into_iter().chain(device.calibration.map(|(_, a)| a))
        {
            self.alarm(alarm, &mut page);
        }
        let mine: BTreeSet<AlarmId> = plan
            .points_of(id)
            .flat_map(|(_, p)| p.alarms.iter().copied())
            .chain([device.comm_alarm, device.stale_alarm])
            .collect();
        for trip in plan.trips.values().filter(|t| t.causes.iter().any(|c| mine.contains(c))) {
            let (zh, en) = on_bad(trip);
            page.say(
                format!("中断时在 {} 中: {zh}", trip.tag),
                format!("When it is silent, in {}: {en}", trip.tag),
            );
        }
        if device.calibration.is_none() && plan.points_of(id).any(|(_, p)| p.gas.is_some()) {
            page.say("未给出标校日期", "No calibration date is stated, so nobody is told when it is due");
        }
        page
    }

    // An element.

    fn element(&self, id: ElementId) -> Page {
        let (plan, element) = (self.plan, &self.plan.elements[id]);
        let mut page = Page { title: title(element.tag.as_str(), &element.name), ..Page::default() };
        let (verb_zh, verb_en) = verb(element.kind);
        let (area, device) = (&plan.areas[element.area], &plan.devices[element.device]);
        let (how_zh, how_en) = written(&element.command);
        page.say(
            format!(
                "位于 {}; 安全状态: {}; 由设备 {} 执行: {how_zh}",
                area.name.zh,
                state(element.kind, true).0,
                device.tag
            ),
            format!(
                "In {}; its safe state is {}; written to device {}: {how_en}",
                area.name.en,
                state(element.kind, true).1,
                device.tag
            ),
        );
        match element.mode {
            Mode::Act => page.say(
                format!("Davy 只要求安全状态 ({verb_zh}); 恢复只能由人在现场进行"),
                format!("Davy asks for the safe state only ({verb_en}); going back is done by hand, on site"),
            ),
            Mode::Observe => page.say(
                "仅观察: 只说明本应写什么, 不写",
                "Observed only: Davy says what it would write, and writes nothing",
            ),
        }
        self.contacts(element, &mut page);
        for alarm in element.supervision.alarms.iter().chain([&element.not_confirmed]) {
            self.alarm(*alarm, &mut page);
        }
        let mut any = false;
        for trip in plan.trips.values().filter(|t| t.effects.contains(&id)) {
            any = true;
            let vote = ballot(plan, trip);
            let (reset_zh, reset_en) = self.reset_of(trip);
            page.say(
                format!("由 {} 动作: {vote}\n复位: {reset_zh}", trip.tag),
                format!("Acted on by {}: {vote}\nReset: {reset_en}", trip.tag),
            );
        }
        if plan.announcing.siren == Some(id) {
            page.say(
                "报警无人确认升级时启动",
                "Sounds while an alarm is escalated because nobody acknowledged it",
            );
            any = true;
        }
        if !any {
            page.say("没有任何联锁动作它", "No trip acts on it");
        }
        page.say(
            "启动时先读后写: 已在动作状态的保持, 直到由人复位",
            "At the start it is read before anything is written: found commanded, it stays so until a person resets it",
        );
        page
    }

    fn contacts(&self, element: &Element, page: &mut Page) {
        let limit = lasting(element.travel_limit);
        for (contact, safe) in [(element.safe_contact, true), (element.unsafe_contact, false)] {
            let Some(contact) = contact else { continue };
            let (tag, yes) = (&self.plan.points[contact.point].tag, u8::from(contact.yes));
            let (zh, en) = state(element.kind, safe);
            page.say(format!("{tag} 为 {yes}: {zh}"), format!("{tag} reading {yes} says {en}"));
        }
        if element.safe_contact.is_none() && element.unsafe_contact.is_none() {
            page.say("无反馈: 回读即视为完成", "No feedback: a write that was read back counts as done");
        } else {
            page.say(
                format!("指令后须在 {limit} 内由触点确认; 确认后又离开安全位立即报警"),
                format!("Its contacts must confirm within {limit} of the demand; leaving the safe state after that is told at once"),
            );
        }
        if element.unsafe_contact.is_none() || element.safe_contact.is_none() {
            page.say(
                "只有一个触点: 触点卡住不能识别",
                "One contact at most: a contact that is stuck is not noticed",
            );
        }
    }

    // A trip.

    fn trip(&self, id: TripId) -> Page {
        let trip = &self.plan.trips[id];
        let mut page = Page { title: title(trip.tag.as_str(), &trip.name), ..Page::default() };
        let vote = ballot(self.plan, trip);
        let (bad_zh, bad_en) = on_bad(trip);
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
        let (zh, en) = self.acts_on(trip);
        page.say(format!("动作: {zh}"), format!("Acts on {en}"));
        let (zh, en) = self.reset_of(trip);
        page.say(format!("复位: {zh}"), format!("Reset {en}"));
        page.say(
            "搁置报警不影响表决; 断电重启后仍保持动作",
            "Shelving its alarms changes no vote; it outlives a restart and a loss of power",
        );
        page
    }
}
