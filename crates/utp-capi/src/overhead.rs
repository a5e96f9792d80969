//! What `UTP_ON_OVERHEAD_STATISTICS` is told of packets: how many bytes carry no payload, and why.
//!
//! The kinds are those that libutp was seen to tell: of what is received, only a FIN is more than a
//! header.

use std::net::SocketAddr;

use utp_wire::{Packet, PacketType};

use crate::context::Context;
use crate::handles::Id;
use crate::types::{Name, Overhead};

impl Context {
    /// Counts a packet that is about to be sent.
    pub(crate) fn count_sent(&self, id: Id, remote: SocketAddr, datagram: &[u8]) {
        let Ok(packet) = Packet::decode(datagram) else { return };
        let seq_nr = packet.header.seq_nr;
        let repeated = match packet.header.packet_type {
            PacketType::Data | PacketType::Fin => {
                let Some(mut state) = self.lock() else { return };
                let Some(socket) = state.sockets.get_mut(id) else { return };
                let next = *socket.next_seq_nr.get_or_insert(seq_nr);
                let repeated = seq_nr.precedes(next);
                if !repeated {
                    socket.next_seq_nr = Some(seq_nr.next());
                }
                repeated
            }
            _ => false,
        };
        let (kind, len) = match packet.header.packet_type {
            _ if repeated => (Overhead::Retransmit, datagram.len()),
            PacketType::Data | PacketType::Fin => (Overhead::Header, packet.payload_offset),
            PacketType::Reset | PacketType::State => (Overhead::Ack, datagram.len()),
            PacketType::Syn => (Overhead::Connect, datagram.len()),
        };
        self.tell_overhead(id, remote, true, kind, len);
    }

    /// Counts a packet that has come for a socket.
    pub(crate) fn count_received(&self, id: Id, remote: SocketAddr, datagram: &[u8]) {
        let Ok(packet) = Packet::decode(datagram) else { return };
        let kind = match packet.header.packet_type {
            PacketType::Fin => Overhead::Close,
            _ => Overhead::Header,
        };
        self.tell_overhead(id, remote, false, kind, packet.payload_offset);
    }

    fn tell_overhead(&self, id: Id, remote: SocketAddr, sent: bool, kind: Overhead, len: usize) {
        let below = match self.callback_of(Name::GetUdpOverhead, id) {
            Some(call) => usize::try_from(call.run_with_address(remote)).unwrap_or(0),
            None if remote.is_ipv4() => UDP_OVERHEAD_V4,
            None => UDP_OVERHEAD_V6,
        };
        if let Some(call) = self.callback_of(Name::OnOverheadStatistics, id) {
            call.with_packet(sent, len.saturating_add(below), kind).run();
        }
    }
}

/// Headers of UDP and IPv4 (RFC 768, RFC 791).
const UDP_OVERHEAD_V4: usize = 28;
/// The same of IPv6, in a Teredo tunnel (RFC 4380), as libutp counts.
const UDP_OVERHEAD_V6: usize = 76;
