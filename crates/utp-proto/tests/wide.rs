//! Windows of many packets, and the holes in them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pair;
mod wire;

use std::collections::BTreeSet;

use pair::{Fate, Pair};
use utp_proto::Config;
use utp_wire::PacketType;
use wire::{MS, Role, SECOND, Wire, with_window};

/// Payload of a packet of [`small_packets`].
const SMALL: usize = 130;

/// Small packets, and no limit but that of their number.
fn small_packets() -> Config {
    let mut config = with_window(1 << 40);
    config.datagram_bytes_max_v4 = 150;
    config.send_buffer_bytes = 8 << 20;
    config
}

/// Numbers of the DATA packets sent since the last look.
fn numbers(wire: &mut Wire) -> Vec<u16> {
    let us = wire.us;
    let sent = wire.take();
    let data = sent.iter().filter(|sent| sent.is(PacketType::Data));
    data.map(|sent| sent.header.seq_nr.0.wrapping_sub(us)).collect()
}

/// A mask that names what lies between the ack of -1 and `end`, but for `missing`.
fn mask_without(missing: &[usize], end: usize) -> Vec<u8> {
    let mut mask = vec![0; (end - 1).div_ceil(32) * 4];
    for seq in (1..end).filter(|seq| !missing.contains(seq)) {
        mask[(seq - 1) / 8] |= 1 << ((seq - 1) % 8);
    }
    mask
}

// req: SK-14, U-32
#[test]
fn holes_anywhere_in_a_long_mask_are_repaired_within_a_round_trip() {
    for us in [100, 0xfc00, 0xffff, 0x7e00] {
        let mut wire = Wire::established(Role::Initiator, small_packets(), us, 200);
        wire.write(SMALL * 1_000);
        wire.advance(20 * MS);
        assert_eq!(numbers(&mut wire).len(), 1_000);
        let missing = [0, 29, 30, 31, 33, 40, 512, 513, 600, 901];
        wire.recv(wire.state(0, -1).sack(&mask_without(&missing, 1_000)));
        wire.advance(20 * MS);
        assert_eq!(numbers(&mut wire), missing.map(|seq| u16::try_from(seq).unwrap()));
        wire.recv(wire.state(0, 999));
        assert_eq!(wire.stats().send_buffered_bytes, 0);
        assert_eq!(wire.stats().timeouts, 0);
    }
}

// req: SK-12
#[test]
fn many_holes_at_once_are_no_burst() {
    let mut pair = Pair::new(5);
    pair.latency_us = 50_000;
    let mut count = 0;
    pair.script = Some(Box::new(move |seen| {
        count += u32::from(seen.from == 0 && seen.packet_type == PacketType::Data);
        let lost = (3_000..3_120).contains(&count) && count % 2 == 0;
        if lost && seen.from == 0 { Fate::Drop } else { Fate::Deliver }
    }));
    let handle = pair.connect(8_000_000, true);
    assert!(pair.run_until(120 * SECOND, |pair| pair.app(0, handle).finished));
    let stats = pair.endpoints[0].connection(handle).unwrap().stats();
    assert!(stats.retransmissions >= 60, "{}", stats.retransmissions);
    assert_eq!(stats.timeouts, 0);
    let mut most = 0;
    let mut last = (pair.now, 0);
    for seen in pair.sent(0, PacketType::Data) {
        last = if seen.at == last.0 { (seen.at, last.1 + 1) } else { (seen.at, 1) };
        most = most.max(last.1);
    }
    assert!(most <= 10, "{most} packets at once");
}

// req: SK-13
#[test]
fn of_two_masks_in_one_packet_one_is_taken() {
    Wire::everywhere(small_packets, |mut wire| {
        wire.write(SMALL * 8);
        wire.advance(20 * MS);
        let before = wire.stats().bytes_acked;
        wire.recv(wire.state(0, -1).sack(&[0xff; 255]).sack(&[0b1, 0, 0, 0]));
        assert_eq!(wire.stats().bytes_acked - before, SMALL as u64);
        wire.recv(wire.state(0, -1).sack(&[]).sack(&[0xff; 3]));
        assert_eq!(wire.stats().bytes_acked - before, 7 * SMALL as u64);
    });
}

/// What libutp keeps, and how it answers.
struct Libutp {
    /// Next expected, relative to the first packet of the endpoint.
    expected: u32,
    held: BTreeSet<u32>,
    /// Packets that were too far ahead.
    refused: u32,
    farthest: u32,
}

impl Libutp {
    fn take(&mut self, seq_nr: u16) {
        let base = u16::try_from(self.expected & 0xffff).unwrap();
        let ahead = u32::from(seq_nr.wrapping_sub(base));
        if ahead >= 0x8000 {
            return;
        }
        if ahead >= 1_024 {
            self.refused += 1;
            return;
        }
        self.farthest = self.farthest.max(ahead);
        self.held.insert(self.expected + ahead);
        while self.held.remove(&self.expected) {
            self.expected += 1;
        }
    }

    /// The four bytes that it names packets with.
    fn mask(&self) -> [u8; 4] {
        let held = (0..30).filter(|bit| self.held.contains(&(self.expected + 1 + bit)));
        held.fold(0u32, |mask, bit| mask | 1 << bit).to_le_bytes()
    }
}

// req: U-38
#[test]
fn a_peer_that_holds_1024_packets_never_gets_one_that_is_farther_ahead() {
    let mut wire = Wire::established(Role::Initiator, small_packets(), 60_000, 200);
    let mut peer = Libutp { expected: 0, held: BTreeSet::new(), refused: 0, farthest: 0 };
    let mut draws = 1u64;
    let mut acks = Vec::new();
    let total = 20_000u32;
    let mut written = 0;
    while peer.expected < total {
        let room = wire.connection().send_room().min(SMALL * 4_000) / SMALL * SMALL;
        let len = room.min((total as usize - written) * SMALL);
        wire.write(len);
        written += len / SMALL;
        for sent in wire.take() {
            draws = draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if !sent.is(PacketType::Data) || draws >> 40 & 0xff == 0 {
                continue;
            }
            peer.take(sent.header.seq_nr.0.wrapping_sub(wire.us));
            let ack_nr =
                wire.us.wrapping_add(u16::try_from((peer.expected + 65_535) & 0xffff).unwrap());
            let state = wire.state(0, 0).wnd(u32::MAX).ack_nr(ack_nr);
            acks.push(if peer.held.is_empty() { state } else { state.sack(&peer.mask()) });
        }
        wire.advance(10 * MS);
        for ack in acks.drain(..) {
            wire.recv(ack);
        }
        assert!(wire.now.as_micros() < 600 * SECOND, "it stands still at {}", peer.expected);
    }
    assert_eq!(peer.refused, 0);
    assert!(peer.farthest > 900, "{} ahead at the most", peer.farthest);
}

// req: U-38, WR-07, H-28
#[test]
fn a_peer_that_names_more_than_libutp_holds_may_be_sent_16384_packets() {
    for us in [100, 0x8000, 0xffff] {
        let mut wire = Wire::established(Role::Initiator, small_packets(), us, 200);
        wire.recv(wire.state(0, -1).wnd(u32::MAX));
        wire.write(SMALL * 20_000);
        wire.advance(20 * MS);
        assert_eq!(numbers(&mut wire).len(), 1_023);
        // 1 023 ahead of what it expects: libutp could hold that.
        let mut mask = [0; 255];
        mask[1_022 / 8] = 1 << (1_022 % 8);
        wire.recv(wire.state(0, -1).wnd(u32::MAX).sack(&mask));
        wire.advance(20 * MS);
        assert_eq!(numbers(&mut wire).iter().filter(|number| **number >= 1_023).count(), 0);
        mask[1_023 / 8] = 1 << (1_023 % 8);
        wire.recv(wire.state(0, -1).wnd(u32::MAX).sack(&mask));
        wire.advance(20 * MS);
        let new = numbers(&mut wire).iter().filter(|number| **number >= 1_023).count();
        assert_eq!(new, 16_384 - 1_023);
        let head = wire.us.wrapping_add(16_383);
        wire.recv(wire.state(0, 0).wnd(u32::MAX).ack_nr(head));
        assert_eq!(
            wire.stats().in_flight_bytes,
            wire.stats().send_buffered_bytes.min(3_616 * SMALL as u64)
        );
        wire.advance(20 * MS);
        wire.us = head.wrapping_add(1);
        wire.recv(wire.state(0, 3_615).wnd(u32::MAX));
        assert_eq!(wire.stats().send_buffered_bytes, 0);
    }
}

// req: WR-07, WR-03, H-28
#[test]
fn packets_up_to_16383_ahead_are_held_and_delivered_in_order_from_any_start() {
    for them in [0, 0x7fff, 0xc001, 0xffff] {
        let mut config = small_packets();
        config.receive_buffer_bytes = 16 << 20;
        let mut wire = Wire::established(Role::Acceptor, config, 100, them);
        for seq in (1..16_384).rev() {
            let byte = u8::try_from(seq % 251).unwrap();
            wire.feed(wire.data(seq, -1, &[byte]));
        }
        wire.recv(wire.data(16_384, -1, b"too far"));
        let sent = wire.take();
        let mask = sent.last().unwrap().mask.clone().unwrap();
        assert_eq!(mask, [0xff; 252], "it names as much as there is room for");
        wire.recv(wire.data(0, -1, &[0]));
        wire.expect(&["STATE 0 ack 16383"]);
        let expected: Vec<u8> = (0..16_384).map(|seq| u8::try_from(seq % 251).unwrap()).collect();
        assert_eq!(wire.read(), expected);
        // What was received is old, as far back as a packet can be late.
        for seq in [16_383, 16_000, 1, 0] {
            wire.recv(wire.data(seq, -1, b"old"));
            wire.expect(&["STATE 0 ack 16383"]);
        }
        assert_eq!(wire.read(), b"");
    }
}

// req: WR-01
#[test]
fn a_hundred_packets_each_way_from_65530_arrive() {
    for role in [Role::Initiator, Role::Acceptor] {
        let mut wire = Wire::established(role, small_packets(), 65_530, 65_530);
        let mut read = Vec::new();
        for seq in 0..100 {
            wire.write(SMALL);
            wire.recv(wire.data(seq, seq - 1, &[u8::try_from(seq).unwrap()]));
            read.extend(wire.read());
            wire.recv(wire.state(seq + 1, seq));
        }
        assert_eq!(read, (0..100).collect::<Vec<u8>>());
        assert_eq!(numbers(&mut wire), (0..100).collect::<Vec<u16>>());
        assert_eq!(wire.stats().send_buffered_bytes, 0);
        assert_eq!(wire.stats().retransmissions, 0);
    }
}

// req: WR-04
#[test]
fn a_fin_at_the_wrap_that_comes_early_ends_the_stream_after_its_bytes() {
    for fin_nr in [0, 1, 0xffff, 0xfffe, 0x8000] {
        for before in 1..6 {
            let them = 0u16.wrapping_add(fin_nr).wrapping_sub(before);
            let mut wire = Wire::established(Role::Acceptor, small_packets(), 100, them);
            wire.recv(wire.fin(i32::from(before), -1));
            let mut expected = Vec::new();
            for seq in (0..before).rev() {
                assert_eq!(wire.read(), b"");
                wire.recv(wire.data(i32::from(seq), -1, &[u8::try_from(seq).unwrap(); 3]));
                expected.splice(0..0, [u8::try_from(seq).unwrap(); 3]);
            }
            let (read, end) = wire.read_until_end();
            assert_eq!((read, end), (expected, utp_proto::ReadError::Finished));
        }
    }
}
