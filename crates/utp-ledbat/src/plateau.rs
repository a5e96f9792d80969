//! Owns the sight of a path that has become longer.
//!
//! A route that adds more than the target to the delay looks like a queue that never goes: the law
//! shrinks the window to nothing and leaves it there until the base delay is forgotten, after ten
//! minutes and more. What tells the two apart is that our packets make no queue any more and the
//! delay stands still, while a queue of others would rise and fall with their windows. So when the
//! window has been a few packets at most for ten seconds and the delay has not moved by 2 ms, it is
//! that of the path, if it came as routes do.
//!
//! For another sender that steers by delay keeps a queue still as well: a libutp that starts
//! beside ours takes our queue for the empty path and puts its own on top of it. But a queue takes
//! its time to fill, at least as long as it is, while what arrives at a link is no more than twice
//! what leaves it. A route is longer from one packet to the next. So only as much of the delay is
//! believed to be the path's as has come at once ([`Steps`]).
//!
//! To look only then matters. While a large window shrinks, a TCP flow may fill just what it
//! leaves, and the queue stands still as well. In ten seconds, a TCP flow of 100 Mbit/s fills 40
//! packets more, and 16 of them are not enough to hide that. Faster flows than that, and others who
//! keep a queue of constant length, deceive this where the delay has come at once, or while nobody
//! watched. The sender then adds a queue of its own to theirs, as it does when it starts beside
//! them. A lower delay is taken for the base at once. More jitter than 2 ms, after the filter of
//! the current delay, turns this off, and so does a path that becomes longer little by little.

use utp_wire::{Instant, TimestampDiff};

/// A delay above the target that stays where it is.
#[derive(Clone, Debug)]
pub(crate) struct Plateau {
    since: Instant,
    lowest: TimestampDiff,
    highest: TimestampDiff,
    rtt_us_min: u32,
}

/// The delays of a path without a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) ours: TimestampDiff,
    pub(crate) rtt_us: u32,
}

impl Plateau {
    pub(crate) const fn new(now: Instant, ours: TimestampDiff, rtt_us: u32) -> Self {
        Self { since: now, lowest: ours, highest: ours, rtt_us_min: rtt_us }
    }

    /// Takes a delay and a round-trip time, while the window is small. Starts again where
    /// the delay has moved.
    pub(crate) fn on_delay(
        &mut self,
        now: Instant,
        ours: TimestampDiff,
        rtt_us: u32,
    ) -> Option<Found> {
        self.rtt_us_min = self.rtt_us_min.min(rtt_us);
        if ours.distance_from(self.lowest) < 0 {
            self.lowest = ours;
        }
        if ours.distance_from(self.highest) > 0 {
            self.highest = ours;
        }
        let range_us = self.highest.distance_from(self.lowest);
        if !(0..=RANGE_US_MAX).contains(&range_us) {
            *self = Self::new(now, ours, rtt_us);
        }
        let is_long = now.saturating_since(self.since) >= SPAN_US_MIN;
        is_long.then_some(Found { ours: self.lowest, rtt_us: self.rtt_us_min })
    }
}

/// How much of the delay above the base has come at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    us: u32,
}

impl Steps {
    /// Takes a delay that lies `above_us` above the base and `rise_us` above the one before, which
    /// came `since_us` ago. What has once been seen below a step has no part of it.
    ///
    /// Of two packets the second comes later by the rise, so that of `since_us` only the rest lay
    /// between their departures.
    pub(crate) fn on_delay(&mut self, above_us: u32, rise_us: u32, since_us: u64) {
        let between_us = since_us.saturating_sub(rise_us.into());
        let is_sudden = between_us <= rise_us.into() || since_us >= UNWATCHED_US;
        if rise_us >= STEP_US_MIN && is_sudden {
            self.us = self.us.saturating_add(rise_us);
        }
        self.us = self.us.min(above_us);
    }

    /// Whether they explain a delay that stands `above_us` above the base. A quarter may be
    /// missing: several packets may stand in a queue of ours.
    pub(crate) fn explain(self, above_us: u32) -> bool {
        self.us >= above_us / 4 * 3
    }
}

/// More than a few packets make of a delay on a slow link.
const STEP_US_MIN: u32 = 20_000;

/// Nobody knows how the delay came about of which nothing was seen for so long.
const UNWATCHED_US: u64 = 1_000_000;

/// The window up to which a still delay is that of the path, in packets.
pub(crate) const PLATEAU_PACKETS_MAX: u64 = 16;

/// More than the clocks and the timers of two hosts make of a still delay.
const RANGE_US_MAX: i32 = 2_000;

const SPAN_US_MIN: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: TimestampDiff = TimestampDiff(u32::MAX - 1_000);

    fn at_ms(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    /// When a path is found longer, if every 100 ms comes a delay above [`OURS`].
    fn found_ms(delay_us: impl Fn(u32) -> u32) -> Option<u32> {
        let sample = |ms| TimestampDiff(OURS.0.wrapping_add(delay_us(ms)));
        let mut plateau = Plateau::new(at_ms(0), sample(0), 170_000);
        (1..600)
            .map(|step| step * 100)
            .find(|ms| plateau.on_delay(at_ms((*ms).into()), sample(*ms), 170_000).is_some())
    }

    #[test]
    fn a_delay_that_stands_still_is_that_of_the_path() {
        assert_eq!(found_ms(|_| 0), Some(10_000));
        assert_eq!(found_ms(|ms| u32::from(ms % 200 == 0) * 2_000), Some(10_000));
        // From where it was 0.6 ms above its rest.
        assert_eq!(found_ms(|ms| 60_000 - 2 * ms.min(30_000)), Some(39_700));
    }

    #[test]
    fn a_queue_that_moves_belongs_to_somebody() {
        assert_eq!(found_ms(|ms| u32::from(ms % 200 == 0) * 2_100), None);
        // 0.46 ms per second, as with a TCP flow at 100 Mbit/s, up and down.
        assert_eq!(found_ms(|ms| ms * 46 / 100), None);
        assert_eq!(found_ms(|ms| 60_000 - ms * 46 / 100), None);
    }

    #[test]
    fn what_is_found_is_the_lowest_of_the_span() {
        let mut plateau = Plateau::new(at_ms(0), OURS, 170_000);
        let later = TimestampDiff(OURS.0.wrapping_add(1_500));
        assert_eq!(plateau.on_delay(at_ms(9_999), later, 169_000), None);
        let found = plateau.on_delay(at_ms(10_000), later, 171_000);
        assert_eq!(found, Some(Found { ours: OURS, rtt_us: 169_000 }));
    }

    /// Whether a delay of 200 ms is explained that has come in steps of so much and so often.
    fn is_explained(rise_us: u32, since_us: u64) -> bool {
        let mut steps = Steps::default();
        let delays_us = (1..).map(|step| step * rise_us).take_while(|us| *us <= 200_000);
        delays_us.for_each(|above_us| steps.on_delay(above_us, rise_us, since_us));
        steps.explain(200_000)
    }

    #[test]
    fn a_delay_that_has_come_at_once_is_explained() {
        assert!(is_explained(200_000, 200_000));
        assert!(is_explained(200_000, 400_000), "200 ms between two departures");
        assert!(is_explained(50_000, 60_000), "four longer routes");
        assert!(is_explained(200_000, 1_000_000), "nobody has watched");
    }

    #[test]
    fn a_delay_that_has_grown_is_not_explained() {
        assert!(!is_explained(1_000, 2_000));
        assert!(!is_explained(19_999, 19_999));
        assert!(!is_explained(50_000, 100_001));
        assert!(!is_explained(200_000, 400_001));
    }

    #[test]
    fn a_step_counts_no_more_than_the_lowest_delay_since() {
        let mut steps = Steps::default();
        steps.on_delay(260_000, 160_000, 161_000);
        steps.on_delay(160_000, 0, 1_000);
        assert!(steps.explain(200_000));
        steps.on_delay(140_000, 0, 1_000);
        assert!(!steps.explain(200_000));
        assert!(steps.explain(186_000));
    }

    #[test]
    fn half_the_range_of_a_delay_is_no_plateau() {
        let mut plateau = Plateau::new(at_ms(0), TimestampDiff(0), 170_000);
        let far = TimestampDiff(1 << 31);
        assert_eq!(plateau.on_delay(at_ms(1_000), far, 170_000), None);
        assert_eq!(plateau.on_delay(at_ms(10_999), far, 170_000), None);
        assert!(plateau.on_delay(at_ms(11_000), far, 170_000).is_some());
    }
}
