//! Packets of every size, taken and sent, and probes number by number.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use std::sync::Arc;

use utp_ledbat::FixedWindowFactory;
use utp_proto::{Config, Event, IcmpError};
use utp_wire::{EXTENSION_BITS, PacketType};
use wire::{MS, Role, SECOND, Sent, Wire, fixed_size, plain};

/// Searches the path MTU, with a window that limits nothing.
fn searching() -> Config {
    let mut config = Config::default();
    config.controller = Arc::new(FixedWindowFactory(1 << 20));
    config
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + len).to_le_bytes()[0]).collect()
}

// req: SQ-14
#[test]
fn payloads_of_every_size_are_taken() {
    let mut wire = Wire::plain();
    let mut expected = Vec::new();
    let mut read = Vec::new();
    for len in 1..=1_452 {
        let payload = bytes(len);
        wire.recv(wire.data(i32::try_from(len).unwrap() - 1, -1, &payload));
        expected.extend_from_slice(&payload);
        read.extend(wire.read());
    }
    assert!(read == expected);
}

// req: SQ-14
#[test]
fn payloads_of_every_size_are_sent() {
    let mut config = fixed_size(1_472);
    config.controller = Arc::new(FixedWindowFactory(1 << 20));
    let mut wire = Wire::with(config);
    for len in 1..=1_452 {
        let payload = bytes(len);
        wire.write_bytes(&payload);
        let sent = wire.take();
        assert_eq!(sent.len(), 1, "{len} bytes");
        assert!(sent[0].payload == payload && sent[0].len == len + 20);
        wire.advance(20 * MS);
        wire.recv(wire.state(0, i32::try_from(len).unwrap() - 1));
    }
}

// req: SQ-15, MT-09
#[test]
fn the_largest_datagrams_are_taken_whole() {
    for size in [1_473, 1_500, 8_972, 9_000, 65_506, 65_507] {
        let mut wire = Wire::plain();
        let payload = bytes(size - 20);
        wire.recv(wire.data(0, -1, &payload));
        wire.expect(&["STATE 0 ack 0"]);
        assert!(wire.read() == payload, "{size} bytes");
        // Early ones are held, as far as there is memory.
        wire.recv(wire.data(2, -1, &payload));
        wire.recv(wire.data(1, -1, b"x"));
        let read = wire.read();
        assert!(read.len() == payload.len() + 1 && read[1..] == payload[..]);
    }
}

fn unreachable(wire: &mut Wire, quoted: &[u8]) {
    wire.icmp(quoted);
}

// req: MT-10
#[test]
fn an_established_connection_outlives_messages_that_its_peer_is_unreachable() {
    for role in [Role::Initiator, Role::Acceptor] {
        let mut wire = Wire::established(role, plain(), 100, 200);
        wire.take_events();
        let before = wire.stats().bytes_acked;
        for round in 0..100 {
            wire.write(100);
            let quoted = wire.state(round, round).encode(wire.now);
            unreachable(&mut wire, &quoted);
            unreachable(&mut wire, &quoted[..20]);
            unreachable(&mut wire, &[]);
            wire.advance(100 * MS);
            wire.recv(wire.state(0, round));
        }
        assert_eq!(wire.stats().bytes_acked - before, 10_000);
        assert!(!wire.events.iter().any(|event| matches!(event, Event::Closed(_))));
    }
}

/// The padded packets among those sent.
fn probes(sent: &[Sent]) -> Vec<&Sent> {
    let is_probe = |sent: &&Sent| sent.is(PacketType::Data) && sent.len > 20 + sent.payload.len();
    sent.iter().filter(is_probe).collect()
}

// req: WR-08
#[test]
fn a_probe_may_have_any_number() {
    for us in [0, 1, 0xffff] {
        let mut wire = Wire::established(Role::Initiator, searching(), us, 200);
        wire.write(100_000);
        let sent = wire.take();
        let [probe] = probes(&sent)[..] else { panic!("one probe") };
        assert_eq!((probe.header.seq_nr.0, probe.len), (us, 1_472));
        wire.advance(20 * MS);
        wire.recv(wire.state(0, 0));
        assert_eq!(wire.stats().datagram_bytes, 1_472, "number {us}");
    }
}

#[test]
fn a_selective_ack_proves_a_size_and_an_ack_of_a_resend_does_not() {
    let mut wire = Wire::established(Role::Initiator, searching(), 100, 200);
    wire.write(5_000);
    wire.take();
    wire.advance(20 * MS);
    // Numbers 2, 3 and 4 have arrived, 0 (the probe) and 1 not.
    wire.recv(wire.state(0, -1).sack(&[0b1110, 0, 0, 0]));
    let sent = wire.take();
    assert_eq!(sent[0].brief(100, 200), "DATA 0 ack -1 len 1212");
    assert_eq!((sent[0].len, sent[0].header.seq_nr.0), (1_232, 100), "without its padding");
    wire.advance(20 * MS);
    wire.recv(wire.state(0, 4));
    assert_eq!(wire.stats().datagram_bytes, 1_232);
    assert_eq!(wire.stats().mtu_probes_lost, 1);
    wire.advance(SECOND);
    wire.write(100);
    wire.write(100_000);
    let sent = wire.take();
    let [probe] = probes(&sent)[..] else { panic!("the next probe") };
    assert_eq!(probe.header.seq_nr.0, 106);
    wire.advance(20 * MS);
    // Number 5 is missing, and of what came after it only the probe is named.
    wire.recv(wire.state(0, 4).sack(&[0b1, 0, 0, 0]));
    assert_eq!(wire.stats().datagram_bytes, 1_472);
}

#[test]
fn what_every_peer_knows_is_the_first_extension_of_a_probe() {
    let mut wire = Wire::established(Role::Initiator, searching(), 100, 200);
    let now = wire.now;
    wire.connection_mut().write(now, &[1; 100_000]).unwrap();
    let mut buf = Vec::new();
    let one = std::num::NonZeroUsize::MIN;
    let transmit = wire.endpoint.poll_transmit(now, one, &mut buf).unwrap();
    assert_eq!((transmit.size, transmit.segment_size, transmit.dont_fragment), (1_472, None, true));
    assert_eq!(buf[1], EXTENSION_BITS);
    assert_eq!(buf[21..30], [8, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_router_that_refuses_the_probe_lets_its_number_go_again_at_once() {
    let mut wire = Wire::established(Role::Initiator, searching(), 100, 200);
    wire.write(100_000);
    let sent = wire.take();
    assert_eq!(probes(&sent).len(), 1);
    let mut quoted = wire.data(0, -1, b"").encode(wire.now);
    quoted[2..4].copy_from_slice(&wire.id_out.to_be_bytes());
    quoted[16..18].copy_from_slice(&100_u16.to_be_bytes());
    let error = IcmpError::MessageTooLarge { mtu: Some(1_428) };
    wire.endpoint.handle_icmp(wire.now, wire.peer, error, &quoted);
    wire.drain();
    let sent = wire.take();
    assert_eq!(sent[0].brief(100, 200), "DATA 0 ack -1 len 1212");
    assert_eq!(sent[0].len, 1_232);
    assert_eq!(wire.stats().mtu_probes_lost, 1);
}
