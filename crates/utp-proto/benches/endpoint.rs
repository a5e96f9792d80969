//! What an endpoint needs for a packet: to take it, to make it, and both in a whole transfer.
//!
//! Only the calls of the path count, which are timed where they happen in a transfer of 10 MB. The
//! throughput is in packets.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

mod transfer;

use transfer::{Meter, Path, Transfer};

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = handle_datagram, poll_transmit, whole_transfer
}
criterion_main!(benches);

fn handle_datagram(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handle_datagram");
    group.throughput(Throughput::Elements(1));
    for (name, path) in [
        ("decode_only", Path::Decode),
        ("in_order", Path::InOrder),
        ("reordered", Path::Reordered),
        ("ack_only", Path::Acks),
    ] {
        group.bench_function(name, |bencher| bencher.iter_custom(|count| per_packet(path, count)));
    }
    group.finish();
}

fn poll_transmit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("poll_transmit");
    group.throughput(Throughput::Elements(1));
    for segments in [1, 10, 45] {
        let path = Path::Transmit(segments);
        group.bench_function(format!("{segments}_segments"), |bencher| {
            bencher.iter_custom(|count| per_packet(path, count));
        });
    }
    group.finish();
}

/// Both endpoints and the virtual network between them, under congestion control.
fn whole_transfer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transfer");
    group.throughput(Throughput::Bytes(transfer::BYTES as u64));
    group.bench_function("10_MB", |bencher| {
        bencher.iter(|| Transfer::new(Path::Transfer, Unmeasured).run());
    });
    group.finish();
}

/// The time that `count` packets take on a path, by as many transfers as have so many.
fn per_packet(path: Path, count: u64) -> Duration {
    let (mut took, mut packets) = (Duration::ZERO, 0);
    while packets < count {
        let mut transfer = Transfer::new(path, Stopwatch::default());
        transfer.run();
        took += transfer.meter.0;
        packets += transfer.packets;
    }
    let nanos = took.as_nanos() * u128::from(count) / u128::from(packets.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Adds up what the work takes.
#[derive(Default)]
struct Stopwatch(Duration);

impl Meter for Stopwatch {
    fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        #[expect(
            clippy::disallowed_methods,
            reason = "the time of the machine is what is measured"
        )]
        let start = Instant::now();
        let result = work();
        self.0 += start.elapsed();
        result
    }
}

/// The whole is measured from outside.
struct Unmeasured;

impl Meter for Unmeasured {
    fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        work()
    }
}
