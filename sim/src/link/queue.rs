//! The queue before a transmitter: first in, first out, limited in bytes, dropping at the tail.

use crate::packet::Packet;
use std::collections::VecDeque;

/// Packets that wait; the one being transmitted is not among them.
#[derive(Debug)]
pub(super) struct Fifo {
    packets: VecDeque<Packet>,
    bytes: u64,
    bytes_max: Option<u64>,
}

impl Fifo {
    pub(super) const fn new(bytes_max: Option<u64>) -> Self {
        Self { packets: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Appends `packet`, or gives it back when it does not fit whole.
    pub(super) fn push(&mut self, packet: Packet) -> Result<(), Packet> {
        let bytes = self.bytes + u64::from(packet.bytes);
        if self.bytes_max.is_some_and(|bytes_max| bytes > bytes_max) {
            return Err(packet);
        }
        self.bytes = bytes;
        self.packets.push_back(packet);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<Packet> {
        let packet = self.packets.pop_front()?;
        self.bytes -= u64::from(packet.bytes);
        Some(packet)
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}
