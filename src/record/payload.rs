//! Topics and payloads, version 1. An event is told as the journal's own line, unchanged, so that its receiver can
//! check number and hash chain; this file adds only where it goes, and who is there to tell it.

use super::seal::CHECKPOINT;
use crate::model::record::Seq;
use crate::model::time::Wall;
use serde_json::{Value, json};

/// Version of topics and payloads: second level of every topic, `v` of every payload.
pub const VERSION: u32 = 1;

/// Stands in a topic where an event is about no area.
pub const NO_AREA: &str = "-";

/// Who tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The gateway's id.
    pub gateway: String,
    /// Program version.
    pub version: String,
    /// Hash of the configuration in force.
    pub config_hash: String,
    /// Id of this run, 16 hexadecimal digits.
    pub boot: String,
}

/// The topics of one gateway at one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    base: String,
}

impl Topics {
    /// Topics under `prefix` for `gateway`.
    #[must_use]
    pub fn new(prefix: &str, gateway: &str) -> Topics {
        Topics { base: format!("{prefix}/v{VERSION}/{gateway}") }
    }

    /// Where an event goes.
    #[must_use]
    pub fn event(&self, area: Option<&str>, kind: &str) -> String {
        format!("{}/event/{}/{kind}", self.base, area.unwrap_or(NO_AREA))
    }

    /// Where a copy goes of what the journal could not take yet.
    #[must_use]
    pub fn unrecorded(&self, area: Option<&str>, kind: &str) -> String {
        format!("{}/unrecorded/{}/{kind}", self.base, area.unwrap_or(NO_AREA))
    }

    /// Where the last event of an alarm, trip or element is kept for whoever comes later, and the last checkpoint: what
    /// the far side holds of it proves how the journal has to go on. `None` for other events.
    #[must_use]
    pub fn state(&self, kind: &str, key: Option<&str>) -> Option<String> {
        if kind == CHECKPOINT {
            return key.map(|_| format!("{}/checkpoint", self.base));
        }
        let key = key.filter(|_| matches!(kind, "alarm" | "trip" | "element"))?;
        Some(format!("{}/state/{kind}/{key}", self.base))
    }

    /// Where it is kept whether the gateway is there.
    #[must_use]
    pub fn status(&self) -> String {
        format!("{}/status", self.base)
    }

    /// Where telemetry goes.
    #[must_use]
    pub fn telemetry(&self) -> String {
        format!("{}/telemetry", self.base)
    }
}

/// Whether an event is for a destination that is told of escalations only: alarms that are escalated, until they no longer
/// are, and what tells that the gateway lives and lacks nothing. `line` is the journal's.
#[must_use]
pub fn is_of_escalation(kind: &str, line: &[u8]) -> bool {
    match kind {
        "alarm" => {
            let read = serde_json::from_slice::<Value>(line).ok();
            let escalated = read.as_ref().and_then(|line| line.get("body")?.get("escalated")?.as_bool());
            escalated == Some(true)
        }
        "started" | "ended" | "gap" | "trouble" => true,
        _ => false,
    }
}

/// Whether the gateway is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is connected.
    Online,
    /// It has ended in order.
    Ended,
    /// Its connection was lost: the last will, written when it connected.
    Lost,
}

impl Status {
    /// As written in payloads.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Online => "online",
            Status::Ended => "ended",
            Status::Lost => "lost",
        }
    }

    /// The payload: written at `utc`, when the journal's last entry was `last`. `escalated_only` where the destination is
    /// told of nothing else: it has to know that numbers are missing by design. `ails` where the journal can't be written.
    #[must_use]
    pub fn payload(
        self,
        identity: &Identity,
        utc: Wall,
        last: Seq,
        escalated_only: bool,
        ails: bool,
    ) -> Vec<u8> {
        let mut status = json!({
            "v": VERSION,
            "online": self == Status::Online,
            "reason": self.as_str(),
            "gateway": identity.gateway,
            "version": identity.version,
            "config_hash": identity.config_hash,
            "boot": identity.boot,
            "utc": utc.to_string(),
            "seq": last.0,
        });
        let more = [("escalated_only", escalated_only, true), ("recording", ails, false)];
        if let Some(fields) = status.as_object_mut() {
            let said = more.into_iter().filter(|(_, is_said, _)| *is_said);
            fields.extend(said.map(|(name, _, value)| (name.to_owned(), json!(value))));
        }
        status.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_frozen() {
        let topics = Topics::new("davy", "gw-1");
        assert_eq!(topics.event(Some("bottle-room"), "alarm"), "davy/v1/gw-1/event/bottle-room/alarm");
        assert_eq!(topics.event(None, "started"), "davy/v1/gw-1/event/-/started");
        assert_eq!(topics.unrecorded(Some("face"), "trip"), "davy/v1/gw-1/unrecorded/face/trip");
        assert_eq!(
            topics.state("alarm", Some("bottle-room.lpg-1:trip")).as_deref(),
            Some("davy/v1/gw-1/state/alarm/bottle-room.lpg-1:trip")
        );
        assert_eq!(topics.state("checkpoint", Some("head")).as_deref(), Some("davy/v1/gw-1/checkpoint"));
        assert_eq!(topics.state("checkpoint", None), None);
        assert_eq!(topics.state("trip", None), None);
        assert_eq!(topics.state("command", Some("x")), None);
        assert_eq!(topics.status(), "davy/v1/gw-1/status");
        assert_eq!(topics.telemetry(), "davy/v1/gw-1/telemetry");
    }

    #[test]
    fn a_status_is_frozen() {
        let identity = Identity {
            gateway: "gw-1".to_owned(),
            version: "0.1.0".to_owned(),
            config_hash: "ab".repeat(32),
            boot: "00ff00ff00ff00ff".to_owned(),
        };
        let payload = Status::Lost.payload(&identity, Wall::from_ms(0), Seq(7), false, false);
        let expected = format!(
            r#"{{"boot":"00ff00ff00ff00ff","config_hash":"{}","gateway":"gw-1","online":false,"reason":"lost","seq":7,"utc":"1970-01-01T00:00:00.000Z","v":1,"version":"0.1.0"}}"#,
            "ab".repeat(32)
        );
        assert_eq!(String::from_utf8(payload).unwrap(), expected);
        let only = Status::Lost.payload(&identity, Wall::from_ms(0), Seq(7), true, true);
        let only = String::from_utf8(only).unwrap();
        assert!(only.contains(r#""escalated_only":true"#) && only.contains(r#""recording":false"#));
    }

    #[test]
    fn of_escalation_are_escalated_alarms_and_what_tells_that_the_gateway_lives() {
        assert!(is_of_escalation("alarm", br#"{"body":{"escalated":true}}"#));
        for line in [&br#"{"body":{"escalated":false}}"#[..], br#"{"body":{}}"#, b"", b"\"escalated\":true"] {
            assert!(!is_of_escalation("alarm", line));
        }
        assert!(["started", "ended", "gap", "trouble"].iter().all(|kind| is_of_escalation(kind, b"")));
        assert!(!["trip", "element", "standing", "command"].iter().any(|kind| is_of_escalation(kind, b"")));
    }
}
