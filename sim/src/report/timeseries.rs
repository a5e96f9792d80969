//! `timeseries.csv`: one row per 100 ms, a column per variant, link or flow, and quantity.

use super::{Report, series};
use crate::metrics::View;
use crate::record::BUCKET;
use crate::scenario::FlowKind;
use std::fmt::Write as _;

/// The text of `timeseries.csv`.
///
/// `time_s` is the start of the row's 100 ms; delays are means over them, windows the last sample,
/// and a cell is empty where nothing was measured.
pub fn timeseries(report: Report<'_>) -> String {
    let columns: Vec<_> = report.views().flat_map(columns_of).collect();
    let rows = columns.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    let mut text = String::from("time_s");
    for (name, _) in &columns {
        text.push(',');
        text.push_str(name);
    }
    text.push('\n');
    for row in 0..rows {
        // Tenths of a second, since a row is 100 ms.
        write!(text, "{}.{}", row / 10, row % 10).expect("a string takes all");
        for (_, cells) in &columns {
            text.push(',');
            text.push_str(cells.get(row).map_or("", |cell| cell));
        }
        text.push('\n');
    }
    text
}

type Column = (String, Vec<String>);

fn columns_of(view: View<'_>) -> Vec<Column> {
    let variant = &view.scenario.variant;
    let mut columns = Vec::new();
    for (index, link) in view.scenario.links.iter().enumerate() {
        let mut add = |name: &str, cells| {
            columns.push((format!("{variant}.links.{}.{name}", link.name), cells));
        };
        add("queue_delay_ms", fixed(&series::queue_delay_ms(view, index, BUCKET), 3));
        if link.config.rate.bps().is_some() {
            add("utilisation", fixed(&series::utilisation(view, index, BUCKET), 4));
        }
    }
    for (index, flow) in view.scenario.flows.iter().enumerate() {
        let Some(record) = view.record.flows.get(index) else { continue };
        let mut add = |name: &str, cells| {
            columns.push((format!("{variant}.flows.{}.{name}", flow.name), cells));
        };
        add("goodput_mbps", fixed(&series::goodput_mbps(view, index, BUCKET), 3));
        if matches!(flow.kind, FlowKind::Cbr { .. }) {
            let delays = series::sampled_ms(view, &record.one_way_delay_us, BUCKET);
            add("one_way_delay_ms", fixed(&delays, 3));
            continue;
        }
        add("rtt_ms", fixed(&series::sampled_ms(view, &record.rtt_us, BUCKET), 3));
        let windows = series::last_sample(view, &record.window_bytes, BUCKET);
        let cell = |bytes: &Option<u64>| bytes.map_or_else(String::new, |bytes| bytes.to_string());
        add("window_bytes", windows.iter().map(cell).collect());
    }
    columns
}

fn fixed(values: &series::Series, decimals: usize) -> Vec<String> {
    let cell = |value: &Option<f64>| value.map_or_else(String::new, |v| format!("{v:.decimals$}"));
    values.iter().map(cell).collect()
}
