//! Whether a run did what its scenario file says it must.

use crate::metrics::{View, catalogue};
use crate::scenario::Expectation;

/// An expectation next to what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict<'a> {
    /// What must hold.
    pub expectation: &'a Expectation,
    /// The metric's value; `None` when nothing was measured, which never passes.
    pub value: Option<f64>,
    /// Whether the value is within the bounds.
    pub pass: bool,
}

/// Measures every expectation of the scenario, in the order of the file.
pub fn check(view: View<'_>) -> Vec<Verdict<'_>> {
    let metrics = catalogue(view.scenario);
    let known = |name: &str| metrics.iter().find(|metric| metric.name == name);
    let mut verdicts = Vec::new();
    for expectation in &view.scenario.expectations {
        let Expectation { metric, window, min, max, .. } = expectation;
        let value = known(metric).and_then(|metric| metric.value(view, *window));
        let pass = value.is_some_and(|value| {
            min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max)
        });
        verdicts.push(Verdict { expectation, value, pass });
    }
    verdicts
}
