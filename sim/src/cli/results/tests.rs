//! The command over small scenarios of the names that the tables need.

use super::*;
use crate::report::Paint;
use crate::report::tests::Folder;
use crate::results::tests::write_small_scenarios;
use crate::run::run_tapped;
use std::path::PathBuf;

struct Lab {
    folder: Folder,
    count: usize,
}

impl Lab {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        fs::create_dir_all(folder.join("scenarios")).expect("writable");
        let count = write_small_scenarios(&folder.join("scenarios"));
        Self { folder, count }
    }

    fn out(&self) -> PathBuf {
        self.folder.join("results")
    }

    /// Status and stdout, or stderr where nothing could be run.
    fn run(&self, check: bool, jobs: usize) -> (u8, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut io = Streams { out: &mut out, err: &mut err, paint: Paint::Plain };
        let options = Results { check, out: self.out(), jobs: NonZeroUsize::new(jobs) };
        let scenarios = self.folder.join("scenarios");
        let places = Places { scenarios: &scenarios, check: &self.folder.join("check") };
        let status = results(&options, places, &run_tapped, &mut io);
        let printed = if status > MISSED { err } else { out };
        (status, String::from_utf8(printed).expect("UTF-8"))
    }
}

#[test]
fn what_was_made_is_found_the_same_however_many_run_at_once() {
    let lab = Lab::new("results-same");
    let (status, printed) = lab.run(false, 2);
    assert_eq!((status, printed.lines().count()), (GOOD, lab.count), "{printed}");
    let page = fs::read_to_string(lab.out().join(README)).expect("written");
    for piece in ["| utilisation alone, % |", "| P13 |", "### yield-late-reno\n", "delay.svg)\n"] {
        assert!(page.contains(piece), "{piece}");
    }
    let (status, printed) = lab.run(true, 1);
    assert_eq!(status, GOOD, "{printed}");
    assert!(printed.ends_with(": every file is what the scenarios give\n"), "{printed}");
    assert!(!lab.folder.join("check").exists());
}

#[test]
fn a_check_names_every_file_that_differs_and_changes_none() {
    let lab = Lab::new("results-differ");
    let basic = lab.out().join("scenarios/basic");
    fs::create_dir_all(&basic).expect("writable");
    fs::write(basic.join("summary.json"), "{}").expect("writable");
    fs::write(basic.join("old.svg"), "").expect("writable");
    // Measured results are not for it to judge.
    fs::create_dir_all(lab.out().join("bench")).expect("writable");
    fs::write(lab.out().join("bench/table.md"), "measured").expect("writable");
    let (status, printed) = lab.run(true, 2);
    assert_eq!(status, MISSED);
    let named = |what: &str, file: &str| format!("{what}: {}\n", basic.join(file).display());
    for line in [
        named("missing", "delay.svg"),
        named("superfluous", "old.svg"),
        named("differs", "summary.json"),
    ] {
        assert!(printed.contains(&line), "{line} is not in {printed}");
    }
    assert!(printed.contains(" files are not what the scenarios give, see "), "{printed}");
    assert_eq!(fs::read_to_string(basic.join("summary.json")).expect("there"), "{}");
    assert!(!basic.join("delay.svg").exists());
    assert!(lab.folder.join("check/scenarios/basic/delay.svg").is_file());
}

#[test]
fn a_missed_expectation_is_status_1_with_its_table() {
    let lab = Lab::new("results-missed");
    let file = lab.folder.join("scenarios/basic.toml");
    let text = fs::read_to_string(&file).expect("written");
    fs::write(&file, text.replace("0.01", "10")).expect("writable");
    let (status, printed) = lab.run(false, 2);
    assert_eq!(status, MISSED);
    assert!(printed.contains("FAIL basic: "), "{printed}");
    assert!(printed.contains("replay: cargo xtask simulate "), "{printed}");
    assert!(lab.out().join(README).is_file());
}

#[test]
fn a_wrong_file_is_status_2_before_anything_is_written() {
    let lab = Lab::new("results-wrong");
    fs::write(lab.folder.join("scenarios/wrong.toml"), "x").expect("writable");
    assert_eq!(lab.run(false, 1).0, WRONG_INPUT);
    assert!(!lab.out().exists());
}
