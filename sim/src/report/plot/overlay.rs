//! Arranging series: all variants over each other while that can be read, a panel for each if not.

use super::figure::{Group, Line, Look, Mark, Panel};
use super::story::Story;
use super::{base_suffix, duration, several};
use crate::metrics::View;
use crate::report::Report;
use crate::report::series::Series;
use crate::time::Ns;

/// The series of one variant, with the marks that belong to them.
pub(super) struct Drawing<'a> {
    pub(super) view: View<'a>,
    pub(super) series: Vec<(String, Series)>,
    pub(super) marks: Vec<Mark>,
}

/// How the series of a panel are combined.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As lines over each other.
    Lines,
    /// As areas on top of each other.
    Stack,
}

/// The panels of one quantity; none when there is nothing to draw.
pub(super) fn arrange(
    report: Report<'_>,
    y_label: &str,
    drawings: Vec<Drawing<'_>>,
    form: Form,
    step: Ns,
) -> Option<Group> {
    let has_values = |drawing: &Drawing<'_>| {
        drawing.series.iter().any(|(_, series)| series.iter().any(Option::is_some))
    };
    if !drawings.iter().any(has_values) {
        return None;
    }
    let drawings: Vec<_> =
        drawings.into_iter().filter(|drawing| !drawing.series.is_empty()).collect();
    let mut group = Group::new(y_label);
    let end = duration(report);
    let lines: usize = drawings.iter().map(|drawing| drawing.series.len()).sum();
    if drawings.len() <= 1 || (lines <= OVERLAID_MAX && form == Form::Lines) {
        let base = &drawings.first()?.view.scenario;
        let story = Story::new(base, end, base_suffix(report));
        let mut panel = panel(story);
        let mut before = 0;
        let mut marks: Vec<Mark> = Vec::new();
        for drawing in drawings {
            let variant = &drawing.view.scenario.variant;
            let named = drawing.series.into_iter().map(|(name, series)| match several(report) {
                true => (format!("{name}, {variant}"), series),
                false => (name, series),
            });
            let named: Vec<_> = named.collect();
            let count = named.len();
            fill(&mut panel, named, form, step, |_, index| before + index);
            before += count;
            marks.extend(
                drawing.marks.into_iter().filter(|mark| !marks.contains(mark)).collect::<Vec<_>>(),
            );
        }
        panel.marks = marks;
        group.panels.push(panel);
        return Some(group);
    }
    // What has the same name in several variants looks the same.
    let mut names: Vec<String> = Vec::new();
    for (name, _) in drawings.iter().flat_map(|drawing| &drawing.series) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let mut first: Option<Story> = None;
    for drawing in drawings.into_iter().filter(has_values) {
        let mut story = Story::new(drawing.view.scenario, end, "");
        match &first {
            // The same words over every panel would say nothing.
            Some(first) if *first == story => story.forget_labels(),
            Some(_) => {}
            None => first = Some(story.clone()),
        }
        let mut panel = panel(story);
        panel.title = drawing.view.scenario.variant.clone();
        let look = |name: &str, _| names.iter().position(|known| known == name).unwrap_or(0);
        fill(&mut panel, drawing.series, form, step, look);
        panel.marks = drawing.marks;
        group.panels.push(panel);
    }
    Some(group)
}

fn panel(story: Story) -> Panel {
    Panel { spans: story.spans, moments: story.moments, ..Panel::default() }
}

fn fill(
    panel: &mut Panel,
    named: Vec<(String, Series)>,
    form: Form,
    step: Ns,
    look: impl Fn(&str, usize) -> usize,
) {
    match form {
        Form::Lines => {
            for (index, (name, series)) in named.into_iter().enumerate() {
                let look = Look::line(look(&name, index));
                if series.iter().any(Option::is_some) {
                    panel.lines.push(Line::new(name, look, &series, step));
                }
            }
        }
        Form::Stack => {
            let mut below: Vec<f64> = Vec::new();
            for (name, series) in named {
                let look = Look::area(look(&name, panel.stack.len()));
                below.resize(below.len().max(series.len()), 0.0);
                for (sum, value) in below.iter_mut().zip(&series) {
                    *sum += value.unwrap_or(0.0);
                }
                let sums = below.iter().map(|sum| Some(*sum)).collect();
                panel.stack.push(Line::new(name, look, &sums, step));
            }
        }
    }
}

/// Lines that can be told apart in one panel although they cross everywhere.
pub(super) const OVERLAID_MAX: usize = 6;
