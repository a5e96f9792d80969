//! What the runs of a case say together.

use super::case::{Case, Flag};
use super::known::Known;
use super::run::{Run, Verdict};

/// What came of a case with one implementation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) id: String,
    pub(crate) verdict: Verdict,
    /// Why, in a line; empty for a pass.
    pub(crate) reason: String,
    /// Repetitions did not agree, which counts as a failure.
    pub(crate) flaky: bool,
    /// The case stands in no table that names other projects than this one.
    pub(crate) unpublished: bool,
}

impl Outcome {
    /// The outcome of a case from all of its runs, of which there is at least one.
    pub(crate) fn of(case: &Case, runs: &[&Run], known: &Known) -> Self {
        let worst = runs.iter().max_by_key(|run| run.verdict);
        let (mut verdict, mut reason) = worst.map_or_else(
            || (Verdict::Skip, "not run".into()),
            |run| (run.verdict, first_line(run)),
        );
        // A skip on one family does not hide that the other passed.
        if verdict == Verdict::Skip && runs.iter().any(|run| run.verdict == Verdict::Pass) {
            verdict = Verdict::Pass;
            reason.clear();
        }
        let flaky = runs.iter().any(|run| {
            runs.iter().any(|other| other.family == run.family && other.verdict != run.verdict)
        });
        let bad = runs.iter().filter(|run| run.verdict.is_bad()).count();
        if flaky && verdict.is_bad() {
            reason = format!("flaky, {bad} of {} runs: {reason}", runs.len());
        } else if let Some(run) = worst.filter(|run| run.verdict.is_bad() && bad < runs.len()) {
            reason = format!("IP{} only: {reason}", run.family);
        }
        match (known.failure(&case.id), verdict) {
            (Some(known), Verdict::Fail | Verdict::Crash) if !flaky => {
                verdict = Verdict::Known;
                reason.clone_from(&known.reason);
            }
            (Some(_), Verdict::Pass) => {
                verdict = Verdict::Fail;
                reason = "it passes, and is listed as a known failure".into();
            }
            _ => {}
        }
        let crashed = runs.iter().any(|run| run.verdict == Verdict::Crash);
        Self { id: case.id.clone(), verdict, reason, flaky, unpublished: crashed }
    }

    /// The outcome of a case that is not run against other stacks than ours.
    pub(crate) fn withheld(case: &Case) -> Self {
        let reason = "run against our own stack only".to_owned();
        let id = case.id.clone();
        Self { id, verdict: Verdict::Skip, reason, flaky: false, unpublished: true }
    }
}

/// Whether a case may be run against an implementation.
pub(crate) fn is_fair(case: &Case, is_ours: bool, known: &Known) -> bool {
    is_ours || !(case.has(Flag::Hostile) || known.leaves_out(&case.id))
}

fn first_line(run: &Run) -> String {
    run.reason.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::case::Grade;
    use crate::harness::Family;

    fn case() -> Case {
        Case::rust("HS-01", Grade::Must, "", "", |_| Ok(()))
    }

    fn run(family: Family, verdict: Verdict) -> Run {
        Run {
            id: "HS-01".into(),
            family,
            verdict,
            reason: "why\ntrace".into(),
            place: String::new(),
            trace: String::new(),
            seconds: 1.0,
        }
    }

    fn outcome(runs: &[Run], known: &Known) -> Outcome {
        Outcome::of(&case(), &runs.iter().collect::<Vec<_>>(), known)
    }

    #[test]
    fn repetitions_that_disagree_are_a_failure() {
        let runs = [Verdict::Pass, Verdict::Fail, Verdict::Pass].map(|v| run(Family::V4, v));
        let outcome = outcome(&runs, &Known::default());
        assert_eq!((outcome.verdict, outcome.flaky), (Verdict::Fail, true));
        assert_eq!(outcome.reason, "flaky, 1 of 3 runs: why");
    }

    #[test]
    fn a_failure_on_one_family_is_named() {
        let runs = [run(Family::V4, Verdict::Pass), run(Family::V6, Verdict::Fail)];
        assert_eq!(outcome(&runs, &Known::default()).reason, "IPv6 only: why");
        let runs = [run(Family::V4, Verdict::Pass), run(Family::V6, Verdict::Skip)];
        assert_eq!(outcome(&runs, &Known::default()).verdict, Verdict::Pass);
    }

    #[test]
    fn what_is_left_out_or_crashes_is_not_published() {
        let known = "[HS-01]\nreason = \"so\"\nlink = \"there\"\nleft_out = true\n";
        let known: Known = toml::from_str(known).expect("known");
        assert!(!is_fair(&case(), false, &known) && is_fair(&case(), true, &known));
        assert!(is_fair(&case(), false, &Known::default()));
        assert!(Outcome::withheld(&case()).unpublished);
        let of = |verdict| outcome(&[run(Family::V4, verdict)], &Known::default());
        assert!(of(Verdict::Crash).unpublished && !of(Verdict::Fail).unpublished);
    }

    #[test]
    fn what_is_known_to_fail_may_fail_and_may_not_pass() {
        let known = toml::from_str("[HS-01]\nreason = \"so\"\nlink = \"there\"\n").expect("known");
        let failed = outcome(&[run(Family::V4, Verdict::Crash)], &known);
        assert_eq!((failed.verdict, failed.reason.as_str()), (Verdict::Known, "so"));
        assert_eq!(outcome(&[run(Family::V4, Verdict::Pass)], &known).verdict, Verdict::Fail);
    }
}
