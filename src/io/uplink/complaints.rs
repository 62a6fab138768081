//! What an uplink has to complain about: said once in the log and counted from then on, raised as a trouble when it
//! lasts or needs a person, and taken back when it is over.

use super::UplinkFault;
use crate::io::mqtt::{ConnectReturnCode, MqttFault, PACKET_MAX};
use crate::model::plan::Destination;
use crate::model::point::Text;
use crate::model::record::{Lane, Seq, Trouble};
use crate::model::time::{Mono, Span};
use std::collections::BTreeSet;

/// How long a destination may be away before that is a trouble: shorter cuts are daily life on a radio link.
const TROUBLE_AFTER: Span = Span::from_secs(10);

/// Connections in a row that ended with messages on their way and none taken, before that is a trouble.
const FRUITLESS_MAX: u32 = 3;

/// Different faults said before a connection works again; their texts come from outside.
const SAID_MAX: usize = 16;

/// The broker can't be reached.
const UNREACHABLE: &str = "destination-unreachable";
/// The broker says no, and will until a person changes something.
const REFUSED: &str = "destination-refused";
/// The broker takes the connection and none of the messages.
const STUCK: &str = "destination-stuck";
/// A message that can't be sent was left out.
const SET_ASIDE: &str = "message-set-aside";

/// The complaints about one destination. What stands is taken back when they are dropped: nobody is left who could
/// say that it is over.
pub(super) struct Complaints<F: Fn(Trouble)> {
    tag: String,
    address: String,
    troubles: F,
    standing: BTreeSet<&'static str>,
    away: Option<Away>,
    fruitless: u32,
    set_aside: u64,
    /// Faults said since a connection last proved to work: a broker that takes the call and hangs up again and again
    /// is said once.
    said: BTreeSet<String>,
    /// Connections made since then.
    connections: u64,
}

impl<F: Fn(Trouble)> Drop for Complaints<F> {
    fn drop(&mut self) {
        for code in std::mem::take(&mut self.standing) {
            let text = self.text("不再由此连接发送", "is no longer told over this connection");
            self.lower(code, text);
        }
    }
}

/// A destination that is not there.
struct Away {
    since: Mono,
    attempts: u32,
    /// The fault that was said last.
    said: String,
}

impl<F: Fn(Trouble)> Complaints<F> {
    pub(super) fn new(destination: &Destination, troubles: F) -> Complaints<F> {
        Complaints {
            tag: destination.tag.to_string(),
            address: format!("{}:{}", destination.host, destination.port),
            troubles,
            standing: BTreeSet::new(),
            away: None,
            fruitless: 0,
            set_aside: 0,
            said: BTreeSet::new(),
            connections: 0,
        }
    }

    /// There is no connection because of `fault`.
    pub(super) fn failed(&mut self, fault: &UplinkFault, now: Mono) {
        let said = fault.to_string();
        let away = self.away.get_or_insert(Away { since: now, attempts: 0, said: String::new() });
        away.attempts = away.attempts.saturating_add(1);
        away.said.clone_from(&said);
        if self.said.len() < SAID_MAX && self.said.insert(said.clone()) {
            tracing::warn!(destination = %self.tag, address = %self.address, "not connected: {said}");
        }
        if let Some((zh, en)) = remedy(fault) {
            self.raise(REFUSED, |c| c.text(&format!("拒绝连接：{zh}"), &format!("refuses: {fault}; {en}")));
        }
        self.still_away(now);
    }

    /// When the destination has been away for long enough to be a trouble; `None` where it is one or is there.
    pub(super) fn trouble_due(&self) -> Option<Mono> {
        let known = self.standing.contains(UNREACHABLE) || self.standing.contains(REFUSED);
        self.away.as_ref().filter(|_| !known).map(|away| away.since + TROUBLE_AFTER)
    }

    /// Raises the trouble where it is due.
    pub(super) fn still_away(&mut self, now: Mono) {
        if self.trouble_due().is_none_or(|due| now < due) {
            return;
        }
        let said = self.away.as_ref().map(|away| away.said.clone()).unwrap_or_default();
        self.raise(UNREACHABLE, |c| {
            c.text(
                "无法连接；事件保存在本机，恢复后按顺序补发。请检查网络、地址和服务器",
                &format!(
                    "is away ({said}); events are kept and will be told in order. Check network, address and broker"
                ),
            )
        });
    }

    /// The broker has taken the connection.
    pub(super) fn connected(&mut self) {
        let attempts = self.away.take().map_or(0, |away| away.attempts);
        self.connections = self.connections.saturating_add(1);
        if self.connections == 1 {
            tracing::info!(destination = %self.tag, address = %self.address, failed_before = attempts, "connected");
        }
        self.clear(UNREACHABLE);
        self.clear(REFUSED);
    }

    /// A connection has ended that proved to work: what goes wrong from here on is news.
    pub(super) fn worked(&mut self) {
        if self.connections > 1 {
            let (tag, count) = (&self.tag, self.connections);
            tracing::info!(destination = %tag, connections = count, "connections hold again");
        }
        self.said.clear();
        self.connections = 0;
    }

    /// The broker has taken a message.
    pub(super) fn progress(&mut self) {
        self.fruitless = 0;
        self.clear(STUCK);
    }

    /// A connection has ended with messages on their way and none taken; all up to `told` were taken before.
    pub(super) fn fruitless(&mut self, told: Seq) {
        self.fruitless = self.fruitless.saturating_add(1);
        if self.fruitless >= FRUITLESS_MAX {
            self.raise(STUCK, |c| {
                c.text(
                    &format!("连接正常但不确认消息（事件 {told} 之后）。请检查服务器的权限、配额和消息大小限制，以及是否有另一台网关使用相同编号"),
                    &format!(
                        "takes connections but no message after event {told}. Check the broker's access rules, \
                         quotas and message size limit, and whether another gateway has the same id"
                    ),
                )
            });
        }
    }

    /// Number `seq` of `lane`, of `size` bytes, can't be sent and was left out.
    pub(super) fn set_aside(&mut self, lane: Lane, seq: u64, size: usize) {
        self.set_aside = self.set_aside.saturating_add(1);
        let (lane, count) = (lane.as_str(), self.set_aside);
        tracing::warn!(destination = %self.tag, lane, seq, size, count, "a message can't be sent and is left out");
        self.raise(SET_ASIDE, |c| {
            c.text(
                &format!("{lane} {seq} 无法发送（{size} 字节，上限 {PACKET_MAX}），已跳过；日志文件中仍有保存"),
                &format!(
                    "is not told {lane} {seq}: {size} bytes, where {PACKET_MAX} are the limit, or no valid topic. \
                     An event is in the journal; get it from there"
                ),
            )
        });
    }

    fn text(&self, zh: &str, en: &str) -> Text {
        let (tag, address) = (&self.tag, &self.address);
        Text::new(format!("目的地 {tag}（{address}）{zh}"), format!("destination {tag} ({address}) {en}"))
    }

    fn raise(&mut self, code: &'static str, text: impl FnOnce(&Self) -> Text) {
        if self.standing.insert(code) {
            let text = text(self);
            (self.troubles)(Trouble { code, detail: self.tag.clone(), raised: true, text });
        }
    }

    fn clear(&mut self, code: &'static str) {
        if self.standing.remove(code) {
            self.lower(code, self.text("已恢复", "works again"));
        }
    }

    fn lower(&self, code: &'static str, text: Text) {
        (self.troubles)(Trouble { code, detail: self.tag.clone(), raised: false, text });
    }
}

/// What a person must do, where waiting does not help; Chinese and English.
fn remedy(fault: &UplinkFault) -> Option<(&'static str, &'static str)> {
    let code = match fault {
        UplinkFault::Password(_) => {
            return Some((
                "无法读取密码文件，请检查路径和权限",
                "check path and permissions of the password file",
            ));
        }
        UplinkFault::Mqtt(MqttFault::Refused(code)) => *code,
        UplinkFault::Unreachable(_) | UplinkFault::Mqtt(_) => return None,
    };
    match code {
        ConnectReturnCode::Success | ConnectReturnCode::ServiceUnavailable => None,
        ConnectReturnCode::RefusedProtocolVersion => {
            Some(("服务器不支持 MQTT 3.1.1", "enable MQTT 3.1.1 at the broker"))
        }
        ConnectReturnCode::BadClientId => Some((
            "服务器不接受客户端编号，请允许以 davy- 开头的编号",
            "allow client ids that start with davy- at the broker",
        )),
        ConnectReturnCode::BadUserNamePassword => Some((
            "用户名或密码错误，请检查 user 和 password_file",
            "check user and password_file in the site file",
        )),
        ConnectReturnCode::NotAuthorized => Some((
            "该用户无权连接，请检查用户名、密码和服务器权限",
            "check user and password_file in the site file and the user's rights at the broker",
        )),
    }
}
