//! The plots of a scenario: what is drawn. How it is drawn is in `figure.rs` and `chart.rs`.

mod chart;
mod compact;
mod figure;
mod members;
mod overlay;
mod rates;
mod story;
mod style;
mod sweep;
mod text;

pub(super) use compact::escape;
pub use sweep::sweep;

use super::{Report, series};
use crate::metrics::View;
use crate::record::{BUCKET, FlowRecord};
use crate::scenario::{FlowKind, Scenario};
use crate::time::Ns;
use figure::{Axis, Figure, Group, Mark};
use members::{Member, members};
use overlay::{Drawing, Form, arrange};
use series::Series;

/// `delay.svg`: the queue of every link that has one, the delay of every call and the response time
/// of every conversation.
///
/// # Errors
///
/// None in practice: the drawing goes to memory.
pub fn delay(report: Report<'_>) -> anyhow::Result<String> {
    let queued = |view: View<'_>| -> Vec<usize> {
        let links = 0..view.scenario.links.len();
        links.filter(|&link| has_queue(report, view, link)).collect()
    };
    let is_call = |kind: &FlowKind| matches!(kind, FlowKind::Cbr { .. } | FlowKind::OnOff { .. });
    let asks = |kind: &FlowKind| matches!(kind, FlowKind::RequestResponse { .. });
    let lines = report.views().map(|view| queued(view).len()).sum();
    let step = step(report, BUCKET, lines);
    let queues = report.views().map(|view| {
        let named = queued(view).into_iter().map(|link| {
            let name = format!("{} queue", view.scenario.links[link].name);
            (name, series::queue_delay_ms(view, link, step))
        });
        Drawing { view, series: named.collect(), marks: targets(view.scenario) }
    });
    let calls = per_flow(report, is_call, |view, member| {
        let samples = &view.record.flows.get(member.first())?.one_way_delay_us;
        Some((format!("{} packets", member.first_name), series::sampled_ms(view, samples, step)))
    });
    let answers = per_flow(report, asks, |view, member| {
        let samples = &view.record.flows.get(member.first())?.response_us;
        let answers = series::joined(series::sampled_ms(view, samples, step));
        Some((member.first_name.clone(), answers))
    });
    let mut answers = arrange(report, "Response time, ms", answers, Form::Lines, step);
    // An answer that waits for a time-out takes ten times as long as the others.
    let highest = answers.as_mut().and_then(Group::cap_outliers);
    let groups = [
        arrange(report, "Queueing delay, ms", queues.collect(), Form::Lines, step),
        arrange(report, "One-way delay, ms", calls, Form::Lines, step),
        answers,
    ];
    let mut figure = figure(report, "delay", step, groups.into_iter().flatten().collect());
    let note =
        |ms: f64| format!("Response times are cut off at the top; the highest is {ms:.0} ms.");
    figure.footer.extend(highest.map(note));
    figure.draw()
}

/// `throughput.svg`: the goodput of every flow, and the rates of the links. Many flows are stacked;
/// a call's constant trickle is left out where there is something else to see.
///
/// # Errors
///
/// None in practice: the drawing goes to memory.
pub fn throughput(report: Report<'_>) -> anyhow::Result<String> {
    let is_call = |kind: &FlowKind| matches!(kind, FlowKind::Cbr { .. });
    let only_calls =
        report.views().all(|view| view.scenario.flows.iter().all(|flow| is_call(&flow.kind)));
    let shown = |kind: &FlowKind| only_calls || !is_call(kind);
    let counts = || report.views().map(|view| members(view.scenario, shown).len());
    let least = if duration(report) < SHORT { BUCKET } else { GOODPUT_STEP };
    let step = step(report, least, counts().sum());
    let form = match counts().max() {
        Some(flows) if flows > STACKED_MIN => Form::Stack,
        _ => Form::Lines,
    };
    let mut drawings = per_flow(report, shown, |view, member| {
        let flows = member.flows.iter().map(|&flow| series::goodput_mbps(view, flow, step));
        Some((member.name.clone(), until_last_byte(flows.reduce(added)?)))
    });
    for drawing in &mut drawings {
        drawing.marks = rates::constant(drawing.view.scenario);
    }
    let mut group = arrange(report, "Goodput, Mbit/s", drawings, form, step);
    let mut note = None;
    if let Some(group) = &mut group {
        // All that waited for a missing packet is delivered in one instant, above any link's rate.
        let highest = report.views().filter_map(|view| rates::highest_mbps(view.scenario));
        group.cap = highest.reduce(f64::max).map(|rate| rate * 1.3);
        rates::add_varying(group, report);
        note = group.is_cut_off().then_some(
            "Peaks cut off at the top: data that waited for a missing packet is delivered at once.",
        );
    }
    let mut figure = figure(report, "throughput", step, group.into_iter().collect());
    figure.footer.extend(note.map(str::to_owned));
    figure.draw()
}

/// `window.svg`: the congestion window of every flow that has one, and what its controller takes
/// for the delay of the queue and of the empty path. `None` when no flow has a window.
///
/// # Errors
///
/// None in practice: the drawing goes to memory.
pub fn window(report: Report<'_>) -> anyhow::Result<Option<String>> {
    let windowed = |record: &FlowRecord| !record.window_bytes.is_empty();
    if !report.views().any(|view| view.record.flows.iter().any(windowed)) {
        return Ok(None);
    }
    let any = |_: &FlowKind| true;
    let counts = report.views().map(|view| {
        let flows = members(view.scenario, any);
        let of = |member: &Member| view.record.flows.get(member.first());
        flows.iter().filter_map(of).filter(|record| windowed(record)).count()
    });
    let step = step(report, BUCKET, counts.sum());
    let of = |make: &dyn Fn(View<'_>, &FlowRecord) -> Series| {
        per_flow(report, any, |view, member| {
            let record = view.record.flows.get(member.first())?;
            // One without a base delay has an empty series, so that colours stay what they are.
            windowed(record).then(|| (member.first_name.clone(), make(view, record)))
        })
    };
    let windows = of(&|view, record| {
        let last = series::last_sample(view, &record.window_bytes, step);
        last.into_iter().map(|bytes| bytes.map(|bytes| bytes as f64 / 1e3)).collect()
    });
    let mut queueing = of(&|view, record| series::sampled_ms(view, &record.queuing_delay_us, step));
    for drawing in &mut queueing {
        drawing.marks = targets(drawing.view.scenario);
    }
    let base = of(&|view, record| series::signed_ms(view, &record.base_delay_us, step));
    let groups = [
        arrange(report, "Congestion window, kB", windows, Form::Lines, step),
        arrange(report, "Queueing delay it sees, ms", queueing, Form::Lines, step),
        arrange(report, "Base delay it sees, ms", base, Form::Lines, step),
    ];
    figure(report, "window", step, groups.into_iter().flatten().collect()).draw().map(Some)
}

/// One series for each of the shown flows of each variant, or of each group of flows.
fn per_flow<'a>(
    report: Report<'a>,
    shown: impl Fn(&FlowKind) -> bool,
    make: impl Fn(View<'a>, &Member) -> Option<(String, Series)>,
) -> Vec<Drawing<'a>> {
    let drawing = |view: View<'a>| {
        let series = members(view.scenario, &shown).iter().filter_map(|m| make(view, m)).collect();
        Drawing { view, series, marks: Vec::new() }
    };
    report.views().map(drawing).collect()
}

/// Whether the queue of a link is worth a line: all of those that carry data when none has one.
fn has_queue(report: Report<'_>, view: View<'_>, link: usize) -> bool {
    let grows = |view: View<'_>, link: usize| {
        let samples = view.record.links.get(link).map(|link| &*link.queue_delay_us);
        samples.unwrap_or_default().iter().any(|&us| us >= QUEUE_MIN_US)
    };
    let used = || view.scenario.flows.iter().any(|flow| flow.via.contains(&link));
    let any = report.views().any(|view| (0..view.scenario.links.len()).any(|l| grows(view, l)));
    if any { grows(view, link) } else { used() }
}

/// The delays that the controllers of a scenario steer for.
fn targets(scenario: &Scenario) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    for flow in &scenario.flows {
        let FlowKind::Utp(utp) = &flow.kind else { continue };
        let Some(target_us) = utp.controller.factory().target_us() else { continue };
        let at = f64::from(target_us) / 1e3;
        let label = ["uTP target".to_owned(), format!("{} ms", text::plain(at))];
        if marks.iter().all(|mark| mark.at != at) {
            marks.push(Mark { label, at });
        }
    }
    marks
}

fn figure(report: Report<'_>, what: &str, step: Ns, groups: Vec<Group>) -> Figure {
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
        axis: Axis {
            label: "Time, s".to_owned(),
            from: 0.0,
            to: duration(report).as_secs_f64(),
            names: Vec::new(),
        },
        groups,
    }
}

/// What tells the base's flows from those of variants.
fn base_suffix(report: Report<'_>) -> &'static str {
    if several(report) { " (default)" } else { "" }
}

/// Whether there is more than the base scenario.
fn several(report: Report<'_>) -> bool {
    report.file.variants.len() > 1
}

/// The longest of the runs.
fn duration(report: Report<'_>) -> Ns {
    report.records.iter().map(|record| record.duration).max().unwrap_or(BUCKET).max(BUCKET)
}

/// The smallest multiple of `least` that gives each of so many lines as many points as it may have:
/// few lines can be looked at closely, many are small and share what a file has room for.
fn step(report: Report<'_>, least: Ns, lines: usize) -> Ns {
    let points = match lines {
        0..=FEW_LINES => POINTS_MAX,
        _ => (ALL_POINTS_MAX / lines as u64).max(POINTS_MIN),
    };
    Ns(least.0 * duration(report).0.div_ceil(least.0 * points).max(1))
}

/// Sum of two series; nothing where both have nothing.
fn added(first: Series, second: Series) -> Series {
    let sum = |(a, b): (Option<f64>, Option<f64>)| match (a, b) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)),
    };
    first.into_iter().zip(second).map(sum).collect()
}

/// Ends a line one step after the last byte, so that a flow that is over is not drawn as zero.
fn until_last_byte(mut goodput: Series) -> Series {
    let last = goodput.iter().rposition(|mbps| mbps.is_some_and(|mbps| mbps > 0.0));
    goodput.truncate(last.map_or(0, |last| last + 2));
    goodput
}

/// Goodput over less is dominated by single packets.
const GOODPUT_STEP: Ns = Ns::from_millis(500);

/// A run for which that would be too coarse.
const SHORT: Ns = Ns::from_secs(10);

/// With more flows than this, their lines would hide each other.
const STACKED_MIN: usize = 4;

/// A queue that always stays below this is not one to look at.
const QUEUE_MIN_US: u32 = 1_000;

/// Points of a line at the most: about one for each pixel of the plot.
const POINTS_MAX: u64 = 1_300;

/// Lines that may all have so many.
const FEW_LINES: usize = 4;

/// Points of more lines than that together.
const ALL_POINTS_MAX: u64 = 2_200;

/// With fewer points, a line would no longer show what happens.
const POINTS_MIN: u64 = 100;

#[cfg(test)]
mod tests;
