//! What a received packet does, in order: is it possible, what does it measure, what does it
//! acknowledge, what does it bring.

use utp_ledbat::DelaySample;
use utp_wire::{Header, Instant, Packet, PacketType, SeqNr, TimestampDiff};

use super::conflict::Copied;
use super::{Connection, Passage, RemoteFin, State, Timer, Transition};
use crate::config::{HELD_PACKETS_MAX, IN_FLIGHT_PACKETS_MAX};
use crate::trace::{PacketFields, TraceEvent};

impl Connection {
    /// Handles a packet of type STATE, DATA or FIN that carries our id.
    ///
    /// `received_at` is when it arrived, at most `now`.
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        received_at: Instant,
        packet: &Packet<'_>,
        datagram: &[u8],
    ) {
        let header = &packet.header;
        let passage = self.admit(now, received_at, packet);
        let payload_bytes = datagram.len() - packet.payload_offset;
        if passage == Passage::Refused {
            self.trace_dropped(header, payload_bytes);
            self.stats.packets_dropped += 1;
            return;
        }
        self.trace.record(|| TraceEvent::PacketReceived {
            packet: PacketFields::new(header, payload_bytes),
        });
        self.stats.packets_received += 1;
        self.charge_received(datagram.len());
        let believed = passage == Passage::Genuine || self.is_gate_useless();
        // Another's packet is no sign of life.
        if believed {
            self.on_heard(now);
        }
        self.hear_close_reason(packet.close_reason);
        // Whatever a finished peer repeats, it has not seen our ack of it.
        let ended = matches!(self.remote_fin, RemoteFin::Reached(_));
        if self.state == State::Lingering && ended && header.packet_type != PacketType::State {
            self.linger(now);
        }
        // Another's ack must not free what the peer has not got, nor its window stop us.
        if believed {
            self.hear_opener_answer(header);
            self.measure_delay(received_at, header);
            self.on_ack(now, received_at, packet);
            if self.state == State::Closed {
                return;
            }
        }
        if matches!(header.packet_type, PacketType::Data | PacketType::Fin) {
            self.on_data(now, packet, &datagram[packet.payload_offset..], passage);
        }
    }

    /// Whether the packet can be one of this connection.
    fn admit(&mut self, now: Instant, received_at: Instant, packet: &Packet<'_>) -> Passage {
        let header = &packet.header;
        let opened = match self.state {
            State::Closed => false,
            State::SynSent => self.on_syn_ack(now, packet),
            State::SynReceived => self.on_proof(now, header),
            State::Connected | State::Lingering => {
                let possible =
                    self.is_ack_possible(header.ack_nr) && self.is_number_possible(header.seq_nr);
                return match possible {
                    true => self.pass_gate(received_at, header),
                    false => Passage::Refused,
                };
            }
        };
        if !opened {
            return Passage::Refused;
        }
        self.start_gate(received_at, header);
        Passage::Genuine
    }

    /// The answer to our SYN. Only a STATE counts: the number of a DATA that overtook it would not
    /// say where the stream begins.
    fn on_syn_ack(&mut self, now: Instant, packet: &Packet<'_>) -> bool {
        let header = &packet.header;
        let syn_seq_nr = self.sent.first().previous();
        let acks_syn = header.ack_nr == syn_seq_nr || cfg!(canary = "any-syn-ack");
        if header.packet_type != PacketType::State || !acks_syn {
            return false;
        }
        // The SYN-ACK carries the number of the first packet to come and does not use it up.
        self.ack_nr = header.seq_nr.previous();
        self.hear_extension_bits(packet.extension_bits);
        self.transition(Transition::Answered);
        self.events.connected();
        self.timers.stop(Timer::Connect);
        self.timers.stop(Timer::Syn);
        self.syn_pending = false;
        self.peer_window = header.wnd_size;
        self.peer_window_stamp = header.timestamp_microseconds;
        self.begin_opener(now);
        self.flight.last_progress_at = now;
        self.watch_stall(now);
        if self.syn_sends == 1 {
            self.sample_rtt(now, self.flight.syn_sent_at);
        }
        true
    }

    /// The initiator proves that it got the SYN-ACK. A STATE does so, too: some have nothing to say
    /// before they are spoken to. Others then ask with the number of their SYN, and libutp's send
    /// nothing before their first keepalive.
    ///
    /// A peer that follows the text of BEP-29 takes the number of the SYN-ACK for used and acks
    /// it; everything in the field acks the one before. Towards the former our stream begins one
    /// later.
    fn on_proof(&mut self, now: Instant, header: &Header) -> bool {
        let first = self.sent.first();
        let ahead = header.seq_nr.distance_from(self.ack_nr.next());
        if ahead > HELD_PACKETS_MAX && header.seq_nr != self.ack_nr {
            return false;
        }
        if header.ack_nr == first {
            self.start_numbers(first.next());
        } else if header.ack_nr != first.previous() && !is_keepalive_of(first, header) {
            return false;
        }
        self.transition(Transition::Proved);
        self.timers.stop(Timer::Unproven);
        self.timers.stop(Timer::Opener);
        self.watch_stall(now);
        self.events.connected();
        true
    }

    /// An ack must lie between a little before the oldest outstanding packet (libutp's keepalive
    /// and reordering) and the last packet sent.
    fn is_ack_possible(&self, ack_nr: SeqNr) -> bool {
        let behind = self.sent.next().previous().distance_from(ack_nr);
        behind <= self.sent.len() + ACK_BEHIND_MAX || cfg!(canary = "ack-unsent")
    }

    /// A number that is too far from the stream cannot be of a packet that is on its way (libutp
    /// ignores all of such a packet, too).
    const fn is_number_possible(&self, seq_nr: SeqNr) -> bool {
        seq_nr.distance_from(self.ack_nr.next()) <= HELD_PACKETS_MAX
            || self.ack_nr.distance_from(seq_nr) <= IN_FLIGHT_PACKETS_MAX
    }

    /// Measures the path towards us and hands both directions to the controller.
    fn measure_delay(&mut self, received_at: Instant, header: &Header) {
        let stamp = header.timestamp_microseconds;
        self.reply_micro = match stamp.0 {
            0 => TimestampDiff(0),
            _ => measurable(self.clock.since(received_at, stamp)),
        };
        let ours = header.timestamp_difference_microseconds;
        let sample = DelaySample {
            ours: ours.is_sample().then_some(ours),
            theirs: self.reply_micro.is_sample().then_some(self.reply_micro),
        };
        self.controller.on_delay_sample(received_at, sample);
        self.trace.record(|| TraceEvent::DelaySample {
            ours_us: sample.ours.map(|ours| ours.0),
            theirs_us: sample.theirs.map(|theirs| theirs.0),
        });
        if let (Some(ours), Some(theirs)) = (sample.ours, sample.theirs) {
            self.receive_window.on_rtt(ours.0.wrapping_add(theirs.0));
        }
    }

    fn trace_dropped(&mut self, header: &Header, payload_bytes: usize) {
        self.trace.record(|| TraceEvent::PacketDropped {
            packet: PacketFields::new(header, payload_bytes),
        });
    }

    /// Sequencing of DATA and FIN.
    fn on_data(&mut self, now: Instant, packet: &Packet<'_>, payload: &[u8], passage: Passage) {
        let header = &packet.header;
        let seq_nr = header.seq_nr;
        let fin = header.packet_type == PacketType::Fin;
        let ahead = seq_nr.distance_from(self.ack_nr.next());
        if ahead > HELD_PACKETS_MAX {
            // What was received already is acknowledged again: the ack may have been lost.
            if self.ack_nr.distance_from(seq_nr) <= IN_FLIGHT_PACKETS_MAX {
                self.stats.duplicates_received += 1;
                self.ack_pending = true;
                if self.contradicts_delivered(packet, payload, passage) {
                    self.on_conflict();
                }
            } else {
                self.drop_data(header, payload);
            }
            return;
        }
        if self.is_beyond_end(seq_nr, fin) {
            self.drop_data(header, payload);
            if self.contradicts_end(header, payload, passage) {
                self.on_conflict();
            }
            return;
        }
        match self.compare_ahead(header, ahead, payload, passage) {
            Copied::First => {}
            Copied::Ignore => {
                self.stats.duplicates_received += 1;
                self.ack_pending = true;
                return;
            }
            Copied::Conflict => return self.on_conflict(),
        }
        if !self.has_memory_for(now, ahead, payload.len()) {
            // The ack tells the window, so that the sender learns why.
            self.drop_data(header, payload);
            self.ack_pending = true;
            return;
        }
        if !self.note_doubt(header, payload, passage) {
            self.drop_data(header, payload);
            return;
        }
        self.ack_pending = true;
        if ahead > 0 {
            self.hold(seq_nr, ahead, payload, fin);
            if fin && cfg!(canary = "early-end") {
                self.on_end_of_stream(now);
            }
            return;
        }
        self.deliver(payload);
        let mut ended = fin;
        while !ended && let Some((payload, fin)) = self.recv_queue.take_held(self.ack_nr.next()) {
            self.deliver(&payload);
            self.flight.round.on_hole_filled();
            ended = fin;
        }
        // What the peer sent beyond the end proves that the end is not its own.
        let left = self.recv_queue.held_packets();
        if ended && left > self.doubts.ahead_of(self.ack_nr) && !self.released {
            self.on_conflict();
        } else if ended {
            self.on_end_of_stream(now);
        }
    }

    fn drop_data(&mut self, header: &Header, payload: &[u8]) {
        self.trace_dropped(header, payload.len());
        self.stats.packets_dropped += 1;
    }

    fn hold(&mut self, seq_nr: SeqNr, ahead: u16, payload: &[u8], fin: bool) {
        self.stats.reordered_received += 1;
        if fin {
            self.remote_fin.announce(seq_nr);
        }
        // A released connection only counts what comes; a FIN's payload is delivered as usual.
        let payload = if self.released { &[] } else { payload };
        self.recv_queue.hold(seq_nr, ahead, payload, fin);
    }

    /// Takes the next packet of the stream.
    fn deliver(&mut self, payload: &[u8]) {
        self.ack_nr = self.ack_nr.next();
        self.stats.bytes_received += payload.len() as u64;
        if !payload.is_empty() && !self.released {
            self.recv_queue.push(payload);
            self.events.readable();
        }
    }

    /// Whether `seq_nr` lies after the end of the stream, or is a second, different end.
    fn is_beyond_end(&self, seq_nr: SeqNr, fin: bool) -> bool {
        match self.remote_fin {
            RemoteFin::Open => false,
            RemoteFin::Announced(end) if cfg!(canary = "fin-wrap") => end.0 < seq_nr.0,
            RemoteFin::Announced(end) => end.precedes(seq_nr) || (fin && seq_nr != end),
            RemoteFin::Reached(_) => true,
        }
    }
}

/// How far before the oldest outstanding packet an ack may point (libutp: 3).
const ACK_BEHIND_MAX: u16 = 3;

/// A delay that can be told from no measurement: libutp takes 0 and 0x7fff_ffff for none, and its
/// window stays shut without any.
fn measurable(delay: TimestampDiff) -> TimestampDiff {
    if delay.is_sample() { delay } else { TimestampDiff(delay.0 + 1) }
}

/// Whether a packet of an initiator is a keepalive, which acks one less than the packet before
/// `first`, the first of the acceptor's.
pub(crate) fn is_keepalive_of(first: SeqNr, header: &Header) -> bool {
    header.packet_type == PacketType::State && header.ack_nr == first.previous().previous()
}
