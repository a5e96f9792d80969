//! What the endpoint acknowledges, and what it makes of acknowledgements.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::{Event, State};
use utp_wire::{PacketType, Timestamp};
use wire::{FULL, MS, Role, SECOND, Wire, plain};

// req: SQ-01, SQ-11, R-21
#[test]
fn in_order_packets_are_acked_as_they_come_and_once_per_batch() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.data(0, -1, b"a"));
        wire.expect(&["STATE 0 ack 0"]);
        for seq in 1..10 {
            wire.feed(wire.data(seq, -1, b"b"));
        }
        wire.drain();
        wire.expect(&["STATE 0 ack 9"]);
        assert_eq!(wire.read(), b"abbbbbbbbb");
    });
}

#[test]
fn data_carries_the_ack_in_place_of_a_state() {
    let mut wire = Wire::plain();
    wire.feed(wire.data(0, -1, b"ask"));
    wire.write(5);
    wire.expect(&["DATA 0 ack 0 len 5"]);
}

// req: U-15
#[test]
fn a_resend_does_not_stand_in_for_an_ack() {
    // libutp reads no ack from a packet that it has already.
    let mut wire = Wire::plain();
    wire.segments_max = 10;
    wire.write(FULL * 4);
    wire.take();
    wire.advance(20 * MS);
    wire.feed(wire.data(0, -1, b"d"));
    for _ in 0..3 {
        wire.feed(wire.state(1, -1));
    }
    wire.drain();
    wire.expect(&["DATA 0 ack 0 len 1382", "STATE 4 ack 0"]);
}

// req: SQ-02
#[test]
fn data_and_fin_use_a_number_and_state_does_not() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL);
        wire.recv(wire.data(0, -1, b"a"));
        wire.recv(wire.data(1, 0, b"b"));
        wire.write(FULL);
        wire.finish();
        wire.recv(wire.data(2, 1, b"c"));
        wire.expect(&[
            "DATA 0 ack -1 len 1382",
            "STATE 1 ack 0",
            "STATE 1 ack 1",
            "DATA 1 ack 1 len 1382",
            "FIN 2 ack 1",
            "STATE 3 ack 2",
        ]);
    });
}

// req: SQ-03, SQ-12
#[test]
fn old_data_draws_an_ack_and_is_not_delivered_again() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.data(0, -1, b"once"));
        wire.take();
        for _ in 0..3 {
            wire.recv(wire.data(0, -1, b"once"));
            wire.expect(&["STATE 0 ack 0"]);
        }
        wire.recv(wire.data(-1, -1, b""));
        wire.expect(&["STATE 0 ack 0"]);
        wire.recv(wire.data(-1_000, -1, b"older"));
        wire.expect(&["STATE 0 ack 0"]);
        assert_eq!(wire.read(), b"once");
        assert_eq!(wire.stats().duplicates_received, 5);
    });
}

// req: SQ-05
#[test]
fn far_future_data_is_dropped_and_the_stream_lives() {
    let large = || {
        let mut config = plain();
        config.receive_buffer_bytes = 2 << 20;
        config
    };
    Wire::everywhere(large, |mut wire| {
        for seq in [16_384, 16_385, 20_000, 32_767, -32_768, -20_000, -16_386] {
            wire.recv(wire.data(seq, -1, b"far"));
        }
        wire.expect(&[]);
        assert_eq!(wire.stats().packets_dropped, 7);
        wire.recv(wire.data(16_383, -1, b"held"));
        assert_eq!(wire.stats().reordered_received, 1);
        wire.recv(wire.data(0, -1, b"next"));
        assert_eq!(wire.read(), b"next");
    });
}

// req: WR-02, SQ-04
#[test]
fn out_of_order_data_waits_for_the_gap_to_fill() {
    Wire::everywhere(plain, |mut wire| {
        let mut expected = Vec::new();
        for seq in (1..40).rev() {
            wire.recv(wire.data(seq, -1, &[u8::try_from(seq).unwrap(); 600]));
            assert_eq!(wire.read(), b"");
        }
        wire.take();
        wire.recv(wire.data(0, -1, &[0; 600]));
        wire.expect(&["STATE 0 ack 39"]);
        for seq in 0..40 {
            expected.extend_from_slice(&[seq; 600]);
        }
        assert_eq!(wire.read(), expected);
        assert_eq!(wire.stats().receive_charged_bytes, 0);
    });
}

// req: SQ-16
#[test]
fn another_packet_with_a_number_that_was_delivered_is_ignored() {
    let mut wire = Wire::plain();
    wire.recv(wire.data(0, -1, b">"));
    wire.recv(wire.data(0, -1, b"?"));
    wire.recv(wire.data(1, -1, b"first"));
    wire.recv(wire.data(1, -1, b"SECOND"));
    assert_eq!(wire.read(), b">first");
    assert_eq!(wire.connection().state(), State::Connected);
}

// req: SQ-13
#[test]
fn empty_data_takes_a_number_and_brings_nothing() {
    let mut wire = Wire::plain();
    wire.recv(wire.data(0, -1, b""));
    wire.recv(wire.data(2, -1, b"b"));
    wire.recv(wire.data(1, -1, b""));
    wire.expect(&["STATE 0 ack 0", "STATE 0 ack 0 mask 01000000", "STATE 0 ack 2"]);
    assert_eq!(wire.take_events(), [Event::Readable]);
    assert_eq!(wire.read(), b"b");
}

// req: SQ-14
#[test]
fn a_payload_of_any_size_is_taken_whole() {
    let mut wire = Wire::plain();
    for (seq, len) in (1..1_453).chain([9_000, 65_487]).enumerate() {
        let payload: Vec<u8> = (0..len).map(|at: usize| (at * 7 + len).to_le_bytes()[0]).collect();
        let seq = i32::try_from(seq).unwrap();
        wire.recv(wire.data(seq, -1, &payload));
        assert_eq!(wire.read(), payload);
    }
}

// req: SK-01, SK-03, WR-03
#[test]
fn a_selective_ack_names_exactly_what_is_held() {
    let cases: [(&[i32], &str); 10] = [
        (&[1], "01000000"),
        (&[1, 2, 3, 4, 5, 6, 7, 8], "ff000000"),
        (&[1, 2, 3, 4, 5, 6, 7, 8, 9], "ff010000"),
        (&[2, 4, 8, 16, 31], "8a800040"),
        (&[32], "00000080"),
        (&[33], "0000000001000000"),
        (&[1, 64], "0100000000000080"),
        (&[500, 512], &format!("{}0880", "00".repeat(62))),
        (&[513, 2_016], &format!("{}01{}80", "00".repeat(64), "00".repeat(186))),
        (&[2_017, 3_000, 16_383], ""),
    ];
    for (held, mask) in cases {
        Wire::everywhere(plain, |mut wire| {
            for seq in held {
                wire.feed(wire.data(*seq, -1, b"h"));
            }
            wire.drain();
            let mask = if mask.is_empty() { String::new() } else { format!(" mask {mask}") };
            wire.expect(&[&format!("STATE 0 ack -1{mask}")]);
        });
    }
}

// req: SK-03
#[test]
fn runs_of_held_packets_give_runs_of_bits() {
    for count in [1usize, 8, 9, 31, 32, 33, 200, 512, 2_016] {
        Wire::everywhere(plain, |mut wire| {
            for seq in 1..=count {
                wire.feed(wire.data(i32::try_from(seq).unwrap(), -1, b"h"));
            }
            wire.drain();
            let sent = wire.take();
            assert_eq!(sent.len(), 1);
            let mask = sent[0].mask.clone().unwrap();
            assert_eq!(mask.len(), count.div_ceil(32) * 4);
            for bit in 0..mask.len() * 8 {
                assert_eq!(mask[bit / 8] >> (bit % 8) & 1 == 1, bit < count, "bit {bit}");
            }
        });
    }
}

// req: SK-02
#[test]
fn without_a_gap_there_is_no_selective_ack() {
    let mut wire = Wire::plain();
    wire.recv(wire.data(1, -1, b"b"));
    wire.recv(wire.data(0, -1, b"a"));
    wire.recv(wire.data(2, -1, b"c"));
    wire.expect(&["STATE 0 ack -1 mask 01000000", "STATE 0 ack 1", "STATE 0 ack 2"]);
}

#[test]
fn with_a_gap_an_ack_is_a_state_beside_the_data() {
    let mut wire = Wire::plain();
    wire.feed(wire.data(1, -1, b"b"));
    wire.write(4);
    wire.expect(&["STATE 0 ack -1 mask 01000000", "DATA 0 ack -1 len 4"]);
}

// req: SQ-06
#[test]
fn impossible_acks_are_ignored_with_all_they_bring() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 4);
        wire.take();
        for ack in [4, 5, 1_000, 32_000, -32_000, -5, -6] {
            wire.recv(wire.state(0, ack));
            wire.recv(wire.data(0, ack, b"with it"));
            wire.recv(wire.fin(0, ack));
        }
        wire.expect(&[]);
        assert_eq!(wire.stats().in_flight_bytes, 4 * FULL as u64);
        assert_eq!(wire.stats().packets_dropped, 21);
        wire.recv(wire.state(0, 3));
        assert_eq!(wire.stats().in_flight_bytes, 0);
        assert_eq!(wire.read(), b"");
    });
}

#[test]
fn data_with_a_slightly_stale_ack_is_taken() {
    Wire::everywhere(plain, |mut wire| {
        for (seq, ack) in [(0, -2), (1, -3), (2, -4)] {
            wire.recv(wire.data(seq, ack, b"d"));
        }
        assert_eq!(wire.read(), b"ddd");
        wire.recv(wire.data(3, -5, b"d"));
        assert_eq!(wire.read(), b"");
    });
}

// req: SQ-07
#[test]
fn a_stale_ack_frees_nothing_and_resends_nothing() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 8);
        wire.recv(wire.state(0, 4));
        wire.take();
        let before = wire.stats();
        for ack in [3, 2, 1, 3, 2, 1] {
            wire.recv(wire.state(0, ack).wnd(5));
        }
        wire.expect(&[]);
        let after = wire.stats();
        assert_eq!(after.in_flight_bytes, before.in_flight_bytes);
        assert_eq!(after.peer_window_bytes, before.peer_window_bytes);
    });
}

#[test]
fn an_ack_frees_the_send_buffer_and_wakes_the_writer() {
    let mut config = plain();
    config.send_buffer_bytes = 10_000;
    let mut wire = Wire::with(config);
    let now = wire.now;
    assert_eq!(wire.connection_mut().write(now, &[1; 20_000]), Ok(10_000));
    assert_eq!(wire.connection_mut().write(now, &[1; 1]), Err(utp_proto::WriteError::Blocked));
    wire.drain();
    assert!(wire.take_events().is_empty());
    wire.recv(wire.state(0, 2));
    assert_eq!(wire.take_events(), [Event::Writable]);
    assert_eq!(wire.connection().send_room(), 3 * FULL);
    wire.recv(wire.state(0, 4));
    assert!(wire.take_events().is_empty(), "told once, nothing was refused since");
}

#[test]
fn a_selective_ack_takes_packets_out_of_flight_and_keeps_their_bytes() {
    Wire::everywhere(plain, |mut wire| {
        let before = wire.stats().bytes_acked;
        wire.write(FULL * 4);
        wire.recv(wire.state(0, -1).sack(&[0b10, 0, 0, 0]));
        assert_eq!(wire.stats().in_flight_bytes, 3 * FULL as u64);
        assert_eq!(wire.stats().send_buffered_bytes, 4 * FULL as u64);
        assert_eq!(wire.stats().bytes_acked - before, FULL as u64);
        wire.recv(wire.state(0, 3));
        assert_eq!(wire.stats().bytes_acked - before, 4 * FULL as u64);
        assert_eq!(wire.stats().send_buffered_bytes, 0);
    });
}

// req: TM-04
#[test]
fn round_trips_are_measured_on_packets_that_were_sent_once() {
    let mut wire = Wire::plain();
    assert_eq!(wire.stats().rtt_us, 20_000);
    wire.write(1);
    wire.advance(600 * MS);
    assert_eq!(wire.stats().retransmissions, 2, "a probe and the time-out");
    wire.recv(wire.state(0, 0));
    assert_eq!(wire.stats().rtt_us, 20_000, "a resent packet tells nothing (Karn)");
    wire.write(1);
    wire.advance(60 * MS);
    wire.recv(wire.state(0, 1));
    assert_eq!(wire.stats().rtt_us, 25_000);
    assert_eq!(wire.stats().rtt_min_us, 20_000);
}

// req: TM-10, TM-11, TM-12
#[test]
fn stamps_follow_the_clock_and_differences_the_path() {
    let mut wire = Wire::plain();
    let told = wire.now.timestamp().0;
    wire.recv(wire.data(0, -1, b"a").stamp(told));
    let first = wire.take().pop().unwrap().header;
    wire.advance(1_500 * MS);
    wire.recv(wire.data(1, -1, b"b"));
    let second = wire.take().pop().unwrap().header;
    // The difference is that of the clock which the own stamps show: the answer left at once.
    let shown = first.timestamp_microseconds.since(Timestamp(told));
    assert_eq!(first.timestamp_difference_microseconds, shown);
    let shown = second.timestamp_microseconds.since(first.timestamp_microseconds);
    assert_eq!(shown.0, 1_500_000);
    // A peer that does not stamp is no sample, and its stream works.
    wire.recv(wire.data(2, -1, b"c").stamp(0));
    let third = wire.take().pop().unwrap().header;
    assert_eq!(third.timestamp_difference_microseconds.0, 0);
    assert_eq!(wire.read(), b"abc");
}

// req: TM-08
#[test]
fn a_keepalive_of_the_peer_draws_no_answer() {
    Wire::everywhere(plain, |mut wire| {
        for _ in 0..5 {
            wire.recv(wire.state(0, -2));
        }
        wire.expect(&[]);
    });
}

// req: TM-07
#[test]
fn an_idle_connection_sends_a_keepalive_that_acks_one_less() {
    for role in [Role::Initiator, Role::Acceptor] {
        let mut wire = Wire::established(role, plain(), 100, 200);
        wire.recv(wire.data(0, -1, b"a"));
        wire.take();
        let start = wire.now.as_micros();
        wire.advance(28_999_999);
        wire.expect(&[]);
        wire.advance(1 + 40 * SECOND);
        let sent = wire.take();
        let at: Vec<u64> = sent.iter().map(|sent| sent.at.as_micros() - start).collect();
        assert_eq!(at, [29 * SECOND, 58 * SECOND]);
        for sent in sent {
            assert!(sent.is(PacketType::State) && sent.payload.is_empty());
            assert_eq!((sent.header.seq_nr.0, sent.header.ack_nr.0), (100, 199));
        }
        assert_eq!(wire.connection().state(), State::Connected);
    }
}

#[test]
fn any_packet_puts_the_keepalive_off() {
    let mut wire = Wire::plain();
    wire.advance(20 * SECOND);
    wire.recv(wire.data(0, -1, b"a"));
    wire.expect(&["STATE 0 ack 0"]);
    wire.advance(28_999_999);
    wire.expect(&[]);
    wire.advance(1);
    wire.expect(&["STATE 0 ack -1"]);
}

// req: MF-04
#[test]
fn a_state_with_payload_brings_none() {
    let mut wire = Wire::plain();
    wire.recv(wire.state(0, -1).payload(b"smuggled"));
    wire.expect(&[]);
    assert_eq!(wire.read(), b"");
    wire.recv(wire.data(0, -1, b"real"));
    assert_eq!(wire.read(), b"real");
}
