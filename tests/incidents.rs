//! Overlimit incidents: what one tells, what belongs to it, what it survives; and its figures against a second account.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds no incident fails"
)]

#[path = "common/desk.rs"]
mod desk;

use davy::model::command::{Reply, Verb};
use davy::model::incident::{ActionWhat, Incident, IncidentChange, IncidentStep};
use davy::model::line::LineFault;
use davy::model::plan::Plan;
use davy::model::record::Body;
use davy::model::time::{Span, Wall};
use davy::safety::Input;
use desk::{Desk, NOON};
use proptest::prelude::*;
use std::sync::Arc;

fn told(desk: &Desk) -> Vec<&IncidentChange> {
    let incidents = desk.records.iter().filter_map(|record| match &record.body {
        Body::Incident(change) => Some(change),
        _ => None,
    });
    incidents.collect()
}

fn steps(desk: &Desk) -> Vec<(&str, u32, IncidentStep)> {
    told(desk).iter().map(|c| (c.incident.area.as_str(), c.incident.number, c.step)).collect()
}

fn open(desk: &Desk) -> Incident {
    desk.site.view(desk.now).incidents.first().cloned().unwrap()
}

fn secs(s: u64) -> Span {
    Span::from_secs(s)
}

fn acknowledge_and_reset(desk: &mut Desk) {
    desk.ack_all();
    let reply = desk.order("li", Verb::Reset { target: "face-cut".to_owned() });
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
}

#[test]
fn an_incident_tells_peak_time_mean_area_actions_people_and_whether_production_went_on() {
    let mut desk = Desk::new(&[]);
    desk.reads("face.t1", 1.2);
    desk.pass(secs(30));
    desk.reads("face.t1", 1.6);
    desk.pass(Span::from_ms(1_200));
    desk.reads("face.section.live", 0.0);
    desk.reads("face.return.live", 0.0);
    desk.pass(Span::from_ms(28_800));
    desk.reads("face.t1", 0.4);
    desk.pass(secs(10));
    acknowledge_and_reset(&mut desk);
    desk.pass(secs(1));

    let changes = told(&desk);
    let closed = changes.last().unwrap();
    assert_eq!((changes[0].step, closed.step), (IncidentStep::Opened, IncidentStep::Closed));
    let incident = &closed.incident;
    assert_eq!((incident.area.as_str(), incident.number), ("face", 1));
    assert_eq!((incident.began, incident.over), (Wall::from_ms(NOON), secs(60)));
    assert_eq!(incident.live, Span::from_ms(31_200), "until the feed sensors said dead");
    let point = incident.worst().unwrap();
    assert_eq!((point.point.as_str(), point.peak, point.set_point), ("face.t1", 1.6, 1.0));
    assert_eq!(point.peak_at, Wall::from_ms(NOON + 30_000));
    assert!((point.mean().unwrap() - 1.4).abs() < 1e-9, "half a minute of 1.2, half a minute of 1.6");
    assert!((point.beyond - (0.1 + 0.3)).abs() < 1e-9, "0.2 and 0.6 above, half a minute each");
    let actions: Vec<_> = incident.actions.iter().map(|a| (a.tag.as_str(), a.what, a.after.ms())).collect();
    for expected in [
        ("face-cut", ActionWhat::Tripped, 30_000),
        ("face.section", ActionWhat::Demanded, 30_000),
        ("face.section", ActionWhat::Confirmed, 31_200),
        ("face.return", ActionWhat::Confirmed, 31_200),
        ("face-cut", ActionWhat::Reset, 70_000),
    ] {
        assert!(actions.contains(&expected), "{expected:?} is not among {actions:?}");
    }
    let acknowledged = &incident.acknowledgements;
    assert!(acknowledged.iter().any(|a| a.key == "face.t1:trip" && a.who.name == "li"));
    assert!(acknowledged.iter().all(|a| a.after == secs(70)));
}

#[test]
fn a_cut_that_is_seen_live_is_not_reset_unless_davy_only_observes() {
    for (outputs, taken) in [("act", false), ("observe", true)] {
        let wanted = format!("outputs = \"{outputs}\"");
        let mut desk = Desk::new(&[("outputs = \"act\"", &wanted)]);
        desk.reads("face.section.live", 1.0);
        desk.reads("face.return.live", 0.0);
        desk.reads("face.t1", 1.6);
        desk.pass(secs(90));
        for point in ["face.t0", "face.t1", "face.t2"] {
            desk.reads(point, 0.0);
        }
        desk.pass(secs(10));
        desk.ack_all();
        match desk.order("li", Verb::Reset { target: "face-cut".to_owned() }) {
            Reply::Done(_) => assert!(taken, "the feed is live although Davy has cut it"),
            Reply::Refused(why) => {
                assert!(!taken, "{why:?}");
                assert_eq!(
                    why[0].en.as_ref(),
                    "face.section: cut, and its feed is seen live; cut it on site"
                );
            }
        }
    }
}

#[test]
fn all_that_crosses_in_an_area_is_one_incident_and_another_area_has_its_own() {
    let mut desk = Desk::new(&[]);
    desk.reads("face.t1", 1.2);
    desk.pass(secs(5));
    desk.reads("face.t0", 1.1);
    desk.reads("heading.t1", 1.3);
    desk.pass(secs(5));
    desk.reads("face.t0", 0.2);
    desk.reads("face.t1", 0.2);
    desk.pass(secs(5));
    desk.ack_all();
    for key in ["face.t1:alarm", "face.t0:alarm"] {
        assert_eq!(steps(&desk).iter().filter(|s| s.2 == IncidentStep::Closed).count(), 0, "{key} is held");
        assert!(matches!(desk.order("li", Verb::Reset { target: key.to_owned() }), Reply::Done(_)));
    }
    let closed = told(&desk).last().unwrap().incident.clone();
    let points: Vec<_> = closed.points.iter().map(|p| (p.point.as_str(), p.after, p.over)).collect();
    assert_eq!(points, [("face.t1", secs(0), secs(10)), ("face.t0", secs(5), secs(5))]);
    assert_eq!(open(&desk).area, "heading");
    desk.reads("face.t1", 1.2);
    assert!(steps(&desk).contains(&("face", 2, IncidentStep::Opened)), "{:?}", steps(&desk));
}

#[test]
fn what_is_not_known_is_neither_over_nor_under() {
    let mut desk = Desk::new(&[]);
    desk.reads("face.t1", 1.2);
    desk.pass(secs(9));
    let device = desk.plan.points[desk.point("face.t1")].device;
    for _ in 0..2 {
        desk.input(Input::NoAnswer { device, fault: LineFault::NoReply });
    }
    desk.pass(secs(5));
    desk.reads("face.t1", 1.2);
    desk.pass(secs(1));
    let incident = open(&desk);
    assert_eq!((incident.lasted, incident.over), (secs(15), secs(10)));
    assert_eq!((incident.points[0].over, incident.points[0].unseen), (secs(10), secs(5)));
}

#[test]
fn while_it_is_open_it_is_told_at_each_action_and_peak_as_its_time_grows_and_hardly_when_nothing_changes() {
    let mut desk = Desk::new(&[]);
    desk.reads("face.t1", 1.2);
    desk.pass(secs(30));
    desk.reads("face.t1", 1.6);
    let last = |desk: &Desk| told(desk).last().unwrap().incident.clone();
    assert_eq!((last(&desk).at, last(&desk).points[0].peak), (desk.now.wall, 1.6), "the trip and the peak");
    let trip = told(&desk).len();
    assert!(trip <= 25, "once a second in the first ten, and then by a tenth: {trip}");
    desk.pass(secs(900));
    assert!(told(&desk).len() - trip <= 45, "{}", told(&desk).len() - trip);
    assert!(open(&desk).over <= last(&desk).over + secs(60));
    desk.reads("face.t1", 1.7);
    desk.pass(secs(1));
    assert_eq!(last(&desk).points[0].peak, 1.7, "a peak is on record within a second");
    desk.reads("face.t1", 0.0);
    desk.pass(secs(1));
    assert_eq!(last(&desk).over, open(&desk).over, "and so is the end of the gas");
    desk.pass(secs(120));
    let so_far = told(&desk).len();
    desk.pass(secs(590 - 120));
    assert_eq!(told(&desk).len(), so_far, "held, and waiting for a person");
    desk.pass(secs(10));
    assert_eq!(
        told(&desk).len(),
        so_far + 1,
        "once in ten minutes, so that a restart knows what was watched"
    );
    assert!(told(&desk).iter().skip(1).all(|c| c.step == IncidentStep::Updated));
}

#[test]
fn it_goes_on_over_a_restart_with_its_number_its_sums_and_the_peaks_of_its_alarms() {
    let mut desk = Desk::new(&[]);
    desk.reads("face.t1", 1.2);
    desk.reads("face.t1", 1.9);
    desk.reads("face.t1", 1.4);
    desk.pass(secs(61));
    let peak = |desk: &Desk| desk.site.view(desk.now).alarms[desk.alarm("face.t1:alarm")].peak;
    assert_eq!(peak(&desk), Some(1.9));
    let before = open(&desk);
    desk.restart(secs(120));
    assert_eq!(peak(&desk), Some(1.9));
    desk.reads("face.t1", 1.4);
    desk.pass(secs(10));
    let after = open(&desk);
    assert_eq!((after.number, after.began), (1, before.began));
    assert_eq!(after.points[0].peak, 1.9);
    assert!(before.over + secs(10) <= after.over + secs(6), "a tenth of it may be lost, and no more");
    assert_eq!(
        after.points[0].unseen + after.over,
        after.lasted,
        "what is lost is unseen, and so is the gap"
    );
    assert_eq!(after.lasted, secs(61 + 120 + 10));
    assert_eq!(steps(&desk).iter().filter(|s| s.2 == IncidentStep::Opened).count(), 1);
    desk.reload();
    desk.pass(secs(5));
    assert_eq!(open(&desk).over, after.over + secs(5));
}

#[test]
fn a_crossing_too_short_for_an_alarm_is_no_incident_and_a_delayed_alarm_counts_from_the_crossing() {
    let delayed = "id = \"face.t1\"\non_delay_s = 2";
    let mut desk = Desk::new(&[("id = \"face.t1\"", delayed)]);
    desk.reads("face.t1", 1.2);
    desk.pass(secs(1));
    desk.reads("face.t1", 0.2);
    desk.pass(secs(1));
    assert_eq!(steps(&desk), []);
    desk.reads("face.t1", 1.2);
    desk.pass(secs(3));
    assert_eq!(open(&desk).over, secs(3));
    assert_eq!(open(&desk).began, Wall::from_ms(NOON + 2_000));
}

#[test]
fn too_little_is_over_the_limit_too() {
    let low = "unit = \"ppm\", low_alarm = 10, warning = 24,";
    let mut desk = Desk::new(&[("unit = \"ppm\", warning = 24,", low)]);
    desk.reads("boiler-house.co", 8.0);
    desk.pass(secs(30));
    desk.reads("boiler-house.co", 4.0);
    desk.pass(secs(30));
    desk.reads("boiler-house.co", 11.0);
    desk.pass(secs(30));
    let incident = open(&desk);
    let point = incident.worst().unwrap();
    assert_eq!((point.low, point.set_point, point.peak), (true, 10.0, 0.0), "the first reading was nought");
    assert_eq!(point.over, secs(60));
    assert!((point.mean().unwrap() - 6.0).abs() < 1e-9);
    assert!((point.beyond - (2.0 + 6.0) / 2.0).abs() < 1e-9);
}

#[test]
fn what_a_new_site_file_takes_away_is_over_and_what_it_moves_counts_no_further() {
    let mut desk = Desk::new(&[]);
    desk.reads("face.t1", 1.2);
    desk.pass(secs(10));
    let mut moved = Plan::clone(&desk.plan);
    let (point, heading) =
        (desk.point("face.t1"), moved.areas.find(|a| a.tag.as_str() == "heading").unwrap());
    moved.points[point].area = heading;
    for alarm in moved.points[point].alarms.clone() {
        moved.alarms[alarm].area = heading;
    }
    desk.plan = Arc::new(moved);
    desk.reload();
    desk.pass(secs(10));
    let closed: Vec<_> = told(&desk).into_iter().filter(|c| c.step == IncidentStep::Closed).collect();
    assert_eq!((closed[0].incident.area.as_str(), closed[0].incident.over), ("face", secs(10)));
    assert_eq!((open(&desk).area.as_str(), open(&desk).over), ("heading", secs(10)));
    desk.plan = Arc::new(Plan::default());
    desk.reload();
    assert_eq!(steps(&desk).last(), Some(&("heading", 1, IncidentStep::Closed)));
    assert_eq!(desk.site.view(desk.now).incidents, []);
}

const POINTS: [&str; 2] = ["face.t0", "face.t1"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn its_figures_are_those_of_a_second_account(
        steps in prop::collection::vec(
            (0..2usize, 0..250u32, 1..40u64, any::<bool>(), prop::bool::weighted(0.1)), 1..20
        )
    ) {
        let mut desk = Desk::new(&[]);
        let (mut values, mut live) = ([0.0; 2], true);
        let (mut over, mut sum, mut beyond, mut peak) = ([0u64; 2], [0.0; 2], [0.0; 2], [0.0f64; 2]);
        let (mut any_over, mut live_over, mut began) = (0u64, 0u64, None);
        for (n, hundredths, tenths, is_live, reload) in steps {
            values[n] = f64::from(hundredths) / 100.0;
            desk.reads(POINTS[n], values[n]);
            live = if live != is_live {
                desk.reads("face.section.live", f64::from(u8::from(is_live)));
                desk.reads("face.return.live", f64::from(u8::from(is_live)));
                is_live
            } else {
                live
            };
            if reload {
                desk.reload();
            }
            if began.is_none() && values.iter().any(|v| *v >= 1.0) {
                began = Some(desk.now.wall);
            }
            desk.pass(Span::from_ms(tenths * 100));
            for n in [0, 1].into_iter().filter(|n| values[*n] >= 1.0) {
                let minutes = f64::from(u32::try_from(tenths).unwrap()) / 600.0;
                over[n] += tenths * 100;
                sum[n] += values[n] * minutes;
                beyond[n] += (values[n] - 1.0) * minutes;
                peak[n] = peak[n].max(values[n]);
            }
            if values.iter().any(|v| *v >= 1.0) {
                any_over += tenths * 100;
                live_over += if live { tenths * 100 } else { 0 };
            }
            // No area is ever better than its worst alarm, or than its risk.
            let view = desk.site.view(desk.now);
            for (id, alarm) in desk.plan.alarms.iter() {
                let stands = !matches!(view.alarms[id].state, davy::model::alarm::AlarmState::Normal);
                prop_assert!(!stands || view.grades[alarm.area].colour <= alarm.colour);
            }
            for (id, area) in desk.plan.areas.iter() {
                prop_assert!(view.grades[id].colour <= area.risk);
            }
        }
        let found = desk.site.view(desk.now).incidents.first().cloned();
        prop_assert_eq!(found.as_ref().map(|i| i.began), began);
        let Some(incident) = found else { return Ok(()) };
        prop_assert_eq!((incident.over.ms(), incident.live.ms()), (any_over, live_over));
        for n in 0..2 {
            let Some(point) = incident.points.iter().find(|p| p.point == POINTS[n]) else {
                prop_assert_eq!(over[n], 0);
                continue;
            };
            prop_assert_eq!((point.over.ms(), point.peak), (over[n], peak[n]));
            prop_assert!((point.sum - sum[n]).abs() < 1e-9 && (point.beyond - beyond[n]).abs() < 1e-9);
        }
    }
}
