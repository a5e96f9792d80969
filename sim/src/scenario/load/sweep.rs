//! `[sweep]`: lists of values for single keys, and the scenarios at all their combinations.

use crate::scenario::error::LoadError;
use crate::scenario::keys::general as keys;
use crate::scenario::read::{Section, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key that is swept.
pub(super) struct Axis<'a> {
    /// Dotted key.
    pub(super) key: &'a str,
    parts: Vec<&'a str>,
    values: Vec<Value<'a>>,
}

impl<'a> Axis<'a> {
    /// Its values as the file has them.
    pub(super) fn shown(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.values.iter().map(Value::bare)
    }
}

/// One combination of values: for each axis the index of its value.
pub(super) type Point = Vec<usize>;

/// The swept keys in the order of the file; none without a sweep.
pub(super) fn axes<'a>(root: &Section<'a>) -> Result<Vec<Axis<'a>>, LoadError> {
    let Some(value) = root.value(&keys::SWEEP) else { return Ok(Vec::new()) };
    let table = value.table()?;
    let mut axes: Vec<Axis<'a>> = Vec::new();
    for (key, list) in table.entries() {
        let parts: Vec<&str> = key.split('.').collect();
        let general = parts.len() == 1 && keys::SWEPT.iter().any(|known| known.name() == key);
        let named = ["host", "link", "flow"].contains(&parts[0]) && (3..=4).contains(&parts.len());
        if !general && !named {
            return Err(list.error("not a key that can be swept", FORM));
        }
        let values: Vec<_> = list.elements("values in [ ]")?.collect();
        if values.is_empty() {
            return Err(list.error("a sweep over no value", "at least one value"));
        }
        let mut shown = BTreeSet::new();
        if let Some(twice) = values.iter().find(|value| !shown.insert(value.bare())) {
            return Err(twice.error("the same value again", "each value once"));
        }
        axes.push(Axis { key, parts, values });
    }
    if axes.is_empty() {
        return Err(value.error("a sweep over no key", FORM));
    }
    // A key within a table that is swept as a whole would depend on which is set first.
    for axis in &axes {
        let within = |other: &&Axis<'_>| {
            other.parts.len() < axis.parts.len() && axis.parts.starts_with(&other.parts)
        };
        if let (Some(whole), Some(value)) = (axes.iter().find(within), axis.values.first()) {
            let problem = format!("a part of the key '{}', which is swept too", whole.key);
            return Err(value.error(&problem, "either the whole or its parts"));
        }
    }
    Ok(axes)
}

/// All combinations, those of the last key next to each other.
pub(super) fn points(
    root: &Section<'_>,
    axes: &[Axis<'_>],
    variants: usize,
) -> Result<Vec<Point>, LoadError> {
    let sizes = || axes.iter().map(|axis| axis.values.len());
    let count = sizes().try_fold(1_usize, usize::checked_mul).unwrap_or(usize::MAX);
    if count.saturating_mul(variants) > RUNS_MAX {
        let of_each: Vec<_> = sizes().map(|size| size.to_string()).collect();
        let problem = format!("{} combinations in {variants} variants", of_each.join(" x "));
        return Err(root.conflict(&["sweep"], &problem, &format!("at most {RUNS_MAX} runs")));
    }
    let mut points = vec![Vec::new()];
    for size in sizes() {
        let longer = |point: &Point| {
            let point = point.clone();
            (0..size).map(move |index| point.iter().copied().chain([index]).collect::<Point>())
        };
        points = points.iter().flat_map(longer).collect();
    }
    Ok(points)
}

/// The swept keys and their values at a point, as the file has them.
pub(super) fn label(axes: &[Axis<'_>], point: &Point) -> Vec<(String, String)> {
    let pairs = axes.iter().zip(point);
    pairs.map(|(axis, &index)| (axis.key.to_owned(), axis.values[index].bare().into())).collect()
}

/// The table that, laid over a scenario, sets the swept keys to their values at a point.
///
/// A key within a table of a single key, such as `link.uplink.queue.bytes_max`, keeps the other
/// keys of that table as `general` has them.
pub(super) fn layer<'a>(
    general: &Section<'a>,
    axes: &[Axis<'a>],
    point: &Point,
) -> Result<DeTable<'a>, LoadError> {
    let mut root = DeTable::new();
    for (axis, &index) in axes.iter().zip(point) {
        let value = &axis.values[index];
        let raw = value.raw();
        let name = |part: &'a str| Spanned::new(raw.span(), Cow::Borrowed(part));
        let [path @ .., leaf] = axis.parts.as_slice() else { continue };
        let mut table = &mut root;
        for depth in 0..path.len() {
            let entry = table.entry(name(path[depth]));
            // Below the name of a link or flow is the table that the scenario has there.
            let below = || match depth {
                2 => inner(general, path, value),
                _ => Ok(DeTable::new()),
            };
            let below = match entry {
                toml::map::Entry::Occupied(entry) => entry.into_mut(),
                toml::map::Entry::Vacant(entry) => {
                    entry.insert(Spanned::new(raw.span(), DeValue::Table(below()?)))
                }
            };
            let DeValue::Table(next) = below.get_mut() else {
                return Err(value.error("within a key that is no table", "a key in a table"));
            };
            table = next;
        }
        table.insert(name(leaf), raw.clone());
    }
    Ok(root)
}

/// The table of a key of a link, flow or host, as the topmost layer has it.
fn inner<'a>(
    general: &Section<'a>,
    path: &[&str],
    value: &Value<'a>,
) -> Result<DeTable<'a>, LoadError> {
    let [kind, name, key] = path else { return Ok(DeTable::new()) };
    let found = general.at_path(kind, name, key);
    match found.map(|found| found.raw().get_ref()) {
        Some(DeValue::Table(table)) => Ok(table.clone()),
        _ => {
            let problem = format!("the scenario has no table '{kind}.{name}.{key}' to change");
            Err(value.error(&problem, "a key of a table that is there"))
        }
    }
}

const FORM: &str = "a dotted key in quotes, such as \"link.NAME.delay\", \
                    \"link.NAME.queue.bytes_max\" or \"flow.NAME.controller\", with a list of values";

/// What a computer simulates in a night.
const RUNS_MAX: usize = 1_000;
