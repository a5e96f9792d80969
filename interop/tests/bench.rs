//! The benchmark runs, its programs get along, and its results are complete. Speeds mean nothing
//! here.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

const HARNESS: &str = env!("CARGO_BIN_EXE_utp-interop");

fn bench(arguments: &[&str]) -> Output {
    Command::new(HARNESS).args(["bench", "--quick"]).args(arguments).output().expect("starts")
}

#[test]
fn every_workload_runs_on_every_program_of_this_workspace() {
    // In a debug build, and beside other tests.
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench");
    let out = folder.to_str().expect("a plain path");
    let benches = ["stream", "streams-16", "peers-500", "ping", "connects-100", "idle-10k"];
    let chosen = benches.into_iter().chain(["relay-1"]).flat_map(|name| ["--bench", name]);
    let arguments: Vec<&str> = chosen.chain(["--out", out, "--json"]).collect();
    let output = bench(&arguments);
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{messages}");
    let summary = fs::read_to_string(folder.join("summary.json")).expect("it was written");
    assert_eq!(summary, String::from_utf8_lossy(&output.stdout));
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
    let rows = summary["rows"].as_array().expect("rows");
    assert!(rows.iter().all(|row| row["runs"] == 1), "{messages}");
    for name in benches {
        let chart = fs::read_to_string(folder.join(format!("{name}.svg"))).expect("a chart");
        assert!(chart.contains("utp-tokio"), "{name}");
    }
}

#[test]
fn a_program_that_is_not_there_is_told_and_fails_nothing() {
    let output = bench(&["--bench", "ping", "--impl", "tcp", "--programs", "/nowhere"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("cannot: no bench-tcp"), "{text}");

    let output = bench(&["--bench", "ping", "--impl", "ours", "--programs", "/nowhere"]);
    assert_eq!(output.status.code(), Some(1));
}
