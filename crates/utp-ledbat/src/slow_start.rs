//! Owns the slow-start phase: how the window opens before the delay-based law takes over, and when
//! that phase ends. Windows are in [`subbytes`].

use crate::config::SlowStart;
use crate::subbytes::{share_of, subbytes};

/// The phase and its threshold.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    law: SlowStart,
    active: bool,
    /// Whether this time the window doubles, whatever the law says.
    doubles: bool,
    /// The window above which the phase ends.
    threshold: u64,
}

/// What slow start makes of one acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The window may grow to this size.
    Grow(u64),
    /// The phase has just ended; the window stays as it is this time.
    Leave,
    /// The sender is not in slow start.
    Off,
}

impl Phase {
    /// A phase that begins now, unless the law is [`SlowStart::Off`].
    pub(crate) const fn new(law: SlowStart, threshold: u64) -> Self {
        Self { law, active: !matches!(law, SlowStart::Off), doubles: false, threshold }
    }

    pub(crate) const fn is_active(&self) -> bool {
        self.active
    }

    /// The threshold, unless the law has no slow start.
    pub(crate) const fn threshold(&self) -> Option<u64> {
        match self.law {
            SlowStart::Off => None,
            SlowStart::Doubling | SlowStart::OnePacket => Some(self.threshold),
        }
    }

    /// Ends the phase where the window would pass the threshold or where the queuing delay has
    /// come near the target, else tells how far the window may grow.
    pub(crate) fn on_ack(
        &mut self,
        window: u64,
        bytes_acked: u64,
        payload_bytes_max: u16,
        delay_us: u32,
        target_us: u32,
    ) -> Step {
        if !self.active {
            return Step::Off;
        }
        let growth = match self.law {
            SlowStart::OnePacket if !self.doubles => {
                share_of(payload_bytes_max.into(), bytes_acked, window)
            }
            SlowStart::Doubling | SlowStart::Off | SlowStart::OnePacket => {
                subbytes(bytes_acked.min(payload_bytes_max.into()))
            }
        };
        let grown = window.saturating_add(growth);
        if grown > self.threshold {
            self.end();
            return Step::Leave;
        }
        if u64::from(delay_us) * 10 > u64::from(target_us) * 9 {
            self.on_cut(window);
            return Step::Leave;
        }
        Step::Grow(grown)
    }

    /// Ends the phase and keeps `window` as the threshold.
    pub(crate) const fn on_cut(&mut self, window: u64) {
        self.end();
        self.threshold = window;
    }

    const fn end(&mut self) {
        self.active = false;
        self.doubles = false;
    }

    /// Starts the phase on a path of which nothing is known any more: the window doubles (RFC 5681
    /// section 3.1), whatever the law, up to the threshold or near the target.
    pub(crate) const fn explore(&mut self, threshold: u64) {
        self.active = true;
        self.doubles = true;
        self.threshold = threshold;
    }

    /// Starts the phase again with one packet, after `in_flight_bytes` were lost.
    pub(crate) fn on_timeout(&mut self, in_flight_bytes: u64, payload_bytes_max: u16) {
        if self.law == SlowStart::Doubling && in_flight_bytes > 0 {
            let packets_2 = 2 * u64::from(payload_bytes_max);
            self.threshold = subbytes((in_flight_bytes / 2).max(packets_2));
        }
        self.active = self.law != SlowStart::Off;
        self.doubles = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET_US: u32 = 100_000;

    fn step(phase: &mut Phase, window_bytes: u64, bytes_acked: u64, delay_us: u32) -> Step {
        phase.on_ack(subbytes(window_bytes), bytes_acked, 1_000, delay_us, TARGET_US)
    }

    #[test]
    fn one_packet_grows_by_one_packet_per_window_acknowledged() {
        let mut phase = Phase::new(SlowStart::OnePacket, subbytes(100_000));
        assert_eq!(step(&mut phase, 10_000, 10_000, 0), Step::Grow(subbytes(11_000)));
        assert_eq!(step(&mut phase, 10_000, 1_000, 0), Step::Grow(subbytes(10_100)));
    }

    #[test]
    fn doubling_grows_by_what_is_acknowledged_up_to_one_packet() {
        let mut phase = Phase::new(SlowStart::Doubling, subbytes(100_000));
        assert_eq!(step(&mut phase, 10_000, 400, 0), Step::Grow(subbytes(10_400)));
        assert_eq!(step(&mut phase, 10_000, 4_000, 0), Step::Grow(subbytes(11_000)));
    }

    #[test]
    fn the_phase_ends_above_the_threshold_and_keeps_it() {
        for law in [SlowStart::OnePacket, SlowStart::Doubling] {
            let mut phase = Phase::new(law, subbytes(10_999));
            assert_eq!(step(&mut phase, 10_000, 10_000, 0), Step::Leave);
            assert_eq!(step(&mut phase, 10_000, 10_000, 0), Step::Off);
            assert_eq!(phase.threshold(), Some(subbytes(10_999)));
        }
    }

    #[test]
    fn the_phase_ends_above_nine_tenths_of_the_target_with_the_window_as_threshold() {
        for law in [SlowStart::OnePacket, SlowStart::Doubling] {
            let mut phase = Phase::new(law, subbytes(100_000));
            assert_eq!(step(&mut phase, 10_000, 10_000, 90_000), Step::Grow(subbytes(11_000)));
            assert_eq!(step(&mut phase, 10_000, 10_000, 90_001), Step::Leave);
            assert_eq!(phase.threshold(), Some(subbytes(10_000)));
            assert!(!phase.is_active());
        }
    }

    #[test]
    fn a_path_to_explore_doubles_the_window_once_whatever_the_law() {
        for law in [SlowStart::OnePacket, SlowStart::Doubling, SlowStart::Off] {
            let mut phase = Phase::new(law, subbytes(100_000));
            phase.on_cut(subbytes(10_000));
            phase.explore(subbytes(100_000));
            assert_eq!(step(&mut phase, 10_000, 1_000, 0), Step::Grow(subbytes(11_000)));
            assert_eq!(step(&mut phase, 10_000, 1_000, 90_001), Step::Leave);
            assert_eq!(step(&mut phase, 10_000, 1_000, 0), Step::Off);
            phase.explore(subbytes(100_000));
            phase.on_timeout(10_000, 1_000);
            let as_by_law = Phase::new(law, subbytes(100_000)).is_active();
            assert_eq!((phase.is_active(), phase.doubles), (as_by_law, false));
        }
    }

    #[test]
    fn a_time_out_starts_the_phase_again() {
        let mut linear = Phase::new(SlowStart::OnePacket, subbytes(100_000));
        linear.on_cut(subbytes(5_000));
        linear.on_timeout(60_000, 1_000);
        assert!(linear.is_active());
        assert_eq!(linear.threshold(), Some(subbytes(5_000)));

        let mut doubling = Phase::new(SlowStart::Doubling, subbytes(100_000));
        doubling.on_timeout(60_000, 1_000);
        assert_eq!(doubling.threshold(), Some(subbytes(30_000)));
        doubling.on_timeout(1_000, 1_000);
        assert_eq!(doubling.threshold(), Some(subbytes(2_000)));

        let mut off = Phase::new(SlowStart::Off, subbytes(100_000));
        off.on_timeout(60_000, 1_000);
        assert!(!off.is_active());
        assert_eq!(off.threshold(), None);
    }
}
