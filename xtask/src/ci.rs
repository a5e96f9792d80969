//! `cargo xtask ci`: the checks of continuous integration, one named step after the other.

mod compare;
mod steps;

use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::command::Failure;

pub(crate) const HELP: &str = "\
Examples:
  cargo xtask ci
  cargo xtask ci fmt clippy

A step that fails ends the run. The last line counts the steps: N passed, M failed.";

/// A step of ci. They run in this order: what is quick and fails often comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Step {
    /// Every file is formatted as rustfmt does it
    Fmt,
    /// The layout rules and the direction of the dependencies hold
    Tidy,
    /// The compiler and clippy have nothing to say
    Clippy,
    /// The documentation builds without a warning
    Doc,
    /// Each library builds by itself, without what others turn on
    Alone,
    /// Every test and every example of the documentation passes
    Test,
    /// Every MUST of the requirements has a test, and the table that says which is up to date
    Cite,
    /// Every bug that is planted in the core is caught by its test
    Canaries,
    /// Random operations on two endpoints, 2 000 seeds, break no promise
    Swarm,
    /// Random scripts of two applications, 1 000 seeds, end over this stack and libutp, in both
    /// orders, as they ask for, or differ for a reason that is known
    Differential,
    /// Scenarios of every kind give what they expect, and the results that are committed; cargo
    /// xtask results --check runs all of them
    Simulate,
    /// Our presets of libutp's law do in the simulator what libutp does there
    Reference,
    /// A scenario gives the same bytes when run again, and in a debug build
    Determinism,
    /// Transfers between all implementations arrive over real UDP
    Interop,
    /// This stack passes every case of conformance that takes less than minutes; what libutp does
    /// is shown
    Conformance,
    /// No hot path of the core takes 5 % more instructions than before; needs valgrind, and is
    /// skipped without
    Instructions,
    /// Programs of C and C++ hear from the C library, and from libutp, what is kept
    Capi,
}

/// How a step ended.
struct Outcome {
    step: Step,
    took: Duration,
    result: Result<(), Failure>,
}

/// Runs `chosen`, or every step when it is empty, up to the first that fails.
pub(crate) fn run(chosen: &[Step]) -> Result<(), Failure> {
    let steps = in_order(chosen);
    let mut outcomes = Vec::new();
    for (index, &step) in steps.iter().enumerate() {
        println!("== {} ({} of {})", name(step), index + 1, steps.len());
        let start = Instant::now();
        let result = steps::run(step);
        let failed = result.is_err();
        outcomes.push(Outcome { step, took: start.elapsed(), result });
        if failed {
            break;
        }
    }
    print!("{}", summary(&steps, &outcomes));
    match outcomes.iter().all(|outcome| outcome.result.is_ok()) {
        true => Ok(()),
        // The summary has said which step it was.
        false => Err(Failure::Status(1)),
    }
}

/// Every chosen step once, in the order of the definition.
fn in_order(chosen: &[Step]) -> Vec<Step> {
    let wanted = |step: &&Step| chosen.is_empty() || chosen.contains(step);
    Step::value_variants().iter().filter(wanted).copied().collect()
}

fn name(step: Step) -> String {
    step.to_possible_value().expect("no step is hidden").get_name().to_owned()
}

/// One line for each step, and a last one that counts them.
fn summary(steps: &[Step], outcomes: &[Outcome]) -> String {
    let mut lines = vec!["== summary".to_owned()];
    for outcome in outcomes {
        let (name, seconds) = (name(outcome.step), outcome.took.as_secs_f64());
        lines.push(match &outcome.result {
            Ok(()) => format!("pass  {name:<12} {seconds:>7.1} s"),
            Err(failure) => format!("FAIL  {name:<12} {seconds:>7.1} s  {failure}"),
        });
    }
    for &step in &steps[outcomes.len()..] {
        lines.push(format!("not run  {}", name(step)));
    }
    let passed = outcomes.iter().filter(|outcome| outcome.result.is_ok()).count();
    lines.push(format!("{passed} passed, {} failed\n", outcomes.len() - passed));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_steps_run_once_and_in_the_order_of_the_definition() {
        assert_eq!(in_order(&[Step::Doc, Step::Fmt, Step::Doc]), [Step::Fmt, Step::Doc]);
        assert_eq!(in_order(&[]).len(), Step::value_variants().len());
    }

    #[test]
    fn the_summary_names_what_failed_and_ends_with_the_count() {
        let outcome = |step, result| Outcome { step, took: Duration::from_millis(1250), result };
        let outcomes = [
            outcome(Step::Fmt, Ok(())),
            outcome(Step::Tidy, Err(Failure::Check("tidy: 2 violations".to_owned()))),
        ];
        let expected = "\
== summary
pass  fmt              1.2 s
FAIL  tidy             1.2 s  tidy: 2 violations
not run  clippy
1 passed, 1 failed
";
        assert_eq!(summary(&[Step::Fmt, Step::Tidy, Step::Clippy], &outcomes), expected);
    }
}
