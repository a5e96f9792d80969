//! Which runs go on side by side.
//!
//! Cases mostly wait, so that many run at once. Those that judge milliseconds run few at a time
//! once the others have been started, and those that take much processor time run last and alone.
//! The longest start first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::case::{Case, Flag};
use super::peer::Target;
use super::run::{Run, Verdict, run};
use crate::harness::{Family, Progress};

/// How many runs go on at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jobs {
    pub(crate) ordinary: usize,
    pub(crate) timing: usize,
}

/// A run to be done.
struct Job {
    case: Case,
    family: Family,
    lane: usize,
}

/// What to run and how.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) target: Target,
    pub(crate) families: Vec<Family>,
    /// How often each case runs.
    pub(crate) repeat: u32,
    pub(crate) jobs: Jobs,
    /// Whether the whole trace of each run is kept.
    pub(crate) whole_traces: bool,
}

/// Runs every case as planned. Stops early once `stopped` is set, and returns what is finished.
pub(crate) fn run_all(
    cases: &[Case],
    plan: &Plan,
    stopped: &AtomicBool,
    progress: &Progress,
) -> Vec<Run> {
    let Plan { target, jobs, whole_traces, .. } = plan;
    let whole = *whole_traces;
    let mut lanes: [VecDeque<Job>; LANES] = Default::default();
    for _ in 0..plan.repeat {
        for case in cases {
            for &family in &plan.families {
                let lane = lane(case);
                lanes[lane].push_back(Job { case: case.clone(), family, lane });
            }
        }
    }
    for lane in &mut lanes {
        lane.make_contiguous().sort_by_key(|job| std::cmp::Reverse(job.case.limit));
    }
    let widths = [jobs.ordinary, jobs.timing, 1];
    let mut running = [0; LANES];
    let mut runs = Vec::new();
    let (sender, done) = mpsc::channel();
    loop {
        while !stopped.load(Ordering::SeqCst)
            && let Some(job) = next(&mut lanes, &running, &widths)
        {
            running[job.lane] += 1;
            progress.start(format_args!("{} {} {}", target.name, job.case.id, job.family));
            let (sender, target) = (sender.clone(), target.clone());
            thread::spawn(move || {
                let run = run(&job.case, &target, job.family, whole);
                drop(sender.send((job.lane, run)));
            });
        }
        if running.iter().sum::<usize>() == 0 || stopped.load(Ordering::SeqCst) {
            return runs;
        }
        if let Ok((lane, run)) = done.recv_timeout(STOP_POLL) {
            running[lane] -= 1;
            progress.finish(format_args!("{} {run}", target.name), run.verdict.is_bad());
            if run.verdict == Verdict::Internal {
                progress.say("utp-interop: the runner failed at this case");
            }
            runs.push(run);
        }
    }
}

/// Takes the next run that may start now: one of a later lane only once all of the earlier ones
/// have been started, and the last lane only once the one before it is done.
fn next(
    lanes: &mut [VecDeque<Job>; LANES],
    running: &[usize; LANES],
    widths: &[usize; LANES],
) -> Option<Job> {
    if !lanes[ORDINARY].is_empty() {
        return (running[ORDINARY] < widths[ORDINARY])
            .then(|| lanes[ORDINARY].pop_front())
            .flatten();
    }
    if !lanes[TIMING].is_empty() {
        return (running[TIMING] < widths[TIMING]).then(|| lanes[TIMING].pop_front()).flatten();
    }
    let free = running[TIMING] == 0 && running[HEAVY] < widths[HEAVY];
    free.then(|| lanes[HEAVY].pop_front()).flatten()
}

fn lane(case: &Case) -> usize {
    if case.has(Flag::Heavy) {
        HEAVY
    } else if case.has(Flag::Timing) {
        TIMING
    } else {
        ORDINARY
    }
}

const LANES: usize = 3;
const ORDINARY: usize = 0;
const TIMING: usize = 1;
const HEAVY: usize = 2;

/// How long an interruption may go unnoticed.
const STOP_POLL: Duration = Duration::from_millis(100);
