//! A peer that says nothing: keepalives, probes, and when it is taken for dead.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pair;
mod wire;

use pair::{Fate, Pair};
use utp_proto::{ConnectionError, Event, State};
use utp_wire::PacketType;
use wire::{FULL, MS, SECOND, Wire, plain};

/// Seconds since `start` at which DATA was sent.
fn probes(wire: &mut Wire, start: utp_proto::Instant) -> Vec<u64> {
    // One before the last that the peer has said to have.
    let number = wire.seq_nr_of_us(-2);
    let sent = wire.take();
    let probes = sent.iter().filter(|sent| sent.is(PacketType::Data));
    let mut marked = Vec::new();
    let seconds = probes
        .map(|sent| {
            assert_eq!(sent.header.seq_nr.0, number, "it is acked already");
            assert_eq!(sent.payload.len(), 1, "every stack acks it");
            marked.push(sent.extension_bits.is_some());
            sent.at.saturating_since(start) / SECOND
        })
        .collect();
    // All but the last say what they are.
    assert!(marked.iter().enumerate().all(|(at, marked)| *marked == (at != 2)), "{marked:?}");
    seconds
}

// req: TM-09, F-12, U-43
#[test]
fn a_dead_idle_peer_is_found_within_two_minutes() {
    Wire::everywhere(plain, |mut wire| {
        let start = wire.now;
        wire.advance(115 * SECOND - 1);
        assert_eq!(wire.take_events(), []);
        assert_eq!(probes(&mut wire, start), [70, 80, 95]);
        wire.advance(1);
        assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::Idle)]);
        wire.advance(100 * SECOND);
        wire.expect(&[]);
        wire.release();
        assert_eq!(wire.endpoint.stats().connections, 0);
        assert_eq!(wire.endpoint.poll_timeout(), None);
    });
}

// req: TM-09
#[test]
fn a_peer_that_answers_probes_and_nothing_else_lives() {
    let mut wire = Wire::plain();
    let mut answered = 0;
    for _ in 0..3_600 {
        wire.advance(SECOND);
        if wire.take().iter().any(|sent| sent.is(PacketType::Data)) {
            // Every second probe is lost.
            answered += 1;
            if answered % 2 == 0 {
                wire.recv(wire.state(0, -1));
            }
        }
    }
    assert_eq!(wire.take_events(), []);
    assert!((80..=100).contains(&answered), "{answered} probes in an hour");
    assert_eq!(wire.stats().liveness_probes, answered);
    assert_eq!(wire.stats().retransmissions, 0);
}

#[test]
fn a_peer_that_sends_keepalives_is_never_probed() {
    let mut wire = Wire::plain();
    for _ in 0..100 {
        wire.advance(29 * SECOND);
        wire.recv(wire.state(0, -2));
    }
    assert_eq!(wire.stats().liveness_probes, 0);
    assert_eq!(wire.take_events(), []);
}

#[test]
fn without_probes_an_idle_connection_lives_for_ever() {
    let mut config = plain();
    config.idle_probe_us = None;
    let mut wire = Wire::with(config);
    wire.advance(24 * 3_600 * SECOND);
    assert_eq!(wire.take_events(), []);
    assert!(wire.take().iter().all(|sent| sent.is(PacketType::State)));
}

#[test]
fn a_driver_that_slept_asks_before_it_gives_up() {
    let mut wire = Wire::plain();
    wire.now = wire.now.saturating_add(3_600 * SECOND);
    wire.endpoint.handle_timeout(wire.now);
    wire.drain();
    assert_eq!(wire.take_events(), []);
    assert_eq!(wire.take().iter().filter(|sent| sent.is(PacketType::Data)).count(), 1);
    wire.recv(wire.state(0, -1));
    wire.advance(60 * SECOND);
    assert_eq!(wire.take_events(), []);
}

// req: F-09
#[test]
fn a_peer_that_forgot_the_connection_ends_it_with_its_answer() {
    let mut wire = Wire::plain();
    wire.write(10);
    wire.advance(20 * MS);
    wire.recv(wire.reset(0));
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::Reset)]);
    // Idle: the first keepalive brings it to light.
    let mut wire = Wire::plain();
    wire.take();
    wire.advance(29 * SECOND);
    let keepalive = wire.take().pop().unwrap();
    let ack = keepalive.header.seq_nr.0.wrapping_sub(wire.us).cast_signed();
    wire.recv(wire.reset(ack.into()));
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::Reset)]);
}

// req: TM-08
#[test]
fn a_keepalive_is_no_duplicate_ack_and_draws_no_answer() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 5);
        wire.take();
        for _ in 0..10 {
            wire.recv(wire.state(0, -2));
        }
        wire.expect(&[]);
        assert_eq!(wire.stats().losses_detected, 0);
    });
}

// req: HO-11, TM-08
#[test]
fn two_stacks_that_idle_send_keepalives_and_answer_none() {
    let mut pair = Pair::new(1);
    pair.accepts.to_write = 100_000;
    pair.connect(100_000, false);
    pair.run_for(10 * SECOND);
    pair.seen.clear();
    pair.run_for(3_600 * SECOND);
    let per_side = 3_600 / 29;
    for side in [0, 1] {
        let sent = pair.sent(side, PacketType::State).len();
        assert!((per_side - 1..=per_side + 1).contains(&sent), "{sent} in an hour");
        assert!(pair.sent(side, PacketType::Data).is_empty(), "a probe");
        assert_eq!(pair.only(side).closed, None);
    }
}

// req: HO-11, TM-09
#[test]
fn two_stacks_that_probe_each_other_send_one_answer_for_each_probe() {
    let mut pair = Pair::new(2);
    pair.connect(1, false);
    pair.run_for(10 * SECOND);
    pair.seen.clear();
    // Keepalives are lost, so that only probes are left.
    pair.script = Some(Box::new(|seen| {
        let acks = seen.packet_type == PacketType::State && seen.at.as_micros() % 7 == 0;
        if acks { Fate::Drop } else { Fate::Deliver }
    }));
    pair.run_for(3_600 * SECOND);
    let probes: usize = [0, 1].map(|side| pair.sent(side, PacketType::Data).len()).iter().sum();
    let others: usize = [0, 1].map(|side| pair.sent(side, PacketType::State).len()).iter().sum();
    assert!(others <= probes + 2 * 3_600 / 29 + 2, "{others} for {probes} probes");
    for side in [0, 1] {
        assert_eq!(pair.only(side).closed, None);
    }
}

// req: TM-09, F-12
#[test]
fn both_ends_of_a_cut_idle_connection_end_within_two_minutes() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed);
        pair.accepts.to_write = 50_000;
        pair.connect(50_000, false);
        pair.run_for(5 * SECOND);
        pair.script = Some(Box::new(|_| Fate::Drop));
        pair.run_for(120 * SECOND);
        for side in [0, 1] {
            assert_eq!(pair.only(side).closed, Some(ConnectionError::Idle));
        }
    }
}

// req: TM-06, F-12
#[test]
fn a_peer_that_vanishes_with_data_in_flight_is_given_up_after_45_seconds() {
    let mut pair = Pair::new(3);
    pair.connect(100_000_000, false);
    pair.run_for(5 * SECOND);
    let cut_at = pair.now;
    pair.script = Some(Box::new(|_| Fate::Drop));
    let handle = pair.only_handle(0);
    assert!(pair.run_until(120 * SECOND, |pair| pair.app(0, handle).closed.is_some()));
    assert_eq!(pair.only(0).closed, Some(ConnectionError::TimedOut));
    let after_s = pair.now.saturating_since(cut_at) / SECOND;
    assert!((15..=48).contains(&after_s), "{after_s} s");
    assert_eq!(pair.endpoints[0].connection(handle).unwrap().state(), State::Closed);
}

#[test]
fn a_probe_cannot_be_taken_for_a_packet_that_a_forged_ack_freed() {
    let mut wire = Wire::plain();
    wire.write(10);
    wire.take();
    wire.recv(wire.state(0, 0));
    // The peer itself has not got it, and goes on to say so.
    wire.recv(wire.state(0, -1));
    wire.advance(75 * SECOND);
    let probe = wire.take().into_iter().find(|sent| sent.is(PacketType::Data)).unwrap();
    assert_eq!(probe.brief(wire.us, wire.them), "DATA -2 ack -1 len 1");
}

/// The probe of a connection that nobody has said anything on since.
fn probe_of(mut wire: Wire) -> String {
    wire.take();
    wire.advance(75 * SECOND);
    let probe = wire.take().into_iter().find(|sent| sent.is(PacketType::Data)).unwrap();
    probe.brief(wire.us, wire.them)
}

/// An initiator whose SYN was answered.
fn connected() -> Wire {
    let mut wire = Wire::connecting(plain(), 100, 200, 4_000);
    wire.recv(wire.state(0, -2));
    wire.take();
    wire
}

#[test]
fn a_probe_of_a_side_that_has_said_nothing_has_the_number_of_its_syn() {
    let mut wire = connected();
    wire.recv(wire.data(0, -2, b"hello"));
    assert_eq!(probe_of(wire), "DATA -2 ack 0 len 1");
}

#[test]
fn a_probe_contradicts_no_empty_packet() {
    let mut wire = connected();
    wire.advance(SECOND);
    for ack in [-2, -2, -1] {
        wire.recv(wire.state(0, ack));
        wire.advance(SECOND);
    }
    let flow = wire.flow();
    assert!(flow.contains(&"DATA -1 ack -1".into()), "{flow:?}");
    assert_eq!(probe_of(wire), "DATA -2 ack -1 len 1");
}

#[test]
fn a_probe_contradicts_no_fin() {
    let mut wire = connected();
    wire.recv(wire.data(0, -2, b"hello"));
    wire.finish();
    wire.expect(&["STATE -1 ack 0", "FIN -1 ack 0"]);
    wire.recv(wire.state(1, -1));
    assert_eq!(probe_of(wire), "DATA -2 ack 0 len 1");
}
