//! Flow control: what we announce, what the peer allows, and what memory both may cost.

use utp_wire::{Header, Instant, Timestamp};

use std::num::NonZeroU8;
use std::sync::Arc;

use super::{Connection, State};
use crate::budget::Budget;
use crate::config::{
    ABANDONED_US_MAX, HELD_OVERHEAD_SHARE, HELD_PACKET_OVERHEAD, HELD_SPAN_BYTES,
    IN_FLIGHT_PACKETS_MAX, IN_FLIGHT_PACKETS_UNPROVEN, MEMORY_FLOOR_BYTES, OVERRUN_BYTES_MAX,
    OVERRUN_PAUSE_US, PERSIST_US_MAX, WINDOW_ANNOUNCED_MIN, WINDOW_UPDATE_BYTES_MAX,
};
use crate::connection::timers::Timer;
use crate::error::ConnectionError;

impl Connection {
    /// The window to announce: zero or at least a packet. When memory is scarce, what was promised
    /// before and a few packets for every connection; what there is when it is used up, as any more
    /// would be dropped.
    // req: WN-01, WN-12
    pub(super) fn window_to_announce(&self) -> u32 {
        let mut free = self.free_buffer();
        let room = self.memory.room(self.recv_queue.unread_bytes());
        free = free.min(u32::try_from(room).unwrap_or(u32::MAX));
        if self.memory.is_tight() {
            let promised = self.receive_window.promised(self.stats.bytes_received);
            free = free.min(promised.max(MEMORY_FLOOR_BYTES));
        }
        if free < WINDOW_ANNOUNCED_MIN { 0 } else { free }
    }

    /// What may still arrive: the bytes of the stream that have room, or what memory is left for
    /// them when small packets beyond a gap cost more than their payload.
    fn free_buffer(&self) -> u32 {
        let payload_free = self.receive_buffer().saturating_sub(self.recv_queue.payload_bytes());
        let memory_free = self.receive_memory().saturating_sub(self.recv_queue.charged_bytes());
        u32::try_from(payload_free.min(memory_free)).unwrap_or(u32::MAX)
    }

    const fn receive_buffer(&self) -> usize {
        self.receive_window.buffer_bytes as usize
    }

    /// The receive buffer, and what holding its bytes beyond a gap takes on top.
    const fn receive_memory(&self) -> usize {
        let buffer = self.receive_buffer();
        buffer + buffer / HELD_OVERHEAD_SHARE
    }

    /// A packet has told `window`.
    pub(super) fn on_window_announced(&mut self, window: u32) {
        self.receive_window.on_announced(window, self.stats.bytes_received);
        self.window_held = self.memory.is_tight() && window < self.free_buffer();
    }

    /// Asks for an ack when the window has opened by enough to be worth a packet (RFC 9293 section
    /// 3.8.6.2.2): a quarter of the buffer, at least one packet.
    // req: WN-06, WN-07
    pub(super) fn announce_window_if_it_matters(&mut self) {
        let quarter = self.receive_window.buffer_bytes / 4;
        let step = quarter.clamp(WINDOW_ANNOUNCED_MIN, WINDOW_UPDATE_BYTES_MAX);
        let promised = self.receive_window.promised(self.stats.bytes_received);
        let opened = self.window_to_announce().saturating_sub(promised);
        if opened >= step && self.is_synchronised() {
            self.ack_pending = true;
            // A peer that may send nothing has nothing that would bring it the news.
            self.ack_due |= promised == 0;
        }
    }

    /// The application has taken `bytes`.
    pub(super) fn tune_receive_buffer(&mut self, now: Instant, bytes: usize) {
        self.settle();
        let buffer_max = match self.memory.is_busy() {
            true => 0,
            false => self.config.receive_buffer_max_bytes,
        };
        self.receive_window.on_consumed(&mut self.flight.round, now, bytes, buffer_max);
    }

    /// A window that was announced is a promise, in bytes of the stream: what the peer sends within
    /// it is not dropped for the memory that holding it takes. Above all not the next packet of the
    /// stream, or nothing that is held could ever be delivered: it is taken as long as any room is
    /// left, and what comes early leaves room for a packet. Notes when the next packet fills the
    /// buffer.
    // req: WN-10
    pub(super) fn has_memory_for(&mut self, now: Instant, ahead: u16, len: usize) -> bool {
        let buffer = self.receive_buffer();
        let payload = self.recv_queue.payload_bytes();
        if ahead == 0 {
            let room = self.memory.room(self.recv_queue.unread_bytes());
            let fits = payload < buffer || self.may_overrun(now, len, payload, buffer);
            let takes = len == 0 || (fits && room > 0);
            if takes && payload + len >= buffer {
                self.flight.overran_at = now;
            }
            return takes;
        }
        if usize::from(ahead) >= buffer / HELD_SPAN_BYTES {
            return false;
        }
        let added = len + WINDOW_ANNOUNCED_MIN as usize;
        let charged = self.recv_queue.charged_bytes() + HELD_PACKET_OVERHEAD;
        payload + added <= buffer
            && charged + added <= self.receive_memory()
            && !self.memory.is_tight()
    }

    /// Whether a packet is taken beyond the buffer, for a sender that would give up otherwise. One
    /// byte is a probe of a sender that would not.
    fn may_overrun(&self, now: Instant, len: usize, payload: usize, buffer: usize) -> bool {
        len > 1
            && payload + len <= buffer + OVERRUN_BYTES_MAX
            && now.saturating_since(self.flight.overran_at) >= OVERRUN_PAUSE_US
    }

    /// Bytes that its own limits let the application write, whatever memory the endpoint has.
    pub(super) fn own_send_room(&self) -> usize {
        let buffered = self.send_queue.buffered_bytes() - self.named_beyond_withheld();
        let room = self.send_buffer().saturating_sub(buffered).min(self.unsent_room());
        match self.config.write_ahead_packets {
            None => room,
            Some(packets) => room.min(self.window_room(packets)),
        }
    }

    /// Bytes that may wait for their first packet beside those that do. A writer who was refused is
    /// told when it is half of them: not for every packet.
    pub(super) fn unsent_room(&self) -> usize {
        let (unsent, unsent_max) = (self.send_queue.unsent_bytes(), self.memory.unsent_max());
        if self.write_blocked && unsent > unsent_max / 2 {
            return 0;
        }
        unsent_max.saturating_sub(unsent)
    }

    /// The writer has had his chance to write more.
    pub(super) fn forget_unsent_blocked(&mut self) {
        if self.flight.unsent_blocked {
            self.flight.unsent_blocked = false;
        }
    }

    pub(super) fn send_buffer(&self) -> usize {
        (self.config.send_buffer_bytes as usize).max(usize::from(self.payload_max))
    }

    /// What both windows let go now and `ahead` packets, less what waits already. In full packets,
    /// so that no write is cut into small ones.
    fn window_room(&self, ahead: NonZeroU8) -> usize {
        let full = usize::from(self.payload_max);
        let window = self.controller.window_bytes().min(self.peer_window.into());
        let free = window.saturating_sub(self.flight.in_flight_bytes);
        let free = usize::try_from(free).unwrap_or(usize::MAX) / full;
        let waiting = self.send_queue.unsent_bytes() + full * usize::from(self.flight.lost_count);
        full.saturating_mul(free + usize::from(ahead.get())).saturating_sub(waiting)
    }

    /// Where writes are held to the windows, tells the application that a full packet has room
    /// again. Packets that are given up or let go at last make room as much as acks do.
    pub(crate) fn tell_window_room(&mut self) {
        if self.flight.unsent_blocked {
            self.tell_send_room();
        }
        if self.write_blocked && self.config.write_ahead_packets.is_some() {
            let step = usize::from(self.payload_max).min(self.send_buffer());
            if self.send_room() >= step {
                self.write_blocked = false;
                self.events.writable();
            }
        }
    }

    /// Changes the bytes that may be written and not acknowledged:
    /// [`Config::send_buffer_bytes`](crate::Config::send_buffer_bytes). What is buffered stays.
    pub fn set_send_buffer(&mut self, bytes: u32) {
        Arc::make_mut(&mut self.config).send_buffer_bytes = bytes;
    }

    /// Changes the receive buffer, to 4 096 bytes at least, and the most that it may grow to. What
    /// a smaller one has no room for any more may be dropped, and comes again.
    pub fn set_receive_buffer(&mut self, bytes: u32, max_bytes: u32) {
        let config = Arc::make_mut(&mut self.config);
        config.receive_buffer_bytes = bytes;
        config.receive_buffer_max_bytes = max_bytes;
        self.receive_window.buffer_bytes = config.receive_buffer();
        self.announce_window_if_it_matters();
    }

    /// The application holds `bytes` that it has not read, of this connection or for other reasons:
    /// so much of the receive buffer is taken, instead of what [`Self::take_chunk`] and
    /// [`Self::consume`] have left. No more than the buffer counts.
    pub fn set_held_by_application(&mut self, now: Instant, bytes: usize) {
        let taken = self.recv_queue.taken_bytes();
        let bytes = bytes.min(self.receive_buffer());
        if bytes > taken {
            self.recv_queue.charge(bytes - taken);
        } else if bytes < taken {
            self.consume(now, taken - bytes);
        }
    }

    /// Takes its part of the endpoint's memory.
    pub(crate) fn join_budget(&mut self, budget: &Arc<Budget>) {
        self.memory.join(budget);
    }

    /// Brings its account up to date.
    pub(crate) fn settle(&mut self) {
        let charged = self.send_queue.buffered_bytes() + self.recv_queue.charged_bytes();
        self.memory.settle(charged, self.send_queue.unsent_bytes());
    }

    /// `len` bytes were written.
    pub(super) fn on_written(&mut self, now: Instant, len: usize) {
        self.settle();
        if self.send_queue.buffered_bytes() == len {
            self.watch_stall(now);
        }
    }

    /// Whether the memory of others is all that keeps the application, or the peer, from writing.
    pub(crate) fn waits_for_memory(&self) -> bool {
        self.window_held || (self.write_blocked && self.own_send_room() > 0)
    }

    /// Tells an application that waits for room in the send buffer if there is some.
    pub(super) fn tell_send_room(&mut self) {
        if self.write_blocked && self.send_room() > 0 {
            self.write_blocked = false;
            self.events.writable();
        }
    }

    /// There is memory again.
    pub(crate) fn on_memory(&mut self) {
        self.tell_send_room();
        if std::mem::take(&mut self.window_held) {
            self.announce_window_if_it_matters();
        }
    }

    /// How long the peer has taken nothing, in microseconds, and how much it makes us hold.
    pub(crate) fn stalled(&self, now: Instant) -> (u64, usize) {
        match self.send_queue.buffered_bytes() {
            0 => (0, 0),
            bytes => (now.saturating_since(self.flight.stalled_since), bytes),
        }
    }

    /// From now on the peer has to take something within the limit: it has just done so, or has
    /// nothing else waiting. A connection that its owner has left is held to it even without data.
    // req: WN-11
    pub(super) fn watch_stall(&mut self, now: Instant) {
        self.flight.stalled_since = now;
        let waits = self.released || self.send_queue.buffered_bytes() > 0;
        let limit_us = match (self.released, self.config.persist_limit_us) {
            (true, limit) => Some(limit.unwrap_or(ABANDONED_US_MAX).min(ABANDONED_US_MAX)),
            (false, limit) => limit,
        };
        match limit_us {
            Some(limit_us) if waits && self.state == State::Connected => {
                self.timers.set(Timer::Stalled, now.saturating_add(limit_us));
            }
            _ => self.timers.stop(Timer::Stalled),
        }
    }

    /// The peer takes nothing. It may still be there, and has to know that we are not.
    pub(crate) fn give_up_stalled(&mut self) {
        self.reset_pending = self.state == State::Connected;
        if self.state != State::Closed {
            self.close(ConnectionError::StalledByPeer);
        }
    }

    /// Takes the peer's window from a packet that is no older than the last that told it.
    pub(super) fn update_peer_window(&mut self, now: Instant, header: &Header, acks_new: bool) {
        let current = header.ack_nr == self.sent.first().previous();
        let stamp = header.timestamp_microseconds;
        let newer = |last: Timestamp| match cfg!(canary = "stamp-wrap") {
            true => stamp.0 >= last.0,
            false => stamp.since(last).0 < 1 << 31,
        };
        let fresh = acks_new || self.peer_window_stamp.0 == 0 || newer(self.peer_window_stamp);
        if !current || !fresh {
            return;
        }
        self.peer_window_stamp = stamp;
        if header.wnd_size > self.peer_window {
            self.timers.stop(Timer::Persist);
            if self.flight.persist_us > 0 {
                self.flight.persist_us = 0;
            }
        }
        let oldest_len = self.sent.get(self.sent.first()).map_or(0, |slot| u32::from(slot.len));
        let had_no_room = self.peer_window < oldest_len;
        self.peer_window = header.wnd_size;
        if had_no_room && header.wnd_size >= oldest_len {
            // What was dropped for want of room can be taken now: no back-off for it.
            self.rtt.on_progress(true);
            self.set_rto(now);
        }
        // A peer that says it has no room for our oldest packet is not silent (RFC 9293 section
        // 3.8.6.1).
        if oldest_len > header.wnd_size {
            self.flight.last_progress_at = now;
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
        self.flight.persist_us = match self.flight.persist_us {
            0 => self.rtt.rto_base_us().max(1_000_000),
            last => (last * 2).min(PERSIST_US_MAX),
        };
        self.timers.set(Timer::Persist, now.saturating_add(self.flight.persist_us));
    }
}
