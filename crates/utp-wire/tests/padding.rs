//! Packets that are padded to a size.

use utp_wire::{
    ConnectionId, EXTENSION_BITS, EXTENSION_PADDING, HEADER_LEN, Header, Packet, PacketType, SeqNr,
    Timestamp, TimestampDiff, encode_padding, padding_len,
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
fn every_even_size_up_to_the_largest_datagram_is_reached_to_the_byte() {
    for size in (HEADER_LEN + 20..=65_507).step_by(2) {
        let datagram = padded(size).expect("there is a chain of this length");
        let packet = Packet::decode(&datagram).expect("the chain is well formed");
        assert_eq!(packet.payload_offset, size, "no byte is payload");
        assert_eq!(packet.extension_bits, Some([0; 8]));
        assert_eq!((packet.selective_ack, packet.close_reason), (None, None));
    }
}

#[test]
fn what_every_peer_knows_comes_first_and_lengths_are_multiples_of_four() {
    for size in (HEADER_LEN + 20..=65_506).step_by(2) {
        let chain = chain(&padded(size).expect("there is a chain of this length"));
        let known = if matches!(size - HEADER_LEN, 22 | 24 | 28) { 1 } else { 2 };
        let (bits, padding) = chain.split_at(known);
        assert!(bits.iter().all(|bits| *bits == (EXTENSION_BITS, 8)), "{size}: {bits:?}");
        assert!(padding.iter().all(|(kind, len)| *kind == EXTENSION_PADDING && *len > 0));
        assert!(padding.iter().all(|(_, len)| len % 4 == 0), "{size}: {padding:?}");
        assert!(chain.len() <= 4 + size / 254, "{} extensions for {size} bytes", chain.len());
    }
}

#[test]
fn the_shortest_padding_of_a_length_is_known() {
    assert_eq!(chain(&padded(HEADER_LEN + 10).expect("the smallest")), [(EXTENSION_BITS, 8)]);
    for at_least in 0..2_000 {
        let len = padding_len(at_least);
        assert!(padded(HEADER_LEN + len).is_some(), "{len} bytes");
        for shorter in at_least..len {
            assert_eq!(padded(HEADER_LEN + shorter), None, "{shorter} bytes");
        }
    }
}
