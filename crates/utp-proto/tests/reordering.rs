//! Packets that overtake each other: what is taken for lost then, and when.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_wire::PacketType;
use wire::{FULL, MS, Wire};

/// Numbers of the DATA packets sent since the last look.
fn numbers(wire: &mut Wire) -> Vec<u16> {
    let us = wire.us;
    let mut sent = wire.take();
    sent.retain(|sent| sent.is(PacketType::Data));
    sent.iter().map(|sent| sent.header.seq_nr.0.wrapping_sub(us)).collect()
}

/// Eight packets, 20 ms ago, on a path with a round trip of 20 ms.
fn eight_sent() -> Wire {
    let mut wire = Wire::plain();
    wire.write(FULL * 8);
    wire.take();
    wire.advance(20 * MS);
    wire
}

#[test]
fn fewer_than_three_later_packets_prove_a_loss_after_a_quarter_of_a_round_trip() {
    let mut wire = eight_sent();
    wire.recv(wire.state(0, -1).sack(&[0b1, 0, 0, 0]));
    wire.advance(4_999);
    assert_eq!(numbers(&mut wire), []);
    wire.advance(1);
    assert_eq!(numbers(&mut wire), [0]);
    wire.recv(wire.state(0, 1));
    wire.advance(400 * MS);
    assert_eq!(numbers(&mut wire), [7], "what follows is probed");
}

#[test]
fn a_packet_that_comes_in_time_is_not_resent() {
    let mut wire = eight_sent();
    wire.recv(wire.state(0, -1).sack(&[0b1, 0, 0, 0]));
    wire.advance(4 * MS);
    wire.recv(wire.state(0, 1));
    wire.advance(5 * MS);
    assert_eq!(numbers(&mut wire), []);
}

#[test]
fn once_a_path_is_seen_to_reorder_three_later_packets_prove_nothing() {
    let mut wire = eight_sent();
    wire.recv(wire.state(0, -1).sack(&[0b1, 0, 0, 0]));
    wire.recv(wire.state(0, 1));
    wire.recv(wire.state(0, 1).sack(&[0b111, 0, 0, 0]));
    assert_eq!(numbers(&mut wire), []);
    wire.advance(5 * MS);
    assert_eq!(numbers(&mut wire), [2]);
}

#[test]
fn packets_acked_together_with_a_resend_were_not_overtaken_by_it() {
    // A libutp names 30 packets of the 59 that it holds. The resend fills the hole, and its ack is
    // the first to speak of the others.
    let mut wire = Wire::plain();
    wire.write(FULL * 60);
    wire.take();
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -1).sack(&[0xff, 0xff, 0xff, 0x3f]));
    assert_eq!(numbers(&mut wire), [0]);
    wire.advance(20 * MS);
    wire.recv(wire.state(0, 59));
    // The path has kept its order: three later packets are proof still.
    wire.write(FULL * 8);
    wire.take();
    wire.advance(20 * MS);
    wire.recv(wire.state(0, 59).sack(&[0b111, 0, 0, 0]));
    assert_eq!(numbers(&mut wire), [60]);
}

#[test]
fn acks_that_come_after_the_time_out_are_no_reordering() {
    let mut wire = Wire::plain();
    wire.write(FULL * 8);
    wire.advance(510 * MS);
    wire.take();
    wire.recv(wire.state(0, 7));
    wire.write(FULL * 8);
    wire.take();
    wire.advance(20 * MS);
    wire.recv(wire.state(0, 7).sack(&[0b111, 0, 0, 0]));
    assert_eq!(numbers(&mut wire), [8], "three later packets are proof still");
}

#[test]
fn whatever_is_due_first_is_found_first() {
    let mut wire = Wire::plain();
    wire.write(FULL * 4);
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -1).sack(&[0b111, 0, 0, 0]));
    assert_eq!(numbers(&mut wire), [0, 1, 2, 3, 0]);
    wire.advance(2 * MS);
    wire.write(FULL * 2);
    assert_eq!(numbers(&mut wire), [4, 5]);
    wire.advance(20 * MS);
    // 5 is there; 4 and the resend of 0, two milliseconds older, are not.
    wire.recv(wire.state(0, -1).sack(&[0b10111, 0, 0, 0]));
    wire.advance(2_999);
    assert_eq!(numbers(&mut wire), []);
    wire.advance(1);
    assert_eq!(numbers(&mut wire), [0]);
    wire.advance(2 * MS);
    assert_eq!(numbers(&mut wire), [4]);
}

#[test]
fn a_needless_resend_makes_the_next_wait_longer() {
    let mut wire = eight_sent();
    wire.recv(wire.state(0, -1).sack(&[0b1, 0, 0, 0]));
    wire.advance(5 * MS);
    assert_eq!(numbers(&mut wire), [0]);
    // The first copy arrives a millisecond later.
    wire.advance(MS);
    wire.recv(wire.state(0, 7));
    wire.write(FULL * 8);
    wire.take();
    wire.advance(20 * MS);
    wire.recv(wire.state(0, 7).sack(&[0b1, 0, 0, 0]));
    wire.advance(9_999);
    assert_eq!(numbers(&mut wire), [], "half a round trip now");
    wire.advance(1);
    assert_eq!(numbers(&mut wire), [8]);
}

#[test]
fn an_ack_sooner_than_any_round_trip_is_not_that_of_the_resend() {
    let mut wire = Wire::plain();
    wire.write(FULL * 8);
    wire.take();
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -1).sack(&[0b111, 0, 0, 0]));
    assert_eq!(numbers(&mut wire), [0]);
    // The first copy was late, not lost, and its ack says nothing about 4, sent before the resend.
    wire.advance(MS);
    wire.recv(wire.state(0, 3).sack(&[0b1, 0, 0, 0]));
    assert_eq!(numbers(&mut wire), []);
    // On a path that reorders only time tells: a round trip of 21 ms and half a round trip more.
    wire.recv(wire.state(0, 3).sack(&[0b111, 0, 0, 0]));
    wire.advance(9_999);
    assert_eq!(numbers(&mut wire), []);
    wire.advance(1);
    assert_eq!(numbers(&mut wire), [4]);
}
