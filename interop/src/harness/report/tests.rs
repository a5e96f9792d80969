//! Tests of the comparison and of the files.

use super::*;
use crate::harness::{Machine, Observed, Pair, Percentiles};

fn run(pair: &str, round: u32, seconds: Option<f64>) -> Run {
    let pair: Pair = pair.parse().expect("two stacks");
    let bytes = 64 << 20;
    Run {
        client: pair.client.name.into(),
        server: pair.server.name.into(),
        family: Family::V4,
        impairment: Impairment::Clean,
        direction: Direction::ClientSends,
        syn_seq: None,
        round,
        bytes,
        sha256_ok: seconds.is_some(),
        seconds,
        mbps: seconds.map(|seconds| bytes as f64 * 8.0 / 1e6 / seconds),
        attempts: 1,
        closed_cleanly: true,
        sender_cpu_s: Some(0.5),
        receiver_cpu_s: Some(0.25),
        peak_rss_kib: Some(4096),
        observed: None,
        captures: Vec::new(),
        error: seconds.is_none().then(|| "gone".into()),
    }
}

fn provenance() -> Provenance {
    Provenance {
        commit: "abc".into(),
        machine: Machine { cpu: "Z80".into(), cores: 1, os: "CP/M".into() },
        date: "2026-01-01T00:00:00Z".into(),
        command: "utp-interop interop".into(),
        optimised: true,
    }
}

#[test]
fn ours_with_libutp_is_measured_by_the_medians_of_the_same_run() {
    let mut runs = Vec::new();
    for (round, (base, mixed, own)) in
        [(1.0, 2.0, 0.4), (2.0, 1.0, 0.5), (9.0, 3.0, 0.6)].into_iter().enumerate()
    {
        let round = u32::try_from(round).expect("three") + 1;
        runs.push(run("libutp:libutp", round, Some(base)));
        runs.push(run("ours:libutp", round, Some(mixed)));
        runs.push(run("ours:ours", round, Some(own)));
    }
    let report = Report::new(provenance(), &runs, Vec::new());
    assert!(report.pass);
    let [mixed, own] = &report.ratios[..] else { panic!("{:?}", report.ratios) };
    assert_eq!((mixed.of.as_str(), mixed.over.as_str()), ("utp-tokio:libutp", "libutp:libutp"));
    assert!((mixed.value - 1.0).abs() < 1e-9);
    assert_eq!((mixed.goal, mixed.met), (Some(0.8), Some(true)));
    assert!((own.value - 4.0).abs() < 1e-9);
    assert_eq!(own.goal, None, "only a mixed pair has a goal here");
}

#[test]
fn a_failed_transfer_fails_the_report_and_shows_in_its_tables() {
    let runs = vec![run("libutp:libutp", 1, Some(1.0)), run("libutp:libutp", 2, None)];
    let report = Report::new(provenance(), &runs, Vec::new());
    assert!(!report.pass);
    assert!(report.text().contains("FAILED 1/2"), "{}", report.text());
    assert!(report.markdown().contains("| FAILED 1/2 |"), "{}", report.markdown());
    assert!(report.markdown().contains("Commit abc"));
    let read: Report = serde_json::from_str(&report.json().expect("JSON")).expect("parses");
    assert_eq!(read, report);
    assert!(page(&report).contains("<td class=\"fail\" title=\"gone\">FAILED 1/2</td>"));
}

#[test]
fn what_other_stacks_do_fails_nothing() {
    let mut foreign = run("libutp:libutp", 1, None);
    foreign.server = "some-other".into();
    let report = Report::new(provenance(), &[foreign], Vec::new());
    assert!(report.pass);
    assert!(report.text().contains("FAILED 1/1"), "{}", report.text());
}

#[test]
fn a_cell_has_the_median_of_its_rounds_and_what_the_relay_saw() {
    let mut runs: Vec<Run> = [4.0, 2.0, 1.0, 8.0]
        .into_iter()
        .zip(0..)
        .map(|(seconds, round)| run("ours:libutp", round, Some(seconds)))
        .collect();
    let waits = [9.0, 1.0, 3.0, 2.0];
    for (run, wait) in runs.iter_mut().zip(waits) {
        run.impairment = Impairment::SlowLink;
        let queue_delay = Some(Percentiles { p50: wait, p95: 10.0 * wait });
        let late_ppm = 7;
        run.observed = Some(Observed { queue_delay, late_ppm, ..Observed::default() });
    }
    let report = Report::new(provenance(), &runs, Vec::new());
    let [cell] = &report.runs[..] else { panic!("one case") };
    // The one that is only looked at, round 0, counts for nothing.
    assert_eq!((cell.rounds, cell.seconds), (3, Some(2.0)));
    assert_eq!(cell.queue_delay_ms, Some(Percentiles { p50: 2.0, p95: 20.0 }));
    assert_eq!(cell.relay_late_ppm, Some(7));
    assert!(report.text().contains("268.4 (67.1) 2/20 ms"), "{}", report.text());
}

#[test]
fn a_slow_pair_fails_nothing() {
    let runs = vec![run("libutp:libutp", 1, Some(1.0)), run("ours:libutp", 1, Some(100.0))];
    let report = Report::new(provenance(), &runs, Vec::new());
    assert_eq!(report.ratios[0].met, Some(false));
    assert!(report.pass);
}

#[test]
fn files_are_written_whole_and_leave_no_temporary_behind() {
    let folder = std::env::temp_dir().join(format!("utp-interop-report-{}", std::process::id()));
    write_files(&folder, &[("a.json", "1".into()), ("b.md", "2".into())]).expect("writes");
    write_files(&folder, &[("a.json", "3".into())]).expect("overwrites");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("exists")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["a.json", "b.md"]);
    assert_eq!(fs::read_to_string(folder.join("a.json")).expect("exists"), "3");
    fs::remove_dir_all(folder).expect("removes");
}

#[test]
fn a_failed_conversation_fails_the_report_and_shows_in_its_tables() {
    let exchange = ExchangeRun {
        client: "utp-tokio".into(),
        server: "libutp".into(),
        family: Family::V6,
        case: crate::harness::Case::ManyShort,
        pass: false,
        seconds: 1.5,
        error: Some("gone".into()),
    };
    let report = Report::new(provenance(), &[], vec![exchange]);
    assert!(!report.pass);
    assert!(report.markdown().contains("| many-short   | FAILED |"), "{}", report.markdown());
}
