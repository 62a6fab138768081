//! `davy check` and `davy schema`.

use super::args::{Check, LogFormat, Schema};
use super::load::{LoadError, load};
use super::{BAD_CONFIG, err, out};
use crate::config::{self, Compiled, Faults};
use crate::record::schema;
use crate::views::explain::explain;
use serde_json::json;
use std::io::IsTerminal;
use std::process::ExitCode;

/// `davy check`: 0 where the file can be run, 2 where it can't.
pub(super) fn check(args: &Check) -> ExitCode {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (faults, code) = match load(&args.config) {
        Ok(compiled) => {
            if let Some(target) = &args.explain {
                return explained(&compiled, target);
            }
            if args.format == LogFormat::Human {
                out(&compiled.warnings.render(colour));
                out(&format!("{}: good{}\n", args.config.display(), summary(&compiled.plan)));
                return ExitCode::SUCCESS;
            }
            (compiled.warnings, ExitCode::SUCCESS)
        }
        Err(LoadError::Faulty(faults)) => (faults, ExitCode::from(BAD_CONFIG)),
        Err(LoadError::Unreadable(why)) => {
            match args.format {
                LogFormat::Human => out(&format!("error: {why}\n")),
                LogFormat::Json => out(&format!("{}\n", json!({ "good": false, "unreadable": why }))),
            }
            return ExitCode::from(BAD_CONFIG);
        }
    };
    match args.format {
        LogFormat::Human => out(&faults.render(colour)),
        LogFormat::Json => out(&format!("{}\n", to_json(&faults, code == ExitCode::SUCCESS))),
    }
    code
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

fn to_json(faults: &Faults, good: bool) -> serde_json::Value {
    json!({ "good": good, "faults": faults.to_json() })
}

fn summary(plan: &crate::model::plan::Plan) -> String {
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
