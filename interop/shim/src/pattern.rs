//! The pseudo-random stream that a source sends, and the digest that a sink takes of it.

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, Hasher as _};

use sha2::{Digest as _, Sha256};

/// The SplitMix64 generator: five lines in any language, fast enough never to be the bottleneck.
///
/// ```
/// use utp_shim::SplitMix64;
///
/// assert_eq!(SplitMix64::new(0).next_u64(), 0xe220_a839_7b1d_cdaf);
/// ```
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// What each step adds to the state.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    /// A generator whose output depends on `seed` alone.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(Self::STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True with a probability of `ppm` parts per million.
    pub const fn chance_ppm(&mut self, ppm: u32) -> bool {
        // The upper half of a product of two 32-bit numbers: no modulo bias worth naming.
        ((self.next_u64() >> 32) * 1_000_000) >> 32 < ppm as u64
    }
}

/// A seed from the operating system, for whoever named none.
pub fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The stream of bytes that a seed names: the words of [`SplitMix64`], least significant byte
/// first.
#[derive(Debug, Clone)]
pub struct Pattern {
    words: SplitMix64,
    /// What is left of the last word, because a request may end inside of it.
    word: [u8; 8],
    used: usize,
}

impl Pattern {
    /// The stream of `seed`, from its beginning.
    pub const fn new(seed: u64) -> Self {
        Self { words: SplitMix64::new(seed), word: [0; 8], used: 8 }
    }

    /// The stream of `seed` from `offset` on, in bytes.
    pub fn starting_at(seed: u64, offset: u64) -> Self {
        let skipped = SplitMix64::STEP.wrapping_mul(offset / 8);
        let mut pattern = Self::new(seed.wrapping_add(skipped));
        let mut head = [0; 8];
        let inside = usize::try_from(offset % 8).expect("less than 8");
        pattern.fill(&mut head[..inside]);
        pattern
    }

    /// Writes the next bytes of the stream over the whole of `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        let head = out.len().min(8 - self.used);
        let (start, rest) = out.split_at_mut(head);
        start.copy_from_slice(&self.word[self.used..self.used + head]);
        self.used += head;
        let (words, tail) = rest.as_chunks_mut::<8>();
        for word in words {
            *word = self.words.next_u64().to_le_bytes();
        }
        if !tail.is_empty() {
            self.word = self.words.next_u64().to_le_bytes();
            self.used = tail.len();
            tail.copy_from_slice(&self.word[..self.used]);
        }
    }
}

/// SHA-256 of a growing stream, and its length.
#[derive(Debug, Clone, Default)]
pub struct Digest {
    hash: Sha256,
    bytes: u64,
}

impl Digest {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// How many bytes were taken in.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest so far, in lower-case hexadecimal.
    pub fn hex(&self) -> String {
        self.hash.clone().finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes everything");
            hex
        })
    }
}

/// SHA-256 of the first `bytes` bytes of the stream of `seed`: what a sink must report.
pub fn pattern_sha256(seed: u64, bytes: u64) -> String {
    let mut pattern = Pattern::new(seed);
    let mut digest = Digest::default();
    let mut block = vec![0; 1 << 16];
    let mut left = bytes;
    while left > 0 {
        let len = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        pattern.fill(&mut block[..len]);
        digest.update(&block[..len]);
        left -= len as u64;
    }
    digest.hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_does_not_depend_on_how_it_is_cut() {
        let mut whole = [0; 1000];
        Pattern::new(42).fill(&mut whole);
        let mut cut = Vec::new();
        let mut pattern = Pattern::new(42);
        for len in 0..46 {
            let mut part = vec![0; len];
            pattern.fill(&mut part);
            cut.extend_from_slice(&part);
        }
        assert_eq!(cut[..1000], whole);
    }

    #[test]
    fn a_pattern_can_begin_anywhere() {
        let mut whole = [0; 200];
        Pattern::new(42).fill(&mut whole);
        for offset in 0..100 {
            let mut part = [0; 100];
            Pattern::starting_at(42, offset as u64).fill(&mut part);
            assert_eq!(part, whole[offset..offset + 100], "from {offset}");
        }
    }

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(pattern_sha256(1, 0), empty);
        assert_eq!(Digest::default().hex(), empty);
    }

    #[test]
    fn a_chance_is_met_about_as_often_as_it_says() {
        let mut random = SplitMix64::new(3);
        let met = (0..1_000_000).filter(|_| random.chance_ppm(10_000)).count();
        assert!((9_700..10_300).contains(&met), "{met} in a million at 1 %");
        assert!((0..1000).all(|_| !random.chance_ppm(0)));
        assert!((0..1000).all(|_| random.chance_ppm(1_000_000)));
    }
}
