//! What a caller holds of a connection: its name, and a borrow of it.

use std::ops::{Deref, DerefMut};

use super::Endpoint;
use crate::connection::Connection;

/// Names a connection of an endpoint. A handle of a connection that is gone names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionHandle {
    slot: u32,
    pub(super) generation: u32,
}

impl ConnectionHandle {
    pub(super) fn new(slot: usize, generation: u32) -> Self {
        Self { slot: narrow(slot), generation }
    }

    /// A small number, unique among the connections that exist and used again after they are gone.
    pub const fn index(self) -> usize {
        self.slot as usize
    }

    /// A number that no other connection of the endpoint has or had, until after four billion.
    pub const fn number(self) -> u32 {
        self.generation
    }

    #[cfg(test)]
    pub(crate) const fn for_test(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }
}

/// A slot in 32 bits, of which queues and maps hold one per connection. More connections than that
/// would not fit into any memory.
pub(super) fn narrow(slot: usize) -> u32 {
    u32::try_from(slot).unwrap_or(u32::MAX)
}

/// A connection borrowed for reading and writing. When it is dropped the endpoint looks what has
/// changed, so that nothing written is ever forgotten.
#[derive(Debug)]
pub struct ConnectionMut<'a> {
    endpoint: &'a mut Endpoint,
    slot: usize,
}

impl<'a> ConnectionMut<'a> {
    pub(super) const fn new(endpoint: &'a mut Endpoint, slot: usize) -> Self {
        Self { endpoint, slot }
    }
}

impl Deref for ConnectionMut<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.endpoint.entries[self.slot].connection
    }
}

impl DerefMut for ConnectionMut<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.endpoint.entries[self.slot].connection
    }
}

impl Drop for ConnectionMut<'_> {
    fn drop(&mut self) {
        self.endpoint.sync(self.slot);
    }
}
