//! How fast the network model moves packets: each is sent, queued, transmitted and delivered.
//!
//! The time per packet is the inverse of the throughput that is printed; the model is meant to move
//! a million packets per second on one core.

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use utp_sim::network::Network;
use utp_sim::packet::{Datagram, HostId, UDP_OVERHEAD_V4};
use utp_sim::scenario::{
    Controller, FlowKind, FlowSpec, LinkConfig, LinkSpec, Queue, Rate, Scenario, UtpFlow,
};
use utp_sim::time::Ns;

/// A link that takes 12 us for a full packet.
fn link(queue: Queue) -> LinkConfig {
    LinkConfig {
        rate: Rate::Constant(1_000_000_000),
        delay: Ns::from_millis(25),
        queue,
        ..LinkConfig::default()
    }
}

fn scenario(links: Vec<LinkConfig>, flows: u16, kind: &FlowKind) -> Scenario {
    let via: Vec<usize> = (0..links.len()).collect();
    let flow = |index| FlowSpec {
        name: format!("flow-{index}"),
        kind: kind.clone(),
        via: via.clone(),
        back: None,
        start: Ns::ZERO,
        start_jitter: Ns::ZERO,
        stop: None,
    };
    let named = |(index, config)| LinkSpec { name: format!("link-{index}"), config };
    Scenario {
        seed: 1,
        duration: Ns::from_secs(1),
        links: links.into_iter().enumerate().map(named).collect(),
        flows: (0..flows).map(flow).collect(),
        ..Scenario::default()
    }
}

const DROPTAIL: Queue = Queue::Droptail { bytes_max: Some(1_000_000), packets_max: None };

/// Twenty flows that send in step, so that bursts of twenty packets queue.
fn bursts(criterion: &mut Criterion) {
    let (target, interval) = (Ns::from_millis(5), Ns::from_millis(100));
    let queues = [
        ("droptail", DROPTAIL),
        ("codel", Queue::Codel { target, interval, bytes_max: None }),
        (
            "fq-codel",
            Queue::FqCodel { target, interval, quantum: 1_514, flows: 1_024, packets_max: 10_240 },
        ),
        (
            "pie",
            Queue::Pie {
                target: Ns::from_millis(15),
                update: Ns::from_millis(15),
                burst: Ns::from_millis(150),
                bytes_max: None,
            },
        ),
    ];
    let flow = FlowKind::Cbr { rate_bps: 1_472 * 8 * 4_000, interval: Ns::from_micros(250) };
    let mut group = criterion.benchmark_group("packets");
    group.throughput(Throughput::Elements(80_000)).sample_size(20);
    for (name, queue) in queues {
        let scenario = scenario(vec![link(queue)], 20, &flow);
        group.bench_function(name, |bencher| bencher.iter(|| run(&scenario)));
    }
    let three = scenario(vec![link(DROPTAIL); 3], 20, &flow);
    group.bench_function("three links", |bencher| bencher.iter(|| run(&three)));
}

fn run(scenario: &Scenario) -> u64 {
    let mut network = Network::new(scenario);
    network.run_until(scenario.duration, &mut |_, _, _| unreachable!("no host takes part"));
    network.finish().trace_hash
}

/// A host that sends datagrams and gets answers, in windows of a millisecond.
fn datagrams(criterion: &mut Criterion) {
    let utp = Controller::named("libutp").expect("it exists");
    let scenario = scenario(vec![link(DROPTAIL)], 1, &FlowKind::Utp(UtpFlow::new(utp)));
    let payload = Bytes::from(vec![0; 1_472]);
    let datagram = |from: HostId| Datagram {
        source: from.port(0),
        destination: from.peer().port(0),
        overhead: UDP_OVERHEAD_V4,
        dont_fragment: true,
        payload: payload.slice(..if from == HostId::Left { 1_472 } else { 20 }),
    };
    let mut group = criterion.benchmark_group("packets");
    group.throughput(Throughput::Elements(2 * 80_000)).sample_size(20);
    group.bench_function("datagrams of hosts", |bencher| {
        bencher.iter_batched(
            || Network::new(&scenario),
            |mut network| {
                for ms in 0..1_000 {
                    for count in 0..80 {
                        let at = Ns::from_millis(ms) + Ns::from_micros(12 * count);
                        network.inject(at, HostId::Left, datagram(HostId::Left));
                        network.inject(at, HostId::Right, datagram(HostId::Right));
                    }
                    network.run_until(Ns::from_millis(ms + 1), &mut |at, host, delivery| {
                        black_box((at, host, delivery));
                    });
                }
                network.finish().trace_hash
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, bursts, datagrams);
criterion_main!(benches);
