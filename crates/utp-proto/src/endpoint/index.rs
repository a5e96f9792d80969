//! Which connection a packet belongs to: one keyed hash look-up by peer and connection id.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;

use utp_wire::ConnectionId;

use super::handle::narrow;
use super::key::Key;
use crate::secret::{Purpose, Secret};

/// The keys of the map are hashes already.
#[derive(Clone, Copy, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_empty(), "keys are numbers");
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The map, from keyed hashes of names to slots. It is only ever asked for single keys, never
/// walked.
///
/// A name itself is twice as long as its hash. Two connections of the same hash are not to be
/// expected among any number that fits into memory, and peers, who do not know the secret, cannot
/// look for them.
pub(super) struct Index {
    slots: HashMap<u64, u32, BuildHasherDefault<AsItIs>>,
    secret: Secret,
}

impl Index {
    pub(super) fn new(secret: Secret) -> Self {
        Self { slots: HashMap::default(), secret }
    }

    pub(super) fn get(&self, remote: SocketAddr, id: ConnectionId) -> Option<usize> {
        self.slots.get(&self.key(remote, id)).map(|slot| *slot as usize)
    }

    pub(super) fn insert(&mut self, remote: SocketAddr, id: ConnectionId, at: usize) {
        let before = self.slots.insert(self.key(remote, id), narrow(at));
        debug_assert!(before.is_none(), "the caller looks before it inserts");
    }

    /// Removes the entry if it is that of connection `at`.
    pub(super) fn remove(&mut self, remote: SocketAddr, id: ConnectionId, at: usize) {
        let key = self.key(remote, id);
        if self.slots.get(&key) == Some(&narrow(at)) {
            self.slots.remove(&key);
        }
    }

    fn key(&self, remote: SocketAddr, id: ConnectionId) -> u64 {
        Key::new(remote, id).hash(&self.secret, Purpose::Index)
    }
}
