//! Datagrams that are not uTP, and packets with odd or broken extensions.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::{ReadError, State};
use utp_wire::PacketType;
use wire::{FULL, MS, Wire, plain};

/// Hands bytes in; says whether they came back untouched.
fn comes_back(wire: &mut Wire, bytes: &[u8]) -> bool {
    wire.not_utp = None;
    wire.feed_bytes(wire.peer, bytes.to_vec());
    wire.drain();
    let back = wire.not_utp.take();
    assert!(back.as_ref().is_none_or(|back| back == bytes));
    back.is_some()
}

// req: MF-01
#[test]
fn datagrams_shorter_than_a_header_are_not_ours() {
    let mut wire = Wire::plain();
    let packet = wire.data(0, -1, b"").encode(wire.now);
    for len in 0..20 {
        assert!(comes_back(&mut wire, &packet[..len]), "{len} bytes");
    }
    assert_eq!(wire.endpoint.stats().not_utp, 20);
    wire.expect(&[]);
    assert!(!comes_back(&mut wire, &packet));
}

// req: MF-02, MF-03
#[test]
fn other_versions_and_types_are_not_ours_and_draw_no_answer() {
    let mut wire = Wire::plain();
    let mut packet = wire.data(0, -1, b"payload").encode(wire.now);
    for first in 0..=u8::MAX {
        let (kind, version) = (first >> 4, first & 15);
        if version == 1 && kind <= 4 {
            continue;
        }
        packet[0] = first;
        assert!(comes_back(&mut wire, &packet), "first byte {first:#04x}");
    }
    wire.expect(&[]);
    assert_eq!(wire.read(), b"");
    assert_eq!(wire.connection().state(), State::Connected);
}

// req: MF-06, MF-08
#[test]
fn neighbours_on_the_port_get_their_datagrams() {
    let mut wire = Wire::plain();
    let mut stun = vec![0x00, 0x01, 0x00, 0x08, 0x21, 0x12, 0xa4, 0x42];
    stun.resize(28, 7);
    let mut quic = vec![0xc3, 0x00, 0x00, 0x00, 0x01, 0x08];
    quic.resize(1_200, 7);
    let mut dtls = vec![22, 254, 253];
    dtls.resize(60, 7);
    let mut tracker = vec![0x00, 0x00, 0x04, 0x17, 0x27, 0x10, 0x19, 0x80];
    tracker.resize(20, 0);
    let neighbours: [&[u8]; 7] = [
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
        b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re",
        &stun,
        &quic,
        &dtls,
        &tracker,
        &[0; 40], // uTP of version 0 begins so, too.
    ];
    for datagram in neighbours {
        assert!(comes_back(&mut wire, datagram));
    }
    assert!(comes_back(&mut wire, &[0xff; 64]));
    wire.expect(&[]);
}

// req: EX-01, EX-02, EX-03, EX-04, EX-07
#[test]
fn unknown_extensions_are_skipped_wherever_they_stand() {
    let extensions: [&[(u8, &[u8])]; 8] = [
        &[(99, &[1, 2, 3])],
        &[(99, &[]), (255, &[0; 255])],
        &[(1, &[0; 4]), (99, &[5])],
        &[(2, &[0; 8])],
        &[(2, &[0; 3])],
        &[(2, &[])],
        &[(3, &[0, 0, 0, 1])],
        &[(3, &[0; 200]), (2, &[0; 9]), (1, &[])],
    ];
    let mut wire = Wire::plain();
    for (seq, extensions) in extensions.iter().enumerate() {
        let mut raw = wire.data(i32::try_from(seq).unwrap(), -1, b"payload");
        for (kind, body) in *extensions {
            raw = raw.extension(*kind, body);
        }
        wire.recv(raw);
        assert_eq!(wire.read(), b"payload", "{extensions:?}");
    }
}

// req: EX-08
#[test]
fn data_with_a_selective_ack_does_both() {
    let mut wire = Wire::plain();
    wire.write(FULL * 4);
    wire.take();
    wire.recv(wire.data(0, -1, b"payload").sack(&[0b11, 0, 0, 0]).extension(77, &[1; 9]));
    assert_eq!(wire.read(), b"payload");
    assert_eq!(wire.stats().in_flight_bytes, 2 * FULL as u64);
}

// req: EX-06
#[test]
fn an_extension_past_the_end_drops_the_whole_packet() {
    let mut wire = Wire::plain();
    wire.write(FULL);
    wire.take();
    let before = wire.stats();
    for cut in 1..8 {
        let mut bytes = wire.data(0, 0, b"").sack(&[1, 0, 0, 0]).encode(wire.now);
        bytes.truncate(bytes.len() - cut.min(6));
        assert!(!comes_back(&mut wire, &bytes));
    }
    let mut bytes = wire.data(0, 0, b"0123456789").sack(&[1, 0, 0, 0]).encode(wire.now);
    bytes[21] = 200;
    assert!(!comes_back(&mut wire, &bytes));
    assert_eq!(wire.endpoint.stats().malformed, 8);
    assert_eq!(wire.stats(), before, "neither acked nor delivered");
    wire.expect(&[]);
}

// req: MF-10, F-06
#[test]
fn a_packet_cut_at_any_byte_is_harmless() {
    let mut wire = Wire::plain();
    wire.write(FULL * 4);
    let bytes = wire.state(0, -1).sack(&[0xff; 64]).extension(9, &[3; 30]).encode(wire.now);
    for len in 0..bytes.len() {
        wire.feed_bytes(wire.peer, bytes[..len].to_vec());
    }
    wire.drain();
    assert_eq!(wire.stats().in_flight_bytes, 4 * FULL as u64);
    wire.recv(wire.state(0, 3));
    assert_eq!(wire.stats().in_flight_bytes, 0);
}

// req: EX-05, MF-07
#[test]
fn long_chains_of_extensions_are_walked_to_their_end() {
    let mut wire = Wire::plain();
    let mut raw = wire.data(0, -1, b"end");
    for _ in 0..700 {
        raw = raw.extension(200, &[]);
    }
    wire.recv(raw);
    assert_eq!(wire.read(), b"end");
    // As many as a datagram can hold, and every one of them a selective ack.
    wire.write(FULL * 4);
    let mut raw = wire.data(1, -1, b"");
    while raw.encode(wire.now).len() < 65_507 - 257 && raw.extensions.len() < 1_000 {
        raw = raw.sack(&[0xff; 255]);
    }
    wire.recv(raw);
    assert_eq!(wire.stats().in_flight_bytes, FULL as u64);
}

// req: MF-09
#[test]
fn a_flipped_bit_of_a_header_neither_wedges_nor_leaks() {
    // Type and number are left out: without a checksum such a packet is one that the peer could
    // have sent.
    for bit in 4..160 {
        if (128..144).contains(&bit) {
            continue;
        }
        let mut wire = Wire::plain();
        wire.write(FULL * 2);
        wire.advance(20 * MS);
        let mut flipped = wire.data(0, -1, b"good").encode(wire.now);
        flipped[bit / 8] ^= 0x80 >> (bit % 8);
        wire.feed_bytes(wire.peer, flipped);
        wire.drain();
        let state = wire.connection().state();
        assert_eq!(state, State::Connected, "bit {bit}");
        // The peer resends it, goes on, and acks.
        wire.recv(wire.data(0, 1, b"good"));
        wire.recv(wire.data(1, 1, b" and well"));
        wire.recv(wire.fin(2, 1));
        assert_eq!(wire.read_until_end(), (b"good and well".to_vec(), ReadError::Finished));
        assert_eq!(wire.stats().send_buffered_bytes, 0, "bit {bit}");
        let last = wire.take().into_iter().rfind(|sent| sent.is(PacketType::State)).unwrap();
        assert_eq!(last.header.ack_nr.0, wire.seq_nr_of_them(2));
    }
}

// req: SQ-15
#[test]
fn a_datagram_of_the_largest_size_is_taken() {
    let mut wire = Wire::with(plain());
    wire.recv(wire.data(0, -1, &vec![9; 65_487]));
    assert_eq!(wire.read(), vec![9; 65_487]);
}
