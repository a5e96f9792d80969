//! Whether a packet is lost at random, before it reaches the queue.

use crate::rng::Stream;

const PPM: u64 = 1_000_000;

/// Loss of each packet on its own with a fixed probability.
#[derive(Debug)]
pub(super) struct Bernoulli {
    ppm: u32,
    stream: Stream,
}

impl Bernoulli {
    pub(super) const fn new(ppm: u32, stream: Stream) -> Self {
        Self { ppm, stream }
    }

    /// Draws for the next packet.
    pub(super) fn takes_next(&mut self) -> bool {
        self.ppm > 0 && self.stream.below(PPM) < u64::from(self.ppm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Streams};

    fn losses(ppm: u32, packets: u32) -> u32 {
        let mut loss = Bernoulli::new(ppm, Streams::new(1).link(0, Purpose::Loss));
        (0..packets).map(|_| u32::from(loss.takes_next())).sum()
    }

    #[test]
    fn loss_rate_is_what_was_asked_for() {
        // Five standard deviations of a binomial: sqrt(1e6 * 0.01 * 0.99) is 99.5.
        assert!(losses(10_000, 1_000_000).abs_diff(10_000) < 498);
        assert!(losses(500_000, 100_000).abs_diff(50_000) < 791);
    }

    #[test]
    fn the_extremes_are_certain() {
        assert_eq!(losses(0, 1_000), 0);
        assert_eq!(losses(1_000_000, 1_000), 1_000);
    }
}
