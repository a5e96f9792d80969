//! `results/README.md`: published claims, the scavenger table and the gallery of plots.
//!
//! The tables are measured, ten seeds for each cell; the gallery lists the folders of the scenarios
//! that are there.

mod claims;
mod files;
mod gallery;
mod markdown;
mod quantity;
mod runs;
mod scavenger;

use crate::pool::Engine;
use claims::CLAIMS;
pub(crate) use files::{README, SCENARIOS, differences, scenario_files};
use runs::{Wanted, measure};
use scavenger::{COLUMNS, ROWS};
use std::ops::RangeInclusive;
use std::path::Path;

/// The seeds that every cell of a table is measured with.
const SEEDS: RangeInclusive<u64> = 1..=10;

/// The text of `results/README.md`, measured from the files in `scenarios` and the results of
/// single scenarios in `results`, with `at_once` runs of `engine` side by side.
///
/// # Errors
///
/// A scenario file that the tables need and that is missing or wrong, a run that fails, a results
/// folder that cannot be read.
pub(crate) fn readme(
    scenarios: &Path,
    results: &Path,
    at_once: usize,
    engine: &impl Engine,
) -> anyhow::Result<String> {
    let wanted = wanted();
    let values = measure(scenarios, &wanted, SEEDS, at_once, engine)?;
    let (of_claims, of_rows) = values.split_at(wanted.len() - ROWS.len() * COLUMNS.len());
    let gallery = gallery::gallery(scenarios, results)?;
    Ok(format!(
        "{HEAD}\n{SCAVENGER}\n{}\n{PUBLISHED}\n{}\n{GALLERY}\n{gallery}",
        markdown::scavenger(of_rows),
        markdown::claims(of_claims),
    ))
}

/// Every cell: of the claims first, then of the rows.
fn wanted() -> Vec<Wanted> {
    let of_claims = CLAIMS.iter().flat_map(|claim| claim.cells).map(|cell| Wanted {
        place: (cell.scenario, cell.variant, cell.point),
        quantity: cell.quantity,
    });
    let of_rows = ROWS.iter().flat_map(|row| {
        COLUMNS.map(|(variant, _)| Wanted {
            place: (row.scenario, variant, row.point),
            quantity: row.quantity,
        })
    });
    of_claims.chain(of_rows).collect()
}

const HEAD: &str = "\
# Results

`cargo xtask results` makes this page and everything in `scenarios/` from the scenario files, the
same bytes on every machine; `cargo xtask results --check` makes it again and compares. What is
measured on real sockets depends on the machine, which its files name together with commit, date and
command:

| folder | made by | what it shows |
|---|---|---|
| [interop](interop/matrix.md) | `cargo xtask interop` | transfers of ours and libutp |
| [bench](bench/table.md) | `cargo xtask bench` | speed, latency and memory beside other stacks |

The folder of a scenario has:

- `report.html`: all of what follows on one page, with the text of the scenario and the command that
  runs it; it needs no network;
- `summary.json`: seed, hash of the packet trace, figures of every link and flow, and each
  expectation with its value;
- `timeseries.csv`: a row for every 100 ms, or a multiple of that where there are many flows;
- `delay.svg` and `throughput.svg`: the same over time;
- `window.svg`: the congestion windows, and the delays that the controllers see;
- for a sweep, `sweep.json`, `sweep.csv` with a row for every run and metric, and `sweep.svg` with
  each metric against what is swept, in place of all but the report.
";

const SCAVENGER: &str = "\
## What a scavenger should do

Each cell is the median over ten seeds, with the range where the runs differ. The columns are laws
of `utp-ledbat`: `utp` is the default, libutp's law with all guards; the strict forms are the laws
as they were published and deployed, without guards. Delays are those of the bottleneck's queue,
never a controller's own estimate. A row is measured in the scenario named at its end.
";

const PUBLISHED: &str = "\
## What others have published

What is expected comes from other models of the same laws; where ours differs, the scenario file
says why.
";

const GALLERY: &str = "\
## Gallery

Every scenario with its plots. The command that makes them again, `cargo xtask simulate FILE`, is
with its tables in the report.
";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::fmt::Write as _;
    use std::fs;

    /// Writes files of the names, variants and points that the tables need, with next to nothing
    /// in them, and returns how many there are.
    pub(crate) fn write_small_scenarios(folder: &Path) -> usize {
        let mut files: BTreeMap<_, (BTreeSet<_>, BTreeMap<_, BTreeSet<_>>)> = BTreeMap::new();
        for Wanted { place: (name, variant, point), .. } in wanted() {
            let (variants, axes) = files.entry(name).or_default();
            variants.insert(variant);
            if let Some((key, value)) = point {
                axes.entry(key).or_default().insert(value);
            }
        }
        for (name, (variants, axes)) in &files {
            let mut text = SMALL.to_owned();
            for (key, values) in axes {
                let values = Vec::from_iter(values);
                let _written = writeln!(text, "[sweep]\n\"{key}\" = {values:?}");
            }
            for variant in variants.iter().filter(|variant| **variant != "default") {
                let _written =
                    writeln!(text, "[variant.{variant}.link.bottleneck]\nrate = \"2mbit\"");
            }
            fs::write(folder.join(format!("{name}.toml")), text).expect("writable");
        }
        files.len()
    }

    const SMALL: &str = r#"
summary  = "Next to nothing."
duration = "300ms"
engine   = "event"
[link.bottleneck]
rate  = "1mbit"
delay = "5ms"
queue = { kind = "droptail", bytes_max = "10kB" }
[[flow]]
name = "call"
kind = "cbr"
via  = "bottleneck"
rate = "64kbit"
[[expect]]
metric = "flows.call.goodput_mbps"
min    = 0.01
"#;
}
