//! The packets that were sent and are not cumulatively acknowledged, one slot per sequence number.
//!
//! A slot says where the payload is kept, never holds it. A sequence number that was on the wire
//! keeps its length for ever: uTP cannot cut a packet again. Beside the slots there is one bit for
//! each that is acked and for each that is lost, so that neither a mask of many bits nor the next
//! packet to send again costs a walk over what is outstanding.

use utp_wire::{Instant, SeqNr};

use crate::bit_ring::BitRing;
use crate::config::IN_FLIGHT_PACKETS_MAX;
use crate::send_queue::Position;

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
    /// It was last taken for lost because later packets had arrived.
    pub(crate) overtaken: bool,
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

/// One block of memory of the size of a few cache lines.
const SLOTS_MIN: usize = 16;

const EMPTY: Slot = Slot {
    sent_at: Instant::from_micros(0),
    tx_nr: 0,
    position: Position::ZERO,
    len: 0,
    transmissions: 0,
    state: SlotState::Acked,
    fin: false,
    overtaken: false,
};

impl SentRing {
    pub(crate) const fn new(first: SeqNr) -> Self {
        Self { rings: None, first, count: 0 }
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
        self.first = first;
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
    }

    /// The first lost packet from `from` on, which is outstanding or the next to be sent.
    pub(crate) fn next_lost(&self, from: SeqNr) -> Option<SeqNr> {
        self.rings.as_deref()?.lost.next_set(from, self.next().distance_from(from))
    }

    /// Of the 64 numbers from `from` on, which are outstanding; the lowest bit is that of `from`.
    /// `from` is less than half the circle away from what is outstanding.
    pub(crate) const fn outstanding_word(&self, from: SeqNr) -> u64 {
        let up = from.distance_from(self.first);
        if up < 1 << 15 {
            return low_bits(self.count.saturating_sub(up));
        }
        let before = self.first.distance_from(from);
        low_bits(before.saturating_add(self.count)) & !low_bits(before)
    }

    /// The same, of those that are acked.
    pub(crate) fn acked_word(&self, from: SeqNr) -> u64 {
        self.rings.as_deref().map_or(0, |rings| rings.acked.word(from))
    }

    /// Removes the oldest packet.
    pub(crate) fn pop(&mut self) -> Option<Slot> {
        let slot = *self.get(self.first)?;
        // Bits outside of what is outstanding are clear, as those of a packet in flight are.
        self.set_state(self.first, SlotState::InFlight);
        self.first = self.first.next();
        self.count -= 1;
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

/// A word with its `count` lowest bits set; all of them from 64 on.
const fn low_bits(count: u16) -> u64 {
    if count < 64 { (1 << count) - 1 } else { u64::MAX }
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
            for before in 0..130 {
                let from = ring.first().sub(before).add(64);
                let (outstanding, acked) = (ring.outstanding_word(from), ring.acked_word(from));
                for bit in [0, 1, 40, 63] {
                    let slot = ring.get(from.add(bit));
                    assert_eq!(outstanding >> bit & 1 == 1, slot.is_some());
                    let is_acked = slot.is_some_and(|slot| slot.state == SlotState::Acked);
                    assert_eq!(acked & outstanding & 1 << bit != 0, is_acked);
                }
            }
            let mut lost = (0..ring.len()).map(|offset| ring.first().add(offset));
            let lost = lost.find(|seq_nr| state_of(*seq_nr) == SlotState::Lost);
            assert_eq!(ring.next_lost(ring.first()), lost);
            assert_eq!(ring.next_lost(ring.next()), None);
        }
        assert!(ring.len() > 1_000, "{}", ring.len());
    }

    #[test]
    fn a_slot_stays_small() {
        assert!(size_of::<Slot>() <= 32);
    }
}
