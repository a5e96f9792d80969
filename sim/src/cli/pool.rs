//! Runs the variants of a file side by side, with a progress bar on a terminal.

use super::Engine;
use crate::record::Record;
use crate::scenario::{Scenario, ScenarioFile};
use crate::time::Ns;
use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The records of all variants in the order of the file.
///
/// # Errors
///
/// The first variant that failed or panicked.
pub(super) fn run_variants(
    file: &ScenarioFile,
    engine: &impl Engine,
) -> anyhow::Result<Vec<Record>> {
    let bar = progress_bar(file);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((index, scenario)) = take(&next, &file.variants) {
            done.push((index, run(scenario, engine, &bar)));
        }
        done
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let joined: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores.min(file.variants.len()))
            .map(|_| thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work))
            .collect();
        workers.into_iter().map(|worker| worker.map(thread::ScopedJoinHandle::join)).collect()
    });
    bar.finish_and_clear();
    let mut records: Vec<(usize, anyhow::Result<Record>)> = Vec::new();
    for worker in joined {
        let done = worker.context("cannot start a thread")?;
        records.extend(done.map_err(|_| anyhow!("the simulation panicked, see above"))?);
    }
    records.sort_by_key(|(index, _)| *index);
    let named = records.into_iter().zip(&file.variants).map(|((_, record), scenario)| {
        record.with_context(|| format!("variant {}", scenario.variant))
    });
    named.collect()
}

fn take<'s>(next: &AtomicUsize, variants: &'s [Scenario]) -> Option<(usize, &'s Scenario)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    variants.get(index).map(|scenario| (index, scenario))
}

fn run(scenario: &Scenario, engine: &impl Engine, bar: &ProgressBar) -> anyhow::Result<Record> {
    let shown = Cell::new(Ns::ZERO);
    let progress = |now: Ns| {
        if now > shown.get() {
            bar.inc((now - shown.get()).0);
            shown.set(now);
        }
    };
    let record = engine(scenario, &progress);
    progress(scenario.duration);
    record
}

/// Shown only when stderr is a terminal.
fn progress_bar(file: &ScenarioFile) -> ProgressBar {
    let length = file.variants.iter().map(|scenario| scenario.duration.0).sum();
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {percent:>3}%, {eta} left");
    let bar = ProgressBar::new(length).with_message(file.name.clone());
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// As much as the main thread has, whatever the platform gives to others.
const STACK_BYTES: usize = 8 << 20;
