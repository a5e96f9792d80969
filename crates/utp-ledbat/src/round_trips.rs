//! Owns what round trips say about the queue, and whether the receiver's delays can be believed.
//!
//! LEDBAT steers by delays that the receiver measures. One that always reports the same would see
//! no queue, however long it is; but it cannot make a round trip look short. What a round trip has
//! grown by, and the way back has not, is the queue on the way there. When that is beyond the
//! target and the reports show less than half of it, the round trip is believed instead (a
//! misbehaving receiver, CyberC 2012). So whoever scales down what it reports makes a queue of no
//! more than twice the target. One that stamps its own packets as if the way back were full is not
//! found out.

use utp_wire::{Instant, TimestampDiff};

use crate::base_delay::CoarseBase;
use crate::config::Config;

/// The round trips of one connection.
#[derive(Clone, Debug)]
pub(crate) struct RoundTrips {
    /// The smallest round-trip time of the last minutes, as a delay.
    base: CoarseBase,
    /// The last report.
    ours: Option<TimestampDiff>,
    /// The last delay of the peer's packets, and the lowest since the round trip last showed little
    /// queuing.
    theirs: Option<(TimestampDiff, TimestampDiff)>,
    /// How much of the last round trip was queuing.
    queuing_us: u32,
}

impl RoundTrips {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            base: CoarseBase::new(config.base_history_minutes, config.base_rollover),
            ours: None,
            theirs: None,
            queuing_us: 0,
        }
    }

    /// The base that a report leads to, if no queue can have moved the reports so far since the
    /// last one: a clock was set. The round trip tells how much of the delay is queuing, so that
    /// nobody gains by setting a clock.
    pub(crate) fn base_after_step(&self, sample: TimestampDiff) -> Option<TimestampDiff> {
        let moved_us = sample.distance_from(self.ours?);
        let base = TimestampDiff(sample.0.wrapping_sub(self.queuing_us));
        let step_us = moved_us.unsigned_abs();
        // A queue that the round trip has shown may vanish at once: the path was blocked, and the
        // first report after that is lower than any other, and so the base anyway.
        let drained = moved_us < 0 && step_us / 2 <= self.queuing_us;
        (step_us > CLOCK_STEP_US && !drained).then_some(base)
    }

    /// Takes a delay that the receiver reports.
    pub(crate) const fn on_ours(&mut self, sample: TimestampDiff) {
        self.ours = Some(sample);
    }

    /// Takes a delay of the receiver's packets.
    pub(crate) fn on_theirs(&mut self, sample: TimestampDiff) {
        let (latest, lowest) = self.theirs.get_or_insert((sample, sample));
        if sample.distance_from(*lowest) < 0 {
            *lowest = sample;
        }
        *latest = sample;
    }

    /// Takes a round-trip time; returns how much of it is queuing, in either direction.
    pub(crate) fn on_round_trip(&mut self, now: Instant, rtt_us: u32, target_us: u32) -> u32 {
        let rtt = TimestampDiff(rtt_us.min(i32::MAX.unsigned_abs()));
        let queuing_us = rtt.distance_from(self.base.on_sample(now, rtt)).max(0).unsigned_abs();
        self.queuing_us = queuing_us;
        if queuing_us < target_us / 2 {
            self.theirs = self.theirs.map(|(latest, _)| (latest, latest));
        }
        queuing_us
    }

    /// The queue on the way there, if the last round trip shows that the last report, compared with
    /// the base of the reports, is a lie.
    // req: HO-04
    pub(crate) fn belie(&self, base: TimestampDiff, target_us: u32) -> Option<u32> {
        // Not what was filtered: that lags behind, and this belongs to the round trip.
        let reported_us = self.ours?.distance_from(base).max(0).unsigned_abs();
        let back_us = self.theirs.map_or(0, |(latest, lowest)| latest.distance_from(lowest).max(0));
        let there_us = self.queuing_us.saturating_sub(back_us.unsigned_abs());
        // Half the target may have been there when the way back was looked at.
        let believed_us = there_us.saturating_sub(target_us / 2) / 2;
        (there_us > target_us && reported_us < believed_us).then_some(there_us)
    }
}

/// No queue grows or shrinks by so much from one packet to the next without a time-out between.
const CLOCK_STEP_US: u32 = 2_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const BASE_US: u32 = 50_000;
    const TARGET_US: u32 = 100_000;
    const OURS: TimestampDiff = TimestampDiff(u32::MAX - 10_000);

    fn at_ms(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    /// Paths on which queues of up to `there_us` and `back_us` build up while the receiver reports
    /// a delay of `report` of the first. Returns the last verdict.
    fn belied(there_us: u32, back_us: u32, report: impl Fn(u32) -> u32) -> Option<u32> {
        let mut round_trips = RoundTrips::new(&Config::libutp());
        let mut belied = None;
        for step in 0..=100 {
            let (there_us, back_us) = (there_us / 100 * step, back_us / 100 * step);
            round_trips.on_theirs(TimestampDiff(0xffff_ff00_u32.wrapping_add(back_us)));
            let rtt_us = BASE_US + there_us + back_us;
            assert_eq!(
                round_trips.on_round_trip(at_ms(step.into()), rtt_us, TARGET_US),
                rtt_us - BASE_US
            );
            round_trips.on_ours(TimestampDiff(OURS.0.wrapping_add(report(there_us))));
            belied = round_trips.belie(OURS, TARGET_US);
        }
        belied
    }

    // req: HO-04
    #[test]
    fn reports_that_hide_more_than_half_of_the_queue_are_a_lie() {
        assert_eq!(belied(150_000, 0, |_| 0), Some(150_000));
        assert_eq!(belied(150_000, 0, |us| us % 97 * 2), Some(150_000), "jitter is no queue");
        assert_eq!(belied(240_000, 0, |us| us / 3), Some(240_000));
        // The way back had 22 ms of queue when it was looked at.
        assert_eq!(belied(240_000, 200_000, |us| us / 10), Some(262_000));
        assert_eq!(belied(99_000, 0, |_| 0), None, "below the target nothing is at stake");
    }

    #[test]
    fn reports_that_follow_the_queue_are_believed() {
        for there_us in [0, 60_000, 120_000, 300_000, 1_000_000] {
            for back_us in [0, 60_000, 300_000, 1_000_000] {
                assert_eq!(belied(there_us, back_us, |us| us), None, "{there_us} {back_us}");
                assert_eq!(belied(there_us, back_us, |us| us / 2), None, "{there_us} {back_us}");
            }
        }
    }

    #[test]
    fn the_way_back_has_grown_from_its_lowest() {
        let mut round_trips = RoundTrips::new(&Config::libutp());
        round_trips.on_ours(OURS);
        round_trips.on_theirs(TimestampDiff(47_000));
        round_trips.on_round_trip(at_ms(0), BASE_US + 40_000, TARGET_US);
        round_trips.on_theirs(TimestampDiff(7_000));
        round_trips.on_theirs(TimestampDiff(157_000));
        round_trips.on_round_trip(at_ms(1), BASE_US + 200_000, TARGET_US);
        assert_eq!(round_trips.belie(OURS, TARGET_US), None);
        // A clock that was set back is no way that has become longer.
        round_trips.on_theirs(TimestampDiff(7_000_u32.wrapping_sub(600_000_000)));
        assert_eq!(round_trips.belie(OURS, TARGET_US), Some(160_000));
    }
}
