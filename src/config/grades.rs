//! How areas are graded, and an area's inherent risk.

use super::faults::Fault;
use super::read::Row;
use super::site::{Compiler, seconds};
use super::standard::AreaKind;
use crate::model::alarm::Colour;
use crate::model::grade::Grading;

impl Compiler<'_> {
    /// The rules of `[grades]`; what is not written is the default, and 0 means never.
    pub(super) fn grading(&mut self) {
        let Some(row) = self.root.table("grades") else { return };
        let default = Grading::default();
        let minutes = |key| row.number(key).filter(|m| *m > 0.0).map(|m| seconds(m * 60.0));
        let count = |key| row.small::<usize>(key).filter(|n| *n > 0);
        let given = |key| row.has(key);
        self.plan.grading = Grading {
            orange_after: if given("orange_after_min") {
                minutes("orange_after_min")
            } else {
                default.orange_after
            },
            orange_points: if given("orange_points") {
                count("orange_points")
            } else {
                default.orange_points
            },
            red_pct_vol: if given("red_pct_vol") {
                row.number("red_pct_vol").filter(|value| *value > 0.0)
            } else {
                default.red_pct_vol
            },
            red_areas: if given("red_areas") { count("red_areas") } else { default.red_areas },
            red_after: if given("red_after_min") { minutes("red_after_min") } else { default.red_after },
        };
        for (key, count) in
            [("orange_points", self.plan.grading.orange_points), ("red_areas", self.plan.grading.red_areas)]
        {
            if count == Some(1) {
                let message = format!("`{key}` of one: every alarm would be as bad as an extent");
                self.faults.push(
                    Fault::error("no-extent", row.at(key), message)
                        .label("one is no extent")
                        .help("write 2 or more, or 0 for never"),
                );
            }
        }
    }
}

/// An area's inherent risk: as it says, else as its kind does, else low.
pub(super) fn risk(row: &Row, kind: &AreaKind) -> Colour {
    row.str("risk").and_then(Colour::parse).or(kind.risk).unwrap_or(Colour::Blue)
}
