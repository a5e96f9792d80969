//! FQ-CoDel: shares of turns, sparse flows first, and who loses when there is no room.

use super::*;
use crate::link::tests::packet;

const SHAPE: Shape = Shape {
    aim: Aim { target: Ns::from_millis(5), interval: Ns::from_millis(100) },
    quantum: 1_514,
    flows: 1_024,
    packets_max: 10_240,
};

fn fq_codel(shape: Shape) -> FqCodel {
    FqCodel::new(shape, 0x1234_5678_9abc_def0)
}

fn push(queue: &mut FqCodel, flow: u16, bytes: u32, count: u64) -> Vec<Dropped> {
    let mut dropped = Vec::new();
    for id in 0..count {
        let packet = Packet { flow, ..packet(id, bytes) };
        queue.push(Waiting::new(Ns::ZERO, packet), &mut dropped);
    }
    dropped
}

/// Takes `count` packets at the start, before any of them has waited; bytes per flow.
fn served<const FLOWS: usize>(queue: &mut FqCodel, count: usize) -> [u64; FLOWS] {
    let mut bytes = [0; FLOWS];
    for _ in 0..count {
        let waiting = queue.pop(Ns::ZERO, &mut Vec::new()).expect("enough wait");
        bytes[usize::from(waiting.packet.flow)] += u64::from(waiting.packet.bytes);
    }
    bytes
}

#[test]
fn turns_share_bytes_evenly_whatever_the_size_of_packets() {
    let mut queue = fq_codel(SHAPE);
    let sizes = [1_500, 300, 100, 1_000];
    for (flow, bytes) in (0..).zip(sizes) {
        push(&mut queue, flow, bytes, 2_000);
    }
    let bytes: [u64; 4] = served(&mut queue, 2_000);
    // In each round a queue may send its quantum, off by less than a packet over all rounds.
    for share in bytes {
        assert!(share.abs_diff(bytes[0]) <= 1_514 + 1_500, "{bytes:?}");
    }
    assert!(bytes[0] > 90_000, "{bytes:?}");
}

#[test]
fn a_quantum_below_a_packet_is_as_fair() {
    let mut queue = fq_codel(Shape { quantum: 300, ..SHAPE });
    push(&mut queue, 0, 1_500, 1_000);
    push(&mut queue, 1, 100, 5_000);
    let bytes: [u64; 2] = served(&mut queue, 3_200);
    assert!(bytes[0].abs_diff(bytes[1]) <= 1_800, "{bytes:?}");
}

#[test]
fn a_flow_that_begins_to_send_comes_first() {
    let mut queue = fq_codel(SHAPE);
    push(&mut queue, 0, 1_500, 100);
    served::<1>(&mut queue, 10);
    push(&mut queue, 1, 200, 1);
    assert_eq!(served::<2>(&mut queue, 1), [0, 200]);
}

#[test]
fn a_flow_that_is_empty_waits_a_round_before_it_is_new_again() {
    let mut queue = fq_codel(SHAPE);
    push(&mut queue, 0, 1_500, 100);
    served::<1>(&mut queue, 10);
    // Its queue is found empty and goes to the end of the old ones; what it sends then has no
    // precedence, but the rest of its quantum.
    push(&mut queue, 1, 200, 1);
    assert_eq!(served::<2>(&mut queue, 2), [1_500, 200]);
    push(&mut queue, 1, 200, 1);
    let next = served::<2>(&mut queue, 2);
    assert_eq!(next, [1_500, 200], "one of each, the old queue's turn first");
}

#[test]
fn without_room_the_fattest_queue_loses_half_from_its_head() {
    let mut queue = fq_codel(Shape { packets_max: 100, ..SHAPE });
    assert!(push(&mut queue, 1, 1_000, 40).is_empty());
    assert!(push(&mut queue, 0, 1_500, 60).is_empty());
    let dropped = push(&mut queue, 2, 100, 1);
    // 60 * 1500 bytes are more than 40 * 1000.
    assert_eq!(dropped.len(), 30);
    for (id, dropped) in (0..).zip(&dropped) {
        assert_eq!((dropped.packet.flow, dropped.packet.id), (0, id));
        assert_eq!(dropped.reason, DropReason::QueueFull);
    }
    assert_eq!(queue.bytes(), 30 * 1_500 + 40_000 + 100);
}

#[test]
fn a_batch_of_drops_is_bounded() {
    let mut queue = fq_codel(Shape { packets_max: 1_000, ..SHAPE });
    assert_eq!(push(&mut queue, 0, 100, 1_001).len(), BATCH_MAX);
}

#[test]
fn codel_acts_on_each_queue_alone() {
    let mut queue = fq_codel(SHAPE);
    push(&mut queue, 0, 1_500, 5_000);
    let mut dropped = Vec::new();
    let mut now = Ns::ZERO;
    // A packet of 1.2 ms at a time; the small flow has one packet now and then, never old.
    for count in 0..1_000 {
        now += Ns::from_micros(1_200);
        queue.pop(now, &mut dropped);
        if count % 20 == 0 {
            let small = Packet { flow: 1, ..packet(count, 200) };
            queue.push(Waiting::new(now, small), &mut dropped);
        }
    }
    assert!(dropped.len() > 20, "{}", dropped.len());
    assert!(dropped.iter().all(|dropped| dropped.packet.flow == 0));
    let left: u64 = queue.drain().iter().map(|waiting| u64::from(waiting.packet.bytes)).sum();
    let small = 50 * 200;
    let sent = 5_000 * 1_500 + small - left - dropped.len() as u64 * 1_500;
    // 50 of the thousand that were sent were small.
    assert_eq!(sent, 950 * 1_500 + small);
}

#[test]
fn the_perturbation_decides_which_flows_collide() {
    let collisions = |perturbation| {
        let queue = FqCodel::new(Shape { flows: 64, ..SHAPE }, perturbation);
        let place = |flow| queue.queue_of(&Packet { flow, ..packet(0, 100) });
        let places: Vec<usize> = (0..64).map(place).collect();
        assert!(places.iter().all(|&place| place < 64));
        let distinct: std::collections::BTreeSet<usize> = places.iter().copied().collect();
        (places, distinct.len())
    };
    let (one, other) = (collisions(1), collisions(2));
    assert_ne!(one.0, other.0);
    // Of 64 places, 64 * (1 - (1 - 1/64)^64) = 40.6 are hit, with a deviation of 2.5.
    assert!(one.1.abs_diff(41) < 13 && other.1.abs_diff(41) < 13, "{} {}", one.1, other.1);
}

#[test]
fn draining_gives_all_in_the_order_of_coming() {
    let mut queue = fq_codel(SHAPE);
    for id in 0..100 {
        let flow = u16::try_from(id % 7).expect("below seven");
        let waiting = Waiting::new(Ns(id / 2), Packet { flow, ..packet(id, 100) });
        queue.push(waiting, &mut Vec::new());
    }
    let ids: Vec<u64> = queue.drain().iter().map(|waiting| waiting.packet.id).collect();
    assert_eq!(ids, (0..100).collect::<Vec<_>>());
    assert_eq!(queue.bytes(), 0);
    assert!(queue.pop(Ns(0), &mut Vec::new()).is_none());
    push(&mut queue, 3, 100, 1);
    assert!(queue.pop(Ns(0), &mut Vec::new()).is_some());
}
