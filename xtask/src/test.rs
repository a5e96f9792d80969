//! `cargo xtask test`: every test of the workspace, and every example of its documentation.

use crate::command::{self, Failure};

pub(crate) const HELP: &str = "\
Example: cargo xtask test

It needs Rust, a C++ compiler for the reference implementation and nothing else.";

pub(crate) fn run() -> Result<(), Failure> {
    // One build for all packages. Features that only this union turns on do not hide a missing one:
    // the step `alone` of ci builds each library by itself.
    command::run(&mut command::cargo(&["test", "--workspace", "--no-fail-fast"]))?;
    // A QUIC stack is much to build for the one kind of flow that needs it: it is a feature, and
    // its tests run by themselves.
    let quic = ["test", "--package", "utp-sim", "--features", "quic", "--lib", "quic"];
    command::run(&mut command::cargo(&quic))?;
    // So is libutp inside the simulator.
    let reference = ["test", "--package", "utp-sim", "--features", "reference"];
    let tests = ["--test", "reference", "--test", "scenario_keys"];
    command::run(command::cargo(&reference).args(tests))
}
