//! A vote: a group that trips name, what becomes of it when a member is taken out, and who guards a calibration.

use super::words::{ballots, on_bad, title};
use super::{Book, Page};
use crate::model::element::{ElementKind, Mode};
use crate::model::plan::{Group, Member, OnBad, Subject, Trip};
use crate::model::point::Text;
use crate::model::table::{AlarmId, ElementId, PointId, TripId};
use std::collections::BTreeSet;

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
        self.when_out(trip, group, &mut page);
        self.guards_of(trip, std::slice::from_ref(group), &mut page);
        for trip in self.plan.trips.values().filter(|t| t.groups.iter().any(|g| g.tag == group.tag)) {
            let (zh, en) = self.acts_on(trip);
            page.say(
                format!("计入 {} ({}): {zh}", trip.tag, trip.name.zh),
                format!("Counted by {} ({}), which acts on {en}", trip.tag, trip.name.en),
            );
        }
        page
    }

    /// Who must be good while a head of a vote is bypassed or calibrated.
    pub(super) fn guards_of(&self, trip: &Trip, groups: &[Group], page: &mut Page) {
        let (mut zh, mut en) = (
            "标校或旁路气体测点时, 须有同组同种气体的良好测点值守, 否则拒绝:".to_owned(),
            "A gas head is calibrated or bypassed only while another of its gas in the same vote is good to guard:"
                .to_owned(),
        );
        let mut any = false;
        for (n, cause) in trip.causes.iter().enumerate() {
            let mut mine = groups.iter().filter(|group| group.members.contains(&Member::Cause(n))).peekable();
            let Some((own, gas)) = self.gas_of(*cause).filter(|_| mine.peek().is_some()) else { continue };
            let others = mine.flat_map(|group| &group.members).filter_map(|member| match member {
                Member::Cause(m) => self.gas_of(*trip.causes.get(*m)?),
                Member::Group(_) => None,
            });
            let guards = others.filter(|(other, of)| other != &own && *of == gas).map(|(other, _)| other);
            let guards: BTreeSet<&str> = guards.map(|id| self.plan.points[id].tag.as_str()).collect();
            let (tag, guards) = (&self.plan.points[own].tag, guards.into_iter().collect::<Vec<_>>());
            any = true;
            if guards.is_empty() {
                zh = format!("{zh}\n{tag} ({gas}): 无");
                en = format!("{en}\n{tag} ({gas}): there is none");
            } else {
                zh = format!("{zh}\n{tag} ({gas}): {}", guards.join(" 或 "));
                en = format!("{en}\n{tag} ({gas}): {}", guards.join(" or "));
            }
        }
        if any {
            page.say(zh, en);
        }
    }

    fn gas_of(&self, cause: AlarmId) -> Option<(PointId, &str)> {
        match self.plan.alarms[cause].subject {
            Subject::Point(id) => Some((id, self.plan.points[id].gas.as_ref()?.tag.as_str())),
            Subject::Device(_) | Subject::Element(_) => None,
        }
    }

    /// What becomes of a vote while a member of it does not vote.
    pub(super) fn when_out(&self, trip: &Trip, group: &Group, page: &mut Page) {
        let (tag, votes, of) = (&group.tag, group.votes, group.members.len());
        if of < 2 {
            return;
        }
        if group.on_bad != OnBad::Ignore && self.is_alike(trip, group) {
            let (fewer, left) = (votes.saturating_sub(1).max(1), of.saturating_sub(1));
            page.say(
                format!("{tag}: 同种测点互为备用, 一个被旁路或标校时 {votes}oo{of} 变为 {fewer}oo{left}"),
                format!(
                    "{tag}: its heads stand in for one another; with one bypassed or calibrated {votes}oo{of} becomes {fewer}oo{left}"
                ),
            );
        } else {
            page.say(
                format!("{tag}: 被旁路或标校的成员按未成立计, 仍须 {votes} 票"),
                format!(
                    "{tag}: a member that is bypassed or calibrated counts as not true, and {votes} of the others must still be"
                ),
            );
        }
    }

    /// Whether all that vote are heads of one gas held against the same kind of limit.
    fn is_alike(&self, trip: &Trip, group: &Group) -> bool {
        let mut kinds = BTreeSet::new();
        let mut left: Vec<&Member> = group.members.iter().collect();
        while let Some(member) = left.pop() {
            let cause = match member {
                Member::Cause(n) => trip.causes.get(*n),
                Member::Group(n) => {
                    left.extend(trip.groups.get(*n).into_iter().flat_map(|inner| &inner.members));
                    continue;
                }
            };
            kinds.insert(cause.and_then(|id| Some((self.gas_of(*id)?.1, self.plan.alarms[*id].condition))));
        }
        kinds.len() == 1 && kinds.iter().all(Option::is_some)
    }

    /// Whether Davy cuts it and sees whether it is live.
    pub(super) fn can_be_live(&self, id: ElementId) -> bool {
        let element = &self.plan.elements[id];
        let sees = element.safe_contact.is_some() || element.unsafe_contact.is_some();
        element.kind == ElementKind::Load && element.mode == Mode::Act && sees
    }
}
