//! Runs planned transfers, one after the other or side by side.

use std::io;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Outcome, Progress, Run, Shims, Transfer, Via};

/// Runs transfers, `jobs` at a time, and returns what came of each, in the order of the plan.
///
/// A transfer of a pair that may retry its connect is tried up to three times.
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
    loop {
        // A transfer starts only when there is a seat, so that a single job keeps the order.
        tokio::select! {
            seat = Arc::clone(&seats).acquire_owned(), if plan.len() > 0 => {
                let seat = seat.map_err(io::Error::other)?;
                let Some((index, transfer)) = plan.next() else { continue };
                progress.start(&transfer);
                let shims = shims.clone();
                running.spawn(async move {
                    let run = attempt(&transfer, &shims).await;
                    drop(seat);
                    run.map(|run| (index, run))
                });
            }
            Some(done) = running.join_next() => {
                let (index, run) = done.map_err(io::Error::other)??;
                progress.finish(&run, run.error.is_some());
                runs.resize_with(runs.len().max(index + 1), || None);
                runs[index] = Some(run);
            }
            else => break,
        }
    }
    Ok(runs.into_iter().flatten().collect())
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

/// Far beyond the number of transfers, which count their seeds up from the first.
const RETRY_SEED_STEP: u64 = 1_000_000;
