//! The way out: the real outbox over a connection that breaks, loses and repeats acknowledgements.

use crate::dice::Dice;
use davy::model::record::Lane;
use davy::model::time::Mono;
use davy::record::outbox::{Outbox, Turn, Waiting};
use std::collections::{BTreeSet, VecDeque};

/// One destination.
#[derive(Debug)]
pub(crate) struct Uplink {
    outbox: Option<Outbox>,
    /// The cursor on disk, which may lag behind.
    kept: u64,
    /// What the other side has.
    arrived: BTreeSet<u64>,
    /// Sent and not arrived, with packet id; and acknowledgements on their way back.
    flight: VecDeque<(u16, u64)>,
    acks: VecDeque<u16>,
}

impl Uplink {
    pub(crate) fn new() -> Uplink {
        Uplink {
            outbox: None,
            kept: 0,
            arrived: BTreeSet::new(),
            flight: VecDeque::new(),
            acks: VecDeque::new(),
        }
    }

    /// Connected or not, one step of sending, arriving and acknowledging.
    pub(crate) fn step(&mut self, dice: &mut Dice, mischief: bool, recorded: u64, now: Mono) {
        if mischief && dice.one_in(300) {
            self.breaks(dice);
        }
        if self.outbox.is_none() && (!mischief || dice.one_in(50)) {
            self.outbox = Some(Outbox::new(self.kept, 0));
        }
        let Some(outbox) = &mut self.outbox else { return };
        loop {
            let next = outbox.sent(Lane::Event) + 1;
            let waiting = Waiting { events: next <= recorded, ..Waiting::default() };
            if outbox.turn(waiting) != Some(Turn::Event) {
                break;
            }
            // Some events leave a retained state behind: two packets.
            let packets = if next.is_multiple_of(3) { 2 } else { 1 };
            let ids = outbox.send(Lane::Event, next, packets, now).unwrap();
            self.flight.extend(ids.into_iter().map(|id| (id, next)));
        }
        while !self.flight.is_empty() && (!mischief || !dice.one_in(3)) {
            let Some((id, seq)) = self.flight.pop_front() else { break };
            // An event has arrived with the last of its packets.
            if !self.flight.iter().any(|(_, other)| *other == seq) {
                self.arrived.insert(seq);
            }
            self.acks.push_back(id);
        }
        while !self.acks.is_empty() && (!mischief || !dice.one_in(3)) {
            let Some(id) = self.acks.pop_front() else { break };
            assert!(outbox.acknowledged(id, now), "an acknowledgement of nothing");
            assert!(!outbox.acknowledged(id, now), "the same acknowledgement counted twice");
        }
        if !mischief || dice.one_in(5) {
            self.kept = outbox.cursor(Lane::Event);
        }
    }

    /// The connection breaks, or the power fails: what was not acknowledged is sent again.
    pub(crate) fn breaks(&mut self, dice: &mut Dice) {
        if let Some(outbox) = self.outbox.take() {
            // The cursor may or may not have reached the disk.
            if dice.one_in(2) {
                self.kept = outbox.cursor(Lane::Event);
            }
        }
        self.flight.clear();
        self.acks.clear();
    }

    pub(crate) fn cursor(&self) -> u64 {
        self.outbox.as_ref().map_or(self.kept, |outbox| outbox.cursor(Lane::Event))
    }

    pub(crate) fn has_arrived(&self, seq: u64) -> bool {
        self.arrived.contains(&seq)
    }

    pub(crate) fn open(&self) -> usize {
        self.outbox.as_ref().map_or(0, Outbox::open)
    }
}
