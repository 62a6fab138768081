//! A point: where its value comes from, what it alarms at, which trips it votes in, and what is not covered.

use super::words::lasting;
use super::words::{displayed, list, location, reckoning, state, title};
use super::{Book, Page};
use crate::model::alarm::Condition;
use crate::model::plan::Contact;
use crate::model::point::{Quality, Unit};
use crate::model::register::{Field, StatusMeaning};
use crate::model::table::{AlarmId, PointId};
use std::collections::BTreeSet;

impl Book<'_> {
    pub(super) fn point(&self, id: PointId) -> Page {
        let point = &self.plan.points[id];
        let mut page = Page { title: title(point.tag.as_str(), &point.name), ..Page::default() };
        let area = &self.plan.areas[point.area];
        let (gas_zh, gas_en) = match &point.gas {
            Some(gas) => {
                let lel = gas.lel_pct_vol.map(|lel| format!(", LEL {lel} %vol"));
                let lel = |by: &str| lel.as_ref().map(|lel| format!("{lel} ({by})")).unwrap_or_default();
                (
                    format!(", 测量 {}{}", gas.tag, lel("场所文件所给")),
                    format!(", measures {}{}", gas.tag, lel("as the site states it")),
                )
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
        for trip in self.plan.trips.values() {
            for alarm in trip.permissives.iter().filter(|alarm| point.alarms.contains(alarm)) {
                let key = &self.plan.alarms[*alarm].key;
                page.say(
                    format!("{key} 是 {} 的许可条件: 复位前须证明安全", trip.tag),
                    format!("{key} is a permissive of {}: it must be safe before a reset", trip.tag),
                );
            }
        }
        if !point.alarms.is_empty() {
            self.announcing(&mut page);
        }
        self.permits(id, &mut page);
        self.incident(id, &mut page);
        self.signs_of_point(id, &mut page);
        self.feedback_of(id, &mut page);
        self.not_covered(id, &votes, &mut page);
        page
    }

    pub(super) fn origin_of_value(&self, id: PointId, page: &mut Page) {
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
                format!("量程 {low} 至 {high} {unit}; 超出即不可信, 高出时至少按 {high} {unit} 计"),
                format!(
                    "Measures {low} to {high} {unit}; beyond that a reading is in doubt, and above it counts as {high} {unit} or more"
                ),
            );
        }
        for (raw, quality) in field.sentinels.iter() {
            page.say(format!("原始值 {raw} 表示 {quality}"), format!("Raw value {raw} means {quality}"));
        }
        read_along(field, page);
        for (contact, doubt) in self.plan.doubts.get(&id).into_iter().flatten() {
            let (tag, quality) = (&self.plan.points[*contact].tag, Quality::Uncertain(*doubt));
            page.say(
                format!("{tag} 为 1 期间至多为 {quality}; 读不到 {tag} 时不可信"),
                format!(
                    "While {tag} is 1 it is {quality} at best; while {tag} can't be read it is not believed"
                ),
            );
        }
        for status in field.statuses.iter() {
            let (at_zh, at_en) = location(status.at);
            let (known, other) = match &status.meaning {
                StatusMeaning::Codes(codes) => (list(codes.iter()), "unknown-status"),
                StatusMeaning::Bits { flags, zero } => {
                    let flags = flags.iter().filter(|flag| flag.quality != Quality::Good);
                    let flags = flags.map(|flag| {
                        let when = if flag.when { "" } else { " = 0" };
                        (format!("{}{when}", flag.bit), flag.quality)
                    });
                    let flags: Vec<(String, Quality)> = flags.collect();
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

    /// Whose contact or read-back a point is.
    pub(super) fn feedback_of(&self, id: PointId, page: &mut Page) {
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

    pub(super) fn not_covered(&self, id: PointId, votes: &BTreeSet<AlarmId>, page: &mut Page) {
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
}

/// What else than statuses is read along with a value.
fn read_along(field: &Field, page: &mut Page) {
    if field.current.is_some() {
        page.say(
            "4-20 mA, 按 NAMUR NE 43: 低于 3.6 mA 为断线",
            "4 to 20 mA, after NAMUR NE 43: below 3.6 mA the wire is broken",
        );
    }
    if let Some((at, _)) = field.decimals {
        let (zh, en) = location(at);
        page.say(
            format!("小数位数与值同一请求读取: {zh}"),
            format!("How many decimals it has is read in the same request, {en}"),
        );
    }
    if let Some(unit) = &field.unit {
        let (zh, en) = location(unit.at);
        page.say(
            format!("单位由设备给出: {zh}; 不符即为坏值 (wrong-unit), 绝不换算"),
            format!(
                "Its unit is read too, {en}: another one makes it bad (wrong-unit), and is never converted"
            ),
        );
    }
}
