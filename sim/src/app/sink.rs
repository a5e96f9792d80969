//! What has arrived of a transfer.

use sha2::{Digest, Sha256};

/// Counts what arrives on one connection, and hashes it if the transfer has a size.
pub(crate) struct Sink {
    bytes: u64,
    /// Bytes of a whole transfer.
    size: Option<u64>,
    digest: Sha256,
}

impl Sink {
    pub(crate) fn new(size: Option<u64>) -> Self {
        Self { bytes: 0, size, digest: Sha256::new() }
    }

    pub(crate) fn take(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        if self.size.is_some() {
            self.digest.update(chunk);
        }
    }

    /// Whether everything has arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.size == Some(self.bytes)
    }

    /// Digest of what has arrived.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_complete_at_its_size_and_knows_the_digest() {
        let mut sink = Sink::new(Some(6));
        sink.take(b"abc");
        assert!(!sink.is_complete());
        sink.take(b"def");
        assert!(sink.is_complete());
        let digest: [u8; 32] = Sha256::digest(b"abcdef").into();
        assert_eq!(sink.digest(), digest);
    }

    #[test]
    fn a_sink_without_a_size_is_never_complete() {
        let mut sink = Sink::new(None);
        sink.take(b"abc");
        assert!(!sink.is_complete());
    }
}
