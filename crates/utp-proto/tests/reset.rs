//! Resets and ICMP: which are believed, which are sent, how many.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::{ConnectionError, EndpointConfig, Event, ReadError, State};
use utp_wire::PacketType;
use wire::{FULL, MS, Raw, Role, SECOND, Wire, plain};

// req: RS-01
#[test]
fn a_reset_that_answers_what_was_sent_ends_the_connection() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 3);
        wire.recv(wire.reset(1));
        assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::Reset)]);
        assert_eq!(wire.connection().state(), State::Closed);
        wire.take();
        wire.advance(60 * SECOND);
        wire.expect(&[]);
        wire.release();
        assert_eq!(wire.endpoint.stats().connections, 0);
    });
}

// req: RS-01, U-31
#[test]
fn a_reset_may_carry_either_id() {
    for offset in [0u16, 1, 2, 3] {
        Wire::everywhere(plain, |mut wire| {
            // For an initiator the ids are `id_in` and the next, for an acceptor the one before.
            let low = if wire.id_in < wire.id_out { wire.id_in } else { wire.id_out };
            let id = low.wrapping_sub(1).wrapping_add(offset);
            wire.recv(wire.reset(0).id(id));
            let closed = wire.connection().state() == State::Closed;
            assert_eq!(closed, id == wire.id_in || id == wire.id_out, "{offset}");
        });
    }
}

#[test]
fn a_reset_that_answers_a_state_or_a_recently_acked_packet_counts() {
    for ack in [0, -1, -2, -3] {
        Wire::everywhere(plain, |mut wire| {
            wire.recv(wire.reset(ack));
            assert_eq!(wire.connection().state(), State::Closed, "ack {ack}");
        });
    }
}

// req: RS-02, H-01
#[test]
fn a_reset_with_an_ack_out_of_place_is_ignored() {
    for ack in [1, 2, -4, -5, -10, 1_000, -1_000, 32_767, -32_768] {
        Wire::everywhere(plain, |mut wire| {
            wire.recv(wire.reset(ack));
            assert_eq!(wire.connection().state(), State::Connected, "ack {ack}");
            assert_eq!(wire.endpoint.stats().resets_ignored, 1);
            assert!(wire.take_events().is_empty());
        });
    }
}

// req: RS-02, RS-11, H-01
#[test]
fn blind_resets_hardly_ever_hit() {
    // Every ack once with the right id; then every id with one ack.
    let mut believed = 0;
    for ack in i16::MIN..=i16::MAX {
        if (-20..20).contains(&ack) {
            let mut wire = Wire::plain();
            wire.recv(wire.reset(i32::from(ack)));
            believed += u32::from(wire.connection().state() == State::Closed);
        }
    }
    assert_eq!(believed, 4, "of 65 536");
    let mut wire = Wire::plain();
    for id in 0..=u16::MAX {
        wire.recv(wire.reset(5_000).id(id));
    }
    assert_eq!(wire.connection().state(), State::Connected);
    wire.expect(&[]);
    // Nothing was sent for a while, so that nothing can be answered: not even the next number ends
    // it, only the last one that was acked, which a peer names that aborts. But the answer that
    // this draws can be.
    wire.advance(10 * SECOND);
    for ack in (i16::MIN..-3).chain(1..i16::MAX).chain([0]) {
        assert_eq!(wire.connection().state(), State::Connected);
        wire.recv(wire.reset(i32::from(ack)));
    }
    wire.expect(&["STATE 0 ack -1"]);
    assert_eq!(wire.connection().state(), State::Closed);
}

// req: RS-02
#[test]
fn a_reset_for_what_was_sent_long_ago_is_answered_by_a_state_once_a_second() {
    let mut wire = Wire::plain();
    wire.advance(5 * SECOND);
    wire.recv(wire.reset(0));
    wire.recv(wire.reset(0));
    wire.expect(&["STATE 0 ack -1"]);
    // A peer that has forgotten the connection answers that with another, which is believed.
    wire.recv(wire.reset(0));
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::Reset)]);
    // With much in flight, too, only what was sent lately is answered.
    let mut wire = Wire::plain();
    wire.write(FULL * 100);
    wire.take();
    wire.advance(450 * MS);
    wire.recv(wire.state(0, 9));
    wire.take();
    wire.recv(wire.reset(30_000));
    wire.recv(wire.reset(-500));
    assert_eq!(wire.connection().state(), State::Connected);
}

// req: RS-07
#[test]
fn a_reset_in_answer_to_the_syn_is_a_refusal() {
    for id in [1_000, 1_001] {
        let mut wire = Wire::connecting(plain(), 100, 200, 1_000);
        wire.recv(wire.reset(-3).id(id));
        wire.recv(wire.reset(-1).id(id));
        wire.recv(wire.reset(0).id(id));
        assert_eq!(wire.connection().state(), State::SynSent);
        wire.recv(wire.reset(-2).id(id));
        assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::Refused)]);
    }
}

// req: RS-03
#[test]
fn a_reset_is_never_answered() {
    let mut wire = Wire::plain();
    wire.recv(wire.reset(0).id(7));
    wire.recv(wire.reset(30_000));
    wire.recv(wire.reset(0));
    wire.recv(wire.reset(0));
    wire.expect(&[]);
    assert_eq!(wire.endpoint.stats().resets_sent, 0);
}

// req: RS-10
#[test]
fn a_reset_with_extensions_and_payload_is_a_reset() {
    let mut wire = Wire::plain();
    wire.recv(wire.reset(0).extension(3, &[0, 0, 0, 9]).extension(77, &[]).payload(b"bye"));
    assert_eq!(wire.connection().state(), State::Closed);
}

// req: RS-09
#[test]
fn bytes_that_came_before_a_reset_stay_readable() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.data(0, -1, b"kept"));
        wire.recv(wire.data(2, -1, b"beyond a gap"));
        wire.recv(wire.reset(0));
        let end = ReadError::Closed(ConnectionError::Reset);
        assert_eq!(wire.read_until_end(), (b"kept".to_vec(), end));
        assert_eq!(wire.stats().receive_charged_bytes, 0, "nothing is kept that nobody can read");
    });
}

// req: RS-04, RS-05
#[test]
fn a_stray_packet_is_answered_by_one_reset_that_echoes_it() {
    let mut wire = Wire::idle(EndpointConfig::default(), plain(), 100, 200, 10);
    wire.recv(wire.data(5, 6, b"who are you").id(77));
    let reset = wire.take();
    assert_eq!(reset.len(), 1);
    assert!(reset[0].is(PacketType::Reset));
    assert_eq!(reset[0].len, 20);
    let header = &reset[0].header;
    assert_eq!((header.connection_id.0, header.ack_nr.0), (77, 205));
    assert_eq!((header.wnd_size, header.timestamp_microseconds.0), (0, 0));
    assert_eq!(header.timestamp_difference_microseconds.0, 0);
}

// req: RS-06, HO-10, H-13
#[test]
fn a_storm_of_strays_draws_no_more_resets_than_the_bucket_holds() {
    let mut wire = Wire::idle(EndpointConfig::default(), plain(), 100, 200, 10);
    for stray in 0..100_000u32 {
        let [a, b, c, _] = stray.to_le_bytes();
        let bytes = wire.data(0, 0, b"stray").id(u16::from_le_bytes([a, b])).encode(wire.now);
        wire.feed_bytes(([11, a, b, c], 999).into(), bytes);
        wire.advance(100);
    }
    let resets = wire.take().len();
    // Ten seconds at 100 a second and a burst of 50.
    assert!((1_040..=1_050).contains(&resets), "{resets}");
    let stats = wire.endpoint.stats();
    // One in 4 096 acks a cookie by chance.
    assert!(stats.syns_offered < 60, "{stats:?}");
    assert_eq!(stats.resets_sent + stats.resets_suppressed + stats.syns_offered, 100_000);
    assert_eq!(stats.unmatched + stats.syns_offered, 100_000);
}

// req: H-13
#[test]
fn replies_that_nobody_collects_are_bounded() {
    let mut limits = EndpointConfig::default();
    limits.resets_burst = 1_000_000;
    let mut wire = Wire::idle(limits, plain(), 100, 200, 10);
    for id in 0..10_000u16 {
        let bytes = wire.data(0, 500, b"stray").id(id).encode(wire.now);
        let [a, b] = id.to_be_bytes();
        wire.feed_bytes(([11, a, b, 1], 999).into(), bytes);
    }
    wire.drain();
    assert_eq!(wire.take().len(), utp_proto::config::STATELESS_REPLIES_MAX);
}

// req: HO-10, H-13
#[test]
fn one_network_gets_two_resets_a_second() {
    for networks in ["10.1.2.{}:7", "[2001:db8:7:{}::1]:7"] {
        let mut wire = Wire::idle(EndpointConfig::default(), plain(), 100, 200, 10);
        for host in 0..200 {
            let bytes = wire.data(0, 500, b"stray").id(host).encode(wire.now);
            let remote = networks.replace("{}", &host.to_string());
            wire.feed_bytes(remote.parse().unwrap(), bytes);
            wire.advance(50 * MS);
        }
        let resets = wire.take().len();
        assert!((20..=22).contains(&resets), "{resets} in ten seconds");
    }
}

#[test]
fn a_closed_connection_answers_with_resets_like_any_stray() {
    let mut wire = Wire::plain();
    wire.recv(wire.reset(0));
    wire.recv(wire.data(0, -1, b"more"));
    assert!(wire.take().pop().unwrap().is(PacketType::Reset));
    assert_eq!(wire.read(), b"");
}

// req: HS-06, H-08
#[test]
fn unreachable_refuses_a_connect_and_nothing_else() {
    let mut wire = Wire::connecting(plain(), 100, 200, 1_000);
    let syn = wire.syn(0).id(1_000).encode(wire.now);
    let other = wire.syn(0).id(2_000).encode(wire.now);
    wire.icmp(&other);
    let not_sent_yet = wire.data(0, 0, b"").encode(wire.now);
    wire.icmp(&not_sent_yet);
    assert_eq!(wire.connection().state(), State::SynSent);
    wire.icmp(&syn);
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::Refused)]);
    for role in [Role::Initiator, Role::Acceptor] {
        let mut wire = Wire::established(role, plain(), 100, 200);
        let data = wire.data(0, 0, b"").id(wire.id_out).encode(wire.now);
        let syn = wire.syn(0).id(wire.id_in).encode(wire.now);
        wire.icmp(&data);
        wire.icmp(&syn);
        wire.icmp(&[]);
        assert_eq!(wire.connection().state(), State::Connected);
    }
}

#[test]
fn unreachable_without_a_quote_refuses_connects_to_that_peer() {
    let mut wire = Wire::connecting(plain(), 100, 200, 1_000);
    wire.icmp(&[0x41, 0, 0]);
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::Refused)]);
}

#[test]
fn a_reset_of_a_lingering_connection_frees_it_quietly() {
    let mut wire = Wire::plain();
    wire.finish();
    wire.recv(wire.fin(0, 0));
    wire.take_events();
    assert_eq!(wire.connection().state(), State::Lingering);
    wire.release();
    wire.recv(wire.reset(0));
    assert_eq!(wire.endpoint.stats().connections, 0);
    assert!(wire.take_events().is_empty());
    wire.advance(100 * MS);
}

#[test]
fn a_reset_of_a_half_open_connection_ends_it() {
    let mut wire = Wire::accepting(plain(), 100, 200, 10);
    wire.recv(wire.reset(5));
    assert_eq!(wire.connection().state(), State::SynReceived);
    wire.recv(wire.reset(0));
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::Reset)]);
    assert_eq!(wire.endpoint.stats().half_open, 0);
}

#[test]
fn a_fin_that_cannot_be_delivered_to_a_peer_that_has_finished_counts_as_acked() {
    for role in [Role::Initiator, Role::Acceptor] {
        let mut wire = Wire::established(role, plain(), 100, 200);
        wire.finish();
        let fin = wire.fin(0, 0).id(wire.id_out);
        let fin = Raw { seq_nr: wire.seq_nr_of_us(0), ..fin };
        // As long as the peer may still be there to send, it is not believed.
        wire.icmp(&fin.encode(wire.now));
        assert!(wire.take_events().is_empty());
        wire.recv(wire.fin(0, -1));
        let other = Raw { seq_nr: wire.seq_nr_of_us(1), ..fin.clone() };
        wire.icmp(&other.encode(wire.now));
        assert_eq!(wire.take_events(), [Event::Readable]);
        wire.icmp(&fin.encode(wire.now));
        assert_eq!(wire.take_events(), [Event::Finished]);
        assert_eq!(wire.connection().state(), State::Lingering);
    }
}
