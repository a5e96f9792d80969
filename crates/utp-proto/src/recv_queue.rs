//! Bytes that arrived, from the datagram until the application has consumed them.
//!
//! In-order bytes wait in a queue of chunks, packets beyond a gap in a ring indexed by sequence
//! number. Both are charged against one budget, the receive buffer.

use std::collections::VecDeque;

use bytes::Bytes;
use utp_wire::{SelectiveAckBuilder, SeqNr};

use crate::chunk::Chunk;
use crate::config::{HELD_PACKET_OVERHEAD, IN_FLIGHT_PACKETS_UNPROVEN};

/// A packet beyond a gap.
#[derive(Debug)]
struct Held {
    payload: Box<[u8]>,
    fin: bool,
}

/// The receiving side's bytes.
#[derive(Debug, Default)]
pub(crate) struct RecvQueue {
    ready: VecDeque<Chunk>,
    ready_bytes: usize,
    /// Taken by the owner and not yet consumed by its application.
    taken_bytes: usize,
    /// A power of two long, or empty.
    ring: Vec<Option<Held>>,
    held_count: u16,
    held_bytes: usize,
}

const RING_MIN: usize = 16;

impl RecvQueue {
    /// Bytes that count against the receive buffer.
    pub(crate) const fn charged_bytes(&self) -> usize {
        self.ready_bytes
            + self.taken_bytes
            + self.held_bytes
            + self.held_count as usize * HELD_PACKET_OVERHEAD as usize
    }

    pub(crate) const fn has_holes(&self) -> bool {
        self.held_count > 0
    }

    /// Appends in-order bytes.
    ///
    /// Every payload is copied out of the datagram it came in: a slice of that would pin a receive
    /// buffer that may hold many others, and memory would not be what is charged.
    pub(crate) fn push(&mut self, mut payload: &[u8]) {
        self.ready_bytes += payload.len();
        if let Some(last) = self.ready.back_mut() {
            let taken = last.append(payload);
            payload = &payload[taken..];
        }
        while !payload.is_empty() {
            let (chunk, taken) = Chunk::gather(payload, self.ready.back());
            self.ready.push_back(chunk);
            payload = &payload[taken..];
        }
    }

    /// Whether `seq_nr`, `ahead` of the next expected number, is held beyond a gap.
    pub(crate) fn is_held(&self, seq_nr: SeqNr, ahead: u16) -> bool {
        // Beyond the ring's length an index would alias a nearer number.
        usize::from(ahead) < self.ring.len() && self.ring[self.index(seq_nr)].is_some()
    }

    /// Holds a packet `ahead` of the next expected one (1 to [`IN_FLIGHT_PACKETS_UNPROVEN`]).
    pub(crate) fn hold(&mut self, seq_nr: SeqNr, ahead: u16, payload: &[u8], fin: bool) {
        debug_assert!(
            (1..=IN_FLIGHT_PACKETS_UNPROVEN).contains(&ahead),
            "the caller checks the span"
        );
        while usize::from(ahead) >= self.ring.len() {
            self.grow(seq_nr.sub(ahead));
        }
        let at = self.index(seq_nr);
        debug_assert!(self.ring[at].is_none(), "the caller checks for duplicates");
        self.held_count += 1;
        self.held_bytes += payload.len();
        self.ring[at] = Some(Held { payload: payload.into(), fin });
    }

    /// Removes the packet `seq_nr` if it is held.
    pub(crate) fn take_held(&mut self, seq_nr: SeqNr) -> Option<(Box<[u8]>, bool)> {
        if self.held_count == 0 {
            return None;
        }
        let at = self.index(seq_nr);
        let held = self.ring[at].take()?;
        self.held_count -= 1;
        self.held_bytes -= held.payload.len();
        Some((held.payload, held.fin))
    }

    /// Forgets everything beyond a gap.
    pub(crate) fn drop_held(&mut self) {
        self.ring = Vec::new();
        self.held_count = 0;
        self.held_bytes = 0;
    }

    /// Names what is held beyond `ack_nr + 1`, as far as the mask reaches.
    pub(crate) fn selective_ack(&self, ack_nr: SeqNr) -> SelectiveAckBuilder {
        let mut mask = SelectiveAckBuilder::new();
        let mut left = self.held_count;
        let span = self.ring.len().min(SELECTIVE_ACK_BITS);
        for bit in 0..u16::try_from(span).unwrap_or(u16::MAX) {
            if left == 0 {
                break;
            }
            if self.is_held(ack_nr.add(2).add(bit), bit + 1) {
                mask.set(usize::from(bit));
                left -= 1;
            }
        }
        mask
    }

    /// Moves at most `len_max` in-order bytes out; they stay charged until [`Self::consume`].
    pub(crate) fn take(&mut self, len_max: usize) -> Option<Bytes> {
        let front = self.ready.front_mut()?;
        let bytes = if front.len() > len_max {
            front.split_to(len_max)
        } else {
            self.ready.pop_front().map(Chunk::into_bytes)?
        };
        self.ready_bytes -= bytes.len();
        self.taken_bytes += bytes.len();
        Some(bytes)
    }

    /// The application is done with bytes that were taken.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.taken_bytes = self.taken_bytes.saturating_sub(bytes);
    }

    /// Forgets every byte, taken ones too. What was held stays known: the peer was told of it and
    /// may not send it again.
    pub(crate) fn discard(&mut self) {
        self.ready = VecDeque::new();
        self.ready_bytes = 0;
        self.taken_bytes = 0;
        self.held_bytes = 0;
        for held in self.ring.iter_mut().flatten() {
            held.payload = Box::default();
        }
    }

    fn index(&self, seq_nr: SeqNr) -> usize {
        usize::from(seq_nr.0) & (self.ring.len() - 1)
    }

    /// Doubles the ring; `expected` is the next number of the stream.
    fn grow(&mut self, expected: SeqNr) {
        let len = (self.ring.len() * 2).max(RING_MIN);
        let mut ring: Vec<Option<Held>> = Vec::new();
        ring.resize_with(len, || None);
        for ahead in 1..u16::try_from(self.ring.len()).unwrap_or(u16::MAX) {
            let seq_nr = expected.add(ahead);
            let from = self.index(seq_nr);
            ring[usize::from(seq_nr.0) & (len - 1)] = self.ring[from].take();
        }
        self.ring = ring;
    }
}

const SELECTIVE_ACK_BITS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(byte: u8, len: usize) -> Bytes {
        Bytes::from(vec![byte; len])
    }

    #[test]
    fn held_packets_survive_growth_across_the_wrap() {
        let expected = SeqNr(65_500);
        let mut queue = RecvQueue::default();
        for ahead in [1u16, 15, 16, 40, 300, IN_FLIGHT_PACKETS_UNPROVEN] {
            queue.hold(expected.add(ahead), ahead, &payload(7, usize::from(ahead)), false);
        }
        for ahead in [1u16, 15, 16, 40, 300, IN_FLIGHT_PACKETS_UNPROVEN] {
            let (bytes, _) = queue.take_held(expected.add(ahead)).expect("held");
            assert_eq!(bytes.len(), usize::from(ahead));
        }
        assert_eq!(queue.charged_bytes(), 0);
    }

    #[test]
    fn the_mask_names_what_is_held_and_nothing_else() {
        let ack_nr = SeqNr(65_534);
        let mut queue = RecvQueue::default();
        for ahead in [1u16, 3, 31, 32, 33] {
            queue.hold(ack_nr.add(1).add(ahead), ahead, &payload(1, 1), false);
        }
        let mut out = [0; 66];
        let len = queue.selective_ack(ack_nr).encode(0, &mut out);
        assert_eq!(&out[..len], &[0, 8, 0b101, 0, 0, 0b1100_0000, 1, 0, 0, 0]);
    }

    #[test]
    fn a_few_bytes_pin_only_a_few() {
        let mut queue = RecvQueue::default();
        for _ in 0..1_000 {
            queue.push(&payload(1, 700));
            queue.push(&payload(2, 1));
        }
        let room: usize = queue
            .ready
            .iter()
            .map(|chunk| if let Chunk::Open(bytes) = chunk { bytes.capacity() } else { 0 })
            .sum();
        let charged = queue.charged_bytes();
        assert!(room <= charged + charged / 20, "{room} bytes of memory for {charged}");

        let mut queue = RecvQueue::default();
        for _ in 0..1_000 {
            queue.push(&payload(3, 100));
        }
        // The last chunk has room for more; it must not go out with it.
        while let Some(bytes) = queue.take(usize::MAX) {
            let len = bytes.len();
            let capacity = bytes.try_into_mut().expect("nobody shares it").capacity();
            assert!(capacity <= 2 * len, "{len} bytes pin {capacity}");
        }
        queue.push(&payload(4, 1));
        let byte = queue.take(usize::MAX).expect("one byte");
        assert_eq!(byte.try_into_mut().expect("nobody shares it").capacity(), 1);
    }

    #[test]
    fn small_payloads_are_gathered_and_taken_in_order() {
        let mut queue = RecvQueue::default();
        for byte in 0..100u8 {
            queue.push(&payload(byte, 3));
        }
        assert!(queue.ready.len() <= 4);
        let mut read = Vec::new();
        while let Some(bytes) = queue.take(7) {
            read.extend_from_slice(&bytes);
            queue.consume(bytes.len());
        }
        assert_eq!(read, (0..100u8).flat_map(|b| [b; 3]).collect::<Vec<_>>());
        assert_eq!(queue.charged_bytes(), 0);
    }
}
