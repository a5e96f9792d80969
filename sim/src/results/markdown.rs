//! The tables as Markdown: the median over all seeds, and the range where there is one.

use super::claims::{CLAIMS, Claim};
use super::runs::Values;
use super::scavenger::{COLUMNS, ROWS, Row};
use std::fmt::Write as _;

/// The table of the published claims; `values` has one entry per cell of all claims.
pub(super) fn claims(values: &[Values]) -> String {
    let mut text = String::from(
        "| | source | reported | expected | here | not reproduced |\n|---|---|---|---|---|---|\n",
    );
    let mut values = values.iter();
    for Claim { id, source, reported, expected, missing, cells } in &CLAIMS {
        let here: Vec<_> = cells
            .iter()
            .zip(values.by_ref())
            .map(|(cell, of)| format!("{} {}", cell.label, shown(of, 1.0, cell.decimals)))
            .collect();
        let here = if here.is_empty() { "nothing".to_owned() } else { here.join("; ") };
        let _written =
            writeln!(text, "| {id} | {source} | {reported} | {expected} | {here} | {missing} |");
    }
    text
}

/// The scavenger table; `values` has one entry per column of each row.
pub(super) fn scavenger(values: &[Values]) -> String {
    let mut text = String::from("| |");
    for (_, law) in COLUMNS {
        let _written = write!(text, " {law} |");
    }
    text.push_str(" scenario |\n|---|");
    text.push_str(&"---|".repeat(COLUMNS.len() + 1));
    text.push('\n');
    for (Row { label, scenario, decimals, scale, .. }, of) in
        ROWS.iter().zip(values.chunks(COLUMNS.len()))
    {
        let _written = write!(text, "| {label} |");
        for values in of {
            let _written = write!(text, " {} |", shown(values, *scale, *decimals));
        }
        let _written = writeln!(text, " {scenario} |");
    }
    text
}

/// `median (least to most)`, or the median alone where all agree in what is shown.
fn shown(values: &Values, scale: f64, decimals: usize) -> String {
    let mut measured: Vec<f64> = values.iter().flatten().map(|value| value * scale).collect();
    if measured.len() < values.len() || measured.is_empty() {
        return match measured.len() {
            0 => "never".to_owned(),
            some => format!("{some} of {} runs", values.len()),
        };
    }
    measured.sort_by(f64::total_cmp);
    let form = |value: f64| format!("{value:.decimals$}");
    let median = form(median(&measured));
    let (least, most) = (form(measured[0]), form(measured[measured.len() - 1]));
    match least == most {
        true => median,
        false => format!("{median} ({least} to {most})"),
    }
}

/// Of sorted values, at least one.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_shows_the_median_and_the_range() {
        let values = vec![Some(0.5), Some(0.25), Some(1.0)];
        assert_eq!(shown(&values, 100.0, 1), "50.0 (25.0 to 100.0)");
        assert_eq!(shown(&vec![Some(1.0), Some(2.0)], 1.0, 1), "1.5 (1.0 to 2.0)");
    }

    #[test]
    fn equal_values_are_shown_once() {
        assert_eq!(shown(&vec![Some(1.001), Some(1.002)], 1.0, 2), "1.00");
    }

    #[test]
    fn what_was_not_measured_in_every_run_says_so() {
        assert_eq!(shown(&vec![None, Some(1.0)], 1.0, 2), "1 of 2 runs");
        assert_eq!(shown(&vec![None, None], 1.0, 2), "never");
    }

    #[test]
    fn the_tables_have_a_line_for_each_claim_and_row() {
        let cells: usize = CLAIMS.iter().map(|claim| claim.cells.len()).sum();
        let text = claims(&vec![vec![Some(1.0)]; cells]);
        assert_eq!(text.lines().count(), 2 + CLAIMS.len());
        let text = scavenger(&vec![vec![Some(1.0)]; ROWS.len() * COLUMNS.len()]);
        assert_eq!(text.lines().count(), 2 + ROWS.len());
        assert!(text.lines().all(|line| line.matches('|').count() == COLUMNS.len() + 3));
    }
}
