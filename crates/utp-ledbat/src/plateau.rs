//! Owns the sight of a path that has become longer.
//!
//! A route that adds more than the target to the delay looks like a queue that never goes: the law
//! shrinks the window to nothing and leaves it there until the base delay is forgotten, after ten
//! minutes and more. What tells the two apart is that the window shrinks and the delay does not.
//! If our packets had made the queue, it would drain; if those of others had, it would rise and
//! fall with their windows. So when the window has halved, or is next to nothing, and the delay has
//! not moved by 2 ms in five seconds, it is that of the path.
//!
//! Others who keep a queue of constant length all that time deceive this, and so does TCP on a very
//! fast link, whose queue moves slowly. The sender then adds a queue of its own to theirs, as it
//! does when it starts beside them. A lower delay is taken for the base at once. More jitter than
//! 2 ms, after the filter of the current delay, turns this off.

use utp_wire::{Instant, TimestampDiff};

/// A delay above the target that stays where it is.
#[derive(Clone, Debug)]
pub(crate) struct Plateau {
    since: Instant,
    /// In subbytes.
    window_then: u64,
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
    pub(crate) const fn new(now: Instant, ours: TimestampDiff, rtt_us: u32, window: u64) -> Self {
        Self { since: now, window_then: window, lowest: ours, highest: ours, rtt_us_min: rtt_us }
    }

    /// Takes a delay, a round-trip time and the window; `window_small` is one that is next to
    /// nothing. Starts again where the delay has moved.
    pub(crate) fn on_delay(
        &mut self,
        now: Instant,
        ours: TimestampDiff,
        rtt_us: u32,
        window: u64,
        window_small: u64,
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
            *self = Self::new(now, ours, rtt_us, window);
        }
        let has_halved = window <= (self.window_then / 2).max(window_small);
        let is_long = now.saturating_since(self.since) >= SPAN_US_MIN;
        let found = Found { ours: self.lowest, rtt_us: self.rtt_us_min };
        (has_halved && is_long).then_some(found)
    }
}

/// The queue of one TCP flow moves by 8 ms per second at 10 Mbit/s.
const RANGE_US_MAX: i32 = 2_000;

const SPAN_US_MIN: u64 = 5_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: TimestampDiff = TimestampDiff(u32::MAX - 1_000);

    fn at_ms(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    /// When a path is found longer: every 100 ms comes a delay above [`OURS`], and a window.
    fn found_ms(delay_us: impl Fn(u64) -> u32, window: impl Fn(u64) -> u64) -> Option<u64> {
        let sample = |ms| TimestampDiff(OURS.0.wrapping_add(delay_us(ms)));
        let mut plateau = Plateau::new(at_ms(0), sample(0), 170_000, window(0));
        (1..600).map(|step| step * 100).find(|ms| {
            plateau.on_delay(at_ms(*ms), sample(*ms), 170_000, window(*ms), 100).is_some()
        })
    }

    #[test]
    fn a_delay_that_stays_while_the_window_halves_is_that_of_the_path() {
        assert_eq!(found_ms(|_| 0, |ms| 100_000 - 5 * ms), Some(10_000));
        assert_eq!(found_ms(|ms| u32::from(ms % 200 == 0) * 2_000, |_| 10), Some(5_000));
    }

    #[test]
    fn a_window_that_stays_says_nothing() {
        assert_eq!(found_ms(|_| 0, |_| 100_000), None);
        assert_eq!(found_ms(|_| 0, |ms| 100_000 - ms / 2), None);
    }

    #[test]
    fn a_queue_that_moves_belongs_to_somebody() {
        let jitter = |ms| u32::from(ms % 200 == 0) * 2_100;
        assert_eq!(found_ms(jitter, |_| 10), None);
        // 8 ms per second up, as with TCP at 10 Mbit/s, and 1 ms per second down, as a queue that
        // drains.
        let at = |ms: u64| u32::try_from(ms).expect("small");
        assert_eq!(found_ms(|ms| 8 * at(ms), |_| 10), None);
        assert_eq!(found_ms(|ms| 60_000 - at(ms), |_| 10), None);
    }

    #[test]
    fn what_is_found_is_the_lowest_of_the_span() {
        let mut plateau = Plateau::new(at_ms(0), OURS, 170_000, 10);
        let later = TimestampDiff(OURS.0.wrapping_add(1_500));
        assert_eq!(plateau.on_delay(at_ms(4_999), later, 169_000, 10, 100), None);
        let found = plateau.on_delay(at_ms(5_000), later, 171_000, 10, 100);
        assert_eq!(found, Some(Found { ours: OURS, rtt_us: 169_000 }));
    }

    #[test]
    fn half_the_range_of_a_delay_is_no_plateau() {
        let mut plateau = Plateau::new(at_ms(0), TimestampDiff(0), 170_000, 10);
        let far = TimestampDiff(1 << 31);
        assert_eq!(plateau.on_delay(at_ms(1_000), far, 170_000, 10, 100), None);
        assert_eq!(plateau.on_delay(at_ms(5_999), far, 170_000, 10, 100), None);
        assert!(plateau.on_delay(at_ms(6_000), far, 170_000, 10, 100).is_some());
    }
}
