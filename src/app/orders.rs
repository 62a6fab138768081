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

/// Alarms that one order acknowledges: a question has its longest length, and keys have theirs.
const ACK_MAX: usize = 24;

/// `davy ack`: nothing is acknowledged that was not shown, so that the view comes first and the order names what was in it.
pub(super) fn ack(args: &Ack) -> ExitCode {
    let order = |key: &str, n: u64| json!({ "do": "ack", "key": key, "occurrence": n, "name": args.name });
    if let (Some(key), Some(n)) = (&args.alarm, args.occurrence) {
        return put(&args.which, &order(key, n.into()));
    }
    let view = match asked(&args.which, &json!({ "do": "status", "json": true })) {
        Ok(view) => view,
        Err(code) => return code,
    };
    let alarms = view.pointer("/status/alarms").and_then(Value::as_array).cloned().unwrap_or_default();
    let number = |alarm: &Value| alarm.get("occurrence").and_then(Value::as_u64).unwrap_or(0);
    let show = |alarm: &Value| {
        let (key, n, state) = (text(alarm, "key"), number(alarm), text(alarm, "state"));
        out(&format!("{key} #{n} {state}: {} / {}\n", text(alarm, "zh"), text(alarm, "en")));
    };
    if let Some(key) = &args.alarm {
        let standing = alarms.iter().find(|alarm| text(alarm, "key") == *key);
        standing.into_iter().for_each(show);
        // What does not stand is refused with the agent's reason.
        return put(&args.which, &order(key, standing.map_or(0, number)));
    }
    let waiting = view.pointer("/status/waiting").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut code = ExitCode::SUCCESS;
    for seen in waiting.chunks(ACK_MAX) {
        let is_seen = |alarm: &&Value| seen.iter().any(|s| text(s, "key") == text(alarm, "key"));
        alarms.iter().filter(is_seen).for_each(show);
        code = put(&args.which, &json!({ "do": "ack-all", "seen": seen, "name": args.name }));
        if code != ExitCode::SUCCESS {
            return code;
        }
    }
    if waiting.is_empty() {
        out("无需确认 / nothing waits to be acknowledged\n");
    }
    code
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
            json!({ "do": "out-of-service", "key": args.alarm, "hours": args.hours, "reason": args.reason, "second": args.second,
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

pub(super) fn put(which: &Which, question: &Value) -> ExitCode {
    asked(which, question).map_or_else(|code| code, |answer| show(&answer))
}

/// The agent's answer; where there is none, it was told why.
fn asked(which: &Which, question: &Value) -> Result<Value, ExitCode> {
    let dir = state_dir(which).map_err(|why| {
        err(&why);
        ExitCode::from(BAD_CONFIG)
    })?;
    let answer = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("the system gives no runtime: {e}"))
        .and_then(|runtime| runtime.block_on(local::put(&dir, question)));
    answer.map_err(|why| {
        err(&format!("error: {why}\n"));
        ExitCode::from(FAILED)
    })
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn show(answer: &Value) -> ExitCode {
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

pub(super) fn state_dir(which: &Which) -> Result<PathBuf, String> {
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
