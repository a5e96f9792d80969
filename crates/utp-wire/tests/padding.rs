//! Packets that are padded to a size.

use utp_wire::{
    ConnectionId, EXTENSION_BITS, EXTENSION_PADDING, HEADER_LEN, Header, Packet, PacketType, SeqNr,
    Timestamp, TimestampDiff, encode_padding,
};

/// An empty DATA packet of exactly `size` bytes, if there is one.
fn padded(size: usize) -> Option<Vec<u8>> {
    let header = Header {
        packet_type: PacketType::Data,
        connection_id: ConnectionId(1),
        timestamp_microseconds: Timestamp(2),
        timestamp_difference_microseconds: TimestampDiff(3),
        wnd_size: 4,
        seq_nr: SeqNr(0),
        ack_nr: SeqNr(5),
    };
    let mut datagram = vec![0xff; size];
    let (head, tail) = datagram.split_first_chunk_mut::<HEADER_LEN>()?;
    header.encode(EXTENSION_BITS, head);
    encode_padding(tail).then_some(datagram)
}

/// The type and the length of each extension.
fn chain(datagram: &[u8]) -> Vec<(u8, usize)> {
    let (mut extension, mut rest) = (datagram[1], &datagram[HEADER_LEN..]);
    let mut chain = Vec::new();
    while extension != 0 {
        let len = usize::from(rest[1]);
        chain.push((extension, len));
        extension = rest[0];
        rest = &rest[2 + len..];
    }
    assert!(rest.is_empty(), "nothing stands behind the chain");
    chain
}

#[test]
fn every_size_up_to_the_largest_datagram_is_reached_to_the_byte() {
    for size in (HEADER_LEN + 13)..=65_507 {
        let datagram = padded(size).expect("there is a chain of this length");
        let packet = Packet::decode(&datagram).expect("the chain is well formed");
        assert_eq!(packet.payload_offset, size, "no byte is payload");
        assert_eq!(packet.extension_bits, Some([0; 8]));
        assert_eq!((packet.selective_ack, packet.close_reason), (None, None));
    }
}

#[test]
fn what_every_peer_knows_comes_first() {
    for size in [33, 40, 42, 43, 44, 298, 299, 300, 301, 302, 548, 1_200, 1_472, 65_507] {
        let chain = chain(&padded(size).expect("there is a chain of this length"));
        let known = if matches!(size, 33 | 42) { 1 } else { 2 };
        let (bits, padding) = chain.split_at(known);
        assert!(bits.iter().all(|bits| *bits == (EXTENSION_BITS, 8)), "{size}: {bits:?}");
        assert!(padding.iter().all(|(kind, len)| *kind == EXTENSION_PADDING && *len > 0));
        assert!(chain.len() <= 3 + size / 257, "{} extensions for {size} bytes", chain.len());
    }
}

#[test]
fn bits_alone_are_the_smallest_padding() {
    let datagram = padded(HEADER_LEN + 10).expect("there is a chain of this length");
    assert_eq!(chain(&datagram), [(EXTENSION_BITS, 8)]);
    for len in [0, 1, 9, 11, 12] {
        assert_eq!(padded(HEADER_LEN + len), None, "{len} bytes");
    }
}
