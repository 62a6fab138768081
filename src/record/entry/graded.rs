//! Bodies of the entries about overlimit incidents, colours and permits, and what of them must survive.

use super::{both, text, who};
use crate::model::alarm::Colour;
use crate::model::grade::{GradeChange, Reason};
use crate::model::incident::{
    Acknowledgement, Action, ActionWhat, Incident, IncidentChange, IncidentStanding, IncidentStep, OverPoint,
};
use crate::model::permit::{Permit, PermitChange, PermitKind, PermitStep, SetPoints, Tightening};
use crate::model::point::Unit;
use crate::model::record::{Standing, Who};
use crate::model::time::{Span, Wall};
use serde_json::{Map, Value, json};

pub(super) fn incident_change(b: &IncidentChange) -> Value {
    let worst = b.incident.worst().map(|p| {
        json!({ "at": p.peak_at.to_string(), "point": p.point, "unit": p.unit.as_str(), "value": p.peak })
    });
    let peaks: Map<String, Value> = b.peaks.iter().map(|(key, peak)| (key.clone(), json!(peak))).collect();
    let mut body = incident(&b.incident);
    if let Some(fields) = body.as_object_mut() {
        fields.insert("step".to_owned(), json!(b.step.as_str()));
        fields.insert("peak".to_owned(), json!(worst));
        fields.insert("peaks".to_owned(), Value::Object(peaks));
        fields.insert("text".to_owned(), both(&b.text));
    }
    body
}

fn incident(i: &Incident) -> Value {
    json!({
        "acknowledgements": i.acknowledgements.iter().map(acknowledgement).collect::<Vec<_>>(),
        "actions": i.actions.iter().map(action).collect::<Vec<_>>(),
        "area": i.area,
        "at": i.at.to_string(),
        "began": i.began.to_string(),
        "lasted_us": i.lasted.us(),
        "live_us": i.live.us(),
        "more_acknowledgements": i.more_acknowledgements,
        "more_actions": i.more_actions,
        "more_points": i.more_points,
        "number": i.number,
        "over_us": i.over.us(),
        "points": i.points.iter().map(point).collect::<Vec<_>>(),
    })
}

fn point(p: &OverPoint) -> Value {
    json!({
        "after_us": p.after.us(),
        "beyond": p.beyond,
        "low": p.low,
        "mean": p.mean(),
        "over_us": p.over.us(),
        "peak": p.peak,
        "peak_at": p.peak_at.to_string(),
        "point": p.point,
        "set_point": p.set_point,
        "sum": p.sum,
        "unit": p.unit.as_str(),
        "unseen_us": p.unseen.us(),
    })
}

fn action(a: &Action) -> Value {
    json!({ "after_us": a.after.us(), "at": a.at.to_string(), "tag": a.tag, "what": a.what.as_str() })
}

fn acknowledgement(a: &Acknowledgement) -> Value {
    json!({
        "after_us": a.after.us(),
        "at": a.at.to_string(),
        "key": a.key,
        "occurrence": a.occurrence,
        "who": who(Some(&a.who)),
    })
}

pub(super) fn grade(b: &GradeChange) -> Value {
    let reason =
        |r: &Reason| json!({ "key": r.key, "limit": r.limit, "rule": r.rule.as_str(), "value": r.value });
    json!({
        "area": b.area,
        "from": b.from.as_str(),
        "text": both(&b.text),
        "to": b.grade.colour.as_str(),
        "why": b.grade.why.iter().map(reason).collect::<Vec<_>>(),
    })
}

pub(super) fn permit_change(b: &PermitChange) -> Value {
    let set_points: Map<String, Value> =
        b.set_points.iter().map(|(key, set)| (key.clone(), json!(set))).collect();
    let mut body = permit(&b.permit);
    if let Some(fields) = body.as_object_mut() {
        fields.insert("area".to_owned(), json!(Some(&b.area).filter(|area| !area.is_empty())));
        fields.insert("set_points".to_owned(), Value::Object(set_points));
        fields.insert("step".to_owned(), json!(b.step.as_str()));
        fields.insert("text".to_owned(), both(&b.text));
        fields.insert("who".to_owned(), who(b.who.as_ref()));
    }
    body
}

fn permit(p: &Permit) -> Value {
    let tighten = match p.tighten {
        Tightening::Percent(percent) => json!({ "percent": percent }),
        Tightening::SetPoints(given) => {
            let (high, low) = (given.entries().into_iter().take(3), given.entries().into_iter().skip(3));
            // What is dangerous when there is little is the exception, and left out where nothing is said of it.
            let told = high.chain(low.filter(|(_, _, set)| set.is_some()));
            told.map(|(key, _, set)| (key.to_owned(), json!(set))).collect::<Map<_, _>>().into()
        }
    };
    json!({
        "by": p.by,
        "kind": p.kind.as_str(),
        "minutes": p.minutes,
        "place": p.place,
        "second": p.second,
        "tighten": tighten,
        "until": p.until.to_string(),
    })
}

/// Adds what must survive to the body of an entry of kind `standing`. What there is none of is left out, so that older
/// The rows of a `standing` entry about incidents, colours and permits.
pub(super) fn standing_rows(standing: &Standing) -> impl Iterator<Item = (&'static str, String, Value)> {
    let incident = |(area, i): (&String, &IncidentStanding)| {
        ("incidents", area.clone(), json!({ "number": i.number, "open": i.open.as_ref().map(incident) }))
    };
    let grades = standing.grades.iter().map(|(area, c)| ("grades", area.clone(), json!(c.as_str())));
    let permits = standing.permits.iter().map(|(key, p)| ("permits", key.clone(), permit(p)));
    standing.incidents.iter().map(incident).chain(grades).chain(permits)
}

/// Takes in what an entry of `kind` changes, as `Standing::apply` does.
pub(super) fn standing_apply(standing: &mut Standing, kind: &str, body: &Value) -> Option<()> {
    match kind {
        "incident" => {
            let (step, found) = (IncidentStep::parse(text_of(body, "step")?)?, read_incident(body)?);
            for (key, peak) in body.get("peaks").and_then(Value::as_object).into_iter().flatten() {
                if let (Some(alarm), Some(peak)) = (standing.alarms.get_mut(key), peak.as_f64()) {
                    alarm.peak = Some(peak);
                }
            }
            let (area, number) = (found.area.clone(), found.number);
            let open = (step != IncidentStep::Closed).then_some(found);
            standing.incidents.insert(area, IncidentStanding { number, open });
        }
        "grade" => {
            let colour = Colour::parse(text_of(body, "to")?)?;
            standing.grades.insert(text_of(body, "area")?.to_owned(), colour);
        }
        "permit" => {
            let (step, permit) = (PermitStep::parse(text_of(body, "step")?)?, read_permit(body)?);
            match step {
                PermitStep::Started => drop(standing.permits.insert(permit.key(), permit)),
                PermitStep::Ended | PermitStep::Expired => drop(standing.permits.remove(&permit.key())),
            }
        }
        _ => {}
    }
    Some(())
}

/// Reads what [`standing_rows`] wrote. What is not there is taken for nothing: older journals know none of it.
pub(super) fn read_standing(body: &Value, standing: &mut Standing) {
    let rows = |name| body.get(name).and_then(Value::as_object).into_iter().flatten();
    standing.incidents =
        rows("incidents").filter_map(|(area, i)| Some((area.clone(), read_area(i)?))).collect();
    standing.grades =
        rows("grades").filter_map(|(area, c)| Some((area.clone(), Colour::parse(c.as_str()?)?))).collect();
    standing.permits = rows("permits").filter_map(|(key, p)| Some((key.clone(), read_permit(p)?))).collect();
}

fn read_area(body: &Value) -> Option<IncidentStanding> {
    let open = body.get("open").filter(|open| !open.is_null());
    Some(IncidentStanding { number: small(body, "number")?, open: open.and_then(read_incident) })
}

fn read_incident(body: &Value) -> Option<Incident> {
    let rows = |name: &str| body.get(name).and_then(Value::as_array).into_iter().flatten();
    Some(Incident {
        area: text_of(body, "area")?.to_owned(),
        number: small(body, "number")?,
        began: wall(body, "began")?,
        at: wall(body, "at")?,
        lasted: span(body, "lasted_us")?,
        over: span(body, "over_us")?,
        live: span(body, "live_us")?,
        points: rows("points").filter_map(read_point).take(Incident::POINTS_MAX).collect(),
        more_points: small(body, "more_points")?,
        actions: rows("actions").filter_map(read_action).take(Incident::ACTIONS_MAX).collect(),
        more_actions: small(body, "more_actions")?,
        acknowledgements: rows("acknowledgements")
            .filter_map(read_acknowledgement)
            .take(Incident::ACTIONS_MAX)
            .collect(),
        more_acknowledgements: small(body, "more_acknowledgements")?,
    })
}

fn read_point(body: &Value) -> Option<OverPoint> {
    let number = |name: &str| body.get(name).and_then(Value::as_f64);
    Some(OverPoint {
        point: text_of(body, "point")?.to_owned(),
        unit: Unit::parse(text_of(body, "unit")?)?,
        set_point: number("set_point")?,
        low: body.get("low")?.as_bool()?,
        after: span(body, "after_us")?,
        peak: number("peak")?,
        peak_at: wall(body, "peak_at")?,
        over: span(body, "over_us")?,
        sum: number("sum")?,
        beyond: number("beyond")?,
        unseen: span(body, "unseen_us")?,
    })
}

fn read_action(body: &Value) -> Option<Action> {
    Some(Action {
        tag: text_of(body, "tag")?.to_owned(),
        what: ActionWhat::parse(text_of(body, "what")?)?,
        after: span(body, "after_us")?,
        at: wall(body, "at")?,
    })
}

fn read_acknowledgement(body: &Value) -> Option<Acknowledgement> {
    let who = body.get("who")?;
    Some(Acknowledgement {
        key: text_of(body, "key")?.to_owned(),
        occurrence: small(body, "occurrence")?,
        who: Who { name: text_of(who, "name")?.to_owned(), via: text_of(who, "via")?.to_owned() },
        after: span(body, "after_us")?,
        at: wall(body, "at")?,
    })
}

fn read_permit(body: &Value) -> Option<Permit> {
    let tighten = body.get("tighten")?;
    let number = |name: &str| tighten.get(name).and_then(Value::as_f64);
    Some(Permit {
        place: text_of(body, "place")?.to_owned(),
        kind: PermitKind::parse(text_of(body, "kind")?)?,
        by: text_of(body, "by")?.to_owned(),
        second: text_of(body, "second").map(str::to_owned),
        minutes: small(body, "minutes")?,
        until: wall(body, "until")?,
        tighten: match tighten.get("percent") {
            Some(percent) => Tightening::Percent(u8::try_from(percent.as_u64()?).ok()?),
            None => Tightening::SetPoints(SetPoints::read(number)),
        },
    })
}

fn text_of<'a>(body: &'a Value, name: &'static str) -> Option<&'a str> {
    text(body.as_object()?, name).ok()
}

fn small(body: &Value, name: &str) -> Option<u32> {
    u32::try_from(body.get(name)?.as_u64()?).ok()
}

fn span(body: &Value, name: &str) -> Option<Span> {
    body.get(name)?.as_u64().map(Span::from_us)
}

fn wall(body: &Value, name: &'static str) -> Option<Wall> {
    Wall::parse(text_of(body, name)?)
}

#[cfg(test)]
pub(super) mod tests;
