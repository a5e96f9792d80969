//! What a receiver earns that acknowledges what it has not got yet, until it is found out (see
//! `withhold.rs`).
//!
//! No packet arrives sooner than the path allows: an ack sooner than half the smallest round trip
//! of the first seconds earns no growth. A path that has become that much shorter, or a queue that
//! is gone, is believed soon, by halves.

use utp_wire::Instant;

use crate::config::{RTT_FLOOR_HALVES_S, RTT_FLOOR_LEARNED_S};

/// The floor under the round trips of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RttFloor {
    /// The smallest round trip of the first seconds, halved whenever acks were early for long.
    floor_us: u32,
    /// When the phase began: low bits of the time in seconds.
    since_s: u16,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing was measured yet.
    #[default]
    Fresh,
    Learning,
    /// The last ack was not early.
    Steady,
    /// All acks since were early.
    Early,
}

impl RttFloor {
    /// Whether an ack that came `rtt_us` after the packet may let the window grow.
    // req: HO-03
    pub(super) fn allows_growth(&mut self, now: Instant, rtt_us: Option<u32>) -> bool {
        let Some(rtt_us) = rtt_us else { return true };
        let now_s = u16::try_from(now.as_micros() / 1_000_000 % (1 << 16)).unwrap_or(0);
        let in_phase_s = now_s.wrapping_sub(self.since_s);
        match self.phase {
            Phase::Fresh => {
                *self = Self { floor_us: rtt_us, since_s: now_s, phase: Phase::Learning };
            }
            Phase::Learning if in_phase_s < RTT_FLOOR_LEARNED_S => {
                self.floor_us = self.floor_us.min(rtt_us);
            }
            Phase::Learning | Phase::Steady | Phase::Early if rtt_us >= self.floor_us / 2 => {
                self.phase = Phase::Steady;
            }
            Phase::Learning | Phase::Steady => {
                (self.phase, self.since_s) = (Phase::Early, now_s);
                return false;
            }
            Phase::Early => {
                if in_phase_s >= RTT_FLOOR_HALVES_S {
                    (self.floor_us, self.since_s) = (self.floor_us / 2, now_s);
                }
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_s(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn learned() -> RttFloor {
        let mut floor = RttFloor::default();
        for second in 0..10_u32 {
            assert!(floor.allows_growth(at_s(second.into()), Some(118_000 - 2_000 * second)));
        }
        floor
    }

    #[test]
    fn acks_sooner_than_half_the_smallest_round_trip_earn_nothing() {
        let mut floor = learned();
        assert!(floor.allows_growth(at_s(11), Some(50_000)));
        assert!(!floor.allows_growth(at_s(11), Some(49_999)));
        assert!(!floor.allows_growth(at_s(11), Some(0)));
        assert!(floor.allows_growth(at_s(11), None), "a resend measures nothing");
    }

    #[test]
    fn a_shorter_path_is_believed_by_halves() {
        let mut floor = learned();
        let mut grows_at = None;
        for second in 12..400 {
            if floor.allows_growth(at_s(second), Some(20_000)) {
                grows_at.get_or_insert(second);
            }
        }
        // 50 ms, 25 ms, 12.5 ms: five seconds.
        assert_eq!(grows_at, Some(17));
    }
}
