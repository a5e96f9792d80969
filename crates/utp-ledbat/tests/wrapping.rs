//! Delays at every place where 32 bits wrap or flip their sign.

use utp_ledbat::{Ack, Config, Controller, DelaySample, Ledbat, Loss};
use utp_wire::{Instant, TimestampDiff};

/// Each boundary, and the numbers on both sides of it.
fn boundaries() -> Vec<u32> {
    let centres = [0, 1 << 15, 1 << 16, 1 << 30, 1 << 31, 3 << 30, 0x7fff_ffff, u32::MAX];
    let mut all: Vec<u32> = centres
        .iter()
        .flat_map(|centre: &u32| (0..5).map(|step| centre.wrapping_add(step).wrapping_sub(2)))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn step(ledbat: &mut Ledbat, now: Instant, ours: u32, theirs: u32, rtt_us: u32) {
    let sample = |diff| Some(TimestampDiff(diff)).filter(|diff| diff.is_sample());
    ledbat.on_window_limited(now);
    ledbat.on_delay_sample(now, DelaySample { ours: sample(ours), theirs: sample(theirs) });
    ledbat.on_ack(&Ack {
        now,
        bytes_acked: 1_382,
        in_flight_bytes: 1_382,
        rtt_us: Some(rtt_us),
        delay_sampled: sample(ours).is_some(),
    });
}

// req: CC-09, WR-10
#[test]
fn any_two_boundary_delays_in_a_row_keep_the_window_within_its_bounds() {
    let boundaries = boundaries();
    for config in [Config::libutp(), Config::rfc6817()] {
        for first in &boundaries {
            for second in &boundaries {
                let mut now = Instant::from_micros(7_000_000);
                let mut ledbat = Ledbat::new(config.clone(), now, 1_382);
                for (ours, theirs, rtt_us) in [
                    (*first, *second, 50_000),
                    (*second, *first, *first),
                    (*first, *first, *second),
                    (*second, *second, 50_000),
                ] {
                    now = now.saturating_add(10_000);
                    step(&mut ledbat, now, ours, theirs, rtt_us);
                    let window = ledbat.window_bytes();
                    assert!((1..=1 << 20).contains(&window), "{first:#x} {second:#x}: {window}");
                }
                ledbat.on_loss(&Loss {
                    now,
                    bytes_lost: u64::MAX,
                    in_flight_bytes: u64::MAX,
                    srtt_us: Some(*second),
                });
                assert!(ledbat.window_bytes() >= 1);
            }
        }
    }
}

// req: CC-07
#[test]
fn delays_that_mean_none_are_no_samples() {
    for config in [Config::libutp(), Config::rfc6817()] {
        for none in [0, 0x7fff_ffff] {
            let mut now = Instant::from_micros(7_000_000);
            let mut ledbat = Ledbat::new(config.clone(), now, 1_382);
            let before = ledbat.window_bytes();
            for _ in 0..100 {
                now = now.saturating_add(10_000);
                step(&mut ledbat, now, none, none, 50_000);
            }
            assert_eq!(ledbat.window_bytes(), before);
            assert_eq!(ledbat.metrics().base_delay_us, None);
        }
    }
}
