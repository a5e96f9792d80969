//! A case of the matrix: what its repetitions have in common.

use serde::{Deserialize, Serialize};

use super::{Run, Spread};
use crate::harness::{Direction, Family, Impairment, Observed, Percentiles};

/// All repetitions of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The stack that connected.
    pub client: String,
    /// The stack that listened.
    pub server: String,
    /// Over which version of IP.
    pub family: Family,
    /// What lay between both sides.
    pub impairment: Impairment,
    /// Who sent.
    pub direction: Direction,
    /// Where the client's SYN number was asked to lie, `below` or `above` 0x8000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syn_seq: Option<String>,
    /// How much each sent.
    pub bytes: u64,
    /// How often it ran.
    pub rounds: usize,
    /// How often all of it arrived unchanged and in time.
    pub passed: usize,
    /// Whether it always did.
    pub sha256_ok: bool,
    /// From the first byte that arrived to the last: the median.
    pub seconds: Option<f64>,
    /// Megabits (10^6) of payload a second: the median.
    pub mbps: Option<f64>,
    /// The lowest.
    pub mbps_min: Option<f64>,
    /// How many connects one took at most.
    pub attempts: u32,
    /// How often both sides closed without an error soon after the end.
    pub closed_cleanly: usize,
    /// How long what was sent waited at the relay; the median of the rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_delay_ms: Option<Percentiles>,
    /// The delay that the receiver measured and told, above the least; the median of the rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_delay_ms: Option<Percentiles>,
    /// Datagrams in a million that the relay itself sent on late; where they are many, this machine
    /// was too busy for what is said here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay_late_ppm: Option<u64>,
    /// Why the first one failed that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The run that is shown over time.
    #[serde(skip)]
    pub shown: Option<Observed>,
}

impl Cell {
    /// The cell of a case; there is a run at least.
    pub fn of(case: &[&Run]) -> Self {
        let first = case[0];
        let counted: Vec<&Run> = case.iter().copied().filter(|run| run.round > 0).collect();
        // Where only a look is left, it stands for itself.
        let counted = if counted.is_empty() { case.to_vec() } else { counted };
        let median = |value: fn(&Run) -> Option<f64>| {
            Spread::of(counted.iter().filter_map(|run| value(run)))
        };
        let percentiles = |value: fn(&Observed) -> Option<Percentiles>| {
            let of = |run: &&Run| run.observed.as_ref().and_then(value);
            let all: Vec<Percentiles> = counted.iter().filter_map(of).collect();
            Some(Percentiles {
                p50: rounded(Spread::of(all.iter().map(|it| it.p50))?.median),
                p95: rounded(Spread::of(all.iter().map(|it| it.p95))?.median),
            })
        };
        let mbps = median(|run| run.mbps);
        let passed = counted.iter().filter(|run| run.sha256_ok).count();
        let late = counted.iter().filter_map(|run| Some(run.observed.as_ref()?.late_ppm)).max();
        Self {
            client: first.client.clone(),
            server: first.server.clone(),
            family: first.family,
            impairment: first.impairment,
            direction: first.direction,
            syn_seq: first.syn_seq.clone(),
            bytes: first.bytes,
            rounds: counted.len(),
            passed,
            sha256_ok: passed == counted.len(),
            seconds: median(|run| run.seconds).map(|spread| rounded(spread.median)),
            mbps: mbps.map(|spread| rounded(spread.median)),
            mbps_min: mbps.map(|spread| rounded(spread.min)),
            attempts: counted.iter().map(|run| run.attempts).max().unwrap_or(0),
            closed_cleanly: counted.iter().filter(|run| run.closed_cleanly).count(),
            queue_delay_ms: percentiles(|observed| observed.queue_delay),
            told_delay_ms: percentiles(|observed| observed.told_delay),
            relay_late_ppm: late,
            error: counted.iter().find_map(|run| run.error.clone()),
            shown: shown(case),
        }
    }

    /// What tables call the client.
    pub(super) fn client_name(&self) -> String {
        match self.syn_seq.as_deref() {
            Some("above") => format!("{}, SYN above", self.client),
            _ => self.client.clone(),
        }
    }
}

/// Of the runs that were observed that in the middle, by the time they took.
fn shown(case: &[&Run]) -> Option<Observed> {
    let mut observed: Vec<&&Run> = case.iter().filter(|run| run.observed.is_some()).collect();
    observed.sort_by(|a, b| {
        let seconds = |run: &Run| run.seconds.unwrap_or(f64::INFINITY);
        seconds(a).total_cmp(&seconds(b))
    });
    observed.get(observed.len().saturating_sub(1) / 2)?.observed.clone()
}

/// Three decimals say more than a measurement knows.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
