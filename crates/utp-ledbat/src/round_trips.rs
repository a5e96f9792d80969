//! Owns what round trips say about the queue, and whether the receiver's delays can be believed.
//!
//! LEDBAT steers by delays that the receiver measures. One that always reports the same would see
//! no queue, however long it is (a misbehaving receiver, CyberC 2012), and one whose clock runs
//! slow would see less of it every minute. Neither can make a round trip look short. What a round
//! trip has grown by, and the way back has not, is the queue on the way there. Where the reports
//! fall short of that by more than a quarter of the target, the round trip is believed instead, up
//! to that quarter: acknowledgements that the receiver holds back for a while must not count.
//!
//! The way back is measured by the same two clocks. If the receiver's runs slow, the way back seems
//! to grow for ever; so its lowest delay creeps up as fast as clocks may part. A queue on the way
//! back that stands for minutes is then taken for one on the way there, and the sender is more
//! polite than it had to be until round trips forget as well.
//!
//! A receiver that stamps its own packets as if the way back were full is not found out. It is held
//! to the growth of TCP, by [`RoundTrips::is_doubtful`].

use core::num::NonZeroU32;

use utp_wire::{Instant, TimestampDiff};

use crate::base_delay::CoarseBase;
use crate::config::Config;
use crate::presets::BASE_SHIFT_PPM_MAX;

/// The round trips of one connection.
#[derive(Clone, Debug)]
pub(crate) struct RoundTrips {
    /// The smallest round-trip time of the last minutes, as a delay.
    base: CoarseBase,
    theirs: Option<Theirs>,
    /// How much of the last round trip was queuing.
    queuing_us: u32,
}

/// The delays of the peer's packets.
#[derive(Clone, Debug)]
struct Theirs {
    latest: TimestampDiff,
    /// The lowest one, but no lower than two clocks can have moved it since.
    lowest: TimestampDiff,
    /// The second in which `lowest` was last moved, from 1 on, which saves the room of a tag.
    second: NonZeroU32,
}

impl Theirs {
    fn take(&mut self, second: NonZeroU32, sample: TimestampDiff) {
        let step_us = sample.distance_from(self.latest);
        self.latest = sample;
        if step_us.unsigned_abs() > CLOCK_STEP_US {
            // A clock was set. The way back is as full as it was.
            self.lowest = TimestampDiff(self.lowest.0.wrapping_add_signed(step_us));
        }
        let creep_us =
            second.get().saturating_sub(self.second.get()).saturating_mul(CREEP_US_PER_S);
        self.second = self.second.max(second);
        let creep_us = creep_us.min(self.queuing_us());
        self.lowest = TimestampDiff(self.lowest.0.wrapping_add(creep_us));
        if sample.distance_from(self.lowest) < 0 {
            self.lowest = sample;
        }
    }

    fn queuing_us(&self) -> u32 {
        self.latest.distance_from(self.lowest).max(0).unsigned_abs()
    }
}

impl RoundTrips {
    pub(crate) fn new(config: &Config) -> Self {
        let queue_us = config.target_us + tolerance_us(config.target_us);
        Self {
            base: CoarseBase::new(config.base_history_minutes, config.base_rollover)
                .keeping(config.base_keep_us(queue_us)),
            theirs: None,
            queuing_us: 0,
        }
    }

    /// The base that a report leads to, if no queue can have moved the reports so far since the
    /// `last` one: a clock was set. The round trip tells how much of the delay is queuing, so that
    /// nobody gains by setting a clock.
    pub(crate) fn base_after_step(
        &self,
        last: TimestampDiff,
        sample: TimestampDiff,
    ) -> Option<TimestampDiff> {
        let moved_us = sample.distance_from(last);
        let base = TimestampDiff(sample.0.wrapping_sub(self.queuing_us));
        let step_us = moved_us.unsigned_abs();
        // A queue that the round trip has shown may vanish at once: the path was blocked, and the
        // first report after that is lower than any other, and so the base anyway.
        let drained = moved_us < 0 && step_us / 2 <= self.queuing_us;
        (step_us > CLOCK_STEP_US && !drained).then_some(base)
    }

    /// Forgets the round trips so far for one without queuing: the path has become longer.
    pub(crate) fn start_afresh(&mut self, now: Instant, rtt_us: u32) {
        self.base.clear();
        self.on_round_trip(now, rtt_us);
    }

    /// Takes a delay of the receiver's packets.
    pub(crate) fn on_theirs(&mut self, now: Instant, sample: TimestampDiff) {
        let second = u32::try_from(now.as_micros() / 1_000_000).unwrap_or(u32::MAX);
        let second = NonZeroU32::MIN.saturating_add(second);
        let new = Theirs { latest: sample, lowest: sample, second };
        self.theirs.get_or_insert(new).take(second, sample);
    }

    /// Takes a round-trip time; returns how much of it is queuing, in either direction.
    pub(crate) fn on_round_trip(&mut self, now: Instant, rtt_us: u32) -> u32 {
        let rtt = TimestampDiff(rtt_us.min(i32::MAX.unsigned_abs()));
        self.queuing_us = rtt.distance_from(self.base.on_sample(now, rtt)).max(0).unsigned_abs();
        self.queuing_us
    }

    /// The queue on the way there, as far as it is sure, if the last report hides some of it: one
    /// of a delay of `reported_us` above the base. Not what was filtered, which lags behind,
    /// belongs to the round trip.
    // req: HO-04
    pub(crate) fn belie(&self, reported_us: u32, target_us: u32) -> Option<u32> {
        let back_us = self.theirs.as_ref().map_or(0, Theirs::queuing_us);
        let there_us = self.queuing_us.saturating_sub(back_us);
        let there_us = there_us.saturating_sub(tolerance_us(target_us));
        (reported_us < there_us).then_some(there_us)
    }

    /// How much of the last round trip was queuing, in either direction.
    pub(crate) const fn queuing_us(&self) -> u32 {
        self.queuing_us
    }

    /// Whether the last round trip shows more than `delay_us` of queuing by half the target, on
    /// whichever way: then growth by more than TCP's is not called for.
    pub(crate) const fn is_doubtful(&self, delay_us: u32, target_us: u32) -> bool {
        self.queuing_us > delay_us.saturating_add(target_us / 2)
    }
}

/// What reports may fall short of the round trip.
const fn tolerance_us(target_us: u32) -> u32 {
    target_us / 4
}

/// No queue grows or shrinks by so much from one packet to the next without a time-out between.
const CLOCK_STEP_US: u32 = 2_000_000;

/// As fast as two clocks may part.
const CREEP_US_PER_S: u32 = BASE_SHIFT_PPM_MAX as u32;

#[cfg(test)]
mod tests {
    use super::*;

    const BASE_US: u32 = 50_000;
    const TARGET_US: u32 = 100_000;

    fn at_ms(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    /// Paths on which queues of up to `there_us` and `back_us` build up while the receiver reports
    /// a delay of `report` of the first. Returns the last verdict.
    fn belied(there_us: u32, back_us: u32, report: impl Fn(u32) -> u32) -> Option<u32> {
        let mut round_trips = RoundTrips::new(&Config::libutp());
        let mut belied = None;
        for step in 0..=100 {
            let now = at_ms(step.into());
            let (there_us, back_us) = (there_us / 100 * step, back_us / 100 * step);
            round_trips.on_theirs(now, TimestampDiff(0xffff_ff00_u32.wrapping_add(back_us)));
            let rtt_us = BASE_US + there_us + back_us;
            assert_eq!(round_trips.on_round_trip(now, rtt_us), rtt_us - BASE_US);
            belied = round_trips.belie(report(there_us), TARGET_US);
        }
        belied
    }

    // req: HO-04
    #[test]
    fn reports_that_hide_more_than_a_quarter_of_the_target_are_corrected_up_to_that() {
        assert_eq!(belied(150_000, 0, |_| 0), Some(125_000));
        assert_eq!(belied(150_000, 0, |us| us % 97 * 2), Some(125_000), "jitter is no queue");
        assert_eq!(belied(240_000, 0, |us| us / 3), Some(215_000));
        assert_eq!(belied(240_000, 200_000, |us| us / 10), Some(215_000));
        assert_eq!(belied(60_000, 0, |_| 0), Some(35_000));
        assert_eq!(belied(24_000, 0, |_| 0), None);
    }

    #[test]
    fn reports_that_follow_the_queue_are_believed() {
        for there_us in [0, 60_000, 120_000, 300_000, 1_000_000] {
            for back_us in [0, 60_000, 300_000, 1_000_000] {
                assert_eq!(belied(there_us, back_us, |us| us), None, "{there_us} {back_us}");
                let short = belied(there_us, back_us, |us| us.saturating_sub(25_000));
                assert_eq!(short, None, "{there_us} {back_us}");
            }
        }
    }

    #[test]
    fn an_acknowledgement_that_was_held_back_for_100_ms_stops_no_growth() {
        let mut round_trips = RoundTrips::new(&Config::libutp());
        round_trips.on_theirs(at_ms(0), TimestampDiff(7_000));
        round_trips.on_round_trip(at_ms(0), BASE_US);
        round_trips.on_round_trip(at_ms(1), BASE_US + 100_000);
        assert_eq!(round_trips.belie(0, TARGET_US), Some(75_000));
    }

    #[test]
    fn the_lowest_delay_of_the_way_back_creeps_up_as_fast_as_clocks_part() {
        let mut round_trips = RoundTrips::new(&Config::libutp());
        round_trips.on_theirs(at_ms(0), TimestampDiff(0));
        round_trips.on_round_trip(at_ms(0), BASE_US);
        let mut belied_s = 0;
        for second in 1..1_000_u64 {
            let now = at_ms(second * 1_000);
            round_trips.on_theirs(now, TimestampDiff(200_000));
            round_trips.on_round_trip(now, BASE_US + 200_000);
            if round_trips.belie(0, TARGET_US).is_some_and(|us| us >= TARGET_US) {
                belied_s = second;
                break;
            }
        }
        // 125 ms at half a millisecond per second.
        assert_eq!(belied_s, 250);
    }

    #[test]
    fn a_clock_that_was_set_hides_nothing() {
        let mut round_trips = RoundTrips::new(&Config::libutp());
        for theirs in [47_000, 7_000, 157_000] {
            round_trips.on_theirs(at_ms(0), TimestampDiff(theirs));
        }
        round_trips.on_round_trip(at_ms(0), BASE_US);
        round_trips.on_round_trip(at_ms(1), BASE_US + 160_000);
        assert_eq!(round_trips.belie(0, TARGET_US), None);
        for set_us in [600_000_000, 3_000_000_u32.wrapping_neg()] {
            round_trips.on_theirs(at_ms(2), TimestampDiff(set_us));
            assert_eq!(round_trips.belie(0, TARGET_US), None, "the way back is still full");
            round_trips.on_theirs(at_ms(2), TimestampDiff(set_us.wrapping_sub(150_000)));
            assert_eq!(round_trips.belie(0, TARGET_US), Some(135_000));
            round_trips.on_theirs(at_ms(2), TimestampDiff(set_us));
        }
    }

    #[test]
    fn queuing_that_no_report_shows_is_doubtful_on_either_way() {
        let mut round_trips = RoundTrips::new(&Config::libutp());
        round_trips.on_round_trip(at_ms(0), BASE_US);
        round_trips.on_round_trip(at_ms(0), BASE_US + 150_000);
        assert!(round_trips.is_doubtful(99_999, TARGET_US));
        assert!(!round_trips.is_doubtful(100_000, TARGET_US));
    }
}
