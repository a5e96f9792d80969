//! Metrics of a made-up record: one link, a transfer and a call over one second.

use super::*;
use crate::scenario::{FlowKind, What, parse};

const FILE: &str = r#"
summary = "made up"
duration = "1s"
[link.up]
rate = "8mbit"
delay = "10ms"
[link.free]
delay = "10ms"
[[flow]]
name = "bulk"
kind = "utp"
via = "up"
start = "200ms"
bytes = 1_000
[[flow]]
name = "call"
kind = "cbr"
via = "up"
rate = "64kbit"
"#;

fn scenario() -> Scenario {
    parse("made-up.toml".as_ref(), FILE).expect("valid").variants.remove(0)
}

fn record() -> Record {
    let link = LinkRecord {
        name: "up".to_owned(),
        queue_delay_us: (0..100).map(|step| step * 1_000).collect(),
        busy_ns: vec![0, 0, 100_000_000, 50_000_000, 0, 0, 0, 0, 0, 25_000_000],
        dropped_packets: 3,
        lost_packets: 4,
        drops: [("queue_full", 3), ("loss", 4)].into(),
    };
    let bulk = FlowRecord {
        name: "bulk".to_owned(),
        delivered_bytes: vec![0, 0, 300, 700, 0, 0, 0, 0, 0, 0],
        rtt_us: vec![(Ns::from_millis(250), 40_000), (Ns::from_millis(350), 60_000)],
        retransmissions: 5,
        spurious_retransmissions: 2,
        timeouts: 1,
        completed_at: Some(Ns::from_millis(400)),
        sha256_ok: Some(true),
        ..FlowRecord::default()
    };
    let call = FlowRecord {
        name: "call".to_owned(),
        delivered_bytes: vec![100; 10],
        one_way_delay_us: vec![(Ns::from_millis(30), 11_500), (Ns::from_millis(990), 12_500)],
        ..FlowRecord::default()
    };
    Record {
        duration: Ns::from_secs(1),
        links: vec![link, LinkRecord { name: "free".to_owned(), ..LinkRecord::default() }],
        flows: vec![bulk, call],
        trace_hash: 7,
    }
}

fn value(name: &str, window: Option<(u64, u64)>) -> Option<f64> {
    let (scenario, record) = (scenario(), record());
    let window = window.map(|(from, to)| (Ns::from_millis(from), Ns::from_millis(to)));
    let metrics = catalogue(&scenario);
    let metric = metrics.iter().find(|metric| metric.name == name).expect("in the catalogue");
    metric.value(View { scenario: &scenario, record: &record }, window)
}

#[test]
fn utilisation_is_busy_time_over_time() {
    assert_eq!(value("links.up.utilisation", None), Some(0.175));
    assert_eq!(value("links.up.utilisation", Some((200, 400))), Some(0.75));
}

#[test]
fn a_link_without_a_rate_has_no_utilisation() {
    assert!(!catalogue(&scenario()).iter().any(|metric| metric.name == "links.free.utilisation"));
}

#[test]
fn quantiles_are_values_that_occurred() {
    assert_eq!(value("links.up.queue_delay_ms.mean", None), Some(49.5));
    assert_eq!(value("links.up.queue_delay_ms.p50", None), Some(49.0));
    assert_eq!(value("links.up.queue_delay_ms.p95", None), Some(94.0));
    assert_eq!(value("links.up.queue_delay_ms.p99", None), Some(98.0));
    assert_eq!(value("links.up.queue_delay_ms.max", None), Some(99.0));
    assert_eq!(value("links.up.queue_delay_ms.p50", Some((200, 300))), Some(24.0));
    assert_eq!(value("links.up.queue_delay_ms.max", Some((200, 300))), Some(29.0));
    assert_eq!(Delays::of(vec![7]).map(|delays| delays.p50), Some(0.007));
    assert_eq!(Delays::of(Vec::new()), None);
}

#[test]
fn goodput_without_a_window_covers_the_active_time() {
    // 1 000 bytes between 200 ms and the completion at 400 ms.
    assert_eq!(value("flows.bulk.goodput_mbps", None), Some(0.04));
    assert_eq!(value("flows.bulk.goodput_mbps", Some((0, 1_000))), Some(0.008));
    assert_eq!(value("flows.bulk.goodput_mbps", Some((300, 400))), Some(0.056));
}

#[test]
fn share_is_of_the_bytes_of_all_flows() {
    assert_eq!(value("flows.bulk.share", None), Some(0.5));
    assert_eq!(value("flows.call.share", Some((300, 400))), Some(0.125));
    assert_eq!(value("flows.bulk.share", Some((500, 600))), Some(0.0));
}

#[test]
fn counters_and_samples_are_passed_on() {
    assert_eq!(value("links.up.dropped_packets", None), Some(3.0));
    assert_eq!(value("links.up.lost_packets", None), Some(4.0));
    assert_eq!(value("flows.bulk.bytes_delivered", None), Some(1_000.0));
    assert_eq!(value("flows.bulk.retransmissions", None), Some(5.0));
    assert_eq!(value("flows.bulk.spurious_retransmissions", None), Some(2.0));
    assert_eq!(value("flows.bulk.timeouts", None), Some(1.0));
    assert_eq!(value("flows.bulk.completed_s", None), Some(0.4));
    assert_eq!(value("flows.bulk.sha256_ok", None), Some(1.0));
    assert_eq!(value("flows.bulk.rtt_ms.p95", None), Some(60.0));
    assert_eq!(value("flows.bulk.rtt_ms.p95", Some((200, 300))), Some(40.0));
    assert_eq!(value("flows.call.one_way_delay_ms.mean", None), Some(12.0));
    assert_eq!(value("flows.call.one_way_delay_ms.max", Some((0, 500))), Some(11.5));
}

#[test]
fn drops_are_counted_by_reason_and_failures_as_they_come() {
    assert_eq!(value("links.up.drops.queue_full", None), Some(3.0));
    assert_eq!(value("links.up.drops.loss", None), Some(4.0));
    assert_eq!(value("links.up.drops.aqm", None), Some(0.0));
    assert_eq!(value("flows.bulk.failures", None), Some(0.0));
}

#[test]
fn the_longest_stall_is_within_the_time_that_a_flow_is_active() {
    // It starts at 200 ms and is through at 400 ms.
    assert_eq!(value("flows.bulk.longest_stall_s", None), Some(0.0));
    let (scenario, mut record) = (scenario(), record());
    record.flows[0].delivered_bytes = vec![0, 0, 0, 1, 0, 0, 0, 2, 0, 0];
    record.flows[0].completed_at = None;
    let view = View { scenario: &scenario, record: &record };
    assert_eq!(view.longest_stall_s(0, None), Some(0.3));
    let window = (Ns::from_millis(600), Ns::from_millis(800));
    assert_eq!(view.longest_stall_s(0, Some(window)), Some(0.1));
}

#[test]
fn windows_are_in_bytes_and_errors_of_the_base_delay_are_distances() {
    let (mut scenario, mut record) = (scenario(), record());
    let at = Ns::from_millis;
    record.flows[0].window_bytes = vec![(at(200), 1_382), (at(300), 6_217_001)];
    record.flows[0].base_delay_us = vec![(at(200), 9_000), (at(300), 31_000)];
    let mut config = scenario.links[0].config.clone();
    config.delay = Ns::from_millis(30);
    let what = What::Link { link: 0, config: Box::new(config) };
    scenario.changes = vec![crate::scenario::Change { at: at(250), what }];
    let view = View { scenario: &scenario, record: &record };
    let windows = view.window_bytes(0, None).expect("two samples");
    assert_eq!((windows.p50, windows.max), (1_382.0, 6_217_001.0));
    let errors = view.base_error_ms(0, None).expect("two samples");
    assert_eq!((errors.p50, errors.max), (1.0, 1.0));
}

#[test]
fn fairness_is_one_for_equals_and_one_over_their_number_for_a_winner() {
    let mut scenario = scenario();
    scenario.flows[1].kind = FlowKind::Reno { bytes: None };
    let jain = |bulk: u64, other: u64| {
        let mut record = record();
        record.flows[0].delivered_bytes = vec![bulk; 10];
        record.flows[1].delivered_bytes = vec![other; 10];
        View { scenario: &scenario, record: &record }.jain(None)
    };
    assert_eq!((jain(5, 5), jain(5, 0), jain(0, 0)), (Some(1.0), Some(0.5), None));
    // (3 + 1)^2 / (2 * (9 + 1)).
    assert_eq!(jain(3, 1), Some(0.8));
    assert!(catalogue(&scenario).iter().any(|metric| metric.name == "jain"));
}

#[test]
fn a_window_past_the_end_of_the_run_measures_nothing() {
    let (scenario, mut record) = (scenario(), record());
    record.duration = Ns::from_millis(400);
    let view = View { scenario: &scenario, record: &record };
    assert_eq!(view.goodput_mbps(1, Some((Ns::from_millis(400), Ns::from_secs(1)))), None);
    assert_eq!(view.queue_delay_ms(0, Some((Ns::from_millis(400), Ns::from_secs(1)))), None);
    assert_eq!(view.utilisation(0, Some((Ns::from_millis(300), Ns::from_secs(1)))), Some(0.5));
}

#[test]
fn a_transfer_that_did_not_complete_has_no_time_of_completion() {
    let (scenario, mut record) = (scenario(), record());
    record.flows[0].completed_at = None;
    let view = View { scenario: &scenario, record: &record };
    assert_eq!(view.completed_s(0), None);
    assert_eq!(view.goodput_mbps(0, None), Some(0.01));
}

#[test]
fn values_are_rounded_once_to_the_decimals_shown() {
    assert_eq!(round(0.123_45, 4), 0.1235);
    assert_eq!(round(2.5, 0), 3.0);
    assert_eq!(round(99.9996, 3), 100.0);
}
