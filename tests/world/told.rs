//! Records as a gas engineer reads them: one line each, with the time since the start.

use davy::model::alarm::{AlarmCause, AsideHow};
use davy::model::element::{Demand, ElementKind, Phase, Position};
use davy::model::grade::GradeChange;
use davy::model::incident::{Incident, IncidentChange, IncidentStep, OverPoint};
use davy::model::permit::{PermitChange, PermitStep};
use davy::model::record::{
    AlarmChange, Body, BypassChange, BypassStep, ElementChange, ProofTestDone, Record, TripChange,
};
use davy::model::sign::{Anomaly, CalibrationChange};
use davy::model::time::{Mono, Span, Wall};

/// The column in which the subject begins is wide enough for most.
const SUBJECT: usize = 26;

/// A time as `1:02:03.4`; hours only where there are any.
pub(crate) fn clock(at: Mono) -> String {
    let tenths = at.us() / 100_000;
    let (h, m, s) = (tenths / 36_000, tenths / 600 % 60, tenths / 10 % 60);
    let tail = format!("{s:02}.{}", tenths % 10);
    if h > 0 { format!("{h}:{m:02}:{tail}") } else { format!("{m}:{tail}") }
}

/// What a timeline holds besides alarms, trips, elements and orders, where its script asks for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Show {
    pub(crate) incidents: bool,
    pub(crate) grades: bool,
    pub(crate) signs: bool,
}

impl Show {
    /// Takes in one word of a `show` line; `None` where it is none.
    pub(crate) fn word(&mut self, word: &str) -> Option<()> {
        match word {
            "incidents" => self.incidents = true,
            "grades" => self.grades = true,
            "signs" => self.signs = true,
            _ => return None,
        }
        Some(())
    }
}

/// The lines of one record; none for what a scenario is not about.
pub(crate) fn lines(record: &Record, show: Show) -> Vec<String> {
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
        Body::Bypass(change) => (change.cause.as_str(), vec![bypass(change)]),
        Body::Calibration(change) => (change.point.as_str(), vec![calibration(change)]),
        Body::Permit(change) => (change.permit.place.as_str(), vec![permit(change)]),
        Body::ProofTest(done) => (done.target.as_str(), proof_test(done)),
        Body::Incident(change) if show.incidents => match incident(change) {
            Some(said) => (change.incident.area.as_str(), said),
            None => return Vec::new(),
        },
        Body::Grade(change) if show.grades => (change.area.as_str(), vec![grade(change)]),
        Body::Anomaly(anomaly) if show.signs => (anomaly.key.as_str(), vec![sign(anomaly, record.at.wall)]),
        Body::Trouble(trouble) if show.signs => {
            let word = if trouble.raised { "trouble" } else { "no longer" };
            ("davy", vec![format!("{word} {}: {}", trouble.code, trouble.text.en)])
        }
        Body::Write(change) => (change.target.as_str(), vec![change.text.en.to_string()]),
        Body::Identity(seen) => (seen.point.as_str(), vec![seen.text.en.to_string()]),
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
        let Some(who) = &change.who else { return format!("gone: {}", change.text.en) };
        return format!("reset by {}", who.name);
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

fn bypass(change: &BypassChange) -> String {
    let second = change.second.as_ref().map(|s| format!(" and {s}")).unwrap_or_default();
    let who = change.who.as_ref().map(|who| format!(" by {}", who.name)).unwrap_or_default();
    let left = change.remaining;
    match change.step {
        BypassStep::Started => format!(
            "BYPASSED by {}{second} for {left}, out of the vote of {}: {}",
            change.by.name,
            change.trips.join(" and "),
            change.reason
        ),
        BypassStep::Warned | BypassStep::Reckoned => format!("bypass {}: {left} left", change.step.as_str()),
        BypassStep::Lifted | BypassStep::Expired | BypassStep::Removed => {
            format!("bypass {}{who}: votes again", change.step.as_str())
        }
    }
}

fn calibration(change: &CalibrationChange) -> String {
    let by = change.by.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
    match change.begun {
        true if change.planned == Span::ZERO => format!("calibration begins{by}"),
        true if change.remaining < change.planned => {
            format!("calibration goes on: {} left of {}", change.remaining, change.planned)
        }
        true => format!("calibration begins{by}, planned for {}", change.planned),
        false => format!("calibration ends{by}"),
    }
}

fn permit(change: &PermitChange) -> String {
    let (given, kind) = (&change.permit, change.permit.kind.as_str());
    let set_points: Vec<String> =
        change.set_points.iter().map(|(key, value)| format!("{key} {value:.2}")).collect();
    let second = given.second.as_ref().map(|s| format!(" and {s}")).unwrap_or_default();
    let how = match change.step {
        PermitStep::Started => format!("PERMIT by {}{second} for {} min", given.by, given.minutes),
        PermitStep::Ended => {
            format!("permit ended by {}", change.who.as_ref().map_or("nobody", |who| &who.name))
        }
        PermitStep::Expired => "permit expired".to_owned(),
    };
    format!("{kind} {how}; set-points now {}", set_points.join(", "))
}

fn proof_test(done: &ProofTestDone) -> Vec<String> {
    let mut said = vec![format!("{} test by {}: {}", done.kind.as_str(), done.who.name, done.text.en)];
    said.extend(done.strokes.iter().map(|stroke| {
        let time = |what: &str, span: Option<Span>| match span {
            Some(span) => format!(", {what} {span}"),
            None => format!(", no {what}"),
        };
        let passed = match stroke.passed {
            Some(true) => "passed",
            Some(false) => "failed",
            None => "not finished",
        };
        format!(
            "  {} {passed}, {}{}{}, {} writes failed",
            stroke.tag,
            stroke.position.as_str(),
            time("dead time", stroke.dead),
            time("travel", stroke.travel),
            stroke.attempts
        )
    }));
    said
}

/// How an incident opens, and its figures when it closes. In between it is told again and again, for the journal.
fn incident(change: &IncidentChange) -> Option<Vec<String>> {
    let so_far = &change.incident;
    match change.step {
        IncidentStep::Opened => Some(vec![format!("INCIDENT #{} opens", so_far.number)]),
        IncidentStep::Updated => None,
        IncidentStep::Closed => Some(closed(so_far)),
    }
}

fn closed(it: &Incident) -> Vec<String> {
    let mut said = vec![format!(
        "INCIDENT #{} closes after {}: over for {}, production on for {} of that",
        it.number, it.lasted, it.over, it.live
    )];
    said.extend(it.points.iter().map(|p| over_point(it, p)));
    said.extend(it.actions.iter().map(|a| format!("  +{} {} {}", a.after, a.tag, a.what.as_str())));
    said.extend(
        it.acknowledgements
            .iter()
            .map(|a| format!("  +{} {} #{} acknowledged by {}", a.after, a.key, a.occurrence, a.who.name)),
    );
    said
}

fn over_point(it: &Incident, p: &OverPoint) -> String {
    let mean = p.mean().map_or_else(|| "--".to_owned(), |mean| format!("{mean:.2}"));
    format!(
        "  +{} {} over {:.2} {unit} for {}: peak {:.2} at +{}, mean {mean}, beyond {:.3} {unit}-min, unseen {}",
        p.after,
        p.point,
        p.set_point,
        p.over,
        p.peak,
        since(p.peak_at, it.began),
        p.beyond,
        p.unseen,
        unit = p.unit,
    )
}

fn since(at: Wall, from: Wall) -> Span {
    Span::from_ms(u64::try_from(at.ms() - from.ms()).unwrap_or(0))
}

fn grade(change: &GradeChange) -> String {
    let why = change.grade.why.iter().map(|reason| {
        let number = |n: Option<f64>| n.map(|n| format!("{n:.2}"));
        let figures = match (number(reason.value), number(reason.limit)) {
            (Some(value), Some(limit)) => format!(" {value} at {limit}"),
            (Some(value), None) => format!(" {value}"),
            (None, _) => String::new(),
        };
        let key = if reason.key.is_empty() { String::new() } else { format!(" {}", reason.key) };
        format!("{}{key}{figures}", reason.rule.as_str())
    });
    let colour = change.grade.colour.as_str();
    format!("area {} -> {colour}: {}", change.from.as_str(), why.collect::<Vec<_>>().join(", "))
}

fn sign(anomaly: &Anomaly, now: Wall) -> String {
    let name = anomaly.sign.as_str();
    if !anomaly.raised {
        return format!("sign {name} over");
    }
    let neighbours: Vec<String> = anomaly
        .neighbours
        .iter()
        .map(|(tag, value, _)| value.map_or(format!("{tag} --"), |v| format!("{tag} {v:.2}")))
        .collect();
    let beside = if neighbours.is_empty() { String::new() } else { format!("; {}", neighbours.join(", ")) };
    let evidence = since(anomaly.to, anomaly.from);
    let ago = since(now, anomaly.from);
    format!(
        "SIGN {name}, score {:.1}, evidence of {evidence} from {ago} ago{beside}: {}",
        anomaly.score, anomaly.text.en
    )
}
