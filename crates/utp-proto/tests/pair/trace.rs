//! A hash of all that was sent and when.

use utp_proto::Instant;

/// What two runs of one seed must have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    pub packets: u64,
    /// Moments at which something was due: an arrival, or a deadline of an endpoint.
    pub steps: u64,
    pub hash: u64,
}

impl Trace {
    pub(super) fn add(&mut self, at: Instant, from: usize, datagram: &[u8]) {
        self.packets += 1;
        self.mix(at.as_micros() << 1 | from as u64);
        for chunk in datagram.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn mix(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
