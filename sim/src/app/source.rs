//! The bytes that a bulk transfer sends, and their digest.

use crate::rng::Stream;
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Bytes to send, produced block by block from the flow's own stream of random numbers.
///
/// A transfer of a given size hashes what was taken. One without an end repeats one block: nobody
/// asks for its digest, and bytes cost time to make.
pub(crate) struct Source {
    stream: Stream,
    /// What was produced and not taken.
    block: Bytes,
    /// What is repeated, for a source without an end.
    repeated: Bytes,
    /// Bytes not produced yet; none for a source without an end.
    left: Option<u64>,
    digest: Sha256,
}

impl Source {
    /// A source of `bytes` bytes, or one that repeats a block without an end.
    pub(crate) fn new(bytes: Option<u64>, stream: Stream, repeated: &Bytes) -> Self {
        let (block, repeated) = (Bytes::new(), repeated.clone());
        let mut source = Self { stream, block, repeated, left: bytes, digest: Sha256::new() };
        source.refill();
        source
    }

    /// A block to repeat. All sources of a run can share one, which a processor then has at hand
    /// whatever the number of flows.
    pub(crate) fn block(stream: &mut Stream) -> Bytes {
        let mut block = vec![0; BLOCK];
        stream.fill(&mut block);
        Bytes::from(block)
    }

    /// What to send next; empty when all was taken.
    pub(crate) fn next(&self) -> &[u8] {
        &self.block
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.next().is_empty()
    }

    /// Takes the first `count` bytes of [`Source::next`], which are sent.
    pub(crate) fn take(&mut self, count: usize) -> Bytes {
        let sent = self.block.split_to(count);
        if self.left.is_some() {
            self.digest.update(&sent);
        }
        if self.is_empty() {
            self.refill();
        }
        sent
    }

    /// Digest of everything, once everything was sent.
    pub(crate) fn digest(&self) -> Option<[u8; 32]> {
        let all_sent = self.left == Some(0) && self.is_empty();
        all_sent.then(|| self.digest.clone().finalize().into())
    }

    fn refill(&mut self) {
        let Some(left) = &mut self.left else {
            self.block = self.repeated.clone();
            return;
        };
        let len = usize::try_from(*left).unwrap_or(usize::MAX).min(BLOCK);
        *left -= len as u64;
        let mut block = vec![0; len];
        self.stream.fill(&mut block);
        self.block = Bytes::from(block);
    }
}

const BLOCK: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Streams;

    fn drain(source: &mut Source, step: usize, limit: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !source.is_empty() && bytes.len() < limit {
            let count = source.next().len().min(step);
            bytes.extend_from_slice(&source.take(count));
        }
        bytes
    }

    #[test]
    fn a_sized_source_ends_and_knows_its_digest() {
        let streams = Streams::new(1);
        for size in [0, 1, BLOCK, BLOCK + 1, 3 * BLOCK - 1] {
            let mut source = Source::new(Some(size as u64), streams.payload(0), &Bytes::new());
            let bytes = drain(&mut source, 1_000, usize::MAX);
            assert_eq!(bytes.len(), size);
            assert_eq!(source.digest(), Some(Sha256::digest(&bytes).into()));
        }
    }

    #[test]
    fn bytes_depend_on_the_flow_and_not_on_the_pieces_taken() {
        let streams = Streams::new(1);
        let sized = |flow| Source::new(Some(200_000), streams.payload(flow), &Bytes::new());
        let whole = drain(&mut sized(0), usize::MAX, usize::MAX);
        assert_eq!(drain(&mut sized(0), 777, usize::MAX), whole);
        assert_ne!(drain(&mut sized(1), 777, usize::MAX), whole);
        assert_ne!(whole[..1_000], whole[BLOCK..BLOCK + 1_000], "blocks do not repeat");
    }

    #[test]
    fn there_is_no_digest_before_the_end() {
        let mut source = Source::new(Some(1_000), Streams::new(1).payload(0), &Bytes::new());
        source.take(999);
        assert_eq!(source.digest(), None);
        source.take(1);
        assert!(source.digest().is_some());
    }

    #[test]
    fn a_source_without_an_end_never_runs_dry() {
        let mut stream = Streams::new(1).payload(0);
        let block = Source::block(&mut stream);
        let mut source = Source::new(None, stream, &block);
        assert_eq!(drain(&mut source, 50_000, 10 * BLOCK).len() / BLOCK, 10);
        assert!(!source.is_empty());
        assert_eq!(source.digest(), None);
    }
}
