//! A window of the peer that stays shut, or nearly so: probes, progress, and when to give up.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::{ConnectionError, Event};
use utp_wire::PacketType;
use wire::{FULL, MS, SECOND, Wire, plain};

// req: WN-03, WN-04, U-43
#[test]
fn a_shut_window_is_probed_with_one_byte() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.state(0, -1).wnd(0));
        wire.write(FULL * 2);
        wire.expect(&[]);
        let mut gaps = Vec::new();
        for seq in 0..7 {
            let before = wire.now;
            while wire.stats().window_probes <= u32::try_from(seq).unwrap() {
                wire.advance(100 * MS);
                assert!(wire.now.saturating_since(before) <= 60 * SECOND);
            }
            gaps.push(wire.now.saturating_since(before) / SECOND);
            let mut flow = wire.flow();
            flow.retain(|sent| sent.starts_with("DATA"));
            assert_eq!(flow, [format!("DATA {seq} ack -1 len 1")]);
            wire.recv(wire.state(0, seq).wnd(0));
        }
        assert_eq!(gaps, [1, 2, 4, 8, 16, 32, 60]);
        assert!(wire.events.is_empty(), "it lives as long as the peer answers");
        wire.recv(wire.state(0, 6).wnd(1 << 20));
        wire.expect(&["DATA 7 ack -1 len 1382", "DATA 8 ack -1 len 1375"]);
    });
}

// req: U-43, WN-03
#[test]
fn a_probe_that_finds_no_room_is_repeated_and_is_no_congestion() {
    let mut wire = Wire::plain();
    wire.recv(wire.state(0, -1).wnd(0));
    wire.write(FULL * 2);
    for _ in 0..60 {
        wire.advance(SECOND);
        wire.recv(wire.state(0, -1).wnd(0));
    }
    let mut probes = wire.flow();
    probes.retain(|sent| sent.starts_with("DATA"));
    assert!(probes.iter().all(|sent| sent == "DATA 0 ack -1 len 1"), "{probes:?}");
    assert!((8..=12).contains(&probes.len()), "{probes:?}");
    assert_eq!((wire.stats().timeouts, wire.stats().losses_detected), (0, 0));
    assert_eq!(wire.take_events(), [], "it is not silent");
    wire.recv(wire.state(0, -1).wnd(1 << 20));
    wire.expect(&["DATA 1 ack -1 len 1382"]);
    wire.recv(wire.state(0, -1).wnd(1 << 20).sack(&[0b1, 0, 0, 0]));
    wire.advance(SECOND);
    let sent = wire.flow();
    assert_eq!(sent[0], "DATA 0 ack -1 len 1", "the byte is tried again first");
    assert!(sent.contains(&"DATA 2 ack -1 len 1381".to_owned()), "{sent:?}");
    wire.recv(wire.state(0, 2).wnd(1 << 20));
    assert_eq!(wire.stats().send_buffered_bytes, 0);
}

// req: WN-04
#[test]
fn a_window_that_opens_ends_the_probing_and_its_back_off() {
    let mut wire = Wire::plain();
    wire.recv(wire.state(0, -1).wnd(0));
    wire.write(FULL);
    for seq in 0..4 {
        wire.advance([1, 2, 4, 8][seq as usize] * SECOND);
        wire.recv(wire.state(0, seq).wnd(0));
    }
    assert_eq!(wire.stats().window_probes, 4);
    wire.take();
    wire.recv(wire.state(0, 3).wnd(1 << 20));
    wire.expect(&["DATA 4 ack -1 len 1378"]);
    wire.recv(wire.state(0, 4).wnd(1 << 20));
    wire.advance(20 * SECOND);
    wire.write(FULL);
    wire.expect(&["DATA 5 ack -1 len 1382"]);
    assert_eq!(wire.stats().window_probes, 4, "a probe that is not needed");
    wire.recv(wire.state(0, 5).wnd(0));
    wire.write(FULL);
    wire.advance(1_100 * MS);
    wire.expect(&["DATA 6 ack -1 len 1"]);
}

// req: WN-05
#[test]
fn a_tiny_window_makes_progress_within_a_minute() {
    for window in [1, 100, 700, 1_381] {
        let mut wire = Wire::plain();
        wire.recv(wire.state(0, -1).wnd(window));
        wire.write(50_000);
        let mut seq = 0;
        for _ in 0..4 {
            let before = wire.stats().bytes_acked;
            for _ in 0..600 {
                wire.advance(100 * MS);
                for sent in wire.take().iter().filter(|sent| sent.is(PacketType::Data)) {
                    assert_eq!(sent.header.seq_nr.0, wire.seq_nr_of_us(seq));
                    assert!((1..=window as usize).contains(&sent.payload.len()));
                    wire.recv(wire.state(0, seq).wnd(window));
                    seq += 1;
                }
            }
            assert!(wire.stats().bytes_acked > before, "window {window}");
        }
    }
}

#[test]
fn a_lost_probe_is_resent_and_a_dead_peer_is_given_up() {
    let mut wire = Wire::plain();
    wire.recv(wire.state(0, -1).wnd(0));
    wire.write(10);
    wire.advance(2 * SECOND);
    assert!(wire.take().len() >= 2);
    wire.advance(45 * SECOND);
    assert_eq!(wire.take_events().len(), 1);
}

#[test]
fn an_acceptor_that_starts_with_a_shut_window_is_unlocked() {
    let mut wire = Wire::connecting(plain(), 100, 200, 1_000);
    wire.write(10);
    wire.take();
    wire.recv(wire.state(0, -2).wnd(0));
    wire.expect(&["STATE -1 ack -1"]);
    wire.advance(SECOND);
    let sent = wire.flow();
    assert_eq!(sent.last().unwrap(), "DATA -1 ack -1 len 1", "{sent:?}");
}

#[test]
fn a_peer_that_shuts_its_window_on_what_is_in_flight_is_not_taken_for_dead() {
    // It had no room for what was on its way, and its application takes more than three minutes.
    let mut wire = Wire::plain();
    wire.write(FULL * 6);
    wire.advance(20 * MS);
    for _ in 0..200 {
        wire.recv(wire.state(0, -1).wnd(0));
        wire.advance(SECOND);
    }
    assert_eq!(wire.take_events(), []);
    wire.take();
    wire.recv(wire.state(0, -1).wnd(1 << 20));
    wire.advance(60 * SECOND);
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::TimedOut)], "now it is silent");
    assert!(wire.take().iter().any(|sent| sent.is(PacketType::Data)), "it was tried again");
}

// req: WN-11
#[test]
fn an_abandoned_connection_does_not_wait_for_ever_for_a_window() {
    let mut wire = Wire::plain();
    wire.write(FULL * 4);
    wire.take();
    wire.recv(wire.state(0, 3).wnd(0));
    wire.write(FULL * 4);
    wire.release();
    // Every probe is acked, and no window comes with the ack.
    let mut ack = 3;
    for _ in 0..700 {
        wire.advance(SECOND / 2);
        let probes = wire.take().iter().any(|packet| packet.header.packet_type == PacketType::Data);
        if probes {
            ack += 1;
            wire.recv(wire.state(0, ack).wnd(0));
        }
    }
    assert!(ack > 5, "it probes");
    assert_eq!(wire.endpoint.stats().connections, 0);
}

#[test]
fn an_abandoned_connection_lives_as_long_as_its_peer_takes_something() {
    let mut wire = Wire::plain();
    wire.recv(wire.state(0, -1).wnd(0));
    wire.write(FULL * 4);
    wire.release();
    let mut last = -1;
    // One packet every 250 seconds; in between the peer answers probes.
    for second in 1..=1_000 {
        wire.advance(SECOND);
        for sent in wire.take().iter().filter(|sent| sent.is(PacketType::Data)) {
            last = i32::from(sent.header.seq_nr.0.wrapping_sub(wire.us));
        }
        let window = if second % 250 == 0 { 1_400 } else { 0 };
        wire.recv(wire.state(0, last).wnd(window));
    }
    let rest = FULL as u64 - u64::from(wire.stats().window_probes);
    assert_eq!(wire.stats().send_buffered_bytes, rest, "the last is on its way");
    assert!(wire.take().iter().all(|sent| !sent.is(PacketType::Reset)));
    // Then it takes nothing any more, and is told when the time is up.
    wire.recv(wire.state(0, last).wnd(0));
    let mut resets = 0;
    for _ in 0..310 {
        wire.advance(SECOND);
        for sent in wire.take() {
            resets += u32::from(sent.is(PacketType::Reset));
        }
        if wire.endpoint.stats().connections > 0 {
            wire.recv(wire.state(0, last).wnd(0));
        }
    }
    assert_eq!((resets, wire.endpoint.stats().connections), (1, 0));
}

#[test]
fn a_connection_that_was_abandoned_before_its_handshake_was_done_is_no_exception() {
    let mut wire = Wire::accepting(plain(), 100, 200, 10);
    wire.write(FULL);
    wire.release();
    wire.recv(wire.data(-1, -1, b"").wnd(0));
    let mut last = -1;
    for _ in 0..400 {
        wire.advance(SECOND);
        for sent in wire.take().iter().filter(|sent| sent.is(PacketType::Data)) {
            last = i32::from(sent.header.seq_nr.0.wrapping_sub(wire.us));
        }
        if wire.endpoint.stats().connections > 0 {
            wire.recv(wire.state(0, last).wnd(0));
        }
    }
    assert_eq!(wire.endpoint.stats().connections, 0);
}
