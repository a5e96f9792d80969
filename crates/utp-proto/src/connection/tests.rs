//! What cannot be seen from outside: the sizes of a connection and of its queues.

use std::num::NonZeroUsize;

use bytes::Bytes;
use utp_ledbat::FixedWindowFactory;
use utp_wire::{HEADER_LEN, Header, Packet, PacketType};

use super::*;

const PACKET: usize = 100;

/// A connected initiator whose next packet is 0, with a constant window.
fn connected() -> Connection {
    let config = Config {
        controller: Arc::new(FixedWindowFactory(1 << 20)),
        datagram_bytes_max_v4: 150,
        ..Config::default()
    };
    let remote = ([10, 0, 0, 2], 2).into();
    let now = Instant::from_micros(1);
    let mut connection =
        Connection::connect(now, remote, ConnectionId(1), SeqNr(0xffff), Arc::new(config));
    transmit(&mut connection, now);
    connection.drop_opener();
    receive(&mut connection, now, SeqNr(0xffff));
    transmit(&mut connection, now);
    connection
}

/// Numbers of the packets that are due.
fn transmit(connection: &mut Connection, now: Instant) -> Vec<SeqNr> {
    let mut numbers = Vec::new();
    let mut out = Vec::new();
    while connection.poll_transmit(now, NonZeroUsize::MIN, i32::MAX, &mut out).is_some() {
        numbers.push(Packet::decode(&out).expect("it is ours").header.seq_nr);
        out.clear();
    }
    numbers
}

/// A STATE without a mask.
fn receive(connection: &mut Connection, now: Instant, ack_nr: SeqNr) {
    let header = Header {
        packet_type: PacketType::State,
        connection_id: ConnectionId(1),
        timestamp_microseconds: now.timestamp(),
        timestamp_difference_microseconds: TimestampDiff(1),
        wnd_size: 1 << 20,
        seq_nr: SeqNr(7),
        ack_nr,
    };
    let mut bytes = [0; HEADER_LEN];
    header.encode(0, &mut bytes);
    let datagram = Bytes::copy_from_slice(&bytes);
    let packet = Packet::decode(&datagram).expect("it is well formed");
    connection.handle_packet(now, now, &packet, &datagram);
}

#[test]
fn resends_are_forgotten_when_they_are_acked() {
    // A peer without selective acks, on a path that loses now and then; something is always
    // outstanding.
    let mut connection = connected();
    let mut now = Instant::from_micros(2);
    for _ in 0..10_000 {
        now = now.saturating_add(1_000);
        assert_eq!(connection.write(now, &[0; 20 * PACKET]), Ok(20 * PACKET));
        let numbers = transmit(&mut connection, now);
        let first = connection.sent.first();
        for _ in 0..3 {
            now = now.saturating_add(1);
            receive(&mut connection, now, first.previous());
        }
        assert_eq!(transmit(&mut connection, now), [first]);
        let last = *numbers.last().expect("it writes");
        receive(&mut connection, now, last.previous());
    }
    assert_eq!(connection.stats.retransmissions, 10_000);
    assert!(
        connection.recovery.resends.len() <= 20,
        "{} are remembered",
        connection.recovery.resends.len()
    );
}

// req: H-37
#[test]
fn a_connection_stays_small() {
    // Beside it an idle connection has its controller on the heap.
    assert!(size_of::<Connection>() <= 528, "{}", size_of::<Connection>());
}

#[test]
fn a_peer_that_is_asked_and_does_not_answer_is_given_up_soon() {
    let mut connection = connected();
    let mut now = Instant::from_micros(2);
    connection.probe_liveness(now, 1_000_000);
    let mut sent_at = Vec::new();
    while connection.state() == State::Connected {
        if transmit(&mut connection, now) == [SeqNr(0xffff)] {
            sent_at.push(now.as_micros());
        }
        // Asking again changes nothing.
        connection.probe_liveness(now, 1);
        now = connection.deadline().expect("it will give up");
        connection.handle_timeout(now);
    }
    assert_eq!(sent_at, [2, 1_000_002, 2_500_002]);
    assert_eq!((connection.error, now.as_micros()), (Some(ConnectionError::Idle), 4_500_002));

    let mut connection = connected();
    connection.probe_liveness(now, 1_000_000);
    transmit(&mut connection, now);
    receive(&mut connection, now, SeqNr(0xffff));
    connection.handle_timeout(now.saturating_add(10_000_000));
    assert_eq!(transmit(&mut connection, now), [], "it has answered");
}
