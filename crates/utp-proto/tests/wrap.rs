//! Streams that outlast their counters: sequence numbers, stamps and differences of stamps.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pair;

use pair::{Acceptor, Faults, Pair};
use utp_proto::{Config, Instant};
use utp_wire::PacketType;

const SECOND: u64 = 1_000_000;

/// Packets of 130 bytes of payload, and room for many of them.
fn small_packets() -> Config {
    let mut config = Config::default();
    config.datagram_bytes_max_v4 = 150;
    config
}

// req: WR-06
#[test]
fn two_hundred_thousand_packets_keep_every_byte() {
    let mut pair = Pair::with_config(1, small_packets());
    pair.record = false;
    let handle = pair.connect(130 * 200_000, true);
    assert!(pair.run_until(4_000 * SECOND, |pair| pair.app(0, handle).finished));
    assert_eq!(pair.only(1).read, 130 * 200_000);
    assert_eq!(pair.endpoints[0].connection(handle).unwrap().stats().timeouts, 0);
}

// req: WR-02, WR-05
#[test]
fn both_directions_wrap_under_faults() {
    let mut pair = Pair::with_config(2, small_packets());
    pair.record = false;
    pair.latency_us = 1_000;
    pair.faults = Faults { loss: 5, duplication: 20, reordering: 20 };
    pair.accepts = Acceptor { to_write: 130 * 66_000, finish: true, read_max: None };
    let handle = pair.connect(130 * 66_000, true);
    let ended = pair.run_until(40_000 * SECOND, |pair| {
        let app = pair.app(0, handle);
        app.finished && app.end_of_stream
    });
    assert!(ended, "{:?}", pair.app(0, handle));
    assert_eq!((pair.app(0, handle).read, pair.only(1).read), (130 * 66_000, 130 * 66_000));
}

/// How long a transfer takes that starts at `start` on clocks that are `clocks_us` ahead.
fn duration(start: u64, clocks_us: [u64; 2]) -> u64 {
    let mut pair = Pair::new(3);
    pair.now = Instant::from_micros(start);
    pair.clocks_us = clocks_us;
    pair.accepts = Acceptor { to_write: 2_000_000, finish: true, read_max: None };
    let handle = pair.connect(5_000_000, true);
    let ended = pair.run_until(600 * SECOND, |pair| {
        let app = pair.app(0, handle);
        app.finished && app.end_of_stream
    });
    assert!(ended);
    for side in [0, 1] {
        let handle = pair.only_handle(side);
        let stats = pair.endpoints[side].connection(handle).unwrap().stats();
        assert_eq!((stats.timeouts, stats.retransmissions), (0, 0));
    }
    assert!(pair.sent(0, PacketType::Data).len() > 3_400);
    pair.now.saturating_since(Instant::from_micros(start))
}

// req: WR-09
#[test]
fn a_wrap_of_the_stamps_goes_unnoticed() {
    let twin = duration(1_000_000, [0, 0]);
    assert!(twin > SECOND);
    for start in [(1 << 32) - SECOND, (1 << 32) - 1, 3 * (1 << 32) - SECOND / 2] {
        assert_eq!(duration(start, [0, 0]), twin);
    }
}

// req: WR-10
#[test]
fn clocks_any_distance_apart_measure_the_same_path() {
    let twin = duration(1_000_000, [0, 0]);
    let half = 1 << 31;
    for ahead in [half - 10_000, half - 5_000, half, half + 15_000, (1 << 32) - 10_000] {
        for clocks_us in [[ahead, 0], [0, ahead]] {
            let took = duration(1_000_000, clocks_us);
            // A measured delay that would read as "none" is told a microsecond off.
            assert!(took.abs_diff(twin) < twin / 100, "{clocks_us:?}: {took} for {twin}");
        }
    }
}
