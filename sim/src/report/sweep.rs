//! What a sweep came to: `sweep.json`, `sweep.csv`, a plot, a page and a table.

use super::html::Page;
use super::measured::{Alike, Checked, Measured, Spread};
use super::plot::{self, escape};
use super::summary::json;
use super::table::{Paint, columns};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A swept scenario file and its runs, at every point, of every variant, with every seed.
#[derive(Clone, Copy, Debug)]
pub struct Sweep<'a> {
    /// Stem of the file.
    pub name: &'a str,
    /// One line that says what the scenario shows.
    pub summary: &'a str,
    /// Digest of its text.
    pub digest: &'a str,
    /// The file itself.
    pub text: &'a str,
    /// What ran it.
    pub engine: &'a str,
    /// The command that gives the same.
    pub command: &'a str,
    /// In the order of the points, then of the variants, then of the seeds.
    pub runs: &'a [Measured],
}

#[derive(Serialize)]
struct Document<'a> {
    scenario: &'a str,
    summary: &'a str,
    scenario_digest: &'a str,
    version: &'a str,
    engine: &'a str,
    command: &'a str,
    keys: Vec<&'a str>,
    seeds: Vec<u64>,
    points: Vec<Point<'a>>,
    pass: bool,
}

#[derive(Serialize)]
struct Point<'a> {
    variant: &'a str,
    point: BTreeMap<&'a str, &'a str>,
    metrics: BTreeMap<&'a str, Spread>,
    expectations: Vec<Expected<'a>>,
}

/// An expectation at one point: how many of the seeds keep it.
#[derive(Serialize)]
pub(super) struct Expected<'a> {
    pub(super) metric: &'a str,
    pub(super) from_s: Option<f64>,
    pub(super) to_s: Option<f64>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) value: Option<Spread>,
    pub(super) passed: usize,
    pub(super) count: usize,
}

/// The expectations of runs that differ in their seed.
pub(super) fn expected<'a>(alike: &Alike<'a>) -> Vec<Expected<'a>> {
    let row = |(checked, value, passed): (&'a Checked, _, _)| Expected {
        metric: &checked.metric,
        from_s: checked.from_s,
        to_s: checked.to_s,
        min: checked.min,
        max: checked.max,
        value,
        passed,
        count: alike.runs.len(),
    };
    alike.expectations().into_iter().map(row).collect()
}

impl<'a> Sweep<'a> {
    /// Whether every expectation of every run holds.
    pub fn pass(self) -> bool {
        self.runs.iter().all(Measured::pass)
    }

    /// The swept keys.
    pub(super) fn keys(self) -> Vec<&'a str> {
        let first = self.runs.first();
        first.map_or_else(Vec::new, |run| run.point.iter().map(|(key, _)| &**key).collect())
    }

    /// Every seed once, ascending.
    fn seeds(self) -> Vec<u64> {
        let mut seeds: Vec<u64> = self.runs.iter().map(|run| run.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        seeds
    }

    /// The files of the sweep's results folder, by name.
    ///
    /// # Errors
    ///
    /// A plot that cannot be drawn.
    pub fn files(self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let svg = plot::sweep(self)?;
        Ok(vec![
            ("sweep.json", self.json()?),
            ("sweep.csv", self.csv()),
            ("report.html", self.html(&svg)),
            ("sweep.svg", svg),
        ])
    }

    /// `sweep.json`: median and range over the seeds of every metric at every point.
    ///
    /// # Errors
    ///
    /// None in practice: every value is finite and every key a string.
    pub fn json(self) -> serde_json::Result<String> {
        let points = Alike::groups(self.runs);
        json(&Document {
            scenario: self.name,
            summary: self.summary,
            scenario_digest: self.digest,
            version: env!("CARGO_PKG_VERSION"),
            engine: self.engine,
            command: self.command,
            keys: self.keys(),
            seeds: self.seeds(),
            points: points
                .iter()
                .map(|alike| Point {
                    variant: &alike.first().variant,
                    point: pairs(&alike.first().point),
                    metrics: alike.metrics(),
                    expectations: expected(alike),
                })
                .collect(),
            pass: self.pass(),
        })
    }

    /// `sweep.csv`: a row for every run and metric.
    pub fn csv(self) -> String {
        let mut text = String::from("variant");
        for key in self.keys() {
            text.push(',');
            text.push_str(&quoted(key));
        }
        text.push_str(",seed,metric,value\n");
        for run in self.runs {
            let values = run.point.iter().map(|(_, value)| quoted(value));
            let start: Vec<_> = [quoted(&run.variant)].into_iter().chain(values).collect();
            for (metric, value) in &run.metrics {
                writeln!(text, "{},{},{metric},{value}", start.join(","), run.seed)
                    .expect("a string takes all");
            }
        }
        text
    }

    /// The table that is printed, which ends in a line with the verdict.
    pub fn table(self, paint: Paint) -> String {
        let mut text = format!("{}  {}\n\n", paint.bold(self.name), self.summary);
        let rows = || {
            Alike::groups(self.runs).into_iter().flat_map(|alike| {
                let point = alike.first().point_text();
                let variant = alike.first().variant.clone();
                expected(&alike).into_iter().map(|e| row(&variant, &point, &e)).collect::<Vec<_>>()
            })
        };
        columns(&mut text, &HEADER, rows().map(|(_, row)| row));
        let missed = self.runs.iter().filter(|run| !run.pass()).count();
        let words = match missed {
            0 => format!("all {} runs keep what they expect", self.runs.len()),
            missed => format!("{missed} of {} runs miss an expectation", self.runs.len()),
        };
        writeln!(text, "{} {}: {words}", paint.verdict(missed == 0), self.name)
            .expect("a string takes all");
        text
    }

    fn html(self, svg: &str) -> String {
        let mut page = Page::new(self.name, self.summary, self.pass(), self.command);
        page.figure("sweep", svg);
        let rows = Alike::groups(self.runs).into_iter().flat_map(|alike| {
            let point = alike.first().point_text();
            let variant = alike.first().variant.clone();
            let rows = expected(&alike).into_iter().map(|e| row(&variant, &point, &e));
            rows.map(|(pass, row)| (Some(pass), row)).collect::<Vec<_>>()
        });
        page.table("Expectations", &HEADER[1..], rows.map(|(pass, row)| (pass, row[1..].to_vec())));
        let seeds: Vec<_> = self.seeds().iter().map(u64::to_string).collect();
        page.add(&format!(
            "<h2>Origin</h2>\n<dl>\n<dt>Version</dt><dd>utp-sim {}</dd>\n<dt>Engine</dt>\
             <dd>{}</dd>\n<dt>Scenario digest</dt><dd><code>{}</code></dd>\n<dt>Seeds</dt>\
             <dd>{}</dd>\n</dl>\n",
            env!("CARGO_PKG_VERSION"),
            self.engine,
            escape(self.digest),
            seeds.join(", "),
        ));
        page.scenario(self.text);
        page.end()
    }
}

const HEADER: [&str; 7] = ["", "variant", "point", "metric", "window", "measured", "expected"];

fn row(variant: &str, point: &str, expected: &Expected<'_>) -> (bool, Vec<String>) {
    let pass = expected.passed == expected.count;
    let verdict = match (pass, expected.count) {
        (true, _) => "pass".to_owned(),
        (false, 1) => "FAIL".to_owned(),
        (false, count) => format!("FAIL {} of {count}", count - expected.passed),
    };
    let checked = Checked {
        metric: expected.metric.to_owned(),
        from_s: expected.from_s,
        to_s: expected.to_s,
        min: expected.min,
        max: expected.max,
        value: None,
        pass,
    };
    let row = vec![
        verdict,
        variant.to_owned(),
        if point.is_empty() { "-".to_owned() } else { point.to_owned() },
        expected.metric.to_owned(),
        checked.window(),
        expected.value.map_or_else(|| "-".to_owned(), |spread| spread.text()),
        checked.bounds(),
    ];
    (pass, row)
}

fn pairs(point: &[(String, String)]) -> BTreeMap<&str, &str> {
    point.iter().map(|(key, value)| (&**key, &**value)).collect()
}

/// A field of a CSV file.
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
