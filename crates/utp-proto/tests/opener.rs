//! The empty packet that lets an acceptor of libutp's speak, and peers that drop empty packets.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pair;
mod wire;

use pair::{Acceptor, Draws, Fate, Pair};
use utp_proto::{Config, Event, State};
use utp_wire::PacketType;
use wire::{MS, SECOND, Wire, plain};

/// An initiator whose SYN was answered.
fn connected() -> Wire {
    let mut wire = Wire::connecting(plain(), 100, 200, 4_000);
    wire.take();
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -2));
    wire.expect(&["STATE -1 ack -1"]);
    wire
}

#[test]
fn a_program_that_defers_acks_answers_the_syn_ack_at_once() {
    let mut config = plain();
    config.defer_acks = true;
    let mut wire = Wire::connecting(config, 100, 200, 4_000);
    wire.take();
    wire.recv(wire.state(0, -2));
    wire.expect(&["STATE -1 ack -1"]);
}

// req: U-05
#[test]
fn a_silent_initiator_unlocks_an_acceptor_that_takes_empty_packets() {
    let mut wire = connected();
    wire.advance(299 * MS);
    wire.expect(&[]);
    wire.advance(MS);
    wire.expect(&["STATE -1 ack -1", "DATA -2 ack -1"]);
    // One answer may be a SYN-ACK that was sent again.
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -2));
    wire.expect(&["DATA -2 ack -1"]);
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -2));
    wire.expect(&["DATA -1 ack -1"]);
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -1));
    wire.advance(10 * SECOND);
    wire.expect(&[]);
}

// req: U-05
#[test]
fn an_acceptor_that_drops_empty_packets_gets_none_with_a_number_of_its_own() {
    let mut wire = connected();
    let start = wire.now;
    wire.advance(25 * SECOND);
    let sent = wire.take();
    let asked = sent.iter().filter(|sent| sent.is(PacketType::Data));
    let at: Vec<_> = asked
        .map(|sent| {
            assert_eq!(sent.brief(wire.us, wire.them), "DATA -2 ack -1");
            sent.at.saturating_since(start) / (100 * MS)
        })
        .collect();
    assert_eq!(at, [3, 8, 18, 38, 78]);
    wire.write(5);
    wire.expect(&["DATA -1 ack -1 len 5"]);
    wire.recv(wire.state(0, -1));
    assert_eq!(wire.stats().send_buffered_bytes, 0);
}

// req: U-05
#[test]
fn questions_that_an_outage_swallowed_are_asked_again_when_the_peer_is_heard() {
    let mut wire = connected();
    wire.advance(69 * SECOND);
    wire.take();
    wire.advance(SECOND);
    // The peer was silent for long. Its answer to the probe is none to a question.
    wire.expect(&["DATA -2 ack -1 len 1"]);
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -2));
    wire.expect(&["DATA -2 ack -1"]);
    // Another answer to the probe may still come.
    for _ in 0..2 {
        wire.advance(20 * MS);
        wire.recv(wire.state(0, -2));
    }
    wire.expect(&["DATA -2 ack -1", "DATA -1 ack -1"]);
    wire.recv(wire.state(0, -1));
    wire.advance(10 * SECOND);
    wire.expect(&[]);
}

#[test]
fn a_peer_that_has_spoken_since_is_not_asked_again() {
    let mut wire = connected();
    wire.advance(20 * SECOND);
    wire.recv(wire.data(0, -2, b"hello"));
    wire.advance(69 * SECOND);
    wire.take();
    wire.advance(SECOND);
    wire.expect(&["DATA -2 ack 0 len 1"]);
    wire.recv(wire.state(1, -2));
    wire.advance(20 * SECOND);
    wire.expect(&[]);
}

// req: U-05
#[test]
fn whoever_speaks_first_makes_the_empty_packet_needless() {
    let mut we = connected();
    we.write(5);
    we.expect(&["DATA -1 ack -1 len 5"]);
    we.recv(we.state(0, -1));
    let mut they = connected();
    they.recv(they.data(0, -2, b"hello"));
    they.expect(&["STATE -1 ack 0"]);
    for mut wire in [we, they] {
        wire.advance(20 * SECOND);
        wire.expect(&[]);
        wire.finish();
        assert_eq!(wire.take().len(), 1, "the FIN waits for nothing");
    }
}

#[test]
fn a_syn_ack_that_comes_again_is_no_answer() {
    let mut wire = Wire::connecting(plain(), 100, 200, 4_000);
    // The SYN is sent twice before its answer comes, so that there is another.
    wire.advance(1_500 * MS);
    let first = wire.state(0, -2).stamp(wire.now.timestamp().0);
    wire.recv(first.clone());
    wire.finish();
    wire.take();
    // The network's copy, the answer to the second SYN, and one that was sent again by itself.
    wire.recv(first);
    wire.expect(&[]);
    for _ in 0..2 {
        wire.advance(100 * MS);
        wire.recv(wire.state(0, -2));
        wire.expect(&["DATA -2 ack -1"]);
    }
    wire.advance(100 * MS);
    wire.recv(wire.state(0, -2));
    wire.expect(&["DATA -1 ack -1", "FIN 0 ack -1"]);
}

#[test]
fn what_comes_before_the_question_is_no_answer_nor_is_a_keepalive() {
    let mut wire = connected();
    // Answers to repeated SYNs, or keepalives.
    for _ in 0..3 {
        wire.advance(50 * MS);
        wire.recv(wire.state(0, -2));
        wire.expect(&[]);
    }
    wire.advance(150 * MS);
    wire.expect(&["STATE -1 ack -1", "DATA -2 ack -1"]);
    // One of libutp's acks one less than it has.
    for _ in 0..3 {
        wire.advance(MS);
        wire.recv(wire.state(0, -3));
        wire.expect(&[]);
    }
}

#[test]
fn an_empty_stream_to_an_acceptor_that_drops_empty_packets_ends_with_its_fin() {
    let mut wire = connected();
    wire.finish();
    wire.expect(&["DATA -2 ack -1"]);
    wire.advance(20 * SECOND);
    let fin = wire.take().into_iter().find(|sent| sent.is(PacketType::Fin)).unwrap();
    assert_eq!(fin.brief(wire.us, wire.them), "FIN -1 ack -1");
    wire.recv(wire.state(0, -1));
    assert!(wire.take_events().contains(&Event::Finished));
}

/// Two ends that say something at times that the seed draws, on a path with losses that swallows
/// all empty DATA if `drops`: the stream of either arrives, whole and once.
fn talk(seed: u64, drops: bool) {
    let mut draws = Draws(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    // Readers that pause shut the window.
    let pauses = draws.chance(300);
    let mut config = Config::default();
    if pauses {
        (config.receive_buffer_bytes, config.receive_buffer_max_bytes) = (8_192, 8_192);
    }
    let mut pair = Pair::with_config(seed, config);
    pair.latency_us = 1_000 + draws.next() % 200_000;
    let mut fates = Draws(draws.next());
    let loss = draws.next() % 80;
    pair.script = Some(Box::new(move |seen| {
        let empty = seen.packet_type == PacketType::Data && seen.payload_len == 0;
        if drops && empty || fates.chance(loss) { Fate::Drop } else { Fate::Deliver }
    }));
    let sizes = [draws.next() % 3 * 20_000, draws.next() % 3 * 20_000];
    let read_max = pauses.then_some(1_000);
    pair.accepts = Acceptor { to_write: sizes[1], finish: draws.chance(500), read_max };
    let late = draws.chance(500);
    let handle = pair.connect(if late { 0 } else { sizes[0] }, false);
    if late {
        pair.run_for(draws.next() % (10 * SECOND));
        pair.apps[0].get_mut(&handle).unwrap().to_write = sizes[0];
        pair.drain(0);
    }
    pair.run_for(20 * SECOND);
    for app in pair.apps[1].values_mut() {
        app.read_max = None;
    }
    pair.apps[0].get_mut(&handle).unwrap().finish = true;
    pair.apps[1].values_mut().for_each(|app| app.finish = true);
    pair.drain(0);
    pair.drain(1);
    let done = pair.run_until(120 * SECOND, |pair| {
        let accepted = pair.apps[1].values().next();
        pair.app(0, handle).end_of_stream && accepted.is_some_and(|app| app.end_of_stream)
    });
    let app = pair.app(0, handle);
    assert!(done, "seed {seed}: {app:?} {:?}", pair.apps[1]);
    assert_eq!([pair.only(1).read, app.read], sizes, "seed {seed}");
    if let Some(connection) = pair.endpoints[0].connection(handle) {
        assert_ne!(connection.state(), State::SynSent);
    }
}

// req: U-05, U-41
#[test]
fn streams_are_whole_with_peers_that_take_empty_packets_and_with_peers_that_drop_them() {
    for seed in 0..400 {
        talk(seed, seed % 2 == 0);
    }
}
