//! The payload of streams, and its digest.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use utp_shim::SplitMix64;

/// Pseudo-random bytes that repeat. Streams begin at places of their own in it.
///
/// It is small enough for the cache, so that sending costs no more than the stack takes. Its length
/// is a prime, so that no mistake by a power of two hits the same bytes again.
#[derive(Debug, Clone)]
pub struct Payload(Vec<u8>);

impl Payload {
    /// The payload: always the same.
    pub fn new() -> Self {
        let mut words = SplitMix64::new(1);
        let bytes = std::iter::repeat_with(move || words.next_u64().to_le_bytes()).flatten();
        Self(bytes.take(PERIOD).collect())
    }

    /// Bytes of `stream` from `position` on: at least one, at most `len_max`.
    pub fn at(&self, stream: u32, position: usize, len_max: usize) -> &[u8] {
        let start = (stream as usize * STEP + position) % PERIOD;
        &self.0[start..PERIOD.min(start + len_max)]
    }

    /// The digest of the first `len` bytes of `stream`.
    pub fn digest(&self, stream: u32, len: usize) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut position = 0;
        while position < len {
            let piece = self.at(stream, position, len - position);
            hash.update(piece);
            position += piece.len();
        }
        hash.finalize().into()
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::new()
    }
}

/// The digest of what a stream brought.
pub fn digest_of_stream(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The digest of all streams: that of their digests, in the order of their numbers.
pub fn digest_of_all(streams: &[[u8; 32]]) -> String {
    let hash = Sha256::digest(streams.concat());
    hash.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes it");
        text
    })
}

/// The greatest prime below 1 MiB.
const PERIOD: usize = 1_048_573;

/// How far apart the beginnings of streams are: a prime, too.
const STEP: usize = 7_919;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_in_pieces_of_any_size_and_unlike_others() {
        let payload = Payload::new();
        let len = PERIOD + 1_000;
        let take = |stream: u32, piece_max: usize| {
            let mut bytes = Vec::new();
            while bytes.len() < len {
                let left = len - bytes.len();
                bytes.extend_from_slice(payload.at(stream, bytes.len(), left.min(piece_max)));
            }
            bytes
        };
        let stream = take(3, 1_000);
        assert!(stream == take(3, 70_001));
        assert!(stream != take(4, 1_000));
        assert_eq!(digest_of_stream(&stream), payload.digest(3, len));
        assert_ne!(digest_of_stream(&stream[1..]), payload.digest(3, len));
    }

    #[test]
    fn the_digest_of_all_depends_on_their_order() {
        assert_ne!(digest_of_all(&[[1; 32], [2; 32]]), digest_of_all(&[[2; 32], [1; 32]]));
        assert_eq!(digest_of_all(&[]).len(), 64);
    }
}
