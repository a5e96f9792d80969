//! Path MTU: two endpoints on paths that carry some sizes and swallow others.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pair;

use pair::{Acceptor, Fate, Pair, Path, Seen};
use utp_ledbat::FixedWindowFactory;
use utp_proto::{Config, ConnectionHandle, IcmpError, Stats};
use utp_wire::PacketType;

use std::sync::Arc;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;

/// A window of 64 KiB, so that the path MTU is the subject.
fn fixed_window() -> Config {
    let mut config = Config::default();
    config.controller = Arc::new(FixedWindowFactory(1 << 16));
    config
}

fn stats(pair: &Pair, side: usize) -> Stats {
    pair.endpoints[side].connection(pair.only_handle(side)).unwrap().stats()
}

/// Runs until the stream that side 0 opened has arrived.
fn finish(pair: &mut Pair, handle: ConnectionHandle, within_us: u64) {
    let done = pair.run_until(within_us, |pair| pair.app(0, handle).finished);
    assert!(done, "{:?}", pair.app(0, handle));
}

/// Transfers `bytes` on paths like `path`.
fn transfer(path: Path, bytes: u64) -> Pair {
    let mut pair = Pair::with_config(1, fixed_window());
    pair.paths = [path; 2];
    let handle = pair.connect(bytes, true);
    finish(&mut pair, handle, 60 * SECOND);
    assert_eq!(pair.only(1).read, bytes);
    pair
}

// req: MT-01
#[test]
fn no_packet_is_larger_than_what_ethernet_carries() {
    for (family, base, max) in [(4, 1_232, 1_472), (6, 1_200, 1_452)] {
        let mut pair = Pair::with_config(1, fixed_window());
        if family == 6 {
            pair.addresses = ["[fd00::1]:1000", "[fd00::2]:2000"].map(|at| at.parse().unwrap());
        }
        pair.accepts = Acceptor { to_write: 1_000_000, finish: true, read_max: None };
        let handle = pair.connect(1_000_000, true);
        finish(&mut pair, handle, 60 * SECOND);
        let first =
            pair.sent(0, PacketType::Data).iter().find(|seen| seen.payload_len > 0).unwrap().len;
        assert_eq!(first, base, "IPv{family}");
        for side in [0, 1] {
            let largest = pair.seen.iter().filter(|seen| seen.from == side).map(|seen| seen.len);
            assert_eq!(largest.max(), Some(max), "IPv{family}");
            assert_eq!(usize::from(stats(&pair, side).datagram_bytes), max);
            assert_eq!(stats(&pair, side).mtu_probes, 1, "the likely size is tried first");
        }
        assert!(pair.seen.iter().all(|seen| seen.dont_fragment));
    }
}

// req: MT-02
#[test]
fn a_lost_probe_is_no_sign_of_congestion() {
    let mut pair = Pair::new(1);
    pair.paths = [Path::silent(1_300); 2];
    let handle = pair.connect(20_000_000, true);
    let mut window_bytes = 0;
    let grows = |pair: &Pair| {
        let Some(connection) = pair.endpoints[0].connection(handle) else { return true };
        let before = std::mem::replace(&mut window_bytes, connection.stats().window_bytes);
        assert!(window_bytes >= before, "cut from {before} to {window_bytes}");
        pair.app(0, handle).finished
    };
    assert!(pair.run_until(60 * SECOND, grows));
    let stats = stats(&pair, 0);
    assert!(stats.mtu_probes_lost >= 9, "{stats:?}");
    assert_eq!((stats.losses_detected, stats.timeouts), (0, 0));
    // What fills a hole is all that is sent twice.
    assert_eq!(stats.retransmissions, stats.mtu_probes_lost);
    assert_eq!(stats.datagram_bytes, 1_292, "within sixteen bytes of what is carried");
}

// req: U-41
#[test]
fn a_probe_carries_bytes_of_the_stream_and_is_repeated_without_its_padding() {
    // With each length of padding that the search comes to.
    for path_bytes in 1_233..1_273 {
        let pair = transfer(Path::silent(path_bytes), 400_000);
        let packets = pair.sent(0, PacketType::Data);
        let padded = |seen: &&Seen| seen.len > 20 + seen.payload_len && seen.payload_len > 0;
        let probes: Vec<_> = packets.iter().filter(|seen| padded(seen)).collect();
        assert_eq!(probes.len(), stats(&pair, 0).mtu_probes as usize);
        for probe in &probes {
            assert!(probe.payload_len >= 1_212 - 20, "{probe:?}");
            let mut resends = packets.iter().filter(|seen| seen.seq_nr == probe.seq_nr).skip(1);
            let resend = resends.next().map(|seen| (seen.payload_len, seen.len));
            let lost = probe.len > path_bytes;
            let bare = (probe.payload_len, 20 + probe.payload_len);
            assert_eq!(resend, lost.then_some(bare), "{probe:?}");
        }
        assert!(probes.iter().any(|probe| probe.len > path_bytes), "{path_bytes}");
    }
}

/// When the receiver got more than it had at `since_us` into the run.
fn resumes_after(pair: &mut Pair) -> u64 {
    let (from, had) = (pair.now, pair.only(1).read);
    // What had left before is no proof.
    pair.run_for(50 * MS);
    let had = had.max(pair.only(1).read);
    assert!(pair.run_until(60 * SECOND, |pair| pair.only(1).read > had), "{:?}", stats(pair, 0));
    pair.now.saturating_since(from)
}

// req: MT-03
#[test]
fn a_path_that_swallows_all_but_small_packets_carries_data_within_ten_seconds() {
    for icmp in [false, true] {
        for datagram_bytes in [548, 900, 1_172, 1_200, 1_231] {
            let mut pair = Pair::with_config(1, fixed_window());
            pair.paths = [Path { icmp, ..Path::silent(datagram_bytes) }; 2];
            let handle = pair.connect(500_000, true);
            let flows = |pair: &Pair| pair.apps[1].values().any(|app| app.read > 0);
            assert!(pair.run_until(10 * SECOND, flows), "{datagram_bytes} bytes");
            finish(&mut pair, handle, 60 * SECOND);
            let size = usize::from(stats(&pair, 0).datagram_bytes);
            assert!(size <= datagram_bytes, "{size} of {datagram_bytes}");
        }
    }
}

// req: MT-03
#[test]
fn a_tunnel_that_appears_in_mid_stream_stops_it_for_less_than_ten_seconds() {
    for icmp in [false, true] {
        for datagram_bytes in [548, 1_200, 1_252, 1_392, 1_471] {
            let mut pair = Pair::with_config(1, fixed_window());
            let handle = pair.connect(10_000_000, true);
            pair.run_for(SECOND);
            assert_eq!(stats(&pair, 0).datagram_bytes, 1_472);
            pair.paths = [Path { icmp, ..Path::silent(datagram_bytes) }; 2];
            let pause_us = resumes_after(&mut pair);
            assert!(pause_us < 10 * SECOND, "{pause_us} us at {datagram_bytes}");
            finish(&mut pair, handle, 600 * SECOND);
            let stats = stats(&pair, 0);
            assert!(usize::from(stats.datagram_bytes) <= datagram_bytes, "{stats:?}");
            // A path that tells its MTU is believed after one time-out.
            let timeouts = if icmp && datagram_bytes >= 1_200 { 1 } else { 2 };
            assert!(stats.timeouts >= timeouts && stats.timeouts <= 5, "{stats:?}");
        }
    }
}

#[test]
fn large_packets_alone_that_vanish_are_noticed_without_a_time_out() {
    // Requests of one full packet each among small ones that keep arriving.
    let mut config = fixed_window();
    config.datagram_bytes_base_v4 = 1_232;
    let mut pair = Pair::with_config(1, config);
    let handle = pair.connect(500_000, false);
    pair.run_for(SECOND);
    assert_eq!(stats(&pair, 0).datagram_bytes, 1_472);
    pair.paths = [Path::silent(1_300); 2];
    let before = stats(&pair, 0);
    for round in 0..400 {
        let now = pair.now;
        let len = if round % 40 == 0 { 1_452 } else { 40 };
        let app = pair.apps[0].get_mut(&handle).unwrap();
        app.to_write += len;
        let _ = now;
        pair.drain(0);
        pair.run_for(25 * MS);
    }
    let after = stats(&pair, 0);
    assert!(after.mtu_black_holes > before.mtu_black_holes, "{after:?}");
    assert!(after.datagram_bytes <= 1_300);
    assert_eq!(pair.only(1).read, pair.app(0, handle).to_write);
}

// req: MT-04, F-17
#[test]
fn a_host_that_refuses_a_size_costs_no_byte_and_no_time() {
    for limit in [1_200, 1_300, 1_400] {
        for segments_max in [1, 10, 64] {
            let mut pair = Pair::with_config(1, fixed_window());
            pair.segments_max = segments_max;
            let handle = pair.connect(2_000_000, true);
            pair.run_for(200 * MS);
            assert_eq!(stats(&pair, 0).datagram_bytes, 1_472);
            pair.paths[0].host_bytes = limit;
            let written = pair.seen.len();
            pair.run_for(2 * 20 * MS);
            let size = usize::from(stats(&pair, 0).datagram_bytes);
            assert!(size <= limit, "{size} with {limit}");
            assert!(pair.seen.len() > written + 10, "data flows on");
            finish(&mut pair, handle, 60 * SECOND);
            let stats = stats(&pair, 0);
            assert_eq!(pair.only(1).read, 2_000_000);
            assert_eq!((stats.timeouts, stats.losses_detected), (0, 0), "{stats:?}");
            assert_eq!(stats.bytes_sent, 2_000_000, "nothing went twice");
            assert!(usize::from(stats.datagram_bytes) > limit - 16 || limit == 1_200);
        }
    }
}

// req: MT-04
#[test]
fn a_batch_of_two_streams_that_the_host_refuses_costs_neither_a_byte() {
    let mut pair = Pair::with_config(1, fixed_window());
    pair.segments_max = 1;
    let handles = [pair.connect(1_000_000, true), pair.connect(1_000_000, true)];
    pair.run_for(200 * MS);
    let of = |pair: &Pair, handle| pair.endpoints[0].connection(handle).unwrap().stats();
    assert!(handles.iter().all(|&handle| of(&pair, handle).datagram_bytes == 1_472));
    pair.joins_batches = true;
    pair.paths[0].host_bytes = 1_400;
    pair.run_for(20 * MS);
    pair.joins_batches = false;
    for handle in handles {
        finish(&mut pair, handle, 60 * SECOND);
        let stats = of(&pair, handle);
        assert!(stats.datagram_bytes <= 1_400, "{stats:?}");
        assert_eq!((stats.timeouts, stats.losses_detected), (0, 0), "{stats:?}");
        assert_eq!(stats.bytes_sent, 1_000_000, "nothing went twice");
    }
}

// req: MT-04
#[test]
fn a_host_that_refuses_large_probes_leaves_no_hole() {
    let mut pair = Pair::with_config(1, fixed_window());
    pair.paths[0].host_bytes = 1_350;
    let handle = pair.connect(500_000, true);
    finish(&mut pair, handle, 60 * SECOND);
    let stats = stats(&pair, 0);
    assert!((1_335..=1_350).contains(&stats.datagram_bytes), "{stats:?}");
    assert_eq!((stats.retransmissions, stats.timeouts), (0, 0));
    assert_eq!(stats.bytes_sent, 500_000, "what a probe carried went in others");
}

// req: MT-04
#[test]
fn a_host_that_refuses_everything_ends_in_a_time_out_and_not_in_a_loop() {
    let mut pair = Pair::with_config(1, fixed_window());
    let handle = pair.connect(500_000, true);
    pair.run_for(50 * MS);
    pair.paths[0].host_bytes = 30;
    pair.run_until(120 * SECOND, |pair| pair.app(0, handle).closed.is_some());
    assert!(pair.app(0, handle).closed.is_some());
}

/// The newest DATA packet of side 0 that is still on its way.
fn newest(pair: &Pair) -> Vec<u8> {
    let full = pair.seen.iter().rev().find(|seen| seen.from == 0 && seen.payload_len > 1_000);
    full.unwrap().bytes[..64].to_vec()
}

fn too_big(pair: &mut Pair, mtu: Option<u16>, quoted: &[u8]) {
    let (now, remote) = (pair.clock(0), pair.addresses[1]);
    pair.endpoints[0].handle_icmp(now, remote, IcmpError::MessageTooLarge { mtu }, quoted);
}

// req: MT-05, MT-06, MT-07
#[test]
fn forged_messages_change_nothing_that_was_proved() {
    let mut pair = Pair::with_config(1, fixed_window());
    pair.keep_bytes = true;
    let handle = pair.connect(1_000_000, true);
    pair.run_for(200 * MS);
    let quoted = newest(&pair);
    let acked = pair.sent(0, PacketType::Data)[3].bytes[..40].to_vec();
    for mtu in
        [None, Some(0), Some(68), Some(575), Some(576), Some(1_228), Some(1_500), Some(u16::MAX)]
    {
        too_big(&mut pair, mtu, &quoted);
        too_big(&mut pair, mtu, &acked);
        for len in 0..quoted.len() {
            too_big(&mut pair, mtu, &quoted[..len]);
        }
        let mut never_sent = quoted.clone();
        never_sent[16] ^= 0x40;
        too_big(&mut pair, mtu, &never_sent);
        assert_eq!(stats(&pair, 0).datagram_bytes, 1_472, "{mtu:?}");
    }
    finish(&mut pair, handle, 60 * SECOND);
    let stats = stats(&pair, 0);
    assert_eq!((stats.datagram_bytes, stats.timeouts, stats.retransmissions), (1_472, 0, 0));
}

// req: MT-06
#[test]
fn a_hundred_thousand_forged_messages_cost_less_than_a_hundredth() {
    let bytes = 20_000_000;
    let duration = |forged: u32| {
        let mut pair = Pair::with_config(1, fixed_window());
        pair.keep_bytes = true;
        let start = pair.now;
        let handle = pair.connect(bytes, true);
        let mut left = forged;
        while !pair.app(0, handle).finished {
            pair.run_for(10 * MS);
            assert!(pair.now.saturating_since(start) < 100 * SECOND);
            if pair.seen.len() < 40 {
                continue;
            }
            // The forger sees every packet, which is more than one off the path can.
            let on_their_way: Vec<_> =
                pair.seen.iter().rev().filter(|seen| seen.from == 0).take(40).cloned().collect();
            pair.seen.clear();
            for round in 0..500.min(left) {
                let mtu = [Some(1_228), Some(1_300), None, Some(0), Some(600)][round as usize % 5];
                let quoted = &on_their_way[round as usize % on_their_way.len()].bytes;
                too_big(&mut pair, mtu, &quoted[..quoted.len().min(64)]);
            }
            left -= 500.min(left);
        }
        assert_eq!(left, 0, "all were handed in");
        pair.now.saturating_since(start)
    };
    let (plain, attacked) = (duration(0), duration(100_000));
    println!("{plain} us without, {attacked} us with 100 000 forged messages");
    assert!(attacked * 99 < plain * 100, "{attacked} us instead of {plain} us");
}

#[test]
fn routers_that_tell_their_mtu_end_the_search_after_one_probe_each() {
    for datagram_bytes in [1_232, 1_250, 1_372, 1_392, 1_464, 1_472] {
        let path = Path { icmp: true, ..Path::silent(datagram_bytes) };
        let pair = transfer(path, 500_000);
        let stats = stats(&pair, 0);
        assert_eq!(usize::from(stats.datagram_bytes), datagram_bytes);
        assert!(stats.mtu_probes <= 2, "{stats:?}");
        assert_eq!((stats.timeouts, stats.losses_detected), (0, 0));
    }
}

// req: MT-08
#[test]
fn a_path_that_has_grown_is_noticed_within_half_an_hour() {
    let mut config = fixed_window();
    config.mtu_search_us = u64::MAX;
    let mut pair = Pair::with_config(1, config);
    pair.paths = [Path::silent(1_300); 2];
    let handle = pair.connect(8_000_000, false);
    pair.run_for(10 * SECOND);
    assert_eq!(stats(&pair, 0).datagram_bytes, 1_292);
    let probes = stats(&pair, 0).mtu_probes;
    pair.paths = [Path::default(); 2];
    pair.run_for(29 * MINUTE);
    assert_eq!(stats(&pair, 0).mtu_probes, probes, "an idle connection probes nothing");
    pair.run_for(MINUTE);
    pair.apps[0].get_mut(&handle).unwrap().to_write += 500_000;
    pair.drain(0);
    pair.run_for(5 * SECOND);
    assert_eq!(stats(&pair, 0).datagram_bytes, 1_472);
    assert_eq!(stats(&pair, 0).mtu_probes, probes + 1);
}

#[test]
fn packets_made_before_the_path_shrank_go_in_fragments_at_their_old_length() {
    let mut pair = Pair::with_config(1, fixed_window());
    pair.keep_bytes = true;
    let handle = pair.connect(3_000_000, true);
    pair.run_for(300 * MS);
    pair.paths = [Path::silent(1_300); 2];
    finish(&mut pair, handle, 60 * SECOND);
    let mut lens = std::collections::BTreeMap::new();
    let mut fragmented = 0;
    for seen in pair.sent(0, PacketType::Data) {
        let len = *lens.entry(seen.seq_nr).or_insert(seen.payload_len);
        assert_eq!(seen.payload_len, len, "number {} has one length", seen.seq_nr);
        fragmented += usize::from(!seen.dont_fragment);
    }
    assert!(fragmented > 10, "{fragmented}");
}

// req: MT-03
#[test]
fn packets_made_before_an_ipv6_path_shrank_are_padded_until_their_host_fragments_them() {
    let mut pair = Pair::with_config(1, fixed_window());
    pair.addresses = ["[fd00::1]:1000", "[fd00::2]:2000"].map(|at| at.parse().unwrap());
    let handle = pair.connect(3_000_000, true);
    pair.run_for(300 * MS);
    pair.paths = [Path { fragments_above: 1_452, ..Path::silent(1_232) }; 2];
    finish(&mut pair, handle, 60 * SECOND);
    assert_eq!(pair.only(1).read, 3_000_000);
    let padded = pair.seen.iter().filter(|seen| !seen.dont_fragment);
    let lens: Vec<usize> = padded.map(|seen| seen.len).collect();
    assert!(lens.len() > 10, "{lens:?}");
    assert!(lens.iter().all(|len| (1_453..1_480).contains(len)), "{lens:?}");
    assert!(stats(&pair, 0).mtu_black_holes <= 2);
}

#[test]
fn an_outage_costs_one_probe_and_no_size() {
    let mut pair = Pair::with_config(1, fixed_window());
    let handle = pair.connect(3_000_000, true);
    pair.run_for(300 * MS);
    let until = pair.now.saturating_add(10 * SECOND);
    pair.script =
        Some(Box::new(move |seen| if seen.at < until { Fate::Drop } else { Fate::Deliver }));
    finish(&mut pair, handle, 120 * SECOND);
    let stats = stats(&pair, 0);
    assert!(stats.mtu_black_holes > 0);
    assert_eq!((stats.datagram_bytes, stats.mtu_probes), (1_472, 2));
}

#[test]
fn short_messages_and_idle_streams_probe_nothing() {
    let mut pair = Pair::with_config(1, fixed_window());
    let handle = pair.connect(100, false);
    for _ in 0..100 {
        pair.run_for(100 * MS);
        pair.apps[0].get_mut(&handle).unwrap().to_write += 2_000;
        pair.drain(0);
    }
    pair.run_for(60 * MINUTE);
    assert_eq!(stats(&pair, 0).mtu_probes, 0);
}
