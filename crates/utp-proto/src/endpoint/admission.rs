//! How a connection comes in: the SYN, the stateless answer, the proof, accept and refuse.
//!
//! A bare SYN makes no connection. It is answered with a number that only who receives the answer
//! can know (`numbers.rs`), and at most a line in a table of fixed size is kept (`half_open.rs`).
//! The first packet that acknowledges that number is what the application is told of: DATA, a FIN,
//! or a STATE of an initiator that waits to be spoken to, which at libutp's is its first keepalive.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use utp_wire::{ConnectionId, HEADER_LEN, Header, Instant, Packet, PacketType, TimestampDiff};

use super::filter::{SynInfo, Verdict};
use super::half_open::Opening;
use super::key::Key;
use super::numbers::cookie_ends_at;
use super::receive::{Disposition, RecvMeta};
use super::reply::Reply;
use super::{ConnectionHandle, Endpoint};
use crate::config::{Config, IN_FLIGHT_PACKETS_UNPROVEN, SYN_ACK_WINDOW_BYTES, SYN_PROBE_PAUSE_US};
use crate::connection::{
    Clock, Connection, holds_more_bits, is_keepalive_of, tells_of_holding_more,
};
use crate::error::AcceptError;

/// Somebody wants to connect. Nothing more is kept of it until it is accepted.
#[derive(Debug)]
pub struct Incoming {
    remote: SocketAddr,
    local_ip: Option<IpAddr>,
    opening: Opening,
    /// What came: the SYN, or the proof.
    header: Header,
    /// The first packet after the SYN, if it is that.
    proof: Option<Proof>,
}

/// A copy of the datagram that proved the initiator.
#[derive(Debug)]
struct Proof {
    datagram: Box<[u8]>,
    received_at: Instant,
    /// Whether its SYN came and was answered: it counts for what it may be sent. Who only guessed
    /// a cookie has sent none.
    syn_answered: bool,
}

impl Incoming {
    /// Who wants to connect. If it is not [proven](Self::is_proven) the address may be forged.
    pub const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// The address of this host that was called.
    pub const fn local_ip(&self) -> Option<IpAddr> {
        self.local_ip
    }

    /// Whether the initiator has acknowledged the answer to its SYN and so shown that it receives
    /// at its address. Always, unless [`report_at_syn`](crate::EndpointConfig::report_at_syn) is
    /// set.
    pub const fn is_proven(&self) -> bool {
        self.proof.is_some()
    }
}

impl Endpoint {
    /// Accepts what [`Disposition::Incoming`] brought. [`Event::Connected`] follows: at once if the
    /// initiator is proven, otherwise when it has acknowledged our answer; bytes may be written
    /// before, and it is asked for that ack 22.5 s after its SYN: what comes before the answer
    /// keeps libutp from sending another SYN. If none comes within
    /// [`half_open_life_us`](crate::EndpointConfig::half_open_life_us), the connection ends with
    /// [`TimedOut`](crate::ConnectionError::TimedOut).
    ///
    /// # Errors
    /// When the limits of the endpoint are reached, or it was accepted before.
    ///
    /// [`Event::Connected`]: crate::Event::Connected
    pub fn accept(
        &mut self,
        now: Instant,
        incoming: Incoming,
        config: Arc<Config>,
    ) -> Result<ConnectionHandle, AcceptError> {
        let now = self.advance(now);
        let Incoming { remote, local_ip, opening, proof, .. } = incoming;
        let may_wait = proof.is_some() || self.half_open < self.config.half_open_max;
        if self.entries.len() >= self.config.connections_max || !may_wait {
            return Err(AcceptError::TooManyConnections);
        }
        let id_recv = opening.id_send.next();
        if self.index.get(remote, id_recv).is_some() {
            return Err(AcceptError::AlreadyAccepted);
        }
        self.openings.remove(&Key::new(remote, id_recv));
        let mut connection = Connection::accept(now, remote, local_ip, &opening, config);
        if proof.is_none() {
            connection.answer_syn(now, self.half_open_life_us());
        }
        let handle = self.insert(connection);
        self.entries[handle.index()].cookie_ends_at = cookie_ends_at(now);
        if let Some(Proof { datagram, received_at, syn_answered }) = proof
            && let Ok(packet) = Packet::decode(&datagram)
            && let Some(mut connection) = self.connection_mut(handle)
        {
            if syn_answered {
                connection.charge_syn_ack(HEADER_LEN);
            }
            connection.handle_packet(now, received_at, &packet, &datagram);
        }
        Ok(handle)
    }

    /// Answers what [`Disposition::Incoming`] brought with a reset, within the limits for resets.
    pub fn refuse(&mut self, now: Instant, incoming: Incoming) {
        let now = self.advance(now);
        self.openings.remove(&Key::new(incoming.remote, incoming.opening.id_send.next()));
        self.send_reset(now, incoming.remote, incoming.local_ip, &incoming.header);
    }

    /// Whether SYNs are answered with resets from now on, within the limits for resets, because
    /// nobody would accept what comes of them.
    pub const fn refuse_connects(&mut self, refuse: bool) {
        self.refusing = refuse;
    }

    pub(super) fn handle_syn(
        &mut self,
        now: Instant,
        meta: &RecvMeta,
        packet: &Packet<'_>,
    ) -> Disposition {
        let syn = &packet.header;
        let id_recv = syn.connection_id.next();
        let tells = tells_of_holding_more(packet.extension_bits);
        if let Some(slot) = self.index.get(meta.remote, id_recv) {
            let connection = &mut self.entries[slot].connection;
            let gone = connection.gives_way(syn);
            if !gone && !connection.handle_repeated_syn(syn, tells) {
                // Either it is forged, or the peer has forgotten the connection: ask.
                connection.probe_liveness(now, SYN_PROBE_PAUSE_US);
            }
            self.sync(slot);
            if !gone {
                return Disposition::Consumed;
            }
        }
        let key = Key::new(meta.remote, id_recv);
        if self.tombstones.is_late_copy(now, &key, syn.seq_nr) {
            self.stats.syns_dropped += 1;
            return Disposition::Consumed;
        }
        self.tombstones.supersede(now, &key);
        match self.judge(meta, syn.connection_id) {
            Verdict::Answer => {}
            Verdict::Ignore => {
                self.stats.syns_dropped += 1;
                return Disposition::Consumed;
            }
            Verdict::Refuse => {
                self.stats.syns_refused += 1;
                self.send_reset(now, meta.remote, meta.local_ip, syn);
                return Disposition::Consumed;
            }
        }
        let opening = self.opening_of(now, meta.remote, packet);
        if self.config.report_at_syn && self.half_open < self.config.half_open_max {
            self.stats.syns_offered += 1;
            return Disposition::Incoming(Incoming {
                remote: meta.remote,
                local_ip: meta.local_ip,
                opening,
                header: *syn,
                proof: None,
            });
        }
        self.answer_syn(now, meta, opening, tells);
        Disposition::Consumed
    }

    fn judge(&self, meta: &RecvMeta, id: ConnectionId) -> Verdict {
        if self.entries.len() >= self.config.connections_max {
            return Verdict::Ignore;
        }
        let RecvMeta { remote, local_ip, .. } = *meta;
        let filter = self.config.syn_filter.as_ref();
        match filter.map(|filter| filter.judge(&SynInfo { remote, local_ip, id })) {
            None | Some(Verdict::Answer) if self.refusing => Verdict::Refuse,
            verdict => verdict.unwrap_or(Verdict::Answer),
        }
    }

    /// What a SYN asks for, as it was answered before if it is a repeated one.
    fn opening_of(&self, now: Instant, remote: SocketAddr, packet: &Packet<'_>) -> Opening {
        let syn = &packet.header;
        let id_recv = syn.connection_id.next();
        let known = self.openings.get(now, &Key::new(remote, id_recv));
        known.filter(|known| known.syn_seq_nr == syn.seq_nr).unwrap_or_else(|| Opening {
            id_send: syn.connection_id,
            syn_seq_nr: syn.seq_nr,
            first: self.numbers.acceptor(now, remote, id_recv, syn.seq_nr),
            holds_more: self.config.announce_holds_more
                && tells_of_holding_more(packet.extension_bits),
        })
    }

    /// Answers a SYN without a connection, once. It is never answered again by itself: who gets no
    /// answer repeats the SYN, and nobody can be made to send more than he gets.
    // req: HS-01, HS-02, HS-13
    fn answer_syn(&mut self, now: Instant, meta: &RecvMeta, opening: Opening, tells: bool) {
        let id_recv = opening.id_send.next();
        let key = Key::new(meta.remote, id_recv);
        if self.openings.get(now, &key).is_none_or(|known| known != opening) {
            self.openings.insert(now, key, opening);
        }
        let header = Header {
            packet_type: PacketType::State,
            connection_id: opening.id_send,
            timestamp_microseconds: Clock::new(&self.secret, meta.remote, id_recv).stamp(now),
            timestamp_difference_microseconds: TimestampDiff(0),
            wnd_size: SYN_ACK_WINDOW_BYTES,
            seq_nr: opening.first,
            ack_nr: opening.syn_seq_nr,
        };
        // A copy that does not tell gets no longer answer than it is itself.
        let bits = (opening.holds_more && tells).then(holds_more_bits);
        if self.replies.push(Reply::new(meta.remote, meta.local_ip, &header, bits)) {
            self.stats.syns_answered += 1;
        } else {
            self.stats.syns_dropped += 1;
        }
    }

    /// What to do with a packet of an initiator that has proved itself. `None` if it has not, and
    /// the packet is a stray.
    // req: HS-09, HS-10, HS-16
    pub(super) fn handle_proof(
        &mut self,
        now: Instant,
        meta: &RecvMeta,
        packet: &Packet<'_>,
        datagram: &[u8],
    ) -> Option<Disposition> {
        let header = &packet.header;
        let may_ask =
            header.packet_type == PacketType::Data && packet.payload_offset == datagram.len();
        let remembered = self.opening_remembered_of(now, meta.remote, header);
        let Some(opening) =
            remembered.or_else(|| self.opening_recomputed(now, meta.remote, header, may_ask))
        else {
            // A keepalive of an initiator that is not remembered: two of 16 bits are too many to
            // take a number for a proof. It has nothing to say yet; it may have later.
            let true_ack = Header { ack_nr: header.ack_nr.next(), ..*header };
            let lives = header.packet_type == PacketType::State
                && self.opening_recomputed(now, meta.remote, &true_ack, false).is_some();
            return lives.then_some(Disposition::Consumed);
        };
        let key = Key::new(meta.remote, header.connection_id);
        if self.tombstones.is_late_copy(now, &key, opening.syn_seq_nr) {
            return Some(Disposition::Consumed);
        }
        if self.entries.len() >= self.config.connections_max {
            return None;
        }
        let received_at = meta.received_at.map_or(now, |at| at.min(now));
        self.stats.syns_offered += 1;
        Some(Disposition::Incoming(Incoming {
            remote: meta.remote,
            local_ip: meta.local_ip,
            opening,
            header: *header,
            proof: Some(Proof {
                datagram: datagram.into(),
                received_at,
                syn_answered: remembered.is_some(),
            }),
        }))
    }

    /// The opening in the table that a packet of its initiator shows to be known there.
    fn opening_remembered_of(
        &self,
        now: Instant,
        remote: SocketAddr,
        header: &Header,
    ) -> Option<Opening> {
        let key = Key::new(remote, header.connection_id);
        self.openings.get(now, &key).filter(|known| {
            let ahead = header.seq_nr.distance_from(known.syn_seq_nr.next());
            let first = known.first;
            let acks = header.ack_nr == first
                || header.ack_nr == first.previous()
                || is_keepalive_of(first, header);
            // An initiator that has nothing to say asks with the number of its SYN.
            let possible = ahead <= IN_FLIGHT_PACKETS_UNPROVEN || header.seq_nr == known.syn_seq_nr;
            acks && possible
        })
    }

    /// The opening of an initiator that did not fit into the table. What `may_ask` may have the
    /// number of the SYN.
    fn opening_recomputed(
        &self,
        now: Instant,
        remote: SocketAddr,
        header: &Header,
        may_ask: bool,
    ) -> Option<Opening> {
        if !self.openings.is_incomplete(now) {
            return None;
        }
        let id_recv = header.connection_id;
        let Header { seq_nr, ack_nr, .. } = *header;
        let proof = self.numbers.proved_by(now, remote, id_recv, seq_nr, ack_nr, may_ask);
        let (syn_seq_nr, first) = proof?;
        Some(Opening { id_send: id_recv.previous(), syn_seq_nr, first, holds_more: false })
    }

    /// How long a connection that was accepted at its SYN waits for data.
    fn half_open_life_us(&self) -> u64 {
        let life_us = self.config.half_open_life_us;
        if self.half_open * 4 > self.config.half_open_max * 3 {
            life_us.min(crate::config::HALF_OPEN_PRESSED_LIFE_US)
        } else {
            life_us
        }
    }
}
