//! Clocks that are set, drift, stand still or wrap while data flows.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pair;
mod wire;

use std::sync::Arc;

use pair::Pair;
use utp_proto::{Config, Gate, Instant};
use utp_wire::{Packet, PacketType};
use wire::{Role, Wire, plain};

const SECOND: u64 = 1_000_000;

/// A window of a few packets, so that an hour is soon run through.
fn small_window(gate: Gate) -> Config {
    let mut law = utp_ledbat::Config::libutp();
    law.window_max_bytes = 8_000;
    let mut config = Config::default();
    config.controller = Arc::new(law);
    config.timestamp_gate = gate;
    config
}

/// An endless stream from side 0 to side 1 on a path of 100 ms.
fn streaming(seed: u64, gate: Gate, start: u64) -> Pair {
    let mut pair = Pair::with_config(seed, small_window(gate));
    pair.now = Instant::from_micros(start);
    pair.record = false;
    pair.latency_us = 50_000;
    pair.connect(1 << 40, false);
    pair.run_for(5 * SECOND);
    pair
}

fn received_in(pair: &mut Pair, us: u64) -> u64 {
    let before = pair.only(1).read;
    pair.run_for(us);
    pair.only(1).read - before
}

// req: TM-11
#[test]
fn the_first_packet_of_each_side_reports_no_difference() {
    let mut pair = Pair::new(4);
    pair.keep_bytes = true;
    pair.connect(1_000, true);
    pair.run_for(SECOND);
    for side in [0, 1] {
        let first = pair.seen.iter().find(|seen| seen.from == side).unwrap();
        let header = Packet::decode(&first.bytes).unwrap().header;
        assert_eq!(header.timestamp_difference_microseconds.0, 0);
    }
}

// req: TM-11
#[test]
fn differences_are_told_in_the_clock_that_the_stamps_show() {
    for role in [Role::Initiator, Role::Acceptor] {
        let mut wire = Wire::established(role, plain(), 100, 200);
        for step in 0..40_u32 {
            wire.advance(u64::from(step) * 977_777);
            let told = step.wrapping_mul(0x1234_5677) | 1;
            wire.recv(wire.data(i32::try_from(step).unwrap(), -1, b"x").stamp(told));
            let sent = wire.take().into_iter().rfind(|sent| sent.is(PacketType::State)).unwrap();
            let shown = sent.header.timestamp_microseconds.0.wrapping_sub(told);
            let reported = sent.header.timestamp_difference_microseconds.0;
            assert!(reported.wrapping_sub(shown) <= 1, "{reported} for {shown}");
        }
    }
}

// req: TM-10
#[test]
fn stamps_track_the_time_across_every_wrap() {
    let mut wire = Wire::plain();
    let stamp = |wire: &mut Wire, seq: i32| {
        wire.recv(wire.data(seq, -1, b"x"));
        wire.take().pop().unwrap().header.timestamp_microseconds.0
    };
    let mut last = stamp(&mut wire, 0);
    for seq in 1..400 {
        wire.advance(61 * SECOND);
        let now = stamp(&mut wire, seq);
        assert_eq!(now.wrapping_sub(last), 61_000_000);
        assert_ne!(now, 0);
        last = now;
    }
}

// req: TM-14, F-11
#[test]
fn a_clock_that_jumps_ahead_costs_little() {
    for gate in [Gate::Drop] {
        let twin = received_in(&mut streaming(5, gate, SECOND), 60 * SECOND);
        assert!(twin > 3_000_000, "{twin}");
        for step in [SECOND, 3_600 * SECOND, 86_400 * SECOND] {
            for side in [0, 1] {
                let mut pair = streaming(5, gate, SECOND);
                pair.clocks_us[side] += step;
                let received = received_in(&mut pair, 60 * SECOND);
                assert!(
                    received * 10 >= twin * 9,
                    "{received} of {twin} bytes after {step} us at side {side}, {gate:?}, {:?}",
                    pair.only(0).closed
                );
            }
        }
    }
}

// req: F-11
#[test]
fn a_clock_that_runs_backwards_stands_still() {
    let twin = received_in(&mut streaming(6, Gate::Drop, SECOND), 60 * SECOND);
    for side in [0, 1] {
        let mut pair = streaming(6, Gate::Drop, SECOND);
        pair.clocks_us = [2; 2];
        pair.run_for(SECOND);
        pair.clocks_us[side] = 1;
        let received = received_in(&mut pair, 60 * SECOND);
        assert!(received * 10 >= twin * 9, "{received} of {twin} at side {side}");
    }
}

// req: F-11
#[test]
fn clocks_that_drift_by_500_ppm_cost_little() {
    let twin = received_in(&mut streaming(7, Gate::Drop, SECOND), 60 * SECOND);
    for side in [0, 1] {
        let mut pair = streaming(7, Gate::Drop, SECOND);
        let mut received = 0;
        for _ in 0..6_000 {
            received += received_in(&mut pair, 10_000);
            pair.clocks_us[side] += 5;
        }
        assert!(received * 10 >= twin * 9, "{received} of {twin} at side {side}");
        let handle = pair.only_handle(1 - side);
        let stats = pair.endpoints[1 - side].connection(handle).unwrap().stats();
        assert_eq!(stats.gate_failures, 0);
    }
}

// req: WR-09, F-11
#[test]
fn three_hours_of_data_keep_the_window_through_every_wrap() {
    // The wraps come at another age in each run.
    let starts = [SECOND, 1 << 30, 1 << 31, 3 << 30];
    // The first time-outs came before the first round trip of three seconds.
    let mut early = 0;
    let mut runs: Vec<Pair> = starts
        .iter()
        .map(|start| {
            let mut pair = Pair::with_config(8, small_window(Gate::Drop));
            pair.now = Instant::from_micros(*start);
            pair.record = false;
            pair.latency_us = 1_500_000;
            pair.connect(1 << 40, false);
            pair.run_for(300 * SECOND);
            let handle = pair.only_handle(0);
            early = pair.endpoints[0].connection(handle).unwrap().stats().timeouts;
            pair
        })
        .collect();
    for minute in 5..=180 {
        let windows: Vec<u64> = runs
            .iter_mut()
            .map(|pair| {
                pair.run_for(60 * SECOND);
                let handle = pair.only_handle(0);
                let stats = pair.endpoints[0].connection(handle).unwrap().stats();
                assert_eq!((stats.timeouts, stats.gate_failures), (early, 0));
                stats.window_bytes
            })
            .collect();
        let (min, max) = (windows.iter().min().unwrap(), windows.iter().max().unwrap());
        assert!(max * 10 <= min * 11, "minute {minute}: {windows:?}");
    }
}
