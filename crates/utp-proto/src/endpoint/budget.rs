//! What an endpoint does when the memory for its buffers runs low: who has to wait, who is woken,
//! and who is given up.

use utp_wire::Instant;

use super::{ConnectionHandle, Endpoint};
use crate::config::{CULL_PAUSE_US, STALLED_US_MIN};
use crate::connection::Connection;

impl Endpoint {
    /// After the connection in `slot` has changed: its account, and who is concerned by what is
    /// left.
    pub(super) fn balance(&mut self, slot: usize) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        entry.connection.settle();
        if entry.connection.waits_for_memory() && !entry.waits_for_memory {
            entry.waits_for_memory = true;
            let generation = entry.generation;
            self.memory_waiters.push_back(ConnectionHandle::new(slot, generation));
        }
        if self.budget.free() == 0 {
            self.cull();
        } else if !self.budget.is_tight() {
            self.wake_memory_waiters();
        }
    }

    /// There is memory again: everybody who was refused may write.
    fn wake_memory_waiters(&mut self) {
        for handle in std::mem::take(&mut self.memory_waiters) {
            let Some(entry) = self.entry_mut(handle) else { continue };
            entry.waits_for_memory = false;
            entry.connection.on_memory();
            self.queue_event(handle.index());
            self.queue_transmit(handle.index());
        }
    }

    /// The budget is exhausted: of the connections whose peer takes nothing, the one that has held
    /// the most for the longest is given up. It is looked for at most every so often, as that costs
    /// a look at each.
    // req: HO-09
    fn cull(&mut self) {
        if self.now < self.next_cull_at {
            return;
        }
        self.next_cull_at = self.now.saturating_add(CULL_PAUSE_US);
        let now = self.now;
        let worst = self
            .entries
            .iter()
            .map(|(slot, entry)| (weight(now, &entry.connection), slot))
            .max()
            .filter(|(weight, _)| *weight > 0);
        if let Some((_, slot)) = worst {
            self.stats.stalled_culled += 1;
            self.entries[slot].connection.give_up_stalled();
            self.sync(slot);
        }
    }
}

/// Byte-microseconds that a peer which takes nothing has cost.
fn weight(now: Instant, connection: &Connection) -> u128 {
    let (stalled_us, bytes) = connection.stalled(now);
    if stalled_us < STALLED_US_MIN { 0 } else { u128::from(stalled_us) * bytes as u128 }
}
