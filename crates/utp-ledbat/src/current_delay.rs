//! Owns the filter of the current delay: the smallest of the last few samples, which hides the
//! jitter of single packets.

use utp_wire::{Instant, TimestampDiff};

/// The latest samples of a delay.
#[derive(Clone, Debug)]
pub(crate) struct CurrentDelay {
    /// A ring of which the first `len` slots are in use and the first `filled` hold a sample.
    samples: [(Instant, TimestampDiff); FILTER_MAX as usize],
    len: u8,
    filled: u8,
    next: u8,
}

impl CurrentDelay {
    /// An empty filter of `samples` samples, at least one and at most [`FILTER_MAX`].
    pub(crate) fn new(samples: u8) -> Self {
        Self { samples: Default::default(), len: samples.clamp(1, FILTER_MAX), filled: 0, next: 0 }
    }

    /// Takes a sample, which replaces the oldest one.
    pub(crate) fn on_sample(&mut self, now: Instant, sample: TimestampDiff) {
        self.samples[usize::from(self.next)] = (now, sample);
        self.next = (self.next + 1) % self.len;
        self.filled = self.len.min(self.filled + 1);
    }

    /// How far the smallest sample lies above `base`, in microseconds; a sample below it counts as
    /// zero. `age_max_us` leaves out older samples. `None` if no sample is left.
    pub(crate) fn above(
        &self,
        base: TimestampDiff,
        now: Instant,
        age_max_us: Option<u32>,
    ) -> Option<u32> {
        let age_max_us = age_max_us.map_or(u64::MAX, u64::from);
        self.samples[..usize::from(self.filled)]
            .iter()
            .filter(|(at, _)| now.saturating_since(*at) <= age_max_us)
            .map(|(_, sample)| sample.distance_from(base).max(0).unsigned_abs())
            .min()
    }
}

/// The largest filter; larger ones hide the end of a queue for too long.
pub(crate) const FILTER_MAX: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: TimestampDiff = TimestampDiff(u32::MAX - 10);

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    fn sample(above_base: u32) -> TimestampDiff {
        TimestampDiff(BASE.0.wrapping_add(above_base))
    }

    // req: R-10
    #[test]
    fn the_smallest_of_the_last_samples_counts() {
        let mut current = CurrentDelay::new(3);
        assert_eq!(current.above(BASE, at(0), None), None);
        for (micros, above_base) in [(0, 10), (1, 40), (2, 50)] {
            current.on_sample(at(micros), sample(above_base));
        }
        assert_eq!(current.above(BASE, at(2), None), Some(10));
        current.on_sample(at(3), sample(60));
        assert_eq!(current.above(BASE, at(3), None), Some(40));
    }

    #[test]
    fn a_sample_older_than_the_limit_is_left_out() {
        let mut current = CurrentDelay::new(4);
        current.on_sample(at(0), sample(10));
        current.on_sample(at(100), sample(70));
        assert_eq!(current.above(BASE, at(100), Some(100)), Some(10));
        assert_eq!(current.above(BASE, at(101), Some(100)), Some(70));
        assert_eq!(current.above(BASE, at(500), Some(100)), None);
    }

    #[test]
    fn a_sample_below_the_base_counts_as_no_delay() {
        let mut current = CurrentDelay::new(3);
        current.on_sample(at(0), TimestampDiff(BASE.0.wrapping_sub(1)));
        assert_eq!(current.above(BASE, at(0), None), Some(0));
        current.on_sample(at(0), TimestampDiff(BASE.0.wrapping_add(1 << 31)));
        assert_eq!(current.above(BASE, at(0), None), Some(0));
    }
}
