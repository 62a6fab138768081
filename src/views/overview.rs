//! The site at a glance, for a terminal and for tools: what is wrong, where, since when, what Davy has done about it
//! and what is to be done.

use crate::model::alarm::{AlarmState, Colour};
use crate::model::element::{Demand, ElementKind, Phase, Position};
use crate::model::grade::{GradeRule, Reason};
use crate::model::incident::Incident;
use crate::model::line::Stray;
use crate::model::plan::{Plan, Subject};
use crate::model::point::Displayed;
use crate::model::table::AlarmId;
use crate::model::time::Span;
use crate::model::view::{LineView, UnitView, View};
use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};
use std::fmt::Write;

/// How a colour of the risk map looks and what it is called.
#[must_use]
pub fn colour_words(colour: Option<Colour>) -> (&'static str, &'static str, AnsiColor) {
    match colour {
        Some(Colour::Red) => ("红", "RED", AnsiColor::Red),
        Some(Colour::Orange) => ("橙", "ORANGE", AnsiColor::Magenta),
        Some(Colour::Yellow) => ("黄", "YELLOW", AnsiColor::Yellow),
        Some(Colour::Blue) => ("蓝", "BLUE", AnsiColor::Blue),
        None => ("正常", "normal", AnsiColor::Green),
    }
}

/// What an alarm's state is called in Chinese.
#[must_use]
pub const fn state_zh(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Normal => "正常",
        AlarmState::Unacknowledged => "报警未确认",
        AlarmState::Acknowledged => "报警已确认",
        AlarmState::ReturnedUnacknowledged => "已恢复未确认",
        AlarmState::LatchedUnacknowledged => "保持未确认",
        AlarmState::LatchedAcknowledged => "保持待复位",
        AlarmState::Shelved => "已搁置",
        AlarmState::Suppressed => "逻辑抑制",
        AlarmState::OutOfService => "停用",
    }
}

/// An alarm's colour: one worse while nobody has acknowledged it in time.
fn alarm_colour(plan: &Plan, view: &View, id: AlarmId) -> Colour {
    let colour = plan.alarms[id].colour;
    if view.alarms[id].escalated { colour.worse() } else { colour }
}

fn standing<'a>(plan: &'a Plan, view: &'a View) -> impl Iterator<Item = AlarmId> + 'a {
    plan.alarms.ids().filter(|id| view.alarms[*id].state != AlarmState::Normal)
}

/// Alarms that are not normal: unacknowledged first, then the worst colour, then the newest.
fn worst_first(plan: &Plan, view: &View) -> Vec<AlarmId> {
    let mut alarms: Vec<AlarmId> = standing(plan, view).collect();
    alarms.sort_by_key(|id| {
        let a = &view.alarms[*id];
        (
            a.aside.is_some(),
            !a.state.wants_acknowledgement(),
            alarm_colour(plan, view, *id),
            std::cmp::Reverse(a.since),
        )
    });
    alarms
}

/// For a terminal. `colour` adds ANSI colours; every colour stands beside its word.
#[must_use]
pub fn to_text(plan: &Plan, view: &View, colour: bool) -> String {
    let mut out = String::new();
    let written = write_text(&mut out, plan, view, &Paint { colour });
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
    out
}

struct Paint {
    colour: bool,
}

impl Paint {
    fn on(&self, text: &str, colour: AnsiColor) -> String {
        if self.colour {
            let style = Style::new().bold().fg_color(Some(colour.into()));
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

fn write_text(out: &mut String, plan: &Plan, view: &View, paint: &Paint) -> std::fmt::Result {
    writeln!(out, "{}  {} / {}   {}", plan.gateway, plan.name.zh, plan.name.en, view.at.wall)?;
    for (id, area) in plan.areas.iter() {
        let (zh, en, ansi) = colour_words(Some(view.grades[id].colour));
        writeln!(
            out,
            "\n{}  {} / {}  [{}]",
            paint.on(&format!("■ {zh} {en}"), ansi),
            area.name.zh,
            area.name.en,
            area.tag
        )?;
        let beyond_risk = view.grades[id].why.iter().filter(|r| r.rule != GradeRule::Risk);
        for reason in beyond_risk.filter(|r| r.rule != GradeRule::Alarm) {
            writeln!(out, "    ↑ {}", reason_words(reason))?;
        }
        for incident in view.incidents.iter().filter(|i| i.area == area.tag.as_str()) {
            writeln!(out, "    {}", incident_words(incident))?;
        }
        for (point_id, point) in
            plan.points.iter().filter(|(_, p)| p.area == id && !is_feedback(plan, p.tag.as_str()))
        {
            let reading = view.points[point_id];
            let value = reading.value.map_or("--".to_owned(), |v| Displayed::text(v, point.decimals));
            writeln!(
                out,
                "    {:<28} {value:>8} {:<6} {}",
                point.tag.as_str(),
                point.unit.as_str(),
                reading.quality
            )?;
        }
        for (element_id, element) in plan.elements.iter().filter(|(_, e)| e.area == id) {
            let e = &view.elements[element_id];
            let (zh, en) = element_words(element.kind, e.position, e.demand, e.phase);
            writeln!(out, "    {:<28} {zh} / {en}  ({})", element.tag.as_str(), element.mode.as_str())?;
        }
    }
    for permit in &view.permits {
        let ((zh, en), by) = (permit.kind.words(), &permit.by);
        writeln!(
            out,
            "\n  ⚒ {zh} / {en}  {}  {} until {} ({by})",
            permit.key(),
            permit.tighten.words(),
            permit.until
        )?;
    }
    let alarms = worst_first(plan, view);
    writeln!(out, "\n报警 Alarms: {}", alarms.len())?;
    for id in alarms {
        let (alarm, state) = (&plan.alarms[id], &view.alarms[id]);
        let (zh, en, ansi) = colour_words(Some(alarm_colour(plan, view, id)));
        writeln!(out, "  {} {}  #{}", paint.on(&format!("▲ {zh} {en}"), ansi), alarm.key, state.occurrence)?;
        writeln!(out, "      {} / {}", alarm.text.zh, alarm.text.en)?;
        writeln!(
            out,
            "      {} / {} since {}{}",
            state_zh(state.state),
            state.state.as_str(),
            state.since,
            peak(plan, id, state.peak)
        )?;
        if let Some(aside) = &state.aside {
            let until = aside.until.map(|until| format!(" until {until}")).unwrap_or_default();
            let second = aside.second.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
            writeln!(out, "      ⏸ {}{second}: {}{until}  (×{})", aside.by, aside.reason, aside.count)?;
        }
        if state.escalated {
            writeln!(out, "      ! 长时间无人确认 / nobody has acknowledged in time")?;
        }
        writeln!(out, "      → {} / {}", alarm.action.zh, alarm.action.en)?;
    }
    for (id, trip) in plan.trips.iter().filter(|(id, _)| view.trips[*id].tripped) {
        let first = view.trips[id].first_out.as_deref().unwrap_or("-");
        let word = paint.on("■ 动作 TRIPPED", AnsiColor::Red);
        writeln!(out, "  {word} {}  {} / {}; 首发 first-out: {first}", trip.tag, trip.name.zh, trip.name.en)?;
    }
    if let Some(target) = &view.testing {
        writeln!(out, "  {} {target}", paint.on("! 试验中 UNDER TEST", AnsiColor::Yellow))?;
    }
    if let Some(target) = &view.cut_off {
        let word = paint.on("! 试验中止 TEST ABORTED", AnsiColor::Yellow);
        writeln!(out, "  {word} {target}  重启 / by a restart; test it again")?;
    }
    for bypass in &view.bypasses {
        let word = paint.on("! 旁路 BYPASSED", AnsiColor::Yellow);
        let second = bypass.second.as_ref().map(|s| format!(", {s}")).unwrap_or_default();
        let key = &plan.alarms[bypass.cause].key;
        writeln!(out, "  {word} {key}  {} left; {}{second}: {}", bypass.left, bypass.by.name, bypass.reason)?;
    }
    lines(out, plan, view)?;
    for trouble in &view.troubles {
        let word = paint.on("! 故障 TROUBLE", AnsiColor::Yellow);
        writeln!(
            out,
            "  {word} {} {}: {} / {}",
            trouble.code, trouble.detail, trouble.text.zh, trouble.text.en
        )?;
    }
    Ok(())
}

/// How busy each line is; of its devices those that do not answer as they should.
fn lines(out: &mut String, plan: &Plan, view: &View) -> std::fmt::Result {
    if !view.lines.is_empty() {
        writeln!(out, "\n线路 Lines")?;
    }
    for line in &view.lines {
        let bus = &plan.buses[line.bus];
        let stray = if line.stray.is_none() { String::new() } else { format!("; {}", line.stray) };
        writeln!(
            out,
            "    {:<28} {:>3.0} % in use  {}{stray}",
            bus.tag.as_str(),
            line.in_use * 100.0,
            bus.link
        )?;
        let ails = |u: &&UnitView| {
            u.no_reply + u.damaged + u.garbled + u.exceptions + u.down > 0 || !u.stray.is_none()
        };
        for unit in line.units.iter().filter(ails) {
            let (device, p99) = (&plan.devices[unit.device], unit.p99);
            let stray = if unit.stray.is_none() { String::new() } else { format!("; {}", unit.stray) };
            let p99 = p99.map_or_else(|| "never answered".to_owned(), |p99| format!("99 % within {p99}"));
            writeln!(
                out,
                "      {} (unit {}): {p99}; of {} questions {} without reply, {} damaged, {} garbled, {} exceptions, {} link \
                 down{stray}",
                device.tag,
                device.unit,
                unit.asked,
                unit.no_reply,
                unit.damaged,
                unit.garbled,
                unit.exceptions,
                unit.down
            )?;
        }
    }
    Ok(())
}

fn lines_json(plan: &Plan, view: &View) -> Vec<Value> {
    let us = |span: Option<Span>| span.map(Span::us);
    let unit = |u: &UnitView| {
        let device = &plan.devices[u.device];
        json!({
            "device": device.tag.as_str(), "unit": device.unit, "asked": u.asked, "no_reply": u.no_reply,
            "damaged": u.damaged, "garbled": u.garbled, "exceptions": u.exceptions, "down": u.down,
            "median_us": us(u.median), "p99_us": us(u.p99), "stray": stray_json(&u.stray),
        })
    };
    let line = |line: &LineView| {
        json!({
            "id": plan.buses[line.bus].tag.as_str(), "in_use": line.in_use,
            "stray": stray_json(&line.stray),
            "units": line.units.iter().map(unit).collect::<Vec<_>>(),
        })
    };
    view.lines.iter().map(line).collect()
}

fn stray_json(stray: &Stray) -> Value {
    let Stray { bytes, damaged, foreign, echoes, misshapen } = stray;
    json!({ "bytes": bytes, "damaged": damaged, "foreign": foreign, "echoes": echoes, "misshapen": misshapen })
}

fn reason_words(reason: &Reason) -> String {
    let held = match (reason.value, reason.limit) {
        (Some(value), Some(limit)) => format!(" {value:.1} ({limit:.1})"),
        (Some(_) | None, _) => String::new(),
    };
    let key = if reason.key.is_empty() { String::new() } else { format!(" {}", reason.key) };
    format!("{}{key}{held}", reason.rule.as_str())
}

fn incident_words(incident: &Incident) -> String {
    let worst = incident.worst();
    let peak = worst.map(|p| format!(", peak {} {} {}", p.point, p.peak, p.unit)).unwrap_or_default();
    format!("超限 / over the limit #{} since {} for {}{peak}", incident.number, incident.began, incident.over)
}

fn peak(plan: &Plan, id: AlarmId, peak: Option<f64>) -> String {
    match (plan.alarms[id].subject, peak) {
        (Subject::Point(p), Some(peak)) => {
            let point = &plan.points[p];
            format!(", peak {peak:.*} {}", usize::from(point.decimals), point.unit)
        }
        (Subject::Point(_) | Subject::Device(_) | Subject::Element(_), _) => String::new(),
    }
}

/// Whether a point was made for an element's feedback; the element's own line tells what it says.
fn is_feedback(plan: &Plan, tag: &str) -> bool {
    plan.elements.values().any(|e| tag.strip_prefix(e.tag.as_str()).is_some_and(|rest| rest.starts_with('.')))
}

/// Where an element of this kind is, in English.
#[must_use]
pub const fn position_words(kind: ElementKind, position: Position) -> &'static str {
    position_zh_en(kind, position).1
}

const fn position_zh_en(kind: ElementKind, position: Position) -> (&'static str, &'static str) {
    match (kind, position) {
        (ElementKind::Valve, Position::Safe) => ("关", "closed"),
        (ElementKind::Valve, Position::Unsafe) => ("开", "open"),
        (ElementKind::Valve, Position::Travelling) => ("行程中", "travelling"),
        (ElementKind::Valve, Position::Closing) => ("关阀中", "closing"),
        (ElementKind::Valve, Position::Opening) => ("开阀中", "opening"),
        (ElementKind::Load, Position::Safe) => ("断电", "dead"),
        (ElementKind::Load, Position::Unsafe) => ("带电", "live"),
        (ElementKind::Siren, Position::Safe) => ("响", "on"),
        (ElementKind::Siren, Position::Unsafe) => ("静", "off"),
        (ElementKind::Lock, Position::Safe) => ("闭锁", "locked"),
        (ElementKind::Lock, Position::Unsafe) => ("未闭锁", "free"),
        (
            ElementKind::Load | ElementKind::Siren | ElementKind::Lock,
            Position::Travelling | Position::Closing | Position::Opening,
        ) => ("动作中", "switching"),
        (_, Position::Conflict) => ("两限位同时到位", "both limits at once"),
        (_, Position::Unknown) => ("未知", "unknown"),
    }
}

fn element_words(kind: ElementKind, position: Position, demand: Demand, phase: Phase) -> (String, String) {
    let (zh, en) = position_zh_en(kind, position);
    match demand {
        Demand::None => (zh.to_owned(), en.to_owned()),
        Demand::Trip => (format!("{zh}, 已要求动作"), format!("{en}, trip demanded: {}", phase.as_str())),
    }
}

/// For tools.
#[must_use]
pub fn to_json(plan: &Plan, view: &View) -> Value {
    let areas: Vec<Value> = plan
        .areas
        .iter()
        .map(|(id, a)| json!({ "id": a.tag.as_str(), "zh": a.name.zh, "en": a.name.en, "colour": view.grades[id].colour.as_str(),
            "why": view.grades[id].why.iter().map(reason_words).collect::<Vec<_>>() }))
        .collect();
    let points: Vec<Value> = plan
        .points
        .iter()
        .map(|(id, p)| {
            let r = view.points[id];
            json!({ "id": p.tag.as_str(), "value": r.value, "unit": p.unit.as_str(), "quality": r.quality.as_str() })
        })
        .collect();
    let alarms: Vec<Value> = worst_first(plan, view)
        .into_iter()
        .map(|id| {
            let (a, s) = (&plan.alarms[id], &view.alarms[id]);
            json!({
                "key": a.key, "state": s.state.as_str(), "occurrence": s.occurrence, "since": s.since.to_string(),
                "colour": a.colour.as_str(), "peak": s.peak, "zh": a.text.zh, "en": a.text.en,
            })
        })
        .collect();
    let waiting = view.waiting(plan).into_iter();
    let waiting: Vec<Value> =
        waiting.map(|(key, occurrence)| json!({ "key": key, "occurrence": occurrence })).collect();
    let trips: Vec<Value> = plan
        .trips
        .iter()
        .map(|(id, t)| {
            let s = &view.trips[id];
            json!({ "id": t.tag.as_str(), "tripped": s.tripped, "first_out": s.first_out, "holding": s.holding })
        })
        .collect();
    let elements: Vec<Value> = plan
        .elements
        .iter()
        .map(|(id, e)| {
            let s = &view.elements[id];
            json!({
                "id": e.tag.as_str(), "mode": e.mode.as_str(), "demanded": s.demand == Demand::Trip,
                "phase": s.phase.as_str(), "position": s.position.as_str(),
            })
        })
        .collect();
    let devices: Vec<Value> = plan
        .devices
        .iter()
        .map(|(id, d)| {
            let s = &view.devices[id];
            json!({ "id": d.tag.as_str(), "failures": s.failures, "fault": s.fault.as_ref().map(ToString::to_string) })
        })
        .collect();
    let incidents: Vec<Value> = view
        .incidents
        .iter()
        .map(|i| {
            let worst = i.worst();
            json!({
                "area": i.area, "number": i.number, "began": i.began.to_string(), "over_ms": i.over.ms(),
                "live_ms": i.live.ms(), "point": worst.map(|p| &p.point), "peak": worst.map(|p| p.peak),
            })
        })
        .collect();
    let permits: Vec<Value> = view
        .permits
        .iter()
        .map(|p| json!({ "key": p.key(), "until": p.until.to_string(), "by": p.by, "tighten": p.tighten.words() }))
        .collect();
    let troubles: Vec<Value> = view
        .troubles
        .iter()
        .map(|t| json!({ "code": t.code, "detail": t.detail, "zh": t.text.zh, "en": t.text.en }))
        .collect();
    let bypasses: Vec<Value> = view
        .bypasses
        .iter()
        .map(|b| {
            json!({
                "cause": plan.alarms[b.cause].key, "left_us": b.left.us(), "reason": b.reason, "by": b.by.name,
                "second": b.second,
            })
        })
        .collect();
    json!({
        "bypasses": bypasses, "testing": view.testing, "test_cut_off": view.cut_off, "gateway": plan.gateway, "at": view.at.wall.to_string(), "config_hash": plan.config_hash, "areas": areas,
        "points": points, "alarms": alarms, "waiting": waiting, "trips": trips, "elements": elements, "devices": devices, "troubles": troubles,
        "incidents": incidents, "permits": permits, "lines": lines_json(plan, view),
    })
}
