//! The rates of links next to what flows get of them.

use super::duration;
use super::figure::{Group, Line, Look, Mark};
use super::story::rate;
use super::style::MARK;
use crate::report::Report;
use crate::scenario::{Rate, Scenario, What};
use crate::time::Ns;

/// The slowest link of every path, as long as its rate does not change.
pub(super) fn constant(scenario: &Scenario) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    for link in bottlenecks(scenario) {
        let spec = &scenario.links[link];
        let Some(bps) = spec.config.rate.bps().filter(|_| !rate_changes(scenario, link)) else {
            continue;
        };
        let at = bps as f64 / 1e6;
        if marks.iter().all(|mark| mark.at != at) {
            marks.push(Mark { label: [format!("{} rate", spec.name), rate(bps)], at });
        }
    }
    marks
}

/// The slowest link on the way of each flow's data.
fn bottlenecks(scenario: &Scenario) -> Vec<usize> {
    let slowest = |via: &Vec<usize>| {
        let rates = via
            .iter()
            .filter_map(|&link| Some((scenario.links.get(link)?.config.rate.bps()?, link)));
        rates.min().map(|(_, link)| link)
    };
    let mut links: Vec<_> = scenario.flows.iter().filter_map(|flow| slowest(&flow.via)).collect();
    links.sort_unstable();
    links.dedup();
    links
}

fn rate_changes(scenario: &Scenario, link: usize) -> bool {
    steps_of_rate(scenario, link).len() > 1
}

/// The rate of a link as `(since, Mbit/s)`.
fn steps_of_rate(scenario: &Scenario, link: usize) -> Vec<(Ns, f64)> {
    let mbps = |rate: &Rate| rate.bps().map_or(0.0, |bps| bps as f64 / 1e6);
    let mut steps = vec![(Ns::ZERO, mbps(&scenario.links[link].config.rate))];
    for change in &scenario.changes {
        let What::Link { link: changed, config } = &change.what else { continue };
        let rate = mbps(&config.rate);
        if *changed == link && steps.last().is_none_or(|(_, last)| *last != rate) {
            steps.push((change.at, rate));
        }
    }
    steps
}

pub(super) fn highest_mbps(scenario: &Scenario) -> Option<f64> {
    let links = bottlenecks(scenario).into_iter();
    links.flat_map(|link| steps_of_rate(scenario, link)).map(|(_, mbps)| mbps).reduce(f64::max)
}

/// Rates that change are lines of their own: in every panel its variant's.
pub(super) fn add_varying(group: &mut Group, report: Report<'_>) {
    let end = duration(report);
    let views: Vec<_> = report.views().collect();
    for (index, panel) in group.panels.iter_mut().enumerate() {
        let own = views.iter().find(|view| view.scenario.variant == panel.title);
        let Some(scenario) = own.or_else(|| views.get(index)).map(|view| view.scenario) else {
            continue;
        };
        for link in bottlenecks(scenario) {
            if !rate_changes(scenario, link) {
                continue;
            }
            let mut corners = Vec::new();
            let steps = steps_of_rate(scenario, link);
            let ends = steps.iter().skip(1).map(|(at, _)| *at).chain([end]);
            for ((from, mbps), to) in steps.iter().zip(ends) {
                corners.push((from.min(&end).as_secs_f64(), *mbps));
                corners.push((to.min(end).as_secs_f64(), *mbps));
            }
            panel.lines.push(Line {
                label: format!("{} rate", scenario.links[link].name),
                look: Look::Line(MARK),
                pieces: vec![corners],
                range: Vec::new(),
            });
        }
    }
}
