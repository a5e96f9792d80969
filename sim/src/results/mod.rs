//! `results/README.md`: published claims, the scavenger table and the gallery of plots.
//!
//! The tables are measured, ten seeds for each cell; the gallery lists the folders of the scenarios
//! that are there.

mod claims;
mod gallery;
mod markdown;
mod quantity;
mod runs;
mod scavenger;

use claims::CLAIMS;
use runs::{Wanted, measure};
use scavenger::{COLUMNS, ROWS};
use std::ops::RangeInclusive;
use std::path::Path;

/// The seeds that every cell of a table is measured with.
pub const SEEDS: RangeInclusive<u64> = 1..=10;

/// The text of `results/README.md`, measured from the files in `scenarios` and the results of
/// single scenarios in `results`.
///
/// # Errors
///
/// A scenario file that the tables need and that is missing or wrong, a run that fails, a results
/// folder that cannot be read.
pub fn readme(scenarios: &Path, results: &Path) -> anyhow::Result<String> {
    let wanted = wanted();
    let values = measure(scenarios, &wanted, SEEDS)?;
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

Everything here is made by `cargo xtask results` from the files in `scenarios/`, the same bytes on
every machine; `cargo xtask results --check` proves it. Measured results, which differ from machine
to machine, are in `bench/` and `interop/`.
";

const SCAVENGER: &str = "\
## What a scavenger should do

Each cell is the median over ten seeds, with the range where the runs differ. The columns are laws of
`utp-ledbat`: `utp` is the default, libutp's law with all guards; the strict forms are the laws as
they were published and deployed, without guards. Delays are those of the bottleneck's queue, never
a controller's own estimate. A row is measured in the scenario named at its end.
";

const PUBLISHED: &str = "\
## What others have published

What is expected comes from other models of the same laws; where ours differs, the scenario file
says why.
";

const GALLERY: &str = "\
## Gallery

Every scenario with its plots; `report.html` in its folder has them with the tables and the command
that reproduces them.
";
