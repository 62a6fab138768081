//! What permits make of set-points, by the rule and not by the judge: whole steps of the display, the safe side, no level
//! above the next one, and the lowest of all that run.

use davy::model::alarm::{Condition, Level};
use davy::model::permit::{Permit, Tightening};
use davy::model::plan::{Limit, Plan, Subject};
use davy::model::table::AlarmId;
use std::sync::Arc;

/// The plan with the set-points that are in force.
pub(crate) fn tightened<'a>(file: &Arc<Plan>, permits: impl Iterator<Item = &'a Permit>) -> Arc<Plan> {
    let mut plan = Plan::clone(file);
    for permit in permits {
        for (id, limit) in limits(file, permit) {
            if let Some(now) = &mut plan.alarms[id].limit {
                *now = Limit { set: now.set.min(limit.set), reset: now.reset.min(limit.reset) };
            }
        }
    }
    Arc::new(plan)
}

fn limits(file: &Plan, permit: &Permit) -> Vec<(AlarmId, Limit)> {
    let mut limits = Vec::new();
    for (id, alarm) in file.alarms.iter() {
        let (Subject::Point(point), Condition::High(level), Some(limit)) =
            (alarm.subject, alarm.condition, alarm.limit)
        else {
            continue;
        };
        let point = &file.points[point];
        // Oxygen, dangerous when there is little of it, is not meant where only its area is named.
        let has_low = point.alarms.iter().any(|a| matches!(file.alarms[*a].condition, Condition::Low(_)));
        let of_area = file.areas[point.area].tag.as_str() == permit.place && !has_low;
        let is_meant = point.tag.as_str() == permit.place || of_area;
        if point.gas.is_none() || !is_meant {
            continue;
        }
        // The lowest of its own and of every level above it.
        let above =
            point.alarms.iter().filter_map(|a| match (file.alarms[*a].condition, file.alarms[*a].limit) {
                (Condition::High(l), Some(limit)) if l >= level => Some(given(permit, l, limit.set)),
                _ => None,
            });
        let steps = 10f64.powi(i32::from(point.decimals));
        let down = |x: f64| (x * steps + 1e-6).floor() / steps;
        let set = down(above.fold(limit.set, f64::min));
        let reset = match permit.tighten {
            Tightening::Percent(percent) => down(limit.reset * f64::from(percent) / 100.0),
            Tightening::SetPoints(_) => limit.reset,
        };
        let floor = point.field.range.map_or(0.0, |(bottom, _)| bottom);
        let reset = if reset > floor { reset.min(set) } else { set };
        limits.push((id, Limit { set, reset: reset.min(limit.reset) }));
    }
    limits
}

fn given(permit: &Permit, level: Level, set: f64) -> f64 {
    let given = match (permit.tighten, level) {
        (Tightening::Percent(percent), _) => Some(set * f64::from(percent) / 100.0),
        (Tightening::SetPoints(given), Level::Warning) => given.warning,
        (Tightening::SetPoints(given), Level::Alarm) => given.alarm,
        (Tightening::SetPoints(given), Level::Trip) => given.trip,
    };
    given.unwrap_or(set).min(set)
}
