//! Peers that send much and mean little.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pair;
mod wire;

use pair::{Acceptor, Fate, Pair};
use utp_proto::{Config, ConnectionError};
use utp_wire::PacketType;
use wire::{FULL, MS, SECOND, Wire, plain};

// req: HO-14
#[test]
fn single_bytes_out_of_order_stay_within_the_receive_buffer() {
    let buffer = 100_000;
    let mut config = plain();
    config.receive_buffer_bytes = buffer;
    let mut wire = Wire::with(config);
    for round in 0..4 {
        for seq in 1..16_000 {
            wire.feed(wire.data(seq, -1, &[1]));
        }
        wire.drain();
        let charged = wire.stats().receive_charged_bytes;
        assert!(charged <= u64::from(buffer + buffer / 16), "{charged} in round {round}");
    }
    assert!(u64::from(wire.stats().reordered_received) * 65 <= u64::from(buffer + buffer / 16));
    wire.recv(wire.data(0, -1, &[1]));
    assert!(wire.read().len() > 700);
}

// req: HO-13
#[test]
fn a_window_that_flaps_lets_nothing_out_that_it_does_not_allow() {
    let mut wire = Wire::plain();
    wire.write(FULL * 40);
    wire.take();
    wire.recv(wire.state(0, -1));
    let sent = wire.stats().packets_sent;
    for round in 0..10_000 {
        let wnd = if round % 2 == 0 { 0 } else { u32::MAX };
        wire.advance(10);
        wire.recv(wire.state(0, -1).wnd(wnd));
    }
    // Resends of what is outstanding, by time, and nothing else.
    let more = wire.stats().packets_sent - sent;
    assert!(more < 10, "{more} packets in a tenth of a second");
    assert_eq!(wire.stats().in_flight_bytes, 40 * FULL as u64);
    wire.recv(wire.state(0, 39).wnd(1 << 20));
    assert_eq!(wire.stats().in_flight_bytes, 0);
}

// req: MF-09, F-05
#[test]
fn each_bit_of_a_header_flipped_in_a_live_stream_never_makes_it_look_whole() {
    for bit in 0..160 {
        let mut pair = Pair::with_config(bit, Config::default());
        pair.keep_bytes = true;
        pair.accepts = Acceptor { to_write: 60_000, finish: true, read_max: None };
        let handle = pair.connect(200_000, true);
        assert!(
            pair.run_until(10 * SECOND, |pair| {
                pair.apps[1].values().any(|app| app.read > 20_000)
            })
        );
        // One packet of the stream is changed on its way.
        pair.seen.clear();
        let mut taken = false;
        pair.script = Some(Box::new(move |seen| {
            let take = !taken && seen.from == 0 && seen.packet_type == PacketType::Data;
            taken |= take;
            if take { Fate::Drop } else { Fate::Deliver }
        }));
        pair.run_for(30 * MS);
        let first = pair.seen.iter().find(|s| s.from == 0 && s.packet_type == PacketType::Data);
        let mut bytes = first.unwrap().bytes.clone();
        let at = usize::try_from(bit).unwrap();
        bytes[at / 8] ^= 0x80 >> (at % 8);
        pair.deliver(1, bytes);
        pair.drain(1);
        pair.script = None;
        let ended = pair.run_until(120 * SECOND, |pair| {
            let app = pair.app(0, handle);
            (app.finished && app.end_of_stream) || app.closed.is_some()
        });
        assert!(ended, "bit {bit}: {:?}", pair.app(0, handle));
        // Every byte that was read was compared on the way.
        for (side, whole) in [(0, 60_000), (1, 200_000)] {
            let app = pair.apps[side].values().next().unwrap();
            let conflict = app.closed == Some(ConnectionError::Conflict);
            assert!(!app.end_of_stream || app.read == whole || conflict, "bit {bit}: {app:?}");
        }
    }
}
