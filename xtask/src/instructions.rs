//! `cargo xtask instructions`: what an acknowledgement costs the sender, counted under callgrind.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::{self, Failure};

pub(crate) const HELP: &str = "\
Example: cargo xtask instructions

It builds the example sack_cost of utp-proto in release and runs it under valgrind, which has to be
installed; without it the exit status is 3. It fails with 1 when a selective ack costs more than 4
times a plain ack, or when the cost of a plain ack depends on what is in flight by more than 20 %.";

/// What a selective ack may cost, in hundredths of a plain one.
const RATIO_PERCENT_MAX: u64 = 400;

/// How far the cost of a plain ack may be from that with the fewest packets in flight.
const SPREAD_PERCENT_MAX: u64 = 20;

/// Acks of each run.
const ACKS: u64 = 1_000;

pub(crate) fn run() -> Result<(), Failure> {
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    match valgrind {
        Ok(status) if status.success() => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Failure::Internal("valgrind is not installed".to_owned()));
        }
        _ => return Err(Failure::Internal("valgrind does not run".to_owned())),
    }
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
    let out: PathBuf = command::target_dir(example).join(format!("callgrind.{kind}.{in_flight}"));
    let mut valgrind = command::program("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind", "--toggle-collect=*measured_ack*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(example)
        .args([kind, &in_flight.to_string(), &ACKS.to_string()]);
    command::output(&mut valgrind)?;
    let words = fs::read_to_string(&out)
        .map_err(|error| Failure::Internal(format!("{}: {error}", out.display())))?;
    match total(&words) {
        Some(total) if total > 0 => Ok(total / ACKS),
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
