//! How fast an application reads or writes: a rate that the scenario can change, handed out in
//! steps, so that engines with coarse timers keep it, too.

use crate::time::Ns;
use std::sync::Arc;

/// The bytes that may pass, as time goes on.
///
/// Under a limit each [`STEP`] brings its share, and so does a change of the limit. What is not
/// used in a step is lost: an application that was held up does not catch up.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// Bits per second from each moment on, ascending; none is without a limit.
    rates: Arc<[(Ns, Option<u64>)]>,
    /// Index of the rate in force.
    current: usize,
    /// The step that the allowance belongs to.
    step: u64,
    allowance: usize,
    /// What the shares so far lack to whole bytes, in bits times nanoseconds per second.
    remainder: u64,
}

impl Pace {
    /// A pace of `rate` bits per second until the first of `changes`, which are in order of time.
    pub(crate) fn new(
        rate: Option<u64>,
        changes: impl IntoIterator<Item = (Ns, Option<u64>)>,
    ) -> Self {
        let rates = [(Ns::ZERO, rate)].into_iter().chain(changes).collect();
        Self { rates, current: 0, step: u64::MAX, allowance: 0, remainder: 0 }
    }

    /// The bytes that may pass at `now`.
    pub(crate) fn allowance(&mut self, now: Ns) -> usize {
        while self.rates.get(self.current + 1).is_some_and(|&(at, _)| at <= now) {
            self.current += 1;
            self.allowance = 0;
            self.remainder = 0;
        }
        let Some(rate_bps) = self.rates[self.current].1 else { return usize::MAX };
        let step = now.0 / STEP.0;
        if step != self.step {
            self.step = step;
            self.allowance = self.share(rate_bps);
        }
        self.allowance
    }

    /// So many bytes passed, no more than the allowance.
    pub(crate) const fn take(&mut self, bytes: usize) {
        self.allowance = self.allowance.saturating_sub(bytes);
    }

    /// When the allowance changes next, if it does so by itself; after a call of
    /// [`Pace::allowance`].
    pub(crate) fn wake_at(&self) -> Option<Ns> {
        let change = self.rates.get(self.current + 1).map(|&(at, _)| at);
        let limited = self.rates[self.current].1.is_some_and(|rate| rate > 0);
        let refill = (limited && self.allowance == 0).then(|| Ns((self.step + 1) * STEP.0));
        change.into_iter().chain(refill).min()
    }

    /// Whole bytes of one step.
    fn share(&mut self, rate_bps: u64) -> usize {
        let total = u128::from(rate_bps) * u128::from(STEP.0) + u128::from(self.remainder);
        self.remainder = u64::try_from(total % BYTE).unwrap_or(0);
        usize::try_from(total / BYTE).unwrap_or(usize::MAX)
    }
}

/// Time between two shares.
const STEP: Ns = Ns::from_millis(10);

/// A byte in bits times nanoseconds per second.
const BYTE: u128 = 8 * 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything as soon as it may, and says when that was.
    fn taken(pace: &mut Pace, until: Ns) -> Vec<(u64, usize)> {
        let mut now = Ns::ZERO;
        let mut taken = Vec::new();
        while now < until {
            let bytes = pace.allowance(now);
            if bytes > 0 && bytes < usize::MAX {
                taken.push((now.0 / 1_000_000, bytes));
                pace.take(bytes);
            }
            let Some(next) = pace.wake_at() else { break };
            assert!(next > now);
            now = next;
        }
        taken
    }

    #[test]
    fn shares_come_step_by_step_and_add_up_to_the_rate() {
        // 1 001 bit/s are 1.25125 bytes a step.
        let mut pace = Pace::new(Some(1_001), []);
        let taken = taken(&mut pace, Ns::from_secs(8));
        assert_eq!(taken.iter().map(|&(_, bytes)| bytes).sum::<usize>(), 1_001);
        assert_eq!(taken[..4], [(0, 1), (10, 1), (20, 1), (30, 2)]);
    }

    #[test]
    fn what_was_not_used_is_lost() {
        let mut pace = Pace::new(Some(800_000), []);
        assert_eq!(pace.allowance(Ns::ZERO), 1_000);
        pace.take(400);
        assert_eq!(pace.wake_at(), None, "there is some left");
        assert_eq!(pace.allowance(Ns::from_millis(9)), 600);
        assert_eq!(pace.allowance(Ns::from_millis(990)), 1_000);
    }

    #[test]
    fn rates_change_at_their_moments() {
        let changes = [(Ns::from_millis(15), Some(0)), (Ns::from_millis(35), Some(1_600_000))];
        let mut pace = Pace::new(Some(800_000), changes);
        let taken = taken(&mut pace, Ns::from_millis(60));
        let expected = [(0, 1_000), (10, 1_000), (35, 2_000), (40, 2_000), (50, 2_000)];
        assert_eq!(taken, expected);
    }

    #[test]
    fn without_a_limit_everything_passes_and_nothing_wakes() {
        let mut pace = Pace::new(None, [(Ns::from_secs(1), Some(8_000))]);
        assert_eq!(pace.allowance(Ns::ZERO), usize::MAX);
        assert_eq!(pace.wake_at(), Some(Ns::from_secs(1)));
        assert_eq!(pace.allowance(Ns::from_secs(1)), 10);
        let mut unlimited = Pace::new(None, []);
        assert_eq!(unlimited.allowance(Ns::from_secs(5)), usize::MAX);
        assert_eq!(unlimited.wake_at(), None);
    }
}
