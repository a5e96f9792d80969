//! Owns the filter of the current delay: the smallest of the last few samples, which hides the
//! jitter of single packets.

use utp_wire::{Instant, TimestampDiff};

/// The latest samples of a delay.
#[derive(Clone, Debug)]
pub(crate) struct CurrentDelay {
    /// A ring of which the first `len` slots are in use and the first `filled` hold a sample.
    samples: [TimestampDiff; FILTER_MAX as usize],
    /// How long before the newest sample each of them was taken.
    behind_us: [u32; FILTER_MAX as usize],
    newest_at: Instant,
    len: u8,
    filled: u8,
    next: u8,
}

impl CurrentDelay {
    /// An empty filter of `samples` samples, at least one and at most [`FILTER_MAX`].
    pub(crate) fn new(samples: u8) -> Self {
        Self {
            samples: Default::default(),
            behind_us: Default::default(),
            newest_at: Instant::default(),
            len: samples.clamp(1, FILTER_MAX),
            filled: 0,
            next: 0,
        }
    }

    /// Forgets all samples.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.len);
    }

    /// Takes a sample, which replaces the oldest one.
    pub(crate) fn on_sample(&mut self, now: Instant, sample: TimestampDiff) {
        let since_us = saturated(self.since_newest_us(now));
        for behind_us in &mut self.behind_us {
            *behind_us = behind_us.saturating_add(since_us);
        }
        let next = usize::from(self.next);
        self.samples[next] = sample;
        self.behind_us[next] = 0;
        self.newest_at = now;
        self.next = (self.next + 1) % self.len;
        self.filled = self.len.min(self.filled + 1);
    }

    /// The sample taken last.
    pub(crate) fn newest(&self) -> Option<TimestampDiff> {
        let newest = (self.next + self.len - 1) % self.len;
        (self.filled > 0).then(|| self.samples[usize::from(newest)])
    }

    /// How long ago that was, in microseconds; since the beginning of time without a sample.
    pub(crate) fn since_newest_us(&self, now: Instant) -> u64 {
        now.saturating_since(self.newest_at)
    }

    /// How far the smallest sample lies above `base`, in microseconds; a sample below it counts as
    /// zero. `age_max_us` leaves out older samples. `None` if no sample is left.
    pub(crate) fn above(
        &self,
        base: TimestampDiff,
        now: Instant,
        age_max_us: Option<u32>,
    ) -> Option<u32> {
        let newest_us = saturated(self.since_newest_us(now));
        let age_max_us = age_max_us.unwrap_or(u32::MAX);
        let samples = self.samples.iter().zip(&self.behind_us).take(self.filled.into());
        samples
            .filter(|(_, behind_us)| behind_us.saturating_add(newest_us) <= age_max_us)
            .map(|(sample, _)| sample.distance_from(base).max(0).unsigned_abs())
            .min()
    }
}

/// An age beyond an hour is beyond every round trip.
fn saturated(age_us: u64) -> u32 {
    u32::try_from(age_us).unwrap_or(u32::MAX)
}

/// The largest filter; larger ones hide the end of a queue for too long.
pub(crate) const FILTER_MAX: u8 = 4;

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
        assert_eq!(current.newest(), Some(sample(60)));
        current.clear();
        assert_eq!(current.newest(), None);
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
