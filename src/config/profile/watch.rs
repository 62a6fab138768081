//! Signals that Davy looks at of itself on every device of a profile, whether or not the site file names them.

use super::Signal;
use crate::config::faults::{Fault, Faults};
use crate::config::names::Names;
use crate::config::read::Row;
use crate::config::site::seconds;
use crate::model::alarm::Level;
use crate::model::point::{Text, Unit};
use crate::model::sign::Tells;
use crate::model::time::Span;

/// What a signal is looked at for.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::config) enum Watch {
    /// It tells which device this is: a change is told, and another value than this is an alarm.
    Identity(Option<f64>),
    /// It is a set-point in the device, held against that of the site's point for the signal of this id.
    SetPoint {
        /// The signal that the device compares with it.
        of: String,
        /// Which of the point's alarms.
        level: Level,
    },
    /// It tells of the device's state: a contact that must not last, and of a signal that can't be relied on meanwhile.
    Tells(Tells, Option<String>),
    /// A contact that is an alarm.
    Trouble {
        /// In which position.
        when: bool,
        /// How severe.
        level: Level,
        /// What the alarm says.
        text: Option<Text>,
    },
    /// It must not stay as it is.
    Heartbeat {
        /// How often it changes, where it is a single bit: who looks more rarely may always see the same.
        changes: Option<Span>,
        /// How long it may stay as it is.
        still: Span,
    },
}

/// The level that `name` is.
pub(in crate::config) fn level_of(name: &str) -> Level {
    match name {
        "warning" => Level::Warning,
        "alarm" => Level::Alarm,
        _ => Level::Trip,
    }
}

/// Each purpose with its own keys.
const KEYS: [(&str, &[&str]); 6] = [
    ("identity", &["expect"]),
    ("set-point", &["of", "level"]),
    ("trouble", &["alarm_when", "level", "text"]),
    ("heartbeat", &["changes_s", "still_s"]),
    ("doubt", &["of"]),
    ("state", &[]),
];

/// What the signal in `row` is looked at for.
pub(super) fn watch(row: &Row, unit: Unit, faults: &mut Faults) -> Option<Watch> {
    let purpose = row.str("as")?;
    let tells = Tells::parse(purpose);
    let group = match tells {
        Some(tells) if tells.doubt().is_some() => "doubt",
        Some(_) => "state",
        None => purpose,
    };
    let own = KEYS.iter().find(|(name, _)| *name == group).map_or(&[][..], |(_, keys)| keys);
    for key in KEYS.iter().flat_map(|(_, keys)| *keys).filter(|key| !own.contains(key)) {
        if row.has(key) {
            let message = format!("`{key}` says nothing of a signal that is watched as {purpose}");
            faults.push(Fault::error("misplaced-watch", row.at(key), message).help("take it away"));
            return None;
        }
    }
    let must_be_contact = tells.is_some() || purpose == "trouble";
    if must_be_contact != (unit == Unit::State) && purpose != "heartbeat" {
        let (message, help) = if must_be_contact {
            (format!("watched as {purpose}, and no contact"), "use unit = \"state\" and a single bit")
        } else {
            (
                format!("watched as {purpose}, and a contact"),
                "a contact is watched as trouble, inhibit, calibration, mute, power-off or local",
            )
        };
        faults.push(Fault::error("misplaced-watch", row.at("as"), message).help(help));
        return None;
    }
    let level = row.str("level").map(level_of);
    match (purpose, tells) {
        (_, Some(tells)) => Some(Watch::Tells(tells, row.str("of").map(str::to_owned))),
        ("identity", None) => Some(Watch::Identity(row.number("expect"))),
        ("trouble", None) => Some(Watch::Trouble {
            when: row.flag("alarm_when").unwrap_or(true),
            level: level.unwrap_or(Level::Warning),
            text: row.words("text"),
        }),
        ("heartbeat", None) => heartbeat(row, unit, faults),
        (_, None) => {
            let missing = ["of", "level"].into_iter().find(|key| !row.has(key));
            if let Some(key) = missing {
                let message = format!("a set-point of the device without `{key}`");
                faults.push(Fault::error("half-watch", row.at("as"), message).help(
                    "write of = \"the signal that it is compared with\" and level = \"warning\", \"alarm\" or \"trip\"",
                ));
                return None;
            }
            Some(Watch::SetPoint { of: row.str("of")?.to_owned(), level: level? })
        }
    }
}

fn heartbeat(row: &Row, unit: Unit, faults: &mut Faults) -> Option<Watch> {
    let (changes, still) = (row.number("changes_s").map(seconds), row.number("still_s").map(seconds));
    let missing = match (unit, changes, still) {
        (_, _, None) => "still_s = 10, how long it may stay as it is",
        (Unit::State, None, _) => {
            "changes_s = 2, how often it changes: who looks at a bit more rarely may always see the same"
        }
        (_, Some(changes), Some(still)) if still <= changes => "a still_s that is longer than changes_s",
        (_, _, Some(still)) => return Some(Watch::Heartbeat { changes, still }),
    };
    let message = "a heartbeat that can't be judged";
    faults.push(Fault::error("half-watch", row.at("as"), message).help(format!("add {missing}")));
    None
}

/// What is known only when all signals are: which one a set-point is compared with, or a contact is about.
pub(super) fn check_signals(rows: &[(&Row, String)], signals: &Names<Signal>, faults: &mut Faults) {
    for (row, id) in rows {
        let Some(Signal { watch: Some(Watch::SetPoint { of, .. } | Watch::Tells(_, Some(of))), .. }) =
            signals.get(id)
        else {
            continue;
        };
        if let Some(table) = row.table("watch") {
            signals.find_as(of, table.at("of"), faults);
        }
    }
}
