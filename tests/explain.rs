//! `davy check --explain`: every rule of the demo's site in words, in both languages, and nothing left out.

#![allow(clippy::unwrap_used, reason = "a test that finds no demo site fails")]

use davy::config::{self, Compiled, Extras, Source};
use davy::model::alarm::Condition;
use davy::model::plan::Subject;
use davy::views::explain::{ALL, explain};

fn site(changes: &[(&str, &str)]) -> Compiled {
    let mut text = include_str!("../config/demo.toml").to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    config::compile(&Source { name: "demo.toml".to_owned(), text }, &Extras::default()).unwrap()
}

fn of(site: &Compiled, target: &str) -> String {
    explain(&site.plan, &site.origins, target).unwrap()
}

/// Both languages: the Chinese block, a blank line, the English block, with as many statements.
fn halves(page: &str) -> (Vec<&str>, Vec<&str>) {
    let (zh, en) = page.split_once("\n\n").unwrap();
    let statements = |half: &'_ str| half.lines().filter(|l| l.starts_with("  - ")).count();
    assert_eq!(statements(zh), statements(en), "{page}");
    (zh.lines().collect(), en.lines().collect())
}

#[test]
fn every_point_device_element_and_trip_of_the_demo_is_explained_with_all_its_alarms() {
    let site = site(&[]);
    let plan = &site.plan;
    for (id, point) in plan.points.iter() {
        let page = of(&site, point.tag.as_str());
        let (zh, en) = halves(&page);
        let device = &plan.devices[point.device];
        for half in [&zh, &en] {
            let half = half.join("\n");
            assert!(half.contains(device.tag.as_str()), "{page}");
            for alarm in point.alarms.iter().map(|a| &plan.alarms[*a]) {
                assert!(half.contains(&format!("{} [", alarm.key)), "{page}");
                let limits = alarm.limit.filter(|_| !matches!(alarm.condition, Condition::Contact(_)));
                for value in limits.iter().flat_map(|limit| [limit.set, limit.reset]) {
                    let decimals = usize::from(point.decimals);
                    assert!(half.contains(&format!("{value:.decimals$} {}", point.unit)), "{page}");
                }
            }
            for trip in plan.trips.values() {
                let votes = trip.causes.iter().any(|c| plan.alarms[*c].subject == Subject::Point(id));
                assert_eq!(half.contains(trip.tag.as_str()), votes, "{}: {page}", trip.tag);
                if votes {
                    let effects = trip.effects.iter().map(|e| plan.elements[*e].tag.as_str());
                    effects.for_each(|effect| assert!(half.contains(effect), "{page}"));
                }
            }
        }
    }
    for device in plan.devices.values() {
        let page = of(&site, device.tag.as_str());
        halves(&page);
        assert!(page.contains(&plan.alarms[device.comm_alarm].key), "{page}");
    }
    for element in plan.elements.values() {
        let page = of(&site, element.tag.as_str());
        halves(&page);
        assert!(page.contains(&plan.alarms[element.not_confirmed].key), "{page}");
    }
    for trip in plan.trips.values() {
        let page = of(&site, trip.tag.as_str());
        halves(&page);
        trip.causes.iter().for_each(|cause| assert!(page.contains(&plan.alarms[*cause].key), "{page}"));
    }
}

#[test]
fn all_is_every_page_once() {
    let site = site(&[]);
    let all = of(&site, ALL);
    let titles = all.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).count();
    let plan = &site.plan;
    assert_eq!(titles, plan.points.len() + plan.devices.len() + plan.elements.len() + plan.trips.len());
}

#[test]
fn a_set_point_says_whose_it_is_and_who_checked_it() {
    let page = of(&site(&[]), "face.t1");
    assert!(page.contains("Set-point: AQ 1029 table 1"), "{page}");
    let own = of(&site(&[]), "boiler-house.co");
    assert!(own.contains("the site file's own (the standard: CJJ/T 146-2011"), "{own}");
    assert!(own.contains("nobody has checked it"), "{own}");
    let lax = "place = \"T1\"\nset_points = { unit = \"%vol\", alarm = 1.2 }\n\
               approved = { by = \"Wang Wei\", reason = \"procedure 17\" }";
    let laxer = of(&site(&[("place = \"T1\"", lax)]), "face.t1");
    assert!(laxer.contains("Laxer, approved by Wang Wei: procedure 17"), "{laxer}");
    let duct = of(&site(&[]), "heading.duct");
    assert!(duct.contains("no standard says one here"), "{duct}");
}

#[test]
fn what_is_not_covered_is_said() {
    let page = of(&site(&[]), "face.t1");
    assert!(page.contains("Only told, no trip counts them: face.t1:sensor-fault, face.t1:warning"), "{page}");
    assert!(page.contains("Not watched: how fast it rises, a forecast"), "{page}");
    let watched =
        of(&site(&[("place = \"T1\"", "place = \"T1\"\nrise_per_min = 0.1\nforecast_min = 5")]), "face.t1");
    assert!(watched.contains("rises by 0.1 %vol a minute or more, taken over 1 min"), "{watched}");
    assert!(watched.contains("Not watched: another point that measures the same"), "{watched}");
}

#[test]
fn an_alarm_is_explained_with_its_subject_and_an_unknown_name_is_answered_with_the_known_ones() {
    let site = site(&[]);
    assert_eq!(of(&site, "face.t1:trip"), of(&site, "face.t1"));
    assert_eq!(of(&site, "face.section:not-confirmed"), of(&site, "face.section"));
    let why = explain(&site.plan, &site.origins, "nobody").unwrap_err();
    assert!(why.contains("`nobody`") && why.contains("face.t1") && why.contains("heading-cut"), "{why}");
}
