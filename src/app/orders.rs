//! `davy status`, `davy ack`, `davy reset` and the other orders: a person at the gateway talks to the running agent.

use super::args::{
    Ack, Bypass, Calibrate, Decode, Permit, Prooftest, Reset, Shelve, Status, Unbypass, Unpermit, Unshelve,
    Which, Work,
};
use super::load::{LoadError, state_folder};
use super::{BAD_CONFIG, FAILED, err, out};
use crate::io::local;
use crate::model::permit::PermitKind;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// `davy status`.
pub(super) fn status(args: &Status) -> ExitCode {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    put(&args.which, &json!({ "do": "status", "json": args.json, "colour": colour }))
}

/// `davy ack`.
pub(super) fn ack(args: &Ack) -> ExitCode {
    let question = match &args.alarm {
        Some(key) => json!({ "do": "ack", "key": key, "occurrence": args.occurrence, "name": args.name }),
        None => json!({ "do": "ack-all", "name": args.name }),
    };
    put(&args.which, &question)
}

/// `davy reset`.
pub(super) fn reset(args: &Reset) -> ExitCode {
    put(&args.which, &json!({ "do": "reset", "target": args.target, "name": args.name }))
}

/// `davy shelve`.
pub(super) fn shelve(args: &Shelve) -> ExitCode {
    let question = match args.minutes {
        Some(minutes) => {
            json!({ "do": "shelve", "key": args.alarm, "minutes": minutes, "reason": args.reason,
                "second": args.second, "name": args.name })
        }
        None => {
            json!({ "do": "out-of-service", "key": args.alarm, "reason": args.reason, "second": args.second,
                "name": args.name })
        }
    };
    put(&args.which, &question)
}

/// `davy unshelve`.
pub(super) fn unshelve(args: &Unshelve) -> ExitCode {
    put(&args.which, &json!({ "do": "unshelve", "key": args.alarm, "name": args.name }))
}

/// `davy bypass`.
pub(super) fn bypass(args: &Bypass) -> ExitCode {
    let question = json!({
        "do": "bypass", "target": args.cause, "minutes": args.minutes, "reason": args.reason, "second": args.second,
        "name": args.name,
    });
    put(&args.which, &question)
}

/// `davy permit`.
pub(super) fn permit(args: &Permit) -> ExitCode {
    let kind = match args.kind {
        Work::HotWork => PermitKind::HotWork,
        Work::ConfinedSpace => PermitKind::ConfinedSpace,
    };
    let question = json!({
        "do": "permit", "place": args.place, "kind": kind.as_str(), "minutes": args.minutes,
        "percent": args.percent, "warning": args.warning, "alarm": args.alarm, "trip": args.trip,
        "low_warning": args.low_warning, "low_alarm": args.low_alarm, "low_trip": args.low_trip,
        "second": args.second, "name": args.name,
    });
    put(&args.which, &question)
}

/// `davy unbypass`.
pub(super) fn unbypass(args: &Unbypass) -> ExitCode {
    put(&args.which, &json!({ "do": "unbypass", "target": args.cause, "name": args.name }))
}

/// `davy calibrate`.
pub(super) fn calibrate(args: &Calibrate) -> ExitCode {
    let question =
        json!({ "do": "calibrate", "point": args.point, "minutes": args.minutes, "name": args.name });
    put(&args.which, &question)
}

/// `davy prooftest`.
pub(super) fn proof_test(args: &Prooftest) -> ExitCode {
    put(
        &args.which,
        &json!({ "do": "prooftest", "target": args.target, "kind": args.kind, "name": args.name }),
    )
}

/// `davy unpermit`.
pub(super) fn unpermit(args: &Unpermit) -> ExitCode {
    put(&args.which, &json!({ "do": "unpermit", "key": args.permit, "name": args.name }))
}

/// `davy decode`.
pub(super) fn decode(args: &Decode) -> ExitCode {
    put(&args.which, &json!({ "do": "decode", "bus": args.bus, "what": args.what }))
}

fn put(which: &Which, question: &Value) -> ExitCode {
    let dir = match state_dir(which) {
        Ok(dir) => dir,
        Err(why) => {
            err(&why);
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let answer = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("the system gives no runtime: {e}"))
        .and_then(|runtime| runtime.block_on(local::put(&dir, question)));
    match answer {
        Ok(answer) => show(&answer),
        Err(why) => {
            err(&format!("error: {why}\n"));
            ExitCode::from(FAILED)
        }
    }
}

fn show(answer: &Value) -> ExitCode {
    let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    if answer.get("ok").and_then(Value::as_bool) == Some(true) {
        match answer.get("status") {
            Some(status) => out(&format!("{status:#}\n")),
            None if answer.get("text").is_some() => out(&text(answer, "text")),
            None => out(&format!("{} / {}\n", text(answer, "zh"), text(answer, "en"))),
        }
        return ExitCode::SUCCESS;
    }
    err("拒绝 refused:\n");
    for why in answer.get("refused").and_then(Value::as_array).into_iter().flatten() {
        err(&format!("  {} / {}\n", text(why, "zh"), text(why, "en")));
    }
    ExitCode::from(FAILED)
}

fn state_dir(which: &Which) -> Result<PathBuf, String> {
    if let Some(dir) = &which.state {
        return Ok(dir.clone());
    }
    let Some(path) = &which.config else {
        return Err("name the agent with --config or --state\n".to_owned());
    };
    match state_folder(path) {
        Ok(dir) => Ok(dir),
        Err(LoadError::Unreadable(why)) => Err(format!("error: {why}\n")),
        Err(LoadError::Faulty(faults)) => Err(faults.render(false)),
    }
}
