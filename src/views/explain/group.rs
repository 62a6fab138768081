//! A vote: a group that trips name, what becomes of it when a member is taken out, and who guards a calibration.

use super::words::{ballots, on_bad, title};
use super::{Book, Page};
use crate::model::element::{ElementKind, Mode};
use crate::model::plan::{Group, Member, OnBad, Subject, Trip};
use crate::model::point::Text;
use crate::model::table::{ElementId, TripId};

impl Book<'_> {
    pub(super) fn group(&self, first: TripId, n: usize) -> Page {
        let trip = &self.plan.trips[first];
        let Some(group) = trip.groups.get(n) else { return Page::default() };
        let name = Text::new("表决组", "a vote that trips name");
        let mut page = Page { title: title(group.tag.as_str(), &name), ..Page::default() };
        let vote = ballots(self.plan, trip).into_iter().nth(n).unwrap_or_default();
        let (bad_zh, bad_en) = on_bad(self.plan, trip, group.on_bad);
        page.say(format!("{vote} 成立即为一票; {bad_zh}"), format!("One vote when {vote}; {bad_en}"));
        for cause in group.members.iter().filter_map(|member| match member {
            Member::Cause(n) => trip.causes.get(*n),
            Member::Group(_) => None,
        }) {
            let alarm = &self.plan.alarms[*cause];
            let (zh, en) = self.when(alarm);
            page.say(format!("原因 {}: {zh}", alarm.key), format!("Cause {}: {en}", alarm.key));
        }
        when_out(group, &mut page);
        self.guard_of(trip, &mut page);
        for trip in self.plan.trips.values().filter(|t| t.groups.iter().any(|g| g.tag == group.tag)) {
            let (zh, en) = self.acts_on(trip);
            page.say(
                format!("计入 {} ({}): {zh}", trip.tag, trip.name.zh),
                format!("Counted by {} ({}), which acts on {en}", trip.tag, trip.name.en),
            );
        }
        page
    }

    /// Who guards while a head is calibrated.
    pub(super) fn guard_of(&self, trip: &Trip, page: &mut Page) {
        let is_gas = |subject| matches!(subject, Subject::Point(id) if self.plan.points[id].gas.is_some());
        if trip.causes.iter().any(|cause| is_gas(self.plan.alarms[*cause].subject)) {
            page.say(
                "按令标校的测点不计票, 条件是同一表决组内另有同种气体的良好测点值守; 否则按不可判断计",
                "A head that is calibrated by order does not vote while another good point of the same gas in the \
                 same vote guards; without one it counts as one that can't be judged",
            );
        }
    }

    /// Whether Davy cuts it and sees whether it is live.
    pub(super) fn can_be_live(&self, id: ElementId) -> bool {
        let element = &self.plan.elements[id];
        let sees = element.safe_contact.is_some() || element.unsafe_contact.is_some();
        element.kind == ElementKind::Load && element.mode == Mode::Act && sees
    }
}

/// What becomes of a vote while a member of it is bypassed, or calibrated under guard.
pub(super) fn when_out(group: &Group, page: &mut Page) {
    let (tag, votes, of) = (&group.tag, group.votes, group.members.len());
    if group.on_bad == OnBad::Ignore || (of > 1 && votes >= of) {
        page.say(
            format!("{tag}: 被旁路或标校的成员按未成立计, 仍须 {votes} 票 ({votes}oo{of})"),
            format!("{tag}: a member that is bypassed or calibrated counts as not true, and it still takes {votes} ({votes}oo{of})"),
        );
    } else if of > 1 {
        let (fewer, left) = (votes.saturating_sub(1).max(1), of.saturating_sub(1));
        page.say(
            format!("{tag}: 一个成员被旁路或标校时 {votes}oo{of} 变为 {fewer}oo{left}"),
            format!("{tag}: with one member bypassed or calibrated {votes}oo{of} becomes {fewer}oo{left}"),
        );
    } else {
        page.say(
            format!("{tag}: 唯一成员被旁路时不动作"),
            format!("{tag}: while its only member is bypassed nothing trips it"),
        );
    }
}
