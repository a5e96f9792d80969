//! `cargo xtask simulate`: builds the simulator and hands the arguments on to it.

use std::{ffi::OsString, path::PathBuf};

use crate::command::{self, Failure, Profile};

pub(crate) const USAGE: &str = "cargo xtask simulate FILE... [OPTIONS]";

pub(crate) const HELP: &str = "\
Examples:
  cargo xtask simulate scenarios/bufferbloat.toml
  cargo xtask simulate scenarios/loss.toml --seed 7 --out target/seven
  cargo xtask simulate -- --help    builds the simulator and lists its options

Exit status: 0 what the files expect holds, 1 an expectation was missed, 2 wrong usage or a wrong
file, 3 the simulation failed.";

pub(crate) fn run(arguments: &[OsString]) -> Result<(), Failure> {
    let simulator = build(Profile::Release)?;
    command::run(command::program(simulator).arg("simulate").args(arguments))
}

/// Builds the simulator and returns the path of its program.
pub(crate) fn build(profile: Profile) -> Result<PathBuf, Failure> {
    command::build("utp-sim", "utp-sim", profile)
}
