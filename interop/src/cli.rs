//! The command line of the harness.

use std::io::{self, Write};
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use utp_interop::conformance::Conformance;
use utp_interop::harness::{
    BenchReport, Case, Direction, ExchangeRun, Family, Loopback, Matrix, Pair, Progress,
    Provenance, Relayed, Report, Run, Shims, Stack, Transfer, exchanges, run, run_exchanges,
    write_files,
};
use utp_interop::relay::{Path, Reordering};
use utp_interop::shim::{parse_buffer, parse_size};

/// Transfers between uTP implementations over real UDP, each in a process of its own, and the
/// conformance suite.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Task,
}

const EXAMPLES: &str = "\
Examples:
  utp-interop interop                            everything; writes results/interop
  utp-interop interop --quick --json             what CI runs
  utp-interop interop --pair ours:libutp --family v4 --no-relay
  utp-interop interop --no-loopback --no-exchanges --relay-size 1MiB --delay 100 --loss-ppm 50000
  utp-interop interop --no-loopback --no-relay --pair ours:libutp --case many-short
  utp-interop bench                              256 MiB, ours beside libutp; writes results/bench

Exit status: 0 every transfer arrived unchanged and in time, 1 one did not, 2 wrong usage,
3 internal error. A speed that misses its goal is shown and fails nothing.";

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    #[command(flatten)]
    Transfers(Transfers),
    /// A scripted peer against one implementation, case by case.
    #[command(after_help = CONFORMANCE_EXAMPLES)]
    Conformance(Conformance),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Transfers {
    /// Every pair over loopback, in short conversations, and through an impairment relay.
    #[command(after_help = EXAMPLES)]
    Interop(Interop),
    /// Throughput over loopback: each implementation with itself, in turns.
    #[command(after_help = EXAMPLES)]
    Bench(Bench),
}

const CONFORMANCE_EXAMPLES: &str = "\
Examples:
  utp-interop conformance                          every case against ours, once
  utp-interop conformance --impl libutp --group SK
  utp-interop conformance --case HS-02 --family v4 --trace
  utp-interop conformance --shim target/canary/utp-peer --json
  utp-interop conformance --impl all --slow --repeat 3    writes results/conformance

Exit status: 0 nothing failed that is not expected to, 1 a case failed, 2 wrong usage or a wrong
script, 3 internal error, 130 after Ctrl-C.";

#[derive(Debug, Args)]
pub(crate) struct Interop {
    #[command(flatten)]
    common: Common,
    /// Every pair of these stacks, or `all`; may be repeated [default: utp-tokio and libutp].
    #[arg(long = "impl", value_name = "NAME", conflicts_with = "pairs")]
    stacks: Vec<String>,
    /// Only this pair, CLIENT:SERVER by the names of the stacks, or ours; may be repeated.
    #[arg(long = "pair", value_name = "CLIENT:SERVER")]
    pairs: Vec<Pair>,
    /// Only this side as sender.
    #[arg(long = "direction", value_enum)]
    directions: Vec<Direction>,
    /// Small sizes and one round, for CI.
    #[arg(long)]
    quick: bool,
    /// Bytes of each transfer over loopback [default: 64MiB, quick 8MiB].
    #[arg(long, value_name = "BYTES", value_parser = parse_length)]
    size: Option<u64>,
    /// Bytes of each transfer through the relay [default: 8MiB, quick 1MiB].
    #[arg(long, value_name = "BYTES", value_parser = parse_length)]
    relay_size: Option<u64>,
    /// Leave out the transfers over loopback.
    #[arg(long)]
    no_loopback: bool,
    /// Leave out the transfers through the relay.
    #[arg(long)]
    no_relay: bool,
    /// Leave out the conversations: closing in every order, half closes, many short connections.
    #[arg(long)]
    no_exchanges: bool,
    /// Only this conversation; may be repeated.
    #[arg(long = "case", value_enum, conflicts_with = "no_exchanges")]
    cases: Vec<Case>,
    /// One-way delay of the relay, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    delay: u64,
    /// Datagrams in a million that the relay loses, each way [default: 10000, then 50000, then
    /// none with reordering].
    #[arg(long, value_name = "PPM", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    loss_ppm: Option<u32>,
    /// Datagrams in a million that the relay lets arrive 8 ms late, each way.
    #[arg(long, value_name = "PPM", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    reorder_ppm: Option<u32>,
    /// Seeds the relay's losses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Transfers through the relay that run side by side.
    #[arg(long, default_value_t = 12)]
    jobs: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    common: Common,
    /// Only this implementation; may be repeated.
    #[arg(long = "impl", value_name = "NAME")]
    stacks: Vec<String>,
    /// Bytes of each transfer.
    #[arg(long, value_name = "BYTES", default_value = "256MiB", value_parser = parse_length)]
    size: u64,
}

#[derive(Debug, Args)]
struct Common {
    /// Only this version of IP; may be repeated.
    #[arg(long = "family", value_enum)]
    families: Vec<Family>,
    /// How often each transfer over loopback runs [default: 5, quick 1].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Kernel buffers of every UDP socket.
    #[arg(long, value_name = "BYTES", default_value = "4MiB", value_parser = parse_buffer)]
    udp_buffer: usize,
    /// Print the summary as JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Write the results here. A full run goes to its place under results/ by itself.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where the shims are; beside this program when left out.
    #[arg(long, value_name = "DIR")]
    shims: Option<PathBuf>,
}

/// Why nothing came of it.
pub(crate) enum Failure {
    /// What was asked for cannot be done.
    Usage(String),
    /// The harness failed.
    Internal(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Internal(error.into())
    }
}

impl Transfers {
    /// Does what was asked. False when a transfer failed.
    pub(crate) async fn run(self) -> Result<bool, Failure> {
        if cfg!(debug_assertions) {
            eprintln!("utp-interop: a debug build: speeds mean nothing, use --release");
        }
        match self {
            Self::Interop(interop) => interop.run().await,
            Self::Bench(bench) => bench.run().await,
        }
    }
}

impl Interop {
    async fn run(self) -> Result<bool, Failure> {
        let provenance = Provenance::now();
        let stacks = Stack::named(&self.stacks).map_err(Failure::Usage)?;
        let pairs = if self.pairs.is_empty() { Pair::all_of(&stacks) } else { self.pairs.clone() };
        let (matrix, shims) = self.common.matrix(pairs, self.directions.clone())?;
        let (size, relay_size, rounds) =
            if self.quick { (8 << 20, 1 << 20, 1) } else { (64 << 20, 8 << 20, 5) };
        let loopback = if self.no_loopback {
            Vec::new()
        } else {
            matrix.loopback(Loopback {
                bytes: self.size.unwrap_or(size),
                rounds: self.common.rounds.unwrap_or(rounds),
                limit: LOOPBACK_LIMIT,
            })
        };
        let relayed = self.relayed(relay_size).flat_map(|plan| matrix.relayed(plan));
        let relayed: Vec<Transfer> = relayed.collect();
        let cases = match (self.no_exchanges, self.cases.as_slice()) {
            (true, _) => &[],
            (false, []) => &Case::ALL[..],
            (false, cases) => cases,
        };
        let talks = exchanges(&matrix.pairs, &matrix.families, cases);
        let progress = Progress::new(loopback.len() + talks.len() + relayed.len());
        // The machine is left alone while speeds are measured.
        let mut runs = run(loopback, 1, &shims, &progress).await?;
        let talks = run_exchanges(&talks, &shims, &progress).await?;
        runs.extend(run(relayed, self.jobs, &shims, &progress).await?);
        drop(progress);
        let report = Report::new(provenance, runs, talks);
        let files = [("summary.json", json(&report)?), ("matrix.md", report.markdown())];
        self.common.publish(self.is_full(), "results/interop", &files)?;
        show_failures(&report.runs);
        show_failed_exchanges(&report.exchanges);
        self.common.print(&report, report.text())?;
        Ok(report.pass)
    }

    /// A plan for each way in which the relay impairs.
    fn relayed(&self, bytes: u64) -> impl Iterator<Item = Relayed> {
        let delay = Duration::from_millis(self.delay);
        let (bytes, seed) = (self.relay_size.unwrap_or(bytes), self.seed);
        let late = |ppm| Reordering { ppm, by: LATE_BY };
        let impairments = match (self.loss_ppm, self.reorder_ppm) {
            _ if self.no_relay => vec![],
            (None, None) => vec![(10_000, None), (50_000, None), (0, Some(late(100_000)))],
            (loss_ppm, ppm) => vec![(loss_ppm.unwrap_or(0), ppm.map(late))],
        };
        impairments.into_iter().enumerate().map(move |(index, (loss_ppm, reordering))| {
            let path = Path { delay, loss_ppm, reordering, bottleneck: None };
            // libutp with itself takes minutes for what the first of them does in one.
            let (bytes, with_ours) = if index > 0 { (bytes / 4, true) } else { (bytes, false) };
            Relayed { bytes, path, seed, limit: RELAY_LIMIT, with_ours }
        })
    }

    /// Whether the results are those that are kept.
    fn is_full(&self) -> bool {
        let sizes = self.size.is_some() || self.relay_size.is_some();
        let parts = self.quick || self.no_loopback || self.no_relay || self.no_exchanges;
        let filters =
            !self.pairs.is_empty() || !self.directions.is_empty() || !self.cases.is_empty();
        let filters = filters || !self.stacks.is_empty();
        !sizes && !parts && !filters && self.common.is_full()
    }
}

impl Bench {
    async fn run(self) -> Result<bool, Failure> {
        let provenance = Provenance::now();
        let stacks = Stack::named(&self.stacks).map_err(Failure::Usage)?;
        let pairs = stacks.into_iter().map(|stack| Pair { client: stack, server: stack }).collect();
        let (matrix, shims) = self.common.matrix(pairs, vec![Direction::ClientSends])?;
        let transfers: Vec<Transfer> = matrix.loopback(Loopback {
            bytes: self.size,
            rounds: self.common.rounds.unwrap_or(5),
            limit: LOOPBACK_LIMIT,
        });
        let progress = Progress::new(transfers.len());
        let runs = run(transfers, 1, &shims, &progress).await?;
        drop(progress);
        let report = BenchReport::new(provenance, &runs);
        let files = [("summary.json", json(&report)?), ("table.md", report.markdown())];
        let full = self.stacks.is_empty() && self.size == 256 << 20 && self.common.is_full();
        self.common.publish(full, "results/bench", &files)?;
        show_failures(&runs);
        self.common.print(&report, report.text())?;
        Ok(report.pass)
    }
}

impl Common {
    /// What to cover, checked against what there is.
    fn matrix(
        &self,
        pairs: Vec<Pair>,
        directions: Vec<Direction>,
    ) -> Result<(Matrix, Shims), Failure> {
        let shims = match &self.shims {
            Some(folder) => Shims::in_folder(folder.clone()),
            None => Shims::beside_this_program().context("where this program is")?,
        };
        let or_all = |some: Vec<Direction>| match some.is_empty() {
            true => vec![Direction::ClientSends, Direction::ServerSends],
            false => some,
        };
        let families = match self.families.is_empty() {
            true => vec![Family::V4, Family::V6],
            false => self.families.clone(),
        };
        let (directions, udp_buffer) = (or_all(directions), self.udp_buffer);
        let mut matrix = Matrix { pairs, families, directions, udp_buffer };
        let missing = matrix.check(&shims).map_err(|error| Failure::Usage(error.to_string()))?;
        for family in missing {
            eprintln!("utp-interop: IP{family} is left out: this machine lacks it");
        }
        Ok((matrix, shims))
    }

    const fn is_full(&self) -> bool {
        self.families.is_empty() && self.rounds.is_none() && !cfg!(debug_assertions)
    }

    /// Writes the results where they belong, if they are complete or a place was named.
    fn publish(&self, full: bool, place: &str, files: &[(&str, String)]) -> anyhow::Result<()> {
        let folder = match &self.out {
            Some(folder) => folder,
            None if full => FilePath::new(place),
            None => {
                eprintln!("utp-interop: not a full run: results are not written; see --out");
                return Ok(());
            }
        };
        write_files(folder, files).with_context(|| format!("writing {}", folder.display()))
    }

    fn print(&self, report: &impl Serialize, text: String) -> anyhow::Result<()> {
        let text = if self.json { json(report)? } else { text };
        write_out(&mut io::stdout(), &text).context("writing to standard output")
    }
}

/// The length of a transfer. Without a byte there is no speed and nothing to compare.
fn parse_length(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err("allowed: 1 byte or more, such as 1000, 64KiB, 1MiB or 2GiB".into()),
        bytes => Ok(bytes),
    }
}

/// Writes all of `text`. A reader that has seen enough is no error.
pub(crate) fn write_out(out: &mut impl Write, text: &str) -> io::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn json(report: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// Repeats every failure at the end, where it is not missed.
fn show_failures(runs: &[Run]) {
    for run in runs.iter().filter(|run| run.error.is_some()) {
        eprintln!("{run}");
    }
}

fn show_failed_exchanges(exchanges: &[ExchangeRun]) {
    for run in exchanges.iter().filter(|run| !run.pass) {
        eprintln!("{run}");
    }
}

/// How much later a datagram that is reordered arrives: enough to be overtaken by a whole window
/// at full speed, and less than a round trip.
const LATE_BY: Duration = Duration::from_millis(8);

/// How long a transfer over loopback may take; a loaded CI machine needs a fraction of it.
const LOOPBACK_LIMIT: Duration = Duration::from_secs(120);

/// How long a transfer through the relay may take. libutp without its fast retransmit waits a
/// second for every loss.
const RELAY_LIMIT: Duration = Duration::from_secs(300);
