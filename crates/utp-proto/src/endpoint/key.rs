//! The name of a connection: its peer and the id that is received on; and the network of a peer.

use std::hash::Hasher;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use utp_wire::ConnectionId;

use crate::secret::{Purpose, Secret};

/// Peer and receive id. An IPv4 peer is the same peer when its address comes mapped into IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key([u8; 20]);

impl Key {
    /// The name of nothing: no peer has port 0 and this address.
    pub(super) const NONE: Self = Self([0; 20]);

    pub(super) fn new(remote: SocketAddr, id_recv: ConnectionId) -> Self {
        let ip = match remote.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let mut key = [0; 20];
        key[..16].copy_from_slice(&ip.octets());
        key[16..18].copy_from_slice(&remote.port().to_be_bytes());
        key[18..].copy_from_slice(&id_recv.0.to_be_bytes());
        Self(key)
    }

    /// A keyed hash of the whole name.
    pub(super) fn hash(&self, secret: &Secret, purpose: Purpose) -> u64 {
        let mut hasher = secret.hasher(purpose);
        hasher.write(&self.0);
        hasher.finish()
    }

    /// A keyed hash of the network that the peer is in: /24 of IPv4, /48 of IPv6. Who has one
    /// address there often has them all.
    pub(super) fn network_hash(&self, secret: &Secret) -> u64 {
        let mut octets = [0; 16];
        octets.copy_from_slice(&self.0[..16]);
        let len = if Ipv6Addr::from(octets).to_ipv4_mapped().is_some() { 15 } else { 6 };
        let mut hasher = secret.hasher(Purpose::Network);
        hasher.write(&octets[..len]);
        hasher.finish()
    }
}

/// A hash, as a number below `len`.
pub(super) fn reduce(hash: u64, len: usize) -> usize {
    usize::try_from(hash % len as u64).expect("it is below a usize")
}
