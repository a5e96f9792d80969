//! Whose acks wait until the driver says that a batch of datagrams is over.

use super::{ConnectionHandle, Endpoint};

impl Endpoint {
    /// Lets the acks go that [`Config::defer_acks`](crate::Config::defer_acks) has held back: one
    /// for each connection that received data and has sent none since. They come with the next
    /// polls.
    pub fn issue_deferred_acks(&mut self) {
        while let Some(handle) = self.ack_waiters.pop_front() {
            let Some(entry) = self.entry_mut(handle) else { continue };
            entry.ack_waits = false;
            entry.connection.issue_deferred_ack();
            self.queue_transmit(handle.index());
        }
    }

    /// Something has happened to a connection; it may have an ack to defer.
    pub(super) fn note_deferred_ack(&mut self, slot: usize) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        if entry.connection.has_deferred_ack() && !entry.ack_waits {
            entry.ack_waits = true;
            self.ack_waiters.push_back(ConnectionHandle::new(slot, entry.generation));
        }
    }
}
