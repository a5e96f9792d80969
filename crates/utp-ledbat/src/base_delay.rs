//! Owns the base delay: the smallest one-way delay of the last minutes, kept as one minimum per
//! minute, or per few minutes where less precision will do.
//!
//! The samples wrap and contain the offset of two clocks, so that "smallest" means the lowest by
//! wrapping distance. A peer that steps by half the range gets a wrong base, no worse.

use utp_wire::{Instant, TimestampDiff};

use crate::config::BaseRollover;

/// The minima of a delay over spans of time, and their minimum. Every connection keeps three for
/// its whole life, hence the narrow fields.
#[derive(Clone, Debug)]
pub(crate) struct BaseDelay<const SLOTS: usize> {
    /// A ring of which the first [`len`](Self::len) slots are in use.
    slots: [TimestampDiff; SLOTS],
    /// A bit per slot: whether its span had a sample; none is set before the first sample.
    filled: u16,
    minutes: u8,
    head: u8,
    /// The second in which the slot at `head` began.
    head_since_s: u32,
    /// The minimum over all slots, once there was a sample.
    min: TimestampDiff,
    rollover: BaseRollover,
    /// A minimum is not forgotten for one that is higher by no more than this.
    keep_ms: u8,
}

/// A minimum per minute, for the delay that the law steers by.
pub(crate) type FineBase = BaseDelay<{ HISTORY_MAX as usize }>;

/// A minimum per few minutes, for delays that only guard against drift and lies.
pub(crate) type CoarseBase = BaseDelay<4>;

impl<const SLOTS: usize> BaseDelay<SLOTS> {
    /// An empty history of `minutes` minutes, at least one and at most [`HISTORY_MAX`].
    pub(crate) fn new(minutes: u8, rollover: BaseRollover) -> Self {
        Self {
            slots: [TimestampDiff::default(); SLOTS],
            filled: 0,
            minutes: minutes.clamp(1, HISTORY_MAX),
            head: 0,
            head_since_s: 0,
            min: TimestampDiff::default(),
            rollover,
            keep_ms: 0,
        }
    }

    /// The same history, but one that does not forget its minimum for one that is higher by no more
    /// than `keep_us`, up to 255 ms. A sender whose own queue stands at its target never sees the
    /// empty path again, and would take the queue for it.
    pub(crate) fn keeping(self, keep_us: u32) -> Self {
        Self { keep_ms: u8::try_from(keep_us / 1_000).unwrap_or(u8::MAX), ..self }
    }

    /// Forgets all samples.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    /// The base delay, once there was a sample.
    pub(crate) fn get(&self) -> Option<TimestampDiff> {
        (self.filled != 0).then_some(self.min)
    }

    /// Takes a sample and returns the base delay.
    pub(crate) fn on_sample(&mut self, now: Instant, sample: TimestampDiff) -> TimestampDiff {
        self.roll(now);
        let head = usize::from(self.head);
        let slot = lower_of(self.slot(self.head), sample);
        self.min = lower_of(self.get(), slot);
        self.slots[head] = slot;
        self.filled |= 1 << head;
        self.min
    }

    /// Raises the whole history by `by_us`.
    pub(crate) fn raise(&mut self, by_us: u32) {
        for delay in self.slots.iter_mut().chain([&mut self.min]) {
            *delay = TimestampDiff(delay.0.wrapping_add(by_us));
        }
    }

    /// Moves to a new slot if the span of the current one is over.
    fn roll(&mut self, now: Instant) {
        let now_s = u32::try_from(now.as_micros() / SECOND_US).unwrap_or(u32::MAX);
        if self.filled == 0 {
            self.head_since_s = now_s;
        }
        let len = self.len();
        let span_s = MINUTE_S * u32::from(self.minutes) / u32::from(len);
        let spans = now_s.saturating_sub(self.head_since_s) / span_s;
        if spans == 0 {
            return;
        }
        let (steps, next_since_s) = match self.rollover {
            BaseRollover::ActiveMinutes => (1, now_s),
            BaseRollover::EveryMinute => (spans, self.head_since_s + spans * span_s),
        };
        self.head_since_s = next_since_s;
        for _ in 0..steps.min(len.into()) {
            self.head = (self.head + 1) % len;
            self.filled &= !(1 << self.head);
        }
        let filled = (0..len).filter_map(|index| self.slot(index));
        let min = filled.fold(None, |min, slot| Some(lower_of(min, slot)));
        let kept = min.is_some_and(|min| {
            (1..=i32::from(self.keep_ms) * 1_000).contains(&min.distance_from(self.min))
        });
        if kept {
            self.slots[usize::from(self.head)] = self.min;
            self.filled |= 1 << self.head;
        } else {
            self.min = min.unwrap_or_default();
        }
    }

    /// How many slots are in use: one per minute if there are as many.
    fn len(&self) -> u8 {
        self.minutes.min(u8::try_from(SLOTS).unwrap_or(HISTORY_MAX))
    }

    /// The minimum of a span that had a sample.
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

/// The longest history, in minutes: that of libutp.
pub(crate) const HISTORY_MAX: u8 = 13;

const MINUTE_S: u32 = 60;

const SECOND_US: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at_s(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn base(minutes: u8, rollover: BaseRollover) -> FineBase {
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
    fn a_minimum_is_kept_for_one_that_is_little_higher() {
        for (above_us, forgotten_s) in [(100_000, None), (100_001, Some(600))] {
            let mut base = base(10, BaseRollover::EveryMinute).keeping(100_000);
            base.on_sample(at_s(0), TimestampDiff(u32::MAX));
            let high = TimestampDiff(above_us - 1);
            let found = (1..3_000).find(|second| base.on_sample(at_s(*second), high) == high);
            assert_eq!(found, forgotten_s, "{above_us}");
        }
        let mut base = base(10, BaseRollover::EveryMinute).keeping(100_000);
        base.on_sample(at_s(0), TimestampDiff(100));
        let after_idle = base.on_sample(at_s(660), TimestampDiff(200));
        assert_eq!(after_idle, TimestampDiff(200), "nothing was seen in all that time");
    }

    #[test]
    fn a_coarse_history_forgets_no_sooner_than_a_span_before_and_no_later_than_the_fine_one() {
        for seen_s in [0, 60, 200, 400, 700] {
            let mut coarse = CoarseBase::new(12, BaseRollover::EveryMinute);
            for second in 0..2_000 {
                let sample = TimestampDiff(if second == seen_s { 100 } else { 700 });
                let remembers = coarse.on_sample(at_s(second), sample) == TimestampDiff(100);
                if (seen_s..seen_s + 9 * 60).contains(&second) {
                    assert!(remembers, "{second}");
                } else if second >= seen_s + 12 * 60 {
                    assert!(!remembers, "{second}");
                }
            }
        }
    }

    // req: R-23
    #[test]
    fn idle_minutes_below_the_history_keep_the_base() {
        for rollover in [BaseRollover::EveryMinute, BaseRollover::ActiveMinutes] {
            let mut base = base(10, rollover);
            base.on_sample(at_s(0), TimestampDiff(100));
            assert_eq!(base.on_sample(at_s(9 * 60), TimestampDiff(700)), TimestampDiff(100));
        }
    }

    // req: R-23
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
