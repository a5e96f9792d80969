//! Runs scenarios side by side, with a progress bar on a terminal.

use crate::run::Run;
use crate::scenario::Scenario;
use crate::taps::Taps;
use crate::time::Ns;
use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// What runs a scenario: calls back with the virtual time reached, shows the sinks what happens,
/// and returns what it recorded.
pub trait Engine: Fn(&Scenario, &dyn Fn(Ns), Taps) -> anyhow::Result<Run> + Sync {}

impl<E: Fn(&Scenario, &dyn Fn(Ns), Taps) -> anyhow::Result<Run> + Sync> Engine for E {}

/// What to do before and after each run.
pub(crate) trait Work: Sync {
    /// What is kept of a run.
    type Kept: Send;

    /// The sinks of the run with this index.
    fn taps(&self, index: usize) -> anyhow::Result<Taps>;

    /// Takes what came of a run, as soon as it is over.
    fn keep(&self, index: usize, run: Run) -> anyhow::Result<Self::Kept>;
}

/// How many runs go side by side when nobody says otherwise: one on each core.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// What was kept of every run, in order, with `at_once` of them side by side.
///
/// # Errors
///
/// The first run that failed or panicked; those that are not under way then do not begin.
pub(crate) fn run_all<W: Work>(
    title: &str,
    at_once: usize,
    scenarios: &[Scenario],
    engine: &impl Engine,
    work: &W,
) -> anyhow::Result<Vec<W::Kept>> {
    let bar = progress_bar(title, scenarios);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let worker = || {
        let mut done = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = scenarios.get(index) else { break };
            let kept = one(scenario, engine, &bar, work, index);
            failed.fetch_or(kept.is_err(), Ordering::Relaxed);
            done.push((index, kept.with_context(|| title_of(scenario))));
        }
        done
    };
    let joined: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once.min(scenarios.len()))
            .map(|_| thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, worker))
            .collect();
        workers.into_iter().map(|worker| worker.map(thread::ScopedJoinHandle::join)).collect()
    });
    bar.finish_and_clear();
    let mut all = Vec::new();
    for worker in joined {
        let done = worker.context("cannot start a thread")?;
        all.extend(done.map_err(|_| anyhow!("the simulation panicked, see above"))?);
    }
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, kept)| kept).collect()
}

fn one<W: Work>(
    scenario: &Scenario,
    engine: &impl Engine,
    bar: &ProgressBar,
    work: &W,
    index: usize,
) -> anyhow::Result<W::Kept> {
    let shown = Cell::new(Ns::ZERO);
    let progress = |now: Ns| {
        if now > shown.get() {
            bar.inc((now - shown.get()).0);
            shown.set(now);
        }
    };
    let run = engine(scenario, &progress, work.taps(index)?)?;
    progress(scenario.duration);
    work.keep(index, run)
}

/// Which run of a file it is, in words.
fn title_of(scenario: &Scenario) -> String {
    let mut title = format!("variant {}", scenario.variant);
    for (key, value) in &scenario.point {
        title += &format!(", {key} = {value}");
    }
    title
}

/// Shown only when stderr is a terminal.
fn progress_bar(title: &str, scenarios: &[Scenario]) -> ProgressBar {
    let length = scenarios.iter().map(|scenario| scenario.duration.0).sum();
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {percent:>3}%, {eta} left");
    let bar = ProgressBar::new(length).with_message(title.to_owned());
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// As much as the main thread has, whatever the platform gives to others.
const STACK_BYTES: usize = 8 << 20;
