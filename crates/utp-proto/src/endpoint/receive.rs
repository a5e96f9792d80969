//! What comes in from the network: datagrams and ICMP messages.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use utp_wire::{ConnectionId, Header, Instant, Packet, PacketType};

use super::key::Key;
use super::reply::Reply;
use super::tombstones::Ending;
use super::{ConnectionHandle, Endpoint, Incoming};
use crate::config::{SYN_ACK_WINDOW_BYTES, TOMBSTONE_ASKED_US};
use crate::connection::Clock;

/// What the driver knows of a datagram beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvMeta {
    /// Who sent it.
    pub remote: SocketAddr,
    /// The address of this host it was sent to, if the driver can tell; answers leave from there.
    pub local_ip: Option<IpAddr>,
    /// When it arrived, if that is known better than by the time of the call.
    pub received_at: Option<Instant>,
}

/// What became of a datagram.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum Disposition {
    /// It was uTP and is dealt with.
    Consumed,
    /// Somebody wants to connect: accept it, refuse it, or drop it to ignore it. It comes with the
    /// first ack of an initiator, or already with its SYN if
    /// [`report_at_syn`](crate::EndpointConfig::report_at_syn) says so.
    Incoming(Incoming),
    /// It is not uTP, but for instance of a DHT on the same port; nothing was done with it.
    NotUtp,
}

/// What an ICMP message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IcmpError {
    /// The datagram did not fit the next link.
    MessageTooLarge {
        /// Largest IP packet that would have fitted.
        mtu: Option<u16>,
    },
    /// Host, port or network cannot be reached.
    Unreachable,
}

impl Endpoint {
    /// Takes a datagram.
    ///
    /// `now` is the time of the call; `meta.received_at`, if given, is believed for measuring
    /// delay. No input can make this fail: what is wrong is counted and dropped.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        meta: RecvMeta,
        datagram: &[u8],
    ) -> Disposition {
        let now = self.advance(now);
        self.stats.datagrams_received += 1;
        let packet = match Packet::decode(datagram) {
            Ok(packet) => packet,
            Err(error) if error.is_not_utp() => {
                self.stats.not_utp += 1;
                return Disposition::NotUtp;
            }
            Err(_) => {
                self.stats.malformed += 1;
                return Disposition::Consumed;
            }
        };
        match packet.header.packet_type {
            PacketType::Syn => return self.handle_syn(now, &meta, &packet),
            PacketType::Reset => self.handle_reset(now, meta.remote, &packet),
            PacketType::Data | PacketType::Fin | PacketType::State => {
                return self.handle_packet(now, &meta, &packet, datagram);
            }
        }
        Disposition::Consumed
    }

    /// The connection that takes a datagram from `remote`, if there is one yet.
    pub fn connection_of(&self, remote: SocketAddr, datagram: &[u8]) -> Option<ConnectionHandle> {
        let (header, _) = Header::decode(datagram.first_chunk()?).ok()?;
        let id = header.connection_id;
        let slot = match header.packet_type {
            PacketType::Syn => self.index.get(remote, id.next()),
            PacketType::Reset => self.answering_to(remote, id, [id, id.previous(), id.next()]),
            PacketType::Data | PacketType::Fin | PacketType::State => self.index.get(remote, id),
        };
        slot.map(|slot| self.handle(slot))
    }

    /// The connection that sent a datagram to `remote` of which `quoted` is the beginning, a header
    /// at least.
    pub fn connection_that_sent(
        &self,
        remote: SocketAddr,
        quoted: &[u8],
    ) -> Option<ConnectionHandle> {
        let (header, _) = Header::decode(quoted.first_chunk()?).ok()?;
        let id = header.connection_id;
        // Only a SYN carries the id that its sender receives on.
        let slot = match header.packet_type {
            PacketType::Syn => self.index.get(remote, id),
            _ => self.answering_to(remote, id, [id.previous(), id.next(), id]),
        };
        slot.map(|slot| self.handle(slot))
    }

    /// The first connection with one of `ids` that receives on or sends with `id`.
    fn answering_to(
        &self,
        remote: SocketAddr,
        id: ConnectionId,
        ids: [ConnectionId; 3],
    ) -> Option<usize> {
        let slots = ids.iter().filter_map(|id_recv| self.index.get(remote, *id_recv));
        slots.into_iter().find(|slot| self.entries[*slot].connection.answers_to(id))
    }

    fn handle(&self, slot: usize) -> ConnectionHandle {
        ConnectionHandle::new(slot, self.entries[slot].generation)
    }

    /// Takes an ICMP message about a datagram sent to `remote`. `quoted` is as much of its UDP
    /// payload as the message holds.
    pub fn handle_icmp(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        error: IcmpError,
        quoted: &[u8],
    ) {
        let now = self.advance(now);
        if let IcmpError::MessageTooLarge { mtu } = error {
            // A quotation may end anywhere: within padding, too.
            if let Some((slot, header)) = self.sender_of(remote, quoted) {
                self.entries[slot].connection.handle_too_big(header.seq_nr, mtu);
                self.sync(slot);
            }
            return;
        }
        if let Ok(packet) = Packet::decode(quoted) {
            let id = packet.header.connection_id;
            match packet.header.packet_type {
                // A SYN carries the id we receive on.
                PacketType::Syn => {
                    if let Some(slot) = self.index.get(remote, id) {
                        self.unreachable(slot);
                    }
                }
                PacketType::Fin => self.fin_unreachable(now, remote, &packet.header),
                _ => {}
            }
            return;
        }
        // Some systems tell no more than the peer: whatever we are connecting to there.
        let slots: Vec<usize> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.connection.remote() == remote)
            .map(|(slot, _)| slot)
            .collect();
        for slot in slots {
            self.unreachable(slot);
        }
    }

    /// Nobody is there to take our FIN, which carries the id we send with.
    fn fin_unreachable(&mut self, now: Instant, remote: SocketAddr, fin: &Header) {
        for id_recv in [fin.connection_id.previous(), fin.connection_id.next()] {
            let Some(slot) = self.index.get(remote, id_recv) else { continue };
            let connection = &mut self.entries[slot].connection;
            if connection.answers_to(fin.connection_id) {
                connection.handle_unreachable_fin(now, fin.seq_nr);
                self.sync(slot);
            }
        }
    }

    /// Takes back datagrams for `remote` that this host refused to send, since the first of them is
    /// larger than its link takes without fragments (`EMSGSIZE`). None of them was sent. They are
    /// `segment_size` bytes each, if that is set, but for the last. Connections with one peer may
    /// share them.
    ///
    /// What they carried goes out again in smaller packets where that is possible, and where it is
    /// not, as it is, with leave to fragment it.
    pub fn handle_send_too_large(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        datagrams: &[u8],
        segment_size: Option<usize>,
    ) {
        self.advance(now);
        let segment_size = segment_size.unwrap_or(datagrams.len()).max(1);
        for (index, first) in datagrams.chunks(segment_size).enumerate() {
            let mut before = datagrams.chunks(segment_size).take(index);
            if before.any(|datagram| datagram.get(ID_BYTES) == first.get(ID_BYTES)) {
                continue;
            }
            if let Some((slot, _)) = self.sender_of(remote, first) {
                self.entries[slot].connection.handle_send_too_large(datagrams, segment_size);
                self.sync(slot);
            }
        }
    }

    /// The connection that sent a DATA or FIN packet to `remote`, and its header.
    fn sender_of(&self, remote: SocketAddr, quoted: &[u8]) -> Option<(usize, Header)> {
        let (header, _) = Header::decode(quoted.first_chunk()?).ok()?;
        if !matches!(header.packet_type, PacketType::Data | PacketType::Fin) {
            return None;
        }
        let id = header.connection_id;
        let sends_with = |slot: &usize| self.entries[*slot].connection.id_send() == id;
        let of_id = |id| self.index.get(remote, id).filter(sends_with);
        let slot = of_id(id.previous()).or_else(|| of_id(id.next()))?;
        Some((slot, header))
    }

    fn unreachable(&mut self, slot: usize) {
        if let Some(entry) = self.entries.get_mut(slot) {
            entry.connection.handle_unreachable();
            self.sync(slot);
        }
    }

    fn handle_packet(
        &mut self,
        now: Instant,
        meta: &RecvMeta,
        packet: &Packet<'_>,
        datagram: &[u8],
    ) -> Disposition {
        let header = &packet.header;
        let Some(slot) = self.index.get(meta.remote, header.connection_id) else {
            if self.answer_from_tombstone(now, meta, header) {
                return Disposition::Consumed;
            }
            if let Some(disposition) = self.handle_proof(now, meta, packet, datagram) {
                return disposition;
            }
            self.stats.unmatched += 1;
            self.send_reset(now, meta.remote, meta.local_ip, header);
            return Disposition::Consumed;
        };
        let received_at = meta.received_at.map_or(now, |at| at.min(now));
        let entry = &mut self.entries[slot];
        entry.connection.set_local_ip(meta.local_ip);
        entry.connection.handle_packet(now, received_at, packet, datagram);
        self.sync(slot);
        Disposition::Consumed
    }

    /// Answers what comes late for a connection that is gone. False if it left nothing.
    fn answer_from_tombstone(&mut self, now: Instant, meta: &RecvMeta, header: &Header) -> bool {
        let id_recv = header.connection_id;
        let key = Key::new(meta.remote, id_recv);
        let Some(tombstone) = self.tombstones.get_mut(now, &key) else { return false };
        if tombstone.ending == Ending::Failed {
            self.stats.unmatched += 1;
            self.send_reset(now, meta.remote, meta.local_ip, header);
            return true;
        }
        if header.packet_type == PacketType::State {
            return true;
        }
        // Nobody reads what comes. Still no number is acknowledged that has not arrived: peers
        // learn from acks what their path carries.
        if header.seq_nr == tombstone.ack_nr.next() {
            tombstone.ack_nr = header.seq_nr;
        }
        let id_send = if tombstone.initiator { id_recv.next() } else { id_recv.previous() };
        let clock = Clock::new(&self.secret, meta.remote, id_recv);
        let answer = Header {
            packet_type: PacketType::State,
            connection_id: id_send,
            timestamp_microseconds: clock.stamp(now),
            timestamp_difference_microseconds: clock.since(now, header.timestamp_microseconds),
            wnd_size: SYN_ACK_WINDOW_BYTES,
            seq_nr: tombstone.next,
            ack_nr: tombstone.ack_nr,
        };
        self.tombstones.prolong(now, &key, TOMBSTONE_ASKED_US);
        self.replies.push(Reply::new(meta.remote, meta.local_ip, &answer, None));
        true
    }

    /// A reset names the id of the packet it answers, which is the one we send with, or the one we
    /// receive on.
    fn handle_reset(&mut self, now: Instant, remote: SocketAddr, packet: &Packet<'_>) {
        let header = &packet.header;
        let id = header.connection_id;
        for id_recv in [id, id.previous(), id.next()] {
            let Some(slot) = self.index.get(remote, id_recv) else { continue };
            let connection = &mut self.entries[slot].connection;
            if connection.answers_to(id) {
                let believed = connection.handle_reset(now, header);
                if believed {
                    connection.hear_close_reason(packet.close_reason);
                }
                self.sync(slot);
                if believed {
                    return;
                }
            }
        }
        self.stats.resets_ignored += 1;
    }
}

/// Where a packet has the id of its connection.
const ID_BYTES: Range<usize> = 2..4;
