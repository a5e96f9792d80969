//! How large the receive buffer is: it follows what the application takes per round trip.
//!
//! A buffer twice the size of what is consumed in a round trip never limits the sender (dynamic
//! right-sizing). It grows only, since a window that was announced is a promise.

use utp_wire::Instant;

use crate::config::{RECEIVE_RTT_UNKNOWN_US, RECEIVE_RTT_US_MAX, RECEIVE_RTT_US_MIN};

/// The receive buffer of one connection and what was announced of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveWindow {
    pub(super) buffer_bytes: u32,
    /// What the last packet said.
    announced: u32,
    /// Low bits of the count of bytes received in order when it said so.
    announced_at: u32,
    /// Least round trip of late, 0 before the first sample.
    rtt_us: u32,
}

/// The round trip in which the application takes bytes at present.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    /// Consumed in it.
    bytes: u32,
    started_at: Instant,
    /// When something was consumed last.
    last_at: Instant,
    /// Some of it had waited behind a hole.
    holed: bool,
}

impl Round {
    /// One that is long over.
    pub(super) const AT_REST: Self = Self {
        bytes: 0,
        started_at: Instant::from_micros(0),
        last_at: Instant::from_micros(0),
        holed: false,
    };

    pub(super) const fn new(now: Instant) -> Self {
        Self { bytes: 0, started_at: now, last_at: now, holed: false }
    }

    /// A hole was filled: what comes out of it arrived earlier.
    pub(super) const fn on_hole_filled(&mut self) {
        self.holed = true;
    }
}

impl ReceiveWindow {
    pub(super) const fn new(buffer_bytes: u32) -> Self {
        Self { buffer_bytes, announced: 0, announced_at: 0, rtt_us: 0 }
    }

    /// Takes a round trip as the receiver sees it: the delay of our packets as the peer measured it
    /// and that of its packets as we did. The clocks of the two cancel out in the sum.
    pub(super) fn on_rtt(&mut self, sum_us: u32) {
        if sum_us > RECEIVE_RTT_US_MAX {
            return; // The clocks were set, or the peer tells nonsense.
        }
        let sum_us = sum_us.max(RECEIVE_RTT_US_MIN);
        self.rtt_us = match self.rtt_us {
            0 => sum_us,
            rtt_us if sum_us <= rtt_us => sum_us,
            // A path that got longer is believed after a while, a queue is not.
            rtt_us => rtt_us + (sum_us - rtt_us) / 16,
        };
    }

    /// The application has taken `bytes`. At the end of a round trip the buffer doubles, up to
    /// `buffer_max`, if it is less than twice what was taken in it. What is taken at one moment
    /// belongs to one round, and one with a hole lasts longer, or it would seem twice as fast.
    pub(super) fn on_consumed(
        &mut self,
        round: &mut Round,
        now: Instant,
        bytes: usize,
        buffer_max: u32,
    ) {
        let last_at = std::mem::replace(&mut round.last_at, now);
        let taken_before = round.bytes;
        round.bytes = taken_before.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        let rtt_us = match self.rtt_us {
            0 => RECEIVE_RTT_UNKNOWN_US,
            rtt_us => u64::from(rtt_us),
        };
        let elapsed_us = last_at.saturating_since(round.started_at);
        let round_trips = if round.holed { ROUND_TRIPS_HOLED } else { 1 };
        if last_at == now || elapsed_us < rtt_us * round_trips {
            return;
        }
        let taken = u128::from(taken_before) * u128::from(rtt_us) / u128::from(elapsed_us);
        if 2 * taken > u128::from(self.buffer_bytes) {
            let doubled = self.buffer_bytes.saturating_mul(2);
            self.buffer_bytes = doubled.min(buffer_max).max(self.buffer_bytes);
        }
        round.bytes -= taken_before;
        round.started_at = last_at;
        round.holed = false;
    }

    /// A packet tells the window, `received` bytes having come in order so far.
    pub(super) fn on_announced(&mut self, window: u32, received: u64) {
        self.announced = window;
        self.announced_at = low_bits(received);
    }

    /// What was promised and has not come yet.
    pub(super) fn promised(&self, received: u64) -> u32 {
        self.announced.saturating_sub(low_bits(received).wrapping_sub(self.announced_at))
    }
}

/// Round trips over which a hole, which holds back what arrives in one, does not count much.
const ROUND_TRIPS_HOLED: u64 = 4;

fn low_bits(count: u64) -> u32 {
    (count & u64::from(u32::MAX)).try_into().expect("it has 32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    #[test]
    fn the_buffer_becomes_twice_what_is_taken_per_round_trip() {
        let mut window = ReceiveWindow::new(100_000);
        let mut round = Round::new(at(0));
        window.on_rtt(100_000);
        // 1 MB/s: 100 000 bytes per round trip.
        for ms in (10..10_000).step_by(10) {
            window.on_consumed(&mut round, at(ms), 10_000, 1 << 24);
        }
        assert_eq!(window.buffer_bytes, 200_000);
    }

    #[test]
    fn a_reader_that_takes_rarely_and_much_is_no_fast_one() {
        let mut window = ReceiveWindow::new(100_000);
        let mut round = Round::new(at(0));
        window.on_rtt(50_000);
        for second in 1..100 {
            window.on_consumed(&mut round, at(1_000 * second), 100_000, 1 << 24);
        }
        assert_eq!(window.buffer_bytes, 100_000);
    }

    #[test]
    fn a_queue_on_the_way_is_not_the_path() {
        let mut window = ReceiveWindow::new(100_000);
        window.on_rtt(40_000);
        window.on_rtt(u32::MAX - 5);
        for _ in 0..4 {
            window.on_rtt(140_000);
        }
        assert!(window.rtt_us < 70_000);
        window.on_rtt(40_000);
        assert_eq!(window.rtt_us, 40_000);
    }

    #[test]
    fn any_numbers_stay_within_the_cap_and_shrink_nothing() {
        let mut window = ReceiveWindow::new(100_000);
        let mut round = Round::new(at(5_000));
        for (ms, bytes, rtt_us) in [
            (0, usize::MAX, 0),
            (5_000, 0, 1),
            (5_000, usize::MAX, u32::MAX),
            (u64::MAX / 1_000, 1, 7),
        ] {
            let before = window.buffer_bytes;
            window.on_rtt(rtt_us);
            window.on_consumed(&mut round, at(ms), bytes, 150_000);
            assert!((before..=150_000).contains(&window.buffer_bytes));
        }
        window.on_announced(u32::MAX, u64::from(u32::MAX));
        assert_eq!(window.promised(u64::from(u32::MAX) + 10), u32::MAX - 10);
    }
}
