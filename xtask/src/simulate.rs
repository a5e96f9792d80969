//! `cargo xtask simulate`: checks the arguments, builds the simulator and runs it.

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
a congestion window, window.svg.

Examples:
  cargo xtask simulate scenarios/bufferbloat.toml
  cargo xtask simulate scenarios/loss.toml --seed 7 --out target/seven

Exit status: 0 what the files expect holds, 1 an expectation was missed, 2 wrong usage or a wrong
file, 3 the simulation failed.";

/// The options of `utp-sim simulate`. They are known here so that wrong usage and the help need no
/// build.
#[derive(clap::Args)]
#[command(after_help = HELP, override_usage = USAGE)]
pub(crate) struct Simulate {
    /// Scenario files; scenarios/README.md explains the keys
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Seed of every random draw, instead of the one in the file
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Where the results go, a folder for each scenario [default: results/scenarios of the
    /// workspace]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Print summary.json instead of the table; one document for each FILE
    #[arg(long)]
    json: bool,
}

impl Simulate {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let arguments = self.arguments(&Place::here()?)?;
        let simulator = build(Profile::Release)?;
        command::run(command::program(simulator).arg("simulate").args(arguments))
    }

    /// The arguments for a simulator that runs in the root of the workspace. Without `--out` it
    /// writes below that.
    fn arguments(&self, place: &Place) -> Result<Vec<OsString>, Failure> {
        let file = |path: &PathBuf| place.file(path).map_err(|error| no_file(path, &error));
        let files = self.files.iter().map(file).collect::<Result<Vec<_>, _>>()?;
        let mut arguments = Vec::new();
        if let Some(seed) = self.seed {
            arguments.extend(["--seed".into(), seed.to_string().into()]);
        }
        if let Some(out) = &self.out {
            arguments.extend(["--out".into(), place.name(out).into()]);
        }
        if self.json {
            arguments.push("--json".into());
        }
        arguments.push("--".into());
        arguments.extend(files.into_iter().map(OsString::from));
        Ok(arguments)
    }
}

fn no_file(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("{}: {error}\n\nUsage: {USAGE}", path.display()))
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
        let below = arguments("scenarios", &["loss.toml", "--out", "seven"]).expect("there");
        assert!(below.iter().eq(&["--out", "scenarios/seven", "--", "scenarios/loss.toml"]));
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
