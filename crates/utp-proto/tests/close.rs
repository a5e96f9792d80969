//! The end of a stream: FIN in both directions, in and out of order, lost, repeated, refused.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::{ConnectionError, Event, ReadError, State, WriteError};
use utp_wire::PacketType;
use wire::{FULL, MS, SECOND, Wire, plain};

// req: CL-01
#[test]
fn a_fin_follows_the_last_byte_and_takes_the_next_number() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL + 10);
        wire.finish();
        wire.expect(&["DATA 0 ack -1 len 1382", "DATA 1 ack -1 len 10", "FIN 2 ack -1"]);
        let now = wire.now;
        assert_eq!(wire.connection_mut().write(now, b"x"), Err(WriteError::Finished));
        wire.recv(wire.state(0, 1));
        assert!(wire.take_events().is_empty());
        wire.recv(wire.state(0, 2));
        assert_eq!(wire.take_events(), [Event::Finished]);
    });
}

#[test]
fn a_fin_waits_for_the_window() {
    let mut wire = Wire::plain();
    wire.recv(wire.state(0, -1).wnd(2_000));
    wire.write(FULL * 2);
    wire.finish();
    wire.expect(&["DATA 0 ack -1 len 1382"]);
    wire.recv(wire.state(0, 0).wnd(2_000));
    wire.expect(&["DATA 1 ack -1 len 1382", "FIN 2 ack -1"]);
}

#[test]
fn an_empty_stream_ends_with_a_fin_alone() {
    Wire::everywhere(plain, |mut wire| {
        wire.finish();
        wire.expect(&["FIN 0 ack -1"]);
    });
}

#[test]
fn a_stream_that_ends_at_once_unlocks_the_acceptor_with_data_before_its_fin() {
    // A libutp acceptor ignores a FIN until it has seen DATA.
    let mut wire = Wire::connecting(plain(), 100, 200, 1_000);
    wire.finish();
    wire.take();
    wire.recv(wire.state(0, -2));
    wire.expect(&["STATE -1 ack -1", "DATA -2 ack -1"]);
    // Who acks an empty packet takes one, too.
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -2));
    wire.expect(&["DATA -2 ack -1"]);
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -2));
    wire.expect(&["DATA -1 ack -1", "FIN 0 ack -1"]);
    wire.recv(wire.state(0, 0));
    assert_eq!(wire.take_events(), [Event::Connected, Event::Finished]);
}

// req: CL-02
#[test]
fn a_fin_in_order_ends_the_stream_after_the_last_byte() {
    Wire::everywhere(plain, |mut wire| {
        wire.feed(wire.data(0, -1, b"last"));
        wire.feed(wire.fin(1, -1));
        wire.drain();
        wire.expect(&["STATE 0 ack 1"]);
        assert_eq!(wire.take_events(), [Event::Readable]);
        assert_eq!(wire.read_until_end(), (b"last".to_vec(), ReadError::Finished));
    });
}

// req: CL-03
#[test]
fn a_fin_before_missing_data_waits_for_it() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.fin(3, -1));
        wire.expect(&["STATE 0 ack -1 mask 04000000"]);
        wire.recv(wire.data(1, -1, b"b"));
        wire.recv(wire.data(0, -1, b"a"));
        assert_eq!(wire.read_until_end(), (b"ab".to_vec(), ReadError::Blocked));
        wire.recv(wire.data(2, -1, b"c"));
        assert_eq!(wire.read_until_end(), (b"c".to_vec(), ReadError::Finished));
        assert_eq!(wire.take().last().unwrap().header.ack_nr.0, wire.seq_nr_of_them(3));
    });
}

// req: HO-06, CL-04
#[test]
fn nothing_beyond_the_end_is_delivered() {
    Wire::everywhere(plain, |mut wire| {
        // Held before the end is known, and coming after.
        wire.recv(wire.data(3, -1, b"beyond"));
        wire.recv(wire.fin(1, -1));
        wire.recv(wire.data(2, -1, b"beyond"));
        wire.recv(wire.data(4, -1, b"beyond"));
        wire.recv(wire.data(0, -1, b"a"));
        wire.recv(wire.data(2, -1, b"beyond"));
        wire.recv(wire.data(5, -1, b"beyond"));
        // It was not the peer's end: somebody has cut the stream.
        let end = ReadError::Closed(ConnectionError::Conflict);
        assert_eq!(wire.read_until_end(), (Vec::new(), end));
        assert!(wire.take().last().unwrap().is(PacketType::Reset));
        assert_eq!(wire.stats().receive_charged_bytes, 0);
    });
}

// req: CL-09
#[test]
fn a_fin_with_payload_delivers_it_first() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.fin(1, -1).payload(b"the end"));
        wire.recv(wire.data(0, -1, b"here is "));
        let (bytes, end) = wire.read_until_end();
        assert_eq!((&bytes[..], end), (&b"here is the end"[..], ReadError::Finished));
    });
}

// req: CL-10
#[test]
fn a_repeated_fin_is_acked_and_ends_the_stream_once() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.fin(0, -1));
        wire.take();
        assert_eq!(wire.take_events(), [Event::Readable]);
        for _ in 0..3 {
            wire.recv(wire.fin(0, -1));
            wire.expect(&["STATE 0 ack 0"]);
        }
        assert!(wire.take_events().is_empty());
    });
}

// req: CL-11
#[test]
fn a_second_fin_elsewhere_is_ignored() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.fin(2, -1));
        wire.recv(wire.fin(1, -1));
        wire.recv(wire.fin(5, -1));
        wire.recv(wire.data(0, -1, b"a"));
        assert_eq!(wire.read_until_end(), (b"a".to_vec(), ReadError::Blocked));
        wire.recv(wire.data(1, -1, b"b"));
        assert_eq!(wire.read_until_end(), (b"b".to_vec(), ReadError::Finished));
        wire.recv(wire.fin(3, -1));
        assert_eq!(wire.take().last().unwrap().header.ack_nr.0, wire.seq_nr_of_them(2));
    });
}

// req: HO-06
#[test]
fn a_fin_in_place_of_held_data_is_a_conflict() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.data(1, -1, b"b"));
        wire.recv(wire.fin(1, -1));
        wire.recv(wire.data(0, -1, b"a"));
        wire.recv(wire.data(2, -1, b"c"));
        wire.recv(wire.fin(3, -1));
        let end = ReadError::Closed(ConnectionError::Conflict);
        assert_eq!(wire.read_until_end(), (Vec::new(), end));
    });
}

#[test]
fn a_probe_for_life_with_the_number_of_the_end_is_no_conflict_and_another_packet_is() {
    for probes in [true, false] {
        let mut wire = Wire::plain();
        wire.recv(wire.data(0, -1, b"all"));
        wire.recv(wire.fin(1, -1));
        wire.take();
        let bits = [0, 0, if probes { 4 } else { 0 }, 0, 0, 0, 0, 0];
        wire.recv(wire.data(1, -1, b"").extension(2, &bits));
        assert_eq!(wire.flow().len(), 1, "it is answered");
        assert_eq!(wire.connection().state() == State::Connected, probes);
    }
}

// req: CL-06
#[test]
fn the_other_direction_stays_open_after_a_fin() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.fin(0, -1));
        wire.take();
        wire.write(5);
        wire.expect(&["DATA 0 ack 0 len 5"]);
        wire.recv(wire.state(1, 0));
        wire.finish();
        wire.expect(&["FIN 1 ack 0"]);
        wire.recv(wire.state(1, 1));
        assert_eq!(wire.connection().state(), State::Lingering);
        // And the other way round.
        let mut wire = Wire::plain();
        wire.finish();
        wire.recv(wire.data(0, 0, b"still coming"));
        assert_eq!(wire.read(), b"still coming");
        assert_eq!(wire.connection().state(), State::Connected);
    });
}

// req: CL-14
#[test]
fn a_simultaneous_close_is_clean_on_this_side() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(3);
        wire.finish();
        wire.take();
        wire.recv(wire.fin(0, -1));
        wire.expect(&["STATE 2 ack 0"]);
        wire.recv(wire.state(1, 1));
        assert_eq!(wire.take_events(), [Event::Readable, Event::Finished]);
        assert_eq!(wire.connection().state(), State::Lingering);
        wire.release();
        wire.advance(30 * SECOND);
        assert_eq!(wire.endpoint.stats().connections, 0);
    });
}

#[test]
fn an_ack_on_the_fin_of_the_peer_counts() {
    let mut wire = Wire::plain();
    wire.finish();
    wire.take();
    wire.recv(wire.fin(0, 0));
    assert_eq!(wire.take_events(), [Event::Readable, Event::Finished]);
    wire.expect(&["STATE 1 ack 0"]);
}

// req: CL-05
#[test]
fn what_is_repeated_after_the_close_is_answered_as_long_as_it_keeps_coming() {
    for repeats_fin in [true, false] {
        Wire::everywhere(plain, |mut wire| {
            wire.recv(wire.data(0, -1, b"last"));
            wire.recv(wire.fin(1, -1));
            wire.finish();
            wire.recv(wire.state(2, 0));
            wire.release();
            wire.take();
            for _ in 0..5 {
                wire.advance(29 * SECOND);
                // A peer that missed both acks repeats the data first.
                let repeated = if repeats_fin { wire.fin(1, 0) } else { wire.data(0, 0, b"last") };
                wire.recv(repeated);
                wire.expect(&["STATE 1 ack 1"]);
            }
            wire.recv(wire.state(2, 0));
            wire.advance(30 * SECOND);
            assert_eq!(wire.endpoint.stats().connections, 0);
            wire.expect(&[]);
        });
    }
}

#[test]
fn a_stream_that_ended_well_stays_finished_after_the_linger() {
    let mut wire = Wire::plain();
    wire.finish();
    wire.recv(wire.fin(0, 0));
    wire.take_events();
    wire.advance(40 * SECOND);
    assert_eq!(wire.connection().state(), State::Closed);
    assert!(wire.take_events().is_empty());
    let now = wire.now;
    assert_eq!(wire.connection_mut().write(now, b"x"), Err(WriteError::Finished));
    assert_eq!(wire.read_until_end().1, ReadError::Finished);
}

#[test]
fn a_lost_fin_is_resent() {
    Wire::everywhere(plain, |mut wire| {
        wire.finish();
        wire.take();
        wire.advance(1_500 * MS);
        let resent = wire.flow();
        assert!(resent.iter().all(|sent| sent == "FIN 0 ack -1"), "{resent:?}");
        assert!(!resent.is_empty());
        wire.recv(wire.state(0, 0));
        assert_eq!(wire.take_events(), [Event::Finished]);
    });
}

// req: CL-07
#[test]
fn releasing_delivers_what_was_written_then_ends_without_events() {
    let mut wire = Wire::plain();
    wire.write(FULL * 2);
    wire.release();
    wire.expect(&["DATA 0 ack -1 len 1382", "DATA 1 ack -1 len 1382", "FIN 2 ack -1"]);
    wire.recv(wire.data(0, 1, b"nobody reads this"));
    wire.expect(&["STATE 3 ack 0"]);
    assert_eq!(wire.stats().receive_charged_bytes, 0);
    wire.recv(wire.state(1, 2));
    wire.advance(31 * SECOND);
    assert_eq!(wire.endpoint.stats().connections, 0);
    assert!(wire.take_events().is_empty());
}

#[test]
fn no_event_follows_a_release() {
    // Neither of the handshake,
    let mut wire = Wire::accepting(plain(), 100, 200, 10);
    wire.write(10);
    wire.release();
    wire.recv(wire.data(-1, -1, b""));
    assert_eq!(wire.connection().state(), State::Connected);
    assert_eq!(wire.take_events(), []);
    // nor of a write that was refused,
    let mut config = plain();
    config.send_buffer_bytes = 1_400;
    let mut wire = Wire::with(config);
    let now = wire.now;
    wire.write(1_400);
    assert_eq!(wire.connection_mut().write(now, b"x"), Err(WriteError::Blocked));
    wire.release();
    wire.recv(wire.state(0, 0));
    assert_eq!(wire.take_events(), []);
    // nor of what had happened and was not told yet.
    let mut wire = Wire::plain();
    wire.feed(wire.data(0, -1, b"unread"));
    wire.release();
    assert_eq!(wire.take_events(), []);
}

// req: CL-08, F-12
#[test]
fn a_close_to_a_dead_peer_is_freed_within_a_minute() {
    let mut wire = Wire::plain();
    wire.write(FULL * 2);
    wire.release();
    wire.advance(60 * SECOND);
    assert_eq!(wire.endpoint.stats().connections, 0);
    assert_eq!(wire.endpoint.poll_timeout(), None);
}

// req: RS-08
#[test]
fn a_libutp_that_closed_first_ends_our_close_with_a_reset_and_that_is_clean() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(10);
        wire.recv(wire.state(0, 0));
        wire.recv(wire.fin(0, 0));
        assert_eq!(wire.read_until_end().1, ReadError::Finished);
        wire.take_events();
        wire.take();
        // Its socket is gone with the ack that our FIN carries; it never acks the FIN itself.
        wire.finish();
        wire.expect(&["FIN 1 ack 0"]);
        wire.advance(1_500 * MS);
        let resent = wire.take().pop().unwrap();
        assert!(resent.is(PacketType::Fin));
        wire.recv(wire.reset(1));
        assert_eq!(wire.take_events(), [Event::Finished]);
        wire.release();
        wire.advance(31 * SECOND);
        assert!(wire.take_events().is_empty());
        assert_eq!(wire.endpoint.stats().connections, 0);
    });
}

#[test]
fn a_reset_while_data_is_missing_at_the_peer_is_an_error() {
    let mut wire = Wire::plain();
    wire.recv(wire.fin(0, -1));
    wire.write(10);
    wire.finish();
    wire.take_events();
    wire.recv(wire.reset(1));
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::Reset)]);
    assert_eq!(wire.read_until_end().1, ReadError::Finished, "their stream had ended before");
}

#[test]
fn a_reset_before_the_end_of_their_stream_is_an_error() {
    let mut wire = Wire::plain();
    wire.finish();
    wire.recv(wire.reset(0));
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::Reset)]);
}

#[test]
fn releasing_tells_the_peer_that_there_is_room_again() {
    let mut config = plain();
    config.receive_buffer_bytes = 10_000;
    let mut wire = Wire::with(config);
    for seq in 0..9 {
        wire.recv(wire.data(seq, -1, &[7; 1_000]));
    }
    assert_eq!(wire.take().last().unwrap().header.wnd_size, 0);
    // The FIN is out already, so that it takes a STATE.
    wire.finish();
    wire.take();
    wire.release();
    let update = wire.take();
    assert_eq!(update.len(), 1);
    assert_eq!(update[0].header.wnd_size, 10_000);
}

#[test]
fn an_abort_sends_one_reset_and_ends_at_once() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 2);
        wire.take();
        let now = wire.now;
        wire.connection_mut().abort(now);
        wire.drain();
        let reset = wire.take();
        assert_eq!(reset.len(), 1);
        assert!(reset[0].is(PacketType::Reset));
        assert_eq!(reset[0].header.connection_id.0, wire.id_out);
        assert_eq!(reset[0].header.ack_nr.0, wire.seq_nr_of_them(-1));
        assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::LocallyClosed)]);
        wire.release();
        assert_eq!(wire.endpoint.stats().connections, 0);
        wire.advance(60 * SECOND);
        wire.expect(&[]);
    });
}

// req: HO-06
#[test]
fn data_beyond_a_fin_with_a_hole_never_makes_a_clean_end() {
    // A FIN injected into live data: the hole before it stays a hole.
    let mut wire = Wire::plain();
    wire.recv(wire.data(0, -1, b"a"));
    wire.recv(wire.fin(5, -1));
    wire.recv(wire.data(2, -1, b"c"));
    assert_eq!(wire.read_until_end(), (b"a".to_vec(), ReadError::Blocked));
    wire.recv(wire.data(6, -1, b"g"));
    assert_eq!(wire.read_until_end().1, ReadError::Closed(ConnectionError::Conflict));
}
