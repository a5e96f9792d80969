//! How a loss is found: by what arrived after it, or by time.

use utp_wire::{Instant, SeqNr};

use super::recovery::Lost;
use super::{Connection, Delivered, Timer};
use crate::config::{FAST_RESENDS_MAX, REORDER_PACKETS};
use crate::error::ConnectionError;
use crate::sent_ring::{Slot, SlotState};
use crate::trace::{CutCause, ResendCause, TraceEvent};

impl Connection {
    /// Finds packets that were sent before one that has arrived, by enough packets on a path that
    /// keeps their order, by enough time on any (RFC 8985).
    ///
    /// Transmissions are numbered, so that a lost resend is found like a lost packet. Only packets
    /// below one that was selectively acked are judged: a peer may name fewer packets than it
    /// holds (libutp names 30), and silence about the rest proves nothing.
    pub(super) fn detect_losses(&mut self, now: Instant, arrived: u32) {
        self.timers.stop(Timer::Reorder);
        let (Some(delivered), Some(sacked_to)) = (self.recovery.delivered, self.recovery.sacked_to)
        else {
            return;
        };
        let mut lost = Lost::default();
        while self.loss_cursor.precedes(sacked_to) {
            let Some(slot) = self.sent.get(self.loss_cursor).copied() else { break };
            if slot.state() == SlotState::InFlight {
                if !self.is_overdue(now, &slot, delivered) {
                    break;
                }
                self.mark_lost(self.loss_cursor, &mut lost);
            }
            self.loss_cursor = self.loss_cursor.next();
        }
        self.detect_lost_resends(now, delivered, sacked_to, &mut lost);
        self.on_lost(now, &lost, arrived);
    }

    /// The same for packets that were sent again after the cursor had passed them, in the order of
    /// their resends. Every resend is looked at once, and the first as often as it must wait.
    fn detect_lost_resends(
        &mut self,
        now: Instant,
        delivered: Delivered,
        sacked_to: SeqNr,
        lost: &mut Lost,
    ) {
        while let Some(&(tx_nr, seq_nr)) = self.recovery.resends.front() {
            if tx_nr >= delivered.tx_nr {
                break;
            }
            let slot = self.sent.get(seq_nr).copied();
            let last_copy =
                slot.filter(|slot| slot.tx_nr == tx_nr && slot.state() == SlotState::InFlight);
            if let Some(slot) = last_copy {
                if !seq_nr.precedes(sacked_to) || !self.is_overdue(now, &slot, delivered) {
                    break;
                }
                self.mark_lost(seq_nr, lost);
            }
            self.recovery.resends.pop_front();
        }
    }

    /// Whether a packet in flight is lost, given what has arrived. If only time will tell, the
    /// timer is set.
    fn is_overdue(&mut self, now: Instant, slot: &Slot, delivered: Delivered) -> bool {
        if slot.tx_nr >= delivered.tx_nr {
            return false;
        }
        if !self.reorder.is_reordering() && slot.tx_nr + REORDER_PACKETS <= delivered.tx_nr {
            return true;
        }
        let min_us = self.rtt.min_us().unwrap_or(delivered.rtt_us);
        let srtt_us = self.rtt.srtt_us().unwrap_or(delivered.rtt_us);
        let wait_us = u64::from(delivered.rtt_us) + self.reorder.window_us(min_us, srtt_us);
        let due_at = slot.sent_at.saturating_add(wait_us);
        if due_at > now {
            let earliest = self.timers.get(Timer::Reorder).map_or(due_at, |at| at.min(due_at));
            self.timers.set(Timer::Reorder, earliest);
            return false;
        }
        true
    }

    /// Takes the oldest packet for lost.
    pub(super) fn lose_first(&mut self, now: Instant) {
        let first = self.sent.first();
        let in_flight = self
            .sent
            .get(first)
            .is_some_and(|slot| slot.state() == SlotState::InFlight && slot.transmissions <= 1);
        let mut lost = Lost::default();
        if in_flight {
            self.mark_lost(first, &mut lost);
            // Its resend must not hold up the judgement of those behind it.
            if self.loss_cursor == first {
                self.loss_cursor = first.next();
            }
        }
        self.on_lost(now, &lost, 0);
    }

    fn mark_lost(&mut self, seq_nr: SeqNr, lost: &mut Lost) {
        let Some(slot) = self.sent.get(seq_nr).copied() else { return };
        debug_assert_eq!(slot.state(), SlotState::InFlight, "only what is in flight can get lost");
        if slot.is_kept_back() {
            // The peer sees the hole.
            self.lose_quietly(seq_nr);
            self.flight.fast_resends = self.flight.fast_resends.max(1);
            return;
        }
        self.trace.record(|| TraceEvent::Lost { seq_nr, cause: ResendCause::Overtaken });
        if !self.lose_mtu_probe(seq_nr, slot.sent_at) {
            lost.packets += 1;
            lost.bytes += u64::from(slot.len);
            lost.perhaps_too_large |= self.is_perhaps_too_large(&slot);
            let episode = self.recovery.suspect(slot.tx_nr, self.next_tx_nr);
            if let Some(slot) = self.sent.get_mut(seq_nr) {
                slot.cause = Some(ResendCause::Overtaken);
                slot.episode = episode;
            }
        }
        self.flight.in_flight_bytes -= u64::from(slot.len);
        self.flight.lost_count += 1;
        self.sent.set_state(seq_nr, SlotState::Lost);
    }

    /// A packet is to be sent, or sent again, through nobody's fault.
    pub(super) fn lose_quietly(&mut self, seq_nr: SeqNr) {
        let Some(slot) = self.sent.get_mut(seq_nr) else { return };
        debug_assert_eq!(slot.state(), SlotState::InFlight, "only what is in flight can get lost");
        slot.cause = None;
        self.flight.in_flight_bytes -= u64::from(slot.len);
        self.flight.lost_count += 1;
        self.sent.set_state(seq_nr, SlotState::Lost);
    }

    fn on_lost(&mut self, now: Instant, lost: &Lost, arrived: u32) {
        if lost.packets == 0 {
            return;
        }
        self.stats.losses_detected += lost.packets;
        if lost.perhaps_too_large {
            self.on_large_loss();
        }
        // No more than has left the network, or they would overflow the queue that lost the others.
        let arrived = u8::try_from(arrived).unwrap_or(u8::MAX);
        self.flight.fast_resends = arrived.clamp(1, FAST_RESENDS_MAX);
        self.report_loss(now, lost);
    }

    /// The retransmission timer expired: everything in flight is taken for lost, the oldest packet
    /// goes out at once whatever the window.
    pub(super) fn on_rto(&mut self, now: Instant) {
        if self.sent.is_empty() {
            return;
        }
        if now.saturating_since(self.flight.last_progress_at) >= self.config.give_up_us {
            self.close(ConnectionError::TimedOut);
            return;
        }
        if self.release_withheld(now) || self.on_mtu_timeout(now) || self.probe_window_again(now) {
            return;
        }
        let in_flight_bytes = self.flight.in_flight_bytes;
        let episode = self.begin_timeout();
        // A peer that asks for a packet it named before has dropped it (RFC 2018 section 8).
        let first = self.sent.first();
        let reneged = self.sent.get(first).is_some_and(|slot| slot.state() == SlotState::Acked);
        self.reneged |= reneged;
        for offset in 0..self.sent.len() {
            let seq_nr = first.add(offset);
            let Some(slot) = self.sent.get_mut(seq_nr) else { break };
            let resend = slot.state() == SlotState::InFlight
                || (reneged && slot.state() == SlotState::Acked);
            if resend {
                slot.cause = (!slot.is_kept_back()).then_some(ResendCause::TimeOut);
                slot.episode = episode;
                self.sent.set_state(seq_nr, SlotState::Lost);
                self.flight.lost_count += 1;
            }
        }
        self.flight.in_flight_bytes = 0;
        self.loss_cursor = first;
        self.recovery.resends.clear();
        self.recovery.sacked_to = None;
        self.flight.duplicate_acks = 0;
        self.timers.stop(Timer::Probe);
        self.timers.stop(Timer::Reorder);
        // One packet until an ack comes, even if resends were allowed that nothing was left for.
        self.flight.fast_resends = 0;
        self.flight.granted = true;
        self.stats.timeouts += 1;
        self.rtt.back_off();
        let rto_us = self.rtt.rto_us();
        self.trace.record(|| TraceEvent::TimedOut { in_flight_bytes, rto_us });
        self.report_timeout(now, in_flight_bytes);
        self.set_rto(now);
    }

    /// Says whether nothing is outstanding but a packet that the peer has no room for by its own
    /// word, which is then sent again to learn its window: that it was dropped is no congestion.
    fn probe_window_again(&mut self, now: Instant) -> bool {
        let first = self.sent.first();
        let refused = self.sent.get(first).is_some_and(|slot| {
            u32::from(slot.len) > self.peer_window && slot.state() == SlotState::InFlight
        });
        if !refused || self.sent.len() > 1 {
            return false;
        }
        self.lose_quietly(first);
        self.flight.fast_resends = 1;
        self.stats.window_probes += 1;
        self.rtt.back_off();
        self.set_rto(now);
        true
    }

    /// Arms the retransmission timer; never beyond the moment to give up.
    pub(super) fn set_rto(&mut self, now: Instant) {
        let give_up_at = self.flight.last_progress_at.saturating_add(self.config.give_up_us);
        let at = now.saturating_add(self.rtt.rto_us());
        self.timers.set(Timer::Rto, if give_up_at > now { at.min(give_up_at) } else { at });
    }

    /// The window was below one packet with nothing in flight for a whole time-out: one packet may
    /// go, without back-off, or the connection would stand still.
    pub(super) fn on_starved(&mut self, now: Instant) {
        let before_bytes = self.controller.window_bytes();
        self.controller.on_timeout(now, 0);
        self.trace_cut(CutCause::Starved, before_bytes);
        self.flight.granted = true;
        self.stats.starved_sends += 1;
    }
}
