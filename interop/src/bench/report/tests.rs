//! The results in their forms.

use std::collections::BTreeMap;

use super::super::plan::{BENCHES, IMPLEMENTATIONS};
use super::*;

fn row(bench: &str, implementation: &str, samples: &[(&'static str, f64)]) -> Row {
    Row {
        bench: BENCHES.iter().find(|of| of.name == bench).expect("a bench"),
        implementation: IMPLEMENTATIONS
            .iter()
            .find(|of| of.name == implementation)
            .expect("an implementation"),
        samples: samples.iter().map(|&sample| BTreeMap::from([sample])).collect(),
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
        row("idle-10k", "utp-tokio", &[("acceptor_bytes", 3_000.0)]),
    ];
    Report { provenance: Provenance::now(), quick: false, rows }
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

    report.rows[1].shortfalls.push(Shortfall::Failed("lost".to_owned()));
    assert!(report.pass());
    report.rows[0].shortfalls.push(Shortfall::Failed("lost".to_owned()));
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
