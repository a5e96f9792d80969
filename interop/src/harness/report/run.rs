//! What is kept of one transfer that was run.

use std::fmt;

use utp_reference::SynSeq;

use crate::harness::{Direction, Family, Impairment, Observed, Outcome, Transfer};
use crate::relay::CaptureFile;

/// One transfer that was run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
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
    pub syn_seq: Option<String>,
    /// Which repetition, from 1; 0 if its speed counts for nothing.
    pub round: u32,
    /// How much was to be sent.
    pub bytes: u64,
    /// Whether all of it arrived, unchanged.
    pub sha256_ok: bool,
    /// From the first byte that arrived to the last.
    pub seconds: Option<f64>,
    /// Megabits (10^6) of payload a second.
    pub mbps: Option<f64>,
    /// How many connects it took.
    pub attempts: u32,
    /// Whether both sides closed without an error soon after the end.
    pub closed_cleanly: bool,
    /// Processor time of the sending side.
    pub sender_cpu_s: Option<f64>,
    /// Processor time of the receiving side.
    pub receiver_cpu_s: Option<f64>,
    /// Resident memory of the larger of both sides at its highest.
    pub peak_rss_kib: Option<u64>,
    /// What a relay saw of it.
    pub observed: Option<Observed>,
    /// Captures that the relay made.
    pub captures: Vec<CaptureFile>,
    /// Why it failed.
    pub error: Option<String>,
}

impl Run {
    /// What is kept of a transfer.
    pub fn new(transfer: &Transfer, outcome: &Outcome, attempts: u32) -> Self {
        let (sender, receiver) = match transfer.direction {
            Direction::ClientSends => (&outcome.client, &outcome.server),
            Direction::ServerSends => (&outcome.server, &outcome.client),
        };
        let cpu = |side: &Option<crate::shim::Stats>| side.as_ref().and_then(|stats| stats.cpu_s);
        let rss = [sender, receiver].into_iter().flatten().filter_map(|stats| stats.peak_rss_kib);
        let seconds = outcome.received.as_ref().ok().map(|received| received.seconds);
        Self {
            client: transfer.pair.client.name.into(),
            server: transfer.pair.server.name.into(),
            family: transfer.family,
            impairment: transfer.impairment,
            direction: transfer.direction,
            syn_seq: match transfer.syn_seq {
                SynSeq::Above => Some("above".into()),
                SynSeq::Any => None,
                SynSeq::Below => Some("below".into()),
            },
            round: transfer.round,
            bytes: transfer.bytes,
            sha256_ok: outcome.received.is_ok(),
            seconds,
            mbps: seconds
                .filter(|seconds| *seconds > 0.0)
                .map(|seconds| transfer.bytes as f64 * 8.0 / 1e6 / seconds),
            attempts,
            closed_cleanly: outcome.closed_cleanly,
            sender_cpu_s: cpu(sender),
            receiver_cpu_s: cpu(receiver),
            peak_rss_kib: rss.max(),
            observed: outcome.observed.clone(),
            captures: outcome.captures.clone(),
            error: outcome.received.as_ref().err().cloned(),
        }
    }

    /// `client:server`.
    pub fn pair(&self) -> String {
        format!("{}:{}", self.client, self.server)
    }

    /// What tells a case from others; its repetitions agree in it.
    pub(super) fn case(&self) -> (Impairment, Family, Direction, &str, &str, Option<&str>, u64) {
        let syn_seq = self.syn_seq.as_deref();
        let (client, server) = (self.client.as_str(), self.server.as_str());
        (self.impairment, self.family, self.direction, client, server, syn_seq, self.bytes)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, impairment, direction, .. } = self;
        write!(f, "{} {family} {impairment} {direction}", self.pair())?;
        if let Some(syn_seq) = &self.syn_seq {
            write!(f, " syn-{syn_seq}")?;
        }
        match (&self.error, self.seconds) {
            (Some(error), _) => write!(f, ": FAILED: {error}"),
            (None, seconds) => {
                let (seconds, mbps) = (seconds.unwrap_or(0.0), self.mbps.unwrap_or(0.0));
                write!(f, ": {} bytes, {seconds:.3} s, {mbps:.1} Mbit/s", self.bytes)
            }
        }
    }
}

/// The repetitions of each case, cases in the order of their first.
pub(super) fn cases(runs: &[Run]) -> Vec<Vec<&Run>> {
    let mut cases: Vec<Vec<&Run>> = Vec::new();
    for run in runs {
        match cases.iter_mut().find(|case| case[0].case() == run.case()) {
            Some(case) => case.push(run),
            None => cases.push(vec![run]),
        }
    }
    cases
}
