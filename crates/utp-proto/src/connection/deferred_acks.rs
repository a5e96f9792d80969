//! Acks that wait until the driver says that a batch of datagrams is over.

use super::{Connection, LocalFin, State};

impl Connection {
    /// Whether an ack that is pending may go now.
    pub(super) fn may_ack(&self) -> bool {
        self.ack_pending && !self.has_deferred_ack()
    }

    /// Whether an ack is pending that waits for [`Self::issue_deferred_ack`].
    pub(crate) fn has_deferred_ack(&self) -> bool {
        let deferrable = matches!(self.state, State::Connected | State::Lingering);
        self.ack_pending && !self.ack_due && deferrable && self.config.defer_acks
    }

    /// Whether that ack is all that there is to send: until the batch is over nobody need ask.
    pub(crate) fn only_defers_ack(&self) -> bool {
        self.has_deferred_ack()
            && self.sent.is_empty()
            && self.send_queue.buffered_bytes() == 0
            && self.local_fin != LocalFin::Queued
            && self.unproven.is_none()
            && !self.keepalive_pending
            && !self.opener.wants_to_send()
            && !self.liveness.wants_to_send()
    }

    /// The batch is over.
    pub(crate) const fn issue_deferred_ack(&mut self) {
        self.ack_due = self.ack_pending;
    }

    /// A packet has told the peer all that there is to acknowledge.
    pub(super) const fn on_acked_all(&mut self) {
        self.ack_pending = false;
        self.ack_due = false;
    }
}
