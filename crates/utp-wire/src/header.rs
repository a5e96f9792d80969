//! Owns the fixed part of a packet: `PacketType` and `Header`, to and from its 20 bytes.

use crate::{ConnectionId, DecodeError, SeqNr, Timestamp, TimestampDiff};

/// What a packet is for. The numbers are those of the wire (BEP-29, `type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// Carries payload, possibly none.
    Data = 0,
    /// Ends the sender's half of the stream; takes a sequence number as payload does.
    Fin = 1,
    /// Carries an acknowledgement only and takes no sequence number.
    State = 2,
    /// Tells that the sender knows no such connection.
    Reset = 3,
    /// Opens a connection.
    Syn = 4,
}

impl PacketType {
    pub(crate) const fn from_nibble(nibble: u8) -> Option<Self> {
        match nibble {
            0 => Some(Self::Data),
            1 => Some(Self::Fin),
            2 => Some(Self::State),
            3 => Some(Self::Reset),
            4 => Some(Self::Syn),
            _ => None,
        }
    }
}

/// The fields every packet begins with (BEP-29, "header format").
///
/// Two things of the first four bytes are not in here: the version, which is always [`VERSION`],
/// and the type of the first extension, which belongs to the chain behind the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// What the packet is for.
    pub packet_type: PacketType,
    /// The receiver's connection; in a SYN the sender's.
    pub connection_id: ConnectionId,
    /// When the packet was sent last, on the sender's clock.
    pub timestamp_microseconds: Timestamp,
    /// The one-way delay which the sender measured on the newest packet that it received.
    pub timestamp_difference_microseconds: TimestampDiff,
    /// The bytes that the sender has room to receive.
    pub wnd_size: u32,
    /// The number of this packet; in a STATE the number of the sender's next packet.
    pub seq_nr: SeqNr,
    /// The last packet that the sender received with none missing before it.
    pub ack_nr: SeqNr,
}

impl Header {
    /// Writes the header; `first_extension` is the type of the extension that the caller writes
    /// behind it, zero for none.
    ///
    /// The crate's documentation shows it at work.
    pub fn encode(&self, first_extension: u8, out: &mut [u8; HEADER_LEN]) {
        out[0] = (self.packet_type as u8) << 4 | VERSION;
        out[1] = first_extension;
        out[2..4].copy_from_slice(&self.connection_id.0.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp_microseconds.0.to_be_bytes());
        out[8..12].copy_from_slice(&self.timestamp_difference_microseconds.0.to_be_bytes());
        out[12..16].copy_from_slice(&self.wnd_size.to_be_bytes());
        out[16..18].copy_from_slice(&self.seq_nr.0.to_be_bytes());
        out[18..20].copy_from_slice(&self.ack_nr.0.to_be_bytes());
    }

    /// The header, and the type of the first extension: all that can be read of a datagram that is
    /// quoted in part.
    ///
    /// # Errors
    ///
    /// Another version, or an unknown type: this is not uTP.
    pub const fn decode(bytes: &[u8; HEADER_LEN]) -> Result<(Self, u8), DecodeError> {
        let [first, first_extension, i0, i1, rest @ ..] = *bytes;
        let [t0, t1, t2, t3, d0, d1, d2, d3, rest @ ..] = rest;
        let [w0, w1, w2, w3, s0, s1, a0, a1] = rest;
        if first & 0x0f != VERSION {
            return Err(DecodeError::UnknownVersion(first & 0x0f));
        }
        let Some(packet_type) = PacketType::from_nibble(first >> 4) else {
            return Err(DecodeError::UnknownType(first >> 4));
        };
        let header = Self {
            packet_type,
            connection_id: ConnectionId(u16::from_be_bytes([i0, i1])),
            timestamp_microseconds: Timestamp(u32::from_be_bytes([t0, t1, t2, t3])),
            timestamp_difference_microseconds: TimestampDiff(u32::from_be_bytes([d0, d1, d2, d3])),
            wnd_size: u32::from_be_bytes([w0, w1, w2, w3]),
            seq_nr: SeqNr(u16::from_be_bytes([s0, s1])),
            ack_nr: SeqNr(u16::from_be_bytes([a0, a1])),
        };
        Ok((header, first_extension))
    }
}

/// The bytes of a header on the wire.
pub const HEADER_LEN: usize = 20;

/// The only version of the protocol, in the low nibble of the first byte.
pub const VERSION: u8 = 1;
