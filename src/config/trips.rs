//! Cause and effect, and where to tell.

use super::faults::{Fault, nearest, one_of, quoted};
use super::groups::Votes;
use super::links;
use super::names::Names;
use super::read::{Cell, Row};
use super::site::{Compiler, delay, name, tag};
use super::texts;
use crate::model::alarm::{Colour, Condition};
use crate::model::element::ElementKind;
use crate::model::plan::{Alarm, Bypassable, Destination, Group, OnBad, Subject, Trip};
use crate::model::point::Text;
use crate::model::table::{AlarmId, ElementId};
use crate::model::time::Span;

/// Who may bypass a cause; the strictest of the trips that it votes in holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BypassRule {
    OnePerson,
    TwoPersons,
    Never,
}

impl BypassRule {
    fn named(name: &str) -> BypassRule {
        match name {
            "never" => BypassRule::Never,
            "one-person" => BypassRule::OnePerson,
            _ => BypassRule::TwoPersons,
        }
    }
}

impl Compiler<'_> {
    pub(super) fn trip_row(&mut self, row: &Row) {
        let trip = self.trip(row);
        self.trips.declare(row, "id", Some(()), self.faults);
        if let Some(trip) = trip {
            let rule = row.str("bypass").unwrap_or_default();
            for cause in &trip.causes {
                let strictest = self.bypass_rules.entry(*cause).or_insert(BypassRule::OnePerson);
                *strictest = BypassRule::named(rule).max(*strictest);
            }
            self.plan.trips.push(trip);
        }
    }

    fn trip(&mut self, row: &Row) -> Option<Trip> {
        let ballot = self.ballot(row);
        let effects = self.effects(row);
        let permissives = self.alarm_list(row, "permissive");
        let reset_when = self.alarm_list(row, "reset_when");
        let own_area = match row.has("area") {
            true => Some(self.areas.find(row, "area", self.faults).copied()?),
            false => None,
        };
        let (tag, ballot, effects) = (tag(row)?, ballot?, effects?);
        let Votes { causes, groups, .. } = self.tree(&ballot)?;
        self.check_locks(row, &causes, &groups, &effects)?;
        let first = self.plan.alarms[*causes.first()?].area;
        let (permissives, reset_when) = (permissives?, reset_when?);
        let trip = Trip {
            name: name(row, &tag),
            tag,
            area: own_area.unwrap_or(first),
            reset_needs: self.reset_needs(row, &causes, &permissives, &reset_when)?,
            causes,
            groups,
            bad_delay: delay(row, "bad_delay_s"),
            delay: delay(row, "delay_s"),
            effects,
            permissives,
            reset_hold: delay(row, "reset_hold_s"),
            unguarded: row.flag("unguarded").unwrap_or(false),
        };
        self.lax_trip(row, &trip);
        Some(trip)
    }

    /// For each cause that may be bypassed the alarm that stands meanwhile: one for each point, device or element.
    pub(super) fn bypass_alarms(&mut self) {
        let condition = Condition::BypassActive;
        let (wrong, action) = texts::of(Condition::BypassActive);
        for (cause, rule) in std::mem::take(&mut self.bypass_rules) {
            if rule == BypassRule::Never {
                continue;
            }
            let Alarm { subject, area, .. } = self.plan.alarms[cause];
            let (tag, name) = match subject {
                Subject::Point(id) => (&self.plan.points[id].tag, self.plan.points[id].name.clone()),
                Subject::Device(id) => {
                    let tag = &self.plan.devices[id].tag;
                    (tag, Text::new(tag.as_str(), tag.as_str()))
                }
                Subject::Element(id) => (&self.plan.elements[id].tag, self.plan.elements[id].name.clone()),
            };
            let key = format!("{tag}:{condition}");
            let alarm = self.alarms.get(&key).copied().unwrap_or_else(|| {
                self.alarm(Alarm {
                    key,
                    subject,
                    area,
                    condition,
                    limit: None,
                    on_delay: Span::ZERO,
                    off_delay: Span::ZERO,
                    latching: false,
                    colour: Colour::Orange,
                    text: texts::line(&self.plan.areas[area].name, &name, &wrong),
                    action: action.clone(),
                })
            });
            let two_persons = rule == BypassRule::TwoPersons;
            self.plan.bypassable.insert(cause, Bypassable { two_persons, alarm });
        }
    }

    /// The alarms at `key`; none where it is not written.
    fn alarm_list(&mut self, row: &Row, key: &str) -> Option<Vec<AlarmId>> {
        let mut alarms = Vec::new();
        let mut sound = true;
        for cell in row.list(key) {
            match self.cause(cell) {
                Some(alarm) if alarms.contains(&alarm) => {
                    self.twice(cell);
                    sound = false;
                }
                Some(alarm) => alarms.push(alarm),
                None => sound = false,
            }
        }
        sound.then_some(alarms)
    }

    /// Numbers of the inputs that a reset must see proven safe.
    fn reset_needs(
        &mut self,
        row: &Row,
        causes: &[AlarmId],
        permissives: &[AlarmId],
        only: &[AlarmId],
    ) -> Option<Vec<usize>> {
        let all = causes.len().saturating_add(permissives.len());
        if !row.has("reset_when") {
            return Some((0..all).collect());
        }
        let is_lock = row.str("on_bad") == Some("ignore");
        let strangers = only.iter().any(|alarm| !causes.contains(alarm));
        if !is_lock || strangers || only.is_empty() {
            let message = match is_lock {
                false => "only a lock is lifted while a cause still stands",
                true if strangers => "`reset_when` names what does not cause this trip",
                true => "an unlocking that asks for nothing",
            };
            self.faults.push(
                Fault::error("bad-reset-when", row.at("reset_when"), message)
                    .help("name causes of a trip with on_bad = \"ignore\" and locks for effects; permissive = […] adds others"),
            );
            return None;
        }
        let named = (0..causes.len()).zip(causes).filter(|(_, alarm)| only.contains(alarm)).map(|(n, _)| n);
        Some(named.chain(causes.len()..all).collect())
    }

    /// What must never lock, and what must never be left unlocked by a broken device.
    fn check_locks(
        &mut self,
        row: &Row,
        causes: &[AlarmId],
        groups: &[Group],
        effects: &[ElementId],
    ) -> Option<()> {
        let is_lock = |e: &ElementId| self.plan.elements[*e].kind == ElementKind::Lock;
        let (locks, all) = (effects.iter().any(is_lock), effects.iter().all(is_lock));
        let ignores = groups.iter().any(|g| g.on_bad == OnBad::Ignore);
        let by_fault = |a: &AlarmId| {
            let alarm = &self.plan.alarms[*a];
            !matches!(alarm.subject, Subject::Point(_)) || alarm.condition == Condition::SensorFault
        };
        let fault = if ignores && !all {
            let message = "what can't be judged would be taken for safe here";
            Fault::error("ignore-without-lock", row.at("on_bad"), message)
                .label("for locks only")
                .help("use on_bad = \"vote\", or keep nothing but locks among the effects")
        } else if locks && groups.iter().any(|g| g.on_bad != OnBad::Ignore) {
            Fault::error("lock-by-fault", row.at("on_bad"), "a device's fault would lock")
                .label("a lock must never lock for that")
                .help("write on_bad = \"ignore\", in the groups that it names too")
        } else if locks && causes.iter().any(by_fault) {
            Fault::error("lock-by-fault", row.at("when"), "a fault is among the causes of a lock")
                .label("a lock must never lock for that")
                .help("name measured values and contacts only")
        } else {
            return Some(());
        };
        self.faults.push(fault);
        None
    }

    pub(super) fn cause(&mut self, cell: &Cell) -> Option<AlarmId> {
        let key = cell.str()?;
        if let Some(alarm) = self.alarms.get(key) {
            return Some(*alarm);
        }
        let (subject, condition) = key.split_once(':').unwrap_or((key, ""));
        let broken = self.points.is_broken(subject)
            || self.devices.is_broken(subject)
            || self.elements.is_broken(subject);
        if !broken {
            let fault = self.unknown_cause(subject, condition);
            self.faults.push(Fault { place: cell.place.clone(), ..fault });
        }
        None
    }

    fn unknown_cause(&self, subject: &str, condition: &str) -> Fault {
        let fault = |message: String, label: &str, help: String| {
            Fault::error("unknown-cause", self.root.place.clone(), message).label(label).help(help)
        };
        let own = self.alarms_of(subject);
        let has = |own: &[&str]| format!("it has {}", one_of(own.iter().copied()));
        match (own.is_empty(), condition) {
            (false, "") => fault(format!("{} names no alarm", quoted(subject)), "which alarm?", has(&own)),
            (false, _) => {
                let message = format!("{} has no alarm {}", quoted(subject), quoted(condition));
                fault(message, "no such alarm", has(&own))
            }
            (true, _) if self.points.is_known(subject) => {
                let message = format!("{} has no alarms: a feedback or a read-back", quoted(subject));
                fault(message, "no such alarm", "name a [[point]], a device or an element".to_owned())
            }
            (true, _) => {
                let near = if self.faults.is_flooded() { None } else { nearest(subject, self.points.all()) };
                let help = match near.map(|near| (near, self.alarms_of(near))) {
                    Some((near, own)) => format!("did you mean \"{near}\"? {}", has(&own)),
                    None => "a cause is \"point:alarm\", as \"bottle-room.lpg-1:trip\"".to_owned(),
                };
                let message = format!("there is no point, device or element {}", quoted(subject));
                fault(message, "not defined", help)
            }
        }
    }

    /// The keys of all alarms of a point, device or element.
    fn alarms_of(&self, tag: &str) -> Vec<&str> {
        let prefix = format!("{tag}:");
        let keys = self.alarms.range(prefix.clone()..).map(|(key, _)| key.as_str());
        keys.take_while(|key| key.starts_with(&prefix)).collect()
    }

    fn effects(&mut self, row: &Row) -> Option<Vec<ElementId>> {
        if row.has("effects") && row.list("effects").is_empty() {
            self.faults.push(
                Fault::error("no-effects", row.at("effects"), "a trip without effects")
                    .label("brings nothing into its safe state")
                    .help("name valves, loads, sirens or locks: effects = [\"…\"]"),
            );
            return None;
        }
        let mut effects = Vec::new();
        let mut sound = row.has("effects");
        for cell in row.list("effects") {
            let found =
                cell.str().and_then(|id| self.elements.find_as(id, cell.place.clone(), self.faults)).copied();
            match found {
                Some(element) if effects.contains(&element) => {
                    self.twice(cell);
                    sound = false;
                }
                Some(element) => effects.push(element),
                None => sound = false,
            }
        }
        sound.then_some(effects)
    }

    pub(super) fn twice(&mut self, cell: &Cell) {
        let message = format!("{} is named twice", quoted(cell.str().unwrap_or_default()));
        self.faults.push(Fault::error("named-twice", cell.place.clone(), message).help("name each once"));
    }

    /// The M of `MooN`.
    pub(super) fn votes(&mut self, row: &Row) -> Option<usize> {
        let n = row.list("when").len();
        let Some(vote) = row.str("vote") else { return Some(1) };
        let parts = vote
            .split_once("oo")
            .and_then(|(m, of)| Some((m.parse::<usize>().ok()?, of.parse::<usize>().ok()?)));
        let fault = |message: String, help: String| {
            Fault::error("bad-vote", row.at("vote"), message).label("M out of N").help(help)
        };
        let fault = match parts {
            None => fault(
                format!("{} is no vote", quoted(vote)),
                format!("write it as \"1oo{n}\": one out of {n}"),
            ),
            Some((m, of)) if m == 0 || m > of => {
                fault(format!("{m} out of {of} can't be"), format!("write \"1oo{n}\" to \"{n}oo{n}\""))
            }
            Some((m, of)) if of != n && row.has("when") => fault(
                format!("a vote of {of}, and `when` names {n}"),
                format!("write \"{}oo{n}\", or name {of} causes", m.min(n)),
            ),
            Some((m, _)) => return Some(m),
        };
        self.faults.push(fault);
        None
    }

    pub(super) fn all_destinations(&mut self) {
        let mut names = Names::new("destination");
        let root = self.root;
        for row in root.tables("destination") {
            if let Some(destination) = self.destination(row) {
                self.plan.destinations.push(destination);
            }
            names.declare(row, "id", Some(()), self.faults);
        }
    }

    fn destination(&mut self, row: &Row) -> Option<Destination> {
        let broker = links::broker_at(row, "broker", self.faults);
        let prefix = self.prefix(row);
        if row.has("password_file") {
            self.secrets.push(row.at("password_file"));
        }
        if row.has("password_file") && !row.has("user") {
            self.faults.push(
                Fault::error(
                    "password-without-user",
                    row.at("password_file"),
                    "a password without a user name",
                )
                .help("add user = \"…\": MQTT 3.1.1 knows no password alone"),
            );
        }
        let (host, port) = broker?;
        Some(Destination {
            escalated_only: row.flag("escalated_only").unwrap_or(false),
            tag: tag(row)?,
            host,
            port,
            prefix: prefix?,
            user: row.str("user").map(str::to_owned),
            password_file: row.str("password_file").map(str::to_owned),
            keep_alive: row.small("keep_alive_s").map(Span::from_secs).unwrap_or_default(),
        })
    }

    fn prefix(&mut self, row: &Row) -> Option<String> {
        const MAX_PREFIX: usize = 128;
        let prefix = row.str("prefix")?;
        let fits = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        };
        if prefix.len() <= MAX_PREFIX && prefix.split('/').all(fits) {
            return Some(prefix.to_owned());
        }
        self.faults.push(
            Fault::error("bad-prefix", row.at("prefix"), format!("{} can't begin a topic", quoted(prefix)))
                .label("no topic prefix")
                .help("use letters, digits, `.`, `_`, `-`, with `/` between levels: as \"mine/davy\""),
        );
        None
    }
}
