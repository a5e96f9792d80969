//! The command line over an engine that makes its records up.

use super::*;
use crate::report::tests::{Folder, made_up};
use crate::run::Run;
use crate::scenario::Scenario;
use crate::taps::Taps;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A copy of a shipped scenario with one piece replaced.
fn scenario(folder: &Path, name: &str, from: &str, to: &str) -> PathBuf {
    let text = include_str!("../../../scenarios/bufferbloat.toml");
    assert!(text.contains(from), "{from}");
    let path = folder.join(name);
    fs::write(&path, text.replacen(from, to, 1)).expect("writable");
    path
}

struct Outcome {
    status: u8,
    out: String,
    err: String,
}

fn simulate(files: &[&Path], out: &Path, more: &[&str], engine: impl Engine) -> Outcome {
    command("simulate", files, out, more, engine)
}

fn command(name: &str, files: &[&Path], out: &Path, more: &[&str], engine: impl Engine) -> Outcome {
    let mut args: Vec<OsString> = ["utp-sim", name, "--out"].map(OsString::from).into();
    args.push(out.into());
    args.extend(files.iter().map(|file| file.as_os_str().to_owned()));
    args.extend(more.iter().map(OsString::from));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut io = Streams { out: &mut out, err: &mut err, paint: Paint::Plain };
    let status = run(args, engine, &mut io);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Outcome { status, out: text(out), err: text(err) }
}

fn good(scenario: &Scenario, progress: &dyn Fn(Ns), _: Taps) -> anyhow::Result<Run> {
    progress(scenario.duration);
    Ok(Run { record: made_up(scenario), events: 5_000_000, packets: 1_000_000 })
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: io::Result<fs::DirEntry>| entry.expect("readable").file_name();
    let mut names: Vec<_> = entries.map(|e| name(e).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_run_that_holds_writes_its_files_and_prints_the_table() {
    let folder = Folder::new("holds");
    let file = scenario(&folder, "a.toml", "seed     = 1", "seed     = 1");
    let outcome = simulate(&[&file], &folder.join("out"), &[], good);
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    assert!(outcome.out.contains("PASS a: all 11 expectations hold, seed 1\n"), "{}", outcome.out);
    assert!(outcome.err.starts_with("a: 2 runs of 120.0 s simulated in "), "{}", outcome.err);
    let files = [
        "delay.svg",
        "report.html",
        "summary.json",
        "throughput.svg",
        "timeseries.csv",
        "window.svg",
    ];
    assert_eq!(names(&folder.join("out/a")), files);
}

#[test]
fn the_speed_counts_all_runs_and_events() {
    let speed = |seconds: &[u64]| {
        let lengths: Vec<_> = seconds.iter().map(|s| Ns::from_secs(*s)).collect();
        speed(&lengths, 3_000_000, 2.5)
    };
    assert_eq!(speed(&[120]), "120.0 s simulated in 2.5 s, 48 x real time, 1.20 M events/s");
    assert_eq!(
        speed(&[120, 120]),
        "2 runs of 120.0 s simulated in 2.5 s, 96 x real time, 1.20 M events/s"
    );
    assert_eq!(
        speed(&[30, 120, 60]),
        "3 runs of 30.0 s to 120.0 s simulated in 2.5 s, 84 x real time, 1.20 M events/s"
    );
}

#[test]
fn a_missed_expectation_is_status_1_and_says_how_to_run_again() {
    let folder = Folder::new("missed");
    let file = scenario(&folder, "a.toml", "min    = 0.97", "min    = 0.999");
    let outcome = simulate(&[&file], &folder.join("out"), &["--seed", "9"], good);
    assert_eq!(outcome.status, 1);
    let row = "FAIL  default     links.uplink.utilisation         15s..40s      0.993  >= 0.999";
    assert!(outcome.out.contains(row), "{}", outcome.out);
    assert!(outcome.out.contains("FAIL a: 1 of 11 expectations missed, seed 9"), "{}", outcome.out);
    let command = format!("simulate {} --seed 9", file.display());
    assert!(outcome.out.contains(&command), "{}", outcome.out);
    // The results are there to look into.
    assert_eq!(names(&folder.join("out/a")).len(), 6);
}

#[test]
fn json_is_the_summary_and_nothing_else_on_stdout() {
    let folder = Folder::new("json");
    let file = scenario(&folder, "a.toml", "min    = 0.97", "min    = 0.999");
    let outcome = simulate(&[&file], &folder.join("out"), &["--json"], good);
    assert_eq!(outcome.status, 1);
    assert_eq!(outcome.out, fs::read_to_string(folder.join("out/a/summary.json")).expect("there"));
    assert!(outcome.err.contains("replay: cargo xtask simulate"), "{}", outcome.err);
    let summary: serde_json::Value = serde_json::from_str(&outcome.out).expect("JSON");
    assert_eq!(summary["pass"], false);
    assert_eq!(summary["expectations"][0]["value"], 0.993);
}

#[test]
fn a_wrong_file_is_status_2_and_stops_the_good_ones_too() {
    let folder = Folder::new("wrong");
    let good_file = scenario(&folder, "good.toml", "seed     = 1", "seed     = 1");
    let bad = scenario(&folder, "bad.toml", "\"10mbit\"", "\"10mbps\"");
    let outcome = simulate(&[&good_file, &bad], &folder.join("out"), &[], good);
    assert_eq!((outcome.status, &*outcome.out), (2, ""));
    assert!(outcome.err.starts_with(&format!("error: {}:", bad.display())), "{}", outcome.err);
    assert!(outcome.err.contains("key 'link.uplink.rate': not a rate: got \"10mbps\""));
    assert!(!folder.join("out").exists());
}

#[test]
fn two_files_of_one_name_would_share_a_folder_and_are_refused() {
    let folder = Folder::new("twice");
    fs::create_dir_all(folder.join("b")).expect("writable");
    let first = scenario(&folder, "a.toml", "seed     = 1", "seed     = 1");
    let second = scenario(&folder, "b/a.toml", "seed     = 1", "seed     = 2");
    let outcome = simulate(&[&first, &second], &folder.join("out"), &[], good);
    assert_eq!(outcome.status, 2);
    assert!(outcome.err.contains("its results would replace those of"), "{}", outcome.err);
}

#[test]
fn a_failing_simulation_is_status_3_and_leaves_old_results_alone() {
    let folder = Folder::new("fails");
    let file = scenario(&folder, "a.toml", "seed     = 1", "seed     = 1");
    let out = folder.join("out");
    assert_eq!(simulate(&[&file], &out, &[], good).status, 0);
    let before = fs::read(out.join("a/summary.json")).expect("there");
    let outcome =
        simulate(&[&file], &out, &["--seed", "5"], |_: &Scenario, _: &dyn Fn(Ns), _: Taps| {
            anyhow::bail!("a packet came late")
        });
    assert_eq!((outcome.status, &*outcome.out), (3, ""));
    assert!(outcome.err.ends_with("variant default: a packet came late\n"), "{}", outcome.err);
    assert_eq!(fs::read(out.join("a/summary.json")).expect("there"), before);
}

#[test]
fn a_panic_in_the_simulation_is_status_3() {
    let folder = Folder::new("panics");
    let file = scenario(&folder, "a.toml", "seed     = 1", "seed     = 1");
    let outcome =
        simulate(&[&file], &folder.join("out"), &[], |_: &Scenario, _: &dyn Fn(Ns), _: Taps| {
            panic!("on purpose, for a test")
        });
    assert_eq!(outcome.status, 3);
    assert!(outcome.err.contains("the simulation panicked"), "{}", outcome.err);
}

fn never(_: &Scenario, _: &dyn Fn(Ns), _: Taps) -> anyhow::Result<Run> {
    panic!("simulated although the results cannot be written")
}

#[test]
fn results_that_cannot_be_written_are_status_3_before_anything_is_run() {
    let folder = Folder::new("unwritable");
    let first = scenario(&folder, "a.toml", "seed     = 1", "seed     = 1");
    let second = scenario(&folder, "b.toml", "seed     = 1", "seed     = 1");
    // A file is where the folder should be.
    let outcome = simulate(&[&first], &first, &[], never);
    assert_eq!((outcome.status, &*outcome.out), (3, ""));
    assert!(outcome.err.starts_with("error: cannot make "), "{}", outcome.err);
    // The same for the last of the files only.
    let out = folder.join("out");
    fs::create_dir_all(&out).expect("writable");
    fs::write(out.join("b"), "").expect("writable");
    let outcome = simulate(&[&first, &second], &out, &[], never);
    assert_eq!((outcome.status, &*outcome.out), (3, ""));
    assert!(names(&out.join("a")).is_empty(), "the check leaves no file behind");
}

#[test]
fn a_closed_stdout_ends_the_run_quietly() {
    struct Shut;
    impl Write for Shut {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let folder = Folder::new("pipe");
    let file = scenario(&folder, "a.toml", "seed     = 1", "seed     = 1");
    let mut err = Vec::new();
    let mut io = Streams { out: &mut Shut, err: &mut err, paint: Paint::Plain };
    let args = ["utp-sim", "simulate", "--out"].map(OsString::from).into_iter();
    let args = args.chain([folder.join("out").into(), file.into()]);
    assert_eq!(run(args, good, &mut io), 0);
    assert_eq!(String::from_utf8(err).expect("UTF-8"), "");
    assert_eq!(names(&folder.join("out/a")).len(), 6);
}

#[test]
fn seeds_are_run_side_by_side_and_an_expectation_has_to_hold_for_each() {
    let folder = Folder::new("several-seeds");
    let file = scenario(&folder, "a.toml", "seed     = 1", "seed     = 1");
    let out = folder.join("out");
    // The third seed fills the queue a little less.
    let engine = |scenario: &Scenario, progress: &dyn Fn(Ns), taps: Taps| {
        let mut run = good(scenario, progress, taps)?;
        if scenario.seed == 3 && scenario.variant == "default" {
            run.record.links[0].busy_ns.iter_mut().for_each(|busy| *busy = 90_000_000);
        }
        Ok(run)
    };
    let outcome = simulate(&[&file], &out, &["--seeds", "1..3"], engine);
    assert_eq!(outcome.status, 1, "{}", outcome.err);
    let row = "0.993 [0.9..0.993], 1 seeds miss";
    assert!(outcome.out.contains(row), "{}", outcome.out);
    assert!(outcome.out.contains("--seeds 1..3"), "{}", outcome.out);
    let text = fs::read_to_string(out.join("a/summary.json")).expect("written");
    let summary: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let seeds = &summary["seeds"];
    assert_eq!((&seeds["first"], &seeds["last"]), (&1.into(), &3.into()));
    let used = &seeds["variants"]["default"]["metrics"]["links.uplink.utilisation"];
    assert_eq!((&used["median"], &used["min"]), (&0.993.into(), &0.9.into()));
    let expectation = &seeds["variants"]["default"]["expectations"][0];
    assert_eq!((&expectation["passed"], &expectation["count"]), (&2.into(), &3.into()));
    assert_eq!((&summary["pass"], &summary["seed"]), (&false.into(), &1.into()));
}

/// The shipped scenario with two delays and two rates.
fn swept(folder: &Path) -> PathBuf {
    let sweep = "[sweep]\n\"link.uplink.delay\" = [\"5ms\", \"20ms\"]\n\
                 \"flow.voice.rate\" = [\"64kbit\", \"32kbit\"]\n\n[[flow]]\nname       = \"utp\"";
    scenario(folder, "a.toml", "[[flow]]\nname       = \"utp\"", sweep)
}

const SWEPT: [&str; 4] = ["report.html", "sweep.csv", "sweep.json", "sweep.svg"];

#[test]
fn a_sweep_goes_on_where_it_was_stopped() {
    let folder = Folder::new("sweep-resumes");
    let (file, out) = (swept(&folder), folder.join("out"));
    let runs = AtomicUsize::new(0);
    let counted = |scenario: &Scenario, progress: &dyn Fn(Ns), taps: Taps| {
        runs.fetch_add(1, Ordering::Relaxed);
        good(scenario, progress, taps)
    };
    // Stopped in the second half.
    let failing = |scenario: &Scenario, progress: &dyn Fn(Ns), taps: Taps| {
        let late = scenario.point[0].1 == "20ms";
        if late { anyhow::bail!("stopped") } else { counted(scenario, progress, taps) }
    };
    let outcome = command("sweep", &[&file], &out, &["--seeds", "1..2"], failing);
    assert_eq!(outcome.status, 3, "{}", outcome.err);
    assert!(outcome.err.contains("link.uplink.delay = 20ms"), "{}", outcome.err);
    let before = runs.swap(0, Ordering::Relaxed);
    assert!(before >= 7, "all but those that the failure kept from beginning: {before}");
    assert!(!out.join("a/sweep.json").exists());

    let outcome = command("sweep", &[&file], &out, &["--seeds", "1..2"], counted);
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    assert_eq!(runs.swap(0, Ordering::Relaxed), 16 - before);
    assert!(names(&out.join("a")).iter().filter(|name| SWEPT.contains(&&***name)).count() == 4);
    let first = fs::read(out.join("a/sweep.json")).expect("written");

    // Nothing is left to do, and the result is the same.
    let outcome = command("sweep", &[&file], &out, &["--seeds", "1..2"], counted);
    assert_eq!((outcome.status, runs.load(Ordering::Relaxed)), (0, 0), "{}", outcome.err);
    assert_eq!(fs::read(out.join("a/sweep.json")).expect("written"), first);
}

#[test]
fn shares_of_a_sweep_are_joined_to_the_same_bytes() {
    let folder = Folder::new("sweep-shares");
    let file = swept(&folder);
    let whole = folder.join("whole");
    assert_eq!(command("sweep", &[&file], &whole, &[], good).status, 0);
    for (share, out) in [("count:1/2", "one"), ("count:2/2", "two")] {
        let outcome = command("sweep", &[&file], &folder.join(out), &["--partition", share], good);
        assert_eq!((outcome.status, &*outcome.out), (0, ""), "{}", outcome.err);
        assert_eq!(names(&folder.join(out).join("a/points")).len(), 4);
    }
    let (one, two) = (folder.join("one"), folder.join("two"));
    let (one, two) = (one.display().to_string(), two.display().to_string());
    let both = folder.join("both");
    let outcome = command("sweep", &[], &both, &["--merge", &one], good);
    assert_eq!(outcome.status, 1, "{}", outcome.err);
    assert!(outcome.err.contains("4 of 8 runs are missing"), "{}", outcome.err);
    let outcome = command("sweep", &[], &both, &["--merge", &one, &two], good);
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    for name in SWEPT {
        let read = |out: &Path| fs::read_to_string(out.join("a").join(name)).expect("written");
        assert_eq!(read(&both), read(&whole), "{name}");
    }
}

#[test]
fn a_swept_file_can_be_simulated_in_one_go() {
    let folder = Folder::new("simulate-swept");
    let (file, out) = (swept(&folder), folder.join("out"));
    let outcome = simulate(&[&file], &out, &["--json"], good);
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    assert_eq!(names(&out.join("a")), SWEPT);
    let json: serde_json::Value = serde_json::from_str(&outcome.out).expect("JSON");
    assert_eq!(json["keys"], serde_json::json!(["link.uplink.delay", "flow.voice.rate"]));
    assert_eq!(json["points"].as_array().map(Vec::len), Some(8));
    let outcome = simulate(&[&file], &out, &["--pcap"], never);
    assert_eq!(outcome.status, 2);
    assert!(outcome.err.contains("has a [sweep]"), "{}", outcome.err);
}
