//! A device: how it is asked, what it feeds, and what its silence does.

use super::words::{lasting, own_on_bad, title, written};
use super::{Book, Page};
use crate::model::line::FAILURES_TO_LOSE;
use crate::model::point::Text;
use crate::model::register::Scan;
use crate::model::table::{AlarmId, DeviceId};
use crate::safety::stale_after;
use std::collections::BTreeSet;

impl Book<'_> {
    pub(super) fn device(&self, id: DeviceId) -> Page {
        let (plan, device) = (self.plan, &self.plan.devices[id]);
        let (area, bus) = (&plan.areas[device.area], &plan.buses[device.bus]);
        let name = Text::new(format!("设备, {}", area.name.zh), format!("device, {}", area.name.en));
        let mut page = Page { title: title(device.tag.as_str(), &name), ..Page::default() };
        let requests: Vec<String> = device
            .blocks
            .iter()
            .map(|block| {
                let last = block.at.address.saturating_add(block.count.saturating_sub(1));
                format!("{} {}..{last}", block.at.space.as_str(), block.at.address)
            })
            .collect();
        let (link, requests) = (format!("{} ({})", bus.tag, bus.link), requests.join(", "));
        page.say(
            format!(
                "总线 {link}, 单元 {}, 型号 {}; 每 {} 读取 {requests}",
                device.unit,
                device.profile,
                lasting(device.poll)
            ),
            format!(
                "On line {link}, unit {}, profile {}; every {} it is asked for {requests}",
                device.unit,
                device.profile,
                lasting(device.poll)
            ),
        );
        self.freshness(id, &mut page);
        let points: Vec<&str> = plan.points_of(id).map(|(_, p)| p.tag.as_str()).collect();
        if !points.is_empty() {
            let points = points.join(", ");
            page.say(format!("测点: {points}"), format!("Feeds {points}"));
        }
        for (_, element) in plan.elements.iter().filter(|(_, e)| e.device == id) {
            let (zh, en) = written(&element.command);
            page.say(format!("写 {}: {zh}", element.tag), format!("Is written for {}: {en}", element.tag));
        }
        for alarm in
            [device.comm_alarm, device.stale_alarm].into_iter().chain(device.calibration.map(|(_, a)| a))
        {
            self.alarm(alarm, &mut page);
        }
        self.announcing(&mut page);
        let mine: BTreeSet<AlarmId> = plan
            .points_of(id)
            .flat_map(|(_, p)| p.alarms.iter().copied())
            .chain([device.comm_alarm, device.stale_alarm])
            .collect();
        for trip in plan.trips.values().filter(|t| t.causes.iter().any(|c| mine.contains(c))) {
            let (zh, en) = own_on_bad(plan, trip);
            page.say(
                format!("中断时在 {} 中: {zh}", trip.tag),
                format!("When it is silent, in {}: {en}", trip.tag),
            );
        }
        if device.calibration.is_none() && plan.points_of(id).any(|(_, p)| p.gas.is_some()) {
            page.say("未给出标校日期", "No calibration date is stated, so nobody is told when it is due");
        }
        page
    }

    pub(super) fn freshness(&self, device: DeviceId, page: &mut Page) {
        let device = &self.plan.devices[device];
        let (timeout, stale) = (lasting(device.timeout), lasting(stale_after(device, Scan::Fast)));
        page.say(
            format!("应答最长 {timeout}; 连续 {FAILURES_TO_LOSE} 次无有效应答即通信中断; 超过 {stale} 未刷新的值不再可信"),
            format!("An answer may take {timeout}; {FAILURES_TO_LOSE} requests in a row without a usable one lose the device; a value older than {stale} is no longer believed"),
        );
    }
}
