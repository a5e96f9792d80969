//! The command line over an engine that makes its records up.

use super::*;
use crate::report::tests::{Folder, made_up};

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
    let mut args: Vec<OsString> = ["utp-sim", "simulate", "--out"].map(OsString::from).into();
    args.push(out.into());
    args.extend(files.iter().map(|file| file.as_os_str().to_owned()));
    args.extend(more.iter().map(OsString::from));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut io = Streams { out: &mut out, err: &mut err, paint: Paint::Plain };
    let status = run(args, engine, &mut io);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Outcome { status, out: text(out), err: text(err) }
}

fn good(scenario: &Scenario, progress: &dyn Fn(Ns)) -> anyhow::Result<Record> {
    progress(scenario.duration);
    Ok(made_up(scenario))
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
    assert!(outcome.err.starts_with("a: 2 variants of 120.0 s simulated in "), "{}", outcome.err);
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
fn the_speed_is_that_of_one_variant_however_many_run_side_by_side() {
    let folder = Folder::new("speed");
    let file = load(&scenario(&folder, "a.toml", "seed     = 1", "seed     = 1")).expect("valid");
    let record = |seconds: u64| {
        let mut record = made_up(&file.variants[0]);
        record.duration = Ns::from_secs(seconds);
        record
    };
    assert_eq!(speed(&[record(120)], 2.5), "120.0 s simulated in 2.5 s, 48 x real time");
    assert_eq!(
        speed(&[record(120), record(120)], 2.5),
        "2 variants of 120.0 s simulated in 2.5 s, each 48 x real time"
    );
    assert_eq!(
        speed(&[record(30), record(120), record(60)], 2.5),
        "3 variants of 30.0 s to 120.0 s simulated in 2.5 s, the longest 48 x real time"
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
    let outcome = simulate(&[&file], &out, &["--seed", "5"], |_: &Scenario, _: &dyn Fn(Ns)| {
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
    let outcome = simulate(&[&file], &folder.join("out"), &[], |_: &Scenario, _: &dyn Fn(Ns)| {
        panic!("on purpose, for a test")
    });
    assert_eq!(outcome.status, 3);
    assert!(outcome.err.contains("the simulation panicked"), "{}", outcome.err);
}

fn never(_: &Scenario, _: &dyn Fn(Ns)) -> anyhow::Result<Record> {
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
