//! Standards: which set-points an area kind asks for, what its levels are called and what to do at each.

use super::faults::{Fault, Faults, Place, Source};
use super::limits::{Levels, check_order};
use super::names::Names;
use super::read::Row;
use crate::model::alarm::{Colour, Level};
use crate::model::point::{Displayed, Text, Unit};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An area kind of a standard.
#[derive(Debug)]
pub(super) struct AreaKind {
    pub(super) name: Text,
    /// What its levels are called.
    pub(super) labels: ByLevel,
    pub(super) actions: ByLevel,
    pub(super) requires: Vec<String>,
    pub(super) rows: Vec<Requirement>,
    /// The file that it is from.
    pub(super) source: Arc<Source>,
    /// Its inherent risk, where it has one of its own.
    pub(super) risk: Option<Colour>,
}

/// What a standard asks for at one place.
#[derive(Debug)]
pub(super) struct Requirement {
    pub(super) place: Option<String>,
    pub(super) gas: Option<String>,
    pub(super) unit: Unit,
    pub(super) levels: Levels,
    /// Longest on-delay, in seconds.
    pub(super) max_on_delay_s: f64,
    pub(super) actions: ByLevel,
    pub(super) source: String,
    pub(super) confirmed: bool,
    pub(super) at: Place,
}

/// A text for each level that has one.
#[derive(Clone, Debug, Default)]
pub(super) struct ByLevel {
    warning: Option<Text>,
    alarm: Option<Text>,
    trip: Option<Text>,
}

impl ByLevel {
    fn read(row: Option<&Row>) -> ByLevel {
        let words = |key| row.and_then(|r| r.words(key));
        ByLevel { warning: words("warning"), alarm: words("alarm"), trip: words("trip") }
    }

    pub(super) fn get(&self, level: Level) -> Option<&Text> {
        match level {
            Level::Warning => self.warning.as_ref(),
            Level::Alarm => self.alarm.as_ref(),
            Level::Trip => self.trip.as_ref(),
        }
    }

    /// `self`, and where it says nothing, `other`.
    fn or(self, other: &ByLevel) -> ByLevel {
        ByLevel {
            warning: self.warning.or_else(|| other.warning.clone()),
            alarm: self.alarm.or_else(|| other.alarm.clone()),
            trip: self.trip.or_else(|| other.trip.clone()),
        }
    }
}

/// Adds the area kinds in `file` to `kinds`.
pub(super) fn standard(file: &Row, kinds: &mut Names<Arc<AreaKind>>, faults: &mut Faults) {
    let labels = ByLevel::read(file.table("labels"));
    let actions = ByLevel::read(file.table("actions"));
    for row in file.tables("kind") {
        let actions = ByLevel::read(row.table("actions")).or(&actions);
        let rows: Vec<_> =
            row.tables("set_points").filter_map(|r| requirement(r, &actions, faults)).collect();
        same_rows(&rows, faults);
        let requires = row.list("requires").iter().filter_map(|c| c.str().map(str::to_owned)).collect();
        let (labels, risk) = (labels.clone(), row.str("risk").and_then(Colour::parse));
        let source = Arc::clone(&file.place.source);
        let kind = row.words("name");
        let kind =
            kind.map(|name| Arc::new(AreaKind { name, labels, actions, requires, rows, risk, source }));
        kinds.declare(row, "id", kind, faults);
    }
}

fn requirement(row: &Row, actions: &ByLevel, faults: &mut Faults) -> Option<Requirement> {
    let levels = Levels::read(row);
    if levels.is_empty() {
        faults.push(
            Fault::error("no-set-points", row.place.clone(), "a row of set-points without a set-point")
                .help("add warning, alarm or trip, or low_…"),
        );
    }
    check_order(&levels, Displayed::MAX_DECIMALS, row, faults);
    Some(Requirement {
        place: row.str("place").map(str::to_owned),
        gas: row.str("gas").map(str::to_owned),
        unit: Unit::parse(row.str("unit")?)?,
        levels,
        max_on_delay_s: row.number("max_on_delay_s")?,
        actions: ByLevel::read(row.table("actions")).or(actions),
        source: row.str("source")?.to_owned(),
        confirmed: row.flag("confirmed")?,
        at: row.place.clone(),
    })
}

/// Of two rows for the same place, gas and unit only one could ever count.
fn same_rows(rows: &[Requirement], faults: &mut Faults) {
    let mut seen = BTreeMap::new();
    for row in rows {
        let Some(first) = seen.insert((&row.place, &row.gas, row.unit), &row.at) else { continue };
        faults.push(
            Fault::error("same-row", row.at.clone(), "two rows for the same place, gas and unit")
                .help("keep one of the two")
                .other(first, "the other one"),
        );
    }
}
