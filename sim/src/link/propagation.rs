//! When a packet that left the transmitter reaches the far end: delay and jitter.

use crate::rng::Stream;
use crate::scenario::model::LinkConfig;
use crate::time::Ns;

/// The way from the transmitter to the far end.
#[derive(Debug)]
pub(super) struct Propagation {
    delay: Ns,
    jitter: Ns,
    reorders: bool,
    latest: Ns,
    stream: Stream,
}

impl Propagation {
    pub(super) const fn new(config: &LinkConfig, stream: Stream) -> Self {
        Self {
            delay: config.delay,
            jitter: config.jitter.max,
            reorders: config.jitter.reorders,
            latest: Ns::ZERO,
            stream,
        }
    }

    /// Arrival of a packet that left at `departed`; calls come in the order of departures.
    ///
    /// Without reordering a packet that would overtake arrives together with the one before it.
    pub(super) fn arrival(&mut self, departed: Ns) -> Ns {
        let jitter = match self.jitter.0 {
            0 => Ns::ZERO,
            most => Ns(self.stream.below(most + 1)),
        };
        let arrival = departed + self.delay + jitter;
        if self.reorders {
            return arrival;
        }
        self.latest = self.latest.max(arrival);
        self.latest
    }
}
