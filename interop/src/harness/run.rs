//! Runs planned transfers, one after the other or side by side.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Outcome, Progress, Run, Shims, Transfer, Via};

/// Runs transfers, `jobs` at a time, and returns what came of each, in the order of the plan.
///
/// A transfer of a pair that may retry its connect is tried up to three times. A pair with a stack
/// of the registry that failed in each of its first rounds is not tried in further ones: such a
/// failure mostly is a limit of two minutes that runs out.
///
/// # Errors
///
/// When the harness itself fails.
pub async fn run(
    transfers: Vec<Transfer>,
    jobs: usize,
    shims: &Shims,
    progress: &Progress,
) -> io::Result<Vec<Run>> {
    let seats = Arc::new(Semaphore::new(jobs.max(1)));
    let mut running = JoinSet::new();
    let mut runs: Vec<Option<Run>> = Vec::new();
    let mut plan = transfers.into_iter().enumerate();
    let mut hopeless = Hopeless::default();
    loop {
        // A transfer starts only when there is a seat, so that a single job keeps the order.
        tokio::select! {
            seat = Arc::clone(&seats).acquire_owned(), if plan.len() > 0 => {
                let seat = seat.map_err(io::Error::other)?;
                let Some((index, transfer)) = plan.next() else { continue };
                if hopeless.contains(&transfer) {
                    progress.skip();
                    continue;
                }
                progress.start(&transfer);
                let shims = shims.clone();
                running.spawn(async move {
                    let run = attempt(&transfer, &shims).await;
                    drop(seat);
                    run.map(|run| (index, transfer, run))
                });
            }
            Some(done) = running.join_next() => {
                let (index, transfer, run) = done.map_err(io::Error::other)??;
                hopeless.note(&transfer, run.sha256_ok);
                progress.finish(&run, run.error.is_some());
                runs.resize_with(runs.len().max(index + 1), || None);
                runs[index] = Some(run);
            }
            else => break,
        }
    }
    Ok(runs.into_iter().flatten().collect())
}

/// Which transfers failed as often as they ran.
#[derive(Debug, Default)]
struct Hopeless(HashMap<String, Option<u32>>);

impl Hopeless {
    /// Takes what came of one. A success is never forgotten.
    fn note(&mut self, transfer: &Transfer, passed: bool) {
        let failures = self.0.entry(Self::key(transfer)).or_insert(Some(0));
        *failures = if passed { None } else { failures.map(|count| count + 1) };
    }

    /// Whether another round shows nothing new.
    fn contains(&self, transfer: &Transfer) -> bool {
        let failures = self.0.get(&Self::key(transfer)).copied().flatten().unwrap_or(0);
        transfer.pair.has_foreign() && failures >= FAILURES_ENOUGH
    }

    /// What the rounds of a transfer agree in.
    fn key(transfer: &Transfer) -> String {
        format!("{transfer} {:?}", transfer.syn_seq)
    }
}

/// Runs a transfer, again if it may be and did not connect.
async fn attempt(transfer: &Transfer, shims: &Shims) -> io::Result<Run> {
    let mut transfer = transfer.clone();
    let mut attempts = 1;
    loop {
        let outcome = transfer.run(shims).await?;
        if attempts == CONNECT_ATTEMPTS || !may_retry(&transfer, &outcome) {
            return Ok(Run::new(&transfer, &outcome, attempts));
        }
        attempts += 1;
        // With the same losses it would fail in the same way.
        if let Via::Relay { seed, .. } = &mut transfer.via {
            *seed = seed.wrapping_add(RETRY_SEED_STEP);
        }
    }
}

fn may_retry(transfer: &Transfer, outcome: &Outcome) -> bool {
    outcome.received.is_err() && !outcome.connected && transfer.pair.may_retry_connect()
}

/// How often a pair that loses connections by design may try.
const CONNECT_ATTEMPTS: u32 = 3;

/// So many failures, and no success, of a stack of the registry.
const FAILURES_ENOUGH: u32 = 2;

/// Far beyond the number of transfers, which count their seeds up from the first.
const RETRY_SEED_STEP: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Impairment, Matrix, Pair, Plan, STACKS};

    fn first(pair: &str) -> Transfer {
        let pair: Pair = pair.parse().expect("a pair");
        let matrix = Matrix {
            pairs: vec![pair],
            families: vec![crate::harness::Family::V4],
            directions: Vec::new(),
            udp_buffer: 1 << 20,
        };
        let plan = Plan {
            impairment: Impairment::Loss,
            bytes: 1,
            rounds: 1,
            look: false,
            seed: 1,
            namespaces: None,
            pcap: None,
        };
        matrix.transfers(&plan).swap_remove(0)
    }

    #[test]
    fn only_a_stack_of_the_registry_that_never_succeeds_is_given_up() {
        assert!(STACKS.len() > 2);
        for (pair, one_succeeds, given_up) in
            [("ours:utp", false, true), ("ours:utp", true, false), ("ours:libutp", false, false)]
        {
            let (mut hopeless, transfer) = (Hopeless::default(), first(pair));
            hopeless.note(&transfer, one_succeeds);
            assert!(!hopeless.contains(&transfer), "one failure is not enough");
            hopeless.note(&transfer, false);
            hopeless.note(&transfer, false);
            assert_eq!(hopeless.contains(&transfer), given_up, "{pair} {one_succeeds}");
            assert!(!hopeless.contains(&first("utp-rs:ours")), "another pair");
        }
    }
}
