//! `restamp`: what it moves and, more so, what it does not.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use utp_wire::{
    ConnectionId, HEADER_LEN, Header, Packet, PacketType, SeqNr, Timestamp, TimestampDiff, restamp,
};

fn packet(packet_type: PacketType, stamp: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        packet_type,
        connection_id: ConnectionId(7),
        timestamp_microseconds: Timestamp(stamp),
        timestamp_difference_microseconds: TimestampDiff(u32::MAX),
        wnd_size: u32::MAX,
        seq_nr: SeqNr(1),
        ack_nr: SeqNr(2),
    };
    let mut head = [0; HEADER_LEN];
    header.encode(0, &mut head);
    [&head[..], payload].concat()
}

fn stamps(datagrams: &[u8], segment_size: usize) -> Vec<u32> {
    let stamp =
        |segment| Packet::decode(segment).map(|packet| packet.header.timestamp_microseconds.0);
    datagrams.chunks(segment_size).map(|segment| stamp(segment).expect("a packet")).collect()
}

#[test]
fn every_packet_of_a_batch_moves_and_nothing_else_in_it() {
    let batch = |stamps: [u32; 3]| {
        let [first, second, last] = stamps;
        [
            packet(PacketType::Data, first, &[0x5a; 30]),
            packet(PacketType::Fin, second, &[0xa5; 30]),
            packet(PacketType::State, last, &[]),
        ]
        .concat()
    };
    let mut datagrams = batch([1, 1000, u32::MAX]);
    restamp(&mut datagrams, HEADER_LEN + 30, 500);
    assert_eq!(datagrams, batch([501, 1500, 499]));
}

#[test]
fn resets_and_missing_stamps_stay() {
    let kinds =
        [PacketType::Data, PacketType::Fin, PacketType::State, PacketType::Reset, PacketType::Syn];
    let mut datagrams = kinds.map(|kind| packet(kind, 0, &[])).concat();
    restamp(&mut datagrams, HEADER_LEN, 9);
    assert_eq!(stamps(&datagrams, HEADER_LEN), [0; 5]);

    let mut datagrams = kinds.map(|kind| packet(kind, 100, &[])).concat();
    restamp(&mut datagrams, HEADER_LEN, 9);
    assert_eq!(stamps(&datagrams, HEADER_LEN), [109, 109, 109, 100, 109]);
}

#[test]
fn a_stamp_never_becomes_none() {
    let mut datagram = packet(PacketType::Data, u32::MAX - 9, b"");
    restamp(&mut datagram, 20, 10);
    assert_eq!(stamps(&datagram, 20), [1]);
}

#[test]
fn short_and_foreign_segments_stay() {
    let mut other_version = packet(PacketType::Data, 100, &[]);
    other_version[0] = 0x02;
    let mut other_type = packet(PacketType::Data, 100, &[]);
    other_type[0] = 0x51;
    let short = packet(PacketType::Data, 100, &[])[..HEADER_LEN - 1].to_vec();
    let foreign = [other_version, other_type, short].concat();

    let mut datagrams = foreign.clone();
    restamp(&mut datagrams, HEADER_LEN, 9);
    assert_eq!(datagrams, foreign);
}

#[test]
fn segment_size_beyond_the_batch_takes_it_for_one_packet() {
    let mut datagrams = packet(PacketType::Data, 100, &[1; 50]);
    restamp(&mut datagrams, usize::MAX, 9);
    assert_eq!(datagrams, packet(PacketType::Data, 109, &[1; 50]));
}

#[test]
fn segment_size_of_zero_and_an_empty_batch_do_nothing() {
    let mut datagrams = packet(PacketType::Data, 100, &[]);
    restamp(&mut datagrams, 0, 9);
    assert_eq!(datagrams, packet(PacketType::Data, 100, &[]));
    restamp(&mut [], HEADER_LEN, 9);
    restamp(&mut [], 0, 9);
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(0x7574_7004),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes_change_in_the_stamps_of_packets_only(
        mut datagrams in prop::collection::vec(
            prop_oneof![Just(0x01), Just(0x31), any::<u8>()],
            0..400,
        ),
        segment_size in 0..60_usize,
        later_by_us: u32,
    ) {
        let before = datagrams.clone();
        restamp(&mut datagrams, segment_size, later_by_us);
        for (index, (was, is)) in before.iter().zip(&datagrams).enumerate() {
            let Some(offset) = index.checked_rem(segment_size) else {
                prop_assert_eq!(was, is);
                continue;
            };
            let start = index - offset;
            let end = before.len().min(start + segment_size);
            let stamped = matches!(before[start], 0x01 | 0x11 | 0x21 | 0x41)
                && end - start >= HEADER_LEN
                && before[start + 4..start + 8] != [0; 4];
            if stamped && offset == 4 {
                let stamp = |bytes: &[u8]| {
                    let stamp = bytes[start + 4..start + 8].try_into();
                    u32::from_be_bytes(stamp.expect("it has four bytes"))
                };
                let sum = stamp(&before).wrapping_add(later_by_us);
                prop_assert_eq!(stamp(&datagrams), sum.max(1));
            } else if !stamped || !(4..8).contains(&offset) {
                prop_assert_eq!(was, is, "byte {} of the segment at {}", offset, start);
            }
        }
    }
}
