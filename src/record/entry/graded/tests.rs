//! The bytes of these entries, frozen: see the tests of `entry`.

use super::*;
use crate::model::grade::{Grade, GradeRule};
use crate::model::point::Text;
use crate::model::record::{Body, Record};
use crate::model::time::Now;
use proptest::prelude::*;

fn noon(seconds: i64) -> Wall {
    Wall::from_ms(1_795_521_600_000 + seconds * 1_000)
}

fn an_incident() -> Incident {
    let who = Who { name: "li".to_owned(), via: "local".to_owned() };
    Incident {
        area: "face".to_owned(),
        number: 3,
        began: noon(0),
        at: noon(60),
        lasted: Span::from_secs(60),
        over: Span::from_secs(50),
        live: Span::from_secs(2),
        points: vec![OverPoint {
            point: "face.t1".to_owned(),
            unit: Unit::PctVol,
            set_point: 1.0,
            low: false,
            after: Span::ZERO,
            peak: 1.62,
            peak_at: noon(9),
            over: Span::from_secs(30),
            sum: 0.6,
            beyond: 0.1,
            unseen: Span::from_secs(1),
        }],
        more_points: 0,
        actions: vec![Action {
            tag: "face-cut".to_owned(),
            what: ActionWhat::Tripped,
            after: Span::from_ms(1_200),
            at: noon(1),
        }],
        more_actions: 1,
        acknowledgements: vec![Acknowledgement {
            key: "face.t1:trip".to_owned(),
            occurrence: 2,
            who,
            after: Span::from_secs(40),
            at: noon(40),
        }],
        more_acknowledgements: 0,
    }
}

/// An incident's record.
pub(in crate::record::entry) fn incident_record() -> IncidentChange {
    IncidentChange {
        step: IncidentStep::Updated,
        incident: an_incident(),
        peaks: vec![("face.t1:trip".to_owned(), 1.62)],
        text: Text::new("超限", "over"),
    }
}

/// A colour's record.
pub(in crate::record::entry) fn grade_record() -> GradeChange {
    let rule = GradeRule::Points;
    let why = vec![Reason { rule, key: String::new(), value: Some(2.0), limit: Some(2.0) }];
    GradeChange {
        area: "face".to_owned(),
        from: Colour::Yellow,
        grade: Grade { colour: Colour::Orange, why },
        text: Text::new("橙", "orange"),
    }
}

/// A permit's record.
pub(in crate::record::entry) fn permit_record() -> PermitChange {
    let permit = Permit {
        place: "face".to_owned(),
        kind: PermitKind::HotWork,
        by: "li".to_owned(),
        second: None,
        minutes: 120,
        until: noon(7_200),
        tighten: Tightening::SetPoints(SetPoints { alarm: Some(0.5), ..SetPoints::default() }),
    };
    PermitChange {
        permit,
        area: "face".to_owned(),
        step: PermitStep::Started,
        set_points: vec![("face.t1:alarm".to_owned(), 0.5)],
        who: None,
        text: Text::new("动火", "hot work"),
    }
}

#[test]
fn an_incident_has_these_bytes() {
    assert_eq!(
        incident_change(&incident_record()).to_string(),
        r#"{"acknowledgements":[{"after_us":40000000,"at":"2026-11-24T12:00:40.000Z","key":"face.t1:trip","occurrence":2,"who":{"name":"li","via":"local"}}],"actions":[{"after_us":1200000,"at":"2026-11-24T12:00:01.000Z","tag":"face-cut","what":"tripped"}],"area":"face","at":"2026-11-24T12:01:00.000Z","began":"2026-11-24T12:00:00.000Z","lasted_us":60000000,"live_us":2000000,"more_acknowledgements":0,"more_actions":1,"more_points":0,"number":3,"over_us":50000000,"peak":{"at":"2026-11-24T12:00:09.000Z","point":"face.t1","unit":"%vol","value":1.62},"peaks":{"face.t1:trip":1.62},"points":[{"after_us":0,"beyond":0.1,"low":false,"mean":1.2,"over_us":30000000,"peak":1.62,"peak_at":"2026-11-24T12:00:09.000Z","point":"face.t1","set_point":1.0,"sum":0.6,"unit":"%vol","unseen_us":1000000}],"step":"updated","text":{"en":"over","zh":"超限"}}"#
    );
}

#[test]
fn a_colour_has_these_bytes() {
    assert_eq!(
        grade(&grade_record()).to_string(),
        r#"{"area":"face","from":"yellow","text":{"en":"orange","zh":"橙"},"to":"orange","why":[{"key":"","limit":2.0,"rule":"points","value":2.0}]}"#
    );
}

#[test]
fn a_permit_has_these_bytes() {
    assert_eq!(
        permit_change(&permit_record()).to_string(),
        r#"{"area":"face","by":"li","kind":"hot-work","minutes":120,"place":"face","second":null,"set_points":{"face.t1:alarm":0.5},"step":"started","text":{"en":"hot work","zh":"动火"},"tighten":{"alarm":0.5,"trip":null,"warning":null},"until":"2026-11-24T14:00:00.000Z","who":null}"#
    );
    let percent = Permit { tighten: Tightening::Percent(50), ..permit_record().permit };
    assert_eq!(permit(&percent)["tighten"].to_string(), r#"{"percent":50}"#);
}

/// Records that move what of these must survive.
pub(in crate::record::entry) fn any_body() -> impl Strategy<Value = Body> {
    let incident = (0..3u8, any::<u32>(), 0..3usize, 0.0f64..100.0, any::<u64>()).prop_map(
        |(area, number, step, sum, us)| {
            let mut change = incident_record();
            change.step = IncidentStep::ALL[step];
            change.incident = Incident { area: format!("a{area}"), number, ..change.incident };
            change.incident.lasted = Span::from_us(us);
            change.incident.points[0].sum = sum;
            change.peaks = vec![("p1:trip".to_owned(), sum)];
            Body::Incident(change)
        },
    );
    let grade = (0..3u8, prop::sample::select(Colour::ALL.as_slice())).prop_map(|(area, colour)| {
        let grade = Grade { colour, why: vec![] };
        Body::Grade(GradeChange { area: format!("a{area}"), grade, ..grade_record() })
    });
    let permit = (0..3u8, 0..3usize, 1..100u8, any::<bool>(), 0.0f64..3.0).prop_map(
        |(place, step, percent, by_percent, set)| {
            let mut change = permit_record();
            change.permit.place = format!("a{place}");
            change.permit.tighten = match by_percent {
                true => Tightening::Percent(percent),
                false => Tightening::SetPoints(SetPoints {
                    warning: Some(set),
                    trip: Some(set),
                    low_alarm: Some(set),
                    ..SetPoints::default()
                }),
            };
            change.step = PermitStep::ALL[step];
            Body::Permit(change)
        },
    );
    prop_oneof![incident, grade, permit]
}

#[test]
fn what_an_older_davy_wrote_reads_as_nothing_of_these() {
    let mut standing = Standing::default();
    standing.apply(&Record { at: Now::default(), body: Body::Grade(grade_record()) });
    read_standing(&json!({ "alarms": {}, "trips": {} }), &mut standing);
    assert_eq!(standing, Standing::default());
    assert_eq!(standing_apply(&mut standing, "incident", &json!({ "step": "opened" })), None);
    assert_eq!(standing, Standing::default(), "a body that can't be read changes nothing");
}
