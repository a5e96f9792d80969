//! The results: medians, ratios with what they should be, tables, JSON and charts.

mod stored;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use super::chart::{Bar, chart};
use super::goals::{GOALS, Goal};
use super::plan::{BENCHES, Bench, Implementation, Workload};
use super::sample::{Shortfall, Values};
use crate::harness::{Provenance, Spread, Table, write_files};

/// What came of an implementation in a bench.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) bench: &'static Bench,
    pub(super) implementation: &'static Implementation,
    pub(super) samples: Vec<Values>,
    /// Why there are no more of them.
    pub(super) shortfalls: Vec<Shortfall>,
}

/// A bench as one run measured it.
#[derive(Clone)]
pub(super) struct Section {
    pub(super) provenance: Provenance,
    pub(super) bench: &'static Bench,
    pub(super) rows: Vec<Row>,
}

/// Everything that was measured, perhaps in more than one run.
#[derive(Default)]
pub(super) struct Report {
    pub(super) quick: bool,
    /// In the order of the plan.
    pub(super) sections: Vec<Section>,
}

/// A figure beside what it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Compared {
    pub(super) what: &'static str,
    pub(super) bench: &'static str,
    pub(super) value: f64,
    pub(super) goal: f64,
    pub(super) met: bool,
}

impl Row {
    /// The spread of a figure over the runs.
    pub(super) fn spread(&self, key: &str) -> Option<Spread> {
        Spread::of(self.samples.iter().filter_map(|values| values.get(key).copied()))
    }

    /// Why there is nothing, or what else went wrong, in words.
    fn note(&self) -> String {
        match self.shortfalls.last() {
            None => String::new(),
            Some(Shortfall::Unable(words)) => format!("cannot: {words}"),
            Some(Shortfall::Failed(words)) => {
                format!("{} failed: {words}", self.shortfalls.len())
            }
        }
    }
}

impl Report {
    /// Whether nothing went wrong with ours. What others do is told, and fails nothing.
    pub(super) fn pass(&self) -> bool {
        let ours = |row: &&Row| row.implementation.name.starts_with(OURS);
        let mut rows = self.sections.iter().flat_map(|section| &section.rows).filter(ours);
        rows.all(|row| row.shortfalls.is_empty())
    }

    /// Puts a section in its place, where another of the same bench may stand.
    pub(super) fn replace(&mut self, section: Section) {
        self.sections.retain(|other| other.bench.name != section.bench.name);
        self.sections.push(section);
        let place =
            |section: &Section| BENCHES.iter().position(|bench| bench.name == section.bench.name);
        self.sections.sort_by_key(place);
    }

    /// What is measured beside what it should be. Of a quick run that would mean nothing.
    pub(super) fn compared(&self) -> Vec<Compared> {
        if self.quick {
            return Vec::new();
        }
        GOALS.iter().filter_map(|goal| self.compare(goal)).collect()
    }

    fn compare(&self, goal: &Goal) -> Option<Compared> {
        let section = |bench: &str| self.sections.iter().find(|of| of.bench.name == bench);
        let median = |(bench, implementation, key): (&str, &str, &str)| {
            let mut rows = section(bench)?.rows.iter();
            let row = rows.find(|row| row.implementation.name == implementation)?;
            Some(row.spread(key)?.median)
        };
        let over = match goal.over {
            None => 1.0,
            Some(over) => {
                // A ratio between two machines means nothing.
                let [a, b] =
                    [section(goal.of.0)?, section(over.0)?].map(|of| &of.provenance.machine);
                (a == b).then(|| median(over)).flatten()?
            }
        };
        let value = median(goal.of)? / over;
        let met = if goal.at_least { value >= goal.value } else { value <= goal.value };
        Some(Compared { what: goal.what, bench: goal.of.0, value, goal: goal.value, met })
    }

    /// The tables for a terminal.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for Section { bench, rows, .. } in &self.sections {
            let table = table(bench, rows).text();
            write!(text, "{} ({})\n{table}\n", bench.title, bench.name).expect("a string takes it");
        }
        if !self.quick {
            text += &goal_table(&self.compared()).text();
        }
        text
    }

    /// The tables as a Markdown page.
    pub(super) fn markdown(&self) -> String {
        let mut page = "# Ours beside other stacks\n".to_owned();
        if self.quick {
            page += "\nA quick run: it shows that everything runs, its figures mean nothing.\n";
        }
        page += NOTES;
        if !self.quick {
            page += &goal_table(&self.compared()).markdown();
        }
        for Section { provenance, bench, rows } in &self.sections {
            let table = table(bench, rows).markdown();
            let Bench { title, name, .. } = bench;
            let line = provenance.line();
            write!(page, "\n## {title}\n\n{line}\n![{name}]({name}.svg)\n\n{table}")
                .expect("a string takes it");
        }
        page
    }

    /// The charts, with the names of their files.
    pub(super) fn charts(&self) -> Vec<(String, String)> {
        let of = |Section { bench, rows, .. }: &Section| {
            let column = &columns(bench)[0];
            let bars: Vec<Bar<'_>> = rows.iter().map(|row| bar(row, column)).collect();
            (format!("{}.svg", bench.name), chart(bench.title, column.heading, &bars))
        };
        self.sections.iter().map(of).collect()
    }

    /// Writes everything to `folder`. What it keeps of benches that are not in this report stays,
    /// unless one of both was a quick run.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let mut all = if self.quick { Self::default() } else { Self::load(folder)? };
        if all.quick != self.quick {
            all = Self { quick: self.quick, sections: Vec::new() };
        }
        self.sections.iter().for_each(|section| all.replace(section.clone()));
        let mut files = all.charts();
        files.push((stored::FILE.to_owned(), all.json()?));
        files.push(("table.md".to_owned(), all.markdown()));
        let files: Vec<(&str, String)> =
            files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        write_files(folder, &files).with_context(|| format!("writing {}", folder.display()))
    }
}

fn bar<'a>(row: &Row, column: &Column) -> Bar<'a> {
    let value = row.spread(column.key);
    let label = match value {
        Some(value) => number(value.median, column.decimals),
        None if row.shortfalls.iter().any(|why| matches!(why, Shortfall::Unable(_))) => {
            "cannot".to_owned()
        }
        None => "failed".to_owned(),
    };
    let name = row.implementation.name;
    Bar { name, value, label, ours: name.starts_with(OURS) }
}

/// A figure of a bench.
struct Column {
    key: &'static str,
    heading: &'static str,
    decimals: usize,
}

const fn column(key: &'static str, heading: &'static str, decimals: usize) -> Column {
    Column { key, heading, decimals }
}

/// The figures of a bench, that of its chart first.
fn columns(bench: &Bench) -> Vec<Column> {
    match bench.workload {
        Workload::Stream if bench.relay_loss_ppm.is_some() => {
            vec![column("mbit_per_s", "Mbit/s", 2), column("queue_p95_ms", "queue p95 ms", 1)]
        }
        Workload::Stream => vec![
            column("mb_per_s", "MB/s", 1),
            column("sender_cpu_s_per_gib", "sender s/GiB", 2),
            column("receiver_cpu_s_per_gib", "receiver s/GiB", 2),
            column("peak_rss_mib", "peak MiB", 1),
        ],
        Workload::Ping => vec![
            column("p50_us", "p50 us", 1),
            column("p99_us", "p99 us", 1),
            column("cpu_us", "CPU us", 1),
        ],
        Workload::Connects => vec![
            column("connects_per_s", "connections/s", 0),
            column("p50_us", "p50 us", 0),
            column("p99_us", "p99 us", 0),
            column("cpu_us", "CPU us", 1),
        ],
        Workload::Idle => vec![
            column("acceptor_bytes", "bytes, acceptor", 0),
            column("initiator_bytes", "bytes, initiator", 0),
            column("acceptor_cpu_percent", "CPU %, acceptor", 2),
            column("initiator_cpu_percent", "CPU %, initiator", 2),
            column("datagrams_per_s", "datagrams/s", 0),
        ],
    }
}

fn table(bench: &Bench, rows: &[Row]) -> Table {
    let columns = columns(bench);
    let mut headings = vec!["implementation", "runs", columns[0].heading, "lowest", "highest"];
    headings.extend(columns[1..].iter().map(|column| column.heading));
    headings.push("note");
    let mut table = Table::new(1, &headings);
    for row in rows {
        let decimals = columns[0].decimals;
        let spread = row.spread(columns[0].key);
        let of = |value: fn(Spread) -> f64| {
            spread.map(value).map_or_else(|| "-".to_owned(), |value| number(value, decimals))
        };
        let mut cells = vec![row.implementation.name.to_owned(), row.samples.len().to_string()];
        cells.extend([of(|of| of.median), of(|of| of.min), of(|of| of.max)]);
        cells.extend(columns[1..].iter().map(|column| {
            let median = row.spread(column.key).map(|spread| spread.median);
            median.map_or_else(|| "-".to_owned(), |value| number(value, column.decimals))
        }));
        cells.push(row.note());
        table.push(cells);
    }
    table
}

fn goal_table(compared: &[Compared]) -> Table {
    let mut table = Table::new(2, &["bench", "what", "value", "goal", "met"]);
    for Compared { what, bench, value, goal, met } in compared {
        let met = if *met { "yes" } else { "no" };
        let cells = [bench, what].map(ToString::to_string);
        let figures = [format!("{value:.2}"), goal.to_string(), met.to_owned()];
        table.push(cells.into_iter().chain(figures).collect());
    }
    table
}

fn number(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}")
}

/// The name of our stack, with which those of its variants begin.
const OURS: &str = "utp-tokio";

/// What a reader has to know.
const NOTES: &str = "
Two processes on one machine, each on one thread, implementations in turns in every round; medians,
and the lowest and highest of the first figure. Sockets have 4 MiB of kernel buffer where nothing
else is said. A stream is timed by its receiver, from the first byte to the last, and hashed by both
sides when the clock has stopped. Processor time is that of the process, user and kernel. `udp` has
a window and nothing else of a protocol; quinn encrypts.

";

#[cfg(test)]
mod tests;
