//! Lost packets: found by acks or by time, resent, and how often.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::{ConnectionError, Event};
use utp_wire::PacketType;
use wire::{FULL, MS, Raw, SECOND, Wire, plain};

/// Numbers of the DATA and FIN packets sent since the last look.
fn numbers(wire: &mut Wire) -> Vec<u16> {
    let us = wire.us;
    wire.take()
        .iter()
        .filter(|sent| !sent.is(PacketType::State))
        .map(|sent| sent.header.seq_nr.0.wrapping_sub(us))
        .collect()
}

// req: SQ-08
#[test]
fn three_repeated_states_resend_the_first_packet_once() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 6);
        wire.take();
        wire.advance(20 * MS);
        wire.recv(wire.state(0, -1));
        wire.recv(wire.state(0, -1));
        wire.expect(&[]);
        wire.recv(wire.state(0, -1));
        wire.expect(&["DATA 0 ack -1 len 1382"]);
        for _ in 0..10 {
            wire.recv(wire.state(0, -1));
        }
        wire.expect(&[]);
        assert_eq!(wire.stats().losses_detected, 1);
        wire.recv(wire.state(0, 5));
        assert_eq!(wire.stats().in_flight_bytes, 0);
    });
}

// req: SQ-10
#[test]
fn a_resend_has_the_same_bytes_with_a_fresh_ack_and_stamp() {
    let mut wire = Wire::plain();
    let bytes: Vec<u8> = (0..FULL * 4).map(|at| (at * 13).to_le_bytes()[0]).collect();
    wire.write_bytes(&bytes);
    let first = wire.take();
    wire.advance(20 * MS);
    wire.recv(wire.data(0, -1, b"fresh"));
    wire.take();
    for _ in 0..3 {
        wire.recv(wire.state(1, -1));
    }
    let resent = wire.take().pop().unwrap();
    assert_eq!(resent.payload, first[0].payload);
    assert_eq!(resent.header.seq_nr, first[0].header.seq_nr);
    assert_eq!(resent.header.ack_nr.0, first[0].header.ack_nr.0 + 1);
    let later = resent.header.timestamp_microseconds.since(first[0].header.timestamp_microseconds);
    assert_eq!(later.0, 20_000);
}

// req: SQ-09
#[test]
fn data_and_keepalives_never_count_as_repeated_acks() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 6);
        wire.take();
        wire.advance(20 * MS);
        for seq in 0..10 {
            wire.recv(wire.data(seq, -1, b"d"));
            wire.recv(wire.state(seq + 1, -2));
        }
        wire.recv(wire.state(10, -1));
        wire.recv(wire.state(10, -1));
        assert_eq!(numbers(&mut wire), []);
        assert_eq!(wire.stats().losses_detected, 0);
    });
}

// req: U-34
#[test]
fn repeated_states_with_an_empty_mask_count() {
    // libutp sends them while all that it holds lies beyond the packets it can name.
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 60);
        wire.take();
        wire.advance(20 * MS);
        wire.recv(wire.state(0, -1).sack(&[0; 4]));
        wire.recv(wire.state(0, -1).sack(&[0; 4]));
        assert_eq!(numbers(&mut wire), []);
        wire.recv(wire.state(0, -1).sack(&[0; 4]));
        assert_eq!(numbers(&mut wire), [0]);
    });
}

#[test]
fn window_updates_never_count_as_repeated_acks() {
    let mut wire = Wire::plain();
    wire.recv(wire.state(0, -1).wnd(10_000));
    wire.write(FULL * 6);
    wire.take();
    wire.advance(20 * MS);
    for window in [20_000, 30_000, 40_000, 50_000, 60_000] {
        wire.recv(wire.state(0, -1).wnd(window));
    }
    wire.expect(&[]);
    for _ in 0..3 {
        wire.recv(wire.state(0, -1).wnd(60_000));
    }
    assert_eq!(numbers(&mut wire), [0]);
}

#[test]
fn repeated_states_with_nothing_outstanding_mean_nothing() {
    let mut wire = Wire::plain();
    for _ in 0..10 {
        wire.recv(wire.state(0, -1));
    }
    wire.write(1);
    wire.recv(wire.state(0, -1));
    wire.recv(wire.state(0, -1));
    wire.expect(&["DATA 0 ack -1 len 1"]);
}

// req: F-03
#[test]
fn copies_of_one_ack_are_no_second_ack() {
    let mut wire = Wire::plain();
    wire.write(FULL * 8);
    wire.take();
    wire.advance(20 * MS);
    let ack = wire.state(0, 3).encode(wire.now);
    for _ in 0..16 {
        wire.feed_bytes(wire.peer, ack.clone());
    }
    wire.drain();
    assert_eq!(numbers(&mut wire), []);
    assert_eq!(wire.stats().losses_detected, 0);
}

// req: SK-05
#[test]
fn three_packets_beyond_a_hole_prove_it_lost() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 6);
        wire.take();
        wire.advance(20 * MS);
        wire.recv(wire.state(0, -1).sack(&[0b001, 0, 0, 0]));
        wire.recv(wire.state(0, -1).sack(&[0b011, 0, 0, 0]));
        wire.expect(&[]);
        wire.recv(wire.state(0, -1).sack(&[0b111, 0, 0, 0]));
        wire.expect(&["DATA 0 ack -1 len 1382"]);
    });
}

// req: SK-04
#[test]
fn every_hole_below_the_highest_named_packet_is_resent_once_and_nothing_else() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 20);
        wire.take();
        wire.advance(20 * MS);
        // Held: 2 4 6 8 9 10 11, so that 0 1 3 5 7 are missing and 12 to 19 unknown.
        wire.recv(wire.state(0, -1).sack(&[0b1010_1010, 0b111, 0, 0]));
        assert_eq!(numbers(&mut wire), [0, 1, 3, 5, 7]);
        wire.recv(wire.state(0, -1).sack(&[0b1010_1010, 0b1111, 0, 0]));
        wire.recv(wire.state(0, -1).sack(&[0b1010_1010, 0b1_1111, 0, 0]));
        assert_eq!(numbers(&mut wire), []);
        wire.recv(wire.state(0, 19));
        assert_eq!(wire.stats().in_flight_bytes, 0);
        assert_eq!(wire.stats().retransmissions, 5);
    });
}

#[test]
fn a_lost_resend_is_found_by_what_was_sent_after_it() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 8);
        wire.advance(20 * MS);
        wire.recv(wire.state(0, -1).sack(&[0b1111, 0, 0, 0]));
        assert_eq!(numbers(&mut wire)[8..], [0]);
        wire.write(FULL * 4);
        assert_eq!(numbers(&mut wire), [8, 9, 10, 11]);
        wire.advance(20 * MS);
        // 8 and 9 were sent after the resend of 0; 10 makes three.
        wire.recv(wire.state(0, -1).sack(&[0xff, 0b1, 0, 0]));
        assert_eq!(numbers(&mut wire), []);
        wire.recv(wire.state(0, -1).sack(&[0xff, 0b11, 0, 0]));
        assert_eq!(numbers(&mut wire), [0]);
    });
}

#[test]
fn silence_beyond_the_last_bit_of_a_short_mask_proves_nothing() {
    // libutp names 30 packets at the most, whatever it holds.
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 60);
        wire.take();
        wire.advance(20 * MS);
        // Missing: 0 and 40. Held: all else, of which the mask names 1 to 30.
        wire.recv(wire.state(0, -1).sack(&[0xff, 0xff, 0xff, 0x3f]));
        assert_eq!(numbers(&mut wire), [0]);
        wire.advance(20 * MS);
        // The resend arrives and with it everything up to 39 is acked, without a mask at first.
        wire.recv(wire.state(0, 39));
        assert_eq!(numbers(&mut wire), []);
        wire.recv(wire.state(0, 39).sack(&[0xff, 0xff, 0x03, 0]));
        assert_eq!(numbers(&mut wire), [40]);
        assert_eq!(wire.stats().retransmissions, 2);
    });
}

#[test]
fn an_acked_resend_does_not_condemn_packets_beyond_the_mask() {
    let mut wire = Wire::plain();
    wire.write(FULL * 60);
    wire.take();
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -1).sack(&[0xff, 0xff, 0xff, 0x3f]));
    assert_eq!(numbers(&mut wire), [0]);
    wire.advance(20 * MS);
    // The resend and 1 to 30 are acked; 31 to 59 are still on their way, none of them lost.
    wire.recv(wire.state(0, 30));
    wire.recv(wire.state(0, 31));
    wire.recv(wire.state(0, 31));
    assert_eq!(numbers(&mut wire), []);
    wire.recv(wire.state(0, 59));
    assert_eq!(wire.stats().retransmissions, 1);
}

#[test]
fn a_mark_left_by_an_old_mask_does_not_come_back_after_half_the_circle() {
    let mut config = plain();
    config.datagram_bytes_max_v4 = 150;
    let mut wire = Wire::with(config);
    wire.write(130 * 5);
    wire.recv(wire.state(0, -1).sack(&[0b111]));
    // 33 000 packets without a loss: what was named then is now ahead again.
    let mut sent = 5;
    for _ in 0..1_650 {
        wire.recv(Raw { ack_nr: wire.us.wrapping_add(sent - 1), ..wire.state(0, 0) });
        wire.write(130 * 20);
        sent += 20;
        wire.advance(MS);
    }
    wire.us = wire.us.wrapping_add(sent);
    wire.recv(wire.state(0, -1));
    assert_eq!(wire.stats().send_buffered_bytes, 0);
    wire.write(130 * 60);
    wire.take();
    wire.advance(5 * MS);
    wire.recv(wire.state(0, -1).sack(&[0xff, 0xff, 0xff, 0x3f]));
    assert_eq!(numbers(&mut wire), [0]);
    wire.advance(5 * MS);
    wire.recv(wire.state(0, 30));
    wire.recv(wire.state(0, 31));
    assert_eq!(numbers(&mut wire), []);
}

#[test]
fn an_ack_that_moves_on_and_names_three_beyond_a_hole_proves_it_lost_at_once() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 8);
        wire.take();
        wire.advance(20 * MS);
        wire.recv(wire.state(0, 3).sack(&[0b111, 0, 0, 0]));
        assert_eq!(numbers(&mut wire), [4]);
    });
}

#[test]
fn a_resend_at_the_front_does_not_hide_the_hole_behind_it() {
    let mut wire = Wire::plain();
    wire.write(FULL * 10);
    wire.take();
    wire.advance(20 * MS);
    for _ in 0..3 {
        wire.recv(wire.state(0, -1));
    }
    assert_eq!(numbers(&mut wire), [0]);
    wire.recv(wire.state(0, -1).sack(&[0b11110, 0, 0, 0]));
    assert_eq!(numbers(&mut wire), [1]);
}

#[test]
fn resends_after_a_time_out_are_not_condemned_beyond_the_mask() {
    let mut wire = Wire::plain();
    wire.write(FULL * 60);
    wire.advance(600 * MS);
    wire.take();
    wire.advance(30 * MS);
    wire.recv(wire.state(0, 0));
    assert_eq!(numbers(&mut wire), (1..60).collect::<Vec<_>>());
    wire.advance(30 * MS);
    wire.recv(wire.state(0, 0).sack(&[0b111, 0, 0, 0]));
    assert_eq!(numbers(&mut wire), [1]);
    wire.advance(30 * MS);
    wire.recv(wire.state(0, 4));
    wire.recv(wire.state(0, 4).sack(&[0b10, 0, 0, 0]));
    // 5 and 6 are missing before 7; of 8 and what follows nothing is known yet.
    assert_eq!(numbers(&mut wire), [5, 6]);
    // Nor are they forgotten: 8, 9 and 10 turn out to be missing.
    wire.recv(wire.state(0, 4).sack(&[0b1110_0010, 0, 0, 0]));
    assert_eq!(numbers(&mut wire), [8, 9, 10]);
}

// req: SK-04
#[test]
fn a_selectively_acked_packet_is_not_resent_by_the_time_out() {
    let mut wire = Wire::plain();
    wire.write(FULL * 4);
    wire.take();
    wire.recv(wire.state(0, -1).sack(&[0b10, 0, 0, 0]));
    wire.advance(600 * MS);
    // 0 and 1 when they are overdue, since 2 has arrived; 3 as a probe; then the time-out.
    assert_eq!(numbers(&mut wire), [0, 1, 3, 0]);
    wire.recv(wire.state(0, 0).sack(&[0b1, 0, 0, 0]));
    assert_eq!(numbers(&mut wire), [1, 3], "all but 2");
}

// req: SK-10, H-18
#[test]
fn a_peer_that_drops_what_it_named_gets_it_again() {
    let mut wire = Wire::plain();
    wire.write(FULL * 4);
    wire.recv(wire.state(0, -1).sack(&[0b111, 0, 0, 0]));
    wire.recv(wire.state(0, 0));
    wire.take();
    // 1 to 3 were named, and are asked for nevertheless.
    wire.advance(SECOND);
    assert_eq!(numbers(&mut wire), [1]);
    wire.recv(wire.state(0, 1));
    assert_eq!(numbers(&mut wire), [2, 3]);
    wire.recv(wire.state(0, 3));
    assert_eq!(wire.stats().send_buffered_bytes, 0);
    assert_eq!(wire.stats().in_flight_bytes, 0);
}

// req: SK-10, H-18
#[test]
fn a_peer_that_drops_what_it_names_again_and_again_is_given_up() {
    let mut wire = Wire::plain();
    wire.write(FULL * 2);
    wire.recv(wire.state(0, -1).sack(&[0b1, 0, 0, 0]));
    wire.recv(wire.state(0, 0));
    for _ in 0..60 {
        wire.advance(SECOND);
        wire.recv(wire.state(0, -1).sack(&[0b1, 0, 0, 0]));
    }
    assert_eq!(wire.take_events().last(), Some(&Event::Closed(ConnectionError::TimedOut)));
}

// req: SK-07, SK-08
#[test]
fn masks_of_any_length_are_understood() {
    for len in [1, 2, 3, 5, 7, 64, 255] {
        Wire::everywhere(plain, |mut wire| {
            wire.write(FULL * 6);
            wire.take();
            wire.advance(20 * MS);
            let mut mask = vec![0; len];
            mask[0] = 0b111;
            wire.recv(wire.state(0, -1).sack(&mask));
            assert_eq!(numbers(&mut wire), [0], "length {len}");
        });
    }
}

// req: SK-06, SK-08, SK-09, SK-13
#[test]
fn hostile_masks_change_nothing_beyond_what_is_outstanding() {
    Wire::everywhere(plain, |mut wire| {
        // Bits for packets that were never sent, with nothing and with little outstanding.
        wire.recv(wire.state(0, -1).sack(&[0xff; 255]));
        wire.recv(wire.state(0, -1).sack(&[]));
        wire.write(FULL * 4);
        wire.take();
        wire.recv(wire.state(0, -1).sack(&[]));
        wire.recv(wire.state(0, -1).sack(&[0; 255]));
        // Stale acks with masks: their bits name what they name.
        wire.recv(wire.state(0, -4).sack(&[0xff; 255]));
        wire.recv(wire.state(0, -3).sack(&[0xff; 255]).sack(&[0x01; 255]));
        wire.recv(wire.data(0, -1, b"d").sack(&[0xff; 255]));
        assert!(wire.stats().in_flight_bytes <= 4 * FULL as u64);
        wire.recv(wire.state(1, 3).sack(&[0xff; 255]));
        assert_eq!(wire.stats().in_flight_bytes, 0);
        assert_eq!(wire.stats().send_buffered_bytes, 0);
        wire.write(1);
        assert_eq!(wire.take().pop().unwrap().payload.len(), 1);
    });
}

// req: SK-11
#[test]
fn a_selective_ack_with_a_stale_ack_resends_nothing_that_is_acked() {
    let mut wire = Wire::plain();
    wire.write(FULL * 20);
    wire.recv(wire.state(0, 9));
    wire.take();
    wire.advance(20 * MS);
    // Sent before the last one: 8 and 9 had not arrived by then.
    wire.recv(wire.state(0, 7).sack(&[0b0011_1110, 0, 0, 0]));
    assert!(numbers(&mut wire).iter().all(|number| *number > 9));
}
