//! What the command line accepts.

use crate::scenario::Engine;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

/// Simulate uTP over networks that a text file describes.
#[derive(Debug, Parser)]
#[command(name = "utp-sim", version, after_help = SIMULATE_HELP, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the reference of scenario files: every key, metric and controller
    Keys,
    Results(Results),
    Simulate(Simulate),
    Sweep(Sweep),
}

/// Make everything in results/ that is the same on every machine, or check that it is there
#[derive(Debug, Args)]
#[command(after_help = RESULTS_HELP)]
pub(super) struct Results {
    /// Change nothing, and compare with what is there
    #[arg(long)]
    pub(super) check: bool,

    /// Where the results go, or what is compared
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(super) out: PathBuf,

    /// How many runs go side by side; one on each core without this
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
}

/// Run scenario files, check what they expect, write tables and plots
#[derive(Debug, Args)]
#[command(after_help = SIMULATE_HELP)]
pub(super) struct Simulate {
    /// Scenario files; scenarios/README.md explains the keys
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) runs: Runs,

    /// Where the results go, a folder for each scenario
    #[arg(long, value_name = "DIR", default_value = "results/scenarios")]
    pub(super) out: PathBuf,

    /// Write what each host sends and receives to VARIANT-left.pcap and VARIANT-right.pcap
    #[arg(long)]
    pub(super) pcap: bool,

    /// Write every packet and protocol event to VARIANT.jsonl, one JSON object a line
    #[arg(long)]
    pub(super) trace: bool,

    /// Print summary.json instead of the table; one document for each FILE
    #[arg(long)]
    pub(super) json: bool,
}

/// Run every combination of a file's [sweep] lists, variants and seeds; go on where it was stopped
#[derive(Debug, Args)]
#[command(after_help = SWEEP_HELP)]
pub(super) struct Sweep {
    /// Scenario files; with --merge they are not needed
    #[arg(required_unless_present = "merge", value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) runs: Runs,

    /// Where the results go, a folder for each scenario
    #[arg(long, value_name = "DIR", default_value = "target/sweeps")]
    pub(super) out: PathBuf,

    /// Run only the M-th of N shares, from 1; --merge joins them
    #[arg(long, value_name = "count:M/N", conflicts_with = "merge")]
    pub(super) partition: Option<Partition>,

    /// Join the shares that were written to these folders into the folder of --out
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with_all = ["files", "seed", "seeds", "engine"])]
    pub(super) merge: Vec<PathBuf>,

    /// Print sweep.json instead of the table
    #[arg(long)]
    pub(super) json: bool,
}

/// What is said instead of the file.
#[derive(Debug, Args)]
pub(super) struct Runs {
    /// Seed of every random draw, instead of the one in the file
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,

    /// Several seeds, both ends included; median and range of every metric
    #[arg(long, value_name = "A..B", conflicts_with = "seed")]
    pub(super) seeds: Option<Seeds>,

    /// What runs the scenarios, instead of what the file says
    #[arg(long, value_name = "ENGINE")]
    pub(super) engine: Option<EngineName>,
}

impl Runs {
    /// First and last seed, if the command line says so.
    pub(super) fn seeds(&self) -> Option<(u64, u64)> {
        let one = self.seed.map(|seed| (seed, seed));
        one.or_else(|| self.seeds.map(|seeds| (seeds.first, seeds.last)))
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum EngineName {
    /// Discrete events that drive the protocol core
    Event,
    /// Turmoil hosts that run the shipped tokio adapter
    Turmoil,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Event => Self::Event,
            EngineName::Turmoil => Self::Turmoil,
        }
    }
}

/// A range of seeds, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seeds {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "two whole numbers such as 1..10, both included".to_owned();
        let (first, last) = text.split_once("..").ok_or_else(form)?;
        let (first, last) = (first.parse().map_err(|_| form())?, last.parse().map_err(|_| form())?);
        if first > last {
            return Err(format!("the first seed is above the last; {last}..{first} would do"));
        }
        if last - first >= SEEDS_MAX {
            return Err(format!("at most {SEEDS_MAX} seeds"));
        }
        Ok(Self { first, last })
    }
}

/// Runs whose results still fit in memory with a few variants.
const SEEDS_MAX: u64 = 10_000;

/// One of several shares of the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    /// From 1.
    share: usize,
    of: usize,
}

impl Partition {
    /// Whether a run belongs to this share.
    pub(super) const fn holds(self, index: usize) -> bool {
        index % self.of == self.share - 1
    }
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "count:M/N with M from 1 to N, such as count:1/4".to_owned();
        let (share, of) =
            text.strip_prefix("count:").and_then(|rest| rest.split_once('/')).ok_or_else(form)?;
        let (share, of) = (share.parse().map_err(|_| form())?, of.parse().map_err(|_| form())?);
        if share == 0 || share > of { Err(form()) } else { Ok(Self { share, of }) }
    }
}

const RESULTS_HELP: &str = "\
Runs every file in scenarios/ as simulate does, with results in DIR/scenarios, and then measures the
tables of DIR/README.md over ten seeds, which takes longer. With --check all of it goes to
target/results and is compared byte for byte; what differs stays there.

Examples:
  utp-sim results
  utp-sim results --check --jobs 1

Exit status:
  0  everything that the files expect holds and, with --check, every file is the same
  1  an expectation was missed; a file differs, is missing or is one that nothing makes
  2  wrong usage, or a file that cannot be run: nothing was run or written
  3  a simulation failed, or the results cannot be written";

const SIMULATE_HELP: &str = "\
Every FILE gives DIR/NAME/report.html, summary.json, timeseries.csv, delay.svg, throughput.svg and,
for flows with a congestion window, window.svg. The same file and seed give the same bytes, on every
machine. With --seeds the plots are those of the first seed, summary.json has a section on all of
them, and an expectation has to hold for each. A FILE with a [sweep] gives what sweep gives.

Examples:
  utp-sim simulate scenarios/bufferbloat.toml
  utp-sim simulate scenarios/*.toml
  utp-sim simulate scenarios/loss.toml --seeds 1..10 --out /tmp/ten
  utp-sim simulate scenarios/loss.toml --json | jq .variants.default.flows.upload.goodput_mbps
  utp-sim simulate scenarios/loss.toml --pcap --out /tmp/pcap
  tshark -r /tmp/pcap/loss/default-left.pcap -d udp.port==10000,bt-utp

Exit status:
  0  everything that the files expect holds
  1  an expectation was missed
  2  wrong usage, or a file that cannot be run: nothing was run or written
  3  the simulation failed, or the results cannot be written, which is checked first";

const SWEEP_HELP: &str = "\
Every FILE gives DIR/NAME/sweep.json, sweep.csv, sweep.svg and report.html. Each finished run is
kept in DIR/NAME/points at once: after Ctrl-C, or for more seeds, the same command runs only what is
missing. A run is taken again when the file or the program has changed.

Examples:
  utp-sim sweep scenarios/rtt.toml --seeds 1..10
  utp-sim sweep scenarios/rtt.toml --partition count:1/2 --out one
  utp-sim sweep scenarios/rtt.toml --partition count:2/2 --out two
  utp-sim sweep --merge one two --out both

Exit status:
  0    everything that the files expect holds, or a share is complete
  1    an expectation was missed, or a merge finds runs missing
  2    wrong usage, or a file that cannot be run
  3    a simulation failed, or the results cannot be written
  130  stopped by Ctrl-C; what was finished is kept";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_include_both_ends() {
        assert_eq!("3..3".parse(), Ok(Seeds { first: 3, last: 3 }));
        assert_eq!("1..10".parse(), Ok(Seeds { first: 1, last: 10 }));
        for wrong in ["", "1", "1..", "..2", "1..x", "2..1", "1..=3", "0..10000"] {
            assert!(wrong.parse::<Seeds>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_run_is_in_exactly_one_share() {
        let shares = ["count:1/3", "count:2/3", "count:3/3"].map(|text| text.parse::<Partition>());
        for index in 0..10 {
            let holding = shares.iter().flatten().filter(|share| share.holds(index));
            assert_eq!(holding.count(), 1, "{index}");
        }
        for wrong in ["count:0/2", "count:3/2", "1/2", "count:1", "count:a/b", "count:1/0"] {
            assert!(wrong.parse::<Partition>().is_err(), "{wrong}");
        }
    }
}
