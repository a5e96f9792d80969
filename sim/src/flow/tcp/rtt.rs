//! Round-trip time and retransmission time-out (RFC 6298).

use crate::time::Ns;

/// The estimator of RFC 6298 section 2, with the minimum that Linux has.
///
/// The standard asks for at least 1 s; Linux keeps the variance term at 200 ms or more instead,
/// and it is Linux that the flow stands for.
#[derive(Debug, Default)]
pub(super) struct Rtt {
    smoothed: Option<Ns>,
    variation: Ns,
    expiries: u32,
}

impl Rtt {
    /// A measurement on a segment that was sent once (RFC 6298 section 3).
    pub(super) fn update(&mut self, sample: Ns) {
        self.smoothed = Some(match self.smoothed {
            None => {
                self.variation = Ns(sample.0 / 2);
                sample
            }
            Some(smoothed) => {
                let error = smoothed.0.abs_diff(sample.0);
                self.variation = Ns((3 * self.variation.0 + error) / 4);
                Ns((7 * smoothed.0 + sample.0) / 8)
            }
        });
    }

    /// The timer expired: double the time-out (RFC 6298 rule 5.5).
    pub(super) fn back_off(&mut self) {
        self.expiries += 1;
    }

    /// New data was acknowledged: the path is alive.
    pub(super) fn end_back_off(&mut self) {
        self.expiries = 0;
    }

    pub(super) const fn smoothed(&self) -> Option<Ns> {
        self.smoothed
    }

    /// The current time-out.
    pub(super) fn timeout(&self) -> Ns {
        let base = match self.smoothed {
            None => INITIAL,
            Some(smoothed) => smoothed + VARIANCE_MIN.max(Ns(4 * self.variation.0)),
        };
        Ns(base.0 << self.expiries.min(DOUBLINGS_MAX)).min(MAX)
    }
}

const INITIAL: Ns = Ns::from_secs(1);
const VARIANCE_MIN: Ns = Ns::from_millis(200);
const MAX: Ns = Ns::from_secs(60);
/// More doublings than it takes from 200 ms to [`MAX`].
const DOUBLINGS_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_sample_sets_both_estimates() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.timeout(), Ns::from_secs(1));
        rtt.update(Ns::from_millis(400));
        assert_eq!(rtt.smoothed(), Some(Ns::from_millis(400)));
        assert_eq!(rtt.timeout(), Ns::from_millis(400 + 4 * 200));
    }

    #[test]
    fn later_samples_are_weighted_as_the_standard_says() {
        let mut rtt = Rtt::default();
        rtt.update(Ns::from_millis(400));
        rtt.update(Ns::from_millis(800));
        assert_eq!(rtt.smoothed(), Some(Ns::from_millis(450)));
        assert_eq!(rtt.timeout(), Ns::from_millis(450 + 4 * 250));
    }

    #[test]
    fn a_steady_path_keeps_the_minimum_above_its_rtt() {
        let mut rtt = Rtt::default();
        for _ in 0..100 {
            rtt.update(Ns::from_millis(50));
        }
        assert_eq!(rtt.timeout(), Ns::from_millis(250));
    }

    #[test]
    fn expiries_double_up_to_a_minute_until_data_is_acknowledged() {
        let mut rtt = Rtt::default();
        rtt.back_off();
        rtt.back_off();
        assert_eq!(rtt.timeout(), Ns::from_secs(4));
        for _ in 0..100 {
            rtt.back_off();
        }
        assert_eq!(rtt.timeout(), Ns::from_secs(60));
        rtt.end_back_off();
        assert_eq!(rtt.timeout(), Ns::from_secs(1));
    }
}
