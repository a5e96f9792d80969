//! The arithmetic of token buckets, in millionths of a byte: a rate in bytes per second earns
//! exactly so many of them in a microsecond, and no division loses a remainder.

use crate::config::{PACING_QUANTUM_PACKETS_MIN, PACING_QUANTUM_US};

/// What `bytes` cost.
pub(crate) const fn credit_of(bytes: u64) -> i64 {
    bytes.saturating_mul(1_000_000).cast_signed()
}

/// What a rate in bytes per second earns in a time.
pub(crate) fn earned(rate: u64, elapsed_us: u64) -> i64 {
    i64::try_from(rate.saturating_mul(elapsed_us)).unwrap_or(i64::MAX / 2).min(i64::MAX / 2)
}

/// What a busy sender may send at once: what a millisecond is worth, two packets at least.
pub(crate) fn quantum(rate: u64, packet_bytes: u64) -> i64 {
    earned(rate, PACING_QUANTUM_US).max(credit_of(PACING_QUANTUM_PACKETS_MIN * packet_bytes))
}
