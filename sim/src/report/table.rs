//! The table that a run prints: one line per link, flow and expectation.

use super::{Alike, Checked, Measured, Report, kind_names, verdict_words};
use crate::metrics::{Delays, View};
use crate::scenario::FlowKind;
use std::fmt::Write as _;

/// How the words that matter stand out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paint {
    /// For files and pipes.
    #[default]
    Plain,
    /// For a terminal: escape sequences for bold, green and red.
    Ansi,
}

impl Paint {
    /// `PASS` in green or `FAIL` in red.
    pub fn verdict(self, pass: bool) -> &'static str {
        match (self, pass) {
            (Self::Plain, true) => "PASS",
            (Self::Plain, false) => "FAIL",
            (Self::Ansi, true) => "\u{1b}[32mPASS\u{1b}[0m",
            (Self::Ansi, false) => "\u{1b}[1;31mFAIL\u{1b}[0m",
        }
    }

    pub(super) fn bold(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Ansi => format!("\u{1b}[1m{text}\u{1b}[0m"),
        }
    }
}

/// The table of a scenario, which ends in a line with the verdict.
///
/// The same report gives the same text; how long the run took is not in it.
pub fn table(report: Report<'_>, paint: Paint) -> String {
    let file = report.file;
    let mut text = format!("{}  {}\n\n", paint.bold(&file.name), file.summary);
    match report.seeds {
        Some(runs) => columns(&mut text, &SEEDS_HEADER, seed_rows(runs).into_iter()),
        None => {
            let links = report.views().flat_map(|view| {
                let links = 0..view.scenario.links.len();
                links.map(move |index| link_row(view, index))
            });
            columns(&mut text, &LINK_HEADER, links);
            let flows = report.views().flat_map(|view| {
                let flows = 0..view.scenario.flows.len();
                flows.map(move |index| flow_row(view, index))
            });
            columns(&mut text, &FLOW_HEADER, flows);
        }
    }
    let verdicts = verdict_rows(report);
    let mut lines = String::new();
    columns(&mut lines, &VERDICT_HEADER, verdicts.iter().map(|(_, row)| row.clone()));
    // Colours go in last: escape sequences have no width.
    let marks = [None].into_iter().chain(verdicts.iter().map(|(pass, _)| Some(*pass)));
    for (line, mark) in lines.lines().zip(marks) {
        match mark {
            Some(pass) => writeln!(text, "  {}{line}", paint.verdict(pass)),
            None => writeln!(text, "      {line}"),
        }
        .expect("a string takes all");
    }
    if !verdicts.is_empty() {
        text.push('\n');
    }
    let verdict = paint.verdict(report.pass());
    writeln!(text, "{verdict} {}: {}", file.name, verdict_words(report))
        .expect("a string takes all");
    text
}

/// Every expectation of every variant: whether it holds, and its row under [`VERDICT_HEADER`]. With
/// several seeds it has to hold for each.
pub(super) fn verdict_rows(report: Report<'_>) -> Vec<(bool, Vec<String>)> {
    let row = |variant: &str, checked: &Checked, value: String| {
        let (window, bounds) = (checked.window(), checked.bounds());
        vec![variant.to_owned(), checked.metric.clone(), window, value, bounds]
    };
    let Some(runs) = report.seeds else {
        let measured = report.measured();
        let rows = measured.iter().flat_map(|run| {
            run.expectations.iter().map(|checked| {
                let value = shown(checked.value, |value| value.to_string());
                (checked.pass, row(&run.variant, checked, value))
            })
        });
        return rows.collect();
    };
    let rows = Alike::groups(runs).into_iter().flat_map(|alike| {
        let rows = alike.expectations().into_iter().map(|(checked, spread, passed)| {
            let failed = alike.runs.len() - passed;
            let note = if failed > 0 { format!(", {failed} seeds miss") } else { String::new() };
            let value = shown(spread, |spread| spread.text()) + &note;
            (failed == 0, row(&alike.first().variant, checked, value))
        });
        rows.collect::<Vec<_>>()
    });
    rows.collect()
}

pub(super) const LINK_HEADER: [&str; 10] =
    ["variant", "link", "used", "queue ms: mean", "p50", "p95", "p99", "max", "dropped", "lost"];

pub(super) fn link_row(view: View<'_>, index: usize) -> Vec<String> {
    let delays = view.queue_delay_ms(index, None);
    let mut row = vec![
        view.scenario.variant.clone(),
        view.scenario.links[index].name.clone(),
        shown(view.utilisation(index, None).map(|used| used * 100.0), |used| format!("{used:.1}%")),
    ];
    let statistics: [fn(&Delays) -> f64; 5] =
        [|d| d.mean, |d| d.p50, |d| d.p95, |d| d.p99, |d| d.max];
    row.extend(statistics.map(|of| shown(delays.as_ref().map(of), |ms| format!("{ms:.1}"))));
    let link = view.record.links.get(index);
    row.push(shown(link.map(|link| link.dropped_packets), |count| count.to_string()));
    row.push(shown(link.map(|link| link.lost_packets), |count| count.to_string()));
    row
}

pub(super) const SEEDS_HEADER: [&str; 3] = ["variant", "metric", "median [min..max]"];

/// The metrics that are most often looked at, over all seeds.
pub(super) fn seed_rows(runs: &[Measured]) -> Vec<Vec<String>> {
    let rows = Alike::groups(runs).into_iter().flat_map(|alike| {
        let variant = alike.first().variant.clone();
        let expected: Vec<_> = alike.first().expectations.iter().map(|e| &*e.metric).collect();
        let asked = move |name: &str| {
            expected.contains(&name) || OVER_SEEDS.iter().any(|end| name.ends_with(end))
        };
        let metrics = alike.metrics().into_iter().filter(move |(name, _)| asked(name));
        metrics
            .map(move |(name, spread)| vec![variant.clone(), name.to_owned(), spread.text()])
            .collect::<Vec<_>>()
    });
    rows.collect()
}

const OVER_SEEDS: [&str; 7] = [
    "jain",
    ".utilisation",
    ".queue_delay_ms.p50",
    ".queue_delay_ms.p95",
    ".goodput_mbps",
    ".rtt_ms.p50",
    ".completed_s",
];

pub(super) const FLOW_HEADER: [&str; 12] = [
    "variant",
    "flow",
    "kind",
    "Mbit/s",
    "share",
    "MB",
    "delay ms: p50",
    "p95",
    "resent",
    "needless",
    "timeouts",
    "done s",
];

pub(super) fn flow_row(view: View<'_>, index: usize) -> Vec<String> {
    let spec = &view.scenario.flows[index];
    let record = view.record.flows.get(index);
    let (kind, controller) = kind_names(&spec.kind);
    let kind = controller.map_or_else(|| kind.to_owned(), |name| format!("{kind} {name}"));
    // A sender of data knows its round trips, a call the delay of its packets.
    let delays = view.rtt_ms(index, None).or_else(|| view.one_way_delay_ms(index, None));
    let megabytes = view.bytes_delivered(index, None).map(|bytes| bytes as f64 / 1e6);
    let sends_again = !matches!(spec.kind, FlowKind::Cbr { .. } | FlowKind::OnOff { .. });
    let counted = record.filter(|_| sends_again);
    vec![
        view.scenario.variant.clone(),
        spec.name.clone(),
        kind,
        shown(view.goodput_mbps(index, None), |mbps| format!("{mbps:.3}")),
        shown(view.share(index, None), |share| format!("{share:.3}")),
        shown(megabytes, |megabytes| format!("{megabytes:.2}")),
        shown(delays.map(|delays| delays.p50), |ms| format!("{ms:.1}")),
        shown(delays.map(|delays| delays.p95), |ms| format!("{ms:.1}")),
        shown(counted.map(|flow| flow.retransmissions), |count| count.to_string()),
        shown(counted.map(|flow| flow.spurious_retransmissions), |count| count.to_string()),
        shown(counted.map(|flow| flow.timeouts), |count| count.to_string()),
        shown(view.completed_s(index), |at| format!("{at:.1}")),
    ]
}

pub(super) const VERDICT_HEADER: [&str; 5] =
    ["variant", "metric", "window", "measured", "expected"];

fn shown<T>(value: Option<T>, format: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), format)
}

/// Lines up rows under their header, numbers to the right, and adds an empty line.
pub(super) fn columns<const N: usize>(
    text: &mut String,
    header: &[&str; N],
    rows: impl Iterator<Item = Vec<String>>,
) {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let cells_of = |column: usize| rows.iter().map(move |row| &*row[column]);
    let numeric = |cell: &str| cell.chars().all(|c| c.is_ascii_digit() || ".%-".contains(c));
    let header_row: Vec<_> = header.iter().map(|&cell| cell.to_owned()).collect();
    let shapes: Vec<_> = (0..N)
        .map(|column| {
            let widest = cells_of(column).chain([header[column]]).map(|cell| cell.chars().count());
            (widest.max().unwrap_or(0), cells_of(column).all(numeric))
        })
        .collect();
    for row in [&header_row].into_iter().chain(&rows) {
        let mut line = String::new();
        for (cell, (width, right)) in row.iter().zip(&shapes) {
            match right {
                true => write!(line, "  {cell:>width$}"),
                false => write!(line, "  {cell:<width$}"),
            }
            .expect("a string takes all");
        }
        writeln!(text, "{}", line.trim_end()).expect("a string takes all");
    }
    text.push('\n');
}
