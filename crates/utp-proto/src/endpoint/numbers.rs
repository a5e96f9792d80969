//! The first numbers of connections: what an initiator begins with, and the cookies of acceptors.

use std::hash::{DefaultHasher, Hasher};
use std::net::SocketAddr;

use utp_wire::{ConnectionId, Instant, SeqNr};

use crate::config::COOKIE_EPOCH_US;
use crate::secret::{Purpose, Secret};

/// How many packets after its SYN an initiator may be heard first, if nothing is known of the SYN.
/// Each makes a guess of the cookie more likely: with two epochs and two ways to acknowledge, one
/// guess in 2^12 hits.
const COOKIE_REACH: u16 = 4;

/// Makes first numbers. Nothing is kept per connection.
#[derive(Debug)]
pub(super) struct FirstNumbers {
    secret: Secret,
    /// Where the circle of numbers begins for this endpoint.
    origin: SeqNr,
}

impl FirstNumbers {
    pub(super) const fn new(secret: Secret, origin: SeqNr) -> Self {
        Self { secret, origin }
    }

    /// The number of a SYN of ours: a keyed hash of the connection and a clock that ticks every
    /// 4 us, so that a connection with the name of an earlier one begins elsewhere (RFC 6528).
    // req: HS-12
    pub(super) fn initiator(&self, now: Instant, remote: SocketAddr, id: ConnectionId) -> SeqNr {
        let hash = self.secret.connection_hasher(Purpose::FirstNumber, remote, id).finish();
        self.origin.add(low(hash)).add(low(now.as_micros() / 4))
    }

    /// The number of a SYN-ACK of ours: whoever acknowledges it has received it, so that nothing
    /// has to be remembered of the SYN. `id_recv` is the id that we would receive on.
    pub(super) fn acceptor(
        &self,
        now: Instant,
        remote: SocketAddr,
        id_recv: ConnectionId,
        syn_seq_nr: SeqNr,
    ) -> SeqNr {
        let named = self.secret.connection_hasher(Purpose::Cookie, remote, id_recv);
        self.cookie(named, epoch(now), syn_seq_nr)
    }

    /// The SYN number and the cookie that a packet of an initiator proves to belong to, if it
    /// acknowledges a cookie of this epoch or the last. One that `may_ask` may have the number of
    /// its SYN.
    ///
    /// An initiator acknowledges the cookie, or the number before it (see `receive.rs` of the
    /// connection); both kinds exist.
    pub(super) fn proved_by(
        &self,
        now: Instant,
        remote: SocketAddr,
        id_recv: ConnectionId,
        seq_nr: SeqNr,
        ack_nr: SeqNr,
        may_ask: bool,
    ) -> Option<(SeqNr, SeqNr)> {
        let newest = epoch(now);
        // Every stray comes here: what all of them have in common is hashed once.
        let named = self.secret.connection_hasher(Purpose::Cookie, remote, id_recv);
        for back in u16::from(!may_ask)..=COOKIE_REACH {
            for epoch in [newest, newest.wrapping_sub(1)] {
                let syn_seq_nr = seq_nr.sub(back);
                let cookie = self.cookie(named.clone(), epoch, syn_seq_nr);
                if ack_nr == cookie || ack_nr == cookie.previous() {
                    return Some((syn_seq_nr, cookie));
                }
            }
        }
        None
    }

    /// `named` has taken the name of the connection.
    fn cookie(&self, mut named: DefaultHasher, epoch: u64, syn_seq_nr: SeqNr) -> SeqNr {
        named.write_u16(syn_seq_nr.0);
        named.write_u64(epoch);
        self.origin.add(low(named.finish()))
    }
}

/// Until when a cookie made at `now` is taken.
pub(super) const fn cookie_ends_at(now: Instant) -> Instant {
    Instant::from_micros((epoch(now) + 2).saturating_mul(COOKIE_EPOCH_US))
}

const fn epoch(now: Instant) -> u64 {
    now.as_micros() / COOKIE_EPOCH_US
}

const fn low(number: u64) -> u16 {
    (number & 0xffff) as u16
}
