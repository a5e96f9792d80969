//! The loopback benchmark: ours with itself beside libutp with itself.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::{Ratio, Run, cases, provenance_line, ratio_table, ratios};
use crate::harness::table::Table;
use crate::harness::{Machine, Provenance};

/// Median, lowest and highest of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Spread {
    /// The spread of some values; `None` when there are none.
    ///
    /// ```
    /// use utp_interop::harness::Spread;
    ///
    /// let spread = Spread::of([3.0, 1.0, 2.0].into_iter());
    /// assert_eq!(spread, Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
    /// ```
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Some(Self { median, min, max })
    }
}

/// One implementation with itself, over one version of IP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchRow {
    /// `loopback-stream`, with `-v6` over IPv6.
    pub bench: String,
    /// The implementation.
    pub implementation: String,
    /// How many transfers went into it.
    pub runs: usize,
    /// Megabytes (10^6) of payload a second.
    pub mb_per_s: Spread,
    /// Processor time of the sending side for a GiB of payload, median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_cpu_s_per_gib: Option<f64>,
    /// Processor time of the receiving side for a GiB of payload, median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver_cpu_s_per_gib: Option<f64>,
    /// Resident memory of the larger side at its highest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_rss_mib: Option<f64>,
}

/// Everything that one `bench` measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// The commit, with `-dirty` when files differ from it.
    pub commit: String,
    /// What it ran on.
    pub machine: Machine,
    /// When it started, in UTC.
    pub date: String,
    /// The command line.
    pub command: String,
    /// Whether every transfer arrived unchanged and in time.
    pub pass: bool,
    /// A row for each implementation and family.
    pub rows: Vec<BenchRow>,
    /// Ours beside libutp.
    pub ratios: Vec<BenchRatio>,
    #[serde(skip)]
    compared: Vec<Ratio>,
    #[serde(skip)]
    optimised: bool,
}

/// Ours beside another implementation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchRatio {
    /// Which benchmark.
    pub bench: String,
    /// The other implementation.
    pub ours_over: String,
    /// Median of ours over the median of the other.
    pub value: f64,
    /// What it should reach.
    pub goal: f64,
}

impl BenchReport {
    /// A report on transfers of implementations with themselves.
    pub fn new(provenance: Provenance, runs: &[Run]) -> Self {
        let compared = ratios(runs, |_| Some(GOAL));
        let ratios = compared.iter().map(|ratio| BenchRatio {
            bench: bench_name(ratio.family),
            ours_over: ratio.over.split(':').next().unwrap_or_default().to_owned(),
            value: ratio.value,
            goal: GOAL,
        });
        Self {
            pass: runs.iter().all(|run| run.sha256_ok),
            rows: cases(runs).iter().filter_map(|case| row(case)).collect(),
            ratios: ratios.collect(),
            compared,
            commit: provenance.commit,
            machine: provenance.machine,
            date: provenance.date,
            command: provenance.command,
            optimised: provenance.optimised,
        }
    }

    /// The tables for a terminal.
    pub fn text(&self) -> String {
        let mut text = self.table().text();
        if !self.compared.is_empty() {
            write!(text, "\n{}", ratio_table(&self.compared).text()).expect("a string takes it");
        }
        text
    }

    /// The tables as a Markdown page.
    pub fn markdown(&self) -> String {
        let provenance = Provenance {
            commit: self.commit.clone(),
            machine: self.machine.clone(),
            date: self.date.clone(),
            command: self.command.clone(),
            optimised: self.optimised,
        };
        let mut page = format!("# Loopback throughput\n\n{}\n", provenance_line(&provenance));
        page += "Each implementation with itself, in turns, two processes on one machine; the receiving \
                 one takes SHA-256 of the stream. Processor time is for a GiB of payload.\n\n";
        page += &self.table().markdown();
        if !self.compared.is_empty() {
            write!(page, "\n{}", ratio_table(&self.compared).markdown())
                .expect("a string takes it");
        }
        page
    }

    fn table(&self) -> Table {
        let headings = [
            "bench",
            "implementation",
            "runs",
            "MB/s",
            "lowest",
            "highest",
            "sender s/GiB",
            "receiver s/GiB",
            "peak MiB",
        ];
        let mut table = Table::new(2, &headings);
        let number = |value: Option<f64>, decimals| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
        };
        for row in &self.rows {
            table.push(vec![
                row.bench.clone(),
                row.implementation.clone(),
                row.runs.to_string(),
                format!("{:.1}", row.mb_per_s.median),
                format!("{:.1}", row.mb_per_s.min),
                format!("{:.1}", row.mb_per_s.max),
                number(row.sender_cpu_s_per_gib, 2),
                number(row.receiver_cpu_s_per_gib, 2),
                number(row.peak_rss_mib, 1),
            ]);
        }
        table
    }
}

fn row(case: &[&Run]) -> Option<BenchRow> {
    let first = case[0];
    let gib = first.bytes as f64 / f64::from(1 << 30);
    let per_gib = |cpu: fn(&Run) -> Option<f64>| {
        Spread::of(case.iter().filter_map(|run| cpu(run))).map(|spread| spread.median / gib)
    };
    let mbps = case.iter().filter_map(|run| run.mbps);
    let peak = case.iter().filter_map(|run| run.peak_rss_kib).max();
    Some(BenchRow {
        bench: bench_name(first.family),
        implementation: first.client.clone(),
        runs: case.len(),
        mb_per_s: Spread::of(mbps.map(|mbps| mbps / 8.0))?,
        sender_cpu_s_per_gib: per_gib(|run| run.sender_cpu_s),
        receiver_cpu_s_per_gib: per_gib(|run| run.receiver_cpu_s),
        peak_rss_mib: peak.map(|kib| kib as f64 / 1024.0),
    })
}

fn bench_name(family: crate::harness::Family) -> String {
    match family {
        crate::harness::Family::V4 => "loopback-stream".into(),
        crate::harness::Family::V6 => "loopback-stream-v6".into(),
    }
}

/// How much faster than libutp ours should be.
const GOAL: f64 = 2.0;
