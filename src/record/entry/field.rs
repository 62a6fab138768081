//! The bytes of what the field side tells: who devices are, and what they refuse.

use super::both;
use crate::model::record::{IdentitySeen, Standing, WriteChange};
use serde_json::{Value, json};

pub(super) fn identity(b: &IdentitySeen) -> Value {
    json!({
        "area": b.area,
        "before": b.before,
        "point": b.point,
        "text": both(&b.text),
        "value": b.value,
    })
}

pub(super) fn write(b: &WriteChange) -> Value {
    json!({
        "area": b.area,
        "failures": b.failures,
        "fault": b.fault,
        "target": b.target,
        "text": both(&b.text),
        "what": b.what.as_str(),
    })
}

/// The rows of a `standing` entry about identities.
pub(super) fn standing_rows(standing: &Standing) -> impl Iterator<Item = (&'static str, String, Value)> {
    standing.identities.iter().map(|(point, value)| ("identities", point.clone(), json!(value)))
}

/// Takes in an identity that was seen.
pub(super) fn standing_apply(standing: &mut Standing, body: &Value) {
    let point = body.get("point").and_then(Value::as_str);
    if let Some((point, value)) = point.zip(body.get("value").and_then(Value::as_f64)) {
        standing.identities.insert(point.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::point::Text;
    use crate::model::record::Written;

    #[test]
    fn identities_and_writes_have_these_bytes() {
        let seen = IdentitySeen {
            point: "d1.serial".to_owned(),
            area: "face".to_owned(),
            value: 4711.0,
            before: None,
            text: Text::new("首次", "first"),
        };
        assert_eq!(
            identity(&seen).to_string(),
            r#"{"area":"face","before":null,"point":"d1.serial","text":{"en":"first","zh":"首次"},"value":4711.0}"#,
        );
        let refused = WriteChange {
            target: "v1".to_owned(),
            area: "face".to_owned(),
            what: Written::Trip,
            failures: 2,
            fault: Some("exception 3: illegal data value".to_owned()),
            text: Text::new("拒绝", "refused"),
        };
        assert_eq!(
            write(&refused).to_string(),
            r#"{"area":"face","failures":2,"fault":"exception 3: illegal data value","target":"v1","text":{"en":"refused","zh":"拒绝"},"what":"trip"}"#,
        );
    }
}
