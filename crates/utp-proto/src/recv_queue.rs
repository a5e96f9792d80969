//! Bytes that arrived, from the datagram until the application has consumed them.
//!
//! In-order bytes wait in a queue of chunks, packets beyond a gap in `held_packets.rs`. Both are
//! charged against one budget, the receive buffer.

use std::collections::VecDeque;

use bytes::Bytes;
use utp_wire::{SelectiveAckBuilder, SeqNr};

use crate::chunk::{self, Chunk};
use crate::config::HELD_PACKET_OVERHEAD;
use crate::held_packets::HeldPackets;
use crate::lazy::AtRest;

/// The receiving side's bytes.
#[derive(Debug, Default)]
pub(crate) struct RecvQueue {
    ready: VecDeque<Chunk>,
    ready_bytes: usize,
    /// Taken by the owner and not yet consumed by its application.
    taken_bytes: usize,
    held: HeldPackets,
}

impl AtRest for RecvQueue {
    const AT_REST: &'static Self = &Self {
        ready: VecDeque::new(),
        ready_bytes: 0,
        taken_bytes: 0,
        held: HeldPackets::AT_REST,
    };
}

impl RecvQueue {
    /// Bytes of the stream: what the peer takes for the use of the receive buffer.
    pub(crate) const fn payload_bytes(&self) -> usize {
        self.unread_bytes() + self.held.bytes()
    }

    /// Memory for them.
    pub(crate) const fn charged_bytes(&self) -> usize {
        self.payload_bytes() + self.held.len() * HELD_PACKET_OVERHEAD
    }

    /// Bytes that are in order and not consumed.
    pub(crate) const fn unread_bytes(&self) -> usize {
        self.ready_bytes + self.taken_bytes
    }

    pub(crate) const fn has_holes(&self) -> bool {
        !self.held.is_empty()
    }

    /// Appends in-order bytes.
    ///
    /// Every payload is copied out of the datagram it came in: a slice of that would pin a receive
    /// buffer that may hold many others, and memory would not be what is charged.
    pub(crate) fn push(&mut self, mut payload: &[u8]) {
        self.ready_bytes += payload.len();
        if let Some(last) = self.ready.back_mut() {
            if last.is_too_small_for(payload) {
                self.ready.pop_back();
            } else {
                let taken = last.append(payload);
                payload = &payload[taken..];
            }
        }
        while !payload.is_empty() {
            let (chunk, taken) = Chunk::gather(payload, self.ready.back());
            chunk::push(&mut self.ready, chunk);
            payload = &payload[taken..];
        }
    }

    /// Holds a packet `ahead` of the next expected one.
    pub(crate) fn hold(&mut self, seq_nr: SeqNr, ahead: u16, payload: &[u8], fin: bool) {
        self.held.insert(seq_nr, ahead, payload, fin);
    }

    /// What is held of `seq_nr`, `ahead` of the next expected number: its payload, and whether it
    /// is a FIN.
    pub(crate) fn held(&self, seq_nr: SeqNr, ahead: u16) -> Option<(&[u8], bool)> {
        self.held.get(seq_nr, ahead)
    }

    /// Forgets the packet `seq_nr`, which is held.
    pub(crate) fn forget_held(&mut self, seq_nr: SeqNr) {
        self.held.remove(seq_nr);
    }

    /// How many packets are held.
    pub(crate) const fn held_packets(&self) -> usize {
        self.held.len()
    }

    /// Removes the packet `seq_nr`, the next expected one, if it is held.
    pub(crate) fn take_held(&mut self, seq_nr: SeqNr) -> Option<(Box<[u8]>, bool)> {
        self.held.remove(seq_nr)
    }

    /// Forgets everything beyond a gap.
    pub(crate) fn drop_held(&mut self) {
        self.held.clear();
    }

    /// Names what is held beyond `ack_nr + 1`, as far as the mask reaches.
    pub(crate) fn selective_ack(&self, ack_nr: SeqNr) -> SelectiveAckBuilder {
        self.held.selective_ack(ack_nr)
    }

    /// Gives back what is only needed while data flows, where bytes wait to be read.
    pub(crate) fn release_idle_memory(&mut self) {
        self.held.release();
        if self.ready_bytes == 0 {
            self.ready = VecDeque::new();
        }
    }

    /// Moves at most `len_max` in-order bytes out; they stay charged until [`Self::consume`].
    pub(crate) fn take(&mut self, len_max: usize) -> Option<Bytes> {
        let front = self.front_mut()?;
        let bytes = if front.len() > len_max {
            front.split_to(len_max)
        } else {
            self.ready.pop_front().map(Chunk::into_bytes)?
        };
        self.ready_bytes -= bytes.len();
        self.taken_bytes += bytes.len();
        Some(bytes)
    }

    /// Copies at most `len_max` in-order bytes to the end of `out`, those of one chunk; they stay
    /// charged as with [`Self::take`]. The last chunk is kept for what comes next once it is empty.
    pub(crate) fn take_into(&mut self, out: &mut Vec<u8>, len_max: usize) -> usize {
        let Some(front) = self.front_mut() else { return 0 };
        let len = front.len().min(len_max);
        out.extend_from_slice(&front.as_slice()[..len]);
        if len < front.len() {
            front.advance(len);
        } else if !front.empty() {
            self.ready.pop_front();
        }
        self.ready_bytes -= len;
        self.taken_bytes += len;
        len
    }

    /// The first chunk that has bytes.
    fn front_mut(&mut self) -> Option<&mut Chunk> {
        while self.ready.front()?.len() == 0 {
            self.ready.pop_front();
        }
        self.ready.front_mut()
    }

    /// What was taken and not consumed.
    pub(crate) const fn taken_bytes(&self) -> usize {
        self.taken_bytes
    }

    /// The application holds more than it has taken.
    pub(crate) fn charge(&mut self, bytes: usize) {
        self.taken_bytes += bytes;
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
        self.held.discard_payloads();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(byte: u8, len: usize) -> Bytes {
        Bytes::from(vec![byte; len])
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
    fn copying_out_takes_bytes_in_order_and_keeps_the_last_chunk() {
        let mut queue = RecvQueue::default();
        let (mut read, mut written) = (Vec::new(), Vec::new());
        for round in 0..200u8 {
            for len in [1, 700, 1_382] {
                queue.push(&payload(round, len));
                written.extend(std::iter::repeat_n(round, len));
            }
            let before = queue.charged_bytes();
            let len_max = if round % 3 == 0 { 500 } else { usize::MAX };
            while queue.take_into(&mut read, len_max) > 0 {}
            assert_eq!(queue.charged_bytes(), before, "what is taken is charged until consumed");
            queue.consume(before);
            assert!(queue.ready.len() <= 1);
        }
        assert_eq!(read, written);
        // The two ways of reading take turns.
        queue.push(&payload(9, 4));
        assert_eq!(queue.take(usize::MAX).expect("four bytes"), payload(9, 4));
        assert!(queue.take(usize::MAX).is_none());
        queue.release_idle_memory();
        assert_eq!(queue.ready.capacity(), 0);
    }

    #[test]
    fn a_reader_who_copies_keeps_up_without_new_memory() {
        let mut queue = RecvQueue::default();
        let mut out = Vec::new();
        let mut chunk = None;
        for _ in 0..100 {
            queue.push(&payload(7, 1_382));
            let Some(Chunk::Open(bytes)) = queue.ready.front() else { panic!("one chunk") };
            assert_eq!(*chunk.get_or_insert(bytes.as_ptr()), bytes.as_ptr());
            out.clear();
            assert_eq!(queue.take_into(&mut out, 1_382), 1_382);
            queue.consume(1_382);
        }
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
