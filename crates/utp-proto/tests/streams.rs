//! Bytes through two endpoints, with and without faults.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pair;

use pair::{Acceptor, App, Fate, Faults, Pair};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use utp_proto::{Config, State};
use utp_wire::PacketType;

const SECOND: u64 = 1_000_000;

fn done(app: &App, reads: u64) -> bool {
    app.finished && app.end_of_stream && app.read == reads
}

// req: SQ-01
#[test]
fn bytes_and_both_ends_arrive_in_both_directions() {
    let mut pair = Pair::new(1);
    pair.accepts = Acceptor { to_write: 300_000, finish: true, read_max: None };
    pair.connect(500_000, true);
    let ended = pair.run_until(60 * SECOND, |pair| {
        pair.apps[1].len() == 1 && done(pair.only(0), 300_000) && done(pair.only(1), 500_000)
    });
    assert!(ended, "{:?}", pair.apps);
    assert_eq!(pair.endpoints[0].connection(pair.only_handle(0)).unwrap().stats().timeouts, 0);
}

#[test]
fn released_connections_leave_nothing_behind() {
    let mut pair = Pair::new(2);
    pair.accepts = Acceptor { to_write: 10_000, finish: true, read_max: None };
    pair.connect(10_000, true);
    pair.run_until(30 * SECOND, |pair| pair.apps[0].values().all(|app| done(app, 10_000)));
    pair.run_for(SECOND);
    for side in [0, 1] {
        let handle = pair.only_handle(side);
        let now = pair.now;
        pair.endpoints[side].release(now, handle);
        assert!(pair.endpoints[side].connection(handle).is_none());
        assert!(!pair.endpoints[side].is_idle(), "a repeated FIN may come");
    }
    pair.run_for(60 * SECOND);
    for side in [0, 1] {
        assert!(pair.endpoints[side].is_idle());
        assert_eq!(pair.endpoints[side].poll_timeout(), None, "nothing left to wait for");
    }
}

#[test]
fn dropping_a_stream_still_delivers_what_was_written() {
    let mut pair = Pair::new(3);
    let handle = pair.connect(200_000, false);
    pair.run_until(SECOND * 30, |pair| pair.app(0, handle).connected);
    assert_eq!(pair.app(0, handle).written, 200_000);
    let now = pair.now;
    pair.endpoints[0].release(now, handle);
    pair.drain(0);
    let ended = pair.run_until(60 * SECOND, |pair| {
        pair.apps[1].values().any(|app| app.read == 200_000 && app.end_of_stream)
    });
    assert!(ended);
    pair.run_for(60 * SECOND);
    assert_eq!(pair.endpoints[0].stats().connections, 0);
}

#[test]
fn a_lost_packet_is_resent_without_a_time_out() {
    let mut pair = Pair::new(4);
    let mut data_seen = 0;
    pair.script = Some(Box::new(move |seen| {
        let full = seen.packet_type == PacketType::Data && seen.payload_len > 1_000;
        data_seen += u32::from(full);
        if full && data_seen == 40 { Fate::Drop } else { Fate::Deliver }
    }));
    let handle = pair.connect(300_000, true);
    assert!(pair.run_until(60 * SECOND, |pair| pair.app(0, handle).finished));
    let stats = pair.endpoints[0].connection(handle).unwrap().stats();
    assert_eq!((stats.retransmissions, stats.timeouts), (1, 0));
    assert_eq!(pair.only(1).read, 300_000);
}

#[test]
fn a_resend_that_is_lost_too_is_found_without_a_time_out() {
    let mut pair = Pair::new(5);
    let mut data_seen = 0;
    let mut victim = None;
    let mut drops = 0;
    pair.script = Some(Box::new(move |seen| {
        let full = seen.packet_type == PacketType::Data && seen.payload_len > 1_000;
        data_seen += u32::from(full);
        if full && data_seen == 60 {
            victim = Some(seen.seq_nr);
        }
        if full && Some(seen.seq_nr) == victim && drops < 3 {
            drops += 1;
            return Fate::Drop;
        }
        Fate::Deliver
    }));
    let handle = pair.connect(600_000, true);
    assert!(pair.run_until(60 * SECOND, |pair| pair.app(0, handle).finished));
    let stats = pair.endpoints[0].connection(handle).unwrap().stats();
    assert_eq!((stats.retransmissions, stats.timeouts), (3, 0));
}

#[test]
fn packets_that_are_overtaken_by_a_little_are_not_resent_for_long() {
    let mut pair = Pair::new(13);
    pair.latency_us = 50_000;
    let mut data_seen = 0;
    pair.script = Some(Box::new(move |seen| {
        data_seen += u32::from(seen.packet_type == PacketType::Data);
        let late = seen.packet_type == PacketType::Data && data_seen % 7 == 0;
        if late { Fate::Delay(20_000) } else { Fate::Deliver }
    }));
    let handle = pair.connect(2_000_000, true);
    assert!(pair.run_until(60 * SECOND, |pair| pair.app(0, handle).finished));
    let stats = pair.endpoints[0].connection(handle).unwrap().stats();
    assert_eq!(stats.timeouts, 0);
    assert!(stats.retransmissions <= 3, "{} of 1 450 packets", stats.retransmissions);
}

#[test]
fn many_holes_in_one_window_are_filled_without_a_time_out() {
    let mut pair = Pair::new(6);
    let mut data_seen = 0;
    pair.script = Some(Box::new(move |seen| {
        let full = seen.packet_type == PacketType::Data && seen.payload_len > 1_000;
        data_seen += u32::from(full);
        let lost = full && (100..160).contains(&data_seen) && data_seen % 4 == 0;
        if lost { Fate::Drop } else { Fate::Deliver }
    }));
    let handle = pair.connect(1_000_000, true);
    assert!(pair.run_until(60 * SECOND, |pair| pair.app(0, handle).finished));
    let stats = pair.endpoints[0].connection(handle).unwrap().stats();
    assert_eq!((stats.retransmissions, stats.timeouts), (15, 0));
}

#[test]
fn a_lost_tail_is_repaired_by_a_probe_long_before_the_time_out() {
    let mut pair = Pair::new(7);
    let mut dropped = false;
    pair.script = Some(Box::new(move |seen| {
        if seen.packet_type == PacketType::Fin && !dropped {
            dropped = true;
            return Fate::Drop;
        }
        Fate::Deliver
    }));
    let handle = pair.connect(5_000, true);
    assert!(pair.run_until(10 * SECOND, |pair| pair.app(0, handle).finished));
    let stats = pair.endpoints[0].connection(handle).unwrap().stats();
    assert_eq!((stats.timeouts, stats.tail_probes), (0, 1));
}

#[test]
fn a_reader_that_stops_closes_the_window_and_resumes() {
    let mut config = Config::default();
    config.receive_buffer_bytes = 100_000;
    let mut pair = Pair::with_config(8, config);
    pair.accepts = Acceptor { read_max: Some(0), ..Acceptor::default() };
    let handle = pair.connect(1_000_000, true);
    pair.run_for(20 * SECOND);
    let acceptor = pair.only_handle(1);
    let charged = pair.endpoints[1].connection(acceptor).unwrap().stats().receive_charged_bytes;
    assert!((90_000..=110_000).contains(&charged), "{charged}");
    let before = pair.seen.len();
    pair.run_for(120 * SECOND);
    let probes = pair.seen.len() - before;
    assert!((2..40).contains(&probes), "a shut window is probed now and then: {probes}");
    pair.apps[1].get_mut(&acceptor).unwrap().read_max = None;
    pair.drain(1);
    assert!(pair.run_until(60 * SECOND, |pair| pair.app(0, handle).finished));
    assert_eq!(pair.only(1).read, 1_000_000);
}

#[test]
fn a_lost_window_update_is_survived() {
    let mut config = Config::default();
    config.receive_buffer_bytes = 50_000;
    let mut pair = Pair::with_config(9, config);
    pair.accepts = Acceptor { read_max: Some(0), ..Acceptor::default() };
    let handle = pair.connect(200_000, true);
    pair.run_for(5 * SECOND);
    let mut updates = 0;
    pair.script = Some(Box::new(move |seen| {
        updates += u32::from(seen.from == 1);
        if seen.from == 1 && updates == 1 { Fate::Drop } else { Fate::Deliver }
    }));
    let acceptor = pair.only_handle(1);
    pair.apps[1].get_mut(&acceptor).unwrap().read_max = None;
    pair.drain(1);
    assert!(pair.run_until(60 * SECOND, |pair| pair.app(0, handle).finished));
}

#[test]
fn half_close_keeps_the_other_direction_open() {
    let mut pair = Pair::new(10);
    pair.accepts = Acceptor { to_write: 0, finish: false, read_max: None };
    let handle = pair.connect(1_000, true);
    assert!(pair.run_until(10 * SECOND, |pair| pair.app(0, handle).finished));
    let acceptor = pair.only_handle(1);
    let app = pair.apps[1].get_mut(&acceptor).unwrap();
    app.to_write = 100_000;
    app.finish = true;
    pair.drain(1);
    assert!(pair.run_until(30 * SECOND, |pair| pair.app(0, handle).end_of_stream));
    assert_eq!(pair.app(0, handle).read, 100_000);
    let state = pair.endpoints[0].connection(handle).unwrap().state();
    assert_eq!(state, State::Lingering);
}

#[test]
fn batches_are_cut_into_equal_segments_and_bounded() {
    let mut pair = Pair::new(11);
    pair.segments_max = 64;
    let handle = pair.connect(3_000_000, true);
    assert!(pair.run_until(120 * SECOND, |pair| pair.app(0, handle).finished));
    assert_eq!(pair.only(1).read, 3_000_000);
}

// req: B-37
#[test]
fn small_writes_are_gathered_while_one_is_on_its_way() {
    let mut pair = Pair::new(12);
    let handle = pair.connect(0, false);
    pair.run_for(SECOND);
    let before = pair.sent(0, PacketType::Data).len();
    for _ in 0..100 {
        pair.apps[0].get_mut(&handle).unwrap().to_write += 1;
        pair.drain(0);
    }
    pair.run_for(SECOND);
    assert_eq!(pair.only(1).read, 100);
    assert_eq!(pair.sent(0, PacketType::Data).len() - before, 2);
}

// req: F-02
#[test]
fn the_loss_of_any_one_packet_and_of_any_burst_is_made_good() {
    for burst in [1, 3, 5] {
        for first in 0..50 {
            let mut pair = Pair::new(1_000 * burst + first);
            pair.record = false;
            pair.accepts = Acceptor { to_write: 15_000, finish: true, read_max: None };
            let mut count = 0;
            pair.script = Some(Box::new(move |_| {
                count += 1;
                let lost = (first..first + burst).contains(&(count - 1));
                if lost { Fate::Drop } else { Fate::Deliver }
            }));
            let handle = pair.connect(20_000, true);
            let ended = pair.run_until(60 * SECOND, |pair| {
                done(pair.app(0, handle), 15_000)
                    && pair.apps[1].values().any(|app| done(app, 20_000))
            });
            assert!(ended, "{burst} lost from packet {first}: {:?}", pair.apps);
        }
    }
}

#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    latency_us: u64,
    faults: Faults,
    forth: u64,
    back: u64,
    faulty_us: u64,
    receive_buffer: u32,
    segments: usize,
}

fn plan() -> impl Strategy<Value = Plan> {
    let faults = (0u64..300, 0u64..300, 0u64..500)
        .prop_map(|(loss, duplication, reordering)| Faults { loss, duplication, reordering });
    (
        any::<u64>(),
        100u64..200_000,
        faults,
        0u64..200_000,
        0u64..200_000,
        0u64..20 * SECOND,
        4_096u32..500_000,
        1usize..20,
    )
        .prop_map(
            |(seed, latency_us, faults, forth, back, faulty_us, receive_buffer, segments)| Plan {
                seed,
                latency_us,
                faults,
                forth,
                back,
                faulty_us,
                receive_buffer,
                segments,
            },
        )
}

/// 400 cases, or as many as the environment asks for; the same in every run, unless it asks for
/// others with `PROPTEST_RNG_SEED`.
fn more_cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(29),
        seed => seed,
    };
    ProptestConfig { cases: config.cases.max(400), rng_seed, ..config }
}

proptest! {
    #![proptest_config(more_cases())]

    /// The harness itself compares every byte read with the byte written; here: after the faults
    /// stop everything ends, and nothing is left behind.
    #[test]
    fn after_faults_stop_everything_finishes(plan in plan()) {
        let mut config = Config::default();
        config.receive_buffer_bytes = plan.receive_buffer;
        let mut pair = Pair::with_config(plan.seed, config);
        pair.record = false;
        pair.latency_us = plan.latency_us;
        pair.faults = plan.faults;
        pair.segments_max = plan.segments;
        pair.accepts = Acceptor { to_write: plan.back, finish: true, read_max: None };
        let handle = pair.connect(plan.forth, true);
        pair.run_for(plan.faulty_us);
        pair.faults = Faults::default();
        pair.run_until(400 * SECOND, |pair| {
            let app = pair.app(0, handle);
            app.closed.is_some() || (done(app, plan.back)
                && pair.apps[1].values().any(|app| done(app, plan.forth)))
        });
        let app = pair.app(0, handle);
        if app.closed.is_some() {
            // Only a handshake may fail, when the faults outlast it.
            prop_assert!(!app.connected, "{app:?}");
        } else {
            prop_assert!(done(app, plan.back), "{app:?}");
        }
        for side in [0, 1] {
            let handles: Vec<_> = pair.apps[side].keys().copied().collect();
            for handle in handles {
                let now = pair.now;
                pair.endpoints[side].release(now, handle);
                pair.drain(side);
            }
        }
        pair.run_for(120 * SECOND);
        prop_assert_eq!(pair.endpoints[0].stats().connections, 0);
        prop_assert_eq!(pair.endpoints[1].stats().connections, 0);
    }
}
