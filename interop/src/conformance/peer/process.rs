//! What the kernel says about another process. Linux only; elsewhere the figures are absent.

use std::fs;
use std::time::Duration;

/// Resident memory of a process, in KiB.
pub(super) fn rss_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processor time of all living threads of a process, user and kernel.
pub(super) fn cpu_time(pid: u32) -> Option<Duration> {
    let mut total_ns = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let account = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        let on_cpu_ns: u64 = account.split_whitespace().next()?.parse().ok()?;
        total_ns += on_cpu_ns;
    }
    Some(Duration::from_nanos(total_ns))
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
    }
}
