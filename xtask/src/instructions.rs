//! `cargo xtask instructions`: what acks and the hot paths cost, counted under callgrind.

mod hot_paths;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::{self, Failure};

const HELP: &str = "\
Examples:
  cargo xtask instructions
  cargo xtask instructions --save    after a change that is meant to cost what it does

It builds the examples sack_cost and hot_paths of utp-proto in release and runs them under valgrind,
which has to be installed; without it the exit status is 3. It fails with 1 when a selective ack
costs more than 4 times a plain ack, when the cost of a plain ack depends on what is in flight by
more than 20 %, or when a hot path takes 5 % more instructions than in xtask/instructions.toml. The
last holds for the compiler that is named there: others are shown and not judged.";

/// The options of the command.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Instructions {
    /// Make what the hot paths take now the baseline
    #[arg(long)]
    save: bool,
}

/// What a selective ack may cost, in hundredths of a plain one.
const RATIO_PERCENT_MAX: u64 = 400;

/// How far the cost of a plain ack may be from that with the fewest packets in flight.
const SPREAD_PERCENT_MAX: u64 = 20;

/// Acks of each run.
const ACKS: u64 = 1_000;

impl Instructions {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        if !is_possible()? {
            return Err(Failure::Internal("valgrind is not installed".to_owned()));
        }
        hot_paths::run(self.save)?;
        acks()
    }
}

/// The step of ci, which does without where valgrind is missing.
pub(crate) fn check() -> Result<(), Failure> {
    if is_possible()? {
        return hot_paths::run(false);
    }
    println!("skipped: valgrind is not installed");
    Ok(())
}

/// Whether valgrind is installed.
fn is_possible() -> Result<bool, Failure> {
    match Command::new("valgrind").arg("--version").stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        _ => Err(Failure::Internal("valgrind does not run".to_owned())),
    }
}

/// What acks cost beside each other.
fn acks() -> Result<(), Failure> {
    let example = command::build_example("utp-proto", "sack_cost")?;
    let mut misses = Vec::new();
    println!("instructions per ack, over {ACKS} acks");
    println!("{:<10} {:>9} {:>12} {:>9}", "kind", "in flight", "instructions", "to plain");
    let fewest = measure(&example, "plain", 10)?;
    println!("{:<10} {:>9} {fewest:>12} {:>9}", "plain", 10, "");
    for in_flight in [1_024, 4_096, 16_384] {
        let plain = measure(&example, "plain", in_flight)?;
        println!("{:<10} {in_flight:>9} {plain:>12} {:>9}", "plain", "");
        if plain.abs_diff(fewest) * 100 > fewest * SPREAD_PERCENT_MAX {
            misses.push(format!("a plain ack is not flat at {in_flight} in flight"));
        }
        for kind in ["flipping", "moving", "holes"] {
            let selective = measure(&example, kind, in_flight)?;
            let percent = selective * 100 / plain.max(1);
            let ratio = format!("{}.{:02}", percent / 100, percent % 100);
            println!("{kind:<10} {in_flight:>9} {selective:>12} {ratio:>9}");
            if percent > RATIO_PERCENT_MAX {
                misses.push(format!("{kind} at {in_flight} in flight costs {ratio} plain acks"));
            }
        }
    }
    if misses.is_empty() {
        println!("a selective ack costs at most 4 plain acks, and a plain ack always the same");
        return Ok(());
    }
    Err(Failure::Check(misses.join("; ")))
}

/// Instructions per ack.
fn measure(example: &Path, kind: &str, in_flight: u32) -> Result<u64, Failure> {
    let arguments = [kind, &in_flight.to_string(), &ACKS.to_string()];
    Ok(count(example, "*measured_ack*", &arguments)?.0 / ACKS)
}

/// The instructions of a program in functions of this name, and what it prints.
fn count(program: &Path, function: &str, arguments: &[&str]) -> Result<(u64, String), Failure> {
    let name = format!("callgrind.{}", arguments.join("."));
    let out: PathBuf = command::target_dir(program).join(name);
    let mut valgrind = command::program("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--toggle-collect={function}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(arguments);
    let printed = command::output(&mut valgrind)?;
    let words = fs::read_to_string(&out)
        .map_err(|error| Failure::Internal(format!("{}: {error}", out.display())))?;
    match total(&words) {
        Some(total @ 1..) => Ok((total, printed)),
        _ => Err(Failure::Internal(format!("{} counts nothing", out.display()))),
    }
}

/// The sum that callgrind writes at the end of its file.
pub(crate) fn total(words: &str) -> Option<u64> {
    let line = words.lines().rev().find_map(|line| line.strip_prefix("totals:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_a_file_is_found() {
        assert_eq!(total("version: 1\nsummary: 7\n\nfn=(1)\n2 7\n\ntotals: 7000 1\n"), Some(7_000));
        assert_eq!(total("version: 1\n"), None);
    }
}
