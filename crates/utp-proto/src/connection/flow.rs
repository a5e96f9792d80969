//! Flow control: what we announce, and what the peer allows.

use utp_wire::{Header, Instant, Timestamp};

use super::Connection;
use crate::config::{IN_FLIGHT_PACKETS_MAX, IN_FLIGHT_PACKETS_UNPROVEN};
use crate::config::{PERSIST_US_MAX, WINDOW_ANNOUNCED_MIN};
use crate::connection::timers::Timer;

impl Connection {
    /// The window to announce: zero or at least a packet.
    pub(super) fn window_to_announce(&self) -> u32 {
        let charged = u32::try_from(self.recv_queue.charged_bytes()).unwrap_or(u32::MAX);
        let free = self.config.receive_buffer().saturating_sub(charged);
        if free < WINDOW_ANNOUNCED_MIN { 0 } else { free }
    }

    /// Asks for an ack when the window has opened by enough to be worth a packet (RFC 9293 section
    /// 3.8.6.2.2): a quarter of the buffer, at least one packet.
    pub(super) fn announce_window_if_it_matters(&mut self) {
        let step = (self.config.receive_buffer() / 4).max(WINDOW_ANNOUNCED_MIN);
        let opened = self.window_to_announce().saturating_sub(self.window_announced);
        if opened >= step && self.is_synchronised() {
            self.ack_pending = true;
        }
    }

    /// Takes the peer's window from a packet that is no older than the last that told it.
    pub(super) fn update_peer_window(&mut self, now: Instant, header: &Header, acks_new: bool) {
        let current = header.ack_nr == self.sent.first().previous();
        let stamp = header.timestamp_microseconds;
        let newer = |last: Timestamp| stamp.since(last).0 < 1 << 31;
        let fresh = acks_new || self.peer_window_stamp.is_none_or(newer);
        if !current || !fresh {
            return;
        }
        self.peer_window_stamp = Some(stamp);
        if header.wnd_size > self.peer_window {
            self.timers.stop(Timer::Persist);
            self.persist_us = 0;
        }
        self.peer_window = header.wnd_size;
        // A peer that says it has no room for our oldest packet is not silent (RFC 9293 section
        // 3.8.6.1).
        let oldest = self.sent.get(self.sent.first());
        if oldest.is_some_and(|slot| u32::from(slot.len) > header.wnd_size) {
            self.last_progress_at = now;
        }
    }

    /// Packets that may be outstanding.
    pub(super) const fn in_flight_packets_max(&self) -> u16 {
        if self.peer_holds_more { IN_FLIGHT_PACKETS_MAX } else { IN_FLIGHT_PACKETS_UNPROVEN }
    }

    /// Nothing is outstanding and the peer's window holds data back: probe it later, since the
    /// packet that opens it may be lost.
    pub(super) fn arm_persist(&mut self, now: Instant) {
        if self.timers.is_set(Timer::Persist) || self.probe_pending {
            return;
        }
        self.persist_us = match self.persist_us {
            0 => self.rtt.rto_base_us().max(1_000_000),
            last => (last * 2).min(PERSIST_US_MAX),
        };
        self.timers.set(Timer::Persist, now.saturating_add(self.persist_us));
    }
}
