//! A valve, load, siren or lock: what is asked of it, how that is seen, which trips act on it.

use super::words::{ballot, lasting, state, title, verb, written};
use super::{Book, Page};
use crate::model::element::Mode;
use crate::model::plan::Element;
use crate::model::table::ElementId;

impl Book<'_> {
    pub(super) fn element(&self, id: ElementId) -> Page {
        let (plan, element) = (self.plan, &self.plan.elements[id]);
        let mut page = Page { title: title(element.tag.as_str(), &element.name), ..Page::default() };
        let (verb_zh, verb_en) = verb(element.kind);
        let (area, device) = (&plan.areas[element.area], &plan.devices[element.device]);
        let (how_zh, how_en) = written(&element.command);
        page.say(
            format!(
                "位于 {}; 安全状态: {}; 由设备 {} 执行: {how_zh}",
                area.name.zh,
                state(element.kind, true).0,
                device.tag
            ),
            format!(
                "In {}; its safe state is {}; written to device {}: {how_en}",
                area.name.en,
                state(element.kind, true).1,
                device.tag
            ),
        );
        match element.mode {
            Mode::Act => page.say(
                format!("Davy 只要求安全状态 ({verb_zh}); 恢复只能由人在现场进行"),
                format!("Davy asks for the safe state only ({verb_en}); going back is done by hand, on site"),
            ),
            Mode::Observe => page.say(
                "仅观察: 只说明本应写什么, 不写",
                "Observed only: Davy says what it would write, and writes nothing",
            ),
        }
        self.contacts(element, &mut page);
        for alarm in element.supervision.alarms.iter().chain([&element.not_confirmed]) {
            self.alarm(*alarm, &mut page);
        }
        self.announcing(&mut page);
        self.signs_of_element(id, &mut page);
        if let Some(proof) = &element.supervision.proof {
            let days = proof.every.us() / 86_400_000_000;
            page.say(
                format!("每 {days} 天须证明一次能到安全位: 试验, 或经测量的真实动作"),
                format!(
                    "Once in {days} days it must be proven: by a test, or by a real trip that was measured"
                ),
            );
        }
        let mut any = false;
        for trip in plan.trips.values().filter(|t| t.effects.contains(&id)) {
            any = true;
            let vote = ballot(plan, trip);
            let (reset_zh, reset_en) = self.reset_of(trip);
            page.say(
                format!("由 {} 动作: {vote}\n复位: {reset_zh}", trip.tag),
                format!("Acted on by {}: {vote}\nReset: {reset_en}", trip.tag),
            );
        }
        if plan.announcing.siren == Some(id) {
            page.say(
                "报警无人确认升级时启动",
                "Sounds while an alarm is escalated because nobody acknowledged it",
            );
            any = true;
        }
        if !any {
            page.say("没有任何联锁动作它", "No trip acts on it");
        }
        page.say(
            "启动时先读后写: 已在动作状态的保持, 直到由人复位",
            "At the start it is read before anything is written: found commanded, it stays so until a person resets it",
        );
        page
    }

    pub(super) fn contacts(&self, element: &Element, page: &mut Page) {
        let limit = lasting(element.travel_limit);
        for (contact, safe) in [(element.safe_contact, true), (element.unsafe_contact, false)] {
            let Some(contact) = contact else { continue };
            let (tag, yes) = (&self.plan.points[contact.point].tag, u8::from(contact.yes));
            let (zh, en) = state(element.kind, safe);
            page.say(format!("{tag} 为 {yes}: {zh}"), format!("{tag} reading {yes} says {en}"));
        }
        if element.safe_contact.is_none() && element.unsafe_contact.is_none() {
            page.say("无反馈: 回读即视为完成", "No feedback: a write that was read back counts as done");
        } else {
            page.say(
                format!("指令后须在 {limit} 内由触点确认; 确认后又离开安全位立即报警"),
                format!("Its contacts must confirm within {limit} of the demand; leaving the safe state after that is told at once"),
            );
        }
        if element.unsafe_contact.is_none() || element.safe_contact.is_none() {
            page.say(
                "只有一个触点: 触点卡住不能识别",
                "One contact at most: a contact that is stuck is not noticed",
            );
        }
    }
}
