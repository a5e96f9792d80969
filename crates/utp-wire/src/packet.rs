//! Owns the walk along the extension chain, `Packet::decode`, and `restamp` for batches that wait.

use crate::{DecodeError, HEADER_LEN, Header, PacketType, SelectiveAck};

/// A received packet: a view into its datagram.
///
/// Of an extension that comes more than once, the last one counts, as in libutp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The fixed fields.
    pub header: Header,
    /// The packets that the sender holds beyond a gap (BEP-29, "selective ACK"); a mask of any
    /// length.
    pub selective_ack: Option<SelectiveAck<'a>>,
    /// The body of extension 2, which no known implementation gives a meaning.
    ///
    /// It has eight bytes. libutp drops a packet on which it has another length; here such an
    /// extension is skipped like an unknown one.
    pub extension_bits: Option<[u8; 8]>,
    /// Why the sender closed the connection: the last two of the four bytes of extension 3, an
    /// extension of libtorrent.
    ///
    /// With another length it is skipped like an unknown extension.
    pub close_reason: Option<u16>,
    /// Where the payload begins in the datagram; at most the datagram's length.
    pub payload_offset: usize,
}

impl<'a> Packet<'a> {
    /// Decodes a datagram, in one pass over its extensions.
    ///
    /// Unknown extensions are skipped, wherever they stand. (libutp takes a datagram whose first
    /// extension it does not know for another protocol's; BEP-29 wants it skipped.)
    ///
    /// # Errors
    ///
    /// The datagram is not uTP if it is shorter than a header or has another version or an unknown
    /// type, and malformed if its extensions reach past its end. No part of it is then usable.
    ///
    /// ```
    /// use utp_wire::{DecodeError, Packet, PacketType};
    ///
    /// let mut datagram = [0; 25];
    /// datagram[0] = 0x01; // DATA, version 1
    /// let packet = Packet::decode(&datagram)?;
    /// assert_eq!(packet.header.packet_type, PacketType::Data);
    /// assert_eq!(datagram[packet.payload_offset..].len(), 5);
    ///
    /// datagram[1] = 1; // A selective ack is announced,
    /// datagram[21] = 4; // of four bytes, of which three are there.
    /// assert_eq!(Packet::decode(&datagram), Err(DecodeError::ExtensionPastEnd));
    /// # Ok::<(), DecodeError>(())
    /// ```
    pub fn decode(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let Some((header, mut rest)) = datagram.split_first_chunk::<HEADER_LEN>() else {
            return Err(DecodeError::TooShort);
        };
        let (header, mut extension) = Header::decode(header)?;
        let mut selective_ack = None;
        let mut extension_bits = None;
        let mut close_reason = None;
        // Each turn takes at least two bytes, so a chain costs no more than its length.
        while extension != 0 {
            let [next, len, tail @ ..] = rest else {
                return Err(DecodeError::ExtensionPastEnd);
            };
            let Some((body, tail)) = tail.split_at_checked(usize::from(*len)) else {
                return Err(DecodeError::ExtensionPastEnd);
            };
            match extension {
                EXTENSION_SELECTIVE_ACK => selective_ack = Some(SelectiveAck::new(body)),
                EXTENSION_BITS => extension_bits = body.try_into().ok().or(extension_bits),
                EXTENSION_CLOSE_REASON => {
                    if let [_, _, high, low] = body {
                        close_reason = Some(u16::from_be_bytes([*high, *low]));
                    }
                }
                _ => {}
            }
            extension = *next;
            rest = tail;
        }
        let payload_offset = datagram.len() - rest.len();
        Ok(Self { header, selective_ack, extension_bits, close_reason, payload_offset })
    }
}

/// Moves the send stamps of encoded packets by the time that they had to wait.
///
/// `datagrams` holds packets `segment_size` bytes apart, the last one possibly shorter, as they go
/// to a segmenting socket. `later_by_us` is added to the `timestamp_microseconds` of each, modulo
/// 2^32, a sum of zero as one. A stamp of zero and the stamp of a RESET stay as they are, since
/// they mean that there is none. A segment that does not begin with a uTP header is left alone, and
/// a `segment_size` of zero leaves all alone.
///
/// ```
/// let mut datagrams = [0; 2 * 20];
/// for packet in datagrams.chunks_mut(20) {
///     packet[0] = 0x21; // STATE, version 1
///     packet[7] = 200; // sent at 200 us
/// }
/// utp_wire::restamp(&mut datagrams, 20, 100);
/// assert_eq!(datagrams[4..8], 300_u32.to_be_bytes());
/// assert_eq!(datagrams[24..28], 300_u32.to_be_bytes());
/// ```
pub fn restamp(datagrams: &mut [u8], segment_size: usize, later_by_us: u32) {
    if segment_size == 0 {
        return;
    }
    for segment in datagrams.chunks_mut(segment_size) {
        let Some(header) = segment.first_chunk_mut::<HEADER_LEN>() else { continue };
        let Ok((mut decoded, first_extension)) = Header::decode(header) else { continue };
        let stamp = &mut decoded.timestamp_microseconds.0;
        if *stamp != 0 && decoded.packet_type != PacketType::Reset {
            *stamp = stamp.wrapping_add(later_by_us).max(1);
            decoded.encode(first_extension, header);
        }
    }
}

/// The extension that lists packets held beyond a gap (BEP-29).
pub const EXTENSION_SELECTIVE_ACK: u8 = 1;

/// The extension of eight bytes of flags (libutp).
pub const EXTENSION_BITS: u8 = 2;

/// The bit of [`EXTENSION_BITS`], taken as a big-endian number, by which this implementation tells
/// in a SYN, and in the SYN-ACK that answers it, that it holds more packets ahead of the stream
/// than the 1 023 of libutp. No other implementation sends the extension; it is not one of the low
/// bits, which somebody else would take first.
pub const EXTENSION_BIT_HOLDS_MORE: u64 = 1 << 41;

/// The bit by which this implementation tells in an empty DATA packet that it asks for an ack, and
/// that its number is one that the receiver has already.
pub const EXTENSION_BIT_PROBES_LIFE: u64 = 1 << 42;

/// The extension that tells why a connection was closed (libtorrent).
pub const EXTENSION_CLOSE_REASON: u8 = 3;
