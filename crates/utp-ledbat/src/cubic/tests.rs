//! Tests of CUBIC against the closed forms of RFC 9438.

use super::*;

const PAYLOAD: u64 = 1_000;

/// A sender on a path of a given round trip, whose whole window is acknowledged each time, packet
/// by packet.
struct Bench {
    law: Cubic,
    now: Instant,
    rtt_us: u32,
}

impl Bench {
    fn new(rtt_us: u32) -> Self {
        Self { law: Cubic::new(1_000), now: Instant::from_micros(1_000_000), rtt_us }
    }

    /// After a loss that found so many packets in flight.
    fn cut_from(packets: u64, rtt_us: u32) -> Self {
        let mut bench = Self::new(rtt_us);
        bench.law.window.set_size(subbytes(packets * PAYLOAD));
        bench.loss();
        bench
    }

    fn ack(&mut self, bytes_acked: u64) {
        self.law.on_window_limited(self.now);
        let (now, in_flight_bytes) = (self.now, self.window());
        let (rtt_us, delay_sampled) = (Some(self.rtt_us), false);
        self.law.on_ack(&Ack { now, bytes_acked, in_flight_bytes, rtt_us, delay_sampled });
    }

    fn round_trip(&mut self) {
        let packets = self.window() / PAYLOAD;
        for _ in 0..packets {
            self.now = self.now.saturating_add(u64::from(self.rtt_us) / packets);
            self.ack(PAYLOAD);
        }
    }

    fn run_ms(&mut self, ms: u64) {
        let end = self.now.saturating_add(ms * 1_000);
        while self.now < end {
            self.round_trip();
        }
    }

    fn loss(&mut self) {
        let in_flight_bytes = self.window();
        let (now, bytes_lost) = (self.now, PAYLOAD);
        self.law.on_loss(&Loss { now, bytes_lost, in_flight_bytes, srtt_us: None });
    }

    fn window(&self) -> u64 {
        self.law.window_bytes()
    }
}

#[test]
fn the_cube_root_is_exact_to_a_millisecond() {
    let packet = subbytes(PAYLOAD);
    // K for a cut from W packets is the cube root of 0.3 * W / 0.4 seconds.
    for (packets, expected_ms) in [(0, 0), (1, 1_357), (30, 4_217), (300, 9_085), (3_000, 19_574)] {
        assert_eq!(cube_root_ms(packets * packet, packet), expected_ms);
    }
    assert_eq!(cube_root_ms(subbytes(1 << 30), subbytes(1)), 1_389_781);
    assert_eq!(cube_root_ms(u64::MAX, 0), (1 << 21) - 1);
}

#[test]
fn a_loss_leaves_seven_tenths() {
    let mut bench = Bench::cut_from(100, 200_000);
    assert!(bench.window().abs_diff(70_000) <= 1);
    assert!(!bench.law.metrics().slow_start);
    for _ in 0..20 {
        bench.loss();
    }
    assert_eq!(bench.window(), 2 * PAYLOAD);
}

#[test]
fn the_window_follows_the_cubic_curve() {
    let mut bench = Bench::cut_from(200, 200_000);
    let began = bench.now;
    // K = 5313 ms: concave before, flat there, convex after.
    assert_eq!(bench.law.epoch.flat_after_ms, 5_313);
    let curve = |ms: i64| 200_000 + (ms - 5_313).pow(3) / 2_500_000;
    for _ in 0..55 {
        bench.round_trip();
        let ms = i64::try_from(bench.now.saturating_since(began) / 1_000).expect("small");
        // It aims at where the curve will be a round trip later, and comes most of the way there;
        // ten bytes count where the curve is flat.
        let window = i64::try_from(bench.window()).expect("small");
        assert!(
            (curve(ms - 200) - 10..=curve(ms + 200) + 10).contains(&window),
            "{ms} ms: {window}"
        );
    }
    assert!(bench.window() > 260_000);
}

#[test]
fn a_window_that_lost_ground_aims_lower() {
    let mut bench = Bench::cut_from(200, 200_000);
    bench.loss();
    let flat = bench.law.epoch.window_flat;
    // 0.85 of the 140 packets of the second loss.
    assert!(flat.abs_diff(subbytes(119_000)) <= subbytes(2));
    bench.run_ms(30_000);
    bench.loss();
    assert_eq!(bench.law.epoch.window_flat, bench.law.epoch.window_prior);
}

#[test]
fn on_a_short_path_the_window_is_that_of_reno() {
    let mut bench = Bench::cut_from(40, 10_000);
    let start = bench.window();
    for _ in 0..17 {
        bench.round_trip();
    }
    // Nine packets in seventeen round trips.
    assert!(bench.window().abs_diff(start + 9 * PAYLOAD) <= 400, "{}", bench.window());
    // Past the window of the loss, one packet in each.
    while bench.window() < 41 * PAYLOAD {
        bench.round_trip();
    }
    let before = bench.window();
    for _ in 0..10 {
        bench.round_trip();
    }
    assert!(bench.window().abs_diff(before + 10 * PAYLOAD) <= 300, "{}", bench.window());
}

#[test]
fn a_round_trip_grows_by_half_at_most() {
    let mut bench = Bench::cut_from(20, 100_000);
    bench.now = bench.now.saturating_add(900_000);
    bench.ack(PAYLOAD);
    bench.law.epoch.since = Instant::from_micros(0);
    bench.law.epoch.flat_after_ms = 0;
    bench.now = Instant::from_micros(400_000_000);
    bench.law.epoch.grown_at = bench.now;
    let before = bench.window();
    bench.ack(before);
    assert!(bench.window().abs_diff(before / 2 * 3) <= 1);
}

#[test]
fn time_without_growth_does_not_count() {
    let mut resting = Bench::cut_from(200, 200_000);
    let mut busy = Bench::cut_from(200, 200_000);
    resting.run_ms(1_000);
    busy.run_ms(1_000);
    resting.now = resting.now.saturating_add(600_000_000);
    resting.run_ms(1_000);
    busy.run_ms(1_200);
    assert!(resting.window().abs_diff(busy.window()) <= 2 * PAYLOAD);
}

#[test]
fn a_time_out_leads_through_slow_start_to_a_flat_curve() {
    let mut bench = Bench::cut_from(200, 200_000);
    bench.law.on_timeout(bench.now, 140_000);
    bench.law.on_timeout(bench.now, 1_000);
    assert_eq!(bench.window(), PAYLOAD);
    let threshold = bench.law.metrics().ssthresh_bytes.expect("set");
    assert!(threshold.abs_diff(98_000) <= 1);
    while bench.law.metrics().slow_start {
        bench.round_trip();
    }
    bench.round_trip();
    assert_eq!(bench.law.epoch.flat_after_ms, 0);
    assert!(bench.law.epoch.window_flat.abs_diff(subbytes(threshold)) <= subbytes(2 * PAYLOAD));
}

#[test]
fn a_needless_cut_is_undone_with_its_curve() {
    let mut bench = Bench::cut_from(200, 200_000);
    bench.run_ms(2_000);
    let (window, curve) = (bench.window(), bench.law.epoch.window_flat);
    bench.loss();
    bench.law.on_spurious_loss(bench.now);
    assert_eq!((bench.window(), bench.law.epoch.window_flat), (window, curve));
}

#[test]
fn an_idle_spell_leaves_ten_packets_and_slow_start_up_to_what_there_was() {
    let mut bench = Bench::cut_from(200, 200_000);
    let before = bench.window();
    bench.law.on_timeout(bench.now, 0);
    bench.law.on_timeout(bench.now, 0);
    let metrics = bench.law.metrics();
    assert_eq!((metrics.window_bytes, metrics.ssthresh_bytes), (10_000, Some(before)));
}
