//! Programs of C and C++ against the shared library: that the header compiles without a warning in
//! old and new dialects, and that callbacks are called in the order that `programs/expected.txt`
//! has. What libutp does in the same scenarios is in `programs/libutp.txt`, which
//! `cargo xtask capi compare` checks.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: [&str; 7] =
    ["main.c", "world.c", "opening.c", "streams.c", "endings.c", "errors.c", "settings.c"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Where cargo builds the library: beside the tests.
fn libraries() -> PathBuf {
    let test = env::current_exe().expect("a running program has a path");
    test.parent().expect("it is in a folder").into()
}

/// Compiles the scenarios in a dialect and returns the program.
fn compile(variable: &str, compiler: &str, arguments: &[&str]) -> PathBuf {
    let name = format!("scenarios{}", arguments.concat());
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let compiler = env::var_os(variable).unwrap_or_else(|| compiler.into());
    let status = Command::new(&compiler)
        .args(arguments)
        .args(["-Wall", "-Wextra", "-Werror", "-O1", "-I"])
        .arg(folder("include"))
        .args(SOURCES.map(|source| folder("tests/programs").join(source)))
        .args(["-x", "none", "-lutp", "-L"])
        .arg(libraries())
        .arg("-o")
        .arg(&program)
        .status()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", compiler.display()));
    assert!(status.success(), "the scenarios do not compile with {arguments:?}");
    program
}

fn told_by(program: &Path) -> String {
    let output = Command::new(program)
        .env("LD_LIBRARY_PATH", libraries())
        .output()
        .expect("what was compiled can be run");
    let words = String::from_utf8(output.stdout).expect("scenarios write ASCII");
    assert!(output.status.success(), "the scenarios end with {}:\n{words}", output.status);
    words
}

/// What was told in each scenario.
fn scenarios(words: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut scenarios = BTreeMap::<_, Vec<_>>::new();
    let mut name = "";
    for line in words.lines() {
        match line.strip_prefix("== ") {
            Some(title) => name = title,
            None => scenarios.entry(name).or_default().push(line),
        }
    }
    scenarios
}

#[track_caller]
fn assert_as_expected(told: &str) {
    let expected = fs::read_to_string(folder("tests/programs/expected.txt")).expect("it is there");
    let (told, expected) = (scenarios(told), scenarios(&expected));
    for (name, lines) in &expected {
        assert_eq!(told.get(name), Some(lines), "in {name:?}");
    }
    assert_eq!(told.len(), expected.len());
}

#[test]
fn a_program_of_old_c_hears_what_is_expected() {
    let program = compile("CC", "cc", &["-std=gnu89"]);
    assert_as_expected(&told_by(&program));
}

#[test]
fn a_program_of_newer_c_hears_what_is_expected() {
    let program = compile("CC", "cc", &["-std=c11", "-pedantic", "-D_DEFAULT_SOURCE"]);
    assert_as_expected(&told_by(&program));
}

#[test]
fn a_program_of_cpp_hears_what_is_expected() {
    let program = compile("CXX", "c++", &["-std=c++17", "-pedantic", "-x", "c++"]);
    assert_as_expected(&told_by(&program));
}

#[test]
fn the_sample_program_compiles_without_a_warning() {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let status = Command::new(compiler)
        .args(["-std=gnu89", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"])
        .arg(folder("include"))
        .arg(folder("examples/ucat.c"))
        .status();
    assert!(status.expect("the compiler starts").success());
}

/// Where libutp tells something else, the list of deviations has the scenario, and no other.
#[test]
fn every_difference_to_libutp_is_listed() {
    let read = |path: &str| fs::read_to_string(folder(path)).expect("it is there");
    let (ours, libutp) = (read("tests/programs/expected.txt"), read("tests/programs/libutp.txt"));
    let (ours, libutp) = (scenarios(&ours), scenarios(&libutp));
    let deviations = read("../../interop/DEVIATIONS.md");
    let (_, section) = deviations.split_once("## The C interface").expect("it has a part on it");
    for (name, lines) in &ours {
        let differs = libutp.get(name) != Some(lines);
        let listed = section.contains(&format!("\"{name}\""));
        assert_eq!(differs, listed, "{name:?}");
    }
    assert_eq!(ours.len(), libutp.len());
}
