//! What must hold of a run.

use super::check_window;
use super::sweep::Axis;
use crate::metrics::catalogue;
use crate::scenario::error::{LoadError, nearest};
use crate::scenario::keys::general as keys;
use crate::scenario::read::{Section, Value};
use crate::scenario::{Expectation, Scenario};
use std::collections::BTreeSet;

/// The expectations of the tables that are about the scenario's point of a sweep.
pub(super) fn expectations(
    tables: &[Section<'_>],
    scenario: &Scenario,
    axes: &[Axis<'_>],
) -> Result<Vec<Expectation>, LoadError> {
    let mut expectations = Vec::new();
    for table in tables {
        table.allow_only(&[keys::EXPECTATION], "unknown key")?;
        if holds_at(table, &scenario.point, axes)? {
            expectations.push(expectation(table, scenario)?);
        }
    }
    Ok(expectations)
}

/// Whether `when` lets an expectation speak of a point; without a sweep there is no point to check.
fn holds_at(
    section: &Section<'_>,
    point: &[(String, String)],
    axes: &[Axis<'_>],
) -> Result<bool, LoadError> {
    let Some(value) = section.value(&keys::WHEN) else { return Ok(true) };
    let mut holds = true;
    for (key, value) in value.table()?.entries() {
        let Some(axis) = axes.iter().find(|axis| axis.key == key) else {
            let swept: Vec<_> = axes.iter().map(|axis| axis.key).collect();
            return Err(LoadError {
                suggestion: nearest(key, swept.iter().copied()).map(Box::from),
                ..value.error("not a key that is swept", &listed(&swept))
            });
        };
        let given = value.bare();
        let values: Vec<_> = axis.shown().collect();
        if !values.contains(&given) {
            let values: Vec<&str> = values.iter().map(|value| &**value).collect();
            return Err(value.error("not a value of the sweep", &listed(&values)));
        }
        holds &= point.iter().any(|(at, is)| at == key && *is == given);
    }
    Ok(holds)
}

/// Whether the list of variants of an expectation has `variant` in it.
pub(super) fn is_about(
    value: &Value<'_>,
    variant: &str,
    variants: &[&str],
) -> Result<bool, LoadError> {
    let mut about = false;
    for named in value.elements(keys::ABOUT.kind.form)? {
        let name = named.string()?;
        if !variants.contains(&name) {
            return Err(named.unknown("no such variant", variants.iter().copied()));
        }
        about |= name == variant;
    }
    Ok(about)
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "nothing, there is no [sweep]".to_owned() } else { names.join(", ") }
}

fn expectation(section: &Section<'_>, scenario: &Scenario) -> Result<Expectation, LoadError> {
    let name = section.need_value(&keys::METRIC)?;
    let text = name.string()?;
    let metrics = catalogue(scenario);
    let Some(metric) = metrics.iter().find(|known| known.name == text) else {
        return Err(unknown_metric(&name, text, metrics.iter().map(|metric| &*metric.name)));
    };
    let window = section.get(&keys::WINDOW)?;
    if let (Some(window), Some(value)) = (window, section.value(&keys::WINDOW)) {
        if !metric.takes_window() {
            return Err(value.error("this metric covers the whole run", "no window"));
        }
        check_window(&value, window, scenario.duration)?;
    }
    let (min, max) = (section.get(&keys::MIN)?, section.get(&keys::MAX)?);
    match (min, max) {
        (None, None) => Err(section.error("an expectation without a bound", "min, max or both")),
        (Some(min), Some(max)) if min > max => {
            Err(section.conflict(&["min"], "min is above max", &format!("at most {max}")))
        }
        _ => Ok(Expectation { metric: text.to_owned(), window, min, max, line: name.line() }),
    }
}

/// Lists the metrics of the same link or flow, or the links and flows when that is unknown too.
fn unknown_metric<'m>(
    value: &Value<'_>,
    given: &str,
    names: impl Iterator<Item = &'m str> + Clone,
) -> LoadError {
    let subject_of = |name: &'m str| name.match_indices('.').nth(1).map(|(at, _)| &name[..=at]);
    let subjects: BTreeSet<_> = names.clone().filter_map(subject_of).collect();
    let suggestion = nearest(given, names.clone()).map(Box::from);
    let own = subjects.iter().find(|subject| given.starts_with(**subject));
    let error = match own {
        Some(subject) => {
            let own: Vec<_> = names.filter_map(|name| name.strip_prefix(*subject)).collect();
            value.error("no such metric", &format!("{subject} with {}", own.join(", ")))
        }
        None => {
            let all: Vec<_> = subjects.iter().map(|subject| format!("{subject}*")).collect();
            value.error("no such link or flow", &all.join(", "))
        }
    };
    LoadError { suggestion, ..error }
}
