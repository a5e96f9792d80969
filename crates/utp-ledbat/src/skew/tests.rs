//! Tests of the skew corrections and of their bounds.

use super::*;

const RTT_US: u32 = 60_000;

fn at_ms(ms: u64) -> Instant {
    Instant::from_micros(ms * 1_000)
}

/// A connection that has seen an empty path: the round-trip time and the peer's base are known.
fn skew() -> Skew {
    let mut skew = Skew::new(&Config::libutp(), at_ms(0));
    skew.on_theirs(at_ms(0), TimestampDiff(50_000));
    assert_eq!(skew.raise_us(at_ms(0), 0, RTT_US, 0), 0);
    skew
}

#[test]
fn a_fall_of_the_peers_base_is_mirrored_as_far_as_the_delay_shows_it() {
    let mut skew = skew();
    skew.on_theirs(at_ms(1), TimestampDiff(42_000));
    assert_eq!(skew.raise_us(at_ms(1), 3_000, RTT_US, 0), 3_000);
    assert_eq!(skew.raise_us(at_ms(2), 9_000, RTT_US, 0), 5_000);
    assert_eq!(skew.raise_us(at_ms(3), 9_000, RTT_US, 0), 0);
}

#[test]
fn a_fall_of_more_than_10_ms_is_not_drift() {
    let mut skew = skew();
    skew.on_theirs(at_ms(1), TimestampDiff(39_999));
    assert_eq!(skew.raise_us(at_ms(1), 50_000, RTT_US, 0), 0);
}

#[test]
fn what_the_round_trip_shows_as_queuing_is_not_mirrored() {
    let mut skew = skew();
    skew.on_theirs(at_ms(1), TimestampDiff(42_000));
    assert_eq!(skew.raise_us(at_ms(1), 30_000, RTT_US + 30_000, 30_000), 0);
    assert_eq!(skew.raise_us(at_ms(2), 32_000, RTT_US + 30_000, 30_000), 2_000);
}

#[test]
fn a_delay_above_the_round_trip_raises_the_base_by_the_excess() {
    assert_eq!(skew().raise_us(at_ms(1), RTT_US + 7_000, RTT_US, 0), 7_000);
}

#[test]
fn all_raises_together_stay_within_half_the_target_and_the_refill() {
    let mut skew = skew();
    let mut raised_us = 0;
    for ms in 1..=10_000_u32 {
        skew.on_theirs(at_ms(ms.into()), TimestampDiff(50_000_u32.wrapping_sub(10_000 * ms)));
        raised_us += skew.raise_us(at_ms(ms.into()), 2_000_000_000, RTT_US, 0);
    }
    // 50 ms at once and 500 ppm of ten seconds; the first half microsecond finds the budget full.
    assert_eq!(raised_us, 50_000 + 4_999);
}

#[test]
fn what_the_peers_base_fell_beyond_the_budget_is_not_saved_up() {
    let mut skew = skew();
    for step in 1..=20 {
        skew.on_theirs(at_ms(1), TimestampDiff(50_000_u32.wrapping_sub(10_000 * step)));
    }
    assert_eq!(skew.raise_us(at_ms(1), 55_000, RTT_US, 0), 50_000);
    assert_eq!(skew.raise_us(at_ms(1_000_000), 55_000, RTT_US, 0), 0);
}

#[test]
fn no_step_of_the_peers_clock_overflows() {
    let steps = [0, 1, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, u32::MAX];
    let mut skew = Skew::new(&Config::libutp(), at_ms(0));
    let mut raised_us = 0;
    for (ms, (theirs, delay_us)) in
        steps.iter().flat_map(|theirs| steps.map(|delay_us| (*theirs, delay_us))).enumerate()
    {
        let now = at_ms(ms as u64);
        skew.on_theirs(now, TimestampDiff(theirs));
        skew.on_ours(now, TimestampDiff(delay_us));
        for rtt_us in steps {
            raised_us += skew.raise_us(now, delay_us, rtt_us, 0);
        }
    }
    assert!(raised_us <= 50_100, "{raised_us}");
}

#[test]
fn the_budget_loses_no_fraction_of_a_microsecond() {
    let mut budget = Budget::new(at_ms(0), 1_000, 1);
    assert_eq!(budget.take(at_ms(0), u32::MAX), 1_000);
    // One part per million: a microsecond every second, however often it is asked for.
    let granted = (1..=10_000).map(|ms| budget.take(at_ms(ms), u32::MAX)).sum::<u32>();
    assert_eq!(granted, 10);
}

/// The penalty after a minute in which the delay changes by so much per second.
fn penalty_us(change_us_per_s: i64) -> u32 {
    let mut drift = Drift::default();
    for second in 0..=60_i64 {
        let sample = (change_us_per_s * second).cast_unsigned() & u64::from(u32::MAX);
        let sample = TimestampDiff(u32::try_from(sample).expect("masked"));
        drift.on_sample(at_ms(second.unsigned_abs() * 1_000), sample);
    }
    drift.penalty_us()
}

#[test]
fn only_an_absurdly_slow_clock_is_penalised() {
    assert_eq!(penalty_us(0), 0);
    assert_eq!(penalty_us(60_000), 0);
    // -40 000 ppm is where the penalty would begin once the trend has settled.
    assert_eq!(penalty_us(-40_000), 0);
    let penalty_us = penalty_us(-100_000);
    // The trend has come to three quarters of -500 000 per period, a seventh of the rest counts.
    assert!((20_000..30_000).contains(&penalty_us), "{penalty_us}");
}

#[test]
fn a_step_of_half_the_range_is_penalised_for_less_than_a_minute() {
    let mut drift = Drift::default();
    let mut penalised_s = 0;
    for second in 0..600_u64 {
        // Around the step, samples fall on both sides of where the distance wraps.
        let sample = if second < 60 { 1 } else { 0x8000_0000 + u32::from(second % 2 == 0) };
        drift.on_sample(at_ms(second * 1_000), TimestampDiff(sample));
        penalised_s += u32::from(drift.penalty_us() > 0);
        assert!(drift.penalty_us() <= 100_000);
    }
    assert!(penalised_s < 60, "{penalised_s}");
}

#[test]
fn samples_half_the_range_apart_leave_the_trend_bounded() {
    let mut drift = Drift::default();
    for period in 0..1_000_u64 {
        let sample = if period % 2 == 0 { 0 } else { 0x8000_0000 };
        drift.on_sample(at_ms(period * 5_000), TimestampDiff(sample));
        assert!(drift.trend_us.abs() <= CHANGE_US_MAX);
    }
}
