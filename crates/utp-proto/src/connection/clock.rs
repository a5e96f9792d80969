//! The clock that a connection shows its peer: the endpoint's, ahead by an offset of its own.
//!
//! Only changes of stamps and of differences mean something to a peer. So every connection may
//! show another clock, and one that an attacker opens tells him nothing about the clock of any
//! other, which the peer of that one takes for a proof of who it is (see `gate.rs`).

use std::hash::Hasher;
use std::net::SocketAddr;

use utp_wire::{ConnectionId, Instant, Timestamp, TimestampDiff};

use crate::secret::{Purpose, Secret};

/// The clock of one connection.
///
/// The offset is a keyed hash of the connection's name: whoever answers a SYN without keeping
/// anything shows the same clock as the connection that is made later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    ahead_us: u32,
}

impl Clock {
    /// The clock of the connection with `remote` that receives on `id_recv` (at an acceptor the id
    /// of the SYN and one).
    pub(crate) fn new(secret: &Secret, remote: SocketAddr, id_recv: ConnectionId) -> Self {
        let hash = secret.connection_hasher(Purpose::Clock, remote, id_recv).finish();
        Self { ahead_us: (hash >> 32) as u32 }
    }

    /// What a packet sent at `now` carries. Never 0, which means that there is no stamp.
    // req: TM-10
    pub(crate) const fn stamp(self, now: Instant) -> Timestamp {
        let stamp = now.timestamp().0.wrapping_add(self.ahead_us);
        Timestamp(if stamp == 0 { 1 } else { stamp })
    }

    /// Something that only the two ends of the connection know.
    pub(crate) const fn secret(self) -> u32 {
        self.ahead_us
    }

    /// How long a packet with the stamp `sent` was on its way until `now`, plus the offset between
    /// both clocks.
    pub(crate) const fn since(self, now: Instant, sent: Timestamp) -> TimestampDiff {
        Timestamp(now.timestamp().0.wrapping_add(self.ahead_us)).since(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(id: u16) -> Clock {
        Clock::new(&Secret::new([7; 16]), ([10, 0, 0, 1], 9).into(), ConnectionId(id))
    }

    #[test]
    fn every_connection_shows_another_clock_and_always_the_same() {
        let offsets: std::collections::BTreeSet<u32> =
            (0..1_000).map(|id| clock(id).ahead_us).collect();
        assert!(offsets.len() > 990, "{} of 1 000", offsets.len());
        assert_eq!(clock(5), clock(5));
        let other = Clock::new(&Secret::new([8; 16]), ([10, 0, 0, 1], 9).into(), ConnectionId(5));
        assert_ne!(clock(5), other, "another endpoint shows another clock");
        let mapped = "[::ffff:10.0.0.1]:9".parse().expect("an address");
        assert_eq!(clock(5), Clock::new(&Secret::new([7; 16]), mapped, ConnectionId(5)));
    }

    #[test]
    fn a_stamp_is_never_zero_and_differences_ignore_the_offset() {
        let clock = clock(1);
        let zero = Instant::from_micros(u64::from(clock.ahead_us.wrapping_neg()));
        assert_eq!(clock.stamp(zero), Timestamp(1));
        for wraps in [0, 1, 3] {
            let now = zero.saturating_add((wraps << 32) + 1_000);
            assert_eq!(clock.stamp(now), Timestamp(1_000));
            let later = now.saturating_add(250);
            assert_eq!(clock.since(later, clock.stamp(now)), TimestampDiff(250));
        }
    }
}
