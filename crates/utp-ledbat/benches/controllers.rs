//! What a controller needs for an ack: the delay sample that comes with it, the ack itself, and the
//! question how much may be sent.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use utp_ledbat::{Ack, CONTROLLER_NAMES, Controller, DelaySample, by_name};
use utp_wire::{Instant, TimestampDiff};

criterion_group!(benches, on_ack);
criterion_main!(benches);

fn on_ack(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("on_ack");
    group.throughput(Throughput::Elements(u64::from(ACKS)));
    for name in CONTROLLER_NAMES {
        let factory = by_name(name).expect("it is listed");
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || factory.build(Instant::from_micros(0), PAYLOAD_BYTES),
                |controller| acks(controller.as_mut()),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// A second of acks over a path of 50 ms whose queue fills and empties.
fn acks(controller: &mut dyn Controller) -> u64 {
    for ack in 0..ACKS {
        let now = Instant::from_micros(u64::from(ack) * 1_000_000 / u64::from(ACKS));
        let queuing_us = ack % 200 * 1_000;
        let delay = |us| Some(TimestampDiff(20_000 + us));
        controller.on_window_limited(now);
        let sample = DelaySample { ours: delay(queuing_us), theirs: delay(ack % 3) };
        controller.on_delay_sample(now, black_box(sample));
        controller.on_ack(black_box(&Ack {
            now,
            bytes_acked: PAYLOAD_BYTES.into(),
            in_flight_bytes: controller.window_bytes(),
            rtt_us: Some(50_000 + queuing_us),
            delay_sampled: true,
        }));
    }
    controller.window_bytes()
}

const ACKS: u32 = 1_000;

const PAYLOAD_BYTES: u16 = 1_452;
