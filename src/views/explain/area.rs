//! An area: its kind, what makes it which colour, what its incidents count, and the way of its air.

use super::words::{colour_zh, lasting, title};
use super::{Book, Page};
use crate::model::alarm::Colour;
use crate::model::sign::{Neighbour, Side};
use crate::model::table::AreaId;
use crate::model::time::Span;
use crate::safety::{is_incident_limit, production_loads};

impl Book<'_> {
    pub(super) fn area(&self, id: AreaId) -> Page {
        let (plan, area) = (self.plan, &self.plan.areas[id]);
        let mut page = Page { title: title(area.tag.as_str(), &area.name), ..Page::default() };
        page.say(
            format!("区域类别 {}: 测点未另写定值的, 按该类别的标准定值", area.kind),
            format!(
                "An area of the kind {}: where a point states no set-points, those of that kind's standard go",
                area.kind
            ),
        );
        let points = names(plan.points.values().filter(|p| p.area == id && p.gas.is_some()).map(|p| &p.tag));
        let elements = names(plan.elements.values().filter(|e| e.area == id).map(|e| &e.tag));
        let here = |trip: &&crate::model::plan::Trip| {
            trip.area == id || trip.causes.iter().any(|cause| plan.alarms[*cause].area == id)
        };
        let trips = names(plan.trips.values().filter(here).map(|t| &t.tag));
        page.say(
            format!("气体测点: {points}; 执行元件: {elements}; 联锁: {trips}"),
            format!("Gas points: {points}; elements: {elements}; trips: {trips}"),
        );
        self.colours(id, &mut page);
        self.incidents(id, &mut page);
        self.airways(id, &mut page);
        page
    }

    /// What makes it which colour.
    fn colours(&self, id: AreaId, page: &mut Page) {
        let (risk, grading) = (self.plan.areas[id].risk, &self.plan.grading);
        let (risk_zh, risk_en) = (colour_zh(risk), risk.as_str());
        page.say(
            format!("固有风险 {risk_zh}: 颜色从不低于此; 此外取下列最重的一条"),
            format!(
                "Its inherent risk is {risk_en}: it is never graded better; beyond that the worst of these goes"
            ),
        );
        let mut red = vec![("任一红色报警".to_owned(), "an alarm of it is red".to_owned())];
        if let Some(limit) = grading.red_pct_vol {
            red.push((
                format!("可燃气体达到或高于 {limit:.2} %vol (超量程按量程上限计)"),
                format!(
                    "a combustible gas at or above {limit:.2} %vol (over range counts as the range's end)"
                ),
            ));
        }
        if let Some(after) = grading.red_after.map(lasting) {
            red.push((
                format!("气体达到断电值超过 {after}"),
                format!("a gas at or beyond its trip for more than {after}"),
            ));
        }
        red.push((
            "气体达到断电值而断电/关阀未确认".to_owned(),
            "a gas at or beyond its trip, and what is cut or shut for it is not seen so in time".to_owned(),
        ));
        if let Some(n) = grading.red_areas {
            red.push((
                format!("{n} 个区域同时有气体达到报警值"),
                format!("gas at or beyond its alarm in {n} areas at once"),
            ));
        }
        let mut orange = vec![("任一橙色报警".to_owned(), "an alarm of it is orange".to_owned())];
        if let Some(after) = grading.orange_after.map(lasting) {
            orange.push((
                format!("气体达到报警值超过 {after}"),
                format!("a gas at or beyond its alarm for more than {after}"),
            ));
        }
        if let Some(n) = grading.orange_points {
            orange.push((
                format!("{n} 个测点同时达到报警值"),
                format!("{n} of its points at or beyond their alarms at once"),
            ));
        }
        let yellow = vec![("任一黄色报警".to_owned(), "an alarm of it is yellow".to_owned())];
        let blue = vec![("其它".to_owned(), "otherwise".to_owned())];
        let (mut zh, mut en) = (
            "颜色 (无国家数值; 来自 [grades], 未写的为 Davy 的建议值):".to_owned(),
            "Colours (no standard gives numbers; they are those of [grades], or Davy's proposals):"
                .to_owned(),
        );
        let rows = Colour::ALL.into_iter().map(|colour| match colour {
            Colour::Red => (colour, &red),
            Colour::Orange => (colour, &orange),
            Colour::Yellow => (colour, &yellow),
            Colour::Blue => (colour, &blue),
        });
        for (colour, rules) in rows {
            let (rules_zh, rules_en): (Vec<&str>, Vec<&str>) =
                rules.iter().map(|(zh, en)| (zh.as_str(), en.as_str())).unzip();
            zh = format!("{zh}\n{}: {}", colour_zh(colour), rules_zh.join("; "));
            en = format!("{en}\n{}: {}", colour.as_str(), rules_en.join("; or "));
        }
        page.say(zh, en);
    }

    /// What opens an incident there, and when production counts as on.
    fn incidents(&self, id: AreaId, page: &mut Page) {
        let plan = self.plan;
        let limits = plan.alarms.iter().filter(|(a, row)| row.area == id && is_incident_limit(plan, *a));
        let limits: Vec<&str> = limits.map(|(_, row)| row.key.as_str()).collect();
        if limits.is_empty() {
            page.say(
                "不计超限事件: 没有带报警值的气体测点",
                "No overlimit incidents: no gas is alarmed here",
            );
            return;
        }
        let limits = limits.join(", ");
        page.say(
            format!("超限事件: 自 {limits} 中任一越限起, 至全部复位"),
            format!("An overlimit incident opens at the first of {limits}, and lasts until all are reset"),
        );
        let loads = names(production_loads(plan, id).into_iter().map(|load| &plan.elements[load].tag));
        page.say(
            format!("超限期间任一馈电有电即计为未停产: {loads}"),
            format!(
                "While over the limit, production counts as on as long as one of these is seen live: {loads}"
            ),
        );
    }

    fn airways(&self, id: AreaId, page: &mut Page) {
        for (point, watched) in &self.plan.watched.points {
            let row = &self.plan.points[*point];
            for neighbour in watched.neighbours.iter().filter(|_| row.area == id) {
                let (from, to) = (&row.tag, &self.plan.points[neighbour.point].tag);
                let (lag_zh, lag_en) = if neighbour.lag > Span::ZERO {
                    let lag = lasting(neighbour.lag);
                    (format!("{lag} 后"), format!("{lag} later"))
                } else {
                    ("随后".to_owned(), "next".to_owned())
                };
                match neighbour.side {
                    Side::Downstream => page.say(
                        format!("风流: 过 {from} {lag_zh}到 {to}; {to} 更低即为迹象 airflow"),
                        format!("The air that passes {from} passes {to} {lag_en}: more gas at {from} than at {to} is the sign airflow"),
                    ),
                    Side::Diluted => page.say(
                        format!("风流: 过 {from} {lag_zh}到 {to}, 途中有新风汇入: {to} 更低不算迹象"),
                        format!(
                            "The air that passes {from} passes {to} {lag_en}, and fresh air joins on its way: less gas at {to} is no sign"
                        ),
                    ),
                    Side::Beside if *point < neighbour.point => page.say(
                        format!("{from} 与 {to} 测同一空气"),
                        format!("{from} and {to} measure the same air"),
                    ),
                    Side::Beside | Side::Upstream => {}
                }
            }
        }
    }

    /// A neighbour with where it is.
    pub(super) fn neighbour(&self, neighbour: &Neighbour) -> (String, String) {
        let tag = &self.plan.points[neighbour.point].tag;
        let (zh, en) = match neighbour.side {
            Side::Beside => ("同一空气", "the same air"),
            Side::Upstream => ("上风侧", "upstream"),
            Side::Downstream => ("下风侧", "downstream"),
            Side::Diluted => ("下风侧, 有新风汇入", "downstream, fresh air joins"),
        };
        (format!("{tag} ({zh})"), format!("{tag} ({en})"))
    }
}

fn names<T: std::fmt::Display>(tags: impl Iterator<Item = T>) -> String {
    let tags: Vec<String> = tags.map(|tag| tag.to_string()).collect();
    if tags.is_empty() { "-".to_owned() } else { tags.join(", ") }
}
