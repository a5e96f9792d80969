//! Owns `DecodeError`, the reasons why a datagram is not a uTP packet.

use core::fmt;

/// Why a datagram could not be decoded.
///
/// One UDP port often carries uTP next to other protocols, so the first question about a datagram
/// is whether it is meant for uTP at all: see [`is_not_utp`](Self::is_not_utp).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeError {
    /// An extension begins or ends behind the end of the datagram.
    ExtensionPastEnd,
    /// The datagram is shorter than [`HEADER_LEN`](crate::HEADER_LEN).
    TooShort,
    /// The high nibble of the first byte, given here, names no packet type.
    UnknownType(u8),
    /// The low nibble of the first byte, given here, is not [`VERSION`](crate::VERSION).
    UnknownVersion(u8),
}

impl DecodeError {
    /// Whether the datagram belongs to another protocol, which may want to see it.
    ///
    /// False means that the header is that of a uTP packet and the rest is malformed: such a
    /// datagram is dropped.
    ///
    /// ```
    /// use utp_wire::{DecodeError, Packet};
    ///
    /// let error = Packet::decode(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping").unwrap_err();
    /// assert_eq!(error, DecodeError::UnknownVersion(4));
    /// assert!(error.is_not_utp());
    /// ```
    #[must_use]
    pub const fn is_not_utp(self) -> bool {
        match self {
            Self::ExtensionPastEnd => false,
            Self::TooShort | Self::UnknownType(_) | Self::UnknownVersion(_) => true,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExtensionPastEnd => f.write_str("extension past the end of the datagram"),
            Self::TooShort => f.write_str("datagram shorter than a header"),
            Self::UnknownType(packet_type) => write!(f, "unknown packet type {packet_type}"),
            Self::UnknownVersion(version) => write!(f, "unknown protocol version {version}"),
        }
    }
}

impl core::error::Error for DecodeError {}
