//! The network as hosts and records see it.

use super::*;
use crate::packet::UDP_OVERHEAD_V4;
use crate::scenario::{
    Controller, FlowKind, FlowSpec, Jitter, LinkConfig, LinkSpec, Loss, Queue, Rate, UtpFlow,
};
use crate::trace::DropReason;
use bytes::Bytes;
use std::sync::{Arc, Mutex};

fn link(rate_bps: u64, delay: Ns, queue_bytes_max: u64) -> LinkConfig {
    LinkConfig {
        rate: Rate::Constant(rate_bps),
        delay,
        queue: Queue::Droptail { bytes_max: Some(queue_bytes_max), packets_max: None },
        ..LinkConfig::default()
    }
}

fn flow(name: &str, kind: FlowKind) -> FlowSpec {
    FlowSpec {
        name: name.into(),
        kind,
        via: vec![0],
        back: None,
        start: Ns::ZERO,
        start_jitter: Ns::ZERO,
        stop: None,
    }
}

fn host_flow() -> FlowSpec {
    let controller = Controller::named("libutp").expect("it exists");
    flow("utp", FlowKind::Utp(UtpFlow::new(controller)))
}

fn scenario(config: LinkConfig, flows: Vec<FlowSpec>) -> Scenario {
    Scenario {
        seed: 1,
        duration: Ns::from_secs(120),
        links: vec![LinkSpec { name: "uplink".into(), config }],
        flows,
        ..Scenario::default()
    }
}

fn datagram(from: HostId, flow: u16, payload: usize) -> Datagram {
    Datagram {
        source: from.port(flow),
        destination: from.peer().port(flow),
        overhead: UDP_OVERHEAD_V4,
        dont_fragment: true,
        payload: Bytes::from(vec![7; payload]),
    }
}

fn run(network: &mut Network, until: Ns) -> Vec<(Ns, HostId, usize)> {
    let mut delivered = Vec::new();
    network.run_until(until, &mut |at, host, delivery| {
        let Delivery::Datagram(datagram) = delivery else { panic!("{delivery:?}") };
        delivered.push((at, host, datagram.payload.len()));
    });
    delivered
}

fn run_alone(scenario: &Scenario) -> Record {
    let mut network = Network::new(scenario);
    network.run_until(scenario.duration, &mut |_, _, _| unreachable!("no host takes part"));
    network.finish()
}

fn percentile(samples: &[u32], percent: usize) -> u32 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() - 1) * percent / 100]
}

#[test]
fn a_datagram_arrives_after_serialisation_and_delay() {
    let config = link(10_000_000, Ns::from_millis(25), 125_000);
    let mut network = Network::new(&scenario(config, vec![host_flow()]));
    network.inject(Ns(123_456_789), HostId::Left, datagram(HostId::Left, 0, 1472));
    network.inject(Ns(123_456_790), HostId::Right, datagram(HostId::Right, 0, 20));
    let delivered = run(&mut network, Ns::from_secs(1));
    let data = Ns(123_456_789) + Ns::from_micros(1_200) + Ns::from_millis(25);
    // The way back is ideal: it has the delay and no rate.
    let back = Ns(123_456_790) + Ns::from_millis(25);
    assert_eq!(delivered, [(back, HostId::Left, 20), (data, HostId::Right, 1472)]);
}

#[test]
fn a_named_link_back_serialises_too() {
    let config = link(10_000_000, Ns::from_millis(25), 125_000);
    let mut scenario = scenario(config, vec![host_flow()]);
    let back = link(1_000_000, Ns::from_millis(5), 125_000);
    scenario.links.push(LinkSpec { name: "downlink".into(), config: back });
    scenario.flows[0].back = Some(vec![1]);
    let mut network = Network::new(&scenario);
    assert_eq!(network.min_path_delay(), Some(Ns::from_millis(5)));
    network.inject(Ns(0), HostId::Right, datagram(HostId::Right, 0, 97));
    let delivered = run(&mut network, Ns::from_secs(1));
    assert_eq!(delivered, [(Ns::from_millis(6), HostId::Left, 97)]);
}

#[test]
fn deliveries_are_announced_a_propagation_delay_ahead() {
    let config = link(10_000_000, Ns::from_millis(25), 125_000);
    let mut network = Network::new(&scenario(config, vec![host_flow()]));
    assert_eq!(network.min_path_delay(), Some(Ns::from_millis(25)));
    network.inject(Ns(0), HostId::Left, datagram(HostId::Left, 0, 1472));
    assert_eq!(run(&mut network, Ns::from_micros(1_200)), []);
    let delivered = run(&mut network, Ns::from_micros(1_201));
    assert_eq!(delivered, [(Ns::from_micros(26_200), HostId::Right, 1472)]);
    assert_eq!(network.late(), 0);
}

#[test]
fn order_of_injection_within_a_window_does_not_matter() {
    let config = link(10_000_000, Ns::from_millis(25), 125_000);
    let run_in = |order: &[usize]| {
        let times = [Ns(500), Ns(900), Ns(100)];
        let mut network = Network::new(&scenario(config.clone(), vec![host_flow()]));
        for &index in order {
            let sent = datagram(HostId::Left, 0, 100 + index);
            network.inject(times[index], HostId::Left, sent);
        }
        run(&mut network, Ns::from_secs(1))
    };
    let expected = run_in(&[0, 1, 2]);
    assert_eq!(expected.iter().map(|arrival| arrival.2).collect::<Vec<_>>(), [102, 100, 101]);
    assert_eq!(run_in(&[2, 0, 1]), expected);
    assert_eq!(run_in(&[1, 2, 0]), expected);
}

#[test]
fn packets_that_come_too_late_are_counted() {
    let config = link(10_000_000, Ns::from_millis(1), 125_000);
    let mut network = Network::new(&scenario(config, vec![host_flow()]));
    run(&mut network, Ns::from_millis(10));
    network.inject(Ns::from_millis(9), HostId::Left, datagram(HostId::Left, 0, 1472));
    assert_eq!(network.late(), 1);
    let delivered = run(&mut network, Ns::from_millis(20));
    assert_eq!(delivered, [(Ns::from_micros(12_200), HostId::Right, 1472)]);
    // The arrival lies before the end of the window in which it was announced.
    assert_eq!(network.late(), 2);
}

#[test]
fn datagrams_of_unknown_ports_are_counted_and_dropped() {
    let config = link(10_000_000, Ns::from_millis(1), 125_000);
    let mut network = Network::new(&scenario(config, vec![host_flow()]));
    let good = datagram(HostId::Left, 0, 10);
    network.inject(Ns(0), HostId::Left, Datagram { source: 1, ..good.clone() });
    network.inject(Ns(0), HostId::Left, Datagram { destination: 1, ..good.clone() });
    network.inject(Ns(0), HostId::Left, datagram(HostId::Left, 1, 10));
    network.inject(Ns(0), HostId::Right, good);
    assert_eq!(network.unroutable(), 4);
    assert_eq!(run(&mut network, Ns::from_secs(1)), []);
}

#[test]
fn backlog_busy_time_and_drops_are_recorded() {
    let config = link(1_000_000, Ns::from_millis(25), 15_000);
    let mut network = Network::new(&scenario(config, vec![host_flow()]));
    // Twelve packets of 12 ms at once: one in the transmitter, ten in the queue, one too many.
    for _ in 0..12 {
        network.inject(Ns::from_millis(5), HostId::Left, datagram(HostId::Left, 0, 1472));
    }
    run(&mut network, Ns::from_millis(200));
    let record = network.finish();
    let link = &record.links[0];
    assert_eq!(record.links.len(), 1, "the ideal way back is not recorded");
    assert_eq!(link.queue_delay_us[..4], [0, 127_000, 117_000, 107_000]);
    assert_eq!(link.queue_delay_us.len(), 20);
    assert_eq!(link.busy_ns, [95_000_000, 37_000_000]);
    assert_eq!((link.dropped_packets, link.lost_packets), (1, 0));
}

#[test]
fn a_transmission_in_progress_counts_up_to_the_end_of_the_run() {
    let config = link(100_000, Ns::from_millis(25), 15_000);
    let mut network = Network::new(&scenario(config, vec![host_flow()]));
    network.inject(Ns(0), HostId::Left, datagram(HostId::Left, 0, 1472));
    run(&mut network, Ns::from_millis(110));
    let record = network.finish();
    assert_eq!(record.duration, Ns::from_millis(110));
    assert_eq!(record.links[0].busy_ns, [100_000_000, 10_000_000]);
}

#[test]
fn every_packet_leaves_its_steps_in_the_trace() {
    let config = link(10_000_000, Ns::from_millis(25), 1_500);
    let mut network = Network::new(&scenario(config, vec![host_flow()]));
    let events = Arc::new(Mutex::new(Vec::new()));
    let store = Arc::clone(&events);
    network.set_trace_sink(Box::new(move |event| store.lock().expect("one thread").push(*event)));
    for _ in 0..3 {
        network.inject(Ns(0), HostId::Left, datagram(HostId::Left, 0, 1472));
    }
    run(&mut network, Ns::from_secs(1));
    let events = events.lock().expect("one thread");
    let steps: Vec<(u64, u64, Step)> =
        events.iter().map(|event| (event.at.as_micros(), event.packet, event.step)).collect();
    let expected = [
        (0, 0, Step::Sent),
        (0, 0, Step::Enqueued),
        (0, 0, Step::TxStart),
        (0, 1, Step::Sent),
        (0, 1, Step::Enqueued),
        (0, 2, Step::Sent),
        (0, 2, Step::Dropped(DropReason::QueueFull)),
        (1_200, 0, Step::TxDone),
        (1_200, 1, Step::TxStart),
        (2_400, 1, Step::TxDone),
        (26_200, 0, Step::Delivered),
        (27_400, 1, Step::Delivered),
    ];
    assert_eq!(steps, expected);
    assert_eq!(events.iter().map(|event| event.queued_bytes).max(), Some(1_500));
}

#[test]
fn a_call_alone_sees_the_same_delay_for_every_packet() {
    let config = link(10_000_000, Ns::from_millis(25), 125_000);
    let call = FlowKind::Cbr { rate_bps: 64_000, interval: Ns::from_millis(20) };
    let record = run_alone(&scenario(config, vec![flow("voice", call)]));
    let delays = &record.flows[0].one_way_delay_us;
    // 188 bytes at 10 Mbit/s are 150.4 us.
    // The last of the 6 000 is still on its way at the end.
    assert_eq!(delays.len(), 5_999);
    assert!(delays.iter().all(|&(_, us)| us == 25_150));
    assert_eq!(delays[0].0, Ns(25_150_400));
    assert_eq!(record.flows[0].delivered_bytes[1], 5 * 160);
    assert_eq!(record.flows[0].delivered_bytes.len(), 1_200);
}

#[test]
fn reno_fills_a_second_of_buffer() {
    let config = link(10_000_000, Ns::from_millis(25), 1_250_000);
    let record = run_alone(&scenario(config, vec![flow("tcp", FlowKind::Reno { bytes: None })]));
    let link = &record.links[0];
    let busy: u64 = link.busy_ns.iter().sum();
    let utilisation = busy * 100 / record.duration.0;
    assert!(utilisation >= 97, "{utilisation} %");
    let p95 = percentile(&link.queue_delay_us, 95);
    assert!((600_000..=1_000_000).contains(&p95), "{p95} us");
    let tcp = &record.flows[0];
    assert_eq!(tcp.timeouts, 0, "{tcp:?}");
    assert!(link.dropped_packets > 0);
    assert_eq!(tcp.retransmissions, link.dropped_packets, "every drop is repaired once");
    assert_eq!(tcp.spurious_retransmissions, 0);
    let goodput: u64 = tcp.delivered_bytes.iter().sum::<u64>() * 8 / 120;
    assert!((9_300_000..9_654_000).contains(&goodput), "{goodput}");
}

#[test]
fn reno_beside_a_call_repairs_lost_repeats_without_timeouts() {
    // The small packets of the call make the queue overflow in the midst of repairs, too.
    let config = link(10_000_000, Ns::from_millis(25), 1_250_000);
    let call = FlowKind::Cbr { rate_bps: 64_000, interval: Ns::from_millis(20) };
    let tcp = flow("tcp", FlowKind::Reno { bytes: None });
    let record = run_alone(&scenario(config, vec![flow("voice", call), tcp]));
    let tcp = &record.flows[1];
    assert!(tcp.retransmissions > 500, "{}", tcp.retransmissions);
    assert_eq!((tcp.timeouts, tcp.spurious_retransmissions), (0, 0));
}

#[test]
fn a_sized_reno_transfer_completes_under_loss_and_jitter() {
    let lossy = LinkConfig {
        loss: Loss::Bernoulli(20_000),
        jitter: Jitter { max: Ns::from_millis(3), reorders: false },
        ..link(10_000_000, Ns::from_millis(25), 125_000)
    };
    let sized = flow("tcp", FlowKind::Reno { bytes: Some(3_000_001) });
    let record = run_alone(&scenario(lossy, vec![sized]));
    let tcp = &record.flows[0];
    assert_eq!(tcp.delivered_bytes.iter().sum::<u64>(), 3_000_001);
    assert!(tcp.completed_at.is_some_and(|at| at < Ns::from_secs(60)), "{:?}", tcp.completed_at);
    assert!(record.links[0].lost_packets > 20);
    assert!(tcp.retransmissions >= record.links[0].lost_packets);
    assert_eq!(tcp.sha256_ok, None);
}

#[test]
fn reno_under_random_loss_follows_the_square_root_law() {
    // Goodput is MSS / RTT * sqrt(3 / 2p): 1448 B / 50 ms * sqrt(150) is 2.84 Mbit/s at 1 %.
    for (loss_ppm, expected_kbps) in [(10_000, 2_840), (40_000, 1_420)] {
        let lossy = LinkConfig {
            loss: Loss::Bernoulli(loss_ppm),
            ..link(100_000_000, Ns::from_millis(25), 1_250_000)
        };
        let mut scenario = scenario(lossy, vec![flow("tcp", FlowKind::Reno { bytes: None })]);
        scenario.duration = Ns::from_secs(300);
        let record = run_alone(&scenario);
        let kbps = record.flows[0].delivered_bytes.iter().sum::<u64>() * 8 / 300 / 1000;
        let bounds = expected_kbps * 75 / 100..=expected_kbps * 115 / 100;
        assert!(bounds.contains(&kbps), "{loss_ppm} ppm: {kbps} kbit/s, {bounds:?}");
    }
}

#[test]
fn two_reno_flows_share_evenly() {
    let config = link(10_000_000, Ns::from_millis(25), 125_000);
    let endless = FlowKind::Reno { bytes: None };
    let mut later = flow("b", endless.clone());
    later.start = Ns::from_secs(5);
    let record = run_alone(&scenario(config, vec![flow("a", endless), later]));
    let from_20_s = |flow: usize| record.flows[flow].delivered_bytes[200..].iter().sum::<u64>();
    let share = from_20_s(0) * 100 / (from_20_s(0) + from_20_s(1));
    assert!((40..=60).contains(&share), "{share} %");
    assert_eq!(record.flows[1].delivered_bytes[..50], [0; 50]);
}

#[test]
fn a_stopped_flow_gives_the_link_back() {
    let config = link(10_000_000, Ns::from_millis(25), 125_000);
    let mut tcp = flow("tcp", FlowKind::Reno { bytes: None });
    tcp.start = Ns::from_secs(10);
    tcp.stop = Some(Ns::from_secs(20));
    let record = run_alone(&scenario(config, vec![tcp]));
    let busy = &record.links[0].busy_ns;
    assert!(busy[..100].iter().all(|&ns| ns == 0));
    assert!(busy[110..200].iter().sum::<u64>() > 8_700_000_000);
    assert!(busy[205..].iter().all(|&ns| ns == 0));
    let samples = &record.flows[0].window_bytes;
    assert!(samples.iter().all(|&(at, _)| at >= Ns::from_secs(10) && at < Ns::from_secs(21)));
    assert!(samples.len() >= 99);
}

#[test]
fn two_runs_of_a_seed_are_equal_and_other_seeds_are_not() {
    let lossy = LinkConfig {
        loss: Loss::Bernoulli(10_000),
        jitter: Jitter { max: Ns::from_millis(5), reorders: true },
        ..link(10_000_000, Ns::from_millis(25), 60_000)
    };
    let call = FlowKind::Cbr { rate_bps: 64_000, interval: Ns::from_millis(20) };
    let flows = vec![flow("tcp", FlowKind::Reno { bytes: None }), flow("voice", call)];
    let mut scenario = scenario(lossy, flows);
    scenario.duration = Ns::from_secs(20);
    let first = run_alone(&scenario);
    assert_eq!(run_alone(&scenario), first);
    scenario.seed = 2;
    assert_ne!(run_alone(&scenario).trace_hash, first.trace_hash);
}

#[test]
fn the_size_of_windows_does_not_change_what_happens() {
    let config = link(10_000_000, Ns::from_millis(25), 60_000);
    let mut scenario = scenario(config, vec![flow("tcp", FlowKind::Reno { bytes: None })]);
    scenario.duration = Ns::from_secs(5);
    let mut network = Network::new(&scenario);
    for window in 1..=5_000 {
        network.run_until(Ns::from_millis(window), &mut |_, _, _| unreachable!("no host"));
    }
    assert_eq!(network.finish(), run_alone(&scenario));
}

mod paths;
mod queues;
