//! Owns the extensions that make a packet larger and say nothing.

use crate::EXTENSION_BITS;

/// Fills `out` with a chain of extensions that every peer skips; the header before it names
/// [`EXTENSION_BITS`] as the first, and a payload may follow. Says whether there is a chain of that
/// length; [`padding_len`] tells which there are.
///
/// The first element is that of libutp's extension bits, all clear: libutp takes a datagram that
/// begins with an extension it does not know for another protocol's, and skips those behind one
/// that it knows. Where there is room, the same element follows once more: Wireshark looks at the
/// first two before it takes a datagram for uTP. Every length is a multiple of four, since stacks
/// exist that drop a packet with any other.
///
/// ```
/// let mut datagram = [0; 1_452];
/// datagram[1] = utp_wire::EXTENSION_BITS;
/// datagram[0] = 0x01; // DATA, version 1
/// assert!(utp_wire::encode_padding(&mut datagram[20..]));
/// assert_eq!(utp_wire::Packet::decode(&datagram)?.payload_offset, 1_452);
/// # Ok::<(), utp_wire::DecodeError>(())
/// ```
pub fn encode_padding(out: &mut [u8]) -> bool {
    if padding_len(out.len()) != out.len() {
        return false;
    }
    out.fill(0);
    let (mut element, mut rest) = out.split_at_mut(BITS_LEN);
    element[1] = 8;
    if rest.len() >= BITS_LEN && is_filled_by_elements(rest.len() - BITS_LEN) {
        element[0] = EXTENSION_BITS;
        (element, rest) = rest.split_at_mut(BITS_LEN);
        element[1] = 8;
    }
    while !rest.is_empty() {
        let mut len = rest.len().min(ELEMENT_LEN_MAX);
        len -= (len - 2) % 4;
        while !is_filled_by_elements(rest.len() - len) {
            len -= 4;
        }
        element[0] = EXTENSION_PADDING;
        (element, rest) = rest.split_at_mut(len);
        element[1] = u8::try_from(len - 2).unwrap_or(u8::MAX);
    }
    true
}

/// The length of the shortest padding of `at_least` bytes: 10, 16, or any even number from 20 on.
pub const fn padding_len(at_least: usize) -> usize {
    match at_least {
        0..=BITS_LEN => BITS_LEN,
        11..=16 => 16,
        17..=20 => 20,
        _ => at_least.next_multiple_of(2),
    }
}

/// Whether there are elements of padding that take `len` bytes together.
const fn is_filled_by_elements(len: usize) -> bool {
    len.is_multiple_of(2) && !matches!(len, 2 | 4 | 8)
}

/// The extension that pads a packet: one that nobody knows. It is never the first.
pub const EXTENSION_PADDING: u8 = 0x70;

/// The element of the extension bits: two bytes before eight.
const BITS_LEN: usize = 2 + 8;

/// An element with the longest body.
const ELEMENT_LEN_MAX: usize = 2 + 252;
