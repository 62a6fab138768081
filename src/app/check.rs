//! `davy check` and `davy schema`.

use super::args::{Check, CheckFormat, Schema};
use super::load::{LoadError, load};
use super::{BAD_CONFIG, err, out};
use crate::config::{self, Compiled, Faults};
use crate::io::local;
use crate::model::plan::Plan;
use crate::record::schema;
use crate::views::explain::explain;
use crate::views::loads;
use crate::views::matrix;
use crate::views::registers::{self, Heard};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

/// `davy check`: 0 where the file can be run, 2 where it can't.
pub(super) fn check(args: &Check) -> ExitCode {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if let Some(why) = unfit_format(args) {
        err(&format!("error: {why}\n"));
        return ExitCode::from(BAD_CONFIG);
    }
    let (faults, lines, code) = match load(&args.config) {
        Ok(compiled) => {
            if args.matrix {
                let html = args.format == CheckFormat::Html;
                out(&if html { matrix::to_html(&compiled.plan) } else { matrix::to_text(&compiled.plan) });
                return ExitCode::SUCCESS;
            }
            if args.registers {
                let heard = heard(&compiled.plan);
                out(&registers::to_text(&compiled.plan, heard.as_deref()));
                return ExitCode::SUCCESS;
            }
            if let Some(target) = &args.explain {
                return explained(&compiled, target);
            }
            if args.format == CheckFormat::Human {
                out(&compiled.warnings.render(colour));
                out(&format!("{}: good{}\n", args.config.display(), summary(&compiled.plan)));
                out(&loads::to_text(&compiled.plan));
                return ExitCode::SUCCESS;
            }
            (compiled.warnings, loads::to_json(&compiled.plan), ExitCode::SUCCESS)
        }
        Err(LoadError::Faulty(faults)) => (faults, Value::Null, ExitCode::from(BAD_CONFIG)),
        Err(LoadError::Unreadable(why)) => {
            match args.format {
                CheckFormat::Human | CheckFormat::Html => out(&format!("error: {why}\n")),
                CheckFormat::Json => out(&format!("{}\n", json!({ "good": false, "unreadable": why }))),
            }
            return ExitCode::from(BAD_CONFIG);
        }
    };
    match args.format {
        CheckFormat::Human | CheckFormat::Html => out(&faults.render(colour)),
        CheckFormat::Json => out(&format!("{}\n", to_json(&faults, &lines, code == ExitCode::SUCCESS))),
    }
    code
}

/// A form that an answer does not come in.
fn unfit_format(args: &Check) -> Option<&'static str> {
    match (args.format, args.matrix, args.registers) {
        (CheckFormat::Html, false, _) => Some("--format html is for --matrix; take it away"),
        (CheckFormat::Json, true, _) => Some("--matrix comes as text or html; take --format json away"),
        (CheckFormat::Json, _, true) => Some("--registers comes as text; take --format json away"),
        (CheckFormat::Human, _, _) | (CheckFormat::Html, true, _) | (CheckFormat::Json, false, false) => None,
    }
}

/// What the agent that runs on this state folder heard last; `None` where none answers.
fn heard(plan: &Plan) -> Option<Vec<Heard>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let question = json!({ "do": "cells" });
    let answer = runtime.block_on(local::put(Path::new(&plan.state_dir), &question)).ok()?;
    let cells = answer.get("cells")?.as_array()?;
    Some(cells.iter().filter_map(Heard::from_json).collect())
}

fn explained(compiled: &Compiled, target: &str) -> ExitCode {
    match explain(&compiled.plan, &compiled.origins, target) {
        Ok(text) => {
            out(&text);
            ExitCode::SUCCESS
        }
        Err(why) => {
            err(&format!("error: {why}\n"));
            ExitCode::from(BAD_CONFIG)
        }
    }
}

/// `lines` is null where the file can't be run: what a broken file would carry nobody knows.
fn to_json(faults: &Faults, lines: &Value, good: bool) -> Value {
    json!({ "good": good, "faults": faults.to_json(), "lines": lines })
}

fn summary(plan: &Plan) -> String {
    format!(
        ": {} areas, {} lines, {} devices, {} points, {} alarms, {} trips on {} elements, {} destinations; hash {}",
        plan.areas.len(),
        plan.buses.len(),
        plan.devices.len(),
        plan.points.len(),
        plan.alarms.len(),
        plan.trips.len(),
        plan.elements.len(),
        plan.destinations.len(),
        plan.config_hash.chars().take(16).collect::<String>(),
    )
}

/// `davy schema`.
pub(super) fn print_schema(args: &Schema) -> ExitCode {
    let schema = match (args.messages, args.profile) {
        (true, _) => schema::messages(),
        (false, true) => config::profile_schema(),
        (false, false) => config::json_schema(),
    };
    out(&format!("{schema:#}\n"));
    ExitCode::SUCCESS
}
