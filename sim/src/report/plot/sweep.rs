//! `sweep.svg`: metrics against the swept key, a line for each variant with its range over seeds.

use super::figure::{Axis, Figure, Group, Line, Look, Panel};
use super::overlay::OVERLAID_MAX;
use crate::report::{Alike, Measured, Spread, Sweep};

/// The plot of a sweep. With several swept keys, the one with the most values is the axis and each
/// combination of the others has a panel or a line of its own.
///
/// # Errors
///
/// None in practice: the drawing goes to memory.
pub fn sweep(sweep: Sweep<'_>) -> anyhow::Result<String> {
    let groups = Alike::groups(sweep.runs);
    let axis = main_key(sweep.runs);
    let values = values_of(sweep.runs, axis);
    let seeds = groups.iter().map(|alike| alike.runs.len()).max().unwrap_or(0);
    let panels = interesting(sweep.runs).into_iter().filter_map(|metric| {
        let lines = lines(&groups, axis, &values, &metric);
        let mut group = Group::new(metric);
        group.panels = arranged(lines);
        (!group.panels.is_empty()).then_some(group)
    });
    let mut panels: Vec<Group> = panels.collect();
    let labels = |group: &Group| -> Vec<String> {
        let lines = group.panels.iter().flat_map(|panel| &panel.lines);
        lines.map(|line| line.label.clone()).collect()
    };
    if let Some((first, others)) = panels.split_first_mut() {
        // The same legend above every group would say nothing.
        let explained = labels(first);
        others.iter_mut().for_each(|group| group.explained = labels(group) != explained);
    }
    let key = sweep.keys().get(axis).map_or("run", |key| *key).to_owned();
    let range = if seeds > 1 { "Lines are medians, areas the range over the seeds. " } else { "" };
    Figure {
        title: format!("{}: sweep of {key}", sweep.name),
        subtitle: sweep.summary.to_owned(),
        footer: vec![format!(
            "{range}{seeds} {}, {} engine, utp-sim {}, scenario {}.",
            if seeds == 1 { "seed" } else { "seeds" },
            sweep.engine,
            env!("CARGO_PKG_VERSION"),
            sweep.digest,
        )],
        axis: Axis {
            label: key,
            from: 0.5,
            to: values.len().max(1) as f64 + 0.5,
            names: values.clone(),
        },
        groups: panels,
    }
    .draw()
}

/// A line that has not been given its look.
struct Drawn {
    variant: String,
    /// The values of the swept keys that are not the axis.
    others: String,
    points: Vec<(f64, Spread)>,
}

fn lines(groups: &[Alike<'_>], axis: usize, values: &[String], metric: &str) -> Vec<Drawn> {
    let mut lines: Vec<Drawn> = Vec::new();
    for alike in groups {
        let first = alike.first();
        let Some(spread) = alike.metrics().get(metric).copied() else { continue };
        let value = first.point.get(axis).map_or("", |(_, value)| value);
        let Some(index) = values.iter().position(|known| known == value) else { continue };
        let others = first.point.iter().enumerate().filter(|(key, _)| *key != axis);
        let others: Vec<_> = others.map(|(_, (key, value))| format!("{key} = {value}")).collect();
        let others = others.join(", ");
        let at = (index as f64 + 1.0, spread);
        match lines.iter_mut().find(|line| line.variant == first.variant && line.others == others) {
            Some(line) => line.points.push(at),
            None => lines.push(Drawn { variant: first.variant.clone(), others, points: vec![at] }),
        }
    }
    lines
}

/// In one panel while that can be read, else in one for each value of the other keys.
fn arranged(lines: Vec<Drawn>) -> Vec<Panel> {
    let apart = lines.len() > OVERLAID_MAX && lines.iter().any(|line| !line.others.is_empty());
    let mut variants: Vec<String> = Vec::new();
    let mut panels: Vec<Panel> = Vec::new();
    for (index, drawn) in lines.into_iter().enumerate() {
        let style = match apart {
            false => index,
            true => {
                variants.iter().position(|known| *known == drawn.variant).unwrap_or_else(|| {
                    variants.push(drawn.variant.clone());
                    variants.len() - 1
                })
            }
        };
        let label = match apart || drawn.others.is_empty() {
            true => drawn.variant.clone(),
            false => format!("{}, {}", drawn.variant, drawn.others),
        };
        let title = if apart { drawn.others.clone() } else { String::new() };
        let line = Line {
            label,
            look: Look::line(style),
            pieces: vec![drawn.points.iter().map(|(x, spread)| (*x, spread.median)).collect()],
            range: drawn.points.iter().map(|(x, spread)| (*x, spread.min, spread.max)).collect(),
        };
        match panels.iter_mut().find(|panel| panel.title == title) {
            Some(panel) => panel.lines.push(line),
            None => panels.push(Panel { title, lines: vec![line], ..Panel::default() }),
        }
    }
    panels
}

/// The swept key with the most values, the first of several.
fn main_key(runs: &[Measured]) -> usize {
    let keys = runs.first().map_or(0, |run| run.point.len());
    let counts = (0..keys).map(|key| (values_of(runs, key).len(), key));
    counts.max_by_key(|(count, key)| (*count, usize::MAX - key)).map_or(0, |(_, key)| key)
}

/// The values of a swept key in the order of the file.
fn values_of(runs: &[Measured], key: usize) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for (_, value) in runs.iter().filter_map(|run| run.point.get(key)) {
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    values
}

/// What is expected, and then what is most often asked for, as long as it is not always the same.
fn interesting(runs: &[Measured]) -> Vec<String> {
    let expected = runs.iter().flat_map(|run| &run.expectations).map(|e| &e.metric);
    let names = runs.iter().flat_map(|run| run.metrics.keys());
    let asked = |name: &&String| ASKED_FOR.iter().any(|end| name.ends_with(end));
    let mut metrics: Vec<String> = Vec::new();
    for name in expected.chain(names.filter(asked)) {
        let mut values = runs.iter().filter_map(|run| run.metrics.get(name));
        let first = values.next();
        let varies = first.is_some_and(|first| values.any(|value| value != first));
        if varies && !metrics.contains(name) && metrics.len() < METRICS_MAX {
            metrics.push(name.clone());
        }
    }
    metrics
}

const ASKED_FOR: [&str; 9] = [
    "jain",
    ".utilisation",
    ".queue_delay_ms.p50",
    ".queue_delay_ms.p95",
    ".goodput_mbps",
    ".one_way_delay_ms.p95",
    ".response_ms.p95",
    ".completed_s",
    ".retransmissions",
];

/// More panels would be a book.
const METRICS_MAX: usize = 10;
