//! The earliest deadline of all connections: a lazy heap.
//!
//! An entry is pushed only when a connection's deadline moves before the one that is queued; an
//! entry that comes up too early is pushed again. A connection that is busy thus costs about one
//! heap operation per time-out, not one per ack, and an idle one nothing. An entry that was
//! overtaken by an earlier one stays until its time and is dropped then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use utp_wire::Instant;

use super::handle::narrow;

/// The heap. Connections are named by slot and generation.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BinaryHeap<Reverse<(Instant, u32, u32)>>);

/// Below this, the memory to be saved is not worth a look.
const SHRINK_LEN_MIN: usize = 64;

impl Deadlines {
    pub(super) fn push(&mut self, at: Instant, slot: usize, generation: u32) {
        self.0.push(Reverse((at, narrow(slot), generation)));
    }

    pub(super) fn peek(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, ..))| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Drops every entry that `keep` does not want.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(Instant, usize, u32) -> bool) {
        self.0.retain(|Reverse((at, slot, generation))| keep(*at, *slot as usize, *generation));
    }

    /// Takes the earliest entry that is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, usize, u32)> {
        if self.peek()? > now {
            return None;
        }
        let len = self.0.len();
        if len >= SHRINK_LEN_MIN && len * 3 <= self.0.capacity() {
            // Busy connections are overtaken often; idle ones must not pay for their entries.
            self.0.shrink_to(len + len / 2);
        }
        self.0.pop().map(|Reverse((at, slot, generation))| (at, slot as usize, generation))
    }
}
