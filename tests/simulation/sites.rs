//! A site for every seed: heads, fans, valves and loads of any kind, votes and delays as a file may have them; and the
//! changed file that is taken while the site runs.

use crate::dice::Dice;
use crate::world::site::SiteText;
use davy::config::{self, Extras, Source};
use davy::model::plan::Plan;
use davy::model::time::Span;
use std::sync::Arc;

/// Area kinds with a gas, a place and a unit that they know.
const KINDS: [(&str, &str, &str, &str); 8] = [
    ("cn-coal-face", " at T1", "methane", "%vol"),
    ("cn-coal-face", " at T2", "methane", "%vol"),
    ("cn-coal-heading", " at T3-fan", "methane", "%vol"),
    ("cn-coal-shaft-belt", "", "methane", "%vol"),
    ("cn-gas-user", "", "methane", "%LEL"),
    ("cn-industry", "", "oxygen", "%vol"),
    ("cn-gas-user", "", "carbon-monoxide", "ppm"),
    ("au-nsw", "", "methane", "%vol"),
];

/// The files that a site has had: the first one, and changed ones.
pub(crate) fn files(dice: &mut Dice) -> Vec<Arc<Plan>> {
    let text = if dice.one_in(5) { demo(dice) } else { built(dice) };
    // A day holds many starts and many resets: a whole minute after each, in which none is taken, would leave no time for
    // anything else.
    let hold = Span::from_secs(*dice.pick(&[0, 0, 0, 10]));
    let spared = |plan: Plan| Arc::new(Plan { start_hold: hold, ..plan });
    let mut plans = vec![spared(compile(&text))];
    for _ in 0..2 {
        plans.extend(try_compile(&changed(&text, dice)).map(spared));
    }
    plans
}

fn demo(dice: &mut Dice) -> String {
    let hold = format!("reset_hold_s = {}", dice.below(4));
    include_str!("../../config/demo.toml").replace("reset_hold_s = 2", &hold)
}

fn built(dice: &mut Dice) -> String {
    let mut site = SiteText::default();
    let mut line = |text: String| site.line(&text).unwrap_or_else(|| panic!("{text}"));
    let (mut areas, mut causes, mut effects) = (Vec::new(), Vec::new(), Vec::new());
    let mut permissives = Vec::new();
    for n in 0..=dice.below(2) {
        let (kind, place, gas, unit) = *dice.pick(&KINDS);
        let risk = *dice.pick(&["", " with risk = \"yellow\"", ""]);
        line(format!("area a{n} is a {kind}{risk}"));
        areas.push(format!("a{n}"));
        for h in 0..=dice.below(4) {
            let mut options = vec![format!("off_delay_s = {}", dice.below(4))];
            if dice.one_in(3) {
                options.push(format!("on_delay_s = {}", dice.below(3)));
            }
            if h == 0 && dice.one_in(3) {
                options.push(format!("rise_per_min = {}", dice.below(5) + 1));
            }
            if h > 0 && dice.one_in(4) {
                options.push(format!("twin = \"a{n}.h{}\"; deviation = 0.5", h - 1));
            }
            if h > 0 && dice.one_in(4) {
                options.push(format!("neighbours = [\"a{n}.h{}\"]; catalytic = true", h - 1));
            }
            if h > 0 && dice.one_in(4) {
                options.push(format!("suppressed_by = [\"a{n}.h{}:sensor-fault\"]", h - 1));
            }
            line(format!(
                "head a{n}.h{h} in a{n}{place} measures {gas} in {unit} with {}",
                options.join("; ")
            ));
            // Oxygen has no trip level: its alarms are causes as well.
            if gas == "methane" && unit == "%vol" && place != " at T3-fan" {
                permissives.push(format!("a{n}.h{h}:alarm"));
            }
            causes.push(if gas == "oxygen" {
                format!("a{n}.h{h}:low-alarm")
            } else {
                format!("a{n}.h{h}:trip")
            });
        }
        if dice.one_in(3) {
            line(format!("fan a{n}.fan in a{n} with off_delay_s = {}", dice.below(3)));
            causes.extend([format!("a{n}.fan:contact-trip"), format!("a{n}.duct:low-trip")]);
        }
    }
    for n in 0..=dice.below(2) {
        let kind = *dice.pick(&["valve", "load", "load"]);
        let observe = if dice.one_in(8) { "; mode = \"observe\"" } else { "" };
        line(format!("{kind} e{n} in {} with travel_s = {}{observe}", dice.pick(&areas), dice.below(4) + 3));
        effects.push(format!("e{n}"));
    }
    for n in 0..=dice.below(2) {
        let some = |dice: &mut Dice, of: &[String]| {
            let mut some: Vec<String> = of.iter().filter(|_| dice.one_in(2)).cloned().collect();
            if some.is_empty() {
                some.push(dice.pick(of).clone());
            }
            some
        };
        let (when, acts) = (some(dice, &causes), some(dice, &effects));
        let (m, of) = (dice.below(when.len()) + 1, when.len());
        let on_bad = if dice.one_in(3) { "alarm" } else { "vote" };
        let bypass = *dice.pick(&["two-persons", "one-person", "one-person", "never"]);
        let mut more = format!("; bypass = \"{bypass}\"");
        if !permissives.is_empty() && dice.one_in(3) {
            more.push_str(&format!("; permissive = [\"{}\"]", dice.pick(&permissives)));
        }
        line(format!(
            "trip t{n} when {} acts on {} with vote = \"{m}oo{of}\"; on_bad = \"{on_bad}\"; bad_delay_s = {}; reset_hold_s = {}; approved = {{ by = \"Wang\", reason = \"x\" }}{more}",
            when.join(" "),
            acts.join(" "),
            dice.below(6),
            dice.below(8),
        ));
    }
    if dice.one_in(2) {
        line(format!("siren siren in {}", areas[0]));
        line(format!("alarms escalate_s = {}; siren = \"siren\"; again_min = 1", dice.below(40) + 5));
    }
    if dice.one_in(2) {
        line("signs hold_s = 60; frozen_min_s = 60; step_constant_s = 20; calibration_zero_s = 5; calibration_plateau_s = 5; output_settle_s = 2".to_owned());
    }
    site.text()
}

/// The file as somebody changed it: other delays, stricter or fewer of something.
fn changed(text: &str, dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => text.replacen("off_delay_s = 1", "off_delay_s = 3", 2),
        1 => text.replace("reset_hold_s = 2", "reset_hold_s = 4").replace("poll_ms = 500", "poll_ms = 700"),
        // A row is gone, with all that names it where there is anything.
        2 => without(text, "[[trip]]", dice),
        _ => text.replacen("[[load]]", "[[valve]]", 0).replace("bad_delay_s = 5", "bad_delay_s = 1"),
    }
}

fn without(text: &str, table: &str, dice: &mut Dice) -> String {
    let starts: Vec<usize> = text.match_indices(table).map(|(at, _)| at).collect();
    let Some(start) = starts.get(dice.below(starts.len())).copied() else { return text.to_owned() };
    let after = start + table.len();
    let end = text[after..].find("\n[[").map_or(text.len(), |at| after + at + 1);
    format!("{}{}", &text[..start], &text[end..])
}

fn try_compile(text: &str) -> Option<Plan> {
    let source = Source { name: "site.toml".to_owned(), text: text.to_owned() };
    config::compile(&source, &Extras::default()).ok().map(|compiled| compiled.plan)
}

fn compile(text: &str) -> Plan {
    let source = Source { name: "site.toml".to_owned(), text: text.to_owned() };
    match config::compile(&source, &Extras::default()) {
        Ok(compiled) => compiled.plan,
        Err(faults) => panic!("{}\n{text}", faults.render(false)),
    }
}
