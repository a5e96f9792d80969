//! The QUIC stack in the network: reproducible, complete, and with either controller.

use crate::network::Network;
use crate::record::Record;
use crate::scenario::{
    FlowKind, FlowSpec, LinkConfig, LinkSpec, Loss, Queue, QuicController, Rate, Scenario,
};
use crate::time::Ns;
use std::process::Command;

const CONTROLLERS: [QuicController; 2] = [QuicController::Bbr, QuicController::Cubic];

fn scenario(controller: QuicController, bytes: Option<u64>, loss_ppm: u32) -> Scenario {
    let config = LinkConfig {
        rate: Rate::Constant(10_000_000),
        delay: Ns::from_millis(25),
        queue: Queue::Droptail { bytes_max: Some(125_000), packets_max: None },
        loss: if loss_ppm > 0 { Loss::Bernoulli(loss_ppm) } else { Loss::None },
        ..LinkConfig::default()
    };
    Scenario {
        seed: 1,
        duration: Ns::from_secs(30),
        links: vec![LinkSpec { name: "uplink".into(), config }],
        flows: vec![FlowSpec {
            kind: FlowKind::Quic { controller, bytes },
            ..crate::flow::tests::flow("quic", FlowKind::Reno { bytes: None })
        }],
        ..Scenario::default()
    }
}

fn run(scenario: &Scenario) -> Record {
    let mut network = Network::new(scenario);
    network.run_until(scenario.duration, &mut |_, _, _| unreachable!("no host takes part"));
    network.finish()
}

/// A run that has all a stack can do in it: start-up, losses, probes of the round trip, a stop.
fn eventful(controller: QuicController) -> Record {
    let mut scenario = scenario(controller, None, 3_000);
    scenario.duration = Ns::from_secs(13);
    scenario.flows[0].stop = Some(Ns::from_secs(12));
    run(&scenario)
}

#[test]
fn a_transfer_completes_with_every_byte_despite_losses() {
    for controller in CONTROLLERS {
        let record = run(&scenario(controller, Some(3_000_001), 10_000));
        let quic = &record.flows[0];
        assert_eq!(quic.delivered_bytes.iter().sum::<u64>(), 3_000_001, "{controller:?}");
        let end = quic.completed_at.expect("all bytes have arrived");
        // What the link took is found to be lost, and little else; the way back takes nothing.
        let taken = record.links[0].lost_packets + record.links[0].dropped_packets;
        assert!(taken.abs_diff(quic.retransmissions) <= 3, "{taken} {}", quic.retransmissions);
        // Once all is acknowledged there is nothing to sample.
        assert!(quic.rtt_us.iter().all(|&(at, _)| at < end + Ns::from_millis(200)));
    }
}

#[test]
fn an_endless_transfer_fills_the_link_until_it_is_stopped() {
    for controller in CONTROLLERS {
        let mut scenario = scenario(controller, None, 0);
        scenario.flows[0].start = Ns::from_secs(1);
        scenario.flows[0].stop = Some(Ns::from_secs(21));
        let record = run(&scenario);
        let busy = &record.links[0].busy_ns;
        assert!(busy[..10].iter().all(|&ns| ns == 0));
        let utilisation = busy[30..210].iter().sum::<u64>() / 180_000_000;
        assert!(utilisation >= 90, "{controller:?}: {utilisation} %");
        // What is in the queue and a few probes of the last packets are all that follows.
        assert!(busy[215..].iter().sum::<u64>() < 50_000_000, "{controller:?}");
        let quic = &record.flows[0];
        assert!(quic.window_bytes.len() > 150 && quic.rtt_us.len() > 150);
        assert!(quic.rtt_us.iter().all(|&(_, us)| (50_000..300_000).contains(&us)));
        assert_eq!(quic.completed_at, None);
    }
}

#[test]
fn payloads_grow_to_what_an_ethernet_frame_takes() {
    let scenario = scenario(QuicController::Cubic, Some(1_000_000), 0);
    let mut network = Network::new(&scenario);
    let sizes = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let store = std::sync::Arc::clone(&sizes);
    network.set_trace_sink(Box::new(move |event| {
        store.lock().expect("one thread").push(event.bytes);
    }));
    network.run_until(scenario.duration, &mut |_, _, _| unreachable!("no host takes part"));
    let sizes = sizes.lock().expect("one thread");
    assert_eq!(sizes.first(), Some(&1_228), "a first packet is padded to 1200 bytes");
    assert_eq!(sizes.iter().max(), Some(&1_480));
}

#[test]
fn two_runs_of_a_seed_are_equal_and_other_seeds_are_not() {
    for controller in CONTROLLERS {
        let first = eventful(controller);
        assert_eq!(eventful(controller), first, "{controller:?}");
        let mut other = scenario(controller, None, 3_000);
        other.seed = 2;
        assert_ne!(run(&other).trace_hash, first.trace_hash);
    }
}

#[test]
fn two_processes_give_the_same_packets() {
    let hashes = CONTROLLERS.map(|controller| eventful(controller).trace_hash);
    let own = format!("hashes {hashes:?}");
    if std::env::var_os(CHILD).is_some() {
        println!("{own}");
        return;
    }
    let program = std::env::current_exe().expect("a running test has a program");
    let name = "flow::quic::tests::two_processes_give_the_same_packets";
    let child = Command::new(program)
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.lines().any(|line| line.contains(&own)), "{own} not in {said}");
}

/// Tells a test that it runs as the second process.
const CHILD: &str = "UTP_SIM_QUIC_CHILD";

#[test]
fn a_hundred_connections_share_a_link() {
    let mut scenario = scenario(QuicController::Cubic, Some(50_000), 0);
    let one = scenario.flows[0].clone();
    scenario.flows = (0..100)
        .map(|index| FlowSpec {
            name: format!("quic-{index}"),
            start: Ns::from_millis(50 * index),
            ..one.clone()
        })
        .collect();
    let record = run(&scenario);
    assert!(record.flows.iter().all(|flow| flow.completed_at.is_some()));
}
