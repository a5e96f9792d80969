//! The plots of a scenario: what is drawn. How it is drawn is in `figure.rs`.

mod figure;
mod style;

use super::{Report, series};
use crate::metrics::View;
use crate::record::BUCKET;
use crate::scenario::{FlowKind, Scenario};
use crate::time::Ns;
use figure::{Figure, Mark, Panel, Span};

/// `delay.svg`: the queue of every link that carries data, and the delay of every call. Variants
/// are drawn over each other.
///
/// # Errors
///
/// None in practice: the drawing goes to memory.
pub fn delay(report: Report<'_>) -> anyhow::Result<String> {
    let step = step(report, BUCKET);
    let spans = base_spans(report);
    let mut queues = Panel::new("Time in queue, ms", spans.clone());
    let mut calls = Panel::new("One-way delay, ms", spans);
    for view in report.views() {
        for (index, link) in view.scenario.links.iter().enumerate() {
            if view.scenario.flows.iter().any(|flow| flow.via.contains(&index)) {
                let label = label(report, view.scenario, &format!("{} queue", link.name));
                queues.add(label, &series::queue_delay_ms(view, index, step), step);
            }
        }
        for (flow, record) in view.scenario.flows.iter().zip(&view.record.flows) {
            if matches!(flow.kind, FlowKind::Cbr { .. }) {
                let delays = series::sampled_ms(view, &record.one_way_delay_us, step);
                let label = label(report, view.scenario, &format!("{} packets", flow.name));
                calls.add(label, &delays, step);
            }
        }
    }
    if report.views().any(|view| has_utp(view.scenario)) {
        let label = ["uTP target".to_owned(), format!("{TARGET_MS} ms")];
        queues.marks.push(Mark { label, at: TARGET_MS });
    }
    let panels = [queues, calls].into_iter().filter(|panel| !panel.lines.is_empty()).collect();
    figure(report, "delay", step, panels).draw()
}

/// `throughput.svg`: the goodput of every flow, and the rates of the links. Variants are drawn over
/// each other; a call's constant trickle is left out where there is something else to see.
///
/// # Errors
///
/// None in practice: the drawing goes to memory.
pub fn throughput(report: Report<'_>) -> anyhow::Result<String> {
    let step = step(report, GOODPUT_STEP);
    let mut panel = Panel::new("Goodput, Mbit/s", base_spans(report));
    let is_call = |kind: &FlowKind| matches!(kind, FlowKind::Cbr { .. });
    let only_calls =
        report.views().all(|view| view.scenario.flows.iter().all(|flow| is_call(&flow.kind)));
    for view in report.views() {
        for (index, flow) in view.scenario.flows.iter().enumerate() {
            if is_call(&flow.kind) && !only_calls {
                continue;
            }
            let goodput = until_last_byte(series::goodput_mbps(view, index, step));
            panel.add(label(report, view.scenario, &flow.name), &goodput, step);
            add_rate(&mut panel, view, flow.via[0]);
        }
    }
    // All that waited for a missing packet is delivered in one instant, above any link's rate.
    panel.cap = panel.marks.iter().map(|mark| mark.at * 1.3).reduce(f64::max);
    let mut figure = figure(report, "throughput", step, vec![panel]);
    if figure.panels.iter().any(Panel::is_cut_off) {
        let note =
            "Peaks cut off at the top: data that waited for a missing packet is delivered at once.";
        figure.footer.push(note.to_owned());
    }
    figure.draw()
}

/// The rate of a link as a line, once for every rate.
fn add_rate(panel: &mut Panel, view: View<'_>, link: usize) {
    let link = &view.scenario.links[link];
    let Some(rate_bps) = link.config.rate.bps() else { return };
    let at = rate_bps as f64 / 1e6;
    if panel.marks.iter().all(|mark| mark.at != at) {
        let label = [format!("{} rate", link.name), format!("{at} Mbit/s")];
        panel.marks.push(Mark { label, at });
    }
}

fn figure(report: Report<'_>, what: &str, step: Ns, panels: Vec<Panel>) -> Figure {
    let file = report.file;
    let means = Ns::as_secs_f64(step) * 1e3;
    Figure {
        title: format!("{}: {what}", file.name),
        subtitle: file.summary.clone(),
        footer: vec![format!(
            "Means of {means} ms. Seed {}, {} engine, utp-sim {}, scenario {}.",
            file.variants[0].seed,
            file.engine().name(),
            env!("CARGO_PKG_VERSION"),
            file.digest,
        )],
        end_s: duration(report).as_secs_f64(),
        panels,
    }
}

/// The spans of the base: the phases are those of all variants, the flows its own.
fn base_spans(report: Report<'_>) -> Vec<Span> {
    let suffix = if report.file.variants.len() > 1 { " (default)" } else { "" };
    spans(report, &report.file.variants[0], suffix)
}

/// Spans to shade: the phases of the file, and the flows of a variant that do not run all the time.
fn spans(report: Report<'_>, scenario: &Scenario, flow_suffix: &str) -> Vec<Span> {
    let end = duration(report);
    let phases = scenario.phases.iter().map(|phase| (phase.name.clone(), phase.from, phase.to));
    let flows = scenario.flows.iter().enumerate().filter_map(|(index, flow)| {
        let start = scenario.start_of(index);
        let stop = flow.stop.unwrap_or(end).min(end);
        let comes_or_goes = start > Ns::ZERO || stop < end;
        comes_or_goes.then(|| (format!("{} sends{flow_suffix}", flow.name), start, stop))
    });
    let inside = phases.chain(flows).filter(|(_, from, _)| *from < end);
    inside
        .map(|(label, from, to)| Span {
            label,
            from_s: from.as_secs_f64(),
            to_s: to.min(end).as_secs_f64(),
        })
        .collect()
}

/// The longest of the runs.
fn duration(report: Report<'_>) -> Ns {
    report.records.iter().map(|record| record.duration).max().unwrap_or(BUCKET).max(BUCKET)
}

/// The smallest multiple of `least` that keeps a line within [`POINTS_MAX`].
fn step(report: Report<'_>, least: Ns) -> Ns {
    Ns(least.0 * duration(report).0.div_ceil(least.0 * POINTS_MAX).max(1))
}

fn has_utp(scenario: &Scenario) -> bool {
    scenario.flows.iter().any(|flow| matches!(flow.kind, FlowKind::Utp { .. }))
}

/// What the legend calls a line where variants are drawn over each other.
fn label(report: Report<'_>, scenario: &Scenario, what: &str) -> String {
    match report.file.variants.len() {
        1 => what.to_owned(),
        _ => format!("{what}, {}", scenario.variant),
    }
}

/// Ends a line one step after the last byte, so that a flow that is over is not drawn as zero.
fn until_last_byte(mut goodput: series::Series) -> series::Series {
    let last = goodput.iter().rposition(|mbps| mbps.is_some_and(|mbps| mbps > 0.0));
    goodput.truncate(last.map_or(0, |last| last + 2));
    goodput
}

/// Queueing delay that LEDBAT steers for by default in libutp.
const TARGET_MS: f64 = 100.0;

/// Goodput over less is dominated by single packets.
const GOODPUT_STEP: Ns = Ns::from_millis(500);

/// Points of a line at the most; more would not be seen.
const POINTS_MAX: u64 = 2_000;
