//! Runs a script over all pairs of stacks, and looks for a shorter one that fails as well.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::judge::{Finding, judge};
use crate::run::{Outcome, Pair, run};
use crate::script::Script;

/// What came of a script over one pair of stacks.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The stacks.
    pub pair: Pair,
    /// What is not as the script asks for, each with its reason; or what nothing explains.
    pub findings: Result<Vec<Finding>, String>,
    /// Packets sent.
    pub packets: usize,
    /// A hash of all of them.
    pub hash: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Virtual time.
    pub took_us: u64,
}

/// Runs `script` over every pair. A panic is one more thing that nothing explains, and so is a
/// second run that gives other packets, which every sixteenth seed has.
#[must_use]
pub fn check(script: &Script) -> Vec<Verdict> {
    Pair::ALL.into_iter().map(|pair| check_pair(script, pair)).collect()
}

fn check_pair(script: &Script, pair: Pair) -> Verdict {
    let outcome = caught(script, pair);
    let findings = outcome.as_ref().map_err(Clone::clone).and_then(|outcome| {
        if script.seed.is_multiple_of(16) && caught(script, pair).as_ref() != Ok(outcome) {
            return Err("two runs differ".to_owned());
        }
        judge(script, outcome)
    });
    let read = |outcome: &Outcome| outcome.seen.iter().flatten().map(|seen| seen.read).sum();
    let outcome = outcome.as_ref();
    Verdict {
        pair,
        findings,
        packets: outcome.map_or(0, |outcome| outcome.log.len()),
        hash: outcome.map_or(0, |outcome| outcome.hash),
        bytes: outcome.map_or(0, read),
        took_us: outcome.map_or(0, |outcome| outcome.took_us),
    }
}

fn caught(script: &Script, pair: Pair) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| run(script, pair))).map_err(|panic| {
        let words = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        format!("panic: {}", words.unwrap_or("without words"))
    })
}

/// Leaves steps and faults out of a script as long as something about it is unexplained.
#[must_use]
pub fn shrink(script: &Script) -> Script {
    let fails = |script: &Script| check(script).iter().any(|verdict| verdict.findings.is_err());
    let mut script = script.clone();
    loop {
        let shorter = shorter(&script).into_iter().find(&fails);
        match shorter {
            Some(shorter) => script = shorter,
            None => return script,
        }
    }
}

/// The script without one of its parts, for each of them.
fn shorter(script: &Script) -> Vec<Script> {
    let mut all = Vec::new();
    let mut without = |remove: &dyn Fn(&mut Script)| {
        let mut one = script.clone();
        remove(&mut one);
        all.push(one);
    };
    for at in 0..script.faults.len() {
        without(&|script| _ = script.faults.remove(at));
    }
    for side in [0, 1] {
        for at in 0..script.sides[side].writes.len() {
            without(&|script| _ = script.sides[side].writes.remove(at));
        }
        for at in 0..script.sides[side].reads.len() {
            without(&|script| _ = script.sides[side].reads.remove(at));
        }
        if script.sides[side].receive_buffer_bytes.is_some() {
            without(&|script| script.sides[side].receive_buffer_bytes = None);
        }
    }
    all
}
