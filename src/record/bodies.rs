//! Bodies of the entries about bypasses and proof tests, what is measured of elements, and what must survive of it. What
//! all bodies have in common is in `entry`.
//!
//! What was added to an entry after its first version is left out where there is nothing to say, so that older readers
//! meet the bytes that they know.

use super::entry::{both, who};
use crate::model::element::{Demand, TestKind, TestResult};
use crate::model::record::{
    BypassChange, BypassStanding, BypassStep, BypassedStanding, ElementChange, ProofTestBegun, ProofTestDone,
    Standing, StrokeFound, TestStanding, Who,
};
use crate::model::time::{Span, Wall};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn bypass(b: &BypassChange) -> Value {
    json!({
        "area": b.area,
        "by": who(Some(&b.by)),
        "cause": b.cause,
        "reason": b.reason,
        "remaining_us": b.remaining.us(),
        "second": b.second,
        "since": b.since.to_string(),
        "step": b.step.as_str(),
        "text": both(&b.text),
        "trips": b.trips,
        "until": b.until.to_string(),
        "who": who(b.who.as_ref()),
    })
}

pub(super) fn proof_test(b: &ProofTestDone) -> Value {
    let stroke = |s: &StrokeFound| {
        json!({
            "attempts": s.attempts,
            "dead_us": s.dead.map(|dead| dead.us()),
            "passed": s.passed,
            "position": s.position.as_str(),
            "tag": s.tag,
            "travel_us": s.travel.map(|travel| travel.us()),
        })
    };
    json!({
        "area": b.area,
        "kind": b.kind.as_str(),
        "result": b.result.as_str(),
        "since": b.since.to_string(),
        "strokes": b.strokes.iter().map(stroke).collect::<Vec<_>>(),
        "target": b.target,
        "text": both(&b.text),
        "who": who(Some(&b.who)),
    })
}

pub(super) fn proof_test_begun(b: &ProofTestBegun) -> Value {
    json!({
        "area": b.area,
        "kind": b.kind.as_str(),
        "target": b.target,
        "text": both(&b.text),
        "who": who(Some(&b.who)),
    })
}

/// As [`Standing::apply`] does with the record that the body of an entry about a proof test was made from.
pub(super) fn apply_proof_test(standing: &mut Standing, at: Wall, kind: &str, body: &Value) -> Option<()> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let test = TestKind::parse(text("kind")?)?;
    if kind == "proof-test-begun" {
        standing.test = read_test(body, at);
        return Some(());
    }
    if test != TestKind::Demand {
        standing.test = None;
    }
    let counts = test.proves() && text("result")? != TestResult::Aborted.as_str();
    for stroke in body.get("strokes").and_then(Value::as_array).into_iter().flatten() {
        let passed = stroke.get("passed").and_then(Value::as_bool) == Some(true);
        if let Some(tag) = stroke.get("tag").and_then(Value::as_str).filter(|_| counts && passed) {
            standing.proven.insert(tag.to_owned(), at);
        }
    }
    Some(())
}

fn read_test(body: &Value, since: Wall) -> Option<TestStanding> {
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(TestStanding {
        target: text("target")?,
        area: text("area")?,
        kind: TestKind::parse(&text("kind")?)?,
        since,
        who: read_who(body.get("who")?)?,
    })
}

fn read_who(body: &Value) -> Option<Who> {
    let name = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(Who { name: name("name")?, via: name("via")? })
}

/// What a `standing` entry says of proof tests.
pub(super) fn read_proofs(body: &Value, standing: &mut Standing) {
    let rows = |name| body.get(name).and_then(Value::as_object).into_iter().flatten();
    let proven = rows("proven").filter_map(|(tag, at)| Some((tag.clone(), Wall::parse(at.as_str()?)?)));
    standing.proven.extend(proven);
    let test = |body: &Value| read_test(body, Wall::parse(body.get("since")?.as_str()?)?);
    standing.test = rows("tests").find_map(|(_, body)| test(body));
}

/// The rows of a `standing` entry beyond alarms and trips: table, key and what stands. A table without rows is left
/// out.
pub(super) fn standing_rows(standing: &Standing) -> impl Iterator<Item = (&'static str, String, Value)> {
    let bypass = |b: &BypassStanding| {
        json!({
            "by": who(Some(&b.by)),
            "reason": b.reason,
            "remaining_us": b.remaining.us(),
            "second": b.second,
            "since": b.since.to_string(),
            "until": b.until.to_string(),
            "warned": b.warned,
        })
    };
    let bypasses = standing.bypasses.iter().map(move |(key, b)| ("bypasses", key.clone(), bypass(b)));
    let failed = standing.failed.iter().map(|tag| ("failed", tag.clone(), json!(true)));
    let proven = standing.proven.iter().map(|(tag, at)| ("proven", tag.clone(), json!(at.to_string())));
    let test = |t: &TestStanding| {
        let body = json!({
            "area": t.area, "kind": t.kind.as_str(), "since": t.since.to_string(), "target": t.target,
            "who": who(Some(&t.who)),
        });
        ("tests", t.target.clone(), body)
    };
    let over = |b: &BypassedStanding| json!({ "ended": b.ended.to_string(), "since": b.since.to_string(), "spent_us": b.spent.us() });
    let bypassed = standing.bypassed.iter().map(move |(key, b)| ("bypassed", key.clone(), over(b)));
    let demanded = standing.demanded.iter().map(|(tag, trips)| ("demanded", tag.clone(), json!(trips)));
    bypasses.chain(bypassed).chain(failed).chain(demanded).chain(proven).chain(standing.test.iter().map(test))
}

/// Adds to the body of an `element` entry what was measured of it.
pub(super) fn add_stroke(body: &mut Value, b: &ElementChange) {
    let attempts = (b.attempts > 0).then(|| json!(b.attempts));
    let more = [
        ("attempts", attempts),
        ("backup", b.backup.as_ref().map(|tag| json!(tag))),
        ("dead_us", b.dead.map(|dead| json!(dead.us()))),
        ("travel_us", b.travel.map(|travel| json!(travel.us()))),
    ];
    if let Some(fields) = body.as_object_mut() {
        fields.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    }
}

/// As [`Standing::apply`] does with the record that the body was made from.
pub(super) fn apply_element(standing: &mut Standing, body: &Value) {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let (Some(tag), Some(demand)) = (text("tag"), text("demand")) else { return };
    let demand = if demand == "trip" { Demand::Trip } else { Demand::None };
    let trips = body.get("trips").map(read_texts).unwrap_or_default();
    standing.apply_element(tag, demand, &trips, text("backup").is_some());
}

/// The elements that trips have demanded, out of a `standing` entry.
pub(super) fn read_demanded(body: &Value) -> BTreeMap<String, Vec<String>> {
    let rows = body.get("demanded").and_then(Value::as_object).into_iter().flatten();
    rows.map(|(tag, trips)| (tag.clone(), read_texts(trips))).collect()
}

fn read_texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The elements that had failed, out of a `standing` entry.
pub(super) fn read_failed(body: &Value) -> BTreeSet<String> {
    body.get("failed").and_then(Value::as_object).into_iter().flat_map(Map::keys).cloned().collect()
}

/// As [`Standing::apply`] does with the record that the body was made from.
pub(super) fn apply_bypass(standing: &mut Standing, at: Wall, body: &Value) {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let step = text("step").and_then(|s| BypassStep::ALL.into_iter().find(|step| step.as_str() == s));
    let (Some(cause), Some(step)) = (text("cause"), step) else { return };
    let was_warned = standing.bypasses.remove(cause).is_some_and(|was| was.warned);
    let Some(read) = read_bypass(body) else { return };
    if step.goes_on() {
        let warned = step == BypassStep::Warned || was_warned && step != BypassStep::Started;
        standing.bypasses.insert(cause.to_owned(), BypassStanding { warned, ..read });
    } else {
        let lasted = read.until.since(read.since).us().saturating_sub(read.remaining.us());
        let all = &mut standing.bypassed;
        BypassedStanding::note(all, cause, read.since, at, Span::from_us(lasted));
    }
}

/// The bypasses that are over, out of a `standing` entry.
pub(super) fn read_bypassed(body: &Value) -> Option<BypassedStanding> {
    let wall = |key: &str| Wall::parse(body.get(key)?.as_str()?);
    Some(BypassedStanding {
        since: wall("since")?,
        ended: wall("ended")?,
        spent: Span::from_us(body.get("spent_us")?.as_u64()?),
    })
}

/// A bypass that stands, out of a `standing` entry or one of its own.
pub(super) fn read_bypass(body: &Value) -> Option<BypassStanding> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    Some(BypassStanding {
        since: Wall::parse(text("since")?)?,
        until: Wall::parse(text("until")?)?,
        remaining: Span::from_us(body.get("remaining_us")?.as_u64()?),
        warned: body.get("warned").and_then(Value::as_bool).unwrap_or(false),
        reason: text("reason")?.to_owned(),
        by: read_who(body.get("by")?)?,
        second: text("second").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests;
