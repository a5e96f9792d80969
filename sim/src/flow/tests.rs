//! The flows that live inside the network, in the network.

use crate::network::Network;
use crate::record::{FlowRecord, Record};
use crate::scenario::{FlowKind, FlowSpec, LinkConfig, LinkSpec, Loss, Queue, Rate, Scenario};
use crate::time::Ns;

fn link(rate_bps: u64, delay: Ns, queue_bytes_max: u64) -> LinkConfig {
    LinkConfig {
        rate: Rate::Constant(rate_bps),
        delay,
        queue: Queue::Droptail { bytes_max: Some(queue_bytes_max), packets_max: None },
        ..LinkConfig::default()
    }
}

pub(super) fn flow(name: &str, kind: FlowKind) -> FlowSpec {
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

fn scenario(config: LinkConfig, flows: Vec<FlowSpec>) -> Scenario {
    Scenario {
        seed: 1,
        duration: Ns::from_secs(120),
        links: vec![LinkSpec { name: "uplink".into(), config }],
        flows,
        ..Scenario::default()
    }
}

fn run_alone(scenario: &Scenario) -> Record {
    let mut network = Network::new(scenario);
    network.run_until(scenario.duration, &mut |_, _, _| unreachable!("no host takes part"));
    network.finish()
}

#[test]
fn cubic_keeps_a_deep_buffer_fuller_than_reno() {
    // 2 Mbit/s, 40 ms and a buffer of 1000 packets, 6 s: other models give means of 3.1 s with Reno
    // and 5.5 s with CUBIC.
    let config = link(2_000_000, Ns::from_millis(20), 1_500_000);
    for (kind, expected_ms) in
        [(FlowKind::Reno { bytes: None }, 3_100), (FlowKind::Cubic { bytes: None }, 5_500)]
    {
        let mut scenario = scenario(config.clone(), vec![flow("tcp", kind)]);
        scenario.duration = Ns::from_secs(180);
        let record = run_alone(&scenario);
        let delays = &record.links[0].queue_delay_us[6_000..];
        let sum_us: u64 = delays.iter().copied().map(u64::from).sum();
        let mean_ms = sum_us / 12_000 / 1_000;
        assert!(mean_ms.abs_diff(expected_ms) <= expected_ms / 20, "{mean_ms} ms");
        let tcp = &record.flows[0];
        assert_eq!((tcp.timeouts, tcp.spurious_retransmissions), (0, 0));
    }
}

#[test]
fn cubic_uses_a_link_with_any_buffer_from_ten_packets_on() {
    // A window of 34 packets; with seven tenths of it in flight after a loss, ten make up for most.
    for (queue_bytes_max, least_permille) in [(15_000, 950), (60_000, 995), (300_000, 995)] {
        let config = link(10_000_000, Ns::from_millis(25), queue_bytes_max);
        let mut scenario = scenario(config, vec![flow("tcp", FlowKind::Cubic { bytes: None })]);
        scenario.duration = Ns::from_secs(60);
        let record = run_alone(&scenario);
        let busy: u64 = record.links[0].busy_ns.iter().sum();
        let permille = busy * 1_000 / record.duration.0;
        assert!(permille >= least_permille, "{queue_bytes_max} bytes: {permille}");
        assert_eq!(record.flows[0].timeouts, 0);
    }
}

#[test]
fn cubic_shares_with_cubic_and_takes_some_more_than_reno() {
    let config = link(10_000_000, Ns::from_millis(25), 125_000);
    let cubic = FlowKind::Cubic { bytes: None };
    for (other, shares) in [(cubic.clone(), 40..=60), (FlowKind::Reno { bytes: None }, 55..=75)] {
        let mut later = flow("b", other);
        later.start = Ns::from_secs(5);
        let flows = vec![flow("a", cubic.clone()), later];
        let record = run_alone(&scenario(config.clone(), flows));
        let from_20_s = |flow: usize| record.flows[flow].delivered_bytes[200..].iter().sum::<u64>();
        let share = from_20_s(0) * 100 / (from_20_s(0) + from_20_s(1));
        assert!(shares.contains(&share), "{share} %");
    }
}

#[test]
fn random_bursts_fill_their_part_of_the_link_and_note_every_delay() {
    let bursts = FlowKind::OnOff {
        rate_bps: 8_000_000,
        interval: Ns::from_millis(1),
        on: Ns::from_millis(200),
        off: Ns::from_millis(300),
        random: true,
    };
    let config = link(10_000_000, Ns::from_millis(25), 125_000);
    let flows = vec![flow("a", bursts.clone()), flow("b", bursts)];
    let mut scenario = scenario(config, flows);
    scenario.duration = Ns::from_secs(300);
    let record = run_alone(&scenario);
    for flow in &record.flows {
        // Two fifths of 8 Mbit/s; 600 bursts leave a deviation of 0.6 x 1.41 / 24.5, 3.5 %.
        let kbps = flow.delivered_bytes.iter().sum::<u64>() * 8 / 300_000;
        assert!((2_800..3_600).contains(&kbps), "{kbps}");
        let least = flow.one_way_delay_us.iter().map(|&(_, us)| us).min();
        // 1028 bytes at 10 Mbit/s are 822.4 us.
        assert_eq!(least, Some(25_822));
        let packets = flow.delivered_bytes.iter().sum::<u64>() / 1_000;
        assert_eq!(flow.one_way_delay_us.len() as u64, packets);
    }
    assert_ne!(record.flows[0].delivered_bytes, record.flows[1].delivered_bytes);
    // Where bursts overlap they are more than the link takes.
    assert!(record.links[0].queue_delay_us.iter().any(|&us| us > 20_000));
    assert_eq!(run_alone(&scenario), record);
}

fn web(request_bytes: u64, response_bytes: u64) -> FlowKind {
    FlowKind::RequestResponse { request_bytes, response_bytes, think: Ns::from_millis(500) }
}

#[test]
fn a_small_response_takes_a_round_trip_and_the_time_on_the_links() {
    let config = link(10_000_000, Ns::from_millis(25), 125_000);
    let mut scenario = scenario(config, vec![flow("web", web(300, 10_000))]);
    scenario.links.push(LinkSpec {
        name: "downlink".into(),
        config: link(1_000_000, Ns::from_millis(5), 125_000),
    });
    scenario.flows[0].back = Some(vec![1]);
    let record = run_alone(&scenario);
    let web = &record.flows[0];
    // 352 bytes at 1 Mbit/s and 10 000 in seven segments with 364 bytes of headers at 10 Mbit/s.
    let expected_us = 2_816 + 5_000 + 8_291 + 25_000;
    assert_eq!(web.response_us[0], (Ns::from_micros(expected_us) + Ns(200), 41_107));
    assert!(web.response_us.iter().all(|&(_, us)| us == 41_107), "{:?}", web.response_us);
    // One every 541.1 ms in two minutes.
    assert_eq!(web.response_us.len(), 222);
    assert_eq!(web.delivered_bytes.iter().sum::<u64>(), 2_220_000);
    assert_eq!((web.retransmissions, web.timeouts, web.spurious_retransmissions), (0, 0, 0));
}

#[test]
fn requests_and_responses_survive_loss_in_both_directions() {
    let lossy = LinkConfig {
        loss: Loss::Bernoulli(30_000),
        ..link(10_000_000, Ns::from_millis(25), 125_000)
    };
    let mut scenario = scenario(lossy.clone(), vec![flow("web", web(3_000, 100_001))]);
    scenario.links.push(LinkSpec { name: "downlink".into(), config: lossy });
    scenario.flows[0].back = Some(vec![1]);
    let record = run_alone(&scenario);
    let web = &record.flows[0];
    let responses = web.response_us.len() as u64;
    assert!((80..180).contains(&responses), "{responses}");
    let delivered = web.delivered_bytes.iter().sum::<u64>();
    assert!((responses * 100_001..(responses + 1) * 100_001).contains(&delivered), "{delivered}");
    assert!(web.retransmissions > 100);
    // Seventy segments cannot come in less than three round trips, nor take longer than a second
    // or two of timers.
    assert!(web.response_us.iter().all(|&(_, us)| (100_000..5_000_000).contains(&us)));
}

#[test]
fn a_stopped_client_gets_its_last_response_and_asks_no_more() {
    let config = link(10_000_000, Ns::from_millis(25), 125_000);
    let mut scenario = scenario(config, vec![flow("web", web(300, 1_000_000))]);
    scenario.flows[0].stop = Some(Ns::from_millis(100));
    let record = run_alone(&scenario);
    let web = &record.flows[0];
    assert_eq!(web.delivered_bytes.iter().sum::<u64>(), 1_000_000);
    assert_eq!(web.response_us.len(), 1);
    assert!(web.delivered_bytes[20..].iter().all(|&bytes| bytes == 0));
}

#[test]
fn a_response_behind_a_full_buffer_waits_for_it() {
    let config = link(10_000_000, Ns::from_millis(25), 1_250_000);
    let flows = vec![flow("web", web(300, 1_000)), flow("tcp", FlowKind::Cubic { bytes: None })];
    let record = run_alone(&scenario(config, flows));
    let late = record.flows[0].response_us.iter().filter(|(at, _)| *at > Ns::from_secs(20));
    let delays: Vec<u32> = late.map(|&(_, us)| us).collect();
    assert!(delays.iter().all(|&us| us > 500_000), "{delays:?}");
    assert!(delays.len() > 40);
}

#[test]
fn a_thousand_flows_of_every_kind_share_a_link() {
    let bursts = FlowKind::OnOff {
        rate_bps: 64_000,
        interval: Ns::from_millis(20),
        on: Ns::from_secs(1),
        off: Ns::from_secs(1),
        random: true,
    };
    let kinds = [
        FlowKind::Reno { bytes: None },
        FlowKind::Cubic { bytes: None },
        FlowKind::Cbr { rate_bps: 64_000, interval: Ns::from_millis(20) },
        bursts,
        web(300, 20_000),
    ];
    let flows = (0..1_000).zip(kinds.iter().cycle()).map(|(index, kind)| FlowSpec {
        start: Ns::from_millis(2 * index),
        ..flow(&format!("f-{index}"), kind.clone())
    });
    let config = link(200_000_000, Ns::from_millis(25), 2_500_000);
    let mut scenario = scenario(config, flows.collect());
    scenario.duration = Ns::from_secs(4);
    let record = run_alone(&scenario);
    // A few lose their first window and then repeats of it to the crowd, and wait for their timers.
    let silent = |flow: &&FlowRecord| flow.delivered_bytes.iter().sum::<u64>() == 0;
    let silent: Vec<&FlowRecord> = record.flows.iter().filter(silent).collect();
    assert!(silent.len() <= 10, "{}", silent.len());
    assert!(silent.iter().all(|flow| flow.timeouts > 0));
    assert!(record.links[0].busy_ns.iter().sum::<u64>() > 3_000_000_000);
}

#[test]
fn what_the_network_keeps_of_a_flow_is_small() {
    assert!(size_of::<super::Agent>() <= 72, "{}", size_of::<super::Agent>());
    assert!(size_of::<super::tcp::Tcp>() <= 640, "{}", size_of::<super::tcp::Tcp>());
}
