//! Path MTU: when probes are sent, and what acks, losses, routers and the host say about sizes.
//!
//! A probe is the next full packet of the stream, padded by extensions: stacks exist that drop DATA
//! without payload, so that an empty packet would be a hole for ever. If it is lost, the number is
//! sent again with the same bytes and without the padding, in a size that is known to arrive, and
//! nothing else follows from it. A number keeps its length for ever; one that is larger than the
//! path MTU has become goes out with leave to be fragmented. Over IPv6 only its sender can do that,
//! and a host does it when a datagram is larger than its device carries: so it is padded to more
//! than that.

use utp_wire::{ConnectionId, EXTENSION_BITS, HEADER_LEN, Header, Instant, SeqNr, padding_len};

use super::path_mtu::{HEADER_BYTES, Probe};
use super::{Burst, Connection, LocalFin, Timer};
use crate::config::{MTU_PROBE_PACKETS_BEHIND, MTU_PROBE_PAUSE_ROUND_TRIPS};
use crate::sent_ring::{Slot, SlotState};
use crate::trace::TraceEvent;

impl Connection {
    /// A probe, if one is due and enough data flows to notice its loss soon. It takes the place of
    /// a full packet: what may not be sent now may not be probed either.
    pub(super) fn transmit_mtu_probe(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Burst> {
        if self.mtu.is_quiet(now) {
            return None;
        }
        self.fill_pacer(now);
        if !self.flows() {
            return None;
        }
        let size = self.mtu.next_size(now, self.config.mtu_search_us)?;
        // Not every length can be padded: the payload is a few bytes short of full then.
        let added = usize::from(size) - HEADER_LEN - usize::from(self.payload_max);
        let padding = padding_len(added);
        let last_partial = self.recovery.last_partial;
        let seq_nr = self.push_packet(now, usize::from(size) - HEADER_LEN - padding, false);
        self.recovery.last_partial = last_partial;
        self.mtu.on_probe_sent(Probe { seq_nr, size });
        self.stats.mtu_probes += 1;
        let size = self.append_packet(now, seq_nr, out);
        self.charge_pacer_padding(padding);
        Some(Burst { size, segment_size: None, dont_fragment: true })
    }

    /// Whether data flows, without a loss under repair, and more waits.
    fn flows(&self) -> bool {
        let full = usize::from(self.payload_max);
        let behind = usize::from(MTU_PROBE_PACKETS_BEHIND) * full;
        self.flight.lost_count == 0
            && self.recovery.delivered.is_some()
            && !self.recovery.timed_out
            && self.send_queue.unsent_bytes() >= behind
            && self.controller.window_bytes() >= behind as u64
            && self.peer_window as usize >= behind
            && self.sent.len() < self.in_flight_packets_max()
            && self.held(full).is_none()
    }

    /// The first extension of a packet that is about to be sent, and how many bytes of padding
    /// follow its header.
    pub(super) fn padding(&self, seq_nr: SeqNr, slot: &Slot) -> (u8, usize) {
        match self.mtu.probe() {
            Some(probe) if probe.seq_nr == seq_nr && slot.transmissions == 1 => {
                (EXTENSION_BITS, usize::from(probe.size - datagram_bytes(slot)))
            }
            _ if !self.mtu.is_v4() && self.may_need_fragments(slot) => {
                let missing = FRAGMENTED_BYTES_V6.saturating_sub(datagram_bytes(slot));
                match missing {
                    0 => (0, 0),
                    _ => (EXTENSION_BITS, padding_len(usize::from(missing))),
                }
            }
            _ => (0, 0),
        }
    }

    /// Whether a packet is larger than what the path is known to carry whole.
    pub(super) fn may_need_fragments(&self, slot: &Slot) -> bool {
        datagram_bytes(slot) > self.mtu.size()
    }

    /// A packet was acknowledged for the first time. Only what was sent once says anything of its
    /// size (Karn).
    pub(super) fn on_size_arrived(&mut self, seq_nr: SeqNr, slot: &Slot) {
        let once = slot.transmissions == 1;
        if self.mtu.probe().is_some_and(|probe| probe.seq_nr == seq_nr) {
            if once {
                self.mtu.on_probe_arrived();
                self.on_size_changed();
            } else {
                self.mtu.on_probe_lost(slot.sent_at);
            }
        } else if once {
            self.mtu.on_arrived(datagram_bytes(slot), slot.tx_nr);
        }
    }

    /// Takes a lost packet that was sent at `sent_at` for a lost probe if it is one; nothing else
    /// is concluded from it then (RFC 8899 section 3: it is no sign of congestion).
    // req: MT-02
    pub(super) fn lose_mtu_probe(&mut self, seq_nr: SeqNr, sent_at: Instant) -> bool {
        let is_probe = self.mtu.probe().is_some_and(|probe| probe.seq_nr == seq_nr);
        if is_probe {
            let srtt_us = u64::from(self.rtt.srtt_us().unwrap_or(0));
            let pause_us = srtt_us.saturating_mul(MTU_PROBE_PAUSE_ROUND_TRIPS);
            self.mtu.on_probe_lost(sent_at.saturating_add(pause_us));
            self.on_probe_gone();
        }
        is_probe
    }

    /// The hole is filled at once: that takes one packet of a size that arrives.
    fn on_probe_gone(&mut self) {
        self.stats.mtu_probes_lost += 1;
        self.flight.fast_resends = self.flight.fast_resends.max(1);
    }

    /// Whether a packet may have been lost because of its size.
    pub(super) fn is_perhaps_too_large(&self, slot: &Slot) -> bool {
        self.mtu.is_perhaps_too_large(datagram_bytes(slot), slot.tx_nr)
    }

    /// Such packets were lost, and others arrived.
    pub(super) fn on_large_loss(&mut self) {
        if self.mtu.on_large_loss() {
            self.on_black_hole();
        }
    }

    /// The retransmission timer expired. Says whether only a probe was waited for, which is then
    /// sent again without its padding, and that is all.
    pub(super) fn on_mtu_timeout(&mut self, now: Instant) -> bool {
        let first = self.sent.first();
        let Some(oldest) = self.sent.get(first).copied() else { return false };
        if let Some(probe) = self.mtu.probe()
            && let Some(slot) = self.sent.get(probe.seq_nr).copied()
        {
            self.lose_mtu_probe(probe.seq_nr, slot.sent_at);
            if probe.seq_nr == first && self.sent.len() == 1 {
                self.lose_quietly(first);
                self.set_rto(now);
                return true;
            }
        }
        if self.mtu.on_timeout(datagram_bytes(&oldest)) {
            self.on_black_hole();
        }
        false
    }

    fn on_black_hole(&mut self) {
        self.stats.mtu_black_holes += 1;
        self.on_size_changed();
    }

    /// Full packets have another size from now on.
    fn on_size_changed(&mut self) {
        let payload_bytes = self.mtu.payload_bytes();
        if payload_bytes != self.payload_max {
            self.payload_max = payload_bytes;
            self.controller.on_mtu_update(payload_bytes);
            self.trace.record(|| TraceEvent::MtuChanged { payload_bytes });
        }
    }

    /// A router says that packet `seq_nr` was too large for a link that takes IP packets of
    /// `link_mtu` bytes. Only what is in flight can have met it (RFC 5927 section 7).
    // req: MT-05, MT-06, MT-07
    pub(crate) fn handle_too_big(&mut self, seq_nr: SeqNr, link_mtu: Option<u16>) {
        let Some(slot) = self.sent.get(seq_nr).copied() else { return };
        if slot.state() != SlotState::InFlight {
            return;
        }
        let probe = self.mtu.probe().filter(|probe| probe.seq_nr == seq_nr);
        let size = probe.map_or_else(|| datagram_bytes(&slot), |probe| probe.size);
        let v4 = self.remote.ip().to_canonical().is_ipv4();
        let overhead = if v4 { IP_UDP_BYTES_V4 } else { IP_UDP_BYTES_V6 };
        let largest = match link_mtu {
            // Routers of old do not say.
            None | Some(0) => size - 1,
            Some(mtu) => mtu.saturating_sub(overhead),
        };
        if self.mtu.on_too_big(size, largest) {
            self.lose_quietly(seq_nr);
            self.on_probe_gone();
        }
    }

    /// This host did not send a batch, since its first datagram is too large. Others may be in it,
    /// too.
    // req: MT-04
    pub(crate) fn handle_send_too_large(&mut self, datagrams: &[u8], segment_size: usize) {
        let id_send = self.id_send;
        let own = datagrams.chunks(segment_size).filter(move |datagram| is_from(datagram, id_send));
        let own_size = own.clone().map(<[u8]>::len).max().unwrap_or(0);
        let size = u16::try_from(own_size).unwrap_or(u16::MAX);
        let probe = self.mtu.probe().map(|probe| probe.seq_nr);
        let is_probe = probe.is_some() && own.clone().next().and_then(seq_nr_of) == probe;
        let is_largest = own_size == segment_size.min(datagrams.len());
        let shrunk = is_largest && self.mtu.on_send_failed(size);
        if shrunk {
            self.on_size_changed();
        }
        // If it could not go in fragments either, or there is nothing smaller, the retransmission
        // timer decides: anything else would be tried again at once, and without end.
        if is_probe || shrunk || !is_largest {
            for seq_nr in own.rev().filter_map(seq_nr_of) {
                self.take_back(seq_nr);
            }
        }
    }

    /// A packet was not sent after all. If it is the newest and was never on the wire before it is
    /// undone, and its bytes go into packets of another size; if not it is sent again.
    fn take_back(&mut self, seq_nr: SeqNr) {
        let Some(slot) = self.sent.get(seq_nr).copied() else { return };
        if slot.state() != SlotState::InFlight {
            return;
        }
        // It may have carried an ack.
        self.ack_pending = true;
        if slot.transmissions == 1 {
            self.unmake_withheld(seq_nr);
        }
        if slot.transmissions > 1 || seq_nr.next() != self.sent.next() {
            self.lose_quietly(seq_nr);
            self.keep_back_again(seq_nr);
            return;
        }
        self.unmake_newest(&slot);
        self.stats.bytes_sent -= u64::from(slot.len);
        if slot.fin {
            self.local_fin = LocalFin::Queued;
        }
        if self.recovery.last_partial == Some(seq_nr) {
            self.recovery.last_partial = None;
        }
        if self.sent.is_empty() {
            self.timers.stop(Timer::Rto);
        }
    }

    /// The newest packet, which is in flight, was never on the wire: its bytes go into others.
    pub(super) fn unmake_newest(&mut self, slot: &Slot) {
        self.sent.pop_newest();
        self.send_queue.uncut(slot.position, usize::from(slot.len));
        self.flight.in_flight_bytes -= u64::from(slot.len);
    }
}

fn is_from(datagram: &[u8], id_send: ConnectionId) -> bool {
    let header = datagram.first_chunk().and_then(|bytes| Header::decode(bytes).ok());
    header.is_some_and(|(header, _)| header.connection_id == id_send)
}

fn seq_nr_of(datagram: &[u8]) -> Option<SeqNr> {
    let (header, _) = Header::decode(datagram.first_chunk()?).ok()?;
    Some(header.seq_nr)
}

/// The size of the datagram that carries a packet, without padding.
fn datagram_bytes(slot: &Slot) -> u16 {
    slot.len.saturating_add(HEADER_BYTES)
}

/// A datagram of this size is taken apart by its own host, where the device is one of Ethernet.
const FRAGMENTED_BYTES_V6: u16 = 1_500 - IP_UDP_BYTES_V6 + 1;

/// The headers of IP and UDP.
const IP_UDP_BYTES_V4: u16 = 28;
const IP_UDP_BYTES_V6: u16 = 48;
