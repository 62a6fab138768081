//! The command socket on the gateway: `DIR/davy.sock`, for its owner and group only. One JSON line asks, one JSON
//! line answers. Who asks is what the kernel says of the peer, not what the peer says of itself.

use super::journal::Journal;
use super::line::Decode;
use super::room::{Door, RoomGone};
use crate::model::command::{Order, Reply, Verb};
use crate::model::element::TestKind;
use crate::model::permit::{PermitKind, SetPoints, Tightening};
use crate::model::point::{Text, is_plain};
use crate::model::record::Who;
use crate::views;
use crate::views::registers::Heard;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The socket's name in the state folder.
pub const NAME: &str = "davy.sock";

/// Longest question, bytes: a verb and a key.
const QUESTION_MAX: u64 = 4096;

/// How long a peer may take over its question: programs ask, so it is there at once, and who only holds a place goes.
const QUESTION_PATIENCE: Duration = Duration::from_secs(1);

/// How long the answer may take, and what a peer waits for it at least.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest key of an alarm or id that is asked about: an id of 64, a colon and a condition. Orders are recorded, refused
/// ones too, so that what can be no key is turned away at the door and fills no journal.
const KEY_MAX: usize = 100;

/// Longest name of a person, in characters.
const NAME_MAX: usize = 64;

/// Longest reason, in characters: two lines.
const REASON_MAX: usize = 200;

/// Peers that are listened or written to at once: a handful of terminals. Who is one more takes the place of whoever has
/// had one longest, so that nobody keeps an operator out by holding connections open.
const PEERS_MAX: usize = 16;

/// Opens the socket. The state folder's lock must be held: a socket that lies there is then a dead agent's.
///
/// # Errors
/// What could not be done, with the path.
pub fn open(state_dir: &Path) -> Result<UnixListener, String> {
    let path = state_dir.join(NAME);
    let fail =
        |what: &str, e: std::io::Error| format!("cannot {what} the command socket {}: {e}", path.display());
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(fail("remove", e)),
    }
    let listener = UnixListener::bind(&path).map_err(|e| fail("open", e))?;
    listener.set_nonblocking(true).map_err(|e| fail("open", e))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660))
        .map_err(|e| fail("protect", e))?;
    Ok(listener)
}

/// What lies where the socket belongs: another answer than after [`open`] means that nobody finds it any more.
#[must_use]
pub fn found(state_dir: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(state_dir.join(NAME)).ok().map(|found| (found.dev(), found.ino()))
}

/// Serves the socket until the task is dropped.
pub async fn serve(listener: UnixListener, door: Door, journal: Journal) {
    let listener = match tokio::net::UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the command socket can't be served"),
    };
    // Dropping one ends its peer.
    let mut places: VecDeque<oneshot::Sender<Infallible>> = VecDeque::with_capacity(PEERS_MAX);
    loop {
        match listener.accept().await {
            Ok((peer, _)) => {
                places.retain(|place| !place.is_closed());
                if places.len() >= PEERS_MAX {
                    places.pop_front();
                }
                let (place, lost) = oneshot::channel();
                places.push_back(place);
                tokio::spawn(attend(peer, door.clone(), journal.clone(), lost));
            }
            Err(error) => {
                tracing::warn!(%error, "the command socket refuses peers; trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// One question and its answer. Whoever loses the place meanwhile is hung up on, but never between an order and what
/// came of it.
async fn attend(mut peer: UnixStream, door: Door, journal: Journal, mut lost: oneshot::Receiver<Infallible>) {
    let who = Who { name: peer_name(&peer), via: "local".to_owned() };
    let (read, mut write) = peer.split();
    let mut question = Vec::new();
    let mut reader = BufReader::new(read.take(QUESTION_MAX));
    let asked = tokio::select! {
        // Whoever has asked already is answered.
        biased;
        asked = timeout(QUESTION_PATIENCE, reader.read_until(b'\n', &mut question)) => asked,
        _ = &mut lost => return,
    };
    let answer = match asked.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())) {
        Ok(_) => answer(&question, who, &door, &journal).await,
        Err(e) => refused(&[Text::new("读取失败", format!("cannot read the question: {e}"))]),
    };
    let mut line = answer.to_string();
    line.push('\n');
    let tell = async {
        // A peer that has gone does not want its answer.
        drop(write.write_all(line.as_bytes()).await);
        drop(write.shutdown().await);
    };
    tokio::select! {
        biased;
        told = timeout(PATIENCE, tell) => drop(told),
        _ = &mut lost => {}
    }
}

async fn answer(question: &[u8], who: Who, door: &Door, journal: &Journal) -> Value {
    match ask(question) {
        Err(why) => refused(&[Text::new("请求不明", why)]),
        Ok(Asked::Status { json: as_json, colour }) => match door.view().await {
            Ok((plan, view)) if as_json => {
                json!({ "ok": true, "status": views::overview::to_json(&plan, &view) })
            }
            Ok((plan, view)) => json!({ "ok": true, "text": views::overview::to_text(&plan, &view, colour) }),
            Err(RoomGone) => refused(&[gone()]),
        },
        Ok(Asked::Cells) => match door.cells().await {
            Ok(heard) => {
                json!({ "ok": true, "cells": heard.iter().map(Heard::to_json).collect::<Vec<_>>() })
            }
            Err(RoomGone) => refused(&[gone()]),
        },
        Ok(Asked::Decode { bus, decode }) => match door.decode(bus.clone(), decode).await {
            Ok(true) => {
                let what = decode.as_str();
                json!({ "ok": true, "zh": format!("{bus}: 日志记录 {what}"), "en": format!("{bus}: the log shows {what}") })
            }
            Ok(false) => refused(&[Text::new(format!("没有线路 {bus}"), format!("there is no line {bus}"))]),
            Err(RoomGone) => refused(&[gone()]),
        },
        Ok(Asked::RotateKey { name }) => {
            let name = name.map_or(who.name.clone(), |given| format!("{given} ({})", who.name));
            rotate(journal, Who { name, ..who }).await
        }
        Ok(Asked::Order { verb, name }) => {
            let name = name.map_or(who.name.clone(), |given| format!("{given} ({})", who.name));
            match door.order(Order { who: Who { name, ..who }, verb }).await {
                Ok(Reply::Done(text)) => json!({ "ok": true, "zh": text.zh, "en": text.en }),
                Ok(Reply::Refused(why)) => refused(&why),
                Err(RoomGone) => refused(&[gone()]),
            }
        }
    }
}

async fn rotate(journal: &Journal, who: Who) -> Value {
    let outcome = match journal.rotate(who) {
        Ok(answer) => match timeout(PATIENCE, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => return refused(&[gone()]),
            Err(_) => Err("the disk is slow: whether the key has changed is in the journal soon".to_owned()),
        },
        Err(why) => Err(why),
    };
    match outcome {
        Ok(key) => {
            json!({ "ok": true, "zh": format!("新公钥 {key}"), "en": format!("key {key} signs from now on") })
        }
        Err(why) => refused(&[Text::new(format!("密钥未更换: {why}"), why)]),
    }
}

fn gone() -> Text {
    Text::new("安全线程正在结束", "the agent is ending")
}

fn refused(why: &[Text]) -> Value {
    let why: Vec<Value> = why.iter().map(|t| json!({ "zh": t.zh, "en": t.en })).collect();
    json!({ "ok": false, "refused": why })
}

enum Asked {
    Status { json: bool, colour: bool },
    Cells,
    Decode { bus: String, decode: Decode },
    Order { verb: Verb, name: Option<String> },
    RotateKey { name: Option<String> },
}

fn ask(question: &[u8]) -> Result<Asked, String> {
    let question: Value =
        serde_json::from_slice(question).map_err(|e| format!("not one line of JSON: {e}"))?;
    let text = |key: &str| question.get(key).and_then(Value::as_str).map(str::to_owned);
    let flag = |key: &str| question.get(key).and_then(Value::as_bool).unwrap_or(false);
    let wanted = |key: &str| text(key).ok_or_else(|| format!("`{key}` is missing"));
    let id = |key: &str| wanted(key).and_then(|id| if is_key(&id) { Ok(id) } else { Err(no_key(key)) });
    // What people write goes into the journal and onto terminals: nothing that moves the cursor or turns the line
    // around, and not without end.
    let said = |key: &str, max: usize| -> Option<String> {
        text(key).map(|t| t.chars().filter(|c| is_plain(*c)).take(max).collect())
    };
    let verb = match wanted("do")?.as_str() {
        "status" => return Ok(Asked::Status { json: flag("json"), colour: flag("colour") }),
        "cells" => return Ok(Asked::Cells),
        "decode" => {
            let decode =
                Decode::parse(&wanted("what")?).ok_or("`what` is none of off, values, frames, bytes")?;
            return Ok(Asked::Decode { bus: id("bus")?, decode });
        }
        "rotate-key" => return Ok(Asked::RotateKey { name: said("name", NAME_MAX) }),
        "ack" => Verb::Acknowledge { key: id("key")?, occurrence: occurrence(&question)? },
        "ack-all" => Verb::AcknowledgeAll { seen: seen(&question)? },
        "reset" => Verb::Reset { target: id("target")? },
        "shelve" => Verb::Shelve {
            key: id("key")?,
            minutes: question
                .get("minutes")
                .and_then(Value::as_u64)
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(0),
            reason: said("reason", REASON_MAX).unwrap_or_default(),
            second: said("second", NAME_MAX),
        },
        "out-of-service" => Verb::TakeOut {
            key: id("key")?,
            hours: question
                .get("hours")
                .and_then(Value::as_u64)
                .map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
            reason: said("reason", REASON_MAX).unwrap_or_default(),
            second: said("second", NAME_MAX),
        },
        "unshelve" => Verb::TakeBack { key: id("key")? },
        "bypass" => Verb::Bypass {
            target: id("target")?,
            minutes: question
                .get("minutes")
                .filter(|m| !m.is_null())
                .map(|m| m.as_u64().and_then(|m| u32::try_from(m).ok()).ok_or("`minutes` is no number"))
                .transpose()?,
            reason: said("reason", REASON_MAX).unwrap_or_default(),
            second: said("second", NAME_MAX),
        },
        "unbypass" => Verb::Unbypass { target: id("target")? },
        "calibrate" => Verb::Calibrate {
            point: id("point")?,
            minutes: question
                .get("minutes")
                .and_then(Value::as_u64)
                .map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
        },
        "prooftest" => Verb::ProofTest {
            target: id("target")?,
            kind: TestKind::parse(&wanted("kind")?)
                .filter(|kind| TestKind::ORDERED.contains(kind))
                .ok_or("`kind` is none of full, partial, interlock")?,
        },
        "permit" => Verb::Permit {
            place: id("place")?,
            kind: PermitKind::parse(&wanted("kind")?)
                .ok_or_else(|| "`kind` is neither hot-work nor confined-space".to_owned())?,
            minutes: question
                .get("minutes")
                .and_then(Value::as_u64)
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(0),
            tighten: tightening(&question),
            second: said("second", NAME_MAX),
        },
        "unpermit" => Verb::EndPermit { key: id("key")? },
        other => {
            return Err(format!(
                "`{other}` is none of status, cells, decode, ack, ack-all, reset, shelve, out-of-service, unshelve, bypass, unbypass, \
                 calibrate, prooftest, permit, unpermit, rotate-key"
            ));
        }
    };
    let name = said("name", NAME_MAX);
    Ok(Asked::Order { verb, name })
}

/// Which occurrence of an alarm a person has seen: without it something that came since would be acknowledged unseen.
fn occurrence(question: &Value) -> Result<u32, String> {
    let number = question.get("occurrence").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    number.ok_or_else(|| "`occurrence` is missing: say which one you saw, as `status` shows it".to_owned())
}

fn seen(question: &Value) -> Result<Vec<(String, u32)>, String> {
    let list = question.get("seen").and_then(Value::as_array);
    let list = list.ok_or("`seen` is missing: the key and occurrence of each alarm that you saw waiting")?;
    let one = |row: &Value| match row.get("key").and_then(Value::as_str).filter(|key| is_key(key)) {
        Some(key) => Ok((key.to_owned(), occurrence(row)?)),
        None => Err(no_key("seen.key")),
    };
    list.iter().map(one).collect()
}

fn tightening(question: &Value) -> Tightening {
    let number = |key: &str| question.get(key).and_then(Value::as_f64);
    match question.get("percent").and_then(Value::as_u64) {
        // What is no percentage is for the judge to refuse, with the reason.
        Some(percent) => Tightening::Percent(u8::try_from(percent).unwrap_or(u8::MAX)),
        None => Tightening::SetPoints(SetPoints::read(number)),
    }
}

fn is_key(text: &str) -> bool {
    let may = |b: u8| b.is_ascii_alphanumeric() || b"._-:".contains(&b);
    !text.is_empty() && text.len() <= KEY_MAX && text.bytes().all(may)
}

fn no_key(field: &str) -> String {
    format!("`{field}` can be no alarm, trip or element: at most {KEY_MAX} of a-z 0-9 . _ - :")
}

/// The user at the other end, by the kernel's word: the name where the system knows it, else the number.
fn peer_name(peer: &UnixStream) -> String {
    let Ok(uid) = peer.peer_cred().map(|c| c.uid()) else { return "unknown".to_owned() };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid {uid}"))
}

/// Asks a running agent, as `davy ack` does.
///
/// # Errors
/// In words: no agent there, no permission, or an answer that is none.
pub async fn put(state_dir: &Path, question: &Value) -> Result<Value, String> {
    let path: PathBuf = state_dir.join(NAME);
    let work = async {
        let mut stream = UnixStream::connect(&path).await.map_err(|e| unreached(state_dir, &path, &e))?;
        let fail = |e: std::io::Error| format!("the agent at {} broke off: {e}", path.display());
        stream.write_all(format!("{question}\n").as_bytes()).await.map_err(fail)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.map_err(fail)?;
        serde_json::from_slice(&answer)
            .map_err(|e| format!("the agent at {} answered no JSON: {e}", path.display()))
    };
    match timeout(PATIENCE * 2, work).await {
        Ok(answer) => answer,
        Err(_) => Err(format!(
            "the agent at {} does not answer within {} s",
            path.display(),
            (PATIENCE * 2).as_secs()
        )),
    }
}

fn unreached(state_dir: &Path, path: &Path, e: &std::io::Error) -> String {
    let (dir, path) = (state_dir.display(), path.display());
    if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) {
        format!(
            "no agent answers in the state folder {dir}: start it with `davy run`, or name another folder with --state; \
             one that could not use this folder is in davy-GATEWAY in the temporary folder"
        )
    } else if e.kind() == ErrorKind::PermissionDenied {
        format!("you may not use {path}: it is for its owner and group; ask to be added to the group")
    } else {
        format!("cannot reach the agent at {path}: {e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calibration_is_asked_for_with_its_minutes_and_ended_without() {
        for (minutes, wanted) in
            [(json!(15), Some(15)), (Value::Null, None), (json!(u64::MAX), Some(u32::MAX))]
        {
            let question = json!({ "do": "calibrate", "point": "face.t1", "minutes": minutes, "name": "Li" });
            let Ok(Asked::Order { verb: Verb::Calibrate { point, minutes }, name }) =
                ask(question.to_string().as_bytes())
            else {
                panic!("a sound question is taken");
            };
            assert_eq!((point.as_str(), minutes, name.as_deref()), ("face.t1", wanted, Some("Li")));
        }
    }

    #[test]
    fn nothing_is_acknowledged_without_saying_which_occurrence_was_seen() {
        for broken in [
            json!({ "do": "ack", "key": "a:trip" }),
            json!({ "do": "ack", "key": "a:trip", "occurrence": -1 }),
            json!({ "do": "ack-all" }),
            json!({ "do": "ack-all", "seen": [{ "key": "a:trip" }] }),
            json!({ "do": "ack-all", "seen": [{ "key": "a b", "occurrence": 1 }] }),
        ] {
            let why = ask(broken.to_string().as_bytes()).err();
            assert!(why.is_some_and(|why| why.contains("occurrence") || why.contains("seen")), "{broken}");
        }
        let sound = json!({ "do": "ack-all", "seen": [{ "key": "a:trip", "occurrence": 2 }] });
        let Ok(Asked::Order { verb: Verb::AcknowledgeAll { seen }, .. }) = ask(sound.to_string().as_bytes())
        else {
            panic!("a sound question is taken");
        };
        assert_eq!(seen, [("a:trip".to_owned(), 2)]);
    }

    #[test]
    fn what_can_be_no_key_never_reaches_the_judge_and_so_fills_no_journal() {
        for key in ["", "\u{1b}[2J", "a b", &"k".repeat(KEY_MAX + 1)] {
            assert!(
                ask(json!({ "do": "ack", "key": key, "occurrence": 1 }).to_string().as_bytes()).is_err(),
                "{key:?}"
            );
            assert!(ask(json!({ "do": "reset", "target": key }).to_string().as_bytes()).is_err(), "{key:?}");
        }
        assert!(ask(json!({ "do": "calibrate", "point": "a b" }).to_string().as_bytes()).is_err());
        let question = json!({ "do": "ack", "key": "bottle-room.lpg-1:low-trip", "occurrence": 1, "name": "Li\n\u{202e}\u{1b}[2J" });
        let Ok(Asked::Order { verb: Verb::Acknowledge { key, .. }, name }) =
            ask(question.to_string().as_bytes())
        else {
            panic!("a sound question is taken");
        };
        assert_eq!((key.as_str(), name.as_deref()), ("bottle-room.lpg-1:low-trip", Some("Li[2J")));
    }

    #[test]
    fn what_people_write_of_a_bypass_reaches_the_judge_without_control_characters_and_not_without_end() {
        let question = json!({
            "do": "bypass", "target": "bottle-room.lpg-1:trip", "minutes": 20, "reason": format!("cal\u{1b}[2J{}", "x".repeat(999)),
            "second": "Wang\n",
        });
        let Ok(Asked::Order { verb: Verb::Bypass { target, minutes, reason, second }, .. }) =
            ask(question.to_string().as_bytes())
        else {
            panic!("a sound question is taken");
        };
        assert_eq!((target.as_str(), minutes), ("bottle-room.lpg-1:trip", Some(20)));
        assert_eq!((reason.chars().count(), second.as_deref()), (REASON_MAX, Some("Wang")));
        assert!(reason.starts_with("cal[2Jx"));
        for broken in [json!("20"), json!(-1), json!(1e20)] {
            let question = json!({ "do": "bypass", "target": "a:trip", "minutes": broken });
            assert!(ask(question.to_string().as_bytes()).is_err(), "{question}");
        }
    }

    #[test]
    fn a_proof_test_is_one_of_three_kinds() {
        let kind = |kind: &str| {
            let question = json!({ "do": "prooftest", "target": "valve", "kind": kind });
            match ask(question.to_string().as_bytes()) {
                Ok(Asked::Order { verb: Verb::ProofTest { kind, .. }, .. }) => Some(kind),
                Ok(_) | Err(_) => None,
            }
        };
        assert_eq!(TestKind::ORDERED.map(|k| kind(k.as_str())), TestKind::ORDERED.map(Some));
        assert_eq!(kind("demand"), None, "that one nobody can order");
        assert_eq!(kind("half"), None);
    }

    #[test]
    fn what_is_no_percentage_is_never_taken_for_one() {
        let permit = |percent: Value| {
            let question = json!({
                "do": "permit", "place": "face", "kind": "hot-work", "minutes": 60, "percent": percent, "alarm": 0.5
            });
            match ask(question.to_string().as_bytes()) {
                Ok(Asked::Order { verb: Verb::Permit { tighten, .. }, .. }) => tighten,
                Ok(_) | Err(_) => panic!("a permit is a permit"),
            }
        };
        assert_eq!(permit(json!(50)), Tightening::Percent(50));
        assert_eq!(permit(json!(306)), Tightening::Percent(u8::MAX), "refused by the judge");
        let set_points = Tightening::SetPoints(SetPoints { alarm: Some(0.5), ..SetPoints::default() });
        assert_eq!(permit(Value::Null), set_points);
        assert!(ask(br#"{"do":"permit","place":"face","kind":"picnic"}"#).is_err());
    }
}
