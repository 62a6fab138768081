//! What is on its way to one destination: which packet stands for what, what may be sent next, and up to where the
//! destination has taken each lane. No payloads: they stay in the buffer until they are acknowledged.
//!
//! An outbox lives as long as a connection. When that ends, whatever was not acknowledged is simply not passed, so
//! the next outbox, started at the same cursors, sends it again.
//!
//! ```text
//!   cursor          sent              news
//!     │ acknowledged │ not yet sent     │
//!  ───┼──■──□──■──□──┼──────────────────┼──▶ numbers        ■ acknowledged  □ on its way
//!     └── moves over ■ only, never over □
//! ```

use crate::model::record::Lane;
use crate::model::time::{Mono, Span};
use std::collections::{BTreeMap, VecDeque};

/// Events on their way at once. At 200 ms there and back this is 100 events a second, and it is all that is sent
/// twice when a connection is lost.
pub const EVENTS_WINDOW: usize = 20;

/// Telemetry blocks on their way at once: few, because an alarm stands behind them in the socket's buffer.
pub const TELEMETRY_WINDOW: usize = 2;

/// Retained states on their way at once.
pub const STATES_WINDOW: usize = 20;

/// Messages of no lane on their way at once: the states, a birth and an end.
pub const EXTRAS_MAX: usize = STATES_WINDOW + 2;

/// Packets that one item may need: an event, and the retained state that it leaves behind.
pub const PACKETS_MAX: usize = 2;

/// How long the oldest acknowledgement may take, counted from when it became the oldest: a slow link may need minutes
/// for a whole window, and each acknowledgement shows that it works. Acknowledgements come in the order of the
/// messages, so one that does not come while others do is lost.
pub const ACK_LIMIT: Span = Span::from_secs(30);

/// Most packets without an acknowledgement.
const OPEN_MAX: usize = EVENTS_WINDOW * PACKETS_MAX + TELEMETRY_WINDOW * PACKETS_MAX + EXTRAS_MAX;

const _: () = assert!(OPEN_MAX < u16::MAX as usize, "a free packet id is always found");

/// What there is to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Copies of what the journal can't take.
    pub unrecorded: bool,
    /// Events after the last one sent.
    pub events: bool,
    /// Retained states that a broker may have forgotten.
    pub states: bool,
    /// Telemetry blocks after the last one sent.
    pub telemetry: bool,
}

/// What to send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A copy of what the journal can't take.
    Unrecorded,
    /// The next event.
    Event,
    /// A retained state.
    State,
    /// The next telemetry block.
    Telemetry,
}

/// What is on its way on one connection.
#[derive(Clone, Debug)]
pub struct Outbox {
    events: Track,
    telemetry: Track,
    extras: usize,
    packets: BTreeMap<u16, OnTheWay>,
    last_id: u16,
    sent: u64,
    /// When the oldest packet became the oldest, unless it was sent later.
    progress: Mono,
}

/// A packet without an acknowledgement.
#[derive(Clone, Copy, Debug)]
struct OnTheWay {
    /// The lane and number that it is a part of; `None` for birth and states.
    item: Option<(Lane, u64)>,
    /// Which packet of the connection it is.
    nth: u64,
    since: Mono,
}

/// One lane of one connection.
#[derive(Clone, Debug)]
struct Track {
    window: usize,
    cursor: u64,
    open: VecDeque<Item>,
}

/// Something sent, with the number of its packets that are not acknowledged.
#[derive(Clone, Copy, Debug)]
struct Item {
    seq: u64,
    missing: usize,
}

impl Outbox {
    /// An outbox for a connection to a destination that has taken events up to `events` and telemetry up to
    /// `telemetry`.
    #[must_use]
    pub fn new(events: u64, telemetry: u64) -> Outbox {
        Outbox {
            events: Track::new(EVENTS_WINDOW, events),
            telemetry: Track::new(TELEMETRY_WINDOW, telemetry),
            extras: 0,
            packets: BTreeMap::new(),
            last_id: 0,
            sent: 0,
            progress: Mono::START,
        }
    }

    /// Whose turn it is. Telemetry only fills what the events leave: it is sent when no event waits at all, not even
    /// one that the window keeps back. What the journal can't take overtakes the events, which are older.
    #[must_use]
    pub fn turn(&self, waiting: Waiting) -> Option<Turn> {
        if waiting.unrecorded && self.extras.saturating_add(PACKETS_MAX) <= STATES_WINDOW {
            Some(Turn::Unrecorded)
        } else if waiting.events {
            self.events.has_room().then_some(Turn::Event)
        } else if waiting.states && self.extras < STATES_WINDOW {
            Some(Turn::State)
        } else if waiting.telemetry && self.telemetry.has_room() {
            Some(Turn::Telemetry)
        } else {
            None
        }
    }

    /// Notes that number `seq` of `lane` is sent in `packets` packets, at most [`PACKETS_MAX`]; with none it is set
    /// aside and counts as taken. Gives the packets' ids, or `None` where the window is full or `seq` was sent before.
    pub fn send(&mut self, lane: Lane, seq: u64, packets: usize, now: Mono) -> Option<Vec<u16>> {
        let track = self.track_mut(lane);
        if !track.has_room() || seq <= track.sent() || packets > PACKETS_MAX {
            return None;
        }
        track.open.push_back(Item { seq, missing: packets });
        track.settle();
        Some((0..packets).map(|_| self.put(Some((lane, seq)), now)).collect())
    }

    /// Notes that a message of no lane is sent: a birth, an end, a retained state or a copy. `None` where too many are on their way.
    pub fn send_extra(&mut self, now: Mono) -> Option<u16> {
        if self.extras >= EXTRAS_MAX {
            return None;
        }
        self.extras = self.extras.saturating_add(1);
        Some(self.put(None, now))
    }

    /// Takes the acknowledgement of packet `id`. False where no such packet is on its way, which changes nothing.
    pub fn acknowledged(&mut self, id: u16, now: Mono) -> bool {
        let Some(packet) = self.packets.remove(&id) else { return false };
        if self.packets.values().all(|other| other.nth > packet.nth) {
            self.progress = now;
        }
        match packet.item {
            None => self.extras = self.extras.saturating_sub(1),
            Some((lane, seq)) => self.track_mut(lane).acknowledged(seq),
        }
        true
    }

    /// The last number up to which everything of `lane` was acknowledged.
    #[must_use]
    pub fn cursor(&self, lane: Lane) -> u64 {
        self.track(lane).cursor
    }

    /// The last number of `lane` that was sent.
    #[must_use]
    pub fn sent(&self, lane: Lane) -> u64 {
        self.track(lane).sent()
    }

    /// Packets without an acknowledgement.
    #[must_use]
    pub fn open(&self) -> usize {
        self.packets.len()
    }

    /// When the oldest acknowledgement is overdue.
    #[must_use]
    pub fn ack_due(&self) -> Option<Mono> {
        let oldest = self.packets.values().min_by_key(|packet| packet.nth)?;
        Some(oldest.since.max(self.progress) + ACK_LIMIT)
    }

    fn put(&mut self, item: Option<(Lane, u64)>, since: Mono) -> u16 {
        loop {
            // Id 0 is forbidden.
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.packets.contains_key(&self.last_id) {
                self.sent = self.sent.saturating_add(1);
                self.packets.insert(self.last_id, OnTheWay { item, nth: self.sent, since });
                return self.last_id;
            }
        }
    }

    fn track(&self, lane: Lane) -> &Track {
        match lane {
            Lane::Event => &self.events,
            Lane::Telemetry => &self.telemetry,
        }
    }

    fn track_mut(&mut self, lane: Lane) -> &mut Track {
        match lane {
            Lane::Event => &mut self.events,
            Lane::Telemetry => &mut self.telemetry,
        }
    }
}

impl Track {
    fn new(window: usize, cursor: u64) -> Track {
        Track { window, cursor, open: VecDeque::new() }
    }

    fn has_room(&self) -> bool {
        self.open.len() < self.window
    }

    fn sent(&self) -> u64 {
        self.open.back().map_or(self.cursor, |item| item.seq)
    }

    fn acknowledged(&mut self, seq: u64) {
        if let Some(item) = self.open.iter_mut().find(|item| item.seq == seq) {
            item.missing = item.missing.saturating_sub(1);
        }
        self.settle();
    }

    /// Moves the cursor over what is acknowledged, from the front only.
    fn settle(&mut self) {
        while let Some(item) = self.open.front().copied().filter(|item| item.missing == 0) {
            self.cursor = item.seq;
            self.open.pop_front();
        }
    }
}

/// How long to wait before the next attempt to connect.
#[derive(Clone, Copy, Debug, Default)]
pub struct BackOff {
    failures: u32,
}

impl BackOff {
    /// Longest wait after the first failure; it doubles with each further one.
    pub const FIRST: Span = Span::from_secs(1);

    /// Longest wait of all: a broker that is back is found again within a minute.
    pub const MAX: Span = Span::from_secs(60);

    /// The wait after one more failure: between half and the whole of what has been reached, by `random`, so that
    /// the gateways of a district don't come back all at once.
    pub fn after_failure(&mut self, random: u64) -> Span {
        let whole = BackOff::FIRST.times(1 << self.failures.min(10)).min(BackOff::MAX).us();
        self.failures = self.failures.saturating_add(1);
        let half = whole / 2;
        Span::from_us(half.saturating_add(random.checked_rem(half.saturating_add(1)).unwrap_or(0)))
    }

    /// A connection has proved to work.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(s: u64) -> Mono {
        Mono::START + Span::from_secs(s)
    }

    #[test]
    fn an_event_is_passed_only_when_all_its_packets_are_acknowledged() {
        let mut outbox = Outbox::new(10, 0);
        let ids = outbox.send(Lane::Event, 11, 2, at(0)).unwrap();
        assert!(outbox.acknowledged(ids[1], at(0)));
        assert_eq!(outbox.cursor(Lane::Event), 10);
        assert!(outbox.acknowledged(ids[0], at(0)));
        assert_eq!(outbox.cursor(Lane::Event), 11);
        assert!(!outbox.acknowledged(ids[0], at(0)), "a second acknowledgement means nothing");
    }

    #[test]
    fn the_cursor_never_jumps_over_a_missing_acknowledgement() {
        let mut outbox = Outbox::new(0, 0);
        let first = outbox.send(Lane::Event, 1, 1, at(0)).unwrap();
        let second = outbox.send(Lane::Event, 2, 1, at(0)).unwrap();
        outbox.acknowledged(second[0], at(0));
        assert_eq!(outbox.cursor(Lane::Event), 0);
        outbox.acknowledged(first[0], at(0));
        assert_eq!(outbox.cursor(Lane::Event), 2);
    }

    #[test]
    fn telemetry_waits_as_long_as_an_event_waits() {
        let mut outbox = Outbox::new(0, 0);
        let all = Waiting { events: true, states: true, telemetry: true, unrecorded: false };
        assert_eq!(outbox.turn(all), Some(Turn::Event));
        for seq in 1..=u64::try_from(EVENTS_WINDOW).unwrap() {
            outbox.send(Lane::Event, seq, 1, at(0)).unwrap();
        }
        assert_eq!(outbox.turn(all), None, "the window is full, and still nothing overtakes");
        assert_eq!(outbox.turn(Waiting { events: false, ..all }), Some(Turn::State));
        assert_eq!(outbox.turn(Waiting { unrecorded: true, ..all }), Some(Turn::Unrecorded));
        assert_eq!(
            outbox.turn(Waiting { telemetry: true, ..Waiting::default() }),
            Some(Turn::Telemetry),
            "events on their way do not hold telemetry back, only events that wait do"
        );
    }

    #[test]
    fn what_is_set_aside_blocks_nothing_and_passes_nothing_before_it() {
        let mut outbox = Outbox::new(0, 0);
        let first = outbox.send(Lane::Event, 1, 1, at(0)).unwrap();
        assert_eq!(outbox.send(Lane::Event, 2, 0, at(0)), Some(Vec::new()));
        assert_eq!(outbox.cursor(Lane::Event), 0);
        outbox.acknowledged(first[0], at(0));
        assert_eq!(outbox.cursor(Lane::Event), 2);
    }

    #[test]
    fn the_oldest_missing_acknowledgement_sets_the_deadline() {
        let mut outbox = Outbox::new(0, 0);
        assert_eq!(outbox.ack_due(), None);
        let ids: Vec<u16> = (1..=3).flat_map(|n| outbox.send(Lane::Event, n, 1, at(n)).unwrap()).collect();
        assert_eq!(outbox.ack_due(), Some(at(1) + ACK_LIMIT));
        outbox.acknowledged(ids[1], at(20));
        assert_eq!(outbox.ack_due(), Some(at(1) + ACK_LIMIT), "a later one does not excuse it");
        outbox.acknowledged(ids[0], at(25));
        assert_eq!(outbox.ack_due(), Some(at(25) + ACK_LIMIT), "a slow link is given its time");
        outbox.acknowledged(ids[2], at(26));
        assert_eq!(outbox.ack_due(), None);
    }

    #[test]
    fn packet_ids_wrap_around_without_meeting_one_that_is_on_its_way() {
        let mut outbox = Outbox::new(0, 0);
        let kept = outbox.send_extra(at(0)).unwrap();
        for _ in 0..200_000 {
            let id = outbox.send_extra(at(0)).unwrap();
            assert_ne!(id, 0);
            assert_ne!(id, kept);
            assert!(outbox.acknowledged(id, at(0)));
        }
    }

    #[test]
    fn the_wait_doubles_to_a_minute_and_starts_again_after_a_reset() {
        let mut back_off = BackOff::default();
        let longest: Vec<u64> = (0..9).map(|_| back_off.after_failure(u64::MAX).ms()).collect();
        let mut fresh = BackOff::default();
        let shortest: Vec<u64> = (0..9).map(|_| fresh.after_failure(0).ms()).collect();
        assert_eq!(shortest, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert!(longest.iter().zip(&shortest).all(|(l, s)| l >= s && l <= &(2 * s)), "{longest:?}");
        back_off.reset();
        assert!(back_off.after_failure(u64::MAX) <= BackOff::FIRST);
    }

    /// What a broker and a network do to an outbox.
    #[derive(Clone, Copy, Debug)]
    enum Deed {
        Send(Lane, usize),
        Extra,
        Acknowledge(usize),
        AcknowledgeNonsense(u16),
        LoseConnection,
    }

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let lane = prop_oneof![Just(Lane::Event), Just(Lane::Telemetry)];
        let deed = prop_oneof![
            5 => (lane, 0..=PACKETS_MAX).prop_map(|(lane, packets)| Deed::Send(lane, packets)),
            1 => Just(Deed::Extra),
            6 => any::<usize>().prop_map(Deed::Acknowledge),
            1 => any::<u16>().prop_map(Deed::AcknowledgeNonsense),
            1 => Just(Deed::LoseConnection),
        ];
        prop::collection::vec(deed, 0..400)
    }

    /// Everything that was ever acknowledged, and what is on its way: what an outbox must agree with.
    #[derive(Default)]
    struct Model {
        cursors: BTreeMap<Lane, u64>,
        open: BTreeMap<u16, Option<(Lane, u64)>>,
        sent: BTreeMap<Lane, Vec<u64>>,
    }

    impl Model {
        fn new() -> Model {
            let cursors = BTreeMap::from([(Lane::Event, 0), (Lane::Telemetry, 0)]);
            Model { cursors, ..Model::default() }
        }

        fn expected_cursor(&self, lane: Lane) -> u64 {
            let open: Vec<u64> =
                self.open.values().flatten().filter(|(l, _)| *l == lane).map(|(_, seq)| *seq).collect();
            let sent = self.sent.get(&lane).cloned().unwrap_or_default();
            sent.into_iter().take_while(|seq| !open.contains(seq)).last().unwrap_or(self.cursors[&lane])
        }
    }

    proptest! {
        #[test]
        fn nothing_is_passed_before_its_acknowledgement_and_all_is_sent_again(deeds in deeds()) {
            let mut model = Model::new();
            let mut outbox = Outbox::new(0, 0);
            for deed in deeds {
                match deed {
                    Deed::Send(lane, packets) => {
                        let seq = outbox.sent(lane) + 1;
                        if let Some(ids) = outbox.send(lane, seq, packets, at(0)) {
                            prop_assert_eq!(ids.len(), packets);
                            for id in ids {
                                prop_assert!(model.open.insert(id, Some((lane, seq))).is_none(), "id in use");
                            }
                            model.sent.entry(lane).or_default().push(seq);
                        }
                    }
                    Deed::Extra => {
                        if let Some(id) = outbox.send_extra(at(0)) {
                            prop_assert!(model.open.insert(id, None).is_none(), "id in use");
                        }
                    }
                    Deed::Acknowledge(n) => {
                        if let Some(id) = model.open.keys().nth(n % model.open.len().max(1)).copied() {
                            model.open.remove(&id);
                            prop_assert!(outbox.acknowledged(id, at(0)));
                        }
                    }
                    Deed::AcknowledgeNonsense(id) => {
                        prop_assert_eq!(outbox.acknowledged(id, at(0)), model.open.remove(&id).is_some());
                    }
                    Deed::LoseConnection => {
                        let [events, telemetry] = [Lane::Event, Lane::Telemetry].map(|l| outbox.cursor(l));
                        model.cursors = BTreeMap::from([(Lane::Event, events), (Lane::Telemetry, telemetry)]);
                        (model.open, model.sent) = (BTreeMap::new(), BTreeMap::new());
                        outbox = Outbox::new(events, telemetry);
                        // Whatever was not acknowledged comes next.
                        prop_assert_eq!(outbox.sent(Lane::Event), events);
                    }
                }
                for lane in [Lane::Event, Lane::Telemetry] {
                    prop_assert_eq!(outbox.cursor(lane), model.expected_cursor(lane));
                    let sent = model.sent.get(&lane).cloned().unwrap_or_default();
                    prop_assert!(sent.is_sorted_by(|a, b| a < b), "first sends are in order");
                }
                prop_assert!(outbox.open() <= OPEN_MAX);
                prop_assert_eq!(outbox.open(), model.open.len());
            }
        }
    }
}
