//! `cargo xtask simulate` and `cargo xtask sweep`: check the arguments, build the simulator and run
//! it.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    command::{self, Failure, Profile},
    place::Place,
};

const USAGE: &str = "cargo xtask simulate FILE... [OPTIONS]";

const HELP: &str = "\
FILE and DIR are relative to the current directory. Every FILE gives DIR/NAME/report.html, which has
everything on one page, summary.json, timeseries.csv, delay.svg, throughput.svg and, for flows with
a congestion window, window.svg. A FILE with a [sweep] gives what cargo xtask sweep gives.

Examples:
  cargo xtask simulate scenarios/bufferbloat.toml
  cargo xtask simulate scenarios/loss.toml --seed 7 --out target/seven
  cargo xtask simulate scenarios/loss.toml --seeds 1..10 --out target/ten
  cargo xtask simulate scenarios/loss.toml --pcap --out target/pcap
  tshark -r target/pcap/loss/default-left.pcap -d udp.port==10000,bt-utp

Exit status: 0 what the files expect holds, 1 an expectation was missed, 2 wrong usage or a wrong
file, 3 the simulation failed.";

const SWEEP_USAGE: &str = "cargo xtask sweep FILE... [OPTIONS]
       cargo xtask sweep --merge DIR... --out DIR";

const SWEEP_HELP: &str = "\
FILE and DIR are relative to the current directory. Every FILE gives DIR/NAME/sweep.json, sweep.csv,
sweep.svg and report.html. Each finished run is kept in DIR/NAME/points at once: after Ctrl-C, or
for more seeds, the same command runs only what is missing. A run is taken again when the file or
the program has changed.

Examples:
  cargo xtask sweep scenarios/rtt.toml --seeds 1..10
  cargo xtask sweep scenarios/rtt.toml --partition count:1/2 --out one
  cargo xtask sweep scenarios/rtt.toml --partition count:2/2 --out two
  cargo xtask sweep --merge one two --out both

Exit status: 0 what the files expect holds or a share is complete, 1 an expectation was missed or a
merge finds runs missing, 2 wrong usage or a wrong file, 3 a simulation failed, 130 Ctrl-C.";

/// The options of `utp-sim simulate`. They are known here so that wrong usage and the help need no
/// build.
#[derive(clap::Args)]
#[command(after_help = HELP, override_usage = USAGE)]
pub(crate) struct Simulate {
    /// Scenario files; scenarios/README.md explains the keys
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    runs: Runs,

    /// Where the results go, a folder for each scenario [default: results/scenarios of the
    /// workspace]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Write what each host sends and receives to VARIANT-left.pcap and VARIANT-right.pcap
    #[arg(long)]
    pcap: bool,

    /// Write every packet and protocol event to VARIANT.jsonl, one JSON object a line
    #[arg(long)]
    trace: bool,

    /// Print summary.json instead of the table; one document for each FILE
    #[arg(long)]
    json: bool,
}

/// The options of `utp-sim sweep`.
#[derive(clap::Args)]
#[command(after_help = SWEEP_HELP, override_usage = SWEEP_USAGE)]
pub(crate) struct Sweep {
    /// Scenario files; with --merge they are not needed
    #[arg(required_unless_present = "merge", value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    runs: Runs,

    /// Where the results go, a folder for each scenario [default: target/sweeps of the workspace]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Run only the M-th of N shares, from 1; --merge joins them
    #[arg(long, value_name = "count:M/N", conflicts_with = "merge")]
    partition: Option<String>,

    /// Join the shares that were written to these folders into the folder of --out
    #[arg(
        long,
        value_name = "DIR",
        num_args = 1..,
        conflicts_with_all = ["files", "seed", "seeds", "engine", "features"]
    )]
    merge: Vec<PathBuf>,

    /// Print sweep.json instead of the table
    #[arg(long)]
    json: bool,
}

/// What is said instead of the file.
#[derive(clap::Args)]
struct Runs {
    /// Seed of every random draw, instead of the one in the file
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Several seeds, both ends included; median and range of every metric
    #[arg(long, value_name = "A..B", conflicts_with = "seed")]
    seeds: Option<String>,

    /// What runs the scenarios, instead of what the file says
    #[arg(long, value_name = "ENGINE", value_parser = ["event", "turmoil"])]
    engine: Option<String>,

    /// Build the simulator with these features: quic, reference
    #[arg(long, value_name = "LIST")]
    features: Option<String>,
}

impl Simulate {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        self.runs.run("simulate", self.arguments(&Place::here()?)?)
    }

    /// The arguments for a simulator that runs in the root of the workspace. Without `--out` it
    /// writes below that.
    fn arguments(&self, place: &Place) -> Result<Vec<OsString>, Failure> {
        let mut arguments = self.runs.arguments();
        out(&mut arguments, self.out.as_ref(), place);
        let flags = [(self.pcap, "--pcap"), (self.trace, "--trace"), (self.json, "--json")];
        arguments.extend(flags.iter().filter(|(on, _)| *on).map(|(_, flag)| flag.into()));
        files(&mut arguments, &self.files, place, USAGE)?;
        Ok(arguments)
    }
}

impl Sweep {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        self.runs.run("sweep", self.arguments(&Place::here()?)?)
    }

    fn arguments(&self, place: &Place) -> Result<Vec<OsString>, Failure> {
        let mut arguments = self.runs.arguments();
        if let Some(partition) = &self.partition {
            arguments.extend(["--partition".into(), partition.into()]);
        }
        for folder in &self.merge {
            arguments.extend(["--merge".into(), place.name(folder).into()]);
        }
        out(&mut arguments, self.out.as_ref(), place);
        arguments.extend(self.json.then(|| "--json".into()));
        files(&mut arguments, &self.files, place, SWEEP_USAGE)?;
        Ok(arguments)
    }
}

impl Runs {
    /// Builds the simulator and runs one of its commands.
    fn run(&self, command: &str, arguments: Vec<OsString>) -> Result<(), Failure> {
        let simulator = match &self.features {
            None => build(Profile::Release)?,
            Some(features) => {
                command::build_with("utp-sim", "utp-sim", features, Profile::Release)?
            }
        };
        command::run(command::program(simulator).arg(command).args(arguments))
    }

    fn arguments(&self) -> Vec<OsString> {
        let seed = self.seed.map(|seed| seed.to_string());
        let given = [("--seed", &seed), ("--seeds", &self.seeds), ("--engine", &self.engine)];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        given.flat_map(|(name, value)| [name.into(), value.into()]).collect()
    }
}

fn out(arguments: &mut Vec<OsString>, out: Option<&PathBuf>, place: &Place) {
    if let Some(out) = out {
        arguments.extend(["--out".into(), place.name(out).into()]);
    }
}

fn files(
    arguments: &mut Vec<OsString>,
    paths: &[PathBuf],
    place: &Place,
    usage: &str,
) -> Result<(), Failure> {
    let file = |path: &PathBuf| place.file(path).map_err(|error| no_file(path, &error, usage));
    let files = paths.iter().map(file).collect::<Result<Vec<_>, _>>()?;
    arguments.push("--".into());
    arguments.extend(files.into_iter().map(OsString::from));
    Ok(())
}

fn no_file(path: &Path, error: &std::io::Error, usage: &str) -> Failure {
    Failure::Usage(format!("{}: {error}\n\nUsage: {usage}", path.display()))
}

/// Builds the simulator and returns the path of its program.
pub(crate) fn build(profile: Profile) -> Result<PathBuf, Failure> {
    command::build("utp-sim", "utp-sim", profile)
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;
    use crate::place::tests::place;

    fn arguments(here: &str, given: &[&str]) -> Result<Vec<OsString>, Failure> {
        let command = Simulate::augment_args(clap::Command::new("simulate"));
        let matches = command.get_matches_from(["simulate"].iter().chain(given));
        Simulate::from_arg_matches(&matches).expect("parses").arguments(&place(here))
    }

    #[test]
    fn the_simulator_is_asked_for_the_same_wherever_the_user_stands() {
        let expected = ["--seed", "7", "--json", "--", "scenarios/loss.toml"];
        let options = ["--json", "--seed", "7"];
        for (here, file) in [("", "scenarios/loss.toml"), ("scenarios", "loss.toml")] {
            let given: Vec<_> = options.into_iter().chain([file]).collect();
            assert!(arguments(here, &given).expect("there").iter().eq(&expected), "{here}");
        }
        let built_with = arguments("", &["scenarios/loss.toml", "--features", "quic"]);
        assert!(built_with.expect("there").iter().eq(&["--", "scenarios/loss.toml"]));
        let below = arguments("scenarios", &["loss.toml", "--out", "seven"]).expect("there");
        assert!(below.iter().eq(&["--out", "scenarios/seven", "--", "scenarios/loss.toml"]));
    }

    #[test]
    fn a_sweep_is_asked_for_with_paths_from_the_root() {
        let command = || Sweep::augment_args(clap::Command::new("sweep"));
        let arguments = |given: &[&str]| {
            let matches = command().get_matches_from(["sweep"].iter().chain(given));
            let sweep = Sweep::from_arg_matches(&matches).expect("parses");
            sweep.arguments(&place("scenarios")).expect("there")
        };
        let given = ["loss.toml", "--seeds", "1..3", "--partition", "count:1/2", "--out", "one"];
        let expected = ["--seeds", "1..3", "--partition", "count:1/2", "--out", "scenarios/one"];
        let expected = expected.into_iter().chain(["--", "scenarios/loss.toml"]);
        assert!(
            arguments(&given).iter().eq(expected.map(OsString::from).collect::<Vec<_>>().iter())
        );
        let expected = ["--merge", "scenarios/one", "--merge", "scenarios/two", "--"];
        assert!(arguments(&["--merge", "one", "two"]).iter().eq(&expected));
        assert!(command().try_get_matches_from(["sweep", "--json"]).is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_wrong_usage() {
        let failure = arguments("xtask", &["loss.toml"]).expect_err("it is elsewhere");
        assert_eq!(failure.status(), 2);
        let words = failure.to_string();
        assert!(words.starts_with("loss.toml: "), "{words}");
        assert!(words.ends_with("Usage: cargo xtask simulate FILE... [OPTIONS]"), "{words}");
    }
}
