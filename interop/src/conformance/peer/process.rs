//! The process of the shim as the kernel has it: what it takes, and how it is stopped. The figures
//! are those of Linux; elsewhere they are absent.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::{Peer, Shim};
use crate::conformance::stop::{CaseResult, Stop};

impl Peer {
    /// Resident memory of the shim that was started last, in KiB.
    pub(crate) fn rss_kib(&self) -> CaseResult<u64> {
        let pid = self.shims.last().map(Shim::pid);
        pid.and_then(rss_kib).ok_or_else(|| Stop::Skip("no account of memory".into()))
    }

    /// Processor time of the shim that was started last.
    pub(crate) fn cpu_time(&self) -> CaseResult<Duration> {
        let pid = self.shims.last().map(Shim::pid);
        pid.and_then(cpu_time).ok_or_else(|| Stop::Skip("no account of time".into()))
    }

    /// Whether no thread of the shim that was started last runs or waits for a processor.
    pub(crate) fn shim_sleeps(&self) -> bool {
        self.shims.last().is_none_or(|shim| sleeps(shim.pid()))
    }

    /// Stops the process of the shim that was started last, as if its machine slept.
    pub(crate) fn suspend_shim(&mut self) -> CaseResult {
        self.signal_shim("STOP")
    }

    /// Lets a process that was stopped go on.
    pub(crate) fn wake_shim(&mut self) -> CaseResult {
        self.signal_shim("CONT")
    }

    fn signal_shim(&mut self, signal: &str) -> CaseResult {
        self.remark(format_args!("signal {signal} to the shim"));
        let Some(pid) = self.shims.last().map(Shim::pid) else {
            return Err(Stop::Internal("a signal without a shim".into()));
        };
        let status = Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            other => Err(Stop::internal("kill", format!("{other:?}"))),
        }
    }
}

/// Resident memory of a process, in KiB.
fn rss_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processor time of all living threads of a process, user and kernel.
fn cpu_time(pid: u32) -> Option<Duration> {
    let mut total_ns = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        // A thread that ends between the listing and the reading has no account any more.
        let Ok(account) = fs::read_to_string(thread.ok()?.path().join("schedstat")) else {
            continue;
        };
        let on_cpu_ns: u64 = account.split_whitespace().next()?.parse().ok()?;
        total_ns += on_cpu_ns;
    }
    Some(Duration::from_nanos(total_ns))
}

/// Whether all threads of a process sleep, as far as that is known.
fn sleeps(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    let mut states = threads.flatten().filter_map(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).ok()?;
        // The name before it may contain anything.
        stat.rsplit_once(") ")?.1.chars().next()
    });
    states.all(|state| state != 'R')
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_accounts_for_a_process_by_its_number() {
        let pid = std::process::id();
        assert!(rss_kib(pid).expect("Linux has /proc") > 100);
        assert!(cpu_time(pid).is_some());
        assert_eq!(rss_kib(u32::MAX), None);
        assert_eq!(cpu_time(u32::MAX), None);
    }

    #[test]
    fn a_process_sleeps_when_none_of_its_threads_runs() {
        assert!(!sleeps(std::process::id()));
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep is there");
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while !sleeps(child.id()) {
            assert!(std::time::Instant::now() < until);
            std::thread::yield_now();
        }
        child.kill().expect("it is ours");
        child.wait().expect("it was killed");
    }

    #[test]
    fn threads_that_end_meanwhile_do_not_hide_the_process() {
        let pid = std::process::id();
        let short_lived = std::thread::spawn(|| {
            for _ in 0..2_000 {
                std::thread::spawn(|| ()).join().expect("nothing to panic");
            }
        });
        while !short_lived.is_finished() {
            assert!(cpu_time(pid).is_some());
        }
        short_lived.join().expect("nothing to panic");
    }
}
