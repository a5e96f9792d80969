//! Which connection a packet belongs to: one keyed hash look-up by peer and connection id.

use std::collections::HashMap;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use utp_wire::ConnectionId;

/// Peer and receive id. An IPv4 peer is the same peer when its address comes mapped into IPv6.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key([u8; 20]);

impl Key {
    fn new(remote: SocketAddr, id: ConnectionId) -> Self {
        let ip = match remote.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let mut key = [0; 20];
        key[..16].copy_from_slice(&ip.octets());
        key[16..18].copy_from_slice(&remote.port().to_be_bytes());
        key[18..].copy_from_slice(&id.0.to_be_bytes());
        Self(key)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// SipHash keyed by the endpoint's own entropy: peers choose the keys of the map, so they must not
/// be able to choose collisions.
#[derive(Clone)]
struct Keyed([u8; 16]);

impl BuildHasher for Keyed {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.0);
        hasher
    }
}

/// The map. It is only ever asked for single keys, never walked.
pub(super) struct Index(HashMap<Key, usize, Keyed>);

impl Index {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self(HashMap::with_hasher(Keyed(key)))
    }

    pub(super) fn get(&self, remote: SocketAddr, id: ConnectionId) -> Option<usize> {
        self.0.get(&Key::new(remote, id)).copied()
    }

    pub(super) fn insert(&mut self, remote: SocketAddr, id: ConnectionId, at: usize) {
        let before = self.0.insert(Key::new(remote, id), at);
        debug_assert!(before.is_none(), "the caller looks before it inserts");
    }

    /// Removes the entry if it is that of connection `at`.
    pub(super) fn remove(&mut self, remote: SocketAddr, id: ConnectionId, at: usize) {
        let key = Key::new(remote, id);
        if self.0.get(&key) == Some(&at) {
            self.0.remove(&key);
        }
    }
}
