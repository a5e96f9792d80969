//! What cannot be seen from outside: the sizes of the endpoint's queues.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use utp_wire::{ConnectionId, HEADER_LEN, Header, Packet, PacketType, Timestamp, TimestampDiff};

use super::*;
use crate::{Disposition, RecvMeta};

struct Fixed(u8);

impl Entropy for Fixed {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_add(41);
            *byte = self.0;
        }
    }
}

/// Hands everything that is due from one side to the other and back.
fn exchange(endpoints: &mut [Endpoint; 2], addresses: [SocketAddr; 2], now: Instant) {
    for _ in 0..8 {
        for side in [0, 1] {
            endpoints[side].handle_timeout(now);
            while endpoints[side].poll_event().is_some() {}
            let mut buf = Vec::new();
            while endpoints[side].poll_transmit(now, NonZeroUsize::MIN, &mut buf).is_some() {
                let meta = RecvMeta { remote: addresses[side], local_ip: None, received_at: None };
                let datagram = std::mem::take(&mut buf);
                let peer = &mut endpoints[1 - side];
                if let Disposition::Incoming(incoming) = peer.handle_datagram(now, meta, &datagram)
                {
                    peer.accept(now, incoming, Arc::default()).expect("there is room");
                }
            }
        }
    }
}

#[test]
fn a_connection_that_only_defers_an_ack_does_not_wait_for_its_turn() {
    let addresses = [([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 2).into()];
    let mut endpoints = [1, 2].map(|seed| Endpoint::new(Arc::default(), Box::new(Fixed(seed))));
    let now = Instant::from_micros(1);
    let config = Arc::new(crate::Config { defer_acks: true, ..crate::Config::default() });
    let reader = endpoints[0].connect(now, addresses[1], config).expect("there is room");
    let mut connection = endpoints[0].connection_mut(reader).expect("it lives");
    connection.write(now, b"hello").expect("there is room");
    drop(connection);
    exchange(&mut endpoints, addresses, now);
    let (slot, entry) = endpoints[1].entries.iter().next().expect("it was accepted");
    let writer = ConnectionHandle::new(slot, entry.generation);
    for round in 0..4 {
        // The first packet of an acceptor is short, and the rest behind it.
        for _ in 0..2 {
            endpoints[0].issue_deferred_acks();
            exchange(&mut endpoints, addresses, now);
        }
        let mut connection = endpoints[1].connection_mut(writer).expect("it lives");
        connection.write(now, &[7; 100]).expect("there is room");
        drop(connection);
        let mut buf = Vec::new();
        endpoints[1].poll_transmit(now, NonZeroUsize::MIN, &mut buf).expect("the bytes");
        let meta = RecvMeta { remote: addresses[1], local_ip: None, received_at: None };
        let _consumed = endpoints[0].handle_datagram(now, meta, &buf);
        assert_eq!(endpoints[0].transmit_queue.len(), 0);
        // The end of the batch lets it go, and so does what is written.
        if round % 2 == 0 {
            endpoints[0].issue_deferred_acks();
        } else {
            let mut connection = endpoints[0].connection_mut(reader).expect("it lives");
            connection.write(now, b"answer").expect("there is room");
        }
        assert_eq!(endpoints[0].transmit_queue.len(), 1);
    }
}

// req: H-26
#[test]
fn the_deadlines_of_a_long_lived_connection_do_not_pile_up() {
    let addresses = [([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 2).into()];
    let mut endpoints = [1, 2].map(|seed| Endpoint::new(Arc::default(), Box::new(Fixed(seed))));
    let mut now = Instant::from_micros(1);
    let handle = endpoints[0].connect(now, addresses[1], Arc::default()).expect("there is room");
    for _ in 0..2_000 {
        exchange(&mut endpoints, addresses, now);
        now = now.saturating_add(3_000_000);
        // A request every three seconds: the deadline moves from the keepalive to the time-out
        // of the request and back.
        let mut connection = endpoints[0].connection_mut(handle).expect("it lives");
        assert!(connection.write(now, b"request").is_ok());
    }
    for endpoint in &endpoints {
        let waiting = endpoint.deadlines.len();
        assert!(waiting < 20, "{waiting} deadlines wait for one connection");
    }
}

#[test]
fn connections_that_come_and_go_leave_nothing_in_the_queues() {
    let limits = EndpointConfig { report_at_syn: true, ..EndpointConfig::default() };
    let mut endpoint = Endpoint::new(Arc::new(limits), Box::new(Fixed(1)));
    let meta = RecvMeta { remote: ([10, 0, 0, 1], 1).into(), local_ip: None, received_at: None };
    let packet = |packet_type, id, ack_nr| {
        let mut bytes = [0; HEADER_LEN];
        Header {
            packet_type,
            connection_id: ConnectionId(id),
            timestamp_microseconds: Timestamp(1),
            timestamp_difference_microseconds: TimestampDiff(0),
            wnd_size: 0,
            seq_nr: SeqNr(5),
            ack_nr,
        }
        .encode(0, &mut bytes);
        bytes
    };
    let now = Instant::from_micros(1);
    let mut buf = Vec::new();
    for id in (0..20_000).map(|n| n * 2) {
        let syn = packet(PacketType::Syn, id, SeqNr(0));
        let Disposition::Incoming(incoming) = endpoint.handle_datagram(now, meta, &syn) else {
            panic!("a SYN is offered");
        };
        let handle = endpoint.accept(now, incoming, Arc::default()).expect("there is room");
        buf.clear();
        let sent = endpoint.poll_transmit(now, NonZeroUsize::MIN, &mut buf);
        let answer = Packet::decode(&buf[..sent.expect("a SYN-ACK").size]).expect("uTP");
        let reset = packet(PacketType::Reset, id, answer.header.seq_nr);
        assert!(matches!(endpoint.handle_datagram(now, meta, &reset), Disposition::Consumed));
        endpoint.release(now, handle);
    }
    assert_eq!(endpoint.stats().connections, 0);
    let queued =
        [endpoint.deadlines.len(), endpoint.transmit_queue.len(), endpoint.event_queue.len()];
    assert_eq!(queued, [0, 0, 0]);
}

// req: ID-05, H-07
#[test]
fn the_last_id_is_taken_when_there_is_no_other_and_then_none() {
    let mut endpoint = Endpoint::new(Arc::default(), Box::new(Fixed(1)));
    let remote = ([10, 0, 0, 1], 1).into();
    // Each id that is in use takes its neighbours. What is left are 65535, 0 and 1.
    let last = ConnectionId(u16::MAX);
    for id in (3..u16::MAX - 1).step_by(3).chain([u16::MAX - 2]) {
        endpoint.index.insert(remote, ConnectionId(id), 0);
    }
    for _ in 0..3 {
        assert_ne!(endpoint.free_id(remote), Some(last));
    }
    endpoint.index.insert(remote, ConnectionId(1), 0);
    assert_eq!(endpoint.free_id(remote), Some(last));
    endpoint.index.insert(remote, last, 0);
    assert_eq!(endpoint.free_id(remote), None);
}
