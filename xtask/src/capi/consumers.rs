//! Programs that others wrote for libutp, linked with this library and put to their own tests.
//!
//! Each comes from its registry by its ordinary client, and nothing in it changes but the copy of
//! libutp that it brings, which goes.

mod node;
mod rust;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{io, thread};

use clap::ValueEnum;

use super::{install, libraries, scratch, unwritable};
use crate::command::{self, Failure};

/// A program of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Consumer {
    /// The crate libutp-rs, with its libutp-sys replaced
    LibutpRs,
    /// The crate libutp-rs2, with its libutp-rs2-sys replaced, in the tests of librqbit-utp
    LibutpRs2,
    /// The package utp-native of npm, with its deps/libutp replaced
    UtpNative,
}

/// Where this library is installed, and where others are built.
struct Bench {
    prefix: PathBuf,
    scratch: PathBuf,
}

/// How the tests of a consumer went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u32,
    failed: u32,
}

pub(super) fn run(chosen: &[Consumer]) -> Result<(), Failure> {
    let libraries = libraries()?;
    let scratch = scratch(&libraries, "consumers")?;
    let bench = Bench { prefix: scratch.join("prefix"), scratch };
    install::install(&libraries, &bench.prefix)?;
    let chosen = if chosen.is_empty() { Consumer::value_variants() } else { chosen };
    let mut misses = Vec::new();
    for &consumer in chosen {
        let (name, count) = match consumer {
            Consumer::LibutpRs => ("libutp-rs", rust::libutp_rs(&bench)?),
            Consumer::LibutpRs2 => ("libutp-rs2", rust::libutp_rs2(&bench)?),
            Consumer::UtpNative => ("utp-native", node::utp_native(&bench)?),
        };
        println!("{name}: {} of its tests passed, {} failed", count.passed, count.failed);
        if count.failed > 0 || count.passed == 0 {
            misses.push(name);
        }
    }
    match misses.is_empty() {
        true => Ok(()),
        false => Err(Failure::Check(format!("tests fail: {}", misses.join(", ")))),
    }
}

impl Bench {
    /// Runs tests, which may fail but not hang, with the library where programs find it, and
    /// returns what they write to standard output.
    fn told(&self, command: &mut Command) -> Result<String, Failure> {
        let name = command.get_program().display().to_string();
        let internal = |error: io::Error| Failure::Internal(format!("{name}: {error}"));
        let path = self.scratch.join("told");
        let file = File::create(&path).map_err(|error| unwritable(&path, &error))?;
        command.stdout(file).env("LD_LIBRARY_PATH", self.prefix.join("lib"));
        lead_a_group(command);
        let mut child = command.spawn().map_err(internal)?;
        let start = Instant::now();
        let status = loop {
            match child.try_wait().map_err(internal)? {
                None if start.elapsed() < TIME_MAX => thread::sleep(Duration::from_millis(50)),
                status => break status,
            }
        };
        let words = fs::read_to_string(&path).map_err(|error| unwritable(&path, &error))?;
        if status.is_none_or(|status| !status.success()) {
            print!("{words}");
        }
        if status.is_none() {
            let group = format!("-{}", child.id());
            command::run(Command::new("kill").args(["-KILL", "--", &group]))?;
            return Err(Failure::Check(format!("{name} does not come to an end")));
        }
        Ok(words)
    }
}

/// Puts a program into a group of its own, so that whatever it starts can be ended with it.
fn lead_a_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _no_groups = command;
}

/// Replaces `to` with a copy of a folder.
fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    if to.exists() {
        fs::remove_dir_all(to).map_err(|error| unwritable(to, &error))?;
    }
    fs::create_dir_all(to).map_err(|error| unwritable(to, &error))?;
    let entries = fs::read_dir(from).map_err(|error| unwritable(from, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| unwritable(from, &error))?.path();
        let copy = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_folder(&path, &copy)?;
        } else {
            fs::copy(&path, &copy).map_err(|error| unwritable(&copy, &error))?;
        }
    }
    Ok(())
}

fn write(path: &Path, words: &str) -> Result<(), Failure> {
    let folder = path.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    fs::write(path, words).map_err(|error| unwritable(path, &error))
}

/// No build with its tests takes as long.
const TIME_MAX: Duration = Duration::from_secs(900);
