//! What is sent next.
//!
//! Order: SYN, SYN-ACK or reset; an ack that names holes, which DATA cannot carry; lost packets;
//! new bytes; FIN; a plain ack when no DATA carried it.

use std::num::NonZeroUsize;

use utp_wire::TimestampDiff;
use utp_wire::{
    EXTENSION_BITS, EXTENSION_SELECTIVE_ACK, HEADER_LEN, Header, Instant, PacketType, SeqNr,
};

use super::{Burst, Connection, State, Timer};
use crate::sent_ring::{Slot, SlotState};
use crate::trace::{PacketFields, ResendCause, TraceEvent};

/// Largest UDP payload, and so the largest batch the kernel cuts into segments.
const BATCH_BYTES_MAX: usize = 65_507;

impl Connection {
    /// Appends the next packet, or several DATA packets of one size (the last may be shorter), to
    /// `out`. `None` when there is nothing to send now. Data is held to about `share` bytes.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: NonZeroUsize,
        share: i32,
        out: &mut Vec<u8>,
    ) -> Option<Burst> {
        self.pacer.take_share(share);
        match self.state {
            State::Closed => self.transmit_reset(now, out),
            State::SynSent => self.transmit_syn(now, out),
            State::SynReceived => self
                .transmit_syn_ack(now, out)
                .or_else(|| self.transmit_question_to_unproven(now, out)),
            State::Lingering => self.transmit_ack(now, out),
            State::Connected if self.unproven.is_some() => self.transmit_to_unproven(now, out),
            State::Connected => {
                if self.may_ack() && self.recv_queue.has_holes() {
                    return self.transmit_ack(now, out);
                }
                self.transmit_mtu_probe(now, out)
                    .or_else(|| self.transmit_data(now, max_datagrams, out))
                    .or_else(|| self.transmit_ack(now, out))
                    .or_else(|| self.transmit_keepalive(now, out))
                    .or_else(|| self.transmit_opener_question(now, out))
                    .or_else(|| self.transmit_liveness_probe(now, out))
            }
        }
    }

    fn transmit_syn(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Burst> {
        if !self.syn_pending {
            return None;
        }
        self.syn_pending = false;
        self.syn_sends = self.syn_sends.saturating_add(1);
        self.flight.syn_sent_at = now;
        // 1 s, 2 s, 4 s with each id: an answer may be lost, and some acceptors answer only once.
        let wait_us = SYN_TIMEOUT_US << (self.syn_sends - 1).min(5);
        self.timers.set(Timer::Syn, now.saturating_add(wait_us));
        let mut header = self.header(now, PacketType::Syn, self.sent.first().previous());
        header.connection_id = self.id_recv;
        header.ack_nr = SeqNr(0);
        header.timestamp_difference_microseconds = TimestampDiff(0);
        Some(self.emit_opening(now, &header, out))
    }

    fn transmit_syn_ack(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Burst> {
        if !std::mem::take(&mut self.ack_pending) {
            return None;
        }
        let header = self.header(now, PacketType::State, self.sent.next());
        let burst = self.emit_opening(now, &header, out);
        self.charge_syn_ack(burst.size);
        Some(burst)
    }

    fn transmit_reset(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Burst> {
        if !self.reset_pending {
            return None;
        }
        self.reset_pending = false;
        let mut header = self.header(now, PacketType::Reset, self.sent.next());
        header.wnd_size = 0;
        let Some(reason) = self.reason_to_tell() else {
            return Some(self.emit(now, &header, out));
        };
        self.trace_sent(&header, 0);
        self.append_header(now, &header, EXTENSION_BITS, out);
        out.extend_from_slice(&reason);
        Some(Burst::single(HEADER_LEN + reason.len()))
    }

    /// A STATE. It carries the next unused number: libutp ignores the acks of a STATE that repeats
    /// one (quirk Q7).
    pub(super) fn transmit_ack(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Burst> {
        if !self.may_ack() {
            return None;
        }
        self.on_acked_all();
        let header = self.header(now, PacketType::State, self.sent.next());
        if !self.recv_queue.has_holes() {
            return Some(self.emit(now, &header, out));
        }
        let mask = self.recv_queue.selective_ack(self.ack_nr);
        if mask.is_empty() {
            return Some(self.emit(now, &header, out));
        }
        let start = out.len();
        self.trace_sent(&header, 0);
        self.append_header(now, &header, EXTENSION_SELECTIVE_ACK, out);
        let at = out.len();
        out.resize(at + 2 + mask.mask_len(), 0);
        mask.encode(0, &mut out[at..]);
        Some(Burst::single(out.len() - start))
    }

    /// A STATE that acks one less than it could, as libutp's keepalive does: it cannot be taken for
    /// a duplicate ack and draws no answer.
    pub(super) fn transmit_keepalive(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Burst> {
        if !self.keepalive_pending {
            return None;
        }
        self.keepalive_pending = false;
        let mut header = self.header(now, PacketType::State, self.sent.next());
        header.ack_nr = self.ack_nr.previous();
        Some(self.emit(now, &header, out))
    }

    pub(super) fn transmit_data(
        &mut self,
        now: Instant,
        max_datagrams: NonZeroUsize,
        out: &mut Vec<u8>,
    ) -> Option<Burst> {
        self.fill_pacer(now);
        let start = out.len();
        let mut segment_size = 0;
        let mut carries_ack = false;
        let mut dont_fragment = true;
        for segment in 0..max_datagrams.get() {
            if segment_size * (segment + 1) > BATCH_BYTES_MAX {
                break;
            }
            let len_max = match segment {
                // A packet that was larger when it was made keeps its length.
                0 => usize::MAX,
                _ => segment_size - HEADER_LEN,
            };
            let Some(seq_nr) = self.next_packet(now, len_max) else { break };
            let Some(slot) = self.sent.get(seq_nr) else { break };
            carries_ack |= slot.transmissions == 0;
            dont_fragment = !self.may_need_fragments(slot);
            let size = self.append_packet(now, seq_nr, out);
            if segment == 0 {
                segment_size = size;
            }
            // What follows may be fragmented no more than what is full.
            if size < segment_size || !dont_fragment {
                break;
            }
        }
        let size = out.len() - start;
        // Holes travel in a STATE of their own; without holes new DATA carries the whole ack.
        // libutp reads no ack from a packet that it has already (quirk Q7), as a resend may be.
        (size > 0).then(|| {
            if carries_ack && !self.recv_queue.has_holes() {
                self.on_acked_all();
            }
            let segment_size = (size > segment_size).then_some(segment_size);
            Burst { size, segment_size, dont_fragment }
        })
    }

    /// Makes the next packet of the stream.
    pub(super) fn push_packet(&mut self, now: Instant, len: usize, fin: bool) -> SeqNr {
        if self.sent.is_empty() {
            self.flight.last_progress_at = now;
        }
        let (position, len) = self.send_queue.cut(len);
        let seq_nr = self.sent.next();
        let bytes = u16::try_from(len).expect("a packet is shorter than 64 KiB");
        self.sent.push(Slot::new(position, bytes, fin));
        self.flight.lost_count += 1;
        self.drop_opener();
        if len < usize::from(self.payload_max) && len > 0 {
            self.recovery.last_partial = Some(seq_nr);
        }
        seq_nr
    }

    /// Encodes an outstanding packet, new or lost; returns its size.
    pub(super) fn append_packet(
        &mut self,
        now: Instant,
        seq_nr: SeqNr,
        out: &mut Vec<u8>,
    ) -> usize {
        let Some(slot) = self.launch(now, seq_nr, true) else { return 0 };
        if slot.transmissions > 1 {
            self.on_resend(&slot, seq_nr);
        }
        self.stats.bytes_sent += u64::from(slot.len);
        let packet_type = if slot.fin { PacketType::Fin } else { PacketType::Data };
        let header = self.header(now, packet_type, seq_nr);
        let start = out.len();
        self.trace_sent(&header, usize::from(slot.len));
        if let Some(reason) = self.reason_to_tell().filter(|_| slot.fin) {
            self.append_header(now, &header, EXTENSION_BITS, out);
            out.extend_from_slice(&reason);
            self.send_queue.copy(slot.position, usize::from(slot.len), out);
            return out.len() - start;
        }
        let (first_extension, padding) = self.padding(seq_nr, &slot);
        self.append_header(now, &header, first_extension, out);
        if padding > 0 {
            let at = out.len();
            out.resize(at + padding, 0);
            utp_wire::encode_padding(&mut out[at..]);
        }
        let recut = cfg!(canary = "recut") && slot.transmissions > 1;
        let len = if recut { slot.len / 2 } else { slot.len };
        self.send_queue.copy(slot.position, usize::from(len), out);
        out.len() - start
    }

    /// A packet, new or lost, is in flight from now on, `on_wire` or withheld.
    pub(super) fn launch(&mut self, now: Instant, seq_nr: SeqNr, on_wire: bool) -> Option<Slot> {
        let tx_nr = self.next_tx_nr;
        self.next_tx_nr += 1;
        let slot = self.sent.get_mut(seq_nr)?;
        slot.tx_nr = tx_nr;
        slot.sent_at = now;
        slot.transmissions = slot.transmissions.saturating_add(u8::from(on_wire));
        slot.withheld |= !on_wire;
        let slot = *slot;
        if slot.withheld && slot.transmissions == 1 {
            self.flight.withhold_in = 0;
        }
        self.sent.set_state(seq_nr, SlotState::InFlight);
        self.flight.lost_count -= 1;
        self.flight.in_flight_bytes += u64::from(slot.len);
        // What is ahead of the cursor is judged by it.
        if seq_nr.precedes(self.loss_cursor) {
            self.recovery.resends.push_back((tx_nr, seq_nr));
        }
        self.flight.last_data_sent_at = Some(now);
        self.flight.granted = false;
        self.timers.stop(Timer::Starved);
        if !self.timers.is_set(Timer::Rto) {
            self.set_rto(now);
        }
        self.charge_pacer(usize::from(slot.len));
        self.arm_probe(now);
        self.controller.on_sent(now, u64::from(slot.len), self.flight.in_flight_bytes);
        Some(slot)
    }

    fn on_resend(&mut self, slot: &Slot, seq_nr: SeqNr) {
        self.stats.retransmissions += 1;
        let cause = slot.cause.unwrap_or(ResendCause::Probe);
        *match cause {
            ResendCause::Overtaken => &mut self.stats.retransmissions_overtaken,
            ResendCause::Probe => &mut self.stats.retransmissions_probe,
            ResendCause::TimeOut => &mut self.stats.retransmissions_timeout,
        } += 1;
        let transmissions = slot.transmissions;
        self.trace.record(|| TraceEvent::Resent { seq_nr, cause, transmissions });
    }

    pub(super) fn trace_sent(&mut self, header: &Header, payload_bytes: usize) {
        self.trace
            .record(|| TraceEvent::PacketSent { packet: PacketFields::new(header, payload_bytes) });
    }

    /// The header of the next packet.
    pub(super) fn header(&self, now: Instant, packet_type: PacketType, seq_nr: SeqNr) -> Header {
        Header {
            packet_type,
            connection_id: self.id_send,
            timestamp_microseconds: self.clock.stamp(now),
            // A SYN was not measured: libutp's SYN-ACK says 0, too.
            timestamp_difference_microseconds: self.reply_micro,
            wnd_size: self.window_to_announce(),
            seq_nr,
            ack_nr: self.ack_nr,
        }
    }

    pub(super) fn emit(&mut self, now: Instant, header: &Header, out: &mut Vec<u8>) -> Burst {
        self.trace_sent(header, 0);
        self.append_header(now, header, 0, out);
        Burst::single(HEADER_LEN)
    }

    pub(super) fn append_header(
        &mut self,
        now: Instant,
        header: &Header,
        first_extension: u8,
        out: &mut Vec<u8>,
    ) {
        let mut bytes = [0; HEADER_LEN];
        header.encode(first_extension, &mut bytes);
        out.extend_from_slice(&bytes);
        self.on_window_announced(header.wnd_size);
        self.stats.packets_sent += 1;
        if self.state == State::Connected {
            self.timers.set(Timer::Keepalive, now.saturating_add(self.keepalive_us()));
        }
    }

    pub(super) fn keepalive_us(&self) -> u64 {
        self.config.keepalive_us.max(KEEPALIVE_US_MIN)
    }
}

const SYN_TIMEOUT_US: u64 = 1_000_000;

/// A keepalive must not call for the next one at once.
const KEEPALIVE_US_MIN: u64 = 1_000_000;
