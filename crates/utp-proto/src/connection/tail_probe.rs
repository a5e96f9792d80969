//! The tail-loss probe (RFC 8985 section 7): when the acks stop, one packet asks for another, long
//! before the retransmission time-out, so that the loss of the last packets is found like any.

use utp_wire::{Instant, SeqNr};

use super::{Connection, Timer};
use crate::config::STANDSTILL_US;
use crate::sent_ring::SlotState;
use crate::trace::ResendCause;

impl Connection {
    /// Something was sent or acknowledged: the pause that calls for a probe begins anew. There is
    /// one probe per flight; after it, only an ack or the time-out goes on.
    pub(super) fn arm_probe(&mut self, now: Instant) {
        // A peer whose window is shut is asked by the persist timer.
        if self.recovery.probed || self.recovery.timed_out || self.flight.persist_us > 0 {
            return;
        }
        let lone = self.flight.in_flight_bytes <= u64::from(self.payload_max);
        if let Some(wait_us) = self.rtt.probe_us(lone) {
            self.timers.set(Timer::Probe, now.saturating_add(wait_us));
        }
    }

    /// Something was acknowledged for the first time.
    pub(super) fn on_probing_over(&mut self, now: Instant) {
        self.recovery.probed = false;
        self.recovery.probe_due = false;
        if self.sent.is_empty() {
            self.timers.stop(Timer::Probe);
        } else {
            self.arm_probe(now);
        }
    }

    /// No ack for too long. The time-out counts from here on, since the probe may be answered.
    pub(super) fn on_probe_timer(&mut self, now: Instant) {
        // What waits to be sent again needs no probe.
        if self.flight.lost_count == 0 && self.newest_in_flight().is_some() {
            self.recovery.probe_due = true;
            self.recovery.probed = true;
            self.set_rto(now);
        }
    }

    /// The packet to probe with: the next of the stream if the peer has room for it and it is no
    /// more than one beyond the congestion window, or else the last one again. At most `len_max`
    /// payload bytes.
    pub(super) fn next_probe(&mut self, now: Instant, len_max: usize) -> Option<SeqNr> {
        let len = self.send_queue.unsent_bytes().min(usize::from(self.payload_max));
        let window = self.controller.window_bytes() + u64::from(self.payload_max);
        let room =
            u64::from(self.peer_window).min(window).saturating_sub(self.flight.in_flight_bytes);
        if len > 0
            && len <= len_max
            && len as u64 <= room
            && self.sent.len() < self.in_flight_packets_max()
        {
            self.stats.tail_probes += 1;
            return Some(self.push_packet(now, len, false));
        }
        let seq_nr = self.newest_in_flight()?;
        let slot = self.sent.get_mut(seq_nr)?;
        if usize::from(slot.len) > len_max {
            return None;
        }
        let kept_back = slot.is_kept_back();
        slot.cause = (!kept_back).then_some(ResendCause::Probe);
        let slot = *slot;
        let of_mtu = self.lose_mtu_probe(seq_nr, slot.sent_at);
        self.recovery.probe_tells = self.recovery.is_news(slot.tx_nr) && !of_mtu && !kept_back;
        self.flight.in_flight_bytes -= u64::from(slot.len);
        self.flight.lost_count += 1;
        self.sent.set_state(seq_nr, SlotState::Lost);
        self.stats.tail_probes += 1;
        Some(seq_nr)
    }

    /// The last packet that is on its way. Those behind it are named by selective acks.
    fn newest_in_flight(&self) -> Option<SeqNr> {
        let first = self.sent.first();
        let seq_nrs = (0..self.sent.len()).rev().map(|offset| first.add(offset));
        seq_nrs.into_iter().find(|seq_nr| {
            self.sent.get(*seq_nr).is_some_and(|slot| slot.state() == SlotState::InFlight)
        })
    }

    /// For how long nobody has run the connection although it was due, in microseconds; 0 for what
    /// a busy driver may take.
    pub(super) fn stood_still_us(&self, now: Instant) -> u64 {
        let late_us = self.timers.next().map_or(0, |due_at| now.saturating_since(due_at));
        if late_us >= STANDSTILL_US { late_us } else { 0 }
    }
}
