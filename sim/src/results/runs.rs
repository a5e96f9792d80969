//! Runs what the tables need, over all seeds and cores, and keeps one number per cell and seed.

use super::quantity::Quantity;
use crate::metrics::View;
use crate::pool::{self, Engine, Work};
use crate::run::Run;
use crate::scenario::{Scenario, ScenarioFile, load};
use crate::taps::Taps;
use anyhow::{Context as _, anyhow};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

/// A run of a scenario file: the variant, and the point of a sweep.
pub(super) type Place = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// A number to take: from which run, and what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) place: Place,
    pub(super) quantity: Quantity,
}

/// The values of one cell, one per seed in the order of the seeds.
pub(super) type Values = Vec<Option<f64>>;

/// Measures every number of `wanted`, in its order, once for each seed.
///
/// # Errors
///
/// A scenario file that is missing, wrong or without the variant or point asked for, and a run that
/// fails.
pub(super) fn measure(
    folder: &Path,
    wanted: &[Wanted],
    seeds: RangeInclusive<u64>,
    at_once: usize,
    engine: &impl Engine,
) -> anyhow::Result<Vec<Values>> {
    let files = load_files(folder, wanted)?;
    let mut numbers: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
    for (index, Wanted { place, .. }) in wanted.iter().enumerate() {
        numbers.entry(*place).or_default().push(index);
    }
    let mut jobs = Vec::new();
    for (place, indices) in &numbers {
        let scenario = find(&files[place.0], *place)?;
        jobs.extend(seeds.clone().map(|seed| Job { scenario, seed, indices }));
    }
    // The longest first, so that no core is left with one of them at the end.
    jobs.sort_by_key(|job| std::cmp::Reverse(job.scenario.duration));
    let of_job = |job: &Job<'_>| Scenario { seed: job.seed, ..job.scenario.clone() };
    let scenarios: Vec<Scenario> = jobs.iter().map(of_job).collect();
    let work = Numbers { jobs: &jobs, scenarios: &scenarios, wanted };
    let results = pool::run_all("tables", at_once, &scenarios, engine, &work)?;
    let mut values = vec![BTreeMap::new(); wanted.len()];
    for (job, numbers) in jobs.iter().zip(results) {
        for (&index, number) in job.indices.iter().zip(numbers) {
            values[index].insert(job.seed, number);
        }
    }
    Ok(values.into_iter().map(|by_seed| by_seed.into_values().collect()).collect())
}

/// A run with one seed, and the numbers that it gives.
struct Job<'a> {
    scenario: &'a Scenario,
    seed: u64,
    indices: &'a [usize],
}

/// The files that are wanted, by name.
fn load_files(
    folder: &Path,
    wanted: &[Wanted],
) -> anyhow::Result<BTreeMap<&'static str, ScenarioFile>> {
    let mut files = BTreeMap::new();
    for Wanted { place: (name, ..), .. } in wanted {
        if !files.contains_key(name) {
            let path = folder.join(format!("{name}.toml"));
            files.insert(*name, load(&path).map_err(|error| anyhow!("{error}"))?);
        }
    }
    Ok(files)
}

/// The scenario that is run, without a seed of its own.
fn find(file: &ScenarioFile, (_, variant, point): Place) -> anyhow::Result<&Scenario> {
    let mut of_variant = file.variants.iter().filter(|scenario| scenario.variant == variant);
    let found = of_variant.find(|scenario| match point {
        None => true,
        Some((key, value)) => scenario.point.iter().any(|(k, v)| k == key && v == value),
    });
    found.with_context(|| {
        let point = point.map_or_else(String::new, |(key, value)| format!(" at {key} = {value}"));
        format!("{}: no variant {variant}{point}", file.path.display())
    })
}

/// Takes the numbers of a run and lets go of the rest.
struct Numbers<'a> {
    jobs: &'a [Job<'a>],
    scenarios: &'a [Scenario],
    wanted: &'a [Wanted],
}

impl Work for Numbers<'_> {
    type Kept = Values;

    fn taps(&self, _index: usize) -> anyhow::Result<Taps> {
        Ok(Taps::default())
    }

    fn keep(&self, index: usize, run: Run) -> anyhow::Result<Values> {
        let view = View { scenario: &self.scenarios[index], record: &run.record };
        let value = |&wanted: &usize| self.wanted[wanted].quantity.value(view);
        Ok(self.jobs[index].indices.iter().map(value).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::catalogue;
    use crate::results::wanted;

    #[test]
    fn every_cell_of_the_tables_has_its_scenario_and_its_metrics() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        let wanted = wanted();
        let files = load_files(&folder, &wanted).expect("they are shipped");
        for Wanted { place, quantity } in wanted {
            let scenario = find(&files[place.0], place).expect("it is in the file");
            let metrics = catalogue(scenario);
            for name in quantity.metrics() {
                assert!(metrics.iter().any(|metric| metric.name == name), "{place:?}: {name}");
            }
        }
    }
}
