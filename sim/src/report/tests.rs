//! Reports of a made-up run of the shape that the bufferbloat scenario has.

use super::*;
use crate::record::{BUCKET, FlowRecord, LinkRecord, QUEUE_SAMPLE_INTERVAL};
use crate::scenario::{
    Change, Controller, FlowSpec, LinkConfig, LinkState, Rate, Scenario, What, parse,
};
use crate::time::Ns;
use std::fs;

/// A folder of a test's own, empty, gone when the test has passed or failed.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("utp-sim-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("writable");
        Self(folder)
    }
}

impl std::ops::Deref for Folder {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn file() -> ScenarioFile {
    let text = include_str!("../../../scenarios/bufferbloat.toml");
    parse("scenarios/bufferbloat.toml".as_ref(), text).expect("valid")
}

/// A saw between two heights with noise that needs no generator.
fn saw(step: u64, period: u64, low: u64, high: u64) -> u32 {
    let noise = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55;
    let height = low + (high - low) * (step % period) / period + noise * 8;
    u32::try_from(height).expect("a short delay")
}

/// What a run could look like: a saw while TCP sends, a steady queue while it does not.
pub(crate) fn made_up(scenario: &Scenario) -> Record {
    let tcp = scenario.flows.iter().find(|flow| flow.name == "tcp").expect("in the file");
    let end = tcp.stop.unwrap_or(scenario.duration);
    let queue_us = |step: u64| {
        let now = Ns(step * QUEUE_SAMPLE_INTERVAL.0);
        match now {
            _ if (tcp.start..end).contains(&now) => saw(step, 1_100, 420_000, 990_000),
            _ if now < Ns::from_secs(3) => saw(step, 300, 0, 96_000),
            _ => saw(step, 40, 96_000, 98_000),
        }
    };
    let samples = scenario.duration.0 / QUEUE_SAMPLE_INTERVAL.0;
    let buckets = scenario.duration.0 / BUCKET.0;
    let link = LinkRecord {
        name: "uplink".to_owned(),
        queue_delay_us: (0..samples).map(queue_us).collect(),
        busy_ns: (0..buckets).map(|bucket| 99_000_000 + bucket % 7 * 100_000).collect(),
        dropped_packets: 12,
        lost_packets: 0,
        ..LinkRecord::default()
    };
    let flows = scenario.flows.iter().map(|flow| {
        let mut record = FlowRecord { name: flow.name.clone(), ..FlowRecord::default() };
        for bucket in 0..buckets {
            let now = Ns(bucket * BUCKET.0);
            let tcp_sends = (tcp.start..end).contains(&now);
            let queue = queue_us(bucket * 10);
            record.delivered_bytes.push(match (&*flow.name, tcp_sends) {
                ("voice", _) => 800,
                ("tcp", true) | ("utp", false) => 120_000 + u64::from(saw(bucket, 9, 0, 1)),
                (name, _) if name.starts_with("bulk") => 8_000 + u64::from(saw(bucket, 9, 0, 1)),
                ("utp", true) => 150,
                _ => 0,
            });
            if flow.name == "voice" {
                record.one_way_delay_us.push((now, queue + 25_240));
            } else {
                record.rtt_us.push((now, queue + 51_000));
                record.window_bytes.push((now, 62_500 + u64::from(queue)));
                record
                    .base_delay_us
                    .push((now, 25_000 - 3 * i32::try_from(bucket).expect("small")));
                record.queuing_delay_us.push((now, queue));
            }
        }
        record
    });
    Record {
        duration: scenario.duration,
        links: vec![link],
        flows: flows.collect(),
        trace_hash: 0xfeed_face_cafe_f00d,
    }
}

pub(super) fn with_report(check: impl FnOnce(Report<'_>)) {
    let file = file();
    let records: Vec<_> = file.variants.iter().map(made_up).collect();
    check(Report::new(&file, &records));
}

/// The points of every line and area of a plot.
pub(super) fn lines_of(svg: &str) -> Vec<Vec<(i32, i32)>> {
    let steps = svg.lines().filter(|line| !line.contains('V') && !line.contains('H'));
    let data = steps.filter_map(|line| line.split_once(" d=\"M")).map(|(_, rest)| rest);
    let data = data.filter_map(|rest| rest.split('"').next());
    data.map(|data| {
        // A minus sign begins a number as a space does.
        let spaced = data.replace('-', " -").replace('l', " ").replace('z', "");
        let numbers: Vec<i32> = spaced.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        let mut at = (0, 0);
        let mut points = Vec::new();
        for step in numbers.chunks(2) {
            at = (at.0 + step[0], at.1 + step[1]);
            points.push(at);
        }
        points
    })
    .collect()
}

#[test]
fn variants_by_controllers_are_the_base_scenario_with_each() {
    let named = |name| Controller::named(name).expect("it exists");
    let file = file().with_controllers(["cubic", "rfc6817"].map(named));
    let names: Vec<&str> = file.variants.iter().map(|variant| &*variant.variant).collect();
    assert_eq!(names, ["cubic", "rfc6817"]);
    for variant in &file.variants {
        let kinds: Vec<_> = variant.flows.iter().map(|flow| kind_names(&flow.kind)).collect();
        assert_eq!(kinds, [("utp", Some(&*variant.variant)), ("cbr", None), ("reno", None)]);
    }
    let report = Report::new(&file, &[]);
    assert!(report.command().starts_with('#'), "no command knows them");
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    with_report(|report| {
        let (first, second) = (report.files().expect("drawn"), report.files().expect("drawn"));
        assert_eq!(first, second);
        assert_eq!(table(report, Paint::Plain), table(report, Paint::Plain));
    });
}

#[test]
fn results_are_small_enough_to_commit() {
    with_report(|report| {
        let files = report.files().expect("drawn");
        let bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
        assert!(bytes < 400_000, "{bytes}");
        for (name, text) in files.iter().filter(|(name, _)| name.ends_with("svg")) {
            let longest = lines_of(text).iter().map(Vec::len).max();
            assert!(longest.is_some_and(|points| (150..=2_000).contains(&points)), "{name}");
        }
    });
}

/// A scenario of `flows` flows in `variants` variants, its uplink broken for a while.
pub(super) fn crowd(variants: usize, flows: usize) -> (ScenarioFile, Vec<Record>) {
    let mut file = file();
    let mut base = file.variants.remove(0);
    let flow = base.flows.remove(0);
    base.flows = (1..=flows)
        .map(|n| FlowSpec { name: format!("bulk-{n}"), ..flow.clone() })
        .chain(base.flows.clone())
        .collect();
    let good = base.links[0].config.clone();
    let down = LinkConfig { state: LinkState::Down, ..good.clone() };
    let slow = LinkConfig { rate: Rate::Constant(5_000_000), ..good.clone() };
    let changes = [(10, down), (15, good), (100, slow)].map(|(at, config)| Change {
        at: Ns::from_secs(at),
        what: What::Link { link: 0, config: Box::new(config) },
    });
    base.changes = changes.to_vec();
    file.variants = (1..=variants)
        .map(|n| Scenario { variant: format!("variant-{n}"), ..base.clone() })
        .collect();
    file.variants[0].variant = "default".to_owned();
    let records = file.variants.iter().map(made_up).collect();
    (file, records)
}

#[test]
fn many_variants_or_many_flows_stay_small_enough_to_commit() {
    for (variants, flows) in [(10, 1), (2, 11), (1, 100)] {
        let (file, records) = crowd(variants, flows);
        let report = Report::new(&file, &records);
        let files = report.files().expect("drawn");
        let bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
        assert!(bytes < 400_000, "{variants} variants of {flows} flows: {bytes}");
    }
}

#[test]
fn the_command_of_a_file_names_the_features_that_it_needs() {
    with_report(|report| {
        let mut file = report.file.clone();
        let FlowKind::Utp(utp) = &mut file.variants[0].flows[0].kind else { panic!("it is one") };
        utp.receiver = Stack::Libutp;
        let command = Report { file: &file, ..report }.command();
        assert_eq!(command, "cargo xtask simulate scenarios/bufferbloat.toml --features reference");
    });
}

#[test]
fn the_page_has_everything_and_needs_nothing_else() {
    with_report(|report| {
        let given = Given { seeds: Some((7, 7)), ..Given::default() };
        let report = Report { given, ..report };
        let files = report.files().expect("drawn");
        let page = &files.iter().find(|(name, _)| *name == "report.html").expect("written").1;
        for piece in [
            "<title>bufferbloat - PASS</title>",
            "cargo xtask simulate scenarios/bufferbloat.toml --seed 7",
            "<td>flows.utp.share</td><td>60s..80s</td><td class=\"n\">0.0012</td><td>&lt;= 0.02</td>",
            "queue = { kind = &quot;droptail&quot;, bytes_max = 1_250_000 }",
            "<code>feedfacecafef00d</code>",
            &format!("<code>{}</code>", report.file.digest),
            &format!("<code>utp-sim {}</code>", env!("CARGO_PKG_VERSION")),
        ] {
            assert!(page.contains(piece), "{piece}");
        }
        assert_eq!(page.matches("<svg ").count(), 3);
        // The only address is the name of the SVG name space; nothing is fetched, nothing runs.
        let addresses = page.matches("http").count();
        assert_eq!(addresses, page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
        assert!(!page.contains("<script") && !page.contains("src="));
        // Every element that is opened is closed.
        for name in ["table", "tr", "td", "th", "figure", "svg", "dl", "pre", "h2", "div"] {
            let opened = page.matches(&format!("<{name}>")).count()
                + page.matches(&format!("<{name} ")).count();
            assert_eq!(opened, page.matches(&format!("</{name}>")).count(), "{name}");
        }
    });
}

#[test]
fn everything_drawn_is_inside_the_picture() {
    with_report(|report| {
        let files = report.files().expect("drawn");
        for (_, svg) in files.iter().filter(|(name, _)| name.ends_with(".svg")) {
            let size = |name: &str| -> i32 {
                let rest = svg.split(&format!(" {name}=\"")).nth(1).expect("an attribute");
                rest.split('"').next().and_then(|value| value.parse().ok()).expect("a number")
            };
            let (width, height) = (size("width"), size("height"));
            for (x, y) in lines_of(svg).into_iter().flatten() {
                assert!((0..=width).contains(&x) && (0..=height).contains(&y), "{x},{y}");
            }
            assert!(!svg.contains("NaN"));
        }
    });
}

#[test]
fn the_time_series_has_a_row_per_100_ms_and_a_cell_per_column() {
    with_report(|report| {
        let text = timeseries(report, 190_000);
        let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let header = rows.next().expect("a header");
        assert_eq!(
            header[..3],
            ["time_s", "default.links.uplink.queue_delay_ms", "default.links.uplink.utilisation"]
        );
        let rows: Vec<_> = rows.collect();
        assert_eq!(rows.len(), 1_200);
        assert!(rows.iter().all(|row| row.len() == header.len()));
        assert_eq!((rows[0][0], rows[1_199][0]), ("0.0", "119.9"));
        let column = |name: &str| header.iter().position(|known| *known == name).expect(name);
        // Nothing is known of a flow before it starts.
        let tcp = column("default.flows.tcp.goodput_mbps");
        assert_eq!((rows[399][tcp], rows[400][tcp]), ("", "9.670"));
        assert_eq!(rows[0][column("default.flows.voice.one_way_delay_ms")], "25.240");
    });
}

#[test]
fn the_summary_has_the_documented_keys() {
    with_report(|report| {
        let text = summary(report).expect("JSON");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(json["scenario"], "bufferbloat");
        assert_eq!(json["engine"], "turmoil");
        assert_eq!((&json["seed"], &json["duration_s"]), (&1.into(), &120.0.into()));
        assert_eq!(json["trace_hash"], "feedfacecafef00d");
        let base = &json["variants"]["default"];
        let link = &base["links"]["uplink"];
        assert!(link["queue_delay_ms"]["p99"].as_f64() > link["queue_delay_ms"]["p50"].as_f64());
        assert_eq!(link["dropped_packets"], 12);
        assert_eq!(
            (&link["windows"][0]["from_s"], &link["windows"][0]["to_s"]),
            (&15.0.into(), &40.0.into())
        );
        let utp = &base["flows"]["utp"];
        assert_eq!((&utp["kind"], &utp["controller"]), (&"utp".into(), &"libutp".into()));
        assert!(utp["completed_s"].is_null() && utp["sha256_ok"].is_null());
        assert_eq!(utp["windows"][1]["share"], 0.0012);
        assert_eq!(json["variants"]["reno-alone"]["flows"]["tcp"]["kind"], "reno");
        let expectation = &json["expectations"][2];
        assert_eq!(expectation["metric"], "links.uplink.queue_delay_ms.p95");
        assert!(expectation["min"].is_null() && expectation["pass"] == true);
        assert_eq!(json["pass"], true);
        assert_eq!(json["expectations"].as_array().map(Vec::len), Some(11));
    });
}

#[test]
fn a_value_that_was_not_measured_never_passes() {
    let mut file = file();
    file.variants.truncate(1);
    let mut record = made_up(&file.variants[0]);
    record.duration = Ns::from_secs(50);
    let records = [record];
    let report = Report::new(&file, &records);
    assert!(!report.pass());
    let text = table(report, Paint::Plain);
    let row = "FAIL  default  flows.utp.share                  60s..80s          -  <= 0.02\n";
    assert!(text.contains(row), "{text}");
    assert!(text.ends_with("FAIL bufferbloat: 5 of 8 expectations missed, seed 1\n"), "{text}");
}

#[test]
fn a_run_of_an_instant_can_still_be_drawn() {
    let mut file = file();
    file.variants.truncate(1);
    let record = Record {
        flows: vec![FlowRecord::default(); 3],
        links: vec![LinkRecord::default()],
        ..Record::default()
    };
    let records = [record];
    let report = Report::new(&file, &records);
    let files = report.files().expect("drawn");
    assert!(files.iter().all(|(_, text)| !text.contains("NaN") && !text.contains("inf")));
}
