//! One run of one case, and what came of it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::case::{Body, Case, Flag};
use super::own_network;
use super::peer::{Peer, Target};
use super::pulse::Beats;
use super::stop::Stop;
use crate::harness::Family;

/// What came of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// The implementation has what is asked for.
    Pass,
    /// The case was not run: the implementation or the machine cannot do what it takes.
    Skip,
    /// It failed, as is written down.
    Known,
    /// It failed while the machine was late, and so is not judged.
    Late,
    Fail,
    /// The process ended on its own.
    Crash,
    /// The runner failed.
    Internal,
}

impl Verdict {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Known => "known",
            Self::Late => "late",
            Self::Fail => "fail",
            Self::Crash => "crash",
            Self::Internal => "internal",
        }
    }

    /// Whether it makes the whole run fail.
    pub(crate) const fn is_bad(self) -> bool {
        matches!(self, Self::Late | Self::Fail | Self::Crash | Self::Internal)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What came of one run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) family: Family,
    pub(crate) verdict: Verdict,
    /// Why, in a line; empty for a pass.
    pub(crate) reason: String,
    /// Where the case says so.
    pub(crate) place: String,
    /// The packets and events around the failure, or all of them if they were asked for.
    pub(crate) trace: String,
    pub(crate) seconds: f64,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:<5} {:>7.3} s", self.id, self.family, self.verdict, self.seconds)?;
        if self.verdict == Verdict::Skip {
            write!(f, "  {}", self.reason)?;
        }
        if self.verdict.is_bad() {
            if !self.place.is_empty() {
                write!(f, "\n  {}", self.place)?;
            }
            write!(f, "\n  {}\n{}", self.reason.replace('\n', "\n  "), self.trace.trim_end())?;
        }
        Ok(())
    }
}

/// Runs a case once; `whole` keeps the whole trace, also when it passes.
///
/// A failure counts only if the times that the case prescribes were kept: a machine that held it up
/// has measured itself.
pub(crate) fn run(case: &Case, target: &Target, family: Family, beats: &Beats, whole: bool) -> Run {
    let started = Instant::now();
    let done = |verdict, reason: String, place: String, trace: String| Run {
        id: case.id.clone(),
        family,
        verdict,
        reason,
        place,
        trace,
        seconds: started.elapsed().as_secs_f64(),
    };
    let plain = |verdict, reason| done(verdict, reason, String::new(), String::new());
    if let Some(ability) = case.needs.iter().find(|ability| target.lacks.contains(ability)) {
        return plain(Verdict::Skip, format!("{} cannot do: {ability}", target.name));
    }
    // Each run has a thread of its own, whose sockets and processes are then those of the network.
    if case.has(Flag::OwnNetwork)
        && let Err(error) = own_network::enter()
    {
        return plain(Verdict::Skip, format!("no network of its own: {error}"));
    }
    let mut peer = match Peer::new(target.clone(), family, case.limit) {
        Ok(peer) => peer,
        Err(stop) => return plain(Verdict::Internal, format!("{stop:?}")),
    };
    // A mistake in a case must not take the other cases with it.
    let result = catch_unwind(AssertUnwindSafe(|| match &case.body {
        Body::Rust(body) => body(&mut peer),
        Body::Script(script) => script.run(&mut peer),
    }));
    let late = peer.late();
    let (crash, left, trace) = peer.finish();
    let trace = if whole { trace.whole() } else { trace.excerpt() };
    let run = match (result, crash) {
        (Err(_), _) => done(Verdict::Internal, "the case panicked".into(), String::new(), trace),
        (Ok(Err(Stop::Internal(why))), _) => done(Verdict::Internal, why, String::new(), trace),
        (Ok(Err(Stop::Skip(why))), _) => done(Verdict::Skip, why, String::new(), trace),
        (Ok(Err(Stop::Fail(failure))), Some(crash)) => {
            done(Verdict::Crash, crash, failure.place, trace)
        }
        (Ok(Ok(()) | Err(Stop::Late(_))), Some(crash)) => {
            done(Verdict::Crash, crash, String::new(), trace)
        }
        (Ok(Err(Stop::Late(why))), None) => done(Verdict::Late, why, String::new(), trace),
        (Ok(Err(Stop::Fail(failure))), None) => {
            done(Verdict::Fail, failure.what, failure.place, trace)
        }
        (Ok(Ok(())), None) if !left => {
            let why = "the shim did not leave within 5 s of `quit`";
            done(Verdict::Fail, why.into(), String::new(), trace)
        }
        (Ok(Ok(())), None) => done(Verdict::Pass, String::new(), String::new(), trace),
    };
    let late = late.max(beats.late_since(started));
    match run.verdict {
        // What takes minutes does not hang on a moment of them.
        Verdict::Fail if late > LATE_MAX && !case.has(Flag::Slow) => {
            let reason = format!("{} ms late: {}", late.as_millis(), run.reason);
            Run { verdict: Verdict::Late, reason, ..run }
        }
        _ => run,
    }
}

/// How late the machine may be: the cases that keep times prescribe round trips of some 50 ms.
const LATE_MAX: Duration = Duration::from_millis(40);
