//! The bytes of a journal entry: one line of canonical JSON (keys sorted, no spaces), made and read by hand because
//! the journal outlives the types it was made from. How lines hang together is in `chain`, where they lie in `io`.
//!
//! ```text
//! {"body":{…},"boot":"<16 hex>","gateway":"mine-1","kind":"alarm","prev":"<64 hex>","seq":12,"up_us":123,"utc":"2026-11-24T03:42:05.123Z","v":1}
//! ```

mod graded;

use super::chain::Digest;
use crate::model::alarm::{AlarmCause, AlarmState, Aside, AsideHow};
use crate::model::element::Demand;
use crate::model::point::Text;
use crate::model::record::{
    AlarmChange, AlarmRates, AlarmStanding, Body, CommandDone, ConfigChange, ElementChange, Gap, Nuisance,
    Record, Seq, Standing, Started, TripChange, TripStanding, Trouble, Who,
};
use crate::model::time::{Mono, Now, Wall};
use serde_json::{Map, Value, json};
use std::fmt;

/// The version of the line's shape. A reader refuses a higher one rather than guess at it.
pub const VERSION: u64 = 1;

/// The kind of the entry that opens every file of the journal: where all alarms and trips stood before it.
pub const STANDING: &str = "standing";

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
        let boot = u64::from_str_radix(text(&fields, "boot")?, 16).map_err(|_| EntryFault::Field("boot"))?;
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
        Body::Nuisance(b) => nuisance(b),
        Body::AlarmRates(b) => alarm_rates(b),
        Body::Incident(b) => graded::incident_change(b),
        Body::Grade(b) => graded::grade(b),
        Body::Permit(b) => graded::permit_change(b),
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
    json!({
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
    })
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
    let alarm = |a: &AlarmStanding| {
        let aside = a.aside.as_ref().map(set_aside);
        json!({
            "aside": aside, "occurred": a.occurred.to_string(), "occurrence": a.occurrence, "peak": a.peak,
            "since": a.since.to_string(), "state": a.state.as_str(),
        })
    };
    let trip = |t: &TripStanding| json!({ "first_out": t.first_out, "occurrence": t.occurrence, "tripped": t.tripped });
    let alarms = standing.alarms.iter().map(|(key, a)| (key.clone(), alarm(a))).collect();
    let trips = standing.trips.iter().map(|(tag, t)| (tag.clone(), trip(t))).collect();
    let mut fields = Map::from_iter([
        ("alarms".to_owned(), Value::Object(alarms)),
        ("trips".to_owned(), Value::Object(trips)),
    ]);
    graded::standing_body(standing, &mut fields);
    Value::Object(fields)
}

/// Takes in what `entry` changes, as [`Standing::apply`] does with the record it was made from. A body that it
/// cannot read changes nothing: what stood before is the better guess.
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
        STANDING => *standing = read_standing(&entry.body),
        kind => drop(graded::standing_apply(standing, kind, &entry.body)),
    }
}

fn read_alarm(entry: &Entry, standing: &Standing) -> Option<(String, AlarmStanding)> {
    let aside = entry.body.get("aside").and_then(read_aside);
    let state = entry.body.get("under").or_else(|| entry.body.get("to"))?;
    let (state, occurrence) = (AlarmState::parse(state.as_str()?)?, read_occurrence(&entry.body)?);
    let (key, since) = (entry.key()?.to_owned(), entry.at.wall);
    let occurred = match entry.body.get("cause").and_then(Value::as_str) {
        Some(cause) if cause == AlarmCause::Occurred.as_str() => since,
        Some(_) | None => standing.alarms.get(&key).map(|was| was.occurred).unwrap_or_default(),
    };
    let peak = entry.body.get("peak").and_then(Value::as_f64);
    Some((key, AlarmStanding { occurrence, state, since, aside, occurred, peak }))
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
            peak: a.get("peak").and_then(Value::as_f64),
        })
    };
    let rows = |name| body.get(name).and_then(Value::as_object).into_iter().flatten();
    let mut standing = Standing {
        alarms: rows("alarms").filter_map(|(key, a)| Some((key.clone(), alarm(a)?))).collect(),
        trips: rows("trips").filter_map(|(tag, t)| Some((tag.clone(), read_trip(t)?))).collect(),
        ..Standing::default()
    };
    graded::read_standing(body, &mut standing);
    standing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alarm::Colour;
    use crate::model::element::{ElementKind, Mode, Phase, Position};
    use crate::model::point::{Quality, Unit};
    use crate::model::record::{Lane, PreviousEnd};
    use crate::model::time::Span;
    use crate::record::chain::Chain;
    use proptest::prelude::*;

    const PREV: &str = "b38131f5cbc3302f9ae60cd85d7ed95e1eac0f8e9aeb7ea15f5d9a5f3e7f5f4b";

    fn record(body: Body) -> Record {
        let at = Now { mono: Mono::from_us(123), wall: Wall::from_ms(1_795_491_725_123) };
        Record { at, body }
    }

    /// The line of `body`'s record as entry 12, and whether it reads back as the entry it was made from.
    fn line(kind: &str, body: Value) -> String {
        let entry = Entry {
            seq: Seq(12),
            boot: 0xbeef,
            gateway: "mine-1".to_owned(),
            at: record(Body::Ended { reason: String::new() }).at,
            kind: kind.to_owned(),
            body,
            prev: Digest::parse(PREV).unwrap(),
        };
        let line = entry.line();
        assert_eq!(Entry::parse(line.as_bytes()), Ok(entry));
        line
    }

    fn assert_frozen(record_body: Body, body: &str) {
        let record = record(record_body);
        let kind = record.body.kind();
        let expected = format!(
            r#"{{"body":{body},"boot":"000000000000beef","gateway":"mine-1","kind":"{kind}","prev":"{PREV}","seq":12,"up_us":123,"utc":"2026-11-24T03:42:05.123Z","v":1}}"#
        );
        assert_eq!(line(kind, super::body(&record)), expected);
    }

    fn alarm_change() -> AlarmChange {
        AlarmChange {
            key: "face.t0:trip".to_owned(),
            area: "face".to_owned(),
            occurrence: 3,
            from: AlarmState::Normal,
            to: AlarmState::Unacknowledged,
            cause: AlarmCause::Occurred,
            colour: Colour::Red,
            value: Some(1.5),
            peak: Some(f64::NAN),
            unit: Unit::PctVol,
            quality: Quality::Good,
            set_point: Some(1.5),
            text: Text::new("甲烷超限", "methane \"high\"\n"),
            action: Text::new("撤人", "withdraw"),
            who: None,
            aside: None,
        }
    }

    fn trip_change() -> TripChange {
        TripChange {
            tag: "cut".to_owned(),
            area: "face".to_owned(),
            occurrence: 2,
            tripped: true,
            first_out: Some("face.t0:trip".to_owned()),
            causes: vec!["face.t0:trip".to_owned(), "face.t1:trip (bad)".to_owned()],
            effects: vec!["feeder".to_owned()],
            text: Text::new("断电", "power cut"),
            who: Some(Who { name: "li".to_owned(), via: "local".to_owned() }),
        }
    }

    // Frozen: journals are kept for years and control rooms read these bytes. If one of these tests fails, don't
    // change the test: change the code back, or raise the version and go on reading the old one.

    #[test]
    fn started_has_these_bytes() {
        assert_frozen(
            Body::Started(Started {
                version: "0.1.0".to_owned(),
                config_hash: "ab12".to_owned(),
                previous_end: PreviousEnd::Unclean,
            }),
            r#"{"config_hash":"ab12","previous_end":"unclean","version":"0.1.0"}"#,
        );
    }

    #[test]
    fn ended_has_these_bytes() {
        assert_frozen(Body::Ended { reason: "SIGTERM".to_owned() }, r#"{"reason":"SIGTERM"}"#);
    }

    #[test]
    fn config_has_these_bytes() {
        assert_frozen(
            Body::Config(ConfigChange {
                old_hash: "ab12".to_owned(),
                new_hash: "cd34".to_owned(),
                taken: true,
                detail: "one point more".to_owned(),
            }),
            r#"{"detail":"one point more","new_hash":"cd34","old_hash":"ab12","taken":true}"#,
        );
    }

    #[test]
    fn alarm_has_these_bytes() {
        assert_frozen(
            Body::Alarm(alarm_change()),
            r#"{"action":{"en":"withdraw","zh":"撤人"},"area":"face","aside":null,"cause":"occurred","colour":"red","from":"normal","key":"face.t0:trip","occurrence":3,"peak":null,"quality":"good","set_point":1.5,"text":{"en":"methane \"high\"\n","zh":"甲烷超限"},"to":"unacknowledged","under":"unacknowledged","unit":"%vol","value":1.5,"who":null}"#,
        );
    }

    #[test]
    fn trip_has_these_bytes() {
        assert_frozen(
            Body::Trip(trip_change()),
            r#"{"area":"face","causes":["face.t0:trip","face.t1:trip (bad)"],"effects":["feeder"],"first_out":"face.t0:trip","occurrence":2,"tag":"cut","text":{"en":"power cut","zh":"断电"},"tripped":true,"who":{"name":"li","via":"local"}}"#,
        );
    }

    #[test]
    fn element_has_these_bytes() {
        assert_frozen(
            Body::Element(ElementChange {
                tag: "valve".to_owned(),
                area: "bottle-room".to_owned(),
                kind: ElementKind::Valve,
                mode: Mode::Act,
                demand: Demand::Trip,
                phase: Phase::Confirmed,
                position: Position::Safe,
                elapsed: Some(Span::from_ms(1_234)),
                trips: vec!["leak".to_owned()],
                text: Text::new("阀门已关闭", "valve closed"),
            }),
            r#"{"area":"bottle-room","demand":"trip","elapsed_us":1234000,"kind":"valve","mode":"act","phase":"confirmed","position":"safe","tag":"valve","text":{"en":"valve closed","zh":"阀门已关闭"},"trips":["leak"]}"#,
        );
    }

    #[test]
    fn command_has_these_bytes() {
        let who = Who { name: "li".to_owned(), via: "local".to_owned() };
        assert_frozen(
            Body::Command(CommandDone {
                who: who.clone(),
                command: "reset cut".to_owned(),
                refused: Some(vec![Text::new("瓦斯未降", "gas is still high")]),
            }),
            r#"{"command":"reset cut","refused":[{"en":"gas is still high","zh":"瓦斯未降"}],"who":{"name":"li","via":"local"}}"#,
        );
        assert_frozen(
            Body::Command(CommandDone { who, command: "ack --all".to_owned(), refused: None }),
            r#"{"command":"ack --all","refused":null,"who":{"name":"li","via":"local"}}"#,
        );
    }

    #[test]
    fn trouble_has_these_bytes() {
        assert_frozen(
            Body::Trouble(Trouble {
                code: "journal-write",
                detail: String::new(),
                raised: true,
                text: Text::new("磁盘已满", "disk full"),
            }),
            r#"{"code":"journal-write","detail":"","raised":true,"text":{"en":"disk full","zh":"磁盘已满"}}"#,
        );
    }

    #[test]
    fn gap_has_these_bytes() {
        assert_frozen(
            Body::Gap(Gap {
                lane: Lane::Telemetry,
                from: Wall::from_ms(0),
                to: Wall::from_ms(1_000),
                count: 17,
                reason: "no room".to_owned(),
            }),
            r#"{"count":17,"from":"1970-01-01T00:00:00.000Z","lane":"telemetry","reason":"no room","to":"1970-01-01T00:00:01.000Z"}"#,
        );
    }

    #[test]
    fn standing_has_these_bytes() {
        let mut standing = Standing::default();
        standing.apply(&record(Body::Alarm(alarm_change())));
        standing.apply(&record(Body::Trip(trip_change())));
        standing.apply(&record(Body::Grade(graded::tests::grade_record())));
        standing.apply(&record(Body::Permit(graded::tests::permit_record())));
        assert_eq!(
            standing_body(&standing).to_string(),
            r#"{"alarms":{"face.t0:trip":{"aside":null,"occurred":"2026-11-24T03:42:05.123Z","occurrence":3,"peak":null,"since":"2026-11-24T03:42:05.123Z","state":"unacknowledged"}},"grades":{"face":"orange"},"permits":{"face:hot-work":{"by":"li","kind":"hot-work","minutes":120,"place":"face","second":null,"tighten":{"alarm":0.5,"trip":null,"warning":null},"until":"2026-11-24T14:00:00.000Z"}},"trips":{"cut":{"first_out":"face.t0:trip","occurrence":2,"tripped":true}}}"#
        );
    }

    #[test]
    fn an_entry_knows_what_it_is_about() {
        let about = |body: Body| {
            let entry = Entry::parse(Chain::start("mine-1", 1).next(&record(body)).as_bytes()).unwrap();
            (entry.area().map(str::to_owned), entry.key().map(str::to_owned))
        };
        let both = |area: &str, key: &str| (Some(area.to_owned()), Some(key.to_owned()));
        assert_eq!(about(Body::Alarm(alarm_change())), both("face", "face.t0:trip"));
        assert_eq!(about(Body::Trip(trip_change())), both("face", "cut"));
        assert_eq!(about(Body::Ended { reason: String::new() }), (None, None));
    }

    #[test]
    fn a_line_that_is_no_entry_says_why() {
        let good = line("ended", json!({}));
        let fault = |from: &str, to: &str| Entry::parse(good.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!(fault("\"v\":1", "\"v\":2"), EntryFault::Newer(2));
        assert_eq!(fault("\"seq\":12", "\"seq\":-12"), EntryFault::Field("seq"));
        assert_eq!(fault("\"seq\":12", "\"seq\":1000000000000001"), EntryFault::Field("seq"));
        assert_eq!(fault("2026", "year"), EntryFault::Field("utc"));
        assert_eq!(fault("\"body\"", "\"bodi\""), EntryFault::Field("body"));
        assert_eq!(fault("b381", "x381"), EntryFault::Field("prev"));
        assert!(matches!(fault("{", ""), EntryFault::NotJson(_)));
    }

    fn any_standing_record() -> impl Strategy<Value = Record> {
        let states = prop::sample::select(AlarmState::ALL.as_slice());
        let causes = prop::sample::select(AlarmCause::ALL.as_slice());
        let alarm = (0..4u8, any::<u32>(), states, causes, prop::option::of(any::<f64>())).prop_map(
            |(n, occurrence, to, cause, peak)| {
                let key = format!("p{n}:trip");
                Body::Alarm(AlarmChange { key, occurrence, to, cause, peak, ..alarm_change() })
            },
        );
        let trip = (0..4u8, any::<u32>(), any::<bool>(), prop::option::of(".*")).prop_map(
            |(n, occurrence, tripped, first_out)| {
                Body::Trip(TripChange {
                    tag: format!("t{n}"),
                    occurrence,
                    tripped,
                    first_out,
                    ..trip_change()
                })
            },
        );
        let other = ".*".prop_map(|reason| Body::Ended { reason });
        (any::<i64>(), prop_oneof![alarm, trip, other, graded::tests::any_body()]).prop_map(|(ms, body)| {
            Record { at: Now { mono: Mono::from_us(1), wall: Wall::from_ms(ms) }, body }
        })
    }

    proptest! {
        #[test]
        fn folding_lines_gives_what_folding_records_gives(
            records in prop::collection::vec(any_standing_record(), 0..30),
            snapshot_at in 0..30usize,
        ) {
            let mut chain = Chain::start("mine-1", 1);
            let (mut by_record, mut by_line) = (Standing::default(), Standing::default());
            for (n, record) in records.iter().enumerate() {
                if n == snapshot_at {
                    let line = chain.snapshot(record.at, &by_record);
                    by_line = Standing::default();
                    standing_apply(&mut by_line, &Entry::parse(line.as_bytes()).unwrap());
                }
                by_record.apply(record);
                let line = chain.next(record);
                prop_assert!(!line.contains('\n'));
                standing_apply(&mut by_line, &Entry::parse(line.as_bytes()).unwrap());
            }
            prop_assert_eq!(by_record, by_line);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Entry::parse(&bytes).is_err());
        }
    }
}
