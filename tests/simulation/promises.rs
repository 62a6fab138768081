//! The promises, each a function that says how it is broken. They are checked after every input or every step, by the
//! second account and by the journal.

use crate::account::{Account, TICK};
use crate::uplink::Uplink;
use crate::world::kept::Journal;
use davy::model::alarm::{AlarmCause, Condition};
use davy::model::element::{Demand, ElementKind, Mode};
use davy::model::plan::{Plan, Subject};
use davy::model::point::{Doubt, Quality};
use davy::model::record::{AlarmChange, BypassStanding, Standing, TripChange};
use davy::model::sign::Sign;
use davy::model::table::{AlarmId, Row};
use davy::model::time::{Now, Span};
use davy::model::view::View;
use davy::record::outbox::{EVENTS_WINDOW, EXTRAS_MAX, PACKETS_MAX, TELEMETRY_WINDOW};
use davy::safety::{Effects, Site};
use std::collections::BTreeMap;

/// How a promise is broken.
pub(crate) type Broken = Result<(), String>;

fn hold(holds: bool, else_: impl FnOnce() -> String) -> Broken {
    if holds { Ok(()) } else { Err(else_()) }
}

/// S1: a trip whose causes were in breach for longer than their delays, or not known for longer than is borne, in
/// number enough for its vote, has tripped, and what it acts on is under demand, by the next tick.
pub(crate) fn s1_what_is_in_breach_is_under_demand(
    site: &Site,
    plan: &Plan,
    account: &Account,
    now: Now,
) -> Broken {
    let demands = site.demands();
    for (_, trip) in plan.trips.iter().filter(|(id, _)| account.must_trip(*id, now.mono)) {
        for effect in &trip.effects {
            let tag = &plan.elements[*effect].tag;
            hold(demands.get(effect.to_usize()) == Some(&Demand::Trip), || {
                format!("{}: its causes count, and {tag} is not demanded", trip.tag)
            })?;
        }
    }
    Ok(())
}

/// S1 for people: what was in breach for longer than its delay is in alarm by the next tick, set aside or not.
pub(crate) fn s1_what_is_in_breach_is_in_alarm(account: &Account, now: Now) -> Broken {
    let missing = account.not_in_alarm(now.mono);
    missing
        .map_or(Ok(()), |key| Err(format!("{key} is in breach for longer than its delay, and is no alarm")))
}

/// An alarm of a value has a reason: its value was in breach for the whole delay.
pub(crate) fn an_alarm_has_a_breach(
    plan: &Plan,
    account: &Account,
    change: &AlarmChange,
    now: Now,
) -> Broken {
    let occurred = change.cause == AlarmCause::Occurred;
    let Some(id) = plan.alarm(&change.key).filter(|_| occurred) else { return Ok(()) };
    let (delay, lasts) = (plan.alarms[id].on_delay, account.breach_for(id, now.mono));
    hold(lasts.is_none_or(|lasts| lasts.is_some_and(|span| span >= delay)), || {
        format!("{} occurred after a breach of {lasts:?}; its on-delay is {delay}", change.key)
    })
}

/// S2: an element is asked for its safe state or for nothing, and is asked exactly while a trip stands that acts on it,
/// while an alarm is escalated that it is the siren of, while it is tested, or since it was found tripped. Nobody can ask for "open".
pub(crate) fn s2_a_demand_has_a_reason_and_a_reason_has_its_demand(
    site: &Site,
    plan: &Plan,
    account: &Account,
) -> Broken {
    for ((id, element), demand) in plan.elements.iter().zip(site.demands()) {
        let mut acting = plan.trips.values().filter(|t| t.effects.contains(&id));
        let trips = acting.any(|t| account.tripped.contains(t.tag.as_str()));
        let sounds = plan.announcing.siren == Some(id) && !account.escalated.is_empty();
        let found = account.found.contains(&id) && element.mode == Mode::Act;
        let tested = account.testing.as_ref().is_some_and(|(subjects, _)| subjects.contains(&id));
        let wanted = trips || sounds || tested;
        hold(!wanted || demand == Demand::Trip, || {
            format!("{} is not demanded, and should be", element.tag)
        })?;
        hold(demand == Demand::None || wanted || found, || {
            format!("{} is demanded, and nobody knows why", element.tag)
        })?;
    }
    Ok(())
}

/// S3: a trip ends by a person's reset only, and only where every cause was proven safe for the whole hold, and
/// acknowledged.
pub(crate) fn s3_a_trip_ends_by_a_reset_with_all_conditions_met(
    change: &TripChange,
    against: Option<String>,
    is_reset: bool,
) -> Broken {
    if change.tripped {
        return Ok(());
    }
    hold(is_reset, || format!("{} ended without a reset", change.tag))?;
    against.map_or(Ok(()), |why| Err(format!("{} was reset: {why}", change.tag)))
}

/// A trip has a reason: causes enough for its vote are active, or have been bad for as long as is borne. A gateway that
/// starts before its devices trips nothing by that.
pub(crate) fn a_trip_has_causes_enough(
    change: &TripChange,
    plan: &Plan,
    account: &Account,
    now: Now,
) -> Broken {
    let Some(id) = plan.trip(&change.tag).filter(|_| change.tripped) else { return Ok(()) };
    let Some((most, votes)) = account.votes_at_most(id, now.mono) else { return Ok(()) };
    hold(most >= votes, || {
        format!("{} tripped with {most} causes where {votes} are needed: {:?}", change.tag, change.causes)
    })
}

/// S4: an alarm returns to normal only where every reading of its whole off-delay was good and safe. What is not known
/// is not clear.
pub(crate) fn s4_what_is_not_known_is_not_clear(
    plan: &Plan,
    account: &Account,
    change: &AlarmChange,
    now: Now,
) -> Broken {
    let Some(id) = plan.alarm(&change.key).filter(|_| change.cause == AlarmCause::Cleared) else {
        return Ok(());
    };
    let Some(safe_for) = account.safe_for(id, now.mono) else { return Ok(()) };
    let delay = plan.alarms[id].off_delay;
    hold(safe_for.is_some_and(|span| span >= delay), || {
        format!("{} cleared after {safe_for:?} of safety; its off-delay is {delay}", change.key)
    })
}

/// S5: what is shelved is announced again by its expiry, whatever happened to clock and power.
pub(crate) fn s5_every_shelf_ends_by_its_expiry(account: &Account, now: Now) -> Broken {
    for (key, until) in &account.shelved {
        hold(now.mono <= *until + TICK, || format!("{key} is shelved beyond its time"))?;
    }
    Ok(())
}

/// S5: a bypass ends by its expiry, is alarmed as long as it lasts, and takes one voter of a trip out at a time: no other
/// beside it is bypassed or calibrated.
pub(crate) fn s5_every_bypass_is_alarmed_and_ends_by_its_expiry(
    account: &Account,
    plan: &Plan,
    now: Now,
) -> Broken {
    for (key, until) in &account.bypassed {
        hold(now.mono <= *until + TICK, || format!("{key} is bypassed beyond its time"))?;
        let tells = plan.alarm(key).and_then(|id| plan.bypassable.get(&id));
        let told = tells.is_some_and(|b| {
            account.under.get(&plan.alarms[b.alarm].key).is_some_and(|under| under.is_active())
        });
        hold(told, || format!("{key} is bypassed and nobody is told"))?;
    }
    Ok(())
}

/// Never are two voters of one trip out of its vote at once, by bypasses or by calibrations. A new file may put two into
/// one trip that were in two.
pub(crate) fn never_two_voters_of_a_trip_are_out(account: &Account, plan: &Plan, now: Now) -> Broken {
    for trip in plan.trips.values() {
        let out = account.out_of(trip, now.mono);
        hold(out.len() <= 1, || {
            format!("{}: {out:?} are out of its vote at once ({:?})", trip.tag, account.calibrating)
        })?;
    }
    Ok(())
}

/// S5: a permit ends by its expiry, and so does what a calibration excuses.
pub(crate) fn s5_every_permit_ends_by_its_expiry(account: &Account, now: Now) -> Broken {
    for (key, (_, until)) in &account.permits {
        hold(now.mono <= *until + TICK, || format!("the permit {key} is in force beyond its time"))?;
    }
    Ok(())
}

/// S5: what is measured while a calibration goes on by order is marked, and no longer than was planned: after that a good
/// reading is a good reading.
pub(crate) fn s5_every_calibration_ends_by_its_expiry(account: &Account, view: &View, plan: &Plan) -> Broken {
    let second = Span::from_ms(1_200);
    for (id, point) in plan.points.iter() {
        let (shown, told) = (view.points[id], account.told[id]);
        let tag = point.tag.as_str();
        let until = account.calibrating.get(tag).or_else(|| account.calibrated.get(tag)).copied();
        let Some(told) = told.filter(|told| told.quality == Quality::Good && shown.at == told.at) else {
            continue;
        };
        let marked = shown.quality == Quality::Uncertain(Doubt::Calibrating);
        hold(!marked || until.is_some_and(|until| told.at < until + second), || {
            format!("{} is marked as being calibrated beyond its time", point.tag)
        })?;
    }
    Ok(())
}

/// A proof test ends in its time, and at once where a real demand comes for what it tests; that demand stands.
pub(crate) fn a_test_gives_way_to_a_real_demand(account: &Account, plan: &Plan, now: Now) -> Broken {
    let Some((subjects, until)) = &account.testing else { return Ok(()) };
    hold(now.mono <= *until + TICK, || "a test goes on beyond its time".to_owned())?;
    let trips = plan.trips.values().filter(|t| account.tripped.contains(t.tag.as_str()));
    let taken = trips.flat_map(|t| t.effects.iter()).find(|e| subjects.contains(e));
    hold(taken.is_none(), || format!("the test of {subjects:?} goes on under a real demand"))
}

/// A gateway that has just started lets nothing go.
pub(crate) fn nothing_is_reset_in_the_start_hold(account: &Account, plan: &Plan, now: Now) -> Broken {
    let since = now.mono.since(account.started);
    hold(since >= plan.start_hold, || format!("a reset was taken {since} after the start"))
}

/// S6: every change of state has exactly one record, in order: what the records fold to is what the judge holds, and
/// what people see of it. (The chain itself is checked where the journal is flushed.)
pub(crate) fn s6_the_records_say_what_the_judge_holds(
    folded: &Standing,
    site: &Site,
    view: &View,
    plan: &Plan,
) -> Broken {
    let held = site.standing();
    for (key, alarm) in &held.alarms {
        let told = folded.alarms.get(key);
        hold(told == Some(alarm), || format!("{key}: the judge holds {alarm:?}, the records say {told:?}"))?;
    }
    hold(held.trips.iter().all(|(tag, trip)| folded.trips.get(tag) == Some(trip)), || {
        format!("the judge holds {:?}, the records say {:?}", held.trips, folded.trips)
    })?;
    hold(held.bypasses == known(&folded.bypasses, plan), || {
        format!("the judge holds {:?}, the records say {:?}", held.bypasses, folded.bypasses)
    })?;
    hold(held.bypassed == folded.bypassed, || {
        format!("the judge holds {:?}, the records say {:?}", held.bypassed, folded.bypassed)
    })?;
    hold(held.permits == folded.permits, || {
        format!("the judge holds {:?}, the records say {:?}", held.permits, folded.permits)
    })?;
    hold(held.grades.iter().all(|(area, colour)| folded.grades.get(area) == Some(colour)), || {
        format!("the judge holds {:?}, the records say {:?}", held.grades, folded.grades)
    })?;
    hold(held.incidents.iter().all(|(area, was)| folded.incidents.get(area) == Some(was)), || {
        format!("the judge holds {:?}, the records say {:?}", held.incidents, folded.incidents)
    })?;
    hold(held.signs.keys().all(|sign| folded.signs.contains_key(sign)), || {
        format!("the judge holds {:?}, the records say {:?}", held.signs, folded.signs)
    })?;
    for (id, shown) in view.alarms.iter() {
        let told = folded.alarms.get(&plan.alarms[id].key);
        let state = told.map_or(Default::default(), |a| a.aside.as_ref().map_or(a.state, |a| a.how.state()));
        hold(shown.state == state, || {
            format!("{} is shown {:?} and told {state:?}", plan.alarms[id].key, shown.state)
        })?;
    }
    Ok(())
}

/// What the file still lets be bypassed: a power failure may take the record of what ended with another file.
fn known(bypasses: &BTreeMap<String, BypassStanding>, plan: &Plan) -> BTreeMap<String, BypassStanding> {
    let may = |key: &&String| plan.alarm(key).is_some_and(|id| plan.bypassable.contains_key(&id));
    let kept = bypasses.keys().filter(may);
    kept.map(|key| (key.clone(), bypasses[key].clone())).collect()
}

/// S7: nothing leaves the outbox before its acknowledgement: whatever the cursor has passed, the other side has.
pub(crate) fn s7_what_the_cursor_passed_has_arrived(uplink: &Uplink) -> Broken {
    let missing = (1..=uplink.cursor()).find(|seq| !uplink.has_arrived(*seq));
    missing.map_or(Ok(()), |seq| Err(format!("event {seq} was passed over and never arrived")))
}

/// S8: every queue is at or under its bound.
pub(crate) fn s8_every_queue_is_bounded(effects: &Effects, plan: &Plan, uplink: &Uplink) -> Broken {
    let open = EVENTS_WINDOW * PACKETS_MAX + TELEMETRY_WINDOW * PACKETS_MAX + EXTRAS_MAX;
    hold(uplink.open() <= open, || format!("{} packets are on their way", uplink.open()))?;
    // One input moves each alarm at most twice (suppressed and judged), each trip once, each element twice, each area's
    // incident and colour, and each sign of what is watched.
    let watched = Sign::ALL.len() * (plan.watched.points.len() + plan.watched.elements.len());
    let most = 3 * plan.alarms.len()
        + plan.trips.len()
        + 2 * plan.elements.len()
        + 4 * plan.areas.len()
        + watched
        + 8;
    hold(effects.records.len() <= most, || format!("{} records of one input", effects.records.len()))?;
    hold(effects.samples.len() <= 2 * plan.points.len(), || "more samples than points".to_owned())
}

/// S9: some minutes after the mischief has ended, and people have done what they are asked to, nothing stands: no trip,
/// no alarm, no trouble, and the outbox is empty.
pub(crate) fn s9_calm_returns(view: &View, plan: &Plan, uplink: &Uplink, recorded: u64) -> Broken {
    // A sign of false data stands for half an hour after it was last seen.
    let is_sign = |id: AlarmId| plan.alarms[id].condition == Condition::Anomaly;
    for (id, alarm) in view.alarms.iter().filter(|(id, _)| !is_sign(*id)) {
        hold(alarm.state == Default::default(), || {
            let subject = match plan.alarms[id].subject {
                Subject::Point(point) => format!("{:?}", view.points[point]),
                Subject::Device(device) => format!("{:?}", view.devices[device]),
                Subject::Element(element) => format!("{:?}", view.elements[element]),
            };
            format!("{} is still {:?}: {subject}", plan.alarms[id].key, alarm.state)
        })?;
    }
    for (id, trip) in view.trips.iter() {
        hold(!trip.tripped, || format!("{} is still tripped", plan.trips[id].tag))?;
        hold(!trip.holding, || format!("{} still waits for its inputs", plan.trips[id].tag))?;
    }
    for (id, element) in view.elements.iter() {
        hold(element.demand == Demand::None, || format!("{} is still demanded", plan.elements[id].tag))?;
    }
    hold(view.bypasses.is_empty(), || format!("still bypassed: {:?}", view.bypasses))?;
    hold(view.permits.is_empty(), || format!("still permitted: {:?}", view.permits))?;
    hold(view.testing.is_none(), || format!("still tested: {:?}", view.testing))?;
    hold(view.incidents.is_empty(), || format!("incidents still open: {:?}", view.incidents))?;
    // So does the sign that the clock was set.
    let mut troubles = view.troubles.iter().filter(|trouble| trouble.code != "clock-jumped");
    hold(troubles.next().is_none(), || format!("troubles still stand: {:?}", view.troubles))?;
    hold(uplink.cursor() == recorded, || format!("told up to {} of {recorded}", uplink.cursor()))
}

/// Each occurrence of an alarm begins once and ends at most once in the journal; only the last may still go on.
pub(crate) fn each_occurrence_begins_and_ends_once(journal: &Journal, standing: &Standing) -> Broken {
    let mut seen: BTreeMap<(String, u64), (u32, u32)> = BTreeMap::new();
    for entry in journal.entries.iter().filter(|e| e.kind == "alarm") {
        let text = |name: &str| entry.body.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        let n = entry.body.get("occurrence").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let count = seen.entry((text("key"), n)).or_default();
        match text("cause").as_str() {
            "occurred" => count.0 += 1,
            // What the file no longer has ends with it, if it had not ended before.
            "cleared" => count.1 += 1,
            "removed" if count.1 == 0 => count.1 += 1,
            _ => {}
        }
    }
    for ((key, n), (begun, ended)) in seen {
        let last = standing.alarms.get(&key);
        let goes_on = last.is_some_and(|a| u64::from(a.occurrence) == n && a.state.is_active());
        let wanted = (u32::from(n > 0), u32::from(n > 0 && !goes_on));
        // Occurrence 0 is what was set aside or removed before it ever occurred.
        hold((begun, ended) == wanted || n == 0, || {
            format!("{key} #{n} has {begun} beginnings and {ended} ends (goes on: {goes_on})")
        })?;
    }
    Ok(())
}

/// A trip that stood on disk when the power failed stands after the restart, with its elements under demand.
pub(crate) fn no_latched_trip_vanishes_over_a_restart(
    site: &Site,
    view: &View,
    plan: &Plan,
    standing: &Standing,
) -> Broken {
    for (id, trip) in plan.trips.iter() {
        let stood = standing.trips.get(trip.tag.as_str()).is_some_and(|t| t.tripped);
        hold(view.trips[id].tripped == stood, || format!("{} stood: {stood}, and now not so", trip.tag))?;
        let demands = site.demands();
        let demanded = trip.effects.iter().all(|e| demands.get(e.to_usize()) == Some(&Demand::Trip));
        hold(!stood || demanded, || format!("{} stands and demands nothing", trip.tag))?;
    }
    Ok(())
}

/// An element that is a siren of nothing else is never a valve: what kinds of element the demand concerns is the plan's.
pub(crate) fn is_siren(plan: &Plan, element: davy::model::table::ElementId) -> bool {
    plan.elements[element].kind == ElementKind::Siren
}
