//! `summary.json`: what was measured, in a form that can be read again, so that a later run of some
//! benches leaves the others as they are.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::plan::{BENCHES, IMPLEMENTATIONS};
use super::{Report, Row, Section, columns};
use crate::bench::sample::{Shortfall, Values};
use crate::harness::Provenance;

/// The file, beside the tables and charts that are made of it.
pub(super) const FILE: &str = "summary.json";

/// When and where a bench was measured.
#[derive(Serialize, Deserialize)]
struct Measured {
    bench: String,
    #[serde(flatten)]
    provenance: Provenance,
}

/// What is read of a row. The medians are there for other readers.
#[derive(Deserialize)]
struct Stored {
    bench: String,
    implementation: String,
    samples: Vec<Values>,
    #[serde(default)]
    shortfalls: Vec<Shortfall>,
}

#[derive(Deserialize)]
struct Summary {
    quick: bool,
    benches: Vec<Measured>,
    rows: Vec<Stored>,
}

impl Report {
    /// The report that `folder` keeps; an empty one where it keeps none.
    ///
    /// Benches and implementations that there are no more are left out.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not a summary.
    pub(in crate::bench) fn load(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.with_context(|| path.display().to_string())?,
        };
        let summary: Summary = serde_json::from_str(&text).map_err(|error| {
            anyhow!("{}: not a summary of benchmarks ({error}): move it away", path.display())
        })?;
        let mut report = Self { quick: summary.quick, sections: Vec::new() };
        for Measured { bench, provenance } in summary.benches {
            let rows = summary.rows.iter().filter(|row| row.bench == bench);
            let rows: Vec<Row> = rows.filter_map(Stored::row).collect();
            if let Some(bench) = BENCHES.iter().find(|of| of.name == bench) {
                report.sections.push(Section { provenance, bench, rows });
            }
        }
        Ok(report)
    }

    /// Everything as JSON, a line for each row.
    pub(in crate::bench) fn json(&self) -> serde_json::Result<String> {
        let measured = |section: &Section| {
            let (bench, provenance) = (section.bench.name.to_owned(), section.provenance.clone());
            serde_json::to_value(Measured { bench, provenance })
        };
        let benches: Vec<Value> =
            self.sections.iter().map(measured).collect::<serde_json::Result<_>>()?;
        let rows: Vec<Value> =
            self.sections.iter().flat_map(|section| &section.rows).map(Row::json).collect();
        let mut text = String::from("{\n");
        for (key, value) in [
            ("quick", json!(self.quick)),
            ("pass", json!(self.pass())),
            ("benches", Value::Array(benches)),
            ("rows", Value::Array(rows)),
            ("ratios", serde_json::to_value(self.compared())?),
        ] {
            let value = match &value {
                Value::Array(lines) if !lines.is_empty() => {
                    let lines: Vec<String> =
                        lines.iter().map(|line| format!("    {line}")).collect();
                    format!("[\n{}\n  ]", lines.join(",\n"))
                }
                value => value.to_string(),
            };
            let comma = if key == "ratios" { "" } else { "," };
            writeln!(text, "  \"{key}\": {value}{comma}").expect("a string takes it");
        }
        Ok(text + "}\n")
    }
}

impl Row {
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
        fields.insert("samples".to_owned(), json!(self.samples));
        if !self.shortfalls.is_empty() {
            fields.insert("note".to_owned(), self.note().into());
            fields.insert("shortfalls".to_owned(), json!(self.shortfalls));
        }
        Value::Object(fields)
    }
}

impl Stored {
    fn row(&self) -> Option<Row> {
        Some(Row {
            bench: BENCHES.iter().find(|of| of.name == self.bench)?,
            implementation: IMPLEMENTATIONS.iter().find(|of| of.name == self.implementation)?,
            samples: self.samples.clone(),
            shortfalls: self.shortfalls.clone(),
        })
    }
}
