//! The packet that is withheld now and then: what an honest peer sees of it, and how one that lies
//! is found out by it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use std::collections::BTreeSet;

use utp_proto::{ConnectionError, Event, State};
use utp_wire::PacketType;
use wire::{FULL, MS, Wire, with_window};

/// A stream that flows, with up to `window` packets in flight, and who receives it.
struct Flow {
    wire: Wire,
    /// Numbers that have come, and the first that has not.
    came: BTreeSet<u16>,
    next: u16,
}

impl Flow {
    fn new(window: usize) -> Self {
        let mut config = with_window((window * FULL) as u64);
        config.withhold_packets = true;
        Self { wire: Wire::with(config), came: BTreeSet::new(), next: 0 }
    }

    /// More is written, a round trip passes, and what was sent has come. Returns how many packets.
    fn round(&mut self) -> usize {
        let room = self.wire.connection().send_room() / FULL * FULL;
        if room > 0 {
            self.wire.write(room);
        }
        self.wire.advance(20 * MS);
        let us = self.wire.us;
        let mut sent = self.wire.take();
        sent.retain(|sent| sent.is(PacketType::Data));
        for sent in &sent {
            let new = self.came.insert(sent.header.seq_nr.0.wrapping_sub(us));
            assert!(new, "{sent:?} was sent before");
        }
        while self.came.contains(&self.next) {
            self.next += 1;
        }
        sent.len()
    }

    fn has_hole(&self) -> bool {
        usize::from(self.next) < self.came.len()
    }

    /// The last number in order, as packets name it.
    fn ack(&self) -> i32 {
        i32::from(self.next) - 1
    }

    /// The numbers beyond a hole, as a mask.
    fn mask(&self) -> Vec<u8> {
        let mut mask = vec![0; 8];
        for number in self.came.range(self.next..) {
            let bit = usize::from(number - self.next) - 1;
            mask[bit / 8] |= 1 << (bit % 8);
        }
        mask
    }

    fn until_a_hole(&mut self) {
        while !self.has_hole() {
            self.round();
            if !self.has_hole() {
                self.wire.recv(self.wire.state(0, self.ack()));
            }
            assert!(self.next < 1_000, "there never is a hole");
        }
    }

    fn assert_found_out(mut self) {
        let closed = Event::Closed(ConnectionError::FalseAck);
        assert_eq!(self.wire.take_events().last(), Some(&closed));
        assert_eq!(self.wire.connection().state(), State::Closed);
        assert_eq!(self.wire.stats().false_acks, 1);
        let sent = self.wire.take();
        assert!(sent.len() == 1 && sent[0].is(PacketType::Reset), "{sent:?}");
    }
}

// req: HO-03
#[test]
fn an_honest_peer_gets_the_packet_a_round_trip_later_and_nothing_is_lost() {
    let mut flow = Flow::new(20);
    let (mut holes, mut carried) = (0, 0);
    for _ in 0..1_000 {
        carried += flow.round();
        let mut state = flow.wire.state(0, flow.ack());
        if flow.has_hole() {
            holes += 1;
            state = state.sack(&flow.mask());
        }
        flow.wire.recv(state);
    }
    let stats = flow.wire.stats();
    assert_eq!(stats.packets_withheld, holes);
    assert!((5..30).contains(&holes), "{holes}");
    assert_eq!((stats.losses_detected, stats.retransmissions, stats.timeouts), (0, 0, 0));
    assert_eq!((stats.tail_probes, stats.false_acks), (0, 0));
    // In each round trip a window, but for what is withheld of it.
    assert!(carried + 20 >= 20_000 - holes as usize, "{carried} with {holes}");
}

// req: HO-03
#[test]
fn a_send_buffer_of_one_window_keeps_it_full_while_a_packet_is_withheld() {
    let mut config = with_window(20 * FULL as u64);
    config.withhold_packets = true;
    config.send_buffer_bytes = u32::try_from(20 * FULL).unwrap();
    let mut flow = Flow { wire: Wire::with(config), came: BTreeSet::new(), next: 0 };
    flow.until_a_hole();
    flow.wire.recv(flow.wire.state(0, flow.ack()).sack(&flow.mask()));
    assert_eq!(flow.round(), 20);
    assert!(!flow.has_hole());
    assert!(flow.wire.connection().stats().send_buffered_bytes > 20 * FULL as u64);
    // All of that is acknowledged at last, and the buffer is what it was.
    flow.wire.recv(flow.wire.state(0, flow.ack()));
    assert_eq!(flow.wire.connection().send_room(), 20 * FULL);
}

#[test]
fn a_peer_that_never_gets_what_was_withheld_costs_no_more_than_a_second_buffer() {
    let mut config = with_window(20 * FULL as u64);
    config.withhold_packets = true;
    config.send_buffer_bytes = u32::try_from(20 * FULL).unwrap();
    let mut flow = Flow { wire: Wire::with(config), came: BTreeSet::new(), next: 0 };
    flow.until_a_hole();
    let hole = flow.next;
    for _ in 0..10 {
        flow.wire.recv(flow.wire.state(0, flow.ack()).sack(&flow.mask()));
        flow.round();
        flow.came.remove(&hole);
        flow.next = hole;
    }
    assert_eq!(flow.wire.stats().send_buffered_bytes, 40 * FULL as u64);
}

// req: HO-03
#[test]
fn a_peer_without_selective_acks_asks_for_the_packet_by_three_repeated_acks() {
    let mut flow = Flow::new(20);
    flow.until_a_hole();
    let hole = flow.next;
    flow.wire.recv(flow.wire.state(0, flow.ack()));
    for _ in 0..3 {
        flow.wire.recv(flow.wire.state(0, flow.ack()));
    }
    let hole = flow.wire.seq_nr_of_us(hole.into());
    assert!(flow.wire.take().iter().any(|sent| sent.header.seq_nr.0 == hole));
    let stats = flow.wire.stats();
    assert_eq!((stats.losses_detected, stats.retransmissions), (0, 0));
}

// req: HO-03
#[test]
fn an_ack_of_what_was_never_sent_ends_the_connection() {
    let mut flow = Flow::new(20);
    flow.until_a_hole();
    flow.wire.recv(flow.wire.state(0, flow.next.into()));
    flow.assert_found_out();
}

// req: HO-03
#[test]
fn a_selective_ack_of_what_was_never_sent_ends_the_connection() {
    let mut flow = Flow::new(20);
    flow.until_a_hole();
    flow.wire.recv(flow.wire.state(0, flow.ack() - 1).sack(&[0b1, 0, 0, 0]));
    flow.assert_found_out();
}

// req: HO-03
#[test]
fn with_room_for_one_packet_a_probe_brings_what_was_withheld() {
    let mut flow = Flow::new(20);
    for _ in 0..500 {
        if flow.round() > 0 {
            let state = flow.wire.state(0, flow.ack()).wnd(1_400);
            flow.wire.recv(state);
        }
    }
    assert!(!flow.has_hole());
    let stats = flow.wire.stats();
    assert!(stats.packets_withheld > 0);
    assert_eq!(stats.tail_probes, stats.packets_withheld);
    assert_eq!((stats.losses_detected, stats.retransmissions, stats.timeouts), (0, 0, 0));
}

#[test]
fn a_short_stream_and_one_that_does_not_want_it_have_nothing_withheld() {
    let mut flow = Flow::new(20);
    while flow.next < 60 {
        flow.round();
        flow.wire.recv(flow.wire.state(0, flow.ack()));
    }
    assert_eq!(flow.wire.stats().packets_withheld, 0);
    let mut flow = Flow { wire: Wire::with(with_window(1 << 16)), ..flow };
    (flow.came, flow.next) = (BTreeSet::new(), 0);
    while flow.next < 10_000 {
        flow.round();
        flow.wire.recv(flow.wire.state(0, flow.ack()));
    }
    assert_eq!(flow.wire.stats().packets_withheld, 0);
}
