//! The words that explanations are made of: places of registers, units, states and verbs, in both languages.

use crate::model::alarm::Colour;
use crate::model::element::ElementKind;
use crate::model::plan::{OnBad, Trip};
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
pub(super) fn lasting(span: Span) -> String {
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

pub(super) fn on_bad(trip: &Trip) -> (String, String) {
    let borne = lasting(trip.bad_delay);
    match trip.on_bad {
        OnBad::Vote => (
            format!("不可判断达 {borne} 按动作票计"),
            format!("one that can't be judged for {borne} counts as a vote to trip"),
        ),
        OnBad::Alarm => (
            format!("不可判断只报警, 全部不可判断达 {borne} 即动作"),
            format!(
                "one that can't be judged is only told, and when none can be judged for {borne} it trips"
            ),
        ),
    }
}

pub(super) fn verb(kind: ElementKind) -> (&'static str, &'static str) {
    match kind {
        ElementKind::Valve => ("关阀", "shuts"),
        ElementKind::Load => ("断电", "cut from power"),
        ElementKind::Siren => ("启动", "switched on"),
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
