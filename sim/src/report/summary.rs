//! `summary.json`: the numbers of a run under stable keys.

use super::sweep::{self, expected};
use super::{Alike, Checked, Measured, Report, Spread, hexadecimal, kind_names, seconds};
use crate::expect;
use crate::metrics::{Delays, View, Window};
use crate::record::FlowRecord;
use serde::Serialize;
use serde_json::ser::Formatter;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

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
        seeds: report.seeds.and_then(seeds),
        pass: report.pass(),
    };
    json(&summary)
}

/// JSON with indentation down to the values of a link or flow, so that differences can be read;
/// what is below them is on one line.
///
/// # Errors
///
/// A value that is not finite or a key that is not a string.
pub(super) fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Lines { depth: 0 });
    value.serialize(&mut serializer)?;
    text.push(b'\n');
    Ok(String::from_utf8(text).expect("JSON is UTF-8"))
}

struct Lines {
    depth: usize,
}

impl Lines {
    /// Depth of the values of a link or flow.
    const DEPTH_MAX: usize = 5;

    fn line<W: io::Write + ?Sized>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        match self.depth {
            0..=Self::DEPTH_MAX => {
                writer.write_all(b"\n")?;
                (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
            }
            _ if first => Ok(()),
            _ => writer.write_all(b" "),
        }
    }

    fn end<W: io::Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.depth < Self::DEPTH_MAX {
            writer.write_all(b"\n")?;
            (0..self.depth).try_for_each(|_| writer.write_all(b"  "))?;
        }
        writer.write_all(bracket)
    }
}

impl Formatter for Lines {
    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"[")
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }

    fn begin_array_value<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.line(writer, first)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"{")
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn begin_object_key<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.line(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
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
    /// Of a run with several seeds; all else is of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    seeds: Option<Seeds<'a>>,
    pass: bool,
}

/// What several seeds came to.
#[derive(Serialize)]
struct Seeds<'a> {
    first: u64,
    last: u64,
    variants: BTreeMap<&'a str, OverSeeds<'a>>,
}

#[derive(Serialize)]
struct OverSeeds<'a> {
    metrics: BTreeMap<&'a str, Spread>,
    expectations: Vec<sweep::Expected<'a>>,
}

#[derive(Serialize)]
struct Variant<'a> {
    seed: u64,
    /// What the run covered, less than what the file allows when it ended early.
    duration_s: f64,
    trace_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    jain: Option<f64>,
    links: BTreeMap<&'a str, Link>,
    flows: BTreeMap<&'a str, Flow<'a>>,
}

#[derive(Serialize)]
struct Link {
    utilisation: Option<f64>,
    queue_delay_ms: Option<Delays>,
    dropped_packets: u64,
    lost_packets: u64,
    drops: BTreeMap<&'static str, u64>,
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
    failures: u64,
    longest_stall_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_ms: Option<Delays>,
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
    #[serde(flatten)]
    checked: Checked,
}

fn seeds(runs: &[Measured]) -> Option<Seeds<'_>> {
    let variants = Alike::groups(runs).into_iter().map(|alike| {
        let over = OverSeeds { metrics: alike.metrics(), expectations: expected(&alike) };
        (&*alike.first().variant, over)
    });
    let numbers = || runs.iter().map(|run| run.seed);
    Some(Seeds { first: numbers().min()?, last: numbers().max()?, variants: variants.collect() })
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
        jain: view.jain(None),
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
        drops: record.map_or_else(BTreeMap::new, |link| link.drops.clone()),
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
        failures: count(|flow| flow.failures),
        longest_stall_s: view.longest_stall_s(index, None),
        response_ms: view.response_ms(index, None),
        windows: windows.iter().map(part).collect(),
    }
}

fn expectations<'a>(view: View<'a>) -> Vec<Expected<'a>> {
    let expected = |verdict: &expect::Verdict<'a>| Expected {
        variant: &view.scenario.variant,
        checked: Checked::new(verdict),
    };
    expect::check(view).iter().map(expected).collect()
}
