//! A token bucket that drops what exceeds it, without a queue.

use crate::scenario::Policer as Config;
use crate::time::Ns;

/// The bucket of a policer, full at first.
///
/// Tokens are counted in the eight-thousand-millionth part of a byte, of which every nanosecond
/// brings as many as the rate has bits per second: nothing is ever rounded.
#[derive(Debug)]
pub(super) struct Policer {
    config: Config,
    tokens: u128,
    filled: Ns,
}

const TOKENS_PER_BYTE: u128 = 8 * 1_000_000_000;

impl Policer {
    pub(super) const fn new(config: Config, now: Ns) -> Self {
        let tokens = config.burst_bytes as u128 * TOKENS_PER_BYTE;
        Self { config, tokens, filled: now }
    }

    /// Goes on with another rate and depth; what the bucket holds stays, as far as it fits.
    pub(super) fn set(&mut self, config: Config, now: Ns) {
        self.fill(now);
        self.config = config;
        self.fill(now);
    }

    /// Whether a packet of `bytes` passes at `now`; if it does, it takes its tokens.
    pub(super) fn passes(&mut self, now: Ns, bytes: u32) -> bool {
        self.fill(now);
        let price = u128::from(bytes) * TOKENS_PER_BYTE;
        let passes = price <= self.tokens;
        if passes {
            self.tokens -= price;
        }
        passes
    }

    fn fill(&mut self, now: Ns) {
        let brought =
            u128::from(now.saturating_sub(self.filled).0) * u128::from(self.config.rate_bps);
        let most = u128::from(self.config.burst_bytes) * TOKENS_PER_BYTE;
        self.tokens = (self.tokens + brought).min(most);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Config = Config { rate_bps: 5_000_000, burst_bytes: 25_000 };

    #[test]
    fn a_burst_passes_up_to_the_depth_of_the_bucket() {
        let mut policer = Policer::new(CONFIG, Ns::ZERO);
        let passed = (0..100).filter(|_| policer.passes(Ns::ZERO, 1_000)).count();
        assert_eq!(passed, 25);
        // 8000 bits take 1.6 ms to come.
        assert!(!policer.passes(Ns(1_599_999), 1_000));
        assert!(policer.passes(Ns(1_600_000), 1_000));
        assert!(!policer.passes(Ns(1_600_000), 1));
    }

    #[test]
    fn what_passes_in_any_span_conforms() {
        // Offered at twice the rate: in a span of t seconds the bucket lets through rate * t plus
        // its depth, less at most one packet that did not fit.
        let mut policer = Policer::new(CONFIG, Ns::ZERO);
        let interval = Ns(1_200_000);
        let mut passed = 0;
        for count in 0..100_000_u64 {
            passed += u64::from(policer.passes(Ns(interval.0 * count), 1_500)) * 1_500;
            let most = 25_000 + 5_000_000 / 8 * (interval.0 * count) / 1_000_000_000;
            assert!(passed <= most, "after {count}");
            assert!(count < 100 || passed + 1_500 > most, "after {count}");
        }
    }

    #[test]
    fn a_flow_below_the_rate_loses_nothing() {
        let mut policer = Policer::new(Config { burst_bytes: 1_500, ..CONFIG }, Ns::ZERO);
        assert!((0..100_000_u64).all(|count| policer.passes(Ns(2_400_000 * count), 1_500)));
    }

    #[test]
    fn another_rate_keeps_the_tokens_that_fit() {
        let mut policer = Policer::new(CONFIG, Ns::ZERO);
        assert!(policer.passes(Ns::ZERO, 5_000));
        policer.set(Config { rate_bps: 8_000, burst_bytes: 10_000 }, Ns::ZERO);
        assert!(policer.passes(Ns::ZERO, 10_000));
        assert!(!policer.passes(Ns(999_999), 1));
        assert!(policer.passes(Ns(1_000_000), 1));
    }
}
