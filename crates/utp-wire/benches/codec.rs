//! What it costs to decode and to encode a packet.
//!
//! The throughput counts the bytes that the codec reads or writes: a header and its extensions, no
//! payload.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use utp_wire::{
    ConnectionId, EXTENSION_SELECTIVE_ACK, HEADER_LEN, Header, Packet, PacketType,
    SELECTIVE_ACK_LEN_MAX, SelectiveAckBuilder, SeqNr, Timestamp, TimestampDiff,
};

criterion_group!(benches, decode, encode);
criterion_main!(benches);

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");

    let mut data = [0x5a; 1400];
    let (head, _) = data.split_first_chunk_mut().expect("a header fits");
    header(PacketType::Data).encode(0, head);
    group.throughput(Throughput::Bytes(HEADER_LEN as u64));
    group.bench_function("data", |bencher| bencher.iter(|| Packet::decode(black_box(&data))));

    let mut out = [0; HEADER_LEN + SELECTIVE_ACK_LEN_MAX];
    let len = encode_state(&header(PacketType::State), &held(), &mut out);
    let state = &out[..len];
    group.throughput(Throughput::Bytes(len as u64));
    group.bench_function("state_with_selective_ack", |bencher| {
        bencher.iter(|| Packet::decode(black_box(state)));
    });
    group.bench_function("state_and_walk_selective_ack", |bencher| {
        bencher.iter(|| {
            let packet = Packet::decode(black_box(state)).expect("the packet is sound");
            let selective_ack = packet.selective_ack.expect("it carries one");
            selective_ack.seq_nrs(packet.header.ack_nr).fold(0, |sum: u16, seq_nr| sum ^ seq_nr.0)
        });
    });
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let (data, state, held) = (header(PacketType::Data), header(PacketType::State), held());

    let mut out = [0; HEADER_LEN];
    group.throughput(Throughput::Bytes(HEADER_LEN as u64));
    group.bench_function("header", |bencher| {
        bencher.iter(|| black_box(&data).encode(0, black_box(&mut out)));
    });

    let mut out = [0; HEADER_LEN + SELECTIVE_ACK_LEN_MAX];
    let len = encode_state(&state, &held, &mut out);
    group.throughput(Throughput::Bytes(len as u64));
    group.bench_function("state_with_selective_ack", |bencher| {
        bencher.iter(|| encode_state(black_box(&state), black_box(&held), black_box(&mut out)));
    });
    group.finish();
}

fn header(packet_type: PacketType) -> Header {
    Header {
        packet_type,
        connection_id: ConnectionId(0x1234),
        timestamp_microseconds: Timestamp(0x8765_4321),
        timestamp_difference_microseconds: TimestampDiff(25_000),
        wnd_size: 1 << 20,
        seq_nr: SeqNr(700),
        ack_nr: SeqNr(10),
    }
}

/// Every third packet lost: a mask of 32 bytes, two thirds of them set.
fn held() -> SelectiveAckBuilder {
    let mut held = SelectiveAckBuilder::new();
    (0..256).filter(|index| index % 3 != 2).for_each(|index| held.set(index));
    assert_eq!(held.mask_len(), 32, "the benchmark is about this length");
    held
}

fn encode_state(header: &Header, held: &SelectiveAckBuilder, out: &mut [u8]) -> usize {
    let (head, tail) = out.split_first_chunk_mut().expect("a header fits");
    header.encode(EXTENSION_SELECTIVE_ACK, head);
    HEADER_LEN + held.encode(0, tail)
}
