//! `cargo xtask results`: makes everything in `results/` that is the same on every machine.

use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf};

use crate::{
    command::{self, Failure, Profile},
    place::Place,
    simulate,
};

const HELP: &str = "\
Runs every file in scenarios/ as simulate does, with results in DIR/scenarios, and then measures the
tables of DIR/README.md over ten seeds, which takes longer. With --check all of it goes to
target/results and is compared byte for byte; what differs stays there. cargo xtask ci simulate
compares some of the scenarios only, to be quick: this is the whole proof.

Examples:
  cargo xtask results
  cargo xtask results --check
  cargo xtask results --out target/mine --jobs 1

Exit status: 0 what the files expect holds and, with --check, every file is the same, 1 an
expectation was missed, or a file differs, is missing or is one that nothing makes, 2 wrong usage or
a wrong file, 3 a simulation failed.";

/// The options of `utp-sim results`.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Results {
    /// Change nothing, and compare with what is there
    #[arg(long)]
    check: bool,

    /// Where the results go, or what is compared [default: results of the workspace]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// How many runs go side by side; one on each core without this
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl Results {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let arguments = self.arguments(&Place::here()?);
        let simulator = simulate::build(Profile::Release)?;
        command::run(command::program(simulator).arg("results").args(arguments))
    }

    /// The arguments for a simulator that runs in the root of the workspace.
    fn arguments(&self, place: &Place) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        arguments.extend(self.check.then(|| "--check".into()));
        if let Some(out) = &self.out {
            arguments.extend(["--out".into(), place.name(out).into()]);
        }
        if let Some(jobs) = self.jobs {
            arguments.extend(["--jobs".into(), jobs.to_string().into()]);
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;
    use crate::place::tests::place;

    #[test]
    fn the_folder_is_named_from_the_root() {
        let command = Results::augment_args(clap::Command::new("results"));
        let given = ["results", "--check", "--out", "mine", "--jobs", "3"];
        let matches = command.get_matches_from(given);
        let results = Results::from_arg_matches(&matches).expect("parses");
        let expected = ["--check", "--out", "sim/mine", "--jobs", "3"];
        assert!(results.arguments(&place("sim")).iter().eq(&expected));
    }
}
