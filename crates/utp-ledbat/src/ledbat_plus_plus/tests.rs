//! Tests of the five mechanisms, call by call, each against its closed form.

use super::*;

const PAYLOAD: u64 = 1_000;

/// A controller on a path of a given base, whose queue the test sets.
struct Bench {
    law: LedbatPlusPlus,
    now: Instant,
    base_us: u32,
    queue_us: u32,
}

impl Bench {
    fn new(base_us: u32) -> Self {
        let law = LedbatPlusPlus::new(1_000);
        let mut bench = Self { law, now: Instant::from_micros(1_000_000), base_us, queue_us: 0 };
        bench.ack(0);
        bench
    }

    /// In the steady phase with this window and queue, the next slowdown far away.
    fn steady(base_us: u32, window_bytes: u64, queue_us: u32) -> Self {
        let mut bench = Self::new(base_us);
        bench.queue_us = queue_us;
        for _ in 0..CURRENT_FILTER {
            bench.ack(0);
        }
        let slowdown_at = bench.now.saturating_add(1_000_000_000);
        bench.law.window.set_threshold(subbytes(window_bytes));
        bench.law.window.set_size(subbytes(window_bytes));
        bench.law.phase = Phase::Steady { slowdown_at };
        bench
    }

    fn rtt_us(&self) -> u64 {
        u64::from(self.base_us + self.queue_us)
    }

    fn ack(&mut self, bytes_acked: u64) {
        let rtt_us = Some(self.base_us + self.queue_us);
        self.ack_with(bytes_acked, rtt_us);
    }

    fn ack_with(&mut self, bytes_acked: u64, rtt_us: Option<u32>) {
        self.law.on_window_limited(self.now);
        let in_flight_bytes = self.window();
        let (now, delay_sampled) = (self.now, false);
        self.law.on_ack(&Ack { now, bytes_acked, in_flight_bytes, rtt_us, delay_sampled });
    }

    /// A round trip in which the whole window is acknowledged at once.
    fn round_trip(&mut self) {
        self.now = self.now.saturating_add(self.rtt_us());
        self.ack(self.window());
    }

    fn loss(&mut self) {
        let in_flight_bytes = self.window();
        let (now, bytes_lost) = (self.now, PAYLOAD);
        self.law.on_loss(&Loss { now, bytes_lost, in_flight_bytes, srtt_us: None });
    }

    fn window(&self) -> u64 {
        self.law.window_bytes()
    }

    fn threshold(&self) -> Option<u64> {
        self.law.metrics().ssthresh_bytes
    }
}

#[test]
fn the_delay_is_the_smallest_of_four_round_trips_above_that_of_ten_minutes() {
    let mut bench = Bench::new(50_000);
    for (queue_us, expected_us) in
        [(9_000, 0), (7_000, 0), (8_000, 0), (9_500, 7_000), (9_600, 7_000), (9_700, 8_000)]
    {
        bench.queue_us = queue_us;
        bench.ack(0);
        assert_eq!(bench.law.metrics().queuing_delay_us, Some(expected_us));
    }
    assert_eq!(bench.law.base.get().map(|base| base.0), Some(50_000));
    bench.now = bench.now.saturating_add(600_000_000);
    bench.ack(0);
    assert_eq!(
        bench.law.base.get().map(|base| base.0),
        Some(59_700),
        "the empty path is forgotten"
    );
}

#[test]
fn delays_reported_by_the_peer_do_not_count() {
    let mut bench = Bench::steady(100_000, 50_000, 0);
    let ours = Some(TimestampDiff(900_000));
    bench.law.on_delay_sample(bench.now, crate::DelaySample { ours, theirs: ours });
    assert_eq!(bench.law.metrics().queuing_delay_us, Some(0));
}

#[test]
fn the_gain_falls_with_the_base_down_to_a_sixteenth() {
    for (base_ms, divisor) in
        [(1, 16), (5, 16), (8, 15), (20, 6), (60, 2), (61, 2), (119, 2), (120, 1), (600, 1)]
    {
        let mut bench = Bench::steady(base_ms * 1_000, 160_000, 0);
        assert_eq!(bench.law.gain_divisor(), divisor, "{base_ms} ms");
        bench.ack(160_000);
        assert_eq!(bench.window(), 160_000 + PAYLOAD / divisor);
    }
    assert_eq!(Bench::new(0).law.gain_divisor(), 16);
}

#[test]
fn slow_start_grows_by_the_gain_times_what_is_acknowledged() {
    for (base_us, divisor) in [(20_000, 6), (60_000, 2), (120_000, 1)] {
        let mut bench = Bench::new(base_us);
        assert_eq!(bench.window(), 2 * PAYLOAD);
        let mut expected = 2 * PAYLOAD;
        for _ in 0..8 {
            bench.round_trip();
            expected += expected / divisor;
            assert!(bench.window().abs_diff(expected) <= 8);
        }
        assert!(bench.law.metrics().slow_start);
        assert_eq!(bench.threshold(), None);
    }
}

#[test]
fn the_first_slow_start_ends_above_three_quarters_of_the_target() {
    let mut bench = Bench::new(120_000);
    bench.queue_us = 45_000;
    for _ in 0..5 {
        bench.round_trip();
    }
    assert!(bench.law.metrics().slow_start);
    let before = bench.window();
    bench.queue_us = 45_001;
    for _ in 0..4 {
        bench.ack(1);
    }
    assert!(!bench.law.metrics().slow_start);
    // The filter hides the first three.
    assert_eq!((bench.window(), bench.threshold()), (before + 3, Some(before + 3)));
}

#[test]
fn below_the_target_growth_is_constant() {
    for queue_us in [0, 30_000, 60_000] {
        let mut bench = Bench::steady(120_000, 100_000, queue_us);
        bench.round_trip();
        assert_eq!(bench.window(), 100_000 + PAYLOAD, "{queue_us}");
    }
}

#[test]
fn above_the_target_the_window_falls_in_proportion_to_itself() {
    // 100 packets of gain 1: a delay of one and a quarter targets takes a quarter less one packet.
    for (queue_us, expected) in [(60_300, 100_500), (66_000, 91_000), (75_000, 76_000)] {
        let mut bench = Bench::steady(120_000, 100_000, queue_us);
        bench.round_trip();
        assert!(bench.window().abs_diff(expected) <= 1, "{}", bench.window());
    }
}

#[test]
fn a_round_trip_takes_half_the_window_at_most_however_it_is_acknowledged() {
    for (queue_us, pieces) in [(95_000, 1), (600_000, 1), (600_000, 100), (600_000, 3_000)] {
        let mut bench = Bench::steady(120_000, 100_000, queue_us);
        bench.now = bench.now.saturating_add(bench.rtt_us());
        for _ in 0..pieces {
            bench.ack(100_000 / pieces);
        }
        assert!((50_000..=51_000).contains(&bench.window()), "{pieces}: {}", bench.window());
        // More than was in flight takes nothing more.
        for _ in 0..50 {
            bench.ack(100_000);
        }
        assert_eq!(bench.window(), 50_000);
    }
}

#[test]
fn delay_leaves_two_packets() {
    let mut bench = Bench::steady(120_000, 100_000, 2_000_000);
    for _ in 0..20 {
        bench.round_trip();
    }
    assert_eq!(bench.window(), 2 * PAYLOAD);
}

#[test]
fn the_first_slowdown_comes_two_round_trips_after_slow_start_and_holds_two() {
    let mut bench = Bench::new(120_000);
    for _ in 0..4 {
        bench.round_trip();
    }
    let full = bench.window();
    assert_eq!(full, 32 * PAYLOAD);
    bench.queue_us = 50_000;
    while bench.law.metrics().slow_start {
        bench.ack(1);
    }
    let left_at = bench.now;
    bench.round_trip();
    assert!(bench.window() > full, "not yet");
    bench.round_trip();
    assert_eq!(bench.window(), 2 * PAYLOAD);
    assert_eq!(bench.now.saturating_since(left_at), 2 * 170_000);
    let saved = bench.threshold().expect("the window before");
    assert!(saved > full && saved < full + 2 * PAYLOAD);

    bench.queue_us = 0;
    let slowed_at = bench.now;
    while bench.window() == 2 * PAYLOAD {
        bench.now = bench.now.saturating_add(10_000);
        bench.ack(PAYLOAD);
    }
    assert_eq!(bench.now.saturating_since(slowed_at), 2 * 170_000);
    assert!(bench.law.metrics().slow_start);
}

/// A bench that is in the middle of a slowdown from 64 packets, and when that began.
fn slowed(base_us: u32) -> (Bench, Instant) {
    let mut bench = Bench::steady(base_us, 64 * PAYLOAD, 0);
    bench.law.phase = Phase::Steady { slowdown_at: bench.now };
    bench.ack(1);
    assert_eq!(bench.window(), 2 * PAYLOAD);
    let since = bench.now;
    (bench, since)
}

#[test]
fn a_slowdown_ends_at_the_old_window_and_the_next_is_due_after_nine_times_its_length() {
    let (mut bench, since) = slowed(120_000);
    while !matches!(bench.law.phase, Phase::Steady { .. }) {
        bench.round_trip();
    }
    // Two round trips of rest, and five doublings, the first of them with the end of the rest.
    let took_us = bench.now.saturating_since(since);
    assert_eq!(took_us, 6 * 120_000);
    assert_eq!(bench.window(), 64 * PAYLOAD);
    let slowdown_at = bench.now.saturating_add(9 * took_us);
    assert_eq!(bench.law.phase, Phase::Steady { slowdown_at });
}

#[test]
fn queuing_does_not_end_the_ramp_of_a_slowdown() {
    let (mut bench, _) = slowed(120_000);
    bench.queue_us = 59_000;
    for _ in 0..4 {
        bench.round_trip();
    }
    assert!(bench.law.metrics().slow_start);
    assert!(bench.window() > 4 * PAYLOAD);
}

#[test]
fn an_endless_ramp_puts_the_next_slowdown_off_by_five_minutes_at_the_most() {
    let (mut bench, _) = slowed(120_000);
    bench.now = bench.now.saturating_add(3_600_000_000);
    while !matches!(bench.law.phase, Phase::Steady { .. }) {
        bench.round_trip();
    }
    let slowdown_at = bench.now.saturating_add(300_000_000);
    assert_eq!(bench.law.phase, Phase::Steady { slowdown_at });
}

#[test]
fn a_loss_halves_the_window() {
    let mut bench = Bench::steady(120_000, 50_000, 0);
    bench.loss();
    assert_eq!((bench.window(), bench.threshold()), (25_000, Some(25_000)));
    let mut bench = Bench::steady(120_000, 3_000, 0);
    bench.loss();
    assert_eq!(bench.window(), 2 * PAYLOAD);
}

#[test]
fn a_loss_ends_the_first_slow_start() {
    let mut bench = Bench::new(120_000);
    for _ in 0..4 {
        bench.round_trip();
    }
    bench.loss();
    assert_eq!((bench.window(), bench.threshold()), (16_000, Some(16_000)));
    let slowdown_at = bench.now.saturating_add(240_000);
    assert_eq!(bench.law.phase, Phase::Steady { slowdown_at });
}

#[test]
fn a_loss_during_a_slowdown_is_charged_to_the_window_that_it_returns_to() {
    let (mut bench, _) = slowed(120_000);
    bench.loss();
    assert_eq!((bench.window(), bench.threshold()), (2_000, Some(32_000)));
    for _ in 0..5 {
        bench.round_trip();
    }
    assert_eq!(bench.window(), 32 * PAYLOAD);
    assert!(!bench.law.metrics().slow_start);

    let (mut bench, _) = slowed(120_000);
    for _ in 0..5 {
        bench.round_trip();
    }
    assert_eq!(bench.window(), 32 * PAYLOAD);
    bench.loss();
    assert_eq!(bench.window(), 32 * PAYLOAD);
    assert!(!bench.law.metrics().slow_start, "this is what the ramp may come to");
}

#[test]
fn a_time_out_ramps_up_to_half_of_what_was_in_flight() {
    let mut bench = Bench::steady(120_000, 64_000, 0);
    for in_flight_bytes in [60_000, 1_000, 1_000] {
        bench.law.on_timeout(bench.now, in_flight_bytes);
        assert_eq!((bench.window(), bench.threshold()), (PAYLOAD, Some(30_000)));
    }
    for expected in [2_000, 4_000, 8_000, 16_000, 30_000, 31_000] {
        bench.round_trip();
        assert_eq!(bench.window(), expected);
    }
}

#[test]
fn a_time_out_during_a_slowdown_is_charged_to_the_window_that_it_returns_to() {
    let (mut bench, _) = slowed(120_000);
    bench.law.on_timeout(bench.now, 2_000);
    assert_eq!((bench.window(), bench.threshold()), (1_000, Some(32_000)));
}

#[test]
fn an_idle_time_out_keeps_the_window_as_the_end_of_a_ramp() {
    let mut bench = Bench::steady(120_000, 64_000, 0);
    for _ in 0..3 {
        bench.law.on_timeout(bench.now, 0);
        assert_eq!((bench.window(), bench.threshold()), (2_000, Some(64_000)));
    }
    assert!(bench.law.metrics().slow_start);
}

#[test]
fn a_needless_cut_is_undone_with_its_phase() {
    let mut bench = Bench::steady(120_000, 64_000, 0);
    let before = (bench.law.metrics(), bench.law.phase);
    bench.loss();
    bench.law.on_spurious_loss(bench.now);
    assert_eq!((bench.law.metrics(), bench.law.phase), before);
    bench.law.on_timeout(bench.now, 60_000);
    bench.law.on_timeout(bench.now, 1_000);
    bench.law.on_spurious_loss(bench.now);
    assert_eq!((bench.law.metrics(), bench.law.phase), before);
    bench.loss();
    bench.law.on_idle();
    bench.law.on_spurious_loss(bench.now);
    assert_eq!(bench.window(), 32_000, "what was before is forgotten in idle times");
}

#[test]
fn a_sender_that_its_application_limits_does_not_grow() {
    for phase in [Phase::Start, Phase::Ramp { since: Instant::default() }] {
        let mut bench = Bench::steady(120_000, 10_000, 0);
        bench.law.window.set_threshold(u64::MAX);
        bench.law.phase = phase;
        bench.now = bench.now.saturating_add(2_000_000);
        let (now, rtt_us) = (bench.now, Some(120_000));
        let ack =
            Ack { now, bytes_acked: 1_000, in_flight_bytes: 1_000, rtt_us, delay_sampled: false };
        bench.law.on_ack(&ack);
        assert_eq!(bench.window(), 10_000);
    }
}

#[test]
fn without_a_round_trip_time_the_window_stays() {
    let mut law = LedbatPlusPlus::new(1_000);
    let now = Instant::from_micros(0);
    law.on_window_limited(now);
    law.on_ack(&Ack {
        now,
        bytes_acked: 2_000,
        in_flight_bytes: 2_000,
        rtt_us: None,
        delay_sampled: true,
    });
    assert_eq!(law.window_bytes(), 2_000);
}
