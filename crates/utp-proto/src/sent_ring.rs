//! The packets that were sent and are not cumulatively acknowledged, one slot per sequence number.
//!
//! A slot says where the payload is kept, never holds it. A sequence number that was on the wire
//! keeps its length for ever: uTP cannot cut a packet again.

use utp_wire::{Instant, SeqNr};

use crate::config::WINDOW_PACKETS_MAX;
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
    pub(crate) state: SlotState,
    pub(crate) fin: bool,
    /// It was last taken for lost because later packets had arrived.
    pub(crate) overtaken: bool,
}

/// Slots in the order of their sequence numbers.
#[derive(Debug)]
pub(crate) struct SentRing {
    /// A power of two long, or empty.
    slots: Vec<Slot>,
    /// The oldest number that is not cumulatively acknowledged; equal to the next number to be
    /// sent when nothing is outstanding.
    first: SeqNr,
    count: u16,
}

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
        Self { slots: Vec::new(), first, count: 0 }
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

    pub(crate) const fn is_full(&self) -> bool {
        self.count >= WINDOW_PACKETS_MAX
    }

    /// Moves an empty ring to another first number.
    pub(crate) fn rebase(&mut self, first: SeqNr) {
        debug_assert!(self.is_empty(), "numbers that were sent stay");
        self.first = first;
    }

    /// Adds the packet `next()`.
    pub(crate) fn push(&mut self, slot: Slot) {
        debug_assert!(!self.is_full(), "the caller checks for room");
        if usize::from(self.count) == self.slots.len() {
            self.grow();
        }
        let at = self.index(self.next());
        self.slots[at] = slot;
        self.count += 1;
    }

    /// The packet `seq_nr`, if it is outstanding.
    pub(crate) fn get(&self, seq_nr: SeqNr) -> Option<&Slot> {
        self.contains(seq_nr).then(|| &self.slots[self.index(seq_nr)])
    }

    /// The packet `seq_nr`, if it is outstanding.
    pub(crate) fn get_mut(&mut self, seq_nr: SeqNr) -> Option<&mut Slot> {
        if !self.contains(seq_nr) {
            return None;
        }
        let at = self.index(seq_nr);
        Some(&mut self.slots[at])
    }

    /// Removes the oldest packet.
    pub(crate) fn pop(&mut self) -> Option<Slot> {
        let slot = *self.get(self.first)?;
        self.first = self.first.next();
        self.count -= 1;
        Some(slot)
    }

    fn contains(&self, seq_nr: SeqNr) -> bool {
        seq_nr.distance_from(self.first) < self.count
    }

    fn index(&self, seq_nr: SeqNr) -> usize {
        usize::from(seq_nr.0) & (self.slots.len() - 1)
    }

    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(SLOTS_MIN);
        let mut slots = vec![EMPTY; len];
        for offset in 0..self.count {
            let seq_nr = self.first.add(offset);
            slots[usize::from(seq_nr.0) & (len - 1)] = self.slots[self.index(seq_nr)];
        }
        self.slots = slots;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_survive_growth_and_the_wrap_of_numbers() {
        let mut ring = SentRing::new(SeqNr(65_530));
        for tx_nr in 0..u64::from(WINDOW_PACKETS_MAX) {
            ring.push(Slot { tx_nr, ..EMPTY });
        }
        assert!(ring.is_full());
        assert_eq!(ring.next(), SeqNr(65_530).add(WINDOW_PACKETS_MAX));
        for tx_nr in 0..u64::from(WINDOW_PACKETS_MAX) {
            assert_eq!(ring.get(ring.first()).map(|slot| slot.tx_nr), Some(tx_nr));
            ring.pop();
        }
        assert!(ring.is_empty());
        assert!(ring.get(ring.first()).is_none());
    }

    #[test]
    fn a_slot_stays_small() {
        assert!(size_of::<Slot>() <= 32);
    }
}
