//! What the hot paths of the core cost, beside what is committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::count;
use crate::command::{self, Failure};

/// The paths that the example `hot_paths` of utp-proto knows.
const PATHS: [&str; 8] = [
    "decode",
    "in-order",
    "reordered",
    "acks",
    "transmit-1",
    "transmit-10",
    "transmit-45",
    "transfer",
];

/// What a path may cost, in hundredths of its baseline.
const PERCENT_MAX: u64 = 105;

/// Where the baseline is committed.
const BASELINE: &str = "xtask/instructions.toml";

/// Instructions of each packet, and the compiler that they were counted with.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    rustc: String,
    per_packet: BTreeMap<String, u64>,
}

/// Counts, and compares with the baseline or replaces it.
pub(super) fn run(save: bool) -> Result<(), Failure> {
    let example = command::build_example("utp-proto", "hot_paths")?;
    let mut counted = Counts { rustc: compiler()?, per_packet: BTreeMap::new() };
    for path in PATHS {
        counted.per_packet.insert(path.to_owned(), measure(&example, path)?);
    }
    let file = command::root().join(BASELINE);
    if save {
        let text = toml::to_string(&counted).expect("plain data");
        return fs::write(&file, text).map_err(|error| unreadable(&file, &error));
    }
    let text = fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
    let baseline = toml::from_str(&text).map_err(|error| unreadable(&file, &error))?;
    let (table, misses) = compare(&counted, &baseline);
    print!("{table}");
    if counted.rustc != baseline.rustc {
        println!("not judged: the baseline is that of {}", baseline.rustc);
        return Ok(());
    }
    if misses.is_empty() { Ok(()) } else { Err(Failure::Check(misses.join("; "))) }
}

/// A table of both, and what has become too dear.
fn compare(counted: &Counts, baseline: &Counts) -> (String, Vec<String>) {
    let mut table = format!("{:<12} {:>12} {:>12}\n", "path", "instructions", "baseline");
    let mut misses = Vec::new();
    for (path, count) in &counted.per_packet {
        let Some(before) = baseline.per_packet.get(path) else {
            misses.push(format!("{path} has no baseline"));
            continue;
        };
        table += &format!("{path:<12} {count:>12} {before:>12}\n");
        if count * 100 > before * PERCENT_MAX {
            misses.push(format!("{path} takes {count} instructions a packet, not {before}"));
        }
    }
    (table, misses)
}

/// Instructions of a path for each packet.
fn measure(example: &Path, path: &str) -> Result<u64, Failure> {
    let (total, words) = count(example, "*measured_work*", &[path])?;
    match words.trim().parse::<u64>() {
        Ok(packets @ 1..) => Ok(total / packets),
        _ => Err(Failure::Internal(format!("hot_paths {path} says `{words}`"))),
    }
}

fn compiler() -> Result<String, Failure> {
    Ok(command::output(command::program("rustc").arg("--version"))?.trim().to_owned())
}

fn unreadable(file: &Path, error: &impl ToString) -> Failure {
    Failure::Internal(format!("{}: {}", file.display(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)]) -> Counts {
        let per_packet = counts.iter().map(|&(path, count)| (path.to_owned(), count)).collect();
        Counts { rustc: "rustc 1".to_owned(), per_packet }
    }

    #[test]
    fn five_percent_more_is_too_dear() {
        let baseline = counts(&[("acks", 1_000), ("decode", 100)]);
        let (table, misses) = compare(&counts(&[("acks", 1_050), ("decode", 105)]), &baseline);
        assert!(misses.is_empty(), "{misses:?}");
        assert!(table.contains("acks                 1050         1000"), "{table}");
        let (_, misses) = compare(&counts(&[("acks", 1_051), ("decode", 90)]), &baseline);
        assert_eq!(misses, ["acks takes 1051 instructions a packet, not 1000"]);
    }

    #[test]
    fn what_has_no_baseline_is_a_miss() {
        let (_, misses) = compare(&counts(&[("acks", 1)]), &counts(&[]));
        assert_eq!(misses, ["acks has no baseline"]);
    }

    #[test]
    fn the_baseline_has_every_path() {
        let text = fs::read_to_string(command::root().join(BASELINE)).expect("it is committed");
        let baseline: Counts = toml::from_str(&text).expect("it is well formed");
        for path in PATHS {
            assert!(baseline.per_packet.contains_key(path), "{path}");
        }
    }
}
