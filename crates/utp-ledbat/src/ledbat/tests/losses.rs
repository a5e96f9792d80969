//! Losses and time-outs, and taking them back.

use super::*;

// req: CC-01
#[test]
fn libutp_cuts_by_half_at_most_once_in_100_ms() {
    let mut bench = Bench::with_window(Config::libutp(), 100_000);
    bench.loss();
    assert_eq!(bench.window(), 50_000);
    bench.wait_us(99_999);
    bench.loss();
    assert_eq!(bench.window(), 50_000);
    bench.wait_us(1);
    bench.loss();
    assert_eq!(bench.window(), 25_000);
    assert_eq!(bench.ledbat.metrics().ssthresh_bytes, Some(25_000));
}

#[test]
fn the_strict_form_of_libutp_sends_at_once_and_cuts_for_each_loss_for_good() {
    for (config, strict) in [(Config::libutp(), false), (Config::libutp_strict(), true)] {
        let mut bench = Bench::with_window(config, 100_000);
        assert_eq!(bench.ledbat.is_paced(), !strict);
        bench.loss();
        bench.wait_us(100_000);
        bench.more_loss(1);
        assert_eq!(bench.window(), if strict { 25_000 } else { 50_000 });
        bench.ledbat.on_spurious_loss(bench.now);
        assert_eq!(bench.window(), if strict { 25_000 } else { 100_000 });
    }
}

#[test]
fn the_rfc_cuts_for_whatever_loss_it_is_told() {
    let mut bench = Bench::with_window(Config::rfc6817(), 100_000);
    bench.loss();
    assert_eq!(bench.window(), 50_000);
    bench.loss();
    assert_eq!(bench.window(), 25_000);
}

/// The default on a path whose round trip shows no queue, with a window of 100 000 bytes.
fn calm() -> Bench {
    let mut bench = Bench::with_window(Config::utp(), 100_000);
    bench.ack(1);
    bench
}

// req: U-44
#[test]
fn one_or_two_packets_lost_without_a_queue_cost_the_default_a_quarter() {
    let mut bench = calm();
    bench.loss();
    assert_eq!(bench.window(), 75_000);
    assert_eq!(bench.ledbat.metrics().ssthresh_bytes, Some(75_000));
    bench.more_loss(1);
    assert_eq!(bench.window(), 75_000);
    bench.wait_us(100_000);
    bench.loss();
    assert_eq!(bench.window(), 56_250, "another round trip counts anew");
}

// req: U-44
#[test]
fn a_third_packet_lost_in_the_same_round_trip_makes_it_half() {
    for more in [&[2][..], &[1, 1], &[1, 1, 1, 5]] {
        let mut bench = calm();
        bench.loss();
        for packets in more {
            bench.more_loss(*packets);
        }
        assert_eq!(bench.window(), 50_000, "{more:?}");
        bench.ledbat.on_spurious_loss(bench.now);
        assert_eq!(bench.window(), 100_000, "all of it is undone");
    }
    let mut bench = calm();
    bench.lose(3);
    assert_eq!(bench.window(), 50_000);
}

// req: U-44
#[test]
fn a_loss_costs_half_where_packets_wait() {
    for (delay_us, expected) in [(999, 75_000), (1_000, 50_000), (90_000, 50_000)] {
        let mut bench = calm();
        bench.settle(delay_us);
        bench.loss();
        assert_eq!(bench.window(), expected, "{delay_us}");
    }
}

// req: U-44, R-24
#[test]
fn a_queue_that_only_round_trips_show_makes_it_half() {
    for (queuing_us, expected) in [(4_999, 75_000), (5_000, 50_000)] {
        let mut bench = calm();
        let (now, rtt_us) = (bench.now, Some(RTT_US + queuing_us));
        let bytes = 1;
        let in_flight_bytes = bench.window();
        bench.ledbat.on_ack(&Ack {
            now,
            bytes_acked: bytes,
            in_flight_bytes,
            rtt_us,
            delay_sampled: true,
        });
        bench.loss();
        assert_eq!(bench.window(), expected, "{queuing_us}");
    }
}

#[test]
fn without_a_delay_the_default_cuts_by_half() {
    let now = Instant::from_micros(1_000_000);
    let mut bench = Bench { ledbat: Ledbat::new(Config::utp(), now, PAYLOAD), now };
    bench.ledbat.window = subbytes(100_000);
    bench.loss();
    assert_eq!(bench.window(), 50_000);
}

#[test]
fn more_losses_say_nothing_new_to_the_other_laws() {
    for config in [Config::libutp(), Config::rfc6817()] {
        let mut bench = Bench::with_window(config, 100_000);
        bench.loss();
        bench.more_loss(10);
        assert_eq!(bench.window(), 50_000);
    }
}

#[test]
fn a_loss_leaves_the_default_two_packets_but_delay_may_take_them() {
    let mut bench = Bench::with_window(Config::utp(), 5_000);
    bench.lose(3);
    assert_eq!(bench.window(), 2 * 1_382);
    bench.settle(399_000);
    for _ in 0..10 {
        bench.ack(3_000);
    }
    assert_eq!(bench.window(), 10);
    bench.wait_us(1_000_000);
    bench.lose(3);
    assert_eq!(bench.window(), 10, "a loss never raises the window");
}

#[test]
fn a_cut_that_was_needless_is_undone_with_the_phase() {
    for config in [Config::libutp(), Config::rfc6817()] {
        let mut bench = Bench::with_window(config, 100_000);
        let before = bench.ledbat.metrics();
        bench.loss();
        bench.ledbat.on_spurious_loss(bench.now);
        assert_eq!(bench.ledbat.metrics(), before);
        bench.ledbat.on_spurious_loss(bench.now);
        assert_eq!(bench.ledbat.metrics(), before, "there is nothing more to undo");
    }
    let mut bench = Bench::new(Config::libutp());
    bench.limited();
    bench.ack(bench.window());
    let before = bench.ledbat.metrics();
    bench.loss();
    assert!(!bench.ledbat.metrics().slow_start);
    bench.ledbat.on_spurious_loss(bench.now);
    assert_eq!(bench.ledbat.metrics(), before, "the start goes on");
}

#[test]
fn time_outs_in_a_row_are_undone_together() {
    for config in [Config::libutp(), Config::rfc6817()] {
        let mut bench = Bench::with_window(config, 100_000);
        let before = bench.ledbat.metrics();
        for _ in 0..3 {
            bench.ledbat.on_timeout(bench.now, 90_000);
            bench.wait_us(1_000_000);
        }
        assert_eq!(bench.window(), 1_382);
        bench.ledbat.on_spurious_loss(bench.now);
        assert_eq!(bench.ledbat.metrics(), before);
    }
}

#[test]
fn an_ack_between_two_time_outs_makes_them_two() {
    let mut bench = Bench::with_window(Config::libutp(), 100_000);
    bench.ledbat.on_timeout(bench.now, 90_000);
    bench.ack_of(1_382, 1_382);
    let window = bench.window();
    bench.ledbat.on_timeout(bench.now, 1_382);
    bench.ledbat.on_spurious_loss(bench.now);
    assert_eq!(bench.window(), window);
}

#[test]
fn a_window_that_has_grown_beyond_what_it_was_is_not_shrunk_by_the_undoing() {
    let mut bench = Bench::with_window(Config::libutp(), 10_000);
    bench.loss();
    bench.ledbat.window = subbytes(30_000);
    bench.ledbat.on_spurious_loss(bench.now);
    assert_eq!(bench.window(), 30_000);
}

// req: R-07
#[test]
fn a_loss_never_raises_the_window_and_stops_at_the_floor() {
    for (config, floor) in [(Config::libutp(), 10), (Config::rfc6817(), 2_764)] {
        let mut bench = Bench::with_window(config.clone(), floor + 5);
        bench.loss();
        assert_eq!(bench.window(), floor.max((floor + 5) / 2));
        let mut bench = Bench::with_window(config, 7);
        bench.loss();
        assert_eq!(bench.window(), 7);
    }
}

#[test]
fn a_loss_ends_slow_start() {
    let mut bench = Bench::new(Config::libutp());
    bench.limited();
    for _ in 0..5 {
        bench.ack(bench.window());
    }
    let window = bench.window();
    bench.loss();
    let metrics = bench.ledbat.metrics();
    assert!(!metrics.slow_start);
    assert_eq!(metrics.ssthresh_bytes, Some(window / 2));
}

// req: CC-02
#[test]
fn a_time_out_with_data_in_flight_leaves_one_packet_and_slow_start() {
    let mut bench = Bench::with_window(Config::libutp(), 100_000);
    bench.ledbat.on_timeout(bench.now, 90_000);
    let metrics = bench.ledbat.metrics();
    assert_eq!(metrics.window_bytes, 1_382);
    assert!(metrics.slow_start);
    assert_eq!(metrics.ssthresh_bytes, Some(100_000));
}

#[test]
fn a_time_out_with_nothing_in_flight_takes_a_third_down_to_one_packet() {
    let mut bench = Bench::with_window(Config::libutp(), 6_000);
    for expected in [4_000, 2_666, 1_777, 1_382, 1_382] {
        bench.ledbat.on_timeout(bench.now, 0);
        assert_eq!(bench.window(), expected);
    }
}

#[test]
fn a_window_below_one_packet_gets_one_at_the_time_out() {
    let mut bench = Bench::with_window(Config::libutp(), 10);
    bench.ledbat.on_timeout(bench.now, 0);
    assert_eq!(bench.window(), 1_382);
    assert!(bench.ledbat.metrics().slow_start);
}

// req: CC-02, R-08
#[test]
fn the_rfc_restarts_with_one_packet_and_has_two_after_the_next_acknowledgement() {
    let mut bench = Bench::with_window(Config::rfc6817(), 100_000);
    bench.ledbat.on_timeout(bench.now, 90_000);
    assert_eq!(bench.window(), 1_382);
    assert!(!bench.ledbat.metrics().slow_start);
    bench.sample(0);
    bench.ack_of(1_382, 1_382);
    assert_eq!(bench.window(), 2_764);
}
