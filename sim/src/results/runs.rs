//! Runs what the tables need, over all seeds and cores, and keeps one number per cell and seed.

use super::quantity::Quantity;
use crate::metrics::View;
use crate::run;
use crate::scenario::{Scenario, ScenarioFile, load};
use crate::time::Ns;
use anyhow::{Context as _, anyhow, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

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
) -> anyhow::Result<Vec<Values>> {
    let files = load_files(folder, wanted)?;
    let mut numbers: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
    for (index, Wanted { place, .. }) in wanted.iter().enumerate() {
        numbers.entry(*place).or_default().push(index);
    }
    let mut jobs = Vec::new();
    for (place, indices) in &numbers {
        let scenario = find(&files[place.0], *place)?;
        for seed in seeds.clone() {
            jobs.push(Job { scenario: Scenario { seed, ..scenario.clone() }, place, indices });
        }
    }
    // The longest first, so that no core is left with one of them at the end.
    jobs.sort_by_key(|job| std::cmp::Reverse(job.scenario.duration));
    let results = run_all(&jobs, wanted)?;
    let mut values = vec![BTreeMap::new(); wanted.len()];
    for (job, numbers) in jobs.iter().zip(results) {
        for (&index, number) in job.indices.iter().zip(numbers) {
            values[index].insert(job.scenario.seed, number);
        }
    }
    Ok(values.into_iter().map(|by_seed| by_seed.into_values().collect()).collect())
}

struct Job<'a> {
    scenario: Scenario,
    place: &'a Place,
    indices: &'a [usize],
}

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

fn run_all(jobs: &[Job<'_>], wanted: &[Wanted]) -> anyhow::Result<Vec<Values>> {
    let bar = progress_bar(jobs.len());
    let next = AtomicUsize::new(0);
    let results = Mutex::new(vec![None; jobs.len()]);
    let work = || -> anyhow::Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { return Ok(()) };
            let numbers = one(job, wanted).with_context(|| {
                let (name, variant, _) = job.place;
                format!("{name}, variant {variant}, seed {}", job.scenario.seed)
            })?;
            results.lock().expect("no worker panics with the lock")[index] = Some(numbers);
            bar.inc(1);
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().map_err(|_| anyhow!("the simulation panicked, see above"))?
        })
    })?;
    bar.finish_and_clear();
    let results = results.into_inner().expect("no worker panicked with the lock");
    ensure!(results.iter().all(Option::is_some), "every job was taken");
    Ok(results.into_iter().flatten().collect())
}

fn one(job: &Job<'_>, wanted: &[Wanted]) -> anyhow::Result<Values> {
    let silent = |_: Ns| {};
    let record = run::run(&job.scenario, &silent)?;
    let view = View { scenario: &job.scenario, record: &record };
    Ok(job.indices.iter().map(|&index| wanted[index].quantity.value(view)).collect())
}

/// Shown only when stderr is a terminal.
fn progress_bar(runs: usize) -> ProgressBar {
    let bar = ProgressBar::new(runs as u64);
    match ProgressStyle::with_template("tables [{bar:40}] {pos} of {len} runs, {eta} left") {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
