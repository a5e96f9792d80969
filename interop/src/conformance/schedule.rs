//! Which runs go on side by side.
//!
//! Cases mostly wait, so that many run at once. Those that judge milliseconds run few at a time
//! once the others have been started, and those that take much processor time run last and alone.
//! The longest start first. A run that failed while the machine was late is not judged: it is said
//! so, and played again after the others, alone.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::case::{Case, Flag};
use super::peer::Target;
use super::pulse::Pulse;
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
    /// How often it was run before and came out late.
    late: u32,
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
    /// Cases that are expected to fail: they are not played again when they do.
    pub(crate) known: BTreeSet<String>,
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
                lanes[lane].push_back(Job { case: case.clone(), family, lane, late: 0 });
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
    let pulse = Pulse::start();
    loop {
        while !stopped.load(Ordering::SeqCst)
            && let Some(job) = next(&mut lanes, &running, &widths)
        {
            running[job.lane] += 1;
            progress.start(format_args!("{} {} {}", target.name, job.case.id, job.family));
            let (sender, target, beats) = (sender.clone(), target.clone(), pulse.beats());
            thread::spawn(move || {
                let run = run(&job.case, &target, job.family, &beats, whole);
                drop(sender.send((job, run)));
            });
        }
        if running.iter().sum::<usize>() == 0 || stopped.load(Ordering::SeqCst) {
            return runs;
        }
        if let Ok((job, mut run)) = done.recv_timeout(STOP_POLL) {
            running[job.lane] -= 1;
            if run.verdict == Verdict::Late {
                if plan.known.contains(&run.id) {
                    run.verdict = Verdict::Fail;
                } else if job.late < LATE_RUNS_MAX {
                    let (name, Run { id, family, reason, .. }) = (&target.name, &run);
                    progress.say(format_args!(
                        "{name} {id} {family} late  not judged, played again alone: {reason}"
                    ));
                    lanes[HEAVY].push_back(Job { lane: HEAVY, late: job.late + 1, ..job });
                    continue;
                }
            }
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

/// How often a run that came out late is played again. If it is late each time it is not judged at
/// all, which fails the suite: it has shown nothing.
const LATE_RUNS_MAX: u32 = 2;

/// How long an interruption may go unnoticed.
const STOP_POLL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::conformance::case::Grade;
    use crate::conformance::peer::Peer;
    use crate::conformance::stop::{CaseResult, Stop};

    fn late() -> Stop {
        Stop::Late("the machine stood still".into())
    }

    /// The verdicts on a case that needs no implementation.
    fn verdicts(body: fn(&mut Peer) -> CaseResult, known: &[&str]) -> Vec<Verdict> {
        let case = Case::rust("CC-05", Grade::Must, "", "", body);
        let target = Target {
            name: "nobody".into(),
            program: "/nowhere".into(),
            lacks: Vec::new(),
            is_ours: true,
        };
        let plan = Plan {
            target,
            families: vec![Family::V4],
            repeat: 1,
            jobs: Jobs { ordinary: 1, timing: 1 },
            whole_traces: false,
            known: known.iter().map(|id| (*id).to_owned()).collect(),
        };
        let runs = run_all(&[case], &plan, &AtomicBool::new(false), &Progress::new(1));
        runs.iter().map(|run| run.verdict).collect()
    }

    #[test]
    fn a_run_that_came_out_late_is_played_again_and_the_other_one_counts() {
        static PLAYED: AtomicU32 = AtomicU32::new(0);
        let body = |_: &mut Peer| match PLAYED.fetch_add(1, Ordering::SeqCst) {
            0 => Err(late()),
            _ => Ok(()),
        };
        assert_eq!(verdicts(body, &[]), [Verdict::Pass]);
        assert_eq!(PLAYED.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_case_that_is_late_each_time_is_not_judged_and_that_is_no_pass() {
        static PLAYED: AtomicU32 = AtomicU32::new(0);
        let body = |_: &mut Peer| {
            PLAYED.fetch_add(1, Ordering::SeqCst);
            Err(late())
        };
        assert_eq!(verdicts(body, &[]), [Verdict::Late]);
        assert_eq!(PLAYED.load(Ordering::SeqCst), 1 + LATE_RUNS_MAX);
        assert!(Verdict::Late.is_bad());
    }

    #[test]
    fn what_is_expected_to_fail_is_not_played_again() {
        assert_eq!(verdicts(|_| Err(late()), &["CC-05"]), [Verdict::Fail]);
    }
}
