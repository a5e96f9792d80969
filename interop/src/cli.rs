//! The command line of the harness.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use utp_interop::bench;
use utp_interop::bittorrent::Libtorrent;
use utp_interop::conformance::Conformance;
use utp_interop::harness::{
    Case, Direction, DissectError, Dissected, ExchangeRun, Family, Impairment, Matrix, Namespaces,
    Pair, Plan, Progress, Provenance, Report, Run, STACKS, Shims, Stack, Transfer, Via, exchanges,
    page, run, run_exchanges, write_files,
};
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
  utp-interop interop --impl all                 everything; writes results/interop
  utp-interop interop                            ours and libutp
  utp-interop interop --quick --json             what CI runs
  utp-interop interop --pair ours:libutp --family v4 --impairment slow-link --no-exchanges
  utp-interop interop --impairment loss --size 1MiB --rounds 1 --out target/loss
  utp-interop interop --impairment clean --pair ours:libutp --case many-short
  utp-interop interop --quick --no-exchanges --pcap target/pcap

Exit status: 0 every transfer between ours and libutp arrived unchanged and in time, 1 one did not,
2 wrong usage, 3 internal error. A speed that misses its goal, and a transfer of another stack that
fails, is shown and fails nothing.";

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    #[command(flatten)]
    Transfers(Transfers),
    /// Throughput, latency, connections and memory: ours and other stacks, in turns.
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(bench::Command),
    /// A scripted peer against one implementation, case by case.
    #[command(after_help = CONFORMANCE_EXAMPLES)]
    Conformance(Conformance),
    /// A file by BitTorrent, from libtorrent and to it.
    #[command(after_help = LIBTORRENT_EXAMPLES)]
    Libtorrent(Libtorrent),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Transfers {
    /// Every pair over loopback, through all that may lie in between, and in short conversations.
    #[command(after_help = EXAMPLES)]
    Interop(Interop),
}

const BENCH_EXAMPLES: &str = "\
Examples:
  utp-interop bench                              everything; writes results/bench
  utp-interop bench --quick                      whether it runs, in seconds
  utp-interop bench --bench stream --impl ours --impl libutp --runs 3

Exit status: 0 nothing went wrong with ours, 1 something did, 2 wrong usage, 3 internal error. What
other stacks cannot do, and figures that miss their goals, are shown and fail nothing.";

const CONFORMANCE_EXAMPLES: &str = "\
Examples:
  utp-interop conformance                          every case against ours, once
  utp-interop conformance --impl libutp --group SK
  utp-interop conformance --case HS-02 --family v4 --trace
  utp-interop conformance --shim target/canary/utp-peer --json
  utp-interop conformance --impl all --slow --repeat 3    writes results/conformance

Exit status: 0 nothing failed that is not expected to, 1 a case failed, 2 wrong usage or a wrong
script, 3 internal error, 130 after Ctrl-C.";

const LIBTORRENT_EXAMPLES: &str = "\
Examples:
  utp-interop libtorrent                           100 MB each way; writes results/interop
  utp-interop libtorrent --family v4 --size 10MiB --python venv/bin/python

Exit status: 0 every piece arrived, 1 one did not, 2 wrong usage, 3 internal error, 89 Python or
its package libtorrent is missing.";

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
    /// Only this side as sender [default: both where ours takes part, else the client].
    #[arg(long = "direction", value_enum)]
    directions: Vec<Direction>,
    /// Only with this in between; may be repeated.
    #[arg(long = "impairment", value_enum)]
    impairments: Vec<Impairment>,
    /// Small sizes and one round, for CI.
    #[arg(long)]
    quick: bool,
    /// Bytes of each transfer [default: what the impairment asks for].
    #[arg(long, value_name = "BYTES", value_parser = parse_length)]
    size: Option<u64>,
    /// Leave out the conversations: closing in every order, half closes, many short connections.
    #[arg(long)]
    no_exchanges: bool,
    /// Only this conversation; may be repeated.
    #[arg(long = "case", value_enum, conflicts_with = "no_exchanges")]
    cases: Vec<Case>,
    /// Seeds what the relay loses and reorders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write what both ends of every relay see to DIR as pcap files, and have tshark read them if
    /// it is installed. Transfers over loopback run once more through a relay for it.
    #[arg(long, value_name = "DIR")]
    pcap: Option<PathBuf>,
    /// Transfers through the relay that run side by side.
    #[arg(long, value_name = "N", default_value_t = 12)]
    jobs: usize,
}

#[derive(Debug, Args)]
struct Common {
    /// Only this version of IP; may be repeated.
    #[arg(long = "family", value_enum)]
    families: Vec<Family>,
    /// How often each transfer runs [default: 5, quick 1].
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
        }
    }
}

impl Interop {
    async fn run(self) -> Result<bool, Failure> {
        let provenance = Provenance::now();
        let shims = self.common.shims()?;
        let stacks = Stack::named(&self.stacks).map_err(Failure::Usage)?;
        let pairs = if self.pairs.is_empty() { Pair::all_of(&stacks) } else { self.pairs.clone() };
        let matrix = self.common.matrix(pairs, self.directions.clone(), &shims)?;
        if let Some(folder) = &self.pcap {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let transfers: Vec<Transfer> =
            self.plans().iter().flat_map(|plan| matrix.transfers(plan)).collect();
        let (relayed, alone): (Vec<_>, Vec<_>) = transfers.into_iter().partition(|transfer| {
            transfer.impairment != Impairment::Clean && matches!(transfer.via, Via::Relay { .. })
        });
        let cases = match (self.no_exchanges, self.cases.as_slice()) {
            (true, _) => &[],
            (false, []) => &Case::ALL[..],
            (false, cases) => cases,
        };
        let talks = exchanges(&matrix.pairs, &matrix.families, cases);
        let progress = Progress::new(alone.len() + talks.len() + relayed.len());
        // The machine is left alone while speeds are measured that it limits.
        let mut runs = run(alone, 1, &shims, &progress).await?;
        let talks = run_exchanges(&talks, &shims, &progress).await?;
        runs.extend(run(relayed, self.jobs, &shims, &progress).await?);
        drop(progress);
        let report = Report::new(provenance, &runs, talks);
        let files = [
            ("summary.json", report.json()?),
            ("matrix.md", report.markdown()),
            ("matrix.html", page(&report)),
        ];
        self.common.publish(self.is_full(), "results/interop", &files)?;
        show_failures(&runs);
        show_failed_exchanges(&report.exchanges);
        let text = if self.common.json { report.json()? } else { report.text() };
        self.common.print(&text)?;
        Ok(report.pass && dissect(&runs))
    }

    /// A plan for each impairment. Where namespaces are not allowed, a message replaces the one
    /// that needs them.
    fn plans(&self) -> Vec<Plan> {
        let all = &Impairment::ALL[..];
        let impairments = if self.impairments.is_empty() { all } else { &self.impairments };
        let namespaces = match impairments.contains(&Impairment::SmallPath) {
            false => None,
            true => match Namespaces::new() {
                Ok(namespaces) => Some(Arc::new(namespaces)),
                Err(error) => {
                    let skipped = Impairment::SmallPath;
                    eprintln!("utp-interop: {skipped} is skipped, it needs namespaces: {error}");
                    None
                }
            },
        };
        let plan = |&impairment: &Impairment| Plan {
            impairment,
            bytes: self.size.unwrap_or_else(|| impairment.bytes(self.quick)),
            rounds: self.common.rounds(if self.quick { 1 } else { 5 }),
            look: !self.quick || self.pcap.is_some(),
            seed: self.seed,
            namespaces: namespaces.clone(),
            pcap: self.pcap.clone(),
        };
        impairments.iter().map(plan).collect()
    }

    /// Whether the results are those that are kept.
    fn is_full(&self) -> bool {
        let parts = self.quick || self.no_exchanges || self.size.is_some();
        let filters = !self.pairs.is_empty()
            || !self.directions.is_empty()
            || !self.impairments.is_empty()
            || !self.cases.is_empty();
        let all = Stack::named(&self.stacks).is_ok_and(|stacks| stacks.len() == STACKS.len());
        all && !parts && !filters && self.common.is_full()
    }
}

impl Common {
    fn shims(&self) -> anyhow::Result<Shims> {
        match &self.shims {
            Some(folder) => Ok(Shims::in_folder(folder.clone())),
            None => Shims::beside_this_program().context("where this program is"),
        }
    }

    /// What to cover, checked against what there is.
    fn matrix(
        &self,
        pairs: Vec<Pair>,
        directions: Vec<Direction>,
        shims: &Shims,
    ) -> Result<Matrix, Failure> {
        let families = match self.families.is_empty() {
            true => vec![Family::V4, Family::V6],
            false => self.families.clone(),
        };
        let mut matrix = Matrix { pairs, families, directions, udp_buffer: self.udp_buffer };
        let missing = matrix.check(shims).map_err(|error| Failure::Usage(error.to_string()))?;
        for family in missing {
            eprintln!("utp-interop: IP{family} is left out: this machine lacks it");
        }
        Ok(matrix)
    }

    fn rounds(&self, default: u32) -> u32 {
        self.rounds.unwrap_or(default)
    }

    const fn is_full(&self) -> bool {
        self.families.is_empty() && self.rounds.is_none() && !cfg!(debug_assertions)
    }

    /// Writes the results where they belong, if they are complete or a place was named.
    fn publish(&self, full: bool, place: &str, files: &[(&str, String)]) -> anyhow::Result<()> {
        let folder = match &self.out {
            Some(folder) => folder,
            None if full => Path::new(place),
            None => {
                eprintln!("utp-interop: not a full run: results are not written; see --out");
                return Ok(());
            }
        };
        write_files(folder, files).with_context(|| format!("writing {}", folder.display()))
    }

    fn print(&self, text: &str) -> anyhow::Result<()> {
        write_out(&mut io::stdout(), text).context("writing to standard output")
    }
}

/// Has tshark read all captures. False when it finds a packet that is none of uTP, or malformed.
fn dissect(runs: &[Run]) -> bool {
    let (mut read, mut packets, mut good) = (0, 0, true);
    for capture in runs.iter().flat_map(|run| &run.captures) {
        let found = match Dissected::of(capture) {
            Ok(found) => found,
            Err(DissectError::Missing) => {
                eprintln!("utp-interop: captures are not checked: tshark is not installed");
                return true;
            }
            Err(error) => {
                eprintln!("utp-interop: {}: {error}", capture.path.display());
                good = false;
                continue;
            }
        };
        read += 1;
        packets += found.utp;
        if !found.is_good(capture) {
            let Dissected { frames, utp, bad } = found;
            let (path, written) = (capture.path.display(), capture.packets);
            eprintln!(
                "utp-interop: {path}: of {written} packets tshark reads {frames}, {utp} as uTP, \
                 {bad} malformed"
            );
            good = false;
        }
    }
    if read > 0 {
        eprintln!("utp-interop: tshark has read {packets} packets of uTP in {read} captures");
    }
    good
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
