//! Two different packets with one number.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::{ConnectionError, Event, ReadError, State};
use utp_wire::PacketType;
use wire::raw::Raw;
use wire::{MS, Role, SECOND, Wire, plain};

const CONFLICT: ReadError = ReadError::Closed(ConnectionError::Conflict);

/// A packet of somebody who does not know the clock of the peer.
fn forged(wire: &Wire, raw: Raw) -> Raw {
    let guess = 1_000_000_000 + u32::from(raw.seq_nr) % 60 * 40_000_000;
    raw.stamp(wire.now.timestamp().0.wrapping_add(guess))
}

// req: SQ-16
#[test]
fn two_copies_that_differ_end_the_stream_with_an_error() {
    Wire::everywhere(plain, |wire| {
        let second: [fn(&Wire) -> Raw; 4] = [
            |wire| wire.data(2, -1, b"c?"),
            |wire| wire.data(2, -1, b"c"),
            |wire| wire.data(2, -1, b"cc longer"),
            |wire| wire.fin(2, -1).payload(b"cc"),
        ];
        // Each on a connection of its own; the first is the one that is given.
        let mut wires = vec![wire];
        for _ in 1..4 {
            let (us, them) = (wires[0].us, wires[0].them);
            wires.push(Wire::established(Role::Initiator, plain(), us, them));
        }
        for (mut wire, second) in wires.into_iter().zip(second) {
            wire.recv(wire.data(0, -1, b"aa"));
            wire.recv(wire.data(2, -1, b"cc"));
            wire.recv(wire.data(2, -1, b"cc"));
            assert_eq!(wire.connection().state(), State::Connected);
            wire.take();
            wire.recv(second(&wire));
            wire.recv(wire.data(1, -1, b"bb"));
            assert_eq!(wire.read_until_end(), (b"aa".to_vec(), CONFLICT));
            assert_eq!(wire.take_events().last(), Some(&Event::Closed(ConnectionError::Conflict)));
            let resets = wire.take().iter().filter(|sent| sent.is(PacketType::Reset)).count();
            assert!(resets >= 1, "the peer has to know");
        }
    });
}

// req: HO-06
#[test]
fn data_after_an_injected_fin_is_no_clean_end() {
    // Of an attacker who knows every number and every clock.
    for after in 1..4 {
        let mut wire = Wire::plain();
        wire.recv(wire.data(0, -1, b"a"));
        wire.recv(wire.fin(1, -1));
        wire.advance(MS);
        wire.recv(wire.data(after, -1, b"real"));
        assert_eq!(wire.read_until_end(), (b"a".to_vec(), CONFLICT), "{after}");
    }
}

#[test]
fn the_peers_own_copy_takes_the_place_of_a_doubtful_one() {
    let mut wire = Wire::plain();
    for _ in 0..8 {
        wire.recv(wire.data(0, -1, b"a"));
    }
    wire.recv(forged(&wire, wire.data(2, -1, b"FAKE")));
    wire.recv(forged(&wire, wire.data(2, -1, b"FAKER")));
    wire.recv(wire.data(2, -1, b"c"));
    wire.recv(forged(&wire, wire.data(2, -1, b"FAKEST")));
    wire.recv(wire.data(1, -1, b"b"));
    wire.recv(wire.fin(3, -1));
    assert_eq!(wire.read_until_end(), (b"abc".to_vec(), ReadError::Finished));
}

#[test]
fn a_doubtful_packet_that_was_delivered_is_found_out_by_the_peers_copy() {
    // In place, and held until the gap filled.
    for held in [false, true] {
        let mut wire = Wire::plain();
        wire.recv(wire.data(0, -1, b"a"));
        if held {
            wire.recv(forged(&wire, wire.data(2, -1, b"FAKE")));
            wire.recv(wire.data(1, -1, b"b"));
            wire.recv(wire.data(2, -1, b"c"));
        } else {
            wire.recv(forged(&wire, wire.data(1, -1, b"FAKE")));
            wire.recv(wire.data(1, -1, b"b"));
        }
        wire.recv(wire.fin(3, -1));
        assert_eq!(wire.read_until_end().1, CONFLICT);
    }
}

#[test]
fn a_peer_whose_stamps_are_worthless_is_served_as_long_as_its_copies_agree() {
    let mut wire = Wire::plain();
    let mut stamp = 1_u32;
    for seq in 0..2_000_i32 {
        wire.advance(20 * MS);
        for copy in [seq + 1, seq, seq] {
            stamp = stamp.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            let byte = copy.to_le_bytes()[0];
            wire.recv(wire.data(copy, -1, &[byte]).stamp(stamp | 1));
        }
        assert_eq!(wire.connection().state(), State::Connected, "{seq}");
    }
    assert_eq!(wire.read().len(), 2_001);
    wire.recv(wire.data(2_005, -1, b"one").stamp(stamp | 1));
    stamp = stamp.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    wire.recv(wire.data(2_005, -1, b"two").stamp(stamp | 1));
    assert_eq!(wire.read_until_end().1, CONFLICT, "nothing tells which of them is right");
}

#[test]
fn doubtful_packets_beyond_what_can_be_remembered_are_not_held() {
    let mut wire = Wire::plain();
    for seq in 1..=1_000 {
        wire.recv(forged(&wire, wire.data(seq, -1, b"FAKE")));
    }
    assert_eq!(wire.stats().reordered_received, 256);
    for seq in 0..=1_000 {
        wire.recv(wire.data(seq, -1, b"real"));
    }
    wire.recv(wire.fin(1_001, -1));
    wire.advance(SECOND);
    let (bytes, end) = wire.read_until_end();
    // The first fakes were delivered with the packet before them.
    assert_eq!(end, CONFLICT);
    assert_eq!(&bytes[..4], b"real");
}

// req: SQ-16
#[test]
fn the_peers_own_empty_packet_finds_out_one_that_was_delivered_in_its_place() {
    // One that unlocks an acceptor, and a probe of the path MTU with its padding.
    for padded in [false, true] {
        let mut wire = Wire::plain();
        for _ in 0..8 {
            wire.recv(wire.data(0, -1, b"a"));
        }
        wire.recv(forged(&wire, wire.data(1, -1, b"FAKE")));
        let mut own = wire.data(1, -1, b"");
        if padded {
            own = own.extension(2, &[0; 8]).extension(0x70, &[0; 200]);
        }
        wire.recv(own);
        wire.recv(wire.data(2, -1, b"b"));
        assert_eq!(wire.read_until_end().1, CONFLICT);
    }
}

// req: SQ-16
#[test]
fn a_flood_does_not_make_the_stream_forget_what_it_doubts() {
    let mut wire = Wire::plain();
    for _ in 0..8 {
        wire.recv(wire.data(0, -1, b"a"));
    }
    wire.recv(forged(&wire, wire.data(1, -1, b"FAKE")));
    // Whoever is blind hits no number that is due.
    for seq in 20..1_000 {
        wire.recv(forged(&wire, wire.data(seq, -1, b"FAKE")));
    }
    wire.recv(wire.data(1, -1, b"b"));
    assert_eq!(wire.read_until_end().1, CONFLICT);
}

#[test]
fn a_probe_for_life_contradicts_nothing_however_many_acks_were_lost() {
    let mut wire = Wire::plain();
    for _ in 0..8 {
        wire.recv(wire.data(0, -1, b"a"));
    }
    // The clock of the peer has been set, so that its packets are doubtful for a while.
    wire.recv(forged(&wire, wire.data(1, -1, b"b")));
    for seq in 2..6 {
        wire.recv(wire.data(seq, -1, b"c"));
    }
    wire.recv(wire.data(1, -1, b"\0").extension(2, &[0, 0, 4, 0, 0, 0, 0, 0]));
    // The last of three does not say what it is.
    wire.recv(wire.data(1, -1, b"\0"));
    assert_eq!(wire.read(), b"abcccc");
    wire.recv(wire.data(6, -1, b"d"));
    assert_eq!(wire.read(), b"d");
    // Another payload is no probe.
    wire.recv(wire.data(1, -1, b"B"));
    assert_eq!(wire.read_until_end(), (Vec::new(), CONFLICT));
}
