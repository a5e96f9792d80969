//! Packets as a whole: headers, extension chains, foreign and broken datagrams.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use utp_wire::{
    ConnectionId, DecodeError, EXTENSION_BITS, EXTENSION_CLOSE_REASON, EXTENSION_SELECTIVE_ACK,
    HEADER_LEN, Header, Packet, PacketType, SelectiveAck, SeqNr, Timestamp, TimestampDiff,
};

const UNKNOWN: u8 = 4;

const HEADER: Header = Header {
    packet_type: PacketType::State,
    connection_id: ConnectionId(0x0203),
    timestamp_microseconds: Timestamp(0x0405_0607),
    timestamp_difference_microseconds: TimestampDiff(0x0809_0a0b),
    wnd_size: 0x0c0d_0e0f,
    seq_nr: SeqNr(0x1011),
    ack_nr: SeqNr(0x1213),
};

/// A datagram of `header`, the extensions in their order, and `payload`.
fn datagram(header: &Header, extensions: &[(u8, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut types = extensions.iter().map(|(extension, _)| *extension).chain([0]);
    let mut head = [0; HEADER_LEN];
    header.encode(types.next().expect("the chain ends with a zero"), &mut head);
    let mut datagram = head.to_vec();
    for (next, (_, body)) in types.zip(extensions) {
        datagram
            .extend([next, u8::try_from(body.len()).expect("a body has 255 bytes at the most")]);
        datagram.extend(*body);
    }
    datagram.extend(payload);
    datagram
}

// req: B-01
#[test]
fn header_fields_stand_where_the_diagram_has_them() {
    let mut bytes = [0xff; HEADER_LEN];
    HEADER.encode(0, &mut bytes);
    let expected: Vec<_> = [0x21, 0].into_iter().chain(0x02..=0x13).collect();
    assert_eq!(bytes[..], expected);
    let packet = Packet::decode(&bytes).expect("a header is a packet");
    assert_eq!(
        packet,
        Packet {
            header: HEADER,
            selective_ack: None,
            extension_bits: None,
            close_reason: None,
            payload_offset: HEADER_LEN,
        }
    );
}

// req: B-03
#[test]
fn five_first_bytes_are_those_of_a_packet() {
    for first in 0..=u8::MAX {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = first;
        let decoded = Packet::decode(&bytes).map(|packet| packet.header.packet_type);
        let expected = match first {
            0x01 => Ok(PacketType::Data),
            0x11 => Ok(PacketType::Fin),
            0x21 => Ok(PacketType::State),
            0x31 => Ok(PacketType::Reset),
            0x41 => Ok(PacketType::Syn),
            _ if first & 0x0f != 1 => Err(DecodeError::UnknownVersion(first & 0x0f)),
            _ => Err(DecodeError::UnknownType(first >> 4)),
        };
        assert_eq!(decoded, expected, "{first:#04x}");
    }
}

#[test]
fn errors_tell_foreign_datagrams_from_broken_packets() {
    for (error, is_not_utp, text) in [
        (DecodeError::ExtensionPastEnd, false, "extension past the end of the datagram"),
        (DecodeError::TooShort, true, "datagram shorter than a header"),
        (DecodeError::UnknownType(5), true, "unknown packet type 5"),
        (DecodeError::UnknownVersion(0), true, "unknown protocol version 0"),
    ] {
        assert_eq!(error.is_not_utp(), is_not_utp);
        let error: Box<dyn core::error::Error> = error.into();
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn packet_cut_anywhere_within_its_chain_is_dropped() {
    let chain: [(u8, &[u8]); 5] = [
        (UNKNOWN, b"unknown"),
        (EXTENSION_SELECTIVE_ACK, &[1, 2, 3, 4, 5]),
        (EXTENSION_BITS, &[7; 8]),
        (200, &[]),
        (EXTENSION_CLOSE_REASON, &[0, 0, 1, 2]),
    ];
    let whole = datagram(&HEADER, &chain, b"payload");
    let chain_end = whole.len() - b"payload".len();
    for len in 0..whole.len() {
        let decoded = Packet::decode(&whole[..len]);
        match decoded {
            Err(DecodeError::TooShort) => assert!(len < HEADER_LEN, "{len}"),
            Err(DecodeError::ExtensionPastEnd) => {
                assert!((HEADER_LEN..chain_end).contains(&len), "{len}");
            }
            decoded => {
                assert!(len >= chain_end, "{len}");
                assert_eq!(decoded, Packet::decode(&whole), "the payload plays no part");
            }
        }
    }
    let packet = Packet::decode(&whole).expect("the whole packet is sound");
    assert_eq!(packet.payload_offset, chain_end);
    assert_eq!(packet.selective_ack, Some(SelectiveAck::new(&[1, 2, 3, 4, 5])));
    assert_eq!(packet.extension_bits, Some([7; 8]));
    assert_eq!(packet.close_reason, Some(0x0102));
}

#[test]
fn chains_of_empty_extensions_are_walked_to_their_end() {
    // The last count fills the largest UDP datagram.
    for count in [1, 700, (65_507 - HEADER_LEN) / 2] {
        for extension in [EXTENSION_SELECTIVE_ACK, EXTENSION_BITS, EXTENSION_CLOSE_REASON, 255] {
            let chain = vec![(extension, &[][..]); count];
            let mut datagram = datagram(&HEADER, &chain, &[]);
            let packet = Packet::decode(&datagram).expect("the chain is sound");
            assert_eq!(packet.payload_offset, HEADER_LEN + 2 * count);
            let empty = (extension == EXTENSION_SELECTIVE_ACK).then_some(SelectiveAck::new(&[]));
            assert_eq!(packet.selective_ack, empty);
            assert_eq!(packet.extension_bits, None);
            assert_eq!(packet.close_reason, None);

            datagram.pop();
            assert_eq!(Packet::decode(&datagram), Err(DecodeError::ExtensionPastEnd));
        }
    }
}

#[test]
fn last_of_several_selective_acks_counts() {
    for last in [&[0xff_u8; 8][..], &[]] {
        let chain = [
            (EXTENSION_SELECTIVE_ACK, &[1, 0, 0, 0][..]),
            (UNKNOWN, &[9]),
            (EXTENSION_SELECTIVE_ACK, &[2, 0, 0, 0]),
            (EXTENSION_SELECTIVE_ACK, last),
        ];
        let datagram = datagram(&HEADER, &chain, b"x");
        let packet = Packet::decode(&datagram).expect("the chain is sound");
        assert_eq!(packet.selective_ack, Some(SelectiveAck::new(last)));
    }
}

#[test]
fn unknown_extensions_are_skipped_wherever_they_stand() {
    for unknown in UNKNOWN..=u8::MAX {
        let chain = [
            (unknown, &[0x55; 255][..]),
            (EXTENSION_SELECTIVE_ACK, &[3; 4]),
            (unknown, &[]),
            (EXTENSION_BITS, &[4; 8]),
            (unknown, &[EXTENSION_SELECTIVE_ACK]),
        ];
        let datagram = datagram(&HEADER, &chain, b"payload");
        let packet = Packet::decode(&datagram).expect("the chain is sound");
        assert_eq!(packet.selective_ack, Some(SelectiveAck::new(&[3; 4])));
        assert_eq!(packet.extension_bits, Some([4; 8]));
        assert_eq!(&datagram[packet.payload_offset..], b"payload");
    }
}

#[test]
fn extensions_of_a_wrong_length_are_skipped() {
    let body = [0x66; 255];
    for len in 0..=body.len() {
        // A sound one before it keeps its value.
        let chain = [
            (EXTENSION_BITS, &[1; 8][..]),
            (EXTENSION_CLOSE_REASON, &[0, 0, 1, 1]),
            (EXTENSION_BITS, &body[..len]),
            (EXTENSION_CLOSE_REASON, &body[..len]),
        ];
        let datagram = datagram(&HEADER, &chain, &[]);
        let packet = Packet::decode(&datagram).expect("the chain is sound");
        let expected_bits = if len == 8 { [0x66; 8] } else { [1; 8] };
        let expected_reason = if len == 4 { 0x6666 } else { 0x0101 };
        assert_eq!(packet.extension_bits, Some(expected_bits), "{len}");
        assert_eq!(packet.close_reason, Some(expected_reason), "{len}");
    }
}

#[test]
fn close_reason_does_not_depend_on_its_reserved_bytes() {
    let datagram = datagram(&HEADER, &[(EXTENSION_CLOSE_REASON, &[0xaa, 0xbb, 0x01, 0x02])], &[]);
    let packet = Packet::decode(&datagram).expect("the chain is sound");
    assert_eq!(packet.close_reason, Some(0x0102));
}

fn headers() -> impl Strategy<Value = Header> {
    let packet_types = prop::sample::select(vec![
        PacketType::Data,
        PacketType::Fin,
        PacketType::State,
        PacketType::Reset,
        PacketType::Syn,
    ]);
    (packet_types, any::<(u16, u32, u32, u32, u16, u16)>()).prop_map(
        |(packet_type, (connection_id, timestamp, difference, wnd_size, seq_nr, ack_nr))| Header {
            packet_type,
            connection_id: ConnectionId(connection_id),
            timestamp_microseconds: Timestamp(timestamp),
            timestamp_difference_microseconds: TimestampDiff(difference),
            wnd_size,
            seq_nr: SeqNr(seq_nr),
            ack_nr: SeqNr(ack_nr),
        },
    )
}

/// Chains that hold each known extension often, and often in its right length.
fn chains() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let types = prop_oneof![3 => 1..=3_u8, 1 => 1..=u8::MAX];
    let lens = prop_oneof![2 => Just(4_usize), 2 => Just(8), 1 => 0..=255_usize];
    let bodies = lens.prop_flat_map(|len| prop::collection::vec(any::<u8>(), len));
    prop::collection::vec((types, bodies), 0..12)
}

/// Bytes of which most begin as a packet with a chain does.
fn datagrams() -> impl Strategy<Value = Vec<u8>> {
    let first_bytes =
        prop_oneof![4 => (0..5_u8).prop_map(|nibble| nibble << 4 | 1), 1 => any::<u8>()];
    // Short lengths in the place of bodies make long chains.
    let bytes = prop_oneof![3 => 0..12_u8, 1 => any::<u8>()];
    (first_bytes, prop::collection::vec(bytes, 0..1500)).prop_map(|(first, mut datagram)| {
        if let Some(byte) = datagram.first_mut() {
            *byte = first;
        }
        datagram
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(0x7574_7003),
        failure_persistence: None,
        cases: 512,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_encoded_is_decoded(
        header in headers(),
        chain in chains(),
        payload in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let chain: Vec<_> = chain.iter().map(|(extension, body)| (*extension, &body[..])).collect();
        let last = |wanted: u8, sound: fn(&[u8]) -> bool| {
            let found = chain.iter().rev().filter(|(extension, _)| *extension == wanted);
            found.map(|(_, body)| *body).find(|body| sound(body))
        };
        let datagram = datagram(&header, &chain, &payload);
        let expected = Packet {
            header,
            selective_ack: last(EXTENSION_SELECTIVE_ACK, |_| true).map(SelectiveAck::new),
            extension_bits: last(EXTENSION_BITS, |body| body.len() == 8)
                .map(|body| body.try_into().expect("it has eight bytes")),
            close_reason: last(EXTENSION_CLOSE_REASON, |body| body.len() == 4)
                .map(|body| u16::from(body[2]) << 8 | u16::from(body[3])),
            payload_offset: datagram.len() - payload.len(),
        };
        prop_assert_eq!(Packet::decode(&datagram), Ok(expected));
    }

    // req: H-27
    #[test]
    fn any_bytes_are_a_sound_packet_or_an_error(datagram in datagrams()) {
        if let Ok(packet) = Packet::decode(&datagram) {
            prop_assert!((HEADER_LEN..=datagram.len()).contains(&packet.payload_offset));
            let mut head = [0; HEADER_LEN];
            packet.header.encode(datagram[1], &mut head);
            prop_assert_eq!(&head[..], &datagram[..HEADER_LEN]);
            if let Some(selective_ack) = packet.selective_ack {
                let set = selective_ack.seq_nrs(packet.header.ack_nr).count();
                prop_assert_eq!(set, selective_ack.count());
            }
        }
    }
}
