//! `cargo xtask differential`: builds the differential test with every assertion in, and hands its
//! arguments on.

use std::ffi::OsString;

use crate::command::{self, Failure, Profile};

pub(crate) const USAGE: &str = "cargo xtask differential [OPTIONS]";

pub(crate) const HELP: &str = "\
Examples:
  cargo xtask differential --seeds 500
  cargo xtask differential --seeds 10000 --start 1000000
  cargo xtask differential --replay 4711 --trace
  cargo xtask differential --help

What differs from what a script asks for is counted by its reason. A seed with a difference that
nothing explains is printed with the command that replays it, and the exit status is 1.";

pub(crate) fn run(arguments: &[OsString]) -> Result<(), Failure> {
    let differential = command::build("utp-differential", "utp-differential", Profile::Swarm)?;
    command::run(command::program(differential).args(arguments))
}
