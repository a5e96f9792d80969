//! How initiators prove themselves: cookies, the table, floods, and what may be sent before.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pair;
mod wire;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use pair::{Acceptor, Draws, Fate, Pair};
use utp_proto::{Config, EndpointConfig, Event, State, Verdict};
use utp_wire::PacketType;
use wire::{MS, Raw, Role, SECOND, Wire, plain};

/// An endpoint with a table of this many places.
fn idle(half_open_max: usize) -> Wire {
    let mut limits = EndpointConfig::default();
    limits.half_open_max = half_open_max;
    Wire::idle(limits, plain(), 100, 200, 10)
}

/// Forged SYNs, 256 from each network.
fn flood(wire: &mut Wire, count: u32) {
    for forged in 0..count {
        let [a, b, c, _] = forged.to_be_bytes().map(|byte| byte ^ 0x40);
        let syn = Raw::syn(u16::from_be_bytes([b, c]), 9).encode(wire.now);
        let [_, x, y, z] = forged.to_be_bytes();
        wire.feed_bytes(SocketAddr::from(([20 + a % 8, x, y, z], 4_000)), syn);
        wire.incoming = None;
        wire.drain();
    }
}

// req: HS-01, HS-02, HS-10, H-12
#[test]
fn a_bare_syn_makes_no_connection_and_data_makes_one() {
    for half_open_max in [0, 1_024] {
        let mut wire = idle(half_open_max);
        for _ in 0..3 {
            wire.recv(wire.syn(-2));
            wire.advance(SECOND);
        }
        // One answer each, all the same, and none by itself.
        wire.expect(&["STATE 0 ack -2"; 3]);
        assert_eq!(wire.endpoint.stats().connections, 0);
        assert!(wire.incoming.is_none());
        wire.recv(wire.data(-1, -1, b"kept"));
        assert!(wire.incoming.as_ref().unwrap().is_proven());
        wire.accept();
        assert_eq!(wire.take_events(), [Event::Connected, Event::Readable]);
        assert_eq!(wire.read(), b"kept");
    }
}

#[test]
fn a_cookie_proves_an_initiator_of_which_nothing_is_known() {
    // The first four packets may come first, with either way to ack, in this epoch and the next.
    for (seq, ack) in [(-1, -1), (0, -1), (2, -1), (-1, 0), (1, 0)] {
        let mut wire = idle(0);
        wire.recv(wire.syn(-2));
        wire.advance(29 * SECOND);
        wire.recv(wire.data(seq, ack, b"x"));
        assert!(wire.incoming.is_some(), "seq {seq} ack {ack}");
    }
    for (seq, ack, after) in [(3, -1, 0), (-2, -1, 0), (-1, 1, 0), (-1, -2, 0), (-1, -1, 60)] {
        let mut wire = idle(0);
        wire.recv(wire.syn(-2));
        wire.advance(after * SECOND);
        wire.take();
        wire.recv(wire.data(seq, ack, b"x"));
        assert!(wire.incoming.is_none(), "seq {seq} ack {ack}");
        assert!(wire.take()[0].is(PacketType::Reset));
    }
}

#[test]
fn a_question_with_the_number_of_its_syn_proves_a_silent_initiator() {
    // Whoever takes the SYN-ACK for a part of the stream has our next number one later.
    let answers = [(-1, "STATE 0 ack -2"), (0, "STATE 1 ack -2")];
    for ((ack, answer), places) in answers.into_iter().flat_map(|case| [(case, 0), (case, 1_024)]) {
        let mut wire = idle(places);
        wire.recv(wire.syn(-2));
        wire.take();
        // The STATE that came before it was lost.
        wire.advance(SECOND);
        wire.recv(wire.data(-2, ack, b""));
        wire.accept();
        assert_eq!(wire.take_events(), [Event::Connected]);
        wire.expect(&[answer]);
        wire.recv(wire.data(-1, ack, b"at last"));
        assert_eq!(wire.read(), b"at last");
    }
    // Nothing else has that number.
    let mut wire = idle(0);
    wire.recv(wire.syn(-2));
    for other in [wire.state(-2, -1), wire.fin(-2, -1), wire.data(-2, -1, b"x")] {
        wire.recv(other);
        assert!(wire.incoming.is_none());
    }
}

#[test]
fn what_the_table_remembers_may_come_in_any_order() {
    let mut wire = idle(1_024);
    wire.recv(wire.syn(-2));
    wire.take();
    wire.recv(wire.data(700, -1, b"far ahead"));
    wire.accept();
    wire.recv(wire.data(-1, -1, &[b'a'; 100]));
    assert_eq!(wire.read(), [b'a'; 100]);
}

#[test]
fn a_forged_syn_does_not_keep_out_the_initiator_whose_name_it_bears() {
    let mut wire = idle(1_024);
    wire.recv(wire.syn(-2));
    wire.recv(wire.syn(5_000));
    wire.take();
    wire.recv(wire.data(-1, -1, b"the true one"));
    wire.accept();
    assert_eq!(wire.read(), b"the true one");
}

#[test]
fn a_silent_initiator_is_not_reset_before_it_speaks() {
    // Nothing is remembered of it.
    let mut wire = idle(0);
    wire.recv(wire.syn(-2));
    wire.take();
    wire.advance(29 * SECOND);
    // A keepalive of libutp's.
    wire.recv(wire.state(-1, -2));
    assert!(wire.incoming.is_none());
    wire.expect(&[]);
    wire.recv(wire.data(-1, -1, b"at last"));
    assert!(wire.incoming.is_some());
}

#[test]
fn a_keepalive_of_an_initiator_that_is_remembered_proves_it() {
    let mut wire = idle(1_024);
    wire.recv(wire.syn(-2));
    wire.take();
    wire.advance(29 * SECOND);
    wire.recv(wire.state(-1, -2));
    wire.accept();
    assert_eq!(wire.take_events(), [Event::Connected]);
    wire.write(5);
    wire.expect(&["DATA 0 ack -2 len 5"]);
    wire.recv(wire.state(-1, 0));
    wire.recv(wire.data(-1, 0, b"at last"));
    assert_eq!(wire.read(), b"at last");
    // Without a keepalive's type, or with a number that no initiator would use, it proves nothing.
    for (strange, acks) in [(wire.data(-1, -2, b"x"), -2), (wire.state(9, -3), -3)] {
        let mut wire = idle(1_024);
        wire.recv(wire.syn(-2));
        wire.recv(strange);
        assert!(wire.incoming.is_none(), "ack {acks}");
    }
}

// req: HS-11, H-10
#[test]
fn what_the_table_remembers_is_gone_after_its_life() {
    let mut wire = idle(1_024);
    wire.recv(wire.syn(-2));
    assert_eq!(wire.endpoint.stats().half_open, 1);
    wire.advance(59_999_999);
    assert_eq!(wire.endpoint.stats().half_open, 1);
    wire.advance(1);
    assert_eq!(wire.endpoint.stats().half_open, 0);
    assert_eq!(wire.endpoint.poll_timeout(), None);
    assert!(wire.incoming.is_none() && wire.events.is_empty(), "nobody is told");
}

// req: HO-12, H-10
#[test]
fn one_network_has_32_places_in_the_table() {
    let mut wire = idle(1_024);
    for host in 0..200 {
        let syn = wire.syn(-2).encode(wire.now);
        wire.feed_bytes(([10, 9, 8, host], 7).into(), syn);
    }
    assert_eq!(wire.endpoint.stats().half_open, 32);
    wire.recv(wire.syn(-2));
    assert_eq!(wire.endpoint.stats().half_open, 33);
}

// req: HS-13, HO-01, H-10
#[test]
fn a_flood_of_forged_syns_fills_the_table_and_hinders_nobody() {
    let mut wire = idle(1_024);
    flood(&mut wire, 20_000);
    let sent = wire.take();
    assert_eq!(sent.len(), 20_000);
    assert!(sent.iter().all(|sent| sent.len == 20));
    let half_open = wire.endpoint.stats().half_open;
    assert!((900..=1_024).contains(&half_open), "{half_open}");
    wire.recv(wire.syn(-2));
    wire.expect(&["STATE 0 ack -2"]);
    wire.recv(wire.data(-1, -1, b"honest"));
    wire.accept();
    assert_eq!(wire.read(), b"honest");
    // Under pressure nothing stays for longer than ten seconds.
    wire.advance(10 * SECOND);
    assert_eq!(wire.endpoint.stats().half_open, 0);
}

#[test]
fn the_filter_is_asked_before_anything_is_sent_or_kept() {
    let mut limits = EndpointConfig::default();
    limits.syn_filter = Some(Arc::new(|syn: &utp_proto::SynInfo| match syn.id.0 {
        10 => Verdict::Answer,
        20 => Verdict::Ignore,
        _ => Verdict::Refuse,
    }));
    let mut wire = Wire::idle(limits, plain(), 100, 200, 10);
    wire.recv(wire.syn(-2).id(20));
    wire.expect(&[]);
    wire.recv(wire.syn(-2).id(30));
    let reset = wire.take().pop().unwrap();
    assert!(reset.is(PacketType::Reset));
    assert_eq!((reset.header.connection_id.0, reset.header.ack_nr.0), (30, 198));
    assert_eq!(wire.endpoint.stats().half_open, 0);
    wire.recv(wire.syn(-2));
    wire.expect(&["STATE 0 ack -2"]);
    wire.endpoint.refuse_connects(true);
    wire.recv(wire.syn(-2));
    assert!(wire.take().pop().unwrap().is(PacketType::Reset));
    assert_eq!(wire.endpoint.stats().syns_refused, 2);
}

#[test]
fn who_is_refused_at_his_data_is_reset() {
    let mut wire = idle(1_024);
    wire.recv(wire.syn(-2));
    wire.take();
    wire.recv(wire.data(-1, -1, b"hello"));
    let incoming = wire.incoming.take().unwrap();
    wire.endpoint.refuse(wire.now, incoming);
    wire.drain();
    let reset = wire.take().pop().unwrap();
    assert!(reset.is(PacketType::Reset));
    assert_eq!((reset.header.connection_id.0, reset.header.ack_nr.0), (11, 199));
    assert_eq!(wire.endpoint.stats().connections, 0);
}

/// Bytes that went out.
fn bytes(wire: &mut Wire) -> usize {
    wire.take().iter().map(|sent| sent.len).sum()
}

// req: HS-13, H-11
#[test]
fn no_more_than_three_times_comes_back_before_the_peer_acks_ours() {
    for first in [0, 1, 50, 1_000] {
        let mut wire = idle(0);
        wire.recv(wire.syn(-2));
        wire.take();
        wire.recv(wire.data(-1, -1, &vec![7; first]));
        wire.accept();
        let now = wire.now;
        assert_eq!(wire.connection_mut().write(now, &[1; 100_000]), Ok(100_000));
        wire.drain();
        wire.advance(44 * SECOND);
        let sent: Vec<_> = wire.take();
        let out: usize = sent.iter().map(|sent| sent.len).sum();
        assert!(out <= 3 * (20 + first), "{out} for {}", 20 + first);
        let data = sent.iter().filter(|sent| sent.is(PacketType::Data)).count();
        assert!((1..=3).contains(&data), "{data} times");
        // Any packet of it gets more, and its ack everything.
        wire.recv(wire.state(0, -1));
        assert!(bytes(&mut wire) <= 60);
        wire.recv(wire.state(0, 0));
        assert!(bytes(&mut wire) > 1_000);
    }
}

// req: HS-13, H-11
#[test]
fn who_is_accepted_at_its_syn_draws_no_more_than_three_times_what_it_sent_either() {
    let mut wire = Wire::accepting(plain(), 100, 200, 4_000);
    let now = wire.now;
    wire.connection_mut().write(now, &[1; 100_000]).unwrap();
    let mut came = 20;
    for _ in 0..3 {
        wire.advance(SECOND);
        wire.recv(wire.syn(-2));
        came += 20;
    }
    wire.recv(wire.data(-1, -1, b"x"));
    came += 21;
    wire.advance(40 * SECOND);
    let out = bytes(&mut wire);
    assert!((2 * came..=3 * came).contains(&out), "{out} for {came}");
}

// req: HS-13
#[test]
fn a_packet_to_an_unproven_peer_is_sent_again_twice_however_much_came() {
    let mut wire = idle(0);
    wire.recv(wire.syn(-2));
    wire.take();
    wire.recv(wire.data(-1, -1, &[7; 1_000]));
    wire.accept();
    wire.write(5);
    let at = |wire: &mut Wire| -> Vec<u64> {
        let sent = wire.take().into_iter().filter(|sent| sent.is(PacketType::Data));
        sent.map(|sent| sent.at.saturating_since(wire.now) / SECOND).collect()
    };
    wire.advance(30 * SECOND);
    assert_eq!(at(&mut wire).len(), 3);
    // Whatever comes gets as many more.
    wire.recv(wire.data(0, -1, b"more"));
    wire.advance(14 * SECOND);
    assert!((1..=2).contains(&at(&mut wire).len()));
}

#[test]
fn an_acceptor_that_speaks_first_is_heard_whatever_is_lost() {
    for lost in 0..6u32 {
        let mut pair = Pair::new(u64::from(lost));
        pair.accepts = Acceptor { to_write: 50_000, finish: true, read_max: None };
        let mut seen_of_acceptor = 0;
        pair.script = Some(Box::new(move |seen| {
            seen_of_acceptor += u32::from(seen.from == 1);
            if seen.from == 1 && seen_of_acceptor == lost { Fate::Drop } else { Fate::Deliver }
        }));
        let handle = pair.connect(0, false);
        let done = pair.run_until(60 * SECOND, |pair| pair.app(0, handle).read == 50_000);
        assert!(done, "with the acceptor's packet {lost} lost");
        assert!(pair.now.as_micros() < 6 * SECOND, "{lost}: {:?}", pair.now);
    }
}

// req: ID-07, ID-08
#[test]
fn a_peer_that_has_restarted_connects_again_with_the_same_id() {
    let mut wire = Wire::established(Role::Acceptor, plain(), 100, 200);
    wire.advance(20 * SECOND);
    wire.take();
    // It sends its SYN at 0, 3 and 9 s; the old connection is asked and answers nothing.
    wire.recv(wire.syn(5_000));
    wire.advance(3 * SECOND);
    wire.recv(wire.syn(5_000));
    assert_eq!(wire.connection().state(), State::Connected);
    wire.advance(6 * SECOND);
    assert_eq!(wire.connection().state(), State::Closed);
    assert!(wire.take().iter().all(|sent| sent.is(PacketType::Data) && sent.payload.len() == 1));
    wire.recv(wire.syn(5_000));
    let answer = wire.take().pop().unwrap();
    assert!(answer.is(PacketType::State));
    let first = wire.data(5_001, 0, b"anew").ack_nr(answer.header.seq_nr.0.wrapping_sub(1));
    wire.events.clear();
    wire.recv(first);
    wire.accept();
    assert_eq!(wire.read(), b"anew");
}

// req: ID-07
#[test]
fn forged_syns_do_not_end_a_connection_whose_peer_answers() {
    let mut wire = Wire::established(Role::Acceptor, plain(), 100, 200);
    for forged in 0..100 {
        wire.recv(wire.syn(1_000 + forged));
        wire.advance(20 * MS);
        // It acks what it has already.
        wire.recv(wire.state(0, -1));
        wire.advance(SECOND);
    }
    assert_eq!(wire.connection().state(), State::Connected);
    assert!(wire.take().len() <= 100, "one question each");
}

// req: ID-07, HS-13
#[test]
fn many_forged_syns_draw_one_probe() {
    let mut wire = Wire::established(Role::Acceptor, plain(), 100, 200);
    wire.advance(20 * SECOND);
    wire.take();
    for seq in 0..100 {
        wire.recv(wire.syn(5_000 + seq));
    }
    wire.expect(&["DATA -2 ack -1 len 1"]);
    wire.advance(2_500 * MS);
    assert!(wire.flow().len() <= 2);
    assert_eq!(wire.connection().state(), State::Connected);
}

// req: ID-07
#[test]
fn a_forged_syn_does_not_end_a_connection_over_a_path_of_five_seconds() {
    let mut wire = Wire::established(Role::Acceptor, plain(), 100, 200);
    let mut delay = 25 * MS;
    for seq in 0..80 {
        wire.write(10);
        wire.advance(delay);
        wire.recv(wire.state(0, seq));
        delay = (delay * 11 / 10).min(5 * SECOND);
    }
    assert!(wire.stats().rtt_us > 4_000_000, "{}", wire.stats().rtt_us);
    wire.take();
    wire.recv(wire.syn(1_000));
    wire.advance(5 * SECOND);
    wire.recv(wire.state(0, 79));
    assert_eq!(wire.connection().state(), State::Connected);
}

// req: ID-09, H-34
#[test]
fn late_packets_of_a_connection_that_is_gone_do_not_open_another() {
    let mut wire = idle(1_024);
    wire.recv(wire.syn(-2));
    wire.recv(wire.data(-1, -1, &[1; 100]));
    wire.accept();
    let now = wire.now;
    wire.connection_mut().abort(now);
    wire.drain();
    wire.release();
    wire.take();
    wire.recv(wire.data(-1, -1, &[1; 100]));
    wire.recv(wire.syn(-2));
    assert!(wire.incoming.is_none());
    let sent = wire.take();
    assert!(sent.iter().all(|sent| sent.is(PacketType::Reset)), "{sent:?}");
    assert_eq!(wire.endpoint.stats().connections, 0);
    assert_eq!(wire.endpoint.stats().half_open, 0);
}

// req: HS-12, H-06
#[test]
fn first_numbers_differ_over_restarts() {
    for accepts in [false, true] {
        let numbers: BTreeSet<u16> = (0..64)
            .map(|seed| {
                let mut pair = Pair::with_config(seed, Config::default());
                pair.connect(0, false);
                pair.run_for(50 * MS);
                let from = usize::from(accepts);
                pair.seen.iter().find(|seen| seen.from == from).unwrap().seq_nr
            })
            .collect();
        assert!(numbers.len() >= 60, "{}", numbers.len());
    }
}

// req: H-06
#[test]
fn first_numbers_of_one_endpoint_do_not_repeat_themselves() {
    let mut wire = idle(1_024);
    let mut counts = std::collections::BTreeMap::new();
    for id in 0..10_000 {
        wire.recv(wire.syn(-2).id(id));
        let answer = wire.take().pop().unwrap();
        *counts.entry(answer.header.seq_nr.0).or_insert(0) += 1;
    }
    assert!(counts.values().all(|count| *count <= 5));
}

#[test]
fn sides_that_hold_more_tell_each_other_in_the_handshake() {
    let bits = [0, 0, 2, 0, 0, 0, 0, 0];
    let mut wire = idle(1_024);
    wire.recv(wire.syn(-2).extension(2, &bits));
    let answer = wire.take().pop().unwrap();
    assert_eq!(answer.len, 30, "no more than the SYN");
    wire.recv(wire.syn(-2).extension(2, &[0; 8]).id(30));
    assert_eq!(wire.take().pop().unwrap().len, 20);
    // With its second id an initiator leaves it out: something may drop what has extensions.
    let mut wire = Wire::connecting(plain(), 100, 200, 4_000);
    wire.advance(8 * SECOND);
    let lens: Vec<usize> = wire.take().iter().map(|sent| sent.len).collect();
    assert_eq!(lens, [30, 30, 30, 20, 20]);
    let mut limits = EndpointConfig::default();
    limits.announce_holds_more = false;
    let mut wire = Wire::connecting_with(limits, plain(), 100, 200, 4_000);
    assert_eq!(wire.take()[0].len, 20);
}

// req: HS-13, H-11
#[test]
fn an_answer_is_never_longer_than_the_syn() {
    for report_at_syn in [false, true] {
        let mut limits = EndpointConfig::default();
        limits.report_at_syn = report_at_syn;
        let mut wire = Wire::idle(limits, plain(), 100, 200, 10);
        wire.recv(wire.syn(-2).extension(2, &[0, 0, 2, 0, 0, 0, 0, 0]));
        if report_at_syn {
            wire.accept();
        }
        assert_eq!(bytes(&mut wire), 30);
        // What the first copy told is known, and not told again.
        wire.recv(wire.syn(-2));
        assert_eq!(bytes(&mut wire), 20, "reported at its SYN: {report_at_syn}");
    }
}

// req: HS-13, HO-02, H-11, H-12
#[test]
fn packets_of_every_type_draw_no_more_than_they_bring() {
    let mut wire = idle(1_024);
    let mut draws = Draws(7);
    let mut bytes_in = 0;
    let types = [PacketType::Data, PacketType::Fin, PacketType::State, PacketType::Syn];
    for packet in 0..40_000u32 {
        let mut raw = Raw::syn(0, 0);
        raw.packet_type = types[usize::try_from(draws.next() % 4).unwrap()];
        raw.id = u16::try_from(draws.next() % 4).unwrap();
        raw.seq_nr = u16::try_from(draws.next() % 8).unwrap();
        raw.ack_nr = u16::try_from(draws.next() % 65_536).unwrap();
        if draws.chance(300) {
            raw = raw.extension(2, &[0, 0, 2, 0, 0, 0, 0, 0]);
        }
        let datagram = raw.encode(wire.now);
        bytes_in += datagram.len();
        let [_, a, b, _] = packet.to_be_bytes();
        wire.feed_bytes(([10, 0, a % 4, b % 16], 7).into(), datagram);
        wire.incoming = None;
        wire.advance(10);
    }
    let out = bytes(&mut wire);
    assert!(out <= bytes_in, "{out} for {bytes_in}");
    // A minute later nothing has been sent by itself.
    wire.advance(60 * SECOND);
    assert_eq!(bytes(&mut wire), 0);
}

#[test]
fn a_cookie_alone_proves_nothing_while_everybody_fits_into_the_table() {
    // Every number that a stray packet could acknowledge, to an address that has sent no SYN.
    let lucky = |half_open_max, syns: u32| {
        let mut wire = idle(half_open_max);
        flood(&mut wire, syns);
        wire.take();
        wire.advance(SECOND);
        let stray = |ack_nr| Raw { id: 4_711, ..wire.data(0, 0, b"x") }.ack_nr(ack_nr);
        let strays: Vec<Raw> = (0..=u16::MAX).map(stray).collect();
        let mut lucky = 0;
        for stray in strays {
            wire.feed(stray);
            lucky += u32::from(wire.incoming.take().is_some());
        }
        lucky
    };
    assert_eq!(lucky(1_024, 20), 0);
    // Beyond that eight numbers are taken, in this epoch and the last.
    assert!((8..=16).contains(&lucky(1_024, 5_000)));
}
