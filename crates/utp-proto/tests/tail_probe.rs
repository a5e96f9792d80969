//! Probes for the loss of the last packets: when, with what, and what their answer means.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::Config;
use utp_wire::PacketType;
use wire::{FULL, MS, SECOND, Wire, plain, with_window};

/// Numbers of the DATA and FIN packets sent since the last look.
fn numbers(wire: &mut Wire) -> Vec<u16> {
    let us = wire.us;
    let mut sent = wire.take();
    sent.retain(|sent| !sent.is(PacketType::State));
    sent.iter().map(|sent| sent.header.seq_nr.0.wrapping_sub(us)).collect()
}

/// A connection whose round trip of 20 ms does not vary: it probes after 40 ms.
fn steady(config: Config) -> Wire {
    let mut wire = Wire::with(config);
    for _ in 0..30 {
        wire.write(FULL);
        wire.advance(20 * MS);
        wire.recv(wire.state(0, 0));
        wire.us = wire.us.wrapping_add(1);
    }
    wire.take();
    wire
}

#[test]
fn the_last_packet_is_repeated_after_two_round_trips_without_an_ack() {
    let mut wire = steady(plain());
    wire.write(FULL * 4);
    wire.take();
    wire.advance(40 * MS - 1);
    assert_eq!(numbers(&mut wire), []);
    wire.advance(1);
    assert_eq!(numbers(&mut wire), [3]);
    assert_eq!(wire.stats().tail_probes, 1);
    // Its ack tells of the others at once.
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -1).sack(&[0b100, 0, 0, 0]));
    wire.advance(5 * MS);
    assert_eq!(numbers(&mut wire), [0, 1, 2]);
    assert_eq!(wire.stats().timeouts, 0);
}

#[test]
fn the_ack_of_a_single_packet_may_be_held_back_for_25_ms() {
    let mut wire = steady(plain());
    wire.write(FULL);
    wire.take();
    wire.advance(65 * MS - 1);
    assert_eq!(numbers(&mut wire), []);
    wire.advance(1);
    assert_eq!(numbers(&mut wire), [0]);
}

#[test]
fn there_is_one_probe_per_flight_and_the_time_out_counts_from_it() {
    let mut wire = steady(plain());
    wire.write(FULL * 2);
    wire.take();
    wire.advance(539 * MS);
    assert_eq!(numbers(&mut wire), [1]);
    wire.advance(MS);
    assert_eq!(numbers(&mut wire), [0], "the time-out, 500 ms after the probe");
    wire.advance(900 * MS);
    assert_eq!(numbers(&mut wire), [], "one packet until an ack comes");
}

#[test]
fn a_probe_is_a_new_packet_if_there_is_one_and_the_peer_has_room() {
    // The congestion window takes two packets; a probe may be one beyond.
    let mut wire = steady(with_window(2 * FULL as u64));
    wire.write(FULL * 4);
    assert_eq!(numbers(&mut wire), [0, 1]);
    wire.advance(40 * MS);
    assert_eq!(numbers(&mut wire), [2]);
    wire.recv(wire.state(0, -1).sack(&[0b10, 0, 0, 0]));
    wire.advance(10 * MS);
    assert_eq!(numbers(&mut wire), [0, 1], "the new packet has overtaken them");

    let mut wire = steady(plain());
    wire.recv(wire.state(0, -1).wnd(2_900));
    wire.write(FULL * 4);
    assert_eq!(numbers(&mut wire), [0, 1]);
    wire.advance(40 * MS);
    assert_eq!(numbers(&mut wire), [1], "the window of the peer is full");
    assert!(wire.stats().in_flight_bytes <= 2 * FULL as u64);
}

#[test]
fn an_idle_connection_and_a_shut_window_are_not_probed() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 2);
        wire.recv(wire.state(0, 1));
        wire.take();
        wire.advance(20 * SECOND);
        assert_eq!(numbers(&mut wire), []);
        assert_eq!(wire.stats().tail_probes, 0);
    });
    let mut wire = steady(plain());
    wire.recv(wire.state(0, -1).wnd(0));
    wire.write(FULL);
    wire.advance(1_400 * MS);
    assert_eq!(numbers(&mut wire), [0], "a probe of the window");
    assert_eq!((wire.stats().window_probes, wire.stats().tail_probes), (1, 0));
}

#[test]
fn any_ack_of_something_new_allows_the_next_probe() {
    let mut wire = steady(plain());
    wire.write(FULL * 4);
    wire.take();
    wire.advance(40 * MS);
    assert_eq!(numbers(&mut wire), [3]);
    wire.recv(wire.state(0, 0));
    wire.advance(60 * MS);
    assert_eq!(numbers(&mut wire), [3]);
    assert_eq!(wire.stats().tail_probes, 2);
}

#[test]
fn a_fin_is_probed_too() {
    let mut wire = steady(plain());
    wire.finish();
    wire.expect(&["FIN 0 ack -1"]);
    wire.advance(65 * MS);
    wire.expect(&["FIN 0 ack -1"]);
}
