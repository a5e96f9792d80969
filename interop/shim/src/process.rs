//! What the kernel says about this process: memory and processor time. Linux only; elsewhere the
//! figures are absent.

use std::fs;

/// Resident memory now and at its highest, in KiB.
pub fn memory_kib() -> Option<(u64, u64)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some((field("VmRSS:")?, field("VmHWM:")?))
}

/// Processor time of all living threads, user and kernel, in seconds.
///
/// From the scheduler's own account in nanoseconds: the usual counters tick every 10 ms, which is
/// coarse beside a transfer of a few hundred.
pub fn cpu_seconds() -> Option<f64> {
    let mut total_ns = 0;
    for thread in fs::read_dir("/proc/self/task").ok()? {
        let account = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        let on_cpu_ns: u64 = account.split_whitespace().next()?.parse().ok()?;
        total_ns += on_cpu_ns;
    }
    Some(total_ns as f64 / 1e9)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_accounts_for_this_process() {
        let (now, peak) = memory_kib().expect("Linux has /proc");
        assert!(now > 100);
        assert!(peak >= now);
        assert!(cpu_seconds().expect("Linux has /proc") >= 0.0);
    }
}
