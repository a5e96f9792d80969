//! The shim of this stack with one bug after the other, and the case of conformance that has to
//! find it.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use super::{Canary, internal, wrapper};
use crate::command::{self, Failure, Profile, cargo};

/// Plays the case of each canary against the shim with it and without; returns what went wrong.
pub(super) fn run(target: &Path, canaries: &[Canary]) -> Result<Vec<String>, Failure> {
    let suite = command::build("utp-interop", "utp-interop", Profile::Release)?;
    let healthy = build(target, "healthy", None)?;
    let mut errors = Vec::new();
    for canary in canaries {
        let Canary { name, bug, case, .. } = canary;
        let planted = build(target, name, Some(&wrapper(target, name)?))?;
        match (passes(&suite, &healthy, case)?, passes(&suite, &planted, case)?) {
            (true, false) => println!("caught  {name}: {case}"),
            (true, true) => errors.push(format!("{name} is not caught by {case}: {bug}")),
            (false, _) => errors.push(format!("{name}: {case} does not pass without it")),
        }
    }
    Ok(errors)
}

/// Builds the shim, and keeps it under this name: the next build overwrites the program.
fn build(target: &Path, name: &str, wrapper: Option<&OsStr>) -> Result<PathBuf, Failure> {
    let mut command = cargo(&["build", "--quiet", "--package", "utp-interop", "--bin", "utp-peer"]);
    // Each is built once; what would make a second build faster is only large.
    command.arg("--target-dir").arg(target).env("CARGO_INCREMENTAL", "0");
    if let Some(wrapper) = wrapper {
        command.env("RUSTC_WORKSPACE_WRAPPER", wrapper);
    }
    command::run(&mut command)?;
    let extension = env::consts::EXE_SUFFIX;
    let folder = target.join("shims");
    let kept = folder.join(format!("{name}{extension}"));
    let built = target.join("debug").join(format!("utp-peer{extension}"));
    fs::create_dir_all(&folder)
        .and_then(|()| fs::copy(built, &kept))
        .map_err(|error| internal(&kept.display().to_string(), &error))?;
    Ok(kept)
}

/// Whether a shim passes a case.
fn passes(suite: &Path, shim: &Path, case: &str) -> Result<bool, Failure> {
    let mut command = command::program(suite);
    command.args(["conformance", "--case", case, "--shim"]).arg(shim);
    // What a planted bug looks like on the wire is nothing that went wrong here.
    match command::run(command.stdout(Stdio::null()).stderr(Stdio::null())) {
        Ok(()) => Ok(true),
        Err(Failure::Status(1)) => Ok(false),
        Err(failure) => Err(Failure::Internal(format!("conformance --case {case}: {failure}"))),
    }
}
