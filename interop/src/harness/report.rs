//! The results of transfers: what is kept of each, how they compare, and the files they go to.

mod cell;
mod grid;
mod page;
mod run;
mod spread;

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::table::Table;
use super::{Direction, ExchangeRun, Family, Impairment, Origin, Provenance, STACKS};

pub use self::cell::Cell;
use self::grid::Grid;
pub use self::page::page;
pub use self::run::Run;
use self::run::cases;
pub use self::spread::Spread;

/// How fast one pair is beside another, in the same run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The pair that is looked at.
    pub of: String,
    /// The pair that it is measured by.
    pub over: String,
    /// Over which version of IP.
    pub family: Family,
    /// Who sent.
    pub direction: Direction,
    /// Median speed of the one over that of the other.
    pub value: f64,
    /// What it should reach, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<f64>,
    /// Whether it does. A speed that falls short fails nothing: it says as much about the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
}

impl Ratio {
    /// A ratio with an optional goal.
    pub fn new(of: &Run, over: &Run, value: f64, goal: Option<f64>) -> Self {
        Self {
            of: of.pair(),
            over: over.pair(),
            family: of.family,
            direction: of.direction,
            value,
            goal,
            met: goal.map(|goal| value >= goal),
        }
    }
}

/// Everything that one `interop` measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where it comes from.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Whether every transfer between ours and libutp arrived unchanged and in time, and every
    /// conversation went well. What other stacks do is told, and fails nothing.
    pub pass: bool,
    /// Every case, with what its transfers have in common.
    pub runs: Vec<Cell>,
    /// Every conversation.
    pub exchanges: Vec<ExchangeRun>,
    /// Speeds over loopback, compared.
    pub ratios: Vec<Ratio>,
}

impl Report {
    /// A report on these transfers and conversations.
    pub fn new(provenance: Provenance, runs: &[Run], exchanges: Vec<ExchangeRun>) -> Self {
        let pass = runs.iter().all(|run| run.sha256_ok || !is_required(run))
            && exchanges.iter().all(|run| run.pass);
        let ratios = ratios(runs, |run| {
            let ours = [&run.client, &run.server].iter().filter(|name| *name == &ours()).count();
            (ours == 1).then_some(MIXED_GOAL)
        });
        let runs = cases(runs).iter().map(|case| Cell::of(case)).collect();
        Self { provenance, pass, runs, exchanges, ratios }
    }

    /// Everything as JSON, a line for each case.
    ///
    /// # Errors
    ///
    /// None that are known: a number that is none would be one.
    pub fn json(&self) -> serde_json::Result<String> {
        let serde_json::Value::Object(fields) = serde_json::to_value(self)? else {
            return Ok(String::new());
        };
        let mut text = String::from("{\n");
        for (index, (key, value)) in fields.iter().enumerate() {
            let comma = if index + 1 < fields.len() { "," } else { "" };
            let value = match value {
                serde_json::Value::Array(rows) if !rows.is_empty() => {
                    let rows: Vec<String> = rows.iter().map(|row| format!("    {row}")).collect();
                    format!("[\n{}\n  ]", rows.join(",\n"))
                }
                value => value.to_string(),
            };
            writeln!(text, "  \"{key}\": {value}{comma}").expect("a string takes it");
        }
        Ok(text + "}\n")
    }

    /// The tables for a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for grid in Grid::all(&self.runs) {
            write!(text, "{}\n{}\n", grid.title, grid.table.text()).expect("a string takes it");
        }
        if !self.exchanges.is_empty() {
            let table = exchange_table(&self.exchanges).text();
            writeln!(text, "{table}").expect("a string takes it");
        }
        if !self.ratios.is_empty() {
            write!(text, "{}", ratio_table(&self.ratios).text()).expect("a string takes it");
        }
        text
    }

    /// The tables as a Markdown page.
    pub fn markdown(&self) -> String {
        let mut page = "# Transfers between implementations\n\n".to_owned();
        page += &self.provenance.line();
        page += MATRIX_NOTES;
        for grid in Grid::all(&self.runs) {
            write!(page, "\n## {}\n\n{}", grid.title, grid.table.markdown())
                .expect("a string takes it");
        }
        if !self.exchanges.is_empty() {
            page += EXCHANGE_NOTES;
            page += &exchange_table(&self.exchanges).markdown();
        }
        if !self.ratios.is_empty() {
            page += "\n## Beside libutp with itself, over loopback\n\n";
            page += &ratio_table(&self.ratios).markdown();
        }
        page
    }
}

/// Whether a transfer has to succeed: it is one between ours and libutp.
fn is_required(run: &Run) -> bool {
    let required = |name: &str| {
        STACKS.iter().any(|stack| stack.name == name && stack.origin != Origin::Registry)
    };
    required(&run.client) && required(&run.server)
}

/// Each pair over loopback beside libutp with itself.
fn ratios(runs: &[Run], goal: impl Fn(&Run) -> Option<f64>) -> Vec<Ratio> {
    let reference = STACKS[1].name;
    let cases = cases(runs);
    let speed = |case: &[&Run]| {
        Spread::of(case.iter().filter(|run| run.round > 0).filter_map(|run| run.mbps))
    };
    let clean = || cases.iter().filter(|case| case[0].impairment == Impairment::Clean);
    let mut ratios = Vec::new();
    for case in clean() {
        let run = case[0];
        let base = clean().find(|base| {
            let base = base[0];
            base.client == reference
                && base.server == reference
                && (base.family, base.direction, base.bytes)
                    == (run.family, run.direction, run.bytes)
        });
        let Some(base) = base.filter(|base| base[0].case() != run.case()) else { continue };
        if let (Some(of), Some(over)) = (speed(case), speed(base)) {
            ratios.push(Ratio::new(run, base[0], of.median / over.median, goal(run)));
        }
    }
    ratios
}

fn exchange_table(exchanges: &[ExchangeRun]) -> Table {
    let headings = ["family", "client", "server", "conversation", "result", "seconds"];
    let mut table = Table::new(5, &headings);
    for run in exchanges {
        table.push(vec![
            run.family.to_string(),
            run.client.clone(),
            run.server.clone(),
            run.case.to_string(),
            if run.pass { "ok".into() } else { "FAILED".into() },
            format!("{:.3}", run.seconds),
        ]);
    }
    table
}

fn ratio_table(ratios: &[Ratio]) -> Table {
    let mut table =
        Table::new(4, &["family", "direction", "pair", "beside", "ratio", "goal", "met"]);
    for ratio in ratios {
        let met = ratio.met.map_or("", |met| if met { "yes" } else { "no" });
        table.push(vec![
            ratio.family.to_string(),
            ratio.direction.to_string(),
            ratio.of.clone(),
            ratio.over.clone(),
            format!("{:.2}", ratio.value),
            ratio.goal.map(|goal| format!(">= {goal}")).unwrap_or_default(),
            met.into(),
        ]);
    }
    table
}

/// The name of our stack.
const fn ours() -> &'static str {
    STACKS[0].name
}

/// Writes files into a folder, each under a temporary name first, so that none is ever half
/// written.
///
/// # Errors
///
/// When the folder or a file cannot be written.
pub fn write_files(folder: &Path, files: &[(&str, String)]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, text) in files {
        let temporary = folder.join(format!("{name}.tmp"));
        fs::write(&temporary, text)?;
        fs::rename(&temporary, folder.join(name))?;
    }
    Ok(())
}

/// What ours with libutp should reach beside libutp with itself.
const MIXED_GOAL: f64 = 0.8;

/// What a reader of the matrix has to know.
const MATRIX_NOTES: &str = "
Rows connect, columns listen. A cell has the median and the lowest of the rounds, in Mbit/s; time
counts from the first byte that arrives to the last. Where packets wait at the relay, the median and
the 95th percentile of their wait stand behind it, in milliseconds. What failed says how many rounds
did; a pair with a stack of the registry is not run again once its first two failed. `libutp, SYN
above` connects with a SYN number above 0x7fff, with which libutp has no fast retransmit. A cell
with `connects` tells how many it took: libutp loses a connection whose first answer is lost.
matrix.html has plots of what both ends saw.
";

/// What a reader of the conversations has to know.
const EXCHANGE_NOTES: &str = "
## Conversations

Neither side may end in an error. `many-short` is 1000 connections of 2000 bytes, 50 at a time;
libutp keeps each for up to half a second after its end.

";

#[cfg(test)]
mod tests;
