//! Controllers under input that no honest peer and no sane driver would give.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use utp_ledbat::{
    Ack, CONTROLLER_NAMES, Config, Controller, DelaySample, Ledbat, Loss, SlowStart, by_name,
};
use utp_wire::{Instant, TimestampDiff};

#[derive(Clone, Copy, Debug)]
enum Event {
    Ack { bytes_acked: u64, in_flight_bytes: u64, rtt_us: Option<u32>, delay_sampled: bool },
    Limited,
    Loss { bytes_lost: u64, srtt_us: Option<u32> },
    MoreLoss { bytes_lost: u64 },
    Mtu(u16),
    Sample { ours: Option<u32>, theirs: Option<u32> },
    Sent { bytes: u64, in_flight_bytes: u64 },
    SpuriousLoss,
    Timeout { in_flight_bytes: u64 },
}

/// Values around the places where 32-bit clocks wrap and signs flip, and all others.
fn wrapping() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(0),
        Just(1),
        0..400_000_u32,
        (0x7fff_fff0..=0x8000_0010_u32),
        Just(u32::MAX),
        any::<u32>(),
    ]
}

fn bytes() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..200_000_u64, 1 => Just(0), 1 => Just(u64::MAX), 1 => any::<u64>()]
}

fn event() -> impl Strategy<Value = Event> {
    let ack = (bytes(), bytes(), proptest::option::of(wrapping()), any::<bool>()).prop_map(
        |(bytes_acked, in_flight_bytes, rtt_us, delay_sampled)| Event::Ack {
            bytes_acked,
            in_flight_bytes,
            rtt_us,
            delay_sampled,
        },
    );
    let loss = (bytes(), proptest::option::of(wrapping()))
        .prop_map(|(bytes_lost, srtt_us)| Event::Loss { bytes_lost, srtt_us });
    let sample = (proptest::option::of(wrapping()), proptest::option::of(wrapping()))
        .prop_map(|(ours, theirs)| Event::Sample { ours, theirs });
    let sent = (bytes(), bytes())
        .prop_map(|(bytes, in_flight_bytes)| Event::Sent { bytes, in_flight_bytes });
    prop_oneof![
        8 => ack,
        2 => Just(Event::Limited),
        1 => loss,
        1 => bytes().prop_map(|bytes_lost| Event::MoreLoss { bytes_lost }),
        1 => prop_oneof![any::<u16>(), 500..1_500_u16].prop_map(Event::Mtu),
        8 => sample,
        2 => sent,
        1 => Just(Event::SpuriousLoss),
        1 => bytes().prop_map(|in_flight_bytes| Event::Timeout { in_flight_bytes }),
    ]
}

/// Time passes by little, by minutes, or wildly, and sometimes backwards.
fn event_at() -> impl Strategy<Value = (i64, Event)> {
    let step_us = prop_oneof![
        6 => 0..200_000_i64,
        2 => 0..3_600_000_000_i64,
        1 => -1_000_000..0_i64,
        1 => any::<i64>(),
    ];
    (step_us, event())
}

fn config() -> impl Strategy<Value = Config> {
    let slow_start =
        prop_oneof![Just(SlowStart::Doubling), Just(SlowStart::Off), Just(SlowStart::OnePacket)];
    let preset = prop_oneof![
        Just(Config::utp()),
        Just(Config::libutp()),
        Just(Config::libutp_strict()),
        Just(Config::rfc6817()),
        Just(Config::rfc6817_strict()),
    ];
    let window_max_bytes = prop_oneof![4 => Just(1 << 20), 1 => 0..4_000_u64, 1 => any::<u64>()];
    (preset, slow_start, window_max_bytes, any::<bool>(), 0..10_u8).prop_map(
        |(mut config, slow_start, window_max_bytes, compensate_skew, current_filter)| {
            config.slow_start = slow_start;
            config.window_max_bytes = window_max_bytes;
            config.compensate_skew = compensate_skew;
            config.current_filter = current_filter;
            config
        },
    )
}

fn apply(controller: &mut dyn Controller, now: Instant, event: Event) {
    match event {
        Event::Ack { bytes_acked, in_flight_bytes, rtt_us, delay_sampled } => {
            controller.on_ack(&Ack { now, bytes_acked, in_flight_bytes, rtt_us, delay_sampled });
        }
        Event::Limited => controller.on_window_limited(now),
        Event::Loss { bytes_lost, srtt_us } => {
            let in_flight_bytes = bytes_lost;
            controller.on_loss(&Loss { now, bytes_lost, in_flight_bytes, srtt_us });
        }
        Event::MoreLoss { bytes_lost } => {
            let in_flight_bytes = bytes_lost;
            controller.on_more_loss(&Loss { now, bytes_lost, in_flight_bytes, srtt_us: None });
        }
        Event::SpuriousLoss => controller.on_spurious_loss(now),
        Event::Mtu(payload_bytes_max) => controller.on_mtu_update(payload_bytes_max),
        Event::Sample { ours, theirs } => {
            let (ours, theirs) = (ours.map(TimestampDiff), theirs.map(TimestampDiff));
            controller.on_delay_sample(now, DelaySample { ours, theirs });
        }
        Event::Sent { bytes, in_flight_bytes } => controller.on_sent(now, bytes, in_flight_bytes),
        Event::Timeout { in_flight_bytes } => controller.on_timeout(now, in_flight_bytes),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(6_817),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // req: CC-09
    #[test]
    fn any_sequence_of_events_keeps_the_window_between_one_and_the_cap(
        config in config(),
        start in any::<u64>(),
        payload_bytes_max in any::<u16>(),
        events in proptest::collection::vec(event_at(), 1..200),
    ) {
        let cap = config.clone().bounded().window_max_bytes;
        let mut now = Instant::from_micros(start);
        let mut ledbat = Ledbat::new(config, now, payload_bytes_max);
        let mut payload = u64::from(payload_bytes_max.max(1));
        let mut highest = ledbat.window_bytes();
        for (step_us, event) in events {
            now = Instant::from_micros(now.as_micros().saturating_add_signed(step_us));
            let before = ledbat.window_bytes();
            apply(&mut ledbat, now, event);
            let after = ledbat.window_bytes();
            prop_assert!((1..=cap).contains(&after), "{after} after {event:?}");
            prop_assert_eq!(ledbat.metrics().window_bytes, after);

            // One acknowledgement earns a step at most, or the floor after a time-out.
            let step = payload.max(3_000);
            match event {
                Event::Ack { delay_sampled: true, .. } => {
                    prop_assert!(after <= before + step + 1 || after <= 2 * payload);
                }
                Event::Loss { .. } | Event::MoreLoss { .. } => prop_assert!(after <= before),
                Event::Mtu(bytes) => {
                    payload = u64::from(bytes.max(1));
                    prop_assert_eq!(after, before);
                }
                Event::SpuriousLoss => prop_assert!((before..=highest).contains(&after)),
                Event::Timeout { .. } => prop_assert!(after <= before.max(payload)),
                _ => prop_assert_eq!(after, before),
            }
            highest = highest.max(after);
        }
    }

    // req: CC-09
    #[test]
    fn every_controller_withstands_any_sequence_of_events(
        start in any::<u64>(),
        payload_bytes_max in any::<u16>(),
        events in proptest::collection::vec(event_at(), 1..200),
    ) {
        for name in CONTROLLER_NAMES {
            let mut now = Instant::from_micros(start);
            let mut controller = by_name(name).expect("listed").build(now, payload_bytes_max);
            for (step_us, event) in &events {
                now = Instant::from_micros(now.as_micros().saturating_add_signed(*step_us));
                let before = controller.window_bytes();
                apply(&mut *controller, now, *event);
                let after = controller.window_bytes();
                prop_assert!((1..=1 << 30).contains(&after), "{name}: {after} after {event:?}");
                prop_assert_eq!(controller.metrics().window_bytes, after);
                if let Event::Loss { .. } | Event::MoreLoss { .. } = event {
                    prop_assert!(after <= before, "{name} grew from {before} to {after}");
                }
            }
        }
    }

    #[test]
    fn the_same_events_give_the_same_windows(
        config in config(),
        events in proptest::collection::vec(event_at(), 1..50),
    ) {
        let run = || {
            let mut now = Instant::from_micros(1 << 40);
            let mut ledbat = Ledbat::new(config.clone(), now, 1_382);
            let windows: Vec<u64> = events.iter().map(|(step_us, event)| {
                now = Instant::from_micros(now.as_micros().saturating_add_signed(*step_us));
                apply(&mut ledbat, now, *event);
                ledbat.window_bytes()
            }).collect();
            windows
        };
        prop_assert_eq!(run(), run());
    }
}

/// A controller that has seen a steady path of 30 ms and steers normally.
fn settled(config: &Config, base: u32) -> (Ledbat, Instant) {
    let mut now = Instant::from_micros(5_000_000);
    let mut ledbat = Ledbat::new(config.clone(), now, 1_382);
    for _ in 0..30 {
        now = now.saturating_add(30_000);
        round_trip(&mut ledbat, now, base);
    }
    (ledbat, now)
}

fn round_trip(ledbat: &mut Ledbat, now: Instant, ours: u32) {
    let ours = Some(TimestampDiff(ours)).filter(|ours| ours.is_sample());
    let window_bytes = ledbat.window_bytes();
    ledbat.on_window_limited(now);
    ledbat.on_delay_sample(now, DelaySample { ours, theirs: ours });
    ledbat.on_ack(&Ack {
        now,
        bytes_acked: window_bytes,
        in_flight_bytes: window_bytes,
        rtt_us: Some(30_000),
        delay_sampled: ours.is_some(),
    });
}

// req: CC-09, WR-10, H-17
#[test]
fn a_step_between_any_two_boundary_delays_is_survived_and_forgotten() {
    let edges = [0x0000_0001, 0x7fff_fffe, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff];
    for config in [Config::libutp(), Config::rfc6817()] {
        for (from, to) in edges.iter().flat_map(|from| edges.map(|to| (*from, to))) {
            let (mut ledbat, mut now) = settled(&config, from);
            let before = ledbat.window_bytes();
            for step in 0..4_000_u32 {
                now = now.saturating_add(300_000);
                round_trip(&mut ledbat, now, to.wrapping_add(step % 7));
                assert!((1..=1 << 20).contains(&ledbat.window_bytes()));
            }
            // Twenty minutes on, the old base is forgotten and the window has grown again.
            assert!(ledbat.window_bytes() > before, "{} {from:#x} {to:#x}", config.target_us);
        }
    }
}
