//! Votes: what trips and groups are made of, how groups name one another, and how a trip's own tree of votes becomes
//! a list that names backwards only.

use super::faults::{Fault, quoted};
use super::read::{Cell, Row};
use super::site::{Compiler, tag};
use crate::model::plan::{Group, Member, OnBad, Subject};
use crate::model::point::Tag;
use crate::model::table::AlarmId;
use std::collections::{BTreeMap, BTreeSet};

/// A vote as the file has it.
#[derive(Clone, Debug)]
pub(super) struct Ballot {
    tag: Tag,
    votes: usize,
    members: Vec<Voter>,
    pub(super) on_bad: OnBad,
}

/// Who votes, as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voter {
    Alarm(AlarmId),
    Group(usize),
}

/// A trip's votes, ready for the plan.
#[derive(Debug, Default)]
pub(super) struct Votes {
    pub(super) causes: Vec<AlarmId>,
    pub(super) groups: Vec<Group>,
    /// The groups of the file that are in it, with their numbers in `groups`.
    placed: BTreeMap<usize, usize>,
}

impl Compiler<'_> {
    /// Every `[[group]]`: names first, because they may name one another in any order.
    pub(super) fn all_groups(&mut self) {
        let root = self.root;
        let rows = || root.tables("group");
        for (n, row) in rows().enumerate() {
            self.group_names.declare(row, "id", Some(n), self.faults);
        }
        self.groups = rows().map(|row| self.ballot(row)).collect();
        let circles: Vec<usize> =
            rows().enumerate().filter(|(n, row)| self.comes_back(*n, row)).map(|(n, _)| n).collect();
        for (n, ballot) in self.groups.iter_mut().enumerate() {
            *ballot = ballot.take().filter(|_| !circles.contains(&n));
        }
    }

    /// The vote that a `[[group]]` or `[[trip]]` describes.
    pub(super) fn ballot(&mut self, row: &Row) -> Option<Ballot> {
        let members = self.members(row);
        let votes = self.votes(row);
        let on_bad = match row.str("on_bad") {
            Some("alarm") => OnBad::Alarm,
            Some("ignore") => OnBad::Ignore,
            _ => OnBad::Vote,
        };
        Some(Ballot { tag: tag(row)?, votes: votes?, members: members?, on_bad })
    }

    fn members(&mut self, row: &Row) -> Option<Vec<Voter>> {
        if row.has("when") && row.list("when").is_empty() {
            self.faults.push(
                Fault::error("no-causes", row.at("when"), "a vote of nobody: nothing causes it")
                    .help("name alarms: when = [\"point:trip\", …]"),
            );
            return None;
        }
        let mut members = Vec::new();
        let mut sound = row.has("when");
        for cell in row.list("when") {
            match self.voter(cell) {
                Some(voter) if members.contains(&voter) => {
                    self.twice(cell);
                    sound = false;
                }
                Some(voter) => members.push(voter),
                None => sound = false,
            }
        }
        sound.then_some(members)
    }

    fn voter(&mut self, cell: &Cell) -> Option<Voter> {
        let name = cell.str()?;
        if self.group_names.is_known(name) {
            return self.group_names.get(name).copied().map(Voter::Group);
        }
        self.cause(cell).map(Voter::Alarm)
    }

    /// Whether group `n` names itself by way of others; told once for each group in the circle, where it goes on.
    fn comes_back(&mut self, n: usize, row: &Row) -> bool {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![n];
        while let Some(at) = waiting.pop() {
            for next in self.inner(at) {
                if next == n {
                    let message = format!("{} votes on itself", quoted(row.str("id").unwrap_or_default()));
                    self.faults.push(
                        Fault::error("group-cycle", row.at("when"), message)
                            .label("comes back to where it started")
                            .help(
                                "a group may name others, and none of them may name it: take one name away",
                            ),
                    );
                    return true;
                }
                if seen.insert(next) {
                    waiting.push(next);
                }
            }
        }
        false
    }

    fn inner(&self, n: usize) -> Vec<usize> {
        let members = self.groups.get(n).into_iter().flatten().flat_map(|ballot| &ballot.members);
        let group = |voter: &Voter| if let Voter::Group(inner) = voter { Some(*inner) } else { None };
        members.filter_map(group).collect()
    }

    /// The list of votes of `own`, inner before outer; `None` where a group is broken, as those in a circle are.
    pub(super) fn tree(&self, own: &Ballot) -> Option<Votes> {
        let mut votes = Votes::default();
        self.place(own, &mut votes)?;
        Some(votes)
    }

    fn place(&self, ballot: &Ballot, votes: &mut Votes) -> Option<usize> {
        let mut members = Vec::new();
        for voter in &ballot.members {
            members.push(match voter {
                Voter::Alarm(alarm) => Member::Cause(cause_number(&mut votes.causes, *alarm)),
                Voter::Group(n) => Member::Group(match votes.placed.get(n) {
                    Some(placed) => *placed,
                    None => {
                        let inner = self.groups.get(*n)?.as_ref()?;
                        let placed = self.place(inner, votes)?;
                        votes.placed.insert(*n, placed);
                        placed
                    }
                }),
            });
        }
        let (tag, on_bad) = (ballot.tag.clone(), ballot.on_bad);
        let alike = self.is_alike(&members, votes);
        votes.groups.push(Group { tag, votes: ballot.votes, members, on_bad, alike });
        Some(votes.groups.len().saturating_sub(1))
    }

    /// Whether all that vote are heads of one gas held against the same kind of limit.
    fn is_alike(&self, members: &[Member], votes: &Votes) -> bool {
        let mut kinds = BTreeSet::new();
        let mut left = members.to_vec();
        while let Some(member) = left.pop() {
            let cause = match member {
                Member::Cause(n) => votes.causes.get(n).map(|cause| &self.plan.alarms[*cause]),
                Member::Group(n) => {
                    left.extend(votes.groups.get(n).into_iter().flat_map(|group| &group.members));
                    continue;
                }
            };
            let gas = cause.and_then(|alarm| match alarm.subject {
                Subject::Point(point) => self.plan.points[point].gas.as_ref(),
                Subject::Device(_) | Subject::Element(_) => None,
            });
            let (Some(alarm), Some(gas)) = (cause, gas) else { return false };
            kinds.insert((gas.tag.as_str(), alarm.condition.to_string()));
        }
        kinds.len() == 1
    }

    /// Groups that no trip counts.
    pub(super) fn idle_groups(&mut self) {
        let used: BTreeSet<&Tag> =
            self.plan.trips.values().flat_map(|trip| trip.groups.iter().map(|g| &g.tag)).collect();
        let named: BTreeSet<usize> = (0..self.groups.len()).flat_map(|n| self.inner(n)).collect();
        for (n, row) in self.root.tables("group").enumerate() {
            let Some(ballot) = self.groups.get(n).and_then(Option::as_ref) else { continue };
            if !used.contains(&ballot.tag) && !named.contains(&n) && self.faults.errors() == 0 {
                let message = format!("no trip counts the votes of `{}`", ballot.tag);
                self.faults.push(
                    Fault::warning("idle-group", row.at("id"), message)
                        .label("never counted")
                        .help(format!("name it in a [[trip]]: when = [\"{}\"]", ballot.tag)),
                );
            }
        }
    }
}

fn cause_number(causes: &mut Vec<AlarmId>, alarm: AlarmId) -> usize {
    causes.iter().position(|c| *c == alarm).unwrap_or_else(|| {
        causes.push(alarm);
        causes.len().saturating_sub(1)
    })
}
