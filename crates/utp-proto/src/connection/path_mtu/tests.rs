//! The search against paths that carry a size or do not.

use super::*;

const MINUTE: u64 = 60_000_000;

fn search(base: u16, max: u16) -> PathMtu {
    let config =
        Config { datagram_bytes_base_v4: base, datagram_bytes_max_v4: max, ..Config::default() };
    PathMtu::new(&config, ([10, 0, 0, 1], 1).into())
}

fn at(us: u64) -> Instant {
    Instant::from_micros(us)
}

/// Probes until the search rests, on a path that carries `mtu`; the sizes that were tried.
fn run(search: &mut PathMtu, now: Instant, mtu: u16) -> Vec<u16> {
    let mut sizes = Vec::new();
    while let Some(size) = search.next_size(now, 10 * MINUTE) {
        sizes.push(size);
        search.on_probe_sent(Probe { seq_nr: SeqNr(0), size });
        if size <= mtu {
            search.on_probe_arrived();
        } else {
            search.on_probe_lost(now);
        }
    }
    sizes
}

#[test]
fn an_ethernet_path_takes_one_probe() {
    let mut mtu = search(1_232, 1_472);
    assert_eq!(run(&mut mtu, at(1), 1_472), [1_472]);
    assert_eq!(mtu.size(), 1_472);
}

#[test]
fn every_path_is_known_to_sixteen_bytes() {
    for path in 1_232..=1_472 {
        let mut mtu = search(1_232, 1_472);
        let sizes = run(&mut mtu, at(1), path);
        let size = mtu.size();
        assert!(size <= path && path - size < MTU_SEARCH_STEP, "{size} of {path}");
        assert!(sizes.len() <= 18, "{path}: {sizes:?}");
        assert!(sizes.iter().all(|size| (1_233..=1_472).contains(size)), "{sizes:?}");
    }
}

#[test]
fn jumbo_and_loopback_paths_are_found() {
    for path in [1_472, 1_500, 4_000, 8_972, 65_506, 65_507] {
        let mut mtu = search(1_232, 65_507);
        let sizes = run(&mut mtu, at(1), path);
        assert!(path - mtu.size() < MTU_SEARCH_STEP, "{} of {path}", mtu.size());
        assert!(sizes.len() <= 40, "{path}: {sizes:?}");
    }
}

#[test]
fn equal_bounds_fix_the_size() {
    for size in [150, 548, 1_200, 1_402, 65_507] {
        let mut mtu = search(size, size);
        assert_eq!(run(&mut mtu, at(1), u16::MAX), []);
        for _ in 0..10 {
            assert!(!mtu.on_timeout(size) && !mtu.on_large_loss());
            assert!(!mtu.on_send_failed(size));
        }
        assert_eq!(mtu.size(), size);
    }
}

#[test]
fn bounds_out_of_order_or_range_are_put_right() {
    assert_eq!(search(1_232, 600).size(), 600);
    assert_eq!(search(0, 1_472).size(), 150);
    assert_eq!(search(u16::MAX, u16::MAX).size(), 65_507);
}

// req: MT-08
#[test]
fn a_search_begins_again_after_its_pause_and_at_the_latest_after_half_an_hour() {
    let mut mtu = search(1_232, 1_472);
    assert_eq!(run(&mut mtu, at(1), 1_300).last(), Some(&1_302));
    assert_eq!(mtu.size(), 1_292);
    assert_eq!(mtu.next_size(at(10 * MINUTE), 10 * MINUTE), None);
    // The path has become larger.
    assert_eq!(run(&mut mtu, at(10 * MINUTE + 1), 1_472), [1_472]);
    assert_eq!(mtu.next_size(at(20 * MINUTE + 2), u64::MAX), None);
    mtu.low = 1_300;
    assert_eq!(mtu.next_size(at(50 * MINUTE + 2), u64::MAX), Some(1_472));
}

#[test]
fn a_lost_probe_is_repeated_twice() {
    let mut mtu = search(1_232, 1_472);
    for _ in 0..2 {
        assert_eq!(mtu.next_size(at(5), MINUTE), Some(1_472));
        mtu.on_probe_sent(Probe { seq_nr: SeqNr(0), size: 1_472 });
        assert_eq!(mtu.next_size(at(5), MINUTE), None, "one at a time");
        mtu.on_probe_lost(at(5));
    }
    mtu.on_probe_sent(Probe { seq_nr: SeqNr(0), size: 1_472 });
    mtu.on_probe_arrived();
    assert_eq!(mtu.size(), 1_472);
}

#[test]
fn two_time_outs_lead_to_the_base_and_two_more_to_the_floor() {
    let mut mtu = search(1_232, 1_472);
    run(&mut mtu, at(1), 1_472);
    assert!(!mtu.on_timeout(1_472));
    assert!(mtu.on_timeout(1_472));
    assert_eq!(mtu.size(), 1_232);
    assert!(!mtu.on_timeout(1_472));
    assert!(mtu.on_timeout(1_472));
    assert_eq!(mtu.size(), 548);
    for _ in 0..10 {
        assert!(!mtu.on_timeout(1_472));
    }
    // It was an outage: one probe, and everything is as before.
    assert_eq!(run(&mut mtu, at(2), 1_472), [1_472]);
}

#[test]
fn time_outs_of_small_packets_and_single_ones_shrink_nothing() {
    let mut mtu = search(1_232, 1_472);
    run(&mut mtu, at(1), 1_472);
    for _ in 0..10 {
        assert!(!mtu.on_timeout(548));
    }
    for _ in 0..10 {
        mtu.on_progress();
        assert!(!mtu.on_timeout(1_472));
    }
    assert_eq!(mtu.size(), 1_472);
}

#[test]
fn a_hint_is_believed_once_the_packet_is_lost_and_forgotten_when_it_arrives() {
    let mut mtu = search(1_232, 1_472);
    run(&mut mtu, at(1), 1_472);
    assert!(!mtu.on_too_big(1_472, 1_400));
    assert_eq!(mtu.size(), 1_472, "nobody knows who sent it");
    mtu.on_arrived(1_472, 5);
    assert!(!mtu.on_timeout(1_472));
    mtu.on_progress();
    assert!(!mtu.on_too_big(1_472, 1_400));
    assert!(mtu.on_timeout(1_472));
    assert_eq!(mtu.size(), 1_400);
}

#[test]
fn time_outs_of_a_packet_below_the_present_size_lead_below_its_own() {
    let mut mtu = search(1_232, 1_472);
    run(&mut mtu, at(1), 1_290);
    assert!(!mtu.on_timeout(1_232));
    assert!(mtu.on_timeout(1_232));
    assert_eq!(mtu.size(), 548);
}

// req: MT-05, MT-07
#[test]
fn a_hint_never_leads_below_what_was_proved_or_is_sensible() {
    let mut mtu = search(1_232, 1_472);
    mtu.on_probe_sent(Probe { seq_nr: SeqNr(0), size: 1_472 });
    for largest in [0, 68, 548, 1_199, 1_472, u16::MAX] {
        assert!(!mtu.on_too_big(1_472, largest), "{largest}");
    }
    assert!(mtu.on_too_big(1_472, 1_200));
    assert_eq!(mtu.size(), 1_232);
    assert_eq!(run(&mut mtu, at(1), 1_472), [], "nothing is left to try");
}

#[test]
fn a_size_that_the_host_refuses_is_given_up_at_once() {
    let mut mtu = search(1_232, 1_472);
    assert!(!mtu.on_send_failed(1_472), "a probe costs nothing");
    run(&mut mtu, at(1), 1_460);
    assert!(mtu.size() > 1_400);
    assert!(mtu.on_send_failed(mtu.size()));
    assert_eq!(mtu.size(), 1_232);
    assert!(mtu.on_send_failed(1_232));
    assert_eq!(mtu.size(), 548);
    assert!(!mtu.on_send_failed(548), "there is an end to it");
}
