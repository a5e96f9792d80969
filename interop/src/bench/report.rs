//! The results: medians, ratios with what they should be, tables, JSON and charts.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::chart::{Bar, chart};
use super::goals::{GOALS, Goal};
use super::plan::{Bench, Implementation, Workload};
use super::sample::{Shortfall, Values};
use crate::harness::{Machine, Provenance, Spread, Table};

/// What came of an implementation in a bench.
pub(super) struct Row {
    pub(super) bench: &'static Bench,
    pub(super) implementation: &'static Implementation,
    pub(super) samples: Vec<Values>,
    /// Why there are no more of them.
    pub(super) shortfalls: Vec<Shortfall>,
}

/// Everything that was measured.
pub(super) struct Report {
    pub(super) provenance: Provenance,
    pub(super) quick: bool,
    pub(super) rows: Vec<Row>,
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

    fn json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("bench".to_owned(), self.bench.name.into());
        fields.insert("implementation".to_owned(), self.implementation.name.into());
        fields.insert("runs".to_owned(), self.samples.len().into());
        for (index, column) in columns(self.bench).iter().enumerate() {
            let Some(spread) = self.spread(column.key) else { continue };
            let value = match index {
                0 => json!({ "median": spread.median, "min": spread.min, "max": spread.max }),
                _ => json!(spread.median),
            };
            fields.insert(column.key.to_owned(), value);
        }
        if !self.shortfalls.is_empty() {
            fields.insert("note".to_owned(), self.note().into());
        }
        Value::Object(fields)
    }
}

impl Report {
    /// Whether nothing went wrong with ours. What others do is told, and fails nothing.
    pub(super) fn pass(&self) -> bool {
        let ours = |row: &&Row| row.implementation.name.starts_with(OURS);
        self.rows.iter().filter(ours).all(|row| row.shortfalls.is_empty())
    }

    /// What is measured beside what it should be. Of a quick run that would mean nothing.
    pub(super) fn compared(&self) -> Vec<Compared> {
        if self.quick {
            return Vec::new();
        }
        GOALS.iter().filter_map(|goal| self.compare(goal)).collect()
    }

    fn compare(&self, goal: &Goal) -> Option<Compared> {
        let median = |(bench, implementation, key): (&str, &str, &str)| {
            let row = self
                .rows
                .iter()
                .find(|row| row.bench.name == bench && row.implementation.name == implementation)?;
            Some(row.spread(key)?.median)
        };
        let over = goal.over.map_or(Some(1.0), median)?;
        let value = median(goal.of)? / over;
        let met = if goal.at_least { value >= goal.value } else { value <= goal.value };
        Some(Compared { what: goal.what, bench: goal.of.0, value, goal: goal.value, met })
    }

    /// Everything as JSON, a line for each row.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let Provenance { commit, machine, date, command, .. } = &self.provenance;
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let ratios = serde_json::to_value(self.compared())?;
        let mut text = String::from("{\n");
        let machine: &Machine = machine;
        for (key, value) in [
            ("commit", json!(commit)),
            ("machine", json!(machine)),
            ("date", json!(date)),
            ("command", json!(command)),
            ("pass", json!(self.pass())),
            ("rows", Value::Array(rows)),
            ("ratios", ratios),
        ] {
            let value = match &value {
                Value::Array(rows) if !rows.is_empty() => {
                    let rows: Vec<String> = rows.iter().map(|row| format!("    {row}")).collect();
                    format!("[\n{}\n  ]", rows.join(",\n"))
                }
                value => value.to_string(),
            };
            let comma = if key == "ratios" { "" } else { "," };
            writeln!(text, "  \"{key}\": {value}{comma}").expect("a string takes it");
        }
        Ok(text + "}\n")
    }

    /// The tables for a terminal.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (bench, rows) in self.by_bench() {
            let table = table(bench, &rows).text();
            write!(text, "{} ({})\n{table}\n", bench.title, bench.name).expect("a string takes it");
        }
        if !self.quick {
            text += &goal_table(&self.compared()).text();
        }
        text
    }

    /// The tables as a Markdown page.
    pub(super) fn markdown(&self) -> String {
        let mut page = "# Ours beside other stacks\n\n".to_owned();
        page += &self.provenance.line();
        if self.quick {
            page += "\nA quick run: it shows that everything runs, its figures mean nothing.\n";
        }
        page += NOTES;
        if !self.quick {
            page += &goal_table(&self.compared()).markdown();
        }
        for (bench, rows) in self.by_bench() {
            let table = table(bench, &rows).markdown();
            let Bench { title, name, .. } = bench;
            write!(page, "\n## {title}\n\n![{name}]({name}.svg)\n\n{table}")
                .expect("a string takes it");
        }
        page
    }

    /// The charts, with the names of their files.
    pub(super) fn charts(&self) -> Vec<(String, String)> {
        let of = |(bench, rows): (&Bench, Vec<&Row>)| {
            let column = &columns(bench)[0];
            let bars: Vec<Bar<'_>> = rows.iter().map(|row| bar(row, column)).collect();
            (format!("{}.svg", bench.name), chart(bench.title, column.heading, &bars))
        };
        self.by_bench().into_iter().map(of).collect()
    }

    fn by_bench(&self) -> Vec<(&'static Bench, Vec<&Row>)> {
        let mut benches: Vec<(&'static Bench, Vec<&Row>)> = Vec::new();
        for row in &self.rows {
            match benches.iter_mut().find(|(bench, _)| bench.name == row.bench.name) {
                Some((_, rows)) => rows.push(row),
                None => benches.push((row.bench, vec![row])),
            }
        }
        benches
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

fn table(bench: &Bench, rows: &[&Row]) -> Table {
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
