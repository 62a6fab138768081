//! Records as a gas engineer reads them: one line each, with the time since the start.

use davy::model::alarm::{AlarmCause, AsideHow};
use davy::model::element::{Demand, ElementKind, Phase, Position};
use davy::model::record::{AlarmChange, Body, ElementChange, Record, TripChange};
use davy::model::time::Mono;

/// The column in which the subject begins is wide enough for most.
const SUBJECT: usize = 26;

/// A time as `1:02:03.4`; hours only where there are any.
pub(crate) fn clock(at: Mono) -> String {
    let tenths = at.us() / 100_000;
    let (h, m, s) = (tenths / 36_000, tenths / 600 % 60, tenths / 10 % 60);
    let tail = format!("{s:02}.{}", tenths % 10);
    if h > 0 { format!("{h}:{m:02}:{tail}") } else { format!("{m}:{tail}") }
}

/// The lines of one record; none for what a scenario is not about.
pub(crate) fn lines(record: &Record) -> Vec<String> {
    let (subject, mut said) = match &record.body {
        Body::Alarm(change) => (change.key.as_str(), vec![alarm(change)]),
        Body::Trip(change) => (change.tag.as_str(), vec![trip(change)]),
        Body::Element(change) => (change.tag.as_str(), vec![element(change)]),
        Body::Command(done) => match &done.refused {
            None => (done.who.name.as_str(), vec![format!("{}: done", done.command)]),
            Some(why) => {
                let mut said = vec![format!("{}: REFUSED", done.command)];
                said.extend(why.iter().map(|w| format!("  because {}", w.en)));
                (done.who.name.as_str(), said)
            }
        },
        Body::Nuisance(nuisance) => ("nuisance", vec![nuisance.text.en.to_string()]),
        _ => return Vec::new(),
    };
    let at = clock(record.at.mono);
    let first = said.remove(0);
    let mut lines = vec![format!("{at:>9}  {subject:<SUBJECT$} {first}")];
    lines.extend(said.into_iter().map(|more| format!("{:9}  {:SUBJECT$} {more}", "", "")));
    lines
}

fn alarm(change: &AlarmChange) -> String {
    let value = match change.value {
        Some(value) if change.unit.as_str() == "state" => format!(" reading {value}"),
        Some(value) => format!(" at {value:.2} {}", change.unit),
        None => String::new(),
    };
    let quality = match change.quality.as_str() {
        "good" => String::new(),
        other => format!(" ({other})"),
    };
    let by = change.who.as_ref().map(|who| format!(" by {}", who.name)).unwrap_or_default();
    let set = match change.set_point {
        Some(set) if change.cause == AlarmCause::Occurred && change.unit.as_str() != "state" => {
            format!(", set-point {set:.2}")
        }
        Some(_) | None => String::new(),
    };
    let colour = match change.cause {
        AlarmCause::Occurred | AlarmCause::Escalated => format!(", {}", change.colour.as_str()),
        _ => String::new(),
    };
    let aside = change.aside.as_ref().map(|(aside, under)| {
        let until = aside.minutes.map(|m| format!(" for {m} min")).unwrap_or_default();
        let why = match aside.how {
            AsideHow::Suppressed => format!(" while {} speaks", aside.by),
            AsideHow::Shelved | AsideHow::OutOfService => format!("{until}: {}", aside.reason),
        };
        format!(" ({}{why}; underneath {})", aside.how.state().as_str(), under.as_str())
    });
    format!(
        "#{} {} -> {}{value}{quality}{set}{colour}{by}{}",
        change.occurrence,
        change.cause.as_str(),
        change.to.as_str(),
        aside.unwrap_or_default(),
    )
}

fn trip(change: &TripChange) -> String {
    if !change.tripped {
        return format!("reset by {}", change.who.as_ref().map_or("nobody", |who| &who.name));
    }
    let first = change.first_out.as_deref().unwrap_or("what is not known");
    format!(
        "TRIPS #{}, first out {first}, by {}; acts on {}",
        change.occurrence,
        change.causes.join(" and "),
        change.effects.join(" and ")
    )
}

/// Whether it says of an element that nothing is demanded and that it is where it is on an ordinary day.
pub(crate) fn is_ordinary(record: &Record) -> bool {
    matches!(&record.body, Body::Element(change)
        if change.demand == Demand::None && change.position == Position::Unsafe && change.phase == Phase::Idle)
}

fn element(change: &ElementChange) -> String {
    let position = match (change.kind, change.position) {
        (_, Position::Unknown) => "position unknown",
        (_, Position::Conflict) => "both limits at once",
        (_, Position::Travelling) => "travelling",
        (_, Position::Closing) => "closing",
        (_, Position::Opening) => "opening",
        (ElementKind::Valve, Position::Safe) => "closed",
        (ElementKind::Valve, Position::Unsafe) => "open",
        (ElementKind::Load, Position::Safe) => "dead",
        (ElementKind::Load, Position::Unsafe) => "live",
        (ElementKind::Siren, Position::Safe) => "on",
        (ElementKind::Siren, Position::Unsafe) => "off",
        (ElementKind::Lock, Position::Safe) => "locked",
        (ElementKind::Lock, Position::Unsafe) => "unlocked",
    };
    match change.demand {
        Demand::None => format!("nothing demanded, {position}"),
        Demand::Trip => {
            let by = match change.phase {
                Phase::Demanded if !change.trips.is_empty() => format!(" by {}", change.trips.join(" and ")),
                _ => String::new(),
            };
            format!("{}{by}, {position}", change.phase.as_str())
        }
    }
}
