//! `cargo xtask canaries`: plants one known bug after the other and looks whether its test fails.
//!
//! A bug is compiled in by a configuration flag of the core, never by a feature. The flag must not
//! make cargo build the dependencies again, so that it does not go through RUSTFLAGS: cargo asks a
//! wrapper for every crate of the workspace, and the wrapper is this program under another name,
//! which says what to plant.

mod shims;

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use serde::Deserialize;

use crate::command::{self, Failure, cargo};

pub(crate) const HELP: &str = "\
Examples:
  cargo xtask canaries
  cargo xtask canaries --shims

Every bug of specs/canaries.toml is planted in a build of its own below target/canaries. Its test
has to fail with it and to pass without; with --shims, its case of conformance, which is played
against the stack with that bug behind the protocol of shims. That takes eleven builds more, and
some cases wait for time-outs: it is not part of cargo xtask ci.";

/// The options of `cargo xtask canaries`.
#[derive(Default, clap::Args)]
pub(crate) struct Canaries {
    /// Play the cases of conformance against the planted bugs, in place of the tests
    #[arg(long)]
    shims: bool,
}

const TABLE: &str = "specs/canaries.toml";

/// What the wrapper of a canary is called, before the name of the canary.
const PREFIX: &str = "plant-";

/// Where `cfg!(canary = …)` may stand.
const CORE: &str = "crates/utp-proto/src";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    canary: Vec<Canary>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Canary {
    name: String,
    /// What is wrong with it in.
    bug: String,
    /// Where it is planted.
    file: String,
    /// The test binary.
    suite: String,
    test: String,
    /// The case of conformance.
    case: String,
}

/// If this program was started as the wrapper of a canary: compiles with it.
pub(crate) fn wrapped() -> Option<ExitCode> {
    let program = env::args_os().next()?;
    let name = Path::new(&program).file_stem()?.to_str()?.strip_prefix(PREFIX)?.to_owned();
    let mut arguments = env::args_os().skip(1);
    let rustc = arguments.next()?;
    let status =
        Command::new(rustc).args(arguments).arg("--cfg").arg(format!("canary=\"{name}\"")).status();
    Some(match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

impl Canaries {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let root = command::root();
        let canaries = read(&root)?;
        let mut errors = places(&root, &canaries)?;
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let target = target.join("canaries");
        errors.extend(match self.shims {
            true => shims::run(&target, &canaries)?,
            false => run_tests(&target, &canaries)?,
        });
        for error in &errors {
            println!("{error}");
        }
        match errors.len() {
            0 => Ok(()),
            count => Err(Failure::Check(format!("canaries: {count} violations"))),
        }
    }
}

fn read(root: &Path) -> Result<Vec<Canary>, Failure> {
    let text = fs::read_to_string(root.join(TABLE)).map_err(|error| internal(TABLE, &error))?;
    let table: Table =
        toml::from_str(&text).map_err(|error| Failure::Check(format!("{TABLE}: {error}")))?;
    Ok(table.canary)
}

/// Runs the test of each canary with it and without.
fn run_tests(target: &Path, canaries: &[Canary]) -> Result<Vec<String>, Failure> {
    let mut errors = Vec::new();
    for canary in canaries {
        let healthy = test(target, canary, None)?;
        let planted = test(target, canary, Some(&wrapper(target, &canary.name)?))?;
        let Canary { name, bug, suite, test, .. } = canary;
        match (healthy, planted) {
            (Verdict::Passes, Verdict::Fails) => println!("caught  {name}: {suite}::{test}"),
            (Verdict::Passes, _) => errors.push(format!("{name} is not caught: {bug}")),
            _ => errors.push(format!("{name}: {suite}::{test} does not pass without it")),
        }
    }
    Ok(errors)
}

/// Every canary of the table stands once in its file, and no other stands anywhere.
fn places(root: &Path, canaries: &[Canary]) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    collect(root, Path::new(CORE), &mut found).map_err(|error| internal(CORE, &error))?;
    let mut errors = Vec::new();
    for Canary { name, file, .. } in canaries {
        let here = found.iter().filter(|(path, found)| found == name && path == file).count();
        if here != 1 {
            errors.push(format!("{TABLE}: {name} stands {here} times in {file}"));
        }
    }
    for (path, name) in found {
        if !canaries.iter().any(|canary| canary.name == name) {
            errors.push(format!("{path}: {name} is not in {TABLE}"));
        }
    }
    Ok(errors)
}

/// Appends path and name of every canary below `folder`.
fn collect(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) -> std::io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let path = folder.join(entry?.file_name());
        if root.join(&path).is_dir() {
            collect(root, &path, found)?;
            continue;
        }
        let content = fs::read_to_string(root.join(&path))?;
        for rest in content.split("canary = \"").skip(1) {
            let name = rest.split('"').next().unwrap_or_default();
            found.push((path.display().to_string().replace('\\', "/"), name.to_owned()));
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passes,
    Fails,
    /// There is no such test.
    Missing,
}

fn test(target: &Path, canary: &Canary, wrapper: Option<&OsStr>) -> Result<Verdict, Failure> {
    let build = |arguments: &[&str]| {
        let mut command = cargo(&["test", "--quiet", "--package", "utp-proto", "--test"]);
        command.arg(&canary.suite).arg("--target-dir").arg(target).args(arguments);
        if let Some(wrapper) = wrapper {
            command.env("RUSTC_WORKSPACE_WRAPPER", wrapper);
        }
        command
    };
    // A core that does not compile is no catch.
    command::run(&mut build(&["--no-run"]))?;
    let output = build(&["--", "--exact", &canary.test])
        .stderr(Stdio::null())
        .output()
        .map_err(|error| internal("cargo", &error))?;
    let words = String::from_utf8_lossy(&output.stdout);
    Ok(match output.status.success() {
        true if words.contains(" 1 passed") => Verdict::Passes,
        true => Verdict::Missing,
        false => Verdict::Fails,
    })
}

/// This program under the name that plants `canary`.
fn wrapper(target: &Path, canary: &str) -> Result<OsString, Failure> {
    let this = env::current_exe().map_err(|error| internal("this program", &error))?;
    let folder = target.join("plants");
    let extension = env::consts::EXE_SUFFIX;
    let path = folder.join(format!("{PREFIX}{canary}{extension}"));
    fs::create_dir_all(&folder)
        .and_then(|()| fs::copy(this, &path))
        .map_err(|error| internal(&path.display().to_string(), &error))?;
    Ok(path.into_os_string())
}

fn internal(what: &str, error: &std::io::Error) -> Failure {
    Failure::Internal(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_what_is_planted_and_nothing_else() {
        let root = command::root();
        let canaries = read(&root).expect("valid");
        assert!(canaries.len() >= 10);
        assert_eq!(places(&root, &canaries).expect("readable"), Vec::<String>::new());
    }

    #[test]
    fn this_program_is_no_wrapper_under_its_own_name() {
        assert!(wrapped().is_none());
    }
}
