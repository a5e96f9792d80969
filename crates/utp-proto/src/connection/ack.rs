//! Cumulative and selective acks: what they free, measure and prove.

use utp_ledbat::Ack;
use utp_wire::{Instant, Packet, PacketType, SelectiveAck, SeqNr};

use super::rtt::RTT_US_MAX;
use super::{Connection, Delivered, LocalFin, Timer};
use crate::config::IN_FLIGHT_PACKETS_UNPROVEN;
use crate::sent_ring::{Slot, SlotState};
use crate::trace::{ResendCause, TraceEvent};

/// What one packet acknowledged.
#[derive(Debug, Default)]
struct Acked {
    packets: u32,
    bytes: u64,
    /// The newest of the transmissions, and its round trip if the packet was sent once.
    newest_tx_nr: u64,
    rtt_us: Option<u32>,
    /// When the packet came.
    at: Instant,
    /// It may have waited for us: what it measures is not the path.
    stale: bool,
    /// It names what was never sent.
    false_ack: bool,
}

impl Connection {
    /// Handles the acknowledging part of any packet.
    pub(super) fn on_ack(&mut self, now: Instant, received_at: Instant, packet: &Packet<'_>) {
        let header = &packet.header;
        self.heard_ack_nr = header.ack_nr;
        // What pacing holds back would be in flight otherwise.
        let in_flight_before = self.flight.in_flight_bytes + self.paced_back_bytes();
        let first_before = self.sent.first();
        let stale = self.stood_still_us(now) > 0;
        let mut acked = Acked { at: received_at, stale, ..Acked::default() };
        self.ack_up_to(now, header.ack_nr, &mut acked);
        if let Some(mask) = packet.selective_ack {
            self.ack_selected(now, header.ack_nr, mask, &mut acked);
        }
        if acked.false_ack {
            return self.on_false_ack();
        }
        let moved = self.sent.first() != first_before;
        let progress = moved || acked.packets > 0;
        let opens = header.wnd_size > self.peer_window;
        self.update_peer_window(now, header, moved);
        if moved {
            self.trim_marks();
        }
        if let Some(rtt_us) = acked.rtt_us {
            self.rtt.on_sample(rtt_us);
            self.recovery.on_sample();
        }
        if progress {
            self.on_progress(now, moved, acked.rtt_us.is_some());
            self.tell_send_room();
        }
        self.count_duplicate(now, packet, progress || opens);
        self.detect_losses(now, acked.packets);
        if acked.bytes > 0 {
            // The byte that probes a shut window is not one that the peer has asked for.
            let asked_for = acked.bytes > 1 || header.wnd_size > 0;
            if asked_for || self.send_queue.buffered_bytes() == 0 {
                self.watch_stall(now);
            }
            self.stats.bytes_acked += acked.bytes;
            let (bytes, rtt_us) = (acked.bytes, acked.rtt_us);
            self.trace.record(|| TraceEvent::Acked { bytes, rtt_us });
            // Losses and time-outs cut the window of a liar like any other.
            if self.rtt_floor.allows_growth(now, rtt_us) {
                self.controller.on_ack(&Ack {
                    now,
                    bytes_acked: bytes,
                    in_flight_bytes: in_flight_before,
                    rtt_us,
                    delay_sampled: header.timestamp_difference_microseconds.is_sample(),
                });
            }
        }
        if moved {
            self.on_cumulative_progress(now);
        }
    }

    /// Removes every packet up to `ack_nr`.
    fn ack_up_to(&mut self, now: Instant, ack_nr: SeqNr, acked: &mut Acked) {
        let count = ack_nr.next().distance_from(self.sent.first());
        if count > self.sent.len() {
            return; // An old ack: it points before the oldest packet.
        }
        let mut released = 0;
        for _ in 0..count {
            let seq_nr = self.sent.first();
            let Some(slot) = self.sent.pop() else { break };
            released += usize::from(slot.len);
            if slot.state() != SlotState::Acked {
                self.ack_slot(now, seq_nr, &slot, acked);
            }
        }
        if released > 0 {
            self.send_queue.release(released);
        }
    }

    /// Marks every packet the mask names: 64 at a time, so that what costs is what is new.
    fn ack_selected(
        &mut self,
        now: Instant,
        ack_nr: SeqNr,
        mask: SelectiveAck<'_>,
        acked: &mut Acked,
    ) {
        self.note_reach(mask);
        let named = self.sent.named_anew(ack_nr, mask);
        for seq_nr in named.seq_nrs() {
            let Some(slot) = self.sent.get(seq_nr).copied() else { break };
            self.sent.set_state(seq_nr, SlotState::Acked);
            self.ack_slot(now, seq_nr, &slot, acked);
        }
        if let Some(highest) = named.highest
            && self.recovery.sacked_to.is_none_or(|to| to.precedes(highest))
        {
            self.recovery.sacked_to = Some(highest);
        }
    }

    /// Whoever names a packet that libutp would have dropped, holds more than libutp.
    fn note_reach(&mut self, mask: SelectiveAck<'_>) {
        let first = usize::from(IN_FLIGHT_PACKETS_UNPROVEN);
        if mask.as_bytes().len() > first / 8 && !self.peer_holds_more {
            self.peer_holds_more = mask.highest_set().is_some_and(|index| index >= first);
        }
    }

    /// Accounts for one packet that is acknowledged for the first time.
    fn ack_slot(&mut self, now: Instant, seq_nr: SeqNr, slot: &Slot, acked: &mut Acked) {
        acked.packets += 1;
        acked.bytes += u64::from(slot.len);
        acked.false_ack |= slot.is_kept_back();
        if slot.state() == SlotState::InFlight {
            self.flight.in_flight_bytes -= u64::from(slot.len);
        } else {
            self.flight.lost_count -= 1;
        }
        let rtt_us = u32::try_from(acked.at.saturating_since(slot.sent_at)).unwrap_or(u32::MAX);
        // The newest is what the peer answers. The others may have waited for what it brought, or
        // their acks were lost; and of a packet that was sent twice nobody knows which copy is
        // meant (Karn).
        // req: TM-04
        if slot.tx_nr >= acked.newest_tx_nr {
            acked.newest_tx_nr = slot.tx_nr;
            // Our own clock may have jumped while the packet was on its way.
            let once = slot.transmissions == 1 || cfg!(canary = "karn");
            let usable = once && !acked.stale && rtt_us <= RTT_US_MAX;
            acked.rtt_us = usable.then_some(rtt_us);
        }
        self.on_size_arrived(seq_nr, slot);
        self.on_delivered(slot, rtt_us);
        self.judge_loss(now, slot, rtt_us);
    }

    /// Notes how far the peer has come in the order of sending.
    fn on_delivered(&mut self, slot: &Slot, rtt_us: u32) {
        let once = slot.transmissions == 1;
        // An ack sooner than any round trip after a resend answers an earlier copy (RFC 8985
        // section 6.2), which says nothing about what was sent since.
        let hasty = !once && self.rtt.min_us().is_some_and(|min| rtt_us < min);
        if hasty && slot.cause == Some(ResendCause::Probe) {
            self.rtt.on_hasty_probe();
        }
        let of_last_copy = !hasty || self.rtt.min_us().is_none();
        let needless = !of_last_copy || (once && slot.state() == SlotState::Lost);
        if needless && slot.cause == Some(ResendCause::Overtaken) {
            self.reorder.on_needless(slot.episode);
        }
        if once && !slot.withheld {
            self.reorder.on_arrival(slot.tx_nr);
        }
        let newest = self.recovery.delivered.is_none_or(|delivered| slot.tx_nr > delivered.tx_nr);
        if of_last_copy && newest {
            self.recovery.delivered = Some(Delivered { tx_nr: slot.tx_nr, rtt_us });
        }
    }

    /// Takes the time since `sent_at` as a round trip.
    pub(super) fn sample_rtt(&mut self, now: Instant, sent_at: Instant) {
        let rtt_us = u32::try_from(now.saturating_since(sent_at)).unwrap_or(u32::MAX);
        self.rtt.on_sample(rtt_us);
    }

    /// Something was acknowledged for the first time: the peer is alive. Not so what it names once
    /// more after it was sent again because the peer dropped it: that could go on for ever.
    fn on_progress(&mut self, now: Instant, moved: bool, sampled: bool) {
        self.unproven = None;
        self.reneged &= !moved;
        if self.recovery.timed_out {
            let silent_us = now.saturating_since(self.flight.last_progress_at);
            self.recovery.on_silence_over(silent_us);
        }
        if !self.reneged {
            self.flight.last_progress_at = now;
        }
        self.rtt.on_progress(sampled);
        self.on_probing_over(now);
        self.mtu.on_progress();
        if self.sent.is_empty() {
            self.timers.stop(Timer::Rto);
            self.timers.stop(Timer::Reorder);
        } else {
            self.timers.set(Timer::Rto, now.saturating_add(self.rtt.rto_us()));
        }
    }

    /// The cumulative ack moved: nothing that was noted stays behind it.
    fn trim_marks(&mut self) {
        let first = self.sent.first();
        self.flight.duplicate_acks = 0;
        if self.loss_cursor.precedes(first) {
            self.loss_cursor = first;
        }
        if self.recovery.sacked_to.is_some_and(|to| to.precedes(first)) {
            self.recovery.sacked_to = None;
        }
        if self.recovery.last_partial.is_some_and(|partial| partial.precedes(first)) {
            self.recovery.last_partial = None;
        }
        // A resend that the cumulative ack has passed has nothing left to prove.
        while self
            .recovery
            .resends
            .front()
            .is_some_and(|(_, seq_nr)| self.sent.get(*seq_nr).is_none())
        {
            self.recovery.resends.pop_front();
        }
    }

    /// The cumulative ack moved: this is news for the application and our FIN.
    fn on_cumulative_progress(&mut self, now: Instant) {
        if self.local_fin == LocalFin::Sent && self.sent.is_empty() {
            self.on_fin_acked(now);
        }
    }

    /// Counts repeated acks of a peer that sends no selective acks (BEP-29: three of them mean
    /// that the next packet is lost). DATA never counts, nor does a keepalive, nor one that was
    /// sent for other `news`: to acknowledge something or to open the window. A packet that the
    /// network has copied bears the stamp of the one before.
    fn count_duplicate(&mut self, now: Instant, packet: &Packet<'_>, news: bool) {
        let header = &packet.header;
        // libutp names nothing when all it holds is beyond its mask.
        let names_nothing = packet.selective_ack.is_none_or(|mask| mask.highest_set().is_none());
        let is_state = header.packet_type == PacketType::State || cfg!(canary = "data-counts");
        let repeats = is_state && names_nothing && header.ack_nr == self.sent.first().previous();
        if self.sent.is_empty() {
            return;
        }
        let stamp = header.timestamp_microseconds;
        let last_stamp = std::mem::replace(&mut self.flight.acked_stamp, stamp);
        let copied = stamp == last_stamp && stamp.0 != 0;
        if news || !repeats || copied {
            return;
        }
        self.flight.duplicate_acks = self.flight.duplicate_acks.saturating_add(1);
        if self.flight.duplicate_acks == DUPLICATE_ACKS {
            self.lose_first(now);
        }
    }
}

const DUPLICATE_ACKS: u8 = 3;
