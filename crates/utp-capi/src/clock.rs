//! The clock of contexts that are given none.

use std::sync::OnceLock;
use std::time::Instant;

/// Microseconds of a clock that never goes back.
pub(crate) fn microseconds() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let elapsed = ORIGIN.get_or_init(Instant::now).elapsed();
    ORIGIN_US.saturating_add(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
}

/// What it shows at first: not zero, which is no time stamp.
const ORIGIN_US: u64 = 1_000_000;
