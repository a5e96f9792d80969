//! SYN, SYN-ACK and the first packets: ids, numbers, repeats, time.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::{ConnectionError, EndpointConfig, Event, ReadError, State};
use utp_wire::PacketType;
use wire::{MS, Role, SECOND, Sent, Wire, plain};

fn seconds(sent: &[Sent], start: u64) -> Vec<u64> {
    sent.iter().map(|sent| (sent.at.as_micros() - start) / SECOND).collect()
}

// req: HS-03
#[test]
fn a_syn_carries_the_receive_id_and_everything_else_the_next() {
    let mut wire = Wire::connecting(plain(), 100, 200, 4_000);
    let syn = &wire.take()[0];
    assert!(syn.is(PacketType::Syn));
    // The header and eight bytes in extension 2.
    assert_eq!((syn.header.connection_id.0, syn.header.seq_nr.0, syn.len), (4_000, 98, 30));
    assert_eq!((syn.header.ack_nr.0, syn.header.timestamp_difference_microseconds.0), (0, 0));
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -2));
    wire.write(10);
    wire.recv(wire.data(0, -1, b"x"));
    let later = wire.take();
    assert!(later.len() >= 3);
    assert!(later.iter().all(|sent| sent.header.connection_id.0 == 4_001));
}

// req: HS-08
#[test]
fn an_initiator_answers_at_once_and_acks_one_less_than_the_syn_ack() {
    let mut wire = Wire::connecting(plain(), 100, 200, 4_000);
    wire.take();
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -2));
    wire.expect(&["STATE -1 ack -1"]);
    assert_eq!(wire.take_events(), [Event::Connected]);
    assert_eq!(wire.stats().rtt_us, 20_000);
}

#[test]
fn the_first_packet_carries_data_if_there_is_some() {
    let mut wire = Wire::connecting(plain(), 100, 200, 4_000);
    wire.write(3);
    wire.take();
    wire.recv(wire.state(0, -2));
    wire.expect(&["DATA -1 ack -1 len 3"]);
    wire.recv(wire.state(0, -1));
    wire.advance(100 * MS);
    wire.expect(&[]);
}

// req: HS-01, ID-01
#[test]
fn an_acceptor_answers_on_the_id_of_the_syn_and_keeps_its_number_unused() {
    let mut wire = Wire::accepting(plain(), 100, 200, 4_000);
    let state = &wire.take()[0];
    assert!(state.is(PacketType::State));
    assert_eq!(state.len, 20);
    assert_eq!(state.header.connection_id.0, 4_000);
    assert_eq!((state.header.seq_nr.0, state.header.ack_nr.0), (100, 198));
    assert_eq!(state.header.timestamp_difference_microseconds.0, 0);
    wire.recv(wire.data(-1, -1, b"go, and room for an answer and its repeats"));
    wire.expect(&["STATE 0 ack -1"]);
    assert_eq!(wire.take_events(), [Event::Connected, Event::Readable]);
    wire.write(5);
    wire.expect(&["DATA 0 ack -1 len 5"]);
}

// req: HS-13, U-04
#[test]
fn an_acceptor_asks_an_initiator_that_says_nothing_before_it_speaks() {
    let mut wire = Wire::accepting(plain(), 100, 200, 4_000);
    wire.take();
    // Not before it would have given up without an answer.
    wire.write(5);
    wire.advance(22_500 * MS - 1);
    wire.expect(&[]);
    // A packet that the initiator has already, whatever number it takes for the first of ours.
    wire.advance(1);
    wire.expect(&["DATA -1 ack -2 len 1"]);
    wire.advance(10 * SECOND);
    wire.expect(&[]);
    assert_eq!(wire.connection().state(), State::SynReceived);
    // One more for each SYN, and no more than three times what came.
    wire.recv(wire.syn(-2));
    wire.expect(&["STATE 0 ack -2", "DATA -1 ack -2 len 1"]);
    wire.recv(wire.state(-1, -1));
    assert_eq!(wire.take_events(), [Event::Connected]);
    wire.expect(&["DATA 0 ack -2 len 5"]);
    wire.recv(wire.state(-1, 0));
    wire.advance(10 * SECOND);
    wire.expect(&[]);
    assert_eq!(wire.stats().send_buffered_bytes, 0);
}

// req: HS-13
#[test]
fn the_first_word_to_an_initiator_that_has_nothing_to_say_may_be_lost_twice() {
    let mut wire = Wire::idle(EndpointConfig::default(), plain(), 100, 200, 4_000);
    wire.recv(wire.syn(-2));
    wire.take();
    // libutp's initiator sends nothing more before its first keepalive after 29 s.
    wire.recv(wire.data(-1, -1, b""));
    wire.accept();
    wire.expect(&["STATE 0 ack -1"]);
    wire.write(5_000);
    wire.expect(&["DATA 0 ack -1 len 6"]);
    wire.advance(10 * SECOND);
    wire.expect(&["DATA 0 ack -1 len 6", "DATA 0 ack -1 len 6"]);
    wire.recv(wire.state(0, 0));
    assert!(wire.take().iter().any(|sent| sent.len > 1_000), "it has proved itself");
}

// req: HS-13
#[test]
fn keepalives_leave_an_unproven_peer_the_end_of_the_stream() {
    let mut wire = Wire::idle(EndpointConfig::default(), plain(), 100, 200, 4_000);
    wire.recv(wire.syn(-2));
    wire.take();
    // All that ever comes: an empty stream and its end.
    wire.recv(wire.fin(-1, -1));
    wire.accept();
    wire.expect(&["STATE 0 ack -1"]);
    wire.advance(65 * SECOND);
    wire.take();
    wire.finish();
    wire.expect(&["FIN 0 ack -1"]);
    wire.advance(10 * SECOND);
    wire.expect(&["FIN 0 ack -1", "FIN 0 ack -1"]);
    wire.recv(wire.state(0, 0));
    assert!(wire.take_events().contains(&Event::Finished));
}

// req: U-04
#[test]
fn an_initiator_that_may_still_repeat_its_syn_is_not_asked() {
    // libutp takes a packet that comes before the SYN-ACK for the end of its SYNs, and waits for
    // the SYN-ACK for ever.
    let mut wire = Wire::accepting(plain(), 100, 200, 4_000);
    wire.write(5);
    wire.expect(&["STATE 0 ack -2"]);
    for pause_us in [3_500 * MS, 6_500 * MS] {
        wire.advance(pause_us);
        wire.expect(&[]);
        wire.recv(wire.syn(-2));
        wire.expect(&["STATE 0 ack -2"]);
    }
    wire.advance(MS);
    wire.recv(wire.state(-1, -1));
    wire.expect(&["DATA 0 ack -2 len 5"]);
    wire.recv(wire.state(-1, 0));
    wire.advance(20 * SECOND);
    wire.expect(&[]);
}

#[test]
fn an_early_writer_hears_which_number_the_initiator_takes_for_the_first() {
    let mut wire = Wire::accepting(plain(), 100, 200, 4_000);
    wire.write(5);
    wire.take();
    wire.recv(wire.state(-1, 0));
    wire.expect(&["DATA 1 ack -2 len 5"]);
}

// req: HS-09
#[test]
fn a_state_that_acks_the_syn_ack_opens_the_connection() {
    for ack in [-1, 0] {
        let mut wire = Wire::idle(EndpointConfig::default(), plain(), 100, 200, 4_000);
        wire.recv(wire.syn(-2));
        wire.take();
        wire.recv(wire.state(-1, ack));
        wire.accept();
        assert_eq!(wire.take_events(), [Event::Connected]);
        assert_eq!(wire.connection().state(), State::Connected);
        wire.write(1_000);
        // It has sent twice 20 bytes: a few go, and two resends.
        wire.expect(&[if ack == 0 { "DATA 1 ack -2 len 13" } else { "DATA 0 ack -2 len 13" }]);
        wire.advance(20 * SECOND);
        assert_eq!(wire.flow().len(), 2);
        wire.recv(wire.state(-1, ack + 1));
        assert_eq!(wire.take().iter().map(|sent| sent.payload.len()).sum::<usize>(), 987);
    }
    for ack in [-3, 1, 2, 1_000, 20_000] {
        let mut wire = Wire::idle(EndpointConfig::default(), plain(), 100, 200, 4_000);
        wire.recv(wire.syn(-2));
        wire.recv(wire.state(-1, ack));
        assert!(wire.incoming.is_none(), "ack {ack}");
    }
}

// req: HS-09
#[test]
fn an_acceptor_takes_data_that_acks_the_syn_ack_or_the_number_before() {
    let mut libutp = Wire::accepting(plain(), 100, 200, 4_000);
    libutp.recv(libutp.data(-1, -1, b"a"));
    assert_eq!(libutp.read(), b"a");
    let mut text = Wire::accepting(plain(), 100, 200, 4_000);
    text.recv(text.data(-1, 0, &[b'a'; 40]));
    assert_eq!(text.read(), [b'a'; 40]);
    // To a peer that counts the SYN-ACK as a packet, our stream starts one later.
    text.take();
    text.write(1);
    text.expect(&["DATA 1 ack -1 len 1"]);
    text.recv(text.state(0, 1));
    assert_eq!(text.stats().send_buffered_bytes, 0);
    for ack in [-3, 1, 2, 1_000, 20_000] {
        let mut wrong = Wire::accepting(plain(), 100, 200, 4_000);
        wrong.recv(wrong.data(-1, ack, b"a"));
        assert_eq!(wrong.connection().state(), State::SynReceived, "ack {ack}");
        assert_eq!(wrong.stats().packets_dropped, 1);
    }
}

#[test]
fn data_may_overtake_the_first_data() {
    let mut wire = Wire::accepting(plain(), 100, 200, 4_000);
    wire.take();
    wire.recv(wire.data(0, -1, b"b"));
    wire.expect(&["STATE 0 ack -2 mask 01000000"]);
    wire.recv(wire.data(-1, -1, b"a"));
    assert_eq!(wire.read(), b"ab");
}

// req: HS-02, H-12
#[test]
fn a_repeated_syn_gets_the_same_answer_and_no_second_connection() {
    let mut wire = Wire::accepting(plain(), 100, 200, 4_000);
    for _ in 0..3 {
        wire.advance(SECOND);
        wire.recv(wire.syn(-2));
        assert!(wire.incoming.is_none());
    }
    wire.expect(&["STATE 0 ack -2"; 4]);
    assert_eq!(wire.endpoint.stats().connections, 1);
}

// req: ID-07
#[test]
fn a_syn_into_a_live_connection_changes_nothing() {
    for seq in [-2, 7, 30_000] {
        let mut wire = Wire::established(Role::Acceptor, plain(), 100, 200);
        wire.write(1);
        wire.take();
        wire.recv(wire.syn(seq));
        assert!(wire.incoming.is_none());
        // Unless it is the old one, the peer is asked whether it still knows the connection.
        wire.expect(if seq == -2 { &[] } else { &["DATA -2 ack -1 len 1"] });
        wire.recv(wire.data(0, 0, b"still here"));
        assert_eq!(wire.read(), b"still here");
        assert_eq!(wire.stats().send_buffered_bytes, 0);
    }
}

/// An accepted stream that both sides have finished, and nobody has released.
fn finished() -> Wire {
    let mut wire = Wire::established(Role::Acceptor, plain(), 100, 200);
    wire.recv(wire.data(0, -1, b"old"));
    wire.recv(wire.fin(1, -1));
    wire.finish();
    wire.recv(wire.state(2, 0));
    assert_eq!(wire.connection().state(), State::Lingering);
    wire.take();
    wire
}

#[test]
fn a_late_copy_of_its_syn_does_not_reopen_a_finished_stream() {
    let mut wire = finished();
    wire.recv(wire.syn(-2));
    assert!(wire.incoming.is_none());
    wire.expect(&[]);
    assert_eq!(wire.connection().state(), State::Lingering);
}

// req: ID-09
#[test]
fn a_new_stream_may_take_the_id_of_a_finished_one() {
    let mut wire = finished();
    let old = wire.handle();
    wire.recv(wire.syn(500));
    let answer = wire.take().pop().unwrap();
    assert_eq!(answer.header.ack_nr.0, wire.seq_nr_of_them(500));
    wire.recv(wire.data(501, 0, b"new").ack_nr(answer.header.seq_nr.0.wrapping_sub(1)));
    wire.accept();
    assert_eq!(wire.read(), b"new");
    // The old one keeps what was not read.
    let now = wire.now;
    let mut old = wire.endpoint.connection_mut(old).unwrap();
    assert_eq!(old.read_chunk(now, 100).unwrap(), "old");
    assert_eq!(old.read_chunk(now, 100), Err(ReadError::Finished));
}

// req: HS-07
#[test]
fn a_syn_ack_with_another_ack_is_ignored() {
    let mut wire = Wire::connecting(plain(), 100, 200, 4_000);
    wire.take();
    for ack in [-3, -1, 0, 5, 30_000] {
        wire.recv(wire.state(0, ack));
    }
    wire.recv(wire.data(0, -2, b"x"));
    wire.recv(wire.fin(0, -2));
    wire.expect(&[]);
    assert_eq!(wire.connection().state(), State::SynSent);
    wire.recv(wire.state(0, -2));
    assert_eq!(wire.connection().state(), State::Connected);
}

// req: HS-04, HS-05, TM-01
#[test]
fn a_syn_is_repeated_then_sent_with_a_fresh_id_then_given_up() {
    let mut wire = Wire::connecting(plain(), 100, 200, 4_000);
    let start = wire.now.as_micros();
    wire.advance(20_999_999);
    assert!(wire.events.is_empty());
    wire.advance(1);
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::TimedOut)]);
    assert_eq!(wire.connection().state(), State::Closed);
    let sent = wire.take();
    assert!(sent.iter().all(|sent| sent.is(PacketType::Syn)));
    assert_eq!(seconds(&sent, start), [0, 1, 3, 7, 8, 10, 14]);
    let identity = |sent: &Sent| (sent.header.connection_id.0, sent.header.seq_nr.0);
    assert!(sent[..3].iter().all(|sent| identity(sent) == (4_000, 98)));
    let fresh = identity(&sent[3]);
    assert!(fresh.0.abs_diff(4_000) > 1);
    assert!(sent[3..].iter().all(|sent| identity(sent) == fresh));
    // The clock belongs to the id: whoever answers for the connection once it is gone shows it,
    // too.
    let ahead =
        |sent: &Sent| sent.header.timestamp_microseconds.0.wrapping_sub(sent.at.timestamp().0);
    assert!(sent[..3].iter().all(|syn| ahead(syn) == ahead(&sent[0])));
    assert!(sent[3..].iter().all(|syn| ahead(syn) == ahead(&sent[3])));
    assert_ne!(ahead(&sent[0]), ahead(&sent[3]));
    wire.advance(100 * SECOND);
    wire.expect(&[]);
    wire.release();
    assert_eq!(wire.endpoint.stats().connections, 0);
    assert_eq!(wire.endpoint.poll_timeout(), None);
}

#[test]
fn a_connect_may_take_as_long_as_its_owner_likes() {
    let mut config = plain();
    config.connect_timeout_us = 20_000 * SECOND;
    let mut wire = Wire::connecting(config, 100, 200, 4_000);
    wire.advance(19_999 * SECOND);
    assert!(wire.take().len() > 600, "a SYN every 32 seconds");
    assert_eq!(wire.connection().state(), State::SynSent);
    wire.advance(SECOND);
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::TimedOut)]);
}

#[test]
fn the_second_id_of_a_connect_works_and_the_late_answer_to_the_first_is_reset() {
    let mut wire = Wire::connecting(plain(), 100, 200, 4_000);
    wire.advance(7 * SECOND);
    let syn = wire.take().pop().unwrap();
    wire.recv(wire.state(0, -2));
    let reset = wire.take().pop().unwrap();
    assert!(reset.is(PacketType::Reset));
    assert_eq!((reset.header.connection_id.0, reset.header.ack_nr.0), (4_000, 200));
    assert_eq!(wire.connection().state(), State::SynSent);
    let answer = wire.state(0, 0).id(syn.header.connection_id.0).ack_nr(syn.header.seq_nr.0);
    wire.recv(answer);
    assert_eq!(wire.connection().state(), State::Connected);
    let first = wire.take().pop().unwrap();
    assert_eq!(first.header.connection_id.0, syn.header.connection_id.0 + 1);
    assert_eq!(first.header.seq_nr.0, syn.header.seq_nr.0.wrapping_add(1));
}

#[test]
fn a_round_trip_of_a_repeated_syn_is_not_measured() {
    let mut wire = Wire::connecting(plain(), 100, 200, 4_000);
    wire.advance(1_010 * MS);
    wire.recv(wire.state(0, -2));
    assert_eq!(wire.stats().rtt_us, 0);
}

// req: HS-11
#[test]
fn a_half_open_connection_is_gone_after_its_life() {
    let mut wire = Wire::accepting(plain(), 100, 200, 4_000);
    assert_eq!(wire.endpoint.stats().half_open, 1);
    wire.advance(59_999_999);
    assert!(wire.events.is_empty());
    wire.advance(1);
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::TimedOut)]);
    assert_eq!(wire.endpoint.stats().half_open, 0);
    assert_eq!(wire.read_until_end().1, ReadError::Closed(ConnectionError::TimedOut));
    wire.release();
    assert_eq!(wire.endpoint.stats().connections, 0);
}

#[test]
fn a_keepalive_proves_the_initiator_of_a_half_open_connection() {
    let mut wire = Wire::accepting(plain(), 100, 200, 4_000);
    wire.advance(29 * SECOND);
    wire.take();
    wire.recv(wire.state(-1, -2));
    assert_eq!(wire.take_events(), [Event::Connected]);
    wire.write(5);
    wire.expect(&["DATA 0 ack -2 len 5"]);
    wire.recv(wire.state(-1, 0));
    wire.advance(60 * SECOND);
    assert_eq!(wire.connection().state(), State::Connected);
}

// req: H-10
#[test]
fn half_open_connections_are_limited() {
    let mut limits = EndpointConfig::default();
    limits.half_open_max = 3;
    limits.report_at_syn = true;
    let mut wire = Wire::idle(limits, plain(), 100, 200, 10);
    for id in [10, 20, 30] {
        wire.recv(wire.syn(-2).id(id));
        wire.accept();
    }
    // Beyond, it is answered, and reported when it has proved itself.
    wire.take();
    wire.recv(wire.syn(-2).id(40));
    assert!(wire.incoming.is_none());
    let answer = wire.take().pop().unwrap();
    wire.recv(wire.data(-1, 0, b"").id(41).ack_nr(answer.header.seq_nr.0.wrapping_sub(1)));
    assert!(wire.incoming.take().unwrap().is_proven());
}

// req: HS-14, MF-05
#[test]
fn a_syn_with_payload_or_extensions_is_a_syn() {
    let payload = vec![7; 1_380];
    let mut wire = Wire::idle(EndpointConfig::default(), plain(), 100, 200, 10);
    wire.recv(wire.syn(-2).payload(&payload).extension(2, &[0; 8]).extension(9, &[1; 200]));
    wire.expect(&["STATE 0 ack -2"]);
    wire.recv(wire.data(-1, -1, b"first"));
    wire.accept();
    assert_eq!(wire.read(), b"first");
}

#[test]
fn a_dropped_syn_leaves_nothing_and_a_refused_one_is_reset() {
    let mut limits = EndpointConfig::default();
    limits.report_at_syn = true;
    let mut wire = Wire::idle(limits, plain(), 100, 200, 10);
    wire.recv(wire.syn(-2));
    wire.incoming = None;
    wire.advance(SECOND);
    wire.expect(&[]);
    assert_eq!(wire.endpoint.stats().connections, 0);
    wire.recv(wire.syn(-2));
    let incoming = wire.incoming.take().unwrap();
    wire.endpoint.refuse(wire.now, incoming);
    wire.drain();
    let reset = wire.take().pop().unwrap();
    assert!(reset.is(PacketType::Reset));
    assert_eq!((reset.header.connection_id.0, reset.header.ack_nr.0), (10, 198));
}

// req: HS-16
#[test]
fn data_to_an_unknown_id_opens_nothing() {
    let mut wire = Wire::idle(EndpointConfig::default(), plain(), 100, 200, 10);
    wire.recv(wire.data(0, 500, b"hello"));
    assert!(wire.incoming.is_none());
    assert_eq!(wire.endpoint.stats().connections, 0);
}

#[test]
fn releasing_a_connect_is_silent() {
    let mut wire = Wire::connecting(plain(), 100, 200, 4_000);
    wire.take();
    wire.release();
    wire.advance(30 * SECOND);
    wire.expect(&[]);
    assert!(wire.events.is_empty());
    assert_eq!(wire.endpoint.stats().connections, 0);
}
