//! The wire format of the micro transport protocol, uTP (BEP-29).
//!
//! A packet is a header of 20 bytes, a chain of extensions and a payload. All numbers are big
//! endian:
//!
//! ```text
//!  0       4       8               16              24             31
//! +-------+-------+---------------+-------------------------------+
//! | type  |version| 1st extension |         connection id         |   0
//! +-------+-------+---------------+-------------------------------+
//! |                     timestamp_microseconds                    |   4
//! +---------------------------------------------------------------+
//! |               timestamp_difference_microseconds               |   8
//! +---------------------------------------------------------------+
//! |                            wnd_size                           |  12
//! +-------------------------------+-------------------------------+
//! |            seq_nr             |            ack_nr             |  16
//! +---------------+---------------+-------------------------------+
//! |next extension |    length     | body: `length` bytes      ... |  20, while the type before
//! +---------------+---------------+-------------------------------+      it is not zero
//! |                           payload                         ... |
//! +---------------------------------------------------------------+
//! ```
//!
//! The type of an extension stands in the element before it; that of the first one stands in the
//! header. Type zero ends the chain.
//!
//! The crate reads and writes bytes and does the circular arithmetic of the numbers in them. It
//! holds no connection, clock, buffer or socket, allocates nothing and panics on no input.
//!
//! # Example
//!
//! An acknowledgement that lacks packet 11 and holds packets 12 and 14:
//!
//! ```
//! use utp_wire::{
//!     ConnectionId, EXTENSION_SELECTIVE_ACK, HEADER_LEN, Header, Instant, Packet, PacketType,
//!     SELECTIVE_ACK_LEN_MAX, SelectiveAckBuilder, SeqNr, TimestampDiff,
//! };
//!
//! let header = Header {
//!     packet_type: PacketType::State,
//!     connection_id: ConnectionId(0x1234),
//!     timestamp_microseconds: Instant::from_micros(5_000_000).timestamp(),
//!     timestamp_difference_microseconds: TimestampDiff(25_000),
//!     wnd_size: 1 << 20,
//!     seq_nr: SeqNr(700),
//!     ack_nr: SeqNr(10),
//! };
//! let mut held = SelectiveAckBuilder::new();
//! held.set(0); // 12, that is ack_nr + 2 + 0
//! held.set(2); // 14
//!
//! let mut datagram = [0; HEADER_LEN + SELECTIVE_ACK_LEN_MAX];
//! let (head, tail) = datagram.split_first_chunk_mut().expect("the array begins with a header");
//! header.encode(EXTENSION_SELECTIVE_ACK, head);
//! let len = HEADER_LEN + held.encode(0, tail);
//!
//! let packet = Packet::decode(&datagram[..len])?;
//! assert_eq!(packet.header, header);
//! assert_eq!(packet.payload_offset, len);
//! let selective_ack = packet.selective_ack.expect("the packet carries one");
//! assert!(selective_ack.seq_nrs(header.ack_nr).eq([SeqNr(12), SeqNr(14)]));
//! # Ok::<(), utp_wire::DecodeError>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]

mod error;
mod header;
mod packet;
mod padding;
mod selective_ack;
mod seq;
mod time;

pub use error::DecodeError;
pub use header::{HEADER_LEN, Header, PacketType, VERSION};
pub use packet::{
    EXTENSION_BIT_HOLDS_MORE, EXTENSION_BIT_PROBES_LIFE, EXTENSION_BITS, EXTENSION_CLOSE_REASON,
    EXTENSION_SELECTIVE_ACK, Packet, restamp,
};
pub use padding::{EXTENSION_PADDING, encode_padding, padding_len};
pub use selective_ack::{SELECTIVE_ACK_LEN_MAX, SelectiveAck, SelectiveAckBuilder};
pub use seq::{ConnectionId, SeqNr};
pub use time::{Instant, Timestamp, TimestampDiff};
