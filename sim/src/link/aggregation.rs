//! A medium that is away for a while again and again, as in Wi-Fi: what left the transmitter
//! meanwhile arrives together when it is back.

use crate::rng::Stream;
use crate::scenario::Aggregation as Config;
use crate::time::Ns;

/// The times at which the medium is away, drawn one after the other as time goes on.
///
/// They do not depend on the packets: a busy link meets the same ones as an idle one.
#[derive(Debug)]
pub(super) struct Aggregation {
    config: Option<Config>,
    /// The hold that is on or comes next.
    from: Ns,
    to: Ns,
    stream: Stream,
}

impl Aggregation {
    /// Begins with a gap at the start of the run.
    pub(super) const fn new(config: Option<Config>, stream: Stream) -> Self {
        Self { config, from: Ns::ZERO, to: Ns::ZERO, stream }
    }

    /// Goes on with other spans, beginning with a gap at `now`. What is held stays so.
    pub(super) fn set(&mut self, config: Option<Config>, now: Ns) {
        if self.config != config {
            (self.config, self.from, self.to) = (config, now, now);
        }
    }

    /// When a packet that leaves the transmitter at `now` goes on; calls come in order of time.
    pub(super) fn release(&mut self, now: Ns) -> Ns {
        let Some(config) = self.config else { return now };
        // Holds without a length hold nothing, and would never reach `now` without gaps.
        if config.hold_max == Ns::ZERO {
            return now;
        }
        while self.to <= now {
            self.from = self.to + Ns(self.stream.between(config.gap_min.0, config.gap_max.0));
            self.to = self.from + Ns(self.stream.between(config.hold_min.0, config.hold_max.0));
        }
        if now < self.from { now } else { self.to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Streams};

    fn aggregation(config: Config) -> Aggregation {
        Aggregation::new(Some(config), Streams::new(1).link(0, Purpose::Aggregation))
    }

    const FIXED: Config = Config {
        hold_min: Ns::from_millis(30),
        hold_max: Ns::from_millis(30),
        gap_min: Ns::from_millis(70),
        gap_max: Ns::from_millis(70),
    };

    #[test]
    fn packets_of_a_hold_go_on_together_at_its_end() {
        let mut aggregation = aggregation(FIXED);
        let released: Vec<u64> = [0, 69, 70, 85, 99, 100, 169, 170, 1_085]
            .map(Ns::from_millis)
            .map(|now| aggregation.release(now).0 / 1_000_000)
            .to_vec();
        assert_eq!(released, [0, 69, 100, 100, 100, 100, 169, 200, 1_100]);
    }

    #[test]
    fn holds_and_gaps_stay_within_their_bounds_and_take_their_share() {
        let ms = Ns::from_millis;
        let config = Config { hold_min: ms(5), hold_max: ms(25), gap_min: ms(15), gap_max: ms(55) };
        let mut aggregation = aggregation(config);
        let mut held = 0;
        let mut longest = Ns::ZERO;
        for tenths in 0..1_000_000 {
            let now = Ns(tenths * 100_000);
            let wait = aggregation.release(now) - now;
            held += u64::from(wait > Ns::ZERO);
            longest = longest.max(wait);
        }
        // Means of 15 and 35 ms: 30 % of the time. In 100 s there are 2000 holds; the share's
        // deviation is below 0.005.
        assert!(held.abs_diff(300_000) < 25_000, "{held}");
        assert!(longest > ms(24) && longest <= ms(25), "{longest}");
    }

    #[test]
    fn the_times_do_not_depend_on_the_packets() {
        let config = Config { hold_min: Ns(0), gap_min: Ns(0), ..FIXED };
        let (mut busy, mut idle) = (aggregation(config), aggregation(config));
        for ms in 0..10_000 {
            busy.release(Ns::from_millis(ms));
        }
        let now = Ns::from_secs(10);
        assert_eq!(busy.release(now), idle.release(now));
    }

    #[test]
    fn a_hold_without_length_holds_nothing() {
        let none = Config { hold_min: Ns(0), hold_max: Ns(0), gap_min: Ns(0), gap_max: Ns(0) };
        assert_eq!(aggregation(none).release(Ns(5)), Ns(5));
    }
}
