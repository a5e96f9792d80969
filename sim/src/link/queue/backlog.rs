//! Packets in the order in which they came, with the moments at which they did.

use crate::link::Dropped;
use crate::packet::Packet;
use crate::time::Ns;
use crate::trace::DropReason;
use std::collections::VecDeque;

/// A packet and when it began to wait.
#[derive(Clone, Debug)]
pub(in crate::link) struct Waiting {
    pub(in crate::link) since: Ns,
    pub(in crate::link) packet: Packet,
}

/// What every queue is made of.
#[derive(Clone, Debug, Default)]
pub(in crate::link) struct Backlog {
    packets: VecDeque<Waiting>,
    bytes: u64,
}

impl Waiting {
    /// `packet` begins to wait at `since`.
    pub(in crate::link) const fn new(since: Ns, packet: Packet) -> Self {
        Self { since, packet }
    }

    /// What becomes of the packet when the queue gives it up.
    pub(in crate::link) fn dropped(self, reason: DropReason) -> Dropped {
        Dropped { packet: self.packet, reason }
    }
}

impl Backlog {
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.bytes += u64::from(waiting.packet.bytes);
        self.packets.push_back(waiting);
    }

    /// Appends a packet if it fits whole.
    pub(super) fn push_within(
        &mut self,
        bytes_max: u64,
        packets_max: u64,
        waiting: Waiting,
    ) -> Result<(), Dropped> {
        let bytes = self.bytes + u64::from(waiting.packet.bytes);
        if bytes > bytes_max || self.packets.len() as u64 >= packets_max {
            return Err(waiting.dropped(DropReason::QueueFull));
        }
        self.push(waiting);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.packets.pop_front()?;
        self.bytes -= u64::from(waiting.packet.bytes);
        Some(waiting)
    }

    /// Since when the oldest packet waits.
    pub(super) fn oldest(&self) -> Option<Ns> {
        self.packets.front().map(|waiting| waiting.since)
    }

    pub(super) fn drain(&mut self) -> Vec<Waiting> {
        self.bytes = 0;
        self.packets.drain(..).collect()
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }
}
