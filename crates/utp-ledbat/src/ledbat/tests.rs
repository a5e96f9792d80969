//! Tests of the law, call by call: growth, decrease and limits here, losses in a file of their own.

mod losses;

use utp_wire::{Instant, TimestampDiff};

use super::*;
use crate::config::Size;

const PAYLOAD: u16 = 1_382;
const BASE: TimestampDiff = TimestampDiff(u32::MAX - 50_000);
const RTT_US: u32 = 400_000;

/// A controller with a clock, on a path whose queuing delay the test sets.
struct Bench {
    ledbat: Ledbat,
    now: Instant,
}

impl Bench {
    fn new(config: Config) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut bench = Self { ledbat: Ledbat::new(config, now, PAYLOAD), now };
        bench.sample(0);
        bench
    }

    fn with_window(config: Config, window_bytes: u64) -> Self {
        let mut bench = Self::new(config);
        bench.ledbat.window = subbytes(window_bytes);
        bench.ledbat.slow_start.on_cut(subbytes(window_bytes));
        bench
    }

    fn wait_us(&mut self, us: u64) {
        self.now = self.now.saturating_add(us);
    }

    fn sample(&mut self, delay_us: u32) {
        let ours = Some(TimestampDiff(BASE.0.wrapping_add(delay_us)));
        self.ledbat.on_delay_sample(self.now, DelaySample { ours, theirs: None });
    }

    /// Fills the filter of the current delay with one value.
    fn settle(&mut self, delay_us: u32) {
        for _ in 0..4 {
            self.sample(delay_us);
        }
    }

    fn ack(&mut self, bytes_acked: u64) {
        let in_flight_bytes = self.ledbat.window_bytes().max(bytes_acked);
        self.ack_of(bytes_acked, in_flight_bytes);
    }

    fn ack_of(&mut self, bytes_acked: u64, in_flight_bytes: u64) {
        let (now, rtt_us) = (self.now, Some(RTT_US));
        let ack = Ack { now, bytes_acked, in_flight_bytes, rtt_us, delay_sampled: true };
        self.ledbat.on_ack(&ack);
    }

    fn loss(&mut self) {
        self.lose(1);
    }

    fn lose(&mut self, packets: u64) {
        self.ledbat.on_loss(&self.lost(packets));
    }

    /// Loses packets of the round trip that the last loss has cut for.
    fn more_loss(&mut self, packets: u64) {
        self.ledbat.on_more_loss(&self.lost(packets));
    }

    fn lost(&self, packets: u64) -> Loss {
        Loss {
            now: self.now,
            bytes_lost: packets * u64::from(PAYLOAD),
            in_flight_bytes: self.window(),
            srtt_us: Some(RTT_US),
        }
    }

    fn limited(&mut self) {
        self.ledbat.on_window_limited(self.now);
    }

    fn window(&self) -> u64 {
        self.ledbat.window_bytes()
    }
}

// req: CC-03, R-03
#[test]
fn a_window_acknowledged_on_an_empty_queue_earns_the_gain() {
    let mut libutp = Bench::with_window(Config::libutp(), 100_000);
    libutp.limited();
    libutp.ack(100_000);
    assert_eq!(libutp.window(), 103_000);

    let mut rfc6817 = Bench::with_window(Config::rfc6817(), 100_000);
    rfc6817.ack(100_000);
    assert_eq!(rfc6817.window(), 101_382);
}

// req: R-04
#[test]
fn splitting_an_acknowledgement_earns_nothing_extra() {
    let mut whole = Bench::with_window(Config::rfc6817(), 100_000);
    whole.ack(100_000);
    let mut split = Bench::with_window(Config::rfc6817(), 100_000);
    for _ in 0..100_000 {
        split.ack(1);
    }
    assert!(split.window() <= whole.window());
    assert!(split.window() >= whole.window() - 20);
}

// req: R-25
#[test]
fn several_samples_before_an_acknowledgement_count_once_and_the_last_ones() {
    let mut one = Bench::with_window(Config::rfc6817_strict(), 100_000);
    one.settle(50_000);
    one.ack(100_000);
    assert_eq!(one.window(), 100_000 + 1_382 / 2);
    let mut several = Bench::with_window(Config::rfc6817_strict(), 100_000);
    several.settle(170_000);
    several.settle(50_000);
    several.settle(50_000);
    several.ack(100_000);
    assert_eq!(several.window(), one.window());
}

#[test]
fn an_acknowledgement_of_more_than_the_window_earns_less_than_the_gain() {
    for config in [Config::libutp(), Config::rfc6817()] {
        let gain_bytes = config.gain.bytes(PAYLOAD);
        let mut bench = Bench::with_window(config, 10_000);
        bench.limited();
        bench.ack(40_000);
        assert_eq!(bench.window(), 10_000 + gain_bytes / 4);
    }
}

#[test]
fn growth_of_less_than_a_byte_per_acknowledgement_adds_up() {
    // One percent below the target, each of these 723 packets earns 0.04 bytes.
    assert_eq!(after_round_trip_at(99_000, Config::utp()), 1_000_029);
    // One percent above it each costs as much.
    assert_eq!(after_round_trip_at(101_000, Config::utp()), 999_970);
}

#[test]
fn a_window_of_whole_bytes_forgets_the_fractions_as_libutp_does() {
    for config in [Config::libutp(), Config::libutp_strict()] {
        assert_eq!(after_round_trip_at(99_000, config.clone()), 1_000_000);
        assert_eq!(after_round_trip_at(101_000, config), 1_000_000 - 723);
    }
}

/// What a window of 1 000 000 bytes is after a round trip of acknowledgements of single packets.
fn after_round_trip_at(delay_us: u32, config: Config) -> u64 {
    let mut bench = Bench::with_window(config, 1_000_000);
    bench.limited();
    bench.settle(delay_us);
    for _ in 0..1_000_000 / u64::from(PAYLOAD) {
        bench.ack(PAYLOAD.into());
    }
    bench.window()
}

// req: CC-05, B-38
#[test]
fn a_delay_above_the_target_shrinks_in_proportion() {
    for (delay_us, lost_bytes) in [(100_000, 0), (150_000, 1_500), (200_000, 3_000)] {
        let mut bench = Bench::with_window(Config::libutp(), 100_000);
        bench.settle(delay_us);
        bench.ack(100_000);
        assert_eq!(bench.window(), 100_000 - lost_bytes);
    }
}

// req: R-09
#[test]
fn three_times_the_target_costs_two_packets_per_round_trip_by_the_rfc() {
    let mut bench = Bench::with_window(Config::rfc6817(), 100_000);
    bench.settle(300_000);
    bench.ack(100_000);
    assert_eq!(bench.window(), 100_000 - 2 * 1_382);
}

// req: R-06
#[test]
fn delay_does_not_shrink_below_the_floor() {
    for (config, floor) in [(Config::libutp(), 10), (Config::rfc6817(), 2_764)] {
        let mut bench = Bench::with_window(config, 3_000);
        bench.settle(399_000);
        for _ in 0..10 {
            bench.ack(3_000);
        }
        assert_eq!(bench.window(), floor);
    }
}

// req: CC-07, R-17
#[test]
fn without_a_usable_sample_the_window_stays() {
    for config in [Config::libutp(), Config::rfc6817()] {
        let mut bench = Bench::with_window(config, 50_000);
        bench.limited();
        bench.settle(300_000);
        bench.ledbat.on_ack(&Ack {
            now: bench.now,
            bytes_acked: 50_000,
            in_flight_bytes: 50_000,
            rtt_us: Some(RTT_US),
            delay_sampled: false,
        });
        assert_eq!(bench.window(), 50_000);
    }
}

// req: CC-06
#[test]
fn libutp_grows_for_a_second_after_the_window_held_data_back() {
    let mut bench = Bench::with_window(Config::libutp(), 100_000);
    bench.ack(100_000);
    assert_eq!(bench.window(), 100_000);
    bench.limited();
    bench.wait_us(1_000_000);
    bench.ack(100_000);
    assert_eq!(bench.window(), 103_000);
    bench.wait_us(1);
    bench.ack(103_000);
    assert_eq!(bench.window(), 103_000);
}

#[test]
fn slow_start_of_libutp_needs_a_window_that_holds_data_back_as_well() {
    let mut bench = Bench::new(Config::libutp());
    bench.ack(1_382);
    assert_eq!(bench.window(), 1_382);
    bench.limited();
    bench.ack(1_382);
    assert_eq!(bench.window(), 4_382);
    assert!(bench.ledbat.metrics().slow_start);
}

#[test]
fn an_application_limited_window_still_shrinks() {
    let mut bench = Bench::with_window(Config::libutp(), 100_000);
    bench.settle(200_000);
    bench.ack(100_000);
    assert_eq!(bench.window(), 97_000);
}

// req: CC-06, R-05
#[test]
fn the_rfc_holds_the_window_to_what_was_in_flight_and_one_packet() {
    let mut bench = Bench::with_window(Config::rfc6817(), 100_000);
    bench.ack_of(1_382, 20_000);
    assert_eq!(bench.window(), 21_382);
    bench.ack_of(1_000, 1_000);
    assert_eq!(bench.window(), 2 * 1_382);
}

#[test]
fn packets_received_in_a_row_do_not_look_like_an_application_limit() {
    let mut bench = Bench::with_window(Config::rfc6817(), 100_000);
    bench.ledbat.on_sent(bench.now, 1_382, 99_504);
    bench.limited();
    bench.ack_of(1_382, 99_504);
    bench.ack_of(50_000, 98_122);
    bench.ack_of(1_382, 48_122);
    assert!(bench.window() > 100_000);
    // The next send finds no more data: from here on it is the application that limits.
    bench.ledbat.on_sent(bench.now, 1_382, 48_122);
    bench.ack_of(1_382, 48_122);
    assert_eq!(bench.window(), 48_122 + 1_382);
}

#[test]
fn growth_is_that_of_tcp_where_only_the_round_trip_shows_a_queue() {
    for (config, gain_bytes) in [(Config::libutp(), 1_382), (Config::libutp_strict(), 3_000)] {
        let mut bench = Bench::with_window(config, 100_000);
        bench.limited();
        bench.ack(1);
        let theirs = |us| Some(TimestampDiff(us));
        for us in [7_000, 307_000] {
            let sample = DelaySample { ours: Some(BASE), theirs: theirs(us) };
            bench.ledbat.on_delay_sample(bench.now, sample);
        }
        let before = bench.window();
        bench.ledbat.on_ack(&Ack {
            now: bench.now,
            bytes_acked: before,
            in_flight_bytes: before,
            rtt_us: Some(RTT_US + 300_000),
            delay_sampled: true,
        });
        assert_eq!(bench.window(), before + gain_bytes);
    }
}

// req: R-16
#[test]
fn the_queuing_delay_cannot_exceed_the_round_trip() {
    let mut bench = Bench::with_window(Config::libutp(), 100_000);
    bench.limited();
    bench.settle(1_500_000);
    bench.ledbat.on_ack(&Ack {
        now: bench.now,
        bytes_acked: 100_000,
        in_flight_bytes: 100_000,
        rtt_us: Some(50_000),
        delay_sampled: true,
    });
    assert_eq!(bench.ledbat.metrics().queuing_delay_us, Some(50_000));
    assert_eq!(bench.window(), 101_500);
}

// req: H-16
#[test]
fn a_clock_that_hides_every_queue_is_penalised() {
    // The peer's clock loses 100 ms every second, so that each sample is a new base.
    let mut bench = Bench::with_window(Config::libutp(), 100_000);
    for second in 1..=60_u32 {
        bench.wait_us(1_000_000);
        bench.settle(0_u32.wrapping_sub(100_000 * second));
    }
    bench.ack(1_000);
    let delay_us = bench.ledbat.metrics().queuing_delay_us;
    assert!(delay_us.is_some_and(|delay_us| delay_us > 20_000), "{delay_us:?}");
}

// req: R-19
#[test]
fn the_filter_of_the_rfc_forgets_samples_older_than_a_round_trip() {
    let mut bench = Bench::with_window(Config::rfc6817(), 100_000);
    bench.ack(1);
    bench.wait_us(u64::from(RTT_US));
    bench.sample(250_000);
    assert_eq!(bench.ledbat.metrics().queuing_delay_us, Some(0));
    bench.wait_us(1);
    bench.sample(250_000);
    assert_eq!(bench.ledbat.metrics().queuing_delay_us, Some(250_000));
}

#[test]
fn the_cap_wins_over_every_minimum() {
    let mut config = Config::rfc6817();
    config.window_max_bytes = 1_000;
    let mut bench = Bench::new(config);
    assert_eq!(bench.window(), 1_000);
    bench.ack(1_000);
    assert_eq!(bench.window(), 1_000);
    bench.ledbat.on_timeout(bench.now, 1_000);
    assert_eq!(bench.window(), 1_000);
    bench.loss();
    assert_eq!(bench.window(), 1_000);
}

#[test]
fn a_new_packet_size_moves_what_is_counted_in_packets() {
    let mut bench = Bench::with_window(Config::rfc6817(), 100_000);
    bench.ledbat.on_mtu_update(500);
    bench.ack(100_000);
    assert_eq!(bench.window(), 100_500);
    bench.ledbat.on_timeout(bench.now, 90_000);
    assert_eq!(bench.window(), 500);
    bench.ledbat.on_mtu_update(0);
    bench.ledbat.on_timeout(bench.now, 90_000);
    assert_eq!(bench.window(), 1);
}

#[test]
fn a_configuration_out_of_range_is_moved_into_it() {
    let mut config = Config::libutp();
    config.window_max_bytes = 0;
    config.target_us = 0;
    config.window_initial = Size::Bytes(0);
    let mut bench = Bench::new(config);
    bench.ack(1);
    assert!((1..=10).contains(&bench.window()));
}

#[test]
fn another_target_is_steered_for_at_once_and_within_its_range() {
    let mut bench = Bench::with_window(Config::utp(), 50_000);
    bench.settle(40_000);
    bench.limited();
    bench.ack(50_000);
    let grown = bench.window();
    assert!(grown > 50_000);
    bench.ledbat.set_target(20_000);
    bench.ack(50_000);
    assert!(bench.window() < grown);
    for (target_us, expected) in [(0, 1_000), (u32::MAX, 100_000)] {
        bench.ledbat.set_target(target_us);
        assert_eq!(bench.ledbat.params.target_us, expected);
    }
}

#[test]
fn a_controller_stays_small() {
    // An idle connection keeps one of these for its whole life.
    assert!(size_of::<Ledbat>() <= 376, "{}", size_of::<Ledbat>());
}
