//! The packets that were sent and are not cumulatively acknowledged, one slot per sequence number.
//!
//! A slot says where the payload is kept, never holds it. A sequence number that was on the wire
//! keeps its length for ever: uTP cannot cut a packet again. Beside the slots there is one bit for
//! each that is acked and for each that is lost, so that neither a mask of many bits nor the next
//! packet to send again costs a walk over what is outstanding.

use utp_wire::{Instant, SelectiveAck, SeqNr};

use crate::bit_ring::{BitRing, bit_number};
use crate::config::IN_FLIGHT_PACKETS_MAX;
use crate::send_queue::Position;
use crate::trace::ResendCause;

/// What is known of a packet that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// Named by a selective ack; kept until the cumulative ack passes it.
    Acked,
    /// On its way, as far as we know.
    InFlight,
    /// Held to be lost: to be sent again.
    Lost,
}

/// One packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// When it was last sent.
    pub(crate) sent_at: Instant,
    /// Number of its last transmission; counts every transmission of the connection.
    pub(crate) tx_nr: u64,
    pub(crate) position: Position,
    pub(crate) len: u16,
    pub(crate) transmissions: u8,
    /// Written by the ring, which keeps its bits in step.
    state: SlotState,
    pub(crate) fin: bool,
    /// Why it was last taken for lost, or repeated.
    pub(crate) cause: Option<ResendCause>,
    /// The episode of losses in which that was.
    pub(crate) episode: u8,
    /// It was kept back at first.
    pub(crate) withheld: bool,
}

impl Slot {
    /// A packet that waits for its first transmission, like one that was lost.
    pub(crate) const fn new(position: Position, len: u16, fin: bool) -> Self {
        Self { position, len, fin, state: SlotState::Lost, ..EMPTY }
    }

    pub(crate) const fn state(&self) -> SlotState {
        self.state
    }
}

/// Slots in the order of their sequence numbers.
#[derive(Debug)]
pub(crate) struct SentRing {
    /// Nothing until the first packet, and again after [`Self::release`].
    rings: Option<Box<Rings>>,
    /// The oldest number that is not cumulatively acknowledged; equal to the next number to be
    /// sent when nothing is outstanding.
    first: SeqNr,
    count: u16,
    /// Every lost packet is at or after this number.
    lost_hint: SeqNr,
}

/// What is only needed while data flows.
#[derive(Debug, Default)]
struct Rings {
    /// A power of two long, or empty.
    slots: Vec<Slot>,
    /// Which outstanding packets are in the state [`SlotState::Acked`].
    acked: BitRing,
    /// Which outstanding packets are in the state [`SlotState::Lost`].
    lost: BitRing,
}

/// What a mask says that was not known.
#[derive(Debug)]
pub(crate) struct NamedAnew {
    /// The number of the lowest bit.
    from: SeqNr,
    words: [u64; SELECTIVE_ACK_WORDS],
    len: usize,
    /// The highest number that is named and outstanding, news or not.
    pub(crate) highest: Option<SeqNr>,
}

impl NamedAnew {
    /// The numbers, ascending.
    pub(crate) fn seq_nrs(&self) -> impl Iterator<Item = SeqNr> {
        self.words[..self.len].iter().enumerate().flat_map(move |(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(self.seq_nr(index, bit))
            })
        })
    }

    fn seq_nr(&self, index: usize, bit: u32) -> SeqNr {
        let word = u16::try_from(index * 64).expect("a mask has 32 words at the most");
        self.from.add(word).add(bit_number(bit))
    }
}

/// As long as a mask can be.
const SELECTIVE_ACK_WORDS: usize = 32;

/// Most connections have a few packets on their way, now and then.
const SLOTS_MIN: usize = 4;

const EMPTY: Slot = Slot {
    sent_at: Instant::from_micros(0),
    tx_nr: 0,
    position: Position::ZERO,
    len: 0,
    transmissions: 0,
    state: SlotState::Acked,
    fin: false,
    cause: None,
    episode: 0,
    withheld: false,
};

impl SentRing {
    pub(crate) const fn new(first: SeqNr) -> Self {
        Self { rings: None, first, count: 0, lost_hint: first }
    }

    /// The oldest number that is not cumulatively acknowledged.
    pub(crate) const fn first(&self) -> SeqNr {
        self.first
    }

    /// The number that the next new packet gets.
    pub(crate) const fn next(&self) -> SeqNr {
        self.first.add(self.count)
    }

    pub(crate) const fn len(&self) -> u16 {
        self.count
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Moves an empty ring to another first number.
    pub(crate) fn rebase(&mut self, first: SeqNr) {
        debug_assert!(self.is_empty(), "numbers that were sent stay");
        (self.first, self.lost_hint) = (first, first);
    }

    /// Gives the memory back if nothing is outstanding.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            self.rings = None;
        }
    }

    /// Adds the packet `next()`.
    pub(crate) fn push(&mut self, slot: Slot) {
        debug_assert!(self.count < IN_FLIGHT_PACKETS_MAX, "the caller checks for room");
        let (first, next, count) = (self.first, self.next(), self.count);
        let rings = self.rings.get_or_insert_default();
        if usize::from(count) == rings.slots.len() {
            rings.grow(first, count);
        }
        let at = rings.index(next);
        rings.slots[at] = slot;
        rings.note(next, slot.state);
        self.count += 1;
    }

    /// The packet `seq_nr`, if it is outstanding.
    pub(crate) fn get(&self, seq_nr: SeqNr) -> Option<&Slot> {
        let rings = self.rings.as_deref().filter(|_| self.contains(seq_nr))?;
        Some(&rings.slots[rings.index(seq_nr)])
    }

    /// The packet `seq_nr`, if it is outstanding.
    pub(crate) fn get_mut(&mut self, seq_nr: SeqNr) -> Option<&mut Slot> {
        let contained = self.contains(seq_nr);
        let rings = self.rings.as_deref_mut().filter(|_| contained)?;
        let at = rings.index(seq_nr);
        Some(&mut rings.slots[at])
    }

    /// Moves the packet `seq_nr`, if it is outstanding, to another state.
    pub(crate) fn set_state(&mut self, seq_nr: SeqNr, state: SlotState) {
        let contained = self.contains(seq_nr);
        let Some(rings) = self.rings.as_deref_mut().filter(|_| contained) else { return };
        let at = rings.index(seq_nr);
        rings.slots[at].state = state;
        rings.note(seq_nr, state);
        if state == SlotState::Lost && seq_nr.precedes(self.lost_hint) {
            self.lost_hint = seq_nr;
        }
    }

    /// The first lost packet.
    pub(crate) fn next_lost(&mut self) -> Option<SeqNr> {
        let from = self.lost_hint;
        let lost = &self.rings.as_deref()?.lost;
        let seq_nr = lost.next_set(from, self.next().distance_from(from))?;
        self.lost_hint = seq_nr;
        Some(seq_nr)
    }

    /// Which outstanding packets a mask names that are not acked yet, and the highest that it names
    /// at all. What was never sent cannot have arrived, and what was acked is not news.
    pub(crate) fn named_anew(&self, ack_nr: SeqNr, mask: SelectiveAck<'_>) -> NamedAnew {
        let from = ack_nr.add(2);
        let mut named = NamedAnew { from, words: [0; SELECTIVE_ACK_WORDS], len: 0, highest: None };
        let Some(rings) = self.rings.as_deref() else { return named };
        let left = usize::from(forward(from, self.next()));
        named.len = left.div_ceil(64).min(mask.words().len());
        let words = &mut named.words[..named.len];
        for (word, bits) in words.iter_mut().zip(mask.words()) {
            *word = bits;
        }
        if let Some(last) = words.last_mut().filter(|_| left < named.len * 64) {
            *last &= (1 << (left % 64)) - 1;
        }
        let before = usize::from(forward(from, self.first));
        for (index, word) in words.iter_mut().enumerate().take(before.div_ceil(64)) {
            *word &= u64::MAX.checked_shl(bit_count(before - index * 64)).unwrap_or(0);
        }
        let highest = words.iter().enumerate().rfind(|(_, word)| **word != 0);
        let highest = highest.map(|(index, word)| (index, word.ilog2()));
        named.highest = highest.map(|(index, bit)| named.seq_nr(index, bit));
        rings.acked.clear_in(from, &mut named.words[..named.len]);
        named
    }

    /// Removes the oldest packet.
    pub(crate) fn pop(&mut self) -> Option<Slot> {
        let slot = *self.get(self.first)?;
        // Bits outside of what is outstanding are clear, as those of a packet in flight are.
        self.set_state(self.first, SlotState::InFlight);
        self.first = self.first.next();
        self.count -= 1;
        if self.lost_hint.precedes(self.first) {
            self.lost_hint = self.first;
        }
        Some(slot)
    }

    /// Removes the newest packet, which was never on the wire.
    pub(crate) fn pop_newest(&mut self) -> Option<Slot> {
        let newest = self.next().previous();
        let slot = *self.get(newest)?;
        self.set_state(newest, SlotState::InFlight);
        self.count -= 1;
        if newest.precedes(self.lost_hint) {
            self.lost_hint = newest;
        }
        Some(slot)
    }

    fn contains(&self, seq_nr: SeqNr) -> bool {
        seq_nr.distance_from(self.first) < self.count
    }
}

impl Rings {
    fn index(&self, seq_nr: SeqNr) -> usize {
        usize::from(seq_nr.0) & (self.slots.len() - 1)
    }

    /// Brings the bits of `seq_nr` in step with `state`.
    fn note(&mut self, seq_nr: SeqNr, state: SlotState) {
        self.acked.put(seq_nr, state == SlotState::Acked);
        self.lost.put(seq_nr, state == SlotState::Lost);
    }

    /// Doubles the rings, which hold `count` packets from `first` on.
    fn grow(&mut self, first: SeqNr, count: u16) {
        let len = (self.slots.len() * 2).max(SLOTS_MIN);
        let mut slots = vec![EMPTY; len];
        for offset in 0..count {
            let seq_nr = first.add(offset);
            slots[usize::from(seq_nr.0) & (len - 1)] = self.slots[self.index(seq_nr)];
        }
        self.slots = slots;
        self.acked.reserve(first, len);
        self.lost.reserve(first, len);
    }
}

/// How far it is from `from` up to `to`, which are less than half the circle apart; zero if `to` is
/// behind.
const fn forward(from: SeqNr, to: SeqNr) -> u16 {
    if from.precedes(to) { to.distance_from(from) } else { 0 }
}

fn bit_count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_survive_growth_and_the_wrap_of_numbers() {
        let mut ring = SentRing::new(SeqNr(65_530));
        for tx_nr in 0..u64::from(IN_FLIGHT_PACKETS_MAX) {
            ring.push(Slot { tx_nr, ..EMPTY });
        }
        assert_eq!(ring.next(), SeqNr(65_530).add(IN_FLIGHT_PACKETS_MAX));
        for tx_nr in 0..u64::from(IN_FLIGHT_PACKETS_MAX) {
            assert_eq!(ring.get(ring.first()).map(|slot| slot.tx_nr), Some(tx_nr));
            ring.pop();
        }
        assert!(ring.is_empty());
        assert!(ring.get(ring.first()).is_none());
    }

    #[test]
    fn bits_follow_the_states_through_growth_pops_and_the_wrap() {
        let states = [SlotState::Acked, SlotState::InFlight, SlotState::Lost];
        let state_of = |seq_nr: SeqNr| states[usize::from(seq_nr.0) * 7 / 5 % 3];
        let mut ring = SentRing::new(SeqNr(65_000));
        for round in 0..3_000u16 {
            for _ in 0..round % 5 {
                let next = ring.next();
                ring.push(Slot::new(Position::ZERO, 1, false));
                ring.set_state(next, state_of(next));
            }
            for _ in 0..round % 4 {
                ring.pop();
            }
            let ack_nr = ring.first().add(round % 70).sub(round % 130);
            let mask = [[0xff; 255], [0x49; 255]][usize::from(round % 2)];
            let mask = SelectiveAck::new(&mask[..usize::from(round % 256)]);
            let outstanding = mask.seq_nrs(ack_nr).filter(|seq_nr| ring.get(*seq_nr).is_some());
            let named = ring.named_anew(ack_nr, mask);
            assert_eq!(named.highest, outstanding.clone().last());
            let new = outstanding.filter(|seq_nr| state_of(*seq_nr) != SlotState::Acked);
            assert!(named.seq_nrs().eq(new), "round {round}");
            let mut lost = (0..ring.len()).map(|offset| ring.first().add(offset));
            let lost = lost.find(|seq_nr| state_of(*seq_nr) == SlotState::Lost);
            assert_eq!(ring.next_lost(), lost);
        }
        assert!(ring.len() > 1_000, "{}", ring.len());
    }

    // req: H-25, HO-08
    #[test]
    fn masks_that_change_with_every_packet_name_each_packet_once() {
        let mut ring = SentRing::new(SeqNr(65_000));
        for _ in 0..4_096 {
            ring.push(Slot::new(Position::ZERO, 1, false));
        }
        let ack_nr = ring.first().previous();
        let mut named = 0;
        for round in 0..1_000usize {
            let mask = [[0x55, 0xaa, 0xff, 0x01][round % 4]; 255];
            let new = ring.named_anew(ack_nr, SelectiveAck::new(&mask));
            for seq_nr in new.seq_nrs() {
                ring.set_state(seq_nr, SlotState::Acked);
                named += 1;
            }
        }
        assert_eq!(named, 255 * 8);
    }

    #[test]
    fn a_slot_stays_small() {
        assert!(size_of::<Slot>() <= 32);
    }
}
