//! What a driver uses that has neither timers nor batches of its own but an application that says
//! when: deferred acks, writes that take what the windows take, and buffers that are set.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use std::num::NonZeroU8;

use utp_proto::{Config, Event, WriteError};
use utp_wire::PacketType;
use wire::{FULL, Role, SECOND, Sent, Wire, plain, with_window};

fn deferring() -> Config {
    let mut config = plain();
    config.defer_acks = true;
    config
}

fn ahead(mut config: Config, packets: u8) -> Config {
    config.write_ahead_packets = NonZeroU8::new(packets);
    config
}

fn issue(wire: &mut Wire) {
    wire.endpoint.issue_deferred_acks();
    wire.drain();
}

#[test]
fn deferred_acks_wait_until_they_are_issued_and_are_one_per_connection() {
    Wire::everywhere(deferring, |mut wire| {
        for seq in 0..5 {
            wire.recv(wire.data(seq, -1, b"a"));
        }
        wire.recv(wire.data(7, -1, b"beyond a gap"));
        wire.advance(SECOND);
        wire.expect(&[]);
        issue(&mut wire);
        assert_eq!(wire.take().len(), 1);
        issue(&mut wire);
        wire.expect(&[]);
        assert_eq!(wire.read(), b"aaaaa");
    });
}

#[test]
fn data_carries_an_ack_that_was_deferred() {
    let mut wire = Wire::with(deferring());
    wire.recv(wire.data(0, -1, b"ask"));
    wire.write(5);
    wire.expect(&["DATA 0 ack 0 len 5"]);
    issue(&mut wire);
    wire.expect(&[]);
}

#[test]
fn the_end_of_the_stream_is_acked_at_once() {
    Wire::everywhere(deferring, |mut wire| {
        wire.recv(wire.fin(0, -1));
        wire.expect(&["STATE 0 ack 0"]);
        wire.recv(wire.fin(0, -1));
        wire.expect(&[]);
        issue(&mut wire);
        wire.expect(&["STATE 0 ack 0"]);
    });
}

#[test]
fn a_window_that_was_shut_is_told_open_at_once_and_a_wider_one_waits() {
    let mut config = deferring();
    (config.receive_buffer_bytes, config.receive_buffer_max_bytes) = (10_000, 10_000);
    let mut wire = Wire::with(config);
    let now = wire.now;
    for seq in 0..9 {
        wire.recv(wire.data(seq, -1, &[7; 1_000]));
    }
    issue(&mut wire);
    assert_eq!(wire.take().last().unwrap().header.wnd_size, 0);
    let take = |wire: &mut Wire| wire.connection_mut().take_chunk(9_000).map(|bytes| bytes.len());
    let taken: usize = std::iter::from_fn(|| take(&mut wire).ok()).sum();
    assert_eq!(taken, 9_000);
    wire.connection_mut().set_held_by_application(now, 5_000);
    wire.drain();
    assert_eq!(wire.take().last().unwrap().header.wnd_size, 5_000);
    wire.connection_mut().set_held_by_application(now, 0);
    wire.drain();
    wire.expect(&[]);
    issue(&mut wire);
    assert_eq!(wire.take().last().unwrap().header.wnd_size, 10_000);
}

#[test]
fn what_the_application_holds_counts_up_to_the_buffer() {
    let mut wire = Wire::with(plain());
    let (now, buffer) = (wire.now, wire.stats().receive_buffer_bytes);
    for (held, window) in [(1_000, buffer - 1_000), (usize::MAX, 0), (0, buffer)] {
        wire.connection_mut().set_held_by_application(now, held);
        wire.recv(wire.data(-1, -1, b""));
        assert_eq!(wire.take().last().unwrap().header.wnd_size, window);
    }
}

#[test]
fn a_write_takes_what_the_windows_take_and_so_many_packets_more() {
    for (cwnd, peer_window) in [(3, 1_000), (1_000, 3)] {
        let config = ahead(with_window(cwnd * FULL as u64), 2);
        let mut wire = Wire::with(config);
        let mut window = wire.state(0, -1);
        window.wnd_size = peer_window * u32::try_from(FULL).unwrap();
        wire.recv(window);
        let now = wire.now;
        let taken = wire.connection_mut().write(now, &[1; 100 * FULL]);
        assert_eq!(taken, Ok(5 * FULL));
        assert_eq!(wire.connection_mut().write(now, &[1; FULL]), Err(WriteError::Blocked));
        wire.drain();
        assert_eq!(wire.take().len(), 3, "three fit into the window");
        assert_eq!(wire.take_events(), []);
        // One is acknowledged, one that waited takes its place, and there is room for another.
        let mut ack = wire.state(0, 0);
        ack.wnd_size = peer_window * u32::try_from(FULL).unwrap();
        wire.recv(ack);
        assert_eq!(wire.take_events(), [Event::Writable]);
        assert_eq!(wire.connection_mut().write(now, &[1; 100 * FULL]), Ok(FULL));
    }
}

#[test]
fn a_write_that_was_not_cut_short_is_followed_by_no_event() {
    let mut wire = Wire::with(ahead(with_window(3 * FULL as u64), 1));
    wire.write(4 * FULL);
    wire.recv(wire.state(0, 2));
    assert_eq!(wire.take_events(), []);
}

#[test]
fn a_shut_window_of_the_peer_takes_the_packets_ahead_and_is_probed() {
    let mut wire = Wire::with(ahead(plain(), 1));
    let now = wire.now;
    let mut shut = wire.state(0, -1);
    shut.wnd_size = 0;
    wire.recv(shut);
    assert_eq!(wire.connection_mut().write(now, &[1; 3 * FULL]), Ok(FULL));
    assert_eq!(wire.connection_mut().write(now, &[1; FULL]), Err(WriteError::Blocked));
    wire.drain();
    wire.take();
    wire.advance(10 * SECOND);
    assert!(wire.stats().window_probes > 0);
    wire.recv(wire.state(0, -1));
    assert_eq!(wire.take_events(), [Event::Writable]);
}

#[test]
fn a_window_below_one_packet_blocks_no_writer_for_ever() {
    for role in [Role::Initiator, Role::Acceptor] {
        let mut wire = Wire::established(role, ahead(with_window(10), 1), 0, 0);
        let mut written = 0;
        let mut next = 0_u16;
        for _ in 0..10 {
            let now = wire.now;
            while let Ok(len) = wire.connection_mut().write(now, &[1; 3 * FULL]) {
                written += len;
            }
            wire.advance(2 * SECOND);
            let sent = wire.take();
            let new = |sent: &&Sent| sent.is(PacketType::Data) && sent.header.seq_nr.0 == next;
            if sent.iter().any(|sent| new(&sent)) {
                next += 1;
            }
            wire.recv(wire.state(0, i32::from(next) - 1));
        }
        assert!(written >= 8 * FULL, "{role:?}: {written} bytes");
    }
}

#[test]
fn buffers_change_while_the_connection_lives() {
    let mut wire = Wire::with(plain());
    wire.connection_mut().set_send_buffer(10_000);
    assert_eq!(wire.connection().send_room(), 10_000);
    wire.connection_mut().set_receive_buffer(20_000, 20_000);
    wire.recv(wire.data(0, -1, b""));
    assert_eq!(wire.take().last().unwrap().header.wnd_size, 20_000);
    wire.connection_mut().set_receive_buffer(1, 1);
    wire.recv(wire.data(1, -1, b""));
    assert_eq!(wire.take().last().unwrap().header.wnd_size, 4_096);
}

#[test]
fn a_datagram_is_known_to_belong_to_its_connection_in_both_directions() {
    let mut wire = Wire::with(plain());
    let (endpoint, peer, now) = (&wire.endpoint, wire.peer, wire.now);
    let handle = Some(wire.handle());
    let theirs = [wire.data(0, -1, b""), wire.state(0, -1), wire.fin(0, -1), wire.reset(-1)];
    for raw in theirs {
        assert_eq!(endpoint.connection_of(peer, &raw.encode(now)), handle, "{raw:?}");
    }
    let stray = wire::Raw { id: wire.id_in.wrapping_add(7), ..wire.data(0, -1, b"") };
    assert_eq!(endpoint.connection_of(peer, &stray.encode(now)), None);
    assert_eq!(endpoint.connection_of(peer, b"d1:q4:pinge"), None);
    assert_eq!(endpoint.connection_that_sent(peer, &stray.encode(now)), None);
    let elsewhere = ([10, 9, 9, 9], 1).into();
    wire.write(10);
    let mut ours = [0; 30];
    wire.take()[0].header.encode(0, ours.first_chunk_mut().unwrap());
    assert_eq!(wire.endpoint.connection_that_sent(peer, &ours[..20]), handle);
    assert_eq!(wire.endpoint.connection_that_sent(elsewhere, &ours), None);
    assert_eq!(wire.endpoint.connection_that_sent(peer, &ours[..19]), None);
}
