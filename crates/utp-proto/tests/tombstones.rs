//! What is left of accepted connections that finished, and for how long.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::EndpointConfig;
use utp_wire::PacketType;
use wire::{SECOND, Wire, plain};

/// An endpoint that knows initiators by their cookies alone. It accepts a stream 5 s into the life
/// of a cookie, which ends after 60; the stream lives so long, and finishes in both directions.
fn finished_after(life_us: u64) -> Wire {
    let mut limits = EndpointConfig::default();
    limits.half_open_max = 0;
    let mut wire = Wire::idle(limits, plain(), 100, 200, 10);
    wire.open(b"first");
    wire.advance(life_us);
    wire.recv(wire.fin(0, -1));
    wire.finish();
    wire.recv(wire.state(1, 0));
    wire.recv(wire.state(1, 1));
    wire.release();
    assert_eq!(wire.endpoint.stats().connections, 0, "it is finished");
    wire.take();
    wire
}

#[test]
fn a_late_first_packet_of_a_finished_stream_opens_no_other_while_its_cookie_is_good() {
    for after_s in [1, 29, 31, 45, 54] {
        let mut wire = finished_after(0);
        wire.advance(after_s * SECOND);
        wire.recv(wire.data(-1, -1, b"first"));
        assert!(wire.incoming.is_none(), "after {after_s} s");
        let sent = wire.take();
        assert!(sent.len() == 1 && sent[0].is(PacketType::State), "after {after_s} s");
    }
    let mut wire = finished_after(0);
    wire.advance(56 * SECOND);
    wire.recv(wire.data(-1, -1, b"first"));
    assert!(wire.incoming.is_none());
    assert!(wire.take()[0].is(PacketType::Reset), "neither it nor its cookie is known");
    assert_eq!(wire.endpoint.poll_timeout(), None);
}

// req: ID-09, F-13
#[test]
fn a_late_first_packet_opens_nothing_after_its_name_was_used_again() {
    let mut wire = finished_after(0);
    wire.recv(wire.syn(-100));
    let cookie = wire.take().pop().unwrap().header.seq_nr.0;
    wire.recv(wire.data(-1, -1, b"first"));
    assert!(wire.incoming.is_none());
    wire.expect(&[]);
    let second = wire.data(-99, 0, b"second").ack_nr(cookie.wrapping_sub(1));
    wire.recv(second);
    wire.accept();
    assert_eq!(wire.read(), b"second");
    wire.recv(wire.data(-1, -1, b"first"));
    assert_eq!(wire.read(), b"");
    // Nor when the second stream is gone, too.
    let late = wire.data(-1, -1, b"first");
    wire.us = cookie;
    wire.recv(wire.fin(-98, -1));
    wire.finish();
    wire.recv(wire.state(-97, 0));
    wire.recv(wire.state(-97, 1));
    wire.release();
    assert_eq!(wire.endpoint.stats().connections, 0, "it is finished");
    wire.recv(late);
    assert!(wire.incoming.is_none());
}

#[test]
fn a_stream_that_outlived_its_cookie_is_remembered_for_the_linger_alone() {
    let mut wire = finished_after(55 * SECOND);
    wire.advance(29 * SECOND);
    assert!(wire.endpoint.poll_timeout().is_some());
    wire.advance(2 * SECOND);
    assert_eq!(wire.endpoint.poll_timeout(), None);
}

#[test]
fn an_endpoint_is_idle_after_the_linger_although_a_cookie_is_still_good() {
    let mut wire = finished_after(0);
    let linger_ends_at = wire.now.saturating_add(30 * SECOND);
    let at = wire.endpoint.poll_timeout().unwrap();
    assert!(at.saturating_since(linger_ends_at) <= SECOND, "its driver is told when");
    wire.advance(29 * SECOND);
    assert!(!wire.endpoint.is_idle());
    wire.advance(2 * SECOND);
    assert!(wire.endpoint.is_idle());
    assert!(wire.endpoint.poll_timeout().is_some(), "the cookie is good until then");
    // Who comes late asks for an answer, and may ask again.
    wire.recv(wire.fin(0, -1));
    assert!(!wire.endpoint.is_idle());
}
