//! Bytes the application wrote, from the write until the cumulative ack.
//!
//! Owns where each byte is kept; knows nothing of sequence numbers. A packet remembers a
//! [`Position`], so that a resend finds its bytes in constant time and always cuts the same ones.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::chunk::{self, Chunk};
use crate::lazy::AtRest;

/// Where the first byte of a packet is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Number of the chunk, counted from the first ever, wrapping.
    chunk: u32,
    /// Offset in it.
    offset: u32,
}

impl Position {
    pub(crate) const ZERO: Self = Self { chunk: 0, offset: 0 };
}

/// A queue of chunks with a cut that moves forward as packets are made.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    chunks: VecDeque<Chunk>,
    /// Number of the front chunk.
    front: u32,
    /// Bytes of the front chunk that are acknowledged.
    front_released: usize,
    /// The next byte that no packet holds.
    cut: Position,
    unsent_bytes: usize,
    buffered_bytes: usize,
}

impl AtRest for SendQueue {
    const AT_REST: &'static Self = &Self {
        chunks: VecDeque::new(),
        front: 0,
        front_released: 0,
        cut: Position::ZERO,
        unsent_bytes: 0,
        buffered_bytes: 0,
    };
}

impl SendQueue {
    /// Bytes no packet holds yet.
    pub(crate) const fn unsent_bytes(&self) -> usize {
        self.unsent_bytes
    }

    /// Bytes written and not acknowledged.
    pub(crate) const fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    /// Appends a copy of `data`, gathering small writes.
    pub(crate) fn write(&mut self, mut data: &[u8]) {
        self.unsent_bytes += data.len();
        self.buffered_bytes += data.len();
        if let Some(last) = self.chunks.back_mut() {
            let taken = last.append(data);
            data = &data[taken..];
        }
        while !data.is_empty() {
            let (chunk, taken) = Chunk::gather(data, self.chunks.back());
            chunk::push(&mut self.chunks, chunk);
            data = &data[taken..];
        }
    }

    /// Appends `chunk` without a copy.
    pub(crate) fn write_chunk(&mut self, mut chunk: Bytes) {
        self.unsent_bytes += chunk.len();
        self.buffered_bytes += chunk.len();
        while !chunk.is_empty() {
            // A position in a chunk has 32 bits.
            let piece = chunk.split_to(chunk.len().min(1 << 30));
            chunk::push(&mut self.chunks, Chunk::Shared(piece));
        }
    }

    /// Makes the next packet of at most `len_max` bytes; returns where it starts and its length.
    pub(crate) fn cut(&mut self, len_max: usize) -> (Position, usize) {
        let len = len_max.min(self.unsent_bytes);
        // A cut at the end of one chunk is the start of the next; only a chunk that is there can
        // be stepped into, as an open chunk may still grow.
        let mut at = self.normalised(self.cut);
        let start = at;
        let mut left = len;
        while left > 0 {
            let here = self.chunk(at).map_or(0, Chunk::len) - at.offset as usize;
            let step = left.min(here);
            at.offset += u32::try_from(step).expect("a chunk is shorter than 4 GiB");
            left -= step;
            at = self.normalised(at);
        }
        self.cut = at;
        self.unsent_bytes -= len;
        (start, len)
    }

    /// Takes back the newest cut, of `len` bytes from `start` on: the packet was never on the wire.
    pub(crate) fn uncut(&mut self, start: Position, len: usize) {
        if len > 0 {
            self.cut = start;
            self.unsent_bytes += len;
        }
    }

    /// Copies the bytes of a packet to the end of `out`.
    pub(crate) fn copy(&self, start: Position, len: usize, out: &mut Vec<u8>) {
        let mut at = start;
        let mut left = len;
        while left > 0 {
            let Some(chunk) = self.chunk(at) else {
                debug_assert!(false, "a packet in flight keeps its chunks");
                return;
            };
            let bytes = &chunk.as_slice()[at.offset as usize..];
            let step = left.min(bytes.len());
            out.extend_from_slice(&bytes[..step]);
            left -= step;
            at = Position { chunk: at.chunk.wrapping_add(1), offset: 0 };
        }
    }

    /// The first `len` bytes of the queue are acknowledged.
    pub(crate) fn release(&mut self, len: usize) {
        debug_assert!(len <= self.buffered_bytes - self.unsent_bytes, "only sent bytes are acked");
        self.buffered_bytes -= len;
        self.front_released += len;
        while let Some(chunk) = self.chunks.front() {
            let chunk_len = chunk.len();
            if self.front_released < chunk_len {
                break;
            }
            self.front_released -= chunk_len;
            self.chunks.pop_front();
            self.front = self.front.wrapping_add(1);
            if self.cut.chunk.wrapping_sub(self.front) > u32::MAX / 2 {
                self.cut = Position { chunk: self.front, offset: 0 };
            }
        }
    }

    fn chunk(&self, at: Position) -> Option<&Chunk> {
        self.chunks.get(at.chunk.wrapping_sub(self.front) as usize)
    }

    fn normalised(&self, at: Position) -> Position {
        let next = Position { chunk: at.chunk.wrapping_add(1), offset: 0 };
        match self.chunk(at) {
            Some(chunk) if at.offset as usize == chunk.len() && self.chunk(next).is_some() => next,
            _ => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[derive(Clone, Debug)]
    enum Op {
        Write(usize),
        WriteChunk(usize),
        Cut(usize),
        AckFront,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (0usize..40_000).prop_map(Op::Write),
            (0usize..3_000).prop_map(Op::WriteChunk),
            (1usize..2_000).prop_map(Op::Cut),
            Just(Op::AckFront),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(29),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_packet_keeps_its_bytes(ops in prop::collection::vec(op(), 1..200)) {
            let mut queue = SendQueue::default();
            let mut written: Vec<u8> = Vec::new();
            let mut cut = 0usize;
            let mut acked = 0usize;
            let mut packets: VecDeque<(Position, usize, usize)> = VecDeque::new();
            for op in ops {
                match op {
                    Op::Write(n) | Op::WriteChunk(n) => {
                        let data: Vec<u8> =
                            (0..n).map(|i| ((written.len() + i) * 31).to_le_bytes()[0]).collect();
                        if matches!(op, Op::Write(_)) {
                            queue.write(&data);
                        } else {
                            queue.write_chunk(Bytes::from(data.clone()));
                        }
                        written.extend_from_slice(&data);
                    }
                    Op::Cut(n) => {
                        let (position, len) = queue.cut(n);
                        prop_assert_eq!(len, n.min(written.len() - cut));
                        packets.push_back((position, cut, len));
                        cut += len;
                    }
                    Op::AckFront => {
                        if let Some((_, _, len)) = packets.pop_front() {
                            queue.release(len);
                            acked += len;
                        }
                    }
                }
                prop_assert_eq!(queue.unsent_bytes(), written.len() - cut);
                prop_assert_eq!(queue.buffered_bytes(), written.len() - acked);
                for (position, start, len) in &packets {
                    let mut out = Vec::new();
                    queue.copy(*position, *len, &mut out);
                    prop_assert_eq!(&out[..], &written[*start..start + len]);
                }
            }
        }
    }
}
