//! Batches for a segmenting socket: one destination, equal sizes, a short one only at the end.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use std::num::NonZeroUsize;

use utp_proto::Transmit;
use utp_wire::{Packet, PacketType};
use wire::{FULL, MS, Wire};

/// Everything that is due, batch by batch; checks what holds for all batches.
fn batches(wire: &mut Wire, max: usize) -> Vec<Vec<(PacketType, usize)>> {
    let mut buf = vec![0xaa; 7];
    let max = NonZeroUsize::new(max).unwrap();
    let mut batches = Vec::new();
    let mut end = buf.len();
    while let Some(transmit) = wire.endpoint.poll_transmit(wire.now, max, &mut buf) {
        let Transmit { start, size, segment_size, destination, .. } = transmit;
        assert_eq!((start, start + size), (end, buf.len()), "appended, and no more");
        assert_eq!(destination, wire.peer);
        assert!(size <= 65_507);
        end = buf.len();
        let segment_size = segment_size.unwrap_or(size);
        let segments: Vec<&[u8]> = buf[start..end].chunks(segment_size).collect();
        assert!(segments.len() <= max.get());
        assert!(transmit.segment_size.is_none() || segments.len() > 1);
        let batch = segments
            .iter()
            .map(|segment| {
                let packet = Packet::decode(segment).unwrap();
                (packet.header.packet_type, segment.len() - packet.payload_offset)
            })
            .collect();
        batches.push(batch);
    }
    assert_eq!(buf[..7], [0xaa; 7]);
    batches
}

fn lens(batches: &[Vec<(PacketType, usize)>]) -> Vec<Vec<usize>> {
    batches.iter().map(|batch| batch.iter().map(|(_, len)| *len).collect()).collect()
}

/// A connection with `len` bytes written and nothing polled.
fn written(len: usize) -> Wire {
    let mut wire = Wire::plain();
    let now = wire.now;
    wire.connection_mut().write(now, &vec![7; len]).unwrap();
    wire
}

#[test]
fn full_packets_share_a_batch_and_a_short_one_ends_it() {
    let mut wire = written(FULL * 7 + 10);
    assert_eq!(lens(&batches(&mut wire, 4)), [vec![FULL; 4], vec![FULL, FULL, FULL, 10]],);
    let mut wire = written(FULL * 3);
    assert_eq!(lens(&batches(&mut wire, 1)), vec![vec![FULL]; 3]);
}

#[test]
fn a_batch_stays_within_one_datagram() {
    let mut wire = written(FULL * 100);
    let batches = batches(&mut wire, 1_000);
    // 46 packets of 1 402 bytes are 64 492.
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [46, 46, 8]);
}

#[test]
fn a_fin_may_end_a_batch() {
    let mut wire = written(FULL * 2);
    let now = wire.now;
    wire.connection_mut().finish(now);
    let batches = batches(&mut wire, 10);
    let kinds: Vec<PacketType> = batches.concat().iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [PacketType::Data, PacketType::Data, PacketType::Fin]);
    assert_eq!(batches.len(), 1);
}

#[test]
fn a_longer_packet_never_follows_a_shorter_one() {
    // Packets of 100, 1 382 and 50 bytes get lost together and are resent together, once an ack has
    // come after the time-out.
    let mut wire = Wire::plain();
    wire.write(100);
    wire.write(FULL - 50);
    wire.write(100);
    let sent: Vec<usize> = wire.take().iter().map(|sent| sent.payload.len()).collect();
    assert_eq!(sent, [100, FULL], "the rest waits for the ack of the short one");
    wire.finish();
    let sent: Vec<usize> = wire.take().iter().map(|sent| sent.payload.len()).collect();
    assert_eq!(sent, [50, 0]);
    wire.advance(600 * MS);
    let sent: Vec<usize> = wire.take().iter().map(|sent| sent.payload.len()).collect();
    assert_eq!(sent, [0, 100], "a probe and the time-out");
    wire.feed(wire.state(0, 0));
    assert_eq!(lens(&batches(&mut wire, 10)), [vec![FULL, 50], vec![0]]);
    assert_eq!(wire.stats().retransmissions, 5);
}

#[test]
fn new_data_never_joins_a_shorter_resend() {
    let mut wire = written(100);
    batches(&mut wire, 10);
    wire.advance(20 * MS);
    let now = wire.now;
    wire.connection_mut().write(now, &[7; FULL * 2]).unwrap();
    for _ in 0..3 {
        wire.feed(wire.state(0, -1));
    }
    assert_eq!(lens(&batches(&mut wire, 10)), [vec![100], vec![FULL; 2]]);
}

#[test]
fn an_ack_of_holes_goes_in_a_batch_of_its_own_before_the_data() {
    let mut wire = written(FULL * 2);
    wire.feed(wire.data(3, -1, b"beyond a gap"));
    let batches = batches(&mut wire, 10);
    let kinds: Vec<Vec<PacketType>> =
        batches.iter().map(|batch| batch.iter().map(|(kind, _)| *kind).collect()).collect();
    assert_eq!(kinds, [vec![PacketType::State], vec![PacketType::Data; 2]]);
}

#[test]
fn resends_and_new_packets_of_one_size_may_share_a_batch() {
    let mut wire = written(FULL * 4);
    batches(&mut wire, 10);
    wire.advance(20 * MS);
    let now = wire.now;
    wire.connection_mut().write(now, &[7; FULL * 2]).unwrap();
    wire.feed(wire.state(0, -1).sack(&[0b111, 0, 0, 0]));
    let batches = batches(&mut wire, 10);
    assert_eq!(lens(&batches), [vec![FULL; 3]]);
    assert_eq!(wire.stats().retransmissions, 1);
}

#[test]
fn a_fin_that_tells_a_reason_is_no_longer_than_the_segment_it_travels_in() {
    // What is sent before it may be shorter than the FIN with its extensions.
    for len in [0, 1, 15, 16, 17, FULL] {
        for max in [1, 8] {
            let mut wire = written(len);
            let now = wire.now;
            wire.connection_mut().finish_with_reason(now, 5);
            let sent: Vec<_> = batches(&mut wire, max).into_iter().flatten().collect();
            let data = (len > 0).then_some((PacketType::Data, len));
            let fin = Some((PacketType::Fin, 0));
            assert_eq!(sent, data.into_iter().chain(fin).collect::<Vec<_>>());
        }
    }
}
