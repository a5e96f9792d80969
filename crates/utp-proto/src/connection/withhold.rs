//! How a receiver is found out that acknowledges what it has not got.
//!
//! There is no nonce on the wire, so that such an ack cannot be told from one that is quick. But
//! now and then a packet of a stream that flows is made and not sent: its number is used, and those
//! behind it go on. Whoever has really received them names a hole there, as after any loss, and
//! gets the packet then. Who acknowledges it before has lied, and the connection ends.
//!
//! The next such packet comes after a random number of others, about half as many as have been
//! acknowledged so far, or eight windows if that is more: from whatever moment a receiver begins to
//! lie, it gets no more than three quarters of what it had honestly, or twelve windows, before it
//! is found out. It can connect again, and begins again with the first 191 packets: who it is can
//! be told from the error. The packet is no loss to anybody: neither the window nor what is known
//! of the path follows from it. It costs the stream a round trip of delay where it is, and nothing
//! more as long as the peer names all that it holds beyond a hole: what it has named leaves its
//! place in the send buffer to new bytes, or the window could not be filled behind the hole, and a
//! law that takes an idle window back would lose what it has grown.

use utp_wire::{Instant, SeqNr};

use super::Connection;
use crate::config::{
    WITHHOLD_GAP_PACKETS_MAX, WITHHOLD_GAP_PACKETS_MIN, WITHHOLD_GAP_WINDOWS_MAX,
    WITHHOLD_GAP_WINDOWS_MIN, WITHHOLD_PACKETS_BEHIND,
};
use crate::error::ConnectionError;
use crate::sent_ring::{Slot, SlotState};
use crate::trace::TraceEvent;

impl Connection {
    /// Whether data flows and it is not known yet which packet is withheld next.
    pub(crate) fn wants_draw(&self) -> bool {
        self.recovery.delivered.is_some()
            && self.flight.withhold_in == 0
            && self.config.withhold_packets
    }

    /// Takes a random number that the peer cannot know, to choose that packet by.
    pub(crate) fn take_draw(&mut self, random: u32) {
        let full = u64::from(self.payload_max);
        let window_packets = self.controller.window_bytes() / full;
        let least = WITHHOLD_GAP_PACKETS_MIN.max(window_packets * WITHHOLD_GAP_WINDOWS_MIN);
        let most = WITHHOLD_GAP_PACKETS_MAX.max(window_packets * WITHHOLD_GAP_WINDOWS_MAX);
        let mean = (self.stats.bytes_acked / full / 2).clamp(least, most);
        let gap = mean / 2 + u64::from(random) % mean;
        self.flight.withhold_in = u32::try_from(gap).unwrap_or(u32::MAX);
    }

    /// A new packet with `len` of the `unsent` bytes may go. Counts it, and says whether it is the
    /// one to withhold. Only of a stream that goes on behind it, and when an ack would be news.
    pub(super) fn is_to_be_withheld(&mut self, len: usize, unsent: usize) -> bool {
        if self.flight.withhold_in > 1 {
            self.flight.withhold_in -= 1;
            return false;
        }
        let full = usize::from(self.payload_max);
        self.flight.withhold_in == 1
            && len == full
            && unsent > full * usize::from(WITHHOLD_PACKETS_BEHIND)
            && self.unproven.is_none()
            && !self.flight.granted
            && !self.recovery.timed_out
            && !self.recovery.probed
            && self.flight.persist_us == 0
    }

    /// Makes a packet of `len` bytes and keeps it back. For all else it is on its way.
    pub(super) fn withhold(&mut self, now: Instant, len: usize) {
        self.flight.withhold_in = u32::MAX;
        let seq_nr = self.push_packet(now, len, false);
        self.launch(now, seq_nr, false);
        self.stats.packets_withheld += 1;
        self.trace.record(|| TraceEvent::Withheld { seq_nr });
    }

    /// The retransmission timer expired. Says whether nothing is outstanding but a packet that was
    /// kept back, which then goes, and that is all.
    pub(super) fn release_withheld(&mut self, now: Instant) -> bool {
        let first = self.sent.first();
        let lone = self.sent.get(first).is_some_and(|slot| {
            slot.is_kept_back() && u64::from(slot.len) == self.flight.in_flight_bytes
        });
        if lone && self.flight.lost_count == 0 {
            self.lose_quietly(first);
            self.flight.fast_resends = 1;
            self.set_rto(now);
            return true;
        }
        false
    }

    /// A packet was not sent after all. One that was kept back before was never on the wire, still.
    pub(super) fn keep_back_again(&mut self, seq_nr: SeqNr) {
        if let Some(slot) = self.sent.get_mut(seq_nr)
            && slot.withheld
            && slot.transmissions == 1
        {
            slot.transmissions = 0;
            self.stats.bytes_sent -= u64::from(slot.len);
        }
    }

    /// The packet that was kept back right behind `seq_nr` is undone: another is chosen later.
    pub(super) fn unmake_withheld(&mut self, seq_nr: SeqNr) {
        if seq_nr.next().next() != self.sent.next() {
            return;
        }
        let newest = self.sent.get(seq_nr.next()).copied();
        if let Some(slot) = newest.filter(Slot::is_kept_back)
            && slot.state() == SlotState::InFlight
        {
            self.unmake_newest(&slot);
            self.flight.withhold_in = 0;
        }
    }

    /// Bytes that the peer has named beyond a packet that was withheld, or that goes late because
    /// it was: what they take of the send buffer is our doing, and must not hold up the writer. No
    /// more than fills the buffer once.
    pub(super) fn named_beyond_withheld(&self) -> usize {
        if !self.sent.get(self.sent.first()).is_some_and(|slot| slot.withheld) {
            return 0;
        }
        let waits = usize::from(self.flight.lost_count) * usize::from(self.payload_max);
        let in_flight = usize::try_from(self.flight.in_flight_bytes).unwrap_or(usize::MAX);
        let on_its_way = self.send_queue.unsent_bytes().saturating_add(in_flight) + waits;
        let named = self.send_queue.buffered_bytes().saturating_sub(on_its_way);
        named.min(self.send_buffer())
    }

    /// The peer acknowledges what it cannot have.
    // req: HO-03
    pub(super) fn on_false_ack(&mut self) {
        self.stats.false_acks += 1;
        self.reset_pending = true;
        self.close(ConnectionError::FalseAck);
    }
}

impl Slot {
    /// Whether it was never on the wire.
    pub(super) fn is_kept_back(&self) -> bool {
        self.withheld && self.transmissions == 0
    }
}
