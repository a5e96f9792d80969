//! The binary as a shell sees it: exit status and streams.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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
        let file = utp_sim::scenario::load(&path).unwrap_or_else(|error| panic!("{error}"));
        assert!(file.variants.iter().all(|scenario| !scenario.expectations.is_empty()));
        names.push(file.name);
    }
    names.sort();
    assert_eq!(names, ["bufferbloat", "jitter", "loss"]);
}
