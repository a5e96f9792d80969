//! Owns what round trips say about the queue, and whether the receiver's delays can be believed.
//!
//! LEDBAT steers by delays that the receiver measures. One that always reports the same would see
//! no queue, however long it is; but it cannot make a round trip look short. So when the round trip
//! shows more than the target of queuing and the reports have not moved at all since it showed
//! little, the round trip is believed instead (a misbehaving receiver, CyberC 2012).

use utp_wire::{Instant, TimestampDiff};

use crate::base_delay::BaseDelay;
use crate::config::Config;

/// The round trips of one connection.
#[derive(Clone, Debug)]
pub(crate) struct RoundTrips {
    /// The smallest round-trip time of the last minutes, as a delay.
    base: BaseDelay,
    latest: TimestampDiff,
    /// The lowest and the highest report since the round trip last showed little queuing, the
    /// last one of before included.
    reports: Option<(TimestampDiff, TimestampDiff)>,
    /// How much of the last round trip was queuing.
    queuing_us: u32,
    target_us: u32,
}

impl RoundTrips {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            base: BaseDelay::new(config.base_history_minutes, config.base_rollover),
            latest: TimestampDiff(0),
            reports: None,
            queuing_us: 0,
            target_us: config.target_us,
        }
    }

    /// The base that a report leads to, if no queue can have moved the reports so far since the
    /// last one: a clock was set. The round trip tells how much of the delay is queuing, so that
    /// nobody gains by setting a clock.
    pub(crate) fn base_after_step(&self, sample: TimestampDiff) -> Option<TimestampDiff> {
        self.reports?;
        let moved_us = sample.distance_from(self.latest).unsigned_abs();
        let base = TimestampDiff(sample.0.wrapping_sub(self.queuing_us));
        // A queue that the round trip has shown may vanish at once: the path was blocked, and the
        // first report after that is lower than any other, and so the base anyway.
        let drained = sample.distance_from(self.latest) < 0 && moved_us / 2 <= self.queuing_us;
        (moved_us > CLOCK_STEP_US && !drained).then_some(base)
    }

    /// Takes a delay that the receiver reports.
    pub(crate) fn on_report(&mut self, sample: TimestampDiff) {
        self.latest = sample;
        let (low, high) = self.reports.get_or_insert((sample, sample));
        if sample.distance_from(*low) < 0 {
            *low = sample;
        }
        if sample.distance_from(*high) > 0 {
            *high = sample;
        }
    }

    /// Takes a round-trip time; returns how much of it is queuing, in either direction.
    pub(crate) fn on_round_trip(&mut self, now: Instant, rtt_us: u32) -> u32 {
        let rtt = TimestampDiff(rtt_us.min(i32::MAX.unsigned_abs()));
        let queuing_us = rtt.distance_from(self.base.on_sample(now, rtt)).max(0).unsigned_abs();
        self.queuing_us = queuing_us;
        if queuing_us < self.target_us / 2 {
            self.reports = self.reports.map(|_| (self.latest, self.latest));
        }
        queuing_us
    }

    /// Whether reports that show nothing of `queuing_us` are a lie.
    pub(crate) fn belies(&self, queuing_us: u32) -> bool {
        let frozen = self.reports.is_some_and(|(low, high)| {
            high.distance_from(low).unsigned_abs() < REPORT_SPREAD_US_MIN
        });
        frozen && queuing_us > self.target_us
    }
}

/// Timers and queues of any real path let delays differ by more while a queue builds up.
const REPORT_SPREAD_US_MIN: u32 = 100;

/// No queue grows or shrinks by so much from one packet to the next without a time-out between.
const CLOCK_STEP_US: u32 = 2_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const BASE_US: u32 = 50_000;

    fn at_ms(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    /// A path on which a queue of up to `queue_us` builds up while the receiver reports `report`.
    fn belied(queue_us: u32, report: impl Fn(u32) -> u32) -> bool {
        let mut round_trips = RoundTrips::new(&Config::libutp());
        let mut belied = false;
        for step in 0..=100 {
            let queue_us = queue_us / 100 * step;
            round_trips.on_report(TimestampDiff(report(queue_us)));
            let queuing_us = round_trips.on_round_trip(at_ms(step.into()), BASE_US + queue_us);
            assert_eq!(queuing_us, queue_us);
            belied |= round_trips.belies(queuing_us);
        }
        belied
    }

    // req: HO-04
    #[test]
    fn reports_that_stand_still_while_the_round_trip_grows_are_a_lie() {
        for constant in [1, 25_000, 0x7fff_fffe, 0x8000_0000, u32::MAX] {
            assert!(belied(150_000, |_| constant), "{constant}");
            assert!(belied(150_000, |queue_us| constant.wrapping_add(queue_us % 97)));
            assert!(!belied(99_000, |_| constant), "below the target nothing is at stake");
        }
    }

    #[test]
    fn reports_that_follow_the_queue_are_believed() {
        for offset in [0, 0x7fff_ff00, 0xffff_fff0] {
            assert!(!belied(300_000, |queue_us| queue_us.wrapping_add(offset)));
        }
    }

    #[test]
    fn the_last_report_before_the_queue_counts() {
        let mut round_trips = RoundTrips::new(&Config::libutp());
        round_trips.on_report(TimestampDiff(7_000));
        round_trips.on_round_trip(at_ms(0), BASE_US);
        round_trips.on_report(TimestampDiff(157_000));
        round_trips.on_round_trip(at_ms(1), BASE_US + 150_000);
        round_trips.on_report(TimestampDiff(157_000));
        let queuing_us = round_trips.on_round_trip(at_ms(2), BASE_US + 150_000);
        assert!(!round_trips.belies(queuing_us));
    }
}
