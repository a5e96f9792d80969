//! Random calls of the interface, plainly or under a sanitizer.

use std::path::PathBuf;
use std::process::Command;

use crate::command::{self, Failure};

/// The program that makes them.
const EXAMPLE: &str = "random_calls";

pub(super) fn run(calls: u64, sanitize: bool) -> Result<(), Failure> {
    let program = if sanitize { build_sanitized()? } else { build()? };
    let told = command::output(Command::new(program).arg(calls.to_string()))?;
    println!("{}", told.lines().last().unwrap_or_default());
    println!("{calls} random calls broke nothing");
    Ok(())
}

fn build() -> Result<PathBuf, Failure> {
    command::build_example("utp-capi", EXAMPLE)
}

/// Builds it with AddressSanitizer, which brings LeakSanitizer. Only a nightly compiler can.
fn build_sanitized() -> Result<PathBuf, Failure> {
    let version = command::output(Command::new("rustup").args(["run", "nightly", "rustc", "-vV"]))
        .map_err(|_| Failure::Internal("a nightly toolchain is not installed".to_owned()))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Failure::Internal("the compiler names no host".to_owned()))?;
    let mut build = command::program("rustup");
    // A build with a target of its own leaves build scripts and macros as they are.
    build
        .args(["run", "nightly", "cargo", "build", "--release", "--package", "utp-capi"])
        .args(["--example", EXAMPLE, "--target", host])
        .arg("--message-format=json-render-diagnostics")
        .env("RUSTFLAGS", "-Zsanitizer=address");
    command::built_program(&command::output(&mut build)?, EXAMPLE)
}
