//! Cause and effect as a table: causes as rows, effects as columns, as it is signed. What a trip does in full sentences
//! is told by `explain`.

use super::explain::lasting;
use super::sheet::Sheet;
use crate::model::alarm::Basis;
use crate::model::element::{ElementKind, Mode};
use crate::model::plan::{Element, Member, OnBad, Plan, Subject, Trip};
use crate::model::point::Displayed;
use crate::model::table::{AlarmId, ElementId};
use crate::model::time::Span;
use std::collections::BTreeMap;

/// Effects in one table of text: more are told in further tables, each with the causes that act on them.
const COLUMNS_MAX: usize = 20;

/// What the marks mean.
const LEGEND: &str = "\
X trips it   L locks it   P no cause; must be safe before a reset   (x) (l) observed only, nothing is written
Every trip is latched: it stays until a person resets it, once its inputs have been good and on the safe side of
\"reset at\" for \"held\". \"delay\" is that of the cause and that of the trip. \"bad\" is what an input that can't be judged
counts as, and after how long.
";

/// One row.
struct Cause {
    cells: [String; 8],
    permissive: bool,
    effects: Vec<ElementId>,
}

const HEADING: [&str; 8] = ["trip", "cause", "set-point", "delay", "vote", "bad", "reset at", "held"];

/// As text for a terminal or a printer.
#[must_use]
pub fn to_text(plan: &Plan) -> String {
    let (columns, causes) = (columns(plan), causes(plan));
    let mut text = format!("Cause and effect of {} ({})\n\n{LEGEND}\n", plan.gateway, plan.name.en);
    let mut effects = Sheet::new(["", "effect", "kind", "safe state", "within", "output", "more"]);
    for (name, id) in &columns {
        let [tag, kind, safe, within, output, more] = effect(plan, &plan.elements[*id]);
        effects.row(vec![name.clone(), tag, kind.to_owned(), safe.to_owned(), within, output, more]);
    }
    text.push_str(&effects.text());
    for part in columns.chunks(COLUMNS_MAX) {
        let mut sheet = Sheet::new(HEADING);
        sheet.more_columns(part.iter().map(|(name, _)| name.clone()));
        let mut last = String::new();
        for cause in &causes {
            let marks: Vec<String> = part.iter().map(|(_, id)| mark(plan, cause, *id)).collect();
            if marks.iter().all(String::is_empty) {
                continue;
            }
            let mut cells = cause.cells.to_vec();
            if let Some(trip) = cells.first_mut() {
                // Said once for all of its causes.
                let own = trip.clone();
                if own == last {
                    trip.clear();
                }
                last = own;
            }
            cells.extend(marks);
            sheet.row(cells);
        }
        if !sheet.is_empty() {
            text.push('\n');
            text.push_str(&sheet.text());
        }
    }
    if causes.is_empty() {
        text.push_str("\nThe site has no [[trip]]: nothing is shut off.\n");
    }
    text.push_str(&beside(plan));
    text.push_str(&format!("\nConfiguration {}\n", plan.config_hash));
    text
}

/// As one page of HTML that needs nothing else.
#[must_use]
pub fn to_html(plan: &Plan) -> String {
    let (columns, causes) = (columns(plan), causes(plan));
    let title = escaped(&format!("{} / {}", plan.name.zh, plan.name.en));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Cause and effect: {title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>Cause and effect: {title}</h1>\n<p>{}</p>\n",
        escaped(&format!("{}; configuration {}", plan.gateway, plan.config_hash))
    );
    html.push_str("<table>\n<thead>\n<tr>");
    for heading in HEADING {
        html.push_str(&format!("<th>{}</th>", escaped(heading)));
    }
    for (_, id) in &columns {
        let element = &plan.elements[*id];
        let [tag, kind, safe, within, output, more] = effect(plan, element);
        let hint = format!(
            "{} / {}: {kind}, {safe} within {within}, {output} {more}",
            element.name.zh, element.name.en
        );
        html.push_str(&format!(
            "<th class=\"e\" title=\"{}\"><span>{}</span></th>",
            escaped(&hint),
            escaped(&tag)
        ));
    }
    html.push_str("</tr>\n</thead>\n<tbody>\n");
    for cause in &causes {
        html.push_str("<tr>");
        for cell in &cause.cells {
            html.push_str(&format!("<td>{}</td>", escaped(cell)));
        }
        for (_, id) in &columns {
            html.push_str(&format!("<td class=\"m\">{}</td>", escaped(&mark(plan, cause, *id))));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n<pre>");
    html.push_str(&escaped(LEGEND));
    html.push_str(&escaped(&beside(plan)));
    html.push_str("</pre>\n<table>\n<thead><tr><th>effect</th><th>name</th><th>kind</th><th>safe state</th><th>within</th><th>output</th><th>more</th></tr></thead>\n<tbody>\n");
    for (_, id) in &columns {
        let element = &plan.elements[*id];
        let [tag, kind, safe, within, output, more] = effect(plan, element);
        let name = format!("{} / {}", element.name.zh, element.name.en);
        html.push_str("<tr>");
        for cell in [&tag, &name, &kind, &safe, &within, &output, &more] {
            html.push_str(&format!("<td>{}</td>", escaped(cell)));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</body>\n</html>\n");
    html
}

const STYLE: &str = "\
body { font: 14px sans-serif; margin: 1em }
table { border-collapse: collapse; margin: 1em 0 }
th, td { border: 1px solid #888; padding: 2px 6px; text-align: left; white-space: nowrap }
thead th { background: #eee; position: sticky; top: 0; vertical-align: bottom }
th.e span { writing-mode: vertical-rl; transform: rotate(180deg) }
td.m { text-align: center; font-weight: bold }
@media print { thead { display: table-header-group } }
";

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// The effects, each with the name of its column.
fn columns(plan: &Plan) -> Vec<(String, ElementId)> {
    (1_usize..).zip(plan.elements.iter()).map(|(n, (id, _))| (format!("E{n}"), id)).collect()
}

fn effect(plan: &Plan, element: &Element) -> [String; 6] {
    let safe = match element.kind {
        ElementKind::Valve => "closed",
        ElementKind::Load => "dead",
        ElementKind::Siren => "on",
        ElementKind::Lock => "locked",
    };
    let mut more = Vec::new();
    if element.is_blind() {
        more.push("no feedback".to_owned());
    }
    if let Some(backup) = element.supervision.backup {
        more.push(format!("backup {}", plan.elements[backup].tag));
    }
    let acts = match element.mode {
        Mode::Act => "acts",
        Mode::Observe => "observes",
    };
    [
        element.tag.to_string(),
        element.kind.as_str().to_owned(),
        safe.to_owned(),
        lasting(element.travel_limit),
        acts.to_owned(),
        more.join(", "),
    ]
}

fn mark(plan: &Plan, cause: &Cause, id: ElementId) -> String {
    if !cause.effects.contains(&id) {
        return String::new();
    }
    let element = &plan.elements[id];
    let mark = match (cause.permissive, element.kind, element.mode) {
        (true, _, _) => "P",
        (false, ElementKind::Lock, Mode::Act) => "L",
        (false, ElementKind::Lock, Mode::Observe) => "(l)",
        (false, _, Mode::Act) => "X",
        (false, _, Mode::Observe) => "(x)",
    };
    mark.to_owned()
}

fn causes(plan: &Plan) -> Vec<Cause> {
    let mut rows = Vec::new();
    for (_, trip) in plan.trips.iter() {
        for (n, (id, permissive)) in trip
            .causes
            .iter()
            .map(|c| (c, false))
            .chain(trip.permissives.iter().map(|p| (p, true)))
            .enumerate()
        {
            let vote = if permissive { "permissive".to_owned() } else { vote(trip, n) };
            let bad = if permissive { String::new() } else { bad(trip, n) };
            let delay = if permissive { String::new() } else { delay(plan, trip, *id) };
            let needed = trip.reset_needs.contains(&n);
            let cells = [
                trip.tag.to_string(),
                plan.alarms[*id].key.clone(),
                set_point(plan, *id),
                delay,
                vote,
                bad,
                if needed { reset_at(plan, *id) } else { "not asked".to_owned() },
                lasting(trip.reset_hold),
            ];
            rows.push(Cause { cells, permissive, effects: trip.effects.clone() });
        }
    }
    rows
}

/// What else brings an effect about.
fn beside(plan: &Plan) -> String {
    let mut text = String::new();
    if let Some(siren) = plan.announcing.siren {
        text.push_str(&format!("\n{} sounds while an alarm is escalated.\n", plan.elements[siren].tag));
    }
    for (_, element) in plan.elements.iter() {
        if let Some(backup) = element.supervision.backup {
            text.push_str(&format!(
                "\n{} is brought into its safe state when {} fails to reach its own.\n",
                plan.elements[backup].tag, element.tag
            ));
        }
    }
    text
}

fn displayed(plan: &Plan, id: AlarmId, value: f64) -> String {
    match plan.alarms[id].subject {
        Subject::Point(point) => {
            let point = &plan.points[point];
            format!("{} {}", Displayed::text(value, point.decimals), point.unit)
        }
        Subject::Device(_) | Subject::Element(_) => value.to_string(),
    }
}

fn set_point(plan: &Plan, id: AlarmId) -> String {
    let alarm = &plan.alarms[id];
    let Some(limit) = alarm.limit else { return alarm.condition.to_string() };
    match alarm.condition.basis() {
        Basis::Above => format!(">= {}", displayed(plan, id, limit.set)),
        Basis::Below => format!("<= {}", displayed(plan, id, limit.set)),
        Basis::Contact => format!("= {}", limit.set),
        Basis::Expected | Basis::Sensor | Basis::Range | Basis::More => {
            format!("{} {}", alarm.condition, limit.set)
        }
    }
}

fn reset_at(plan: &Plan, id: AlarmId) -> String {
    let alarm = &plan.alarms[id];
    let Some(limit) = alarm.limit else { return "normal".to_owned() };
    match alarm.condition.basis() {
        Basis::Above => format!("< {}", displayed(plan, id, limit.reset)),
        Basis::Below => format!("> {}", displayed(plan, id, limit.reset)),
        Basis::Contact => format!("= {}", limit.reset),
        Basis::Expected | Basis::Sensor | Basis::Range | Basis::More => "normal".to_owned(),
    }
}

fn delay(plan: &Plan, trip: &Trip, id: AlarmId) -> String {
    match (plan.alarms[id].on_delay, trip.delay) {
        (Span::ZERO, Span::ZERO) => "none".to_owned(),
        (own, Span::ZERO) => lasting(own),
        (own, vote) => format!("{} + {}", lasting(own), lasting(vote)),
    }
}

/// The votes that a cause takes part in, inner before outer.
fn vote(trip: &Trip, cause: usize) -> String {
    let mut told = Vec::new();
    for (n, _) in votes_of(trip, cause) {
        if let Some(group) = trip.groups.get(n) {
            let ballot = format!("{}oo{}", group.votes, group.members.len());
            let own = n.saturating_add(1) == trip.groups.len();
            told.push(if own { ballot } else { format!("{ballot} {}", group.tag) });
        }
    }
    told.join(" > ")
}

/// The groups above a cause, by their numbers, and what a bad input counts as there.
fn votes_of(trip: &Trip, cause: usize) -> BTreeMap<usize, OnBad> {
    let mut member = vec![Member::Cause(cause)];
    let mut found = BTreeMap::new();
    // Each names only votes before it: one way through finds them all.
    for (n, group) in trip.groups.iter().enumerate() {
        if group.members.iter().any(|m| member.contains(m)) {
            found.insert(n, group.on_bad);
            member.push(Member::Group(n));
        }
    }
    found
}

fn bad(trip: &Trip, cause: usize) -> String {
    let innermost = votes_of(trip, cause).into_values().next();
    match innermost.unwrap_or(OnBad::Vote) {
        OnBad::Vote => format!("votes after {}", lasting(trip.bad_delay)),
        OnBad::Alarm => "alarms".to_owned(),
        OnBad::Ignore => "ignored".to_owned(),
    }
}
