//! `timeseries.csv`: one row per 100 ms or, of very many columns, a multiple of that; a column per
//! variant, link or flow, and quantity.

use super::{Report, series};
use crate::metrics::View;
use crate::record::BUCKET;
use crate::scenario::FlowKind;
use crate::time::Ns;
use std::fmt::Write as _;

/// The text of `timeseries.csv`.
///
/// `time_s` is the start of the row's time; delays are means over it, windows the last sample, and
/// a cell is empty where nothing was measured.
///
/// It has rows for 100 ms as long as it is then about `bytes_max` long at the most.
pub fn timeseries(report: Report<'_>, bytes_max: usize) -> String {
    let mut columns: Vec<_> = report.views().flat_map(|view| columns_of(view, BUCKET)).collect();
    let rows = |columns: &[Column]| columns.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    let tenths =
        (rows(&columns) * columns.len()).div_ceil(bytes_max.max(BYTES_MIN) / CELL_BYTES).max(1);
    if tenths > 1 {
        let step = Ns(BUCKET.0 * tenths as u64);
        columns = report.views().flat_map(|view| columns_of(view, step)).collect();
    }
    let rows = rows(&columns);
    let mut text = String::from("time_s");
    for (name, _) in &columns {
        text.push(',');
        text.push_str(name);
    }
    text.push('\n');
    for row in 0..rows {
        let tenths = row * tenths;
        write!(text, "{}.{}", tenths / 10, tenths % 10).expect("a string takes all");
        for (_, cells) in &columns {
            text.push(',');
            text.push_str(cells.get(row).map_or("", |cell| cell));
        }
        text.push('\n');
    }
    text
}

/// What a cell takes on average.
const CELL_BYTES: usize = 8;

/// A file that may have less would say nothing.
const BYTES_MIN: usize = 30_000;

type Column = (String, Vec<String>);

fn columns_of(view: View<'_>, step: Ns) -> Vec<Column> {
    let variant = &view.scenario.variant;
    let mut columns = Vec::new();
    for (index, link) in view.scenario.links.iter().enumerate() {
        let mut add = |name: &str, cells| {
            columns.push((format!("{variant}.links.{}.{name}", link.name), cells));
        };
        add("queue_delay_ms", fixed(&series::queue_delay_ms(view, index, step), 3));
        if link.config.rate.bps().is_some() {
            add("utilisation", fixed(&series::utilisation(view, index, step), 4));
        }
    }
    for (index, flow) in view.scenario.flows.iter().enumerate() {
        let Some(record) = view.record.flows.get(index) else { continue };
        let mut add = |name: &str, cells| {
            columns.push((format!("{variant}.flows.{}.{name}", flow.name), cells));
        };
        add("goodput_mbps", fixed(&series::goodput_mbps(view, index, step), 3));
        if matches!(flow.kind, FlowKind::Cbr { .. } | FlowKind::OnOff { .. }) {
            let delays = series::sampled_ms(view, &record.one_way_delay_us, step);
            add("one_way_delay_ms", fixed(&delays, 3));
            continue;
        }
        add("rtt_ms", fixed(&series::sampled_ms(view, &record.rtt_us, step), 3));
        let windows = series::last_sample(view, &record.window_bytes, step);
        let cell = |bytes: &Option<u64>| bytes.map_or_else(String::new, |bytes| bytes.to_string());
        add("window_bytes", windows.iter().map(cell).collect());
    }
    columns
}

fn fixed(values: &series::Series, decimals: usize) -> Vec<String> {
    let cell = |value: &Option<f64>| value.map_or_else(String::new, |v| format!("{v:.decimals$}"));
    values.iter().map(cell).collect()
}
