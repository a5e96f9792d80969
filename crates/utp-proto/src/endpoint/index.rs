//! Which connection a packet belongs to: one keyed hash look-up by peer and connection id.

use std::cell::Cell;
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
///
/// What was asked for last is remembered: packets come in trains, and a driver may want to know
/// whose the datagram is that it is about to hand in.
pub(super) struct Index {
    slots: HashMap<u64, u32, BuildHasherDefault<AsItIs>>,
    secret: Secret,
    /// What was found last, and under which name.
    last: Cell<Option<(Key, u32)>>,
}

impl Index {
    pub(super) fn new(secret: Secret) -> Self {
        Self { slots: HashMap::default(), secret, last: Cell::new(None) }
    }

    pub(super) fn get(&self, remote: SocketAddr, id: ConnectionId) -> Option<usize> {
        let key = Key::new(remote, id);
        if let Some((last, slot)) = self.last.get()
            && last == key
        {
            return Some(slot as usize);
        }
        let slot = *self.slots.get(&self.hash(&key))?;
        self.last.set(Some((key, slot)));
        Some(slot as usize)
    }

    pub(super) fn insert(&mut self, remote: SocketAddr, id: ConnectionId, at: usize) {
        self.last.set(None);
        let before = self.slots.insert(self.hash(&Key::new(remote, id)), narrow(at));
        debug_assert!(before.is_none(), "the caller looks before it inserts");
    }

    /// Removes the entry if it is that of connection `at`.
    pub(super) fn remove(&mut self, remote: SocketAddr, id: ConnectionId, at: usize) {
        self.last.set(None);
        let hash = self.hash(&Key::new(remote, id));
        if self.slots.get(&hash) == Some(&narrow(at)) {
            self.slots.remove(&hash);
        }
    }

    fn hash(&self, key: &Key) -> u64 {
        key.hash(&self.secret, Purpose::Index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_last_is_forgotten_when_it_goes_or_changes() {
        let mut index = Index::new(Secret::new([7; 16]));
        let remote = ([10, 0, 0, 1], 1).into();
        let (a, b) = (ConnectionId(1), ConnectionId(2));
        assert_eq!(index.get(remote, a), None);
        index.insert(remote, a, 4);
        index.insert(remote, b, 5);
        for _ in 0..2 {
            assert_eq!((index.get(remote, a), index.get(remote, a)), (Some(4), Some(4)));
            assert_eq!(index.get(remote, b), Some(5));
        }
        index.remove(remote, b, 5);
        assert_eq!((index.get(remote, b), index.get(remote, a)), (None, Some(4)));
        index.remove(remote, a, 4);
        index.insert(remote, a, 6);
        assert_eq!(index.get(remote, a), Some(6));
    }
}
