//! Packets that the endpoint sent.

use std::net::SocketAddr;

use utp_proto::Instant;
use utp_wire::{Header, Packet, PacketType};

/// A packet the endpoint sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Instant,
    pub to: SocketAddr,
    pub header: Header,
    pub mask: Option<Vec<u8>>,
    pub extension_bits: Option<[u8; 8]>,
    pub close_reason: Option<u16>,
    pub payload: Vec<u8>,
    /// Of the whole datagram.
    pub len: usize,
}

impl Sent {
    pub fn new(at: Instant, to: SocketAddr, datagram: &[u8]) -> Self {
        let packet = Packet::decode(datagram).expect("what is sent can be decoded");
        Self {
            at,
            to,
            header: packet.header,
            extension_bits: packet.extension_bits,
            close_reason: packet.close_reason,
            mask: packet.selective_ack.map(|mask| mask.as_bytes().to_vec()),
            payload: datagram[packet.payload_offset..].to_vec(),
            len: datagram.len(),
        }
    }

    pub fn is(&self, packet_type: PacketType) -> bool {
        self.header.packet_type == packet_type
    }

    /// The packet as text, with numbers relative to `us` and `them`.
    pub fn brief(&self, us: u16, them: u16) -> String {
        let header = &self.header;
        let name = format!("{:?}", header.packet_type).to_uppercase();
        let seq_nr = header.seq_nr.0.wrapping_sub(us).cast_signed();
        if header.packet_type == PacketType::Syn {
            return format!("{name} {seq_nr}");
        }
        let ack_nr = header.ack_nr.0.wrapping_sub(them).cast_signed();
        let mut text = format!("{name} {seq_nr} ack {ack_nr}");
        if !self.payload.is_empty() {
            text += &format!(" len {}", self.payload.len());
        }
        if let Some(mask) = &self.mask {
            text += " mask ";
            text.extend(mask.iter().map(|byte| format!("{byte:02x}")));
        }
        text
    }
}
