//! The results of transfers: what is kept of each, how they compare, and the files they go to.

mod bench;

use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::table::Table;
use super::{Direction, ExchangeRun, Family, Outcome, Provenance, STACKS, Transfer};
use utp_reference::SynSeq;

pub use self::bench::{BenchRatio, BenchReport, BenchRow, Spread};

/// One transfer that was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The stack that connected.
    pub client: String,
    /// The stack that listened.
    pub server: String,
    /// Over which version of IP.
    pub family: Family,
    /// `none`, or what the relay did each way, such as `20ms+1%`.
    pub impairment: String,
    /// Who sent.
    pub direction: Direction,
    /// Where the client's SYN number was asked to lie, `below` or `above` 0x8000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syn_seq: Option<String>,
    /// Which repetition, from 1.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_cpu_s: Option<f64>,
    /// Processor time of the receiving side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver_cpu_s: Option<f64>,
    /// Resident memory of the larger of both sides at its highest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_rss_kib: Option<u64>,
    /// Receive buffer that the kernel granted to the receiving side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp_recv_buffer: Option<usize>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
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
            impairment: transfer.impaired.as_ref().map_or("none", |i| &i.name).into(),
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
            udp_recv_buffer: receiver.as_ref().and_then(|stats| stats.udp_recv_buffer),
            error: outcome.received.as_ref().err().cloned(),
        }
    }

    /// `client:server`.
    pub fn pair(&self) -> String {
        format!("{}:{}", self.client, self.server)
    }

    /// What tells a case from others; its repetitions agree in it.
    fn case(&self) -> (Family, &str, Direction, &str, &str, Option<&str>, u64) {
        let syn_seq = self.syn_seq.as_deref();
        let (client, server) = (self.client.as_str(), self.server.as_str());
        (self.family, &self.impairment, self.direction, client, server, syn_seq, self.bytes)
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

/// How fast one pair is beside another, in the same run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The pair that is looked at.
    pub of: String,
    /// The pair that it is measured by.
    pub over: String,
    /// Over which version of IP.
    pub family: Family,
    /// Who sent.
    pub direction: Direction,
    /// Median speed of the one over that of the other.
    pub value: f64,
    /// What it should reach, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<f64>,
    /// Whether it does. A speed that falls short fails nothing: it says as much about the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
}

impl Ratio {
    /// A ratio with an optional goal.
    pub fn new(of: &Run, over: &Run, value: f64, goal: Option<f64>) -> Self {
        Self {
            of: of.pair(),
            over: over.pair(),
            family: of.family,
            direction: of.direction,
            value,
            goal,
            met: goal.map(|goal| value >= goal),
        }
    }
}

/// Everything that one `interop` measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where it comes from.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Whether every transfer arrived unchanged and in time, and every conversation went well.
    pub pass: bool,
    /// Every transfer.
    pub runs: Vec<Run>,
    /// Every conversation.
    pub exchanges: Vec<ExchangeRun>,
    /// Speeds over loopback, compared.
    pub ratios: Vec<Ratio>,
}

impl Report {
    /// A report on these transfers and conversations.
    pub fn new(provenance: Provenance, runs: Vec<Run>, exchanges: Vec<ExchangeRun>) -> Self {
        let pass = runs.iter().all(|run| run.sha256_ok) && exchanges.iter().all(|run| run.pass);
        let ratios = ratios(&runs, |run| {
            let ours = [&run.client, &run.server].iter().filter(|name| *name == &ours()).count();
            (ours == 1).then_some(MIXED_GOAL)
        });
        Self { provenance, pass, runs, exchanges, ratios }
    }

    /// The tables for a terminal.
    pub fn text(&self) -> String {
        let mut text = self.table().text();
        if !self.exchanges.is_empty() {
            let table = exchange_table(&self.exchanges).text();
            write!(text, "\n{table}").expect("a string takes it");
        }
        if !self.ratios.is_empty() {
            write!(text, "\n{}", ratio_table(&self.ratios).text()).expect("a string takes it");
        }
        text
    }

    /// The tables as a Markdown page.
    pub fn markdown(&self) -> String {
        let mut page = "# Transfers between implementations\n\n".to_owned();
        page += &provenance_line(&self.provenance);
        page += MATRIX_NOTES;
        page += &self.table().markdown();
        if !self.exchanges.is_empty() {
            page += EXCHANGE_NOTES;
            page += &exchange_table(&self.exchanges).markdown();
        }
        if !self.ratios.is_empty() {
            page += "\n## Beside libutp with itself, over loopback\n\n";
            page += &ratio_table(&self.ratios).markdown();
        }
        page
    }

    fn table(&self) -> Table {
        let headings = [
            "family",
            "impairment",
            "client",
            "server",
            "direction",
            "SYN",
            "result",
            "bytes",
            "seconds",
            "Mbit/s",
            "connects",
        ];
        let mut table = Table::new(7, &headings);
        for case in cases(&self.runs) {
            let first = case[0];
            let attempts = case.iter().map(|run| run.attempts).max().unwrap_or(0);
            let good = case.iter().filter(|run| run.sha256_ok).count();
            table.push(vec![
                first.family.to_string(),
                first.impairment.clone(),
                first.client.clone(),
                first.server.clone(),
                first.direction.to_string(),
                first.syn_seq.clone().unwrap_or_default(),
                if good == case.len() {
                    "ok".into()
                } else {
                    format!("FAILED {good}/{}", case.len())
                },
                first.bytes.to_string(),
                spread(case.iter().filter_map(|run| run.seconds), 3),
                spread(case.iter().filter_map(|run| run.mbps), 1),
                attempts.to_string(),
            ]);
        }
        table
    }
}

/// The repetitions of each case, cases in the order of their first.
fn cases(runs: &[Run]) -> Vec<Vec<&Run>> {
    let mut cases: Vec<Vec<&Run>> = Vec::new();
    for run in runs {
        match cases.iter_mut().find(|case| case[0].case() == run.case()) {
            Some(case) => case.push(run),
            None => cases.push(vec![run]),
        }
    }
    cases
}

/// Each pair over loopback beside libutp with itself.
fn ratios(runs: &[Run], goal: impl Fn(&Run) -> Option<f64>) -> Vec<Ratio> {
    let reference = STACKS[1].name;
    let cases = cases(runs);
    let speed = |case: &[&Run]| Spread::of(case.iter().filter_map(|run| run.mbps));
    let clean = || cases.iter().filter(|case| case[0].impairment == "none");
    let mut ratios = Vec::new();
    for case in clean() {
        let run = case[0];
        let base = clean().find(|base| {
            let base = base[0];
            base.client == reference
                && base.server == reference
                && (base.family, base.direction, base.bytes)
                    == (run.family, run.direction, run.bytes)
        });
        let Some(base) = base.filter(|base| base[0].case() != run.case()) else { continue };
        if let (Some(of), Some(over)) = (speed(case), speed(base)) {
            ratios.push(Ratio::new(run, base[0], of.median / over.median, goal(run)));
        }
    }
    ratios
}

fn exchange_table(exchanges: &[ExchangeRun]) -> Table {
    let headings = ["family", "client", "server", "conversation", "result", "seconds"];
    let mut table = Table::new(5, &headings);
    for run in exchanges {
        table.push(vec![
            run.family.to_string(),
            run.client.clone(),
            run.server.clone(),
            run.case.to_string(),
            if run.pass { "ok".into() } else { "FAILED".into() },
            format!("{:.3}", run.seconds),
        ]);
    }
    table
}

fn ratio_table(ratios: &[Ratio]) -> Table {
    let mut table =
        Table::new(4, &["family", "direction", "pair", "beside", "ratio", "goal", "met"]);
    for ratio in ratios {
        let met = ratio.met.map_or("", |met| if met { "yes" } else { "no" });
        table.push(vec![
            ratio.family.to_string(),
            ratio.direction.to_string(),
            ratio.of.clone(),
            ratio.over.clone(),
            format!("{:.2}", ratio.value),
            ratio.goal.map(|goal| format!(">= {goal}")).unwrap_or_default(),
            met.into(),
        ]);
    }
    table
}

/// Median, and lowest and highest when there are several.
fn spread(values: impl Iterator<Item = f64>, decimals: usize) -> String {
    match Spread::of(values) {
        None => "-".into(),
        Some(Spread { median, min, max }) if min < max => {
            format!("{median:.decimals$} ({min:.decimals$} to {max:.decimals$})")
        }
        Some(Spread { median, .. }) => format!("{median:.decimals$}"),
    }
}

fn provenance_line(provenance: &Provenance) -> String {
    let Provenance { commit, machine, date, command, optimised } = provenance;
    let debug = if *optimised { "" } else { " A debug build: its speeds mean nothing." };
    format!(
        "Commit {commit}, {date}, on {} with {} cores ({}), by `{command}`.{debug}\n",
        machine.cpu, machine.cores, machine.os
    )
}

/// The name of our stack.
const fn ours() -> &'static str {
    STACKS[0].name
}

/// Writes files into a folder, each under a temporary name first, so that none is ever half
/// written.
///
/// # Errors
///
/// When the folder or a file cannot be written.
pub fn write_files(folder: &Path, files: &[(&str, String)]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, text) in files {
        let temporary = folder.join(format!("{name}.tmp"));
        fs::write(&temporary, text)?;
        fs::rename(&temporary, folder.join(name))?;
    }
    Ok(())
}

/// What ours with libutp should reach beside libutp with itself.
const MIXED_GOAL: f64 = 0.8;

/// What a reader of the matrix has to know.
const MATRIX_NOTES: &str = "
Speeds are medians of all rounds, lowest and highest in parentheses. Time counts from the first
byte that arrives to the last. `SYN` tells where the client's SYN number lies: libutp has no fast
retransmit `above` 0x7fff. `connects` counts attempts: libutp loses a connection whose first answer
is lost.

";

/// What a reader of the conversations has to know.
const EXCHANGE_NOTES: &str = "
## Conversations

Neither side may end in an error. `many-short` is 1000 connections of 2000 bytes, 50 at a time;
libutp keeps each for up to half a second after its end.

";

#[cfg(test)]
mod tests;
