//! The bytes of a journal entry: one line of canonical JSON (keys sorted, no spaces), made and read by hand because
//! the journal outlives the types it was made from. How lines hang together is in `chain`, where they lie in `io`.
//!
//! ```text
//! {"body":{…},"boot":"<16 hex>","gateway":"mine-1","kind":"alarm","prev":"<64 hex>","seq":12,"up_us":123,"utc":"2026-11-24T03:42:05.123Z","v":1}
//! ```

use super::chain::Digest;
use crate::model::alarm::AlarmState;
use crate::model::element::Demand;
use crate::model::point::Text;
use crate::model::record::{
    AlarmChange, AlarmStanding, Body, CommandDone, ConfigChange, ElementChange, Gap, Record, Seq, Standing,
    Started, TripChange, TripStanding, Trouble, Who,
};
use crate::model::time::{Mono, Now, Wall};
use serde_json::{Map, Value, json};
use std::fmt;

/// The version of the line's shape. A reader refuses a higher one rather than guess at it.
pub const VERSION: u64 = 1;

/// The kind of the entry that opens every file of the journal: where all alarms and trips stood before it.
pub const STANDING: &str = "standing";

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
        let boot = u64::from_str_radix(text(&fields, "boot")?, 16).map_err(|_| EntryFault::Field("boot"))?;
        let wall = Wall::parse(text(&fields, "utc")?).ok_or(EntryFault::Field("utc"))?;
        Ok(Entry {
            seq: Seq(number(&fields, "seq")?),
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
        self.body.get("area")?.as_str()
    }

    /// The key of the alarm, or the id of the trip or element, it is about.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self.kind.as_str() {
            "alarm" => self.body.get("key")?.as_str(),
            "trip" | "element" => self.body.get("tag")?.as_str(),
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
    json!({
        "action": both(&b.action),
        "area": b.area,
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
        "unit": b.unit.as_str(),
        "value": b.value,
        "who": who(b.who.as_ref()),
    })
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
    json!({
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
    })
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
    json!({
        "count": b.count,
        "from": b.from.to_string(),
        "lane": b.lane.as_str(),
        "reason": b.reason,
        "to": b.to.to_string(),
    })
}

fn both(t: &Text) -> Value {
    json!({ "en": t.en, "zh": t.zh })
}

fn who(w: Option<&Who>) -> Value {
    w.map_or(Value::Null, |w| json!({ "name": w.name, "via": w.via }))
}

/// Where everything stands, as the body of an entry of kind [`STANDING`].
#[must_use]
pub fn standing_body(standing: &Standing) -> Value {
    let alarm = |a: &AlarmStanding| json!({ "occurrence": a.occurrence, "since": a.since.to_string(), "state": a.state.as_str() });
    let trip = |t: &TripStanding| json!({ "first_out": t.first_out, "occurrence": t.occurrence, "tripped": t.tripped });
    json!({
        "alarms": standing.alarms.iter().map(|(key, a)| (key.clone(), alarm(a))).collect::<Map<_, _>>(),
        "trips": standing.trips.iter().map(|(tag, t)| (tag.clone(), trip(t))).collect::<Map<_, _>>(),
    })
}

/// Takes in what `entry` changes, as [`Standing::apply`] does with the record it was made from. A body that it
/// cannot read changes nothing: what stood before is the better guess.
pub fn standing_apply(standing: &mut Standing, entry: &Entry) {
    match entry.kind.as_str() {
        "alarm" => {
            if let Some((key, state)) = read_alarm(entry) {
                standing.alarms.insert(key, state);
            }
        }
        "trip" => {
            if let Some((tag, state)) = entry.key().zip(read_trip(&entry.body)) {
                standing.trips.insert(tag.to_owned(), state);
            }
        }
        STANDING => *standing = read_standing(&entry.body),
        _ => {}
    }
}

fn read_alarm(entry: &Entry) -> Option<(String, AlarmStanding)> {
    let state = AlarmState::parse(entry.body.get("to")?.as_str()?)?;
    let occurrence = read_occurrence(&entry.body)?;
    Some((entry.key()?.to_owned(), AlarmStanding { occurrence, state, since: entry.at.wall }))
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
        })
    };
    let rows = |name| body.get(name).and_then(Value::as_object).into_iter().flatten();
    Standing {
        alarms: rows("alarms").filter_map(|(key, a)| Some((key.clone(), alarm(a)?))).collect(),
        trips: rows("trips").filter_map(|(tag, t)| Some((tag.clone(), read_trip(t)?))).collect(),
    }
}
