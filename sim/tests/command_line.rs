//! The binary as a shell sees it: exit status and streams.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn utp_sim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_utp-sim")).args(args).output().expect("it starts")
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("writable");
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_teaches_on_stdout() {
    let output = utp_sim(&["simulate", "--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for piece in ["--seed <N>", "--out <DIR>", "--json", "Examples:", "Exit status:", "bufferbloat"]
    {
        assert!(help.contains(piece), "{piece}");
    }
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn wrong_usage_is_status_2() {
    for args in [&["simulate"][..], &["simulate", "--sede", "1", "x.toml"], &["simulat", "x.toml"]]
    {
        let output = utp_sim(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
    }
}

#[test]
fn a_file_that_cannot_be_run_is_status_2_with_its_line() {
    let folder = folder("bad-file");
    let file = folder.join("bad.toml");
    fs::write(&file, "summary = \"x\"\nduration = \"12\"\n").expect("writable");
    let (file, out) = (file.display().to_string(), folder.join("out"));
    let output = utp_sim(&["simulate", &file, "--out", &out.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "");
    let message = "2: key 'duration': not a time: got \"12\", allowed: a number with ns, us, ms, s \
                   or min, such as \"25ms\"";
    assert_eq!(text(&output.stderr), format!("error: {file}:{message}\n"));
    assert!(!out.exists());
    let output = utp_sim(&["simulate", "no/such/file.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("error: no/such/file.toml: cannot read: "));
}

#[test]
fn the_shipped_scenarios_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let file = utp_sim::scenario::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let expects = file.variants.iter().any(|scenario| !scenario.expectations.is_empty());
        assert!(expects, "{} expects nothing", file.name);
        names.push(file.name);
    }
    for name in ["bufferbloat", "jitter", "loss"] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
}

/// A small transfer with loss, and a call beside it.
const SMALL: &str = r#"
summary            = "A small upload with loss."
duration           = "30s"
stop_when_complete = true
[link.uplink]
rate  = "10mbit"
delay = "10ms"
queue = { kind = "droptail", bytes_max = "100kB" }
loss  = "1%"
[[flow]]
name  = "upload"
kind  = "utp"
via   = "uplink"
bytes = "500kB"
[[flow]]
name  = "call"
kind  = "cbr"
via   = "uplink"
rate  = "64kbit"
[[expect]]
metric = "flows.upload.sha256_ok"
min    = 1
[[expect]]
metric = "links.uplink.lost_packets"
min    = 1
[variant.narrow.link.uplink]
rate = "5mbit"
"#;

#[test]
fn a_real_run_gives_the_same_bytes_in_every_process() {
    let folder = folder("real-run");
    let file = folder.join("small.toml");
    fs::write(&file, SMALL).expect("writable");
    let file = file.display().to_string();
    let run = |out: &str| {
        let out = folder.join(out);
        let output = utp_sim(&["simulate", &file, "--out", &out.display().to_string()]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let read = |name: &str| fs::read_to_string(out.join("small").join(name)).expect("written");
        let files = [
            "summary.json",
            "timeseries.csv",
            "report.html",
            "delay.svg",
            "throughput.svg",
            "window.svg",
        ]
        .map(read);
        (text(&output.stdout), files)
    };
    let (first, second) = (run("first"), run("second"));
    assert_eq!(first, second);
    assert!(first.0.ends_with("PASS small: all 2 expectations hold, seed 1\n\n"), "{}", first.0);
}

#[test]
fn a_missed_expectation_of_a_real_run_is_status_1() {
    let folder = folder("missed");
    let file = folder.join("small.toml");
    // More than the link can carry.
    let greedy = "[[expect]]\nmetric = \"flows.upload.goodput_mbps\"\nmin = 11\n[variant";
    fs::write(&file, SMALL.replacen("[variant", greedy, 1)).expect("writable");
    let (file, out) = (file.display().to_string(), folder.join("out").display().to_string());
    let output = utp_sim(&["simulate", &file, "--seed", "3", "--out", &out]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(table.contains("FAIL small: 1 of 3 expectations missed, seed 3\n"), "{table}");
    assert!(table.contains(&format!("replay: cargo xtask simulate {file} ")));
}

#[test]
fn another_seed_gives_another_run() {
    let folder = folder("seeds");
    let file = folder.join("small.toml");
    fs::write(&file, SMALL).expect("writable");
    let (file, out) = (file.display().to_string(), folder.join("out").display().to_string());
    let hash = |seed: &str| {
        let output = utp_sim(&["simulate", &file, "--json", "--seed", seed, "--out", &out]);
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        summary["trace_hash"].as_str().expect("a text").to_owned()
    };
    assert_ne!(hash("1"), hash("2"));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = folder("closed-pipe");
    let file = folder.join("small.toml");
    fs::write(&file, SMALL).expect("writable");
    let mut child = Command::new(env!("CARGO_BIN_EXE_utp-sim"))
        .arg("simulate")
        .arg(file)
        .arg("--out")
        .arg(folder.join("out"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

/// The same over a grid of delays and loss rates.
const SWEPT: &str = "[sweep]\n\"link.uplink.delay\" = [\"5ms\", \"20ms\"]\n\
                     \"link.uplink.loss\" = [\"1%\", \"2%\"]\n[variant";

#[test]
fn seeds_are_in_the_summary_with_median_and_range() {
    let folder = folder("several-seeds");
    let file = folder.join("small.toml");
    fs::write(&file, SMALL).expect("writable");
    let (file, out) = (file.display().to_string(), folder.join("out").display().to_string());
    let args = ["simulate", &file, "--engine", "event", "--seeds", "3..5", "--json", "--out", &out];
    let output = utp_sim(&args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let lost = &summary["seeds"]["variants"]["default"]["metrics"]["links.uplink.lost_packets"];
    assert_eq!(lost["count"], 3);
    let number = |name: &str| lost[name].as_f64().expect("a number");
    assert!(number("min") < number("max"), "{lost}");
    assert!((number("min")..=number("max")).contains(&number("median")), "{lost}");
    assert_eq!((&summary["seed"], &summary["engine"]), (&3.into(), &"event".into()));
    assert!(text(&output.stderr).contains(" events/s"), "{}", text(&output.stderr));
}

#[cfg(unix)]
#[test]
fn a_sweep_that_is_interrupted_keeps_what_is_finished_and_goes_on() {
    use std::os::unix::process::ExitStatusExt;
    let folder = folder("interrupted");
    let file = folder.join("small.toml");
    fs::write(&file, SMALL.replacen("[variant", SWEPT, 1)).expect("writable");
    let run = |out: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_utp-sim"));
        command.args(["sweep", "--seeds", "1..4", "--engine", "event", "--out"]);
        command.arg(out).arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let points = |out: &Path| {
        let entries = fs::read_dir(out.join("small/points")).into_iter().flatten();
        let names = entries.map(|entry| entry.expect("readable").file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| !name.starts_with('.')).collect::<Vec<_>>()
    };
    let out = folder.join("out");
    let mut child = run(&out).spawn().expect("it starts");
    // It is stopped as soon as a few of the 32 runs are finished.
    while points(&out).len() < 3 && child.try_wait().expect("it runs").is_none() {
        std::thread::yield_now();
    }
    let stop = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(stop.expect("kill is everywhere").success());
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(2), "a shell shows that as 130");
    let kept = points(&out);
    assert!((3..32).contains(&kept.len()), "{}", kept.len());
    for name in &kept {
        let text = fs::read(out.join("small/points").join(name)).expect("whole");
        assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok(), "{name}");
    }
    let again = run(&out).output().expect("it ends");
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    let before = format!("32 runs, {} of them finished before", kept.len());
    assert!(text(&again.stderr).contains(&before), "{}", text(&again.stderr));
    // As if it had never been stopped.
    let whole = folder.join("whole");
    assert_eq!(run(&whole).output().expect("it ends").status.code(), Some(0));
    for name in ["sweep.json", "sweep.csv", "sweep.svg", "report.html"] {
        let read = |out: &Path| fs::read_to_string(out.join("small").join(name)).expect("written");
        assert_eq!(read(&out), read(&whole), "{name}");
    }
}
