//! When a packet that left the transmitter reaches the far end: delay, jitter and late packets.

use crate::rng::{Purpose, Stream, Streams};
use crate::scenario::{Jitter, LinkConfig, Reorder};
use crate::time::Ns;

/// The way from the transmitter to the far end.
#[derive(Debug)]
pub(super) struct Propagation {
    delay: Ns,
    jitter: Jitter,
    reorder: Option<Reorder>,
    /// Latest arrival of a packet that was not made late on its own.
    latest: Ns,
    jitter_draws: Stream,
    reorder_draws: Stream,
}

impl Propagation {
    pub(super) fn new(config: &LinkConfig, index: usize, streams: &Streams) -> Self {
        Self {
            delay: config.delay,
            jitter: config.jitter,
            reorder: config.reorder,
            latest: Ns::ZERO,
            jitter_draws: streams.link(index, Purpose::Jitter),
            reorder_draws: streams.link(index, Purpose::Reorder),
        }
    }

    /// Goes on with other delays; what is on its way stays, and is overtaken only where jitter
    /// reorders.
    pub(super) const fn set(&mut self, config: &LinkConfig) {
        (self.delay, self.jitter, self.reorder) = (config.delay, config.jitter, config.reorder);
    }

    pub(super) const fn delay(&self) -> Ns {
        self.delay
    }

    /// Arrival of a packet that left at `departed`; calls come in the order of departures.
    ///
    /// Without reordering a packet that would overtake arrives together with the one before it. A
    /// packet that is made late on its own does not hold up those that follow.
    pub(super) fn arrival(&mut self, departed: Ns) -> Ns {
        let jitter = match self.jitter.max.0 {
            0 => 0,
            most => self.jitter_draws.below(most + 1),
        };
        let mut arrival = departed + self.delay + Ns(jitter);
        if !self.jitter.reorders {
            self.latest = self.latest.max(arrival);
            arrival = self.latest;
        }
        match self.reorder {
            Some(Reorder { ppm, delay }) if self.reorder_draws.chance(ppm) => arrival + delay,
            _ => arrival,
        }
    }
}
