//! The results in their forms.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::plan::{BENCHES, IMPLEMENTATIONS};
use super::*;

fn row(bench: &str, implementation: &str, samples: &[(&'static str, f64)]) -> Row {
    Row {
        bench: BENCHES.iter().find(|of| of.name == bench).expect("a bench"),
        implementation: IMPLEMENTATIONS
            .iter()
            .find(|of| of.name == implementation)
            .expect("an implementation"),
        samples: samples
            .iter()
            .map(|&(key, value)| BTreeMap::from([(key.into(), value)]))
            .collect(),
        shortfalls: Vec::new(),
    }
}

fn report() -> Report {
    let mut unable = row("stream", "utp-rs", &[]);
    unable.shortfalls.push(Shortfall::Unable("no bench-utp-rs".to_owned()));
    let rows = vec![
        row(
            "stream",
            "utp-tokio",
            &[("mb_per_s", 900.0), ("mb_per_s", 700.0), ("mb_per_s", 800.0)],
        ),
        row("stream", "libutp", &[("mb_per_s", 100.0)]),
        unable,
    ];
    let idle = vec![row("idle-10k", "utp-tokio", &[("acceptor_bytes", 3_000.0)])];
    Report { quick: false, sections: vec![section(rows), section(idle)] }
}

fn section(rows: Vec<Row>) -> Section {
    Section { provenance: Provenance::now(), bench: rows[0].bench, rows }
}

#[test]
fn a_ratio_is_that_of_medians_and_is_held_to_its_goal() {
    let compared = report().compared();
    let met: Vec<_> = compared.iter().map(|of| (of.bench, of.value, of.met)).collect();
    assert_eq!(met, [("stream", 8.0, true), ("idle-10k", 3_000.0, false)]);
}

#[test]
fn what_cannot_be_measured_is_told_and_fails_nothing() {
    let mut report = report();
    assert!(report.pass());
    let page = report.markdown();
    assert!(page.contains("cannot: no bench-utp-rs"), "{page}");
    let charts = report.charts();
    assert_eq!(charts.len(), 2);
    assert!(charts[0].1.contains("cannot"), "{}", charts[0].1);

    report.sections[0].rows[1].shortfalls.push(Shortfall::Failed("lost".to_owned()));
    assert!(report.pass());
    report.sections[0].rows[0].shortfalls.push(Shortfall::Failed("lost".to_owned()));
    assert!(!report.pass());
}

#[test]
fn the_first_figure_has_its_range_in_the_summary() {
    let json: Value = serde_json::from_str(&report().json().expect("plain data")).expect("JSON");
    let row = &json["rows"][0];
    assert_eq!(row["implementation"], "utp-tokio");
    assert_eq!(row["runs"], 3);
    assert_eq!(row["mb_per_s"], json!({ "median": 800.0, "min": 700.0, "max": 900.0 }));
    assert_eq!(json["rows"][2]["note"], "cannot: no bench-utp-rs");
    assert_eq!(json["ratios"][0]["goal"], 6.0);
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("utp-interop-bench-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("writable");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_later_run_of_some_benches_leaves_the_others() {
    let folder = Folder::new("later");
    report().write(&folder.0).expect("writable");

    let faster = vec![row("stream", "utp-tokio", &[("mb_per_s", 1_000.0)])];
    let later = Report { quick: false, sections: vec![section(faster)] };
    later.write(&folder.0).expect("writable");

    let kept = Report::load(&folder.0).expect("it was written");
    let names: Vec<&str> = kept.sections.iter().map(|of| of.bench.name).collect();
    assert_eq!(names, ["stream", "idle-10k"]);
    assert_eq!(kept.sections[0].rows.len(), 1, "of one run");
    assert_eq!(kept.sections[0].rows[0].samples[0]["mb_per_s"], 1_000.0);
    assert_eq!(kept.sections[1].rows[0].samples[0]["acceptor_bytes"], 3_000.0);
    assert_eq!(kept.sections[1].provenance, report().sections[1].provenance);
}

#[test]
fn figures_of_a_quick_run_never_stand_beside_measured_ones() {
    let folder = Folder::new("quick");
    let quick = |quick| {
        let rows = vec![row("ping", "tcp", &[("p50_us", 1.0)])];
        Report { quick, sections: vec![section(rows)] }
    };
    report().write(&folder.0).expect("writable");
    quick(true).write(&folder.0).expect("writable");
    let kept = Report::load(&folder.0).expect("it was written");
    assert_eq!((kept.quick, kept.sections.len()), (true, 1));

    report().write(&folder.0).expect("writable");
    let kept = Report::load(&folder.0).expect("it was written");
    assert_eq!((kept.quick, kept.sections.len()), (false, 2));
}

#[test]
fn a_file_that_is_no_summary_is_named_and_left() {
    let folder = Folder::new("no-summary");
    fs::write(folder.0.join("summary.json"), "[]").expect("writable");
    let error = report().write(&folder.0).expect_err("no summary");
    assert!(error.to_string().contains("summary.json"), "{error}");
    assert_eq!(fs::read_to_string(folder.0.join("summary.json")).expect("there"), "[]");
}

#[test]
fn no_ratio_is_made_of_two_machines() {
    let mut report = report();
    let thousand = vec![row("streams-1000", "utp-tokio", &[("mb_per_s", 800.0)])];
    report.sections.push(section(thousand));
    assert_eq!(report.compared().len(), 3);
    report.sections[2].provenance.machine.cores += 1;
    assert_eq!(report.compared().len(), 2);
}
