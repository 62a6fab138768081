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
    let groups = 1;
    assert_eq!(
        titles,
        plan.areas.len()
            + plan.points.len()
            + plan.devices.len()
            + plan.elements.len()
            + plan.trips.len()
            + groups
    );
}

#[test]
fn an_area_says_its_kind_its_risk_its_colours_its_incidents_and_the_way_of_its_air() {
    let site = site(&[("[[gas]]", "[grades]\norange_after_min = 5\nred_areas = 0\n\n[[gas]]")]);
    let page = of(&site, "face");
    halves(&page);
    for said in [
        "An area of the kind cn-coal-face",
        "Its inherent risk is blue",
        "a combustible gas at or above 3.00 %vol",
        "a gas at or beyond its trip for more than 30 min",
        "a gas at or beyond its alarm for more than 5 min",
        "2 of its points at or beyond their alarms at once",
        "opens at the first of face.t0:alarm, face.t1:alarm, face.t2:alarm",
        "seen live: face.section, face.return",
        "The air that passes face.t1 passes face.t2 next, and fresh air joins",
        "trips: face-cut",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("areas at once"), "the site turned that off: {page}");
    assert!(
        of(&site, "bottle-room").contains("bottle-room.lpg-1 and bottle-room.lpg-2 measure the same air")
    );
}

#[test]
fn a_group_says_how_it_votes_what_a_bypass_makes_of_it_and_which_trips_count_it() {
    let site = site(&[]);
    let page = of(&site, "heading-gas");
    halves(&page);
    for said in [
        "One vote when 1oo2 [heading.t1:lock, heading.t2:lock]",
        "a device's fault locks nothing",
        "Cause heading.t1:lock: at or above 3.01 %vol; gone below 1.50 %vol",
        "heading-gas: a member that is bypassed or calibrated counts as not true, and 1 of the others must still be",
        "heading.t1 (methane): heading.t2",
        "Counted by heading-fan-lock (gas lock of the local fan)",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
}

#[test]
fn a_trip_says_what_a_bypass_makes_of_its_vote_who_guards_and_asks_for_each_value_once() {
    let three = [("vote = \"1oo3\"", "vote = \"2oo3\"")];
    let face = of(&site(&three), "face-cut");
    assert!(
        face.contains(
            "face-cut: its heads stand in for one another; with one bypassed or calibrated 2oo3 becomes 1oo2"
        ),
        "{face}"
    );
    assert!(face.contains("face.t0 (methane): face.t1 or face.t2"), "{face}");
    assert!(face.contains("(after a start: once the start hold of 1 min is over)"), "{face}");
    assert!(face.contains("No reset while something that it cuts is seen live"), "{face}");
    let lock = of(&site(&[]), "heading-fan-lock");
    assert!(
        lock.contains("heading-fan-lock: a member that is bypassed or calibrated counts as not true"),
        "{lock}"
    );
    let boiler = of(&site(&[]), "boiler-shutoff");
    assert!(boiler.contains("boiler-house.co (carbon-monoxide): there is none"), "{boiler}");
    let heading = of(&site(&[]), "heading-cut");
    let reset = heading.lines().find(|line| line.contains("Reset by a person")).unwrap();
    assert_eq!(reset.matches("heading.t1 below 1.00 %vol").count(), 1, "{reset}");
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

#[test]
fn signs_permissives_bypasses_holds_escalation_permits_and_incidents_are_said() {
    let planned = "[[permit]]\nplace = \"face\"\nkind = \"hot-work\"\nfrom = \"2026-11-24T08:00:00Z\"\n\
                   until = \"2026-11-24T12:00:00Z\"\nby = \"Wang\"\npercent = 50\n\n[alarms]\nescalate_s = 120\n\n[[gas]]";
    let site = site(&[("[[gas]]", planned)]);
    let point = of(&site, "face.t1");
    halves(&point);
    for said in [
        "Not acknowledged for 2 min: one colour worse",
        "Planned: hot work at face, 2026-11-24T08:00:00.000Z to 2026-11-24T12:00:00.000Z, --percent 50 (Wang)",
        "face.t1:alarm opens an overlimit incident of face",
        "frozen: the value stands still for too long (frozen_min_s 86400, frozen_factor 3, frozen_changes 20)",
        "gap-on-rise: it goes away while it is high or rising (gap_of_alarm 0.7",
        "Its neighbours in the air: face.t2",
    ] {
        assert!(point.contains(said), "{said}: {point}");
    }
    assert!(point.contains("fold-back:"), "its head is catalytic: {point}");
    let other = of(&site, "face.t2");
    assert!(!other.contains("fold-back:"), "nothing says that its head is catalytic: {other}");
    let trip = of(&site, "heading-cut");
    halves(&trip);
    for said in [
        "Permissive heading.t1:alarm: at or above 1.00 %vol",
        "Bypass: two persons, one cause at a time, 30 min unless said, 8 h at most",
        "After a start no reset is taken for 1 min",
        "No reset while a point of it is over its range",
    ] {
        assert!(trip.contains(said), "{said}: {trip}");
    }
    assert!(of(&site, "heading.t1").contains("heading.t1:alarm is a permissive of heading-cut"));
    let lock = of(&site, "heading-fan-lock");
    assert!(lock.contains("heading.t1 below 1.50 %vol") && !lock.contains("heading.fan reads"), "{lock}");
    assert!(
        of(&site, "face.section").contains("feed-still: the feed contact never moves (feed_still_days 30)")
    );
}

#[test]
fn what_the_site_file_forbids_or_leaves_out_is_said() {
    let never = site(&[
        ("id = \"face-cut\"", "id = \"face-cut\"\nbypass = \"never\""),
        ("id = \"face.t1\"", "id = \"face.t1\"\nsigns = { off = [\"frozen\"] }"),
    ]);
    assert!(of(&never, "face-cut").contains("None of its causes may be bypassed"));
    let point = of(&never, "face.t1");
    assert!(
        point.contains("Not looked for, by the site file: frozen") && !point.contains("frozen: "),
        "{point}"
    );
    assert!(of(&never, "boiler-house.co").contains("No neighbour is stated"));
}
