//! The words that explanations are made of: places of registers, units, states and verbs, in both languages.

use crate::model::alarm::{Colour, Condition};
use crate::model::element::ElementKind;
use crate::model::plan::{Member, OnBad, Plan, Trip};
use crate::model::point::{Quality, Text, Unit};
use crate::model::register::{Command, Encoding, Field, Location, Space};
use crate::model::time::Span;

pub(super) fn title(tag: &str, name: &Text) -> String {
    format!("{tag}  {} / {}", name.zh, name.en)
}

pub(super) fn displayed(unit: Unit, decimals: u8) -> Option<String> {
    let step = 10f64.powi(i32::from(decimals).saturating_neg());
    (unit != Unit::State).then(|| format!("{step:.*} {unit}", usize::from(decimals)))
}

pub(super) fn location(at: Location) -> (String, String) {
    let (zh, first) = match at.space {
        Space::Coil => ("线圈", 1u32),
        Space::Discrete => ("离散输入", 10_001),
        Space::Input => ("输入寄存器", 30_001),
        Space::Holding => ("保持寄存器", 40_001),
    };
    let en = match at.space {
        Space::Coil => "coil",
        Space::Discrete => "discrete input",
        Space::Input => "input register",
        Space::Holding => "holding register",
    };
    let manual = first.saturating_add(u32::from(at.address));
    (
        format!("{zh} {} (手册 {manual:05})", at.address),
        format!("{en} {} (a manual's {manual:05})", at.address),
    )
}

/// How a value is reckoned from its bits.
pub(super) fn reckoning(field: &Field, unit: Unit) -> (String, String) {
    let bits = match field.encoding {
        Encoding::U16 => "u16".to_owned(),
        Encoding::I16 => "i16".to_owned(),
        Encoding::U32(order) => format!("u32 {order:?}").to_lowercase(),
        Encoding::I32(order) => format!("i32 {order:?}").to_lowercase(),
        Encoding::F32(order) => format!("f32 {order:?}").to_lowercase(),
        Encoding::Bits { shift, mask } => format!("bits (>> {shift}, & {mask:#x})"),
        Encoding::Bit => "bit".to_owned(),
        Encoding::Packed => "packed".to_owned(),
    };
    if unit == Unit::State {
        return (bits.clone(), bits);
    }
    let offset = if field.offset == 0.0 { String::new() } else { format!(" + {}", field.offset) };
    let how = |raw: &str, value: &str| format!("{bits}; {value} = {raw} x {}{offset} {unit}", field.scale);
    (how("原始值", "值"), how("raw", "value"))
}

pub(super) fn list<'a, N: std::fmt::Display + 'a>(entries: impl Iterator<Item = &'a (N, Quality)>) -> String {
    entries.map(|(n, quality)| format!("{n} {quality}")).collect::<Vec<_>>().join(", ")
}

/// A span as people write it: whole minutes and seconds as such.
pub(in crate::views) fn lasting(span: Span) -> String {
    match (span.us() % 60_000_000, span.us() % 1_000_000) {
        (0, _) if span > Span::ZERO => format!("{} min", span.us() / 60_000_000),
        (_, 0) => format!("{} s", span.us() / 1_000_000),
        (_, _) => span.to_string(),
    }
}

pub(super) fn delay(span: Span) -> (String, String) {
    if span == Span::ZERO {
        ("立即".to_owned(), "at once".to_owned())
    } else {
        let span = lasting(span);
        (format!("持续 {span} 后"), format!("after {span}"))
    }
}

/// What a member of a vote counts as that can't be judged.
pub(super) fn on_bad(plan: &Plan, trip: &Trip, on_bad: OnBad) -> (String, String) {
    let borne = lasting(trip.bad_delay);
    let (hold_zh, hold_en) = if plan.start_hold > Span::ZERO {
        let hold = lasting(plan.start_hold);
        (
            format!(" (启动后: 须启动闭锁 {hold} 结束)"),
            format!(" (after a start: once the start hold of {hold} is over)"),
        )
    } else {
        (String::new(), String::new())
    };
    match on_bad {
        OnBad::Ignore => (
            "不可判断的不计票: 设备故障绝不闭锁".to_owned(),
            "one that can't be judged does not count: a device's fault locks nothing".to_owned(),
        ),
        OnBad::Vote => (
            format!("不可判断达 {borne} 按动作票计{hold_zh}"),
            format!("one that can't be judged for {borne} counts as a vote to trip{hold_en}"),
        ),
        OnBad::Alarm => (
            format!("不可判断只报警, 全部不可判断达 {borne} 即动作{hold_zh}"),
            format!(
                "one that can't be judged is only told, and when none can be judged for {borne} it trips{hold_en}"
            ),
        ),
    }
}

/// What a trip's own vote makes of a member that can't be judged.
pub(super) fn own_on_bad(plan: &Plan, trip: &Trip) -> (String, String) {
    on_bad(plan, trip, trip.groups.last().map_or(OnBad::Vote, |own| own.on_bad))
}

/// A trip's vote: `1oo2 [a:trip, b:trip]`, with the votes that it names in it.
pub(super) fn ballot(plan: &Plan, trip: &Trip) -> String {
    ballots(plan, trip).pop().unwrap_or_default()
}

/// Each vote of a trip in its words, inner before outer.
pub(super) fn ballots(plan: &Plan, trip: &Trip) -> Vec<String> {
    let mut told: Vec<String> = Vec::with_capacity(trip.groups.len());
    for group in &trip.groups {
        let member = |member: &Member| match member {
            Member::Cause(n) => trip.causes.get(*n).map(|cause| plan.alarms[*cause].key.clone()),
            Member::Group(n) => {
                let tag = trip.groups.get(*n).map(|inner| inner.tag.as_str()).unwrap_or_default();
                told.get(*n).map(|inner| format!("{tag} = {inner}"))
            }
        };
        let members: Vec<String> = group.members.iter().filter_map(member).collect();
        told.push(format!("{}oo{} [{}]", group.votes, group.members.len(), members.join(", ")));
    }
    told
}

/// When an alarm occurs that has no number of its own.
pub(super) fn watched_for(condition: Condition) -> (&'static str, &'static str) {
    let all = [
        (Condition::BypassActive, "旁路期间", "a cause of it is bypassed"),
        (
            Condition::Anomaly,
            "数据有失真或失效迹象; 参数见 [signs]",
            "a sign that its data may be false or that it may fail; the numbers are those of [signs]",
        ),
        (Condition::MovedUncommanded, "未经指令而动作", "it moves without a command"),
        (
            Condition::FeedbackConflict,
            "两限位同时到位, 或停在中间",
            "its limits contradict one another, or it stands between them",
        ),
        (Condition::FeedLive, "已令断电而馈电仍有电", "it was cut and its feed sensor says live"),
        (
            Condition::SlowTravel,
            "动作时间达投运值的1.2倍",
            "it takes 1.2 times its commissioned time or longer",
        ),
        (
            Condition::FailedToOpen,
            "指令解除后未按预期离开安全位",
            "let go, it does not leave its safe state in the time that the site expects",
        ),
        (
            Condition::LeakThrough,
            "确认关闭后气体仍上升",
            "gas still rises behind it although it is confirmed closed",
        ),
        (Condition::ProofTestFailed, "上次试验不合格", "it failed its last proof test"),
        (
            Condition::ProofTestDue,
            "上次试验已过期, 或无试验记录",
            "its last proof test is too long ago, or nobody knows of one",
        ),
    ];
    let found = all.into_iter().find(|(one, _, _)| *one == condition);
    found.map_or(("", ""), |(_, zh, en)| (zh, en))
}

pub(super) fn verb(kind: ElementKind) -> (&'static str, &'static str) {
    match kind {
        ElementKind::Valve => ("关阀", "shut"),
        ElementKind::Load => ("断电", "cut from power"),
        ElementKind::Siren => ("启动", "switched on"),
        ElementKind::Lock => ("闭锁", "locked"),
    }
}

pub(super) fn state(kind: ElementKind, safe: bool) -> (&'static str, &'static str) {
    match (kind, safe) {
        (ElementKind::Valve, true) => ("关闭", "closed"),
        (ElementKind::Valve, false) => ("开启", "open"),
        (ElementKind::Load, true) => ("断电", "dead"),
        (ElementKind::Load, false) => ("带电", "live"),
        (ElementKind::Siren, true) => ("启动", "on"),
        (ElementKind::Siren, false) => ("停止", "off"),
        (ElementKind::Lock, true) => ("闭锁", "locked"),
        (ElementKind::Lock, false) => ("解锁", "unlocked"),
    }
}

pub(super) fn written(command: &Command) -> (String, String) {
    let ((zh, en), trip) = (location(command.at), command.trip);
    match command.release {
        Some(release) => (
            format!("{zh} 写 {trip} 要求安全状态, 写 {release} 撤回"),
            format!("{en}, {trip} demands the safe state and {release} withdraws the demand"),
        ),
        None => (
            format!("{zh} 写 {trip} 要求安全状态, 从不撤回"),
            format!("{en}, {trip} demands the safe state; nothing is ever written to withdraw it"),
        ),
    }
}

pub(super) fn colour_zh(colour: Colour) -> &'static str {
    match colour {
        Colour::Red => "红",
        Colour::Orange => "橙",
        Colour::Yellow => "黄",
        Colour::Blue => "蓝",
    }
}
