//! Which runs go on side by side: those of all implementations and all repetitions share one pool.
//!
//! Cases mostly wait, so that many run at once, and those that wait for minutes all start at the
//! beginning. Beside them one sort at a time has the processor: first the cases that judge
//! milliseconds, a few at once, and the long ones that measure a path; then the floods; and in the
//! end, one by one, those that count processor time. The longest start first. A run that failed
//! while the machine was late is not judged: it is said so, and played again at the end, with a few
//! others, and if it is late once more, alone.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use super::case::{Case, Flag};
use super::peer::Target;
use super::pulse::{Beats, Pulse};
use super::run::{Run, Verdict, run};
use crate::harness::{Family, Progress};

/// What is run against one implementation.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) target: Target,
    pub(crate) cases: Vec<Case>,
    /// Cases that are expected to fail: they are not played again when they do.
    pub(crate) known: BTreeSet<String>,
}

/// How all of it is run.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub(crate) families: Vec<Family>,
    /// How often each case runs.
    pub(crate) repeat: u32,
    /// How many runs that only wait go on at once, but for those that take minutes.
    pub(crate) jobs: usize,
    /// Whether the whole trace of each run is kept.
    pub(crate) whole_traces: bool,
}

/// Runs the cases of all plans. Calls `complete` with the number of a plan and its runs as soon as
/// the last of them is done, or, once `stopped` is set, with those that are finished.
pub(crate) fn run_all<E>(
    plans: &[Plan],
    how: &How,
    stopped: &AtomicBool,
    progress: &Progress,
    mut complete: impl FnMut(usize, &[Run]) -> Result<(), E>,
) -> Result<(), E> {
    let mut pool = Pool::new(plans, how);
    let mut runs = vec![Vec::new(); plans.len()];
    let (sender, notes) = mpsc::channel();
    let pulse = Pulse::start();
    loop {
        while !stopped.load(Ordering::SeqCst)
            && let Some(job) = pool.next()
        {
            let plan = &plans[job.plan];
            progress.start(format_args!("{} {} {}", plan.target.name, job.case.id, job.family));
            start(job, &plan.target, pulse.beats(), how.whole_traces, sender.clone());
        }
        if pool.is_idle() || stopped.load(Ordering::SeqCst) {
            break;
        }
        let (job, run) = match notes.recv_timeout(STOP_POLL) {
            Ok(Note::Rests { lane }) => {
                pool.rests(lane);
                continue;
            }
            Ok(Note::Done(done)) => *done,
            Err(_) => continue,
        };
        let number = job.plan;
        let plan = &plans[number];
        if let Some(run) = pool.done(job, run, plan, progress) {
            progress.finish(format_args!("{} {run}", plan.target.name), run.verdict.is_bad());
            if run.verdict == Verdict::Internal {
                progress.say("utp-interop: the runner failed at this case");
            }
            runs[number].push(run);
            if pool.left[number] == 0 {
                complete(number, &runs[number])?;
            }
        }
    }
    for (number, runs) in runs.iter().enumerate() {
        if pool.left[number] > 0 || runs.is_empty() {
            complete(number, runs)?;
        }
    }
    Ok(())
}

/// A run to be done.
struct Job {
    /// The number of the plan that it belongs to.
    plan: usize,
    case: Case,
    family: Family,
    lane: usize,
    /// How often it was run before and came out late.
    late: u32,
}

/// What the thread of a run says.
enum Note {
    /// From now on it only waits, and makes room for the next of its lane.
    Rests {
        lane: usize,
    },
    Done(Box<(Job, Run)>),
}

/// Starts a run in a thread of its own.
fn start(mut job: Job, target: &Target, beats: Arc<Beats>, whole: bool, sender: Sender<Note>) {
    let target = target.clone();
    thread::spawn(move || {
        let rests = Arc::new(AtomicBool::new(false));
        let (lane, flag, to) = (job.lane, Arc::clone(&rests), sender.clone());
        let on_rest = Box::new(move || {
            flag.store(true, Ordering::SeqCst);
            drop(to.send(Note::Rests { lane }));
        });
        let run = run(&job.case, &target, job.family, &beats, whole, on_rest);
        if rests.load(Ordering::SeqCst) {
            job.lane = SLOW;
        }
        drop(sender.send(Note::Done(Box::new((job, run)))));
    });
}

/// What waits for its turn, and what runs.
struct Pool {
    lanes: [VecDeque<Job>; LANES],
    running: [usize; LANES],
    widths: [usize; LANES],
    /// How many runs of each plan are not done.
    left: Vec<usize>,
}

impl Pool {
    fn new(plans: &[Plan], how: &How) -> Self {
        let mut lanes: [VecDeque<Job>; LANES] = Default::default();
        for _ in 0..how.repeat {
            for (number, plan) in plans.iter().enumerate() {
                for case in &plan.cases {
                    for &family in &how.families {
                        let (lane, case) = (lane(case), case.clone());
                        lanes[lane].push_back(Job { plan: number, case, family, lane, late: 0 });
                    }
                }
            }
        }
        for lane in &mut lanes {
            lane.make_contiguous().sort_by_key(|job| std::cmp::Reverse(job.case.limit));
        }
        let runs_each = how.families.len() * how.repeat as usize;
        let left = plans.iter().map(|plan| plan.cases.len() * runs_each).collect();
        let few = how.jobs.div_ceil(8);
        let mut widths = [1; LANES];
        widths[SLOW] = usize::MAX;
        widths[WAITING] = how.jobs;
        widths[TIMING] = few;
        widths[PATHS] = few;
        widths[AGAIN] = few;
        widths[FLOODS] = FLOODS_MAX.min(how.jobs);
        Self { lanes, running: [0; LANES], widths, left }
    }

    /// Takes the next run that may start now.
    fn next(&mut self) -> Option<Job> {
        let lane = (0..LANES).find(|&lane| self.may_start(lane))?;
        let job = self.lanes[lane].pop_front()?;
        self.running[lane] += 1;
        Some(job)
    }

    /// Of the sorts that take the processor each has it to itself, and a later one starts when all
    /// of those before it are done.
    fn may_start(&self, lane: usize) -> bool {
        let group = group(lane);
        let stands_back = |other: usize| {
            let (other_group, waits) = (self::group(other), !self.lanes[other].is_empty());
            let runs = self.running[other] > 0;
            other_group > 0 && group > 0 && other_group != group && (runs || waits && other < lane)
        };
        let room = self.running[lane] < self.widths[lane];
        room && !self.lanes[lane].is_empty() && !(0..LANES).any(stands_back)
    }

    fn is_idle(&self) -> bool {
        self.running.iter().sum::<usize>() == 0
    }

    fn rests(&mut self, lane: usize) {
        self.running[lane] -= 1;
        self.running[SLOW] += 1;
    }

    /// Takes what came of a run. Returns it unless it is played again.
    fn done(&mut self, job: Job, mut run: Run, plan: &Plan, progress: &Progress) -> Option<Run> {
        self.running[job.lane] -= 1;
        if run.verdict == Verdict::Late {
            if plan.known.contains(&run.id) {
                run.verdict = Verdict::Fail;
            } else if job.late < LATE_RUNS_MAX {
                let (name, Run { id, family, reason, .. }) = (&plan.target.name, &run);
                progress.say(format_args!(
                    "{name} {id} {family} late  not judged, played again: {reason}"
                ));
                let lane = if job.late == 0 && job.lane != ALONE { AGAIN } else { ALONE };
                self.lanes[lane].push_back(Job { lane, late: job.late + 1, ..job });
                return None;
            }
        }
        self.left[job.plan] -= 1;
        Some(run)
    }
}

fn lane(case: &Case) -> usize {
    match (case.has(Flag::Timing), case.has(Flag::Slow)) {
        _ if case.has(Flag::Alone) => ALONE,
        _ if case.has(Flag::Heavy) => FLOODS,
        (true, true) => PATHS,
        (true, false) => TIMING,
        (false, true) => SLOW,
        (false, false) => WAITING,
    }
}

/// What of the processor the runs of a lane take: nothing, or one of the sorts.
const fn group(lane: usize) -> usize {
    match lane {
        SLOW | WAITING => 0,
        PATHS | TIMING => 1,
        FLOODS => 2,
        ALONE => 3,
        _ => 4,
    }
}

const LANES: usize = 7;
const SLOW: usize = 0;
const WAITING: usize = 1;
const PATHS: usize = 2;
const TIMING: usize = 3;
const FLOODS: usize = 4;
const ALONE: usize = 5;
const AGAIN: usize = 6;

/// A flood and the implementation wait for each other in turns, so that two fill two processors.
const FLOODS_MAX: usize = 2;

/// How often a run that came out late is played again. If it is late each time it is not judged at
/// all, which fails the suite: it has shown nothing.
const LATE_RUNS_MAX: u32 = 2;

/// How long an interruption may go unnoticed.
const STOP_POLL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::conformance::case::Grade;
    use crate::conformance::peer::Peer;
    use crate::conformance::stop::{CaseResult, Stop};

    fn late() -> Stop {
        Stop::Late("the machine stood still".into())
    }

    fn how(jobs: usize) -> How {
        How { families: vec![Family::V4], repeat: 1, jobs, whole_traces: false }
    }

    fn nobody() -> Target {
        let program = "/nowhere".into();
        Target { name: "nobody".into(), program, lacks: Vec::new(), is_ours: true }
    }

    /// The verdicts on a case that needs no implementation.
    fn verdicts(body: fn(&mut Peer) -> CaseResult, known: &[&str]) -> Vec<Verdict> {
        let case = Case::rust("CC-05", Grade::Must, "", "", body);
        let known = known.iter().map(|id| (*id).to_owned()).collect();
        let plan = Plan { target: nobody(), cases: vec![case], known };
        let mut verdicts = Vec::new();
        let complete = |_, runs: &[Run]| {
            verdicts.extend(runs.iter().map(|run| run.verdict));
            Ok::<_, Infallible>(())
        };
        let (stopped, progress) = (AtomicBool::new(false), Progress::new(1));
        let Ok(()) = run_all(&[plan], &how(1), &stopped, &progress, complete);
        verdicts
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

    /// A plan of cases that have these ids and flags and do nothing.
    fn plan(cases: &[(&str, &[Flag])]) -> Plan {
        let case = |(id, flags): &(&str, &[Flag])| {
            let case = Case::rust(id, Grade::Must, "", "", |_| Ok(()));
            flags.iter().fold(case, |case, flag| case.flag(*flag))
        };
        let cases = cases.iter().map(case).collect();
        Plan { target: nobody(), cases, known: BTreeSet::new() }
    }

    /// What starts now, by id.
    fn started(pool: &mut Pool) -> Vec<Job> {
        std::iter::from_fn(|| pool.next()).collect()
    }

    fn ids(jobs: &[Job]) -> Vec<&str> {
        jobs.iter().map(|job| job.case.id.as_str()).collect()
    }

    fn end(pool: &mut Pool, plan: &Plan, jobs: Vec<Job>) {
        for job in jobs {
            let run = Run {
                id: job.case.id.clone(),
                family: job.family,
                verdict: Verdict::Pass,
                reason: String::new(),
                place: String::new(),
                trace: String::new(),
                seconds: 0.0,
            };
            assert!(pool.done(job, run, plan, &Progress::new(1)).is_some());
        }
    }

    const FLAGGED: [(&str, &[Flag]); 9] = [
        ("HO-10", &[Flag::Alone]),
        ("HO-08", &[Flag::Alone]),
        ("MF-11", &[Flag::Heavy]),
        ("MF-12", &[Flag::Heavy]),
        ("WR-06", &[Flag::Heavy]),
        ("CC-01", &[Flag::Timing]),
        ("CC-14", &[Flag::Timing, Flag::Slow]),
        ("MT-08", &[Flag::Slow]),
        ("HS-01", &[]),
    ];

    #[test]
    fn beside_what_waits_one_sort_after_the_other_has_the_processor() {
        let plan = plan(&FLAGGED);
        let mut pool = Pool::new(std::slice::from_ref(&plan), &how(64));
        let first = started(&mut pool);
        assert_eq!(ids(&first), ["MT-08", "HS-01", "CC-14", "CC-01"]);
        end(&mut pool, &plan, first);
        let mut floods = started(&mut pool);
        assert_eq!(ids(&floods), ["MF-11", "MF-12"]);
        // One of them has only to wait.
        pool.rests(FLOODS);
        floods[0].lane = SLOW;
        floods.extend(started(&mut pool));
        assert_eq!(ids(&floods), ["MF-11", "MF-12", "WR-06"]);
        end(&mut pool, &plan, floods.split_off(1));
        for id in ["HO-10", "HO-08"] {
            let alone = started(&mut pool);
            assert_eq!(ids(&alone), [id]);
            end(&mut pool, &plan, alone);
        }
        end(&mut pool, &plan, floods);
        assert!(pool.is_idle());
        assert_eq!(pool.left, [0]);
    }

    #[test]
    fn all_plans_and_repetitions_share_the_pool_but_slow_runs_take_no_place_in_it() {
        let plans = vec![plan(&FLAGGED[7..]); 3];
        let how = How { repeat: 2, ..how(5) };
        let jobs = started(&mut Pool::new(&plans, &how));
        let count = |id| jobs.iter().filter(|job| job.case.id == id).count();
        assert_eq!((count("MT-08"), count("HS-01")), (6, 5));
        assert_eq!(jobs.iter().map(|job| job.plan).max(), Some(2));
    }

    #[test]
    fn a_plan_is_complete_with_its_last_run_and_told_of_once() {
        let plans = [plan(&FLAGGED[7..]), plan(&[])];
        let mut told = Vec::new();
        let complete = |number, runs: &[Run]| {
            told.push((number, runs.len()));
            Ok::<_, Infallible>(())
        };
        let how = How { repeat: 3, ..how(64) };
        let (stopped, progress) = (AtomicBool::new(false), Progress::new(1));
        let Ok(()) = run_all(&plans, &how, &stopped, &progress, complete);
        assert_eq!(told, [(0, 6), (1, 0)]);
    }

    #[test]
    fn what_is_finished_is_told_when_all_is_stopped() {
        let mut told = Vec::new();
        let complete = |number, runs: &[Run]| {
            told.push((number, runs.len()));
            Ok::<_, Infallible>(())
        };
        let (stopped, progress) = (AtomicBool::new(true), Progress::new(1));
        let Ok(()) = run_all(&[plan(&FLAGGED)], &how(64), &stopped, &progress, complete);
        assert_eq!(told, [(0, 0)]);
    }
}
