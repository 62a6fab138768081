//! Permits that the site file gives for a day to come. What a permit may be is the judge's rule, asked here too.

use super::faults::{Fault, one_of, quoted};
use super::read::Row;
use super::site::Compiler;
use crate::model::permit::{Permit, PermitKind, Planned, SetPoints, Tightening};
use crate::model::time::Wall;
use crate::safety::against_permit;
use std::collections::BTreeSet;

impl Compiler<'_> {
    pub(super) fn permit(&mut self, row: &Row) {
        let (from, until) = (self.moment(row, "from"), self.moment(row, "until"));
        let (Some(place), Some(kind), Some(from), Some(until), Some(by)) =
            (row.str("place"), row.str("kind").and_then(PermitKind::parse), from, until, row.str("by"))
        else {
            return;
        };
        if until <= from {
            self.faults.push(
                Fault::error("ends-before", row.at("until"), "a permit that ends before it begins")
                    .help("write an `until` after `from`, at most 8 hours later"),
            );
            return;
        }
        let Some(tighten) = self.tightening(row, place) else { return };
        let permit = Permit {
            place: place.to_owned(),
            kind,
            by: by.to_owned(),
            second: row.str("second").map(str::to_owned),
            // A begun minute counts: seven hours and a second are not within seven hours.
            minutes: u32::try_from(until.since(from).ms().div_ceil(60_000)).unwrap_or(u32::MAX),
            until,
            tighten,
        };
        for why in against_permit(&self.plan, &permit) {
            self.faults.push(
                Fault::error("no-permit", row.at("place"), why.en.to_string())
                    .label("this permit is not possible")
                    .help("a permit only ever tightens the set-points of gas, for 8 hours at most"),
            );
        }
        self.plan.permits.push(Planned { from, permit });
    }

    fn moment(&mut self, row: &Row, key: &str) -> Option<Wall> {
        let text = row.str(key)?;
        let moment = text.contains('T').then(|| Wall::parse(text)).flatten();
        if moment.is_none() {
            self.faults.push(
                Fault::error("no-time", row.at(key), format!("{} is no time", quoted(text)))
                    .label("expected day, time and offset")
                    .help("write it as \"2026-11-24T08:00:00+08:00\""),
            );
        }
        moment
    }

    fn tightening(&mut self, row: &Row, place: &str) -> Option<Tightening> {
        let own = row.table("set_points");
        if row.has("percent") == row.has("set_points") {
            self.faults.push(
                Fault::error("half-permit", row.at("place"), "a permit says by how much, in one way")
                    .help("write percent = 50, or set_points = { unit = \"%vol\", alarm = 0.5 }"),
            );
            return None;
        }
        let Some(own) = own else { return row.small("percent").map(Tightening::Percent) };
        let at_place = |p: &&crate::model::plan::Point| {
            p.gas.is_some() && (p.tag.as_str() == place || self.plan.areas[p.area].tag.as_str() == place)
        };
        let units: BTreeSet<&str> =
            self.plan.points.values().filter(at_place).map(|p| p.unit.as_str()).collect();
        let unit = own.str("unit")?;
        if !units.is_empty() && !units.contains(unit) {
            let message = format!("set-points in {unit} for {place}");
            let known = one_of(units);
            self.faults.push(
                Fault::error("unit-mismatch", own.at("unit"), message)
                    .label("nothing there is measured in that")
                    .help(format!("write them in {known}, or a percent")),
            );
            return None;
        }
        Some(Tightening::SetPoints(SetPoints::read(|key| own.number(key))))
    }
}
