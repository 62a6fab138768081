//! The bytes of a journal entry: one line of canonical JSON (keys sorted, no spaces), made and read by hand because
//! the journal outlives the types it was made from. How lines hang together is in `chain`, where they lie in `io`.
//!
//! ```text
//! {"body":{…},"boot":"<16 hex>","gateway":"mine-1","kind":"alarm","prev":"<64 hex>","seq":12,"up_us":123,"utc":"2026-11-24T03:42:05.123Z","v":1}
//! ```

mod field;
mod graded;
mod signs;

use super::bodies;
use super::chain::Digest;
use super::seal::CHECKPOINT;
use crate::model::alarm::{AlarmCause, AlarmState, Aside, AsideHow};
use crate::model::element::Demand;
use crate::model::point::Text;
use crate::model::record::{
    AlarmChange, AlarmRates, AlarmStanding, Body, CommandDone, ConfigChange, ElementChange, Gap, Nuisance,
    Record, Seq, Standing, Started, TripChange, TripStanding, Trouble, Who,
};
use crate::model::time::{Mono, Now, Wall};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// The version of the line's shape. A reader refuses a higher one rather than guess at it.
pub const VERSION: u64 = 1;

/// The kind of the entry that opens every file of the journal: where all alarms and trips stood before it. A large
/// site has several of them in a row, each a part of the whole.
pub const STANDING: &str = "standing";

/// Most bytes of rows in one part: with the line around them far under what one message carries.
const PART_MAX_BYTES: usize = 24 * 1024;

/// No entry has a higher number: at a thousand a second it takes thirty thousand years. A line that says so is damage
/// or meddling, and believing it would leave no numbers for what is to come.
pub const SEQ_MAX: Seq = Seq(1_000_000_000_000_000);

/// An entry of the journal, as read or as about to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number.
    pub seq: Seq,
    /// Which run of the program wrote it.
    pub boot: u64,
    /// Which gateway wrote it.
    pub gateway: String,
    /// When it happened; the monotonic part counts from that run's start.
    pub at: Now,
    /// What kind of thing happened, as `alarm`.
    pub kind: String,
    /// What happened.
    pub body: Value,
    /// SHA-256 of the line before it.
    pub prev: Digest,
}

/// Why a line is no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryFault {
    /// It is not JSON; what the parser says.
    NotJson(String),
    /// A field is missing or is not of its type; which one.
    Field(&'static str),
    /// It was written by a newer Davy; its version.
    Newer(u64),
}

impl fmt::Display for EntryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntryFault::NotJson(why) => write!(f, "not JSON: {why}"),
            EntryFault::Field(name) => write!(f, "field `{name}` is missing or not of its type"),
            EntryFault::Newer(v) => {
                write!(f, "written in version {v}, this davy knows {VERSION}: read it with a newer davy")
            }
        }
    }
}

impl Entry {
    /// The entry's line, without a line end.
    #[must_use]
    pub fn line(&self) -> String {
        json!({
            "body": self.body,
            "boot": format!("{:016x}", self.boot),
            "gateway": self.gateway,
            "kind": self.kind,
            "prev": self.prev.to_string(),
            "seq": self.seq.0,
            "up_us": self.at.mono.us(),
            "utc": self.at.wall.to_string(),
            "v": VERSION,
        })
        .to_string()
    }

    /// The entry that `line` holds. Says nothing about whether it belongs where it stands.
    ///
    /// # Errors
    /// [`EntryFault`] where it holds none.
    pub fn parse(line: &[u8]) -> Result<Entry, EntryFault> {
        let mut fields: Map<String, Value> =
            serde_json::from_slice(line).map_err(|e| EntryFault::NotJson(e.to_string()))?;
        let version = number(&fields, "v")?;
        if version > VERSION {
            return Err(EntryFault::Newer(version));
        }
        let boot = read_boot(text(&fields, "boot")?).ok_or(EntryFault::Field("boot"))?;
        let wall = Wall::parse(text(&fields, "utc")?).ok_or(EntryFault::Field("utc"))?;
        let seq = Seq(number(&fields, "seq")?);
        if seq > SEQ_MAX {
            return Err(EntryFault::Field("seq"));
        }
        Ok(Entry {
            seq,
            boot,
            gateway: text(&fields, "gateway")?.to_owned(),
            at: Now { mono: Mono::from_us(number(&fields, "up_us")?), wall },
            kind: text(&fields, "kind")?.to_owned(),
            prev: Digest::parse(text(&fields, "prev")?).ok_or(EntryFault::Field("prev"))?,
            body: fields.remove("body").ok_or(EntryFault::Field("body"))?,
        })
    }

    /// The area it is about, where there is one.
    #[must_use]
    pub fn area(&self) -> Option<&str> {
        self.body.get("area")?.as_str().filter(|area| !area.is_empty())
    }

    /// The key of the alarm, or the id of the trip or element, it is about.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self.kind.as_str() {
            "alarm" => self.body.get("key")?.as_str(),
            "trip" | "element" => self.body.get("tag")?.as_str(),
            // The last one is kept, whoever signed it.
            CHECKPOINT => Some("head"),
            _ => None,
        }
    }
}

fn number(fields: &Map<String, Value>, name: &'static str) -> Result<u64, EntryFault> {
    fields.get(name).and_then(Value::as_u64).ok_or(EntryFault::Field(name))
}

fn text<'a>(fields: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, EntryFault> {
    fields.get(name).and_then(Value::as_str).ok_or(EntryFault::Field(name))
}

pub(super) fn read_boot(text: &str) -> Option<u64> {
    // The standard library reads a leading plus as well.
    let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// What happened in `record`, as the body of an entry. A number that is not finite becomes `null`.
#[must_use]
pub fn body(record: &Record) -> Value {
    match &record.body {
        Body::Started(b) => started(b),
        Body::Ended { reason } => json!({ "reason": reason }),
        Body::Config(b) => config(b),
        Body::Alarm(b) => alarm(b),
        Body::Trip(b) => trip(b),
        Body::Element(b) => element(b),
        Body::Command(b) => command(b),
        Body::Trouble(b) => trouble(b),
        Body::Gap(b) => gap(b),
        Body::Nuisance(b) => nuisance(b),
        Body::AlarmRates(b) => alarm_rates(b),
        Body::Bypass(b) => bodies::bypass(b),
        Body::Anomaly(b) => signs::anomaly(b),
        Body::Calibration(b) => signs::calibration(b),
        Body::ProofTest(b) => bodies::proof_test(b),
        Body::Incident(b) => graded::incident_change(b),
        Body::Grade(b) => graded::grade(b),
        Body::Permit(b) => graded::permit_change(b),
        Body::ProofTestBegun(b) => bodies::proof_test_begun(b),
        Body::Identity(b) => field::identity(b),
        Body::Write(b) => field::write(b),
    }
}

fn started(b: &Started) -> Value {
    json!({
        "config_hash": b.config_hash,
        "previous_end": b.previous_end.as_str(),
        "version": b.version,
    })
}

fn config(b: &ConfigChange) -> Value {
    json!({ "detail": b.detail, "new_hash": b.new_hash, "old_hash": b.old_hash, "taken": b.taken })
}

fn alarm(b: &AlarmChange) -> Value {
    let (aside, under) = match &b.aside {
        Some((aside, under)) => (set_aside(aside), *under),
        None => (Value::Null, b.to),
    };
    let mut body = json!({
        "action": both(&b.action),
        "area": b.area,
        "aside": aside,
        "cause": b.cause.as_str(),
        "colour": b.colour.as_str(),
        "from": b.from.as_str(),
        "key": b.key,
        "occurrence": b.occurrence,
        "peak": b.peak,
        "quality": b.quality.as_str(),
        "set_point": b.set_point,
        "text": both(&b.text),
        "to": b.to.as_str(),
        "under": under.as_str(),
        "unit": b.unit.as_str(),
        "value": b.value,
        "who": who(b.who.as_ref()),
    });
    // Few are, and older readers meet the bytes that they know.
    if let Some(fields) = body.as_object_mut().filter(|_| b.escalated) {
        fields.insert("escalated".to_owned(), json!(true));
    }
    body
}

fn set_aside(aside: &Aside) -> Value {
    json!({
        "by": aside.by,
        "count": aside.count,
        "how": aside.how.state().as_str(),
        "minutes": aside.minutes,
        "reason": aside.reason,
        "second": aside.second,
        "until": aside.until.map(|until| until.to_string()),
    })
}

fn nuisance(b: &Nuisance) -> Value {
    json!({ "count": b.count, "key": b.key, "kind": b.kind.as_str(), "raised": b.raised, "text": both(&b.text) })
}

fn alarm_rates(b: &AlarmRates) -> Value {
    json!({ "day": b.day, "hour": b.hour, "ten_minutes": b.ten_minutes, "worst_ten_minutes": b.worst_ten_minutes })
}

fn trip(b: &TripChange) -> Value {
    json!({
        "area": b.area,
        "causes": b.causes,
        "effects": b.effects,
        "first_out": b.first_out,
        "occurrence": b.occurrence,
        "tag": b.tag,
        "text": both(&b.text),
        "tripped": b.tripped,
        "who": who(b.who.as_ref()),
    })
}

fn element(b: &ElementChange) -> Value {
    let mut body = json!({
        "area": b.area,
        "demand": demand(b.demand),
        "elapsed_us": b.elapsed.map(|e| e.us()),
        "kind": b.kind.as_str(),
        "mode": b.mode.as_str(),
        "phase": b.phase.as_str(),
        "position": b.position.as_str(),
        "tag": b.tag,
        "text": both(&b.text),
        "trips": b.trips,
    });
    bodies::add_stroke(&mut body, b);
    body
}

const fn demand(demand: Demand) -> &'static str {
    match demand {
        Demand::None => "none",
        Demand::Trip => "trip",
    }
}

fn command(b: &CommandDone) -> Value {
    let refused = b.refused.as_ref().map(|reasons| reasons.iter().map(both).collect::<Vec<_>>());
    json!({ "command": b.command, "refused": refused, "who": who(Some(&b.who)) })
}

fn trouble(b: &Trouble) -> Value {
    json!({ "code": b.code, "detail": b.detail, "raised": b.raised, "text": both(&b.text) })
}

fn gap(b: &Gap) -> Value {
    let mut body = json!({
        "count": b.count,
        "from": b.from.to_string(),
        "lane": b.lane.as_str(),
        "reason": b.reason,
        "to": b.to.to_string(),
    });
    // Where there is nothing to say older readers meet the bytes that they know.
    if let Some(fields) = body.as_object_mut().filter(|_| b.at_least) {
        fields.insert("at_least".to_owned(), json!(true));
    }
    body
}

pub(super) fn both(t: &Text) -> Value {
    json!({ "en": t.en, "zh": t.zh })
}

pub(super) fn who(w: Option<&Who>) -> Value {
    w.map_or(Value::Null, |w| json!({ "name": w.name, "via": w.via }))
}

/// Where everything stands, as the bodies of one or more entries of kind [`STANDING`].
#[must_use]
pub fn standing_bodies(standing: &Standing) -> Vec<Value> {
    let alarm = |a: &AlarmStanding| {
        let aside = a.aside.as_ref().map(set_aside);
        json!({
            "announced": a.announced.to_string(), "aside": aside, "escalated": a.escalated,
            "occurred": a.occurred.to_string(), "occurrence": a.occurrence, "peak": a.peak,
            "since": a.since.to_string(), "state": a.state.as_str(),
        })
    };
    let trip = |t: &TripStanding| json!({ "first_out": t.first_out, "occurrence": t.occurrence, "tripped": t.tripped });
    let alarms = standing.alarms.iter().map(|(key, a)| ("alarms", key.clone(), alarm(a)));
    let trips = standing.trips.iter().map(|(tag, t)| ("trips", tag.clone(), trip(t)));
    let empty = || BTreeMap::from([("alarms", Map::new()), ("trips", Map::new())]);
    let (mut parts, mut bytes) = (vec![empty()], 0usize);
    for (table, key, row) in alarms
        .chain(trips)
        .chain(bodies::standing_rows(standing))
        .chain(signs::standing_rows(standing))
        .chain(graded::standing_rows(standing))
        .chain(field::standing_rows(standing))
    {
        let len = json!({ &key: row }).to_string().len();
        if bytes > 0 && bytes.saturating_add(len) > PART_MAX_BYTES {
            parts.push(empty());
            bytes = 0;
        }
        bytes = bytes.saturating_add(len);
        if let Some(part) = parts.last_mut() {
            part.entry(table).or_default().insert(key, row);
        }
    }
    let count = parts.len();
    let numbered = (1usize..).zip(parts).map(|(part, tables)| {
        let mut body = json!(tables);
        if let Some(fields) = body.as_object_mut().filter(|_| count > 1) {
            fields.extend([("part".to_owned(), json!(part)), ("parts".to_owned(), json!(count))]);
        }
        body
    });
    numbered.collect()
}

/// Which part of a snapshot `entry` is, and of how many; `None` where it is none.
#[must_use]
pub fn standing_part(entry: &Entry) -> Option<(u64, u64)> {
    let field = |name| entry.body.get(name).and_then(Value::as_u64).unwrap_or(1);
    (entry.kind == STANDING).then(|| (field("part"), field("parts")))
}

/// Takes in what `entry` changes, as [`Standing::apply`] does with the record it was made from. A body that it
/// cannot read changes nothing: what stood before is the better guess. So does a row that a snapshot does not have,
/// because it may be in another part.
pub fn standing_apply(standing: &mut Standing, entry: &Entry) {
    match entry.kind.as_str() {
        "alarm" => {
            if let Some((key, state)) = read_alarm(entry, standing) {
                standing.alarms.insert(key, state);
            }
        }
        "trip" => {
            if let Some((tag, state)) = entry.key().zip(read_trip(&entry.body)) {
                standing.trips.insert(tag.to_owned(), state);
            }
        }
        "bypass" => bodies::apply_bypass(standing, entry.at.wall, &entry.body),
        "element" => bodies::apply_element(standing, &entry.body),
        kind @ ("proof-test" | "proof-test-begun") => {
            bodies::apply_proof_test(standing, entry.at.wall, kind, &entry.body).unwrap_or_default();
        }
        "anomaly" | "calibration" => signs::standing_apply(standing, entry),
        "identity" => field::standing_apply(standing, &entry.body),
        STANDING => {
            let read = read_standing(&entry.body);
            standing.alarms.extend(read.alarms);
            standing.trips.extend(read.trips);
            standing.bypasses.extend(read.bypasses);
            standing.bypassed.extend(read.bypassed);
            standing.failed.extend(read.failed);
            standing.demanded.extend(read.demanded);
            standing.signs.extend(read.signs);
            standing.calibrations.extend(read.calibrations);
            standing.incidents.extend(read.incidents);
            standing.grades.extend(read.grades);
            standing.permits.extend(read.permits);
            standing.proven.extend(read.proven);
            standing.identities.extend(read.identities);
            standing.test = read.test.or(standing.test.take());
        }
        kind => drop(graded::standing_apply(standing, kind, &entry.body)),
    }
}

fn read_alarm(entry: &Entry, standing: &Standing) -> Option<(String, AlarmStanding)> {
    let aside = entry.body.get("aside").and_then(read_aside);
    let state = entry.body.get("under").or_else(|| entry.body.get("to"))?;
    let (state, occurrence) = (AlarmState::parse(state.as_str()?)?, read_occurrence(&entry.body)?);
    let (key, at) = (entry.key()?.to_owned(), entry.at.wall);
    let was = standing.alarms.get(&key).cloned().unwrap_or_default();
    let cause = entry.body.get("cause").and_then(Value::as_str).and_then(AlarmCause::parse);
    let louder = cause == Some(AlarmCause::Escalated);
    let is_new = cause.is_none_or(|cause| cause.is_announced_anew(state));
    let read = AlarmStanding {
        occurrence,
        state,
        since: if louder { was.since } else { at },
        aside,
        occurred: if cause == Some(AlarmCause::Occurred) { at } else { was.occurred },
        announced: if is_new { at } else { was.announced },
        escalated: cause.is_some_and(|cause| cause.leaves_escalated(state, was.escalated)),
        peak: entry.body.get("peak").and_then(Value::as_f64),
    };
    Some((key, read))
}

fn read_aside(body: &Value) -> Option<Aside> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Aside {
        how: AsideHow::parse(&text("how")?)?,
        until: text("until").and_then(|until| Wall::parse(&until)),
        minutes: body.get("minutes").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()),
        by: text("by")?,
        second: text("second"),
        reason: text("reason")?,
        count: body.get("count").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
    })
}

fn read_trip(body: &Value) -> Option<TripStanding> {
    Some(TripStanding {
        occurrence: read_occurrence(body)?,
        tripped: body.get("tripped")?.as_bool()?,
        first_out: body.get("first_out").and_then(Value::as_str).map(str::to_owned),
    })
}

fn read_occurrence(body: &Value) -> Option<u32> {
    u32::try_from(body.get("occurrence")?.as_u64()?).ok()
}

fn read_standing(body: &Value) -> Standing {
    let alarm = |a: &Value| {
        Some(AlarmStanding {
            occurrence: read_occurrence(a)?,
            state: AlarmState::parse(a.get("state")?.as_str()?)?,
            since: Wall::parse(a.get("since")?.as_str()?)?,
            aside: a.get("aside").and_then(read_aside),
            occurred: Wall::parse(a.get("occurred").or_else(|| a.get("since"))?.as_str()?)?,
            announced: Wall::parse(a.get("announced").or_else(|| a.get("since"))?.as_str()?)?,
            escalated: a.get("escalated").and_then(Value::as_bool).unwrap_or(false),
            peak: a.get("peak").and_then(Value::as_f64),
        })
    };
    let rows = |name| body.get(name).and_then(Value::as_object).into_iter().flatten();
    let mut standing = Standing {
        alarms: rows("alarms").filter_map(|(key, a)| Some((key.clone(), alarm(a)?))).collect(),
        trips: rows("trips").filter_map(|(tag, t)| Some((tag.clone(), read_trip(t)?))).collect(),
        failed: bodies::read_failed(body),
        demanded: bodies::read_demanded(body),
        bypasses: rows("bypasses")
            .filter_map(|(key, b)| Some((key.clone(), bodies::read_bypass(b)?)))
            .collect(),
        bypassed: rows("bypassed")
            .filter_map(|(key, b)| Some((key.clone(), bodies::read_bypassed(b)?)))
            .collect(),
        signs: rows("signs").flat_map(|(key, own)| signs::read_standing(key, own)).collect(),
        calibrations: rows("calibrations")
            .filter_map(|(tag, c)| Some((tag.clone(), signs::read_calibrations(c)?)))
            .collect(),
        identities: rows("identities")
            .filter_map(|(point, value)| Some((point.clone(), value.as_f64()?)))
            .collect(),
        ..Standing::default()
    };
    graded::read_standing(body, &mut standing);
    bodies::read_proofs(body, &mut standing);
    standing
}

#[cfg(test)]
mod tests;
