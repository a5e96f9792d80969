//! Whole runs: the shipped adapter over the simulated network.

use super::*;
use crate::scenario::parse;
use std::cell::RefCell;

fn scenario(text: &str) -> Scenario {
    let text = format!("summary = \"A test.\"\n{text}");
    let mut file = parse("test.toml".as_ref(), &text).expect("the scenario is sound");
    file.variants.remove(0)
}

fn run_silently(scenario: &Scenario) -> Record {
    run(scenario, &|_| {}).expect("the run is exact")
}

const LOSSY_TRANSFER: &str = r#"
    seed = 3
    duration = "60s"
    stop_when_complete = true
    [link.uplink]
    rate = "10mbit"
    delay = "20ms"
    queue = { kind = "droptail", bytes_max = 100_000 }
    loss = "1%"
    jitter = { max = "5ms", reorder = true }
    [link.downlink]
    rate = "10mbit"
    delay = "15ms"
    loss = "1%"
    [[flow]]
    name = "file"
    kind = "utp"
    via = "uplink"
    back = "downlink"
    bytes = 1_000_000
"#;

#[test]
fn a_transfer_completes_whole_under_loss_and_jitter() {
    let record = run_silently(&scenario(LOSSY_TRANSFER));
    let file = &record.flows[0];
    assert_eq!(file.sha256_ok, Some(true));
    assert_eq!(file.delivered_bytes.iter().sum::<u64>(), 1_000_000);
    let completed_at = file.completed_at.expect("it completed");
    // The run ends within two windows of the completion.
    assert!(record.duration > completed_at);
    assert!(record.duration.saturating_sub(completed_at) <= Ns(2 * TICK.0), "{record:?}");
    assert!(record.links[0].lost_packets > 0);
    assert!(file.retransmissions >= record.links[0].lost_packets, "{file:?}");
    assert!(!file.rtt_us.is_empty());
    assert!(file.rtt_us.iter().all(|&(_, us)| us >= 35_000));
}

#[test]
fn two_runs_of_a_seed_leave_equal_records() {
    let mut scenario = scenario(LOSSY_TRANSFER);
    let first = run_silently(&scenario);
    assert_eq!(run_silently(&scenario), first);
    scenario.seed = 4;
    assert_ne!(run_silently(&scenario).trace_hash, first.trace_hash);
}

#[test]
fn a_transfer_without_loss_repeats_nothing() {
    let record = run_silently(&scenario(
        r#"
        duration = "60s"
        stop_when_complete = true
        [link.uplink]
        rate = "10mbit"
        delay = "20ms"
        [[flow]]
        name = "file"
        kind = "utp"
        via = "uplink"
        bytes = 1_000_000
        "#,
    ));
    let file = &record.flows[0];
    assert_eq!(file.sha256_ok, Some(true));
    assert_eq!((file.retransmissions, file.spurious_retransmissions, file.timeouts), (0, 0, 0));
}

#[test]
fn flows_of_all_kinds_share_a_link_and_keep_their_times() {
    let scenario = scenario(
        r#"
        duration = "12s"
        [link.uplink]
        rate = "5mbit"
        delay = "10ms"
        queue = { kind = "droptail", bytes_max = 125_000 }
        [[flow]]
        name = "utp"
        kind = "utp"
        via = "uplink"
        start = "1s"
        stop = "8s"
        [[flow]]
        name = "voice"
        kind = "cbr"
        rate = "64kbit"
        via = "uplink"
        [[flow]]
        name = "tcp"
        kind = "reno"
        via = "uplink"
        start = "4s"
        stop = "10s"
        "#,
    );
    let heard = RefCell::new(Vec::new());
    let record = run(&scenario, &|now| heard.borrow_mut().push(now)).expect("the run is exact");
    assert_eq!(record.duration, Ns::from_secs(12));
    assert_eq!(heard.borrow().len(), 120);
    let delivered = |flow: usize, from: usize, to: usize| {
        record.flows[flow].delivered_bytes[from..to].iter().sum::<u64>()
    };
    assert_eq!(delivered(0, 0, 10), 0);
    assert!(delivered(0, 10, 80) > 1_000_000);
    // What was on its way at the stop still arrives; a reset follows it.
    assert_eq!(delivered(0, 84, 120), 0);
    assert_eq!(delivered(2, 0, 40), 0);
    assert!(delivered(2, 40, 100) > 1_000_000);
    assert_eq!(delivered(2, 105, 120), 0);
    assert!(record.flows[1].one_way_delay_us.len() > 590);
    let windows = &record.flows[0].window_bytes;
    assert!(windows.iter().all(|&(at, _)| at > Ns::from_secs(1) && at <= Ns::from_secs(8)));
    assert!(windows.len() >= 68, "{}", windows.len());
}

#[test]
fn several_utp_flows_each_get_their_own_port() {
    let record = run_silently(&scenario(
        r#"
        duration = "30s"
        stop_when_complete = true
        [link.uplink]
        rate = "10mbit"
        delay = "10ms"
        [[flow]]
        name = "a"
        kind = "utp"
        via = "uplink"
        bytes = 300_000
        [[flow]]
        name = "b"
        kind = "utp"
        controller = "rfc6817"
        via = "uplink"
        start = "500ms"
        bytes = 200_000
        "#,
    ));
    for (flow, bytes) in record.flows.iter().zip([300_000, 200_000]) {
        assert_eq!(flow.sha256_ok, Some(true), "{}", flow.name);
        assert_eq!(flow.delivered_bytes.iter().sum::<u64>(), bytes);
    }
}

#[test]
fn a_flow_that_cannot_connect_tries_again_and_leaves_its_errors() {
    let scenario = scenario(
        r#"
        duration = "60s"
        [link.uplink]
        rate = "10mbit"
        delay = "10ms"
        loss = "100%"
        [[flow]]
        name = "hopeless"
        kind = "utp"
        via = "uplink"
        "#,
    );
    let flow = run_silently(&scenario).flows.remove(0);
    assert_eq!((flow.connections, flow.failures), (0, 2));
    let errors: Vec<(u64, &str)> =
        flow.errors.iter().map(|error| (error.at.0 / 1_000_000_000, error.text.as_str())).collect();
    let text = "peer did not answer in time";
    assert_eq!(errors, [(21, text), (43, text)], "each gives up after 21 s, a second apart");
}

#[test]
fn repeats_that_were_not_needed_are_counted() {
    let record = run_silently(&scenario(
        r#"
        duration = "60s"
        stop_when_complete = true
        [link.uplink]
        rate = "10mbit"
        delay = "20ms"
        jitter = { max = "20ms", reorder = true }
        [[flow]]
        name = "file"
        kind = "utp"
        via = "uplink"
        bytes = 500_000
        "#,
    ));
    let file = &record.flows[0];
    assert_eq!(file.sha256_ok, Some(true));
    // Nothing is ever lost, so that no repeat is needed; the last ones may still be on their way.
    assert!(file.retransmissions > 0);
    assert!(file.spurious_retransmissions <= file.retransmissions);
    assert!(file.spurious_retransmissions + 5 > file.retransmissions, "{file:?}");
}

#[test]
fn cross_traffic_alone_needs_no_hosts() {
    let record = run_silently(&scenario(
        r#"
        duration = "60s"
        stop_when_complete = true
        [link.uplink]
        rate = "10mbit"
        delay = "1ms"
        [[flow]]
        name = "tcp"
        kind = "reno"
        via = "uplink"
        bytes = 1_000_000
        "#,
    ));
    assert!(record.flows[0].completed_at.is_some());
    assert!(record.duration < Ns::from_secs(2));
}
