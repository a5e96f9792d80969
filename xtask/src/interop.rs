//! `cargo xtask interop` and `cargo xtask bench`: they build the harness with its peers and hand
//! the arguments on to it.

use std::ffi::OsString;

use crate::command::{self, Failure, Profile};

pub(crate) const USAGE: &str = "cargo xtask interop [OPTIONS]";

pub(crate) const HELP: &str = "\
Examples:
  cargo xtask interop --quick
  cargo xtask interop --pair ours:libutp --family v4
  cargo xtask interop -- --help    builds the harness and lists its options

Exit status: 0 every transfer arrived unchanged and in time, 1 one did not, 2 wrong usage,
3 the harness failed.";

pub(crate) const BENCH_USAGE: &str = "cargo xtask bench [OPTIONS]";

pub(crate) const BENCH_HELP: &str = "\
Examples:
  cargo xtask bench
  cargo xtask bench --size 64MiB --rounds 5 --json
  cargo xtask bench -- --help    builds the harness and lists its options";

/// Runs a command of the harness, which finds the peers beside its own program.
///
/// It is built without the simulator, whose dependencies would turn on test features of tokio in
/// the stack that is measured.
pub(crate) fn run(name: &str, arguments: &[OsString]) -> Result<(), Failure> {
    let harness = command::build("utp-interop", "utp-interop", Profile::Release)?;
    command::run(command::program(harness).arg(name).args(arguments))
}
