//! Every way in which a connection can end: with which error, and when.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::{Config, ConnectionError, Event, State};
use utp_wire::PacketType;
use wire::{FULL, SECOND, Wire, plain};

fn writing() -> Wire {
    let mut wire = Wire::plain();
    wire.write(FULL * 4);
    wire
}

fn shut() -> Wire {
    let mut wire = Wire::plain();
    wire.recv(wire.state(0, -1).wnd(0));
    wire.write(FULL * 4);
    wire
}

fn silence(_: &mut Wire) {}

/// Acks what comes, with a window that stays shut.
fn full(wire: &mut Wire) {
    ack_and_count_resets(wire);
}

fn ack_and_count_resets(wire: &mut Wire) -> usize {
    let sent = wire.take();
    let last = sent.iter().rfind(|sent| sent.is(PacketType::Data));
    if let Some(last) = last {
        let ack = i32::from(last.header.seq_nr.0.wrapping_sub(wire.us).cast_signed());
        wire.recv(wire.state(0, ack).wnd(0));
    }
    sent.iter().filter(|sent| sent.is(PacketType::Reset)).count()
}

/// Knows nothing of the connection.
fn forgotten(wire: &mut Wire) {
    if let Some(last) = wire.take().pop() {
        let ack = i32::from(last.header.seq_nr.0.wrapping_sub(wire.us).cast_signed());
        wire.recv(wire.reset(ack));
    }
}

fn refuses(wire: &mut Wire) {
    let raw = wire.reset(-2).id(wire.id_in);
    wire.recv(raw);
}

fn aborted() -> Wire {
    let mut wire = writing();
    let now = wire.now;
    wire.connection_mut().abort(now);
    wire.drain();
    wire
}

// req: HS-05, TM-06, TM-09, WN-11, F-09, F-12, RS-01
#[test]
fn every_ending_has_its_error_and_its_time() {
    let connecting = || Wire::connecting(plain(), 100, 200, 1_000);
    let table = [
        (
            "nobody answers",
            connecting as fn() -> Wire,
            silence as fn(&mut Wire),
            ConnectionError::TimedOut,
            21..=21,
        ),
        ("refused", connecting, refuses, ConnectionError::Refused, 0..=1),
        ("vanished with data in flight", writing, silence, ConnectionError::TimedOut, 15..=48),
        ("vanished while idle", Wire::plain, silence, ConnectionError::Idle, 60..=120),
        ("takes nothing", shut, full, ConnectionError::StalledByPeer, 300..=301),
        ("vanished behind a shut window", shut, silence, ConnectionError::TimedOut, 15..=48),
        ("forgot the connection", writing, forgotten, ConnectionError::Reset, 0..=1),
        ("forgot the idle connection", Wire::plain, forgotten, ConnectionError::Reset, 29..=30),
        ("aborted", aborted, silence, ConnectionError::LocallyClosed, 0..=0),
    ];
    for (what, begin, peer, error, after) in table {
        let mut wire = begin();
        let mut seconds = 0;
        while wire.connection().state() != State::Closed {
            wire.advance(SECOND);
            peer(&mut wire);
            seconds += 1;
            assert!(seconds <= 600, "{}: no end", what);
        }
        let closed: Vec<Event> = wire
            .take_events()
            .into_iter()
            .filter(|event| matches!(event, Event::Closed(_)))
            .collect();
        assert_eq!(closed, [Event::Closed(error)], "{}", what);
        assert!(after.contains(&seconds), "{}: {seconds} s", what);
        // Nothing is left once its owner knows.
        wire.release();
        wire.drain();
        assert_eq!(wire.endpoint.stats().connections, 0, "{}", what);
        assert_eq!(wire.endpoint.stats().memory_bytes, 0, "{}", what);
        assert_eq!(wire.endpoint.poll_timeout(), None, "{}", what);
    }
}

// req: CL-08, CL-12, WN-11, F-12, F-25
#[test]
fn what_its_owner_has_left_is_freed_in_time() {
    let connecting = || Wire::connecting(plain(), 100, 200, 1_000);
    let table = [
        ("connecting", connecting as fn() -> Wire, silence as fn(&mut Wire), 0..=1),
        ("with data in flight to nobody", writing, silence, 15..=60),
        ("idle, to nobody", Wire::plain, silence, 15..=60),
        ("with data for a peer that takes nothing", shut, full, 300..=330),
        ("to a peer that forgot it", writing, forgotten, 0..=1),
    ];
    for (what, begin, peer, after) in table {
        let mut wire = begin();
        wire.release();
        let mut seconds = 0;
        while wire.endpoint.stats().connections > 0 {
            wire.advance(SECOND);
            if wire.endpoint.stats().connections > 0 {
                peer(&mut wire);
            }
            seconds += 1;
            assert!(seconds <= 600, "{what}: it stays");
        }
        assert!(after.contains(&seconds), "{what}: {seconds} s");
        assert_eq!(wire.take_events(), [], "{what}");
        assert_eq!(wire.endpoint.stats().memory_bytes, 0, "{what}");
        assert_eq!(wire.endpoint.poll_timeout(), None, "{what}");
    }
}

// req: CL-12
#[test]
fn a_connect_that_is_given_up_says_nothing() {
    let mut wire = Wire::connecting(plain(), 100, 200, 1_000);
    wire.take();
    wire.release();
    wire.advance(60 * SECOND);
    wire.expect(&[]);
    assert_eq!(wire.endpoint.stats().connections, 0);
}

// req: WN-11
#[test]
fn the_persist_limit_is_an_option() {
    for (limit, closed) in [(None, 0), (Some(60 * SECOND), 1)] {
        let mut config: Config = plain();
        config.persist_limit_us = limit;
        let mut wire = Wire::with(config);
        wire.recv(wire.state(0, -1).wnd(0));
        wire.write(FULL * 4);
        let mut resets = 0;
        for _ in 0..900 {
            wire.advance(SECOND);
            resets += ack_and_count_resets(&mut wire);
        }
        assert_eq!(wire.take_events().len(), closed);
        assert_eq!(resets, closed, "the peer is told");
    }
}

// req: WN-11
#[test]
fn a_peer_that_takes_a_byte_now_and_then_is_not_stalled() {
    let mut wire = shut();
    let (mut answers, mut acked) = (0, -1);
    for _ in 0..1_000 {
        wire.advance(SECOND);
        let sent = wire.take();
        let Some(last) = sent.iter().rfind(|sent| sent.is(PacketType::Data)) else { continue };
        acked = acked.max(i32::from(last.header.seq_nr.0.wrapping_sub(wire.us).cast_signed()));
        answers += 1;
        let window = if answers % 3 == 0 { 100 } else { 0 };
        wire.recv(wire.state(0, acked).wnd(window));
    }
    assert_eq!(wire.take_events(), []);
}
