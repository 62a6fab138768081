//! What each line will have to carry, as it is reckoned before anything runs.

use super::sheet::Sheet;
use crate::field::timing::{Forecast, forecast};
use crate::model::plan::Plan;
use serde_json::{Value, json};

/// Every line of the site: for a terminal.
#[must_use]
pub fn to_text(plan: &Plan) -> String {
    let mut sheet = Sheet::new(["line", "cycle", "in use", "devices", "link"]);
    let mut is_guess = false;
    for (id, bus) in plan.buses.iter() {
        let Forecast { cycle, in_use } = forecast(plan, id);
        let guess = bus.link.pace().is_none();
        is_guess |= guess;
        let mark = if guess { "~" } else { "" };
        sheet.row(vec![
            bus.tag.to_string(),
            format!("{mark}{cycle}"),
            format!("{mark}{:.1} %", in_use * 100.0),
            plan.devices_on(id).count().to_string(),
            bus.link.to_string(),
        ]);
    }
    let note = if is_guess {
        "~: nobody knows how fast this line answers; 10 ms a question are assumed, and `davy status` tells what is measured.\n"
    } else {
        ""
    };
    format!("{}{note}", sheet.text())
}

/// The same, for programs.
#[must_use]
pub fn to_json(plan: &Plan) -> Value {
    let line = |(id, bus): (_, &crate::model::plan::Bus)| {
        let Forecast { cycle, in_use } = forecast(plan, id);
        let percent = (in_use * 1_000.0).round() / 10.0;
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a cycle")]
        let cycle = cycle.us() as f64 / 1_000.0;
        json!({ "id": bus.tag.as_str(), "link": bus.link.to_string(), "devices": plan.devices_on(id).count(),
            "cycle_ms": cycle, "in_use_pct": percent, "assumed": bus.link.pace().is_none() })
    };
    plan.buses.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Extras, Source, compile};

    #[test]
    fn every_line_has_its_cycle_and_use_and_a_guess_is_marked() {
        let text = include_str!("../../config/demo.toml")
            .replace("tcp://127.0.0.1:15022", "rtu:///dev/ttyS1?baud=9600&parity=none&stop=1");
        let site = Source { name: "site.toml".to_owned(), text };
        let plan = compile(&site, &Extras::default()).unwrap_or_else(|f| panic!("{}", f.render(false))).plan;
        let shown = to_text(&plan);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), plan.buses.len() + 2, "{shown}");
        let (heading, network, serial) = (lines[0], lines[1], lines[2]);
        assert!(
            heading.starts_with("line") && heading.contains("cycle") && heading.contains("in use"),
            "{shown}"
        );
        assert!(network.contains('~') && network.ends_with("tcp://127.0.0.1:15021"), "{shown}");
        assert!(!serial.contains('~') && serial.ends_with("rtu:///dev/ttyS1"), "{shown}");
        let told = to_json(&plan);
        let of = |n: usize, key: &str| told[n][key].clone();
        assert_eq!((of(0, "assumed"), of(1, "assumed")), (json!(true), json!(false)));
        for n in 0..plan.buses.len() {
            assert!(of(n, "cycle_ms").as_f64().unwrap() > 0.0, "{told}");
            assert!(of(n, "in_use_pct").as_f64().unwrap() > 0.0, "{told}");
        }
    }
}
