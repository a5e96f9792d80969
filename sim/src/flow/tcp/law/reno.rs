//! Reno: one segment more each round trip, half at a loss (RFC 5681).

use super::{Progress, WINDOW_MIN};

/// Additive increase, multiplicative decrease.
#[derive(Clone, Debug, Default)]
pub struct Reno {
    /// Segments acknowledged towards the next step.
    towards_step: u32,
}

impl Reno {
    pub(super) fn window_after(&mut self, progress: &Progress) -> u32 {
        self.towards_step += progress.segments;
        if self.towards_step < progress.window {
            return progress.window;
        }
        self.towards_step -= progress.window;
        progress.window + 1
    }

    pub(super) fn restart(&mut self) {
        self.towards_step = 0;
    }

    pub(super) fn on_loss(&mut self, basis: u32) -> u32 {
        self.towards_step = 0;
        (basis / 2).max(WINDOW_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Ns;

    fn progress(segments: u32, window: u32) -> Progress {
        Progress { now: Ns::ZERO, segments, window, rtt: Ns::ZERO }
    }

    #[test]
    fn a_window_of_acks_adds_one_segment() {
        let mut reno = Reno::default();
        let windows: Vec<u32> = (0..6).map(|_| reno.window_after(&progress(2, 10))).collect();
        assert_eq!(windows, [10, 10, 10, 10, 11, 10]);
    }

    #[test]
    fn a_loss_leaves_half_of_the_flight_and_at_least_two_segments() {
        let mut reno = Reno::default();
        assert_eq!([41, 40, 5, 1].map(|flight| reno.on_loss(flight)), [20, 20, 2, 2]);
    }
}
