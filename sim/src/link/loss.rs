//! Whether a packet is lost at random or by a list, before it reaches the queue.

use crate::rng::Stream;
use crate::scenario::Loss;

/// The loss model and the state it is in.
#[derive(Debug)]
pub(super) struct Lottery {
    model: Loss,
    /// Of the Gilbert-Elliott model.
    bad: bool,
    stream: Stream,
}

impl Lottery {
    pub(super) const fn new(model: Loss, stream: Stream) -> Self {
        Self { model, bad: false, stream }
    }

    /// Goes on with another model: draws continue where they were, and so does a bad state.
    pub(super) fn set(&mut self, model: &Loss) {
        if self.model != *model {
            self.model = model.clone();
        }
    }

    /// Draws for the packet that is the `number`th to be offered to the link, from 0.
    pub(super) fn takes(&mut self, number: u64) -> bool {
        match &self.model {
            Loss::None => false,
            Loss::Bernoulli(ppm) => self.stream.chance(*ppm),
            Loss::GilbertElliott { to_bad_ppm, to_good_ppm, loss_good_ppm, loss_bad_ppm } => {
                // The packet meets the state as it is; then the state may change.
                let (loss_ppm, change_ppm) = if self.bad {
                    (*loss_bad_ppm, *to_good_ppm)
                } else {
                    (*loss_good_ppm, *to_bad_ppm)
                };
                let lost = self.stream.chance(loss_ppm);
                self.bad ^= self.stream.chance(change_ppm);
                lost
            }
            Loss::List(numbers) => numbers.binary_search(&number).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Streams};

    fn lottery(model: Loss) -> Lottery {
        Lottery::new(model, Streams::new(1).link(0, Purpose::Loss))
    }

    fn losses(model: Loss, packets: u64) -> Vec<bool> {
        let mut lottery = lottery(model);
        (0..packets).map(|number| lottery.takes(number)).collect()
    }

    fn count(lost: &[bool]) -> usize {
        lost.iter().filter(|&&lost| lost).count()
    }

    #[test]
    fn loss_rate_is_what_was_asked_for() {
        // Five standard deviations of a binomial: sqrt(1e6 * 0.01 * 0.99) is 99.5.
        assert!(count(&losses(Loss::Bernoulli(10_000), 1_000_000)).abs_diff(10_000) < 498);
        assert!(count(&losses(Loss::Bernoulli(500_000), 100_000)).abs_diff(50_000) < 791);
    }

    #[test]
    fn the_extremes_are_certain() {
        assert_eq!(count(&losses(Loss::None, 1_000)), 0);
        assert_eq!(count(&losses(Loss::Bernoulli(0), 1_000)), 0);
        assert_eq!(count(&losses(Loss::Bernoulli(1_000_000), 1_000)), 1_000);
    }

    #[test]
    fn gilbert_elliott_loses_the_share_of_its_stationary_states() {
        // The bad state holds p / (p + r) of all packets: 0.01 / 0.11. A tenth of the rest is lost
        // at 0.1 %, half of the bad ones: 0.9091 * 0.001 + 0.0909 * 0.5 is 4.636 %.
        let model = Loss::GilbertElliott {
            to_bad_ppm: 10_000,
            to_good_ppm: 100_000,
            loss_good_ppm: 1_000,
            loss_bad_ppm: 500_000,
        };
        let lost = count(&losses(model, 1_000_000));
        // States last 10 packets, so that losses are about sqrt(1 + 2 * 10 * 0.5) = 3.3 times as
        // widely spread as independent ones: five times 3.3 * sqrt(1e6 * 0.0464 * 0.9536) is 3470.
        assert!(lost.abs_diff(46_364) < 3_470, "{lost}");
    }

    #[test]
    fn gilbert_elliott_bursts_last_the_inverse_of_the_way_back() {
        let model = Loss::GilbertElliott {
            to_bad_ppm: 10_000,
            to_good_ppm: 200_000,
            loss_good_ppm: 0,
            loss_bad_ppm: 1_000_000,
        };
        let lost = losses(model, 1_000_000);
        let begun = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        // One burst in every 1 / 0.01 + 1 / 0.2 = 105 packets, of 5 packets in the mean; its length
        // is geometric, with a deviation of sqrt(0.8) / 0.2 = 4.47.
        assert!(begun.abs_diff(9_524) < 5 * 98, "{begun}");
        let mean_times_1000 = count(&lost) * 1_000 / begun;
        assert!(mean_times_1000.abs_diff(5_000) < 5 * 4_470 / 97, "{mean_times_1000}");
    }

    #[test]
    fn a_list_takes_its_numbers_and_no_others() {
        let lost = losses(Loss::List([3, 17].into()), 100);
        let numbers: Vec<usize> = (0..100).filter(|&number| lost[number]).collect();
        assert_eq!(numbers, [3, 17]);
    }

    #[test]
    fn another_model_goes_on_in_the_bad_state() {
        let bad_ppm = |loss_bad_ppm| Loss::GilbertElliott {
            to_bad_ppm: 1_000_000,
            to_good_ppm: 0,
            loss_good_ppm: 0,
            loss_bad_ppm,
        };
        let mut lottery = lottery(bad_ppm(0));
        assert!(!lottery.takes(0) && !lottery.takes(1));
        lottery.set(&bad_ppm(1_000_000));
        assert!(lottery.takes(2));
    }
}
