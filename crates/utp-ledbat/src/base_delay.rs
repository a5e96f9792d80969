//! Owns the base delay: the smallest one-way delay of the last minutes, kept as one minimum per
//! minute.
//!
//! The samples wrap and contain the offset of two clocks, so that "smallest" means the lowest by
//! wrapping distance. A peer that steps by half the range gets a wrong base, no worse.

use utp_wire::{Instant, TimestampDiff};

use crate::config::BaseRollover;

/// One-minute minima of a delay and their minimum.
#[derive(Clone, Debug)]
pub(crate) struct BaseDelay {
    /// A ring of which the first `len` slots are in use.
    slots: [TimestampDiff; HISTORY_MAX as usize],
    /// A bit per slot: whether its minute had a sample.
    filled: u16,
    len: u8,
    head: u8,
    /// When the slot at `head` began; `None` before the first sample.
    head_since: Option<Instant>,
    /// The minimum over all slots.
    min: Option<TimestampDiff>,
    rollover: BaseRollover,
}

impl BaseDelay {
    /// An empty history of `minutes` slots, at least one and at most [`HISTORY_MAX`].
    pub(crate) fn new(minutes: u8, rollover: BaseRollover) -> Self {
        Self {
            slots: [TimestampDiff::default(); HISTORY_MAX as usize],
            filled: 0,
            len: minutes.clamp(1, HISTORY_MAX),
            head: 0,
            head_since: None,
            min: None,
            rollover,
        }
    }

    /// The base delay, once there was a sample.
    pub(crate) const fn get(&self) -> Option<TimestampDiff> {
        self.min
    }

    /// Takes a sample and returns the base delay.
    pub(crate) fn on_sample(&mut self, now: Instant, sample: TimestampDiff) -> TimestampDiff {
        self.roll(now);
        let head = usize::from(self.head);
        let slot = lower_of(self.slot(self.head), sample);
        self.slots[head] = slot;
        self.filled |= 1 << head;
        let min = lower_of(self.min, slot);
        self.min = Some(min);
        min
    }

    /// Raises the whole history by `by_us`.
    pub(crate) fn raise(&mut self, by_us: u32) {
        for delay in self.slots.iter_mut().chain(self.min.as_mut()) {
            *delay = TimestampDiff(delay.0.wrapping_add(by_us));
        }
    }

    /// Moves to a new slot if the minute of the current one is over.
    fn roll(&mut self, now: Instant) {
        let since = *self.head_since.get_or_insert(now);
        let minutes = now.saturating_since(since) / MINUTE_US;
        if minutes == 0 {
            return;
        }
        let (steps, next_since) = match self.rollover {
            BaseRollover::ActiveMinutes => (1, now),
            BaseRollover::EveryMinute => (minutes, since.saturating_add(minutes * MINUTE_US)),
        };
        self.head_since = Some(next_since);
        for _ in 0..steps.min(self.len.into()) {
            self.head = (self.head + 1) % self.len;
            self.filled &= !(1 << self.head);
        }
        let filled = (0..self.len).filter_map(|index| self.slot(index));
        self.min = filled.fold(None, |min, slot| Some(lower_of(min, slot)));
    }

    /// The minimum of a minute that had a sample.
    fn slot(&self, index: u8) -> Option<TimestampDiff> {
        (self.filled >> index & 1 == 1).then(|| self.slots[usize::from(index)])
    }
}

fn lower_of(min: Option<TimestampDiff>, sample: TimestampDiff) -> TimestampDiff {
    match min {
        Some(min) if sample.distance_from(min) >= 0 => min,
        _ => sample,
    }
}

/// The longest history, in minutes: one bit of `filled` each.
pub(crate) const HISTORY_MAX: u8 = 16;

const MINUTE_US: u64 = 60_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at_s(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn base(minutes: u8, rollover: BaseRollover) -> BaseDelay {
        BaseDelay::new(minutes, rollover)
    }

    // req: R-02
    #[test]
    fn a_lower_sample_is_adopted_at_once() {
        let mut base = base(10, BaseRollover::EveryMinute);
        assert_eq!(base.get(), None);
        assert_eq!(base.on_sample(at_s(0), TimestampDiff(500)), TimestampDiff(500));
        assert_eq!(base.on_sample(at_s(1), TimestampDiff(900)), TimestampDiff(500));
        assert_eq!(base.on_sample(at_s(2), TimestampDiff(499)), TimestampDiff(499));
    }

    #[test]
    fn a_sample_below_zero_is_lower_than_one_above_it() {
        let mut base = base(10, BaseRollover::EveryMinute);
        base.on_sample(at_s(0), TimestampDiff(5));
        assert_eq!(
            base.on_sample(at_s(1), TimestampDiff(u32::MAX - 5)),
            TimestampDiff(u32::MAX - 5)
        );
        assert_eq!(base.on_sample(at_s(2), TimestampDiff(5)), TimestampDiff(u32::MAX - 5));
    }

    // req: CC-08, B-39, R-11
    #[test]
    fn a_minimum_is_forgotten_after_the_history_and_not_before() {
        for (rollover, minutes) in
            [(BaseRollover::EveryMinute, 10), (BaseRollover::ActiveMinutes, 13)]
        {
            let mut base = base(minutes, rollover);
            base.on_sample(at_s(0), TimestampDiff(100));
            let mut forgotten_s = 0;
            for second in 1..1_200 {
                if base.on_sample(at_s(second), TimestampDiff(700)) == TimestampDiff(700) {
                    forgotten_s = second;
                    break;
                }
            }
            assert_eq!(forgotten_s, u64::from(minutes) * 60);
        }
    }

    #[test]
    fn idle_minutes_below_the_history_keep_the_base() {
        for rollover in [BaseRollover::EveryMinute, BaseRollover::ActiveMinutes] {
            let mut base = base(10, rollover);
            base.on_sample(at_s(0), TimestampDiff(100));
            assert_eq!(base.on_sample(at_s(9 * 60), TimestampDiff(700)), TimestampDiff(100));
        }
    }

    #[test]
    fn idle_minutes_beyond_the_history_start_it_afresh_if_they_count() {
        let mut counting = base(10, BaseRollover::EveryMinute);
        counting.on_sample(at_s(0), TimestampDiff(100));
        assert_eq!(counting.on_sample(at_s(11 * 60), TimestampDiff(700)), TimestampDiff(700));

        let mut keeping = base(10, BaseRollover::ActiveMinutes);
        keeping.on_sample(at_s(0), TimestampDiff(100));
        assert_eq!(keeping.on_sample(at_s(11 * 60), TimestampDiff(700)), TimestampDiff(100));
    }

    #[test]
    fn raising_moves_every_slot() {
        let mut base = base(2, BaseRollover::EveryMinute);
        base.on_sample(at_s(0), TimestampDiff(100));
        base.on_sample(at_s(61), TimestampDiff(200));
        base.raise(50);
        assert_eq!(base.get(), Some(TimestampDiff(150)));
        // The first minute leaves the history; the second one was raised as well.
        assert_eq!(base.on_sample(at_s(121), TimestampDiff(900)), TimestampDiff(250));
    }

    #[test]
    fn a_clock_that_runs_backwards_is_harmless() {
        let mut base = base(2, BaseRollover::EveryMinute);
        base.on_sample(at_s(600), TimestampDiff(100));
        assert_eq!(base.on_sample(at_s(0), TimestampDiff(300)), TimestampDiff(100));
    }
}
