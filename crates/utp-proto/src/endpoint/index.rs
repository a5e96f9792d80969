//! Which connection a packet belongs to: one keyed hash look-up by peer and connection id.

use std::collections::HashMap;
use std::hash::{BuildHasher, DefaultHasher, Hasher};
use std::net::SocketAddr;

use utp_wire::ConnectionId;

use super::key::Key;
use super::narrow;

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
pub(super) struct Index(HashMap<Key, u32, Keyed>);

impl Index {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self(HashMap::with_hasher(Keyed(key)))
    }

    pub(super) fn get(&self, remote: SocketAddr, id: ConnectionId) -> Option<usize> {
        self.0.get(&Key::new(remote, id)).map(|slot| *slot as usize)
    }

    pub(super) fn insert(&mut self, remote: SocketAddr, id: ConnectionId, at: usize) {
        let before = self.0.insert(Key::new(remote, id), narrow(at));
        debug_assert!(before.is_none(), "the caller looks before it inserts");
    }

    /// Removes the entry if it is that of connection `at`.
    pub(super) fn remove(&mut self, remote: SocketAddr, id: ConnectionId, at: usize) {
        let key = Key::new(remote, id);
        if self.0.get(&key) == Some(&narrow(at)) {
            self.0.remove(&key);
        }
    }
}
