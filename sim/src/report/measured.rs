//! One run as plain numbers, small enough to keep thousands of, and the spread over many.

use super::{Report, hexadecimal, seconds};
use crate::expect::{Verdict, check};
use crate::metrics::{View, catalogue, round};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one run of one variant, at one point of a sweep, with one seed, came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// `default` or the variant's name.
    pub variant: String,
    /// The swept keys with their values; empty without a sweep.
    pub point: Vec<(String, String)>,
    /// Seed of the run.
    pub seed: u64,
    /// Hash of its packet trace.
    pub trace_hash: String,
    /// Every metric of the run that has a value, over the whole run.
    pub metrics: BTreeMap<String, f64>,
    /// What must hold, in the order of the file.
    pub expectations: Vec<Checked>,
}

/// An expectation next to what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// Dotted name.
    pub metric: String,
    /// Start of the window in seconds; the whole run when absent.
    pub from_s: Option<f64>,
    /// Its end.
    pub to_s: Option<f64>,
    /// Smallest value that passes.
    pub min: Option<f64>,
    /// Largest value that passes.
    pub max: Option<f64>,
    /// What was measured, if anything.
    pub value: Option<f64>,
    /// Whether it is within the bounds.
    pub pass: bool,
}

impl Checked {
    pub(super) fn new(verdict: &Verdict<'_>) -> Self {
        let window = verdict.expectation.window;
        Self {
            metric: verdict.expectation.metric.clone(),
            from_s: window.map(|(from, _)| seconds(from)),
            to_s: window.map(|(_, to)| seconds(to)),
            min: verdict.expectation.min,
            max: verdict.expectation.max,
            value: verdict.value,
            pass: verdict.pass,
        }
    }

    /// The window in words.
    pub(super) fn window(&self) -> String {
        match (self.from_s, self.to_s) {
            (Some(from), Some(to)) => format!("{from}s..{to}s"),
            _ => "whole run".to_owned(),
        }
    }

    /// The bounds in words.
    pub(super) fn bounds(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) if min == max => format!("= {min}"),
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!(">= {min}"),
            (None, Some(max)) => format!("<= {max}"),
            (None, None) => String::new(),
        }
    }
}

impl Measured {
    /// Takes all metrics of a run.
    pub fn new(view: View<'_>) -> Self {
        let metrics = catalogue(view.scenario);
        let metrics = metrics.into_iter().filter_map(|m| Some((m.value(view, None)?, m.name)));
        Self {
            variant: view.scenario.variant.clone(),
            point: view.scenario.point.clone(),
            seed: view.scenario.seed,
            trace_hash: hexadecimal(view.record.trace_hash),
            metrics: metrics.map(|(value, name)| (name, value)).collect(),
            expectations: check(view).iter().map(Checked::new).collect(),
        }
    }

    /// Whether every expectation holds.
    pub fn pass(&self) -> bool {
        self.expectations.iter().all(|checked| checked.pass)
    }

    /// The values of the swept keys, such as `link.uplink.delay = 5ms`.
    pub fn point_text(&self) -> String {
        let pairs = self.point.iter().map(|(key, value)| format!("{key} = {value}"));
        pairs.collect::<Vec<_>>().join(", ")
    }
}

/// Median and range of a metric over several seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The middle value, or the mean of both middle ones.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// How many seeds have a value.
    pub count: usize,
}

impl Spread {
    /// Of any number of values; `None` of none.
    ///
    /// ```
    /// use utp_sim::report::Spread;
    ///
    /// let spread = Spread::of([3.0, 1.0, 8.0, 2.0]).expect("four values");
    /// assert_eq!((spread.median, spread.min, spread.max), (2.5, 1.0, 8.0));
    /// ```
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = match values.len().is_multiple_of(2) {
            true => round((values[middle - 1] + values[middle]) / 2.0, 4),
            false => values[middle],
        };
        Some(Self { median, min, max, count: values.len() })
    }

    /// As `median [min..max]`, or as one number where all are equal.
    pub fn text(&self) -> String {
        match self.min == self.max {
            true => self.median.to_string(),
            false => format!("{} [{}..{}]", self.median, self.min, self.max),
        }
    }
}

/// Runs that differ in nothing but their seed.
pub struct Alike<'m> {
    /// In the order of their seeds; not empty.
    pub runs: Vec<&'m Measured>,
}

impl<'m> Alike<'m> {
    /// Groups runs that have variant and point in common, in the order in which these first occur.
    pub fn groups(runs: &'m [Measured]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        let key = |run: &'m Measured| (&run.variant, &run.point);
        for run in runs {
            match groups.iter_mut().find(|group| key(group.runs[0]) == key(run)) {
                Some(group) => group.runs.push(run),
                None => groups.push(Self { runs: vec![run] }),
            }
        }
        groups
    }

    /// The first of the runs, which has variant and point of all.
    pub fn first(&self) -> &'m Measured {
        self.runs[0]
    }

    /// Median and range of every metric.
    pub fn metrics(&self) -> BTreeMap<&'m str, Spread> {
        let names = self.runs.iter().flat_map(|run| run.metrics.keys());
        let of = |name: &str| {
            Spread::of(self.runs.iter().filter_map(|run| run.metrics.get(name).copied()))
        };
        names.filter_map(|name| Some((&**name, of(name)?))).collect()
    }

    /// Every expectation with the spread of its value, and how many of the runs keep it.
    pub fn expectations(&self) -> Vec<(&'m Checked, Option<Spread>, usize)> {
        let all = self.first().expectations.iter().enumerate();
        all.map(|(index, checked)| {
            let each = || self.runs.iter().filter_map(|run| run.expectations.get(index));
            let spread = Spread::of(each().filter_map(|checked| checked.value));
            (checked, spread, each().filter(|checked| checked.pass).count())
        })
        .collect()
    }
}

impl Report<'_> {
    /// Every variant as numbers.
    pub fn measured(self) -> Vec<Measured> {
        self.views().map(Measured::new).collect()
    }
}
