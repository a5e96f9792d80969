//! Packets that do not show the clocks of the connection.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::{Config, Gate, ReadError, State};
use wire::{MS, SECOND, Wire, plain};

fn dropping() -> Config {
    let mut config = plain();
    config.timestamp_gate = Gate::Drop;
    config
}

/// Stamps of a peer whose clock is `ahead_s` seconds ahead of what it was.
fn stepped(wire: &Wire, ahead_s: i64) -> (u32, u32) {
    let raw = wire.state(0, -1).encode(wire.now);
    let stamp = u32::from_be_bytes(raw[4..8].try_into().unwrap());
    let step = u32::try_from((ahead_s * 1_000_000).rem_euclid(1 << 32)).unwrap();
    (stamp.wrapping_add(step), 30_000_u32.wrapping_add(step))
}

// req: SQ-06
#[test]
fn forged_packets_are_dropped_and_answered_at_most_once_a_second() {
    Wire::everywhere(dropping, |mut wire| {
        wire.recv(wire.data(0, -1, b"real"));
        wire.take();
        wire.advance(5 * SECOND);
        for step in 1..100 {
            let stamp = stepped(&wire, 40 * step).0;
            let seq = i32::try_from(step % 30).unwrap() + 1;
            wire.recv(wire.data(seq, -1, b"fake").stamp(stamp));
            wire.recv(wire.fin(seq, -1).stamp(stamp));
        }
        wire.expect(&["STATE 0 ack 0"]);
        assert_eq!(wire.stats().gate_failures, 198);
        wire.recv(wire.data(1, -1, b" stream"));
        wire.recv(wire.fin(2, -1));
        assert_eq!(wire.read_until_end(), (b"real stream".to_vec(), ReadError::Finished));
    });
}

#[test]
fn a_forged_difference_is_enough_to_be_dropped() {
    let mut wire = Wire::with(dropping());
    wire.recv(wire.data(0, -1, b"real"));
    let mut forged = wire.data(1, -1, b"fake");
    forged.diff = 30_000 + 6_000_000;
    wire.recv(forged);
    let mut none = wire.data(1, -1, b"fake");
    none.diff = 0;
    wire.recv(none);
    assert_eq!(wire.stats().gate_failures, 2);
    let mut near = wire.data(1, -1, b" near");
    near.diff = 30_000 + 4_900_000;
    wire.recv(near);
    assert_eq!(wire.read(), b"real near");
}

// req: TM-14
#[test]
fn a_peer_whose_clock_was_set_is_understood_after_three_packets() {
    for ahead_s in [-86_400, -3_600, -60, 60, 3_600, 86_400] {
        let mut wire = Wire::with(dropping());
        wire.recv(wire.data(0, -1, b"before "));
        wire.advance(SECOND);
        for seq in [1, 1, 1, 2, 3] {
            wire.advance(500 * MS);
            let (stamp, diff) = stepped(&wire, ahead_s);
            let mut raw = wire.data(seq, -1, b"after ").stamp(stamp);
            raw.diff = diff;
            wire.recv(raw);
        }
        assert_eq!(wire.read(), b"before after after after ", "{ahead_s} s");
        assert_eq!((wire.stats().gate_failures, wire.stats().gate_rebases), (2, 1));
    }
}

#[test]
fn by_default_packets_that_fail_are_counted_and_taken() {
    let mut wire = Wire::plain();
    wire.recv(wire.data(0, -1, b"a"));
    let stamp = stepped(&wire, 3_600).0;
    wire.recv(wire.data(1, -1, b"b").stamp(stamp));
    assert_eq!(wire.read(), b"ab");
    assert_eq!(wire.stats().gate_failures, 1);
}

// req: HO-06
#[test]
fn a_doubtful_fin_has_to_come_three_times() {
    let mut wire = Wire::plain();
    wire.recv(wire.data(0, -1, b"a"));
    for seconds in [600, 1_200] {
        let stamp = stepped(&wire, seconds).0;
        wire.recv(wire.fin(1, -1).stamp(stamp));
        assert_eq!(wire.read_until_end().1, ReadError::Blocked);
    }
    let stamp = stepped(&wire, 1_800).0;
    wire.recv(wire.fin(1, -1).stamp(stamp));
    assert_eq!(wire.read_until_end().1, ReadError::Finished);
}

// req: HO-05
#[test]
fn a_doubtful_ack_frees_nothing_until_the_clock_is_known_again() {
    let mut wire = Wire::plain();
    for seq in 0..16 {
        wire.recv(wire.data(seq, -1, b"a"));
    }
    wire.write(10);
    let before = wire.stats();
    for attempt in 0..3 {
        // Whoever guesses cannot agree with himself.
        let stamp = stepped(&wire, 600 * (attempt + 1)).0;
        wire.recv(wire.state(16, 0).stamp(stamp).wnd(0));
    }
    assert_eq!(wire.stats().in_flight_bytes, 10);
    assert_eq!(wire.stats().peer_window_bytes, before.peer_window_bytes);
    // The peer's own clock may be set; its packets do agree.
    for _ in 0..3 {
        let (stamp, diff) = stepped(&wire, 3_600);
        let mut raw = wire.state(16, 0).stamp(stamp);
        raw.diff = diff;
        wire.recv(raw);
    }
    assert_eq!(wire.stats().in_flight_bytes, 0);
}

// req: HO-05
#[test]
fn a_flood_of_blind_packets_does_not_make_the_gate_useless() {
    let mut wire = Wire::plain();
    for seq in 0..16 {
        wire.recv(wire.data(seq, -1, b"a"));
    }
    for guess in 0..5_000 {
        let stamp = stepped(&wire, 40 + i64::from(guess) % 3_600).0;
        wire.recv(wire.state(1_000 + guess, -1).stamp(stamp));
    }
    assert_eq!(wire.stats().gate_failures, 5_000);
    wire.write(10);
    let before = wire.stats();
    let stamp = stepped(&wire, 600).0;
    wire.recv(wire.state(1_000, 0).stamp(stamp).wnd(0));
    let after = wire.stats();
    assert_eq!(after.in_flight_bytes, 10, "its ack frees nothing");
    assert_eq!(after.peer_window_bytes, before.peer_window_bytes, "its window counts for nothing");
}

// req: HO-05, H-31
#[test]
fn blind_packets_do_not_keep_a_dead_peer_alive() {
    let mut wire = Wire::plain();
    for _ in 0..8 {
        wire.recv(wire.data(0, -1, b"a"));
    }
    for second in 0..115 {
        assert_eq!(wire.connection().state(), State::Connected, "{second} s");
        wire.advance(SECOND);
        let stamp = stepped(&wire, 40 + second % 3_600 * 40).0;
        wire.recv(wire.state(1_000, -1).stamp(stamp));
    }
    assert_eq!(wire.connection().state(), State::Closed);
}

// req: U-42
#[test]
fn a_fin_without_a_difference_is_taken_if_all_else_is_right() {
    for config in [plain(), dropping()] {
        let mut wire = Wire::with(config);
        wire.recv(wire.data(0, -1, b"all"));
        assert_eq!(wire.read(), b"all");
        let stamp = stepped(&wire, 40).0;
        let (ahead, old_ack) = (wire.fin(2, -1), wire.fin(1, -2));
        let other_clock = wire.fin(1, -1).stamp(stamp);
        for mut wrong in [ahead, old_ack, other_clock] {
            wrong.diff = 0;
            wire.recv(wrong);
            assert_eq!(wire.connection_mut().take_chunk(9), Err(ReadError::Blocked));
        }
        assert_eq!(wire.stats().gate_failures, 3);
        let mut right = wire.fin(1, -1);
        right.diff = 0;
        wire.recv(right);
        assert_eq!(wire.connection_mut().take_chunk(9), Err(ReadError::Finished));
    }
}

// req: U-42, HO-06
#[test]
fn a_fin_with_a_forged_difference_is_doubtful_even_if_all_else_is_right() {
    for config in [plain(), dropping()] {
        let mut wire = Wire::with(config);
        let mut forged = wire.fin(0, -1);
        forged.diff = 30_000 + 6_000_000;
        wire.recv(forged);
        assert_eq!(wire.stats().gate_failures, 1);
        assert_eq!(wire.connection_mut().take_chunk(9), Err(ReadError::Blocked));
    }
}

// req: TM-12
#[test]
fn a_peer_that_never_stamps_is_served() {
    for config in [plain(), dropping()] {
        let mut wire = Wire::connecting(config, 100, 200, 1_000);
        wire.recv(wire.state(0, -2).stamp(0));
        wire.write(1);
        wire.recv(wire.state(0, -1).stamp(0));
        for seq in 0..50 {
            wire.advance(10 * SECOND);
            wire.recv(wire.data(seq, -1, b"x").stamp(0));
        }
        wire.recv(wire.fin(50, -1).stamp(0));
        assert_eq!(wire.read_until_end(), (vec![b'x'; 50], ReadError::Finished));
        assert_eq!(wire.stats().gate_failures, 0);
        let last = wire.take().pop().unwrap();
        assert_eq!(last.header.timestamp_difference_microseconds.0, 0);
    }
}

#[test]
fn keepalives_after_hours_of_silence_pass() {
    for config in [plain(), dropping()] {
        let mut config = config;
        config.idle_probe_us = None;
        let mut wire = Wire::with(config);
        for hours in [1, 2, 24, 48] {
            wire.advance(hours * 3_600 * SECOND);
            wire.recv(wire.state(0, -2));
            wire.recv(wire.state(0, -1));
        }
        assert_eq!(wire.stats().gate_failures, 0);
    }
}

// req: HO-05
#[test]
fn a_number_far_from_the_stream_says_nothing() {
    let mut wire = Wire::plain();
    wire.write(10);
    wire.take();
    let before = wire.stats().in_flight_bytes;
    wire.recv(wire.data(30_000, 0, b"far"));
    wire.recv(wire.state(-30_000, 0));
    assert_eq!(wire.stats().in_flight_bytes, before, "its ack does not count");
    wire.recv(wire.state(0, 0));
    assert_eq!(wire.stats().in_flight_bytes, 0);
}
