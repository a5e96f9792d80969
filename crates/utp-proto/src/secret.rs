//! The secret of an endpoint, and the keyed hashes made with it.
//!
//! Whoever does not know the secret can predict none of them. Each purpose has hashes of its own,
//! so that what one of them gives away says nothing about another.

use std::hash::{DefaultHasher, Hasher};
use std::net::{IpAddr, SocketAddr};

use utp_wire::ConnectionId;

/// What a hash is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// How far the clock that a connection shows is ahead.
    Clock = 1,
    /// The first number of an acceptor, which the initiator has to know.
    Cookie = 2,
    /// The first number of an initiator.
    FirstNumber = 3,
    /// The place of a SYN in the table of half-open connections.
    HalfOpen = 4,
    /// The network of a peer.
    Network = 5,
    /// The place of what is left of a connection.
    Tombstone = 6,
    /// The place of a connection in the index.
    Index = 7,
}

/// Sixteen random bytes, drawn once.
#[derive(Clone, Copy)]
pub(crate) struct Secret([u8; 16]);

impl Secret {
    pub(crate) const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A `SipHash` for `purpose`, keyed by the secret.
    pub(crate) fn hasher(&self, purpose: Purpose) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.0);
        hasher.write_u8(purpose as u8);
        hasher
    }

    /// Such a hasher that has taken the name of a connection: the peer, and the id that is received
    /// on. An IPv4 peer is the same peer when its address comes mapped into IPv6.
    pub(crate) fn connection_hasher(
        &self,
        purpose: Purpose,
        remote: SocketAddr,
        id_recv: ConnectionId,
    ) -> DefaultHasher {
        let ip = match remote.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let mut hasher = self.hasher(purpose);
        hasher.write(&ip.octets());
        hasher.write_u16(remote.port());
        hasher.write_u16(id_recv.0);
        hasher
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}
