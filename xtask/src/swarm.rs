//! `cargo xtask swarm`: builds the swarm with every assertion in, and hands its arguments on.

use std::ffi::OsString;

use crate::command::{self, Failure, Profile};

pub(crate) const USAGE: &str = "cargo xtask swarm [OPTIONS]";

pub(crate) const HELP: &str = "\
Examples:
  cargo xtask swarm --seeds 2000
  cargo xtask swarm --seeds 200000 --time-limit 60m
  cargo xtask swarm --replay 4711 --trace
  cargo xtask swarm --help

A seed that fails is printed with the command that replays it, and the exit status is 1.";

pub(crate) fn run(arguments: &[OsString]) -> Result<(), Failure> {
    let swarm = command::build("utp-swarm", "utp-swarm", Profile::Swarm)?;
    command::run(command::program(swarm).args(arguments))
}
