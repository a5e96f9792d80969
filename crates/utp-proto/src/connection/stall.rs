//! What a driver that could send nothing for a while does to a connection: nothing. What was handed
//! to it has left later than the connection thinks, and no answer to it is late before that.

use utp_wire::Instant;

use super::{Connection, Timer};

impl Connection {
    /// Nothing left this host from `since` until now.
    // req: F-15
    pub(crate) fn on_stall(&mut self, now: Instant, since: Instant) {
        let stalled_us = now.saturating_since(since);
        for timer in [Timer::Probe, Timer::Reorder, Timer::Rto] {
            if let Some(at) = self.timers.get(timer) {
                self.timers.set(timer, at.saturating_add(stalled_us));
            }
        }
        if self.sent.is_empty() {
            return;
        }
        self.flight.last_progress_at =
            self.flight.last_progress_at.saturating_add(stalled_us).min(now);
        let first = self.sent.first();
        for offset in 0..self.sent.len() {
            if let Some(slot) = self.sent.get_mut(first.add(offset))
                && slot.sent_at >= since
            {
                slot.sent_at = now;
            }
        }
    }
}
