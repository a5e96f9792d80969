//! Where a measurement comes from: commit, machine, date and command.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What every measured file carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The commit, with `-dirty` when files differ from it.
    pub commit: String,
    /// What it ran on.
    pub machine: Machine,
    /// When it started, in UTC.
    pub date: String,
    /// The command line.
    pub command: String,
    /// Whether the code was optimised: figures of a debug build mean nothing.
    pub optimised: bool,
}

/// What something ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many processors there are to run on.
    pub cores: usize,
    /// The operating system and its version.
    pub os: String,
}

impl Provenance {
    /// What holds here and now.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let program = "utp-interop".to_owned();
        let command: Vec<String> =
            std::iter::once(program).chain(std::env::args().skip(1)).collect();
        Self {
            commit: commit(),
            machine: Machine::this(),
            date: utc_date_time(since.as_secs()),
            command: command.join(" "),
            optimised: !cfg!(debug_assertions),
        }
    }

    /// A sentence for a page, with its end of line.
    pub(crate) fn line(&self) -> String {
        let Self { commit, machine, date, command, optimised } = self;
        let debug = if *optimised { "" } else { " A debug build: its speeds mean nothing." };
        format!(
            "Commit {commit}, {date}, on {} with {} cores ({}), by `{command}`.{debug}\n",
            machine.cpu, machine.cores, machine.os
        )
    }
}

impl Machine {
    /// The machine this runs on. What the system does not tell is called unknown.
    pub fn this() -> Self {
        let unknown = || "unknown".to_owned();
        let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        let release = fs::read_to_string("/proc/sys/kernel/osrelease")
            .map_or_else(|_| unknown(), |release| release.trim().to_owned());
        Self {
            cpu: cpu.unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            os: format!("{} {release}", std::env::consts::OS),
        }
    }
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".into() };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit}-dirty"),
    }
}

/// A time in seconds since 1970 as `2026-01-31T23:59:59Z`.
///
/// ```
/// use utp_interop::harness::utc_date_time;
///
/// assert_eq!(utc_date_time(951_782_400), "2000-02-29T00:00:00Z");
/// ```
pub fn utc_date_time(seconds: u64) -> String {
    let (mut days, time) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc_date_time(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc_date_time(1_767_225_599), "2025-12-31T23:59:59Z");
        assert_eq!(utc_date_time(1_767_225_600), "2026-01-01T00:00:00Z");
        assert_eq!(utc_date_time(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
