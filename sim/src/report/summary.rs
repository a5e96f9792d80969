//! `summary.json`: the numbers of a run under stable keys.

use super::{Report, kind_names};
use crate::expect;
use crate::metrics::{Delays, View, Window, round};
use crate::record::FlowRecord;
use crate::time::Ns;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The text of `summary.json`, which ends in a line feed.
///
/// # Errors
///
/// None in practice: every value is finite and every key a string.
pub fn summary(report: Report<'_>) -> serde_json::Result<String> {
    let base = &report.file.variants[0];
    let windows = report.windows();
    let summary = Summary {
        scenario: &report.file.name,
        summary: &report.file.summary,
        scenario_digest: &report.file.digest,
        version: env!("CARGO_PKG_VERSION"),
        engine: report.file.engine().name(),
        seed: base.seed,
        duration_s: base.duration.as_secs_f64(),
        trace_hash: hexadecimal(report.records.first().map_or(0, |record| record.trace_hash)),
        variants: report
            .views()
            .map(|view| (&*view.scenario.variant, variant(view, &windows)))
            .collect(),
        expectations: report.views().flat_map(expectations).collect(),
        pass: report.pass(),
    };
    Ok(serde_json::to_string_pretty(&summary)? + "\n")
}

#[derive(Serialize)]
struct Summary<'a> {
    scenario: &'a str,
    summary: &'a str,
    scenario_digest: &'a str,
    version: &'a str,
    engine: &'a str,
    seed: u64,
    duration_s: f64,
    trace_hash: String,
    variants: BTreeMap<&'a str, Variant<'a>>,
    expectations: Vec<Expected<'a>>,
    pass: bool,
}

#[derive(Serialize)]
struct Variant<'a> {
    seed: u64,
    /// What the run covered, less than what the file allows when it ended early.
    duration_s: f64,
    trace_hash: String,
    links: BTreeMap<&'a str, Link>,
    flows: BTreeMap<&'a str, Flow<'a>>,
}

#[derive(Serialize)]
struct Link {
    utilisation: Option<f64>,
    queue_delay_ms: Option<Delays>,
    dropped_packets: u64,
    lost_packets: u64,
    windows: Vec<LinkWindow>,
}

#[derive(Serialize)]
struct LinkWindow {
    from_s: f64,
    to_s: f64,
    utilisation: Option<f64>,
    queue_delay_ms: Option<Delays>,
}

#[derive(Serialize)]
struct Flow<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    controller: Option<&'a str>,
    goodput_mbps: Option<f64>,
    share: Option<f64>,
    bytes_delivered: u64,
    sha256_ok: Option<bool>,
    completed_s: Option<f64>,
    rtt_ms: Option<Delays>,
    one_way_delay_ms: Option<Delays>,
    retransmissions: u64,
    spurious_retransmissions: u64,
    timeouts: u64,
    windows: Vec<FlowWindow>,
}

#[derive(Serialize)]
struct FlowWindow {
    from_s: f64,
    to_s: f64,
    goodput_mbps: Option<f64>,
    share: Option<f64>,
    rtt_ms: Option<Delays>,
    one_way_delay_ms: Option<Delays>,
}

#[derive(Serialize)]
struct Expected<'a> {
    variant: &'a str,
    metric: &'a str,
    from_s: Option<f64>,
    to_s: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    value: Option<f64>,
    pass: bool,
}

fn variant<'a>(view: View<'a>, windows: &BTreeSet<Window>) -> Variant<'a> {
    let (scenario, record) = (view.scenario, view.record);
    let names = scenario.links.iter().map(|link| &*link.name).enumerate();
    let links = names.map(|(index, name)| (name, link(view, index, windows))).collect();
    let names = scenario.flows.iter().map(|flow| &*flow.name).enumerate();
    let flows = names.map(|(index, name)| (name, flow(view, index, windows))).collect();
    Variant {
        seed: scenario.seed,
        duration_s: seconds(record.duration),
        trace_hash: hexadecimal(record.trace_hash),
        links,
        flows,
    }
}

fn link(view: View<'_>, index: usize, windows: &BTreeSet<Window>) -> Link {
    let record = view.record.links.get(index);
    let part = |window: &Window| LinkWindow {
        from_s: seconds(window.0),
        to_s: seconds(window.1),
        utilisation: view.utilisation(index, Some(*window)),
        queue_delay_ms: view.queue_delay_ms(index, Some(*window)),
    };
    Link {
        utilisation: view.utilisation(index, None),
        queue_delay_ms: view.queue_delay_ms(index, None),
        dropped_packets: record.map_or(0, |link| link.dropped_packets),
        lost_packets: record.map_or(0, |link| link.lost_packets),
        windows: windows.iter().map(part).collect(),
    }
}

fn flow<'a>(view: View<'a>, index: usize, windows: &BTreeSet<Window>) -> Flow<'a> {
    let (kind, controller) = kind_names(&view.scenario.flows[index].kind);
    let record = view.record.flows.get(index);
    let count = |of: fn(&FlowRecord) -> u64| record.map_or(0, of);
    let part = |window: &Window| FlowWindow {
        from_s: seconds(window.0),
        to_s: seconds(window.1),
        goodput_mbps: view.goodput_mbps(index, Some(*window)),
        share: view.share(index, Some(*window)),
        rtt_ms: view.rtt_ms(index, Some(*window)),
        one_way_delay_ms: view.one_way_delay_ms(index, Some(*window)),
    };
    Flow {
        kind,
        controller,
        goodput_mbps: view.goodput_mbps(index, None),
        share: view.share(index, None),
        bytes_delivered: view.bytes_delivered(index, None).unwrap_or(0),
        sha256_ok: record.and_then(|flow| flow.sha256_ok),
        completed_s: view.completed_s(index),
        rtt_ms: view.rtt_ms(index, None),
        one_way_delay_ms: view.one_way_delay_ms(index, None),
        retransmissions: count(|flow| flow.retransmissions),
        spurious_retransmissions: count(|flow| flow.spurious_retransmissions),
        timeouts: count(|flow| flow.timeouts),
        windows: windows.iter().map(part).collect(),
    }
}

fn expectations<'a>(view: View<'a>) -> Vec<Expected<'a>> {
    let expected = |verdict: expect::Verdict<'a>| {
        let window = verdict.expectation.window;
        Expected {
            variant: &view.scenario.variant,
            metric: &verdict.expectation.metric,
            from_s: window.map(|(from, _)| seconds(from)),
            to_s: window.map(|(_, to)| seconds(to)),
            min: verdict.expectation.min,
            max: verdict.expectation.max,
            value: verdict.value,
            pass: verdict.pass,
        }
    };
    expect::check(view).into_iter().map(expected).collect()
}

fn seconds(time: Ns) -> f64 {
    round(time.as_secs_f64(), 3)
}

/// As text, since JSON numbers are exact to 53 bits only.
fn hexadecimal(hash: u64) -> String {
    format!("{hash:016x}")
}
