//! The bytes of signs and calibrations: their bodies, and what of them stands.

use super::{Entry, both};
use crate::model::point::{Quality, Text};
use crate::model::record::{CalibrationStanding, Standing};
use crate::model::sign::{Anomaly, CalibrationChange, Sign};
use crate::model::time::{Span, Wall};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(super) fn anomaly(b: &Anomaly) -> Value {
    let values = b.values.iter().map(|(at, value)| json!([at.ms(), value]));
    let neighbour = |(key, value, quality): &(String, Option<f64>, Quality)| json!({ "key": key, "quality": quality.as_str(), "value": value });
    json!({
        "area": b.area,
        "from": b.from.to_string(),
        "key": b.key,
        "neighbours": b.neighbours.iter().map(neighbour).collect::<Vec<_>>(),
        "parameters": b.parameters.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<Map<_, _>>(),
        "raised": b.raised,
        "score": b.score,
        "sign": b.sign.as_str(),
        "text": both(&b.text),
        "to": b.to.to_string(),
        "unit": b.unit.as_str(),
        "values": values.collect::<Vec<_>>(),
    })
}

pub(super) fn calibration(b: &CalibrationChange) -> Value {
    json!({
        "area": b.area,
        "begun": b.begun,
        "by": b.by,
        "planned_ms": b.planned.ms(),
        "point": b.point,
        "remaining_ms": b.remaining.ms(),
        "text": both(&b.text),
    })
}

/// The rows of a `standing` entry about signs and calibrations.
pub(super) fn standing_rows(standing: &Standing) -> impl Iterator<Item = (&'static str, String, Value)> {
    let calibration = |c: &CalibrationStanding| {
        let begun: Vec<String> = c.begun.iter().map(ToString::to_string).collect();
        json!({ "begun": begun, "planned_ms": c.planned.map(Span::ms) })
    };
    let mut signs: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for ((key, sign), since) in &standing.signs {
        signs.entry(key).or_default().insert(sign.as_str().to_owned(), json!(since.to_string()));
    }
    let signs = signs.into_iter().map(|(key, own)| ("signs", key.to_owned(), Value::Object(own)));
    let rows = standing.calibrations.iter();
    rows.map(move |(tag, c)| ("calibrations", tag.clone(), calibration(c))).chain(signs)
}

/// Takes in what `entry` changes.
pub(super) fn standing_apply(standing: &mut Standing, entry: &Entry) {
    let text = |name: &str| entry.body.get(name).and_then(Value::as_str);
    let Some(key) = text("key").or(text("point")).map(str::to_owned) else { return };
    if let Some((sign, raised)) = read_sign(&entry.body) {
        match raised {
            true => drop(standing.signs.insert((key, sign), entry.at.wall)),
            false => drop(standing.signs.remove(&(key, sign))),
        }
    } else if let Some(change) = read_calibration(&entry.body) {
        standing.calibrations.entry(key).or_default().apply(entry.at.wall, &change);
    }
}

fn read_sign(body: &Value) -> Option<(Sign, bool)> {
    Some((Sign::parse(body.get("sign")?.as_str()?)?, body.get("raised")?.as_bool()?))
}

fn read_calibration(body: &Value) -> Option<CalibrationChange> {
    let planned = body.get("planned_ms")?.as_u64()?;
    let remaining = body.get("remaining_ms").and_then(Value::as_u64).unwrap_or(planned);
    Some(CalibrationChange {
        point: String::new(),
        area: String::new(),
        begun: body.get("begun")?.as_bool()?,
        planned: Span::from_ms(planned),
        remaining: Span::from_ms(remaining),
        by: None,
        text: Text::default(),
    })
}

pub(super) fn read_calibrations(c: &Value) -> Option<CalibrationStanding> {
    let begun = c.get("begun")?.as_array()?.iter();
    Some(CalibrationStanding {
        planned: c.get("planned_ms").and_then(Value::as_u64).map(Span::from_ms),
        begun: begun.filter_map(|at| Wall::parse(at.as_str()?)).collect(),
    })
}

pub(super) fn read_standing(key: &str, signs: &Value) -> Vec<((String, Sign), Wall)> {
    let sign = |(sign, since): (&String, &Value)| {
        Some(((key.to_owned(), Sign::parse(sign)?), Wall::parse(since.as_str()?)?))
    };
    signs.as_object().into_iter().flatten().filter_map(sign).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::point::Unit;

    pub(in crate::record) fn anomaly_record() -> Anomaly {
        Anomaly {
            sign: Sign::Frozen,
            key: "face.t0".to_owned(),
            area: "face".to_owned(),
            raised: true,
            score: 1.5,
            from: Wall::from_ms(0),
            to: Wall::from_ms(1_000),
            unit: Unit::PctVol,
            values: vec![(Wall::from_ms(0), 0.42), (Wall::from_ms(1_000), 0.42)],
            neighbours: vec![("face.t1".to_owned(), Some(0.5), Quality::Good)],
            parameters: vec![("frozen_min_s", 1800.0)],
            text: Text::new("不变", "does not move"),
        }
    }

    pub(in crate::record) fn calibration_record() -> CalibrationChange {
        CalibrationChange {
            point: "face.t0".to_owned(),
            area: "face".to_owned(),
            begun: true,
            planned: Span::from_secs(600),
            remaining: Span::from_secs(600),
            by: Some("li".to_owned()),
            text: Text::new("标校", "calibration"),
        }
    }

    #[test]
    fn anomaly_and_calibration_have_these_bytes() {
        assert_eq!(
            anomaly(&anomaly_record()).to_string(),
            r#"{"area":"face","from":"1970-01-01T00:00:00.000Z","key":"face.t0","neighbours":[{"key":"face.t1","quality":"good","value":0.5}],"parameters":{"frozen_min_s":1800.0},"raised":true,"score":1.5,"sign":"frozen","text":{"en":"does not move","zh":"不变"},"to":"1970-01-01T00:00:01.000Z","unit":"%vol","values":[[0,0.42],[1000,0.42]]}"#,
        );
        assert_eq!(
            calibration(&calibration_record()).to_string(),
            r#"{"area":"face","begun":true,"by":"li","planned_ms":600000,"point":"face.t0","remaining_ms":600000,"text":{"en":"calibration","zh":"标校"}}"#,
        );
    }
}
