//! Where the random numbers of a context come from.
//!
//! A generator is seeded once: by the program's callback if there is one, by the system otherwise.
//! The callback so decides about everything, and a test whose callback draws the same numbers sees
//! the same packets. Connection ids are asked of it one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use utp_proto::Entropy;

/// How often the program's callback is asked for a seed, which takes sixteen bits of each answer:
/// no callback is sure to have more good ones.
pub(crate) const SEED_DRAWS: usize = 16;

/// The seed of a generator.
#[derive(Debug, Default)]
pub(crate) struct Seed([u8; 2 * SEED_DRAWS]);

impl Seed {
    /// From the system.
    pub(crate) fn of_system() -> Option<Self> {
        let mut seed = Self::default();
        getrandom::fill(&mut seed.0).ok()?;
        Some(seed)
    }

    /// From answers of the program.
    pub(crate) fn of_program(mut draw: impl FnMut() -> u64) -> Self {
        let mut seed = Self::default();
        for pair in seed.0.chunks_exact_mut(2) {
            pair.copy_from_slice(&low_bits(draw()).to_le_bytes());
        }
        seed
    }
}

/// The connection id that the program has drawn for the connect under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct DrawnId(Arc<AtomicU32>);

impl DrawnId {
    /// Sets or clears it.
    pub(crate) fn set(&self, draw: Option<u64>) {
        let word = draw.map_or(0, |draw| DRAWN | u32::from(low_bits(draw)));
        self.0.store(word, Ordering::Relaxed);
    }

    fn take(&self) -> Option<u16> {
        let word = self.0.swap(0, Ordering::Relaxed);
        (word & DRAWN != 0).then(|| low_bits(word.into()))
    }
}

const DRAWN: u32 = 1 << 31;

fn low_bits(number: u64) -> u16 {
    let [low, high, ..] = number.to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// The random numbers of an endpoint.
#[derive(Debug)]
pub(crate) struct Source {
    generator: ChaCha12Rng,
    drawn_id: DrawnId,
}

impl Source {
    pub(crate) fn new(seed: &Seed, drawn_id: DrawnId) -> Self {
        Self { generator: ChaCha12Rng::from_seed(seed.0), drawn_id }
    }
}

impl Entropy for Source {
    fn fill(&mut self, bytes: &mut [u8]) {
        if let [low, high] = bytes
            && let Some(id) = self.drawn_id.take()
        {
            [*low, *high] = id.to_le_bytes();
            return;
        }
        self.generator.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_answers_give_the_same_numbers_and_a_drawn_id_comes_first() {
        let mut count = 0;
        let mut source = || {
            count = 0;
            let seed = Seed::of_program(|| {
                count += 1;
                count * 0x1_0001
            });
            Source::new(&seed, DrawnId::default())
        };
        let (mut a, mut b) = (source(), source());
        let (mut from_a, mut from_b) = ([0; 2], [0; 2]);
        a.fill(&mut from_a);
        b.fill(&mut from_b);
        assert_eq!(from_a, from_b);
        a.drawn_id.set(Some(0x1234_5678));
        a.fill(&mut [0; 4]);
        a.fill(&mut from_a);
        assert_eq!(from_a, 0x5678_u16.to_le_bytes());
        a.fill(&mut from_a);
        assert_ne!(from_a, 0x5678_u16.to_le_bytes());
    }
}
