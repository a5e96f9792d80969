//! Connection ids: which are chosen, which packets they claim, and the wrap.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use utp_proto::{EndpointConfig, State};
use wire::{Role, Wire, endpoint, plain};

// req: ID-05, ID-06
#[test]
fn ids_at_the_wrap_work_for_an_acceptor() {
    for id in [0, 1, 0xfffe, 0xffff] {
        let mut wire = Wire::accepting(plain(), 100, 200, id);
        assert_eq!(wire.take()[0].header.connection_id.0, id);
        wire.recv(wire.data(-1, -1, b"in"));
        assert_eq!(wire.read(), b"in");
        wire.take();
        wire.write(3);
        assert_eq!(wire.take()[0].header.connection_id.0, id);
        wire.recv(wire.reset(0).id(id));
        assert_eq!(wire.connection().state(), State::Closed);
    }
}

// req: ID-05, ID-06, U-07
#[test]
fn an_initiator_never_takes_the_id_libutp_cannot_count_beyond() {
    // The connecting id is drawn as 65535; the next one that is fit is 0.
    let mut wire = Wire::connecting(plain(), 100, 200, 0xffff);
    assert_eq!(wire.take()[0].header.connection_id.0, 0);
    wire.recv(wire.state(0, -2).id(0));
    assert_eq!(wire.take()[0].header.connection_id.0, 1);
    let mut wire = Wire::connecting(plain(), 100, 200, 0xfffe);
    wire.take();
    wire.recv(wire.state(0, -2));
    assert_eq!(wire.take()[0].header.connection_id.0, 0xffff);
}

// req: ID-04, H-07
#[test]
fn a_thousand_connects_to_one_peer_have_ids_that_do_not_even_touch() {
    let limits = EndpointConfig::default();
    let (mut endpoint, _) = endpoint(limits);
    let config = std::sync::Arc::new(plain());
    let peer: SocketAddr = ([10, 0, 0, 2], 2000).into();
    let now = utp_proto::Instant::from_micros(1);
    let mut used = BTreeSet::new();
    for _ in 0..1_000 {
        endpoint.connect(now, peer, config.clone()).unwrap();
        let mut buf = Vec::new();
        endpoint.poll_transmit(now, std::num::NonZeroUsize::MIN, &mut buf).unwrap();
        let id = u16::from_be_bytes([buf[2], buf[3]]);
        assert_ne!(id, 0xffff);
        assert!(used.insert(id) && used.insert(id.wrapping_add(1)), "{id} is in use");
    }
}

// req: ID-02, ID-03
#[test]
fn the_same_id_from_another_port_or_address_is_another_stream() {
    let mut wire = Wire::established(Role::Acceptor, plain(), 100, 200);
    for other in [([10, 0, 0, 2], 2001), ([10, 0, 0, 3], 2000)] {
        let syn = wire.syn(-2).encode(wire.now);
        wire.feed_bytes(other.into(), syn);
        wire.drain();
        let answer = wire.take().pop().unwrap();
        assert_eq!((answer.to, answer.header.ack_nr.0), (other.into(), 198));
        let data = wire.data(-1, 0, b"not yours").ack_nr(answer.header.seq_nr.0.wrapping_sub(1));
        wire.feed_bytes(other.into(), data.encode(wire.now));
        assert_eq!(wire.incoming.take().unwrap().remote(), other.into());
    }
    assert_eq!(wire.read(), b"");
}

#[test]
fn a_mapped_ipv4_peer_is_the_same_peer() {
    let mut wire = Wire::established(Role::Acceptor, plain(), 100, 200);
    let mapped = "[::ffff:10.0.0.2]:2000".parse().unwrap();
    let data = wire.data(0, -1, b"mine").encode(wire.now);
    wire.feed_bytes(mapped, data);
    assert_eq!(wire.read(), b"mine");
}

// req: HS-15
#[test]
fn two_sides_that_connect_at_once_have_two_streams() {
    for id in [999u16, 1_000, 1_001] {
        let mut limits = EndpointConfig::default();
        limits.report_at_syn = true;
        let mut wire = Wire::connecting_with(limits, plain(), 100, 200, 1_000);
        wire.take();
        let ours = wire.handle();
        let syn = wire.syn(600).id(id);
        wire.recv(syn);
        let Some(incoming) = wire.incoming.take() else {
            // Its receive id would be ours: it has to try another.
            assert_eq!(id, 999);
            continue;
        };
        let now = wire.now;
        let theirs = wire.endpoint.accept(now, incoming, wire.config.clone()).unwrap();
        let answer = {
            let mut buf = Vec::new();
            wire.endpoint.poll_transmit(now, std::num::NonZeroUsize::MIN, &mut buf).unwrap();
            u16::from_be_bytes([buf[16], buf[17]])
        };
        let mut first = wire.data(601, 0, b"theirs").id(id + 1);
        first.ack_nr = answer.wrapping_sub(1);
        wire.feed(first);
        wire.feed(wire.state(0, -2));
        wire.feed(wire.data(0, -2, b"ours"));
        for (handle, expected) in [(ours, "ours"), (theirs, "theirs")] {
            let mut connection = wire.endpoint.connection_mut(handle).unwrap();
            assert_eq!(connection.read_chunk(now, 100).unwrap(), expected);
        }
    }
}
